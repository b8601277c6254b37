/* SPDX-License-Identifier: Apache-2.0 */
/* oxcartd: the server.  Opens the rooms from the bottom to the top, waits for a signal, closes them from the top to the
 * bottom.  Knows everybody, does nothing itself. */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admin/admin.h"
#include "autodiscover/autodiscover.h"
#include "front/certificate.h"
#include "front/front.h"
#include "mapihttp/mapihttp.h"
#include "transport/transport.h"

enum { EXIT_WRONG_CALL = 2 };

#define FINISH_MS 20000                  /* what is in flight may take so long when the server stops */
#define DEMO_HTTPS "127.0.0.1:8443"
#define DEMO_LMTP "127.0.0.1:2424"
#define DEMO_ALICE "alice@contoso.com"
#define DEMO_BOB "bob@contoso.com"
#define DEMO_PASSWORD "Passw0rd!"

struct options {
    const char *program, *data, *https, *http, *lmtp;
    struct org_defaults defaults;
    bool demo;
};

/* The opened rooms; a row of routes.def names the one that its handler finds in request->context. */
struct rooms {
    struct org_lock *lock;
    struct org *org;
    struct directory *directory;
    struct sessions *sessions;
    struct transport *transport;
    struct upkeep *upkeep;
    struct mapihttp *mapihttp;
    struct trace *trace;
    struct autodiscover *autodiscover;
    struct admin *admin;
    struct front *front;
    const char *hostname;
    char *certificate, *key;
};

/* ---- options ---- */

static const char usage[] =
    "usage: oxcartd --data DIR [--https ADDR:PORT] [--http ADDR:PORT] [--lmtp ADDR:PORT]\n"
    "               [--hostname NAME] [--organization NAME] [--server-name NAME] [--demo]\n"
    "               [--upgrade-from VERSION --product-level VERSION]\n"
    "  --data DIR           where everything is kept; an empty folder becomes a new organisation\n"
    "  --https, --http      where clients connect; without TLS nobody signs in but on loopback\n"
    "  --lmtp               where the mail server delivers\n"
    "  --hostname NAME      of a new organisation: the name in its URLs and its certificate, e.g. mail.contoso.com\n"
    "  --organization NAME  --server-name NAME    likewise; otherwise Contoso and MAIL, in this example\n"
    "  --upgrade-from       Exchange2010, Exchange2013 or Exchange2016, in whose place a new organisation comes, and\n"
    "  --product-level      Exchange2016 or Exchange2019, as whose Setup it decides whether MAPI over HTTP is on\n"
    "  --demo               contoso.com with alice and bob and real mail, on loopback\n";

static int explain(const char *why)
{
    if (why)
        fprintf(stderr, "oxcartd: %s\n", why);
    fputs(usage, stderr);
    return EXIT_WRONG_CALL;
}

/* EXIT_SUCCESS, or what main returns. */
static int read_options(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        { "data", 1, NULL, 'd' }, { "https", 1, NULL, 's' }, { "http", 1, NULL, 'h' }, { "lmtp", 1, NULL, 'l' },
        { "hostname", 1, NULL, 'n' }, { "organization", 1, NULL, 'o' }, { "server-name", 1, NULL, 'S' },
        { "upgrade-from", 1, NULL, 'u' }, { "product-level", 1, NULL, 'p' },
        { "demo", 0, NULL, 'D' }, { "help", 0, NULL, 'H' }, { NULL, 0, NULL, 0 },
    };
    const char **const values[128] = {
        ['d'] = &o->data, ['s'] = &o->https, ['h'] = &o->http, ['l'] = &o->lmtp, ['n'] = &o->defaults.hostname,
        ['o'] = &o->defaults.organization, ['S'] = &o->defaults.server_name,
        ['u'] = &o->defaults.upgrade_from, ['p'] = &o->defaults.product_level,
    };
    for (int c; (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
        if (c == 'D')
            o->demo = true;
        else if (c == 'H')
            exit(fputs(usage, stdout) < 0);
        else if (c == '?')
            return explain(NULL);                        /* getopt has said which option it is */
        else
            *values[c] = optarg;
    }
    o->program = argv[0];
    if (o->demo) {
        o->https = o->https ? o->https : DEMO_HTTPS;
        o->lmtp = o->lmtp ? o->lmtp : DEMO_LMTP;
        o->defaults.hostname = o->defaults.hostname ? o->defaults.hostname : "mail.contoso.com";
    }
    if (optind < argc)
        return explain("every option begins with --");
    return o->data ? EXIT_SUCCESS : explain("--data DIR is missing");
}

/* ---- what the rooms are handed ---- */

static enum ec sign_in(void *context, TALLOC_CTX *arena, const char *user, const char *password, struct http_user *out)
{
    struct rooms *r = context;
    const struct account *account;
    char *id = talloc_size(arena, GUID_TEXT_SIZE);
    const enum ec ec = directory_authenticate(r->directory, arena, user, password, &account);
    if (!ec)
        *out = (struct http_user){ account->logon_name, guid_text(account->mailbox_guid, id) };
    return ec;
}

static uint64_t generation(void *context)
{
    return directory_generation(((struct rooms *)context)->directory);
}

static unsigned methods(void *context, const char *virtual_directory)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct org_settings *settings = org_settings(((struct rooms *)context)->org, arena);
    const struct org_virtual_directory *d = org_directory_named(settings, virtual_directory);
    const unsigned auth = d ? d->auth : 0;
    talloc_free(arena);
    return auth;
}

static enum ec submit(void *context, struct session *session, struct store_message *message, unsigned flags)
{
    return transport_submit(((struct rooms *)context)->transport, session_user(session), message, flags);
}

static enum ec abort_submit(void *context, struct store *store, uint64_t fid, uint64_t mid)
{
    return transport_abort(((struct rooms *)context)->transport, store, fid, mid);
}

static struct cmdlet_context cmdlets(struct rooms *r)
{
    return (struct cmdlet_context){
        .org = r->org, .directory = r->directory, .store_create = cmdlet_store_create,
        .store_remove = cmdlet_store_remove, .account_changed = cmdlet_store_changed,
        .store_arg = sessions_stores(r->sessions), .stores = sessions_stores(r->sessions), .working_auth = ORG_BASIC,
    };
}

/* ---- opening ---- */

static int complain(const char *what, const char *why)
{
    fprintf(stderr, "oxcartd: %s: %s\n", what, why);
    return 1;
}

static enum ec make_certificate(struct rooms *r, TALLOC_CTX *arena, char **why)
{
    const struct org_settings *settings = org_settings(r->org, arena);
    const char *names[] = { settings->hostname, talloc_asprintf(arena, "autodiscover.%s", settings->domains[0].domain),
                            "localhost", "127.0.0.1" };
    if (access(r->certificate, F_OK) == 0)
        return ecNone;
    return certificate_create(arena, r->certificate, r->key, names, COUNTOF(names), why);
}

static void warn_of_other_name(const char *option, const char *wanted, const char *made_with)
{
    if (wanted && strcasecmp(wanted, made_with) != 0)
        log_line(LOG_WARNING, "organisation", "%s %s has no effect: this organisation was made with %s", option, wanted,
                 made_with);
}

/* The second is what Exchange's Setup calls WarnMapiHttpNotEnabled. */
static void warn_of_upgrade(const struct org_settings *settings, const struct org_defaults *wanted, bool is_new)
{
    if (wanted->upgrade_from && !is_new)
        log_line(LOG_WARNING, "organisation", "--upgrade-from %s has no effect: this organisation was made before",
                 wanted->upgrade_from);
    if (wanted->upgrade_from && is_new && !settings->mapi_http_enabled)
        log_line(LOG_WARNING, "organisation", "MAPI over HTTP isn't enabled, as after every upgrade from %s."
                 " Set-OrganizationConfig -MapiHttpEnabled $true enables it", wanted->upgrade_from);
}

static void warn_of_other_names(const struct org_settings *settings, const struct org_defaults *wanted)
{
    warn_of_other_name("--hostname", wanted->hostname, settings->hostname);
    warn_of_other_name("--organization", wanted->organization, settings->organization);
    warn_of_other_name("--server-name", wanted->server_name, settings->server_name);
}

static int open_lower_rooms(struct rooms *r, const struct options *o, TALLOC_CTX *arena)
{
    char path[PATH_MAX];
    if (mkdir(o->data, 0700) != 0 && errno != EEXIST)
        return complain(o->data, strerror(errno));
    if (!realpath(o->data, path))
        return complain(o->data, strerror(errno));
    const bool is_new = access(talloc_asprintf(arena, "%s/org.db", path), F_OK) != 0;
    if (org_lock_take(&r->lock, arena, path) || org_open(&r->org, arena, path, &o->defaults))
        return complain(path, org_error());
    if (directory_open(&r->directory, arena, r->org))
        return complain(path, directory_refusal());
    const struct org_settings *settings = org_settings(r->org, arena);
    warn_of_other_names(settings, &o->defaults);
    warn_of_upgrade(settings, &o->defaults, is_new);
    r->certificate = talloc_asprintf(arena, "%s/certificate.pem", path);
    r->key = talloc_asprintf(arena, "%s/key.pem", path);
    r->hostname = settings->hostname;
    r->sessions = sessions_new(arena, r->directory);
    r->autodiscover = talloc(arena, struct autodiscover);
    *r->autodiscover = (struct autodiscover){ r->org, r->directory };
    return 0;
}

static int open_transport(struct rooms *r, const struct options *o, TALLOC_CTX *arena)
{
    char *why = "";
    const struct transport_config config = { .org = r->org, .directory = r->directory,
                                             .stores = sessions_stores(r->sessions), .lmtp = o->lmtp };
    return transport_open(&r->transport, arena, &config, &why) ? complain("mail transport", why) : 0;
}

static int open_front(struct rooms *r, const struct options *o, TALLOC_CTX *arena)
{
    char *why = "";
#define ROUTE(path, match, directory, access, limit, handler, room) \
    { path, match, directory, access, limit, handler, (void *)(uintptr_t)r->room },
    const struct front_route routes[] = {
#include "front/routes.def"
    };
#undef ROUTE
    if (o->https && make_certificate(r, arena, &why))
        return complain("certificate", why);
    const struct front_config config = {
        .https = o->https, .http = o->http, .certificate = r->certificate, .key = r->key, .hostname = r->hostname,
        .routes = talloc_memdup(arena, routes, sizeof routes), .route_count = COUNTOF(routes), .context = r,
        .sign_in = sign_in, .generation = generation, .methods = methods,
    };
    if (front_open(&r->front, arena, &config, &why))
        return complain("listener", why);
    if (o->https)
        org_set_https_port(r->org, front_https_port(r->front));
    return 0;
}

static int open_rooms(struct rooms *r, const struct options *o, TALLOC_CTX *arena)
{
    char *why = "";
    if (open_lower_rooms(r, o, arena) || open_transport(r, o, arena))
        return 1;
    r->upkeep = upkeep_start(arena, r->sessions, r->org);
    r->trace = trace_new(arena);
    const struct mapihttp_config config = {
        .org = r->org, .sessions = r->sessions, .services = { r, submit, abort_submit, r->trace }
    };
    r->mapihttp = mapihttp_new(arena, &config);
    const struct cmdlet_context context = cmdlets(r);
    if (admin_open(&r->admin, arena, org_settings(r->org, arena)->data_dir, &context, r->trace, &why))
        return complain("admin socket", why);
    return open_front(r, o, arena);
}

/* Nothing new comes in first; then what waits is ended; then what it worked on is closed. */
static void close_rooms(struct rooms *r)
{
    if (r->front)
        front_close(r->front, FINISH_MS);
    if (r->admin)
        admin_close(r->admin);
    if (r->mapihttp)
        mapihttp_close(r->mapihttp);
    if (r->transport)
        transport_close(r->transport);
    upkeep_stop(r->upkeep);
}

/* ---- the demo ---- */

static bool run_cmdlet(struct rooms *r, TALLOC_CTX *arena, const char *line)
{
    const struct cmdlet_context context = cmdlets(r);
    const struct cmdlet_result result = cmdlet_run(arena, &context, line, CMDLET_DEFAULT);
    if (result.status)
        complain("demo", result.err);
    return result.status == 0;
}

static void demo_progress(void *arg, uint32_t done)
{
    (void)arg;
    if (isatty(STDERR_FILENO) && done % 25 == 0)
        fprintf(stderr, "\rdelivering the demo's mail: %u", done);
}

static int fill_demo(struct rooms *r, TALLOC_CTX *arena)
{
    if (!run_cmdlet(r, arena, "New-Mailbox alice -PrimarySmtpAddress " DEMO_ALICE " -Password '" DEMO_PASSWORD
                              "' -DisplayName 'Alice Example'") ||
        !run_cmdlet(r, arena, "New-Mailbox bob -PrimarySmtpAddress " DEMO_BOB " -Password '" DEMO_PASSWORD
                              "' -DisplayName 'Bob Example'") ||
        !run_cmdlet(r, arena, "Get-MapiVirtualDirectory | "
                              "Set-MapiVirtualDirectory -InternalUrl https://localhost/mapi"))
        return 1;
    const struct account *alice = directory_by_smtp(r->directory, arena, DEMO_ALICE);
    const char *mail = OXCART_DEMO "/inbox.mbox";
    uint32_t count = 0;
    const enum ec ec = transport_import_mbox(r->transport, alice, mail, demo_progress, NULL, &count);
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K");
    return ec ? complain("demo mail", ec_text(ec)) : 0;
}

static bool is_empty(struct rooms *r, TALLOC_CTX *arena)
{
    return directory_list(r->directory, arena, ACCOUNTS_ALL)->count == 0;
}

/* A start that failed, on a port in use perhaps, may have left the organisation without its mailboxes.  localhost is
 * ours, and goes with the port; what somebody has set by a cmdlet stays. */
static int open_demo(struct rooms *r, TALLOC_CTX *arena, const struct options *o)
{
    static const char follow[] =
        "Get-MapiVirtualDirectory | Where-Object { $_.InternalUrl -match '^https://localhost[:/]' } | "
        "Set-MapiVirtualDirectory -InternalUrl https://localhost:%u/mapi";
    if (is_empty(r, arena) && fill_demo(r, arena))
        return 1;
    if (!directory_by_smtp(r->directory, arena, DEMO_ALICE) && !directory_by_smtp(r->directory, arena, DEMO_BOB))
        return complain(o->data, "this is an organisation already; the demo needs a folder of its own");
    return !run_cmdlet(r, arena, talloc_asprintf(arena, follow, front_https_port(r->front)));
}

/* ---- the first words ---- */

/* One word for a shell. */
static const char *quoted(TALLOC_CTX *arena, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+@";
    if (*word && !word[strspn(word, plain)])
        return word;
    char *q = talloc_strdup(arena, "'");
    for (; *word; word++)
        q = *word == '\'' ? talloc_strdup_append(q, "'\\''") : talloc_strndup_append(q, word, 1);
    return talloc_strdup_append(q, "'");
}

/* The other program as this one was called, and the data folder: what a line that somebody may copy begins with. */
static const char *oxcart(TALLOC_CTX *arena, const struct options *o)
{
    const char *slash = strrchr(o->program, '/');
    const char *folder = slash ? talloc_strndup(arena, o->program, (size_t)(slash + 1 - o->program)) : "";
    return quoted(arena, talloc_asprintf(arena, "%soxcart", folder));
}

static void say_demo(TALLOC_CTX *arena, const struct options *o, unsigned https)
{
    const char *program = oxcart(arena, o);
    const char *there = talloc_asprintf(arena, "--server localhost:%u --insecure", https);
    printf("\nAlice and Bob have mailboxes at contoso.com; both sign in with the password %s\n"
           "Try, in other terminals, the first line in each of them:\n"
           "  export OXCART_PASSWORD='%s'\n"
           "  %s mail list  --user alice@contoso.com %s\n"
           "  %s mail watch --user alice@contoso.com %s\n"
           "  %s mail send  --user bob@contoso.com %s --to alice@contoso.com --subject Hello --body 'It works.'\n"
           "  %s mail read last --user alice@contoso.com %s\n"
           "  %s --data %s -c 'Get-Mailbox'\n\n",
           DEMO_PASSWORD, DEMO_PASSWORD, program, there, program, there, program, there, program, there, program,
           quoted(arena, o->data));
}

static void say_first_mailbox(TALLOC_CTX *arena, const struct options *o, const struct org_settings *settings)
{
    printf("The organisation %s in %s has no mailbox yet.  Create the first one:\n"
           "  %s --data %s -c \"New-Mailbox alice -PrimarySmtpAddress alice@%s -Password 'SECRET' "
           "-DisplayName 'Alice Example'\"\n",
           settings->organization, o->data, oxcart(arena, o), quoted(arena, o->data), settings->domains[0].domain);
}

static void say_ready(struct rooms *r, const struct options *o, TALLOC_CTX *arena)
{
    const unsigned https = front_https_port(r->front), http = front_http_port(r->front);
    const unsigned lmtp = transport_lmtp_port(r->transport);
    if (https)
        printf("https: https://%s:%u/mapi/emsmdb/\n", o->demo ? "localhost" : r->hostname, https);
    if (http)
        printf("http:  http://localhost:%u/mapi/emsmdb/\n", http);
    if (lmtp)
        printf("lmtp:  port %u\n", lmtp);
    if (!https && !http && !lmtp)
        printf("Without --https, --http or --lmtp no client gets in: this server only answers cmdlets.\n");
    if (o->demo)
        say_demo(arena, o, https);
    else if (is_empty(r, arena))
        say_first_mailbox(arena, o, org_settings(r->org, arena));
    printf("ready\n");
    fflush(stdout);
}

static void wait_for_signal(struct rooms *r, const sigset_t *signals)
{
    for (int signal; sigwait(signals, &signal) == 0 && signal == SIGHUP;) {
        TALLOC_CTX *arena = talloc_new(NULL);
        char *why = "";
        if (front_reload(r->front, arena, &why))
            log_line(LOG_ERROR, "certificate", "%s", why);
        else
            log_line(LOG_INFO, "certificate", "read again");
        talloc_free(arena);
    }
}

int main(int argc, char **argv)
{
    struct options o = { 0 };
    struct rooms r = { 0 };
    sigset_t signals;
    const int wrong = read_options(argc, argv, &o);
    if (wrong)
        return wrong;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);          /* before any thread is born */
    signal(SIGPIPE, SIG_IGN);
    log_to(stderr, LOG_INFO);

    TALLOC_CTX *arena = talloc_new(NULL);
    int status = open_rooms(&r, &o, arena);
    if (!status && o.demo)
        status = open_demo(&r, arena, &o);
    if (!status) {
        say_ready(&r, &o, arena);
        wait_for_signal(&r, &signals);
    }
    close_rooms(&r);
    talloc_free(arena);
    return status;
}
