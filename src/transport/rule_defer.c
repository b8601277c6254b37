/* SPDX-License-Identifier: Apache-2.0 */
/* What a rule leaves to the client, or has failed to do: messages in the Deferred Action folder. */
#include "transport/rule.h"

#define DEFERRED_ACTION "IPC.Microsoft Exchange 4.0.Deferred Action"
#define DEFERRED_ERROR "IPC.Microsoft Exchange 4.0.Deferred Error"
enum { PROPS_MAX = 10 };

static enum ec write_message(struct rule_run *run, const struct prop *values, uint32_t count)
{
    struct store_message *message;
    enum ec results[PROPS_MAX],
        ec = store_message_new(&message, run->arena, run->st, STORE_FID(SPECIAL_DEFERRED_ACTION), false);
    if (ec)
        return ec;
    ec = store_message_set(message, values, count, results);
    if (!ec)
        ec = store_message_save(message, false, NULL);
    talloc_free(message);
    return ec;
}

static struct blob server_id(TALLOC_CTX *arena, uint64_t fid, uint64_t mid)
{
    struct buf id;
    buf_init(&id, arena);
    struct wire_out out = wire_out(&id);
    wire_put(&out, &ServerId_wire, &(struct ServerId){ .Ours = 1, .FolderId = fid, .MessageId = mid });
    return buf_blob(&id);
}

/* ---- deferred action messages: 2.2.6 ---- */

/* R568, R571: the actions of one provider's rules are one message. */
struct group {
    const struct rule_action **actions;
    struct buf rule_ids;
    uint32_t count;
};

static struct group group_of(struct rule_run *run, uint32_t first)
{
    struct group g = { .actions = talloc_array(run->arena, const struct rule_action *, run->deferred_count) };
    const struct store_rule *last = NULL;
    buf_init(&g.rule_ids, run->arena);
    for (uint32_t i = first; i < run->deferred_count; i++) {
        const struct rule_deferred *d = &run->deferred[i];
        if (strcmp(d->rule->provider, run->deferred[first].rule->provider) != 0 ||
            d->rule->fid != run->deferred[first].rule->fid)
            continue;
        g.actions[g.count++] = d->action;
        if (d->rule != last)
            put_le64(buf_grow(&g.rule_ids, 8), d->rule->id); /* R369 */
        last = d->rule;
    }
    return g;
}

static bool is_first_of_group(const struct rule_run *run, uint32_t at)
{
    const struct store_rule *rule = run->deferred[at].rule;
    for (uint32_t i = 0; i < at; i++)
        if (strcmp(run->deferred[i].rule->provider, rule->provider) == 0 && run->deferred[i].rule->fid == rule->fid)
            return false;
    return true;
}

enum ec rule_write_deferred(struct rule_run *run, uint64_t fid, uint64_t mid)
{
    enum ec ec = ecNone;
    for (uint32_t i = 0; i < run->deferred_count && !ec; i++) {
        const struct store_rule *rule = run->deferred[i].rule;
        if (!is_first_of_group(run, i))
            continue;
        const struct group g = group_of(run, i);
        const struct prop values[] = {
            P_STR(PidTagMessageClass, DEFERRED_ACTION),                                             /* R352 */
            P_BOOL(PidTagDamBackPatched, false),                                                    /* R354 */
            P_BIN(PidTagDamOriginalEntryId, store_message_entry_id(run->arena, run->st, fid, mid)), /* R740 */
            P_STR(PidTagRuleProvider, rule->provider),                                              /* R359 */
            P_BIN(PidTagRuleFolderEntryId, store_folder_entry_id(run->arena, run->st, rule->fid)),  /* R741 */
            P_BIN(PidTagClientActions, rule_actions_deferred(run->arena, g.actions, g.count)),      /* R365 */
            P_BIN(PidTagRuleIds, buf_blob(&g.rule_ids)),                                            /* R368 */
            P_BIN(PidTagDeferredActionMessageOriginalEntryId, server_id(run->arena, fid, mid)),     /* R371 */
        };
        ec = write_message(run, values, COUNTOF(values));
    }
    return ec;
}

/* ---- deferred error messages: 2.2.7 ---- */

/* R581: of a rule that is known to be in error, nobody is told again. */
static bool is_new(const struct rule_run *run, uint32_t at)
{
    const struct store_rule *rule = run->failures[at].rule;
    for (uint32_t i = 0; i < at; i++)
        if (run->failures[i].rule == rule)
            return false;
    return !(rule->state & ST_ERROR);
}

static enum ec write_failure(struct rule_run *run, const struct rule_failure *f, uint64_t fid, uint64_t mid)
{
    const struct store_rule *rule = f->rule;
    struct prop values[PROPS_MAX] = {
        P_STR(PidTagMessageClass, DEFERRED_ERROR),                                             /* R746 */
        P_I32(PidTagRuleError, f->error),                                                      /* R748 */
        P_I32(PidTagRuleActionType, f->action ? f->action->type : 0),                          /* R750, R751 */
        P_I32(PidTagRuleActionNumber, f->action ? f->action - rule->actions : 0),              /* R707 */
        P_STR(PidTagRuleProvider, rule->provider),                                             /* R711 */
        P_BIN(PidTagRuleFolderEntryId, store_folder_entry_id(run->arena, run->st, rule->fid)), /* R715 */
        P_I64(PidTagRuleId, rule->id),                                                         /* R717 */
    };
    uint32_t count = 7;
    if (mid)
        values[count++] =
            P_BIN(PidTagDamOriginalEntryId, store_message_entry_id(run->arena, run->st, fid, mid)); /* R713 */
    const enum ec ec = write_message(run, values, count);
    return ec ? ec : store_rule_failed(run->st, rule); /* R813 */
}

enum ec rule_write_failures(struct rule_run *run, uint64_t fid, uint64_t mid)
{
    enum ec ec = ecNone;
    for (uint32_t i = 0; i < run->failure_count && !ec; i++)
        if (is_new(run, i) && !run->failures[i].rule->extended) /* R376 */
            ec = write_failure(run, &run->failures[i], fid, mid);
        else if (is_new(run, i))
            ec = store_rule_failed(run->st, run->failures[i].rule);
    return ec;
}
