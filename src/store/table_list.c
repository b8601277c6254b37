/* SPDX-License-Identifier: Apache-2.0 */
/* The view of a table in any order and under any restriction: the keys of all rows that satisfy it, in order.  It is
 * made by one walk through the folder and then kept in step with the changes of the mailbox. */
#include <stdlib.h>

#include "store/table.h"

enum { CHUNK = 64 * 1024, GARBAGE_MAX = 4 * 1024 * 1024 };

struct entry {
    const uint8_t *key;
    uint32_t size, instance;
    uint64_t id;
};
struct list {
    struct entry *entries;
    uint32_t count, room;
    uint8_t *chunk; /* keys lie in these, children of the list */
    size_t chunk_used, garbage, held; /* held: bytes of keys and entries */
    struct charge *charge;
    uint64_t seen; /* how many of the store's changes are in it */
};

/* ---- entries ---- */

static const uint8_t *keep_key(struct list *list, struct blob key)
{
    if (key.size > CHUNK / 4) {
        list->held += key.size;
        return talloc_memdup(list, key.data, key.size);
    }
    if (!list->chunk || list->chunk_used + key.size > CHUNK) {
        list->held += CHUNK;
        list->chunk = talloc_size(list, CHUNK);
        list->chunk_used = 0;
    }
    uint8_t *at = list->chunk + list->chunk_used;
    memcpy(at, key.data, key.size);
    list->chunk_used += key.size;
    return at;
}

static int compare_keys(struct blob a, struct blob b)
{
    const int order = memcmp(a.data, b.data, MIN(a.size, b.size));
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int by_key(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return compare_keys(BLOB_OF(x->key, x->size), BLOB_OF(y->key, y->size));
}

/* The first entry whose key is not less. */
static uint32_t list_position(const struct list *list, struct blob key)
{
    uint32_t low = 0, high = list->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        const struct entry *e = &list->entries[middle];
        if (compare_keys(BLOB_OF(e->key, e->size), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void list_insert(struct list *list, uint32_t at, const struct table_row *row, struct blob key)
{
    if (list->count == list->room) {
        list->held += (MAX(64u, list->room * 2) - list->room) * sizeof *list->entries;
        list->room = MAX(64u, list->room * 2);
        list->entries = talloc_realloc(list, list->entries, struct entry, list->room);
    }
    memmove(list->entries + at + 1, list->entries + at, (list->count - at) * sizeof *list->entries);
    list->count++;
    list->entries[at] = (struct entry){ keep_key(list, key), (uint32_t)key.size, row->key.instance, row->key.id };
    charge_set(list->charge, list->held);
}

static void list_remove(struct list *list, uint32_t at)
{
    list->garbage += list->entries[at].size;
    list->count--;
    memmove(list->entries + at, list->entries + at + 1, (list->count - at) * sizeof *list->entries);
}

static bool list_find(const struct list *list, uint64_t id, uint32_t *at)
{
    for (*at = 0; *at < list->count; (*at)++)
        if (list->entries[*at].id == id)
            return true;
    return false;
}

static struct row_key key_of(const struct list *list, uint32_t at)
{
    const struct entry *e = &list->entries[at];
    return (struct row_key){ .id = e->id, .instance = e->instance, .sort = BLOB_OF(e->key, e->size) };
}

/* ---- making ---- */

struct make {
    struct store_table *table;
    struct list *list;
    TALLOC_CTX *scratch;
};

static bool take_into_list(void *arg, struct table_row *row)
{
    const struct make *make = arg;
    row->table = make->table;
    if (!row_matches(row, make->table->restriction))
        return true;
    const uint32_t depth = row->key.instance, count = row_instances(row);
    for (uint32_t i = 0; i < count; i++) {
        row->key.instance = make->table->instances ? i : depth;
        list_insert(make->list, make->list->count, row, row_sort_key(make->scratch, row));
    }
    talloc_free_children(make->scratch);
    return budget_has(make->table->budget, 0);
}

static void list_make(struct store_table *t, struct store_tx *tx)
{
    struct make make = { t, talloc_zero(t, struct list), talloc_new(NULL) };
    TALLOC_FREE(t->list);
    changes_keep(t->st);
    make.list->seen = t->st->changes.count;
    make.list->charge = charge_new(make.list, t->budget, 0);
    t->kind->scan(t, tx, take_into_list, &make);
    talloc_free(make.scratch);
    if (!budget_has(t->budget, 0))
        sql_abort(&tx->sql, ecTableTooBig);
    if (make.list->count)
        qsort(make.list->entries, make.list->count, sizeof *make.list->entries, by_key);
    t->list = make.list;
    if (sql_failed(&tx->sql))
        TALLOC_FREE(t->list);
}

static bool list_follow(struct store_table *t, struct store_tx *tx, uint64_t until);

void list_ready(struct store_table *t, struct store_tx *tx)
{
    if (t->kind->anew)
        TALLOC_FREE(t->list);
    if (!t->list || !list_follow(t, tx, t->st->changes.count))
        list_make(t, tx);
}

/* ---- the view ---- */

static uint32_t index_at(const struct list *list, const struct place *place)
{
    if (place->at == AT_ROW)
        return list_position(list, place->key.sort);
    return place->at == AT_START ? 0 : list->count;
}

static struct place place_at(const struct list *list, uint32_t at, bool forward)
{
    if (at == 0 && !forward)
        return (struct place){ .at = AT_START };
    if (at >= list->count)
        return (struct place){ .at = AT_END };
    return (struct place){ AT_ROW, key_of(list, at) };
}

/* Gets the rows of `count` entries, the first at `at` and the others behind or before it. */
static void fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, uint32_t at, bool forward,
                  uint32_t count, struct table_row rows[FETCH_AT_ONCE])
{
    uint64_t ids[FETCH_AT_ONCE] = { 0 };
    memset(rows, 0, count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++)
        ids[i] = t->list->entries[forward ? at + i : at - 1 - i].id;
    t->kind->fetch(arena, t, tx, ids, count, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (t->flags & TABLE_SOFT_DELETES)
            rows[i].found = rows[i].found && t->kind->belongs(t, tx, &rows[i]);
        rows[i].key = key_of(t->list, forward ? at + i : at - 1 - i);
    }
}

/* Of soft-deleted rows nobody says when they go for ever: they are passed over then. */
static struct place list_walk(struct store_table *t, struct store_tx *tx, const struct place *from, bool forward,
                              uint32_t most, row_taker *take, void *arg)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct table_row *rows = talloc_array(arena, struct table_row, FETCH_AT_ONCE);
    const uint32_t start = index_at(t->list, from);
    uint32_t at = start, taken = 0, count;
    bool more = true;
    while (more && (count = MIN(MIN(forward ? t->list->count - at : at, most - taken), (uint32_t)FETCH_AT_ONCE))) {
        TALLOC_CTX *page = talloc_new(arena);
        fetch(page, t, tx, at, forward, count, rows);
        for (uint32_t i = 0; more && i < count; i++) {
            more = !rows[i].found || take(arg, &rows[i]);
            taken += more && rows[i].found;
            at += more ? forward ? 1 : UINT32_MAX : 0;
        }
        talloc_free(page);
    }
    talloc_free(arena);
    return at == start && !more ? *from : place_at(t->list, at, forward);
}

static uint64_t list_total(struct store_table *t, struct store_tx *tx)
{
    (void)tx;
    return t->list->count;
}

static uint64_t list_before(struct store_table *t, struct store_tx *tx, const struct place *place)
{
    (void)tx;
    return index_at(t->list, place);
}

static struct place list_skip(struct store_table *t, struct store_tx *tx, const struct place *from, int64_t rows,
                              int64_t *moved)
{
    const int64_t at = index_at(t->list, from), to = MIN(MAX(at + rows, 0), (int64_t)t->list->count);
    (void)tx;
    *moved = to - at;
    return rows ? place_at(t->list, (uint32_t)to, rows > 0) : *from;
}

static bool list_locate(struct store_table *t, struct store_tx *tx, uint64_t id, uint32_t instance, struct row_key *key)
{
    (void)tx;
    for (uint32_t i = 0; i < t->list->count; i++) {
        const struct entry *e = &t->list->entries[i];
        if (e->id == id && (e->instance == instance || !t->instances)) {
            *key = key_of(t->list, i);
            return true;
        }
    }
    return false;
}

/* ---- changes ---- */

/* Not one row, but several, have come, gone or changed their place. */
static enum table_event_type lose(struct store_table *t)
{
    TALLOC_FREE(t->list);
    return TABLE_CHANGED;
}

static enum table_event_type place_row(struct store_table *t, const struct table_row *row, bool was_there,
                                       struct row_key *after)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob key = row_sort_key(arena, row);
    const uint32_t at = list_position(t->list, key);
    *after = at ? key_of(t->list, at - 1) : (struct row_key){ 0 };
    list_insert(t->list, at, row, key);
    talloc_free(arena);
    return was_there ? TABLE_ROW_MODIFIED : TABLE_ROW_ADDED;
}

/* Looks at one row again.  With levels below each other, a folder takes others with it. */
static enum table_event_type look_again(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, uint64_t id,
                                        struct table_row *row, struct row_key *after)
{
    uint32_t at;
    const bool was_there = list_find(t->list, id, &at);
    const uint32_t depth = was_there ? t->list->entries[at].instance : 0;
    const bool is_there = table_row_get(arena, t, tx, id, row) && row_matches(row, t->restriction);
    row->key.id = id;
    if (!was_there && !is_there)
        return TABLE_UNCHANGED;
    if (t->instances || t->list->garbage > GARBAGE_MAX || !budget_has(t->budget, 0) || sql_failed(&tx->sql))
        return lose(t);
    if (t->flags & TABLE_DEPTH && t->kind == &hierarchy_kind &&
        (!is_there || (row->folder.subfolders && (!was_there || depth != row->key.instance))))
        return lose(t);
    if (was_there)
        list_remove(t->list, at);
    return is_there ? place_row(t, row, was_there, after) : TABLE_ROW_DELETED;
}

static enum table_event_type apply(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx,
                                   const struct store_change *change, struct table_row *row, struct row_key *after)
{
    const struct row_ids ids = change_rows(t, change);
    if (ids.all)
        return lose(t);
    if (!ids.in && !ids.out)
        return TABLE_UNCHANGED;
    if (!ids.in || !ids.out)
        return look_again(arena, t, tx, ids.in ? ids.in : ids.out, row, after);
    look_again(arena, t, tx, ids.out, row, after);
    if (t->list)
        look_again(arena, t, tx, ids.in, row, after);
    return TABLE_CHANGED;
}

/* Catches up; false: too much has happened. */
static bool list_follow(struct store_table *t, struct store_tx *tx, uint64_t until)
{
    if (t->list->seen < until && !changes_kept_since(t->st, t->list->seen))
        return false;
    while (t->list && t->list->seen < until) {
        struct table_row row;
        struct row_key after;
        TALLOC_CTX *arena = talloc_new(NULL);
        const struct store_change *change = &t->st->changes.last[t->list->seen++ % CHANGES_KEPT];
        apply(arena, t, tx, change, &row, &after);
        talloc_free(arena);
    }
    return t->list != NULL;
}

void list_passed(struct store_table *t, uint64_t position)
{
    if (t->list && t->list->seen == position)
        t->list->seen++;
}

/* The list has all changes before this one, and then this one, but none of those that follow: as the client has.  Many
 * changes at once are done faster by making it anew. */
static enum table_event_type list_event(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx,
                                        const struct store_change *change, struct table_row *row, struct row_key *after)
{
    uint64_t position;
    if (!t->list || t->st->changes.announced_count > BATCH_MAX || !change_position(t->st, change, &position) ||
        t->list->seen > position || !list_follow(t, tx, position))
        return lose(t);
    const enum table_event_type type = apply(arena, t, tx, change, row, after);
    list_passed(t, position);
    return sql_failed(&tx->sql) ? lose(t) : type;
}

const struct table_view list_view = {
    list_walk, list_skip, list_before, list_total, list_locate, list_event,
};
