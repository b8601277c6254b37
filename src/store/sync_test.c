/* SPDX-License-Identifier: Apache-2.0 */
/* What has changed since a client was here: [MS-OXCFXICS] 3.2.5.3.  The client here is a set of ids and of change numbers. */
#include "store/fixture.h"

#include <stdlib.h>

struct client {
    struct globset given, seen, seen_fai, read;
    struct store_sync asked;
    struct store_synced got;
};

static struct client *client_new(struct store_fixture *f)
{
    struct client *c = talloc_zero(f->arena, struct client);
    struct globset *sets[] = { &c->given, &c->seen, &c->seen_fai, &c->read };
    for (size_t i = 0; i < COUNTOF(sets); i++)
        globset_init(sets[i], c);
    c->asked = (struct store_sync){ &c->given,      &c->seen,           &c->seen_fai,      &c->read,
                                    .normal = true, .associated = true, .read_state = true };
    return c;
}

static void add(struct globset *set, uint64_t id)
{
    globset_add(set, store_counter(id), store_counter(id));
}

/* Asks, and then has what it was told.  Gives the number of changes of all kinds. */
static uint64_t sync_folder(struct store_fixture *f, struct client *c, uint64_t fid)
{
    OK(store_sync_contents(c, f->store, fid, &c->asked, &c->got));
    for (uint32_t i = 0; i < c->got.count; i++)
        add(&c->given, c->got.messages[i].mid);
    globset_subtract(&c->given, &c->got.deleted);
    globset_subtract(&c->given, &c->got.out_of_scope);
    if (c->asked.normal)
        globset_add(&c->seen, 1, c->got.last);
    if (c->asked.associated)
        globset_add(&c->seen_fai, 1, c->got.last);
    if (c->asked.read_state)
        globset_add(&c->read, 1, c->got.last);
    return c->got.count + globset_size(&c->got.deleted) + globset_size(&c->got.out_of_scope) +
           globset_size(&c->got.now_read) + globset_size(&c->got.now_unread);
}

static bool holds(const struct globset *set, uint64_t id)
{
    return globset_has(set, store_counter(id));
}

static void set_subject(struct store_fixture *f, uint64_t fid, uint64_t mid, const char *subject)
{
    struct store_message *m = fixture_open(f, fid, mid);
    OK(fixture_set(m, P_STR(PidTagSubject, subject)));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
}

static void set_read(struct store_fixture *f, uint64_t fid, uint64_t mid, bool read)
{
    bool partial;
    OK(store_set_read_flags(f->store, fid, &mid, 1, read ? 0 : 4, &partial));
}

static void a_new_client_gets_all_and_the_second_time_nothing(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), one = fixture_message(f, inbox, "one"),
                   two = fixture_message(f, inbox, "two");
    struct client *c = client_new(f);
    assert_int_equal(sync_folder(f, c, inbox), 2); /* R2043 */
    assert_true(c->got.messages[0].mid == one && c->got.messages[1].mid == two);
    assert_int_equal(sync_folder(f, c, inbox), 0);
}

static void a_changed_message_comes_again_and_only_that(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), one = fixture_message(f, inbox, "one");
    struct client *c = client_new(f);
    fixture_message(f, inbox, "two");
    sync_folder(f, c, inbox);
    set_subject(f, inbox, one, "uno");
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(c->got.messages[0].mid == one);
    assert_int_equal(sync_folder(f, c, inbox), 0);
}

static void what_is_deleted_or_moved_away_is_reported_if_it_was_given(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), drafts = STORE_FID(SPECIAL_DRAFTS);
    const uint64_t soft = fixture_message(f, inbox, "a"), hard = fixture_message(f, inbox, "b"),
                   away = fixture_message(f, inbox, "c");
    struct client *c = client_new(f);
    bool partial;
    uint64_t moved;
    sync_folder(f, c, inbox);
    const uint64_t unknown = fixture_message(f, inbox, "d");
    OK(store_messages_delete(f->store, inbox, &unknown, 1, true, &partial));
    OK(store_messages_delete(f->store, inbox, &soft, 1, false, &partial));
    OK(store_messages_delete(f->store, inbox, &hard, 1, true, &partial));
    OK(store_messages_move(f->store, inbox, drafts, &away, 1, false, &moved, &partial));
    assert_int_equal(sync_folder(f, c, inbox), 3);
    assert_true(holds(&c->got.deleted, soft) && holds(&c->got.deleted, hard) && holds(&c->got.deleted, away));
    assert_int_equal(globset_size(&c->given), 0);
    assert_int_equal(sync_folder(f, c, inbox), 0);
    struct client *other = client_new(f);
    assert_int_equal(sync_folder(f, other, drafts), 1);
    assert_true(other->got.messages[0].mid == moved);
}

static void read_states_have_numbers_of_their_own(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), one = fixture_message(f, inbox, "one"),
                   two = fixture_message(f, inbox, "two");
    struct client *c = client_new(f);
    sync_folder(f, c, inbox);
    set_read(f, inbox, one, false);
    set_read(f, inbox, two, false);
    set_subject(f, inbox, two, "due");
    assert_int_equal(sync_folder(f, c, inbox), 2);
    assert_int_equal(c->got.count, 1);           /* R2048: not twice */
    assert_true(holds(&c->got.now_unread, one)); /* R2083, R2084 */
    set_read(f, inbox, one, true);
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(holds(&c->got.now_read, one));
    assert_int_equal(sync_folder(f, c, inbox), 0);
    c->asked.read_state = false;
    set_read(f, inbox, one, false);
    assert_int_equal(sync_folder(f, c, inbox), 0);
    c->asked.read_state = true;
    assert_int_equal(sync_folder(f, c, inbox), 1);
}

static void each_kind_is_found_by_its_own_set(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX);
    struct store_message *m;
    struct client *c = client_new(f);
    uint64_t fai;
    bool partial;
    OK(store_message_new(&m, f->arena, f->store, inbox, true));
    OK(store_message_save(m, false, &fai));
    fixture_message(f, inbox, "normal");
    c->asked.associated = false;
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_false(c->got.messages[0].associated);
    c->asked.associated = true;
    c->asked.normal = false;
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(c->got.messages[0].associated && c->got.messages[0].mid == fai);
    OK(store_messages_delete(f->store, inbox, &fai, 1, true, &partial));
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(holds(&c->got.deleted, fai));
}

static void what_no_longer_matches_the_restriction_leaves_the_scope(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), in = fixture_message(f, inbox, "wanted"),
                   out = fixture_message(f, inbox, "other");
    const struct restriction wanted = {
        .type = RES_CONTENT, .fuzzy_low = FL_PREFIX, .tag = PidTagSubject, .value = P_STR(PidTagSubject, "wanted")
    };
    struct client *c = client_new(f);
    c->asked.restriction = &wanted;
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(c->got.messages[0].mid == in);
    set_subject(f, inbox, in, "no more");
    set_subject(f, inbox, out, "still not");
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(holds(&c->got.out_of_scope, in)); /* R76, R2047 */
    set_subject(f, inbox, out, "wanted now");
    assert_int_equal(sync_folder(f, c, inbox), 1);
    assert_true(c->got.messages[0].mid == out);
}

static void a_client_with_holes_in_its_set_gets_what_lies_in_them(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX);
    uint64_t mids[200];
    struct client *c = client_new(f);
    for (size_t i = 0; i < COUNTOF(mids); i++)
        mids[i] = fixture_message(f, inbox, "m");
    sync_folder(f, c, inbox);
    for (size_t i = 0; i < COUNTOF(mids); i += 2) {
        const uint64_t cn = store_counter(c->got.messages[i].cn);
        globset_remove(&c->seen, cn, cn);
    }
    assert_int_equal(sync_folder(f, c, inbox), COUNTOF(mids) / 2);
    for (size_t i = 0; i < COUNTOF(mids) / 2; i++)
        assert_true(c->got.messages[i].mid == mids[2 * i]);
}

static void the_newest_come_first_where_that_is_asked(void **state)
{
    static const uint64_t times[] = { 30, 10, 0, 20 };
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX);
    struct client *c = client_new(f);
    uint64_t mids[COUNTOF(times)];
    for (size_t i = 0; i < COUNTOF(times); i++) {
        struct store_message *m;
        OK(store_message_new(&m, f->arena, f->store, inbox, false));
        if (times[i])
            OK(fixture_set(m, P_TIME(PidTagMessageDeliveryTime, times[i])));
        OK(store_message_save(m, false, &mids[i]));
    }
    c->asked.newest_first = true;
    sync_folder(f, c, inbox);
    assert_true(c->got.messages[0].mid == mids[2]); /* R2199: by its last modification */
    assert_true(c->got.messages[1].mid == mids[0] && c->got.messages[2].mid == mids[3]); /* R2198, R3502 */
}

static void folders_come_with_parents_first_and_go_wherever_they_went(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t root = fixture_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE), "root");
    const uint64_t child = fixture_folder(f, root, "child"), other = fixture_folder(f, root, "a");
    const uint64_t grandchild = fixture_folder(f, child, "grandchild");
    struct globset given, seen;
    struct store_synced_folders got;
    bool partial;
    globset_init(&given, f->arena);
    globset_init(&seen, f->arena);
    OK(store_folder_move(f->store, root, child, other, "child"));
    OK(store_sync_hierarchy(f->arena, f->store, root, &given, &seen, &got));
    assert_int_equal(got.count, 3); /* R1128 */
    assert_true(got.folders[0].fid == other && got.folders[1].fid == child &&
                got.folders[2].fid == grandchild); /* R1129 */
    assert_true(got.folders[1].parent == other);
    for (uint32_t i = 0; i < got.count; i++)
        add(&given, got.folders[i].fid);
    globset_add(&seen, 1, got.last);
    OK(store_sync_hierarchy(f->arena, f->store, root, &given, &seen, &got));
    assert_int_equal(got.count + globset_size(&got.deleted), 0);
    fixture_message(f, child, "of no concern");
    OK(store_folder_delete(f->store, child, grandchild, STORE_HARD, &partial));
    OK(store_sync_hierarchy(f->arena, f->store, root, &given, &seen, &got));
    assert_int_equal(got.count, 0); /* R6001: nor are its messages */
    assert_true(holds(&got.deleted, grandchild) && globset_size(&got.deleted) == 1);
    OK(store_folder_move(f->store, other, child, STORE_FID(SPECIAL_IPM_SUBTREE), "child"));
    OK(store_sync_hierarchy(f->arena, f->store, root, &given, &seen, &got));
    assert_true(holds(&got.deleted, child));
}

/* Two clients that know the same; between them, what was deleted is purged. */
static void what_is_purged_meanwhile_is_told_like_what_was_deleted(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), folder = fixture_folder(f, inbox, "folder"),
                   child = fixture_folder(f, folder, "child");
    const uint64_t mids[] = { fixture_message(f, inbox, "soft"), fixture_message(f, inbox, "stays") };
    struct client *before = client_new(f), *after = client_new(f);
    struct store_synced_folders tree[2];
    bool partial, more = true;
    fixture_message(f, child, "with the folder");
    sync_folder(f, before, inbox);
    sync_folder(f, after, inbox);
    OK(store_messages_delete(f->store, inbox, mids, 1, false, &partial));
    OK(store_folder_delete(f->store, inbox, folder, STORE_MESSAGES | STORE_FOLDERS, &partial));
    struct globset given, seen;
    globset_init(&given, f->arena);
    globset_init(&seen, f->arena);
    add(&given, folder);
    add(&given, child);
    assert_int_equal(sync_folder(f, before, inbox), 1);
    OK(store_sync_hierarchy(f->arena, f->store, inbox, &given, &seen, &tree[0]));
    while (more)
        OK(store_purge(f->store, filetime_now() + 1, 1, &more));
    assert_int_equal(sync_folder(f, after, inbox), 1);
    assert_true(holds(&after->got.deleted, mids[0]) && globset_size(&after->got.deleted) == 1);
    assert_true(globset_equal(&before->given, &after->given) && globset_equal(&before->seen, &after->seen));
    OK(store_sync_hierarchy(f->arena, f->store, inbox, &given, &seen, &tree[1]));
    for (size_t i = 0; i < COUNTOF(tree); i++)
        assert_true(holds(&tree[i].deleted, folder) && holds(&tree[i].deleted, child));
    assert_int_equal(tree[0].count, tree[1].count);
    assert_int_equal(sync_folder(f, client_new(f), inbox), 1);
}

static void a_folder_that_is_gone_is_not_found(void **state)
{
    struct store_fixture *f = *state;
    struct client *c = client_new(f);
    struct store_synced_folders got;
    EC(store_sync_contents(c, f->store, store_id(0x7777777), &c->asked, &c->got), ecNotFound);
    EC(store_sync_hierarchy(c, f->store, store_id(0x7777777), &c->given, &c->seen, &got), ecNotFound);
}

struct seen_prop {
    uint32_t tags[200], count, longs;
};

static void note(void *arg, uint32_t tag, const struct prop *value)
{
    struct seen_prop *seen = arg;
    seen->longs += !value;
    seen->tags[seen->count++] = tag;
}

static void every_property_is_told_once_and_long_ones_without_their_value(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX);
    struct seen_prop seen = { 0 };
    struct store_message *m;
    uint64_t mid;
    OK(store_message_new(&m, f->arena, f->store, inbox, false));
    OK(fixture_set(m, P_STR(PidTagSubject, "RE: x")));
    OK(fixture_set(m, P_BIN(PidTagHtml, BLOB_OF(talloc_zero_size(f->arena, 100000), 100000))));
    OK(store_message_save(m, false, &mid));
    m = fixture_open(f, inbox, mid);
    OK(store_message_each(m, 50000, note, &seen));
    assert_int_equal(seen.longs, 1);
    unsigned subjects = 0;
    for (uint32_t i = 0; i < seen.count; i++) {
        subjects += seen.tags[i] == PidTagSubject;
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(PROP_ID(seen.tags[i]), PROP_ID(seen.tags[k]));
        assert_int_not_equal(seen.tags[i], PidTagSourceKey);
    }
    assert_int_equal(subjects, 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_client_gets_all_and_the_second_time_nothing),
        cmocka_unit_test(a_changed_message_comes_again_and_only_that),
        cmocka_unit_test(what_is_deleted_or_moved_away_is_reported_if_it_was_given),
        cmocka_unit_test(read_states_have_numbers_of_their_own),
        cmocka_unit_test(each_kind_is_found_by_its_own_set),
        cmocka_unit_test(what_no_longer_matches_the_restriction_leaves_the_scope),
        cmocka_unit_test(a_client_with_holes_in_its_set_gets_what_lies_in_them),
        cmocka_unit_test(the_newest_come_first_where_that_is_asked),
        cmocka_unit_test(folders_come_with_parents_first_and_go_wherever_they_went),
        cmocka_unit_test(what_is_purged_meanwhile_is_told_like_what_was_deleted),
        cmocka_unit_test(a_folder_that_is_gone_is_not_found),
        cmocka_unit_test(every_property_is_told_once_and_long_ones_without_their_value),
    };
    return store_fixture_run("synchronisation", tests, COUNTOF(tests));
}
