/* SPDX-License-Identifier: Apache-2.0 */
/* store/spool.h: bytes of any number that are not stored yet: in memory while they are few, then in blocks of one file
 * without a name, which the kernel removes with the process.  What was not written reads as zeros and takes no place. */
#pragma once
#include "base/base.h"

struct spool;
struct spool *spool_new(TALLOC_CTX *owner);
/* Another holder of the same spool: it goes with the last of them.  Whoever writes asks spool_own first. */
struct spool *spool_share(TALLOC_CTX *owner, struct spool *);
/* Nobody else holds *spool any more, or *spool becomes a copy. */
enum ec spool_own(TALLOC_CTX *owner, struct spool **spool);
uint64_t spool_size(const struct spool *);
enum ec spool_read(const struct spool *, uint64_t offset, void *to, size_t count, size_t *got);
enum ec spool_write(struct spool *, uint64_t offset, struct blob);             /* beyond the end: zeros between */
enum ec spool_resize(struct spool *, uint64_t size);
enum ec spool_all(TALLOC_CTX *arena, const struct spool *, struct blob *out);  /* with a zero byte behind it */
