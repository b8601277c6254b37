/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCPRPT] 3.2.5.1 to 3.2.5.10 as a client meets it. */
#include "rop/fixture.h"
#include "wire/guids.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { MOVE = 1, NO_OVERWRITE = 2 };

static uint32_t message(struct rop_fixture *f)
{
    const struct rop_done done = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    CODE(done, ecNone);
    return done.handle;
}

static const struct prop *get(struct rop_fixture *f, uint32_t object, const uint32_t *tags, uint16_t count,
                              bool unicode)
{
    const struct RopGetPropertiesSpecificRequest request = { .WantUnicode = unicode,
                                                             .PropertyTagCount = count,
                                                             .PropertyTags = tags };
    const struct rop_done done = rop_run(f, "GetPropertiesSpecific", object, 0, &request, tags, count);
    CODE(done, ecNone);
    return ((const struct RopGetPropertiesSpecificResponse *)done.response)->RowData.values;
}

static void expect_error(const struct prop *p, enum ec code)
{
    assert_int_equal(PROP_TYPE(p->tag), PtypErrorCode);
    assert_string_equal(ec_name((enum ec)p->u32), ec_name(code));
}

static const struct RopSetPropertiesResponse *set(struct rop_fixture *f, uint32_t object, const struct prop *values,
                                                  uint16_t count)
{
    const struct rop_done done = RUN(f, SetProperties, object, .PropertyValueCount = count, .PropertyValues = values);
    CODE(done, ecNone);
    return done.response;
}

/* ---- reading ---- */

static void values_come_in_the_order_of_their_tags_and_errors_in_their_place(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_STR(PidTagSubject, "s"));
    const uint32_t tags[] = { PidTagImportance, PidTagAccount, PidTagSubject, PidTagMessageClass };
    const struct prop *v = get(f, m, tags, 4, true); /* R45701, R457 */
    assert_int_equal(v[0].u32, 1);
    expect_error(&v[1], ecNotFound);
    assert_string_equal(v[2].str, "s");
    assert_string_equal(v[3].str, "IPM.Note");
}

static void text_without_a_type_comes_in_the_width_asked_for(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_STR(PidTagSubject, "Größe"));
    const uint32_t any[] = { PROP_AS(PidTagSubject, PtypUnspecified) },
                   narrow[] = { PROP_AS(PidTagSubject, PtypString8) };
    const struct prop *v = get(f, m, any, 1, true);
    assert_int_equal(v->tag, PidTagSubject); /* R458 */
    assert_string_equal(v->str, "Größe");
    v = get(f, m, any, 1, false);
    assert_int_equal(v->tag, narrow[0]); /* R459 */
    assert_string_equal(v->str, "Größe");
    assert_string_equal(get(f, m, narrow, 1, true)->str, "Größe"); /* R460 */
    assert_memory_equal(f->response.data + 6,
                        "\0Gr\xF6\xDF"
                        "e\0",
                        7); /* R462: windows-1252 */
}

static void numbers_without_a_type_come_with_their_own(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t any[] = { PROP_AS(PidTagImportance, PtypUnspecified), PROP_AS(PidTagAccount, PtypUnspecified) };
    const struct prop *v = get(f, message(f), any, 2, true);
    assert_int_equal(v[0].tag, PidTagImportance);
    assert_int_equal(v[0].u32, 1);
    expect_error(&v[1], ecNotFound);
}

static void a_value_that_does_not_fit_is_to_be_opened_as_a_stream(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f), stream = RUN(f, OpenStream, m, .PropertyTag = PidTagHtml, .OpenModeFlags = 2).handle;
    char *text = talloc_zero_size(f->arena, 20001);
    memset(text, 'x', 20000);
    for (unsigned i = 0; i < 2; i++)
        CODE(RUN(f, WriteStream, stream, .DataSize = 20000, .Data = BLOB_OF(text, 20000)), ecNone);
    CODE(RUN(f, CommitStream, stream), ecNone);
    rop_set(f, m, P_BIN(PidTagRtfCompressed, BLOB_OF(text, 8000)));
    rop_set(f, m, P_STR(PidTagSubject, "short"));
    const uint32_t tags[] = { PidTagHtml, PidTagRtfCompressed, PidTagSubject, PidTagAccount };
    const struct prop *v = get(f, m, tags, 4, true);
    expect_error(&v[0], ecNotEnoughMemory); /* not ecNotFound: the best body is chosen by it */
    assert_int_equal(v[1].bin.size, 8000);
    assert_string_equal(v[2].str, "short");
    expect_error(&v[3], ecNotFound);
    f->out_max = 2000;
    v = get(f, m, tags, 4, true); /* R62: the largest go first */
    expect_error(&v[1], ecNotEnoughMemory);
    assert_string_equal(v[2].str, "short");
}

static void all_properties_are_listed_and_given_with_their_values(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_STR(PidTagSubject, "s"));
    rop_set(f, m, P_I32(0x85010003, 42));
    const struct rop_done list = RUN(f, GetPropertiesList, m), all = RUN(f, GetPropertiesAll, m, .WantUnicode = true);
    CODE(list, ecNone);
    CODE(all, ecNone);
    const struct RopGetPropertiesListResponse *tags = list.response;
    const struct RopGetPropertiesAllResponse *values = all.response;
    bool subject = false, named = false;
    for (unsigned i = 0; i < tags->PropertyTagCount; i++)
        named |= tags->PropertyTags[i] == 0x85010003; /* R472 */
    for (unsigned i = 0; i < values->PropertyValueCount; i++) {
        const struct prop *p = &values->PropertyValues[i]; /* R471 */
        subject |= p->tag == PidTagSubject && strcmp(p->str, "s") == 0;
        assert_false(PROP_TYPE(p->tag) == PtypErrorCode && p->u32 == (uint32_t)ecNotFound);
    }
    assert_true(subject && named);
    assert_true(values->PropertyValueCount >= 20);
}

static void all_properties_fit_into_any_answer(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    uint8_t *bytes = talloc_zero_size(f->arena, 9000);
    for (unsigned i = 0; i < 20; i++)
        rop_set(f, m, P_BIN(0x86000102 + (i << 16), BLOB_OF(bytes, 9000)));
    const struct rop_done done = RUN(f, GetPropertiesAll, m, .WantUnicode = true);
    CODE(done, ecNone);
    const struct RopGetPropertiesAllResponse *r = done.response;
    unsigned whole = 0, streams = 0;
    for (unsigned i = 0; i < r->PropertyValueCount; i++) {
        whole += PROP_TYPE(r->PropertyValues[i].tag) == PtypBinary && r->PropertyValues[i].bin.size == 9000;
        streams += PROP_TYPE(r->PropertyValues[i].tag) == PtypErrorCode &&
                   r->PropertyValues[i].u32 == (uint32_t)ecNotEnoughMemory;
    }
    assert_int_equal(whole + streams, 20);
    assert_in_range(whole, 1, 3);
}

static void the_logon_says_who_is_logged_on_and_how(void **state)
{
    struct rop_fixture *f = *state;
    assert_int_equal(rop_get(f, f->logon, PidTagCodePageId).u32, 1252);
    assert_int_equal(rop_get(f, f->logon, PidTagSortLocaleId).u32, 0x409);
    assert_int_equal(rop_get(f, f->logon, PidTagLocaleId).u32, 0x409);
    assert_string_equal(rop_get(f, f->logon, PidTagMailboxOwnerName).str, "Alice Example");
    const struct blob user = rop_get(f, f->logon, PidTagUserEntryId).bin;
    assert_string_equal((const char *)user.data + 28, f->alice->legacy_dn);
    const struct prop any = rop_get(f, f->logon, PROP_AS(PidTagUserEntryId, PtypUnspecified));
    assert_int_equal(any.tag, PidTagUserEntryId);
    expect_error(&(struct prop){ .tag = rop_get(f, f->logon, PROP_AS(PidTagCodePageId, PtypString)).tag,
                                 .u32 = rop_get(f, f->logon, PROP_AS(PidTagCodePageId, PtypString)).u32 },
                 ecNotFound);
    const struct rop_done list = RUN(f, GetPropertiesList, f->logon);
    const struct RopGetPropertiesListResponse *tags = list.response;
    bool found = false;
    for (unsigned i = 0; i < tags->PropertyTagCount; i++)
        found |= tags->PropertyTags[i] == PidTagUserEntryId;
    assert_true(found);
}

/* ---- writing ---- */

static void what_is_set_is_read_by_the_same_handle_at_once_and_by_others_after_the_save(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "old");
    const uint32_t m = rop_open_message(f, INBOX, mid, 1);
    const struct prop value = P_STR(PidTagSubject, "new");
    assert_int_equal(set(f, m, &value, 1)->PropertyProblemCount, 0);
    assert_string_equal(rop_get(f, m, PidTagSubject).str, "new");                                  /* R476, R477 */
    assert_string_equal(rop_get(f, rop_open_message(f, INBOX, mid, 0), PidTagSubject).str, "old"); /* R478 */
    rop_save(f, m);
    assert_string_equal(rop_get(f, rop_open_message(f, INBOX, mid, 0), PidTagSubject).str, "new");
}

static void folders_and_the_logon_keep_what_is_set_at_once(void **state)
{
    struct rop_fixture *f = *state;
    rop_set(f, rop_folder(f, INBOX), P_STR(PidTagComment, "for mail"));
    rop_set(f, f->logon, P_STR(PidTagComment, "a mailbox"));
    struct rop_fixture *other = rop_second_session(f);
    assert_string_equal(rop_get(other, rop_folder(other, INBOX), PidTagComment).str, "for mail"); /* R846 */
    assert_string_equal(rop_get(other, other->logon, PidTagComment).str, "a mailbox");            /* R847 */
}

static void what_cannot_be_set_is_a_problem_and_the_others_are_set(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    const struct prop values[] = { P_STR(PidTagComment, "c"), P_I32(PidTagContentCount, 99), P_I32(0x85020003, 7) };
    const struct RopSetPropertiesResponse *r = set(f, inbox, values, 3);
    assert_int_equal(r->PropertyProblemCount, 1); /* R47505, R47506 */
    assert_int_equal(r->PropertyProblems[0].Index, 1);
    assert_int_equal(r->PropertyProblems[0].PropertyTag, PidTagContentCount);
    assert_int_equal(r->PropertyProblems[0].ErrorCode, (uint32_t)ecComputed);
    assert_int_equal(rop_get(f, inbox, PidTagContentCount).u32, 0);
    assert_int_equal(rop_get(f, inbox, 0x85020003).u32, 7);
}

static void every_type_of_value_comes_back_as_it_was_set(void **state)
{
    struct rop_fixture *f = *state;
    static const int32_t numbers[] = { 1, -2, 3 };
    static const char *const texts[] = { "eins", "zwei", "" };
    const struct blob blobs[] = { BLOB_OF("a", 1), BLOB_OF("bc", 2) };
    struct prop mv32 = { .tag = 0x87001003 }, mvtext = { .tag = 0x8701101F }, mvbin = { .tag = 0x87021102 };
    mv32.mv.count = mvtext.mv.count = 3;
    mv32.mv.i32 = numbers;
    mvtext.mv.str = texts;
    mvbin.mv.count = 2;
    mvbin.mv.bin = blobs;
    const struct prop values[] = {
        { .tag = 0x88000002, .i16 = -7 },
        P_I32(0x88010003, 70000),
        { .tag = 0x88020004, .f32 = 1.5f },
        { .tag = 0x88030005, .f64 = -2.25 },
        P_I64(0x88040006, -10000),
        { .tag = 0x88050007, .f64 = 40000.5 },
        P_BOOL(0x8806000B, true),
        P_I64(0x88070014, INT64_MIN),
        P_STR(0x8808001F, "ż"),
        P_TIME(0x88090040, 12345),
        P_GUID(0x880A0048, PS_MAPI),
        P_BIN(0x880B0102, BLOB_OF("\0\1\2", 3)),
        mv32,
        mvtext,
        mvbin,
    };
    const uint32_t m = message(f);
    assert_int_equal(set(f, m, values, COUNTOF(values))->PropertyProblemCount, 0);
    const uint32_t again = rop_open_message(f, INBOX, rop_save(f, m), 0);
    for (size_t i = 0; i < COUNTOF(values); i++) {
        const struct prop got = rop_get(f, again, values[i].tag);
        assert_int_equal(got.tag, values[i].tag);
        assert_true(prop_equal(&got, &values[i]));
    }
}

static void deleted_properties_are_gone_at_once(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    const uint32_t m = rop_open_message(f, INBOX, mid, 1), inbox = rop_folder(f, INBOX);
    rop_set(f, m, P_STR(PidTagInternetMessageId, "<1@x>"));
    rop_save(f, m);
    const uint32_t tags[] = { PidTagInternetMessageId, PidTagMessageSize };
    const struct rop_done done = RUN(f, DeleteProperties, m, .PropertyTagCount = 2, .PropertyTags = tags);
    CODE(done, ecNone);
    const struct RopDeletePropertiesResponse *r = done.response;
    assert_int_equal(r->PropertyProblemCount, 1); /* R48405 */
    assert_int_equal(r->PropertyProblems[0].PropertyTag, PidTagMessageSize);
    expect_error(get(f, m, tags, 1, true), ecNotFound);                                           /* R487, R874 */
    assert_string_equal(get(f, rop_open_message(f, INBOX, mid, 0), tags, 1, true)->str, "<1@x>"); /* R489 */
    rop_set(f, inbox, P_STR(PidTagComment, "c"));
    const uint32_t comment[] = { PidTagComment };
    CODE(RUN(f, DeletePropertiesNoReplicate, inbox, .PropertyTagCount = 1, .PropertyTags = comment), ecNone);
    const struct prop *gone = get(f, rop_folder(f, INBOX), comment, 1, true); /* R492 */
    assert_true(PROP_TYPE(gone->tag) == PtypErrorCode || *gone->str == '\0');
}

static void without_replication_properties_are_set_just_so(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    const struct prop values[] = { P_STR(PidTagComment, "local"), P_I32(PidTagContentCount, 1) };
    const struct rop_done done =
        RUN(f, SetPropertiesNoReplicate, inbox, .PropertyValueCount = 2, .PropertyValues = values);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopSetPropertiesNoReplicateResponse *)done.response)->PropertyProblemCount, 1);
    assert_string_equal(rop_get(f, inbox, PidTagComment).str, "local");
    const uint32_t m = message(f);
    const struct prop subject = P_STR(PidTagSubject, "s");
    CODE(RUN(f, SetPropertiesNoReplicate, m, .PropertyValueCount = 1, .PropertyValues = &subject), ecNone);
    assert_string_equal(rop_get(f, m, PidTagSubject).str, "s"); /* R823 */
}

static void a_message_opened_for_reading_is_not_changed(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = rop_open_message(f, INBOX, rop_message(f, INBOX, "m"), 0);
    const struct prop value = P_STR(PidTagSubject, "new");
    const struct rop_done done = RUN(f, SetProperties, m, .PropertyValueCount = 1, .PropertyValues = &value);
    const struct RopSetPropertiesResponse *r = done.response;
    assert_true(done.code == (uint32_t)ecAccessDenied || (r && r->PropertyProblemCount == 1));
    assert_string_equal(rop_get(f, m, PidTagSubject).str, "m");
}

/* ---- names ---- */

static const struct RopGetPropertyIdsFromNamesResponse *
ids_of(struct rop_fixture *f, uint8_t flags, const struct PropertyName *names, uint16_t count, uint32_t code)
{
    const struct rop_done done =
        RUN(f, GetPropertyIdsFromNames, f->logon, .Flags = flags, .PropertyNameCount = count, .PropertyNames = names);
    assert_int_equal(done.code, code);
    return done.response;
}

static struct PropertyName name_of(struct rop_fixture *f, struct guid set, const char *text)
{
    const struct blob utf16 = utf16_of_utf8(f->arena, text);
    struct buf name;
    buf_init(&name, f->arena);
    buf_add(&name, utf16.data, utf16.size);
    buf_add(&name, "\0", 2);
    return (struct PropertyName){ .Kind = 1, .GUID = set, .NameSize = (uint8_t)name.size, .Name = buf_blob(&name) };
}

static void a_name_gets_an_id_once_and_keeps_it(void **state)
{
    struct rop_fixture *f = *state;
    const struct PropertyName names[] = {
        { .Kind = 0, .GUID = PSETID_Common, .LID = 0x8503 }, { .Kind = 0, .GUID = PS_MAPI, .LID = 0x0037 },
        name_of(f, PS_PUBLIC_STRINGS, "Keywords"),           name_of(f, PS_INTERNET_HEADERS, "X-Test"),
        name_of(f, PS_INTERNET_HEADERS, "x-test"),
    };
    const struct RopGetPropertyIdsFromNamesResponse *r = ids_of(f, 0, names, 5, ecWarnWithErrors);
    assert_int_equal(r->PropertyIds[0], 0);      /* R532 */
    assert_int_equal(r->PropertyIds[1], 0x0037); /* R642 */
    r = ids_of(f, 2, names, 5, ecNone);
    assert_int_equal(r->PropertyIdCount, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_true(i == 1 || (r->PropertyIds[i] >= 0x8000 && r->PropertyIds[i] != 0xFFFF)); /* R534, R535 */
    assert_int_equal(r->PropertyIds[3], r->PropertyIds[4]);                                  /* R529 */
    const struct RopGetPropertyIdsFromNamesResponse *again = ids_of(f, 0, names, 5, ecNone);
    assert_memory_equal(again->PropertyIds, r->PropertyIds, 10);

    const uint16_t ids[] = { r->PropertyIds[0], r->PropertyIds[2], 0x0037, 0xFFF0 };
    const struct rop_done done = RUN(f, GetNamesFromPropertyIds, f->logon, .PropertyIdCount = 4, .PropertyIds = ids);
    CODE(done, ecNone);
    const struct PropertyName *n = ((const struct RopGetNamesFromPropertyIdsResponse *)done.response)->PropertyNames;
    assert_int_equal(n[0].LID, 0x8503); /* R521 */
    assert_int_equal(n[1].Kind, 1);
    assert_true(guid_equal(n[2].GUID, PS_MAPI) && n[2].Kind == 0 && n[2].LID == 0x0037); /* R518 to R520 */
    assert_int_equal(n[3].Kind, 0xFF);                                                   /* R523 */
}

static void all_names_are_given_to_the_logon_alone(void **state)
{
    struct rop_fixture *f = *state;
    const struct PropertyName names[] = { { .Kind = 0, .GUID = PSETID_Common, .LID = 0x8503 },
                                          name_of(f, PS_PUBLIC_STRINGS, "Odd") };
    ids_of(f, 2, names, 2, ecNone);
    const unsigned all = ids_of(f, 0, NULL, 0, ecNone)->PropertyIdCount;
    assert_true(all >= 2); /* R526 */
    const struct rop_done done = RUN(f, GetPropertyIdsFromNames, rop_folder(f, INBOX));
    CODE(done, ecNone);
    assert_int_equal(((const struct RopGetPropertyIdsFromNamesResponse *)done.response)->PropertyIdCount, 0);
}

static uint16_t names_found(struct rop_fixture *f, uint8_t flags, const struct guid *only)
{
    const struct rop_done done = RUN(f, QueryNamedProperties, f->logon, .QueryFlags = flags, .HasGuid = only != NULL,
                                     .PropertyGuid = only ? *only : (struct guid){ { 0 } });
    CODE(done, ecNone);
    return ((const struct RopQueryNamedPropertiesResponse *)done.response)->IdCount;
}

static void names_are_asked_for_by_kind_and_set(void **state)
{
    struct rop_fixture *f = *state;
    const struct guid mine = guid_random();
    const struct PropertyName names[] = {
        { .Kind = 0, .GUID = mine, .LID = 1 },
        { .Kind = 0, .GUID = mine, .LID = 2 },
        name_of(f, mine, "three"),
    };
    ids_of(f, 2, names, 3, ecNone);
    assert_int_equal(names_found(f, 0, &mine), 3);    /* R878 */
    assert_int_equal(names_found(f, 1, &mine), 2);    /* R876 */
    assert_int_equal(names_found(f, 2, &mine), 1);    /* R877 */
    assert_int_equal(names_found(f, 0xFC, &mine), 3); /* R87802 */
    assert_true(names_found(f, 0, NULL) >= 3);
}

/* ---- copying ---- */

static void properties_are_copied_between_messages_and_problems_named(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t from = message(f), to = message(f);
    rop_set(f, from, P_STR(PidTagSubject, "from"));
    rop_set(f, from, P_STR(PidTagBody, "body"));
    rop_set(f, to, P_STR(PidTagSubject, "to"));
    const uint32_t tags[] = { PidTagSubject, PidTagBody, PidTagAccount };
    const struct rop_done done =
        RUN_TO(f, CopyProperties, from, to, .CopyFlags = NO_OVERWRITE, .PropertyTagCount = 3, .PropertyTags = tags);
    CODE(done, ecNone);
    assert_string_equal(rop_get(f, to, PidTagSubject).str, "to"); /* R879 */
    assert_string_equal(rop_get(f, to, PidTagBody).str, "body");  /* R500 */
    CODE(RUN_TO(f, CopyProperties, from, to, .PropertyTagCount = 1, .PropertyTags = tags), ecNone);
    assert_string_equal(rop_get(f, to, PidTagSubject).str, "from");
    CODE(RUN_TO(f, CopyProperties, from, to, .CopyFlags = 0x04), ecInvalidParam); /* R880 */
}

static void everything_but_what_is_excluded_is_copied(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t from = message(f), to = message(f);
    rop_set(f, from, P_STR(PidTagSubject, "from"));
    rop_set(f, from, P_STR(PidTagBody, "body"));
    const uint32_t attachment = RUN(f, CreateAttachment, from).handle;
    CODE(RUN(f, SaveChangesAttachment, attachment), ecNone);
    const uint32_t excluded[] = { PidTagSubject };
    CODE(RUN_TO(f, CopyTo, from, to, .WantSubObjects = true, .ExcludedTagCount = 1, .ExcludedTags = excluded), ecNone);
    assert_string_equal(rop_get(f, to, PidTagBody).str, "body"); /* R5070501 */
    const uint32_t subject[] = { PidTagSubject };
    const struct prop *p = get(f, to, subject, 1, true);
    assert_true(PROP_TYPE(p->tag) == PtypErrorCode || *p->str == '\0');
    assert_true(rop_get(f, to, PidTagHasAttachments).b);
    const uint64_t mid = rop_save(f, to); /* R5070507 */
    assert_string_equal(rop_get(f, rop_open_message(f, INBOX, mid, 0), PidTagBody).str, "body");
}

static void a_copy_of_everything_may_leave_what_is_there(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t from = message(f), to = message(f);
    const uint32_t inbox = rop_folder(f, INBOX), outbox = rop_folder(f, STORE_FID(SPECIAL_OUTBOX));
    rop_set(f, from, P_STR(PidTagSubject, "from"));
    rop_set(f, from, P_STR(PidTagBody, "body"));
    rop_set(f, from, P_I32(PidTagImportance, 2));
    rop_set(f, to, P_STR(PidTagSubject, "to"));
    CODE(RUN_TO(f, CopyTo, from, to, .CopyFlags = NO_OVERWRITE), ecNone);
    assert_string_equal(rop_get(f, to, PidTagSubject).str, "to"); /* R5070504 */
    assert_int_equal(rop_get(f, to, PidTagImportance).u32, 1);    /* R5070504: it has one from the beginning */
    assert_string_equal(rop_get(f, to, PidTagBody).str, "body");
    rop_set(f, inbox, P_STR(PidTagComment, "in"));
    rop_set(f, inbox, P_I32(0x85030003, 3));
    rop_set(f, outbox, P_STR(PidTagComment, "out"));
    CODE(RUN_TO(f, CopyTo, inbox, outbox, .CopyFlags = NO_OVERWRITE), ecNone);
    assert_string_equal(rop_get(f, outbox, PidTagComment).str, "out"); /* R5070504 */
    assert_int_equal(rop_get(f, outbox, 0x85030003).u32, 3);
}

static void folders_copy_their_properties_at_once(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX), outbox = rop_folder(f, STORE_FID(SPECIAL_OUTBOX));
    rop_set(f, inbox, P_STR(PidTagComment, "c"));
    rop_set(f, inbox, P_I32(0x85030003, 3));
    const uint32_t tags[] = { PidTagComment, 0x85030003, PidTagContentCount, PidTagAccount };
    const struct rop_done done = RUN_TO(f, CopyProperties, inbox, outbox, .PropertyTagCount = 4, .PropertyTags = tags);
    CODE(done, ecNone);
    const struct RopCopyPropertiesResponse *r = done.response;
    assert_int_equal(r->PropertyProblemCount, 2); /* R50006 */
    assert_int_equal(r->PropertyProblems[0].Index, 2);
    assert_int_equal(r->PropertyProblems[1].Index, 3);
    assert_string_equal(rop_get(f, rop_folder(f, STORE_FID(SPECIAL_OUTBOX)), PidTagComment).str, "c"); /* R503 */
    CODE(RUN_TO(f, CopyProperties, inbox, outbox, .CopyFlags = MOVE, .PropertyTagCount = 1, .PropertyTags = tags),
         ecNotSupported);                                                                     /* R881 */
    CODE(RUN_TO(f, CopyTo, inbox, outbox, .CopyFlags = MOVE), ecNone);                        /* R5070511 */
    assert_string_equal(rop_get(f, inbox, PidTagComment).str, "c");                           /* R5070502 */
    CODE(RUN_TO(f, CopyTo, inbox, outbox, .CopyFlags = 0x80), ecInvalidParam);                /* R5070505 */
    CODE(RUN_TO(f, CopyTo, inbox, outbox, .CopyFlags = MOVE | NO_OVERWRITE), ecInvalidParam); /* R18402 */
}

static uint32_t subfolder(struct rop_fixture *f, uint32_t parent, const char *name)
{
    const struct rop_done done = RUN(f, CreateFolder, parent, .FolderType = 1, .UseUnicodeStrings = true,
                                     .OpenExisting = true, .DisplayName = name, .Comment = "");
    CODE(done, ecNone);
    return done.handle;
}

static void a_folder_is_copied_with_what_lies_in_it_where_asked(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX), from = subfolder(f, inbox, "from"), to = subfolder(f, inbox, "to");
    const uint32_t below = subfolder(f, from, "below"), third = subfolder(f, inbox, "third");
    rop_message(f, rop_get(f, from, PidTagFolderId).u64, "one");
    rop_message(f, rop_get(f, below, PidTagFolderId).u64, "two");
    rop_message(f, rop_get(f, to, PidTagFolderId).u64, "there");

    CODE(RUN_TO(f, CopyTo, from, to), ecNone);
    assert_int_equal(rop_get(f, to, PidTagContentCount).u32, 1); /* R182 */
    assert_false(rop_get(f, to, PidTagSubfolders).b);
    CODE(RUN_TO(f, CopyTo, from, to, .WantSubObjects = true), ecNone);
    assert_int_equal(rop_get(f, to, PidTagContentCount).u32, 2); /* R181, R5070509 */
    assert_int_equal(rop_get(f, from, PidTagContentCount).u32, 1);
    assert_int_equal(rop_get(f, subfolder(f, to, "below"), PidTagContentCount).u32, 1);
    assert_string_equal(rop_get(f, to, PidTagDisplayName).str, "to");

    CODE(RUN_TO(f, CopyTo, from, to, .WantSubObjects = true), ecDuplicateName); /* R897 */
    CODE(RUN_TO(f, CopyTo, from, below, .WantSubObjects = true), ecRootFolder); /* R89602 */
    assert_int_equal(rop_get(f, to, PidTagContentCount).u32, 2);

    const uint32_t excluded[] = { PidTagContainerHierarchy };
    CODE(RUN_TO(f, CopyTo, from, third, .WantSubObjects = true, .ExcludedTagCount = 1, .ExcludedTags = excluded),
         ecNone);
    assert_int_equal(rop_get(f, third, PidTagContentCount).u32, 1);
    assert_false(rop_get(f, third, PidTagSubfolders).b);
}

static void only_objects_of_one_kind_are_copied(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    CODE(RUN_TO(f, CopyTo, m, rop_folder(f, INBOX)), ecNotSupported); /* R508, R821 */
    CODE(RUN_TO(f, CopyProperties, m, RUN(f, CreateAttachment, m).handle), ecNotSupported);
    const struct rop_done missing = RUN_TO(f, CopyTo, m, 0xFFFFFFFF);
    assert_int_equal(missing.code, ecDstNullObject);
    assert_int_equal(((const struct RopCopyToFailure *)missing.response)->DestHandleIndex, 1);
}

/* It would lose what it has before it could be copied. */
static void nothing_is_copied_onto_itself(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f), tags[] = { PidTagSubject }, inbox = rop_folder(f, INBOX);
    struct ModifyRecipientRow row = { .RowId = 1, .RecipientType = 1, .RecipientRowSize = 1 };
    row.RecipientRow = (struct RecipientRow){ .RecipientFlags = 0x0210, .DisplayName = "Bob" };
    CODE(RUN(f, ModifyRecipients, m, .RowCount = 1, .RecipientRows = &row), ecNone);
    const struct rop_done attachment = RUN(f, CreateAttachment, m);
    CODE(RUN(f, SaveChangesAttachment, attachment.handle), ecNone);
    CODE(RUN_TO(f, CopyTo, m, m, .WantSubObjects = true), ecAccessDenied);
    CODE(RUN_TO(f, CopyProperties, m, m, .PropertyTagCount = 1, .PropertyTags = tags), ecAccessDenied);
    CODE(RUN_TO(f, CopyTo, attachment.handle, attachment.handle), ecAccessDenied);
    CODE(RUN_TO(f, CopyTo, inbox, inbox), ecAccessDenied);
    const uint64_t mid = rop_save(f, m);
    const struct rop_done opened =
        RUN(f, OpenMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX, .MessageId = mid);
    CODE(opened, ecNone);
    assert_string_equal(
        ((const struct RopOpenMessageResponse *)opened.response)->RecipientRows[0].RecipientRow.DisplayName, "Bob");
    assert_true(rop_get(f, opened.handle, PidTagHasAttachments).b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(values_come_in_the_order_of_their_tags_and_errors_in_their_place),
        ROP_TEST(text_without_a_type_comes_in_the_width_asked_for),
        ROP_TEST(numbers_without_a_type_come_with_their_own),
        ROP_TEST(a_value_that_does_not_fit_is_to_be_opened_as_a_stream),
        ROP_TEST(all_properties_are_listed_and_given_with_their_values),
        ROP_TEST(all_properties_fit_into_any_answer),
        ROP_TEST(the_logon_says_who_is_logged_on_and_how),
        ROP_TEST(what_is_set_is_read_by_the_same_handle_at_once_and_by_others_after_the_save),
        ROP_TEST(folders_and_the_logon_keep_what_is_set_at_once),
        ROP_TEST(what_cannot_be_set_is_a_problem_and_the_others_are_set),
        ROP_TEST(every_type_of_value_comes_back_as_it_was_set),
        ROP_TEST(deleted_properties_are_gone_at_once),
        ROP_TEST(without_replication_properties_are_set_just_so),
        ROP_TEST(a_message_opened_for_reading_is_not_changed),
        ROP_TEST(a_name_gets_an_id_once_and_keeps_it),
        ROP_TEST(all_names_are_given_to_the_logon_alone),
        ROP_TEST(names_are_asked_for_by_kind_and_set),
        ROP_TEST(properties_are_copied_between_messages_and_problems_named),
        ROP_TEST(everything_but_what_is_excluded_is_copied),
        ROP_TEST(a_copy_of_everything_may_leave_what_is_there),
        ROP_TEST(folders_copy_their_properties_at_once),
        ROP_TEST(a_folder_is_copied_with_what_lies_in_it_where_asked),
        ROP_TEST(only_objects_of_one_kind_are_copied),
        ROP_TEST(nothing_is_copied_onto_itself),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
