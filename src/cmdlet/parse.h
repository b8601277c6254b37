/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/parse.h: the subset of PowerShell that administrators type from habit.
 *
 *     script    statements, with ; or newlines between them
 *     statement command | command | ...            the first one may be a value: 'alice','bob' | Get-Mailbox
 *     command   Name  -Parameter value  -Switch  -Switch:$false  value ...
 *     value     word 'text' "text" 10 2GB $true $null a,b @(a,b) @{Add=a; Remove=b} (statement).Member { filter }
 *     filter    $_.Name -like 'a*' -and -not ($_.Size -gt 3) ...
 *
 * Variables, loops and redirection are not part of it, and a line that uses them is refused before anything runs. */
#pragma once
#include "cmdlet/value.h"

enum node_kind { NODE_VALUE, NODE_LIST, NODE_HASH, NODE_STATEMENT, NODE_BLOCK };

struct node {
    enum node_kind kind;
    struct value value;                     /* VALUE */
    const struct node *const *items;        /* LIST, HASH */
    const char *const *keys;                /* HASH */
    size_t count;
    const struct statement *statement;      /* STATEMENT */
    const char *member;                     /* (statement).member; NULL: none */
    const struct condition *block;          /* BLOCK */
};

struct argument {
    const char *parameter;                  /* NULL: a value without a name */
    const struct node *value;               /* NULL: a parameter without a colon */
};

struct command {
    const char *name;                       /* NULL: a value at the start of a statement */
    const struct node *value;
    const struct argument *arguments;
    size_t count;
};

struct statement {
    const struct command *const *commands;
    size_t count;
};

struct script {
    const struct statement *const *statements;
    size_t count;
};

/* NULL: *why is one sentence, and *unfinished says whether more text could complete it. */
const struct script *parse_script(TALLOC_CTX *, const char *text, const char **why, bool *unfinished);
/* The inside of a filter, as -Filter takes it: property names may stand without $_. */
const struct condition *parse_filter(TALLOC_CTX *, const char *text, const char **why);

/* condition.c */
enum condition_kind { CONDITION_AND, CONDITION_OR, CONDITION_NOT, CONDITION_COMPARE, CONDITION_VALUE,
                      CONDITION_PROPERTY, CONDITION_ITSELF };
typedef bool comparison(TALLOC_CTX *, struct value left, struct value right);
struct condition {
    enum condition_kind kind;
    const struct condition *left, *right;   /* NOT: left */
    comparison *compare;
    struct value value;                     /* VALUE */
    const char *property;                   /* PROPERTY: of the object itself */
};
/* `eq` or `-eq`; NULL: no such operator. */
comparison *comparison_named(const char *name, size_t length);
bool condition_holds(TALLOC_CTX *, const struct condition *, const struct object *);
