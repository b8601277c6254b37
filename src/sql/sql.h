/* SPDX-License-Identifier: Apache-2.0 */
/* sql/sql.h: one small SQL layer over two engines, SQLite and PostgreSQL.  It owns connections, prepared
 * statements and transactions.  It never builds SQL text, and knows nothing of mail.
 *
 *     struct sql_tx tx = sql_begin(db);
 *     int64_t cn = sql_int(&tx, next_cn_sql, BIND(B_INT(mailbox)));          no row: ecNotFound sticks
 *     sql_exec(&tx, message_insert_sql, BIND(B_INT(cn), B_TEXT(subject), B_BLOB(bag)));
 *     return sql_end(&tx);                                                   commits, or rolls back and says why
 *
 * Errors stick to the transaction: after the first one every further call does nothing and gives 0, "" or no row.
 *
 * The dialect that both engines share (SQLite 3.40, PostgreSQL 15)
 *   - Statement texts are constants: the prepared statement is found by the text's address.
 *   - Parameters are $1, $2 ..., each usable more than once and of one type (what B_... says) in all its places.
 *   - Column types: BIGINT (booleans too, as 0 and 1), TEXT, BYTEA, DOUBLE PRECISION.
 *   - TEXT is valid UTF-8 without NUL (anything else: ecInvalidParam) and compared for equality only, which is
 *     bytewise in both.  Its order is the database's collation in PostgreSQL: what is sorted or cut into ranges is
 *     BYTEA (text_sort_key), which is memcmp order in both.
 *   - ON CONFLICT ... DO UPDATE/NOTHING, RETURNING, LIMIT/OFFSET, WITH [RECURSIVE], window functions, CASE,
 *     COALESCE, EXISTS, partial indexes, row values in comparisons.  ORDER BY says NULLS FIRST or LAST where there
 *     can be NULLs.  Integer division, || for text, substr(), length(): alike.
 *   - sql_script and sql_schema read a comment that begins with the engine's name as text for that engine alone
 *     (slashes stand for the brackets): "CREATE TABLE t(...) [*sqlite WITHOUT ROWID*]; [*postgres ALTER TABLE
 *     message ALTER bag SET STORAGE EXTERNAL;*]". */
#pragma once
#include "base/base.h"

struct sql;                                   /* one connection and its prepared statements; one thread at a time */

/* `sqlite:/absolute/path.db` (made with mode 0600 when missing; WAL; a commit is on the disk when sql_end returns)
 * or `postgresql://...` in any form that libpq reads, several hosts included.  What a failure says about whom:
 *   ecInvalidParam  no such kind of URL          ecAccessDenied  the file, folder or table may not be written
 *   ecNotFound      no such folder or database   ecCorruptStore  not a database, or a damaged one
 *   ecDiskFull      no space                     ecLoginFailure  PostgreSQL knows no such user or password
 *   ecServerBusy    PostgreSQL does not answer, or somebody else holds the lock for too long: later again
 * The sentence for the administrator is logged and stands in sql_error(NULL). */
enum ec sql_open(struct sql **out, TALLOC_CTX *owner, const char *url);
const char *sql_error(const struct sql *);    /* the connection's last error: what, where and what to do; never NULL */
                                              /* NULL: the last one of this thread, of whatever connection, */
void sql_forget_error(void);                  /* since it was forgotten */
const char *sql_name(const struct sql *);     /* the path, or postgresql://host/database without a password */

/* How long a write waits for another writer before ecServerBusy; 10,000 ms unless said. */
void sql_wait_at_most(struct sql *, unsigned milliseconds);
/* Write transactions of all connections with this key take turns, as they do on one SQLite file.  A mailbox in a
 * shared PostgreSQL database sets its own key once, and then reads in a write transaction what nobody changes
 * before its end.  Nothing to do on SQLite. */
void sql_take_turns(struct sql *, int64_t key);

/* Values for $1, $2 ...  Texts and blobs are borrowed for the call alone.  A blob of no bytes is not NULL. */
enum sql_type { SQL_NULL, SQL_INT, SQL_REAL, SQL_TEXT, SQL_BLOB };
struct sql_value {
    enum sql_type type;
    union {
        int64_t integer;
        double real;
        struct blob bytes;                    /* SQL_TEXT: without the terminating NUL, which is there */
    };
};
struct sql_bind {
    const struct sql_value *values;
    size_t count;
};
/* Not named INT, TEXT, BLOB: the wire tables use such words as macros. */
#define BIND(...) ((struct sql_bind){ (const struct sql_value[]){ __VA_ARGS__ }, \
                                      sizeof((const struct sql_value[]){ __VA_ARGS__ }) / sizeof(struct sql_value) })
#define SQL_BIND_MAX 64                       /* values in one BIND */
#define B_NULL ((struct sql_value){ .type = SQL_NULL })
static inline struct sql_value B_INT(int64_t v) { return (struct sql_value){ .type = SQL_INT, .integer = v }; }
static inline struct sql_value B_REAL(double v) { return (struct sql_value){ .type = SQL_REAL, .real = v }; }
static inline struct sql_value B_BLOB(struct blob v) { return (struct sql_value){ .type = SQL_BLOB, .bytes = v }; }
static inline struct sql_value B_BYTES(const void *p, size_t n) { return B_BLOB(BLOB_OF(p, n)); }
static inline struct sql_value B_TEXT(const char *v)          /* NULL is SQL's NULL */
{
    return (struct sql_value){ .type = SQL_TEXT, .bytes = BLOB_OF(v, v ? strlen(v) : 0) };
}

/* A transaction.  Inside another one on the same connection it joins: the outermost sql_end commits.  An inner one
 * that fails before it changed anything leaves the outer one as it was (its own sql_end tells the error); one that
 * fails after a change, or on an error of the database, dooms the outer one with the same code.
 * A write transaction sees, and may rely on, the newest committed state (see sql_take_turns).
 * If the connection dies during sql_end's commit, the answer is ecServerBusy and the commit may have happened. */
struct sql_tx {
    struct sql *db;
    enum ec ec;                               /* the error that sticks; read it, set it by sql_abort */
    uint8_t kind;
    uint64_t changes_before;
};
struct sql_tx sql_begin(struct sql *);
struct sql_tx sql_read(struct sql *);         /* reads only, one snapshot; sql_begin inside it is a mistake (assert) */
struct sql_tx sql_savepoint(struct sql *);    /* as sql_begin, but inside another one its failure undoes itself alone */
enum ec sql_end(struct sql_tx *);             /* also closes rows that are still open */
void sql_abort(struct sql_tx *, enum ec);     /* the caller's own error sticks; ecNone does nothing */
bool sql_failed(const struct sql_tx *);       /* something sticks, here or in an outer or inner transaction */

/* One statement, run to its end. */
int64_t sql_exec(struct sql_tx *, const char *sql, struct sql_bind);          /* the number of rows affected */
int64_t sql_int(struct sql_tx *, const char *sql, struct sql_bind);           /* NULL: 0; no row: ecNotFound sticks */
int64_t sql_int_or(struct sql_tx *, int64_t otherwise, const char *sql, struct sql_bind);     /* no row, or NULL */
char *sql_text(TALLOC_CTX *arena, struct sql_tx *, const char *sql, struct sql_bind);         /* likewise; never NULL */
struct blob sql_blob(TALLOC_CTX *arena, struct sql_tx *, const char *sql, struct sql_bind);

/* Rows.  Other statements may run between two sql_next, the same one too; do not change the rows that are being
 * walked.  PostgreSQL hands over the whole result at once: ask for pages (LIMIT), not for all of a large table.
 *     struct sql_rows rows = sql_query(&tx, sql, BIND(B_INT(fid)));
 *     while (sql_next(&rows))
 *         ... sql_col_int(&rows, 0) ...
 * A loop that is left early calls sql_done, or leaves it to sql_end. */
struct sql_rows {
    struct sql_tx *tx;
    struct sql_statement *statement;
};
struct sql_rows sql_query(struct sql_tx *, const char *sql, struct sql_bind);
struct sql_rows sql_one(struct sql_tx *, const char *sql, struct sql_bind);   /* on the first row, or as sql_int */
bool sql_next(struct sql_rows *);
void sql_done(struct sql_rows *);
/* Columns count from 0.  NULL reads as 0, "" or no bytes; another type than asked for is a mistake (ecError sticks),
 * except that every number reads as int or real.  Texts and blobs live until the next sql_next or sql_done. */
bool sql_col_null(struct sql_rows *, unsigned column);
int64_t sql_col_int(struct sql_rows *, unsigned column);
double sql_col_real(struct sql_rows *, unsigned column);
const char *sql_col_text(struct sql_rows *, unsigned column);
struct blob sql_col_blob(struct sql_rows *, unsigned column);
char *sql_col_text_copy(TALLOC_CTX *arena, struct sql_rows *, unsigned column);
struct blob sql_col_blob_copy(TALLOC_CTX *arena, struct sql_rows *, unsigned column);

/* Several statements without parameters (DDL), in one transaction. */
enum ec sql_script(struct sql *, const char *text);
/* Brings the tables of `name` to version `count`: runs the steps that are missing, in one transaction; of several
 * processes that do it at once, one works and the others find it done.  A released step never changes; a new one is
 * added behind it.  ecVersion: a newer program has been here. */
struct sql_schema_step {
    const char *what;                         /* "folders and messages" */
    const char *script;
};
enum ec sql_schema(struct sql *, const struct sql_schema_step steps[], size_t count, const char *name);

/* Statements run so far (BEGIN, COMMIT and the like are not counted): of the process, and of one connection. */
uint64_t sql_statements(void);
uint64_t sql_statements_of(const struct sql *);
