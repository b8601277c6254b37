/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/lz77.h"

/* A match is 16 bits: 13 of distance - 1, 3 of length - 3.  Longer lengths go on in a nibble, a byte, 16 bits:
 *
 *   length - 3   0..6 | 7..21: 7, nibble 0..14 | 22..276: 7, 15, byte 0..254 | more: 7, 15, 255, 16 bits
 */
#define DISTANCE_MAX 8192u
#define LENGTH_MIN 3u
#define HASH_BITS 12

/* ---- expanding ---- */

struct expand {
    const uint8_t *at, *end;
    const uint8_t *nibble;              /* the byte whose upper half is still unused, or NULL */
    bool bad;
};

static unsigned take(struct expand *in, unsigned bytes)
{
    unsigned v = 0;
    in->bad |= (size_t)(in->end - in->at) < bytes;
    for (unsigned i = 0; !in->bad && i < bytes; i++)
        v |= (unsigned)*in->at++ << (8 * i);
    return v;
}

static unsigned take_nibble(struct expand *in)
{
    if (in->nibble) {
        const unsigned v = *in->nibble >> 4;
        in->nibble = NULL;
        return v;
    }
    in->nibble = in->at;
    return take(in, 1) & 15;
}

static size_t take_length(struct expand *in, unsigned low)
{
    if (low < 7)
        return low + LENGTH_MIN;
    const unsigned nibble = take_nibble(in);
    if (nibble < 15)
        return nibble + 7 + LENGTH_MIN;
    const unsigned byte = take(in, 1);
    if (byte < 255)
        return byte + 15 + 7 + LENGTH_MIN;
    const unsigned word = take(in, 2);
    in->bad |= word < 15 + 7;           /* a length that a shorter form says */
    return (size_t)word + LENGTH_MIN;
}

bool lz77_expand(struct blob b, uint8_t *out, size_t size)
{
    struct expand in = { b.data, b.data + b.size, NULL, false };
    uint32_t mask = 0;
    unsigned bits = 0;
    size_t n = 0;
    while (n < size && !in.bad) {
        if (bits == 0) {
            mask = take(&in, 2);
            mask |= (uint32_t)take(&in, 2) << 16;
            bits = 32;
        }
        if (!(mask >> --bits & 1)) {
            out[n++] = (uint8_t)take(&in, 1);
            continue;
        }
        const unsigned match = take(&in, 2);
        const size_t distance = (match >> 3) + 1, length = take_length(&in, match & 7);
        if (in.bad || distance > n || length > size - n)
            return false;
        for (size_t i = 0; i < length; i++, n++)
            out[n] = out[n - distance];
    }
    return !in.bad;
}

/* ---- compressing ---- */

struct compress {
    struct buf *out;
    size_t start, limit;                /* of the output */
    size_t mask_at, nibble_at;          /* where the open mask and the open nibble stand; nibble 0: none */
    uint32_t mask;
    unsigned bits;
};

static void put(struct compress *c, unsigned v, unsigned bytes)
{
    uint8_t *p = buf_grow(c->out, bytes);
    for (unsigned i = 0; i < bytes; i++)
        p[i] = (uint8_t)(v >> (8 * i));
}

/* The flag of the item that follows; a new mask begins when the old one is full. */
static void put_flag(struct compress *c, unsigned flag)
{
    if (c->bits == 32) {
        put_le32(c->out->data + c->mask_at, c->mask);
        c->mask_at = c->out->size;
        put(c, 0, 4);
        c->mask = 0;
        c->bits = 0;
    }
    c->mask |= flag << (31 - c->bits++);
}

static void put_nibble(struct compress *c, unsigned v)
{
    if (c->nibble_at) {
        c->out->data[c->nibble_at] |= (uint8_t)(v << 4);
        c->nibble_at = 0;
    } else {
        c->nibble_at = c->out->size;
        put(c, v, 1);
    }
}

static void put_match(struct compress *c, size_t distance, size_t length)
{
    const unsigned more = (unsigned)(length - LENGTH_MIN);
    put_flag(c, 1);
    put(c, (unsigned)(distance - 1) << 3 | MIN(more, 7), 2);
    if (more < 7)
        return;
    put_nibble(c, MIN(more - 7, 15));
    if (more - 7 < 15)
        return;
    put(c, MIN(more - 22, 255), 1);
    if (more - 22 >= 255)
        put(c, more, 2);
}

static size_t match_length(struct blob in, size_t a, size_t b)
{
    size_t n = 0;
    while (b + n < in.size && in.data[a + n] == in.data[b + n] && n < 0xFFFF)
        n++;
    return n;
}

bool lz77_compress(struct buf *out, struct blob in)
{
    uint32_t last[1 << HASH_BITS] = { 0 };       /* position + 1 of the last three bytes with this hash */
    struct compress c = { .out = out, .start = out->size, .limit = in.size, .mask_at = out->size };
    put(&c, 0, 4);
    for (size_t i = 0; i < in.size && out->size - c.start < c.limit;) {
        size_t length = 0, candidate = 0;
        if (in.size - i >= LENGTH_MIN) {
            const uint32_t h = ((uint32_t)in.data[i] << 16 | in.data[i + 1] << 8 | in.data[i + 2]) * 2654435761u >>
                               (32 - HASH_BITS);
            candidate = last[h];
            last[h] = (uint32_t)i + 1;
            if (candidate && i - (candidate - 1) <= DISTANCE_MAX)
                length = match_length(in, candidate - 1, i);
        }
        if (length >= LENGTH_MIN) {
            put_match(&c, i - (candidate - 1), length);
            i += length;
        } else {
            put_flag(&c, 0);
            put(&c, in.data[i++], 1);
        }
    }
    put_flag(&c, 1);                             /* the end: a match bit without a match */
    c.mask |= c.bits < 32 ? 0xFFFFFFFFu >> c.bits : 0;
    put_le32(out->data + c.mask_at, c.mask);
    if (out->size - c.start < c.limit)
        return true;
    out->size = c.start;
    return false;
}
