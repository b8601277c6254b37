/* SPDX-License-Identifier: Apache-2.0 */
/* http/transport.h: the inside of an answer, for whoever carries it: front/ to a socket, a test to memory. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "http/exchange.h"

enum http_after {
    HTTP_GOES_ON,  /* more bytes of this answer will follow */
    HTTP_COMPLETE, /* this was the end */
    HTTP_CUT,      /* it cannot be completed: close the connection */
};

/* _write, _alarm, _pulse and _watched are called with answer->lock held, from any thread: they queue and return.  None
 * of them is called for an answer that is over. */
struct http_transport {
    void (*write)(struct http_answer *, struct blob head, struct blob body, enum http_after);
    void (*alarm)(struct http_answer *, unsigned ms);
    void (*pulse)(struct http_answer *, unsigned ms); /* call http_answer_beat() that often; 0: no more */
    void (*watched)(struct http_answer *);            /* also called when it is over: the last event is due */
    void (*free)(struct http_answer *);               /* the last reference is gone; no lock held */
};

struct http_answer {
    const struct http_transport *transport;
    pthread_mutex_t lock;
    atomic_uint references;
    unsigned holders; /* the handler and whoever parked it */
    enum { HTTP_SILENT, HTTP_SPEAKING, HTTP_ENDED } said;
    bool gone;       /* nobody listens */
    bool no_body;    /* HEAD */
    bool keep_alive; /* what the Connection line says */
    bool chunked;    /* this answer's own framing, from _begin on */
    unsigned minor;  /* of the request's version */
    unsigned status;
    uint64_t bytes;     /* of the body */
    struct buf headers; /* lines from http_answer_header */
    struct blob piece;  /* what the pulse says */
    http_answer_watcher *watcher;
    void *watcher_arg;
};

/* One reference, held by the transport. */
void http_answer_init(struct http_answer *, const struct http_transport *, const struct http_head *request);
void http_answer_hold(struct http_answer *); /* one more reference that may speak, for the handler */
void http_answer_keep(struct http_answer *); /* one more reference that does not speak */
void http_answer_drop(struct http_answer *);
void http_answer_beat(struct http_answer *);
void http_answer_leave(struct http_answer *);       /* nobody listens any more */
void http_answer_close_after(struct http_answer *); /* the Connection line will say close, if it is not out */

/* A transport to memory, so that a room can test its handlers without a socket.  One thread. */
struct http_recorder {
    struct http_answer answer;
    struct buf out;              /* every byte of the answer, header and chunk framing included */
    enum http_after after;       /* HTTP_COMPLETE once it has ended */
    unsigned alarm_ms, pulse_ms; /* as last asked for */
};
struct http_recorder *http_recorder_new(TALLOC_CTX *owner); /* for an HTTP/1.1 POST */
/* As a worker would: calls the handler, which must end the answer or park it. */
void http_recorder_run(struct http_recorder *, http_handler *, struct http_request *);
/* Calls the watcher, if there is one; HTTP_GONE also makes the answer deaf. */
void http_recorder_tell(struct http_recorder *, enum http_answer_event);
