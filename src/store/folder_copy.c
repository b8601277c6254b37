/* SPDX-License-Identifier: Apache-2.0 */
/* Folders are copied with their messages: [MS-OXCFOLD] 3.2.5.8. */
#include "store/search.h"
#include "store/worker.h"

enum { PAGE = 500 };

static const char message_page_sql[] =
    "SELECT id FROM message WHERE mb = $1 AND fid = $2 AND deleted IS NULL AND id > $3 AND ($5 = 2 OR associated = $5)"
    " ORDER BY id LIMIT $4";

static uint32_t message_page(struct store_tx *tx, uint64_t fid, enum message_kinds kinds, int64_t after,
                             int64_t ids[PAGE])
{
    uint32_t count = 0;
    struct sql_rows rows =
        sql_query(&tx->sql, message_page_sql,
                  BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(after), B_INT(PAGE), B_INT(kinds)));
    while (count < PAGE && sql_next(&rows))
        ids[count++] = sql_col_int(&rows, 0);
    sql_done(&rows);
    return count;
}

/* The copies are not announced one by one: mostly they are in a folder that nobody has opened yet. */
static void copy_messages(struct store_tx *tx, const struct folder_row *from, uint64_t to, enum message_kinds kinds)
{
    int64_t ids[PAGE], after = 0;
    uint32_t count;
    while (!sql_failed(&tx->sql) && (count = message_page(tx, from->fid, kinds, after, ids))) {
        const uint64_t first = take_counters(tx, 2 * count);
        for (uint32_t i = 0; i < count; i++)
            message_copy_rows(tx, ids[i], (int64_t)(first + 2 * i), first + 2 * i, to, first + 2 * i + 1);
        after = ids[count - 1];
    }
    const bool normal = kinds != MESSAGES_ASSOCIATED, associated = kinds != MESSAGES_NORMAL;
    const struct folder_delta delta = {
        .total = normal ? from->total : 0,
        .unread = normal ? from->unread : 0,
        .associated = associated ? from->associated : 0,
        .size = normal ? (int64_t)from->size : 0,
        .associated_size = associated ? (int64_t)from->associated_size : 0,
        .many = true,
    };
    if (delta.total || delta.associated)
        folder_adjust(tx, to, &delta);
}

static const char folder_values_sql[] =
    "INSERT INTO value(mb, id, num, tag, version, chunk, data) SELECT mb, $3, num, tag, version, chunk, data FROM value"
    " WHERE mb = $1 AND id = $2";

static const char copy_search_sql[] =
    "INSERT INTO search(mb, fid, restriction, flags, populating) SELECT mb, $3, restriction, flags, 1 FROM search"
    " WHERE mb = $1 AND fid = $2";
static const char copy_scope_sql[] =
    "INSERT INTO search_scope(mb, search, fid, given, todo, at_time, at_mid) SELECT mb, $3, fid, given, 1, $4, 0"
    " FROM search_scope WHERE mb = $1 AND search = $2";

/* The copy searches for itself. */
static void copy_search(struct store_tx *tx, uint64_t from, uint64_t to)
{
    const struct sql_value mb = B_INT(tx->st->mb), source = B_INT((int64_t)from), copy = B_INT((int64_t)to);
    sql_exec(&tx->sql, copy_search_sql, BIND(mb, source, copy));
    sql_exec(&tx->sql, copy_scope_sql, BIND(mb, source, copy, B_INT(INT64_MIN)));
    TALLOC_FREE(tx->st->searches);
    worker_wake(tx->st);
}

static uint64_t copy_one(struct store_tx *tx, uint64_t fid, uint64_t to, const char *name)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct folder_row from, row;
    folder_row_get(arena, tx, fid, &from);
    row = from;
    row.fid = take_counters(tx, 2);
    row.cn = row.fid + 1;
    row.parent = to;
    row.name = name ? name : from.name;
    row.type = from.type == FOLDER_ROOT ? FOLDER_GENERIC : from.type;
    if (!sql_failed(&tx->sql)) {
        folder_insert(tx, &row);
        permissions_inherit(tx, to, row.fid);
        sql_exec(&tx->sql, folder_values_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)row.fid)));
        folder_touch(tx, to, 1);
        if (row.type == FOLDER_SEARCH)
            copy_search(tx, fid, row.fid);
        else
            copy_messages(tx, &from, row.fid, MESSAGES_BOTH);
    }
    talloc_free(arena);
    return row.fid;
}

static uint64_t copied_to(const struct folder_place *places, const uint64_t *copies, uint32_t count, uint64_t fid)
{
    for (uint32_t i = 0; i < count; i++)
        if (places[i].fid == fid)
            return copies[i];
    return 0;
}

static void copy_subtree(struct store_tx *tx, uint64_t fid, uint64_t to, const char *name, bool recursive)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t count;
    const struct folder_place *places = folder_subtree(arena, tx, fid, &count);
    uint64_t *copies = talloc_zero_array(arena, uint64_t, count);
    for (uint32_t i = 0; i < (recursive ? count : MIN(count, 1u)) && !sql_failed(&tx->sql); i++) {
        const uint64_t parent = i ? copied_to(places, copies, i, places[i].parent) : to;
        if (parent && rights_in(tx, places[i].fid) & RIGHT_READ_ANY) /* what cannot be read is left out */
            copies[i] = copy_one(tx, places[i].fid, parent, i ? NULL : name);
    }
    talloc_free(arena);
}

enum ec store_folder_copy(struct store *st, uint64_t parent, uint64_t fid, uint64_t to, const char *new_name,
                          bool recursive)
{
    struct folder_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    const char *name = new_name && *new_name ? new_name : row.name;
    const uint64_t target = store_counter(to);
    folder_require_parent(&tx, target);
    if (sql_failed(&tx.sql) || (row.parent != store_counter(parent) && row.fid != SPECIAL_ROOT) ||
        !folder_is_visible(&tx, row.fid))
        sql_abort(&tx.sql, ecNotFound); /* R612 */
    else if (!may(&tx, row.fid, RIGHT_READ_ANY) || !may(&tx, target, RIGHT_CREATE_SUBFOLDER))
        sql_abort(&tx.sql, ecAccessDenied);
    else if (recursive && folder_is_below(&tx, target, row.fid))
        sql_abort(&tx.sql, ecRootFolder);
    else if (folder_name_check(name))
        sql_abort(&tx.sql, ecInvalidParam);
    else if (folder_by_name(&tx, target, name))
        sql_abort(&tx.sql, ecDuplicateName);
    if (!sql_failed(&tx.sql))
        copy_subtree(&tx, row.fid, target, name, recursive);
    talloc_free(arena);
    return store_end(&tx);
}

/* ---- the content alone, into a folder that is there: [MS-OXCPRPT] 3.2.5.8 ---- */

static void copy_subfolders(struct store_tx *tx, uint64_t fid, uint64_t to)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t count;
    const struct folder_place *places = folder_subtree(arena, tx, fid, &count);
    struct folder_row row;
    for (uint32_t i = 1; i < count && !sql_failed(&tx->sql); i++) {
        if (places[i].parent != fid)
            continue;
        folder_row_get(arena, tx, places[i].fid, &row);
        if (!sql_failed(&tx->sql) && folder_by_name(tx, to, row.name))
            sql_abort(&tx->sql, ecDuplicateName);
        if (!sql_failed(&tx->sql))
            copy_subtree(tx, row.fid, to, NULL, true);
    }
    talloc_free(arena);
}

enum ec store_folder_copy_content(struct store *st, uint64_t fid, uint64_t to, unsigned what)
{
    struct folder_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    const uint64_t target = store_counter(to);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    folder_require_parent(&tx, target);
    if (!sql_failed(&tx.sql) && folder_is_below(&tx, target, row.fid))
        sql_abort(&tx.sql, ecRootFolder);
    if (!sql_failed(&tx.sql) && what & STORE_FOLDERS)
        copy_subfolders(&tx, row.fid, target);
    if (!sql_failed(&tx.sql) && what & STORE_MESSAGES)
        copy_messages(&tx, &row, target, MESSAGES_NORMAL);
    if (!sql_failed(&tx.sql) && what & STORE_ASSOCIATED)
        copy_messages(&tx, &row, target, MESSAGES_ASSOCIATED);
    talloc_free(arena);
    return store_end(&tx);
}
