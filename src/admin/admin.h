/* SPDX-License-Identifier: Apache-2.0 */
/* admin/admin.h: the door for administrators on the machine itself: DIR/admin.sock.  A line comes in, cmdlet/ runs it,
 * its output goes out; a cmdlet that has to ask asks through the socket.  The caller is the peer's uid: root and the
 * service's own user are organisation administrators, nobody else gets an answer.  Owns the socket and its threads.
 *
 * Frames both ways: one byte kind, four bytes length, the bytes.
 *   client: L line (first byte: enum cmdlet_output), A answer to a question (one byte)
 *   server: Q question, O output, E errors, S status (one byte, the last frame) */
#pragma once
#include "cmdlet/cmdlet.h"

struct admin;
/* The context is copied; its `ask` is replaced by the socket's.  On failure *why says what to do. */
enum ec admin_open(struct admin **out, TALLOC_CTX *owner, const char *data_dir, const struct cmdlet_context *, char **why);
/* Lines that run are finished and answered. */
void admin_close(struct admin *);

/* The client's half.  ecNotFound: no server runs on this data folder; ecAccessDenied: it does not talk to this user;
 * ecRpcFailed: the connection broke.  `ask` may be NULL: nobody can answer, which counts as No. */
enum ec admin_call(TALLOC_CTX *arena, const char *data_dir, const char *line, enum cmdlet_output,
                   char (*ask)(void *arg, const char *question), void *arg, struct cmdlet_result *out);
