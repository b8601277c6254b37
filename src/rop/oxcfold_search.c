/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFOLD] 2.2.1.4, 2.2.1.5: what a search folder searches for. */
#include "rop/handlers.h"

/* [MS-OXCFOLD] 3.2.5.4 */
enum ec rop_SetSearchCriteria(struct rop_call *call, const struct RopSetSearchCriteriaRequest *request,
                              struct RopSetSearchCriteriaResponse *response)
{
    (void)response;
    return store_search_set(call->store, call->object->fid, request->RestrictionData, request->FolderIds,
                            request->FolderIdCount, request->SearchFlags);
}

static uint32_t narrow_tag(uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag), base = type & ~PtypMultiple;
    return base == PtypString ? PROP_AS(tag, PtypString8 | (type & PtypMultiple)) : tag;
}

/* Texts, and the properties that they are compared with, as 8-bit ones. */
static void narrow(TALLOC_CTX *arena, struct restriction *r)
{
    r->tag = narrow_tag(r->tag);
    r->tag2 = narrow_tag(r->tag2);
    r->value.tag = narrow_tag(r->value.tag);
    struct restriction *sub = r->sub ? talloc_memdup(arena, r->sub, r->count * sizeof *sub) : NULL;
    for (uint32_t i = 0; sub && i < r->count; i++)
        narrow(arena, &sub[i]);
    r->sub = sub;
}

/* [MS-OXCFOLD] 3.2.5.5 */
enum ec rop_GetSearchCriteria(struct rop_call *call, const struct RopGetSearchCriteriaRequest *request,
                              struct RopGetSearchCriteriaResponse *response)
{
    struct store_search search;
    const enum ec ec = store_search_get(call->arena, call->store, call->object->fid, &search);
    if (ec)
        return ec;
    if (request->IncludeRestriction) {
        struct restriction *r = talloc_memdup(call->arena, search.restriction, sizeof *r);
        if (!request->UseUnicode)
            narrow(call->arena, r);
        response->RestrictionData = r;
    }
    if (request->IncludeFolders) {
        response->FolderIdCount = (uint16_t)search.count;
        response->FolderIds = search.fids;
    }
    response->LogonId = call->logon_id;
    response->SearchFlags = search.state;
    return ecNone;
}
