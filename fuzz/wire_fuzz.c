/* SPDX-License-Identifier: Apache-2.0 */
/* Noise for every structure of the tables.  The first bytes choose the structure (or a list of ROP requests), the flavour,
 * the code page and the columns.  What can be read can be shown and written, and what was written once reads and
 * writes the same again. */
#include <stdlib.h>

#include "wire/rops.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct choice {
    TALLOC_CTX *arena;
    const struct wire_struct *s; /* NULL: a list of ROP requests */
    enum wire_flavour flavour;
    unsigned codepage;
    const uint32_t *columns;
    uint32_t column_count;
};

static struct wire_in reader(const struct choice *c, struct blob from)
{
    struct wire_in in = wire_in(c->arena, from);
    in.flavour = c->flavour;
    in.codepage = c->codepage;
    in.columns = c->columns;
    in.column_count = c->column_count;
    return in;
}

static struct wire_out writer(const struct choice *c, struct buf *to)
{
    struct wire_out out = wire_out(to);
    buf_init(to, c->arena);
    out.flavour = c->flavour;
    out.codepage = c->codepage;
    out.columns = c->columns;
    out.column_count = c->column_count;
    return out;
}

static bool copy_requests(struct wire_in *in, struct wire_out *out)
{
    while (wire_left(in)) {
        struct rop_request r;
        if (!rop_get_request(in, &r) || !rop_put_request(out, r.rop, r.logon_id, r.index, r.other, r.body))
            return false;
    }
    return true;
}

/* Reads and writes again.  false: it cannot be read, or a text that grew makes a count of 16 bits too small. */
static bool copy(const struct choice *c, struct blob from, struct buf *to)
{
    struct wire_in in = reader(c, from);
    struct wire_out out = writer(c, to);
    if (!c->s)
        return copy_requests(&in, &out);
    void *self = talloc_zero_size(c->arena, c->s->size + 1);
    if (!wire_get(&in, c->s, self))
        return false;
    struct buf shown;
    buf_init(&shown, c->arena);
    wire_dump(&shown, c->s, self, 0);
    return wire_put(&out, c->s, self);
}

static struct choice choose(TALLOC_CTX *arena, struct wire_in *in)
{
    static const uint16_t codepages[] = { 0, 1252, 932, 65001, 1251, 50220, 65000, 1200, 37 };
    size_t count = 0;
    while (wire_structs[count])
        count++;
    const size_t which = wire_get_uint(in, 2) % (count + 1);
    const size_t how = wire_get_uint(in, 2);
    uint32_t *columns = talloc_zero_array(arena, uint32_t, 4);
    struct choice c = {
        arena,   wire_structs[which],     (enum wire_flavour)(how & 3), codepages[(how >> 2) % COUNTOF(codepages)],
        columns, (uint32_t)(how >> 8 & 3)
    };
    for (uint32_t i = 0; i < c.column_count; i++)
        columns[i] = (uint32_t)wire_get_uint(in, 4);
    return c;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct wire_in in = wire_in(arena, BLOB_OF(data, size));
    struct buf first, second;
    const struct choice c = choose(arena, &in);
    if (!in.bad && copy(&c, BLOB_OF(in.at, wire_left(&in)), &first)) {
        if (!copy(&c, buf_blob(&first), &second) || !blob_equal(buf_blob(&first), buf_blob(&second)))
            abort();
    }
    if (talloc_total_size(arena) + 96 * talloc_total_blocks(arena) > 1024 * size + 65536)
        abort();
    talloc_free(arena);
    return 0;
}
