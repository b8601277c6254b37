/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of folders: [MS-OXORULE].  A standard rule is a row of its own, set by RopModifyRules; an extended one is an
 * FAI message of its folder, 2.2.4.  What running them means is not known here. */
#include <stdlib.h>

#include "store/message.h"
#include "wire/rule_action.h"

/* All rules of a folder hold at most so many bytes: 3.2.5.2 */
enum { RULES_SIZE_MAX = 256 * 1024, EXTENDED_RULES_MAX = 100, EXTENDED_RULE_MAX = 512 * 1024 };
enum { STATE_OF_SERVER = ST_ERROR | ST_RULE_PARSE_ERROR };

/* [MS-OXORULE] 2.2.1.3.1: what a rule consists of; anything else is not kept. */
static const uint32_t rule_tags[] = {
    PidTagRuleSequence,  PidTagRuleState,        PidTagRuleName,      PidTagRuleProvider, PidTagRuleLevel,
    PidTagRuleUserFlags, PidTagRuleProviderData, PidTagRuleCondition, PidTagRuleActions,
};

/* ---- properties ---- */

static struct props props_of_bag(TALLOC_CTX *arena, struct blob bytes)
{
    struct bag bag;
    if (!bag_open(&bag, bytes))
        return (struct props){ 0 };
    struct prop *values = talloc_array(arena, struct prop, bag.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < bag.count; i++)
        if (bag_at(arena, &bag, i, &values[count], NULL) == BAG_HERE && PROP_TYPE(values[count].tag) != PtypErrorCode)
            count++;
    return (struct props){ count, values };
}

static const struct prop *find(const struct props *props, uint32_t tag)
{
    return prop_find(props->values, props->count, tag);
}

static uint32_t number(const struct props *props, uint32_t tag)
{
    const struct prop *p = find(props, tag);
    return p ? p->u32 : 0;
}

/* What the client gives, over what there was.  R66, R77: the server's own flags are not the client's to set. */
static struct props merge(TALLOC_CTX *arena, const struct props *old, const struct RuleData *given)
{
    struct prop *values = talloc_array(arena, struct prop, COUNTOF(rule_tags));
    const struct props new = { given->PropertyValueCount, given->PropertyValues };
    uint32_t count = 0;
    for (size_t i = 0; i < COUNTOF(rule_tags); i++) {
        const struct prop *p = find(&new, rule_tags[i]);
        if (!p)
            p = find(old, rule_tags[i]);
        if (!p)
            continue;
        values[count] = *p;
        values[count].tag = rule_tags[i];
        if (rule_tags[i] == PidTagRuleState)
            values[count].u32 &= ~(uint32_t)STATE_OF_SERVER;
        count++;
    }
    return (struct props){ count, values };
}

/* 3.1.4.2.1: what a rule cannot do without. */
static bool is_rule(TALLOC_CTX *arena, const struct props *props)
{
    const struct prop *actions = find(props, PidTagRuleActions);
    struct rule_action *parsed;
    uint32_t count;
    return find(props, PidTagRuleProvider) && find(props, PidTagRuleCondition) && actions &&
           rule_actions(arena, actions->bin, WIRE_ROP, &parsed, &count);
}

/* ---- changing: 3.2.5.2 ---- */

static const char rule_insert_sql[] = "INSERT INTO rule(mb, fid, id, props) VALUES ($1, $2, $3, $4)";
static const char rule_update_sql[] = "UPDATE rule SET props = $4 WHERE mb = $1 AND fid = $2 AND id = $3";
static const char rule_props_sql[] = "SELECT props FROM rule WHERE mb = $1 AND fid = $2 AND id = $3";
static const char rule_delete_sql[] = "DELETE FROM rule WHERE mb = $1 AND fid = $2 AND id = $3";
static const char rule_history_delete_sql[] = "DELETE FROM rule_sender WHERE mb = $1 AND rule = $2";
static const char *const rules_delete_sql[] = {
    "DELETE FROM rule_sender WHERE mb = $1 AND rule IN (SELECT id FROM rule WHERE mb = $1 AND fid = $2)",
    "DELETE FROM rule WHERE mb = $1 AND fid = $2",
};

struct change {
    struct store_tx tx;
    TALLOC_CTX *arena;
    uint64_t fid;
};

static void write_rule(struct change *c, const char *sql, uint64_t id, const struct props *props)
{
    if (!is_rule(c->arena, props))
        sql_abort(&c->tx.sql, ecInvalidParam); /* R594 */
    else
        sql_exec(&c->tx.sql, sql,
                 BIND(B_INT(c->tx.st->mb), B_INT((int64_t)c->fid), B_INT((int64_t)id),
                      B_BLOB(bag_of(c->arena, props->values, props->count))));
}

static void add_rule(struct change *c, const struct RuleData *data, const struct prop *id)
{
    static const struct props nothing;
    const struct props props = merge(c->arena, &nothing, data);
    if (id)
        sql_abort(&c->tx.sql, ecInvalidParam); /* R53 */
    else
        write_rule(c, rule_insert_sql, take_counters(&c->tx, 1), &props); /* R597, R598 */
}

static void modify_rule(struct change *c, const struct RuleData *data, const struct prop *rule)
{
    const uint64_t id = store_counter(rule->u64);
    const struct blob bag = sql_blob(c->arena, &c->tx.sql, rule_props_sql,
                                     BIND(B_INT(c->tx.st->mb), B_INT((int64_t)c->fid), B_INT((int64_t)id)));
    if (sql_failed(&c->tx.sql))
        return;
    const struct props old = props_of_bag(c->arena, bag), props = merge(c->arena, &old, data);
    write_rule(c, rule_update_sql, id, &props);
}

static void remove_rule(struct change *c, const struct RuleData *data, const struct prop *rule)
{
    const uint64_t id = store_counter(rule->u64);
    (void)data;
    if (!sql_exec(&c->tx.sql, rule_delete_sql, BIND(B_INT(c->tx.st->mb), B_INT((int64_t)c->fid), B_INT((int64_t)id))))
        sql_abort(&c->tx.sql, ecNotFound);
    sql_exec(&c->tx.sql, rule_history_delete_sql, BIND(B_INT(c->tx.st->mb), B_INT((int64_t)id)));
}

static const char rules_count_sql[] =
    "SELECT COUNT(*), COALESCE(SUM(LENGTH(props)), 0) FROM rule WHERE mb = $1 AND fid = $2";
static const char has_rules_sql[] = "UPDATE folder SET has_rules = $3 WHERE mb = $1 AND fid = $2";

/* R604 to R606, R814, R815: what goes beyond the limit is not kept, as R9111 has it. */
static void rules_changed(struct change *c)
{
    struct sql_rows rows = sql_one(&c->tx.sql, rules_count_sql, BIND(B_INT(c->tx.st->mb), B_INT((int64_t)c->fid)));
    const bool any = sql_col_int(&rows, 0);
    const int64_t size = sql_col_int(&rows, 1);
    sql_done(&rows);
    if (size > RULES_SIZE_MAX)
        sql_abort(&c->tx.sql, ecNotEnoughMemory);
    sql_exec(&c->tx.sql, has_rules_sql, BIND(B_INT(c->tx.st->mb), B_INT((int64_t)c->fid), B_INT(any)));
    folder_touch(&c->tx, c->fid, 0);
}

enum ec store_rules_change(struct store *st, uint64_t fid, bool replace, const struct RuleData *data, uint32_t count)
{
    static void (*const changes[])(struct change *, const struct RuleData *, const struct prop *id) = {
        [RULE_ADD] = add_rule, [RULE_MODIFY] = modify_rule, [RULE_REMOVE] = remove_rule
    };
    struct folder_row row;
    struct change c = { .arena = talloc_new(NULL), .fid = store_counter(fid) };
    c.tx = store_begin(st);
    folder_row_get(c.arena, &c.tx, c.fid, &row);
    may(&c.tx, c.fid, RIGHT_OWNER); /* [MS-OXORULE] 3.2.5.2 */
    for (size_t i = 0; replace && i < COUNTOF(rules_delete_sql); i++)
        sql_exec(&c.tx.sql, rules_delete_sql[i], BIND(B_INT(st->mb), B_INT((int64_t)c.fid)));
    for (uint32_t i = 0; i < count && !sql_failed(&c.tx.sql); i++) {
        const uint8_t kind = data[i].RuleDataFlags;
        const struct prop *id = prop_find(data[i].PropertyValues, data[i].PropertyValueCount, PidTagRuleId);
        if (kind >= COUNTOF(changes) || !changes[kind] || (replace && kind != RULE_ADD) || (kind != RULE_ADD && !id))
            sql_abort(&c.tx.sql, ecInvalidParam); /* R54, R670 */
        else
            changes[kind](&c, &data[i], id);
    }
    if (!sql_failed(&c.tx.sql))
        rules_changed(&c);
    talloc_free(c.arena);
    return store_end(&c.tx);
}

/* ---- reading them to run them ---- */

static const char rules_sql[] = "SELECT id, props FROM rule WHERE mb = $1 AND fid = $2 ORDER BY id";
/* FAI messages are few, and stand together in the index on the folder.  The sum keeps the planner away from the index
 * on mid, in whose order it would walk through the mailbox. */
static const char extended_rules_sql[] =
    "SELECT " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND fid = $2 AND associated = 1 AND deleted IS NULL"
    " AND class IN ('IPM.ExtendedRule.Message', 'IPM.Rule.Version2.Message') ORDER BY mid + 0 LIMIT $3";

struct list {
    TALLOC_CTX *arena;
    struct store_rule *rules;
    uint32_t count, room;
};

static struct store_rule *add(struct list *list)
{
    if (list->count == list->room) {
        list->room = MAX(16u, list->room * 2);
        list->rules = talloc_realloc(list->arena, list->rules, struct store_rule, list->room);
    }
    struct store_rule *rule = &list->rules[list->count++];
    *rule = (struct store_rule){ 0 };
    return rule;
}

static const char *text(const struct props *props, uint32_t tag)
{
    const struct prop *p = find(props, tag);
    return p ? p->str : "";
}

static void add_standard(struct list *list, uint64_t fid, uint64_t id, struct blob bag)
{
    const struct props props = props_of_bag(list->arena, bag);
    const struct prop *condition = find(&props, PidTagRuleCondition), *actions = find(&props, PidTagRuleActions);
    struct store_rule *rule = add(list);
    rule->id = store_id(id);
    rule->fid = store_id(fid);
    rule->sequence = number(&props, PidTagRuleSequence);
    rule->state = number(&props, PidTagRuleState);
    rule->provider = text(&props, PidTagRuleProvider);
    rule->condition = condition ? condition->restriction : NULL;
    rule->is_damaged = !condition || !actions ||
                       !rule_actions(list->arena, actions->bin, WIRE_ROP, &rule->actions, &rule->action_count);
}

/* ---- extended rules ---- */

/* Property ids count inside of one property of the rule only: 2.2.4.2 */
struct names {
    struct store *st;
    const struct NamedPropertyInformation *info;
    uint16_t *ids;
};

static bool names_of(TALLOC_CTX *arena, struct store *st, const struct NamedPropertyInformation *info,
                     struct names *out)
{
    *out = (struct names){ st, info, talloc_zero_array(arena, uint16_t, info->NoOfNamedProps) };
    return store_named_ids(st, info->NamedProperties, info->NoOfNamedProps, false, out->ids) == ecNone;
}

static uint32_t own_tag(const struct names *names, uint32_t tag)
{
    for (uint32_t i = 0; PROP_ID(tag) >= 0x8000 && i < names->info->NoOfNamedProps; i++)
        if (names->info->PropIds[i] == PROP_ID(tag))
            return PROP_TAG(PROP_TYPE(tag), names->ids[i]);
    return tag;
}

static void own_restriction(const struct names *names, struct restriction *r)
{
    r->tag = own_tag(names, r->tag);
    r->tag2 = own_tag(names, r->tag2);
    r->value.tag = own_tag(names, r->value.tag);
    for (uint32_t i = 0; i < r->count; i++)
        own_restriction(names, (struct restriction *)(uintptr_t)&r->sub[i]);
}

static struct wire_in extended(TALLOC_CTX *arena, struct blob bytes)
{
    struct wire_in in = wire_in(arena, bytes);
    in.flavour = WIRE_EXT;
    return in;
}

static bool read_condition(TALLOC_CTX *arena, struct store *st, struct blob bytes, const struct restriction **out)
{
    struct wire_in in = extended(arena, bytes);
    struct ExtendedRuleCondition condition = { 0 };
    struct names names;
    if (!wire_get(&in, &ExtendedRuleCondition_wire, &condition) || !condition.RuleRestriction ||
        !names_of(arena, st, &condition.NamedPropertyInformation, &names))
        return false;
    struct restriction *copy = restriction_copy(arena, condition.RuleRestriction);
    own_restriction(&names, copy);
    *out = copy;
    return true;
}

static bool read_actions(TALLOC_CTX *arena, struct store *st, struct blob bytes, struct store_rule *rule)
{
    struct wire_in in = extended(arena, bytes);
    struct ExtendedRuleActions actions = { 0 };
    struct names names;
    if (!wire_get(&in, &ExtendedRuleActions_wire, &actions) || actions.RuleVersion != 1 || /* R208 */
        !names_of(arena, st, &actions.NamedPropertyInformation, &names) ||
        !rule_actions(arena, actions.RuleActionsBuffer, WIRE_EXT, &rule->actions, &rule->action_count))
        return false;
    bool good = true;
    for (uint32_t i = 0; i < rule->action_count; i++) {
        struct rule_action *a = &rule->actions[i];
        a->tag.tag = own_tag(&names, a->tag.tag);
        if (a->type == OP_MOVE || a->type == OP_COPY)
            good = good && store_fid_of_entry_id(st, a->entry_id, &a->fid) == ecNone;
        else if (a->type == OP_REPLY || a->type == OP_OOF_REPLY)
            good = good && store_mid_of_entry_id(st, a->entry_id, &a->fid, &a->mid) == ecNone;
    }
    return good;
}

static struct props message_props(TALLOC_CTX *arena, struct store *st, const struct message_row *row)
{
    static const uint32_t tags[] = {
        PidTagRuleMessageSequence,          PidTagRuleMessageState,           PidTagRuleMessageProvider,
        PidTagExtendedRuleMessageCondition, PidTagExtendedRuleMessageActions,
    };
    const struct item item = message_item(row);
    struct prop *values = talloc_array(arena, struct prop, COUNTOF(tags));
    for (size_t i = 0; i < COUNTOF(tags); i++)
        item_get(arena, st, &item, tags[i], EXTENDED_RULE_MAX, false, &values[i]);
    return (struct props){ COUNTOF(tags), values };
}

static void add_extended(struct list *list, struct store *st, const struct message_row *row)
{
    const struct props props = message_props(list->arena, st, row);
    const struct prop *condition = find(&props, PidTagExtendedRuleMessageCondition),
                      *actions = find(&props, PidTagExtendedRuleMessageActions);
    struct store_rule *rule = add(list);
    rule->extended = true;
    rule->id = store_id(row->mid);
    rule->fid = store_id(row->fid);
    rule->sequence = number(&props, PidTagRuleMessageSequence);
    rule->state = number(&props, PidTagRuleMessageState);
    rule->provider = text(&props, PidTagRuleMessageProvider);
    rule->is_damaged = !condition || !actions || !read_condition(list->arena, st, condition->bin, &rule->condition) ||
                       !read_actions(list->arena, st, actions->bin, rule);
}

static void add_all_extended(struct list *list, struct store_tx *tx, uint64_t fid)
{
    struct message_row *found = NULL;
    uint32_t count = 0;
    struct sql_rows rows = sql_query(&tx->sql, extended_rules_sql,
                                     BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(EXTENDED_RULES_MAX)));
    while (sql_next(&rows)) {
        found = talloc_realloc(list->arena, found, struct message_row, count + 1);
        message_row_read(tx->st, &rows, 0, &found[count]);
        message_row_keep(list->arena, &found[count++]);
    }
    sql_done(&rows);
    for (uint32_t i = 0; i < count && !sql_failed(&tx->sql); i++)
        add_extended(list, tx->st, &found[i]);
}

/* R514 */
static int by_sequence(const void *a, const void *b)
{
    const struct store_rule *x = a, *y = b;
    if (x->sequence != y->sequence)
        return x->sequence < y->sequence ? -1 : 1;
    return (store_counter(x->id) > store_counter(y->id)) - (store_counter(x->id) < store_counter(y->id));
}

enum ec store_rules(TALLOC_CTX *arena, struct store *st, uint64_t fid, struct store_rule **out, uint32_t *count)
{
    struct list list = { .arena = arena };
    const uint64_t folder = store_counter(fid);
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_query(&tx.sql, rules_sql, BIND(B_INT(st->mb), B_INT((int64_t)folder)));
    while (sql_next(&rows))
        add_standard(&list, folder, (uint64_t)sql_col_int(&rows, 0), sql_col_blob_copy(arena, &rows, 1));
    sql_done(&rows);
    add_all_extended(&list, &tx, folder);
    if (list.count)
        qsort(list.rules, list.count, sizeof *list.rules, by_sequence);
    *out = list.rules;
    *count = list.count;
    return store_end(&tx);
}

/* ---- what running them leaves behind ---- */

static void mark_extended(struct store_tx *tx, const struct store_rule *rule, uint32_t flag)
{
    struct store_message *message;
    enum ec result, ec = store_message_open(&message, NULL, tx->st, rule->fid, rule->id, MESSAGE_READWRITE);
    if (ec)
        return;
    ec = store_message_set(message, &P_I32(PidTagRuleMessageState, rule->state | flag), 1, &result);
    if (!ec)
        store_message_save(message, true, NULL);
    talloc_free(message);
}

static void mark_standard(struct store_tx *tx, const struct store_rule *rule, uint32_t flag)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct sql_value mb = B_INT(tx->st->mb), fid = B_INT((int64_t)store_counter(rule->fid)),
                           id = B_INT((int64_t)store_counter(rule->id));
    const struct blob bag = sql_blob(arena, &tx->sql, rule_props_sql, BIND(mb, fid, id));
    struct props props = props_of_bag(arena, bag);
    struct prop *values = talloc_array(arena, struct prop, props.count + 1);
    uint32_t count = 0;
    for (uint32_t i = 0; i < props.count; i++)
        if (PROP_ID(props.values[i].tag) != PROP_ID(PidTagRuleState))
            values[count++] = props.values[i];
    values[count++] = P_I32(PidTagRuleState, rule->state | flag);
    if (!sql_failed(&tx->sql))
        sql_exec(&tx->sql, rule_update_sql, BIND(mb, fid, id, B_BLOB(bag_of(arena, values, count))));
    talloc_free(arena);
}

enum ec store_rule_failed(struct store *st, const struct store_rule *rule)
{
    const uint32_t flag = rule->is_damaged ? ST_RULE_PARSE_ERROR | ST_ERROR : ST_ERROR;
    struct store_tx tx = store_begin(st);
    (rule->extended ? mark_extended : mark_standard)(&tx, rule, flag);
    return store_end(&tx);
}

static const char rule_sender_sql[] =
    "INSERT INTO rule_sender(mb, rule, sender) VALUES ($1, $2, $3) ON CONFLICT (mb, rule, sender) DO NOTHING";

/* R556, R558 */
enum ec store_rule_sender(struct store *st, const struct store_rule *rule, const char *sender, bool *is_new)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *folded = text_fold_only(arena, sender, FOLD_CASE);
    struct store_tx tx = store_begin(st);
    *is_new = sql_exec(&tx.sql, rule_sender_sql,
                       BIND(B_INT(st->mb), B_INT((int64_t)store_counter(rule->id)),
                            B_BLOB(BLOB_OF(folded, strlen(folded))))) == 1;
    talloc_free(arena);
    return store_end(&tx);
}

static const char forget_senders_sql[] = "DELETE FROM rule_sender WHERE mb = $1";

void rules_forget_senders(struct store_tx *tx)
{
    sql_exec(&tx->sql, forget_senders_sql, BIND(B_INT(tx->st->mb)));
}
