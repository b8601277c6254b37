/* SPDX-License-Identifier: Apache-2.0 */
/* What was deleted softly goes for ever when its time is over, and nothing else does: with the clock in the test's hand. */
#include "session/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
#define DAY UINT64_C(864000000000)
#define OK(call) assert_string_equal(ec_name(call), "ecNone")

enum { MANY = 120 }; /* more than the walk takes at once */

static uint64_t message(struct store *st, uint64_t fid)
{
    struct store_message *m;
    uint64_t mid;
    OK(store_message_new(&m, NULL, st, fid, false));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
    return mid;
}

static uint64_t folder(struct store *st, const char *name)
{
    uint64_t fid;
    bool existed;
    OK(store_folder_create(st, INBOX, FOLDER_GENERIC, name, "", false, &fid, &existed));
    return fid;
}

static void soft_delete(struct store *st, uint64_t mid)
{
    bool partial;
    OK(store_messages_delete(st, INBOX, &mid, 1, false, &partial));
    assert_false(partial);
}

static uint32_t rows(struct store_table *table, enum ec ec, uint32_t count)
{
    OK(ec);
    talloc_free(table);
    return count;
}

static uint32_t deleted_messages(struct store *st, uint64_t fid)
{
    struct store_table *table = NULL;
    uint32_t count = 0;
    const enum ec ec = store_contents_table(&table, NULL, st, fid, TABLE_SOFT_DELETES, &count);
    return rows(table, ec, count);
}

static uint32_t deleted_folders(struct store *st)
{
    struct store_table *table = NULL;
    uint32_t count = 0;
    const enum ec ec = store_hierarchy_table(&table, NULL, st, INBOX, TABLE_SOFT_DELETES, &count);
    return rows(table, ec, count);
}

static struct store *enter(struct session_fixture *f)
{
    struct store *st;
    OK(store_get(sessions_stores(f->sessions), f->alice->store_url, f->alice->mailbox_guid, &st));
    store_lock(st);
    return st;
}

static void leave(struct store *st)
{
    store_unlock(st);
    store_put(st);
}

static void walk(struct session_fixture *f, uint64_t days)
{
    const atomic_bool stop = false;
    upkeep_walk(f->sessions, f->org, filetime_now() + days * DAY, &stop);
}

static void what_was_deleted_two_weeks_ago_is_purged(void **state)
{
    struct session_fixture *f = *state;
    struct store *st = enter(f);
    struct store_usage usage;
    bool partial;
    const uint64_t stays = message(st, INBOX), gone = folder(st, "gone");
    for (unsigned i = 0; i < MANY; i++)
        soft_delete(st, message(st, INBOX));
    message(st, gone);
    OK(store_folder_delete(st, INBOX, gone, STORE_MESSAGES | STORE_FOLDERS, &partial));
    leave(st);

    walk(f, 13);
    st = enter(f);
    assert_int_equal(deleted_messages(st, INBOX), MANY);
    assert_int_equal(deleted_folders(st), 1);
    leave(st);

    walk(f, 15);
    st = enter(f);
    assert_int_equal(deleted_messages(st, INBOX), 0);
    assert_int_equal(deleted_folders(st), 0);
    OK(store_usage(st, &usage));
    assert_int_equal(usage.messages, 1);
    assert_int_equal(usage.deleted, 0);
    struct store_message *m;
    OK(store_message_open(&m, f->arena, st, INBOX, stays, MESSAGE_READONLY));
    talloc_free(m);
    leave(st);
}

static void the_mailbox_database_says_how_long_it_is_kept(void **state)
{
    struct session_fixture *f = *state;
    struct org_database database = org_settings(f->org, f->arena)->databases[0];
    struct store *st = enter(f);
    const uint64_t back = message(st, INBOX), away = message(st, INBOX);
    bool partial;
    soft_delete(st, back);
    soft_delete(st, away);
    OK(store_messages_move(st, INBOX, INBOX, &back, 1, false, NULL, &partial)); /* got back in time */
    leave(st);
    database.deleted_item_retention = 3 * 86400;
    OK(org_database_set(f->org, &database));
    walk(f, 2);
    st = enter(f);
    assert_int_equal(deleted_messages(st, INBOX), 1);
    leave(st);
    walk(f, 4);
    st = enter(f);
    assert_int_equal(deleted_messages(st, INBOX), 0);
    struct store_folder row;
    OK(store_folder_row(f->arena, st, INBOX, &row));
    assert_int_equal(row.total, 1);
    leave(st);
}

static void a_walk_stops_where_it_is_told_to(void **state)
{
    struct session_fixture *f = *state;
    struct store *st = enter(f);
    const atomic_bool stop = true;
    soft_delete(st, message(st, INBOX));
    leave(st);
    upkeep_walk(f->sessions, f->org, filetime_now() + 100 * DAY, &stop);
    st = enter(f);
    assert_int_equal(deleted_messages(st, INBOX), 1);
    leave(st);
    upkeep_stop(
        upkeep_start(f->arena, f->sessions, f->org)); /* the thread ends at once, though it waits for a minute */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(what_was_deleted_two_weeks_ago_is_purged),
        SESSION_TEST(the_mailbox_database_says_how_long_it_is_kept),
        SESSION_TEST(a_walk_stops_where_it_is_told_to),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
