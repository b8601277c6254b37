/* SPDX-License-Identifier: Apache-2.0 */
/* org/policy.h: the client access policy, one pure function.  Autodiscover, the /mapi door, the /rpc door and the
 * cmdlet that explains the result call it and nothing else decides.
 *
 *     protocol = the mailbox's MapiHttpEnabled, else the organisation's
 *     sides    = internal alone under MAPIBlockOutlookExternalConnectivity, else both
 *
 * and then what cannot be announced (no capability header, no URL, no host name) is taken away. */
#pragma once
#include <stdbool.h>

/* What Set-CASMailbox -MapiHttpEnabled holds: $null follows the organisation. */
enum org_switch { ORG_UNSET, ORG_OFF, ORG_ON };

enum policy_protocol { POLICY_OUTLOOK_ANYWHERE, POLICY_MAPI_HTTP };
enum policy_sides { POLICY_NOWHERE = 0, POLICY_INTERNAL = 1, POLICY_EXTERNAL = 2, POLICY_BOTH = 3 };

struct policy_input {
    bool organization_mapi_http;            /* Set-OrganizationConfig -MapiHttpEnabled */
    enum org_switch mailbox_mapi_http;      /* Set-CASMailbox -MapiHttpEnabled */
    bool block_external;                    /* Set-CASMailbox -MAPIBlockOutlookExternalConnectivity */
    bool mapi_enabled;                      /* Set-CASMailbox -MAPIEnabled */
    unsigned capability;                    /* X-MapiHttpCapability; 0: not sent.  At the /mapi door: 1 */
    bool exhttp;                            /* the client understands EXHTTP elements */
    enum policy_sides mapi_urls;            /* which URLs the mapi virtual directory has, if it is there */
    enum policy_sides anywhere_hosts;       /* which host names Outlook Anywhere has */
};

struct policy {
    enum policy_protocol protocol;
    unsigned mapi_http_version;             /* of the mapiHttp element; 0: no such element */
    enum policy_sides mapi_http;            /* URLs inside MailStore and AddressBook */
    enum policy_sides exhttp;               /* one EXHTTP element per side */
    bool exch, expr;                        /* top-level elements */
    enum policy_sides web;                  /* Internal and External inside WEB */
    bool mapi_door;                         /* Connect on /mapi is let in; otherwise X-ResponseCode 16 */
    bool rpc_door;                          /* a logon over Outlook Anywhere is let in */
};

struct policy policy_decide(struct policy_input);
