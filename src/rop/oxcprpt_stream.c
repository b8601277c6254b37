/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCPRPT] 3.2.5.11 and on: one property as a stream. */
#include "rop/handlers.h"

#define BYTE_COUNT_EXTENDED 0xBABE /* [MS-OXCROPS] 2.2.9.2.1: MaximumByteCount counts */
#define READ_HEAD 2u               /* DataSize */

/* [MS-OXCPRPT] 3.2.5.11 */
enum ec rop_OpenStream(struct rop_call *call, const struct RopOpenStreamRequest *request,
                       struct RopOpenStreamResponse *response)
{
    struct object *o, *of = call->object;
    if (request->OpenModeFlags > STREAM_BEST)
        return ecInvalidParam;
    if (of->type == OBJECT_FOLDER && request->PropertyTag == PidTagSecurityDescriptorAsXml)
        return ecNotSupported; /* MS-OXCPERM_R183, which calls this code ecNotImplemented */
    const unsigned mode = request->OpenModeFlags | STREAM_CODEPAGE(call->codepage);
    enum ec ec = rop_open(call, of, OBJECT_STREAM, &o);
    if (ec)
        return ec;
    if (of->type == OBJECT_MESSAGE)
        ec = store_stream_of_message(&o->stream, o, of->message, request->PropertyTag, mode);
    else if (of->type == OBJECT_ATTACHMENT)
        ec = store_stream_of_attachment(&o->stream, o, of->attachment, request->PropertyTag, mode);
    else
        ec = store_stream_of_folder(&o->stream, o, call->store, of->fid, request->PropertyTag, mode);
    if (!ec)
        response->StreamSize = (uint32_t)MIN(store_stream_size(o->stream), UINT32_MAX);
    return ec;
}

uint32_t rop_read_count(const struct RopReadStreamRequest *request)
{
    return request->ByteCount == BYTE_COUNT_EXTENDED ? request->MaximumByteCount : request->ByteCount;
}

size_t rop_read_most(size_t room)
{
    return MIN(room - READ_HEAD, UINT16_MAX);
}

/* [MS-OXCPRPT] 3.2.5.12: what fits, fewer at the end */
enum ec rop_ReadStream(struct rop_call *call, const struct RopReadStreamRequest *request,
                       struct RopReadStreamResponse *response)
{
    const size_t count = MIN((size_t)rop_read_count(request), rop_read_most(call->room));
    const enum ec ec = store_stream_read(call->arena, call->object->stream, (uint32_t)count, &response->Data);
    response->DataSize = (uint16_t)response->Data.size;
    return ec;
}

static enum ec write_stream(struct rop_call *call, struct blob data, uint16_t *written)
{
    uint32_t n = 0;
    const enum ec ec = store_stream_write(call->object->stream, data, &n);
    *written = (uint16_t)n;
    return ec;
}

/* [MS-OXCPRPT] 3.2.5.13: all of the bytes or ecTooBig */
enum ec rop_WriteStream(struct rop_call *call, const struct RopWriteStreamRequest *request,
                        struct RopWriteStreamResponse *response)
{
    return write_stream(call, request->Data, &response->WrittenSize);
}

/* [MS-OXCPRPT] 3.2.5.14: as RopWriteStream; packed uploads, which would make it worth more, are not announced */
enum ec rop_WriteStreamExtended(struct rop_call *call, const struct RopWriteStreamExtendedRequest *request,
                                struct RopWriteStreamExtendedResponse *response)
{
    return store_stream_write(call->object->stream, request->Data, &response->WrittenSize);
}

/* [MS-OXCPRPT] 3.2.5.15 */
enum ec rop_CommitStream(struct rop_call *call, const struct RopCommitStreamRequest *request,
                         struct RopCommitStreamResponse *response)
{
    (void)request, (void)response;
    return store_stream_commit(call->object->stream);
}

/* [MS-OXCROPS] 2.2.9.12 */
enum ec rop_WriteAndCommitStream(struct rop_call *call, const struct RopWriteAndCommitStreamRequest *request,
                                 struct RopWriteAndCommitStreamResponse *response)
{
    const enum ec ec = write_stream(call, request->Data, &response->WrittenSize);
    return ec ? ec : store_stream_commit(call->object->stream);
}

/* [MS-OXCPRPT] 3.2.5.16 */
enum ec rop_GetStreamSize(struct rop_call *call, const struct RopGetStreamSizeRequest *request,
                          struct RopGetStreamSizeResponse *response)
{
    (void)request;
    response->StreamSize = (uint32_t)MIN(store_stream_size(call->object->stream), UINT32_MAX);
    return ecNone;
}

/* [MS-OXCPRPT] 3.2.5.17 */
enum ec rop_SetStreamSize(struct rop_call *call, const struct RopSetStreamSizeRequest *request,
                          struct RopSetStreamSizeResponse *response)
{
    (void)response;
    return store_stream_resize(call->object->stream, request->StreamSize);
}

/* [MS-OXCPRPT] 3.2.5.18 */
enum ec rop_SeekStream(struct rop_call *call, const struct RopSeekStreamRequest *request,
                       struct RopSeekStreamResponse *response)
{
    return store_stream_seek(call->object->stream, request->Origin, request->Offset, &response->NewPosition);
}

#define COPY_PIECE 65536u

/* [MS-OXCPRPT] 3.2.5.19: in pieces */
enum ec rop_CopyToStream(struct rop_call *call, const struct RopCopyToStreamRequest *request,
                         struct RopCopyToStreamResponse *response)
{
    if (call->destination->logon->store != call->store)
        return ecNotSupported;
    uint64_t left = request->ByteCount;
    enum ec ec = ecNone;
    while (left && !ec) {
        TALLOC_CTX *piece = talloc_new(call->arena);
        struct blob data;
        uint32_t written = 0;
        ec = store_stream_read(piece, call->object->stream, (uint32_t)MIN(left, COPY_PIECE), &data);
        if (!ec && data.size)
            ec = store_stream_write(call->destination->stream, data, &written);
        response->ReadByteCount += ec ? 0 : data.size;
        response->WrittenByteCount += written;
        left = ec || data.size == 0 ? 0 : left - data.size;
        talloc_free(piece);
    }
    return ec;
}
