/* SPDX-License-Identifier: Apache-2.0 */
/* Read state and message status: [MS-OXCMSG] 3.2.5.8 to 3.2.5.11. */
#include "store/message.h"

/* [MS-OXCMSG] 2.2.3.10.1, ReadFlags */
enum {
    rfSuppressReceipt = 0x01, rfClearReadFlag = 0x04, rfGenerateReceiptOnly = 0x10, rfClearNotifyRead = 0x20,
    rfClearNotifyUnread = 0x40,
    rfKnown = rfSuppressReceipt | 0x0A | rfClearReadFlag | rfGenerateReceiptOnly | rfClearNotifyRead | rfClearNotifyUnread,
};

/* What a set of ReadFlags asks for. */
struct wish {
    bool changes_read, read;
    uint32_t cleared;                            /* of PidTagMessageFlags */
};

static struct wish wish_of(uint8_t flags)
{
    struct wish w = { .read = !(flags & rfClearReadFlag) };
    w.changes_read = !(flags & (rfGenerateReceiptOnly | rfClearNotifyRead | rfClearNotifyUnread)) || flags & rfClearReadFlag;
    w.cleared = (flags & rfClearNotifyRead ? mfNotifyRead : 0) | (flags & rfClearNotifyUnread ? mfNotifyUnread : 0);
    return w;
}

static bool flags_are_valid(uint8_t flags)
{
    return !(flags & ~rfKnown) && (flags & (rfSuppressReceipt | rfClearReadFlag)) != (rfSuppressReceipt | rfClearReadFlag);
}

/* Only what differs is written.  EverRead stays once it is there. */
static const char read_one_sql[] =
    "UPDATE message SET is_read = $4, read_cn = $5, flags = (flags - (flags & $6)) | (CASE WHEN $4 = 1 THEN $7 ELSE 0 END)"
    " WHERE mb = $1 AND fid = $2 AND mid = $3 AND deleted IS NULL AND is_read <> $4 RETURNING associated";
static const char clear_one_sql[] =
    "UPDATE message SET flags = flags - (flags & $4) WHERE mb = $1 AND fid = $2 AND mid = $3 AND deleted IS NULL"
    " RETURNING associated";
static const char exists_sql[] = "SELECT associated FROM message WHERE mb = $1 AND fid = $2 AND mid = $3 AND deleted IS NULL";

static void announce(struct store_tx *tx, uint64_t fid, uint64_t mid, bool associated, uint64_t cn)
{
    static const uint32_t tags[] = { PidTagMessageFlags };
    const struct store_change change = { .kind = STORE_MODIFIED, .is_message = true, .associated = associated,
                                         .fid = store_id(fid), .mid = store_id(mid), .cn = cn ? store_id(cn) : 0,
                                         .tag_count = COUNTOF(tags), .tags = tags };
    change_add(tx, &change);
}

/* One message; adds to the folder's unread count.  false: there is no such message. */
static bool mark(struct store_tx *tx, uint64_t fid, uint64_t mid, const struct wish *w, struct folder_delta *delta)
{
    const struct sql_value mb = B_INT(tx->st->mb), f = B_INT((int64_t)fid), m = B_INT((int64_t)mid);
    const uint64_t cn = w->changes_read ? take_counters(tx, 1) : 0;
    const int64_t associated =
        w->changes_read ? sql_int_or(&tx->sql, -1, read_one_sql, BIND(mb, f, m, B_INT(w->read), B_INT((int64_t)cn),
                                                                      B_INT(w->cleared), B_INT(mfEverRead)))
                        : sql_int_or(&tx->sql, -1, clear_one_sql, BIND(mb, f, m, B_INT(w->cleared)));
    if (associated < 0)                          /* it is in that state already, or it is not there */
        return sql_int_or(&tx->sql, -1, exists_sql, BIND(mb, f, m)) >= 0;
    announce(tx, fid, mid, associated, cn);
    if (w->changes_read && !associated)
        delta->unread += w->read ? -1 : 1;
    return true;
}

static const char unlike_sql[] =
    "SELECT mid FROM message WHERE mb = $1 AND fid = $2 AND associated = 0 AND deleted IS NULL AND is_read <> $3"
    " ORDER BY mid LIMIT 1000";

/* All messages of the folder, some at a time. */
static void mark_all(struct store_tx *tx, uint64_t fid, const struct wish *w, struct folder_delta *delta)
{
    uint64_t mids[1000];
    size_t count = COUNTOF(mids);
    while (w->changes_read && count == COUNTOF(mids) && !sql_failed(&tx->sql)) {
        struct sql_rows rows = sql_query(&tx->sql, unlike_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(w->read)));
        for (count = 0; count < COUNTOF(mids) && sql_next(&rows); count++)
            mids[count] = (uint64_t)sql_col_int(&rows, 0);
        sql_done(&rows);
        for (size_t i = 0; i < count; i++)
            mark(tx, fid, mids[i], w, delta);
    }
}

enum ec store_set_read_flags(struct store *st, uint64_t fid, const uint64_t *mids, uint32_t count, uint8_t flags, bool *partial)
{
    *partial = false;
    if (!flags_are_valid(flags))
        return ecInvalidParam;
    const struct wish w = wish_of(flags);
    const uint64_t folder = store_counter(fid);
    struct folder_delta delta = { 0 };
    struct store_tx tx = store_begin(st);
    if (count == 0)
        mark_all(&tx, folder, &w, &delta);
    for (uint32_t i = 0; i < count; i++)
        *partial |= !mark(&tx, folder, store_counter(mids[i]), &w, &delta);
    if (delta.unread)
        folder_adjust(&tx, folder, &delta);
    return store_end(&tx);
}

/* The open message shows the new state at once; one that was never saved has it with its first save. */
enum ec store_message_set_read(struct store_message *m, uint8_t flags, bool *changed)
{
    *changed = false;
    if (!flags_are_valid(flags))
        return ecInvalidParam;
    const struct wish w = wish_of(flags);
    const bool differs = w.changes_read && m->row.read != w.read;
    if (!m->is_new && !m->embedded) {
        bool gone;
        const uint64_t mid = store_id(m->row.mid);
        const enum ec ec = store_set_read_flags(m->st, store_id(m->row.fid), &mid, 1, flags, &gone);
        if (ec || gone)
            return ec ? ec : ecObjectDeleted;
    } else if (differs) {
        m->read_changed = true;
    }
    *changed = differs;
    if (w.changes_read)
        m->row.read = w.read;
    m->row.flags = (m->row.flags & ~w.cleared) | (w.changes_read && w.read ? mfEverRead : 0);
    return ecNone;
}

/* ---- status: [MS-OXCMSG] 2.2.3.8, a property of the row, not of the message's content ---- */

static const char status_sql[] = "SELECT status FROM message WHERE mb = $1 AND fid = $2 AND mid = $3 AND deleted IS NULL";
static const char status_set_sql[] = "UPDATE message SET status = $4 WHERE mb = $1 AND fid = $2 AND mid = $3 RETURNING associated";

enum ec store_message_status(struct store *st, uint64_t fid, uint64_t mid, uint32_t set, uint32_t mask, uint32_t *before)
{
    const uint64_t f = store_counter(fid), m = store_counter(mid);
    struct store_tx tx = mask ? store_begin(st) : store_read(st);
    *before = (uint32_t)sql_int(&tx.sql, status_sql, BIND(B_INT(st->mb), B_INT((int64_t)f), B_INT((int64_t)m)));
    const uint32_t after = (*before & ~mask) | (set & mask);
    if (mask && after != *before) {
        const int64_t associated = sql_int(&tx.sql, status_set_sql, BIND(B_INT(st->mb), B_INT((int64_t)f), B_INT((int64_t)m),
                                                                         B_INT(after)));
        announce(&tx, f, m, associated, 0);
    }
    return store_end(&tx);
}
