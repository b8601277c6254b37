/* SPDX-License-Identifier: Apache-2.0 */
/* Properties in memory: found, named, compared, copied, measured. */
#include <pthread.h>
#include <stdlib.h>

#include "wire/number.h"
#include "wire/wire.h"

/* ---- types ---- */

size_t prop_type_size(uint16_t type)
{
    switch (type) {
    case PtypBoolean: return 1;
    case PtypInteger16: return 2;
    case PtypInteger32:
    case PtypFloating32:
    case PtypErrorCode: return 4;
    case PtypFloating64:
    case PtypCurrency:
    case PtypFloatingTime:
    case PtypInteger64:
    case PtypTime: return 8;
    case PtypGuid: return 16;
    default: return 0;
    }
}

static bool is_text(uint16_t type)
{
    return type == PtypString || type == PtypString8;
}

static bool is_blob(uint16_t type)
{
    return type == PtypBinary || type == PtypServerId || type == PtypObject || type == PtypRuleAction;
}

/* [MS-OXCDATA] 2.11.1: there are no multiple Booleans, errors, server ids, restrictions and so on. */
bool prop_type_known(uint16_t type)
{
    const uint16_t base = type & ~PtypMultiple;
    if (type & PtypMultiple)
        return is_text(base) || base == PtypBinary ||
               (prop_type_size(base) && base != PtypBoolean && base != PtypErrorCode);
    return type == PtypNull || type == PtypRestriction || is_text(type) || is_blob(type) || prop_type_size(type);
}

uint16_t prop_value_type(uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag);
    return type & PtypMultivalueInstance ? type & ~(PtypMultivalueInstance | PtypMultiple) : type;
}

/* 8-bit and Unicode text are the same in memory. */
static uint16_t twin(uint16_t type)
{
    return is_text(type & ~PtypMultiple) ? (type & PtypMultiple) | PtypString : type;
}

/* ---- finding and naming ---- */

const struct prop *prop_find(const struct prop *props, uint32_t count, uint32_t tag)
{
    const uint16_t id = PROP_ID(tag), type = twin(PROP_TYPE(tag));
    for (uint32_t i = 0; i < count; i++)
        if (PROP_ID(props[i].tag) == id && (type == PtypUnspecified || twin(PROP_TYPE(props[i].tag)) == type))
            return &props[i];
    return NULL;
}

struct named {
    uint32_t tag;
    const char *name;
};
static struct named names[] = {
#define PROP(name, tag) { tag, #name },
#include "wire/proptag.def"
#undef PROP
};
static pthread_once_t names_once = PTHREAD_ONCE_INIT;

static int by_tag(const void *a, const void *b)
{
    const uint32_t x = ((const struct named *)a)->tag, y = ((const struct named *)b)->tag;
    return (x > y) - (x < y);
}

static void names_sort(void)
{
    qsort(names, COUNTOF(names), sizeof names[0], by_tag);
}

/* The first row that is not before the tag. */
static size_t names_at(uint32_t tag)
{
    size_t low = 0, high = COUNTOF(names);
    while (low < high) {
        const size_t middle = (low + high) / 2;
        if (names[middle].tag < tag)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The id alone gives the name, but from 0x8000 on, where the table has the address book's ids and a mailbox its own
 * named properties: there the type must be the table's. */
const char *prop_name(uint32_t tag)
{
    pthread_once(&names_once, names_sort);
    const uint16_t type = twin(prop_value_type(tag));
    const char *found = NULL;
    for (size_t i = names_at(PROP_TAG(0, PROP_ID(tag))); i < COUNTOF(names) && PROP_ID(names[i].tag) == PROP_ID(tag);
         i++) {
        if (twin(PROP_TYPE(names[i].tag)) == type)
            return names[i].name;
        if (!found && PROP_ID(tag) < 0x8000)
            found = names[i].name;
    }
    return found;
}

/* ---- comparing ---- */

static int sign(bool greater, bool less)
{
    return (int)greater - (int)less;
}

static int compare_blobs(struct blob a, struct blob b)
{
    const size_t n = MIN(a.size, b.size);
    const int order = n ? memcmp(a.data, b.data, n) : 0;
    return order ? order : sign(a.size > b.size, a.size < b.size);
}

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static int compare_texts(const char *a, const char *b, uint32_t lcid)
{
    if (strcmp(text_of(a), text_of(b)) == 0)
        return 0;
    TALLOC_CTX *scratch = talloc_new(NULL);
    const int order = compare_blobs(text_sort_key(scratch, text_of(a), lcid), text_sort_key(scratch, text_of(b), lcid));
    talloc_free(scratch);
    return order;
}

/* Not-a-number comes after every number, so that the order is total. */
static int compare_floats(double a, double b)
{
    if (a != a || b != b)
        return sign(a != a, b != b);
    return sign(a > b, a < b);
}

/* Numbers of fixed size, in one value or in an array of them. */
static int compare_fixed(uint16_t type, const void *a, const void *b)
{
    const size_t size = prop_type_size(type);
    float f, g;
    double d, e;
    if (type == PtypGuid)
        return memcmp(a, b, size);
    if (type == PtypFloating32) {
        memcpy(&f, a, size);
        memcpy(&g, b, size);
        return compare_floats((double)f, (double)g);
    }
    if (type == PtypFloating64 || type == PtypFloatingTime) {
        memcpy(&d, a, size);
        memcpy(&e, b, size);
        return compare_floats(d, e);
    }
    const uint64_t x = number_load(a, size), y = number_load(b, size);
    if (type == PtypTime || type == PtypErrorCode || type == PtypBoolean)
        return sign(x > y, x < y);
    const unsigned unused = 64 - 8 * (unsigned)size; /* the sign bit comes to the top */
    return sign((int64_t)(x << unused) > (int64_t)(y << unused), (int64_t)(x << unused) < (int64_t)(y << unused));
}

static struct blob restriction_bytes(TALLOC_CTX *arena, const struct prop *p)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_BAG;
    wire_put_value(&out, p);
    return buf_blob(&bytes);
}

static int compare_restrictions(const struct prop *a, const struct prop *b)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    const int order = compare_blobs(restriction_bytes(scratch, a), restriction_bytes(scratch, b));
    talloc_free(scratch);
    return order;
}

static int compare_elements(uint16_t base, const struct prop *a, const struct prop *b, uint32_t i, uint32_t lcid)
{
    const size_t size = prop_type_size(base);
    if (is_text(base))
        return compare_texts(a->mv.str[i], b->mv.str[i], lcid);
    if (base == PtypBinary)
        return compare_blobs(a->mv.bin[i], b->mv.bin[i]);
    return compare_fixed(base, (const uint8_t *)a->mv.data + i * size, (const uint8_t *)b->mv.data + i * size);
}

int prop_compare(const struct prop *a, const struct prop *b, uint32_t lcid)
{
    const uint16_t type = twin(PROP_TYPE(a->tag)), other = twin(PROP_TYPE(b->tag));
    int order = 0;
    if (type != other)
        return sign(type > other, type < other);
    if (type & PtypMultiple) {
        for (uint32_t i = 0; !order && i < MIN(a->mv.count, b->mv.count); i++)
            order = compare_elements(type & ~PtypMultiple, a, b, i, lcid);
        return order ? order : sign(a->mv.count > b->mv.count, a->mv.count < b->mv.count);
    }
    if (is_text(type))
        return compare_texts(a->str, b->str, lcid);
    if (is_blob(type))
        return compare_blobs(a->bin, b->bin);
    if (type == PtypRestriction)
        return compare_restrictions(a, b);
    return prop_type_size(type) ? compare_fixed(type, &a->u64, &b->u64) : 0;
}

static bool equal_multiple(uint16_t base, const struct prop *a, const struct prop *b)
{
    bool equal = a->mv.count == b->mv.count;
    for (uint32_t i = 0; equal && i < a->mv.count; i++)
        equal = is_text(base) ? strcmp(text_of(a->mv.str[i]), text_of(b->mv.str[i])) == 0
                              : compare_elements(base, a, b, i, 0) == 0;
    return equal;
}

bool prop_equal(const struct prop *a, const struct prop *b)
{
    const uint16_t type = twin(PROP_TYPE(a->tag));
    if (type != twin(PROP_TYPE(b->tag)))
        return false;
    if (type & PtypMultiple)
        return equal_multiple(type & ~PtypMultiple, a, b);
    return is_text(type) ? strcmp(text_of(a->str), text_of(b->str)) == 0 : prop_compare(a, b, 0) == 0;
}

/* ---- copying ---- */

/* An empty blob stays different from an absent one. */
static struct blob copy_blob(TALLOC_CTX *owner, struct blob from)
{
    return from.size ? blob_copy(owner, from) : BLOB_OF(from.data ? (const void *)"" : NULL, 0);
}

/* The elements and what they point to lie in one block: an allocation for each of them would take fifty times the
 * memory that the value took on the wire. */
static const char **copy_texts(TALLOC_CTX *owner, const char *const *from, uint32_t count)
{
    size_t size = count * sizeof *from;
    for (uint32_t i = 0; i < count; i++)
        size += strlen(text_of(from[i])) + 1;
    const char **texts = talloc_size(owner, size);
    char *put = (char *)(texts + count);
    for (uint32_t i = 0; i < count; i++) {
        texts[i] = put;
        put = stpcpy(put, text_of(from[i])) + 1;
    }
    return texts;
}

static struct blob *copy_blobs(TALLOC_CTX *owner, const struct blob *from, uint32_t count)
{
    size_t size = count * sizeof *from;
    for (uint32_t i = 0; i < count; i++)
        size += from[i].size;
    struct blob *blobs = talloc_size(owner, size);
    uint8_t *put = (uint8_t *)(blobs + count);
    for (uint32_t i = 0; i < count; i++) {
        blobs[i] = from[i].size ? BLOB_OF(memcpy(put, from[i].data, from[i].size), from[i].size)
                                : copy_blob(owner, from[i]);
        put += from[i].size;
    }
    return blobs;
}

static const void *copy_multiple(TALLOC_CTX *owner, uint16_t base, const struct prop *p)
{
    if (!p->mv.data || !p->mv.count)
        return p->mv.data ? "" : NULL;
    if (is_text(base))
        return copy_texts(owner, p->mv.str, p->mv.count);
    if (base == PtypBinary)
        return copy_blobs(owner, p->mv.bin, p->mv.count);
    return talloc_memdup(owner, p->mv.data, p->mv.count * prop_type_size(base));
}

struct prop prop_copy(TALLOC_CTX *owner, const struct prop *p)
{
    const uint16_t type = PROP_TYPE(p->tag);
    struct prop copy = *p;
    if (type & PtypMultiple)
        copy.mv.data = copy_multiple(owner, type & ~PtypMultiple, p);
    else if (is_text(type))
        copy.str = talloc_strdup(owner, p->str);
    else if (is_blob(type))
        copy.bin = copy_blob(owner, p->bin);
    else if (type == PtypRestriction && p->restriction)
        copy.restriction = restriction_copy(owner, p->restriction);
    return copy;
}

static const struct restriction *copy_restrictions(TALLOC_CTX *, const struct restriction *, uint32_t count);

static void copy_into(TALLOC_CTX *owner, struct restriction *copy, const struct restriction *r)
{
    *copy = *r;
    copy->value = prop_copy(owner, &r->value);
    copy->sub = copy_restrictions(owner, r->sub, r->count);
    if (r->comment_count) {
        struct prop *comment = talloc_array(owner, struct prop, r->comment_count);
        for (uint32_t i = 0; i < r->comment_count; i++)
            comment[i] = prop_copy(owner, &r->comment[i]);
        copy->comment = comment;
    }
}

static const struct restriction *copy_restrictions(TALLOC_CTX *owner, const struct restriction *r, uint32_t count)
{
    if (!r || !count)
        return NULL;
    struct restriction *copy = talloc_array(owner, struct restriction, count);
    for (uint32_t i = 0; i < count; i++)
        copy_into(owner, &copy[i], &r[i]);
    return copy;
}

struct restriction *restriction_copy(TALLOC_CTX *owner, const struct restriction *r)
{
    struct restriction *copy = talloc(owner, struct restriction);
    copy_into(owner, copy, r);
    return copy;
}

/* ---- measuring ---- */

/* Bytes of the text in UTF-16: four for what takes four bytes in UTF-8, else two for each first byte. */
static size_t utf16_length(const char *text)
{
    size_t n = 0;
    for (const uint8_t *p = (const uint8_t *)text_of(text); *p; p++)
        n += *p >= 0xF0 ? 4 : (*p & 0xC0) != 0x80 ? 2 : 0;
    return n;
}

static size_t text_length(uint16_t type, const char *text)
{
    return type == PtypString ? utf16_length(text) + 2 : strlen(text_of(text)) + 1;
}

static size_t multiple_length(uint16_t base, const struct prop *p, size_t per_blob)
{
    size_t n = p->mv.count * prop_type_size(base);
    for (uint32_t i = 0; i < p->mv.count && (is_text(base) || base == PtypBinary); i++)
        n += is_text(base) ? text_length(base, p->mv.str[i]) : p->mv.bin[i].size + per_blob;
    return n;
}

size_t prop_length(const struct prop *p)
{
    const uint16_t type = prop_value_type(p->tag);
    if (type & PtypMultiple)
        return multiple_length(type & ~PtypMultiple, p, 0);
    return is_text(type) ? text_length(type, p->str) : is_blob(type) ? p->bin.size : prop_type_size(type);
}

size_t prop_size(const struct prop *p)
{
    const uint16_t type = prop_value_type(p->tag);
    if (type & PtypMultiple)
        return 4 + multiple_length(type & ~PtypMultiple, p, 2);
    if (type == PtypRestriction) {
        TALLOC_CTX *scratch = talloc_new(NULL);
        const size_t n = restriction_bytes(scratch, p).size;
        talloc_free(scratch);
        return n;
    }
    return prop_length(p) + (type == PtypBinary || type == PtypServerId ? 2 : 0);
}

enum ec prop_convert(const struct prop *p, uint16_t type, struct prop *out)
{
    *out = *p;
    if (type == PtypUnspecified || type == PROP_TYPE(p->tag))
        return ecNone;
    if (twin(type) != twin(PROP_TYPE(p->tag)))
        return ecUnexpectedType;
    out->tag = PROP_AS(p->tag, type);
    return ecNone;
}
