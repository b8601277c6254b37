/* SPDX-License-Identifier: Apache-2.0 */
/* The rules table of a folder: [MS-OXORULE] 2.2.2.  Its values are never cut, since a client has no other way to get at
 * them. */
#include "store/table.h"

static struct table_row rule_row_of(struct store_table *t, struct sql_rows *rows)
{
    struct table_row row = { .table = t, .found = true };
    row.key.id = (uint64_t)sql_col_int(rows, 0);
    return row;
}

static const char rules_sql[] = "SELECT id, props FROM rule WHERE mb = $1 AND fid = $2";

static void rules_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    struct sql_rows rows = sql_query(&tx->sql, rules_sql, BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid)));
    while (sql_next(&rows)) {
        struct table_row row = rule_row_of(t, &rows);
        bag_open(&row.item.bag, sql_col_blob(&rows, 1));
        take(arg, &row);
    }
}

static const char rule_sql[] = "SELECT id, props FROM rule WHERE mb = $1 AND fid = $2 AND id = $3";

static void rules_fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, const uint64_t *ids,
                        uint32_t count, struct table_row *rows)
{
    for (uint32_t i = 0; i < count; i++) {
        struct sql_rows found =
            sql_query(&tx->sql, rule_sql, BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((int64_t)ids[i])));
        if (sql_next(&found)) {
            rows[i] = rule_row_of(t, &found);
            bag_open(&rows[i].item.bag, sql_col_blob_copy(arena, &found, 1));
        }
        sql_done(&found);
    }
}

static bool rule_belongs(struct store_table *t, struct store_tx *tx, struct table_row *row)
{
    (void)t, (void)tx;
    return row->found;
}

static void rule_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut,
                      struct prop *out)
{
    (void)limit, (void)cut;
    if (PROP_ID(tag) == PROP_ID(PidTagRuleId)) {
        *out = P_I64(PidTagRuleId, store_id(row->key.id));
        item_convert(arena, tag, ITEM_IN_MEMORY, false, out);
    } else {
        item_get(arena, row->table->st, &row->item, tag, ITEM_IN_MEMORY, false, out);
    }
}

static const uint32_t rule_tags[] = {
    PidTagRuleId,    PidTagRuleSequence,  PidTagRuleState,        PidTagRuleName,      PidTagRuleProvider,
    PidTagRuleLevel, PidTagRuleUserFlags, PidTagRuleProviderData, PidTagRuleCondition, PidTagRuleActions,
};
static const struct SortOrder by_sequence[] = { { PidTagRuleSequence, SORT_ASCENDING } };

const struct table_kind rules_kind = {
    .restricts = true, /* [MS-OXCTABL] 2.2.2.4 */
    .order = by_sequence,
    .order_count = COUNTOF(by_sequence),
    .scan = rules_scan,
    .fetch = rules_fetch,
    .belongs = rule_belongs,
    .prop = rule_prop,
    .tags = rule_tags,
    .tag_count = COUNTOF(rule_tags),
    .anew = true,
};

enum ec store_rules_table(struct store_table **out, TALLOC_CTX *owner, struct store *st, uint64_t fid)
{
    uint32_t rows;
    return folder_table(out, owner, st, fid, &rules_kind, 0, &rows);
}
