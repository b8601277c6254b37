/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCROPS] 3.2.5.1: one ROP after the other; [MS-OXCRPC] 3.1.4.2: the buffers around them. */
#include <pthread.h>

#include "rop/handlers.h"
#include "rop/trace.h"
#include "wire/extended.h"

#define NO_HANDLE 0xFFFFFFFFu
#define HANDLES_MAX 256u            /* an index is one byte */
#define RESPONSE_HEAD 6u            /* RopId, handle index, ReturnValue */
#define TOO_SMALL_HEAD 3u           /* RopId and SizeNeeded of RopBufferTooSmall */
#define RESPONSE_LEAST 64u          /* what a ROP with side effects may answer, lists of problems aside */
#define READ_STREAM_MAX 0x80000000u /* [MS-OXCROPS] 2.2.9.2.1 */
#define CODEPAGE_OF_LOGON 0x0FFF    /* [MS-OXCMSG] 2.2.3.1.1 */
#define QUERY_NO_ADVANCE 0x01       /* [MS-OXCTABL] 2.2.2.5.1: the same rows would come again */
#define POOL_BYTES (48 << 10)       /* for the many small pieces of a page of rows */

struct handler {
    unsigned objects, destination;
    enum ec (*call)(struct rop_call *, const void *request, void *response);
};

#define ROP(name, of)                                                                                                  \
    static enum ec call_##name(struct rop_call *c, const void *request, void *response)                                \
    {                                                                                                                  \
        return rop_##name(c, request, response);                                                                       \
    }
#define ROP2(name, of, to) ROP(name, of)
#include "rop/rop.def"
#undef ROP
#undef ROP2

#define ROP(name, of) { #name, { of, 0, call_##name } },
#define ROP2(name, of, to) { #name, { of, to, call_##name } },
static const struct {
    const char *name;
    struct handler handler;
} handlers[] = {
#include "rop/rop.def"
};
#undef ROP
#undef ROP2

static const struct handler *handler_by_id[256];
static pthread_once_t handlers_once = PTHREAD_ONCE_INIT;

static void index_handlers(void)
{
    for (unsigned id = 0; id < 256; id++) {
        const struct rop_wire *rop = rop_wire((uint8_t)id);
        for (size_t i = 0; rop && i < COUNTOF(handlers); i++)
            if (strcmp(handlers[i].name, rop->name) == 0)
                handler_by_id[id] = &handlers[i].handler;
    }
}

/* One ROP buffer on its way: the handle table, and the responses that grow. */
struct run {
    TALLOC_CTX *arena;
    const struct rop_services *services;
    struct session *session;
    uint32_t handles[HANDLES_MAX];
    uint32_t handle_count;
    struct wire_out out;
    struct rop_request last; /* the last ROP that was answered */
    const void *last_response;
    size_t last_room; /* that it had */
    enum ec last_code;
    bool stop;   /* nothing after this is processed, */
    bool closed; /* or answered */
};

/* What the handle table of the answer takes, once `q` has been answered. */
static size_t handles_size(const struct run *r, const struct rop_request *q)
{
    uint32_t count = r->handle_count;
    if (q && q->rop->indexes == ROP_O)
        count = MAX(count, q->index + 1u);
    else if (q && q->rop->indexes == ROP_IO)
        count = MAX(count, q->other + 1u);
    return count * 4;
}

/* ---- handles ---- */

static enum ec resolve(struct run *r, uint8_t logon_id, uint8_t index, struct object **out)
{
    *out = NULL;
    if (index >= r->handle_count || r->handles[index] == NO_HANDLE)
        return ecNullObject;
    return session_object(r->session, logon_id, r->handles[index], out);
}

static void set_handle(struct run *r, uint8_t index, uint32_t handle)
{
    while (r->handle_count <= index)
        r->handles[r->handle_count++] = NO_HANDLE;
    r->handles[index] = handle;
}

enum ec rop_open(struct rop_call *call, struct object *parent, enum object_type type, struct object **out)
{
    const enum ec ec = session_object_new(call->logon, parent, type, &call->opened);
    if (!ec && parent) {
        call->opened->codepage = parent->codepage;
        call->opened->fid = parent->fid;
    }
    if (!ec && !parent && call->object)
        call->opened->fid = call->object->fid;
    if (!ec)
        call->opened->right = parent ? parent->right : rop_right_of(type);
    *out = call->opened;
    return ec;
}

enum ec rop_set_codepage(struct rop_call *call, struct object *o, uint16_t code_page_id)
{
    if (code_page_id == CODEPAGE_OF_LOGON)
        return ecNone;
    if (!codepage_known(code_page_id))
        return ecUnknownCodePage;
    call->codepage = o->codepage = code_page_id;
    return ecNone;
}

/* ---- one ROP ---- */

/* [MS-OXCROPS] 2.2.15.3: no response, errors are ignored. */
static void release(struct run *r, const struct rop_request *q)
{
    struct object *o;
    rop_trace(r->services, r->session, NULL, (struct trace_rop){ .request = q });
    if (resolve(r, q->logon_id, q->index, &o) == ecNone)
        session_object_release(o);
}

static enum ec find_objects(struct run *r, const struct rop_request *q, const struct handler *h, struct rop_call *call)
{
    if (q->rop->indexes == ROP_O)
        return ecNone; /* RopLogon begins with nothing */
    enum ec ec = resolve(r, q->logon_id, q->index, &call->object);
    if (ec)
        return ec;
    if (!(call->object->type & h->objects))
        return ecNotSupported;
    if (q->rop->indexes == ROP_SD) {
        if (resolve(r, q->logon_id, q->other, &call->destination) != ecNone)
            return ecDstNullObject;
        if (!(call->destination->type & h->destination))
            return ecNotSupported;
    }
    call->logon = call->object->logon;
    call->store = call->logon->store;
    if (call->object->codepage)
        call->codepage = call->object->codepage;
    return ecNone;
}

static enum ec call_handler(struct rop_call *call, const struct handler *h, const struct rop_request *q, void *response)
{
    if (!call->store)
        return h->call(call, q->body, response);
    session_lock(call->logon);
    store_charge_to(call->store, session_budget(call->session));
    enum ec ec = rop_may_use(call->object);
    if (!ec && call->destination && call->destination->logon->store == call->store)
        ec = rop_may_use(call->destination);
    if (!ec)
        ec = h->call(call, q->body, response);
    store_unlock(call->store);
    return ec;
}

/* What a failure carries: the response's own fields where they always come, else zeros, except that a missing
 * destination is named by its index ([MS-OXCROPS] 2.2.4.6.3). */
static const void *failure_fields(struct run *r, const struct rop_request *q, enum ec ec, const void *response)
{
    if (!q->rop->failure || q->rop->failure_code != (uint32_t)ec)
        return response;
    uint8_t *fields = talloc_zero_size(r->arena, q->rop->failure->size + 4);
    if (ec == ecDstNullObject)
        *(uint32_t *)(void *)fields = q->other;
    return fields;
}

static bool succeeded(enum ec ec)
{
    return ((uint32_t)ec & 0xFFFF0000u) == 0x00040000u || ec == ecNone; /* warnings carry the fields too */
}

/* Runs one ROP and writes its response.  false: the response did not fit.  What changes something fits, so nothing has
 * happened then; what only makes a long list of problems does the same when it is asked again. */
static bool run_rop(struct run *r, const struct rop_request *q, size_t tail)
{
    const struct handler *h = handler_by_id[q->rop->id];
    const size_t used = r->out.to->size, keep = handles_size(r, q) + (tail ? TOO_SMALL_HEAD + tail : 0);
    if (used + keep + RESPONSE_HEAD + RESPONSE_LEAST > r->out.limit)
        return false;

    struct rop_call call = { .arena = r->arena,
                             .services = r->services,
                             .session = r->session,
                             .logon_id = q->logon_id,
                             .index = q->index,
                             .codepage = session_client(r->session)->code_page,
                             .room = r->out.limit - used - keep - RESPONSE_HEAD };
    void *response = talloc_zero_size(r->arena, q->rop->response->size + 1);
    enum ec ec = h ? find_objects(r, q, h, &call) : ecNotImplemented;
    if (!ec)
        ec = call_handler(&call, h, q, response);
    if (ec == ecBufferTooSmall && r->last.rop)
        return false; /* at the head of a list it has more room */

    const bool ok = succeeded(ec);
    struct wire_out out = r->out;
    out.limit -= keep;
    out.codepage = call.codepage;
    out.columns = call.columns;
    out.column_count = call.column_count;
    out.rows = call.rows;
    const bool fits = rop_put_response(&out, q->rop, rop_response_index(q), (uint32_t)ec,
                                       ok ? response : failure_fields(r, q, ec, response));
    if (call.opened && !(ok && fits))
        session_object_release(call.opened);
    if (!fits)
        return false;
    if (ok && call.opened)
        set_handle(r, q->rop->indexes == ROP_O ? q->index : q->other, call.opened->handle);
    rop_trace(r->services, r->session, call.store,
              (struct trace_rop){ .request = q,
                                  .answer = BLOB_OF(out.to->data + used, out.to->size - used),
                                  .columns = call.columns,
                                  .column_count = call.column_count,
                                  .codepage = call.codepage });
    r->last = *q;
    r->last_response = response;
    r->last_room = call.room;
    r->last_code = ec;
    return true;
}

/* Writes one of the responses that stand outside the pattern; the handle table keeps its place. */
static bool put_special(struct run *r, uint8_t id, const struct wire_struct *description, const void *self)
{
    struct wire_out out = r->out;
    const size_t before = out.to->size;
    out.limit -= MIN(handles_size(r, NULL), out.limit);
    wire_put_uint(&out, id, 1);
    if (wire_put(&out, description, self)) {
        rop_trace_unasked(r->services, r->session, description, self);
        return true;
    }
    out.to->size = before;
    return false;
}

/* [MS-OXCROPS] 3.2.4.3: the client sends the rest again, with more room, if more of it would help. */
static enum ec put_too_small(struct run *r, struct blob rest)
{
    const struct RopBufferTooSmall too_small = { .SizeNeeded = EXTENDED_PAYLOAD_MAX + EXTENDED_HEADER,
                                                 .RequestBuffers = rest };
    const bool most = !r->last.rop && r->out.limit >= EXTENDED_PAYLOAD_MAX;
    r->stop = r->closed = true;
    return !most && put_special(r, 0xFF, &RopBufferTooSmall_wire, &too_small) ? ecNone : ecBufferTooSmall;
}

/* [MS-OXCTABL] 3.2.5.9, 3.2.5.10, 3.2.5.12: the ROPs after a failed one of these are not processed. */
static bool ends_processing(const struct run *r)
{
    static const uint8_t seeks[] = { 0x18, 0x19, 0x1B }; /* RopSeekRow, RopSeekRowBookmark, RopCreateBookmark */
    return !succeeded(r->last_code) && memchr(seeks, r->last.rop->id, sizeof seeks);
}

/* [MS-OXCROPS] 2.2.9.2.1: one value that fails the whole call. */
static bool is_sane(const struct rop_request *q)
{
    const struct RopReadStreamRequest *read = q->body;
    return q->rop->id != 0x2C || read->ByteCount != 0xBABE || read->MaximumByteCount <= READ_STREAM_MAX;
}

/* All of them are read before the first is run: what cannot be read changes nothing. */
static struct rop_request *read_list(struct run *r, struct blob list, uint32_t *count)
{
    struct wire_in in = wire_in(r->arena, list);
    in.codepage = session_client(r->session)->code_page;
    struct rop_request *all = NULL;
    uint32_t room = 0;
    for (*count = 0; wire_left(&in); ++*count) {
        if (*count == room)
            all = talloc_realloc(r->arena, all, struct rop_request, room = MAX(8, room * 2));
        if (!rop_get_request(&in, &all[*count]) || !is_sane(&all[*count]))
            return NULL;
    }
    return all ? all : talloc_zero(r->arena, struct rop_request);
}

/* [MS-OXCROPS] 3.1.5.4: 8-bit text for a message, and for what is in it, is in the code page of the message.  Which one
 * that is may be known only after the ROPs before, so such a request is read once more; its structure is the same. */
static void read_in_own_codepage(struct run *r, struct rop_request *q)
{
    struct object *o;
    if (q->rop->indexes == ROP_O || resolve(r, q->logon_id, q->index, &o) || !o->codepage)
        return;
    struct wire_in in = wire_in(r->arena, q->bytes);
    in.codepage = o->codepage;
    rop_get_request(&in, q);
}

static enum ec run_list(struct run *r, struct blob list)
{
    const uint8_t *end = list.data + list.size;
    uint32_t count;
    struct rop_request *all = read_list(r, list, &count);
    if (!all)
        return ecRpcFormat;
    for (uint32_t i = 0; i < count && !r->stop; i++) {
        struct rop_request *q = &all[i];
        read_in_own_codepage(r, q);
        if (q->rop->id == 0x01)
            release(r, q);
        else if (!run_rop(r, q, (size_t)(end - q->bytes.data) - q->bytes.size))
            return put_too_small(r, BLOB_OF(q->bytes.data, (size_t)(end - q->bytes.data)));
        else
            r->stop = ends_processing(r);
    }
    return ecNone;
}

/* ---- notifications: [MS-OXCNOTIF] 3.1.5.1, at the end of the responses, as many as fit ---- */

static void put_notifications(struct run *r)
{
    struct notification *n;
    while (!r->closed && (n = session_next_notification(r->arena, r->session))) {
        if (put_special(r, 0x2A, &RopNotify_wire, &n->body))
            continue;
        session_unread_notification(r->session, n);
        put_special(r, 0x6E, &RopPending_wire, &(struct RopPending){ .SessionIndex = 0 });
        return;
    }
}

/* ---- buffers ---- */

static bool get_handles(struct run *r, struct blob table)
{
    if (table.size % 4 || table.size / 4 > HANDLES_MAX)
        return false;
    for (r->handle_count = 0; r->handle_count * 4 < table.size; r->handle_count++)
        r->handles[r->handle_count] = le32(table.data + r->handle_count * 4);
    return true;
}

/* One payload: RopSize, responses, handle table. */
static struct blob close_payload(struct run *r, struct buf *payload)
{
    put_le16(payload->data, (uint16_t)payload->size);
    for (uint32_t i = 0; i < r->handle_count; i++)
        put_le32(buf_grow(payload, 4), r->handles[i]);
    return buf_blob(payload);
}

static void open_payload(struct run *r, struct buf *payload, size_t limit)
{
    buf_init(payload, r->arena);
    buf_grow(payload, 2);
    r->out = wire_out(payload);
    r->out.limit = limit;
    r->out.codepage = session_client(r->session)->code_page;
}

/* What is left of the ROP that was answered last, for another chained buffer.  false: nothing.  The client never gets
 * more than it asked for. */
static bool rest_of_stream(const struct run *r)
{
    struct RopReadStreamRequest *asked = r->last.body;
    const struct RopReadStreamResponse *got = r->last_response;
    const uint32_t count = rop_read_count(asked);
    const bool at_end = got->DataSize < MIN((size_t)count, rop_read_most(r->last_room));
    *asked = (struct RopReadStreamRequest){ .ByteCount = 0xBABE, .MaximumByteCount = count - got->DataSize };
    return !at_end && count > got->DataSize;
}

static bool rest_of_rows(const struct run *r)
{
    struct RopQueryRowsRequest *asked = r->last.body;
    const struct RopQueryRowsResponse *got = r->last_response;
    const bool more = got->Origin == BOOKMARK_CURRENT && got->RowCount != 0 && got->RowCount < asked->RowCount &&
                      !(asked->QueryRowsFlags & QUERY_NO_ADVANCE);
    asked->RowCount = (uint16_t)(asked->RowCount - got->RowCount);
    return more;
}

/* The client leaves it to the server how much comes at once: [MS-OXCFXICS] 3.2.5.8.1.5. */
static bool rest_of_transfer(const struct run *r)
{
    const struct RopFastTransferSourceGetBufferRequest *asked = r->last.body;
    const struct RopFastTransferSourceGetBufferResponse *got = r->last_response;
    return asked->BufferSize == 0xBABE && got->TransferStatus == 1 && got->TransferBufferSize;
}

static const struct chained {
    uint8_t id;
    uint32_t room; /* less than this left: no further chained buffer */
    bool (*rest)(const struct run *);
} chained[] = {
    { 0x15, 32768, rest_of_rows },
    { 0x2C, 8192, rest_of_stream },
    { 0x4E, 8192, rest_of_transfer },
};

/* NULL: not one of the ROPs that go on. */
static const struct chained *chained_of(const struct run *r)
{
    for (size_t i = 0; r->last.rop && i < COUNTOF(chained); i++)
        if (chained[i].id == r->last.rop->id)
            return &chained[i];
    return NULL;
}

/* [MS-OXCRPC] 3.1.4.2.1.2.2: the last ROP again, as if the client had asked for more, while there is room. */
static uint32_t chain(struct run *r, const struct chained *c, struct buf *payload, size_t left, struct blob *payloads)
{
    uint32_t count = 0;
    payloads[count++] = close_payload(r, payload);
    left -= EXTENDED_HEADER + payloads[0].size;
    while (count < EXTENDED_BUFFERS_MAX && left >= c->room && r->last_code == ecNone && c->rest(r)) {
        const struct rop_request again = r->last;
        open_payload(r, payload, MIN(EXTENDED_PAYLOAD_MAX, left - EXTENDED_HEADER));
        if (!run_rop(r, &again, 0))
            break;
        payloads[count] = close_payload(r, payload);
        left -= EXTENDED_HEADER + payloads[count++].size;
    }
    return count;
}

static enum ec check_sizes(struct blob in, uint32_t out_max)
{
    if (in.size > EXECUTE_IN_MAX || out_max > EXECUTE_OUT_MAX)
        return ecBadStubData; /* [MS-OXCRPC] 3.1.4.2 */
    return in.size < EXTENDED_HEADER || out_max < EXTENDED_HEADER ? ecRpcFailed : ecNone;
}

/* The one payload of a request: packed uploads were not announced. */
static enum ec open_request(struct run *r, struct blob in, struct RopBuffer *buffer)
{
    struct blob *payloads;
    uint32_t count;
    if (!extended_get(r->arena, in, &payloads, &count) || count != 1)
        return ecRpcFormat;
    struct wire_in w = wire_in(r->arena, payloads[0]);
    if (!wire_get(&w, &RopBuffer_wire, buffer) || !get_handles(r, buffer->ServerObjectHandleTable))
        return ecRpcFormat;
    return ecNone;
}

enum ec rop_execute(TALLOC_CTX *arena, const struct rop_services *services, struct session *session, struct blob in,
                    uint32_t flags, uint32_t out_max, struct buf *out)
{
    pthread_once(&handlers_once, index_handlers);
    TALLOC_CTX *pool = talloc_pool(arena, POOL_BYTES);
    struct run r = { .arena = pool, .services = services, .session = session };
    struct RopBuffer request;
    struct buf payload;
    enum ec ec = check_sizes(in, out_max);
    if (!ec)
        ec = open_request(&r, in, &request);
    if (ec)
        return ec;

    open_payload(&r, &payload, MIN(EXTENDED_PAYLOAD_MAX, out_max - EXTENDED_HEADER));
    if (payload.size + handles_size(&r, NULL) > r.out.limit)
        return ecBufferTooSmall;
    ec = run_list(&r, request.RopsList);
    if (ec)
        return ec;
    struct blob payloads[EXTENDED_BUFFERS_MAX];
    uint32_t count = 1;
    const struct chained *chains = chained_of(&r);
    if (flags & EXECUTE_CHAIN && !r.stop && chains) {
        count = chain(&r, chains, &payload, out_max, payloads);
    } else {
        put_notifications(&r);
        payloads[0] = close_payload(&r, &payload);
    }
    const unsigned form =
        (flags & EXECUTE_NO_COMPRESSION ? 0 : EXTENDED_COMPRESSED) | (flags & EXECUTE_NO_XOR ? 0 : EXTENDED_XOR);
    for (uint32_t i = 0; i < count; i++)
        extended_put(out, payloads[i], form | (i + 1 == count ? EXTENDED_LAST : 0));
    return ecNone;
}
