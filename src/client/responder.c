/* SPDX-License-Identifier: Apache-2.0 */
#include "client/responder.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 16

struct responder {
    responder_script *script;
    void *arg;
    int listener;
    char url[64];
    pthread_t thread;
    pthread_t connections[CONNECTIONS_MAX];
    int sockets[CONNECTIONS_MAX];
    atomic_uint connection_count, number;
    pthread_mutex_t lock;                /* one script runs at a time */
};
struct connection {
    struct responder *r;
    int socket;
};

const char *asked_header(const struct asked *a, const char *name)
{
    return http_header(&a->head->headers, name);
}

void answer_with(struct asked *a, unsigned status, const char *headers, struct blob body)
{
    http_put_status(&a->out, status);
    buf_printf(&a->out, "%sContent-Length: %zu\r\n\r\n", headers, body.size);
    buf_add(&a->out, body.data, body.size);
}

void answer_struct(struct asked *a, const char *headers, const struct wire_struct *form, const void *self)
{
    struct buf body;
    buf_init(&body, a->arena);
    buf_printf(&body, "PROCESSING\r\nDONE\r\nX-ElapsedTime: 1\r\n\r\n");
    struct wire_out out = wire_out(&body);
    if (form)
        wire_put(&out, form, self);
    answer_with(a, 200, talloc_asprintf(a->arena, "Content-Type: application/mapi-http\r\nX-ResponseCode: 0\r\n%s", headers),
                buf_blob(&body));
}

/* Reads until the request is complete.  false: the client has gone. */
static bool read_request(int s, struct asked *a, struct http_parser *parser)
{
    struct buf body;
    buf_init(&body, a->arena);
    for (;;) {
        uint8_t bytes[65536];
        const ssize_t n = recv(s, bytes, sizeof bytes, 0);
        if (n <= 0)
            return false;
        struct blob in = BLOB_OF(bytes, n), piece;
        enum http_event e;
        while ((e = http_parse(parser, &in, &piece)) != HTTP_MORE) {
            if (e == HTTP_BAD)
                return false;
            if (e == HTTP_BODY)
                buf_add(&body, piece.data, piece.size);
            if (e != HTTP_END)
                continue;
            a->head = http_parser_head(parser);
            a->body = buf_blob(&body);
            return true;
        }
    }
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    for (bool goes_on = true; goes_on;) {
        TALLOC_CTX *arena = talloc_new(NULL);
        struct asked a = { .arena = arena };
        buf_init(&a.out, arena);
        goes_on = read_request(c->socket, &a, http_parser_new(arena, &http_default_limits));
        if (goes_on) {
            pthread_mutex_lock(&c->r->lock);
            a.number = c->r->number++;
            c->r->script(&a, c->r->arg);
            pthread_mutex_unlock(&c->r->lock);
            goes_on = send(c->socket, a.out.data, a.out.size, MSG_NOSIGNAL) == (ssize_t)a.out.size && !a.hangs_up;
        }
        talloc_free(arena);
    }
    shutdown(c->socket, SHUT_RDWR);
    talloc_free(c);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct responder *r = arg;
    int s;
    while (r->connection_count < CONNECTIONS_MAX && (s = accept(r->listener, NULL, NULL)) >= 0) {
        struct connection *c = talloc_zero(NULL, struct connection);
        *c = (struct connection){ r, s };
        r->sockets[r->connection_count] = s;
        pthread_create(&r->connections[r->connection_count], NULL, serve, c);
        r->connection_count++;
    }
    return NULL;
}

struct responder *responder_start(TALLOC_CTX *owner, responder_script *script, void *arg)
{
    struct responder *r = talloc_zero(owner, struct responder);
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    r->script = script;
    r->arg = arg;
    r->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    pthread_mutex_init(&r->lock, NULL);
    if (bind(r->listener, (struct sockaddr *)&address, size) != 0 || listen(r->listener, 8) != 0 ||
        getsockname(r->listener, (struct sockaddr *)&address, &size) != 0)
        return NULL;
    snprintf(r->url, sizeof r->url, "http://127.0.0.1:%u", ntohs(address.sin_port));
    pthread_create(&r->thread, NULL, accept_all, r);
    return r;
}

const char *responder_url(const struct responder *r)
{
    return r->url;
}

unsigned responder_count(struct responder *r)
{
    return r->number;
}

void responder_stop(struct responder *r)
{
    shutdown(r->listener, SHUT_RDWR);
    pthread_join(r->thread, NULL);
    close(r->listener);
    for (unsigned i = 0; i < r->connection_count; i++) {
        shutdown(r->sockets[i], SHUT_RDWR);
        pthread_join(r->connections[i], NULL);
        close(r->sockets[i]);
    }
    talloc_free(r);
}
