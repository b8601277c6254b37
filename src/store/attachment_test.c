/* SPDX-License-Identifier: Apache-2.0 */
/* Attachments, embedded messages and streams: [MS-OXCMSG] 2.2.2, [MS-OXCPRPT] 2.2.14 and on. */
#include "store/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)

enum { LARGE = 300000 };

static struct store_message *new_message(struct store_fixture *f)
{
    struct store_message *m;
    OK(store_message_new(&m, f->arena, f->store, INBOX, false));
    return m;
}

static uint64_t save(struct store_message *m)
{
    uint64_t mid;
    OK(store_message_save(m, false, &mid));
    return mid;
}

static struct store_attachment *new_attachment(struct store_fixture *f, struct store_message *m, const char *name)
{
    struct store_attachment *a;
    uint32_t number;
    enum ec result;
    const struct prop p = P_STR(PidTagAttachLongFilename, name);
    OK(store_attachment_new(&a, f->arena, m, &number));
    OK(store_attachment_set(a, &p, 1, &result));
    OK(result);
    return a;
}

static struct prop get(struct store_fixture *f, struct store_attachment *a, uint32_t tag)
{
    struct prop p;
    OK(store_attachment_get(f->arena, a, &tag, 1, STORE_VALUE_LIMIT, &p));
    return p;
}

static struct store_attachment *open_attachment(struct store_fixture *f, struct store_message *m, uint32_t number)
{
    struct store_attachment *a;
    OK(store_attachment_open(&a, f->arena, m, number, MESSAGE_READWRITE));
    return a;
}

static uint32_t count_of(struct store_fixture *f, struct store_message *m)
{
    const uint32_t *numbers;
    uint32_t count;
    OK(store_attachments(f->arena, m, &numbers, &count));
    return count;
}

static void fill(uint8_t *bytes, size_t size, unsigned seed)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)((i * 31 + seed) ^ i >> 8);
}

static void write_all(struct store_stream *s, struct blob bytes, uint32_t piece)
{
    for (size_t at = 0; at < bytes.size;) {
        uint32_t written;
        OK(store_stream_write(s, BLOB_OF(bytes.data + at, MIN(bytes.size - at, (size_t)piece)), &written));
        at += written;
    }
}

static struct blob read_all(struct store_fixture *f, struct store_stream *s, uint32_t piece)
{
    struct buf all;
    struct blob part;
    buf_init(&all, f->arena);
    do {
        OK(store_stream_read(f->arena, s, piece, &part));
        buf_add(&all, part.data, part.size);
    } while (part.size);
    return buf_blob(&all);
}

static struct blob read_value(struct store_fixture *f, struct store_message *m, uint32_t tag)
{
    struct store_stream *s;
    OK(store_stream_of_message(&s, f->arena, m, tag, STREAM_READ));
    const struct blob all = read_all(f, s, 4096);
    talloc_free(s);
    return all;
}

/* ---- attachments ---- */

static void a_new_attachment_has_the_defaults(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "a.txt");
    assert_int_equal(get(f, a, PidTagAttachNumber).u32, 0);                                         /* MS-OXCMSG_R448 */
    assert_true(get(f, a, PidTagAttachSize).u32 >= 0x40);                                           /* R449 */
    assert_int_equal(get(f, a, PidTagAccessLevel).u32, 1);                                          /* R450 */
    assert_int_equal(get(f, a, PidTagRenderingPosition).u32, 0xFFFFFFFF);                           /* R451 */
    assert_int_equal(get(f, a, PidTagCreationTime).u64, get(f, a, PidTagLastModificationTime).u64); /* R453 */
    assert_int_equal(store_attachment_number(new_attachment(f, m, "b.txt")), 1);
}

static void an_attachment_is_in_the_message_when_both_are_saved(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "a.txt");
    enum ec result;
    const struct prop data = P_BIN(PidTagAttachDataBinary, BLOB_OF("contents", 8));
    OK(store_attachment_set(a, &data, 1, &result));
    assert_int_equal(count_of(f, m), 0);
    OK(store_attachment_save(a));
    assert_int_equal(count_of(f, m), 1);
    assert_true(fixture_prop(f, m, PidTagHasAttachments).b);
    const uint64_t mid = save(m);
    struct store_message *again = fixture_open(f, INBOX, mid);
    assert_true(fixture_prop(f, again, PidTagHasAttachments).b);
    assert_int_equal(fixture_prop(f, again, PidTagMessageFlags).u32 & 0x10, 0x10); /* R16 */
    struct store_attachment *b = open_attachment(f, again, 0);
    assert_string_equal(get(f, b, PidTagAttachLongFilename).str, "a.txt");
    assert_true(blob_equal(get(f, b, PidTagAttachDataBinary).bin, data.bin));
    EC(store_attachment_open(&b, f->arena, again, 1, MESSAGE_READONLY), ecNotFound); /* R440 */
}

static void what_was_not_saved_goes_with_its_parent(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "a.txt");
    const uint64_t mid = save(m);
    assert_int_equal(count_of(f, fixture_open(f, INBOX, mid)), 0);
    struct store_message *second = fixture_open(f, INBOX, mid);
    struct store_attachment *b = new_attachment(f, second, "b.txt");
    struct store_stream *s;
    OK(store_stream_of_attachment(&s, f->arena, b, PidTagAttachDataBinary, STREAM_CREATE));
    talloc_free(second);
    EC(store_attachment_save(b), ecInvalidObject);
    uint32_t written;
    OK(store_attachment_save(a));
    talloc_free(b);
    EC(store_stream_write(s, BLOB_OF("x", 1), &written), ecInvalidObject);
    talloc_free(s);
    talloc_free(m);
    talloc_free(a);
    assert_int_equal(count_of(f, fixture_open(f, INBOX, mid)), 0);
}

static void a_handle_stays_good_after_saves(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "a.txt");
    static uint8_t bytes[LARGE];
    enum ec result;
    for (unsigned round = 0; round < 4; round++) {
        fill(bytes, sizeof bytes, round);
        const struct prop data = P_BIN(PidTagAttachDataBinary, BLOB_OF(bytes, LARGE / (round + 1)));
        OK(store_attachment_set(a, &data, 1, &result));
        OK(store_attachment_save(a));
        save(m);
        struct store_message *again = fixture_open(f, INBOX, store_message_mid(m));
        struct prop p;
        const uint32_t tag = PidTagAttachDataBinary;
        OK(store_attachment_get(f->arena, open_attachment(f, again, 0), &tag, 1, SIZE_MAX, &p));
        assert_true(blob_equal(p.bin, data.bin));
        assert_int_equal(fixture_folder_prop(f, INBOX, PidTagMessageSize).u32,
                         fixture_prop(f, again, PidTagMessageSize).u32);
    }
    assert_int_equal(count_of(f, m), 1);
}

static void numbers_of_deleted_attachments_are_not_given_again(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    for (int i = 0; i < 3; i++)
        OK(store_attachment_save(new_attachment(f, m, "a.txt")));
    const uint64_t mid = save(m);
    m = fixture_open(f, INBOX, mid);
    EC(store_attachment_delete(m, 7), ecNotFound); /* R1063 */
    OK(store_attachment_delete(m, 2));
    OK(store_attachment_delete(m, 0));
    EC(store_attachment_delete(m, 0), ecNotFound);
    assert_int_equal(count_of(f, fixture_open(f, INBOX, mid)), 3); /* R1523 */
    save(m);
    assert_int_equal(count_of(f, fixture_open(f, INBOX, mid)), 1);
    m = fixture_open(f, INBOX, mid);
    assert_int_equal(store_attachment_number(new_attachment(f, m, "d.txt")), 3);
    OK(store_attachment_delete(m, 1));
    assert_false(fixture_prop(f, m, PidTagHasAttachments).b); /* R469 */
    save(m);
    assert_false(fixture_prop(f, fixture_open(f, INBOX, mid), PidTagHasAttachments).b);
}

static void hidden_attachments_do_not_count(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "picture.png");
    const struct prop hidden = P_BOOL(PidTagAttachmentHidden, true);
    enum ec result;
    OK(store_attachment_set(a, &hidden, 1, &result));
    OK(store_attachment_save(a));
    const uint64_t mid = save(m);
    assert_false(fixture_prop(f, fixture_open(f, INBOX, mid), PidTagHasAttachments).b);
}

static void a_forced_save_keeps_the_attachments_of_both(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    static uint8_t bytes[LARGE];
    enum ec result;
    fill(bytes, sizeof bytes, 5);
    const struct prop data = P_BIN(PidTagAttachDataBinary, BLOB_OF(bytes, LARGE));
    struct store_attachment *a = new_attachment(f, m, "a.txt");
    OK(store_attachment_set(a, &data, 1, &result));
    OK(store_attachment_save(a));
    const uint64_t mid = save(m);
    struct store_message *first = fixture_open(f, INBOX, mid), *second = fixture_open(f, INBOX, mid);
    struct store_attachment *of_second = open_attachment(f, second, 0), *of_first = open_attachment(f, first, 0);
    bytes[0] = 0xFF;
    OK(store_attachment_set(of_first, &data, 1, &result));
    OK(store_attachment_save(of_first));
    save(first);
    const struct prop name = P_STR(PidTagAttachLongFilename, "b.txt");
    OK(store_attachment_set(of_second, &name, 1, &result));
    OK(store_attachment_save(of_second));
    EC(store_message_save(second, false, NULL), ecObjectModified);
    OK(store_message_save(second, true, NULL));
    struct store_attachment *now = open_attachment(f, fixture_open(f, INBOX, mid), 0);
    assert_string_equal(get(f, now, PidTagAttachLongFilename).str, "b.txt");
    struct prop p;
    const uint32_t tag = PidTagAttachDataBinary;
    OK(store_attachment_get(f->arena, now, &tag, 1, SIZE_MAX, &p));
    assert_true(blob_equal(p.bin, data.bin));
}

/* ---- embedded messages ---- */

static struct store_message *embed(struct store_fixture *f, struct store_attachment *a, const char *subject)
{
    struct store_message *e;
    OK(store_embedded_open(&e, f->arena, a, MESSAGE_READWRITE, true));
    OK(fixture_set(e, P_STR(PidTagSubject, subject)));
    return e;
}

static void an_embedded_message_is_saved_from_the_inside_out(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "mail"), *inner_a;
    struct store_message *e, *inner, *none;
    EC(store_embedded_open(&none, f->arena, a, MESSAGE_READWRITE, false), ecNotFound);
    e = embed(f, a, "inside");
    static uint8_t bytes[LARGE];
    fill(bytes, sizeof bytes, 1);
    OK(fixture_set(e, P_BIN(PidTagHtml, BLOB_OF(bytes, LARGE))));
    inner_a = new_attachment(f, e, "mail in mail");
    inner = embed(f, inner_a, "innermost");
    OK(store_message_save(inner, false, NULL));
    OK(store_attachment_save(inner_a));
    OK(store_message_save(e, false, NULL)); /* MS-OXCMSG_R481 */
    OK(store_attachment_save(a));
    const uint64_t mid = save(m);
    assert_int_equal(fixture_row(f, INBOX).total, 1);
    m = fixture_open(f, INBOX, mid);
    a = open_attachment(f, m, 0);
    assert_int_equal(get(f, a, PidTagAttachMethod).u32, 5);
    OK(store_embedded_open(&e, f->arena, a, MESSAGE_READONLY, false));
    assert_string_equal(fixture_prop(f, e, PidTagSubject).str, "inside");
    assert_true(blob_equal(read_value(f, e, PidTagHtml), BLOB_OF(bytes, LARGE)));
    assert_true(fixture_prop(f, e, PidTagHasAttachments).b);
    OK(store_attachment_open(&inner_a, f->arena, e, 0, MESSAGE_READONLY));
    OK(store_embedded_open(&inner, f->arena, inner_a, MESSAGE_READONLY, false));
    assert_string_equal(fixture_prop(f, inner, PidTagSubject).str, "innermost");
    assert_true(fixture_prop(f, m, PidTagMessageSize).u32 > LARGE);
    EC(store_message_open(&none, f->arena, f->store, INBOX, store_message_mid(e), MESSAGE_READONLY), ecNotFound);
}

static void an_embedded_message_changes_with_the_message_around_it(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f), *e;
    struct store_attachment *a = new_attachment(f, m, "mail");
    e = embed(f, a, "first");
    for (int i = 0; i < 3; i++) { /* the same handles again and again */
        OK(fixture_set(e, P_I32(PidTagImportance, i)));
        OK(store_message_save(e, false, NULL));
        OK(store_attachment_save(a));
        save(m);
    }
    m = fixture_open(f, INBOX, store_message_mid(m));
    a = open_attachment(f, m, 0);
    OK(store_embedded_open(&e, f->arena, a, MESSAGE_READWRITE, false));
    assert_int_equal(fixture_prop(f, e, PidTagImportance).u32, 2);
    OK(fixture_set(e, P_STR(PidTagSubject, "second")));
    OK(store_message_save(e, false, NULL));
    save(m); /* the attachment was not saved */
    struct store_message *now;
    OK(store_embedded_open(&now, f->arena, open_attachment(f, fixture_open(f, INBOX, store_message_mid(m)), 0),
                           MESSAGE_READONLY, false));
    assert_string_equal(fixture_prop(f, now, PidTagSubject).str, "first");
    OK(store_attachment_save(a));
    save(m);
    OK(store_embedded_open(&now, f->arena, open_attachment(f, fixture_open(f, INBOX, store_message_mid(m)), 0),
                           MESSAGE_READONLY, false));
    assert_string_equal(fixture_prop(f, now, PidTagSubject).str, "second");
}

static void copies_have_all_attachments_and_deletion_leaves_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f), *e;
    struct store_attachment *a = new_attachment(f, m, "mail");
    static uint8_t bytes[LARGE];
    fill(bytes, sizeof bytes, 9);
    e = embed(f, a, "inside");
    OK(fixture_set(e, P_BIN(PidTagHtml, BLOB_OF(bytes, LARGE))));
    OK(store_message_save(e, false, NULL));
    OK(store_attachment_save(a));
    const uint64_t mid = save(m);
    uint64_t copy;
    bool partial;
    OK(store_messages_move(f->store, INBOX, INBOX, &mid, 1, true, &copy, &partial));
    struct store_message *to = new_message(f);
    OK(store_message_copy(to, m, NULL, 0, true, true, false, NULL));
    const uint64_t third = save(to);
    OK(store_messages_delete(f->store, INBOX, &mid, 1, true, &partial));
    const uint64_t copies[] = { copy, third };
    for (size_t i = 0; i < COUNTOF(copies); i++) {
        OK(store_embedded_open(&e, f->arena, open_attachment(f, fixture_open(f, INBOX, copies[i]), 0), MESSAGE_READONLY,
                               false));
        assert_string_equal(fixture_prop(f, e, PidTagSubject).str, "inside");
        assert_true(blob_equal(read_value(f, e, PidTagHtml), BLOB_OF(bytes, LARGE)));
    }
    OK(store_messages_delete(f->store, INBOX, copies, 2, true, &partial));
    assert_int_equal(fixture_rows(f, "message") + fixture_rows(f, "attachment") + fixture_rows(f, "value"), 0);
}

static void messages_are_nested_only_so_deep(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *levels[40] = { new_message(f) };
    struct store_attachment *handles[40];
    for (int i = 1; i < 40; i++) {
        handles[i] = new_attachment(f, levels[i - 1], "mail");
        levels[i] = embed(f, handles[i], "level");
    }
    enum ec ec = ecNone;
    for (int i = 39; i > 0 && !ec; i--) {
        ec = store_message_save(levels[i], false, NULL);
        if (!ec)
            OK(store_attachment_save(handles[i]));
    }
    EC(ec, ecTooComplex);
}

/* Each round would double what is inside: thirty of them were a thousand million messages. */
static void a_message_cannot_be_copied_into_itself_without_end(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *handles[2];
    struct store_message *inside[2];
    enum ec ec = ecNone, results[1];
    unsigned rounds = 0;
    for (int i = 0; i < 2; i++) {
        handles[i] = new_attachment(f, m, "mail");
        inside[i] = embed(f, handles[i], "inside");
        OK(store_message_save(inside[i], false, NULL));
        OK(store_attachment_save(handles[i]));
    }
    for (; !ec && rounds < 30; rounds++)
        for (int i = 0; i < 2 && !ec; i++) {
            OK(store_attachment_open(&handles[i], f->arena, m, (uint32_t)i, MESSAGE_READWRITE));
            OK(store_embedded_open(&inside[i], f->arena, handles[i], MESSAGE_READWRITE, false));
            ec = store_message_copy(inside[i], m, NULL, 0, true, true, false, results);
            if (!ec)
                ec = store_message_save(inside[i], false, NULL);
            if (!ec)
                OK(store_attachment_save(handles[i]));
        }
    EC(ec, ecTooComplex);
    assert_in_range(rounds, 3, 12);
    save(m);
}

static void a_message_has_so_many_attachments(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *handles[1100];
    uint32_t number;
    enum ec ec = ecNone;
    for (unsigned i = 0; i < COUNTOF(handles); i++)
        OK(store_attachment_new(&handles[i], f->arena, m, &number));
    for (unsigned i = 0; i < COUNTOF(handles) && !ec; i++)
        ec = store_attachment_save(handles[i]);
    EC(ec, ecMaxAttachmentExceeded);
    assert_int_equal(count_of(f, m), 1024);
    OK(store_attachment_save(handles[0]));
}

/* ---- streams ---- */

static void a_stream_writes_and_reads_in_pieces(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_attachment *a = new_attachment(f, m, "a.bin");
    struct store_stream *s;
    static uint8_t bytes[LARGE];
    fill(bytes, sizeof bytes, 3);
    EC(store_stream_of_attachment(&s, f->arena, a, PidTagAttachDataBinary, STREAM_READWRITE), ecNotFound);
    OK(store_stream_of_attachment(&s, f->arena, a, PidTagAttachDataBinary, STREAM_CREATE));
    write_all(s, BLOB_OF(bytes, LARGE), 7777);
    OK(store_stream_commit(s));
    talloc_free(s);
    OK(store_attachment_save(a));
    const uint64_t mid = save(m);
    a = open_attachment(f, fixture_open(f, INBOX, mid), 0);
    assert_int_equal(get(f, a, PidTagAttachDataBinary).u32, (uint32_t)ecNotEnoughMemory);
    OK(store_stream_of_attachment(&s, f->arena, a, PidTagAttachDataBinary, STREAM_READ));
    assert_int_equal(store_stream_size(s), LARGE);
    assert_true(blob_equal(read_all(f, s, 31000), BLOB_OF(bytes, LARGE)));
    uint64_t position;
    struct blob part;
    OK(store_stream_seek(s, 0, 65530, &position));
    OK(store_stream_read(f->arena, s, 100, &part)); /* over the border of two chunks */
    assert_memory_equal(part.data, bytes + 65530, 100);
    OK(store_stream_seek(s, 2, -5, &position));
    assert_int_equal(position, LARGE - 5);
    OK(store_stream_read(f->arena, s, 100, &part));
    assert_int_equal(part.size, 5);
    EC(store_stream_seek(s, 1, -LARGE - 1, &position), ecStreamSeekError);
    EC(store_stream_seek(s, 3, 0, &position), ecStreamInvalidParam);
    uint32_t written;
    EC(store_stream_write(s, BLOB_OF("x", 1), &written), ecStreamAccessDenied);
    EC(store_stream_resize(s, 1), ecStreamAccessDenied);
}

static void a_stored_value_is_changed_in_the_middle(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_stream *s;
    static uint8_t bytes[LARGE];
    uint64_t position;
    uint32_t written;
    fill(bytes, sizeof bytes, 4);
    OK(fixture_set(m, P_BIN(PidTagHtml, BLOB_OF(bytes, LARGE))));
    save(m);
    OK(store_stream_of_message(&s, f->arena, m, PidTagHtml, STREAM_READWRITE));
    OK(store_stream_seek(s, 0, 1000, &position));
    memcpy(bytes + 1000, "changed", 7);
    OK(store_stream_write(s, BLOB_OF("changed", 7), &written));
    EC(store_stream_resize(s, 0x80000000u), ecStreamSizeError);
    EC(store_stream_resize(s, 0x10000001), ecStreamSizeError);
    OK(store_stream_resize(s, LARGE - 10));
    talloc_free(s); /* commits */
    save(m);
    m = fixture_open(f, INBOX, store_message_mid(m));
    assert_true(blob_equal(read_value(f, m, PidTagHtml), BLOB_OF(bytes, LARGE - 10)));
    OK(store_stream_of_message(&s, f->arena, m, PidTagHtml, STREAM_CREATE));
    OK(store_stream_write(s, BLOB_OF("small", 5), &written));
    OK(store_stream_commit(s));
    OK(store_stream_write(s, BLOB_OF("er", 2), &written));
    assert_true(blob_equal(fixture_prop(f, m, PidTagHtml).bin, BLOB_OF("small", 5)));
    talloc_free(s);
    save(m);
    assert_true(blob_equal(fixture_prop(f, fixture_open(f, INBOX, store_message_mid(m)), PidTagHtml).bin,
                           BLOB_OF("smaller", 7)));
    assert_int_equal(fixture_rows(f, "value"), 0);
}

/* 3 bytes of UTF-8, 1 unit of UTF-16; and 4 bytes, 2 units: borders of pieces fall into characters. */
static char *long_text(struct store_fixture *f)
{
    struct buf text;
    buf_init(&text, f->arena);
    for (int i = 0; i < 40000; i++)
        buf_printf(&text, "%s", i % 3 == 0 ? "x" : i % 3 == 1 ? "€" : "😀");
    buf_add(&text, "", 1);
    return (char *)text.data;
}

static void text_streams_are_utf_16_however_long(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_stream *s;
    const char *text = long_text(f);
    const struct blob wide = utf16_of_utf8(f->arena, text);
    OK(store_stream_of_message(&s, f->arena, m, PidTagBody, STREAM_CREATE));
    write_all(s, wide, 30001);
    talloc_free(s);
    assert_int_equal(fixture_prop(f, m, PidTagNativeBody).u32, 1);
    assert_true(blob_equal(read_value(f, m, PidTagBody), wide)); /* before it is stored */
    const uint64_t mid = save(m);
    m = fixture_open(f, INBOX, mid);
    assert_string_equal(store_message_text(f->arena, m, PidTagBody), text);
    assert_true(blob_equal(read_value(f, m, PidTagBody), wide));
    OK(fixture_set(m, P_STR(PidTagBody, "grün")));
    OK(store_stream_of_message(&s, f->arena, m, PROP_AS(PidTagBody, PtypString8),
                               STREAM_READWRITE | STREAM_CODEPAGE(1252)));
    assert_true(blob_equal(read_all(f, s, 10), BLOB_OF("gr\xFCn", 4)));
    uint32_t written;
    OK(store_stream_write(s, BLOB_OF(" \xF6", 2), &written));
    talloc_free(s);
    assert_string_equal(fixture_prop(f, m, PidTagBody).str, "grün ö");
}

static void streams_of_properties_with_rules(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_stream *s;
    uint32_t written;
    OK(store_stream_of_message(&s, f->arena, m, PidTagSubject, STREAM_CREATE));
    OK(store_stream_write(s, utf16_of_utf8(f->arena, "RE: Hallo"), &written));
    talloc_free(s);
    assert_string_equal(fixture_prop(f, m, PidTagNormalizedSubject).str, "Hallo");
    assert_true(blob_equal(read_value(f, m, PidTagSubject), utf16_of_utf8(f->arena, "RE: Hallo")));
    OK(store_stream_of_message(&s, f->arena, m, PidTagBodyHtml, STREAM_CREATE));
    OK(store_stream_write(s, utf16_of_utf8(f->arena, "<p>ü"), &written));
    talloc_free(s);
    assert_true(blob_equal(fixture_prop(f, m, PidTagHtml).bin, BLOB_OF("<p>ü", 5)));
    EC(store_stream_of_message(&s, f->arena, m, PidTagImportance, STREAM_READ), ecNotSupported);
    EC(store_stream_of_message(&s, f->arena, m, PidTagTransportMessageHeaders, STREAM_READ), ecNotFound);
    const uint64_t mid = save(m);
    OK(store_message_open(&m, f->arena, f->store, INBOX, mid, MESSAGE_READONLY));
    EC(store_stream_of_message(&s, f->arena, m, PidTagHtml, STREAM_READWRITE), ecAccessDenied);
    OK(store_stream_of_message(&s, f->arena, m, PidTagHtml, STREAM_BEST));
}

/* Text in a code page is converted whole, and three bytes may come of one: there is no room for 256 MB at once. */
static void text_that_is_converted_whole_is_of_bounded_length(void **state)
{
    enum { MEGABYTE = 1024 * 1024 };
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_stream *s;
    uint32_t written;
    enum ec ec = ecNone;
    uint8_t *euros = talloc_size(f->arena, MEGABYTE);
    memset(euros, 0x80, MEGABYTE);
    OK(store_stream_of_message(&s, f->arena, m, PROP_AS(PidTagBody, PtypString8), STREAM_CREATE));
    for (unsigned i = 0; i < 100 && !ec; i++)
        ec = store_stream_write(s, BLOB_OF(euros, MEGABYTE), &written);
    EC(ec, ecTooBig);
    EC(store_stream_resize(s, 100 * MEGABYTE), ecStreamSizeError);
    OK(store_stream_commit(s));
    talloc_free(s);
    OK(fixture_set(m, P_I32(PidTagInternetCodepage, 1252)));
    OK(store_stream_of_message(&s, f->arena, m, PidTagHtml, STREAM_CREATE));
    for (unsigned i = 0; i < 50; i++)
        OK(store_stream_write(s, BLOB_OF(euros, MEGABYTE), &written));
    talloc_free(s);
    EC(store_stream_of_message(&s, f->arena, m, PidTagBodyHtml, STREAM_READ), ecNotEnoughMemory);
    const struct prop start = fixture_prop(f, m, PidTagBodyHtml);
    assert_int_equal(start.u32, (uint32_t)ecNotEnoughMemory);
}

/* The identity of a conversation is made of the beginning of its topic. */
static void a_topic_of_any_length_makes_a_conversation(void **state)
{
    enum { MEGABYTE = 1024 * 1024 };
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f), *like = new_message(f);
    struct store_stream *s;
    uint32_t written;
    uint8_t *letters = talloc_size(f->arena, MEGABYTE);
    char *beginning = talloc_strdup(f->arena, "");
    for (size_t i = 0; i < MEGABYTE; i += 2)
        put_le16(letters + i, 0x0390); /* three letters in capitals */
    for (unsigned i = 0; i < 300; i++)
        beginning = talloc_strdup_append(beginning, "\xCE\x90");
    OK(store_stream_of_message(&s, f->arena, m, PidTagConversationTopic, STREAM_CREATE));
    for (unsigned i = 0; i < 60; i++)
        OK(store_stream_write(s, BLOB_OF(letters, MEGABYTE), &written));
    talloc_free(s);
    OK(fixture_set(like, P_STR(PidTagConversationTopic, beginning)));
    const struct prop id = fixture_prop(f, m, PidTagConversationId), same = fixture_prop(f, like, PidTagConversationId);
    assert_int_equal(id.tag, PidTagConversationId);
    assert_true(blob_equal(id.bin, same.bin));
}

static void a_folder_has_binary_streams(void **state)
{
    struct store_fixture *f = *state;
    struct store_stream *s;
    const uint32_t tag = PidTagExtendedFolderFlags;
    static uint8_t bytes[LARGE];
    fill(bytes, sizeof bytes, 8);
    EC(store_stream_of_folder(&s, f->arena, f->store, INBOX, PidTagComment, STREAM_READ), ecNotSupported);
    EC(store_stream_of_folder(&s, f->arena, f->store, INBOX, tag, STREAM_READ), ecNotFound);
    EC(store_stream_of_folder(&s, f->arena, f->store, store_id(0x4711), tag, STREAM_CREATE), ecNotFound);
    OK(store_stream_of_folder(&s, f->arena, f->store, INBOX, tag, STREAM_CREATE));
    write_all(s, BLOB_OF(bytes, LARGE), 10000);
    OK(store_stream_commit(s));
    talloc_free(s);
    OK(store_stream_of_folder(&s, f->arena, f->store, INBOX, tag, STREAM_READ));
    assert_true(blob_equal(read_all(f, s, 10000), BLOB_OF(bytes, LARGE)));
    enum ec result;
    OK(store_folder_unset(f->store, INBOX, &tag, 1, &result));
    assert_int_equal(fixture_rows(f, "value"), 0);
}

static void a_reader_of_what_was_replaced_is_told(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m = new_message(f);
    struct store_stream *s;
    struct blob part;
    static uint8_t bytes[LARGE];
    OK(fixture_set(m, P_BIN(PidTagHtml, BLOB_OF(bytes, LARGE))));
    const uint64_t mid = save(m);
    struct store_message *reader = fixture_open(f, INBOX, mid);
    OK(store_stream_of_message(&s, f->arena, reader, PidTagHtml, STREAM_READ));
    OK(store_stream_read(f->arena, s, 100, &part));
    OK(fixture_set(m, P_BIN(PidTagHtml, BLOB_OF(bytes, LARGE))));
    save(m);
    EC(store_stream_read(f->arena, s, 100, &part), ecObjectModified);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_new_attachment_has_the_defaults),
    cmocka_unit_test(an_attachment_is_in_the_message_when_both_are_saved),
    cmocka_unit_test(what_was_not_saved_goes_with_its_parent),
    cmocka_unit_test(a_handle_stays_good_after_saves),
    cmocka_unit_test(numbers_of_deleted_attachments_are_not_given_again),
    cmocka_unit_test(hidden_attachments_do_not_count),
    cmocka_unit_test(a_forced_save_keeps_the_attachments_of_both),
    cmocka_unit_test(an_embedded_message_is_saved_from_the_inside_out),
    cmocka_unit_test(an_embedded_message_changes_with_the_message_around_it),
    cmocka_unit_test(copies_have_all_attachments_and_deletion_leaves_nothing),
    cmocka_unit_test(messages_are_nested_only_so_deep),
    cmocka_unit_test(a_message_cannot_be_copied_into_itself_without_end),
    cmocka_unit_test(a_message_has_so_many_attachments),
    cmocka_unit_test(a_stream_writes_and_reads_in_pieces),
    cmocka_unit_test(a_stored_value_is_changed_in_the_middle),
    cmocka_unit_test(text_streams_are_utf_16_however_long),
    cmocka_unit_test(streams_of_properties_with_rules),
    cmocka_unit_test(text_that_is_converted_whole_is_of_bounded_length),
    cmocka_unit_test(a_topic_of_any_length_makes_a_conversation),
    cmocka_unit_test(a_folder_has_binary_streams),
    cmocka_unit_test(a_reader_of_what_was_replaced_is_told),
};

int main(void)
{
    return store_fixture_run("attachments", tests, COUNTOF(tests));
}
