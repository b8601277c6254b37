/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXOMSG] 3.2.5: what is checked before a message goes to the transport. */
#include "rop/fixture.h"

static uint32_t message(struct rop_fixture *f, bool with_recipient)
{
    const uint32_t m =
        RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = STORE_FID(SPECIAL_OUTBOX)).handle;
    const struct ModifyRecipientRow row = {
        .RecipientType = 1,
        .RecipientRowSize = 1,
        .RecipientRow = { .RecipientFlags = 0x021B, .EmailAddress = "ann@example.com", .DisplayName = "Ann" }
    };
    rop_set(f, m, P_STR(PidTagSubject, "to Ann"));
    if (with_recipient)
        CODE(RUN(f, ModifyRecipients, m, .RowCount = 1, .RecipientRows = &row), ecNone);
    return m;
}

static void a_message_with_recipients_goes_to_the_transport_saved(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f, true);
    CODE(RUN(f, SubmitMessage, m), ecNone);
    assert_int_equal(f->submitted, 1);
    assert_int_equal(rop_get(f, rop_folder(f, STORE_FID(SPECIAL_OUTBOX)), PidTagContentCount).u32, 1);
}

static void without_recipients_nothing_is_sent(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, SubmitMessage, message(f, false)), ecNoRecipients);
    assert_int_equal(f->submitted, 0);
}

static void associated_content_is_not_sent(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = STORE_FID(SPECIAL_INBOX),
                           .AssociatedFlag = true)
                           .handle;
    CODE(RUN(f, SubmitMessage, m), ecAccessDenied);
    assert_int_equal(f->submitted, 0);
}

static void a_message_inside_of_another_is_not_sent(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t attachment = RUN(f, CreateAttachment, message(f, true)).handle;
    const struct rop_done inner = RUN(f, OpenEmbeddedMessage, attachment, .CodePageId = 0x0FFF, .OpenModeFlags = 2);
    CODE(inner, ecNone);
    const struct ModifyRecipientRow row = {
        .RecipientType = 1,
        .RecipientRowSize = 1,
        .RecipientRow = { .RecipientFlags = 0x021B, .EmailAddress = "ann@example.com", .DisplayName = "Ann" }
    };
    CODE(RUN(f, ModifyRecipients, inner.handle, .RowCount = 1, .RecipientRows = &row), ecNone);
    CODE(RUN(f, SubmitMessage, inner.handle), ecNotSupported);
    assert_int_equal(f->submitted, 0);
}

static void what_the_transport_says_is_the_answer(void **state)
{
    struct rop_fixture *f = *state;
    f->submit_answer = ecSendAsDenied;
    CODE(RUN(f, SubmitMessage, message(f, true)), ecSendAsDenied);
    CODE(RUN(f, SubmitMessage, rop_folder(f, STORE_FID(SPECIAL_INBOX))), ecNotSupported);
}

static void a_message_that_was_changed_elsewhere_is_not_sent(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f, true);
    const uint64_t mid = rop_save(f, m);
    const uint32_t other = rop_open_message(f, STORE_FID(SPECIAL_OUTBOX), mid, 1);
    rop_set(f, other, P_STR(PidTagSubject, "other"));
    rop_save(f, other);
    rop_set(f, m, P_STR(PidTagSubject, "mine"));
    CODE(RUN(f, SubmitMessage, m), ecObjectModified);
    assert_int_equal(f->submitted, 0);
}

static void what_the_transport_holds_can_be_taken_back(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, AbortSubmit, f->logon, .FolderId = STORE_FID(SPECIAL_OUTBOX), .MessageId = 1), ecNotInQueue);
    CODE(RUN(f, SubmitMessage, message(f, true)), ecNone);
    CODE(RUN(f, AbortSubmit, f->logon, .FolderId = STORE_FID(SPECIAL_OUTBOX), .MessageId = 1), ecNone);
    f->submit_answer = ecUnableToAbort;
    CODE(RUN(f, AbortSubmit, f->logon, .FolderId = STORE_FID(SPECIAL_OUTBOX), .MessageId = 1), ecUnableToAbort);
}

static void a_client_in_cached_mode_sends_and_gets_no_properties_back(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done done = RUN(f, TransportSend, message(f, true));
    CODE(done, ecNone);
    const struct RopTransportSendResponse *r = done.response;
    assert_true(r->NoPropertiesReturned); /* MS-OXCROPS_R2484 */
    assert_int_equal(r->PropertyValueCount, 0);
    assert_int_equal(f->submitted, 1);
    CODE(RUN(f, TransportSend, message(f, false)), ecNoRecipients);
    f->submit_answer = ecSendAsDenied;
    CODE(RUN(f, TransportSend, message(f, true)), ecSendAsDenied);
}

static void a_spooler_takes_messages_from_its_queue(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, STORE_FID(SPECIAL_SPOOLER_QUEUE), "by fax");
    CODE(RUN(f, SetSpooler, f->logon), ecNone);
    CODE(RUN(f, SpoolerLockMessage, f->logon, .MessageId = mid, .LockState = 0), ecNone);
    CODE(RUN(f, SpoolerLockMessage, f->logon, .MessageId = mid, .LockState = 1), ecNone);
    CODE(RUN(f, SpoolerLockMessage, f->logon, .MessageId = mid, .LockState = 3), ecInvalidParam);
    CODE(RUN(f, SpoolerLockMessage, f->logon, .MessageId = mid, .LockState = 2), ecNone);
    CODE(RUN(f, SpoolerLockMessage, f->logon, .MessageId = mid, .LockState = 0), ecNotFound);
    assert_int_equal(rop_get(f, rop_folder(f, STORE_FID(SPECIAL_SENT_ITEMS)), PidTagContentCount).u32, 1);
}

static void mail_that_a_client_has_fetched_is_announced(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), mid = rop_message(f, inbox, "by POP");
    struct rop_fixture *other = rop_second_session(f);
    CODE(RUN(other, RegisterNotification, other->logon, .NotificationTypes = 0x02, .WantWholeStore = true), ecNone);
    CODE(RUN(f, TransportNewMail, f->logon, .MessageId = mid, .FolderId = inbox, .MessageClass = "IPM.Note"), ecNone);
    rop_poll(other);
    assert_non_null(other->notifications);
    assert_int_equal(other->notifications->body.NotificationData.MessageId, mid);
    assert_string_equal(other->notifications->body.NotificationData.MessageClass, "IPM.Note");
    CODE(RUN(f, TransportNewMail, f->logon, .MessageId = mid + 1, .FolderId = inbox, .MessageClass = ""), ecNotFound);
}

static void the_address_types_are_those_of_the_organisation_and_of_the_internet(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done done = RUN(f, GetAddressTypes, f->logon);
    CODE(done, ecNone);
    const struct RopGetAddressTypesResponse *r = done.response;
    assert_int_equal(r->AddressTypeCount, 2);
    assert_string_equal(r->AddressTypes[0], "EX");
    assert_string_equal(r->AddressTypes[1], "SMTP");
    assert_int_equal(r->AddressTypeSize, 8);
}

static void outgoing_messages_wait_in_the_outbox_and_have_no_options(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_done done = RUN(f, GetTransportFolder, f->logon);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopGetTransportFolderResponse *)done.response)->FolderId,
                     STORE_FID(SPECIAL_OUTBOX)); /* MS-OXCROPS_R2519 */
    done = RUN(f, OptionsData, f->logon, .AddressType = "SMTP");
    CODE(done, ecNone);
    assert_int_equal(((const struct RopOptionsDataResponse *)done.response)->OptionsInfoSize, 0);
    CODE(RUN(f, GetTransportFolder, rop_folder(f, STORE_FID(SPECIAL_INBOX))), ecNotSupported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(outgoing_messages_wait_in_the_outbox_and_have_no_options),
        ROP_TEST(a_message_with_recipients_goes_to_the_transport_saved),
        ROP_TEST(without_recipients_nothing_is_sent),
        ROP_TEST(associated_content_is_not_sent),
        ROP_TEST(a_message_inside_of_another_is_not_sent),
        ROP_TEST(what_the_transport_says_is_the_answer),
        ROP_TEST(a_message_that_was_changed_elsewhere_is_not_sent),
        ROP_TEST(what_the_transport_holds_can_be_taken_back),
        ROP_TEST(a_client_in_cached_mode_sends_and_gets_no_properties_back),
        ROP_TEST(a_spooler_takes_messages_from_its_queue),
        ROP_TEST(mail_that_a_client_has_fetched_is_announced),
        ROP_TEST(the_address_types_are_those_of_the_organisation_and_of_the_internet),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
