/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCROPS] 3.1.4.2, 3.2.5.3, 3.2.5.4: sessions, logons, handles, and who may use them when. */
#include <pthread.h>

#include "session/fixture.h"

static struct object *make(struct logon *l, struct object *parent, enum object_type type)
{
    struct object *o = NULL;
    store_lock(l->store);
    assert_int_equal(session_object_new(l, parent, type, &o), ecNone);
    store_unlock(l->store);
    return o;
}

static enum ec find(struct session *s, uint8_t logon, uint32_t handle)
{
    struct object *o;
    return session_object(s, logon, handle, &o);
}

static void a_session_knows_its_user_and_client(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    assert_string_equal(session_user(s)->primary_smtp, "alice@contoso.com");
    assert_int_equal(session_client(s)->code_page, 1252);
    assert_string_equal(session_client(s)->application, "test");
    assert_ptr_equal(session_all(s), f->sessions);
    assert_int_equal(sessions_count(f->sessions), 1);
    session_free(s);
    assert_int_equal(sessions_count(f->sessions), 0);
}

static void nobody_has_no_session(void **state)
{
    struct session_fixture *f = *state;
    assert_null(session_new(f->sessions, guid_random(), &(struct client_info){ 0 }));
    assert_int_equal(sessions_count(f->sessions), 0);
}

static void a_handle_is_given_out_once(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    struct logon *l = session_fixture_logon(s, 0, f->alice);
    struct object *first = make(l, NULL, OBJECT_FOLDER);
    const uint32_t handle = first->handle;
    assert_int_equal(find(s, 0, handle), ecNone);
    assert_int_equal(find(s, 1, handle), ecAccessDenied);   /* MS-OXCROPS_R457303 */
    assert_int_equal(find(s, 0, handle + 1), ecNullObject); /* MS-OXCROPS_R457302 */
    assert_int_equal(find(s, 0, 0), ecNullObject);
    assert_int_equal(find(s, 0, 0xFFFFFFFF), ecNullObject);
    session_object_release(first);
    assert_int_equal(find(s, 0, handle), ecInvalidObject); /* MS-OXCROPS_R457301 */
    assert_int_not_equal(make(l, NULL, OBJECT_FOLDER)->handle, handle);
    session_free(s);
}

static void thousands_of_handles_are_all_found_until_there_are_too_many(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    struct logon *l = session_fixture_logon(s, 0, f->alice);
    struct object *last = NULL, *one_more;
    for (unsigned i = 1; i < SESSION_OBJECTS_MAX; i++)
        last = make(l, NULL, i % 3 ? OBJECT_FOLDER : OBJECT_SUBSCRIPTION);
    for (uint32_t handle = l->object->handle; handle <= last->handle; handle++)
        assert_int_equal(find(s, 0, handle), ecNone);
    store_lock(l->store);
    assert_int_equal(session_object_new(l, NULL, OBJECT_FOLDER, &one_more), ecTooManyOpenObjects);
    store_unlock(l->store);
    session_object_release(last);
    make(l, NULL, OBJECT_FOLDER);
    session_free(s);
}

static void what_lives_in_an_object_goes_with_it(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    struct logon *l = session_fixture_logon(s, 0, f->alice);
    struct object *outer = make(l, NULL, OBJECT_MESSAGE), *inner = make(l, outer, OBJECT_ATTACHMENT);
    const uint32_t stream = make(l, inner, OBJECT_STREAM)->handle, other = make(l, NULL, OBJECT_FOLDER)->handle;
    session_object_release(outer);
    assert_int_equal(find(s, 0, stream), ecInvalidObject);
    assert_int_equal(find(s, 0, other), ecNone);
    session_free(s);
}

static void releasing_the_logon_releases_all_below_and_another_with_the_same_id_does_so_too(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    struct logon *l = session_fixture_logon(s, 3, f->alice), *kept = session_fixture_logon(s, 4, f->alice);
    const uint32_t folder = make(l, NULL, OBJECT_FOLDER)->handle, other = make(kept, NULL, OBJECT_FOLDER)->handle;
    session_object_release(l->object); /* MS-OXCROPS_R4570 */
    assert_null(session_find_logon(s, 3));
    assert_int_equal(find(s, 3, folder), ecInvalidObject);
    l = session_fixture_logon(s, 3, f->alice);
    const uint32_t again = make(l, NULL, OBJECT_FOLDER)->handle;
    l = session_fixture_logon(s, 3, f->alice);
    assert_ptr_equal(session_find_logon(s, 3), l);
    assert_int_equal(find(s, 3, again), ecInvalidObject);
    assert_int_equal(find(s, 4, other), ecNone);
    assert_true(kept->owner);
    session_free(s);
}

static void a_mailbox_that_cannot_be_opened_leaves_the_old_logon(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    struct logon *l = session_fixture_logon(s, 0, f->alice), *none = NULL;
    struct account *lost = talloc_memdup(f->arena, f->bob, sizeof *f->bob);
    lost->mailbox_guid = guid_random();
    FILE *quiet = fopen("/dev/null", "w");
    log_to(quiet, LOG_ERROR);
    assert_int_not_equal(session_logon(s, 0, lost, &none), ecNone);
    log_to(stderr, LOG_INFO);
    fclose(quiet);
    assert_ptr_equal(session_find_logon(s, 0), l);
    session_free(s);
}

static void one_request_at_a_time(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    assert_true(session_begin(s));
    assert_false(session_begin(s)); /* MS-OXCROPS_R4549 */
    session_end(s);
    assert_true(session_begin(s));
    session_end(s);
    session_free(s);
}

static void *end_a_session(void *arg)
{
    session_free(arg);
    return NULL;
}

static void the_end_of_a_session_waits_for_the_request_that_runs(void **state)
{
    struct session_fixture *f = *state;
    struct session *s = session_fixture_session(f, f->alice);
    pthread_t ender;
    assert_true(session_begin(s));
    assert_int_equal(pthread_create(&ender, NULL, end_a_session, s), 0);
    struct logon *l = session_fixture_logon(s, 0, f->alice); /* still ours */
    make(l, NULL, OBJECT_FOLDER);
    assert_int_equal(sessions_count(f->sessions), 1);
    session_end(s);
    pthread_join(ender, NULL);
    assert_int_equal(sessions_count(f->sessions), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(a_session_knows_its_user_and_client),
        SESSION_TEST(nobody_has_no_session),
        SESSION_TEST(a_handle_is_given_out_once),
        SESSION_TEST(thousands_of_handles_are_all_found_until_there_are_too_many),
        SESSION_TEST(what_lives_in_an_object_goes_with_it),
        SESSION_TEST(releasing_the_logon_releases_all_below_and_another_with_the_same_id_does_so_too),
        SESSION_TEST(a_mailbox_that_cannot_be_opened_leaves_the_old_logon),
        SESSION_TEST(one_request_at_a_time),
        SESSION_TEST(the_end_of_a_session_waits_for_the_request_that_runs),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
