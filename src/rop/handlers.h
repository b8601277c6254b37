/* SPDX-License-Identifier: Apache-2.0 */
/* rop/handlers.h: the prototype of every handler, read from rop.def.  The dispatcher has parsed the request, resolved
 * the handles, compared the object with the row and locked its store.  A handler fills in *response (zeroed) and
 * returns the ReturnValue; strings and arrays of the response live in call->arena. */
#pragma once
#include "rop/rop.h"

#define ROP(name, objects)                                                                                             \
    enum ec rop_##name(struct rop_call *, const struct Rop##name##Request *, struct Rop##name##Response *);
#define ROP2(name, objects, destination) ROP(name, objects)
#include "rop/rop.def"
#undef ROP
#undef ROP2

/* oxcperm.c: ecAccessDenied: a delegate who has lost the right without which the object is of no use to him; and that
 * right, where the handler that opens one says nothing else. */
enum ec rop_may_use(const struct object *);
uint32_t rop_right_of(enum object_type);

/* [MS-OXCPRPT] 3.2.5.12: how many bytes a client asks for, and how many fit into such a response. */
uint32_t rop_read_count(const struct RopReadStreamRequest *);
size_t rop_read_most(size_t room);
/* The largest values of a row become ecNotEnoughMemory, until it fits into `room`. */
void rop_shrink_to_fit(TALLOC_CTX *arena, struct prop *values, uint32_t count, size_t room);
