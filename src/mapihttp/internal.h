/* SPDX-License-Identifier: Apache-2.0 */
/* mapihttp/internal.h: what the files of this room share. */
#pragma once
#include <pthread.h>

#include "mapihttp/mapihttp.h"
#include "nspi/nspi.h"

#define SERVER_APPLICATION "Exchange/15.02.1544.004"

/* [MS-OXCMAPIHTTP] 2.2.3.3.3 */
/* clang-format off */
enum response_code {
    CODE_SUCCESS, CODE_UNKNOWN_FAILURE, CODE_INVALID_VERB, CODE_INVALID_PATH, CODE_INVALID_HEADER,
    CODE_INVALID_REQUEST_TYPE, CODE_INVALID_COOKIE, CODE_MISSING_HEADER, CODE_ANONYMOUS, CODE_TOO_LARGE,
    CODE_CONTEXT_NOT_FOUND, CODE_NO_PRIVILEGE, CODE_INVALID_BODY, CODE_MISSING_COOKIE, CODE_RESERVED,
    CODE_INVALID_SEQUENCE, CODE_ENDPOINT_DISABLED, CODE_INVALID_RESPONSE, CODE_SHUTTING_DOWN,
};
/* clang-format on */

enum endpoint { ENDPOINT_EMSMDB, ENDPOINT_NSPI };
#define COOKIE_SIZE 33 /* 32 hex digits */

/* ---- session contexts: context.c ---- */

struct context {
    struct context *next;
    struct mapihttp *server;
    unsigned references;
    enum endpoint endpoint;
    char cookie[COOKIE_SIZE];
    struct guid user;   /* checked at every request */
    uint64_t sequence;  /* what the sequence cookie of the next request must say */
    uint64_t beside;    /* what it said in the last answer outside the sequence; 0: none, or used meanwhile */
    uint64_t last_used; /* clock_ms() */
    uint64_t turn;      /* grows with every use of any context */
    unsigned pending;   /* requests that run or wait: the idle timer stands still */
    bool busy;          /* a sequenced request runs */
    bool ended;
    struct session *session; /* of the mailbox endpoint */
};

struct mapihttp {
    struct mapihttp_config config;
    pthread_mutex_t lock; /* of the table and of what the contexts say about their use */
    pthread_cond_t wake;  /* the housekeeper */
    pthread_t housekeeper;
    bool stopping;
    struct context *table[1024]; /* by cookie */
    uint32_t count;
    uint64_t turns;
    struct context *dead;    /* to be freed */
    struct running *running; /* sequenced requests that may have to say PENDING */
};

struct context *context_new(struct mapihttp *, enum endpoint, struct guid user, struct session *);
/* A reference to the context of this cookie; CODE_INVALID_COOKIE or CODE_CONTEXT_NOT_FOUND. */
enum response_code context_find(struct mapihttp *, enum endpoint, const char *cookie, struct guid user,
                                struct context **out);
void context_put(struct context *);
/* Nobody finds it any more, and who waits for its notifications is told; it goes with its last reference. */
void context_end(struct context *);
/* Between the two the context does not expire.  For sequenced requests: checks and advances the sequence.  *told: what
 * the answer's sequence cookie says. */
enum response_code context_begin(struct context *, bool sequenced, const char *sequence_cookie, uint64_t *told);
void context_done(struct context *, bool sequenced);
void contexts_start(struct mapihttp *);
void contexts_stop(struct mapihttp *);

/* ---- one request: exchange.c ---- */

struct mapihttp_call {
    TALLOC_CTX *arena;
    struct mapihttp *server;
    struct http_request *http;
    const struct account *user; /* who has signed in */
    struct context *context;    /* NULL in Connect and Bind, which set it */
    uint64_t sequence;          /* of the answer's cookie */
};

/* For Connect and Bind: a new context, which the answer's cookies name. */
void begin_context(struct mapihttp_call *, enum endpoint, struct session *);

#define EMSMDB(S, flags)                                                                                               \
    enum response_code mapihttp_##S(struct mapihttp_call *, const struct S##Request *, struct S##Response *);
#define ADDRESS_BOOK(type, S, flags)
#include "mapihttp/requests.def"
#undef EMSMDB
#undef ADDRESS_BOOK

/* With the server's lock held: requests that take long are told PROCESSING, and PENDING from then on. */
void say_pending(struct mapihttp *);
/* The headers that every answer carries. */
void put_headers(struct mapihttp_call *, struct http_answer *, enum response_code);
/* Meta-tags, additional headers, blank line and body: what follows the HTTP header, or the PROCESSING that has left. */
struct blob response_tail(TALLOC_CTX *arena, bool processing, uint64_t started_ms, int64_t started_unix,
                          struct blob body);
/* Takes the answer over, with a reference to the context. */
void notification_wait(struct mapihttp_call *, struct http_answer *);
