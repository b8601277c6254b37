/* SPDX-License-Identifier: Apache-2.0 */
#include "admin/internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { OUTPUT_MAX = 1 << 30, LINE_MAX_BYTES = 1 << 20, CONNECTIONS_MAX = 64, PATIENCE_SECONDS = 600 };
enum { LINE_OUTPUT, LINE_CAN_ANSWER, LINE_WIDTH, LINE_TEXT = LINE_WIDTH + 2 };     /* where each stands in an L frame */

struct connection {
    struct admin *admin;
    struct connection *next;
    int fd;
};

struct admin {
    struct cmdlet_context context;
    struct trace *trace;
    uid_t owner;                            /* the service's own user */
    char *path;
    int listener, stop;
    pthread_t acceptor;
    pthread_mutex_t lock;                   /* guards the list */
    pthread_cond_t gone;
    struct connection *connections;
    unsigned count;
};

/* Frames. */
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

bool send_frame(int fd, char kind, const void *data, size_t size)
{
    uint8_t head[5] = { (uint8_t)kind };
    put_le32(head + 1, (uint32_t)size);
    return send_all(fd, head, sizeof head) && send_all(fd, data, size);
}

char *recv_frame(TALLOC_CTX *arena, int fd, size_t most, char *kind, size_t *size)
{
    uint8_t head[5];
    if (!recv_all(fd, head, sizeof head) || le32(head + 1) > most)
        return NULL;
    *kind = (char)head[0];
    *size = le32(head + 1);
    char *data = talloc_zero_size(arena, *size + 1);
    return recv_all(fd, data, *size) ? data : NULL;
}

static bool send_pieces(int fd, char kind, const char *text)
{
    bool ok = true;
    for (size_t left = strlen(text); ok && left;) {
        const size_t size = MIN(left, (size_t)PIECE);
        ok = send_frame(fd, kind, text, size);
        text += size;
        left -= size;
    }
    return ok;
}

/* The server's half. */
static char ask_client(void *arg, const char *question)
{
    const struct connection *c = arg;
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

static bool is_line(const char *data, size_t size)
{
    return size >= LINE_TEXT && (uint8_t)data[LINE_OUTPUT] <= CMDLET_CSV &&
           strlen(data + LINE_TEXT) == size - LINE_TEXT;               /* no zero byte inside */
}

static void run_line(struct connection *c, TALLOC_CTX *arena, uid_t uid, const char *data, size_t size)
{
    struct cmdlet_context context = c->admin->context;
    struct cmdlet_result r = { "", "The request is malformed.\n", 1 };
    if (is_line(data, size)) {
        context.ask = data[LINE_CAN_ANSWER] ? ask_client : NULL;
        context.ask_arg = c;
        context.width = le16((const uint8_t *)data + LINE_WIDTH);
        context.caller = talloc_asprintf(arena, "uid %u", (unsigned)uid);
        r = cmdlet_run(arena, &context, data + LINE_TEXT, (enum cmdlet_output)data[LINE_OUTPUT]);
    }
    const char status = (char)r.status;
    (void)(send_pieces(c->fd, KIND_OUT, r.out) && send_pieces(c->fd, KIND_ERR, r.err) &&
           send_frame(c->fd, KIND_STATUS, &status, 1));
}

static bool may_talk(const struct admin *a, int fd, uid_t *uid)
{
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
        return false;
    *uid = peer.uid;
    if (peer.uid == 0 || peer.uid == a->owner)
        return true;
    log_line(LOG_WARNING, "admin", "uid %u may not administer this organisation", (unsigned)peer.uid);
    return false;
}

static void leave(struct connection *c)
{
    struct admin *a = c->admin;
    pthread_mutex_lock(&a->lock);
    struct connection **at = &a->connections;
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    a->count--;
    close(c->fd);
    free(c);
    pthread_cond_signal(&a->gone);
    pthread_mutex_unlock(&a->lock);
}

static void *serve(void *arg)
{
    struct connection *c = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    char kind = 0;
    size_t size = 0;
    uid_t uid = 0;
    const char *line = may_talk(c->admin, c->fd, &uid) ? recv_frame(arena, c->fd, LINE_MAX_BYTES, &kind, &size) : NULL;
    if (line && kind == KIND_LINE)
        run_line(c, arena, uid, line, size);
    else if (line && kind == KIND_TRACE)
        serve_trace(c->fd, arena, &c->admin->context, c->admin->trace, line, size);
    talloc_free(arena);
    leave(c);
    return NULL;
}

/* False: there are too many already. */
static bool enter(struct connection *c)
{
    struct admin *a = c->admin;
    pthread_mutex_lock(&a->lock);
    const bool room = a->count < CONNECTIONS_MAX;
    if (room) {
        c->next = a->connections;
        a->connections = c;
        a->count++;
    }
    pthread_mutex_unlock(&a->lock);
    return room;
}

/* A client that says nothing does not stay for ever. */
static void start_serving(struct admin *a, int fd)
{
    static const struct timeval patience = { PATIENCE_SECONDS, 0 };
    pthread_t thread;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    struct connection *c = calloc(1, sizeof *c);
    *c = (struct connection){ a, NULL, fd };
    if (!enter(c)) {
        close(fd);
        free(c);
    } else if (pthread_create(&thread, NULL, serve, c)) {
        leave(c);
    } else {
        pthread_detach(thread);
    }
}

/* Without a free descriptor the waiting client would wake us at once again: then the stop is waited for a moment. */
static void accept_client(struct admin *a)
{
    struct pollfd stop = { a->stop, POLLIN, 0 };
    const int fd = accept4(a->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0)
        start_serving(a, fd);
    else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
        poll(&stop, 1, 100);
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

/* The lock of the data folder says that no other server uses it, so that what is there is left over. */
static bool start_listening(struct admin *a, const struct sockaddr_un *address)
{
    unlink(address->sun_path);
    a->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return fchmod(a->listener, 0600) == 0 &&               /* Linux makes the file with the socket's own mode */
           bind(a->listener, (const struct sockaddr *)address, sizeof *address) == 0 && listen(a->listener, 16) == 0;
}

enum ec admin_open(struct admin **out, TALLOC_CTX *owner, const char *data_dir, const struct cmdlet_context *context,
                   struct trace *trace, char **why)
{
    struct sockaddr_un address;
    struct admin *a = talloc_zero(owner, struct admin);
    a->context = *context;
    a->trace = trace;
    a->owner = geteuid();
    if (!socket_address(a, data_dir, &address)) {
        *why = talloc_asprintf(owner, "The path of '%s' is too long for a socket: choose a shorter --data folder.",
                               data_dir);
        talloc_free(a);
        return ecInvalidParam;
    }
    a->path = talloc_strdup(a, address.sun_path);
    if (!start_listening(a, &address)) {
        *why = talloc_asprintf(owner, "The socket '%s' can't be made: %s.", a->path, strerror(errno));
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

/* Nothing more is read, so that whoever waits for a line or an answer goes on; what is still to be said is said. */
static void wait_for_clients(struct admin *a)
{
    pthread_mutex_lock(&a->lock);
    for (const struct connection *c = a->connections; c; c = c->next)
        shutdown(c->fd, SHUT_RD);
    while (a->connections)
        pthread_cond_wait(&a->gone, &a->lock);
    pthread_mutex_unlock(&a->lock);
}

void admin_close(struct admin *a)
{
    eventfd_write(a->stop, 1);
    pthread_join(a->acceptor, NULL);
    unlink(a->path);
    close(a->listener);
    wait_for_clients(a);
    close(a->stop);
    pthread_cond_destroy(&a->gone);
    pthread_mutex_destroy(&a->lock);
    talloc_free(a);
}

/* The client's half. */
static bool send_request(int fd, const struct admin_request *request)
{
    const size_t size = strlen(request->line);
    uint8_t head[5 + LINE_TEXT] = { KIND_LINE };
    put_le32(head + 1, (uint32_t)(LINE_TEXT + size));
    head[5 + LINE_OUTPUT] = (uint8_t)request->output;
    head[5 + LINE_CAN_ANSWER] = request->ask != NULL;
    put_le16(head + 5 + LINE_WIDTH, (uint16_t)MIN(request->width, UINT16_MAX));
    return send_all(fd, head, sizeof head) && send_all(fd, request->line, size);
}

static const char *text_of(TALLOC_CTX *arena, const struct buf *buf)
{
    return talloc_strndup(arena, buf->size ? (const char *)buf->data : "", buf->size);
}

/* Until the status comes. */
static enum ec read_answer(TALLOC_CTX *arena, int fd, const struct admin_request *request, struct cmdlet_result *out)
{
    struct buf texts[2];
    buf_init(&texts[0], arena);
    buf_init(&texts[1], arena);
    for (;;) {
        char kind = 0;
        size_t size = 0;
        char *data = recv_frame(arena, fd, PIECE, &kind, &size);
        if (!data || texts[0].size + texts[1].size > OUTPUT_MAX)
            return ecRpcFailed;
        if (kind == KIND_OUT || kind == KIND_ERR)
            buf_add(&texts[kind == KIND_ERR], data, size);
        const char answer = kind == KIND_QUESTION && request->ask ? request->ask(request->arg, data) : 'N';
        if (kind == KIND_QUESTION && !send_frame(fd, KIND_ANSWER, &answer, 1))
            return ecRpcFailed;
        if (kind == KIND_STATUS) {
            *out = (struct cmdlet_result){ text_of(arena, &texts[0]), text_of(arena, &texts[1]), size ? *data : 1 };
            return ecNone;
        }
        talloc_free(data);
    }
}

enum ec connect_to_server(TALLOC_CTX *arena, const char *data_dir, int *fd)
{
    struct sockaddr_un address;
    *fd = -1;
    if (!socket_address(arena, data_dir, &address))
        return ecInvalidParam;
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(*fd, (struct sockaddr *)&address, sizeof address))
        return errno == EACCES || errno == EPERM ? ecAccessDenied : ecNotFound;
    return ecNone;
}

enum ec admin_call(TALLOC_CTX *arena, const char *data_dir, const struct admin_request *request,
                   struct cmdlet_result *out)
{
    int fd = -1;
    if (strlen(request->line) > LINE_MAX_BYTES - LINE_TEXT)
        return ecInvalidParam;
    enum ec ec = connect_to_server(arena, data_dir, &fd);
    if (!ec && !send_request(fd, request))
        ec = ecRpcFailed;
    if (!ec)
        ec = read_answer(arena, fd, request, out);
    if (fd >= 0)
        close(fd);
    return ec;
}
