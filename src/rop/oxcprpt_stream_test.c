/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCPRPT] 3.2.5.11 to 3.2.5.24: one property as a stream. */
#include "rop/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { READ_ONLY = 0, READ_WRITE = 1, CREATE = 2, BEST = 3 };
enum { FROM_START = 0, FROM_CURRENT = 1, FROM_END = 2 };

struct opened {
    uint32_t handle, size;
};

static struct opened open_as(struct rop_fixture *f, uint32_t object, uint32_t tag, uint8_t mode)
{
    const struct rop_done done = RUN(f, OpenStream, object, .PropertyTag = tag, .OpenModeFlags = mode);
    CODE(done, ecNone);
    return (struct opened){ done.handle, ((const struct RopOpenStreamResponse *)done.response)->StreamSize };
}

static void write_text(struct rop_fixture *f, uint32_t stream, const char *text)
{
    const uint16_t size = (uint16_t)strlen(text);
    const struct rop_done done = RUN(f, WriteStream, stream, .DataSize = size, .Data = BLOB_OF(text, size));
    CODE(done, ecNone);
    assert_int_equal(((const struct RopWriteStreamResponse *)done.response)->WrittenSize, size);
}

static const char *read_text(struct rop_fixture *f, uint32_t stream, uint16_t count)
{
    const struct rop_done done = RUN(f, ReadStream, stream, .ByteCount = count);
    CODE(done, ecNone);
    const struct RopReadStreamResponse *r = done.response;
    assert_int_equal(r->DataSize, r->Data.size);
    return talloc_strndup(f->arena, (const char *)r->Data.data, r->Data.size);
}

static struct rop_done seek(struct rop_fixture *f, uint32_t stream, uint8_t origin, int64_t offset)
{
    return RUN(f, SeekStream, stream, .Origin = origin, .Offset = offset);
}

static uint32_t message(struct rop_fixture *f)
{
    const struct rop_done done = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    CODE(done, ecNone);
    return done.handle;
}

/* ---- opening ---- */

static void a_stream_begins_with_the_value_of_its_property(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_BIN(PidTagHtml, BLOB_OF("<html>", 6)));
    const struct opened s = open_as(f, m, PidTagHtml, READ_ONLY);
    assert_int_equal(s.size, 6);                                /* R547 */
    assert_string_equal(read_text(f, s.handle, 100), "<html>"); /* R546 */
    assert_string_equal(read_text(f, s.handle, 100), "");
}

static void text_is_a_stream_of_UTF_16(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_STR(PidTagBody, "aé"));
    const struct rop_done done = RUN(f, ReadStream, open_as(f, m, PidTagBody, READ_ONLY).handle, .ByteCount = 100);
    const struct RopReadStreamResponse *r = done.response;
    assert_true(r->DataSize == 4 || r->DataSize == 6);
    assert_memory_equal(r->Data.data, "a\0\xE9\0", 4);
}

static void text_in_8_bits_is_a_stream_in_the_code_page_of_the_message(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = RUN(f, CreateMessage, f->logon, .CodePageId = 1251, .FolderId = INBOX).handle;
    const uint32_t tag = PROP_AS(PidTagBody, PtypString8), s = open_as(f, m, tag, CREATE).handle;
    write_text(f, s, "\xC6\xE6");
    CODE(RUN(f, CommitStream, s), ecNone);
    assert_string_equal(rop_get(f, m, PidTagBody).str, "Жж");
    const char *read = read_text(f, open_as(f, m, tag, READ_ONLY).handle, 100);
    assert_memory_equal(read, "\xC6\xE6", 2);
}

static void a_property_that_is_not_there_must_be_created(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    CODE(RUN(f, OpenStream, m, .PropertyTag = PidTagHtml, .OpenModeFlags = READ_ONLY), ecNotFound); /* R549 */
    CODE(RUN(f, OpenStream, m, .PropertyTag = PidTagHtml, .OpenModeFlags = READ_WRITE), ecNotFound);
    assert_int_equal(open_as(f, m, PidTagHtml, CREATE).size, 0); /* R271, R272 */
    CODE(RUN(f, OpenStream, m, .PropertyTag = PidTagHtml, .OpenModeFlags = 4), ecInvalidParam);
    CODE(RUN(f, OpenStream, RUN(f, GetContentsTable, rop_folder(f, INBOX)).handle, .PropertyTag = PidTagHtml),
         ecNotSupported);
}

static void a_number_is_no_stream(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    const struct rop_done done = RUN(f, OpenStream, m, .PropertyTag = PidTagImportance, .OpenModeFlags = READ_ONLY);
    assert_int_not_equal(done.code, ecNone); /* R548 */
}

static void creating_throws_the_old_value_away(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_BIN(PidTagHtml, BLOB_OF("old and long", 12)));
    const uint32_t s = open_as(f, m, PidTagHtml, CREATE).handle;
    write_text(f, s, "new");
    CODE(RUN(f, CommitStream, s), ecNone); /* R571 */
    assert_int_equal(rop_get(f, m, PidTagHtml).bin.size, 3);
}

static void what_is_opened_for_reading_is_not_written(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    rop_set(f, m, P_BIN(PidTagHtml, BLOB_OF("html", 4)));
    const uint32_t s = open_as(f, m, PidTagHtml, READ_ONLY).handle;
    CODE(RUN(f, WriteStream, s, .DataSize = 1, .Data = BLOB_OF("x", 1)), ecStreamAccessDenied); /* R900, R267 */
    const struct rop_done size = RUN(f, SetStreamSize, s, .StreamSize = 1);
    assert_int_not_equal(size.code, ecNone);
    assert_int_equal(rop_get(f, m, PidTagHtml).bin.size, 4);
}

/* ---- reading, writing, seeking ---- */

static void the_pointer_moves_with_what_is_read_and_written(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t s = open_as(f, message(f), PidTagHtml, CREATE).handle;
    write_text(f, s, "abc");
    write_text(f, s, "def"); /* R560, R561 */
    CODE(seek(f, s, FROM_START, 1), ecNone);
    assert_string_equal(read_text(f, s, 2), "bc");    /* R552, R555 */
    assert_string_equal(read_text(f, s, 100), "def"); /* R556 */
    CODE(seek(f, s, FROM_END, -2), ecNone);
    assert_string_equal(read_text(f, s, 100), "ef");
    CODE(seek(f, s, FROM_START, 2), ecNone);
    CODE(seek(f, s, FROM_CURRENT, 1), ecNone); /* R581 */
    write_text(f, s, "X");
    CODE(seek(f, s, FROM_START, 0), ecNone);
    assert_string_equal(read_text(f, s, 100), "abcXef");
}

static void the_long_count_is_used_where_the_short_one_says_so(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t s = open_as(f, message(f), PidTagHtml, CREATE).handle;
    write_text(f, s, "abcdef");
    CODE(seek(f, s, FROM_START, 0), ecNone);
    const struct rop_done done = RUN(f, ReadStream, s, .ByteCount = 0xBABE, .MaximumByteCount = 4);
    assert_int_equal(((const struct RopReadStreamResponse *)done.response)->DataSize, 4); /* R55205 */
}

static void a_pointer_never_leaves_the_two_gigabytes(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t s = open_as(f, message(f), PidTagHtml, CREATE).handle;
    write_text(f, s, "abc");
    CODE(seek(f, s, FROM_START, 0x80000001LL), ecStreamSeekError); /* R582 */
    CODE(seek(f, s, FROM_START, -1), ecStreamSeekError);           /* R584 */
    CODE(seek(f, s, 3, 0), ecStreamInvalidParam);                  /* R902, R903 */
    CODE(seek(f, s, FROM_CURRENT, INT64_MAX), ecStreamSeekError);
    CODE(seek(f, s, FROM_END, INT64_MIN), ecStreamSeekError);
    CODE(RUN(f, SetStreamSize, s, .StreamSize = 0x80000001ULL), ecStreamSizeError);
    CODE(RUN(f, SetStreamSize, s, .StreamSize = UINT64_MAX), ecStreamSizeError);
    CODE(seek(f, s, FROM_START, 0x7FFFFFFFLL), ecNone);
    CODE(RUN(f, WriteStream, s, .DataSize = 1, .Data = BLOB_OF("x", 1)), ecTooBig); /* R564, R90102 */
    CODE(RUN(f, WriteStreamExtended, s, .DataSize = 1, .Data = BLOB_OF("x", 1)), ecTooBig);
    CODE(seek(f, s, FROM_START, 3), ecNone);
    const struct rop_done more = RUN(f, WriteStreamExtended, s, .DataSize = 2, .Data = BLOB_OF("de", 2));
    assert_int_equal(((const struct RopWriteStreamExtendedResponse *)more.response)->WrittenSize, 2); /* R900001 */
    CODE(RUN(f, SetStreamSize, s, .StreamSize = 3), ecNone);
    const struct rop_done size = RUN(f, GetStreamSize, s);
    assert_int_equal(((const struct RopGetStreamSizeResponse *)size.response)->StreamSize, 3); /* R575 */
}

static void beyond_the_end_there_are_zeros(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f), s = open_as(f, m, PidTagHtml, CREATE).handle;
    write_text(f, s, "abc");
    const struct rop_done done = seek(f, s, FROM_END, 2);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopSeekStreamResponse *)done.response)->NewPosition, 5);
    write_text(f, s, "x");                                   /* R583 */
    CODE(RUN(f, SetStreamSize, s, .StreamSize = 8), ecNone); /* R57705 */
    CODE(RUN(f, CommitStream, s), ecNone);
    const struct prop value = rop_get(f, m, PidTagHtml);
    assert_int_equal(value.bin.size, 8);
    assert_memory_equal(value.bin.data, "abc\0\0x\0\0", 8); /* R57706 */
    CODE(RUN(f, SetStreamSize, s, .StreamSize = 2), ecNone);
    CODE(seek(f, s, FROM_START, 0), ecNone);
    assert_string_equal(read_text(f, s, 100), "ab"); /* R57707 */
}

/* ---- when it is kept ---- */

static void a_message_keeps_the_stream_with_its_save(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    const uint32_t m = rop_open_message(f, INBOX, mid, 1), s = open_as(f, m, PidTagHtml, CREATE).handle;
    write_text(f, s, "<b>");
    CODE(RUN(f, CommitStream, s), ecNone);
    CODE(RUN(f, OpenStream, rop_open_message(f, INBOX, mid, 0), .PropertyTag = PidTagHtml), ecNotFound); /* R56402 */
    rop_save(f, m);
    assert_string_equal(read_text(f, open_as(f, rop_open_message(f, INBOX, mid, 0), PidTagHtml, READ_ONLY).handle, 9),
                        "<b>"); /* R56403 */
}

static void what_is_written_is_read_from_the_same_message_when_the_stream_is_released(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f), s = open_as(f, m, PidTagHtml, CREATE).handle;
    write_text(f, s, "<i>");
    RUN(f, Release, s);
    assert_memory_equal(rop_get(f, m, PidTagHtml).bin.data, "<i>", 3); /* R56401 */
}

static void an_attachment_keeps_the_stream_when_it_and_its_message_are_saved(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f), a = RUN(f, CreateAttachment, m).handle;
    const uint32_t s = open_as(f, a, PidTagAttachDataBinary, CREATE).handle;
    write_text(f, s, "a file");
    CODE(RUN(f, CommitStream, s), ecNone);
    CODE(RUN(f, SaveChangesAttachment, a), ecNone);
    const uint32_t again = rop_open_message(f, INBOX, rop_save(f, m), 0);
    const uint32_t opened = RUN(f, OpenAttachment, again, .AttachmentID = 0).handle;
    assert_string_equal(read_text(f, open_as(f, opened, PidTagAttachDataBinary, READ_ONLY).handle, 99),
                        "a file"); /* R56404 */
}

static void a_folder_keeps_the_stream_at_its_commit_or_release(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX), s = open_as(f, inbox, 0x85100102, CREATE).handle;
    write_text(f, s, "one");
    CODE(RUN(f, CommitStream, s), ecNone);
    assert_memory_equal(rop_get(f, rop_folder(f, INBOX), 0x85100102).bin.data, "one", 3); /* R56405 */
    write_text(f, s, "two");
    RUN(f, Release, s);
    assert_memory_equal(rop_get(f, rop_folder(f, INBOX), 0x85100102).bin.data, "onetwo", 6);
}

static void writing_and_committing_is_one_step(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f), s = open_as(f, m, PidTagHtml, CREATE).handle;
    const struct rop_done done = RUN(f, WriteAndCommitStream, s, .DataSize = 3, .Data = BLOB_OF("now", 3));
    CODE(done, ecNone); /* R805, R812 */
    assert_int_equal(((const struct RopWriteAndCommitStreamResponse *)done.response)->WrittenSize, 3);
    assert_memory_equal(rop_get(f, m, PidTagHtml).bin.data, "now", 3);
}

/* ---- copying ---- */

static void streams_are_copied_from_pointer_to_pointer(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = message(f);
    const uint32_t from = open_as(f, m, PidTagHtml, CREATE).handle,
                   to = open_as(f, m, PidTagRtfCompressed, CREATE).handle;
    write_text(f, from, "abcdef");
    write_text(f, to, "12");
    CODE(seek(f, from, FROM_START, 1), ecNone);
    struct rop_done done = RUN_TO(f, CopyToStream, from, to, .ByteCount = 3);
    CODE(done, ecNone);
    const struct RopCopyToStreamResponse *r = done.response;
    assert_int_equal(r->ReadByteCount, 3); /* R592 */
    assert_int_equal(r->WrittenByteCount, 3);
    assert_string_equal(read_text(f, from, 9), "ef"); /* R591 */
    CODE(seek(f, to, FROM_START, 0), ecNone);
    assert_string_equal(read_text(f, to, 9), "12bcd");
    CODE(seek(f, from, FROM_START, 0), ecNone);
    done = RUN_TO(f, CopyToStream, from, to, .ByteCount = UINT64_MAX);
    assert_int_equal(((const struct RopCopyToStreamResponse *)done.response)->ReadByteCount, 6);
    done = RUN_TO(f, CopyToStream, from, 0xFFFFFFFF, .ByteCount = 1);
    assert_int_equal(done.code, ecDstNullObject); /* R593 */
    assert_int_equal(((const struct RopCopyToStreamFailure *)done.response)->DestHandleIndex, 1);
}

static void a_stream_copied_onto_itself_comes_to_an_end(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t s = open_as(f, message(f), PidTagHtml, CREATE).handle;
    write_text(f, s, "abc");
    CODE(seek(f, s, FROM_START, 0), ecNone);
    CODE(RUN_TO(f, CopyToStream, s, s, .ByteCount = UINT64_MAX), ecNone);
    assert_in_range(((const struct RopGetStreamSizeResponse *)RUN(f, GetStreamSize, s).response)->StreamSize, 3, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_stream_begins_with_the_value_of_its_property),
        ROP_TEST(text_is_a_stream_of_UTF_16),
        ROP_TEST(text_in_8_bits_is_a_stream_in_the_code_page_of_the_message),
        ROP_TEST(a_property_that_is_not_there_must_be_created),
        ROP_TEST(a_number_is_no_stream),
        ROP_TEST(creating_throws_the_old_value_away),
        ROP_TEST(what_is_opened_for_reading_is_not_written),
        ROP_TEST(the_pointer_moves_with_what_is_read_and_written),
        ROP_TEST(the_long_count_is_used_where_the_short_one_says_so),
        ROP_TEST(a_pointer_never_leaves_the_two_gigabytes),
        ROP_TEST(beyond_the_end_there_are_zeros),
        ROP_TEST(a_message_keeps_the_stream_with_its_save),
        ROP_TEST(what_is_written_is_read_from_the_same_message_when_the_stream_is_released),
        ROP_TEST(an_attachment_keeps_the_stream_when_it_and_its_message_are_saved),
        ROP_TEST(a_folder_keeps_the_stream_at_its_commit_or_release),
        ROP_TEST(writing_and_committing_is_one_step),
        ROP_TEST(streams_are_copied_from_pointer_to_pointer),
        ROP_TEST(a_stream_copied_onto_itself_comes_to_an_end),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
