/* SPDX-License-Identifier: Apache-2.0 */
/* Categories of tables: [MS-OXCTABL] 2.2.1, 2.2.2.3, 3.2.5.17 to 3.2.5.20; some cases, and random work against a naive
 * model. */
#include <stdlib.h>

#include "store/fixture.h"
#include "store/table_list.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { LEAF = 1, EXPANDED = 3, COLLAPSED = 4 };
enum { C_ID, C_TYPE, C_DEPTH, C_ROWS, C_UNREAD, C_SUBJECT, C_IMPORTANCE, C_TIME, COLUMNS };

static const uint32_t columns[COLUMNS] = {
    PidTagInstID,
    PidTagRowType,
    PidTagDepth,
    PidTagContentCount,
    PidTagContentUnreadCount,
    PidTagNormalizedSubject,
    PidTagImportance,
    PidTagMessageDeliveryTime,
};

/* ---- what tests are made of ---- */

static uint64_t message(struct store_fixture *f, const char *subject, uint32_t importance, uint64_t time)
{
    struct store_message *m;
    uint64_t mid;
    OK(store_message_new(&m, f->arena, f->store, INBOX, false));
    if (subject)
        OK(fixture_set(m, P_STR(PidTagNormalizedSubject, subject)));
    OK(fixture_set(m, P_I32(PidTagImportance, importance)));
    OK(fixture_set(m, P_TIME(PidTagMessageDeliveryTime, time)));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
    return mid;
}

static struct store_table *open_table(struct store_fixture *f)
{
    struct store_table *t;
    uint32_t rows;
    OK(store_contents_table(&t, f->arena, f->store, INBOX, 0, &rows));
    OK(store_table_columns(t, columns, COLUMNS));
    return t;
}

static struct props *read_all(struct store_fixture *f, struct store_table *t, uint32_t *count)
{
    struct props *rows;
    int32_t moved;
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 0, &moved));
    OK(store_table_query(f->arena, t, true, 10000, false, NULL, NULL, &rows, count));
    return rows;
}

/* One row: "subject(3/1)" an expanded header with three rows, one of them unread, "+subject(3/1)" a collapsed one, and a
 * message by its time. */
static char *row_text(struct store_fixture *f, const struct prop *v)
{
    const bool header = v[C_TYPE].u32 != LEAF;
    if (!header)
        return talloc_asprintf(f->arena, "%llu", (unsigned long long)v[C_TIME].u64);
    const struct prop *value = v[C_DEPTH].u32 == 0 ? &v[C_SUBJECT] : &v[C_IMPORTANCE];
    const char *text = PROP_TYPE(value->tag) == PtypErrorCode ? "-"
                       : PROP_TYPE(value->tag) == PtypString  ? value->str
                                                              : talloc_asprintf(f->arena, "%u", value->u32);
    return talloc_asprintf(f->arena, "%s%s(%u/%u)", v[C_TYPE].u32 == COLLAPSED ? "+" : "", text, v[C_ROWS].u32,
                           v[C_UNREAD].u32);
}

static const char *text_of(struct store_fixture *f, struct store_table *t)
{
    uint32_t count;
    const struct props *rows = read_all(f, t, &count);
    char *text = talloc_strdup(f->arena, "");
    for (uint32_t i = 0; i < count; i++)
        text = talloc_asprintf_append(text, "%s%s", i ? " " : "", row_text(f, rows[i].values));
    return text;
}

#define SHOWS(t, text) assert_string_equal(text_of(f, t), text)

static uint64_t id_at(struct store_fixture *f, struct store_table *t, uint32_t at)
{
    uint32_t count;
    const struct props *rows = read_all(f, t, &count);
    assert_in_range(at, 0, count - 1);
    return rows[at].values[C_ID].u64;
}

static uint32_t expand(struct store_fixture *f, struct store_table *t, uint32_t at)
{
    struct props *rows;
    uint32_t got, total;
    OK(store_table_expand(f->arena, t, id_at(f, t, at), 0, NULL, NULL, &rows, &got, &total));
    assert_int_equal(got, 0);
    return total;
}

static uint32_t collapse(struct store_fixture *f, struct store_table *t, uint32_t at)
{
    uint32_t rows;
    OK(store_table_collapse(t, id_at(f, t, at), &rows));
    return rows;
}

static const struct SortOrder by_subject[] = {
    { PidTagNormalizedSubject, SORT_ASCENDING },
    { PidTagMessageDeliveryTime, SORT_ASCENDING },
};
static const struct SortOrder by_two[] = {
    { PidTagNormalizedSubject, SORT_ASCENDING },
    { PidTagImportance, SORT_DESCENDING },
    { PidTagMessageDeliveryTime, SORT_ASCENDING },
};
static const struct SortOrder by_newest[] = {
    { PidTagNormalizedSubject, SORT_DESCENDING },
    { PidTagMessageDeliveryTime, SORT_MAXIMUM },
    { PidTagMessageDeliveryTime, SORT_DESCENDING },
};

static struct store_table *three_subjects(struct store_fixture *f)
{
    static const struct {
        const char *subject;
        uint32_t importance;
    } all[] = { { "tea", 1 }, { "rum", 2 }, { "tea", 2 }, { NULL, 0 }, { "tea", 1 }, { "rum", 0 } };
    for (unsigned i = 0; i < COUNTOF(all); i++)
        message(f, all[i].subject, all[i].importance, 1 + i);
    return open_table(f);
}

/* ---- some cases ---- */

static void each_value_has_a_header(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    OK(store_table_categorise(t, by_subject, 2, 1, 1));
    SHOWS(t, "-(1/0) 4 rum(2/0) 2 6 tea(3/0) 1 3 5"); /* R17, R20, R67, R71, R72, R437 */
    OK(store_table_categorise(t, by_subject, 2, 1, 0));
    SHOWS(t, "+-(1/0) +rum(2/0) +tea(3/0)"); /* R18, R21, R438 */
}

static void categories_lie_in_each_other(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    OK(store_table_categorise(t, by_two, 3, 2, 2));
    SHOWS(t, "-(1/0) 0(1/0) 4 rum(2/0) 2(1/0) 2 0(1/0) 6 tea(3/0) 2(1/0) 3 1(2/0) 1 5");
    uint32_t count;
    const struct props *rows = read_all(f, t, &count);
    assert_int_equal(rows[0].values[C_DEPTH].u32, 0); /* R19 */
    assert_int_equal(rows[1].values[C_DEPTH].u32, 1);
    assert_int_equal(rows[2].values[C_DEPTH].u32, 2); /* R621 */
    OK(store_table_categorise(t, by_two, 3, 2, 1));
    SHOWS(t, "-(1/0) +0(1/0) rum(2/0) +2(1/0) +0(1/0) tea(3/0) +2(1/0) +1(2/0)"); /* R66 */
}

static void headers_have_what_their_rows_have_in_common(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    uint32_t count;
    OK(store_table_categorise(t, by_two, 3, 2, 2));
    const struct props *rows = read_all(f, t, &count);
    assert_int_equal(PROP_TYPE(rows[0].values[C_SUBJECT].tag), PtypErrorCode);
    assert_int_equal(rows[0].values[C_IMPORTANCE].u32, (uint32_t)ecNotFound); /* of the level below */
    assert_string_equal(rows[4].values[C_SUBJECT].str, "rum");
    assert_int_equal(rows[4].values[C_IMPORTANCE].u32, 2);
    assert_int_equal(rows[4].values[C_TIME].u32, (uint32_t)ecNotFound);
}

static void a_category_is_sorted_by_its_newest_message(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    OK(store_table_categorise(t, by_newest, 3, 1, 1));
    SHOWS(t, "rum(2/0) 6 2 tea(3/0) 5 3 1 -(1/0) 4"); /* R79, R80, R81, R82 */
    uint32_t count;
    assert_int_equal(read_all(f, t, &count)[0].values[C_TIME].u64, 6);
    const uint64_t mid = message(f, NULL, 1, 7);
    SHOWS(t, "-(2/0) 7 4 rum(2/0) 6 2 tea(3/0) 5 3 1");
    bool partial;
    OK(store_messages_delete(f->store, INBOX, &mid, 1, true, &partial));
    SHOWS(t, "rum(2/0) 6 2 tea(3/0) 5 3 1 -(1/0) 4");
}

static void what_is_no_order_is_refused(void **state)
{
    static const struct SortOrder first[] = { { PidTagImportance, SORT_MAXIMUM } };
    static const struct SortOrder late[] = { { PidTagNormalizedSubject, 0 },
                                             { PidTagImportance, 0 },
                                             { PidTagMessageDeliveryTime, SORT_MAXIMUM } };
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    OK(store_table_categorise(t, by_subject, 2, 1, 1));
    EC(store_table_categorise(t, first, 1, 0, 0), ecInvalidParam); /* R78 */
    EC(store_table_categorise(t, first, 1, 1, 0), ecInvalidParam);
    EC(store_table_categorise(t, late, 3, 1, 0), ecInvalidParam);
    EC(store_table_categorise(t, by_two, 3, 4, 0), ecInvalidParam); /* R63 */
    EC(store_table_categorise(t, by_two, 3, 1, 2), ecInvalidParam);
    struct SortOrder many[CATEGORIES_MAX + 1];
    for (unsigned i = 0; i < COUNTOF(many); i++)
        many[i] = (struct SortOrder){ PidTagImportance, 0 };
    EC(store_table_categorise(t, many, COUNTOF(many), COUNTOF(many), 0), ecTooComplex);
    SHOWS(t, "-(1/0) 4 rum(2/0) 2 6 tea(3/0) 1 3 5"); /* R445 */
}

static void categories_expand_and_collapse(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    struct props *rows;
    uint32_t got, total;
    OK(store_table_categorise(t, by_subject, 2, 1, 1));
    const uint64_t tea = id_at(f, t, 5), leaf = id_at(f, t, 1);
    assert_int_equal(collapse(f, t, 5), 3); /* R287, R573 */
    SHOWS(t, "-(1/0) 4 rum(2/0) 2 6 +tea(3/0)");
    EC(store_table_collapse(t, tea, &got), ecNotExpanded); /* R577 */
    EC(store_table_collapse(t, leaf, &got), ecNotFound);   /* R576 */
    OK(store_table_expand(f->arena, t, tea, 2, NULL, NULL, &rows, &got, &total));
    assert_int_equal(total, 3); /* R278, R567 */
    assert_int_equal(got, 2);   /* R279, R280, R281 */
    assert_int_equal(rows[0].values[C_TIME].u64, 1);
    assert_int_equal(rows[1].values[C_TIME].u64, 3);
    EC(store_table_expand(f->arena, t, tea, 2, NULL, NULL, &rows, &got, &total), ecNotCollapsed); /* R571 */
    EC(store_table_expand(f->arena, t, leaf, 2, NULL, NULL, &rows, &got, &total), ecNotFound);    /* R570 */
    SHOWS(t, "-(1/0) 4 rum(2/0) 2 6 tea(3/0) 1 3 5");
}

static void what_lies_deeper_stays_as_it_was(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    OK(store_table_categorise(t, by_two, 3, 2, 0));
    assert_int_equal(expand(f, t, 2), 2);
    SHOWS(t, "+-(1/0) +rum(2/0) tea(3/0) +2(1/0) +1(2/0)");
    assert_int_equal(expand(f, t, 4), 2);
    assert_int_equal(collapse(f, t, 2), 4);
    SHOWS(t, "+-(1/0) +rum(2/0) +tea(3/0)");
    assert_int_equal(expand(f, t, 2), 4);
    SHOWS(t, "+-(1/0) +rum(2/0) tea(3/0) +2(1/0) 1(2/0) 1 5");
}

static void positions_count_what_is_shown(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    uint32_t numerator, denominator, count;
    int32_t moved;
    struct props *rows;
    OK(store_table_categorise(t, by_subject, 2, 1, 1));
    collapse(f, t, 2);
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 3, &moved));
    OK(store_table_position(t, &numerator, &denominator));
    assert_int_equal(numerator, 3);
    assert_int_equal(denominator, 7);
    OK(store_table_query(f->arena, t, true, 1, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "tea(3/0)");
    OK(store_table_query(f->arena, t, false, 2, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "+rum(2/0)");
    assert_string_equal(row_text(f, rows[1].values), "4");
    OK(store_table_seek_fraction(t, 1, 2));
    OK(store_table_position(t, &numerator, &denominator));
    assert_int_equal(numerator, 3);
}

static void a_bookmark_in_a_collapsed_category_is_no_longer_visible(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    struct blob bookmark;
    uint32_t count;
    int32_t moved;
    bool gone;
    struct props *rows;
    OK(store_table_categorise(t, by_subject, 2, 1, 1));
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 3, &moved));
    OK(store_table_bookmark(f->arena, t, &bookmark));
    collapse(f, t, 2);
    OK(store_table_seek_bookmark(t, bookmark, 0, &gone, &moved));
    assert_true(gone); /* R182, R506 */
    OK(store_table_query(f->arena, t, true, 1, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "tea(3/0)"); /* R506: the next row */
    expand(f, t, 2);
    OK(store_table_seek_bookmark(t, bookmark, 0, &gone, &moved));
    assert_false(gone);
    OK(store_table_query(f->arena, t, true, 1, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "2");
}

static void headers_are_found_like_rows(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    int32_t moved;
    struct props row;
    OK(store_table_categorise(t, by_subject, 2, 1, 1));
    const struct restriction headers = {
        .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagContentCount, .value = P_I32(PidTagContentCount, 3)
    };
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 0, &moved));
    OK(store_table_find(f->arena, t, false, &headers, &row));
    assert_string_equal(row_text(f, row.values), "tea(3/0)");
    const struct restriction by_id = {
        .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagInstID, .value = P_I64(PidTagInstID, row.values[0].u64)
    };
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 0, &moved));
    OK(store_table_find(f->arena, t, false, &by_id, &row));
    assert_string_equal(row_text(f, row.values), "tea(3/0)");
}

static void the_state_comes_back_in_another_table(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f), *other = open_table(f);
    struct blob saved, bookmark;
    uint32_t count;
    int32_t moved;
    bool gone;
    struct props *rows;
    OK(store_table_categorise(t, by_subject, 2, 1, 0));
    expand(f, t, 1);
    OK(store_table_collapse_state(f->arena, t, id_at(f, t, 3), 0, &saved)); /* R289, R579 */
    OK(store_table_categorise(other, by_subject, 2, 1, 0));
    OK(store_table_set_collapse_state(f->arena, other, saved, &bookmark)); /* R307, R585 */
    OK(store_table_query(f->arena, other, true, 1, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "6"); /* R587 */
    OK(store_table_seek_bookmark(other, bookmark, 0, &gone, &moved));
    assert_false(gone); /* R305, R315 */
    OK(store_table_query(f->arena, other, true, 1, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "6");
    SHOWS(other, "+-(1/0) rum(2/0) 2 6 +tea(3/0)");
    OK(store_table_collapse_state(f->arena, t, id_at(f, t, 4), 0, &saved)); /* of a header */
    OK(store_table_set_collapse_state(f->arena, other, saved, &bookmark));
    OK(store_table_query(f->arena, other, true, 1, true, NULL, NULL, &rows, &count));
    assert_string_equal(row_text(f, rows[0].values), "+tea(3/0)");
}

static void a_state_of_something_else_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    struct blob saved, bookmark;
    OK(store_table_categorise(t, by_subject, 2, 1, 0));
    expand(f, t, 1);
    OK(store_table_collapse_state(f->arena, t, 0, 0, &saved));
    for (size_t size = 0; size < saved.size; size++)
        EC(store_table_set_collapse_state(f->arena, t, BLOB_OF(saved.data, size), &bookmark), ecInvalidParam);
    uint8_t *lying = talloc_memdup(f->arena, saved.data, saved.size);
    put_le32(lying + 24, UINT32_MAX);
    EC(store_table_set_collapse_state(f->arena, t, BLOB_OF(lying, saved.size), &bookmark), ecInvalidParam);
    OK(store_table_categorise(t, by_two, 3, 1, 0));
    EC(store_table_set_collapse_state(f->arena, t, saved, &bookmark), ecInvalidParam); /* R308 */
}

static void each_keyword_is_a_category(void **state)
{
    struct store_fixture *f = *state;
    const uint32_t keywords = PROP_TAG(PtypMultiple | PtypString, 0x8001), each = keywords | PtypMultivalueInstance;
    static const char *const both[] = { "red", "blue" };
    const struct prop p = { .tag = keywords, .mv = { 2, { .str = both } } };
    struct store_message *m = fixture_open(f, INBOX, message(f, "tea", 1, 1));
    uint64_t mid;
    OK(fixture_set(m, p));
    OK(store_message_save(m, false, &mid));
    message(f, "rum", 1, 2);
    struct store_table *t = open_table(f);
    const struct SortOrder order[] = { { each, 0 }, { PidTagMessageDeliveryTime, 0 } };
    const uint32_t shown[] = { each, PidTagRowType, PidTagInstanceNum, PidTagMessageDeliveryTime };
    struct props *rows;
    uint32_t count;
    OK(store_table_columns(t, shown, COUNTOF(shown)));
    OK(store_table_categorise(t, order, 2, 1, 1));
    OK(store_table_query(f->arena, t, true, 100, false, NULL, NULL, &rows, &count));
    assert_int_equal(count, 6); /* none: the second message; blue and red: the first one, twice */
    assert_int_equal(PROP_TYPE(rows[0].values[0].tag), PtypErrorCode);
    assert_string_equal(rows[2].values[0].str, "blue"); /* R433, R448 */
    assert_int_equal(rows[2].values[1].u32, EXPANDED);
    assert_string_equal(rows[3].values[0].str, "blue");
    assert_int_equal(rows[3].values[2].u32, 1);
    assert_string_equal(rows[4].values[0].str, "red");
    assert_int_equal(rows[5].values[2].u32, 0);
    assert_int_equal(rows[5].values[3].u64, 1);
}

static void a_change_in_a_category_is_told(void **state)
{
    struct store_fixture *f = *state;
    struct store_table *t = three_subjects(f);
    OK(store_table_categorise(t, by_subject, 2, 1, 0));
    SHOWS(t, "+-(1/0) +rum(2/0) +tea(3/0)");
    fixture_forget(f);
    const uint64_t mid = message(f, "gin", 1, 7);
    struct table_event e;
    assert_true(store_table_event(f->arena, t, fixture_heard(f, STORE_CREATED, INBOX, mid), &e));
    assert_int_equal(e.type, TABLE_CHANGED);
    SHOWS(t, "+-(1/0) +gin(1/0) +rum(2/0) +tea(3/0)");
}

/* ---- random work against a model ---- */

enum { MESSAGES_MAX = 150, VIEWS = 6, STEPS = 200, TOGGLED = 300 };
static const char *const words[] = { NULL, "alpha", "Alpha", "beta", "", "gamma", "delta" };

struct model_message {
    uint64_t mid;
    uint32_t word, importance;
    uint64_t time;
    bool unread, gone;
};
struct view {
    struct store_table *table;
    struct SortOrder order[4];
    uint32_t count, categories, expanded;
    char *toggled[TOGGLED]; /* what was expanded or collapsed, by its values */
    uint32_t toggled_count;
};
struct world {
    struct store_fixture *f;
    struct model_message messages[MESSAGES_MAX];
    uint32_t count, seed;
    struct view views[VIEWS];
};

static uint32_t dice(struct world *w, uint32_t sides)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % sides;
}

static struct prop value_of(const struct model_message *m, uint32_t tag)
{
    if (tag == PidTagNormalizedSubject)
        return words[m->word] ? P_STR(tag, words[m->word]) : P_ERR(tag, ecNotFound);
    return tag == PidTagImportance ? P_I32(tag, m->importance) : P_TIME(tag, m->time);
}

static int compare(const struct model_message *a, const struct model_message *b, uint32_t tag)
{
    const struct prop x = value_of(a, tag), y = value_of(b, tag);
    const bool no_x = PROP_TYPE(x.tag) == PtypErrorCode, no_y = PROP_TYPE(y.tag) == PtypErrorCode;
    return no_x || no_y ? no_y - no_x : prop_compare(&x, &y, 0);
}

static bool same_category(const struct view *v, const struct model_message *a, const struct model_message *b,
                          uint32_t levels)
{
    for (uint32_t i = 0; i < levels; i++)
        if (compare(a, b, v->order[i].PropertyTag))
            return false;
    return true;
}

static const struct model_message *greatest(const struct world *w, const struct view *v, const struct model_message *in)
{
    const struct model_message *best = in;
    for (uint32_t i = 0; i < w->count; i++)
        if (!w->messages[i].gone && same_category(v, in, &w->messages[i], v->categories) &&
            compare(&w->messages[i], best, v->order[v->categories].PropertyTag) > 0)
            best = &w->messages[i];
    return best;
}

static int compare_in(const struct world *w, const struct view *v, const struct model_message *a,
                      const struct model_message *b)
{
    const bool aggregate = v->count > v->categories && v->order[v->categories].Order == SORT_MAXIMUM;
    int n = 0;
    for (uint32_t i = 0; !n && i < v->count; i++) {
        if (aggregate && i == v->categories)
            continue;
        if (aggregate && i + 1 == v->categories) {
            n = compare(greatest(w, v, a), greatest(w, v, b), v->order[v->categories].PropertyTag);
            n = v->order[i].Order ? -n : n;
        }
        if (!n)
            n = compare(a, b, v->order[i].PropertyTag) * (v->order[i].Order ? -1 : 1);
    }
    const uint64_t x = store_counter(a->mid), y = store_counter(b->mid);
    return n ? n : v->order[0].Order ? (x < y) - (x > y) : (x > y) - (x < y);
}

/* The values of a category as text; words that are alike are one. */
static char *category_text(struct world *w, const struct view *v, const struct model_message *m, uint32_t level)
{
    char *text = talloc_asprintf(w->f->arena, "%u", level);
    for (uint32_t i = 0; i <= level; i++) {
        uint32_t first = 0;
        while (!same_category(&(struct view){ .order = { v->order[i] } }, m, &w->messages[first], 1))
            first++;
        const struct prop p = value_of(&w->messages[first], v->order[i].PropertyTag);
        text = PROP_TYPE(p.tag) == PtypErrorCode ? talloc_asprintf_append(text, "/-")
               : PROP_TYPE(p.tag) == PtypString
                   ? talloc_asprintf_append(text, "/'%s", p.str)
                   : talloc_asprintf_append(text, "/%llu", (unsigned long long)(p.u64 & UINT32_MAX));
    }
    return text;
}

static uint32_t toggled(const struct view *v, const char *text)
{
    uint32_t at = 0;
    while (at < v->toggled_count && strcmp(v->toggled[at], text))
        at++;
    return at;
}

struct expected {
    bool header, expanded;
    uint32_t level, rows, unread;
    const struct model_message *message;
    char *text;
};

static struct expected header_of(struct world *w, const struct view *v, const struct model_message *m, uint32_t level)
{
    struct expected e = { .header = true, .level = level, .message = m, .text = category_text(w, v, m, level) };
    for (uint32_t i = 0; i < w->count; i++)
        if (!w->messages[i].gone && same_category(v, m, &w->messages[i], level + 1)) {
            e.rows++;
            e.unread += w->messages[i].unread;
        }
    e.expanded = (level < v->expanded) != (toggled(v, e.text) < v->toggled_count);
    return e;
}

/* All rows that a client must see, in order. */
static uint32_t model_rows(struct world *w, const struct view *v, struct expected *out)
{
    const struct model_message *sorted[MESSAGES_MAX];
    uint32_t count = 0, shown = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        uint32_t at = count;
        if (w->messages[i].gone)
            continue;
        for (count++; at > 0 && compare_in(w, v, sorted[at - 1], &w->messages[i]) > 0; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = &w->messages[i];
    }
    for (uint32_t i = 0; i < count; i++) {
        bool visible = true;
        for (uint32_t k = 0; k < v->categories; k++) {
            const struct expected e = header_of(w, v, sorted[i], k);
            if (visible && (!i || !same_category(v, sorted[i - 1], sorted[i], k + 1)))
                out[shown++] = e;
            visible = visible && e.expanded;
        }
        if (visible)
            out[shown++] = (struct expected){ .level = v->categories, .message = sorted[i] };
    }
    return shown;
}

static void assert_row(const struct expected *e, const struct view *v, const struct prop *row)
{
    assert_int_equal(row[C_TYPE].u32, !e->header ? LEAF : e->expanded ? EXPANDED : COLLAPSED);
    assert_int_equal(row[C_DEPTH].u32, e->level);
    if (!e->header) {
        assert_int_equal(row[C_ID].u64, e->message->mid);
        return;
    }
    assert_int_equal(row[C_ROWS].u32, e->rows);
    assert_int_equal(row[C_UNREAD].u32, e->unread);
    const struct prop value = value_of(e->message, v->order[e->level].PropertyTag);
    const struct prop *got = v->order[e->level].PropertyTag == PidTagNormalizedSubject ? &row[C_SUBJECT]
                             : v->order[e->level].PropertyTag == PidTagImportance      ? &row[C_IMPORTANCE]
                                                                                       : &row[C_TIME];
    assert_int_equal(got->tag, value.tag);
    if (PROP_TYPE(value.tag) != PtypErrorCode)
        assert_int_equal(prop_compare(got, &value, 0), 0);
}

static void compare_view(struct world *w, struct view *v)
{
    struct expected *rows = talloc_zero_array(w->f->arena, struct expected, 4 * MESSAGES_MAX);
    const uint32_t count = model_rows(w, v, rows);
    uint32_t got, numerator, denominator;
    int32_t moved;
    const struct props *read = read_all(w->f, v->table, &got);
    assert_int_equal(got, count);
    for (uint32_t i = 0; i < count; i++)
        assert_row(&rows[i], v, read[i].values);
    const uint32_t at = dice(w, count + 1);
    struct props *some;
    OK(store_table_seek(v->table, BOOKMARK_END, (int32_t)at - (int32_t)count, &moved));
    OK(store_table_position(v->table, &numerator, &denominator));
    assert_int_equal(numerator, at);
    assert_int_equal(denominator, count);
    OK(store_table_query(w->f->arena, v->table, false, 5, true, NULL, NULL, &some, &got));
    assert_int_equal(got, MIN(at, 5u));
    for (uint32_t i = 0; i < got; i++)
        assert_row(&rows[at - 1 - i], v, some[i].values);
    if (count && dice(w, 2)) {
        const uint32_t header = dice(w, count);
        if (!rows[header].header || v->toggled_count == TOGGLED)
            return;
        const uint32_t found = toggled(v, rows[header].text);
        struct props *below;
        uint32_t total;
        if (rows[header].expanded)
            OK(store_table_collapse(v->table, read[header].values[C_ID].u64, &total));
        else
            OK(store_table_expand(w->f->arena, v->table, read[header].values[C_ID].u64, 3, NULL, NULL, &below, &got,
                                  &total));
        if (found == v->toggled_count)
            v->toggled[v->toggled_count++] = rows[header].text;
        else
            v->toggled[found] = v->toggled[--v->toggled_count];
        const int64_t change = rows[header].expanded ? -(int64_t)total : (int64_t)total;
        assert_int_equal((int64_t)model_rows(w, v, rows) - count, change);
    }
}

static void choose_order(struct world *w, struct view *v)
{
    static const uint32_t tags[] = { PidTagNormalizedSubject, PidTagImportance, PidTagMessageDeliveryTime };
    const uint32_t first = dice(w, 3);
    v->categories = 1 + dice(w, 2);
    v->expanded = dice(w, v->categories + 1);
    v->count = v->categories;
    for (uint32_t i = 0; i < v->categories; i++)
        v->order[i] = (struct SortOrder){ tags[(first + i) % 3], (uint8_t)dice(w, 2) };
    if (dice(w, 2))
        v->order[v->count++] = (struct SortOrder){ tags[dice(w, 3)], SORT_MAXIMUM };
    if (dice(w, 2))
        v->order[v->count++] = (struct SortOrder){ tags[dice(w, 3)], (uint8_t)dice(w, 2) };
    v->toggled_count = 0;
    OK(store_table_categorise(v->table, v->order, v->count, v->categories, v->expanded));
}

static void work(struct world *w)
{
    struct model_message *m = w->count ? &w->messages[dice(w, w->count)] : NULL;
    const uint32_t what = dice(w, 8);
    bool partial;
    if (what < 3 && w->count < MESSAGES_MAX) {
        m = &w->messages[w->count++];
        *m = (struct model_message){ .word = dice(w, COUNTOF(words)),
                                     .importance = dice(w, 3),
                                     .time = 1 + dice(w, 40) };
        m->mid = message(w->f, words[m->word], m->importance, m->time);
    } else if (m && !m->gone && what < 5) {
        m->unread = !m->unread;
        OK(store_set_read_flags(w->f->store, INBOX, &m->mid, 1, m->unread ? 0x04 : 0, &partial));
    } else if (m && !m->gone && what < 7) {
        struct store_message *open = fixture_open(w->f, INBOX, m->mid);
        if (dice(w, 2))
            m->time = 1 + dice(w, 40);
        else
            m->importance = dice(w, 3);
        OK(fixture_set(open, P_TIME(PidTagMessageDeliveryTime, m->time)));
        OK(fixture_set(open, P_I32(PidTagImportance, m->importance)));
        OK(store_message_save(open, false, &m->mid));
        talloc_free(open);
    } else if (m && !m->gone) {
        OK(store_messages_delete(w->f->store, INBOX, &m->mid, 1, true, &partial));
        m->gone = true;
    }
}

static void views_agree_with_the_model(void **state)
{
    struct store_fixture *f = *state;
    struct world *w = talloc_zero(f->arena, struct world);
    w->f = f;
    w->seed = f->is_sqlite ? 3 : 4;
    print_message("# seed %u\n", w->seed);
    for (unsigned i = 0; i < VIEWS; i++) {
        w->views[i].table = open_table(f);
        choose_order(w, &w->views[i]);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        for (unsigned i = dice(w, 3); i > 0; i--)
            work(w);
        for (unsigned i = 0; i < VIEWS; i++)
            if (dice(w, 2))
                compare_view(w, &w->views[i]);
        if (dice(w, 20) == 0)
            choose_order(w, &w->views[dice(w, VIEWS)]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_value_has_a_header),
        cmocka_unit_test(categories_lie_in_each_other),
        cmocka_unit_test(headers_have_what_their_rows_have_in_common),
        cmocka_unit_test(a_category_is_sorted_by_its_newest_message),
        cmocka_unit_test(what_is_no_order_is_refused),
        cmocka_unit_test(categories_expand_and_collapse),
        cmocka_unit_test(what_lies_deeper_stays_as_it_was),
        cmocka_unit_test(positions_count_what_is_shown),
        cmocka_unit_test(a_bookmark_in_a_collapsed_category_is_no_longer_visible),
        cmocka_unit_test(headers_are_found_like_rows),
        cmocka_unit_test(the_state_comes_back_in_another_table),
        cmocka_unit_test(a_state_of_something_else_is_refused),
        cmocka_unit_test(each_keyword_is_a_category),
        cmocka_unit_test(a_change_in_a_category_is_told),
        cmocka_unit_test(views_agree_with_the_model),
    };
    return store_fixture_run("categories", tests, COUNTOF(tests));
}
