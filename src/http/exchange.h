/* SPDX-License-Identifier: Apache-2.0 */
/* http/exchange.h: one request and its answer, as a handler sees them.  The rooms that answer (autodiscover,
 * mapihttp, ...) include this and nothing of front/, which carries the bytes.
 *
 *     void mapihttp_emsmdb(struct http_request *request, struct http_answer *answer)
 *     {
 *         http_answer_header(answer, "X-RequestType", "%s", type);
 *         http_answer_send(answer, 200, "application/mapi-http", body);
 *     }
 *
 * A handler runs in a worker thread and may block.  The request and its arena live until the handler returns.
 * A handler that returns must have ended its answer, or parked it; otherwise the client gets 500.
 *
 * Threads: every http_answer_... function may be called from any thread at any time by somebody who holds a
 * reference (a handler does while it runs; http_answer_park gives one).  None of them blocks or fails.  Each call
 * is atomic, and bytes leave in the order of the calls.  What is said after the end, or after the client has gone,
 * is dropped silently.  No lock of this room is held while a watcher runs. */
#pragma once
#include "http/http.h"

/* Who has signed in.  Strings only, so that they can be remembered: `id` is whatever the directory finds the account
 * by again. */
struct http_user {
    const char *name; /* for logs: CONTOSO\alice */
    const char *id;
};

struct http_request {
    TALLOC_CTX *arena;             /* one per request; gone when the handler returns */
    const char *method;            /* POST, GET, RPC_IN_DATA, ... */
    const char *path;              /* decoded and normalised, the client's own case */
    const char *below;             /* what follows the route's path: "" or "/v1.0/alice@contoso.com" */
    const char *query;             /* as sent, without the '?'; see http_query() */
    const char *host;              /* Host line as sent, may hold a port */
    struct http_headers headers;   /* see http_header(), http_cookie() */
    struct blob body;              /* whole and de-chunked; empty when too_large */
    bool too_large;                /* the body exceeds the route's limit and was not kept: the handler answers */
    bool is_tls;                   /* here, or at a listed proxy that says so */
    const char *peer;              /* the client's numeric address, as a listed proxy reports it */
    const struct http_user *user;  /* NULL where nobody has to sign in */
    const char *virtual_directory; /* "mapi" */
    void *context;                 /* what the room registered with its route */
};

struct http_answer;
typedef void http_handler(struct http_request *, struct http_answer *);

/* A header line, before _send or _begin.  Content-Length, Transfer-Encoding, Connection, Date are the transport's. */
void http_answer_header(struct http_answer *, const char *name, const char *format, ...) PRINTF(3, 4);
/* The whole answer at once.  content_type NULL: none is sent. */
void http_answer_send(struct http_answer *, unsigned status, const char *content_type, struct blob body);
void http_answer_text(struct http_answer *, unsigned status, const char *format, ...) PRINTF(3, 4); /* text/plain */

/* An answer in pieces, each flushed at once: chunked, or to an HTTP/1.0 client until the connection closes. */
void http_answer_begin(struct http_answer *, unsigned status, const char *content_type);
void http_answer_chunk(struct http_answer *, struct blob);
void http_answer_end(struct http_answer *, struct blob last); /* the last piece (may be empty) and the end */
/* Between _begin and _end: says `piece` every `ms` until _end or until another call replaces it (0 ms: stop).  Once
 * the replacing call has returned, the old piece is not said any more. */
void http_answer_pulse(struct http_answer *, unsigned ms, struct blob piece);

/* Before the handler returns: the answer will be ended later, from any thread.  The caller holds a reference until it
 * calls _release; releasing the last one without an end cuts the connection (500 if nothing was said yet).
 * A parked answer holds no thread, no request and only a few hundred bytes. */
void http_answer_park(struct http_answer *);
void http_answer_release(struct http_answer *);

enum http_answer_event {
    HTTP_TIME_UP,  /* the alarm */
    HTTP_STOPPING, /* the server stops: end the answer now */
    HTTP_GONE,     /* last event: the client closed, whatever is said is dropped */
    HTTP_SENT,     /* last event: the answer was ended and handed to the network */
};
/* The watcher runs in an I/O thread, must not block, and may call every function above.  Exactly one of HTTP_GONE and
 * HTTP_SENT comes, exactly once, and nothing after it, so `arg` may be freed there; it also comes when the answer was
 * over before the watcher was set.  One watcher per answer, set once; a watched answer's client is noticed when it
 * closes, at once. */
typedef void http_answer_watcher(struct http_answer *, enum http_answer_event, void *arg);
void http_answer_watch(struct http_answer *, http_answer_watcher *, void *arg);
/* HTTP_TIME_UP comes in `ms`, once; 0: no alarm.  One per answer, a second call replaces the first. */
void http_answer_alarm(struct http_answer *, unsigned ms);

bool http_answer_is_over(struct http_answer *); /* ended, or nobody listens any more */
