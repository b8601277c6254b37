/* SPDX-License-Identifier: Apache-2.0 */
/* Every example of the specifications: our tables read all of its bytes, find the printed values, and write the same
 * bytes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "examples.h"
#include "wire/number.h"
#include "wire/rops.h"
#include "wire/walk.h"

static TALLOC_CTX *arena;

static void wrong(const struct example *e, const char *what, const char *name)
{
    fail_msg("%s:%u [%s] %s: %s %s", e->file, e->line, e->spec, e->section, what, name);
}

/* ---- a value by its printed name ---- */

/* The front part of a name, with its index; the rest begins behind the dot. */
struct step {
    char name[64];
    size_t index;
    const char *rest;
};

static struct step step_of(const char *path)
{
    struct step s = { .index = 0 };
    const size_t n = MIN(strcspn(path, ".["), sizeof s.name - 1);
    memcpy(s.name, path, n);
    path += n;
    if (*path == '[') {
        s.index = strtoul(path + 1, NULL, 10);
        path += strcspn(path, "]") + 1;
    }
    s.rest = *path == '.' ? path + 1 : path;
    return s;
}

static bool is_number(const struct example_value *v, uint64_t n)
{
    return v->type == EXAMPLE_NUMBER && v->number == n;
}

static bool is_text(const struct example_value *v, const char *text)
{
    return v->type == EXAMPLE_TEXT && text && strcmp(v->text, text) == 0;
}

static bool is_value(const struct example_value *v, const struct prop *p)
{
    const uint16_t type = PROP_TYPE(p->tag);
    if (type == PtypString || type == PtypString8)
        return is_text(v, p->str);
    if (prop_type_size(type) && type != PtypGuid)
        return is_number(v, number_load(&p->u64, prop_type_size(type)));
    return v->type == EXAMPLE_BYTES && blob_equal(v->bytes, type == PtypGuid ? BLOB_OF(p->guid.bytes, 16) : p->bin);
}

static bool is_prop(const struct example_value *v, const struct prop *p, const char *rest)
{
    return strcmp(rest, "PropertyTag") == 0 ? is_number(v, p->tag)
                                            : strcmp(rest, "PropertyValue") == 0 && is_value(v, p);
}

/* A row's own flag is not kept: the bytes that are written again prove it. */
static bool is_row(const struct example_value *v, const struct props *row, const char *rest)
{
    const struct step s = step_of(rest);
    if (strcmp(s.name, "Flag") == 0)
        return v->type == EXAMPLE_NUMBER;
    return strcmp(s.name, "ValueArray") == 0 && s.index < row->count && is_value(v, &row->values[s.index]);
}

static bool is_member(const struct example_value *v, const struct wire_struct *, const void *self, const char *path);

static bool is_field(const struct example_value *v, const struct wire_field *f, const void *self, const struct step *s)
{
    const uint64_t count = f->of_size ? number_load((const uint8_t *)self + f->of, f->of_size) : 0;
    const size_t i = s->index;
    switch (f->type) {
    case WIRE_BLOB:
    case WIRE_SECRET:
    case WIRE_REST: return v->type == EXAMPLE_BYTES && blob_equal(v->bytes, FIELD(struct blob, self, f));
    case WIRE_GUID:
    case WIRE_BYTES:
        return v->type == EXAMPLE_BYTES && blob_equal(v->bytes, BLOB_OF((const uint8_t *)self + f->offset, f->arg));
    case WIRE_ASCII:
    case WIRE_WIDE:
    case WIRE_STR:
    case WIRE_TYPED: return is_text(v, FIELD(const char *, self, f));
    case WIRE_UINTS:
    case WIRE_IDS:
    case WIRE_TAGS:
    case WIRE_COLUMNS:
        return i < count && is_number(v, number_load(FIELD(const uint8_t *, self, f) + i * f->arg, f->arg));
    case WIRE_ASCIIS:
    case WIRE_WIDES: return i < count && is_text(v, FIELD(const char *const *, self, f)[i]);
    case WIRE_PROP: return is_prop(v, &FIELD(struct prop, self, f), s->rest);
    case WIRE_PROPS: return i < count && is_prop(v, &FIELD(const struct prop *, self, f)[i], s->rest);
    case WIRE_ROW: return is_row(v, &FIELD(struct props, self, f), s->rest);
    case WIRE_ROWS: return i < count && is_row(v, &FIELD(const struct props *, self, f)[i], s->rest);
    case WIRE_SUB: return is_member(v, f->sub, (const uint8_t *)self + f->offset, s->rest);
    case WIRE_SUBS:
        return i < count && is_member(v, f->sub, FIELD(const uint8_t *, self, f) + i * f->sub->size, s->rest);
    default: return f->arg && is_number(v, number_load((const uint8_t *)self + f->offset, f->arg));
    }
}

static bool is_member(const struct example_value *v, const struct wire_struct *form, const void *self, const char *path)
{
    const struct step s = step_of(path);
    for (const struct wire_field *f = form->fields(); f->type != WIRE_END; f++) {
        if (wire_is_condition(f) && !wire_condition_holds(f, self))
            f = wire_skip_block(f);
        else if (strcmp(f->name, s.name) == 0)
            return is_field(v, f, self, &s);
    }
    return false;
}

/* ---- one ROP ---- */

/* A request or a response, whichever it was read as. */
struct rop {
    uint8_t id, logon_id, index, other;
    uint32_t code;
    const struct wire_struct *form;
    const void *body;
};

/* RopNotify, RopPending, RopBackoff and RopBufferTooSmall answer no request. */
static const struct wire_struct *unasked(uint8_t id)
{
    static const struct {
        uint8_t id;
        const char *name;
    } rows[] = {
        { 0x2A, "RopNotify" },
        { 0x6E, "RopPending" },
        { 0xF9, "RopBackoff" },
        { 0xFF, "RopBufferTooSmall" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (rows[i].id == id)
            return wire_struct_named(rows[i].name);
    return NULL;
}

static bool copy_request(struct wire_in *in, struct wire_out *out, struct rop *rop)
{
    struct rop_request r;
    if (!rop_get_request(in, &r))
        return false;
    *rop = (struct rop){ r.rop->id, r.logon_id, r.index, r.other, 0, r.rop->request, r.body };
    return rop_put_request(out, r.rop, r.logon_id, r.index, r.other, r.body);
}

static bool copy_unasked(struct wire_in *in, struct wire_out *out, struct rop *rop)
{
    void *body = talloc_zero_size(arena, rop->form->size + 1);
    wire_put_uint(out, wire_get_uint(in, 1), 1);
    rop->body = body;
    return wire_get(in, rop->form, body) && wire_put(out, rop->form, body);
}

static bool copy_response(struct wire_in *in, struct wire_out *out, struct rop *rop)
{
    struct rop_response r;
    *rop = (struct rop){ .id = wire_left(in) ? *in->at : 0 };
    const struct rop_wire *row = rop_wire_of_response(rop->id);
    rop->form = row ? row->response : unasked(rop->id);
    if (!row)
        return rop->form && copy_unasked(in, out, rop);
    if (!rop_get_response(in, row, &r))
        return false;
    *rop = (struct rop){ row->response_id, 0, r.index, 0, r.code, r.code ? row->failure : row->response, r.body };
    if (r.code && r.body && !(row->failure && row->failure_code == r.code))
        rop->form = row->response;
    return rop_put_response(out, row, r.index, r.code, r.body);
}

static bool is_of_frame(const struct rop *rop, const char *name, uint64_t *value)
{
    static const char *const second[] = { "OutputHandleIndex", "DestHandleIndex", "ResponseHandleIndex" };
    const bool request = rop->form && strstr(rop->form->name, "Request");
    const struct rop_wire *row = rop_wire(rop->id);
    bool other = false;
    for (size_t i = 0; i < COUNTOF(second); i++)
        other |= request && row && row->indexes != ROP_O && strcmp(name, second[i]) == 0;
    if (strcmp(name, "RopId") == 0)
        *value = rop->id;
    else if (strcmp(name, "LogonId") == 0 && request)
        *value = rop->logon_id;
    else if (strcmp(name, "ReturnValue") == 0)
        *value = rop->code;
    else if (strstr(name, "HandleIndex"))
        *value = other ? rop->other : rop->index;
    else
        return false;
    return true;
}

static bool is_rop_value(const struct example_value *v, const struct rop *rop, const char *name)
{
    uint64_t framed;
    if (rop->body && rop->form && is_member(v, rop->form, rop->body, name))
        return true;
    return is_of_frame(rop, name, &framed) && is_number(v, framed);
}

/* ---- one example ---- */

static struct wire_in reader(const struct example *e, struct blob bytes)
{
    struct wire_in in = wire_in(arena, bytes);
    in.columns = e->columns;
    in.column_count = (uint32_t)e->column_count;
    return in;
}

static struct wire_out writer(const struct example *e, struct buf *to)
{
    struct wire_out out = wire_out(to);
    out.columns = e->columns;
    out.column_count = (uint32_t)e->column_count;
    return out;
}

static void check_rop(const struct example *e)
{
    struct buf to;
    struct rop rop;
    buf_init(&to, arena);
    struct wire_in in = reader(e, e->bytes);
    struct wire_out out = writer(e, &to);
    if (!(e->kind == EXAMPLE_ROP_REQUEST ? copy_request : copy_response)(&in, &out, &rop))
        wrong(e, "cannot be read", e->structure);
    if (wire_left(&in) || !blob_equal(buf_blob(&to), e->bytes))
        wrong(e, "is written otherwise", e->structure);
    if (rop.body && strcmp(rop.form->name, e->structure) != 0)
        wrong(e, "is read as", rop.form->name);
    for (size_t i = 0; i < e->frame_count; i++)
        if (!is_rop_value(&e->frame[i], &rop, e->frame[i].name))
            wrong(e, "frame", e->frame[i].name);
    for (size_t i = 0; i < e->field_count; i++)
        if (!is_rop_value(&e->fields[i], &rop, e->fields[i].name))
            wrong(e, "field", e->fields[i].name);
}

enum { ROPS_SHOWN = 16 };

static bool is_buffer_value(const struct example_value *v, const struct RopBuffer *buffer, const struct rop *rops,
                            size_t count)
{
    const struct step s = step_of(v->name);
    if (strcmp(s.name, "RopsList") == 0)
        return s.index < count && is_rop_value(v, &rops[s.index], s.rest);
    if (strcmp(s.name, "ServerObjectHandleTable") == 0)
        return 4 * s.index + 4 <= buffer->ServerObjectHandleTable.size &&
               is_number(v, le32(buffer->ServerObjectHandleTable.data + 4 * s.index));
    return is_member(v, &RopBuffer_wire, buffer, v->name);
}

static void check_buffer(const struct example *e)
{
    struct RopBuffer buffer;
    struct rop rops[ROPS_SHOWN];
    struct buf list, whole;
    size_t n = 0;
    buf_init(&list, arena);
    buf_init(&whole, arena);
    struct wire_in in = reader(e, e->bytes);
    if (!wire_get(&in, &RopBuffer_wire, &buffer))
        wrong(e, "cannot be read", e->structure);
    struct wire_in each = reader(e, buffer.RopsList);
    struct wire_out out = writer(e, &list), out_whole = wire_out(&whole);
    while (wire_left(&each) && n < ROPS_SHOWN)
        if (!(e->kind == EXAMPLE_ROP_INPUT ? copy_request : copy_response)(&each, &out, &rops[n++]))
            wrong(e, "a ROP cannot be read in", e->structure);
    for (size_t i = 0; i < e->field_count; i++)
        if (!is_buffer_value(&e->fields[i], &buffer, rops, n))
            wrong(e, "field", e->fields[i].name);
    buffer.RopsList = buf_blob(&list);
    if (!wire_put(&out_whole, &RopBuffer_wire, &buffer) || !blob_equal(buf_blob(&whole), e->bytes))
        wrong(e, "is written otherwise", e->structure);
}

/* [MS-OXCMAPIHTTP] 2.2.4 and 2.2.5: the bodies of the mailbox endpoint and of the address book's. */
static enum wire_flavour flavour_of(const struct example *e)
{
    static const char *const mailbox[] = { "Connect", "Execute", "Disconnect", "NotificationWait" };
    for (size_t i = 0; i < COUNTOF(mailbox); i++)
        if (text_is_prefix(e->structure, mailbox[i]))
            return WIRE_ROP;
    return e->kind == EXAMPLE_DATA ? WIRE_ROP : WIRE_NSPI;
}

static void check_struct(const struct example *e)
{
    struct buf to;
    buf_init(&to, arena);
    struct wire_in in = reader(e, e->bytes);
    struct wire_out out = writer(e, &to);
    const struct wire_struct *form = wire_struct_named(e->structure);
    in.flavour = out.flavour = flavour_of(e);
    if (!form)
        wrong(e, "no such structure:", e->structure);
    void *self = talloc_zero_size(arena, form->size + 1);
    if (!wire_get(&in, form, self) || wire_left(&in))
        wrong(e, "cannot be read", e->structure);
    if (!wire_put(&out, form, self) || !blob_equal(buf_blob(&to), e->bytes))
        wrong(e, "is written otherwise", e->structure);
    for (size_t i = 0; i < e->field_count; i++)
        if (!is_member(&e->fields[i], form, self, e->fields[i].name))
            wrong(e, "field", e->fields[i].name);
}

static bool check(const struct example *e)
{
    switch (e->kind) {
    case EXAMPLE_ROP_REQUEST:
    case EXAMPLE_ROP_RESPONSE: check_rop(e); return true;
    case EXAMPLE_ROP_INPUT:
    case EXAMPLE_ROP_OUTPUT: check_buffer(e); return true;
    case EXAMPLE_REQUEST_BODY:
    case EXAMPLE_RESPONSE_BODY: check_struct(e); return true;
    case EXAMPLE_DATA:
        if (strcmp(e->structure, "PlainLZ77") == 0) /* a coding, not a structure: wire/lz77.h */
            return false;
        check_struct(e);
        return true;
    default: return false;
    }
}

static void every_example_is_read_and_written_as_printed(void **state)
{
    (void)state;
    struct examples all = { 0 };
    size_t checked = 0;
    arena = talloc_new(NULL);
    const char *trouble = examples_load(arena, EXAMPLES_DIR, &all);
    if (trouble)
        fail_msg("%s", trouble);
    for (size_t i = 0; i < all.count; i++)
        if (!all.cases[i].skip)
            checked += check(&all.cases[i]);
    assert_true(checked > 40);
    talloc_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(every_example_is_read_and_written_as_printed) };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
