/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "admin/admin.h"
#include "server.h"
#include "sql/postgres_fixture.h"

#define READY_MS 120000
#define ARGUMENTS_MAX 32

struct server {
    char dir[64];
    const char **arguments;
    pid_t pid;
    int out;
    unsigned https, http, lmtp;
    struct buf said;
};

const char *server_dir(const struct server *s) { return s->dir; }
unsigned server_https_port(const struct server *s) { return s->https; }
unsigned server_http_port(const struct server *s) { return s->http; }
unsigned server_lmtp_port(const struct server *s) { return s->lmtp; }
int server_pid(const struct server *s) { return (int)s->pid; }
const char *server_said(const struct server *s) { return (const char *)s->said.data; }

/* ---- the process ---- */

static void become_server(const struct server *s, int out)
{
    const char *argv[ARGUMENTS_MAX] = {
        getenv("OXCARTD"), "--data", s->dir, "--https", "127.0.0.1:0", "--http", "127.0.0.1:0", "--lmtp", "127.0.0.1:0",
        "--hostname", SERVER_HOSTNAME, "--organization", "Contoso", "--server-name", "MAIL",
    };
    size_t n = 15;
    for (const char *const *a = s->arguments; *a && n + 1 < ARGUMENTS_MAX; a++)
        argv[n++] = *a;
    char log[96];
    snprintf(log, sizeof log, "%s/log", s->dir);
    const int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);                    /* it does not outlive a test that crashed */
    dup2(out, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    _exit(127);
}

/* `https: https://mail.contoso.com:PORT/...` and the like stand in lines of their own. */
static unsigned port_said(const struct server *s, const char *label, const char *before_port)
{
    const char *line = strstr((const char *)s->said.data, label);
    const char *at = line ? strstr(line + strlen(label), before_port) : NULL;
    return at && !memchr(line, '\n', (size_t)(at - line)) ? (unsigned)strtoul(at + strlen(before_port), NULL, 10) : 0;
}

static bool is_ready(const struct server *s)
{
    return text_is_prefix((const char *)s->said.data, "ready\n") || strstr((const char *)s->said.data, "\nready\n");
}

/* false: it has ended, or is not ready in time. */
static bool wait_until_ready(struct server *s)
{
    const uint64_t until = clock_ms() + READY_MS;
    char bytes[4096];
    while (!is_ready(s)) {
        struct pollfd p = { s->out, POLLIN, 0 };
        const uint64_t now = clock_ms();
        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
            return false;
        const ssize_t n = read(s->out, bytes, sizeof bytes);
        if (n <= 0)
            return false;
        s->said.size--;                                  /* its terminator */
        buf_add(&s->said, bytes, (size_t)n);
        buf_add(&s->said, "", 1);
    }
    s->https = port_said(s, "https: https://", ":");
    s->http = port_said(s, "http:  http://", ":");
    s->lmtp = port_said(s, "lmtp:", "port ");
    return true;
}

void server_run_again(struct server *s)
{
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    buf_init(&s->said, s);
    buf_add(&s->said, "", 1);
    s->pid = fork();
    if (s->pid == 0)
        become_server(s, ends[1]);
    close(ends[1]);
    s->out = ends[0];
    if (!wait_until_ready(s))
        fail_msg("oxcartd is not ready; it said: %s\n%s", (const char *)s->said.data, server_log(s, s));
}

static int wait_for_end(struct server *s)
{
    int status = 0;
    while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
        ;
    s->pid = 0;
    close(s->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* No process: kill(0) would end the test and whoever has started it. */
static void end(struct server *s, int signal)
{
    if (s->pid <= 0)
        fail_msg("the server does not run: an earlier test has left it stopped");
    kill(s->pid, signal);
}

int server_stop(struct server *s)
{
    end(s, SIGTERM);
    return wait_for_end(s);
}

void server_kill(struct server *s)
{
    end(s, SIGKILL);
    wait_for_end(s);
}

/* It is expected to end by itself; a server that starts after all is ended when it says that it is ready. */
const char *server_refuses(TALLOC_CTX *arena, const char *const *arguments, int *status)
{
    struct buf said;
    int ends[2];
    char bytes[4096];
    buf_init(&said, arena);
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = fork();
    if (pid == 0) {
        const char *argv[ARGUMENTS_MAX] = { getenv("OXCARTD") };
        for (size_t n = 1; *arguments && n + 1 < ARGUMENTS_MAX; n++)
            argv[n] = *arguments++;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        dup2(ends[1], STDERR_FILENO);
        execv(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(ends[1]);
    for (ssize_t n; (n = read(ends[0], bytes, sizeof bytes)) > 0;) {
        buf_add(&said, bytes, (size_t)n);
        if (memmem(said.data, said.size, "ready\n", 6))
            kill(pid, SIGTERM);
    }
    close(ends[0]);
    waitpid(pid, status, 0);
    *status = WIFEXITED(*status) ? WEXITSTATUS(*status) : 128 + WTERMSIG(*status);
    buf_add(&said, "", 1);
    return (const char *)said.data;
}

/* ---- the folder ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st, (void)kind, (void)ftw;
    return remove(path);
}

void server_remove(const char *dir)
{
    nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int server_free(struct server *s)
{
    if (s->pid)
        server_kill(s);
    server_remove(s->dir);
    return 0;
}

const char *server_log(struct server *s, TALLOC_CTX *arena)
{
    struct buf all;
    char bytes[4096];
    buf_init(&all, arena);
    FILE *f = fopen(talloc_asprintf(arena, "%s/log", s->dir), "r");
    for (size_t n; f && (n = fread(bytes, 1, sizeof bytes, f)) > 0;)
        buf_add(&all, bytes, n);
    if (f)
        fclose(f);
    buf_add(&all, "", 1);
    return (const char *)all.data;
}

/* DB01 is SQLite; with OXCART_TEST_ENGINE=postgres the mailboxes live in a PostgreSQL of the test's own. */
static const char *choose_database(struct server *s, TALLOC_CTX *arena)
{
    const char *engine = getenv("OXCART_TEST_ENGINE");
    if (!engine || strcmp(engine, "postgres") != 0)
        return "DB01";
    struct postgres_fixture *postgres = postgres_fixture_start(s, POSTGRES_DURABLE);
    if (!postgres)
        fail_msg("there is no PostgreSQL to test with");
    server_cmdlet(s, arena, NULL, "New-MailboxDatabase DB02 -Url '%s'", postgres_fixture_database(s, postgres));
    return "DB02";
}

struct server *server_start_empty(TALLOC_CTX *owner, const char *const *arguments)
{
    static const char *const none[] = { NULL };
    struct server *s = talloc_zero(owner, struct server);
    snprintf(s->dir, sizeof s->dir, "/tmp/oxcart-test-XXXXXX");
    if (!mkdtemp(s->dir) || !getenv("OXCARTD"))
        fail_msg("no folder for the server, or OXCARTD does not say where it is");
    talloc_set_destructor(s, server_free);
    s->arguments = (const char **)(uintptr_t)(arguments ? arguments : none);
    server_run_again(s);
    return s;
}

struct server *server_start(TALLOC_CTX *owner, const char *const *arguments)
{
    struct server *s = server_start_empty(owner, arguments);
    TALLOC_CTX *arena = talloc_new(s);
    const char *database = choose_database(s, arena);
    server_cmdlet(s, arena, NULL, "New-Mailbox alice -PrimarySmtpAddress alice@contoso.com -Password '" SERVER_PASSWORD
                                  "' -DisplayName 'Alice Example' -Database %s", database);
    server_cmdlet(s, arena, NULL, "New-Mailbox bob -PrimarySmtpAddress bob@contoso.com -Password '" SERVER_PASSWORD
                                  "' -DisplayName 'Bob Example' -Database %s", database);
    talloc_free(arena);
    return s;
}

/* ---- what tests do with it ---- */

const char *server_cmdlet(struct server *s, TALLOC_CTX *arena, int *status, const char *format, ...)
{
    struct cmdlet_result result = { 0 };
    va_list args;
    va_start(args, format);
    const struct admin_request request = { .line = talloc_vasprintf(arena, format, args), .output = CMDLET_DEFAULT };
    va_end(args);
    const enum ec ec = admin_call(arena, s->dir, &request, &result);
    if (ec)
        fail_msg("%s: %s", request.line, ec_text(ec));
    if (!status && result.status)
        fail_msg("%s: %s", request.line, result.err);
    if (status)
        *status = result.status;
    return result.status ? result.err : result.out;
}

struct client_options server_options(struct server *s, TALLOC_CTX *arena, const char *name)
{
    const char *host = talloc_asprintf(arena, "127.0.0.1:%u", s->https);
    return (struct client_options){
        .server = host, .connect_to = host, .address = talloc_asprintf(arena, "%s@contoso.com", name),
        .password = SERVER_PASSWORD, .ca_file = talloc_asprintf(arena, "%s/certificate.pem", s->dir),
    };
}

struct client *server_client(struct server *s, TALLOC_CTX *owner, const char *name)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct client_options o = server_options(s, arena, name);
    struct client *c = client_new(owner, &o);
    talloc_free(arena);
    return c;
}

struct client *server_logon(struct server *s, TALLOC_CTX *owner, const char *name)
{
    struct client *c = server_client(s, owner, name);
    if (client_connect(c) || client_logon(c, NULL))
        fail_msg("%s: %s", name, client_error(c)->text);
    return c;
}
