/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXNSPI] 3.1.4.1: the functions of the address book. */
#include "nspi/nspi.h"

#include "nspi/person.h"
#include "wire/entry_id.h"

enum { CP_WINUNICODE = 1200 };
enum { MID_BEGINNING = 0, MID_CURRENT = 1, MID_END = 2 };                    /* CurrentRec */
enum { MID_UNRESOLVED = 0, MID_AMBIGUOUS = 1, MID_RESOLVED = 2 };
enum { SPECIAL_ADDRESS_CREATION = 2, SPECIAL_UNICODE = 4 };
enum { AB_RECIPIENTS = 1, AB_UNMODIFIABLE = 8 };                             /* PidTagContainerFlags */
#define GLOBAL_ADDRESS_LIST 0u                                               /* ContainerID */
#define HIERARCHY_VERSION 1u
#define TAGS_MAX 100u

/* [MS-OXNSPI] 3.1.4.1.8 */
static const uint32_t default_columns[] = {
    PidTagAddressBookContainerId, PidTagObjectType, PidTagDisplayType, PROP_AS(PidTagDisplayName, PtypString8),
    PROP_AS(PidTagPrimaryTelephoneNumber, PtypString8), PROP_AS(PidTagDepartmentName, PtypString8),
    PROP_AS(PidTagOfficeLocation, PtypString8),
};

/* The organisation's own GUID, so that what a client has kept stays valid. */
struct guid nspi_server_guid(const struct org_settings *settings)
{
    return settings->deployment_id;
}

/* ---- positions: [MS-OXNSPI] 3.1.4.5 ---- */

static enum ec check_state(bool has_state, const struct STAT *state)
{
    if (!has_state)
        return ecInvalidParam;
    if (state->CodePage == CP_WINUNICODE)
        return ecNotSupported;
    return state->ContainerID == GLOBAL_ADDRESS_LIST ? ecNone : ecInvalidBookmark;
}

static int64_t absolute_position(const struct nspi_call *call, const struct STAT *state, const struct account_list *list)
{
    if (state->CurrentRec == MID_BEGINNING)
        return 0;
    if (state->CurrentRec == MID_END)
        return (int64_t)list->count;
    const struct account *a = directory_by_minimal_id(call->directory, call->arena, state->CurrentRec);
    return a && !a->hidden ? (int64_t)account_list_position(list, a) : 0;
}

static size_t position_of(const struct nspi_call *call, const struct STAT *state, const struct account_list *list)
{
    int64_t at = state->CurrentRec == MID_CURRENT
                     ? (int64_t)((uint64_t)list->count * MIN(state->NumPos, state->TotalRecs) / MAX(state->TotalRecs, 1))
                     : absolute_position(call, state, list);
    at += state->Delta;
    return (size_t)MIN(MAX(at, 0), (int64_t)list->count);
}

static struct STAT state_at(struct STAT state, const struct account_list *list, size_t position)
{
    state.CurrentRec = position < list->count ? list->accounts[position]->minimal_id : MID_END;
    state.Delta = 0;
    state.NumPos = (uint32_t)position;
    state.TotalRecs = (uint32_t)list->count;
    return state;
}

static struct LargePropertyTagArray columns_or(bool has, const struct LargePropertyTagArray *asked)
{
    return has ? *asked : (struct LargePropertyTagArray){ COUNTOF(default_columns), default_columns };
}

static const struct account_list *address_list(const struct nspi_call *call)
{
    return directory_list(call->directory, call->arena, ACCOUNTS_IN_ADDRESS_BOOK);
}

/* ---- the functions ---- */

/* [MS-OXNSPI] 3.1.4.1.1 */
enum ec nspi_Bind(struct nspi_call *call, const struct BindRequest *request, struct BindResponse *response)
{
    if (request->HasState && (request->State.CodePage == CP_WINUNICODE || !codepage_known(request->State.CodePage)))
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
enum ec nspi_DnToMinId(struct nspi_call *call, const struct DnToMinIdRequest *request, struct DnToMinIdResponse *response)
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
        return ecNone;                           /* no templates: an empty table */
    response->HasVersion = true;
    response->Version = HIERARCHY_VERSION;
    response->HasRows = !request->HasVersion || request->Version != HIERARCHY_VERSION;
    if (response->HasRows) {
        response->RowsCount = 1;
        response->Rows = hierarchy(call, unicode);
    }
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.7: every tag that was asked for, in order, whether there is a value or not */
enum ec nspi_GetProps(struct nspi_call *call, const struct GetPropsRequest *request, struct GetPropsResponse *response)
{
    if (!request->HasState)
        return ecInvalidParam;
    if (request->State.CodePage == CP_WINUNICODE)
        return ecNotSupported;
    const struct account *a = directory_by_minimal_id(call->directory, call->arena, request->State.CurrentRec);
    struct LargePropertyTagArray tags = request->PropertyTags;
    if (!request->HasPropertyTags) {
        if (!a)
            return ecNotFound;
        tags.PropertyTags = person_tags(call, a, &tags.PropertyTagCount);
    }
    const struct props row = person_row(call, a, tags.PropertyTags, tags.PropertyTagCount, request->Flags);
    response->CodePage = request->State.CodePage;
    response->HasPropertyValues = true;
    response->PropertyValues = (struct AddressBookPropertyValueList){ row.count, row.values };
    for (uint32_t i = 0; i < row.count; i++)
        if (PROP_TYPE(row.values[i].tag) == PtypErrorCode)
            return ecWarnWithErrors;             /* ErrorsReturned, with the data */
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.8: never more rows than were asked for */
enum ec nspi_QueryRows(struct nspi_call *call, const struct QueryRowsRequest *request, struct QueryRowsResponse *response)
{
    const enum ec ec = check_state(request->HasState, &request->State);
    if (ec)
        return ec;
    if (!request->ExplicitTableCount && !request->RowCount)
        return ecInvalidParam;
    const struct account_list *list = address_list(call);
    const size_t at = request->ExplicitTableCount ? 0 : position_of(call, &request->State, list);
    const uint32_t there = request->ExplicitTableCount ? request->ExplicitTableCount : (uint32_t)(list->count - at);
    const uint32_t count = request->ExplicitTableCount ? there : MIN(there, request->RowCount);

    response->Columns = columns_or(request->HasColumns, &request->Columns);
    struct props *rows = talloc_array(call->arena, struct props, MAX(count, 1));
    for (uint32_t i = 0; i < count; i++) {
        const struct account *a = request->ExplicitTableCount
                                      ? directory_by_minimal_id(call->directory, call->arena, request->ExplicitTable[i])
                                      : list->accounts[at + i];
        rows[i] = person_row(call, a, response->Columns.PropertyTags, response->Columns.PropertyTagCount, request->Flags);
    }
    response->HasState = true;
    response->State = request->ExplicitTableCount ? request->State : state_at(request->State, list, at + count);
    response->HasColumnsAndRows = true;
    response->RowCount = count;
    response->RowData = rows;
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.10.  Without a filter the values of an object-valued property are meant (members, manager),
 * of which a mailbox has none. */
enum ec nspi_GetMatches(struct nspi_call *call, const struct GetMatchesRequest *request, struct GetMatchesResponse *response)
{
    if (!request->HasState)
        return ecInvalidParam;
    if (request->State.CodePage == CP_WINUNICODE)
        return ecNotSupported;
    if (request->HasFilter && request->State.ContainerID != GLOBAL_ADDRESS_LIST)
        return ecInvalidBookmark;
    const struct account_list *list = address_list(call);
    response->Columns = columns_or(request->HasColumns, &request->Columns);
    uint32_t *ids = talloc_array(call->arena, uint32_t, list->count + 1), count = 0;
    struct props *rows = talloc_array(call->arena, struct props, list->count + 1);
    for (size_t i = 0; request->HasFilter && i < list->count; i++) {
        const struct account *a = list->accounts[i];
        if (!person_matches(call, a, request->Filter))
            continue;
        if (count == request->RowCount)
            return ecTableTooBig;
        ids[count] = a->minimal_id;
        rows[count++] = person_row(call, a, response->Columns.PropertyTags, response->Columns.PropertyTagCount, 0);
    }
    response->HasState = true;
    response->State = request->State;
    response->State.ContainerID = request->State.CurrentRec;
    response->HasMinimalIds = true;
    response->MinimalIdCount = count;
    response->MinimalIds = ids;
    response->HasColumnsAndRows = true;
    response->RowCount = count;
    response->RowData = rows;
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.17, 3.1.4.7: a minimal id per name says whether it is nobody, somebody or several */
enum ec nspi_ResolveNames(struct nspi_call *call, const struct ResolveNamesRequest *request,
                          struct ResolveNamesResponse *response)
{
    const enum ec ec = check_state(request->HasState, &request->State);
    if (ec)
        return ec;
    response->PropertyTags = columns_or(request->HasPropertyTags, &request->PropertyTags);
    if (response->PropertyTags.PropertyTagCount > TAGS_MAX)
        return ecTableTooBig;
    uint32_t *ids = talloc_zero_array(call->arena, uint32_t, request->NameCount + 1);
    struct props *rows = talloc_array(call->arena, struct props, request->NameCount + 1);
    for (uint32_t i = 0; i < request->NameCount; i++) {
        if (!*request->Names[i])
            continue;
        const struct account_list found =
            directory_resolve(call->directory, call->arena, request->Names[i], ACCOUNTS_IN_ADDRESS_BOOK, 2);
        ids[i] = found.count == 0 ? MID_UNRESOLVED : found.count == 1 ? MID_RESOLVED : MID_AMBIGUOUS;
        if (found.count == 1)
            rows[response->RowCount++] = person_row(call, found.accounts[0], response->PropertyTags.PropertyTags,
                                                    response->PropertyTags.PropertyTagCount, 0);
    }
    response->CodePage = request->State.CodePage;
    response->HasMinimalIds = true;
    response->MinimalIdCount = request->NameCount;
    response->MinimalIds = ids;
    response->HasRowsAndCols = true;
    response->RowData = rows;
    return ecNone;
}

/* ---- where a mailbox is: [MS-OXCMAPIHTTP] 2.2.5.18, 2.2.5.19 ---- */

static enum ec url_for(struct nspi_call *call, const char *dn, const char *endpoint, const char **url)
{
    *url = "";
    const struct account *a = directory_by_legacy_dn(call->directory, call->arena, dn);
    const struct org_virtual_directory *mapi = org_directory_of(call->settings, ORG_MAPI);
    const char *base = !mapi ? NULL : mapi->internal_url ? mapi->internal_url : mapi->external_url;
    if (!a || !base)
        return ecNotFound;
    *url = account_mapi_url(call->arena, base, endpoint, a);
    return ecNone;
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
