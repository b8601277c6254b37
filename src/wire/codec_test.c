/* SPDX-License-Identifier: Apache-2.0 */
/* The bytes of values, rows and restrictions, as [MS-OXCDATA] 2.8, 2.11 and 2.12 and [MS-OXCMAPIHTTP] 2.2.1 give them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/wire.h"

static TALLOC_CTX *arena;

static int arena_new(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    return 0;
}

static int arena_free(void **state)
{
    (void)state;
    return talloc_free(arena);
}

static struct blob bytes_of(const char *hex)
{
    struct blob bytes;
    assert_true(hex_parse(arena, hex, &bytes));
    return bytes;
}

/* The same digits as hex_text gives, without the spaces of the test. */
static void assert_bytes(const struct buf *to, const char *hex)
{
    assert_string_equal(hex_text(arena, buf_blob(to)), hex_text(arena, bytes_of(hex)));
}

static struct wire_in reading(enum wire_flavour flavour, const char *hex)
{
    struct wire_in in = wire_in(arena, bytes_of(hex));
    in.flavour = flavour;
    return in;
}

/* The value takes exactly these bytes, both ways. */
static struct prop both_ways(enum wire_flavour flavour, struct prop p, const char *hex)
{
    struct buf to, again;
    buf_init(&to, arena);
    buf_init(&again, arena);
    struct wire_out out = wire_out(&to), back = wire_out(&again);
    out.flavour = back.flavour = flavour;
    wire_put_value(&out, &p);
    assert_false(out.full);
    assert_bytes(&to, hex);
    struct wire_in in = reading(flavour, hex);
    const struct prop q = wire_get_value(&in, p.tag);
    assert_false(in.bad);
    assert_int_equal(wire_left(&in), 0);
    wire_put_value(&back, &q);
    assert_bytes(&again, hex);
    return q;
}

static void refused(enum wire_flavour flavour, uint32_t tag, const char *hex)
{
    struct wire_in in = reading(flavour, hex);
    wire_get_value(&in, tag);
    assert_true(in.bad);
}

#define T(type) PROP_TAG(type, 0x6001)
#define ALL_FLAVOURS(f) for (enum wire_flavour f = WIRE_ROP; f <= WIRE_BAG; f++)

static void numbers_are_little_endian_in_every_flavour(void **state)
{
    (void)state;
    ALL_FLAVOURS(f)
    {
        both_ways(f, (struct prop){ .tag = T(PtypInteger16), .i16 = -2 }, "FE FF");
        both_ways(f, P_I32(T(PtypInteger32), 0x01020304), "04 03 02 01");
        both_ways(f, P_I64(T(PtypInteger64), 0x0102030405060708), "08 07 06 05 04 03 02 01");
        both_ways(f, P_I64(T(PtypCurrency), 12345), "39 30 00 00 00 00 00 00");
        both_ways(f, (struct prop){ .tag = T(PtypFloating32), .f32 = 1.5F }, "00 00 C0 3F");
        both_ways(f, (struct prop){ .tag = T(PtypFloating64), .f64 = 1.5 }, "00 00 00 00 00 00 F8 3F");
        both_ways(f, P_TIME(T(PtypTime), 0x01D8000000000001), "01 00 00 00 00 00 D8 01");
        both_ways(f, P_ERR(T(PtypErrorCode), ecNotFound), "0F 01 04 80");
        both_ways(f, P_BOOL(T(PtypBoolean), true), "01");
        both_ways(f, (struct prop){ .tag = T(PtypNull) }, "");
    }
}

static void any_byte_but_zero_is_true(void **state)
{
    (void)state;
    struct wire_in in = reading(WIRE_ROP, "FF");
    assert_true(wire_get_value(&in, T(PtypBoolean)).b);
}

static void guids_keep_their_bytes(void **state)
{
    (void)state;
    struct prop p = { .tag = T(PtypGuid) };
    assert_true(guid_parse("00020329-0000-0000-c000-000000000046", &p.guid));
    both_ways(WIRE_ROP, p, "29 03 02 00 00 00 00 00 C0 00 00 00 00 00 00 46");
}

static void text_is_UTF16_or_8_bit_and_UTF8_in_storage(void **state)
{
    (void)state;
    const char *text = "\xC3\xA4"
                       "b";
    both_ways(WIRE_ROP, P_STR(T(PtypString), text), "E4 00 62 00 00 00");
    both_ways(WIRE_ROP, P_STR(T(PtypString8), text), "E4 62 00");
    both_ways(WIRE_BAG, P_STR(T(PtypString), text), "C3 A4 62 00");
    both_ways(WIRE_BAG, P_STR(T(PtypString8), text), "C3 A4 62 00");
    both_ways(WIRE_NSPI, P_STR(T(PtypString), text), "FF E4 00 62 00 00 00"); /* MS-OXCMAPIHTTP_R2001, R2005 */
    both_ways(WIRE_NSPI, P_STR(T(PtypString8), text), "FF E4 62 00");         /* MS-OXCMAPIHTTP_R2002 */
}

/* [MS-OXCDATA] 2.11.1.1 */
static void bytes_are_counted_in_16_bits_in_a_ROP_and_in_32_elsewhere(void **state)
{
    (void)state;
    const struct prop p = P_BIN(T(PtypBinary), BLOB_OF("\xAA\xBB", 2));
    both_ways(WIRE_ROP, p, "02 00 AA BB");
    both_ways(WIRE_EXT, p, "02 00 00 00 AA BB");
    both_ways(WIRE_NSPI, p, "FF 02 00 00 00 AA BB"); /* MS-OXCMAPIHTTP_R2003 */
    both_ways(WIRE_BAG, p, "02 00 00 00 AA BB");
    both_ways(WIRE_ROP, P_BIN(T(PtypServerId), BLOB_OF("\x01", 1)), "01 00 01"); /* MS-OXCDATA_R2704 */
    both_ways(WIRE_EXT, P_BIN(T(PtypServerId), BLOB_OF("\x01", 1)), "01 00 01");
}

static void values_of_a_multiple_are_counted_in_32_bits_also_in_a_ROP(void **state)
{
    (void)state;
    const int32_t numbers[] = { 1, -1 };
    const char *const texts[] = { "a", "" };
    const struct blob blobs[] = { BLOB_OF("\x01\x02", 2), BLOB_OF("", 0) };
    struct prop p = { .tag = T(PtypMultiple | PtypInteger32), .mv = { 2, { numbers } } };
    both_ways(WIRE_ROP, p, "02 00 00 00 01 00 00 00 FF FF FF FF");
    both_ways(WIRE_NSPI, p, "FF 02 00 00 00 01 00 00 00 FF FF FF FF"); /* MS-OXCMAPIHTTP_R2251 */
    p = (struct prop){ .tag = T(PtypMultiple | PtypString), .mv = { 2, { texts } } };
    both_ways(WIRE_ROP, p, "02 00 00 00 61 00 00 00 00 00");
    both_ways(WIRE_NSPI, p, "FF 02 00 00 00 FF 61 00 00 00 FF 00 00");
    both_ways(WIRE_BAG, p, "02 00 00 00 61 00 00");
    p = (struct prop){ .tag = T(PtypMultiple | PtypBinary), .mv = { 2, { blobs } } };
    both_ways(WIRE_ROP, p, "02 00 00 00 02 00 01 02 00 00");
    both_ways(WIRE_EXT, p, "02 00 00 00 02 00 00 00 01 02 00 00 00 00");
}

static void an_absent_value_of_the_address_book_is_one_byte(void **state)
{
    (void)state;
    assert_null(both_ways(WIRE_NSPI, P_STR(T(PtypString), NULL), "00").str); /* MS-OXCMAPIHTTP_R2007 */
    assert_null(both_ways(WIRE_NSPI, P_BIN(T(PtypBinary), BLOB_OF(NULL, 0)), "00").bin.data);
    assert_null(both_ways(WIRE_NSPI, (struct prop){ .tag = T(PtypMultiple | PtypString) }, "00").mv.data);
    both_ways(WIRE_NSPI, (struct prop){ .tag = T(PtypObject) }, "");
}

static void an_absent_element_is_written_as_an_empty_one(void **state)
{
    (void)state;
    struct buf to;
    buf_init(&to, arena);
    struct wire_out out = wire_out(&to);
    out.flavour = WIRE_NSPI;
    struct wire_in in = reading(WIRE_NSPI, "FF 01 00 00 00 00");
    const struct prop p = wire_get_value(&in, T(PtypMultiple | PtypString));
    assert_int_equal(p.mv.count, 1);
    wire_put_value(&out, &p);
    assert_bytes(&to, "FF 01 00 00 00 FF 00 00");
}

/* [MS-OXORULE] 2.2.5 */
static void rule_actions_are_walked_block_by_block(void **state)
{
    (void)state;
    const char *rop =
        "02 00 09 00 0A 00 00 00 00 00 00 00 00 09 00 0B 00 00 00 00 00 00 00 00"; /* MS-OXORULE_R231, R236 */
    const char *ext = "01 00 00 00 09 00 00 00 0A 00 00 00 00 00 00 00 00";        /* MS-OXORULE_R945, R949 */
    both_ways(WIRE_ROP, P_BIN(T(PtypRuleAction), bytes_of(rop)), rop);
    both_ways(WIRE_EXT, P_BIN(T(PtypRuleAction), bytes_of(ext)), ext);
    both_ways(WIRE_BAG, P_BIN(T(PtypRuleAction), BLOB_OF("\0\0", 2)), "02 00 00 00 00 00");
    refused(WIRE_ROP, T(PtypRuleAction), "02 00 09 00 0A 00 00 00 00 00 00 00 00");
    refused(WIRE_ROP, T(PtypRuleAction), "FF FF");
}

static void what_has_no_value_or_no_end_is_refused(void **state)
{
    (void)state;
    refused(WIRE_ROP, T(PtypObject), "00 00 00 00");
    refused(WIRE_ROP, T(PtypUnspecified), "00 00 00 00");
    refused(WIRE_ROP, T(0x1234), "00 00 00 00");
    refused(WIRE_ROP, T(PtypMultiple | PtypBoolean), "01 00 00 00 01");
    refused(WIRE_ROP, T(PtypString), "61 00");
    refused(WIRE_ROP, T(PtypBinary), "03 00 01 02");
    refused(WIRE_ROP, T(PtypInteger32), "01 02 03");
    refused(WIRE_ROP, T(PtypRestriction), "");
    ALL_FLAVOURS(f)
    {
        refused(f, T(PtypMultiple | PtypInteger64), "FF FF FF FF FF FF FF FF FF FF FF FF");
        refused(f, T(PtypMultiple | PtypBinary), "FF FF FF FF FF FF FF FF FF FF FF FF");
        refused(f, T(PtypMultiple | PtypString8), "FF FF FF 7F 00 00 00 00");
    }
}

static void an_array_is_not_allocated_before_its_bytes_are_there(void **state)
{
    (void)state;
    refused(WIRE_ROP, T(PtypMultiple | PtypString), "FF FF FF 3F 00 00 00 00");
    assert_true(talloc_total_size(arena) < 4096);
}

static void what_a_count_cannot_say_does_not_fit(void **state)
{
    (void)state;
    struct buf to;
    buf_init(&to, arena);
    struct wire_out out = wire_out(&to);
    wire_put_value(&out, &P_BIN(T(PtypBinary), BLOB_OF(talloc_zero_size(arena, 65536), 65536)));
    assert_true(out.full);
}

/* ---- rows ---- */

static void row_both_ways(enum wire_flavour flavour, const uint32_t *columns, struct props row, const char *hex)
{
    struct buf to, again;
    buf_init(&to, arena);
    buf_init(&again, arena);
    struct wire_out out = wire_out(&to), back = wire_out(&again);
    out.flavour = back.flavour = flavour;
    out.columns = back.columns = columns;
    out.column_count = back.column_count = row.count;
    wire_put_row(&out, &row);
    assert_bytes(&to, hex);
    struct wire_in in = reading(flavour, hex);
    in.columns = columns;
    in.column_count = row.count;
    const struct props q = wire_get_row(&in);
    assert_false(in.bad);
    assert_int_equal(q.count, row.count);
    for (uint32_t i = 0; i < q.count; i++)
        assert_true(prop_equal(&row.values[i], &q.values[i]));
    wire_put_row(&back, &q);
    assert_bytes(&again, hex);
}

static const uint32_t columns[] = { PROP_TAG(PtypInteger32, 1), PROP_TAG(PtypString, 2), PROP_TAG(PtypUnspecified, 3) };

static void a_row_without_errors_is_a_standard_row(void **state)
{
    (void)state;
    const struct prop values[] = { P_I32(columns[0], 5), P_STR(columns[1], "a"),
                                   P_BOOL(PROP_TAG(PtypBoolean, 3), true) };
    row_both_ways(WIRE_ROP, columns, (struct props){ 3, values },
                  "00 05 00 00 00 61 00 00 00 0B 00 01"); /* MS-OXCDATA_R73, R75 */
    row_both_ways(WIRE_NSPI, columns, (struct props){ 3, values }, "00 05 00 00 00 FF 61 00 00 00 0B 00 01");
}

static void one_error_makes_it_a_flagged_row(void **state)
{
    (void)state;
    const struct prop values[] = { P_I32(columns[0], 5), P_ERR(columns[1], ecNotFound),
                                   P_BOOL(PROP_TAG(PtypBoolean, 3), true) };
    row_both_ways(WIRE_ROP, columns, (struct props){ 3, values }, /* MS-OXCDATA_R77, R81 */
                  "01 00 05 00 00 00 0A 0F 01 04 80 0B 00 00 01");
    const struct prop missing[] = { P_I32(columns[0], 5),
                                    { .tag = PROP_TAG(PtypNull, 2) },
                                    P_ERR(columns[2], ecNotEnoughMemory) };
    row_both_ways(WIRE_ROP, columns, (struct props){ 3, missing }, "01 00 05 00 00 00 01 0A 00 0A 0E 00 07 80");
}

static void a_value_stands_in_its_column_s_type(void **state)
{
    (void)state;
    struct buf to;
    buf_init(&to, arena);
    struct wire_out out = wire_out(&to);
    const uint32_t narrow[] = { PROP_TAG(PtypString8, 1), PROP_TAG(PtypInteger32, 2),
                                PROP_TAG(PtypMultivalueInstance | PtypMultiple | PtypString, 3) };
    const struct prop values[] = { P_STR(PROP_TAG(PtypString, 1), "a"), P_I64(PROP_TAG(PtypInteger64, 2), 1),
                                   P_STR(PROP_TAG(PtypString, 3), "b") };
    out.columns = narrow;
    out.column_count = 3;
    wire_put_row(&out, &(struct props){ 3, values });
    assert_bytes(&to, "01 00 61 00 0A 04 03 04 80 00 62 00 00 00"); /* ecUnexpectedType for the second */
}

static void a_row_may_not_have_more_columns_than_bytes(void **state)
{
    (void)state;
    uint32_t many[1000];
    for (size_t i = 0; i < COUNTOF(many); i++)
        many[i] = PROP_TAG(PtypNull, 1);
    struct wire_in in = reading(WIRE_ROP, "00 00");
    in.columns = many;
    in.column_count = COUNTOF(many);
    wire_get_row(&in);
    assert_true(in.bad);
    assert_true(talloc_total_size(arena) < 4096);
}

/* ---- restrictions ---- */

static struct restriction *restriction_both_ways(enum wire_flavour flavour, const char *hex)
{
    struct buf to;
    buf_init(&to, arena);
    struct wire_out out = wire_out(&to);
    struct wire_in in = reading(flavour, hex);
    out.flavour = flavour;
    struct restriction *r = wire_get_restriction(&in);
    assert_non_null(r);
    assert_false(in.bad);
    assert_int_equal(wire_left(&in), 0);
    wire_put_restriction(&out, r);
    assert_bytes(&to, hex);
    return r;
}

static void each_kind_of_restriction_keeps_its_bytes(void **state)
{
    (void)state;
    assert_int_equal(restriction_both_ways(WIRE_ROP, "00 02 00 08 1F 00 37 00 08 03 00 17 00")->count, 2);
    assert_int_equal(restriction_both_ways(WIRE_EXT, "01 01 00 00 00 08 1F 00 37 00")->type, RES_OR);
    assert_int_equal(restriction_both_ways(WIRE_ROP, "02 08 1F 00 37 00")->sub->tag, PidTagSubject);
    struct restriction *r = restriction_both_ways(WIRE_ROP, "03 01 00 03 00 1F 00 37 00 1F 00 37 00 61 00 00 00");
    assert_int_equal(r->fuzzy_low, FL_SUBSTRING);
    assert_int_equal(r->fuzzy_high, FL_IGNORECASE | FL_IGNORENONSPACE);
    assert_string_equal(r->value.str, "a");
    r = restriction_both_ways(WIRE_ROP, "04 03 03 00 17 00 03 00 17 00 02 00 00 00");
    assert_int_equal(r->relop, RELOP_GE);
    assert_int_equal(r->value.i32, 2);
    restriction_both_ways(WIRE_ROP, "05 04 03 00 17 00 03 00 26 00");
    assert_int_equal(restriction_both_ways(WIRE_ROP, "06 01 03 00 07 0E 01 00 00 00")->number, 1);
    restriction_both_ways(WIRE_ROP, "07 02 02 01 01 37 00 10 00 00");
    restriction_both_ways(WIRE_ROP, "09 0D 00 12 0E 08 1F 00 01 30");
    assert_int_equal(restriction_both_ways(WIRE_ROP, "0A 01 03 00 01 60 07 00 00 00 01 08 1F 00 37 00")->comment[0].i32,
                     7);
    assert_int_equal(restriction_both_ways(WIRE_ROP, "0A 00 00")->count, 0);
    restriction_both_ways(WIRE_ROP, "0B 05 00 00 00 08 1F 00 37 00");
}

static void the_address_book_s_restrictions_say_whether_a_value_follows(void **state)
{
    (void)state;
    struct restriction *r = restriction_both_ways(WIRE_NSPI, "04 04 1F 00 01 30 FF 1F 00 01 30 FF 61 00 00 00");
    assert_string_equal(r->value.str, "a");
    r = restriction_both_ways(WIRE_NSPI, "03 02 00 01 00 1F 00 01 30 00");
    assert_int_equal(r->value.tag, 0);
    assert_int_equal(restriction_both_ways(WIRE_NSPI, "00 01 00 00 00 08 1F 00 01 30")->count, 1);
}

static void a_restriction_nested_too_deep_or_counted_too_high_is_refused(void **state)
{
    (void)state;
    uint8_t nested[100];
    memset(nested, RES_NOT, sizeof nested);
    struct wire_in in = wire_in(arena, BLOB_OF(nested, sizeof nested));
    wire_get_restriction(&in);
    assert_true(in.bad);
    in = reading(WIRE_ROP, "00 FF FF 08 1F 00 37 00");
    wire_get_restriction(&in);
    assert_true(in.bad);
    in = reading(WIRE_ROP, "0C 00 00");
    wire_get_restriction(&in);
    assert_true(in.bad);
    in = reading(WIRE_ROP, "");
    assert_null(wire_get_restriction(&in));
    assert_false(in.bad);
}

static void a_restriction_may_be_a_value(void **state)
{
    (void)state;
    struct wire_in in = reading(WIRE_ROP, "FD 00 79 66 02 08 1F 00 37 00 0A 00 82 66");
    const struct prop p = wire_get_prop(&in);
    assert_false(in.bad);
    assert_int_equal(p.restriction->type, RES_NOT);
    assert_int_equal(wire_left(&in), 4);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(numbers_are_little_endian_in_every_flavour),
        TEST(any_byte_but_zero_is_true),
        TEST(guids_keep_their_bytes),
        TEST(text_is_UTF16_or_8_bit_and_UTF8_in_storage),
        TEST(bytes_are_counted_in_16_bits_in_a_ROP_and_in_32_elsewhere),
        TEST(values_of_a_multiple_are_counted_in_32_bits_also_in_a_ROP),
        TEST(an_absent_value_of_the_address_book_is_one_byte),
        TEST(an_absent_element_is_written_as_an_empty_one),
        TEST(rule_actions_are_walked_block_by_block),
        TEST(what_has_no_value_or_no_end_is_refused),
        TEST(an_array_is_not_allocated_before_its_bytes_are_there),
        TEST(what_a_count_cannot_say_does_not_fit),
        TEST(a_row_without_errors_is_a_standard_row),
        TEST(one_error_makes_it_a_flagged_row),
        TEST(a_value_stands_in_its_column_s_type),
        TEST(a_row_may_not_have_more_columns_than_bytes),
        TEST(each_kind_of_restriction_keeps_its_bytes),
        TEST(the_address_book_s_restrictions_say_whether_a_value_follows),
        TEST(a_restriction_nested_too_deep_or_counted_too_high_is_refused),
        TEST(a_restriction_may_be_a_value),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
