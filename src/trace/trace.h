/* SPDX-License-Identifier: Apache-2.0 */
/* trace/trace.h: reading along with what goes between clients and the server, decoded by the tables of wire/: one line a
 * ROP, or whole structures.  Two ways in: the server tells a hub what it has just answered, and readers take text from
 * it; or bodies were kept in files.  Owns the readers and their text, which is bounded; never touches a mailbox.
 *
 * Where nobody reads, telling costs one look at a number.  A reader that is slow loses lines, and is told how many;
 * the server never waits for it.  Content is masked for who did not ask for it before it gets into a reader's text. */
#pragma once
#include "wire/rops.h"

struct trace_style {
    bool verbose;  /* whole structures, not one line */
    bool content;  /* text and bytes of properties as well */
};

/* ---- what is told ---- */

/* One ROP with its answer. */
struct trace_rop {
    const struct rop_request *request;
    struct blob answer;                /* as it was written; empty: there is none */
    const uint32_t *columns;           /* of the rows in it */
    uint32_t column_count;
    unsigned codepage;
    const struct wire_names *names;    /* NULL: nobody knows the mailbox's names */
};
void trace_print_rop(struct buf *text, const struct trace_style *, const struct trace_rop *);

/* A call of the address book or of the session, or what is answered unasked, by its structures; NULL: there is none. */
struct trace_call {
    const char *type;
    const struct wire_struct *request_form, *answer_form;
    const void *request, *answer;
};
void trace_print_call(struct buf *text, const struct trace_style *, const struct trace_call *);

/* A body that was kept: of a call, with or without the head of its HTTP message, an extended buffer, or a FastTransfer
 * stream.  `as` names the structure, or is NULL: what it can be is found out.  false: it cannot be read. */
bool trace_decode(struct buf *text, const struct trace_style *, struct blob body, const char *as);

/* ---- the hub ---- */

struct trace;
struct trace_reader;
struct trace *trace_new(TALLOC_CTX *owner);
bool trace_is_on(const struct trace *); /* NULL: never */
/* Calls `print` once for each reader of one of the mailboxes, in this thread. */
typedef void trace_print(void *arg, struct buf *text, const struct trace_style *);
void trace_tell(struct trace *, const struct guid *mailboxes, size_t count, const char *who, trace_print *, void *arg);

/* From now on until it is closed.  NULL: there are too many readers. */
struct trace_reader *trace_open(struct trace *, struct guid mailbox, const struct trace_style *);
void trace_close(struct trace_reader *);
int trace_fd(const struct trace_reader *); /* can be read when there is text */
/* What there is, at most so many bytes; 0: nothing at the moment. */
size_t trace_take(struct trace_reader *, void *to, size_t most);

/* `oxcart decode`, as client/commands.h has the others. */
int decode_command(int argc, char **argv);
