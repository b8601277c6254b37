/* SPDX-License-Identifier: Apache-2.0 */
/* bench/mail.h: realistic messages, each of about 2.4 KB in 35 properties and one recipient: names, subjects and text
 * are those of the plain text mails in demo/inbox.mbox, over and over with other dates and numbers. */
#pragma once
#include "store/store.h"

struct mail {
    const char *subject, *from_name, *from_address, *headers, *body;
};
struct mails {
    uint32_t count;
    const struct mail *mails;
};
const struct mails *mails_read(TALLOC_CTX *owner, const char *path);

/* The n-th message: a minute younger than the one before. */
struct props mail_props(TALLOC_CTX *arena, const struct mails *, uint32_t n);
const struct store_recipient *mail_recipient(TALLOC_CTX *arena);
/* Without the dot that ends it in a transfer; no line begins with one. */
struct blob mail_rfc5322(TALLOC_CTX *arena, const struct mails *, uint32_t n);
/* Opened and filled, not saved yet; freed with the arena. */
struct store_message *mail_message(TALLOC_CTX *arena, struct store *, uint64_t fid, const struct mails *, uint32_t n);
