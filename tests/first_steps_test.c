/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody meets who starts the server for the first time: every line that it prints for them is typed as it
 * stands. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <arpa/inet.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server.h"

#define STEPS_MAX 16

static const char *const demo[] = { "--demo", NULL };

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is missing in:\n%s", part, text);
}

static void lacks(const char *text, const char *part)
{
    if (strstr(text, part))
        fail_msg("'%s' should not be in:\n%s", part, text);
}

/* The indented lines. */
static size_t steps_of(TALLOC_CTX *arena, const struct server *s, const char *steps[STEPS_MAX])
{
    size_t count = 0;
    char *save = NULL;
    char *said = talloc_strdup(arena, server_said(s));
    for (char *line = strtok_r(said, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (text_is_prefix(line, "  ") && count < STEPS_MAX)
            steps[count++] = line + 2;
    return count;
}

static const char *step_with(const char *const *steps, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strstr(steps[i], word))
            return steps[i];
    fail_msg("no step with '%s'", word);
    return "";
}

/* In a terminal of its own, where `first` was typed before. */
static FILE *terminal(TALLOC_CTX *arena, const char *first, const char *line)
{
    FILE *f = popen(talloc_asprintf(arena, "exec 2>&1\n%s\n%s\n", first, line), "r");
    assert_non_null(f);
    return f;
}

static const char *type(TALLOC_CTX *arena, const char *first, const char *line)
{
    struct buf all;
    char bytes[4096];
    buf_init(&all, arena);
    FILE *f = terminal(arena, first, line);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        buf_add(&all, bytes, n);
    buf_add(&all, "", 1);
    const int status = pclose(f);
    if (status)
        fail_msg("%s: status %d\n%s", line, status, (const char *)all.data);
    return (const char *)all.data;
}

static void the_steps_of_the_demo_work_as_they_are_printed(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct server *s = server_start_empty(arena, demo);
    const char *steps[STEPS_MAX];
    char line[512];
    const size_t count = steps_of(arena, s, steps);
    const char *export = step_with(steps, count, "export ");
    (void)state;
    has(type(arena, export, step_with(steps, count, "mail list ")), "20 of 306 messages");
    const char *watching = step_with(steps, count, "mail watch ");
    FILE *watch = terminal(arena, export, talloc_asprintf(arena, "exec %s --count 1", watching));
    assert_non_null(fgets(line, sizeof line, watch));
    has(line, "watching Inbox of alice@contoso.com");
    has(type(arena, export, step_with(steps, count, "mail send ")), "sent to Alice Example");
    assert_non_null(fgets(line, sizeof line, watch));
    has(line, "Hello");
    assert_int_equal(pclose(watch), 0);
    has(type(arena, export, step_with(steps, count, "mail read ")), "It works.");
    has(type(arena, export, step_with(steps, count, "Get-Mailbox")), "alice alice MAIL");
    talloc_free(arena);
}

static void the_demo_is_the_same_after_another_start_on_other_ports(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct server *s = server_start_empty(arena, demo);
    const char *steps[STEPS_MAX];
    (void)state;
    assert_int_equal(kill(server_pid(s), SIGINT), 0);
    assert_int_equal(server_stop(s), 0);
    server_run_again(s);
    const size_t count = steps_of(arena, s, steps);
    const char *export = step_with(steps, count, "export ");
    has(type(arena, export, step_with(steps, count, "mail list ")), "20 of 306 messages");
    has(server_cmdlet(s, arena, NULL, "(Get-MapiVirtualDirectory).InternalUrl"),
        talloc_asprintf(arena, "https://localhost:%u/mapi", server_https_port(s)));
    server_cmdlet(s, arena, NULL, "Get-MapiVirtualDirectory | "
                                  "Set-MapiVirtualDirectory -InternalUrl https://mail.contoso.com/mapi");
    assert_int_equal(server_stop(s), 0);
    server_run_again(s);
    has(server_cmdlet(s, arena, NULL, "(Get-MapiVirtualDirectory).InternalUrl"), "https://mail.contoso.com/mapi");
    talloc_free(arena);
}

static unsigned take_port(int *fd)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    *fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(*fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(*fd, 1), 0);
    assert_int_equal(getsockname(*fd, (struct sockaddr *)&address, &size), 0);
    return ntohs(address.sin_port);
}

static void a_demo_whose_port_was_in_use_is_filled_by_the_next_start(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    char dir[] = "/tmp/oxcart-first-XXXXXX";
    int fd, status = -1;
    (void)state;
    assert_non_null(mkdtemp(dir));
    const char *taken = talloc_asprintf(arena, "127.0.0.1:%u", take_port(&fd));
    const char *const refused[] = { "--data", dir, "--demo", "--https", "127.0.0.1:0", "--lmtp", taken, NULL };
    has(server_refuses(arena, refused, &status), "in use");
    assert_int_equal(status, 1);
    close(fd);
    const char *const again[] = { "--data", dir, "--demo", "--https", "127.0.0.1:0", "--lmtp", "127.0.0.1:0", NULL };
    has(server_refuses(arena, again, &status), "Alice and Bob have mailboxes");
    assert_int_equal(status, 0);
    const char *get = "-c 'Get-Mailbox -Anr alice | select -exp Name'";
    const char *line = talloc_asprintf(arena, "%s --data %s %s", getenv("OXCART"), dir, get);
    assert_string_equal(type(arena, "", line), "alice\n");
    server_remove(dir);
    talloc_free(arena);
}

static void the_demo_stays_out_of_an_organisation_that_is_in_use(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct server *s = server_start_empty(arena, NULL);
    int status = -1;
    (void)state;
    server_cmdlet(s, arena, NULL, "New-Mailbox carol -Password Passw0rd!");
    assert_int_equal(server_stop(s), 0);
    const char *const arguments[] = { "--data", server_dir(s), "--demo", "--https", "127.0.0.1:0",
                                      "--lmtp", "127.0.0.1:0", NULL };
    has(server_refuses(arena, arguments, &status), "the demo needs a folder of its own");
    assert_int_equal(status, 1);
    talloc_free(arena);
}

static void the_first_mailbox_is_made_as_the_new_organisation_says(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct server *s = server_start_empty(arena, NULL);
    const char *steps[STEPS_MAX];
    (void)state;
    has(server_said(s), "has no mailbox yet");
    assert_int_equal(server_stop(s), 0);
    server_run_again(s);
    assert_int_equal(steps_of(arena, s, steps), 1);                    /* it is still without a mailbox */
    has(type(arena, "", steps[0]), "alice alice MAIL");
    assert_int_equal(server_stop(s), 0);
    server_run_again(s);
    lacks(server_said(s), "has no mailbox yet");
    talloc_free(arena);
}

static void a_wrong_call_is_told_what_is_wrong(void **state)
{
    static const char *const calls[][4] = {
        { NULL, NULL, NULL, "--data DIR is missing" },
        { "--data", "/nowhere", "surplus", "every option begins with --" },
        { "--data", NULL, NULL, "requires an argument" },
        { "--nonsense", NULL, NULL, "--nonsense" },
    };
    TALLOC_CTX *arena = talloc_new(NULL);
    (void)state;
    for (size_t i = 0; i < COUNTOF(calls); i++) {
        const char *const arguments[] = { calls[i][0], calls[i][1], calls[i][2], NULL };
        int status = -1;
        const char *said = server_refuses(arena, arguments, &status);
        has(said, calls[i][3]);
        has(said, "usage: oxcartd --data DIR");
        assert_int_equal(status, 2);
    }
    int status = -1;
    const char *const wants_help[] = { "--help", NULL };
    has(server_refuses(arena, wants_help, &status), "usage: oxcartd --data DIR");
    assert_int_equal(status, 0);
    talloc_free(arena);
}

static void another_name_than_the_organisation_was_made_with_is_no_secret(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    static const char *const other[] = { "--hostname", "mail.fabrikam.com", NULL };
    struct server *s = server_start_empty(arena, NULL);
    int status = -1;
    (void)state;
    assert_int_equal(server_stop(s), 0);
    const char *const arguments[] = { "--data", server_dir(s), other[0], other[1], NULL };
    const char *said = server_refuses(arena, arguments, &status);
    has(said, "--hostname mail.fabrikam.com has no effect: this organisation was made with mail.contoso.com");
    has(said, "this server only answers cmdlets");                    /* no listener was asked for */
    assert_int_equal(status, 0);
    talloc_free(arena);
}

static void an_upgrade_is_told_what_becomes_of_MAPI_over_HTTP(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct server *s = server_start_empty(arena, NULL);
    int status = -1;
    (void)state;
    assert_int_equal(server_stop(s), 0);
    const char *dir = talloc_asprintf(arena, "%s/upgraded", server_dir(s));
    const char *arguments[] = { "--data", dir, "--hostname", "mail.contoso.com", "--upgrade-from", "Exchange2010",
                                "--product-level", "Exchange2019", NULL };
    has(server_refuses(arena, arguments, &status), "can't be installed beside Exchange 2010");
    assert_int_equal(status, 1);
    arguments[5] = "Exchange2013";
    has(server_refuses(arena, arguments, &status), "MAPI over HTTP isn't enabled");
    assert_int_equal(status, 0);
    has(server_refuses(arena, arguments, &status), "--upgrade-from Exchange2013 has no effect");
    talloc_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_steps_of_the_demo_work_as_they_are_printed),
        cmocka_unit_test(the_demo_is_the_same_after_another_start_on_other_ports),
        cmocka_unit_test(a_demo_whose_port_was_in_use_is_filled_by_the_next_start),
        cmocka_unit_test(the_demo_stays_out_of_an_organisation_that_is_in_use),
        cmocka_unit_test(the_first_mailbox_is_made_as_the_new_organisation_says),
        cmocka_unit_test(a_wrong_call_is_told_what_is_wrong),
        cmocka_unit_test(an_upgrade_is_told_what_becomes_of_MAPI_over_HTTP),
        cmocka_unit_test(another_name_than_the_organisation_was_made_with_is_no_secret),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
