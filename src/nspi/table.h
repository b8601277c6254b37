/* SPDX-License-Identifier: Apache-2.0 */
/* nspi/table.h: the address list as a table, and the client's place in it, which STAT says.  [MS-OXNSPI] 3.1.4.5 */
#pragma once
#include "nspi/nspi.h"

enum { CP_WINUNICODE = 1200 };
enum { MID_BEGINNING = 0, MID_CURRENT = 1, MID_END = 2 };                 /* CurrentRec */
enum { SORT_DISPLAY_NAME = 0, SORT_PHONETIC = 3, SORT_WRITABLE = 0x3E9 }; /* SortType */
#define GLOBAL_ADDRESS_LIST 0u                                            /* ContainerID */

/* ecInvalidParam: no state; ecNotSupported: a code page without 8-bit text; ecInvalidBookmark: no such container. */
enum ec check_state(bool has_state, const struct STAT *);
enum ec check_container(const struct STAT *);
const struct account_list *address_list(const struct nspi_call *);
/* The row that STAT stands at, from 0 to `count`; whoever is not in the table stands at the beginning. */
size_t position_of(const struct nspi_call *, const struct STAT *, const struct account_list *);
struct STAT state_at(struct STAT, const struct account_list *, size_t position);
