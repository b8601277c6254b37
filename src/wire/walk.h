/* SPDX-License-Identifier: Apache-2.0 */
/* wire/walk.h: what the walks of wire.c, dump.c and the tests do alike with a description; nobody else needs it. */
#pragma once
#include "wire/wire.h"

/* The member that a field describes. */
#define FIELD(T, self, f) (*(T const *)(const void *)((const uint8_t *)(self) + (f)->offset))
#define FIELD_TO(T, self, f) (*(T *)(void *)((uint8_t *)(self) + (f)->offset))

bool wire_condition_holds(const struct wire_field *, const void *self);
/* The field at which a walk goes on after a condition that does not hold. */
const struct wire_field *wire_skip_block(const struct wire_field *);
