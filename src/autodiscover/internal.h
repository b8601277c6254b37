/* SPDX-License-Identifier: Apache-2.0 */
/* autodiscover/internal.h: what the POX and the SOAP answer say alike. */
#pragma once
#include "autodiscover/autodiscover.h"

/* The build that X-ServerApplication names: 15.2.1544.4. */
enum { SERVER_MAJOR = 15, SERVER_MINOR = 2, SERVER_BUILD = 1544, SERVER_REVISION = 4 };

/* Negotiate is said only to a client that knows the word. */
const char *autodiscover_auth_package(enum org_auth, bool negotiate);
/* The distinguished name of the mailbox's database, below that of its own server. */
const char *autodiscover_mailbox_dn(TALLOC_CTX *arena, const struct org_settings *, const struct account *);
