/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/call.h: what a cmdlet's function sees of the call, and what it can say. */
#pragma once
#include "cmdlet/table.h"

enum layout_kind { LAYOUT_DEFAULT, LAYOUT_LIST, LAYOUT_TABLE };
struct layout {
    enum layout_kind kind;
    struct texts columns;                   /* none: all, or the type's own view */
    bool no_header;
};

/* One line on its way. */
struct run {
    TALLOC_CTX *arena;
    const struct cmdlet_context *context;
    enum cmdlet_output output;
    struct buf out, err;
    struct objects all;                     /* JSON: what is printed at the end, as one document */
    struct layout layout;                   /* of this statement, set by Format-... */
    bool failed, stopped;                   /* stopped: -ErrorAction Stop */
    unsigned depth;                         /* ( ) inside ( ) */
};

/* One call of one cmdlet. */
struct call {
    TALLOC_CTX *arena;
    struct run *run;
    const struct cmdlet_row *row;
    const struct org_settings *settings;    /* as they are now */
    struct org *org;
    struct directory *directory;
    const struct cmdlet_context *context;
    const struct common *common;
    const struct objects *input;            /* a PIPE's */
    struct objects *output;
    char *answered;                         /* A or L once somebody has said it; lives as long as the command */
};

void call_emit(struct call *, struct object);
void call_emit_text(struct call *, const char *text);
/* Not the end of the line: the next object, and the next statement, still have their turn.  Returns ec. */
enum ec call_fail(struct call *, enum ec, const char *format, ...) PRINTF(3, 4);
void call_warn(struct call *, const char *format, ...) PRINTF(2, 3);
/* May it be done?  The sentence says what, for -WhatIf and -Confirm: `Removing the mailbox "alice".`  False: no, and
 * whoever asked knows. */
bool call_may(struct call *, const char *format, ...) PRINTF(2, 3);
void call_unchanged(struct call *, const char *identity);   /* the warning of a Set- that changes nothing */
enum ec call_not_found(struct call *, const char *identity);
enum ec call_conflict(struct call *);                       /* parameters that exclude each other */

/* output.c */
/* Blanks for control characters; those in `kept` stay. */
const char *without_controls(TALLOC_CTX *arena, const char *text, const char *kept);
void output_statement(struct run *, const struct objects *);
void output_end(struct run *);
bool output_is_for_programs(enum cmdlet_output);
/* The properties of an object that patterns mean, in the object's order for each pattern. */
const struct property **columns_of(TALLOC_CTX *arena, const struct object *, struct texts patterns, size_t *count);

void sort_objects(struct objects *, struct texts by, bool descending);

/* noun.c: what the files of the nouns share.
 *
 * A noun's properties are written once, as a list of PROPERTY(name, value), where the value is made from `row` (the
 * object's source) and `s` (the settings).  The file defines that list and includes properties.def. */
struct value methods_value(TALLOC_CTX *, unsigned auth);    /* {Basic, Ntlm} */
/* The warnings about what nobody can complete. */
void warn_of_methods(struct call *, const char *identity, unsigned auth);
unsigned edited_methods(struct arg_auth, unsigned now);
/* Parameters that were not given keep what is there.  True: it has changed. */
bool set_text(struct arg_text, const char **now);
bool set_bool(struct arg_bool, bool *now);
bool set_number(struct arg_number, int64_t *now);
/* ecInvalidParam, said: limits that do not rise. */
enum ec check_quota(struct call *, const struct org_quota *);
/* The sentence of org_error() or directory_refusal() as the cmdlet's own. */
enum ec call_org(struct call *, enum ec);
enum ec call_directory(struct call *, enum ec);
/* Identity is `SERVER\mapi (Default Web Site)`, `mapi*`, a GUID; NULL: every directory of the kind. */
const struct org_virtual_directory *find_directory(struct call *, enum org_directory_kind, const char *identity);
enum ec get_directories(struct call *, const struct object_type *, enum org_directory_kind, struct arg_text identity,
                        struct arg_text server);
struct value server_version(TALLOC_CTX *);

/* mailbox_query.c */
const char *mailbox_identity(TALLOC_CTX *, const struct org_settings *, const struct account *);
const char *mailbox_dn(TALLOC_CTX *, const struct org_settings *, const struct account *);
const char *account_type_details(const struct account *);
enum ec find_account(struct call *, const char *identity, const struct account **out);
/* mailbox_permission.c: somebody, and somebody else who has rights there; and those rights. */
enum ec find_both(struct call *, const char *identity, const char *user, const struct account **mailbox,
                  const struct account **trustee);
struct grant grant_now(struct call *, const struct account *mailbox, const struct account *trustee);
/* Of the public folders' mailbox, or of any other: not both. */
enum ec find_mailbox(struct call *, const char *identity, bool public_folders, const struct account **out);
struct mailbox_query {
    const struct object_type *type;
    struct arg_text identity, anr, database, sort_by;
    struct arg_filter filter;
    struct arg_number result_size;
    struct texts details;                   /* RecipientTypeDetails; none: all */
    bool public_folders;                    /* their mailbox, and no other */
};
enum ec query_mailboxes(struct call *, const struct mailbox_query *);

/* addresses.c: `a` is a copy that is being altered */
enum ec edit_addresses(struct call *, const struct arg_list *, struct account *a);
void make_primary(TALLOC_CTX *, const char *address, struct account *a);
