/* SPDX-License-Identifier: Apache-2.0 */
/* store/fixture.h: an empty mailbox for the tests of this room and of those above, on each engine.
 *
 *     static void a_message_can_be_saved(void **state) { struct store_fixture *f = *state; ... }
 *     static const struct CMUnitTest tests[] = { cmocka_unit_test(a_message_can_be_saved), ... };
 *     int main(void) { return store_fixture_run("messages", tests, COUNTOF(tests)); }      every test on every engine
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "store/store.h"

struct store_fixture {
    TALLOC_CTX *arena;                           /* as long as the test */
    bool is_sqlite;
    char *folder, *url;                          /* url: of the database, as New-MailboxDatabase has it */
    struct guid mailbox;
    struct store_pool *pool;
    struct store *store;                         /* locked */
    struct store_change *changes;                /* what the watcher has heard since fixture_forget() */
    uint32_t change_count;
    store_watch *also;                           /* called with each announcement, if not NULL */
    void *also_arg;
    FILE *log;
};
int store_fixture_run(const char *group, const struct CMUnitTest *tests, size_t count);

/* ecNone is expected. */
#define OK(call) assert_string_equal(ec_name(call), "ecNone")
#define EC(call, code) assert_string_equal(ec_name(call), #code)

void fixture_forget(struct store_fixture *);
/* The change heard of this kind about this message (or, with mid 0, folder); NULL: none. */
const struct store_change *fixture_heard(const struct store_fixture *, enum store_change_kind, uint64_t fid,
                                         uint64_t mid);
bool fixture_crash(struct store_fixture *);      /* the database server dies and comes back; false: there is none */
void fixture_close(struct store_fixture *);      /* the pool and the store, as when the server stops */
void fixture_reopen(struct store_fixture *);     /* and starts again */
char *fixture_log(struct store_fixture *);       /* what was logged */

uint64_t fixture_folder(struct store_fixture *, uint64_t parent, const char *name);
uint64_t fixture_message(struct store_fixture *, uint64_t fid, const char *subject);          /* saved and released */
/* In the Inbox, with so many unread messages whose PidTagNormalizedSubject is "filled", a minute between each two. */
uint64_t fixture_full_folder(struct store_fixture *, const char *name, uint32_t messages);
struct store_message *fixture_open(struct store_fixture *, uint64_t fid, uint64_t mid);
/* One property; its type may be PtypErrorCode. */
struct prop fixture_prop(struct store_fixture *, struct store_message *, uint32_t tag);
struct prop fixture_folder_prop(struct store_fixture *, uint64_t fid, uint32_t tag);
enum ec fixture_set(struct store_message *, struct prop);
struct store_folder fixture_row(struct store_fixture *, uint64_t fid);
int64_t fixture_rows(struct store_fixture *, const char *table);       /* of this mailbox: message, value ... */
