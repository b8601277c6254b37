/* SPDX-License-Identifier: Apache-2.0 */
/* What one client's open objects hold in memory together.  Counted where values enter and given back by the memory
 * itself when it is freed, so that nobody has to walk what a client has. */
#include <stdatomic.h>
#include <stdlib.h>

#include "store/internal.h"

struct store_budget {
    atomic_size_t used;
    size_t limit;
    atomic_uint holders; /* its owner, and every charge */
};
struct charge {
    struct store_budget *budget;
    size_t size;
};

struct store_budget *store_budget_new(size_t limit)
{
    struct store_budget *b = calloc(1, sizeof *b);
    if (!b)
        abort();
    b->limit = limit;
    b->holders = 1;
    return b;
}

void store_budget_put(struct store_budget *b)
{
    if (atomic_fetch_sub(&b->holders, 1) == 1)
        free(b);
}

void store_charge_to(struct store *st, struct store_budget *b)
{
    st->budget = b;
}

bool budget_has(const struct store_budget *b, size_t more)
{
    const size_t used = b ? atomic_load(&b->used) : 0;
    return !b || (used <= b->limit && more <= b->limit - used);
}

void charge_set(struct charge *c, size_t size)
{
    if (c->budget)
        atomic_fetch_add(&c->budget->used, size - c->size); /* may wrap, which takes away */
    c->size = size;
}

static int charge_free(struct charge *c)
{
    charge_set(c, 0);
    if (c->budget)
        store_budget_put(c->budget);
    return 0;
}

struct charge *charge_new(TALLOC_CTX *owner, struct store_budget *b, size_t size)
{
    struct charge *c = talloc_zero(owner, struct charge);
    c->budget = b;
    if (b)
        atomic_fetch_add(&b->holders, 1);
    charge_set(c, size);
    talloc_set_destructor(c, charge_free);
    return c;
}

void charge_blob(struct store_budget *b, struct blob copy)
{
    if (copy.data)
        charge_new((void *)copy.data, b, copy.size);
}

bool store_hold(struct charge **held, TALLOC_CTX *owner, struct store_budget *b, size_t size)
{
    const size_t before = *held ? (*held)->size : 0;
    if (size > before && !budget_has(b, size - before))
        return false;
    if (*held)
        charge_set(*held, size);
    else
        *held = charge_new(owner, b, size);
    return true;
}
