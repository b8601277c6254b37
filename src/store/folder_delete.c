/* SPDX-License-Identifier: Apache-2.0 */
/* Folders go, or are emptied: [MS-OXCFOLD] 3.2.5.3, 3.2.5.9, 3.2.5.10.  A folder that was deleted softly keeps its
 * messages as they were, so that it can come back with them. */
#include "store/message.h"

/* A folder and the live ones below it, the deepest last. */
static const char subtree_sql[] =
    "WITH RECURSIVE tree(fid, parent, depth) AS ("
    "  SELECT fid, parent, 0 FROM folder WHERE mb = $1 AND fid = $2"
    "  UNION ALL SELECT f.fid, f.parent, tree.depth + 1 FROM folder f JOIN tree ON f.parent = tree.fid"
    "   WHERE f.mb = $1 AND f.deleted IS NULL)"
    " SELECT fid, parent FROM tree ORDER BY depth, fid";

struct folder_place *folder_subtree(TALLOC_CTX *arena, struct store_tx *tx, uint64_t fid, uint32_t *count)
{
    struct folder_place *places = NULL;
    *count = 0;
    struct sql_rows rows = sql_query(&tx->sql, subtree_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    while (sql_next(&rows)) {
        places = talloc_realloc(arena, places, struct folder_place, *count + 1);
        places[(*count)++] = (struct folder_place){ (uint64_t)sql_col_int(&rows, 0), (uint64_t)sql_col_int(&rows, 1) };
    }
    sql_done(&rows);
    return places;
}

static const char folder_soft_delete_sql[] = "UPDATE folder SET deleted = $3 WHERE mb = $1 AND fid = $2";
static const char *const folder_hard_delete_sql[] = {
    ("UPDATE mailbox SET size = size - COALESCE("
     "  (SELECT size + associated_size FROM folder WHERE mb = $1 AND fid = $2), 0) WHERE mb = $1"),
    "DELETE FROM value WHERE mb = $1 AND id = $2",
    "DELETE FROM permission WHERE mb = $1 AND fid = $2",
    "DELETE FROM seen WHERE mb = $1 AND fid = $2",
    "DELETE FROM tombstone WHERE mb = $1 AND fid = $2",
    "DELETE FROM rule WHERE mb = $1 AND fid = $2",
    "DELETE FROM unused WHERE mb = $1 AND fid = $2",
    "DELETE FROM folder WHERE mb = $1 AND fid = $2",
};

void folder_erase(struct store_tx *tx, uint64_t fid)
{
    messages_erase_all(tx, fid, MESSAGES_BOTH, true);
    for (size_t i = 0; i < COUNTOF(folder_hard_delete_sql); i++)
        sql_exec(&tx->sql, folder_hard_delete_sql[i], BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
}

static void delete_one(struct store_tx *tx, const struct folder_place *place, bool hard, uint64_t cn)
{
    tombstone_add(tx, place->parent, cn, place->fid, TOMBSTONE_FOLDER);
    if (hard)
        folder_erase(tx, place->fid);
    else
        sql_exec(&tx->sql, folder_soft_delete_sql,
                 BIND(B_INT(tx->st->mb), B_INT((int64_t)place->fid), B_INT((int64_t)tx->now)));
    const struct store_change change = {
        .kind = STORE_DELETED, .fid = store_id(place->fid), .parent = store_id(place->parent), .cn = store_id(cn)
    };
    change_add(tx, &change);
}

static bool owns_all(struct store_tx *tx, const struct folder_place *places, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (!(rights_in(tx, places[i].fid) & RIGHT_OWNER))
            return false;
    return true;
}

/* From the leaves up, as a client's tree loses them.  false: there are folders of others among them, so all stay. */
static bool delete_subtree(struct store_tx *tx, uint64_t fid, bool hard, uint64_t cn)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t count;
    const struct folder_place *places = folder_subtree(arena, tx, fid, &count);
    const bool all = owns_all(tx, places, count);
    for (uint32_t i = all ? count : 0; i > 0 && !sql_failed(&tx->sql); i--)
        delete_one(tx, &places[i - 1], hard, cn);
    if (all && count)
        folder_touch(tx, places[0].parent, -1);
    talloc_free(arena);
    return all;
}

enum ec store_folder_delete(struct store *st, uint64_t parent, uint64_t fid, unsigned what, bool *partial)
{
    struct folder_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    *partial = false;
    if (sql_failed(&tx.sql))
        sql_abort(&tx.sql, ecNotFound);
    else if (row.fid == SPECIAL_ROOT)
        sql_abort(&tx.sql, ecNotSupported); /* R2509 */
    else if (row.parent != store_counter(parent) || !folder_is_visible(&tx, row.fid))
        sql_abort(&tx.sql, ecNotFound); /* R507, R508 */
    else if (folder_is_special(row.fid) || !may(&tx, row.fid, RIGHT_OWNER))
        sql_abort(&tx.sql, ecAccessDenied); /* R503 */
    else if ((row.total && row.type != FOLDER_SEARCH && !(what & STORE_MESSAGES)) ||
             (row.subfolders && !(what & STORE_FOLDERS)))
        *partial = true; /* R816, R817, R1080, R1081 */
    else
        *partial = !delete_subtree(&tx, row.fid, what & STORE_HARD, take_counters(&tx, 1));
    talloc_free(arena);
    return store_end(&tx);
}

static const char subfolders_sql[] =
    "SELECT fid FROM folder WHERE mb = $1 AND parent = $2 AND deleted IS NULL ORDER BY fid";

/* Special folders stay, and all that is in them. */
static bool delete_subfolders(struct store_tx *tx, uint64_t fid, bool hard, uint64_t cn)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint64_t *fids = NULL;
    uint32_t count = 0;
    bool all = true;
    struct sql_rows rows = sql_query(&tx->sql, subfolders_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    while (sql_next(&rows)) {
        fids = talloc_realloc(arena, fids, uint64_t, count + 1);
        fids[count++] = (uint64_t)sql_col_int(&rows, 0);
    }
    sql_done(&rows);
    for (uint32_t i = 0; i < count; i++) {
        if (folder_is_special(fids[i]) || !delete_subtree(tx, fids[i], hard, cn))
            all = false;
    }
    talloc_free(arena);
    return all;
}

enum ec store_folder_empty(struct store *st, uint64_t fid, unsigned what, bool *partial)
{
    struct folder_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    *partial = false;
    if (row.fid == SPECIAL_ROOT || row.type == FOLDER_SEARCH)
        sql_abort(&tx.sql, ecNotSupported); /* R1248, R1249 */
    if (!sql_failed(&tx.sql)) {
        const uint64_t cn = take_counters(&tx, 1);
        const bool hard = what & STORE_HARD;
        if (what & (STORE_MESSAGES | STORE_ASSOCIATED))
            *partial = !messages_delete_all(&tx, &row,
                                            !(what & STORE_ASSOCIATED) ? MESSAGES_NORMAL /* R617 */
                                            : what & STORE_MESSAGES    ? MESSAGES_BOTH
                                                                       : MESSAGES_ASSOCIATED,
                                            hard, cn);
        if (what & STORE_FOLDERS)
            *partial |= !delete_subfolders(&tx, row.fid, hard, cn);
    }
    talloc_free(arena);
    return store_end(&tx);
}
