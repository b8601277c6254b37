/* SPDX-License-Identifier: Apache-2.0 */
/* A GLOBSET for each replica: [MS-OXCFXICS] 2.2.2.4, 3.1.5.4.1, 3.1.5.4.2. */
#include "wire/idset.h"

#include <assert.h>

#define REPLICAS_MAX 1024 /* more are no state of any client */

struct idset *idset_new(TALLOC_CTX *owner, enum idset_form form)
{
    struct idset *set = talloc_zero(owner, struct idset);
    set->form = form;
    return set;
}

/* The first replica whose key is not less. */
static uint32_t replica_at(const struct idset *set, const uint8_t key[16], bool *found)
{
    uint32_t low = 0, high = set->count;
    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (memcmp(set->replicas[middle].key, key, 16) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < set->count && memcmp(set->replicas[low].key, key, 16) == 0;
    return low;
}

static struct globset *of_key(struct idset *set, const uint8_t key[16])
{
    bool found;
    const uint32_t at = replica_at(set, key, &found);
    if (found)
        return &set->replicas[at].set;
    set->replicas = talloc_realloc(set, set->replicas, struct idset_replica, set->count + 1);
    memmove(&set->replicas[at + 1], &set->replicas[at], (set->count++ - at) * sizeof *set->replicas);
    memcpy(set->replicas[at].key, key, 16);
    globset_init(&set->replicas[at].set, set);
    return &set->replicas[at].set;
}

struct globset *idset_of_guid(struct idset *set, struct guid guid)
{
    assert(set->form == IDSET_REPLGUID);
    return of_key(set, guid.bytes);
}

struct globset *idset_of_replid(struct idset *set, uint16_t replid)
{
    const uint8_t key[16] = { (uint8_t)(replid >> 8), (uint8_t)replid };
    assert(set->form == IDSET_REPLID);
    return of_key(set, key);
}

struct guid idset_guid(const struct idset_replica *replica)
{
    struct guid guid;
    memcpy(guid.bytes, replica->key, sizeof guid.bytes);
    return guid;
}

uint16_t idset_replid(const struct idset_replica *replica)
{
    return (uint16_t)(replica->key[0] << 8 | replica->key[1]);
}

uint64_t idset_size(const struct idset *set)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < set->count; i++)
        n += globset_size(&set->replicas[i].set);
    return n;
}

/* A replica without ids is as none. */
static uint32_t skip_empty(const struct idset *set, uint32_t at)
{
    while (at < set->count && !set->replicas[at].set.count)
        at++;
    return at;
}

bool idset_equal(const struct idset *a, const struct idset *b)
{
    uint32_t i = skip_empty(a, 0), j = skip_empty(b, 0);
    while (i < a->count && j < b->count) {
        const struct idset_replica *x = &a->replicas[i], *y = &b->replicas[j];
        if (memcmp(x->key, y->key, sizeof x->key) != 0 || !globset_equal(&x->set, &y->set))
            return false;
        i = skip_empty(a, i + 1);
        j = skip_empty(b, j + 1);
    }
    return i == a->count && j == b->count;
}

void idset_union(struct idset *set, const struct idset *other)
{
    assert(set->form == other->form);
    for (uint32_t i = 0; i < other->count; i++)
        globset_union(of_key(set, other->replicas[i].key), &other->replicas[i].set);
}

void idset_subtract(struct idset *set, const struct idset *other)
{
    assert(set->form == other->form);
    for (uint32_t i = 0; i < set->count; i++) {
        bool found;
        const uint32_t at = replica_at(other, set->replicas[i].key, &found);
        if (found)
            globset_subtract(&set->replicas[i].set, &other->replicas[at].set);
    }
}

/* ---- bytes ---- */

struct blob idset_bytes(TALLOC_CTX *owner, const struct idset *set)
{
    struct buf bytes;
    buf_init(&bytes, owner);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct idset_replica *replica = &set->replicas[i];
        if (!replica->set.count)
            continue;
        if (set->form == IDSET_REPLID)
            put_le16(buf_grow(&bytes, 2), idset_replid(replica));
        else
            buf_add(&bytes, replica->key, sizeof replica->key);
        globset_put(&bytes, &replica->set);
    }
    return buf_blob(&bytes);
}

static struct globset *get_replica(struct idset *set, struct wire_in *in)
{
    const size_t size = set->form == IDSET_REPLID ? 2 : sizeof(struct guid);
    const struct blob bytes = wire_get_bytes(in, size);
    struct guid guid;
    in->bad |= set->count > REPLICAS_MAX;
    if (in->bad)
        return NULL;
    if (set->form == IDSET_REPLID)
        return idset_of_replid(set, le16(bytes.data));
    memcpy(guid.bytes, bytes.data, sizeof guid.bytes);
    return idset_of_guid(set, guid);
}

enum ec idset_of_bytes(struct idset **out, TALLOC_CTX *owner, enum idset_form form, struct blob bytes)
{
    struct wire_in in = wire_in(owner, bytes);
    struct idset *set = idset_new(owner, form);
    while (wire_left(&in) && !in.bad) {
        struct globset *of = get_replica(set, &in);
        if (of)
            globset_get(&in, of);
    }
    for (uint32_t i = 0; i < set->count; i++)
        globset_settle(&set->replicas[i].set);
    *out = in.bad ? NULL : set;
    if (in.bad)
        talloc_free(set);
    return in.bad ? ecRpcFormat : ecNone;
}
