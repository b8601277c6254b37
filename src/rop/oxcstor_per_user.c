/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCSTOR] 3.2.5.10 to 3.2.5.13: what a user has read of public folders, kept in the user's own mailbox. */
#include "rop/handlers.h"

enum { READ_DEFAULT = 0x1000, LONG_TERM_ID_SIZE = 24, COUNT_SIZE = 2, READ_HEAD = 3 };

/* [MS-OXCSTOR] 3.2.5.10; as many as fit */
enum ec rop_GetPerUserLongTermIds(struct rop_call *call, const struct RopGetPerUserLongTermIdsRequest *request,
                                  struct RopGetPerUserLongTermIdsResponse *response)
{
    struct LongTermId *folders;
    uint32_t count;
    if (call->logon->is_public)
        return ecNotSupported;
    const uint32_t most = (uint32_t)MIN((call->room - COUNT_SIZE) / LONG_TERM_ID_SIZE, (size_t)UINT16_MAX);
    const enum ec ec = store_per_user_folders(call->arena, call->store, request->DatabaseGuid, most, &folders, &count);
    response->LongTermIds = folders;
    response->LongTermIdCount = (uint16_t)count;
    return ec;
}

/* [MS-OXCSTOR] 3.2.5.11 */
enum ec rop_GetPerUserGuid(struct rop_call *call, const struct RopGetPerUserGuidRequest *request,
                           struct RopGetPerUserGuidResponse *response)
{
    if (call->logon->is_public)
        return ecNotSupported;
    return store_per_user_replica(call->store, &request->LongTermId, &response->DatabaseGuid);
}

/* [MS-OXCSTOR] 3.2.5.12 */
enum ec rop_ReadPerUserInformation(struct rop_call *call, const struct RopReadPerUserInformationRequest *request,
                                   struct RopReadPerUserInformationResponse *response)
{
    uint32_t size;
    const uint32_t asked = request->MaxDataSize ? request->MaxDataSize : READ_DEFAULT; /* R992 */
    const uint32_t most = (uint32_t)MIN((size_t)asked, call->room - READ_HEAD);
    const enum ec ec = (call->logon->is_public ? store_seen_read : store_per_user_read)(
        call->arena, call->store, &request->FolderId, request->DataOffset, most, &response->Data, &size);
    if (ec || request->DataOffset > size)
        return ec ? ec : ecError; /* R557, R1260 */
    response->DataSize = (uint16_t)response->Data.size;
    response->HasFinished = request->DataOffset + response->DataSize == size; /* R1010 */
    return ecNone;
}

/* What a client sends in several pieces, until the last one. */
struct per_user {
    struct LongTermId folder;
    struct guid replica;
    struct buf data;
};

static bool continues(const struct per_user *sent, const struct RopWritePerUserInformationRequest *request)
{
    return sent && request->DataOffset == sent->data.size &&
           guid_equal(sent->folder.DatabaseGuid, request->FolderId.DatabaseGuid) &&
           !memcmp(sent->folder.GlobalCounter, request->FolderId.GlobalCounter, sizeof sent->folder.GlobalCounter);
}

static struct per_user *begin(struct rop_call *call, const struct RopWritePerUserInformationRequest *request)
{
    struct per_user *sent = talloc_zero(call->object, struct per_user);
    sent->folder = request->FolderId;
    sent->replica = request->ReplGuid;
    buf_init(&sent->data, sent);
    return sent;
}

/* [MS-OXCSTOR] 3.2.5.13.  R1017, R1033: anything but the next piece begins anew, which only the first piece can. */
enum ec rop_WritePerUserInformation(struct rop_call *call, const struct RopWritePerUserInformationRequest *request,
                                    struct RopWritePerUserInformationResponse *response)
{
    struct per_user **sent = &call->logon->per_user;
    (void)response;
    if (call->logon->is_public)
        return ecNotSupported; /* R1012 is for states of another replica, and there is none */
    if (request->DataOffset == 0 || !continues(*sent, request))
        TALLOC_FREE(*sent); /* R1018, R1034 */
    if (!*sent && request->DataOffset)
        return ecError; /* R600, R601, R1019 */
    if (!*sent)
        *sent = begin(call, request);
    buf_add(&(*sent)->data, request->Data.data, request->DataSize);
    enum ec ec = (*sent)->data.size > PER_USER_MAX ? ecTooBig : ecNone;
    if (!ec && request->HasFinished)
        ec = store_per_user_write(call->store, &(*sent)->folder, (*sent)->replica, buf_blob(&(*sent)->data));
    if (ec || request->HasFinished)
        TALLOC_FREE(*sent);
    return ec;
}
