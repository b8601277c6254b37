/* SPDX-License-Identifier: Apache-2.0 */
#include "allocations.h"

#include <stdatomic.h>
#include <stddef.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);

static atomic_uint_fast64_t count;

static void one_more(void)
{
    atomic_fetch_add_explicit(&count, 1, memory_order_relaxed);
}

void *malloc(size_t size)
{
    one_more();
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    one_more();
    return __libc_calloc(n, size);
}

void *realloc(void *old, size_t size)
{
    one_more();
    return __libc_realloc(old, size);
}

uint64_t allocations(void)
{
    return atomic_load(&count);
}
