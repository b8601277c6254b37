/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "bare.h"

#include <sqlite3.h>
#include <unistd.h>

struct bare {
    sqlite3 *db, *mailbox;
    sqlite3_stmt *begin, *insert, *commit, *page, *messages;
    const char *path;
    size_t size;
    uint8_t *row;
    int64_t commits, checked, last_cn;
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
    sqlite3_finalize(b->page);
    sqlite3_finalize(b->messages);
    sqlite3_close(b->db);
    sqlite3_close(b->mailbox);
    unlink(b->path);
    return 0;
}

static sqlite3_stmt *prepared(sqlite3 *db, const char *text)
{
    sqlite3_stmt *st;
    need(sqlite3_prepare_v3(db, text, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL), db, text);
    return st;
}

static int64_t number(sqlite3 *db, const char *text)
{
    sqlite3_stmt *st = prepared(db, text);
    need(sqlite3_step(st), db, text);
    const int64_t n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static void open_mailbox(struct bare *b, const char *file)
{
    need(sqlite3_open_v2(file, &b->mailbox, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL), b->mailbox, file);
    need(sqlite3_exec(b->mailbox, "PRAGMA cache_size=-4000", NULL, NULL, NULL), b->mailbox, file);
    b->size = (size_t)number(b->mailbox,
                             "SELECT avg(length(props) + length(recipients)) FROM (SELECT * FROM message LIMIT 1000)");
    b->page = prepared(b->mailbox,
                       "SELECT mid, fid, class, prefix, subject, sender, display_to, delivery_time, flags, is_read,"
                       "  has_attach, importance, size FROM message WHERE mb = 1 AND fid = $1 AND associated = 0"
                       "  AND deleted IS NULL ORDER BY delivery_time DESC, mid DESC LIMIT 50");
    need(sqlite3_bind_int64(b->page, 1, number(b->mailbox, "SELECT fid FROM folder ORDER BY total DESC LIMIT 1")),
         b->mailbox, file);
    b->messages = prepared(b->mailbox, "SELECT cn, * FROM message WHERE mb = 1 AND fid = $1 AND associated = 0"
                                       "  AND cn > $2 ORDER BY cn LIMIT 100");
    need(sqlite3_bind_int64(b->messages, 1, number(b->mailbox, "SELECT fid FROM folder ORDER BY total DESC LIMIT 1")),
         b->mailbox, file);
}

struct bare *bare_open(TALLOC_CTX *owner, const char *mailbox_file)
{
    struct bare *b = talloc_zero(owner, struct bare);
    open_mailbox(b, mailbox_file);
    b->row = talloc_array(b, uint8_t, b->size);
    random_bytes(b->row, b->size);
    b->path = talloc_asprintf(b, "%s.bare", mailbox_file);
    unlink(b->path);
    need(sqlite3_open_v2(b->path, &b->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL),
         b->db, b->path);
    need(sqlite3_exec(
             b->db,
             "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
             "CREATE TABLE message(id INTEGER PRIMARY KEY, fid BIGINT, cn BIGINT, delivery_time BIGINT, bytes BLOB);"
             "CREATE INDEX by_time ON message(fid, delivery_time); CREATE INDEX by_change ON message(fid, cn)",
             NULL, NULL, NULL),
         b->db, b->path);
    b->begin = prepared(b->db, "BEGIN IMMEDIATE");
    b->insert = prepared(b->db, "INSERT INTO message(fid, cn, delivery_time, bytes) VALUES (1, $1, $1, $2)");
    b->commit = prepared(b->db, "COMMIT");
    talloc_set_destructor(b, bare_close);
    return b;
}

const char *bare_commits(const struct bare *b)
{
    return talloc_asprintf(b, "SQLite commits of %s", with_commas((TALLOC_CTX *)b, (double)b->size, " bytes"));
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
    need(sqlite3_bind_int64(b->insert, 1, ++b->commits), b->db, b->path);
    need(sqlite3_bind_blob(b->insert, 2, b->row, (int)b->size, SQLITE_STATIC), b->db, b->path);
    run(b, b->insert);
    run(b, b->commit);
    return 1;
}

unsigned bare_page(void *bare)
{
    struct bare *b = bare;
    int rows = 0;
    for (; sqlite3_step(b->page) == SQLITE_ROW; rows++)
        for (int i = 0, n = sqlite3_column_count(b->page); i < n; i++)
            if (sqlite3_column_type(b->page, i) == SQLITE_TEXT)
                b->checked += *sqlite3_column_text(b->page, i) + sqlite3_column_bytes(b->page, i);
            else
                b->checked += sqlite3_column_int64(b->page, i);
    need(sqlite3_reset(b->page), b->mailbox, b->path);
    if (rows != 50)
        give_up("%s: a page of %d rows", b->path, rows);
    return 1;
}

unsigned bare_messages(void *bare)
{
    struct bare *b = bare;
    unsigned rows = 0;
    need(sqlite3_bind_int64(b->messages, 2, b->last_cn), b->mailbox, b->path);
    for (; sqlite3_step(b->messages) == SQLITE_ROW; rows++) {
        b->last_cn = sqlite3_column_int64(b->messages, 0);
        for (int i = 1, n = sqlite3_column_count(b->messages); i < n; i++) {
            const uint8_t *bytes = sqlite3_column_blob(b->messages, i);
            b->checked += bytes ? *bytes + sqlite3_column_bytes(b->messages, i) : 0;
        }
    }
    need(sqlite3_reset(b->messages), b->mailbox, b->path);
    b->last_cn = rows ? b->last_cn : 0;
    return rows;
}
