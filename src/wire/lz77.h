/* SPDX-License-Identifier: Apache-2.0 */
/* wire/lz77.h: the LZ77 and DIRECT2 coding of extended buffers.  [MS-OXCRPC] 3.1.4.1.1.2, [MS-XCA] 2.3 and 2.4 */
#pragma once
#include "base/base.h"

/* Appends the compressed form of `in`, at most `in.size` bytes of it.  false: it would not become smaller, *out is as before. */
bool lz77_compress(struct buf *out, struct blob in);
/* Fills exactly `size` bytes of `out`.  false: the input is not a valid coding of so many bytes. */
bool lz77_expand(struct blob in, uint8_t *out, size_t size);
