/* SPDX-License-Identifier: Apache-2.0 */
/* One LMTP client: commands, and the message that ends with CR LF . CR LF and with nothing else, so that no two servers
 * disagree about where one message ends and the next one begins.  RFC 2033, RFC 5321, RFC 2034, RFC 1870. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/lmtp.h"

enum {
    LINE_MAX_BYTES = 4096, /* of a command: RFC 5321 has 512, RFC 6531 more */
    READ_BYTES = 64 * 1024,
    ADDRESS_MAX = 512,
    RECIPIENTS_MAX = 1000,
    ERRORS_MAX = 20,
    STOP_GRACE_MS = 5000, /* for the rest of a message when the server stops */
};

struct session {
    const struct lmtp_line *line;
    TALLOC_CTX *arena;   /* of the transaction */
    TALLOC_CTX *command; /* of one command, unless its transaction keeps it */
    struct buf out;    /* replies that are not sent yet */
    uint8_t in[READ_BYTES];
    size_t at, end;
    uint64_t deadline; /* clock_ms() by which the client must have said something */
    bool gone, quit, greeted;
    unsigned errors;
    char *helo;
    /* The transaction. */
    char *sender; /* NULL: no MAIL yet */
    const struct account **to;
    char **addresses;
    size_t count;
};

/* ---- bytes ---- */

static void reply(struct session *s, const char *format, ...) PRINTF(2, 3);
static void reply(struct session *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = talloc_vasprintf(s->arena, format, arguments);
    va_end(arguments);
    buf_add(&s->out, text, strlen(text));
    buf_add(&s->out, "\r\n", 2);
    talloc_free(text);
}

/* true: ready.  false: too late, or the server stops, or a signal of the end. */
static bool wait_for(struct session *s, short events, bool until_stop)
{
    struct pollfd wait[] = { { .fd = s->line->fd, .events = events },
                             { .fd = until_stop ? s->line->stop : -1, .events = POLLIN } };
    for (;;) {
        const uint64_t now = clock_ms();
        const int ready =
            now >= s->deadline ? 0 : poll(wait, COUNTOF(wait), (int)MIN(s->deadline - now, (uint64_t)60000));
        if (ready < 0 && errno != EINTR)
            return false;
        if (ready > 0)
            return !wait[1].revents && wait[0].revents;
        if (clock_ms() >= s->deadline)
            return false;
    }
}

static void flush(struct session *s)
{
    size_t sent = 0;
    s->deadline = clock_ms() + s->line->transport->config.idle_ms;
    while (sent < s->out.size && !s->gone) {
        const ssize_t n = send(s->line->fd, s->out.data + sent, s->out.size - sent, MSG_NOSIGNAL);
        if (n > 0)
            sent += (size_t)n;
        else if ((errno != EAGAIN && errno != EINTR) || !wait_for(s, POLLOUT, false))
            s->gone = true;
    }
    s->out.size = 0;
}

static bool is_stopping(const struct session *s)
{
    struct pollfd stop = { .fd = s->line->stop, .events = POLLIN };
    return poll(&stop, 1, 0) > 0;
}

/* More input into an empty buffer. */
static bool fill(struct session *s, bool until_stop)
{
    if (s->out.size)
        flush(s);
    s->at = s->end = 0;
    while (!s->gone) {
        const ssize_t n = recv(s->line->fd, s->in, sizeof s->in, 0);
        if (n > 0) {
            s->end = (size_t)n;
            return true;
        }
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            s->gone = true;
        else if (!wait_for(s, POLLIN, until_stop))
            return false;
    }
    return false;
}

static int next_byte(struct session *s, bool until_stop)
{
    if (s->at == s->end && !fill(s, until_stop))
        return -1;
    return s->in[s->at++];
}

/* A command without its line end.  What is longer is read and answered once. */
static char *read_command(struct session *s)
{
    char line[LINE_MAX_BYTES + 1];
    size_t length = 0;
    bool bad = false;
    s->deadline = clock_ms() + s->line->transport->config.idle_ms;
    for (int c; (c = next_byte(s, true)) != '\n';) {
        if (c < 0)
            return NULL;
        bad |= !c;
        if (length <= LINE_MAX_BYTES)
            line[MIN(length, (size_t)LINE_MAX_BYTES)] = (char)c;
        length++;
        if (length > (size_t)LINE_MAX_BYTES * 64) { /* this is no line at all */
            s->gone = true;
            return NULL;
        }
    }
    bad |= length > LINE_MAX_BYTES;
    length = MIN(length, (size_t)LINE_MAX_BYTES);
    length -= length && line[length - 1] == '\r';
    return bad ? talloc_strdup(s->command, "\1") : talloc_strndup(s->command, line, length);
}

/* ---- the transaction ---- */

static void reset(struct session *s)
{
    talloc_free(s->arena);
    s->arena = talloc_new(s);
    s->sender = NULL;
    s->to = NULL;
    s->addresses = NULL;
    s->count = 0;
}

/* What the command has made lives as long as the transaction. */
static void keep_command(struct session *s)
{
    talloc_steal(s->arena, s->command);
    s->command = talloc_new(s);
}

/* "<alice@example.com> SIZE=100": the address, and *rest behind it.  NULL: not a path. */
static char *path_of(struct session *s, const char *text, const char **rest)
{
    const char *at = text + strspn(text, " ");
    bool quoted = false;
    if (*at != '<')
        return NULL;
    const char *begin = ++at;
    for (; *at && (quoted || *at != '>'); at++) {
        if (*at == '\\' && quoted && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (iscntrl((unsigned char)*at) || (*at == '<' && !quoted))
            return NULL;
    }
    if (*at != '>' || at - begin > ADDRESS_MAX)
        return NULL;
    *rest = at + 1;
    char *path = talloc_strndup(s->command, begin, (size_t)(at - begin));
    return utf8_is_valid(path, strlen(path)) ? path : NULL;
}

typedef void command(struct session *, const char *argument);

static void on_lhlo(struct session *s, const char *argument)
{
    if (!*argument || strlen(argument) > ADDRESS_MAX) {
        reply(s, "501 5.5.4 LHLO needs a host name");
        return;
    }
    talloc_free(s->helo);
    s->helo = talloc_strdup(s, argument);
    reset(s);
    s->greeted = true;
    reply(s, "250-%s", s->line->transport->hostname);
    reply(s, "250-PIPELINING");
    reply(s, "250-8BITMIME");
    reply(s, "250-SMTPUTF8");
    reply(s, "250-ENHANCEDSTATUSCODES");
    reply(s, "250 SIZE %zu", s->line->transport->config.message_max);
}

/* [RFC 1870], [RFC 6152], [RFC 6531]; NULL: fine */
static const char *refusal_of_parameters(const struct session *s, char *parameters)
{
    for (char *word; (word = strtok_r(parameters, " ", &parameters)) != NULL;) {
        if (text_is_prefix(word, "SIZE=")) {
            char *end;
            if (strtoull(word + 5, &end, 10) > s->line->transport->config.message_max)
                return "552 5.3.4 the message is too large";
            if (*end || !word[5])
                return "501 5.5.4 SIZE needs a number";
        } else if (strcasecmp(word, "BODY=7BIT") && strcasecmp(word, "BODY=8BITMIME") && strcasecmp(word, "SMTPUTF8"))
            return "555 5.5.4 unknown parameter";
    }
    return NULL;
}

static void on_mail(struct session *s, const char *argument)
{
    const char *rest = "";
    if (s->sender) {
        reply(s, "503 5.5.1 there is a sender already");
        return;
    }
    char *sender = text_is_prefix(argument, "FROM:") ? path_of(s, argument + 5, &rest) : NULL;
    if (!sender) {
        reply(s, "501 5.1.7 MAIL FROM:<address> is expected");
        return;
    }
    const char *refusal = refusal_of_parameters(s, talloc_strdup(s->command, rest));
    if (refusal) {
        reply(s, "%s", refusal);
        return;
    }
    keep_command(s);
    s->sender = sender;
    s->to = talloc_array(s->arena, const struct account *, RECIPIENTS_MAX);
    s->addresses = talloc_array(s->arena, char *, RECIPIENTS_MAX);
    reply(s, "250 2.1.0 sender accepted");
}

static void on_rcpt(struct session *s, const char *argument)
{
    const char *rest = "";
    if (!s->sender) {
        reply(s, "503 5.5.1 MAIL comes first");
        return;
    }
    char *address = text_is_prefix(argument, "TO:") ? path_of(s, argument + 3, &rest) : NULL;
    if (!address || !*address)
        reply(s, "501 5.1.3 RCPT TO:<address> is expected");
    else if (rest[strspn(rest, " ")])
        reply(s, "555 5.5.4 unknown parameter");
    else if (s->count == RECIPIENTS_MAX)
        reply(s, "452 4.5.3 too many recipients");
    else {
        const struct account *a = directory_by_smtp(s->line->transport->config.directory, s->command, address);
        if (!a || a->kind == ACCOUNT_PUBLIC_FOLDERS) {
            reply(s, "550 5.1.1 there is no mailbox with this address");
            return;
        }
        keep_command(s);
        s->addresses[s->count] = address;
        s->to[s->count++] = a;
        reply(s, "250 2.1.5 recipient accepted");
    }
}

/* ---- DATA ---- */

/* RFC 5321, 4.4 */
static void add_received(struct session *s, struct buf *message)
{
    const char *one = s->count == 1 ? talloc_asprintf(s->arena, "\r\n\tfor <%s>", s->addresses[0]) : "";
    const time_t now = time(NULL);
    struct tm tm;
    char date[64];
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    for (char *c = s->helo; *c; c++)
        if (!isgraph((unsigned char)*c) || strchr("()<>;\"\\", *c))
            *c = '?';
    buf_printf(message, "Received: from %s ([%s])\r\n\tby %s with LMTP%s; %s\r\n", s->helo, s->line->peer,
               s->line->transport->hostname, one, date);
}

/* Where in "CR LF . CR LF" the message stands.  A dot that begins a line goes, unless it is all of the line. */
enum data_state { MIDDLE, AFTER_CR, LINE_START, AFTER_DOT, AFTER_DOT_CR };

struct data {
    struct buf message;
    size_t limit;
    bool too_large;
};

static void keep(struct data *d, const char *bytes, size_t size)
{
    d->too_large |= d->message.size + size > d->limit;
    if (!d->too_large)
        buf_add(&d->message, bytes, size);
}

static enum data_state next_state(struct data *d, enum data_state state, char c)
{
    if (state == LINE_START && c == '.')
        return AFTER_DOT;
    if (state == AFTER_DOT && c == '\r')
        return AFTER_DOT_CR;
    if (state == AFTER_DOT_CR) /* not the end: the dot was stuffed, and its line goes on behind a CR */
        keep(d, "\r", 1);
    keep(d, &c, 1);
    if (c == '\r')
        return AFTER_CR;
    return c == '\n' && (state == AFTER_CR || state == AFTER_DOT_CR) ? LINE_START : MIDDLE;
}

/* The whole message is read, however large it is: the client hears what is wrong with it afterwards. */
static bool read_message(struct session *s, struct data *d)
{
    enum data_state state = LINE_START;
    const uint64_t idle = s->line->transport->config.idle_ms, last = clock_ms() + 10 * idle;
    bool stopping = false;
    for (;;) {
        if (s->at == s->end) {
            stopping |= is_stopping(s);
            s->deadline = MIN(clock_ms() + idle, last);
            if (stopping)
                s->deadline = MIN(s->deadline, clock_ms() + STOP_GRACE_MS);
            if (!fill(s, !stopping) && (s->gone || stopping || !is_stopping(s)))
                return false;
            continue;
        }
        const char c = (char)s->in[s->at++];
        if (state == AFTER_DOT_CR && c == '\n')
            return true;
        state = next_state(d, state, c);
    }
}

static const struct {
    enum ec ec;
    const char *reply;
} refusals[] = {
    { ecNone, "250 2.1.5 delivered" },
    { ecDiskFull, "452 4.3.1 no space" },
    { ecQuotaExceeded, "552 5.2.2 the mailbox is full" },
    { ecMailboxInTransit, "451 4.3.2 the mailbox is being moved" },
    { ecTooBig, "552 5.3.4 the message is too large" },
    { ecInvalidRecips, "550 5.7.1 the recipient does not accept this message" }, /* by a rule */
    { ecTooManyRecips, "554 5.5.3 the message has too many recipients" },
    { ecMsgCycle, "554 5.4.6 the message goes round in a loop" },
};

static const char *reply_of(enum ec ec)
{
    for (size_t i = 0; i < COUNTOF(refusals); i++)
        if (refusals[i].ec == ec)
            return refusals[i].reply;
    return "451 4.3.0 the mailbox cannot be written now";
}

static void deliver_message(struct session *s, struct data *d)
{
    enum ec *results = talloc_zero_array(s->arena, enum ec, s->count);
    const struct blob message = buf_blob(&d->message);
    const enum ec refused = d->too_large ? ecTooBig : mime_hops(message) > HOPS_MAX ? ecMsgCycle : ecNone;
    if (!refused)
        transport_deliver(s->line->transport, message, s->sender, s->to, s->count, results);
    for (size_t i = 0; i < s->count; i++) {
        const enum ec ec = refused ? refused : results[i];
        reply(s, "%s", reply_of(ec));
        log_line(LOG_INFO, "lmtp", "from=<%s> to=<%s> size=%zu host=%s: %s", s->sender, s->addresses[i], message.size,
                 s->line->peer, reply_of(ec));
    }
}

static void on_data(struct session *s, const char *argument)
{
    struct data d = { .limit = s->line->transport->config.message_max + 64 * 1024 };
    if (*argument) {
        reply(s, "501 5.5.4 DATA stands alone");
        return;
    }
    if (!s->count) {
        reply(s, "503 5.5.1 there is no recipient");
        return;
    }
    reply(s, "354 end with <CRLF>.<CRLF>");
    buf_init(&d.message, s->arena);
    add_received(s, &d.message);
    d.limit = s->line->transport->config.message_max + d.message.size;
    if (read_message(s, &d))
        deliver_message(s, &d);
    else if (!s->gone) {
        reply(s, "421 4.4.2 the message did not end");
        s->quit = true;
    }
    reset(s);
}

/* ---- the other commands ---- */

static void on_rset(struct session *s, const char *argument)
{
    (void)argument;
    reset(s);
    reply(s, "250 2.0.0 reset");
}

static void on_noop(struct session *s, const char *argument)
{
    (void)argument;
    reply(s, "250 2.0.0 nothing done");
}

static void on_vrfy(struct session *s, const char *argument)
{
    (void)argument;
    reply(s, "252 2.5.0 send it and see");
}

static void on_quit(struct session *s, const char *argument)
{
    (void)argument;
    reply(s, "221 2.0.0 %s is done", s->line->transport->hostname);
    s->quit = true;
}

static const struct {
    const char *verb;
    command *run;
    bool before_lhlo;
} commands[] = {
    { "LHLO", on_lhlo, true }, { "MAIL", on_mail, false }, { "RCPT", on_rcpt, false }, { "DATA", on_data, false },
    { "RSET", on_rset, true }, { "NOOP", on_noop, true },  { "VRFY", on_vrfy, true },  { "QUIT", on_quit, true },
};

static void run_command(struct session *s, const char *line)
{
    const size_t length = strcspn(line, " ");
    const char *argument = line + length + strspn(line + length, " ");
    for (size_t i = 0; i < COUNTOF(commands); i++) {
        if (length != strlen(commands[i].verb) || strncasecmp(line, commands[i].verb, length) != 0)
            continue;
        if (s->greeted || commands[i].before_lhlo)
            commands[i].run(s, argument);
        else
            reply(s, "503 5.5.1 LHLO comes first");
        return;
    }
    reply(s, *line == '\1' ? "500 5.5.2 the line is too long or no text" : "500 5.5.1 unknown command");
}

/* Wrong commands, and not unknown recipients, of which a list may have many. */
static bool was_error(const struct session *s, size_t before)
{
    return s->out.size > before + 1 && memcmp(s->out.data + before, "50", 2) == 0;
}

void lmtp_converse(const struct lmtp_line *line)
{
    struct session *s = talloc_zero(NULL, struct session);
    s->line = line;
    s->arena = talloc_new(s);
    s->command = talloc_new(s);
    s->helo = talloc_strdup(s, "unknown");
    buf_init(&s->out, s);
    reply(s, "220 %s LMTP ready", line->transport->hostname);
    while (!s->gone && !s->quit) {
        talloc_free_children(s->command);
        char *command_line = !s->sender && is_stopping(s) ? NULL : read_command(s);
        const size_t before = s->out.size;
        if (!command_line) {
            reply(s, is_stopping(s) ? "421 4.3.2 the server stops" : "421 4.4.2 too long without a command");
            break;
        }
        run_command(s, command_line);
        s->errors += was_error(s, before);
        if (s->errors > ERRORS_MAX) {
            reply(s, "421 4.7.0 too many errors");
            break;
        }
    }
    flush(s);
    talloc_free(s);
}
