/* SPDX-License-Identifier: Apache-2.0 */
/* Finding a row: [MS-OXCTABL] 3.2.5.14.  One that is asked for by what identifies it is got at once; any other is looked
 * for row by row. */
#include "store/table.h"

struct search {
    TALLOC_CTX *arena;
    struct store_table *table;
    const struct restriction *restriction;
    bool backward, found;
    struct row_key key;
    struct props row;
};

/* ---- by identity ---- */

static uint64_t big_endian(struct blob bytes, size_t at)
{
    uint64_t value = 0;
    for (size_t i = 0; i < 6; i++)
        value = value << 8 | bytes.data[at + i];
    return value;
}

static uint64_t id_of_number(const struct prop *p)
{
    return store_counter(p->u64);
}
static uint64_t id_of_instance_key(const struct prop *p)
{
    return p->bin.size == 12 ? le64(p->bin.data) : 0;
}
static uint64_t id_of_entry_id(const struct prop *p)
{
    return p->bin.size >= 8 ? big_endian(p->bin, p->bin.size - 8) : 0;
}

/* No two rows of a table have one value of these, and its bytes tell the row. */
static const struct identity {
    uint32_t tag;
    const struct table_kind *kind; /* NULL: of both */
    uint64_t (*id)(const struct prop *);
} identities[] = {
    /* clang-format off */
    { PidTagInstID, &contents_kind, id_of_number },
    { PidTagMid, &contents_kind, id_of_number },
    { PidTagFolderId, &hierarchy_kind, id_of_number },
    { PidTagInstanceKey, NULL, id_of_instance_key },
    { PidTagEntryId, NULL, id_of_entry_id },
    { PidTagRecordKey, NULL, id_of_entry_id },
    /* clang-format on */
};

/* The id of the only row that can match; 0: there can be others. */
static uint64_t only_id(const struct store_table *t, const struct restriction *r)
{
    if (r->type != RES_PROPERTY || r->relop != RELOP_EQ || t->kind == &attachments_kind || t->instances ||
        t->categories)
        return 0;
    for (size_t i = 0; i < COUNTOF(identities); i++) {
        const struct identity *known = &identities[i];
        if (r->tag == known->tag && PROP_TYPE(r->value.tag) == PROP_TYPE(known->tag) &&
            (!known->kind || known->kind == t->kind))
            return known->id(&r->value);
    }
    return 0;
}

static void find_by_id(struct search *search, struct store_tx *tx, uint64_t id)
{
    struct store_table *t = search->table;
    struct table_row row;
    if (!table_row_get(search->arena, t, tx, id, &row) || !t->view->locate(t, tx, id, 0, &row.key) ||
        !row_matches(&row, search->restriction))
        return;
    const uint64_t cursor = t->view->before(t, tx, &t->cursor);
    const uint64_t at = t->view->before(t, tx, &(struct place){ AT_ROW, row.key });
    search->found = search->backward ? at < cursor : at >= cursor;
    search->key = row.key;
    search->row = row_values(search->arena, &row);
}

/* ---- row by row ---- */

static bool look(void *arg, struct table_row *row)
{
    struct search *search = arg;
    if (!row_matches(row, search->restriction))
        return true;
    search->found = true;
    search->key = row->key;
    search->row = row_values(search->arena, row);
    return false;
}

/* R241: backwards, the row at the cursor is not looked at. */
enum ec store_table_find(TALLOC_CTX *arena, struct store_table *t, bool backward, const struct restriction *restriction,
                         struct props *row)
{
    struct search search = { .arena = arena, .table = t, .restriction = restriction, .backward = backward };
    const uint64_t id = only_id(t, restriction);
    struct store_tx tx = table_begin(t);
    if (!sql_failed(&tx.sql) && id)
        find_by_id(&search, &tx, id);
    else if (!sql_failed(&tx.sql))
        t->view->walk(t, &tx, &t->cursor, !backward, UINT32_MAX, look, &search);
    const enum ec ec = store_end(&tx);
    if (ec || !search.found)
        return ec ? ec : ecNotFound; /* R536 */
    place_set(t, &t->cursor, &(struct place){ AT_ROW, search.key });
    *row = search.row;
    return ecNone;
}
