/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/call.h"

#define NOUN "OrganizationConfig"
#define ROW const struct org_settings
#define VIEW NULL
#define LIST                                                                            \
    PROPERTY(Name, v_text(row->organization))                                           \
    PROPERTY(LegacyExchangeDN, v_printf(arena, "/o=%s", row->organization))             \
    PROPERTY(MapiHttpEnabled, v_bool(row->mapi_http_enabled))                           \
    PROPERTY(EwsEnabled, v_null())                                                      \
    PROPERTY(OAuth2ClientProfileEnabled, v_bool(false))                                 \
    PROPERTY(IsMixedMode, v_bool(false))                                                \
    PROPERTY(DeploymentId, v_guid(row->deployment_id))                                  \
    PROPERTY(HostName, v_text(row->hostname))                                           \
    PROPERTY(ServerName, v_text(row->server_name))                                      \
    PROPERTY(NetBiosName, v_text(row->netbios_name))                                    \
    PROPERTY(Identity, v_text(row->organization))                                       \
    PROPERTY(Id, v_text(row->organization))                                             \
    PROPERTY(Guid, v_guid(row->deployment_id))                                          \
    PROPERTY(WhenChanged, v_time(row->when_changed))                                    \
    PROPERTY(WhenCreated, v_time(row->when_created))                                    \
    PROPERTY(WhenChangedUTC, v_utc(row->when_changed))                                  \
    PROPERTY(WhenCreatedUTC, v_utc(row->when_created))                                  \
    PROPERTY(OrganizationId, v_text(row->organization))                                 \
    PROPERTY(OriginatingServer, v_text(row->hostname))                                  \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

enum ec cmdlet_Get_OrganizationConfig(struct call *call, const struct Get_OrganizationConfig *in)
{
    (void)in;
    call_emit(call, (struct object){ &type, call->settings, call->settings });
    return ecNone;
}

enum ec cmdlet_Set_OrganizationConfig(struct call *call, const struct Set_OrganizationConfig *in)
{
    const struct org_settings *s = call->settings;
    if (!in->MapiHttpEnabled.given || in->MapiHttpEnabled.value == s->mapi_http_enabled) {
        call_unchanged(call, s->organization);
        return ecNone;
    }
    if (!call_may(call, "Setting the organization \"%s\".", s->organization))
        return ecNone;
    return call_org(call, org_set_mapi_http(call->org, in->MapiHttpEnabled.value));
}
