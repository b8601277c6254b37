/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCTABL] */
#include "store/fixture.h"
#include "store/internal.h"

#include <stdlib.h>

#define INBOX STORE_FID(SPECIAL_INBOX)
#define DRAFTS STORE_FID(SPECIAL_DRAFTS)
#define KEYWORDS PROP_TAG(PtypMultiple | PtypString, 0x8001)
#define EACH_KEYWORD PROP_TAG(PtypMultivalueInstance | PtypMultiple | PtypString, 0x8001)

enum { MINUTE = 600000000 };

/* ---- making ---- */

static uint64_t save(struct store_fixture *f, uint64_t fid, bool associated, const struct prop *props, uint32_t count)
{
    struct store_message *m;
    uint64_t mid;
    OK(store_message_new(&m, f->arena, f->store, fid, associated));
    for (uint32_t i = 0; i < count; i++)
        OK(fixture_set(m, props[i]));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
    return mid;
}
#define MESSAGE(f, fid, ...)                                                                                           \
    save(f, fid, false, (const struct prop[]){ __VA_ARGS__ }, COUNTOF(((const struct prop[]){ __VA_ARGS__ })))

static struct prop at(uint64_t minute)
{
    return P_TIME(PidTagMessageDeliveryTime, 0x01D8000000000000ULL + minute * MINUTE);
}

static struct prop subject(const char *text)
{
    return P_STR(PidTagSubject, text);
}

static void change(struct store_fixture *f, uint64_t fid, uint64_t mid, struct prop p)
{
    struct store_message *m = fixture_open(f, fid, mid);
    OK(fixture_set(m, p));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
}

static void delete_message(struct store_fixture *f, uint64_t fid, uint64_t mid, bool hard)
{
    bool partial;
    OK(store_messages_delete(f->store, fid, &mid, 1, hard, &partial));
    assert_false(partial);
}

static struct store_table *contents(struct store_fixture *f, uint64_t fid, unsigned flags)
{
    struct store_table *t;
    uint32_t rows;
    OK(store_contents_table(&t, f->arena, f->store, fid, flags, &rows));
    return t;
}

static void columns(struct store_table *t, uint32_t tag)
{
    OK(store_table_columns(t, &tag, 1));
}

static void sort_by(struct store_table *t, uint32_t tag, uint8_t order)
{
    OK(store_table_sort(t, &(struct SortOrder){ tag, order }, 1));
}

static struct restriction equals(const struct prop value)
{
    return (struct restriction){ .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = value.tag, .value = value };
}

/* ---- reading ---- */

struct read {
    struct props *rows;
    uint32_t count;
};

static struct read read_rows(struct store_fixture *f, struct store_table *t, bool forward, uint32_t count)
{
    struct read read;
    OK(store_table_query(f->arena, t, forward, count, false, NULL, NULL, &read.rows, &read.count));
    return read;
}

static struct read read_all(struct store_fixture *f, struct store_table *t)
{
    int32_t moved;
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 0, &moved));
    return read_rows(f, t, true, 1000);
}

/* The texts of the only column, with blanks between them; errors as '-'. */
static const char *joined(struct store_fixture *f, struct read read)
{
    char *text = talloc_strdup(f->arena, "");
    for (uint32_t i = 0; i < read.count; i++) {
        const struct prop *p = &read.rows[i].values[0];
        const bool is_text = PROP_TYPE(p->tag) == PtypString || PROP_TYPE(p->tag) == PtypString8;
        text = talloc_asprintf_append(text, "%s%s", *text ? " " : "", is_text ? p->str : "-");
    }
    return text;
}

static const char *all(struct store_fixture *f, struct store_table *t)
{
    return joined(f, read_all(f, t));
}

static const char *next(struct store_fixture *f, struct store_table *t, uint32_t count)
{
    return joined(f, read_rows(f, t, true, count));
}

static const char *before(struct store_fixture *f, struct store_table *t, uint32_t count)
{
    return joined(f, read_rows(f, t, false, count));
}

static const char *position(struct store_fixture *f, struct store_table *t)
{
    uint32_t numerator, denominator;
    OK(store_table_position(t, &numerator, &denominator));
    return talloc_asprintf(f->arena, "%u/%u", numerator, denominator);
}

static int32_t seek(struct store_table *t, uint8_t origin, int32_t rows)
{
    int32_t moved;
    OK(store_table_seek(t, origin, rows, &moved));
    return moved;
}

static struct blob bookmark(struct store_fixture *f, struct store_table *t)
{
    struct blob made;
    OK(store_table_bookmark(f->arena, t, &made));
    return made;
}

/* Five messages A to E, a minute apart, and one more in another folder. */
static struct store_table *five(struct store_fixture *f, uint64_t mids[5])
{
    static const char *const names[] = { "A", "B", "C", "D", "E" };
    for (uint32_t i = 0; i < 5; i++)
        mids[i] = MESSAGE(f, INBOX, subject(names[i]), at(i), P_I32(PidTagImportance, i % 2));
    MESSAGE(f, DRAFTS, subject("elsewhere"), at(2));
    struct store_table *t = contents(f, INBOX, 0);
    columns(t, PidTagSubject);
    return t;
}

/* Each of the two views is to behave alike: an order that an index has, and one that is sorted here. */
static void in_the_index(struct store_table *t)
{
    sort_by(t, PidTagMessageDeliveryTime, 0);
}
static void in_a_list(struct store_table *t)
{
    sort_by(t, PidTagSubject, 0);
}
static void (*const ways[])(struct store_table *) = { in_the_index, in_a_list };

/* ---- columns and values ---- */

static void a_row_has_the_columns_that_were_set(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    static const uint32_t tags[] = { PidTagMid,   PidTagFolderId, PidTagInstID,     PidTagInstanceNum, PidTagRowType,
                                     PidTagDepth, PidTagSubject,  PidTagImportance, PidTagSensitivity };
    OK(store_table_columns(t, tags, COUNTOF(tags)));
    assert_int_equal(store_table_column_count(t), COUNTOF(tags));
    const struct props row = read_rows(f, t, true, 1).rows[0];
    assert_int_equal(row.count, COUNTOF(tags)); /* R116, R472 */
    for (uint32_t i = 0; i < row.count; i++)
        assert_int_equal(row.values[i].tag, tags[i]);
    assert_int_equal(row.values[0].u64, mids[0]);
    assert_int_equal(row.values[1].u64, INBOX);
    assert_int_equal(row.values[2].u64, mids[0]); /* R8 */
    assert_int_equal(row.values[3].u32, 0);
    assert_int_equal(row.values[4].u32, 1); /* R15 */
    assert_int_equal(row.values[5].u32, 0); /* R636 */
    assert_string_equal(row.values[6].str, "A");
    assert_int_equal(row.values[7].u32, 0);
    assert_int_equal(row.values[8].u32, 0);
}

static void what_a_message_has_not_is_not_found(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    columns(t, PidTagConversationTopic);
    const struct prop p = read_rows(f, t, true, 1).rows[0].values[0];
    assert_int_equal(p.tag, PROP_AS(PidTagConversationTopic, PtypErrorCode));
    assert_int_equal(p.u32, (uint32_t)ecNotFound);
}

static void a_value_is_cut_to_510_bytes(void **state)
{
    struct store_fixture *f = *state;
    char *text = talloc_strdup(f->arena, ""), *body = talloc_zero_array(f->arena, char, 100001);
    for (unsigned i = 0; i < 300; i++)
        text = talloc_strdup_append(text, "ä");
    memset(body, 'b', 100000);
    const char *const words[] = { text, text, "c" };
    MESSAGE(f, INBOX, P_STR(PidTagConversationTopic, text), P_BIN(PidTagSearchKey, BLOB_OF(body, 511)),
            P_STR(PidTagBody, body), ((struct prop){ .tag = KEYWORDS, .mv = { .count = 3, .str = words } }));
    static const uint32_t tags[] = { PidTagConversationTopic, PROP_AS(PidTagConversationTopic, PtypString8),
                                     PidTagSearchKey, PidTagBody, KEYWORDS };
    struct store_table *t = contents(f, INBOX, 0);
    OK(store_table_columns(t, tags, COUNTOF(tags)));
    const struct prop *v = read_rows(f, t, true, 1).rows[0].values;
    assert_int_equal(strlen(v[0].str), 255 * 2); /* R121, R122: 255 UTF-16 units */
    assert_int_equal(v[1].tag, tags[1]);
    assert_int_equal(strlen(v[1].str), 510);
    assert_true(utf8_is_valid(v[0].str, strlen(v[0].str)));
    assert_int_equal(v[2].bin.size, 510);
    assert_int_equal(strlen(v[3].str), 255);
    assert_true(prop_size(&v[4]) <= 510);
}

static void a_value_with_several_values_makes_several_rows(void **state)
{
    struct store_fixture *f = *state;
    const char *const two[] = { "red", "blue" }, *const one[] = { "green" };
    const uint64_t first = MESSAGE(f, INBOX, ((struct prop){ .tag = KEYWORDS, .mv = { .count = 2, .str = two } }));
    MESSAGE(f, INBOX, ((struct prop){ .tag = KEYWORDS, .mv = { .count = 1, .str = one } }));
    MESSAGE(f, INBOX, subject("none"));
    struct store_table *t = contents(f, INBOX, 0);
    columns(t, EACH_KEYWORD);
    assert_string_equal(position(f, t), "0/4");
    sort_by(t, EACH_KEYWORD, 0);
    assert_string_equal(all(f, t), "- blue green red"); /* R433, R448 */
    static const uint32_t tags[] = { EACH_KEYWORD, PidTagInstID, PidTagInstanceNum };
    OK(store_table_columns(t, tags, COUNTOF(tags)));
    const struct read read = read_all(f, t);
    assert_int_equal(read.rows[1].values[1].u64, first); /* R8 */
    assert_int_equal(read.rows[3].values[1].u64, first);
    assert_int_not_equal(read.rows[1].values[2].u32, read.rows[3].values[2].u32); /* R12 */
    const uint32_t twice[] = { EACH_KEYWORD, PROP_TAG(PtypMultivalueInstance | PtypMultiple | PtypInteger32, 0x8002) };
    EC(store_table_columns(t, twice, 2), ecTooComplex);
    columns(t, KEYWORDS);
    OK(store_table_sort(t, NULL, 0));
    assert_string_equal(position(f, t), "0/3");
}

static void there_is_a_limit_to_columns_and_sort_orders(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    uint32_t many[5000];
    struct SortOrder orders[1000];
    for (size_t i = 0; i < COUNTOF(many); i++)
        many[i] = PidTagSubject;
    for (size_t i = 0; i < COUNTOF(orders); i++)
        orders[i] = (struct SortOrder){ PidTagSubject, 0 };
    EC(store_table_columns(t, many, COUNTOF(many)), ecTooComplex);
    EC(store_table_sort(t, orders, COUNTOF(orders)), ecTooComplex);
    EC(store_table_sort(t, &(struct SortOrder){ PidTagSubject, 4 }, 1), ecInvalidParam);
    EC(store_table_sort(t, &(struct SortOrder){ PROP_AS(PidTagSubject, PtypErrorCode), 0 }, 1), ecInvalidParam);
    static const uint16_t types[] = { PtypUnspecified, PtypErrorCode, 0x7777, PtypMultivalueInstance | PtypInteger32 };
    for (size_t i = 0; i < COUNTOF(types); i++)
        EC(store_table_columns(t, &(uint32_t){ PROP_TAG(types[i], 0x8001) }, 1), ecInvalidParam); /* R435 */
    assert_string_equal(all(f, t), "A B C D E"); /* R430, R445: as before */
}

static void all_columns_are_those_that_rows_have(void **state)
{
    struct store_fixture *f = *state;
    MESSAGE(f, INBOX, P_STR(PROP_TAG(PtypString, 0x8005), "own"));
    const uint32_t *tags;
    uint32_t count, seen = 0;
    OK(store_table_all_columns(f->arena, contents(f, INBOX, 0), &tags, &count));
    for (uint32_t i = 0; i < count; i++) /* R530, R217 */
        seen |= tags[i] == PidTagMid                      ? 1
                : tags[i] == PidTagInstID                 ? 2
                : tags[i] == PROP_TAG(PtypString, 0x8005) ? 4
                                                          : 0;
    assert_int_equal(seen, 7);
}

/* ---- order ---- */

static void without_an_order_rows_come_as_they_were_delivered(void **state)
{
    struct store_fixture *f = *state;
    MESSAGE(f, INBOX, subject("second"), at(2));
    MESSAGE(f, INBOX, subject("first"), at(1));
    MESSAGE(f, INBOX, subject("third"), at(3));
    struct store_table *t = contents(f, INBOX, 0);
    columns(t, PidTagSubject);
    assert_string_equal(all(f, t), "first second third");
    const struct restriction any = { .type = RES_EXIST, .tag = PidTagSubject };
    OK(store_table_restrict(t, &any));
    assert_string_equal(all(f, t), "first second third");
}

static void rows_are_sorted_by_several_columns(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    sort_by(t, PidTagMessageDeliveryTime, 1);
    assert_string_equal(all(f, t), "E D C B A"); /* R77 */
    sort_by(t, PidTagMessageDeliveryTime, 0);
    assert_string_equal(all(f, t), "A B C D E"); /* R76 */
    const struct SortOrder two[] = { { PidTagImportance, 1 }, { PidTagMessageDeliveryTime, 0 } };
    OK(store_table_sort(t, two, 2));
    assert_string_equal(all(f, t), "B D A C E"); /* R119, R438 */
    const struct SortOrder other[] = { { PidTagImportance, 0 }, { PidTagSubject, 1 } };
    OK(store_table_sort(t, other, 2));
    assert_string_equal(all(f, t), "E C A D B");
}

static void texts_are_sorted_as_the_language_has_it(void **state)
{
    struct store_fixture *f = *state;
    static const char *const words[] = { "Zebra", "äpfel", "apfel", "Birne", "öl" };
    for (size_t i = 0; i < COUNTOF(words); i++)
        MESSAGE(f, INBOX, subject(words[i]));
    struct store_table *t = contents(f, INBOX, 0);
    columns(t, PidTagSubject);
    store_table_set_locale(t, 0x0407); /* German */
    sort_by(t, PidTagSubject, 0);
    assert_string_equal(all(f, t), "apfel äpfel Birne öl Zebra");
    store_table_set_locale(t, 0x041D); /* Swedish */
    assert_string_equal(all(f, t), "apfel Birne Zebra äpfel öl");
}

static void what_is_missing_is_sorted_first(void **state)
{
    struct store_fixture *f = *state;
    MESSAGE(f, INBOX, subject("b"), P_I32(PROP_TAG(PtypInteger32, 0x8003), -1));
    MESSAGE(f, INBOX, subject("c"), P_I32(PROP_TAG(PtypInteger32, 0x8003), 1));
    MESSAGE(f, INBOX, subject("a"));
    struct store_table *t = contents(f, INBOX, 0);
    columns(t, PidTagSubject);
    sort_by(t, PROP_TAG(PtypInteger32, 0x8003), 0);
    assert_string_equal(all(f, t), "a b c");
    sort_by(t, PROP_TAG(PtypInteger32, 0x8003), 1);
    assert_string_equal(all(f, t), "c b a");
}

static void values_of_every_type_are_sorted(void **state)
{
    struct store_fixture *f = *state;
    static const struct guid low = { { 1 } }, high = { { 2 } };
    const struct prop pairs[][2] = {
        { { .tag = PROP_TAG(PtypInteger16, 0x8010), .i16 = -2 }, { .i16 = 1 } },
        { { .tag = PROP_TAG(PtypInteger32, 0x8010), .i32 = -2 }, { .i32 = 1 } },
        { { .tag = PROP_TAG(PtypInteger64, 0x8010), .i64 = -2 }, { .i64 = 1 } },
        { { .tag = PROP_TAG(PtypCurrency, 0x8010), .i64 = -20000 }, { .i64 = 1 } },
        { { .tag = PROP_TAG(PtypFloating32, 0x8010), .f32 = -1.5f }, { .f32 = 0.25f } },
        { { .tag = PROP_TAG(PtypFloating64, 0x8010), .f64 = -1e300 }, { .f64 = -1e-300 } },
        { { .tag = PROP_TAG(PtypFloatingTime, 0x8010), .f64 = 1 }, { .f64 = 2 } },
        { { .tag = PROP_TAG(PtypBoolean, 0x8010), .b = false }, { .b = true } },
        { { .tag = PROP_TAG(PtypTime, 0x8010), .u64 = 1 }, { .u64 = 1ULL << 63 } },
        { { .tag = PROP_TAG(PtypGuid, 0x8010), .guid = low }, { .guid = high } },
        { { .tag = PROP_TAG(PtypBinary, 0x8010), .bin = BLOB_OF("a", 2) }, { .bin = BLOB_OF("a\0b", 3) } },
        { { .tag = PROP_TAG(PtypString, 0x8010), .str = "a" }, { .str = "ab" } },
    };
    for (size_t i = 0; i < COUNTOF(pairs); i++) {
        const uint64_t fid = fixture_folder(f, INBOX, talloc_asprintf(f->arena, "%zu", i));
        struct prop greater = pairs[i][1];
        greater.tag = pairs[i][0].tag;
        MESSAGE(f, fid, subject("greater"), greater);
        MESSAGE(f, fid, subject("less"), pairs[i][0]);
        struct store_table *t = contents(f, fid, 0);
        columns(t, PidTagSubject);
        sort_by(t, greater.tag, 0);
        assert_string_equal(all(f, t), "less greater");
        sort_by(t, greater.tag, 1);
        assert_string_equal(all(f, t), "greater less");
    }
}

static void a_new_order_begins_at_the_first_row_and_ends_the_bookmarks(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    const struct restriction low = equals(P_I32(PidTagImportance, 0));
    for (unsigned what = 0; what < 3; what++) {
        bool gone;
        int32_t moved;
        columns(t, PidTagSubject);
        read_rows(f, t, true, 2);
        const struct blob made = bookmark(f, t);
        if (what == 0)
            sort_by(t, PidTagMessageDeliveryTime, 1);
        else if (what == 1)
            OK(store_table_restrict(t, &low));
        else
            store_table_reset(t);
        EC(store_table_seek_bookmark(t, made, 0, &gone, &moved), ecInvalidBookmark); /* R505, R870, R871 */
        EC(store_table_free_bookmark(t, made), ecInvalidBookmark);                   /* R863, R864, R865 */
        assert_true(store_table_at_start(t));                                        /* R439, R453, R561 */
        assert_string_equal(strchr(position(f, t), '0'), position(f, t));
    }
}

/* ---- restriction ---- */

static void a_restricted_table_has_only_the_rows_that_match(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    const struct restriction high = equals(P_I32(PidTagImportance, 1));
    OK(store_table_restrict(t, &high));
    assert_string_equal(all(f, t), "B D"); /* R452, R117 */
    assert_string_equal(position(f, t), "2/2");
    change(f, INBOX, mids[2], P_I32(PidTagImportance, 1));
    change(f, INBOX, mids[1], P_I32(PidTagImportance, 0));
    assert_string_equal(all(f, t), "C D");
    OK(store_table_restrict(t, NULL));
    assert_string_equal(all(f, t), "A B C D E"); /* R454, R118 */
}

static void a_restriction_looks_at_recipients_and_attachments(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5], mid;
    uint32_t number;
    struct store_table *t = five(f, mids);
    struct store_message *m = fixture_open(f, INBOX, mids[1]);
    const struct prop who[] = { P_STR(PidTagDisplayName, "Bob"), P_STR(PidTagSmtpAddress, "bob@contoso.com") };
    OK(store_recipient_put(m, &(struct store_recipient){ .row_id = 0, .type = 2, .props = { 2, who } }));
    OK(store_message_save(m, false, &mid));
    m = fixture_open(f, INBOX, mids[3]);
    struct store_attachment *a;
    OK(store_attachment_new(&a, f->arena, m, &number));
    enum ec result;
    OK(store_attachment_set(a, &P_STR(PidTagAttachLongFilename, "plan.pdf"), 1, &result));
    OK(store_attachment_save(a));
    OK(store_message_save(m, false, &mid));
    const struct restriction bob = equals(P_STR(PidTagSmtpAddress, "bob@contoso.com")),
                             cc = equals(P_I32(PidTagRecipientType, 2)),
                             plan = equals(P_STR(PidTagAttachLongFilename, "plan.pdf"));
    struct restriction sub = { .type = RES_SUBOBJECT, .tag = PidTagMessageRecipients, .count = 1, .sub = &bob };
    OK(store_table_restrict(t, &sub));
    assert_string_equal(all(f, t), "B");
    sub.sub = &cc;
    OK(store_table_restrict(t, &sub));
    assert_string_equal(all(f, t), "B");
    sub = (struct restriction){ .type = RES_SUBOBJECT, .tag = PidTagMessageAttachments, .count = 1, .sub = &plan };
    OK(store_table_restrict(t, &sub));
    assert_string_equal(all(f, t), "D");
}

/* ---- rows ---- */

static void reading_goes_on_where_it_stopped(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](t);
        assert_true(store_table_at_start(t));
        assert_string_equal(next(f, t, 2), "A B"); /* R462, R468 */
        assert_false(store_table_at_end(t));       /* R726 */
        assert_string_equal(next(f, t, 3), "C D E");
        assert_true(store_table_at_end(t));          /* R725: as soon as there are no more */
        assert_string_equal(next(f, t, 3), "");      /* R467 */
        assert_string_equal(before(f, t, 2), "E D"); /* R469 */
        assert_false(store_table_at_start(t));
        assert_string_equal(next(f, t, 1), "D");
        assert_string_equal(before(f, t, 9), "D C B A");
        assert_true(store_table_at_start(t)); /* R784 */
        assert_string_equal(before(f, t, 9), "");
        assert_string_equal(next(f, t, 0), "");
        assert_true(store_table_at_start(t));
    }
}

static void reading_may_leave_the_cursor_where_it_is(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        struct read read;
        ways[i](t);
        next(f, t, 1);
        OK(store_table_query(f->arena, t, true, 9, true, NULL, NULL, &read.rows, &read.count));
        assert_string_equal(joined(f, read), "B C D E");
        OK(store_table_query(f->arena, t, false, 9, true, NULL, NULL, &read.rows, &read.count));
        assert_string_equal(joined(f, read), "A");
        assert_string_equal(next(f, t, 1), "B"); /* R470 */
    }
}

static bool two_fit(void *arg, const struct props *row)
{
    unsigned *count = arg;
    assert_int_equal(row->count, 1);
    return (*count)++ < 2;
}

static bool nothing_fits(void *arg, const struct props *row)
{
    (void)row;
    *(bool *)arg = true;
    return false;
}

static void a_row_that_does_not_fit_waits(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        struct read read;
        unsigned count = 0;
        bool asked = false;
        ways[i](t);
        OK(store_table_query(f->arena, t, true, 9, false, two_fit, &count, &read.rows, &read.count));
        assert_string_equal(joined(f, read), "A B"); /* R464, R465 */
        assert_string_equal(position(f, t), "2/5");
        OK(store_table_query(f->arena, t, true, 9, false, nothing_fits, &asked, &read.rows, &read.count));
        assert_int_equal(read.count, 0);
        assert_true(asked);
        OK(store_table_query(f->arena, t, false, 9, false, nothing_fits, &asked, &read.rows, &read.count));
        assert_int_equal(read.count, 0);
        assert_string_equal(position(f, t), "2/5");
        count = 0;
        seek(t, BOOKMARK_END, 0);
        OK(store_table_query(f->arena, t, false, 9, false, two_fit, &count, &read.rows, &read.count));
        assert_string_equal(joined(f, read), "E D");
        assert_string_equal(position(f, t), "3/5");
    }
}

static void what_comes_and_goes_elsewhere_does_not_move_the_cursor(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](t);
        assert_string_equal(next(f, t, 3), "A B C");
        const uint64_t early = MESSAGE(f, INBOX, subject("AA"), at(0));
        assert_string_equal(position(f, t), "4/6");
        assert_string_equal(next(f, t, 1), "D");
        delete_message(f, INBOX, early, true);
        assert_string_equal(next(f, t, 1), "E");
    }
    delete_message(f, INBOX, mids[4], true);
    in_the_index(t);
    next(f, t, 3);
    delete_message(f, INBOX, mids[3], true); /* the row at the cursor itself */
    assert_string_equal(next(f, t, 1), "");
    assert_string_equal(before(f, t, 1), "C");
}

/* ---- position ---- */

static void seeking_moves_the_cursor_and_says_how_far(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](t);
        assert_string_equal(position(f, t), "0/5");          /* R136, R138 */
        assert_int_equal(seek(t, BOOKMARK_BEGINNING, 2), 2); /* R27 */
        assert_string_equal(position(f, t), "2/5");
        assert_int_equal(seek(t, BOOKMARK_CURRENT, 1), 1); /* R28 */
        assert_string_equal(position(f, t), "3/5");
        assert_int_equal(seek(t, BOOKMARK_CURRENT, -2), -2);
        assert_string_equal(next(f, t, 1), "B");
        assert_int_equal(seek(t, BOOKMARK_CURRENT, 9), 3); /* R152, R497 */
        assert_string_equal(position(f, t), "5/5");
        assert_int_equal(seek(t, BOOKMARK_END, -2), -2); /* R29 */
        assert_string_equal(next(f, t, 1), "D");
        assert_int_equal(seek(t, BOOKMARK_CURRENT, -9), -4); /* R160 */
        assert_string_equal(position(f, t), "0/5");
        assert_int_equal(seek(t, BOOKMARK_END, 1), 0);
        assert_int_equal(seek(t, BOOKMARK_BEGINNING, -1), 0);
        assert_int_equal(seek(t, BOOKMARK_BEGINNING, 5), 5);
        assert_string_equal(next(f, t, 1), "");
        assert_int_equal(seek(t, BOOKMARK_END, -5), -5);
        assert_string_equal(next(f, t, 1), "A");
        assert_int_equal(seek(t, BOOKMARK_END, INT32_MIN), -5);
        assert_int_equal(seek(t, BOOKMARK_BEGINNING, INT32_MAX), 5);
    }
}

static void seeking_by_a_fraction_goes_to_the_nearest_row(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](t);
        OK(store_table_seek_fraction(t, 2, 5));
        assert_string_equal(position(f, t), "2/5"); /* R516 */
        OK(store_table_seek_fraction(t, 0, 5));
        assert_string_equal(position(f, t), "0/5"); /* R514, R203 */
        OK(store_table_seek_fraction(t, 7, 5));
        assert_string_equal(position(f, t), "5/5"); /* R515, R204 */
        OK(store_table_seek_fraction(t, UINT32_MAX / 2, UINT32_MAX));
        assert_string_equal(position(f, t), "2/5");
    }
}

static void an_empty_table_has_neither_rows_nor_places(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = contents(f, INBOX, 0);
    columns(t, PidTagSubject);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        bool gone;
        int32_t moved;
        ways[i](t);
        assert_string_equal(next(f, t, 5), "");
        assert_true(store_table_at_end(t));
        assert_string_equal(position(f, t), "0/0");
        assert_int_equal(seek(t, BOOKMARK_END, -3), 0);
        assert_int_equal(seek(t, BOOKMARK_BEGINNING, 3), 0);
        OK(store_table_seek_fraction(t, 1, 2));
        const struct blob made = bookmark(f, t);
        const uint64_t mid = MESSAGE(f, INBOX, subject("now"));
        OK(store_table_seek_bookmark(t, made, -1, &gone, &moved));
        assert_false(gone);
        assert_int_equal(moved, -1);
        delete_message(f, INBOX, mid, true);
    }
}

/* ---- finding ---- */

static void a_row_is_found_in_both_directions(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    const struct restriction high = equals(P_I32(PidTagImportance, 1)), none = equals(P_I32(PidTagImportance, 7));
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        struct props row;
        ways[i](t);
        OK(store_table_find(f->arena, t, false, &high, &row));
        assert_string_equal(row.values[0].str, "B"); /* R223, R534, R540 */
        assert_string_equal(position(f, t), "1/5");
        OK(store_table_find(f->arena, t, false, &high, &row)); /* from the current row on */
        assert_string_equal(row.values[0].str, "B");
        EC(store_table_find(f->arena, t, true, &high, &row), ecNotFound); /* R241, R536 */
        seek(t, BOOKMARK_END, 0);
        OK(store_table_find(f->arena, t, true, &high, &row));
        assert_string_equal(row.values[0].str, "D"); /* R226 */
        OK(store_table_find(f->arena, t, true, &high, &row));
        assert_string_equal(row.values[0].str, "B");
        assert_string_equal(next(f, t, 2), "B C");                         /* R535 */
        EC(store_table_find(f->arena, t, false, &none, &row), ecNotFound); /* R544001 */
    }
}

static void a_row_is_found_at_once_by_what_identifies_it(void **state)
{
    struct store_fixture *f = *state;
    static const uint32_t tags[] = { PidTagMid,     PidTagInstID,    PidTagInstanceKey,
                                     PidTagEntryId, PidTagRecordKey, PidTagSourceKey };
    struct store_table *t = contents(f, fixture_full_folder(f, "full", 2000), 0);
    for (size_t way = 0; way < COUNTOF(ways); way++) {
        ways[way](t);
        OK(store_table_columns(t, tags, COUNTOF(tags)));
        seek(t, BOOKMARK_BEGINNING, 1500);
        const struct props row = read_rows(f, t, true, 1).rows[0];
        for (size_t i = 0; i < COUNTOF(tags); i++) {
            const struct restriction wanted = equals(row.values[i]);
            struct props found;
            seek(t, BOOKMARK_BEGINNING, 0);
            const uint64_t was = sql_statements_of(f->store->db);
            OK(store_table_find(f->arena, t, false, &wanted, &found));
            const uint64_t statements = sql_statements_of(f->store->db) - was;
            assert_true(tags[i] == PidTagSourceKey ? statements > 5 : statements <= 5);
            assert_int_equal(found.values[0].u64, row.values[0].u64);
            assert_string_equal(position(f, t), "1500/2000");
            OK(store_table_find(f->arena, t, false, &wanted, &found));
            EC(store_table_find(f->arena, t, true, &wanted, &found), ecNotFound); /* R241 */
            seek(t, BOOKMARK_END, 0);
            EC(store_table_find(f->arena, t, false, &wanted, &found), ecNotFound);
            OK(store_table_find(f->arena, t, true, &wanted, &found));
        }
        struct props found;
        const struct restriction none = equals(P_I64(PidTagMid, INBOX)),
                                 odd = equals(P_BIN(PidTagEntryId, BLOB_OF("abcdefghij", 10)));
        seek(t, BOOKMARK_BEGINNING, 0);
        EC(store_table_find(f->arena, t, false, &none, &found), ecNotFound);
        EC(store_table_find(f->arena, t, false, &odd, &found), ecNotFound);
    }
}

/* ---- bookmarks ---- */

static void a_bookmark_leads_back_to_its_row(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        bool gone;
        int32_t moved;
        ways[i](t);
        const struct blob first = bookmark(f, t);
        next(f, t, 2);
        const struct blob third = bookmark(f, t);
        next(f, t, 9);
        OK(store_table_seek_bookmark(t, third, 0, &gone, &moved)); /* R503, R522 */
        assert_false(gone);                                        /* R183 */
        assert_string_equal(next(f, t, 1), "C");
        OK(store_table_seek_bookmark(t, third, -1, &gone, &moved)); /* R504 */
        assert_int_equal(moved, -1);
        assert_string_equal(next(f, t, 1), "B");
        OK(store_table_seek_bookmark(t, third, 9, &gone, &moved));
        assert_int_equal(moved, 3);
        const uint64_t early = MESSAGE(f, INBOX, subject("0"), at(0), P_TIME(PidTagMessageDeliveryTime, 1));
        OK(store_table_seek_bookmark(t, first, 0, &gone, &moved)); /* of the row that was the first */
        assert_string_equal(next(f, t, 1), "A");
        delete_message(f, INBOX, early, true);
    }
}

static void a_bookmark_whose_row_is_gone_leads_to_the_next_one(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        bool gone;
        int32_t moved;
        ways[i](t);
        next(f, t, 1);
        const struct blob second = bookmark(f, t);
        delete_message(f, INBOX, mids[1 + i], false);
        OK(store_table_seek_bookmark(t, second, 0, &gone, &moved));
        assert_true(gone); /* R182, R184, R506 */
        assert_string_equal(next(f, t, 1), i ? "D" : "C");
    }
}

static void a_bookmark_follows_its_row_to_another_place(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        bool gone;
        int32_t moved;
        ways[i](t);
        next(f, t, 1);
        const struct blob second = bookmark(f, t);
        change(f, INBOX, mids[1], i ? subject("Z") : at(9));
        OK(store_table_seek_bookmark(t, second, 0, &gone, &moved));
        assert_false(gone);
        assert_string_equal(position(f, t), "4/5");
        change(f, INBOX, mids[1], at(1));
    }
}

static void a_bookmark_that_was_freed_is_none(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    bool gone;
    int32_t moved;
    const struct blob made = bookmark(f, t), other = bookmark(f, t);
    OK(store_table_free_bookmark(t, made));                                      /* R545 */
    EC(store_table_free_bookmark(t, made), ecInvalidBookmark);                   /* R5521 */
    EC(store_table_seek_bookmark(t, made, 0, &gone, &moved), ecInvalidBookmark); /* R2481 */
    OK(store_table_seek_bookmark(t, other, 0, &gone, &moved));
    EC(store_table_seek_bookmark(t, BLOB_OF("abcdefgh", 8), 0, &gone, &moved), ecInvalidBookmark);
    EC(store_table_seek_bookmark(t, BLOB_OF(NULL, 0), 0, &gone, &moved), ecInvalidBookmark);
    enum ec ec = ecNone;
    for (unsigned i = 0; !ec && i < 1000; i++) {
        struct blob one;
        ec = store_table_bookmark(f->arena, t, &one);
    }
    EC(ec, ecTooComplex);
}

static void a_table_that_was_reset_is_as_new(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    const struct restriction high = equals(P_I32(PidTagImportance, 1));
    sort_by(t, PidTagSubject, 1);
    OK(store_table_restrict(t, &high));
    store_table_reset(t);
    assert_int_equal(store_table_column_count(t), 0); /* R553, R554 */
    columns(t, PidTagSubject);
    assert_string_equal(all(f, t), "A B C D E"); /* R555 to R558 */
}

/* ---- which rows ---- */

static void associated_and_deleted_messages_have_tables_of_their_own(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids), *hidden = contents(f, INBOX, TABLE_ASSOCIATED);
    struct store_table *deleted = contents(f, INBOX, TABLE_SOFT_DELETES);
    save(f, INBOX, true, (const struct prop[]){ subject("FAI") }, 1);
    columns(hidden, PidTagSubject);
    columns(deleted, PidTagSubject);
    assert_string_equal(all(f, t), "A B C D E");
    assert_string_equal(all(f, hidden), "FAI");
    assert_string_equal(all(f, deleted), "");
    delete_message(f, INBOX, mids[3], false);
    delete_message(f, INBOX, mids[1], false);
    delete_message(f, INBOX, mids[2], true);
    assert_string_equal(all(f, t), "A E");
    assert_string_equal(all(f, deleted), "B D"); /* MS-OXCFOLD_R1017, R665 */
    delete_message(f, INBOX, mids[1], true);
    assert_string_equal(all(f, deleted), "D");
}

static void a_table_of_no_folder_is_not_opened(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t;
    uint32_t rows;
    EC(store_contents_table(&t, f->arena, f->store, store_id(0x7777), 0, &rows), ecNotFound);
    assert_null(t);
    EC(store_hierarchy_table(&t, f->arena, f->store, 0, 0, &rows), ecNotFound);
    EC(store_contents_table(&t, f->arena, f->store, INBOX | 5, 0, &rows), ecNotFound);
}

static void opening_a_table_says_how_many_rows_it_has(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t;
    uint32_t rows;
    five(f, mids);
    OK(store_contents_table(&t, f->arena, f->store, INBOX, 0, &rows));
    assert_int_equal(rows, 5);
    OK(store_contents_table(&t, f->arena, f->store, INBOX, TABLE_ASSOCIATED, &rows));
    assert_int_equal(rows, 0);
    OK(store_hierarchy_table(&t, f->arena, f->store, INBOX, 0, &rows));
    assert_int_equal(rows, 0);
    fixture_folder(f, INBOX, "one");
    OK(store_hierarchy_table(&t, f->arena, f->store, INBOX, 0, &rows));
    assert_int_equal(rows, 1); /* MS-OXCFOLD_R318 */
}

/* ---- hierarchy ---- */

static struct store_table *hierarchy(struct store_fixture *f, uint64_t fid, unsigned flags)
{
    struct store_table *t;
    uint32_t rows;
    OK(store_hierarchy_table(&t, f->arena, f->store, fid, flags, &rows));
    columns(t, PidTagDisplayName);
    return t;
}

static void a_hierarchy_table_has_the_subfolders(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t b = fixture_folder(f, INBOX, "b"), a = fixture_folder(f, INBOX, "a");
    const uint64_t below = fixture_folder(f, b, "below");
    enum ec result;
    OK(store_folder_set(f->store, a, &P_BOOL(PidTagAttributeHidden, true), 1, &result));
    struct store_table *t = hierarchy(f, INBOX, 0), *deep = hierarchy(f, INBOX, TABLE_DEPTH);
    assert_string_equal(all(f, t), "a b");          /* MS-OXCFOLD_R802; hidden ones too */
    assert_string_equal(all(f, deep), "a b below"); /* MS-OXCFOLD_R801 */
    static const uint32_t tags[] = { PidTagFolderId, PidTagParentFolderId, PidTagDepth, PidTagSubfolders };
    OK(store_table_columns(deep, tags, COUNTOF(tags)));
    const struct read read = read_all(f, deep);
    assert_int_equal(read.rows[2].values[0].u64, below);
    assert_int_equal(read.rows[2].values[1].u64, b);
    assert_int_equal(read.rows[2].values[2].u32, 1);
    assert_int_equal(read.rows[1].values[2].u32, 0);
    assert_true(read.rows[1].values[3].b);
    assert_false(read.rows[0].values[3].b);
    EC(store_table_sort(t, &(struct SortOrder){ PidTagDisplayName, 1 }, 1), ecNotSupported); /* R450 */
    const struct restriction named = equals(P_STR(PidTagDisplayName, "b"));
    OK(store_table_restrict(t, &named)); /* R833 */
    assert_string_equal(all(f, t), "b");
}

static void deleted_folders_are_in_a_table_of_their_own(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    fixture_folder(f, INBOX, "stays");
    const uint64_t goes = fixture_folder(f, INBOX, "goes");
    struct store_table *t = hierarchy(f, INBOX, 0), *deep = hierarchy(f, INBOX, TABLE_DEPTH);
    fixture_folder(f, goes, "below");
    assert_string_equal(all(f, deep), "goes stays below");
    OK(store_folder_delete(f->store, INBOX, goes, STORE_FOLDERS | STORE_MESSAGES, &partial));
    assert_string_equal(all(f, t), "stays"); /* MS-OXCFOLD_R1219 */
    assert_string_equal(all(f, deep), "stays");
    assert_string_equal(all(f, hierarchy(f, INBOX, TABLE_SOFT_DELETES)), "goes"); /* MS-OXCFOLD_R806 */
}

/* ---- attachments ---- */

static uint32_t attach(struct store_fixture *f, struct store_message *m, const char *name)
{
    struct store_attachment *a;
    uint32_t number;
    enum ec result;
    OK(store_attachment_new(&a, f->arena, m, &number));
    OK(store_attachment_set(a, &P_STR(PidTagAttachLongFilename, name), 1, &result));
    OK(store_attachment_save(a));
    talloc_free(a);
    return number;
}

static void an_attachment_table_shows_what_is_saved_into_the_message(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m;
    struct store_table *t;
    OK(store_message_new(&m, f->arena, f->store, DRAFTS, false));
    OK(store_attachment_table(&t, f->arena, m, 0));
    columns(t, PidTagAttachLongFilename);
    assert_string_equal(all(f, t), "");
    attach(f, m, "one");
    const uint32_t two = attach(f, m, "two");
    attach(f, m, "three");
    assert_string_equal(all(f, t), "one two three");
    OK(store_attachment_delete(m, two));
    assert_string_equal(all(f, t), "one three");
    columns(t, PidTagAttachNumber);
    assert_int_equal(read_all(f, t).rows[1].values[0].u32, 2);
    EC(store_table_sort(t, &(struct SortOrder){ PidTagAttachNumber, 1 }, 1), ecNotSupported); /* R450 */
    EC(store_table_restrict(t, NULL), ecNotSupported);                                        /* R461 */
    talloc_free(m);
    struct props *rows;
    uint32_t got;
    EC(store_table_query(f->arena, t, true, 9, false, NULL, NULL, &rows, &got), ecInvalidObject);
    assert_int_equal(got, 0);
}

/* ---- events: [MS-OXCNOTIF] 3.1.4.3 ---- */

/* What one table's client hears, as text: +B>A is B added behind A, *B modified, -B deleted, ! changed. */
struct ear {
    struct store_fixture *f;
    struct store_table *table;
    char *heard;
};

static const char *name_of(struct store_fixture *f, uint64_t fid, uint64_t mid)
{
    if (!fid)
        return "";
    const struct prop p = mid ? fixture_prop(f, fixture_open(f, fid, mid), PidTagSubject)
                              : fixture_folder_prop(f, fid, PidTagDisplayName);
    return p.str;
}

static void listen(void *arg, struct store *st, const struct store_change *changes, size_t count)
{
    struct ear *ear = arg;
    struct table_event e;
    (void)st;
    for (size_t i = 0; i < count; i++) {
        if (!store_table_event(ear->f->arena, ear->table, &changes[i], &e))
            continue;
        char *last = talloc_asprintf(ear->f->arena, "%s%s", *ear->heard ? " " : "", "!");
        if (e.type == TABLE_ROW_DELETED)
            last[strlen(last) - 1] = '-';
        else if (e.type != TABLE_CHANGED)
            last = talloc_asprintf(ear->f->arena, "%s%s%s>%s", *ear->heard ? " " : "",
                                   e.type == TABLE_ROW_ADDED ? "+" : "*", name_of(ear->f, e.fid, e.mid),
                                   name_of(ear->f, e.after_fid, e.after_mid));
        if (e.type == TABLE_ROW_ADDED || e.type == TABLE_ROW_MODIFIED)
            assert_string_equal(e.row.values[0].str, name_of(ear->f, e.fid, e.mid)); /* MS-OXCNOTIF_R166 */
        ear->heard = talloc_asprintf_append(ear->heard, "%s", last);
    }
}

static struct ear *ear_new(struct store_fixture *f, struct store_table *t)
{
    struct ear *ear = talloc_zero(f->arena, struct ear);
    *ear = (struct ear){ f, t, talloc_strdup(ear, "") };
    f->also = listen;
    f->also_arg = ear;
    all(f, t);
    return ear;
}

static const char *heard(struct ear *ear)
{
    const char *text = ear->heard;
    ear->heard = talloc_strdup(ear, "");
    return text;
}

static void a_row_comes_changes_and_goes_behind_its_neighbour(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](t);
        struct ear *ear = ear_new(f, t);
        const uint64_t mid = MESSAGE(f, INBOX, subject("BB"), at(1));
        assert_string_equal(heard(ear), "+BB>B"); /* MS-OXCNOTIF_R23, R15801 */
        change(f, INBOX, mid, P_I32(PidTagImportance, 2));
        assert_string_equal(heard(ear), "*BB>B"); /* MS-OXCNOTIF_R25, R15802 */
        bool partial;
        OK(store_set_read_flags(f->store, INBOX, &mid, 1, 0x04, &partial));
        assert_string_equal(heard(ear), "*BB>B");
        change(f, INBOX, mids[0], i ? subject("Z") : at(9));
        assert_string_equal(heard(ear), i ? "*Z>E" : "*A>E"); /* to its new place */
        change(f, INBOX, mids[0], i ? subject("A") : at(0));
        assert_string_equal(heard(ear), "*A>"); /* the first row has no neighbour */
        delete_message(f, INBOX, mid, i);
        assert_string_equal(heard(ear), "-"); /* MS-OXCNOTIF_R24 */
        MESSAGE(f, DRAFTS, subject("elsewhere"));
        assert_string_equal(heard(ear), "");
        save(f, INBOX, true, (const struct prop[]){ subject("FAI") }, 1);
        assert_string_equal(heard(ear), "");
        f->also = NULL;
    }
}

static void a_move_takes_a_row_from_one_table_to_the_other(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    bool partial;
    struct store_table *from = five(f, mids), *to = contents(f, DRAFTS, 0);
    columns(to, PidTagSubject);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](from);
        ways[i](to);
        struct ear *ear = ear_new(f, from);
        OK(store_messages_move(f->store, INBOX, DRAFTS, mids + 2 * i, 2, false, NULL, &partial));
        assert_string_equal(heard(ear), "- -");
        ear = ear_new(f, to);
        OK(store_messages_move(f->store, INBOX, DRAFTS, mids + 4, 1, true, NULL, &partial));
        assert_true(strncmp(heard(ear), "+E>", 3) == 0);
        f->also = NULL;
    }
    struct ear *ear = ear_new(f, from);
    const uint64_t three[] = { MESSAGE(f, DRAFTS, subject("X"), at(21)), MESSAGE(f, DRAFTS, subject("Y"), at(22)),
                               MESSAGE(f, DRAFTS, subject("Z"), at(20)) };
    in_the_index(from);
    assert_string_equal(all(f, from), "E");
    OK(store_messages_move(f->store, DRAFTS, INBOX, three, 3, false, NULL, &partial));
    assert_string_equal(heard(ear), "+X>E +Y>X +Z>E"); /* never behind one that is not known yet */
}

static void a_row_that_a_restriction_lets_in_is_added(void **state)
{
    struct store_fixture *f = *state;
    uint64_t mids[5];
    struct store_table *t = five(f, mids);
    const struct restriction high = equals(P_I32(PidTagImportance, 1));
    OK(store_table_restrict(t, &high));
    struct ear *ear = ear_new(f, t);
    change(f, INBOX, mids[2], P_I32(PidTagImportance, 1));
    assert_string_equal(heard(ear), "+C>B");
    change(f, INBOX, mids[1], P_I32(PidTagImportance, 0));
    assert_string_equal(heard(ear), "-");
    change(f, INBOX, mids[1], subject("still outside"));
    assert_string_equal(heard(ear), "");
}

static void so_many_changes_at_once_are_one(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_full_folder(f, "full", 1500);
    bool partial;
    struct store_table *t = contents(f, fid, 0);
    columns(t, PidTagSubject);
    for (size_t i = 0; i < COUNTOF(ways); i++) {
        ways[i](t);
        struct ear *ear = ear_new(f, t);
        OK(store_set_read_flags(f->store, fid, NULL, 0, i ? 0x04 : 0, &partial));
        assert_true(*heard(ear) == '!'); /* MS-OXCNOTIF_R264 */
        assert_int_equal(read_all(f, t).count, 1000);
        f->also = NULL;
    }
    struct ear *ear = ear_new(f, t);
    OK(store_folder_empty(f->store, fid, STORE_MESSAGES, &partial));
    assert_true(strchr(heard(ear), '!') != NULL);
    assert_int_equal(read_all(f, t).count, 0);
}

static void without_columns_a_client_hears_that_something_changed(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = contents(f, INBOX, 0);
    struct ear *ear = ear_new(f, t);
    MESSAGE(f, INBOX, subject("one"));
    assert_string_equal(heard(ear), "!");
}

static void folders_come_change_and_go_in_hierarchy_tables(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    enum ec result;
    const uint64_t a = fixture_folder(f, INBOX, "a"), c = fixture_folder(f, INBOX, "c");
    struct store_table *t = hierarchy(f, INBOX, 0);
    struct ear *ear = ear_new(f, t);
    const uint64_t b = fixture_folder(f, INBOX, "b");
    assert_string_equal(heard(ear), "+b>a");
    MESSAGE(f, b, subject("new"));
    assert_string_equal(heard(ear), "*b>a"); /* its counts are new */
    OK(store_folder_set(f->store, b, &P_STR(PidTagDisplayName, "z"), 1, &result));
    assert_string_equal(heard(ear), "*z>c");
    const uint64_t below = fixture_folder(f, a, "below");
    assert_string_equal(heard(ear), "*a>"); /* it has subfolders now */
    MESSAGE(f, below, subject("deep"));
    assert_string_equal(heard(ear), "");
    OK(store_folder_move(f->store, INBOX, b, DRAFTS, NULL));
    assert_string_equal(heard(ear), "-");
    OK(store_folder_move(f->store, DRAFTS, b, INBOX, NULL));
    assert_string_equal(heard(ear), "+z>c");
    OK(store_folder_delete(f->store, INBOX, c, STORE_FOLDERS, &partial));
    assert_string_equal(heard(ear), "-");
    assert_string_equal(all(f, t), "a z");
}

static void a_table_of_all_levels_follows_folders_below(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    const uint64_t a = fixture_folder(f, INBOX, "a"), below = fixture_folder(f, a, "below");
    struct store_table *t = hierarchy(f, INBOX, TABLE_DEPTH);
    struct ear *ear = ear_new(f, t);
    MESSAGE(f, below, subject("deep"));
    assert_string_equal(heard(ear), "*below>a");
    fixture_folder(f, below, "deeper");
    assert_string_equal(heard(ear), "+deeper>below *below>a");
    OK(store_folder_move(f->store, INBOX, a, DRAFTS, NULL));
    assert_true(strchr(heard(ear), '!') != NULL); /* others went with it */
    assert_string_equal(all(f, t), "");
    OK(store_folder_move(f->store, DRAFTS, a, INBOX, NULL));
    assert_true(strchr(heard(ear), '!') != NULL);
    assert_string_equal(all(f, t), "a below deeper");
    OK(store_folder_delete(f->store, a, below, STORE_FOLDERS | STORE_MESSAGES, &partial));
    assert_true(strchr(heard(ear), '!') != NULL);
    assert_string_equal(all(f, t), "a");
}

/* ---- statements ---- */

static uint64_t statements_of_a_page(struct store_fixture *f, struct store_table *t, uint32_t rows)
{
    const uint64_t was = sql_statements_of(f->store->db);
    assert_int_equal(read_rows(f, t, true, rows).count, rows);
    return sql_statements_of(f->store->db) - was;
}

static uint32_t big(void)
{
    const char *sizes = getenv("OXCART_SIZES");
    return sizes && strcmp(sizes, "big") == 0 ? 100000 : 3000;
}

static void the_first_page_costs_the_same_in_a_big_folder(void **state)
{
    struct store_fixture *f = *state;
    const uint32_t sizes[] = { 1000, big() };
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        const uint64_t fid = fixture_full_folder(f, talloc_asprintf(f->arena, "%u", sizes[i]), sizes[i]);
        const uint64_t was = sql_statements_of(f->store->db);
        struct store_table *t = contents(f, fid, 0);
        assert_int_equal(sql_statements_of(f->store->db) - was, 2);
        static const uint32_t tags[] = { PidTagMid, PidTagSubject, PidTagImportance, PidTagMessageDeliveryTime };
        OK(store_table_columns(t, tags, COUNTOF(tags)));
        sort_by(t, PidTagMessageDeliveryTime, 1);
        assert_int_equal(statements_of_a_page(f, t, 50), 1);
        assert_int_equal(statements_of_a_page(f, t, 50), 1);
        seek(t, BOOKMARK_END, -50);
        assert_int_equal(statements_of_a_page(f, t, 50), 1);
        assert_true(store_table_at_end(t));
        OK(store_table_seek_fraction(t, 1, 2));
        assert_string_equal(position(f, t), talloc_asprintf(f->arena, "%u/%u", sizes[i] / 2, sizes[i]));
        assert_int_equal(statements_of_a_page(f, t, 50), 1);
    }
}

static void a_page_of_a_sorted_list_is_one_statement(void **state)
{
    struct store_fixture *f = *state;
    const uint32_t size = big();
    struct store_table *t = contents(f, fixture_full_folder(f, "big", size), 0);
    columns(t, PidTagMid);
    sort_by(t, PidTagImportance, 0);
    assert_string_equal(position(f, t), talloc_asprintf(f->arena, "0/%u", size));
    assert_int_equal(statements_of_a_page(f, t, 50), 1);
    OK(store_table_seek_fraction(t, 1, 2));
    assert_int_equal(statements_of_a_page(f, t, 50), 1);
    MESSAGE(f, DRAFTS, subject("elsewhere"));
    assert_int_equal(statements_of_a_page(f, t, 50), 1); /* nothing is sorted again */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_has_the_columns_that_were_set),
        cmocka_unit_test(what_a_message_has_not_is_not_found),
        cmocka_unit_test(a_value_is_cut_to_510_bytes),
        cmocka_unit_test(a_value_with_several_values_makes_several_rows),
        cmocka_unit_test(there_is_a_limit_to_columns_and_sort_orders),
        cmocka_unit_test(all_columns_are_those_that_rows_have),
        cmocka_unit_test(without_an_order_rows_come_as_they_were_delivered),
        cmocka_unit_test(rows_are_sorted_by_several_columns),
        cmocka_unit_test(texts_are_sorted_as_the_language_has_it),
        cmocka_unit_test(what_is_missing_is_sorted_first),
        cmocka_unit_test(values_of_every_type_are_sorted),
        cmocka_unit_test(a_new_order_begins_at_the_first_row_and_ends_the_bookmarks),
        cmocka_unit_test(a_restricted_table_has_only_the_rows_that_match),
        cmocka_unit_test(a_restriction_looks_at_recipients_and_attachments),
        cmocka_unit_test(reading_goes_on_where_it_stopped),
        cmocka_unit_test(reading_may_leave_the_cursor_where_it_is),
        cmocka_unit_test(a_row_that_does_not_fit_waits),
        cmocka_unit_test(what_comes_and_goes_elsewhere_does_not_move_the_cursor),
        cmocka_unit_test(seeking_moves_the_cursor_and_says_how_far),
        cmocka_unit_test(seeking_by_a_fraction_goes_to_the_nearest_row),
        cmocka_unit_test(an_empty_table_has_neither_rows_nor_places),
        cmocka_unit_test(a_row_is_found_in_both_directions),
        cmocka_unit_test(a_row_is_found_at_once_by_what_identifies_it),
        cmocka_unit_test(a_bookmark_leads_back_to_its_row),
        cmocka_unit_test(a_bookmark_whose_row_is_gone_leads_to_the_next_one),
        cmocka_unit_test(a_bookmark_follows_its_row_to_another_place),
        cmocka_unit_test(a_bookmark_that_was_freed_is_none),
        cmocka_unit_test(a_table_that_was_reset_is_as_new),
        cmocka_unit_test(associated_and_deleted_messages_have_tables_of_their_own),
        cmocka_unit_test(a_table_of_no_folder_is_not_opened),
        cmocka_unit_test(opening_a_table_says_how_many_rows_it_has),
        cmocka_unit_test(a_hierarchy_table_has_the_subfolders),
        cmocka_unit_test(deleted_folders_are_in_a_table_of_their_own),
        cmocka_unit_test(an_attachment_table_shows_what_is_saved_into_the_message),
        cmocka_unit_test(a_row_comes_changes_and_goes_behind_its_neighbour),
        cmocka_unit_test(a_move_takes_a_row_from_one_table_to_the_other),
        cmocka_unit_test(a_row_that_a_restriction_lets_in_is_added),
        cmocka_unit_test(so_many_changes_at_once_are_one),
        cmocka_unit_test(without_columns_a_client_hears_that_something_changed),
        cmocka_unit_test(folders_come_change_and_go_in_hierarchy_tables),
        cmocka_unit_test(a_table_of_all_levels_follows_folders_below),
        cmocka_unit_test(the_first_page_costs_the_same_in_a_big_folder),
        cmocka_unit_test(a_page_of_a_sorted_list_is_one_statement),
    };
    return store_fixture_run("tables", tests, COUNTOF(tests));
}
