/* SPDX-License-Identifier: Apache-2.0 */
/* The power fails, again and again, in the middle of deliveries and saves: everything that was acknowledged is there,
 * exactly once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

enum { MESSAGES = 1000, KILLS = 4, OF_EACH = MESSAGES / 2 };

struct sender {
    struct server *server;
    unsigned port;
    int fd;
    bool acknowledged[OF_EACH];
    atomic_uint done;                    /* of deliveries and saves, acknowledged */
    unsigned next_delivery, next_save;
    bool saved[OF_EACH];
};

/* ---- deliveries, by a mail server that is in a hurry ---- */

static bool say(int fd, const char *text)
{
    return send(fd, text, strlen(text), MSG_NOSIGNAL) == (ssize_t)strlen(text);
}

static bool heard(int fd, const char *start)
{
    char line[400];
    do {
        size_t n = 0;
        while (n + 1 < sizeof line && recv(fd, line + n, 1, 0) == 1 && line[n++] != '\n')
            ;
        line[n] = '\0';
    } while (strlen(line) > 3 && line[3] == '-');
    return strncmp(line, start, strlen(start)) == 0;
}

static int dial(unsigned port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 && heard(fd, "220") && say(fd, "LHLO test\r\n") && heard(fd, "250"))
        return fd;
    close(fd);
    return -1;
}

static bool deliver(int fd, unsigned number)
{
    char mail[400];
    snprintf(mail, sizeof mail, "From: s@example.org\r\nTo: alice@contoso.com\r\nSubject: delivery %u\r\n"
                                "Message-ID: <%u@example.org>\r\n\r\nText of %u\r\n.\r\n", number, number, number);
    return say(fd, "MAIL FROM:<s@example.org>\r\n") && heard(fd, "250") && say(fd, "RCPT TO:<alice@contoso.com>\r\n") &&
           heard(fd, "250") && say(fd, "DATA\r\n") && heard(fd, "354") && say(fd, mail) && heard(fd, "250 2.1.5");
}

static void *deliver_until_the_end(void *arg)
{
    struct sender *s = arg;
    s->fd = dial(s->port);
    while (s->fd >= 0 && s->next_delivery < OF_EACH && deliver(s->fd, s->next_delivery)) {
        s->acknowledged[s->next_delivery++] = true;
        s->done++;
    }
    close(s->fd);
    return NULL;
}

/* ---- saves, by a client ---- */

static bool save(struct client *c, uint64_t fid, unsigned number)
{
    char subject[40];
    uint32_t message;
    uint64_t mid;
    snprintf(subject, sizeof subject, "save %u", number);
    const struct prop values[] = { P_STR(PidTagSubject, subject), P_STR(PidTagBody, "text") };
    return client_message_create(c, fid, &message) == ecNone && client_set(c, message, values, COUNTOF(values)) == ecNone &&
           client_message_save(c, message, &mid) == ecNone && (client_release(c, message), true);
}

static void *save_until_the_end(void *arg)
{
    struct sender *s = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct client *c = server_client(s->server, arena, "alice");
    uint64_t drafts;
    if (client_connect(c) == ecNone && client_logon(c, NULL) == ecNone && client_folder_find(c, "Drafts", &drafts) == ecNone)
        while (s->next_save < OF_EACH && save(c, drafts, s->next_save)) {
            s->saved[s->next_save++] = true;
            s->done++;
        }
    talloc_free(arena);
    return NULL;
}

/* ---- what is there ---- */

static void count_subjects(struct client *c, const char *path, const char *form, unsigned counts[OF_EACH])
{
    static const uint32_t columns[] = { PidTagSubject };
    TALLOC_CTX *arena = talloc_new(NULL);
    struct props *rows;
    uint32_t count;
    uint64_t fid;
    assert_int_equal(client_folder_find(c, path, &fid), ecNone);
    assert_int_equal(client_messages(c, arena, fid, columns, 1, 0, 2 * MESSAGES, &rows, &count, NULL), ecNone);
    for (uint32_t i = 0; i < count; i++) {
        unsigned number = OF_EACH;
        assert_int_equal(sscanf(rows[i].values[0].str, form, &number), 1);
        assert_in_range(number, 0, OF_EACH - 1);
        counts[number]++;
    }
    talloc_free(arena);
}

/* One that was under way when the power failed may be there or not, but not twice.  What is there is not sent again. */
static void expect_exactly_once(const unsigned counts[OF_EACH], bool acknowledged[OF_EACH], unsigned *next, const char *what)
{
    for (unsigned i = 0; i < OF_EACH; i++) {
        if (acknowledged[i] ? counts[i] != 1 : counts[i] > (i == *next ? 1 : 0))
            fail_msg("%s %u is there %u times and was %sacknowledged", what, i, counts[i], acknowledged[i] ? "" : "not ");
    }
    if (*next < OF_EACH && counts[*next]) {
        acknowledged[*next] = true;
        ++*next;
    }
}

static void check(struct sender *s)
{
    unsigned deliveries[OF_EACH] = { 0 }, saves[OF_EACH] = { 0 };
    TALLOC_CTX *arena = talloc_new(NULL);
    struct client *c = server_logon(s->server, arena, "alice");
    count_subjects(c, "Inbox", "delivery %u", deliveries);
    count_subjects(c, "Drafts", "save %u", saves);
    client_disconnect(c);
    talloc_free(arena);
    expect_exactly_once(deliveries, s->acknowledged, &s->next_delivery, "delivery");
    expect_exactly_once(saves, s->saved, &s->next_save, "save");
}

/* Both until `kill_at` were acknowledged in total; then the server is killed. */
static void run_until(struct sender *s, unsigned kill_at)
{
    pthread_t deliverer, saver;
    s->port = server_lmtp_port(s->server);
    pthread_create(&deliverer, NULL, deliver_until_the_end, s);
    pthread_create(&saver, NULL, save_until_the_end, s);
    for (unsigned spins = 0; s->done < kill_at && spins < 60000; spins++)
        usleep(1000);
    if (kill_at < MESSAGES)
        server_kill(s->server);
    pthread_join(deliverer, NULL);
    pthread_join(saver, NULL);
}

static void whatever_was_acknowledged_is_there_exactly_once(void **state)
{
    (void)state;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct sender *s = talloc_zero(arena, struct sender);
    s->server = server_start(arena, NULL);
    for (unsigned i = 1; i <= KILLS; i++) {
        run_until(s, i * MESSAGES / (KILLS + 1));
        server_run_again(s->server);
        check(s);
    }
    run_until(s, MESSAGES);
    check(s);
    assert_int_equal(s->next_delivery, OF_EACH);
    assert_int_equal(s->next_save, OF_EACH);
    assert_int_equal(server_stop(s->server), 0);
    talloc_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(whatever_was_acknowledged_is_there_exactly_once) };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
