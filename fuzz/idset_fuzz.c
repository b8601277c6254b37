/* SPDX-License-Identifier: Apache-2.0 */
/* Noise for IDSETs in both forms.  What can be read is written shorter or as long, and reads as the same set again;
 * memory stays within the promised bound. */
#include <stdlib.h>

#include "wire/idset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(TALLOC_CTX *arena, enum idset_form form, struct blob bytes)
{
    struct idset *set, *back;
    if (idset_of_bytes(&set, arena, form, bytes))
        return;
    if (idset_of_bytes(&back, arena, form, idset_bytes(arena, set)) || !idset_equal(set, back))
        abort();
    idset_union(back, set);
    if (!idset_equal(set, back))
        abort();
    idset_subtract(back, set);
    if (idset_size(back))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    check(arena, IDSET_REPLID, BLOB_OF(data, size));
    check(arena, IDSET_REPLGUID, BLOB_OF(data, size));
    if (talloc_total_size(arena) > 4096 + 512 * size)
        abort();
    talloc_free(arena);
    return 0;
}
