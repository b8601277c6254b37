/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/rule.h"

enum { SCL_IS_SAFE = -1, SUPPRESS_RECEIPT = 0x01 };

/* ---- what is noted ---- */

void rule_failed(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action,
                 enum rule_error error)
{
    run->failures = talloc_realloc(run->arena, run->failures, struct rule_failure, run->failure_count + 1);
    run->failures[run->failure_count++] = (struct rule_failure){ rule, action, error };
}

static bool is_noted(const uint64_t *fids, uint32_t count, uint64_t fid)
{
    for (uint32_t i = 0; i < count; i++)
        if (fids[i] == fid)
            return true;
    return false;
}

static bool is_place(const struct rule_run *run, uint64_t fid)
{
    for (uint32_t i = 0; i < run->place_count; i++)
        if (run->places[i].fid == fid)
            return true;
    return false;
}

static bool add_place(struct rule_run *run, uint64_t fid, const struct store_rule *rule,
                      const struct rule_action *action)
{
    if (is_place(run, fid))
        return true;
    if (run->place_count == RULE_PLACES_MAX)
        return false;
    run->places[run->place_count++] = (struct rule_place){ fid, rule, action };
    return true;
}

/* ---- actions: R525 and on ---- */

struct frame {
    const struct store_rule *rule;
    bool gone; /* the message does not stay in this folder */
    bool exit; /* only rules for who is out of office are evaluated any more */
};
typedef void act(struct rule_run *, struct frame *, const struct rule_action *);
static bool run_folder(struct rule_run *, uint64_t fid);

/* A message folder of this mailbox that is there. */
static bool is_target(struct rule_run *run, uint64_t fid)
{
    struct store_folder row;
    return store_folder_row(run->arena, run->st, fid, &row) == ecNone && row.type == FOLDER_GENERIC;
}

static void defer(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    if (frame->rule->extended)
        return; /* R349 */
    run->deferred = talloc_realloc(run->arena, run->deferred, struct rule_deferred, run->deferred_count + 1);
    run->deferred[run->deferred_count++] = (struct rule_deferred){ frame->rule, action };
}

/* R512: the rules of the other folder come first.  A folder's rules run once, so a ring of moves ends. */
static void place(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    if (action->elsewhere) {
        defer(run, frame, action);
        return;
    }
    if (!is_target(run, action->fid)) {
        rule_failed(run, frame->rule, action, RULE_ERROR_MOVE);
        return;
    }
    const bool visited = is_noted(run->visited, run->visited_count, action->fid);
    if ((visited || run_folder(run, action->fid)) && !add_place(run, action->fid, frame->rule, action))
        rule_failed(run, frame->rule, action, RULE_ERROR_MOVE);
    else
        frame->gone |= action->type == OP_MOVE;
}

static void reply(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    if (rule_may_reply(run, action->type == OP_OOF_REPLY))
        rule_reply(run, frame->rule, action);
}

static void forward(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    if (rule_may_send(run))
        rule_forward(run, frame->rule, action);
}

/* R547 */
static void bounce(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    run->bounced = true;
    run->bounce_code = action->bounce_code;
    frame->gone = frame->exit = true;
}

/* R548.  A property that messages compute is the rule's mistake. */
static void tag(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    enum ec result = ecNone;
    const enum ec ec = store_message_set(run->message, &action->tag, 1, &result);
    if (ec || result) {
        rule_failed(run, frame->rule, action, RULE_ERROR_EXECUTE);
        return;
    }
    run->tags = talloc_realloc(run->arena, run->tags, struct prop, run->tag_count + 1);
    run->tags[run->tag_count++] = action->tag;
}

/* R549, R550 */
static void delete (struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    (void)run, (void)action;
    frame->gone = frame->exit = true;
}

/* R551 */
static void mark_as_read(struct rule_run *run, struct frame *frame, const struct rule_action *action)
{
    bool changed;
    (void)frame, (void)action;
    store_message_set_read(run->message, SUPPRESS_RECEIPT, &changed);
    run->read = true;
}

static act *const acts[] = {
    [OP_MOVE] = place,
    [OP_COPY] = place,
    [OP_REPLY] = reply,
    [OP_OOF_REPLY] = reply,
    [OP_DEFER_ACTION] = defer,
    [OP_BOUNCE] = bounce,
    [OP_FORWARD] = forward,
    [OP_DELEGATE] = forward,
    [OP_TAG] = tag,
    [OP_DELETE] = delete,
    [OP_MARK_AS_READ] = mark_as_read,
};

/* ---- conditions ---- */

static bool is_out_of_office(struct rule_run *run)
{
    const uint32_t asked = PidTagOutOfOfficeState;
    struct prop state;
    if (!run->asked_state && !store_get_props(run->arena, run->st, &asked, 1, STORE_VALUE_LIMIT, &state))
        run->out_of_office = state.tag == asked && state.b;
    run->asked_state = true;
    return run->out_of_office;
}

/* R63, R67, R74, R517, R560, R807 */
static bool is_due(struct rule_run *run, const struct frame *frame)
{
    const uint32_t state = frame->rule->state;
    if (!(state & (ST_ENABLED | ST_ONLY_WHEN_OOF)) || (frame->exit && !(state & ST_ONLY_WHEN_OOF)))
        return false;
    if (state & ST_SKIP_IF_SCL_IS_SAFE &&
        (int32_t)store_message_u32(run->message, PidTagContentFilterSpamConfidenceLevel, 0) == SCL_IS_SAFE)
        return false;
    return !(state & ST_ONLY_WHEN_OOF) || is_out_of_office(run);
}

static bool answers(const struct store_rule *rule)
{
    for (uint32_t i = 0; i < rule->action_count; i++)
        if (rule->actions[i].type == OP_OOF_REPLY)
            return true;
    return false;
}

/* R556 to R558.  Who would not be answered anyhow is not noted. */
static bool is_first_time(struct rule_run *run, const struct store_rule *rule)
{
    struct mime_person sender;
    bool is_new = true;
    if (!(rule->state & ST_KEEP_OOF_HIST) || !answers(rule))
        return true;
    if (!rule_sender(run, &sender) || !rule_may_reply(run, true))
        return false;
    return store_rule_sender(run->st, rule, sender.smtp ? sender.smtp : sender.address, &is_new) == ecNone && is_new;
}

static void run_rule(struct rule_run *run, struct frame *frame)
{
    const struct store_rule *rule = frame->rule;
    if (rule->is_damaged) {
        rule_failed(run, rule, NULL, RULE_ERROR_PARSE);
        return;
    }
    if (!store_message_matches(run->message, rule->condition) || !is_first_time(run, rule))
        return;
    for (uint32_t i = 0; i < rule->action_count; i++)
        acts[rule->actions[i].type](run, frame, &rule->actions[i]);
    frame->exit |= (rule->state & ST_EXIT_LEVEL) != 0;
}

/* Does the message stay in this folder? */
static bool run_folder(struct rule_run *run, uint64_t fid)
{
    struct store_rule *rules;
    struct frame frame = { 0 };
    uint32_t count;
    if (run->visited_count == RULE_PLACES_MAX || store_rules(run->arena, run->st, fid, &rules, &count))
        return true;
    run->visited[run->visited_count++] = fid;
    for (uint32_t i = 0; i < count; i++) {
        frame.rule = &rules[i];
        if (is_due(run, &frame))
            run_rule(run, &frame);
    }
    return !frame.gone;
}

void rules_run(struct rule_run *run, uint64_t fid)
{
    if (run_folder(run, fid) && !is_place(run, fid))
        add_place(run, fid, NULL, NULL);
    if (run->bounced)
        rule_bounce(run);
}
