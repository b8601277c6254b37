/* SPDX-License-Identifier: Apache-2.0 */
/* Where a client stands in the address list, and the functions that move it: [MS-OXNSPI] 3.1.4.5, 3.1.4.1. */
#include "nspi/table.h"

#include "nspi/person.h"

#define SEEK_ROWS 50u /* ours to choose: [MS-OXNSPI] 3.1.4.1.9 */

/* 8-bit text in a code page that has no 8-bit text cannot be. */
enum ec check_state(bool has_state, const struct STAT *state)
{
    if (!has_state)
        return ecInvalidParam;
    return state->CodePage == CP_WINUNICODE ? ecNotSupported : ecNone;
}

enum ec check_container(const struct STAT *state)
{
    return state->ContainerID == GLOBAL_ADDRESS_LIST ? ecNone : ecInvalidBookmark;
}

static int64_t absolute_position(const struct nspi_call *call, const struct STAT *state,
                                 const struct account_list *list)
{
    if (state->CurrentRec == MID_BEGINNING)
        return 0;
    if (state->CurrentRec == MID_END)
        return (int64_t)list->count;
    const struct account *a = directory_by_minimal_id(call->directory, call->arena, state->CurrentRec);
    return a && !a->hidden ? (int64_t)account_list_position(list, a) : 0;
}

size_t position_of(const struct nspi_call *call, const struct STAT *state, const struct account_list *list)
{
    int64_t at =
        state->CurrentRec == MID_CURRENT
            ? (int64_t)((uint64_t)list->count * MIN(state->NumPos, state->TotalRecs) / MAX(state->TotalRecs, 1))
            : absolute_position(call, state, list);
    at += state->Delta;
    return (size_t)MIN(MAX(at, 0), (int64_t)list->count);
}

struct STAT state_at(struct STAT state, const struct account_list *list, size_t position)
{
    state.CurrentRec = position < list->count ? list->accounts[position]->minimal_id : MID_END;
    state.Delta = 0;
    state.NumPos = (uint32_t)position;
    state.TotalRecs = (uint32_t)list->count;
    return state;
}

const struct account_list *address_list(const struct nspi_call *call)
{
    return directory_list(call->directory, call->arena, ACCOUNTS_IN_ADDRESS_BOOK);
}

/* ---- moving about ---- */

/* The row of somebody; false: nobody, or somebody hidden, who is not in the table. */
static bool find_row(const struct nspi_call *call, const struct account_list *list, uint32_t minimal_id, size_t *row)
{
    const struct account *a = directory_by_minimal_id(call->directory, call->arena, minimal_id);
    *row = a ? account_list_position(list, a) : list->count;
    return *row < list->count && list->accounts[*row]->minimal_id == minimal_id;
}

static enum ec check_table(bool has_state, const struct STAT *state)
{
    const enum ec ec = check_state(has_state, state);
    return ec ? ec : check_container(state);
}

/* [MS-OXNSPI] 3.1.4.1.4 */
enum ec nspi_UpdateStat(struct nspi_call *call, const struct UpdateStatRequest *request,
                        struct UpdateStatResponse *response)
{
    size_t row;
    enum ec ec = check_table(request->HasState, &request->State);
    if (ec)
        return ec;
    const struct account_list *list = address_list(call);
    if (request->State.CurrentRec > MID_END && !find_row(call, list, request->State.CurrentRec, &row))
        return ecNotFound;
    struct STAT start = request->State;
    start.Delta = 0;
    const size_t from = position_of(call, &start, list), to = position_of(call, &request->State, list);
    response->HasState = true;
    response->State = state_at(request->State, list, to);
    response->HasDelta = request->DeltaRequested;
    response->Delta = (int32_t)((int64_t)to - (int64_t)from); /* what was done, not what was asked for */
    return ecNone;
}

/* The first of the explicit table that is not before row `at` of the address list; ecNotFound: all are. */
static enum ec seek_explicit(const struct nspi_call *call, const struct SeekEntriesRequest *request,
                             const struct account_list *list, size_t at, struct STAT *state)
{
    for (uint32_t i = 0; i < request->ExplicitTableCount; i++) {
        size_t row;
        if (!find_row(call, list, request->ExplicitTable[i], &row) || row < at)
            continue;
        state->CurrentRec = request->ExplicitTable[i];
        state->NumPos = i;
        state->TotalRecs = request->ExplicitTableCount;
        return ecNone;
    }
    return ecNotFound;
}

/* Delta stays as it came, other than in UpdateStat. */
static enum ec seek(const struct nspi_call *call, const struct SeekEntriesRequest *request, struct STAT *state)
{
    const struct account_list *list = address_list(call);
    const size_t at = account_list_seek(list, request->Target.str);
    if (request->HasExplicitTable)
        return seek_explicit(call, request, list, at, state);
    if (at == list->count)
        return ecNotFound;
    *state = state_at(*state, list, at);
    state->Delta = request->State.Delta;
    return ecNone;
}

/* The rows are those of QueryRows from the row that was found. */
static enum ec rows_from(struct nspi_call *call, const struct SeekEntriesRequest *request, const struct STAT *state,
                         struct QueryRowsResponse *rows)
{
    struct QueryRowsRequest query = {
        .Flags = NSPI_EPHEMERAL_IDS,
        .HasState = true,
        .State = *state,
        .RowCount = SEEK_ROWS,
        .HasColumns = true,
        .Columns = request->Columns,
    };
    if (request->HasExplicitTable) {
        query.ExplicitTableCount = request->ExplicitTableCount - state->NumPos;
        query.ExplicitTable = request->ExplicitTable + state->NumPos;
        query.RowCount = query.ExplicitTableCount;
    }
    return nspi_QueryRows(call, &query, rows);
}

static bool is_display_name(const struct prop *p)
{
    return (p->tag == PidTagDisplayName || p->tag == PROP_AS(PidTagDisplayName, PtypString8)) && p->str;
}

/* [MS-OXNSPI] 3.1.4.1.9 */
enum ec nspi_SeekEntries(struct nspi_call *call, const struct SeekEntriesRequest *request,
                         struct SeekEntriesResponse *response)
{
    struct QueryRowsResponse rows = { 0 };
    struct STAT state = request->State;
    enum ec ec = check_table(request->HasState, &request->State);
    if (ec)
        return ec;
    if (state.SortType != SORT_DISPLAY_NAME || !request->HasTarget || !is_display_name(&request->Target))
        return ecError; /* GeneralFailure */
    ec = seek(call, request, &state);
    if (!ec && request->HasColumns)
        ec = rows_from(call, request, &state, &rows);
    if (ec)
        return ec;
    response->HasState = true;
    response->State = state;
    response->HasColumnsAndRows = rows.HasColumnsAndRows;
    response->Columns = rows.Columns;
    response->RowCount = rows.RowCount;
    response->RowData = rows.RowData;
    return ecNone;
}

/* [MS-OXNSPI] 3.1.4.1.12 */
enum ec nspi_CompareMinIds(struct nspi_call *call, const struct CompareMinIdsRequest *request,
                           struct CompareMinIdsResponse *response)
{
    const enum ec ec = check_table(request->HasState, &request->State);
    if (ec)
        return ec;
    size_t first, second;
    const struct account_list *list = address_list(call);
    if (!find_row(call, list, request->MinimalId1, &first) || !find_row(call, list, request->MinimalId2, &second))
        return ecError; /* GeneralFailure */
    response->Result = (first > second) - (first < second);
    return ecNone;
}

/* The listed ones among `ids`, each once, in the table's order.  The table is walked, so nothing has to be sorted. */
static uint32_t *in_order(const struct nspi_call *call, const uint32_t *ids, uint32_t count, uint32_t *found)
{
    const struct account_list *list = address_list(call);
    bool *wanted = talloc_zero_array(call->arena, bool, list->count + 1);
    uint32_t *sorted = talloc_array(call->arena, uint32_t, list->count + 1);
    for (uint32_t i = 0; i < count; i++) {
        size_t row;
        if (find_row(call, list, ids[i], &row))
            wanted[row] = true;
    }
    *found = 0;
    for (size_t i = 0; i < list->count; i++)
        if (wanted[i])
            sorted[(*found)++] = list->accounts[i]->minimal_id;
    return sorted;
}

/* [MS-OXNSPI] 3.1.4.1.11.  ContainerID and Delta mean nothing here and stay. */
enum ec nspi_ResortRestriction(struct nspi_call *call, const struct ResortRestrictionRequest *request,
                               struct ResortRestrictionResponse *response)
{
    uint32_t at = 0;
    const enum ec ec = check_state(request->HasState, &request->State);
    if (ec)
        return ec;
    if (!request->HasMinimalIds)
        return ecInvalidParam;
    if (request->State.SortType != SORT_DISPLAY_NAME)
        return ecError; /* GeneralFailure */
    response->HasMinimalIds = true;
    response->MinimalIds = in_order(call, request->MinimalIds, request->MinimalIdCount, &response->MinimalIdCount);
    while (at < response->MinimalIdCount && response->MinimalIds[at] != request->State.CurrentRec)
        at++;
    const bool there = at < response->MinimalIdCount;
    response->HasState = true;
    response->State = request->State;
    response->State.CurrentRec = there ? request->State.CurrentRec : MID_BEGINNING;
    response->State.NumPos = there ? at : 0;
    response->State.TotalRecs = response->MinimalIdCount;
    return ecNone;
}
