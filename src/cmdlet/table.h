/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/table.h: cmdlet.def as C: a struct of typed values and a prototype for each cmdlet, and the rows that the
 * parser, the help and the completion read. */
#pragma once
#include "cmdlet/cmdlet.h"
#include "cmdlet/parse.h"

/* Typed values.  `given`: the parameter was there. */
struct texts {
    const char *const *items;
    size_t count;
};
struct arg_text { bool given; const char *value; };         /* NULL: $null */
struct arg_bool { bool given, value; };
struct arg_switch { bool given; enum org_switch value; };
struct arg_number { bool given; int64_t value; };           /* UNLIMITED: -1; TIMESPAN: seconds; AUTH_METHOD: org_auth */
struct arg_list { bool given, edits; struct texts set, add, remove; };      /* edits: @{Add=...; Remove=...} */
struct arg_auth { bool given, edits; unsigned set, add, remove; };
struct arg_filter { bool given; const struct condition *block; const char *property; };
struct arg_value { bool given; struct value value; };

#define TYPE(name, c, word, where) typedef struct c arg_type_##name;
#include "cmdlet/types.def"
#undef TYPE
enum param_type {
#define TYPE(name, c, word, where) PARAM_##name,
#include "cmdlet/types.def"
#undef TYPE
};

struct call;
#define CMDLET(V, N, role, help) struct V##_##N {
#define PIPE(V, N, role, help) struct V##_##N {
#define PARAM(name, type, need, help) arg_type_##type name;
#define NOT_HERE(names)
#define END };
#include "cmdlet/cmdlet.def"
#undef CMDLET
#undef PIPE
#undef PARAM
#undef END
#define CMDLET(V, N, role, help) enum ec cmdlet_##V##_##N(struct call *, const struct V##_##N *);
#define PIPE(V, N, role, help) enum ec cmdlet_##V##_##N(struct call *, const struct V##_##N *);
#define PARAM(name, type, need, help)
#define END
#include "cmdlet/cmdlet.def"
#undef CMDLET
#undef PIPE
#undef PARAM
#undef NOT_HERE
#undef END

enum where { POSITION = 1, PIPELINE = 2, FLAG = 4 };
enum need { OPTIONAL, REQUIRED };
struct parameter_row {
    const char *name;                       /* NULL: the names in `help` are refused */
    enum param_type type;
    size_t offset;
    enum need need;
    const char *help;
};
struct cmdlet_row {
    const char *verb, *noun, *role, *help;
    bool is_pipe;
    const struct parameter_row *(*parameters)(void);        /* ends with one that has no help */
    size_t size;                            /* of the struct of their values */
    enum ec (*run)(struct call *, const void *);
};
extern const struct cmdlet_row cmdlet_rows[];
extern const size_t cmdlet_row_count;

/* `Get-Mailbox` in any case, or an alias such as fl; NULL: there is none. */
const struct cmdlet_row *cmdlet_named(const char *name);
bool cmdlet_changes_something(const struct cmdlet_row *);   /* takes -WhatIf and -Confirm */
bool cmdlet_asks_by_itself(const struct cmdlet_row *);      /* unless -Confirm:$false */
const char *type_word(enum param_type);
unsigned type_where(enum param_type);
const char *const *type_values(enum param_type);            /* an enumeration's names, NULL at the end; NULL: is none */

/* What every cmdlet takes. */
struct common {
    arg_type_ACTION ErrorAction, WarningAction;
    arg_type_SWITCH WhatIf, Confirm;
    arg_type_IGNORED ignored;
    arg_type_IGNORED_SWITCH ignored_switch;
};
enum action { ACTION_CONTINUE, ACTION_SILENTLY_CONTINUE, ACTION_STOP, ACTION_IGNORE, ACTION_INQUIRE };
extern const struct parameter_row common_rows[];            /* ends likewise */
const char *common_alias(const char *name);                 /* wi: WhatIf; the name itself where it is none */
bool common_fits(const struct cmdlet_row *, const struct parameter_row *);

/* bind.c.  Gives the value of an argument's node; NULL: it could not be had, and why is said. */
typedef bool evaluate_node(void *arg, const struct node *, struct value *out);
/* Fills `out` (row->size bytes of zeros) and `common`.  NULL, or a sentence that says what is wrong. */
const char *bind_arguments(TALLOC_CTX *, const struct cmdlet_row *, const struct command *, evaluate_node *, void *arg,
                           void *out, struct common *);
/* The parameter that objects flow into; NULL: none. */
const struct parameter_row *pipeline_parameter(const struct cmdlet_row *);
const char *bind_missing(TALLOC_CTX *, const struct cmdlet_row *, const void *in);
bool bind_object(TALLOC_CTX *, const struct cmdlet_row *, const struct object *, void *out);
