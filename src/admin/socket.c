/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/admin.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FRAME_MAX = 16 << 20, LINE_MAX_BYTES = 1 << 20, CONNECTIONS_MAX = 64 };
enum { KIND_LINE = 'L', KIND_ANSWER = 'A', KIND_QUESTION = 'Q', KIND_OUT = 'O', KIND_ERR = 'E', KIND_STATUS = 'S' };

struct admin {
    struct cmdlet_context context;
    char *path;
    int listener, stop;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t gone;
    unsigned connections;
};

/* ---- frames ---- */

static bool send_all(int fd, const void *data, size_t size)
{
    for (size_t sent = 0; sent < size;) {
        const ssize_t n = send(fd, (const char *)data + sent, size - sent, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR)
            return false;
        sent += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool recv_all(int fd, void *data, size_t size)
{
    for (size_t got = 0; got < size;) {
        const ssize_t n = recv(fd, (char *)data + got, size - got, 0);
        if (n == 0 || (n < 0 && errno != EINTR))
            return false;
        got += n > 0 ? (size_t)n : 0;
    }
    return true;
}

static bool send_frame(int fd, char kind, const void *data, size_t size)
{
    uint8_t head[5] = { (uint8_t)kind };
    put_le32(head + 1, (uint32_t)size);
    return send_all(fd, head, sizeof head) && send_all(fd, data, size);
}

/* Zero-terminated, so that a text is one.  NULL: broken, or longer than `most`. */
static char *recv_frame(TALLOC_CTX *arena, int fd, size_t most, char *kind, size_t *size)
{
    uint8_t head[5];
    if (!recv_all(fd, head, sizeof head) || le32(head + 1) > most)
        return NULL;
    *kind = (char)head[0];
    *size = le32(head + 1);
    char *data = talloc_zero_size(arena, *size + 1);
    return recv_all(fd, data, *size) ? data : NULL;
}

/* ---- the server's half ---- */

struct connection {
    struct admin *admin;
    int fd;
};

static char ask_client(void *arg, const char *question)
{
    struct connection *c = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    char kind = 0, answer = 'N';
    size_t size = 0;
    const char *data = send_frame(c->fd, KIND_QUESTION, question, strlen(question))
                           ? recv_frame(arena, c->fd, 1, &kind, &size) : NULL;
    if (data && kind == KIND_ANSWER && size == 1)
        answer = *data;
    talloc_free(arena);
    return answer;
}

static void run_line(struct connection *c, TALLOC_CTX *arena, const char *data, size_t size)
{
    struct cmdlet_context context = c->admin->context;
    context.ask = ask_client;
    context.ask_arg = c;
    struct cmdlet_result r = { "", "the request is malformed\n", 1 };
    if (size > 1 && (uint8_t)data[0] <= CMDLET_CSV && strlen(data + 1) == size - 1)
        r = cmdlet_run(arena, &context, data + 1, (enum cmdlet_output)data[0]);
    const char status = (char)r.status;
    (void)(send_frame(c->fd, KIND_OUT, r.out, strlen(r.out)) && send_frame(c->fd, KIND_ERR, r.err, strlen(r.err)) &&
           send_frame(c->fd, KIND_STATUS, &status, 1));
}

static bool may_talk(int fd)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && (peer.uid == 0 || peer.uid == geteuid());
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    struct admin *a = c->admin;
    TALLOC_CTX *arena = talloc_new(NULL);
    char kind = 0;
    size_t size = 0;
    const char *line = may_talk(c->fd) ? recv_frame(arena, c->fd, LINE_MAX_BYTES, &kind, &size) : NULL;
    if (line && kind == KIND_LINE)
        run_line(c, arena, line, size);
    close(c->fd);
    talloc_free(arena);
    free(c);
    pthread_mutex_lock(&a->lock);
    a->connections--;
    pthread_cond_signal(&a->gone);
    pthread_mutex_unlock(&a->lock);
    return NULL;
}

static bool may_connect(struct admin *a)
{
    pthread_mutex_lock(&a->lock);
    const bool room = a->connections < CONNECTIONS_MAX;
    a->connections += room;
    pthread_mutex_unlock(&a->lock);
    return room;
}

/* A client that says nothing does not hold the server up for ever. */
static void accept_client(struct admin *a)
{
    static const struct timeval patience = { 600, 0 };
    pthread_t thread;
    const int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    if (!may_connect(a)) {
        close(fd);
        return;
    }
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct connection *c = calloc(1, sizeof *c);
    *c = (struct connection){ a, fd };
    pthread_create(&thread, NULL, serve, c);
    pthread_detach(thread);
}

static void *accept_clients(void *arg)
{
    struct admin *a = arg;
    struct pollfd fds[] = { { a->listener, POLLIN, 0 }, { a->stop, POLLIN, 0 } };
    while (!fds[1].revents)
        if (poll(fds, COUNTOF(fds), -1) > 0 && fds[0].revents)
            accept_client(a);
    return NULL;
}

/* A socket's path is short; a data folder's may be long. */
static bool socket_address(TALLOC_CTX *arena, const char *data_dir, struct sockaddr_un *address)
{
    const char *path = talloc_asprintf(arena, "%s/admin.sock", data_dir);
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    if (strlen(path) >= sizeof address->sun_path)
        return false;
    strcpy(address->sun_path, path);
    return true;
}

enum ec admin_open(struct admin **out, TALLOC_CTX *owner, const char *data_dir, const struct cmdlet_context *context, char **why)
{
    struct sockaddr_un address;
    struct admin *a = talloc_zero(owner, struct admin);
    a->context = *context;
    if (!socket_address(a, data_dir, &address)) {
        *why = talloc_asprintf(owner, "the path of '%s' is too long for a socket; choose a shorter --data folder", data_dir);
        talloc_free(a);
        return ecInvalidParam;
    }
    a->path = talloc_strdup(a, address.sun_path);
    unlink(a->path);                     /* the lock of the folder says that no other server uses it */
    a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const mode_t mask = umask(0177);
    const bool ok = bind(a->listener, (struct sockaddr *)&address, sizeof address) == 0 && listen(a->listener, 16) == 0;
    umask(mask);
    if (!ok) {
        *why = talloc_asprintf(owner, "cannot make the socket '%s': %s", a->path, strerror(errno));
        close(a->listener);
        talloc_free(a);
        return ecAccessDenied;
    }
    a->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->gone, NULL);
    pthread_create(&a->acceptor, NULL, accept_clients, a);
    *out = a;
    return ecNone;
}

void admin_close(struct admin *a)
{
    eventfd_write(a->stop, 1);
    pthread_join(a->acceptor, NULL);
    unlink(a->path);
    close(a->listener);
    pthread_mutex_lock(&a->lock);
    while (a->connections)
        pthread_cond_wait(&a->gone, &a->lock);
    pthread_mutex_unlock(&a->lock);
    close(a->stop);
    pthread_cond_destroy(&a->gone);
    pthread_mutex_destroy(&a->lock);
    talloc_free(a);
}

/* ---- the client's half ---- */

static bool send_line(int fd, const char *line, enum cmdlet_output output)
{
    const size_t size = strlen(line) + 1;
    uint8_t head[6] = { KIND_LINE };
    put_le32(head + 1, (uint32_t)size);
    head[5] = (uint8_t)output;
    return send_all(fd, head, sizeof head) && send_all(fd, line, size - 1);
}

static enum ec read_answer(TALLOC_CTX *arena, int fd, char (*ask)(void *, const char *), void *arg, struct cmdlet_result *out)
{
    *out = (struct cmdlet_result){ "", "", 1 };
    for (;;) {
        char kind;
        size_t size;
        char *data = recv_frame(arena, fd, FRAME_MAX, &kind, &size);
        if (!data)
            return ecRpcFailed;
        const char answer = kind == KIND_QUESTION && ask ? ask(arg, data) : 'N';
        if (kind == KIND_QUESTION && !send_frame(fd, KIND_ANSWER, &answer, 1))
            return ecRpcFailed;
        if (kind == KIND_OUT)
            out->out = data;
        if (kind == KIND_ERR)
            out->err = data;
        if (kind == KIND_STATUS) {
            out->status = size ? *data : 1;
            return ecNone;
        }
    }
}

enum ec admin_call(TALLOC_CTX *arena, const char *data_dir, const char *line, enum cmdlet_output output,
                   char (*ask)(void *arg, const char *question), void *arg, struct cmdlet_result *out)
{
    struct sockaddr_un address;
    if (strlen(line) >= LINE_MAX_BYTES - 1 || !socket_address(arena, data_dir, &address))
        return ecInvalidParam;
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum ec ec = ecNone;
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0)
        ec = errno == EACCES || errno == EPERM ? ecAccessDenied : ecNotFound;
    else if (!send_line(fd, line, output))
        ec = ecRpcFailed;
    if (!ec)
        ec = read_answer(arena, fd, ask, arg, out);
    close(fd);
    return ec;
}
