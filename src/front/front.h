/* SPDX-License-Identifier: Apache-2.0 */
/* front/front.h: the listeners, TLS, sign-in and the way from a path to a handler.
 * Owns every socket, the I/O threads and the workers.  Never looks into a body and knows no protocol above HTTP;
 * who a user is and which methods a virtual directory offers, it asks by function pointers. */
#pragma once
#include "http/exchange.h"

/* What a virtual directory offers (Set-MapiVirtualDirectory -IISAuthenticationMethods). */
enum front_methods { FRONT_BASIC = 1, FRONT_NTLM = 2, FRONT_NEGOTIATE = 4, FRONT_OAUTH = 8 };
enum front_match { FRONT_EXACT, FRONT_BELOW }; /* the path alone, or also whatever follows it after a '/' */
enum front_access { FRONT_ANYBODY, FRONT_SIGNED_IN };

/* A row of routes.def.  Paths compare without case; a slash at the end may be missing. */
struct front_route {
    const char *path;
    enum front_match match;
    const char *virtual_directory;
    enum front_access access;
    size_t body_limit;
    http_handler *handler;
    void *context; /* becomes request->context */
};

struct front_config {
    const char *https, *http;      /* ADDR:PORT, [ADDR]:PORT; NULL: not offered; port 0: a free one */
    const char *certificate, *key; /* PEM files, needed for https */
    const char *hostname;          /* realm, and the name in healthcheck.htm */
    const char *const *proxies;    /* addresses or ADDR/BITS, NULL at the end; NULL: none */
    const struct front_route *routes;
    size_t route_count;

    /* All of these may be called by several threads at once. */
    void *context; /* the first argument of the functions below */
    /* `user` as typed (alice@contoso.com, contoso.com\alice, CONTOSO\alice).  ecNone: *out and its strings live in
     * `arena`.  ecLoginFailure, ecUnknownUser, ecNotFound, ecAccessDenied: 401.  Any other code: 503.  May block. */
    enum ec (*sign_in)(void *context, TALLOC_CTX *arena, const char *user, const char *password, struct http_user *out);
    /* Changes whenever a password, a name or an account's state has changed: remembered sign-ins are forgotten.  NULL:
     * they are forgotten by time alone.  Must not block. */
    uint64_t (*generation)(void *context);
    /* A set of enum front_methods, asked for every request; may block.  NULL: Basic. */
    unsigned (*methods)(void *context, const char *virtual_directory);

    /* 0 stands for the default in brackets. */
    unsigned io_threads, workers, sign_in_threads;      /* [2, 16, 2] */
    unsigned max_connections;                           /* [three quarters of the open files that are allowed] */
    size_t max_bodies;                                  /* bytes of request bodies held at once, then 503 [256 MB] */
    unsigned head_ms, body_ms, keep_alive_ms, write_ms; /* patience with a client [30 s, 60 s, 120 s, 60 s] */
    unsigned remember_ms;                               /* how long a verified password is remembered [60 s] */
};

struct front;
/* Binds, reads certificate and key, starts the threads.  On failure *why (in `owner`) says what to do about it. */
enum ec front_open(struct front **out, TALLOC_CTX *owner, const struct front_config *, char **why);
unsigned front_https_port(const struct front *); /* the bound ports; 0: not offered */
unsigned front_http_port(const struct front *);
/* Reads certificate and key again; connections that are open stay as they are.  On failure the old ones stay too. */
enum ec front_reload(struct front *, TALLOC_CTX *arena, char **why);
/* Stops accepting, tells parked answers HTTP_STOPPING, lets requests in flight finish for at most `patience_ms`, then
 * cuts what is left.  When it returns no thread of this room runs any more.  *front is freed. */
void front_close(struct front *, unsigned patience_ms);

/* The handler of every healthcheck.htm: `200 OK<br/>` and the host name, which is the route's context. */
void front_healthcheck(struct http_request *, struct http_answer *);
