/* SPDX-License-Identifier: Apache-2.0 */
/* The view of a contents table in an order that an index has.  Each page is one statement that begins at a key, so it
 * costs the same in a folder of any size; nothing is kept between two of them. */
#include "store/table.h"

/* From a key on, and what comes before it, in both directions of the index. */
enum { FROM_UP, BEFORE_UP, FROM_DOWN, BEFORE_DOWN, DIRECTIONS };

struct index_order {
    uint32_t tag;
    size_t value; /* in struct message_row */
    const char *rows[DIRECTIONS], *keys[DIRECTIONS], *count[DIRECTIONS];
};

/* message_page and message_sent in schema.c; of a search folder result_page and result_sent, which lead to messages. */
/* clang-format off */
#define IN_FOLDER(key, op) \
    " FROM message WHERE mb = $1 AND fid = $2 AND associated = $3 AND deleted IS NULL AND " key " " op " ($4, $5)"
#define IN_SEARCH(key, op) \
    " FROM result r WHERE r.mb = $1 AND search = $2 AND $3 = 0 AND " key " " op " ($4, $5)"
#define TO_MESSAGES(key, op) \
    " FROM result r JOIN message m ON m.mb = $1 AND m.mid = r.message" \
    " WHERE r.mb = $1 AND search = $2 AND $3 = 0 AND " key " " op " ($4, $5)"
#define ROWS(where, column, id, op, way) \
    "SELECT " column ", " MESSAGE_COLUMNS where("(" column ", " id ")", op) \
    " ORDER BY " column " " way ", " id " " way " LIMIT $6"
#define KEYS(where, column, id, op, way) \
    "SELECT " column ", " id where("(" column ", " id ")", op) \
    " ORDER BY " column " " way ", " id " " way " LIMIT $6 OFFSET $7"
#define COUNT(where, column, id, op) "SELECT COUNT(*)" where("(" column ", " id ")", op)
#define ORDER(tag, member, rows, keys, column, id) { \
    tag, offsetof(struct message_row, member), \
    { ROWS(rows, column, id, ">=", "ASC"), ROWS(rows, column, id, "<", "DESC"), \
      ROWS(rows, column, id, "<=", "DESC"), ROWS(rows, column, id, ">", "ASC") }, \
    { KEYS(keys, column, id, ">=", "ASC"), KEYS(keys, column, id, "<", "DESC"), \
      KEYS(keys, column, id, "<=", "DESC"), KEYS(keys, column, id, ">", "ASC") }, \
    { COUNT(keys, column, id, ">="), COUNT(keys, column, id, "<"), \
      COUNT(keys, column, id, "<="), COUNT(keys, column, id, ">") }, \
}

static const struct index_order orders[][2] = { /* of a folder, of a search folder */
    { ORDER(PidTagMessageDeliveryTime, delivery_time, IN_FOLDER, IN_FOLDER, "delivery_time", "mid"),
      ORDER(PidTagMessageDeliveryTime, delivery_time, TO_MESSAGES, IN_SEARCH, "delivered", "message") },
    { ORDER(PidTagClientSubmitTime, submit_time, IN_FOLDER, IN_FOLDER, "submit_time", "mid"),
      ORDER(PidTagClientSubmitTime, submit_time, TO_MESSAGES, IN_SEARCH, "sent", "message") },
};
/* clang-format on */

const struct index_order *index_for(const struct SortOrder *order, uint32_t count, bool in_search, bool *descending)
{
    for (size_t i = 0; count == 1 && i < COUNTOF(orders); i++)
        if (orders[i][0].tag == order[0].PropertyTag) {
            *descending = order[0].Order == SORT_DESCENDING;
            return &orders[i][in_search];
        }
    return NULL;
}

static unsigned direction(const struct store_table *t, bool forward)
{
    return (t->descending ? FROM_DOWN : FROM_UP) + !forward;
}

/* The ends as keys. */
static struct row_key key_at(const struct store_table *t, const struct place *place)
{
    const bool high = (place->at == AT_END) != t->descending;
    if (place->at == AT_ROW)
        return place->key;
    return (struct row_key){ .time = high ? INT64_MAX : INT64_MIN, .id = high ? INT64_MAX : 0 };
}

static struct place place_of(struct row_key key)
{
    return (struct place){ AT_ROW, key };
}

static struct place end_at(bool forward)
{
    return (struct place){ .at = forward ? AT_END : AT_START };
}

static bool is_at_end(const struct place *place, bool forward)
{
    return place->at == end_at(forward).at;
}

/* ---- walking ---- */

static struct sql_rows query_rows(struct store_table *t, struct store_tx *tx, struct row_key from, bool forward,
                                  uint32_t limit)
{
    return sql_query(&tx->sql, t->index->rows[direction(t, forward)],
                     BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((t->flags & TABLE_ASSOCIATED) != 0),
                          B_INT(from.time), B_INT((int64_t)from.id), B_INT(limit)));
}

/* FROM takes the key itself, so the next page begins behind the last row's. */
static struct row_key beyond(const struct store_table *t, struct row_key last, bool forward)
{
    if (forward)
        last.id += t->descending ? UINT64_MAX : 1;
    return last;
}

static bool next_row(struct sql_rows *rows, struct store_table *t, struct table_row *row)
{
    if (!sql_next(rows))
        return false;
    *row = (struct table_row){ .table = t, .found = true };
    message_row_read(t->st, rows, 1, &row->message);
    row->item = message_item(&row->message);
    row->key = (struct row_key){ .id = row->message.mid, .time = sql_col_int(rows, 0) };
    return true;
}

/* One more row than is wanted tells where the next page begins, or that there is none. */
static struct place index_walk(struct store_table *t, struct store_tx *tx, const struct place *from, bool forward,
                               uint32_t most, row_taker *take, void *arg)
{
    struct row_key at = key_at(t, from), last = at;
    uint32_t taken = 0, got, limit;
    if (is_at_end(from, forward))
        return *from;
    do {
        struct table_row row;
        limit = MIN(most - taken, (uint32_t)ROWS_AT_ONCE) + 1;
        struct sql_rows rows = query_rows(t, tx, at, forward, limit);
        for (got = 0; next_row(&rows, t, &row); got++) {
            if (taken == most || !take(arg, &row)) {
                sql_done(&rows);
                return forward ? place_of(row.key) : taken ? place_of(last) : *from;
            }
            taken++;
            last = row.key;
        }
        at = beyond(t, last, forward);
    } while (got == limit);
    return end_at(forward);
}

/* The rows say that they are of another table. */
void index_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    struct store_table plain = { .st = t->st,
                                 .kind = t->kind,
                                 .fid = t->fid,
                                 .flags = t->flags,
                                 .in_search = t->in_search,
                                 .index = &orders[0][t->in_search] };
    index_walk(&plain, tx, &(struct place){ .at = AT_START }, true, UINT32_MAX, take, arg);
}

/* ---- positions ---- */

static struct sql_rows query_keys(struct store_table *t, struct store_tx *tx, struct row_key from, bool forward,
                                  int64_t limit, int64_t offset)
{
    return sql_query(&tx->sql, t->index->keys[direction(t, forward)],
                     BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((t->flags & TABLE_ASSOCIATED) != 0),
                          B_INT(from.time), B_INT((int64_t)from.id), B_INT(limit), B_INT(offset)));
}

static bool next_key(struct sql_rows *rows, struct row_key *key)
{
    const bool more = sql_next(rows);
    *key = (struct row_key){ 0 };
    if (more)
        *key = (struct row_key){ .time = sql_col_int(rows, 0), .id = (uint64_t)sql_col_int(rows, 1) };
    return more;
}

/* The folder counts its messages.  A folder that is gone has none. */
static const char total_sql[] =
    "SELECT CASE WHEN $3 = 1 THEN associated ELSE total END FROM folder WHERE mb = $1 AND fid = $2";

static uint64_t index_total(struct store_table *t, struct store_tx *tx)
{
    return (uint64_t)sql_int_or(
        &tx->sql, 0, total_sql,
        BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((t->flags & TABLE_ASSOCIATED) != 0)));
}

static uint64_t index_before(struct store_table *t, struct store_tx *tx, const struct place *place)
{
    if (place->at == AT_START)
        return 0;
    if (place->at == AT_END)
        return index_total(t, tx);
    return (uint64_t)sql_int(&tx->sql, t->index->count[direction(t, false)],
                             BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((t->flags & TABLE_ASSOCIATED) != 0),
                                  B_INT(place->key.time), B_INT((int64_t)place->key.id)));
}

static struct place index_skip(struct store_table *t, struct store_tx *tx, const struct place *from, int64_t rows,
                               int64_t *moved)
{
    const bool forward = rows > 0;
    struct row_key key;
    *moved = 0;
    if (rows == 0 || is_at_end(from, forward))
        return *from;
    struct sql_rows found = query_keys(t, tx, key_at(t, from), forward, 1, forward ? rows : -rows - 1);
    const bool enough = next_key(&found, &key);
    sql_done(&found);
    if (enough) {
        *moved = rows;
        return place_of(key);
    }
    const int64_t before = (int64_t)index_before(t, tx, from);
    *moved = forward ? (int64_t)index_total(t, tx) - before : -before;
    return end_at(forward);
}

static struct row_key key_of(const struct store_table *t, const struct table_row *row)
{
    uint64_t time;
    memcpy(&time, (const uint8_t *)&row->message + t->index->value, sizeof time);
    return (struct row_key){ .id = row->message.mid, .time = (int64_t)time };
}

static bool index_locate(struct store_table *t, struct store_tx *tx, uint64_t id, uint32_t instance,
                         struct row_key *key)
{
    struct table_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    (void)instance;
    const bool found = table_row_get(arena, t, tx, id, &row);
    *key = key_of(t, &row);
    talloc_free(arena);
    return found;
}

/* ---- changes ---- */

/* A client gets one change after the other, and knows nothing of the later ones yet.  So a row is put behind one that
 * no later change of the same commit moves: whatever else lies between them follows with its own change. */
static bool find_neighbour(struct store_table *t, struct store_tx *tx, struct row_key key,
                           const struct store_change *change, struct row_key *before)
{
    struct sql_rows rows = query_keys(t, tx, key, false, BATCH_MAX + 1, 0);
    bool found = false;
    for (unsigned i = 0; !found && i <= BATCH_MAX; i++) {
        if (!next_key(&rows, before))
            return true; /* it is the first row */
        found = !changes_move_later(t, change, before->id);
    }
    sql_done(&rows);
    return found;
}

static enum table_event_type index_event(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx,
                                         const struct store_change *change, struct table_row *row,
                                         struct row_key *after)
{
    const struct row_ids ids = change_rows(t, change);
    if (ids.all || (ids.in && ids.out) || t->st->changes.announced_count > BATCH_MAX)
        return TABLE_CHANGED;
    if (ids.out) {
        row->key.id = ids.out;
        return change->associated == ((t->flags & TABLE_ASSOCIATED) != 0) ? TABLE_ROW_DELETED : TABLE_UNCHANGED;
    }
    if (!table_row_get(arena, t, tx, ids.in, row))
        return TABLE_UNCHANGED;
    row->key = key_of(t, row);
    if (!find_neighbour(t, tx, row->key, change, after))
        return TABLE_CHANGED;
    return change->kind == STORE_MODIFIED ? TABLE_ROW_MODIFIED : TABLE_ROW_ADDED;
}

const struct table_view index_view = {
    index_walk, index_skip, index_before, index_total, index_locate, index_event,
};
