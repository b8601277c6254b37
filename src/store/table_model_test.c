/* SPDX-License-Identifier: Apache-2.0 */
/* Tables against a naive model.  Random work on a mailbox; several open views of each kind, some of which a client
 * follows by table events alone ([MS-OXCNOTIF] 2.2.1.4.1.2).  After every step, what a view answers, what the client
 * has made of the events, and what the model says must be the same. */
#include <stdlib.h>

#include "store/fixture.h"
#include "store/internal.h"

enum { STEPS = 250, VIEWS = 10, FOLDERS = 3, MESSAGES_MAX = 400, COLUMNS = 6 };
enum { C_MID, C_SUBJECT, C_IMPORTANCE, C_TIME, C_FLAGS, C_INSTANCE };

static const uint32_t columns[COLUMNS] = {
    PidTagMid,          PidTagNormalizedSubject, PidTagImportance, PidTagMessageDeliveryTime,
    PidTagMessageFlags, PidTagInstanceNum,
};

/* ---- the model ---- */

struct model_message {
    uint64_t mid;
    unsigned folder;
    bool associated, gone, soft;
    struct prop values[COLUMNS]; /* as a row has them; missing ones are PtypErrorCode */
};

struct view {
    struct store_table *table;
    unsigned folder, flags;
    struct SortOrder order[3];
    uint32_t order_count;
    struct restriction restriction;
    bool restricted, followed, stale;
    uint64_t copy[MESSAGES_MAX]; /* of the client: MIDs in order */
    uint32_t copy_count;
    struct prop data[MESSAGES_MAX][COLUMNS]; /* beside them */
};

struct world {
    struct store_fixture *f;
    uint64_t fids[FOLDERS];
    struct model_message messages[MESSAGES_MAX];
    uint32_t count;
    struct view views[VIEWS];
    uint32_t events, tables_changed;
    uint32_t seed;
};

static uint32_t dice(struct world *w, uint32_t sides)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % sides;
}

static const char *const words[] = {
    "alpha", "Alpha", "beta", "äpfel", "Zebra", "apfel", "", "re", "日本", "alphabet"
};

static struct prop random_value(struct world *w, unsigned column)
{
    switch (column) {
    case C_SUBJECT: return P_STR(PidTagNormalizedSubject, words[dice(w, COUNTOF(words))]);
    case C_IMPORTANCE: return P_I32(PidTagImportance, dice(w, 3));
    default: return P_TIME(PidTagMessageDeliveryTime, 1 + dice(w, 12));
    }
}

static struct model_message *model_pick(struct world *w)
{
    for (unsigned tries = 0; w->count && tries < 50; tries++) {
        struct model_message *m = &w->messages[dice(w, w->count)];
        if (!m->gone && !m->soft)
            return m;
    }
    return NULL;
}

static unsigned column_of(uint32_t tag)
{
    for (unsigned i = 0; i < COLUMNS; i++)
        if (PROP_ID(columns[i]) == PROP_ID(tag))
            return i;
    fail();
    return 0;
}

static int compare_values(const struct prop *a, const struct prop *b)
{
    const bool no_a = PROP_TYPE(a->tag) == PtypErrorCode, no_b = PROP_TYPE(b->tag) == PtypErrorCode;
    return no_a || no_b ? no_b - no_a : prop_compare(a, b, 0);
}

static int compare_messages(const struct view *v, const struct model_message *a, const struct model_message *b)
{
    static const struct SortOrder by_delivery = { PidTagMessageDeliveryTime, 0 };
    const struct SortOrder *order = v->order_count ? v->order : &by_delivery;
    for (uint32_t i = 0; i < MAX(v->order_count, 1u); i++) {
        const unsigned c = column_of(order[i].PropertyTag);
        const int n = compare_values(&a->values[c], &b->values[c]);
        if (n)
            return order[i].Order ? -n : n;
    }
    const uint64_t x = store_counter(a->mid), y = store_counter(b->mid);
    return order[0].Order ? (x < y) - (x > y) : (x > y) - (x < y);
}

static const struct prop *model_prop(void *arg, uint32_t tag)
{
    return &((struct model_message *)arg)->values[column_of(tag)];
}

static bool model_has(const struct view *v, struct model_message *m)
{
    const struct restriction_subject subject = { model_prop, NULL, m, 0 };
    return !m->gone && m->soft == ((v->flags & TABLE_SOFT_DELETES) != 0) && m->folder == v->folder &&
           m->associated == ((v->flags & TABLE_ASSOCIATED) != 0) &&
           (!v->restricted || restriction_match(&v->restriction, &subject));
}

/* The rows of a view, sorted by insertion. */
static uint32_t model_rows(struct world *w, const struct view *v, struct model_message **rows)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < w->count; i++) {
        if (!model_has(v, &w->messages[i]))
            continue;
        uint32_t at = count++;
        for (; at > 0 && compare_messages(v, rows[at - 1], &w->messages[i]) > 0; at--)
            rows[at] = rows[at - 1];
        rows[at] = &w->messages[i];
    }
    return count;
}

/* ---- the client ---- */

static uint32_t copy_find(const struct view *v, uint64_t mid)
{
    uint32_t at = 0;
    while (at < v->copy_count && v->copy[at] != mid)
        at++;
    return at;
}

static void copy_remove(struct view *v, uint32_t at)
{
    v->copy_count--;
    memmove(v->copy + at, v->copy + at + 1, (v->copy_count - at) * sizeof *v->copy);
    memmove(v->data + at, v->data + at + 1, (v->copy_count - at) * sizeof *v->data);
}

static void copy_insert(struct world *w, struct view *v, uint32_t at, uint64_t mid, const struct prop *values)
{
    memmove(v->copy + at + 1, v->copy + at, (v->copy_count - at) * sizeof *v->copy);
    memmove(v->data + at + 1, v->data + at, (v->copy_count - at) * sizeof *v->data);
    v->copy_count++;
    v->copy[at] = mid;
    for (unsigned c = 0; c < COLUMNS; c++)
        v->data[at][c] = prop_copy(w->f->arena, &values[c]);
}

static void copy_apply(struct world *w, struct view *v, const struct table_event *e)
{
    uint32_t at = copy_find(v, e->mid);
    assert_int_equal(e->fid, w->fids[v->folder]);
    if (e->type == TABLE_ROW_ADDED)
        assert_int_equal(at, v->copy_count); /* MS-OXCNOTIF_R23 */
    if (e->type == TABLE_ROW_MODIFIED)
        assert_int_not_equal(at, v->copy_count); /* R25 */
    if (at < v->copy_count)
        copy_remove(v, at);
    if (e->type == TABLE_ROW_DELETED)
        return; /* R24 */
    at = 0;
    if (e->after_mid) {
        assert_int_equal(e->after_fid, w->fids[v->folder]);
        at = copy_find(v, e->after_mid) + 1;
        assert_true(at <= v->copy_count); /* the client knows its neighbour */
    }
    copy_insert(w, v, at, e->mid, e->row.values);
}

static void hear(void *arg, struct store *st, const struct store_change *changes, size_t count)
{
    struct world *w = arg;
    (void)st;
    for (size_t k = 0; k < VIEWS; k++)
        for (size_t i = 0; i < count && w->views[k].followed; i++) {
            struct view *v = &w->views[k];
            struct table_event e;
            if (!store_table_event(w->f->arena, v->table, &changes[i], &e))
                continue;
            w->events++;
            w->tables_changed += e.type == TABLE_CHANGED;
            if (e.type == TABLE_CHANGED)
                v->stale = true;
            else if (!v->stale)
                copy_apply(w, v, &e);
        }
}

static void copy_read(struct world *w, struct view *v)
{
    struct props *rows;
    uint32_t count;
    int32_t moved;
    OK(store_table_seek(v->table, BOOKMARK_BEGINNING, 0, &moved));
    OK(store_table_query(w->f->arena, v->table, true, MESSAGES_MAX, false, NULL, NULL, &rows, &count));
    v->copy_count = 0;
    for (uint32_t i = 0; i < count; i++)
        copy_insert(w, v, i, rows[i].values[C_MID].u64, rows[i].values);
    v->stale = false;
}

/* ---- comparing ---- */

static void assert_row(const struct model_message *m, const struct prop *values)
{
    assert_int_equal(values[C_MID].u64, m->mid);
    for (unsigned c = C_SUBJECT; c <= C_TIME; c++) {
        assert_int_equal(values[c].tag, m->values[c].tag);
        assert_true(prop_equal(&values[c], &m->values[c]));
    }
    assert_int_equal(values[C_FLAGS].u32 & mfRead, m->values[C_FLAGS].u32 & mfRead);
}

static void compare_view(struct world *w, struct view *v)
{
    struct model_message *rows[MESSAGES_MAX];
    const uint32_t count = model_rows(w, v, rows);
    if (v->stale || !v->followed)
        copy_read(w, v);
    assert_int_equal(v->copy_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_row(rows[i], v->data[i]);
}

/* Seeks to a place, reads there in both directions and asks where it is. */
static void wander(struct world *w, struct view *v)
{
    struct model_message *rows[MESSAGES_MAX];
    const int32_t count = (int32_t)model_rows(w, v, rows);
    const uint8_t origin = (uint8_t)dice(w, 2) * 2;
    const int32_t by = (int32_t)dice(w, (uint32_t)count + 3) * (origin ? -1 : 1);
    int32_t at = MIN(MAX((origin ? count : 0) + by, 0), count), moved;
    struct props *read;
    uint32_t got, numerator, denominator;
    OK(store_table_seek(v->table, origin, by, &moved));
    assert_int_equal(moved, at - (origin ? count : 0));
    for (unsigned i = 0; i < 3; i++) {
        const bool forward = dice(w, 2);
        const int32_t most = (int32_t)dice(w, 8), expected = MIN(most, forward ? count - at : at);
        OK(store_table_position(v->table, &numerator, &denominator));
        assert_int_equal(numerator, at);
        assert_int_equal(denominator, count);
        OK(store_table_query(w->f->arena, v->table, forward, (uint32_t)most, false, NULL, NULL, &read, &got));
        assert_int_equal(got, expected);
        for (int32_t k = 0; k < expected; k++)
            assert_row(rows[forward ? at + k : at - 1 - k], read[k].values);
        at += forward ? expected : -expected;
        if (most)
            assert_int_equal(forward ? store_table_at_end(v->table) : store_table_at_start(v->table),
                             at == (forward ? count : 0));
    }
}

/* ---- work on the mailbox ---- */

static void create(struct world *w)
{
    struct store_message *m;
    if (w->count == MESSAGES_MAX)
        return;
    struct model_message *model = &w->messages[w->count];
    *model = (struct model_message){ .folder = dice(w, FOLDERS), .associated = dice(w, 8) == 0 };
    OK(store_message_new(&m, w->f->arena, w->f->store, w->fids[model->folder], model->associated));
    for (unsigned c = C_SUBJECT; c <= C_TIME; c++) {
        model->values[c] = dice(w, 4) ? random_value(w, c) : P_ERR(columns[c], ecNotFound);
        if (PROP_TYPE(model->values[c].tag) != PtypErrorCode)
            OK(fixture_set(m, model->values[c]));
        else if (c == C_IMPORTANCE)
            model->values[c] = P_I32(PidTagImportance, 1); /* its default */
    }
    model->values[C_FLAGS] = P_I32(PidTagMessageFlags, mfRead);
    w->count++;
    const bool delivered = !model->associated && PROP_TYPE(model->values[C_TIME].tag) == PtypTime && dice(w, 2);
    if (delivered)
        OK(store_message_deliver(m, w->fids[model->folder], &model->mid));
    else
        OK(store_message_save(m, false, &model->mid));
    model->values[C_FLAGS].u32 = delivered ? 0 : mfRead;
    talloc_free(m);
    model->values[C_MID] = P_I64(PidTagMid, model->mid);
}

static void modify(struct world *w)
{
    struct model_message *model = model_pick(w);
    if (!model)
        return;
    const unsigned c = C_SUBJECT + dice(w, 3);
    struct store_message *m = fixture_open(w->f, w->fids[model->folder], model->mid);
    if (c == C_SUBJECT && dice(w, 4) == 0) {
        enum ec result;
        OK(store_message_unset(m, &columns[c], 1, &result));
        OK(result);
        model->values[c] = P_ERR(columns[c], ecNotFound);
    } else {
        model->values[c] = random_value(w, c);
        OK(fixture_set(m, model->values[c]));
    }
    OK(store_message_save(m, false, &model->mid));
    talloc_free(m);
}

/* Some messages of one folder. */
static uint32_t pick_some(struct world *w, struct model_message **models, uint64_t *mids)
{
    struct model_message *first = model_pick(w);
    uint32_t count = 0;
    for (uint32_t i = 0; first && i < w->count && count < 6; i++) {
        struct model_message *m = &w->messages[i];
        if (!m->gone && !m->soft && m->folder == first->folder && (m == first || dice(w, 3) == 0)) {
            models[count] = m;
            mids[count++] = m->mid;
        }
    }
    return count;
}

static void move_or_copy(struct world *w)
{
    struct model_message *models[6];
    uint64_t mids[6], new_mids[6];
    bool partial;
    const bool copy = dice(w, 3) == 0;
    const uint32_t count = pick_some(w, models, mids);
    if (!count || w->count + count > MESSAGES_MAX)
        return;
    const unsigned from = models[0]->folder, to = dice(w, FOLDERS);
    OK(store_messages_move(w->f->store, w->fids[from], w->fids[to], mids, count, copy, new_mids, &partial));
    assert_false(partial);
    for (uint32_t i = 0; i < count; i++) {
        struct model_message *m = copy ? &w->messages[w->count++] : models[i];
        *m = *models[i];
        m->folder = to;
        m->mid = new_mids[i];
        m->values[C_MID].u64 = m->mid;
    }
}

static void discard(struct world *w)
{
    struct model_message *models[6];
    uint64_t mids[6];
    bool partial;
    const bool hard = dice(w, 2);
    const uint32_t count = pick_some(w, models, mids);
    if (!count)
        return;
    OK(store_messages_delete(w->f->store, w->fids[models[0]->folder], mids, count, hard, &partial));
    for (uint32_t i = 0; i < count; i++) {
        models[i]->gone = hard;
        models[i]->soft = !hard;
    }
}

/* A deleted message comes back, into this or another folder. */
static void recover(struct world *w)
{
    for (uint32_t i = dice(w, MAX(w->count, 1u)); i < w->count; i++) {
        struct model_message *m = &w->messages[i];
        bool partial;
        if (!m->soft)
            continue;
        const unsigned to = dice(w, FOLDERS);
        OK(store_messages_move(w->f->store, w->fids[m->folder], w->fids[to], &m->mid, 1, false, &m->mid, &partial));
        assert_false(partial);
        m->soft = false;
        m->folder = to;
        m->values[C_MID].u64 = m->mid;
        return;
    }
}

static void mark(struct world *w)
{
    struct model_message *models[6];
    uint64_t mids[6];
    bool partial;
    const bool unread = dice(w, 2), everything = dice(w, 5) == 0;
    const unsigned folder = dice(w, FOLDERS);
    uint32_t count = everything ? 0 : pick_some(w, models, mids);
    if (!everything && !count)
        return;
    const unsigned in = everything ? folder : models[0]->folder;
    OK(store_set_read_flags(w->f->store, w->fids[in], everything ? NULL : mids, count, unread ? 0x04 : 0, &partial));
    for (uint32_t i = 0; i < w->count; i++) {
        struct model_message *m = &w->messages[i];
        bool meant = everything && m->folder == in && !m->gone && !m->soft;
        for (uint32_t k = 0; k < count; k++)
            meant |= m == models[k];
        if (meant && !m->associated)
            m->values[C_FLAGS].u32 = unread ? 0 : mfRead;
    }
}

static void empty(struct world *w)
{
    const unsigned folder = dice(w, FOLDERS);
    bool partial;
    if (dice(w, 6))
        return;
    OK(store_folder_empty(w->f->store, w->fids[folder], STORE_MESSAGES | STORE_HARD, &partial));
    for (uint32_t i = 0; i < w->count; i++)
        if (w->messages[i].folder == folder && !w->messages[i].associated && !w->messages[i].soft)
            w->messages[i].gone = true;
}

/* ---- what the views look like ---- */

static void choose_order(struct world *w, struct view *v)
{
    static const uint32_t tags[] = { PidTagMessageDeliveryTime, PidTagNormalizedSubject, PidTagImportance };
    v->order_count = dice(w, 3);
    const uint32_t first = dice(w, 2) ? 0 : dice(w, COUNTOF(tags));
    for (uint32_t i = 0; i < v->order_count; i++)
        v->order[i] = (struct SortOrder){ tags[(first + i) % COUNTOF(tags)], (uint8_t)dice(w, 2) };
    if (v->order_count == 2 && dice(w, 2))
        v->order_count = 1;
    OK(store_table_sort(v->table, v->order, v->order_count));
}

static void choose_restriction(struct world *w, struct view *v)
{
    v->restricted = dice(w, 2);
    const unsigned c = C_SUBJECT + dice(w, 3);
    v->restriction = (struct restriction){
        .type = RES_PROPERTY, .relop = (uint8_t)dice(w, 6), .tag = columns[c], .value = random_value(w, c)
    };
    OK(store_table_restrict(v->table, v->restricted ? &v->restriction : NULL));
}

static void choose(struct world *w, struct view *v)
{
    if (dice(w, 2))
        choose_order(w, v);
    else
        choose_restriction(w, v);
    copy_read(w, v);
}

static void open_views(struct world *w)
{
    for (unsigned i = 0; i < VIEWS; i++) {
        struct view *v = &w->views[i];
        uint32_t rows;
        v->folder = i % FOLDERS;
        v->flags = i == 4 ? TABLE_ASSOCIATED : i == 5 ? TABLE_SOFT_DELETES : 0;
        OK(store_contents_table(&v->table, w->f->arena, w->f->store, w->fids[v->folder], v->flags, &rows));
        OK(store_table_columns(v->table, columns, COLUMNS));
        v->followed = i % 4 != 3 && !(v->flags & TABLE_SOFT_DELETES);
        copy_read(w, v);
    }
}

static void (*const work[])(struct world *) = {
    create, create, create, modify, modify, move_or_copy, discard, recover, mark, empty,
};

static void views_and_their_events_agree_with_the_model(void **state)
{
    struct store_fixture *f = *state;
    struct world *w = talloc_zero(f->arena, struct world);
    w->f = f;
    w->seed = f->is_sqlite ? 1 : 2;
    for (unsigned i = 0; i < FOLDERS; i++)
        w->fids[i] = fixture_folder(f, STORE_FID(SPECIAL_INBOX), talloc_asprintf(f->arena, "folder %u", i));
    open_views(w);
    f->also = hear;
    f->also_arg = w;
    for (unsigned step = 0; step < STEPS; step++) {
        work[dice(w, COUNTOF(work))](w);
        for (unsigned i = 0; i < VIEWS; i++)
            if (w->views[i].followed || dice(w, 4) == 0)
                compare_view(w, &w->views[i]);
        wander(w, &w->views[dice(w, VIEWS)]);
        if (step % 5 == 0)
            choose(w, &w->views[dice(w, VIEWS)]);
    }
    f->also = NULL;
    assert_true(w->events > STEPS);
    assert_true(w->tables_changed * 10 < w->events); /* MS-OXCNOTIF_R268, R270 */
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(views_and_their_events_agree_with_the_model) };
    return store_fixture_run("table model", tests, COUNTOF(tests));
}
