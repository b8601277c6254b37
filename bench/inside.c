/* SPDX-License-Identifier: Apache-2.0 */
/* inside DATA_DIR MBOX: the store and the ROP engine in one process, without a transport, on folders that `fill` has
 * made.  Prints rates beside bare SQLite and beside the goals. */
#include "bench.h"
#include "bare.h"
#include "house.h"
#include "scene.h"

#include "transport/transport.h"

enum { MESSAGES = 8 * PAGE_ROWS };

/* ---- deliveries and saves ---- */

struct delivery {
    struct house *house;
    const struct mails *mails;
    uint64_t fid;
    uint32_t n;
    struct transport *transport;
};

static unsigned deliver(void *arg)
{
    struct delivery *d = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    store_lock(d->house->store);
    must(store_message_deliver(mail_message(arena, d->house->store, d->fid, d->mails, d->n++), d->fid, NULL),
         "a delivery");
    store_unlock(d->house->store);
    talloc_free(arena);
    return 1;
}

/* As a mail comes in: parsed, and then the same. */
static unsigned deliver_mail(void *arg)
{
    struct delivery *d = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    enum ec result;
    transport_deliver(d->transport, mail_rfc5322(arena, d->mails, d->n++), "sender@example.org", &d->house->account, 1,
                      &result);
    must(result, "a delivery");
    talloc_free(arena);
    return 1;
}

static struct transport *open_transport(struct house *h)
{
    struct transport *transport;
    char *why = "";
    const struct transport_config config = { .org = h->org,
                                             .directory = h->directory,
                                             .stores = sessions_stores(h->sessions) };
    if (transport_open(&transport, h, &config, &why))
        give_up("the transport: %s", why);
    return transport;
}

static const char *store_file_of(struct house *h)
{
    char guid[GUID_TEXT_SIZE];
    return talloc_asprintf(h, "%s/%s.db", h->account->store_url + strlen("sqlite:"),
                           guid_text(h->account->mailbox_guid, guid));
}

static void measure_deliveries(struct house *h, const struct mails *mails, struct bare *bare)
{
    struct delivery into = { h, mails, STORE_FID(SPECIAL_INBOX), 0, open_transport(h) };
    struct side sides[] = { { .what = "deliveries", .step = deliver, .arg = &into },
                            { .what = "mails", .step = deliver_mail, .arg = &into },
                            { .what = "commits", .step = bare_commit, .arg = bare } };
    take_turns(sides, COUNTOF(sides));
    print_beside("messages delivered into the store", &sides[0], bare_commits(bare), &sides[2], NO_LIMIT);
    print_beside("mails parsed and delivered", &sides[1], bare_commits(bare), &sides[2], NO_LIMIT);
    transport_close(into.transport);
}

/* ---- lists of ROPs ---- */

struct lists {
    struct house *house;
    struct list all[MESSAGES];
    unsigned count, next;
};

static unsigned run_next(void *arg)
{
    struct lists *l = arg;
    house_run(l->house, &l->all[l->next++ % l->count]);
    return 1;
}

static void add_list(struct lists *l, struct scene s)
{
    l->all[l->count++] = house_list(l->house, l->house, s.rops, s.count);
}

static void measure_pages(struct house *h, struct bare *bare)
{
    struct lists small = { .house = h }, large = { .house = h };
    add_list(&small, scene_page(h->arena, h->logon, house_folder(h, SMALL_FOLDER)));
    add_list(&large, scene_page(h->arena, h->logon, house_folder(h, LARGE_FOLDER)));
    struct side sides[] = { { .what = "small", .step = run_next, .arg = &small },
                            { .what = "large", .step = run_next, .arg = &large },
                            { .what = "SQLite", .step = bare_page, .arg = bare } };
    take_turns(sides, COUNTOF(sides));
    const struct yard pages = { &sides[2], USUAL_PAGES };
    print_wanted("first page (50 rows) of 1,000 messages", &sides[0], 1310, &pages, 1);
    print_wanted("first page (50 rows) of 100,000 messages", &sides[1], 1310, &pages, 1);
    print_beside("  the same", &sides[1], "SQLite pages of the rows", &sides[2], NO_LIMIT);
    print_beside("  the same, level?", &sides[1], "of 1,000 messages", &sides[0], AT_LEAST(0.9));
}

static void measure_messages(struct house *h, const struct mails *mails, struct bare *bare)
{
    const uint64_t fid = house_folder(h, LARGE_FOLDER), drafts = STORE_FID(SPECIAL_DRAFTS);
    struct lists opens = { .house = h }, saves = { .house = h };
    uint64_t mids[PAGE_ROWS];
    struct scene page = scene_page(h->arena, h->logon, fid);
    house_list(h, h->arena, page.rops, page.count);
    const uint32_t count = scene_mids(&page, mids);
    for (uint32_t i = 0; i < count; i++)
        add_list(&opens, scene_message(h->arena, h->logon, fid, mids[i]));
    for (uint32_t i = 0; i < PAGE_ROWS; i++)
        add_list(&saves, scene_save(h->arena, h->logon, drafts, mails, i));
    struct side sides[] = { { .what = "opens", .step = run_next, .arg = &opens },
                            { .what = "SQLite pages", .step = bare_page, .arg = bare },
                            { .what = "saves", .step = run_next, .arg = &saves },
                            { .what = "SQLite commits", .step = bare_commit, .arg = bare } };
    take_turns(sides, COUNTOF(sides));
    print_wanted("messages opened, with body", &sides[0], 4650, &(struct yard){ &sides[1], USUAL_PAGES }, 1);
    print_wanted("messages saved", &sides[2], 2400, &(struct yard){ &sides[3], USUAL_COMMITS }, 1);
    print_beside("  the same", &sides[2], bare_commits(bare), &sides[3], NO_LIMIT);
}

int main(int argc, char **argv)
{
    if (argc != 3)
        give_up("usage: inside DATA_DIR MBOX");
    struct house *h = house_open(argv[1], "alice@contoso.com");
    const struct mails *mails = mails_read(h, argv[2]);
    struct bare *bare = bare_open(h->arena, store_file_of(h));
    print_title("In one process, by the ROP engine");
    measure_deliveries(h, mails, bare);
    measure_pages(h, bare);
    measure_messages(h, mails, bare);
    talloc_free(bare);
    house_close(h);
    return 0;
}
