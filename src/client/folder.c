/* SPDX-License-Identifier: Apache-2.0 */
/* Folders and tables: [MS-OXCFOLD] 3.1, [MS-OXCTABL] 3.1. */
#include <stdlib.h>

#include "client/internal.h"
#include "client/mail.h"

#define ROWS_AT_ONCE 0x1000u
#define DEPTH_MAX 100u                   /* of folders in folders */
enum { TABLE_DEPTH = 0x04, BEGINNING = 0, END = 2, DESCENDING = 1, GENERIC_FOLDER = 1 };

static enum ec run(struct client *c, TALLOC_CTX *arena, struct client_rop *rops, size_t count)
{
    const enum ec ec = client_execute(c, arena, rops, count);
    return ec ? ec : client_check(c, rops, count);
}

/* ---- tables ---- */

/* Takes what an answer to RopQueryRows has; false: nothing more will come. */
static bool take_rows(TALLOC_CTX *arena, const struct RopQueryRowsResponse *part, struct props **rows, uint32_t *count)
{
    if (!part->RowCount)
        return false;
    *rows = talloc_realloc(arena, *rows, struct props, *count + part->RowCount);
    memcpy(*rows + *count, part->RowData, part->RowCount * sizeof **rows);
    *count += part->RowCount;
    return part->Origin != END;
}

enum ec client_table_rows(struct client *c, TALLOC_CTX *arena, uint32_t handle, uint32_t most, struct props **rows, uint32_t *count)
{
    enum ec ec = ecNone;
    bool more = true;
    *rows = NULL;
    *count = 0;
    while (!ec && more && *count < most) {
        const struct RopQueryRowsRequest request = { .ForwardRead = true, .RowCount = (uint16_t)MIN(most - *count, ROWS_AT_ONCE) };
        struct RopQueryRowsResponse part = { 0 };
        ec = client_call(c, arena, RopQueryRows, handle, &request, &part, NULL);
        more = !ec && take_rows(arena, &part, rows, count);
        if (more && c->options.progress)
            c->options.progress(c->options.progress_arg, *count, most);
    }
    return ec;
}

/* Opens the table, and with a `page` its first rows in the same Execute. */
static enum ec open_table(struct client *c, TALLOC_CTX *arena, uint64_t fid, const uint32_t *columns, uint32_t count, uint32_t skip,
                          const struct RopQueryRowsRequest *page, struct client_rop *rops)
{
    const struct RopOpenFolderRequest folder = { .FolderId = fid };
    const struct SortOrder order = { PidTagMessageDeliveryTime, DESCENDING };
    const struct RopSetColumnsRequest set = { .PropertyTagCount = (uint16_t)count, .PropertyTags = columns };
    const struct RopSortTableRequest sort = { .SortOrderCount = 1, .SortOrders = &order };
    const struct RopSeekRowRequest seek = { .Origin = BEGINNING, .RowCount = (int32_t)skip };
    const struct client_rop list[] = {
        { .id = RopOpenFolder, .handle = c->logon, .request = &folder },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(0) },
        { .id = RopSetColumns, .from = OUTPUT_OF(1), .request = &set },
        { .id = RopSortTable, .from = OUTPUT_OF(1), .request = &sort },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
        { .id = RopSeekRow, .from = OUTPUT_OF(1), .request = &seek },
        { .id = RopQueryRows, .from = OUTPUT_OF(1), .request = page },
    };
    memcpy(rops, list, sizeof list);
    return run(c, arena, rops, page ? COUNTOF(list) : COUNTOF(list) - 1);
}
#define OPEN_TABLE_ROPS 7

enum ec client_table_open(struct client *c, uint64_t fid, const uint32_t *columns, uint32_t count, uint32_t *handle, uint32_t *total)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct client_rop rops[OPEN_TABLE_ROPS];
    const enum ec ec = open_table(c, arena, fid, columns, count, 0, NULL, rops);
    *handle = rops[1].out_handle;
    if (total)
        *total = ec ? 0 : ((struct RopGetContentsTableResponse *)rops[1].response)->RowCount;
    talloc_free(arena);
    return ec;
}

enum ec client_messages(struct client *c, TALLOC_CTX *arena, uint64_t fid, const uint32_t *columns, uint32_t column_count,
                        uint32_t skip, uint32_t most, struct props **rows, uint32_t *count, uint32_t *total)
{
    const struct RopQueryRowsRequest page = { .ForwardRead = true, .RowCount = (uint16_t)MIN(most, ROWS_AT_ONCE) };
    struct client_rop rops[OPEN_TABLE_ROPS];
    *rows = NULL;
    *count = 0;
    enum ec ec = open_table(c, arena, fid, columns, column_count, skip, &page, rops);
    if (ec)
        return ec;
    const uint32_t table = rops[1].out_handle;
    if (total)
        *total = ((struct RopGetContentsTableResponse *)rops[1].response)->RowCount;
    if (take_rows(arena, rops[6].response, rows, count) && *count < most) {
        struct props *rest = NULL;
        uint32_t n = 0;
        ec = client_table_rows(c, arena, table, most - *count, &rest, &n);
        *rows = talloc_realloc(arena, *rows, struct props, *count + n + 1);
        if (n)
            memcpy(*rows + *count, rest, n * sizeof *rest);
        *count += n;
    }
    client_release(c, table);
    return ec;
}

/* ---- folders ---- */

enum ec client_folder_open(struct client *c, uint64_t fid, uint32_t *handle)
{
    TALLOC_CTX *arena = talloc_new(c);
    const enum ec ec = client_call(c, arena, RopOpenFolder, c->logon, &(struct RopOpenFolderRequest){ .FolderId = fid }, NULL, handle);
    talloc_free(arena);
    return ec;
}

static uint32_t number_or_0(const struct prop *p)
{
    return PROP_TYPE(p->tag) == PtypInteger32 ? p->u32 : 0;
}

/* The order of rows says nothing; a path follows from the parents, which a wrong answer may make a circle. */
static const char *path_of(TALLOC_CTX *arena, const struct props *rows, uint32_t count, uint32_t i, unsigned depth)
{
    const struct prop *v = rows[i].values;
    const char *name = PROP_TYPE(v[1].tag) == PtypString ? v[1].str : "";
    uint32_t parent = 0;
    while (parent < count && rows[parent].values[0].u64 != v[2].u64)
        parent++;
    if (parent == count || depth == DEPTH_MAX)
        return name;
    return talloc_asprintf(arena, "%s/%s", path_of(arena, rows, count, parent, depth + 1), name);
}

/* '/' before everything else, so that what is in a folder follows it. */
static int compare_folders(const void *a, const void *b)
{
    const char *x = ((const struct client_folder *)a)->path, *y = ((const struct client_folder *)b)->path;
    while (*x && *x == *y)
        x++, y++;
    const int p = *x == '/' ? 1 : (uint8_t)*x, q = *y == '/' ? 1 : (uint8_t)*y;
    return p - q;
}

static uint32_t depth_of(const char *path)
{
    uint32_t depth = 1;
    for (; *path; path++)
        depth += *path == '/';
    return depth;
}

enum ec client_folders(struct client *c, TALLOC_CTX *arena, uint64_t parent, struct client_folder **out, uint32_t *count)
{
    static const uint32_t columns[] = { PidTagFolderId, PidTagDisplayName, PidTagParentFolderId, PidTagContentCount, PidTagContentUnreadCount };
    const struct RopOpenFolderRequest folder = { .FolderId = parent ? parent : client_top(c) };
    const struct RopGetHierarchyTableRequest table = { .TableFlags = TABLE_DEPTH };
    const struct RopSetColumnsRequest set = { .PropertyTagCount = COUNTOF(columns), .PropertyTags = columns };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = c->logon, .request = &folder },
        { .id = RopGetHierarchyTable, .from = OUTPUT_OF(0), .request = &table },
        { .id = RopSetColumns, .from = OUTPUT_OF(1), .request = &set },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
    };
    struct props *rows = NULL;
    *count = 0;
    enum ec ec = run(c, arena, rops, COUNTOF(rops));
    if (!ec)
        ec = client_table_rows(c, arena, rops[1].out_handle, UINT32_MAX, &rows, count);
    client_release(c, rops[1].out_handle);
    struct client_folder *all = *out = talloc_zero_array(arena, struct client_folder, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        const struct prop *v = rows[i].values;
        all[i] = (struct client_folder){ .fid = v[0].u64, .path = path_of(arena, rows, *count, i, 0), .count = number_or_0(&v[3]),
                                         .unread = number_or_0(&v[4]) };
        all[i].depth = depth_of(all[i].path);
    }
    qsort(all, *count, sizeof *all, compare_folders);
    return ec;
}

enum ec client_folder_find(struct client *c, const char *path, uint64_t *fid)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct client_folder *all = NULL;
    uint32_t count = 0, i = 0;
    *fid = client_top(c);
    enum ec ec = *path ? client_folders(c, arena, 0, &all, &count) : ecNone;
    while (!ec && i < count && strcasecmp(all[i].path, path) != 0)
        i++;
    if (!ec && *path) {
        if (i < count)
            *fid = all[i].fid;
        else
            ec = client_fail(c, CLIENT_ROP, ecNotFound, (uint32_t)ecNotFound, "there is no folder '%s'", path);
    }
    talloc_free(arena);
    return ec;
}

enum ec client_folder_create(struct client *c, uint64_t parent, const char *name, uint64_t *fid)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct RopOpenFolderRequest folder = { .FolderId = parent };
    const struct RopCreateFolderRequest create = { .FolderType = GENERIC_FOLDER, .UseUnicodeStrings = true, .OpenExisting = true,
                                                   .DisplayName = name, .Comment = "" };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = c->logon, .request = &folder },
        { .id = RopCreateFolder, .from = OUTPUT_OF(0), .request = &create },
        { .id = RopRelease, .from = OUTPUT_OF(1) },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
    };
    const enum ec ec = run(c, arena, rops, COUNTOF(rops));
    *fid = ec ? 0 : ((struct RopCreateFolderResponse *)rops[1].response)->FolderId;
    talloc_free(arena);
    return ec;
}
