/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/rule_action.h"

/* Both kinds of rules have the same fields, counted differently; `read` makes one of the other. */
struct reader {
    TALLOC_CTX *arena;
    enum wire_flavour flavour;
};

static bool get(const struct reader *r, struct blob bytes, const struct wire_struct *description, void *self)
{
    struct wire_in in = wire_in(r->arena, bytes);
    in.flavour = r->flavour;
    return wire_get(&in, description, self) && wire_left(&in) == 0;
}

/* ---- the data of each type ---- */

typedef bool get_data(const struct reader *, struct rule_action *);

/* [MS-OXORULE] 2.2.5.1.2.1.1; a folder elsewhere is named as only the client understands. */
static bool get_folder(const struct reader *r, struct rule_action *a)
{
    struct ExtendedMoveCopyActionData extended;
    struct MoveCopyActionData data;
    struct ServerId folder;
    if (r->flavour == WIRE_EXT) {
        if (!get(r, a->data, &ExtendedMoveCopyActionData_wire, &extended))
            return false;
        a->entry_id = extended.FolderEID;
        return true;
    }
    if (!get(r, a->data, &MoveCopyActionData_wire, &data))
        return false;
    a->elsewhere = !data.FolderInThisStore;
    if (a->elsewhere)
        return true;
    if (!get(r, data.FolderEID, &ServerId_wire, &folder) || folder.Ours != 1)
        return false;
    a->fid = folder.FolderId;
    return true;
}

static bool get_template(const struct reader *r, struct rule_action *a)
{
    struct ExtendedReplyActionData extended;
    struct ReplyActionData data;
    if (r->flavour == WIRE_EXT) {
        if (!get(r, a->data, &ExtendedReplyActionData_wire, &extended))
            return false;
        a->entry_id = extended.ReplyTemplateMessageEID;
        a->template_guid = extended.ReplyTemplateGUID;
        return true;
    }
    if (!get(r, a->data, &ReplyActionData_wire, &data))
        return false;
    a->fid = data.ReplyTemplateFID;
    a->mid = data.ReplyTemplateMID;
    a->template_guid = data.ReplyTemplateGUID;
    return true;
}

static bool get_recipients(const struct reader *r, struct rule_action *a)
{
    struct ExtendedForwardDelegateActionData extended = { 0 };
    struct ForwardDelegateActionData data = { 0 };
    const bool wide = r->flavour == WIRE_EXT;
    if (!get(r, a->data, wide ? &ExtendedForwardDelegateActionData_wire : &ForwardDelegateActionData_wire,
             wide ? (void *)&extended : (void *)&data))
        return false;
    a->recipient_count = wide ? extended.RecipientCount : data.RecipientCount;
    a->recipients = talloc_array(r->arena, struct props, a->recipient_count);
    for (uint32_t i = 0; i < a->recipient_count; i++)
        a->recipients[i] =
            wide ? (struct props){ extended.RecipientBlocks[i].NoOfProperties,
                                   extended.RecipientBlocks[i].PropertyValues }
                 : (struct props){ data.RecipientBlocks[i].NoOfProperties, data.RecipientBlocks[i].PropertyValues };
    return a->recipient_count > 0; /* MS-OXORULE_R324 */
}

static bool get_bounce(const struct reader *r, struct rule_action *a)
{
    struct BounceActionData data;
    if (!get(r, a->data, &BounceActionData_wire, &data))
        return false;
    a->bounce_code = data.BounceCode;
    return data.BounceCode == BOUNCE_TOO_LARGE || data.BounceCode == BOUNCE_NOT_DISPLAYABLE ||
           data.BounceCode == BOUNCE_DENIED; /* MS-OXORULE_R340 */
}

static bool get_tag(const struct reader *r, struct rule_action *a)
{
    struct TagActionData data;
    if (!get(r, a->data, &TagActionData_wire, &data))
        return false;
    a->tag = data.Property;
    return true;
}

/* A client may leave bytes where nothing is said: they are ignored. */
static bool get_nothing(const struct reader *r, struct rule_action *a)
{
    (void)r, (void)a;
    return true;
}

static get_data *const readers[] = {
    [OP_MOVE] = get_folder,        [OP_COPY] = get_folder,          [OP_REPLY] = get_template,
    [OP_OOF_REPLY] = get_template, [OP_DEFER_ACTION] = get_nothing, [OP_BOUNCE] = get_bounce,
    [OP_FORWARD] = get_recipients, [OP_DELEGATE] = get_recipients,  [OP_TAG] = get_tag,
    [OP_DELETE] = get_nothing,     [OP_MARK_AS_READ] = get_nothing,
};

static bool get_action(const struct reader *r, struct rule_action *a)
{
    return a->type < COUNTOF(readers) && readers[a->type] && readers[a->type](r, a);
}

#define ACTION_OF(b)                                                                                                   \
    ((struct rule_action){                                                                                             \
        .type = (b).ActionType, .flavor = (b).ActionFlavor, .flags = (b).ActionFlags, .data = (b).ActionData })

/* ---- all of them ---- */

bool rule_actions(TALLOC_CTX *arena, struct blob bytes, enum wire_flavour flavour, struct rule_action **out,
                  uint32_t *count)
{
    const struct reader r = { arena, flavour };
    const bool wide = flavour == WIRE_EXT;
    struct ExtendedRuleAction extended = { 0 };
    struct RuleAction standard = { 0 };
    bool good = get(&r, bytes, wide ? &ExtendedRuleAction_wire : &RuleAction_wire,
                    wide ? (void *)&extended : (void *)&standard);
    *count = !good ? 0 : wide ? extended.NoOfActions : standard.NoOfActions;
    *out = talloc_array(arena, struct rule_action, *count);
    for (uint32_t i = 0; i < *count && good; i++) {
        (*out)[i] = wide ? ACTION_OF(extended.ActionBlocks[i]) : ACTION_OF(standard.ActionBlocks[i]);
        good = get_action(&r, &(*out)[i]);
    }
    return good && *count > 0; /* MS-OXORULE_R232 */
}

struct blob rule_actions_deferred(TALLOC_CTX *arena, const struct rule_action *const *actions, uint32_t count)
{
    struct ActionBlock *blocks = talloc_zero_array(arena, struct ActionBlock, count);
    for (uint32_t i = 0; i < count; i++)
        blocks[i] = (struct ActionBlock){ .ActionType = (uint8_t)actions[i]->type,
                                          .ActionFlavor = actions[i]->flavor,
                                          .ActionFlags = actions[i]->flags,
                                          .ActionData = actions[i]->data };
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    wire_put(&out, &RuleAction_wire, &(struct RuleAction){ .NoOfActions = (uint16_t)count, .ActionBlocks = blocks });
    return buf_blob(&bytes);
}
