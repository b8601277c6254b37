/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/entry_id.h"

#include <ctype.h>

#include "wire/guids.h"

enum { ONE_OFF_UNICODE = 0x8000 };

static struct blob encode(TALLOC_CTX *owner, const struct wire_struct *description, const void *self)
{
    struct buf bytes;
    buf_init(&bytes, owner);
    struct wire_out out = wire_out(&bytes);
    wire_put(&out, description, self);
    return buf_blob(&bytes);
}

struct blob address_book_entry_id(TALLOC_CTX *owner, const char *legacy_dn, enum display_type type)
{
    return encode(owner, &AddressBookEntryId_wire,
                  &(struct AddressBookEntryId){ .ProviderUID = MUIDEMSAB, .Version = 1, .Type = type, .X500DN = legacy_dn });
}

struct blob one_off_entry_id(TALLOC_CTX *owner, const char *display_name, const char *address_type, const char *address)
{
    return encode(owner, &OneOffEntryId_wire,
                  &(struct OneOffEntryId){ .ProviderUID = MUIDOOP, .OneOffFlags = ONE_OFF_UNICODE,
                                           .DisplayName = display_name, .AddressType = address_type,
                                           .EmailAddress = address });
}

struct blob address_search_key(TALLOC_CTX *owner, const char *address_type, const char *address)
{
    char *key = talloc_asprintf(owner, "%s:%s", address_type, address);
    for (char *c = key; *c; c++)
        *c = (char)toupper((unsigned char)*c);
    return BLOB_OF(key, strlen(key) + 1);
}

static bool decode(TALLOC_CTX *arena, struct blob bytes, const struct wire_struct *description, void *self)
{
    struct wire_in in = wire_in(arena, bytes);
    return wire_get(&in, description, self);
}

bool entry_id_person(TALLOC_CTX *arena, struct blob id, struct entry_id_person *out)
{
    struct AddressBookEntryId book;
    struct OneOffEntryId one_off;
    if (decode(arena, id, &AddressBookEntryId_wire, &book) && guid_equal(book.ProviderUID, MUIDEMSAB)) {
        *out = (struct entry_id_person){ "EX", book.X500DN, NULL };
        return true;
    }
    if (decode(arena, id, &OneOffEntryId_wire, &one_off) && guid_equal(one_off.ProviderUID, MUIDOOP)) {
        *out = (struct entry_id_person){ one_off.AddressType, one_off.EmailAddress, one_off.DisplayName };
        return true;
    }
    return false;
}
