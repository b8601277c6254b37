/* SPDX-License-Identifier: Apache-2.0 */
/* Mail from outside, handed over by swaks as a mail server would, and read back through MAPI. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
    struct client *alice;
    uint64_t inbox;
};

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->alice = server_logon(f->server, f, "alice");
    assert_int_equal(client_folder_find(f->alice, "Inbox", &f->inbox), ecNone);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    client_disconnect(f->alice);
    assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

static int begin(void **state)
{
    struct fixture *f = *state;
    f->arena = talloc_new(f);
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    TALLOC_FREE(f->arena);
    return 0;
}

#define OK(f, call)                                                                              \
    do {                                                                                         \
        const enum ec ec_ = (call);                                                              \
        if (ec_)                                                                                 \
            fail_msg("%s: %s (%s)", #call, ec_name(ec_), client_error((f)->alice)->text);        \
    } while (0)

/* The exit status of swaks; `mail` is the whole mail, or NULL. */
static int swaks(struct fixture *f, const char *mail, const char *format, ...) PRINTF(3, 4);
static int swaks(struct fixture *f, const char *mail, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *rest = talloc_vasprintf(f->arena, format, args);
    va_end(args);
    if (mail) {
        const char *path = talloc_asprintf(f->arena, "%s/mail.eml", server_dir(f->server));
        FILE *file = fopen(path, "w");
        fputs(mail, file);
        fclose(file);
        rest = talloc_asprintf(f->arena, "%s --data @%s", rest, path);
    }
    return system(talloc_asprintf(f->arena, "swaks --protocol LMTP --server 127.0.0.1 --port %u --silent 3 %s", 
                                  server_lmtp_port(f->server), rest));
}

/* The newest message of the Inbox, open. */
static uint32_t newest(struct fixture *f)
{
    static const uint32_t columns[] = { PidTagMid };
    struct props *rows;
    uint32_t count, message;
    OK(f, client_messages(f->alice, f->arena, f->inbox, columns, 1, 0, 1, &rows, &count, NULL));
    assert_int_equal(count, 1);
    OK(f, client_message_open(f->alice, f->inbox, rows[0].values[0].u64, false, &message));
    return message;
}

static const struct prop *get(struct fixture *f, uint32_t message, uint32_t tag)
{
    struct prop *value;
    OK(f, client_get(f->alice, f->arena, message, &tag, 1, &value));
    if (PROP_TYPE(value->tag) == PtypErrorCode)
        fail_msg("%s is not there: %s", prop_name(tag), ec_name((enum ec)value->u32));
    return value;
}

static void a_plain_mail_is_there_with_its_people_and_times(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(swaks(f, NULL, "--from carol@example.org --to alice@contoso.com --header 'Subject: Re: Lunch' "
                                    "--h-From '\"Carol Example\" <carol@example.org>' --h-Date 'Mon, 23 Nov 2026 10:00:00 +0100' "
                                    "--body 'At noon?'"), 0);
    const uint32_t m = newest(f);
    assert_string_equal(get(f, m, PidTagSubject)->str, "Re: Lunch");
    assert_string_equal(get(f, m, PidTagNormalizedSubject)->str, "Lunch");
    assert_string_equal(get(f, m, PidTagSenderName)->str, "Carol Example");
    assert_string_equal(get(f, m, PidTagSenderSmtpAddress)->str, "carol@example.org");
    assert_string_equal(get(f, m, PidTagMessageClass)->str, "IPM.Note");
    assert_int_equal(get(f, m, PidTagMessageFlags)->u32 & 0x01, 0);                  /* not read */
    assert_int_equal(filetime_to_unix(get(f, m, PidTagClientSubmitTime)->u64), 1795424400);
    assert_non_null(strstr(get(f, m, PidTagBody)->str, "At noon?"));
    assert_true(get(f, m, PidTagMessageToMe)->b);
    client_release(f->alice, m);
}

static void a_subject_in_any_charset_is_read(void **state)
{
    static const struct { const char *raw, *text; } subjects[] = {
        { "=?koi8-r?B?8NLJ18XU?=", "Привет" }, { "=?utf-8?Q?Gr=C3=BC=C3=9Fe?=", "Grüße" },
        { "=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本" }, { "=?windows-1252?Q?caf=E9?=", "café" },
        { "=?gb18030?B?1tDOxA==?=", "中文" },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(subjects); i++) {
        assert_int_equal(swaks(f, NULL, "--from a@example.org --to alice@contoso.com --header 'Subject: %s' --body x",
                               subjects[i].raw), 0);
        const uint32_t m = newest(f);
        assert_string_equal(get(f, m, PidTagSubject)->str, subjects[i].text);
        client_release(f->alice, m);
    }
}

static const char newsletter[] =
    "From: News <news@example.org>\nTo: alice@contoso.com\nSubject: Issue 1\nMessage-ID: <issue1@example.org>\n"
    "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=mix\n\n"
    "--mix\nContent-Type: multipart/related; boundary=rel\n\n"
    "--rel\nContent-Type: multipart/alternative; boundary=alt\n\n"
    "--alt\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nSch=F6ne Bilder\n"
    "--alt\nContent-Type: text/html; charset=utf-8\n\n<html><body><p>Sch\xC3\xB6ne <img src=\"cid:pic@x\"></p></body></html>\n"
    "--alt--\n"
    "--rel\nContent-Type: image/png; name=pic.png\nContent-ID: <pic@x>\nContent-Disposition: inline; filename=pic.png\n"
    "Content-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--rel--\n"
    "--mix\nContent-Type: application/pdf; name*=utf-8''Bericht%20%C3%9C.pdf\nContent-Disposition: attachment; "
    "filename*=utf-8''Bericht%20%C3%9C.pdf\nContent-Transfer-Encoding: base64\n\nJVBERi0xLjQK\n"
    "--mix\nContent-Type: message/rfc822\n\nFrom: inner@example.org\nTo: x@example.org\nSubject: Inside\n\ninner text\n"
    "--mix--\n";

static void bodies_attachments_and_inline_images_come_apart(void **state)
{
    struct fixture *f = *state;
    struct client_attachment *list;
    struct blob html, data;
    uint32_t count;
    assert_int_equal(swaks(f, newsletter, "--from news@example.org --to alice@contoso.com"), 0);
    const uint32_t m = newest(f);
    assert_non_null(strstr(get(f, m, PidTagBody)->str, "Schöne Bilder"));
    html = get(f, m, PidTagHtml)->bin;
    assert_non_null(memmem(html.data, html.size, "cid:pic@x", 9));
    assert_string_equal(get(f, m, PidTagInternetMessageId)->str, "<issue1@example.org>");
    assert_true(get(f, m, PidTagHasAttachments)->b);
    OK(f, client_attachments(f->alice, f->arena, m, &list, &count));
    assert_int_equal(count, 3);
    assert_string_equal(list[0].name, "pic.png");
    assert_string_equal(list[0].mime_type, "image/png");
    OK(f, client_attachment_read(f->alice, f->arena, m, list[0].number, &data));
    assert_true(blob_equal(data, BLOB_OF("\x89PNG\r\n\x1a\n", 8)));
    assert_string_equal(list[1].name, "Bericht Ü.pdf");
    OK(f, client_attachment_read(f->alice, f->arena, m, list[1].number, &data));
    assert_true(blob_equal(data, BLOB_OF("%PDF-1.4\n", 9)));
    assert_int_equal(list[2].method, CLIENT_ATTACH_EMBEDDED);
    uint32_t inside;
    OK(f, client_embedded_open(f->alice, m, list[2].number, &inside));
    assert_string_equal(get(f, inside, PidTagSubject)->str, "Inside");
    client_release(f->alice, m);
}

static void mail_for_nobody_here_is_refused_before_it_is_sent(void **state)
{
    struct fixture *f = *state;
    assert_int_not_equal(swaks(f, NULL, "--from a@example.org --to nobody@contoso.com --body x >/dev/null 2>&1"), 0);
}

static void a_mail_that_goes_round_in_circles_is_refused(void **state)
{
    struct fixture *f = *state;
    char *mail = talloc_strdup(f->arena, "");
    for (int i = 0; i < 40; i++)
        mail = talloc_asprintf_append(mail, "Received: from a by b; Mon, 23 Nov 2026 10:00:00 +0000\n");
    mail = talloc_asprintf_append(mail, "From: a@example.org\nSubject: again\n\nx\n");
    assert_int_not_equal(swaks(f, mail, "--from a@example.org --to alice@contoso.com >/dev/null 2>&1"), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plain_mail_is_there_with_its_people_and_times),
        TEST(a_subject_in_any_charset_is_read),
        TEST(bodies_attachments_and_inline_images_come_apart),
        TEST(mail_for_nobody_here_is_refused_before_it_is_sent),
        TEST(a_mail_that_goes_round_in_circles_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, start, stop);
}
