/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies that were kept in files: what each is, and its structures as text. */
#include "trace/trace.h"
#include "wire/extended.h"
#include "wire/fasttransfer_read.h"

enum { CALL_LEAST = 8, NOTIFY = 0x2A, PENDING = 0x6E, TOO_SMALL = 0xFF };

struct decoder {
    TALLOC_CTX *arena;
    struct buf *text;
    const struct trace_style *style;
};

static void indent(const struct decoder *d)
{
    buf_printf(d->text, "  ");
}

/* ---- lists of ROPs ---- */

static void print_requests(const struct decoder *d, struct blob list)
{
    struct wire_in in = wire_in(d->arena, list);
    struct rop_request q;
    while (wire_left(&in)) {
        const size_t left = wire_left(&in);
        indent(d);
        if (!rop_get_request(&in, &q)) {
            buf_printf(d->text, "%zu bytes that are no ROP\n", left);
            return;
        }
        trace_print_rop(d->text, d->style, &(struct trace_rop){ .request = &q });
    }
}

static bool print_unasked(const struct decoder *d, struct wire_in *in)
{
    static const struct {
        uint8_t id;
        const char *name;
        const struct wire_struct *form;
    } known[] = { { NOTIFY, "Notify", &RopNotify_wire },
                  { PENDING, "Pending", &RopPending_wire },
                  { TOO_SMALL, "BufferTooSmall", &RopBufferTooSmall_wire } };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (*in->at == known[i].id) {
            void *body = talloc_zero_size(d->arena, known[i].form->size);
            wire_get_uint(in, 1);
            if (wire_get(in, known[i].form, body))
                trace_print_call(d->text, d->style,
                                 &(struct trace_call){ .type = known[i].name, .answer_form = known[i].form, .answer = body });
            return true;
        }
    return false;
}

/* Rows can be read only by who knows their columns, which the answer does not say. */
static void print_answers(const struct decoder *d, struct blob list)
{
    struct wire_in in = wire_in(d->arena, list);
    while (wire_left(&in) && !in.bad) {
        indent(d);
        if (print_unasked(d, &in))
            continue;
        const struct rop_wire *rop = rop_wire_of_response(*in.at);
        const uint8_t *from = in.at;
        struct rop_response answer;
        if (!rop || !rop_get_response(&in, rop, &answer)) {
            buf_printf(d->text, "%s%s%zu bytes that cannot be read without the request\n", rop ? rop->name : "",
                       rop ? ": " : "", (size_t)(in.end - from));
            return;
        }
        const struct rop_request unknown = { .rop = rop, .index = from[1] };
        trace_print_rop(d->text, d->style,
                        &(struct trace_rop){ .request = &unknown, .answer = BLOB_OF(from, (size_t)(in.at - from)) });
    }
}

static void print_handles(const struct decoder *d, struct blob table)
{
    buf_printf(d->text, "  handles:");
    for (size_t at = 0; at + 4 <= table.size; at += 4)
        buf_printf(d->text, " %08x", le32(table.data + at));
    buf_printf(d->text, "\n");
}

/* false: no extended buffers, or what is in them is no list of ROPs. */
static bool print_rops(const struct decoder *d, struct blob extended, bool answers)
{
    struct blob *payloads;
    uint32_t count;
    if (!extended_get(d->arena, extended, &payloads, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct RopBuffer buffer;
        struct wire_in in = wire_in(d->arena, payloads[i]);
        if (!wire_get(&in, &RopBuffer_wire, &buffer))
            return false;
        (answers ? print_answers : print_requests)(d, buffer.RopsList);
        print_handles(d, buffer.ServerObjectHandleTable);
    }
    return true;
}

/* ---- FastTransfer ---- */

static enum ec on_marker(void *arg, uint32_t marker)
{
    const struct decoder *d = arg;
    buf_printf(d->text, "%s\n", fx_marker_name(marker));
    return ecNone;
}

static struct wire_style shown(const struct decoder *d, const struct PropertyName *name)
{
    return (struct wire_style){ d->style->content ? WIRE_ALL : WIRE_MASKED, NULL, name };
}

static enum ec on_prop(void *arg, const struct prop *p, const struct PropertyName *name)
{
    const struct decoder *d = arg;
    const struct wire_style style = shown(d, name);
    wire_dump_prop_styled(d->text, &style, p, 1);
    return ecNone;
}

static enum ec on_long(void *arg, uint32_t tag, const struct PropertyName *name, uint32_t size)
{
    const struct decoder *d = arg;
    const struct wire_style style = shown(d, name);
    indent(d);
    wire_dump_tag(d->text, &style, tag);
    buf_printf(d->text, ": up to %u bytes\n", size);
    return ecNone;
}

static enum ec on_piece(void *arg, struct blob piece)
{
    (void)arg, (void)piece;
    return ecNone;
}

static bool print_fasttransfer(const struct decoder *d, struct blob stream)
{
    static const struct fx_taker taker = { on_marker, on_prop, on_long, on_piece };
    struct fx_in *in = fx_in_new(d->arena, &taker, (void *)d, 0);
    return stream.size && fx_read(in, stream) == ecNone && fx_is_between(in);
}

/* ---- what a body is ---- */

/* The head of an HTTP message, and the meta-tags of an answer: [MS-OXCMAPIHTTP] 2.2.2.2, 2.2.7 */
static struct blob without_head(struct blob body)
{
    static const char *const heads[] = { "POST ", "HTTP/1.", "PROCESSING\r\n", "PENDING\r\n", "DONE\r\n" };
    for (size_t i = 0; i < COUNTOF(heads); i++) {
        const size_t size = strlen(heads[i]);
        const uint8_t *end = body.size > size && memcmp(body.data, heads[i], size) == 0
                                 ? memmem(body.data, body.size, "\r\n\r\n", 4)
                                 : NULL;
        if (end)
            body = BLOB_OF(end + 4, (size_t)(body.data + body.size - end) - 4);
    }
    return body;
}

static bool ends_with(const char *name, const char *end)
{
    const size_t size = strlen(name), tail = strlen(end);
    return size >= tail && strcmp(name + size - tail, end) == 0;
}

static void *read_whole(const struct decoder *d, const struct wire_struct *form, struct blob body)
{
    struct wire_in in = wire_in(d->arena, body);
    void *self = talloc_zero_size(d->arena, form->size + 1);
    in.flavour = strncmp(form->name, "Execute", 7) == 0 ? WIRE_ROP : WIRE_NSPI;
    return wire_get(&in, form, self) && !wire_left(&in) ? self : NULL;
}

static bool print_as(const struct decoder *d, const struct wire_struct *form, struct blob body)
{
    const void *self = read_whole(d, form, body);
    const bool request = form == &ExecuteRequest_wire, answer = form == &ExecuteResponse_wire;
    struct buf rops;
    buf_init(&rops, d->arena);
    const struct decoder inner = { d->arena, &rops, d->style };
    const struct ExecuteRequest *asked = self;
    const struct ExecuteResponse *got = self;
    if (!self || (request && !print_rops(&inner, asked->RopBuffer, false)) ||
        (answer && got->RopBuffer.size && !print_rops(&inner, got->RopBuffer, true)))
        return false;
    trace_print_call(d->text, d->style, &(struct trace_call){ .type = form->name, .request_form = form, .request = self });
    buf_add(d->text, rops.data, rops.size);
    return true;
}

/* The calls of both endpoints; not the ROPs, and not what only stands inside of something else. */
static bool is_call(const struct wire_struct *form)
{
    return strncmp(form->name, "Rop", 3) != 0 && (ends_with(form->name, "Request") || ends_with(form->name, "Response"));
}

/* A body says nothing of what it is: the first form that takes all of it, ROPs before all. */
static bool print_guessed(const struct decoder *d, struct blob body)
{
    const size_t before = d->text->size;
    if (print_as(d, &ExecuteRequest_wire, body) || print_as(d, &ExecuteResponse_wire, body))
        return true;
    if (print_rops(d, body, false))
        return true;
    d->text->size = before; /* what a stream or a list begins with may be good */
    if (print_fasttransfer(d, body))
        return true;
    d->text->size = before;
    for (const struct wire_struct *const *form = wire_structs; *form && body.size >= CALL_LEAST; form++)
        if (is_call(*form) && print_as(d, *form, body))
            return true;
    return false;
}

bool trace_decode(struct buf *text, const struct trace_style *style, struct blob body, const char *as)
{
    const struct decoder d = { talloc_new(NULL), text, style };
    const struct wire_struct *form = as ? wire_struct_named(as) : NULL;
    const size_t before = text->size;
    bool good = false;
    body = without_head(body);
    if (!as)
        good = print_guessed(&d, body);
    else if (form)
        good = print_as(&d, form, body);
    else if (strcmp(as, "FastTransfer") == 0)
        good = print_fasttransfer(&d, body);
    else if (strcmp(as, "RopRequests") == 0 || strcmp(as, "RopResponses") == 0)
        good = print_rops(&d, body, strcmp(as, "RopResponses") == 0);
    if (!good && !as)
        text->size = before;
    talloc_free(d.arena);
    return good;
}
