/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/call.h"

static struct value override_value(enum org_switch value)
{
    return value == ORG_UNSET ? v_null() : v_bool(value == ORG_ON);
}

#define NOUN "CASMailbox"
#define ROW const struct account
#define VIEW "Name ActiveSyncEnabled OWAEnabled PopEnabled ImapEnabled MapiEnabled"
#define LIST                                                                            \
    PROPERTY(EmailAddresses, v_texts(arena, row->proxy_addresses, row->proxy_count))    \
    PROPERTY(LegacyExchangeDN, v_text(row->legacy_dn))                                  \
    PROPERTY(PrimarySmtpAddress, v_text(row->primary_smtp))                             \
    PROPERTY(SamAccountName, v_text(row->sam_account_name))                             \
    PROPERTY(ServerName, v_text(s->server_name))                                        \
    PROPERTY(DisplayName, v_text(row->display_name))                                    \
    PROPERTY(ActiveSyncEnabled, v_bool(false))                                          \
    PROPERTY(ECPEnabled, v_bool(false))                                                 \
    PROPERTY(OWAEnabled, v_bool(false))                                                 \
    PROPERTY(PopEnabled, v_bool(false))                                                 \
    PROPERTY(ImapEnabled, v_bool(false))                                                \
    PROPERTY(EwsEnabled, v_bool(false))                                                 \
    PROPERTY(MAPIEnabled, v_bool(row->mapi_enabled))                                    \
    PROPERTY(MapiHttpEnabled, override_value(row->mapi_http_enabled))                   \
    PROPERTY(MAPIBlockOutlookNonCachedMode, v_bool(false))                              \
    PROPERTY(MAPIBlockOutlookVersions, v_null())                                        \
    PROPERTY(MAPIBlockOutlookRpcHttp, v_bool(false))                                    \
    PROPERTY(MAPIBlockOutlookExternalConnectivity, v_bool(row->block_external))         \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(DistinguishedName, v_text(mailbox_dn(arena, s, row)))                      \
    PROPERTY(Identity, v_text(mailbox_identity(arena, s, row)))                         \
    PROPERTY(Id, v_text(mailbox_identity(arena, s, row)))                               \
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

enum ec cmdlet_Get_CASMailbox(struct call *call, const struct Get_CASMailbox *in)
{
    const struct mailbox_query query = {
        .type = &type, .identity = in->Identity, .anr = in->Anr, .sort_by = in->SortBy, .filter = in->Filter,
        .result_size = in->ResultSize,
    };
    return query_mailboxes(call, &query);
}

enum ec cmdlet_Set_CASMailbox(struct call *call, const struct Set_CASMailbox *in)
{
    const struct account *account = NULL;
    enum ec ec = find_account(call, in->Identity.value, &account);
    if (ec)
        return ec;
    struct account altered = *account;
    bool changed = in->MapiHttpEnabled.given && in->MapiHttpEnabled.value != account->mapi_http_enabled;
    if (changed)
        altered.mapi_http_enabled = in->MapiHttpEnabled.value;
    changed |= set_bool(in->MAPIBlockOutlookExternalConnectivity, &altered.block_external);
    changed |= set_bool(in->MAPIEnabled, &altered.mapi_enabled);
    const char *identity = mailbox_identity(call->arena, call->settings, account);
    if (!changed) {
        call_unchanged(call, identity);
        return ecNone;
    }
    if (!call_may(call, "Setting Client Access settings on the mailbox \"%s\".", identity))
        return ecNone;
    return call_directory(call, directory_set(call->directory, &altered, NULL));
}
