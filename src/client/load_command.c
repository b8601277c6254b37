/* SPDX-License-Identifier: Apache-2.0 */
/* `oxcart load`: many sessions that all do the same for a while, and what came of it.
 *
 *   work that asks and waits for its answer: a thread a session, each with its own connection
 *   idle: all sessions in one thread and one loop, each with one connection on which its NotificationWait stays open
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "client/commands.h"
#include "client/mail.h"
#include "client/terminal.h"

#define PROGRAM "oxcart load"
#define PAGE_ROWS 50
#define OPEN_FROM 200                    /* messages that `open` chooses from */
#define BODY_SIZE 2000
#define STACK_SIZE (512 * 1024)
enum { OPTION_SESSIONS = OPTION_OWN, OPTION_SECONDS, OPTION_WORK, OPTION_FOLDER, OPTION_USERS, OPTION_JSON, OPTION_PAUSE, OPTION_HELP };

static const char help[] =
    "usage: oxcart load --user ADDRESS --work WORK [--sessions N] [--seconds S]\n"
    "\n"
    "  --work execute       one small ROP per request\n"
    "  --work page          open a folder and read its first 50 rows\n"
    "  --work open          open a message and read its body\n"
    "  --work save          create and save a message in Drafts\n"
    "  --work send          send a message to oneself\n"
    "  --work connect       begin a session, log on, end it\n"
    "  --work idle          wait for notifications on one connection a session\n"
    "  --sessions N         1 if not said\n"
    "  --seconds S          10 if not said\n"
    "  --users M            spread over M mailboxes: '#' in the address becomes 0 ... M-1\n"
    "  --folder PATH        for page and open; Inbox if not said\n"
    "  --pause MS           between two requests of a session\n"
    "  --json               the result as JSON\n" COMMON_HELP;

static const struct option options[] = {
    COMMON_OPTIONS,
    { "sessions", required_argument, NULL, OPTION_SESSIONS },
    { "seconds", required_argument, NULL, OPTION_SECONDS },
    { "work", required_argument, NULL, OPTION_WORK },
    { "folder", required_argument, NULL, OPTION_FOLDER },
    { "users", required_argument, NULL, OPTION_USERS },
    { "pause", required_argument, NULL, OPTION_PAUSE },
    { "json", no_argument, NULL, OPTION_JSON },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

struct load;
struct session {
    struct load *load;
    unsigned number;
    pthread_t thread;
    TALLOC_CTX *arena;
    struct client *client;
    uint64_t fid, drafts;
    uint64_t *mids;
    uint32_t mid_count;
    struct client_recipient self;
    bool failed;
    char why[512];
    uint32_t *took_us;                   /* one for each request */
    size_t count;
};
struct work {
    const char *name;
    enum ec (*once)(struct session *, TALLOC_CTX *arena);
};
struct load {
    struct terminal terminal;
    const struct work *work;
    const char *work_name, *folder;
    unsigned sessions, seconds, users, pause_ms;
    bool json, wrong, wants_help;
    struct session *all;
    pthread_barrier_t start;
    atomic_bool stop;
    atomic_uint given_up;                /* sessions that failed */
};

/* ---- the works ---- */

static enum ec do_execute(struct session *s, TALLOC_CTX *arena)
{
    return client_call(s->client, arena, RopGetReceiveFolder, client_logon_handle(s->client),
                       &(struct RopGetReceiveFolderRequest){ .MessageClass = "IPM.Note" }, NULL, NULL);
}

static enum ec do_page(struct session *s, TALLOC_CTX *arena)
{
    static const uint32_t columns[] = { PidTagMid, PidTagInstID, PidTagSenderName, PidTagSubject, PidTagMessageDeliveryTime,
                                        PidTagMessageFlags, PidTagMessageSize, PidTagHasAttachments };
    struct props *rows;
    uint32_t count, total;
    return client_messages(s->client, arena, s->fid, columns, COUNTOF(columns), 0, PAGE_ROWS, &rows, &count, &total);
}

static enum ec do_open(struct session *s, TALLOC_CTX *arena)
{
    uint32_t message;
    const char *text;
    enum ec ec = client_message_open(s->client, s->fid, s->mids[s->count % s->mid_count], false, &message);
    if (!ec)
        ec = client_message_text(s->client, arena, message, &text);
    client_release(s->client, message);
    return ec;
}

static char *body_of(TALLOC_CTX *arena)
{
    char *body = talloc_array(arena, char, BODY_SIZE + 1);
    for (size_t i = 0; i < BODY_SIZE; i++)
        body[i] = i % 72 == 71 ? '\n' : (char)('a' + i % 26);
    body[BODY_SIZE] = '\0';
    return body;
}

/* All of it in one Execute, as a client does that has the message ready. */
static enum ec do_save(struct session *s, TALLOC_CTX *arena)
{
    const struct prop values[] = { P_STR(PidTagMessageClass, "IPM.Note"), P_STR(PidTagSubject, "a message of the load"),
                                   P_STR(PidTagBody, body_of(arena)) };
    const struct RopCreateMessageRequest create = { .CodePageId = 0x0FFF, .FolderId = s->drafts };
    const struct RopSetPropertiesRequest set = { .PropertyValueCount = COUNTOF(values), .PropertyValues = values };
    struct client_rop rops[] = {
        { .id = RopCreateMessage, .handle = client_logon_handle(s->client), .request = &create },
        { .id = RopSetProperties, .from = OUTPUT_OF(0), .request = &set },
        { .id = RopSaveChangesMessage, .from = OUTPUT_OF(0) },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
    };
    const enum ec ec = client_execute(s->client, arena, rops, COUNTOF(rops));
    return ec ? ec : client_check(s->client, rops, COUNTOF(rops));
}

static enum ec do_send(struct session *s, TALLOC_CTX *arena)
{
    const struct client_mail mail = { .subject = "a message of the load", .text = body_of(arena), .recipients = &s->self,
                                      .recipient_count = 1 };
    return client_send(s->client, &mail);
}

static enum ec do_connect(struct session *s, TALLOC_CTX *arena)
{
    (void)arena;
    enum ec ec = client_disconnect(s->client);
    if (!ec)
        ec = client_connect(s->client);
    return ec ? ec : client_logon(s->client, NULL);
}

static const struct work works[] = {
    { "execute", do_execute }, { "page", do_page }, { "open", do_open }, { "save", do_save }, { "send", do_send },
    { "connect", do_connect }, { "idle", NULL },
};

/* ---- one session ---- */

static const char *address_of(TALLOC_CTX *arena, const struct load *l, unsigned number)
{
    const char *address = l->terminal.options.address, *mark = strchr(address, '#');
    if (!mark)
        return address;
    return talloc_asprintf(arena, "%.*s%u%s", (int)(mark - address), address, number % MAX(l->users, 1), mark + 1);
}

static void prepare_client(struct session *s, struct client_loop *loop, const struct client *first)
{
    struct client_options o = s->load->terminal.options;
    o.address = address_of(s->arena, s->load, s->number);
    o.loop = loop;
    if (first && !strchr(s->load->terminal.options.address, '#')) {        /* one mailbox: one Autodiscover is enough */
        o.legacy_dn = client_discovery(first)->legacy_dn;
        o.emsmdb_url = client_url(first, CLIENT_EMSMDB);
        o.nspi_url = client_url(first, CLIENT_NSPI);
    }
    s->client = client_new(s->arena, &o);
}

/* The messages that `open` goes round in. */
static enum ec find_messages(struct session *s)
{
    static const uint32_t columns[] = { PidTagMid };
    struct props *rows;
    const enum ec ec = client_messages(s->client, s->arena, s->fid, columns, 1, 0, OPEN_FROM, &rows, &s->mid_count, NULL);
    s->mids = talloc_array(s->arena, uint64_t, s->mid_count + 1);
    for (uint32_t i = 0; i < s->mid_count; i++)
        s->mids[i] = rows[i].values[0].u64;
    talloc_free(rows);
    if (!ec && !s->mid_count)
        snprintf(s->why, sizeof s->why, "the folder has no messages to open");
    return ec || s->mid_count ? ec : ecNotFound;
}

static enum ec prepare(struct session *s)
{
    enum ec ec = client_connect(s->client);
    if (!ec)
        ec = client_logon(s->client, NULL);
    if (!ec)
        ec = client_folder_find(s->client, s->load->folder ? s->load->folder : "Inbox", &s->fid);
    if (!ec && s->load->work->once == do_save)
        ec = client_folder_find(s->client, "Drafts", &s->drafts);
    if (!ec && s->load->work->once == do_open)
        ec = find_messages(s);
    if (!ec && s->load->work->once == do_send)
        ec = client_resolve(s->client, s->arena, address_of(s->arena, s->load, s->number), CLIENT_TO, &s->self);
    return ec;
}

static void note_failure(struct session *s, enum ec ec)
{
    s->failed = true;
    s->load->given_up++;
    if (!*s->why)
        snprintf(s->why, sizeof s->why, "%s", client_error(s->client)->level ? client_error(s->client)->text : ec_text(ec));
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void note_time(struct session *s, uint64_t us)
{
    if (s->count % 1024 == 0)
        s->took_us = talloc_realloc(s->arena, s->took_us, uint32_t, s->count + 1024);
    s->took_us[s->count++] = (uint32_t)MIN(us, UINT32_MAX);
}

static void pause_for(unsigned ms)
{
    const struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };
    if (ms)
        nanosleep(&t, NULL);
}

static void *session_thread(void *arg)
{
    struct session *s = arg;
    enum ec ec = prepare(s);
    if (ec)
        note_failure(s, ec);
    pthread_barrier_wait(&s->load->start);
    while (!ec && !s->load->stop) {
        TALLOC_CTX *arena = talloc_new(s->arena);
        const uint64_t before = now_us();
        ec = s->load->work->once(s, arena);
        if (ec)
            note_failure(s, ec);
        else
            note_time(s, now_us() - before);
        talloc_free(arena);
        pause_for(s->load->pause_ms);
    }
    client_disconnect(s->client);
    return NULL;
}

/* ---- results ---- */

static int compare_times(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double percentile_ms(const uint32_t *sorted, size_t count, double p)
{
    return count ? sorted[(size_t)(p * (double)(count - 1))] / 1000.0 : 0;
}

static unsigned failures(const struct load *l)
{
    unsigned n = 0;
    for (unsigned i = 0; i < l->sessions; i++)
        n += l->all[i].failed;
    return n;
}

static const char *first_failure(const struct load *l)
{
    for (unsigned i = 0; i < l->sessions; i++)
        if (l->all[i].failed)
            return l->all[i].why;
    return "";
}

static int tell_failures(const struct load *l)
{
    const unsigned n = failures(l);
    return n ? terminal_fail(PROGRAM, "%u of %u sessions failed; the first: %s", n, l->sessions, first_failure(l)) : 0;
}

static int print_times(struct load *l, double seconds)
{
    size_t count = 0, at = 0;
    for (unsigned i = 0; i < l->sessions; i++)
        count += l->all[i].count;
    uint32_t *all = talloc_array(l, uint32_t, count + 1);
    for (unsigned i = 0; i < l->sessions; i++) {
        if (l->all[i].count)
            memcpy(all + at, l->all[i].took_us, l->all[i].count * sizeof *all);
        at += l->all[i].count;
    }
    qsort(all, count, sizeof *all, compare_times);
    printf(l->json ? "{\"work\":\"%s\",\"sessions\":%u,\"seconds\":%.3f,\"count\":%zu,\"per_second\":%.1f,"
                     "\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f,\"failed\":%u}\n"
                   : "%s: %u sessions, %.1f s, %zu done, %.1f per second; "
                     "latency p50 %.2f ms, p95 %.2f ms, p99 %.2f ms, most %.2f ms; %u sessions failed\n",
           l->work->name, l->sessions, seconds, count, (double)count / MAX(seconds, 0.001), percentile_ms(all, count, 0.50),
           percentile_ms(all, count, 0.95), percentile_ms(all, count, 0.99), percentile_ms(all, count, 1.0), failures(l));
    return tell_failures(l);
}

/* ---- sessions that work ---- */

static int run_threads(struct load *l)
{
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    pthread_barrier_init(&l->start, NULL, l->sessions + 1);
    for (unsigned i = 0; i < l->sessions; i++)
        if (pthread_create(&l->all[i].thread, &attr, session_thread, &l->all[i]) != 0) {
            terminal_fail(PROGRAM, "no thread for session %u: %s", i, strerror(errno));
            exit(1);
        }
    pthread_barrier_wait(&l->start);
    const uint64_t before = now_us();
    const uint64_t whole = l->seconds * 1000000ull;
    for (uint64_t past = 0; past < whole && l->given_up < l->sessions; past = now_us() - before) {
        terminal_progress(l->work->name, past, whole);
        pause_for((unsigned)MIN((whole - past) / 1000 + 1, 200));
    }
    l->stop = true;
    const uint64_t after = now_us();
    for (unsigned i = 0; i < l->sessions; i++)
        pthread_join(l->all[i].thread, NULL);
    terminal_progress_done();
    return print_times(l, (double)(after - before) / 1e6);
}

/* ---- sessions that wait ---- */

static enum ec prepare_idle(struct session *s)
{
    uint32_t handle;
    enum ec ec = client_connect(s->client);
    if (!ec)
        ec = client_logon(s->client, NULL);
    if (!ec)
        ec = client_subscribe(s->client, CLIENT_NEW_MAIL, 0, &handle);
    return ec ? ec : client_wait_begin(s->client);
}

static struct session *session_of(struct load *l, const struct client *c)
{
    for (unsigned i = 0; i < l->sessions; i++)
        if (l->all[i].client == c)
            return &l->all[i];
    return NULL;
}

/* What Outlook does when it is woken: fetch, and wait again. */
static enum ec wake_up(struct session *s, uint64_t *events)
{
    TALLOC_CTX *arena = talloc_new(s->arena);
    bool event;
    enum ec ec = client_wait(s->client, 0, &event);
    if (!ec && event)
        ec = client_fetch(s->client);
    while (client_next_notification(s->client, arena))
        ++*events;
    talloc_free(arena);
    return ec ? ec : client_wait_begin(s->client);
}

static int run_idle(struct load *l, struct client_loop *loop)
{
    uint64_t events = 0;
    for (unsigned i = 0; i < l->sessions; i++) {
        struct session *s = &l->all[i];
        const enum ec ec = prepare_idle(s);
        if (ec)
            note_failure(s, ec);
        terminal_progress("connecting", i + 1, l->sessions);
    }
    terminal_progress_done();
    fprintf(stderr, "%u sessions wait\n", l->sessions - failures(l));
    const uint64_t until = clock_ms() + 1000ull * l->seconds;
    for (uint64_t now; (now = clock_ms()) < until;) {
        struct client *c = client_loop_next(loop, (unsigned)MIN(until - now, 1000));
        struct session *s = c ? session_of(l, c) : NULL;
        const enum ec ec = s ? wake_up(s, &events) : ecNone;
        if (ec)
            note_failure(s, ec);
    }
    printf(l->json ? "{\"work\":\"idle\",\"sessions\":%u,\"seconds\":%u,\"events\":%llu,\"failed\":%u}\n"
                   : "idle: %u sessions, %u s, %llu events; %u sessions failed\n",
           l->sessions, l->seconds, (unsigned long long)events, failures(l));
    return tell_failures(l);
}

/* ---- the call ---- */

static unsigned number(struct load *l, const char *text)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    if (*end || end == text || *text == '-' || n > 1000000) {
        l->wrong = true;
        terminal_fail(PROGRAM, "'%s' is not such a number", text);
    }
    return (unsigned)n;
}

static void take_option(struct load *l, int option, const char *value)
{
    if (terminal_option(&l->terminal, option, value))
        return;
    switch (option) {
    case OPTION_SESSIONS: l->sessions = number(l, value); break;
    case OPTION_SECONDS: l->seconds = number(l, value); break;
    case OPTION_USERS: l->users = number(l, value); break;
    case OPTION_PAUSE: l->pause_ms = number(l, value); break;
    case OPTION_WORK: l->work_name = value; break;
    case OPTION_FOLDER: l->folder = value; break;
    case OPTION_JSON: l->json = true; break;
    case OPTION_HELP: l->wants_help = true; break;
    default: l->wrong = true; break;
    }
}

static void take_arguments(struct load *l, int argc, char **argv)
{
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        take_option(l, option, optarg);
    for (size_t i = 0; l->work_name && i < COUNTOF(works); i++)
        if (strcmp(works[i].name, l->work_name) == 0)
            l->work = &works[i];
    l->wrong |= optind < argc || !l->work || !l->sessions || !l->seconds;
}

static int run(struct load *l)
{
    struct client_loop *loop = l->work->once ? NULL : client_loop_new(l);
    struct client *first = client_new(l, &l->terminal.options);
    const bool one_mailbox = !strchr(l->terminal.options.address, '#');
    if (one_mailbox && client_discover(first))
        return terminal_fail(PROGRAM, "%s%s", client_error(first)->text, terminal_advice(client_error(first)));
    l->all = talloc_zero_array(l, struct session, l->sessions);
    for (unsigned i = 0; i < l->sessions; i++) {
        struct session *s = &l->all[i];
        s->load = l;
        s->number = i;
        s->arena = talloc_new(NULL);                     /* a thread's own: talloc is for one thread at a time */
        prepare_client(s, loop, first);
    }
    const int status = loop ? run_idle(l, loop) : run_threads(l);
    for (unsigned i = 0; i < l->sessions; i++)
        talloc_free(l->all[i].arena);
    return status;
}

int load_command(int argc, char **argv)
{
    struct load *l = talloc_zero(NULL, struct load);
    int status = 2;
    l->sessions = 1;
    l->seconds = 10;
    take_arguments(l, argc, argv);
    if (l->wants_help) {
        fputs(help, stdout);
        status = 0;
    } else if (l->wrong) {
        fputs(help, stderr);
    } else if (terminal_ready(l, &l->terminal)) {
        status = run(l);
    }
    talloc_free(l);
    return status;
}
