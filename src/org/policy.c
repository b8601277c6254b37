/* SPDX-License-Identifier: Apache-2.0 */
#include "org/policy.h"

static bool wants_mapi_http(const struct policy_input *in)
{
    return in->mailbox_mapi_http == ORG_UNSET ? in->organization_mapi_http : in->mailbox_mapi_http == ORG_ON;
}

/* [MS-OXDSCLI] 3.2.5.1: a server answers with a Version above 0 and not above the client's; we speak 1. */
static void announce_mapi_http(struct policy *out, const struct policy_input *in, enum policy_sides sides)
{
    out->protocol = POLICY_MAPI_HTTP;
    out->mapi_http_version = 1;
    out->mapi_http = in->mapi_urls & sides;
    out->mapi_door = in->mapi_enabled;
}

/* A mapiHttp element excludes these two; EXHTTP may stand beside it. */
static void announce_outlook_anywhere(struct policy *out, const struct policy_input *in, enum policy_sides sides)
{
    out->exch = true;
    out->expr = in->anywhere_hosts & sides & POLICY_EXTERNAL;
}

struct policy policy_decide(struct policy_input in)
{
    const enum policy_sides sides = in.block_external ? POLICY_INTERNAL : POLICY_BOTH;
    struct policy out = {
        .protocol = POLICY_OUTLOOK_ANYWHERE,
        .exhttp = in.exhttp ? in.anywhere_hosts & sides : POLICY_NOWHERE,
        .web = sides,
        .rpc_door = in.mapi_enabled,
    };
    if (wants_mapi_http(&in) && in.capability > 0 && (in.mapi_urls & sides))
        announce_mapi_http(&out, &in, sides);
    else
        announce_outlook_anywhere(&out, &in, sides);
    return out;
}
