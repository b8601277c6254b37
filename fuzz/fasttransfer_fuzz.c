/* SPDX-License-Identifier: Apache-2.0 */
/* Noise as a FastTransfer stream: whole, and byte by byte.  Both give the same elements and the same end; memory stays
 * within the promised bound. */
#include <stdlib.h>

#include "wire/fasttransfer_read.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A sum over everything that was taken, which does not see where a long value was cut. */
static enum ec take_bytes(void *arg, const void *bytes, size_t size)
{
    uint64_t *sum = arg;
    for (size_t i = 0; i < size; i++)
        *sum = (*sum ^ ((const uint8_t *)bytes)[i]) * UINT64_C(0x100000001B3);
    return ecNone;
}

static enum ec take_marker(void *arg, uint32_t marker)
{
    return take_bytes(arg, &marker, sizeof marker);
}

static enum ec take_prop(void *arg, const struct prop *p, const struct PropertyName *name)
{
    if (name)
        take_bytes(arg, name->Name.data, name->NameSize);
    if (PROP_TYPE(p->tag) == PtypString)
        take_bytes(arg, p->str, strlen(p->str));
    if (PROP_TYPE(p->tag) == PtypBinary)
        take_bytes(arg, p->bin.data, p->bin.size);
    return take_bytes(arg, &p->tag, sizeof p->tag);
}

static enum ec take_long(void *arg, uint32_t tag, const struct PropertyName *name, uint32_t size)
{
    (void)name;
    take_bytes(arg, &size, sizeof size);
    return take_bytes(arg, &tag, sizeof tag);
}

static enum ec take_piece(void *arg, struct blob piece)
{
    return take_bytes(arg, piece.data, piece.size);
}

static const struct fx_taker taker = { take_marker, take_prop, take_long, take_piece };

static enum ec read_in(struct blob all, size_t step, uint64_t *sum)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct fx_in *in = fx_in_new(arena, &taker, sum, 1252);
    enum ec ec = ecNone;
    for (size_t at = 0; !ec && at < all.size; at += step)
        ec = fx_read(in, BLOB_OF(all.data + at, MIN(step, all.size - at)));
    if (talloc_total_size(arena) > 2 * FX_ELEMENT_MAX + 4096)
        abort();
    talloc_free(arena);
    return ec;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct blob all = BLOB_OF(data, size);
    uint64_t whole = 0, single = 0;
    if (read_in(all, size + 1, &whole) != read_in(all, 1, &single) || whole != single)
        abort();
    return 0;
}
