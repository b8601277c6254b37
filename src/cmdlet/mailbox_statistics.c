/* SPDX-License-Identifier: Apache-2.0 */
/* How large mailboxes and their folders are. */
#include "cmdlet/call.h"
#include "store/store.h"

/* ---- a mailbox ---- */

struct statistics {
    const struct account *account;
    struct store_usage usage;
    struct org_quota quota, database;
};

static const char *limit_status(const struct statistics *of)
{
    const struct { int64_t limit; const char *name; } rows[] = {
        { of->quota.receive, "MailboxDisabled" },
        { of->quota.send, "ProhibitSend" },
        { of->quota.warning, "IssueWarning" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (rows[i].limit != ORG_UNLIMITED && of->usage.bytes > (uint64_t)rows[i].limit)
            return rows[i].name;
    return "BelowLimit";
}

#define NOUN "MailboxStatistics"
#define ROW const struct statistics
#define VIEW "DisplayName ItemCount StorageLimitStatus LastLogonTime"
#define LIST                                                                            \
    PROPERTY(AssociatedItemCount, v_int((int64_t)row->usage.associated))                \
    PROPERTY(DeletedItemCount, v_int((int64_t)row->usage.deleted))                      \
    PROPERTY(DisplayName, v_text(row->account->display_name))                           \
    PROPERTY(ItemCount, v_int((int64_t)row->usage.messages))                            \
    PROPERTY(LastLogonTime, v_null())                                                   \
    PROPERTY(LegacyDN, v_text(row->account->legacy_dn))                                 \
    PROPERTY(StorageLimitStatus, v_text(limit_status(row)))                             \
    PROPERTY(TotalDeletedItemSize, v_size(arena, (int64_t)row->usage.deleted_bytes))    \
    PROPERTY(TotalItemSize, v_size(arena, (int64_t)row->usage.bytes))                   \
    PROPERTY(DatabaseIssueWarningQuota, v_size(arena, row->database.warning))           \
    PROPERTY(DatabaseProhibitSendQuota, v_size(arena, row->database.send))              \
    PROPERTY(DatabaseProhibitSendReceiveQuota, v_size(arena, row->database.receive))    \
    PROPERTY(Database, v_text(row->account->database))                                  \
    PROPERTY(DatabaseName, v_text(row->account->database))                              \
    PROPERTY(ServerName, v_text(s->server_name))                                        \
    PROPERTY(MailboxGuid, v_guid(row->account->mailbox_guid))                           \
    PROPERTY(MailboxType, v_text("Private"))                                            \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(Identity, v_guid(row->account->mailbox_guid))                              \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

static enum ec open_mailbox(struct call *call, const struct account *a, struct store **out)
{
    const enum ec ec = store_get(call->context->store_arg, a->store_url, a->mailbox_guid, out);
    if (!ec)
        store_lock(*out);
    return ec ? call_fail(call, ec, "The mailbox of \"%s\" can't be opened: %s.", a->name, ec_text(ec)) : ecNone;
}

static void close_mailbox(struct store *store)
{
    store_unlock(store);
    store_put(store);
}

static enum ec emit_statistics(struct call *call, const struct account *a)
{
    const struct org_database *database = org_database_by_guid(call->settings, a->database_guid);
    struct statistics *made = talloc(call->arena, struct statistics);
    struct store *store;
    enum ec ec = open_mailbox(call, a, &store);
    if (ec)
        return ec;
    *made = (struct statistics){ .account = a, .quota = account_quota(call->settings, a),
                                 .database = database ? database->quota : ORG_QUOTA_NONE };
    ec = store_usage(store, &made->usage);
    close_mailbox(store);
    if (ec)
        return call_fail(call, ec, "The mailbox of \"%s\" can't be read: %s.", a->name, ec_text(ec));
    call_emit(call, (struct object){ &type, made, call->settings });
    return ecNone;
}

enum ec cmdlet_Get_MailboxStatistics(struct call *call, const struct Get_MailboxStatistics *in)
{
    const struct account *account;
    if (in->Identity.given == in->Database.given)
        return call_conflict(call);
    if (in->Identity.given) {
        const enum ec ec = find_account(call, in->Identity.value, &account);
        return ec ? ec : emit_statistics(call, account);
    }
    const struct org_database *database = org_database_by_name(call->settings, in->Database.value);
    if (!database)
        return call_not_found(call, in->Database.value);
    const struct account_list *all = directory_list(call->directory, call->arena, ACCOUNTS_ALL);
    enum ec ec = ecNone;
    for (size_t i = 0; i < all->count && !ec; i++)
        if (guid_equal(all->accounts[i]->database_guid, database->guid))
            ec = emit_statistics(call, all->accounts[i]);
    return ec;
}
