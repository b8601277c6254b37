/* SPDX-License-Identifier: Apache-2.0 */
/* oxcart.c: the command: cmdlets, the shell, and the client side.  Cmdlets go to the running server through its socket;
 * without a server this program opens the data folder itself, under the folder's lock. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#include "admin/admin.h"
#include "client/commands.h"
#include "shell/shell.h"
#include "store/store.h"

enum { EXIT_WRONG_CALL = 2 };

static const struct { const char *name, *what; int (*run)(int argc, char **argv); } commands[] = {
    { "mail", "list, read, send and watch mail as a client", mail_command },
    { "load", "many clients at once, for measuring", load_command },
    { "trace", "read along with a mailbox's live traffic", trace_command },
    { "decode", "bodies from files as text", decode_command },
};

static const char usage[] =
    "usage: oxcart --data DIR -c 'CMDLET ...' [-o table|list|json|csv]\n"
    "       oxcart --data DIR                    the interactive shell; a script from a pipe\n";

static int explain(FILE *to)
{
    fputs(usage, to);
    for (size_t i = 0; i < COUNTOF(commands); i++)
        fprintf(to, "       oxcart %s %-24s %s; see --help\n", commands[i].name, "...", commands[i].what);
    return to == stdout ? EXIT_SUCCESS : EXIT_WRONG_CALL;
}

static int refuse(const char *what, const char *why)
{
    fprintf(stderr, "oxcart: %s%s\n", what, why);
    return explain(stderr);
}

struct program {
    const char *data_dir, *line;
    enum cmdlet_output output;
    struct shell shell;
    bool can_ask;
};

/* Nobody else works on the data folder while this has it. */
static struct cmdlet_result run_here(TALLOC_CTX *arena, const struct program *p, const char *line)
{
    struct cmdlet_context context = {
        .store_create = cmdlet_store_create, .store_remove = cmdlet_store_remove,
        .account_changed = cmdlet_store_changed, .working_auth = ORG_BASIC, .width = shell_width(&p->shell),
        .ask = p->can_ask ? shell_ask : NULL, .ask_arg = (void *)&p->shell,
    };
    TALLOC_CTX *opened = talloc_new(arena);      /* what was opened last goes first */
    const char *why = NULL;
    if (org_open(&context.org, opened, p->data_dir, NULL))
        why = org_error();
    else if (directory_open(&context.directory, opened, context.org))
        why = directory_refusal();
    if (why)
        return (struct cmdlet_result){ "", talloc_asprintf(arena, "%s\n", why), 1 };
    context.store_arg = context.stores = store_pool_new(opened, NULL, NULL);
    const struct cmdlet_result result = cmdlet_run(arena, &context, line, p->output);
    talloc_free(opened);
    return result;
}

static const char *why_not(enum ec ec)
{
    switch (ec) {
    case ecAccessDenied: return "The server doesn't talk to this user: be root, or the server's own user.";
    case ecRpcFailed: return "The connection to the server broke: look whether the line was carried out.";
    default: return "The line, or the name of the data folder, is too long.";
    }
}

/* Looked at before the lock is taken, which would leave its file in a folder that is not ours. */
static const char *what_is_missing(TALLOC_CTX *arena, const char *dir)
{
    const char *database = talloc_asprintf(arena, "%s/org.db", dir);
    const char *lock = talloc_asprintf(arena, "%s/oxcart.lock", dir);
    if (access(dir, F_OK))
        return talloc_asprintf(arena, "There is no data folder '%s'.\n", dir);
    if (access(database, F_OK) && access(lock, F_OK))
        return talloc_asprintf(arena, "There is no organisation in '%s' yet. oxcartd --data DIR makes one.\n", dir);
    return NULL;
}

enum { TRIES = 100, TRY_MS = 100 };

/* To the server, or by ourselves.  Between the two there is a server that starts or stops, or another oxcart: both are
 * over soon. */
static struct cmdlet_result run_line(void *arg, TALLOC_CTX *arena, const char *line)
{
    struct program *p = arg;
    const struct admin_request request = { line, p->output, shell_width(&p->shell), p->can_ask ? shell_ask : NULL,
                                           &p->shell };
    struct cmdlet_result result = { "", "", 1 };
    struct org_lock *lock = NULL;
    enum ec ec = ecBusy;
    bool served = true;
    const char *missing = what_is_missing(arena, p->data_dir);
    if (missing)
        return (struct cmdlet_result){ "", missing, 1 };
    for (int i = 0; i < TRIES && ec == ecBusy; i++) {
        if (i)
            usleep(TRY_MS * 1000);
        ec = admin_call(arena, p->data_dir, &request, &result);
        served = ec != ecNotFound;
        if (!served)
            ec = org_lock_take(&lock, arena, p->data_dir);
    }
    if (lock)
        result = run_here(arena, p, line);
    else if (ec)
        result.err = talloc_asprintf(arena, "%s\n", served ? why_not(ec) : org_error());
    talloc_free(lock);
    return result;
}

static int run_one(struct program *p)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct cmdlet_result result = run_line(p, arena, p->line);
    shell_print(&p->shell, &result);
    talloc_free(arena);
    return result.status;
}

static int run_shell(struct program *p)
{
    const char *home = getenv("HOME");
    p->shell.history = home ? talloc_asprintf(NULL, "%s/.oxcart_history", home) : NULL;
    if (p->can_ask)
        fputs("Get-Command shows the cmdlets, Get-Help explains one, Tab completes, exit ends.\n", stdout);
    const int status = shell_run(&p->shell);
    talloc_free((void *)p->shell.history);
    return status;
}

/* EXIT_SUCCESS, or what main returns. */
static int read_options(struct program *p, int argc, char **argv)
{
    static const struct option options[] = {
        { "data", required_argument, NULL, 'd' }, { "command", required_argument, NULL, 'c' },
        { "output", required_argument, NULL, 'o' }, { "help", no_argument, NULL, 'h' }, { 0 },
    };
    for (int option; (option = getopt_long(argc, argv, "d:c:o:h", options, NULL)) >= 0;) {
        if (option == 'd')
            p->data_dir = optarg;
        else if (option == 'c')
            p->line = optarg;
        else if (option == 'h')
            exit(explain(stdout));
        else if (option != 'o')
            return explain(stderr);                      /* getopt has said which option it is */
        else if (!cmdlet_output_parse(optarg, &p->output))
            return refuse(optarg, " is no form of output: table, list, json or csv");
    }
    if (optind < argc)
        return refuse(argv[optind], p->line ? ": one line, in quotation marks, goes behind -c" : " is no command");
    return p->data_dir ? EXIT_SUCCESS : refuse("--data DIR", " is missing");
}

static int administer(int argc, char **argv)
{
    struct program p = { .shell = { stdin, stdout, stderr, "[PS] oxcart> ", NULL, run_line, NULL } };
    p.shell.arg = &p;
    const int wrong = read_options(&p, argc, argv);
    if (wrong)
        return wrong;
    log_to(fopen("/dev/null", "w"), LOG_ERROR);          /* the person is told by the output, once */
    p.can_ask = shell_has_terminal(&p.shell);
    return p.line ? run_one(&p) : run_shell(&p);
}

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < COUNTOF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return administer(argc, argv);
}
