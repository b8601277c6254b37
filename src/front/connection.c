/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "front/inside.h"

enum {
    INPUT_BYTES = 64 << 10, /* of what a client sends ahead of its answer */
    OUTPUT_BYTES = 64 << 10, /* of what it has not read yet: with more of it, its next request waits */
    DRAIN_BYTES = 1 << 20,  /* of a refused body that are read away to keep the connection */
    ARENA_BYTES = 8 << 10,
    PROGRESS_BYTES = 4 << 10,  /* so much of a body renews the client's time */
    REFERENCE_BYTES = 8 << 10, /* parcels from this size are sent from where they are */
    LINGER_MS = 2000,
    LABEL_BYTES = 120,
};

/* Where a connection is.  `take` eats input, and may change the state or close; without it, input waits. */
struct state {
    const char *name;
    void (*take)(struct connection *, struct blob *in);
    void (*late)(struct connection *); /* the client's time is over */
};

struct connection {
    struct connection *next, **previous;
    struct io *io;
    const struct state *state;
    struct bufferevent *socket;
    struct event timer;
    struct incoming *incoming; /* what is being read; NULL between messages and while a job has it */
    struct exchange *exchange;
    struct address peer;
    uint64_t drain; /* bytes of a refused body that are still to come */
    size_t progress;
    bool tls, peer_closed, busy, closed;
};

static void take_head(struct connection *, struct blob *);
static void take_body(struct connection *, struct blob *);
static void take_drain(struct connection *, struct blob *);
static void take_away(struct connection *, struct blob *);
static void too_late(struct connection *);
static void answer_due(struct connection *);
static void connection_close(struct connection *);

static const struct state reading_head = { "reading a header", take_head, too_late };
static const struct state signing_in = { "signing in", NULL, NULL };
static const struct state reading_body = { "reading a body", take_body, too_late };
static const struct state answering = { "answering", NULL, answer_due };
static const struct state draining = { "reading a refused body away", take_drain, connection_close };
static const struct state lingering = { "closing", take_away, connection_close };

static void arm(struct connection *c, unsigned ms)
{
    event_add(&c->timer, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 });
}

static const struct front_config *config_of(const struct connection *c)
{
    return &c->io->front->config;
}

/* A request on its way in. */

static int incoming_gone(struct incoming *in)
{
    atomic_fetch_sub(&in->front->memory_used, in->charged);
    return 0;
}

static struct incoming *incoming_new(struct front *front)
{
    TALLOC_CTX *arena = talloc_pool(NULL, ARENA_BYTES);
    struct incoming *in = talloc_zero(arena, struct incoming);
    in->request.arena = arena;
    in->front = front;
    in->parser = http_parser_new(arena, &http_default_limits);
    buf_init(&in->body, arena);
    talloc_set_destructor(in, incoming_gone);
    return in;
}

static void incoming_free(struct incoming **in)
{
    if (*in)
        talloc_free((*in)->request.arena);
    *in = NULL;
}

/* All requests together may hold so much; false: they would hold more. */
static bool charge(struct incoming *in)
{
    const size_t now = ARENA_BYTES + http_parser_memory(in->parser) + in->body.room;
    const size_t all = atomic_fetch_add(&in->front->memory_used, now - in->charged) + (now - in->charged);
    in->charged = now;
    return all <= in->front->config.max_bodies;
}

/* The exchange. */

static void tell_fate(struct exchange *exchange)
{
    struct http_answer *answer = &exchange->answer;
    if (exchange->fate == EXCHANGE_OPEN || !exchange->watched || exchange->told)
        return;
    exchange->told = true;
    answer->watcher(answer, exchange->fate == EXCHANGE_SENT ? HTTP_SENT : HTTP_GONE, answer->watcher_arg);
}

static void exchange_over(struct connection *c, bool sent)
{
    struct exchange *exchange = c->exchange;
    c->exchange = NULL;
    exchange->connection = NULL;
    exchange->fate = sent ? EXCHANGE_SENT : EXCHANGE_GONE;
    event_del(&c->timer);
    if (!sent)
        http_answer_leave(&exchange->answer);
    if (exchange->label)
        log_line(LOG_DEBUG, "front", "%s %u, %llu bytes, %llu ms%s", exchange->label, exchange->answer.status,
                 (unsigned long long)exchange->answer.bytes, (unsigned long long)(clock_ms() - exchange->started),
                 sent ? "" : ", the client has gone");
    tell_fate(exchange);
    http_answer_drop(&exchange->answer);
}

/* The alarm and the pulse share the connection's timer, which an answer in the making does not need. */
static void arm_answer(struct exchange *exchange)
{
    const uint64_t alarm = exchange->watched ? exchange->alarm_at : 0, pulse = exchange->pulse_at, now = clock_ms();
    const uint64_t next = alarm && pulse ? MIN(alarm, pulse) : alarm + pulse;
    if (exchange->fate != EXCHANGE_OPEN)
        return;
    if (next)
        arm(exchange->connection, next > now ? (unsigned)(next - now) : 1);
    else
        event_del(&exchange->connection->timer);
}

static void answer_due(struct connection *c)
{
    struct exchange *exchange = c->exchange;
    const uint64_t now = clock_ms();
    if (exchange->pulse_at && exchange->pulse_at <= now) {
        exchange->pulse_at = now + exchange->pulse_ms;
        http_answer_beat(&exchange->answer);
    }
    if (exchange->watched && exchange->alarm_at && exchange->alarm_at <= now) {
        exchange->alarm_at = 0;
        exchange->answer.watcher(&exchange->answer, HTTP_TIME_UP, exchange->answer.watcher_arg);
    }
    arm_answer(exchange);
}

static void exchange_label(struct exchange *exchange, const struct http_request *request)
{
    if (!log_is_on(LOG_DEBUG)) /* a waiting client would keep it for minutes */
        return;
    talloc_free(exchange->label);
    exchange->label = talloc_asprintf(NULL, "%s %s %s %.*s", request->peer, request->user ? request->user->name : "-",
                                      request->method, LABEL_BYTES, request->path);
}

static void exchange_free(struct http_answer *answer)
{
    struct exchange *exchange = (struct exchange *)answer;
    talloc_free(exchange->label);
    free(exchange);
}

/* One hold goes with it: the I/O thread's while it reads, then the job's. */
static void exchange_new(struct connection *c, const struct http_head *head)
{
    struct exchange *exchange = calloc(1, sizeof *exchange);
    http_answer_init(&exchange->answer, &front_transport, head);
    http_answer_hold(&exchange->answer);
    exchange->io = c->io;
    exchange->connection = c;
    exchange->started = clock_ms();
    c->exchange = exchange;
    if (c->io->stopping)
        http_answer_close_after(&exchange->answer);
}

/* Closing. */

static void connection_close(struct connection *c)
{
    struct io *io = c->io;
    if (c->closed)
        return;
    c->closed = true;
    if ((*c->previous = c->next))
        c->next->previous = c->previous;
    event_del(&c->timer);
    incoming_free(&c->incoming);
    struct http_answer *held = c->exchange && c->state == &reading_body ? &c->exchange->answer : NULL;
    if (c->exchange)
        exchange_over(c, false);
    if (held)
        http_answer_release(held);
    bufferevent_free(c->socket);
    atomic_fetch_sub(&io->front->connections, 1);
    if (!c->busy)
        free(c);
    if (io->stopping && !io->connections)
        io_emptied(io);
}

void connection_cut(struct connection *c)
{
    connection_close(c);
}

struct connection *connection_next(struct connection *c)
{
    return c->next;
}

/* The answer is out: no more from us.  What the client still sends is read away for a moment, because closing over
 * unread input would reset the connection and could take the answer with it (RFC 9112 9.6). */
static void half_close(struct connection *c)
{
    if (c->peer_closed) {
        connection_close(c);
        return;
    }
    if (c->tls) {
        ERR_clear_error();
        SSL_shutdown(bufferevent_openssl_get_ssl(c->socket));
    }
    shutdown(bufferevent_getfd(c->socket), SHUT_WR);
    arm(c, LINGER_MS);
}

static void finish(struct connection *c)
{
    c->state = &lingering;
    event_del(&c->timer);
    if (evbuffer_get_length(bufferevent_get_output(c->socket)) == 0)
        half_close(c);
}

/* Answers that need no handler, since there is no request that could be handed to one. */
static void refuse(struct connection *c, unsigned status, const char *why)
{
    char date[HTTP_DATE_SIZE];
    struct buf out;
    char *peer = address_text(NULL, c->peer);
    log_line(LOG_DEBUG, "front", "%s - %s: %u, %s", peer, c->state->name, status, why);
    talloc_free(peer);
    incoming_free(&c->incoming);
    if (c->exchange) {
        struct http_answer *held = &c->exchange->answer;
        exchange_over(c, false);
        http_answer_release(held);
    }
    buf_init(&out, NULL);
    http_put_status(&out, status);
    http_put_header(&out, "Date", http_date(date, time(NULL)));
    http_put_header(&out, "Content-Type", "text/plain; charset=utf-8");
    buf_printf(&out, "Content-Length: %zu\r\n%sConnection: close\r\n\r\n%s\r\n", strlen(why) + 2,
               status == 503 ? "Retry-After: 10\r\n" : "", why);
    bufferevent_write(c->socket, out.data, out.size);
    talloc_free(out.data);
    finish(c);
}

static size_t unread(const struct connection *c)
{
    return evbuffer_get_length(bufferevent_get_output(c->socket));
}

/* A client that still reads its last answer is not idle; one that does not is the business of write_ms. */
static void too_late(struct connection *c)
{
    if (c->incoming)
        refuse(c, 408, "the request did not come in time");
    else if (unread(c))
        arm(c, config_of(c)->keep_alive_ms);
    else
        connection_close(c);
}

/* Reading. */

static void next_message(struct connection *c)
{
    c->state = &reading_head;
    arm(c, config_of(c)->keep_alive_ms);
}

/* Hands the request to a job; the connection waits. */
static void hand_over(struct connection *c, struct pool *pool, void (*run)(struct job *), const struct state *state)
{
    struct exchange *exchange = c->exchange;
    const struct http_user *user = c->incoming->request.user;
    exchange_label(exchange, &c->incoming->request);
    exchange->incoming = c->incoming;
    exchange->job.run = run;
    c->incoming = NULL;
    c->state = state;
    event_del(&c->timer);
    pool_add(pool, &exchange->job, user ? user->id : NULL);
}

static void run_handler(struct connection *c)
{
    hand_over(c, c->io->front->workers, request_run, &answering);
}

/* What is left of the body can be read away behind the answer, or the connection has to close. */
static void leave_body(struct connection *c, const struct http_head *head, bool unasked)
{
    const uint64_t left = head->content_length - c->incoming->body_seen;
    c->incoming->can_go_on = !head->chunked && !unasked && left <= DRAIN_BYTES;
    c->drain = c->incoming->can_go_on ? left : 0;
}

static void answer_early(struct connection *c)
{
    struct incoming *in = c->incoming;
    const struct http_head *head = http_parser_head(in->parser);
    leave_body(c, head, head->expect_continue && !in->body_seen);
    in->request.too_large = true;
    talloc_free(in->body.data);
    buf_init(&in->body, in->request.arena);
    if (!in->can_go_on)
        http_answer_close_after(&c->exchange->answer);
    run_handler(c);
}

static void read_body(struct connection *c)
{
    const struct http_head *head = http_parser_head(c->incoming->parser);
    c->state = &reading_body;
    c->drain = 0;
    c->progress = 0;
    if (head->content_length > c->incoming->route->body_limit) {
        answer_early(c);
        return;
    }
    if (head->expect_continue)
        bufferevent_write(c->socket, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    arm(c, config_of(c)->body_ms);
    take_body(c, &(struct blob){ 0 }); /* there may be none */
}

static void no_route(struct connection *c)
{
    struct http_answer *answer = &c->exchange->answer;
    exchange_label(c->exchange, &c->incoming->request);
    if (!c->incoming->can_go_on)
        http_answer_close_after(answer);
    http_answer_text(answer, 404, "There is nothing here.\r\n");
    incoming_free(&c->incoming);
    c->state = &answering;
    event_del(&c->timer);
    http_answer_release(answer);
}

static void head_is_there(struct connection *c)
{
    struct incoming *in = c->incoming;
    const struct http_head *head = http_parser_head(in->parser);
    exchange_new(c, head);
    request_read_head(in, head, c->peer, c->tls);
    leave_body(c, head, head->expect_continue);
    if (!in->route)
        no_route(c);
    else if (in->route->access == FRONT_SIGNED_IN && !request_is_remembered(in))
        hand_over(c, c->io->front->sign_ins, request_sign_in, &signing_in);
    else
        read_body(c);
}

static void take_head(struct connection *c, struct blob *in)
{
    struct blob none;
    if (!c->incoming) {
        c->incoming = incoming_new(c->io->front);
        arm(c, config_of(c)->head_ms);
    }
    const enum http_event event = http_parse(c->incoming->parser, in, &none);
    if (event == HTTP_BAD)
        refuse(c, http_parser_status(c->incoming->parser), http_parser_why(c->incoming->parser));
    else if (!charge(c->incoming))
        refuse(c, 503, "there are too many requests at once");
    else if (event == HTTP_HEAD)
        head_is_there(c);
}

static void add_to_body(struct connection *c, struct blob piece)
{
    struct incoming *in = c->incoming;
    in->body_seen += piece.size;
    c->progress += piece.size;
    if (in->body_seen > in->route->body_limit) {
        answer_early(c);
        return;
    }
    buf_add(&in->body, piece.data, piece.size);
    if (!charge(in)) {
        refuse(c, 503, "there are too many requests at once");
    } else if (c->progress >= PROGRESS_BYTES) {
        c->progress = 0;
        arm(c, config_of(c)->body_ms);
    }
}

static void take_body(struct connection *c, struct blob *in)
{
    struct blob piece;
    enum http_event event = HTTP_BODY;
    while (c->state == &reading_body && event == HTTP_BODY) {
        event = http_parse(c->incoming->parser, in, &piece);
        if (event == HTTP_BODY)
            add_to_body(c, piece);
    }
    if (event == HTTP_BAD) {
        refuse(c, http_parser_status(c->incoming->parser), http_parser_why(c->incoming->parser));
    } else if (event == HTTP_END) {
        c->incoming->request.body = buf_blob(&c->incoming->body);
        c->incoming->can_go_on = true;
        run_handler(c);
    }
}

static void take_drain(struct connection *c, struct blob *in)
{
    const size_t n = (size_t)MIN(c->drain, in->size);
    *in = (struct blob){ in->data + n, in->size - n };
    c->drain -= n;
    if (!c->drain)
        next_message(c);
}

static void take_away(struct connection *c, struct blob *in)
{
    (void)c;
    *in = (struct blob){ 0 };
}

/* A request is begun only by a client that reads its answers. */
static bool can_take(const struct connection *c)
{
    const bool begins = c->state == &reading_head && !c->incoming;
    return c->state->take && !(begins && unread(c) > OUTPUT_BYTES);
}

/* Eats what can be eaten.  The caller may have closed the connection while it was busy; it is freed here then. */
static void connection_input(struct connection *c)
{
    struct evbuffer_iovec first;
    c->busy = true;
    while (!c->closed && can_take(c) && evbuffer_peek(bufferevent_get_input(c->socket), -1, NULL, &first, 1) > 0 &&
           first.iov_len) {
        struct blob in = { first.iov_base, first.iov_len };
        c->state->take(c, &in);
        if (!c->closed)
            evbuffer_drain(bufferevent_get_input(c->socket), first.iov_len - in.size);
    }
    c->busy = false;
    if (c->closed)
        free(c);
    else if (c->peer_closed && can_take(c) && c->state != &lingering)
        finish(c); /* it will not send the rest */
}

/* What libevent reports. */

static void on_readable(struct bufferevent *socket, void *arg)
{
    (void)socket;
    connection_input(arg);
}

static void on_written(struct bufferevent *socket, void *arg)
{
    struct connection *c = arg;
    if (evbuffer_get_length(bufferevent_get_output(socket)) != 0)
        return;
    if (c->state == &lingering)
        half_close(c);
    else if (c->state == &reading_head && !c->incoming)
        connection_input(c); /* a request that waited */
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct connection *c = arg;
    (void)fd, (void)what;
    if (c->state->late)
        c->state->late(c);
}

/* A client may close its half and still read (RFC 9112 9.6): an answer that is being made is tried.  Whoever waits
 * for minutes is told instead. */
static void on_end_of_input(struct connection *c)
{
    c->peer_closed = true;
    if (c->exchange && !c->exchange->watched && !c->state->take)
        bufferevent_enable(c->socket, EV_WRITE); /* a TLS bufferevent stops both ways */
    else if (c->state == &lingering && evbuffer_get_length(bufferevent_get_output(c->socket)))
        bufferevent_enable(c->socket, EV_WRITE);
    else
        connection_close(c);
}

static void on_event(struct bufferevent *socket, short what, void *arg)
{
    struct connection *c = arg;
    if (what & BEV_EVENT_CONNECTED)
        return;
    const unsigned long error = c->tls ? bufferevent_get_openssl_error(socket) : 0;
    if (error) {
        char *peer = address_text(NULL, c->peer);
        const char *reason = ERR_reason_error_string(error);
        log_line(LOG_DEBUG, "front", "%s - TLS: %s", peer, reason ? reason : "failed");
        talloc_free(peer);
    }
    if (what & BEV_EVENT_EOF)
        on_end_of_input(c);
    else
        connection_close(c);
}

static struct bufferevent *socket_new(struct io *io, int fd, bool tls)
{
    if (!tls)
        return bufferevent_socket_new(io->base, fd, BEV_OPT_CLOSE_ON_FREE);
    pthread_mutex_lock(&io->front->tls_lock);
    SSL *ssl = SSL_new(io->front->tls);
    pthread_mutex_unlock(&io->front->tls_lock);
    if (!ssl)
        return NULL;
    struct bufferevent *socket =
        bufferevent_openssl_socket_new(io->base, fd, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
    if (!socket)
        SSL_free(ssl);
    return socket;
}

void connection_open(struct io *io, int fd, bool tls, struct address peer)
{
    const int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* else 44 ms of Nagle between two small writes */
    struct bufferevent *socket = socket_new(io, fd, tls);
    if (!socket) {
        evutil_closesocket(fd);
        return;
    }
    struct connection *c = calloc(1, sizeof *c);
    *c = (struct connection){ .io = io,
                              .socket = socket,
                              .peer = peer,
                              .tls = tls,
                              .state = &reading_head,
                              .next = io->connections,
                              .previous = &io->connections };
    if (c->next)
        c->next->previous = &c->next;
    io->connections = c;
    atomic_fetch_add(&io->front->connections, 1);
    event_assign(&c->timer, io->base, -1, 0, on_timer, c);
    arm(c, config_of(c)->head_ms);
    const unsigned write_ms = config_of(c)->write_ms;
    bufferevent_set_timeouts(socket, NULL,
                             &(struct timeval){ .tv_sec = write_ms / 1000, .tv_usec = write_ms % 1000 * 1000 });
    bufferevent_setwatermark(socket, EV_READ, 0, INPUT_BYTES);
    bufferevent_setcb(socket, on_readable, on_written, on_event, c);
    bufferevent_enable(socket, EV_READ | EV_WRITE);
}

void connection_stop(struct connection *c)
{
    struct exchange *exchange = c->exchange;
    if (exchange)
        http_answer_close_after(&exchange->answer);
    if (exchange && exchange->watched)
        exchange->answer.watcher(&exchange->answer, HTTP_STOPPING, exchange->answer.watcher_arg);
    else if (c->state == &reading_head && !c->incoming)
        connection_close(c);
}

/* Parcels. */

static void parcel_done(struct parcel *parcel)
{
    http_answer_drop(&parcel->exchange->answer);
    free(parcel);
}

static void parcel_sent(const void *bytes, size_t size, void *parcel)
{
    (void)bytes, (void)size;
    free(parcel);
}

static void answer_done(struct connection *c, enum http_after after)
{
    const bool keep = after == HTTP_COMPLETE && c->exchange->answer.keep_alive && !c->io->stopping;
    c->busy = true;
    exchange_over(c, after == HTTP_COMPLETE);
    if (!keep) {
        finish(c);
    } else if (c->drain) {
        c->state = &draining;
        arm(c, config_of(c)->body_ms);
    } else {
        next_message(c);
    }
    connection_input(c);
}

/* Most answers fit into the socket's buffer: three system calls less than a round of the event loop, which TLS does
 * without by itself.  What is left, or an error, is the bufferevent's. */
static size_t send_at_once(struct connection *c, const struct parcel *parcel)
{
    if (c->tls || unread(c))
        return 0;
    const ssize_t sent = send(bufferevent_getfd(c->socket), parcel->bytes, parcel->size, MSG_DONTWAIT | MSG_NOSIGNAL);
    return sent < 0 ? 0 : (size_t)sent;
}

static void deliver_bytes(struct io *io, struct parcel *parcel)
{
    (void)io;
    struct exchange *exchange = parcel->exchange;
    struct connection *c = exchange->connection;
    const enum http_after after = parcel->after;
    if (!c) {
        parcel_done(parcel);
        return;
    }
    struct evbuffer *output = bufferevent_get_output(c->socket);
    const size_t sent = send_at_once(c, parcel), left = parcel->size - sent;
    if (left < REFERENCE_BYTES) {
        evbuffer_add(output, parcel->bytes + sent, left);
        parcel_done(parcel);
    } else {
        parcel->exchange = NULL;
        evbuffer_add_reference(output, parcel->bytes + sent, left, parcel_sent, parcel);
        http_answer_drop(&exchange->answer);
    }
    if (after != HTTP_GOES_ON)
        answer_done(c, after);
}

void connection_signed_in(struct io *io, struct parcel *parcel)
{
    (void)io;
    struct exchange *exchange = parcel->exchange;
    struct connection *c = exchange->connection;
    struct incoming *in = exchange->incoming;
    exchange->incoming = NULL;
    if (c) {
        c->incoming = in;
        c->busy = true;
        read_body(c);
        connection_input(c);
    } else {
        incoming_free(&in);
        http_answer_release(&exchange->answer);
    }
    parcel_done(parcel);
}

static void deliver_watched(struct io *io, struct parcel *parcel)
{
    struct exchange *exchange = parcel->exchange;
    struct http_answer *answer = &exchange->answer;
    exchange->watched = true;
    arm_answer(exchange); /* an alarm may have been set before */
    if (exchange->fate != EXCHANGE_OPEN)
        tell_fate(exchange);
    else if (exchange->connection->peer_closed)
        connection_close(exchange->connection);
    else if (io->stopping)
        answer->watcher(answer, HTTP_STOPPING, answer->watcher_arg);
    parcel_done(parcel);
}

static void deliver_alarm(struct io *io, struct parcel *parcel)
{
    (void)io;
    struct exchange *exchange = parcel->exchange;
    exchange->alarm_at = parcel->ms ? clock_ms() + parcel->ms : 0;
    arm_answer(exchange);
    parcel_done(parcel);
}

static void deliver_pulse(struct io *io, struct parcel *parcel)
{
    (void)io;
    struct exchange *exchange = parcel->exchange;
    exchange->pulse_ms = parcel->ms;
    exchange->pulse_at = parcel->ms ? clock_ms() + parcel->ms : 0;
    arm_answer(exchange);
    parcel_done(parcel);
}

static struct exchange *exchange_of(struct http_answer *answer)
{
    return (struct exchange *)answer;
}

static void transport_write(struct http_answer *answer, struct blob head, struct blob body, enum http_after after)
{
    struct parcel *parcel = parcel_new(exchange_of(answer), deliver_bytes, head.size + body.size);
    parcel->after = after;
    if (head.size)
        memcpy(parcel->bytes, head.data, head.size);
    if (body.size)
        memcpy(parcel->bytes + head.size, body.data, body.size);
    io_post(exchange_of(answer)->io, parcel);
}

static void transport_alarm(struct http_answer *answer, unsigned ms)
{
    struct parcel *parcel = parcel_new(exchange_of(answer), deliver_alarm, 0);
    parcel->ms = ms;
    io_post(exchange_of(answer)->io, parcel);
}

static void transport_pulse(struct http_answer *answer, unsigned ms)
{
    struct parcel *parcel = parcel_new(exchange_of(answer), deliver_pulse, 0);
    parcel->ms = ms;
    io_post(exchange_of(answer)->io, parcel);
}

static void transport_watched(struct http_answer *answer)
{
    io_post(exchange_of(answer)->io, parcel_new(exchange_of(answer), deliver_watched, 0));
}

const struct http_transport front_transport = {
    transport_write, transport_alarm, transport_pulse, transport_watched, exchange_free,
};
