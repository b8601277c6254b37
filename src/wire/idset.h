/* SPDX-License-Identifier: Apache-2.0 */
/* wire/idset.h: sets of ids of objects and changes, as synchronisation keeps and sends them.  [MS-OXCFXICS] 2.2.2.4
 * to 2.2.2.6 and 3.1.5.4.
 *
 *   IDSET ── replica ── GLOBSET: ranges of GLOBCNT, ascending, disjoint, none beside another
 *
 * Ids stay ranges from the wire to the wire: a set of 2^48 ids takes one range.  A GLOBCNT is a number here (the six
 * bytes big-endian), as store_counter() gives it. */
#pragma once
#include "wire/wire.h"

#define GLOBCNT_MAX 0xFFFFFFFFFFFFu

struct globcnt_range {
    uint64_t low, high; /* both are in the set */
};
struct globset {
    TALLOC_CTX *owner;
    struct globcnt_range *ranges; /* to iterate over */
    uint32_t count, room;
};
void globset_init(struct globset *, TALLOC_CTX *owner);
void globset_add(struct globset *, uint64_t low, uint64_t high); /* at the end of the set this costs nothing */
void globset_remove(struct globset *, uint64_t low, uint64_t high);
bool globset_has(const struct globset *, uint64_t counter);
uint64_t globset_size(const struct globset *); /* ids, not ranges */
void globset_union(struct globset *, const struct globset *);
void globset_subtract(struct globset *, const struct globset *);
bool globset_equal(const struct globset *, const struct globset *);
void globset_put(struct buf *to, const struct globset *); /* with its End command, also when empty */
/* As far as End.  The ranges join those there are as they come; when all have been read, they are to be settled:
 * sorted and merged.  false: in->bad. */
bool globset_get(struct wire_in *, struct globset *);
void globset_settle(struct globset *);

/* The context says which form an IDSET has; nothing in its bytes does (3.1.5.4.2). */
enum idset_form {
    IDSET_REPLID,   /* 2.2.2.4.1: of one answer, e.g. MetaTagIdsetDeleted */
    IDSET_REPLGUID, /* 2.2.2.4.2: what a client keeps, e.g. MetaTagCnsetSeen */
};
struct idset_replica {
    uint8_t key[16]; /* the REPLGUID, or the REPLID big-endian: memcmp order is the wire's */
    struct globset set;
};
struct idset {
    enum idset_form form;
    struct idset_replica *replicas; /* ascending */
    uint32_t count;
};
struct idset *idset_new(TALLOC_CTX *owner, enum idset_form);
/* The GLOBSET of one replica, made where it is missing; good until another replica is added. */
struct globset *idset_of_guid(struct idset *, struct guid); /* IDSET_REPLGUID */
struct globset *idset_of_replid(struct idset *, uint16_t);  /* IDSET_REPLID */
struct guid idset_guid(const struct idset_replica *);
uint16_t idset_replid(const struct idset_replica *);
uint64_t idset_size(const struct idset *);
bool idset_equal(const struct idset *, const struct idset *);
/* Both of the same form. */
void idset_union(struct idset *, const struct idset *);
void idset_subtract(struct idset *, const struct idset *);
struct blob idset_bytes(TALLOC_CTX *owner, const struct idset *); /* the empty set has none */
/* ecRpcFormat: the bytes are no IDSET of this form (3.1.5.4.3.2).  Memory is bounded by 32 bytes for one of the input. */
enum ec idset_of_bytes(struct idset **, TALLOC_CTX *owner, enum idset_form, struct blob);
