/* SPDX-License-Identifier: Apache-2.0 */
/* What a client submits, [MS-OXOMSG] 3.2.5.1: copies in the recipients' mailboxes, one in Sent Items, a report about
 * whom it could not reach, and a queue that survives its server. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transport/fixture.h"
#include "wire/guids.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
#define OUTBOX STORE_FID(SPECIAL_OUTBOX)
#define SENT STORE_FID(SPECIAL_SENT_ITEMS)

enum { TO = 1, CC = 2, BCC = 3 };

/* A message that Alice is writing, her mailbox locked. */
struct draft {
    struct post *p;
    struct store *st;
    struct store_message *message;
    uint32_t recipients;
};

static void set(struct draft *d, struct prop value)
{
    enum ec result;
    OK(store_message_set(d->message, &value, 1, &result));
    OK(result);
}

static struct draft draft(struct post *p, const char *subject)
{
    struct draft d = { .p = p, .st = post_enter(p, p->alice) };
    OK(store_message_new(&d.message, p->arena, d.st, OUTBOX, false));
    set(&d, P_STR(PidTagSubject, subject));
    set(&d, P_STR(PidTagBody, "Dear all,\r\n"));
    return d;
}

static void to(struct draft *d, uint8_t type, const char *address_type, const char *address)
{
    const struct prop values[] = { P_STR(PidTagDisplayName, address), P_STR(PidTagAddressType, address_type),
                                   P_STR(PidTagEmailAddress, address) };
    OK(store_recipient_put(d->message,
                           &(struct store_recipient){ d->recipients++, type, { COUNTOF(values), values } }));
}

static enum ec submit(struct draft *d)
{
    OK(store_message_save(d->message, true, NULL));
    const enum ec ec = transport_submit(d->p->transport, d->p->alice, d->message, 0);
    talloc_free(d->message);
    post_leave(d->st);
    return ec;
}

static const char *display(struct post *p, const struct account *a, uint64_t fid, uint32_t tag)
{
    const struct prop value = post_prop(p, a, fid, tag);
    return PROP_TYPE(value.tag) == PtypString ? value.str : "";
}

/* ---- delivery ---- */

static void a_message_to_a_neighbour_is_there_when_the_call_returns(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "RE: lunch");
    to(&d, TO, "EX", p->bob->legacy_dn);
    to(&d, CC, "SMTP", "alice@contoso.com");
    OK(submit(&d));
    assert_int_equal(atomic_load(&p->new_mail), 2);
    const struct letter *letter = post_newest(p, p->bob, INBOX);
    struct mime_person who;
    assert_string_equal(letter_text(&letter->props, PidTagSubject), "RE: lunch");
    assert_string_equal(letter_text(&letter->props, PidTagBody), "Dear all,\r\n");
    assert_true(mime_person_of(&letter->props, ROLE_SENDER, &who));
    assert_string_equal(who.address, p->alice->legacy_dn);
    assert_string_equal(who.smtp, "alice@contoso.com");
    assert_true(mime_person_of(&letter->props, ROLE_SENT_REPRESENTING, &who));
    assert_string_equal(who.display_name, "Alice Example");
    assert_true(letter_u32(&letter->props, PidTagMessageToMe, 0));
    assert_non_null(letter_find(&letter->props, PidTagClientSubmitTime));
    assert_non_null(letter_text(&letter->props, PidTagInternetMessageId));
    assert_string_equal(letter_text(&letter->props, PidTagConversationTopic), "lunch");
    assert_int_equal(letter_bytes(&letter->props, PidTagConversationIndex).size, 22);
    assert_string_equal(display(p, p->bob, INBOX, PidTagDisplayTo), "Bob Example");
    assert_string_equal(display(p, p->bob, INBOX, PidTagDisplayCc), "Alice Example");
    assert_int_equal(post_prop(p, p->bob, INBOX, PidTagMessageFlags).u32 & (mfUnsent | mfSubmitted | mfFromMe | 1), 0);
    assert_true(letter_u32(&post_newest(p, p->alice, INBOX)->props, PidTagMessageCcMe, 0));
}

static void the_senders_copy_goes_to_Sent_Items(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "kept");
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->alice, OUTBOX), 0);
    assert_int_equal(post_count(p, p->alice, SENT), 1);
    assert_int_equal(post_prop(p, p->alice, SENT, PidTagMessageFlags).u32 & (mfUnsent | mfSubmitted | mfFromMe | 1),
                     mfFromMe | 1);
    const struct letter *sent = post_newest(p, p->alice, SENT), *received = post_newest(p, p->bob, INBOX);
    assert_string_equal(letter_text(&sent->props, PidTagInternetMessageId),
                        letter_text(&received->props, PidTagInternetMessageId));
    assert_true(blob_equal(letter_bytes(&sent->props, PidTagConversationIndex),
                           letter_bytes(&received->props, PidTagConversationIndex)));
}

/* [MS-OXOMSG] 2.2.3.10 */
static void PidTagSentMailSvrEID_says_where_the_senders_copy_goes(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "elsewhere");
    struct buf id;
    buf_init(&id, p->arena);
    struct wire_out out = wire_out(&id);
    wire_put(&out, &ServerId_wire, &(struct ServerId){ .Ours = 1, .FolderId = STORE_FID(SPECIAL_DRAFTS) });
    set(&d, (struct prop){ .tag = PidTagSentMailSvrEID, .bin = buf_blob(&id) });
    set(&d, P_BOOL(PidTagDeleteAfterSubmit, false));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->alice, SENT), 0);
    assert_int_equal(post_count(p, p->alice, STORE_FID(SPECIAL_DRAFTS)), 1);
}

/* [MS-OXOMSG] 2.2.3.8 */
static void PidTagDeleteAfterSubmit_leaves_nothing_with_the_sender(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "gone");
    set(&d, P_BOOL(PidTagDeleteAfterSubmit, true));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->alice, OUTBOX), 0);
    assert_int_equal(post_count(p, p->alice, SENT), 0);
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

static void nobody_sees_who_got_a_blind_copy(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "secret");
    to(&d, TO, "SMTP", "alice@contoso.com");
    to(&d, BCC, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    assert_string_equal(display(p, p->alice, INBOX, PidTagDisplayBcc), "");
    assert_string_equal(display(p, p->bob, INBOX, PidTagDisplayBcc), "");
    assert_string_equal(display(p, p->alice, SENT, PidTagDisplayBcc), "bob@contoso.com");
    assert_true(post_prop(p, p->bob, INBOX, PidTagSubject).str);
}

static void who_is_named_twice_gets_one_copy(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "once");
    to(&d, TO, "EX", p->bob->legacy_dn);
    to(&d, CC, "SMTP", "BOB@contoso.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

static void attachments_embedded_messages_and_named_properties_come_along(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "rich");
    struct store_attachment *file, *message;
    struct store_message *inside;
    struct PropertyName name = { .Kind = 0, .GUID = PSETID_Common, .LID = 0x8530 };
    const struct prop data[] = { P_I32(PidTagAttachMethod, 1), P_STR(PidTagAttachLongFilename, "a.bin"),
                                 P_BIN(PidTagAttachDataBinary, BLOB_OF("\0\1\2", 3)) };
    const struct prop method = P_I32(PidTagAttachMethod, 5);
    enum ec results[COUNTOF(data)];
    uint32_t number;
    uint16_t named;
    OK(store_attachment_new(&file, p->arena, d.message, &number));
    OK(store_attachment_set(file, data, COUNTOF(data), results));
    OK(store_attachment_save(file));
    OK(store_attachment_new(&message, p->arena, d.message, &number));
    OK(store_attachment_set(message, &method, 1, results));
    OK(store_embedded_open(&inside, p->arena, message, MESSAGE_READWRITE, true));
    OK(store_message_set(inside, &P_STR(PidTagSubject, "inside"), 1, results));
    OK(store_message_save(inside, true, NULL));
    OK(store_attachment_save(message));
    OK(store_named_ids(d.st, &name, 1, true, &named));
    set(&d, P_STR(PROP_TAG(PtypString, named), "follow up"));
    talloc_free(file), talloc_free(inside), talloc_free(message);
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    const struct letter *letter = post_newest(p, p->bob, INBOX);
    assert_int_equal(letter->attachment_count, 2);
    assert_true(blob_equal(letter_bytes(&letter->attachments[0]->props, PidTagAttachDataBinary), BLOB_OF("\0\1\2", 3)));
    assert_non_null(letter->attachments[1]->embedded);
    assert_string_equal(letter_text(&letter->attachments[1]->embedded->props, PidTagSubject), "inside");
    const struct prop *flag = letter_find_named(&letter->props, PSETID_Common, NULL, 0x8530);
    assert_non_null(flag);
    assert_string_equal(flag->str, "follow up");
}

static void a_mail_brings_a_hundred_new_names_and_no_more(void **state)
{
    enum { BROUGHT = 130, MOST = 100 };
    struct post *p = *state;
    struct draft d = draft(p, "names");
    struct PropertyName names[BROUGHT];
    uint16_t ids[BROUGHT];
    for (uint32_t i = 0; i < BROUGHT; i++)
        names[i] = (struct PropertyName){ .Kind = 0, .GUID = PSETID_Common, .LID = 0x10000 + i };
    OK(store_named_ids(d.st, names, BROUGHT, true, ids));
    for (uint32_t i = 0; i < BROUGHT; i++)
        set(&d, P_I32(PROP_TAG(PtypInteger32, ids[i]), i));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    const struct letter *letter = post_newest(p, p->bob, INBOX);
    assert_string_equal(letter_text(&letter->props, PidTagSubject), "names");
    assert_int_equal(letter->props.named_count, MOST);
}

static void what_was_not_saved_is_saved_by_submitting_it(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "unsaved");
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(transport_submit(p->transport, p->alice, d.message, 0));
    talloc_free(d.message);
    post_leave(d.st);
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, SENT), 1);
}

/* ---- what is refused ---- */

static void a_message_in_somebody_elses_name_is_refused(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "forged");
    set(&d, P_STR(PidTagSentRepresentingAddressType, "EX"));
    set(&d, P_STR(PidTagSentRepresentingEmailAddress, p->bob->legacy_dn));
    to(&d, TO, "SMTP", "bob@contoso.com");
    EC(submit(&d), ecSendAsDenied);
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    assert_int_equal(post_count(p, p->alice, OUTBOX), 1);
    d = draft(p, "forged");
    set(&d, P_STR(PidTagSentRepresentingAddressType, "SMTP"));
    set(&d, P_STR(PidTagSentRepresentingEmailAddress, "president@example.org"));
    to(&d, TO, "SMTP", "bob@contoso.com");
    EC(submit(&d), ecSendAsDenied);
}

static void in_the_name_of_bob(struct post *p, struct draft *d)
{
    set(d, P_STR(PidTagSentRepresentingAddressType, "EX"));
    set(d, P_STR(PidTagSentRepresentingEmailAddress, p->bob->legacy_dn));
    to(d, TO, "SMTP", "alice@contoso.com");
}

static void who_may_send_on_behalf_is_named_beside_the_sender(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "for bob");
    in_the_name_of_bob(p, &d);
    OK(directory_grant(p->directory, &(struct grant){ p->bob->guid, p->alice->guid, GRANT_SEND_ON_BEHALF, 0 }));
    OK(submit(&d));
    assert_string_equal(display(p, p->alice, INBOX, PidTagSenderName), "Alice Example");
    assert_string_equal(display(p, p->alice, INBOX, PidTagSentRepresentingName), "Bob Example");
    assert_int_equal(post_count(p, p->bob, SENT), 0);
}

static void who_may_send_as_somebody_is_not_named_and_leaves_a_copy_where_that_is_wanted(void **state)
{
    struct post *p = *state;
    struct account bob = *p->bob;
    struct draft d = draft(p, "as bob");
    bob.copy_sent_as = true;
    OK(directory_set(p->directory, &bob, NULL));
    in_the_name_of_bob(p, &d);
    OK(directory_grant(p->directory, &(struct grant){ p->bob->guid, p->alice->guid,
                                                      GRANT_SEND_AS | GRANT_SEND_ON_BEHALF, 0 }));
    OK(submit(&d));
    assert_string_equal(display(p, p->alice, INBOX, PidTagSenderName), "Bob Example");
    assert_string_equal(display(p, p->alice, INBOX, PidTagSentRepresentingName), "Bob Example");
    assert_int_equal(post_count(p, p->alice, SENT), 1);
    assert_int_equal(post_count(p, p->bob, SENT), 1);
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    assert_string_equal(display(p, p->bob, SENT, PidTagSubject), "as bob");
    assert_int_equal(post_prop(p, p->bob, SENT, PidTagMessageFlags).u32 & (mfUnsent | mfSubmitted | 1), 1);
    OK(directory_grant(p->directory, &(struct grant){ p->bob->guid, p->alice->guid, GRANT_SEND_AS, GRANT_SEND_AS }));
    d = draft(p, "denied");
    in_the_name_of_bob(p, &d);
    EC(submit(&d), ecSendAsDenied);
}

static void one_of_the_senders_own_addresses_in_From_is_fine(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "mine");
    set(&d, P_STR(PidTagSentRepresentingAddressType, "SMTP"));
    set(&d, P_STR(PidTagSentRepresentingEmailAddress, "Alice@Contoso.com"));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
}

static void a_message_for_nobody_is_refused(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "nobody");
    EC(submit(&d), ecNoRecipients);
    d = draft(p, "unresolved");
    OK(store_recipient_put(d.message,
                           &(struct store_recipient){ 0, TO, { 1, &P_STR(PidTagDisplayName, "somebody") } }));
    EC(submit(&d), ecInvalidRecips);
    assert_int_equal(post_count(p, p->alice, OUTBOX), 2);
}

static void a_message_that_is_too_large_is_refused(void **state)
{
    struct post *p = *state;
    post_stop(p);
    p->config.message_max = 1000;
    post_start(p);
    struct draft d = draft(p, "large");
    set(&d, P_STR(PidTagBody, talloc_asprintf(p->arena, "%1000s", "x")));
    to(&d, TO, "SMTP", "bob@contoso.com");
    EC(submit(&d), ecMaxSubmissionExceeded);
    assert_int_equal(post_count(p, p->alice, OUTBOX), 1);
}

/* ---- reports ---- */

/* [MS-OXCMAIL] 2.2.3.7.1.3 for the codes */
static void who_cannot_be_reached_is_reported_to_the_sender_at_once(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "far away");
    to(&d, TO, "SMTP", "bob@contoso.com");
    to(&d, TO, "SMTP", "carol@example.com");
    to(&d, CC, "SMTP", "nobody@contoso.com");
    to(&d, CC, "FAX", "+49 1234");
    to(&d, BCC, "EX", "/o=Contoso/cn=gone");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, SENT), 1);
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
    const struct letter *report = post_newest(p, p->alice, INBOX);
    const uint32_t codes[] = { 544, 511, 512, 511 };
    assert_string_equal(letter_text(&report->props, PidTagMessageClass), "REPORT.IPM.Note.NDR");
    assert_string_equal(letter_text(&report->props, PidTagSubject), "Undeliverable: far away");
    assert_string_equal(letter_text(&report->props, PidTagOriginalSubject), "far away");
    assert_non_null(strstr(letter_text(&report->props, PidTagBody), "carol@example.com"));
    assert_int_equal(report->recipient_count, COUNTOF(codes));
    for (size_t i = 0; i < COUNTOF(codes); i++) {
        assert_int_equal(letter_u32(&report->recipients[i]->props, PidTagNonDeliveryReportStatusCode, 0), codes[i]);
        assert_non_null(letter_text(&report->recipients[i]->props, PidTagReportText));
        assert_non_null(letter_text(&report->recipients[i]->props, PidTagSupplementaryInfo));
    }
    assert_int_equal(report->attachment_count, 1);
    assert_string_equal(letter_text(&report->attachments[0]->embedded->props, PidTagSubject), "far away");
    assert_string_equal(letter_text(&report->attachments[0]->embedded->props, PidTagBody), "Dear all,\r\n");
}

static void a_report_names_each_of_very_many_who_cannot_be_reached(void **state)
{
    enum { MANY = 1000 };
    struct post *p = *state;
    struct draft d = draft(p, "to many");
    for (unsigned i = 0; i < MANY; i++)
        to(&d, TO, "SMTP", talloc_asprintf(p->arena, "nobody%04u@contoso.com", i));
    OK(submit(&d));
    const char *body = letter_text(&post_newest(p, p->alice, INBOX)->props, PidTagBody);
    for (unsigned i = 0; i < MANY; i++)
        assert_non_null(body = strstr(body, talloc_asprintf(p->arena, "(nobody%04u@contoso.com)\r\n", i)));
}

static void a_report_that_cannot_be_delivered_makes_no_report(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "Read: hello");
    set(&d, P_STR(PidTagMessageClass, "REPORT.IPM.Note.IPNRN"));
    to(&d, TO, "SMTP", "carol@example.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
}

/* [MS-OXOMSG] 3.2.5.1: mfResend */
static void what_is_sent_again_goes_to_those_who_did_not_get_it(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "again");
    set(&d, P_I32(PidTagMessageFlags, mfResend | mfUnsent));
    to(&d, TO | 0x80, "SMTP", "alice@contoso.com");
    to(&d, TO | 0x10, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

/* ---- the queue ---- */

static int64_t rows_in_queue(struct post *p)
{
    struct sql *db;
    OK(sql_open(&db, p->arena, talloc_asprintf(p->arena, "sqlite:%s/queue.db", p->folder)));
    struct sql_tx tx = sql_read(db);
    const int64_t count =
        sql_int(&tx, "SELECT (SELECT COUNT(*) FROM submission) + (SELECT COUNT(*) FROM submission_recipient)",
                (struct sql_bind){ 0 });
    OK(sql_end(&tx));
    talloc_free(db);
    return count;
}

static void what_is_delivered_leaves_nothing_in_the_queue(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "done");
    to(&d, TO, "SMTP", "bob@contoso.com");
    to(&d, TO, "SMTP", "carol@example.com");
    OK(submit(&d));
    assert_int_equal(rows_in_queue(p), 0);
}

/* A submission that has been accepted and not carried out, as a crash leaves it. */
static struct submission accepted(struct post *p, const char *subject)
{
    struct draft d = draft(p, subject);
    to(&d, TO, "SMTP", "bob@contoso.com");
    to(&d, TO, "SMTP", "carol@example.com");
    OK(store_message_save(d.message, true, NULL));
    struct submission s = { .id = guid_random(),
                            .sender = p->alice->mailbox_guid,
                            .mailbox = p->alice->mailbox_guid,
                            .fid = OUTBOX,
                            .mid = store_message_mid(d.message),
                            .created = filetime_now(),
                            .sent_to = SENT };
    OK(letter_load(p->arena, d.message, &s.letter));
    s.recipients = talloc_zero_array(p->arena, struct queued_recipient, 2);
    s.recipients[0].mailbox = p->bob->mailbox_guid;
    s.recipients[1] =
        (struct queued_recipient){ .row = 1, .state = SUBMISSION_FAILED, .status = "5.4.4", .reason = "far" };
    s.count = 2;
    talloc_free(d.message);
    post_leave(d.st);
    OK(queue_add(p->transport->queue, &s));
    return s;
}

static void assert_all_is_done(struct post *p)
{
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, OUTBOX), 0);
    assert_int_equal(post_count(p, p->alice, SENT), 1);
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
    assert_string_equal(display(p, p->alice, INBOX, PidTagMessageClass), "REPORT.IPM.Note.NDR");
    assert_int_equal(rows_in_queue(p), 0);
}

static void what_a_crash_left_in_the_queue_is_finished_at_the_next_start(void **state)
{
    struct post *p = *state;
    accepted(p, "left");
    post_stop(p);
    post_start(p);
    assert_all_is_done(p);
}

/* The crash came after each step, and before it was noted. */
static void what_was_delivered_before_the_crash_is_not_delivered_again(void **state)
{
    struct post *p = *state;
    const struct submission s = accepted(p, "twice");
    char id[GUID_TEXT_SIZE];
    const struct delivery first = { .id = guid_text(s.id, id) };
    struct delivery second = first;
    second.id = talloc_asprintf(p->arena, "%s-report", id);
    OK(deliver(p->transport, p->bob, s.letter, &first));
    OK(deliver(p->transport, p->alice, report_of(p->arena, p->transport, &s), &second));
    bool partial;
    struct store *st = post_enter(p, p->alice);
    OK(store_messages_move(st, OUTBOX, SENT, &s.mid, 1, false, NULL, &partial));
    post_leave(st);
    post_stop(p);
    post_start(p);
    assert_all_is_done(p);
}

static void what_another_thread_is_working_on_is_left_alone(void **state)
{
    struct post *p = *state;
    const struct submission s = accepted(p, "busy");
    OK(transport_recover(p->transport));
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    queue_release(p->transport->queue, s.id);
    OK(transport_recover(p->transport));
    assert_all_is_done(p);
}

/* ---- a server that is killed ---- */

enum { KILLED_MESSAGES = 60 };

/* Submits until it is killed; each number is told when the call has returned. */
static void submit_and_tell(struct post *p, int out)
{
    for (int i = 0; i < KILLED_MESSAGES; i++) {
        struct draft d = draft(p, talloc_asprintf(p->arena, "number %d", i));
        to(&d, TO, "SMTP", "bob@contoso.com");
        to(&d, CC, "SMTP", "alice@contoso.com");
        if (submit(&d) || write(out, &i, sizeof i) != sizeof i)
            _exit(1);
    }
    _exit(0);
}

static unsigned times_there(struct post *p, const struct account *a, uint64_t fid, const char *subject)
{
    struct store *st = post_enter(p, a);
    uint64_t *mids;
    unsigned times = 0;
    const uint32_t count = post_list(p, st, fid, &mids);
    for (uint32_t i = 0; i < count; i++) {
        struct store_message *m;
        OK(store_message_open(&m, p->arena, st, fid, mids[i], MESSAGE_READONLY));
        times += strcmp(store_message_text(p->arena, m, PidTagSubject), subject) == 0;
        talloc_free(m);
    }
    post_leave(st);
    return times;
}

static void after_a_kill_every_acknowledged_message_is_there_exactly_once(void **state)
{
    struct post *p = *state;
    for (int stop_after = 3; stop_after <= 20; stop_after += 17) {
        int told[2], number = -1, last = -1;
        assert_int_equal(pipe(told), 0);
        post_stop(p);
        const pid_t child = fork();
        if (child == 0) {
            post_start(p);
            submit_and_tell(p, told[1]);
        }
        close(told[1]);
        while (read(told[0], &number, sizeof number) == sizeof number)
            if ((last = number) == stop_after)
                kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        close(told[0]);
        post_start(p);
        for (int i = 0; i <= last; i++) {
            const char *subject = talloc_asprintf(p->arena, "number %d", i);
            assert_true(times_there(p, p->bob, INBOX, subject) >= 1);
        }
        /* The two rounds write the same subjects: each was submitted at most twice. */
        const char *next = talloc_asprintf(p->arena, "number %d", last + 1);
        assert_int_equal(times_there(p, p->bob, INBOX, next), times_there(p, p->alice, INBOX, next));
        assert_int_equal(times_there(p, p->bob, INBOX, next), times_there(p, p->alice, SENT, next));
        assert_int_equal(rows_in_queue(p), 0);
    }
    assert_int_equal(times_there(p, p->bob, INBOX, "number 0"), 2);
    assert_int_equal(times_there(p, p->alice, INBOX, "number 0"), 2);
    assert_int_equal(times_there(p, p->alice, SENT, "number 0"), 2);
}

/* ---- into the item that the client has made already ---- */

static void PidTagTargetEntryId_says_which_item_the_senders_copy_becomes(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "cached");
    uint64_t reserved, *mids;
    OK(store_reserve_ids(d.st, 10, &reserved));
    set(&d, P_BIN(PidTagTargetEntryId, store_message_entry_id(p->arena, d.st, SENT, reserved)));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    struct store *st = post_enter(p, p->alice);
    assert_int_equal(post_list(p, st, SENT, &mids), 1);
    assert_true(mids[0] == reserved);
    post_leave(st);
    assert_int_equal(post_count(p, p->alice, OUTBOX), 0);
    assert_int_equal(post_prop(p, p->alice, SENT, PidTagMessageFlags).u32 & (mfUnsent | mfSubmitted), 0);
}

static void an_id_that_was_not_reserved_is_not_taken(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "cached");
    uint64_t *mids;
    const uint64_t never = store_id(0x7777777);
    set(&d, P_BIN(PidTagTargetEntryId, store_message_entry_id(p->arena, d.st, SENT, never)));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    struct store *st = post_enter(p, p->alice);
    assert_int_equal(post_list(p, st, SENT, &mids), 1);
    assert_true(mids[0] != never);
    post_leave(st);
}

/* ---- what waits for its time ---- */

#define SECOND UINT64_C(10000000)

static struct draft deferred(struct post *p, uint64_t when)
{
    struct draft d = draft(p, "later");
    set(&d, P_TIME(PidTagDeferredSendTime, when));
    to(&d, TO, "SMTP", "bob@contoso.com");
    return d;
}

static uint64_t waiting(struct post *p)
{
    struct store *st = post_enter(p, p->alice);
    uint64_t *mids;
    assert_int_equal(post_list(p, st, OUTBOX, &mids), 1);
    post_leave(st);
    return mids[0];
}

static void a_message_waits_for_its_time_in_its_folder(void **state)
{
    struct post *p = *state;
    struct draft d = deferred(p, filetime_now() + 3600 * SECOND);
    OK(submit(&d));
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    waiting(p);
    assert_int_equal(post_prop(p, p->alice, OUTBOX, PidTagMessageFlags).u32 & mfSubmitted, mfSubmitted);
    OK(transport_recover(p->transport));
    post_stop(p);
    post_start(p);
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
}

static void a_message_whose_time_has_come_is_sent_by_itself(void **state)
{
    struct post *p = *state;
    struct draft d = deferred(p, filetime_now() + SECOND / 2);
    OK(submit(&d));
    while (atomic_load(&p->new_mail) == 0) /* the server's own thread sends it */
        usleep(10000);
    OK(transport_recover(p->transport));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, OUTBOX), 0);
    assert_int_equal(post_prop(p, p->alice, SENT, PidTagMessageFlags).u32 & (mfUnsent | mfSubmitted), 0);
}

static void a_time_that_is_past_is_none(void **state)
{
    struct post *p = *state;
    struct draft d = deferred(p, filetime_now() - SECOND);
    OK(submit(&d));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

static void units_count_from_now(void **state)
{
    struct post *p = *state;
    struct draft d = draft(p, "later");
    set(&d, P_I32(PidTagDeferredSendNumber, 2));
    set(&d, P_I32(PidTagDeferredSendUnits, 1));
    to(&d, TO, "SMTP", "bob@contoso.com");
    OK(submit(&d));
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    waiting(p);
}

static void a_message_that_waits_can_be_taken_back(void **state)
{
    struct post *p = *state;
    struct draft d = deferred(p, filetime_now() + 3600 * SECOND);
    OK(submit(&d));
    const uint64_t mid = waiting(p);
    struct store *st = post_enter(p, p->alice);
    EC(transport_abort(p->transport, st, OUTBOX, mid + 1), ecNotInQueue);
    OK(transport_abort(p->transport, st, OUTBOX, mid));
    EC(transport_abort(p->transport, st, OUTBOX, mid), ecNotInQueue);
    post_leave(st);
    assert_int_equal(post_prop(p, p->alice, OUTBOX, PidTagMessageFlags).u32 & (mfSubmitted | mfUnsent), mfUnsent);
}

static void a_message_that_was_deleted_while_it_waited_is_not_sent(void **state)
{
    struct post *p = *state;
    struct draft d = deferred(p, filetime_now() + 2 * SECOND);
    OK(submit(&d));
    const uint64_t mid = waiting(p);
    bool partial;
    struct store *st = post_enter(p, p->alice);
    OK(store_messages_delete(st, OUTBOX, &mid, 1, true, &partial));
    post_leave(st);
    struct draft after = deferred(p, filetime_now() + 3 * SECOND);
    OK(submit(&after));
    while (atomic_load(&p->new_mail) == 0)
        usleep(10000);
    OK(transport_recover(p->transport));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, post_open, post_close)
    const struct CMUnitTest tests[] = {
        TEST(a_message_to_a_neighbour_is_there_when_the_call_returns),
        TEST(the_senders_copy_goes_to_Sent_Items),
        TEST(PidTagSentMailSvrEID_says_where_the_senders_copy_goes),
        TEST(PidTagDeleteAfterSubmit_leaves_nothing_with_the_sender),
        TEST(nobody_sees_who_got_a_blind_copy),
        TEST(who_is_named_twice_gets_one_copy),
        TEST(attachments_embedded_messages_and_named_properties_come_along),
        TEST(a_mail_brings_a_hundred_new_names_and_no_more),
        TEST(what_was_not_saved_is_saved_by_submitting_it),
        TEST(a_message_in_somebody_elses_name_is_refused),
        TEST(who_may_send_on_behalf_is_named_beside_the_sender),
        TEST(who_may_send_as_somebody_is_not_named_and_leaves_a_copy_where_that_is_wanted),
        TEST(one_of_the_senders_own_addresses_in_From_is_fine),
        TEST(a_message_for_nobody_is_refused),
        TEST(a_message_that_is_too_large_is_refused),
        TEST(who_cannot_be_reached_is_reported_to_the_sender_at_once),
        TEST(a_report_names_each_of_very_many_who_cannot_be_reached),
        TEST(a_report_that_cannot_be_delivered_makes_no_report),
        TEST(what_is_sent_again_goes_to_those_who_did_not_get_it),
        TEST(what_is_delivered_leaves_nothing_in_the_queue),
        TEST(what_a_crash_left_in_the_queue_is_finished_at_the_next_start),
        TEST(what_was_delivered_before_the_crash_is_not_delivered_again),
        TEST(what_another_thread_is_working_on_is_left_alone),
        TEST(after_a_kill_every_acknowledged_message_is_there_exactly_once),
        TEST(PidTagTargetEntryId_says_which_item_the_senders_copy_becomes),
        TEST(an_id_that_was_not_reserved_is_not_taken),
        TEST(a_message_waits_for_its_time_in_its_folder),
        TEST(a_message_whose_time_has_come_is_sent_by_itself),
        TEST(a_time_that_is_past_is_none),
        TEST(units_count_from_now),
        TEST(a_message_that_waits_can_be_taken_back),
        TEST(a_message_that_was_deleted_while_it_waited_is_not_sent),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
