/* SPDX-License-Identifier: Apache-2.0 */
/* Structures, properties and restrictions as text: one field a line, the same input always the same text.
 * Bodies, passwords and tokens are never shown, only their lengths. */
#include "wire/named.h"
#include "wire/guids.h"
#include "wire/number.h"
#include "wire/walk.h"

enum { BYTES_SHOWN = 32, LETTERS_SHOWN = 200 };

struct dump {
    struct buf *to;
    struct wire_style style;
};

static void dump_struct(const struct dump *, const struct wire_struct *, const void *self, int indent);
static void dump_restriction(const struct dump *, const struct restriction *, int indent);

static void line(const struct dump *d, int indent, const char *name)
{
    buf_printf(d->to, "%*s%s: ", 2 * indent, "", name);
}

/* Masked, nothing but how much there is. */
static bool mask(const struct dump *d, size_t size)
{
    if (d->style.shown == WIRE_MASKED)
        buf_printf(d->to, "(%zu bytes)\n", size);
    return d->style.shown == WIRE_MASKED;
}

static void dump_bytes(const struct dump *d, struct blob b)
{
    if (mask(d, b.size))
        return;
    TALLOC_CTX *scratch = talloc_new(NULL);
    const bool cut = b.size > BYTES_SHOWN;
    buf_printf(d->to, "%zu bytes", b.size);
    if (b.size)
        buf_printf(d->to, " %s%s", hex_text(scratch, BLOB_OF(b.data, cut ? (size_t)BYTES_SHOWN : b.size)),
                   cut ? "..." : "");
    buf_printf(d->to, "\n");
    talloc_free(scratch);
}

/* Quoted; a long text ends with three dots behind its quotation mark. */
static void dump_name(const struct dump *d, const char *s)
{
    const char *end = s ? s + strnlen(s, LETTERS_SHOWN) : NULL;
    while (s && *end && (*end & 0xC0) == 0x80) /* not within a letter */
        end--;
    buf_printf(d->to, s ? "\"" : "none");
    for (const char *p = s; p < end; p++) {
        if (*p == '"' || *p == '\\')
            buf_printf(d->to, "\\%c", *p);
        else if ((uint8_t)*p < 0x20 || *p == 0x7F)
            buf_printf(d->to, "\\x%02x", (uint8_t)*p);
        else
            buf_add(d->to, p, 1);
    }
    buf_printf(d->to, !s ? "\n" : *end ? "\"...\n" : "\"\n");
}

static void dump_text(const struct dump *d, const char *s)
{
    if (!s || !mask(d, strlen(s)))
        dump_name(d, s);
}

/* The replica's number and the counter, whose first byte is the highest.  [MS-OXCDATA] 2.2.1 */
static void dump_id(const struct dump *d, uint64_t id)
{
    buf_printf(d->to, "%u:0x", (unsigned)(id & 0xFFFF));
    for (unsigned i = 2; i < 8; i++)
        buf_printf(d->to, "%02X", (unsigned)(id >> (8 * i) & 0xFF));
    buf_printf(d->to, "\n");
}

static void dump_time(const struct dump *d, uint64_t filetime)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    buf_printf(d->to, "%s (0x%016llx)\n", filetime ? filetime_text(scratch, filetime) : "none",
               (unsigned long long)filetime);
    talloc_free(scratch);
}

static void dump_number(const struct dump *d, uint64_t v, size_t size)
{
    if (v < 10)
        buf_printf(d->to, "%u\n", (unsigned)v);
    else
        buf_printf(d->to, "0x%0*llX (%llu)\n", 2 * (int)size, (unsigned long long)v, (unsigned long long)v);
}

static void dump_guid(const struct dump *d, struct guid guid)
{
    char s[GUID_TEXT_SIZE];
    const char *name = guid_name(guid);
    buf_printf(d->to, name ? "%s (%s)\n" : "%s\n", guid_text(guid, s), name);
}

/* Whoever has an id from 0x8000 on, its name is another in each mailbox. */
static const char *name_of(TALLOC_CTX *arena, const struct dump *d, uint32_t tag)
{
    struct PropertyName found;
    if (PROP_ID(tag) < 0x8000)
        return prop_name(tag);
    if (d->style.name)
        return named_text(arena, d->style.name);
    const bool known = d->style.names && d->style.names->find(d->style.names->arg, arena, PROP_ID(tag), &found);
    return known ? named_text(arena, &found) : NULL;
}

static void tag_text(const struct dump *d, uint32_t tag)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *name = name_of(arena, d, tag);
    buf_printf(d->to, name ? "%s (0x%08X)" : "%s0x%08X", name ? name : "", tag);
    talloc_free(arena);
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

static void dump_fixed(const struct dump *d, uint16_t type, const void *at)
{
    const uint64_t v = type == PtypGuid ? 0 : number_load(at, prop_type_size(type));
    struct guid guid;
    float f;
    double wide;
    switch (type) {
    case PtypGuid:
        memcpy(&guid, at, sizeof guid);
        dump_guid(d, guid);
        break;
    case PtypFloating32:
        memcpy(&f, at, sizeof f);
        buf_printf(d->to, "%.9g\n", (double)f);
        break;
    case PtypFloating64:
    case PtypFloatingTime:
        memcpy(&wide, at, sizeof wide);
        buf_printf(d->to, "%.17g\n", wide);
        break;
    case PtypBoolean: buf_printf(d->to, v ? "true\n" : "false\n"); break;
    case PtypTime: dump_time(d, v); break;
    case PtypErrorCode: buf_printf(d->to, "%s\n", ec_name((enum ec)v)); break;
    default: dump_number(d, v, prop_type_size(type));
    }
}

static void dump_value(const struct dump *d, uint16_t type, const struct prop *p, int indent)
{
    switch (type) {
    case PtypNull: buf_printf(d->to, "none\n"); break;
    case PtypString:
    case PtypString8: dump_text(d, p->str); break;
    case PtypBinary:
    case PtypServerId:
    case PtypObject:
    case PtypRuleAction: dump_bytes(d, p->bin); break;
    case PtypRestriction:
        buf_printf(d->to, "\n");
        dump_restriction(d, p->restriction, indent + 1);
        break;
    default:
        if (prop_type_size(type))
            dump_fixed(d, type, &p->u64);
        else
            buf_printf(d->to, "none\n");
    }
}

static void dump_multiple(const struct dump *d, const struct prop *p, int indent)
{
    const uint16_t base = PROP_TYPE(p->tag) & ~PtypMultiple;
    const size_t size = prop_type_size(base);
    buf_printf(d->to, "%u values\n", p->mv.count);
    for (uint32_t i = 0; i < p->mv.count; i++) {
        buf_printf(d->to, "%*s[%u]: ", 2 * indent + 2, "", i);
        if (base == PtypString || base == PtypString8)
            dump_text(d, p->mv.str[i]);
        else if (base == PtypBinary)
            dump_bytes(d, p->mv.bin[i]);
        else
            dump_fixed(d, base, (const uint8_t *)p->mv.data + i * size);
    }
}

static void dump_prop(const struct dump *d, const struct prop *p, int indent)
{
    const uint16_t type = prop_value_type(p->tag);
    buf_printf(d->to, "%*s", 2 * indent, "");
    tag_text(d, p->tag);
    buf_printf(d->to, ": ");
    if (d->style.shown != WIRE_ALL && is_secret(p->tag) && type != PtypErrorCode && type != PtypNull)
        buf_printf(d->to, "%zu bytes\n", prop_length(p));
    else if (type & PtypMultiple)
        dump_multiple(d, p, indent);
    else
        dump_value(d, type, p, indent);
}

static void dump_props(const struct dump *d, const struct prop *values, uint32_t count, int indent)
{
    for (uint32_t i = 0; i < count; i++)
        dump_prop(d, &values[i], indent);
}

/* ---- restrictions ---- */

static const char *relop_name(uint8_t relop)
{
    static const char *const names[] = { "<", "<=", ">", ">=", "==", "!=" };
    return relop < COUNTOF(names) ? names[relop] : relop == RELOP_MEMBER_OF_DL ? "member of" : "?";
}

static void dump_test(const struct dump *d, const struct restriction *r)
{
    tag_text(d, r->tag);
    switch (r->type) {
    case RES_CONTENT: buf_printf(d->to, " fuzzy 0x%04X 0x%04X\n", r->fuzzy_low, r->fuzzy_high); break;
    case RES_COMPAREPROPS:
        buf_printf(d->to, " %s ", relop_name(r->relop));
        tag_text(d, r->tag2);
        buf_printf(d->to, "\n");
        break;
    case RES_BITMASK: buf_printf(d->to, " & 0x%08X %s 0\n", r->number, r->relop ? "!=" : "=="); break;
    case RES_SIZE: buf_printf(d->to, " %s %u\n", relop_name(r->relop), r->number); break;
    case RES_PROPERTY: buf_printf(d->to, " %s\n", relop_name(r->relop)); break;
    default: buf_printf(d->to, "\n");
    }
}

static void dump_restriction(const struct dump *d, const struct restriction *r, int indent)
{
    static const char *const names[] = { "and",  "or",   "not",    "content",    "property", "compare",
                                         "bits", "size", "exists", "sub-object", "comment",  "count" };
    if (!r || r->type >= COUNTOF(names)) {
        buf_printf(d->to, "%*snone\n", 2 * indent, "");
        return;
    }
    buf_printf(d->to, "%*s%s ", 2 * indent, "", names[r->type]);
    if (r->type == RES_COUNT || r->type == RES_AND || r->type == RES_OR)
        buf_printf(d->to, "%u\n", r->type == RES_COUNT ? r->number : r->count);
    else if (r->type == RES_NOT || r->type == RES_COMMENT)
        buf_printf(d->to, "\n");
    else
        dump_test(d, r);
    if (r->type == RES_CONTENT || r->type == RES_PROPERTY)
        dump_prop(d, &r->value, indent + 1);
    dump_props(d, r->comment, r->comment_count, indent + 1);
    for (uint32_t i = 0; i < r->count; i++)
        dump_restriction(d, &r->sub[i], indent + 1);
}

/* ---- structures ---- */

static void dump_integer(const struct dump *d, const struct wire_field *f, uint64_t v)
{
    const unsigned unused = 64 - 8 * f->arg;
    if (strcmp(f->name, "ReturnValue") == 0 || strcmp(f->name, "ErrorCode") == 0)
        buf_printf(d->to, "%s\n", ec_name((enum ec)v));
    else if (f->type == WIRE_INT)
        buf_printf(d->to, "%lld\n", (long long)((int64_t)(v << unused) >> unused));
    else
        dump_number(d, v, f->arg);
}

static void dump_one_number(const struct dump *d, const struct wire_field *f, uint64_t v)
{
    switch (f->type) {
    case WIRE_TAG:
    case WIRE_TAGS:
    case WIRE_COLUMNS:
        tag_text(d, (uint32_t)v);
        buf_printf(d->to, "\n");
        break;
    case WIRE_ID:
    case WIRE_IDS: dump_id(d, v); break;
    case WIRE_TIME: dump_time(d, v); break;
    case WIRE_BOOL: buf_printf(d->to, v ? "true\n" : "false\n"); break;
    default: dump_integer(d, f, v);
    }
}

/* The elements of an array, each with its number. */
static void dump_array(const struct dump *d, const struct wire_field *f, const void *self, uint64_t count, int indent)
{
    const uint8_t *a = FIELD(const uint8_t *, self, f);
    if (count == 0)
        buf_printf(d->to, "%*s%s: none\n", 2 * indent, "", f->name);
    for (uint64_t i = 0; i < count; i++) {
        const char *const *texts = (const char *const *)(const void *)a;
        const struct props *rows = (const struct props *)(const void *)a;
        buf_printf(d->to, "%*s%s[%llu]: ", 2 * indent, "", f->name, (unsigned long long)i);
        if (f->type == WIRE_ASCIIS || f->type == WIRE_WIDES) {
            dump_text(d, texts[i]);
        } else if (f->type == WIRE_SUBS) {
            buf_printf(d->to, "\n");
            dump_struct(d, f->sub, a + i * f->sub->size, indent + 1);
        } else if (f->type == WIRE_ROWS) {
            buf_printf(d->to, "\n");
            dump_props(d, rows[i].values, rows[i].count, indent + 1);
        } else {
            dump_one_number(d, f, number_load(a + i * f->arg, f->arg));
        }
    }
}

static void dump_nested(const struct dump *d, const struct wire_field *f, const void *self, uint64_t of, int indent)
{
    const struct props row = f->type == WIRE_ROW ? FIELD(struct props, self, f) : (struct props){ 0 };
    buf_printf(d->to, "%*s%s:\n", 2 * indent, "", f->name);
    switch (f->type) {
    case WIRE_PROP: dump_prop(d, &FIELD(struct prop, self, f), indent + 1); break;
    case WIRE_PROPS: dump_props(d, FIELD(const struct prop *, self, f), (uint32_t)of, indent + 1); break;
    case WIRE_ROW: dump_props(d, row.values, row.count, indent + 1); break;
    case WIRE_RESTRICTION: dump_restriction(d, FIELD(const struct restriction *, self, f), indent + 1); break;
    default: dump_struct(d, f->sub, (const uint8_t *)self + f->offset, indent + 1);
    }
}

static void dump_scalar(const struct dump *d, const struct wire_field *f, const void *self, int indent)
{
    line(d, indent, f->name);
    switch (f->type) {
    case WIRE_GUID: dump_guid(d, FIELD(struct guid, self, f)); break;
    case WIRE_BYTES: dump_bytes(d, BLOB_OF((const uint8_t *)self + f->offset, f->arg)); break;
    case WIRE_BLOB: dump_bytes(d, FIELD(struct blob, self, f)); break;
    case WIRE_REST: /* ROPs, say, which may hold a body */
    case WIRE_SECRET: buf_printf(d->to, "%zu bytes\n", FIELD(struct blob, self, f).size); break;
    case WIRE_ASCII: dump_name(d, FIELD(const char *, self, f)); break; /* classes, servers, distinguished names */
    case WIRE_WIDE:
    case WIRE_STR:
    case WIRE_TYPED: dump_text(d, FIELD(const char *, self, f)); break;
    default: dump_one_number(d, f, number_load((const uint8_t *)self + f->offset, f->arg));
    }
}

static void dump_field(const struct dump *d, const struct wire_field *f, const void *self, int indent)
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
    case WIRE_ROWS: dump_array(d, f, self, of, indent); break;
    case WIRE_PROP:
    case WIRE_PROPS:
    case WIRE_ROW:
    case WIRE_RESTRICTION:
    case WIRE_SUB: dump_nested(d, f, self, of, indent); break;
    default: dump_scalar(d, f, self, indent);
    }
}

static void dump_struct(const struct dump *d, const struct wire_struct *s, const void *self, int indent)
{
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END; f++) {
        if (wire_is_condition(f)) {
            if (!wire_condition_holds(f, self))
                f = wire_skip_block(f);
        } else if (f->type != WIRE_ENDWHEN && f->type != WIRE_ENDSIZED) {
            dump_field(d, f, self, indent);
        }
    }
}

/* ---- the room's border ---- */

void wire_dump_styled(struct buf *text, const struct wire_style *style, const struct wire_struct *s, const void *self,
                      int indent)
{
    dump_struct(&(struct dump){ text, *style }, s, self, indent);
}

void wire_dump(struct buf *text, const struct wire_struct *s, const void *self, int indent)
{
    dump_struct(&(struct dump){ .to = text }, s, self, indent);
}

void wire_dump_prop_styled(struct buf *text, const struct wire_style *style, const struct prop *p, int indent)
{
    dump_prop(&(struct dump){ text, *style }, p, indent);
}

void wire_dump_prop(struct buf *text, const struct prop *p, int indent)
{
    dump_prop(&(struct dump){ .to = text }, p, indent);
}

void wire_dump_tag(struct buf *text, const struct wire_style *style, uint32_t tag)
{
    tag_text(&(struct dump){ text, *style }, tag);
}

void wire_dump_restriction(struct buf *text, const struct restriction *r, int indent)
{
    dump_restriction(&(struct dump){ .to = text }, r, indent);
}
