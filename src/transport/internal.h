/* SPDX-License-Identifier: Apache-2.0 */
/* transport/internal.h: what this room's files share. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "mime/mime.h"
#include "transport/transport.h"

/* [MS-OXCMSG] 2.2.1.6 */
enum { mfSubmitted = 0x04, mfUnsent = 0x08, mfFromMe = 0x20, mfResend = 0x80, mfInternet = 0x2000 };
enum {
    HOPS_MAX = 30,                               /* Received lines; more is a loop */
    SUBMIT_RECIPIENTS_MAX = 5000,
    MEGABYTE = 1024 * 1024,
};

struct lmtp;
struct queue;

struct transport {
    struct transport_config config;
    char *hostname;                              /* mail.contoso.com */
    struct queue *queue;
    struct lmtp *lmtp;
    struct retry *retry;
    atomic_bool left_over;                       /* something is in the queue that nobody works on */
};

/* ---- deliver.c ---- */

struct delivery {
    const char *id;                              /* PidTagMessageSubmissionId; NULL: none */
    uint64_t time;                               /* FILETIME; 0: now */
    bool from_outside;                           /* mfInternet */
    const char *envelope;                        /* who has sent it from outside, "" nobody; NULL: not known, or from within */
    bool over_quota;                             /* it is about the quota itself */
    bool without_rules;                          /* it was delivered long ago, somewhere else */
    bool only_once;                              /* look first whether a message with this id is there */
    uint64_t since;                              /* it would not have been delivered before */
};
enum ec deliver(struct transport *, const struct account *to, const struct letter *, const struct delivery *);
/* Is a message with the delivery's id in this folder?  The store is locked. */
bool is_delivered(struct store *, TALLOC_CTX *arena, uint64_t fid, const struct delivery *);
struct mime_person person_of_account(const struct account *);
struct mime_context mime_context_of(struct transport *);

/* ---- queue.c: DIR/queue.db ---- */

struct submission;

#define SENT_COPY UINT32_MAX                     /* this mailbox gets a copy into Sent Items */
enum submission_state { SUBMISSION_WAITS = 0, SUBMISSION_DELIVERED = 1, SUBMISSION_FAILED = 2 };

struct queued_recipient {
    uint32_t row;                                /* of the letter's recipients; SENT_COPY: of none */
    struct guid mailbox;                         /* zeros: not of this organisation */
    enum submission_state state;
    const char *status, *reason;                 /* FAILED: "5.1.1", and a sentence */
};

struct submission {
    struct guid id;
    struct guid sender;                          /* mailbox of who has sent it and gets the reports */
    struct guid mailbox;                         /* where the message lies that was submitted */
    uint64_t fid, mid;
    uint64_t created;                            /* FILETIME */
    uint64_t sent_to;                            /* folder that it goes to then; 0: it is deleted */
    uint64_t sent_mid;                           /* the id that it gets there; 0: any */
    uint64_t due;                                /* FILETIME; 0: at once */
    bool filed;                                  /* it is there */
    struct letter *letter;
    struct queued_recipient *recipients;
    uint32_t count;
};

enum ec queue_open(struct queue **out, TALLOC_CTX *owner, const char *data_dir, char **why);
/* On the disk when it returns.  It counts as being under way until queue_release. */
enum ec queue_add(struct queue *, const struct submission *);
enum ec queue_recipient_done(struct queue *, const struct submission *, uint32_t index);
enum ec queue_filed(struct queue *, const struct submission *);
enum ec queue_remove(struct queue *, const struct submission *);
void queue_release(struct queue *, struct guid id);
/* What waits for its time: the earliest time, 0: nothing waits; its time has come; found again by its message. */
uint64_t queue_next_due(struct queue *);
enum ec queue_is_due(struct queue *, const struct submission *);
enum ec queue_find(struct queue *, struct guid mailbox, uint64_t fid, uint64_t mid, struct submission *out);
/* The oldest one that is due and not under way, behind `after`; it is under way then.  ecNotFound: none. */
enum ec queue_take(TALLOC_CTX *arena, struct queue *, struct guid after, struct submission *out);

/* ---- quota.c: the mailbox is locked ---- */

/* May the owner send; does so much more still fit?  ecQuotaExceeded */
enum ec quota_allows_sending(struct transport *, struct store *);
enum ec quota_allows_delivery(struct transport *, const struct account *, struct store *, size_t more);
/* The letter that tells the owner, once a day; NULL: there is nothing to tell. */
struct letter *quota_warning(TALLOC_CTX *arena, struct transport *, const struct account *, struct store *);

/* ---- submit.c ---- */

/* A letter that a rule sends, into the queue.  `sender` hears of whom it does not reach; zeros: nobody does.  A letter
 * with this id that is there already is ecDuplicateName. */
struct post_item {
    struct guid id, sender;
    struct letter *letter;
    uint32_t first;                              /* of its recipients that gets it; those before are only named in it */
    bool as_it_is;                               /* not stamped as a new message */
};
enum ec post_letter(TALLOC_CTX *arena, struct transport *, const struct post_item *, struct submission **out);
void post_carry_out(struct transport *, struct submission *);  /* no mailbox is locked */

/* ---- sent_copy.c, report.c, retry.c ---- */

enum ec keep_sent_copy(struct transport *, const struct submission *, const struct account *owner,
                       const struct delivery *);

struct letter *report_of(TALLOC_CTX *arena, struct transport *, const struct submission *);

/* Unfinished submissions are tried again every minute. */
struct retry *retry_start(TALLOC_CTX *owner, struct transport *);
void retry_stop(struct retry *);
void retry_wake(struct retry *);                 /* something new waits for its time */

/* ---- lmtp.c ---- */

enum ec lmtp_open(struct lmtp **out, TALLOC_CTX *owner, struct transport *, char **why);
unsigned lmtp_port(const struct lmtp *);
void lmtp_close(struct lmtp *);
