/* SPDX-License-Identifier: Apache-2.0 */
/* Search folders against what a client would find by looking: random work on messages and folders, after each step of
 * which every search folder has what the restricted tables of the folders in its scope have.  [MS-OXCFOLD] 3.2.5.4 */
#include <stdlib.h>

#include "store/fixture.h"
#include "store/search.h"

enum { STEPS = 120, FOLDERS_MAX = 12, MESSAGES_MAX = 300, SEARCHES = 4 };

struct world {
    struct store_fixture *f;
    uint32_t seed;
    uint64_t top, folders[FOLDERS_MAX]; /* 0: gone */
    struct {
        uint64_t folder, mid; /* mid 0: gone */
    } messages[MESSAGES_MAX];
    uint32_t message_count;
    struct model_search {
        uint64_t fid, scope;
        bool recursive;
        struct restriction restriction;
    } searches[SEARCHES];
};

static const char *const words[] = { "tea", "rum", "green tea", "coffee", "TEA and rum" };

static uint32_t dice(struct world *w, uint32_t sides)
{
    w->seed = w->seed * 1664525u + 1013904223u;
    return (w->seed >> 8) % sides;
}

/* ---- what is there ---- */

struct mids {
    uint64_t all[2 * MESSAGES_MAX];
    uint32_t count, unread;
};

static int by_value(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void add_rows(struct world *w, struct mids *mids, uint64_t fid, const struct restriction *r)
{
    static const uint32_t columns[] = { PidTagMid, PidTagMessageFlags };
    struct store_table *t;
    struct props *rows;
    uint32_t count;
    OK(store_contents_table(&t, w->f->arena, w->f->store, fid, 0, &count));
    OK(store_table_columns(t, columns, COUNTOF(columns)));
    OK(store_table_restrict(t, r));
    OK(store_table_query(w->f->arena, t, true, 2 * MESSAGES_MAX, false, NULL, NULL, &rows, &count));
    for (uint32_t i = 0; i < count; i++) {
        assert_in_range(mids->count, 0, 2 * MESSAGES_MAX - 1);
        mids->all[mids->count++] = rows[i].values[0].u64;
        mids->unread += !(rows[i].values[1].u32 & mfRead);
    }
    talloc_free(t);
}

/* By looking: into the folder of the scope and, where it is recursive, into all below it. */
static void look(struct world *w, struct mids *mids, const struct model_search *s)
{
    static const uint32_t columns[] = { PidTagFolderId, PidTagFolderType };
    struct store_table *t;
    struct props *rows;
    uint32_t count;
    struct store_folder row;
    if (store_folder_row(w->f->arena, w->f->store, s->scope, &row))
        return;
    add_rows(w, mids, s->scope, &s->restriction);
    OK(store_hierarchy_table(&t, w->f->arena, w->f->store, s->scope, TABLE_DEPTH, &count));
    OK(store_table_columns(t, columns, COUNTOF(columns)));
    OK(store_table_query(w->f->arena, t, true, 100, false, NULL, NULL, &rows, &count));
    for (uint32_t i = 0; s->recursive && i < count; i++)
        if (rows[i].values[1].u32 != FOLDER_SEARCH)
            add_rows(w, mids, rows[i].values[0].u64, &s->restriction);
    talloc_free(t);
}

static void compare_search(struct world *w, const struct model_search *s)
{
    struct mids *expected = talloc_zero(w->f->arena, struct mids), *found = talloc_zero(expected, struct mids);
    look(w, expected, s);
    add_rows(w, found, s->fid, NULL);
    assert_int_equal(found->count, expected->count);
    qsort(expected->all, expected->count, sizeof *expected->all, by_value);
    qsort(found->all, found->count, sizeof *found->all, by_value);
    assert_memory_equal(found->all, expected->all, found->count * sizeof *found->all);
    const struct store_folder row = fixture_row(w->f, s->fid);
    assert_int_equal(row.total, expected->count);
    assert_int_equal(row.unread, expected->unread);
    talloc_free(expected);
}

/* ---- work ---- */

static uint64_t any_folder(struct world *w)
{
    const uint64_t fid = w->folders[dice(w, FOLDERS_MAX)];
    return fid ? fid : w->top;
}

static void create_message(struct world *w)
{
    if (w->message_count == MESSAGES_MAX)
        return;
    const uint64_t folder = any_folder(w);
    const uint32_t i = w->message_count++;
    w->messages[i].folder = folder;
    w->messages[i].mid = fixture_message(w->f, folder, words[dice(w, COUNTOF(words))]);
}

static void change_message(struct world *w)
{
    const uint32_t i = dice(w, MAX(w->message_count, 1u)), what = dice(w, 6);
    uint64_t *mid = &w->messages[i].mid, copy;
    const uint64_t folder = w->messages[i].folder, to = any_folder(w);
    bool partial;
    if (!*mid)
        return;
    if (what == 0) {
        struct store_message *m = fixture_open(w->f, folder, *mid);
        OK(fixture_set(m, P_STR(PidTagSubject, words[dice(w, COUNTOF(words))])));
        OK(store_message_save(m, false, mid));
        talloc_free(m);
    } else if (what == 1) {
        OK(store_messages_move(w->f->store, folder, to, mid, 1, false, mid, &partial));
        w->messages[i].folder = to;
    } else if (what == 2 && w->message_count < MESSAGES_MAX) {
        OK(store_messages_move(w->f->store, folder, to, mid, 1, true, &copy, &partial));
        w->messages[w->message_count].folder = to;
        w->messages[w->message_count++].mid = copy;
    } else if (what == 3) {
        OK(store_messages_delete(w->f->store, folder, mid, 1, dice(w, 2), &partial));
        *mid = 0;
    } else {
        OK(store_set_read_flags(w->f->store, folder, mid, what == 4, dice(w, 2) ? 0x04 : 0, &partial));
    }
}

static void create_folder(struct world *w)
{
    for (uint32_t i = 0; i < FOLDERS_MAX; i++)
        if (!w->folders[i]) {
            w->folders[i] = fixture_folder(w->f, any_folder(w), talloc_asprintf(w->f->arena, "f%u", w->seed));
            return;
        }
}

/* What went with a folder is gone. */
static void forget_missing(struct world *w)
{
    struct store_folder row;
    for (uint32_t i = 0; i < FOLDERS_MAX; i++)
        if (w->folders[i] && store_folder_row(w->f->arena, w->f->store, w->folders[i], &row))
            w->folders[i] = 0;
    for (uint32_t i = 0; i < w->message_count; i++)
        if (store_folder_row(w->f->arena, w->f->store, w->messages[i].folder, &row))
            w->messages[i].mid = 0;
}

static void change_folder(struct world *w)
{
    struct store_folder row;
    const uint64_t fid = w->folders[dice(w, FOLDERS_MAX)], to = dice(w, 4) ? any_folder(w) : STORE_FID(SPECIAL_INBOX);
    bool partial;
    if (!fid)
        return;
    OK(store_folder_row(w->f->arena, w->f->store, fid, &row));
    switch (dice(w, 4)) {
    case 0: OK(store_folder_delete(w->f->store, row.parent, fid, 7 & ~(dice(w, 2) * STORE_HARD), &partial)); break;
    case 1:
        OK(store_folder_empty(w->f->store, fid, STORE_MESSAGES, &partial));
        for (uint32_t i = 0; i < w->message_count; i++)
            if (w->messages[i].folder == fid)
                w->messages[i].mid = 0;
        break;
    default: {
        const enum ec ec = store_folder_move(w->f->store, row.parent, fid, to, NULL);
        assert_true(ec == ecNone || ec == ecRootFolder || ec == ecDuplicateName);
    }
    }
    forget_missing(w);
}

static void search_anew(struct world *w, struct model_search *s)
{
    const struct restriction choices[] = {
        { .type = RES_CONTENT,
          .fuzzy_low = FL_SUBSTRING,
          .fuzzy_high = FL_IGNORECASE,
          .tag = PidTagSubject,
          .value = P_STR(PidTagSubject, "tea") },
        { .type = RES_BITMASK, .tag = PidTagMessageFlags, .number = mfRead },
        { .type = RES_EXIST, .tag = PidTagSubject },
    };
    s->scope = dice(w, 2) ? w->top : any_folder(w);
    s->recursive = dice(w, 2);
    s->restriction = choices[dice(w, COUNTOF(choices))];
    OK(store_search_set(w->f->store, s->fid, &s->restriction, &s->scope, 1,
                        RESTART_SEARCH | (s->recursive ? RECURSIVE_SEARCH : SHALLOW_SEARCH)));
}

static void search_folders_have_what_a_client_would_find(void **state)
{
    struct store_fixture *f = *state;
    struct world *w = talloc_zero(f->arena, struct world);
    bool existed, more = true;
    w->f = f;
    w->seed = f->is_sqlite ? 5 : 6;
    w->top = fixture_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE), "top");
    for (unsigned i = 0; i < SEARCHES; i++) {
        OK(store_folder_create(f->store, w->top, FOLDER_SEARCH, talloc_asprintf(f->arena, "s%u", i), "", false,
                               &w->searches[i].fid, &existed));
        search_anew(w, &w->searches[i]);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        switch (dice(w, 6)) {
        case 0: create_folder(w); break;
        case 1: change_folder(w); break;
        case 2:
        case 3: create_message(w); break;
        default: change_message(w); break;
        }
        if (dice(w, 20) == 0)
            search_anew(w, &w->searches[dice(w, SEARCHES)]);
        for (more = true; more;)
            OK(search_step(f->store, &more));
        for (unsigned i = 0; i < SEARCHES; i++)
            compare_search(w, &w->searches[i]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = { cmocka_unit_test(search_folders_have_what_a_client_would_find) };
    return store_fixture_run("search folder model", tests, COUNTOF(tests));
}
