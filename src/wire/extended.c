/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/extended.h"

#include "wire/lz77.h"

#define OBFUSCATION 0xA5                 /* [MS-OXCRPC] 3.1.4.1.1.3 */

/* What one header announces, without obfuscation and compression. */
static bool get_payload(TALLOC_CTX *arena, const struct RPC_HEADER_EXT *h, struct blob data, struct blob *out)
{
    if (h->Flags & EXTENDED_XOR) {
        uint8_t *plain = talloc_size(arena, data.size + 1);
        for (size_t i = 0; i < data.size; i++)
            plain[i] = data.data[i] ^ OBFUSCATION;
        data.data = plain;
    }
    if (h->Flags & EXTENDED_COMPRESSED) {
        uint8_t *plain = talloc_size(arena, (size_t)h->SizeActual + 1);
        if (!lz77_expand(data, plain, h->SizeActual))
            return false;
        data = BLOB_OF(plain, h->SizeActual);
    } else if (h->Size != h->SizeActual) {
        return false;
    }
    *out = data;
    return true;
}

bool extended_get(TALLOC_CTX *arena, struct blob b, struct blob **payloads, uint32_t *count)
{
    struct wire_in in = wire_in(arena, b);
    struct RPC_HEADER_EXT h = { 0 };
    *payloads = talloc_array(arena, struct blob, EXTENDED_BUFFERS_MAX);
    for (*count = 0; !(h.Flags & EXTENDED_LAST); ++*count) {
        if (*count == EXTENDED_BUFFERS_MAX || !wire_get(&in, &RPC_HEADER_EXT_wire, &h) || h.Version != 0 ||
            h.SizeActual > EXTENDED_PAYLOAD_MAX)
            return false;
        const struct blob data = wire_get_bytes(&in, h.Size);
        if (in.bad || !get_payload(arena, &h, data, &(*payloads)[*count]))
            return false;
    }
    return wire_left(&in) == 0;
}

void extended_put(struct buf *out, struct blob payload, unsigned flags)
{
    const size_t header_at = out->size;
    struct RPC_HEADER_EXT h = { .Flags = (uint16_t)flags, .SizeActual = (uint16_t)payload.size };
    buf_grow(out, EXTENDED_HEADER);
    if (!(flags & EXTENDED_COMPRESSED) || !lz77_compress(out, payload)) {
        h.Flags &= (uint16_t)~EXTENDED_COMPRESSED;
        buf_add(out, payload.data, payload.size);
    }
    uint8_t *data = out->data + header_at + EXTENDED_HEADER;
    h.Size = (uint16_t)(out->size - header_at - EXTENDED_HEADER);
    for (size_t i = 0; flags & EXTENDED_XOR && i < h.Size; i++)
        data[i] ^= OBFUSCATION;
    put_le16(out->data + header_at, h.Version);
    put_le16(out->data + header_at + 2, h.Flags);
    put_le16(out->data + header_at + 4, h.Size);
    put_le16(out->data + header_at + 6, h.SizeActual);
}
