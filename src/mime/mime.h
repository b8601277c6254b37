/* SPDX-License-Identifier: Apache-2.0 */
/* mime/mime.h: mail between RFC 5322 and MAPI, both ways.  [MS-OXCMAIL], [MS-OXOSMIME]
 * Owns nothing between two calls.  Never delivers, never opens a mailbox, and asks the directory only through the
 * callback that it was given.
 *
 *     RFC 5322  -- mime_read -->   letter  -- letter_save -->  message in a mailbox
 *     RFC 5322  <- mime_write --   letter  <- letter_load --   message in a mailbox
 *
 * Any thread.  No input is refused: what cannot be taken apart is kept whole, at worst all of it is the body. */
#pragma once
#include "mime/letter.h"

/* Somebody with an address, of this organisation or of another. */
struct mime_person {
    const char *display_name;
    const char *address_type;                    /* "EX": address is a legacy DN; or "SMTP" */
    const char *address;
    const char *smtp;
};

struct mime_context {
    /* Who of the organisation has this address; false: nobody.  NULL: everybody is foreign. */
    bool (*resolve)(void *arg, TALLOC_CTX *arena, const char *smtp, struct mime_person *out);
    void *arg;
    bool resolve_senders;                        /* only where it is known who sent it: a From is easily written */
    uint64_t received;                           /* FILETIME, for messages without a date; 0: now */
};

enum ec mime_read(TALLOC_CTX *arena, struct blob rfc5322, const struct mime_context *, struct letter **out);
enum ec mime_write(TALLOC_CTX *arena, const struct letter *, struct blob *rfc5322);
/* The same with a message in a mailbox, whose lock is held. */
enum ec mime_to_message(TALLOC_CTX *arena, struct blob rfc5322, const struct mime_context *,
                        struct store_message *into);
enum ec mime_of_message(TALLOC_CTX *arena, struct store_message *, struct blob *rfc5322);

/* Received lines in the header block: who counts them sees a loop. */
unsigned mime_hops(struct blob rfc5322);
/* The Date header, or 0. */
uint64_t mime_date(struct blob rfc5322);

/* The five or six properties that name one person: name, EntryID, search key, address type, address, SMTP address. */
enum mime_role { ROLE_SENDER, ROLE_SENT_REPRESENTING, ROLE_RECEIVED_BY, ROLE_RECEIVED_REPRESENTING, ROLE_READ_RECEIPT };
void mime_set_person(struct letter_props *, enum mime_role, const struct mime_person *);
/* Who is named there; strings are the letter's.  false: nobody. */
bool mime_person_of(const struct letter_props *, enum mime_role, struct mime_person *out);
void mime_set_recipient(struct letter_recipient *, const struct mime_person *);
struct letter_recipient *mime_add_recipient(struct letter *, uint8_t type, const struct mime_person *);
bool mime_recipient_person(const struct letter_props *, struct mime_person *out);

/* PidTagConversationIndex of a new conversation: [MS-OXOMSG] 2.2.1.3. */
struct blob mime_conversation_index(TALLOC_CTX *owner, uint64_t filetime, struct guid);
/* Letters of a subject's prefix with what follows them ("RE: "), 0 where there is none. */
size_t mime_subject_prefix(const char *subject);
/* Sets PidTagSubject and the two parts of it, and the topic where there is none. */
void mime_set_subject(struct letter_props *, const char *subject);
