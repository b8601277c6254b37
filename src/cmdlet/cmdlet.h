/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/cmdlet.h: cmdlets as data.  cmdlet.def describes each one (verb, noun, typed parameters, help); parser, help,
 * completion and output are readings of that table, and one file per noun holds the functions that receive the typed
 * values.  Owns the language (a subset of PowerShell) and the way from a line to objects and text.  Never opens a
 * socket or a terminal: who asks and who answers is handed in.
 *
 *     struct cmdlet_result r = cmdlet_run(arena, &context, "Get-Mailbox | fl Name,*Address*", CMDLET_DEFAULT);
 *     fputs(r.out, stdout); fputs(r.err, stderr); return r.status; */
#pragma once
#include "directory/directory.h"

/* CMDLET_DEFAULT: what PowerShell would choose, the noun's own table or a list. */
enum cmdlet_output { CMDLET_DEFAULT, CMDLET_TABLE, CMDLET_LIST, CMDLET_JSON, CMDLET_CSV };
bool cmdlet_output_parse(const char *name, enum cmdlet_output *out);       /* table, list, json, csv */

/* What the rooms that run cmdlets hand in.  All functions are called in the thread that called cmdlet_run(). */
struct cmdlet_context {
    struct org *org;
    struct directory *directory;
    /* The mailbox store: makes and removes the mailbox behind an account (its mailbox_guid and store_url). */
    account_hook *store_create, *store_remove;
    void *store_arg;
    struct store_pool *stores;      /* NULL: mailboxes cannot be opened */
    /* An account's names or addresses have changed; NULL: nobody wants to know. */
    void (*account_changed)(void *arg, const struct account *);
    unsigned working_auth;          /* the enum org_auth methods that somebody can complete here */
    unsigned width;                 /* of the window that shows the output; 0: no limit */
    const char *caller;             /* who it is, for the log; NULL: nothing is logged */
    /* Shows the question, returns Y, A (yes to all), N or L (no to all).  NULL: nobody can answer. */
    char (*ask)(void *arg, const char *question);
    void *ask_arg;
};

/* The store's own hooks; store_arg is the struct store_pool. */
enum ec cmdlet_store_create(void *pool, const struct account *);
enum ec cmdlet_store_remove(void *pool, const struct account *);
void cmdlet_store_changed(void *pool, const struct account *);

struct cmdlet_result {
    const char *out, *err;          /* never NULL */
    int status;                     /* 0, or 1 when anything failed; the reasons are in err */
};

/* Any thread; several at once.  Never fails otherwise than by status and err. */
struct cmdlet_result cmdlet_run(TALLOC_CTX *arena, const struct cmdlet_context *, const char *line, enum cmdlet_output);

/* What can stand at the end of `line`: cmdlets, parameters, or values of one; each continues the last word. */
struct cmdlet_words {
    const char **words;
    size_t count;
    size_t length;                  /* of the last word, which they replace */
};
struct cmdlet_words cmdlet_complete(TALLOC_CTX *arena, const char *line);
/* The line needs another one: a bracket or a quotation mark is open, or it ends in | , or a backtick. */
bool cmdlet_is_unfinished(const char *line);
/* A password stands in the line: it belongs in no history and no log. */
bool cmdlet_has_secret(const char *line);
