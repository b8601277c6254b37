/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXORULE] 2.2.4, 2.2.5 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/rule_action.h"

static int setup(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    talloc_free(*state);
    return 0;
}

static struct blob bytes_of(TALLOC_CTX *arena, const char *hex)
{
    struct blob bytes = { NULL, 0 };
    assert_true(hex_parse(arena, hex, &bytes));
    return bytes;
}

static uint32_t read_actions(TALLOC_CTX *arena, enum wire_flavour flavour, const char *hex, struct rule_action **out)
{
    uint32_t count;
    assert_true(rule_actions(arena, bytes_of(arena, hex), flavour, out, &count));
    return count;
}

static void refused(TALLOC_CTX *arena, enum wire_flavour flavour, const char *hex)
{
    struct rule_action *actions;
    uint32_t count;
    assert_false(rule_actions(arena, bytes_of(arena, hex), flavour, &actions, &count));
}

static void a_move_names_a_folder_of_this_store_by_its_id(void **state)
{
    struct rule_action *a;
    assert_int_equal(read_actions(*state, WIRE_ROP,
                                  "0100 2400 01 00000000 00000000" /* R246 */
                                  "01 0100 00 1500 01 0100000000000B 0E 0000000000000000 00000000",
                                  &a),
                     1);
    assert_int_equal(a->type, OP_MOVE);
    assert_false(a->elsewhere);                          /* R703 */
    assert_true(a->fid == UINT64_C(0x0E0B000000000001)); /* R736, R983 */
}

static void a_folder_in_another_store_is_for_the_client(void **state)
{
    struct rule_action *a;
    read_actions(*state, WIRE_ROP, "0100 1300 02 00000000 00000000 00 0200 AABB 0300 010203", &a);
    assert_int_equal(a->type, OP_COPY);                                                   /* R249 */
    assert_true(a->elsewhere);                                                            /* R704, R737 */
    refused(*state, WIRE_ROP, "0100 1300 02 00000000 00000000 01 0200 AABB 0300 010203"); /* R982 */
}

static void an_extended_rule_counts_in_32_bits(void **state)
{
    struct rule_action *a;
    assert_int_equal(read_actions(*state, WIRE_EXT, /* R945, R949 */
                                  "02000000 14000000 01 00000000 00000000 01000000 AA 02000000 BBCC"
                                  "09000000 0B 00000000 00000000",
                                  &a),
                     2);
    assert_int_equal(a[0].entry_id.size, 2);      /* R970, R975 */
    assert_int_equal(a[1].type, OP_MARK_AS_READ); /* R269 */
}

static void a_reply_names_its_template(void **state)
{
    struct rule_action *a;
    read_actions(*state, WIRE_ROP,
                 "0100 2900 04 02000000 00000000 0100000000000B0E 01000000000000FF 000102030405060708090A0B0C0D0E0F",
                 &a);
    assert_int_equal(a->type, OP_OOF_REPLY);             /* R254 */
    assert_int_equal(a->flavor, REPLY_STOCK_TEXT);       /* R289 */
    assert_true(a->mid == UINT64_C(0xFF00000000000001)); /* R307 */
    assert_int_equal(a->template_guid.bytes[15], 0x0F);  /* R308 */
}

static void a_forward_has_recipients_with_properties(void **state)
{
    struct rule_action *a;
    read_actions(*state, WIRE_ROP, "0100 1E00 07 01000000 00000000 0100 01 0200 1F000130 41000000 0300150C 01000000",
                 &a);
    assert_int_equal(a->type, OP_FORWARD); /* R261 */
    assert_int_equal(a->recipient_count, 1);
    assert_int_equal(a->recipients[0].count, 2); /* R1006 */
    assert_string_equal(a->recipients[0].values[0].str, "A");
    read_actions(*state, WIRE_EXT, "01000000 1A000000 08 00000000 00000000 01000000 00 01000000 0300150C 01000000", &a);
    assert_int_equal(a->type, OP_DELEGATE);                           /* R263 */
    assert_int_equal(a->recipients[0].count, 1);                      /* R330 */
    refused(*state, WIRE_ROP, "0100 0B00 07 00000000 00000000 0000"); /* R324 */
}

static void bounce_codes_are_three_and_a_tag_is_a_property(void **state)
{
    struct rule_action *a;
    read_actions(*state, WIRE_ROP,
                 "0200 0D00 06 00000000 00000000 26000000 1100 09 00000000 00000000 03001700 02000000", &a);
    assert_int_equal(a[0].bounce_code, BOUNCE_DENIED); /* R339, R343 */
    assert_int_equal(a[1].tag.tag, PidTagImportance);  /* R739 */
    assert_int_equal(a[1].tag.u32, 2);
    refused(*state, WIRE_ROP, "0100 0D00 06 00000000 00000000 27000000"); /* R340 */
}

static void what_is_no_action_is_refused(void **state)
{
    refused(*state, WIRE_ROP, "0000"); /* R232 */
    refused(*state, WIRE_ROP, "");
    refused(*state, WIRE_ROP, "0100 0900 0C 00000000 00000000"); /* R245 */
    refused(*state, WIRE_ROP, "0100 0900 00 00000000 00000000");
    refused(*state, WIRE_ROP, "0200 0900 0A 00000000 00000000");
    refused(*state, WIRE_ROP, "0100 0900 0A 00000000 00000000 00");
    refused(*state, WIRE_EXT, "FFFFFFFF 09000000 0A 00000000 00000000");
}

static void deferred_actions_are_packed_as_the_client_wrote_them(void **state)
{
    struct rule_action *a;
    const char *hex = "0200 0B00 05 00000000 07000000 AABB 0A00 05 00000000 00000000 CC";
    read_actions(*state, WIRE_ROP, hex, &a);
    const struct rule_action *const both[] = { &a[0], &a[1] };
    assert_true(blob_equal(rule_actions_deferred(*state, both, 2), bytes_of(*state, hex))); /* R320, R364, R366 */
}

/* [MS-OXORULE] 2.2.4.2 */
static void an_extended_condition_says_which_names_its_properties_have(void **state)
{
    struct wire_in in =
        wire_in(*state, bytes_of(*state, "0100 0080 15000000 00 2903020000000000C000000000000046 10000000"
                                         "08 0B000080"));
    struct ExtendedRuleCondition c;
    in.flavour = WIRE_EXT;
    assert_true(wire_get(&in, &ExtendedRuleCondition_wire, &c));
    assert_int_equal(c.NamedPropertyInformation.NoOfNamedProps, 1);            /* R221 */
    assert_int_equal(c.NamedPropertyInformation.PropIds[0], 0x8000);           /* R218 */
    assert_int_equal(c.NamedPropertyInformation.NamedProperties[0].LID, 0x10); /* R941 */
    assert_int_equal(c.RuleRestriction->type, RES_EXIST);
    in = wire_in(*state, bytes_of(*state, "0000 08 1F003700")); /* R697 */
    in.flavour = WIRE_EXT;
    assert_true(wire_get(&in, &ExtendedRuleCondition_wire, &c));
    assert_int_equal(c.RuleRestriction->tag, PidTagSubject);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_move_names_a_folder_of_this_store_by_its_id),
        TEST(a_folder_in_another_store_is_for_the_client),
        TEST(an_extended_rule_counts_in_32_bits),
        TEST(a_reply_names_its_template),
        TEST(a_forward_has_recipients_with_properties),
        TEST(bounce_codes_are_three_and_a_tag_is_a_property),
        TEST(what_is_no_action_is_refused),
        TEST(deferred_actions_are_packed_as_the_client_wrote_them),
        TEST(an_extended_condition_says_which_names_its_properties_have),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rule actions", tests, NULL, NULL);
}
