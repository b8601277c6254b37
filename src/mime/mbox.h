/* SPDX-License-Identifier: Apache-2.0 */
/* mime/mbox.h: the messages of an mbox file, one after the other.  Of the four kinds of mbox it reads the two without
 * Content-Length: mboxo, and mboxrd, whose ">From " loses one ">". */
#pragma once
#include "base/base.h"

struct mbox;
struct mbox *mbox_new(TALLOC_CTX *owner, FILE *);        /* the file stays the caller's */
/* The next message, lines ending with CR LF.  false: there is none left, or reading failed (ferror). */
bool mbox_next(TALLOC_CTX *arena, struct mbox *, struct blob *message);
uint64_t mbox_position(const struct mbox *);             /* bytes read so far */
