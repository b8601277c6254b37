/* SPDX-License-Identifier: Apache-2.0 */
/* nspi/person.h: the properties of somebody in the address book.  [MS-OXNSPI] 3.1.4.2, [MS-OXOABK] 2.2 */
#pragma once
#include "nspi/nspi.h"

enum { NSPI_EPHEMERAL_IDS = 2 }; /* [MS-OXNSPI] 2.2.1.11: fEphID.  fSkipObjects: there are none to skip */

/* The value for `tag`, in its type; a PtypErrorCode where there is none. */
struct prop person_value(const struct nspi_call *, const struct account *, uint32_t tag, uint32_t flags);
/* A row over the tags; NULL: nobody, every value is ecNotFound. */
struct props person_row(const struct nspi_call *, const struct account *, const uint32_t *tags, uint32_t count,
                        uint32_t flags);
/* Every tag that this person has a value for, text in 8 bits; NULL: that anybody may have.  [MS-OXNSPI] 3.1.4.1.6 */
const uint32_t *person_tags(const struct nspi_call *, const struct account *, uint32_t *count);
bool person_knows(uint32_t tag);

/* A restriction with the address book's own meaning of PidTagAnr.  [MS-OXNSPI] 3.1.4.1.10.  NULL: too complex. */
struct person_filter;
struct person_filter *person_filter(TALLOC_CTX *arena, const struct restriction *);
bool person_matches(const struct nspi_call *, const struct account *, const struct person_filter *);
