/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 2033 and what of RFC 5321 it stands on, over real sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/lmtp.h"

struct fixture {
    struct lmtp *lmtp;
    int fd;
    TALLOC_CTX *got;                     /* of what was delivered */
    char *sender;
    char *recipients;                    /* "a b " */
    struct blob message;
    unsigned deliveries;
};

static enum ec accepts(void *context, const char *recipient)
{
    (void)context;
    return strncmp(recipient, "nobody", 6) == 0 ? ecNotFound : strncmp(recipient, "broken", 6) == 0 ? ecServerBusy : ecNone;
}

static void deliver(void *context, TALLOC_CTX *arena, const char *sender, const char *const *recipients, size_t count,
                    struct blob message, enum ec *results)
{
    struct fixture *f = context;
    (void)arena;
    f->deliveries++;
    f->sender = talloc_strdup(f->got, sender);
    f->recipients = talloc_strdup(f->got, "");
    f->message = blob_copy(f->got, message);
    for (size_t i = 0; i < count; i++) {
        f->recipients = talloc_asprintf_append(f->recipients, "%s ", recipients[i]);
        results[i] = strncmp(recipients[i], "full", 4) == 0 ? ecQuotaExceeded : ecNone;
    }
}

static int connect_to(unsigned port)
{
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static char *reply(struct fixture *f)
{
    char line[1000];
    size_t n = 0;
    while (n + 1 < sizeof line && recv(f->fd, line + n, 1, 0) == 1 && line[n++] != '\n')
        ;
    line[n] = '\0';
    return talloc_strdup(f->got, line);
}

static void say(struct fixture *f, const char *bytes)
{
    assert_int_equal(send(f->fd, bytes, strlen(bytes), MSG_NOSIGNAL), strlen(bytes));
}

/* One line, or the last of several. */
#define EXPECT(f, bytes, start)                                                     \
    do {                                                                            \
        char *got_;                                                                 \
        say(f, bytes);                                                              \
        do                                                                          \
            got_ = reply(f);                                                        \
        while (got_[0] && got_[3] == '-');                                          \
        if (strncmp(got_, start, strlen(start)) != 0)                               \
            fail_msg("after '%s' came '%s', not '%s'", bytes, got_, start);         \
    } while (0)

static int set_up(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    char *why = "";
    const struct lmtp_config config = { .address = "127.0.0.1:0", .hostname = "mail.contoso.com", .message_max = 20000,
                                        .connections_max = 2, .recipients_max = 5, .patience_ms = 20000, .context = f,
                                        .accepts = accepts, .deliver = deliver };
    f->got = talloc_new(f);
    if (lmtp_open(&f->lmtp, f, &config, &why))
        fail_msg("%s", why);
    f->fd = connect_to(lmtp_port(f->lmtp));
    EXPECT(f, "", "220 mail.contoso.com");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close(f->fd);
    lmtp_close(f->lmtp);
    return talloc_free(f);
}

static void begin_mail(struct fixture *f, const char *recipient)
{
    char line[100];
    snprintf(line, sizeof line, "RCPT TO:<%s>\r\n", recipient);
    EXPECT(f, "LHLO client\r\n", "250 ");
    EXPECT(f, "MAIL FROM:<s@example.org>\r\n", "250 2.1.0");
    EXPECT(f, line, "250 2.1.5");
    EXPECT(f, "DATA\r\n", "354");
}

static void a_mail_is_answered_once_for_each_recipient_in_order(void **state)
{
    struct fixture *f = *state;
    EXPECT(f, "LHLO client\r\n", "250 ");
    EXPECT(f, "MAIL FROM:<s@example.org> BODY=8BITMIME\r\n", "250 2.1.0");
    EXPECT(f, "RCPT TO:<alice@contoso.com>\r\n", "250 2.1.5");
    EXPECT(f, "RCPT TO:<nobody@contoso.com>\r\n", "550 5.1.1");
    EXPECT(f, "RCPT TO:<broken@contoso.com>\r\n", "451 4.3.0");
    EXPECT(f, "RCPT TO:<full@contoso.com>\r\n", "250 2.1.5");
    EXPECT(f, "DATA\r\n", "354");
    EXPECT(f, "Subject: x\r\n\r\nbody\r\n.\r\n", "250 2.1.5 delivered");
    EXPECT(f, "", "552 5.2.2");
    EXPECT(f, "QUIT\r\n", "221");
    assert_string_equal(f->sender, "s@example.org");
    assert_string_equal(f->recipients, "alice@contoso.com full@contoso.com ");
}

static void a_dot_that_was_stuffed_is_taken_out(void **state)
{
    struct fixture *f = *state;
    static const char expected[] = ".one\r\n..two\r\nmid.dle\r\n";
    begin_mail(f, "alice@contoso.com");
    EXPECT(f, "..one\r\n...two\r\nmid.dle\r\n.\r\n", "250");
    assert_true(blob_equal(f->message, BLOB_OF(expected, strlen(expected))));
}

/* What other servers have taken for the end of a mail: only CRLF.CRLF is. */
static void nothing_but_CRLF_dot_CRLF_ends_a_mail(void **state)
{
    static const char *const tricks[] = { "a\n.\nMAIL FROM:<evil@x>\n", "a\r\n.\nRCPT TO:<evil@x>\r\n", "a\n.\r\nDATA\r\n",
                                          "a\r.\rQUIT\r\n", "a\r\n.\rb\r\n" };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(tricks); i++) {
        begin_mail(f, "alice@contoso.com");
        say(f, tricks[i]);
        EXPECT(f, "\r\n.\r\n", "250 2.1.5 delivered");
        assert_int_equal(f->deliveries, i + 1);
        EXPECT(f, "NOOP\r\n", "250 2.0.0");
    }
}

static void a_mail_that_is_too_big_is_refused_and_the_next_one_taken(void **state)
{
    struct fixture *f = *state;
    char *big = talloc_zero_size(f->got, 30001);
    memset(big, 'x', 30000);
    EXPECT(f, "LHLO client\r\n", "250 ");
    EXPECT(f, "MAIL FROM:<s@example.org> SIZE=20001\r\n", "552 5.3.4");
    begin_mail(f, "alice@contoso.com");
    say(f, big);
    EXPECT(f, "\r\n.\r\n", "552 5.3.4");
    assert_int_equal(f->deliveries, 0);
    begin_mail(f, "alice@contoso.com");
    EXPECT(f, "small\r\n.\r\n", "250");
    assert_int_equal(f->deliveries, 1);
}

static void commands_out_of_order_and_nonsense_are_told_so(void **state)
{
    struct fixture *f = *state;
    char *long_line = talloc_zero_size(f->got, 6002);
    memset(long_line, 'L', 6000);
    EXPECT(f, "MAIL FROM:<a@b>\r\n", "503");
    EXPECT(f, "HELO client\r\n", "500");
    EXPECT(f, "LHLO\r\n", "501");
    EXPECT(f, "LHLO client\r\n", "250 ");
    EXPECT(f, "RCPT TO:<a@b>\r\n", "503");
    EXPECT(f, "DATA\r\n", "503");
    EXPECT(f, "MAIL FROM:a@b\r\n", "501");
    EXPECT(f, "MAIL FROM:<>\r\n", "250");
    EXPECT(f, "RCPT TO:<>\r\n", "501");
    say(f, long_line);
    EXPECT(f, "\r\n", "500 5.5.2");
    EXPECT(f, "RSET\r\n", "250");
    EXPECT(f, "RCPT TO:<a@b>\r\n", "503");
    for (int i = 0; i < 20; i++)
        say(f, "EXPN x\r\n");
    char *last = reply(f);
    for (char *next = last; *next; next = reply(f))
        last = next;
    assert_int_equal(strncmp(last, "421", 3), 0);
}

static void a_client_too_many_is_sent_away(void **state)
{
    struct fixture *f = *state;
    const int second = connect_to(lmtp_port(f->lmtp)), first = f->fd;
    f->fd = second;
    EXPECT(f, "", "220");
    f->fd = connect_to(lmtp_port(f->lmtp));
    EXPECT(f, "", "421 4.3.2");
    close(f->fd);
    close(second);
    f->fd = first;
}

static void a_port_in_use_is_named(void **state)
{
    struct fixture *f = *state;
    struct lmtp *other;
    char *why = "", address[40];
    snprintf(address, sizeof address, "127.0.0.1:%u", lmtp_port(f->lmtp));
    const struct lmtp_config config = { .address = address, .hostname = "x", .connections_max = 1 };
    assert_int_equal(lmtp_open(&other, f->got, &config, &why), ecBusy);
    assert_non_null(strstr(why, address));
}

static void swaks_delivers(void **state)
{
    struct fixture *f = *state;
    char command[400];
    snprintf(command, sizeof command,
             "swaks --protocol LMTP --server 127.0.0.1 --port %u --from s@example.org --to alice@contoso.com"
             " --header 'Subject: from swaks' --body 'hello' --silent 3", lmtp_port(f->lmtp));
    if (system("command -v swaks >/dev/null 2>&1") != 0)
        skip();
    assert_int_equal(system(command), 0);
    assert_int_equal(f->deliveries, 1);
    assert_non_null(memmem(f->message.data, f->message.size, "Subject: from swaks\r\n", 21));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_mail_is_answered_once_for_each_recipient_in_order),
        TEST(a_dot_that_was_stuffed_is_taken_out),
        TEST(nothing_but_CRLF_dot_CRLF_ends_a_mail),
        TEST(a_mail_that_is_too_big_is_refused_and_the_next_one_taken),
        TEST(commands_out_of_order_and_nonsense_are_told_so),
        TEST(a_client_too_many_is_sent_away),
        TEST(a_port_in_use_is_named),
        TEST(swaks_delivers),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
