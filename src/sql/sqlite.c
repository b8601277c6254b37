/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite: one file, any number of readers and one writer at a time (WAL). */
#include "sql/engine.h"
#include "sql/turn.h"

#include <errno.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

struct lite {
    sqlite3 *db;
    sqlite3_stmt *controls[SQL_CONTROLS];
    struct turn *turn;                        /* the file's, which a writer takes before SQLite's own lock */
    bool has_turn;
};

struct lite_statement {
    sqlite3_stmt *handle;
    bool copies;                              /* holds copies of texts and blobs that reset lets go */
    int parameters;
    uint8_t value_of[];                       /* SQLite numbers $N by first appearance: the place in BIND of each */
};

static const struct sql_advice advice[] = {
    { ecAccessDenied, "give the service's user the right to read and write the file and its folder" },
    { ecNotFound,     "make the folder first" },
    { ecDiskFull,     "free some space on this disk" },
    { ecCorruptStore, "stop the server, restore the file from a backup (`sqlite3 FILE .recover` saves what is left)" },
    { ecServerBusy,   "if it stays, see which other process keeps the file locked (fuser FILE)" },
    { ecInsufficientResrc, "raise the limit of open files (LimitNOFILE= in the service's unit)" },
    { ecReadFault,    "the disk fails: look at the kernel's log, and move the file to a sound disk" },
    { ecVersion,      "use the newer program that made them" },
    { ecNone,         NULL },
};

/* ---- errors ---- */

/* The first row that fits the extended code, or else its lower byte. */
static const struct {
    int code;
    enum ec ec;
} codes[] = {
    { SQLITE_CONSTRAINT_UNIQUE,     ecDuplicateName },
    { SQLITE_CONSTRAINT_PRIMARYKEY, ecDuplicateName },
    { SQLITE_CONSTRAINT_ROWID,      ecDuplicateName },
    { SQLITE_BUSY,                  ecServerBusy },
    { SQLITE_LOCKED,                ecServerBusy },
    { SQLITE_FULL,                  ecDiskFull },
    { SQLITE_CORRUPT,               ecCorruptStore },
    { SQLITE_NOTADB,                ecCorruptStore },
    { SQLITE_IOERR,                 ecReadFault },
    { SQLITE_CANTOPEN,              ecAccessDenied },
    { SQLITE_READONLY,              ecAccessDenied },
    { SQLITE_PERM,                  ecAccessDenied },
    { SQLITE_AUTH,                  ecAccessDenied },
    { SQLITE_NOMEM,                 ecServerOOM },
    { SQLITE_TOOBIG,                ecTooBig },
};

static enum ec ec_of(int code, int system_errno)
{
    const int primary = code & 0xFF;
    if (system_errno == ENOSPC || system_errno == EDQUOT)
        return ecDiskFull;
    if (system_errno == EMFILE || system_errno == ENFILE)
        return ecInsufficientResrc;
    for (size_t i = 0; i < COUNTOF(codes); i++)
        if (codes[i].code == code || codes[i].code == primary)
            return codes[i].ec;
    return ecError;
}

static enum ec failed(struct sql *db, const struct sql_statement *st)
{
    sqlite3 *handle = ((struct lite *)db->own)->db;
    const int code = sqlite3_extended_errcode(handle), primary = code & 0xFF;
    /* kept from the last error that had one */
    const int system_errno = primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN ? sqlite3_system_errno(handle) : 0;
    const char *cause = system_errno ? strerror(system_errno) : NULL;
    const enum ec ec = ec_of(code, system_errno);
    return sql_set_error(db, ec, ec == ecError ? st : NULL, "%s%s%s%s", sqlite3_errmsg(handle),
                         cause ? " (" : "", cause ? cause : "", cause ? ")" : "");
}

/* ---- opening ---- */

/* Each thread keeps to its own connections, so the process-wide memory statistics only cost a lock. */
static void configure(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

static enum ec ec_of_errno(int number)
{
    switch (number) {
    case ENOENT: case ENOTDIR: return ecNotFound;
    case ENOSPC: case EDQUOT:  return ecDiskFull;
    default:                   return ecAccessDenied;
    }
}

/* SQLite would make the file readable for all.  mknod, for open and close would cancel the locks that another
 * connection of this process has just taken on the same file. */
static enum ec make_file(struct sql *db)
{
    if (mknod(db->name, S_IFREG | 0600, 0) == 0 || errno == EEXIST)
        return ecNone;
    return sql_set_error(db, ec_of_errno(errno), NULL, "cannot be created (%s)", strerror(errno));
}

static void give_turn(struct lite *lite)
{
    if (lite->has_turn)
        turn_give(lite->turn);
    lite->has_turn = false;
}

static int lite_free(struct lite *lite)
{
    for (size_t i = 0; i < COUNTOF(lite->controls); i++)
        sqlite3_finalize(lite->controls[i]);
    sqlite3_close_v2(lite->db);               /* waits for statements whose owner goes after this one */
    give_turn(lite);
    if (lite->turn)
        turn_leave(lite->turn);
    return 0;
}

static enum ec run(struct sql *db, const char *text)
{
    struct lite *lite = db->own;
    return sqlite3_exec(lite->db, text, NULL, NULL, NULL) == SQLITE_OK ? ecNone : failed(db, NULL);
}

/* Pages of 8 KB: rows of 2 to 3 KB, which messages are, leave half of a 4 KB page empty.
 * Of several processes that change a new file to WAL at once, SQLite tells all but one BUSY without waiting. */
static enum ec use_wal(struct sql *db)
{
    struct lite *lite = db->own;
    const uint64_t until = clock_ms() + db->wait_ms;
    while (sqlite3_exec(lite->db, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL", NULL, NULL, NULL) != SQLITE_OK) {
        if (sqlite3_errcode(lite->db) % 256 != SQLITE_BUSY || clock_ms() > until)
            return failed(db, NULL);
        sqlite3_sleep(5);
    }
    return ecNone;
}

/* FULL: each commit is synced.  secure_delete=FAST wipes deleted mail where that costs no further write. */
static const char settings[] =
    "PRAGMA synchronous=FULL; PRAGMA foreign_keys=OFF; PRAGMA secure_delete=FAST;"
    "PRAGMA cache_size=-4000; PRAGMA journal_size_limit=16777216; PRAGMA temp_store=MEMORY;"
    "PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON";

static enum ec lite_open(struct sql *db)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, configure);
    db->name = talloc_strdup(db, strchr(db->url, ':') + 1);
    if (db->name[0] != '/')
        return sql_set_error(db, ecInvalidParam, NULL, "not an absolute path");
    enum ec ec = make_file(db);
    if (ec)
        return ec;

    struct lite *lite = talloc_zero(db, struct lite);
    db->own = lite;
    talloc_set_destructor(lite, lite_free);
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(db->name, &lite->db, flags, NULL) != SQLITE_OK)
        return failed(db, NULL);
    if (sqlite3_db_readonly(lite->db, "main"))
        return sql_set_error(db, ecAccessDenied, NULL, "may be read, but not written");
    sqlite3_db_config(lite->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);          /* "x" is a name, as in PostgreSQL */
    sqlite3_db_config(lite->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
    sqlite3_busy_timeout(lite->db, (int)db->wait_ms);
    struct stat file;
    if (stat(db->name, &file))
        return sql_set_error(db, ec_of_errno(errno), NULL, "cannot be examined (%s)", strerror(errno));
    lite->turn = turn_join(&file);
    ec = use_wal(db);
    return ec ? ec : run(db, settings);
}

static enum ec lite_wait_at_most(struct sql *db)
{
    sqlite3_busy_timeout(((struct lite *)db->own)->db, (int)MIN(db->wait_ms, (unsigned)INT32_MAX));
    return ecNone;
}

/* ---- transactions and scripts ---- */

static const char *const control_texts[SQL_CONTROLS] = {
    [SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",    /* a deferred one could find, at its first write, that it has lost */
    [SQL_BEGIN_READ]  = "BEGIN",
    [SQL_COMMIT]      = "COMMIT",
    [SQL_ROLLBACK]    = "ROLLBACK",
    [SQL_SAVEPOINT]   = "SAVEPOINT s",
    [SQL_RELEASE]     = "RELEASE s",
    [SQL_ROLLBACK_TO] = "ROLLBACK TO s",
};

static enum ec step_control(struct sql *db, enum sql_control control)
{
    struct lite *lite = db->own;
    sqlite3_stmt **st = &lite->controls[control];
    if (!*st && sqlite3_prepare_v3(lite->db, control_texts[control], -1, SQLITE_PREPARE_PERSISTENT, st, NULL))
        return failed(db, NULL);
    enum ec ec = sqlite3_step(*st) == SQLITE_DONE ? ecNone : failed(db, NULL);
    sqlite3_reset(*st);
    return ec;
}

static enum ec begin_write(struct sql *db)
{
    struct lite *lite = db->own;
    lite->has_turn = turn_take(lite->turn, db->wait_ms);
    if (!lite->has_turn)
        return sql_set_error(db, ecServerBusy, NULL, "other writers took longer than %u ms", db->wait_ms);
    return step_control(db, SQL_BEGIN_WRITE);
}

/* A full disk, say, has rolled back everything already. */
static enum ec roll_back(struct sql *db, enum sql_control control)
{
    if (sqlite3_get_autocommit(((struct lite *)db->own)->db))
        return control == SQL_ROLLBACK ? ecNone : ecError;     /* no savepoint: the error that did it stands */
    enum ec ec = step_control(db, control);
    return ec || control == SQL_ROLLBACK ? ec : step_control(db, SQL_RELEASE);
}

static enum ec lite_control(struct sql *db, enum sql_control control)
{
    if (control == SQL_BEGIN_WRITE)
        return begin_write(db);
    const bool back = control == SQL_ROLLBACK || control == SQL_ROLLBACK_TO;
    enum ec ec = back ? roll_back(db, control) : step_control(db, control);
    if (control == SQL_ROLLBACK || (control == SQL_COMMIT && !ec))
        give_turn(db->own);
    return ec;
}

static enum ec lite_script(struct sql *db, const char *text)
{
    return run(db, text);
}

/* ---- statements ---- */

static enum ec map_parameters(struct sql *db, struct sql_statement *st, size_t values)
{
    struct lite_statement *own = st->own;
    for (int i = 0; i < own->parameters; i++) {
        const char *name = sqlite3_bind_parameter_name(own->handle, i + 1);
        const int number = name && name[0] == '$' ? atoi(name + 1) : 0;
        if (number < 1 || (size_t)number > values)
            return sql_set_error(db, ecError, st, "%zu values for %s", values, name ? name : "?");
        own->value_of[i] = (uint8_t)(number - 1);
    }
    return ecNone;
}

static int statement_free(struct lite_statement *own)
{
    sqlite3_finalize(own->handle);
    return 0;
}

static enum ec lite_prepare(struct sql *db, struct sql_statement *st, struct sql_bind bind)
{
    struct lite *lite = db->own;
    sqlite3_stmt *handle;
    if (sqlite3_prepare_v3(lite->db, st->text, -1, SQLITE_PREPARE_PERSISTENT, &handle, NULL) != SQLITE_OK)
        return failed(db, st);
    const int parameters = sqlite3_bind_parameter_count(handle);
    struct lite_statement *own = talloc_zero_size(st, sizeof *own + (size_t)parameters);
    own->handle = handle;
    own->parameters = parameters;
    talloc_set_destructor(own, statement_free);
    st->own = own;
    st->writes = handle && !sqlite3_stmt_readonly(handle);
    return map_parameters(db, st, bind.count);
}

static int bind_one(sqlite3_stmt *handle, int i, const struct sql_value *v, sqlite3_destructor_type keep)
{
    const void *bytes = v->bytes.data;
    switch (v->type) {
    case SQL_INT:  return sqlite3_bind_int64(handle, i, v->integer);
    case SQL_REAL: return sqlite3_bind_double(handle, i, v->real);
    case SQL_TEXT: return sqlite3_bind_text64(handle, i, bytes, v->bytes.size, keep, SQLITE_UTF8);
    /* no pointer would mean NULL */
    case SQL_BLOB: return sqlite3_bind_blob64(handle, i, v->bytes.size ? bytes : "", v->bytes.size, keep);
    default:       return sqlite3_bind_null(handle, i);
    }
}

static enum ec lite_start(struct sql *db, struct sql_statement *st, struct sql_bind bind, bool borrow)
{
    struct lite_statement *own = st->own;
    own->copies = !borrow;
    for (int i = 0; i < own->parameters; i++) {
        if (own->value_of[i] >= bind.count)
            return sql_set_error(db, ecError, st, "%zu values are too few", bind.count);
        const struct sql_value *v = &bind.values[own->value_of[i]];
        if (bind_one(own->handle, i + 1, v, borrow ? SQLITE_STATIC : SQLITE_TRANSIENT) != SQLITE_OK)
            return failed(db, st);
    }
    st->columns = (unsigned)sqlite3_column_count(own->handle);
    return ecNone;
}

static enum ec lite_next(struct sql *db, struct sql_statement *st, bool *row)
{
    const int code = sqlite3_step(((struct lite_statement *)st->own)->handle);
    *row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? ecNone : failed(db, st);
}

static struct sql_value lite_column(struct sql_statement *st, unsigned column)
{
    sqlite3_stmt *handle = ((struct lite_statement *)st->own)->handle;
    const int i = (int)column;
    const void *bytes;
    switch (sqlite3_column_type(handle, i)) {
    case SQLITE_INTEGER: return B_INT(sqlite3_column_int64(handle, i));
    case SQLITE_FLOAT:   return B_REAL(sqlite3_column_double(handle, i));
    case SQLITE_TEXT:    return B_TEXT((const char *)sqlite3_column_text(handle, i));
    case SQLITE_BLOB:
        bytes = sqlite3_column_blob(handle, i);
        return bytes ? B_BYTES(bytes, (size_t)sqlite3_column_bytes(handle, i)) : B_BYTES("", 0);
    default:             return B_NULL;
    }
}

static int64_t lite_affected(struct sql *db, struct sql_statement *st)
{
    return st->writes ? sqlite3_changes64(((struct lite *)db->own)->db) : 0;
}

static void lite_reset(struct sql_statement *st)
{
    struct lite_statement *own = st->own;
    sqlite3_reset(own->handle);
    if (own->copies)
        sqlite3_clear_bindings(own->handle);
}

static void lite_forget(struct sql *db, struct sql_statement *st)
{
    (void)db;
    (void)st;                                 /* the destructor does it */
}

const struct sql_engine sql_sqlite = {
    .name = "sqlite",
    .schemes = { "sqlite:" },
    .open = lite_open,
    .wait_at_most = lite_wait_at_most,
    .control = lite_control,
    .script = lite_script,
    .prepare = lite_prepare,
    .start = lite_start,
    .next = lite_next,
    .column = lite_column,
    .affected = lite_affected,
    .reset = lite_reset,
    .forget = lite_forget,
    .has_schema_version_sql = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'schema_version'",
    .advice = advice,
};
