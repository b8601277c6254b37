/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXNSPI] 3.1.4 over an organisation of six, one of whom is hidden.  Requirement ids are MS-OXNSPI's.  Every
 * request and every response goes through its bytes. */
#include "session/fixture.h"

#include "nspi/nspi.h"
#include "nspi/person.h"
#include "wire/entry_id.h"
#include "wire/guids.h"

enum { BEGINNING = 0, CURRENT = 1, END = 2 }; /* CurrentRec */
enum { UNRESOLVED = 0, AMBIGUOUS = 1, RESOLVED = 2 };

struct world {
    struct session_fixture base;
    const struct account *bobby, *emile, *yaroslav, *hidden;
    struct nspi_call call;
};

static const struct account *add(struct session_fixture *f, const char *name, const char *display)
{
    const struct account *a;
    const struct account_new new = { .name = name,
                                     .primary_smtp = talloc_asprintf(f->arena, "%s@contoso.com", name),
                                     .display_name = display,
                                     .database = org_settings(f->org, f->arena)->databases[0].guid };
    assert_int_equal(directory_create(f->directory, f->arena, &new, NULL, NULL, &a), ecNone);
    return a;
}

static int open_world(void **state)
{
    struct world *w = talloc_zero(NULL, struct world);
    struct session_fixture *f = &w->base;
    session_fixture_begin(f);
    w->yaroslav = add(f, "yaroslav", "Ярослав Иванов");
    w->emile = add(f, "emile", "Émile Zola");
    w->bobby = add(f, "bobby", "Bobby Tables");
    struct account changed = *add(f, "hidden", "Hidden Harry");
    changed.hidden = true;
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
    w->hidden = directory_by_smtp(f->directory, f->arena, "hidden@contoso.com");
    w->call =
        (struct nspi_call){ f->arena, f->directory, org_settings(f->org, f->arena), f->alice, "mail.contoso.com" };
    *state = w;
    return 0;
}

static int close_world(void **state)
{
    struct world *w = *state;
    session_fixture_end(&w->base);
    return talloc_free(w);
}

/* ---- asking ---- */

static void through_the_wire(TALLOC_CTX *arena, const struct wire_struct *s, const void *from, void *to)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_NSPI;
    assert_true(wire_put(&out, s, from));
    struct wire_in in = wire_in(arena, buf_blob(&bytes));
    in.flavour = WIRE_NSPI;
    assert_true(wire_get(&in, s, to));
    assert_int_equal(wire_left(&in), 0);
}

#define NSPI(S)                                                                                                        \
    __attribute__((unused)) /* those of table_test.c */                                                                \
    static struct S##Response ask_##S(struct world *w, struct S##Request asked) {                                      \
        struct S##Request request = { 0 };                                                                             \
        struct S##Response made = { 0 }, response = { 0 };                                                             \
        through_the_wire(w->call.arena, &S##Request_wire, &asked, &request);                                           \
        made.ErrorCode = (uint32_t)nspi_##S(&w->call, &request, &made);                                                \
        through_the_wire(w->call.arena, &S##Response_wire, &made, &response);                                          \
        return response;                                                                                               \
    }
#include "nspi/nspi.def"
#undef NSPI
#define ASK(w, S, ...) ask_##S(w, (struct S##Request){ __VA_ARGS__ })
#define STATE(...) .HasState = true, .State = { __VA_ARGS__, .CodePage = 1252, .SortLocale = 0x409 }
#define COLUMNS_OF(list) .HasColumns = true, .Columns = { COUNTOF(list), list }
#define TAGS_OF(list) .HasPropertyTags = true, .PropertyTags = { COUNTOF(list), list }
#define STRING8(tag) PROP_AS(tag, PtypString8)
#define CODE(code, expected) assert_int_equal((int)(code), expected)

static const uint32_t name_alone[] = { PidTagDisplayName };

static struct GetPropsResponse props_of(struct world *w, const struct account *a, uint32_t flags, uint32_t tag)
{
    return ASK(w, GetProps, .Flags = flags, STATE(.CurrentRec = a->minimal_id), .HasPropertyTags = true,
               .PropertyTags = { 1, &tag });
}

static const struct prop *first_value(const struct GetPropsResponse *r)
{
    assert_true(r->HasPropertyValues && r->PropertyValues.PropertyValueCount == 1);
    return &r->PropertyValues.PropertyValues[0];
}

static struct prop value_of(struct world *w, const struct account *a, uint32_t tag)
{
    const struct GetPropsResponse r = props_of(w, a, 0, tag);
    CODE(r.ErrorCode, ecNone);
    return *first_value(&r);
}

/* The display names of rows, one a line. */
static char *names_of(struct world *w, uint32_t count, const struct props *rows)
{
    char *names = talloc_strdup(w->call.arena, "");
    for (uint32_t i = 0; i < count; i++)
        names = talloc_asprintf_append(names, "%s\n",
                                       PROP_TYPE(rows[i].values[0].tag) == PtypErrorCode ? "-" : rows[i].values[0].str);
    return names;
}

#define NAMES(w, r) names_of(w, (r).RowCount, (r).RowData)

/* ---- Bind, Unbind ---- */

static void bind_always_names_the_same_server(void **state)
{
    struct world *w = *state;
    const struct BindResponse first = ASK(w, Bind, STATE(0)), second = ASK(w, Bind, .Flags = 0xFFFFFFDF, STATE(0));
    CODE(first.ErrorCode, ecNone);                                /* R668, R700 */
    assert_true(guid_equal(first.ServerGuid, second.ServerGuid)); /* R697, R1668 */
    assert_true(guid_equal(first.ServerGuid, w->call.settings->deployment_id));
    CODE(ASK(w, Bind, .HasState = false).ErrorCode, ecNone);
}

static void bind_refuses_a_code_page_without_8_bit_text(void **state)
{
    struct world *w = *state;
    static const uint32_t good[] = { 0, 932, 1250, 1251, 1252, 20261, 65001 }, bad[] = { 1200, 99999, 0xFFFFFFFF };
    for (size_t i = 0; i < COUNTOF(good); i++)
        CODE(ASK(w, Bind, .HasState = true, .State = { .CodePage = good[i] }).ErrorCode, ecNone);
    for (size_t i = 0; i < COUNTOF(bad); i++) /* R680, R696 */
        CODE(ASK(w, Bind, .HasState = true, .State = { .CodePage = bad[i] }).ErrorCode, ecInvalidCodepage);
}

static void unbind_succeeds_with_one(void **state)
{
    struct world *w = *state;
    assert_int_equal(ASK(w, Unbind, .Reserved = 0).ErrorCode, 1); /* R701, R712 */
    assert_int_equal(ASK(w, Unbind, .Reserved = 7).ErrorCode, 1); /* R1673 */
}

/* ---- GetSpecialTable ---- */

static void the_hierarchy_is_the_global_address_list(void **state)
{
    static const uint32_t tags[] = { PidTagEntryId,     PidTagContainerFlags,
                                     PidTagDepth,       PidTagAddressBookContainerId,
                                     PidTagDisplayName, PidTagAddressBookIsMaster };
    struct world *w = *state;
    const struct GetSpecialTableResponse r = ASK(w, GetSpecialTable, .Flags = 4, STATE(0));
    CODE(r.ErrorCode, ecNone); /* R743, R767 */
    assert_int_equal(r.CodePage, 1252);
    assert_true(r.HasVersion && r.HasRows);
    assert_int_equal(r.RowsCount, 1); /* R765 */
    const struct AddressBookPropertyValueList *row = r.Rows;
    assert_int_equal(row->PropertyValueCount, COUNTOF(tags));
    for (size_t i = 0; i < COUNTOF(tags); i++)
        assert_int_equal(row->PropertyValues[i].tag, tags[i]); /* R760, R1863, R1864 */
    const struct blob id = address_book_entry_id(w->call.arena, "/", DT_CONTAINER);
    assert_true(blob_equal(row->PropertyValues[0].bin, id)); /* R1865, R1866 */
    assert_int_equal(row->PropertyValues[1].i32, 9);
    assert_int_equal(row->PropertyValues[3].i32, 0);
}

static void a_hierarchy_that_the_client_has_is_not_sent_again(void **state)
{
    struct world *w = *state;
    const struct GetSpecialTableResponse first = ASK(w, GetSpecialTable, .Flags = 4, STATE(0));
    const struct GetSpecialTableResponse again =
        ASK(w, GetSpecialTable, .Flags = 4, STATE(0), .HasVersion = true, .Version = first.Version);
    CODE(again.ErrorCode, ecNone); /* R748 */
    assert_false(again.HasRows);
    assert_true(again.HasVersion); /* R750 */
    assert_int_equal(again.Version, first.Version);
    assert_true(ASK(w, GetSpecialTable, .Flags = 4, STATE(0), .HasVersion = true, .Version = 77).HasRows);
}

static void text_of_the_hierarchy_is_8_bit_unless_Unicode_is_asked_for(void **state)
{
    struct world *w = *state;
    const struct GetSpecialTableResponse r = ASK(w, GetSpecialTable, .Flags = 0xFFFFFFF9, STATE(0));
    assert_int_equal(r.Rows[0].PropertyValues[4].tag, STRING8(PidTagDisplayName)); /* R762, R1740 */
    const struct GetSpecialTableResponse none =
        ASK(w, GetSpecialTable, .HasState = true, .State = { .CodePage = 1200 });
    CODE(none.ErrorCode, ecNotSupported);          /* R732 */
    assert_false(none.HasRows || none.HasVersion); /* R736 */
    CODE(ASK(w, GetSpecialTable, .Flags = 4, .HasState = true, .State = { .CodePage = 1200 }).ErrorCode, ecNone);
}

static void there_are_no_templates_to_create_addresses_with(void **state)
{
    struct world *w = *state;
    const struct GetSpecialTableResponse r =
        ASK(w, GetSpecialTable, .Flags = 6, .HasState = true, .State = { .CodePage = 1200, .TemplateLocale = 0x411 });
    CODE(r.ErrorCode, ecNone);        /* R741, R752, R758 */
    assert_int_equal(r.RowsCount, 0); /* R757 */
}

/* ---- GetProps ---- */

static void values_come_in_the_order_of_the_tags_also_twice(void **state)
{
    static const uint32_t tags[] = { PidTagSmtpAddress, PidTagTitle, PidTagDisplayName, PidTagSmtpAddress };
    struct world *w = *state;
    const struct GetPropsResponse r = ASK(w, GetProps, STATE(.CurrentRec = w->base.bob->minimal_id), TAGS_OF(tags));
    CODE(r.ErrorCode, ecWarnWithErrors); /* R909 */
    assert_int_equal(r.CodePage, 1252);
    assert_int_equal(r.PropertyValues.PropertyValueCount, 4); /* R886, R911 */
    const struct prop *p = r.PropertyValues.PropertyValues;
    assert_string_equal(p[0].str, "bob@contoso.com");                /* R905 */
    assert_int_equal(p[1].tag, PROP_AS(PidTagTitle, PtypErrorCode)); /* R910 */
    CODE(p[1].u32, ecNotFound);
    assert_string_equal(p[2].str, "Bob Example");
    assert_string_equal(p[3].str, "bob@contoso.com"); /* R912 */
}

static void nobody_has_no_values(void **state)
{
    struct world *w = *state;
    static const uint32_t nobody[] = { BEGINNING, CURRENT, END, 0xFFFFFFF0 };
    for (size_t i = 0; i < COUNTOF(nobody); i++) { /* R907, R1985 */
        const struct GetPropsResponse r = ASK(w, GetProps, STATE(.CurrentRec = nobody[i]), TAGS_OF(name_alone));
        CODE(r.ErrorCode, ecWarnWithErrors);
        assert_int_equal(first_value(&r)->tag, PROP_AS(PidTagDisplayName, PtypErrorCode));
    }
    const struct GetPropsResponse r = ASK(w, GetProps, STATE(.CurrentRec = CURRENT));
    CODE(r.ErrorCode, ecInvalidObject); /* R894 */
    assert_false(r.HasPropertyValues);  /* R877 */
    CODE(ASK(w, GetProps, TAGS_OF(name_alone)).ErrorCode, ecInvalidParam);
}

static void without_tags_all_that_somebody_has_comes_with_8_bit_text(void **state)
{
    /* R1721 to R1736, R852 */
    static const uint32_t least[] = {
        PidTagObjectType,
        PidTagInitialDetailsPane,
        STRING8(PidTagAddressBookDisplayNamePrintable),
        PidTagAddressBookContainerId,
        PidTagEntryId,
        PidTagInstanceKey,
        PidTagSearchKey,
        PidTagRecordKey,
        STRING8(PidTagAddressType),
        STRING8(PidTagEmailAddress),
        PidTagDisplayType,
        PidTagTemplateid,
        STRING8(PidTagTransmittableDisplayName),
        STRING8(PidTagDisplayName),
        PidTagMappingSignature,
        STRING8(PidTagAddressBookObjectDistinguishedName),
    };
    struct world *w = *state;
    const struct GetPropsResponse r = ASK(w, GetProps, STATE(.CurrentRec = w->emile->minimal_id));
    CODE(r.ErrorCode, ecNone); /* R915, R1693 */
    for (uint32_t i = 0; i < r.PropertyValues.PropertyValueCount; i++) {
        const uint16_t type = PROP_TYPE(r.PropertyValues.PropertyValues[i].tag);
        assert_true(type != PtypErrorCode && (type & ~PtypMultiple) != PtypString);
    }
    for (size_t i = 0; i < COUNTOF(least); i++) {
        const struct prop *p =
            prop_find(r.PropertyValues.PropertyValues, r.PropertyValues.PropertyValueCount, least[i]);
        assert_true(p && p->tag == least[i]);
    }
}

static void the_properties_of_a_mailbox_are_its_account_s(void **state)
{
    struct world *w = *state;
    const struct account *a = w->base.alice;
    const char *home = talloc_asprintf(w->call.arena, "/cn=Configuration/cn=Servers/cn=%s/cn=Microsoft Private MDB",
                                       account_mailbox_id(w->call.arena, a));
    assert_int_equal(value_of(w, a, PidTagObjectType).i32, 6);
    assert_int_equal(value_of(w, a, PidTagDisplayType).i32, 0);
    assert_int_equal(value_of(w, a, PidTagDisplayTypeEx).u32, 0x40000000);
    assert_string_equal(value_of(w, a, PidTagAddressType).str, "EX");
    assert_string_equal(value_of(w, a, PidTagEmailAddress).str, a->legacy_dn);
    assert_string_equal(value_of(w, a, PidTagAccount).str, "alice");
    assert_non_null(strstr(value_of(w, a, PidTagAddressBookHomeMessageDatabase).str, home));
    assert_int_equal(le32(value_of(w, a, PidTagInstanceKey).bin.data), a->minimal_id);
    assert_true(blob_equal(value_of(w, a, PidTagMappingSignature).bin, BLOB_OF(MUIDEMSAB.bytes, 16)));
    assert_true(blob_equal(value_of(w, a, PidTagAddressBookObjectGuid).bin, BLOB_OF(a->guid.bytes, 16)));
    const struct prop proxies = value_of(w, a, PidTagAddressBookProxyAddresses);
    assert_int_equal(proxies.mv.count, a->proxy_count);
    assert_string_equal(proxies.mv.str[0], "SMTP:alice@contoso.com");
    assert_int_equal(value_of(w, a, PROP_AS(PidTagDisplayName, PtypUnspecified)).tag, PidTagDisplayName);
}

static void an_entry_id_is_permanent_unless_ephemeral_is_asked_for(void **state)
{
    struct world *w = *state;
    const struct account *bob = w->base.bob;
    const struct blob permanent = address_book_entry_id(w->call.arena, bob->legacy_dn, DT_MAILUSER);
    for (uint32_t flags = 0; flags < 2; flags++) { /* fSkipObjects changes nothing */
        const struct GetPropsResponse lasting = props_of(w, bob, flags, PidTagEntryId);
        assert_true(blob_equal(first_value(&lasting)->bin, permanent)); /* R901, R2001, R604 */
    }
    const struct GetPropsResponse r = props_of(w, bob, 0xFFFFFFFE, PidTagEntryId); /* R899, R105, R1925 */
    struct EphemeralEntryId id;
    struct wire_in in = wire_in(w->call.arena, first_value(&r)->bin);
    assert_true(wire_get(&in, &EphemeralEntryId_wire, &id));
    assert_int_equal(first_value(&r)->bin.size, 32);
    assert_int_equal(id.Flags, 0x87);
    assert_true(guid_equal(id.ProviderUID, ASK(w, Bind, STATE(0)).ServerGuid));
    assert_int_equal(id.DisplayType, DT_MAILUSER); /* R606 */
    assert_int_equal(id.Mid, bob->minimal_id);
    const struct GetPropsResponse key = props_of(w, bob, 2, PidTagRecordKey);
    assert_true(blob_equal(first_value(&key)->bin, permanent));
}

static struct prop name_in(struct world *w, const struct account *a, uint32_t codepage, uint32_t tag)
{
    const struct GetPropsResponse r =
        ASK(w, GetProps, .HasState = true, .State = { .CurrentRec = a->minimal_id, .CodePage = codepage },
            .HasPropertyTags = true, .PropertyTags = { 1, &tag });
    assert_int_equal(r.CodePage, codepage);
    CODE(r.ErrorCode, ecNone);
    return *first_value(&r);
}

static void text_of_8_bits_is_in_the_code_page_of_the_state(void **state)
{
    struct world *w = *state;
    const struct account *y = w->yaroslav;
    assert_string_equal(name_in(w, y, 1251, STRING8(PidTagDisplayName)).str, "Ярослав Иванов"); /* R446, R903 */
    assert_string_equal(name_in(w, y, 65001, STRING8(PidTagDisplayName)).str, "Ярослав Иванов");
    assert_string_equal(name_in(w, y, 1252, STRING8(PidTagDisplayName)).str, "??????? ??????");
    assert_string_equal(name_in(w, y, 20261, STRING8(PidTagDisplayName)).str, "??????? ??????"); /* R440 */
    assert_string_equal(name_in(w, y, 1252, PidTagDisplayName).str, "Ярослав Иванов");           /* R447 */
    assert_string_equal(name_in(w, w->emile, 1252, STRING8(PidTagDisplayName)).str, "Émile Zola");
    assert_string_equal(name_in(w, w->emile, 1252, STRING8(PidTagAddressBookDisplayNamePrintable)).str, "?mile Zola");
    assert_string_equal(name_in(w, w->emile, 1252, PROP_AS(PidTagAddressBookDisplayNamePrintable, PtypString)).str,
                        "?mile Zola"); /* R448 */
}

static void only_8_bit_text_needs_a_code_page(void **state)
{
    struct world *w = *state;
    static const uint32_t narrow[] = { PidTagObjectType, STRING8(PidTagDisplayName) };
    const struct STAT alice = { .CurrentRec = w->base.alice->minimal_id, .CodePage = 1200 };
    const struct GetPropsResponse r = ASK(w, GetProps, .HasState = true, .State = alice, TAGS_OF(narrow));
    CODE(r.ErrorCode, ecNotSupported); /* R873 */
    assert_false(r.HasPropertyValues);
    CODE(ASK(w, GetProps, .HasState = true, .State = alice).ErrorCode, ecNotSupported);
    assert_string_equal(name_in(w, w->base.alice, 1200, PidTagDisplayName).str, "Alice Example");
}

static void a_value_is_not_turned_into_another_kind(void **state)
{
    struct world *w = *state;
    static const uint32_t tags[] = { PROP_AS(PidTagDisplayName, PtypInteger32), PROP_AS(PidTagObjectType, PtypString),
                                     PROP_AS(PidTagAddressBookProxyAddresses, PtypString) };
    const struct GetPropsResponse r = ASK(w, GetProps, STATE(.CurrentRec = w->base.alice->minimal_id), TAGS_OF(tags));
    CODE(r.ErrorCode, ecWarnWithErrors);
    for (size_t i = 0; i < COUNTOF(tags); i++)
        assert_int_equal(r.PropertyValues.PropertyValues[i].tag, PROP_AS(tags[i], PtypErrorCode));
}

static void too_many_columns_are_refused_everywhere(void **state)
{
    struct world *w = *state;
    static uint32_t tags[1001];
    const char *names[] = { "bob" };
    CODE(ASK(w, GetProps, STATE(.CurrentRec = 0x10), TAGS_OF(tags)).ErrorCode, ecTableTooBig); /* R896 */
    CODE(ASK(w, QueryRows, STATE(0), .RowCount = 1, COLUMNS_OF(tags)).ErrorCode, ecTableTooBig);
    CODE(ASK(w, GetMatches, STATE(0), .RowCount = 1, COLUMNS_OF(tags)).ErrorCode, ecTableTooBig);
    CODE(ASK(w, ResolveNames, STATE(0), TAGS_OF(tags), .HasNames = true, .NameCount = 1, .Names = names).ErrorCode,
         ecTableTooBig);
}

/* ---- QueryRows ---- */

static void rows_are_in_the_order_of_their_names_and_the_hidden_are_none(void **state)
{
    struct world *w = *state;
    const struct QueryRowsResponse r = ASK(w, QueryRows, STATE(0), .RowCount = 50, COLUMNS_OF(name_alone));
    CODE(r.ErrorCode, ecNone);
    assert_string_equal(NAMES(w, r),
                        "Alice Example\nBob Example\nBobby Tables\nÉmile Zola\nЯрослав Иванов\n"); /* R93, R967 */
    assert_int_equal(r.State.CurrentRec, END);                                                     /* R1704 */
    assert_int_equal(r.State.NumPos, 5);
    assert_int_equal(r.State.TotalRecs, 5); /* R538 */
    const struct QueryRowsResponse none = ASK(w, QueryRows, .HasState = true, .State = r.State, .RowCount = 50);
    CODE(none.ErrorCode, ecNone); /* R986 */
    assert_int_equal(none.RowCount, 0);
    assert_int_equal(none.State.CurrentRec, END);
}

static void a_page_of_rows_moves_the_position_behind_it(void **state)
{
    struct world *w = *state;
    struct QueryRowsResponse r = ASK(w, QueryRows, STATE(0), .RowCount = 2, COLUMNS_OF(name_alone));
    assert_string_equal(NAMES(w, r), "Alice Example\nBob Example\n"); /* R962 */
    assert_int_equal(r.State.CurrentRec, w->bobby->minimal_id);       /* R556, R988, R1701 */
    assert_int_equal(r.State.NumPos, 2);                              /* R558, R561 */
    r = ASK(w, QueryRows, .HasState = true, .State = r.State, .RowCount = 2, COLUMNS_OF(name_alone));
    assert_string_equal(NAMES(w, r), "Bobby Tables\nÉmile Zola\n"); /* R969 */
    assert_int_equal(r.State.Delta, 0);
}

struct start {
    struct STAT at;
    const char *first; /* the name of the first row; NULL: there is none */
};

static void starts(struct world *w, const struct start *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct STAT at = all[i].at;
        at.CodePage = 1252;
        const struct QueryRowsResponse r =
            ASK(w, QueryRows, .HasState = true, .State = at, .RowCount = 1, COLUMNS_OF(name_alone));
        CODE(r.ErrorCode, ecNone);
        assert_int_equal(r.RowCount, all[i].first ? 1 : 0);
        if (all[i].first)
            assert_string_equal(r.RowData[0].values[0].str, all[i].first);
        assert_int_equal(r.State.TotalRecs, 5); /* R575 */
        assert_int_equal(r.State.Delta, 0);
    }
}

static void a_delta_moves_the_position_within_the_table(void **state)
{
    struct world *w = *state;
    const struct start all[] = {
        { { .CurrentRec = BEGINNING, .Delta = 1 }, "Bob Example" }, /* R80, R549 */
        { { .CurrentRec = END, .Delta = -1 }, "Ярослав Иванов" },   /* R81, R548 */
        { { .CurrentRec = w->bobby->minimal_id, .Delta = -2 }, "Alice Example" },
        { { .CurrentRec = w->bobby->minimal_id }, "Bobby Tables" },               /* R550 */
        { { .CurrentRec = w->bobby->minimal_id, .Delta = -3 }, "Alice Example" }, /* R1743 */
        { { .CurrentRec = w->bobby->minimal_id, .Delta = INT32_MIN }, "Alice Example" },
        { { .CurrentRec = BEGINNING, .Delta = INT32_MAX }, NULL }, /* R554 */
        { { .CurrentRec = END }, NULL },
        { { .CurrentRec = w->hidden->minimal_id }, "Alice Example" },
        { { .CurrentRec = 0xFFFFFFFF }, "Alice Example" },
    };
    starts(w, all, COUNTOF(all));
}

static void a_fraction_is_a_position_too(void **state)
{
    const struct start all[] = {
        { { .CurrentRec = CURRENT, .NumPos = 1, .TotalRecs = 2 }, "Bobby Tables" }, /* R577, R578 */
        { { .CurrentRec = CURRENT, .NumPos = 0, .TotalRecs = 2 }, "Alice Example" },
        { { .CurrentRec = CURRENT, .NumPos = 1, .TotalRecs = 2, .Delta = -1 }, "Bob Example" },   /* R587 */
        { { .CurrentRec = CURRENT, .NumPos = 1, .TotalRecs = 2, .Delta = 1 }, "Émile Zola" },     /* R588 */
        { { .CurrentRec = CURRENT, .NumPos = 1, .TotalRecs = 2, .Delta = -9 }, "Alice Example" }, /* R1745 */
        { { .CurrentRec = CURRENT, .NumPos = 1, .TotalRecs = 2, .Delta = 9 }, NULL },             /* R1747 */
        { { .CurrentRec = CURRENT, .NumPos = 9, .TotalRecs = 2 }, NULL },                         /* R580 */
        { { .CurrentRec = CURRENT, .NumPos = 0xFFFFFFFF, .TotalRecs = 0xFFFFFFFF }, NULL },
        { { .CurrentRec = CURRENT, .NumPos = 7, .TotalRecs = 0 }, "Alice Example" },
    };
    starts(*state, all, COUNTOF(all));
}

static void an_explicit_table_gives_its_rows_in_its_order(void **state)
{
    struct world *w = *state;
    const uint32_t table[] = { w->yaroslav->minimal_id, 0xABCDEF, w->hidden->minimal_id, w->base.alice->minimal_id };
    const struct STAT at = {
        .ContainerID = 77, .CurrentRec = w->bobby->minimal_id, .Delta = 3, .NumPos = 1, .TotalRecs = 2, .CodePage = 1252
    };
    struct QueryRowsResponse r = ASK(w, QueryRows, .HasState = true, .State = at, .ExplicitTableCount = 4,
                                     .ExplicitTable = table, .RowCount = 4, COLUMNS_OF(name_alone));
    CODE(r.ErrorCode, ecNone); /* R948: the container is not looked for */
    assert_string_equal(NAMES(w, r), "Ярослав Иванов\n-\nHidden Harry\nAlice Example\n"); /* R958, R971, R975, R985 */
    assert_memory_equal(&r.State, &at, sizeof at);
    r = ASK(w, QueryRows, .HasState = true, .State = at, .ExplicitTableCount = 4, .ExplicitTable = table, .RowCount = 1,
            COLUMNS_OF(name_alone));
    assert_string_equal(NAMES(w, r), "Ярослав Иванов\n");
}

static void rows_that_cannot_be_are_refused_without_a_state(void **state)
{
    struct world *w = *state;
    const struct QueryRowsResponse all[] = {
        ASK(w, QueryRows, STATE(0)),                                                       /* R939 */
        ASK(w, QueryRows, STATE(.ContainerID = 77), .RowCount = 1),                        /* R948 */
        ASK(w, QueryRows, .HasState = true, .State = { .CodePage = 1200 }, .RowCount = 1), /* R935 */
        ASK(w, QueryRows, .RowCount = 1),
    };
    static const enum ec codes[] = { ecInvalidParam, ecInvalidBookmark, ecNotSupported, ecInvalidParam };
    for (size_t i = 0; i < COUNTOF(all); i++) {
        CODE(all[i].ErrorCode, codes[i]);
        assert_false(all[i].HasState || all[i].HasColumnsAndRows); /* R943, R1762 */
    }
}

static void who_names_no_columns_gets_the_usual_seven(void **state)
{
    /* R1627 */
    static const uint32_t usual[] = { PidTagAddressBookContainerId,
                                      PidTagObjectType,
                                      PidTagDisplayType,
                                      STRING8(PidTagDisplayName),
                                      STRING8(PidTagPrimaryTelephoneNumber),
                                      STRING8(PidTagDepartmentName),
                                      STRING8(PidTagOfficeLocation) };
    struct world *w = *state;
    const struct QueryRowsResponse r = ASK(w, QueryRows, STATE(0), .RowCount = 1);
    assert_int_equal(r.Columns.PropertyTagCount, COUNTOF(usual));
    assert_memory_equal(r.Columns.PropertyTags, usual, sizeof usual);
    assert_string_equal(r.RowData[0].values[3].str, "Alice Example");
    assert_int_equal(PROP_TYPE(r.RowData[0].values[4].tag), PtypErrorCode);
}

static void no_question_makes_an_answer_without_bounds(void **state)
{
    struct world *w = *state;
    uint32_t *table = talloc_zero_array(w->call.arena, uint32_t, 250000);
    static uint32_t tags[1000];
    for (size_t i = 0; i < COUNTOF(tags); i++)
        tags[i] = PidTagDisplayName;
    const struct QueryRowsResponse r = ASK(w, QueryRows, STATE(0), .ExplicitTableCount = 250000, .ExplicitTable = table,
                                           .RowCount = 0xFFFFFFFF, COLUMNS_OF(tags));
    CODE(r.ErrorCode, ecNone);
    assert_int_equal(r.RowCount, 100);
    const char **names = talloc_array(w->call.arena, const char *, 1001);
    for (size_t i = 0; i < 1001; i++)
        names[i] = "bob";
    CODE(ASK(w, ResolveNames, STATE(0), .HasNames = true, .NameCount = 1001, .Names = names).ErrorCode, ecTableTooBig);
    CODE(ASK(w, ResolveNames, STATE(0), TAGS_OF(tags), .HasNames = true, .NameCount = 101, .Names = names).ErrorCode,
         ecTableTooBig);
}

/* ---- GetMatches ---- */

static const struct restriction is_bob = { .type = RES_CONTENT,
                                           .fuzzy_low = FL_PREFIX,
                                           .fuzzy_high = FL_IGNORECASE,
                                           .tag = PidTagDisplayName,
                                           .value = { .tag = PidTagDisplayName, .str = "BOB" } };
static const struct restriction is_emile = { .type = RES_PROPERTY,
                                             .relop = RELOP_EQ,
                                             .tag = PidTagSmtpAddress,
                                             .value = { .tag = PidTagSmtpAddress, .str = "emile@contoso.com" } };
static const struct restriction called_zola = {
    .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagAnr, .value = { .tag = PidTagAnr, .str = "emile" }
};

static struct GetMatchesResponse matching(struct world *w, const struct restriction *filter)
{
    return ASK(w, GetMatches, STATE(0), .HasFilter = true, .Filter = filter, .RowCount = 50, COLUMNS_OF(name_alone));
}

static void each_kind_of_restriction_finds_its_people(void **state)
{
    struct world *w = *state;
    const struct restriction two[] = { is_bob, is_emile }, named[] = { called_zola, is_bob };
    const struct restriction exact_name = { .type = RES_NOT, .count = 1, .sub = &called_zola };
    const struct {
        struct restriction filter;
        const char *names;
    } all[] = {
        { is_bob, "Bob Example\nBobby Tables\n" },                                                          /* R1911 */
        { is_emile, "Émile Zola\n" },                                                                       /* R1912 */
        { { .type = RES_OR, .count = 2, .sub = two }, "Bob Example\nBobby Tables\nÉmile Zola\n" },          /* R1909 */
        { { .type = RES_AND, .count = 2, .sub = two }, "" },                                                /* R1908 */
        { { .type = RES_NOT, .count = 1, .sub = &is_bob }, "Alice Example\nÉmile Zola\nЯрослав Иванов\n" }, /* R1910 */
        { { .type = RES_EXIST, .tag = PidTagTitle }, "" },                                                  /* R1914 */
        { { .type = RES_EXIST, .tag = STRING8(PidTagAccount) },
          "Alice Example\nBob Example\nBobby Tables\nÉmile Zola\nЯрослав Иванов\n" },
        { called_zola, "Émile Zola\n" }, /* R1913 */
        { { .type = RES_OR, .count = 2, .sub = named }, "Bob Example\nBobby Tables\nÉmile Zola\n" },
        { exact_name, "Alice Example\nBob Example\nBobby Tables\nЯрослав Иванов\n" },
        { { .type = RES_PROPERTY,
            .relop = RELOP_EQ,
            .tag = PidTagAddressBookProxyAddresses,
            .value = { .tag = PROP_AS(PidTagAddressBookProxyAddresses, PtypString), .str = "smtp:ALICE@contoso.com" } },
          "Alice Example\n" },
        { { .type = RES_BITMASK, .relop = 1, .tag = PidTagObjectType, .number = 2 },
          "Alice Example\nBob Example\nBobby Tables\nÉmile Zola\nЯрослав Иванов\n" },
    };
    for (size_t i = 0; i < COUNTOF(all); i++) {
        const struct GetMatchesResponse r = matching(w, &all[i].filter);
        CODE(r.ErrorCode, ecNone);                      /* R1167 */
        assert_string_equal(NAMES(w, r), all[i].names); /* R1127, R1128 */
        assert_int_equal(r.MinimalIdCount, r.RowCount);
    }
}

static void a_filter_of_8_bits_is_in_the_code_page_of_the_state(void **state)
{
    struct world *w = *state;
    const struct restriction filter = { .type = RES_PROPERTY,
                                        .relop = RELOP_EQ,
                                        .tag = STRING8(PidTagAnr),
                                        .value = { .tag = STRING8(PidTagAnr), .str = "ярослав" } };
    const struct GetMatchesResponse r = ASK(w, GetMatches, .HasState = true, .State = { .CodePage = 1251 },
                                            .HasFilter = true, .Filter = &filter, .RowCount = 1);
    assert_int_equal(r.MinimalIdCount, 1);
    assert_int_equal(r.MinimalIds[0], w->yaroslav->minimal_id);
}

static void matches_are_ids_and_rows_with_ephemeral_ids(void **state)
{
    static const uint32_t entry[] = { PidTagEntryId };
    struct world *w = *state;
    const struct STAT at = {
        .CurrentRec = w->bobby->minimal_id, .Delta = 4, .NumPos = 1, .TotalRecs = 9, .CodePage = 1252
    };
    struct GetMatchesResponse r =
        ASK(w, GetMatches, .Reserved = 5, .HasState = true, .State = at, .InterfaceOptionFlags = 9, .HasFilter = true,
            .Filter = &is_bob, .RowCount = 2, COLUMNS_OF(entry));
    struct STAT after = at;
    after.ContainerID = at.CurrentRec;
    assert_memory_equal(&r.State, &after, sizeof after);        /* R1146, R1147, R1165 */
    assert_int_equal(r.MinimalIds[1], w->bobby->minimal_id);    /* R1092 */
    assert_int_equal(r.RowData[0].values[0].bin.data[0], 0x87); /* R1155, R1696 */
    r = ASK(w, GetMatches, .HasState = true, .State = at, .HasFilter = true, .Filter = &is_bob, .RowCount = 2);
    assert_int_equal(r.MinimalIdCount, 2);
    assert_false(r.HasColumnsAndRows); /* R1154 */
}

static void matches_that_cannot_be_are_refused_without_a_state(void **state)
{
    struct world *w = *state;
    static struct restriction many[1001];
    for (size_t i = 0; i < COUNTOF(many); i++)
        many[i] = is_emile;
    const struct restriction broad = { .type = RES_OR, .count = COUNTOF(many), .sub = many };
    const struct GetMatchesResponse all[] = {
        ASK(w, GetMatches, STATE(0), .HasFilter = true, .Filter = &is_bob, .RowCount = 1),                 /* R1149 */
        ASK(w, GetMatches, STATE(.SortType = 0x3E8), .HasFilter = true, .Filter = &is_bob, .RowCount = 9), /* R1105 */
        ASK(w, GetMatches, STATE(.ContainerID = 5), .HasFilter = true, .Filter = &is_bob, .RowCount = 9),  /* R1122 */
        ASK(w, GetMatches, .HasState = true, .State = { .CodePage = 1200 }, .HasFilter = true,
            .Filter = &is_bob), /* R1101 */
        ASK(w, GetMatches, .HasFilter = true, .Filter = &is_bob, .RowCount = 9),
        ASK(w, GetMatches, STATE(0), .HasFilter = true, .Filter = &broad, .RowCount = 9), /* R1125 */
    };
    static const enum ec codes[] = { ecTableTooBig,  ecError,        ecInvalidBookmark,
                                     ecNotSupported, ecInvalidParam, ecTooComplex };
    for (size_t i = 0; i < COUNTOF(all); i++) {
        CODE(all[i].ErrorCode, codes[i]);
        assert_false(all[i].HasState || all[i].HasMinimalIds || all[i].HasColumnsAndRows); /* R1635, R1636, R1756 */
    }
}

static void without_a_filter_the_people_of_a_property_are_meant(void **state)
{
    struct world *w = *state;
    const uint32_t bob = w->base.bob->minimal_id;
    const struct GetMatchesResponse r =
        ASK(w, GetMatches, STATE(.SortType = 0x3E8, .ContainerID = PidTagAddressBookManager, .CurrentRec = bob),
            .RowCount = 9, COLUMNS_OF(name_alone));
    CODE(r.ErrorCode, ecNone); /* R1132, R1135, R1141 */
    assert_true(r.HasMinimalIds && r.HasColumnsAndRows);
    assert_int_equal(r.RowCount, 0);
    assert_int_equal(r.State.ContainerID, bob);
    CODE(ASK(w, GetMatches, STATE(.SortType = 0x3E8, .ContainerID = PidTagAddressBookManager, .CurrentRec = 5))
             .ErrorCode,
         ecError); /* R1138 */
    CODE(ASK(w, GetMatches, STATE(.SortType = 0x3E8, .ContainerID = PidTagDisplayName, .CurrentRec = bob)).ErrorCode,
         ecNotSupported); /* R1140 */
    CODE(ASK(w, GetMatches, STATE(.SortType = 0x3E9, .ContainerID = PidTagAddressBookMember, .CurrentRec = bob))
             .ErrorCode,
         ecNotSupported); /* R1139 */
}

static void a_filter_may_compare_with_nothing(void **state)
{
    struct world *w = *state;
    const struct restriction nothing[] = {
        { .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagAnr, .value = { .tag = PidTagAnr } },
        { .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagDisplayName, .value = { .tag = PidTagDisplayName } },
        { .type = RES_CONTENT, .tag = PidTagDisplayName, .value = { .tag = PidTagDisplayName } },
        { .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagDisplayName },
        { .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagAnr, .value = { .tag = PidTagAnr, .str = "" } },
    };
    for (size_t i = 0; i < COUNTOF(nothing); i++) {
        const struct GetMatchesResponse r = matching(w, &nothing[i]);
        CODE(r.ErrorCode, ecNone);
        assert_int_equal(r.RowCount, 0);
    }
}

/* ---- ResolveNames ---- */

static void a_name_is_nobody_s_somebody_s_or_several_people_s(void **state)
{
    struct world *w = *state;
    const char *names[] = { "bo",     "",    "emile z", "nobody", "=SMTP:alice@contoso.com", w->base.bob->legacy_dn,
                            "Hidden", "ярос" };
    static const uint32_t ids[] = { AMBIGUOUS, UNRESOLVED, RESOLVED,   UNRESOLVED,
                                    RESOLVED,  RESOLVED,   UNRESOLVED, RESOLVED };
    const struct ResolveNamesResponse r = ASK(w, ResolveNames, .Reserved = 0x80000000, STATE(0), TAGS_OF(name_alone),
                                              .HasNames = true, .NameCount = COUNTOF(names), .Names = names);
    CODE(r.ErrorCode, ecNone); /* R1443, MS-OXCMAPIHTTP_R1314 */
    assert_int_equal(r.CodePage, 1252);
    assert_int_equal(r.MinimalIdCount, COUNTOF(ids));
    for (size_t i = 0; i < COUNTOF(ids); i++)
        assert_int_equal(r.MinimalIds[i], ids[i]); /* R88 to R90, R618 to R624, R1426 */
    assert_string_equal(NAMES(w, r), "Émile Zola\nAlice Example\nBob Example\nЯрослав Иванов\n"); /* R1395, R1430 */
}

static void whoever_is_named_exactly_is_meant(void **state)
{
    struct world *w = *state;
    const char *names[] = { "bob", "BOB@contoso.com", "Bob Example", "Bob" };
    const struct ResolveNamesResponse r =
        ASK(w, ResolveNames, STATE(0), TAGS_OF(name_alone), .HasNames = true, .NameCount = 4, .Names = names);
    assert_string_equal(NAMES(w, r), "Bob Example\nBob Example\nBob Example\nBob Example\n");
}

static void names_that_cannot_be_resolved_are_refused_without_rows(void **state)
{
    struct world *w = *state;
    const char *names[] = { "bob" };
    const struct ResolveNamesResponse all[] = {
        ASK(w, ResolveNames, .HasState = true, .State = { .CodePage = 1200 }, .HasNames = true, .NameCount = 1,
            .Names = names),
        ASK(w, ResolveNames, STATE(.ContainerID = 99), .HasNames = true, .NameCount = 1, .Names = names),
        ASK(w, ResolveNames, .HasNames = true, .NameCount = 1, .Names = names),
    };
    static const enum ec codes[] = { ecNotSupported, ecInvalidBookmark, ecInvalidParam }; /* R1410, R1423 */
    for (size_t i = 0; i < COUNTOF(all); i++) {
        CODE(all[i].ErrorCode, codes[i]);
        assert_false(all[i].HasMinimalIds || all[i].HasRowsAndCols); /* R1418, R1761 */
    }
    const struct ResolveNamesResponse none = ASK(w, ResolveNames, STATE(0));
    CODE(none.ErrorCode, ecNone);
    assert_int_equal(none.MinimalIdCount, 0);
}

/* ---- DNToMId ---- */

static void a_distinguished_name_has_a_minimal_id_or_none(void **state)
{
    struct world *w = *state;
    const char *names[] = { "/o=Nobody", text_upper(w->call.arena, w->base.alice->legacy_dn), "", w->hidden->legacy_dn,
                            account_server_dn(w->call.arena, w->call.settings, w->base.bob) };
    const struct DnToMinIdResponse r =
        ASK(w, DnToMinId, .Reserved = 3, .HasNames = true, .NameCount = 5, .Names = names);
    CODE(r.ErrorCode, ecNone); /* R1243, R1266, R1700 */
    assert_true(r.HasMinimalIds);
    assert_int_equal(r.MinimalIdCount, 5); /* R1263 */
    assert_int_equal(r.MinimalIds[0], 0);  /* R1260 */
    assert_int_equal(r.MinimalIds[1], w->base.alice->minimal_id);
    assert_int_equal(r.MinimalIds[2], 0);
    assert_int_equal(r.MinimalIds[3], w->hidden->minimal_id);
    assert_int_equal(r.MinimalIds[4], w->base.bob->minimal_id);
    assert_false(ASK(w, DnToMinId, .Reserved = 0).HasMinimalIds);
}

/* ---- where a mailbox is ---- */

static void a_mailbox_and_its_address_book_have_a_URL(void **state)
{
    struct world *w = *state;
    const struct account *bob = w->base.bob;
    const char *dn = account_server_dn(w->call.arena, w->call.settings, bob);
    const char *mdb = talloc_asprintf(w->call.arena, "%s/cn=microsoft private mdb", dn);
    const char *id = talloc_asprintf(w->call.arena, "MailboxId=%s", account_mailbox_id(w->call.arena, bob));
    const struct GetMailboxUrlResponse r = ASK(w, GetMailboxUrl, .Flags = 9, .ServerDn = dn);
    CODE(r.ErrorCode, ecNone);
    assert_int_equal(strncmp(r.ServerUrl, "https://mail.contoso.com/mapi/emsmdb/?", 38), 0);
    assert_non_null(strstr(r.ServerUrl, id));
    assert_string_equal(ASK(w, GetMailboxUrl, .ServerDn = mdb).ServerUrl, r.ServerUrl);
    const struct GetAddressBookUrlResponse book = ASK(w, GetAddressBookUrl, .Flags = 9, .UserDn = bob->legacy_dn);
    CODE(book.ErrorCode, ecNone);
    assert_non_null(strstr(book.ServerUrl, "/mapi/nspi/?"));
    const struct GetMailboxUrlResponse nobody = ASK(w, GetMailboxUrl, .ServerDn = "/o=Nobody");
    CODE(nobody.ErrorCode, ecNotFound);
    assert_string_equal(nobody.ServerUrl, "");
}

static void a_client_from_outside_is_sent_to_the_outside_address(void **state)
{
    struct world *w = *state;
    struct org_virtual_directory mapi = *org_directory_of(w->call.settings, ORG_MAPI);
    mapi.external_url = "https://out.contoso.com/mapi";
    assert_int_equal(org_directory_set(w->base.org, &mapi), ecNone);
    w->call.settings = org_settings(w->base.org, w->call.arena);
    static const struct {
        const char *host, *begin;
    } all[] = {
        { "out.contoso.com", "https://out." },
        { "OUT.contoso.com:443", "https://out." },
        { "mail.contoso.com", "https://mail." },
        { "out.contoso.community", "https://mail." },
        { "", "https://mail." },
        { NULL, "https://mail." },
    };
    for (size_t i = 0; i < COUNTOF(all); i++) {
        w->call.host = all[i].host;
        const struct GetMailboxUrlResponse r = ASK(w, GetMailboxUrl, .ServerDn = w->base.bob->legacy_dn);
        assert_int_equal(strncmp(r.ServerUrl, all[i].begin, strlen(all[i].begin)), 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)
    const struct CMUnitTest tests[] = {
        TEST(bind_always_names_the_same_server),
        TEST(bind_refuses_a_code_page_without_8_bit_text),
        TEST(unbind_succeeds_with_one),
        TEST(the_hierarchy_is_the_global_address_list),
        TEST(a_hierarchy_that_the_client_has_is_not_sent_again),
        TEST(text_of_the_hierarchy_is_8_bit_unless_Unicode_is_asked_for),
        TEST(there_are_no_templates_to_create_addresses_with),
        TEST(values_come_in_the_order_of_the_tags_also_twice),
        TEST(nobody_has_no_values),
        TEST(without_tags_all_that_somebody_has_comes_with_8_bit_text),
        TEST(the_properties_of_a_mailbox_are_its_account_s),
        TEST(an_entry_id_is_permanent_unless_ephemeral_is_asked_for),
        TEST(text_of_8_bits_is_in_the_code_page_of_the_state),
        TEST(only_8_bit_text_needs_a_code_page),
        TEST(a_value_is_not_turned_into_another_kind),
        TEST(too_many_columns_are_refused_everywhere),
        TEST(rows_are_in_the_order_of_their_names_and_the_hidden_are_none),
        TEST(a_page_of_rows_moves_the_position_behind_it),
        TEST(a_delta_moves_the_position_within_the_table),
        TEST(a_fraction_is_a_position_too),
        TEST(an_explicit_table_gives_its_rows_in_its_order),
        TEST(rows_that_cannot_be_are_refused_without_a_state),
        TEST(who_names_no_columns_gets_the_usual_seven),
        TEST(no_question_makes_an_answer_without_bounds),
        TEST(each_kind_of_restriction_finds_its_people),
        TEST(a_filter_of_8_bits_is_in_the_code_page_of_the_state),
        TEST(matches_are_ids_and_rows_with_ephemeral_ids),
        TEST(matches_that_cannot_be_are_refused_without_a_state),
        TEST(without_a_filter_the_people_of_a_property_are_meant),
        TEST(a_filter_may_compare_with_nothing),
        TEST(a_name_is_nobody_s_somebody_s_or_several_people_s),
        TEST(whoever_is_named_exactly_is_meant),
        TEST(names_that_cannot_be_resolved_are_refused_without_rows),
        TEST(a_distinguished_name_has_a_minimal_id_or_none),
        TEST(a_mailbox_and_its_address_book_have_a_URL),
        TEST(a_client_from_outside_is_sent_to_the_outside_address),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
