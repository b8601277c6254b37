/* SPDX-License-Identifier: Apache-2.0 */
/* Messages go, or are copied, from folder to folder: [MS-OXCFOLD] 3.2.5.6.  A moved message keeps its row and gets a
 * new MID; a copy is made inside of the database, so its size does not matter. */
#include "store/search.h"

static const char move_sql[] =
    "UPDATE message SET fid = $3, mid = $4, cn = $5, committed = $6, deleted = NULL, read_cn = NULL, change_key = NULL,"
    "  pcl = NULL, source_key = NULL WHERE mb = $1 AND id = $2";

#define COPIED_COLUMNS                                                                                                 \
    " associated, is_read, delivery_time, submit_time, modified, created, size, flags, status, importance, "           \
    "sensitivity,"                                                                                                     \
    " has_attach, attach_next, class, prefix, subject, sender, display_to, display_cc, display_bcc, props, recipients"
static const char copy_message_sql[] =
    "INSERT INTO message(mb, id, mid, fid, parent, parent_num, cn, committed," COPIED_COLUMNS ")"
    " SELECT mb, $3, $4, $5, CASE WHEN $6 = 0 THEN NULL ELSE $6 END, parent_num, $7, $8," COPIED_COLUMNS
    " FROM message WHERE mb = $1 AND id = $2";
static const char *const copy_belongings_sql[] = {
    "INSERT INTO attachment(mb, id, num, size, props) SELECT mb, $3, num, size, props FROM attachment"
    " WHERE mb = $1 AND id = $2",
    "INSERT INTO value(mb, id, num, tag, version, chunk, data) SELECT mb, $3, num, tag, version, chunk, data FROM value"
    " WHERE mb = $1 AND id = $2",
};
static const char embedded_ids_sql[] = "SELECT id FROM message WHERE mb = $1 AND parent = $2 ORDER BY id";

struct copy {
    int64_t from, to, parent; /* parent: of the copy; 0: it lies in a folder */
};

static struct copy *copy_list_embedded(TALLOC_CTX *arena, struct store_tx *tx, const struct copy *around,
                                       struct copy *list, uint32_t *count)
{
    struct sql_rows rows = sql_query(&tx->sql, embedded_ids_sql, BIND(B_INT(tx->st->mb), B_INT(around->from)));
    const int64_t parent = around->to;
    while (sql_next(&rows)) {
        list = talloc_realloc(arena, list, struct copy, *count + 1);
        list[(*count)++] = (struct copy){ .from = sql_col_int(&rows, 0), .parent = parent };
    }
    sql_done(&rows);
    return list;
}

/* The message itself first, then what is embedded in it, level by level. */
void message_copy_rows(struct store_tx *tx, int64_t from, int64_t to, uint64_t mid, uint64_t fid, uint64_t cn)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t count = 1;
    struct copy *list = talloc(arena, struct copy);
    list[0] = (struct copy){ .from = from, .to = to };
    for (uint32_t i = 0; i < count && !sql_failed(&tx->sql); i++) {
        if (!list[i].to)
            list[i].to = (int64_t)take_counters(tx, 1);
        const struct copy c = list[i];
        sql_exec(&tx->sql, copy_message_sql,
                 BIND(B_INT(tx->st->mb), B_INT(c.from), B_INT(c.to), B_INT(i ? c.to : (int64_t)mid),
                      B_INT(i ? 0 : (int64_t)fid), B_INT(c.parent), B_INT((int64_t)cn), B_INT((int64_t)tx->now)));
        for (size_t k = 0; k < COUNTOF(copy_belongings_sql); k++)
            sql_exec(&tx->sql, copy_belongings_sql[k], BIND(B_INT(tx->st->mb), B_INT(c.from), B_INT(c.to)));
        list = copy_list_embedded(arena, tx, &c, list, &count);
    }
    talloc_free(arena);
}

struct move {
    struct store_tx tx;
    uint64_t from, to;
    const uint64_t *mids;
    uint64_t *new_mids; /* NULL: nobody asks for them */
    uint64_t reserved;  /* the new MID, where it is free; 0: any */
    bool copy, partial;
    struct folder_delta lost, gained;
};

static const char mid_in_use_sql[] = "SELECT 1 FROM message WHERE mb = $1 AND mid = $2";

/* An id that was never given out is not one that was reserved. */
static uint64_t new_mid_of(struct move *move, uint64_t first, uint64_t cn)
{
    if (!move->reserved || move->reserved >= cn)
        return first;
    const bool used =
        sql_int_or(&move->tx.sql, 0, mid_in_use_sql, BIND(B_INT(move->tx.st->mb), B_INT((int64_t)move->reserved)));
    return used ? first : move->reserved;
}

static void move_rows(struct move *move, const struct message_brief *brief, uint64_t mid, uint64_t new_mid, uint64_t cn)
{
    struct store_tx *tx = &move->tx;
    if (!brief->deleted) { /* else it comes back from the deleted ones, where nobody counts it */
        tombstone_add(tx, move->from, cn, mid, brief->associated ? TOMBSTONE_ASSOCIATED : TOMBSTONE_MESSAGE);
        delta_add(&move->lost, brief, -1);
    }
    sql_exec(&tx->sql, move_sql,
             BIND(B_INT(tx->st->mb), B_INT(brief->id), B_INT((int64_t)move->to), B_INT((int64_t)new_mid),
                  B_INT((int64_t)cn), B_INT((int64_t)tx->now)));
}

/* It is read where it is, and goes from there unless it is copied. */
static bool is_permitted(struct move *move, const struct message_brief *brief)
{
    struct store_tx *tx = &move->tx;
    return may_with_row(tx, move->from, brief->id, RIGHT_READ_ANY, 0) &&
           (move->copy || may_with_row(tx, move->from, brief->id, RIGHT_DELETE_ANY, RIGHT_DELETE_OWNED)) &&
           (!brief->associated || rights_in(tx, move->to) & RIGHT_OWNER);
}

static bool move_one(struct move *move, uint64_t mid, uint64_t *new_mid)
{
    struct message_brief brief;
    if (!message_brief(&move->tx, move->from, mid, &brief) || !is_permitted(move, &brief))
        return false;
    if (!move->copy && move->from == move->to && !brief.deleted && !move->reserved) {
        *new_mid = mid;
        return true;
    }
    const uint64_t first = take_message_id(&move->tx, move->to), cn = take_counters(&move->tx, 1);
    *new_mid = new_mid_of(move, first, cn);
    if (move->copy)
        message_copy_rows(&move->tx, brief.id, (int64_t)first, *new_mid, move->to, cn);
    else
        move_rows(move, &brief, mid, *new_mid, cn);
    delta_add(&move->gained, &brief, 1);
    const struct store_change change = {
        .kind = move->copy      ? STORE_COPIED
                : brief.deleted ? STORE_CREATED
                                : STORE_MOVED,
        .is_message = true,
        .associated = brief.associated,
        .fid = store_id(move->to),
        .mid = store_id(*new_mid),
        .cn = store_id(cn),
        .old_fid = store_id(move->from),
        .old_mid = store_id(mid),
    };
    change_add(&move->tx, &change);
    return true;
}

static void move_run(void *arg, uint64_t fid, uint32_t first, uint32_t count)
{
    static const struct folder_delta nothing;
    struct move *move = arg;
    move->from = fid;
    move->lost = nothing;
    if (fid && !move->copy)
        may_some(&move->tx, fid, RIGHT_DELETE_ANY | RIGHT_DELETE_OWNED | RIGHT_OWNER);
    for (uint32_t i = first; i < first + count && !sql_failed(&move->tx.sql); i++) {
        uint64_t new_mid = 0;
        move->partial |= !move_one(move, store_counter(move->mids[i]), &new_mid);
        if (move->new_mids)
            move->new_mids[i] = new_mid ? store_id(new_mid) : 0;
    }
    if (memcmp(&move->lost, &nothing, sizeof nothing) != 0)
        folder_adjust(&move->tx, fid, &move->lost);
}

static const char target_type_sql[] = "SELECT type FROM folder WHERE mb = $1 AND fid = $2 AND deleted IS NULL";

enum ec store_messages_move(struct store *st, uint64_t from, uint64_t to, const uint64_t *mids, uint32_t count,
                            bool copy, uint64_t *new_mids, bool *partial)
{
    struct move move = {
        .tx = store_begin(st), .to = store_counter(to), .mids = mids, .new_mids = new_mids, .copy = copy
    };
    if (sql_int(&move.tx.sql, target_type_sql, BIND(B_INT(st->mb), B_INT((int64_t)move.to))) == FOLDER_SEARCH)
        sql_abort(&move.tx.sql, ecSearchFolder); /* R1245, R1246 */
    may(&move.tx, move.to, RIGHT_CREATE);
    search_runs(&move.tx, store_counter(from), mids, count, move_run, &move);
    if (!sql_failed(&move.tx.sql))
        folder_adjust(&move.tx, move.to, &move.gained); /* ecNotFound: no such folder */
    *partial = move.partial;
    return store_end(&move.tx);
}

enum ec store_message_move_to(struct store *st, uint64_t from, uint64_t mid, uint64_t to, uint64_t to_mid)
{
    struct move move = {
        .tx = store_begin(st), .to = store_counter(to), .mids = &mid, .reserved = store_counter(to_mid)
    };
    move_run(&move, store_counter(from), 0, 1);
    if (move.partial)
        sql_abort(&move.tx.sql, ecNotFound);
    if (!sql_failed(&move.tx.sql))
        folder_adjust(&move.tx, move.to, &move.gained);
    return store_end(&move.tx);
}
