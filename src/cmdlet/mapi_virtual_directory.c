/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/call.h"

#define NOUN "MapiVirtualDirectory"
#define ROW const struct org_virtual_directory
#define VIEW "Name Server InternalUrl ExternalUrl"
#define LIST                                                                            \
    PROPERTY(IISAuthenticationMethods, methods_value(arena, row->auth))                 \
    PROPERTY(ExtendedProtectionTokenChecking, v_text("None"))                           \
    PROPERTY(ExtendedProtectionFlags, v_texts(arena, NULL, 0))                          \
    PROPERTY(ExtendedProtectionSPNList, v_texts(arena, NULL, 0))                        \
    PROPERTY(AdminDisplayVersion, server_version(arena))                                \
    PROPERTY(Server, v_text(s->server_name))                                            \
    PROPERTY(InternalUrl, v_text(row->internal_url))                                    \
    PROPERTY(InternalAuthenticationMethods, methods_value(arena, row->auth))            \
    PROPERTY(ExternalUrl, v_text(row->external_url))                                    \
    PROPERTY(ExternalAuthenticationMethods, methods_value(arena, row->auth))            \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(Identity, v_text(row->identity))                                           \
    PROPERTY(Id, v_text(row->identity))                                                 \
    PROPERTY(Guid, v_guid(row->guid))                                                   \
    PROPERTY(WhenChanged, v_time(row->when_changed))                                    \
    PROPERTY(WhenCreated, v_time(row->when_created))                                    \
    PROPERTY(WhenChangedUTC, v_utc(row->when_changed))                                  \
    PROPERTY(WhenCreatedUTC, v_utc(row->when_created))                                  \
    PROPERTY(OrganizationId, v_text(s->organization))                                   \
    PROPERTY(OriginatingServer, v_text(s->hostname))                                    \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

enum ec cmdlet_Get_MapiVirtualDirectory(struct call *call, const struct Get_MapiVirtualDirectory *in)
{
    return get_directories(call, &type, ORG_MAPI, in->Identity, in->Server);
}

/* https://HOST/mapi and nothing else works in Outlook; Exchange takes anything, and so do we, with a word. */
static void warn_of_url(struct call *call, const char *url)
{
    const char *host = url && text_is_prefix(url, "https://") ? url + strlen("https://") : NULL;
    const char *path = host ? strchr(host, '/') : NULL;
    const bool fits = path && path > host && (strcasecmp(path, "/mapi") == 0 || strcasecmp(path, "/mapi/") == 0);
    if (url && !fits)
        call_warn(call, "\"%s\" isn't of the form https://HOST/mapi: Outlook can't use it.", url);
}

static void warn_of_all(struct call *call, const struct Set_MapiVirtualDirectory *in,
                        const struct org_virtual_directory *d)
{
    if (in->InternalUrl.given)
        warn_of_url(call, d->internal_url);
    if (in->ExternalUrl.given)
        warn_of_url(call, d->external_url);
    if (!d->internal_url && !d->external_url)
        call_warn(call, "'%s' has neither an InternalUrl nor an ExternalUrl: Autodiscover can't announce MAPI over"
                        " HTTP.", d->identity);
    if (in->IISAuthenticationMethods.given)
        warn_of_methods(call, d->identity, d->auth);
}

enum ec cmdlet_Set_MapiVirtualDirectory(struct call *call, const struct Set_MapiVirtualDirectory *in)
{
    const struct org_virtual_directory *there = find_directory(call, ORG_MAPI, in->Identity.value);
    if (!there)
        return ecNotFound;
    struct org_virtual_directory altered = *there;
    bool changed = set_text(in->InternalUrl, &altered.internal_url);
    changed |= set_text(in->ExternalUrl, &altered.external_url);
    altered.auth = edited_methods(in->IISAuthenticationMethods, there->auth);
    altered.internal_url_by_hand |= in->InternalUrl.given;
    changed |= altered.auth != there->auth || altered.internal_url_by_hand != there->internal_url_by_hand;
    if (!changed) {
        call_unchanged(call, there->identity);
        return ecNone;
    }
    if (!call_may(call, "Setting the MAPI virtual directory \"%s\".", there->identity))
        return ecNone;
    enum ec ec = org_directory_set(call->org, &altered);
    if (!ec)
        warn_of_all(call, in, &altered);
    return call_org(call, ec);
}
