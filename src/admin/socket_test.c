/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "admin/admin.h"
#include "cmdlet/fixture.h"

static struct admin *opened(struct fixture *f)
{
    struct admin *admin = NULL;
    char *why = NULL;
    if (admin_open(&admin, f, f->dir, &f->context, NULL, &why))
        fail_msg("%s", why);
    return admin;
}

static enum ec call(struct fixture *f, const char *line, enum cmdlet_output output)
{
    const struct admin_request request = { .line = line, .output = output };
    return admin_call(f, f->dir, &request, &f->last);
}

static void a_line_goes_in_and_its_output_comes_out(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = opened(f);
    assert_int_equal(call(f, ALICE, CMDLET_DEFAULT), ecNone);
    assert_int_equal(f->last.status, 0);
    assert_int_equal(f->created, 1);
    assert_int_equal(call(f, "Get-Mailbox alice | fl Name; Get-Mailbox nobody", CMDLET_DEFAULT), ecNone);
    assert_string_equal(f->last.out, "\nName : alice\n\n");
    assert_non_null(strstr(f->last.err, "'nobody'"));
    assert_int_equal(f->last.status, 1);
    assert_int_equal(call(f, "Set-CASMailbox alice -MapiHttpEnabled $false", CMDLET_JSON), ecNone);
    assert_string_equal(f->last.out, "[]\n");
    const struct admin_request narrow = { .line = "'x' | select Length; Get-Mailbox | ft DisplayName,Name",
                                          .width = 12 };
    assert_int_equal(admin_call(f, f->dir, &narrow, &f->last), ecNone);
    assert_non_null(strstr(f->last.out, "\nAlice Exa...\n"));
    admin_close(admin);
}

static void a_long_answer_arrives_whole(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = opened(f);
    char *line = talloc_array(f, char, 1000 * 1000);
    memset(line, 'x', 1000 * 1000);
    memcpy(line, "'", 1);
    strcpy(line + 1000 * 1000 - 20, "','y','z'");
    char *all = talloc_asprintf(f, "%s", line);
    assert_int_equal(call(f, all, CMDLET_DEFAULT), ecNone);
    assert_int_equal(f->last.status, 0);
    assert_int_equal(strlen(f->last.out), 1000 * 1000 - 21 + 1 + 2 + 2);
    assert_int_equal(call(f, talloc_asprintf(f, "%s%s", all, all), CMDLET_DEFAULT), ecInvalidParam);
    admin_close(admin);
}

static void questions_come_to_the_one_who_called(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = opened(f);
    assert_int_equal(call(f, ALICE, CMDLET_DEFAULT), ecNone);
    assert_int_equal(call(f, "Remove-Mailbox alice", CMDLET_DEFAULT), ecNone);
    assert_int_equal(f->last.status, 1);
    assert_non_null(strstr(f->last.err, "nobody is here to answer"));

    const struct admin_request request = { .line = "Remove-Mailbox alice", .ask = fixture_answer, .arg = f };
    f->answers = "N";
    assert_int_equal(admin_call(f, f->dir, &request, &f->last), ecNone);
    assert_non_null(strstr(f->question, "contoso.com/Users/alice"));
    assert_non_null(directory_by_smtp(f->context.directory, f, "alice@contoso.com"));
    f->answers = "Y";
    assert_int_equal(admin_call(f, f->dir, &request, &f->last), ecNone);
    assert_null(directory_by_smtp(f->context.directory, f, "alice@contoso.com"));
    admin_close(admin);
}

static void without_a_server_the_caller_knows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(call(f, "Get-Mailbox", CMDLET_DEFAULT), ecNotFound);
    admin_close(opened(f));
    assert_int_equal(call(f, "Get-Mailbox", CMDLET_DEFAULT), ecNotFound);
}

static void a_socket_that_was_left_over_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/admin.sock", f->dir);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    close(fd);
    struct admin *admin = opened(f);
    assert_int_equal(call(f, "Get-Mailbox", CMDLET_DEFAULT), ecNone);
    struct stat st;
    assert_int_equal(stat(address.sun_path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    admin_close(admin);
}

static void a_folder_with_too_long_a_name_is_refused(void **state)
{
    struct fixture *f = *state;
    struct admin *admin;
    char *why = NULL;
    const char *dir =
        "/tmp/0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";
    assert_int_equal(admin_open(&admin, f, dir, &f->context, NULL, &why), ecInvalidParam);
    assert_non_null(strstr(why, "too long"));
    assert_int_equal(admin_open(&admin, f, "/tmp/nowhere/at/all", &f->context, NULL, &why), ecAccessDenied);
    assert_non_null(strstr(why, "nowhere"));
}

static int connected(struct fixture *f)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s/admin.sock", f->dir);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

/* What the server says to these bytes, until it hangs up. */
static size_t said_to(struct fixture *f, const void *bytes, size_t size, char *answer, size_t room)
{
    const int fd = connected(f);
    assert_int_equal(send(fd, bytes, size, MSG_NOSIGNAL), size);
    shutdown(fd, SHUT_WR);
    size_t got = 0;
    for (ssize_t n; got < room && (n = recv(fd, answer + got, room - got, 0)) > 0;)
        got += (size_t)n;
    close(fd);
    return got;
}

static void bytes_that_are_no_line_are_refused(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = opened(f);
    static const struct { const char *bytes; size_t size; bool answered; } wrong[] = {
        { "", 0, false },
        { "L", 1, false },
        { "L\xff\xff\xff\x7f" "x", 6, false },                      /* two gigabytes announced */
        { "L\x05\0\0\0ab", 7, false },                              /* cut off */
        { "X\x01\0\0\0x", 6, false },                               /* another kind */
        { "L\0\0\0\0", 5, true },
        { "L\x05\0\0\0\x63\0\0\0x", 10, true },                     /* output 99 */
        { "L\x07\0\0\0\0\0\0\0x\0y", 12, true },                    /* a zero byte inside */
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        char answer[256] = "";
        const size_t size = said_to(f, wrong[i].bytes, wrong[i].size, answer, sizeof answer);
        assert_int_equal(size > 0, wrong[i].answered);
        if (size)
            assert_memory_equal(answer + 5, "The request is malformed.", 25);
    }
    assert_int_equal(call(f, "Get-Mailbox", CMDLET_DEFAULT), ecNone);
    admin_close(admin);
}

static void closing_does_not_wait_for_those_who_say_nothing(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = opened(f);
    const int first = connected(f), second = connected(f);
    assert_int_equal(send(second, "L\x09", 2, MSG_NOSIGNAL), 2);
    assert_int_equal(call(f, "Get-Mailbox", CMDLET_DEFAULT), ecNone);        /* both were accepted before */
    admin_close(admin);
    close(first);
    close(second);
}

struct caller {
    struct fixture *f;
    int number;
    unsigned failures;
};

static void *call_often(void *arg)
{
    struct caller *caller = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    for (int i = 0; i < 10; i++) {
        const char *line = talloc_asprintf(arena,
                                           "New-AcceptedDomain d%d-%d -DomainName d%d-%d.com | Set-AcceptedDomain"
                                           " -DomainType InternalRelay",
                                           caller->number, i, caller->number, i);
        const struct admin_request request = { .line = line };
        struct cmdlet_result result = { 0 };
        caller->failures += admin_call(arena, caller->f->dir, &request, &result) || result.status;
    }
    talloc_free(arena);
    return NULL;
}

static void several_callers_are_served_at_once(void **state)
{
    struct fixture *f = *state;
    struct admin *admin = opened(f);
    struct caller callers[4];
    pthread_t threads[COUNTOF(callers)];
    for (int i = 0; i < (int)COUNTOF(callers); i++) {
        callers[i] = (struct caller){ f, i, 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &callers[i]), 0);
    }
    for (size_t i = 0; i < COUNTOF(callers); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(callers[i].failures, 0);
    }
    assert_int_equal(org_settings(f->context.org, f)->domain_count, 1 + 10 * COUNTOF(callers));
    admin_close(admin);
}

/* Only root can become somebody else to try it. */
static void another_user_gets_no_answer(void **state)
{
    struct fixture *f = *state;
    if (geteuid() != 0) {
        skip();
        return;
    }
    struct admin *admin = opened(f);
    char path[256];
    snprintf(path, sizeof path, "%s/admin.sock", f->dir);
    assert_int_equal(chmod(f->dir, 0755), 0);
    assert_int_equal(seteuid(65534), 0);
    assert_int_equal(call(f, "Get-Mailbox", CMDLET_DEFAULT), ecAccessDenied);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(chmod(path, 0666), 0);                         /* and if the file's mode let him in: */
    assert_int_equal(seteuid(65534), 0);
    const enum ec ec = call(f, "Get-Mailbox", CMDLET_DEFAULT);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(ec, ecRpcFailed);
    admin_close(admin);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)
    const struct CMUnitTest tests[] = {
        TEST(a_line_goes_in_and_its_output_comes_out),
        TEST(a_long_answer_arrives_whole),
        TEST(questions_come_to_the_one_who_called),
        TEST(without_a_server_the_caller_knows),
        TEST(a_socket_that_was_left_over_is_replaced),
        TEST(a_folder_with_too_long_a_name_is_refused),
        TEST(bytes_that_are_no_line_are_refused),
        TEST(closing_does_not_wait_for_those_who_say_nothing),
        TEST(several_callers_are_served_at_once),
        TEST(another_user_gets_no_answer),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
