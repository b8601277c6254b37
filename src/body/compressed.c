/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed RTF: [MS-OXRTFCP].
 *
 *   COMPSIZE RAWSIZE COMPTYPE CRC | control byte, 8 tokens | control byte, 8 tokens | ...
 *
 * A bit of the control byte, the lowest first, says whether its token is a byte or a reference: 12 bits of a place in
 * the dictionary, 4 bits of a length.  The dictionary is a ring of what was written last, which begins with a text that
 * both sides know.  A reference to where the next byte would be written is the end. */
#include "body/body.h"

enum {
    HEADER = 16,
    BEHIND_COMPSIZE = 12,
    RING = 4096,
    RUN = 8,
    MATCH_MIN = 2,
    MATCH_MAX = 17,
    HASHES = 4096,
    TRIES = 64, /* places that are looked at for a match */
};
#define COMPRESSED 0x75465A4Cu
#define UNCOMPRESSED 0x414C454Du

/* [MS-OXRTFCP] 2.1.2.1 */
static const char dictionary[] =
    "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}"
    "{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArial"
    "Times New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20"
    "\\b\\i\\u\\tab\\tx";
enum { DICTIONARY = sizeof dictionary - 1 };
_Static_assert(DICTIONARY == 207, "[MS-OXRTFCP] 2.1.2.1");

/* [MS-OXRTFCP] 2.1.3.2: the polynomial of everybody's CRC-32, begun with 0 and not inverted. */
static uint32_t crc_of(struct blob bytes)
{
    static const uint32_t nibble[16] = { 0x00000000, 0x1DB71064, 0x3B6E20C8, 0x26D930AC, 0x76DC4190, 0x6B6B51F4,
                                         0x4DB26158, 0x5005713C, 0xEDB88320, 0xF00F9344, 0xD6D6A3E8, 0xCB61B38C,
                                         0x9B64C2B0, 0x86D3D2D4, 0xA00AE278, 0xBDBDF21C };
    uint32_t crc = 0;
    for (size_t i = 0; i < bytes.size; i++) {
        crc ^= bytes.data[i];
        crc = crc >> 4 ^ nibble[crc & 15];
        crc = crc >> 4 ^ nibble[crc & 15];
    }
    return crc;
}

struct ring {
    uint8_t bytes[RING];
    unsigned at; /* where the next byte is written */
};

static void ring_init(struct ring *r)
{
    memset(r->bytes, 0, sizeof r->bytes);
    memcpy(r->bytes, dictionary, DICTIONARY);
    r->at = DICTIONARY;
}

static void ring_put(struct ring *r, uint8_t byte)
{
    r->bytes[r->at] = byte;
    r->at = (r->at + 1) % RING;
}

/* false: that was the end. */
static bool take_reference(struct ring *r, const uint8_t *token, struct buf *rtf)
{
    const unsigned value = (unsigned)token[0] << 8 | token[1], from = value >> 4, length = (value & 15) + MATCH_MIN;
    if (from == r->at)
        return false;
    for (unsigned i = 0; i < length; i++) {
        const uint8_t byte = r->bytes[(from + i) % RING];
        buf_add(rtf, &byte, 1);
        ring_put(r, byte);
    }
    return true;
}

static void take_runs(struct blob in, struct buf *rtf)
{
    struct ring ring;
    ring_init(&ring);
    for (size_t at = 0; at < in.size && rtf->size < BODY_SOURCE_MAX;) {
        const uint8_t control = in.data[at++];
        for (unsigned bit = 0; bit < RUN && at < in.size; bit++) {
            if (!(control >> bit & 1)) {
                buf_add(rtf, in.data + at, 1);
                ring_put(&ring, in.data[at++]);
            } else if (in.size - at < 2 || !take_reference(&ring, in.data + at, rtf)) {
                return;
            } else {
                at += 2;
            }
        }
    }
}

enum ec body_rtf_decompress(TALLOC_CTX *arena, struct blob in, struct blob *rtf)
{
    *rtf = BLOB_OF("", 0);
    if (in.size < HEADER)
        return ecCorruptData;
    const uint32_t compsize = le32(in.data), rawsize = le32(in.data + 4), type = le32(in.data + 8);
    struct blob contents = BLOB_OF(in.data + HEADER, in.size - HEADER);
    if (compsize < BEHIND_COMPSIZE || (type != COMPRESSED && type != UNCOMPRESSED))
        return ecCorruptData;
    const size_t told = compsize - BEHIND_COMPSIZE;
    const bool whole = contents.size >= told;
    contents.size = MIN(contents.size, told);
    if (type == UNCOMPRESSED) {
        *rtf = BLOB_OF(contents.data, MIN(contents.size, (size_t)rawsize));
        return ecNone;
    }
    if (whole && crc_of(contents) != le32(in.data + 12))
        return ecCorruptData;
    struct buf out;
    buf_init(&out, arena);
    take_runs(contents, &out);
    *rtf = buf_blob(&out);
    return ecNone;
}

/* ---- compressing ---- */

/* The dictionary's text and the RTF behind it, and chains of places that begin with the same two bytes. */
struct search {
    const uint8_t *text;
    size_t size;
    uint32_t *newest;  /* by hash: place + 1; 0: none */
    uint32_t *earlier; /* by place in the ring, likewise */
};

static unsigned hash_at(const struct search *s, size_t at)
{
    return (unsigned)(s->text[at] * 31 + s->text[at + 1] * 7 + (s->text[at + 1] << 4)) % HASHES;
}

static void remember(struct search *s, size_t at)
{
    if (at + 1 >= s->size)
        return;
    const unsigned hash = hash_at(s, at);
    s->earlier[at % RING] = s->newest[hash];
    s->newest[hash] = (uint32_t)at + 1;
}

static size_t match_length(const struct search *s, size_t from, size_t at)
{
    const size_t most = MIN((size_t)MATCH_MAX, s->size - at);
    size_t length = 0;
    while (length < most && s->text[from + length] == s->text[at + length])
        length++;
    return length;
}

/* The longest of what still is in the ring; of several the oldest, as the specification's examples have it. */
static size_t find(const struct search *s, size_t at, size_t *from)
{
    size_t best = 0;
    if (at + 1 >= s->size)
        return 0;
    uint32_t place = s->newest[hash_at(s, at)];
    for (unsigned tries = 0; place && tries < TRIES; tries++) {
        const size_t here = place - 1;
        if (at - here >= RING - MATCH_MAX)
            break;
        const size_t length = match_length(s, here, at);
        if (length >= best) {
            best = length;
            *from = here;
        }
        place = s->earlier[here % RING];
    }
    return best >= MATCH_MIN ? best : 0;
}

struct packer {
    struct buf out;
    size_t control; /* where the run's control byte is */
    unsigned tokens;
};

static void put_token(struct packer *p, bool reference, const uint8_t *bytes, size_t size)
{
    if (p->tokens % RUN == 0) {
        p->control = p->out.size;
        buf_add(&p->out, "", 1);
    }
    if (reference)
        p->out.data[p->control] |= (uint8_t)(1 << p->tokens % RUN);
    p->tokens++;
    buf_add(&p->out, bytes, size);
}

static void put_reference(struct packer *p, size_t from, size_t length)
{
    const unsigned value = (unsigned)(from % RING) << 4 | (unsigned)(length - MATCH_MIN);
    put_token(p, true, (const uint8_t[]){ (uint8_t)(value >> 8), (uint8_t)value }, 2);
}

struct blob body_rtf_compress(TALLOC_CTX *arena, struct blob rtf)
{
    TALLOC_CTX *scratch = talloc_new(arena);
    struct buf text;
    buf_init(&text, scratch);
    buf_add(&text, dictionary, DICTIONARY);
    buf_add(&text, rtf.data, rtf.size);
    struct search s = { text.data, text.size, talloc_zero_array(scratch, uint32_t, HASHES),
                        talloc_zero_array(scratch, uint32_t, RING) };
    struct packer p = { 0 };
    buf_init(&p.out, arena);
    memset(buf_grow(&p.out, HEADER), 0, HEADER);
    for (size_t at = 0; at < DICTIONARY; at++)
        remember(&s, at);
    for (size_t at = DICTIONARY; at < s.size;) {
        size_t from = 0, length = find(&s, at, &from);
        if (length)
            put_reference(&p, from, length);
        else
            put_token(&p, false, s.text + at, length = 1);
        for (; length; length--)
            remember(&s, at++);
    }
    put_reference(&p, s.size, MATCH_MIN);
    put_le32(p.out.data, (uint32_t)(p.out.size - HEADER + BEHIND_COMPSIZE));
    put_le32(p.out.data + 4, (uint32_t)rtf.size);
    put_le32(p.out.data + 8, COMPRESSED);
    put_le32(p.out.data + 12, crc_of(BLOB_OF(p.out.data + HEADER, p.out.size - HEADER)));
    talloc_free(scratch);
    return buf_blob(&p.out);
}
