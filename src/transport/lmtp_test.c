/* SPDX-License-Identifier: Apache-2.0 */
/* Mail from outside: the conversation byte for byte, a foreign client, and what is in the mailbox then. */
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "transport/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)

/* ---- a client that says what it is told ---- */

static int connected(struct post *p)
{
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)transport_lmtp_port(p->transport)),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static void say(int fd, const char *text)
{
    const size_t length = strlen(text);
    assert_int_equal(send(fd, text, length, MSG_NOSIGNAL), length);
}

/* One reply line without its line end; "" when the server has left. */
static char *hear_line(struct post *p, int fd)
{
    struct buf line;
    buf_init(&line, p->arena);
    for (char c; recv(fd, &c, 1, 0) == 1 && c != '\n';)
        if (c != '\r')
            buf_add(&line, &c, 1);
    buf_add(&line, "", 1);
    return (char *)line.data;
}

/* A reply of one or more lines; the last one is compared with the beginning that is expected. */
static void expect(struct post *p, int fd, const char *expected)
{
    char *line;
    do
        line = hear_line(p, fd);
    while (strlen(line) > 3 && line[3] == '-');
    if (strncmp(line, expected, strlen(expected)) != 0)
        fail_msg("\"%s\" where \"%s\" was expected", line, expected);
}

static int greeted(struct post *p)
{
    const int fd = connected(p);
    expect(p, fd, "220 mail.contoso.com");
    say(fd, "LHLO client.example.com\r\n");
    expect(p, fd, "250 SIZE ");
    return fd;
}

static int ready_for_data(struct post *p)
{
    const int fd = greeted(p);
    say(fd, "MAIL FROM:<carol@example.com>\r\nRCPT TO:<alice@contoso.com>\r\nDATA\r\n");
    expect(p, fd, "250 2.1.0");
    expect(p, fd, "250 2.1.5");
    expect(p, fd, "354");
    return fd;
}

static const char *text_of(struct post *p, const struct account *a, uint32_t tag)
{
    const struct letter *letter = post_newest(p, a, INBOX);
    assert_non_null(letter);
    return letter_text(&letter->props, tag);
}

/* ---- the conversation ---- */

static void the_greeting_offers_what_the_server_can(void **state)
{
    struct post *p = *state;
    const int fd = connected(p);
    expect(p, fd, "220 mail.contoso.com");
    say(fd, "LHLO client.example.com\r\n");
    assert_string_equal(hear_line(p, fd), "250-mail.contoso.com");
    assert_string_equal(hear_line(p, fd), "250-PIPELINING");
    assert_string_equal(hear_line(p, fd), "250-8BITMIME");
    assert_string_equal(hear_line(p, fd), "250-SMTPUTF8");
    assert_string_equal(hear_line(p, fd), "250-ENHANCEDSTATUSCODES");
    assert_string_equal(hear_line(p, fd), "250 SIZE 52428800");
    say(fd, "NOOP\r\nVRFY alice\r\nRSET\r\nQUIT\r\n");
    expect(p, fd, "250 2.0.0");
    expect(p, fd, "252 2.5.0");
    expect(p, fd, "250 2.0.0");
    expect(p, fd, "221 2.0.0");
    assert_string_equal(hear_line(p, fd), "");
    close(fd);
}

/* Whoever talks for days does not make the server grow. */
static void what_was_said_is_forgotten(void **state)
{
    struct post *p = *state;
    const int fd = greeted(p);
    char x[501], noop[600], rcpt[600];
    memset(x, 'x', sizeof x);
    snprintf(noop, sizeof noop, "NOOP %.500s\r\n", x);
    snprintf(rcpt, sizeof rcpt, "RCPT TO:<%.400s@example.com>\r\n", x);
    say(fd, "MAIL FROM:<carol@example.com>\r\n");
    expect(p, fd, "250 2.1.0");
    const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    for (unsigned i = 0; i < 4000; i++) {
        say(fd, i % 2 ? noop : rcpt);
        expect(p, fd, i % 2 ? "250 2.0.0" : "550 5.1.1");
        talloc_free_children(p->arena);
    }
    assert_true(mallinfo2().uordblks + mallinfo2().hblkhd < before + 1000000);
    close(fd);
}

/* RFC 2033, 4.1 and 4.2 */
static void commands_out_of_order_are_refused_and_the_session_goes_on(void **state)
{
    struct post *p = *state;
    const int fd = connected(p);
    expect(p, fd, "220");
    say(fd, "MAIL FROM:<a@b.c>\r\nHELO x\r\nEHLO x\r\nLHLO\r\nLHLO x\r\nRCPT TO:<alice@contoso.com>\r\nDATA\r\n");
    expect(p, fd, "503 5.5.1");
    expect(p, fd, "500 5.5.1");
    expect(p, fd, "500 5.5.1");
    expect(p, fd, "501 5.5.4");
    expect(p, fd, "250 ");
    expect(p, fd, "503 5.5.1");
    expect(p, fd, "503 5.5.1");
    say(fd, "MAIL FROM:a@b.c\r\nMAIL FROM:<a@b.c> FOO=1\r\nMAIL FROM:<a@b.c> BODY=8BITMIME SMTPUTF8 SIZE=10\r\nMAIL "
            "FROM:<>\r\n");
    expect(p, fd, "501 5.1.7");
    expect(p, fd, "555 5.5.4");
    expect(p, fd, "250 2.1.0");
    expect(p, fd, "503 5.5.1");
    say(fd, "RCPT TO:<nobody@contoso.com>\r\nRCPT TO:<>\r\nRCPT TO:<alice@contoso.com> NOTIFY=NEVER\r\nDATA\r\n");
    expect(p, fd, "550 5.1.1");
    expect(p, fd, "501 5.1.3");
    expect(p, fd, "555 5.5.4");
    expect(p, fd, "503 5.5.1");
    say(fd, "QUIT\r\n");
    expect(p, fd, "221");
    close(fd);
}

static void every_recipient_gets_a_reply_of_its_own(void **state)
{
    struct post *p = *state;
    const int fd = greeted(p);
    say(fd, "MAIL FROM:<carol@example.com>\r\nRCPT TO:<ALICE@Contoso.COM>\r\nRCPT TO:<nobody@contoso.com>\r\n"
            "RCPT TO:<bob@contoso.com>\r\nRCPT TO:<alice@contoso.com>\r\nDATA\r\n");
    expect(p, fd, "250 2.1.0");
    expect(p, fd, "250 2.1.5");
    expect(p, fd, "550 5.1.1");
    expect(p, fd, "250 2.1.5");
    expect(p, fd, "250 2.1.5");
    expect(p, fd, "354");
    say(fd, "From: Carol <carol@example.com>\r\nTo: alice@contoso.com\r\nSubject: three\r\n\r\nhello\r\n.\r\n");
    for (int i = 0; i < 3; i++)
        expect(p, fd, "250 2.1.5 delivered");
    assert_int_equal(post_count(p, p->alice, INBOX), 1); /* once, though named twice */
    assert_int_equal(post_count(p, p->bob, INBOX), 1);
    assert_int_equal(atomic_load(&p->new_mail), 2);
    assert_string_equal(text_of(p, p->bob, PidTagSubject), "three");
    say(fd, "QUIT\r\n");
    expect(p, fd, "221");
    close(fd);
}

static void a_copy_says_how_it_came_to_its_mailbox(void **state)
{
    struct post *p = *state;
    const int fd = ready_for_data(p);
    say(fd, "From: Carol <carol@example.com>\r\nTo: Alice <alice@contoso.com>\r\nCc: bob@contoso.com\r\nSubject: "
            "s\r\n\r\nx\r\n.\r\n");
    expect(p, fd, "250 2.1.5");
    const struct letter *letter = post_newest(p, p->alice, INBOX);
    struct mime_person who;
    assert_true(mime_person_of(&letter->props, ROLE_RECEIVED_BY, &who));
    assert_string_equal(who.address, p->alice->legacy_dn);
    assert_string_equal(who.smtp, "alice@contoso.com");
    assert_true(letter_u32(&letter->props, PidTagMessageToMe, 0));
    assert_false(letter_u32(&letter->props, PidTagMessageCcMe, 1));
    assert_true(letter_u32(&letter->props, PidTagMessageRecipientMe, 0));
    const char *headers = letter_text(&letter->props, PidTagTransportMessageHeaders);
    assert_ptr_equal(
        strstr(headers, "Return-Path: <carol@example.com>\r\nReceived: from client.example.com ([127.0.0.1])"),
        headers);
    assert_int_equal(post_prop(p, p->alice, INBOX, PidTagMessageFlags).u32 & (mfUnsent | mfInternet | 1), mfInternet);
    close(fd);
}

static void a_line_that_begins_with_a_dot_keeps_its_text(void **state)
{
    struct post *p = *state;
    const int fd = ready_for_data(p);
    say(fd, "Subject: dots\r\n\r\n..one\r\n...\r\n.two\r\nend.\r\n.\r\n");
    expect(p, fd, "250 2.1.5");
    assert_string_equal(text_of(p, p->alice, PidTagBody), ".one\r\n..\r\ntwo\r\nend.\r\n");
    close(fd);
}

/* What one server takes for the end and another one for text is how a second message is smuggled in. */
static void only_CRLF_dot_CRLF_ends_a_message(void **state)
{
    static const char *const no_ends[] = { "\n.\n", "\r\n.\n", "\n.\r\n", "\r.\r", "\r\n.\r", "\r.\r\n" };
    struct post *p = *state;
    for (size_t i = 0; i < COUNTOF(no_ends); i++) {
        const int fd = ready_for_data(p);
        say(fd,
            talloc_asprintf(p->arena,
                            "Subject: one\r\n\r\nfirst%sMAIL FROM:<evil@example.com>\r\nRCPT TO:<bob@contoso.com>\r\n"
                            "DATA\r\nsecond\r\n.\r\n",
                            no_ends[i]));
        expect(p, fd, "250 2.1.5");
        say(fd, "NOOP\r\n");
        expect(p, fd, "250 2.0.0");
        assert_non_null(strstr(text_of(p, p->alice, PidTagBody), "second"));
        close(fd);
    }
    assert_int_equal(post_count(p, p->bob, INBOX), 0);
}

static void pipelined_transactions_are_all_done(void **state)
{
    struct post *p = *state;
    const int fd = greeted(p);
    struct buf all;
    buf_init(&all, p->arena);
    for (int i = 0; i < 20; i++)
        buf_printf(
            &all,
            "MAIL FROM:<c@example.com>\r\nRCPT TO:<alice@contoso.com>\r\nDATA\r\nSubject: %d\r\n\r\ntext\r\n.\r\n", i);
    buf_printf(&all, "QUIT\r\n%c", 0);
    say(fd, (const char *)all.data);
    for (int i = 0; i < 20; i++) {
        expect(p, fd, "250 2.1.0");
        expect(p, fd, "250 2.1.5 recipient");
        expect(p, fd, "354");
        expect(p, fd, "250 2.1.5 delivered");
    }
    expect(p, fd, "221");
    assert_int_equal(post_count(p, p->alice, INBOX), 20);
    close(fd);
}

enum { CLIENTS = 8, MESSAGES_EACH = 15 };

struct sender {
    pthread_t thread;
    unsigned port, delivered;
};

/* Without the fixture's arena, which belongs to the test's own thread. */
static void *send_all(void *arg)
{
    struct sender *sender = arg;
    const struct sockaddr_in address = { .sin_family = AF_INET,
                                         .sin_port = htons((uint16_t)sender->port),
                                         .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FILE *file = fdopen(fd, "r+");
    char line[512];
    if (!file || connect(fd, (const struct sockaddr *)&address, sizeof address))
        return NULL;
    dprintf(fd, "LHLO x\r\n");
    for (int i = 0; i < MESSAGES_EACH; i++)
        dprintf(fd, "MAIL FROM:<c@example.com>\r\nRCPT TO:<alice@contoso.com>\r\nRCPT TO:<bob@contoso.com>\r\nDATA\r\n"
                    "Subject: many\r\n\r\ntext\r\n.\r\n");
    dprintf(fd, "QUIT\r\n");
    while (fgets(line, sizeof line, file))
        sender->delivered += strstr(line, "250 2.1.5 delivered") != NULL;
    fclose(file);
    return NULL;
}

static void many_clients_deliver_at_once(void **state)
{
    struct post *p = *state;
    struct sender senders[CLIENTS];
    for (size_t i = 0; i < CLIENTS; i++) {
        senders[i] = (struct sender){ .port = transport_lmtp_port(p->transport) };
        assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]), 0);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        pthread_join(senders[i].thread, NULL);
        assert_int_equal(senders[i].delivered, 2 * MESSAGES_EACH);
    }
    assert_int_equal(post_count(p, p->alice, INBOX), CLIENTS * MESSAGES_EACH);
    assert_int_equal(post_count(p, p->bob, INBOX), CLIENTS * MESSAGES_EACH);
}

/* ---- limits ---- */

static void a_message_that_is_too_large_is_read_and_refused(void **state)
{
    struct post *p = *state;
    post_stop(p);
    p->config.message_max = 1000;
    post_start(p);
    const int fd = greeted(p);
    say(fd, "MAIL FROM:<c@example.com> SIZE=1001\r\nMAIL FROM:<c@example.com> SIZE=x\r\n");
    expect(p, fd, "552 5.3.4");
    expect(p, fd, "501 5.5.4");
    say(fd, "MAIL FROM:<c@example.com>\r\nRCPT TO:<alice@contoso.com>\r\nRCPT TO:<bob@contoso.com>\r\nDATA\r\n");
    expect(p, fd, "250");
    expect(p, fd, "250");
    expect(p, fd, "250");
    expect(p, fd, "354");
    for (int i = 0; i < 100; i++)
        say(fd, "0123456789012345678901234567890123456789\r\n");
    say(fd, ".\r\n");
    expect(p, fd, "552 5.3.4");
    expect(p, fd, "552 5.3.4");
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
    say(fd, "MAIL FROM:<c@example.com>\r\nRCPT TO:<alice@contoso.com>\r\nDATA\r\nSubject: small\r\n\r\nx\r\n.\r\n");
    expect(p, fd, "250");
    expect(p, fd, "250");
    expect(p, fd, "354");
    expect(p, fd, "250 2.1.5");
    close(fd);
}

static void a_line_that_is_too_long_is_refused_and_the_session_goes_on(void **state)
{
    struct post *p = *state;
    const int fd = greeted(p);
    char *line = talloc_array(p->arena, char, 8192);
    memset(line, 'x', 8191);
    line[8191] = 0;
    say(fd, line);
    say(fd, "\r\nNOOP\r\n");
    expect(p, fd, "500 5.5.2");
    expect(p, fd, "250 2.0.0");
    close(fd);
}

static void a_client_that_only_errs_is_left(void **state)
{
    struct post *p = *state;
    const int fd = greeted(p);
    for (int i = 0; i < 21; i++)
        say(fd, "WHAT\r\n");
    for (int i = 0; i < 21; i++)
        expect(p, fd, "500 5.5.1");
    expect(p, fd, "421 4.7.0");
    assert_string_equal(hear_line(p, fd), "");
    close(fd);
}

static void a_client_that_says_nothing_is_left(void **state)
{
    struct post *p = *state;
    post_stop(p);
    p->config.idle_ms = 50;
    post_start(p);
    const int fd = connected(p);
    expect(p, fd, "220");
    expect(p, fd, "421 4.4.2");
    assert_string_equal(hear_line(p, fd), "");
    close(fd);
}

static void more_connections_than_allowed_are_asked_to_come_later(void **state)
{
    struct post *p = *state;
    post_stop(p);
    p->config.connections_max = 2;
    post_start(p);
    const int one = greeted(p), two = greeted(p), three = connected(p);
    expect(p, three, "421 4.3.2");
    say(one, "NOOP\r\n");
    expect(p, one, "250");
    close(one), close(two), close(three);
}

static void a_message_that_has_been_everywhere_is_refused(void **state)
{
    struct post *p = *state;
    const int fd = ready_for_data(p);
    for (int i = 0; i < 30; i++) /* and ours is the 31st */
        say(fd, "Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\r\n");
    say(fd, "Subject: loop\r\n\r\nReceived: this one is text\r\n.\r\n");
    expect(p, fd, "554 5.4.6");
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
    close(fd);
}

static void a_message_without_an_end_is_not_delivered(void **state)
{
    struct post *p = *state;
    const int fd = ready_for_data(p);
    say(fd, "Subject: half\r\n\r\nthe rest is mis");
    close(fd);
    post_stop(p); /* waits for the connection's end */
    post_start(p);
    assert_int_equal(post_count(p, p->alice, INBOX), 0);
}

static void when_the_server_stops_clients_hear_it(void **state)
{
    struct post *p = *state;
    const int fd = greeted(p);
    post_stop(p);
    expect(p, fd, "421 4.3.2");
    close(fd);
    post_start(p);
}

/* ---- a foreign client: swaks ---- */

static int swaks(struct post *p, const char *arguments)
{
    return system(talloc_asprintf(p->arena, "swaks --protocol LMTP --server 127.0.0.1 --port %u %s >%s/swaks.log 2>&1",
                                  transport_lmtp_port(p->transport), arguments, p->folder));
}

static const char *file_with(struct post *p, const char *name, const char *content)
{
    const char *path = talloc_asprintf(p->arena, "%s/%s", p->folder, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(content, 1, strlen(content), file), strlen(content));
    fclose(file);
    return path;
}

/* Waiting does not help: the message would come again for days. */
static void more_recipients_than_a_message_can_keep_are_refused_for_good(void **state)
{
    struct post *p = *state;
    const int fd = ready_for_data(p);
    char name[3001] = { 0 };
    memset(name, 'x', sizeof name - 1);
    say(fd, "From: carol@example.com\r\n");
    for (unsigned field = 0; field < 30; field++)
        for (unsigned i = 0; i < 100; i++)
            say(fd, talloc_asprintf(p->arena, "%s \"%s\" <a%u@example.com>%s\r\n", i ? "" : "To:", name,
                                    field * 100 + i, i < 99 ? "," : ""));
    say(fd, "\r\nbody\r\n.\r\n");
    expect(p, fd, "554 5.5.3");
    close(fd);
}

static void swaks_delivers_a_subject_in_any_charset(void **state)
{
    static const struct {
        const char *encoded, *subject;
    } subjects[] = {
        { "=?utf-8?Q?Gr=C3=BC=C3=9Fe_aus_M=C3=BCnchen?=", "Grüße aus München" },
        { "=?iso-8859-1?Q?Gr=FC=DFe?=", "Grüße" },
        { "=?iso-2022-jp?B?GyRCJDMkcyRLJEEkTxsoQg==?=", "こんにちは" },
        { "=?koi8-r?B?8NLJ18XU?= =?koi8-r?B?LCDNydI=?=", "Привет, мир" },
        { "=?gb2312?B?xOO6ww==?=", "你好" },
        { "=?utf-8?B?4oKs?= =?utf-8?B?IGFuZCDigqw=?=", "€ and €" },
    };
    struct post *p = *state;
    for (size_t i = 0; i < COUNTOF(subjects); i++) {
        assert_int_equal(swaks(p, talloc_asprintf(p->arena,
                                                  "--from carol@example.com --to alice@contoso.com "
                                                  "--header 'Subject: %s' --body hello",
                                                  subjects[i].encoded)),
                         0);
        assert_string_equal(text_of(p, p->alice, PidTagSubject), subjects[i].subject);
    }
}

static void swaks_delivers_HTML_with_its_plain_text_an_inline_picture_and_a_file(void **state)
{
    static const char mail[] =
        "From: Carol <carol@example.com>\r\nTo: alice@contoso.com\r\nSubject: all of it\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=m\r\n\r\n"
        "--m\r\nContent-Type: multipart/related; boundary=r\r\n\r\n"
        "--r\r\nContent-Type: multipart/alternative; boundary=a\r\n\r\n"
        "--a\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nplain grüße\r\n"
        "--a\r\nContent-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "<p>html gr=FC=DFe <img src=3D\"cid:pic@example.com\"></p>\r\n--a--\r\n"
        "--r\r\nContent-Type: image/png; name=pic.png\r\nContent-ID: <pic@example.com>\r\nContent-Disposition: "
        "inline\r\n"
        "Content-Transfer-Encoding: base64\r\n\r\niVBORw0KGgo=\r\n--r--\r\n"
        "--m\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
        "Content-Disposition: attachment; filename*=utf-8''%C3%9Cbersicht.pdf\r\n\r\nJVBERi0=\r\n--m--\r\n";
    struct post *p = *state;
    assert_int_equal(swaks(p, talloc_asprintf(p->arena, "--from carol@example.com --to alice@contoso.com --data @%s",
                                              file_with(p, "mail", mail))),
                     0);
    const struct letter *letter = post_newest(p, p->alice, INBOX);
    assert_string_equal(letter_text(&letter->props, PidTagBody), "plain grüße");
    static const char html[] = "<p>html gr\xFC\xDF"
                               "e <img src=\"cid:pic@example.com\"></p>";
    assert_true(blob_equal(letter_bytes(&letter->props, PidTagHtml), BLOB_OF(html, sizeof html - 1)));
    assert_int_equal(letter_u32(&letter->props, PidTagInternetCodepage, 0), 28591);
    assert_int_equal(post_prop(p, p->alice, INBOX, PidTagNativeBody).u32, 3);
    assert_int_equal(letter->attachment_count, 2);
    const struct letter_props *picture = &letter->attachments[0]->props, *file = &letter->attachments[1]->props;
    assert_true(letter_u32(picture, PidTagAttachmentHidden, 0));
    assert_string_equal(letter_text(picture, PidTagAttachContentId), "pic@example.com");
    assert_int_equal(letter_bytes(picture, PidTagAttachDataBinary).size, 8);
    assert_string_equal(letter_text(file, PidTagAttachLongFilename), "Übersicht.pdf");
    assert_true(blob_equal(letter_bytes(file, PidTagAttachDataBinary), BLOB_OF("%PDF-", 5)));
    assert_true(post_prop(p, p->alice, INBOX, PidTagHasAttachments).b);
}

static void swaks_hears_of_an_unknown_recipient(void **state)
{
    struct post *p = *state;
    assert_int_not_equal(swaks(p, "--from carol@example.com --to nobody@contoso.com"), 0);
    assert_int_equal(system(talloc_asprintf(p->arena, "grep -q '550 5.1.1' %s/swaks.log", p->folder)), 0);
}

/* ---- mbox ---- */

static void count_progress(void *arg, uint32_t done)
{
    *(uint32_t *)arg = done;
}

static void an_mbox_is_imported_with_its_dates(void **state)
{
    static const char box[] =
        "From carol@example.com Mon Nov 23 10:00:00 2026\nFrom: carol@example.com\nSubject: one\n"
        "Date: Sun, 22 Nov 2026 10:00:00 +0000\n\n>From here on it is text.\nFrom nowhere\n\n"
        "From carol@example.com Mon Nov 23 11:00:00 2026\nFrom: carol@example.com\nSubject: two\n\nno date\n";
    struct post *p = *state;
    uint32_t seen = 0, count;
    EC(transport_import_mbox(p->transport, p->alice, "/nonexistent", NULL, NULL, &count), ecNotFound);
    OK(transport_import_mbox(p->transport, p->alice, file_with(p, "box", box), count_progress, &seen, &count));
    assert_int_equal(count, 2);
    assert_int_equal(seen, 2);
    assert_string_equal(text_of(p, p->alice, PidTagSubject), "two");
    struct store *st = post_enter(p, p->alice);
    uint64_t *mids;
    struct store_message *first;
    const uint32_t tag = PidTagMessageDeliveryTime;
    struct prop time;
    assert_int_equal(post_list(p, st, INBOX, &mids), 2);
    OK(store_message_open(&first, p->arena, st, INBOX,
                          store_counter(mids[0]) < store_counter(mids[1]) ? mids[0] : mids[1], MESSAGE_READONLY));
    OK(store_message_get(p->arena, first, &tag, 1, STORE_VALUE_LIMIT, &time));
    assert_string_equal(filetime_text(p->arena, time.u64), "2026-11-22T10:00:00.000Z");
    assert_string_equal(store_message_text(p->arena, first, PidTagBody),
                        "From here on it is text.\r\nFrom nowhere\r\n");
    talloc_free(first);
    post_leave(st);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, post_open, post_close)
    const struct CMUnitTest tests[] = {
        TEST(the_greeting_offers_what_the_server_can),
        TEST(commands_out_of_order_are_refused_and_the_session_goes_on),
        TEST(every_recipient_gets_a_reply_of_its_own),
        TEST(a_copy_says_how_it_came_to_its_mailbox),
        TEST(a_line_that_begins_with_a_dot_keeps_its_text),
        TEST(only_CRLF_dot_CRLF_ends_a_message),
        TEST(pipelined_transactions_are_all_done),
        TEST(many_clients_deliver_at_once),
        TEST(a_message_that_is_too_large_is_read_and_refused),
        TEST(a_line_that_is_too_long_is_refused_and_the_session_goes_on),
        TEST(a_client_that_only_errs_is_left),
        TEST(a_client_that_says_nothing_is_left),
        TEST(more_connections_than_allowed_are_asked_to_come_later),
        TEST(a_message_that_has_been_everywhere_is_refused),
        TEST(a_message_without_an_end_is_not_delivered),
        TEST(when_the_server_stops_clients_hear_it),
        TEST(what_was_said_is_forgotten),
        TEST(more_recipients_than_a_message_can_keep_are_refused_for_good),
        TEST(swaks_delivers_a_subject_in_any_charset),
        TEST(swaks_delivers_HTML_with_its_plain_text_an_inline_picture_and_a_file),
        TEST(swaks_hears_of_an_unknown_recipient),
        TEST(an_mbox_is_imported_with_its_dates),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
