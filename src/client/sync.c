/* SPDX-License-Identifier: Apache-2.0 */
/* Download: [MS-OXCFXICS] 3.3.4.3.  The stream is read by its markers: each says where the properties after it go. */
#include "client/sync.h"

#include "client/internal.h"
#include "client/sync_inside.h"

#define EMBEDDED_MAX 32u
#define STATE_PIECE 0x4000u
#define SEND_UNICODE 0x01u
enum { STATUS_PARTIAL = 1, STATUS_DONE = 3 };

/* ---- what is being put together ---- */

struct list {
    struct props *to;
    uint32_t room;
};
struct level { /* a message, and the attachment that a message inside of it belongs to */
    struct sync_message *message;
    struct sync_attachment *attachment;
};
struct download {
    struct client *client;
    TALLOC_CTX *owner, *item; /* of the new state; of what is being put together */
    const struct sync_taker *taker;
    void *arg;
    bool hierarchy, in_item, ended;
    struct props folder;
    struct sync_message message;
    struct level levels[EMBEDDED_MAX];
    uint32_t depth;
    struct list list;                                        /* where properties go; none: nowhere */
    enum ec (*take)(struct download *, const struct prop *); /* or to whom */
    uint32_t long_tag;
    struct buf long_value;
    struct sync_state state;
};

static void go_to(struct download *d, struct props *to)
{
    *to = (struct props){ 0 };
    d->list = (struct list){ to, 0 };
    d->take = NULL;
}

static void go_on_with(struct download *d, struct props *to)
{
    d->list = (struct list){ to, to->count };
    d->take = NULL;
}

static enum ec add(struct download *d, const struct prop *p)
{
    struct list *l = &d->list;
    if (!l->to)
        return ecNone;
    struct prop *values = (struct prop *)l->to->values;
    if (l->to->count >= l->room) {
        l->room = MAX(16, l->to->count * 2);
        l->to->values = values = talloc_realloc(d->item, values, struct prop, l->room);
    }
    values[l->to->count++] = prop_copy(d->item, p);
    return ecNone;
}

/* ---- items ---- */

static enum ec end_item(struct download *d)
{
    enum ec ec = ecNone;
    if (d->in_item && d->hierarchy && d->taker->folder)
        ec = d->taker->folder(d->arg, &d->folder);
    else if (d->in_item && !d->hierarchy && d->taker->message)
        ec = d->taker->message(d->arg, &d->message);
    d->in_item = false;
    d->list = (struct list){ 0 };
    d->take = NULL;
    talloc_free_children(d->item);
    return ec;
}

static enum ec begin_item(struct download *d)
{
    const enum ec ec = end_item(d);
    d->in_item = true;
    d->message = (struct sync_message){ 0 };
    d->levels[0] = (struct level){ &d->message, NULL };
    d->depth = 1;
    go_to(d, d->hierarchy ? &d->folder : &d->message.header);
    return ec;
}

static struct level *top(struct download *d)
{
    return &d->levels[d->depth - 1];
}

static enum ec begin_recipient(struct download *d)
{
    struct sync_message *m = top(d)->message;
    m->recipients = talloc_realloc(d->item, m->recipients, struct props, m->recipient_count + 1);
    go_to(d, &m->recipients[m->recipient_count++]);
    return ecNone;
}

static enum ec begin_attachment(struct download *d)
{
    struct sync_message *m = top(d)->message;
    m->attachments = talloc_realloc(d->item, m->attachments, struct sync_attachment, m->attachment_count + 1);
    top(d)->attachment = &m->attachments[m->attachment_count++];
    *top(d)->attachment = (struct sync_attachment){ 0 };
    go_to(d, &top(d)->attachment->props);
    return ecNone;
}

static enum ec begin_embedded(struct download *d)
{
    if (!top(d)->attachment || d->depth == EMBEDDED_MAX)
        return ecRpcFormat;
    struct sync_message *m = talloc_zero(d->item, struct sync_message);
    top(d)->attachment->embedded = m;
    d->levels[d->depth++] = (struct level){ m, NULL };
    go_to(d, &m->props);
    return ecNone;
}

static enum ec end_embedded(struct download *d)
{
    if (d->depth < 2)
        return ecRpcFormat;
    d->depth--;
    go_on_with(d, &top(d)->attachment->props);
    return ecNone;
}

static enum ec end_child(struct download *d)
{
    top(d)->attachment = NULL;
    go_on_with(d, &top(d)->message->props);
    return ecNone;
}

static enum ec begin_content(struct download *d)
{
    go_to(d, &d->message.props);
    return ecNone;
}

/* ---- what stands behind the items ---- */

static enum ec take_ids(struct download *d, const struct prop *p,
                        enum ec (*take)(struct download *, const struct idset *, uint32_t))
{
    struct idset *ids;
    if (PROP_TYPE(p->tag) != PtypBinary)
        return ecNone;
    const enum ec ec = idset_of_bytes(&ids, d->item, IDSET_REPLID, p->bin);
    return ec ? ec : take(d, ids, p->tag);
}

static enum ec ids_deleted(struct download *d, const struct idset *ids, uint32_t tag)
{
    (void)tag;
    return d->taker->deleted ? d->taker->deleted(d->arg, ids) : ecNone;
}

static enum ec ids_read(struct download *d, const struct idset *ids, uint32_t tag)
{
    return d->taker->read ? d->taker->read(d->arg, ids, PROP_ID(tag) == PROP_ID(MetaTagIdsetRead)) : ecNone;
}

static enum ec take_deletion(struct download *d, const struct prop *p)
{
    return take_ids(d, p, ids_deleted);
}

static enum ec take_read_state(struct download *d, const struct prop *p)
{
    return take_ids(d, p, ids_read);
}

static struct blob *state_property(struct sync_state *s, uint32_t tag)
{
    switch (PROP_ID(tag)) {
    case PROP_ID(MetaTagIdsetGiven): return &s->given;
    case PROP_ID(MetaTagCnsetSeen): return &s->seen;
    case PROP_ID(MetaTagCnsetSeenFAI): return &s->seen_fai;
    case PROP_ID(MetaTagCnsetRead): return &s->read;
    default: return NULL;
    }
}

static enum ec take_state(struct download *d, const struct prop *p)
{
    struct blob *to = state_property(&d->state, p->tag);
    if (to)
        *to = blob_copy(d->owner, p->bin);
    return ecNone;
}

static enum ec take_with(struct download *d, enum ec (*take)(struct download *, const struct prop *))
{
    const enum ec ec = end_item(d);
    d->take = take;
    return ec;
}

/* ---- the stream ---- */

static bool is_of_message(uint32_t marker)
{
    return marker == FX_IncrSyncMessage || marker == FX_StartRecip || marker == FX_EndToRecip ||
           marker == FX_NewAttach || marker == FX_EndAttach || marker == FX_StartEmbed || marker == FX_EndEmbed;
}

static enum ec on_marker(void *arg, uint32_t marker)
{
    struct download *d = arg;
    if (is_of_message(marker) && (!d->in_item || d->hierarchy))
        return ecRpcFormat;
    switch (marker) {
    case FX_IncrSyncChg: return begin_item(d);
    case FX_IncrSyncMessage: return begin_content(d);
    case FX_StartRecip: return begin_recipient(d);
    case FX_NewAttach: return begin_attachment(d);
    case FX_StartEmbed: return begin_embedded(d);
    case FX_EndEmbed: return end_embedded(d);
    case FX_EndToRecip:
    case FX_EndAttach: return end_child(d);
    case FX_IncrSyncDel: return take_with(d, take_deletion);
    case FX_IncrSyncRead: return take_with(d, take_read_state);
    case FX_IncrSyncStateBegin: return take_with(d, take_state);
    case FX_IncrSyncEnd: d->ended = true; return end_item(d);
    default: return take_with(d, NULL); /* progress, errors of single messages, the end of the state */
    }
}

static enum ec on_prop(void *arg, const struct prop *p, const struct PropertyName *name)
{
    struct download *d = arg;
    (void)name;
    return d->take ? d->take(d, p) : add(d, p);
}

static enum ec on_long(void *arg, uint32_t tag, const struct PropertyName *name, uint32_t size)
{
    struct download *d = arg;
    (void)name, (void)size;
    d->long_tag = tag;
    buf_init(&d->long_value, d->item);
    return ecNone;
}

static enum ec on_piece(void *arg, struct blob piece)
{
    struct download *d = arg;
    if (piece.size) {
        buf_add(&d->long_value, piece.data, piece.size);
        return ecNone;
    }
    const struct blob all = buf_blob(&d->long_value);
    const bool wide = PROP_TYPE(d->long_tag) == PtypString || PROP_TYPE(d->long_tag) == (PtypCodePage | 1200);
    const struct prop p = wide ? P_STR(PROP_AS(d->long_tag, PtypString), utf8_of_utf16(d->item, all.data, all.size))
                               : P_BIN(PROP_AS(d->long_tag, PtypBinary), all);
    return on_prop(d, &p, NULL);
}

static const struct fx_taker elements = { on_marker, on_prop, on_long, on_piece };

/* ---- the calls ---- */

static enum ec upload_state_property(struct client *c, uint32_t context, uint32_t tag, struct blob value)
{
    const struct RopSynchronizationUploadStateStreamBeginRequest begin = { tag, (uint32_t)value.size };
    TALLOC_CTX *arena = talloc_new(c);
    const size_t pieces = (value.size + STATE_PIECE - 1) / STATE_PIECE;
    struct RopSynchronizationUploadStateStreamContinueRequest *parts =
        talloc_zero_array(arena, struct RopSynchronizationUploadStateStreamContinueRequest, pieces + 1);
    struct client_rop *rops = talloc_zero_array(arena, struct client_rop, pieces + 2);
    rops[0] =
        (struct client_rop){ .id = RopSynchronizationUploadStateStreamBegin, .handle = context, .request = &begin };
    for (size_t i = 0; i < pieces; i++) {
        const size_t at = i * STATE_PIECE;
        parts[i].StreamData = BLOB_OF(value.data + at, MIN(STATE_PIECE, value.size - at));
        parts[i].StreamDataSize = (uint32_t)parts[i].StreamData.size;
        rops[1 + i] = (struct client_rop){ .id = RopSynchronizationUploadStateStreamContinue,
                                           .handle = context,
                                           .request = &parts[i] };
    }
    rops[1 + pieces] = (struct client_rop){ .id = RopSynchronizationUploadStateStreamEnd, .handle = context };
    enum ec ec = client_execute(c, arena, rops, pieces + 2);
    if (!ec)
        ec = client_check(c, rops, pieces + 2);
    talloc_free(arena);
    return ec;
}

enum ec sync_upload_state(struct client *c, uint32_t context, uint8_t type, const struct sync_state *s)
{
    const struct {
        uint32_t tag;
        struct blob value;
        bool contents;
    } all[] = {
        { MetaTagIdsetGiven, s->given, false },
        { MetaTagCnsetSeen, s->seen, false },
        { MetaTagCnsetSeenFAI, s->seen_fai, true },
        { MetaTagCnsetRead, s->read, true },
    };
    enum ec ec = ecNone;
    for (size_t i = 0; !ec && i < COUNTOF(all); i++)
        if (all[i].value.size && (!all[i].contents || type == SYNC_CONTENTS))
            ec = upload_state_property(c, context, all[i].tag, all[i].value);
    return ec;
}

static enum ec read_stream(struct client *c, uint32_t context, struct fx_in *in)
{
    const struct RopFastTransferSourceGetBufferRequest request = { .BufferSize = 0xBABE, .MaximumBufferSize = 0xFFFF };
    enum ec ec = ecNone;
    uint16_t status = STATUS_PARTIAL;
    while (!ec && status == STATUS_PARTIAL) {
        TALLOC_CTX *arena = talloc_new(c);
        struct RopFastTransferSourceGetBufferResponse part = { 0 };
        ec = client_call(c, arena, RopFastTransferSourceGetBuffer, context, &request, &part, NULL);
        status = part.TransferStatus;
        if (!ec)
            ec = fx_read(in, part.TransferBuffer);
        if (!ec && c->options.progress)
            c->options.progress(c->options.progress_arg, part.InProgressCount, part.TotalStepCount);
        talloc_free(arena);
    }
    return ec || (status == STATUS_DONE && fx_is_between(in)) ? ec : ecRpcFormat;
}

static enum ec run_download(struct download *d, uint32_t context, struct sync_state *state)
{
    d->item = talloc_new(d->client);
    struct fx_in *in = fx_in_new(d->client, &elements, d, CLIENT_CODE_PAGE);
    const enum ec ec = read_stream(d->client, context, in);
    talloc_free(in);
    talloc_free(d->item);
    if (!ec)
        *state = d->state;
    return ec;
}

enum ec sync_read_state(struct client *c, TALLOC_CTX *owner, uint32_t context, struct sync_state *state)
{
    static const struct sync_taker nobody = { 0 };
    struct download d = { .client = c, .owner = owner, .taker = &nobody, .state = *state };
    return run_download(&d, context, state);
}

static enum ec configure(struct client *c, uint32_t folder, const struct sync_scope *s, uint32_t *context)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct RopSynchronizationConfigureRequest request = { .SynchronizationType = s->type,
                                                                .SendOptions =
                                                                    s->flags & SYNC_UNICODE ? SEND_UNICODE : 0,
                                                                .SynchronizationFlags = s->flags,
                                                                .RestrictionData = (struct restriction *)s->restriction,
                                                                .SynchronizationExtraFlags = s->extra,
                                                                .PropertyTagCount = s->tag_count,
                                                                .PropertyTags = s->tags };
    const enum ec ec = client_call(c, arena, RopSynchronizationConfigure, folder, &request, NULL, context);
    talloc_free(arena);
    return ec;
}

enum ec client_sync(struct client *c, TALLOC_CTX *owner, uint32_t folder, const struct sync_scope *scope,
                    struct sync_state *state, const struct sync_taker *taker, void *arg)
{
    uint32_t context = NO_HANDLE;
    struct download d = {
        .client = c, .owner = owner, .taker = taker, .arg = arg, .hierarchy = scope->type == SYNC_HIERARCHY
    };
    enum ec ec = configure(c, folder, scope, &context);
    if (!ec)
        ec = sync_upload_state(c, context, scope->type, state);
    if (!ec)
        ec = run_download(&d, context, state);
    client_release(c, context);
    return ec || d.ended ? ec : ecRpcFormat;
}
