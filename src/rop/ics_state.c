/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS] 2.2.1.1, 3.2.5.9.2: the ICS state, uploaded in pieces before anything else happens. */
#include "rop/ics_state.h"

#include "rop/handlers.h"

/* A state of so many bytes has a range for each of some hundred thousand messages. */
#define STATE_MAX (4u * 1024 * 1024)

struct ics_state *ics_state_new(TALLOC_CTX *owner, bool contents)
{
    struct ics_state *state = talloc_zero(owner, struct ics_state);
    state->contents = contents;
    state->given = idset_new(state, IDSET_REPLGUID);
    state->seen = idset_new(state, IDSET_REPLGUID);
    state->seen_fai = idset_new(state, IDSET_REPLGUID);
    state->read = idset_new(state, IDSET_REPLGUID);
    buf_init(&state->stream, state);
    return state;
}

struct ics_state *ics_state_copy(TALLOC_CTX *owner, const struct ics_state *from)
{
    struct ics_state *to = ics_state_new(owner, from->contents);
    to->collects = from->collects;
    idset_union(to->given, from->given);
    idset_union(to->seen, from->seen);
    idset_union(to->seen_fai, from->seen_fai);
    idset_union(to->read, from->read);
    return to;
}

/* ---- out ---- */

static void put_set(struct fx_out *out, uint32_t tag, const struct idset *set)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    const struct blob bytes = idset_bytes(scratch, set);
    fx_put_long(out, tag, NULL,
                (uint32_t)bytes.size); /* 3.1.5.2.1: bytes, whatever the type of MetaTagIdsetGiven says */
    fx_put_piece(out, PtypBinary, bytes);
    talloc_free(scratch);
}

void ics_state_put(struct fx_out *out, const struct ics_state *state)
{
    fx_put_marker(out, FX_IncrSyncStateBegin);
    put_set(out, MetaTagCnsetSeen, state->seen);
    if (state->contents) {
        put_set(out, MetaTagCnsetSeenFAI, state->seen_fai);
        put_set(out, MetaTagCnsetRead, state->read);
    }
    if (!state->collects) /* R1885 */
        put_set(out, MetaTagIdsetGiven, state->given);
    fx_put_marker(out, FX_IncrSyncStateEnd);
}

/* ---- in ---- */

/* NULL: not a property of such a state.  MetaTagIdsetGiven comes with either type (3.1.5.2.1). */
static struct idset **set_of(struct ics_state *state, uint32_t tag)
{
    switch (PROP_ID(tag)) {
    case PROP_ID(MetaTagIdsetGiven): return &state->given;
    case PROP_ID(MetaTagCnsetSeen): return &state->seen;
    case PROP_ID(MetaTagCnsetSeenFAI): return state->contents ? &state->seen_fai : NULL;
    case PROP_ID(MetaTagCnsetRead): return state->contents ? &state->read : NULL;
    default: return NULL;
    }
}

static size_t size_of_set(const struct idset *set)
{
    size_t size = 0;
    for (uint32_t i = 0; i < set->count; i++)
        size += set->replicas[i].set.room * sizeof *set->replicas[i].set.ranges;
    return size;
}

/* What has come of a stream grows by doubling; the sets stay as they are, or become smaller. */
static bool hold(struct rop_call *call, struct ics_state *state, size_t stream)
{
    const size_t sets =
        size_of_set(state->given) + size_of_set(state->seen) + size_of_set(state->seen_fai) + size_of_set(state->read);
    return store_hold(&state->held, state, session_budget(call->session), sets + stream);
}

/* [MS-OXCFXICS] 3.2.5.9.2.1 */
enum ec rop_SynchronizationUploadStateStreamBegin(struct rop_call *call,
                                                  const struct RopSynchronizationUploadStateStreamBeginRequest *request,
                                                  struct RopSynchronizationUploadStateStreamBeginResponse *response)
{
    struct ics_state *state = call->object->state;
    const bool is_id_set = PROP_ID(request->StateProperty) == PROP_ID(MetaTagIdsetGiven);
    const uint16_t type = PROP_TYPE(request->StateProperty);
    (void)response;
    if (!state)
        return ecNotSupported;
    if (state->uploading || !set_of(state, request->StateProperty) ||
        (type != PtypBinary && !(is_id_set && type == PtypInteger32)))
        return ecInvalidParam;
    if (request->TransferBufferSize > STATE_MAX)
        return ecTooBig;
    state->uploading = request->StateProperty;
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.9.2.2 */
enum ec
rop_SynchronizationUploadStateStreamContinue(struct rop_call *call,
                                             const struct RopSynchronizationUploadStateStreamContinueRequest *request,
                                             struct RopSynchronizationUploadStateStreamContinueResponse *response)
{
    struct ics_state *state = call->object->state;
    (void)response;
    if (!state)
        return ecNotSupported;
    if (!state->uploading)
        return ecInvalidParam;
    if (request->StreamData.size > STATE_MAX - state->stream.size)
        return ecTooBig;
    if (!hold(call, state, 2 * (state->stream.size + request->StreamData.size)))
        return ecNotEnoughMemory;
    buf_add(&state->stream, request->StreamData.data, request->StreamData.size);
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.9.2.3 */
enum ec rop_SynchronizationUploadStateStreamEnd(struct rop_call *call,
                                                const struct RopSynchronizationUploadStateStreamEndRequest *request,
                                                struct RopSynchronizationUploadStateStreamEndResponse *response)
{
    struct ics_state *state = call->object->state;
    struct idset *set = NULL;
    (void)request, (void)response;
    if (!state)
        return ecNotSupported;
    if (!state->uploading)
        return ecInvalidParam;
    enum ec ec = idset_of_bytes(&set, state, IDSET_REPLGUID, buf_blob(&state->stream));
    if (!ec && !hold(call, state, size_of_set(set))) {
        talloc_free(set);
        ec = ecNotEnoughMemory;
    }
    if (!ec) {
        struct idset **old = set_of(state, state->uploading);
        talloc_free(*old);
        *old = set;
    }
    state->uploading = 0;
    talloc_free(state->stream.data);
    buf_init(&state->stream, state);
    return ec;
}
