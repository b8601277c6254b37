/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXORULE]: the rules of a folder, and the messages that tell a client what is left to it.  Running them is the
 * transport's. */
#include "rop/handlers.h"

enum { MODIFY_RULES_REPLACE = 0x01 };
enum { TABLE_UNICODE = 0x40 };

/* [MS-OXORULE] 3.2.5.2 */
enum ec rop_ModifyRules(struct rop_call *call, const struct RopModifyRulesRequest *request,
                        struct RopModifyRulesResponse *response)
{
    (void)response;
    if (request->ModifyRulesFlags & ~MODIFY_RULES_REPLACE)
        return ecInvalidParam; /* R822 */
    return store_rules_change(call->store, call->object->fid, request->ModifyRulesFlags & MODIFY_RULES_REPLACE,
                              request->RulesData, request->RulesCount);
}

/* [MS-OXORULE] 3.2.5.3.  Strings come as the columns have them, whatever TABLE_UNICODE says. */
enum ec rop_GetRulesTable(struct rop_call *call, const struct RopGetRulesTableRequest *request,
                          struct RopGetRulesTableResponse *response)
{
    struct object *object;
    (void)response;
    if (request->TableFlags & ~TABLE_UNICODE)
        return ecNotSupported; /* R827 */
    const enum ec ec = rop_open(call, NULL, OBJECT_RULES, &object);
    return ec ? ec : store_rules_table(&object->table, object, call->store, call->object->fid);
}

/* ---- deferred action messages ---- */

struct patch {
    struct blob from, to;
};

/* The specification says two things about which property is meant (2.2.3, 3.2.5.4): each that names the message does. */
static const uint32_t originals[] = { PidTagDamOriginalEntryId, PidTagDeferredActionMessageOriginalEntryId };

static enum ec patch_one(struct rop_call *call, uint64_t mid, const struct patch *patch)
{
    struct store_message *message;
    struct prop values[COUNTOF(originals)], changed[COUNTOF(originals) + 1];
    enum ec results[COUNTOF(changed)];
    uint32_t count = 0;
    enum ec ec = store_message_open(&message, call->arena, call->store, STORE_FID(SPECIAL_DEFERRED_ACTION), mid,
                                    MESSAGE_READWRITE);
    if (ec)
        return ec;
    ec = store_message_get(call->arena, message, originals, COUNTOF(originals), STORE_VALUE_LIMIT, values);
    for (size_t i = 0; !ec && i < COUNTOF(originals); i++)
        if (values[i].tag == originals[i] && blob_equal(values[i].bin, patch->from))
            changed[count++] = P_BIN(originals[i], patch->to); /* R619 */
    changed[count++] = P_BOOL(PidTagDamBackPatched, true);     /* R620 */
    if (!ec)
        ec = store_message_set(message, changed, count, results);
    if (!ec)
        ec = store_message_save(message, true, NULL);
    talloc_free(message);
    return ec;
}

static enum ec find_messages(struct rop_call *call, struct blob id, struct props **rows, uint32_t *count)
{
    static const uint32_t column = PidTagMid;
    struct restriction named[COUNTOF(originals)];
    for (size_t i = 0; i < COUNTOF(originals); i++)
        named[i] = (struct restriction){
            .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = originals[i], .value = P_BIN(originals[i], id)
        };
    const struct restriction either = { .type = RES_OR, .count = COUNTOF(named), .sub = named };
    struct store_table *table;
    uint32_t all;
    enum ec ec = store_contents_table(&table, call->arena, call->store, STORE_FID(SPECIAL_DEFERRED_ACTION), 0, &all);
    if (ec)
        return ec;
    ec = store_table_columns(table, &column, 1);
    if (!ec)
        ec = store_table_restrict(table, &either);
    if (!ec)
        ec = store_table_query(call->arena, table, true, all, false, NULL, NULL, rows, count);
    talloc_free(table);
    return ec;
}

/* [MS-OXORULE] 3.2.5.4 */
enum ec rop_UpdateDeferredActionMessages(struct rop_call *call,
                                         const struct RopUpdateDeferredActionMessagesRequest *request,
                                         struct RopUpdateDeferredActionMessagesResponse *response)
{
    const struct patch patch = { request->ServerEntryId, request->ClientEntryId };
    struct props *rows;
    uint32_t count;
    (void)response;
    enum ec ec = find_messages(call, request->ServerEntryId, &rows, &count);
    for (uint32_t i = 0; !ec && i < count; i++)
        ec = patch_one(call, rows[i].values[0].u64, &patch);
    return ec;
}
