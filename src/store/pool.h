/* SPDX-License-Identifier: Apache-2.0 */
/* store/pool.h: connections of open mailboxes, for this room's own files. */
#pragma once
#include "store/store.h"

/* The connection is there when this returns ecNone.  Under the store's lock. */
enum ec store_connect(struct store *);
/* One more reference, and the pool's worker, which is started when it is first asked for; NULL, and no reference: the
 * store is outside of any pool, or the pool is being closed.  Under the store's lock. */
struct worker;
struct worker *store_reference(struct store *);
void store_announce(struct store *, const struct store_change *, size_t count);
/* Not connected yet; `mb` is 0 until store_connect. */
struct store *store_make(TALLOC_CTX *owner, const char *database_url, struct guid mailbox);
/* A mailbox outside of any pool, for who makes or removes it. */
enum ec store_open_alone(struct store **out, TALLOC_CTX *owner, const char *database_url, struct guid mailbox);
/* The URL of the connection: one file for each mailbox in SQLite, the database itself in PostgreSQL. */
char *store_url(TALLOC_CTX *, const char *database_url, struct guid mailbox);
/* The path of a SQLite URL, or NULL. */
const char *store_file(const char *url);
