/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that left a folder in a client's replica: [MS-OXCFXICS] 3.2.5.9.4.4, 3.2.5.9.4.5. */
#include "store/message.h"

/* ---- deleted ---- */

/* What never was gets its tombstone all the same, so that it is not made later: R2251.  A key of another replica has no
 * id here, and a number of its own stands for it. */
static const char bury_sql[] =
    "INSERT INTO tombstone(mb, fid, cn, mid, kind, source_key) VALUES ($1, $2, $3, $4, $5, $6)";

void tombstone_bury(struct store_tx *tx, uint64_t fid, uint64_t cn, struct blob key, enum tombstone kind)
{
    const uint64_t counter = counter_of_gid(tx->st, key), id = counter ? counter : take_counters(tx, 1);
    sql_exec(&tx->sql, bury_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)cn), B_INT((int64_t)id), B_INT(kind),
                  counter ? B_NULL : B_BLOB(key)));
}

enum ec store_import_deletes(struct store *st, uint64_t fid, const struct blob *keys, uint32_t count, bool hard)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct folder_delta delta = { 0 };
    struct folder_row folder;
    struct store_tx tx = store_begin(st);
    folder_row_get(arena, &tx, store_counter(fid), &folder);
    const uint64_t cn = take_counters(&tx, 1);
    may_some(&tx, folder.fid, RIGHT_DELETE_ANY | RIGHT_DELETE_OWNED | RIGHT_OWNER);
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++) {
        if (!key_is_valid(st, keys[i]))
            sql_abort(&tx.sql, ecInvalidParam);
        const struct found found = message_by_key(&tx, folder.fid, keys[i]);
        if (!found.id && !found.gone)
            tombstone_bury(&tx, folder.fid, cn, keys[i], TOMBSTONE_MESSAGE);
        else if (found.id && found.fid == folder.fid && (hard || !found.deleted) &&
                 !message_delete(&tx, folder.fid, found.id, cn, hard, &delta))
            sql_abort(&tx.sql, ecAccessDenied); /* R3512: none of them then */
    }
    if (delta.deleted)
        folder_adjust(&tx, folder.fid, &delta);
    talloc_free(arena);
    return store_end(&tx);
}

/* ---- moved ---- */

/* Whether it is read may have changed since the client was here, which the move itself would not tell it. */
static const char move_sql[] =
    "UPDATE message SET fid = $3, mid = $4, cn = $5, committed = $6,"
    "  read_cn = CASE WHEN read_cn IS NULL THEN NULL ELSE $5 END, change_key = $7, pcl = $8, source_key = $9"
    " WHERE mb = $1 AND id = $2";
static const char keys_sql[] = "SELECT cn, change_key, pcl FROM message WHERE mb = $1 AND id = $2";

struct move {
    struct store_tx tx;
    TALLOC_CTX *arena;
    const struct store_import *as;
    uint64_t from, to, mid, new_mid, cn;
    struct message_brief brief;
    struct blob change_key, pcl; /* as they will be; without a key: the server's own */
    struct store_import_moved *out;
};

/* 3.2.5.9.4.4: the client gives the moved message a key, which is good if it moves what is here.  When it has a later
 * version, that one comes as an import, and must find nothing that it does not know; when it has an earlier one, it
 * must get what is here. */
static void choose_keys(struct move *move)
{
    struct store_tx *tx = &move->tx;
    struct sql_rows rows = sql_one(&tx->sql, keys_sql, BIND(B_INT(tx->st->mb), B_INT(move->brief.id)));
    const uint64_t cn = (uint64_t)sql_col_int(&rows, 0);
    const struct blob own = gid_of(move->arena, tx->st->replica, cn);
    const struct blob key = sql_col_blob_copy(move->arena, &rows, 1), current = key.size ? key : own;
    const struct blob pcl = pcl_of(move->arena, tx->st, sql_col_blob_copy(move->arena, &rows, 2), key, cn);
    sql_done(&rows);
    const enum pcl_order order = pcl_compare(move->as->pcl, pcl);
    const bool same = order == PCL_OLDER && pcl_compare(pcl, move->as->pcl) == PCL_OLDER;
    const struct blob moved = pcl_of_xid(move->arena, move->as->change_key);
    move->out->client_is_newer = order != PCL_OLDER;
    move->change_key = same ? move->as->change_key : order == PCL_OLDER ? BLOB_OF(NULL, 0) : current;
    move->pcl = order == PCL_OLDER ? pcl_merge(move->arena, pcl, moved) : pcl;
    move->out->cn = same || order == PCL_NEWER ? store_id(move->cn) : 0;
}

static void move_row(struct move *move)
{
    struct store_tx *tx = &move->tx;
    const bool foreign = !counter_of_gid(tx->st, move->as->source_key);
    const uint64_t first = take_counters(tx, 2);
    move->new_mid = foreign ? first : counter_of_gid(tx->st, move->as->source_key);
    move->cn = first + 1;
    choose_keys(move);
    tombstone_add(tx, move->from, move->cn, move->mid,
                  move->brief.associated ? TOMBSTONE_ASSOCIATED : TOMBSTONE_MESSAGE);
    sql_exec(&tx->sql, move_sql,
             BIND(B_INT(tx->st->mb), B_INT(move->brief.id), B_INT((int64_t)move->to), B_INT((int64_t)move->new_mid),
                  B_INT((int64_t)move->cn), B_INT((int64_t)tx->now),
                  move->change_key.size ? B_BLOB(move->change_key) : B_NULL, B_BLOB(move->pcl),
                  foreign ? B_BLOB(move->as->source_key) : B_NULL));
}

static void announce_move(struct move *move)
{
    struct folder_delta lost = { 0 }, gained = { 0 };
    const struct store_change change = { .kind = STORE_MOVED,
                                         .is_message = true,
                                         .associated = move->brief.associated,
                                         .fid = store_id(move->to),
                                         .mid = store_id(move->new_mid),
                                         .cn = store_id(move->cn),
                                         .old_fid = store_id(move->from),
                                         .old_mid = store_id(move->mid) };
    change_add(&move->tx, &change);
    delta_add(&lost, &move->brief, -1);
    delta_add(&gained, &move->brief, 1);
    folder_adjust(&move->tx, move->from, &lost);
    folder_adjust(&move->tx, move->to, &gained);
}

/* false: there is nothing to move.  A client whose connection broke says again what it has moved already. */
static bool find_source(struct move *move, struct blob from_folder, struct blob source_key)
{
    struct store_tx *tx = &move->tx;
    const struct found folder = folder_by_key(tx, from_folder);
    const struct found source = message_by_key(tx, folder.id, source_key);
    const struct found target = message_by_key(tx, move->to, move->as->source_key);
    move->from = folder.id;
    move->mid = source.id;
    if (source.gone && target.id && !target.deleted && target.fid == move->to)
        return false;
    if (!folder.id || folder.deleted || !source.id || source.deleted || source.fid != folder.id || target.gone ||
        !message_brief(tx, source.fid, source.id, &move->brief))
        sql_abort(&tx->sql, SYNC_E_OBJECT_DELETED);
    else if (!may_with_row(tx, move->from, move->brief.id, RIGHT_READ_ANY, 0) ||
             !may_with_row(tx, move->from, move->brief.id, RIGHT_DELETE_ANY, RIGHT_DELETE_OWNED) ||
             !may(tx, move->to, move->brief.associated ? RIGHT_OWNER : RIGHT_CREATE))
        sql_abort(&tx->sql, ecAccessDenied);
    else if (target.id)
        sql_abort(&tx->sql, ecDuplicateName);
    return !sql_failed(&tx->sql);
}

enum ec store_import_move(struct store *st, struct blob from_folder, struct blob source_key, uint64_t to,
                          const struct store_import *as, struct store_import_moved *out)
{
    struct move move = { .tx = store_begin(st), .arena = talloc_new(NULL), .as = as, .out = out };
    struct folder_row folder;
    *out = (struct store_import_moved){ 0 };
    folder_row_get(move.arena, &move.tx, store_counter(to), &folder);
    move.to = folder.fid;
    if (!key_is_valid(st, from_folder) || !key_is_valid(st, source_key) || !import_is_valid(st, as))
        sql_abort(&move.tx.sql, ecInvalidParam);
    if (!sql_failed(&move.tx.sql) && find_source(&move, from_folder, source_key)) {
        move_row(&move);
        announce_move(&move);
        out->associated = move.brief.associated;
    }
    talloc_free(move.arena);
    return store_end(&move.tx);
}
