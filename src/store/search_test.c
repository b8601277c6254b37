/* SPDX-License-Identifier: Apache-2.0 */
/* Requirements of [MS-OXCFOLD] 2.2.1.4, 2.2.1.5, 3.2.5.4 and 3.2.5.5. */
#include "store/search.h"

#include "store/fixture.h"
#include "store/table.h"

/* ---- what tests are made of ---- */

static const struct restriction unread = {
    .type = RES_BITMASK, .relop = 0, .tag = PidTagMessageFlags, .number = mfRead
};

static struct restriction contains(uint32_t tag, const char *text)
{
    return (struct restriction){ .type = RES_CONTENT,
                                 .fuzzy_low = FL_SUBSTRING,
                                 .fuzzy_high = FL_IGNORECASE,
                                 .tag = tag,
                                 .value = P_STR(tag, text) };
}

static uint64_t search_folder(struct store_fixture *f, const char *name)
{
    uint64_t fid;
    bool existed;
    OK(store_folder_create(f->store, STORE_FID(SPECIAL_SEARCH), FOLDER_SEARCH, name, "", false, &fid, &existed));
    return fid;
}

/* Whatever is left for the background. */
static void finish(struct store_fixture *f)
{
    bool more = true;
    while (more)
        OK(search_step(f->store, &more));
}

static uint64_t search_for(struct store_fixture *f, const char *text, uint64_t scope, uint32_t flags)
{
    const uint64_t fid = search_folder(f, text);
    const struct restriction r = contains(PidTagSubject, text);
    OK(store_search_set(f->store, fid, &r, &scope, 1, flags));
    finish(f);
    return fid;
}

static struct store_table *table_of(struct store_fixture *f, uint64_t fid)
{
    static const uint32_t columns[] = { PidTagSubject, PidTagMid, PidTagFolderId, PidTagParentEntryId };
    struct store_table *t;
    uint32_t rows;
    OK(store_contents_table(&t, f->arena, f->store, fid, 0, &rows));
    OK(store_table_columns(t, columns, COUNTOF(columns)));
    return t;
}

/* The subjects in a table, in its order, with spaces between them. */
static const char *subjects(struct store_fixture *f, struct store_table *t)
{
    struct props *rows;
    uint32_t count;
    int32_t moved;
    char *text = talloc_strdup(f->arena, "");
    OK(store_table_seek(t, BOOKMARK_BEGINNING, 0, &moved));
    OK(store_table_query(f->arena, t, true, UINT16_MAX, false, NULL, NULL, &rows, &count));
    for (uint32_t i = 0; i < count; i++)
        text = talloc_asprintf_append(text, "%s%s", i ? " " : "", rows[i].values[0].str);
    return text;
}

static const char *found(struct store_fixture *f, uint64_t fid)
{
    struct store_table *t = table_of(f, fid);
    const char *text = subjects(f, t);
    talloc_free(t);
    return text;
}

#define FOUND(fid, text) assert_string_equal(found(f, fid), text)

static uint32_t state_of(struct store_fixture *f, uint64_t fid)
{
    struct store_search s;
    OK(store_search_get(f->arena, f->store, fid, &s));
    return s.state;
}

static void set_subject(struct store_fixture *f, uint64_t fid, uint64_t mid, const char *subject)
{
    struct store_message *m = fixture_open(f, fid, mid);
    OK(fixture_set(m, P_STR(PidTagSubject, subject)));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
}

#define INBOX STORE_FID(SPECIAL_INBOX)
#define SUBTREE STORE_FID(SPECIAL_IPM_SUBTREE)

/* ---- criteria ---- */

static void a_search_folder_shows_what_matches(void **state)
{
    struct store_fixture *f = *state;
    fixture_message(f, INBOX, "tea-1");
    fixture_message(f, INBOX, "coffee");
    fixture_message(f, INBOX, "TEA-2");
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    FOUND(fid, "tea-1 TEA-2"); /* R515, R518, R766 */
    assert_int_equal(fixture_row(f, fid).total, 2);
    assert_int_equal(fixture_row(f, fid).type, FOLDER_SEARCH); /* R812 */
}

static void what_was_not_set_cannot_be_asked_for(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_folder(f, "new"), inbox = INBOX;
    struct store_search s;
    EC(store_search_get(f->arena, f->store, fid, &s), ecNotInitialized);
    EC(store_search_set(f->store, fid, &unread, NULL, 0, RESTART_SEARCH), ecNotInitialized); /* R1240, R565, R566 */
    EC(store_search_set(f->store, fid, NULL, &inbox, 1, RESTART_SEARCH), ecNotInitialized);
    EC(store_search_set(f->store, fid, NULL, NULL, 0, STOP_SEARCH), ecNotInitialized);
}

static void only_search_folders_search(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = INBOX;
    struct store_search s;
    EC(store_search_set(f->store, inbox, &unread, &inbox, 1, 0), ecNotSearchFolder); /* R569, R570 */
    EC(store_search_get(f->arena, f->store, inbox, &s), ecNotSearchFolder);          /* R579, R580 */
}

static void flags_that_contradict_each_other_are_refused(void **state)
{
    static const uint32_t bad[] = { STOP_SEARCH | RESTART_SEARCH,
                                    RECURSIVE_SEARCH | SHALLOW_SEARCH,
                                    FOREGROUND_SEARCH | BACKGROUND_SEARCH,
                                    CONTENT_INDEXED_SEARCH | NON_CONTENT_INDEXED_SEARCH,
                                    0x40,
                                    0x80000000 };
    struct store_fixture *f = *state;
    const uint64_t fid = search_folder(f, "new"), inbox = INBOX;
    for (size_t i = 0; i < COUNTOF(bad); i++)
        EC(store_search_set(f->store, fid, &unread, &inbox, 1, bad[i]), ecInvalidParam); /* R116001, R1091, R1092 */
}

static void a_search_folder_is_in_no_scope(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_folder(f, "new"), other = search_folder(f, "other");
    EC(store_search_set(f->store, fid, &unread, &fid, 1, 0), ecSearchFolderScopeViolation); /* R124201, R1243, R1244 */
    EC(store_search_set(f->store, fid, &unread, &other, 1, 0), ecSearchFolderScopeViolation);
    const uint64_t nowhere = store_id(0x123456);
    EC(store_search_set(f->store, fid, &unread, &nowhere, 1, 0), ecNotFound);
}

static void too_much_is_too_complex(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_folder(f, "new"), inbox = INBOX;
    struct restriction *many = talloc_array(f->arena, struct restriction, 2000);
    for (uint32_t i = 0; i < 2000; i++)
        many[i] = unread;
    const struct restriction r = { .type = RES_OR, .count = 2000, .sub = many };
    EC(store_search_set(f->store, fid, &r, &inbox, 1, 0), ecTooComplex); /* R572 */
    uint64_t *scope = talloc_array(f->arena, uint64_t, 5000);
    for (uint32_t i = 0; i < 5000; i++)
        scope[i] = inbox;
    EC(store_search_set(f->store, fid, &unread, scope, 5000, 0), ecTooComplex);
}

static void criteria_can_be_asked_for(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_for(f, "tea", SUBTREE, RECURSIVE_SEARCH | STATIC_SEARCH | FOREGROUND_SEARCH);
    struct store_search s;
    OK(store_search_get(f->arena, f->store, fid, &s));
    assert_int_equal(s.count, 1);
    assert_int_equal(s.fids[0], SUBTREE);
    assert_int_equal(s.restriction->type, RES_CONTENT);
    assert_string_equal(s.restriction->value.str, "tea");
    assert_int_equal(s.state, SEARCH_RECURSIVE | SEARCH_STATIC | SEARCH_FOREGROUND | SEARCH_COMPLETE |
                                  TWIR_TOTALLY); /* R789, R793, R795, R1215 */
}

static void what_is_left_out_is_as_before(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t drafts = fixture_folder(f, SUBTREE, "Other");
    fixture_message(f, INBOX, "tea");
    fixture_message(f, INBOX, "rum");
    fixture_message(f, drafts, "rum-2");
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    const struct restriction rum = contains(PidTagSubject, "rum");
    OK(store_search_set(f->store, fid, &rum, NULL, 0, RESTART_SEARCH));
    FOUND(fid, "rum"); /* R109, R519, R1241 */
    OK(store_search_set(f->store, fid, NULL, &drafts, 1, RESTART_SEARCH));
    FOUND(fid, "rum-2"); /* R105 */
}

/* ---- scope ---- */

static void a_recursive_search_looks_below(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t a = fixture_folder(f, INBOX, "a"), b = fixture_folder(f, a, "b");
    fixture_message(f, INBOX, "tea-1");
    fixture_message(f, b, "tea-2");
    FOUND(search_for(f, "tea", INBOX, RECURSIVE_SEARCH), "tea-1 tea-2"); /* R770 */
    const uint64_t shallow = search_for(f, "te", INBOX, SHALLOW_SEARCH);
    FOUND(shallow, "tea-1");                       /* R772, R960 */
    FOUND(search_for(f, "ea", INBOX, 0), "tea-1"); /* R1200 */
}

static void folders_that_come_and_go_change_the_scope(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t elsewhere = fixture_folder(f, SUBTREE, "elsewhere"), inner = fixture_folder(f, elsewhere, "inner");
    fixture_message(f, inner, "tea-1");
    const uint64_t fid = search_for(f, "tea", INBOX, RECURSIVE_SEARCH);
    FOUND(fid, "");
    OK(store_folder_move(f->store, SUBTREE, elsewhere, INBOX, NULL));
    finish(f);
    FOUND(fid, "tea-1"); /* R1095 */
    const uint64_t new = fixture_folder(f, inner, "new");
    fixture_message(f, new, "tea-2");
    FOUND(fid, "tea-1 tea-2");
    OK(store_folder_move(f->store, elsewhere, inner, SUBTREE, NULL));
    FOUND(fid, "");
    fixture_message(f, new, "tea-3");
    FOUND(fid, "");
    assert_int_equal(fixture_row(f, fid).total, 0);
    OK(store_folder_copy(f->store, SUBTREE, inner, elsewhere, "copy", true));
    finish(f);
    FOUND(fid, "tea-1 tea-2 tea-3");
}

static void a_folder_that_is_deleted_takes_its_results_with_it(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t a = fixture_folder(f, INBOX, "a"), b = fixture_folder(f, INBOX, "b");
    fixture_message(f, a, "tea-1");
    fixture_message(f, b, "tea-2");
    const uint64_t fid = search_for(f, "tea", INBOX, RECURSIVE_SEARCH);
    bool partial;
    OK(store_folder_delete(f->store, INBOX, a, STORE_MESSAGES | STORE_HARD, &partial));
    FOUND(fid, "tea-2");
    OK(store_folder_delete(f->store, INBOX, b, STORE_MESSAGES, &partial));
    FOUND(fid, "");
    assert_int_equal(fixture_row(f, fid).total, 0);
}

/* ---- following the mailbox ---- */

static void mail_that_arrives_is_found(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    struct store_table *t = table_of(f, fid);
    fixture_forget(f);
    const uint64_t mid = fixture_message(f, INBOX, "tea");
    assert_string_equal(subjects(f, t), "tea"); /* R552, R1097 */
    const struct store_change *c = fixture_heard(f, STORE_CREATED, fid, mid);
    assert_non_null(c);
    assert_true(c->in_search);
    assert_int_equal(c->parent, INBOX);
    fixture_message(f, STORE_FID(SPECIAL_OUTBOX), "tea");
    fixture_message(f, INBOX, "rum");
    FOUND(fid, "tea");
}

static void messages_start_and_cease_to_match(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_for(f, "tea", INBOX, 0), mid = fixture_message(f, INBOX, "rum");
    struct store_table *t = table_of(f, fid);
    assert_string_equal(subjects(f, t), "");
    set_subject(f, INBOX, mid, "tea");
    assert_string_equal(subjects(f, t), "tea"); /* R1096 */
    set_subject(f, INBOX, mid, "more tea");
    assert_string_equal(subjects(f, t), "more tea");
    set_subject(f, INBOX, mid, "milk");
    assert_string_equal(subjects(f, t), ""); /* R1096 */
}

static void messages_move_in_and_out(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_for(f, "tea", INBOX, 0), other = fixture_folder(f, SUBTREE, "other");
    uint64_t mid = fixture_message(f, other, "tea"), copy;
    bool partial;
    OK(store_messages_move(f->store, other, INBOX, &mid, 1, false, &mid, &partial));
    FOUND(fid, "tea"); /* R1095 */
    OK(store_messages_move(f->store, INBOX, INBOX, &mid, 1, true, &copy, &partial));
    FOUND(fid, "tea tea");
    OK(store_messages_move(f->store, INBOX, other, &mid, 1, false, &mid, &partial));
    FOUND(fid, "tea");
    OK(store_messages_delete(f->store, INBOX, &copy, 1, false, &partial));
    FOUND(fid, "");
}

static void unread_ones_are_counted(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_for(f, "tea", INBOX, 0), a = fixture_message(f, INBOX, "tea-1");
    bool partial;
    fixture_message(f, INBOX, "tea-2");
    assert_int_equal(fixture_row(f, fid).unread, 0);
    OK(store_set_read_flags(f->store, INBOX, &a, 1, 0x04, &partial));
    assert_int_equal(fixture_row(f, fid).unread, 1);
    OK(store_set_read_flags(f->store, INBOX, NULL, 0, 0x04, &partial));
    assert_int_equal(fixture_row(f, fid).unread, 2);
    OK(store_messages_delete(f->store, INBOX, &a, 1, true, &partial));
    assert_int_equal(fixture_row(f, fid).unread, 1);
    assert_int_equal(fixture_row(f, fid).total, 1);
}

static void a_search_for_unread_mail_empties_as_it_is_read(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_folder(f, "Unread"), inbox = INBOX;
    bool partial;
    OK(store_search_set(f->store, fid, &unread, &inbox, 1, RECURSIVE_SEARCH));
    const uint64_t a = fixture_message(f, INBOX, "a");
    fixture_message(f, INBOX, "b");
    FOUND(fid, "");
    OK(store_set_read_flags(f->store, INBOX, NULL, 0, 0x04, &partial));
    FOUND(fid, "a b");
    OK(store_set_read_flags(f->store, fid, &a, 1, 0, &partial)); /* through the search folder */
    FOUND(fid, "b");
    OK(store_set_read_flags(f->store, fid, NULL, 0, 0, &partial));
    FOUND(fid, "");
    assert_int_equal(fixture_row(f, INBOX).unread, 0);
}

/* All messages of a folder of so many, when they have been looked at. */
static uint64_t search_full(struct store_fixture *f, const char *name, uint64_t scope)
{
    const struct restriction r = contains(PidTagNormalizedSubject, "filled");
    const uint64_t fid = search_folder(f, name);
    OK(store_search_set(f->store, fid, &r, &scope, 1, 0));
    return fid;
}

static void emptying_a_large_folder_empties_its_results(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t big = fixture_full_folder(f, "big", 1001), fid = search_full(f, "search", big);
    finish(f);
    assert_int_equal(fixture_row(f, fid).total, 1001);
    assert_int_equal(fixture_row(f, fid).unread, 1001);
    struct store_table *t = table_of(f, fid);
    uint32_t numerator, denominator;
    bool partial;
    OK(store_folder_empty(f->store, big, STORE_MESSAGES, &partial));
    OK(store_table_position(t, &numerator, &denominator));
    assert_int_equal(denominator, 0);
    assert_int_equal(fixture_row(f, fid).total, 0);
    finish(f);
    assert_int_equal(state_of(f, fid) & SEARCH_RUNNING, 0);
}

static void a_static_search_stays_as_it_was_found(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t a = fixture_message(f, INBOX, "tea-1"), b = fixture_message(f, INBOX, "tea-2");
    const uint64_t fid = search_for(f, "tea", INBOX, STATIC_SEARCH);
    bool partial;
    fixture_message(f, INBOX, "tea-3");
    FOUND(fid, "tea-1 tea-2"); /* R784, R1084, R1093, R549 */
    OK(store_messages_delete(f->store, INBOX, &a, 1, false, &partial));
    FOUND(fid, "tea-1 tea-2"); /* R1094 */
    OK(store_messages_delete(f->store, INBOX, &b, 1, true, &partial));
    FOUND(fid, "tea-1"); /* there is nothing left to show */
    OK(store_search_set(f->store, fid, NULL, NULL, 0, RESTART_SEARCH | STATIC_SEARCH));
    FOUND(fid, "tea-3"); /* R551, R767 */
}

/* ---- in steps ---- */

static void a_large_search_goes_on_after_a_restart(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t big = fixture_full_folder(f, "big", 3000), fid = search_full(f, "search", big);
    assert_int_equal(state_of(f, fid) & (SEARCH_RUNNING | SEARCH_REBUILD | SEARCH_COMPLETE),
                     SEARCH_RUNNING | SEARCH_REBUILD); /* R785, R786, R788, R526 */
    assert_in_range(fixture_row(f, fid).total, 1, 2999);
    assert_null(fixture_heard(f, STORE_SEARCH_COMPLETE, fid, 0));
    fixture_message(f, big, "a late one that was filled");
    fixture_reopen(f);
    finish(f);
    assert_int_equal(fixture_row(f, fid).total, 3001);
    assert_int_equal(state_of(f, fid) & (SEARCH_RUNNING | SEARCH_COMPLETE), SEARCH_COMPLETE);
}

static void the_end_of_a_search_is_told_once(void **state)
{
    struct store_fixture *f = *state;
    fixture_forget(f);
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    assert_non_null(fixture_heard(f, STORE_SEARCH_COMPLETE, fid, 0)); /* MS-OXCNOTIF_R17 */
    fixture_forget(f);
    fixture_message(f, INBOX, "tea");
    finish(f);
    assert_null(fixture_heard(f, STORE_SEARCH_COMPLETE, fid, 0));
}

static void a_search_that_is_stopped_keeps_what_it_has(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t big = fixture_full_folder(f, "big", 3000), fid = search_full(f, "search", big);
    OK(store_search_set(f->store, fid, NULL, NULL, 0, STOP_SEARCH));
    const uint32_t total = fixture_row(f, fid).total;
    finish(f);
    assert_in_range(total, 1, 2999);
    assert_int_equal(fixture_row(f, fid).total, total); /* R673, R54301 */
    fixture_message(f, big, "filled");
    assert_int_equal(fixture_row(f, fid).total, total + 1); /* R1099 */
    OK(store_search_set(f->store, fid, NULL, NULL, 0, RESTART_SEARCH));
    finish(f);
    assert_int_equal(fixture_row(f, fid).total, 3001); /* R546, R768 */
}

struct waiting {
    pthread_mutex_t lock;
    pthread_cond_t heard;
    bool complete;
};

static void hear_complete(void *arg, struct store *st, const struct store_change *changes, size_t count)
{
    struct waiting *w = arg;
    (void)st;
    pthread_mutex_lock(&w->lock);
    for (size_t i = 0; i < count; i++)
        w->complete |= changes[i].kind == STORE_SEARCH_COMPLETE;
    pthread_cond_signal(&w->heard);
    pthread_mutex_unlock(&w->lock);
}

static void the_background_finishes_what_the_request_has_begun(void **state)
{
    struct store_fixture *f = *state;
    struct waiting w = { .lock = PTHREAD_MUTEX_INITIALIZER, .heard = PTHREAD_COND_INITIALIZER };
    const uint64_t big = fixture_full_folder(f, "big", 3000);
    f->also = hear_complete;
    f->also_arg = &w;
    const uint64_t fid = search_full(f, "search", big);
    store_unlock(f->store);
    pthread_mutex_lock(&w.lock);
    while (!w.complete)
        pthread_cond_wait(&w.heard, &w.lock);
    pthread_mutex_unlock(&w.lock);
    store_lock(f->store);
    f->also = NULL;
    assert_int_equal(fixture_row(f, fid).total, 3000);
}

/* ---- through the search folder ---- */

static void a_result_is_the_message_itself(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t mid = fixture_message(f, INBOX, "tea"), fid = search_for(f, "tea", INBOX, 0);
    struct store_message *m = fixture_open(f, fid, mid);
    assert_int_equal(store_message_fid(m), INBOX);
    OK(fixture_set(m, P_STR(PidTagSubject, "more tea")));
    uint64_t saved;
    OK(store_message_save(m, false, &saved));
    FOUND(fid, "more tea");
    FOUND(INBOX, "more tea");
    uint32_t before;
    OK(store_message_status(f->store, fid, mid, 0x2, 0x2, &before));
    const uint64_t stranger = fixture_message(f, INBOX, "rum");
    EC(store_message_open(&m, f->arena, f->store, fid, stranger, MESSAGE_READONLY), ecNotFound);
}

static void rows_tell_the_real_folder(void **state)
{
    struct store_fixture *f = *state;
    fixture_message(f, INBOX, "tea");
    struct store_table *t = table_of(f, search_for(f, "tea", INBOX, 0));
    struct props *rows;
    uint32_t count;
    OK(store_table_query(f->arena, t, true, 10, false, NULL, NULL, &rows, &count));
    assert_int_equal(count, 1);
    assert_int_equal(rows[0].values[2].u64, INBOX);
    assert_true(blob_equal(rows[0].values[3].bin, store_folder_entry_id(f->arena, f->store, INBOX))); /* R1172 */
}

static void deleting_a_result_deletes_the_message(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t other = fixture_folder(f, INBOX, "other");
    uint64_t mids[] = { fixture_message(f, INBOX, "tea-1"), fixture_message(f, other, "tea-2"),
                        fixture_message(f, INBOX, "tea-3"), fixture_message(f, INBOX, "rum") };
    const uint64_t fid = search_for(f, "tea", INBOX, RECURSIVE_SEARCH);
    bool partial;
    OK(store_messages_delete(f->store, fid, mids, 4, false, &partial));
    assert_true(partial); /* the last one is none of the results */
    FOUND(fid, "");
    FOUND(INBOX, "rum");
    FOUND(other, "");
}

static void results_can_be_moved_but_nothing_moves_in(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t other = fixture_folder(f, SUBTREE, "other");
    uint64_t mids[] = { fixture_message(f, INBOX, "tea-1"), fixture_message(f, INBOX, "tea-2") }, moved[2];
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    bool partial;
    OK(store_messages_move(f->store, fid, other, mids, 2, false, moved, &partial)); /* R1216, R121701, R121702 */
    assert_false(partial);
    FOUND(other, "tea-1 tea-2");
    FOUND(fid, "");
    EC(store_messages_move(f->store, other, fid, moved, 2, true, NULL, &partial), ecSearchFolder);  /* R1245, R1246 */
    EC(store_messages_move(f->store, other, fid, moved, 2, false, NULL, &partial), ecSearchFolder); /* R121801 */
    FOUND(other, "tea-1 tea-2");
}

static void a_search_folder_receives_no_mail(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = search_folder(f, "new");
    EC(store_set_receive_folder(f->store, "IPM.Note", fid), ecAccessDenied);
    bool partial;
    EC(store_folder_empty(f->store, fid, STORE_MESSAGES, &partial), ecNotSupported); /* R124901 */
}

static void a_search_folder_goes_without_its_messages(void **state)
{
    struct store_fixture *f = *state;
    fixture_message(f, INBOX, "tea");
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    bool partial;
    OK(store_folder_delete(f->store, STORE_FID(SPECIAL_SEARCH), fid, 0, &partial));
    assert_false(partial);
    FOUND(INBOX, "tea"); /* R416, R417 */
    fixture_message(f, INBOX, "more tea");
    assert_int_equal(fixture_rows(f, "result"), 0);
    assert_int_equal(fixture_rows(f, "search_scope"), 0);
}

static void a_copy_searches_for_itself(void **state)
{
    struct store_fixture *f = *state;
    fixture_message(f, INBOX, "tea");
    const uint64_t fid = search_for(f, "tea", INBOX, 0);
    OK(store_folder_copy(f->store, STORE_FID(SPECIAL_SEARCH), fid, SUBTREE, "copy", false));
    finish(f);
    assert_int_equal(fixture_rows(f, "result"), 2);
}

static int64_t rows_of(struct store_fixture *f, int64_t mb)
{
    static const char rows_sql[] =
        "SELECT (SELECT COUNT(*) FROM search WHERE mb = $1) + (SELECT COUNT(*) FROM search_scope WHERE mb = $1)"
        " + (SELECT COUNT(*) FROM result WHERE mb = $1) + (SELECT COUNT(*) FROM per_user WHERE mb = $1)";
    struct store_tx tx = store_read(f->store);
    const int64_t rows = sql_int(&tx.sql, rows_sql, BIND(B_INT(mb)));
    OK(store_end(&tx));
    return rows;
}

static void a_mailbox_that_is_removed_leaves_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct store_identity bob = *store_identity(f->store);
    struct store *alice = f->store, *other;
    bob.mailbox = guid_random();
    OK(store_create(f->url, &bob));
    OK(store_get(f->pool, f->url, bob.mailbox, &other));
    store_lock(other);
    f->store = other;
    fixture_message(f, INBOX, "tea");
    search_for(f, "tea", INBOX, 0);
    OK(store_per_user_write(other, &(struct LongTermId){ .GlobalCounter = { 1 } }, bob.mailbox, BLOB_OF(NULL, 0)));
    const int64_t mb = other->mb;
    assert_int_equal(rows_of(f, mb), 4);
    f->store = alice;
    store_unlock(other);
    store_put(other);
    store_pool_forget(f->pool, bob.mailbox);
    OK(store_remove(f->url, bob.mailbox));
    if (!f->is_sqlite) /* where its file is gone */
        assert_int_equal(rows_of(f, mb), 0);
}

/* ---- what can be searched for ---- */

static uint64_t rich_message(struct store_fixture *f)
{
    struct store_message *m;
    struct store_attachment *a;
    uint32_t number;
    uint64_t mid;
    enum ec result;
    struct prop who[] = { P_STR(PidTagDisplayName, "Bob Example"), P_STR(PidTagSmtpAddress, "bob@contoso.com") };
    const struct store_recipient bob = { 0, 1, { COUNTOF(who), who } };
    const struct prop file = P_STR(PidTagAttachLongFilename, "report.pdf");
    OK(store_message_new(&m, f->arena, f->store, INBOX, false));
    OK(fixture_set(m, P_STR(PidTagSubject, "rich")));
    OK(fixture_set(m, P_STR(PidTagBody, "the quick brown fox")));
    OK(store_recipient_put(m, &bob));
    OK(store_attachment_new(&a, f->arena, m, &number));
    OK(store_attachment_set(a, &file, 1, &result));
    OK(store_attachment_save(a));
    OK(store_message_save(m, false, &mid));
    return mid;
}

static void bodies_recipients_and_attachments_are_searched(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t inbox = INBOX;
    const struct restriction bob = contains(PidTagDisplayName, "BOB"), pdf = contains(PidTagAttachLongFilename, ".pdf");
    const struct restriction searches[] = {
        contains(PidTagBody, "Brown"),
        { .type = RES_SUBOBJECT, .tag = PidTagMessageRecipients, .count = 1, .sub = &bob },
        { .type = RES_SUBOBJECT, .tag = PidTagMessageAttachments, .count = 1, .sub = &pdf },
        { .type = RES_EXIST, .tag = PidTagBody },
        { .type = RES_SIZE, .relop = RELOP_GT, .tag = PidTagBody, .number = 10 },
    };
    uint64_t fids[COUNTOF(searches)];
    for (size_t i = 0; i < COUNTOF(searches); i++) {
        fids[i] = search_folder(f, talloc_asprintf(f->arena, "%zu", i));
        OK(store_search_set(f->store, fids[i], &searches[i], &inbox, 1, 0));
    }
    fixture_message(f, INBOX, "plain");
    rich_message(f);
    for (size_t i = 0; i < COUNTOF(searches); i++)
        FOUND(fids[i], "rich");
    for (size_t i = 0; i < COUNTOF(searches); i++)
        OK(store_search_set(f->store, fids[i], NULL, NULL, 0, RESTART_SEARCH));
    for (size_t i = 0; i < COUNTOF(searches); i++)
        FOUND(fids[i], "rich");
}

/* ---- tables ---- */

static void events_tell_of_rows_in_the_search_folder(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t first = fixture_message(f, INBOX, "tea-1"), fid = search_for(f, "tea", INBOX, 0);
    struct store_table *t = table_of(f, fid);
    found(f, fid);
    fixture_forget(f);
    const uint64_t mid = fixture_message(f, INBOX, "tea-2");
    struct table_event e;
    assert_true(store_table_event(f->arena, t, fixture_heard(f, STORE_CREATED, fid, mid), &e));
    assert_int_equal(e.type, TABLE_ROW_ADDED);
    assert_int_equal(e.fid, INBOX);
    assert_int_equal(e.mid, mid);
    assert_int_equal(e.after_mid, first);
    assert_int_equal(e.after_fid, INBOX);
    assert_false(store_table_event(f->arena, t, fixture_heard(f, STORE_CREATED, INBOX, mid), &e));
}

/* A page of many results costs what a page of few costs. */
static void a_page_costs_the_same_however_many_results_there_are(void **state)
{
    struct store_fixture *f = *state;
    uint64_t cost[2];
    for (unsigned i = 0; i < 2; i++) {
        const char *name = talloc_asprintf(f->arena, "%u", i);
        const uint64_t fid = search_full(f, name, fixture_full_folder(f, name, i ? 5000 : 200));
        finish(f);
        struct store_table *t = table_of(f, fid);
        struct props *rows;
        uint32_t count;
        int32_t moved;
        const uint64_t before = sql_statements_of(f->store->db);
        OK(store_table_seek(t, BOOKMARK_BEGINNING, 50, &moved));
        OK(store_table_query(f->arena, t, true, 50, false, NULL, NULL, &rows, &count));
        assert_int_equal(count, 50);
        cost[i] = sql_statements_of(f->store->db) - before;
        assert_null(t->list); /* nothing is kept */
    }
    assert_int_equal(cost[0], cost[1]);
}

/* What a change costs does not grow with the searches that look elsewhere. */
static void a_change_is_tested_against_the_searches_around_it_alone(void **state)
{
    struct store_fixture *f = *state;
    uint64_t cost[2];
    const uint64_t other = fixture_folder(f, SUBTREE, "other");
    search_for(f, "tea", INBOX, 0);
    fixture_message(f, INBOX, "tea"); /* the folder has ids for some more now */
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned k = 0; i && k < 20; k++)
            search_for(f, talloc_asprintf(f->arena, "tea %u", k), other, 0);
        const uint64_t before = sql_statements_of(f->store->db);
        fixture_message(f, INBOX, "tea");
        cost[i] = sql_statements_of(f->store->db) - before;
    }
    assert_int_equal(cost[0], cost[1]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_folder_shows_what_matches),
        cmocka_unit_test(what_was_not_set_cannot_be_asked_for),
        cmocka_unit_test(only_search_folders_search),
        cmocka_unit_test(flags_that_contradict_each_other_are_refused),
        cmocka_unit_test(a_search_folder_is_in_no_scope),
        cmocka_unit_test(too_much_is_too_complex),
        cmocka_unit_test(criteria_can_be_asked_for),
        cmocka_unit_test(what_is_left_out_is_as_before),
        cmocka_unit_test(a_recursive_search_looks_below),
        cmocka_unit_test(folders_that_come_and_go_change_the_scope),
        cmocka_unit_test(a_folder_that_is_deleted_takes_its_results_with_it),
        cmocka_unit_test(mail_that_arrives_is_found),
        cmocka_unit_test(messages_start_and_cease_to_match),
        cmocka_unit_test(messages_move_in_and_out),
        cmocka_unit_test(unread_ones_are_counted),
        cmocka_unit_test(a_search_for_unread_mail_empties_as_it_is_read),
        cmocka_unit_test(emptying_a_large_folder_empties_its_results),
        cmocka_unit_test(a_static_search_stays_as_it_was_found),
        cmocka_unit_test(a_large_search_goes_on_after_a_restart),
        cmocka_unit_test(the_end_of_a_search_is_told_once),
        cmocka_unit_test(a_search_that_is_stopped_keeps_what_it_has),
        cmocka_unit_test(the_background_finishes_what_the_request_has_begun),
        cmocka_unit_test(a_result_is_the_message_itself),
        cmocka_unit_test(rows_tell_the_real_folder),
        cmocka_unit_test(deleting_a_result_deletes_the_message),
        cmocka_unit_test(results_can_be_moved_but_nothing_moves_in),
        cmocka_unit_test(a_search_folder_receives_no_mail),
        cmocka_unit_test(a_search_folder_goes_without_its_messages),
        cmocka_unit_test(a_copy_searches_for_itself),
        cmocka_unit_test(a_mailbox_that_is_removed_leaves_nothing),
        cmocka_unit_test(bodies_recipients_and_attachments_are_searched),
        cmocka_unit_test(events_tell_of_rows_in_the_search_folder),
        cmocka_unit_test(a_page_costs_the_same_however_many_results_there_are),
        cmocka_unit_test(a_change_is_tested_against_the_searches_around_it_alone),
    };
    return store_fixture_run("search folders", tests, COUNTOF(tests));
}
