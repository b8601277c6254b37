/* SPDX-License-Identifier: Apache-2.0 */
/* Cached mode against a whole server: random changes in a local copy and in the mailbox itself, conflicting ones too, with
 * connections that break anywhere.  After each round both hold the same, and what a model of the mailbox says: nothing is
 * lost, nothing is there twice, nothing comes back.  A failure prints its seed; OXCART_SEED runs it again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "cache.h"
#include "server.h"

enum { MESSAGES_MAX = 4000, FOLDERS_MAX = 400, ROUNDS = 40, CHANGES = 40, PASSES = 20, LIVE_FOLDERS = 6 };
enum { BEEN_MAX = 8 };
enum { READ = 0x1, CLEAR_READ = 0x4, DELETE_ALL = 0x01 | 0x04 | 0x10 };

/* Who has done what to it in this round. */
enum { EDITED = 1, FLAGGED = 2, MOVED = 4, DELETED = 8, CREATED = 16 };
struct truth {
    unsigned version, others_version;            /* as the cache and as the server have made it */
    unsigned before;                             /* the round: what is contested may stay that */
    unsigned folder, been[BEEN_MAX], been_count; /* now, and before in this round */
    bool alive, read;
    unsigned by_cache, by_server;
};
struct truth_folder {
    bool alive;
    unsigned renamed, by_cache, by_server;
};
struct fixture {
    struct server *server;
    TALLOC_CTX *round; /* of one round */
    struct client *online;
    struct cache *cache;
    uint64_t seed, random;
    struct truth messages[MESSAGES_MAX];
    struct truth_folder folders[FOLDERS_MAX];
    unsigned message_count, folder_count;
};

static unsigned chance(struct fixture *f, unsigned below)
{
    f->random = f->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(f->random >> 33) % below;
}

#define MUST(f, call)                                                                                                  \
    do {                                                                                                               \
        const enum ec must_ = (call);                                                                                  \
        if (must_)                                                                                                     \
            fail_msg("seed %llu: %s: %s", (unsigned long long)(f)->seed, #call, ec_name(must_));                       \
    } while (0)

/* ---- both sides as lists of lines ---- */

struct line {
    const char *folder; /* path */
    unsigned number, version;
    bool read;
    uint64_t fid, mid; /* of the server's */
    struct cached_message *cached;
};
struct view {
    struct line *lines;
    unsigned count;
    struct client_folder *folders;
    uint32_t folder_count;
};

static int by_number(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    return x->number != y->number ? (x->number < y->number ? -1 : 1) : strcmp(x->folder, y->folder);
}

static void sort_lines(struct view *v)
{
    if (v->count)
        qsort(v->lines, v->count, sizeof *v->lines, by_number);
}

static void add_line(struct fixture *f, struct view *v, const char *subject, struct line line)
{
    if (sscanf(subject, "%u v%u", &line.number, &line.version) != 2)
        fail_msg("seed %llu: a message with the subject '%s'", (unsigned long long)f->seed, subject);
    v->lines = talloc_realloc(f->round, v->lines, struct line, v->count + 1);
    v->lines[v->count++] = line;
}

static struct view server_view(struct fixture *f)
{
    static const uint32_t columns[] = { PidTagMid, PidTagSubject, PidTagMessageFlags };
    struct view v = { 0 };
    MUST(f, client_folders(f->online, f->round, 0, &v.folders, &v.folder_count));
    for (uint32_t i = 0; i < v.folder_count; i++) {
        struct props *rows;
        uint32_t count;
        MUST(f, client_messages(f->online, f->round, v.folders[i].fid, columns, COUNTOF(columns), 0, MESSAGES_MAX,
                                &rows, &count, NULL));
        for (uint32_t k = 0; k < count; k++)
            add_line(f, &v, rows[k].values[1].str,
                     (struct line){ .folder = v.folders[i].path,
                                    .read = rows[k].values[2].u32 & READ,
                                    .fid = v.folders[i].fid,
                                    .mid = rows[k].values[0].u64 });
    }
    sort_lines(&v);
    return v;
}

static const char *cached_path(struct fixture *f, const struct cached_folder *folder)
{
    const struct cached_folder *parent = folder->parent.size ? cache_folder(f->cache, folder->parent) : NULL;
    return parent ? talloc_asprintf(f->round, "%s/%s", cached_path(f, parent), folder->name) : folder->name;
}

static struct view cache_view(struct fixture *f)
{
    struct view v = { 0 };
    for (const struct cached_folder *folder = f->cache->folders; folder; folder = folder->next)
        v.folder_count++;
    for (struct cached_message *m = f->cache->messages; m; m = m->next) {
        const struct cached_folder *folder = cache_folder(f->cache, m->folder);
        if (!folder)
            fail_msg("seed %llu: '%s' is in a folder that the cache does not have", (unsigned long long)f->seed,
                     m->subject);
        add_line(f, &v, m->subject, (struct line){ .folder = cached_path(f, folder), .read = m->read, .cached = m });
    }
    sort_lines(&v);
    return v;
}

static void print_line(const char *side, const struct line *l)
{
    print_error("%s: %s/%u v%u%s\n", side, l->folder, l->number, l->version, l->read ? ", read" : "");
}

static bool same(const struct line *a, const struct line *b)
{
    return a->number == b->number && a->version == b->version && a->read == b->read &&
           strcmp(a->folder, b->folder) == 0;
}

static void both_are_the_same(struct fixture *f, const struct view *server, const struct view *cache)
{
    unsigned s = 0, c = 0, differences = 0;
    while (s < server->count || c < cache->count) {
        const struct line *a = s < server->count ? &server->lines[s] : NULL,
                          *b = c < cache->count ? &cache->lines[c] : NULL;
        const int order = !a ? 1 : !b ? -1 : by_number(a, b);
        if (order == 0 && same(a, b)) {
            s++, c++;
            continue;
        }
        differences++;
        if (order <= 0)
            print_line("server", &server->lines[s++]);
        if (order >= 0)
            print_line("cache ", &cache->lines[c++]);
    }
    if (server->folder_count != cache->folder_count) {
        print_error("%u folders on the server, %u in the cache\n", server->folder_count, cache->folder_count);
        differences++;
    }
    if (differences)
        fail_msg("seed %llu: the two sides differ", (unsigned long long)f->seed);
}

/* ---- the model ---- */

static unsigned folder_number(const char *path)
{
    const char *name = strrchr(path, '/');
    unsigned number = 0;
    return sscanf(name ? name + 1 : path, "F%u", &number) == 1 ? number : 0; /* 0: the Inbox */
}

static bool folder_is_unsure(const struct fixture *f, unsigned folder)
{
    return folder && (!f->folders[folder].alive || f->folders[folder].by_cache & DELETED ||
                      f->folders[folder].by_server & DELETED);
}

/* It is, or was in this round, where a folder was deleted: whoever wins, it may be gone, or back where it came from. */
static bool is_unsure(const struct fixture *f, const struct truth *t)
{
    bool unsure = folder_is_unsure(f, t->folder) || t->been_count == BEEN_MAX;
    for (unsigned i = 0; i < t->been_count; i++)
        unsure |= folder_is_unsure(f, t->been[i]);
    return unsure;
}

static void go(struct truth *t, const char *path)
{
    if (t->been_count < BEEN_MAX)
        t->been[t->been_count++] = t->folder;
    t->folder = folder_number(path);
}

static const struct line *line_of(struct fixture *f, const struct view *v, unsigned number)
{
    const struct line *found = NULL;
    for (unsigned i = 0; i < v->count; i++)
        if (v->lines[i].number == number) {
            if (found)
                fail_msg("seed %llu: message %u is there twice", (unsigned long long)f->seed, number);
            found = &v->lines[i];
        }
    return found;
}

static void wrong(struct fixture *f, unsigned number, const char *what)
{
    const struct truth *t = &f->messages[number];
    fail_msg("seed %llu: message %u %s (v%u/v%u, folder F%u, the cache has done %x, the server %x)",
             (unsigned long long)f->seed, number, what, t->version, t->others_version, t->folder, t->by_cache,
             t->by_server);
}

static void judge_message(struct fixture *f, const struct view *v, unsigned number)
{
    struct truth *t = &f->messages[number];
    const struct line *l = line_of(f, v, number);
    const unsigned all = t->by_cache | t->by_server;
    const bool contested = t->by_cache && t->by_server;
    const bool away = is_unsure(f, t), unsure = away || (contested && all & DELETED);
    if (!contested && !away && all & DELETED && l)
        wrong(f, number, "has come back");
    if (t->alive && !unsure && !(all & DELETED) && !l)
        wrong(f, number, "is lost");
    const bool made = l && (away ? l->version >= t->before && l->version <= MAX(t->version, t->others_version)
                                 : l->version == t->version || l->version == t->others_version ||
                                       (contested && l->version == t->before));
    if (l && !made)
        wrong(f, number, "has a version that nobody made last");
    if (l && !contested && !unsure && folder_number(l->folder) != t->folder)
        wrong(f, number, "is in the wrong folder");
    const bool told = !(all & CREATED) || all & FLAGGED; /* a new message is as read as its maker's server thinks */
    if (l && !contested && !away && told && l->read != t->read)
        wrong(f, number, "has the wrong read flag");
    t->alive = l;
    t->been_count = 0;
    t->by_cache = t->by_server = 0;
    if (l) {
        t->version = t->others_version = t->before = l->version;
        t->folder = folder_number(l->folder);
        t->read = l->read;
    }
}

static void judge(struct fixture *f)
{
    const struct view server = server_view(f), cache = cache_view(f);
    both_are_the_same(f, &server, &cache);
    for (unsigned i = 1; i <= f->message_count; i++)
        judge_message(f, &server, i);
    for (unsigned i = 1; i <= f->folder_count; i++)
        f->folders[i] = (struct truth_folder){ .renamed = f->folders[i].renamed };
    for (uint32_t i = 0; i < server.folder_count; i++)
        f->folders[folder_number(server.folders[i].path)].alive = true;
}

/* ---- changes on the server ---- */

static void server_set(struct fixture *f, uint64_t fid, uint64_t mid, const char *subject)
{
    uint32_t message;
    const struct prop values[] = { P_STR(PidTagSubject, subject), P_STR(PidTagMessageClass, "IPM.Note") };
    MUST(f, mid ? client_message_open(f->online, fid, mid, true, &message)
                : client_message_create(f->online, fid, &message));
    MUST(f, client_set(f->online, message, values, mid ? 1 : 2));
    MUST(f, client_message_save(f->online, message, NULL));
    client_release(f->online, message);
}

static void server_read(struct fixture *f, const struct line *l, bool read)
{
    const struct RopSetReadFlagsRequest request = { .ReadFlags = read ? 0 : CLEAR_READ,
                                                    .MessageIdCount = 1,
                                                    .MessageIds = &l->mid };
    uint32_t folder;
    MUST(f, client_folder_open(f->online, l->fid, &folder));
    MUST(f, client_call(f->online, f->round, RopSetReadFlags, folder, &request, NULL, NULL));
    client_release(f->online, folder);
}

static void server_move(struct fixture *f, const struct line *l, uint64_t to)
{
    const struct RopOpenFolderRequest source = { l->fid, 0 }, destination = { to, 0 };
    const struct RopMoveCopyMessagesRequest move = { 1, &l->mid, false, false };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(f->online), .request = &source },
        { .id = RopOpenFolder, .handle = client_logon_handle(f->online), .request = &destination },
        { .id = RopMoveCopyMessages, .from = OUTPUT_OF(0), .destination_from = OUTPUT_OF(1), .request = &move },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
        { .id = RopRelease, .from = OUTPUT_OF(1) },
    };
    MUST(f, client_execute(f->online, f->round, rops, COUNTOF(rops)));
    MUST(f, client_check(f->online, rops, COUNTOF(rops)));
}

static const char *subject_of(struct fixture *f, unsigned number, unsigned version)
{
    return talloc_asprintf(f->round, "%u v%u", number, version);
}

static unsigned new_message(struct fixture *f, unsigned folder)
{
    assert_true(f->message_count + 1 < MESSAGES_MAX);
    f->messages[++f->message_count] =
        (struct truth){ .version = 1, .others_version = 1, .before = 1, .folder = folder, .alive = true };
    return f->message_count;
}

static const struct client_folder *some_server_folder(struct fixture *f, const struct view *v)
{
    for (;;) {
        const struct client_folder *folder = &v->folders[chance(f, v->folder_count)];
        if (folder_number(folder->path) || strcmp(folder->path, "Inbox") == 0)
            return folder;
    }
}

static void server_message_change(struct fixture *f)
{
    const struct view v = server_view(f);
    const struct client_folder *folder = some_server_folder(f, &v);
    const struct line *l = v.count ? &v.lines[chance(f, v.count)] : NULL;
    struct truth *t = l ? &f->messages[l->number] : NULL;
    switch (l ? chance(f, 6) : 0) {
    case 0:
    case 1: {
        const unsigned number = new_message(f, folder_number(folder->path));
        server_set(f, folder->fid, 0, subject_of(f, number, 1));
        f->messages[number].by_server = CREATED;
        break;
    }
    case 2:
        t->others_version = t->by_cache & EDITED ? MAX(t->version, t->others_version) + 1 : t->others_version + 1;
        if (!(t->by_cache & EDITED))
            t->version = t->others_version;
        server_set(f, l->fid, l->mid, subject_of(f, l->number, t->others_version));
        t->by_server |= EDITED;
        break;
    case 3:
        t->read = !l->read;
        server_read(f, l, t->read);
        t->by_server |= FLAGGED;
        break;
    case 4:
        server_move(f, l, folder->fid);
        go(t, folder->path);
        t->by_server |= MOVED;
        break;
    default: MUST(f, client_message_delete(f->online, l->fid, l->mid)); t->by_server |= DELETED;
    }
}

static unsigned new_folder(struct fixture *f)
{
    assert_true(f->folder_count + 1 < FOLDERS_MAX);
    f->folders[++f->folder_count] = (struct truth_folder){ .alive = true };
    return f->folder_count;
}

static void server_delete_folder(struct fixture *f, const struct client_folder *folder)
{
    const struct RopDeleteFolderRequest request = { DELETE_ALL, folder->fid };
    uint32_t parent;
    MUST(f, client_folder_open(f->online, client_logon_response(f->online)->FolderIds.IpmSubtree, &parent));
    MUST(f, client_call(f->online, f->round, RopDeleteFolder, parent, &request, NULL, NULL));
    client_release(f->online, parent);
}

static void server_rename_folder(struct fixture *f, const struct client_folder *folder, unsigned number)
{
    uint32_t handle;
    const char *name = talloc_asprintf(f->round, "F%u n%u", number, ++f->folders[number].renamed);
    MUST(f, client_folder_open(f->online, folder->fid, &handle));
    MUST(f, client_set(f->online, handle, &P_STR(PidTagDisplayName, name), 1));
    client_release(f->online, handle);
}

static void server_folder_change(struct fixture *f)
{
    const struct view v = server_view(f);
    const struct client_folder *folder = some_server_folder(f, &v);
    const unsigned number = folder_number(folder->path);
    uint64_t fid;
    if (!number || v.folder_count < LIVE_FOLDERS) {
        const unsigned made = new_folder(f);
        MUST(f, client_folder_create(f->online, client_logon_response(f->online)->FolderIds.IpmSubtree,
                                     talloc_asprintf(f->round, "F%u", made), &fid));
        f->folders[made].by_server = CREATED;
    } else if (chance(f, 2)) {
        server_rename_folder(f, folder, number);
    } else {
        server_delete_folder(f, folder);
        f->folders[number].by_server |= DELETED;
    }
}

/* ---- changes in the cache ---- */

static struct cached_folder *some_cached_folder(struct fixture *f)
{
    for (;;) {
        unsigned skip = chance(f, 60);
        struct cached_folder *folder = f->cache->folders;
        for (; skip && folder; skip--)
            folder = folder->next;
        if (folder && (folder_number(folder->name) || strcmp(folder->name, "Inbox") == 0))
            return folder;
    }
}

static void cache_message_change(struct fixture *f)
{
    const struct view v = cache_view(f);
    struct cached_folder *folder = some_cached_folder(f);
    const struct line *l = v.count ? &v.lines[chance(f, v.count)] : NULL;
    struct truth *t = l ? &f->messages[l->number] : NULL;
    switch (l ? chance(f, 6) : 0) {
    case 0:
    case 1: {
        const unsigned number = new_message(f, folder_number(folder->name));
        cache_create(f->cache, folder, subject_of(f, number, 1));
        f->messages[number].by_cache = CREATED;
        break;
    }
    case 2:
        t->version = t->by_server & EDITED ? MAX(t->version, t->others_version) + 1 : t->version + 1;
        if (!(t->by_server & EDITED))
            t->others_version = t->version;
        cache_edit(f->cache, l->cached, subject_of(f, l->number, t->version));
        t->by_cache |= EDITED;
        break;
    case 3:
        t->read = !l->read;
        cache_read(f->cache, l->cached, t->read);
        t->by_cache |= FLAGGED;
        break;
    case 4:
        cache_move(f->cache, l->cached, folder);
        go(t, folder->name);
        t->by_cache |= MOVED;
        break;
    default: cache_delete(f->cache, l->cached, chance(f, 2)); t->by_cache |= DELETED;
    }
}

static void cache_folder_change(struct fixture *f)
{
    struct cached_folder *folder = some_cached_folder(f);
    const unsigned number = folder_number(folder->name);
    if (!number) {
        const unsigned made = new_folder(f);
        cache_create_folder(f->cache, NULL, talloc_asprintf(f->round, "F%u", made));
        f->folders[made].by_cache = CREATED;
    } else if (chance(f, 2)) {
        cache_rename_folder(f->cache, folder,
                            talloc_asprintf(f->round, "F%u n%u", number, ++f->folders[number].renamed));
    } else {
        cache_delete_folder(f->cache, folder);
        f->folders[number].by_cache |= DELETED;
    }
}

/* ---- rounds ---- */

static void some_change(struct fixture *f)
{
    switch (chance(f, 20)) {
    case 0: server_folder_change(f); break;
    case 1: cache_folder_change(f); break;
    default:
        if (chance(f, 2))
            server_message_change(f);
        else
            cache_message_change(f);
    }
}

/* Until nothing is pending, with at most one break a pass; then once more, since what went up last may bring news. */
static void bring_in_step(struct fixture *f, bool breaks)
{
    enum ec ec = ecCancel;
    for (unsigned i = 0; i < PASSES && ec == ecCancel; i++) {
        f->cache->cut_after = breaks && i + 5 < PASSES ? 1 + chance(f, 12) : 0;
        ec = cache_sync(f->cache);
    }
    f->cache->cut_after = 0;
    if (!ec)
        ec = cache_sync(f->cache);
    if (ec)
        fail_msg("seed %llu: %s, %s", (unsigned long long)f->seed, ec_name(ec), client_error(f->cache->client)->text);
}

static void rounds(struct fixture *f, uint64_t seed, unsigned count, bool breaks)
{
    f->seed = f->random = seed;
    for (unsigned i = 0; i < count; i++) {
        f->round = talloc_new(NULL);
        for (unsigned k = chance(f, CHANGES); k; k--)
            some_change(f);
        bring_in_step(f, breaks);
        judge(f);
        talloc_free(f->round);
    }
}

static uint64_t seed_of(uint64_t otherwise)
{
    const char *given = getenv("OXCART_SEED");
    return given ? strtoull(given, NULL, 10) : otherwise;
}

static unsigned round_count(void)
{
    const char *sizes = getenv("OXCART_SIZES");
    return sizes && strcmp(sizes, "small") == 0 ? ROUNDS / 4 : ROUNDS;
}

static void after_every_round_both_sides_hold_the_same(void **state)
{
    rounds(*state, seed_of((uint64_t)filetime_now()), round_count(), false);
}

static void a_connection_that_breaks_anywhere_loses_and_doubles_nothing(void **state)
{
    rounds(*state, seed_of((uint64_t)filetime_now()), round_count(), true);
}

static void what_was_synchronised_does_not_come_again(void **state)
{
    struct fixture *f = *state;
    f->cache->downloaded = 0;
    assert_int_equal(cache_sync(f->cache), ecNone);
    assert_int_equal(f->cache->downloaded, 0);
}

/* ---- a large mailbox ---- */

enum { IN_A_FOLDER = 1000, BIG_FOLDERS = 100, SMALL_FOLDERS = 3 };
struct large {
    struct fixture *f;
    struct client *client;
    unsigned folders;
    uint64_t fids[BIG_FOLDERS];
    struct sync_state states[BIG_FOLDERS];
    unsigned came[IN_A_FOLDER + 1]; /* of the folder under way, by number */
    unsigned total, deleted;
};

static enum ec note_message(void *arg, const struct sync_message *m)
{
    struct large *l = arg;
    unsigned number = 0;
    const struct prop *subject = prop_find(m->props.values, m->props.count, PidTagSubject);
    if (!subject)
        subject = prop_find(m->props.values, m->props.count, PidTagNormalizedSubject);
    if (!subject || sscanf(subject->str, "%u v1", &number) != 1 || number > IN_A_FOLDER)
        number = 0;
    l->came[number]++;
    l->total++;
    return ecNone;
}

static enum ec note_deleted(void *arg, const struct idset *ids)
{
    ((struct large *)arg)->deleted += (unsigned)idset_size(ids);
    return ecNone;
}

static void synchronise_folder(struct large *l, unsigned which)
{
    static const struct sync_taker taker = { .message = note_message, .deleted = note_deleted };
    const struct sync_scope scope = { .type = SYNC_CONTENTS, .flags = SYNC_EVERYTHING, .extra = SYNC_EID };
    uint32_t folder;
    memset(l->came, 0, sizeof l->came);
    MUST(l->f, client_folder_open(l->client, l->fids[which], &folder));
    MUST(l->f, client_sync(l->client, l->f->round, folder, &scope, &l->states[which], &taker, l));
    client_release(l->client, folder);
}

static void synchronise_all(struct large *l, unsigned of_each)
{
    l->total = l->deleted = 0;
    for (unsigned i = 0; i < l->folders; i++) {
        synchronise_folder(l, i);
        for (unsigned n = 1; n <= IN_A_FOLDER; n++)
            assert_int_equal(l->came[n], of_each);
    }
}

static void fill_first_folder(struct large *l)
{
    MUST(l->f, client_folder_create(l->client, client_logon_response(l->client)->FolderIds.IpmSubtree, "L1", &l->fids[0]));
    for (unsigned n = 1; n <= IN_A_FOLDER; n++) {
        TALLOC_CTX *arena = talloc_new(NULL);
        uint32_t message;
        const struct prop values[] = { P_STR(PidTagMessageClass, "IPM.Note"),
                                       P_STR(PidTagSubject, talloc_asprintf(arena, "%u v1", n)),
                                       P_STR(PidTagBody, "A text that says nothing, in every one of them.") };
        MUST(l->f, client_message_create(l->client, l->fids[0], &message));
        MUST(l->f, client_set(l->client, message, values, COUNTOF(values)));
        MUST(l->f, client_message_save(l->client, message, NULL));
        client_release(l->client, message);
        talloc_free(arena);
    }
}

static void copy_first_folder(struct large *l, unsigned to)
{
    const uint64_t top = client_logon_response(l->client)->FolderIds.IpmSubtree;
    const char *name = talloc_asprintf(l->f->round, "L%u", to + 1);
    const struct RopOpenFolderRequest open = { .FolderId = top };
    const struct RopCopyFolderRequest copy = { .UseUnicode = 1, .FolderId = l->fids[0], .NewFolderName = name };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(l->client), .request = &open },
        { .id = RopCopyFolder, .from = OUTPUT_OF(0), .destination_from = OUTPUT_OF(0), .request = &copy },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
    };
    MUST(l->f, client_execute(l->client, l->f->round, rops, COUNTOF(rops)));
    MUST(l->f, client_check(l->client, rops, COUNTOF(rops)));
    MUST(l->f, client_folder_find(l->client, name, &l->fids[to]));
}

/* 100,000 messages in the plain build. */
static void a_large_mailbox_comes_whole_and_afterwards_only_what_has_changed(void **state)
{
    struct fixture *f = *state;
    const char *sizes = getenv("OXCART_SIZES");
    f->round = talloc_new(NULL);
    struct large *l = talloc_zero(f->round, struct large);
    l->f = f;
    l->client = server_logon(f->server, l, "bob");
    l->folders = sizes && strcmp(sizes, "big") == 0 ? BIG_FOLDERS : SMALL_FOLDERS;
    fill_first_folder(l);
    for (unsigned i = 1; i < l->folders; i++)
        copy_first_folder(l, i);
    synchronise_all(l, 1);
    assert_int_equal(l->total, l->folders * IN_A_FOLDER);
    synchronise_all(l, 0);
    assert_int_equal(l->total + l->deleted, 0);
    f->online = l->client;
    server_set(f, l->fids[1], 0, "1 v1");
    server_set(f, l->fids[2], 0, "2 v1");
    f->online = NULL;
    l->total = 0;
    for (unsigned i = 0; i < l->folders; i++)
        synchronise_folder(l, i);
    assert_int_equal(l->total, 2);
    talloc_free(f->round);
}

static int start(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    f->server = server_start(NULL, NULL);
    f->round = talloc_new(NULL);
    f->online = server_logon(f->server, f->server, "alice");
    f->cache = cache_new(f->server, server_logon(f->server, f->server, "alice"));
    const enum ec ec = cache_sync(f->cache);
    if (ec)
        print_error("first synchronisation: %s: %s\n", ec_name(ec), client_error(f->cache->client)->text);
    talloc_free(f->round);
    *state = f;
    return ec != ecNone;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    talloc_free(f->server);
    free(f);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(after_every_round_both_sides_hold_the_same),
        cmocka_unit_test(a_connection_that_breaks_anywhere_loses_and_doubles_nothing),
        cmocka_unit_test(what_was_synchronised_does_not_come_again),
        cmocka_unit_test(a_large_mailbox_comes_whole_and_afterwards_only_what_has_changed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("synchronisation", tests, start, stop);
}
