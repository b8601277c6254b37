/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that a client has made, renamed, moved, changed or deleted in its own replica: [MS-OXCFXICS] 3.2.5.9.4.3,
 * 3.2.5.9.4.5.  Nothing shows two versions of a folder, so the last writer wins: 3.1.5.6.2.2. */
#include "store/message.h"

struct folder_import {
    struct store_tx tx;
    TALLOC_CTX *arena;
    const struct store_import *change;
    const char *name;
    uint64_t parent;
    struct found found;
    struct folder_row row; /* as it is; fid 0: new */
    struct blob pcl;       /* of the change, with its key */
    enum pcl_order order;
};

/* ---- where it belongs ---- */

static void find_parent(struct folder_import *i, uint64_t root, struct blob key)
{
    struct store_tx *tx = &i->tx;
    i->parent = root;
    if (!key.size)
        return; /* R1308 */
    const struct found parent = folder_by_key(tx, key);
    i->parent = parent.id;
    if (!parent.id || parent.deleted)
        sql_abort(&tx->sql, SYNC_E_NO_PARENT);
}

static void find_folder(struct folder_import *i)
{
    struct store_tx *tx = &i->tx;
    i->found = folder_by_key(tx, i->change->source_key);
    if (i->found.gone || i->found.deleted)
        sql_abort(&tx->sql, SYNC_E_OBJECT_DELETED);
    if (!i->found.id || sql_failed(&tx->sql))
        return;
    folder_row_get(i->arena, tx, i->found.id, &i->row);
    i->order = pcl_compare(i->pcl, pcl_of(i->arena, tx->st, i->row.pcl, i->row.change_key, i->row.cn));
    if (i->order == PCL_OLDER)
        sql_abort(&tx->sql, SYNC_E_IGNORE);
    else if (i->row.parent != i->parent && folder_is_special(i->row.fid))
        sql_abort(&tx->sql, ecAccessDenied);
    else if (i->row.parent != i->parent && folder_is_below(tx, i->parent, i->row.fid))
        sql_abort(&tx->sql, SYNC_E_CYCLE_DETECTED);
}

/* ---- what becomes of it ---- */

static const char keys_sql[] =
    "UPDATE folder SET parent = $3, name = $4, name_key = $5, cn = $6, modified = $7, committed = $8, change_key = $9,"
    "  pcl = $10, source_key = $11 WHERE mb = $1 AND fid = $2";

static void write_row(struct folder_import *i, uint64_t modified, struct blob change_key, struct blob pcl, uint64_t cn)
{
    struct store_tx *tx = &i->tx;
    const struct folder_row *row = &i->row;
    sql_exec(&tx->sql, keys_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)row->fid), B_INT((int64_t)row->parent), B_TEXT(row->name),
                  B_BLOB(folder_name_key(i->arena, row->name)), B_INT((int64_t)cn),
                  B_INT((int64_t)MIN(modified, (uint64_t)INT64_MAX)), B_INT((int64_t)tx->now),
                  change_key.size ? B_BLOB(change_key) : B_NULL, B_BLOB(pcl),
                  row->source_key.size ? B_BLOB(row->source_key) : B_NULL));
}

static void make_folder(struct folder_import *i)
{
    struct store_tx *tx = &i->tx;
    const uint64_t counter = counter_of_gid(tx->st, i->change->source_key), first = take_counters(tx, 2);
    i->row = (struct folder_row){ .fid = counter ? counter : first,
                                  .parent = i->parent,
                                  .type = FOLDER_GENERIC,
                                  .cn = first + 1,
                                  .name = i->name,
                                  .comment = "",
                                  .class = "",
                                  .source_key = counter ? BLOB_OF(NULL, 0) : i->change->source_key };
    folder_insert(tx, &i->row);
    permissions_inherit(tx, i->parent, i->row.fid);
    folder_touch(tx, i->parent, 1);
}

static void announce(struct folder_import *i, uint64_t old_parent, uint64_t cn)
{
    struct store_tx *tx = &i->tx;
    const bool moved = old_parent != i->row.parent;
    const struct store_change change = { .kind = moved ? STORE_MOVED : STORE_MODIFIED,
                                         .fid = store_id(i->row.fid),
                                         .parent = store_id(i->row.parent),
                                         .old_fid = moved ? store_id(i->row.fid) : 0,
                                         .old_parent = moved ? store_id(old_parent) : 0,
                                         .cn = store_id(cn),
                                         .total = i->row.total,
                                         .unread = i->row.unread };
    change_add(tx, &change);
    folder_touch(tx, old_parent, moved ? -1 : 0);
    if (moved)
        folder_touch(tx, i->row.parent, 1);
}

/* R2243, [MS-OXCFXICS] 3.2.5.11: what the hierarchy's values say, and what is no client's, is not set. */
static bool is_taken(uint32_t tag)
{
    static const uint32_t hierarchy[] = { PidTagParentSourceKey,       PidTagSourceKey,
                                          PidTagLastModificationTime,  PidTagChangeKey,
                                          PidTagPredecessorChangeList, PidTagDisplayName };
    for (size_t i = 0; i < COUNTOF(hierarchy); i++)
        if (PROP_ID(hierarchy[i]) == PROP_ID(tag))
            return false;
    return PROP_ID(tag) < 0x6600 || PROP_ID(tag) > 0x67FF;
}

static void set_props(struct folder_import *i, const struct prop *props, uint32_t count)
{
    struct prop *taken = talloc_array(i->arena, struct prop, count);
    enum ec *results = talloc_array(i->arena, enum ec, count);
    uint32_t n = 0;
    for (uint32_t k = 0; k < count; k++)
        if (is_taken(props[k].tag))
            taken[n++] = props[k];
    if (n)
        sql_abort(&i->tx.sql, store_folder_set(i->tx.st, store_id(i->row.fid), taken, n, results));
}

static void check_name(struct folder_import *i)
{
    const uint64_t other = folder_by_name(&i->tx, i->parent, i->name);
    if (folder_name_check(i->name))
        sql_abort(&i->tx.sql, ecInvalidParam);
    else if (other && other != i->row.fid)
        sql_abort(&i->tx.sql, ecDuplicateName);
}

/* In a conflict, what is here now is a change of the server's that comes after both. */
static void apply(struct folder_import *i, const struct prop *props, uint32_t count, uint64_t *cn)
{
    struct store_tx *tx = &i->tx;
    const bool is_new = !i->row.fid, conflict = !is_new && i->order == PCL_CONFLICT;
    const bool wins = !conflict || i->change->modified > i->row.modified; /* R1829 */
    const uint64_t old_parent = i->row.parent;
    const struct blob known =
        is_new ? BLOB_OF(NULL, 0) : pcl_of(i->arena, tx->st, i->row.pcl, i->row.change_key, i->row.cn);
    if (is_new || old_parent != i->parent)
        may(tx, i->parent, RIGHT_CREATE_SUBFOLDER);
    if (!is_new)
        may(tx, i->row.fid, RIGHT_OWNER);
    if (wins)
        check_name(i);
    if (sql_failed(&tx->sql))
        return;
    if (is_new)
        make_folder(i);
    if (wins) {
        set_props(i, props, count);
        i->row.parent = i->parent;
        i->row.name = i->name;
    }
    const uint64_t number = take_counters(tx, 1);
    write_row(i, wins ? i->change->modified : i->row.modified, conflict ? BLOB_OF(NULL, 0) : i->change->change_key,
              pcl_merge(i->arena, known, i->pcl), number);
    announce(i, is_new ? i->parent : old_parent, number);
    *cn = conflict ? 0 : store_id(number); /* R2239 */
}

enum ec store_import_folder(struct store *st, uint64_t root, const struct store_import_folder *folder,
                            const struct prop *props, uint32_t count, uint64_t *cn)
{
    struct folder_import i = { .tx = store_begin(st), .arena = talloc_new(NULL), .change = &folder->change };
    i.name = folder->name;
    *cn = 0;
    if (!import_is_valid(st, i.change))
        sql_abort(&i.tx.sql, ecInvalidParam);
    else
        i.pcl = pcl_merge(i.arena, i.change->pcl, pcl_of_xid(i.arena, i.change->change_key));
    find_parent(&i, store_counter(root), folder->parent);
    folder_require_parent(&i.tx, i.parent);
    if (!sql_failed(&i.tx.sql))
        find_folder(&i);
    /* A client without the default folders makes its own; it gets ours, and hears that its own are not here. */
    const uint64_t other = i.found.id ? 0 : folder_by_name(&i.tx, i.parent, i.name);
    if (!sql_failed(&i.tx.sql) && !(other && folder_is_special(other)))
        apply(&i, props, count, cn);
    talloc_free(i.arena);
    return store_end(&i.tx);
}

/* ---- deleted ---- */

enum ec store_import_folder_deletes(struct store *st, const struct blob *keys, uint32_t count, bool hard)
{
    struct store_tx tx = store_begin(st);
    const unsigned what = STORE_MESSAGES | STORE_FOLDERS | (hard ? STORE_HARD : 0);
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++) {
        bool partial;
        if (!key_is_valid(st, keys[i]))
            sql_abort(&tx.sql, ecInvalidParam);
        const struct found found = folder_by_key(&tx, keys[i]);
        if (found.id && !found.deleted)
            sql_abort(&tx.sql, store_folder_delete(st, store_id(found.fid), store_id(found.id), what, &partial));
        else if (!found.id && !found.gone && !st->delegate)
            tombstone_bury(&tx, 0, take_counters(&tx, 1), keys[i], TOMBSTONE_FOLDER);
    }
    return store_end(&tx);
}
