/* SPDX-License-Identifier: Apache-2.0 */
/* Structures, properties and restrictions as text: one field a line, the same input always the same text.
 * Bodies, passwords and tokens are never shown, only their lengths. */
#include "wire/number.h"
#include "wire/walk.h"

enum { BYTES_SHOWN = 32, LETTERS_SHOWN = 200 };

static void line(struct buf *text, int indent, const char *name)
{
    buf_printf(text, "%*s%s: ", 2 * indent, "", name);
}

static void dump_bytes(struct buf *text, struct blob b)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    const bool cut = b.size > BYTES_SHOWN;
    buf_printf(text, "%zu bytes", b.size);
    if (b.size)
        buf_printf(text, " %s%s", hex_text(scratch, BLOB_OF(b.data, cut ? (size_t)BYTES_SHOWN : b.size)),
                   cut ? "..." : "");
    buf_printf(text, "\n");
    talloc_free(scratch);
}

/* Quoted; a long text ends with three dots behind its quotation mark. */
static void dump_text(struct buf *text, const char *s)
{
    const char *end = s ? s + strnlen(s, LETTERS_SHOWN) : NULL;
    while (s && *end && (*end & 0xC0) == 0x80) /* not within a letter */
        end--;
    buf_printf(text, s ? "\"" : "none");
    for (const char *p = s; p < end; p++) {
        if (*p == '"' || *p == '\\')
            buf_printf(text, "\\%c", *p);
        else if ((uint8_t)*p < 0x20 || *p == 0x7F)
            buf_printf(text, "\\x%02x", (uint8_t)*p);
        else
            buf_add(text, p, 1);
    }
    buf_printf(text, !s ? "\n" : *end ? "\"...\n" : "\"\n");
}

/* The replica's number and the counter, whose first byte is the highest.  [MS-OXCDATA] 2.2.1 */
static void dump_id(struct buf *text, uint64_t id)
{
    buf_printf(text, "%u:0x", (unsigned)(id & 0xFFFF));
    for (unsigned i = 2; i < 8; i++)
        buf_printf(text, "%02X", (unsigned)(id >> (8 * i) & 0xFF));
    buf_printf(text, "\n");
}

static void dump_time(struct buf *text, uint64_t filetime)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    buf_printf(text, "%s (0x%016llx)\n", filetime ? filetime_text(scratch, filetime) : "none",
               (unsigned long long)filetime);
    talloc_free(scratch);
}

static void dump_number(struct buf *text, uint64_t v, size_t size)
{
    if (v < 10)
        buf_printf(text, "%u\n", (unsigned)v);
    else
        buf_printf(text, "0x%0*llX (%llu)\n", 2 * (int)size, (unsigned long long)v, (unsigned long long)v);
}

static void dump_guid(struct buf *text, struct guid guid)
{
    char s[GUID_TEXT_SIZE];
    buf_printf(text, "%s\n", guid_text(guid, s));
}

static void tag_text(struct buf *text, uint32_t tag)
{
    const char *name = prop_name(tag);
    buf_printf(text, name ? "%s (0x%08X)" : "%s0x%08X", name ? name : "", tag);
}

/* ---- properties ---- */

/* PidTagBodyHtml and PidTagAttachDataObject share their ids with two of these. */
static bool is_secret(uint32_t tag)
{
    static const uint16_t ids[] = { PROP_ID(PidTagBody), PROP_ID(PidTagHtml), PROP_ID(PidTagRtfCompressed),
                                    PROP_ID(PidTagAttachDataBinary) };
    for (size_t i = 0; i < COUNTOF(ids); i++)
        if (ids[i] == PROP_ID(tag))
            return true;
    return false;
}

static void dump_fixed(struct buf *text, uint16_t type, const void *at)
{
    const uint64_t v = type == PtypGuid ? 0 : number_load(at, prop_type_size(type));
    struct guid guid;
    float f;
    double d;
    switch (type) {
    case PtypGuid:
        memcpy(&guid, at, sizeof guid);
        dump_guid(text, guid);
        break;
    case PtypFloating32:
        memcpy(&f, at, sizeof f);
        buf_printf(text, "%.9g\n", (double)f);
        break;
    case PtypFloating64:
    case PtypFloatingTime:
        memcpy(&d, at, sizeof d);
        buf_printf(text, "%.17g\n", d);
        break;
    case PtypBoolean: buf_printf(text, v ? "true\n" : "false\n"); break;
    case PtypTime: dump_time(text, v); break;
    case PtypErrorCode: buf_printf(text, "%s\n", ec_name((enum ec)v)); break;
    default: dump_number(text, v, prop_type_size(type));
    }
}

static void dump_value(struct buf *text, uint16_t type, const struct prop *p, int indent)
{
    switch (type) {
    case PtypNull: buf_printf(text, "none\n"); break;
    case PtypString:
    case PtypString8: dump_text(text, p->str); break;
    case PtypBinary:
    case PtypServerId:
    case PtypObject:
    case PtypRuleAction: dump_bytes(text, p->bin); break;
    case PtypRestriction:
        buf_printf(text, "\n");
        wire_dump_restriction(text, p->restriction, indent + 1);
        break;
    default:
        if (prop_type_size(type))
            dump_fixed(text, type, &p->u64);
        else
            buf_printf(text, "none\n");
    }
}

static void dump_multiple(struct buf *text, const struct prop *p, int indent)
{
    const uint16_t base = PROP_TYPE(p->tag) & ~PtypMultiple;
    const size_t size = prop_type_size(base);
    buf_printf(text, "%u values\n", p->mv.count);
    for (uint32_t i = 0; i < p->mv.count; i++) {
        buf_printf(text, "%*s[%u]: ", 2 * indent + 2, "", i);
        if (base == PtypString || base == PtypString8)
            dump_text(text, p->mv.str[i]);
        else if (base == PtypBinary)
            dump_bytes(text, p->mv.bin[i]);
        else
            dump_fixed(text, base, (const uint8_t *)p->mv.data + i * size);
    }
}

void wire_dump_prop(struct buf *text, const struct prop *p, int indent)
{
    const uint16_t type = prop_value_type(p->tag);
    buf_printf(text, "%*s", 2 * indent, "");
    tag_text(text, p->tag);
    buf_printf(text, ": ");
    if (is_secret(p->tag) && type != PtypErrorCode && type != PtypNull)
        buf_printf(text, "%zu bytes\n", prop_length(p));
    else if (type & PtypMultiple)
        dump_multiple(text, p, indent);
    else
        dump_value(text, type, p, indent);
}

static void dump_props(struct buf *text, const struct prop *values, uint32_t count, int indent)
{
    for (uint32_t i = 0; i < count; i++)
        wire_dump_prop(text, &values[i], indent);
}

/* ---- restrictions ---- */

static const char *relop_name(uint8_t relop)
{
    static const char *const names[] = { "<", "<=", ">", ">=", "==", "!=" };
    return relop < COUNTOF(names) ? names[relop] : relop == RELOP_MEMBER_OF_DL ? "member of" : "?";
}

static void dump_test(struct buf *text, const struct restriction *r)
{
    tag_text(text, r->tag);
    switch (r->type) {
    case RES_CONTENT: buf_printf(text, " fuzzy 0x%04X 0x%04X\n", r->fuzzy_low, r->fuzzy_high); break;
    case RES_COMPAREPROPS:
        buf_printf(text, " %s ", relop_name(r->relop));
        tag_text(text, r->tag2);
        buf_printf(text, "\n");
        break;
    case RES_BITMASK: buf_printf(text, " & 0x%08X %s 0\n", r->number, r->relop ? "!=" : "=="); break;
    case RES_SIZE: buf_printf(text, " %s %u\n", relop_name(r->relop), r->number); break;
    case RES_PROPERTY: buf_printf(text, " %s\n", relop_name(r->relop)); break;
    default: buf_printf(text, "\n");
    }
}

void wire_dump_restriction(struct buf *text, const struct restriction *r, int indent)
{
    static const char *const names[] = { "and",  "or",   "not",    "content",    "property", "compare",
                                         "bits", "size", "exists", "sub-object", "comment",  "count" };
    if (!r || r->type >= COUNTOF(names)) {
        buf_printf(text, "%*snone\n", 2 * indent, "");
        return;
    }
    buf_printf(text, "%*s%s ", 2 * indent, "", names[r->type]);
    if (r->type == RES_COUNT || r->type == RES_AND || r->type == RES_OR)
        buf_printf(text, "%u\n", r->type == RES_COUNT ? r->number : r->count);
    else if (r->type == RES_NOT || r->type == RES_COMMENT)
        buf_printf(text, "\n");
    else
        dump_test(text, r);
    if (r->type == RES_CONTENT || r->type == RES_PROPERTY)
        wire_dump_prop(text, &r->value, indent + 1);
    dump_props(text, r->comment, r->comment_count, indent + 1);
    for (uint32_t i = 0; i < r->count; i++)
        wire_dump_restriction(text, &r->sub[i], indent + 1);
}

/* ---- structures ---- */

static void dump_integer(struct buf *text, const struct wire_field *f, uint64_t v)
{
    const unsigned unused = 64 - 8 * f->arg;
    if (strcmp(f->name, "ReturnValue") == 0 || strcmp(f->name, "ErrorCode") == 0)
        buf_printf(text, "%s\n", ec_name((enum ec)v));
    else if (f->type == WIRE_INT)
        buf_printf(text, "%lld\n", (long long)((int64_t)(v << unused) >> unused));
    else
        dump_number(text, v, f->arg);
}

static void dump_one_number(struct buf *text, const struct wire_field *f, uint64_t v)
{
    switch (f->type) {
    case WIRE_TAG:
    case WIRE_TAGS:
    case WIRE_COLUMNS:
        tag_text(text, (uint32_t)v);
        buf_printf(text, "\n");
        break;
    case WIRE_ID:
    case WIRE_IDS: dump_id(text, v); break;
    case WIRE_TIME: dump_time(text, v); break;
    case WIRE_BOOL: buf_printf(text, v ? "true\n" : "false\n"); break;
    default: dump_integer(text, f, v);
    }
}

/* The elements of an array, each with its number. */
static void dump_array(struct buf *text, const struct wire_field *f, const void *self, uint64_t count, int indent)
{
    const uint8_t *a = FIELD(const uint8_t *, self, f);
    if (count == 0)
        buf_printf(text, "%*s%s: none\n", 2 * indent, "", f->name);
    for (uint64_t i = 0; i < count; i++) {
        const char *const *texts = (const char *const *)(const void *)a;
        const struct props *rows = (const struct props *)(const void *)a;
        buf_printf(text, "%*s%s[%llu]: ", 2 * indent, "", f->name, (unsigned long long)i);
        if (f->type == WIRE_ASCIIS || f->type == WIRE_WIDES) {
            dump_text(text, texts[i]);
        } else if (f->type == WIRE_SUBS) {
            buf_printf(text, "\n");
            wire_dump(text, f->sub, a + i * f->sub->size, indent + 1);
        } else if (f->type == WIRE_ROWS) {
            buf_printf(text, "\n");
            dump_props(text, rows[i].values, rows[i].count, indent + 1);
        } else {
            dump_one_number(text, f, number_load(a + i * f->arg, f->arg));
        }
    }
}

static void dump_nested(struct buf *text, const struct wire_field *f, const void *self, uint64_t of, int indent)
{
    const struct props row = f->type == WIRE_ROW ? FIELD(struct props, self, f) : (struct props){ 0 };
    buf_printf(text, "%*s%s:\n", 2 * indent, "", f->name);
    switch (f->type) {
    case WIRE_PROP: wire_dump_prop(text, &FIELD(struct prop, self, f), indent + 1); break;
    case WIRE_PROPS: dump_props(text, FIELD(const struct prop *, self, f), (uint32_t)of, indent + 1); break;
    case WIRE_ROW: dump_props(text, row.values, row.count, indent + 1); break;
    case WIRE_RESTRICTION: wire_dump_restriction(text, FIELD(const struct restriction *, self, f), indent + 1); break;
    default: wire_dump(text, f->sub, (const uint8_t *)self + f->offset, indent + 1);
    }
}

static void dump_scalar(struct buf *text, const struct wire_field *f, const void *self, int indent)
{
    line(text, indent, f->name);
    switch (f->type) {
    case WIRE_GUID: dump_guid(text, FIELD(struct guid, self, f)); break;
    case WIRE_BYTES: dump_bytes(text, BLOB_OF((const uint8_t *)self + f->offset, f->arg)); break;
    case WIRE_BLOB: dump_bytes(text, FIELD(struct blob, self, f)); break;
    case WIRE_REST: /* ROPs, say, which may hold a body */
    case WIRE_SECRET: buf_printf(text, "%zu bytes\n", FIELD(struct blob, self, f).size); break;
    case WIRE_ASCII:
    case WIRE_WIDE:
    case WIRE_STR:
    case WIRE_TYPED: dump_text(text, FIELD(const char *, self, f)); break;
    default: dump_one_number(text, f, number_load((const uint8_t *)self + f->offset, f->arg));
    }
}

static void dump_field(struct buf *text, const struct wire_field *f, const void *self, int indent)
{
    const uint64_t of = f->of_size ? number_load((const uint8_t *)self + f->of, f->of_size) : 0;
    switch (f->type) {
    case WIRE_UINTS:
    case WIRE_IDS:
    case WIRE_TAGS:
    case WIRE_COLUMNS:
    case WIRE_ASCIIS:
    case WIRE_WIDES:
    case WIRE_SUBS:
    case WIRE_ROWS: dump_array(text, f, self, of, indent); break;
    case WIRE_PROP:
    case WIRE_PROPS:
    case WIRE_ROW:
    case WIRE_RESTRICTION:
    case WIRE_SUB: dump_nested(text, f, self, of, indent); break;
    default: dump_scalar(text, f, self, indent);
    }
}

void wire_dump(struct buf *text, const struct wire_struct *s, const void *self, int indent)
{
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END; f++) {
        if (wire_is_condition(f)) {
            if (!wire_condition_holds(f, self))
                f = wire_skip_block(f);
        } else if (f->type != WIRE_ENDWHEN && f->type != WIRE_ENDSIZED) {
            dump_field(text, f, self, indent);
        }
    }
}
