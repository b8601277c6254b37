/* SPDX-License-Identifier: Apache-2.0 */
/* tests/server.h: a real oxcartd in a folder of its own, on free ports, with the organisation Contoso and the mailboxes of
 * alice and bob.  Its log is DIR/log. */
#pragma once
#include "client/mail.h"

#define SERVER_PASSWORD "Passw0rd!"
#define SERVER_HOSTNAME "mail.contoso.com"

struct server;

/* Starts it and waits until it says that it is ready.  `arguments` (may be NULL) go behind its own; NULL at the end.
 * It ends with its owner, at the latest. */
struct server *server_start(TALLOC_CTX *owner, const char *const *arguments);
struct server *server_start_empty(TALLOC_CTX *owner, const char *const *arguments);      /* an organisation without mailboxes */
const char *server_dir(const struct server *);
unsigned server_https_port(const struct server *);
unsigned server_http_port(const struct server *);
unsigned server_lmtp_port(const struct server *);
int server_pid(const struct server *);
const char *server_said(const struct server *);          /* on stdout, up to `ready` */

/* SIGTERM, and its exit status: 0 when it ended cleanly; 128 + n by signal n. */
int server_stop(struct server *);
void server_kill(struct server *);                       /* SIGKILL: as if the power had failed */
void server_run_again(struct server *);                  /* on the same folder, with ports of its own choice */

/* Runs oxcartd with these arguments (NULL at the end) where it cannot start; gives what it says on stderr. */
const char *server_refuses(TALLOC_CTX *arena, const char *const *arguments, int *status);

void server_remove(const char *dir);                     /* a folder and what is in it */

/* A line of cmdlets through the admin socket.  The result's text lives in `arena`; fails the test when status is not 0
 * and `status` is NULL. */
const char *server_cmdlet(struct server *, TALLOC_CTX *arena, int *status, const char *format, ...) PRINTF(4, 5);

/* Who wants to sign in: alice, bob, or another local part of contoso.com.  Over HTTPS, checking the certificate. */
struct client_options server_options(struct server *, TALLOC_CTX *arena, const char *name);
struct client *server_client(struct server *, TALLOC_CTX *owner, const char *name);
/* Connected and logged on; fails the test otherwise. */
struct client *server_logon(struct server *, TALLOC_CTX *owner, const char *name);
/* What the server has written to its log so far. */
const char *server_log(struct server *, TALLOC_CTX *arena);
