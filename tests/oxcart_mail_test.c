/* SPDX-License-Identifier: Apache-2.0 */
/* `oxcart mail` and `oxcart load` as a person types them, against a server of their own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "server.h"

struct fixture {
    TALLOC_CTX *arena;
    struct server *server;
};

static int set_up_server(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    setenv("OXCART_PASSWORD", SERVER_PASSWORD, 1);
    *state = f;
    return 0;
}

static int tear_down_server(void **state)
{
    struct fixture *f = *state;
    const int status = server_stop(f->server);
    talloc_free(f);
    return status;
}

static int set_up(void **state)
{
    struct fixture *f = *state;
    f->arena = talloc_new(f);
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    TALLOC_FREE(f->arena);
    return 0;
}

/* $O is `oxcart`, $A and $B say who and where alice and bob are, $D is the server's folder; 2>&1 is added. */
static FILE *shell(struct fixture *f, const char *line)
{
    const char *where = talloc_asprintf(f->arena, "--server 127.0.0.1:%u --ca %s/certificate.pem", server_https_port(f->server),
                                        server_dir(f->server));
    FILE *pipe = popen(talloc_asprintf(f->arena, "O='%s'; D='%s'; A='--user alice@contoso.com %s'; B='--user bob@contoso.com %s'; "
                                                 "exec 2>&1; %s", getenv("OXCART"), server_dir(f->server), where, where, line), "r");
    assert_non_null(pipe);
    return pipe;
}

static int end(FILE *pipe)
{
    const int status = pclose(pipe);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static const char *run(struct fixture *f, int status, const char *line)
{
    struct buf all;
    char bytes[4096];
    buf_init(&all, f->arena);
    FILE *pipe = shell(f, line);
    for (size_t n; (n = fread(bytes, 1, sizeof bytes, pipe)) > 0;)
        buf_add(&all, bytes, n);
    buf_add(&all, "", 1);
    const int got = end(pipe);
    if (got != status)
        fail_msg("%s: exit status %d\n%s", line, got, (const char *)all.data);
    return (const char *)all.data;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is missing in:\n%s", part, text);
}

static void what_one_sends_the_other_lists_and_reads(void **state)
{
    struct fixture *f = *state;
    has(run(f, 0, "printf 'Hello Bob,\\nit works: ä ö ü.\\n' >$D/body; printf 'a file' >$D/notes.txt; "
                  "$O mail send $A --to bob@contoso.com --subject 'Grüße an Bob' --attach $D/notes.txt <$D/body"), "sent to Bob Example");
    const char *list = run(f, 0, "$O mail list $B -n 5");
    has(list, "    1 *@ Alice Example");
    has(list, "Grüße an Bob");
    const char *message = run(f, 0, "mkdir $D/saved; $O mail read last $B --save $D/saved");
    has(message, "From: Alice Example <alice@contoso.com>");
    has(message, "To: Bob Example <bob@contoso.com>");
    has(message, "Subject: Grüße an Bob");
    has(message, "Attached: notes.txt (");
    has(message, "it works: ä ö ü.");
    assert_string_equal(run(f, 0, "cat $D/saved/notes.txt"), "a file");
    has(run(f, 0, "$O mail list $B -n 1"), "    1  @ Alice Example");                     /* it is read now */
    has(run(f, 0, "$O mail list $A --folder 'Sent Items'"), "Grüße an Bob");
    has(run(f, 1, "$O mail read last $B --save $D/saved"), "File exists");               /* nothing is overwritten */
}

static void mail_is_seen_as_it_arrives(void **state)
{
    struct fixture *f = *state;
    char line[512];
    FILE *watch = shell(f, "$O mail watch $B --count 2");
    assert_non_null(fgets(line, sizeof line, watch));
    has(line, "watching Inbox of bob@contoso.com");
    run(f, 0, "$O mail send $A --to bob --subject 'first surprise' --body x");
    assert_non_null(fgets(line, sizeof line, watch));
    has(line, "first surprise");
    run(f, 0, "$O mail send $A --to bob --subject 'second surprise' --body x");
    assert_non_null(fgets(line, sizeof line, watch));
    has(line, "second surprise");
    assert_null(fgets(line, sizeof line, watch));
    assert_int_equal(end(watch), 0);
}

static void folders_are_listed_with_their_counts(void **state)
{
    struct fixture *f = *state;
    const char *folders = run(f, 0, "$O mail folders $A");
    has(folders, "unread  Inbox\n");
    has(folders, "unread  Sent Items\n");
}

static void errors_are_said_in_words(void **state)
{
    struct fixture *f = *state;
    has(run(f, 1, "OXCART_PASSWORD=wrong $O mail list $A"), "does not accept this user and password");
    has(run(f, 1, "$O mail list $A --folder Nowhere"), "there is no folder 'Nowhere'");
    has(run(f, 1, "$O mail read 4711 $A"), "there is no message 4711");
    has(run(f, 1, "$O mail send $A --to 'nobody here' --subject x --body x"), "nobody is called 'nobody here'");
    has(run(f, 1, "$O mail send $A --to bob --subject x --body x --attach /nonexistent"), "/nonexistent: No such file");
    has(run(f, 2, "env -u OXCART_PASSWORD $O mail list $A </dev/null"), "the password is missing");
    has(run(f, 1, "$O mail list --user alice@contoso.com --server 127.0.0.1:1"), "Failed to connect");
    has(run(f, 1, "$O mail list ${A%--ca*}"), "--insecure accepts any");
    has(run(f, 2, "$O mail list"), "--user ADDRESS is missing");
    has(run(f, 2, "$O mail"), "usage: oxcart mail");
    has(run(f, 2, "$O mail list $A surplus words"), "usage: oxcart mail");
    has(run(f, 2, "$O mail dance $A"), "usage: oxcart mail");
    has(run(f, 0, "$O mail --help"), "usage: oxcart mail");
}

/* Whatever the sender puts into a subject or a file's name, it does not move the reader's cursor or leave the folder. */
static void hostile_names_are_harmless(void **state)
{
    struct fixture *f = *state;
    run(f, 0, "$O mail send $A --to bob --subject \"$(printf 'evil \\033[2Jsubject')\" --body \"$(printf 'a\\033]0;title\\007b')\"");
    const char *list = run(f, 0, "$O mail list $B -n 1"), *message = run(f, 0, "$O mail read last $B");
    assert_null(strchr(list, '\033'));
    assert_null(strchr(message, '\033'));
    has(list, "evil  [2Jsubject");
}

static void a_trace_shows_the_conversation_and_no_secret(void **state)
{
    struct fixture *f = *state;
    run(f, 0, "$O mail list $A --trace $D/trace");
    const char *trace = run(f, 0, "cat $D/trace");
    has(trace, "> Autodiscover: POST");
    has(trace, "RopQueryRows");
    assert_null(strstr(trace, SERVER_PASSWORD));
}

static void every_work_of_the_load_does_something(void **state)
{
    struct fixture *f = *state;
    run(f, 0, "$O mail send $A --to alice --subject 'to open' --body text");
    static const char *const works[] = { "execute", "page", "open", "save", "send", "connect" };
    for (size_t i = 0; i < COUNTOF(works); i++) {
        const char *said = run(f, 0, talloc_asprintf(f->arena, "$O load $A --work %s --sessions 3 --seconds 1 --json", works[i]));
        has(said, "\"sessions\":3,");
        has(said, "\"failed\":0}");
        assert_null(strstr(said, "\"count\":0,"));
    }
    has(run(f, 0, "$O load $A --work idle --sessions 20 --seconds 1"), "idle: 20 sessions, 1 s, 0 events; 0 sessions failed");
    has(run(f, 2, "$O load $A --work nothing"), "usage: oxcart load");
    has(run(f, 1, "OXCART_PASSWORD=wrong $O load $A --work page"), "does not accept this user and password");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_one_sends_the_other_lists_and_reads),
        TEST(mail_is_seen_as_it_arrives),
        TEST(folders_are_listed_with_their_counts),
        TEST(errors_are_said_in_words),
        TEST(hostile_names_are_harmless),
        TEST(a_trace_shows_the_conversation_and_no_secret),
        TEST(every_work_of_the_load_does_something),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("oxcart mail", tests, set_up_server, tear_down_server);
}
