/* SPDX-License-Identifier: Apache-2.0 */
/* wire/fasttransfer_read.h: the other half of fasttransfer.h: elements out of a FastTransfer stream that comes in pieces,
 * cut anywhere.  [MS-OXCFXICS] 2.2.4.1.  Knows no grammar; memory is bounded by FX_ELEMENT_MAX. */
#pragma once
#include "wire/fasttransfer.h"

#define FX_LONG_FROM 0x4000u     /* a longer value comes in pieces */
#define FX_ELEMENT_MAX 0x200000u /* bytes of any other element, multiple values above all */
#define FX_NAME_MAX 254u         /* bytes of a named property's name, [MS-OXCDATA] 2.6.1 */

/* Who takes the elements.  An error ends the reading.  What is handed over lasts until the function returns.
 * `name` is that of a named property, else NULL. */
struct fx_taker {
    enum ec (*marker)(void *arg, uint32_t marker);
    enum ec (*prop)(void *arg, const struct prop *, const struct PropertyName *name);
    /* A PtypBinary, a PtypObject or one text: then its bytes as they stand in the stream, in the tag's type, text without
     * its terminator; then an empty piece.  `size`: at most so many. */
    enum ec (*long_begin)(void *arg, uint32_t tag, const struct PropertyName *name, uint32_t size);
    enum ec (*long_piece)(void *arg, struct blob piece);
};
struct fx_in;
struct fx_in *fx_in_new(TALLOC_CTX *owner, const struct fx_taker *, void *arg, unsigned codepage);
/* The next bytes.  ecRpcFormat: they are no stream; ecTooBig: an element is longer than allowed; or what the taker said.
 * Errors stick. */
enum ec fx_read(struct fx_in *, struct blob piece);
/* Does the stream end here between two elements? */
bool fx_is_between(const struct fx_in *);
