/* SPDX-License-Identifier: Apache-2.0 */
/* Filling a search folder: a few messages in each transaction, so that nobody waits for a large scope and a restart goes
 * on where it was.  [MS-OXCFOLD] 3.2.5.4 */
#include "store/search.h"

enum { MESSAGES_AT_ONCE = 250, MESSAGES_AT_LEAST = 16, MILLISECONDS = 20, RUNS_AT_ONCE = 500 };

struct step {
    struct store_tx tx;
    struct search *search;
    uint64_t fid, until; /* until: by the clock */
    int64_t time, mid;   /* where it has come to */
    enum search_todo todo;
    uint32_t seen;
    int64_t total, unread;
};

static const char next_sql[] = "SELECT search, fid, at_time, at_mid, todo FROM search_scope WHERE mb = $1 AND todo > 0 "
                               "ORDER BY search, fid LIMIT 1";

/* What comes first; false: there is nothing to do. */
static bool step_begin(struct step *step)
{
    struct store_tx *tx = &step->tx;
    struct sql_rows rows = sql_query(&tx->sql, next_sql, BIND(B_INT(tx->st->mb)));
    const bool any = sql_next(&rows);
    const uint64_t search = (uint64_t)sql_col_int(&rows, 0);
    step->fid = (uint64_t)sql_col_int(&rows, 1);
    step->time = sql_col_int(&rows, 2);
    step->mid = sql_col_int(&rows, 3);
    step->todo = (enum search_todo)sql_col_int(&rows, 4);
    sql_done(&rows);
    step->until = clock_ms() + MILLISECONDS;
    step->search = any ? search_find(tx, search) : NULL;
    if (any && !step->search)
        search_forget(tx, search); /* its criteria cannot be read */
    return step->search;
}

static void look_at(struct step *step, const struct message_row *row)
{
    struct store_tx *tx = &step->tx;
    bool unread = !row->read;
    if (search_matches(tx->st, step->search, row)) {
        if (!search_link(tx, step->search->fid, row))
            return;
        step->total++;
        step->unread += unread;
    } else if (step->todo == TODO_CHECK && search_unlink(tx, step->search->fid, row->mid, &unread)) {
        step->total--;
        step->unread -= unread;
    }
}

/* Somebody waits for the mailbox, or time is over. */
static bool enough(const struct step *step)
{
    return step->seen >= MESSAGES_AT_LEAST && (step->tx.st->in_pool.wanted || clock_ms() >= step->until);
}

static const char page_sql[] =
    "SELECT delivery_time, " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND fid = $2 AND associated = 0"
    " AND deleted IS NULL AND (delivery_time, mid) > ($3, $4)"
    " AND EXISTS (SELECT 1 FROM folder f WHERE f.mb = $1 AND f.fid = $2 AND f.deleted IS NULL)"
    " ORDER BY delivery_time, mid LIMIT $5";

/* true: that was the folder's last message. */
static bool look_at_page(struct step *step)
{
    struct store_tx *tx = &step->tx;
    struct sql_rows rows = sql_query(&tx->sql, page_sql,
                                     BIND(B_INT(tx->st->mb), B_INT((int64_t)step->fid), B_INT(step->time),
                                          B_INT(step->mid), B_INT(MESSAGES_AT_ONCE)));
    bool more;
    while ((more = sql_next(&rows)) && !enough(step)) {
        struct message_row row;
        message_row_read(tx->st, &rows, 1, &row);
        step->time = sql_col_int(&rows, 0);
        step->mid = (int64_t)row.mid;
        step->seen++;
        look_at(step, &row);
    }
    sql_done(&rows);
    return !more && step->seen < MESSAGES_AT_ONCE;
}

static const char position_sql[] =
    "UPDATE search_scope SET todo = $4, at_time = $5, at_mid = $6 WHERE mb = $1 AND search = $2 AND fid = $3";
static const char left_sql[] = "SELECT COUNT(*) FROM search_scope WHERE mb = $1 AND search = $2 AND todo > 0";
static const char complete_sql[] = "UPDATE search SET populating = 0 WHERE mb = $1 AND fid = $2 AND populating = 1";

/* [MS-OXCNOTIF] 2.2.1.1 SearchCompleted, once for each population */
static void complete(struct step *step)
{
    struct store_tx *tx = &step->tx;
    const struct sql_value mb = B_INT(tx->st->mb), search = B_INT((int64_t)step->search->fid);
    if (sql_int(&tx->sql, left_sql, BIND(mb, search)) || !sql_exec(&tx->sql, complete_sql, BIND(mb, search)))
        return;
    const struct store_change change = { .kind = STORE_SEARCH_COMPLETE, .fid = store_id(step->search->fid) };
    change_add(tx, &change);
}

static void step_end(struct step *step, bool last)
{
    struct store_tx *tx = &step->tx;
    sql_exec(&tx->sql, position_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)step->search->fid), B_INT((int64_t)step->fid),
                  B_INT(last ? TODO_NOTHING : step->todo), B_INT(step->time), B_INT(step->mid)));
    if (step->total || step->unread)
        search_count(tx, step->search, step->total, step->unread, true);
    if (last)
        complete(step);
}

static const char work_sql[] = "SELECT 1 FROM search_scope WHERE mb = $1 AND todo > 0 LIMIT 1";

bool search_has_work(struct store_tx *tx)
{
    return sql_int_or(&tx->sql, 0, work_sql, BIND(B_INT(tx->st->mb))) != 0;
}

enum ec search_step(struct store *st, bool *more)
{
    struct step step = { .tx = store_begin(st) };
    if (step_begin(&step))
        step_end(&step, look_at_page(&step));
    *more = search_has_work(&step.tx);
    const enum ec ec = store_end(&step.tx);
    *more &= !ec;
    return ec;
}

/* ---- where messages of a search folder lie ---- */

static const char home_sql[] = "SELECT m.fid FROM result r JOIN message m ON m.mb = $1 AND m.mid = r.message"
                               " WHERE r.mb = $1 AND r.search = $2 AND r.message = $3";

static uint64_t home_of(struct store_tx *tx, uint64_t search, uint64_t mid)
{
    return (uint64_t)sql_int_or(&tx->sql, 0, home_sql,
                                BIND(B_INT(tx->st->mb), B_INT((int64_t)search), B_INT((int64_t)store_counter(mid))));
}

/* What is done to a message in a search folder is done to the message where it lies; of one that is not there, 0. */
void search_runs(struct store_tx *tx, uint64_t fid, const uint64_t *mids, uint32_t count, search_run *run, void *arg)
{
    if (!search_find(tx, fid)) {
        run(arg, fid, 0, count);
        return;
    }
    for (uint32_t first = 0, next; first < count && !sql_failed(&tx->sql); first = next) {
        const uint64_t home = home_of(tx, fid, mids[first]);
        next = first + 1;
        while (next < count && next - first < RUNS_AT_ONCE && home_of(tx, fid, mids[next]) == home)
            next++;
        run(arg, home, first, next - first);
    }
}
