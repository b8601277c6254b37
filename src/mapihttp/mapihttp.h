/* SPDX-License-Identifier: Apache-2.0 */
/* mapihttp/mapihttp.h: the two endpoints of [MS-OXCMAPIHTTP], /mapi/emsmdb and /mapi/nspi, their headers, cookies,
 * session contexts and response framing.  Owns the session contexts; what is inside a body it hands to rop/ and nspi/.
 * Never looks into a ROP. */
#pragma once
#include "http/exchange.h"
#include "rop/rop.h"

struct mapihttp;

struct mapihttp_config {
    struct org *org;
    struct sessions *sessions;
    struct rop_services services;
    /* 0 stands for the default in brackets. */
    uint32_t expiration_ms;     /* an idle session context lives so long [900,000] */
    uint32_t pending_ms;        /* between two PENDING [30,000] */
    uint32_t slow_ms;           /* a request that takes longer is told PROCESSING before its answer [2,000] */
    uint32_t wait_ms;           /* a NotificationWait without an event [300,000] */
    uint32_t contexts_per_user; /* more: the one that was idle longest goes [100] */
};
struct mapihttp *mapihttp_new(TALLOC_CTX *owner, const struct mapihttp_config *);
/* Ends every session context.  No request may be running any more. */
void mapihttp_close(struct mapihttp *);
uint32_t mapihttp_contexts(struct mapihttp *);

/* Handlers of front/routes.def; request->context is the struct mapihttp. */
http_handler mapihttp_emsmdb, mapihttp_nspi;
