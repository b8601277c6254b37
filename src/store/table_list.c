/* SPDX-License-Identifier: Apache-2.0 */
/* The view of a table in any order and under any restriction: the keys of all rows that satisfy it, in order.  It is
 * made by one walk through the folder and then kept in step with the changes of the mailbox. */
#include <stdlib.h>

#include "store/table_list.h"

enum { CHUNK = 64 * 1024, GARBAGE_MAX = 4 * 1024 * 1024 };

/* ---- entries ---- */

const uint8_t *list_keep(struct list *list, struct blob key)
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

int key_compare(struct blob a, struct blob b)
{
    const int order = memcmp(a.data, b.data, MIN(a.size, b.size));
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

struct blob entry_key(const struct entry *e)
{
    return BLOB_OF(e->key, e->size);
}

static int by_key(const void *a, const void *b)
{
    return key_compare(entry_key(a), entry_key(b));
}

/* The first entry whose key is not less. */
uint32_t list_position(const struct list *list, struct blob key)
{
    uint32_t low = 0, high = list->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (key_compare(entry_key(&list->entries[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void list_charge(struct list *list)
{
    charge_set(list->charge, list->held);
}

void list_insert(struct list *list, uint32_t at, const struct entry *e)
{
    if (list->count == list->room) {
        list->held += (MAX(64u, list->room * 2) - list->room) * sizeof *list->entries;
        list->room = MAX(64u, list->room * 2);
        list->entries = talloc_realloc(list, list->entries, struct entry, list->room);
    }
    memmove(list->entries + at + 1, list->entries + at, (list->count - at) * sizeof *list->entries);
    list->count++;
    list->entries[at] = *e;
    TALLOC_FREE(list->shown);
    list_charge(list);
}

static void insert_row(struct list *list, uint32_t at, const struct table_row *row, struct blob key)
{
    const struct entry e = { .key = list_keep(list, key),
                             .size = (uint32_t)key.size & 0x7FFFFFFF,
                             .instance = row->key.instance,
                             .id = row->key.id };
    list_insert(list, at, &e);
}

void list_remove(struct list *list, uint32_t at)
{
    list->garbage += list->entries[at].size;
    list->count--;
    memmove(list->entries + at, list->entries + at + 1, (list->count - at) * sizeof *list->entries);
    TALLOC_FREE(list->shown);
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
    return (struct row_key){ .id = e->id, .instance = IS_CATEGORY(e->id) ? 0 : e->instance, .sort = entry_key(e) };
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
        const struct row_sort sort = row_sort_key(make->scratch, row);
        if (make->table->categories)
            categories_collect(make->table, make->list, row, &sort);
        else
            insert_row(make->list, make->list->count, row, sort.key);
    }
    talloc_free_children(make->scratch);
    return budget_has(make->table->budget, 0);
}

static void list_make(struct store_table *t, struct store_tx *tx)
{
    struct make make = { t, talloc_zero(t, struct list), talloc_new(NULL) };
    TALLOC_FREE(t->list);
    t->epoch = delegate_epoch(t->delegate);
    changes_keep(t->st);
    make.list->seen = t->st->changes.count;
    make.list->charge = charge_new(make.list, t->budget, 0);
    t->kind->scan(t, tx, take_into_list, &make);
    talloc_free(make.scratch);
    categories_finish(t, make.list);
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
    if (t->kind->anew || t->epoch != delegate_epoch(t->delegate))
        TALLOC_FREE(t->list);
    if (!t->list || !list_follow(t, tx, t->st->changes.count))
        list_make(t, tx);
}

/* ---- the view ---- */

/* Places among the rows that are shown. */
static uint32_t index_at(struct store_table *t, const struct place *place)
{
    if (place->at == AT_ROW)
        return list_shown_before(t, list_position(t->list, place->key.sort));
    return place->at == AT_START ? 0 : list_shown_before(t, t->list->count);
}

static struct place place_at(struct store_table *t, uint32_t at, bool forward)
{
    const uint32_t entry = list_shown_entry(t, at);
    if (at == 0 && !forward)
        return (struct place){ .at = AT_START };
    if (entry >= t->list->count)
        return (struct place){ .at = AT_END };
    return (struct place){ AT_ROW, key_of(t->list, entry) };
}

/* The row whose values an entry shows: of a header, the one that its category is sorted by, or else the first below it. */
static struct row_key row_behind(struct list *list, uint32_t entry)
{
    const struct group *g = entry_group(list, &list->entries[entry]);
    if (g && g->best)
        return (struct row_key){ .id = g->best, .instance = g->best_instance };
    while (entry + 1 < list->count && IS_CATEGORY(list->entries[entry].id))
        entry++;
    return key_of(list, entry);
}

/* Gets `count` rows that are shown, the first at `at` and the others behind or before it. */
static void fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, uint32_t at, bool forward,
                  uint32_t count, struct table_row rows[FETCH_AT_ONCE])
{
    uint64_t ids[FETCH_AT_ONCE] = { 0 };
    uint32_t entries[FETCH_AT_ONCE];
    memset(rows, 0, count * sizeof *rows);
    for (uint32_t i = 0; i < count; i++) {
        entries[i] = list_shown_entry(t, forward ? at + i : at - 1 - i);
        ids[i] = row_behind(t->list, entries[i]).id;
    }
    t->kind->fetch(arena, t, tx, ids, count, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (t->flags & TABLE_SOFT_DELETES)
            rows[i].found = rows[i].found && t->kind->belongs(t, tx, &rows[i]);
        rows[i].key = key_of(t->list, entries[i]);
        rows[i].group = entry_group(t->list, &t->list->entries[entries[i]]);
        rows[i].below = row_behind(t->list, entries[i]);
    }
}

/* Of soft-deleted rows nobody says when they go for ever: they are passed over then. */
static struct place list_walk(struct store_table *t, struct store_tx *tx, const struct place *from, bool forward,
                              uint32_t most, row_taker *take, void *arg)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct table_row *rows = talloc_array(arena, struct table_row, FETCH_AT_ONCE);
    const uint32_t start = index_at(t, from), total = list_shown_before(t, t->list->count);
    uint32_t at = start, taken = 0, count;
    bool more = true;
    while (more && (count = MIN(MIN(forward ? total - at : at, most - taken), (uint32_t)FETCH_AT_ONCE))) {
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
    return at == start && !more ? *from : place_at(t, at, forward);
}

static uint64_t list_total(struct store_table *t, struct store_tx *tx)
{
    (void)tx;
    return list_shown_before(t, t->list->count);
}

static uint64_t list_before(struct store_table *t, struct store_tx *tx, const struct place *place)
{
    (void)tx;
    return index_at(t, place);
}

static struct place list_skip(struct store_table *t, struct store_tx *tx, const struct place *from, int64_t rows,
                              int64_t *moved)
{
    const int64_t at = index_at(t, from), total = (int64_t)list_total(t, tx), to = MIN(MAX(at + rows, 0), total);
    *moved = to - at;
    return rows ? place_at(t, (uint32_t)to, rows > 0) : *from;
}

static bool list_locate(struct store_table *t, struct store_tx *tx, uint64_t id, uint32_t instance, struct row_key *key)
{
    (void)tx;
    for (uint32_t i = 0; i < t->list->count; i++) {
        const struct entry *e = &t->list->entries[i];
        if (e->id == id && (e->instance == instance || !t->instances || IS_CATEGORY(id))) {
            *key = key_of(t->list, i);
            return list_shown_before(t, i + 1) > list_shown_before(t, i);
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
    const struct blob key = row_sort_key(arena, row).key;
    const uint32_t at = list_position(t->list, key);
    *after = at ? key_of(t->list, at - 1) : (struct row_key){ 0 };
    insert_row(t->list, at, row, key);
    talloc_free(arena);
    return was_there ? TABLE_ROW_MODIFIED : TABLE_ROW_ADDED;
}

/* Headers change with their rows, so the event is one for all of them. */
static enum table_event_type look_again_categories(struct store_table *t, const struct table_row *row, bool was_there,
                                                   bool is_there, uint32_t at)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    bool good = true;
    struct row_sort sort = { 0 };
    if (is_there)
        sort = row_sort_key(arena, row);
    if (!was_there || !is_there || !categories_update(t, at, row, &sort)) {
        good = !was_there || categories_drop(t, at);
        good = good && (!is_there || categories_add(t, row, &sort));
    }
    talloc_free(arena);
    return good ? TABLE_CHANGED : lose(t);
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
    if (t->categories)
        return look_again_categories(t, row, was_there, is_there, at);
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
    if (!t->list || t->epoch != delegate_epoch(t->delegate) || t->st->changes.announced_count > BATCH_MAX ||
        !change_position(t->st, change, &position) || t->list->seen > position || !list_follow(t, tx, position))
        return lose(t);
    const enum table_event_type type = apply(arena, t, tx, change, row, after);
    list_passed(t, position);
    return sql_failed(&tx->sql) ? lose(t) : type;
}

const struct table_view list_view = {
    list_walk, list_skip, list_before, list_total, list_locate, list_event,
};
