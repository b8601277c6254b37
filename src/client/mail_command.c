/* SPDX-License-Identifier: Apache-2.0 */
/* `oxcart mail`: a small mail program that goes the way that Outlook goes. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/mail.h"
#include "client/terminal.h"

#define PROGRAM "oxcart mail"
#define LIST_COUNT 20
#define SEND_MAX 100                     /* recipients, and attachments */
#define WAIT_MS 500
#define PRINTED_MAX 100
#define RETRY_MS 2000
enum { TABLE_CHANGED = 1, TABLE_ROW_ADDED = 3, NOTIFY_TABLE = 0x0100 };
enum { MSGFLAG_READ = 0x01 };
enum { OPTION_FOLDER = OPTION_OWN, OPTION_SAVE, OPTION_PEEK, OPTION_TO, OPTION_CC, OPTION_BCC, OPTION_SUBJECT, OPTION_BODY,
       OPTION_ATTACH, OPTION_COUNT, OPTION_SECONDS, OPTION_HELP };

static const char help[] =
    "usage: oxcart mail list  [--folder PATH] [-n COUNT]\n"
    "       oxcart mail read  NUMBER|last [--folder PATH] [--save DIR] [--peek]\n"
    "       oxcart mail send  --to ADDRESS... [--cc ADDRESS] [--bcc ADDRESS] --subject TEXT [--body TEXT] [--attach FILE]...\n"
    "       oxcart mail watch [--folder PATH] [--count N] [--seconds S]\n"
    "       oxcart mail folders\n"
    "\n"
    "  list                 the newest messages: number, * for unread, sender, date, subject\n"
    "  read                 one of them by its number in the list, and marks it as read unless --peek\n"
    "  send                 without --body the text comes from standard input\n"
    "  watch                a line for each message as it arrives\n"
    "  --folder PATH        Inbox if not said; Inbox/Projects\n"
    "  --save DIR           save the attachments there\n" COMMON_HELP;

static const struct option options[] = {
    COMMON_OPTIONS,
    { "folder", required_argument, NULL, OPTION_FOLDER },
    { "save", required_argument, NULL, OPTION_SAVE },
    { "peek", no_argument, NULL, OPTION_PEEK },
    { "to", required_argument, NULL, OPTION_TO },
    { "cc", required_argument, NULL, OPTION_CC },
    { "bcc", required_argument, NULL, OPTION_BCC },
    { "subject", required_argument, NULL, OPTION_SUBJECT },
    { "body", required_argument, NULL, OPTION_BODY },
    { "attach", required_argument, NULL, OPTION_ATTACH },
    { "count", required_argument, NULL, OPTION_COUNT },
    { "seconds", required_argument, NULL, OPTION_SECONDS },
    { "help", no_argument, NULL, OPTION_HELP },
    { NULL, 0, NULL, 0 },
};

struct mail {
    TALLOC_CTX *arena;
    struct terminal terminal;
    struct client *client;
    const char *verb, *number;
    const char *folder, *save, *subject, *body;
    bool peek, wrong, wants_help;
    unsigned long count, seconds;
    struct {
        uint8_t type;
        const char *typed;
    } people[SEND_MAX];
    const char *files[SEND_MAX];
    uint32_t people_count, file_count;
    uint64_t fid;
};

static int fail(struct mail *m)
{
    const struct client_error *e = client_error(m->client);
    return terminal_fail(PROGRAM, "%s%s", e->text, terminal_advice(e));
}

/* ---- the call ---- */

/* Addresses may be separated by commas. */
static void add_people(struct mail *m, uint8_t type, const char *list)
{
    char *rest = talloc_strdup(m->arena, list);
    for (char *one; (one = strsep(&rest, ",;"));) {
        one += strspn(one, " ");
        if (*one && m->people_count < SEND_MAX) {
            m->people[m->people_count].type = type;
            m->people[m->people_count++].typed = one;
        }
    }
}

static unsigned long number(struct mail *m, const char *text)
{
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    if (*end || end == text || *text == '-') {
        m->wrong = true;
        terminal_fail(PROGRAM, "'%s' is not a number", text);
    }
    return n;
}

static void take_option(struct mail *m, int option, const char *value)
{
    if (terminal_option(&m->terminal, option, value))
        return;
    switch (option) {
    case OPTION_FOLDER: m->folder = value; break;
    case OPTION_SAVE: m->save = value; break;
    case OPTION_PEEK: m->peek = true; break;
    case OPTION_TO: add_people(m, CLIENT_TO, value); break;
    case OPTION_CC: add_people(m, CLIENT_CC, value); break;
    case OPTION_BCC: add_people(m, CLIENT_BCC, value); break;
    case OPTION_SUBJECT: m->subject = value; break;
    case OPTION_BODY: m->body = value; break;
    case OPTION_ATTACH: m->files[m->file_count] = value; m->file_count = MIN(m->file_count + 1, SEND_MAX - 1); break;
    case 'n':
    case OPTION_COUNT: m->count = number(m, value); break;
    case OPTION_SECONDS: m->seconds = number(m, value); break;
    case OPTION_HELP: m->wants_help = true; break;
    default: m->wrong = true; break;
    }
}

static void take_arguments(struct mail *m, int argc, char **argv)
{
    int option;
    optind = 1;
    while ((option = getopt_long(argc, argv, "n:", options, NULL)) != -1)
        take_option(m, option, optarg);
    m->verb = optind < argc ? argv[optind++] : NULL;
    m->number = optind < argc ? argv[optind++] : NULL;
    m->wrong |= optind < argc || !m->verb;
}

/* ---- the way in ---- */

static bool log_on(struct mail *m)
{
    if (client_connect(m->client) || client_logon(m->client, NULL))
        return false;
    return client_folder_find(m->client, m->folder ? m->folder : "Inbox", &m->fid) == ecNone;
}

static void show_progress(void *arg, uint64_t done, uint64_t total)
{
    terminal_progress(arg, done, total);
}

/* ---- list ---- */

static const uint32_t columns[] = { PidTagMid, PidTagSenderName, PidTagMessageDeliveryTime, PidTagSubject, PidTagMessageFlags,
                                    PidTagHasAttachments, PidTagSentRepresentingName, PidTagLastModificationTime };

static const char *text_of(const struct prop *p)
{
    return PROP_TYPE(p->tag) == PtypString ? p->str : "";
}

static const char *sender_of(const struct prop *row)
{
    return *text_of(&row[6]) ? text_of(&row[6]) : text_of(&row[1]);
}

/* A draft was never delivered. */
static uint64_t date_of(const struct prop *row)
{
    return PROP_TYPE(row[2].tag) == PtypTime ? row[2].u64 : PROP_TYPE(row[7].tag) == PtypTime ? row[7].u64 : 0;
}

static void print_row(struct mail *m, unsigned long n, const struct prop *row)
{
    const bool read = PROP_TYPE(row[4].tag) == PtypInteger32 && row[4].u32 & MSGFLAG_READ;
    const bool attached = PROP_TYPE(row[5].tag) == PtypBoolean && row[5].b;
    TALLOC_CTX *arena = talloc_new(m->arena);
    if (n)
        printf("%5lu ", n);
    printf("%c%c %s  %s  %s\n", read ? ' ' : '*', attached ? '@' : ' ', terminal_text(arena, sender_of(row), 24),
           terminal_date(arena, date_of(row)), terminal_text(arena, text_of(&row[3]), 0));
    talloc_free(arena);
}

static int list(struct mail *m)
{
    struct props *rows;
    uint32_t count, total;
    if (client_messages(m->client, m->arena, m->fid, columns, COUNTOF(columns), 0, m->count ? (uint32_t)m->count : LIST_COUNT,
                        &rows, &count, &total))
        return fail(m);
    terminal_progress_done();
    for (uint32_t i = 0; i < count; i++)
        print_row(m, i + 1, rows[i].values);
    if (count < total)
        printf("%u of %u messages; -n COUNT shows more\n", count, total);
    return 0;
}

static int folders(struct mail *m)
{
    struct client_folder *all;
    uint32_t count;
    if (client_folders(m->client, m->arena, 0, &all, &count))
        return fail(m);
    for (uint32_t i = 0; i < count; i++)
        printf("%7u %7u unread  %s\n", all[i].count, all[i].unread, terminal_text(m->arena, all[i].path, 0));
    return 0;
}

/* ---- read ---- */

/* A name that stays in the directory, whatever the sender called the file. */
static const char *safe_name(TALLOC_CTX *arena, const struct client_attachment *a, const char *ending)
{
    char *name = talloc_asprintf(arena, "%s%s", *a->name ? a->name : "attachment", ending);
    for (char *s = name; *s; s++)
        if ((uint8_t)*s < 0x20 || *s == '/' || *s == '\\' || (*s == '.' && s == name))
            *s = '_';
    return name;
}

static int save_file(struct mail *m, const char *name, struct blob data)
{
    const char *path = talloc_asprintf(m->arena, "%s/%s", m->save, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0)
        return terminal_fail(PROGRAM, "%s: %s", path, strerror(errno));
    FILE *f = fdopen(fd, "w");
    const bool good = fwrite(data.data, 1, data.size, f) == data.size;
    if (fclose(f) != 0 || !good)
        return terminal_fail(PROGRAM, "%s: %s", path, strerror(errno));
    printf("saved %s (%zu bytes)\n", terminal_text(m->arena, path, 0), data.size);
    return 0;
}

static int save_attachment(struct mail *m, uint32_t message, const struct client_attachment *a)
{
    uint32_t embedded;
    const char *text;
    struct blob data;
    if (a->method != CLIENT_ATTACH_EMBEDDED)
        return client_attachment_read(m->client, m->arena, message, a->number, &data)
                   ? fail(m) : save_file(m, safe_name(m->arena, a, ""), data);
    if (client_embedded_open(m->client, message, a->number, &embedded) || client_message_text(m->client, m->arena, embedded, &text))
        return fail(m);
    return save_file(m, safe_name(m->arena, a, ".txt"), BLOB_OF(text, strlen(text)));
}

static int print_attachments(struct mail *m, uint32_t message)
{
    struct client_attachment *all;
    uint32_t count;
    int status = 0;
    if (client_attachments(m->client, m->arena, message, &all, &count))
        return fail(m);
    for (uint32_t i = 0; i < count; i++)
        printf("Attached: %s (%u bytes%s%s)\n", terminal_text(m->arena, *all[i].name ? all[i].name : "without a name", 0),
               all[i].size, *all[i].mime_type ? ", " : "", terminal_text(m->arena, all[i].mime_type, 0));
    for (uint32_t i = 0; m->save && i < count; i++)
        status |= save_attachment(m, message, &all[i]);
    return status;
}

static void print_people(struct mail *m, const struct client_recipient *all, uint32_t count, uint8_t type, const char *label)
{
    bool first = true;
    for (uint32_t i = 0; i < count; i++)
        if (all[i].type == type) {
            const char *address = all[i].smtp ? all[i].smtp : all[i].address;
            printf("%s%s <%s>", first ? label : ", ", terminal_text(m->arena, all[i].name, 0), terminal_text(m->arena, address, 0));
            first = false;
        }
    if (!first)
        putchar('\n');
}

/* Line ends of the wire become those of the terminal; everything else that would control it becomes a blank. */
static void print_text(struct mail *m, const char *text)
{
    while (*text) {
        const size_t line = strcspn(text, "\r\n");
        puts(terminal_text(m->arena, talloc_strndup(m->arena, text, line), 0));
        text += line;
        text += *text == '\r' && text[1] == '\n' ? 2 : *text ? 1 : 0;
    }
}

static int print_message(struct mail *m, uint32_t message)
{
    static const uint32_t tags[] = { PidTagSentRepresentingName, PidTagSentRepresentingSmtpAddress, PidTagSentRepresentingEmailAddress,
                                     PidTagMessageDeliveryTime, PidTagSubject };
    struct prop *v;
    struct client_recipient *people;
    uint32_t count;
    const char *text;
    struct client *c = m->client;
    if (client_get(c, m->arena, message, tags, COUNTOF(tags), &v) || client_recipients(c, m->arena, message, &people, &count) ||
        client_message_text(c, m->arena, message, &text))
        return fail(m);
    terminal_progress_done();
    const char *address = *text_of(&v[1]) ? text_of(&v[1]) : text_of(&v[2]);
    if (*address || *text_of(&v[0]))
        printf("From: %s <%s>\n", terminal_text(m->arena, text_of(&v[0]), 0), terminal_text(m->arena, address, 0));
    print_people(m, people, count, CLIENT_TO, "To: ");
    print_people(m, people, count, CLIENT_CC, "Cc: ");
    print_people(m, people, count, CLIENT_BCC, "Bcc: ");
    if (PROP_TYPE(v[3].tag) == PtypTime)
        printf("Date: %s\n", terminal_date(m->arena, v[3].u64));
    printf("Subject: %s\n", terminal_text(m->arena, text_of(&v[4]), 0));
    const int status = print_attachments(m, message);
    putchar('\n');
    print_text(m, text);
    return status;
}

static void mark_as_read(struct mail *m, uint32_t message)
{
    const struct RopSetMessageReadFlagRequest request = { .ReadFlags = 0 };
    client_call(m->client, m->arena, RopSetMessageReadFlag, message, &request, NULL, NULL);
}

static int read_one(struct mail *m)
{
    const bool last = m->number && strcmp(m->number, "last") == 0;
    const unsigned long n = last ? 1 : m->number ? number(m, m->number) : 0;
    struct props *rows;
    uint32_t count, message;
    if (m->wrong)
        return 2;
    if (!n)
        return terminal_fail(PROGRAM, "which message?  Its number in the list, or 'last'") + 1;
    if (client_messages(m->client, m->arena, m->fid, columns, 1, (uint32_t)n - 1, 1, &rows, &count, NULL))
        return fail(m);
    if (!count)
        return terminal_fail(PROGRAM, "there is no message %lu in this folder", n);
    if (client_message_open(m->client, m->fid, rows[0].values[0].u64, false, &message))
        return fail(m);
    const int status = print_message(m, message);
    if (!m->peek)
        mark_as_read(m, message);
    client_release(m->client, message);
    return status;
}

/* ---- send ---- */

static bool read_all(TALLOC_CTX *arena, FILE *f, struct blob *out)
{
    struct buf b;
    char part[65536];
    buf_init(&b, arena);
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        buf_add(&b, part, n);
    *out = buf_blob(&b);
    return !ferror(f);
}

static int read_files(struct mail *m, struct client_file *files)
{
    for (uint32_t i = 0; i < m->file_count; i++) {
        FILE *f = fopen(m->files[i], "r");
        const bool good = f && read_all(m->arena, f, &files[i].data);
        const int why = errno;
        if (f)
            fclose(f);
        if (!good)
            return terminal_fail(PROGRAM, "%s: %s", m->files[i], strerror(why));
        const char *slash = strrchr(m->files[i], '/');
        files[i].name = slash ? slash + 1 : m->files[i];
    }
    return 0;
}

static const char *text_to_send(struct mail *m)
{
    struct blob text;
    if (m->body)
        return m->body;
    if (!read_all(m->arena, stdin, &text))
        return "";
    return talloc_strndup(m->arena, text.size ? (const char *)text.data : "", text.size);
}

static int send_one(struct mail *m)
{
    struct client_recipient people[SEND_MAX];
    struct client_file *files = talloc_zero_array(m->arena, struct client_file, SEND_MAX);
    if (!m->people_count)
        return terminal_fail(PROGRAM, "--to ADDRESS is missing") + 1;
    const struct client_mail mail = { .subject = m->subject, .text = text_to_send(m), .recipients = people,
                                      .recipient_count = m->people_count, .files = files, .file_count = m->file_count };
    if (read_files(m, files))
        return 1;
    for (uint32_t i = 0; i < m->people_count; i++)
        if (client_resolve(m->client, m->arena, m->people[i].typed, m->people[i].type, &people[i]))
            return fail(m);
    if (client_send(m->client, &mail))
        return fail(m);
    terminal_progress_done();
    printf("sent to %s%s\n", people[0].name, m->people_count > 1 ? " and others" : "");
    return 0;
}

/* ---- watch ---- */

static volatile sig_atomic_t stopped;

static void stop(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

struct watch {
    uint64_t newest;                     /* delivery time of what was printed last */
    uint64_t printed[PRINTED_MAX];       /* ids: a message may be found in two ways */
    unsigned long seen;
    uint64_t until;                      /* clock_ms() */
    bool told;                           /* that it watches */
};

static void print_new(struct mail *m, struct watch *w, const struct prop *row)
{
    for (size_t i = 0; i < PRINTED_MAX; i++)
        if (w->printed[i] == row[0].u64)
            return;
    w->printed[w->seen % PRINTED_MAX] = row[0].u64;
    w->newest = MAX(w->newest, date_of(row));
    w->seen++;
    print_row(m, 0, row);
    fflush(stdout);
}

static enum ec begin_at(struct mail *m, struct watch *w)
{
    struct props *rows;
    uint32_t count = 0;
    const enum ec ec = client_messages(m->client, m->arena, m->fid, columns, COUNTOF(columns), 0, 1, &rows, &count, NULL);
    if (count)
        w->newest = date_of(rows[0].values);
    return ec;
}

/* Rows that came while nobody listened, or so many at once that the server says only that the table has changed. */
static enum ec catch_up(struct mail *m, struct watch *w)
{
    TALLOC_CTX *arena = talloc_new(m->arena);
    struct props *rows;
    uint32_t count = 0;
    const uint64_t before = w->newest;
    const enum ec ec = client_messages(m->client, arena, m->fid, columns, COUNTOF(columns), 0, PRINTED_MAX, &rows, &count, NULL);
    for (uint32_t i = count; i-- > 0;)
        if (date_of(rows[i].values) > before)
            print_new(m, w, rows[i].values);
    talloc_free(arena);
    return ec;
}

/* The table that tells of its rows must have been looked at: [MS-OXCNOTIF] 3.1.4.3 */
static enum ec open_watched_table(struct mail *m)
{
    uint32_t table = NO_HANDLE, count;
    struct props *rows;
    const enum ec ec = client_table_open(m->client, m->fid, columns, COUNTOF(columns), &table, NULL);
    return ec ? ec : client_table_rows(m->client, m->arena, table, 1, &rows, &count);
}

static enum ec take_notifications(struct mail *m, struct watch *w)
{
    enum ec ec = client_fetch(m->client);
    struct client_notification *n;
    while (!ec && (n = client_next_notification(m->client, m->arena))) {
        const struct NotificationData *d = &n->notify.NotificationData;
        if (!(d->NotificationFlags & NOTIFY_TABLE))
            continue;
        if (d->TableEventType == TABLE_CHANGED)
            ec = catch_up(m, w);
        else if (d->TableEventType == TABLE_ROW_ADDED && n->row.count == COUNTOF(columns))
            print_new(m, w, n->row.values);
    }
    return ec;
}

static bool goes_on(const struct mail *m, const struct watch *w)
{
    return !stopped && (!m->count || w->seen < m->count) && (!m->seconds || clock_ms() < w->until);
}

static enum ec listen_on(struct mail *m, struct watch *w)
{
    enum ec ec = open_watched_table(m);
    if (!ec)
        ec = catch_up(m, w);
    if (!ec && !w->told)
        fprintf(stderr, "watching %s of %s; Ctrl-C ends it\n", m->folder ? m->folder : "Inbox", m->terminal.options.address);
    w->told = true;
    while (!ec && goes_on(m, w)) {
        bool event;
        ec = client_wait(m->client, WAIT_MS, &event);
        if (!ec && event)
            ec = take_notifications(m, w);
    }
    return ec;
}

/* The server may restart, the network may go: as long as somebody watches, it is tried again. */
static enum ec come_back(struct mail *m, struct watch *w)
{
    enum ec ec = ecRpcFailed;
    while (ec && goes_on(m, w)) {
        client_forget(m->client);
        ec = log_on(m) ? ecNone : ecRpcFailed;
        if (ec && client_error(m->client)->level != CLIENT_TRANSPORT && client_error(m->client)->level != CLIENT_HTTP)
            return ec;
        if (ec)
            usleep(RETRY_MS * 1000);
    }
    return ec;
}

static bool is_lost(const struct client_error *e)
{
    return e->level == CLIENT_TRANSPORT || e->level == CLIENT_RESPONSE_CODE || e->level == CLIENT_HTTP;
}

static int watch(struct mail *m)
{
    struct watch w = { .until = clock_ms() + 1000 * m->seconds };
    struct sigaction action = { .sa_handler = stop };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    enum ec ec = begin_at(m, &w);
    while (goes_on(m, &w) && !ec) {
        ec = listen_on(m, &w);
        if (ec && is_lost(client_error(m->client))) {
            terminal_fail(PROGRAM, "%s; trying again", client_error(m->client)->text);
            ec = come_back(m, &w);
        }
    }
    if (ec && goes_on(m, &w))
        return fail(m);
    return m->count && w.seen < m->count ? 1 : 0;
}

/* ---- */

static const struct {
    const char *verb;
    int (*run)(struct mail *);
    const char *progress;
} verbs[] = {
    { "list", list, "reading the list" }, { "read", read_one, "reading" }, { "send", send_one, "sending" },
    { "watch", watch, "reading" }, { "folders", folders, "reading" },
};

static int run_verb(struct mail *m, size_t i)
{
    struct buf trace;
    buf_init(&trace, m->arena);
    m->terminal.options.progress = show_progress;
    m->terminal.options.progress_arg = (void *)verbs[i].progress;
    m->client = client_new(m->arena, &m->terminal.options);
    if (m->terminal.trace)
        client_record(m->client, &trace);
    int status = log_on(m) ? verbs[i].run(m) : fail(m);
    terminal_progress_done();
    client_unbind(m->client);
    client_disconnect(m->client);
    FILE *f = m->terminal.trace ? fopen(m->terminal.trace, "w") : NULL;
    if (f)
        fwrite(trace.data, 1, trace.size, f);
    if (m->terminal.trace && (!f || fclose(f) != 0))
        status = terminal_fail(PROGRAM, "%s: %s", m->terminal.trace, strerror(errno));
    return status;
}

int mail_command(int argc, char **argv)
{
    struct mail *m = talloc_zero(NULL, struct mail);
    size_t i = 0;
    int status = 2;
    m->arena = m;
    take_arguments(m, argc, argv);
    while (m->verb && i < COUNTOF(verbs) && strcmp(verbs[i].verb, m->verb) != 0)
        i++;
    if (m->wants_help) {
        fputs(help, stdout);
        status = 0;
    } else if (m->wrong || i == COUNTOF(verbs)) {
        fputs(help, stderr);
    } else if (terminal_ready(m, &m->terminal)) {
        status = run_verb(m, i);
    }
    talloc_free(m);
    return status;
}
