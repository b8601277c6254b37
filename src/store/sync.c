/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed since a client was here: [MS-OXCFXICS] 3.2.5.3.  The sets of change numbers that it brings are mostly
 * one range with few holes; each hole is one walk through the index on (folder, change number), so that what it costs
 * is what has changed. */
#include <stdlib.h>

#include "store/table.h"

enum {
    HOLES_MAX = 64,   /* beyond, the rest is walked through as one */
    PAGE = 1000,      /* rows of one statement */
    DEPTH_MAX = 1000, /* of folders, as in tables */
};

struct sync {
    TALLOC_CTX *owner;
    struct store_tx tx;
    uint64_t fid;
    const struct store_sync *asked;
    struct store_synced *out;
    uint32_t room;
};
/* Takes one row, whose change number the client has not seen. */
typedef void sync_row(struct sync *, struct sql_rows *);

/* ---- one walk: rows of ($1 mailbox, $2 folder, $3 kind) behind ($4 cn, $5 mid) and not behind $6 ---- */

/* Columns 0 and 1 are cn and mid. */
static void walk_hole(struct sync *s, const char *sql, int kind, const struct globset *seen, uint64_t low,
                      uint64_t high, sync_row *take)
{
    int64_t cn = (int64_t)low - 1, mid = INT64_MAX;
    uint32_t got = PAGE;
    while (got == PAGE && !sql_failed(&s->tx.sql)) {
        struct sql_rows rows = sql_query(&s->tx.sql, sql,
                                         BIND(B_INT(s->tx.st->mb), B_INT((int64_t)s->fid), B_INT(kind), B_INT(cn),
                                              B_INT(mid), B_INT((int64_t)high), B_INT(PAGE)));
        for (got = 0; sql_next(&rows); got++) {
            cn = sql_col_int(&rows, 0);
            mid = sql_col_int(&rows, 1);
            if (!globset_has(seen, (uint64_t)cn))
                take(s, &rows);
        }
    }
}

static void walk(struct sync *s, const char *sql, int kind, const struct globset *seen, sync_row *take)
{
    const uint64_t last = s->out->last;
    uint64_t low = 1;
    for (uint32_t i = 0; i < seen->count && i < HOLES_MAX && low <= last; i++) {
        const struct globcnt_range *range = &seen->ranges[i];
        if (low < range->low)
            walk_hole(s, sql, kind, seen, low, MIN(range->low - 1, last), take);
        low = range->high + 1;
    }
    if (low <= last)
        walk_hole(s, sql, kind, seen, low, last, take);
}

static const char last_sql[] = "SELECT counter - 1 FROM mailbox WHERE mb = $1";

static uint64_t last_change(struct store_tx *tx)
{
    return (uint64_t)sql_int(&tx->sql, last_sql, BIND(B_INT(tx->st->mb)));
}

/* ---- messages ---- */

static const char changed_sql[] =
    "SELECT cn, mid, size, CASE delivery_time WHEN 0 THEN modified ELSE delivery_time END, associated FROM message"
    " WHERE mb = $1 AND fid = $2 AND associated = $3 AND (cn, mid) > ($4, $5) AND cn <= $6 AND deleted IS NULL"
    " ORDER BY cn, mid LIMIT $7";

static void take_changed(struct sync *s, struct sql_rows *rows)
{
    struct store_synced *out = s->out;
    if (out->count == s->room) {
        s->room = MAX(64u, s->room * 2);
        out->messages = talloc_realloc(s->owner, out->messages, struct store_sync_message, s->room);
    }
    out->messages[out->count++] = (struct store_sync_message){
        .cn = store_id((uint64_t)sql_col_int(rows, 0)),
        .mid = store_id((uint64_t)sql_col_int(rows, 1)),
        .size = (uint32_t)MIN(sql_col_int(rows, 2), (int64_t)UINT32_MAX),
        .time = (uint64_t)sql_col_int(rows, 3),
        .associated = sql_col_int(rows, 4),
    };
}

static const char row_sql[] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND mid = $2";

static bool matches(struct sync *s, uint64_t mid)
{
    struct store_table table = { .st = s->tx.st, .kind = &contents_kind, .fid = s->fid, .lcid = s->asked->lcid };
    struct sql_rows rows = sql_one(&s->tx.sql, row_sql, BIND(B_INT(s->tx.st->mb), B_INT((int64_t)mid)));
    struct table_row row = { .table = &table, .found = true };
    message_row_read(s->tx.st, &rows, 0, &row.message);
    row.item = message_item(&row.message);
    row.key.id = mid;
    const bool yes = !sql_failed(&s->tx.sql) && row_matches(&row, s->asked->restriction);
    sql_done(&rows);
    return yes;
}

/* 2.2.1.3.2: what was given and no longer matches has left the scope. */
static void restrict_changed(struct sync *s)
{
    struct store_synced *out = s->out;
    uint32_t kept = 0;
    for (uint32_t i = 0; i < out->count && !sql_failed(&s->tx.sql); i++) {
        const struct store_sync_message m = out->messages[i];
        const uint64_t counter = store_counter(m.mid);
        if (m.associated || matches(s, counter))
            out->messages[kept++] = m;
        else if (globset_has(s->asked->given, counter))
            globset_add(&out->out_of_scope, counter, counter);
    }
    out->count = kept;
}

static int newest_first(const void *a, const void *b)
{
    const struct store_sync_message *x = a, *y = b;
    return (x->time < y->time) - (x->time > y->time);
}

/* ---- what has left the folder ---- */

static const char gone_sql[] =
    "SELECT cn, mid FROM tombstone WHERE mb = $1 AND fid = $2 AND kind = $3 AND (cn, mid) > ($4, $5) AND cn <= $6"
    " ORDER BY cn, mid LIMIT $7";

static void take_gone(struct sync *s, struct sql_rows *rows)
{
    const uint64_t mid = (uint64_t)sql_col_int(rows, 1);
    if (globset_has(s->asked->given, mid))
        globset_add(&s->out->deleted, mid, mid);
}

/* ---- read states ---- */

static const char read_sql[] =
    "SELECT read_cn, mid, is_read, cn FROM message WHERE mb = $1 AND fid = $2 AND associated = $3"
    " AND (read_cn, mid) > ($4, $5) AND read_cn <= $6 AND read_cn IS NOT NULL AND deleted IS NULL"
    " ORDER BY read_cn, mid LIMIT $7";

/* A message that goes out as a whole has its read state with it. */
static void take_read(struct sync *s, struct sql_rows *rows)
{
    const uint64_t mid = (uint64_t)sql_col_int(rows, 1), cn = (uint64_t)sql_col_int(rows, 3);
    const bool whole = s->asked->normal && !globset_has(s->asked->seen, cn);
    if (!whole && globset_has(s->asked->given, mid))
        globset_add(sql_col_int(rows, 2) ? &s->out->now_read : &s->out->now_unread, mid, mid);
}

static const char is_live_sql[] = "SELECT fid FROM folder WHERE mb = $1 AND fid = $2 AND deleted IS NULL";

enum ec store_sync_contents(TALLOC_CTX *owner, struct store *st, uint64_t fid, const struct store_sync *asked,
                            struct store_synced *out)
{
    struct sync s = { .owner = owner, .tx = store_read(st), .fid = store_counter(fid), .asked = asked, .out = out };
    struct globset *sets[] = { &out->deleted, &out->out_of_scope, &out->now_read, &out->now_unread };
    *out = (struct store_synced){ 0 };
    for (size_t i = 0; i < COUNTOF(sets); i++)
        globset_init(sets[i], owner);
    sql_int(&s.tx.sql, is_live_sql, BIND(B_INT(st->mb), B_INT((int64_t)s.fid)));
    may(&s.tx, s.fid, RIGHT_READ_ANY);
    out->last = last_change(&s.tx);
    if (asked->associated) {
        walk(&s, changed_sql, true, asked->seen_fai, take_changed);
        walk(&s, gone_sql, TOMBSTONE_ASSOCIATED, asked->seen_fai, take_gone);
    }
    if (asked->normal) {
        walk(&s, changed_sql, false, asked->seen, take_changed);
        walk(&s, gone_sql, TOMBSTONE_MESSAGE, asked->seen, take_gone);
    }
    if (asked->read_state)
        walk(&s, read_sql, false, asked->read, take_read);
    if (asked->restriction)
        restrict_changed(&s);
    if (asked->newest_first && out->count)
        qsort(out->messages, out->count, sizeof *out->messages, newest_first);
    return store_end(&s.tx);
}

/* ---- folders ---- */

/* A hierarchy is small, and what has left it may lie anywhere: so it is walked through whole. */
static const char below_sql[] =
    "WITH RECURSIVE below(id, depth) AS ("
    "  SELECT fid, 1 FROM folder WHERE mb = $1 AND parent = $2 AND deleted IS NULL"
    "  UNION SELECT folder.fid, below.depth + 1 FROM folder JOIN below ON folder.parent = below.id"
    "  WHERE folder.mb = $1 AND folder.deleted IS NULL AND below.depth < $3)"
    " SELECT fid, parent, cn FROM below JOIN folder ON folder.fid = below.id WHERE folder.mb = $1 ORDER BY depth, fid";

enum ec store_sync_hierarchy(TALLOC_CTX *owner, struct store *st, uint64_t root, const struct globset *given,
                             const struct globset *seen, struct store_synced_folders *out)
{
    const struct sql_value mb = B_INT(st->mb), fid = B_INT((int64_t)store_counter(root));
    struct store_tx tx = store_read(st);
    uint32_t room = 0;
    *out = (struct store_synced_folders){ 0 };
    globset_init(&out->deleted, owner);
    globset_union(&out->deleted, given);
    sql_int(&tx.sql, is_live_sql, BIND(mb, fid));
    may(&tx, store_counter(root), RIGHT_VISIBLE);
    out->last = last_change(&tx);
    struct sql_rows rows = sql_query(&tx.sql, below_sql, BIND(mb, fid, B_INT(DEPTH_MAX)));
    while (sql_next(&rows)) {
        const uint64_t id = (uint64_t)sql_col_int(&rows, 0), cn = (uint64_t)sql_col_int(&rows, 2);
        if (!folder_is_visible(&tx, id))
            continue; /* to who has it, it is deleted */
        globset_remove(&out->deleted, id, id);
        if (globset_has(seen, cn) && (globset_has(given, id) || !st->delegate))
            continue; /* a delegate who did not see it for a time gets it again */
        if (out->count == room)
            out->folders = talloc_realloc(owner, out->folders, struct store_sync_folder, room = MAX(64u, room * 2));
        out->folders[out->count++] =
            (struct store_sync_folder){ store_id(id), store_id((uint64_t)sql_col_int(&rows, 1)), store_id(cn) };
    }
    sql_done(&rows);
    return store_end(&tx);
}
