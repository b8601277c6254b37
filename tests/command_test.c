/* SPDX-License-Identifier: Apache-2.0 */
/* The command `oxcart`, as a person or a script calls it: beside a running server, and without one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server.h"

/* What a shell prints for this command line; $O is oxcart, $D the data folder, and 2>&1 is added. */
static const char *shell(TALLOC_CTX *arena, const char *dir, int *status, const char *line)
{
    char text[65536];
    const char *oxcart = getenv("OXCART");
    if (!oxcart)
        fail_msg("OXCART does not say where oxcart is");
    FILE *pipe = popen(talloc_asprintf(arena, "O='%s'; D='%s'; (%s) 2>&1 </dev/null", oxcart, dir, line), "r");
    const size_t size = fread(text, 1, sizeof text - 1, pipe);
    text[size] = 0;
    const int ended = pclose(pipe);
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    return talloc_strdup(arena, text);
}

static void gives(TALLOC_CTX *arena, const char *dir, const char *line, int status, const char *text)
{
    int got = -1;
    const char *said = shell(arena, dir, &got, line);
    if (got != status || !strstr(said, text))
        fail_msg("%s: %d, %s", line, got, said);
}

static int start(void **state)
{
    *state = server_start(NULL, NULL);
    return 0;
}

static int stop(void **state)
{
    return talloc_free(*state);
}

static void a_call_that_makes_no_sense_is_explained(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    (void)state;
    gives(arena, "/nowhere", "$O", 2, "usage: oxcart --data DIR -c 'CMDLET ...'");
    gives(arena, "/nowhere", "$O -c Get-Mailbox", 2, "usage:");
    gives(arena, "/nowhere", "$O --data $D -c Get-Mailbox -o xml", 2, "usage:");
    gives(arena, "/nowhere", "$O --data $D surplus", 2, "usage:");
    gives(arena, "/nowhere", "$O --help", 0, "oxcart mail");
    gives(arena, "/nowhere", "$O --data $D -c Get-Mailbox", 1, "There is no data folder '/nowhere'.");
    char empty[] = "/tmp/oxcart-command-XXXXXX";
    assert_non_null(mkdtemp(empty));
    gives(arena, empty, "$O --data $D -c Get-Mailbox", 1, "There is no organisation in");
    server_remove(empty);
    talloc_free(arena);
}

static void a_cmdlet_answers_the_same_with_and_without_a_server(void **state)
{
    struct server *s = *state;
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *dir = server_dir(s);
    for (int i = 0; i < 2; i++) {
        gives(arena, dir, "$O --data $D -c 'Get-Mailbox -ResultSize unlimited | select -exp Name'", 0, "alice\nbob\n");
        gives(arena, dir, "$O --data $D -c 'Set-CASMailbox bob -MapiHttpEnabled $true'", 0, "");
        gives(arena, dir, "$O --data $D -c '(Get-CASMailbox bob).MapiHttpEnabled; Set-CASMailbox bob -MapiH $null'", 0,
              "True\n");
        gives(arena, dir, "$O --data $D -c 'Get-OrganizationConfig | fl MapiHttpEnabled' -o json", 0,
              "\"MapiHttpEnabled\": true");
        gives(arena, dir, "$O --data $D -c 'Get-Mailbox nobody'", 1, "'nobody' couldn't be found");
        gives(arena, dir, "$O --data $D -c 'Remove-Mailbox alice'", 1, "add -Confirm:$false");
        gives(arena, dir, "printf 'Get-Mailbox |\\n select -exp Alias\\nexit\\n' | $O --data $D", 0, "alice\nbob\n");
        gives(arena, dir, "echo Get-Nothing | $O --data $D", 1, "is not recognized");
        if (i == 0)
            assert_int_equal(server_stop(s), 0);
    }
    server_run_again(s);
    talloc_free(arena);
}

static void a_mailbox_that_was_made_without_a_server_is_there_with_one(void **state)
{
    struct server *s = *state;
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *dir = server_dir(s);
    assert_int_equal(server_stop(s), 0);
    gives(arena, dir, "$O --data $D -c \"New-Mailbox carol -PrimarySmtpAddress carol@contoso.com -Password Passw0rd!\"",
          0, "carol");
    gives(arena, dir, "$O --data $D -c \"Set-Mailbox carol -DisplayName Carol\"", 0, "");
    gives(arena, dir, "$O --data $D -c \"Remove-Mailbox bob -Permanent \\$true -Confirm:\\$false\"", 0, "");
    server_run_again(s);
    struct client *carol = server_logon(s, arena, "carol");
    assert_non_null(carol);
    struct client *bob = server_client(s, arena, "bob");
    assert_int_not_equal(client_connect(bob), ecNone);
    talloc_free(arena);
}

struct caller {
    const char *dir;
    TALLOC_CTX *arena;
    int number, status;
};

static void *add_domain(void *arg)
{
    struct caller *c = arg;
    shell(c->arena, c->dir, &c->status,
          talloc_asprintf(c->arena, "$O --data $D -c 'New-AcceptedDomain d%d -DomainName d%d.com'", c->number,
                          c->number));
    return NULL;
}

/* The folder has one owner at a time; the others wait for their turn. */
static void several_at_once_take_turns_without_a_server(void **state)
{
    struct server *s = *state;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct caller callers[4];
    pthread_t threads[COUNTOF(callers)];
    assert_int_equal(server_stop(s), 0);
    for (int i = 0; i < (int)COUNTOF(callers); i++) {
        callers[i] = (struct caller){ server_dir(s), talloc_new(NULL), i, -1 };
        assert_int_equal(pthread_create(&threads[i], NULL, add_domain, &callers[i]), 0);
    }
    for (size_t i = 0; i < COUNTOF(callers); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].status, 0);
        talloc_free(callers[i].arena);
    }
    gives(arena, server_dir(s), "$O --data $D -c '(Get-AcceptedDomain d3).DomainName; (Get-AcceptedDomain d0).Name'", 0,
          "d3.com\nd0\n");
    server_run_again(s);
    talloc_free(arena);
}

static void the_log_names_the_cmdlets_and_nothing_secret(void **state)
{
    struct server *s = *state;
    TALLOC_CTX *arena = talloc_new(NULL);
    gives(arena, server_dir(s), "$O --data $D -c 'New-Mailbox dave -Password hush-hush'", 0, "dave");
    assert_non_null(strstr(server_log(s, arena), "New-Mailbox: done"));
    assert_null(strstr(server_log(s, arena), "hush"));
    talloc_free(arena);
}

/* The next line that has this in it; NULL: there are no more. */
static const char *line_with(FILE *from, char line[], int size, const char *what)
{
    while (fgets(line, size, from))
        if (strstr(line, what))
            return line;
    return NULL;
}

static void the_trace_shows_what_clients_do_and_not_what_they_read(void **state)
{
    (void)state;
    TALLOC_CTX *arena = talloc_new(NULL);
    char line[4096];
    struct server *s = server_start(arena, NULL);
    FILE *trace = popen(talloc_asprintf(arena, "'%s' trace --data '%s' alice@contoso.com 2>&1 </dev/null",
                                        getenv("OXCART"), server_dir(s)), "r");
    assert_non_null(line_with(trace, line, sizeof line, "tracing CONTOSO\\alice"));
    talloc_free(server_logon(s, arena, "bob"));
    struct client *alice = server_logon(s, arena, "alice");
    struct RopCreateFolderResponse *made;
    assert_int_equal(client_call(alice, arena, RopOpenFolder, client_logon_handle(alice), NULL, NULL, NULL), ecNotFound);
    const struct RopCreateFolderRequest create = { .FolderType = 1, .UseUnicodeStrings = true, .DisplayName = "Hush",
                                                   .Comment = "" };
    client_call(alice, arena, RopCreateFolder, client_logon_handle(alice), &create, (void *)&made, NULL);
    assert_non_null(line_with(trace, line, sizeof line, " Connect UserDn="));
    assert_null(strstr(line, "-bob"));
    assert_non_null(line_with(trace, line, sizeof line, " Logon [0] "));
    assert_non_null(line_with(trace, line, sizeof line, " OpenFolder [0>1] "));
    assert_non_null(strstr(line, "= ecNotFound\n"));
    assert_non_null(line_with(trace, line, sizeof line, " CreateFolder [0>1] "));
    assert_non_null(strstr(line, "DisplayName=(4 bytes)"));
    assert_null(strstr(line, "Hush"));
    assert_int_equal(server_stop(s), 0);
    while (line_with(trace, line, sizeof line, "\n"))
        assert_null(strstr(line, "Hush"));
    assert_int_equal(pclose(trace), 0); /* the server's end is the trace's */
    talloc_free(arena);
}

static void trace_and_decode_say_what_they_cannot_do(void **state)
{
    struct server *s = *state;
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *dir = server_dir(s);
    gives(arena, dir, "$O trace --data $D nobody@contoso.com", 1, "There is no mailbox 'nobody@contoso.com' here.");
    gives(arena, dir, "$O trace --data /nowhere alice", 1, "no server runs on this data folder");
    gives(arena, dir, "$O trace --data $D", 2, "usage: oxcart trace");
    gives(arena, dir, "$O decode", 2, "usage: oxcart decode");
    gives(arena, dir, "$O decode /nowhere", 1, "/nowhere: No such file");
    gives(arena, dir, "printf 'x' | $O decode -", 1, "nobody knows what this is");
    gives(arena, dir, "printf '\\5\\0\\0\\0\\0\\0\\0\\0' | $O decode --as UnbindRequest -", 0,
          "UnbindRequest Reserved=5");
    talloc_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_call_that_makes_no_sense_is_explained),
        cmocka_unit_test(a_cmdlet_answers_the_same_with_and_without_a_server),
        cmocka_unit_test(a_mailbox_that_was_made_without_a_server_is_there_with_one),
        cmocka_unit_test(several_at_once_take_turns_without_a_server),
        cmocka_unit_test(the_log_names_the_cmdlets_and_nothing_secret),
        cmocka_unit_test(the_trace_shows_what_clients_do_and_not_what_they_read),
        cmocka_unit_test(trace_and_decode_say_what_they_cannot_do),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, start, stop);
}
