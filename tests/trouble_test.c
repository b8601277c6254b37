/* SPDX-License-Identifier: Apache-2.0 */
/* What goes wrong around a server and inside of requests: each gives a clear error, and everybody else is served. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
};

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->arena = talloc_new(f);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    if (server_pid(f->server))
        assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

/* What a second oxcartd says that cannot start; its exit status must be 1. */
static const char *refusal(struct fixture *f, const char *format, ...) PRINTF(2, 3);
static const char *refusal(struct fixture *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *options = talloc_vasprintf(f->arena, format, args);
    va_end(args);
    FILE *p = popen(talloc_asprintf(f->arena, "timeout 60 %s %s 2>&1 >/dev/null", getenv("OXCARTD"), options), "r");
    char *text = talloc_zero_size(f->arena, 8193);
    text[fread(text, 1, 8192, p)] = '\0';
    const int status = pclose(p);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
        fail_msg("status %d, and: %s", status, text);
    return text;
}

#define EXPECT_IN(text, words)                                   \
    do {                                                         \
        if (!strstr(text, words))                                \
            fail_msg("there is no '%s' in: %s", words, text);    \
    } while (0)

static void expect_alice_served(struct fixture *f)
{
    struct client *c = server_logon(f->server, f->arena, "alice");
    uint64_t fid;
    assert_int_equal(client_folder_find(c, "Inbox", &fid), ecNone);
    client_disconnect(c);
}

/* ---- around the server ---- */

static void a_port_in_use_is_named(void **state)
{
    struct fixture *f = *state;
    EXPECT_IN(refusal(f, "--data %s/other --https 127.0.0.1:%u --hostname mail.contoso.com", server_dir(f->server),
                      server_https_port(f->server)), talloc_asprintf(f->arena, "127.0.0.1:%u", server_https_port(f->server)));
    EXPECT_IN(refusal(f, "--data %s/other --lmtp 127.0.0.1:%u --hostname mail.contoso.com", server_dir(f->server),
                      server_lmtp_port(f->server)), talloc_asprintf(f->arena, "127.0.0.1:%u", server_lmtp_port(f->server)));
}

static void a_folder_is_one_servers(void **state)
{
    struct fixture *f = *state;
    EXPECT_IN(refusal(f, "--data %s --http 127.0.0.1:0", server_dir(f->server)), server_dir(f->server));
    expect_alice_served(f);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_broken_certificate_is_named(void **state)
{
    struct fixture *f = *state;
    const char *dir = talloc_asprintf(f->arena, "%s/broken", server_dir(f->server));
    assert_int_equal(system(talloc_asprintf(f->arena, "mkdir %s && cp %s/key.pem %s", dir, server_dir(f->server), dir)), 0);
    write_file(talloc_asprintf(f->arena, "%s/certificate.pem", dir), "this is no certificate\n");
    EXPECT_IN(refusal(f, "--data %s --https 127.0.0.1:0 --hostname mail.contoso.com", dir), "certificate.pem");
}

static void a_database_that_is_none_is_named(void **state)
{
    struct fixture *f = *state;
    const char *dir = talloc_asprintf(f->arena, "%s/corrupt", server_dir(f->server));
    assert_int_equal(system(talloc_asprintf(f->arena, "mkdir %s", dir)), 0);
    write_file(talloc_asprintf(f->arena, "%s/org.db", dir), "this is no database, and long enough to be told so by its head\n");
    EXPECT_IN(refusal(f, "--data %s --http 127.0.0.1:0 --hostname mail.contoso.com", dir), "org.db");
    assert_int_equal(system(talloc_asprintf(f->arena, "mkdir %s/folder && mkdir %s/folder/org.db", dir, dir)), 0);
    EXPECT_IN(refusal(f, "--data %s/folder --http 127.0.0.1:0 --hostname mail.contoso.com", dir), "org.db");
}

/* One mailbox is damaged; the others and the server do not notice. */
static void a_damaged_mailbox_refuses_its_user_alone(void **state)
{
    struct fixture *f = *state;
    server_cmdlet(f->server, f->arena, NULL, "New-Mailbox dora -PrimarySmtpAddress dora@contoso.com -Database DB01 "
                                             "-Password '" SERVER_PASSWORD "'");
    char *guid = talloc_strdup(f->arena, server_cmdlet(f->server, f->arena, NULL, "(Get-Mailbox dora).ExchangeGuid"));
    guid[strcspn(guid, "\n")] = '\0';
    assert_int_equal(server_stop(f->server), 0);
    const char *damage = "cd %s/mailboxes && test -f %s.db && rm -f %s.db-wal %s.db-shm && head -c 200000 /dev/urandom > %s.db";
    assert_int_equal(system(talloc_asprintf(f->arena, damage, server_dir(f->server), guid, guid, guid, guid)), 0);
    server_run_again(f->server);
    struct client *dora = server_client(f->server, f->arena, "dora");
    assert_int_equal(client_connect(dora), ecNone);
    assert_int_equal(client_logon(dora, NULL), ecCorruptStore);
    expect_alice_served(f);
    EXPECT_IN(server_log(f->server, f->arena), "mailboxes/");
}

/* ---- inside of requests ---- */

static void somebody_elses_mailbox_stays_closed(void **state)
{
    struct fixture *f = *state;
    struct client *alice = server_client(f->server, f->arena, "alice"), *bob = server_client(f->server, f->arena, "bob");
    assert_int_equal(client_discover(alice), ecNone);
    assert_int_equal(client_connect(bob), ecNone);
    assert_int_equal(client_logon(bob, client_discovery(alice)->legacy_dn), ecAccessDenied);
    assert_int_equal(client_logon(bob, NULL), ecNone);
}

static unsigned response_code(struct fixture *f, struct client *c, const char *type, const char *const *headers, struct blob body)
{
    struct client_raw_answer answer;
    const struct client_raw raw = { .headers = headers ? headers : client_headers(c, f->arena, CLIENT_EMSMDB, type), .body = body };
    assert_int_equal(client_raw(c, f->arena, &raw, &answer), ecNone);
    assert_int_equal(answer.status, 200);
    const char *code = http_header(&answer.headers, "X-ResponseCode");
    assert_non_null(code);
    return (unsigned)strtoul(code, NULL, 10);
}

static void another_users_session_cookie_opens_nothing(void **state)
{
    struct fixture *f = *state;
    struct client *alice = server_logon(f->server, f->arena, "alice"), *bob = server_logon(f->server, f->arena, "bob");
    client_set_cookie(bob, CLIENT_EMSMDB, "MapiContext", client_cookie(alice, CLIENT_EMSMDB, "MapiContext"));
    assert_int_equal(response_code(f, bob, "Execute", NULL, BLOB_OF("", 0)), 10);
    client_set_cookie(bob, CLIENT_EMSMDB, "MapiContext", "../../etc/passwd");
    assert_int_equal(response_code(f, bob, "Execute", NULL, BLOB_OF("", 0)), 6);
    client_set_cookie(bob, CLIENT_EMSMDB, "MapiContext", NULL);
    assert_int_equal(response_code(f, bob, "Execute", NULL, BLOB_OF("", 0)), 13);
    expect_alice_served(f);
}

static void bodies_that_lie_about_their_lengths_are_told_so(void **state)
{
    struct fixture *f = *state;
    const size_t large_size = 5 << 20;
    struct blob promise;
    assert_true(hex_parse(f->arena, "00000000 ffffff7f 0000", &promise));            /* a RopBuffer of 2 GB */
    const struct { struct blob body; unsigned code; } bodies[] = {
        { promise, 12 }, { BLOB_OF("\0", 1), 12 }, { BLOB_OF(talloc_zero_size(f->arena, large_size), large_size), 9 },
    };
    for (size_t i = 0; i < COUNTOF(bodies); i++) {
        struct client *c = server_logon(f->server, f->arena, "alice");
        assert_int_equal(response_code(f, c, "Execute", NULL, bodies[i].body), bodies[i].code);
    }
    expect_alice_served(f);
}

static void tags_that_there_are_not_are_errors_of_single_values(void **state)
{
    static const uint32_t tags[] = { 0xDEAD001F, 0x0037FFFF, PidTagDisplayName, 0x12340000 };
    struct fixture *f = *state;
    struct client *c = server_logon(f->server, f->arena, "alice");
    uint64_t fid;
    uint32_t folder;
    struct prop *values;
    assert_int_equal(client_folder_find(c, "Inbox", &fid), ecNone);
    assert_int_equal(client_folder_open(c, fid, &folder), ecNone);
    assert_int_equal(client_get(c, f->arena, folder, tags, 1, &values), ecNone);
    assert_int_equal(PROP_TYPE(values[0].tag), PtypErrorCode);
    assert_int_equal(client_get(c, f->arena, folder, tags + 2, 2, &values), ecNone);
    assert_string_equal(values[0].str, "Inbox");
    assert_int_equal(PROP_TYPE(values[1].tag), PtypErrorCode);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_port_in_use_is_named),
        cmocka_unit_test(a_folder_is_one_servers),
        cmocka_unit_test(a_broken_certificate_is_named),
        cmocka_unit_test(a_database_that_is_none_is_named),
        cmocka_unit_test(somebody_elses_mailbox_stays_closed),
        cmocka_unit_test(another_users_session_cookie_opens_nothing),
        cmocka_unit_test(bodies_that_lie_about_their_lengths_are_told_so),
        cmocka_unit_test(tags_that_there_are_not_are_errors_of_single_values),
        cmocka_unit_test(a_damaged_mailbox_refuses_its_user_alone),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, start, stop);
}
