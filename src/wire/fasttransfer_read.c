/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/fasttransfer_read.h"

enum { NAMED_FROM = 0x8000, TAG_SIZE = 4, LENGTH_SIZE = 4, NAME_HEAD = 17, KIND_AT = 20, NAME_AT = 21, LID_SIZE = 4 };
enum { KIND_LID = 0x00, KIND_NAME = 0x01, UTF_16 = 1200 };

/* Where the reader is: `at` is called when the element has `need` bytes, and asks for more of them or ends it. */
struct fx_in {
    const struct fx_taker *taker;
    void *arg;
    unsigned codepage;
    enum ec ec;
    struct buf element; /* as far as it has come */
    size_t need;
    enum ec (*at)(struct fx_in *);
    uint32_t tag;
    size_t name_size;           /* behind the tag; 0: no named property */
    uint32_t elements;          /* of a multiple value, still to come */
    uint32_t left;              /* bytes of a long value */
    uint8_t unit;               /* of its text, which may have a terminator; 0: bytes */
    uint8_t held[2], held_size; /* its last bytes so far */
};

static enum ec at_tag(struct fx_in *);
static enum ec at_value(struct fx_in *);

static enum ec want(struct fx_in *in, uint64_t more, enum ec (*at)(struct fx_in *))
{
    in->need += more;
    in->at = at;
    return in->need > FX_ELEMENT_MAX || more > FX_ELEMENT_MAX ? ecTooBig : ecNone;
}

static enum ec next_element(struct fx_in *in)
{
    if (in->element.room > 2 * FX_LONG_FROM) { /* a long one is rare, and streams may stay open */
        talloc_free(in->element.data);
        buf_init(&in->element, in);
    }
    in->element.size = in->need = 0;
    in->name_size = 0;
    return want(in, TAG_SIZE, at_tag);
}

/* ---- names: 2.2.4.1.2, 2.2.4.2 ---- */

static struct PropertyName name_of(const struct fx_in *in)
{
    const uint8_t *bytes = in->element.data;
    struct PropertyName name = { .Kind = bytes[KIND_AT] };
    memcpy(name.GUID.bytes, bytes + TAG_SIZE, sizeof name.GUID.bytes);
    if (name.Kind == KIND_LID) {
        name.LID = le32(bytes + NAME_AT);
    } else {
        name.NameSize = (uint8_t)(in->name_size - NAME_HEAD);
        name.Name = BLOB_OF(bytes + NAME_AT, name.NameSize);
    }
    return name;
}

static enum ec name_is_whole(struct fx_in *in)
{
    in->name_size = in->need - TAG_SIZE;
    return at_value(in);
}

static enum ec at_name_unit(struct fx_in *in)
{
    if (!le16(in->element.data + in->need - 2))
        return name_is_whole(in);
    return in->need - NAME_AT >= FX_NAME_MAX ? ecTooBig : want(in, 2, at_name_unit);
}

static enum ec at_kind(struct fx_in *in)
{
    switch (in->element.data[KIND_AT]) {
    case KIND_LID: return want(in, LID_SIZE, name_is_whole);
    case KIND_NAME: return want(in, 2, at_name_unit);
    default: return ecRpcFormat;
    }
}

/* ---- values ---- */

/* The element's bytes are all there. */
static enum ec at_end(struct fx_in *in)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    const struct PropertyName name = in->name_size ? name_of(in) : (struct PropertyName){ 0 };
    const size_t head = TAG_SIZE + in->name_size;
    struct wire_in value = wire_in(scratch, BLOB_OF(in->element.data + head, in->need - head));
    value.flavour = WIRE_FX;
    value.codepage = in->codepage;
    const struct prop p = wire_get_value(&value, in->tag);
    const enum ec ec =
        value.bad || wire_left(&value) ? ecRpcFormat : in->taker->prop(in->arg, &p, in->name_size ? &name : NULL);
    talloc_free(scratch);
    return ec ? ec : next_element(in);
}

static uint32_t last_length(const struct fx_in *in)
{
    return le32(in->element.data + in->need - LENGTH_SIZE);
}

static enum ec at_long(struct fx_in *in, uint32_t size)
{
    const struct PropertyName name = in->name_size ? name_of(in) : (struct PropertyName){ 0 };
    const uint16_t type = PROP_TYPE(in->tag);
    const bool wide = type == PtypString || type == (PtypCodePage | UTF_16);
    in->left = size;
    in->unit = wide ? 2 : type == PtypString8 || type & PtypCodePage ? 1 : 0;
    in->held_size = 0;
    return in->taker->long_begin(in->arg, in->tag, in->name_size ? &name : NULL, size);
}

static enum ec at_length(struct fx_in *in)
{
    const uint32_t size = last_length(in);
    return size > FX_LONG_FROM && PROP_TYPE(in->tag) != PtypServerId ? at_long(in, size) : want(in, size, at_end);
}

static enum ec at_element(struct fx_in *);

static enum ec at_element_length(struct fx_in *in)
{
    in->elements--;
    return want(in, last_length(in), at_element);
}

static enum ec at_element(struct fx_in *in)
{
    return in->elements ? want(in, LENGTH_SIZE, at_element_length) : at_end(in);
}

static enum ec at_count(struct fx_in *in)
{
    const size_t size = prop_type_size(PROP_TYPE(in->tag) & ~PtypMultiple);
    in->elements = last_length(in);
    return size ? want(in, (uint64_t)in->elements * size, at_end) : at_element(in);
}

/* 2.2.4.1.3: on the wire a Boolean has two bytes. */
static size_t fixed_size(uint16_t type)
{
    return type == PtypBoolean ? 2 : prop_type_size(type);
}

static enum ec at_value(struct fx_in *in)
{
    const uint16_t type = PROP_TYPE(in->tag);
    if (!fx_has_type(type) && type != PtypServerId)
        return ecRpcFormat;
    if (!(type & PtypCodePage) && type & PtypMultiple)
        return want(in, LENGTH_SIZE, at_count);
    return fixed_size(type) && !(type & PtypCodePage) ? want(in, fixed_size(type), at_end)
                                                      : want(in, LENGTH_SIZE, at_length);
}

/* [MS-OXCFXICS] 2.2.1.1.1: MetaTagIdsetGiven says PtypInteger32 and is PtypBinary. */
static enum ec at_tag(struct fx_in *in)
{
    in->tag = le32(in->element.data);
    if (in->tag == PROP_AS(MetaTagIdsetGiven, PtypInteger32))
        in->tag = PROP_AS(MetaTagIdsetGiven, PtypBinary);
    if (fx_marker_name(in->tag)) {
        const enum ec ec = in->taker->marker(in->arg, in->tag);
        return ec ? ec : next_element(in);
    }
    return PROP_ID(in->tag) >= NAMED_FROM ? want(in, NAME_HEAD, at_kind) : at_value(in);
}

/* ---- reading ---- */

/* The last unit of a text waits until it is known not to be the terminator. */
static enum ec pass_text(struct fx_in *in, struct blob piece)
{
    uint8_t before[2];
    const size_t old = in->held_size, all = old + piece.size, keep = MIN(all, in->unit);
    memcpy(before, in->held, sizeof before);
    const size_t pass = all - keep, of_old = MIN(old, pass);
    uint8_t tail[2];
    for (size_t i = 0; i < keep; i++)
        tail[i] = pass + i < old ? before[pass + i] : piece.data[pass + i - old];
    enum ec ec = of_old ? in->taker->long_piece(in->arg, BLOB_OF(before, of_old)) : ecNone;
    if (!ec && pass > of_old)
        ec = in->taker->long_piece(in->arg, BLOB_OF(piece.data, pass - of_old));
    memcpy(in->held, tail, keep);
    in->held_size = (uint8_t)keep;
    return ec;
}

static enum ec end_long(struct fx_in *in)
{
    static const uint8_t zero[2];
    const bool terminated = in->held_size == in->unit && memcmp(in->held, zero, in->held_size) == 0;
    enum ec ec = ecNone;
    if (in->held_size && !terminated)
        ec = in->taker->long_piece(in->arg, BLOB_OF(in->held, in->held_size));
    if (!ec)
        ec = in->taker->long_piece(in->arg, BLOB_OF("", 0));
    return ec ? ec : next_element(in);
}

static enum ec read_long(struct fx_in *in, struct blob *piece)
{
    const struct blob part = BLOB_OF(piece->data, MIN(piece->size, in->left));
    *piece = BLOB_OF(piece->data + part.size, piece->size - part.size);
    in->left -= (uint32_t)part.size;
    const enum ec ec = in->unit ? pass_text(in, part) : in->taker->long_piece(in->arg, part);
    return ec || in->left ? ec : end_long(in);
}

static enum ec read_element(struct fx_in *in, struct blob *piece)
{
    const size_t part = MIN(piece->size, in->need - in->element.size);
    buf_add(&in->element, piece->data, part);
    *piece = BLOB_OF(piece->data + part, piece->size - part);
    enum ec ec = ecNone;
    while (!ec && !in->left && in->element.size == in->need)
        ec = in->at(in);
    return ec;
}

enum ec fx_read(struct fx_in *in, struct blob piece)
{
    while (!in->ec && piece.size)
        in->ec = in->left ? read_long(in, &piece) : read_element(in, &piece);
    return in->ec;
}

bool fx_is_between(const struct fx_in *in)
{
    return !in->ec && !in->left && in->element.size == 0;
}

struct fx_in *fx_in_new(TALLOC_CTX *owner, const struct fx_taker *taker, void *arg, unsigned codepage)
{
    struct fx_in *in = talloc_zero(owner, struct fx_in);
    in->taker = taker;
    in->arg = arg;
    in->codepage = codepage;
    buf_init(&in->element, in);
    next_element(in);
    return in;
}
