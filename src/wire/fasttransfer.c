/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/fasttransfer.h"

#include <assert.h>

enum { NAMED_FROM = 0x8000, KIND_LID = 0x00, KIND_NAME = 0x01, UNICODE_CODE_PAGE = 1200 };

const char *fx_marker_name(uint32_t tag)
{
    switch (tag) {
#define MARKER(name, value)                                                                                            \
    case value:                                                                                                        \
        return #name;
#include "wire/fasttransfer.def"
#undef MARKER
    default: return NULL;
    }
}

void fx_out_init(struct fx_out *out, TALLOC_CTX *owner, uint8_t send_options, unsigned codepage)
{
    *out = (struct fx_out){ .options = send_options, .codepage = codepage };
    buf_init(&out->bytes, owner);
}

/* ---- atoms ---- */

/* What was taken makes room, when it is worth the move. */
static void reclaim(struct fx_out *out)
{
    if (out->taken < 65536 || out->taken < out->bytes.size / 2)
        return;
    memmove(out->bytes.data, out->bytes.data + out->taken, fx_left(out));
    memmove(out->cuts, out->cuts + out->first, (out->count - out->first) * sizeof *out->cuts);
    out->count -= out->first;
    out->first = 0;
    for (uint32_t i = 0; i < out->count; i++)
        out->cuts[i].end -= (uint32_t)out->taken;
    out->bytes.size -= out->taken;
    out->taken = 0;
}

/* What was put since the last cut is one atom. */
static void cut(struct fx_out *out, uint8_t step)
{
    const uint32_t end = (uint32_t)out->bytes.size;
    const uint32_t before = out->count ? out->cuts[out->count - 1].end : 0;
    if (end == before)
        return;
    if (out->count == out->room) {
        out->room = MAX(64u, out->room * 2);
        out->cuts = talloc_realloc(out->bytes.owner, out->cuts, struct fx_cut, out->room);
    }
    out->cuts[out->count++] = (struct fx_cut){ end, step };
}

static struct wire_out writer(struct fx_out *out)
{
    reclaim(out);
    struct wire_out to = wire_out(&out->bytes);
    to.flavour = WIRE_FX;
    to.codepage = out->codepage;
    return to;
}

void fx_put_marker(struct fx_out *out, enum fx_marker marker)
{
    struct wire_out to = writer(out);
    wire_put_uint(&to, marker, 4);
    cut(out, 0);
}

/* ---- values ---- */

static bool is_text(uint16_t type)
{
    return type & PtypCodePage || type == PtypString || type == PtypString8;
}

/* The table of [MS-OXCFXICS] 3.2.5.8.1.1; everything is stored in Unicode. */
uint16_t fx_text_type(const struct fx_out *out)
{
    if (out->options & FX_USE_CPID)
        return PtypCodePage | UNICODE_CODE_PAGE;
    return out->options & (FX_UNICODE | FX_FORCE_UNICODE) ? PtypString : PtypString8;
}

bool fx_has_type(uint16_t type)
{
    const uint16_t base = type & ~PtypMultiple;
    return type & PtypCodePage || (prop_type_known(type) && base != PtypNull && base != PtypRestriction &&
                                   base != PtypRuleAction && base != PtypErrorCode && base != PtypServerId);
}

/* The type that a property has in this stream. */
static uint16_t type_in_stream(const struct fx_out *out, uint16_t type)
{
    const uint16_t base = type & ~PtypMultiple, text = fx_text_type(out);
    if (type & PtypCodePage || !is_text(base))
        return type;
    /* A code page's type has no form for multiple values. */
    return type & PtypMultiple ? PtypMultiple | (text == PtypString8 ? PtypString8 : PtypString) : text;
}

static void put_name(struct wire_out *to, const struct PropertyName *name)
{
    const bool ended = name->NameSize >= 2 && !le16(name->Name.data + name->NameSize - 2);
    wire_put_bytes(to, BLOB_OF(name->GUID.bytes, sizeof name->GUID.bytes));
    wire_put_uint(to, name->Kind, 1);
    if (name->Kind == KIND_LID)
        wire_put_uint(to, name->LID, 4);
    else
        wire_put_bytes(to, BLOB_OF(name->Name.data, name->NameSize & ~1u));
    if (name->Kind == KIND_NAME && !ended)
        wire_put_uint(to, 0, 2);
}

/* propDef is one atom with its name: 2.2.4.1. */
static void put_definition(struct fx_out *out, struct wire_out *to, uint32_t tag, const struct PropertyName *name)
{
    assert(PROP_ID(tag) < NAMED_FROM || name);
    wire_put_uint(to, tag, 4);
    if (PROP_ID(tag) >= NAMED_FROM)
        put_name(to, name);
    cut(out, 0);
}

static uint8_t step_of(uint16_t type)
{
    return type == PtypString || type == (PtypCodePage | UNICODE_CODE_PAGE) ? 2 : 1;
}

/* A length, then bytes: written at once, and cut behind the length afterwards. */
static void put_counted(struct fx_out *out, struct wire_out *to, const struct prop *p, uint16_t type)
{
    const size_t start = out->bytes.size;
    wire_put_value(to, p);
    const size_t size = out->bytes.size;
    out->bytes.size = start + 4;
    cut(out, 0);
    out->bytes.size = size;
    cut(out, step_of(type));
}

/* Its elements one by one, so that each of them can be cut as a single value can. */
static void put_multiple(struct fx_out *out, struct wire_out *to, const struct prop *p)
{
    const uint16_t type = PROP_TYPE(p->tag) & ~PtypMultiple;
    wire_put_uint(to, p->mv.count, 4);
    cut(out, 0);
    for (uint32_t i = 0; i < p->mv.count; i++) {
        struct prop element = { .tag = PROP_AS(p->tag, type) };
        if (is_text(type)) {
            element.str = p->mv.str[i];
            put_counted(out, to, &element, type);
        } else if (type == PtypBinary) {
            element.bin = p->mv.bin[i];
            put_counted(out, to, &element, type);
        } else {
            memcpy(&element.u64, (const uint8_t *)p->mv.data + i * prop_type_size(type), prop_type_size(type));
            wire_put_value(to, &element);
            cut(out, 0);
        }
    }
}

void fx_put_prop(struct fx_out *out, const struct prop *p, const struct PropertyName *name)
{
    struct wire_out to = writer(out);
    struct prop as = *p;
    const uint16_t type = type_in_stream(out, PROP_TYPE(p->tag));
    as.tag = PROP_AS(p->tag, type);
    put_definition(out, &to, as.tag, name);
    if (!(type & PtypCodePage) && type & PtypMultiple) {
        put_multiple(out, &to, &as);
    } else if (is_text(type) || !prop_type_size(type)) {
        put_counted(out, &to, &as, type);
    } else {
        wire_put_value(&to, &as);
        cut(out, 0);
    }
}

void fx_put_long(struct fx_out *out, uint32_t tag, const struct PropertyName *name, uint32_t size)
{
    struct wire_out to = writer(out);
    put_definition(out, &to, tag, name);
    wire_put_uint(&to, size, 4);
    cut(out, 0);
}

void fx_put_piece(struct fx_out *out, uint16_t type, struct blob piece)
{
    struct wire_out to = writer(out);
    wire_put_bytes(&to, piece);
    cut(out, step_of(type));
}

/* ---- taking ---- */

struct blob fx_take(struct fx_out *out, size_t most)
{
    const size_t start = out->taken, limit = most < fx_left(out) ? start + most : out->bytes.size;
    while (out->first < out->count && out->cuts[out->first].end <= limit)
        out->taken = out->cuts[out->first++].end;
    if (out->first < out->count && out->cuts[out->first].step) {
        const size_t inside = limit - out->taken, step = out->cuts[out->first].step;
        out->taken += inside / step * step;
    }
    return BLOB_OF(out->bytes.data + start, out->taken - start);
}
