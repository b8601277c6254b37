/* SPDX-License-Identifier: Apache-2.0 */
/* transport/lmtp.h: an LMTP server, RFC 2033.  Knows sockets and the protocol; whom it delivers to and how, it asks.
 * A thread per connection, of which there are few: the clients are mail servers. */
#pragma once
#include "base/base.h"

struct lmtp_config {
    const char *address;                 /* ADDR:PORT, [ADDR]:PORT; port 0: a free one */
    const char *hostname;                /* in the greeting */
    size_t message_max;                  /* bytes */
    unsigned connections_max, recipients_max;
    unsigned patience_ms;                /* with a silent client */
    void *context;                       /* of the functions below, which several threads call */
    /* ecNone, ecNotFound (550), or anything else (451). */
    enum ec (*accepts)(void *context, const char *recipient);
    /* One result per recipient; ecNone only when the mail is on the disk. */
    void (*deliver)(void *context, TALLOC_CTX *arena, const char *sender, const char *const *recipients, size_t count,
                    struct blob message, enum ec *results);
};

struct lmtp;
/* On failure *why (in `owner`) says what to do about it.  The strings of the configuration are copied. */
enum ec lmtp_open(struct lmtp **out, TALLOC_CTX *owner, const struct lmtp_config *, char **why);
unsigned lmtp_port(const struct lmtp *);
/* Stops accepting; a mail that is being delivered is finished and answered; frees *lmtp. */
void lmtp_close(struct lmtp *);
