/* SPDX-License-Identifier: Apache-2.0 */
/* The ROPs of rops.def, framed. */
#include "wire/rops.h"

/* [MS-OXCROPS] 2.2.6.9.2: the response to RopGetMessageStatus has RopSetMessageStatus's id. */
#define RESPONSE_ID(id) ((id) == 0x1F ? 0x20 : (id))
#define ROW(id, name, indexes, always, code, failure)                                                                  \
    [id] = { id,   RESPONSE_ID(id), indexes, #name, &Rop##name##Request_wire, &Rop##name##Response_wire, always,       \
             code, failure },
#define ROP(id, name, indexes) ROW(id, name, indexes, false, 0, NULL)
#define ROP_FAIL(id, name, indexes, code, failure) ROW(id, name, indexes, false, code, &failure##_wire)
#define ROP_ALWAYS(id, name, indexes) ROW(id, name, indexes, true, 0, NULL)
#define ROP_ALWAYS_FAIL(id, name, indexes, code, failure) ROW(id, name, indexes, true, code, &failure##_wire)
static const struct rop_wire rops[256] = {
#include "wire/rops.def"
};
#undef ROW
#undef ROP
#undef ROP_FAIL
#undef ROP_ALWAYS
#undef ROP_ALWAYS_FAIL

const struct rop_wire *rop_wire(uint8_t id)
{
    return rops[id].name ? &rops[id] : NULL;
}

const struct rop_wire *rop_wire_of_response(uint8_t response_id)
{
    const struct rop_wire *rop = rop_wire(response_id);
    return rop && rop->response_id == response_id ? rop : NULL;
}

uint8_t rop_response_index(const struct rop_request *request)
{
    const enum rop_indexes indexes = request->rop->indexes;
    return indexes == ROP_IO || indexes == ROP_RI ? request->other : request->index;
}

/* The indexes as they follow each other: RopResponse's before the input, the others behind it. */
static bool has_two_indexes(const struct rop_wire *rop)
{
    return rop->indexes == ROP_IO || rop->indexes == ROP_SD || rop->indexes == ROP_RI;
}

static void get_indexes(struct wire_in *in, struct rop_request *request)
{
    const bool swapped = request->rop->indexes == ROP_RI;
    const uint8_t first = (uint8_t)wire_get_uint(in, 1);
    const uint8_t second = has_two_indexes(request->rop) ? (uint8_t)wire_get_uint(in, 1) : 0;
    request->index = swapped ? second : first;
    request->other = swapped ? first : second;
}

bool rop_get_request(struct wire_in *in, struct rop_request *request)
{
    const uint8_t *start = in->at;
    *request = (struct rop_request){ .rop = rop_wire((uint8_t)wire_get_uint(in, 1)) };
    in->bad |= !request->rop;
    if (in->bad)
        return false;
    request->logon_id = (uint8_t)wire_get_uint(in, 1);
    get_indexes(in, request);
    in->columns = NULL;
    in->column_count = 0;
    request->body = talloc_zero_size(in->arena, MAX(request->rop->request->size, 1));
    wire_get(in, request->rop->request, request->body);
    request->bytes = BLOB_OF(start, in->at - start);
    return !in->bad;
}

bool rop_put_request(struct wire_out *out, const struct rop_wire *rop, uint8_t logon_id, uint8_t index, uint8_t other,
                     const void *body)
{
    const size_t before = out->to->size;
    wire_put_uint(out, rop->id, 1);
    wire_put_uint(out, logon_id, 1);
    wire_put_uint(out, rop->indexes == ROP_RI ? other : index, 1);
    if (has_two_indexes(rop))
        wire_put_uint(out, rop->indexes == ROP_RI ? index : other, 1);
    out->columns = NULL;
    out->column_count = 0;
    wire_put(out, rop->request, body);
    if (out->full)
        out->to->size = before;
    return !out->full;
}

/* What follows a ReturnValue, or NULL. */
static const struct wire_struct *form_of(const struct rop_wire *rop, uint32_t code)
{
    if (code != 0 && rop->failure && (rop->failure_code == code || rop->failure_code == ROP_ANY_FAILURE))
        return rop->failure;
    return code == 0 || rop->always ? rop->response : NULL;
}

/* Without a body its fields are 0. */
static void put_body(struct wire_out *out, const struct wire_struct *form, const void *body)
{
    void *zeros = body ? NULL : talloc_zero_size(NULL, MAX(form->size, 1));
    wire_put(out, form, body ? body : zeros);
    talloc_free(zeros);
}

bool rop_put_response(struct wire_out *out, const struct rop_wire *rop, uint8_t index, uint32_t code, const void *body)
{
    const struct wire_struct *form = form_of(rop, code);
    const size_t before = out->to->size;
    wire_put_uint(out, rop->response_id, 1);
    wire_put_uint(out, index, 1);
    wire_put_uint(out, code, 4);
    if (form)
        put_body(out, form, body);
    if (out->full)
        out->to->size = before;
    return !out->full;
}

bool rop_get_response(struct wire_in *in, const struct rop_wire *rop, struct rop_response *response)
{
    const uint8_t id = (uint8_t)wire_get_uint(in, 1);
    *response = (struct rop_response){ .rop = rop, .index = (uint8_t)wire_get_uint(in, 1) };
    response->code = (uint32_t)wire_get_uint(in, 4);
    const struct wire_struct *form = form_of(rop, response->code);
    in->bad |= id != rop->response_id;
    if (in->bad || !form)
        return !in->bad;
    response->body = talloc_zero_size(in->arena, MAX(form->size, 1));
    return wire_get(in, form, response->body);
}
