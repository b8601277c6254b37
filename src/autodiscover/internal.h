/* SPDX-License-Identifier: Apache-2.0 */
/* autodiscover/internal.h: what the POX and the SOAP answer say alike. */
#pragma once
#include "autodiscover/autodiscover.h"

/* The build that X-ServerApplication names: 15.2.1544.4. */
enum { SERVER_MAJOR = 15, SERVER_MINOR = 2, SERVER_BUILD = 1544, SERVER_REVISION = 4 };

/* Negotiate is said only to a client that knows the word. */
const char *autodiscover_auth_package(enum org_auth, bool negotiate);
/* Mailboxes that appear beside one's own: full access with AutoMapping. */
struct account_list autodiscover_mapped(TALLOC_CTX *arena, struct directory *, const struct account *owner);
/* Is it the owner of the mailbox who has signed in? */
bool autodiscover_is_owner(const struct http_request *, const struct account *);
/* The distinguished name of the mailbox's database, below that of its own server. */
const char *autodiscover_mailbox_dn(TALLOC_CTX *arena, const struct org_settings *, const struct account *);
