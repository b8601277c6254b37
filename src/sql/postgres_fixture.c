/* SPDX-License-Identifier: Apache-2.0 */
/* The test forks a keeper.  The keeper makes and starts the server, says '1' (or '0'), obeys one-letter orders on its
 * socket, and stops everything when the socket closes: by talloc_free, or because the test is dead. */
#include "sql/postgres_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <libpq-fe.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

struct postgres_fixture {
    pid_t keeper;
    int orders;
    char *server_url;                         /* without a database */
    char *url;
    unsigned databases;
};

struct keeper {
    char *bin, *folder, *data, *log, *options;
    const struct passwd *user;                /* NULL: ours */
};

/* ---- the keeper ---- */

static void become(const struct passwd *user)
{
    if (user && (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid)))
        _exit(126);
}

/* One of PostgreSQL's programs, as the server's user, its output in the log.  By argv[0] they find each other, and
 * Debian has none of them in the PATH. */
static bool run(const struct keeper *k, const char *program, const char *const arguments[])
{
    char *path = talloc_asprintf(k, "%s/%s", k->bin, program);
    const char *argv[20] = { path };
    for (size_t i = 1; i + 1 < COUNTOF(argv) && arguments[i - 1]; i++)
        argv[i] = arguments[i - 1];
    const pid_t pid = fork();
    if (pid == 0) {
        become(k->user);
        const int log = open(k->log, O_WRONLY | O_APPEND | O_CREAT, 0600);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(log, 1);
        dup2(log, 2);
        if (chdir(k->folder) == 0)
            execv(path, (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    int status = -1;
    while (waitpid(pid, &status, 0) < 0 && pid > 0)
        ;
    talloc_free(path);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool pg_ctl(const struct keeper *k, const char *order, const char *mode)
{
    return run(k, "pg_ctl", (const char *const[]){ order, "-D", k->data, "-w", "-s", "-t", "120", "-m", mode,
                                                   "-l", k->log, "-o", k->options, NULL });
}

static bool make_cluster(const struct keeper *k)
{
    char *password = talloc_asprintf(k, "--pwfile=%s/password", k->folder);
    return run(k, "initdb", (const char *const[]){ "-D", k->data, "-U", "oxcart", password, "-A",
                                                   "scram-sha-256", "-E", "UTF8", "--locale=C", "--no-sync", NULL });
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static void show_log(const struct keeper *k)
{
    char line[512];
    FILE *log = fopen(k->log, "r");
    while (log && fgets(line, sizeof line, log))
        fprintf(stderr, "# %s", line);
    if (log)
        fclose(log);
}

static void keep(const struct keeper *k, int orders)
{
    char order;
    bool good = make_cluster(k) && pg_ctl(k, "start", "fast");
    if (!good)
        show_log(k);
    while (write(orders, good ? "1" : "0", 1) == 1 && read(orders, &order, 1) == 1)
        good = pg_ctl(k, "restart", "immediate");
    pg_ctl(k, "stop", "immediate");
    while (wait(NULL) > 0)
        ;
    nftw(k->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Away from the test's terminal, pipes and sockets, which must not stay open because we live on. */
static void run_keeper(const struct keeper *k, int orders)
{
    setsid();
    prctl(PR_SET_CHILD_SUBREAPER, 1);         /* pg_ctl leaves the server without a parent */
    signal(SIGPIPE, SIG_IGN);
    dup2(open("/dev/null", O_WRONLY), 1);
    dup2(orders, 3);
    close_range(4, ~0U, 0);
    keep(k, 3);
    _exit(0);
}

/* ---- the test's side ---- */

static char *newest_bin(TALLOC_CTX *arena)
{
    glob_t found;
    const char *best = NULL;
    if (glob("/usr/lib/postgresql/*/bin/initdb", 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            if (!best || strverscmp(found.gl_pathv[i], best) > 0)
                best = found.gl_pathv[i];
    char *bin = best ? talloc_strndup(arena, best, strlen(best) - strlen("/initdb")) : NULL;
    globfree(&found);
    return bin;
}

static bool write_password(const struct keeper *k, const char *password)
{
    char *path = talloc_asprintf(k, "%s/password", k->folder);
    FILE *file = fopen(path, "w");
    if (!file)
        return false;
    fputs(password, file);
    return fclose(file) == 0 && (!k->user || chown(path, k->user->pw_uid, k->user->pw_gid) == 0);
}

/* A new database is some 300 files: ten times faster in memory.  Containers have next to nothing there. */
static const char *parent_folder(enum postgres_speed speed)
{
    struct statvfs memory;
    const bool fits = speed == POSTGRES_FAST && statvfs("/dev/shm", &memory) == 0 && access("/dev/shm", W_OK) == 0 &&
                      (uint64_t)memory.f_bavail * memory.f_frsize > (uint64_t)1 << 30;
    return fits ? "/dev/shm" : "/tmp";
}

static bool make_folder(struct keeper *k, const char *parent)
{
    k->folder = talloc_asprintf(k, "%s/oxcart-pg-XXXXXX", parent);
    if (!mkdtemp(k->folder))
        return false;
    k->data = talloc_asprintf(k, "%s/data", k->folder);
    k->log = talloc_asprintf(k, "%s/log", k->folder);
    return !k->user || chown(k->folder, k->user->pw_uid, k->user->pw_gid) == 0;
}

/* PostgreSQL refuses to run as root. */
static const struct passwd *server_user(void)
{
    if (geteuid() != 0)
        return NULL;
    const struct passwd *user = getpwnam("postgres");
    return user ? user : getpwnam("nobody");
}

static struct keeper *prepare(TALLOC_CTX *arena, enum postgres_speed speed, const char *password)
{
    struct keeper *k = talloc_zero(arena, struct keeper);
    k->bin = newest_bin(k);
    k->user = server_user();
    if (!k->bin || !make_folder(k, parent_folder(speed)) || !write_password(k, password)) {
        fprintf(stderr, "# no PostgreSQL for this test: %s\n", k->bin ? "no folder for it" : "it is not installed");
        talloc_free(k);
        return NULL;
    }
    const char *durable = speed == POSTGRES_DURABLE ? "on" : "off";
    k->options = talloc_asprintf(k, "-c fsync=%s -c full_page_writes=%s -c listen_addresses='' "
                                 "-c unix_socket_directories=%s -c shared_buffers=16MB -c max_connections=60 "
                                 "-c autovacuum=off", durable, durable, k->folder);
    return k;
}

static int stop(struct postgres_fixture *f)
{
    close(f->orders);
    while (waitpid(f->keeper, NULL, 0) < 0 && errno == EINTR)
        ;
    return 0;
}

static bool told_well(struct postgres_fixture *f)
{
    char answer = '0';
    ssize_t n;
    while ((n = read(f->orders, &answer, 1)) < 0 && errno == EINTR)
        ;
    return n == 1 && answer == '1';
}

static void set_urls(struct postgres_fixture *f, const char *password, const char *folder)
{
    char *host = talloc_strdup(f, "");
    for (const char *p = folder; *p; p++)
        host = *p == '/' ? talloc_strdup_append(host, "%2F") : talloc_strndup_append(host, p, 1);
    f->server_url = talloc_asprintf(f, "postgresql://oxcart:%s@%s", password, host);
    f->url = talloc_asprintf(f, "%s/postgres", f->server_url);
    talloc_free(host);
}

struct postgres_fixture *postgres_fixture_start(TALLOC_CTX *owner, enum postgres_speed speed)
{
    uint8_t secret[12];
    random_bytes(secret, sizeof secret);
    struct postgres_fixture *f = talloc_zero(owner, struct postgres_fixture);
    char *password = hex_text(f, BLOB_OF(secret, sizeof secret));
    struct keeper *k = prepare(f, speed, password);
    int ends[2];
    if (!k || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)) {
        talloc_free(f);
        return NULL;
    }
    fflush(NULL);
    f->keeper = fork();
    if (f->keeper == 0)
        run_keeper(k, ends[1]);
    close(ends[1]);
    f->orders = ends[0];
    talloc_set_destructor(f, stop);
    set_urls(f, password, k->folder);
    talloc_free(k);
    if (told_well(f))
        return f;
    talloc_free(f);
    return NULL;
}

const char *postgres_fixture_url(const struct postgres_fixture *f)
{
    return f->url;
}

static void order(const char *url, const char *sql)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQexec(conn, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        fprintf(stderr, "# %s: %s", sql, PQerrorMessage(conn));
    PQclear(result);
    PQfinish(conn);
}

struct database {
    pid_t maker;                              /* a forked child frees its copy, not the database */
    char *server_url, *drop;
};

static int drop_database(struct database *d)
{
    if (d->maker == getpid() && PQping(d->server_url) == PQPING_OK)
        order(d->server_url, d->drop);
    return 0;
}

char *postgres_fixture_database(TALLOC_CTX *arena, struct postgres_fixture *f)
{
    const unsigned number = ++f->databases;
    char *url = talloc_asprintf(arena, "%s/test%u", f->server_url, number);
    struct database *d = talloc_zero(url, struct database);
    char *create = talloc_asprintf(d, "CREATE DATABASE test%u TEMPLATE template0 STRATEGY file_copy", number);
    order(f->url, create);
    d->maker = getpid();
    d->server_url = talloc_strdup(d, f->url);
    d->drop = talloc_asprintf(d, "DROP DATABASE test%u WITH (FORCE)", number);
    talloc_set_destructor(d, drop_database);
    return url;
}

bool postgres_fixture_crash(struct postgres_fixture *f)
{
    return write(f->orders, "c", 1) == 1 && told_well(f);
}
