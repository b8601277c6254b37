/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXORULE] */
#include "rop/fixture.h"
#include "wire/rule_action.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
#define DEFERRED STORE_FID(SPECIAL_DEFERRED_ACTION)

static const uint8_t delete_action[] = { 1, 0, 9, 0, OP_DELETE, 0, 0, 0, 0, 0, 0, 0, 0 };
static const uint8_t provider_data[] = { 1, 0, 0, 0, 1, 0, 0, 0, 0x55, 0x55, 0x55, 0x55, 0xD1, 0x44, 0xE3, 0x40 };
static const struct restriction condition = { .type = RES_EXIST, .tag = PidTagSubject };

static struct rop_done add_rule(struct rop_fixture *f, uint32_t folder, const char *name, uint32_t sequence)
{
    const struct prop values[] = {
        P_I32(PidTagRuleSequence, sequence),
        P_I32(PidTagRuleState, ST_ENABLED),
        P_STR(PidTagRuleName, name),
        P_STR(PidTagRuleProvider, "RuleOrganizer"),
        P_I32(PidTagRuleLevel, 0),
        P_BIN(PidTagRuleProviderData, BLOB_OF(provider_data, sizeof provider_data)),
        { .tag = PidTagRuleCondition, .restriction = &condition },
        P_BIN(PidTagRuleActions, BLOB_OF(delete_action, sizeof delete_action)),
    };
    const struct RuleData rule = { RULE_ADD, COUNTOF(values), values };
    return RUN(f, ModifyRules, folder, .RulesCount = 1, .RulesData = &rule);
}

/* 4.2: the columns that a client asks for, and the row that it gets */
static void a_client_adds_a_rule_and_sees_it_in_the_table(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    CODE(add_rule(f, inbox, "Project X", 10), ecNone); /* R596, R680 */
    const struct rop_done table = RUN(f, GetRulesTable, inbox, .TableFlags = 0x40);
    CODE(table, ecNone); /* R133, R611, R779 */
    const uint32_t columns[] = { PidTagRuleId, PidTagRuleProviderData, PidTagRuleName };
    CODE(RUN(f, SetColumns, table.handle, .PropertyTagCount = COUNTOF(columns), .PropertyTags = columns), ecNone);
    const struct rop_done done =
        RUN_ROWS(f, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 0x32); /* R612 */
    CODE(done, ecNone);
    const struct RopQueryRowsResponse *rows = done.response;
    assert_int_equal(rows->RowCount, 1);
    assert_int_equal(rows->Origin, 2);
    const struct prop *row = rows->RowData[0].values;
    assert_int_equal(row[0].u64 & 0xFFFF, 1);                                          /* R597 */
    assert_true(blob_equal(row[1].bin, BLOB_OF(provider_data, sizeof provider_data))); /* R100 */
    assert_string_equal(row[2].str, "Project X");
}

static void the_table_follows_what_is_changed(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX), table = RUN(f, GetRulesTable, inbox).handle;
    const uint32_t column = PidTagRuleSequence;
    CODE(RUN(f, SetColumns, table, .PropertyTagCount = 1, .PropertyTags = &column), ecNone);
    for (uint32_t i = 1; i <= 3; i++)
        add_rule(f, inbox, "rule", 4 - i);
    const struct RopQueryPositionResponse *position = RUN(f, QueryPosition, table).response;
    assert_int_equal(position->Denominator, 3);
    const struct restriction second = {
        .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagRuleSequence, .value = P_I32(PidTagRuleSequence, 2)
    };
    CODE(RUN(f, Restrict, table, .RestrictionData = &second), ecNone);
    position = RUN(f, QueryPosition, table).response;
    assert_int_equal(position->Denominator, 1);
    CODE(RUN(f, SortTable, table), ecNotSupported);
}

static void a_folder_says_that_it_has_rules(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    const struct RopOpenFolderResponse *opened = RUN(f, OpenFolder, f->logon, .FolderId = INBOX).response;
    assert_false(opened->HasRules);
    add_rule(f, inbox, "one", 1);
    opened = RUN(f, OpenFolder, f->logon, .FolderId = INBOX).response;
    assert_true(opened->HasRules);
    assert_true(rop_get(f, inbox, PidTagHasRules).b);                /* R605 */
    CODE(RUN(f, ModifyRules, inbox, .ModifyRulesFlags = 1), ecNone); /* R669 */
    assert_false(rop_get(f, inbox, PidTagHasRules).b);               /* R606 */
}

static void flags_that_mean_nothing_are_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    CODE(RUN(f, ModifyRules, inbox, .ModifyRulesFlags = 2), ecInvalidParam); /* R821, R822 */
    CODE(RUN(f, GetRulesTable, inbox, .TableFlags = 0x01), ecNotSupported);  /* R130, R827, R920 */
    CODE(RUN(f, GetRulesTable, f->logon), ecNotSupported);
    CODE(RUN(f, GetRulesTable, inbox, .TableFlags = 0x00), ecNone);
}

static uint64_t deferred_message(struct rop_fixture *f, uint32_t tag, struct blob original)
{
    const uint32_t m = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = DEFERRED).handle;
    rop_set(f, m, P_STR(PidTagMessageClass, "IPC.Microsoft Exchange 4.0.Deferred Action"));
    rop_set(f, m, P_BIN(tag, original));
    rop_set(f, m, P_BOOL(PidTagDamBackPatched, false));
    return rop_save(f, m);
}

static void deferred_actions_follow_the_message_to_where_the_client_has_put_it(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob server = BLOB_OF("server", 6), client = BLOB_OF("client", 6);
    const uint64_t theirs = deferred_message(f, PidTagDamOriginalEntryId, server),
                   other = deferred_message(f, PidTagDamOriginalEntryId, BLOB_OF("other!", 6));
    CODE(RUN(f, UpdateDeferredActionMessages, f->logon, .ServerEntryIdSize = 6, .ServerEntryId = server,
             .ClientEntryIdSize = 6, .ClientEntryId = client),
         ecNone); /* R147, R617 */
    uint32_t m = rop_open_message(f, DEFERRED, theirs, MESSAGE_READONLY);
    assert_true(blob_equal(rop_get(f, m, PidTagDamOriginalEntryId).bin, client)); /* R136, R618, R619 */
    assert_true(rop_get(f, m, PidTagDamBackPatched).b);                           /* R355, R620 */
    m = rop_open_message(f, DEFERRED, other, MESSAGE_READONLY);
    assert_true(blob_equal(rop_get(f, m, PidTagDamOriginalEntryId).bin, BLOB_OF("other!", 6)));
    assert_false(rop_get(f, m, PidTagDamBackPatched).b); /* R354 */
    CODE(RUN(f, UpdateDeferredActionMessages, f->logon), ecNone);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ROP_TEST(a_client_adds_a_rule_and_sees_it_in_the_table),
        ROP_TEST(the_table_follows_what_is_changed),
        ROP_TEST(a_folder_says_that_it_has_rules),
        ROP_TEST(flags_that_mean_nothing_are_refused),
        ROP_TEST(deferred_actions_follow_the_message_to_where_the_client_has_put_it),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("[MS-OXORULE]", tests, NULL, NULL);
}
