/* SPDX-License-Identifier: Apache-2.0 */
/* mime/letter.h: one message in memory, outside of any mailbox: what MIME is turned into and made from, what goes from
 * the sender's mailbox into the recipients' without a loss, and what the queue keeps.  Named properties carry their
 * names, since their ids differ from mailbox to mailbox.  Knows no MIME.
 *
 * Everything in a letter lives in `owner`; values that are set are borrowed, so they live there as well. */
#pragma once
#include "store/store.h"

struct letter_named {
    struct guid set;
    const char *name;                            /* NULL: known by its number */
    uint32_t lid;
    struct prop value;                           /* of its tag only the type counts */
};

struct letter_props {
    TALLOC_CTX *owner;
    struct prop *values;
    uint32_t count;
    struct letter_named *named;
    uint32_t named_count;
};

struct letter_recipient {
    uint8_t type;                                /* [MS-OXCMSG] 2.2.3.1.2 */
    struct letter_props props;                   /* never named ones */
};

struct letter;
struct letter_attachment {
    struct letter_props props;
    struct letter *embedded;                     /* PidTagAttachMethod 5 */
};

struct letter {
    TALLOC_CTX *owner;
    struct letter_props props;
    struct letter_recipient **recipients;
    uint32_t recipient_count;
    struct letter_attachment **attachments;
    uint32_t attachment_count;
};

enum { LETTER_DEPTH = 32 };                      /* letters within letters; what lies deeper is not carried */

struct letter *letter_new(TALLOC_CTX *owner);
struct letter_recipient *letter_recipient_add(struct letter *, uint8_t type);
struct letter_attachment *letter_attachment_add(struct letter *);
/* The same letter once more, to be altered without altering the first; the values are shared. */
struct letter *letter_share(TALLOC_CTX *owner, const struct letter *);

void letter_set(struct letter_props *, struct prop);              /* replaces what has the same id */
void letter_unset(struct letter_props *, uint32_t tag);
void letter_set_named(struct letter_props *, struct guid set, const char *name, uint32_t lid, struct prop value);
const struct prop *letter_find(const struct letter_props *, uint32_t tag);            /* NULL: none of this type */
const struct prop *letter_find_named(const struct letter_props *, struct guid set, const char *name, uint32_t lid);
const char *letter_text(const struct letter_props *, uint32_t tag);                   /* NULL: none, or empty */
uint32_t letter_u32(const struct letter_props *, uint32_t tag, uint32_t fallback);
struct blob letter_bytes(const struct letter_props *, uint32_t tag);
size_t letter_size(const struct letter *);       /* bytes, about */

/* Into and out of a mailbox; its lock is held.  What belongs to the mailbox rather than to the letter (ids, change
 * keys, counters, flags of the folder, instructions to the sender's server) stays behind.
 * letter_save leaves the message to be saved or delivered; a value that the store refuses is left out, and so are
 * named properties whose names the mailbox does not know, beyond *new_names of them: for a mail LETTER_NEW_NAMES at
 * first, however often it is saved.
 * letter_load: ecTooBig, a single value is too long to be in memory. */
#define LETTER_NEW_NAMES 100u
enum ec letter_save(const struct letter *, struct store_message *into, uint32_t *new_names);
enum ec letter_load(TALLOC_CTX *owner, struct store_message *from, struct letter **out);

/* As bytes and back.  ecCorruptData: not such bytes. */
struct blob letter_pack(TALLOC_CTX *arena, const struct letter *);
enum ec letter_unpack(TALLOC_CTX *owner, struct blob, struct letter **out);
