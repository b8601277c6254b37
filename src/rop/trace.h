/* SPDX-License-Identifier: Apache-2.0 */
/* rop/trace.h: what is told to those who read along with a mailbox. */
#pragma once
#include "rop/rop.h"

/* One ROP with its answer; `store` is where its named properties have their names, or NULL.  No store may be locked. */
void rop_trace(const struct rop_services *, struct session *, struct store *, struct trace_rop);
/* What was answered unasked. */
void rop_trace_unasked(const struct rop_services *, struct session *, const struct wire_struct *, const void *self);
