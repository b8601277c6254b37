/* SPDX-License-Identifier: Apache-2.0 */
/* lmtp PORT MAILBOX_FILE MBOX ADDRESS [ADDRESS ...]: mail into a running server over one LMTP connection, as a mail
 * server hands it over: envelope and DATA in one write, to one recipient and to all of them, beside SQLite commits of
 * the bytes that a message has in that mailbox. */
#include "bench.h"
#include "bare.h"
#include "mail.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ADDRESSES_MAX = 50, PATIENCE_S = 30 };

struct sender {
    int socket;
    FILE *answers;
    const struct mails *mails;
    char *const *to;
    unsigned to_count;
    uint32_t n;
};

/* ---- the conversation ---- */

static void say(const struct sender *s, struct blob text)
{
    for (size_t at = 0; at < text.size;) {
        const ssize_t n = send(s->socket, text.data + at, text.size - at, MSG_NOSIGNAL);
        if (n <= 0)
            give_up("LMTP: the server has closed the connection");
        at += (size_t)n;
    }
}

/* One answer, which may have several lines, and must begin so. */
static void hear(const struct sender *s, char first)
{
    char line[1024];
    do {
        if (!fgets(line, sizeof line, s->answers))
            give_up("LMTP: no answer");
        if (line[0] != first)
            give_up("LMTP: the server says %s", line);
    } while (line[3] == '-');
}

static void connect_to(struct sender *s, unsigned port)
{
    const struct sockaddr_in where = { .sin_family = AF_INET,
                                       .sin_port = htons((uint16_t)port),
                                       .sin_addr = { htonl(INADDR_LOOPBACK) } };
    s->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(s->socket, IPPROTO_TCP, TCP_NODELAY, &(int){ 1 }, sizeof(int));
    setsockopt(s->socket, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ PATIENCE_S, 0 }, sizeof(struct timeval));
    if (connect(s->socket, (const struct sockaddr *)&where, sizeof where) != 0)
        give_up("nobody listens for LMTP on port %u", port);
    s->answers = fdopen(dup(s->socket), "r");
    hear(s, '2');
    say(s, BLOB_OF("LHLO bench.example.org\r\n", 24));
    hear(s, '2');
}

static unsigned send_mail(void *arg)
{
    struct sender *s = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct buf envelope;
    buf_init(&envelope, arena);
    buf_printf(&envelope, "MAIL FROM:<sender@example.org>\r\n");
    for (unsigned i = 0; i < s->to_count; i++)
        buf_printf(&envelope, "RCPT TO:<%s>\r\n", s->to[i]);
    buf_printf(&envelope, "DATA\r\n");
    say(s, buf_blob(&envelope));
    for (unsigned i = 0; i < s->to_count + 1; i++)
        hear(s, '2');
    hear(s, '3');
    say(s, mail_rfc5322(arena, s->mails, s->n++));
    say(s, BLOB_OF(".\r\n", 3));
    for (unsigned i = 0; i < s->to_count; i++)
        hear(s, '2');
    talloc_free(arena);
    return s->to_count;
}

static void hang_up(struct sender *s)
{
    say(s, BLOB_OF("QUIT\r\n", 6));
    hear(s, '2');
    fclose(s->answers);
    close(s->socket);
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc - 4 > ADDRESSES_MAX)
        give_up("usage: lmtp PORT MAILBOX_FILE MBOX ADDRESS [ADDRESS ...]");
    TALLOC_CTX *arena = talloc_new(NULL);
    struct bare *bare = bare_open(arena, argv[2]);
    struct sender one = { .mails = mails_read(arena, argv[3]), .to = argv + 4, .to_count = 1 }, all = one;
    all.to_count = (unsigned)argc - 4;
    connect_to(&one, (unsigned)atoi(argv[1]));
    connect_to(&all, (unsigned)atoi(argv[1]));
    struct side sides[] = { { .what = "one", .step = send_mail, .arg = &one },
                            { .what = "all", .step = send_mail, .arg = &all },
                            { .what = "commits", .step = bare_commit, .arg = bare } };
    take_turns(sides, COUNTOF(sides));
    const char *commits = bare_commits(bare);
    print_title("Mail in, over LMTP");
    print_beside("deliveries, a recipient a mail", &sides[0], commits, &sides[2], NO_LIMIT);
    print_beside(talloc_asprintf(arena, "deliveries, %u recipients a mail", all.to_count), &sides[1], commits,
                 &sides[2], NO_LIMIT);
    hang_up(&one);
    hang_up(&all);
    talloc_free(arena);
    return 0;
}
