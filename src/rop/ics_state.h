/* SPDX-License-Identifier: Apache-2.0 */
/* rop/ics_state.h: what a client says it has, and what it will have: the ICS state of [MS-OXCFXICS] 2.2.1.1.  Downloads
 * and collectors have one each (object->state); it lives no longer than they do (3.2.5.2). */
#pragma once
#include "rop/rop.h"
#include "wire/fasttransfer.h"
#include "wire/idset.h"

struct ics_state {
    bool contents;                                /* else of a hierarchy, which has only `given` and `seen` */
    bool collects;                                /* a collector's: `given` is the client's own affair (3.2.5.2.1) */
    struct idset *given, *seen, *seen_fai, *read; /* IDSET_REPLGUID, never NULL */
    uint32_t uploading;                           /* the property that comes in pieces; 0: none */
    struct buf stream;                            /* what has come of it */
    struct charge *held;                          /* for that, and for the sets */
};
struct ics_state *ics_state_new(TALLOC_CTX *owner, bool contents);
struct ics_state *ics_state_copy(TALLOC_CTX *owner, const struct ics_state *);
/* An imported message was saved: 3.2.5.9.4.2. */
void ics_collect_message(struct rop_call *, const struct object *message);
/* The state element, 2.2.4.3.25. */
void ics_state_put(struct fx_out *, const struct ics_state *);
