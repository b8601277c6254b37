/* SPDX-License-Identifier: Apache-2.0 */
/* DIR/queue.db: what was submitted and is not at all of its recipients yet.  A row is there before the client hears of
 * success, and goes when every recipient has the message or the sender a report. */
#include "transport/internal.h"

struct queue {
    struct sql *db;
    pthread_mutex_t lock;   /* of all of this */
    struct guid *under_way; /* submissions that a thread is working on */
    size_t count;
};

static const struct sql_schema_step steps[] = {
    { "submissions", "CREATE TABLE submission("
                     "  id BYTEA NOT NULL PRIMARY KEY,"
                     "  created BIGINT NOT NULL,"
                     "  sender BYTEA NOT NULL,"
                     "  mailbox BYTEA NOT NULL,"
                     "  fid BIGINT NOT NULL,"
                     "  mid BIGINT NOT NULL,"
                     "  sent_to BIGINT NOT NULL,"
                     "  sent_mid BIGINT NOT NULL,"
                     "  due BIGINT NOT NULL," /* it waits for this time; 0: it does not */
                     "  filed BIGINT NOT NULL,"
                     "  letter BYTEA NOT NULL);"
                     "CREATE TABLE submission_recipient("
                     "  id BYTEA NOT NULL,"
                     "  num BIGINT NOT NULL,"
                     "  letter_row BIGINT NOT NULL,"
                     "  mailbox BYTEA NOT NULL,"
                     "  state BIGINT NOT NULL,"
                     "  status TEXT NOT NULL,"
                     "  reason TEXT NOT NULL,"
                     "  PRIMARY KEY (id, num));" },
};

static int queue_free(struct queue *q)
{
    pthread_mutex_destroy(&q->lock);
    return 0;
}

enum ec queue_open(struct queue **out, TALLOC_CTX *owner, const char *data_dir, char **why)
{
    struct queue *q = talloc_zero(owner, struct queue);
    const char *url = talloc_asprintf(q, "sqlite:%s/queue.db", data_dir);
    pthread_mutex_init(&q->lock, NULL);
    talloc_set_destructor(q, queue_free);
    enum ec ec = sql_open(&q->db, q, url);
    if (!ec)
        ec = sql_schema(q->db, steps, COUNTOF(steps), "queue");
    if (ec)
        *why = talloc_strdup(owner, sql_error(NULL));
    *out = ec ? NULL : q;
    if (ec)
        talloc_free(q);
    return ec;
}

/* ---- what is under way, with the lock held ---- */

static bool is_under_way(const struct queue *q, struct guid id)
{
    for (size_t i = 0; i < q->count; i++)
        if (guid_equal(q->under_way[i], id))
            return true;
    return false;
}

static void begin(struct queue *q, struct guid id)
{
    q->under_way = talloc_realloc(q, q->under_way, struct guid, q->count + 1);
    q->under_way[q->count++] = id;
}

void queue_release(struct queue *q, struct guid id)
{
    pthread_mutex_lock(&q->lock);
    for (size_t i = 0; i < q->count; i++)
        if (guid_equal(q->under_way[i], id)) {
            q->under_way[i] = q->under_way[--q->count];
            break;
        }
    pthread_mutex_unlock(&q->lock);
}

/* ---- rows ---- */

static struct sql_value B_GUID(const struct guid *guid) {
    return B_BYTES(guid->bytes, sizeof guid->bytes);
}

static const char submission_insert_sql[] =
    "INSERT INTO submission(id, created, sender, mailbox, fid, mid, sent_to, filed, letter, sent_mid, due)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10)";
static const char recipient_insert_sql[] =
    "INSERT INTO submission_recipient(id, num, letter_row, mailbox, state, status, reason)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7)";

static void insert(struct sql_tx *tx, const struct submission *s, struct blob letter)
{
    sql_exec(tx, submission_insert_sql,
             BIND(B_GUID(&s->id), B_INT((int64_t)s->created), B_GUID(&s->sender), B_GUID(&s->mailbox),
                  B_INT((int64_t)s->fid), B_INT((int64_t)s->mid), B_INT((int64_t)s->sent_to), B_BLOB(letter),
                  B_INT((int64_t)s->sent_mid), B_INT((int64_t)s->due)));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct queued_recipient *r = &s->recipients[i];
        sql_exec(tx, recipient_insert_sql,
                 BIND(B_GUID(&s->id), B_INT(i), B_INT(r->row), B_GUID(&r->mailbox), B_INT(r->state),
                      B_TEXT(r->status ? r->status : ""), B_TEXT(r->reason ? r->reason : "")));
    }
}

enum ec queue_add(struct queue *q, const struct submission *s)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob letter = letter_pack(arena, s->letter);
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_begin(q->db);
    insert(&tx, s, letter);
    const enum ec ec = sql_end(&tx);
    if (!ec && !s->due)
        begin(q, s->id);
    pthread_mutex_unlock(&q->lock);
    talloc_free(arena);
    return ec;
}

static enum ec change(struct queue *q, const char *const *statements, size_t count, struct sql_bind values)
{
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_begin(q->db);
    for (size_t i = 0; i < count; i++)
        sql_exec(&tx, statements[i], values);
    const enum ec ec = sql_end(&tx);
    pthread_mutex_unlock(&q->lock);
    return ec;
}

enum ec queue_recipient_done(struct queue *q, const struct submission *s, uint32_t index)
{
    static const char *const sql[] = {
        "UPDATE submission_recipient SET state = $3, status = $4, reason = $5 WHERE id = $1 AND num = $2"
    };
    const struct queued_recipient *r = &s->recipients[index];
    return change(q, sql, COUNTOF(sql),
                  BIND(B_GUID(&s->id), B_INT(index), B_INT(r->state), B_TEXT(r->status ? r->status : ""),
                       B_TEXT(r->reason ? r->reason : "")));
}

enum ec queue_filed(struct queue *q, const struct submission *s)
{
    static const char *const sql[] = { "UPDATE submission SET filed = 1 WHERE id = $1" };
    return change(q, sql, COUNTOF(sql), BIND(B_GUID(&s->id)));
}

enum ec queue_remove(struct queue *q, const struct submission *s)
{
    static const char *const sql[] = { "DELETE FROM submission_recipient WHERE id = $1",
                                       "DELETE FROM submission WHERE id = $1" };
    return change(q, sql, COUNTOF(sql), BIND(B_GUID(&s->id)));
}

/* ---- reading ---- */

static const char submissions_sql[] =
    "SELECT id, created, sender, mailbox, fid, mid, sent_to, filed, sent_mid, due FROM submission"
    " WHERE id > $1 AND due <= $2 ORDER BY id";
static const char letter_sql[] = "SELECT letter FROM submission WHERE id = $1";
static const char recipients_sql[] =
    "SELECT letter_row, mailbox, state, status, reason FROM submission_recipient WHERE id = $1 ORDER BY num";

static struct guid guid_column(struct sql_rows *rows, unsigned column)
{
    struct guid guid = { { 0 } };
    const struct blob bytes = sql_col_blob(rows, column);
    if (bytes.size == sizeof guid.bytes)
        memcpy(guid.bytes, bytes.data, sizeof guid.bytes);
    return guid;
}

static void read_row(struct sql_rows *rows, struct submission *s)
{
    s->id = guid_column(rows, 0);
    s->created = (uint64_t)sql_col_int(rows, 1);
    s->sender = guid_column(rows, 2);
    s->mailbox = guid_column(rows, 3);
    s->fid = (uint64_t)sql_col_int(rows, 4);
    s->mid = (uint64_t)sql_col_int(rows, 5);
    s->sent_to = (uint64_t)sql_col_int(rows, 6);
    s->filed = sql_col_int(rows, 7);
    s->sent_mid = (uint64_t)sql_col_int(rows, 8);
    s->due = (uint64_t)sql_col_int(rows, 9);
}

static bool next_row(struct queue *q, struct sql_tx *tx, struct guid after, struct submission *s)
{
    struct sql_rows rows = sql_query(tx, submissions_sql, BIND(B_GUID(&after), B_INT((int64_t)filetime_now())));
    bool found = false;
    while (!found && sql_next(&rows)) {
        read_row(&rows, s);
        found = !is_under_way(q, s->id);
    }
    sql_done(&rows);
    return found;
}

static void read_recipients(TALLOC_CTX *arena, struct sql_tx *tx, struct submission *s)
{
    struct sql_rows rows = sql_query(tx, recipients_sql, BIND(B_GUID(&s->id)));
    while (sql_next(&rows)) {
        s->recipients = talloc_realloc(arena, s->recipients, struct queued_recipient, s->count + 1);
        s->recipients[s->count++] = (struct queued_recipient){ .row = (uint32_t)sql_col_int(&rows, 0),
                                                               .mailbox = guid_column(&rows, 1),
                                                               .state = (enum submission_state)sql_col_int(&rows, 2),
                                                               .status = sql_col_text_copy(arena, &rows, 3),
                                                               .reason = sql_col_text_copy(arena, &rows, 4) };
    }
    sql_done(&rows);
}

enum ec queue_take(TALLOC_CTX *arena, struct queue *q, struct guid after, struct submission *s)
{
    *s = (struct submission){ 0 };
    struct blob letter = { 0 };
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_read(q->db);
    const bool found = next_row(q, &tx, after, s);
    if (found) {
        letter = sql_blob(arena, &tx, letter_sql, BIND(B_GUID(&s->id)));
        read_recipients(arena, &tx, s);
    }
    const enum ec ec = sql_end(&tx);
    if (!ec && found)
        begin(q, s->id);
    pthread_mutex_unlock(&q->lock);
    return ec ? ec : found ? letter_unpack(arena, letter, &s->letter) : ecNotFound;
}

/* ---- what waits for its time ---- */

static const char next_due_sql[] = "SELECT COALESCE(MIN(due), 0) FROM submission WHERE due > $1";

uint64_t queue_next_due(struct queue *q)
{
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_read(q->db);
    const int64_t due = sql_int(&tx, next_due_sql, BIND(B_INT(0)));
    const enum ec ec = sql_end(&tx);
    pthread_mutex_unlock(&q->lock);
    return ec ? 0 : (uint64_t)due;
}

enum ec queue_is_due(struct queue *q, const struct submission *s)
{
    static const char *const sql[] = { "UPDATE submission SET due = 0 WHERE id = $1" };
    return change(q, sql, COUNTOF(sql), BIND(B_GUID(&s->id)));
}

static const char by_message_sql[] =
    "SELECT id, created, sender, mailbox, fid, mid, sent_to, filed, sent_mid, due FROM submission"
    " WHERE mailbox = $1 AND fid = $2 AND mid = $3";

/* Taken as queue_take does, so that nobody else begins with it.  ecUnableToAbort: somebody has. */
enum ec queue_find(struct queue *q, struct guid mailbox, uint64_t fid, uint64_t mid, struct submission *out)
{
    *out = (struct submission){ 0 };
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_read(q->db);
    struct sql_rows rows =
        sql_query(&tx, by_message_sql, BIND(B_GUID(&mailbox), B_INT((int64_t)fid), B_INT((int64_t)mid)));
    const bool found = sql_next(&rows);
    if (found)
        read_row(&rows, out);
    sql_done(&rows);
    enum ec ec = sql_end(&tx);
    if (!ec)
        ec = !found ? ecNotInQueue : !out->due || is_under_way(q, out->id) ? ecUnableToAbort : ecNone;
    if (!ec)
        begin(q, out->id);
    pthread_mutex_unlock(&q->lock);
    return ec;
}
