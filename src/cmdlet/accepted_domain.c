/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "cmdlet/call.h"

#define NOUN "AcceptedDomain"
#define ROW const struct org_domain
#define VIEW "Name DomainName DomainType Default"
#define LIST                                                                            \
    PROPERTY(DomainName, v_text(row->domain))                                           \
    PROPERTY(DomainType, v_text(type_values(PARAM_DOMAIN_TYPE)[row->type]))             \
    PROPERTY(Default, v_bool(row->is_default))                                          \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(Identity, v_text(row->name))                                               \
    PROPERTY(Id, v_text(row->name))                                                     \
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

static bool is_domain(const char *text)
{
    bool dot = true;                        /* a label must follow */
    if (strlen(text) > 253)
        return false;
    for (const char *p = text; *p; p++) {
        if (*p == '.' ? dot : !isalnum((unsigned char)*p) && *p != '-')
            return false;
        dot = *p == '.';
    }
    return !dot;
}

static bool is_meant(const struct org_domain *domain, const char *identity)
{
    struct guid guid;
    return strcasecmp(domain->name, identity) == 0 || strcasecmp(domain->domain, identity) == 0 ||
           (guid_parse(identity, &guid) && guid_equal(guid, domain->guid));
}

static const struct org_domain *find_domain(struct call *call, const char *identity)
{
    for (size_t i = 0; i < call->settings->domain_count; i++)
        if (is_meant(&call->settings->domains[i], identity))
            return &call->settings->domains[i];
    call_not_found(call, identity);
    return NULL;
}

static const struct org_domain *domain_by_guid(const struct org_settings *s, struct guid guid)
{
    for (size_t i = 0; i < s->domain_count; i++)
        if (guid_equal(s->domains[i].guid, guid))
            return &s->domains[i];
    return NULL;
}

enum ec cmdlet_New_AcceptedDomain(struct call *call, const struct New_AcceptedDomain *in)
{
    struct org_domain domain = { .name = in->Name.value, .domain = in->DomainName.value,
                                 .type = (enum org_domain_type)in->DomainType.value };
    if (!is_domain(domain.domain))
        return call_fail(call, ecInvalidParam, "\"%s\" is not a valid domain name.", domain.domain);
    if (!*domain.name || strlen(domain.name) > 64)
        return call_fail(call, ecInvalidParam, "The name must have 1 to 64 characters.");
    if (!call_may(call, "Creating the accepted domain \"%s\".", domain.domain))
        return ecNone;
    enum ec ec = org_domain_add(call->org, &domain);
    if (ec)
        return call_org(call, ec);
    const struct org_settings *now = org_settings(call->org, call->arena);
    call_emit(call, (struct object){ &type, domain_by_guid(now, domain.guid), now });
    return ecNone;
}

enum ec cmdlet_Get_AcceptedDomain(struct call *call, const struct Get_AcceptedDomain *in)
{
    const struct org_settings *s = call->settings;
    const struct org_domain *one = in->Identity.value ? find_domain(call, in->Identity.value) : NULL;
    if (in->Identity.value && !one)
        return ecNotFound;
    for (size_t i = 0; i < s->domain_count; i++)
        if (!one || one == &s->domains[i])
            call_emit(call, (struct object){ &type, &s->domains[i], s });
    return ecNone;
}

enum ec cmdlet_Set_AcceptedDomain(struct call *call, const struct Set_AcceptedDomain *in)
{
    const struct org_domain *there = find_domain(call, in->Identity.value);
    if (!there)
        return ecNotFound;
    struct org_domain altered = *there;
    bool changed = in->Name.value && set_text(in->Name, &altered.name);
    changed |= set_bool(in->MakeDefault, &altered.is_default);
    if (in->DomainType.given && (enum org_domain_type)in->DomainType.value != there->type) {
        altered.type = (enum org_domain_type)in->DomainType.value;
        changed = true;
    }
    if (!changed) {
        call_unchanged(call, there->name);
        return ecNone;
    }
    if (!call_may(call, "Setting the accepted domain \"%s\".", there->name))
        return ecNone;
    return call_org(call, org_domain_set(call->org, &altered));
}

/* An address in a domain that isn't ours any more would be lost mail. */
static const struct account *somebody_in(struct call *call, const struct org_domain *domain)
{
    const struct account_list *all = directory_list(call->directory, call->arena, ACCOUNTS_ALL);
    for (size_t i = 0; i < all->count; i++) {
        const struct account *a = all->accounts[i];
        bool uses = org_domain_of(call->settings, a->user_principal_name) == domain;
        for (size_t p = 0; p < a->proxy_count && !uses; p++)
            uses = text_is_prefix(a->proxy_addresses[p], "smtp:") &&
                   org_domain_of(call->settings, a->proxy_addresses[p]) == domain;
        if (uses)
            return a;
    }
    return NULL;
}

enum ec cmdlet_Remove_AcceptedDomain(struct call *call, const struct Remove_AcceptedDomain *in)
{
    const struct org_domain *there = find_domain(call, in->Identity.value);
    if (!there)
        return ecNotFound;
    const struct account *user = somebody_in(call, there);
    if (user)
        return call_fail(call, ecAccessDenied,
                         "The accepted domain \"%s\" can't be removed: addresses of \"%s\" end in it.", there->name,
                         user->name);
    if (!call_may(call, "Removing the accepted domain \"%s\".", there->name))
        return ecNone;
    return call_org(call, org_domain_remove(call->org, there->guid));
}
