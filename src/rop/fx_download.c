/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS] 3.2.5.8.1.5: a FastTransfer stream on its way to the client, whatever is in it. */
#include "rop/fx_download.h"

#include "rop/handlers.h"

enum { TRANSFER_ERROR = 0, TRANSFER_PARTIAL = 1, TRANSFER_DONE = 3 };
#define BUFFER_SIZE_BY_SERVER 0xBABE /* MaximumBufferSize counts */
#define RESPONSE_HEAD 9u             /* before TransferBuffer */
enum { NAMED_FROM = 0x8000 };

/* ---- steps ---- */

void *fx_push(struct fx_download *d, size_t size, fx_step *step)
{
    struct fx_frame *frame = talloc_zero_size(d->top ? (void *)d->top : (void *)d, size);
    talloc_set_name_const(frame, "struct fx_frame");
    frame->below = d->top;
    frame->step = step;
    return d->top = frame;
}

void fx_pop(struct fx_download *d)
{
    struct fx_frame *frame = d->top;
    d->top = frame->below;
    talloc_free(frame);
}

/* 2.2.4.3.4: back to the closest element that supports recovery, which goes on behind the broken one. */
static void unwind(struct fx_download *d, enum ec ec)
{
    struct fx_frame *frame = d->top->below; /* who fails itself cannot go on */
    while (frame && !frame->recovers)
        frame = frame->below;
    if (!frame || !(d->out.options & FX_RECOVER_MODE)) {
        d->failed = ec;
        return;
    }
    while (d->top != frame)
        fx_pop(d);
    frame->failed = ec;
}

/* All that one buffer needs is read as one state. */
static void make(struct fx_download *d, size_t bytes)
{
    if (!d->top || d->failed || fx_left(&d->out) >= bytes)
        return;
    struct store_batch *reads = store_batch_read(d, d->store);
    while (d->top && !d->failed && fx_left(&d->out) < bytes) {
        const enum ec ec = d->top->step(d, d->top);
        if (ec)
            unwind(d, ec);
    }
    const enum ec ec = store_batch_end(reads, ecNone);
    d->failed = d->failed ? d->failed : ec;
}

/* ---- errors ---- */

void fx_put_structure(struct fx_download *d, const struct wire_struct *description, const void *self)
{
    TALLOC_CTX *scratch = talloc_new(d);
    struct buf bytes;
    buf_init(&bytes, scratch);
    struct wire_out out = wire_out(&bytes);
    wire_put(&out, description, self);
    fx_put(d, &P_BIN(PROP_TAG(PtypBinary, 0x0000), buf_blob(&bytes)));
    talloc_free(scratch);
}

struct GlobalId fx_global_id(const struct fx_download *d, uint64_t id)
{
    struct LongTermId long_id = { 0 };
    struct GlobalId gid = { 0 };
    if (id && store_long_term_id(d->store, id, &long_id) == ecNone) {
        gid.DatabaseGuid = long_id.DatabaseGuid;
        memcpy(gid.GlobalCounter, long_id.GlobalCounter, sizeof gid.GlobalCounter);
    }
    return gid;
}

/* 2.2.4.3.4: what could not be read is named, and the rest follows. */
enum ec fx_report(struct fx_download *d)
{
    const enum ec ec = d->top->failed;
    const struct ExtendedErrorInfo info = { .ErrorCode = (uint32_t)ec,
                                            .FolderGID = fx_global_id(d, d->fid),
                                            .MessageGID = fx_global_id(d, d->mid) };
    d->top->failed = ecNone;
    if (!(d->out.options & FX_RECOVER_MODE))
        return ec;
    fx_put_marker(&d->out, FX_FXErrorInfo);
    fx_put_structure(d, &ExtendedErrorInfo_wire, &info);
    return ecNone;
}

/* ---- named properties ---- */

struct fx_names {
    uint32_t count;
    struct PropertyName **names; /* by id, from NAMED_FROM on; NULL: not looked up yet */
};

const struct PropertyName *fx_name(struct fx_download *d, uint32_t tag)
{
    struct fx_names *all = d->names;
    const uint16_t id = PROP_ID(tag);
    const uint32_t at = id - NAMED_FROM;
    if (at >= all->count) {
        const uint32_t count = at + 64;
        all->names = talloc_realloc(all, all->names, struct PropertyName *, count);
        memset(all->names + all->count, 0, (count - all->count) * sizeof *all->names);
        all->count = count;
    }
    if (!all->names[at]) {
        struct PropertyName *name = all->names[at] = talloc_zero(all, struct PropertyName);
        if (store_named_names(name, d->store, &id, 1, name))
            name->Kind = 0xFF;
    }
    return all->names[at]->Kind <= 1 ? all->names[at] : NULL;
}

/* ---- the object ---- */

enum ec fx_download_open(struct rop_call *call, struct object *parent, uint8_t send_options, struct fx_download **out)
{
    struct object *o;
    const enum ec ec = rop_open(call, parent, OBJECT_DOWNLOAD, &o);
    if (ec)
        return ec;
    struct fx_download *d = *out = o->download = talloc_zero(o, struct fx_download);
    fx_out_init(&d->out, d, send_options, call->codepage);
    d->names = talloc_zero(d, struct fx_names);
    d->store = call->store;
    return ecNone;
}

/* 16 bits are enough for a progress bar. */
static void put_progress(const struct fx_download *d, struct RopFastTransferSourceGetBufferResponse *response)
{
    const uint64_t total = MAX(d->total, (uint64_t)1), steps = d->top ? MIN(d->steps, total) : total;
    response->TotalStepCount = (uint16_t)MIN(total, (uint64_t)UINT16_MAX);
    response->InProgressCount = (uint16_t)(steps * response->TotalStepCount / total);
}

/* What fits, or what the client says if that fits: R2138, R2141. */
static enum ec size_of_buffer(const struct rop_call *call, const struct RopFastTransferSourceGetBufferRequest *request,
                              size_t *most)
{
    const size_t room = MIN(call->room > RESPONSE_HEAD ? call->room - RESPONSE_HEAD : 0, UINT16_MAX);
    const bool by_server = request->BufferSize == BUFFER_SIZE_BY_SERVER;
    *most = by_server ? MIN(room, request->MaximumBufferSize) : request->BufferSize;
    return *most > room ? ecBufferTooSmall : ecNone;
}

/* [MS-OXCFXICS] 3.2.5.8.1.5 */
enum ec rop_FastTransferSourceGetBuffer(struct rop_call *call,
                                        const struct RopFastTransferSourceGetBufferRequest *request,
                                        struct RopFastTransferSourceGetBufferResponse *response)
{
    struct fx_download *d = call->object->download;
    size_t most;
    const enum ec ec = size_of_buffer(call, request, &most);
    if (ec)
        return ec;
    make(d, most + 1); /* one byte more tells whether this was all */
    const bool all = !d->top && !d->failed;
    const struct blob taken = fx_take(&d->out, most);
    if (d->failed && !taken.size)
        return d->failed; /* R2146, R3489: now and for ever */
    if (!taken.size && fx_left(&d->out))
        return ecBufferTooSmall;
    response->TransferBuffer = blob_copy(call->arena, taken);
    response->TransferBufferSize = (uint16_t)taken.size;
    response->TransferStatus = all && !fx_left(&d->out) ? TRANSFER_DONE : TRANSFER_PARTIAL;
    put_progress(d, response);
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.8.1.6: the other server reads what every server writes. */
enum ec rop_TellVersion(struct rop_call *call, const struct RopTellVersionRequest *request,
                        struct RopTellVersionResponse *response)
{
    (void)call, (void)request, (void)response;
    return ecNone;
}
