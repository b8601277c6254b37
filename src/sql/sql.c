/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/engine.h"

#include <assert.h>
#include <stdatomic.h>

enum { STATEMENTS_MAX = 128, WAIT_MS = 10000 };
enum { TX_OUTERMOST, TX_JOINED, TX_SAVEPOINT };

static const struct sql_engine *const engines[] = { &sql_sqlite, &sql_postgres };
static _Atomic uint64_t statements_run;
static _Thread_local char last_error[1024];

/* ---- errors ---- */

static const char *advice_for(const struct sql *db, enum ec ec)
{
    for (const struct sql_advice *a = db->engine->advice; a->ec; a++)
        if (a->ec == ec)
            return a->what_to_do;
    return NULL;
}

/* What the administrator must mend, and mistakes of ours, are logged; once, not for every request that meets them. */
static void log_once(struct sql *db, enum ec ec, bool important)
{
    if (important && db->logged != ec)
        log_line(LOG_ERROR, "sql", "%s", db->error);
    if (important)
        db->logged = ec;
}

enum ec sql_set_error(struct sql *db, enum ec ec, const struct sql_statement *st, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = talloc_vasprintf(db, format, args);
    va_end(args);
    const char *advice = advice_for(db, ec);
    char *error = talloc_asprintf(db, "%s: %s%s%s%s%s", db->name, message, st ? " in: " : "", st ? st->text : "",
                                  advice ? "; " : "", advice ? advice : "");
    talloc_free(message);
    talloc_free(db->error);
    db->error = error;
    snprintf(last_error, sizeof last_error, "%s", error);
    log_once(db, ec, advice || ec == ecError);
    return ec;
}

const char *sql_error(const struct sql *db)
{
    const char *text = db ? db->error : last_error;
    return text ? text : "";
}

void sql_forget_error(void)
{
    *last_error = 0;
}

const char *sql_name(const struct sql *db)
{
    return db->name;
}

/* ---- opening ---- */

static const struct sql_engine *engine_of(const char *url)
{
    for (size_t i = 0; i < COUNTOF(engines); i++)
        for (const char *const *scheme = engines[i]->schemes; *scheme; scheme++)
            if (text_is_prefix(url, *scheme))
                return engines[i];
    return NULL;
}

enum ec sql_open(struct sql **out, TALLOC_CTX *owner, const char *url)
{
    *out = NULL;
    const struct sql_engine *engine = engine_of(url);
    if (!engine) {
        snprintf(last_error, sizeof last_error, "not a database URL; write sqlite:/path/file.db or postgresql://...");
        log_line(LOG_ERROR, "sql", "%s", last_error);
        return ecInvalidParam;
    }
    struct sql *db = talloc_zero(owner, struct sql);
    db->engine = engine;
    db->url = talloc_strdup(db, url);
    db->wait_ms = WAIT_MS;
    enum ec ec = engine->open(db);
    if (ec) {
        log_once(db, ec, true);
        snprintf(last_error, sizeof last_error, "%s", sql_error(db));
        talloc_free(db);
        return ec;
    }
    *out = db;
    return ecNone;
}

void sql_wait_at_most(struct sql *db, unsigned milliseconds)
{
    db->wait_ms = milliseconds;
    db->engine->wait_at_most(db);
}

void sql_take_turns(struct sql *db, int64_t key)
{
    db->turns = true;
    db->turn_key = key;
}

uint64_t sql_statements(void)
{
    return atomic_load_explicit(&statements_run, memory_order_relaxed);
}

uint64_t sql_statements_of(const struct sql *db)
{
    return db->statements;
}

/* ---- prepared statements ---- */

static struct sql_statement **slot_of(struct sql *db, const char *address)
{
    const uint64_t mixed = (uintptr_t)address * UINT64_C(0x9E3779B97F4A7C15);
    return &db->slots[mixed >> 58];
}
static_assert(COUNTOF(((struct sql *)0)->slots) == 64, "slot_of takes the upper 6 bits");

/* NULL fits any type; a statement prepared with an untyped NULL fits NULL alone. */
static bool types_fit(const struct sql_statement *st, struct sql_bind bind)
{
    for (size_t i = 0; i < st->typed && i < bind.count; i++)
        if (bind.values[i].type != SQL_NULL && bind.values[i].type != st->types[i])
            return false;
    return true;
}

static struct sql_statement *statement_cached(struct sql *db, const char *sql, struct sql_bind bind)
{
    for (struct sql_statement *st = *slot_of(db, sql); st; st = st->next_in_slot)
        if (st->address == sql && !st->open && types_fit(st, bind) && !strcmp(st->text, sql))
            return st;
    return NULL;
}

static void statement_drop(struct sql *db, struct sql_statement *st)
{
    struct sql_statement **at = slot_of(db, st->address);
    while (*at != st)
        at = &(*at)->next_in_slot;
    *at = st->next_in_slot;
    db->cached--;
    db->engine->forget(db, st);
    talloc_free(st);
}

static void drop_least_recently_used(struct sql *db)
{
    struct sql_statement *oldest = NULL;
    for (size_t i = 0; i < COUNTOF(db->slots); i++)
        for (struct sql_statement *st = db->slots[i]; st; st = st->next_in_slot)
            if (!st->open && (!oldest || st->last_used < oldest->last_used))
                oldest = st;
    if (oldest)
        statement_drop(db, oldest);
}

static enum ec statement_prepare(struct sql *db, const char *sql, struct sql_bind bind, struct sql_statement **out)
{
    if (db->cached >= STATEMENTS_MAX)
        drop_least_recently_used(db);
    struct sql_statement *st = talloc_zero(db, struct sql_statement);
    st->address = sql;
    st->text = talloc_strdup(st, sql);
    enum ec ec = db->engine->prepare(db, st, bind);
    if (ec) {
        talloc_free(st);
        return ec;
    }
    struct sql_statement **slot = slot_of(db, sql);
    st->next_in_slot = *slot;
    *slot = st;
    db->cached++;
    *out = st;
    return ecNone;
}

/* SQLite would take any bytes as text, PostgreSQL takes UTF-8 alone: refuse in both. */
static enum ec values_check(struct sql *db, struct sql_bind bind)
{
    if (bind.count > SQL_BIND_MAX)
        return sql_set_error(db, ecError, NULL, "%zu values in one BIND", bind.count);
    for (size_t i = 0; i < bind.count; i++)
        if (bind.values[i].type == SQL_TEXT && !utf8_is_valid(bind.values[i].bytes.data, bind.values[i].bytes.size))
            return sql_set_error(db, ecInvalidParam, NULL, "$%zu is not UTF-8 text", i + 1);
    return ecNone;
}

static void statement_close(struct sql *db, struct sql_statement *st)
{
    struct sql_statement **at = &db->open;
    while (*at != st)
        at = &(*at)->next_open;
    *at = st->next_open;
    st->open = false;
    db->engine->reset(st);
}

static void statement_opened(struct sql *db, struct sql_statement *st)
{
    st->open = true;
    st->next_open = db->open;
    db->open = st;
    st->last_used = ++db->clock;
    db->changes += st->writes;
    db->statements++;
    atomic_fetch_add_explicit(&statements_run, 1, memory_order_relaxed);
}

/* An error of a statement dooms all that are open: PostgreSQL takes nothing more in this transaction. */
static struct sql_statement *tx_doomed(struct sql_tx *tx, enum ec ec)
{
    tx->ec = ec;
    tx->db->doom = ec;
    return NULL;
}

static struct sql_statement *start(struct sql_tx *tx, const char *sql, struct sql_bind bind, bool borrow)
{
    if (sql_failed(tx))
        return NULL;
    struct sql *db = tx->db;
    enum ec ec = values_check(db, bind);
    struct sql_statement *st = statement_cached(db, sql, bind);
    if (!ec && !st)
        ec = statement_prepare(db, sql, bind, &st);
    if (!ec && st->writes && db->reading)
        ec = sql_set_error(db, ecError, st, "a statement that writes in sql_read");
    if (!ec)
        ec = db->engine->start(db, st, bind, borrow);
    if (ec)
        return tx_doomed(tx, ec);
    statement_opened(db, st);
    return st;
}

static bool step(struct sql_tx *tx, struct sql_statement *st)
{
    bool row = false;
    enum ec ec = tx->db->engine->next(tx->db, st, &row);
    if (ec)
        tx_doomed(tx, ec);
    return row && !ec;
}

/* ---- transactions ---- */

static struct sql_tx tx_outermost(struct sql *db, bool write)
{
    db->depth = 1;
    db->reading = !write;
    db->doom = db->engine->control(db, write ? SQL_BEGIN_WRITE : SQL_BEGIN_READ);
    return (struct sql_tx){ .db = db, .ec = db->doom, .kind = TX_OUTERMOST, .changes_before = db->changes };
}

/* Without a savepoint of its own (the outer one has failed already) it only joins. */
static struct sql_tx tx_inner(struct sql *db, uint8_t kind)
{
    db->depth++;
    if (kind == TX_SAVEPOINT && !db->doom)
        db->doom = db->engine->control(db, SQL_SAVEPOINT);
    return (struct sql_tx){ .db = db, .ec = db->doom, .kind = db->doom ? TX_JOINED : kind,
                            .changes_before = db->changes };
}

struct sql_tx sql_begin(struct sql *db)
{
    assert(!(db->depth && db->reading));      /* neither engine lets a reader's snapshot begin to write */
    return db->depth ? tx_inner(db, TX_JOINED) : tx_outermost(db, true);
}

struct sql_tx sql_read(struct sql *db)
{
    return db->depth ? tx_inner(db, TX_JOINED) : tx_outermost(db, false);
}

struct sql_tx sql_savepoint(struct sql *db)
{
    assert(!(db->depth && db->reading));
    return db->depth ? tx_inner(db, TX_SAVEPOINT) : tx_outermost(db, true);
}

bool sql_failed(const struct sql_tx *tx)
{
    return tx->ec || tx->db->doom;
}

void sql_abort(struct sql_tx *tx, enum ec ec)
{
    if (!sql_failed(tx))
        tx->ec = ec;
}

static enum ec end_outermost(struct sql *db, enum ec ec)
{
    while (db->open)
        statement_close(db, db->open);
    if (!ec)
        ec = db->engine->control(db, SQL_COMMIT);
    if (ec)
        db->engine->control(db, SQL_ROLLBACK);
    else
        db->logged = ecNone;
    db->doom = ecNone;
    db->reading = false;
    return ec;
}

/* What a joined transaction has changed can go only with the whole. */
static enum ec end_joined(struct sql *db, enum ec ec, bool changed)
{
    if (ec && changed && !db->doom)
        db->doom = ec;
    return ec;
}

/* Going back also mends what doomed this part; the outer transaction carries on unless that failed. */
static enum ec end_savepoint(struct sql *db, enum ec ec)
{
    if (!ec)
        return db->doom = db->engine->control(db, SQL_RELEASE);
    db->doom = db->engine->control(db, SQL_ROLLBACK_TO) ? ec : ecNone;
    return ec;
}

enum ec sql_end(struct sql_tx *tx)
{
    struct sql *db = tx->db;
    enum ec ec = tx->ec ? tx->ec : db->doom;
    assert(db->depth);
    db->depth--;
    switch (tx->kind) {
    case TX_OUTERMOST: return end_outermost(db, ec);
    case TX_JOINED:    return end_joined(db, ec, db->changes != tx->changes_before);
    default:           return end_savepoint(db, ec);
    }
}

/* ---- one statement ---- */

int64_t sql_exec(struct sql_tx *tx, const char *sql, struct sql_bind bind)
{
    struct sql_statement *st = start(tx, sql, bind, true);
    if (!st)
        return 0;
    while (step(tx, st))
        ;
    const int64_t rows = sql_failed(tx) ? 0 : tx->db->engine->affected(tx->db, st);
    statement_close(tx->db, st);
    return rows;
}

static struct sql_rows query(struct sql_tx *tx, const char *sql, struct sql_bind bind, bool borrow)
{
    return (struct sql_rows){ .tx = tx, .statement = start(tx, sql, bind, borrow) };
}

struct sql_rows sql_query(struct sql_tx *tx, const char *sql, struct sql_bind bind)
{
    return query(tx, sql, bind, false);
}

bool sql_next(struct sql_rows *rows)
{
    if (!rows->statement)
        return false;
    if (!sql_failed(rows->tx) && step(rows->tx, rows->statement))
        return true;
    sql_done(rows);
    return false;
}

void sql_done(struct sql_rows *rows)
{
    if (rows->statement)
        statement_close(rows->tx->db, rows->statement);
    rows->statement = NULL;
}

struct sql_rows sql_one(struct sql_tx *tx, const char *sql, struct sql_bind bind)
{
    struct sql_rows rows = sql_query(tx, sql, bind);
    if (!sql_next(&rows))
        sql_abort(tx, ecNotFound);
    return rows;
}

int64_t sql_int(struct sql_tx *tx, const char *sql, struct sql_bind bind)
{
    struct sql_rows rows = query(tx, sql, bind, true);
    const bool found = sql_next(&rows);
    if (!found)
        sql_abort(tx, ecNotFound);
    const int64_t value = sql_col_int(&rows, 0);
    sql_done(&rows);
    return value;
}

int64_t sql_int_or(struct sql_tx *tx, int64_t otherwise, const char *sql, struct sql_bind bind)
{
    struct sql_rows rows = query(tx, sql, bind, true);
    const bool null = !sql_next(&rows) || sql_col_null(&rows, 0);
    const int64_t value = sql_col_int(&rows, 0);
    sql_done(&rows);
    return sql_failed(tx) ? 0 : null ? otherwise : value;
}

char *sql_text(TALLOC_CTX *arena, struct sql_tx *tx, const char *sql, struct sql_bind bind)
{
    struct sql_rows rows = query(tx, sql, bind, true);
    if (!sql_next(&rows))
        sql_abort(tx, ecNotFound);
    char *copy = sql_col_text_copy(arena, &rows, 0);
    sql_done(&rows);
    return copy;
}

struct blob sql_blob(TALLOC_CTX *arena, struct sql_tx *tx, const char *sql, struct sql_bind bind)
{
    struct sql_rows rows = query(tx, sql, bind, true);
    if (!sql_next(&rows))
        sql_abort(tx, ecNotFound);
    struct blob copy = sql_col_blob_copy(arena, &rows, 0);
    sql_done(&rows);
    return copy;
}

/* ---- columns ---- */

static int64_t real_to_int(double real)
{
    return !(real > -0x1p63) ? INT64_MIN : real >= 0x1p63 ? INT64_MAX : (int64_t)real;
}

static const char *const type_names[] = { "NULL", "a whole number", "a number", "text", "bytes" };

static struct sql_value column_value(struct sql_rows *rows, unsigned column)
{
    struct sql_statement *st = rows->statement;
    if (!st || sql_failed(rows->tx))
        return B_NULL;
    struct sql *db = rows->tx->db;
    if (column < st->columns)
        return db->engine->column(st, column);
    tx_doomed(rows->tx, sql_set_error(db, ecError, st, "there is no column %u", column));
    return B_NULL;
}

static void column_mistake(struct sql_rows *rows, unsigned column, enum sql_type got, enum sql_type wanted)
{
    if (got != SQL_NULL)
        tx_doomed(rows->tx, sql_set_error(rows->tx->db, ecError, rows->statement, "column %u is %s, not %s", column,
                                          type_names[got], type_names[wanted]));
}

bool sql_col_null(struct sql_rows *rows, unsigned column)
{
    return column_value(rows, column).type == SQL_NULL;
}

int64_t sql_col_int(struct sql_rows *rows, unsigned column)
{
    const struct sql_value value = column_value(rows, column);
    if (value.type == SQL_INT)
        return value.integer;
    if (value.type == SQL_REAL)
        return real_to_int(value.real);
    column_mistake(rows, column, value.type, SQL_INT);
    return 0;
}

double sql_col_real(struct sql_rows *rows, unsigned column)
{
    const struct sql_value value = column_value(rows, column);
    if (value.type == SQL_REAL)
        return value.real;
    if (value.type == SQL_INT)
        return (double)value.integer;
    column_mistake(rows, column, value.type, SQL_REAL);
    return 0;
}

const char *sql_col_text(struct sql_rows *rows, unsigned column)
{
    const struct sql_value value = column_value(rows, column);
    if (value.type == SQL_TEXT)
        return (const char *)value.bytes.data;
    column_mistake(rows, column, value.type, SQL_TEXT);
    return "";
}

struct blob sql_col_blob(struct sql_rows *rows, unsigned column)
{
    const struct sql_value value = column_value(rows, column);
    if (value.type == SQL_BLOB)
        return value.bytes;
    column_mistake(rows, column, value.type, SQL_BLOB);
    return BLOB_OF("", 0);
}

char *sql_col_text_copy(TALLOC_CTX *arena, struct sql_rows *rows, unsigned column)
{
    return talloc_strdup(arena, sql_col_text(rows, column));
}

struct blob sql_col_blob_copy(TALLOC_CTX *arena, struct sql_rows *rows, unsigned column)
{
    return blob_copy(arena, sql_col_blob(rows, column));
}

/* ---- scripts and schemas ---- */

/* Opens the comments meant for this engine: the marks become blanks, the text between them stays. */
static char *script_for(TALLOC_CTX *arena, const struct sql_engine *engine, const char *text)
{
    char *script = talloc_strdup(arena, text);
    const char *mark = talloc_asprintf(script, "/*%s ", engine->name);
    for (char *at = strstr(script, mark); at; at = strstr(at, mark)) {
        memset(at, ' ', strlen(mark));
        char *end = strstr(at, "*/");
        if (end)
            memset(end, ' ', 2);
    }
    return script;
}

enum ec sql_script(struct sql *db, const char *text)
{
    struct sql_tx tx = sql_begin(db);
    if (!sql_failed(&tx)) {
        char *script = script_for(db, db->engine, text);
        enum ec ec = db->engine->script(db, script);
        db->changes++;
        if (ec)
            tx_doomed(&tx, ec);
        talloc_free(script);
    }
    return sql_end(&tx);
}

static const char schema_version_script[] =
    "CREATE TABLE IF NOT EXISTS schema_version(name TEXT PRIMARY KEY, version BIGINT NOT NULL)";
static const char schema_version_sql[] = "SELECT version FROM schema_version WHERE name = $1";
static const char schema_version_set_sql[] =
    "INSERT INTO schema_version(name, version) VALUES($1, $2)"
    " ON CONFLICT(name) DO UPDATE SET version = excluded.version";
enum { SCHEMA_TURN = 0x6F786361 };            /* any number: who changes tables takes turns under it */

static int64_t schema_version(struct sql_tx *tx, const char *name)
{
    if (!sql_int(tx, tx->db->engine->has_schema_version_sql, BIND()))
        return 0;
    return sql_int_or(tx, 0, schema_version_sql, BIND(B_TEXT(name)));
}

/* Runs the steps after `version`; the caller's transaction holds the turn. */
static void schema_upgrade(struct sql_tx *tx, const struct sql_schema_step steps[], size_t count, const char *name)
{
    sql_abort(tx, sql_script(tx->db, schema_version_script));
    const int64_t version = schema_version(tx, name);
    if (version < 0 || (uint64_t)version > count)
        sql_abort(tx, sql_set_error(tx->db, ecVersion, NULL, "its %s tables have version %lld, this program knows %zu",
                                    name, (long long)version, count));
    for (size_t i = (size_t)version; i < count && !sql_failed(tx); i++)
        sql_abort(tx, sql_script(tx->db, steps[i].script));
    if ((uint64_t)version < count)
        sql_exec(tx, schema_version_set_sql, BIND(B_TEXT(name), B_INT((int64_t)count)));
}

enum ec sql_schema(struct sql *db, const struct sql_schema_step steps[], size_t count, const char *name)
{
    assert(!db->depth);
    struct sql_tx tx = sql_read(db);
    const int64_t version = schema_version(&tx, name);
    enum ec ec = sql_end(&tx);
    if (ec || (uint64_t)version == count)
        return ec;

    const bool turns = db->turns;
    const int64_t key = db->turn_key;
    sql_take_turns(db, SCHEMA_TURN);
    tx = sql_begin(db);
    schema_upgrade(&tx, steps, count, name);
    db->turns = turns;
    db->turn_key = key;
    return sql_end(&tx);
}
