/* SPDX-License-Identifier: Apache-2.0 */
/* session/fixture.h: for tests: an organisation with alice and bob and their mailboxes in a folder of its own, and no
 * session yet. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "session/session.h"

struct session_fixture {
    TALLOC_CTX *arena; /* for the test; freed at its end */
    char *folder;
    struct org *org;
    struct directory *directory;
    const struct account *alice, *bob;
    struct sessions *sessions;
};

/* With `f` allocated by the caller, who frees it. */
void session_fixture_begin(struct session_fixture *f);
void session_fixture_end(struct session_fixture *f);
/* Makes the mailbox of the public folders. */
const struct account *session_fixture_public_folders(struct session_fixture *);
/* Setup and teardown for cmocka. */
int session_fixture_open(void **state);
int session_fixture_close(void **state);
#define SESSION_TEST(name) cmocka_unit_test_setup_teardown(name, session_fixture_open, session_fixture_close)

struct session *session_fixture_session(struct session_fixture *, const struct account *); /* the caller frees it */
struct logon *session_fixture_logon(struct session *, uint8_t id, const struct account *);
