/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCTABL]: columns, order, restriction, rows, position.  Everything is done at once, so TableStatus is always
 * TBLSTAT_COMPLETE. */
#include "rop/handlers.h"

enum { TBLSTAT_COMPLETE = 0x00 };
enum { QUERY_NO_ADVANCE = 0x01 };
enum { FIND_BACKWARD = 0x01 };
enum { BOOKMARK_CUSTOM = 3 };
#define ROW_COUNTS 3u      /* Origin and RowCount before the rows of RopQueryRows */
#define EXPANDED_COUNTS 6u /* ExpandedRowCount and RowCount before those of RopExpandRow */

/* [MS-OXCTABL] 3.2.5.2: nothing can be read before a successful RopSetColumns. */
static enum ec need_columns(struct rop_call *call)
{
    struct store_table *table = call->object->table;
    call->columns = store_table_columns_set(table);
    call->column_count = store_table_column_count(table);
    return call->column_count ? ecNone : ecNullObject;
}

/* A table that was looked at is one whose changes are announced: [MS-OXCNOTIF] 3.1.4.3 */
static void looked_at(struct rop_call *call)
{
    call->object->view = true;
}

/* [MS-OXCTABL] 3.2.5.2 */
enum ec rop_SetColumns(struct rop_call *call, const struct RopSetColumnsRequest *request,
                       struct RopSetColumnsResponse *response)
{
    if (request->PropertyTagCount == 0)
        return ecInvalidParam;
    for (unsigned i = 0; i < request->PropertyTagCount; i++) {
        const uint16_t type = prop_value_type(request->PropertyTags[i]);
        if (type == PtypErrorCode || !prop_type_known(type))
            return ecInvalidParam;
    }
    response->TableStatus = TBLSTAT_COMPLETE;
    return store_table_columns(call->object->table, request->PropertyTags, request->PropertyTagCount);
}

/* [MS-OXCTABL] 3.2.5.3 */
enum ec rop_SortTable(struct rop_call *call, const struct RopSortTableRequest *request,
                      struct RopSortTableResponse *response)
{
    response->TableStatus = TBLSTAT_COMPLETE;
    return store_table_categorise(call->object->table, request->SortOrders, request->SortOrderCount,
                                  request->CategoryCount, request->ExpandedCount);
}

/* [MS-OXCTABL] 3.2.5.4 */
enum ec rop_Restrict(struct rop_call *call, const struct RopRestrictRequest *request,
                     struct RopRestrictResponse *response)
{
    response->TableStatus = TBLSTAT_COMPLETE;
    return store_table_restrict(call->object->table, request->RestrictionData);
}

/* Rows are written while the store hands them over, so that only whole rows that fit are taken. */
struct page {
    struct wire_out out;
    struct buf bytes;
};

static bool row_fits(void *arg, const struct props *row)
{
    struct page *page = arg;
    const size_t before = page->bytes.size;
    wire_put_row(&page->out, row);
    if (page->out.full)
        page->bytes.size = before;
    return !page->out.full;
}

static struct page page_new(struct rop_call *call)
{
    struct page page;
    buf_init(&page.bytes, call->arena);
    page.out = wire_out(&page.bytes);
    page.out.limit = call->room - ROW_COUNTS;
    page.out.codepage = call->codepage;
    page.out.columns = call->columns;
    page.out.column_count = call->column_count;
    return page;
}

/* [MS-OXCTABL] 3.2.5.5: as many whole rows as fit; none only at the end. */
enum ec rop_QueryRows(struct rop_call *call, const struct RopQueryRowsRequest *request,
                      struct RopQueryRowsResponse *response)
{
    struct store_table *table = call->object->table;
    enum ec ec = need_columns(call);
    if (ec)
        return ec;
    looked_at(call);

    struct page page = page_new(call);
    page.out.to = &page.bytes;
    struct props *rows;
    uint32_t count;
    ec = store_table_query(call->arena, table, request->ForwardRead, request->RowCount,
                           request->QueryRowsFlags & QUERY_NO_ADVANCE, row_fits, &page, &rows, &count);
    if (ec)
        return ec;
    if (count == 0 && page.out.full)
        return ecBufferTooSmall;
    response->RowCount = (uint16_t)count;
    response->RowData = rows;
    call->rows = buf_blob(&page.bytes);
    response->Origin = BOOKMARK_CURRENT;
    if (request->ForwardRead ? store_table_at_end(table) : store_table_at_start(table))
        response->Origin = request->ForwardRead ? BOOKMARK_END : BOOKMARK_BEGINNING;
    return ecNone;
}

/* [MS-OXCTABL] 3.2.5.6: nothing is ever running. */
enum ec rop_Abort(struct rop_call *call, const struct RopAbortRequest *request, struct RopAbortResponse *response)
{
    (void)call, (void)request, (void)response;
    return ecUnableToAbort;
}

/* [MS-OXCTABL] 3.2.5.7 */
enum ec rop_GetStatus(struct rop_call *call, const struct RopGetStatusRequest *request,
                      struct RopGetStatusResponse *response)
{
    (void)call, (void)request;
    response->TableStatus = TBLSTAT_COMPLETE;
    return ecNone;
}

/* [MS-OXCTABL] 3.2.5.8 */
enum ec rop_QueryPosition(struct rop_call *call, const struct RopQueryPositionRequest *request,
                          struct RopQueryPositionResponse *response)
{
    (void)request;
    const enum ec ec = need_columns(call);
    if (ec)
        return ec;
    looked_at(call);
    return store_table_position(call->object->table, &response->Numerator, &response->Denominator);
}

/* [MS-OXCTABL] 3.2.5.9: rows that were passed over, fewer when the table ends before. */
enum ec rop_SeekRow(struct rop_call *call, const struct RopSeekRowRequest *request, struct RopSeekRowResponse *response)
{
    enum ec ec = need_columns(call);
    if (!ec && request->Origin > BOOKMARK_END)
        ec = ecInvalidParam;
    if (ec)
        return ec;
    looked_at(call);
    int32_t moved;
    ec = store_table_seek(call->object->table, request->Origin, request->RowCount, &moved);
    if (!ec && request->WantRowMovedCount) {
        response->HasSoughtLess = moved != request->RowCount;
        response->RowsSought = moved;
    }
    return ec;
}

/* [MS-OXCTABL] 3.2.5.10 */
enum ec rop_SeekRowBookmark(struct rop_call *call, const struct RopSeekRowBookmarkRequest *request,
                            struct RopSeekRowBookmarkResponse *response)
{
    enum ec ec = need_columns(call);
    if (ec)
        return ec;
    looked_at(call);
    int32_t moved;
    ec = store_table_seek_bookmark(call->object->table, request->Bookmark, request->RowCount,
                                   &response->RowNoLongerVisible, &moved);
    if (!ec && request->WantRowMovedCount) {
        response->HasSoughtLess = moved != request->RowCount;
        response->RowsSought = moved;
    }
    return ec;
}

/* [MS-OXCTABL] 3.2.5.11 */
enum ec rop_SeekRowFractional(struct rop_call *call, const struct RopSeekRowFractionalRequest *request,
                              struct RopSeekRowFractionalResponse *response)
{
    (void)response;
    enum ec ec = need_columns(call);
    if (!ec && request->Denominator == 0)
        ec = ecInvalidBookmark;
    if (ec)
        return ec;
    looked_at(call);
    return store_table_seek_fraction(call->object->table, request->Numerator, request->Denominator);
}

/* [MS-OXCTABL] 3.2.5.12 */
enum ec rop_CreateBookmark(struct rop_call *call, const struct RopCreateBookmarkRequest *request,
                           struct RopCreateBookmarkResponse *response)
{
    (void)request;
    enum ec ec = need_columns(call);
    if (!ec)
        ec = store_table_bookmark(call->arena, call->object->table, &response->Bookmark);
    response->BookmarkSize = (uint16_t)response->Bookmark.size;
    return ec;
}

/* [MS-OXCTABL] 3.2.5.13 */
enum ec rop_QueryColumnsAll(struct rop_call *call, const struct RopQueryColumnsAllRequest *request,
                            struct RopQueryColumnsAllResponse *response)
{
    uint32_t count;
    (void)request;
    const enum ec ec = store_table_all_columns(call->arena, call->object->table, &response->PropertyTags, &count);
    looked_at(call);
    response->PropertyTagCount = (uint16_t)MIN(count, UINT16_MAX);
    return ec;
}

/* The row from which RopFindRow looks. */
static enum ec find_origin(struct rop_call *call, const struct RopFindRowRequest *request, bool *gone)
{
    int32_t moved;
    *gone = false;
    if (request->Origin == BOOKMARK_CUSTOM)
        return store_table_seek_bookmark(call->object->table, request->Bookmark, 0, gone, &moved);
    if (request->Origin > BOOKMARK_END)
        return ecInvalidParam;
    return store_table_seek(call->object->table, request->Origin, 0, &moved);
}

/* [MS-OXCTABL] 3.2.5.14 */
enum ec rop_FindRow(struct rop_call *call, const struct RopFindRowRequest *request, struct RopFindRowResponse *response)
{
    enum ec ec = need_columns(call);
    if (!ec && !request->RestrictionData)
        ec = ecInvalidParam;
    if (ec)
        return ec;
    looked_at(call);
    ec = find_origin(call, request, &response->RowNoLongerVisible);
    if (!ec)
        ec = store_table_find(call->arena, call->object->table, request->FindRowFlags & FIND_BACKWARD,
                              request->RestrictionData, &response->RowData);
    response->HasRowData = !ec;
    return ec;
}

/* [MS-OXCTABL] 3.2.5.15 */
enum ec rop_FreeBookmark(struct rop_call *call, const struct RopFreeBookmarkRequest *request,
                         struct RopFreeBookmarkResponse *response)
{
    (void)response;
    const enum ec ec = need_columns(call);
    return ec ? ec : store_table_free_bookmark(call->object->table, request->Bookmark);
}

/* [MS-OXCTABL] 3.2.5.16; [MS-OXCNOTIF] 3.1.4.3: nothing is announced until somebody looks again. */
enum ec rop_ResetTable(struct rop_call *call, const struct RopResetTableRequest *request,
                       struct RopResetTableResponse *response)
{
    (void)request, (void)response;
    store_table_reset(call->object->table);
    call->object->view = false;
    return ecNone;
}

/* ---- categories ---- */

/* [MS-OXCTABL] 3.2.5.17: rows that do not fit are read by RopQueryRows. */
enum ec rop_ExpandRow(struct rop_call *call, const struct RopExpandRowRequest *request,
                      struct RopExpandRowResponse *response)
{
    enum ec ec = need_columns(call);
    if (ec)
        return ec;
    looked_at(call);

    struct page page = page_new(call);
    page.out.to = &page.bytes;
    page.out.limit = call->room - EXPANDED_COUNTS;
    struct props *rows;
    uint32_t count;
    ec = store_table_expand(call->arena, call->object->table, request->CategoryId, request->MaxRowCount, row_fits,
                            &page, &rows, &count, &response->ExpandedRowCount);
    response->RowCount = (uint16_t)count;
    response->RowData = rows;
    call->rows = buf_blob(&page.bytes);
    return ec;
}

/* [MS-OXCTABL] 3.2.5.18 */
enum ec rop_CollapseRow(struct rop_call *call, const struct RopCollapseRowRequest *request,
                        struct RopCollapseRowResponse *response)
{
    const enum ec ec = need_columns(call);
    if (ec)
        return ec;
    looked_at(call);
    return store_table_collapse(call->object->table, request->CategoryId, &response->CollapsedRowCount);
}

/* [MS-OXCTABL] 3.2.5.19 */
enum ec rop_GetCollapseState(struct rop_call *call, const struct RopGetCollapseStateRequest *request,
                             struct RopGetCollapseStateResponse *response)
{
    enum ec ec = need_columns(call);
    if (!ec)
        ec = store_table_collapse_state(call->arena, call->object->table, request->RowId, request->RowInstanceNumber,
                                        &response->CollapseState);
    response->CollapseStateSize = (uint16_t)response->CollapseState.size;
    return ec;
}

/* [MS-OXCTABL] 3.2.5.20 */
enum ec rop_SetCollapseState(struct rop_call *call, const struct RopSetCollapseStateRequest *request,
                             struct RopSetCollapseStateResponse *response)
{
    enum ec ec = need_columns(call);
    if (!ec)
        ec = store_table_set_collapse_state(call->arena, call->object->table, request->CollapseState,
                                            &response->Bookmark);
    response->BookmarkSize = (uint16_t)response->Bookmark.size;
    return ec;
}
