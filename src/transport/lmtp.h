/* SPDX-License-Identifier: Apache-2.0 */
/* transport/lmtp.h: one LMTP conversation, RFC 2033, on a socket.  lmtp.c owns the listener and the threads. */
#pragma once
#include "transport/internal.h"

struct lmtp_line {
    struct transport *transport;
    int fd;
    int stop;                                    /* readable when the server stops */
    const char *peer;
};
/* Until the client leaves, is left, or the server stops.  The socket stays the caller's. */
void lmtp_converse(const struct lmtp_line *);
