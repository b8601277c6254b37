/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCTABL] 3.2.5 as a client meets it. */
#include "rop/fixture.h"

static const uint32_t columns[] = { PidTagSubject, PidTagMid };
enum { ROWS = 6 };
static const char *const subjects[ROWS] = { "delta", "alpha", "foxtrot", "bravo", "echo", "charlie" };

struct table {
    struct rop_fixture *f;
    uint32_t folder, handle;
    uint64_t mids[ROWS];
};

static uint32_t contents(struct rop_fixture *f, uint32_t folder)
{
    const struct rop_done done = RUN(f, GetContentsTable, folder);
    CODE(done, ecNone);
    return done.handle;
}

static struct table six(struct rop_fixture *f)
{
    struct table t = { .f = f, .folder = rop_folder(f, STORE_FID(SPECIAL_INBOX)) };
    for (unsigned i = 0; i < ROWS; i++)
        t.mids[i] = rop_message(f, STORE_FID(SPECIAL_INBOX), subjects[i]);
    t.handle = contents(f, t.folder);
    return t;
}

static struct rop_done set_columns(const struct table *t)
{
    return RUN(t->f, SetColumns, t->handle, .PropertyTagCount = COUNTOF(columns), .PropertyTags = columns);
}

static struct rop_done sort(const struct table *t)
{
    const struct SortOrder order = { .PropertyTag = PidTagSubject };
    return RUN(t->f, SortTable, t->handle, .SortOrderCount = 1, .SortOrders = &order);
}

/* Six messages by subject, with columns. */
static struct table sorted(struct rop_fixture *f)
{
    const struct table t = six(f);
    CODE(set_columns(&t), ecNone);
    CODE(sort(&t), ecNone);
    return t;
}

static const struct RopQueryRowsResponse *query(const struct table *t, bool forward, uint16_t count, uint8_t flags)
{
    const struct rop_done done = RUN_ROWS(t->f, QueryRows, t->handle, columns, .QueryRowsFlags = flags,
                                          .ForwardRead = forward, .RowCount = count);
    CODE(done, ecNone);
    return done.response;
}

/* The subjects' first letters. */
static void expect(const struct table *t, bool forward, uint16_t count, const char *letters, uint8_t origin)
{
    const struct RopQueryRowsResponse *r = query(t, forward, count, 0);
    char *got = talloc_strdup(t->f->arena, "");
    for (unsigned i = 0; i < r->RowCount; i++)
        got = talloc_strndup_append(got, r->RowData[i].values[0].str, 1);
    assert_string_equal(got, letters);
    assert_int_equal(r->Origin, origin);
}

static void expect_position(const struct table *t, uint32_t numerator, uint32_t denominator)
{
    const struct rop_done done = RUN(t->f, QueryPosition, t->handle);
    CODE(done, ecNone);
    const struct RopQueryPositionResponse *r = done.response;
    assert_int_equal(r->Numerator, numerator);
    assert_int_equal(r->Denominator, denominator);
}

static struct rop_done seek(const struct table *t, uint8_t origin, int32_t rows)
{
    return RUN(t->f, SeekRow, t->handle, .Origin = origin, .RowCount = rows, .WantRowMovedCount = true);
}

static const struct restriction *subject_begins(struct rop_fixture *f, const char *letter)
{
    struct restriction *r = talloc_zero(f->arena, struct restriction);
    *r = (struct restriction){ .type = RES_CONTENT,
                               .fuzzy_low = FL_PREFIX,
                               .fuzzy_high = FL_IGNORECASE,
                               .tag = PidTagSubject,
                               .value = P_STR(PidTagSubject, letter) };
    return r;
}

static const struct restriction *subject_after(struct rop_fixture *f, const char *text)
{
    struct restriction *r = talloc_zero(f->arena, struct restriction);
    *r = (struct restriction){
        .type = RES_PROPERTY, .relop = RELOP_GT, .tag = PidTagSubject, .value = P_STR(PidTagSubject, text)
    };
    return r;
}

/* ---- columns ---- */

static void before_the_columns_nothing_can_be_read(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = six(f);
    const struct restriction *any = subject_begins(f, "a");
    CODE(RUN(f, QueryRows, t.handle, .ForwardRead = true, .RowCount = 1), ecNullObject);                   /* R768 */
    CODE(RUN(f, FindRow, t.handle, .RestrictionData = any), ecNullObject);                                 /* R827 */
    CODE(RUN(f, FreeBookmark, t.handle, .BookmarkSize = 4, .Bookmark = BLOB_OF("abcd", 4)), ecNullObject); /* R8274 */
    CODE(RUN(f, SeekRowBookmark, t.handle, .BookmarkSize = 4, .Bookmark = BLOB_OF("abcd", 4)),
         ecNullObject); /* R8276 */
    CODE(set_columns(&t), ecNone);
    CODE(RUN_ROWS(f, QueryRows, t.handle, columns, .ForwardRead = true, .RowCount = 1), ecNone);
}

static void columns_without_a_type_are_refused(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = six(f);
    const uint32_t wrong[] = { PROP_AS(PidTagSubject, PtypUnspecified), PROP_AS(PidTagSubject, PtypErrorCode),
                               PROP_AS(PidTagSubject, 0x0099) };
    for (size_t i = 0; i < COUNTOF(wrong); i++)
        CODE(RUN(f, SetColumns, t.handle, .PropertyTagCount = 1, .PropertyTags = &wrong[i]), ecInvalidParam); /* R435 */
    CODE(RUN(f, SetColumns, t.handle, .PropertyTagCount = 0), ecInvalidParam);
    CODE(RUN(f, SetColumns, t.folder, .PropertyTagCount = 1, .PropertyTags = columns), ecNotSupported); /* R436 */
}

static void rows_have_the_columns_that_were_set_last(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    const uint32_t others[] = { PidTagMid, PidTagMessageClass, PidTagAccount };
    CODE(RUN(f, SetColumns, t.handle, .SetColumnsFlags = 1, .PropertyTagCount = 3, .PropertyTags = others), ecNone);
    const struct rop_done done = RUN_ROWS(f, QueryRows, t.handle, others, .ForwardRead = true, .RowCount = 1);
    CODE(done, ecNone);
    const struct prop *v = ((const struct RopQueryRowsResponse *)done.response)->RowData[0].values;
    assert_int_equal(v[0].u64, t.mids[1]); /* R427, R472 */
    assert_string_equal(v[1].str, "IPM.Note");
    assert_int_equal(v[2].tag, PROP_AS(others[2], PtypErrorCode));
    assert_int_equal(v[2].u32, (uint32_t)ecNotFound);
}

static void all_columns_of_a_table_can_be_asked_for(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = six(f);
    const struct rop_done done = RUN(f, QueryColumnsAll, t.handle); /* R876 */
    CODE(done, ecNone);
    const struct RopQueryColumnsAllResponse *r = done.response;
    unsigned found = 0;
    for (unsigned i = 0; i < r->PropertyTagCount; i++)
        found += r->PropertyTags[i] == PidTagSubject || r->PropertyTags[i] == PidTagMid;
    assert_int_equal(found, 2);
}

/* ---- rows and position ---- */

static void rows_come_in_order_from_the_cursor_on(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    expect_position(&t, 0, 6);                     /* R491 */
    expect(&t, true, 4, "abcd", BOOKMARK_CURRENT); /* R462, R463, R726 */
    expect_position(&t, 4, 6);
    expect(&t, true, 9, "ef", BOOKMARK_END); /* R725 */
    expect(&t, true, 9, "", BOOKMARK_END);   /* R467 */
}

/* As they are met: so a page that ends early has those next to the cursor. */
static void rows_are_read_backwards_from_the_cursor_on(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    CODE(seek(&t, BOOKMARK_END, 0), ecNone);
    expect(&t, false, 2, "fe", BOOKMARK_CURRENT); /* R469 */
    expect_position(&t, 4, 6);
    expect(&t, false, 9, "dcba", BOOKMARK_BEGINNING); /* R784 */
}

static void NoAdvance_leaves_the_cursor(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    assert_int_equal(query(&t, true, 3, 0x01)->RowCount, 3);
    expect_position(&t, 0, 6); /* R470 */
    expect(&t, true, 1, "a", BOOKMARK_CURRENT);
}

static void a_seek_that_ends_early_says_how_far_it_came(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    const struct {
        uint8_t origin;
        int32_t rows, moved;
        uint32_t at;
    } seeks[] = {
        { BOOKMARK_BEGINNING, 4, 4, 4 },    { BOOKMARK_CURRENT, -1, -1, 3 }, { BOOKMARK_CURRENT, 9, 3, 6 },
        { BOOKMARK_END, -2, -2, 4 },        { BOOKMARK_CURRENT, -9, -4, 0 }, { BOOKMARK_BEGINNING, INT32_MAX, 6, 6 },
        { BOOKMARK_END, INT32_MIN, -6, 0 },
    };
    for (size_t i = 0; i < COUNTOF(seeks); i++) {
        const struct rop_done done = seek(&t, seeks[i].origin, seeks[i].rows);
        CODE(done, ecNone);
        const struct RopSeekRowResponse *r = done.response;
        assert_int_equal(r->RowsSought, seeks[i].moved); /* R497 */
        assert_int_equal(r->HasSoughtLess, seeks[i].moved != seeks[i].rows);
        expect_position(&t, seeks[i].at, 6); /* R496 */
    }
    CODE(seek(&t, 3, 0), ecInvalidParam);
    CODE(RUN(f, SeekRow, t.folder, .Origin = 0), ecNotSupported); /* R502 */
}

static void a_fraction_leads_to_its_place(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    CODE(RUN(f, SeekRowFractional, t.handle, .Numerator = 1, .Denominator = 2), ecNone); /* R855 */
    expect_position(&t, 3, 6);
    CODE(RUN(f, SeekRowFractional, t.handle, .Numerator = 0, .Denominator = 7), ecNone);
    expect_position(&t, 0, 6); /* R514 */
    CODE(RUN(f, SeekRowFractional, t.handle, .Numerator = 9, .Denominator = 7), ecNone);
    expect_position(&t, 6, 6); /* R515 */
    CODE(RUN(f, SeekRowFractional, t.handle, .Numerator = 0xFFFFFFFF, .Denominator = 0xFFFFFFFF), ecNone);
    CODE(RUN(f, SeekRowFractional, t.handle, .Numerator = 1, .Denominator = 0), ecInvalidBookmark);
}

static void only_whole_rows_are_sent_and_one_that_does_not_fit_is_ecBufferTooSmall(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t wide[] = { PidTagSubject, PidTagSubject, PidTagSubject, PidTagSubject };
    char *subject = talloc_zero_size(f->arena, 400);
    memset(subject, 'w', 399);
    for (unsigned i = 0; i < 20; i++)
        rop_message(f, STORE_FID(SPECIAL_INBOX), subject);
    const uint32_t table = contents(f, rop_folder(f, STORE_FID(SPECIAL_INBOX)));
    CODE(RUN(f, SetColumns, table, .PropertyTagCount = 4, .PropertyTags = wide), ecNone);
    f->out_max = 10000;
    const struct rop_done done = RUN_ROWS(f, QueryRows, table, wide, .ForwardRead = true, .RowCount = 20);
    CODE(done, ecNone);
    const struct RopQueryRowsResponse *r = done.response;
    assert_in_range(r->RowCount, 2, 9); /* R464, R465 */
    assert_int_equal(r->Origin, BOOKMARK_CURRENT);
    assert_in_range(strlen(r->RowData[0].values[0].str), 200, 255); /* cut to 510 bytes */
    f->out_max = 1000;
    CODE(RUN(f, QueryRows, table, .ForwardRead = true, .RowCount = 20), ecBufferTooSmall); /* R466, R478 */
}

/* ---- order and restriction ---- */

static void a_new_order_replaces_the_old_and_goes_back_to_the_beginning(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    expect(&t, true, 3, "abc", BOOKMARK_CURRENT);
    const struct SortOrder down = { .PropertyTag = PidTagSubject, .Order = 1 };
    const struct rop_done done =
        RUN(f, SortTable, t.handle, .SortTableFlags = 1, .SortOrderCount = 1, .SortOrders = &down);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopSortTableResponse *)done.response)->TableStatus, 0); /* R772 */
    expect(&t, true, 9, "fedcba", BOOKMARK_END);                                            /* R438, R439 */
}

static void categories_expand_collapse_and_come_back(void **state)
{
    static const uint32_t shown[] = { PidTagInstID, PidTagRowType, PidTagSubject };
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    const struct SortOrder order = { .PropertyTag = PidTagSubject };
    CODE(RUN(f, SortTable, t.handle, .SortOrderCount = 1, .CategoryCount = 2, .SortOrders = &order), ecInvalidParam);
    CODE(RUN(f, SortTable, t.handle, .SortOrderCount = 1, .ExpandedCount = 1, .SortOrders = &order), ecInvalidParam);
    expect(&t, true, 9, "abcdef", BOOKMARK_END);
    CODE(RUN(f, SortTable, t.handle, .SortOrderCount = 1, .CategoryCount = 1, .SortOrders = &order), ecNone);
    CODE(RUN(f, SetColumns, t.handle, .PropertyTagCount = 3, .PropertyTags = shown), ecNone);
    struct rop_done done = RUN_ROWS(f, QueryRows, t.handle, shown, .ForwardRead = true, .RowCount = 20);
    const struct RopQueryRowsResponse *headers = done.response;
    assert_int_equal(headers->RowCount, 6);
    assert_int_equal(headers->RowData[1].values[1].u32, 4); /* R18 */
    assert_string_equal(headers->RowData[1].values[2].str, "bravo");
    const uint64_t b = headers->RowData[1].values[0].u64;

    CODE(RUN(f, CollapseRow, t.handle, .CategoryId = b), ecNotExpanded); /* R577 */
    done = RUN_ROWS(f, ExpandRow, t.handle, shown, .CategoryId = b, .MaxRowCount = 5);
    CODE(done, ecNone); /* R567, R568 */
    const struct RopExpandRowResponse *expanded = done.response;
    assert_int_equal(expanded->ExpandedRowCount, 1); /* R278 */
    assert_int_equal(expanded->RowCount, 1);         /* R279, R814, R825 */
    assert_int_equal(expanded->RowData[0].values[1].u32, 1);
    CODE(RUN_ROWS(f, ExpandRow, t.handle, shown, .CategoryId = b), ecNotCollapsed); /* R571 */
    CODE(RUN_ROWS(f, ExpandRow, t.handle, shown, .CategoryId = 1), ecNotFound);     /* R570 */

    done = RUN(f, GetCollapseState, t.handle, .RowId = b);
    CODE(done, ecNone); /* R579, R582 */
    const struct RopGetCollapseStateResponse *saved = done.response;
    const struct blob state_of = blob_copy(f->arena, saved->CollapseState);
    done = RUN(f, CollapseRow, t.handle, .CategoryId = b);
    CODE(done, ecNone);                                                                             /* R573, R574 */
    assert_int_equal(((const struct RopCollapseRowResponse *)done.response)->CollapsedRowCount, 1); /* R287 */
    CODE(RUN(f, CollapseRow, t.handle, .CategoryId = 1), ecNotFound);                               /* R576 */
    done = RUN(f, SetCollapseState, t.handle, .CollapseStateSize = (uint16_t)state_of.size, .CollapseState = state_of);
    CODE(done, ecNone); /* R289, R304, R585, R588 */
    const struct RopSetCollapseStateResponse *set = done.response;
    CODE(RUN(f, FreeBookmark, t.handle, .BookmarkSize = set->BookmarkSize, .Bookmark = set->Bookmark),
         ecNone); /* R310, R314 */
    done = RUN_ROWS(f, QueryRows, t.handle, shown, .ForwardRead = true, .RowCount = 20);
    assert_int_equal(((const struct RopQueryRowsResponse *)done.response)->RowCount, 6); /* R587: from b on */
}

static void only_contents_tables_have_categories(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t folder = rop_folder(f, STORE_FID(SPECIAL_INBOX));
    const uint32_t hierarchy = RUN(f, GetHierarchyTable, folder).handle;
    CODE(RUN(f, ExpandRow, hierarchy), ecNotSupported);        /* R572, R274 */
    CODE(RUN(f, CollapseRow, hierarchy), ecNotSupported);      /* R578, R284 */
    CODE(RUN(f, GetCollapseState, hierarchy), ecNotSupported); /* R584, R290 */
    CODE(RUN(f, SetCollapseState, hierarchy), ecNotSupported); /* R590, R306 */
    const uint32_t contents = RUN(f, GetContentsTable, folder).handle;
    CODE(RUN(f, ExpandRow, contents), ecNullObject);        /* R8263, R8273 */
    CODE(RUN(f, CollapseRow, contents), ecNullObject);      /* R8261, R8271 */
    CODE(RUN(f, GetCollapseState, contents), ecNullObject); /* R8265, R8275 */
    CODE(RUN(f, SetCollapseState, contents), ecNullObject); /* R8267, R8277 */
}

static void a_restricted_table_has_only_the_rows_that_match(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    expect(&t, true, 2, "ab", BOOKMARK_CURRENT);
    const struct rop_done done =
        RUN(f, Restrict, t.handle, .RestrictFlags = 1, .RestrictionData = subject_after(f, "bravo"));
    CODE(done, ecNone);
    assert_int_equal(((const struct RopRestrictResponse *)done.response)->TableStatus, 0); /* R774 */
    expect_position(&t, 0, 4);                                                             /* R452, R453 */
    expect(&t, true, 9, "cdef", BOOKMARK_END);
    CODE(RUN(f, Restrict, t.handle, .RestrictFlags = 0), ecNone);
    expect(&t, true, 9, "abcdef", BOOKMARK_END); /* R454 */
}

static void what_a_kind_of_table_does_not_do_is_ecNotSupported(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t hierarchy = RUN(f, GetHierarchyTable, rop_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE))).handle;
    const uint32_t message =
        rop_open_message(f, STORE_FID(SPECIAL_INBOX), rop_message(f, STORE_FID(SPECIAL_INBOX), "m"), 1);
    const uint32_t attachments = RUN(f, GetAttachmentTable, message).handle;
    const struct SortOrder order = { .PropertyTag = PidTagDisplayName };
    CODE(RUN(f, SortTable, hierarchy, .SortOrderCount = 1, .SortOrders = &order), ecNotSupported); /* R450 */
    CODE(RUN(f, Restrict, attachments), ecNotSupported);                                           /* R461 */
    CODE(RUN(f, CreateBookmark, attachments), ecNotSupported);                                     /* R529 */
    CODE(RUN(f, SeekRowBookmark, attachments), ecNotSupported);                                    /* R512 */
    CODE(RUN(f, FreeBookmark, attachments), ecNotSupported);
    CODE(RUN(f, QueryColumnsAll, attachments), ecNone); /* R531 */
}

static void nothing_runs_that_could_be_aborted(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    CODE(RUN(f, Abort, t.handle), ecUnableToAbort); /* R485 */
    const struct rop_done done = RUN(f, GetStatus, t.handle);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopGetStatusResponse *)done.response)->TableStatus, 0); /* R488 */
}

static void a_reset_table_is_as_new(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    CODE(RUN(f, Restrict, t.handle, .RestrictionData = subject_begins(f, "a")), ecNone);
    CODE(RUN(f, ResetTable, t.handle), ecNone);
    CODE(RUN(f, QueryRows, t.handle, .ForwardRead = true, .RowCount = 1), ecNullObject); /* R554 */
    CODE(set_columns(&t), ecNone);
    expect_position(&t, 0, 6); /* R556, R561 */
}

/* ---- bookmarks ---- */

static struct blob bookmark(const struct table *t)
{
    const struct rop_done done = RUN(t->f, CreateBookmark, t->handle);
    CODE(done, ecNone);
    const struct RopCreateBookmarkResponse *r = done.response;
    assert_int_equal(r->BookmarkSize, r->Bookmark.size);
    return r->Bookmark;
}

static struct rop_done seek_bookmark(const struct table *t, struct blob b, int32_t rows)
{
    return RUN(t->f, SeekRowBookmark, t->handle, .BookmarkSize = (uint16_t)b.size, .Bookmark = b, .RowCount = rows,
               .WantRowMovedCount = true);
}

static void a_bookmark_leads_back_to_its_row(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    CODE(seek(&t, BOOKMARK_BEGINNING, 2), ecNone);
    const struct blob charlie = bookmark(&t);
    CODE(seek(&t, BOOKMARK_END, 0), ecNone);
    CODE(seek_bookmark(&t, charlie, 0), ecNone); /* R503, R522 */
    expect(&t, true, 1, "c", BOOKMARK_CURRENT);
    const struct rop_done done = seek_bookmark(&t, charlie, 9); /* R504 */
    const struct RopSeekRowBookmarkResponse *r = done.response;
    assert_int_equal(r->RowsSought, 4);
    assert_true(r->HasSoughtLess);
    assert_false(r->RowNoLongerVisible);
}

static void a_bookmark_whose_row_is_gone_says_so(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    CODE(seek(&t, BOOKMARK_BEGINNING, 2), ecNone);
    const struct blob charlie = bookmark(&t);
    CODE(RUN(f, DeleteMessages, t.folder, .MessageIdCount = 1, .MessageIds = &t.mids[5]), ecNone);
    const struct rop_done done = seek_bookmark(&t, charlie, 0);
    CODE(done, ecNone);
    assert_true(((const struct RopSeekRowBookmarkResponse *)done.response)->RowNoLongerVisible); /* R506 */
    expect(&t, true, 1, "d", BOOKMARK_CURRENT);
}

static void a_bookmark_ends_with_what_it_was_made_in(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    struct blob b = bookmark(&t);
    CODE(sort(&t), ecNone);
    CODE(seek_bookmark(&t, b, 0), ecInvalidBookmark); /* R864, R904 */
    b = bookmark(&t);
    CODE(RUN(f, Restrict, t.handle), ecNone);
    CODE(seek_bookmark(&t, b, 0), ecInvalidBookmark); /* R865, R906 */
    b = bookmark(&t);
    CODE(RUN(f, ResetTable, t.handle), ecNone);
    CODE(set_columns(&t), ecNone);
    CODE(seek_bookmark(&t, b, 0), ecInvalidBookmark); /* R863, R908 */
    b = bookmark(&t);
    CODE(RUN(f, FreeBookmark, t.handle, .BookmarkSize = (uint16_t)b.size, .Bookmark = b), ecNone); /* R545 */
    CODE(RUN(f, FreeBookmark, t.handle, .BookmarkSize = (uint16_t)b.size, .Bookmark = b),
         ecInvalidBookmark);                                                    /* R5521 */
    CODE(seek_bookmark(&t, BLOB_OF("what is this", 12), 0), ecInvalidBookmark); /* R511 */
    CODE(seek_bookmark(&t, BLOB_OF("", 0), 0), ecInvalidBookmark);
}

static void a_hierarchy_has_bookmarks_and_forgets_them(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t fid[] = { PidTagFolderId };
    const struct table t = { .f = f, .handle = RUN(f, GetHierarchyTable, f->logon).handle };
    CODE(RUN(f, SetColumns, t.handle, .PropertyTagCount = 1, .PropertyTags = fid), ecNone);
    const struct blob b = bookmark(&t);
    CODE(seek_bookmark(&t, b, 0), ecNone);
    CODE(RUN(f, FreeBookmark, t.handle, .BookmarkSize = (uint16_t)b.size, .Bookmark = b), ecNone); /* R547 */
    CODE(seek_bookmark(&t, b, 0), ecInvalidBookmark);
}

/* ---- finding ---- */

static struct rop_done find(const struct table *t, const struct restriction *r, uint8_t flags, uint8_t origin,
                            struct blob b)
{
    return RUN_ROWS(t->f, FindRow, t->handle, columns, .FindRowFlags = flags, .RestrictionData = r, .Origin = origin,
                    .BookmarkSize = (uint16_t)b.size, .Bookmark = b);
}

static void expect_found(const struct rop_done done, const char *subject)
{
    CODE(done, ecNone);
    const struct RopFindRowResponse *r = done.response;
    assert_true(r->HasRowData);
    assert_string_equal(r->RowData.values[0].str, subject); /* R540 */
}

static void a_row_is_found_from_where_the_client_says_in_both_directions(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    const struct blob none = { NULL, 0 };
    expect_found(find(&t, subject_after(f, "bravo"), 0, BOOKMARK_BEGINNING, none), "charlie"); /* R534 */
    expect_position(&t, 2, 6);
    CODE(seek(&t, BOOKMARK_CURRENT, 1), ecNone);
    const struct blob delta = bookmark(&t);
    expect_found(find(&t, subject_after(f, "bravo"), 0, BOOKMARK_CURRENT, none), "delta");
    expect_found(find(&t, subject_begins(f, "b"), 1, BOOKMARK_END, none), "bravo");
    expect_found(find(&t, subject_after(f, "bravo"), 0, 3, delta), "delta");
    CODE(find(&t, subject_begins(f, "x"), 0, BOOKMARK_BEGINNING, none), ecNotFound); /* R536 */
    CODE(find(&t, subject_begins(f, "b"), 0, BOOKMARK_END, none), ecNotFound);
    CODE(find(&t, subject_begins(f, "b"), 0, 4, none), ecInvalidParam);
    CODE(find(&t, NULL, 0, BOOKMARK_BEGINNING, none), ecInvalidParam);
    CODE(sort(&t), ecNone);
    CODE(find(&t, subject_begins(f, "b"), 0, 3, delta), ecInvalidBookmark); /* R898 */
}

static void a_row_is_found_in_the_hierarchy_too(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t names[] = { PidTagDisplayName, PidTagFolderId };
    const uint32_t table = RUN(f, GetHierarchyTable, rop_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE))).handle;
    CODE(RUN(f, SetColumns, table, .PropertyTagCount = 2, .PropertyTags = names), ecNone); /* R829 */
    struct restriction r = { .type = RES_PROPERTY,
                             .relop = RELOP_EQ,
                             .tag = PidTagFolderId,
                             .value = P_I64(PidTagFolderId, STORE_FID(SPECIAL_OUTBOX)) };
    const struct rop_done done = RUN_ROWS(f, FindRow, table, names, .RestrictionData = &r); /* R858 */
    CODE(done, ecNone);
    assert_string_equal(((const struct RopFindRowResponse *)done.response)->RowData.values[0].str, "Outbox");
}

/* ---- what the list does after a failure ---- */

static void after_a_failed_seek_nothing_more_is_processed(void **state)
{
    struct rop_fixture *f = *state;
    const struct table t = sorted(f);
    struct rop_batch *b = rop_batch(f);
    const uint8_t table = rop_batch_handle(b, t.handle), folder = rop_batch_handle(b, t.folder);
    ADD(b, SeekRow, table, 0, .Origin = 0, .RowCount = 1);
    ADD(b, SeekRow, folder, 0, .Origin = 0, .RowCount = 1);
    ADD(b, QueryPosition, table, 0);
    assert_int_equal(rop_batch_run(b), ecNone);
    assert_int_equal(rop_batch_next(b, "SeekRow", NULL, 0).code, ecNone);
    assert_int_equal(rop_batch_next(b, "SeekRow", NULL, 0).code, (uint32_t)ecNotSupported);
    assert_int_equal(wire_left(&b->answers), 0); /* R501 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(before_the_columns_nothing_can_be_read),
        ROP_TEST(columns_without_a_type_are_refused),
        ROP_TEST(rows_have_the_columns_that_were_set_last),
        ROP_TEST(all_columns_of_a_table_can_be_asked_for),
        ROP_TEST(rows_come_in_order_from_the_cursor_on),
        ROP_TEST(rows_are_read_backwards_from_the_cursor_on),
        ROP_TEST(NoAdvance_leaves_the_cursor),
        ROP_TEST(a_seek_that_ends_early_says_how_far_it_came),
        ROP_TEST(a_fraction_leads_to_its_place),
        ROP_TEST(only_whole_rows_are_sent_and_one_that_does_not_fit_is_ecBufferTooSmall),
        ROP_TEST(a_new_order_replaces_the_old_and_goes_back_to_the_beginning),
        ROP_TEST(categories_expand_collapse_and_come_back),
        ROP_TEST(only_contents_tables_have_categories),
        ROP_TEST(a_restricted_table_has_only_the_rows_that_match),
        ROP_TEST(what_a_kind_of_table_does_not_do_is_ecNotSupported),
        ROP_TEST(nothing_runs_that_could_be_aborted),
        ROP_TEST(a_reset_table_is_as_new),
        ROP_TEST(a_bookmark_leads_back_to_its_row),
        ROP_TEST(a_bookmark_whose_row_is_gone_says_so),
        ROP_TEST(a_hierarchy_has_bookmarks_and_forgets_them),
        ROP_TEST(a_bookmark_ends_with_what_it_was_made_in),
        ROP_TEST(a_row_is_found_from_where_the_client_says_in_both_directions),
        ROP_TEST(a_row_is_found_in_the_hierarchy_too),
        ROP_TEST(after_a_failed_seek_nothing_more_is_processed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
