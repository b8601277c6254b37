/* SPDX-License-Identifier: Apache-2.0 */
/* How large mailboxes may be. */
#include "transport/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)

static void set_quota(struct post *p, int64_t warning, int64_t send, int64_t receive)
{
    struct account altered = *p->alice;
    altered.own_quota = true;
    altered.quota = (struct org_quota){ warning, send, receive };
    OK(directory_set(p->directory, &altered, NULL));
    p->alice = directory_by_mailbox_guid(p->directory, p->arena, altered.mailbox_guid);
}

static enum ec mail(struct post *p, size_t size)
{
    char *body = talloc_zero_size(p->arena, size + 1);
    memset(body, 'x', size);
    const char *text =
        talloc_asprintf(p->arena, "From: eve@example.com\r\nTo: alice@contoso.com\r\nSubject: news\r\n\r\n%s", body);
    enum ec result;
    transport_deliver(p->transport, BLOB_OF(text, strlen(text)), "eve@example.com", &p->alice, 1, &result);
    return result;
}

static enum ec send(struct post *p)
{
    struct store *st = post_enter(p, p->alice);
    struct store_message *message;
    const struct prop who[] = { P_STR(PidTagDisplayName, "Bob"), P_STR(PidTagAddressType, "SMTP"),
                                P_STR(PidTagEmailAddress, "bob@contoso.com") };
    OK(store_message_new(&message, p->arena, st, STORE_FID(SPECIAL_OUTBOX), false));
    OK(store_recipient_put(message, &(struct store_recipient){ 0, 1, { COUNTOF(who), who } }));
    OK(store_message_save(message, true, NULL));
    const enum ec ec = transport_submit(p->transport, p->alice, message, 0);
    talloc_free(message);
    post_leave(st);
    return ec;
}

static void a_full_mailbox_receives_nothing(void **state)
{
    struct post *p = *state;
    set_quota(p, ORG_UNLIMITED, ORG_UNLIMITED, 20000);
    OK(mail(p, 5000));
    EC(mail(p, 50000), ecQuotaExceeded);
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
    OK(mail(p, 1000));
}

static void who_is_over_the_limit_sends_nothing_and_still_receives(void **state)
{
    struct post *p = *state;
    set_quota(p, ORG_UNLIMITED, 4000, ORG_UNLIMITED);
    OK(mail(p, 5000));
    EC(send(p), ecQuotaExceeded);
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    OK(mail(p, 5000));
    set_quota(p, ORG_UNLIMITED, 1000000, ORG_UNLIMITED);
    OK(send(p));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

static void a_sender_hears_that_a_mailbox_is_full(void **state)
{
    struct post *p = *state;
    struct store *st = post_enter(p, p->bob);
    struct store_message *message;
    const struct prop who[] = { P_STR(PidTagDisplayName, "Alice"), P_STR(PidTagAddressType, "SMTP"),
                                P_STR(PidTagEmailAddress, "alice@contoso.com") };
    set_quota(p, ORG_UNLIMITED, ORG_UNLIMITED, 0);
    OK(store_message_new(&message, p->arena, st, STORE_FID(SPECIAL_OUTBOX), false));
    OK(store_recipient_put(message, &(struct store_recipient){ 0, 1, { COUNTOF(who), who } }));
    OK(store_message_save(message, true, NULL));
    OK(transport_submit(p->transport, p->bob, message, 0));
    talloc_free(message);
    post_leave(st);
    const struct letter *report = post_newest(p, p->bob, INBOX);
    assert_non_null(report);
    assert_non_null(strstr(letter_text(&report->props, PidTagBody), "5.2.2"));
}

static void the_owner_is_warned_once_a_day(void **state)
{
    struct post *p = *state;
    set_quota(p, 4000, ORG_UNLIMITED, ORG_UNLIMITED);
    OK(mail(p, 5000));
    assert_int_equal(post_count(p, p->alice, INBOX), 2);
    assert_string_equal(letter_text(&post_newest(p, p->alice, INBOX)->props, PidTagSubject),
                        "Your mailbox is almost full");
    OK(mail(p, 5000));
    assert_int_equal(post_count(p, p->alice, INBOX), 3);
}

static void a_mailbox_has_the_quotas_of_its_database_unless_it_has_its_own(void **state)
{
    struct post *p = *state;
    const struct org_settings *s = org_settings(p->org, p->arena);
    struct org_database database = s->databases[0];
    assert_int_equal(directory_quota(p->directory, p->alice->mailbox_guid).send, 2147483648);
    database.quota = (struct org_quota){ 1, 2, 3 };
    OK(org_database_set(p->org, &database));
    assert_int_equal(directory_quota(p->directory, p->alice->mailbox_guid).receive, 3);
    EC(mail(p, 1000), ecQuotaExceeded);
    set_quota(p, ORG_UNLIMITED, ORG_UNLIMITED, ORG_UNLIMITED);
    OK(mail(p, 1000));
    assert_int_equal(directory_quota(p->directory, guid_random()).send, ORG_UNLIMITED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, post_open, post_close)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_full_mailbox_receives_nothing),
        TEST(who_is_over_the_limit_sends_nothing_and_still_receives),
        TEST(a_sender_hears_that_a_mailbox_is_full),
        TEST(the_owner_is_warned_once_a_day),
        TEST(a_mailbox_has_the_quotas_of_its_database_unless_it_has_its_own),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("quotas", tests, NULL, NULL);
}
