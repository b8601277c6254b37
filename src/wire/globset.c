/* SPDX-License-Identifier: Apache-2.0 */
/* Ranges of GLOBCNT and their bytes: [MS-OXCFXICS] 2.2.2.6, 3.1.5.4.3.
 *
 *   command    bytes                     with n bytes on the common byte stack
 *   Push       01..06, so many bytes     they join the stack; at six, they are one id and leave it again
 *   Pop        50                        takes the last Push's bytes off
 *   Bitmask    42 start mask             n = 5: start, and start + 1 + i for each bit i
 *   Range      52 low high               6 - n bytes each
 *   End        00                        n = 0 */
#include <assert.h>
#include <stdlib.h>

#include "wire/idset.h"

enum { PUSH_MOST = 0x06, POP = 0x50, BITMASK = 0x42, RANGE = 0x52, END = 0x00 };
enum { GLOBCNT_BYTES = 6, BITMASK_SPAN = 9 };

void globset_init(struct globset *set, TALLOC_CTX *owner)
{
    *set = (struct globset){ .owner = owner };
}

/* ---- ranges ---- */

/* The first range that does not end before the counter. */
static uint32_t range_at(const struct globset *set, uint64_t counter)
{
    uint32_t low = 0, high = set->count;
    if (high && set->ranges[high - 1].high < counter)
        return high;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (set->ranges[middle].high < counter)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_room(struct globset *set, uint32_t count)
{
    if (count <= set->room)
        return;
    set->room = MAX(MAX(8u, count), set->room * 2);
    set->ranges = talloc_realloc(set->owner, set->ranges, struct globcnt_range, set->room);
}

/* The ranges [from, to) become these. */
static void replace(struct globset *set, uint32_t from, uint32_t to, const struct globcnt_range *by, uint32_t count)
{
    make_room(set, set->count - (to - from) + count);
    if (to < set->count)
        memmove(set->ranges + from + count, set->ranges + to, (set->count - to) * sizeof *set->ranges);
    if (count)
        memcpy(set->ranges + from, by, count * sizeof *by);
    set->count = set->count - (to - from) + count;
}

void globset_add(struct globset *set, uint64_t low, uint64_t high)
{
    assert(low <= high && high <= GLOBCNT_MAX);
    const uint32_t from = range_at(set, low ? low - 1 : 0);
    uint32_t to = from;
    struct globcnt_range merged = { low, high };
    for (; to < set->count && set->ranges[to].low <= high + 1; to++) {
        merged.low = MIN(merged.low, set->ranges[to].low);
        merged.high = MAX(merged.high, set->ranges[to].high);
    }
    replace(set, from, to, &merged, 1);
}

void globset_remove(struct globset *set, uint64_t low, uint64_t high)
{
    const uint32_t from = range_at(set, low);
    uint32_t to = from, kept = 0;
    struct globcnt_range rest[2];
    for (; to < set->count && set->ranges[to].low <= high; to++) {
        const struct globcnt_range r = set->ranges[to];
        if (r.low < low)
            rest[kept++] = (struct globcnt_range){ r.low, low - 1 };
        if (r.high > high)
            rest[kept++] = (struct globcnt_range){ high + 1, r.high };
    }
    if (from < to)
        replace(set, from, to, rest, kept);
}

bool globset_has(const struct globset *set, uint64_t counter)
{
    const uint32_t i = range_at(set, counter);
    return i < set->count && set->ranges[i].low <= counter;
}

uint64_t globset_size(const struct globset *set)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < set->count; i++)
        n += set->ranges[i].high - set->ranges[i].low + 1;
    return n;
}

bool globset_equal(const struct globset *a, const struct globset *b)
{
    return a->count == b->count && (!a->count || memcmp(a->ranges, b->ranges, a->count * sizeof *a->ranges) == 0);
}

static int by_low(const void *a, const void *b)
{
    const struct globcnt_range *x = a, *y = b;
    return (x->low > y->low) - (x->low < y->low);
}

void globset_settle(struct globset *set)
{
    uint32_t kept = 0;
    bool sorted = true;
    for (uint32_t i = 1; i < set->count; i++)
        sorted &= set->ranges[i - 1].low <= set->ranges[i].low;
    if (!sorted)
        qsort(set->ranges, set->count, sizeof *set->ranges, by_low);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct globcnt_range r = set->ranges[i];
        if (kept && r.low <= set->ranges[kept - 1].high + 1)
            set->ranges[kept - 1].high = MAX(set->ranges[kept - 1].high, r.high);
        else
            set->ranges[kept++] = r;
    }
    set->count = kept;
}

/* Ranges that come in order. */
static void append(struct globset *set, struct globcnt_range r)
{
    struct globcnt_range *last = set->count ? &set->ranges[set->count - 1] : NULL;
    if (last && r.low <= last->high + 1) {
        last->high = MAX(last->high, r.high);
        return;
    }
    make_room(set, set->count + 1);
    set->ranges[set->count++] = r;
}

void globset_union(struct globset *set, const struct globset *other)
{
    struct globset both;
    uint32_t i = 0, o = 0;
    if (!other->count)
        return;
    globset_init(&both, set->owner);
    make_room(&both, set->count + other->count);
    while (i < set->count || o < other->count) {
        const bool own = o == other->count || (i < set->count && set->ranges[i].low < other->ranges[o].low);
        append(&both, own ? set->ranges[i++] : other->ranges[o++]);
    }
    talloc_free(set->ranges);
    *set = both;
}

/* One walk through both. */
void globset_subtract(struct globset *set, const struct globset *other)
{
    struct globset rest;
    uint32_t o = 0;
    globset_init(&rest, set->owner);
    for (uint32_t i = 0; i < set->count; i++) {
        struct globcnt_range r = set->ranges[i];
        while (o < other->count && other->ranges[o].high < r.low)
            o++;
        bool gone = false;
        for (uint32_t at = o; !gone && at < other->count && other->ranges[at].low <= r.high; at++) {
            const struct globcnt_range cut = other->ranges[at];
            if (r.low < cut.low)
                append(&rest, (struct globcnt_range){ r.low, cut.low - 1 });
            gone = cut.high >= r.high;
            r.low = cut.high + 1;
            o = gone ? at : at + 1;
        }
        if (!gone)
            append(&rest, r);
    }
    talloc_free(set->ranges);
    *set = rest;
}

/* ---- encoding: 3.1.5.4.3.1 ---- */

/* Byte `i` of six, the highest first. */
static uint8_t byte_of(uint64_t counter, unsigned i)
{
    return (uint8_t)(counter >> (8 * (GLOBCNT_BYTES - 1 - i)));
}

static void put_bytes(struct buf *to, uint64_t counter, unsigned from, unsigned end)
{
    uint8_t *p = buf_grow(to, end - from);
    for (unsigned i = from; i < end; i++)
        *p++ = byte_of(counter, i);
}

static void put_command(struct buf *to, uint8_t command)
{
    *buf_grow(to, 1) = command;
}

static void put_push(struct buf *to, uint64_t counter, unsigned from, unsigned end)
{
    put_command(to, (uint8_t)(end - from));
    put_bytes(to, counter, from, end);
}

/* The first byte in which they differ; five at most, so that something is left for the command. */
static unsigned common_bytes(uint64_t low, uint64_t high)
{
    unsigned n = 0;
    while (n < GLOBCNT_BYTES - 1 && byte_of(low, n) == byte_of(high, n))
        n++;
    return n;
}

static void put_range(struct buf *to, const struct globcnt_range *r, unsigned depth)
{
    if (r->low == r->high) {
        put_push(to, r->low, depth, GLOBCNT_BYTES);
        return;
    }
    put_command(to, RANGE);
    put_bytes(to, r->low, depth, GLOBCNT_BYTES);
    put_bytes(to, r->high, depth, GLOBCNT_BYTES);
}

/* Five bytes are on the stack: neighbours within nine numbers are one Bitmask.  Says how many ranges it took. */
static uint32_t put_low_bytes(struct buf *to, const struct globcnt_range *r, uint32_t count)
{
    uint32_t n = 0;
    uint8_t mask = 0;
    for (; n < count && r[n].high < r->low + BITMASK_SPAN; n++)
        for (uint64_t c = MAX(r[n].low, r->low + 1); c <= r[n].high; c++)
            mask |= (uint8_t)(1u << (c - r->low - 1));
    if (n < 2) {
        put_range(to, r, GLOBCNT_BYTES - 1);
        return 1;
    }
    put_command(to, BITMASK);
    put_bytes(to, r->low, GLOBCNT_BYTES - 1, GLOBCNT_BYTES);
    put_command(to, mask);
    return n;
}

/* How many of the ranges lie, with the first, below the same byte at this depth; 0: the first crosses a border. */
static uint32_t together(const struct globcnt_range *r, uint32_t count, unsigned depth)
{
    uint32_t n = 0;
    while (n < count && common_bytes(r->low, r[n].high) > depth)
        n++;
    return n;
}

/* Pushes what all the ranges have in common, writes them, and pops it.  Each call is at least one byte deeper. */
static void put_ranges(struct buf *to, const struct globcnt_range *r, uint32_t count, unsigned depth)
{
    const unsigned common = common_bytes(r->low, r[count - 1].high);
    if (count == 1 && r->low == r->high) {
        put_range(to, r, depth);
        return;
    }
    if (common > depth)
        put_push(to, r->low, depth, common);
    for (uint32_t i = 0, n; i < count; i += n) {
        if (common == GLOBCNT_BYTES - 1) {
            n = put_low_bytes(to, r + i, count - i);
        } else if ((n = together(r + i, count - i, common)) > 0) {
            put_ranges(to, r + i, n, common);
        } else {
            put_range(to, r + i, common);
            n = 1;
        }
    }
    if (common > depth)
        put_command(to, POP);
}

void globset_put(struct buf *to, const struct globset *set)
{
    if (set->count)
        put_ranges(to, set->ranges, set->count, 0);
    put_command(to, END);
}

/* ---- decoding: 3.1.5.4.3.2 ---- */

struct decoder {
    struct wire_in *in;
    struct globset *set;
    uint64_t stack;                /* the common bytes, as the low ones of a number */
    unsigned depth;                /* bytes on it */
    uint8_t pushed[GLOBCNT_BYTES]; /* by each Push */
    unsigned pushes;
};

static uint64_t get_bytes(struct wire_in *in, uint64_t onto, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        onto = onto << 8 | wire_get_uint(in, 1);
    return onto;
}

static void take(struct decoder *d, uint64_t low, uint64_t high)
{
    d->in->bad |= low > high;
    if (d->in->bad)
        return;
    make_room(d->set, d->set->count + 1);
    d->set->ranges[d->set->count++] = (struct globcnt_range){ low, high };
}

static void get_push(struct decoder *d, unsigned count)
{
    d->in->bad |= d->depth + count > GLOBCNT_BYTES;
    if (d->in->bad)
        return;
    const uint64_t bytes = get_bytes(d->in, d->stack, count);
    if (d->depth + count == GLOBCNT_BYTES) {
        take(d, bytes, bytes);
        return;
    }
    d->stack = bytes;
    d->depth += count;
    d->pushed[d->pushes++] = (uint8_t)count;
}

static void get_pop(struct decoder *d)
{
    d->in->bad |= !d->pushes;
    if (d->in->bad)
        return;
    d->depth -= d->pushed[--d->pushes];
    d->stack >>= 8 * d->pushed[d->pushes];
}

static void get_bitmask(struct decoder *d)
{
    const uint64_t start = wire_get_uint(d->in, 1), mask = wire_get_uint(d->in, 1) << 1 | 1;
    const uint64_t base = d->stack << 8 | start;
    d->in->bad |=
        d->depth != GLOBCNT_BYTES - 1 || start + 8 * sizeof mask - 1 - (unsigned)__builtin_clzll(mask) > UINT8_MAX;
    for (unsigned bit = 0; bit < BITMASK_SPAN; bit++) {
        unsigned end = bit;
        while (end + 1 < BITMASK_SPAN && mask >> bit & 1 && mask >> (end + 1) & 1)
            end++;
        if (mask >> bit & 1)
            take(d, base + bit, base + end);
        bit = end;
    }
}

static void get_range(struct decoder *d)
{
    const uint64_t low = get_bytes(d->in, d->stack, GLOBCNT_BYTES - d->depth);
    const uint64_t high = get_bytes(d->in, d->stack, GLOBCNT_BYTES - d->depth);
    take(d, low, high);
}

bool globset_get(struct wire_in *in, struct globset *set)
{
    struct decoder d = { .in = in, .set = set };
    for (;;) {
        const uint8_t command = (uint8_t)wire_get_uint(in, 1);
        if (in->bad || command == END)
            break;
        if (command <= PUSH_MOST)
            get_push(&d, command);
        else if (command == POP)
            get_pop(&d);
        else if (command == BITMASK)
            get_bitmask(&d);
        else if (command == RANGE)
            get_range(&d);
        else
            in->bad = true;
    }
    in->bad |= d.depth != 0;
    return !in->bad;
}
