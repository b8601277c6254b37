/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shell/shell.h"

struct fixture {
    struct shell shell;
    char *ran;                              /* the lines that came, with | behind each */
    char *text;                             /* what was printed */
    size_t size;
    pthread_t thread;
    int status;
};

static struct cmdlet_result run(void *arg, TALLOC_CTX *arena, const char *line)
{
    struct fixture *f = arg;
    f->ran = talloc_asprintf_append(f->ran, "%s|", line);
    const bool bad = strstr(line, "bad") != NULL;
    return (struct cmdlet_result){ talloc_asprintf(arena, "out:%s\n", line), bad ? "bad thing\n" : "", bad };
}

static int set_up(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->ran = talloc_strdup(f, "");
    f->shell = (struct shell){ .prompt = "[PS] test> ", .run = run, .arg = f };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    free(f->text);
    return talloc_free(f);
}

static int run_script(struct fixture *f, const char *script)
{
    f->shell.in = fmemopen((void *)script, strlen(script), "r");
    f->shell.out = f->shell.err = open_memstream(&f->text, &f->size);
    const int status = shell_run(&f->shell);
    fclose(f->shell.in);
    fclose(f->shell.out);
    return status;
}

static void a_script_is_run_line_by_line(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_script(f, "Get-Mailbox\n\n  \n# a comment\nGet-Mailbox |\n  fl @(\n1)\nlast"), 0);
    assert_string_equal(f->ran, "Get-Mailbox|# a comment|Get-Mailbox |\n  fl @(\n1)|last|");
    assert_string_equal(f->text, "out:Get-Mailbox\nout:# a comment\nout:Get-Mailbox |\n  fl @(\n1)\nout:last\n");
}

static void a_line_that_fails_decides_the_status_and_stops_nothing(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_script(f, "bad\ngood\nEXIT\nnever\n"), 1);
    assert_string_equal(f->ran, "bad|good|");
    assert_non_null(strstr(f->text, "bad thing\n"));
}

static void a_line_that_never_ends_is_still_handed_on(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(run_script(f, "Get-Mailbox (\n"), 0);
    assert_string_equal(f->ran, "Get-Mailbox (|");
}

static char answer_to_bytes(struct fixture *f, const char *typed, size_t size)
{
    f->shell.in = fmemopen((void *)typed, size, "r");
    f->shell.out = f->shell.err = open_memstream(&f->text, &f->size);
    const char answer = shell_ask(&f->shell, "Removing \"alice\".");
    fclose(f->shell.in);
    fclose(f->shell.out);
    return answer;
}

static char answer_to(struct fixture *f, const char *typed)
{
    return answer_to_bytes(f, typed, strlen(typed));
}

static void a_byte_that_is_no_letter_is_no_answer(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(answer_to_bytes(f, "\0\nL\n", 4), 'L');
    free(f->text);
    assert_int_equal(answer_to_bytes(f, "\0Y\n", 3), 'N'); /* and then the input ends */
    free(f->text);
    f->text = NULL;
}

static void the_tail_of_a_long_line_is_no_second_answer(void **state)
{
    struct fixture *f = *state;
    char line[202];
    memset(line, '?', sizeof line);
    memset(line + 63, 'Y', 130);
    memcpy(line + sizeof line - 3, "\nA", 3);
    assert_int_equal(answer_to(f, line), 'A');
    free(f->text);
    f->text = NULL;
}

static void a_question_is_asked_until_it_is_answered(void **state)
{
    struct fixture *f = *state;
    static const struct { const char *typed; char answer; } cases[] = {
        { "y\n", 'Y' }, { "\n", 'Y' }, { "no\n", 'N' }, { "what\n?\na\n", 'A' }, { "L\n", 'L' },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_int_equal(answer_to(f, cases[i].typed), cases[i].answer);
        assert_non_null(strstr(f->text, "Removing \"alice\"."));
        free(f->text);
        f->text = NULL;
    }
}

/* A pseudo terminal: the test types at one end, the shell sits at the other. */
struct terminal {
    int master;
    FILE *slave;
};

static struct terminal open_pty(struct fixture *f)
{
    struct terminal t = { .master = posix_openpt(O_RDWR | O_NOCTTY) };
    assert_int_equal(grantpt(t.master), 0);
    assert_int_equal(unlockpt(t.master), 0);
    t.slave = fdopen(open(ptsname(t.master), O_RDWR | O_NOCTTY), "r+");
    setvbuf(t.slave, NULL, _IONBF, 0);
    f->shell.in = f->shell.out = f->shell.err = t.slave;
    return t;
}

static void *run_in_thread(void *arg)
{
    struct fixture *f = arg;
    f->status = shell_run(&f->shell);
    return NULL;
}

/* Reads what the shell shows until this is in it. */
static void wait_for(const struct terminal *t, const char *text)
{
    char seen[65536] = "";
    for (size_t size = 0; size + 1 < sizeof seen && !strstr(seen, text);) {
        const ssize_t n = read(t->master, seen + size, sizeof seen - size - 1);
        assert_true(n > 0);
        for (ssize_t i = 0; i < n; i++)
            seen[size + (size_t)i] = seen[size + (size_t)i] ? seen[size + (size_t)i] : ' ';
        size += (size_t)n;
        seen[size] = 0;
    }
    assert_non_null(strstr(seen, text));
}

static void type(const struct terminal *t, const char *text)
{
    assert_int_equal(write(t->master, text, strlen(text)), strlen(text));
}

static void start(struct fixture *f)
{
    setenv("TERM", "vt100", 1);
    assert_int_equal(pthread_create(&f->thread, NULL, run_in_thread, f), 0);
}

static void finish(struct fixture *f, struct terminal *t)
{
    type(t, "exit\r");
    pthread_join(f->thread, NULL);
    fclose(t->slave);
    close(t->master);
}

static void words_are_completed_and_open_lines_go_on(void **state)
{
    struct fixture *f = *state;
    struct terminal t = open_pty(f);
    start(f);
    wait_for(&t, "[PS] test>");
    type(&t, "set-cas\talice -mapih\t$t\t\r");
    wait_for(&t, "out:Set-CASMailbox");
    type(&t, "Get-Mailbox |\r");
    wait_for(&t, ">> ");
    type(&t, "fl Name\r");
    wait_for(&t, "out:Get-Mailbox");
    type(&t, "Get-Mapi\t-Ide\tmapi*\r");
    wait_for(&t, "out:Get-MapiVirtualDirectory");
    finish(f, &t);
    assert_string_equal(f->ran, "Set-CASMailbox alice -MapiHttpEnabled $true |Get-Mailbox |\nfl Name|"
                                "Get-MapiVirtualDirectory -Identity mapi*|");
    assert_int_equal(f->status, 0);
}

static void history_is_kept_but_no_password(void **state)
{
    struct fixture *f = *state;
    char path[] = "/tmp/oxcart-history-XXXXXX";
    close(mkstemp(path));
    unlink(path);
    f->shell.history = path;
    struct terminal t = open_pty(f);
    start(f);
    wait_for(&t, "[PS] test>");
    type(&t, "Get-Mailbox first\r");
    wait_for(&t, "out:Get-Mailbox");
    type(&t, "New-Mailbox x -Password hidden\r");
    wait_for(&t, "out:New-Mailbox");
    type(&t, "\020\r");                                             /* Ctrl-P: the line before */
    wait_for(&t, "out:Get-Mailbox first");
    finish(f, &t);

    struct stat st;
    char text[4096] = "";
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    assert_int_equal(fstat(fileno(file), &st), 0);
    fclose(file);
    unlink(path);
    assert_non_null(strstr(text, "first"));
    assert_null(strstr(text, "hidden"));
    assert_int_equal(st.st_mode & 077, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_script_is_run_line_by_line),
        TEST(a_line_that_fails_decides_the_status_and_stops_nothing),
        TEST(a_line_that_never_ends_is_still_handed_on),
        TEST(a_byte_that_is_no_letter_is_no_answer),
        TEST(the_tail_of_a_long_line_is_no_second_answer),
        TEST(a_question_is_asked_until_it_is_answered),
        TEST(words_are_completed_and_open_lines_go_on),
        TEST(history_is_kept_but_no_password),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
