/* SPDX-License-Identifier: Apache-2.0 */
/* client/internal.h: what the files of this room share. */
#pragma once
#include <curl/curl.h>

#include "client/client.h"

#define CLIENT_CODE_PAGE 1252 /* of 8-bit text in its sessions */

/* ---- one HTTP request on its way: transfer.c ---- */

struct transfer {
    struct client *client;
    CURL *easy;
    struct curl_slist *lines, *route;
    TALLOC_CTX *arena;                   /* of the request that runs: head and body of the answer live there */
    struct buf body;
    struct http_header *headers;
    size_t header_count;
    bool is_wait, running, done;
    CURLcode result;
    char why[CURL_ERROR_SIZE];
    unsigned status;
    struct transfer *next;               /* in the loop's list of waits that have ended */
};
struct http_call {
    const char *method, *url;
    const char *const *headers;          /* NULL at the end */
    struct blob body;                    /* stays until the answer is there */
    bool anonymous;
};

struct transfer *transfer_new(struct client *, bool is_wait);
void transfer_start(struct transfer *, TALLOC_CTX *arena, const struct http_call *);
/* Runs the loop until the answer is complete; then CLIENT_TRANSPORT or nothing went wrong. */
enum ec transfer_finish(struct transfer *);
enum ec transfer_result(struct transfer *);
void transfer_cancel(struct transfer *);
static inline struct http_headers transfer_headers(const struct transfer *t)
{
    return (struct http_headers){ t->headers, t->header_count };
}
/* Moves everything that can move, waiting at most `ms` for it. */
void loop_step(struct client_loop *, unsigned ms);

/* ---- the client ---- */

struct cookie {
    struct cookie *next;
    const char *name, *value;
};

/* One session context: [MS-OXCMAPIHTTP] 3.1.1 */
struct context {
    const char *url;
    struct guid id;                      /* of X-RequestId */
    unsigned counter;
    struct cookie *cookies;
    bool open;
};

/* What is known about a handle: which logon it belongs to, and how to read its rows. */
struct handle {
    struct handle *next;
    uint32_t handle;
    uint8_t logon_id;
    uint32_t *columns;                   /* of a table, or of a message's recipients */
    uint32_t column_count;
};

struct queued {
    struct queued *next;
    struct client_notification notification;
};

struct client {
    struct client_options options;
    struct client_loop *loop;
    struct transfer *call, *wait;
    TALLOC_CTX *wait_arena;
    struct client_error error;
    struct client_discovery *found;
    struct context contexts[CLIENT_ENDPOINTS];
    struct guid instance;                /* of X-ClientInfo */
    unsigned instance_counter;
    const char *legacy_dn, *display_name;
    struct handle *handles;
    uint32_t logon;
    uint8_t logons;
    struct RopLogonResponse logon_response;
    struct queued *notifications, **last_notification;
    bool more_notifications;             /* RopPending */
    struct buf *record;
};

/* Fills client_error() and gives `ec` back. */
enum ec client_fail(struct client *, enum client_level, enum ec, uint32_t number, const char *format, ...) PRINTF(5, 6);
enum ec client_fail_http(struct client *, const struct transfer *, const char *what);

/* A URL of the last Autodiscover answer as it can be asked from here; NULL: the password must not go there. */
const char *client_usable_url(struct client *, const char *url);

/* ---- one request of an endpoint: envelope.c ---- */

struct exchange {
    enum client_endpoint endpoint;
    const char *type;                    /* X-RequestType */
    const struct wire_struct *request_form, *response_form;
    const void *request;
    void *response;
};
enum ec context_exchange(struct client *, TALLOC_CTX *arena, const struct exchange *);
/* The two halves, for requests that take their time. */
void context_send(struct client *, struct transfer *, TALLOC_CTX *arena, const struct exchange *);
enum ec context_receive(struct client *, struct transfer *, TALLOC_CTX *arena, const struct exchange *);
void context_reset(struct client *, enum client_endpoint);

/* ---- handles and notifications: batch.c ---- */

struct handle *handle_find(struct client *, uint32_t);
void handles_forget(struct client *);
void notifications_forget(struct client *);

/* ---- the recording: record.c ---- */

void record_request(struct client *, const struct http_call *, const char *type);
void record_answer(struct client *, const struct transfer *, const char *type);
void record_struct(struct client *, const struct wire_struct *, const void *);
void record_line(struct client *, const char *format, ...) PRINTF(2, 3);
