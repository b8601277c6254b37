/* SPDX-License-Identifier: Apache-2.0 */
/* The live trace of one mailbox: text from the hub to the client's terminal. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admin/internal.h"

enum { EXIT_WRONG_CALL = 2, CHUNK = 32 * 1024, FRAME_HEAD = 5 };

/* ---- the server's half ---- */

/* A frame on its way; a client that does not read holds up nobody but itself. */
struct sending {
    uint8_t bytes[FRAME_HEAD + CHUNK];
    size_t size, sent;
};

static bool fill(struct sending *s, struct trace_reader *reader)
{
    const size_t size = trace_take(reader, s->bytes + FRAME_HEAD, CHUNK);
    s->bytes[0] = KIND_OUT;
    put_le32(s->bytes + 1, (uint32_t)size);
    s->size = size ? FRAME_HEAD + size : 0;
    s->sent = 0;
    return size > 0;
}

/* false: the client has gone. */
static bool send_some(struct sending *s, int fd)
{
    const ssize_t n = send(fd, s->bytes + s->sent, s->size - s->sent, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n > 0)
        s->sent += (size_t)n;
    return n > 0 || errno == EAGAIN || errno == EINTR;
}

/* Nothing more is expected of the client, so whatever comes from it means that it goes. */
static void stream(int fd, struct trace_reader *reader)
{
    struct sending *s = talloc_zero(NULL, struct sending);
    bool there = true;
    while (there) {
        const bool waits = s->sent == s->size && !fill(s, reader);
        struct pollfd fds[] = { { fd, (short)(waits ? POLLIN : POLLIN | POLLOUT), 0 },
                                { waits ? trace_fd(reader) : -1, POLLIN, 0 } };
        if (poll(fds, COUNTOF(fds), -1) < 0)
            there = errno == EINTR;
        else if (fds[0].revents & ~POLLOUT)
            there = false;
        else if (fds[0].revents & POLLOUT)
            there = send_some(s, fd);
    }
    talloc_free(s);
}

static void refuse(int fd, TALLOC_CTX *arena, const char *why)
{
    const char status = 1, *text = talloc_asprintf(arena, "%s\n", why);
    (void)(send_frame(fd, KIND_ERR, text, strlen(text)) && send_frame(fd, KIND_STATUS, &status, 1));
}

void serve_trace(int fd, TALLOC_CTX *arena, const struct cmdlet_context *context, struct trace *trace, const char *data,
                 size_t size)
{
    const struct account *account = NULL;
    const char *name = size ? data + 1 : "";
    if (!trace || !*name || directory_by_identity(context->directory, arena, name, &account) || !account) {
        refuse(fd, arena, talloc_asprintf(arena, "There is no mailbox '%s' here.", name));
        return;
    }
    const struct trace_style style = { data[0] & TRACE_VERBOSE, data[0] & TRACE_CONTENT };
    struct trace_reader *reader = trace_open(trace, account->mailbox_guid, &style);
    if (!reader) {
        refuse(fd, arena, "Too many traces run already.");
        return;
    }
    log_line(LOG_INFO, "admin", "%s is traced%s", account->logon_name, style.content ? ", with content" : "");
    const char *text = talloc_asprintf(arena, "tracing %s; Ctrl-C ends\n", account->logon_name);
    if (send_frame(fd, KIND_ERR, text, strlen(text)))
        stream(fd, reader);
    trace_close(reader);
}

/* ---- the client's half ---- */

static const char usage[] =
    "usage: oxcart trace --data DIR [-v] [--content] MAILBOX\n"
    "Prints what goes between the clients of a mailbox and the running server, one line a ROP, until Ctrl-C.\n"
    "  -v         whole structures\n"
    "  --content  text and bytes of properties too; without it they are masked\n";

static bool send_request(int fd, const char *mailbox, const struct trace_style *style)
{
    const uint8_t flags = (uint8_t)((style->verbose ? TRACE_VERBOSE : 0) | (style->content ? TRACE_CONTENT : 0));
    const size_t size = 1 + strlen(mailbox);
    uint8_t *bytes = talloc_array(NULL, uint8_t, size);
    bytes[0] = flags;
    memcpy(bytes + 1, mailbox, size - 1);
    const bool sent = send_frame(fd, KIND_TRACE, bytes, size);
    talloc_free(bytes);
    return sent;
}

/* Until the server ends it. */
static int copy_out(int fd)
{
    for (;;) {
        char kind = 0;
        size_t size = 0;
        char *data = recv_frame(NULL, fd, PIECE, &kind, &size);
        const int status = data && kind == KIND_STATUS && size ? *data : EXIT_SUCCESS;
        const bool ends = !data || kind == KIND_STATUS;
        FILE *to = kind == KIND_ERR ? stderr : stdout;
        if (!ends)
            fwrite(data, 1, size, to);
        fflush(to);
        talloc_free(data);
        if (ends)
            return status;
    }
}

static int trace_mailbox(const char *data_dir, const char *mailbox, const struct trace_style *style)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    int fd = -1, status = EXIT_FAILURE;
    const enum ec ec = connect_to_server(arena, data_dir, &fd);
    if (ec)
        fprintf(stderr, "oxcart: %s: %s\n", data_dir,
                ec == ecAccessDenied ? "the server does not talk to this user" : "no server runs on this data folder");
    else if (send_request(fd, mailbox, style))
        status = copy_out(fd);
    if (fd >= 0)
        close(fd);
    talloc_free(arena);
    return status;
}

int trace_command(int argc, char **argv)
{
    static const struct option options[] = { { "data", required_argument, NULL, 'd' },
                                             { "content", no_argument, NULL, 'c' },
                                             { "verbose", no_argument, NULL, 'v' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    struct trace_style style = { 0 };
    const char *data_dir = getenv("OXCART_DATA");
    for (int option; (option = getopt_long(argc, argv, "vd:", options, NULL)) >= 0;) {
        style.verbose |= option == 'v';
        style.content |= option == 'c';
        data_dir = option == 'd' ? optarg : data_dir;
        if (option == 'h' || option == '?') {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? EXIT_SUCCESS : EXIT_WRONG_CALL;
        }
    }
    if (argc - optind == 1 && data_dir && *argv[optind] && strlen(argv[optind]) < CHUNK)
        return trace_mailbox(data_dir, argv[optind], &style);
    fputs(usage, stderr);
    return EXIT_WRONG_CALL;
}
