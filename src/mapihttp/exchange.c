/* SPDX-License-Identifier: Apache-2.0 */
/* One request of either endpoint: its headers, its context, its body, and the answer around what a handler says.
 * [MS-OXCMAPIHTTP] 2.2.2, 2.2.3, 3.2.5.1, 3.2.5.2 */
#include <ctype.h>

#include "mapihttp/internal.h"

enum { CREATES = 1, ENDS = 2, SEQUENCED = 4 };
enum { RESPONSE_MAX = 4 << 20 };         /* bytes of a body: a page of a table is a hundredth of it */

/* clang-format off */
static const char *const code_texts[] = {
    "Success", "Unknown failure", "The verb must be POST", "The path is not one of this service",
    "A header is malformed", "The X-RequestType is not one of this endpoint", "The context cookie is malformed",
    "A required header is missing", "Anonymous requests are not allowed", "The request body is too large",
    "The session context does not exist", "The user has no right to this session context",
    "The request body cannot be parsed", "The context or sequence cookie is missing", "Reserved",
    "The request is out of sequence, or another one is running", "The endpoint is disabled for this mailbox",
    "The response is invalid", "The endpoint is shutting down",
};
/* clang-format on */

/* ---- the table of request types ---- */

struct request_type {
    const char *name;
    enum endpoint endpoint;
    unsigned flags;
    const struct wire_struct *request, *response;
    enum response_code (*handle)(struct mapihttp_call *, const void *request, void *response);
};

static struct nspi_call nspi_of(struct mapihttp_call *c)
{
    const struct org_settings *settings = org_settings(c->server->config.org, c->arena);
    return (struct nspi_call){ c->arena, sessions_directory(c->server->config.sessions), settings, c->user,
                               c->http->host };
}

void begin_context(struct mapihttp_call *c, enum endpoint endpoint, struct session *session)
{
    c->context = context_new(c->server, endpoint, c->user->mailbox_guid, session);
    c->sequence = c->context->sequence;
}

/* The address book keeps nothing between two calls, so its context is a cookie and a user alone. */
static enum response_code finish_nspi(struct mapihttp_call *c, unsigned flags, enum ec ec, uint32_t *error_code)
{
    *error_code = (uint32_t)ec;
    if (flags & CREATES && !ec)
        begin_context(c, ENDPOINT_NSPI, NULL);
    return CODE_SUCCESS;
}

#define EMSMDB(S, flags)                                                                                               \
    static enum response_code handle_##S(struct mapihttp_call *c, const void *request, void *response)                 \
    {                                                                                                                  \
        return mapihttp_##S(c, request, response);                                                                     \
    }
#define ADDRESS_BOOK(type, S, flags)                                                                                   \
    static enum response_code handle_##S(struct mapihttp_call *c, const void *request, void *response)                 \
    {                                                                                                                  \
        struct nspi_call n = nspi_of(c);                                                                               \
        struct S##Response *r = response;                                                                              \
        return finish_nspi(c, flags, nspi_##S(&n, request, r), &r->ErrorCode);                                         \
    }
#include "mapihttp/requests.def"
#undef EMSMDB
#undef ADDRESS_BOOK

static const struct request_type types[] = {
#define EMSMDB(S, flags) { #S, ENDPOINT_EMSMDB, flags, &S##Request_wire, &S##Response_wire, handle_##S },
#define ADDRESS_BOOK(type, S, flags) { type, ENDPOINT_NSPI, flags, &S##Request_wire, &S##Response_wire, handle_##S },
#include "mapihttp/requests.def"
#undef EMSMDB
#undef ADDRESS_BOOK
};

static const struct request_type *find_type(enum endpoint endpoint, const char *name)
{
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (types[i].endpoint == endpoint && strcasecmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

/* ---- headers ---- */

static const char *header(const struct mapihttp_call *c, const char *name)
{
    return http_header(&c->http->headers, name);
}

/* `GUID:decimal`, braces allowed: [MS-OXCMAPIHTTP] 2.2.3.3.2 */
static bool is_request_id(const char *text)
{
    const char *colon = strrchr(text, ':');
    return colon && colon != text && colon[1] && strspn(colon + 1, "0123456789") == strlen(colon + 1);
}

static enum response_code check_headers(struct mapihttp_call *c)
{
    if (c->http->too_large)
        return CODE_TOO_LARGE;
    if (strcmp(c->http->method, "POST") != 0)
        return CODE_INVALID_VERB;
    if (!c->user)
        return CODE_ANONYMOUS;
    const char *type = header(c, "Content-Type"), *id = header(c, "X-RequestId");
    if (!header(c, "X-RequestType") || !id || !header(c, "X-ClientInfo"))
        return CODE_MISSING_HEADER;
    if (!is_request_id(id) || (c->http->body.size && (!type || strncasecmp(type, "application/mapi-http", 21) != 0)))
        return CODE_INVALID_HEADER;
    return CODE_SUCCESS;
}

/* A value from the client that goes back as it came; what a header cannot hold has been refused by the parser. */
static void echo(struct mapihttp_call *c, struct http_answer *answer, const char *name)
{
    const char *value = header(c, name);
    if (value)
        http_answer_header(answer, name, "%s", value);
}

static void put_cookies(struct mapihttp_call *c, struct http_answer *answer)
{
    static const char *const paths[] = { "/mapi/emsmdb", "/mapi/nspi" };
    const char *path = paths[c->context->endpoint], *secure = c->http->is_tls ? "; secure" : "";
    http_answer_header(answer, "Set-Cookie", "MapiContext=%s; path=%s%s; HttpOnly", c->context->cookie, path, secure);
    http_answer_header(answer, "Set-Cookie", "MapiSequence=%llx; path=%s%s; HttpOnly", (unsigned long long)c->sequence,
                       path, secure);
}

void put_headers(struct mapihttp_call *c, struct http_answer *answer, enum response_code code)
{
    http_answer_header(answer, "Cache-Control", "private");
    echo(c, answer, "X-RequestType");
    echo(c, answer, "X-RequestId");
    echo(c, answer, "X-ClientInfo");
    http_answer_header(answer, "X-ResponseCode", "%d", code);
    http_answer_header(answer, "X-ServerApplication", SERVER_APPLICATION);
    http_answer_header(answer, "X-ExpirationInfo", "%u", c->server->config.expiration_ms);
    http_answer_header(answer, "X-PendingPeriod", "%u", c->server->config.pending_ms);
    if (c->context)
        put_cookies(c, answer);
}

/* ---- the answer ---- */

struct blob response_tail(TALLOC_CTX *arena, bool processing, uint64_t started_ms, int64_t started_unix,
                          struct blob body)
{
    struct buf out;
    char date[HTTP_DATE_SIZE];
    buf_init(&out, arena);
    if (!processing)
        buf_printf(&out, "PROCESSING\r\n");
    buf_printf(&out, "DONE\r\nX-ElapsedTime: %llu\r\nX-StartTime: %s\r\n\r\n",
               (unsigned long long)(clock_ms() - started_ms), http_date(date, started_unix));
    buf_add(&out, body.data, body.size);
    return buf_blob(&out);
}

static void refuse(struct mapihttp_call *c, struct http_answer *answer, enum response_code code)
{
    log_line(LOG_INFO, "mapihttp", "%s: %s refused with X-ResponseCode %d: %s", c->user ? c->user->logon_name : "-",
             header(c, "X-RequestType") ? header(c, "X-RequestType") : "request", code, code_texts[code]);
    put_headers(c, answer, code);
    char *text = talloc_asprintf(c->arena, "<html><body>%s (X-ResponseCode %d).</body></html>", code_texts[code], code);
    http_answer_send(answer, 200, "text/html", BLOB_OF(text, strlen(text)));
}

/* A request that is being worked on.  It lives on its worker's stack, and in the server's list. */
struct running {
    struct running *next;
    struct mapihttp_call *call;
    struct http_answer *answer;
    uint64_t started_ms;
    int64_t started_unix;
    bool begun; /* PROCESSING has left */
};

void say_pending(struct mapihttp *m)
{
    for (struct running *r = m->running; r; r = r->next)
        if (!r->begun && clock_ms() - r->started_ms >= m->config.slow_ms) {
            put_headers(r->call, r->answer, CODE_SUCCESS);
            http_answer_begin(r->answer, 200, "application/mapi-http");
            http_answer_chunk(r->answer, BLOB_OF("PROCESSING\r\n", 12));
            http_answer_pulse(r->answer, m->config.pending_ms, BLOB_OF("PENDING\r\n", 9));
            r->begun = true;
        }
}

static void list_running(struct mapihttp *m, struct running *r)
{
    pthread_mutex_lock(&m->lock);
    r->next = m->running;
    m->running = r;
    pthread_mutex_unlock(&m->lock);
}

static void unlist_running(struct mapihttp *m, struct running *r)
{
    pthread_mutex_lock(&m->lock);
    struct running **at = &m->running;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    pthread_mutex_unlock(&m->lock);
}

static void answer_success(struct running *r, struct blob body)
{
    struct mapihttp_call *c = r->call;
    const struct blob tail = response_tail(c->arena, r->begun, r->started_ms, r->started_unix, body);
    if (r->begun) {
        http_answer_end(r->answer, tail);
        return;
    }
    put_headers(c, r->answer, CODE_SUCCESS);
    http_answer_send(r->answer, 200, "application/mapi-http", tail);
}

/* [MS-OXCMAPIHTTP] 3.2.5.2: too late for the HTTP header, so the code stands behind DONE. */
static void answer_failure(struct running *r, enum response_code code)
{
    if (!r->begun) {
        refuse(r->call, r->answer, code);
        return;
    }
    char *text = talloc_asprintf(r->call->arena, "DONE\r\nX-ResponseCode: %d\r\nContent-Type: text/html\r\n\r\n", code);
    http_answer_end(r->answer, BLOB_OF(text, strlen(text)));
}

/* ---- one request ---- */

static void print_call(void *arg, struct buf *text, const struct trace_style *style)
{
    trace_print_call(text, style, arg);
}

/* To those who read along.  What is in an Execute, the ROPs have told. */
static void tell(const struct mapihttp_call *c, const struct request_type *type, const void *request,
                 const void *response)
{
    struct trace *trace = c->server->config.services.trace;
    const struct ExecuteResponse *executed = type->response == &ExecuteResponse_wire ? response : NULL;
    if (!trace_is_on(trace) || (executed && !executed->ErrorCode && !executed->StatusCode))
        return;
    struct trace_call call = { type->name, type->request, type->response, request, response };
    trace_tell(trace, &c->user->mailbox_guid, 1, c->user->logon_name, print_call, &call);
}

static enum response_code run_type(struct mapihttp_call *c, const struct request_type *type, struct blob *body)
{
    struct wire_in in = wire_in(c->arena, c->http->body);
    struct buf bytes;
    in.flavour = type->endpoint == ENDPOINT_NSPI ? WIRE_NSPI : WIRE_ROP;
    void *request = talloc_zero_size(c->arena, type->request->size + 1);
    void *response = talloc_zero_size(c->arena, type->response->size + 1);
    if (!wire_get(&in, type->request, request))
        return CODE_INVALID_BODY;
    const enum response_code code = type->handle(c, request, response);
    if (code)
        return code;
    tell(c, type, request, response);
    buf_init(&bytes, c->arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = in.flavour;
    out.limit = RESPONSE_MAX;
    if (!wire_put(&out, type->response, response))
        return CODE_INVALID_RESPONSE;
    *body = buf_blob(&bytes);
    return CODE_SUCCESS;
}

/* May this user begin anything here?  The door is the policy's. */
static bool door_is_open(struct mapihttp_call *c)
{
    struct policy_input input = directory_policy_input(org_settings(c->server->config.org, c->arena), c->user);
    input.capability = 1;
    return policy_decide(input).mapi_door;
}

/* The context that the cookies name.  Connect and Bind begin anew and end what they find: 3.2.5.6. */
static enum response_code find_context(struct mapihttp_call *c, enum endpoint endpoint, unsigned flags)
{
    const char *cookie = http_cookie(c->arena, &c->http->headers, "MapiContext");
    if (!cookie)
        return flags & CREATES ? CODE_SUCCESS : CODE_MISSING_COOKIE;
    struct context *found = NULL;
    const enum response_code code = context_find(c->server, endpoint, cookie, c->user->mailbox_guid, &found);
    if (!(flags & CREATES)) {
        c->context = found;
        return code;
    }
    if (found) {
        context_end(found);
        context_put(found);
    }
    return CODE_SUCCESS;
}

static enum response_code begin(struct mapihttp_call *c, const struct request_type *type)
{
    const enum response_code code = find_context(c, type->endpoint, type->flags);
    if (code)
        return code;
    if (type->flags & CREATES)
        return door_is_open(c) ? CODE_SUCCESS : CODE_ENDPOINT_DISABLED;
    return context_begin(c->context, type->flags & SEQUENCED, http_cookie(c->arena, &c->http->headers, "MapiSequence"),
                         &c->sequence);
}

/* What creates a context has no cookies before it is done, so it says nothing before. */
static void run(struct running *r, const struct request_type *type)
{
    struct mapihttp_call *c = r->call;
    struct blob body = { NULL, 0 };
    if (!(type->flags & CREATES))
        list_running(c->server, r);
    const enum response_code code = run_type(c, type, &body);
    if (!(type->flags & CREATES))
        unlist_running(c->server, r);
    if (c->context && type->flags & ENDS)
        context_end(c->context);
    if (c->context)
        context_done(c->context, type->flags & SEQUENCED);
    if (code)
        answer_failure(r, code);
    else
        answer_success(r, body);
}

static void serve(struct mapihttp_call *c, const struct request_type *type, struct http_answer *answer)
{
    struct running r = { NULL, c, answer, clock_ms(), filetime_to_unix(filetime_now()), false };
    const enum response_code code = begin(c, type);
    if (code)
        refuse(c, answer, code);
    else
        run(&r, type);
    if (c->context)
        context_put(c->context);
}

/* [MS-OXCMAPIHTTP] 2.2.6: no body; with a context cookie it keeps the context alive. */
static void ping(struct mapihttp_call *c, enum endpoint endpoint, struct http_answer *answer)
{
    struct running r = { NULL, c, answer, clock_ms(), filetime_to_unix(filetime_now()), false };
    enum response_code code = find_context(c, endpoint, 0);
    if (code == CODE_MISSING_COOKIE)
        code = CODE_SUCCESS;
    else if (!code)
        code = context_begin(c->context, false, NULL, &c->sequence);
    if (!code && c->context)
        context_done(c->context, false);
    if (code)
        refuse(c, answer, code);
    else
        answer_success(&r, BLOB_OF(NULL, 0));
    if (c->context)
        context_put(c->context);
}

static void wait_for_notification(struct mapihttp_call *c, struct http_answer *answer)
{
    struct NotificationWaitRequest request;
    struct wire_in in = wire_in(c->arena, c->http->body);
    enum response_code code = find_context(c, ENDPOINT_EMSMDB, 0);
    if (!code && !wire_get(&in, &NotificationWaitRequest_wire, &request))
        code = CODE_INVALID_BODY;
    if (!code)
        code = context_begin(c->context, false, NULL, &c->sequence);
    if (!code) {
        notification_wait(c, answer);
        return;
    }
    refuse(c, answer, code);
    if (c->context)
        context_put(c->context);
}

static void serve_endpoint(enum endpoint endpoint, struct http_request *request, struct http_answer *answer)
{
    struct mapihttp *m = request->context;
    struct guid user = { { 0 } };
    struct mapihttp_call call = { .arena = request->arena, .server = m, .http = request };
    if (request->user && guid_parse(request->user->id, &user))
        call.user = directory_by_mailbox_guid(sessions_directory(m->config.sessions), request->arena, user);
    const enum response_code code = check_headers(&call);
    if (code) {
        refuse(&call, answer, code);
        return;
    }
    const char *name = header(&call, "X-RequestType");
    const struct request_type *type = find_type(endpoint, name);
    if (strcasecmp(name, "PING") == 0)
        ping(&call, endpoint, answer);
    else if (endpoint == ENDPOINT_EMSMDB && strcasecmp(name, "NotificationWait") == 0)
        wait_for_notification(&call, answer);
    else if (type)
        serve(&call, type, answer);
    else
        refuse(&call, answer, CODE_INVALID_REQUEST_TYPE);
}

void mapihttp_emsmdb(struct http_request *request, struct http_answer *answer)
{
    serve_endpoint(ENDPOINT_EMSMDB, request, answer);
}

void mapihttp_nspi(struct http_request *request, struct http_answer *answer)
{
    serve_endpoint(ENDPOINT_NSPI, request, answer);
}
