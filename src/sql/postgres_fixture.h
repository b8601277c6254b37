/* SPDX-License-Identifier: Apache-2.0 */
/* sql/postgres_fixture.h: a PostgreSQL server of a test's own, for as long as the test lives: data and Unix socket in a
 * folder under /dev/shm or /tmp, no TCP port.  Linked by tests only.
 *
 *     struct postgres_fixture *server = postgres_fixture_start(NULL, POSTGRES_FAST);    once for a test program, ~1 s
 *     sql_open(&db, arena, postgres_fixture_database(arena, server));                   for each test, ~30 ms
 *     talloc_free(server);
 *
 * A process of its own stops the server and removes the folder, also when the test is killed. */
#pragma once
#include "base/base.h"

struct postgres_fixture;
enum postgres_speed { POSTGRES_FAST, POSTGRES_DURABLE };    /* fsync off and on */

/* NULL: there is no PostgreSQL, or it does not start; why stands on stderr.  Stopped by talloc_free. */
struct postgres_fixture *postgres_fixture_start(TALLOC_CTX *owner, enum postgres_speed);
/* As the superuser `oxcart`, with a password, to the database `postgres`. */
const char *postgres_fixture_url(const struct postgres_fixture *);
/* The same for a new and empty database, which goes with this string. */
char *postgres_fixture_database(TALLOC_CTX *arena, struct postgres_fixture *);
/* The server dies without a shutdown, recovers and runs again; all connections break. */
bool postgres_fixture_crash(struct postgres_fixture *);
