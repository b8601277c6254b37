/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCDATA] 2.12: which objects a restriction lets pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/wire.h"

#define KEYWORDS PROP_TAG(PtypMultiple | PtypString, 0x8001)
#define SIZES PROP_TAG(PtypMultiple | PtypInteger32, 0x8002)

static const char *const keywords[] = { "Red", "Blue category" };
static const int32_t sizes[] = { 10, 20 };
static const struct prop message[] = {
    P_STR(PidTagSubject, "Re: Caf\xC3\xA9 OPENING"),
    P_I32(PidTagImportance, 2),
    P_I32(PidTagMessageFlags, 0x11),
    P_I32(PidTagPriority, 1),
    P_STR(PidTagDisplayTo, "alice"),
    P_STR(PidTagDisplayCc, "Alice"),
    { .tag = PidTagSearchKey, .bin = { (const uint8_t *)"\x01\x02\x03\x00\x05", 5 } },
    { .tag = KEYWORDS, .mv = { 2, { keywords } } },
    { .tag = SIZES, .mv = { 2, { sizes } } },
    P_ERR(PidTagBody, ecNotEnoughMemory),
};

static const struct prop *find(void *arg, uint32_t tag)
{
    (void)arg;
    const struct prop *p = prop_find(message, COUNTOF(message), tag);
    return p ? p : prop_find(message, COUNTOF(message), PROP_AS(tag, PtypErrorCode));
}

/* Two recipients, by name. */
static const struct prop *find_recipient(void *arg, uint32_t tag)
{
    const struct prop *row = arg;
    return PROP_ID(tag) == PROP_ID(row->tag) ? row : NULL;
}

static bool any_recipient(void *arg, uint32_t tag, const struct restriction *r)
{
    (void)arg;
    static const struct prop rows[] = { P_STR(PidTagDisplayName, "Bob"), P_STR(PidTagDisplayName, "Carol") };
    for (size_t i = 0; i < COUNTOF(rows) && tag == PidTagMessageRecipients; i++) {
        const struct restriction_subject one = { .find = find_recipient,
                                                 .arg = (void *)(uintptr_t)&rows[i],
                                                 .lcid = 0x409 };
        if (restriction_match(r, &one))
            return true;
    }
    return false;
}

static bool match(struct restriction r)
{
    const struct restriction_subject subject = { .find = find, .sub = any_recipient, .lcid = 0x409 };
    return restriction_match(&r, &subject);
}

static struct restriction property(uint32_t tag, enum relop relop, struct prop value)
{
    return (struct restriction){ .type = RES_PROPERTY, .tag = tag, .relop = (uint8_t)relop, .value = value };
}

static struct restriction content(uint32_t tag, uint16_t low, uint16_t high, struct prop value)
{
    return (
        struct restriction){ .type = RES_CONTENT, .tag = tag, .fuzzy_low = low, .fuzzy_high = high, .value = value };
}

static bool subject_has(uint16_t low, uint16_t high, const char *text)
{
    return match(content(PidTagSubject, low, high, P_STR(PidTagSubject, text)));
}

static bool importance(enum relop relop, int32_t value)
{
    return match(property(PidTagImportance, relop, P_I32(PidTagImportance, value)));
}

static void numbers_are_compared_by_all_operators(void **state)
{
    (void)state;
    assert_true(importance(RELOP_EQ, 2) && !importance(RELOP_EQ, 1));
    assert_true(importance(RELOP_NE, 1) && !importance(RELOP_NE, 2));
    assert_true(importance(RELOP_LT, 3) && !importance(RELOP_LT, 2));
    assert_true(importance(RELOP_LE, 2) && !importance(RELOP_LE, 1));
    assert_true(importance(RELOP_GT, 1) && !importance(RELOP_GT, 2));
    assert_true(importance(RELOP_GE, 2) && !importance(RELOP_GE, 3));
    assert_false(importance(RELOP_MEMBER_OF_DL, 2));
}

static void a_missing_property_passes_nothing_but_its_negation(void **state)
{
    (void)state;
    const struct restriction missing = property(PidTagSensitivity, RELOP_NE, P_I32(PidTagSensitivity, 1));
    assert_false(match(missing));
    assert_true(match((struct restriction){ .type = RES_NOT, .count = 1, .sub = &missing }));
    assert_false(match(property(PidTagBody, RELOP_NE, P_STR(PidTagBody, "x")))); /* there as an error only */
    assert_false(match((struct restriction){ .type = RES_EXIST, .tag = PidTagSensitivity }));
    assert_true(match((struct restriction){ .type = RES_EXIST, .tag = PidTagImportance }));
    assert_false(match((struct restriction){ .type = RES_BITMASK, .tag = PidTagSensitivity, .number = 1 }));
    assert_false(
        match((struct restriction){ .type = RES_SIZE, .tag = PidTagSensitivity, .relop = RELOP_LT, .number = 99 }));
}

static void text_is_equal_without_regard_to_case(void **state)
{
    (void)state;
    assert_true(match(property(PidTagDisplayTo, RELOP_EQ, P_STR(PidTagDisplayTo, "ALICE"))));
    assert_true(match(property(PROP_AS(PidTagDisplayTo, PtypString8), RELOP_EQ,
                               P_STR(PROP_AS(PidTagDisplayTo, PtypString8), "alice"))));
    assert_false(match(property(PidTagDisplayTo, RELOP_EQ, P_STR(PidTagDisplayTo, "alic\xC3\xA9"))));
    assert_true(match(property(PidTagDisplayTo, RELOP_LT, P_STR(PidTagDisplayTo, "BOB"))));
    assert_true(match(property(PidTagDisplayTo, RELOP_GT,
                               P_STR(PidTagDisplayTo, "\xC3\x84"
                                                      "aron"))));
    assert_true(match(property(PidTagDisplayTo, RELOP_NE, P_STR(PidTagDisplayTo, "bob"))));
    assert_false(match(property(PidTagDisplayTo, RELOP_EQ, P_I32(PROP_AS(PidTagDisplayTo, PtypInteger32), 1))));
}

static void content_is_found_whole_inside_or_at_the_front(void **state)
{
    (void)state;
    assert_true(subject_has(FL_SUBSTRING, 0, "OPEN"));
    assert_false(subject_has(FL_SUBSTRING, 0, "open"));
    assert_true(subject_has(FL_SUBSTRING, FL_IGNORECASE, "open"));
    assert_true(subject_has(FL_PREFIX, FL_IGNORECASE, "re: "));
    assert_false(subject_has(FL_PREFIX, FL_IGNORECASE, "caf"));
    assert_true(subject_has(FL_FULLSTRING, FL_IGNORECASE, "re: caf\xC3\xA9 opening"));
    assert_false(subject_has(FL_FULLSTRING, FL_IGNORECASE, "re: caf\xC3\xA9"));
    assert_true(subject_has(FL_SUBSTRING, 0, ""));
}

static void accents_count_unless_they_are_ignored(void **state)
{
    (void)state;
    assert_false(subject_has(FL_SUBSTRING, FL_IGNORECASE, "cafe"));
    assert_true(subject_has(FL_SUBSTRING, FL_IGNORENONSPACE, "Cafe"));
    assert_false(subject_has(FL_SUBSTRING, FL_IGNORENONSPACE, "cafe"));
    assert_true(subject_has(FL_SUBSTRING, FL_LOOSE, "CAFE o"));
}

static void bytes_are_searched_as_bytes(void **state)
{
    (void)state;
    const struct prop inside = P_BIN(PidTagSearchKey, BLOB_OF("\x03\x00\x05", 3)),
                      front = P_BIN(PidTagSearchKey, BLOB_OF("\x01\x02", 2));
    assert_true(match(content(PidTagSearchKey, FL_SUBSTRING, 0, inside)));
    assert_false(match(content(PidTagSearchKey, FL_PREFIX, 0, inside)));
    assert_true(match(content(PidTagSearchKey, FL_PREFIX, 0, front)));
    assert_false(match(content(PidTagSearchKey, FL_FULLSTRING, 0, front)));
    assert_false(match(content(PidTagImportance, FL_SUBSTRING, 0, P_I32(PidTagImportance, 2))));
}

static void a_multiple_value_passes_by_any_of_its_values(void **state)
{
    (void)state;
    const struct prop red = P_STR(PROP_AS(KEYWORDS, PtypString), "red"),
                      cat = P_STR(PROP_AS(KEYWORDS, PtypString), "cat");
    assert_true(match(property(KEYWORDS, RELOP_EQ, red)));
    assert_false(match(property(KEYWORDS, RELOP_EQ, cat)));
    assert_true(match(content(KEYWORDS, FL_SUBSTRING, FL_IGNORECASE, cat)));
    assert_true(match(property(SIZES, RELOP_GT, P_I32(PROP_AS(SIZES, PtypInteger32), 15))));
    assert_false(match(property(SIZES, RELOP_GT, P_I32(PROP_AS(SIZES, PtypInteger32), 25))));
    assert_true(match(property(SIZES, RELOP_EQ, (struct prop){ .tag = SIZES, .mv = { 2, { sizes } } })));
    assert_false(match(property(SIZES, RELOP_EQ, (struct prop){ .tag = SIZES, .mv = { 1, { sizes } } })));
}

static void bits_sizes_and_two_properties_are_compared(void **state)
{
    (void)state;
    assert_true(
        match((struct restriction){ .type = RES_BITMASK, .tag = PidTagMessageFlags, .relop = 1, .number = 0x10 }));
    assert_false(
        match((struct restriction){ .type = RES_BITMASK, .tag = PidTagMessageFlags, .relop = 0, .number = 0x10 }));
    assert_true(
        match((struct restriction){ .type = RES_BITMASK, .tag = PidTagMessageFlags, .relop = 0, .number = 0x20 }));
    assert_true(
        match((struct restriction){ .type = RES_SIZE, .tag = PidTagSearchKey, .relop = RELOP_EQ, .number = 5 }));
    assert_true(match((struct restriction){ .type = RES_SIZE, .tag = PidTagSubject, .relop = RELOP_GT, .number = 10 }));
    assert_true(match((struct restriction){
        .type = RES_COMPAREPROPS, .relop = RELOP_GT, .tag = PidTagImportance, .tag2 = PidTagPriority }));
    assert_true(match((struct restriction){
        .type = RES_COMPAREPROPS, .relop = RELOP_EQ, .tag = PidTagDisplayTo, .tag2 = PidTagDisplayCc }));
    assert_false(match((struct restriction){
        .type = RES_COMPAREPROPS, .relop = RELOP_EQ, .tag = PidTagDisplayTo, .tag2 = PidTagPriority }));
}

static void lists_are_all_or_any_and_empty_ones_too(void **state)
{
    (void)state;
    const struct restriction both[] = { property(PidTagImportance, RELOP_EQ, P_I32(PidTagImportance, 2)),
                                        { .type = RES_EXIST, .tag = PidTagSensitivity } };
    assert_false(match((struct restriction){ .type = RES_AND, .count = 2, .sub = both }));
    assert_true(match((struct restriction){ .type = RES_OR, .count = 2, .sub = both }));
    assert_true(match((struct restriction){ .type = RES_AND }));
    assert_false(match((struct restriction){ .type = RES_OR }));
    assert_true(match((struct restriction){ .type = RES_COMMENT }));
    assert_false(match((struct restriction){ .type = RES_COMMENT, .count = 1, .sub = &both[1] }));
    assert_true(match((struct restriction){ .type = RES_COUNT, .number = 3, .count = 1, .sub = &both[0] }));
}

static void a_subobject_passes_when_one_of_them_does(void **state)
{
    (void)state;
    const struct restriction carol = property(PidTagDisplayName, RELOP_EQ, P_STR(PidTagDisplayName, "carol"));
    const struct restriction dave = property(PidTagDisplayName, RELOP_EQ, P_STR(PidTagDisplayName, "dave"));
    assert_true(match(
        (struct restriction){ .type = RES_SUBOBJECT, .tag = PidTagMessageRecipients, .count = 1, .sub = &carol }));
    assert_false(
        match((struct restriction){ .type = RES_SUBOBJECT, .tag = PidTagMessageRecipients, .count = 1, .sub = &dave }));
    assert_false(match(
        (struct restriction){ .type = RES_SUBOBJECT, .tag = PidTagMessageAttachments, .count = 1, .sub = &carol }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_compared_by_all_operators),
        cmocka_unit_test(a_missing_property_passes_nothing_but_its_negation),
        cmocka_unit_test(text_is_equal_without_regard_to_case),
        cmocka_unit_test(content_is_found_whole_inside_or_at_the_front),
        cmocka_unit_test(accents_count_unless_they_are_ignored),
        cmocka_unit_test(bytes_are_searched_as_bytes),
        cmocka_unit_test(a_multiple_value_passes_by_any_of_its_values),
        cmocka_unit_test(bits_sizes_and_two_properties_are_compared),
        cmocka_unit_test(lists_are_all_or_any_and_empty_ones_too),
        cmocka_unit_test(a_subobject_passes_when_one_of_them_does),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
