/* SPDX-License-Identifier: Apache-2.0 */
/* Search folders: their criteria, their scopes and their results.  [MS-OXCFOLD] 3.2.5.4, 3.2.5.5 */
#include "store/search.h"

#include "store/table.h"
#include "store/worker.h"

enum { SEARCHES_MAX = 500, SCOPE_MAX = 1000, NODES_MAX = 1000, STEPS_AT_ONCE = 4 };
#define SEARCH_FLAGS                                                                                                   \
    (STOP_SEARCH | RESTART_SEARCH | RECURSIVE_SEARCH | SHALLOW_SEARCH | FOREGROUND_SEARCH | BACKGROUND_SEARCH |        \
     CONTENT_INDEXED_SEARCH | NON_CONTENT_INDEXED_SEARCH | STATIC_SEARCH)

/* ---- what the mailbox searches for ---- */

static struct blob pack(TALLOC_CTX *arena, const struct restriction *r)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_BAG;
    wire_put_restriction(&out, r);
    return buf_blob(&bytes);
}

static const struct restriction *unpack(TALLOC_CTX *arena, struct blob bytes)
{
    struct wire_in in = wire_in(arena, bytes);
    in.flavour = WIRE_BAG;
    const struct restriction *r = wire_get_restriction(&in);
    return in.bad ? NULL : r;
}

static const char searches_sql[] = "SELECT fid, flags, restriction FROM search WHERE mb = $1 ORDER BY fid";

/* Kept while the mailbox is connected: every commit asks. */
static struct searches *searches(struct store_tx *tx)
{
    static struct searches none;
    struct store *st = tx->st;
    if (st->searches)
        return st->searches;
    struct searches *read = talloc_zero(st, struct searches);
    struct sql_rows rows = sql_query(&tx->sql, searches_sql, BIND(B_INT(st->mb)));
    while (sql_next(&rows)) {
        read->all = talloc_realloc(read, read->all, struct search, read->count + 1);
        const struct blob packed = sql_col_blob_copy(read, &rows, 2);
        read->all[read->count++] = (struct search){
            .fid = (uint64_t)sql_col_int(&rows, 0),
            .flags = (uint32_t)sql_col_int(&rows, 1),
            .restriction = unpack(read, packed),
        };
    }
    if (!sql_failed(&tx->sql))
        return st->searches = read;
    talloc_free(read);
    return &none;
}

bool searches_any(struct store_tx *tx)
{
    return searches(tx)->count != 0;
}

struct search *search_find(struct store_tx *tx, uint64_t fid)
{
    struct searches *s = searches(tx);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->all[i].fid == fid && s->all[i].restriction)
            return &s->all[i];
    return NULL;
}

/* ---- results ---- */

static const char link_sql[] =
    "INSERT INTO result(mb, search, message, delivered, sent, unread) VALUES ($1, $2, $3, $4, $5, $6)"
    " ON CONFLICT (mb, search, message) DO NOTHING";

bool search_link(struct store_tx *tx, uint64_t search, const struct message_row *row)
{
    return sql_exec(&tx->sql, link_sql,
                    BIND(B_INT(tx->st->mb), B_INT((int64_t)search), B_INT((int64_t)row->mid),
                         B_INT((int64_t)row->delivery_time), B_INT((int64_t)row->submit_time), B_INT(!row->read))) == 1;
}

static const char unlink_sql[] = "DELETE FROM result WHERE mb = $1 AND search = $2 AND message = $3 RETURNING unread";

bool search_unlink(struct store_tx *tx, uint64_t search, uint64_t mid, bool *unread)
{
    const int64_t was =
        sql_int_or(&tx->sql, -1, unlink_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)search), B_INT((int64_t)mid)));
    *unread = was > 0;
    return was >= 0;
}

bool search_matches(struct store *st, const struct search *s, const struct message_row *message)
{
    struct store_table plain = { .st = st, .kind = &contents_kind, .fid = message->fid };
    struct table_row row = { .table = &plain, .found = true, .message = *message };
    row.key.id = message->mid;
    row.item = message_item(message);
    return row_matches(&row, s->restriction);
}

static void announce_counts(struct store_tx *tx, uint64_t fid, struct sql_rows *rows, bool many)
{
    const struct store_change change = {
        .kind = STORE_MODIFIED,
        .fid = store_id(fid),
        .counts_changed = true,
        .many = many,
        .total = (uint32_t)sql_col_int(rows, 0),
        .unread = (uint32_t)sql_col_int(rows, 1),
        .parent = store_id((uint64_t)sql_col_int(rows, 2)),
    };
    sql_done(rows);
    change_add(tx, &change);
}

static const char count_sql[] = "UPDATE folder SET total = total + $3, unread = unread + $4, content_time = $5"
                                " WHERE mb = $1 AND fid = $2 RETURNING total, unread, parent";

void search_count(struct store_tx *tx, const struct search *s, int64_t total, int64_t unread, bool many)
{
    struct sql_rows rows =
        sql_one(&tx->sql, count_sql,
                BIND(B_INT(tx->st->mb), B_INT((int64_t)s->fid), B_INT(total), B_INT(unread), B_INT((int64_t)tx->now)));
    announce_counts(tx, s->fid, &rows, many);
}

/* What a search that follows the mailbox has no right to show any more; a static one keeps what is still stored. */
static const char purge_sql[] =
    "DELETE FROM result WHERE mb = $1 AND search = $2 AND NOT EXISTS ("
    "  SELECT 1 FROM message m WHERE m.mb = $1 AND m.mid = result.message AND ($3 = 1 OR (m.deleted IS NULL"
    "   AND EXISTS (SELECT 1 FROM folder f WHERE f.mb = $1 AND f.fid = m.fid AND f.deleted IS NULL)"
    "   AND EXISTS (SELECT 1 FROM search_scope s WHERE s.mb = $1 AND s.search = $2 AND s.fid = m.fid))))";
static const char recount_sql[] =
    "UPDATE folder SET content_time = $3,"
    "  total = (SELECT COUNT(*) FROM result WHERE result.mb = $1 AND search = $2),"
    "  unread = (SELECT COUNT(*) FROM result WHERE result.mb = $1 AND search = $2 AND result.unread = 1)"
    " WHERE mb = $1 AND fid = $2 RETURNING total, unread, parent";

void search_recount(struct store_tx *tx, const struct search *s)
{
    const struct sql_value mb = B_INT(tx->st->mb), fid = B_INT((int64_t)s->fid);
    sql_exec(&tx->sql, purge_sql, BIND(mb, fid, B_INT((s->flags & STATIC_SEARCH) != 0)));
    struct sql_rows rows = sql_one(&tx->sql, recount_sql, BIND(mb, fid, B_INT((int64_t)tx->now)));
    announce_counts(tx, s->fid, &rows, true);
}

static const char *const forget_sql[] = {
    "DELETE FROM result WHERE mb = $1 AND search = $2",
    "DELETE FROM search_scope WHERE mb = $1 AND search = $2",
    "DELETE FROM search WHERE mb = $1 AND fid = $2",
};

void search_forget(struct store_tx *tx, uint64_t fid)
{
    struct searches *all = searches(tx);
    struct search *s = search_find(tx, fid);
    for (size_t i = 0; i < COUNTOF(forget_sql); i++)
        sql_exec(&tx->sql, forget_sql[i], BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    if (s)
        *s = all->all[--all->count];
}

/* ---- scopes ---- */

/* The folders that the client has named and, with $3 = 1, all below them; search folders ($4) have no messages. */
#define BELOW                                                                                                          \
    " WITH RECURSIVE below(id) AS ("                                                                                   \
    "  SELECT f.fid FROM search_scope s JOIN folder f ON f.mb = s.mb AND f.fid = s.fid"                                \
    "   WHERE s.mb = $1 AND s.search = $2 AND s.given = 1 AND f.deleted IS NULL"                                       \
    "  UNION SELECT f.fid FROM folder f JOIN below ON f.parent = below.id"                                             \
    "   WHERE f.mb = $1 AND f.deleted IS NULL AND f.type <> $4 AND $3 = 1)"
static const char scope_add_sql[] =
    "INSERT INTO search_scope(mb, search, fid, given, todo, at_time, at_mid)" BELOW
    " SELECT f.mb, $2, f.fid, 0, CASE WHEN $5 = 0 AND f.total > 0 THEN 1 ELSE 0 END, $6, 0"
    "  FROM below JOIN folder f ON f.mb = $1 AND f.fid = below.id WHERE f.mb = $1"
    " ON CONFLICT (mb, search, fid) DO NOTHING";
static const char scope_remove_sql[] =
    "DELETE FROM search_scope WHERE mb = $1 AND search = $2 AND given = 0 AND fid NOT IN (" BELOW
    " SELECT id FROM below)";

void search_rescope(struct store_tx *tx, const struct search *s)
{
    const struct sql_value mb = B_INT(tx->st->mb), fid = B_INT((int64_t)s->fid),
                           recursive = B_INT((s->flags & RECURSIVE_SEARCH) != 0), type = B_INT(FOLDER_SEARCH);
    sql_exec(&tx->sql, scope_remove_sql, BIND(mb, fid, recursive, type));
    sql_exec(&tx->sql, scope_add_sql,
             BIND(mb, fid, recursive, type, B_INT((s->flags & STATIC_SEARCH) != 0), B_INT(INT64_MIN)));
}

/* ---- setting ---- */

static uint32_t nodes(const struct restriction *r)
{
    uint32_t n = 1;
    for (uint32_t i = 0; r->sub && i < r->count && n <= NODES_MAX; i++)
        n += nodes(&r->sub[i]);
    return n;
}

static enum ec check_request(const struct restriction *r, uint32_t count, uint32_t flags)
{
    static const uint32_t exclusive[] = { STOP_SEARCH | RESTART_SEARCH, RECURSIVE_SEARCH | SHALLOW_SEARCH,
                                          FOREGROUND_SEARCH | BACKGROUND_SEARCH,
                                          CONTENT_INDEXED_SEARCH | NON_CONTENT_INDEXED_SEARCH };
    if (flags & ~(uint32_t)SEARCH_FLAGS)
        return ecInvalidParam; /* R116001, R1092 */
    for (size_t i = 0; i < COUNTOF(exclusive); i++)
        if ((flags & exclusive[i]) == exclusive[i])
            return ecInvalidParam;
    return (r && nodes(r) > NODES_MAX) || count > SCOPE_MAX ? ecTooComplex : ecNone; /* R572 */
}

static const char scope_folder_sql[] = "SELECT type FROM folder WHERE mb = $1 AND fid = $2 AND deleted IS NULL";
static const char scope_clear_sql[] =
    "DELETE FROM search_scope WHERE mb = $1 AND search = $2 AND (given = 0 OR $3 = 1)";
static const char scope_give_sql[] =
    "INSERT INTO search_scope(mb, search, fid, given, todo, at_time, at_mid) VALUES ($1, $2, $3, 1, 0, 0, 0)"
    " ON CONFLICT (mb, search, fid) DO NOTHING";

/* Search folders hold no messages, so none is searched, least of all itself. */
static void give_scope(struct store_tx *tx, uint64_t search, const uint64_t *fids, uint32_t count)
{
    const struct sql_value mb = B_INT(tx->st->mb), own = B_INT((int64_t)search);
    sql_exec(&tx->sql, scope_clear_sql, BIND(mb, own, B_INT(count != 0)));
    for (uint32_t i = 0; i < count && !sql_failed(&tx->sql); i++) {
        const struct sql_value fid = B_INT((int64_t)store_counter(fids[i]));
        if (sql_int(&tx->sql, scope_folder_sql, BIND(mb, fid)) == FOLDER_SEARCH)
            sql_abort(&tx->sql, ecSearchFolderScopeViolation); /* R124201, R1244 */
        sql_exec(&tx->sql, scope_give_sql, BIND(mb, own, fid));
    }
}

static const char search_put_sql[] =
    "INSERT INTO search(mb, fid, restriction, flags, populating) VALUES ($1, $2, $3, $4, 1)"
    " ON CONFLICT (mb, fid) DO UPDATE SET restriction = excluded.restriction, flags = excluded.flags, populating = 1";
static const char clear_sql[] = "DELETE FROM result WHERE mb = $1 AND search = $2";
static const char fill_sql[] =
    "UPDATE search_scope SET todo = $3, at_time = $4, at_mid = 0 WHERE mb = $1 AND search = $2";

/* R519, R546: from the beginning, whether or not the criteria are new. */
static void start(struct store_tx *tx, uint64_t fid, const struct restriction *r, const uint64_t *fids, uint32_t count,
                  uint32_t flags)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct search *before = search_find(tx, fid);
    const struct sql_value mb = B_INT(tx->st->mb), own = B_INT((int64_t)fid);
    if (!before && (!r || !count))
        sql_abort(&tx->sql, ecNotInitialized); /* R1240, R566 */
    if (!before && searches(tx)->count >= SEARCHES_MAX)
        sql_abort(&tx->sql, ecTooComplex);
    if (!sql_failed(&tx->sql)) {
        const struct blob packed = pack(arena, r ? r : before->restriction); /* R105 */
        sql_exec(&tx->sql, search_put_sql, BIND(mb, own, B_BLOB(packed), B_INT(flags)));
        give_scope(tx, fid, fids, count); /* R109, R1241 */
        sql_exec(&tx->sql, clear_sql, BIND(mb, own));
        TALLOC_FREE(tx->st->searches);
    }
    const struct search *now = sql_failed(&tx->sql) ? NULL : search_find(tx, fid);
    if (now) {
        search_rescope(tx, now);
        sql_exec(&tx->sql, fill_sql, BIND(mb, own, B_INT(TODO_FILL), B_INT(INT64_MIN)));
        search_recount(tx, now);
    }
    talloc_free(arena);
}

static const char stop_sql[] = "UPDATE search_scope SET todo = 0 WHERE mb = $1 AND search = $2 AND todo = $3";
static const char stopped_sql[] = "UPDATE search SET populating = 0 WHERE mb = $1 AND fid = $2";

/* R673: what has been found stays, and a search that follows the mailbox goes on doing so (R1098, R1099). */
static void stop(struct store_tx *tx, uint64_t fid)
{
    const struct sql_value mb = B_INT(tx->st->mb), own = B_INT((int64_t)fid);
    if (!search_find(tx, fid))
        sql_abort(&tx->sql, ecNotInitialized);
    sql_exec(&tx->sql, stop_sql, BIND(mb, own, B_INT(TODO_FILL)));
    sql_exec(&tx->sql, stopped_sql, BIND(mb, own));
}

enum ec store_search_set(struct store *st, uint64_t fid, const struct restriction *r, const uint64_t *fids,
                         uint32_t count, uint32_t flags)
{
    struct folder_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    enum ec ec = check_request(r, count, flags);
    if (!ec) {
        struct store_tx tx = store_begin(st);
        may_manage(&tx); /* it looks where a delegate must not */
        folder_row_get(arena, &tx, store_counter(fid), &row);
        if (!sql_failed(&tx.sql) && row.type != FOLDER_SEARCH)
            sql_abort(&tx.sql, ecNotSearchFolder); /* R570 */
        if (flags & STOP_SEARCH)
            stop(&tx, store_counter(fid));
        else
            start(&tx, store_counter(fid), r, fids, count, flags);
        ec = store_end(&tx);
    }
    bool more = !ec;
    for (unsigned i = 0; more && i < STEPS_AT_ONCE; i++)
        ec = search_step(st, &more);
    if (more)
        worker_wake(st);
    talloc_free(arena);
    return ec;
}

/* ---- asking ---- */

static const char given_sql[] = "SELECT fid FROM search_scope WHERE mb = $1 AND search = $2 AND given = 1 ORDER BY fid";
static const char todo_sql[] = "SELECT COUNT(*) FROM search_scope WHERE mb = $1 AND search = $2 AND todo > 0";

enum ec store_search_get(TALLOC_CTX *arena, struct store *st, uint64_t fid, struct store_search *out)
{
    struct folder_row row;
    uint64_t *fids = NULL;
    *out = (struct store_search){ 0 };
    struct store_tx tx = store_read(st);
    may(&tx, store_counter(fid), RIGHT_VISIBLE);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    if (!sql_failed(&tx.sql) && row.type != FOLDER_SEARCH)
        sql_abort(&tx.sql, ecNotSearchFolder); /* R580 */
    const struct search *s = sql_failed(&tx.sql) ? NULL : search_find(&tx, row.fid);
    if (!s) {
        sql_abort(&tx.sql, ecNotInitialized);
        return store_end(&tx);
    }
    const struct sql_value mb = B_INT(st->mb), own = B_INT((int64_t)row.fid);
    struct sql_rows rows = sql_query(&tx.sql, given_sql, BIND(mb, own));
    while (sql_next(&rows)) {
        fids = talloc_realloc(arena, fids, uint64_t, out->count + 1);
        fids[out->count++] = store_id((uint64_t)sql_col_int(&rows, 0));
    }
    out->fids = fids;
    out->restriction = restriction_copy(arena, s->restriction);
    out->state = TWIR_TOTALLY | (s->flags & RECURSIVE_SEARCH ? SEARCH_RECURSIVE : 0) |
                 (s->flags & FOREGROUND_SEARCH ? SEARCH_FOREGROUND : 0) |
                 (s->flags & STATIC_SEARCH ? SEARCH_STATIC : 0) |
                 (sql_int(&tx.sql, todo_sql, BIND(mb, own)) ? SEARCH_RUNNING | SEARCH_REBUILD : SEARCH_COMPLETE);
    return store_end(&tx);
}
