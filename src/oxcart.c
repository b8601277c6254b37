/* SPDX-License-Identifier: Apache-2.0 */
/* oxcart: the command: one cmdlet, the shell, or the client side. */
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "admin/admin.h"
#include "client/commands.h"

static const char usage[] =
    "usage: oxcart --data DIR -c 'CMDLET ...' [-o table|list|json|csv]\n"
    "       oxcart mail|load ...            see each one's --help\n";

static const struct {
    const char *word;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "mail", mail_command },
    { "load", load_command },
};

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "oxcart: %s: %s\n", what, why);
    return 1;
}

/* ---- without a server: the databases are opened here, under the folder's lock ---- */

static unsigned window_width(void)
{
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static char ask(void *arg, const char *question)
{
    char line[16];
    (void)arg;
    fputs(question, stderr);
    return isatty(STDIN_FILENO) && fgets(line, sizeof line, stdin) ? line[0] : 'N';
}

static int run_here(TALLOC_CTX *arena, const char *data, const char *line, enum cmdlet_output output, struct cmdlet_result *r)
{
    struct org_lock *lock;
    struct cmdlet_context context = { .store_create = cmdlet_store_create, .store_remove = cmdlet_store_remove, .working_auth = ORG_BASIC,
                                      .width = window_width(), .caller = "oxcart", .ask = ask };
    if (org_lock_take(&lock, arena, data) || org_open(&context.org, arena, data, NULL) ||
        directory_open(&context.directory, arena, context.org))
        return complain(data, org_error());
    *r = cmdlet_run(arena, &context, line, output);
    return 0;
}

static int run_line(const char *data, const char *line, enum cmdlet_output output)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct cmdlet_result r = { "", "", 1 };
    const struct admin_request request = { line, output, window_width(), ask, NULL };
    const enum ec ec = admin_call(arena, data, &request, &r);
    int status = 0;
    if (ec == ecNotFound)
        status = run_here(arena, data, line, output, &r);
    else if (ec)
        status = complain("the server", ec_text(ec));
    if (!status) {
        fputs(r.out, stdout);
        fputs(r.err, stderr);
        status = r.status;
    }
    talloc_free(arena);
    return status;
}

int main(int argc, char **argv)
{
    static const struct option names[] = { { "data", 1, NULL, 'd' }, { "help", 0, NULL, 'h' }, { NULL, 0, NULL, 0 } };
    const char *data = NULL, *line = NULL;
    enum cmdlet_output output = CMDLET_DEFAULT;
    for (size_t i = 0; argc > 1 && i < COUNTOF(commands); i++)
        if (strcmp(argv[1], commands[i].word) == 0)
            return commands[i].run(argc - 1, argv + 1);

    log_to(stderr, LOG_WARNING);
    for (int c; (c = getopt_long(argc, argv, "c:o:", names, NULL)) != -1;)
        if (c == 'd')
            data = optarg;
        else if (c == 'c')
            line = optarg;
        else if (c != 'o' || !cmdlet_output_parse(optarg, &output)) {
            fputs(usage, c == 'h' ? stdout : stderr);
            return c == 'h' ? 0 : 2;
        }
    if (!data || !line || optind != argc) {
        fputs(usage, stderr);
        return 2;
    }
    return run_line(data, line, output);
}
