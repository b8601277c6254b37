/* SPDX-License-Identifier: Apache-2.0 */
/* client/client.h: our own client of Exchange-like servers, which goes the way that Outlook goes: Autodiscover, the
 * session contexts of both endpoints, lists of ROPs, NotificationWait.  Probes, tests, the benchmark, `oxcart mail` and
 * `oxcart load` use it.  Owns its connections, cookies and what it knows about its handles; shares with the server the
 * wire tables and nothing else.
 *
 *     struct client *c = client_new(owner, &(struct client_options){ .address = "alice@contoso.com", ... });
 *     ec = client_connect(c);                              Autodiscover, Connect
 *     ec = client_logon(c, NULL);                          RopLogon; c's own mailbox
 *     struct client_rop rops[] = {
 *         { .id = RopOpenFolder, .handle = client_logon_handle(c), .request = &open },
 *         { .id = RopGetContentsTable, .from = OUTPUT_OF(0), .request = &table },
 *     };
 *     ec = client_execute(c, arena, rops, COUNTOF(rops));  rops[1].code, rops[1].out_handle
 *
 * What fails returns an error code; client_error() says at which level, with which number, and in words.
 * A client is used by one thread at a time, and so is a loop with all its clients.  mail.h has what a user does. */
#pragma once
#include "http/http.h"
#include "wire/rops.h"

struct client;
struct client_loop;

struct client_options {
    const char *server;              /* HOST:PORT, https://HOST:PORT or http://HOST:PORT; NULL: found by the address's domain.
                                      * The password goes to it, to hosts of that domain and to those that these name for
                                      * MAPI over HTTP, and without TLS only to an http:// server and to this machine */
    const char *address;             /* whose mailbox */
    const char *user, *password;     /* user NULL: the address */
    const char *legacy_dn;           /* with emsmdb_url: Autodiscover is left out */
    const char *emsmdb_url, *nspi_url;
    const char *connect_to;          /* HOST:PORT: every connection goes there, whatever host a URL names */
    const char *ca_file;             /* NULL: the system's */
    bool insecure;                   /* any certificate will do */
    bool external;                   /* prefer the external URLs, as a client outside would end up with */
    unsigned timeout_s;              /* of one request, 0: 60; a NotificationWait may last as long as it is alive */
    const char *application;         /* X-ClientApplication; NULL: that of a current Outlook */
    bool compress, obfuscate;        /* ROP buffers in both directions */
    bool no_chain;                   /* one buffer in an answer */
    bool no_capability;              /* Autodiscover as a client that does not know MAPI over HTTP */
    struct client_loop *loop;        /* shared by several clients; NULL: one of its own */
    void (*progress)(void *arg, uint64_t done, uint64_t total);      /* of what takes several requests */
    void *progress_arg;
};

struct client *client_new(TALLOC_CTX *owner, const struct client_options *);     /* strings are copied */

/* ---- errors ---- */

enum client_level {
    CLIENT_FINE,
    CLIENT_TRANSPORT,                /* no answer came: number is libcurl's */
    CLIENT_HTTP,                     /* status other than 200 */
    CLIENT_AUTODISCOVER,             /* ErrorCode of the answer; 0: there is no MAPI over HTTP for this mailbox */
    CLIENT_RESPONSE_CODE,            /* X-ResponseCode */
    CLIENT_FORMAT,                   /* the answer cannot be read */
    CLIENT_STATUS_CODE,              /* StatusCode of the body */
    CLIENT_ERROR_CODE,               /* ErrorCode of the body */
    CLIENT_ROP,                      /* ReturnValue of a ROP */
};
struct client_error {
    enum client_level level;
    uint32_t number;
    char text[512];                  /* one sentence */
};
/* Of the last call that failed.  The codes that functions return are those of the protocol from CLIENT_STATUS_CODE on;
 * below, ecLoginFailure where sign-in is refused, ecEndOfSession for X-ResponseCode 10, and ecRpcFailed. */
const struct client_error *client_error(const struct client *);

/* ---- Autodiscover ---- */

struct client_urls {
    const char *internal, *external; /* NULL: not named */
};
struct client_discovery {
    const char *url;                 /* where the answer came from */
    const char *display_name, *legacy_dn, *smtp_address, *deployment_id;
    bool mapi_http;                  /* there is a mapiHttp protocol */
    struct client_urls mail_store, address_book;
    const char *protocols;           /* all types in order: "mapiHttp WEB EXHTTP" */
    const char *exch_server, *expr_server;
    unsigned error_code;             /* 500, 600, ...; 0: none */
    const char *error_message;
    const char *xml;                 /* the answer itself */
};
enum ec client_discover(struct client *);
const struct client_discovery *client_discovery(const struct client *);     /* what was found last; never NULL */

/* ---- the mailbox endpoint ---- */

enum ec client_connect(struct client *);         /* discovers first, if that has not happened */
enum ec client_disconnect(struct client *);      /* nothing to do where no session context is open */
/* Forgets the session context without a word, as Outlook does when it ends. */
void client_forget(struct client *);
const char *client_display_name(const struct client *);                     /* as Connect answered */
enum ec client_ping(struct client *);

/* RopLogon to the mailbox of `legacy_dn`, NULL: the user's own.  Several logons are possible. */
enum ec client_logon(struct client *, const char *legacy_dn);
/* To the organisation's public folders. */
enum ec client_logon_public(struct client *);
uint64_t client_top(const struct client *);                                 /* folder that users see, of the last logon */
uint32_t client_logon_handle(const struct client *);                        /* of the last logon */
const struct RopLogonResponse *client_logon_response(const struct client *);

#define OUTPUT_OF(i) ((i) + 1)
struct client_rop {
    enum rop_id id;
    uint32_t handle;                 /* input object; or */
    int from;                        /* OUTPUT_OF(index of an earlier ROP of the list) */
    uint32_t destination;            /* for ROPs with two objects; or */
    int destination_from;
    const void *request;             /* struct Rop<Name>Request; NULL: all fields 0 */
    const uint32_t *columns;         /* of rows in the answer; NULL: the client knows them from what was asked */
    uint32_t column_count;
    /* the answer */
    bool answered;                   /* false: the server did not process it, code is ecCancel; RopRelease has no answer */
    enum ec code;                    /* ReturnValue */
    void *response;                  /* struct Rop<Name>Response, or of the failure; may be NULL */
    uint32_t out_handle;             /* 0xFFFFFFFF: none */
};
#define NO_HANDLE 0xFFFFFFFFu
/* One list of ROPs, in as many Executes as it needs (a buffer's size, RopBufferTooSmall).  Chained rows and stream
 * bytes are put together.  An empty list fetches notifications.  ecNone: the ROPs were carried there and back. */
enum ec client_execute(struct client *, TALLOC_CTX *arena, struct client_rop *, size_t count);
/* The first ROP of the list that failed, as an error of the client; ecNone: all were answered with success. */
enum ec client_check(struct client *, const struct client_rop *, size_t count);
/* One ROP, and whether it worked.  `response` (may be NULL) gets the structure, out_handle (may be NULL) the object. */
enum ec client_call(struct client *, TALLOC_CTX *arena, enum rop_id, uint32_t handle, const void *request, void *response,
                    uint32_t *out_handle);
void client_release(struct client *, uint32_t handle);

/* ---- notifications ---- */

struct client_notification {
    struct RopNotify notify;
    struct props row;                /* of a table, over its columns at that time */
};
/* What the Executes have brought, oldest first; NULL: no more. */
struct client_notification *client_next_notification(struct client *, TALLOC_CTX *arena);
/* Keeps a NotificationWait open, and says within `ms` whether there is something to fetch.  When there is not, the wait
 * stays open and the next call goes on with it. */
enum ec client_wait(struct client *, unsigned ms, bool *event);
/* Opens the wait and returns once the server has it. */
enum ec client_wait_begin(struct client *);
/* Ends an open wait by closing its connection. */
void client_wait_cancel(struct client *);
/* Empty Executes until the server has nothing left to tell. */
enum ec client_fetch(struct client *);

/* ---- many clients ---- */

/* Connections of several clients in one thread; a client that waits keeps one connection and nothing else. */
struct client_loop *client_loop_new(TALLOC_CTX *owner);
/* A client whose wait has ended within `ms`: client_wait() has the result.  NULL: none. */
struct client *client_loop_next(struct client_loop *, unsigned ms);

/* ---- the address book endpoint ---- */

enum ec client_bind(struct client *);            /* discovers first, if that has not happened */
enum ec client_unbind(struct client *);          /* likewise */
/* Any request type by its structures, Bind included: client_nspi(c, arena, "ResolveNames", &request, &response). */
enum ec client_nspi(struct client *, TALLOC_CTX *arena, const char *type, const void *request, void *response);

/* ---- for tests ---- */

/* Everything that is said from now on, readable, with the structures of the wire; never passwords.  NULL: no more. */
void client_record(struct client *, struct buf *text);

enum client_endpoint { CLIENT_EMSMDB, CLIENT_NSPI, CLIENT_ENDPOINTS };
const char *client_url(const struct client *, enum client_endpoint);
const char *client_cookie(const struct client *, enum client_endpoint, const char *name);
void client_set_cookie(struct client *, enum client_endpoint, const char *name, const char *value);    /* NULL: without */

struct client_raw {
    const char *method;              /* NULL: POST */
    const char *url;                 /* NULL: the mailbox endpoint; a path: of that server */
    const char *const *headers;      /* "Name: value", NULL at the end; nothing else is sent but Host and the length */
    struct blob body;
    bool anonymous;                  /* without the user's name and password */
};
struct client_raw_answer {
    unsigned status;
    struct http_headers headers;
    struct blob body;
};
enum ec client_raw(struct client *, TALLOC_CTX *arena, const struct client_raw *, struct client_raw_answer *);
/* Headers as this client would send them for a request type, to be changed by the test. */
const char **client_headers(struct client *, TALLOC_CTX *arena, enum client_endpoint, const char *type);
