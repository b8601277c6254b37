/* SPDX-License-Identifier: Apache-2.0 */
/* wire/extended.h: extended buffers, the RPC_HEADER_EXT framing around ROP buffers and auxiliary buffers.
 * [MS-OXCRPC] 2.2.2.1, 3.1.4.1.1.1 */
#pragma once
#include "wire/structs.h"

enum { EXTENDED_COMPRESSED = 1, EXTENDED_XOR = 2, EXTENDED_LAST = 4 };
#define EXTENDED_HEADER 8u
#define EXTENDED_PAYLOAD_MAX 32768u      /* after expanding; 3.1.4.2.1 */
#define EXTENDED_BUFFERS_MAX 96u         /* chained */

/* The payloads in order, plain.  They live in `arena` or point into `in`.  false: malformed. */
bool extended_get(TALLOC_CTX *arena, struct blob in, struct blob **payloads, uint32_t *count);
/* One buffer.  `flags`: EXTENDED_COMPRESSED compresses where that makes it smaller, EXTENDED_XOR obfuscates. */
void extended_put(struct buf *out, struct blob payload, unsigned flags);
