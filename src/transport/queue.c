/* SPDX-License-Identifier: Apache-2.0 */
/* A submission is in here from before its sender hears "accepted" until every recipient has it or the sender was told
 * why not.  So a crash in between loses nothing: the next start goes on. */
#include <pthread.h>

#include "transport/internal.h"

struct queue {
    struct sql *db;
    pthread_mutex_t lock;
};

static const struct sql_schema_step steps[] = {
    { "submissions",
      "CREATE TABLE submission("
      "  id BIGINT NOT NULL PRIMARY KEY,"
      "  sender BYTEA NOT NULL,"                 /* mailbox GUID */
      "  accepted BIGINT NOT NULL,"              /* FILETIME */
      "  letter BYTEA NOT NULL);" },
};

static const char add_sql[] =
    "INSERT INTO submission(id, sender, accepted, letter)"
    " VALUES ((SELECT COALESCE(MAX(id), 0) + 1 FROM submission), $1, $2, $3) RETURNING id";
static const char done_sql[] = "DELETE FROM submission WHERE id = $1";
static const char next_sql[] = "SELECT id, sender, letter FROM submission WHERE id > $1 ORDER BY id LIMIT 1";

static int queue_close(struct queue *q)
{
    pthread_mutex_destroy(&q->lock);
    return 0;
}

enum ec queue_open(struct queue **out, TALLOC_CTX *owner, const char *data_dir, char **why)
{
    struct queue *q = talloc_zero(owner, struct queue);
    enum ec ec = sql_open(&q->db, q, talloc_asprintf(q, "sqlite:%s/queue.db", data_dir));
    if (!ec)
        ec = sql_schema(q->db, steps, COUNTOF(steps), "queue");
    if (ec) {
        *why = talloc_strdup(owner, sql_error(q->db));
        talloc_free(q);
        return ec;
    }
    pthread_mutex_init(&q->lock, NULL);
    talloc_set_destructor(q, queue_close);
    *out = q;
    return ecNone;
}

enum ec queue_add(struct queue *q, struct guid sender, const struct letter *letter, int64_t *id)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob packed = letter_pack(arena, letter);
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_begin(q->db);
    *id = sql_int(&tx, add_sql, BIND(B_BYTES(sender.bytes, sizeof sender.bytes), B_INT((int64_t)filetime_now()), B_BLOB(packed)));
    const enum ec ec = sql_end(&tx);
    pthread_mutex_unlock(&q->lock);
    talloc_free(arena);
    return ec;
}

/* What cannot be taken out now is found by the next start, which then sees that it was delivered. */
void queue_done(struct queue *q, int64_t id)
{
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_begin(q->db);
    sql_exec(&tx, done_sql, BIND(B_INT(id)));
    const enum ec ec = sql_end(&tx);
    pthread_mutex_unlock(&q->lock);
    if (ec)
        log_line(LOG_ERROR, "queue", "submission %lld is done but stays in the queue: %s", (long long)id, ec_text(ec));
}

bool queue_next(TALLOC_CTX *arena, struct queue *q, int64_t after, int64_t *id, struct guid *sender, struct letter **letter)
{
    bool found = false;
    pthread_mutex_lock(&q->lock);
    struct sql_tx tx = sql_read(q->db);
    struct sql_rows rows = sql_query(&tx, next_sql, BIND(B_INT(after)));
    if (sql_next(&rows)) {
        const struct blob guid = sql_col_blob(&rows, 1);
        found = guid.size == sizeof sender->bytes;
        *id = sql_col_int(&rows, 0);
        memcpy(sender->bytes, guid.data, found ? guid.size : 0);
        *letter = NULL;
        if (letter_unpack(arena, sql_col_blob_copy(arena, &rows, 2), letter))
            log_line(LOG_ERROR, "queue", "submission %lld is damaged", (long long)*id);
    }
    sql_done(&rows);
    sql_end(&tx);
    pthread_mutex_unlock(&q->lock);
    return found;
}
