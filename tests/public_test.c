/* SPDX-License-Identifier: Apache-2.0 */
/* Public folders, made by an administrator, used by two people and met by mail: [MS-OXCSTOR] 3.2.5.1.2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
    struct client *alice, *bob; /* logged on to the public folders */
};

#define OK(c, call)                                                                                                    \
    do {                                                                                                               \
        const enum ec ec_ = (call);                                                                                    \
        if (ec_)                                                                                                       \
            fail_msg("%s: %s (%s)", #call, ec_name(ec_), client_error(c)->text);                                       \
    } while (0)

static struct client *log_on(struct fixture *f, const char *name)
{
    struct client *c = server_client(f->server, f, name);
    OK(c, client_connect(c));
    OK(c, client_logon_public(c));
    return c;
}

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->arena = talloc_new(f);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    if (f->alice)
        client_disconnect(f->alice);
    if (f->bob)
        client_disconnect(f->bob);
    assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

static void nobody_logs_on_before_there_are_any(void **state)
{
    struct fixture *f = *state;
    struct client *c = server_client(f->server, f->arena, "alice");
    OK(c, client_connect(c));
    assert_int_equal(client_logon_public(c), ecLoginFailure);
    assert_null(strstr(client_discovery(c)->xml, "PublicFolderInformation"));
    client_disconnect(c);

    server_cmdlet(f->server, f->arena, NULL, "New-Mailbox -PublicFolder -Name PublicFolders");
    server_cmdlet(f->server, f->arena, NULL, "New-PublicFolder Sales; New-PublicFolder Orders -Path \\Sales");
    server_cmdlet(f->server, f->arena, NULL,
                  "Add-PublicFolderClientPermission \\Sales -User alice -AccessRights Owner");
    f->alice = log_on(f, "alice");
    f->bob = log_on(f, "bob");
    assert_non_null(strstr(client_discovery(f->alice)->xml, "<SmtpAddress>PublicFolders@contoso.com</SmtpAddress>"));
}

static uint64_t post(struct fixture *f, struct client *c, uint64_t fid, const char *subject)
{
    uint32_t message;
    uint64_t mid;
    (void)f;
    OK(c, client_message_create(c, fid, &message));
    OK(c, client_set(c, message, &P_STR(PidTagSubject, subject), 1));
    OK(c, client_message_save(c, message, &mid));
    client_release(c, message);
    return mid;
}

static void who_may_do_what_is_the_folders_own_matter(void **state)
{
    struct fixture *f = *state;
    uint64_t sales, made, mid;
    uint32_t message;
    OK(f->bob, client_folder_find(f->bob, "Sales", &sales));
    assert_int_equal(client_folder_create(f->bob, sales, "His", &made), ecAccessDenied);
    OK(f->alice, client_folder_create(f->alice, sales, "Hers", &made));
    assert_non_null(
        strstr(server_cmdlet(f->server, f->arena, NULL, "(Get-PublicFolder \\Sales\\Hers).Identity"), "\\Sales\\Hers"));
    mid = post(f, f->bob, sales, "of bob");
    OK(f->alice, client_message_open(f->alice, sales, mid, true, &message)); /* an owner may */
    client_release(f->alice, message);
    mid = post(f, f->alice, sales, "of alice");
    assert_int_equal(client_message_open(f->bob, sales, mid, true, &message), ecAccessDenied);
    OK(f->bob, client_message_open(f->bob, sales, mid, false, &message));
    client_release(f->bob, message);
}

static void what_one_posts_the_other_hears_of_at_once(void **state)
{
    struct fixture *f = *state;
    uint64_t sales;
    uint32_t subscription;
    bool event;
    OK(f->bob, client_folder_find(f->bob, "Sales", &sales));
    OK(f->bob, client_subscribe(f->bob, CLIENT_CREATED, sales, &subscription));
    OK(f->bob, client_wait_begin(f->bob));
    const uint64_t mid = post(f, f->alice, sales, "news");
    OK(f->bob, client_wait(f->bob, 20000, &event));
    assert_true(event);
    OK(f->bob, client_fetch(f->bob));
    const struct client_notification *n = client_next_notification(f->bob, f->arena);
    assert_non_null(n);
    assert_true(n->notify.NotificationData.MessageId == mid);
    client_release(f->bob, subscription);
}

static uint32_t unread(struct fixture *f, struct client *c, uint64_t fid)
{
    static const uint32_t tags[] = { PidTagContentUnreadCount };
    uint32_t folder;
    struct prop *values;
    OK(c, client_folder_open(c, fid, &folder));
    OK(c, client_get(c, f->arena, folder, tags, 1, &values));
    client_release(c, folder);
    return values[0].u32;
}

static void each_has_read_states_that_outlive_the_server(void **state)
{
    struct fixture *f = *state;
    uint64_t orders;
    uint32_t folder;
    OK(f->alice, client_folder_find(f->alice, "Sales/Orders", &orders));
    post(f, f->alice, orders, "one");
    const uint64_t mid = post(f, f->alice, orders, "two");
    assert_int_equal(unread(f, f->alice, orders), 0);
    assert_int_equal(unread(f, f->bob, orders), 2);
    OK(f->bob, client_folder_open(f->bob, orders, &folder));
    OK(f->bob, client_call(f->bob, f->arena, RopSetReadFlags, folder,
                           &(struct RopSetReadFlagsRequest){ .MessageIdCount = 1, .MessageIds = &mid }, NULL, NULL));
    assert_int_equal(unread(f, f->bob, orders), 1);
    client_forget(f->alice);
    client_forget(f->bob);
    server_kill(f->server);
    server_run_again(f->server);
    f->alice = log_on(f, "alice");
    f->bob = log_on(f, "bob");
    assert_int_equal(unread(f, f->bob, orders), 1);
    assert_int_equal(unread(f, f->alice, orders), 0);
}

static uint32_t count(struct fixture *f, struct client *c, uint64_t fid, struct props **rows)
{
    static const uint32_t columns[] = { PidTagMid, PidTagSubject };
    uint32_t got;
    OK(c, client_messages(c, f->arena, fid, columns, COUNTOF(columns), 0, 100, rows, &got, NULL));
    return got;
}

static void a_mail_enabled_folder_gets_mail_from_outside_and_from_inside(void **state)
{
    struct fixture *f = *state;
    struct props *rows;
    struct client_recipient to;
    uint64_t hers;
    OK(f->alice, client_folder_find(f->alice, "Sales/Hers", &hers));
    server_cmdlet(f->server, f->arena, NULL, "Enable-MailPublicFolder \\Sales\\Hers");
    const char *swaks = talloc_asprintf(f->arena,
                                        "swaks --protocol LMTP --server 127.0.0.1 --port %u --silent 3"
                                        " --from eve@example.com --to hers@contoso.com --h-Subject outside --body x",
                                        server_lmtp_port(f->server));
    assert_int_equal(system(swaks), 0);
    assert_int_equal(count(f, f->alice, hers, &rows), 1);
    assert_string_equal(rows[0].values[1].str, "outside");

    struct client *bob = server_logon(f->server, f->arena, "bob");
    OK(bob, client_resolve(bob, f->arena, "Hers", CLIENT_TO, &to));
    OK(bob, client_send(bob, &(struct client_mail){
                                 .subject = "inside", .text = "x", .recipients = &to, .recipient_count = 1 }));
    assert_int_equal(count(f, f->alice, hers, &rows), 2);
    client_disconnect(bob);
    server_cmdlet(f->server, f->arena, NULL, "Disable-MailPublicFolder \\Sales\\Hers -Confirm:$false");
    assert_int_not_equal(system(swaks), 0);
    assert_int_equal(count(f, f->alice, hers, &rows), 2);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_logs_on_before_there_are_any),
        cmocka_unit_test(who_may_do_what_is_the_folders_own_matter),
        cmocka_unit_test(what_one_posts_the_other_hears_of_at_once),
        cmocka_unit_test(each_has_read_states_that_outlive_the_server),
        cmocka_unit_test(a_mail_enabled_folder_gets_mail_from_outside_and_from_inside),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("public", tests, start, stop);
}
