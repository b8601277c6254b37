/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/lmtp.h"

#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, READ_BYTES = 65536, BAD_COMMANDS_MAX = 20 };

struct lmtp {
    struct lmtp_config config;
    int listener, stop;                  /* stop: an eventfd that every thread polls */
    unsigned port;
    pthread_t acceptor;
    pthread_mutex_t lock;
    pthread_cond_t gone;
    unsigned connections;
};

/* One client.  `mail` lives from MAIL FROM to the end of DATA or RSET. */
struct client {
    struct lmtp *lmtp;
    int fd;
    TALLOC_CTX *arena;
    uint8_t in[READ_BYTES];
    size_t at, end;
    bool over;                           /* closed, silent for too long, or the server stops */
    bool greeted;
    unsigned bad_commands;
    struct mail {
        char *sender;                    /* NULL: no MAIL FROM yet */
        const char **recipients;
        size_t count;
    } *mail;
};

/* ---- bytes ---- */

static void say(struct client *c, const char *format, ...) PRINTF(2, 3);
static void say(struct client *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *line = talloc_vasprintf(c->arena, format, args);
    va_end(args);
    line = talloc_strdup_append(line, "\r\n");
    for (size_t sent = 0, size = strlen(line); sent < size && !c->over;) {
        const ssize_t n = send(c->fd, line + sent, size - sent, MSG_NOSIGNAL);
        c->over |= n <= 0 && errno != EINTR;
        sent += n > 0 ? (size_t)n : 0;
    }
    talloc_free(line);
}

/* More bytes; ends the connection when the client is silent or the server stops. */
static bool fill(struct client *c)
{
    struct pollfd fds[] = { { c->fd, POLLIN, 0 }, { c->lmtp->stop, POLLIN, 0 } };
    int ready;
    do
        ready = poll(fds, COUNTOF(fds), (int)c->lmtp->config.patience_ms);
    while (ready < 0 && errno == EINTR);
    if (ready <= 0 || fds[1].revents) {
        say(c, ready == 0 ? "421 4.4.2 %s nothing came for too long" : "421 4.3.2 %s is shutting down",
            c->lmtp->config.hostname);
        c->over = true;
        return false;
    }
    const ssize_t n = recv(c->fd, c->in, sizeof c->in, 0);
    c->at = 0;
    c->end = n > 0 ? (size_t)n : 0;
    c->over |= n <= 0;
    return !c->over;
}

static int next_byte(struct client *c)
{
    return c->at < c->end || fill(c) ? c->in[c->at++] : -1;
}

/* A command line without its CRLF; longer ones are read to their end and told apart.  A bare LF ends a command too. */
static bool read_command(struct client *c, char line[LINE_MAX_BYTES], bool *too_long)
{
    size_t n = 0;
    int byte;
    *too_long = false;
    while ((byte = next_byte(c)) >= 0 && byte != '\n')
        if (n + 1 < LINE_MAX_BYTES)
            line[n++] = (char)byte;
        else
            *too_long = true;
    if (n && line[n - 1] == '\r')
        n--;
    line[n] = '\0';
    return byte >= 0 && memchr(line, '\0', n) == NULL;
}

/* ---- DATA: RFC 5321 4.5.2.  Only CRLF.CRLF ends a mail; a bare CR or LF is content like any other. ---- */

struct data {
    struct buf text;
    bool too_big;
};

static void add_byte(struct data *d, size_t most, uint8_t byte)
{
    d->too_big |= d->text.size >= most;
    if (!d->too_big)
        *buf_grow(&d->text, 1) = byte;
}

/* false: the connection ended before the mail did, which then never came. */
static bool read_data(struct client *c, struct data *d)
{
    /* What has been seen of CR LF . CR LF that is not content yet. */
    enum { TEXT, CR, LINE, DOT, DOT_CR } state = LINE;
    const size_t most = c->lmtp->config.message_max;
    for (int byte; (byte = next_byte(c)) >= 0;) {
        if (state == LINE && byte == '.') {
            state = DOT;
            continue;
        }
        if (state == DOT && byte == '\r') {
            state = DOT_CR;
            continue;
        }
        if (state == DOT_CR && byte == '\n')
            return true;
        if (state == DOT_CR)
            add_byte(d, most, '\r');             /* the dot was stuffing, the CR is content */
        const bool after_cr = state == CR || state == DOT_CR;
        add_byte(d, most, (uint8_t)byte);
        state = byte == '\r' ? CR : byte == '\n' && after_cr ? LINE : TEXT;
    }
    return false;
}

/* ---- commands ---- */

static void reset(struct client *c)
{
    TALLOC_FREE(c->mail);
    c->mail = talloc_zero(c->arena, struct mail);
}

/* `<address>` after `keyword`, with parameters behind it.  NULL: not of this form. */
static char *read_path(TALLOC_CTX *arena, const char *text, const char *keyword, const char **parameters)
{
    const size_t length = strlen(keyword);
    if (strncasecmp(text, keyword, length) != 0)
        return NULL;
    text += length;
    text += strspn(text, " ");
    const char *end = *text == '<' ? strchr(text, '>') : NULL;
    if (!end)
        return NULL;
    *parameters = end + 1 + strspn(end + 1, " ");
    return talloc_strndup(arena, text + 1, (size_t)(end - text - 1));
}

static void do_lhlo(struct client *c, const char *rest)
{
    if (!*rest) {
        say(c, "501 5.5.4 LHLO needs the client's name");
        return;
    }
    c->greeted = true;
    reset(c);
    say(c, "250-%s\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE %zu",
        c->lmtp->config.hostname, c->lmtp->config.message_max);
}

static void do_mail(struct client *c, const char *rest)
{
    const char *parameters = "";
    char *sender = read_path(c->mail, rest, "FROM:", &parameters);
    const char *size = strcasestr(parameters, "SIZE=");
    if (!c->greeted)
        say(c, "503 5.5.1 say LHLO first");
    else if (c->mail->sender)
        say(c, "503 5.5.1 there is a sender already");
    else if (!sender)
        say(c, "501 5.5.4 it is MAIL FROM:<address>");
    else if (size && strtoull(size + 5, NULL, 10) > c->lmtp->config.message_max)
        say(c, "552 5.3.4 the message is larger than %zu bytes", c->lmtp->config.message_max);
    else {
        c->mail->sender = sender;
        say(c, "250 2.1.0 sender accepted");
    }
}

static void add_recipient(struct client *c, const char *recipient)
{
    struct mail *m = c->mail;
    m->recipients = talloc_realloc(m, m->recipients, const char *, m->count + 1);
    m->recipients[m->count++] = recipient;
}

static void do_rcpt(struct client *c, const char *rest)
{
    const char *parameters;
    const char *recipient = read_path(c->mail, rest, "TO:", &parameters);
    if (!c->mail->sender) {
        say(c, "503 5.5.1 say MAIL FROM first");
        return;
    }
    if (!recipient || !*recipient) {
        say(c, "501 5.5.4 it is RCPT TO:<address>");
        return;
    }
    if (c->mail->count >= c->lmtp->config.recipients_max) {
        say(c, "452 4.5.3 too many recipients");
        return;
    }
    const enum ec ec = c->lmtp->config.accepts(c->lmtp->config.context, recipient);
    if (!ec)
        add_recipient(c, recipient);
    if (!ec)
        say(c, "250 2.1.5 recipient accepted");
    else if (ec == ecNotFound)
        say(c, "550 5.1.1 there is no mailbox with this address here");
    else
        say(c, "451 4.3.0 the mailbox cannot be looked up now: %s", ec_text(ec));
}

/* What a result means to the mail server that delivers: later again, or never. */
static const struct {
    enum ec ec;
    const char *reply;
} replies[] = {
    { ecNone, "250 2.1.5 delivered" },
    { ecNotFound, "550 5.1.1 there is no mailbox with this address here" },
    { ecUnknownUser, "550 5.1.1 there is no mailbox with this address here" },
    { ecMailboxDisabled, "550 5.2.1 the mailbox is disabled" },
    { ecQuotaExceeded, "552 5.2.2 the mailbox is full" },
    { ecShutoffQuotaExceeded, "552 5.2.2 the mailbox is full" },
    { ecMsgCycle, "554 5.4.6 the message has been through too many servers" },
    { ecTooBig, "552 5.3.4 the message is too big" },
};

static void say_result(struct client *c, enum ec ec)
{
    for (size_t i = 0; i < COUNTOF(replies); i++)
        if (replies[i].ec == ec) {
            say(c, "%s", replies[i].reply);
            return;
        }
    say(c, "451 4.3.0 not delivered now: %s", ec_text(ec));
}

/* RFC 2033 4.2: one reply per recipient that was accepted, in order. */
static void deliver(struct client *c, struct blob message)
{
    struct mail *m = c->mail;
    enum ec *results = talloc_zero_array(m, enum ec, m->count);
    for (size_t i = 0; i < m->count; i++)
        results[i] = ecServerBusy;
    c->lmtp->config.deliver(c->lmtp->config.context, m, m->sender, m->recipients, m->count, message, results);
    for (size_t i = 0; i < m->count; i++)
        say_result(c, results[i]);
}

static void do_data(struct client *c, const char *rest)
{
    (void)rest;
    if (!c->mail->count) {
        say(c, "503 5.5.1 there is no recipient");
        return;
    }
    say(c, "354 the message, and a line with a dot alone behind it");
    struct data d = { .too_big = false };
    buf_init(&d.text, c->mail);
    if (!read_data(c, &d))
        return;
    if (!d.too_big)
        deliver(c, buf_blob(&d.text));
    for (size_t i = 0; d.too_big && i < c->mail->count; i++)
        say(c, "552 5.3.4 the message is larger than %zu bytes", c->lmtp->config.message_max);
    reset(c);
}

static void do_rset(struct client *c, const char *rest)
{
    (void)rest;
    reset(c);
    say(c, "250 2.0.0 forgotten");
}

static void do_noop(struct client *c, const char *rest)
{
    (void)rest;
    say(c, "250 2.0.0 nothing done");
}

static void do_vrfy(struct client *c, const char *rest)
{
    (void)rest;
    say(c, "252 2.5.0 RCPT TO tells whether a mailbox is here");
}

static void do_quit(struct client *c, const char *rest)
{
    (void)rest;
    say(c, "221 2.0.0 %s closes", c->lmtp->config.hostname);
    c->over = true;
}

static const struct {
    const char *verb;
    void (*run)(struct client *, const char *rest);
} commands[] = {
    { "LHLO", do_lhlo }, { "MAIL", do_mail }, { "RCPT", do_rcpt }, { "DATA", do_data },
    { "RSET", do_rset }, { "NOOP", do_noop }, { "VRFY", do_vrfy }, { "QUIT", do_quit },
};

static void run_command(struct client *c, const char *line)
{
    const size_t length = strcspn(line, " ");
    for (size_t i = 0; i < COUNTOF(commands); i++)
        if (length == strlen(commands[i].verb) && strncasecmp(line, commands[i].verb, length) == 0) {
            commands[i].run(c, line + length + strspn(line + length, " "));
            return;
        }
    c->bad_commands++;
    say(c, "500 5.5.1 no such command here");
}

/* ---- connections ---- */

static void converse(struct client *c)
{
    char line[LINE_MAX_BYTES];
    bool too_long;
    reset(c);
    say(c, "220 %s LMTP", c->lmtp->config.hostname);
    while (!c->over && read_command(c, line, &too_long)) {
        if (too_long)
            say(c, "500 5.5.2 the line is too long");
        else
            run_command(c, line);
        if (c->bad_commands > BAD_COMMANDS_MAX) {
            say(c, "421 4.7.0 too many bad commands");
            c->over = true;
        }
    }
}

static void *serve_client(void *arg)
{
    struct client *c = arg;
    struct lmtp *l = c->lmtp;
    converse(c);
    close(c->fd);
    talloc_free(c->arena);
    free(c);
    pthread_mutex_lock(&l->lock);
    l->connections--;
    pthread_cond_signal(&l->gone);
    pthread_mutex_unlock(&l->lock);
    return NULL;
}

static bool may_connect(struct lmtp *l)
{
    pthread_mutex_lock(&l->lock);
    const bool room = l->connections < l->config.connections_max;
    l->connections += room;
    pthread_mutex_unlock(&l->lock);
    return room;
}

static void refuse(int fd, const char *hostname)
{
    char text[300];
    const int n = snprintf(text, sizeof text, "421 4.3.2 %.200s has too many connections, later again\r\n", hostname);
    send(fd, text, (size_t)n, MSG_NOSIGNAL);
    close(fd);
}

static void accept_client(struct lmtp *l)
{
    static const int yes = 1;
    pthread_t thread;
    const int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    const struct timeval patience = { l->config.patience_ms / 1000, l->config.patience_ms % 1000 * 1000 };
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (!may_connect(l)) {
        refuse(fd, l->config.hostname);
        return;
    }
    struct client *c = calloc(1, sizeof *c);
    c->lmtp = l;
    c->fd = fd;
    c->arena = talloc_new(NULL);
    pthread_create(&thread, NULL, serve_client, c);
    pthread_detach(thread);
}

static void *accept_clients(void *arg)
{
    struct lmtp *l = arg;
    struct pollfd fds[] = { { l->listener, POLLIN, 0 }, { l->stop, POLLIN, 0 } };
    while (!fds[1].revents) {
        if (poll(fds, COUNTOF(fds), -1) > 0 && fds[0].revents)
            accept_client(l);
    }
    return NULL;
}

/* ---- opening and closing ---- */

/* ADDR:PORT as getaddrinfo wants it, brackets taken off. */
static bool split_address(TALLOC_CTX *arena, const char *address, char **host, const char **port)
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || !colon[1])
        return false;
    const bool bracket = *address == '[' && colon[-1] == ']';
    *host = bracket ? talloc_strndup(arena, address + 1, (size_t)(colon - address - 2))
                    : talloc_strndup(arena, address, (size_t)(colon - address));
    *port = colon + 1;
    return true;
}

static bool bind_listener(struct lmtp *l, TALLOC_CTX *arena)
{
    static const int yes = 1;
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *found = NULL;
    char *host;
    const char *port;
    errno = EINVAL;
    if (!split_address(arena, l->config.address, &host, &port) || getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    l->listener = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(l->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    const bool ok = l->listener >= 0 && bind(l->listener, found->ai_addr, found->ai_addrlen) == 0 && listen(l->listener, 64) == 0;
    freeaddrinfo(found);
    return ok;
}

static unsigned bound_port(int fd)
{
    struct sockaddr_storage a;
    socklen_t size = sizeof a;
    getsockname(fd, (struct sockaddr *)&a, &size);
    return ntohs(a.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&a)->sin6_port : ((struct sockaddr_in *)&a)->sin_port);
}

enum ec lmtp_open(struct lmtp **out, TALLOC_CTX *owner, const struct lmtp_config *config, char **why)
{
    struct lmtp *l = talloc_zero(owner, struct lmtp);
    l->config = *config;
    l->config.address = talloc_strdup(l, config->address);
    l->config.hostname = talloc_strdup(l, config->hostname);
    l->listener = -1;
    if (!bind_listener(l, l)) {
        *why = talloc_asprintf(owner, "cannot listen on %s: %s; choose another --lmtp ADDR:PORT, or stop what uses this one",
                               config->address, strerror(errno));
        if (l->listener >= 0)
            close(l->listener);
        talloc_free(l);
        return errno == EADDRINUSE ? ecBusy : ecInvalidParam;
    }
    l->port = bound_port(l->listener);
    l->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->gone, NULL);
    pthread_create(&l->acceptor, NULL, accept_clients, l);
    *out = l;
    return ecNone;
}

unsigned lmtp_port(const struct lmtp *l)
{
    return l->port;
}

void lmtp_close(struct lmtp *l)
{
    eventfd_write(l->stop, 1);
    pthread_join(l->acceptor, NULL);
    close(l->listener);
    pthread_mutex_lock(&l->lock);
    while (l->connections)
        pthread_cond_wait(&l->gone, &l->lock);
    pthread_mutex_unlock(&l->lock);
    close(l->stop);
    pthread_cond_destroy(&l->gone);
    pthread_mutex_destroy(&l->lock);
    talloc_free(l);
}
