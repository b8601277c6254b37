/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "bare.h"

#include <sqlite3.h>
#include <unistd.h>

struct bare {
    sqlite3 *db;
    sqlite3_stmt *begin, *insert, *commit;
    const char *path;
    size_t size;
    uint8_t *row;
};

static void need(int code, sqlite3 *db, const char *what)
{
    if (code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
        give_up("%s: %s", what, sqlite3_errmsg(db));
}

static int bare_close(struct bare *b)
{
    sqlite3_finalize(b->begin);
    sqlite3_finalize(b->insert);
    sqlite3_finalize(b->commit);
    sqlite3_close(b->db);
    unlink(b->path);
    return 0;
}

static size_t average_row(const char *file)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    need(sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL), db, file);
    need(sqlite3_prepare_v2(db, "SELECT avg(length(props) + length(recipients)) FROM (SELECT * FROM message LIMIT 1000)", -1,
                            &st, NULL), db, file);
    need(sqlite3_step(st), db, file);
    const size_t size = (size_t)sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    sqlite3_close(db);
    return size;
}

static void prepare(struct bare *b, const char *text, sqlite3_stmt **out)
{
    need(sqlite3_prepare_v3(b->db, text, -1, SQLITE_PREPARE_PERSISTENT, out, NULL), b->db, text);
}

struct bare *bare_open(TALLOC_CTX *owner, const char *mailbox_file)
{
    struct bare *b = talloc_zero(owner, struct bare);
    b->size = average_row(mailbox_file);
    b->row = talloc_array(b, uint8_t, b->size);
    random_bytes(b->row, b->size);
    b->path = talloc_asprintf(b, "%s.bare", mailbox_file);
    unlink(b->path);
    need(sqlite3_open(b->path, &b->db), b->db, b->path);
    need(sqlite3_exec(b->db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                             "CREATE TABLE message(id INTEGER PRIMARY KEY, bytes BLOB NOT NULL)", NULL, NULL, NULL),
         b->db, b->path);
    prepare(b, "BEGIN IMMEDIATE", &b->begin);
    prepare(b, "INSERT INTO message(bytes) VALUES ($1)", &b->insert);
    prepare(b, "COMMIT", &b->commit);
    talloc_set_destructor(b, bare_close);
    return b;
}

size_t bare_row_size(const struct bare *b)
{
    return b->size;
}

static void run(struct bare *b, sqlite3_stmt *st)
{
    need(sqlite3_step(st), b->db, b->path);
    need(sqlite3_reset(st), b->db, b->path);
}

unsigned bare_commit(void *bare)
{
    struct bare *b = bare;
    run(b, b->begin);
    need(sqlite3_bind_blob(b->insert, 1, b->row, (int)b->size, SQLITE_STATIC), b->db, b->path);
    run(b, b->insert);
    run(b, b->commit);
    return 1;
}
