/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "front/inside.h"

enum { ACCEPT_AT_ONCE = 32, ACCEPT_PAUSE_MS = 100 };

struct parcel *parcel_new(struct exchange *exchange, void (*deliver)(struct io *, struct parcel *), size_t size)
{
    struct parcel *parcel = malloc(sizeof *parcel + size);
    *parcel = (struct parcel){ .deliver = deliver, .exchange = exchange, .size = size };
    if (exchange)
        http_answer_keep(&exchange->answer);
    return parcel;
}

static void parcel_free(struct parcel *parcel)
{
    if (parcel->exchange)
        http_answer_drop(&parcel->exchange->answer);
    free(parcel);
}

void io_post(struct io *io, struct parcel *parcel)
{
    static const uint64_t one = 1;
    pthread_mutex_lock(&io->lock);
    const bool deaf = io->deaf, first = !io->first;
    if (!deaf) {
        *io->end = parcel;
        io->end = &parcel->next;
    }
    pthread_mutex_unlock(&io->lock);
    if (deaf)
        parcel_free(parcel);
    else if (first && write(io->wake_fd, &one, sizeof one) < 0)
        abort(); /* an eventfd takes 2^64 - 2 ones */
}

static struct parcel *take_parcels(struct io *io)
{
    pthread_mutex_lock(&io->lock);
    struct parcel *parcels = io->first;
    io->first = NULL;
    io->end = &io->first;
    pthread_mutex_unlock(&io->lock);
    return parcels;
}

static void deliver_parcels(evutil_socket_t fd, short what, void *arg)
{
    uint64_t count;
    (void)what;
    if (read(fd, &count, sizeof count) < 0)
        return;
    for (struct parcel *parcel = take_parcels(arg), *next; parcel; parcel = next) {
        next = parcel->next;
        parcel->deliver(arg, parcel);
    }
}

static void accept_pause(struct io *io)
{
    if (io->accept_https)
        event_del(io->accept_https);
    if (io->accept_http)
        event_del(io->accept_http);
    event_add(io->accept_again, &(struct timeval){ .tv_usec = ACCEPT_PAUSE_MS * 1000 });
}

static void accept_again(evutil_socket_t fd, short what, void *arg)
{
    struct io *io = arg;
    (void)fd, (void)what;
    if (io->accept_https)
        event_add(io->accept_https, NULL);
    if (io->accept_http)
        event_add(io->accept_http, NULL);
}

/* Out of files, or at the limit: the kernel's queue holds new clients for a moment. */
static bool is_full(struct io *io, int error)
{
    const bool full = atomic_load(&io->front->connections) >= io->front->config.max_connections;
    if (!full && error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM)
        return false;
    if (!io->full)
        log_line(LOG_WARNING, "front", "new connections have to wait: %s",
                 full ? "there are as many as are allowed" : strerror(error));
    io->full = true;
    accept_pause(io);
    return true;
}

static void accept_some(struct io *io, int listening, bool tls)
{
    for (int i = 0; i < ACCEPT_AT_ONCE; i++) {
        struct sockaddr_storage peer;
        socklen_t size = sizeof peer;
        if (is_full(io, 0))
            return;
        const int fd = accept4(listening, (struct sockaddr *)&peer, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            is_full(io, errno);
            return;
        }
        io->full = false;
        connection_open(io, fd, tls, address_of((struct sockaddr *)&peer));
    }
}

static void accept_https(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    accept_some(arg, fd, true);
}

static void accept_http(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    accept_some(arg, fd, false);
}

static void *io_thread(void *arg)
{
    struct io *io = arg;
    event_base_dispatch(io->base);
    return NULL;
}

static void event_drop(struct event **event)
{
    if (*event)
        event_free(*event);
    *event = NULL;
}

static void io_clear(struct io *io)
{
    event_drop(&io->wake);
    event_drop(&io->accept_again);
    event_drop(&io->accept_https);
    event_drop(&io->accept_http);
    if (io->base)
        event_base_free(io->base);
    if (io->wake_fd >= 0)
        close(io->wake_fd);
    pthread_mutex_destroy(&io->lock);
}

static bool io_prepare(struct io *io, struct front *front)
{
    io->front = front;
    io->end = &io->first;
    pthread_mutex_init(&io->lock, NULL);
    io->base = event_base_new();
    io->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (!io->base || io->wake_fd < 0)
        return false;
    io->wake = event_new(io->base, io->wake_fd, EV_READ | EV_PERSIST, deliver_parcels, io);
    io->accept_again = event_new(io->base, -1, 0, accept_again, io);
    if (front->https_fd >= 0)
        io->accept_https = event_new(io->base, front->https_fd, EV_READ | EV_PERSIST, accept_https, io);
    if (front->http_fd >= 0)
        io->accept_http = event_new(io->base, front->http_fd, EV_READ | EV_PERSIST, accept_http, io);
    event_add(io->wake, NULL);
    accept_again(-1, 0, io);
    return true;
}

enum ec io_open(struct io *io, struct front *front)
{
    if (io_prepare(io, front) && pthread_create(&io->thread, NULL, io_thread, io) == 0)
        return ecNone;
    io_clear(io);
    return ecInsufficientResrc;
}

void io_emptied(struct io *io)
{
    event_drop(&io->patience);
    pthread_mutex_lock(&io->front->stop_lock);
    io->front->io_busy--;
    pthread_cond_signal(&io->front->stopped);
    pthread_mutex_unlock(&io->front->stop_lock);
}

static void out_of_patience(evutil_socket_t fd, short what, void *arg)
{
    struct io *io = arg;
    (void)fd, (void)what;
    for (struct connection *c = io->connections, *next; c; c = next) {
        next = connection_next(c); /* cutting the last one calls io_emptied */
        connection_cut(c);
    }
}

static void deliver_stop(struct io *io, struct parcel *parcel)
{
    const unsigned ms = parcel->ms;
    parcel_free(parcel);
    io->stopping = true;
    event_drop(&io->accept_https);
    event_drop(&io->accept_http);
    event_drop(&io->accept_again);
    if (!io->connections) {
        io_emptied(io);
        return;
    }
    io->patience = event_new(io->base, -1, 0, out_of_patience, io);
    event_add(io->patience, &(struct timeval){ .tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000 });
    for (struct connection *c = io->connections, *next; c; c = next) {
        next = connection_next(c);
        connection_stop(c);
    }
}

void io_stop(struct io *io, unsigned patience_ms)
{
    struct parcel *parcel = parcel_new(NULL, deliver_stop, 0);
    parcel->ms = patience_ms;
    io_post(io, parcel);
}

static void deliver_end(struct io *io, struct parcel *parcel)
{
    parcel_free(parcel);
    event_base_loopbreak(io->base);
}

void io_close(struct io *io)
{
    io_post(io, parcel_new(NULL, deliver_end, 0));
    pthread_join(io->thread, NULL);
    pthread_mutex_lock(&io->lock);
    io->deaf = true;
    pthread_mutex_unlock(&io->lock);
    for (struct parcel *parcel = take_parcels(io), *next; parcel; parcel = next) {
        next = parcel->next;
        parcel_free(parcel);
    }
    io_clear(io);
}
