/* SPDX-License-Identifier: Apache-2.0 */
/* Everything at once: sessions of two mailboxes that write, move, delete, send, watch, wait, fall silent and come back,
 * while mail is delivered and the directory changes.  Afterwards what a session knows from its notifications is what
 * the server shows, the counts of a folder are those of its table, and the server stops cleanly. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server.h"

enum { SESSIONS = 8, FOLDERS = 3, ROWS_MAX = 1000, ROWS_ENOUGH = 60, LOOKS_MAX = 30,
       LEFT_BEHIND_MAX = 12 };
enum { LISTENER = 7 };                   /* the session that does nothing until its news are too many */
enum { COLUMN_MID, COLUMN_FLAGS, COLUMN_MODIFIED, COLUMN_SUBJECT, COLUMNS };
enum { TABLE = 0x0100, CHANGED = 1, ADDED = 3, DELETED = 4 };
enum { READ = 0x1, CLEAR_READ = 0x4, ASSOCIATED = 0x2 };
static const uint32_t columns[COLUMNS] = { PidTagMid, PidTagMessageFlags, PidTagLastModificationTime, PidTagSubject };

struct row {
    uint64_t mid, modified;
    uint32_t flags;
    char subject[48];
};

/* A table that a session has before its eyes, as the notifications leave it. */
struct view {
    uint32_t table;                      /* NO_HANDLE: none */
    uint64_t fid;
    unsigned order, choice;              /* which of orders[], which of choices[] */
    struct row rows[ROWS_MAX];
    uint32_t count;
    bool lost;                           /* has to be read again */
};

struct session {
    struct fixture *f;
    const char *name;
    TALLOC_CTX *owner;                   /* of the client; a thread's own */
    struct client *client;
    unsigned number, steps, made, left_behind;
    uint64_t random;
    uint64_t folders[FOLDERS];           /* Inbox, and those that the test has made */
    struct view view;
    char failure[700];                   /* "": none */
};

struct fixture {
    struct server *server;
    struct session sessions[SESSIONS];
    unsigned deliveries, changes;
    char failure[300];                   /* of whoever delivers or administers */
};

/* ---- chance ---- */

static unsigned chance(struct session *s, unsigned below)
{
    s->random = s->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(s->random >> 33) % below;
}

/* ---- what may go wrong: another session was faster ---- */

static bool may_happen(enum ec ec)
{
    static const enum ec codes[] = { ecNotFound, ecObjectDeleted, ecObjectModified, ecPartialCompletion };
    for (size_t i = 0; i < COUNTOF(codes); i++)
        if (ec == codes[i])
            return true;
    return false;
}

static bool fine(struct session *s, enum ec ec, const char *what)
{
    if (ec && !s->failure[0] && !(client_error(s->client)->level == CLIENT_ROP && may_happen(ec)))
        snprintf(s->failure, sizeof s->failure, "%s %u: %s: %s: %s", s->name, s->number, what, ec_name(ec),
                 client_error(s->client)->text);
    return !ec;
}

/* ---- views ---- */

static const struct SortOrder orders[] = {
    { PidTagSubject, 0 },
    { PidTagLastModificationTime, 1 },
    { PidTagMessageDeliveryTime, 1 },
    { PidTagMessageFlags, 0 },
};
static const struct restriction choices[] = {
    { .type = RES_EXIST, .tag = PidTagMid },
    { .type = RES_BITMASK, .tag = PidTagMessageFlags, .number = READ, .relop = 0 },
    { .type = RES_CONTENT, .tag = PidTagSubject, .fuzzy_low = FL_PREFIX, .fuzzy_high = FL_IGNORECASE,
      .value = { .tag = PidTagSubject, .str = "ONE" } },
};

static struct row row_of(const struct props *p)
{
    struct row row = { .mid = p->values[COLUMN_MID].u64, .flags = p->values[COLUMN_FLAGS].u32,
                       .modified = p->values[COLUMN_MODIFIED].u64 };
    if (PROP_TYPE(p->values[COLUMN_SUBJECT].tag) == PtypString)
        snprintf(row.subject, sizeof row.subject, "%s", p->values[COLUMN_SUBJECT].str);
    return row;
}

static uint32_t place_of(const struct view *v, uint64_t mid)
{
    uint32_t i = 0;
    while (i < v->count && v->rows[i].mid != mid)
        i++;
    return i;
}

static void take_row(struct view *v, uint64_t mid)
{
    const uint32_t at = place_of(v, mid);
    if (at == v->count)
        return;
    memmove(&v->rows[at], &v->rows[at + 1], (--v->count - at) * sizeof v->rows[0]);
}

/* Behind `after`, 0: at the head.  A neighbour that nobody knows means that something was missed. */
static void put_row(struct view *v, struct row row, uint64_t after)
{
    take_row(v, row.mid);
    const uint32_t before = after ? place_of(v, after) : 0;
    if ((after && before == v->count) || v->count == ROWS_MAX) {
        v->lost = true;
        return;
    }
    const uint32_t at = after ? before + 1 : 0;
    memmove(&v->rows[at + 1], &v->rows[at], (v->count++ - at) * sizeof v->rows[0]);
    v->rows[at] = row;
}

static void apply(struct view *v, const struct client_notification *n)
{
    const struct NotificationData *d = &n->notify.NotificationData;
    if (d->TableEventType == CHANGED)
        v->lost = true;
    else if (d->TableEventType == DELETED)
        take_row(v, d->TableRowMessageID);
    else
        put_row(v, row_of(&n->row), d->InsertAfterTableRowID);
}

/* What the last answers have brought; how much of it is about the view. */
static unsigned hear(struct session *s)
{
    TALLOC_CTX *arena = talloc_new(s->owner);
    unsigned count = 0;
    for (struct client_notification *n; (n = client_next_notification(s->client, arena));)
        if (n->notify.NotificationData.NotificationFlags & TABLE && n->notify.NotificationHandle == s->view.table) {
            apply(&s->view, n);
            count++;
        }
    talloc_free(arena);
    return count;
}

static void read_rows(struct session *s, struct view *v)
{
    const struct RopSeekRowRequest seek = { .Origin = 0 };
    const struct RopQueryRowsRequest query = { .ForwardRead = true, .RowCount = ROWS_MAX };
    struct client_rop rops[] = {
        { .id = RopSeekRow, .handle = v->table, .request = &seek },
        { .id = RopQueryRows, .handle = v->table, .request = &query },
    };
    TALLOC_CTX *arena = talloc_new(s->owner);
    v->count = 0;
    v->lost = true;
    if (fine(s, client_execute(s->client, arena, rops, COUNTOF(rops)), "read a table") &&
        fine(s, client_check(s->client, rops, COUNTOF(rops)), "read a table")) {
        const struct RopQueryRowsResponse *r = rops[1].response;
        for (v->count = 0; v->count < r->RowCount && v->count < ROWS_MAX; v->count++)
            v->rows[v->count] = row_of(&r->RowData[v->count]);
        v->lost = false;
    }
    talloc_free(arena);
}

/* Rows that come with notifications may be newer than what those tell about places.  Without any they are the view. */
static void look_again(struct session *s)
{
    for (unsigned i = 0; s->view.lost && i < LOOKS_MAX && !s->failure[0]; i++) {
        hear(s);
        read_rows(s, &s->view);
        if (hear(s))
            s->view.lost = true;
    }
}

static void open_view(struct session *s, struct view *v, uint64_t fid, unsigned order, unsigned choice)
{
    const struct RopOpenFolderRequest folder = { .FolderId = fid };
    const struct RopSetColumnsRequest set = { 0, COLUMNS, columns };
    const struct RopSortTableRequest sort = { .SortOrderCount = 1, .SortOrders = &orders[order] };
    const struct RopRestrictRequest only = { .RestrictionData = &choices[choice] };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(s->client), .request = &folder },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(0) },
        { .id = RopSetColumns, .from = OUTPUT_OF(1), .request = &set },
        { .id = RopSortTable, .from = OUTPUT_OF(1), .request = &sort },
        { .id = RopRestrict, .from = OUTPUT_OF(1), .request = &only },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
    };
    TALLOC_CTX *arena = talloc_new(s->owner);
    *v = (struct view){ .table = NO_HANDLE, .fid = fid, .order = order, .choice = choice, .lost = true };
    if (fine(s, client_execute(s->client, arena, rops, COUNTOF(rops)), "open a table") &&
        fine(s, client_check(s->client, rops, COUNTOF(rops) - 1), "open a table"))
        v->table = rops[1].out_handle;
    talloc_free(arena);
}

static void change_view(struct session *s)
{
    if (s->view.table != NO_HANDLE)
        client_release(s->client, s->view.table);
    open_view(s, &s->view, s->folders[chance(s, FOLDERS)], chance(s, COUNTOF(orders)), chance(s, COUNTOF(choices)));
    look_again(s);
}

/* ---- steps ---- */

static uint64_t some_row(struct session *s)
{
    return s->view.count ? s->view.rows[chance(s, s->view.count)].mid : 0;
}

static void step_create(struct session *s)
{
    static const char *const words[] = { "one", "two", "three" };
    char subject[48];
    uint32_t message;
    snprintf(subject, sizeof subject, "%s %u of %s %u", words[chance(s, 3)], s->made++, s->name, s->number);
    const struct prop values[] = { P_STR(PidTagMessageClass, "IPM.Note"), P_STR(PidTagSubject, subject),
                                   P_STR(PidTagBody, "text") };
    if (!fine(s, client_message_create(s->client, s->folders[chance(s, FOLDERS)], &message), "create"))
        return;
    fine(s, client_set(s->client, message, values, COUNTOF(values)), "set");
    fine(s, client_message_save(s->client, message, NULL), "save");
    client_release(s->client, message);
}

static void step_read_flag(struct session *s)
{
    const uint64_t mid = some_row(s);
    const struct RopSetReadFlagsRequest flags = { .ReadFlags = chance(s, 2) ? CLEAR_READ : 0,
                                                  .MessageIdCount = 1, .MessageIds = &mid };
    uint32_t folder;
    TALLOC_CTX *arena = talloc_new(s->owner);
    if (mid && fine(s, client_folder_open(s->client, s->view.fid, &folder), "open a folder")) {
        fine(s, client_call(s->client, arena, RopSetReadFlags, folder, &flags, NULL, NULL), "set read flags");
        client_release(s->client, folder);
    }
    talloc_free(arena);
}

static void step_change(struct session *s)
{
    const uint64_t mid = some_row(s);
    char subject[48];
    uint32_t message;
    snprintf(subject, sizeof subject, "one changed by %s %u", s->name, s->number);
    if (!mid || !fine(s, client_message_open(s->client, s->view.fid, mid, true, &message), "open a message"))
        return;
    fine(s, client_set(s->client, message, &P_STR(PidTagSubject, subject), 1), "change");
    fine(s, client_message_save(s->client, message, NULL), "save a change");
    client_release(s->client, message);
}

static void step_delete(struct session *s)
{
    const uint64_t mid = some_row(s);
    if (mid)
        fine(s, client_message_delete(s->client, s->view.fid, mid), "delete");
}

/* Several at once, so that folders stay small and some tables get more news than they tell one by one. */
static void step_clean(struct session *s)
{
    uint64_t mids[ROWS_ENOUGH];
    uint16_t count = 0;
    const struct RopDeleteMessagesRequest messages = { .MessageIdCount = ROWS_ENOUGH, .MessageIds = mids };
    uint32_t folder;
    if (s->view.count <= ROWS_ENOUGH || !fine(s, client_folder_open(s->client, s->view.fid, &folder), "open a folder"))
        return;
    TALLOC_CTX *arena = talloc_new(s->owner);
    while (count < ROWS_ENOUGH) {
        mids[count] = s->view.rows[count].mid;
        count++;
    }
    fine(s, client_call(s->client, arena, RopDeleteMessages, folder, &messages, NULL, NULL), "delete many");
    client_release(s->client, folder);
    talloc_free(arena);
}

static void step_all_read(struct session *s)
{
    const struct RopSetReadFlagsRequest flags = { .ReadFlags = chance(s, 2) ? CLEAR_READ : 0 };
    uint32_t folder;
    TALLOC_CTX *arena = talloc_new(s->owner);
    if (fine(s, client_folder_open(s->client, s->view.fid, &folder), "open a folder")) {
        fine(s, client_call(s->client, arena, RopSetReadFlags, folder, &flags, NULL, NULL), "set all read flags");
        client_release(s->client, folder);
    }
    talloc_free(arena);
}

static void step_move(struct session *s)
{
    const uint64_t mid = some_row(s);
    const struct RopOpenFolderRequest from = { s->view.fid, 0 }, to = { s->folders[chance(s, FOLDERS)], 0 };
    const struct RopMoveCopyMessagesRequest move = { 1, &mid, false, chance(s, 2) };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(s->client), .request = &from },
        { .id = RopOpenFolder, .handle = client_logon_handle(s->client), .request = &to },
        { .id = RopMoveCopyMessages, .from = OUTPUT_OF(0), .destination_from = OUTPUT_OF(1), .request = &move },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
        { .id = RopRelease, .from = OUTPUT_OF(1) },
    };
    TALLOC_CTX *arena = talloc_new(s->owner);
    if (mid && fine(s, client_execute(s->client, arena, rops, COUNTOF(rops)), "move"))
        fine(s, client_check(s->client, rops, 3), "move");
    talloc_free(arena);
}

static void step_send(struct session *s)
{
    const struct client_recipient people[] = {
        { CLIENT_TO, "Bob", "SMTP", "bob@contoso.com", NULL },
        { CLIENT_CC, "Alice", "SMTP", "alice@contoso.com", NULL },
        { CLIENT_TO, "Nobody", "SMTP", "nobody@contoso.com", NULL },
    };
    const unsigned first = chance(s, 3);
    const struct client_mail mail = { .subject = "one sent", .text = "text", .recipients = &people[first],
                                      .recipient_count = 1 + chance(s, 3 - first) };
    fine(s, client_send(s->client, &mail), "send");
}

static void step_wait(struct session *s)
{
    bool event;
    if (fine(s, client_wait(s->client, chance(s, 20), &event), "wait") && event)
        fine(s, client_fetch(s->client), "fetch");
}

/* ---- coming and going ---- */

static void sign_on(struct session *s)
{
    static const char *const names[FOLDERS] = { "Inbox", "Here", "There" };
    uint32_t subscription;
    s->view = (struct view){ .table = NO_HANDLE };
    if (!fine(s, client_connect(s->client), "connect") || !fine(s, client_logon(s->client, NULL), "log on"))
        return;
    const uint64_t top = client_logon_response(s->client)->FolderIds.IpmSubtree;
    s->folders[0] = client_logon_response(s->client)->FolderIds.Inbox;
    for (unsigned i = 1; i < FOLDERS; i++)
        fine(s, client_folder_create(s->client, top, names[i], &s->folders[i]), "make a folder");
    fine(s, client_subscribe(s->client, CLIENT_EVERYTHING, 0, &subscription), "subscribe");
    change_view(s);
}

static void new_client(struct session *s)
{
    TALLOC_FREE(s->owner);
    s->owner = talloc_new(NULL);
    s->client = server_client(s->f->server, s->owner, s->name);
    sign_on(s);
}

static void step_disconnect(struct session *s)
{
    client_wait_cancel(s->client);
    fine(s, client_disconnect(s->client), "disconnect");
    sign_on(s);
}

/* A user has so many session contexts, and of more the server ends those that were silent for longest. */
static bool may_leave_one(struct session *s)
{
    return s->left_behind++ < LEFT_BEHIND_MAX;
}

static void step_forget(struct session *s)
{
    if (!may_leave_one(s)) {
        step_disconnect(s);
        return;
    }
    client_wait_cancel(s->client);
    client_forget(s->client);
    sign_on(s);
}

/* The connections close while a wait is open. */
static void step_vanish(struct session *s)
{
    fine(s, client_wait_begin(s->client), "begin to wait");
    if (!may_leave_one(s))
        fine(s, client_disconnect(s->client), "disconnect");
    new_client(s);
}

static const struct {
    unsigned weight;
    void (*run)(struct session *);
} steps[] = {
    { 24, step_create }, { 14, step_read_flag }, { 1, step_all_read }, { 10, step_change }, { 8, step_delete },
    { 6, step_clean },   { 10, step_move },      { 5, step_send },     { 14, step_wait },   { 4, change_view },
    { 1, step_forget },  { 1, step_vanish },     { 1, step_disconnect },
};

static void one_step(struct session *s)
{
    unsigned all = 0, i = 0;
    for (size_t k = 0; k < COUNTOF(steps); k++)
        all += steps[k].weight;
    for (unsigned drawn = chance(s, all); drawn >= steps[i].weight; i++)
        drawn -= steps[i].weight;
    steps[i].run(s);
    hear(s);
    look_again(s);
}

static void *hammer(void *arg)
{
    struct session *s = arg;
    new_client(s);
    for (unsigned i = 0; i < s->steps && !s->failure[0]; i++)
        one_step(s);
    return NULL;
}

/* ---- at the same time: mail, and an administrator ---- */

static bool says(int fd, const char *text, const char *answer)
{
    char line[300];
    if (text && send(fd, text, strlen(text), MSG_NOSIGNAL) != (ssize_t)strlen(text))
        return false;
    do {
        size_t n = 0;
        while (n + 1 < sizeof line && recv(fd, line + n, 1, 0) == 1 && line[n++] != '\n')
            ;
        line[n] = '\0';
    } while (strlen(line) > 3 && line[3] == '-');
    return strncmp(line, answer, strlen(answer)) == 0;
}

static bool deliver(int fd, unsigned number)
{
    char mail[300];
    snprintf(mail, sizeof mail, "From: s@example.org\r\nSubject: two delivered %u\r\n\r\nText\r\n.\r\n", number);
    return says(fd, "MAIL FROM:<s@example.org>\r\n", "250") && says(fd, "RCPT TO:<alice@contoso.com>\r\n", "250") &&
           says(fd, "RCPT TO:<bob@contoso.com>\r\n", "250") && says(fd, "DATA\r\n", "354") && says(fd, mail, "250") &&
           says(fd, NULL, "250");
}

static void *deliver_all(void *arg)
{
    struct fixture *f = arg;
    const struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)server_lmtp_port(f->server)),
                                    .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool good = connect(fd, (const struct sockaddr *)&to, sizeof to) == 0 && says(fd, NULL, "220") &&
                says(fd, "LHLO test\r\n", "250");
    for (unsigned i = 0; i < f->deliveries && good; i++)
        good = deliver(fd, i);
    if (!good)
        snprintf(f->failure, sizeof f->failure, "a delivery was not taken");
    close(fd);
    return NULL;
}

static void administer(struct fixture *f, TALLOC_CTX *arena, const char *line)
{
    int status = 0;
    const char *said = server_cmdlet(f->server, arena, &status, "%s", line);
    if (status)
        snprintf(f->failure, sizeof f->failure, "%s: %s", line, said);
}

static void *administer_all(void *arg)
{
    struct fixture *f = arg;
    for (unsigned i = 0; i < f->changes && !f->failure[0]; i++) {
        TALLOC_CTX *arena = talloc_new(NULL);
        administer(f, arena, talloc_asprintf(arena, "Set-Mailbox bob -DisplayName 'Bob %u'", i));
        administer(f, arena, "Set-Mailbox alice -EmailAddresses @{Add='smtp:al@contoso.com'}");
        administer(f, arena, talloc_asprintf(arena, "New-Mailbox c%u -Password " SERVER_PASSWORD, i));
        administer(f, arena, "Set-Mailbox alice -EmailAddresses @{Remove='smtp:al@contoso.com'}");
        administer(f, arena, talloc_asprintf(arena, "Remove-Mailbox c%u -Permanent $true -Confirm:$false", i));
        administer(f, arena,
                   talloc_asprintf(arena, "New-MailboxDatabase D%u -Url 'sqlite:%s/%u'", i, server_dir(f->server), i));
        administer(f, arena, "Set-OrganizationConfig -MapiHttpEnabled $true");
        talloc_free(arena);
    }
    return NULL;
}

/* ---- the tests ---- */

static unsigned size_of(unsigned small)
{
    const char *sizes = getenv("OXCART_SIZES");
    return sizes && strcmp(sizes, "big") == 0 ? 8 * small : small;
}

static void nobody_has_failed(const struct fixture *f)
{
    for (unsigned i = 0; i < SESSIONS; i++)
        if (f->sessions[i].failure[0])
            fail_msg("%s", f->sessions[i].failure);
    if (f->failure[0])
        fail_msg("%s", f->failure);
}

static void many_sessions_at_once_meet_no_error_of_the_server(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[SESSIONS + 2];
    f->deliveries = size_of(100);
    f->changes = size_of(10);
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *s = &f->sessions[i];
        *s = (struct session){ .f = f, .name = i % 4 ? "alice" : "bob", .number = i, .random = 1 + i,
                               .steps = i == LISTENER ? 0 : size_of(120) };
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, s), 0);
    }
    assert_int_equal(pthread_create(&threads[SESSIONS], NULL, deliver_all, f), 0);
    assert_int_equal(pthread_create(&threads[SESSIONS + 1], NULL, administer_all, f), 0);
    for (unsigned i = 0; i < COUNTOF(threads); i++)
        pthread_join(threads[i], NULL);
    nobody_has_failed(f);
}

static void same_rows(const struct session *s, const struct view *known, const struct view *shown)
{
    if (known->count != shown->count)
        fail_msg("%s %u: %u rows by notifications, %u in the table (order %u, choice %u)", s->name, s->number,
                 known->count, shown->count, known->order, known->choice);
    for (uint32_t i = 0; i < known->count; i++) {
        const struct row *a = &known->rows[i], *b = &shown->rows[i];
        if (a->mid != b->mid || a->flags != b->flags || a->modified != b->modified || strcmp(a->subject, b->subject))
            fail_msg("%s %u: row %u is '%s' 0x%x by notifications, '%s' 0x%x in the table (order %u, choice %u)",
                     s->name, s->number, i, a->subject, a->flags, b->subject, b->flags, known->order, known->choice);
    }
}

static void what_a_session_was_told_is_what_a_new_table_shows(void **state)
{
    struct fixture *f = *state;
    struct view *shown = talloc(NULL, struct view);
    nobody_has_failed(f);
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session *s = &f->sessions[i];
        fine(s, client_fetch(s->client), "fetch");
        hear(s);
        look_again(s);
        open_view(s, shown, s->view.fid, s->view.order, s->view.choice);
        read_rows(s, shown);
        assert_false(s->view.lost);
        same_rows(s, &s->view, shown);
    }
    nobody_has_failed(f);
    talloc_free(shown);
}

struct counts {
    uint32_t all, unread;
};

static struct counts counts_in(struct session *s, TALLOC_CTX *arena, uint64_t fid, bool associated)
{
    const struct RopOpenFolderRequest folder = { .FolderId = fid };
    const struct RopGetContentsTableRequest contents = { .TableFlags = associated ? ASSOCIATED : 0 };
    const struct RopSetColumnsRequest set = { 0, 1, &columns[COLUMN_FLAGS] };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(s->client), .request = &folder },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(0), .request = &contents },
        { .id = RopSetColumns, .from = OUTPUT_OF(1), .request = &set },
    };
    struct counts counts = { 0 };
    struct props *rows = NULL;
    if (fine(s, client_execute(s->client, arena, rops, COUNTOF(rops)), "look at a folder") &&
        fine(s, client_check(s->client, rops, COUNTOF(rops)), "look at a folder"))
        fine(s, client_table_rows(s->client, arena, rops[1].out_handle, UINT32_MAX, &rows, &counts.all), "read rows");
    for (uint32_t i = 0; i < counts.all; i++)
        counts.unread += !(rows[i].values[0].u32 & READ);
    client_release(s->client, rops[1].out_handle);
    client_release(s->client, rops[0].out_handle);
    return counts;
}

static void a_folder_counts_what_its_table_shows(struct session *s, const struct client_folder *row)
{
    static const uint32_t tags[] = { PidTagContentCount, PidTagContentUnreadCount, PidTagAssociatedContentCount };
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t folder;
    struct prop *values;
    const struct counts normal = counts_in(s, arena, row->fid, false), hidden = counts_in(s, arena, row->fid, true);
    assert_true(fine(s, client_folder_open(s->client, row->fid, &folder), "open a folder"));
    assert_true(fine(s, client_get(s->client, arena, folder, tags, COUNTOF(tags), &values), "count"));
    assert_int_equal(values[0].u32, normal.all);
    assert_int_equal(values[1].u32, normal.unread);
    assert_int_equal(values[2].u32, hidden.all);
    assert_int_equal(row->count, normal.all);
    assert_int_equal(row->unread, normal.unread);
    client_release(s->client, folder);
    talloc_free(arena);
}

static void the_counts_of_every_folder_are_those_of_its_table(void **state)
{
    struct fixture *f = *state;
    nobody_has_failed(f);
    for (unsigned i = 0; i < 2; i++) {                       /* one session of each mailbox */
        TALLOC_CTX *arena = talloc_new(NULL);
        struct client_folder *all;
        uint32_t count;
        struct session *s = &f->sessions[i];
        assert_true(fine(s, client_folders(s->client, arena, 0, &all, &count), "list folders"));
        assert_true(count > FOLDERS);
        for (uint32_t k = 0; k < count; k++)
            a_folder_counts_what_its_table_shows(s, &all[k]);
        talloc_free(arena);
    }
    nobody_has_failed(f);
}

/* ---- a mailbox goes while its sessions are at work ---- */

struct tenant {
    struct client *client;
    atomic_uint saved;
    atomic_bool over;
    enum client_level level;             /* of the error that ended it */
    uint32_t number;
};

/* Until it is told that there is no such mailbox; bounded, should nobody ever say so. */
static void *save_until_refused(void *arg)
{
    struct tenant *t = arg;
    enum ec ec = ecNone;
    uint32_t message;
    for (unsigned i = 0; i < 100000 && !ec; i++) {
        const struct prop subject = P_STR(PidTagSubject, "one more");
        ec = client_message_create(t->client, client_logon_response(t->client)->FolderIds.Inbox, &message);
        if (!ec)
            ec = client_set(t->client, message, &subject, 1);
        if (!ec)
            ec = client_message_save(t->client, message, NULL);
        if (!ec)
            client_release(t->client, message);
        t->saved += !ec;
    }
    t->level = ec ? client_error(t->client)->level : CLIENT_FINE;
    t->number = ec ? client_error(t->client)->number : 0;
    t->over = true;
    return NULL;
}

static bool is_refusal(const struct tenant *t)
{
    return (t->level == CLIENT_HTTP && t->number == 401) || (t->level == CLIENT_RESPONSE_CODE && t->number) ||
           (t->level == CLIENT_ROP && t->number == (uint32_t)ecMailboxDisabled);
}

static void who_works_in_a_mailbox_that_is_removed_is_refused(void **state)
{
    struct fixture *f = *state;
    struct tenant tenants[3] = { 0 };
    pthread_t threads[COUNTOF(tenants)];
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t subscription;
    bool event = false;
    server_cmdlet(f->server, arena, NULL, "New-Mailbox carol -Password %s -Database (Get-Mailbox alice).Database",
                  SERVER_PASSWORD);
    struct client *waits = server_logon(f->server, arena, "carol");
    assert_int_equal(client_subscribe(waits, CLIENT_DELETED, 0, &subscription), ecNone);
    assert_int_equal(client_wait_begin(waits), ecNone);
    for (size_t i = 0; i < COUNTOF(tenants); i++)
        tenants[i].client = server_logon(f->server, NULL, "carol");
    for (size_t i = 0; i < COUNTOF(tenants); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, save_until_refused, &tenants[i]), 0);
    for (size_t i = 0; i < COUNTOF(tenants); i++)
        while (tenants[i].saved < 3 && !tenants[i].over)
            sched_yield();
    server_cmdlet(f->server, arena, NULL, "Remove-Mailbox carol -Permanent $true -Confirm:$false");
    for (size_t i = 0; i < COUNTOF(tenants); i++) {
        pthread_join(threads[i], NULL);
        if (!is_refusal(&tenants[i]))
            fail_msg("after %u messages: level %d, 0x%x: %s", (unsigned)tenants[i].saved, tenants[i].level,
                     tenants[i].number, client_error(tenants[i].client)->text);
        talloc_free(tenants[i].client);
    }
    assert_int_equal(client_wait(waits, 0, &event), ecNone);   /* it may stay open, or be told that nothing comes */
    client_wait_cancel(waits);
    assert_int_not_equal(client_fetch(waits), ecNone);
    server_cmdlet(f->server, arena, NULL, "New-Mailbox carol -Password %s", SERVER_PASSWORD);
    assert_non_null(server_logon(f->server, arena, "carol"));
    talloc_free(arena);
}

/* With every session open and some of them waiting. */
static void the_server_stops_cleanly(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < SESSIONS; i += 2)
        if (f->sessions[i].client && !f->sessions[i].failure[0])
            fine(&f->sessions[i], client_wait_begin(f->sessions[i].client), "begin to wait");
    nobody_has_failed(f);
    const int status = server_stop(f->server);
    if (status)
        print_error("%s\n", server_log(f->server, f->server));
    assert_int_equal(status, 0);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->server = server_start(NULL, NULL);
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < SESSIONS; i++)
        talloc_free(f->sessions[i].owner);
    talloc_free(f->server);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_sessions_at_once_meet_no_error_of_the_server),
        cmocka_unit_test(what_a_session_was_told_is_what_a_new_table_shows),
        cmocka_unit_test(the_counts_of_every_folder_are_those_of_its_table),
        cmocka_unit_test(who_works_in_a_mailbox_that_is_removed_is_refused),
        cmocka_unit_test(the_server_stops_cleanly),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("hammer", tests, start, stop);
}
