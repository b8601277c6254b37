/* SPDX-License-Identifier: Apache-2.0 */
/* bob in alice's calendar and in a shared mailbox, through the whole server: [MS-OXCPERM], [MS-OXODLGT] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/sync.h"
#include "server.h"
#include "store/store.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
    struct client *alice, *bob; /* bob has not logged on to any mailbox */
    const char *alice_dn;
};

#define CALENDAR STORE_FID(SPECIAL_CALENDAR)
#define INBOX STORE_FID(SPECIAL_INBOX)
#define SENT_ITEMS STORE_FID(SPECIAL_SENT_ITEMS)
#define CODE(call, code) assert_string_equal(ec_name(call), #code)

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->arena = talloc_new(f);
    f->alice = server_logon(f->server, f, "alice");
    f->alice_dn = client_discovery(f->alice)->legacy_dn;
    f->bob = server_client(f->server, f, "bob");
    CODE(client_connect(f->bob), ecNone);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    client_disconnect(f->alice);
    client_disconnect(f->bob);
    assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

static uint64_t message(struct client *c, uint64_t fid, const char *subject)
{
    uint32_t handle;
    uint64_t mid;
    const struct prop p = P_STR(PidTagSubject, subject);
    CODE(client_message_create(c, fid, &handle), ecNone);
    CODE(client_set(c, handle, &p, 1), ecNone);
    CODE(client_message_save(c, handle, &mid), ecNone);
    client_release(c, handle);
    return mid;
}

static const char *text_of(struct fixture *f, struct client *c, uint64_t fid, uint64_t mid, uint32_t tag)
{
    struct prop *value;
    uint32_t handle;
    CODE(client_message_open(c, fid, mid, false, &handle), ecNone);
    CODE(client_get(c, f->arena, handle, &tag, 1, &value), ecNone);
    client_release(c, handle);
    return PROP_TYPE(value->tag) == PtypString ? value->str : "";
}

/* ---- one folder ---- */

static void bob_edits_alices_calendar_as_far_as_he_may(void **state)
{
    struct fixture *f = *state;
    uint32_t handle;
    CODE(client_logon(f->bob, f->alice_dn), ecAccessDenied);
    server_cmdlet(f->server, f->arena, NULL, "Add-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights Author");
    CODE(client_logon(f->bob, f->alice_dn), ecNone);
    CODE(client_folder_open(f->bob, INBOX, &handle), ecNotFound);
    const uint64_t hers = message(f->alice, CALENDAR, "dentist"), his = message(f->bob, CALENDAR, "lunch");
    assert_string_equal(text_of(f, f->bob, CALENDAR, hers, PidTagSubject), "dentist");
    assert_string_equal(text_of(f, f->alice, CALENDAR, his, PidTagCreatorName), client_display_name(f->bob));
    CODE(client_message_open(f->bob, CALENDAR, hers, true, &handle), ecAccessDenied);
    CODE(client_message_open(f->bob, CALENDAR, his, true, &handle), ecNone);
    client_release(f->bob, handle);
    CODE(client_message_delete(f->bob, CALENDAR, his), ecNone);

    server_cmdlet(f->server, f->arena, NULL, "Set-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights Editor");
    CODE(client_message_open(f->bob, CALENDAR, hers, true, &handle), ecNone);
    const struct prop moved = P_STR(PidTagSubject, "dentist, later");
    CODE(client_set(f->bob, handle, &moved, 1), ecNone);
    CODE(client_message_save(f->bob, handle, NULL), ecNone);
    assert_string_equal(text_of(f, f->alice, CALENDAR, hers, PidTagSubject), "dentist, later");
    server_cmdlet(f->server, f->arena, NULL, "Remove-MailboxFolderPermission alice:\\Calendar -User bob -Confirm:$false");
    CODE(client_message_save(f->bob, handle, NULL), ecAccessDenied);
    CODE(client_message_open(f->bob, CALENDAR, hers, false, &handle), ecAccessDenied);
}

static void what_alice_does_reaches_bob_who_may_see_it(void **state)
{
    struct fixture *f = *state;
    uint32_t handle;
    bool event = false;
    server_cmdlet(f->server, f->arena, NULL, "Add-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights Reviewer");
    CODE(client_logon(f->bob, f->alice_dn), ecNone);
    CODE(client_subscribe(f->bob, 0x7E, 0, &handle), ecNone);
    message(f->alice, INBOX, "for her alone");
    const uint64_t seen = message(f->alice, CALENDAR, "for both");
    CODE(client_wait(f->bob, 20000, &event), ecNone);
    assert_true(event);
    CODE(client_execute(f->bob, f->arena, NULL, 0), ecNone);
    bool told = false;
    const struct client_notification *n;
    while ((n = client_next_notification(f->bob, f->arena))) {
        assert_int_not_equal(n->notify.NotificationData.FolderId, INBOX);
        told |= n->notify.NotificationData.MessageId == seen;
    }
    assert_true(told);
}

/* ---- a shared calendar in cached mode ---- */

struct copied {
    unsigned changed, deleted;
};

static enum ec count_message(void *arg, const struct sync_message *m)
{
    (void)m;
    ((struct copied *)arg)->changed++;
    return ecNone;
}

static enum ec count_deleted(void *arg, const struct idset *ids)
{
    ((struct copied *)arg)->deleted += (unsigned)idset_size(ids);
    return ecNone;
}

static enum ec synchronise(struct fixture *f, struct sync_state *state, struct copied *got)
{
    static const struct sync_taker taker = { .message = count_message, .deleted = count_deleted };
    const struct sync_scope scope = { .type = SYNC_CONTENTS, .flags = SYNC_EVERYTHING, .extra = SYNC_EID };
    uint32_t folder;
    *got = (struct copied){ 0 };
    enum ec ec = client_folder_open(f->bob, CALENDAR, &folder);
    if (ec)
        return ec;
    ec = client_sync(f->bob, f->arena, folder, &scope, state, &taker, got);
    client_release(f->bob, folder);
    return ec;
}

static void let_bob_read_the_calendar(struct fixture *f)
{
    server_cmdlet(f->server, f->arena, NULL, "Add-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights Reviewer");
    CODE(client_logon(f->bob, f->alice_dn), ecNone);
}

static void bobs_copy_of_alices_calendar_stays_complete_through_edits_and_rights_that_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct sync_state known = { 0 };
    struct copied got;
    message(f->alice, CALENDAR, "first");
    message(f->alice, CALENDAR, "second");
    let_bob_read_the_calendar(f);
    CODE(synchronise(f, &known, &got), ecNone);
    assert_int_equal(got.changed, 2);
    const uint64_t third = message(f->alice, CALENDAR, "third");
    CODE(synchronise(f, &known, &got), ecNone);
    assert_int_equal(got.changed, 1);

    server_cmdlet(f->server, f->arena, NULL, "Remove-MailboxFolderPermission alice:\\Calendar -User bob -Confirm:$false");
    CODE(client_message_delete(f->alice, CALENDAR, third), ecNone);
    message(f->alice, CALENDAR, "fourth");
    assert_int_not_equal(synchronise(f, &known, &got), ecNone);
    assert_int_equal(got.changed + got.deleted, 0);
    let_bob_read_the_calendar(f);
    CODE(synchronise(f, &known, &got), ecNone);
    assert_int_equal(got.changed, 1);
    assert_int_equal(got.deleted, 1);
    CODE(synchronise(f, &known, &got), ecNone);
    assert_int_equal(got.changed + got.deleted, 0);
}

static void a_reviewer_uploads_nothing(void **state)
{
    struct fixture *f = *state;
    const struct sync_state known = { 0 };
    message(f->alice, CALENDAR, "hers");
    let_bob_read_the_calendar(f);
    const struct blob any = sync_gid(f->arena, client_logon_response(f->bob)->ReplGuid, 0xFFFFFFu);
    uint8_t xid[20] = { 1 };
    const struct sync_keys keys = { any, BLOB_OF(xid, sizeof xid), sync_predecessors(f->arena, BLOB_OF(NULL, 0), BLOB_OF(xid, sizeof xid)), filetime_now() };
    uint32_t folder, collector, handle;
    CODE(client_folder_open(f->bob, CALENDAR, &folder), ecNone);
    if (client_collector_open(f->bob, folder, SYNC_CONTENTS, &known, &collector) == ecNone) {
        enum ec ec = client_import_message(f->bob, collector, 0, &keys, &handle);
        if (!ec)
            ec = client_message_save(f->bob, handle, NULL);
        assert_int_not_equal(ec, ecNone);
        assert_int_not_equal(client_import_deletes(f->bob, collector, SYNC_DELETE_HARD, &any, 1), ecNone);
        client_release(f->bob, collector);
    }
    client_release(f->bob, folder);
    struct sync_state empty = { 0 };
    struct copied got;
    CODE(synchronise(f, &empty, &got), ecNone);
    assert_int_equal(got.changed, 1);
}

/* ---- a whole mailbox ---- */

static void a_shared_mailbox_appears_by_itself_and_is_the_owners_to_use(void **state)
{
    struct fixture *f = *state;
    TALLOC_CTX *arena = f->arena;
    server_cmdlet(f->server, arena, NULL, "New-Mailbox sales -Shared -PrimarySmtpAddress sales@contoso.com -DisplayName Sales");
    struct client *sales = server_client(f->server, f, "sales");
    CODE(client_connect(sales), ecLoginFailure);
    CODE(client_discover(f->bob), ecNone);
    assert_null(strstr(client_discovery(f->bob)->xml, "AlternativeMailbox"));
    server_cmdlet(f->server, arena, NULL, "Add-MailboxPermission sales -User bob -AccessRights FullAccess");
    CODE(client_discover(f->bob), ecNone);
    assert_non_null(strstr(client_discovery(f->bob)->xml, "<SmtpAddress>sales@contoso.com</SmtpAddress>"));
    CODE(client_discover(f->alice), ecNone);
    assert_null(strstr(client_discovery(f->alice)->xml, "AlternativeMailbox"));

    const char *dn = talloc_strdup(arena, server_cmdlet(f->server, arena, NULL, "Get-Mailbox sales | select -ExpandProperty LegacyExchangeDN"));
    ((char *)dn)[strcspn(dn, "\r\n")] = 0;
    CODE(client_connect(f->bob), ecNone);
    CODE(client_logon(f->bob, dn), ecNone);
    const uint64_t mid = message(f->bob, INBOX, "an order");
    assert_string_equal(text_of(f, f->bob, INBOX, mid, PidTagLastModifierName), client_display_name(f->bob));
    server_cmdlet(f->server, arena, NULL, "Remove-MailboxPermission sales -User bob -AccessRights FullAccess -Confirm:$false");
    uint32_t handle;
    CODE(client_folder_open(f->bob, INBOX, &handle), ecNotFound);
    CODE(client_logon(f->bob, dn), ecAccessDenied);
}

/* ---- sending ---- */

static enum ec send_as_alice(struct fixture *f, const char *subject)
{
    uint32_t handle;
    struct client_recipient to;
    const struct prop values[] = {
        P_STR(PidTagSubject, subject),
        P_STR(PidTagSentRepresentingAddressType, "SMTP"),
        P_STR(PidTagSentRepresentingEmailAddress, "alice@contoso.com"),
        P_STR(PidTagSentRepresentingName, "Alice"),
    };
    CODE(client_resolve(f->bob, f->arena, "bob@contoso.com", 1, &to), ecNone);
    CODE(client_message_create(f->bob, STORE_FID(SPECIAL_DRAFTS), &handle), ecNone);
    CODE(client_set(f->bob, handle, values, COUNTOF(values)), ecNone);
    CODE(client_add_recipients(f->bob, handle, &to, 1), ecNone);
    const enum ec ec = client_message_submit(f->bob, handle);
    client_release(f->bob, handle);
    return ec;
}

static const char *newest(struct fixture *f, struct client *c, uint64_t fid, uint32_t tag)
{
    const uint32_t columns[] = { PidTagSubject, tag };
    struct props *rows;
    uint32_t handle, total, count;
    CODE(client_table_open(c, fid, columns, 2, &handle, &total), ecNone);
    CODE(client_table_rows(c, f->arena, handle, 100, &rows, &count), ecNone);
    client_release(c, handle);
    return count ? rows[0].values[1].str : "";
}

static void bob_sends_as_alice_or_on_her_behalf_by_right_alone(void **state)
{
    struct fixture *f = *state;
    CODE(client_logon(f->bob, NULL), ecNone);
    CODE(send_as_alice(f, "without a right"), ecSendAsDenied);
    server_cmdlet(f->server, f->arena, NULL, "Set-Mailbox alice -GrantSendOnBehalfTo bob");
    CODE(send_as_alice(f, "on behalf"), ecNone);
    assert_string_equal(newest(f, f->bob, INBOX, PidTagSenderName), client_display_name(f->bob));
    assert_string_equal(newest(f, f->bob, INBOX, PidTagSentRepresentingName), client_display_name(f->alice));
    server_cmdlet(f->server, f->arena, NULL, "Add-ADPermission alice -User bob -ExtendedRights 'Send As'");
    server_cmdlet(f->server, f->arena, NULL, "Set-Mailbox alice -MessageCopyForSentAsEnabled $true");
    assert_string_equal(newest(f, f->alice, SENT_ITEMS, PidTagSubject), "");
    CODE(send_as_alice(f, "as alice"), ecNone);
    assert_string_equal(newest(f, f->bob, INBOX, PidTagSenderName), client_display_name(f->alice));
    assert_string_equal(newest(f, f->alice, SENT_ITEMS, PidTagSubject), "as alice");
    assert_string_equal(newest(f, f->bob, SENT_ITEMS, PidTagSubject), "as alice");
    server_cmdlet(f->server, f->arena, NULL, "Remove-ADPermission alice -User bob -ExtendedRights Send-As -Confirm:$false");
    server_cmdlet(f->server, f->arena, NULL, "Set-Mailbox alice -GrantSendOnBehalfTo @{Remove='bob'}");
    CODE(send_as_alice(f, "no more"), ecSendAsDenied);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bob_edits_alices_calendar_as_far_as_he_may),
        TEST(what_alice_does_reaches_bob_who_may_see_it),
        TEST(bobs_copy_of_alices_calendar_stays_complete_through_edits_and_rights_that_come_and_go),
        TEST(a_reviewer_uploads_nothing),
        TEST(a_shared_mailbox_appears_by_itself_and_is_the_owners_to_use),
        TEST(bob_sends_as_alice_or_on_her_behalf_by_right_alone),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("delegates", tests, NULL, NULL);
}
