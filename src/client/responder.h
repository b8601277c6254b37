/* SPDX-License-Identifier: Apache-2.0 */
/* client/responder.h: a server for the tests of this room.  It reads real requests from a real socket and answers what
 * the test's script says. */
#pragma once
#include "http/http.h"
#include "wire/rops.h"

struct responder;
struct asked {
    TALLOC_CTX *arena;
    unsigned number;                     /* of the request, from 0 on */
    const struct http_head *head;
    struct blob body;
    struct buf out;                      /* the whole HTTP answer, written by the script */
    bool hangs_up;                       /* the connection ends behind it */
};
typedef void responder_script(struct asked *, void *arg);

struct responder *responder_start(TALLOC_CTX *owner, responder_script *, void *arg);
const char *responder_url(const struct responder *);     /* http://127.0.0.1:PORT */
unsigned responder_count(struct responder *);            /* requests so far */
void responder_stop(struct responder *);

const char *asked_header(const struct asked *, const char *name);
/* An answer with a Content-Length; `headers` are whole lines with their CRLF. */
void answer_with(struct asked *, unsigned status, const char *headers, struct blob body);
/* An answer of [MS-OXCMAPIHTTP] 2.2.2.2 with X-ResponseCode 0, the meta-tags and a structure. */
void answer_struct(struct asked *, const char *headers, const struct wire_struct *, const void *self);
