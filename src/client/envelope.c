/* SPDX-License-Identifier: Apache-2.0 */
/* The frame around every request of both endpoints: headers, cookies, meta-tags.  [MS-OXCMAPIHTTP] 2.2.2, 2.2.3, 3.1.5 */
#include <stdlib.h>

#include "client/internal.h"

#define APPLICATION "Outlook/16.0.15928.20006"
#define USER_AGENT "Microsoft Office/16.0 (Windows NT 10.0; MAPI 16.0.15928; Pro)"
#define REASON_MAX 200                   /* of a page that the server sends instead of an answer */

/* [MS-OXCMAPIHTTP] 2.2.3.3.3 */
static const char *const response_codes[] = {
    "Success", "Unknown Failure", "Invalid Verb", "Invalid Path", "Invalid Header", "Invalid Request Type",
    "Invalid Context Cookie", "Missing Header", "Anonymous Not Allowed", "Too Large", "Context Not Found", "No Privilege",
    "Invalid Request Body", "Missing Cookie", "Reserved", "Invalid Sequence", "Endpoint Disabled", "Invalid Response",
    "Endpoint Shutting Down",
};
enum { CODE_CONTEXT_NOT_FOUND = 10 };

/* ---- cookies ---- */

const char *client_cookie(const struct client *c, enum client_endpoint e, const char *name)
{
    for (const struct cookie *k = c->contexts[e].cookies; k; k = k->next)
        if (strcmp(k->name, name) == 0)
            return k->value;
    return NULL;
}

void client_set_cookie(struct client *c, enum client_endpoint e, const char *name, const char *value)
{
    struct cookie **at = &c->contexts[e].cookies;
    while (*at && strcmp((*at)->name, name) != 0)
        at = &(*at)->next;
    if (!*at && value) {
        *at = talloc_zero(c, struct cookie);
        (*at)->name = talloc_strdup(*at, name);
    }
    struct cookie *k = *at;
    if (!k)
        return;
    if (!value)
        *at = k->next;
    talloc_free((void *)k->value);
    k->value = value ? talloc_strdup(k, value) : NULL;
    if (!value)
        talloc_free(k);
}

static void keep_cookies(struct client *c, TALLOC_CTX *arena, enum client_endpoint e, struct http_headers headers)
{
    size_t at = 0;
    for (const char *line; (line = http_header_next(&headers, "Set-Cookie", &at));) {
        const size_t name = strcspn(line, "=;");
        if (line[name] != '=')
            continue;
        const char *value = line + name + 1;
        client_set_cookie(c, e, talloc_strndup(arena, line, name), talloc_strndup(arena, value, strcspn(value, ";")));
    }
}

static const char *cookie_line(TALLOC_CTX *arena, const struct context *x)
{
    char *line = NULL;
    for (const struct cookie *k = x->cookies; k; k = k->next)
        line = line ? talloc_asprintf_append(line, "; %s=%s", k->name, k->value)
                    : talloc_asprintf(arena, "Cookie: %s=%s", k->name, k->value);
    return line;
}

void context_reset(struct client *c, enum client_endpoint e)
{
    struct context *x = &c->contexts[e];
    while (x->cookies)
        client_set_cookie(c, e, x->cookies->name, NULL);
    x->id = guid_random();
    x->counter = 0;
    x->open = false;
}

/* ---- asking ---- */

const char **client_headers(struct client *c, TALLOC_CTX *arena, enum client_endpoint e, const char *type)
{
    struct context *x = &c->contexts[e];
    char id[GUID_TEXT_SIZE], instance[GUID_TEXT_SIZE];
    const char **lines = talloc_zero_array(arena, const char *, 9);
    size_t n = 0;
    lines[n++] = "Content-Type: application/mapi-http";
    lines[n++] = talloc_asprintf(arena, "X-RequestType: %s", type);
    lines[n++] = talloc_asprintf(arena, "X-RequestId: {%s}:%u", guid_text(x->id, id), ++x->counter);
    lines[n++] = talloc_asprintf(arena, "X-ClientInfo: {%s}:%u", guid_text(c->instance, instance), ++c->instance_counter);
    lines[n++] = talloc_asprintf(arena, "X-ClientApplication: %s", c->options.application ? c->options.application : APPLICATION);
    lines[n++] = "User-Agent: " USER_AGENT;
    lines[n++] = "Accept: application/mapi-http";
    lines[n++] = cookie_line(arena, x);
    return lines;
}

void context_send(struct client *c, struct transfer *t, TALLOC_CTX *arena, const struct exchange *x)
{
    struct buf body;
    buf_init(&body, arena);
    if (x->request_form) {
        struct wire_out out = wire_out(&body);
        out.flavour = x->endpoint == CLIENT_NSPI ? WIRE_NSPI : WIRE_ROP;
        wire_put(&out, x->request_form, x->request);
    }
    const struct http_call call = { .method = "POST", .url = c->contexts[x->endpoint].url,
                                    .headers = client_headers(c, arena, x->endpoint, x->type), .body = buf_blob(&body) };
    record_request(c, &call, x->type);
    if (x->request_form)
        record_struct(c, x->request_form, x->request);
    transfer_start(t, arena, &call);
}

/* ---- the answer ---- */

/* `PROCESSING CRLF *(PENDING CRLF) DONE CRLF *(header CRLF) CRLF body`: 2.2.7 */
struct envelope {
    bool done;
    const char *response_code;           /* an additional header overrides that of the HTTP header */
    struct blob body;
};

static bool next_line(struct blob *rest, struct blob *line)
{
    const uint8_t *end = memmem(rest->data, rest->size, "\r\n", 2);
    if (!end)
        return false;
    *line = BLOB_OF(rest->data, end - rest->data);
    *rest = BLOB_OF(end + 2, rest->size - line->size - 2);
    return true;
}

static bool line_is(struct blob line, const char *text)
{
    return blob_equal(line, BLOB_OF(text, strlen(text)));
}

static void read_envelope(TALLOC_CTX *arena, struct blob all, struct envelope *out)
{
    static const char header[] = "X-ResponseCode:";
    struct blob line = { NULL, 0 };
    *out = (struct envelope){ .done = false };
    do {
        if (!next_line(&all, &line))
            return;
    } while (line_is(line, "PROCESSING") || line_is(line, "PENDING"));
    if (!line_is(line, "DONE"))
        return;
    while (next_line(&all, &line) && line.size)
        if (line.size > sizeof header - 1 && strncasecmp((const char *)line.data, header, sizeof header - 1) == 0)
            out->response_code = talloc_strndup(arena, (const char *)line.data + sizeof header - 1, line.size - sizeof header + 1);
    out->done = line.size == 0;
    out->body = all;
}

/* The text of a page, in one line and short. */
static const char *reason(TALLOC_CTX *arena, struct blob page)
{
    char *text = talloc_array(arena, char, REASON_MAX + 1);
    size_t n = 0;
    bool tag = false;
    for (size_t i = 0; i < page.size && n < REASON_MAX; i++) {
        const uint8_t b = page.data[i];
        tag = b == '<' || (tag && b != '>');
        if (!tag && b != '>' && (b > 0x20 || (b == ' ' && n && text[n - 1] != ' ')))
            text[n++] = (char)b;
    }
    text[n] = '\0';
    return text;
}

enum ec client_fail_http(struct client *c, const struct transfer *t, const char *what)
{
    const struct http_headers headers = transfer_headers(t);
    const char *methods = http_header(&headers, "WWW-Authenticate");
    if (t->status == 401)
        return client_fail(c, CLIENT_HTTP, ecLoginFailure, 401, "%s: the server does not accept this user and password%s%s",
                           what, methods ? "; it offers " : "", methods ? methods : "");
    return client_fail(c, CLIENT_HTTP, ecRpcFailed, t->status, "%s: HTTP status %u %s", what, t->status, http_reason(t->status));
}

static enum ec fail_code(struct client *c, TALLOC_CTX *arena, const struct exchange *x, uint32_t code, struct blob page)
{
    const char *name = code < COUNTOF(response_codes) ? response_codes[code] : "a code that is not defined";
    const char *text = reason(arena, page);
    if (code == CODE_CONTEXT_NOT_FOUND)
        c->contexts[x->endpoint].open = false;
    return client_fail(c, CLIENT_RESPONSE_CODE, code == CODE_CONTEXT_NOT_FOUND ? ecEndOfSession : ecRpcFailed, code,
                       "%s: X-ResponseCode %u, %s%s%s", x->type, code, name, *text ? ": " : "", text);
}

/* The sequence cookie that a NotificationWait or PING carries may be older than what an Execute has brought meanwhile. */
static bool is_sequenced(const struct exchange *x)
{
    return strcmp(x->type, "NotificationWait") != 0 && strcmp(x->type, "PING") != 0;
}

static enum ec read_body(struct client *c, TALLOC_CTX *arena, const struct exchange *x, struct blob body)
{
    if (!x->response_form)
        return ecNone;
    struct wire_in in = wire_in(arena, body);
    in.flavour = x->endpoint == CLIENT_NSPI ? WIRE_NSPI : WIRE_ROP;
    if (!wire_get(&in, x->response_form, x->response))
        return client_fail(c, CLIENT_FORMAT, ecRpcFormat, 0, "%s: the answer ends too early, or is not one", x->type);
    record_struct(c, x->response_form, x->response);
    const uint32_t status = *(const uint32_t *)x->response;          /* every response begins with StatusCode */
    if (status)
        return client_fail(c, CLIENT_STATUS_CODE, (enum ec)status, status, "%s: StatusCode %s, %s", x->type,
                           ec_name((enum ec)status), ec_text((enum ec)status));
    return ecNone;
}

enum ec context_receive(struct client *c, struct transfer *t, TALLOC_CTX *arena, const struct exchange *x)
{
    record_answer(c, t, x->type);
    if (t->status != 200)
        return client_fail_http(c, t, x->type);
    const struct http_headers headers = transfer_headers(t);
    const struct blob body = buf_blob(&t->body);
    const char *code = http_header(&headers, "X-ResponseCode");
    if (!code)
        return client_fail(c, CLIENT_FORMAT, ecRpcFormat, 0, "%s: the answer has no X-ResponseCode; is this a mailbox server?",
                           x->type);
    if (is_sequenced(x))
        keep_cookies(c, arena, x->endpoint, headers);
    if (strtoul(code, NULL, 10))
        return fail_code(c, arena, x, (uint32_t)strtoul(code, NULL, 10), body);
    struct envelope e;
    read_envelope(arena, body, &e);
    if (!e.done)
        return client_fail(c, CLIENT_FORMAT, ecRpcFormat, 0, "%s: the answer has no DONE", x->type);
    if (e.response_code && strtoul(e.response_code, NULL, 10))
        return fail_code(c, arena, x, (uint32_t)strtoul(e.response_code, NULL, 10), e.body);
    return read_body(c, arena, x, e.body);
}

enum ec context_exchange(struct client *c, TALLOC_CTX *arena, const struct exchange *x)
{
    context_send(c, c->call, arena, x);
    const enum ec ec = transfer_finish(c->call);
    return ec ? ec : context_receive(c, c->call, arena, x);
}

/* ---- anything ---- */

static const char *raw_url(TALLOC_CTX *arena, const struct client *c, const char *url)
{
    const char *own = c->contexts[CLIENT_EMSMDB].url;
    if (!url || !own || *url != '/')
        return url ? url : own;
    const char *host = strstr(own, "://");
    const size_t base = host ? (size_t)(host - own) + 3 + strcspn(host + 3, "/") : 0;
    return talloc_asprintf(arena, "%.*s%s", (int)base, own, url);
}

enum ec client_raw(struct client *c, TALLOC_CTX *arena, const struct client_raw *raw, struct client_raw_answer *answer)
{
    const struct http_call call = { .method = raw->method ? raw->method : "POST", .url = raw_url(arena, c, raw->url),
                                    .headers = raw->headers, .body = raw->body, .anonymous = raw->anonymous };
    record_request(c, &call, "(raw)");
    transfer_start(c->call, arena, &call);
    const enum ec ec = transfer_finish(c->call);
    if (ec)
        return ec;
    record_answer(c, c->call, "(raw)");
    *answer = (struct client_raw_answer){ c->call->status, transfer_headers(c->call), buf_blob(&c->call->body) };
    return ecNone;
}
