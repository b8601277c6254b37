/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL through libpq, in pipeline mode: BEGIN, the lock, a PREPARE and the statement travel together, and
 * the COMMIT of a reader is not waited for.  So a transaction costs a round trip for each statement, and a writer
 * one more.
 *
 *   queue      commands that stand in libpq's buffer, each of which will give one result
 *   segment    the queued commands and one statement or command, closed by a sync; after an error in it the
 *              server skips the rest up to the sync
 *   owed       segments sent whose results have not been read */
#include "sql/engine.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>

enum { BOOL_OID = 16, BYTEA_OID = 17, NAME_OID = 19, INT8_OID = 20, INT2_OID = 21, INT4_OID = 23, TEXT_OID = 25,
       OID_OID = 26, FLOAT4_OID = 700, FLOAT8_OID = 701, UNKNOWN_OID = 705, BPCHAR_OID = 1042, VARCHAR_OID = 1043,
       NUMERIC_OID = 1700 };

struct pg {
    PGconn *conn;
    unsigned epoch;                           /* prepared statements of an earlier one are gone */
    unsigned last_id;                         /* of a prepared statement in this epoch */
    unsigned queued, owed;
};

struct pg_statement {
    unsigned epoch, id;
    PGresult *result;
    int row, rows;
};

static const struct sql_advice advice[] = {
    { ecLoginFailure, "check user and password in the URL, and pg_hba.conf on the server" },
    { ecNotFound,     "make the database first (createdb)" },
    { ecServerBusy,   "if it stays, see that PostgreSQL runs, can be reached, and no transaction in it hangs" },
    { ecAccessDenied, "grant the user the right to make and use tables in the database" },
    { ecDiskFull,     "free some space on the database server's disk" },
    { ecCorruptStore, "stop the server and restore the database from a backup" },
    { ecReadFault,    "the database server's disk fails: look at its log" },
    { ecVersion,      "use the newer program that made them" },
    { ecNone,         NULL },
};

/* ---- errors ---- */

/* PostgreSQL documentation, appendix A.  The first row that SQLSTATE begins with. */
static const struct {
    const char *begins;
    enum ec ec;
} states[] = {
    { "08P01", ecError },                     /* too few values for a statement */
    { "08",    ecServerBusy },
    { "22021", ecInvalidParam },
    { "23505", ecDuplicateName },
    { "28",    ecLoginFailure },
    { "3D000", ecNotFound },
    { "40",    ecServerBusy },                /* deadlock, serialization failure: again later */
    { "42501", ecAccessDenied },
    { "53100", ecDiskFull },
    { "53200", ecServerOOM },
    { "53300", ecServerBusy },
    { "53",    ecInsufficientResrc },
    { "54",    ecTooComplex },
    { "55P03", ecServerBusy },                /* lock_timeout */
    { "57",    ecServerBusy },                /* shut down, starting up, cancelled */
    { "58",    ecReadFault },
    { "XX001", ecCorruptStore },
    { "XX002", ecCorruptStore },
};

static enum ec ec_of(const char *sqlstate)
{
    for (size_t i = 0; i < COUNTOF(states); i++)
        if (!strncmp(sqlstate, states[i].begins, strlen(states[i].begins)))
            return states[i].ec;
    return ecError;
}

/* Several hosts give several lines, the second ones indented. */
static char *one_line(TALLOC_CTX *arena, const char *text)
{
    struct buf line;
    buf_init(&line, arena);
    for (const char *at = text + strspn(text, " \n\t"); *at; at += strspn(at, " \n\t")) {
        const size_t word = strcspn(at, " \n\t");
        buf_printf(&line, "%s%.*s", line.size ? " " : "", (int)word, at);
        at += word;
    }
    buf_add(&line, "", 1);
    return (char *)line.data;
}

/* The connection is of no use any more: the next transaction makes a new one. */
static enum ec lost(struct sql *db, const char *reason)
{
    struct pg *pg = db->own;
    char *line = one_line(db, reason ? reason : pg->conn ? PQerrorMessage(pg->conn) : "");
    sql_set_error(db, ecServerBusy, NULL, "the connection is lost (%s)", line);
    talloc_free(line);
    PQfinish(pg->conn);
    pg->conn = NULL;
    return ecServerBusy;
}

/* The primary message alone: the detail quotes the values of the row. */
static enum ec failed(struct sql *db, const struct sql_statement *st, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (!sqlstate)
        return lost(db, PQresultErrorMessage(result));
    const bool read_only = !strcmp(sqlstate, "25006");
    if (read_only && db->reading)
        return sql_set_error(db, ecError, st, "a statement that writes in sql_read");
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (read_only)
        return lost(db, message);             /* this server is a standby now: another host may be the primary */
    enum ec ec = ec_of(sqlstate);
    return sql_set_error(db, ec, ec == ecError ? st : NULL, "%s (SQLSTATE %s)", message ? message : "", sqlstate);
}

/* ---- opening ---- */

static void notice(void *context, const char *message)
{
    struct sql *db = context;
    log_line(LOG_DEBUG, "sql", "%s: %s", db->name, message);
}

/* "postgresql://host,host/database": what of the URL may be shown. */
static char *name_of(TALLOC_CTX *arena, PQconninfoOption *options)
{
    const char *host = "", *database = "";
    for (PQconninfoOption *o = options; o && o->keyword; o++) {
        if (!strcmp(o->keyword, "host") && o->val)
            host = o->val;
        if (!strcmp(o->keyword, "dbname") && o->val)
            database = o->val;
    }
    return talloc_asprintf(arena, "postgresql://%s/%s", host, database);
}

static PGconn *connect_to(const char *url)
{
    /* what stands before dbname, the URL may override; what stands behind, it may not */
    const char *const keywords[] = { "connect_timeout", "tcp_user_timeout", "fallback_application_name", "dbname",
                                     "client_encoding", NULL };
    const char *const values[] = { "10", "30000", "oxcart", url, "UTF8", NULL };
    return PQconnectdbParams(keywords, values, 1);
}

/* libpq tells the SQLSTATE of a refused connection in its verbose text alone, "FATAL:  28P01: ...", and takes that
 * wish only on a connection that exists: so ask again. */
static enum ec refused_with(PGconn *conn)
{
    enum ec ec = ecServerBusy;
    PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);
    PQreset(conn);
    for (const char *at = strstr(PQerrorMessage(conn), ":  "); at; at = strstr(at + 1, ":  "))
        if (strspn(at + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 5 && at[8] == ':')
            ec = ec_of(at + 3);
    return ec == ecError ? ecServerBusy : ec;
}

static enum ec refused(struct sql *db, PGconn *conn, bool ask_again)
{
    char *reason = one_line(db, PQerrorMessage(conn));
    enum ec ec = PQconnectionNeedsPassword(conn) ? ecLoginFailure : ask_again ? refused_with(conn) : ecServerBusy;
    sql_set_error(db, ec, NULL, "%s", reason);
    talloc_free(reason);
    return ec;
}

static enum ec set_up(struct sql *db, PGconn *conn)
{
    /* acknowledged means durable, whatever the server's default is; on, local and the like stay as they are */
    char *text = talloc_asprintf(db, "SET lock_timeout = %u; SET client_min_messages = warning;"
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'",
        db->wait_ms);
    PGresult *result = PQexec(conn, text);
    talloc_free(text);
    const bool good = PQresultStatus(result) == PGRES_TUPLES_OK;
    enum ec ec = good ? ecNone : failed(db, NULL, result);
    PQclear(result);
    if (!ec && !PQenterPipelineMode(conn))
        ec = lost(db, NULL);
    return ec;
}

static enum ec connect_again(struct sql *db)
{
    struct pg *pg = db->own;
    PQfinish(pg->conn);
    pg->epoch++;
    pg->last_id = pg->queued = pg->owed = 0;
    const uint64_t began = clock_ms();
    PGconn *conn = pg->conn = connect_to(db->url);
    if (PQstatus(conn) == CONNECTION_OK) {
        PQsetNoticeProcessor(conn, notice, db);
        return set_up(db, conn);
    }
    const bool slow = clock_ms() - began > 2000;       /* nobody answers, and asking again would take as long */
    enum ec ec = refused(db, conn, !slow);
    PQfinish(conn);
    pg->conn = NULL;
    return ec;
}

static int pg_free(struct pg *pg)
{
    PQfinish(pg->conn);
    return 0;
}

static enum ec pg_open(struct sql *db)
{
    char *mistake = NULL;
    PQconninfoOption *options = PQconninfoParse(db->url, &mistake);
    db->name = name_of(db, options);
    PQconninfoFree(options);
    if (mistake) {
        PQfreemem(mistake);                   /* it quotes the URL, and with it the password */
        return sql_set_error(db, ecInvalidParam, NULL, "libpq cannot read this URL");
    }
    struct pg *pg = talloc_zero(db, struct pg);
    db->own = pg;
    talloc_set_destructor(pg, pg_free);
    return connect_again(db);
}

/* ---- the pipeline ---- */

static bool queue_text(struct pg *pg, const char *text)
{
    pg->queued++;
    return PQsendQueryParams(pg->conn, text, 0, NULL, NULL, NULL, NULL, 1);
}

static void put_be64(char out[8], uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        out[i] = (char)(v & 0xFF);
}

/* Writers under one key: whoever comes second waits here, and then reads what the first has committed, since
 * READ COMMITTED takes a snapshot for each statement. */
static bool queue_turn(struct pg *pg, int64_t key)
{
    char bytes[8];
    put_be64(bytes, (uint64_t)key);
    pg->queued++;
    return PQsendQueryParams(pg->conn, "SELECT pg_advisory_xact_lock($1)", 1, (const Oid[]){ INT8_OID },
                             (const char *const[]){ bytes }, (const int[]){ 8 }, (const int[]){ 1 }, 1);
}

struct answer {
    PGresult *result;                         /* of the segment's last command */
    unsigned good;                            /* commands before the first that failed */
    enum ec ec;
};

static void take_result(struct sql *db, const struct sql_statement *st, PGresult *result, struct answer *answer)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
        PQclear(answer->result);
        answer->result = result;
        answer->good++;
        return;
    case PGRES_PIPELINE_ABORTED:
        break;
    default:
        answer->ec = failed(db, st, result);
    }
    PQclear(result);
}

static void forget_answer(struct answer *answer)
{
    PQclear(answer->result);
    *answer = (struct answer){ 0 };
}

/* Reads up to the last sync that is owed; answers of earlier segments (a reader's COMMIT) interest nobody. */
static struct answer collect(struct sql *db, const struct sql_statement *st)
{
    struct pg *pg = db->own;
    struct answer answer = { 0 };
    for (int pauses = 0; pg->conn && pg->owed && pauses < 4;) {
        PGresult *result = PQgetResult(pg->conn);          /* NULL between two commands */
        pauses = result ? 0 : pauses + 1;
        if (result && PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
            PQclear(result);
            if (--pg->owed)
                forget_answer(&answer);
        } else if (result) {
            take_result(db, st, result, &answer);
        }
    }
    if (pg->conn && (pg->owed || PQstatus(pg->conn) == CONNECTION_BAD))
        answer.ec = lost(db, NULL);
    if (answer.ec) {
        PQclear(answer.result);
        answer.result = NULL;
    }
    return answer;
}

static bool send_segment(struct pg *pg)
{
    pg->queued = 0;
    pg->owed++;
    return PQpipelineSync(pg->conn);
}

static bool connection_is_alive(struct pg *pg)
{
    if (!pg->conn || PQstatus(pg->conn) != CONNECTION_OK)
        return false;
    struct pollfd socket = { .fd = PQsocket(pg->conn), .events = POLLRDHUP };
    return poll(&socket, 1, 0) == 0;          /* no waiting: has the server hung up meanwhile? */
}

/* ---- transactions and scripts ---- */

static const char *const control_texts[SQL_CONTROLS] = {
    [SQL_BEGIN_WRITE] = "BEGIN ISOLATION LEVEL READ COMMITTED",
    [SQL_BEGIN_READ]  = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    [SQL_COMMIT]      = "COMMIT",
    [SQL_ROLLBACK]    = "ROLLBACK",
    [SQL_SAVEPOINT]   = "SAVEPOINT s",
    [SQL_RELEASE]     = "RELEASE s",
    [SQL_ROLLBACK_TO] = "ROLLBACK TO s",
};

static enum ec begin(struct sql *db, enum sql_control control)
{
    struct pg *pg = db->own;
    if (!connection_is_alive(pg)) {
        enum ec ec = connect_again(db);
        if (ec)
            return ec;
    }
    bool sent = queue_text(pg, control_texts[control]);
    if (sent && control == SQL_BEGIN_WRITE && db->turns)
        sent = queue_turn(pg, db->turn_key);
    return sent ? ecNone : lost(db, NULL);
}

/* A COMMIT after an error that we missed would answer ROLLBACK, and no error. */
static enum ec finish(struct sql *db, const char *text)
{
    struct pg *pg = db->own;
    if (!queue_text(pg, text) || !send_segment(pg))
        return lost(db, NULL);
    if (db->reading)
        return ecNone;
    struct answer answer = collect(db, NULL);
    if (!answer.ec && strcmp(PQcmdStatus(answer.result), text) != 0)
        answer.ec = sql_set_error(db, ecError, NULL, "%s was answered by %s", text, PQcmdStatus(answer.result));
    PQclear(answer.result);
    return answer.ec;
}

static enum ec roll_back_to(struct sql *db)
{
    struct pg *pg = db->own;
    if (!queue_text(pg, control_texts[SQL_ROLLBACK_TO]) || !queue_text(pg, control_texts[SQL_RELEASE]) ||
        !send_segment(pg))
        return lost(db, NULL);
    struct answer answer = collect(db, NULL);
    PQclear(answer.result);
    return answer.ec;
}

static enum ec pg_control(struct sql *db, enum sql_control control)
{
    struct pg *pg = db->own;
    switch (control) {
    case SQL_BEGIN_WRITE:
    case SQL_BEGIN_READ:
        return begin(db, control);
    case SQL_COMMIT:
    case SQL_ROLLBACK:
        return pg->conn ? finish(db, control_texts[control]) : ecServerBusy;
    case SQL_ROLLBACK_TO:
        return pg->conn ? roll_back_to(db) : ecServerBusy;
    default:                                  /* savepoints travel with the next statement */
        return queue_text(pg, control_texts[control]) ? ecNone : lost(db, NULL);
    }
}

static enum ec flush(struct sql *db)
{
    struct pg *pg = db->own;
    if (!pg->queued && !pg->owed)
        return ecNone;
    if (!send_segment(pg))
        return lost(db, NULL);
    struct answer answer = collect(db, NULL);
    PQclear(answer.result);
    return answer.ec;
}

static enum ec pg_wait_at_most(struct sql *db)
{
    struct pg *pg = db->own;
    char text[64];
    snprintf(text, sizeof text, "SET lock_timeout = %u", db->wait_ms);
    if (!pg->conn)
        return ecNone;                        /* the next connection begins with it */
    return queue_text(pg, text) ? flush(db) : lost(db, NULL);
}

/* Several statements in one text need the simple protocol, which pipeline mode has not. */
static enum ec pg_script(struct sql *db, const char *text)
{
    struct pg *pg = db->own;
    enum ec ec = flush(db);
    if (ec)
        return ec;
    PQexitPipelineMode(pg->conn);
    PGresult *result = PQexec(pg->conn, text);
    const ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
        ec = failed(db, NULL, result);
    PQclear(result);
    pg->epoch++;                              /* plans may answer with columns that have changed */
    if (pg->conn && !ec)
        PQclear(PQexec(pg->conn, "DEALLOCATE ALL"));
    if (pg->conn && !PQenterPipelineMode(pg->conn))
        return lost(db, NULL);
    return ec;
}

/* ---- statements ---- */

static int statement_free(struct pg_statement *own)
{
    PQclear(own->result);
    return 0;
}

static enum ec pg_prepare(struct sql *db, struct sql_statement *st, struct sql_bind bind)
{
    (void)db;                                 /* PREPARE itself travels with the statement */
    struct pg_statement *own = talloc_zero(st, struct pg_statement);
    talloc_set_destructor(own, statement_free);
    st->own = own;
    st->typed = bind.count;
    for (size_t i = 0; i < bind.count; i++)
        st->types[i] = (uint8_t)bind.values[i].type;
    return ecNone;
}

static const Oid oids[] = { [SQL_NULL] = 0, [SQL_INT] = INT8_OID, [SQL_REAL] = FLOAT8_OID, [SQL_TEXT] = TEXT_OID,
                            [SQL_BLOB] = BYTEA_OID };

static bool queue_prepare(struct pg *pg, struct sql_statement *st, const char *name)
{
    Oid types[SQL_BIND_MAX];
    for (size_t i = 0; i < st->typed; i++)
        types[i] = oids[st->types[i]];
    pg->queued++;
    return PQsendPrepare(pg->conn, name, st->text, (int)st->typed, types);
}

static bool queue_execute(struct pg *pg, const char *name, struct sql_bind bind)
{
    const char *values[SQL_BIND_MAX];
    int lengths[SQL_BIND_MAX], formats[SQL_BIND_MAX];
    char numbers[SQL_BIND_MAX][8];
    for (size_t i = 0; i < bind.count; i++) {
        const struct sql_value *v = &bind.values[i];
        const bool number = v->type == SQL_INT || v->type == SQL_REAL;
        if (number)
            put_be64(numbers[i], (uint64_t)v->integer);    /* a double's bits stand in the same place */
        const char *bytes = (const char *)v->bytes.data;
        values[i] = number ? numbers[i] : v->type == SQL_NULL ? NULL : v->type == SQL_BLOB && !bytes ? "" : bytes;
        lengths[i] = number ? 8 : (int)v->bytes.size;
        formats[i] = 1;
    }
    pg->queued++;
    return PQsendQueryPrepared(pg->conn, name, (int)bind.count, values, lengths, formats, 1);
}

static void statement_answered(struct sql_statement *st, PGresult *result)
{
    struct pg_statement *own = st->own;
    own->result = result;
    own->row = -1;
    own->rows = PQntuples(result);
    st->columns = (unsigned)PQnfields(result);
    st->writes = strncmp(PQcmdStatus(result), "SELECT", 6) != 0;
}

static enum ec pg_start(struct sql *db, struct sql_statement *st, struct sql_bind bind, bool borrow)
{
    (void)borrow;                             /* libpq has copied the values when this returns */
    struct pg *pg = db->own;
    struct pg_statement *own = st->own;
    char name[16];
    const bool fresh = own->epoch != pg->epoch;
    if (fresh)
        own->id = ++pg->last_id;
    snprintf(name, sizeof name, "s%u", own->id);
    const unsigned before = pg->queued;
    if ((fresh && !queue_prepare(pg, st, name)) || !queue_execute(pg, name, bind) || !send_segment(pg))
        return lost(db, NULL);

    struct answer answer = collect(db, st);
    if (answer.good > before)
        own->epoch = pg->epoch;
    if (!answer.ec)
        statement_answered(st, answer.result);
    return answer.ec;
}

static enum ec pg_next(struct sql *db, struct sql_statement *st, bool *row)
{
    (void)db;
    struct pg_statement *own = st->own;
    *row = ++own->row < own->rows;
    return ecNone;
}

static int64_t pg_affected(struct sql *db, struct sql_statement *st)
{
    (void)db;
    const struct pg_statement *own = st->own;
    return st->writes ? strtoll(PQcmdTuples(own->result), NULL, 10) : 0;
}

static void pg_reset(struct sql_statement *st)
{
    struct pg_statement *own = st->own;
    PQclear(own->result);
    own->result = NULL;
}

static void pg_forget(struct sql *db, struct sql_statement *st)
{
    struct pg *pg = db->own;
    const struct pg_statement *own = st->own;
    char text[32];
    snprintf(text, sizeof text, "DEALLOCATE s%u", own->id);
    if (pg->conn && own->epoch == pg->epoch)
        queue_text(pg, text);                 /* a connection that fails here fails with the next statement too */
}

/* ---- columns ---- */

static uint64_t be(const char *p, int size)
{
    uint64_t v = 0;
    for (int i = 0; i < size; i++)
        v = v << 8 | (uint8_t)p[i];
    return v;
}

static double double_of(uint64_t bits)
{
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static float float_of(uint32_t bits)
{
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* SUM over BIGINT is NUMERIC: count, weight of the first digit, sign, scale, then digits to the base of 10,000. */
static struct sql_value numeric_value(const char *p, int size)
{
    const int count = MIN((int)be(p, 2), size / 2 - 4), weight = (int16_t)be(p + 2, 2);
    const int sign = be(p + 4, 2) == 0x4000 ? -1 : 1;
    int64_t integer = 0;
    double real = 0;
    for (int i = 0; i < count; i++)
        real = real * 1e4 + (double)be(p + 8 + 2 * i, 2);
    for (int power = weight - count + 1; power; power += power < 0 ? 1 : -1)
        real = power < 0 ? real / 1e4 : real * 1e4;
    if (count > weight + 1 || weight > 3)     /* has a fraction, or passes 10^16 */
        return B_REAL(sign * real);
    for (int i = 0; i <= weight; i++)         /* zeros at the end are not sent */
        integer = integer * 10000 + (i < count ? (int64_t)be(p + 8 + 2 * i, 2) : 0);
    return B_INT(sign * integer);
}

static struct sql_value pg_column(struct sql_statement *st, unsigned column)
{
    const struct pg_statement *own = st->own;
    const int i = (int)column, size = PQgetlength(own->result, own->row, i);
    const char *p = PQgetvalue(own->result, own->row, i);
    if (PQgetisnull(own->result, own->row, i))
        return B_NULL;
    switch (PQftype(own->result, i)) {
    case INT8_OID:    return B_INT((int64_t)be(p, 8));
    case INT4_OID:    return B_INT((int32_t)be(p, 4));
    case INT2_OID:    return B_INT((int16_t)be(p, 2));
    case OID_OID:     return B_INT((int64_t)be(p, 4));
    case BOOL_OID:    return B_INT(p[0] != 0);
    case FLOAT8_OID:  return B_REAL(double_of(be(p, 8)));
    case FLOAT4_OID:  return B_REAL(float_of((uint32_t)be(p, 4)));
    case NUMERIC_OID: return numeric_value(p, size);
    case TEXT_OID:
    case VARCHAR_OID:
    case BPCHAR_OID:
    case NAME_OID:
    case UNKNOWN_OID: return (struct sql_value){ .type = SQL_TEXT, .bytes = BLOB_OF(p, (size_t)size) };
    default:          return B_BYTES(p, (size_t)size);
    }
}

const struct sql_engine sql_postgres = {
    .name = "postgres",
    .schemes = { "postgresql:", "postgres:" },
    .open = pg_open,
    .wait_at_most = pg_wait_at_most,
    .control = pg_control,
    .script = pg_script,
    .prepare = pg_prepare,
    .start = pg_start,
    .next = pg_next,
    .column = pg_column,
    .affected = pg_affected,
    .reset = pg_reset,
    .forget = pg_forget,
    .has_schema_version_sql = "SELECT count(*) FROM pg_class WHERE oid = to_regclass('schema_version')",
    .advice = advice,
};
