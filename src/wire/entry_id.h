/* SPDX-License-Identifier: Apache-2.0 */
/* wire/entry_id.h: the identifiers of people, made and read.  [MS-OXCDATA] 2.2.5, [MS-OXOABK] 2.2.3.
 * Those of folders and messages belong to their store. */
#pragma once
#include "wire/structs.h"

enum display_type { DT_MAILUSER = 0, DT_DISTLIST = 1, DT_FORUM = 2, DT_AGENT = 3, DT_REMOTE_MAILUSER = 6, DT_CONTAINER = 0x100 };

/* Permanent EntryID of somebody in the address book, by legacy DN. */
struct blob address_book_entry_id(TALLOC_CTX *, const char *legacy_dn, enum display_type);
/* EntryID of somebody who is in no address book. */
struct blob one_off_entry_id(TALLOC_CTX *, const char *display_name, const char *address_type, const char *address);
/* PidTagSearchKey: "EX:/O=...", "SMTP:ALICE@CONTOSO.COM", upper case with its zero. */
struct blob address_search_key(TALLOC_CTX *, const char *address_type, const char *address);

/* Whom an EntryID names; strings live in `arena`.  false: neither of the two kinds. */
struct entry_id_person {
    const char *address_type;             /* "EX" for the address book */
    const char *address;                  /* legacy DN, or the one-off's address */
    const char *display_name;             /* NULL for the address book */
};
bool entry_id_person(TALLOC_CTX *arena, struct blob entry_id, struct entry_id_person *out);
