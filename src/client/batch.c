/* SPDX-License-Identifier: Apache-2.0 */
/* A list of ROPs to Execute buffers and back: [MS-OXCROPS] 2.2.1, 3.1.5.1, [MS-OXCRPC] 3.1.4.2.
 *
 *   client_rop[] -> handle table + list -> RopSize, list, handles -> RPC_HEADER_EXT -> Execute
 *   Execute -> payloads -> responses -> client_rop[]; RopNotify -> queue; what was not answered goes into another Execute
 */
#include "client/internal.h"

#include "wire/extended.h"

#define SLOTS_MAX 200u                      /* handle indexes of one buffer */
#define LIST_MAX (EXTENDED_PAYLOAD_MAX - 4 * SLOTS_MAX)
#define OUT_CHAINED 0x40000u
#define OUT_SINGLE (EXTENDED_PAYLOAD_MAX + EXTENDED_HEADER)
enum { FLAG_NO_COMPRESSION = 1, FLAG_NO_XOR = 2, FLAG_CHAIN = 4 };
enum { ID_NOTIFY = 0x2A, ID_PENDING = 0x6E, ID_BACKOFF = 0xF9, ID_TOO_SMALL = 0xFF };

/* ---- what is known about handles ---- */

struct handle *handle_find(struct client *c, uint32_t handle)
{
    struct handle *h = c->handles;
    while (h && h->handle != handle)
        h = h->next;
    return h;
}

static void handle_drop(struct client *c, uint32_t handle)
{
    struct handle **at = &c->handles;
    while (*at && (*at)->handle != handle)
        at = &(*at)->next;
    struct handle *h = *at;
    if (h) {
        *at = h->next;
        talloc_free(h);
    }
}

static void handle_add(struct client *c, uint32_t handle, uint8_t logon_id)
{
    if (handle == NO_HANDLE)
        return;
    handle_drop(c, handle);
    struct handle *h = talloc_zero(c, struct handle);
    *h = (struct handle){ .next = c->handles, .handle = handle, .logon_id = logon_id };
    c->handles = h;
}

void handles_forget(struct client *c)
{
    while (c->handles)
        handle_drop(c, c->handles->handle);
}

static void handle_columns(struct client *c, uint32_t handle, const uint32_t *columns, uint32_t count)
{
    struct handle *h = handle_find(c, handle);
    if (!h)
        return;
    talloc_free(h->columns);
    h->columns = talloc_memdup(h, columns, count * sizeof *columns);
    h->column_count = count;
}

static uint8_t logon_of(struct client *c, uint32_t handle)
{
    const struct handle *h = handle_find(c, handle);
    return h ? h->logon_id : 0;
}

/* ---- one buffer ---- */

struct slots {
    uint8_t input, output, other, logon_id;
};
struct batch {
    struct client *client;
    TALLOC_CTX *arena;
    struct client_rop *rops;
    size_t count;
    size_t first, sent;                     /* rops[first .. sent) are in this buffer */
    size_t done;                            /* rops[0 .. done) are over */
    struct slots *slots;                    /* of each ROP of this buffer */
    uint32_t handles[SLOTS_MAX];
    uint32_t handle_count;
    struct wire_in in;
    bool stopped;                           /* the server will not process what is left of the list */
};

static uint8_t slot_of(struct batch *b, uint32_t handle)
{
    for (uint32_t i = 0; i < b->handle_count; i++)
        if (b->handles[i] == handle && handle != NO_HANDLE)
            return (uint8_t)i;
    b->handles[b->handle_count] = handle;
    return (uint8_t)b->handle_count++;
}

/* An output of the same buffer is known by its slot, one of an earlier buffer by its handle. */
static uint8_t object_slot(struct batch *b, uint32_t handle, int from)
{
    const size_t i = (size_t)(from - 1);
    if (from && i >= b->first)
        return b->slots[i].output;
    return slot_of(b, from ? b->rops[i].out_handle : handle);
}

static bool has_output(const struct rop_wire *rop)
{
    return rop->indexes == ROP_IO || rop->indexes == ROP_O;
}

static uint8_t logon_id_of(struct batch *b, const struct client_rop *r)
{
    const size_t i = (size_t)(r->from - 1);
    if (r->id == RopLogon)
        return b->client->logons;
    if (r->from && i >= b->first)
        return b->slots[i].logon_id;
    return logon_of(b->client, r->from ? b->rops[i].out_handle : r->handle);
}

/* A structure of zeros for requests without one. */
static const void *request_of(struct batch *b, const struct client_rop *r, const struct rop_wire *rop)
{
    return r->request ? r->request : talloc_zero_size(b->arena, rop->request->size + 1);
}

static bool put_rop(struct batch *b, struct wire_out *out, size_t i)
{
    struct client_rop *r = &b->rops[i];
    const struct rop_wire *rop = rop_wire((uint8_t)r->id);
    struct slots *s = &b->slots[i];
    if (b->handle_count + 3 > SLOTS_MAX)
        return false;
    r->answered = false;
    r->out_handle = NO_HANDLE;
    s->logon_id = logon_id_of(b, r);
    s->input = rop->indexes == ROP_O ? 0 : object_slot(b, r->handle, r->from);
    uint8_t other = s->input;
    if (has_output(rop)) {
        b->handles[b->handle_count] = NO_HANDLE;
        other = s->output = (uint8_t)b->handle_count++;
    } else if (rop->indexes == ROP_SD) {
        other = object_slot(b, r->destination, r->destination_from);
    }
    const void *request = request_of(b, r, rop);
    s->other = other;
    return rop_put_request(out, rop, s->logon_id, rop->indexes == ROP_O ? other : s->input, other, request);
}

static void record_list(struct batch *b)
{
    for (size_t i = b->first; b->client->record && i < b->sent; i++) {
        const struct rop_wire *rop = rop_wire((uint8_t)b->rops[i].id);
        record_line(b->client, "  Rop%s  logon %u, input %u, other %u\n", rop->name, b->slots[i].logon_id, b->slots[i].input,
                    b->slots[i].other);
        record_struct(b->client, rop->request, request_of(b, &b->rops[i], rop));
    }
    for (uint32_t i = 0; i < b->handle_count; i++)
        record_line(b->client, "  handle %u: 0x%08x\n", i, b->handles[i]);
}

/* As many ROPs as one buffer holds. */
static enum ec put_list(struct batch *b, struct buf *payload)
{
    buf_init(payload, b->arena);
    buf_grow(payload, 2);
    struct wire_out out = wire_out(payload);
    out.limit = LIST_MAX;
    b->first = b->sent = b->done;
    b->handle_count = 0;
    while (b->sent < b->count && put_rop(b, &out, b->sent))
        b->sent++;
    if (b->sent == b->first && b->count > b->first)
        return client_fail(b->client, CLIENT_ROP, ecTooBig, (uint32_t)ecTooBig, "Rop%s: the request is larger than a buffer",
                           rop_wire((uint8_t)b->rops[b->first].id)->name);
    put_le16(payload->data, (uint16_t)payload->size);
    for (uint32_t i = 0; i < b->handle_count; i++)
        put_le32(buf_grow(payload, 4), b->handles[i]);
    return ecNone;
}

/* ---- responses ---- */

static const uint32_t receive_columns[] = { PidTagFolderId, PROP_AS(PidTagMessageClass, PtypString8), PidTagLastModificationTime };

static uint32_t handle_at(const struct batch *b, uint8_t slot)
{
    return slot < b->handle_count ? b->handles[slot] : NO_HANDLE;
}

/* Rows can be read only by who knows the columns. */
static void set_columns(struct batch *b, const struct client_rop *r, const struct slots *s)
{
    const struct handle *h = handle_find(b->client, handle_at(b, s->input));
    b->in.columns = h ? h->columns : NULL;
    b->in.column_count = h ? h->column_count : 0;
    if (r->columns) {
        b->in.columns = r->columns;
        b->in.column_count = r->column_count;
    } else if (r->id == RopGetPropertiesSpecific && r->request) {
        const struct RopGetPropertiesSpecificRequest *q = r->request;
        b->in.columns = q->PropertyTags;
        b->in.column_count = q->PropertyTagCount;
    } else if (r->id == RopGetReceiveFolderTable) {
        b->in.columns = receive_columns;
        b->in.column_count = COUNTOF(receive_columns);
    }
}

/* What an answer teaches about the rows to come. */
static void learn_columns(struct batch *b, const struct client_rop *r, const struct slots *s)
{
    struct client *c = b->client;
    const uint32_t input = handle_at(b, s->input);
    if (r->id == RopSetColumns && r->request) {
        const struct RopSetColumnsRequest *q = r->request;
        handle_columns(c, input, q->PropertyTags, q->PropertyTagCount);
    } else if (r->id == RopOpenMessage) {
        const struct RopOpenMessageResponse *a = r->response;
        handle_columns(c, r->out_handle, a->RecipientColumns, a->ColumnCount);
    } else if (r->id == RopOpenEmbeddedMessage) {
        const struct RopOpenEmbeddedMessageResponse *a = r->response;
        handle_columns(c, r->out_handle, a->RecipientColumns, a->ColumnCount);
    } else if (r->id == RopReloadCachedInformation) {
        const struct RopReloadCachedInformationResponse *a = r->response;
        handle_columns(c, input, a->RecipientColumns, a->ColumnCount);
    }
}

static bool get_response(struct batch *b, size_t i)
{
    struct client_rop *r = &b->rops[i];
    const struct rop_wire *rop = rop_wire((uint8_t)r->id);
    struct rop_response response;
    set_columns(b, r, &b->slots[i]);
    if (!rop_get_response(&b->in, rop, &response))
        return false;
    r->answered = true;
    r->code = (enum ec)response.code;
    r->response = response.body;
    if (b->client->record) {
        record_line(b->client, "  Rop%s  %s\n", rop->name, ec_name(r->code));
        if (r->response)
            record_struct(b->client, r->code && (uint32_t)r->code == rop->failure_code ? rop->failure : rop->response, r->response);
    }
    if (r->code)
        return true;
    if (has_output(rop)) {
        r->out_handle = handle_at(b, b->slots[i].output);
        handle_add(b->client, r->out_handle, b->slots[i].logon_id);
    }
    learn_columns(b, r, &b->slots[i]);
    return true;
}

/* ---- responses that answer no request: [MS-OXCROPS] 2.2.14.2, 2.2.14.3, 2.2.15 ---- */

static void decode_row(struct client *c, struct queued *q)
{
    const struct NotificationData *d = &q->notification.notify.NotificationData;
    const struct handle *h = handle_find(c, q->notification.notify.NotificationHandle);
    if (!d->TableRowDataSize || !h || !h->columns)
        return;
    struct wire_in in = wire_in(q, d->TableRowData);
    in.columns = talloc_memdup(q, h->columns, h->column_count * sizeof *h->columns);
    in.column_count = h->column_count;
    q->notification.row = wire_get_row(&in);
    if (in.bad)
        q->notification.row = (struct props){ 0, NULL };
}

static bool get_notify(struct batch *b)
{
    struct queued *q = talloc_zero(b->client, struct queued);
    struct wire_in in = b->in;
    in.arena = q;
    wire_get_uint(&in, 1);
    if (!wire_get(&in, &RopNotify_wire, &q->notification.notify)) {
        talloc_free(q);
        return false;
    }
    b->in.at = in.at;
    record_struct(b->client, &RopNotify_wire, &q->notification.notify);
    struct blob *data = &q->notification.notify.NotificationData.TableRowData;
    *data = blob_copy(q, *data);
    decode_row(b->client, q);
    *b->client->last_notification = q;
    b->client->last_notification = &q->next;
    return true;
}

static bool get_pending(struct batch *b)
{
    struct RopPending pending;
    wire_get_uint(&b->in, 1);
    b->client->more_notifications = wire_get(&b->in, &RopPending_wire, &pending);
    return !b->in.bad;
}

/* The rest goes into another Execute, unless there is nothing that could be left out of it. */
static bool get_too_small(struct batch *b)
{
    struct RopBufferTooSmall too_small;
    wire_get_uint(&b->in, 1);
    if (!wire_get(&b->in, &RopBufferTooSmall_wire, &too_small))
        return false;
    record_struct(b->client, &RopBufferTooSmall_wire, &too_small);
    if (b->done == b->first) {
        b->rops[b->done].code = ecBufferTooSmall;
        b->rops[b->done++].answered = true;
    }
    b->sent = b->done;
    return true;
}

static bool get_backoff(struct batch *b)
{
    struct RopBackoff backoff;
    wire_get_uint(&b->in, 1);
    b->stopped = true;
    for (size_t i = b->done; i < b->count; i++)
        b->rops[i].code = ecServerBusy;
    return wire_get(&b->in, &RopBackoff_wire, &backoff);
}

/* false: the buffer cannot be read. */
static bool get_list(struct batch *b)
{
    while (!b->stopped) {
        while (b->done < b->sent && b->rops[b->done].id == RopRelease)
            b->done++;
        if (!wire_left(&b->in))
            return true;
        const uint8_t id = *b->in.at;
        bool good;
        if (id == ID_NOTIFY)
            good = get_notify(b);
        else if (id == ID_PENDING)
            good = get_pending(b);
        else if (id == ID_TOO_SMALL)
            good = get_too_small(b);
        else if (id == ID_BACKOFF)
            good = get_backoff(b);
        else if ((good = b->done < b->sent && get_response(b, b->done)))
            b->done++;
        if (!good)
            return false;
    }
    return true;
}

/* ---- chained buffers: [MS-OXCRPC] 3.1.4.2.1.2.2 ---- */

static struct blob join(TALLOC_CTX *arena, struct blob a, struct blob b)
{
    struct buf all;
    buf_init(&all, arena);
    buf_add(&all, a.data, a.size);
    buf_add(&all, b.data, b.size);
    return buf_blob(&all);
}

static void join_rows(TALLOC_CTX *arena, struct RopQueryRowsResponse *a, const struct RopQueryRowsResponse *b)
{
    struct props *rows = talloc_array(arena, struct props, (size_t)a->RowCount + b->RowCount + 1);
    if (a->RowCount)
        memcpy(rows, a->RowData, a->RowCount * sizeof *rows);
    if (b->RowCount)
        memcpy(rows + a->RowCount, b->RowData, b->RowCount * sizeof *rows);
    a->RowData = rows;
    a->RowCount = (uint16_t)(a->RowCount + b->RowCount);
    a->Origin = b->Origin;
}

/* The last ROP answered again, as if the client had asked for more. */
static void join_response(struct batch *b, struct client_rop *r, void *more)
{
    if (r->id == RopQueryRows) {
        join_rows(b->arena, r->response, more);
    } else if (r->id == RopReadStream) {
        struct RopReadStreamResponse *a = r->response, *m = more;
        a->Data = join(b->arena, a->Data, m->Data);
        a->DataSize = (uint16_t)MIN(a->Data.size, UINT16_MAX);
    } else if (r->id == RopFastTransferSourceGetBuffer) {
        struct RopFastTransferSourceGetBufferResponse *a = r->response, *m = more;
        const struct blob all = join(b->arena, a->TransferBuffer, m->TransferBuffer);
        *a = *m;
        a->TransferBuffer = all;
    }
}

static bool get_chained(struct batch *b, struct blob payload)
{
    struct RopBuffer buffer;
    struct wire_in in = wire_in(b->arena, payload);
    if (b->done == b->first || !wire_get(&in, &RopBuffer_wire, &buffer))
        return false;
    const size_t last = b->done - 1;
    struct client_rop *r = &b->rops[last], first = *r;
    b->in = wire_in(b->arena, buffer.RopsList);
    if (!get_response(b, last) || !first.response)
        return false;
    void *more = r->response;
    const bool good = r->code == 0;
    *r = first;
    if (good)
        join_response(b, r, more);
    return true;
}

/* ---- Execute ---- */

static bool get_first(struct batch *b, struct blob payload)
{
    struct RopBuffer buffer;
    struct wire_in in = wire_in(b->arena, payload);
    if (!wire_get(&in, &RopBuffer_wire, &buffer) || buffer.ServerObjectHandleTable.size / 4 > 256)
        return false;
    b->handle_count = (uint32_t)MIN(buffer.ServerObjectHandleTable.size / 4, SLOTS_MAX);
    for (uint32_t i = 0; i < b->handle_count; i++)
        b->handles[i] = le32(buffer.ServerObjectHandleTable.data + 4 * i);
    b->in = wire_in(b->arena, buffer.RopsList);
    return get_list(b);
}

static bool get_answer(struct batch *b, struct blob rop_buffer)
{
    struct blob *payloads;
    uint32_t count;
    if (!extended_get(b->arena, rop_buffer, &payloads, &count) || !get_first(b, payloads[0]))
        return false;
    for (uint32_t i = 1; i < count; i++)
        if (!get_chained(b, payloads[i]))
            return false;
    return true;
}

static enum ec exchange_buffer(struct batch *b, struct blob payload, struct ExecuteResponse *response)
{
    struct client *c = b->client;
    const struct client_options *o = &c->options;
    struct buf extended;
    buf_init(&extended, b->arena);
    extended_put(&extended, payload, EXTENDED_LAST | (o->compress ? EXTENDED_COMPRESSED : 0) | (o->obfuscate ? EXTENDED_XOR : 0));
    const struct ExecuteRequest request = {
        .Flags = (o->compress ? 0 : FLAG_NO_COMPRESSION) | (o->obfuscate ? 0 : FLAG_NO_XOR) | (o->no_chain ? 0 : FLAG_CHAIN),
        .RopBufferSize = (uint32_t)extended.size, .RopBuffer = buf_blob(&extended),
        .MaxRopOut = o->no_chain ? OUT_SINGLE : OUT_CHAINED,
    };
    const struct exchange x = { CLIENT_EMSMDB, "Execute", &ExecuteRequest_wire, &ExecuteResponse_wire, &request, response };
    context_send(c, c->call, b->arena, &x);
    record_list(b);
    enum ec ec = transfer_finish(c->call);
    if (!ec)
        ec = context_receive(c, c->call, b->arena, &x);
    if (!ec && response->ErrorCode)
        ec = client_fail(c, CLIENT_ERROR_CODE, (enum ec)response->ErrorCode, response->ErrorCode, "Execute: %s, %s",
                         ec_name((enum ec)response->ErrorCode), ec_text((enum ec)response->ErrorCode));
    return ec;
}

static void drop_released(struct batch *b)
{
    for (size_t i = b->first; i < b->done; i++)
        if (b->rops[i].id == RopRelease)
            handle_drop(b->client, b->rops[i].from ? b->rops[b->rops[i].from - 1].out_handle : b->rops[i].handle);
}

/* One Execute.  A list that stays unanswered without a reason is one that the server has left: [MS-OXCTABL] 3.2.5.9 */
static enum ec execute_once(struct batch *b)
{
    struct buf payload;
    struct ExecuteResponse response = { 0 };
    enum ec ec = put_list(b, &payload);
    if (!ec)
        ec = exchange_buffer(b, buf_blob(&payload), &response);
    if (ec)
        return ec;
    b->client->more_notifications = false;
    if (!get_answer(b, response.RopBuffer))
        return client_fail(b->client, CLIENT_FORMAT, ecRpcFormat, 0, "Execute: the answer's ROP buffer cannot be read");
    drop_released(b);
    b->stopped |= b->done < b->sent;
    return ecNone;
}

enum ec client_execute(struct client *c, TALLOC_CTX *arena, struct client_rop *rops, size_t count)
{
    struct batch *b = talloc_zero(arena, struct batch);
    b->client = c;
    b->arena = arena;
    b->rops = rops;
    b->count = count;
    b->slots = talloc_zero_array(arena, struct slots, count + 1);
    for (size_t i = 0; i < count; i++) {
        rops[i].answered = false;
        rops[i].code = rops[i].id == RopRelease ? ecNone : ecCancel;
        rops[i].response = NULL;
        rops[i].out_handle = NO_HANDLE;
    }
    enum ec ec;
    do {
        ec = execute_once(b);
        if (c->options.progress && b->first && b->done < count)      /* a long list: a stream that is written */
            c->options.progress(c->options.progress_arg, b->done, count);
    } while (!ec && !b->stopped && b->done < count);
    return ec;
}

/* The answer carries its fields too. */
static bool is_warning(enum ec ec)
{
    return ((uint32_t)ec & 0xFFFF0000) == 0x00040000;
}

enum ec client_check(struct client *c, const struct client_rop *rops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (rops[i].code && !is_warning(rops[i].code))
            return client_fail(c, CLIENT_ROP, rops[i].code, (uint32_t)rops[i].code, "Rop%s: %s, %s",
                               rop_wire((uint8_t)rops[i].id)->name, ec_name(rops[i].code), ec_text(rops[i].code));
    return ecNone;
}

enum ec client_call(struct client *c, TALLOC_CTX *arena, enum rop_id id, uint32_t handle, const void *request, void *response,
                    uint32_t *out_handle)
{
    struct client_rop rop = { .id = id, .handle = handle, .request = request };
    enum ec ec = client_execute(c, arena, &rop, 1);
    if (ec)
        return ec;
    ec = client_check(c, &rop, 1);
    if (response && rop.response && !ec)
        memcpy(response, rop.response, rop_wire((uint8_t)id)->response->size);
    if (out_handle)
        *out_handle = rop.out_handle;
    return ec ? ec : rop.code;
}

void client_release(struct client *c, uint32_t handle)
{
    TALLOC_CTX *arena = talloc_new(c);
    if (handle != NO_HANDLE)
        client_call(c, arena, RopRelease, handle, NULL, NULL, NULL);
    talloc_free(arena);
}

/* ---- the queue of notifications ---- */

struct client_notification *client_next_notification(struct client *c, TALLOC_CTX *arena)
{
    struct queued *q = c->notifications;
    if (!q)
        return NULL;
    c->notifications = q->next;
    if (!c->notifications)
        c->last_notification = &c->notifications;
    talloc_steal(arena, q);
    return &q->notification;
}

void notifications_forget(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    while (client_next_notification(c, arena))
        ;
    talloc_free(arena);
    c->more_notifications = false;
}
