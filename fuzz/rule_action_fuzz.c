/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of a rule, standard or extended: never a crash, memory in proportion, and what is deferred to the client is
 * read again as the same number of actions. */
#include <stdlib.h>

#include "wire/rule_action.h"

enum { DEFERRED_MAX = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void defer(TALLOC_CTX *arena, const struct rule_action *actions, uint32_t count)
{
    const struct rule_action **all = talloc_array(arena, const struct rule_action *, count);
    struct rule_action *again;
    uint32_t again_count;
    for (uint32_t i = 0; i < count; i++)
        all[i] = &actions[i];
    const struct blob packed = rule_actions_deferred(arena, all, count);
    if (!rule_actions(arena, packed, WIRE_ROP, &again, &again_count) || again_count != count)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct rule_action *actions;
    uint32_t count;
    const enum wire_flavour flavour = size && data[0] & 1 ? WIRE_EXT : WIRE_ROP;
    if (size && rule_actions(arena, BLOB_OF(data + 1, size - 1), flavour, &actions, &count) && flavour == WIRE_ROP &&
        count <= DEFERRED_MAX)
        defer(arena, actions, count);
    if (talloc_total_size(arena) + 96 * talloc_total_blocks(arena) > 1024 * size + 65536)
        abort();
    talloc_free(arena);
    return 0;
}
