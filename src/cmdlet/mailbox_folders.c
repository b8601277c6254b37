/* SPDX-License-Identifier: Apache-2.0 */
/* The folders of a mailbox and how large they are. */
#include "cmdlet/call.h"
#include "store/store.h"

struct folder {
    const struct account *account;
    uint64_t fid, parent;
    const char *name, *path, *folder_type;
    uint32_t items, deleted;
    uint64_t size;
    uint32_t all_items;                     /* with those of the folders below it */
    uint64_t all_size;
};

#define NOUN "MailboxFolderStatistics"
#define ROW const struct folder
#define VIEW NULL
#define LIST                                                                            \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(FolderPath, v_text(row->path))                                             \
    PROPERTY(FolderId, v_printf(arena, "%016llx", (unsigned long long)row->fid))        \
    PROPERTY(FolderType, v_text(row->folder_type))                                      \
    PROPERTY(ItemsInFolder, v_int(row->items))                                          \
    PROPERTY(DeletedItemsInFolder, v_int(row->deleted))                                 \
    PROPERTY(FolderSize, v_size(arena, (int64_t)row->size))                             \
    PROPERTY(ItemsInFolderAndSubfolders, v_int(row->all_items))                         \
    PROPERTY(FolderAndSubfolderSize, v_size(arena, (int64_t)row->all_size))             \
    PROPERTY(Identity, v_printf(arena, "%s%s", mailbox_identity(arena, s, row->account), row->path)) \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

static const char *type_of(uint64_t fid)
{
    static const struct { uint64_t special; const char *name; } rows[] = {
        { SPECIAL_IPM_SUBTREE, "Root" },         { SPECIAL_INBOX, "Inbox" },         { SPECIAL_OUTBOX, "Outbox" },
        { SPECIAL_SENT_ITEMS, "SentItems" },     { SPECIAL_DELETED_ITEMS, "DeletedItems" },
        { SPECIAL_DRAFTS, "Drafts" },            { SPECIAL_CALENDAR, "Calendar" },   { SPECIAL_CONTACTS, "Contacts" },
        { SPECIAL_JOURNAL, "Journal" },          { SPECIAL_NOTES, "Notes" },         { SPECIAL_TASKS, "Tasks" },
        { SPECIAL_JUNK, "JunkEmail" },           { SPECIAL_SYNC_ISSUES, "SyncIssues" },
        { SPECIAL_CONFLICTS, "Conflicts" },      { SPECIAL_LOCAL_FAILURES, "LocalFailures" },
        { SPECIAL_SERVER_FAILURES, "ServerFailures" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (STORE_FID(rows[i].special) == fid)
            return rows[i].name;
    return "User Created";
}

enum { FID, PARENT, NAME, ITEMS, DELETED, SIZE, COLUMNS };
static const uint32_t columns[COLUMNS] = {
    [FID] = PidTagFolderId,       [PARENT] = PidTagParentFolderId,      [NAME] = PidTagDisplayName,
    [ITEMS] = PidTagContentCount, [DELETED] = PidTagDeletedCountTotal,
    [SIZE] = PROP_AS(PidTagMessageSize, PtypInteger64),
};

static struct folder folder_of(const struct account *a, const struct prop *v)
{
    return (struct folder){ .account = a, .fid = v[FID].u64, .parent = v[PARENT].u64, .name = v[NAME].str,
                            .folder_type = type_of(v[FID].u64), .items = v[ITEMS].u32, .deleted = v[DELETED].u32,
                            .size = v[SIZE].u64 };
}

static struct folder *find(struct folder *all, size_t count, uint64_t fid)
{
    for (size_t i = 0; i < count; i++)
        if (all[i].fid == fid)
            return &all[i];
    return NULL;
}

/* Parents come before their children. */
static void complete(TALLOC_CTX *arena, struct folder *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct folder *parent = i ? find(all, i, all[i].parent) : NULL;
        all[i].path = !i ? "/Top of Information Store"
                         : talloc_asprintf(arena, "%s/%s", parent && parent != all ? parent->path : "", all[i].name);
        all[i].all_items = all[i].items;
        all[i].all_size = all[i].size;
    }
    for (size_t i = count; i-- > 1;) {
        struct folder *parent = find(all, i, all[i].parent);
        if (parent) {
            parent->all_items += all[i].all_items;
            parent->all_size += all[i].all_size;
        }
    }
}

static enum ec read_folders(struct call *call, struct store *store, const struct account *a, struct folder **out,
                            size_t *count)
{
    const uint64_t top = STORE_FID(SPECIAL_IPM_SUBTREE);
    struct prop own[COLUMNS];
    struct store_table *table = NULL;
    struct props *rows = NULL;
    uint32_t total = 0, got = 0;
    enum ec ec = store_folder_get(call->arena, store, top, columns, COLUMNS, STORE_VALUE_LIMIT, own);
    if (!ec)
        ec = store_hierarchy_table(&table, call->arena, store, top, TABLE_DEPTH, &total);
    if (!ec)
        ec = store_table_columns(table, columns, COLUMNS);
    if (!ec)
        ec = store_table_query(call->arena, table, true, total, false, NULL, NULL, &rows, &got);
    *out = talloc_array(call->arena, struct folder, (size_t)got + 1);
    if (!ec)
        (*out)[0] = folder_of(a, own);
    for (uint32_t i = 0; i < got; i++)
        (*out)[i + 1] = folder_of(a, rows[i].values);
    *count = (size_t)got + 1;
    talloc_free(table);
    return ec;
}

static bool is_wanted(struct arg_text scope, const struct folder *f)
{
    return !scope.value || strcasecmp(scope.value, "All") == 0 || strcasecmp(scope.value, f->folder_type) == 0;
}

enum ec cmdlet_Get_MailboxFolderStatistics(struct call *call, const struct Get_MailboxFolderStatistics *in)
{
    const struct account *account;
    struct folder *all = NULL;
    struct store *store;
    size_t count = 0;
    enum ec ec = find_account(call, in->Identity.value, &account);
    if (ec)
        return ec;
    ec = store_get(call->context->store_arg, account->store_url, account->mailbox_guid, &store);
    if (!ec) {
        store_lock(store);
        ec = read_folders(call, store, account, &all, &count);
        store_unlock(store);
        store_put(store);
    }
    if (ec)
        return call_fail(call, ec, "The mailbox of \"%s\" can't be read: %s.", account->name, ec_text(ec));
    complete(call->arena, all, count);
    for (size_t i = 0; i < count; i++)
        if (is_wanted(in->FolderScope, &all[i]))
            call_emit(call, (struct object){ &type, &all[i], call->settings });
    return ecNone;
}
