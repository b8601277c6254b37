/* SPDX-License-Identifier: Apache-2.0 */
/* transport/rule.h: the rules of a folder run over a message that is being delivered, [MS-OXORULE] 3.2.5.1.
 *
 *     rules_run()      conditions over the message in memory; says where it goes and what else is to be done
 *     deliver.c        writes it there, with what is left to the client (rule_defer.c), in one transaction
 *     rule_letter.c    letters that go out for it: forwards, replies; queued before that transaction commits
 *
 * A letter that a rule sends names the mailbox in X-MS-Exchange-Inbox-Rules-Loop.  A mailbox that finds itself there,
 * or RULE_HOPS_MAX others, sends nothing for it: so no two rules answer each other for ever. */
#pragma once
#include "transport/internal.h"
#include "wire/rule_action.h"

enum { RULE_HOPS_MAX = 3, RULE_PLACES_MAX = 32, RULE_LETTERS_MAX = 64 };

/* [MS-OXORULE] 2.2.7.2 */
enum rule_error {
    RULE_ERROR_PARSE = 0x04, RULE_ERROR_MOVE = 0x06, RULE_ERROR_TEMPLATE = 0x0A, RULE_ERROR_EXECUTE = 0x0B,
    RULE_ERROR_QUOTA = 0x0C, RULE_ERROR_RECIPIENTS = 0x0D,
};

struct rule_failure {
    const struct store_rule *rule;
    const struct rule_action *action;            /* NULL: of none in particular */
    enum rule_error error;
};
struct rule_deferred {
    const struct store_rule *rule;
    const struct rule_action *action;
};
/* A folder that gets the message; by which action: NULL, none. */
struct rule_place {
    uint64_t fid;
    const struct store_rule *rule;
    const struct rule_action *action;
};
struct rule_letter {
    struct letter *letter;
    struct guid id;
    uint32_t first;                              /* of its recipients that gets it */
    bool automatic;                              /* nobody is told when it does not arrive */
    bool as_it_is;                               /* it stays what its first sender wrote */
};

struct rule_run {
    struct transport *transport;
    TALLOC_CTX *arena;
    struct store *st;                            /* locked */
    const struct account *owner;
    const struct letter *letter;                 /* the owner's copy */
    const struct delivery *how;
    uint32_t new_names;                          /* that it may still make in the mailbox */
    struct store_message *message;               /* the same, not saved yet */
    bool asked_state, out_of_office;

    struct rule_place places[RULE_PLACES_MAX];
    uint32_t place_count;
    uint64_t visited[RULE_PLACES_MAX];           /* folders whose rules have run */
    uint32_t visited_count;
    struct prop *tags;                           /* of OP_TAG, for every copy */
    uint32_t tag_count;
    bool read;
    bool bounced;
    uint32_t bounce_code;
    enum ec refused;                             /* what the sender's server is told instead of a report */
    struct rule_deferred *deferred;
    uint32_t deferred_count;
    struct rule_failure *failures;
    uint32_t failure_count;
    struct rule_letter letters[RULE_LETTERS_MAX];
    uint32_t letter_count;
};

/* `run` has its first part filled in.  places: none, when the message was deleted or bounced. */
void rules_run(struct rule_run *, uint64_t fid);
void rule_failed(struct rule_run *, const struct store_rule *, const struct rule_action *, enum rule_error);

/* rule_letter.c; false: it could not be made, which is noted in the run. */
bool rule_reply(struct rule_run *, const struct store_rule *, const struct rule_action *);
bool rule_forward(struct rule_run *, const struct store_rule *, const struct rule_action *);
void rule_bounce(struct rule_run *);
/* rule_guard.c: may anything, or an automatic answer, be sent for this message? */
bool rule_may_send(const struct rule_run *);
bool rule_may_reply(const struct rule_run *, bool out_of_office);
bool rule_sender(const struct rule_run *, struct mime_person *out);      /* who would get the answer; false: nobody */
void rule_mark_hop(const struct rule_run *, struct letter *);

/* rule_defer.c: messages in the Deferred Action folder, [MS-OXORULE] 3.2.5.1.2, 3.2.5.1.3.  fid, mid: of the delivered
 * message; 0: there is none. */
enum ec rule_write_deferred(struct rule_run *, uint64_t fid, uint64_t mid);
enum ec rule_write_failures(struct rule_run *, uint64_t fid, uint64_t mid);
