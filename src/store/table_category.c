/* SPDX-License-Identifier: Apache-2.0 */
/* Categories of a table: which there are, what their header rows show, and which are expanded.  [MS-OXCTABL] 2.2.1,
 * 2.2.2.3, 2.2.2.17 to 2.2.2.20 */
#include <stdlib.h>

#include "store/table_list.h"

enum { TOGGLED_MAX = 2048 };
enum { TBL_EXPANDED_CATEGORY = 3, TBL_COLLAPSED_CATEGORY = 4 }; /* PidTagRowType */

/* ---- groups ---- */

static uint64_t hash(struct blob bytes, uint64_t seed)
{
    uint64_t h = seed ^ 0xCBF29CE484222325u;
    for (size_t i = 0; i < bytes.size; i++)
        h = (h ^ bytes.data[i]) * 0x100000001B3u;
    return h ^ h >> 29;
}

/* Who sends mail does not know the mailbox' GUID, and so not what has one id. */
static uint64_t category_id(const struct store_table *t, struct blob values, uint8_t level)
{
    const uint64_t seed = le64(t->st->guid.bytes) + level;
    return 1ULL << 63 | hash(values, seed) << 16 | CATEGORY_REPLICA;
}

static int by_id(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* What nobody has touched is as the sort order says. */
static bool is_expanded(const struct store_table *t, uint64_t id, uint8_t level)
{
    const bool touched =
        t->toggled_count && bsearch(&id, t->toggled, t->toggled_count, sizeof *t->toggled, by_id) != NULL;
    return (level < t->expanded) != touched; /* R66, R67 */
}

static uint32_t *map_slot(const struct list *list, uint64_t id)
{
    uint32_t at = (uint32_t)(id >> 16) & (list->map_size - 1);
    while (list->map[at] != NO_GROUP && list->groups[list->map[at]].id != id)
        at = (at + 1) & (list->map_size - 1);
    return &list->map[at];
}

static void map_grow(struct list *list)
{
    list->held += (MAX(64u, list->map_size * 2) - list->map_size) * sizeof *list->map;
    list->map_size = MAX(64u, list->map_size * 2);
    list->map = talloc_realloc(list, list->map, uint32_t, list->map_size);
    memset(list->map, 0xFF, list->map_size * sizeof *list->map);
    for (uint32_t i = 0; i < list->group_count; i++)
        *map_slot(list, list->groups[i].id) = i;
}

static uint32_t group_get(const struct store_table *t, struct list *list, uint64_t id, uint8_t level, uint32_t parent)
{
    if (list->group_count >= list->map_size / 2)
        map_grow(list);
    uint32_t *slot = map_slot(list, id);
    if (*slot != NO_GROUP)
        return *slot;
    if (list->group_count == list->group_room) {
        list->held += (MAX(64u, list->group_room * 2) - list->group_room) * sizeof *list->groups;
        list->group_room = MAX(64u, list->group_room * 2);
        list->groups = talloc_realloc(list, list->groups, struct group, list->group_room);
    }
    list->groups[list->group_count] =
        (struct group){ .id = id, .parent = parent, .level = level, .expanded = is_expanded(t, id, level) };
    return *slot = list->group_count++;
}

static struct group *group_find(struct list *list, uint64_t id)
{
    const uint32_t at = list->map_size ? *map_slot(list, id) : NO_GROUP;
    return at != NO_GROUP && list->groups[at].rows ? &list->groups[at] : NULL;
}

struct group *entry_group(struct list *list, const struct entry *e)
{
    return IS_CATEGORY(e->id) ? &list->groups[e->instance] : NULL;
}

/* ---- what is shown ---- */

static void count_shown(struct store_table *t)
{
    enum { NONE = UINT8_MAX };
    struct list *list = t->list;
    uint8_t collapsed = NONE; /* level of the collapsed header above */
    uint32_t shown = 0;
    list->shown = talloc_array(list, uint32_t, list->count + 1);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct group *g = entry_group(list, &list->entries[i]);
        const uint8_t level = g ? g->level : t->categories;
        if (level <= collapsed)
            collapsed = NONE;
        list->shown[i] = shown;
        shown += collapsed == NONE;
        if (collapsed == NONE && g && !g->expanded)
            collapsed = level;
    }
    list->shown[list->count] = shown;
}

uint32_t list_shown_before(struct store_table *t, uint32_t at)
{
    if (!t->categories)
        return at;
    if (!t->list->shown)
        count_shown(t);
    return t->list->shown[at];
}

uint32_t list_shown_entry(struct store_table *t, uint32_t shown)
{
    uint32_t low = 0, high = t->list->count;
    if (!t->categories)
        return MIN(shown, high);
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (list_shown_before(t, middle + 1) <= shown)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- keys with an aggregate ---- */

static bool has_aggregate(const struct store_table *t)
{
    return t->categories && t->order_count > t->categories && t->order[t->categories].Order == SORT_MAXIMUM;
}

/* Where the aggregate stands: before the value of the last category. */
static uint32_t aggregate_at(const struct store_table *t, const struct row_sort *sort)
{
    return t->categories > 1 ? sort->ends[t->categories - 2] : 0;
}

static struct blob spliced(TALLOC_CTX *arena, struct blob key, uint32_t at, size_t instead, struct blob with)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    buf_add(&bytes, key.data, at);
    buf_add(&bytes, with.data, with.size);
    buf_add(&bytes, key.data + at + instead, key.size - at - instead);
    return buf_blob(&bytes);
}

/* R81: the greatest value counts.  Values of a descending category are turned, so their order is, too. */
static bool is_better(const struct store_table *t, struct blob value, struct blob than)
{
    const int order = key_compare(value, than);
    return t->order[t->categories - 1].Order == SORT_DESCENDING ? order < 0 : order > 0;
}

static void set_best(struct list *list, struct group *g, const struct table_row *row, struct blob aggregate)
{
    g->aggregate = BLOB_OF(list_keep(list, aggregate), aggregate.size);
    g->best = row->key.id;
    g->best_instance = row->key.instance;
}

/* ---- making ---- */

static struct entry entry_of(struct list *list, uint64_t id, uint32_t instance, struct blob key, bool unread)
{
    return (struct entry){ list_keep(list, key), (uint32_t)key.size & 0x7FFFFFFF, unread, instance, id };
}

static bool row_unread(const struct table_row *row)
{
    return !row->message.read;
}

/* The groups that a row is in, the last one last; each is made where it is missing. */
static void groups_of(const struct store_table *t, struct list *list, const struct row_sort *sort,
                      uint32_t groups[CATEGORIES_MAX])
{
    uint32_t parent = NO_GROUP;
    for (uint8_t k = 0; k < t->categories; k++)
        groups[k] = parent = group_get(t, list, category_id(t, BLOB_OF(sort->key.data, sort->ends[k]), k), k, parent);
}

void categories_collect(struct store_table *t, struct list *list, const struct table_row *row,
                        const struct row_sort *sort)
{
    uint32_t groups[CATEGORIES_MAX];
    const bool unread = row_unread(row);
    groups_of(t, list, sort, groups);
    struct group *last = &list->groups[groups[t->categories - 1]];
    if (has_aggregate(t) && (!last->rows || is_better(t, sort->aggregate, last->aggregate)))
        set_best(list, last, row, sort->aggregate);
    for (uint8_t k = 0; k < t->categories; k++) {
        struct group *g = &list->groups[groups[k]];
        g->key_size = sort->ends[k];
        g->unread += unread;
        if (g->rows++)
            continue;
        const struct entry header = entry_of(list, g->id, groups[k], BLOB_OF(sort->key.data, sort->ends[k]), false);
        list_insert(list, list->count, &header);
    }
    const struct entry e = entry_of(list, row->key.id, row->key.instance, sort->key, unread);
    list_insert(list, list->count, &e);
}

static int by_key(const void *a, const void *b)
{
    return key_compare(entry_key(a), entry_key(b));
}

/* Sorted by its values first, each row stands below its header, and so learns its aggregate. */
static void put_aggregates(struct store_table *t, struct list *list)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct group *last = NULL;
    for (uint32_t i = 0; i < list->count; i++) {
        struct entry *e = &list->entries[i];
        struct group *g = entry_group(list, e);
        if (g && g->level + 1 < t->categories)
            continue;
        if (g)
            last = g;
        if (!last)
            continue; /* of a category that shares its id with one elsewhere */
        const uint32_t at = last->parent == NO_GROUP ? 0 : list->groups[last->parent].key_size;
        const struct blob key = spliced(arena, entry_key(e), at, 0, last->aggregate);
        list->garbage += e->size;
        e->key = list_keep(list, key);
        e->size = (uint32_t)key.size & 0x7FFFFFFF;
        if (g)
            g->key_size = e->size;
        talloc_free_children(arena);
    }
    talloc_free(arena);
}

void categories_finish(struct store_table *t, struct list *list)
{
    if (!has_aggregate(t) || !list->count)
        return;
    qsort(list->entries, list->count, sizeof *list->entries, by_key);
    put_aggregates(t, list);
    list_charge(list);
    list->garbage = 0; /* what is left over is there from the beginning, and no more than the keys themselves */
}

/* ---- changing ---- */

/* The group of a row.  Two categories that have one id by chance leave rows without a header: NO_GROUP. */
static uint32_t group_of(const struct list *list, uint32_t at)
{
    while (at && !IS_CATEGORY(list->entries[at].id))
        at--;
    return IS_CATEGORY(list->entries[at].id) ? list->entries[at].instance : NO_GROUP;
}

static bool find_header(const struct list *list, const struct group *g, struct blob key, uint32_t *at)
{
    *at = list_position(list, key);
    return *at < list->count && list->entries[*at].id == g->id;
}

static uint32_t group_end(const struct list *list, uint32_t header)
{
    uint32_t end = header + 1;
    while (end < list->count && !IS_CATEGORY(list->entries[end].id))
        end++;
    return end;
}

/* The last category's rows go to where its new aggregate belongs. */
static void regroup(struct list *list, uint32_t header, uint32_t at, struct blob aggregate)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const uint32_t end = group_end(list, header), count = end - header;
    struct group *g = &list->groups[list->entries[header].instance];
    struct entry *moved = talloc_memdup(arena, list->entries + header, count * sizeof *moved);
    for (uint32_t i = 0; i < count; i++) {
        const struct blob key = spliced(arena, entry_key(&moved[i]), at, g->aggregate.size, aggregate);
        list->garbage += moved[i].size;
        moved[i].key = list_keep(list, key);
        moved[i].size = (uint32_t)key.size & 0x7FFFFFFF;
    }
    g->key_size = moved[0].size;
    memmove(list->entries + header, list->entries + end, (list->count - end) * sizeof *moved);
    list->count -= count;
    const uint32_t to = list_position(list, entry_key(&moved[0]));
    memmove(list->entries + to + count, list->entries + to, (list->count - to) * sizeof *moved);
    memcpy(list->entries + to, moved, count * sizeof *moved);
    list->count += count;
    TALLOC_FREE(list->shown);
    list_charge(list);
    talloc_free(arena);
}

static void insert_sorted(struct list *list, const struct entry *e)
{
    list_insert(list, list_position(list, entry_key(e)), e);
}

/* The last category knows its aggregate before the first key is made with it. */
static bool improve(struct store_table *t, struct group *g, const struct table_row *row, const struct row_sort *sort)
{
    struct list *list = t->list;
    bool found = true;
    if (g->rows && !is_better(t, sort->aggregate, g->aggregate))
        return true;
    if (g->rows) {
        TALLOC_CTX *arena = talloc_new(NULL);
        const struct blob values = BLOB_OF(sort->key.data, sort->ends[t->categories - 1]);
        const uint32_t at = aggregate_at(t, sort);
        uint32_t header;
        found = find_header(list, g, spliced(arena, values, at, 0, g->aggregate), &header);
        if (found)
            regroup(list, header, at, sort->aggregate);
        talloc_free(arena);
    }
    set_best(list, g, row, sort->aggregate);
    return found;
}

bool categories_add(struct store_table *t, const struct table_row *row, const struct row_sort *sort)
{
    struct list *list = t->list;
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t groups[CATEGORIES_MAX];
    const bool unread = row_unread(row), aggregate = has_aggregate(t);
    const uint8_t last = t->categories - 1;
    struct blob key = sort->key;
    bool good = true;
    groups_of(t, list, sort, groups);
    struct group *g = &list->groups[groups[last]];
    if (aggregate) {
        good = improve(t, g, row, sort);
        key = spliced(arena, key, aggregate_at(t, sort), 0, g->aggregate);
    }
    for (uint8_t k = 0; k <= last; k++) {
        g = &list->groups[groups[k]];
        g->key_size = sort->ends[k] + (uint32_t)(aggregate && k == last ? g->aggregate.size : 0);
        g->unread += unread;
        if (g->rows++)
            continue;
        const struct entry header = entry_of(list, g->id, groups[k], BLOB_OF(key.data, g->key_size), false);
        insert_sorted(list, &header);
    }
    const struct entry e = entry_of(list, row->key.id, row->key.instance, key, unread);
    insert_sorted(list, &e);
    talloc_free(arena);
    return good;
}

bool categories_drop(struct store_table *t, uint32_t at)
{
    struct list *list = t->list;
    const struct entry e = list->entries[at];
    uint32_t group = group_of(list, at), header;
    if (group == NO_GROUP || (has_aggregate(t) && list->groups[group].rows > 1 && list->groups[group].best == e.id))
        return false; /* another row has the greatest value now */
    list_remove(list, at);
    while (group != NO_GROUP) {
        struct group *g = &list->groups[group];
        g->unread -= e.unread;
        if (--g->rows == 0) {
            if (!find_header(list, g, BLOB_OF(e.key, MIN(g->key_size, (uint32_t)e.size)), &header))
                return false;
            list_remove(list, header);
        }
        group = g->parent;
    }
    return true;
}

static void set_unread(struct list *list, uint32_t at, uint32_t group, bool unread)
{
    const bool before = list->entries[at].unread;
    list->entries[at].unread = unread;
    for (; group != NO_GROUP; group = list->groups[group].parent)
        list->groups[group].unread += (uint32_t)unread - before;
}

/* A row that stays where it is, as most do that are changed. */
bool categories_update(struct store_table *t, uint32_t at, const struct table_row *row, const struct row_sort *sort)
{
    struct list *list = t->list;
    const uint32_t group = group_of(list, at);
    if (group == NO_GROUP)
        return false;
    const struct group *g = &list->groups[group];
    const bool aggregate = has_aggregate(t), best = g->best == row->key.id;
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob key = aggregate ? spliced(arena, sort->key, aggregate_at(t, sort), 0, g->aggregate) : sort->key;
    bool stays = key_compare(key, entry_key(&list->entries[at])) == 0;
    if (aggregate && best)
        stays = stays && key_compare(sort->aggregate, g->aggregate) == 0;
    else if (aggregate)
        stays = stays && !is_better(t, sort->aggregate, g->aggregate);
    if (stays)
        set_unread(list, at, group, row_unread(row));
    talloc_free(arena);
    return stays;
}

/* ---- header rows ---- */

/* What all rows below it have in common, and what is sorted by. */
static bool is_of_category(const struct store_table *t, const struct group *g, uint32_t tag)
{
    const uint32_t columns = g->level + 1u + (g->level + 1u == t->categories && has_aggregate(t));
    for (uint32_t i = 0; i < columns; i++)
        if (PROP_ID(t->order[i].PropertyTag) == PROP_ID(tag))
            return true;
    return false;
}

static struct prop header_key(TALLOC_CTX *arena, const struct group *g)
{
    uint8_t *key = talloc_zero_array(arena, uint8_t, 12);
    put_le64(key, g->id);
    return P_BIN(PidTagInstanceKey, BLOB_OF(key, 12));
}

void header_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut, struct prop *out)
{
    const struct group *g = row->group;
    struct table_row below = *row;
    switch (PROP_ID(tag)) {
    case PROP_ID(PidTagInstID): *out = P_I64(PidTagInstID, g->id); break;
    case PROP_ID(PidTagInstanceNum): *out = P_I32(PidTagInstanceNum, 0); break;
    case PROP_ID(PidTagInstanceKey): *out = header_key(arena, g); break;
    case PROP_ID(PidTagRowType):
        *out = P_I32(PidTagRowType, g->expanded ? TBL_EXPANDED_CATEGORY : TBL_COLLAPSED_CATEGORY); /* R17, R18 */
        break;
    case PROP_ID(PidTagDepth): *out = P_I32(PidTagDepth, g->level); break;                            /* R19 */
    case PROP_ID(PidTagContentCount): *out = P_I32(PidTagContentCount, g->rows); break;               /* R20, R21 */
    case PROP_ID(PidTagContentUnreadCount): *out = P_I32(PidTagContentUnreadCount, g->unread); break; /* R22, R23 */
    default:
        *out = P_ERR(tag, ecNotFound);
        below.group = NULL;
        below.key = row->below;
        if (is_of_category(row->table, g, tag))
            row_prop(arena, &below, tag, limit, cut, out);
        return;
    }
    item_convert(arena, tag, limit, cut, out);
}

/* ---- expanding and collapsing ---- */

static enum ec toggle(struct store_table *t, struct group *g)
{
    const uint64_t *found =
        t->toggled_count ? bsearch(&g->id, t->toggled, t->toggled_count, sizeof *t->toggled, by_id) : NULL;
    if (!found && t->toggled_count == TOGGLED_MAX)
        return ecTooComplex;
    if (found) {
        const size_t at = (size_t)(found - t->toggled);
        memmove(t->toggled + at, t->toggled + at + 1, (--t->toggled_count - at) * sizeof *t->toggled);
    } else {
        t->toggled = talloc_realloc(t, t->toggled, uint64_t, t->toggled_count + 1);
        t->toggled[t->toggled_count++] = g->id;
        qsort(t->toggled, t->toggled_count, sizeof *t->toggled, by_id);
    }
    g->expanded = !g->expanded;
    TALLOC_FREE(t->list->shown);
    return ecNone;
}

static uint32_t entry_of_group(const struct list *list, const struct group *g)
{
    uint32_t at = 0;
    while (at + 1 < list->count && list->entries[at].id != g->id)
        at++;
    return at;
}

/* Rows that are shown below a header, whose entry is `at`. */
static uint32_t shown_below(struct store_table *t, uint32_t at)
{
    struct list *list = t->list;
    const struct group *g = entry_group(list, &list->entries[at]);
    uint32_t end = at + 1;
    for (; g && end < list->count; end++) {
        const struct group *next = entry_group(list, &list->entries[end]);
        if (next && next->level <= g->level)
            break;
    }
    return list_shown_before(t, end) - list_shown_before(t, at + 1);
}

static struct group *find_category(struct store_table *t, struct store_tx *tx, uint64_t id)
{
    struct group *g = !sql_failed(&tx->sql) && t->categories ? group_find(t->list, id | 1ULL << 63) : NULL;
    if (!g || g->id != id)
        sql_abort(&tx->sql, ecNotFound); /* R570, R576 */
    return sql_failed(&tx->sql) ? NULL : g;
}

/* [MS-OXCTABL] 3.2.5.18 */
enum ec store_table_collapse(struct store_table *t, uint64_t id, uint32_t *rows)
{
    *rows = 0;
    struct store_tx tx = table_begin(t);
    struct group *g = find_category(t, &tx, id);
    if (g && !g->expanded)
        sql_abort(&tx.sql, ecNotExpanded); /* R577 */
    else if (g) {
        *rows = shown_below(t, entry_of_group(t->list, g));
        sql_abort(&tx.sql, toggle(t, g));
    }
    return store_end(&tx);
}

/* [MS-OXCTABL] 3.2.5.17 */
enum ec store_table_expand(TALLOC_CTX *arena, struct store_table *t, uint64_t id, uint32_t most, store_row_fits *fits,
                           void *arg, struct props **rows, uint32_t *got, uint32_t *total)
{
    *rows = NULL;
    *got = *total = 0;
    struct store_tx tx = table_begin(t);
    struct group *g = find_category(t, &tx, id);
    if (g && g->expanded)
        sql_abort(&tx.sql, ecNotCollapsed); /* R571 */
    if (g && !sql_failed(&tx.sql))
        sql_abort(&tx.sql, toggle(t, g));
    if (g && !sql_failed(&tx.sql)) {
        const uint32_t at = entry_of_group(t->list, g);
        *total = shown_below(t, at);
        struct place first = { .at = AT_ROW };
        if (at + 1 < t->list->count && MIN(most, *total)) {
            first.key.sort = entry_key(&t->list->entries[at + 1]);
            table_page(arena, t, &tx, &first, true, MIN(most, *total), fits, arg, rows, got);
        }
    }
    return store_end(&tx);
}

/* ---- the state of them all ----
 *
 *   u32 version | u64 sort order and restriction | u64 row | u32 its instance | u32 count | u64 categories ... */

enum { STATE_VERSION = 1, STATE_HEAD = 28 };

static uint64_t signature(const struct store_table *t)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct buf bytes;
    buf_init(&bytes, arena);
    for (uint32_t i = 0; i < t->order_count; i++) {
        uint8_t order[5];
        put_le32(order, t->order[i].PropertyTag);
        order[4] = t->order[i].Order;
        buf_add(&bytes, order, sizeof order);
    }
    const uint8_t counts[] = { t->categories, t->expanded };
    buf_add(&bytes, counts, sizeof counts);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_BAG;
    if (t->restriction)
        wire_put_restriction(&out, t->restriction);
    const uint64_t h = hash(buf_blob(&bytes), 0);
    talloc_free(arena);
    return h;
}

/* [MS-OXCTABL] 3.2.5.19 */
enum ec store_table_collapse_state(TALLOC_CTX *arena, const struct store_table *t, uint64_t row, uint32_t instance,
                                   struct blob *state)
{
    const size_t size = STATE_HEAD + t->toggled_count * sizeof *t->toggled;
    uint8_t *bytes = talloc_array(arena, uint8_t, size);
    put_le32(bytes, STATE_VERSION);
    put_le64(bytes + 4, signature(t));
    put_le64(bytes + 12, row);
    put_le32(bytes + 20, instance);
    put_le32(bytes + 24, t->toggled_count);
    for (uint32_t i = 0; i < t->toggled_count; i++)
        put_le64(bytes + STATE_HEAD + i * sizeof *t->toggled, t->toggled[i]);
    *state = BLOB_OF(bytes, size);
    return ecNone;
}

static void read_toggled(struct store_table *t, struct blob state)
{
    TALLOC_FREE(t->toggled);
    t->toggled_count = le32(state.data + 24);
    t->toggled = talloc_array(t, uint64_t, t->toggled_count);
    for (uint32_t i = 0; i < t->toggled_count; i++)
        t->toggled[i] = le64(state.data + STATE_HEAD + i * sizeof *t->toggled);
    if (t->toggled_count)
        qsort(t->toggled, t->toggled_count, sizeof *t->toggled, by_id);
    for (uint32_t i = 0; t->list && i < t->list->group_count; i++)
        t->list->groups[i].expanded = is_expanded(t, t->list->groups[i].id, t->list->groups[i].level);
    if (t->list)
        TALLOC_FREE(t->list->shown);
}

/* [MS-OXCTABL] 3.2.5.20.  A row that is not shown leaves the cursor at the beginning. */
enum ec store_table_set_collapse_state(TALLOC_CTX *arena, struct store_table *t, struct blob state,
                                       struct blob *bookmark)
{
    *bookmark = BLOB_OF(NULL, 0);
    if (state.size < STATE_HEAD || le32(state.data) != STATE_VERSION || le32(state.data + 24) > TOGGLED_MAX ||
        state.size != STATE_HEAD + le32(state.data + 24) * sizeof *t->toggled || le64(state.data + 4) != signature(t))
        return ecInvalidParam; /* R308 */
    const uint64_t row = le64(state.data + 12);
    const uint64_t id = (row & 0xFFFF) == CATEGORY_REPLICA ? row : store_counter(row);
    struct place to = { .at = AT_START };
    struct store_tx tx = table_begin(t);
    if (!sql_failed(&tx.sql)) {
        read_toggled(t, state);
        if (id && t->view->locate(t, &tx, id, le32(state.data + 20), &to.key))
            to.at = AT_ROW;
        place_set(t, &t->cursor, &to); /* R587 */
    }
    const enum ec ec = store_end(&tx);
    return ec ? ec : bookmark_add(arena, t, &to, bookmark);
}
