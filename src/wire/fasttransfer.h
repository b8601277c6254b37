/* SPDX-License-Identifier: Apache-2.0 */
/* wire/fasttransfer.h: the lexical layer of a FastTransfer stream, [MS-OXCFXICS] 2.2.4.1: markers and property values
 * in a row, cut into buffers only between two atoms or inside a value of variable size.  Knows no grammar.
 *
 *   element = marker | propDef value
 *   propDef = type (2) id (2) [named: GUID (16), 00 LID (4) | 01 name in UTF-16 with its zero]
 *   value   = fixed | length (4) bytes | count (4) elements                                            */
#pragma once
#include "wire/structs.h"

enum fx_marker {
#define MARKER(name, value) FX_##name = value,
#include "wire/fasttransfer.def"
#undef MARKER
};
const char *fx_marker_name(uint32_t tag); /* "StartMessage"; NULL: no marker, but a property */

/* SendOptions, [MS-OXCFXICS] 2.2.3.1.1.1.1 */
enum {
    FX_UNICODE = 0x01,
    FX_USE_CPID = 0x02,
    FX_FOR_UPLOAD = 0x03,
    FX_RECOVER_MODE = 0x04,
    FX_FORCE_UNICODE = 0x08,
    FX_PARTIAL_ITEM = 0x10,
    FX_SEND_OPTIONS_RESERVED = 0x60,
};

/* What has been produced and not yet been taken.  Producers put elements, RopFastTransferSourceGetBuffer takes bytes. */
struct fx_cut {
    uint32_t end; /* of the atom, from the start of `bytes` */
    uint8_t step; /* inside of it, the stream may be cut every so many bytes; 0: nowhere */
};
struct fx_out {
    struct buf bytes;
    size_t taken; /* of them */
    struct fx_cut *cuts;
    uint32_t first, count, room; /* cuts[first..count) end after `taken` */
    uint8_t options;
    unsigned codepage; /* of PtypString8 */
};
void fx_out_init(struct fx_out *, TALLOC_CTX *owner, uint8_t send_options, unsigned codepage);
/* Can a value of this type go out?  An error is none, and deployed clients give up at a PtypServerId. */
bool fx_has_type(uint16_t type);
void fx_put_marker(struct fx_out *, enum fx_marker);
/* `name` is needed where the id is 0x8000 or more.  Text is written as the SendOptions say. */
void fx_put_prop(struct fx_out *, const struct prop *, const struct PropertyName *name);
/* A value whose bytes follow in pieces, `size` in all: PtypBinary, PtypObject, and text as fx_text_type() has it, with its
 * terminator counted.  */
void fx_put_long(struct fx_out *, uint32_t tag, const struct PropertyName *name, uint32_t size);
void fx_put_piece(struct fx_out *, uint16_t type, struct blob);
uint16_t fx_text_type(const struct fx_out *); /* in which text goes out: PtypString, PtypString8, PtypCodePage | 1200 */
static inline size_t fx_left(const struct fx_out *out)
{
    return out->bytes.size - out->taken;
}
/* At most so many bytes, fewer where the stream must not be cut there; none: the next atom is longer.  Good until the
 * next call that takes or puts. */
struct blob fx_take(struct fx_out *, size_t most);
