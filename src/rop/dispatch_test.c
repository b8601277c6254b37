/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCROPS] 3.2.4, 3.2.5 and [MS-OXCRPC] 3.1.4.2: lists of ROPs, handles, space, and the buffers around them. */
#include <stdlib.h>

#include "rop/fixture.h"
#include "wire/extended.h"

#define NONE 0xFFFFFFFFu

static uint8_t free_slot(struct rop_batch *b)
{
    return rop_batch_handle(b, NONE);
}

/* ---- order and handles ---- */

static void responses_stand_in_the_order_of_the_requests_and_later_ones_use_what_earlier_ones_opened(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const uint32_t columns[] = { PidTagDisplayName };
    const uint8_t logon = rop_batch_handle(b, f->logon), folder = free_slot(b), table = free_slot(b);
    ADD(b, OpenFolder, logon, folder, .FolderId = STORE_FID(SPECIAL_IPM_SUBTREE));
    ADD(b, GetHierarchyTable, folder, table, .TableFlags = 0);
    ADD(b, SetColumns, table, 0, .PropertyTagCount = 1, .PropertyTags = columns);
    ADD(b, QueryRows, table, 0, .ForwardRead = true, .RowCount = 2);
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, ecNone);        /* MS-OXCROPS_R4550 */
    assert_int_equal(rop_batch_next(b, "GetHierarchyTable", NULL, 0).code, ecNone); /* MS-OXCROPS_R4559 */
    assert_int_equal(rop_batch_next(b, "SetColumns", NULL, 0).code, ecNone);
    const struct rop_response rows = rop_batch_next(b, "QueryRows", columns, 1);
    assert_int_equal(((const struct RopQueryRowsResponse *)rows.body)->RowCount, 2);
    assert_int_equal(wire_left(&b->answers), 0);
    assert_int_equal(b->handles[logon], f->logon);                        /* MS-OXCROPS_R4565 */
    assert_true(b->handles[folder] != NONE && b->handles[table] != NONE); /* MS-OXCROPS_R4558, R4560 */
}

static void a_ROP_that_fails_does_not_stop_the_others_and_leaves_its_slot_empty(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const uint8_t logon = rop_batch_handle(b, f->logon), missing = free_slot(b), inbox = free_slot(b),
                  table = free_slot(b);
    ADD(b, OpenFolder, logon, missing, .FolderId = store_id(0x7777));
    ADD(b, GetContentsTable, missing, table, .TableFlags = 0);
    ADD(b, OpenFolder, logon, inbox, .FolderId = STORE_FID(SPECIAL_INBOX));
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, (uint32_t)ecNotFound); /* MS-OXCFOLD_R469 */
    assert_int_equal(rop_batch_next(b, "GetContentsTable", NULL, 0).code, ecNullObject);   /* MS-OXCROPS_R4712 */
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, ecNone);
    assert_int_equal(b->handles[missing], NONE);
}

static void an_index_beyond_the_handle_table_is_ecNullObject_as_input_and_grows_the_table_as_output(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const uint8_t logon = rop_batch_handle(b, f->logon);
    ADD(b, OpenFolder, 7, logon, .FolderId = STORE_FID(SPECIAL_INBOX));
    ADD(b, OpenFolder, logon, 255, .FolderId = STORE_FID(SPECIAL_INBOX));
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, ecNullObject); /* MS-OXCROPS_R4712 */
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, ecNone);
    assert_int_equal(b->handle_table.size, 256 * 4); /* MS-OXCROPS_R4563 */
    assert_int_equal(le32(b->handle_table.data + 4), NONE);
}

static void a_handle_belongs_to_its_logon(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const uint32_t inbox = rop_folder(f, STORE_FID(SPECIAL_INBOX));
    const uint8_t second = free_slot(b), folder = rop_batch_handle(b, inbox), table = free_slot(b);
    const struct RopLogonRequest logon = { .LogonFlags = 1, .EssdnSize = 1, .Essdn = f->alice->legacy_dn };
    rop_batch_add(b, "Logon", 1, second, 0, &logon);
    rop_batch_add(b, "GetContentsTable", 1, folder, table, &(struct RopGetContentsTableRequest){ 0 });
    rop_batch_add(b, "GetContentsTable", 0, folder, table, &(struct RopGetContentsTableRequest){ 0 });
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "Logon", NULL, 0).code, ecNone);
    assert_int_equal(rop_batch_next(b, "GetContentsTable", NULL, 0).code,
                     (uint32_t)ecAccessDenied); /* MS-OXCROPS_R457303 */
    assert_int_equal(rop_batch_next(b, "GetContentsTable", NULL, 0).code, ecNone);
}

static void a_second_logon_with_the_same_id_releases_the_first_and_all_below(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, STORE_FID(SPECIAL_INBOX)), first = f->logon;
    f->logon = RUN(f, Logon, NONE, .LogonFlags = 1, .EssdnSize = 1, .Essdn = f->alice->legacy_dn).handle;
    CODE(RUN(f, GetContentsTable, inbox), ecInvalidObject);
    CODE(RUN(f, OpenFolder, first, .FolderId = STORE_FID(SPECIAL_INBOX)), ecInvalidObject);
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNone);
}

static void a_release_has_no_response_whatever_it_releases(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const uint8_t logon = rop_batch_handle(b, f->logon);
    ADD(b, Release, 9, 0);
    ADD(b, Release, rop_batch_handle(b, 4711), 0);
    ADD(b, Release, logon, 0);
    ADD(b, OpenFolder, logon, 1, .FolderId = STORE_FID(SPECIAL_INBOX));
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, (uint32_t)ecInvalidObject); /* MS-OXCROPS_R457301 */
    assert_int_equal(wire_left(&b->answers), 0);                                                /* MS-OXCROPS_R4581 */
}

static void a_session_has_so_many_handles_and_no_more(void **state)
{
    struct rop_fixture *f = *state;
    uint32_t opened = 0, code = ecNone, last = 0;
    for (unsigned round = 0; round < 30 && code == ecNone; round++) {
        struct rop_batch *b = rop_batch(f);
        rop_batch_handle(b, f->logon);
        for (unsigned i = 0; i < 250; i++)
            ADD(b, OpenFolder, 0, (uint8_t)(1 + i), .FolderId = STORE_FID(SPECIAL_INBOX));
        assert_int_equal(rop_batch_run(b), ecNone);
        for (unsigned i = 0; i < 250 && code == ecNone; i++) {
            code = rop_batch_next(b, "OpenFolder", NULL, 0).code;
            opened += code == ecNone;
            last = code == ecNone ? b->handles[1 + i] : last;
        }
    }
    assert_int_equal(code, ecTooManyOpenObjects);
    assert_int_equal(opened, SESSION_OBJECTS_MAX - 1); /* and the logon */
    RUN(f, Release, last);
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNone);
}

/* ---- memory ---- */

#define BUDGET ((size_t)1 << 20)

/* A session whose objects may hold a megabyte together. */
static struct rop_fixture *tight(struct rop_fixture *f)
{
    sessions_limit_memory(f->sessions, BUDGET);
    return rop_second_session(f);
}

static uint32_t new_message(struct rop_fixture *f)
{
    const struct rop_done done =
        RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = STORE_FID(SPECIAL_INBOX));
    CODE(done, ecNone);
    return done.handle;
}

static enum ec put_value(struct rop_fixture *f, uint32_t message, uint16_t id, size_t size)
{
    const struct prop p = P_BIN((uint32_t)id << 16 | PtypBinary, BLOB_OF(talloc_zero_size(f->arena, size), size));
    const struct rop_done done = RUN(f, SetProperties, message, .PropertyValueCount = 1, .PropertyValues = &p);
    CODE(done, ecNone);
    const struct RopSetPropertiesResponse *r = done.response;
    return r->PropertyProblemCount ? (enum ec)r->PropertyProblems[0].ErrorCode : ecNone;
}

static void values_of_many_messages_share_the_sessions_memory(void **state)
{
    struct rop_fixture *f = tight(*state);
    uint32_t messages[64], count = 0;
    enum ec ec = ecNone;
    while (!ec && count < COUNTOF(messages)) {
        messages[count] = new_message(f);
        ec = put_value(f, messages[count++], 0x6600, 30000);
    }
    assert_int_equal(ec, ecNotEnoughMemory);
    assert_in_range(count, BUDGET / 30000 - 2, BUDGET / 30000 + 2);
    RUN(f, Release, messages[0]); /* the session goes on, and has what was released */
    assert_int_equal(put_value(f, messages[count - 1], 0x6600, 30000), ecNone);
    assert_int_equal(put_value(f, messages[count - 1], 0x6601, 30000), ecNotEnoughMemory);
    rop_save(f, messages[1]); /* what is stored is no longer in memory */
    assert_int_equal(put_value(f, messages[count - 1], 0x6601, 20000), ecNone);
}

static void a_stored_message_that_does_not_fit_is_not_opened(void **state)
{
    struct rop_fixture *wide = *state, *f = tight(wide);
    char name[6001] = { 0 };
    memset(name, 'n', sizeof name - 1);
    const uint32_t m = new_message(wide);
    for (unsigned i = 0; i < 100; i++) {
        const struct ModifyRecipientRow row = { .RowId = i,
                                                .RecipientType = 1,
                                                .RecipientRowSize = 1,
                                                .RecipientRow = { .RecipientFlags = 0x0210, .DisplayName = name } };
        CODE(RUN(wide, ModifyRecipients, m, .RowCount = 1, .RecipientRows = &row), ecNone);
    }
    const uint64_t mid = rop_save(wide, m);
    CODE(RUN(f, OpenMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = STORE_FID(SPECIAL_INBOX), .MessageId = mid),
         ecNotEnoughMemory);
    CODE(RUN(wide, OpenMessage, wide->logon, .CodePageId = 0x0FFF, .FolderId = STORE_FID(SPECIAL_INBOX),
             .MessageId = mid),
         ecNone);
    uint32_t row = 0, code = ecNone;
    for (const uint32_t mine = new_message(f); code == ecNone && row < 1000; row++)
        code = RUN(f, ModifyRecipients, mine, .RowCount = 1,
                   .RecipientRows = &(
                       struct ModifyRecipientRow){ .RowId = row,
                                                   .RecipientType = 1,
                                                   .RecipientRowSize = 1,
                                                   .RecipientRow = { .RecipientFlags = 0x0210, .DisplayName = name } })
                   .code;
    assert_int_equal(code, (uint32_t)ecNotEnoughMemory);
    assert_int_equal(put_value(f, new_message(f), 0x6600, 100), ecNone);
}

static void streams_share_the_sessions_memory(void **state)
{
    struct rop_fixture *f = tight(*state);
    const uint32_t m = new_message(f);
    const uint8_t *bytes = talloc_zero_size(f->arena, 30000);
    uint32_t count = 0, code = ecNone, last = 0;
    while (code == ecNone && count < 64) {
        const struct rop_done s =
            RUN(f, OpenStream, m, .PropertyTag = 0x66000102 + (count++ << 16), .OpenModeFlags = 2);
        CODE(s, ecNone);
        last = s.handle;
        code = RUN(f, WriteStream, last, .DataSize = 30000, .Data = BLOB_OF(bytes, 30000)).code;
    }
    assert_int_equal(code, (uint32_t)ecTooBig);
    assert_in_range(count, BUDGET / 30000 - 2, BUDGET / 30000 + 2);
    CODE(RUN(f, WriteStream, last, .DataSize = 100, .Data = BLOB_OF(bytes, 100)), ecNone);
}

static void sorted_views_share_the_sessions_memory(void **state)
{
    struct rop_fixture *wide = *state, *f = tight(wide);
    char subject[2001] = { 0 };
    memset(subject, 's', sizeof subject - 1);
    for (unsigned i = 0; i < 40; i++)
        rop_message(wide, STORE_FID(SPECIAL_INBOX), subject);
    const uint32_t inbox = rop_folder(f, STORE_FID(SPECIAL_INBOX)), columns[] = { PidTagMid };
    const struct SortOrder order = { .PropertyTag = PidTagSubject };
    uint32_t tables[64], count = 0, code = ecNone;
    while (code == ecNone && count < COUNTOF(tables)) {
        const uint32_t t = tables[count++] = RUN(f, GetContentsTable, inbox).handle;
        CODE(RUN(f, SetColumns, t, .PropertyTagCount = 1, .PropertyTags = columns), ecNone);
        CODE(RUN(f, SortTable, t, .SortOrderCount = 1, .SortOrders = &order), ecNone);
        code = RUN_ROWS(f, QueryRows, t, columns, .ForwardRead = true, .RowCount = 10).code;
    }
    assert_int_equal(code, (uint32_t)ecTableTooBig);
    assert_true(count > 4);
    const uint32_t last = tables[count - 1];
    RUN(f, Release, tables[0]);
    RUN(f, Release, tables[1]);
    CODE(RUN_ROWS(f, QueryRows, last, columns, .ForwardRead = true, .RowCount = 10), ecNone);
}

/* ---- what is not served, and what cannot be read ---- */

static bool folder_exists(struct rop_fixture *f, const char *name)
{
    const struct rop_done done =
        RUN(f, CreateFolder, rop_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE)), .FolderType = 1, .UseUnicodeStrings = true,
            .OpenExisting = true, .DisplayName = name, .Comment = "");
    CODE(done, ecNone);
    return ((const struct RopCreateFolderResponse *)done.response)->IsExistingFolder;
}

static void add_create_folder(struct rop_batch *b, uint32_t parent, const char *name)
{
    ADD(b, CreateFolder, rop_batch_handle(b, parent), free_slot(b), .FolderType = 1, .UseUnicodeStrings = true,
        .DisplayName = name, .Comment = "");
}

static void a_known_ROP_that_is_not_served_is_ecNotImplemented_and_the_list_goes_on(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const uint8_t logon = rop_batch_handle(b, f->logon);
    ADD(b, LockRegionStream, logon, 0, .RegionSize = 1);
    ADD(b, OpenFolder, logon, 1, .FolderId = STORE_FID(SPECIAL_INBOX));
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "LockRegionStream", NULL, 0).code, (uint32_t)ecNotImplemented);
    assert_int_equal(rop_batch_next(b, "OpenFolder", NULL, 0).code, ecNone);
}

static void a_reserved_id_fails_the_whole_call_before_anything_happens(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    add_create_folder(b, rop_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE)), "Never");
    buf_add(&b->list, "\x28\x00\x00", 3);
    assert_int_equal(rop_batch_run(b), ecRpcFormat); /* MS-OXCROPS_R4551 */
    assert_false(folder_exists(f, "Never"));
}

static void every_prefix_of_a_list_is_ecRpcFormat_unless_it_ends_between_two_ROPs(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    const struct prop values[] = { P_STR(PidTagComment, "c"), P_BIN(PidTagSourceKey, BLOB_OF("0123456789", 10)) };
    const uint8_t inbox = rop_batch_handle(b, rop_folder(f, STORE_FID(SPECIAL_INBOX)));
    const size_t first = ADD(b, GetPropertiesList, inbox, 0).size;
    ADD(b, SetProperties, inbox, 0, .PropertyValueCount = 2, .PropertyValues = values);
    const size_t whole = b->list.size;
    for (size_t size = 0; size <= whole; size++) {
        b->list.size = size;
        const bool between = size == 0 || size == first || size == whole;
        assert_int_equal(rop_batch_run(b), between ? ecNone : ecRpcFormat);
    }
}

static struct blob wrapped(struct rop_fixture *f, const char *hex, unsigned flags)
{
    struct blob payload;
    struct buf in;
    assert_true(hex_parse(f->arena, hex, &payload));
    buf_init(&in, f->arena);
    extended_put(&in, payload, flags);
    return buf_blob(&in);
}

static enum ec execute(struct rop_fixture *f, struct blob in)
{
    struct buf out;
    buf_init(&out, f->arena);
    return rop_fixture_execute(f, in, &out);
}

static void sizes_that_contradict_each_other_are_ecRpcFormat(void **state)
{
    struct rop_fixture *f = *state;
    static const char *const wrong[] = {
        "",
        "02",
        "0000",
        "0100",
        "FFFF",
        "0800 0100",                               /* RopSize */
        "0200 FFFFFF",                             /* three bytes of handle table */
        "0A00 0700 00 0000 00",                    /* RopGetPropertiesSpecific that ends early */
        "0F00 0700 00 0000 0100 FFFF 1F003700",    /* 65,535 tags, and one there */
        "0C00 0A00 00 FFFF FFFF 0000",             /* values of 64 KB */
        "1000 2B00 0001 00000000 02 2D00 01 FFFF", /* RopWriteStream of 64 KB */
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++)
        assert_int_equal(execute(f, wrapped(f, wrong[i], EXTENDED_LAST)), ecRpcFormat);
    assert_int_equal(execute(f, wrapped(f, "0200", EXTENDED_LAST)), ecNone);
}

static void headers_that_contradict_their_data_are_ecRpcFormat(void **state)
{
    struct rop_fixture *f = *state;
    static const char *const wrong[] = {
        "0000 0400 0200 0300 0200",                          /* Size and SizeActual */
        "0000 0400 FFFF FFFF 0200",                          /* 64 KB */
        "0100 0400 0200 0200 0200",                          /* Version */
        "0000 0000 0200 0200 0200",                          /* no last buffer */
        "0000 0400 0200 0200 0200 00",                       /* something behind it */
        "0000 0500 0200 0080 0200",                          /* compressed, but not so */
        "0000 0000 0200 0200 0200 0000 0400 0200 0200 0200", /* two, which were not announced */
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        struct blob in;
        assert_true(hex_parse(f->arena, wrong[i], &in));
        assert_int_equal(execute(f, in), ecRpcFormat);
    }
}

/* [MS-OXCRPC] 3.1.4.2: cbIn and pcbOut */
static void buffers_that_are_too_small_or_too_large_fail_as_the_RPC_would(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob empty = wrapped(f, "0200", EXTENDED_LAST);
    const uint8_t *large = talloc_zero_size(f->arena, EXECUTE_IN_MAX + 1);
    assert_int_equal(execute(f, BLOB_OF(large, EXECUTE_IN_MAX + 1)), ecBadStubData);
    assert_int_equal(execute(f, BLOB_OF(empty.data, 7)), ecRpcFailed);
    f->out_max = 7;
    assert_int_equal(execute(f, empty), ecRpcFailed);
    f->out_max = EXECUTE_OUT_MAX + 1;
    assert_int_equal(execute(f, empty), ecBadStubData);
    f->out_max = 10;
    assert_int_equal(execute(f, empty), ecNone);
}

static void a_read_of_more_than_2_GB_fails_the_whole_call(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    ADD(b, ReadStream, rop_batch_handle(b, f->logon), 0, .ByteCount = 0xBABE, .MaximumByteCount = 0x80000001);
    assert_int_equal(rop_batch_run(b), ecRpcFormat); /* MS-OXCROPS_R321501 */
    b = rop_batch(f);
    ADD(b, ReadStream, rop_batch_handle(b, f->logon), 0, .ByteCount = 0xBABE, .MaximumByteCount = 0x80000000);
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "ReadStream", NULL, 0).code, (uint32_t)ecNotSupported);
}

static void noise_never_harms_the_session(void **state)
{
    struct rop_fixture *f = *state;
    uint32_t seed = 1;
    for (unsigned round = 0; round < 3000; round++) {
        TALLOC_CTX *kept = f->arena;
        f->arena = talloc_new(f);
        struct rop_batch *b = rop_batch(f);
        rop_batch_handle(b, f->logon);
        rop_batch_handle(b, rop_folder(f, STORE_FID(SPECIAL_INBOX)));
        const unsigned size = 3 + round % 60;
        for (unsigned i = 0; i < size; i++) {
            seed = seed * 1664525u + 1013904223u;
            uint8_t byte = (uint8_t)(seed >> 24);
            if (i % 3 && seed & 0x100)
                byte &= 3; /* small numbers reach further */
            buf_add(&b->list, &byte, 1);
        }
        const enum ec ec = rop_batch_run(b);
        assert_true(ec == ecNone || ec == ecRpcFormat || ec == ecBufferTooSmall);
        if (!session_find_logon(f->session, 0)) /* the noise has released it */
            f->logon = RUN(f, Logon, NONE, .LogonFlags = 1, .EssdnSize = 1, .Essdn = f->alice->legacy_dn).handle;
        talloc_free(f->arena);
        f->arena = kept;
    }
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNone);
}

/* ---- space ---- */

static const uint32_t receive_columns[] = { PidTagFolderId, PROP_AS(PidTagMessageClass, PtypString8),
                                            PidTagLastModificationTime };

static bool is_too_small(struct rop_batch *b, struct RopBufferTooSmall *out)
{
    if (wire_left(&b->answers) == 0 || *b->answers.at != 0xFF)
        return false;
    wire_get_uint(&b->answers, 1);
    assert_true(wire_get(&b->answers, &RopBufferTooSmall_wire, out)); /* takes the rest of the list */
    return true;
}

static void what_does_not_fit_is_given_back_unprocessed(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    struct RopBufferTooSmall too_small;
    ADD(b, GetReceiveFolderTable, rop_batch_handle(b, f->logon), 0);
    const size_t first = b->list.size;
    add_create_folder(b, rop_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE)), "Later");
    f->out_max = 8;
    while (rop_batch_run(b) == ecBufferTooSmall || is_too_small(b, &too_small))
        f->out_max++; /* until the first one fits */
    assert_int_equal(rop_batch_next(b, "GetReceiveFolderTable", receive_columns, 3).code, ecNone);
    assert_true(is_too_small(b, &too_small));
    assert_true(blob_equal(too_small.RequestBuffers, BLOB_OF(b->list.data + first, b->list.size - first)));
    assert_true(too_small.SizeNeeded > f->out_max);
    f->out_max = too_small.SizeNeeded;
    assert_false(folder_exists(f, "Later")); /* MS-OXCROPS_R4545 */
}

static void no_answer_is_longer_than_the_client_allows(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t tags[] = { PidTagDisplayName, PidTagEntryId, PidTagMessageSize };
    for (f->out_max = 8; f->out_max < 400; f->out_max++) { /* the fixture looks at the size */
        struct rop_batch *b = rop_batch(f);
        const uint8_t logon = rop_batch_handle(b, f->logon), inbox = free_slot(b);
        ADD(b, OpenFolder, logon, inbox, .FolderId = STORE_FID(SPECIAL_INBOX));
        ADD(b, GetPropertiesAll, inbox, 0, .WantUnicode = true);
        ADD(b, GetPropertiesSpecific, inbox, 0, .PropertyTagCount = 3, .PropertyTags = tags);
        ADD(b, GetReceiveFolderTable, logon, 0);
        ADD(b, Release, inbox, 0);
        const enum ec ec = rop_batch_run(b);
        assert_true(ec == ecNone || ec == ecBufferTooSmall);
    }
    f->out_max = EXECUTE_OUT_MAX;
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNone);
}

static void an_answer_that_no_buffer_can_hold_fails_the_call_instead_of_coming_back_for_ever(void **state)
{
    struct rop_fixture *f = *state;
    enum { COUNT = 3900 };
    struct prop *values = talloc_array(f->arena, struct prop, COUNT);
    for (unsigned i = 0; i < COUNT; i++)
        values[i] = P_I32(PidTagContentCount, i); /* computed: ten bytes of problem each */
    const uint32_t inbox = rop_folder(f, STORE_FID(SPECIAL_INBOX));
    struct rop_batch *b = rop_batch(f);
    ADD(b, SetProperties, rop_batch_handle(b, inbox), 0, .PropertyValueCount = COUNT, .PropertyValues = values);
    assert_int_equal(rop_batch_run(b), ecBufferTooSmall); /* MS-OXCROPS_R454509 */
    CODE(RUN(f, GetContentsTable, inbox), ecNone);
}

/* ---- compression, obfuscation, chaining ---- */

static void answers_are_compressed_and_obfuscated_unless_the_client_says_no(void **state)
{
    struct rop_fixture *f = *state;
    static const unsigned forms[] = { EXTENDED_COMPRESSED | EXTENDED_XOR, EXTENDED_XOR, EXTENDED_COMPRESSED, 0 };
    struct rop_batch *b = rop_batch(f);
    const uint8_t logon = rop_batch_handle(b, f->logon);
    for (unsigned i = 0; i < 40; i++)
        ADD(b, GetReceiveFolderTable, logon, 0);
    struct buf payload;
    buf_init(&payload, f->arena);
    put_le16(buf_grow(&payload, 2), (uint16_t)(b->list.size + 2));
    buf_add(&payload, b->list.data, b->list.size);
    put_le32(buf_grow(&payload, 4), f->logon);
    for (unsigned i = 0; i < COUNTOF(forms); i++) {
        struct buf in, out;
        struct blob *payloads;
        uint32_t count;
        buf_init(&in, f->arena);
        buf_init(&out, f->arena);
        extended_put(&in, buf_blob(&payload), EXTENDED_LAST | forms[COUNTOF(forms) - 1 - i]); /* every form is read */
        f->flags = (forms[i] & EXTENDED_COMPRESSED ? 0 : EXECUTE_NO_COMPRESSION) |
                   (forms[i] & EXTENDED_XOR ? 0 : EXECUTE_NO_XOR);
        assert_int_equal(rop_fixture_execute(f, buf_blob(&in), &out), ecNone);
        assert_int_equal(le16(out.data + 2), EXTENDED_LAST | forms[i]); /* MS-OXCRPC_R779, R780, R783 */
        assert_true(extended_get(f->arena, buf_blob(&out), &payloads, &count));
        assert_int_equal(count, 1);
    }
}

/* Forty messages, of which each row takes five kilobytes. */
static uint32_t wide_table(struct rop_fixture *f, const uint32_t *columns, uint16_t count)
{
    char *subject = talloc_zero_size(f->arena, 256);
    memset(subject, 's', 255);
    const uint32_t inbox = rop_folder(f, STORE_FID(SPECIAL_INBOX));
    for (unsigned i = 0; i < 40; i++)
        rop_message(f, STORE_FID(SPECIAL_INBOX), subject);
    const uint32_t table = RUN(f, GetContentsTable, inbox).handle;
    CODE(RUN(f, SetColumns, table, .PropertyTagCount = count, .PropertyTags = columns), ecNone);
    return table;
}

static unsigned rows_in_payloads(struct rop_batch *b, const uint32_t *columns, uint32_t count)
{
    unsigned rows = 0;
    for (uint32_t i = 0; i < b->payload_count; i++) {
        rop_batch_payload(b, i);
        const struct rop_response r = rop_batch_next(b, "QueryRows", columns, count);
        assert_int_equal(r.code, ecNone);
        rows += ((const struct RopQueryRowsResponse *)r.body)->RowCount;
    }
    return rows;
}

static void rows_go_on_in_chained_buffers_until_there_are_as_many_as_asked_for(void **state)
{
    struct rop_fixture *f = *state;
    uint32_t columns[10];
    for (unsigned i = 0; i < COUNTOF(columns); i++)
        columns[i] = PidTagSubject;
    const uint32_t table = wide_table(f, columns, COUNTOF(columns));
    struct rop_batch *b = rop_batch(f);
    ADD(b, QueryRows, rop_batch_handle(b, table), 0, .ForwardRead = true, .RowCount = 25);
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(b->payload_count, 1); /* not without the flag */
    assert_true(rows_in_payloads(b, columns, COUNTOF(columns)) < 10);
    CODE(RUN(f, SeekRow, table, .Origin = BOOKMARK_BEGINNING), ecNone);

    f->flags = EXECUTE_CHAIN;
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_true(b->payload_count > 3);
    assert_int_equal(rows_in_payloads(b, columns, COUNTOF(columns)), 25); /* MS-OXCRPC_R972, R973 */

    CODE(RUN(f, SeekRow, table, .Origin = BOOKMARK_BEGINNING), ecNone);
    f->out_max = 0x10008;
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(b->payload_count, 2); /* MS-OXCRPC_R968: then less than 32 KB are left */
}

static void rows_without_advance_are_not_chained(void **state)
{
    struct rop_fixture *f = *state;
    uint32_t columns[10];
    for (unsigned i = 0; i < COUNTOF(columns); i++)
        columns[i] = PidTagSubject;
    struct rop_batch *b = rop_batch(f);
    ADD(b, QueryRows, rop_batch_handle(b, wide_table(f, columns, COUNTOF(columns))), 0, .QueryRowsFlags = 1,
        .ForwardRead = true, .RowCount = 25);
    f->flags = EXECUTE_CHAIN;
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(b->payload_count, 1);
}

static uint32_t long_stream(struct rop_fixture *f, size_t size)
{
    const uint32_t message =
        rop_open_message(f, STORE_FID(SPECIAL_INBOX), rop_message(f, STORE_FID(SPECIAL_INBOX), "s"), 1);
    const uint32_t stream = RUN(f, OpenStream, message, .PropertyTag = PidTagHtml, .OpenModeFlags = 2).handle;
    uint8_t *bytes = talloc_size(f->arena, 16000);
    for (size_t i = 0; i < 16000; i++)
        bytes[i] = (uint8_t)(i * 7);
    for (size_t at = 0; at < size; at += 16000) {
        const size_t n = MIN(size - at, 16000);
        CODE(RUN(f, WriteStream, stream, .DataSize = (uint16_t)n, .Data = BLOB_OF(bytes, n)), ecNone);
    }
    CODE(RUN(f, SeekStream, stream, .Origin = 0, .Offset = 0), ecNone);
    return stream;
}

static size_t bytes_read(struct rop_fixture *f, uint32_t stream, uint32_t count, uint32_t *payloads)
{
    struct rop_batch *b = rop_batch(f);
    ADD(b, ReadStream, rop_batch_handle(b, stream), 0, .ByteCount = 0xBABE, .MaximumByteCount = count);
    assert_int_equal(rop_batch_run(b), ecNone);
    size_t bytes = 0;
    for (uint32_t i = 0; i < b->payload_count; i++) {
        rop_batch_payload(b, i);
        const struct rop_response r = rop_batch_next(b, "ReadStream", NULL, 0);
        assert_int_equal(r.code, ecNone);
        bytes += ((const struct RopReadStreamResponse *)r.body)->DataSize;
    }
    *payloads = b->payload_count;
    return bytes;
}

static void a_stream_goes_on_in_chained_buffers_but_never_beyond_what_was_asked_for(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t stream = long_stream(f, 150000);
    uint32_t payloads;
    assert_in_range(bytes_read(f, stream, 70000, &payloads), 32000, 32768);
    f->flags = EXECUTE_CHAIN;
    assert_int_equal(bytes_read(f, stream, 70000, &payloads), 70000); /* MS-OXCRPC_R972, R1280 */
    assert_int_equal(payloads, 3);
    assert_in_range(bytes_read(f, stream, 0x7FFFFFFF, &payloads), 150000 - 70000 - 32768, 150000 - 70000 - 32000);
    assert_int_equal(payloads, 2); /* the second tells that it is the end */
    assert_int_equal(bytes_read(f, stream, 10, &payloads), 0);
    assert_int_equal(payloads, 1);
}

static void at_most_96_buffers_are_chained(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t stream = long_stream(f, 400000);
    uint32_t payloads;
    f->flags = EXECUTE_CHAIN;
    assert_true(bytes_read(f, stream, 400000, &payloads) > 240000);
    assert_in_range(payloads, 8, 96); /* MS-OXCRPC_R969 */
}

/* ---- notifications behind the answers ---- */

static void subscribe(struct rop_fixture *f)
{
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = 0x00FE, .WantWholeStore = true), ecNone);
}

static void notifications_stand_behind_the_answers(void **state)
{
    struct rop_fixture *f = *state;
    subscribe(f);
    rop_message(f, STORE_FID(SPECIAL_INBOX), "news");
    rop_poll(f); /* MS-OXCNOTIF_R337 */
    assert_non_null(f->notifications);
    assert_false(f->pending);
}

static void make_folders(struct rop_fixture *f, unsigned count)
{
    struct rop_fixture *other = rop_second_session(f);
    const uint32_t top = rop_folder(other, STORE_FID(SPECIAL_IPM_SUBTREE));
    for (unsigned i = 0; i < count; i++)
        CODE(RUN(other, CreateFolder, top, .FolderType = 1, .UseUnicodeStrings = true, .Comment = "",
                 .DisplayName = talloc_asprintf(other, "n%u", i)),
             ecNone);
}

static void what_does_not_fit_behind_the_answers_is_announced_as_pending(void **state)
{
    struct rop_fixture *f = *state;
    subscribe(f);
    make_folders(f, 20);
    f->out_max = 200;
    unsigned rounds = 0;
    do {
        rop_poll(f);
    } while (f->pending && ++rounds < 100); /* MS-OXCNOTIF_R349 */
    assert_in_range(rounds, 2, 50);
    unsigned created = 0;
    for (const struct notification_seen *n = f->notifications; n; n = n->next)
        created += (n->body.NotificationData.NotificationFlags & 0x0FFF) == STORE_CREATED;
    assert_int_equal(created, 20);
}

static void nothing_stands_behind_RopBufferTooSmall(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    struct RopBufferTooSmall too_small;
    const uint8_t logon = rop_batch_handle(b, f->logon);
    subscribe(f);
    make_folders(f, 1);
    for (unsigned i = 0; i < 20; i++)
        ADD(b, GetReceiveFolderTable, logon, 0);
    f->out_max = 1000;
    assert_int_equal(rop_batch_run(b), ecNone);
    unsigned done = 0;
    for (; !is_too_small(b, &too_small); done++)
        assert_int_equal(rop_batch_next(b, "GetReceiveFolderTable", receive_columns, 3).code, ecNone);
    assert_in_range(done, 1, 19);
    assert_int_equal(too_small.RequestBuffers.size, (20 - done) * (b->list.size / 20));
    f->out_max = EXECUTE_OUT_MAX;
    rop_poll(f);
    assert_non_null(f->notifications);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(responses_stand_in_the_order_of_the_requests_and_later_ones_use_what_earlier_ones_opened),
        ROP_TEST(a_ROP_that_fails_does_not_stop_the_others_and_leaves_its_slot_empty),
        ROP_TEST(an_index_beyond_the_handle_table_is_ecNullObject_as_input_and_grows_the_table_as_output),
        ROP_TEST(a_handle_belongs_to_its_logon),
        ROP_TEST(a_second_logon_with_the_same_id_releases_the_first_and_all_below),
        ROP_TEST(a_release_has_no_response_whatever_it_releases),
        ROP_TEST(a_session_has_so_many_handles_and_no_more),
        ROP_TEST(a_known_ROP_that_is_not_served_is_ecNotImplemented_and_the_list_goes_on),
        ROP_TEST(a_reserved_id_fails_the_whole_call_before_anything_happens),
        ROP_TEST(every_prefix_of_a_list_is_ecRpcFormat_unless_it_ends_between_two_ROPs),
        ROP_TEST(sizes_that_contradict_each_other_are_ecRpcFormat),
        ROP_TEST(headers_that_contradict_their_data_are_ecRpcFormat),
        ROP_TEST(buffers_that_are_too_small_or_too_large_fail_as_the_RPC_would),
        ROP_TEST(a_read_of_more_than_2_GB_fails_the_whole_call),
        ROP_TEST(noise_never_harms_the_session),
        ROP_TEST(what_does_not_fit_is_given_back_unprocessed),
        ROP_TEST(no_answer_is_longer_than_the_client_allows),
        ROP_TEST(an_answer_that_no_buffer_can_hold_fails_the_call_instead_of_coming_back_for_ever),
        ROP_TEST(answers_are_compressed_and_obfuscated_unless_the_client_says_no),
        ROP_TEST(rows_go_on_in_chained_buffers_until_there_are_as_many_as_asked_for),
        ROP_TEST(rows_without_advance_are_not_chained),
        ROP_TEST(a_stream_goes_on_in_chained_buffers_but_never_beyond_what_was_asked_for),
        ROP_TEST(at_most_96_buffers_are_chained),
        ROP_TEST(notifications_stand_behind_the_answers),
        ROP_TEST(what_does_not_fit_behind_the_answers_is_announced_as_pending),
        ROP_TEST(nothing_stands_behind_RopBufferTooSmall),
        ROP_TEST(values_of_many_messages_share_the_sessions_memory),
        ROP_TEST(a_stored_message_that_does_not_fit_is_not_opened),
        ROP_TEST(streams_share_the_sessions_memory),
        ROP_TEST(sorted_views_share_the_sessions_memory),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
