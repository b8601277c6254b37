/* SPDX-License-Identifier: Apache-2.0 */
/* Messages leave a folder: softly, so that they can be got back, or for ever.  [MS-OXCFOLD] 3.2.5.9 to 3.2.5.12 */
#include "store/search.h"

/* ---- for ever ---- */

/* The message and what is embedded in it, at any depth. */
#define TREE(roots)                                                                                                    \
    "WITH RECURSIVE tree(id) AS (" roots                                                                               \
    "  UNION ALL SELECT m.id FROM message m JOIN tree ON m.parent = tree.id WHERE m.mb = $1) "
#define ONE "SELECT CAST($2 AS BIGINT)"
static const char *const erase_one_sql[] = {
    TREE(ONE) "DELETE FROM value WHERE mb = $1 AND id IN (SELECT id FROM tree)",
    TREE(ONE) "DELETE FROM attachment WHERE mb = $1 AND id IN (SELECT id FROM tree)",
    TREE(ONE) "DELETE FROM message WHERE mb = $1 AND id IN (SELECT id FROM tree)",
};

void message_erase(struct store_tx *tx, int64_t id)
{
    for (size_t i = 0; i < COUNTOF(erase_one_sql); i++)
        sql_exec(&tx->sql, erase_one_sql[i], BIND(B_INT(tx->st->mb), B_INT(id)));
}

#define INSIDE "SELECT id FROM message WHERE mb = $1 AND parent = $2"
static const char *const erase_content_sql[] = {
    "DELETE FROM value WHERE mb = $1 AND id = $2",
    "DELETE FROM attachment WHERE mb = $1 AND id = $2",
    TREE(INSIDE) "DELETE FROM value WHERE mb = $1 AND id IN (SELECT id FROM tree)",
    TREE(INSIDE) "DELETE FROM attachment WHERE mb = $1 AND id IN (SELECT id FROM tree)",
    TREE(INSIDE) "DELETE FROM message WHERE mb = $1 AND id IN (SELECT id FROM tree)",
};

void message_erase_content(struct store_tx *tx, int64_t id)
{
    for (size_t i = 0; i < COUNTOF(erase_content_sql); i++)
        sql_exec(&tx->sql, erase_content_sql[i], BIND(B_INT(tx->st->mb), B_INT(id)));
}

/* All of a folder: $3 of these kinds (0 normal, 1 associated, 2 both), $4 also those that are deleted softly. */
#define OF_FOLDER                                                                                                      \
    "SELECT id FROM message WHERE mb = $1 AND fid = $2 AND ($3 = 2 OR associated = $3)"                                \
    " AND ($4 = 1 OR deleted IS NULL)"
static const char *const erase_all_sql[] = {
    TREE(OF_FOLDER) "DELETE FROM value WHERE mb = $1 AND id IN (SELECT id FROM tree)",
    TREE(OF_FOLDER) "DELETE FROM attachment WHERE mb = $1 AND id IN (SELECT id FROM tree)",
    TREE(OF_FOLDER) "DELETE FROM message WHERE mb = $1 AND id IN (SELECT id FROM tree)",
};

void messages_erase_all(struct store_tx *tx, uint64_t fid, enum message_kinds kinds, bool also_deleted)
{
    for (size_t i = 0; i < COUNTOF(erase_all_sql); i++)
        sql_exec(&tx->sql, erase_all_sql[i],
                 BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(kinds), B_INT(also_deleted)));
}

static const char *const attachment_erase_sql[] = {
    "DELETE FROM attachment WHERE mb = $1 AND id = $2 AND num = $3",
    "DELETE FROM value WHERE mb = $1 AND id = $2 AND num = $3",
};
static const char attachment_embedded_sql[] =
    "SELECT id FROM message WHERE mb = $1 AND parent = $2 AND parent_num = $3";

void attachment_erase(struct store_tx *tx, int64_t id, uint32_t number)
{
    const struct sql_bind bind = BIND(B_INT(tx->st->mb), B_INT(id), B_INT(number));
    for (size_t i = 0; i < COUNTOF(attachment_erase_sql); i++)
        sql_exec(&tx->sql, attachment_erase_sql[i], bind);
    const int64_t embedded = sql_int_or(&tx->sql, 0, attachment_embedded_sql, bind);
    if (embedded)
        message_erase(tx, embedded);
}

/* ---- one message leaves its folder ---- */

static const char message_brief_sql[] =
    "SELECT id, associated, is_read, size, deleted FROM message WHERE mb = $1 AND mid = $2 AND fid = $3";

bool message_brief(struct store_tx *tx, uint64_t fid, uint64_t mid, struct message_brief *brief)
{
    struct sql_rows rows =
        sql_query(&tx->sql, message_brief_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)mid), B_INT((int64_t)fid)));
    const bool found = fid && sql_next(&rows);
    if (found)
        *brief = (struct message_brief){ sql_col_int(&rows, 0), sql_col_int(&rows, 1), sql_col_int(&rows, 2),
                                         !sql_col_null(&rows, 4), sql_col_int(&rows, 3) };
    sql_done(&rows);
    return found;
}

void delta_add(struct folder_delta *delta, const struct message_brief *brief, int sign)
{
    delta->total += sign * !brief->associated;
    delta->unread += sign * (!brief->associated && !brief->read);
    delta->associated += sign * brief->associated;
    *(brief->associated ? &delta->associated_size : &delta->size) += sign * brief->size;
    delta->deleted += sign < 0;
}

/* Written while the object is still there, since it may have a key that was given elsewhere. */
static const char tombstone_sql[] =
    "INSERT INTO tombstone(mb, fid, cn, mid, kind, source_key) VALUES ($1, $2, $3, $4, $5, CASE WHEN $5 = $6"
    "  THEN (SELECT source_key FROM folder WHERE mb = $1 AND fid = $4)"
    "  ELSE (SELECT source_key FROM message WHERE mb = $1 AND mid = $4) END)";

void tombstone_add(struct store_tx *tx, uint64_t fid, uint64_t cn, uint64_t mid, enum tombstone kind)
{
    sql_exec(&tx->sql, tombstone_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)cn), B_INT((int64_t)mid), B_INT(kind),
                  B_INT(TOMBSTONE_FOLDER)));
}

static const char soft_delete_sql[] = "UPDATE message SET deleted = $3 WHERE mb = $1 AND id = $2";

bool message_delete(struct store_tx *tx, uint64_t fid, uint64_t mid, uint64_t cn, bool hard, struct folder_delta *delta)
{
    struct message_brief brief;
    if (!message_brief(tx, fid, mid, &brief) || (brief.deleted && !hard) ||
        !may_with_row(tx, fid, brief.id, RIGHT_DELETE_ANY, RIGHT_DELETE_OWNED))
        return false;
    if (!brief.deleted)
        tombstone_add(tx, fid, cn, mid, brief.associated ? TOMBSTONE_ASSOCIATED : TOMBSTONE_MESSAGE);
    if (hard)
        message_erase(tx, brief.id);
    else
        sql_exec(&tx->sql, soft_delete_sql, BIND(B_INT(tx->st->mb), B_INT(brief.id), B_INT((int64_t)tx->now)));
    if (brief.deleted)
        return true;
    delta_add(delta, &brief, -1);
    const struct store_change change = { .kind = STORE_DELETED,
                                         .is_message = true,
                                         .associated = brief.associated,
                                         .fid = store_id(fid),
                                         .mid = store_id(mid),
                                         .cn = store_id(cn) };
    change_add(tx, &change);
    return true;
}

struct deletion {
    struct store_tx tx;
    const uint64_t *mids;
    uint64_t cn;
    bool hard, partial;
};

#define DELETE_RIGHTS (RIGHT_DELETE_ANY | RIGHT_DELETE_OWNED | RIGHT_OWNER)

static void delete_run(void *arg, uint64_t fid, uint32_t first, uint32_t count)
{
    struct deletion *d = arg;
    struct folder_delta delta = { 0 };
    if (fid)
        may_some(&d->tx, fid, DELETE_RIGHTS);
    for (uint32_t i = 0; i < count && !sql_failed(&d->tx.sql); i++)
        d->partial |= !message_delete(&d->tx, fid, store_counter(d->mids[first + i]), d->cn, d->hard, &delta); /* R1147 */
    if (delta.deleted)
        folder_adjust(&d->tx, fid, &delta);
}

enum ec store_messages_delete(struct store *st, uint64_t fid, const uint64_t *mids, uint32_t count, bool hard,
                              bool *partial)
{
    struct deletion d = { .tx = store_begin(st), .mids = mids, .hard = hard };
    d.cn = take_counters(&d.tx, 1);
    search_runs(&d.tx, store_counter(fid), mids, count, delete_run, &d);
    *partial = d.partial;
    return store_end(&d.tx);
}

/* ---- all messages of a folder ---- */

enum { LISTED_MAX = 1000 };

static const char listed_sql[] =
    "SELECT mid, associated FROM message WHERE mb = $1 AND fid = $2 AND ($3 = 2 OR associated = $3) AND deleted IS NULL"
    " LIMIT $4";

static bool announce_all(struct store_tx *tx, uint64_t fid, enum message_kinds kinds, uint64_t cn)
{
    uint32_t listed = 0;
    struct sql_rows rows = sql_query(&tx->sql, listed_sql,
                                     BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(kinds), B_INT(LISTED_MAX + 1)));
    while (sql_next(&rows)) {
        const struct store_change change = {
            .kind = STORE_DELETED,
            .is_message = true,
            .associated = sql_col_int(&rows, 1),
            .fid = store_id(fid),
            .mid = store_id((uint64_t)sql_col_int(&rows, 0)),
            .cn = store_id(cn),
        };
        if (listed++ < LISTED_MAX)
            change_add(tx, &change);
    }
    sql_done(&rows);
    return listed <= LISTED_MAX;
}

static const char tombstone_all_sql[] =
    "INSERT INTO tombstone(mb, fid, cn, mid, kind, source_key)"
    " SELECT mb, fid, $4, mid, CASE WHEN associated = 1 THEN $6 ELSE $5 END, source_key FROM message"
    "  WHERE mb = $1 AND fid = $2 AND ($3 = 2 OR associated = $3) AND deleted IS NULL";
static const char soft_delete_all_sql[] =
    "UPDATE message SET deleted = $4 WHERE mb = $1 AND fid = $2 AND ($3 = 2 OR associated = $3) AND deleted IS NULL";

static const char some_sql[] = "SELECT mid FROM message WHERE mb = $1 AND fid = $2 AND ($3 = 2 OR associated = $3) AND "
                               "deleted IS NULL AND mid > $4"
                               " ORDER BY mid LIMIT $5";

/* One by one, as far as they may go. */
static bool delete_permitted(struct store_tx *tx, uint64_t fid, enum message_kinds kinds, bool hard, uint64_t cn)
{
    uint64_t mids[LISTED_MAX], after = 0;
    uint32_t count;
    bool all = true;
    struct folder_delta delta = { 0 };
    do {
        count = 0;
        struct sql_rows rows = sql_query(
            &tx->sql, some_sql,
            BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(kinds), B_INT((int64_t)after), B_INT(LISTED_MAX)));
        while (count < LISTED_MAX && sql_next(&rows))
            after = mids[count++] = (uint64_t)sql_col_int(&rows, 0);
        sql_done(&rows);
        for (uint32_t i = 0; i < count; i++)
            all &= message_delete(tx, fid, mids[i], cn, hard, &delta);
    } while (count == LISTED_MAX && !sql_failed(&tx->sql));
    if (delta.deleted)
        folder_adjust(tx, fid, &delta);
    return all;
}

/* The folder's own numbers say how much goes. */
bool messages_delete_all(struct store_tx *tx, const struct folder_row *folder, enum message_kinds kinds, bool hard,
                         uint64_t cn)
{
    const struct sql_value mb = B_INT(tx->st->mb), fid = B_INT((int64_t)folder->fid), which = B_INT(kinds);
    const bool normal = kinds != MESSAGES_ASSOCIATED, associated = kinds != MESSAGES_NORMAL;
    const int64_t total = normal ? folder->total : 0, hidden = associated ? folder->associated : 0;
    const uint32_t rights = rights_in(tx, folder->fid);
    may_some(tx, folder->fid, DELETE_RIGHTS);
    if ((!total && !hidden) || sql_failed(&tx->sql))
        return true;
    if ((normal && !(rights & RIGHT_DELETE_ANY)) || (associated && !(rights & RIGHT_OWNER)))
        return delete_permitted(tx, folder->fid, kinds, hard, cn);
    const bool listed = announce_all(tx, folder->fid, kinds, cn);
    sql_exec(&tx->sql, tombstone_all_sql,
             BIND(mb, fid, which, B_INT((int64_t)cn), B_INT(TOMBSTONE_MESSAGE), B_INT(TOMBSTONE_ASSOCIATED)));
    if (hard)
        messages_erase_all(tx, folder->fid, kinds, false);
    else
        sql_exec(&tx->sql, soft_delete_all_sql, BIND(mb, fid, which, B_INT((int64_t)tx->now)));
    const struct folder_delta delta = {
        .total = -total,
        .associated = -hidden,
        .unread = normal ? -(int64_t)folder->unread : 0,
        .size = normal ? -(int64_t)folder->size : 0,
        .associated_size = associated ? -(int64_t)folder->associated_size : 0,
        .deleted = total + hidden,
        .many = !listed,
    };
    folder_adjust(tx, folder->fid, &delta);
    return true;
}
