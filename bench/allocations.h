/* SPDX-License-Identifier: Apache-2.0 */
/* bench/allocations.h: how often this program has asked the C library for memory, whoever asked: our code, talloc,
 * SQLite.  Replaces malloc, calloc and realloc by ones that count; only with glibc, and not under a sanitizer. */
#pragma once
#include <stdint.h>

uint64_t allocations(void);
