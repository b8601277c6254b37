/* SPDX-License-Identifier: Apache-2.0 */
/* Rules and out of office, set by a client and met by real mail: [MS-OXORULE] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server.h"
#include "store/store.h"
#include "wire/rule_action.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
    struct client *alice, *bob;
};

static void meet(struct fixture *f)
{
    f->alice = server_logon(f->server, f, "alice");
    f->bob = server_logon(f->server, f, "bob");
}

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->arena = talloc_new(f);
    meet(f);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    client_disconnect(f->alice);
    client_disconnect(f->bob);
    assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

#define OK(c, call)                                                                                                    \
    do {                                                                                                               \
        const enum ec ec_ = (call);                                                                                    \
        if (ec_)                                                                                                       \
            fail_msg("%s: %s (%s)", #call, ec_name(ec_), client_error(c)->text);                                       \
    } while (0)

static struct blob packed(struct fixture *f, const struct wire_struct *description, const void *self)
{
    struct buf bytes;
    buf_init(&bytes, f->arena);
    struct wire_out out = wire_out(&bytes);
    assert_true(wire_put(&out, description, self));
    return buf_blob(&bytes);
}

static void add_rule(struct fixture *f, struct client *c, const char *subject, uint32_t state,
                     struct ActionBlock action)
{
    const struct restriction condition = { .type = RES_CONTENT,
                                           .fuzzy_low = FL_SUBSTRING,
                                           .fuzzy_high = FL_IGNORECASE,
                                           .tag = PidTagSubject,
                                           .value = P_STR(PidTagSubject, subject) };
    const struct prop values[] = {
        P_I32(PidTagRuleSequence, 1),
        P_I32(PidTagRuleState, state),
        P_STR(PidTagRuleName, subject),
        P_STR(PidTagRuleProvider, "RuleOrganizer"),
        { .tag = PidTagRuleCondition, .restriction = &condition },
        P_BIN(PidTagRuleActions,
              packed(f, &RuleAction_wire, &(struct RuleAction){ .NoOfActions = 1, .ActionBlocks = &action })),
    };
    const struct RuleData data = { RULE_ADD, COUNTOF(values), values };
    uint64_t fid;
    uint32_t inbox;
    OK(c, client_folder_find(c, "Inbox", &fid));
    OK(c, client_folder_open(c, fid, &inbox));
    OK(c, client_call(c, f->arena, RopModifyRules, inbox,
                      &(struct RopModifyRulesRequest){ .RulesCount = 1, .RulesData = &data }, NULL, NULL));
    client_release(c, inbox);
}

static uint32_t count(struct fixture *f, struct client *c, const char *path, struct props **rows)
{
    static const uint32_t columns[] = { PidTagMid, PidTagSubject };
    uint64_t fid;
    uint32_t got;
    OK(c, client_folder_find(c, path, &fid));
    OK(c, client_messages(c, f->arena, fid, columns, COUNTOF(columns), 0, 100, rows, &got, NULL));
    return got;
}

static void deliver(struct fixture *f, const char *subject)
{
    assert_int_equal(system(talloc_asprintf(f->arena,
                                            "swaks --protocol LMTP --server 127.0.0.1 --port %u --silent 3"
                                            " --from eve@example.com --to alice@contoso.com --h-Subject '%s' --body x",
                                            server_lmtp_port(f->server), subject)),
                     0);
}

static void mail_that_a_rule_moves_is_announced_where_it_goes(void **state)
{
    struct fixture *f = *state;
    struct props *rows;
    uint64_t inbox, sorted;
    uint32_t subscription;
    OK(f->alice, client_folder_find(f->alice, "Inbox", &inbox));
    OK(f->alice, client_folder_create(f->alice, inbox, "Sorted", &sorted));
    const struct blob id = packed(f, &ServerId_wire, &(struct ServerId){ .Ours = 1, .FolderId = sorted });
    const struct blob data = packed(
        f, &MoveCopyActionData_wire,
        &(struct MoveCopyActionData){ .FolderInThisStore = true, .FolderEIDSize = (uint16_t)id.size, .FolderEID = id });
    add_rule(f, f->alice, "offer", ST_ENABLED, (struct ActionBlock){ .ActionType = OP_MOVE, .ActionData = data });
    OK(f->alice, client_subscribe(f->alice, CLIENT_NEW_MAIL, 0, &subscription));
    OK(f->alice, client_wait_begin(f->alice));
    deliver(f, "An offer");
    bool event;
    OK(f->alice, client_wait(f->alice, 20000, &event));
    assert_true(event);
    OK(f->alice, client_fetch(f->alice));
    const struct client_notification *n = client_next_notification(f->alice, f->arena);
    assert_non_null(n);
    assert_true(n->notify.NotificationData.FolderId == sorted);
    assert_int_equal(count(f, f->alice, "Inbox", &rows), 0);
    assert_int_equal(count(f, f->alice, "Inbox/Sorted", &rows), 1);
    deliver(f, "A letter");
    assert_int_equal(count(f, f->alice, "Inbox", &rows), 1);
    client_release(f->alice, subscription);
}

static void send(struct fixture *f, struct client *from, const char *to, const char *subject)
{
    struct client_recipient who;
    OK(from, client_resolve(from, f->arena, to, CLIENT_TO, &who));
    OK(from, client_send(from, &(struct client_mail){
                                   .subject = subject, .text = "x", .recipients = &who, .recipient_count = 1 }));
}

static void out_of_office_answers_once_and_outlives_the_server(void **state)
{
    struct fixture *f = *state;
    struct props *rows;
    uint64_t inbox, mid;
    uint32_t folder, template;
    struct RopCreateMessageResponse made;
    OK(f->alice, client_folder_find(f->alice, "Inbox", &inbox));
    OK(f->alice, client_folder_open(f->alice, inbox, &folder));
    OK(f->alice,
       client_call(f->alice, f->arena, RopCreateMessage, folder,
                   &(struct RopCreateMessageRequest){ .CodePageId = 0x0FFF, .FolderId = inbox, .AssociatedFlag = true },
                   &made, &template));
    const struct prop text[] = { P_STR(PidTagMessageClass, "IPM.Note.rules.OofTemplate.Microsoft"),
                                 P_STR(PidTagBody, "I am away.") };
    OK(f->alice, client_set(f->alice, template, text, COUNTOF(text)));
    OK(f->alice, client_message_save(f->alice, template, &mid));
    const struct blob data = packed(f, &ReplyActionData_wire,
                                    &(struct ReplyActionData){ .ReplyTemplateFID = inbox, .ReplyTemplateMID = mid });
    add_rule(f, f->alice, "", ST_ENABLED | ST_ONLY_WHEN_OOF | ST_KEEP_OOF_HIST,
             (struct ActionBlock){ .ActionType = OP_OOF_REPLY, .ActionData = data });
    send(f, f->bob, "alice@contoso.com", "zero");
    assert_int_equal(count(f, f->bob, "Inbox", &rows), 0);
    OK(f->alice, client_set(f->alice, client_logon_handle(f->alice), &P_BOOL(PidTagOutOfOfficeState, true), 1));
    send(f, f->bob, "alice@contoso.com", "one");
    send(f, f->bob, "alice@contoso.com", "two");
    assert_int_equal(count(f, f->bob, "Inbox", &rows), 1);
    assert_string_equal(rows[0].values[1].str, "Automatic reply: one");

    client_forget(f->alice);
    client_forget(f->bob);
    server_kill(f->server);
    server_run_again(f->server);
    meet(f);
    assert_int_equal(client_logon_response(f->alice)->ResponseFlags & 0x10, 0x10); /* MS-OXCSTOR 2.2.1.1.3: OOF */
    send(f, f->bob, "alice@contoso.com", "three");
    assert_int_equal(count(f, f->bob, "Inbox", &rows), 1);
    OK(f->alice, client_set(f->alice, client_logon_handle(f->alice), &P_BOOL(PidTagOutOfOfficeState, false), 1));
    client_disconnect(f->alice);
    f->alice = server_logon(f->server, f, "alice");
    assert_int_equal(client_logon_response(f->alice)->ResponseFlags & 0x10, 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(mail_that_a_rule_moves_is_announced_where_it_goes),
        cmocka_unit_test(out_of_office_answers_once_and_outlives_the_server),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("rules", tests, start, stop);
}
