/* SPDX-License-Identifier: Apache-2.0 */
/* Read flags and message status, which change without a save: [MS-OXCMSG] 2.2.3.8 to 2.2.3.11.  Their change numbers
 * are read_cn, so an open message is not in conflict with them. */
#include "store/search.h"

/* [MS-OXCMSG] 2.2.3.10.1 */
enum { rfClearReadFlag = 0x04, rfGenerateReceiptOnly = 0x10, rfClearNotifyRead = 0x20, rfClearNotifyUnread = 0x40 };

/* What flags ask for: a read state to reach, or bits to clear. */
struct wish {
    bool sets_read, read;
    uint32_t clear;
};

static struct wish wish_of(uint8_t flags)
{
    const uint32_t clear =
        (flags & rfClearNotifyRead ? mfNotifyRead : 0) | (flags & rfClearNotifyUnread ? mfNotifyUnread : 0);
    const bool sets_read = !clear && !(flags & rfGenerateReceiptOnly);
    return (struct wish){ sets_read, sets_read && !(flags & rfClearReadFlag), clear };
}

static void announce_flags(struct store_tx *tx, uint64_t fid, uint64_t mid, uint64_t cn)
{
    static const uint32_t tags[] = { PidTagMessageFlags };
    const struct store_change change = { .kind = STORE_MODIFIED,
                                         .is_message = true,
                                         .fid = store_id(fid),
                                         .mid = store_id(mid),
                                         .cn = store_id(cn),
                                         .tag_count = COUNTOF(tags),
                                         .tags = tags };
    change_add(tx, &change);
}

static const char flags_sql[] =
    "SELECT is_read, flags, associated, id, cn FROM message WHERE mb = $1 AND mid = $2 AND fid = $3"
    " AND deleted IS NULL";
static const char set_flags_sql[] =
    "UPDATE message SET is_read = $3, flags = $4, read_cn = $5, committed = $6 WHERE mb = $1 AND mid = $2";

struct flagged {
    bool associated, read;
    uint32_t flags;
    int64_t id;
    uint64_t cn;
};

static bool flagged_get(struct store_tx *tx, uint64_t fid, uint64_t mid, struct flagged *out)
{
    struct sql_rows rows =
        sql_query(&tx->sql, flags_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)mid), B_INT((int64_t)fid)));
    const bool found = sql_next(&rows);
    *out = (struct flagged){ .read = sql_col_int(&rows, 0),
                             .flags = (uint32_t)sql_col_int(&rows, 1),
                             .associated = sql_col_int(&rows, 2),
                             .id = sql_col_int(&rows, 3),
                             .cn = (uint64_t)sql_col_int(&rows, 4) };
    sql_done(&rows);
    return found;
}

/* Whoever may read a public message may say that he has; it is nobody else's matter. */
static bool set_seen(struct store_tx *tx, uint64_t fid, uint64_t mid, const struct flagged *m, struct wish wish,
                     uint64_t cn)
{
    if (!may_with_row(tx, fid, m->id, RIGHT_READ_ANY, 0))
        return false;
    if (!wish.sets_read || m->associated || seen_has(tx->st, fid, m->cn) == wish.read)
        return true;
    seen_put(tx, fid, m->cn, m->cn, wish.read);
    announce_flags(tx, fid, mid, cn);
    return true;
}

/* FAI messages have no read state, which is nobody's mistake. */
static bool set_one(struct store_tx *tx, uint64_t fid, uint64_t mid, struct wish wish, uint64_t cn, int64_t *unread)
{
    struct flagged m;
    const bool found = flagged_get(tx, fid, mid, &m);
    if (found && tx->st->identity.is_public)
        return set_seen(tx, fid, mid, &m, wish, cn);
    if (found && !may_with_row(tx, fid, m.id, RIGHT_EDIT_ANY, RIGHT_EDIT_OWNED))
        return false;
    const bool read = wish.sets_read ? wish.read : m.read;
    const uint32_t flags = m.flags & ~wish.clear;
    if (!found || m.associated || (read == m.read && flags == m.flags))
        return found;
    sql_exec(&tx->sql, set_flags_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)mid), B_INT(read), B_INT(flags), B_INT((int64_t)cn),
                  B_INT((int64_t)tx->now)));
    *unread += m.read - read;
    announce_flags(tx, fid, mid, cn);
    return true;
}

enum { PAGE = 500 };

static const char page_sql[] =
    "SELECT mid FROM message WHERE mb = $1 AND fid = $2 AND associated = 0 AND deleted IS NULL AND mid > $3"
    " AND (($4 = 1 AND is_read <> $5) OR (flags & $6) <> 0) ORDER BY mid LIMIT $7";
enum { ANY_STATE = 2 }; /* of public messages the column says nothing */

static uint32_t next_page(struct store_tx *tx, uint64_t fid, struct wish wish, uint64_t after, uint64_t mids[PAGE])
{
    uint32_t count = 0;
    struct sql_rows rows = sql_query(&tx->sql, page_sql,
                                     BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)after),
                                          B_INT(wish.sets_read), B_INT(tx->st->identity.is_public ? ANY_STATE : wish.read),
                                          B_INT(wish.clear), B_INT(PAGE)));
    while (count < PAGE && sql_next(&rows))
        mids[count++] = (uint64_t)sql_col_int(&rows, 0);
    sql_done(&rows);
    return count;
}

static void set_all(struct store_tx *tx, uint64_t fid, struct wish wish, uint64_t cn, int64_t *unread)
{
    uint64_t mids[PAGE], after = 0;
    uint32_t count;
    while (!sql_failed(&tx->sql) && (count = next_page(tx, fid, wish, after, mids))) {
        for (uint32_t i = 0; i < count; i++)
            set_one(tx, fid, mids[i], wish, cn, unread);
        after = mids[count - 1];
    }
}

struct reading {
    struct store_tx tx;
    struct wish wish;
    const uint64_t *mids;
    uint64_t cn;
    bool partial;
};

static uint32_t rights_to_mark(const struct store *st)
{
    return st->identity.is_public ? RIGHT_READ_ANY : RIGHT_EDIT_ANY | RIGHT_EDIT_OWNED;
}

static void read_run(void *arg, uint64_t fid, uint32_t first, uint32_t count)
{
    struct reading *r = arg;
    struct folder_delta delta = { 0 };
    if (fid)
        may_some(&r->tx, fid, rights_to_mark(r->tx.st));
    for (uint32_t i = first; i < first + count && !sql_failed(&r->tx.sql); i++)
        r->partial |= !set_one(&r->tx, fid, store_counter(r->mids[i]), r->wish, r->cn, &delta.unread); /* R1514 */
    if (delta.unread)
        folder_adjust(&r->tx, fid, &delta);
}

static const char results_sql[] =
    "SELECT message FROM result WHERE mb = $1 AND search = $2 AND message > $3 ORDER BY message LIMIT $4";

/* All messages of a search folder, which the search still shows or not when they have been read. */
static void read_results(struct reading *r, uint64_t search)
{
    uint64_t mids[PAGE], after = 0;
    uint32_t count;
    do {
        struct sql_rows rows =
            sql_query(&r->tx.sql, results_sql,
                      BIND(B_INT(r->tx.st->mb), B_INT((int64_t)search), B_INT((int64_t)after), B_INT(PAGE)));
        for (count = 0; count < PAGE && sql_next(&rows); count++) {
            after = (uint64_t)sql_col_int(&rows, 0);
            mids[count] = store_id(after);
        }
        sql_done(&rows);
        r->mids = mids;
        search_runs(&r->tx, search, mids, count, read_run, r);
    } while (count == PAGE && !sql_failed(&r->tx.sql));
}

static void read_all(struct reading *r, uint64_t fid)
{
    struct folder_delta delta = { 0 };
    may_some(&r->tx, fid, rights_to_mark(r->tx.st));
    set_all(&r->tx, fid, r->wish, r->cn, &delta.unread);
    if (r->wish.sets_read)
        seen_put(&r->tx, fid, 1, r->cn, r->wish.read); /* in one range */
    if (delta.unread)
        folder_adjust(&r->tx, fid, &delta);
}

enum ec store_set_read_flags(struct store *st, uint64_t fid, const uint64_t *mids, uint32_t count, uint8_t flags,
                             bool *partial)
{
    const uint64_t folder = store_counter(fid);
    struct reading r = { .tx = store_begin(st), .wish = wish_of(flags), .mids = mids };
    r.cn = take_counters(&r.tx, 1);
    if (count)
        search_runs(&r.tx, folder, mids, count, read_run, &r);
    else if (search_find(&r.tx, folder))
        read_results(&r, folder);
    else
        read_all(&r, folder);
    *partial = r.partial;
    return store_end(&r.tx);
}

/* [MS-OXCFXICS] 3.2.5.9.4.6: as if each of them were set by itself; what is not here does not matter. */
enum ec store_import_read_states(struct store *st, uint64_t fid, const struct store_read_state *states, uint32_t count,
                                 uint64_t *cn)
{
    const uint64_t folder = store_counter(fid);
    struct folder_delta delta = { 0 };
    struct store_tx tx = store_begin(st);
    const uint64_t number = take_counters(&tx, 1);
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++) {
        if (!key_is_valid(st, states[i].source_key))
            sql_abort(&tx.sql, ecInvalidParam);
        const struct found found = message_by_key(&tx, folder, states[i].source_key);
        if (found.id)
            set_one(&tx, folder, found.id, wish_of(states[i].read ? 0 : rfClearReadFlag), number, &delta.unread);
    }
    if (delta.unread)
        folder_adjust(&tx, folder, &delta);
    *cn = store_id(number);
    return store_end(&tx);
}

/* What is not stored yet changes in memory. */
enum ec store_message_set_read(struct store_message *m, uint8_t flags, bool *changed)
{
    const struct wish wish = wish_of(flags);
    const bool before = m->row.read;
    const uint64_t mid = store_message_mid(m);
    bool partial = false;
    *changed = false;
    if (!m->is_new && !m->embedded) {
        const enum ec ec = store_set_read_flags(m->st, store_message_fid(m), &mid, 1, flags, &partial);
        if (ec || partial)
            return ec ? ec : message_may_change(m) ? ecObjectDeleted : ecAccessDenied;
    }
    if (wish.sets_read && !m->row.associated)
        m->row.read = wish.read;
    m->row.flags &= ~wish.clear;
    m->read_changed |= m->is_new;
    *changed = m->row.read != before;
    return ecNone;
}

static const char status_sql[] =
    "SELECT status, fid, id FROM message WHERE mb = $1 AND mid = $2 AND deleted IS NULL AND (fid = $3 OR EXISTS ("
    "  SELECT 1 FROM result r WHERE r.mb = $1 AND r.search = $3 AND r.message = $2))";
static const char set_status_sql[] =
    "UPDATE message SET status = $3, committed = $4 WHERE mb = $1 AND mid = $2 RETURNING associated";

/* R416, R1500: bits of the mask become those of `set`. */
enum ec store_message_status(struct store *st, uint64_t fid, uint64_t mid, uint32_t set, uint32_t mask,
                             uint32_t *before)
{
    static const uint32_t tags[] = { PidTagMessageStatus };
    const struct sql_value message = B_INT((int64_t)store_counter(mid));
    struct store_tx tx = mask ? store_begin(st) : store_read(st);
    struct sql_rows rows =
        sql_one(&tx.sql, status_sql, BIND(B_INT(st->mb), message, B_INT((int64_t)store_counter(fid))));
    *before = (uint32_t)sql_col_int(&rows, 0);
    const uint64_t home = (uint64_t)sql_col_int(&rows, 1);
    const int64_t id = sql_col_int(&rows, 2);
    sql_done(&rows);
    if (!sql_failed(&tx.sql) &&
        !may_with_row(&tx, home, id, mask ? RIGHT_EDIT_ANY : RIGHT_READ_ANY, mask ? RIGHT_EDIT_OWNED : 0))
        sql_abort(&tx.sql, ecAccessDenied);
    const uint32_t after = (*before & ~mask) | (set & mask);
    if (after != *before && !sql_failed(&tx.sql)) {
        const bool associated =
            sql_int(&tx.sql, set_status_sql, BIND(B_INT(st->mb), message, B_INT(after), B_INT((int64_t)tx.now)));
        const struct store_change change = { .kind = STORE_MODIFIED,
                                             .is_message = true,
                                             .associated = associated,
                                             .fid = store_id(home),
                                             .mid = mid,
                                             .tag_count = COUNTOF(tags),
                                             .tags = tags };
        change_add(&tx, &change);
    }
    return store_end(&tx);
}
