/* SPDX-License-Identifier: Apache-2.0 */
/* store/bag.h: the encoded property list of a row.  One property is found by a binary search, and its text and bytes
 * are read where they lie.
 *
 *     u32 count | count x { u32 tag, u32 offset } ascending by tag | values, flavour WIRE_BAG, in the same order
 *
 * Offsets count from the start of the bag.  With the highest bit set, a value lies apart, in the table `value`, and
 * its place holds { u64 size, u64 version }.  A bag has at most one property of an id; text is PtypString, streams of
 * attachments PtypBinary (prop_stored).  No bytes at all are the empty bag. */
#pragma once
#include "wire/wire.h"

struct bag {
    struct blob bytes;
    uint32_t count;
};
/* false: these bytes are not a bag.  The bag points into them. */
bool bag_open(struct bag *, struct blob);
uint32_t bag_tag(const struct bag *, uint32_t at);

/* A value that lies apart: its bytes alone (of text: without the zero; of another type: as in a bag). */
struct bag_apart {
    uint32_t tag;
    uint64_t size, version;
};
enum bag_place { BAG_ABSENT, BAG_HERE, BAG_APART };
/* By the id of `tag`.  HERE: *out has its stored tag, points into the bag or (multiple values) lives in `arena`; a
 * damaged one is PtypErrorCode ecCorruptData.  APART: *apart is filled in.  Either pointer may be NULL. */
enum bag_place bag_find(TALLOC_CTX *arena, const struct bag *, uint32_t tag, struct prop *out, struct bag_apart *apart);
enum bag_place bag_at(TALLOC_CTX *arena, const struct bag *, uint32_t at, struct prop *out, struct bag_apart *apart);
struct blob bag_encoded(const struct bag *, uint32_t at);      /* a value HERE as it lies in the bag */

/* What goes into a new bag. */
struct bag_entry {
    uint32_t tag;
    bool is_apart;
    struct blob encoded;                         /* HERE: by bag_encode or bag_encoded */
    struct bag_apart apart;
};
struct blob bag_encode(TALLOC_CTX *, const struct prop *);
struct prop bag_decode(TALLOC_CTX *, uint32_t tag, struct blob encoded);
struct blob bag_pack(TALLOC_CTX *, struct bag_entry *, uint32_t count);                   /* sorts the entries */
struct blob bag_of(TALLOC_CTX *, const struct prop *, uint32_t count);                    /* everything HERE */

/* How a property is kept: PtypString8 as PtypString, PtypObject as PtypBinary.  Ids and values stay. */
uint32_t prop_stored(uint32_t tag);
