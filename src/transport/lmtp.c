/* SPDX-License-Identifier: Apache-2.0 */
/* The LMTP listener: a thread for each client, of which there are few, since they are mail servers. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/lmtp.h"

struct lmtp {
    struct transport *transport;
    int fd, stop[2]; /* stop: a pipe; when its write end is closed, everybody stops */
    unsigned port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t idle;
    unsigned connections;
};

struct client {
    struct lmtp *lmtp;
    int fd;
    char peer[NI_MAXHOST];
};

/* ---- clients ---- */

static void *serve(void *arg)
{
    struct client *client = arg;
    struct lmtp *lmtp = client->lmtp;
    lmtp_converse(&(struct lmtp_line){ lmtp->transport, client->fd, lmtp->stop[0], client->peer });
    close(client->fd);
    talloc_free(client);
    pthread_mutex_lock(&lmtp->lock);
    if (--lmtp->connections == 0)
        pthread_cond_signal(&lmtp->idle);
    pthread_mutex_unlock(&lmtp->lock);
    return NULL;
}

static bool take_place(struct lmtp *lmtp)
{
    pthread_mutex_lock(&lmtp->lock);
    const bool free_place = lmtp->connections < lmtp->transport->config.connections_max;
    lmtp->connections += free_place;
    pthread_mutex_unlock(&lmtp->lock);
    return free_place;
}

static void give_back_place(struct lmtp *lmtp)
{
    pthread_mutex_lock(&lmtp->lock);
    if (--lmtp->connections == 0)
        pthread_cond_signal(&lmtp->idle);
    pthread_mutex_unlock(&lmtp->lock);
}

static void turn_away(int fd)
{
    static const char busy[] = "421 4.3.2 too many connections, try again later\r\n";
    (void)!send(fd, busy, sizeof busy - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

static bool start_thread(struct client *client)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    const bool started = pthread_create(&thread, &attributes, serve, client) == 0;
    pthread_attr_destroy(&attributes);
    return started;
}

static void take(struct lmtp *lmtp, int fd, const struct sockaddr *address, socklen_t length)
{
    const int one = 1;
    if (!take_place(lmtp)) {
        turn_away(fd);
        return;
    }
    struct client *client = talloc_zero(NULL, struct client);
    client->lmtp = lmtp;
    client->fd = fd;
    if (getnameinfo(address, length, client->peer, sizeof client->peer, NULL, 0, NI_NUMERICHOST))
        strcpy(client->peer, "?");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (!start_thread(client)) {
        talloc_free(client);
        turn_away(fd);
        give_back_place(lmtp);
    }
}

static void *accept_clients(void *arg)
{
    struct lmtp *lmtp = arg;
    struct pollfd wait[] = { { .fd = lmtp->fd, .events = POLLIN }, { .fd = lmtp->stop[0], .events = POLLIN } };
    while (poll(wait, COUNTOF(wait), -1) >= 0 || errno == EINTR) {
        struct sockaddr_storage address;
        socklen_t length = sizeof address;
        if (wait[1].revents)
            break;
        if (!(wait[0].revents & POLLIN))
            continue;
        const int fd = accept4(lmtp->fd, (struct sockaddr *)&address, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
            take(lmtp, fd, (struct sockaddr *)&address, length);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
            poll(&wait[1], 1, 100); /* until somebody has closed a file */
    }
    return NULL;
}

/* ---- the listener ---- */

/* "127.0.0.1:24", "[::1]:24", "localhost:24" */
static bool split(TALLOC_CTX *arena, const char *where, char **host, char **port)
{
    const char *colon = strrchr(where, ':');
    if (!colon || colon == where)
        return false;
    *host = talloc_strndup(arena, where, (size_t)(colon - where));
    *port = talloc_strdup(arena, colon + 1);
    const size_t length = strlen(*host);
    if ((*host)[0] == '[' && (*host)[length - 1] == ']')
        *host = talloc_strndup(arena, *host + 1, length - 2);
    return **port;
}

static int bound(const struct addrinfo *address)
{
    const int one = 1, fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, address->ai_addr, address->ai_addrlen) == 0 && listen(fd, SOMAXCONN) == 0)
        return fd;
    const int error = errno;
    close(fd);
    errno = error;
    return -1;
}

static enum ec open_socket(struct lmtp *lmtp, const char *where, char **why)
{
    const struct addrinfo hints = { .ai_family = AF_UNSPEC,
                                    .ai_socktype = SOCK_STREAM,
                                    .ai_flags = AI_NUMERICSERV | AI_PASSIVE };
    struct addrinfo *addresses;
    struct sockaddr_storage address;
    socklen_t length = sizeof address;
    char *host, *port, service[NI_MAXSERV];
    if (!split(lmtp, where, &host, &port)) {
        *why = talloc_asprintf(lmtp, "--lmtp %s: ADDRESS:PORT is expected, e.g. 127.0.0.1:24", where);
        return ecInvalidParam;
    }
    const int error = getaddrinfo(host, port, &hints, &addresses);
    if (error) {
        *why = talloc_asprintf(lmtp, "--lmtp %s: %s", where, gai_strerror(error));
        return ecInvalidParam;
    }
    lmtp->fd = bound(addresses);
    freeaddrinfo(addresses);
    if (lmtp->fd < 0 || getsockname(lmtp->fd, (struct sockaddr *)&address, &length) ||
        getnameinfo((struct sockaddr *)&address, length, NULL, 0, service, sizeof service, NI_NUMERICSERV)) {
        *why = talloc_asprintf(lmtp, "--lmtp %s: %s", where, strerror(errno));
        return ecAccessDenied;
    }
    lmtp->port = (unsigned)strtoul(service, NULL, 10);
    return ecNone;
}

static int lmtp_free(struct lmtp *lmtp)
{
    const int files[] = { lmtp->fd, lmtp->stop[0], lmtp->stop[1] };
    for (size_t i = 0; i < COUNTOF(files); i++)
        if (files[i] >= 0)
            close(files[i]);
    pthread_mutex_destroy(&lmtp->lock);
    pthread_cond_destroy(&lmtp->idle);
    return 0;
}

enum ec lmtp_open(struct lmtp **out, TALLOC_CTX *owner, struct transport *t, char **why)
{
    struct lmtp *lmtp = talloc_zero(owner, struct lmtp);
    lmtp->transport = t;
    lmtp->fd = lmtp->stop[0] = lmtp->stop[1] = -1;
    pthread_mutex_init(&lmtp->lock, NULL);
    pthread_cond_init(&lmtp->idle, NULL);
    talloc_set_destructor(lmtp, lmtp_free);
    enum ec ec = open_socket(lmtp, t->config.lmtp, why);
    if (!ec && (pipe2(lmtp->stop, O_CLOEXEC) || pthread_create(&lmtp->acceptor, NULL, accept_clients, lmtp))) {
        *why = talloc_strdup(lmtp, strerror(errno));
        ec = ecInsufficientResrc;
    }
    if (ec) {
        *why = talloc_steal(owner, *why);
        talloc_free(lmtp);
    }
    *out = ec ? NULL : lmtp;
    return ec;
}

unsigned lmtp_port(const struct lmtp *lmtp)
{
    return lmtp->port;
}

void lmtp_close(struct lmtp *lmtp)
{
    close(lmtp->stop[1]);
    lmtp->stop[1] = -1;
    pthread_join(lmtp->acceptor, NULL);
    close(lmtp->fd);
    lmtp->fd = -1;
    pthread_mutex_lock(&lmtp->lock);
    while (lmtp->connections)
        pthread_cond_wait(&lmtp->idle, &lmtp->lock);
    pthread_mutex_unlock(&lmtp->lock);
    talloc_free(lmtp);
}
