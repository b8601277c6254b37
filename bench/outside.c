/* SPDX-License-Identifier: Apache-2.0 */
/* outside SERVER PLAIN TLS MAILBOX_FILE MBOX: one client of the whole server, by the client library.  SERVER is HOST:PORT
 * where Autodiscover answers; PLAIN and TLS are the two listeners, http://HOST:PORT and https://HOST:PORT. */
#include "bench.h"
#include "bare.h"
#include "house.h"
#include "scene.h"

#include "client/mail.h"

/* Of healthcheck.htm, by this client, on the machines that the wanted rates were set for when nothing else runs there. */
#define USUAL_ANSWERS 16000

struct user {
    struct client *client;
    uint32_t logon, folder; /* handles */
    struct scene scenes[PAGE_ROWS];
    uint32_t count, next;
};

/* ---- signing in ---- */

static void need(struct client *c, enum ec ec, const char *what)
{
    if (ec)
        give_up("%s: %s", what, client_error(c)->level ? client_error(c)->text : ec_text(ec));
}

static struct client_options options_of(const char *server)
{
    const char *host = strstr(server, "://");
    return (struct client_options){ .server = server,
                                    .address = "alice@contoso.com",
                                    .password = BENCH_PASSWORD,
                                    .insecure = true,
                                    .connect_to = host ? host + 3 : server };
}

/* The listener's address with the path that Autodiscover has told. */
static const char *endpoint(TALLOC_CTX *arena, const char *listener, const char *url)
{
    const char *path = strstr(url, "://") ? strchr(strstr(url, "://") + 3, '/') : NULL;
    if (!path)
        give_up("Autodiscover names '%s'", url);
    return talloc_asprintf(arena, "%s%s", listener, path);
}

static struct user *user_new(TALLOC_CTX *owner, const char *listener, struct client *known)
{
    struct user *u = talloc_zero(owner, struct user);
    const struct client_discovery *found = client_discovery(known);
    struct client_options o = options_of(listener);
    o.legacy_dn = found->legacy_dn;
    o.emsmdb_url = endpoint(u, listener, client_url(known, CLIENT_EMSMDB));
    u->client = client_new(u, &o);
    need(u->client, client_connect(u->client), "Connect");
    need(u->client, client_logon(u->client, NULL), "RopLogon");
    u->logon = client_logon_handle(u->client);
    struct scene s = scene_folder(u, u->logon, STORE_FID(SPECIAL_INBOX));
    need(u->client, client_execute(u->client, u, s.rops, s.count), "Execute");
    u->folder = s.rops[0].out_handle;
    return u;
}

/* ---- steps ---- */

static void run_scene(struct user *u, TALLOC_CTX *arena, struct scene *s)
{
    need(u->client, client_execute(u->client, arena, s->rops, s->count), "Execute");
    need(u->client, client_check(u->client, s->rops, s->count), "a ROP");
}

static unsigned scene_step(void *arg)
{
    struct user *u = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct scene s = u->scenes[u->next++ % u->count];
    run_scene(u, arena, &s);
    talloc_free(arena);
    return 1;
}

static unsigned bare_step(void *arg)
{
    struct user *u = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct client_raw_answer answer;
    need(u->client,
         client_raw(u->client, arena,
                    &(struct client_raw){ .method = "GET", .url = "/mapi/healthcheck.htm", .anonymous = true },
                    &answer),
         "healthcheck.htm");
    if (answer.status != 200)
        give_up("healthcheck.htm: status %u", answer.status);
    talloc_free(arena);
    return 1;
}

static void add_scene(struct user *u, struct scene s)
{
    u->scenes[u->count++] = s;
}

static uint64_t folder_named(struct user *u, const char *name)
{
    uint64_t fid;
    need(u->client, client_folder_find(u->client, name, &fid), name);
    return fid;
}

/* ---- measures ---- */

static void measure_round_trips(TALLOC_CTX *arena, struct client *known, const char *listener, const char *what)
{
    struct user *u = user_new(arena, listener, known), *bare = user_new(arena, listener, known);
    add_scene(u, scene_light(u, u->folder));
    struct side sides[] = { { .what = "Execute", .step = scene_step, .arg = u },
                            { .what = "bare", .step = bare_step, .arg = bare } };
    take_turns(sides, COUNTOF(sides));
    print_beside(talloc_asprintf(arena, "light Execute, %s", what), &sides[0], "healthcheck.htm", &sides[1], NO_LIMIT);
}

static void measure_pages(TALLOC_CTX *arena, struct client *known, const char *listener)
{
    struct user *small = user_new(arena, listener, known), *large = user_new(arena, listener, known);
    add_scene(small, scene_page(small, small->logon, folder_named(small, SMALL_FOLDER)));
    add_scene(large, scene_page(large, large->logon, folder_named(large, LARGE_FOLDER)));
    struct side sides[] = { { .what = "small", .step = scene_step, .arg = small },
                            { .what = "large", .step = scene_step, .arg = large },
                            { .what = "bare", .step = bare_step, .arg = small } };
    take_turns(sides, COUNTOF(sides));
    const struct yard answers = { &sides[2], USUAL_ANSWERS };
    print_wanted("first page (50 rows) of 1,000 messages", &sides[0], 1310, &answers, 1);
    print_wanted("first page (50 rows) of 100,000 messages", &sides[1], 1310, &answers, 1);
    print_beside("  the same, level?", &sides[1], "of 1,000 messages", &sides[0], AT_LEAST(0.9));
}

static void measure_messages(TALLOC_CTX *arena, struct client *known, const char *listener, struct bare *bare,
                             const char *mbox)
{
    struct user *opens = user_new(arena, listener, known), *saves = user_new(arena, listener, known);
    const uint64_t fid = folder_named(opens, LARGE_FOLDER), drafts = STORE_FID(SPECIAL_DRAFTS);
    const struct mails *mails = mails_read(arena, mbox);
    struct scene page = scene_page(opens, opens->logon, fid);
    uint64_t mids[PAGE_ROWS];
    run_scene(opens, arena, &page);
    const uint32_t count = scene_mids(&page, mids);
    for (uint32_t i = 0; i < count; i++)
        add_scene(opens, scene_message(opens, opens->logon, fid, mids[i]));
    for (uint32_t i = 0; i < PAGE_ROWS; i++)
        add_scene(saves, scene_save(saves, saves->logon, drafts, mails, i));
    struct side sides[] = { { .what = "opens", .step = scene_step, .arg = opens },
                            { .what = "saves", .step = scene_step, .arg = saves },
                            { .what = "bare", .step = bare_step, .arg = opens },
                            { .what = "SQLite commits", .step = bare_commit, .arg = bare } };
    take_turns(sides, COUNTOF(sides));
    const struct yard yards[] = { { &sides[2], USUAL_ANSWERS }, { &sides[3], USUAL_COMMITS } };
    print_wanted("messages opened, with body", &sides[0], 4650, yards, 1);
    print_wanted("messages saved", &sides[1], 2400, yards, 2);
    print_beside("  the same", &sides[1], bare_commits(bare), &sides[3], NO_LIMIT);
}

int main(int argc, char **argv)
{
    if (argc != 6)
        give_up("usage: outside SERVER http://HOST:PORT https://HOST:PORT MAILBOX_FILE MBOX");
    TALLOC_CTX *arena = talloc_new(NULL);
    struct bare *bare = bare_open(arena, argv[4]);
    const struct client_options o = options_of(argv[1]);
    struct client *known = client_new(arena, &o);
    need(known, client_discover(known), "Autodiscover");
    print_title("Over the network: one client of the whole server");
    measure_round_trips(arena, known, argv[2], "plain HTTP");
    measure_round_trips(arena, known, argv[3], "TLS");
    measure_pages(arena, known, argv[2]);
    measure_messages(arena, known, argv[2], bare, argv[5]);
    talloc_free(arena);
    return 0;
}
