/* SPDX-License-Identifier: Apache-2.0 */
/* sql/engine.h: what an engine does for sql.c.  Nobody outside this room includes it. */
#pragma once
#include "sql/sql.h"

enum sql_control {
    SQL_BEGIN_WRITE,
    SQL_BEGIN_READ,
    SQL_COMMIT,
    SQL_ROLLBACK,
    SQL_SAVEPOINT,
    SQL_RELEASE,
    SQL_ROLLBACK_TO,
    SQL_CONTROLS
};

struct sql_statement {
    const char *address;                      /* the constant's, by which it is found; `text` verifies it */
    char *text;
    struct sql_statement *next_in_slot, *next_open;
    uint64_t last_used;
    bool open;                                /* between start and reset */
    bool writes;                              /* known after start at the latest */
    unsigned columns;                         /* known after start */
    uint8_t types[SQL_BIND_MAX];              /* engines that prepare for certain types: the first `typed` ones */
    size_t typed;
    void *own;                                /* the engine's half, a talloc child */
};

struct sql {
    const struct sql_engine *engine;
    void *own;                                /* the engine's connection, a talloc child */
    char *url, *name, *error;
    enum ec logged;                           /* the error of the last log line, so that it is logged once */
    unsigned wait_ms;
    bool turns;
    int64_t turn_key;
    unsigned depth;                           /* transactions that are open, one inside the other */
    bool reading;                             /* the outermost is sql_read */
    enum ec doom;                             /* the outermost, or the innermost savepoint, can only roll back */
    uint64_t changes, statements, clock;
    struct sql_statement *slots[64], *open;
    unsigned cached;
};

struct sql_advice {
    enum ec ec;
    const char *what_to_do;
};

/* Every function that can fail has called sql_set_error when it returns an error. */
struct sql_engine {
    const char *name;                         /* in scripts: the hints for this engine */
    const char *schemes[3];                   /* "sqlite:" */
    enum ec (*open)(struct sql *);            /* sets name and own */
    enum ec (*wait_at_most)(struct sql *);    /* wait_ms has changed */
    enum ec (*control)(struct sql *, enum sql_control);
    enum ec (*script)(struct sql *, const char *text);
    enum ec (*prepare)(struct sql *, struct sql_statement *, struct sql_bind);
    /* `borrow`: the values live until reset */
    enum ec (*start)(struct sql *, struct sql_statement *, struct sql_bind, bool borrow);
    enum ec (*next)(struct sql *, struct sql_statement *, bool *row);
    struct sql_value (*column)(struct sql_statement *, unsigned column);
    int64_t (*affected)(struct sql *, struct sql_statement *);
    void (*reset)(struct sql_statement *);
    void (*forget)(struct sql *, struct sql_statement *);     /* leaves the cache */
    const char *has_schema_version_sql;
    const struct sql_advice *advice;          /* ends with ecNone */
};
extern const struct sql_engine sql_sqlite, sql_postgres;

/* The connection's last error becomes "name: message; what to do"; returns ec.  No values of rows in the message. */
enum ec sql_set_error(struct sql *, enum ec, const struct sql_statement *, const char *format, ...) PRINTF(4, 5);
