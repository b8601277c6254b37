/* SPDX-License-Identifier: Apache-2.0 */
/* wire/rule_action.h: what a rule does, [MS-OXORULE] 2.2.5, read from a standard rule (flavour WIRE_ROP) or from an
 * extended one (WIRE_EXT). */
#pragma once
#include "wire/structs.h"

enum rule_action_type {
    OP_MOVE = 0x01, OP_COPY = 0x02, OP_REPLY = 0x03, OP_OOF_REPLY = 0x04, OP_DEFER_ACTION = 0x05, OP_BOUNCE = 0x06,
    OP_FORWARD = 0x07, OP_DELEGATE = 0x08, OP_TAG = 0x09, OP_DELETE = 0x0A, OP_MARK_AS_READ = 0x0B,
};
/* [MS-OXORULE] 2.2.5.1.1 */
enum { FORWARD_PRESERVE_SENDER = 0x01, FORWARD_NO_CHANGES = 0x02, FORWARD_AS_ATTACHMENT = 0x04, FORWARD_AS_TEXT = 0x08 };
enum { REPLY_NOT_TO_SENDER = 0x01, REPLY_STOCK_TEXT = 0x02 };
/* [MS-OXORULE] 2.2.5.1.2.5 */
enum { BOUNCE_TOO_LARGE = 0x0D, BOUNCE_NOT_DISPLAYABLE = 0x1F, BOUNCE_DENIED = 0x26 };

struct rule_action {
    enum rule_action_type type;
    uint32_t flavor, flags;                      /* flags are the client's own */
    struct blob data;                            /* ActionData as it is: OP_DEFER_ACTION is the client's own */
    bool elsewhere;                              /* OP_MOVE, OP_COPY: not in this store, so for the client to do */
    uint64_t fid, mid;                           /* ... and the replies, of a standard rule */
    struct blob entry_id;                        /* ... of an extended rule: of the folder or of the template */
    struct guid template_guid;
    uint32_t bounce_code;
    struct prop tag;
    struct props *recipients;                    /* OP_FORWARD, OP_DELEGATE */
    uint32_t recipient_count;
};
/* All of the actions; false: these are not one or more well-formed actions. */
bool rule_actions(TALLOC_CTX *arena, struct blob rule_action, enum wire_flavour, struct rule_action **out,
                  uint32_t *count);
/* A RuleAction of a standard rule that holds the client's actions of several ones: what a DAM carries. */
struct blob rule_actions_deferred(TALLOC_CTX *arena, const struct rule_action *const *, uint32_t count);
