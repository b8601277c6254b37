/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXNSPI] 3.1.4.5 and the functions of 3.1.4.1 that move about in the table, name columns or change them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "nspi/nspi.h"

enum { BEGINNING = 0, CURRENT = 1, END = 2, NOBODY = 0x7FFF };
enum { CP_WINUNICODE = 1200 };

/* Four rows, in the order of the members; dora is hidden. */
struct fixture {
    char *dir;
    struct org *org;
    struct nspi_call call;
    uint32_t alice, bob, emile, zoe, dora;
};

static uint32_t person(struct fixture *f, const char *name, const char *alias)
{
    const struct account *a = NULL;
    const struct account_new new = {
        .name = alias,
        .display_name = name,
        .first_name = name,
        .primary_smtp = talloc_asprintf(f, "%s@contoso.com", alias),
        .database = f->call.settings->databases[0].guid,
    };
    assert_int_equal(directory_create(f->call.directory, f->call.arena, &new, NULL, NULL, &a), ecNone);
    return a->minimal_id;
}

static void hide(struct fixture *f, uint32_t minimal_id)
{
    struct account a = *directory_by_minimal_id(f->call.directory, f->call.arena, minimal_id);
    a.hidden = true;
    assert_int_equal(directory_set(f->call.directory, &a, NULL), ecNone);
}

static int set_up(void **state)
{
    struct fixture *f = *state = talloc_zero(NULL, struct fixture);
    char path[] = "/tmp/oxcart-nspi-XXXXXX";
    f->dir = talloc_strdup(f, mkdtemp(path));
    f->call.arena = talloc_new(f);
    assert_int_equal(org_open(&f->org, f, f->dir, &(struct org_defaults){ .hostname = "mail.contoso.com" }), ecNone);
    assert_int_equal(directory_open(&f->call.directory, f, f->org), ecNone);
    f->call.settings = org_settings(f->org, f->call.arena);
    f->zoe = person(f, "Zoe Example", "zoe");
    f->bob = person(f, "Bob Example", "bob");
    f->dora = person(f, "Dora Example", "dora");
    f->emile = person(f, "\xC3\x89mile Example", "emile");
    f->alice = person(f, "Alice Example", "alice");
    hide(f, f->dora);
    f->call.user = directory_by_minimal_id(f->call.directory, f->call.arena, f->alice);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    talloc_free(f->call.arena);
    talloc_free(f->call.directory);
    assert_int_equal(system(talloc_asprintf(f, "rm -rf %s", f->dir)), 0);
    return talloc_free(f);
}

/* One call, into a response that is zeroed before as the transports do it. */
#define ASK(f, S, response, ...)                                                                                       \
    (memset(response, 0, sizeof *(response)), nspi_##S(&(f)->call, &(struct S##Request){ __VA_ARGS__ }, response))
#define STATE(...) .HasState = true, .State = { .CodePage = 1252, __VA_ARGS__ }

static bool has_tag(struct LargePropertyTagArray tags, uint32_t tag)
{
    for (uint32_t i = 0; i < tags.PropertyTagCount; i++)
        if (tags.PropertyTags[i] == tag)
            return true;
    return false;
}

/* ---- UpdateStat ---- */

static void moving_reports_the_row_and_how_far_it_was(void **state)
{
    struct fixture *f = *state;
    struct UpdateStatResponse r;
    assert_int_equal(
        ASK(f, UpdateStat, &r, STATE(.CurrentRec = f->alice, .Delta = 2, .SortLocale = 0x409), .DeltaRequested = true),
        ecNone);                                    /* R800 */
    assert_int_equal(r.State.CurrentRec, f->emile); /* R796, R791 */
    assert_int_equal(r.State.NumPos, 2);            /* R797 */
    assert_int_equal(r.State.TotalRecs, 4);         /* R798 */
    assert_int_equal(r.State.Delta, 0);
    assert_int_equal(r.State.SortLocale, 0x409); /* R799 */
    assert_true(r.HasDelta && r.Delta == 2);     /* R795 */
    assert_int_equal(ASK(f, UpdateStat, &r, STATE(.CurrentRec = f->zoe, .Delta = -3), .Reserved = 7), ecNone);
    assert_int_equal(r.State.CurrentRec, f->alice); /* R548, R1676 */
    assert_false(r.HasDelta);                       /* R1868 */
}

static void moving_ends_at_the_first_row_and_behind_the_last(void **state)
{
    struct fixture *f = *state;
    static const struct {
        uint32_t from;
        int32_t delta;
        bool ends;
        int32_t done;
    } moves[] = {
        { BEGINNING, INT32_MIN, false, 0 },
        { BEGINNING, INT32_MAX, true, 4 },
        { END, INT32_MIN, false, -4 },
        { END, INT32_MAX, true, 0 },
    };
    for (size_t i = 0; i < COUNTOF(moves); i++) {
        struct UpdateStatResponse r;
        assert_int_equal(
            ASK(f, UpdateStat, &r, STATE(.CurrentRec = moves[i].from, .Delta = moves[i].delta), .DeltaRequested = true),
            ecNone);
        assert_int_equal(r.State.CurrentRec, moves[i].ends ? END : f->alice); /* R1744, R1704 */
        assert_int_equal(r.State.NumPos, moves[i].ends ? 4 : 0);              /* R1743, R554 */
        assert_int_equal(r.Delta, moves[i].done);                             /* R795 */
    }
}

static void a_fraction_is_a_position(void **state)
{
    struct fixture *f = *state;
    const struct {
        uint32_t part, whole;
        int32_t delta;
        uint32_t expected;
    } fractions[] = {
        { 0, 10, 0, f->alice },
        { 5, 10, 0, f->emile },
        { 5, 10, -1, f->bob }, /* R577, R578, R586 */
        { 9, 10, 0, f->zoe },
        { 10, 10, 0, END },
        { 20, 10, 0, END }, /* R580 */
        { 0, 0, 0, f->alice },
        { UINT32_MAX, 0, 0, f->alice },
        { UINT32_MAX, UINT32_MAX, 0, END },
        { UINT32_MAX - 1, UINT32_MAX, INT32_MIN, f->alice },
        { UINT32_MAX, UINT32_MAX, INT32_MAX, END }, /* R1746, R1748 */
    };
    for (size_t i = 0; i < COUNTOF(fractions); i++) {
        struct UpdateStatResponse r;
        assert_int_equal(ASK(f, UpdateStat, &r,
                             STATE(.CurrentRec = CURRENT, .NumPos = fractions[i].part, .TotalRecs = fractions[i].whole,
                                   .Delta = fractions[i].delta)),
                         ecNone);                                    /* R793 */
        assert_int_equal(r.State.CurrentRec, fractions[i].expected); /* R595 */
        assert_int_equal(r.State.TotalRecs, 4);                      /* R575 */
    }
}

static void who_is_not_in_the_table_is_no_position(void **state)
{
    struct fixture *f = *state;
    const uint32_t ids[] = { NOBODY, f->dora, 3, UINT32_MAX };
    for (size_t i = 0; i < COUNTOF(ids); i++) {
        struct UpdateStatResponse r;
        assert_int_equal(ASK(f, UpdateStat, &r, STATE(.CurrentRec = ids[i]), .DeltaRequested = true),
                         ecNotFound);           /* R792 */
        assert_false(r.HasState || r.HasDelta); /* R784 */
    }
}

static void a_position_needs_a_state_a_code_page_and_a_container(void **state)
{
    struct fixture *f = *state;
    struct UpdateStatResponse u;
    struct SeekEntriesResponse s;
    struct CompareMinIdsResponse c;
    assert_int_equal(ASK(f, UpdateStat, &u, .Reserved = 0), ecInvalidParam);
    assert_int_equal(ASK(f, SeekEntries, &s, .Reserved = 0), ecInvalidParam);
    assert_int_equal(ASK(f, CompareMinIds, &c, .Reserved = 0), ecInvalidParam);
    assert_int_equal(ASK(f, UpdateStat, &u, STATE(.ContainerID = 77)), ecInvalidBookmark);    /* R789 */
    assert_int_equal(ASK(f, SeekEntries, &s, STATE(.ContainerID = 77)), ecInvalidBookmark);   /* R1033 */
    assert_int_equal(ASK(f, CompareMinIds, &c, STATE(.ContainerID = 77)), ecInvalidBookmark); /* R1230 */
    const struct STAT wide = { .CodePage = CP_WINUNICODE };
    assert_int_equal(ASK(f, UpdateStat, &u, .HasState = true, .State = wide), ecNotSupported);    /* R780 */
    assert_int_equal(ASK(f, SeekEntries, &s, .HasState = true, .State = wide), ecNotSupported);   /* R1016 */
    assert_int_equal(ASK(f, CompareMinIds, &c, .HasState = true, .State = wide), ecNotSupported); /* R1223 */
}

/* ---- SeekEntries ---- */

#define NAMED(name) .HasTarget = true, .Target = { .tag = PidTagDisplayName, .str = name }

static void seeking_finds_the_first_row_that_is_not_before_the_name(void **state)
{
    struct fixture *f = *state;
    const struct {
        const char *name;
        uint32_t expected, position;
    } names[] = {
        { "", f->alice, 0 },     { "B", f->bob, 1 }, { "bob example", f->bob, 1 }, { "c", f->emile, 2 },
        { "emil", f->emile, 2 }, { "F", f->zoe, 3 }, { "D", f->emile, 2 },
    };
    for (size_t i = 0; i < COUNTOF(names); i++) {
        struct SeekEntriesResponse r;
        assert_int_equal(ASK(f, SeekEntries, &r, STATE(.Delta = 7, .SortLocale = 0x407), NAMED(names[i].name)), ecNone);
        assert_int_equal(r.State.CurrentRec, names[i].expected);        /* R998, R1051 */
        assert_int_equal(r.State.NumPos, names[i].position);            /* R1050 */
        assert_int_equal(r.State.TotalRecs, 4);                         /* R1054 */
        assert_true(r.State.Delta == 7 && r.State.SortLocale == 0x407); /* R1055 */
        assert_true(r.HasState && !r.HasColumnsAndRows);
    }
    struct SeekEntriesResponse r;
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED("Zz"), .Reserved = 1), ecNotFound); /* R1048, R1702 */
    assert_false(r.HasState || r.HasColumnsAndRows);                                             /* R1630, R1631 */
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), .HasTarget = true,
                         .Target = P_STR(PROP_AS(PidTagDisplayName, PtypString8), "z")),
                     ecNone);
    assert_int_equal(r.State.CurrentRec, f->zoe);
}

static void only_the_display_name_can_be_sought(void **state)
{
    struct fixture *f = *state;
    struct SeekEntriesResponse r;
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0)), ecError);
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(.SortType = 3), NAMED("a")), ecError); /* R1039 */
    const struct prop others[] = {
        P_STR(PidTagAccount, "bob"),
        P_I32(PROP_AS(PidTagDisplayName, PtypInteger32), 5),
        { .tag = PidTagDisplayName },
        { .tag = PROP_AS(PidTagDisplayName, PtypString | PtypMultiple) },
    };
    for (size_t i = 0; i < COUNTOF(others); i++)
        assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), .HasTarget = true, .Target = others[i]),
                         ecError); /* R1043 */
}

static const uint32_t name_alone[] = { PidTagDisplayName };
#define NAME_COLUMN .HasColumns = true, .Columns = { 1, name_alone }

static void seeking_with_columns_brings_the_rows_that_QueryRows_brings(void **state)
{
    struct fixture *f = *state;
    struct SeekEntriesResponse r;
    struct QueryRowsResponse q;
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED("c"), NAME_COLUMN), ecNone);
    assert_int_equal(ASK(f, QueryRows, &q, .HasState = true, .State = r.State, .RowCount = 50, NAME_COLUMN), ecNone);
    assert_true(r.HasColumnsAndRows); /* R1058 */
    assert_int_equal(r.RowCount, 2);
    assert_int_equal(q.RowCount, 2);
    for (uint32_t i = 0; i < 2; i++) /* R1695 */
        assert_string_equal(r.RowData[i].values[0].str, q.RowData[i].values[0].str);
    assert_int_equal(r.State.CurrentRec, f->emile); /* R1075 */
    const uint32_t ids[] = { PidTagEntryId };
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED("Z"), .HasColumns = true, .Columns = { 1, ids }), ecNone);
    assert_int_equal(r.RowData[0].values[0].bin.data[0], 0x87); /* fEphID: R1695 */
}

static void seeking_in_an_explicit_table_counts_in_that_table(void **state)
{
    struct fixture *f = *state;
    struct SeekEntriesResponse r;
    const uint32_t table[] = { f->alice, NOBODY, f->emile, f->zoe };
#define TABLE(n) .HasExplicitTable = true, .ExplicitTableCount = n, .ExplicitTable = table
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED("B"), TABLE(4), NAME_COLUMN), ecNone);
    assert_int_equal(r.State.CurrentRec, f->emile);
    assert_int_equal(r.State.NumPos, 2);    /* R1052 */
    assert_int_equal(r.State.TotalRecs, 4); /* R1054 */
    assert_int_equal(r.RowCount, 2);        /* R1755 */
    assert_string_equal(r.RowData[1].values[0].str, "Zoe Example");
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED("B"), TABLE(2)), ecNotFound); /* R1048 */
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED(""), TABLE(0)), ecNotFound);
    const uint32_t hidden[] = { f->dora };
    assert_int_equal(ASK(f, SeekEntries, &r, STATE(0), NAMED(""), .HasExplicitTable = true, .ExplicitTableCount = 1,
                         .ExplicitTable = hidden),
                     ecNotFound); /* R1031 */
}

/* ---- CompareMinIds ---- */

static void two_ids_compare_by_their_place_in_the_table(void **state)
{
    struct fixture *f = *state;
    struct CompareMinIdsResponse r;
    assert_int_equal(ASK(f, CompareMinIds, &r, STATE(0), .MinimalId1 = f->alice, .MinimalId2 = f->zoe),
                     ecNone);  /* R1242 */
    assert_true(r.Result < 0); /* R1236 */
    assert_int_equal(ASK(f, CompareMinIds, &r, STATE(0), .MinimalId1 = f->emile, .MinimalId2 = f->bob), ecNone);
    assert_true(r.Result > 0); /* R1238 */
    assert_int_equal(ASK(f, CompareMinIds, &r, STATE(0), .MinimalId1 = f->bob, .MinimalId2 = f->bob, .Reserved = 9),
                     ecNone);
    assert_int_equal(r.Result, 0); /* R1240, R1699 */
    const uint32_t strangers[] = { NOBODY, BEGINNING, CURRENT, END, UINT32_MAX, f->dora };
    for (size_t i = 0; i < COUNTOF(strangers); i++) { /* R1234 */
        assert_int_equal(ASK(f, CompareMinIds, &r, STATE(0), .MinimalId1 = f->bob, .MinimalId2 = strangers[i]),
                         ecError);
        assert_int_equal(ASK(f, CompareMinIds, &r, STATE(0), .MinimalId1 = strangers[i], .MinimalId2 = f->bob),
                         ecError);
    }
}

/* ---- ResortRestriction ---- */

#define IDS(...)                                                                                                       \
    .HasMinimalIds = true, .MinimalIdCount = COUNTOF(((uint32_t[]){ __VA_ARGS__ })), .MinimalIds = (uint32_t[])        \
    {                                                                                                                  \
        __VA_ARGS__                                                                                                    \
    }

static void a_restriction_is_sorted_and_loses_whom_nobody_knows(void **state)
{
    struct fixture *f = *state;
    struct ResortRestrictionResponse r;
    assert_int_equal(ASK(f, ResortRestriction, &r, STATE(.CurrentRec = f->emile, .Delta = 3, .ContainerID = 5),
                         IDS(f->zoe, NOBODY, f->emile, f->dora, 0, f->alice, f->zoe, UINT32_MAX)),
                     ecNone); /* R1209 */
    const uint32_t expected[] = { f->alice, f->emile, f->zoe };
    assert_int_equal(r.MinimalIdCount, 3);                        /* R1197, R1192 */
    assert_memory_equal(r.MinimalIds, expected, sizeof expected); /* R1198, R1199, R1201 */
    assert_int_equal(r.State.TotalRecs, 3);                       /* R1204 */
    assert_int_equal(r.State.CurrentRec, f->emile);
    assert_int_equal(r.State.NumPos, 1);
    assert_true(r.State.Delta == 3 && r.State.ContainerID == 5); /* R1207 */
    assert_int_equal(ASK(f, ResortRestriction, &r, STATE(.CurrentRec = f->bob, .NumPos = 9), IDS(f->zoe)), ecNone);
    assert_int_equal(r.State.CurrentRec, BEGINNING); /* R1759 */
    assert_int_equal(r.State.NumPos, 0);             /* R1205 */
    assert_int_equal(ASK(f, ResortRestriction, &r, STATE(0), .HasMinimalIds = true), ecNone);
    assert_true(r.HasState && r.HasMinimalIds && r.MinimalIdCount == 0);
}

static void a_restriction_that_cannot_be_sorted_is_refused(void **state)
{
    struct fixture *f = *state;
    struct ResortRestrictionResponse r;
    assert_int_equal(ASK(f, ResortRestriction, &r, STATE(.SortType = 3), IDS(f->bob)), ecError); /* R1194 */
    assert_false(r.HasState || r.HasMinimalIds);                                                 /* R1189, R1757 */
    assert_int_equal(ASK(f, ResortRestriction, &r, IDS(f->bob)), ecInvalidParam);
    assert_int_equal(ASK(f, ResortRestriction, &r, STATE(0)), ecInvalidParam);
    assert_int_equal(
        ASK(f, ResortRestriction, &r, .HasState = true, .State = { .CodePage = CP_WINUNICODE }, IDS(f->bob)),
        ecNotSupported); /* R1181 */
}

/* ---- columns and properties ---- */

static void the_columns_are_told_with_text_in_the_type_that_was_asked_for(void **state)
{
    struct fixture *f = *state;
    struct QueryColumnsResponse r;
    assert_int_equal(ASK(f, QueryColumns, &r, .MapiFlags = 0x80000000), ecNone);                 /* R827 */
    assert_true(r.HasColumns);                                                                   /* R801, R802 */
    assert_true(has_tag(r.Columns, PidTagDisplayName) && has_tag(r.Columns, PidTagSurname));     /* R820 */
    assert_true(has_tag(r.Columns, PROP_AS(PidTagAddressBookDisplayNamePrintable, PtypString))); /* R115 */
    assert_true(has_tag(r.Columns, PidTagAddressBookProxyAddresses));
    assert_int_equal(ASK(f, QueryColumns, &r, .MapiFlags = 0x7FFFFFFF, .Reserved = 3), ecNone); /* R1922, R1923 */
    assert_true(has_tag(r.Columns, PROP_AS(PidTagDisplayName, PtypString8)));                   /* R822, R116 */
    assert_true(has_tag(r.Columns, PROP_AS(PidTagAddressBookProxyAddresses, PtypString8 | PtypMultiple)));
    assert_true(has_tag(r.Columns, PidTagEntryId) && has_tag(r.Columns, PidTagObjectType));
    for (uint32_t i = 0; i < r.Columns.PropertyTagCount; i++)
        assert_int_not_equal(PROP_TYPE(r.Columns.PropertyTags[i]) & ~PtypMultiple, PtypString);
}

static void somebodys_property_list_has_what_has_a_value(void **state)
{
    struct fixture *f = *state;
    struct GetPropListResponse r;
    assert_int_equal(ASK(f, GetPropList, &r, .MinimalId = f->bob, .CodePage = 1252), ecNone); /* R858 */
    assert_true(has_tag(r.PropertyTags, PROP_AS(PidTagDisplayName, PtypString8)));            /* R828, R852, R855 */
    assert_true(has_tag(r.PropertyTags, PROP_AS(PidTagGivenName, PtypString8)));
    assert_false(has_tag(r.PropertyTags, PROP_AS(PidTagSurname, PtypString8))); /* R854: bob has none */
    const uint32_t count = r.PropertyTags.PropertyTagCount;
    for (uint32_t i = 0; i < count; i++) {
        assert_int_not_equal(PROP_TYPE(r.PropertyTags.PropertyTags[i]), PtypObject); /* R848 */
        assert_int_not_equal(PROP_TYPE(r.PropertyTags.PropertyTags[i]), PtypString);
    }
    assert_int_equal(ASK(f, GetPropList, &r, .MinimalId = f->bob, .CodePage = 1252, .Flags = UINT32_MAX), ecNone);
    assert_int_equal(r.PropertyTags.PropertyTagCount, count); /* R1924 */
    const uint32_t strangers[] = { NOBODY, BEGINNING, CURRENT, END, UINT32_MAX };
    for (size_t i = 0; i < COUNTOF(strangers); i++) {
        assert_int_equal(ASK(f, GetPropList, &r, .MinimalId = strangers[i], .CodePage = 1252), ecInvalidObject);
        assert_false(r.HasPropertyTags); /* R840 */
    }
    assert_int_equal(ASK(f, GetPropList, &r, .MinimalId = f->bob, .CodePage = CP_WINUNICODE), ecNotSupported);
}

static void there_is_no_template_in_any_locale(void **state)
{
    struct fixture *f = *state;
    struct GetTemplateInfoResponse r;
    assert_int_equal(ASK(f, GetTemplateInfo, &r, .Flags = 0x61, .CodePage = 1252, .LocaleId = 0x409),
                     ecInvalidLocale); /* R1476 */
    assert_false(r.HasRow);            /* R1462 */
    assert_int_equal(ASK(f, GetTemplateInfo, &r, .HasTemplateDn = true, .TemplateDn = "/o=Contoso/cn=none",
                         .CodePage = 1252, .DisplayType = 0x200, .LocaleId = UINT32_MAX),
                     ecInvalidLocale);                                                           /* R1982, R1983 */
    assert_int_equal(ASK(f, GetTemplateInfo, &r, .CodePage = CP_WINUNICODE), ecInvalidCodepage); /* R1467 */
    assert_int_equal(ASK(f, GetTemplateInfo, &r, .CodePage = 77777), ecInvalidCodepage);         /* R1469 */
}

/* ---- changes ---- */

static void properties_cannot_be_changed(void **state)
{
    struct fixture *f = *state;
    struct ModPropsResponse r;
    const uint32_t tags[] = { PidTagUserX509Certificate };
#define TAGS .HasPropertyTagsToRemove = true, .PropertyTagsToRemove = { 1, tags }
    assert_int_equal(ASK(f, ModProps, &r, STATE(.CurrentRec = f->alice), TAGS), ecAccessDenied); /* R1303 */
    assert_int_equal(ASK(f, ModProps, &r, STATE(.CurrentRec = f->alice), TAGS, .Reserved = 5),
                     ecAccessDenied);                                                          /* R1289 */
    assert_int_equal(ASK(f, ModProps, &r, STATE(.CurrentRec = f->alice)), ecInvalidParam);     /* R1291 */
    assert_int_equal(ASK(f, ModProps, &r, STATE(.CurrentRec = NOBODY), TAGS), ecInvalidParam); /* R1293 */
    assert_int_equal(ASK(f, ModProps, &r, TAGS), ecInvalidParam);
    assert_int_equal(ASK(f, ModProps, &r, .HasState = true, .State = { .CodePage = CP_WINUNICODE }, TAGS),
                     ecNotSupported);
}

static void members_and_delegates_cannot_be_changed(void **state)
{
    struct fixture *f = *state;
    struct ModLinkAttResponse r;
    for (uint32_t flags = 0; flags < 3; flags++) { /* R1927 */
        assert_int_equal(ASK(f, ModLinkAtt, &r, .Flags = flags, .PropertyTag = PidTagAddressBookPublicDelegates,
                             .MinimalId = f->alice, .HasEntryIds = true),
                         ecAccessDenied); /* R1338 */
        assert_int_equal(
            ASK(f, ModLinkAtt, &r, .Flags = flags, .PropertyTag = PidTagAddressBookMember, .MinimalId = f->alice),
            ecAccessDenied); /* R1647 */
    }
    assert_int_equal(ASK(f, ModLinkAtt, &r, .PropertyTag = PidTagDisplayName, .MinimalId = f->alice), ecAccessDenied);
    assert_int_equal(ASK(f, ModLinkAtt, &r, .PropertyTag = 0x7FFE000D, .MinimalId = f->alice), ecNotFound); /* R1326 */
    assert_int_equal(ASK(f, ModLinkAtt, &r, .PropertyTag = PidTagAddressBookMember, .MinimalId = NOBODY),
                     ecInvalidParam); /* R1328 */
}

#define NSPI_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        NSPI_TEST(moving_reports_the_row_and_how_far_it_was),
        NSPI_TEST(moving_ends_at_the_first_row_and_behind_the_last),
        NSPI_TEST(a_fraction_is_a_position),
        NSPI_TEST(who_is_not_in_the_table_is_no_position),
        NSPI_TEST(a_position_needs_a_state_a_code_page_and_a_container),
        NSPI_TEST(seeking_finds_the_first_row_that_is_not_before_the_name),
        NSPI_TEST(only_the_display_name_can_be_sought),
        NSPI_TEST(seeking_with_columns_brings_the_rows_that_QueryRows_brings),
        NSPI_TEST(seeking_in_an_explicit_table_counts_in_that_table),
        NSPI_TEST(two_ids_compare_by_their_place_in_the_table),
        NSPI_TEST(a_restriction_is_sorted_and_loses_whom_nobody_knows),
        NSPI_TEST(a_restriction_that_cannot_be_sorted_is_refused),
        NSPI_TEST(the_columns_are_told_with_text_in_the_type_that_was_asked_for),
        NSPI_TEST(somebodys_property_list_has_what_has_a_value),
        NSPI_TEST(there_is_no_template_in_any_locale),
        NSPI_TEST(properties_cannot_be_changed),
        NSPI_TEST(members_and_delegates_cannot_be_changed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
