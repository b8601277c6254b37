/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP by libcurl, and one epoll for all connections of a loop, so that thousands of waiting clients cost one thread. */
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "client/internal.h"

#define EVENTS_AT_ONCE 64
#define STEP_MS 1000u                    /* how long a loop sleeps before it looks around */
#define TIMEOUT_S 60
#define CONNECT_TIMEOUT_S 20
#define SILENCE_S 120                    /* a NotificationWait says PENDING more often than this */

struct client_loop {
    CURLM *multi;
    int epoll;
    uint64_t due;                        /* when libcurl wants to be called, clock_ms(); 0: not */
    struct transfer *ended, **last_ended;
};

/* ---- the loop ---- */

static int on_socket(CURL *easy, curl_socket_t s, int what, void *arg, void *known)
{
    struct client_loop *loop = arg;
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        epoll_ctl(loop->epoll, EPOLL_CTL_DEL, s, NULL);
        return 0;
    }
    struct epoll_event e = { .events = (what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0),
                             .data.fd = s };
    epoll_ctl(loop->epoll, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, s, &e);
    curl_multi_assign(loop->multi, s, loop);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *arg)
{
    struct client_loop *loop = arg;
    (void)multi;
    loop->due = ms < 0 ? 0 : clock_ms() + (uint64_t)ms;
    return 0;
}

static int loop_free(struct client_loop *loop)
{
    curl_multi_cleanup(loop->multi);
    close(loop->epoll);
    return 0;
}

struct client_loop *client_loop_new(TALLOC_CTX *owner)
{
    struct client_loop *loop = talloc_zero(owner, struct client_loop);
    loop->multi = curl_multi_init();
    loop->epoll = epoll_create1(EPOLL_CLOEXEC);
    loop->last_ended = &loop->ended;
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop);
    curl_multi_setopt(loop->multi, CURLMOPT_MAXCONNECTS, 100000L);
    curl_multi_setopt(loop->multi, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    talloc_set_destructor(loop, loop_free);
    return loop;
}

static void collect_ended(struct client_loop *loop)
{
    int left;
    for (CURLMsg *m; (m = curl_multi_info_read(loop->multi, &left));) {
        struct transfer *t;
        if (m->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, (char **)&t);
        t->result = m->data.result;
        t->done = true;
        t->running = false;
        curl_multi_remove_handle(loop->multi, t->easy);
        if (t->is_wait) {
            t->next = NULL;
            *loop->last_ended = t;
            loop->last_ended = &t->next;
        }
    }
}

static void take_from_ended(struct client_loop *loop, struct transfer *t)
{
    struct transfer **at = &loop->ended;
    while (*at && *at != t)
        at = &(*at)->next;
    if (!*at)
        return;
    *at = t->next;
    if (!*at)
        loop->last_ended = at;
}

void loop_step(struct client_loop *loop, unsigned ms)
{
    struct epoll_event events[EVENTS_AT_ONCE];
    const uint64_t now = clock_ms();
    if (loop->due)
        ms = loop->due <= now ? 0 : (unsigned)MIN(loop->due - now, ms);
    const int n = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, (int)ms);
    int running;
    for (int i = 0; i < n; i++) {
        const uint32_t e = events[i].events;
        const int what = (e & EPOLLIN ? CURL_CSELECT_IN : 0) | (e & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                         (e & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        curl_multi_socket_action(loop->multi, events[i].data.fd, what, &running);
    }
    if (loop->due && loop->due <= clock_ms()) {
        loop->due = 0;
        curl_multi_socket_action(loop->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    collect_ended(loop);
}

struct client *client_loop_next(struct client_loop *loop, unsigned ms)
{
    const uint64_t until = clock_ms() + ms;
    while (!loop->ended) {
        const uint64_t now = clock_ms();
        loop_step(loop, (unsigned)MIN(until > now ? until - now : 0, STEP_MS));
        if (clock_ms() >= until)
            break;
    }
    struct transfer *t = loop->ended;
    if (t)
        take_from_ended(loop, t);
    return t ? t->client : NULL;
}

/* ---- one request ---- */

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    buf_add(&t->body, data, size * n);
    return size * n;
}

/* A status line begins anew: what came before was 100 Continue, or asked for a sign-in. */
static size_t on_header(char *data, size_t size, size_t n, void *arg)
{
    struct transfer *t = arg;
    const char *colon = memchr(data, ':', size * n);
    size_t length = size * n;
    while (length && strchr("\r\n ", data[length - 1]))
        length--;
    if (strncmp(data, "HTTP/", MIN(length, 5)) == 0 && length > 5) {
        t->header_count = 0;
    } else if (colon && colon < data + length) {
        const size_t name = (size_t)(colon - data);
        const size_t skip = name + 1 + strspn(colon + 1, " \t");
        t->headers = talloc_realloc(t->arena, t->headers, struct http_header, t->header_count + 1);
        t->headers[t->header_count++] = (struct http_header){
            talloc_strndup(t->arena, data, name), talloc_strndup(t->arena, data + skip, length - MIN(skip, length)) };
    }
    return size * n;
}

static int transfer_free(struct transfer *t)
{
    transfer_cancel(t);
    curl_easy_cleanup(t->easy);
    curl_slist_free_all(t->lines);
    curl_slist_free_all(t->route);
    return 0;
}

static void set_route(struct transfer *t, const char *connect_to)
{
    if (!connect_to)
        return;
    char *line = talloc_asprintf(t, "::%s", connect_to);
    t->route = curl_slist_append(NULL, line);
    talloc_free(line);
    curl_easy_setopt(t->easy, CURLOPT_CONNECT_TO, t->route);
    curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
}

static void set_security(struct transfer *t, const struct client_options *o)
{
    if (o->ca_file)
        curl_easy_setopt(t->easy, CURLOPT_CAINFO, o->ca_file);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, o->insecure ? 0L : 1L);
    curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, o->insecure ? 0L : 2L);
}

struct transfer *transfer_new(struct client *c, bool is_wait)
{
    struct transfer *t = talloc_zero(c, struct transfer);
    const struct client_options *o = &c->options;
    t->client = c;
    t->is_wait = is_wait;
    t->easy = curl_easy_init();
    talloc_set_destructor(t, transfer_free);
    curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
    curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
    curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->why);
    curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_TIMEOUT_S);
    curl_easy_setopt(t->easy, CURLOPT_TIMEOUT, is_wait ? 0L : o->timeout_s ? (long)o->timeout_s : (long)TIMEOUT_S);
    if (is_wait) {
        curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(t->easy, CURLOPT_LOW_SPEED_TIME, (long)SILENCE_S);
        curl_easy_setopt(t->easy, CURLOPT_BUFFERSIZE, 2048L);
    }
    set_route(t, o->connect_to);
    set_security(t, o);
    return t;
}

static void set_sign_in(struct transfer *t, bool anonymous)
{
    const struct client_options *o = &t->client->options;
    const bool known = !anonymous && o->user && o->password;
    curl_easy_setopt(t->easy, CURLOPT_HTTPAUTH, known ? (long)CURLAUTH_BASIC : (long)CURLAUTH_NONE);
    curl_easy_setopt(t->easy, CURLOPT_USERNAME, known ? o->user : NULL);
    curl_easy_setopt(t->easy, CURLOPT_PASSWORD, known ? o->password : NULL);
}

static void set_method(struct transfer *t, const struct http_call *call)
{
    const bool with_body = call->body.size || strcmp(call->method, "POST") == 0;
    if (with_body) {
        curl_easy_setopt(t->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, call->body.size ? (const char *)call->body.data : "");
        curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body.size);
    } else {
        curl_easy_setopt(t->easy, CURLOPT_HTTPGET, 1L);
    }
    curl_easy_setopt(t->easy, CURLOPT_NOBODY, strcmp(call->method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, call->method);
}

/* Without what libcurl would add by itself. */
static void set_headers(struct transfer *t, const char *const *headers)
{
    bool has_type = false, has_accept = false;
    curl_slist_free_all(t->lines);
    t->lines = curl_slist_append(NULL, "Expect:");
    for (; headers && *headers; headers++) {
        has_type |= text_is_prefix(*headers, "Content-Type:");
        has_accept |= text_is_prefix(*headers, "Accept:");
        t->lines = curl_slist_append(t->lines, *headers);
    }
    if (!has_type)
        t->lines = curl_slist_append(t->lines, "Content-Type:");
    if (!has_accept)
        t->lines = curl_slist_append(t->lines, "Accept:");
    curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->lines);
}

void transfer_start(struct transfer *t, TALLOC_CTX *arena, const struct http_call *call)
{
    t->arena = arena;
    t->headers = NULL;
    t->header_count = 0;
    t->status = 0;
    t->done = false;
    t->running = true;
    t->why[0] = '\0';
    buf_init(&t->body, arena);
    set_sign_in(t, call->anonymous);
    set_method(t, call);
    set_headers(t, call->headers);
    curl_easy_setopt(t->easy, CURLOPT_URL, call->url);
    curl_multi_add_handle(t->client->loop->multi, t->easy);
}

enum ec transfer_result(struct transfer *t)
{
    long status = 0;
    struct client *c = t->client;
    if (t->is_wait)
        take_from_ended(c->loop, t);
    t->done = false;
    if (t->result != CURLE_OK)
        return client_fail(c, CLIENT_TRANSPORT, ecRpcFailed, t->result, "%s",
                           t->why[0] ? t->why : curl_easy_strerror(t->result));
    curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
    t->status = (unsigned)status;
    return ecNone;
}

enum ec transfer_finish(struct transfer *t)
{
    while (!t->done)
        loop_step(t->client->loop, STEP_MS);
    return transfer_result(t);
}

void transfer_cancel(struct transfer *t)
{
    if (t->running)
        curl_multi_remove_handle(t->client->loop->multi, t->easy);
    take_from_ended(t->client->loop, t);
    t->running = t->done = false;
}
