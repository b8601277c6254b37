/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "front/certificate.h"
#include "front/inside.h"

static TALLOC_CTX *arena, *clients;
static struct front *front;
static struct front_config config;
static char folder[] = "/tmp/oxcart-front-XXXXXX";
static char *certificate, *key;

/* A gate that a handler waits at until the test opens it, and a bell that a handler rings. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned gate, bell;

static void count_up(unsigned *what)
{
    pthread_mutex_lock(&lock);
    ++*what;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static void wait_for(unsigned *what)
{
    pthread_mutex_lock(&lock);
    while (!*what)
        pthread_cond_wait(&changed, &lock);
    --*what;
    pthread_mutex_unlock(&lock);
}

/* The server's side. */

static atomic_uint sign_ins, generation, methods, handled;

static enum ec sign_in(void *context, TALLOC_CTX *owner, const char *user, const char *password, struct http_user *out)
{
    assert_ptr_equal(context, &config);
    atomic_fetch_add(&sign_ins, 1);
    if (strcmp(user, "broken") == 0)
        return ecDiskFull;
    if (strcmp(user, "m\xC3\xBCller") == 0 && strcmp(password, "gr\xC3\xBC\xC3\x9F:e") == 0) {
        *out = (struct http_user){ "CONTOSO\\m\xC3\xBCller", "2" };
        return ecNone;
    }
    if (strcasestr(user, "alice") == NULL || strcmp(password, "Passw0rd!") != 0)
        return ecLoginFailure;
    *out = (struct http_user){ talloc_asprintf(owner, "CONTOSO\\%s", "alice"), talloc_strdup(owner, "1") };
    return ecNone;
}

static uint64_t generation_now(void *context)
{
    (void)context;
    return atomic_load(&generation);
}

static unsigned methods_now(void *context, const char *virtual_directory)
{
    (void)context;
    assert_string_equal(virtual_directory, "mapi");
    return atomic_load(&methods);
}

static void echo(struct http_request *request, struct http_answer *answer)
{
    atomic_fetch_add(&handled, 1);
    http_answer_header(answer, "X-User", "%s", request->user ? request->user->name : "");
    http_answer_header(answer, "X-Peer", "%s", request->peer);
    http_answer_header(answer, "X-Tls", "%d", request->is_tls);
    http_answer_header(answer, "X-Below", "%s", request->below);
    http_answer_header(answer, "X-Query", "%s", request->query);
    http_answer_header(answer, "X-Method", "%s", request->method);
    http_answer_header(answer, "X-Context", "%s", (const char *)request->context);
    if (request->too_large)
        http_answer_text(answer, 413, "too large\n");
    else
        http_answer_send(answer, 200, "application/octet-stream", request->body);
}

static void gated(struct http_request *request, struct http_answer *answer)
{
    (void)request;
    count_up(&bell);
    wait_for(&gate);
    http_answer_text(answer, 200, "at last\n");
}

static void streamed(struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_answer_begin(answer, 200, "application/mapi-http");
    http_answer_chunk(answer, BLOB_OF("PROCESSING\r\n", 12));
    wait_for(&gate);
    http_answer_end(answer, BLOB_OF("DONE\r\n", 6));
}

static void ticking(struct http_request *request, struct http_answer *answer)
{
    (void)request;
    http_answer_begin(answer, 200, "application/mapi-http");
    http_answer_pulse(answer, 5, BLOB_OF("PENDING\r\n", 9));
    wait_for(&gate);
    http_answer_end(answer, BLOB_OF("DONE\r\n", 6));
}

static struct http_answer *parked;
static enum http_answer_event events[8];
static unsigned event_count;

static void watcher(struct http_answer *answer, enum http_answer_event event, void *arg)
{
    assert_ptr_equal(arg, events);
    pthread_mutex_lock(&lock);
    events[event_count++ % COUNTOF(events)] = event;
    pthread_mutex_unlock(&lock);
    if (event == HTTP_TIME_UP || event == HTTP_STOPPING) {
        http_answer_end(answer, event == HTTP_STOPPING ? BLOB_OF("STOPPING\r\n", 10) : BLOB_OF("NOTHING\r\n", 9));
        http_answer_release(answer);
    }
    count_up(&bell);
}

static void waiting(struct http_request *request, struct http_answer *answer)
{
    http_answer_park(answer);
    http_answer_begin(answer, 200, "application/mapi-http");
    parked = answer;
    if (strcmp(request->query, "alarm") == 0)
        http_answer_alarm(answer, 1);
    http_answer_watch(answer, watcher, events);
    http_answer_chunk(answer, BLOB_OF("PROCESSING\r\n", 12));
}

/* Parks without a watcher, for the clients of the memory test. */
static void long_poll(struct http_request *request, struct http_answer *answer)
{
    http_answer_park(answer);
    http_answer_watch(answer, (http_answer_watcher *)request->context, NULL);
    http_answer_begin(answer, 200, "application/mapi-http");
    http_answer_pulse(answer, 30000, BLOB_OF("PENDING\r\n", 9));
    http_answer_alarm(answer, 300000);
    http_answer_chunk(answer, BLOB_OF("PROCESSING\r\n", 12));
}

static void long_poll_over(struct http_answer *answer, enum http_answer_event event, void *arg)
{
    (void)arg;
    if (event == HTTP_GONE || event == HTTP_STOPPING) {
        if (event == HTTP_STOPPING)
            http_answer_end(answer, BLOB_OF("", 0));
        http_answer_release(answer);
    }
}

static void big(struct http_request *request, struct http_answer *answer)
{
    const size_t size = 32 << 20;
    uint8_t *body = talloc_zero_size(request->arena, size);
    http_answer_send(answer, 200, "application/octet-stream", BLOB_OF(body, size));
    count_up(&bell);
}

static void forgetful(struct http_request *request, struct http_answer *answer)
{
    (void)request, (void)answer;
}

static struct front_route routes[] = {
    { "/mapi/emsmdb/", FRONT_EXACT, "mapi", FRONT_SIGNED_IN, 1 << 20, echo, (void *)"emsmdb" },
    { "/autodiscover/autodiscover.json", FRONT_BELOW, "Autodiscover", FRONT_ANYBODY, 0, echo, (void *)"json" },
    { "/mapi/healthcheck.htm", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, front_healthcheck, (void *)"mail.contoso.com" },
    { "/open", FRONT_EXACT, "mapi", FRONT_ANYBODY, 1 << 20, echo, (void *)"open" },
    { "/gated", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, gated, NULL },
    { "/mapi/gated", FRONT_EXACT, "mapi", FRONT_SIGNED_IN, 0, gated, NULL },
    { "/streamed", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, streamed, NULL },
    { "/ticking", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, ticking, NULL },
    { "/waiting", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, waiting, NULL },
    { "/big", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, big, NULL },
    { "/forgetful", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, forgetful, NULL },
    { "/longpoll", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, long_poll, (void *)long_poll_over },
};

static void make_certificate(const char *certificate_file, const char *key_file, const char *name)
{
    const char *const names[] = { name, "localhost", "127.0.0.1", "::1" };
    char *why = NULL;
    if (certificate_create(arena, certificate_file, key_file, names, COUNTOF(names), &why) != ecNone)
        fail_msg("%s", why);
}

static void open_front(void)
{
    char *why = NULL;
    if (front_open(&front, arena, &config, &why) != ecNone)
        fail_msg("%s", why);
}

static int prepare(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    clients = talloc_new(arena);
    gate = bell = event_count = 0;
    sign_ins = generation = handled = 0;
    methods = FRONT_BASIC;
    config = (struct front_config){ .https = "127.0.0.1:0",
                                    .http = "127.0.0.1:0",
                                    .certificate = certificate,
                                    .key = key,
                                    .hostname = "mail.contoso.com",
                                    .routes = routes,
                                    .route_count = COUNTOF(routes),
                                    .context = &config,
                                    .sign_in = sign_in,
                                    .generation = generation_now,
                                    .methods = methods_now,
                                    .workers = 4 };
    front = NULL;
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    talloc_free(clients); /* so that the server need not wait for them to close */
    if (front)
        front_close(front, 20000);
    return talloc_free(arena);
}

/* The client's side: plain blocking sockets. */

struct client {
    int fd;
    SSL *ssl;
    struct buf heard;
    size_t used;
};

struct reply {
    unsigned status;
    char *head, *body;
    size_t body_size;
};

static int client_gone(struct client *client)
{
    SSL_free(client->ssl);
    if (client->fd >= 0)
        close(client->fd);
    return 0;
}

static struct client *client_of_port(unsigned port)
{
    struct client *client = talloc_zero(clients, struct client);
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const struct timeval patience = { .tv_sec = 20 }; /* a test that hangs fails */
    buf_init(&client->heard, client);
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    talloc_set_destructor(client, client_gone);
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&at, sizeof at), 0);
    return client;
}

static SSL_CTX *client_tls;

static struct client *client_new(bool tls)
{
    struct client *client = client_of_port(tls ? front_https_port(front) : front_http_port(front));
    if (tls) {
        client->ssl = SSL_new(client_tls);
        SSL_set_fd(client->ssl, client->fd);
        assert_int_equal(SSL_connect(client->ssl), 1);
    }
    return client;
}

static void say_bytes(struct client *client, const void *bytes, size_t size)
{
    if (client->ssl)
        assert_int_equal(SSL_write(client->ssl, bytes, (int)size), (int)size);
    else
        assert_int_equal(send(client->fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void say(struct client *client, const char *text)
{
    say_bytes(client, text, strlen(text));
}

static bool hear_more(struct client *client)
{
    char bytes[16384];
    const ssize_t n =
        client->ssl ? SSL_read(client->ssl, bytes, sizeof bytes) : recv(client->fd, bytes, sizeof bytes, 0);
    if (n > 0)
        buf_add(&client->heard, bytes, (size_t)n);
    return n > 0;
}

static char *unread(struct client *client)
{
    return talloc_strndup(client, client->heard.data ? (char *)client->heard.data + client->used : "",
                          client->heard.size - client->used);
}

static bool hear_until(struct client *client, const char *text)
{
    while (!strstr(unread(client), text))
        if (!hear_more(client))
            return false;
    return true;
}

static void hear_bytes(struct client *client, size_t size)
{
    while (client->heard.size - client->used < size)
        assert_true(hear_more(client));
}

static bool hear_end(struct client *client)
{
    while (hear_more(client))
        ;
    return errno != EAGAIN;
}

static char *header_in(const char *head, const char *name)
{
    char *line = strcasestr(head, talloc_asprintf(arena, "\r\n%s: ", name));
    return line ? talloc_strndup(arena, line + strlen(name) + 4, strcspn(line + strlen(name) + 4, "\r")) : NULL;
}

static void hear_chunks(struct client *client, struct reply *reply)
{
    size_t size;
    do {
        assert_true(hear_until(client, "\r\n"));
        const char *line = unread(client);
        size = strtoul(line, NULL, 16);
        client->used += strcspn(line, "\r") + 2;
        hear_bytes(client, size + 2);
        reply->body = talloc_asprintf_append(reply->body, "%.*s", (int)size, client->heard.data + client->used);
        client->used += size + 2;
    } while (size);
    reply->body_size = strlen(reply->body);
}

static struct reply hear(struct client *client)
{
    struct reply reply = { 0 };
    if (!hear_until(client, "\r\n\r\n"))
        fail_msg("no answer, only: %s", unread(client));
    char *text = unread(client), *end = strstr(text, "\r\n\r\n");
    reply.head = talloc_strndup(arena, text, (size_t)(end - text) + 2);
    reply.status = (unsigned)atoi(reply.head + 9);
    client->used += strlen(reply.head) + 2;
    reply.body = talloc_strdup(arena, "");
    const char *length = header_in(reply.head, "Content-Length");
    if (header_in(reply.head, "Transfer-Encoding")) {
        hear_chunks(client, &reply);
    } else if (length) {
        reply.body_size = strtoul(length, NULL, 10);
        hear_bytes(client, reply.body_size);
        reply.body = talloc_strndup(arena, (char *)client->heard.data + client->used, reply.body_size);
        client->used += reply.body_size;
    }
    return reply;
}

#define HOST "Host: mail.contoso.com\r\n"
#define ALICE "Authorization: Basic YWxpY2VAY29udG9zby5jb206UGFzc3cwcmQh\r\n" /* alice@contoso.com:Passw0rd! */

static void say_post(struct client *client, const char *path, const char *lines, const char *body)
{
    say(client, talloc_asprintf(arena, "POST %s HTTP/1.1\r\n" HOST "%sContent-Length: %zu\r\n\r\n%s", path, lines,
                                strlen(body), body));
}

static void say_get(struct client *client, const char *path)
{
    say(client, talloc_asprintf(arena, "GET %s HTTP/1.1\r\n" HOST "\r\n", path));
}

static char *basic(const char *pair)
{
    return talloc_asprintf(arena, "Authorization: basic %s\r\n", base64_text(arena, BLOB_OF(pair, strlen(pair))));
}

static void assert_header(const struct reply *reply, const char *name, const char *want)
{
    const char *value = header_in(reply->head, name);
    if (!value)
        fail_msg("no %s in %s", name, reply->head);
    assert_string_equal(value, want);
}

/* Polls for what another thread will do; nothing rings a bell for it. */
static void until_zero(atomic_uint *value)
{
    for (int i = 0; i < 20000 && atomic_load(value); i++)
        poll(NULL, 0, 1);
    assert_int_equal(atomic_load(value), 0);
}

static void quiet_log(bool quiet)
{
    static FILE *nowhere;
    if (!nowhere)
        nowhere = fopen("/dev/null", "w");
    log_to(quiet ? nowhere : NULL, LOG_INFO);
}

/* Tests. */

static void a_connection_serves_one_request_after_the_other(void **state)
{
    (void)state;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls);
        for (int i = 0; i < 3; i++) {
            say_post(client, "/open", "", "hello");
            struct reply reply = hear(client);
            assert_int_equal(reply.status, 200);
            assert_string_equal(reply.body, "hello");
            assert_header(&reply, "X-Tls", tls ? "1" : "0");
            assert_header(&reply, "X-Peer", "127.0.0.1");
            assert_header(&reply, "X-Context", "open");
            assert_null(header_in(reply.head, "Connection"));
        }
    }
}

static void requests_that_come_at_once_are_answered_in_order(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say(client, "POST /open HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\none"
                "POST /open HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
                "GET /nowhere HTTP/1.1\r\n" HOST "\r\n"
                "POST /open HTTP/1.1\r\n" HOST "Content-Length: 5\r\nConnection: close\r\n\r\nthree");
    assert_string_equal(hear(client).body, "one");
    assert_string_equal(hear(client).body, "two");
    assert_int_equal(hear(client).status, 404);
    struct reply last = hear(client);
    assert_string_equal(last.body, "three");
    assert_header(&last, "Connection", "close");
    assert_true(hear_end(client));
}

static void paths_are_found_without_case_and_the_rest_is_404(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        unsigned status;
        const char *below;
    } cases[] = {
        { "/open", 200, "" },
        { "/OPEN/", 200, "/" },
        { "/x/../open", 200, "" },
        { "//open", 200, "" },
        { "/%6fpen", 200, "" },
        { "/AutoDiscover/AutoDiscover.json", 200, "" },
        { "/autodiscover/autodiscover.json/v1.0/alice%40contoso.com?a=b", 200, "/v1.0/alice@contoso.com" },
        { "/autodiscover/autodiscover.jsonx", 404, NULL },
        { "/open/x", 404, NULL },
        { "/ope", 404, NULL },
        { "/EWS/Exchange.asmx", 404, NULL },
        { "/owa/", 404, NULL },
        { "/", 404, NULL },
        { "/mapi/", 404, NULL },
    };
    open_front();
    struct client *client = client_new(false);
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        say_get(client, cases[i].path);
        struct reply reply = hear(client);
        assert_int_equal(reply.status, cases[i].status);
        if (cases[i].below)
            assert_header(&reply, "X-Below", cases[i].below);
    }
    say(client, "OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    assert_int_equal(hear(client).status, 404);
}

static void healthcheck_answers_anybody_with_the_hosts_name(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say_get(client, "/mapi/HealthCheck.htm");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "200 OK<br/>mail.contoso.com");
    assert_header(&reply, "X-FEServer", "mail.contoso.com");
    say(client, "HEAD /mapi/healthcheck.htm HTTP/1.1\r\n" HOST "Connection: close\r\n\r\n");
    assert_true(hear_until(client, "\r\n\r\n"));
    assert_true(hear_end(client));
    assert_true(strncmp(unread(client), "HTTP/1.1 200 ", 13) == 0);
    assert_non_null(strstr(unread(client), "\r\nContent-Length: 27\r\n"));
    assert_string_equal(strstr(unread(client), "\r\n\r\n"), "\r\n\r\n");
    client = client_new(true);
    say_post(client, "/mapi/healthcheck.htm", "", "");
    reply = hear(client);
    assert_int_equal(reply.status, 405);
    assert_header(&reply, "Allow", "GET, HEAD");
}

static void a_piece_is_seen_before_the_answer_ends(void **state)
{
    (void)state;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls);
        say_get(client, "/streamed");
        assert_true(hear_until(client, "c\r\nPROCESSING\r\n\r\n")); /* [MS-OXCMAPIHTTP] 2.2.7 */
        count_up(&gate);
        assert_string_equal(hear(client).body, "PROCESSING\r\nDONE\r\n");
        say_post(client, "/open", "", "again");
        assert_string_equal(hear(client).body, "again");
    }
}

static void a_pulse_speaks_while_the_worker_is_busy(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say_get(client, "/ticking");
    assert_true(hear_until(client, "PENDING\r\n\r\n9\r\nPENDING\r\n"));
    count_up(&gate);
    struct reply reply = hear(client);
    const char *done = strstr(reply.body, "DONE\r\n");
    assert_non_null(done);
    assert_string_equal(done, "DONE\r\n"); /* nothing after it */
}

static void a_parked_answer_is_completed_by_another_thread(void **state)
{
    (void)state;
    config.workers = 1;
    open_front();
    struct client *client = client_new(true), *other = client_new(true);
    say_get(client, "/waiting");
    assert_true(hear_until(client, "PROCESSING"));
    say_post(other, "/open", "", "meanwhile"); /* the only worker is free */
    assert_string_equal(hear(other).body, "meanwhile");
    http_answer_end(parked, BLOB_OF("DONE\r\n", 6));
    assert_string_equal(hear(client).body, "PROCESSING\r\nDONE\r\n");
    wait_for(&bell);
    assert_int_equal(events[0], HTTP_SENT);
    assert_int_equal(event_count, 1);
    http_answer_release(parked);
    say_post(client, "/open", "", "kept");
    assert_string_equal(hear(client).body, "kept");
}

static void an_alarm_ends_a_parked_answer(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say_get(client, "/waiting?alarm");
    assert_string_equal(hear(client).body, "PROCESSING\r\nNOTHING\r\n");
    wait_for(&bell);
    wait_for(&bell);
    assert_int_equal(event_count, 2);
    assert_int_equal(events[0], HTTP_TIME_UP);
    assert_int_equal(events[1], HTTP_SENT);
}

static void close_politely(struct client *client)
{
    if (client->ssl)
        SSL_shutdown(client->ssl);
    shutdown(client->fd, SHUT_WR);
}

static void close_by_reset(struct client *client)
{
    const struct linger now = { .l_onoff = 1 };
    setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(client->fd);
    client->fd = -1;
}

static void close_dirtily(struct client *client)
{
    close(client->fd); /* TLS without close_notify */
    client->fd = -1;
}

static void a_waiting_client_that_closes_is_noticed(void **state)
{
    (void)state;
    static void (*const ways[])(struct client *) = { close_politely, close_by_reset, close_dirtily };
    open_front();
    for (size_t i = 0; i < 2 * COUNTOF(ways); i++) {
        struct client *client = client_new(i % 2);
        event_count = 0;
        say_get(client, "/waiting");
        assert_true(hear_until(client, "PROCESSING"));
        ways[i / 2](client);
        wait_for(&bell);
        assert_int_equal(event_count, 1);
        assert_int_equal(events[0], HTTP_GONE);
        http_answer_chunk(parked, BLOB_OF("late", 4)); /* harmless */
        http_answer_end(parked, BLOB_OF("late", 4));
        assert_true(http_answer_is_over(parked));
        http_answer_release(parked);
        talloc_free(client);
    }
    until_zero(&front->connections);
}

static void a_worker_that_finishes_after_its_client_is_harmless(void **state)
{
    (void)state;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls);
        say_get(client, "/gated");
        wait_for(&bell);
        close_by_reset(client);
        until_zero(&front->connections);
        count_up(&gate);
    }
    struct client *client = client_new(true);
    say_post(client, "/open", "", "fine");
    assert_string_equal(hear(client).body, "fine");
}

static void a_client_that_only_closed_its_half_gets_its_answer(void **state)
{
    (void)state;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls);
        say_get(client, "/gated");
        wait_for(&bell);
        close_politely(client);
        count_up(&gate);
        assert_string_equal(hear(client).body, "at last\n");
        assert_true(hear_end(client));
    }
}

static void a_handler_that_forgets_its_answer_gives_500(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    quiet_log(true);
    say_get(client, "/forgetful");
    assert_int_equal(hear(client).status, 500);
    quiet_log(false);
    assert_true(hear_end(client));
}

static void without_credentials_401_names_the_methods_and_keeps_the_connection(void **state)
{
    (void)state;
    methods = FRONT_BASIC | FRONT_NEGOTIATE | FRONT_NTLM | FRONT_OAUTH;
    open_front();
    struct client *client = client_new(true);
    say_post(client, "/mapi/emsmdb/?MailboxId=1", "", "not read by anybody");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 401); /* [MS-OXCMAPIHTTP] 2.2.2 */
    assert_non_null(strstr(reply.head, "\r\nWWW-Authenticate: Negotiate\r\nWWW-Authenticate: NTLM\r\n"
                                       "WWW-Authenticate: Bearer\r\n"
                                       "WWW-Authenticate: Basic realm=\"mail.contoso.com\"\r\n"));
    assert_null(header_in(reply.head, "Connection"));
    say_post(client, "/mapi/emsmdb/?MailboxId=1", ALICE, "hello");
    reply = hear(client);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "hello");
    assert_header(&reply, "X-User", "CONTOSO\\alice");
    assert_header(&reply, "X-Query", "MailboxId=1");
    assert_int_equal(handled, 1);
}

static void wrong_credentials_give_401_each_time(void **state)
{
    (void)state;
    static const char *const wrong[] = { "alice@contoso.com:passw0rd!", "bob:Passw0rd!", "alice:", ":", "alice" };
    open_front();
    struct client *client = client_new(true);
    quiet_log(true);
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        say_post(client, "/mapi/emsmdb/", basic(wrong[i]), "hello");
        assert_int_equal(hear(client).status, 401);
    }
    static const char *const broken[] = {
        "Authorization: Basic\r\n",          "Authorization: Basic !!!\r\n",
        "Authorization: Negotiate YII=\r\n", "Authorization: NTLM TlRMTVNTUAAB\r\n",
        "Authorization: Basic AGE6Yg==\r\n", "Authorization: \r\n",
    };
    for (size_t i = 0; i < COUNTOF(broken); i++) {
        say_post(client, "/mapi/emsmdb/", broken[i], "hello");
        assert_int_equal(hear(client).status, 401);
    }
    quiet_log(false);
    assert_int_equal(handled, 0);
}

static void a_failed_sign_in_is_logged_once_and_without_the_password(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    open_front();
    struct client *client = client_new(true);
    FILE *log = open_memstream(&text, &size);
    log_to(log, LOG_DEBUG);
    say_post(client, "/mapi/emsmdb/", basic("alice@contoso.com:s3cret"), "hello");
    assert_int_equal(hear(client).status, 401);
    log_to(NULL, LOG_INFO);
    fclose(log);
    const char *line = strstr(text, "sign-in of 'alice@contoso.com' from 127.0.0.1 to /mapi/emsmdb/ failed");
    assert_non_null(line);
    assert_null(strstr(line + 1, "sign-in of"));
    assert_null(strstr(text, "s3cret"));
    free(text);
}

static void a_user_may_type_any_form_of_the_name_and_any_characters(void **state)
{
    (void)state;
    static const char *const right[] = {
        "alice@contoso.com:Passw0rd!", "ALICE@CONTOSO.COM:Passw0rd!",        "contoso.com\\alice:Passw0rd!",
        "CONTOSO\\alice:Passw0rd!",    "m\xC3\xBCller:gr\xC3\xBC\xC3\x9F:e", "m\xFCller:gr\xFC\xDF:e",
    };
    open_front();
    struct client *client = client_new(true);
    for (size_t i = 0; i < COUNTOF(right); i++) {
        say_post(client, "/mapi/emsmdb/", basic(right[i]), "");
        assert_int_equal(hear(client).status, 200);
    }
}

static void a_password_is_verified_once_until_something_changes(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true), *other = client_new(true);
    for (int i = 0; i < 3; i++) {
        say_post(i % 2 ? client : other, "/mapi/emsmdb/", ALICE, "");
        assert_int_equal(hear(i % 2 ? client : other).status, 200);
    }
    assert_int_equal(sign_ins, 1);
    generation = 1;
    say_post(client, "/mapi/emsmdb/", ALICE, "");
    assert_int_equal(hear(client).status, 200);
    assert_int_equal(sign_ins, 2);
}

static void methods_take_effect_with_the_next_request(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say_post(client, "/mapi/emsmdb/", ALICE, "");
    assert_int_equal(hear(client).status, 200);
    methods = FRONT_NEGOTIATE;
    say_post(client, "/mapi/emsmdb/", ALICE, "hello"); /* remembered, but not offered any more */
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 401);
    assert_header(&reply, "WWW-Authenticate", "Negotiate");
    say_post(client, "/mapi/emsmdb/", basic("CONTOSO\\alice:Passw0rd!"), "hello");
    assert_int_equal(hear(client).status, 401);
    assert_int_equal(sign_ins, 1);
    methods = FRONT_BASIC;
    say_post(client, "/mapi/emsmdb/", ALICE, "");
    assert_int_equal(hear(client).status, 200);
}

static void a_directory_that_fails_is_no_wrong_password(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    quiet_log(true);
    say_post(client, "/mapi/emsmdb/", basic("broken:x"), "");
    struct reply reply = hear(client);
    quiet_log(false);
    assert_int_equal(reply.status, 503);
    assert_null(header_in(reply.head, "WWW-Authenticate"));
}

static void plain_HTTP_takes_a_password_on_loopback_only(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(false);
    say_post(client, "/mapi/emsmdb/", ALICE, "");
    assert_int_equal(hear(client).status, 200);
    /* Nobody has listed this proxy, so what it says counts for nothing. */
    say_post(client, "/mapi/emsmdb/", ALICE "X-Forwarded-Proto: http\r\nX-Forwarded-For: 10.1.2.3\r\n", "");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 200);
    assert_header(&reply, "X-Peer", "127.0.0.1");
    assert_header(&reply, "X-Tls", "0");
}

static void a_listed_proxy_says_who_the_client_is_and_whether_it_came_by_TLS(void **state)
{
    (void)state;
    static const char *const proxies[] = { "127.0.0.0/8", "10.9.0.0/16", NULL };
    config.proxies = proxies;
    open_front();
    struct client *client = client_new(false);
    say_post(client, "/mapi/emsmdb/",
             ALICE "X-Forwarded-Proto: https\r\nX-Forwarded-For: 6.6.6.6, 10.1.2.3:555\r\n"
                   "X-Forwarded-For: 10.9.1.1\r\n",
             "");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 200);
    assert_header(&reply, "X-Peer", "10.1.2.3");
    assert_header(&reply, "X-Tls", "1");

    say_post(client, "/mapi/emsmdb/", ALICE "X-Forwarded-Proto: http\r\n", "");
    reply = hear(client);
    assert_int_equal(reply.status, 403);
    assert_null(header_in(reply.head, "WWW-Authenticate"));

    methods = FRONT_BASIC | FRONT_NEGOTIATE;
    say_post(client, "/mapi/emsmdb/", "X-Forwarded-Proto: http\r\n", "");
    reply = hear(client);
    assert_int_equal(reply.status, 401);
    assert_null(strstr(reply.head, "Basic"));

    say_post(client, "/open", "X-Forwarded-For: rubbish\r\n", "");
    reply = hear(client);
    assert_header(&reply, "X-Peer", "127.0.0.1");
}

static void a_body_is_not_read_before_the_sign_in(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say(client, "POST /mapi/emsmdb/ HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 401);          /* no 100 first */
    assert_header(&reply, "Connection", "close"); /* nobody knows whether the body will come */
    assert_true(hear_end(client));

    client = client_new(true);
    say(client, "POST /mapi/emsmdb/ HTTP/1.1\r\n" HOST "Content-Length: 1073741824\r\n\r\n");
    reply = hear(client);
    assert_int_equal(reply.status, 401);
    assert_header(&reply, "Connection", "close");
    assert_true(hear_end(client));
}

static void an_expectation_is_met_when_the_body_is_wanted(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    say(client, "POST /mapi/emsmdb/ HTTP/1.1\r\n" HOST ALICE "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_int_equal(hear(client).status, 100);
    say(client, "hello");
    assert_string_equal(hear(client).body, "hello");

    say(client,
        "POST /mapi/emsmdb/ HTTP/1.1\r\n" HOST ALICE "Expect: 100-continue\r\nContent-Length: 1073741824\r\n\r\n");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 413); /* without having asked for it */
    assert_header(&reply, "Connection", "close");
}

static void a_body_over_the_limit_reaches_the_handler_as_too_large(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_new(true);
    char *body = talloc_array(arena, char, (1 << 20) + 2);
    memset(body, 'x', (1 << 20) + 1);
    body[(1 << 20) + 1] = 0;
    say_post(client, "/open", "", body + 1); /* exactly the limit */
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 200);
    assert_int_equal(reply.body_size, 1 << 20);
    say_post(client, "/open", "", body);
    reply = hear(client);
    assert_int_equal(reply.status, 413);
    assert_int_equal(front->memory_used, 0);
}

static size_t heap(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd;
}

/* The client of the next test is a process of its own, so that only the server's memory is in this one. */
static pid_t send_forever(unsigned port, const char *head, const char *filler, size_t pieces)
{
    const pid_t child = fork();
    if (child)
        return child;
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool sent = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0 &&
                send(fd, head, strlen(head), MSG_NOSIGNAL) == (ssize_t)strlen(head);
    for (size_t i = 0; sent && i < pieces; i++)
        sent = send(fd, filler, strlen(filler), MSG_NOSIGNAL) == (ssize_t)strlen(filler);
    char answer[16] = "";
    _exit(recv(fd, answer, 12, MSG_WAITALL) == 12 ? atoi(answer + 9) % 256 : 1);
}

static void a_gigabyte_that_is_declared_and_sent_costs_no_memory(void **state)
{
    (void)state;
    open_front();
    char *filler = talloc_array(arena, char, 65536 + 1);
    memset(filler, 'x', 65536);
    filler[65536] = 0;
    char *chunk = talloc_asprintf(arena, "10000\r\n%s\r\n", filler);
    static const char *const heads[] = {
        "RPC_IN_DATA /open HTTP/1.1\r\n" HOST "Content-Length: 1073741824\r\n\r\n",
        "RPC_IN_DATA /open HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n",
    };
    for (size_t i = 0; i < COUNTOF(heads); i++) {
        const size_t before = heap();
        const pid_t child = send_forever(front_http_port(front), heads[i], i ? chunk : filler, 1024); /* 64 MB */
        size_t most = 0;
        int status = 0;
        while (waitpid(child, &status, WNOHANG) == 0) {
            most = MAX(most, heap());
            poll(NULL, 0, 1);
        }
        assert_true(most < before + (8 << 20));
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) != 413 % 256) /* the kernel may reset a client that goes on for so long */
            assert_int_equal(WEXITSTATUS(status), 1);
        assert_int_equal(front->memory_used, 0);
    }
    assert_int_equal(handled, 2);
}

static void broken_requests_are_refused_and_the_connection_closes(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        unsigned status;
    } cases[] = {
        { "rubbish\r\n", 400 },
        { "GET / HTTP/1.1\r\n\r\n", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "A: b\nC: d\r\n\r\n", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n", 400 },
        { "POST /open HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX\r\n", 400 },
        { "GET /open HTTP/3.0\r\n" HOST "\r\n", 505 },
        { "GET /open HTTP/1.1\r\n" HOST "Expect: miracles\r\n\r\n", 417 },
    };
    open_front();
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct client *client = client_new(i % 2);
        say(client, talloc_asprintf(arena, "%sGET /open HTTP/1.1\r\n" HOST "\r\n", cases[i].text));
        struct reply reply = hear(client);
        assert_int_equal(reply.status, cases[i].status);
        assert_header(&reply, "Connection", "close");
        assert_true(hear_end(client));
        assert_string_equal(unread(client), ""); /* the second request was never looked at */
    }
    assert_int_equal(handled, 0);
    assert_int_equal(front->memory_used, 0);
}

static void an_oversized_header_gives_431(void **state)
{
    (void)state;
    open_front();
    char *x = talloc_array(arena, char, 70001);
    memset(x, 'x', 70000);
    x[70000] = 0;
    struct client *client = client_new(true);
    say(client, talloc_asprintf(arena, "GET /open HTTP/1.1\r\n" HOST "A: %s\r\n\r\n", x));
    assert_int_equal(hear(client).status, 431);
    client = client_new(true);
    say(client,
        talloc_asprintf(arena, "GET /open HTTP/1.1\r\n" HOST "Authorization: Negotiate %.*s\r\n\r\n", 30 << 10, x));
    assert_int_equal(hear(client).status, 200);
}

static void slow_clients_lose_their_connection(void **state)
{
    (void)state;
    config.head_ms = config.body_ms = config.keep_alive_ms = 50;
    open_front();
    struct client *client = client_new(false);
    say(client, "GET /open HTTP/1.1\r\nHost:");
    assert_int_equal(hear(client).status, 408);
    client = client_new(false);
    say(client, "POST /open HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhel");
    assert_int_equal(hear(client).status, 408);
    client = client_new(false);
    assert_true(hear_end(client)); /* never said a word */
    client = client_new(true);
    say_post(client, "/open", "", "hello");
    assert_int_equal(hear(client).status, 200);
    assert_true(hear_end(client)); /* idle */
    client = client_of_port(front_https_port(front));
    assert_true(hear_end(client)); /* no handshake */
    until_zero(&front->connections);
    assert_int_equal(front->memory_used, 0);
}

static void a_client_that_does_not_read_loses_its_connection(void **state)
{
    (void)state;
    config.write_ms = 50;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls);
        say_get(client, "/big");
        wait_for(&bell);
        until_zero(&front->connections);
        talloc_free(client);
    }
}

static void a_large_answer_arrives_whole(void **state)
{
    (void)state;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls);
        say_get(client, "/big");
        assert_int_equal(hear(client).body_size, 32 << 20);
    }
}

/* Or a client that asks without reading would fill the memory with answers.  One I/O thread and one worker: each time
 * that the other client has its answer, the first one's next request had its turn. */
static void an_answer_that_is_not_read_holds_the_next_request_back(void **state)
{
    enum { ASKED = 5 };
    (void)state;
    config.io_threads = config.workers = 1;
    open_front();
    for (int tls = 0; tls < 2; tls++) {
        struct client *client = client_new(tls), *other = client_new(tls);
        for (unsigned i = 0; i < ASKED; i++)
            say_get(client, "/big");
        wait_for(&bell);
        for (unsigned i = 0; i < 2 * ASKED; i++) {
            say_post(other, "/open", "", "hello");
            assert_int_equal(hear(other).status, 200);
        }
        pthread_mutex_lock(&lock);
        assert_int_equal(bell, 0);
        pthread_mutex_unlock(&lock);
        for (unsigned i = 0; i < ASKED; i++) {
            assert_int_equal(hear(client).body_size, 32 << 20);
            client->heard.size -= client->used;
            memmove(client->heard.data, client->heard.data + client->used, client->heard.size);
            client->used = 0;
        }
        for (unsigned i = 1; i < ASKED; i++)
            wait_for(&bell);
    }
}

/* The time between two requests begins when the answer has been read. */
static void an_answer_may_be_read_more_slowly_than_an_idle_client_is_kept(void **state)
{
    (void)state;
    config.keep_alive_ms = 20;
    open_front();
    struct client *client = client_new(false), *other = client_new(false);
    say_get(client, "/big");
    wait_for(&bell);
    say_post(other, "/open", "", "hello"); /* and is left idle, which takes the time */
    assert_int_equal(hear(other).status, 200);
    assert_true(hear_end(other));
    assert_int_equal(hear(client).body_size, 32 << 20);
}

static void when_bodies_fill_the_memory_allowed_new_ones_get_503(void **state)
{
    (void)state;
    config.max_bodies = 256 << 10;
    open_front();
    struct client *first = client_new(true), *second = client_new(true);
    char *body = talloc_array(arena, char, (200 << 10) + 1);
    memset(body, 'x', 200 << 10);
    body[200 << 10] = 0;
    say(first, "POST /open HTTP/1.1\r\n" HOST "Content-Length: 1000000\r\n\r\n");
    say(first, body);
    say(first, body);
    struct reply reply = hear(first);
    assert_int_equal(reply.status, 503);
    assert_header(&reply, "Retry-After", "10");
    say_post(second, "/open", "", "small ones pass again");
    assert_int_equal(hear(second).status, 200);
}

static void beyond_the_limit_a_client_waits_for_a_place(void **state)
{
    (void)state;
    config.max_connections = 2;
    config.io_threads = 1;
    open_front();
    quiet_log(true);
    struct client *first = client_new(true), *second = client_new(true),
                  *third = client_of_port(front_http_port(front));
    say_post(third, "/open", "", "third");
    say_post(second, "/open", "", "second");
    assert_string_equal(hear(second).body, "second");
    assert_int_equal(front->connections, 2);
    talloc_free(first);
    assert_string_equal(hear(third).body, "third");
    quiet_log(false);
}

static void a_port_in_use_is_named(void **state)
{
    (void)state;
    struct front *second = NULL;
    char *why = NULL;
    open_front();
    struct front_config again = config;
    again.http = talloc_asprintf(arena, "127.0.0.1:%u", front_http_port(front));
    assert_int_not_equal(front_open(&second, arena, &again, &why), ecNone);
    assert_non_null(strstr(why, again.http));
    assert_non_null(strstr(why, "the port is in use; stop the program that has it"));

    static const char *const wrong[] = { "8443",    "127.0.0.1",      "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000",
                                         "::1:443", "192.0.2.1:8443", "[::1:443",   "no such host:80" };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        again.http = wrong[i];
        assert_int_not_equal(front_open(&second, arena, &again, &why), ecNone);
        assert_non_null(strstr(why, wrong[i]));
    }
}

static void IPv6_is_served_too(void **state)
{
    (void)state;
    const struct sockaddr_in6 loopback = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
    const int probe = socket(AF_INET6, SOCK_STREAM, 0);
    const bool there = probe >= 0 && bind(probe, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
    close(probe);
    if (!there)
        return; /* this machine has none */
    config.http = "[::1]:0";
    open_front();
    struct client *client = talloc_zero(clients, struct client);
    struct sockaddr_in6 at = loopback;
    at.sin6_port = htons((uint16_t)front_http_port(front));
    buf_init(&client->heard, client);
    client->fd = socket(AF_INET6, SOCK_STREAM, 0);
    talloc_set_destructor(client, client_gone);
    assert_int_equal(connect(client->fd, (const struct sockaddr *)&at, sizeof at), 0);
    say_post(client, "/mapi/emsmdb/", ALICE, "");
    struct reply reply = hear(client);
    assert_int_equal(reply.status, 200);
    assert_header(&reply, "X-Peer", "::1");
}

static char *file_with(const char *name, const char *text)
{
    char *path = talloc_asprintf(arena, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    fputs(text, file);
    fclose(file);
    return path;
}

static void a_broken_certificate_is_explained(void **state)
{
    (void)state;
    char *why = NULL, *other_certificate = talloc_asprintf(arena, "%s/other.pem", folder),
         *other_key = talloc_asprintf(arena, "%s/other.key", folder);
    make_certificate(other_certificate, other_key, "other.contoso.com");
    const char *rubbish = file_with("rubbish.pem", "-----BEGIN CERTIFICATE-----\nrubbish\n-----END CERTIFICATE-----\n");
    const struct {
        const char *certificate, *key, *why;
    } cases[] = {
        { "/nonexistent/cert.pem", key, "cannot read the certificate '/nonexistent/cert.pem': No such file" },
        { certificate, "/nonexistent/key.pem", "cannot read the private key '/nonexistent/key.pem': No such file" },
        { rubbish, key, "rubbish.pem' is broken" },
        { key, key, "is broken" },
        { certificate, rubbish, "rubbish.pem' is broken" },
        { certificate, other_key, "does not belong to the certificate" },
        { NULL, NULL, "HTTPS needs a certificate" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        config.certificate = cases[i].certificate;
        config.key = cases[i].key;
        assert_int_not_equal(front_open(&front, arena, &config, &why), ecNone);
        if (!strstr(why, cases[i].why))
            fail_msg("%s", why);
    }
    front = NULL;
}

static void a_new_certificate_serves_its_names_and_its_key_is_private(void **state)
{
    (void)state;
    struct stat at;
    char *why = NULL;
    assert_int_equal(stat(key, &at), 0);
    assert_int_equal(at.st_mode & 0777, 0600);
    open_front();
    X509 *x509 = SSL_get1_peer_certificate(client_new(true)->ssl);
    assert_int_equal(X509_check_host(x509, "mail.contoso.com", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(x509, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_ip_asc(x509, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x509, "::1", 0), 1);
    assert_int_equal(X509_check_host(x509, "other.contoso.com", 0, 0, NULL), 0);
    X509_free(x509);
    const char *const name = "mail.contoso.com";
    assert_int_not_equal(certificate_create(arena, "/nonexistent/cert.pem", "/nonexistent/key.pem", &name, 1, &why),
                         ecNone);
    assert_non_null(strstr(why, "/nonexistent/cert.pem' cannot be written: No such file"));
}

static char *name_shown_to(struct client *client)
{
    X509 *x509 = SSL_get1_peer_certificate(client->ssl);
    char *name = talloc_zero_array(arena, char, 256);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x509), NID_commonName, name, 256);
    X509_free(x509);
    return name;
}

static void a_renewed_certificate_is_taken_without_dropping_anybody(void **state)
{
    (void)state;
    char *why = NULL;
    config.certificate = talloc_asprintf(arena, "%s/live.pem", folder);
    config.key = talloc_asprintf(arena, "%s/live.key", folder);
    make_certificate(config.certificate, config.key, "old.contoso.com");
    open_front();
    struct client *before = client_new(true);
    assert_string_equal(name_shown_to(before), "old.contoso.com");
    make_certificate(config.certificate, config.key, "new.contoso.com");
    assert_int_equal(front_reload(front, arena, &why), ecNone);
    assert_string_equal(name_shown_to(client_new(true)), "new.contoso.com");
    say_post(before, "/open", "", "still here");
    assert_string_equal(hear(before).body, "still here");

    file_with("live.pem", "rubbish");
    assert_int_not_equal(front_reload(front, arena, &why), ecNone);
    assert_non_null(strstr(why, "live.pem"));
    assert_string_equal(name_shown_to(client_new(true)), "new.contoso.com");
}

static void TLS_1_1_is_refused_and_plain_HTTP_on_the_TLS_port_harms_nobody(void **state)
{
    (void)state;
    open_front();
    struct client *client = client_of_port(front_https_port(front));
    client->ssl = SSL_new(client_tls);
    SSL_set_security_level(client->ssl, 0);
    SSL_set_min_proto_version(client->ssl, TLS1_VERSION);
    SSL_set_max_proto_version(client->ssl, TLS1_1_VERSION);
    SSL_set_fd(client->ssl, client->fd);
    assert_int_not_equal(SSL_connect(client->ssl), 1);
    client = client_of_port(front_https_port(front));
    say_get(client, "/open");
    assert_true(hear_end(client));
    client = client_new(true);
    say_post(client, "/open", "", "fine");
    assert_string_equal(hear(client).body, "fine");
}

static void *close_front(void *patience)
{
    front_close(front, *(unsigned *)patience);
    return NULL;
}

/* Four workers; alice has more slow requests in flight than that. */
static void one_user_with_many_slow_requests_leaves_workers_to_the_others(void **state)
{
    (void)state;
    struct client *slow[8];
    open_front();
    for (size_t i = 0; i < COUNTOF(slow); i++) {
        slow[i] = client_new(false);
        say_post(slow[i], "/mapi/gated", ALICE, "");
    }
    wait_for(&bell); /* the workers that she gets are busy */
    wait_for(&bell);
    struct client *other = client_new(false);
    say_post(other, "/mapi/emsmdb/", basic("m\xC3\xBCller:gr\xC3\xBC\xC3\x9F:e"), "served");
    const struct reply reply = hear(other);
    assert_int_equal(reply.status, 200);
    assert_string_equal(reply.body, "served");

    pthread_mutex_lock(&lock);
    assert_int_equal(bell, 0); /* none of hers has begun beside these */
    pthread_mutex_unlock(&lock);
    for (size_t i = 0; i < COUNTOF(slow); i++)
        count_up(&gate);
    for (size_t i = 0; i < COUNTOF(slow); i++)
        assert_int_equal(hear(slow[i]).status, 200); /* what had to wait comes in the end */
}

struct waiting_job {
    struct job job;
    atomic_uint *ran;
};

static void run_waiting_job(struct job *job)
{
    atomic_fetch_add(((struct waiting_job *)job)->ran, 1);
}

static void what_waits_for_its_users_share_runs_before_the_pool_closes(void **state)
{
    (void)state;
    atomic_uint ran = 0;
    struct waiting_job jobs[200];
    struct pool *pool = pool_new(arena, 2);
    for (size_t i = 0; i < COUNTOF(jobs); i++) {
        jobs[i] = (struct waiting_job){ { .run = run_waiting_job }, &ran };
        pool_add(pool, &jobs[i].job, i % 3 ? "alice" : NULL);
    }
    pool_close(pool);
    assert_int_equal(ran, COUNTOF(jobs));
}

static void stopping_finishes_what_is_in_flight(void **state)
{
    (void)state;
    unsigned patience = 20000;
    pthread_t closing;
    config.io_threads = 1; /* it closes the idle client last, so the others know by then */
    open_front();
    struct client *idle = client_new(true), *busy = client_new(true), *waits = client_new(true);
    say_post(idle, "/open", "", "x");
    assert_int_equal(hear(idle).status, 200);
    say_get(waits, "/waiting");
    assert_true(hear_until(waits, "PROCESSING"));
    say_get(busy, "/gated");
    wait_for(&bell);
    pthread_create(&closing, NULL, close_front, &patience);
    assert_true(hear_end(idle));
    assert_string_equal(hear(waits).body, "PROCESSING\r\nSTOPPING\r\n");
    count_up(&gate);
    struct reply reply = hear(busy);
    assert_string_equal(reply.body, "at last\n");
    assert_header(&reply, "Connection", "close");
    talloc_free(busy);
    talloc_free(waits);
    pthread_join(closing, NULL);
    front = NULL;
    assert_int_equal(events[0], HTTP_STOPPING);
    assert_int_equal(events[1], HTTP_SENT);
}

static void deaf_to_the_stop(struct http_answer *answer, enum http_answer_event event, void *arg)
{
    (void)answer, (void)arg;
    if (event == HTTP_GONE)
        count_up(&bell);
}

static void stubborn(struct http_request *request, struct http_answer *answer)
{
    (void)request;
    parked = answer;
    http_answer_park(answer);
    http_answer_watch(answer, deaf_to_the_stop, NULL);
    http_answer_begin(answer, 200, NULL);
    http_answer_chunk(answer, BLOB_OF("PROCESSING\r\n", 12));
}

static void stopping_cuts_what_outlasts_its_patience(void **state)
{
    (void)state;
    struct front_route route = { "/stubborn", FRONT_EXACT, "mapi", FRONT_ANYBODY, 0, stubborn, NULL };
    config.routes = &route;
    config.route_count = 1;
    open_front();
    struct client *client = client_new(true);
    say_get(client, "/stubborn");
    assert_true(hear_until(client, "PROCESSING"));
    front_close(front, 10);
    front = NULL;
    wait_for(&bell);
    assert_true(hear_end(client));
    assert_null(strstr(unread(client), "0\r\n\r\n")); /* cut, not completed */
    http_answer_end(parked, BLOB_OF("late", 4));      /* harmless even after the server is gone */
    http_answer_release(parked);
}

static char *run(const char *command)
{
    FILE *pipe = popen(command, "r");
    char *text = talloc_strdup(arena, ""), part[4096];
    for (size_t n; (n = fread(part, 1, sizeof part - 1, pipe)) > 0;) {
        part[n] = 0;
        text = talloc_strdup_append(text, part);
    }
    pclose(pipe);
    return text;
}

static void curl_is_served(void **state)
{
    (void)state;
    open_front();
#define CURL "curl -sS --cacert %s --resolve mail.contoso.com:%u:127.0.0.1 "
#define URL "https://mail.contoso.com:%u/mapi/emsmdb/"
    const unsigned port = front_https_port(front);
    quiet_log(true);
    char *text =
        run(talloc_asprintf(arena, CURL "-u alice@contoso.com:Passw0rd! -d hello " URL, certificate, port, port));
    assert_string_equal(text, "hello");
    text =
        run(talloc_asprintf(arena, CURL "-u alice:wrong -o /dev/null -w '%%{http_code} %%{num_connects}' -d hello " URL,
                            certificate, port, port));
    assert_string_equal(text, "401 1");
    text = run(talloc_asprintf(arena,
                               CURL "--anyauth -u alice:Passw0rd! -w ' %%{http_code} %%{num_connects}' -d hello " URL,
                               certificate, port, port));
    assert_string_equal(text, "hello 200 1"); /* both requests on one connection */
    text = run(talloc_asprintf(
        arena,
        CURL "-u alice:Passw0rd! -X RPC_IN_DATA -H 'Transfer-Encoding: chunked' "
             "-H 'Expect: 100-continue' --data-binary @%s -o /dev/null -w '%%{http_code} %%{size_download}' " URL,
        certificate, port, certificate, port));
    assert_true(strncmp(text, "200 ", 4) == 0);
    assert_true(atoi(text + 4) > 100);
    text = run(talloc_asprintf(arena, CURL "--http1.0 -u alice:Passw0rd! -d old " URL, certificate, port, port));
    assert_string_equal(text, "old");
    text =
        run(talloc_asprintf(arena, CURL "https://mail.contoso.com:%u/mapi/healthcheck.htm", certificate, port, port));
    assert_string_equal(text, "200 OK<br/>mail.contoso.com");
    quiet_log(false);
}

struct racer {
    pthread_t thread;
    unsigned number, right;
};

static void *race(void *arg)
{
    struct racer *racer = arg;
    const unsigned port = front_http_port(front);
    const struct sockaddr_in at = { .sin_family = AF_INET,
                                    .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    static const char request[] = "POST /mapi/emsmdb/ HTTP/1.1\r\n" HOST ALICE "Content-Length: 5\r\n\r\nhello";
    for (int i = 0; i < 20; i++) {
        const int fd = socket(AF_INET, SOCK_STREAM, 0);
        char answer[1024];
        bool sent = connect(fd, (const struct sockaddr *)&at, sizeof at) == 0;
        for (int j = 0; sent && j < 20; j++) {
            sent = send(fd, request, sizeof request - 1, MSG_NOSIGNAL) == sizeof request - 1;
            if (sent && (i + j) % 7 == 0)
                break; /* leaves without its answer */
            const ssize_t n = sent ? recv(fd, answer, sizeof answer, 0) : 0;
            racer->right += n > 5 && memcmp(answer + n - 5, "hello", 5) == 0;
        }
        close(fd);
    }
    return NULL;
}

static void many_clients_at_once_get_their_own_answers(void **state)
{
    (void)state;
    struct racer racers[8] = { 0 };
    open_front();
    for (size_t i = 0; i < COUNTOF(racers); i++)
        pthread_create(&racers[i].thread, NULL, race, &racers[i]);
    for (size_t i = 0; i < COUNTOF(racers); i++) {
        pthread_join(racers[i].thread, NULL);
        assert_true(racers[i].right > 0);
    }
    until_zero(&front->connections);
    assert_int_equal(front->memory_used, 0);
}

/* Clients in a process of their own, one after the other; it ends when the pipe is closed. */
static pid_t long_poll_clients(unsigned count, int ready, const int go_home[2])
{
    const pid_t child = fork();
    if (child)
        return child;
    close(go_home[1]);
    for (unsigned i = 0; i < count; i++) {
        struct client *client = client_new(true);
        say_get(client, "/longpoll");
        if (!hear_until(client, "PROCESSING"))
            _exit(1);
    }
    char byte = 1;
    _exit(write(ready, &byte, 1) == 1 && read(go_home[0], &byte, 1) == 0 ? 0 : 1);
}

/* What threads keep for themselves counts less, the
 * more clients there are. */
static void a_waiting_TLS_client_costs_less_than_16_KB(void **state)
{
    (void)state;
    const char *sizes = getenv("OXCART_SIZES");
    const bool large = sizes && strcmp(sizes, "big") == 0;
    const unsigned count = large ? 500 : 50;
    int ready[2], go_home[2], status;
    char byte;
    open_front();
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    assert_int_equal(pipe2(go_home, O_CLOEXEC), 0);
    const pid_t warm = long_poll_clients(64, ready[1], go_home);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    const size_t before = heap();
    const pid_t child = long_poll_clients(count, ready[1], go_home);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    const size_t each = (heap() - before) / count;
    close(go_home[1]);
    waitpid(warm, &status, 0);
    waitpid(child, &status, 0);
    print_message("# %zu bytes for each of %u waiting TLS clients\n", each, count);
    assert_true(each < (large ? 16U << 10 : 18U << 10));
    close(go_home[0]);
    close(ready[0]);
    close(ready[1]);
    until_zero(&front->connections);
}

static int make_folder(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    if (!mkdtemp(folder))
        return -1;
    certificate = strdup(talloc_asprintf(arena, "%s/cert.pem", folder));
    key = strdup(talloc_asprintf(arena, "%s/key.pem", folder));
    make_certificate(certificate, key, "mail.contoso.com");
    client_tls = SSL_CTX_new(TLS_client_method());
    signal(SIGPIPE, SIG_IGN); /* the clients here; the server's threads block it */
    return talloc_free(arena);
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = { "cert.pem", "key.pem",  "other.pem",  "other.key",
                                         "live.pem", "live.key", "rubbish.pem" };
    arena = talloc_new(NULL);
    for (size_t i = 0; i < COUNTOF(names); i++)
        unlink(talloc_asprintf(arena, "%s/%s", folder, names[i]));
    SSL_CTX_free(client_tls);
    free(certificate);
    free(key);
    talloc_free(arena);
    return rmdir(folder);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, prepare, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_connection_serves_one_request_after_the_other),
        TEST(requests_that_come_at_once_are_answered_in_order),
        TEST(paths_are_found_without_case_and_the_rest_is_404),
        TEST(healthcheck_answers_anybody_with_the_hosts_name),
        TEST(a_piece_is_seen_before_the_answer_ends),
        TEST(a_pulse_speaks_while_the_worker_is_busy),
        TEST(a_parked_answer_is_completed_by_another_thread),
        TEST(an_alarm_ends_a_parked_answer),
        TEST(a_waiting_client_that_closes_is_noticed),
        TEST(a_worker_that_finishes_after_its_client_is_harmless),
        TEST(a_client_that_only_closed_its_half_gets_its_answer),
        TEST(a_handler_that_forgets_its_answer_gives_500),
        TEST(without_credentials_401_names_the_methods_and_keeps_the_connection),
        TEST(wrong_credentials_give_401_each_time),
        TEST(a_failed_sign_in_is_logged_once_and_without_the_password),
        TEST(a_user_may_type_any_form_of_the_name_and_any_characters),
        TEST(a_password_is_verified_once_until_something_changes),
        TEST(methods_take_effect_with_the_next_request),
        TEST(a_directory_that_fails_is_no_wrong_password),
        TEST(plain_HTTP_takes_a_password_on_loopback_only),
        TEST(a_listed_proxy_says_who_the_client_is_and_whether_it_came_by_TLS),
        TEST(a_body_is_not_read_before_the_sign_in),
        TEST(an_expectation_is_met_when_the_body_is_wanted),
        TEST(a_body_over_the_limit_reaches_the_handler_as_too_large),
        TEST(a_gigabyte_that_is_declared_and_sent_costs_no_memory),
        TEST(broken_requests_are_refused_and_the_connection_closes),
        TEST(an_oversized_header_gives_431),
        TEST(slow_clients_lose_their_connection),
        TEST(a_client_that_does_not_read_loses_its_connection),
        TEST(a_large_answer_arrives_whole),
        TEST(an_answer_that_is_not_read_holds_the_next_request_back),
        TEST(an_answer_may_be_read_more_slowly_than_an_idle_client_is_kept),
        TEST(when_bodies_fill_the_memory_allowed_new_ones_get_503),
        TEST(beyond_the_limit_a_client_waits_for_a_place),
        TEST(a_port_in_use_is_named),
        TEST(IPv6_is_served_too),
        TEST(a_broken_certificate_is_explained),
        TEST(a_new_certificate_serves_its_names_and_its_key_is_private),
        TEST(a_renewed_certificate_is_taken_without_dropping_anybody),
        TEST(TLS_1_1_is_refused_and_plain_HTTP_on_the_TLS_port_harms_nobody),
        TEST(one_user_with_many_slow_requests_leaves_workers_to_the_others),
        TEST(what_waits_for_its_users_share_runs_before_the_pool_closes),
        TEST(stopping_finishes_what_is_in_flight),
        TEST(stopping_cuts_what_outlasts_its_patience),
        TEST(curl_is_served),
        TEST(many_clients_at_once_get_their_own_answers),
        TEST(a_waiting_TLS_client_costs_less_than_16_KB),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
