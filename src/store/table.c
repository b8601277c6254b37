/* SPDX-License-Identifier: Apache-2.0 */
/* Tables as [MS-OXCTABL] 3.2.5 has them: columns, order, restriction, rows, cursor and bookmarks. */
#include "store/table.h"

/* ---- places ---- */

static void place_clear(struct place *place)
{
    talloc_free((void *)place->key.sort.data);
    *place = (struct place){ .at = AT_START };
}

/* A key of the list is gone when the list changes, so the table keeps its own. */
void place_set(struct store_table *t, struct place *place, const struct place *to)
{
    struct place kept = *to;
    kept.key.sort = to->at == AT_ROW ? blob_copy(t, to->key.sort) : BLOB_OF(NULL, 0);
    place_clear(place);
    *place = kept;
}

static void bookmarks_clear(struct store_table *t)
{
    for (uint32_t i = 0; i < t->bookmark_count; i++)
        place_clear(&t->bookmarks[i].place);
    TALLOC_FREE(t->bookmarks);
    t->bookmark_count = 0;
}

/* The view for what is set now, from its beginning. */
static void begin_view(struct store_table *t)
{
    const struct SortOrder *order = t->order ? t->order : t->kind->order;
    const uint32_t count = t->order ? t->order_count : t->kind->order_count;
    const bool plain = t->kind == &contents_kind && !(t->flags & TABLE_SOFT_DELETES) && !t->restriction &&
                       !t->instances && !t->categories;
    t->index = plain ? index_for(order, count, t->in_search, &t->descending) : NULL;
    t->view = t->index ? &index_view : &list_view;
    TALLOC_FREE(t->list);
    place_clear(&t->cursor);
    bookmarks_clear(t);
}

/* ---- opening ---- */

static struct store_table *table_make(TALLOC_CTX *owner, struct store *st, const struct table_kind *kind,
                                      unsigned flags)
{
    struct store_table *t = talloc_zero(owner, struct store_table);
    t->st = st;
    t->budget = st->budget;
    t->delegate = st->delegate;
    t->kind = kind;
    t->flags = flags & (TABLE_ASSOCIATED | TABLE_DEPTH | TABLE_SOFT_DELETES);
    return t;
}

struct store_tx table_begin(struct store_table *t)
{
    struct store_tx tx = store_read(t->st);
    if (t->message && !t->child.at)
        sql_abort(&tx.sql, ecInvalidObject);
    if (t->view == &list_view && !sql_failed(&tx.sql))
        list_ready(t, &tx);
    return tx;
}

static const char folder_type_sql[] = "SELECT type FROM folder WHERE mb = $1 AND fid = $2";

enum ec folder_table(struct store_table **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                     const struct table_kind *kind, unsigned flags, uint32_t *rows)
{
    struct store_table *t = table_make(owner, st, kind, flags);
    t->fid = store_counter(fid);
    struct store_tx tx = store_read(st);
    const bool search = sql_int(&tx.sql, folder_type_sql, BIND(B_INT(st->mb), B_INT((int64_t)t->fid))) == FOLDER_SEARCH;
    t->in_search = search && kind == &contents_kind && !(flags & (TABLE_ASSOCIATED | TABLE_SOFT_DELETES));
    begin_view(t);
    may(&tx, t->fid, kind == &contents_kind ? RIGHT_READ_ANY : kind == &rules_kind ? RIGHT_OWNER : RIGHT_VISIBLE);
    if (t->in_search)
        may_manage(&tx); /* what it has found may lie where a delegate must not look */
    struct store_tx inner = table_begin(t);
    *rows = sql_failed(&tx.sql) ? 0 : (uint32_t)t->view->total(t, &inner);
    store_end(&inner);
    const enum ec ec = store_end(&tx);
    if (ec)
        TALLOC_FREE(t);
    *out = t;
    return ec;
}

enum ec store_contents_table(struct store_table **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                             unsigned flags, uint32_t *rows)
{
    return folder_table(out, owner, st, fid, &contents_kind, flags & ~(unsigned)TABLE_DEPTH, rows);
}

enum ec store_hierarchy_table(struct store_table **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                              unsigned flags, uint32_t *rows)
{
    return folder_table(out, owner, st, fid, &hierarchy_kind, flags & ~(unsigned)TABLE_ASSOCIATED, rows);
}

enum ec store_permissions_table(struct store_table **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                                bool free_busy, store_name_of *name_of, void *arg)
{
    struct store_table *t = table_make(owner, st, &permissions_kind, 0);
    t->fid = store_counter(fid);
    t->members.free_busy = free_busy;
    t->members.name_of = name_of;
    t->members.arg = arg;
    begin_view(t);
    *out = t;
    return ecNone;
}

static int attachment_table_close(struct store_table *t)
{
    child_remove(&t->child);
    return 0;
}

enum ec store_attachment_table(struct store_table **out, TALLOC_CTX *owner, struct store_message *m, unsigned flags)
{
    struct store_table *t = table_make(owner, m->st, &attachments_kind, flags & 0);
    t->message = m;
    child_add(&m->tables, &t->child);
    talloc_set_destructor(t, attachment_table_close);
    begin_view(t);
    *out = t;
    return ecNone;
}

/* ---- columns, order, restriction ---- */

/* A tag that a column or an order can have; the type alone tells. */
static bool is_column(uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag), plain = type & ~PtypMultivalueInstance;
    return type != PtypErrorCode && prop_type_known(plain) && (type == plain || plain & PtypMultiple);
}

/* Rows for each value are made of one property alone. */
static bool add_instances(uint32_t *instances, uint32_t tag)
{
    if (!(PROP_TYPE(tag) & PtypMultivalueInstance))
        return true;
    const uint32_t plain = tag & ~(uint32_t)PtypMultivalueInstance;
    if (*instances && PROP_ID(*instances) != PROP_ID(plain))
        return false;
    *instances = plain;
    return true;
}

static bool find_instances(const uint32_t *columns, uint32_t column_count, const struct SortOrder *order,
                           uint32_t order_count, uint32_t *instances)
{
    bool good = true;
    *instances = 0;
    for (uint32_t i = 0; i < column_count; i++)
        good = good && add_instances(instances, columns[i]);
    for (uint32_t i = 0; i < order_count; i++)
        good = good && add_instances(instances, order[i].PropertyTag);
    return good;
}

/* [MS-OXCTABL] 3.2.5.2.  R430: what fails leaves the columns as they were. */
enum ec store_table_columns(struct store_table *t, const uint32_t *tags, uint32_t count)
{
    uint32_t instances;
    for (uint32_t i = 0; i < count; i++)
        if (!is_column(tags[i]))
            return ecInvalidParam; /* R435 */
    if (count > COLUMNS_MAX || !find_instances(tags, count, t->order, t->order_count, &instances))
        return ecTooComplex;
    talloc_free(t->columns);
    t->columns = talloc_memdup(t, tags, count * sizeof *tags);
    t->column_count = count;
    if (instances != t->instances) {
        t->instances = instances;
        begin_view(t);
    }
    return ecNone;
}

/* R78: an aggregate follows the last category. */
static enum ec check_order(const struct SortOrder *order, uint32_t count, uint32_t categories, uint32_t expanded)
{
    if (expanded > categories || categories > count)
        return ecInvalidParam;
    for (uint32_t i = 0; i < count; i++) {
        const bool aggregate = order[i].Order == SORT_MAXIMUM && categories && i == categories;
        if ((order[i].Order > SORT_DESCENDING && !aggregate) || !is_column(order[i].PropertyTag))
            return ecInvalidParam;
    }
    return count > SORTS_MAX || categories > CATEGORIES_MAX ? ecTooComplex : ecNone;
}

/* [MS-OXCTABL] 3.2.5.3.  R445: what fails leaves the order as it was. */
enum ec store_table_categorise(struct store_table *t, const struct SortOrder *order, uint32_t count,
                               uint32_t categories, uint32_t expanded)
{
    uint32_t instances;
    if (!t->kind->sorts)
        return ecNotSupported; /* R450 */
    const enum ec ec = check_order(order, count, categories, expanded);
    if (ec)
        return ec;
    if (!find_instances(t->columns, t->column_count, order, count, &instances))
        return ecTooComplex;
    TALLOC_FREE(t->order);
    t->order = count ? talloc_memdup(t, order, count * sizeof *order) : NULL;
    t->order_count = count;
    t->categories = (uint8_t)categories;
    t->expanded = (uint8_t)expanded;
    TALLOC_FREE(t->toggled);
    t->toggled_count = 0;
    t->instances = instances;
    begin_view(t); /* R439 */
    return ecNone;
}

enum ec store_table_sort(struct store_table *t, const struct SortOrder *order, uint32_t count)
{
    return store_table_categorise(t, order, count, 0, 0);
}

/* [MS-OXCTABL] 3.2.5.4 */
enum ec store_table_restrict(struct store_table *t, const struct restriction *restriction)
{
    if (!t->kind->restricts)
        return ecNotSupported; /* R461 */
    TALLOC_FREE(t->restriction);
    t->restriction = restriction ? restriction_copy(t, restriction) : NULL;
    begin_view(t); /* R453 */
    return ecNone;
}

void store_table_set_locale(struct store_table *t, uint32_t lcid)
{
    if (t->lcid == lcid)
        return;
    t->lcid = lcid;
    begin_view(t);
}

/* [MS-OXCTABL] 3.2.5.16 */
void store_table_reset(struct store_table *t)
{
    TALLOC_FREE(t->columns);
    TALLOC_FREE(t->order);
    TALLOC_FREE(t->restriction);
    TALLOC_FREE(t->toggled);
    t->column_count = t->order_count = t->instances = t->toggled_count = 0;
    t->categories = t->expanded = 0;
    begin_view(t);
}

uint32_t store_table_column_count(const struct store_table *t)
{
    return t->column_count;
}

const uint32_t *store_table_columns_set(const struct store_table *t)
{
    return t->columns;
}

/* ---- rows ---- */

struct page {
    TALLOC_CTX *arena;
    struct props *rows;
    uint32_t count, room;
    store_row_fits *fits;
    void *arg;
};

static bool take_row(void *arg, struct table_row *row)
{
    struct page *page = arg;
    const struct props values = row_values(page->arena, row);
    if (page->fits && !page->fits(page->arg, &values))
        return false;
    if (page->count == page->room) {
        page->room = MAX(64u, page->room * 2);
        page->rows = talloc_realloc(page->arena, page->rows, struct props, page->room);
    }
    page->rows[page->count++] = values;
    return true;
}

void table_page(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, struct place *from, bool forward,
                uint32_t most, store_row_fits *fits, void *arg, struct props **rows, uint32_t *got)
{
    struct page page = { .arena = arena, .fits = fits, .arg = arg };
    if (!sql_failed(&tx->sql))
        *from = t->view->walk(t, tx, from, forward, most, take_row, &page);
    *rows = page.rows;
    *got = page.count;
}

/* [MS-OXCTABL] 3.2.5.5.  Backwards, the row that is nearest to the cursor comes first. */
enum ec store_table_query(TALLOC_CTX *arena, struct store_table *t, bool forward, uint32_t count, bool keep,
                          store_row_fits *fits, void *arg, struct props **rows, uint32_t *got)
{
    struct store_tx tx = table_begin(t);
    struct place end = t->cursor;
    table_page(arena, t, &tx, &end, forward, count, fits, arg, rows, got);
    const enum ec ec = store_end(&tx);
    if (!ec && !keep && count)
        place_set(t, &t->cursor, &end);
    *got = ec ? 0 : *got;
    return ec;
}

bool store_table_at_start(struct store_table *t)
{
    return t->cursor.at == AT_START;
}

bool store_table_at_end(struct store_table *t)
{
    return t->cursor.at == AT_END;
}

/* ---- position ---- */

/* [MS-OXCTABL] 3.2.5.8 */
enum ec store_table_position(struct store_table *t, uint32_t *numerator, uint32_t *denominator)
{
    struct store_tx tx = table_begin(t);
    uint64_t before = 0, total = 0;
    if (!sql_failed(&tx.sql)) {
        total = t->view->total(t, &tx);
        before = t->cursor.at == AT_END ? total : t->view->before(t, &tx, &t->cursor);
    }
    *numerator = (uint32_t)MIN(before, total);
    *denominator = (uint32_t)total;
    return store_end(&tx);
}

static enum ec move_cursor(struct store_table *t, struct store_tx *tx, const struct place *from, int64_t rows,
                           int32_t *moved)
{
    int64_t done = 0;
    struct place to = *from;
    if (!sql_failed(&tx->sql))
        to = t->view->skip(t, tx, from, rows, &done);
    const enum ec ec = store_end(tx);
    if (!ec)
        place_set(t, &t->cursor, &to);
    *moved = (int32_t)done;
    return ec;
}

/* [MS-OXCTABL] 3.2.5.9 */
enum ec store_table_seek(struct store_table *t, uint8_t origin, int32_t rows, int32_t *moved)
{
    static const struct place start = { .at = AT_START }, end = { .at = AT_END };
    struct store_tx tx = table_begin(t);
    const struct place from = origin == BOOKMARK_BEGINNING ? start : origin == BOOKMARK_END ? end : t->cursor;
    return move_cursor(t, &tx, &from, rows, moved);
}

/* [MS-OXCTABL] 3.2.5.11 */
enum ec store_table_seek_fraction(struct store_table *t, uint32_t numerator, uint32_t denominator)
{
    const struct place ends[] = { { .at = AT_START }, { .at = AT_END } };
    struct store_tx tx = table_begin(t);
    int32_t moved;
    const bool inside = numerator && numerator < denominator; /* R514, R515 */
    const uint64_t total = inside && !sql_failed(&tx.sql) ? t->view->total(t, &tx) : 0;
    return move_cursor(t, &tx, &ends[!inside && numerator], inside ? (int64_t)(total * numerator / denominator) : 0,
                       &moved);
}

/* ---- bookmarks ---- */

enum { BOOKMARK_SIZE = 4 };

static bool take_none(void *arg, struct table_row *row)
{
    (void)arg, (void)row;
    return false;
}

enum ec bookmark_add(TALLOC_CTX *arena, struct store_table *t, const struct place *at, struct blob *bookmark)
{
    if (t->bookmark_count == BOOKMARKS_MAX)
        return ecTooComplex;
    t->bookmarks = talloc_realloc(t, t->bookmarks, struct bookmark, t->bookmark_count + 1);
    struct bookmark *made = &t->bookmarks[t->bookmark_count++];
    *made = (struct bookmark){ .number = ++t->last_bookmark };
    place_set(t, &made->place, at);
    uint8_t *bytes = talloc_array(arena, uint8_t, BOOKMARK_SIZE);
    put_le32(bytes, made->number);
    *bookmark = BLOB_OF(bytes, BOOKMARK_SIZE);
    return ecNone;
}

/* [MS-OXCTABL] 3.2.5.12: a bookmark identifies a row, so one at the beginning is of the first row. */
enum ec store_table_bookmark(TALLOC_CTX *arena, struct store_table *t, struct blob *bookmark)
{
    *bookmark = BLOB_OF(NULL, 0);
    struct store_tx tx = table_begin(t);
    struct place at = t->cursor;
    if (!sql_failed(&tx.sql))
        at = t->view->walk(t, &tx, &t->cursor, true, 0, take_none, NULL);
    const enum ec ec = store_end(&tx);
    return ec ? ec : bookmark_add(arena, t, &at, bookmark);
}

static struct bookmark *find_bookmark(struct store_table *t, struct blob bookmark)
{
    for (uint32_t i = 0; bookmark.size == BOOKMARK_SIZE && i < t->bookmark_count; i++)
        if (t->bookmarks[i].number == le32(bookmark.data))
            return &t->bookmarks[i];
    return NULL;
}

/* [MS-OXCTABL] 3.2.5.10: to where its row is now; where it is gone, to the next one. */
enum ec store_table_seek_bookmark(struct store_table *t, struct blob bookmark, int32_t rows, bool *gone, int32_t *moved)
{
    const struct bookmark *found = find_bookmark(t, bookmark);
    *gone = false;
    *moved = 0;
    if (!found)
        return ecInvalidBookmark;
    struct store_tx tx = table_begin(t);
    struct place from = found->place;
    if (from.at == AT_ROW && !sql_failed(&tx.sql)) {
        struct row_key key;
        *gone = !t->view->locate(t, &tx, from.key.id, from.key.instance, &key);
        from.key = *gone ? found->place.key : key;
    }
    return move_cursor(t, &tx, &from, rows, moved);
}

/* [MS-OXCTABL] 3.2.5.15 */
enum ec store_table_free_bookmark(struct store_table *t, struct blob bookmark)
{
    struct bookmark *found = find_bookmark(t, bookmark);
    if (!found)
        return ecInvalidBookmark; /* R5521 */
    place_clear(&found->place);
    *found = t->bookmarks[--t->bookmark_count];
    return ecNone;
}

/* ---- all columns ---- */

enum { LOOKED_AT = 50 };

struct tags {
    TALLOC_CTX *arena;
    const uint32_t *all;
    uint32_t count;
};

static bool add_tags(void *arg, struct table_row *row)
{
    struct tags *tags = arg;
    uint32_t *own;
    const uint32_t count = item_tags(tags->arena, &row->item, &own);
    tags->all = tags_join(tags->arena, tags->all, tags->count, own, count, &tags->count);
    return true;
}

/* [MS-OXCTABL] 3.2.5.13: what every row has, and what is in some of the first. */
enum ec store_table_all_columns(TALLOC_CTX *arena, struct store_table *t, const uint32_t **tags, uint32_t *count)
{
    struct tags found = { arena, t->kind->tags, t->kind->tag_count };
    struct store_tx tx = table_begin(t);
    if (!sql_failed(&tx.sql))
        t->view->walk(t, &tx, &(struct place){ .at = AT_START }, true, LOOKED_AT, add_tags, &found);
    *tags = found.all;
    *count = found.count;
    return store_end(&tx);
}
