/* SPDX-License-Identifier: Apache-2.0 */
/* Rules at delivery: [MS-OXORULE] 3.2.5.1 */
#include <stdlib.h>

#include "transport/fixture.h"
#include "wire/guids.h"
#include "wire/rule_action.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
#define JUNK STORE_FID(SPECIAL_JUNK)
#define NOTES STORE_FID(SPECIAL_NOTES)
#define DEFERRED STORE_FID(SPECIAL_DEFERRED_ACTION)
#define TO_ALICE "To: alice@contoso.com\r\n"

/* ---- making rules ---- */

static struct blob packed(struct post *p, const struct wire_struct *description, const void *self)
{
    struct buf bytes;
    buf_init(&bytes, p->arena);
    struct wire_out out = wire_out(&bytes);
    assert_true(wire_put(&out, description, self));
    return buf_blob(&bytes);
}

static struct ActionBlock action(enum rule_action_type type, uint32_t flavor, struct blob data)
{
    return (struct ActionBlock){ .ActionType = (uint8_t)type, .ActionFlavor = flavor, .ActionData = data };
}
#define NO_DATA BLOB_OF("", 0)

static struct blob to_folder(struct post *p, uint64_t fid)
{
    const struct blob id = packed(p, &ServerId_wire, &(struct ServerId){ .Ours = 1, .FolderId = fid });
    return packed(
        p, &MoveCopyActionData_wire,
        &(struct MoveCopyActionData){ .FolderInThisStore = true, .FolderEIDSize = (uint16_t)id.size, .FolderEID = id });
}

static struct blob to_person(struct post *p, const char *address)
{
    const struct prop *values =
        talloc_memdup(p->arena,
                      ((const struct prop[]){ P_STR(PidTagDisplayName, address), P_STR(PidTagEmailAddress, address),
                                              P_I32(PidTagRecipientType, 1) }),
                      3 * sizeof(struct prop));
    const struct RecipientBlockData block = { .Reserved = 1, .NoOfProperties = 3, .PropertyValues = values };
    return packed(p, &ForwardDelegateActionData_wire,
                  &(struct ForwardDelegateActionData){ .RecipientCount = 1, .RecipientBlocks = &block });
}

static const struct restriction always = { .type = RES_EXIST, .tag = PidTagMessageClass };

static const struct restriction *subject_has(struct post *p, const char *part)
{
    struct restriction *r = talloc_zero(p->arena, struct restriction);
    *r = (struct restriction){ .type = RES_CONTENT,
                               .fuzzy_low = FL_SUBSTRING,
                               .fuzzy_high = FL_IGNORECASE,
                               .tag = PidTagSubject,
                               .value = P_STR(PidTagSubject, part) };
    return r;
}

struct rule {
    const struct account *of;
    uint64_t fid;             /* 0: the Inbox */
    uint32_t sequence, state; /* 0: enabled */
    const char *provider;
    const struct restriction *when; /* NULL: always */
    struct ActionBlock actions[4];
};

static void add_rule(struct post *p, struct rule r)
{
    struct RuleAction actions = { .ActionBlocks = r.actions };
    while (actions.NoOfActions < COUNTOF(r.actions) && r.actions[actions.NoOfActions].ActionType)
        actions.NoOfActions++;
    const struct prop values[] = {
        P_I32(PidTagRuleSequence, r.sequence),
        P_I32(PidTagRuleState, r.state ? r.state : ST_ENABLED),
        P_STR(PidTagRuleName, "a rule"),
        P_STR(PidTagRuleProvider, r.provider ? r.provider : "RuleOrganizer"),
        { .tag = PidTagRuleCondition, .restriction = r.when ? r.when : &always },
        P_BIN(PidTagRuleActions, packed(p, &RuleAction_wire, &actions)),
    };
    const struct RuleData data = { RULE_ADD, COUNTOF(values), values };
    struct store *st = post_enter(p, r.of);
    OK(store_rules_change(st, r.fid ? r.fid : INBOX, false, &data, 1));
    post_leave(st);
}

/* ---- mail ---- */

static void mail(struct post *p, const struct account *to, const char *headers)
{
    post_deliver(p, to,
                 talloc_asprintf(p->arena, "From: Bob Example <bob@contoso.com>\r\n%s\r\nthe text\r\n", headers));
}

/* From one of us to another, as a client does it. */
static enum ec send_inside(struct post *p, const struct account *from, const struct account *to, const char *subject)
{
    struct store *st = post_enter(p, from);
    struct store_message *message;
    enum ec result;
    const struct prop values[] = { P_STR(PidTagSubject, subject), P_STR(PidTagBody, "the text\r\n") };
    const struct prop who[] = { P_STR(PidTagDisplayName, to->display_name), P_STR(PidTagAddressType, "EX"),
                                P_STR(PidTagEmailAddress, to->legacy_dn) };
    OK(store_message_new(&message, p->arena, st, STORE_FID(SPECIAL_OUTBOX), false));
    for (size_t i = 0; i < COUNTOF(values); i++)
        OK(store_message_set(message, &values[i], 1, &result));
    OK(store_recipient_put(message, &(struct store_recipient){ 0, 1, { COUNTOF(who), who } }));
    OK(store_message_save(message, true, NULL));
    const enum ec ec = transport_submit(p->transport, from, message, 0);
    talloc_free(message);
    post_leave(st);
    return ec;
}

static const char *subject_of(const struct letter *letter)
{
    return letter ? letter_text(&letter->props, PidTagSubject) : "(no message)";
}

/* ---- where it goes ---- */

static void a_moved_message_is_announced_where_it_is_delivered(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice,
                               .when = subject_has(p, "offer"),
                               .actions = { action(OP_MOVE, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: Special OFFER\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 0); /* R790 */
    assert_int_equal(post_count(p, p->alice, JUNK), 1);  /* R787, R931 */
    assert_int_equal(atomic_load(&p->new_mail), 1);
    mail(p, p->alice, TO_ALICE "Subject: lunch\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
}

/* A crash came between the delivery and its note in the queue: it is looked for where the rules put it. */
static void what_was_delivered_before_a_crash_is_found_where_the_rule_has_put_it(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice,
                               .actions = { action(OP_MOVE, 0, to_folder(p, JUNK)),
                                            action(OP_FORWARD, 0, to_person(p, "bob@contoso.com")) } });
    struct letter *letter = letter_new(p->arena);
    letter_set(&letter->props, P_STR(PidTagMessageClass, "IPM.Note"));
    letter_set(&letter->props, P_STR(PidTagBody, "x"));
    struct delivery how = { .id = "submission", .since = filetime_now() };
    OK(deliver(p->transport, p->alice, letter, &how));
    how.only_once = true;
    OK(deliver(p->transport, p->alice, letter, &how));
    assert_int_equal(post_count(p, p->alice, JUNK), 1);
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

static void a_copy_leaves_the_message_where_it_is(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_COPY, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: twice\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 1); /* R792 */
    assert_int_equal(post_count(p, p->alice, JUNK), 1);
}

static void several_moves_make_several_copies(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_MOVE, 0, to_folder(p, JUNK)) } });
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_MOVE, 0, to_folder(p, NOTES)) } });
    mail(p, p->alice, TO_ALICE "Subject: twice\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
    assert_int_equal(post_count(p, p->alice, JUNK), 1); /* R791 */
    assert_int_equal(post_count(p, p->alice, NOTES), 1);
}

static void the_rules_of_the_other_folder_come_first_and_a_ring_ends(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_MOVE, 0, to_folder(p, JUNK)) } });
    add_rule(p, (struct rule){ .of = p->alice, .fid = JUNK, .actions = { action(OP_MOVE, 0, to_folder(p, NOTES)) } });
    add_rule(p, (struct rule){ .of = p->alice, .fid = NOTES, .actions = { action(OP_MOVE, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: round\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 0); /* R512 */
    assert_int_equal(post_count(p, p->alice, JUNK) + post_count(p, p->alice, NOTES), 1);
}

static void deleting_ends_it(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .sequence = 1, .actions = { action(OP_DELETE, 0, NO_DATA) } });
    add_rule(p, (struct rule){ .of = p->alice, .sequence = 2, .actions = { action(OP_COPY, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: gone\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 0); /* R345, R549 */
    assert_int_equal(post_count(p, p->alice, JUNK), 0);  /* R550 */
    assert_int_equal(post_count(p, p->alice, STORE_FID(SPECIAL_DELETED_ITEMS)), 0);
}

static void tags_and_the_read_flag_are_set_on_the_message(void **state)
{
    struct post *p = *state;
    const struct TagActionData tag = { P_I32(PidTagImportance, 2) };
    add_rule(
        p, (struct rule){ .of = p->alice,
                          .actions = { action(OP_TAG, 0, packed(p, &TagActionData_wire, &tag)),
                                       action(OP_MARK_AS_READ, 0, NO_DATA), action(OP_COPY, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: weighty\r\n");
    assert_int_equal(post_prop(p, p->alice, INBOX, PidTagImportance).u32, 2);       /* R548 */
    assert_int_equal(post_prop(p, p->alice, INBOX, PidTagMessageFlags).u32 & 1, 1); /* R551 */
    assert_int_equal(post_prop(p, p->alice, JUNK, PidTagImportance).u32, 2);
    assert_int_equal(post_prop(p, p->alice, JUNK, PidTagMessageFlags).u32 & 1, 1);
}

/* ---- which rules run ---- */

static void rules_run_in_order_until_one_says_that_it_is_the_last(void **state)
{
    struct post *p = *state;
    add_rule(p,
             (struct rule){ .of = p->alice, .sequence = 30, .actions = { action(OP_COPY, 0, to_folder(p, NOTES)) } });
    add_rule(p, (struct rule){ .of = p->alice,
                               .sequence = 10,
                               .state = ST_ENABLED | ST_EXIT_LEVEL,
                               .when = subject_has(p, "stop"),
                               .actions = { action(OP_COPY, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: stop\r\n");
    assert_int_equal(post_count(p, p->alice, JUNK), 1);  /* R514 */
    assert_int_equal(post_count(p, p->alice, NOTES), 0); /* R857 */
    mail(p, p->alice, TO_ALICE "Subject: go on\r\n");
    assert_int_equal(post_count(p, p->alice, NOTES), 1);
}

static void a_rule_that_is_not_enabled_does_not_run(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .state = ST_EXIT_LEVEL, .actions = { action(OP_DELETE, 0, NO_DATA) } });
    mail(p, p->alice, TO_ALICE "Subject: stays\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 1); /* R63, R516 */
}

static void set_out_of_office(struct post *p, const struct account *who, bool away)
{
    struct store *st = post_enter(p, who);
    enum ec result;
    OK(store_set_props(st, &P_BOOL(PidTagOutOfOfficeState, away), 1, &result));
    OK(result);
    post_leave(st);
}

static void some_rules_run_only_while_the_owner_is_away(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice,
                               .sequence = 1,
                               .state = ST_ENABLED | ST_EXIT_LEVEL,
                               .actions = { action(OP_COPY, 0, to_folder(p, NOTES)) } });
    add_rule(p, (struct rule){ .of = p->alice,
                               .sequence = 2,
                               .state = ST_ENABLED | ST_ONLY_WHEN_OOF,
                               .actions = { action(OP_COPY, 0, to_folder(p, JUNK)) } });
    mail(p, p->alice, TO_ALICE "Subject: at work\r\n");
    assert_int_equal(post_count(p, p->alice, JUNK), 0); /* R67, R517, R555 */
    set_out_of_office(p, p->alice, true);
    mail(p, p->alice, TO_ALICE "Subject: away\r\n");
    assert_int_equal(post_count(p, p->alice, JUNK), 1); /* R582, R807, R858 */
    set_out_of_office(p, p->alice, false);
    mail(p, p->alice, TO_ALICE "Subject: back\r\n");
    assert_int_equal(post_count(p, p->alice, JUNK), 1); /* R584 */
}

/* ---- deferred actions and errors ---- */

static void what_the_client_has_to_do_lies_in_its_folder(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){
                    .of = p->alice, .sequence = 1, .actions = { action(OP_DEFER_ACTION, 0, BLOB_OF("sound", 5)) } });
    add_rule(p, (struct rule){
                    .of = p->alice, .sequence = 2, .actions = { action(OP_DEFER_ACTION, 0, BLOB_OF("light", 5)) } });
    add_rule(p, (struct rule){ .of = p->alice,
                               .sequence = 3,
                               .provider = "somebody else",
                               .actions = { action(OP_DEFER_ACTION, 0, BLOB_OF("x", 1)) } });
    mail(p, p->alice, TO_ALICE "Subject: ring\r\n");
    assert_int_equal(post_count(p, p->alice, DEFERRED), 2);                        /* R535, R569, R571, R806, R932 */
    assert_true(post_prop(p, p->alice, INBOX, PidTagHasDeferredActionMessages).b); /* R536, R564 */

    struct store *st = post_enter(p, p->alice);
    struct store_message *dam;
    uint64_t *mids, *delivered;
    post_list(p, st, INBOX, &delivered);
    const uint32_t count = post_list(p, st, DEFERRED, &mids);
    const uint32_t tags[] = { PidTagMessageClass,       PidTagClientActions,  PidTagRuleIds,
                              PidTagDamOriginalEntryId, PidTagDamBackPatched, PidTagRuleProvider,
                              PidTagRuleFolderEntryId };
    struct prop v[COUNTOF(tags)];
    unsigned with_two = 0;
    for (uint32_t i = 0; i < count; i++) {
        OK(store_message_open(&dam, p->arena, st, DEFERRED, mids[i], MESSAGE_READONLY));
        OK(store_message_get(p->arena, dam, tags, COUNTOF(tags), STORE_VALUE_LIMIT, v));
        struct rule_action *actions;
        uint32_t action_count;
        assert_string_equal(v[0].str, "IPC.Microsoft Exchange 4.0.Deferred Action");                  /* R352 */
        assert_true(rule_actions(p->arena, v[1].bin, WIRE_ROP, &actions, &action_count));             /* R364 */
        assert_int_equal(v[2].bin.size, 8 * action_count);                                            /* R368, R369 */
        assert_true(blob_equal(v[3].bin, store_message_entry_id(p->arena, st, INBOX, delivered[0]))); /* R740 */
        assert_false(v[4].b);                                                                         /* R354 */
        assert_true(blob_equal(v[6].bin, store_folder_entry_id(p->arena, st, INBOX)));                /* R741 */
        if (action_count == 2) {
            assert_string_equal(v[5].str, "RuleOrganizer");                /* R359 */
            assert_true(blob_equal(actions[1].data, BLOB_OF("light", 5))); /* R321, R366 */
            with_two++;
        }
    }
    assert_int_equal(with_two, 1);
    post_leave(st);
}

static void a_folder_in_another_store_is_left_to_the_client(void **state)
{
    struct post *p = *state;
    const struct MoveCopyActionData elsewhere = {
        .StoreEIDSize = 3, .StoreEID = BLOB_OF("pst", 3), .FolderEIDSize = 3, .FolderEID = BLOB_OF("fld", 3)
    };
    add_rule(p, (struct rule){ .of = p->alice,
                               .actions = { action(OP_MOVE, 0, packed(p, &MoveCopyActionData_wire, &elsewhere)) } });
    mail(p, p->alice, TO_ALICE "Subject: into the archive\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, DEFERRED), 1); /* R563 */
}

static void a_rule_that_fails_is_reported_once_and_the_message_stays(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice,
                               .actions = { action(OP_MARK_AS_READ, 0, NO_DATA),
                                            action(OP_MOVE, 0, to_folder(p, store_id(0x777777))) } });
    mail(p, p->alice, TO_ALICE "Subject: one\r\n");
    mail(p, p->alice, TO_ALICE "Subject: two\r\n");
    assert_int_equal(post_count(p, p->alice, INBOX), 2);
    assert_int_equal(post_count(p, p->alice, DEFERRED), 1); /* R581, R805, R809 */
    assert_string_equal(post_prop(p, p->alice, DEFERRED, PidTagMessageClass).str,
                        "IPC.Microsoft Exchange 4.0.Deferred Error");                      /* R746 */
    assert_int_equal(post_prop(p, p->alice, DEFERRED, PidTagRuleError).u32, 6);            /* R387 */
    assert_int_equal(post_prop(p, p->alice, DEFERRED, PidTagRuleActionType).u32, OP_MOVE); /* R750 */
    assert_int_equal(post_prop(p, p->alice, DEFERRED, PidTagRuleActionNumber).u32, 1);     /* R707, R709 */
    struct store *st = post_enter(p, p->alice);
    struct store_rule *rules;
    uint32_t count;
    OK(store_rules(p->arena, st, INBOX, &rules, &count));
    assert_int_equal(rules[0].state, ST_ENABLED | ST_ERROR); /* R813 */
    post_leave(st);
}

/* ---- forwarding ---- */

static void a_forward_is_a_new_message_of_the_owner(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_FORWARD, 0, to_person(p, "bob@contoso.com")) } });
    post_deliver(p, p->alice, "From: Eve <eve@example.com>\r\n" TO_ALICE "Subject: RE: news\r\n\r\nthe text\r\n");
    const struct letter *got = post_newest(p, p->bob, INBOX);
    struct mime_person from;
    assert_string_equal(subject_of(got), "FW: news"); /* R262, R537 */
    assert_true(mime_person_of(&got->props, ROLE_SENT_REPRESENTING, &from));
    assert_string_equal(from.smtp, "alice@contoso.com");
    assert_non_null(strstr(letter_text(&got->props, PidTagBody), "eve@example.com"));
    assert_non_null(strstr(letter_text(&got->props, PidTagBody), "the text"));
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
}

static void a_redirected_message_stays_as_it_is(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice,
                               .actions = { action(OP_FORWARD, FORWARD_PRESERVE_SENDER | FORWARD_NO_CHANGES,
                                                   to_person(p, "bob@contoso.com")),
                                            action(OP_DELETE, 0, NO_DATA) } });
    post_deliver(p, p->alice, "From: Eve <eve@example.com>\r\n" TO_ALICE "Subject: news\r\n\r\nthe text\r\n");
    const struct letter *got = post_newest(p, p->bob, INBOX);
    struct mime_person from;
    assert_string_equal(subject_of(got), "news"); /* R277 */
    assert_true(mime_person_of(&got->props, ROLE_SENT_REPRESENTING, &from));
    assert_string_equal(from.smtp, "eve@example.com"); /* R275 */
    assert_int_equal(got->recipient_count, 1);
    assert_true(letter_u32(&got->props, PidTagAutoForwarded, 0));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
}

static void a_message_can_be_forwarded_as_an_attachment(void **state)
{
    struct post *p = *state;
    add_rule(
        p, (struct rule){ .of = p->alice,
                          .actions = { action(OP_FORWARD, FORWARD_AS_ATTACHMENT, to_person(p, "bob@contoso.com")) } });
    post_deliver(p, p->alice, "From: Eve <eve@example.com>\r\n" TO_ALICE "Subject: news\r\n\r\nthe text\r\n");
    const struct letter *got = post_newest(p, p->bob, INBOX);
    assert_non_null(got);
    assert_int_equal(got->attachment_count, 1); /* R279 */
    assert_string_equal(subject_of(got->attachments[0]->embedded), "news");
}

static void a_delegate_gets_it_for_the_owner(void **state)
{
    struct post *p = *state;
    struct mime_person owner;
    add_rule(p,
             (struct rule){ .of = p->alice, .actions = { action(OP_DELEGATE, 0, to_person(p, p->bob->legacy_dn)) } });
    post_deliver(p, p->alice, "From: Eve <eve@example.com>\r\n" TO_ALICE "Subject: meeting\r\n\r\nthe text\r\n");
    const struct letter *got = post_newest(p, p->bob, INBOX);
    assert_string_equal(subject_of(got), "meeting");                /* R539 */
    assert_true(letter_u32(&got->props, PidTagDelegatedByRule, 0)); /* R545 */
    assert_true(mime_person_of(&got->props, ROLE_RECEIVED_REPRESENTING, &owner));
    assert_string_equal(owner.display_name, "Alice Example");                             /* R543 */
    assert_string_equal(owner.address_type, "EX");                                        /* R541 */
    assert_string_equal(owner.address, p->alice->legacy_dn);                              /* R542 */
    assert_true(letter_bytes(&got->props, PidTagReceivedRepresentingEntryId).size > 0);   /* R540 */
    assert_true(letter_bytes(&got->props, PidTagReceivedRepresentingSearchKey).size > 0); /* R544 */
}

static void nothing_is_forwarded_to_its_own_sender(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_FORWARD, 0, to_person(p, "bob@contoso.com")) } });
    OK(send_inside(p, p->bob, p->alice, "mine"));
    assert_int_equal(post_count(p, p->bob, INBOX), 0); /* R798, R907 */
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
}

/* ---- the loop guard ---- */

static void two_mailboxes_that_forward_to_each_other_come_to_an_end(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_FORWARD, 0, to_person(p, "bob@contoso.com")) } });
    add_rule(p, (struct rule){ .of = p->bob, .actions = { action(OP_FORWARD, 0, to_person(p, "alice@contoso.com")) } });
    add_rule(p, (struct rule){
                    .of = p->bob,
                    .actions = { action(OP_FORWARD, FORWARD_PRESERVE_SENDER, to_person(p, "alice@contoso.com")) } });
    post_deliver(p, p->alice, "From: Eve <eve@example.com>\r\n" TO_ALICE "Subject: round\r\n\r\nthe text\r\n");
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_true(post_count(p, p->alice, INBOX) <= 2);
}

static void a_message_that_has_been_sent_on_often_is_not_sent_on(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_FORWARD, 0, to_person(p, "bob@contoso.com")) } });
    post_deliver(p, p->alice,
                 "From: Eve <eve@example.com>\r\n" TO_ALICE
                 "X-MS-Exchange-Inbox-Rules-Loop: a@example.com,b@example.com,c@example.com\r\n\r\n");
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    post_deliver(p, p->alice,
                 "From: Eve <eve@example.com>\r\n" TO_ALICE
                 "X-MS-Exchange-Inbox-Rules-Loop: ALICE@contoso.com\r\n\r\n");
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    post_deliver(p, p->alice,
                 "From: Eve <eve@example.com>\r\n" TO_ALICE "X-MS-Exchange-Inbox-Rules-Loop: a@example.com\r\n\r\n");
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

/* ---- replies and out of office ---- */

static struct blob template(struct post *p, const struct account *of, const char *text)
{
    struct store *st = post_enter(p, of);
    struct store_message *message;
    enum ec result;
    uint64_t mid;
    const struct guid guid = guid_random();
    const struct prop values[] = { P_STR(PidTagMessageClass, "IPM.Note.rules.OofTemplate.Microsoft"),
                                   P_STR(PidTagBody, text), P_BIN(PidTagReplyTemplateId, BLOB_OF(guid.bytes, 16)) };
    OK(store_message_new(&message, p->arena, st, INBOX, true));
    for (size_t i = 0; i < COUNTOF(values); i++)
        OK(store_message_set(message, &values[i], 1, &result));
    OK(store_message_save(message, false, &mid));
    talloc_free(message);
    post_leave(st);
    return packed(
        p, &ReplyActionData_wire,
        &(struct ReplyActionData){ .ReplyTemplateFID = INBOX, .ReplyTemplateMID = mid, .ReplyTemplateGUID = guid });
}

static void a_rule_answers_with_its_template(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice,
                               .actions = { action(OP_REPLY, 0, template(p, p->alice, "Thank you.\r\n")) } });
    OK(send_inside(p, p->bob, p->alice, "an order"));
    const struct letter *got = post_newest(p, p->bob, INBOX);
    assert_string_equal(subject_of(got), "RE: an order"); /* R525 */
    assert_string_equal(letter_text(&got->props, PidTagBody), "Thank you.\r\n");
    assert_non_null(letter_text(&got->props, PidTagInReplyToId));
    assert_int_equal(letter_u32(&got->props, PidTagAutoResponseSuppress, 0), UINT32_MAX);
    assert_string_equal(letter_find_named(&got->props, PS_INTERNET_HEADERS, "auto-submitted", 0)->str, "auto-replied");
}

static void a_template_that_is_gone_is_an_error_of_the_rule(void **state)
{
    struct post *p = *state;
    const struct ReplyActionData nothing = { .ReplyTemplateFID = INBOX, .ReplyTemplateMID = store_id(0x777777) };
    add_rule(p, (struct rule){ .of = p->alice,
                               .actions = { action(OP_REPLY, 0, packed(p, &ReplyActionData_wire, &nothing)) } });
    OK(send_inside(p, p->bob, p->alice, "an order"));
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
    assert_int_equal(post_prop(p, p->alice, DEFERRED, PidTagRuleError).u32, 0x0A); /* R391 */
}

static void a_reply_can_be_of_the_servers_own_words(void **state)
{
    struct post *p = *state;
    const struct ReplyActionData nothing = { .ReplyTemplateFID = INBOX };
    add_rule(p, (struct rule){
                    .of = p->alice,
                    .actions = { action(OP_REPLY, REPLY_STOCK_TEXT, packed(p, &ReplyActionData_wire, &nothing)) } });
    OK(send_inside(p, p->bob, p->alice, "an order"));
    assert_int_equal(post_count(p, p->bob, INBOX), 1); /* R289 */
}

static void go_away(struct post *p, const struct account *who)
{
    add_rule(p, (struct rule){ .of = who,
                               .provider = "MSFT:TDX OOF Rules",
                               .state = ST_ENABLED | ST_ONLY_WHEN_OOF | ST_KEEP_OOF_HIST,
                               .actions = { action(OP_OOF_REPLY, 0, template(p, who, "I am away.\r\n")) } });
    set_out_of_office(p, who, true);
}

static void who_is_away_answers_each_sender_once(void **state)
{
    struct post *p = *state;
    go_away(p, p->alice);
    OK(send_inside(p, p->bob, p->alice, "one"));
    OK(send_inside(p, p->bob, p->alice, "two"));
    assert_int_equal(post_count(p, p->bob, INBOX), 1); /* R556, R557, R5572 */
    const struct letter *got = post_newest(p, p->bob, INBOX);
    assert_string_equal(subject_of(got), "Automatic reply: one"); /* R530, R553, R922 */
    assert_string_equal(letter_text(&got->props, PidTagMessageClass), "IPM.Note.rules.OOFTemplate"); /* R795 */
    set_out_of_office(p, p->alice, false);
    OK(send_inside(p, p->bob, p->alice, "three"));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    set_out_of_office(p, p->alice, true);
    OK(send_inside(p, p->bob, p->alice, "four"));
    assert_int_equal(post_count(p, p->bob, INBOX), 2); /* R585 */
}

static void two_people_who_are_away_do_not_answer_each_other(void **state)
{
    struct post *p = *state;
    go_away(p, p->alice);
    go_away(p, p->bob);
    OK(send_inside(p, p->bob, p->alice, "hello"));
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(post_count(p, p->alice, INBOX), 1);
}

static void lists_machines_and_automatic_mail_get_no_answer(void **state)
{
    static const char *const silent[] = {
        "Precedence: bulk\r\n",
        "Precedence: list\r\n",
        "List-Id: People <people.contoso.com>\r\n",
        "List-Unsubscribe: <mailto:off@contoso.com>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "X-Auto-Response-Suppress: OOF\r\n",
        "X-Auto-Response-Suppress: All\r\n",
    };
    struct post *p = *state;
    enum ec result;
    go_away(p, p->alice);
    for (size_t i = 0; i < COUNTOF(silent); i++) {
        const char *text =
            talloc_asprintf(p->arena, "From: bob@contoso.com\r\n" TO_ALICE "%sSubject: x\r\n\r\n", silent[i]);
        transport_deliver(p->transport, BLOB_OF(text, strlen(text)), "bob@contoso.com", &p->alice, 1,
                          &result); /* R533 */
        OK(result);
        assert_int_equal(post_count(p, p->bob, INBOX), 0);
    }
    static const struct {
        const char *envelope, *text;
    } odd[] = {
        { "", "From: bob@contoso.com\r\n" TO_ALICE "\r\n" },
        { "owner-people@contoso.com", "From: bob@contoso.com\r\n" TO_ALICE "\r\n" },
        { "people-request@contoso.com", "From: bob@contoso.com\r\n" TO_ALICE "\r\n" },
        { "MAILER-DAEMON@contoso.com", "From: bob@contoso.com\r\n" TO_ALICE "\r\n" },
        { "bob@contoso.com", "From: bob@contoso.com\r\nTo: everybody@contoso.com\r\n\r\n" },
    };
    for (size_t i = 0; i < COUNTOF(odd); i++) {
        transport_deliver(p->transport, BLOB_OF(odd[i].text, strlen(odd[i].text)), odd[i].envelope, &p->alice, 1,
                          &result);
        OK(result);
        assert_int_equal(post_count(p, p->bob, INBOX), 0);
    }
    transport_deliver(p->transport, BLOB_OF(odd[0].text, strlen(odd[0].text)), "bob@contoso.com", &p->alice, 1,
                      &result);
    OK(result);
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
}

/* ---- bouncing ---- */

static struct blob code(struct post *p, uint32_t bounce)
{
    return packed(p, &BounceActionData_wire, &(struct BounceActionData){ bounce });
}

static void a_bounced_message_comes_back_to_its_sender(void **state)
{
    struct post *p = *state;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_BOUNCE, 0, code(p, BOUNCE_DENIED)) } });
    OK(send_inside(p, p->bob, p->alice, "unwanted"));
    assert_int_equal(post_count(p, p->alice, INBOX), 0); /* R547, R5472 */
    const struct letter *report = post_newest(p, p->bob, INBOX);
    assert_string_equal(subject_of(report), "Undeliverable: unwanted"); /* R546, R5462 */
    assert_string_equal(letter_text(&report->props, PidTagMessageClass), "REPORT.IPM.Note.NDR");
}

static void a_sender_outside_is_told_by_his_own_server(void **state)
{
    static const char text[] = "From: eve@example.com\r\n" TO_ALICE "\r\n";
    struct post *p = *state;
    enum ec result;
    add_rule(p, (struct rule){ .of = p->alice, .actions = { action(OP_BOUNCE, 0, code(p, BOUNCE_TOO_LARGE)) } });
    transport_deliver(p->transport, BLOB_OF(text, strlen(text)), "eve@example.com", &p->alice, 1, &result);
    EC(result, ecTooBig); /* R341 */
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, post_open, post_close)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(a_moved_message_is_announced_where_it_is_delivered),
        TEST(what_was_delivered_before_a_crash_is_found_where_the_rule_has_put_it),
        TEST(a_copy_leaves_the_message_where_it_is),
        TEST(several_moves_make_several_copies),
        TEST(the_rules_of_the_other_folder_come_first_and_a_ring_ends),
        TEST(deleting_ends_it),
        TEST(tags_and_the_read_flag_are_set_on_the_message),
        TEST(rules_run_in_order_until_one_says_that_it_is_the_last),
        TEST(a_rule_that_is_not_enabled_does_not_run),
        TEST(some_rules_run_only_while_the_owner_is_away),
        TEST(what_the_client_has_to_do_lies_in_its_folder),
        TEST(a_folder_in_another_store_is_left_to_the_client),
        TEST(a_rule_that_fails_is_reported_once_and_the_message_stays),
        TEST(a_forward_is_a_new_message_of_the_owner),
        TEST(a_redirected_message_stays_as_it_is),
        TEST(a_message_can_be_forwarded_as_an_attachment),
        TEST(a_delegate_gets_it_for_the_owner),
        TEST(nothing_is_forwarded_to_its_own_sender),
        TEST(two_mailboxes_that_forward_to_each_other_come_to_an_end),
        TEST(a_message_that_has_been_sent_on_often_is_not_sent_on),
        TEST(a_rule_answers_with_its_template),
        TEST(a_template_that_is_gone_is_an_error_of_the_rule),
        TEST(a_reply_can_be_of_the_servers_own_words),
        TEST(who_is_away_answers_each_sender_once),
        TEST(two_people_who_are_away_do_not_answer_each_other),
        TEST(lists_machines_and_automatic_mail_get_no_answer),
        TEST(a_bounced_message_comes_back_to_its_sender),
        TEST(a_sender_outside_is_told_by_his_own_server),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rules at delivery", tests, NULL, NULL);
}
