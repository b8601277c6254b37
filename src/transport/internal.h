/* SPDX-License-Identifier: Apache-2.0 */
/* transport/internal.h: what the files of this room share.
 *
 *   lmtp.c ──> deliver.c <── submit.c <── queue.c (what a crash has left)
 *                  ^             │
 *                  └── report.c <┘       nobody could be found: the sender is told */
#pragma once
#include "mime/mime.h"
#include "transport/transport.h"

struct queue;
struct lmtp;

struct transport {
    struct transport_config config;
    struct queue *queue;
    struct lmtp *lmtp;
};

/* ---- deliver.c ---- */
/* Into one mailbox, whose store this locks, delivered at `time` (0: now).  The letter is shared, not altered. */
enum ec deliver_letter(struct transport *, const struct account *to, const struct letter *, uint64_t time);
/* Has the mailbox a message with this Message-ID?  For a delivery that may have been done before a crash. */
bool already_delivered(struct transport *, const struct account *to, const char *message_id);
struct mime_context mime_context_of(struct transport *);
struct mime_person person_of_account(const struct account *);
/* Whom a recipient names: an account of ours, or NULL.  *address for those who are told about it. */
const struct account *account_of_recipient(struct transport *, TALLOC_CTX *arena, const struct letter_recipient *,
                                           const char **address);

/* ---- submit.c ---- */
struct failure {
    const struct letter_recipient *recipient;
    const char *address;
    enum ec reason;                              /* ecNotFound: there is no such mailbox in the organisation */
};
/* Gives the letter to everybody that it names; reports go to the sender.  `again`: this may have been begun before. */
void distribute(struct transport *, const struct account *sender, const struct letter *, bool again);

/* ---- report.c: [MS-OXOMSG] 2.2.2, [MS-OXCMAIL] 2.1.3.6 ---- */
enum ec report_failures(struct transport *, const struct account *sender, const struct letter *, const struct failure *,
                        uint32_t count);

/* ---- queue.c: submissions that were accepted and are not distributed yet, in DIR/queue.db ---- */
enum ec queue_open(struct queue **out, TALLOC_CTX *owner, const char *data_dir, char **why);
enum ec queue_add(struct queue *, struct guid sender, const struct letter *, int64_t *id);
void queue_done(struct queue *, int64_t id);
/* The oldest after `after`; its letter lives in `arena`.  false: none. */
bool queue_next(TALLOC_CTX *arena, struct queue *, int64_t after, int64_t *id, struct guid *sender, struct letter **letter);
