/* SPDX-License-Identifier: Apache-2.0 */
/* The engine that walks the descriptions.  Every bound is checked here and in codec.c, nowhere else.
 *
 * What wire_get() allocates is bounded by what it read: no count is believed that the bytes left cannot hold,
 * so an input of n bytes costs less than 256 * n.  (Most expensive is text of one letter that is not ASCII: with
 * talloc's header some 85 bytes for each of its own.) */
#include "wire/wire.h"

#include <assert.h>

#include "wire/number.h"
#include "wire/walk.h"

#define SIZED_DEPTH 4

struct wire_in wire_in(TALLOC_CTX *arena, struct blob b)
{
    static const uint8_t nothing;
    const uint8_t *at = b.size ? b.data : &nothing;
    return (struct wire_in){ .at = at, .end = at + b.size, .arena = arena, .codepage = 1252 };
}

struct wire_out wire_out(struct buf *to)
{
    return (struct wire_out){ .to = to, .limit = SIZE_MAX, .codepage = 1252 };
}

/* ---- numbers and bytes ---- */

uint64_t wire_get_uint(struct wire_in *in, size_t n)
{
    uint64_t v = 0;
    in->bad |= wire_left(in) < n;
    for (size_t i = 0; !in->bad && i < n; i++)
        v |= (uint64_t)*in->at++ << (8 * i);
    return v;
}

struct blob wire_get_bytes(struct wire_in *in, size_t n)
{
    in->bad |= wire_left(in) < n;
    if (in->bad)
        return (struct blob){ NULL, 0 };
    in->at += n;
    return BLOB_OF(in->at - n, n);
}

/* The place for n new bytes, or NULL where they do not fit. */
static uint8_t *put_room(struct wire_out *out, size_t n)
{
    if (out->full || out->to->size > out->limit || n > out->limit - out->to->size) {
        out->full = true;
        return NULL;
    }
    return buf_grow(out->to, n);
}

void wire_put_uint(struct wire_out *out, uint64_t v, size_t n)
{
    uint8_t *p = put_room(out, n);
    for (size_t i = 0; p && i < n; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

void wire_put_bytes(struct wire_out *out, struct blob b)
{
    uint8_t *p = b.size ? put_room(out, b.size) : NULL;
    if (p)
        memcpy(p, b.data, b.size);
}

/* ---- text ---- */

static const char *get_wide(struct wire_in *in)
{
    size_t n = 0;
    while (wire_left(in) >= n + 2 && le16(in->at + n) != 0)
        n += 2;
    const struct blob text = wire_get_bytes(in, n);
    wire_get_uint(in, 2);
    return in->bad || n == 0 ? "" : utf8_of_utf16(in->arena, text.data, text.size);
}

/* [MS-OXCRPC] sessions may ask for any code page, but text that ends with one zero byte has none of UTF-16. */
static unsigned narrow_codepage(unsigned codepage)
{
    return codepage == 0 || codepage == 1200 || codepage == 1201 || codepage == 12000 || codepage == 12001 ? 1252
                                                                                                           : codepage;
}

/* False for EBCDIC, UTF-7 and the code pages that switch by escape sequences. */
static bool contains_ascii(unsigned codepage)
{
    static const uint16_t others[] = { 37, 500, 1047, 50220, 50221, 50222, 50225, 50227, 52936, 65000 };
    for (size_t i = 0; i < COUNTOF(others); i++)
        if (others[i] == codepage)
            return false;
    return true;
}

static bool is_ascii(const char *s)
{
    while ((uint8_t)(*s - 1) < 0x7F)
        s++;
    return *s == '\0';
}

/* ASCII stays where it is: its terminator stands in the input. */
static const char *get_narrow(struct wire_in *in, unsigned codepage)
{
    const uint8_t *zero = in->bad || !wire_left(in) ? NULL : memchr(in->at, 0, wire_left(in));
    in->bad |= !zero;
    if (in->bad)
        return "";
    const struct blob text = BLOB_OF(in->at, zero - in->at);
    in->at = zero + 1;
    if (contains_ascii(codepage) && is_ascii((const char *)text.data))
        return (const char *)text.data;
    return utf8_of_codepage(in->arena, codepage, text.data, text.size);
}

const char *wire_get_text(struct wire_in *in, bool wide)
{
    return wide ? get_wide(in) : get_narrow(in, narrow_codepage(in->codepage));
}

/* A page of a table is mostly such text: it goes straight to its place. */
static void put_ascii(struct wire_out *out, const char *text, bool wide)
{
    const size_t size = strlen(text) + 1;
    uint8_t *p = put_room(out, wide ? 2 * size : size);
    if (p && !wide)
        memcpy(p, text, size);
    for (size_t i = 0; p && wide && i < size; i++)
        put_le16(p + 2 * i, (uint8_t)text[i]);
}

void wire_put_text(struct wire_out *out, const char *text, bool wide)
{
    const unsigned codepage = narrow_codepage(out->codepage);
    text = text ? text : "";
    if ((wide || contains_ascii(codepage)) && is_ascii(text)) {
        put_ascii(out, text, wide);
        return;
    }
    TALLOC_CTX *scratch = talloc_new(NULL);
    wire_put_bytes(out, wide ? utf16_of_utf8(scratch, text) : codepage_of_utf8(scratch, codepage, text));
    wire_put_uint(out, 0, wide ? 2 : 1);
    talloc_free(scratch);
}

/* [MS-OXCDATA] 2.11.7: 0 none, 1 empty, 2 8-bit, 3 reduced Unicode, 4 Unicode */
static const char *get_typed(struct wire_in *in)
{
    switch (wire_get_uint(in, 1)) {
    case 0: return NULL;
    case 1: return "";
    case 2: return wire_get_text(in, false);
    case 3: return get_narrow(in, 28591); /* each byte is the low byte of a UTF-16 unit */
    case 4: return wire_get_text(in, true);
    default: in->bad = true; return NULL;
    }
}

static void put_typed(struct wire_out *out, const char *text)
{
    wire_put_uint(out, !text ? 0 : !*text ? 1 : is_ascii(text) ? 3 : 4, 1);
    if (text && *text && is_ascii(text))
        wire_put_bytes(out, BLOB_OF(text, strlen(text) + 1));
    else if (text && *text)
        wire_put_text(out, text, true);
}

/* ---- members of a structure ---- */

static uint64_t load(const void *self, size_t offset, size_t size)
{
    return number_load((const uint8_t *)self + offset, size);
}

static void store(void *self, size_t offset, size_t size, uint64_t v)
{
    number_store((uint8_t *)self + offset, size, v);
}

bool wire_condition_holds(const struct wire_field *f, const void *self)
{
    const uint64_t v = load(self, f->of, f->of_size);
    switch (f->type) {
    case WIRE_WHEN_ANY: return (v & f->arg) != 0;
    case WIRE_WHEN_NOT: return (v & f->arg) != f->arg2;
    case WIRE_WHEN_IN: return v < 32 && (f->arg >> v & 1) != 0;
    default: return (v & f->arg) == f->arg2;
    }
}

const struct wire_field *wire_skip_block(const struct wire_field *f)
{
    int open = 1;
    while (open) {
        f++;
        if (f->type == WIRE_END)
            return f - 1;
        open += wire_is_condition(f);
        open -= f->type == WIRE_ENDWHEN;
    }
    return f;
}

/* An array of `count` elements, none of which takes less than `least` bytes of the input. */
static void *get_array(struct wire_in *in, uint64_t count, size_t element, size_t least)
{
    in->bad |= count > wire_left(in) / least;
    if (in->bad || count == 0)
        return NULL;
    return talloc_zero_size(in->arena, (size_t)count * element);
}

/* The fewest bytes that the structure takes: what stands outside of conditions, with everything empty. */
static size_t least_bytes(const struct wire_struct *s)
{
    static const uint8_t least[] = {
        [WIRE_ASCII] = 1, [WIRE_WIDE] = 2, [WIRE_STR] = 1, [WIRE_TYPED] = 1, [WIRE_PROP] = 4, [WIRE_ROW] = 1,
    };
    size_t n = 0;
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END; f++) {
        if (wire_is_condition(f))
            f = wire_skip_block(f);
        else if (f->type == WIRE_SUB)
            n += least_bytes(f->sub);
        else if (f->type <= WIRE_BYTES || f->type == WIRE_SIZED)
            n += f->arg;
        else
            n += f->type < COUNTOF(least) ? least[f->type] : 0;
    }
    return n ? n : 1;
}

static void get_numbers(struct wire_in *in, const struct wire_field *f, void *self, uint64_t count)
{
    uint8_t *a = get_array(in, count, f->arg, f->arg);
    for (uint64_t i = 0; a && i < count; i++)
        store(a, (size_t)i * f->arg, f->arg, wire_get_uint(in, f->arg));
    FIELD_TO(const void *, self, f) = a;
    if (f->type == WIRE_COLUMNS) {
        in->columns = (const uint32_t *)(const void *)a;
        in->column_count = (uint32_t)count;
    }
}

static void get_texts(struct wire_in *in, const struct wire_field *f, void *self, uint64_t count)
{
    const bool wide = f->type == WIRE_WIDES;
    const char **a = get_array(in, count, sizeof *a, wide ? 2 : 1);
    for (uint64_t i = 0; a && i < count; i++)
        a[i] = wire_get_text(in, wide);
    FIELD_TO(const char **, self, f) = a;
}

static void get_props(struct wire_in *in, const struct wire_field *f, void *self, uint64_t count)
{
    struct prop *a = get_array(in, count, sizeof *a, 4);
    for (uint64_t i = 0; a && i < count && !in->bad; i++)
        a[i] = wire_get_prop(in);
    FIELD_TO(struct prop *, self, f) = a;
}

static void get_rows(struct wire_in *in, const struct wire_field *f, void *self, uint64_t count)
{
    struct props *a = get_array(in, count, sizeof *a, 1);
    for (uint64_t i = 0; a && i < count && !in->bad; i++)
        a[i] = wire_get_row(in);
    FIELD_TO(struct props *, self, f) = a;
}

static void get_subs(struct wire_in *in, const struct wire_field *f, void *self, uint64_t count)
{
    uint8_t *a = get_array(in, count, f->sub->size, least_bytes(f->sub));
    for (uint64_t i = 0; a && i < count && !in->bad; i++)
        wire_get(in, f->sub, a + i * f->sub->size);
    FIELD_TO(void *, self, f) = a;
}

static struct props get_row_of(struct wire_in *in, uint64_t count)
{
    const uint32_t all = in->column_count;
    in->bad |= count > all;
    in->column_count = in->bad ? 0 : (uint32_t)count;
    const struct props row = wire_get_row(in);
    in->column_count = all;
    return row;
}

static void get_field(struct wire_in *in, const struct wire_field *f, void *self)
{
    const uint64_t of = f->of_size ? load(self, f->of, f->of_size) : 0;
    switch ((enum wire_type)f->type) {
    case WIRE_BOOL: FIELD_TO(bool, self, f) = wire_get_uint(in, 1) != 0; break;
    case WIRE_UINT:
    case WIRE_INT:
    case WIRE_TAG:
    case WIRE_TIME:
    case WIRE_ID: store(self, f->offset, f->arg, wire_get_uint(in, f->arg)); break;
    case WIRE_CODEPAGE: FIELD_TO(uint32_t, self, f) = in->codepage = (uint32_t)wire_get_uint(in, 4); break;
    case WIRE_GUID:
    case WIRE_BYTES: {
        const struct blob b = wire_get_bytes(in, f->arg);
        if (b.data)
            memcpy((uint8_t *)self + f->offset, b.data, f->arg);
        break;
    }
    case WIRE_BLOB:
    case WIRE_SECRET: FIELD_TO(struct blob, self, f) = wire_get_bytes(in, (size_t)of); break;
    case WIRE_REST: FIELD_TO(struct blob, self, f) = wire_get_bytes(in, wire_left(in)); break;
    case WIRE_ASCII:
    case WIRE_WIDE: FIELD_TO(const char *, self, f) = wire_get_text(in, f->type == WIRE_WIDE); break;
    case WIRE_STR: FIELD_TO(const char *, self, f) = wire_get_text(in, (of & f->arg) != 0); break;
    case WIRE_TYPED: FIELD_TO(const char *, self, f) = get_typed(in); break;
    case WIRE_UINTS:
    case WIRE_IDS:
    case WIRE_TAGS:
    case WIRE_COLUMNS: get_numbers(in, f, self, of); break;
    case WIRE_ASCIIS:
    case WIRE_WIDES: get_texts(in, f, self, of); break;
    case WIRE_PROP: FIELD_TO(struct prop, self, f) = wire_get_prop(in); break;
    case WIRE_PROPS: get_props(in, f, self, of); break;
    case WIRE_ROW: FIELD_TO(struct props, self, f) = f->of_size ? get_row_of(in, of) : wire_get_row(in); break;
    case WIRE_ROWS: get_rows(in, f, self, of); break;
    case WIRE_RESTRICTION:
        FIELD_TO(const struct restriction *, self, f) = wire_left(in) ? wire_get_restriction(in) : NULL;
        break;
    case WIRE_SUB: wire_get(in, f->sub, (uint8_t *)self + f->offset); break;
    case WIRE_SUBS: get_subs(in, f, self, of); break;
    default: assert(!"a field that the walk handles");
    }
}

/* A region of `size` bytes begins: what is read until its end must lie in it; what is left over is skipped. */
static void enter_region(struct wire_in *in, const struct wire_field *f, void *self, const uint8_t **outer_end)
{
    uint64_t size = wire_get_uint(in, f->arg);
    store(self, f->offset, f->arg, size);
    in->bad |= size < f->arg2 || size - f->arg2 > wire_left(in);
    *outer_end = in->end;
    if (!in->bad)
        in->end = in->at + (size - f->arg2);
}

bool wire_get(struct wire_in *in, const struct wire_struct *s, void *self)
{
    const uint8_t *outer[SIZED_DEPTH];
    int regions = 0;
    memset(self, 0, s->size);
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END && !in->bad; f++) {
        if (wire_is_condition(f)) {
            if (!wire_condition_holds(f, self))
                f = wire_skip_block(f);
        } else if (f->type == WIRE_SIZED) {
            assert(regions < SIZED_DEPTH);
            enter_region(in, f, self, &outer[regions++]);
        } else if (f->type == WIRE_ENDSIZED) {
            in->at = in->end;
            in->end = outer[--regions];
        } else if (f->type != WIRE_ENDWHEN) {
            get_field(in, f, self);
        }
    }
    if (regions > 0 && in->bad)
        in->end = outer[0];
    return !in->bad;
}

/* ---- writing ---- */

static void put_numbers(struct wire_out *out, const struct wire_field *f, const void *self, uint64_t count)
{
    const uint8_t *a = FIELD(const uint8_t *, self, f);
    for (uint64_t i = 0; i < count; i++)
        wire_put_uint(out, load(a, (size_t)i * f->arg, f->arg), f->arg);
    if (f->type == WIRE_COLUMNS) {
        out->columns = (const uint32_t *)(const void *)a;
        out->column_count = (uint32_t)count;
    }
}

static void put_subs(struct wire_out *out, const struct wire_field *f, const void *self, uint64_t count)
{
    const uint8_t *a = FIELD(const uint8_t *, self, f);
    for (uint64_t i = 0; i < count && !out->full; i++)
        wire_put(out, f->sub, a + i * f->sub->size);
}

static void put_field(struct wire_out *out, const struct wire_field *f, const void *self)
{
    const uint64_t of = f->of_size ? load(self, f->of, f->of_size) : 0;
    switch ((enum wire_type)f->type) {
    case WIRE_BOOL: wire_put_uint(out, FIELD(bool, self, f), 1); break;
    case WIRE_UINT:
    case WIRE_INT:
    case WIRE_TAG:
    case WIRE_TIME:
    case WIRE_ID: wire_put_uint(out, load(self, f->offset, f->arg), f->arg); break;
    case WIRE_CODEPAGE: wire_put_uint(out, out->codepage = FIELD(uint32_t, self, f), 4); break;
    case WIRE_GUID:
    case WIRE_BYTES: wire_put_bytes(out, BLOB_OF((const uint8_t *)self + f->offset, f->arg)); break;
    case WIRE_BLOB:
    case WIRE_SECRET:
        assert(FIELD(struct blob, self, f).size == of); /* the caller sets both */
        wire_put_bytes(out, FIELD(struct blob, self, f));
        break;
    case WIRE_REST: wire_put_bytes(out, FIELD(struct blob, self, f)); break;
    case WIRE_ASCII:
    case WIRE_WIDE: wire_put_text(out, FIELD(const char *, self, f), f->type == WIRE_WIDE); break;
    case WIRE_STR: wire_put_text(out, FIELD(const char *, self, f), (of & f->arg) != 0); break;
    case WIRE_TYPED: put_typed(out, FIELD(const char *, self, f)); break;
    case WIRE_UINTS:
    case WIRE_IDS:
    case WIRE_TAGS:
    case WIRE_COLUMNS: put_numbers(out, f, self, of); break;
    case WIRE_ASCIIS:
    case WIRE_WIDES:
        for (uint64_t i = 0; i < of; i++)
            wire_put_text(out, FIELD(const char *const *, self, f)[i], f->type == WIRE_WIDES);
        break;
    case WIRE_PROP: wire_put_prop(out, &FIELD(struct prop, self, f)); break;
    case WIRE_PROPS:
        for (uint64_t i = 0; i < of; i++)
            wire_put_prop(out, &FIELD(const struct prop *, self, f)[i]);
        break;
    case WIRE_ROW: wire_put_row(out, &FIELD(struct props, self, f)); break;
    case WIRE_ROWS:
        wire_put_bytes(out, out->rows);
        for (uint64_t i = 0; i < of && !out->rows.size; i++)
            wire_put_row(out, &FIELD(const struct props *, self, f)[i]);
        break;
    case WIRE_RESTRICTION:
        if (FIELD(const struct restriction *, self, f))
            wire_put_restriction(out, FIELD(const struct restriction *, self, f));
        break;
    case WIRE_SUB: wire_put(out, f->sub, (const uint8_t *)self + f->offset); break;
    case WIRE_SUBS: put_subs(out, f, self, of); break;
    default: assert(!"a field that the walk handles");
    }
}

/* The byte count before a region is known when the region ends. */
static void close_region(struct wire_out *out, const struct wire_field *f, size_t start)
{
    const size_t size = out->to->size - start + f->arg2;
    if (f->arg == 2 && size > UINT16_MAX)
        out->full = true;
    for (size_t i = 0; !out->full && i < f->arg; i++)
        out->to->data[start - f->arg + i] = (uint8_t)(size >> (8 * i));
}

bool wire_put(struct wire_out *out, const struct wire_struct *s, const void *self)
{
    const struct wire_field *sized[SIZED_DEPTH];
    size_t start[SIZED_DEPTH];
    int regions = 0;
    const size_t before = out->to->size;
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END && !out->full; f++) {
        if (wire_is_condition(f)) {
            if (!wire_condition_holds(f, self))
                f = wire_skip_block(f);
        } else if (f->type == WIRE_SIZED) {
            assert(regions < SIZED_DEPTH);
            wire_put_uint(out, 0, f->arg);
            sized[regions] = f;
            start[regions++] = out->to->size;
        } else if (f->type == WIRE_ENDSIZED) {
            regions--;
            close_region(out, sized[regions], start[regions]);
        } else if (f->type != WIRE_ENDWHEN) {
            put_field(out, f, self);
        }
    }
    if (out->full)
        out->to->size = before;
    return !out->full;
}
