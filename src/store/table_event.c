/* SPDX-License-Identifier: Apache-2.0 */
/* What the changes of a mailbox mean to its tables: [MS-OXCNOTIF] 3.1.4.3 */
#include "store/table.h"

/* ---- the last changes ---- */

void changes_begin(struct store *st, const struct store_change *changes, size_t count)
{
    st->changes.announced = changes;
    st->changes.announced_count = count;
    for (size_t i = count > CHANGES_KEPT ? count - CHANGES_KEPT : 0; st->changes.last && i < count; i++) {
        struct store_change *kept = &st->changes.last[(st->changes.count + i) % CHANGES_KEPT];
        *kept = changes[i];
        kept->message_class = NULL;
        kept->tags = NULL;
        kept->tag_count = 0;
    }
    st->changes.count += count;
}

void changes_end(struct store *st)
{
    st->changes.announced = NULL;
    st->changes.announced_count = 0;
}

void changes_keep(struct store *st)
{
    if (!st->changes.last)
        st->changes.last = talloc_zero_array(st, struct store_change, CHANGES_KEPT);
}

bool changes_kept_since(const struct store *st, uint64_t seen)
{
    return st->changes.count - seen <= CHANGES_KEPT;
}

bool change_position(const struct store *st, const struct store_change *change, uint64_t *position)
{
    const struct store_change *first = st->changes.announced;
    if (!first || change < first || change >= first + st->changes.announced_count)
        return false;
    *position = st->changes.count - st->changes.announced_count + (uint64_t)(change - first);
    return true;
}

/* ---- which rows ---- */

static uint64_t id_in(uint64_t folder, uint64_t fid, uint64_t mid)
{
    return fid && store_counter(fid) == folder ? store_counter(mid) : 0;
}

/* A message that is got back from the deleted ones is CREATED, and says what it was. */
static struct row_ids message_rows(const struct store_table *t, const struct store_change *c)
{
    struct row_ids ids = { 0 };
    const uint64_t id = id_in(t->fid, c->fid, c->mid);
    if (c->kind == STORE_DELETED && !(t->flags & TABLE_SOFT_DELETES))
        ids.out = id;
    else if (c->kind != STORE_NEW_MAIL) /* which comes with CREATED */
        ids.in = id;
    if (c->kind == STORE_MOVED || c->kind == STORE_CREATED)
        ids.out = id_in(t->fid, c->old_fid, c->old_mid);
    return ids;
}

static bool folder_is_near(const struct store_table *t, const struct store_change *c)
{
    return t->flags & TABLE_DEPTH || store_counter(c->parent) == t->fid ||
           (c->old_parent && store_counter(c->old_parent) == t->fid);
}

struct row_ids change_rows(const struct store_table *t, const struct store_change *c)
{
    if (t->kind == &contents_kind && c->is_message)
        return message_rows(t, c);
    if (t->kind == &contents_kind)
        return (struct row_ids){ .all = c->many && store_counter(c->fid) == t->fid };
    return (struct row_ids){ .in = !c->is_message && folder_is_near(t, c) ? store_counter(c->fid) : 0 };
}

/* ---- commits of several changes ---- */

static bool is_among(uint32_t tag, const struct store_change *c)
{
    for (uint32_t i = 0; i < c->tag_count; i++)
        if (PROP_ID(c->tags[i]) == PROP_ID(tag))
            return true;
    return false;
}

bool changes_move_later(const struct store_table *t, const struct store_change *change, uint64_t id)
{
    const struct SortOrder *order = t->order ? t->order : t->kind->order;
    uint64_t position;
    if (!change_position(t->st, change, &position))
        return false;
    const struct store_change *end = t->st->changes.announced + t->st->changes.announced_count;
    for (const struct store_change *c = change + 1; c < end; c++) {
        const bool stays = c->kind == STORE_MODIFIED && c->tag_count && !is_among(order[0].PropertyTag, c);
        if (change_rows(t, c).in == id && !stays)
            return true;
    }
    return false;
}

/* ---- the event ---- */

static const char home_sql[] = "SELECT fid FROM message WHERE mb = $1 AND mid = $2";

/* The folder that a row's message lies in: of a search folder's rows not the folder of the table. */
static uint64_t home_of(const struct store_table *t, struct store_tx *tx, uint64_t mid)
{
    return !t->in_search ? t->fid
                         : (uint64_t)sql_int_or(&tx->sql, 0, home_sql, BIND(B_INT(t->st->mb), B_INT((int64_t)mid)));
}

static void fill(TALLOC_CTX *arena, const struct store_table *t, struct store_tx *tx, const struct store_change *c,
                 const struct table_row *row, const struct row_key *after, struct table_event *out)
{
    const bool messages = t->kind == &contents_kind;
    out->fid = !messages ? store_id(row->key.id) : c->in_search ? c->parent : store_id(t->fid);
    out->mid = messages ? store_id(row->key.id) : 0;
    out->instance = messages ? row->key.instance : 0;
    if (after->id) {
        out->after_fid = store_id(messages ? home_of(t, tx, after->id) : after->id);
        out->after_mid = messages ? store_id(after->id) : 0;
        out->after_instance = messages ? after->instance : 0;
    }
    if (out->type != TABLE_ROW_DELETED)
        out->row = row_values(arena, row);
}

static bool concerns(const struct store_table *t, const struct store_change *change)
{
    const struct row_ids ids = change_rows(t, change);
    return ids.in || ids.out || ids.all;
}

bool store_table_event(TALLOC_CTX *arena, struct store_table *t, const struct store_change *change,
                       struct table_event *out)
{
    struct table_row row = { .table = t };
    struct row_key after = { 0 };
    uint64_t position;
    *out = (struct table_event){ .type = TABLE_UNCHANGED };
    if (!concerns(t, change)) {
        if (change_position(t->st, change, &position))
            list_passed(t, position);
        return false;
    }
    /* What somebody else does here is seen with this table's eyes. */
    struct store_delegate *acting = t->st->delegate;
    t->st->delegate = t->delegate;
    struct store_tx tx = store_read(t->st);
    if (t->kind == &hierarchy_kind || rights_in(&tx, t->fid) & RIGHT_READ_ANY)
        out->type = t->view->event(arena, t, &tx, change, &row, &after);
    if (out->type && !t->column_count)
        out->type = TABLE_CHANGED;
    if (out->type && out->type != TABLE_CHANGED)
        fill(arena, t, &tx, change, &row, &after, out);
    if (store_end(&tx))
        *out = (struct table_event){ .type = TABLE_CHANGED };
    t->st->delegate = acting;
    return out->type != TABLE_UNCHANGED;
}
