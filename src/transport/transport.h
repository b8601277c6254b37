/* SPDX-License-Identifier: Apache-2.0 */
/* transport/transport.h: mail on its way: in by LMTP, and from mailbox to mailbox when a client submits it.
 * Owns DIR/queue.db, the LMTP listener and its threads.  Never speaks MAPI to a client, and holds the lock of one
 * mailbox at a time.
 *
 *     LMTP    ->  one parse  ->  each recipient's mailbox                  250 when it is on the disk there
 *     submit  ->  queue      ->  Sent Items  ->  each recipient's mailbox  ->  queue: done
 *                                            \>  one report of what could not be delivered
 * What a crash leaves in the queue is finished when the transport is opened again.  A delivered copy carries the
 * submission's id (PidTagMessageSubmissionId), committed with it: who finds it there does not deliver again. */
#pragma once
#include "directory/directory.h"
#include "store/store.h"

struct transport;

struct transport_config {
    struct org *org;
    struct directory *directory;
    struct store_pool *stores;
    const char *lmtp;                            /* ADDR:PORT, port 0 for any; NULL: no listener */
    size_t message_max;                          /* bytes of a message; 0: 50 MB, never more than 100 MB */
    unsigned connections_max;                    /* of LMTP; 0: 64 */
    unsigned idle_ms;                            /* a client that says nothing is left; 0: five minutes */
};

/* On failure *why (in `owner`) says what is wrong.  Finishes what the queue holds before it listens. */
enum ec transport_open(struct transport **out, TALLOC_CTX *owner, const struct transport_config *, char **why);
unsigned transport_lmtp_port(const struct transport *);           /* 0: no listener */
/* Takes no new mail; what is being delivered is finished. */
void transport_close(struct transport *);

/* RopSubmitMessage, [MS-OXOMSG] 3.2.5.1.  The message's store is locked before and after, and unlocked while other
 * mailboxes are written.  ecNone: accepted, and on the disk; the sender hears of every recipient that could not be
 * reached.  Nothing has happened: ecSendAsDenied, ecNoRecipients, ecInvalidRecips, ecTooManyRecips,
 * ecMaxSubmissionExceeded, or what the disk says. */
enum ec transport_submit(struct transport *, const struct account *sender, struct store_message *, unsigned flags);
/* RopAbortSubmit, [MS-OXOMSG] 3.2.5.2: takes back what waits for its time; the store is locked.  ecNotInQueue;
 * ecUnableToAbort: it is on its way. */
enum ec transport_abort(struct transport *, struct store *, uint64_t fid, uint64_t mid);
/* Finishes what is left in the queue, as at opening; what is under way is left alone. */
enum ec transport_recover(struct transport *);

/* One message from outside into the mailboxes of `to`; results[i] says how each went. */
void transport_deliver(struct transport *, struct blob rfc5322, const char *envelope_sender,
                       const struct account *const *to, size_t count, enum ec *results);

/* All messages of an mbox into one mailbox, each with the time that its Date says. */
typedef void transport_progress(void *arg, uint32_t done);
enum ec transport_import_mbox(struct transport *, const struct account *, const char *path, transport_progress *,
                              void *arg, uint32_t *count);
