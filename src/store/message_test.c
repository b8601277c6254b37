/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCMSG] */
#include "body/body.h"
#include "store/fixture.h"
#include "store/message.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
#define DRAFTS STORE_FID(SPECIAL_DRAFTS)

static struct store_message *new_message(struct store_fixture *f, uint64_t fid)
{
    struct store_message *m;
    OK(store_message_new(&m, f->arena, f->store, fid, false));
    return m;
}

static uint64_t save(struct store_message *m)
{
    uint64_t mid;
    OK(store_message_save(m, false, &mid));
    return mid;
}

static uint32_t number_of(struct store_fixture *f, struct store_message *m, uint32_t tag)
{
    const struct prop p = fixture_prop(f, m, tag);
    assert_int_equal(p.tag, tag);
    return p.u32;
}

static const char *text_of(struct store_fixture *f, struct store_message *m, uint32_t tag)
{
    const struct prop p = fixture_prop(f, m, tag);
    assert_int_equal(p.tag, tag);
    return p.str;
}

static void assert_error(struct prop p, enum ec ec)
{
    assert_int_equal(PROP_TYPE(p.tag), PtypErrorCode);
    assert_string_equal(ec_name((enum ec)p.u32), ec_name(ec));
}

static void a_new_message_has_the_defaults(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    assert_int_equal(number_of(f, m, PidTagImportance), 1);             /* MS-OXCMSG_R341 */
    assert_string_equal(text_of(f, m, PidTagMessageClass), "IPM.Note"); /* R342 */
    assert_int_equal(number_of(f, m, PidTagSensitivity), 0);            /* R343 */
    assert_string_equal(text_of(f, m, PidTagDisplayBcc), "");           /* R344 */
    assert_string_equal(text_of(f, m, PidTagDisplayCc), "");            /* R345 */
    assert_string_equal(text_of(f, m, PidTagDisplayTo), "");            /* R346 */
    assert_int_equal(number_of(f, m, PidTagMessageFlags), 0x409);       /* R347, R1480 */
    assert_false(fixture_prop(f, m, PidTagHasAttachments).b);           /* R349 */
    assert_int_equal(number_of(f, m, PidTagTrustSender), 1);            /* R352 */
    assert_int_equal(number_of(f, m, PidTagAccess), 3);                 /* R353 */
    assert_int_equal(number_of(f, m, PidTagAccessLevel), 1);            /* R354 */
    assert_int_equal(fixture_prop(f, m, PidTagCreationTime).u64,
                     fixture_prop(f, m, PidTagLastModificationTime).u64);   /* R357 */
    assert_int_equal(fixture_prop(f, m, PidTagSearchKey).bin.size, 16);     /* R358 */
    assert_string_equal(text_of(f, m, PidTagCreatorName), "Alice Example"); /* R360 */
    assert_false(fixture_prop(f, m, PidTagHasNamedProperties).b);           /* R364 */
}

static void nobody_sees_a_message_before_it_is_saved(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_STR(PidTagSubject, "Hello")));
    assert_int_equal(fixture_row(f, DRAFTS).total, 0); /* R339 */
    assert_int_equal(store_message_mid(m), 0);
    fixture_forget(f);
    const uint64_t mid = save(m);
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    assert_int_equal(fixture_row(f, DRAFTS).unread, 0);
    assert_int_equal(store_message_mid(m), mid); /* R372 */
    assert_non_null(fixture_heard(f, STORE_CREATED, DRAFTS, mid));
    const struct store_change *folder = fixture_heard(f, STORE_MODIFIED, DRAFTS, 0);
    assert_non_null(folder);
    assert_true(folder->counts_changed);
    assert_int_equal(folder->total, 1);
    assert_int_equal(folder->unread, 0);
}

static void what_was_saved_comes_back(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    static const int32_t numbers[] = { 1, -2, 3 };
    static const char *const texts[] = { "a", "", "ü" };
    const struct prop props[] = {
        P_STR(PidTagSubject, "Grüße"),
        P_I32(PidTagImportance, 2),
        P_BOOL(PidTagReadReceiptRequested, true),
        P_BIN(PidTagConversationIndex, BLOB_OF("\x01\x02\0", 3)),
        P_TIME(PidTagClientSubmitTime, 132000000000000000),
        { .tag = 0x80011003, .mv = { .count = 3, .i32 = numbers } },
        { .tag = 0x8002101F, .mv = { .count = 3, .str = texts } },
        { .tag = 0x80030005, .f64 = 1.5 },
        { .tag = 0x80040048, .guid = { { 1, 2, 3 } } },
    };
    enum ec results[COUNTOF(props)];
    OK(store_message_set(m, props, COUNTOF(props), results));
    for (size_t i = 0; i < COUNTOF(props); i++)
        OK(results[i]);
    const uint64_t mid = save(m);
    talloc_free(m);
    fixture_reopen(f);
    m = fixture_open(f, DRAFTS, mid);
    for (size_t i = 0; i < COUNTOF(props); i++) {
        const struct prop p = fixture_prop(f, m, props[i].tag);
        assert_true(prop_equal(&p, &props[i]));
    }
    assert_true(fixture_prop(f, m, PidTagHasNamedProperties).b);
    assert_int_equal(fixture_prop(f, m, PidTagMid).u64, mid);
    assert_int_equal(fixture_prop(f, m, PidTagFolderId).u64, DRAFTS);
    assert_int_equal(fixture_prop(f, m, PidTagSourceKey).bin.size, 22);
    assert_int_equal(fixture_prop(f, m, PidTagPredecessorChangeList).bin.size, 23);
    assert_int_equal(fixture_prop(f, m, PidTagEntryId).bin.size, 70);
    assert_int_equal(fixture_prop(f, m, PidTagParentEntryId).bin.size, 46);
}

static void a_save_takes_few_statements(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mid;
    fixture_message(f, INBOX, "prepares");
    struct store_message *m = new_message(f, INBOX);
    OK(fixture_set(m, P_STR(PidTagSubject, "Hello")));
    uint64_t before = sql_statements();
    save(m);
    assert_int_equal(sql_statements() - before, 4); /* counter, message, folder, size of the mailbox */
    struct store_message *mail = new_message(f, INBOX);
    before = sql_statements();
    OK(store_message_deliver(mail, 0, &mid));
    assert_int_equal(sql_statements() - before, 5); /* and the receive folder */
    before = sql_statements();
    fixture_open(f, INBOX, mid);
    assert_int_equal(sql_statements() - before, 1);
    before = sql_statements();
    fixture_row(f, INBOX);
    assert_int_equal(sql_statements() - before, 1);
}

/* ---- saving ---- */

static void a_second_handle_may_not_save_over_the_first(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    struct store_message *first = fixture_open(f, DRAFTS, mid), *second = fixture_open(f, DRAFTS, mid);
    OK(fixture_set(first, P_STR(PidTagSubject, "first")));
    assert_string_equal(text_of(f, second, PidTagSubject), "one"); /* MS-OXCMSG_R704 */
    OK(fixture_set(second, P_I32(PidTagImportance, 2)));
    save(first);
    EC(store_message_save(second, false, NULL), ecObjectModified); /* R705, R1053 */
    assert_string_equal(text_of(f, second, PidTagSubject), "one");
    OK(store_message_save(second, true, NULL)); /* R724 */
    struct store_message *now = fixture_open(f, DRAFTS, mid);
    assert_int_equal(number_of(f, now, PidTagImportance), 2);
    assert_string_equal(text_of(f, now, PidTagSubject), "first");
    save(second);
}

static void what_is_gone_cannot_be_saved(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    const uint64_t mid = fixture_message(f, DRAFTS, "one"), other = fixture_message(f, DRAFTS, "two");
    struct store_message *m = fixture_open(f, DRAFTS, mid), *moved = fixture_open(f, DRAFTS, other);
    OK(store_messages_delete(f->store, DRAFTS, &mid, 1, false, &partial));
    OK(store_messages_move(f->store, DRAFTS, INBOX, &other, 1, false, NULL, &partial));
    OK(fixture_set(m, P_I32(PidTagImportance, 2)));
    EC(store_message_save(m, false, NULL), ecObjectDeleted);
    EC(store_message_save(m, true, NULL), ecObjectDeleted);
    EC(store_message_save(moved, false, NULL), ecObjectDeleted);
    struct store_message *again;
    EC(store_message_open(&again, f->arena, f->store, DRAFTS, mid, MESSAGE_READONLY), ecNotFound);
    OK(store_message_open(&again, f->arena, f->store, DRAFTS, mid, MESSAGE_READONLY | MESSAGE_SOFT_DELETED));
}

static void a_message_in_a_folder_that_is_gone_cannot_be_saved(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    const uint64_t fid = fixture_folder(f, INBOX, "short-lived"), mid = fixture_message(f, fid, "one");
    struct store_message *m = new_message(f, fid);
    OK(store_folder_delete(f->store, INBOX, fid, STORE_MESSAGES, &partial));
    fixture_forget(f);
    EC(store_message_save(m, false, NULL), ecNotFound);
    assert_int_equal(f->change_count, 0);
    EC(store_message_open(&m, f->arena, f->store, fid, mid, MESSAGE_READONLY), ecNotFound);
}

static void a_message_opened_for_reading_cannot_change(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    struct store_message *m;
    OK(store_message_open(&m, f->arena, f->store, DRAFTS, mid, MESSAGE_READONLY));
    assert_int_equal(number_of(f, m, PidTagAccessLevel), 0); /* MS-OXCPRPT_R27 */
    EC(fixture_set(m, P_I32(PidTagImportance, 2)), ecAccessDenied);
    EC(store_message_save(m, false, NULL), ecError); /* MS-OXCMSG_R1699 */
    OK(store_message_open(&m, f->arena, f->store, DRAFTS, mid, MESSAGE_BEST));
    assert_true(store_message_writable(m));
}

static void ids_of_nothing_are_not_found(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    struct store_message *m;
    EC(store_message_open(&m, f->arena, f->store, INBOX, mid, MESSAGE_READONLY), ecNotFound);
    EC(store_message_open(&m, f->arena, f->store, DRAFTS, 0, MESSAGE_READONLY), ecNotFound);
    EC(store_message_open(&m, f->arena, f->store, DRAFTS, mid + 1, MESSAGE_READONLY), ecNotFound); /* other replica */
    EC(store_message_open(&m, f->arena, f->store, DRAFTS, UINT64_MAX, MESSAGE_READONLY), ecNotFound);
    EC(store_message_new(&m, f->arena, f->store, 2, false), ecNotFound);
    assert_null(m);
}

static void a_save_changes_the_change_number_and_no_other_key(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    const uint64_t cn = fixture_prop(f, m, PidTagChangeNumber).u64;
    const struct blob source_key = fixture_prop(f, m, PidTagSourceKey).bin,
                      key = fixture_prop(f, m, PidTagChangeKey).bin;
    const uint64_t created = fixture_prop(f, m, PidTagCreationTime).u64;
    fixture_forget(f);
    OK(fixture_set(m, P_I32(PidTagImportance, 0)));
    assert_int_equal(save(m), mid);
    assert_true(store_counter(fixture_prop(f, m, PidTagChangeNumber).u64) > store_counter(cn));
    assert_false(blob_equal(fixture_prop(f, m, PidTagChangeKey).bin, key));
    assert_true(blob_equal(fixture_prop(f, m, PidTagSourceKey).bin, source_key));
    assert_int_equal(fixture_prop(f, m, PidTagCreationTime).u64, created);
    const struct store_change *change = fixture_heard(f, STORE_MODIFIED, DRAFTS, mid);
    assert_non_null(change);
    assert_int_equal(change->tag_count, 1);
    assert_int_equal(change->tags[0], PidTagImportance);
    assert_false(fixture_heard(f, STORE_MODIFIED, DRAFTS, 0)->counts_changed);
}

static void a_search_folder_takes_no_messages(void **state)
{
    struct store_fixture *f = *state;
    uint64_t fid;
    bool existed, partial;
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    OK(store_folder_create(f->store, INBOX, FOLDER_SEARCH, "found", "", false, &fid, &existed));
    EC(store_message_save(new_message(f, fid), false, NULL), ecAccessDenied);
    EC(store_messages_move(f->store, DRAFTS, fid, &mid, 1, false, NULL, &partial), ecSearchFolder);
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    assert_int_equal(fixture_row(f, fid).total, 0);
}

/* The connection breaks in the commit: the handle does not know, and the client tries again. */
static void a_save_that_may_have_happened_is_not_done_twice(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    static char body[100000];
    struct store_attachment *a;
    uint32_t number;
    memset(body, 'b', sizeof body - 1);
    OK(fixture_set(m, P_STR(PidTagBody, body)));
    OK(store_attachment_new(&a, f->arena, m, &number));
    OK(store_attachment_save(a));
    struct store_message *retry = message_clone(f->arena, m);
    const uint64_t mid = save(m);
    retry->unsure.id = m->row.id;
    retry->unsure.mid = m->row.mid;
    retry->unsure.cn = m->row.cn;
    fixture_forget(f);
    assert_int_equal(save(retry), mid);
    assert_non_null(fixture_heard(f, STORE_CREATED, DRAFTS, mid));
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    assert_int_equal(fixture_rows(f, "attachment"), 1);
    assert_int_equal(fixture_rows(f, "value"), 2);
    m = fixture_open(f, DRAFTS, mid);
    assert_string_equal(store_message_text(f->arena, m, PidTagBody), body);
    assert_int_equal(fixture_folder_prop(f, DRAFTS, PidTagMessageSize).u32, number_of(f, m, PidTagMessageSize));
    struct store_message *never = new_message(f, DRAFTS);
    never->unsure.id = 0x7777;
    never->unsure.mid = never->unsure.cn = 0x7777;
    assert_int_not_equal(save(never), mid);
    assert_int_equal(fixture_row(f, DRAFTS).total, 2);
}

static void values_returned_outlive_the_message(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_STR(PidTagSubject, "first")));
    const char *before = text_of(f, m, PidTagSubject), *rest = text_of(f, m, PidTagNormalizedSubject);
    OK(fixture_set(m, P_STR(PidTagSubject, "second")));
    save(m);
    const char *after = text_of(f, m, PidTagNormalizedSubject);
    talloc_free(m);
    assert_string_equal(before, "first");
    assert_string_equal(rest, "first");
    assert_string_equal(after, "second");
}

static void an_open_message_takes_only_so_much_memory(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    static char text[60001];
    memset(text, 't', sizeof text - 1);
    enum ec ec = ecNone;
    for (int i = 0; i < 2000; i++) /* the same again and again is no harm */
        OK(fixture_set(m, P_STR(0x8001001F, text)));
    assert_true(talloc_total_size(m) < 1000000);
    for (uint32_t id = 0x8001; !ec && id < 0x9000; id++)
        ec = fixture_set(m, P_STR(PROP_TAG(PtypString, id), text));
    EC(ec, ecNotEnoughMemory);
    assert_true(talloc_total_size(m) < 40000000);
}

/* ---- delivery ---- */

static void delivered_mail_is_new_unread_and_announced(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, INBOX);
    uint64_t mid;
    OK(fixture_set(m, P_STR(PidTagMessageClass, "IPM.Note.Example")));
    fixture_forget(f);
    OK(store_message_deliver(m, 0, &mid));
    assert_int_equal(f->change_count, 3);
    assert_int_equal(f->changes[0].kind, STORE_NEW_MAIL);
    assert_int_equal(f->changes[0].fid, INBOX);
    assert_int_equal(f->changes[0].mid, mid);
    assert_string_equal(f->changes[0].message_class, "IPM.Note.Example");
    assert_int_equal(f->changes[0].message_flags, 0x2);
    assert_int_equal(f->changes[1].kind, STORE_CREATED);
    assert_int_equal(f->changes[2].kind, STORE_MODIFIED);
    assert_int_equal(f->changes[2].unread, 1);
    assert_int_equal(number_of(f, m, PidTagMessageFlags), 0x2); /* MS-OXCMSG_R519 */
    assert_true(fixture_prop(f, m, PidTagMessageDeliveryTime).u64 > 0);
    OK(fixture_set(m, P_I32(PidTagImportance, 2)));
    save(m);
    assert_int_equal(number_of(f, m, PidTagMessageFlags), 0);
}

static void mail_goes_to_the_receive_folder_of_its_class(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Reports");
    uint64_t mid;
    OK(store_set_receive_folder(f->store, "IPM.Report", fid));
    struct store_message *m = new_message(f, INBOX);
    OK(fixture_set(m, P_STR(PidTagMessageClass, "ipm.report.weekly")));
    OK(store_message_deliver(m, 0, &mid));
    assert_int_equal(store_message_fid(m), fid);
    assert_int_equal(fixture_row(f, fid).unread, 1);
    assert_int_equal(fixture_row(f, INBOX).total, 0);
}

/* ---- properties with rules ---- */

static void a_subject_is_a_prefix_and_the_rest(void **state)
{
    static const struct {
        const char *subject, *prefix, *rest;
    } cases[] = {
        { "Hello", "", "Hello" },
        { "RE: Hello", "RE: ", "Hello" },
        { "Fwd: Hello", "Fwd: ", "Hello" },
        { "AW: RE: x", "AW: ", "RE: x" },
        { "Note: x", "", "Note: x" },
        { "R2: x", "", "R2: x" },
        { "RE:x", "", "RE:x" },
        { ": x", "", ": x" },
        { "", "", "" },
        { "ÄÖÜ: x", "ÄÖÜ: ", "x" },
        { "R E: x", "", "R E: x" },
        { "re", "", "re" },
    };
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    assert_error(fixture_prop(f, m, PidTagSubject), ecNotFound);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        enum ec result;
        const uint32_t prefix = PidTagSubjectPrefix;
        OK(store_message_unset(m, &prefix, 1, &result));
        OK(fixture_set(m, P_STR(PidTagSubject, cases[i].subject)));
        assert_string_equal(text_of(f, m, PidTagSubject), cases[i].subject); /* MS-OXCMSG_R1239 */
        assert_string_equal(text_of(f, m, PidTagSubjectPrefix), cases[i].prefix);
        assert_string_equal(text_of(f, m, PidTagNormalizedSubject), cases[i].rest);
    }
    OK(fixture_set(m, P_STR(PidTagSubjectPrefix, "Antwort: ")));
    OK(fixture_set(m, P_STR(PidTagSubject, "Antwort: Hallo")));
    assert_string_equal(text_of(f, m, PidTagNormalizedSubject), "Hallo");
    OK(fixture_set(m, P_STR(PidTagNormalizedSubject, "Welt")));
    assert_string_equal(text_of(f, m, PidTagSubject), "Antwort: Welt");
}

static void the_last_body_that_was_written_counts(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    assert_int_equal(number_of(f, m, PidTagNativeBody), 0); /* MS-OXCMSG_R2058 */
    OK(fixture_set(m, P_STR(PidTagBody, "plain")));
    assert_int_equal(number_of(f, m, PidTagNativeBody), 1);
    OK(fixture_set(m, P_BIN(PidTagHtml, BLOB_OF("<p>plain</p>", 12))));
    assert_int_equal(number_of(f, m, PidTagNativeBody), 3);
    assert_string_equal(text_of(f, m, PidTagBody), "plain"); /* of the same save: the same text */
    save(m);
    OK(fixture_set(m, P_BIN(PidTagRtfCompressed, BLOB_OF("rtf", 3))));
    assert_error(fixture_prop(f, m, PidTagBody), ecNotFound);
    assert_error(fixture_prop(f, m, PidTagHtml), ecNotFound);
    assert_int_equal(number_of(f, m, PidTagNativeBody), 2);
    assert_true(fixture_prop(f, m, PidTagRtfInSync).b);
    save(m);
    OK(fixture_set(m, P_STR(PidTagBody, "other")));
    save(m);
    assert_int_equal(number_of(f, m, PidTagNativeBody), 1);
    assert_false(blob_equal(fixture_prop(f, m, PidTagRtfCompressed).bin, BLOB_OF("rtf", 3)));
}

static const char *streamed(struct store_fixture *f, struct store_message *m, uint32_t tag)
{
    struct store_stream *s;
    struct blob bytes;
    OK(store_stream_of_message(&s, f->arena, m, tag, STREAM_READ));
    OK(store_stream_read(f->arena, s, 100000, &bytes));
    assert_int_equal(bytes.size, store_stream_size(s));
    talloc_free(s);
    return PROP_TYPE(tag) == PtypString ? utf8_of_utf16(f->arena, bytes.data, bytes.size)
                                        : talloc_strndup(f->arena, (const char *)bytes.data, bytes.size);
}

static const char *rtf_of(struct store_fixture *f, struct store_message *m)
{
    struct blob rtf;
    const struct prop p = fixture_prop(f, m, PidTagRtfCompressed);
    assert_int_equal(p.tag, PidTagRtfCompressed);
    OK(body_rtf_decompress(f->arena, p.bin, &rtf));
    return talloc_strndup(f->arena, (const char *)rtf.data, rtf.size);
}

static struct store_message *with_body(struct store_fixture *f, struct prop body)
{
    struct store_message *m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_I32(PidTagInternetCodepage, 1252)));
    OK(fixture_set(m, body));
    save(m);
    return m;
}

static void each_body_can_be_asked_for_whichever_is_stored(void **state)
{
    struct store_fixture *f = *state;
    const char *html = "<html><p>Gr\xFC\xDF"
                       "e &amp; more</p></html>",
               *text = "Größe & more";
    struct store_message *m = with_body(f, P_BIN(PidTagHtml, BLOB_OF(html, strlen(html))));
    assert_string_equal(text_of(f, m, PidTagBody), "Grüße & more");
    assert_non_null(strstr(rtf_of(f, m), "\\fromhtml1"));
    assert_string_equal(streamed(f, m, PidTagBody), "Grüße & more");
    const struct prop rtf = fixture_prop(f, m, PidTagRtfCompressed);
    m = with_body(f, rtf);
    assert_int_equal(number_of(f, m, PidTagNativeBody), 2);
    assert_string_equal(text_of(f, m, PidTagBody), "Grüße & more");
    assert_string_equal(text_of(f, m, PidTagBodyHtml), "<html><p>Gr&#252;&#223;e &amp; more</p></html>");
    assert_string_equal(streamed(f, m, PidTagHtml), "<html><p>Gr&#252;&#223;e &amp; more</p></html>");
    m = with_body(f, P_STR(PidTagBody, text));
    assert_non_null(strstr(rtf_of(f, m), "\\fromtext"));
    assert_non_null(strstr(text_of(f, m, PidTagBodyHtml), "Gr&#246;&#223;e &amp; more"));
    assert_non_null(strstr(streamed(f, m, PidTagHtml), "Gr&#246;&#223;e &amp; more"));
    assert_int_equal(number_of(f, m, PidTagNativeBody), 1);
    assert_error(fixture_prop(f, new_message(f, DRAFTS), PidTagBody), ecNotFound);
}

/* [MS-OXBBODY] 2.1.3.1 */
static void who_asks_for_one_body_is_told_that_it_is_the_best(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = with_body(f, P_BIN(PidTagHtml, BLOB_OF("<p>x", 4)));
    static const uint32_t tags[] = { PidTagBody, PidTagNativeBody, PidTagRtfCompressed, PidTagHtml };
    static const uint32_t best[] = { 0, 0, 1, 2, 3 }; /* of the first so many */
    struct prop values[COUNTOF(tags)];
    for (uint32_t n = 2; n <= COUNTOF(tags); n++) {
        OK(store_message_get(f->arena, m, tags, n, STORE_VALUE_LIMIT, values));
        assert_int_equal(values[1].u32, best[n]);
    }
}

static void a_long_body_that_is_made_is_cut_in_rows_and_streamed_whole(void **state)
{
    struct store_fixture *f = *state;
    enum { LINES = 50000 };
    struct buf html;
    buf_init(&html, f->arena);
    for (unsigned i = 0; i < LINES; i++)
        buf_printf(&html, "<p>%u</p>", i);
    struct store_message *m = with_body(f, P_BIN(PidTagHtml, BLOB_OF("<p>", 3)));
    struct store_stream *s;
    uint32_t written;
    OK(store_stream_of_message(&s, f->arena, m, PidTagHtml, STREAM_CREATE));
    OK(store_stream_write(s, buf_blob(&html), &written));
    talloc_free(s);
    save(m);
    assert_error(fixture_prop(f, m, PidTagBody), ecNotEnoughMemory);
    OK(store_stream_of_message(&s, f->arena, m, PidTagBody, STREAM_READ));
    struct blob bytes;
    OK(store_stream_read(f->arena, s, 10000000, &bytes));
    const char *text = utf8_of_utf16(f->arena, bytes.data, bytes.size);
    assert_true(text_is_prefix(text, "0\r\n\r\n1\r\n\r\n2\r\n"));
    assert_non_null(strstr(text, "\r\n49999"));
    const struct message_view view = message_view_of(m);
    struct prop p;
    message_prop(f->arena, &view, PidTagBody, 510, true, &p);
    assert_true(strlen(p.str) == 255 && text_is_prefix(text, p.str));
}

static void an_html_body_is_bytes_and_text(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_I32(PidTagInternetCodepage, 1252)));
    OK(fixture_set(m, P_BIN(PidTagHtml, BLOB_OF("gr\xFC\xDF", 4))));
    assert_string_equal(text_of(f, m, PidTagBodyHtml), "grüß");
    assert_int_equal(fixture_prop(f, m, PROP_AS(PidTagHtml, PtypUnspecified)).tag, PidTagHtml);
    OK(fixture_set(m, P_STR(PidTagBodyHtml, "größer")));
    assert_true(blob_equal(fixture_prop(f, m, PidTagHtml).bin, BLOB_OF("gr\xF6\xDF"
                                                                       "er",
                                                                       6)));
    m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_STR(PidTagBodyHtml, "größer")));
    assert_int_equal(number_of(f, m, PidTagInternetCodepage), 65001);
    assert_true(blob_equal(fixture_prop(f, m, PidTagHtml).bin, BLOB_OF("größer", 8)));
}

static void a_client_sets_some_flags_before_the_first_save(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_I32(PidTagMessageFlags, 0x8 | 0x80 | 0x2000))); /* unread, unsent, resend; not Internet */
    assert_int_equal(number_of(f, m, PidTagMessageFlags), 0x88);
    save(m);
    assert_int_equal(fixture_row(f, DRAFTS).unread, 1);
    EC(fixture_set(m, P_I32(PidTagMessageFlags, 1)), ecComputed); /* MS-OXCMSG_R31 */
    store_message_flags(m, 0x4, 0x8);
    save(m);
    assert_int_equal(number_of(f, fixture_open(f, DRAFTS, store_message_mid(m)), PidTagMessageFlags), 0x84);
}

static void what_is_computed_cannot_be_set(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    const struct prop props[] = {
        P_BOOL(PidTagHasAttachments, true),
        P_I64(PidTagMid, 1),
        P_STR(PidTagDisplayTo, "x"),
        P_I32(PidTagMessageSize, 1),
        P_BIN(PidTagEntryId, BLOB_OF("x", 1)),
        P_STR(PidTagBody, "good"),
        { .tag = 0x0E1B000D },
    };
    enum ec results[COUNTOF(props)];
    OK(store_message_set(m, props, COUNTOF(props), results));
    for (size_t i = 0; i < 5; i++)
        EC(results[i], ecComputed); /* MS-OXCMSG_R15 */
    OK(results[5]);
    assert_int_not_equal(results[6], ecNone);
    EC(fixture_set(m, (struct prop){ .tag = 0x0000001F, .str = "" }), ecInvalidParam);
    EC(fixture_set(m, (struct prop){ .tag = 0x10000099 }), ecInvalidParam);
    EC(fixture_set(m, P_STR(PidTagBody, "\xFF\xFE")), ecInvalidParam);
}

static void types_of_text_are_converted_and_others_are_not_there(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    OK(fixture_set(m, P_STR(PROP_AS(PidTagBody, PtypString8), "grün")));
    assert_int_equal(fixture_prop(f, m, PROP_AS(PidTagBody, PtypUnspecified)).tag, PidTagBody);
    assert_int_equal(fixture_prop(f, m, PROP_AS(PidTagBody, PtypString8)).tag, PROP_AS(PidTagBody, PtypString8));
    assert_error(fixture_prop(f, m, PROP_AS(PidTagBody, PtypInteger32)), ecNotFound);
    assert_int_equal(PROP_TYPE(fixture_prop(f, m, PidTagMessageSizeExtended).tag), PtypInteger64);
    assert_int_equal(PROP_TYPE(fixture_prop(f, m, PidTagMessageSize).tag), PtypInteger32);
}

static void a_value_that_is_too_long_says_so(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    static char text[40001];
    memset(text, 'x', sizeof text - 1);
    OK(fixture_set(m, P_STR(PidTagBody, text)));
    assert_error(fixture_prop(f, m, PidTagBody), ecNotEnoughMemory);
    save(m);
    m = fixture_open(f, DRAFTS, store_message_mid(m));
    assert_error(fixture_prop(f, m, PidTagBody), ecNotEnoughMemory);
    assert_error(fixture_prop(f, m, PidTagHtml), ecNotEnoughMemory); /* made of the text */
    assert_string_equal(store_message_text(f->arena, m, PidTagBody), text);
    assert_true(number_of(f, m, PidTagMessageSize) > 40000);
    assert_int_equal(fixture_folder_prop(f, DRAFTS, PidTagMessageSize).u32, number_of(f, m, PidTagMessageSize));
    OK(fixture_set(m, P_STR(PidTagBody, "short")));
    save(m);
    assert_true(number_of(f, m, PidTagMessageSize) < 1000);
    assert_int_equal(fixture_folder_prop(f, DRAFTS, PidTagMessageSize).u32, number_of(f, m, PidTagMessageSize));
}

static void the_list_of_properties_has_what_there_is(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    const uint32_t *tags;
    uint32_t count, subjects = 0;
    OK(store_message_tags(f->arena, m, &tags, &count));
    for (uint32_t i = 0; i < count; i++) {
        subjects += tags[i] == PidTagSubject;
        assert_int_not_equal(PROP_TYPE(fixture_prop(f, m, tags[i]).tag), PtypErrorCode);
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(PROP_ID(tags[i]), PROP_ID(tags[k]));
    }
    assert_int_equal(subjects, 1);
    enum ec result;
    OK(store_message_unset(m, (const uint32_t[]){ PidTagSubject }, 1, &result));
    OK(result);
    assert_error(fixture_prop(f, m, PidTagSubject), ecNotFound);
    OK(store_message_unset(m, (const uint32_t[]){ PidTagMid }, 1, &result));
    EC(result, ecAccessDenied);
}

static void a_conversation_has_the_id_of_its_index_or_topic(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    uint8_t index[22] = { 1, 0, 0, 0, 0, 0, 0xAA, 0xBB };
    assert_error(fixture_prop(f, m, PidTagConversationId), ecNotFound);
    OK(fixture_set(m, P_STR(PidTagConversationTopic, "Straße")));
    const struct blob of_topic = fixture_prop(f, m, PidTagConversationId).bin;
    assert_int_equal(of_topic.size, 16);
    OK(fixture_set(m, P_STR(PidTagConversationTopic, "STRASSE")));
    assert_true(blob_equal(fixture_prop(f, m, PidTagConversationId).bin, of_topic));
    OK(fixture_set(m, P_BIN(PidTagConversationIndex, BLOB_OF(index, sizeof index))));
    assert_true(blob_equal(fixture_prop(f, m, PidTagConversationId).bin, of_topic));
    OK(fixture_set(m, P_BOOL(PidTagConversationIndexTracking, true)));
    assert_true(blob_equal(fixture_prop(f, m, PidTagConversationId).bin, BLOB_OF(index + 6, 16)));
}

/* A class that is no text, which any client can set, says nothing about the folder. */
static void mail_without_a_readable_class_is_delivered_to_the_inbox(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, INBOX);
    uint64_t mid;
    OK(fixture_set(m, P_BIN(PROP_AS(PidTagMessageClass, PtypBinary), BLOB_OF("IPM", 3))));
    OK(store_message_deliver(m, 0, &mid));
    assert_int_equal(store_message_fid(m), INBOX);
}

/* ---- very many properties ---- */

static void an_object_has_a_bounded_number_of_properties(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    enum ec result = ecNone;
    uint32_t id = 0xFFFE, count = 0;
    for (; !result && id > 0x1000; id--, count++)
        OK(store_message_set(m, &P_I32(PROP_TAG(PtypInteger32, id), 1), 1, &result));
    EC(result, ecNotEnoughMemory);
    assert_in_range(count, 4000, 20000);
    EC(fixture_set(m, P_I32(0xFFF00003, 2)), ecNone); /* one that is there can change */
    const uint64_t mid = save(m);
    m = fixture_open(f, DRAFTS, mid);
    EC(fixture_set(m, P_I32(0x20000003, 2)), ecNotEnoughMemory);
    assert_int_equal(fixture_prop(f, m, 0xFFF00003).u32, 2);
}

/* What is not there need not be remembered as removed. */
static void removing_what_is_not_there_costs_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    const size_t size = talloc_total_size(m);
    for (uint32_t id = 0x8000; id < 0xFFFE; id++) {
        const uint32_t tag = PROP_TAG(PtypInteger32, id);
        enum ec result;
        OK(store_message_unset(m, &tag, 1, &result));
    }
    assert_int_equal(talloc_total_size(m), size);
}

/* A bag is read with every row of a table: the longer the list, the less of it lies there. */
static void rows_stay_small_however_many_values_they_have(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    uint8_t bytes[500] = { 1 };
    for (uint32_t id = 0x8000; id < 0x8000 + 4000; id++)
        OK(fixture_set(m, P_BIN(PROP_TAG(PtypBinary, id), BLOB_OF(bytes, sizeof bytes))));
    m = fixture_open(f, DRAFTS, save(m));
    assert_true(m->item.bag.bytes.size < 512 * 1024);
    assert_int_equal(fixture_prop(f, m, PROP_TAG(PtypBinary, 0x8000 + 3999)).bin.size, sizeof bytes);
}

/* ---- recipients ---- */

static void put_recipient(struct store_message *m, uint32_t row_id, uint8_t type, const char *name)
{
    const struct prop props[] = { P_STR(PidTagDisplayName, name),
                                  P_STR(PROP_AS(PidTagEmailAddress, PtypString8), "x@y") };
    const struct store_recipient r = { row_id, type, { COUNTOF(props), props } };
    OK(store_recipient_put(m, &r));
}

static void recipients_come_back_in_the_order_of_their_rows(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    put_recipient(m, 5, 1, "Eve");
    put_recipient(m, 2, 1, "Bob");
    put_recipient(m, 3, 2, "Carol");
    put_recipient(m, 4, 3, "Dan");
    put_recipient(m, 2, 0x81, "Bob Example");
    put_recipient(m, 9, 1, "Nobody");
    store_recipient_remove(m, 9);
    store_recipient_remove(m, 77);
    assert_string_equal(text_of(f, m, PidTagDisplayTo), "Bob Example; Eve");
    const uint64_t mid = save(m);
    m = fixture_open(f, DRAFTS, mid);
    assert_string_equal(text_of(f, m, PidTagDisplayTo), "Bob Example; Eve");
    assert_string_equal(text_of(f, m, PidTagDisplayCc), "Carol");
    assert_string_equal(text_of(f, m, PidTagDisplayBcc), "Dan");
    const struct store_recipient *r;
    assert_int_equal(store_recipients(m, &r), 4);
    assert_int_equal(r[0].row_id, 2);
    assert_int_equal(r[0].type, 0x81);
    assert_int_equal(r[3].row_id, 5);
    assert_int_equal(r[0].props.count, 2);
    assert_string_equal(prop_find(r[0].props.values, 2, PidTagEmailAddress)->str, "x@y");
    store_recipients_clear(m);
    assert_string_equal(text_of(f, m, PidTagDisplayTo), "");
    save(m);
    m = fixture_open(f, DRAFTS, mid);
    assert_int_equal(store_recipients(m, &r), 0);
}

static void a_thousand_recipients_have_their_names(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    for (uint32_t i = 0; i < 1000; i++)
        put_recipient(m, i, 1, "Ünal Example");
    const uint64_t mid = save(m);
    m = fixture_open(f, DRAFTS, mid);
    assert_int_equal(strlen(text_of(f, m, PidTagDisplayTo)), 1000 * 13 + 999 * 2);
    const struct store_recipient *r;
    assert_int_equal(store_recipients(m, &r), 1000);
    OK(fixture_set(m, P_I32(PidTagImportance, 2)));
    save(m);
    m = fixture_open(f, DRAFTS, mid);
    assert_int_equal(store_recipients(m, &r), 1000);
}

/* All of them lie in one value, which is read and written at once. */
static void recipients_take_a_bounded_size_together(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    char *name = talloc_zero_size(f->arena, 30001);
    memset(name, 'n', 30000);
    const struct prop props[] = { P_STR(PidTagDisplayName, name) };
    struct store_recipient r = { 0, 1, { 1, props } };
    enum ec ec = ecNone;
    while (!ec && r.row_id < 10000)
        ec = store_recipient_put(m, &(struct store_recipient){ r.row_id++, 1, r.props });
    EC(ec, ecTooManyRecips);
    assert_in_range(r.row_id, 100, 600);
    for (uint32_t i = 0; i < 1000; i++) /* one for the other is no more */
        OK(store_recipient_put(m, &(struct store_recipient){ i % 100, 2, r.props }));
    store_recipient_remove(m, 0);
    OK(store_recipient_put(m, &(struct store_recipient){ 0, 1, r.props }));
    m = fixture_open(f, DRAFTS, save(m));
    EC(store_recipient_put(m, &(struct store_recipient){ 10000, 1, r.props }), ecNone);
    store_recipients_clear(m);
    OK(store_recipient_put(m, &r));
}

static void names_of_recipients_are_made_once(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f, DRAFTS);
    for (uint32_t i = 0; i < 1000; i++)
        put_recipient(m, i, 1, "Somebody");
    text_of(f, m, PidTagDisplayTo);
    const size_t size = talloc_total_size(m);
    for (unsigned i = 0; i < 100; i++)
        number_of(f, m, PidTagImportance);
    assert_int_equal(talloc_total_size(m), size);
    put_recipient(m, 0, 1, "Nobody");
    assert_memory_equal(text_of(f, m, PidTagDisplayTo), "Nobody; Somebody", 16);
}

/* ---- read flags and status ---- */

static void reading_changes_the_count_and_no_change_number(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mid;
    bool partial, changed;
    struct store_message *m = new_message(f, INBOX);
    OK(store_message_deliver(m, 0, &mid));
    const uint64_t cn = fixture_prop(f, m, PidTagChangeNumber).u64;
    fixture_forget(f);
    OK(store_set_read_flags(f->store, INBOX, &mid, 1, 0, &partial));
    assert_false(partial);
    assert_int_equal(fixture_row(f, INBOX).unread, 0);
    assert_non_null(fixture_heard(f, STORE_MODIFIED, INBOX, mid));
    assert_true(fixture_heard(f, STORE_MODIFIED, INBOX, 0)->counts_changed);
    struct store_message *again = fixture_open(f, INBOX, mid);
    assert_int_equal(number_of(f, again, PidTagMessageFlags) & 0x401, 0x401); /* MS-OXCMSG_R818, R1141 */
    assert_int_equal(fixture_prop(f, again, PidTagChangeNumber).u64, cn);
    OK(fixture_set(m, P_I32(PidTagImportance, 2)));
    save(m); /* no conflict, and it stays read */
    assert_int_equal(number_of(f, fixture_open(f, INBOX, mid), PidTagMessageFlags) & 1, 1);
    OK(store_message_set_read(again, 5, &changed));
    assert_true(changed);
    assert_int_equal(number_of(f, again, PidTagMessageFlags) & 0x401, 0); /* R822, R1142 */
    assert_int_equal(fixture_row(f, INBOX).unread, 1);
    fixture_forget(f);
    OK(store_message_set_read(again, 5, &changed));
    assert_false(changed);
    assert_int_equal(f->change_count, 0);
}

static void all_of_a_folder_can_be_marked_read(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    for (int i = 0; i < 20; i++) {
        struct store_message *m = new_message(f, INBOX);
        OK(store_message_deliver(m, 0, NULL));
    }
    OK(store_set_read_flags(f->store, INBOX, NULL, 0, 1, &partial));
    assert_int_equal(fixture_row(f, INBOX).unread, 0);
    OK(store_set_read_flags(f->store, INBOX, NULL, 0, 5, &partial));
    assert_int_equal(fixture_row(f, INBOX).unread, 20);
    const uint64_t gone = store_id(0x7777);
    OK(store_set_read_flags(f->store, INBOX, &gone, 1, 1, &partial));
    assert_true(partial); /* MS-OXCMSG_R1514 */
}

static void notification_flags_can_be_cleared_alone(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mid;
    bool partial;
    struct store_message *m = new_message(f, INBOX);
    store_message_flags(m, 0x300, 0);
    OK(store_message_deliver(m, 0, &mid));
    OK(store_set_read_flags(f->store, INBOX, &mid, 1, 0x20, &partial)); /* MS-OXCMSG_R827 */
    assert_int_equal(number_of(f, fixture_open(f, INBOX, mid), PidTagMessageFlags), 0x202);
    OK(store_set_read_flags(f->store, INBOX, &mid, 1, 0x40, &partial)); /* R829 */
    assert_int_equal(number_of(f, fixture_open(f, INBOX, mid), PidTagMessageFlags), 0x002);
    OK(store_set_read_flags(f->store, INBOX, &mid, 1, 0x10, &partial)); /* R825 */
    assert_int_equal(number_of(f, fixture_open(f, INBOX, mid), PidTagMessageFlags), 0x002);
}

static void a_status_changes_by_its_mask(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, INBOX, "one");
    uint32_t before;
    OK(store_message_status(f->store, INBOX, mid, 0x1000, 0x3000, &before));
    assert_int_equal(before, 0);
    OK(store_message_status(f->store, INBOX, mid, 0x2000, 0x3000, &before));
    assert_int_equal(before, 0x1000); /* MS-OXCMSG_R784 */
    OK(store_message_status(f->store, INBOX, mid, 0, 0, &before));
    assert_int_equal(before, 0x2000); /* R1500 */
    EC(store_message_status(f->store, DRAFTS, mid, 0, 0, &before), ecNotFound);
}

/* ---- moving, copying, deleting ---- */

static void a_moved_message_has_a_new_id_and_all_that_it_had(void **state)
{
    struct store_fixture *f = *state;
    static char body[100000];
    memset(body, 'b', sizeof body - 1);
    struct store_message *m = new_message(f, INBOX);
    OK(fixture_set(m, P_STR(PidTagBody, body)));
    put_recipient(m, 1, 1, "Bob");
    uint64_t mid, new_mid;
    bool partial;
    OK(store_message_deliver(m, 0, &mid));
    fixture_forget(f);
    OK(store_messages_move(f->store, INBOX, DRAFTS, &mid, 1, false, &new_mid, &partial));
    assert_false(partial);
    assert_int_not_equal(new_mid, mid);
    const struct store_change *moved = fixture_heard(f, STORE_MOVED, DRAFTS, new_mid);
    assert_non_null(moved);
    assert_int_equal(moved->old_fid, INBOX);
    assert_int_equal(moved->old_mid, mid);
    assert_int_equal(fixture_heard(f, STORE_MODIFIED, INBOX, 0)->total, 0);
    assert_int_equal(fixture_heard(f, STORE_MODIFIED, DRAFTS, 0)->unread, 1);
    m = fixture_open(f, DRAFTS, new_mid);
    assert_string_equal(store_message_text(f->arena, m, PidTagBody), body);
    assert_string_equal(text_of(f, m, PidTagDisplayTo), "Bob");
    EC(store_message_open(&m, f->arena, f->store, INBOX, mid, MESSAGE_READONLY), ecNotFound);
    OK(store_messages_move(f->store, INBOX, DRAFTS, &mid, 1, false, &new_mid, &partial));
    assert_true(partial);
    assert_int_equal(new_mid, 0);
    EC(store_messages_move(f->store, INBOX, store_id(0x9999), &mid, 1, false, &new_mid, &partial), ecNotFound);
}

static void a_copied_message_leaves_the_first_alone(void **state)
{
    struct store_fixture *f = *state;
    static char body[100000];
    memset(body, 'b', sizeof body - 1);
    struct store_message *m = new_message(f, INBOX);
    OK(fixture_set(m, P_STR(PidTagBody, body)));
    const uint64_t mid = save(m);
    uint64_t copy;
    bool partial;
    OK(store_messages_move(f->store, INBOX, INBOX, &mid, 1, true, &copy, &partial));
    assert_int_equal(fixture_row(f, INBOX).total, 2);
    assert_int_equal(fixture_heard(f, STORE_COPIED, INBOX, copy)->old_mid, mid);
    OK(store_messages_delete(f->store, INBOX, &mid, 1, true, &partial));
    struct store_message *c = fixture_open(f, INBOX, copy);
    assert_string_equal(store_message_text(f->arena, c, PidTagBody), body);
    assert_true(blob_equal(fixture_prop(f, c, PidTagSearchKey).bin,
                           fixture_prop(f, m, PidTagSearchKey).bin)); /* MS-OXCPRPT_R55 */
    assert_int_equal(fixture_folder_prop(f, INBOX, PidTagMessageSize).u32, number_of(f, c, PidTagMessageSize));
}

static void deleted_messages_can_come_back_until_they_are_gone_for_ever(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, INBOX, "one");
    uint64_t again;
    bool partial;
    fixture_forget(f);
    OK(store_messages_delete(f->store, INBOX, &mid, 1, false, &partial));
    assert_false(partial);
    assert_non_null(fixture_heard(f, STORE_DELETED, INBOX, mid));
    assert_int_equal(fixture_row(f, INBOX).total, 0);
    assert_int_equal(fixture_folder_prop(f, INBOX, PidTagDeletedCountTotal).u32, 1);
    struct store_usage usage;
    OK(store_usage(f->store, &usage));
    assert_int_equal(usage.deleted, 1);
    OK(store_messages_delete(f->store, INBOX, &mid, 1, false, &partial));
    assert_true(partial); /* MS-OXCFOLD_R1147 */
    OK(store_messages_move(f->store, INBOX, DRAFTS, &mid, 1, false, &again, &partial));
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    assert_int_equal(fixture_row(f, INBOX).total, 0);
    OK(store_messages_delete(f->store, DRAFTS, &again, 1, false, &partial));
    OK(store_messages_delete(f->store, DRAFTS, &again, 1, true, &partial));
    assert_false(partial);
    OK(store_usage(f->store, &usage));
    assert_int_equal(usage.deleted, 0);
}

static void a_copy_between_open_messages_takes_what_was_asked_for(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *from = new_message(f, DRAFTS), *to = new_message(f, DRAFTS);
    static char body[100000];
    memset(body, 'b', sizeof body - 1);
    OK(fixture_set(from, P_STR(PidTagSubject, "RE: source")));
    OK(fixture_set(from, P_STR(PidTagBody, body)));
    put_recipient(from, 1, 1, "Bob");
    save(from);
    OK(fixture_set(to, P_STR(PidTagSubject, "target")));
    enum ec results[3];
    const uint32_t some[] = { PidTagSubject, PidTagImportance, PidTagEntryId };
    OK(store_message_copy(to, from, some, 3, false, false, true, results));
    assert_string_equal(text_of(f, to, PidTagSubject), "target");
    OK(store_message_copy(to, from, some, 3, false, false, false, results));
    assert_string_equal(text_of(f, to, PidTagSubject), "RE: source");
    EC(results[1], ecNotFound);
    EC(results[2], ecComputed);
    OK(store_message_copy(to, from, (const uint32_t[]){ PidTagSearchKey }, 1, true, true, false, results));
    assert_string_equal(text_of(f, to, PidTagDisplayTo), "Bob");
    save(to);
    assert_string_equal(store_message_text(f->arena, fixture_open(f, DRAFTS, store_message_mid(to)), PidTagBody), body);
    assert_false(blob_equal(fixture_prop(f, to, PidTagSearchKey).bin, fixture_prop(f, from, PidTagSearchKey).bin));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_new_message_has_the_defaults),
    cmocka_unit_test(nobody_sees_a_message_before_it_is_saved),
    cmocka_unit_test(what_was_saved_comes_back),
    cmocka_unit_test(a_save_takes_few_statements),
    cmocka_unit_test(a_second_handle_may_not_save_over_the_first),
    cmocka_unit_test(what_is_gone_cannot_be_saved),
    cmocka_unit_test(a_message_in_a_folder_that_is_gone_cannot_be_saved),
    cmocka_unit_test(a_message_opened_for_reading_cannot_change),
    cmocka_unit_test(ids_of_nothing_are_not_found),
    cmocka_unit_test(a_save_changes_the_change_number_and_no_other_key),
    cmocka_unit_test(a_search_folder_takes_no_messages),
    cmocka_unit_test(a_save_that_may_have_happened_is_not_done_twice),
    cmocka_unit_test(values_returned_outlive_the_message),
    cmocka_unit_test(an_open_message_takes_only_so_much_memory),
    cmocka_unit_test(delivered_mail_is_new_unread_and_announced),
    cmocka_unit_test(mail_goes_to_the_receive_folder_of_its_class),
    cmocka_unit_test(a_subject_is_a_prefix_and_the_rest),
    cmocka_unit_test(the_last_body_that_was_written_counts),
    cmocka_unit_test(each_body_can_be_asked_for_whichever_is_stored),
    cmocka_unit_test(who_asks_for_one_body_is_told_that_it_is_the_best),
    cmocka_unit_test(a_long_body_that_is_made_is_cut_in_rows_and_streamed_whole),
    cmocka_unit_test(an_html_body_is_bytes_and_text),
    cmocka_unit_test(a_client_sets_some_flags_before_the_first_save),
    cmocka_unit_test(what_is_computed_cannot_be_set),
    cmocka_unit_test(types_of_text_are_converted_and_others_are_not_there),
    cmocka_unit_test(a_value_that_is_too_long_says_so),
    cmocka_unit_test(the_list_of_properties_has_what_there_is),
    cmocka_unit_test(a_conversation_has_the_id_of_its_index_or_topic),
    cmocka_unit_test(recipients_come_back_in_the_order_of_their_rows),
    cmocka_unit_test(an_object_has_a_bounded_number_of_properties),
    cmocka_unit_test(removing_what_is_not_there_costs_nothing),
    cmocka_unit_test(rows_stay_small_however_many_values_they_have),
    cmocka_unit_test(mail_without_a_readable_class_is_delivered_to_the_inbox),
    cmocka_unit_test(a_thousand_recipients_have_their_names),
    cmocka_unit_test(recipients_take_a_bounded_size_together),
    cmocka_unit_test(names_of_recipients_are_made_once),
    cmocka_unit_test(reading_changes_the_count_and_no_change_number),
    cmocka_unit_test(all_of_a_folder_can_be_marked_read),
    cmocka_unit_test(notification_flags_can_be_cleared_alone),
    cmocka_unit_test(a_status_changes_by_its_mask),
    cmocka_unit_test(a_moved_message_has_a_new_id_and_all_that_it_had),
    cmocka_unit_test(a_copied_message_leaves_the_first_alone),
    cmocka_unit_test(deleted_messages_can_come_back_until_they_are_gone_for_ever),
    cmocka_unit_test(a_copy_between_open_messages_takes_what_was_asked_for),
};

int main(void)
{
    return store_fixture_run("messages", tests, COUNTOF(tests));
}
