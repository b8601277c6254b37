/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to a public folder. */
#include "cmdlet/public_folders.h"

#define NON_IPM "NON_IPM_SUBTREE"

enum ec folders_open(struct call *call, struct store **st)
{
    const struct account *folders = directory_public_folders(call->directory, call->arena);
    if (!folders)
        return call_fail(call, ecNotFound,
                         "No active public folder mailboxes were found for organization %s. This happens when no public"
                         " folder mailboxes are provisioned; New-Mailbox -PublicFolder makes one.",
                         call->settings->organization);
    if (!call->context->stores)
        return call_fail(call, ecNotSupported, "The mailboxes aren't open here.");
    const enum ec ec = store_get(call->context->stores, folders->store_url, folders->mailbox_guid, st);
    if (ec)
        return call_fail(call, ec, "The public folders can't be opened: %s.", ec_text(ec));
    store_lock(*st);
    return ecNone;
}

void folders_close(struct store *st)
{
    store_unlock(st);
    store_put(st);
}

static uint64_t number_of(struct prop p)
{
    return PROP_TYPE(p.tag) == PtypInteger64 || PROP_TYPE(p.tag) == PtypTime ? p.u64 : 0;
}

/* All but its path. */
static enum ec look_at(TALLOC_CTX *arena, struct store *st, uint64_t fid, struct public_folder *out)
{
    static const uint32_t tags[] = { PidTagCreationTime, PidTagLastModificationTime,
                                     PROP_AS(PidTagMessageSize, PtypInteger64) };
    struct store_folder row;
    struct prop values[COUNTOF(tags)];
    enum ec ec = store_folder_row(arena, st, fid, &row);
    if (!ec)
        ec = store_folder_get(arena, st, fid, tags, COUNTOF(tags), STORE_VALUE_LIMIT, values);
    if (ec)
        return ec;
    *out = (struct public_folder){
        .fid = fid,
        .parent = row.parent,
        .name = row.name,
        .class = row.class,
        .comment = row.comment,
        .entry_id = text_upper(arena, hex_text(arena, store_folder_entry_id(arena, st, fid))),
        .items = row.total,
        .subfolders = row.subfolders,
        .created = number_of(values[0]),
        .modified = number_of(values[1]),
        .size = number_of(values[2]),
    };
    return ecNone;
}

/* The path of a child of the folder at `above`. */
static const char *path_below(TALLOC_CTX *arena, const char *above, const char *name)
{
    return talloc_asprintf(arena, "%s\\%s", strcmp(above, "\\") == 0 ? "" : above, name);
}

static const char *path_of(TALLOC_CTX *arena, struct store *st, uint64_t fid)
{
    struct store_folder row;
    if (fid == STORE_FID(PUBLIC_IPM_SUBTREE) || fid == STORE_FID(PUBLIC_ROOT))
        return "\\";
    if (!fid || store_folder_row(arena, st, fid, &row))
        return "";
    return path_below(arena, path_of(arena, st, row.parent), row.name);
}

/* Name by name from the root. */
static enum ec walk(TALLOC_CTX *arena, struct store *st, const char *path, uint64_t *fid)
{
    enum ec ec = ecNone;
    *fid = STORE_FID(PUBLIC_IPM_SUBTREE);
    for (path += strspn(path, "\\"); *path && !ec; path += strspn(path, "\\")) {
        const size_t length = strcspn(path, "\\");
        const char *name = talloc_strndup(arena, path, length);
        if (*fid == STORE_FID(PUBLIC_IPM_SUBTREE) && strcasecmp(name, NON_IPM) == 0)
            *fid = STORE_FID(PUBLIC_NON_IPM_SUBTREE);
        else
            ec = store_folder_by_name(st, *fid, name, fid);
        path += length;
    }
    return ec;
}

static bool is_mail_enabled(struct call *call, uint64_t fid)
{
    return directory_mail_folder(call->directory, call->arena, fid) != NULL;
}

enum ec folder_find(struct call *call, struct store *st, const char *identity, struct public_folder *out)
{
    struct blob entry_id;
    uint64_t fid = 0;
    enum ec ec = ecNotFound;
    if (*identity == '\\')
        ec = walk(call->arena, st, identity, &fid);
    else if (hex_parse(call->arena, identity, &entry_id))
        ec = store_fid_of_entry_id(st, entry_id, &fid);
    if (!ec)
        ec = look_at(call->arena, st, fid, out);
    if (ec)
        return call_not_found(call, identity);
    out->path = path_of(call->arena, st, fid);
    out->mail_enabled = is_mail_enabled(call, fid);
    out->parent_path = fid == STORE_FID(PUBLIC_IPM_SUBTREE) ? "" : path_of(call->arena, st, out->parent);
    return ecNone;
}

struct listing {
    TALLOC_CTX *arena;
    struct store *st;
    struct public_folder *items;
    size_t count;
};

static enum ec child_ids(const struct listing *l, uint64_t fid, struct props **rows, uint32_t *count)
{
    static const uint32_t columns[] = { PidTagFolderId };
    struct store_table *table;
    enum ec ec = store_hierarchy_table(&table, l->arena, l->st, fid, 0, count);
    if (!ec)
        ec = store_table_columns(table, columns, COUNTOF(columns));
    if (!ec)
        ec = store_table_query(l->arena, table, true, *count, false, NULL, NULL, rows, count);
    return ec;
}

/* Deeper than the store lets folders lie is never asked for. */
static enum ec list(struct listing *l, const char *path, uint64_t fid, bool recurse)
{
    struct props *rows;
    uint32_t count;
    enum ec ec = child_ids(l, fid, &rows, &count);
    for (uint32_t i = 0; i < count && !ec; i++) {
        struct public_folder one;
        ec = look_at(l->arena, l->st, rows[i].values[0].u64, &one);
        if (ec)
            return ec;
        one.parent_path = path;
        one.path = path_below(l->arena, path, one.name);
        l->items = talloc_realloc(l->arena, l->items, struct public_folder, l->count + 1);
        l->items[l->count++] = one;
        if (recurse && one.subfolders)
            ec = list(l, one.path, one.fid, recurse);
    }
    return ec;
}

enum ec folder_children(struct call *call, struct store *st, const struct public_folder *folder, bool recurse,
                        struct public_folder **out, size_t *count)
{
    struct listing l = { .arena = call->arena, .st = st };
    const enum ec ec = list(&l, folder->path, folder->fid, recurse);
    *out = l.items;
    *count = l.count;
    for (size_t i = 0; i < l.count; i++)
        l.items[i].mail_enabled = is_mail_enabled(call, l.items[i].fid);
    return ec ? call_fail(call, ec, "The public folders below \"%s\" can't be listed: %s.", folder->path, ec_text(ec))
              : ecNone;
}
