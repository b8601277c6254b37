/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXNSPI] 3.1.4.1: the functions of the address book. */
#include "nspi/nspi.h"

#include "nspi/person.h"
#include "nspi/table.h"
#include "wire/entry_id.h"

enum { MID_UNRESOLVED = 0, MID_AMBIGUOUS = 1, MID_RESOLVED = 2 };
enum { SPECIAL_ADDRESS_CREATION = 2, SPECIAL_UNICODE = 4 };
enum { AB_RECIPIENTS = 1, AB_UNMODIFIABLE = 8 }; /* PidTagContainerFlags */
#define HIERARCHY_VERSION 1u
#define UNICODE_PROPTYPES 0x80000000u /* [MS-OXNSPI] 2.2.1.13 */
#define TAGS_MAX 1000u                /* of one row */
#define VALUES_MAX 100000u            /* of one answer */
#define NAMES_MAX 1000u               /* to resolve */

/* [MS-OXNSPI] 3.1.4.1.8 */
static const uint32_t default_columns[] = {
    PidTagAddressBookContainerId,
    PidTagObjectType,
    PidTagDisplayType,
    PROP_AS(PidTagDisplayName, PtypString8),
    PROP_AS(PidTagPrimaryTelephoneNumber, PtypString8),
    PROP_AS(PidTagDepartmentName, PtypString8),
    PROP_AS(PidTagOfficeLocation, PtypString8),
};

/* The organisation's own GUID, so that what a client has kept stays valid. */
struct guid nspi_server_guid(const struct org_settings *settings)
{
    return settings->deployment_id;
}

/* The columns that were asked for, or the usual ones. */
static enum ec choose_columns(bool has, const struct LargePropertyTagArray *asked, struct LargePropertyTagArray *out)
{
    *out = has ? *asked : (struct LargePropertyTagArray){ COUNTOF(default_columns), default_columns };
    return out->PropertyTagCount > TAGS_MAX ? ecTableTooBig : ecNone;
}

static uint32_t rows_that_fit(const struct LargePropertyTagArray *columns)
{
    return VALUES_MAX / MAX(columns->PropertyTagCount, 10);
}

static struct props row_of(const struct nspi_call *call, const struct account *a,
                           const struct LargePropertyTagArray *columns, uint32_t flags)
{
    return person_row(call, a, columns->PropertyTags, columns->PropertyTagCount, flags);
}

/* ---- the functions ---- */

/* [MS-OXNSPI] 3.1.4.1.1 */
enum ec nspi_Bind(struct nspi_call *call, const struct BindRequest *request, struct BindResponse *response)
{
    const uint32_t codepage = request->HasState ? request->State.CodePage : 0;
    if (codepage == CP_WINUNICODE || (codepage && !codepage_known(codepage)))
        return ecInvalidCodepage;
    response->ServerGuid = nspi_server_guid(call->settings);
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.2: success is not zero here */
enum ec nspi_Unbind(struct nspi_call *call, const struct UnbindRequest *request, struct UnbindResponse *response)
{
    (void)call, (void)request, (void)response;
    return ecUnbindSuccess;
}

/* [MS-OXNSPI] 3.1.4.1.13: 0 for a name that nobody has */
enum ec nspi_DnToMinId(struct nspi_call *call, const struct DnToMinIdRequest *request,
                       struct DnToMinIdResponse *response)
{
    uint32_t *ids = talloc_zero_array(call->arena, uint32_t, request->NameCount + 1);
    for (uint32_t i = 0; i < request->NameCount; i++) {
        const struct account *a = directory_by_legacy_dn(call->directory, call->arena, request->Names[i]);
        ids[i] = a ? a->minimal_id : 0;
    }
    response->HasMinimalIds = request->HasNames;
    response->MinimalIdCount = request->NameCount;
    response->MinimalIds = ids;
    return ecNone;
}

/* One row: the global address list.  Its name is left to the client, which has one in the user's language. */
static struct AddressBookPropertyValueList *hierarchy(struct nspi_call *call, bool unicode)
{
    struct AddressBookPropertyValueList *row = talloc(call->arena, struct AddressBookPropertyValueList);
    struct prop *values = talloc_array(row, struct prop, 6);
    values[0] = P_BIN(PidTagEntryId, address_book_entry_id(call->arena, "/", DT_CONTAINER));
    values[1] = P_I32(PidTagContainerFlags, AB_RECIPIENTS | AB_UNMODIFIABLE);
    values[2] = P_I32(PidTagDepth, 0);
    values[3] = P_I32(PidTagAddressBookContainerId, GLOBAL_ADDRESS_LIST);
    values[4] = P_STR(PROP_AS(PidTagDisplayName, unicode ? PtypString : PtypString8), "");
    values[5] = P_BOOL(PidTagAddressBookIsMaster, false);
    *row = (struct AddressBookPropertyValueList){ 6, values };
    return row;
}

/* [MS-OXNSPI] 3.1.4.1.3 */
enum ec nspi_GetSpecialTable(struct nspi_call *call, const struct GetSpecialTableRequest *request,
                             struct GetSpecialTableResponse *response)
{
    const bool unicode = request->Flags & SPECIAL_UNICODE;
    const uint32_t codepage = request->HasState ? request->State.CodePage : 0;
    if (!unicode && codepage == CP_WINUNICODE)
        return ecNotSupported;
    response->CodePage = codepage;
    if (request->Flags & SPECIAL_ADDRESS_CREATION)
        return ecNone; /* no templates: an empty table */
    response->HasVersion = true;
    response->Version = HIERARCHY_VERSION;
    response->HasRows = !request->HasVersion || request->Version != HIERARCHY_VERSION;
    if (response->HasRows) {
        response->RowsCount = 1;
        response->Rows = hierarchy(call, unicode);
    }
    return ecNone;
}

/* Only 8-bit text needs a code page. */
static bool wants_8_bits(const struct LargePropertyTagArray *tags)
{
    for (uint32_t i = 0; i < tags->PropertyTagCount; i++)
        if ((PROP_TYPE(tags->PropertyTags[i]) & ~PtypMultiple) == PtypString8)
            return true;
    return false;
}

/* Without tags the answer has all that GetPropList would name. */
static enum ec choose_tags(const struct nspi_call *call, const struct GetPropsRequest *request, const struct account *a,
                           struct LargePropertyTagArray *tags)
{
    *tags = request->PropertyTags;
    if (!request->HasPropertyTags && !a)
        return ecInvalidObject;
    if (!request->HasPropertyTags)
        tags->PropertyTags = person_tags(call, a, &tags->PropertyTagCount);
    if (request->State.CodePage == CP_WINUNICODE && wants_8_bits(tags))
        return ecNotSupported;
    return tags->PropertyTagCount > TAGS_MAX ? ecTableTooBig : ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.7: every tag that was asked for, in order, whether there is a value or not.  In which container
 * the object was seen does not matter. */
enum ec nspi_GetProps(struct nspi_call *call, const struct GetPropsRequest *request, struct GetPropsResponse *response)
{
    struct LargePropertyTagArray tags;
    if (!request->HasState)
        return ecInvalidParam;
    const struct account *a = directory_by_minimal_id(call->directory, call->arena, request->State.CurrentRec);
    const enum ec ec = choose_tags(call, request, a, &tags);
    if (ec)
        return ec;
    const struct props row = row_of(call, a, &tags, request->Flags);
    response->CodePage = request->State.CodePage;
    response->HasPropertyValues = true;
    response->PropertyValues = (struct AddressBookPropertyValueList){ row.count, row.values };
    for (uint32_t i = 0; i < row.count; i++)
        if (PROP_TYPE(row.values[i].tag) == PtypErrorCode)
            return ecWarnWithErrors; /* ErrorsReturned, with the data */
    return ecNone;
}

static void put_rows(struct QueryRowsResponse *response, const struct STAT *state, struct props *rows, uint32_t count)
{
    response->HasState = true;
    response->State = *state;
    response->HasColumnsAndRows = true;
    response->RowCount = count;
    response->RowData = rows;
}

/* Rows of the ids, in their order; of one that nobody has all values are errors. */
static void query_explicit(struct nspi_call *call, const struct QueryRowsRequest *request,
                           struct QueryRowsResponse *response)
{
    const uint32_t asked = request->RowCount ? request->RowCount : request->ExplicitTableCount;
    const uint32_t count = MIN(MIN(request->ExplicitTableCount, asked), rows_that_fit(&response->Columns));
    struct props *rows = talloc_array(call->arena, struct props, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct account *a = directory_by_minimal_id(call->directory, call->arena, request->ExplicitTable[i]);
        rows[i] = row_of(call, a, &response->Columns, request->Flags);
    }
    put_rows(response, &request->State, rows, count);
}

/* Rows from the position on, which moves behind them. */
static void query_container(struct nspi_call *call, const struct QueryRowsRequest *request,
                            struct QueryRowsResponse *response)
{
    const struct account_list *list = address_list(call);
    const size_t at = position_of(call, &request->State, list);
    const uint32_t count = (uint32_t)MIN(list->count - at, MIN(request->RowCount, rows_that_fit(&response->Columns)));
    struct props *rows = talloc_array(call->arena, struct props, MAX(count, 1));
    for (uint32_t i = 0; i < count; i++)
        rows[i] = row_of(call, list->accounts[at + i], &response->Columns, request->Flags);
    const struct STAT behind = state_at(request->State, list, at + count);
    put_rows(response, &behind, rows, count);
}

/* [MS-OXNSPI] 3.1.4.1.8: never more rows than were asked for */
enum ec nspi_QueryRows(struct nspi_call *call, const struct QueryRowsRequest *request,
                       struct QueryRowsResponse *response)
{
    enum ec ec = check_state(request->HasState, &request->State);
    if (!ec && !request->ExplicitTableCount && !request->RowCount)
        ec = ecInvalidParam;
    if (!ec && !request->ExplicitTableCount)
        ec = check_container(&request->State);
    if (!ec)
        ec = choose_columns(request->HasColumns, &request->Columns, &response->Columns);
    if (ec)
        return ec;
    (request->ExplicitTableCount ? query_explicit : query_container)(call, request, response);
    return ecNone;
}

/* Does the property hold objects of the address book?  A mailbox has none in any of them. */
static bool holds_objects(uint32_t tag)
{
    static const uint32_t tags[] = { PidTagAddressBookManager,      PidTagAddressBookIsMemberOfDistributionList,
                                     PidTagAddressBookMember,       PidTagAddressBookOwner,
                                     PidTagAddressBookReports,      PidTagAddressBookPublicDelegates,
                                     PidTagAddressBookOwnerBackLink };
    for (size_t i = 0; i < COUNTOF(tags); i++)
        if (PROP_ID(tags[i]) == PROP_ID(tag))
            return true;
    return false;
}

/* The explicit table that GetMatches makes, as it grows. */
struct matches {
    uint32_t *ids;
    struct props *rows;
    uint32_t count, limit;
};

/* Without a filter the objects are meant that a property of CurrentRec refers to; ContainerID is its tag. */
static enum ec match_property(struct nspi_call *call, const struct GetMatchesRequest *request)
{
    if (!directory_by_minimal_id(call->directory, call->arena, request->State.CurrentRec))
        return ecError;
    const bool can = !request->HasPropertyName && request->State.SortType != SORT_WRITABLE &&
                     holds_objects(request->State.ContainerID);
    return can ? ecNone : ecNotSupported;
}

static enum ec match_filter(struct nspi_call *call, const struct GetMatchesRequest *request,
                            const struct LargePropertyTagArray *columns, struct matches *m)
{
    if (request->State.SortType != SORT_DISPLAY_NAME && request->State.SortType != SORT_PHONETIC)
        return ecError;
    if (check_container(&request->State))
        return ecInvalidBookmark;
    const struct account_list *list = address_list(call);
    const struct person_filter *filter = person_filter(call->arena, request->Filter);
    if (!filter)
        return ecTooComplex;
    m->ids = talloc_array(call->arena, uint32_t, MIN(list->count, m->limit) + 1);
    m->rows = talloc_array(call->arena, struct props, MIN(list->count, m->limit) + 1);
    for (size_t i = 0; i < list->count; i++) {
        const struct account *a = list->accounts[i];
        if (!person_matches(call, a, filter))
            continue;
        if (m->count == m->limit)
            return ecTableTooBig;
        m->ids[m->count] = a->minimal_id;
        m->rows[m->count++] = row_of(call, a, columns, NSPI_EPHEMERAL_IDS);
    }
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.10: a table of ids, with rows for who names columns */
enum ec nspi_GetMatches(struct nspi_call *call, const struct GetMatchesRequest *request,
                        struct GetMatchesResponse *response)
{
    static const struct LargePropertyTagArray none;
    enum ec ec = check_state(request->HasState, &request->State);
    if (!ec)
        ec = choose_columns(true, request->HasColumns ? &request->Columns : &none, &response->Columns);
    struct matches m = { .limit = MIN(request->RowCount, rows_that_fit(&response->Columns)) };
    if (!ec)
        ec = request->HasFilter ? match_filter(call, request, &response->Columns, &m) : match_property(call, request);
    if (ec)
        return ec;
    response->HasState = true;
    response->State = request->State;
    response->State.ContainerID = request->State.CurrentRec;
    response->HasMinimalIds = true;
    response->MinimalIdCount = m.count;
    response->MinimalIds = m.ids;
    response->HasColumnsAndRows = request->HasColumns;
    response->RowCount = m.count;
    response->RowData = m.rows;
    return ecNone;
}

/* Nobody, somebody (then *found) or several.  Of several the one wins that was named exactly.  [MS-OXNSPI] 3.1.4.7 */
static uint32_t resolve(struct nspi_call *call, const char *typed, const struct account **found)
{
    struct account_list list = directory_resolve(call->directory, call->arena, typed, ACCOUNTS_IN_ADDRESS_BOOK, 2);
    if (list.count == 0)
        return MID_UNRESOLVED;
    if (list.count > 1) {
        const char *exactly = talloc_asprintf(call->arena, "=%s", typed);
        list = directory_resolve(call->directory, call->arena, exactly, ACCOUNTS_IN_ADDRESS_BOOK, 2);
    }
    if (list.count != 1)
        return MID_AMBIGUOUS;
    *found = list.accounts[0];
    return MID_RESOLVED;
}

/* [MS-OXNSPI] 3.1.4.1.17: an id for each name, and rows for those who are somebody */
enum ec nspi_ResolveNames(struct nspi_call *call, const struct ResolveNamesRequest *request,
                          struct ResolveNamesResponse *response)
{
    enum ec ec = check_state(request->HasState, &request->State);
    if (!ec)
        ec = check_container(&request->State);
    if (!ec)
        ec = choose_columns(request->HasPropertyTags, &request->PropertyTags, &response->PropertyTags);
    if (!ec && request->NameCount > MIN(NAMES_MAX, rows_that_fit(&response->PropertyTags)))
        ec = ecTableTooBig;
    if (ec)
        return ec;
    uint32_t *ids = talloc_array(call->arena, uint32_t, request->NameCount + 1);
    struct props *rows = talloc_array(call->arena, struct props, request->NameCount + 1);
    for (uint32_t i = 0; i < request->NameCount; i++) {
        const struct account *found = NULL;
        ids[i] = resolve(call, request->Names[i], &found);
        if (found)
            rows[response->RowCount++] = row_of(call, found, &response->PropertyTags, 0);
    }
    response->CodePage = request->State.CodePage;
    response->HasMinimalIds = true;
    response->MinimalIdCount = request->NameCount;
    response->MinimalIds = ids;
    response->HasRowsAndCols = true;
    response->RowData = rows;
    return ecNone;
}

/* ---- what there is to know ---- */

static uint32_t in_unicode(uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag), many = type & PtypMultiple;
    return (type & ~PtypMultiple) == PtypString8 ? PROP_AS(tag, PtypString | many) : tag;
}

/* [MS-OXNSPI] 3.1.4.1.5 */
enum ec nspi_QueryColumns(struct nspi_call *call, const struct QueryColumnsRequest *request,
                          struct QueryColumnsResponse *response)
{
    uint32_t count;
    const uint32_t *all = person_tags(call, NULL, &count);
    uint32_t *tags = talloc_array(call->arena, uint32_t, count);
    for (uint32_t i = 0; i < count; i++)
        tags[i] = request->MapiFlags & UNICODE_PROPTYPES ? in_unicode(all[i]) : all[i];
    response->HasColumns = true;
    response->Columns = (struct LargePropertyTagArray){ count, tags };
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.6.  Nobody has a table of objects, so that fSkipObjects leaves nothing out. */
enum ec nspi_GetPropList(struct nspi_call *call, const struct GetPropListRequest *request,
                         struct GetPropListResponse *response)
{
    if (request->CodePage == CP_WINUNICODE)
        return ecNotSupported;
    const struct account *a = directory_by_minimal_id(call->directory, call->arena, request->MinimalId);
    if (!a)
        return ecInvalidObject;
    response->HasPropertyTags = true;
    response->PropertyTags.PropertyTags = person_tags(call, a, &response->PropertyTags.PropertyTagCount);
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.18.  There are no templates, so that none is located; a client draws its own dialog. */
enum ec nspi_GetTemplateInfo(struct nspi_call *call, const struct GetTemplateInfoRequest *request,
                             struct GetTemplateInfoResponse *response)
{
    (void)call, (void)response;
    if (request->CodePage == CP_WINUNICODE || !codepage_known(request->CodePage))
        return ecInvalidCodepage;
    return ecInvalidLocale;
}

/* ---- changes: the directory keeps no certificates, members or delegates, so all of them are refused ---- */

/* [MS-OXNSPI] 3.1.4.1.14 */
enum ec nspi_ModProps(struct nspi_call *call, const struct ModPropsRequest *request, struct ModPropsResponse *response)
{
    (void)response;
    const enum ec ec = check_state(request->HasState, &request->State);
    if (ec)
        return ec;
    if (!request->HasPropertyTagsToRemove)
        return ecInvalidParam;
    const bool known = directory_by_minimal_id(call->directory, call->arena, request->State.CurrentRec);
    return known ? ecAccessDenied : ecInvalidParam;
}

static bool is_link(uint32_t tag)
{
    return PROP_ID(tag) == PROP_ID(PidTagAddressBookMember) ||
           PROP_ID(tag) == PROP_ID(PidTagAddressBookPublicDelegates);
}

/* [MS-OXNSPI] 3.1.4.1.15 */
enum ec nspi_ModLinkAtt(struct nspi_call *call, const struct ModLinkAttRequest *request,
                        struct ModLinkAttResponse *response)
{
    (void)response;
    if (!is_link(request->PropertyTag) && !person_knows(request->PropertyTag))
        return ecNotFound;
    const bool known = directory_by_minimal_id(call->directory, call->arena, request->MinimalId);
    return known ? ecAccessDenied : ecInvalidParam;
}

/* ---- where a mailbox is: [MS-OXCMAPIHTTP] 2.2.5.18, 2.2.5.19 ---- */

/* Is it the host of this URL that the client has come to? */
static bool is_host_of(const char *url, const char *host)
{
    const char *name = url ? strstr(url, "://") : NULL;
    const size_t size = host ? strcspn(host, ":") : 0;
    return name && size && strncasecmp(name + 3, host, size) == 0 && strchr(":/", name[3 + size]);
}

/* Both sides may have an address: the client keeps to the one that it uses already. */
static const char *mapi_url(const struct nspi_call *call)
{
    const struct org_virtual_directory *mapi = org_directory_of(call->settings, ORG_MAPI);
    if (!mapi || !mapi->internal_url)
        return mapi ? mapi->external_url : NULL;
    const bool outside = is_host_of(mapi->external_url, call->host) && !is_host_of(mapi->internal_url, call->host);
    return outside ? mapi->external_url : mapi->internal_url;
}

static enum ec url_for(struct nspi_call *call, const char *dn, const char *endpoint, const char **url)
{
    const struct account *a = directory_by_legacy_dn(call->directory, call->arena, dn);
    const char *base = mapi_url(call);
    *url = a && base ? account_mapi_url(call->arena, base, endpoint, a) : "";
    return **url ? ecNone : ecNotFound;
}

/* A server's name ends in /cn=Servers/cn=GUID@domain, which names the mailbox; what follows names its database. */
enum ec nspi_GetMailboxUrl(struct nspi_call *call, const struct GetMailboxUrlRequest *request,
                           struct GetMailboxUrlResponse *response)
{
    char *dn = talloc_strdup(call->arena, request->ServerDn);
    char *database = strcasestr(dn, "/cn=Microsoft Private MDB");
    if (database)
        *database = '\0';
    return url_for(call, dn, "emsmdb", &response->ServerUrl);
}

enum ec nspi_GetAddressBookUrl(struct nspi_call *call, const struct GetAddressBookUrlRequest *request,
                               struct GetAddressBookUrlResponse *response)
{
    return url_for(call, request->UserDn, "nspi", &response->ServerUrl);
}
