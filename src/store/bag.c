/* SPDX-License-Identifier: Apache-2.0 */
#include "store/bag.h"

#include <stdlib.h>

enum { HEADER = 4, SLOT = 8, APART = 16 };
#define LIES_APART 0x80000000u

static const uint8_t *slot(const struct bag *bag, uint32_t at)
{
    return bag->bytes.data + HEADER + (size_t)at * SLOT;
}

uint32_t bag_tag(const struct bag *bag, uint32_t at)
{
    return le32(slot(bag, at));
}

static size_t start_of(const struct bag *bag, uint32_t at)
{
    return le32(slot(bag, at) + 4) & ~LIES_APART;
}

/* Values lie in the order of the index, so each ends where the next begins. */
static struct blob value_bytes(const struct bag *bag, uint32_t at)
{
    const size_t start = start_of(bag, at);
    const size_t end = at + 1 < bag->count ? start_of(bag, at + 1) : bag->bytes.size;
    return end < start || end > bag->bytes.size ? BLOB_OF(NULL, 0) : BLOB_OF(bag->bytes.data + start, end - start);
}

bool bag_open(struct bag *bag, struct blob bytes)
{
    *bag = (struct bag){ .bytes = bytes };
    if (!bytes.size)
        return true;
    if (bytes.size < HEADER || le32(bytes.data) > (bytes.size - HEADER) / SLOT)
        return false;
    bag->count = le32(bytes.data);
    return true;
}

/* The only property of its id, or count. */
static uint32_t position(const struct bag *bag, uint32_t tag)
{
    uint32_t low = 0, high = bag->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (PROP_ID(bag_tag(bag, middle)) < PROP_ID(tag))
            low = middle + 1;
        else
            high = middle;
    }
    return low < bag->count && PROP_ID(bag_tag(bag, low)) == PROP_ID(tag) ? low : bag->count;
}

struct blob bag_encode(TALLOC_CTX *arena, const struct prop *prop)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_BAG;
    wire_put_value(&out, prop);
    return buf_blob(&bytes);
}

struct prop bag_decode(TALLOC_CTX *arena, uint32_t tag, struct blob encoded)
{
    struct wire_in in = wire_in(arena, encoded);
    in.flavour = WIRE_BAG;
    const struct prop prop = wire_get_value(&in, tag);
    return in.bad ? P_ERR(tag, ecCorruptData) : prop;
}

enum bag_place bag_at(TALLOC_CTX *arena, const struct bag *bag, uint32_t at, struct prop *out, struct bag_apart *apart)
{
    if (at >= bag->count)
        return BAG_ABSENT;
    const uint32_t tag = bag_tag(bag, at);
    const struct blob value = value_bytes(bag, at);
    const bool is_apart = le32(slot(bag, at) + 4) & LIES_APART;
    if (is_apart && value.size == APART) {
        if (apart)
            *apart = (struct bag_apart){ tag, le64(value.data), le64(value.data + 8) };
        return BAG_APART;
    }
    if (out)
        *out = is_apart ? P_ERR(tag, ecCorruptData) : bag_decode(arena, tag, value);
    return BAG_HERE;
}

enum bag_place bag_find(TALLOC_CTX *arena, const struct bag *bag, uint32_t tag, struct prop *out,
                        struct bag_apart *apart)
{
    return bag_at(arena, bag, position(bag, tag), out, apart);
}

struct blob bag_encoded(const struct bag *bag, uint32_t at)
{
    return value_bytes(bag, at);
}

static int by_tag(const void *a, const void *b)
{
    const uint32_t x = ((const struct bag_entry *)a)->tag, y = ((const struct bag_entry *)b)->tag;
    return (x > y) - (x < y);
}

struct blob bag_pack(TALLOC_CTX *arena, struct bag_entry *entries, uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    if (count)
        qsort(entries, count, sizeof *entries, by_tag);
    put_le32(buf_grow(&bytes, HEADER + (size_t)count * SLOT), count);
    for (uint32_t i = 0; i < count; i++) {
        uint8_t *index = bytes.data + HEADER + (size_t)i * SLOT;
        put_le32(index, entries[i].tag);
        put_le32(index + 4, (uint32_t)bytes.size | (entries[i].is_apart ? LIES_APART : 0));
        if (entries[i].is_apart) {
            uint8_t *apart = buf_grow(&bytes, APART);
            put_le64(apart, entries[i].apart.size);
            put_le64(apart + 8, entries[i].apart.version);
        } else {
            buf_add(&bytes, entries[i].encoded.data, entries[i].encoded.size);
        }
    }
    return buf_blob(&bytes);
}

struct blob bag_of(TALLOC_CTX *arena, const struct prop *props, uint32_t count)
{
    struct bag_entry *entries = talloc_zero_array(arena, struct bag_entry, count);
    for (uint32_t i = 0; i < count; i++)
        entries[i] = (struct bag_entry){ .tag = prop_stored(props[i].tag), .encoded = bag_encode(entries, &props[i]) };
    const struct blob bag = bag_pack(arena, entries, count);
    talloc_free(entries);
    return bag;
}

uint32_t prop_stored(uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag), multiple = type & PtypMultiple;
    if ((type & ~PtypMultiple) == PtypString8)
        return PROP_AS(tag, PtypString | multiple);
    return type == PtypObject ? PROP_AS(tag, PtypBinary) : tag;
}
