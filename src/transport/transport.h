/* SPDX-License-Identifier: Apache-2.0 */
/* transport/transport.h: how mail comes in and goes out: LMTP from the mail server, the submissions of MAPI clients, the
 * queue between the two, and the reports about what could not be delivered.
 * Owns the LMTP listener and DIR/queue.db.  Knows no session and no ROP. */
#pragma once
#include "directory/directory.h"
#include "store/store.h"

struct transport;

struct transport_config {
    struct org *org;
    struct directory *directory;
    struct store_pool *stores;
    const char *lmtp;                    /* ADDR:PORT, port 0: a free one; NULL: not offered */
    size_t message_max;                  /* bytes of a mail; 0: 50 MB */
};
/* Opens the queue, finishes what an earlier run left in it, and listens.  On failure *why says what to do. */
enum ec transport_open(struct transport **out, TALLOC_CTX *owner, const struct transport_config *, char **why);
unsigned transport_lmtp_port(const struct transport *);        /* 0: not offered */
/* Stops accepting, finishes what is being delivered. */
void transport_close(struct transport *);

/* One mail into one mailbox.  ecNone: it is on the disk, and its sessions have heard of it.  ecMsgCycle: it has been
 * through too many servers. */
enum ec transport_deliver(struct transport *, const struct account *to, struct blob rfc5322);

/* [MS-OXOMSG] 3.2.5.1: the saved message of `sender`, whose store is locked on entry and on return and is unlocked in
 * between.  ecNone: accepted, and on the disk; each recipient has it, or the sender a report that says why not.
 * ecSendAsDenied: somebody else stands as its sender. */
enum ec transport_submit(struct transport *, const struct account *sender, struct store_message *, unsigned flags);

/* The mails of a file in mboxrd form, each with its own date.  `progress` (may be NULL) is told how many are there. */
enum ec transport_import_mbox(struct transport *, const struct account *to, const char *path,
                              void (*progress)(void *arg, uint32_t done), void *arg, uint32_t *count);
