/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of a folder: [MS-OXORULE] */
#include "store/fixture.h"
#include "store/internal.h"
#include "wire/guids.h"
#include "wire/rule_action.h"

#define INBOX STORE_FID(SPECIAL_INBOX)

static const uint8_t delete_action[] = { 1, 0, 9, 0, OP_DELETE, 0, 0, 0, 0, 0, 0, 0, 0 };
static const struct restriction has_subject = { .type = RES_EXIST, .tag = PidTagSubject };

struct given {
    struct prop values[8];
    struct RuleData data;
};

static struct RuleData add(struct given *g, const char *name, uint32_t sequence, uint32_t state)
{
    const struct prop values[] = {
        P_STR(PidTagRuleName, name),
        P_STR(PidTagRuleProvider, "RuleOrganizer"),
        P_I32(PidTagRuleSequence, sequence),
        P_I32(PidTagRuleState, state),
        { .tag = PidTagRuleCondition, .restriction = &has_subject },
        P_BIN(PidTagRuleActions, BLOB_OF(delete_action, sizeof delete_action)),
    };
    memcpy(g->values, values, sizeof values);
    return (struct RuleData){ RULE_ADD, COUNTOF(values), g->values };
}

static void add_rule(struct store_fixture *f, const char *name, uint32_t sequence)
{
    struct given g;
    const struct RuleData data = add(&g, name, sequence, ST_ENABLED);
    OK(store_rules_change(f->store, INBOX, false, &data, 1));
}

static struct store_rule *rules(struct store_fixture *f, uint32_t expected)
{
    struct store_rule *all;
    uint32_t count;
    OK(store_rules(f->arena, f->store, INBOX, &all, &count));
    assert_int_equal(count, expected);
    return all;
}

static struct props *rows(struct store_fixture *f, const uint32_t *columns, uint32_t count, uint32_t *got)
{
    struct store_table *table;
    struct props *out;
    OK(store_rules_table(&table, f->arena, f->store, INBOX));
    OK(store_table_columns(table, columns, count));
    OK(store_table_query(f->arena, table, true, 100, false, NULL, NULL, &out, got));
    return out;
}

static void rules_are_kept_and_shown_in_the_table(void **state)
{
    struct store_fixture *f = *state;
    const uint32_t columns[] = { PidTagRuleId, PidTagRuleName, PidTagRuleActions, PidTagRuleCondition };
    uint32_t count;
    assert_false(fixture_row(f, INBOX).has_rules); /* R606, R885 */
    add_rule(f, "second", 20);
    add_rule(f, "first", 10);
    assert_true(fixture_row(f, INBOX).has_rules);                 /* R605, R720 */
    assert_true(fixture_folder_prop(f, INBOX, PidTagHasRules).b); /* R604 */
    const struct props *r = rows(f, columns, COUNTOF(columns), &count);
    assert_int_equal(count, 2); /* R122, R123, R778 */
    assert_string_equal(r[0].values[1].str, "first");
    assert_true(r[0].values[0].u64 != r[1].values[0].u64); /* R598 */
    assert_int_equal(r[0].values[0].u64 & 0xFFFF, STORE_REPLICA_ID);
    assert_true(blob_equal(r[0].values[2].bin, BLOB_OF(delete_action, sizeof delete_action)));
    assert_int_equal(r[0].values[3].restriction->type, RES_EXIST);
}

static void a_rule_is_changed_and_removed_by_its_id(void **state)
{
    struct store_fixture *f = *state;
    add_rule(f, "old name", 1);
    const uint32_t columns[] = { PidTagRuleId, PidTagRuleName, PidTagRuleProvider, PidTagRuleState };
    uint32_t count;
    const uint64_t id = rows(f, columns, COUNTOF(columns), &count)[0].values[0].u64;
    const struct prop change[] = { P_I64(PidTagRuleId, id), P_STR(PidTagRuleName, "new name"),
                                   P_I32(PidTagRuleState, ST_ENABLED | ST_ERROR | ST_EXIT_LEVEL) };
    OK(store_rules_change(f->store, INBOX, false, &(struct RuleData){ RULE_MODIFY, COUNTOF(change), change }, 1));
    const struct props *r = rows(f, columns, COUNTOF(columns), &count);
    assert_int_equal(count, 1);                        /* R671 */
    assert_string_equal(r->values[1].str, "new name"); /* R732 */
    assert_string_equal(r->values[2].str, "RuleOrganizer");
    assert_int_equal(r->values[3].u32, ST_ENABLED | ST_EXIT_LEVEL); /* R66 */
    const struct RuleData gone = { RULE_REMOVE, 1, change };
    OK(store_rules_change(f->store, INBOX, false, &gone, 1)); /* R733 */
    assert_false(fixture_row(f, INBOX).has_rules);
    EC(store_rules_change(f->store, INBOX, false, &gone, 1), ecNotFound);
    EC(store_rules_change(f->store, INBOX, false, &(struct RuleData){ RULE_MODIFY, 3, change }, 1), ecNotFound);
}

static void replacing_takes_all_the_others_away(void **state)
{
    struct store_fixture *f = *state;
    struct given g;
    add_rule(f, "one", 1);
    add_rule(f, "two", 2);
    const struct RuleData only = add(&g, "only", 3, ST_ENABLED);
    OK(store_rules_change(f->store, INBOX, true, &only, 1)); /* R669 */
    assert_int_equal(rules(f, 1)->sequence, 3);
    OK(store_rules_change(f->store, INBOX, true, NULL, 0));
    rules(f, 0);
}

static void what_is_wrong_changes_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct given g;
    add_rule(f, "one", 1);
    struct RuleData two[] = { add(&g, "two", 2, ST_ENABLED), { 3, 1, g.values } };
    EC(store_rules_change(f->store, INBOX, false, two, 2), ecInvalidParam); /* R594 */
    two[1] = (struct RuleData){ RULE_MODIFY, 1, g.values };                 /* R54 */
    EC(store_rules_change(f->store, INBOX, false, two, 2), ecInvalidParam);
    two[1] = (struct RuleData){ RULE_ADD, 1, g.values };
    EC(store_rules_change(f->store, INBOX, false, two, 2), ecInvalidParam);
    g.values[6] = P_I64(PidTagRuleId, 1);
    two[0].PropertyValueCount = 7; /* R53 */
    EC(store_rules_change(f->store, INBOX, false, two, 1), ecInvalidParam);
    two[0].PropertyValueCount = 6;
    g.values[5].bin.size = 5;
    EC(store_rules_change(f->store, INBOX, false, two, 1), ecInvalidParam);
    EC(store_rules_change(f->store, store_id(0x999999), false, two, 1), ecNotFound);
    rules(f, 1);
}

static void rules_take_a_bounded_room(void **state)
{
    struct store_fixture *f = *state;
    struct given g;
    char *name = talloc_zero_size(f->arena, 20001);
    memset(name, 'x', 20000);
    const struct RuleData big = add(&g, name, 1, ST_ENABLED);
    enum ec ec = ecNone;
    unsigned count = 0;
    while (!ec && count < 100)
        count += !(ec = store_rules_change(f->store, INBOX, false, &big, 1));
    assert_string_equal(ec_name(ec), "ecNotEnoughMemory"); /* R815, R823, R824 */
    assert_true(count > 5);
    rules(f, count); /* R9111 */
}

static void rules_are_run_in_their_order(void **state)
{
    struct store_fixture *f = *state;
    add_rule(f, "c", 30);
    add_rule(f, "a", 10);
    add_rule(f, "b", 20);
    const struct store_rule *all = rules(f, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(all[i].sequence, 10 * (i + 1)); /* R57, R514 */
        assert_false(all[i].is_damaged);
        assert_int_equal(all[i].actions[0].type, OP_DELETE);
        assert_string_equal(all[i].provider, "RuleOrganizer");
    }
}

static void a_failed_rule_is_marked(void **state)
{
    struct store_fixture *f = *state;
    add_rule(f, "fails", 1);
    OK(store_rule_failed(f->store, rules(f, 1)));
    assert_int_equal(rules(f, 1)->state, ST_ENABLED | ST_ERROR); /* R64, R813 */
}

/* ---- extended rules: 2.2.4 ---- */

static struct blob packed(TALLOC_CTX *arena, const struct wire_struct *description, const void *self)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_EXT;
    assert_true(wire_put(&out, description, self));
    return buf_blob(&bytes);
}

static struct blob move_to(struct store_fixture *f, uint64_t fid)
{
    const struct blob folder = store_folder_entry_id(f->arena, f->store, fid);
    const struct ExtendedActionBlock block = {
        .ActionType = OP_MOVE,
        .ActionData =
            packed(f->arena, &ExtendedMoveCopyActionData_wire,
                   &(struct ExtendedMoveCopyActionData){ .FolderEIDSize = (uint32_t)folder.size, .FolderEID = folder }),
    };
    const struct blob actions = packed(f->arena, &ExtendedRuleAction_wire,
                                       &(struct ExtendedRuleAction){ .NoOfActions = 1, .ActionBlocks = &block });
    return packed(f->arena, &ExtendedRuleActions_wire,
                  &(struct ExtendedRuleActions){ .RuleVersion = 1, .RuleActionsBuffer = actions });
}

static void extended_rule(struct store_fixture *f, uint32_t sequence, struct blob condition, struct blob actions)
{
    const struct prop values[] = {
        P_STR(PidTagMessageClass, "IPM.ExtendedRule.Message"), /* R167 */
        P_STR(PidTagRuleMessageName, "extended"),
        P_STR(PidTagRuleMessageProvider, "RuleOrganizer"),
        P_I32(PidTagRuleMessageSequence, sequence),
        P_I32(PidTagRuleMessageState, ST_ENABLED),
        P_BIN(PidTagExtendedRuleMessageCondition, condition),
        P_BIN(PidTagExtendedRuleMessageActions, actions),
    };
    struct store_message *m;
    uint64_t mid;
    OK(store_message_new(&m, f->arena, f->store, INBOX, true));
    for (size_t i = 0; i < COUNTOF(values); i++)
        OK(fixture_set(m, values[i]));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
}

static void an_extended_rule_is_a_message_of_the_folder(void **state)
{
    struct store_fixture *f = *state;
    const struct ExtendedRuleCondition condition = { .RuleRestriction = &has_subject };
    add_rule(f, "standard", 5);
    extended_rule(f, 1, packed(f->arena, &ExtendedRuleCondition_wire, &condition),
                  move_to(f, STORE_FID(SPECIAL_JUNK))); /* R152 */
    const struct store_rule *all = rules(f, 2);
    assert_true(all[0].extended); /* R170 */
    assert_false(all[0].is_damaged);
    assert_int_equal(all[0].condition->type, RES_EXIST);           /* R214 */
    assert_int_equal(all[0].actions[0].type, OP_MOVE);             /* R209 */
    assert_true(all[0].actions[0].fid == STORE_FID(SPECIAL_JUNK)); /* R968, R978 */
    uint32_t count;
    const uint32_t column = PidTagRuleId;
    rows(f, &column, 1, &count);
    assert_int_equal(count, 1);
    OK(store_rule_failed(f->store, &all[0]));
    assert_int_equal(rules(f, 2)[0].state, ST_ENABLED | ST_ERROR); /* R871 */
}

/* 2.2.4.2: property ids of the rule are not those of the mailbox */
static void named_properties_of_an_extended_rule_have_names(void **state)
{
    struct store_fixture *f = *state;
    const struct PropertyName name = { .Kind = 0, .GUID = PSETID_Common, .LID = 0x8506 };
    const uint16_t id = 0x9ABC;
    uint16_t own;
    OK(store_named_ids(f->store, &name, 1, true, &own));
    assert_int_not_equal(own, id);
    const struct restriction is_private = { .type = RES_PROPERTY,
                                            .relop = RELOP_EQ,
                                            .tag = PROP_TAG(PtypBoolean, id),
                                            .value = P_BOOL(PROP_TAG(PtypBoolean, id), true) };
    const struct restriction not = { .type = RES_NOT, .count = 1, .sub = &is_private };
    const struct ExtendedRuleCondition condition = {
        .NamedPropertyInformation = { .NoOfNamedProps = 1, .PropIds = &id, .NamedProperties = &name },
        .RuleRestriction = &not,
    };
    extended_rule(f, 1, packed(f->arena, &ExtendedRuleCondition_wire, &condition), move_to(f, INBOX));
    const struct store_rule *rule = rules(f, 1);
    assert_false(rule->is_damaged);
    assert_int_equal(PROP_ID(rule->condition->sub->tag), own); /* R217, R999 */
    assert_int_equal(PROP_ID(rule->condition->sub->value.tag), own);
}

static void a_damaged_extended_rule_is_known_as_such(void **state)
{
    struct store_fixture *f = *state;
    extended_rule(f, 1, BLOB_OF("\1\0\0", 3), move_to(f, INBOX));
    assert_true(rules(f, 1)->is_damaged); /* R75 */
    OK(store_rule_failed(f->store, rules(f, 1)));
    assert_int_equal(rules(f, 1)->state, ST_ENABLED | ST_ERROR | ST_RULE_PARSE_ERROR);
}

/* ---- out of office: 3.2.1.2 ---- */

static void senders_are_remembered_until_the_owner_is_back(void **state)
{
    struct store_fixture *f = *state;
    bool is_new;
    enum ec result;
    add_rule(f, "away", 1);
    const struct store_rule *rule = rules(f, 1);
    OK(store_rule_sender(f->store, rule, "bob@contoso.com", &is_new));
    assert_true(is_new); /* R558 */
    OK(store_rule_sender(f->store, rule, "Bob@Contoso.com", &is_new));
    assert_false(is_new); /* R556 */
    OK(store_rule_sender(f->store, rule, "eve@contoso.com", &is_new));
    assert_true(is_new);
    OK(store_set_props(f->store, &P_BOOL(PidTagOutOfOfficeState, false), 1, &result));
    OK(result);
    OK(store_rule_sender(f->store, rule, "bob@contoso.com", &is_new));
    assert_true(is_new); /* R585 */
}

/* ---- conditions about an open message ---- */

static void an_open_message_is_compared_as_it_is(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m;
    const struct prop who[] = { P_STR(PidTagDisplayName, "Bob"), P_STR(PidTagEmailAddress, "bob@contoso.com") };
    const struct restriction subject = { .type = RES_CONTENT,
                                         .fuzzy_low = FL_SUBSTRING,
                                         .fuzzy_high = FL_IGNORECASE,
                                         .tag = PidTagSubject,
                                         .value = P_STR(PidTagSubject, "PROJECT") };
    const struct restriction is_bob = { .type = RES_PROPERTY,
                                        .relop = RELOP_EQ,
                                        .tag = PidTagEmailAddress,
                                        .value = P_STR(PidTagEmailAddress, "bob@contoso.com") };
    const struct restriction to_bob = {
        .type = RES_SUBOBJECT, .tag = PidTagMessageRecipients, .count = 1, .sub = &is_bob
    };
    const struct restriction is_file = { .type = RES_EXIST, .tag = PidTagAttachNumber };
    const struct restriction with_file = {
        .type = RES_SUBOBJECT, .tag = PidTagMessageAttachments, .count = 1, .sub = &is_file
    };
    OK(store_message_new(&m, f->arena, f->store, INBOX, false));
    OK(fixture_set(m, P_STR(PidTagSubject, "The project")));
    assert_true(store_message_matches(m, &subject));
    assert_false(store_message_matches(m, &to_bob));
    OK(store_recipient_put(m, &(struct store_recipient){ 1, 1, { COUNTOF(who), who } }));
    assert_true(store_message_matches(m, &to_bob));
    assert_false(store_message_matches(m, &with_file));
    struct store_attachment *a;
    uint32_t number;
    OK(store_attachment_new(&a, m, m, &number));
    OK(store_attachment_save(a));
    assert_true(store_message_matches(m, &with_file));
}

static void what_fails_in_a_batch_takes_all_of_it_back(void **state)
{
    struct store_fixture *f = *state;
    fixture_forget(f);
    struct store_batch *batch = store_batch_begin(f->arena, f->store);
    fixture_message(f, INBOX, "one");
    assert_int_equal(f->change_count, 0);
    EC(store_batch_end(batch, ecDiskFull), ecDiskFull);
    assert_int_equal(fixture_row(f, INBOX).total, 0);
    assert_int_equal(f->change_count, 0);
    batch = store_batch_begin(f->arena, f->store);
    fixture_message(f, INBOX, "two");
    OK(store_batch_end(batch, ecNone));
    assert_int_equal(fixture_row(f, INBOX).total, 1);
    assert_true(f->change_count > 0);
}

static void a_removed_folder_leaves_no_rules(void **state)
{
    struct store_fixture *f = *state;
    struct given g;
    bool partial;
    const uint64_t fid = fixture_folder(f, INBOX, "with rules");
    const struct RuleData data = add(&g, "one", 1, ST_ENABLED);
    OK(store_rules_change(f->store, fid, false, &data, 1));
    assert_int_equal(fixture_rows(f, "rule"), 1);
    OK(store_folder_delete(f->store, INBOX, fid, STORE_HARD, &partial));
    assert_int_equal(fixture_rows(f, "rule"), 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_kept_and_shown_in_the_table),
        cmocka_unit_test(a_rule_is_changed_and_removed_by_its_id),
        cmocka_unit_test(replacing_takes_all_the_others_away),
        cmocka_unit_test(what_is_wrong_changes_nothing),
        cmocka_unit_test(rules_take_a_bounded_room),
        cmocka_unit_test(rules_are_run_in_their_order),
        cmocka_unit_test(a_failed_rule_is_marked),
        cmocka_unit_test(an_extended_rule_is_a_message_of_the_folder),
        cmocka_unit_test(named_properties_of_an_extended_rule_have_names),
        cmocka_unit_test(a_damaged_extended_rule_is_known_as_such),
        cmocka_unit_test(senders_are_remembered_until_the_owner_is_back),
        cmocka_unit_test(an_open_message_is_compared_as_it_is),
        cmocka_unit_test(what_fails_in_a_batch_takes_all_of_it_back),
        cmocka_unit_test(a_removed_folder_leaves_no_rules),
    };
    return store_fixture_run("rules", tests, COUNTOF(tests));
}
