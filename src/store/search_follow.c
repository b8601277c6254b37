/* SPDX-License-Identifier: Apache-2.0 */
/* Search folders follow the mailbox: what a commit changes is tested against the searches whose scope it is in, before
 * the commit ends.  [MS-OXCFOLD] 3.2.5.4 */
#include "store/search.h"
#include "store/worker.h"

/* ---- messages ---- */

/* One search that has to do with a message: its folder is in the scope, or it is among the results, or both. */
struct link {
    uint64_t search;
    bool covered, linked, unread;
    int64_t delivered, sent;
};

static const char links_sql[] =
    "SELECT search, 1, 0, 0, 0, 0 FROM search_scope WHERE mb = $1 AND fid = $2"
    " UNION ALL SELECT search, 0, 1, unread, delivered, sent FROM result WHERE mb = $1 AND message = $3";

static struct link *links_of(TALLOC_CTX *arena, struct store_tx *tx, uint64_t fid, uint64_t mid, uint32_t *count)
{
    struct link *links = NULL;
    *count = 0;
    struct sql_rows rows =
        sql_query(&tx->sql, links_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)mid)));
    while (sql_next(&rows)) {
        const uint64_t search = (uint64_t)sql_col_int(&rows, 0);
        uint32_t at = 0;
        while (at < *count && links[at].search != search)
            at++;
        if (at == *count) {
            links = talloc_realloc(arena, links, struct link, ++*count);
            links[at] = (struct link){ .search = search };
        }
        links[at].covered |= sql_col_int(&rows, 1);
        if (!sql_col_int(&rows, 2))
            continue;
        links[at].linked = true;
        links[at].unread = sql_col_int(&rows, 3);
        links[at].delivered = sql_col_int(&rows, 4);
        links[at].sent = sql_col_int(&rows, 5);
    }
    return links;
}

static const char message_sql[] = "SELECT " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND mid = $2 AND fid > 0";

static bool message_get(TALLOC_CTX *arena, struct store_tx *tx, uint64_t mid, struct message_row *row)
{
    struct sql_rows rows = sql_query(&tx->sql, message_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)mid)));
    const bool found = sql_next(&rows);
    if (found) {
        message_row_read(tx->st, &rows, 0, row);
        message_row_keep(arena, row);
    }
    sql_done(&rows);
    return found;
}

static void announce(struct store_tx *tx, const struct search *s, enum store_change_kind kind, uint64_t real,
                     uint64_t mid, const struct store_change *cause)
{
    const struct store_change change = {
        .kind = kind,
        .is_message = true,
        .in_search = true,
        .fid = store_id(s->fid),
        .mid = store_id(mid),
        .parent = store_id(real),
        .cn = cause->cn,
        .tag_count = kind == STORE_MODIFIED ? cause->tag_count : 0,
        .tags = cause->tags,
    };
    change_add(tx, &change);
}

static const char link_update_sql[] =
    "UPDATE result SET delivered = $4, sent = $5, unread = $6 WHERE mb = $1 AND search = $2 AND message = $3";

/* The order of the pages and the number of unread ones follow the message, as long as it is among the results. */
static void refresh(struct store_tx *tx, struct search *s, const struct link *link, const struct message_row *row)
{
    const bool unread = !row->read;
    if (link->unread == unread && link->delivered == (int64_t)row->delivery_time &&
        link->sent == (int64_t)row->submit_time)
        return;
    s->unread += unread - link->unread;
    sql_exec(&tx->sql, link_update_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)s->fid), B_INT((int64_t)row->mid),
                  B_INT((int64_t)row->delivery_time), B_INT((int64_t)row->submit_time), B_INT(unread)));
}

static void drop(struct store_tx *tx, struct search *s, uint64_t mid)
{
    bool unread;
    if (!search_unlink(tx, s->fid, mid, &unread))
        return;
    s->total--;
    s->unread -= unread;
}

/* A static search takes nothing in, and keeps what is still stored (R1084, R1093, R1094). */
static bool belongs(struct store *st, const struct search *s, const struct link *link, const struct message_row *row)
{
    if (s->flags & STATIC_SEARCH)
        return row && link->linked;
    return row && !row->deleted && link->covered && search_matches(st, s, row);
}

static void look_at(struct store_tx *tx, uint64_t fid, uint64_t mid, const struct store_change *cause)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct message_row row;
    uint32_t count;
    const struct link *links = links_of(arena, tx, fid, mid, &count);
    const bool there = count && message_get(arena, tx, mid, &row);
    for (uint32_t i = 0; i < count && !sql_failed(&tx->sql); i++) {
        struct search *s = search_find(tx, links[i].search);
        if (!s)
            continue;
        const bool wanted = belongs(tx->st, s, &links[i], there ? &row : NULL);
        if (wanted && links[i].linked) {
            refresh(tx, s, &links[i], &row);
            if (!(s->flags & STATIC_SEARCH))
                announce(tx, s, STORE_MODIFIED, fid, mid, cause);
        } else if (wanted && search_link(tx, s->fid, &row)) {
            s->total++;
            s->unread += !row.read;
            announce(tx, s, STORE_CREATED, fid, mid, cause);
        } else if (!wanted && links[i].linked) {
            drop(tx, s, mid);
            announce(tx, s, STORE_DELETED, fid, mid, cause);
        }
    }
    talloc_free(arena);
}

static void message_changed(struct store_tx *tx, const struct store_change *c)
{
    if (c->kind == STORE_MOVED || (c->kind == STORE_CREATED && c->old_mid))
        look_at(tx, store_counter(c->old_fid), store_counter(c->old_mid), c);
    if (c->kind != STORE_NEW_MAIL) /* it comes with CREATED */
        look_at(tx, store_counter(c->fid), store_counter(c->mid), c);
}

/* ---- folders ---- */

enum marks { RESCOPE_BELOW = 1, RESCOPE = 2, RECOUNT = 4 };

static const char searches_of_sql[] = "SELECT search FROM search_scope WHERE mb = $1 AND fid = $2";

static void mark(struct store_tx *tx, uint64_t fid, unsigned marks)
{
    struct sql_rows rows = sql_query(&tx->sql, searches_of_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    while (sql_next(&rows)) {
        struct search *s = search_find(tx, (uint64_t)sql_col_int(&rows, 0));
        if (!s)
            continue;
        s->rescope |= marks & RESCOPE || (marks & RESCOPE_BELOW && s->flags & RECURSIVE_SEARCH);
        s->recount |= (marks & RECOUNT) != 0;
    }
}

static const char check_sql[] =
    "UPDATE search_scope SET todo = $3, at_time = $4, at_mid = 0 WHERE mb = $1 AND fid = $2 AND EXISTS ("
    "  SELECT 1 FROM search s WHERE s.mb = $1 AND s.fid = search_scope.search AND (s.flags & $5) = 0)";

/* So many messages have changed that nobody has listed them. */
static void content_changed(struct store_tx *tx, uint64_t fid)
{
    mark(tx, fid, RECOUNT);
    if (sql_exec(
            &tx->sql, check_sql,
            BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(TODO_CHECK), B_INT(INT64_MIN), B_INT(STATIC_SEARCH))))
        worker_wake(tx->st);
}

static void folder_changed(struct store_tx *tx, const struct store_change *c)
{
    const uint64_t fid = store_counter(c->fid);
    if (c->kind == STORE_MODIFIED && c->many)
        content_changed(tx, fid);
    if (c->kind == STORE_CREATED || c->kind == STORE_MOVED)
        mark(tx, store_counter(c->parent), RESCOPE_BELOW);
    if (c->kind == STORE_MOVED || c->kind == STORE_DELETED)
        mark(tx, fid, RESCOPE | RECOUNT);
    if (c->kind == STORE_DELETED && search_find(tx, fid))
        search_forget(tx, fid);
}

void search_follow(struct store_tx *tx, const struct store_change *c)
{
    if (c->is_message && !c->associated)
        message_changed(tx, c);
    else if (!c->is_message)
        folder_changed(tx, c);
}

/* ---- once for all that a commit changes ---- */

static void flush(struct store_tx *tx, struct search *s)
{
    if (s->rescope)
        search_rescope(tx, s);
    if (s->recount)
        search_recount(tx, s);
    else if (s->total || s->unread)
        search_count(tx, s, s->total, s->unread, false);
    s->total = s->unread = 0;
    s->rescope = s->recount = false;
}

void searches_flush(struct store_tx *tx)
{
    bool rescoped = false;
    const struct searches *all = tx->st->searches;
    for (uint32_t i = 0; all && i < all->count && !sql_failed(&tx->sql); i++) {
        rescoped |= all->all[i].rescope;
        flush(tx, &all->all[i]);
    }
    if (rescoped && search_has_work(tx))
        worker_wake(tx->st);
}
