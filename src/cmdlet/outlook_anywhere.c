/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/call.h"

static struct value method_value(enum org_auth method)
{
    const char *const *names = type_values(PARAM_AUTH_LIST);
    for (unsigned i = 0; names[i]; i++)
        if (method == 1u << i)
            return v_text(names[i]);
    return v_null();
}

#define NOUN "OutlookAnywhere"
#define ROW const struct org_virtual_directory
#define VIEW NULL
#define LIST                                                                            \
    PROPERTY(ServerName, v_text(s->server_name))                                        \
    PROPERTY(SSLOffloading, v_bool(row->ssl_offloading))                                \
    PROPERTY(ExternalHostname, v_text(row->external_hostname))                          \
    PROPERTY(InternalHostname, v_text(row->internal_hostname))                          \
    PROPERTY(ExternalClientAuthenticationMethod, method_value(row->external_auth))      \
    PROPERTY(InternalClientAuthenticationMethod, method_value(row->internal_auth))      \
    PROPERTY(IISAuthenticationMethods, methods_value(arena, row->auth))                 \
    PROPERTY(ExternalClientsRequireSsl, v_bool(row->external_ssl))                      \
    PROPERTY(InternalClientsRequireSsl, v_bool(row->internal_ssl))                      \
    PROPERTY(ExtendedProtectionTokenChecking, v_text("None"))                           \
    PROPERTY(ExtendedProtectionFlags, v_texts(arena, NULL, 0))                          \
    PROPERTY(ExtendedProtectionSPNList, v_texts(arena, NULL, 0))                        \
    PROPERTY(AdminDisplayVersion, server_version(arena))                                \
    PROPERTY(Server, v_text(s->server_name))                                            \
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

enum ec cmdlet_Get_OutlookAnywhere(struct call *call, const struct Get_OutlookAnywhere *in)
{
    return get_directories(call, &type, ORG_OUTLOOK_ANYWHERE, in->Identity, in->Server);
}

static enum ec check(struct call *call, const struct Set_OutlookAnywhere *in, unsigned auth)
{
    const bool others = in->InternalClientAuthenticationMethod.given || in->ExternalClientAuthenticationMethod.given ||
                        in->IISAuthenticationMethods.given;
    if (in->DefaultAuthenticationMethod.given && others)
        return call_conflict(call);
    if (auth & ORG_OAUTH)
        return call_fail(call, ecInvalidParam,
                         "Outlook Anywhere knows the authentication methods Basic, Ntlm and Negotiate.");
    return ecNone;
}

static bool set_method(struct arg_number arg, enum org_auth *now)
{
    if (!arg.given || (enum org_auth)arg.value == *now)
        return false;
    *now = (enum org_auth)arg.value;
    return true;
}

static bool set_methods(const struct Set_OutlookAnywhere *in, struct org_virtual_directory *d)
{
    const unsigned before = d->auth;
    bool changed = set_method(in->InternalClientAuthenticationMethod, &d->internal_auth);
    changed |= set_method(in->ExternalClientAuthenticationMethod, &d->external_auth);
    changed |= set_method(in->DefaultAuthenticationMethod, &d->internal_auth);
    changed |= set_method(in->DefaultAuthenticationMethod, &d->external_auth);
    d->auth = edited_methods(in->IISAuthenticationMethods, d->auth);
    if (in->DefaultAuthenticationMethod.given)
        d->auth = (unsigned)in->DefaultAuthenticationMethod.value;
    return changed || d->auth != before;
}

enum ec cmdlet_Set_OutlookAnywhere(struct call *call, const struct Set_OutlookAnywhere *in)
{
    const struct org_virtual_directory *there = find_directory(call, ORG_OUTLOOK_ANYWHERE, in->Identity.value);
    if (!there)
        return ecNotFound;
    struct org_virtual_directory altered = *there;
    bool changed = set_text(in->InternalHostname, &altered.internal_hostname);
    changed |= set_text(in->ExternalHostname, &altered.external_hostname);
    changed |= set_bool(in->InternalClientsRequireSsl, &altered.internal_ssl);
    changed |= set_bool(in->ExternalClientsRequireSsl, &altered.external_ssl);
    changed |= set_bool(in->SSLOffloading, &altered.ssl_offloading);
    changed |= set_methods(in, &altered);
    enum ec ec = check(call, in, altered.auth);
    if (ec)
        return ec;
    if (!changed) {
        call_unchanged(call, there->identity);
        return ecNone;
    }
    if (!call_may(call, "Setting the Outlook Anywhere virtual directory \"%s\".", there->identity))
        return ecNone;
    ec = org_directory_set(call->org, &altered);
    if (!ec && altered.auth != there->auth)
        warn_of_methods(call, there->identity, altered.auth);
    return call_org(call, ec);
}
