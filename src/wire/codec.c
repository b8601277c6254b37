/* SPDX-License-Identifier: Apache-2.0 */
/* Property values, property rows and restrictions in the four flavours. */
#include <assert.h>

#include "wire/number.h"
#include "wire/wire.h"

/* [MS-OXCDATA] 2.11.1.1: bytes of a binary and restrictions of an AND are counted in 16 bits in a ROP and in 32
 * elsewhere; the elements of a multiple value in 32 everywhere. */
static size_t count_size(enum wire_flavour flavour)
{
    return flavour == WIRE_ROP ? 2 : 4;
}

static void put_count(struct wire_out *out, size_t count)
{
    const size_t size = count_size(out->flavour);
    out->full |= count > (size == 2 ? UINT16_MAX : UINT32_MAX);
    wire_put_uint(out, count, size);
}

static struct blob get_counted(struct wire_in *in, size_t size_of_count)
{
    const uint64_t n = wire_get_uint(in, size_of_count);
    return wire_get_bytes(in, (size_t)n);
}

/* [MS-OXCMAPIHTTP] 2.2.1.1: these begin with HasValue.  The elements of a multiple value do as well, which the
 * specification does not say and deployed clients and servers do. */
static bool has_presence(enum wire_flavour flavour, uint16_t type)
{
    return flavour == WIRE_NSPI &&
           (type & PtypMultiple || type == PtypString || type == PtypString8 || type == PtypBinary);
}

/* ---- text of a FastTransfer stream ---- */

enum { UTF_16 = 1200 };

/* What PtypString8 means in this session; Unicode is no code page of 8-bit text. */
static unsigned text_codepage(uint16_t type, unsigned of_session)
{
    if (type & PtypCodePage)
        return type & ~PtypCodePage;
    return (type & ~PtypMultiple) == PtypString ? UTF_16 : of_session && of_session != UTF_16 ? of_session : 1252;
}

/* [MS-OXCFXICS] 2.2.4.1.3: its length in bytes; a reader takes it with and without a terminator. */
static const char *get_counted_text(struct wire_in *in, uint16_t type)
{
    const struct blob text = get_counted(in, 4);
    const unsigned codepage = text_codepage(type, in->codepage);
    if (in->bad || !text.size)
        return "";
    if (codepage == UTF_16)
        return utf8_of_utf16(in->arena, text.data, text.size & ~(size_t)1);
    return utf8_of_codepage(in->arena, codepage, text.data, strnlen((const char *)text.data, text.size));
}

static void put_counted_text(struct wire_out *out, uint16_t type, const char *text)
{
    const unsigned codepage = text_codepage(type, out->codepage);
    const size_t zero = codepage == UTF_16 ? 2 : 1;
    TALLOC_CTX *scratch = talloc_new(NULL);
    const struct blob bytes =
        codepage == UTF_16 ? utf16_of_utf8(scratch, text) : codepage_of_utf8(scratch, codepage, text);
    put_count(out, bytes.size + zero);
    wire_put_bytes(out, bytes);
    wire_put_uint(out, 0, zero);
    talloc_free(scratch);
}

static const char *get_string(struct wire_in *in, uint16_t type)
{
    if (in->flavour == WIRE_FX)
        return get_counted_text(in, type);
    if (in->flavour != WIRE_BAG)
        return wire_get_text(in, type == PtypString);
    const uint8_t *zero = in->bad || !wire_left(in) ? NULL : memchr(in->at, 0, wire_left(in));
    in->bad |= !zero;
    return in->bad ? "" : (const char *)wire_get_bytes(in, (size_t)(zero - in->at) + 1).data;
}

static void put_string(struct wire_out *out, uint16_t type, const char *text)
{
    text = text ? text : "";
    if (out->flavour == WIRE_BAG)
        wire_put_bytes(out, BLOB_OF(text, strlen(text) + 1));
    else if (out->flavour == WIRE_FX)
        put_counted_text(out, type, text);
    else
        wire_put_text(out, text, type == PtypString);
}

/* ---- rule actions ---- */

/* [MS-OXORULE] 2.2.5: a number of blocks, each with its length.  They are kept as they are. */
static struct blob get_rule_action(struct wire_in *in)
{
    const size_t size = count_size(in->flavour);
    if (in->flavour == WIRE_BAG)
        return get_counted(in, 4);
    const uint8_t *start = in->at;
    const uint64_t blocks = wire_get_uint(in, size);
    in->bad |= blocks > wire_left(in) / size;
    for (uint64_t i = 0; i < blocks && !in->bad; i++)
        get_counted(in, size);
    return in->bad ? BLOB_OF(NULL, 0) : BLOB_OF(start, in->at - start);
}

static void put_rule_action(struct wire_out *out, struct blob actions)
{
    if (out->flavour == WIRE_BAG)
        wire_put_uint(out, actions.size, 4);
    if (out->flavour != WIRE_BAG && actions.size == 0)
        wire_put_uint(out, 0, count_size(out->flavour));
    wire_put_bytes(out, actions);
}

/* ---- multiple values ---- */

static void get_multiple_text(struct wire_in *in, uint16_t type, const char **to, uint32_t count)
{
    for (uint32_t i = 0; i < count && !in->bad; i++)
        to[i] = has_presence(in->flavour, type) && !wire_get_uint(in, 1) ? "" : get_string(in, type);
}

static void get_multiple_binary(struct wire_in *in, struct blob *to, uint32_t count)
{
    for (uint32_t i = 0; i < count && !in->bad; i++)
        if (!has_presence(in->flavour, PtypBinary) || wire_get_uint(in, 1))
            to[i] = get_counted(in, count_size(in->flavour));
}

/* Elements of fixed size come as they lie in memory, but for the order of bytes. */
static void get_multiple_fixed(struct wire_in *in, size_t size, uint8_t *to, uint32_t count)
{
    const struct blob bytes = wire_get_bytes(in, count * size);
    for (size_t i = 0; bytes.data && i < count; i++) {
        if (size == sizeof(struct guid))
            memcpy(to + i * size, bytes.data + i * size, size);
        else
            number_store(to + i * size, size,
                         size == 2   ? le16(bytes.data + i * size)
                         : size == 4 ? le32(bytes.data + i * size)
                                     : le64(bytes.data + i * size));
    }
}

static size_t element_size(uint16_t type)
{
    return type == PtypString || type == PtypString8 ? sizeof(char *)
           : type == PtypBinary                      ? sizeof(struct blob)
                                                     : prop_type_size(type);
}

/* The fewest bytes that an element takes. */
static size_t element_least(enum wire_flavour flavour, uint16_t type)
{
    if (prop_type_size(type))
        return prop_type_size(type);
    if (flavour == WIRE_NSPI)
        return 1;
    if (flavour == WIRE_FX)
        return 4;
    return type == PtypBinary ? count_size(flavour) : type == PtypString && flavour != WIRE_BAG ? 2 : 1;
}

static void get_multiple(struct wire_in *in, struct prop *p)
{
    const uint16_t type = PROP_TYPE(p->tag) & ~PtypMultiple;
    const uint32_t count = (uint32_t)wire_get_uint(in, 4);
    in->bad |= count > wire_left(in) / element_least(in->flavour, type);
    if (in->bad)
        return;
    p->mv.data = ""; /* no elements, but not absent */
    if (count == 0)
        return;
    void *to = talloc_zero_size(in->arena, count * element_size(type));
    if (type == PtypString || type == PtypString8)
        get_multiple_text(in, type, to, count);
    else if (type == PtypBinary)
        get_multiple_binary(in, to, count);
    else
        get_multiple_fixed(in, prop_type_size(type), to, count);
    p->mv.data = to;
    p->mv.count = count;
}

static void put_element(struct wire_out *out, uint16_t type, const struct prop *p, uint32_t i)
{
    const size_t size = prop_type_size(type);
    if (has_presence(out->flavour, type))
        wire_put_uint(out, 0xFF, 1);
    if (type == PtypString || type == PtypString8) {
        put_string(out, type, p->mv.str[i]);
    } else if (type == PtypBinary) {
        put_count(out, p->mv.bin[i].size);
        wire_put_bytes(out, p->mv.bin[i]);
    } else if (type == PtypGuid) {
        wire_put_bytes(out, BLOB_OF(p->mv.guid[i].bytes, size));
    } else {
        wire_put_uint(out, number_load((const uint8_t *)p->mv.data + i * size, size), size);
    }
}

/* ---- one value ---- */

static size_t boolean_size(enum wire_flavour flavour)
{
    return flavour == WIRE_FX ? 2 : 1;
}

/* These have, as PtypBinary has, a count of 32 bits there. */
static bool counts_all_bytes(enum wire_flavour flavour)
{
    return flavour == WIRE_BAG || flavour == WIRE_FX;
}

static void get_single(struct wire_in *in, uint16_t type, struct prop *p)
{
    switch (type) {
    case PtypNull: break;
    case PtypBoolean: p->b = wire_get_uint(in, boolean_size(in->flavour)) != 0; break;
    case PtypGuid: {
        const struct blob bytes = wire_get_bytes(in, sizeof p->guid);
        if (bytes.data)
            memcpy(p->guid.bytes, bytes.data, sizeof p->guid);
        break;
    }
    case PtypString:
    case PtypString8: p->str = get_string(in, type); break;
    case PtypBinary: p->bin = get_counted(in, count_size(in->flavour)); break;
    case PtypServerId: p->bin = get_counted(in, counts_all_bytes(in->flavour) ? 4 : 2); break;
    case PtypObject: /* not a value in a ROP, and one without bytes in NSPI */
        in->bad |= in->flavour == WIRE_ROP || in->flavour == WIRE_EXT;
        if (counts_all_bytes(in->flavour))
            p->bin = get_counted(in, 4);
        break;
    case PtypRestriction:
        p->restriction = wire_get_restriction(in);
        in->bad |= !p->restriction;
        break;
    case PtypRuleAction: p->bin = get_rule_action(in); break;
    default:
        in->bad |= prop_type_size(type) == 0;
        if (!in->bad)
            number_store(&p->u64, prop_type_size(type), wire_get_uint(in, prop_type_size(type)));
    }
}

struct prop wire_get_value(struct wire_in *in, uint32_t tag)
{
    if (in->flavour == WIRE_FX && tag & PtypCodePage)
        return (struct prop){ .tag = PROP_AS(tag, PtypString), .str = get_counted_text(in, PROP_TYPE(tag)) };
    const uint16_t type = prop_value_type(tag);
    struct prop p = { .tag = PROP_AS(tag, type) };
    in->bad |= !prop_type_known(type);
    if (in->bad || (has_presence(in->flavour, type) && !wire_get_uint(in, 1)))
        return p;
    if (type & PtypMultiple)
        get_multiple(in, &p);
    else
        get_single(in, type, &p);
    return p;
}

/* Absent in NSPI: text, bytes or elements that are NULL. */
static bool is_present(uint16_t type, const struct prop *p)
{
    return type & PtypMultiple ? p->mv.data != NULL : type == PtypBinary ? p->bin.data != NULL : p->str != NULL;
}

static void put_bytes_value(struct wire_out *out, uint16_t type, struct blob b)
{
    if (type == PtypBinary || counts_all_bytes(out->flavour)) {
        put_count(out, b.size);
    } else if (type == PtypServerId) {
        out->full |= b.size > UINT16_MAX;
        wire_put_uint(out, b.size, 2);
    } else { /* PtypObject */
        assert(out->flavour == WIRE_NSPI);
        return;
    }
    wire_put_bytes(out, b);
}

static void put_single(struct wire_out *out, uint16_t type, const struct prop *p)
{
    static const struct restriction everything = { .type = RES_AND };
    switch (type) {
    case PtypNull: break;
    case PtypBoolean: wire_put_uint(out, p->b, boolean_size(out->flavour)); break;
    case PtypGuid: wire_put_bytes(out, BLOB_OF(p->guid.bytes, sizeof p->guid)); break;
    case PtypString:
    case PtypString8: put_string(out, type, p->str); break;
    case PtypBinary:
    case PtypServerId:
    case PtypObject: put_bytes_value(out, type, p->bin); break;
    case PtypRestriction: wire_put_restriction(out, p->restriction ? p->restriction : &everything); break;
    case PtypRuleAction: put_rule_action(out, p->bin); break;
    default:
        assert(prop_type_size(type));
        wire_put_uint(out, number_load(&p->u64, prop_type_size(type)), prop_type_size(type));
    }
}

void wire_put_value(struct wire_out *out, const struct prop *p)
{
    if (out->flavour == WIRE_FX && p->tag & PtypCodePage) {
        put_counted_text(out, PROP_TYPE(p->tag), p->str ? p->str : "");
        return;
    }
    const uint16_t type = prop_value_type(p->tag);
    const bool presence = has_presence(out->flavour, type);
    if (presence)
        wire_put_uint(out, is_present(type, p) ? 0xFF : 0x00, 1);
    if (presence && !is_present(type, p))
        return;
    if (!(type & PtypMultiple)) {
        put_single(out, type, p);
        return;
    }
    wire_put_uint(out, p->mv.count, 4);
    for (uint32_t i = 0; i < p->mv.count && !out->full; i++)
        put_element(out, type & ~PtypMultiple, p, i);
}

/* [MS-OXCDATA] 2.11.4 */
struct prop wire_get_prop(struct wire_in *in)
{
    const uint32_t tag = (uint32_t)wire_get_uint(in, 4);
    return wire_get_value(in, tag);
}

void wire_put_prop(struct wire_out *out, const struct prop *p)
{
    wire_put_uint(out, PROP_AS(p->tag, prop_value_type(p->tag)), 4);
    wire_put_value(out, p);
}

/* ---- rows ---- */

/* [MS-OXCDATA] 2.11.5, 2.11.6 */
enum { FLAG_VALUE = 0x00, FLAG_NONE = 0x01, FLAG_ERROR = 0x0A };

/* The column's own type, or the one that stands before the value when the column leaves it open. */
static uint32_t get_column_type(struct wire_in *in, uint32_t column)
{
    return PROP_TYPE(column) == PtypUnspecified ? PROP_AS(column, wire_get_uint(in, 2)) : column;
}

static struct prop get_flagged(struct wire_in *in, uint32_t column)
{
    const uint32_t tag = get_column_type(in, column);
    switch (wire_get_uint(in, 1)) {
    case FLAG_VALUE: return wire_get_value(in, tag);
    case FLAG_NONE: return (struct prop){ .tag = PROP_AS(column, PtypNull) };
    case FLAG_ERROR:
        return (struct prop){ .tag = PROP_AS(column, PtypErrorCode), .u32 = (uint32_t)wire_get_uint(in, 4) };
    default: in->bad = true; return (struct prop){ .tag = PROP_AS(column, PtypNull) };
    }
}

/* A row with more columns than bytes is refused, or a few bytes could make any number of empty values. */
struct props wire_get_row(struct wire_in *in)
{
    const uint8_t *start = in->at;
    const uint64_t flag = wire_get_uint(in, 1);
    struct props row = { 0 };
    in->bad |= flag > 1 || in->column_count > wire_left(in) + 1;
    if (in->bad || in->column_count == 0)
        return row;
    struct prop *values = talloc_array(in->arena, struct prop, in->column_count);
    for (uint32_t i = 0; i < in->column_count; i++)
        values[i] = flag ? get_flagged(in, in->columns[i]) : wire_get_value(in, get_column_type(in, in->columns[i]));
    in->bad |= (size_t)(in->at - start) < in->column_count;
    return (struct props){ in->column_count, values };
}

static bool is_text(uint16_t type)
{
    return (type & ~PtypMultiple) == PtypString || (type & ~PtypMultiple) == PtypString8;
}

/* A value whose type is not the column's stands as an error, and text as the kind that the column asks for. */
static const struct prop *value_in_column(const struct wire_out *out, const struct props *row, uint32_t i, struct prop *made)
{
    const struct prop *p = &row->values[i];
    if (!out->columns || PROP_TYPE(out->columns[i]) == PROP_TYPE(p->tag))
        return p;
    const uint16_t type = prop_value_type(p->tag), wanted = prop_value_type(out->columns[i]);
    if (type == wanted || wanted == PtypUnspecified || type == PtypErrorCode || type == PtypNull)
        return p;
    *made = *p;
    if (is_text(type) && is_text(wanted) && (type & PtypMultiple) == (wanted & PtypMultiple))
        made->tag = PROP_AS(p->tag, wanted);
    else
        *made = P_ERR(p->tag, ecUnexpectedType);
    return made;
}

static void put_flagged(struct wire_out *out, const struct prop *p, bool open, bool error_column)
{
    const uint16_t type = prop_value_type(p->tag);
    if (open)
        wire_put_uint(out, type, 2);
    const bool error = type == PtypErrorCode && !error_column;
    wire_put_uint(out, type == PtypNull ? FLAG_NONE : error ? FLAG_ERROR : FLAG_VALUE, 1);
    if (type != PtypNull)
        wire_put_value(out, p);
}

/* [MS-OXCDATA] 2.8.1: the flagged form, if one value is missing; [MS-OXCMAPIHTTP] 2.2.1.7 alike. */
void wire_put_row(struct wire_out *out, const struct props *row)
{
    bool flagged = false;
    struct prop made;
    assert(!out->columns || row->count <= out->column_count);
    for (uint32_t i = 0; i < row->count; i++) {
        const uint16_t type = PROP_TYPE(value_in_column(out, row, i, &made)->tag);
        flagged |= type == PtypNull;
        flagged |= type == PtypErrorCode && !(out->columns && PROP_TYPE(out->columns[i]) == PtypErrorCode);
    }
    wire_put_uint(out, flagged, 1);
    for (uint32_t i = 0; i < row->count && !out->full; i++) {
        const struct prop *p = value_in_column(out, row, i, &made);
        const uint16_t column = out->columns ? PROP_TYPE(out->columns[i]) : PROP_TYPE(p->tag);
        if (flagged)
            put_flagged(out, p, column == PtypUnspecified, out->columns && column == PtypErrorCode);
        else if (column == PtypUnspecified)
            wire_put_uint(out, prop_value_type(p->tag), 2);
        if (!flagged)
            wire_put_value(out, p);
    }
}

/* ---- restrictions ---- */

static void get_restriction(struct wire_in *in, struct restriction *r);

/* The smallest one is an empty comment, or in a ROP an empty AND. */
enum { LEAST_RESTRICTION = 3 };

static const struct restriction *get_restrictions(struct wire_in *in, uint32_t count)
{
    in->bad |= count > wire_left(in) / LEAST_RESTRICTION;
    if (in->bad || count == 0)
        return NULL;
    struct restriction *all = talloc_zero_array(in->arena, struct restriction, count);
    for (uint32_t i = 0; i < count && !in->bad; i++)
        get_restriction(in, &all[i]);
    return all;
}

static const struct restriction *get_one_restriction(struct wire_in *in, struct restriction *r)
{
    struct restriction *one = talloc_zero(in->arena, struct restriction);
    r->count = 1;
    get_restriction(in, one);
    return one;
}

/* In NSPI a byte says whether the tagged value follows (seen, as the elements' HasValue). */
static struct prop get_operand(struct wire_in *in)
{
    if (in->flavour == WIRE_NSPI && !wire_get_uint(in, 1))
        return (struct prop){ 0 };
    return wire_get_prop(in);
}

static void get_comment(struct wire_in *in, struct restriction *r)
{
    r->comment_count = (uint32_t)wire_get_uint(in, 1);
    in->bad |= r->comment_count > wire_left(in) / 4;
    if (in->bad)
        return;
    struct prop *values = talloc_zero_array(in->arena, struct prop, r->comment_count);
    for (uint32_t i = 0; i < r->comment_count && !in->bad; i++)
        values[i] = wire_get_prop(in);
    r->comment = values;
    if (wire_get_uint(in, 1))
        r->sub = get_one_restriction(in, r);
}

static void get_restriction_fields(struct wire_in *in, struct restriction *r)
{
    switch (r->type) {
    case RES_AND:
    case RES_OR:
        r->count = (uint32_t)wire_get_uint(in, count_size(in->flavour));
        r->sub = get_restrictions(in, r->count);
        break;
    case RES_NOT: r->sub = get_one_restriction(in, r); break;
    case RES_CONTENT:
        r->fuzzy_low = (uint16_t)wire_get_uint(in, 2);
        r->fuzzy_high = (uint16_t)wire_get_uint(in, 2);
        r->tag = (uint32_t)wire_get_uint(in, 4);
        r->value = get_operand(in);
        break;
    case RES_PROPERTY:
        r->relop = (uint8_t)wire_get_uint(in, 1);
        r->tag = (uint32_t)wire_get_uint(in, 4);
        r->value = get_operand(in);
        break;
    case RES_COMPAREPROPS:
        r->relop = (uint8_t)wire_get_uint(in, 1);
        r->tag = (uint32_t)wire_get_uint(in, 4);
        r->tag2 = (uint32_t)wire_get_uint(in, 4);
        break;
    case RES_BITMASK:
    case RES_SIZE:
        r->relop = (uint8_t)wire_get_uint(in, 1);
        r->tag = (uint32_t)wire_get_uint(in, 4);
        r->number = (uint32_t)wire_get_uint(in, 4);
        break;
    case RES_EXIST: r->tag = (uint32_t)wire_get_uint(in, 4); break;
    case RES_SUBOBJECT:
        r->tag = (uint32_t)wire_get_uint(in, 4);
        r->sub = get_one_restriction(in, r);
        break;
    case RES_COMMENT: get_comment(in, r); break;
    case RES_COUNT:
        r->number = (uint32_t)wire_get_uint(in, 4);
        r->sub = get_one_restriction(in, r);
        break;
    default: in->bad = true;
    }
}

static void get_restriction(struct wire_in *in, struct restriction *r)
{
    in->bad |= in->depth >= RESTRICTION_DEPTH;
    if (in->bad)
        return;
    in->depth++;
    r->type = (uint8_t)wire_get_uint(in, 1);
    get_restriction_fields(in, r);
    in->depth--;
}

struct restriction *wire_get_restriction(struct wire_in *in)
{
    if (in->bad || !wire_left(in))
        return NULL;
    struct restriction *r = talloc_zero(in->arena, struct restriction);
    get_restriction(in, r);
    return r;
}

static void put_operand(struct wire_out *out, const struct prop *value)
{
    const bool present = PROP_TYPE(value->tag) != PtypUnspecified;
    assert(present || out->flavour == WIRE_NSPI);
    if (out->flavour == WIRE_NSPI)
        wire_put_uint(out, present ? 0xFF : 0x00, 1);
    if (present)
        wire_put_prop(out, value);
}

static void put_subs(struct wire_out *out, const struct restriction *r)
{
    for (uint32_t i = 0; i < r->count && !out->full; i++)
        wire_put_restriction(out, &r->sub[i]);
}

static void put_comment(struct wire_out *out, const struct restriction *r)
{
    out->full |= r->comment_count > UINT8_MAX;
    wire_put_uint(out, r->comment_count, 1);
    for (uint32_t i = 0; i < r->comment_count && !out->full; i++)
        wire_put_prop(out, &r->comment[i]);
    wire_put_uint(out, r->count, 1);
    put_subs(out, r);
}

void wire_put_restriction(struct wire_out *out, const struct restriction *r)
{
    wire_put_uint(out, r->type, 1);
    switch (r->type) {
    case RES_AND:
    case RES_OR:
        put_count(out, r->count);
        put_subs(out, r);
        break;
    case RES_NOT: put_subs(out, r); break;
    case RES_CONTENT:
        wire_put_uint(out, r->fuzzy_low, 2);
        wire_put_uint(out, r->fuzzy_high, 2);
        wire_put_uint(out, r->tag, 4);
        put_operand(out, &r->value);
        break;
    case RES_PROPERTY:
        wire_put_uint(out, r->relop, 1);
        wire_put_uint(out, r->tag, 4);
        put_operand(out, &r->value);
        break;
    case RES_COMPAREPROPS:
        wire_put_uint(out, r->relop, 1);
        wire_put_uint(out, r->tag, 4);
        wire_put_uint(out, r->tag2, 4);
        break;
    case RES_BITMASK:
    case RES_SIZE:
        wire_put_uint(out, r->relop, 1);
        wire_put_uint(out, r->tag, 4);
        wire_put_uint(out, r->number, 4);
        break;
    case RES_EXIST: wire_put_uint(out, r->tag, 4); break;
    case RES_SUBOBJECT:
        wire_put_uint(out, r->tag, 4);
        put_subs(out, r);
        break;
    case RES_COMMENT: put_comment(out, r); break;
    case RES_COUNT:
        wire_put_uint(out, r->number, 4);
        put_subs(out, r);
        break;
    default: assert(!"a restriction of [MS-OXCDATA] 2.12");
    }
}
