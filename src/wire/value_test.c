/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/wire.h"

#define LCID_ENGLISH 0x0409
#define LCID_SWEDISH 0x041D

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

static void the_two_kinds_of_text_find_each_other(void **state)
{
    (void)state;
    const struct prop props[] = { P_STR(PidTagSubject, "hello"), P_I32(PidTagImportance, 2),
                                  P_STR(PROP_AS(PidTagDisplayName, PtypString8), "narrow"),
                                  P_ERR(PidTagBody, ecNotFound) };
    assert_ptr_equal(prop_find(props, 4, PidTagSubject), &props[0]);
    assert_ptr_equal(prop_find(props, 4, PROP_AS(PidTagSubject, PtypString8)), &props[0]);
    assert_ptr_equal(prop_find(props, 4, PidTagDisplayName), &props[2]);
    assert_ptr_equal(prop_find(props, 4, PROP_AS(PidTagImportance, PtypUnspecified)), &props[1]);
    assert_null(prop_find(props, 4, PROP_AS(PidTagImportance, PtypInteger64)));
    assert_null(prop_find(props, 4, PidTagBody));
    assert_ptr_equal(prop_find(props, 4, PROP_AS(PidTagBody, PtypErrorCode)), &props[3]);
    assert_null(prop_find(props, 4, PidTagSensitivity));
    assert_null(prop_find(NULL, 0, PidTagSubject));
}

static void tags_have_the_specification_s_names(void **state)
{
    (void)state;
    assert_string_equal(prop_name(PidTagSubject), "PidTagSubject");
    assert_string_equal(prop_name(PROP_AS(PidTagSubject, PtypString8)), "PidTagSubject");
    assert_string_equal(prop_name(PROP_AS(PidTagSubject, PtypErrorCode)), "PidTagSubject");
    assert_null(prop_name(0x8123001F));
    assert_null(prop_name(0x00000001));
    assert_null(prop_name(0xFFFF001F));
}

static void every_named_tag_is_found_by_its_name_alone(void **state)
{
    (void)state;
#define PROP(name, tag)                                                                                                \
    assert_non_null(prop_name(tag));                                                                                   \
    assert_true(prop_type_known(PROP_TYPE(tag)));
#include "wire/proptag.def"
#undef PROP
}

static int order(struct prop a, struct prop b)
{
    const int ab = prop_compare(&a, &b, LCID_ENGLISH), ba = prop_compare(&b, &a, LCID_ENGLISH);
    assert_true((ab > 0) == (ba < 0) && (ab == 0) == (ba == 0));
    return ab;
}

#define T(type) PROP_TAG(type, 0x6001)

static void values_have_the_order_of_their_type(void **state)
{
    (void)state;
    assert_true(order(P_I32(T(PtypInteger32), -1), P_I32(T(PtypInteger32), 1)) < 0);
    assert_true(order((struct prop){ .tag = T(PtypInteger16), .i16 = -300 },
                      (struct prop){ .tag = T(PtypInteger16), .i16 = 5 }) < 0);
    assert_true(order(P_I64(T(PtypInteger64), -5), P_I64(T(PtypInteger64), 5)) < 0);
    assert_true(order(P_TIME(T(PtypTime), 1), P_TIME(T(PtypTime), UINT64_MAX)) < 0);
    assert_true(order(P_BOOL(T(PtypBoolean), false), P_BOOL(T(PtypBoolean), true)) < 0);
    assert_true(order((struct prop){ .tag = T(PtypFloating64), .f64 = -2.5 },
                      (struct prop){ .tag = T(PtypFloating64), .f64 = 1 }) < 0);
    assert_true(order((struct prop){ .tag = T(PtypFloating64), .f64 = 1 },
                      (struct prop){ .tag = T(PtypFloating64), .f64 = __builtin_nan("") }) < 0);
    assert_true(order(P_BIN(T(PtypBinary), BLOB_OF("ab", 2)), P_BIN(T(PtypBinary), BLOB_OF("abc", 3))) < 0);
    assert_true(order(P_BIN(T(PtypBinary), BLOB_OF("\xFF", 1)), P_BIN(T(PtypBinary), BLOB_OF("abc", 3))) > 0);
    assert_int_equal(order(P_I32(T(PtypInteger32), 7), P_I32(PROP_TAG(PtypInteger32, 2), 7)), 0);
}

static void text_has_the_order_of_the_locale(void **state)
{
    (void)state;
    const struct prop a = P_STR(T(PtypString), "zebra"), b = P_STR(T(PtypString8), "\xC3\xA4ngel");
    assert_true(prop_compare(&a, &b, LCID_ENGLISH) > 0);
    assert_true(prop_compare(&a, &b, LCID_SWEDISH) < 0);
    assert_true(order(P_STR(T(PtypString), "apple"), P_STR(T(PtypString), "Banana")) < 0);
    assert_int_equal(order(P_STR(T(PtypString), NULL), P_STR(T(PtypString), "")), 0);
}

static void multiple_values_are_ordered_element_by_element(void **state)
{
    (void)state;
    const int32_t one[] = { 1, 2 }, two[] = { 1, 3 };
    const struct prop a = { .tag = T(PtypMultiple | PtypInteger32), .mv = { 2, { one } } };
    const struct prop b = { .tag = T(PtypMultiple | PtypInteger32), .mv = { 2, { two } } };
    const struct prop shorter = { .tag = T(PtypMultiple | PtypInteger32), .mv = { 1, { one } } };
    assert_true(order(a, b) < 0);
    assert_true(order(shorter, a) < 0);
    assert_true(prop_equal(&a, &a));
    assert_false(prop_equal(&a, &b));
}

static void equal_text_is_the_same_text(void **state)
{
    (void)state;
    const struct prop a = P_STR(T(PtypString), "x"), b = P_STR(T(PtypString8), "x"), c = P_STR(T(PtypString), "X");
    assert_true(prop_equal(&a, &b));
    assert_false(prop_equal(&a, &c));
    assert_false(prop_equal(&a, &P_I32(T(PtypInteger32), 1)));
}

/* ---- copies ---- */

static struct restriction sample_restriction(struct restriction *parts, struct prop *comment)
{
    *comment = P_STR(PROP_TAG(PtypString, 1), "note");
    parts[0] = (struct restriction){ .type = RES_EXIST, .tag = PidTagSubject };
    parts[1] = (struct restriction){ .type = RES_COMMENT, .comment_count = 1, .comment = comment };
    return (struct restriction){ .type = RES_OR, .count = 2, .sub = parts };
}

static void a_copy_outlives_what_it_was_made_of(void **state)
{
    (void)state;
    TALLOC_CTX *first = talloc_new(NULL);
    struct restriction parts[2];
    struct prop comment;
    const struct restriction r = sample_restriction(parts, &comment);
    const char *const texts[] = { talloc_strdup(first, "a"), talloc_strdup(first, "b") };
    const struct blob blobs[] = { BLOB_OF(talloc_strdup(first, "xyz"), 3), BLOB_OF("", 0) };
    const struct prop values[] = {
        P_STR(T(PtypString), talloc_strdup(first, "text")),
        P_BIN(T(PtypBinary), BLOB_OF(talloc_strdup(first, "bytes"), 5)),
        P_BIN(T(PtypBinary), BLOB_OF(NULL, 0)),
        P_I32(T(PtypInteger32), 9),
        { .tag = T(PtypMultiple | PtypString), .mv = { 2, { texts } } },
        { .tag = T(PtypMultiple | PtypBinary), .mv = { 2, { blobs } } },
        { .tag = T(PtypMultiple | PtypString) },
        { .tag = T(PtypRestriction), .restriction = &r },
    };
    struct prop copies[COUNTOF(values)];
    struct buf before, after;
    buf_init(&before, arena);
    buf_init(&after, arena);
    for (size_t i = 0; i < COUNTOF(values); i++) {
        wire_dump_prop(&before, &values[i], 0);
        copies[i] = prop_copy(arena, &values[i]);
        assert_true(prop_equal(&values[i], &copies[i]));
    }
    assert_null(copies[2].bin.data);
    talloc_free(first);
    memset(parts, 0xFF, sizeof parts);
    for (size_t i = 0; i < COUNTOF(values); i++)
        wire_dump_prop(&after, &copies[i], 0);
    assert_true(blob_equal(buf_blob(&before), buf_blob(&after)));
}

static void a_copy_takes_memory_in_proportion_to_the_value(void **state)
{
    (void)state;
    enum { ELEMENTS = 20000, BYTES_PER_BYTE = 8 };
    static const char *texts[ELEMENTS];
    static struct blob blobs[ELEMENTS];
    for (size_t length = 0; length < 3; length++) {
        for (size_t i = 0; i < ELEMENTS; i++) {
            texts[i] = &"ab"[2 - length];
            blobs[i] = BLOB_OF("ab", length);
        }
        const struct prop values[] = { { .tag = T(PtypMultiple | PtypString), .mv = { ELEMENTS, { texts } } },
                                       { .tag = T(PtypMultiple | PtypBinary), .mv = { ELEMENTS, { blobs } } } };
        for (size_t i = 0; i < COUNTOF(values); i++) {
            TALLOC_CTX *owner = talloc_new(arena);
            const struct prop copy = prop_copy(owner, &values[i]);
            assert_true(prop_equal(&copy, &values[i]));
            assert_true(talloc_total_size(owner) <= BYTES_PER_BYTE * prop_size(&values[i]));
            assert_true(talloc_total_blocks(owner) == 2); /* the owner and one block */
        }
    }
}

/* ---- sizes ---- */

static void sizes_are_those_of_the_wire(void **state)
{
    (void)state;
    const char *text = "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x93\xA7"; /* 1, 1, 1 and 2 units */
    const int16_t shorts[] = { 1, 2, 3 };
    const struct prop values[] = {
        P_STR(T(PtypString), text),
        P_STR(T(PtypString8), "abc"),
        P_BIN(T(PtypBinary), BLOB_OF("12345", 5)),
        P_I64(T(PtypInteger64), 1),
        P_BOOL(T(PtypBoolean), true),
        { .tag = T(PtypMultiple | PtypInteger16), .mv = { 3, { shorts } } },
    };
    const size_t lengths[] = { 12, 4, 5, 8, 1, 6 };
    for (size_t i = 0; i < COUNTOF(values); i++) {
        struct buf to;
        buf_init(&to, arena);
        struct wire_out out = wire_out(&to);
        wire_put_value(&out, &values[i]);
        assert_int_equal(prop_size(&values[i]), to.size);
        assert_int_equal(prop_length(&values[i]), lengths[i]);
    }
}

static void only_text_is_converted(void **state)
{
    (void)state;
    struct prop out;
    const struct prop text = P_STR(T(PtypString), "a"), number = P_I32(T(PtypInteger32), 1);
    assert_int_equal(prop_convert(&text, PtypString8, &out), ecNone);
    assert_int_equal(PROP_TYPE(out.tag), PtypString8);
    assert_string_equal(out.str, "a");
    assert_int_equal(prop_convert(&number, PtypUnspecified, &out), ecNone);
    assert_int_equal(PROP_TYPE(out.tag), PtypInteger32);
    assert_int_equal(prop_convert(&number, PtypInteger64, &out), ecUnexpectedType);
    assert_int_equal(prop_convert(&text, PtypBinary, &out), ecUnexpectedType);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(the_two_kinds_of_text_find_each_other),
        TEST(tags_have_the_specification_s_names),
        TEST(every_named_tag_is_found_by_its_name_alone),
        TEST(values_have_the_order_of_their_type),
        TEST(text_has_the_order_of_the_locale),
        TEST(multiple_values_are_ordered_element_by_element),
        TEST(equal_text_is_the_same_text),
        TEST(a_copy_outlives_what_it_was_made_of),
        TEST(a_copy_takes_memory_in_proportion_to_the_value),
        TEST(sizes_are_those_of_the_wire),
        TEST(only_text_is_converted),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
