/* SPDX-License-Identifier: Apache-2.0 */
/* Messages moved and copied between folders of the mailbox: [MS-OXCFOLD] 3.2.5.6.  A moved message keeps its row, and so
 * all that belongs to it; it takes a new mid and leaves a tombstone.  A copy is made by the database. */
#include "store/message.h"

struct transfer {
    struct store_tx tx;
    uint64_t from, to;
    struct folder_delta out, in;
};

struct source {
    int64_t id, size;
    bool associated, read;
    struct blob source_key;
};

static const char source_sql[] =
    "SELECT id, associated, is_read, size, source_key FROM message"
    " WHERE mb = $1 AND fid = $2 AND mid = $3 AND deleted IS NULL";

static bool find_source(TALLOC_CTX *arena, struct transfer *t, uint64_t mid, struct source *s)
{
    struct sql_rows rows = sql_query(&t->tx.sql, source_sql,
        BIND(B_INT(t->tx.st->mb), B_INT((int64_t)t->from), B_INT((int64_t)mid)));
    const bool found = sql_next(&rows);
    if (found)
        *s = (struct source){ sql_col_int(&rows, 0), sql_col_int(&rows, 3), sql_col_int(&rows, 1), sql_col_int(&rows, 2),
                              sql_col_blob_copy(arena, &rows, 4) };
    sql_done(&rows);
    return found;
}

/* What a message adds to the counts of its folder. */
static void count(struct folder_delta *d, int sign, const struct source *s)
{
    if (s->associated) {
        d->associated += sign;
        d->associated_size += sign * s->size;
    } else {
        d->total += sign;
        d->unread += s->read ? 0 : sign;
        d->size += sign * s->size;
    }
}

static void announce(struct transfer *t, enum store_change_kind kind, uint64_t mid, uint64_t old_mid, uint64_t cn, bool associated)
{
    const struct store_change change = {
        .kind = kind, .is_message = true, .associated = associated, .fid = store_id(t->to), .mid = store_id(mid),
        .old_fid = store_id(t->from), .old_mid = store_id(old_mid), .cn = store_id(cn),
    };
    change_add(&t->tx, &change);
}

/* ---- moving ---- */

static const char move_sql[] =
    "UPDATE message SET fid = $3, mid = $4, cn = $5, committed = $6, change_key = NULL, source_key = NULL, read_cn = NULL"
    " WHERE mb = $1 AND id = $2";
static const char tombstone_sql[] =
    "INSERT INTO tombstone(mb, fid, cn, mid, kind, source_key) VALUES ($1, $2, $3, $4, $5, $6)";

static void move_one(struct transfer *t, const struct source *s, uint64_t mid, uint64_t new_mid)
{
    struct store_tx *tx = &t->tx;
    const struct sql_value mb = B_INT(tx->st->mb), cn = B_INT((int64_t)new_mid + 1);
    sql_exec(&tx->sql, tombstone_sql,
             BIND(mb, B_INT((int64_t)t->from), cn, B_INT((int64_t)mid),
                  B_INT(s->associated ? TOMBSTONE_ASSOCIATED : TOMBSTONE_MESSAGE),
                  s->source_key.size ? B_BLOB(s->source_key) : B_NULL));
    sql_exec(&tx->sql, move_sql, BIND(mb, B_INT(s->id), B_INT((int64_t)t->to), B_INT((int64_t)new_mid), cn,
                                      B_INT((int64_t)tx->now)));
    count(&t->out, -1, s);
    t->out.deleted++;
    announce(t, STORE_MOVED, new_mid, mid, new_mid + 1, s->associated);
}

/* ---- copying ---- */

static const char copy_sql[] =
    "INSERT INTO message(mb, id, mid, fid, parent, parent_num, associated, cn, is_read, delivery_time, submit_time,"
    "  modified, created, committed, size, flags, status, importance, sensitivity, has_attach, attach_next, class,"
    "  prefix, subject, sender, display_to, display_cc, display_bcc, props, recipients)"
    " SELECT mb, $3, $4, $5, $6, $7, associated, $8, is_read, delivery_time, submit_time,"
    "  modified, created, $9, size, flags, status, importance, sensitivity, has_attach, attach_next, class,"
    "  prefix, subject, sender, display_to, display_cc, display_bcc, props, recipients"
    "  FROM message WHERE mb = $1 AND id = $2";
static const char copy_attachments_sql[] =
    "INSERT INTO attachment(mb, id, num, size, props) SELECT mb, $3, num, size, props FROM attachment"
    " WHERE mb = $1 AND id = $2";
static const char copy_values_sql[] =
    "INSERT INTO value(mb, id, num, tag, version, chunk, data)"
    " SELECT mb, $3, num, tag, version, chunk, data FROM value WHERE mb = $1 AND id = $2";
static const char embedded_sql[] = "SELECT id, parent_num FROM message WHERE mb = $1 AND parent = $2 ORDER BY id";

struct place {                                   /* where a copy goes */
    int64_t id;
    uint64_t mid, fid, cn;
    struct sql_value parent, parent_num;
};

static void copy_content(struct store_tx *tx, int64_t from, const struct place *to)
{
    const struct sql_value mb = B_INT(tx->st->mb), old = B_INT(from), new = B_INT(to->id);
    sql_exec(&tx->sql, copy_sql,
             BIND(mb, old, new, B_INT((int64_t)to->mid), B_INT((int64_t)to->fid), to->parent, to->parent_num,
                  B_INT((int64_t)to->cn), B_INT((int64_t)tx->now)));
    sql_exec(&tx->sql, copy_attachments_sql, BIND(mb, old, new));
    sql_exec(&tx->sql, copy_values_sql, BIND(mb, old, new));
    struct sql_rows rows = sql_query(&tx->sql, embedded_sql, BIND(mb, old));
    while (sql_next(&rows)) {
        const int64_t id = (int64_t)take_counters(tx, 1);
        const struct place inner = { .id = id, .mid = (uint64_t)id, .cn = to->cn, .parent = new,
                                     .parent_num = B_INT(sql_col_int(&rows, 1)) };
        copy_content(tx, sql_col_int(&rows, 0), &inner);
    }
}

static void copy_one(struct transfer *t, const struct source *s, uint64_t mid, uint64_t new_mid)
{
    const struct place place = { .id = (int64_t)new_mid, .mid = new_mid, .fid = t->to, .cn = new_mid + 1,
                                 .parent = B_NULL, .parent_num = B_NULL };
    copy_content(&t->tx, s->id, &place);
    announce(t, STORE_COPIED, new_mid, mid, new_mid + 1, s->associated);
}

/* ---- many ---- */

static bool is_nothing(const struct folder_delta *d)
{
    static const struct folder_delta nothing;
    return memcmp(d, &nothing, sizeof nothing) == 0;
}

/* The new mid; 0: there is no such message.  Two counters: the mid, and the change. */
static uint64_t transfer_one(struct transfer *t, uint64_t mid, bool copy)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct source s;
    uint64_t new_mid = 0;
    if (mid && find_source(arena, t, mid, &s)) {
        new_mid = take_counters(&t->tx, 2);
        (copy ? copy_one : move_one)(t, &s, mid, new_mid);
        count(&t->in, 1, &s);
    }
    talloc_free(arena);
    return new_mid;
}

enum ec store_messages_move(struct store *st, uint64_t from, uint64_t to, const uint64_t *mids, uint32_t mid_count, bool copy,
                            uint64_t *new_mids, bool *partial)
{
    *partial = false;
    struct transfer t = { .tx = store_begin(st), .from = store_counter(from), .to = store_counter(to) };
    folder_require_parent(&t.tx, t.to);          /* a search folder holds no messages of its own either */
    for (uint32_t i = 0; i < mid_count && !sql_failed(&t.tx.sql); i++) {
        const uint64_t new_mid = transfer_one(&t, store_counter(mids[i]), copy);
        *partial |= !new_mid;
        if (new_mids)
            new_mids[i] = new_mid ? store_id(new_mid) : 0;
    }
    if (!is_nothing(&t.out))
        folder_adjust(&t.tx, t.from, &t.out);
    if (!is_nothing(&t.in))
        folder_adjust(&t.tx, t.to, &t.in);
    return store_end(&t.tx);
}
