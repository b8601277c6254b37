/* SPDX-License-Identifier: Apache-2.0 */
/* admin/admin.h: the door for administrators on the machine itself: DIR/admin.sock.  A line comes in, cmdlet/ runs it,
 * its output goes out; a cmdlet that has to ask asks through the socket.  The caller is the peer's uid: root and the
 * service's own user are organisation administrators, nobody else gets an answer.  Owns the socket and its threads.
 *
 * Frames both ways: one byte kind, four bytes length (little-endian), the bytes.
 *   client: L line (enum cmdlet_output, 1 if somebody can answer questions, two bytes window width, the text)
 *           A answer to a question (one byte)
 *           T the live trace of a mailbox (one byte of flags, whose; nothing else may follow)
 *   server: Q question, O a piece of the output, E a piece of the errors, S status (one byte, the last frame) */
#pragma once
#include "cmdlet/cmdlet.h"
#include "trace/trace.h"

struct admin;
/* The context is copied; `ask`, `width` and `caller` are each client's own.  On failure *why (in `owner`) says what
 * to do. */
enum ec admin_open(struct admin **out, TALLOC_CTX *owner, const char *data_dir, const struct cmdlet_context *,
                   struct trace *, char **why);
/* Lines that run are finished and answered; a question that waits counts as answered with No. */
void admin_close(struct admin *);

/* `oxcart trace`, as client/commands.h has the others. */
int trace_command(int argc, char **argv);

/* The client's half. */
struct admin_request {
    const char *line;
    enum cmdlet_output output;
    unsigned width;                         /* of the window; 0: no limit */
    char (*ask)(void *arg, const char *question);   /* NULL: nobody can answer */
    void *arg;
};
/* ecNotFound: no server runs on this data folder; ecAccessDenied: it does not talk to this user; ecInvalidParam: the
 * line or the folder's name is too long; ecRpcFailed: the connection broke, and nobody knows how far the line came. */
enum ec admin_call(TALLOC_CTX *arena, const char *data_dir, const struct admin_request *, struct cmdlet_result *out);
