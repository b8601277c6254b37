/* SPDX-License-Identifier: Apache-2.0 */
/* autodiscover/autodiscover.h: how a client finds its mailbox: [MS-OXDSCLI], the POX form; the JSON form
 * that leads to it; and [MS-OXWSADISC], the SOAP form.
 * Owns nothing: the answer comes from organisation, directory and the one policy function.  Never announces an address
 * that is not served. */
#pragma once
#include "directory/directory.h"
#include "http/exchange.h"

struct autodiscover {
    struct org *org;
    struct directory *directory;
};

/* Handler of /autodiscover/autodiscover.xml; request->context is the struct autodiscover. */
http_handler autodiscover_pox;
/* Handler of /autodiscover/autodiscover.json and what lies below it; nobody has to sign in. */
http_handler autodiscover_json;
/* Handler of /autodiscover/autodiscover.svc: GetUserSettings and GetDomainSettings. */
http_handler autodiscover_soap;

/* The answer itself, also for the cmdlet that explains it. */
struct autodiscover_client {
    unsigned capability; /* X-MapiHttpCapability; 0: not sent */
    bool exhttp;         /* understands EXHTTP elements */
    bool negotiate;      /* understands AuthPackage Negotiate */
    struct directory *directory; /* the owner asks: of the mailboxes that open by themselves; NULL: those are not told */
};
struct blob autodiscover_answer(TALLOC_CTX *arena, const struct org_settings *, struct directory *,
                                const struct account *, const struct autodiscover_client *);
