/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that once an hour goes through all mailboxes for what was deleted softly longer ago than its mailbox
 * database keeps it (Set-MailboxDatabase -DeletedItemRetention).  A mailbox is locked for a few items at a time. */
#include <time.h>

#include "session/internal.h"

enum { FIRST_SECONDS = 60, EVERY_SECONDS = 3600, AT_ONCE = 50 };

struct upkeep {
    struct sessions *sessions;
    struct org *org;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    atomic_bool stop;
};

static enum ec purge_mailbox(struct store_pool *pool, const struct account *a, uint64_t before, const atomic_bool *stop)
{
    struct store *store;
    bool more = true;
    enum ec ec = store_get(pool, a->store_url, a->mailbox_guid, &store);
    if (ec)
        return ec;
    while (!ec && more && !atomic_load(stop)) {
        store_lock(store);
        ec = store_purge(store, before, AT_ONCE, &more);
        store_unlock(store);
    }
    store_put(store);
    return ec;
}

void upkeep_walk(struct sessions *all, struct org *org, uint64_t now, const atomic_bool *stop)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct org_settings *settings = org_settings(org, arena);
    const struct account_list *list = directory_list(all->directory, arena, ACCOUNTS_ALL);
    for (size_t i = 0; i < list->count && !atomic_load(stop); i++) {
        const struct account *a = list->accounts[i];
        const struct org_database *database = org_database_by_guid(settings, a->database_guid);
        const uint64_t kept = database ? (uint64_t)database->deleted_item_retention * 10000000 : now;
        const enum ec ec = purge_mailbox(all->stores, a, now - kept, stop);
        if (ec)
            log_line(LOG_WARNING, "upkeep", "mailbox of %s: %s", a->primary_smtp, ec_text(ec));
    }
    talloc_free(arena);
}

static void *run(void *arg)
{
    struct upkeep *u = arg;
    time_t wait = FIRST_SECONDS;
    pthread_mutex_lock(&u->lock);
    while (!u->stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += wait;
        if (!pthread_cond_timedwait(&u->wake, &u->lock, &until) || u->stop)
            continue;
        pthread_mutex_unlock(&u->lock);
        upkeep_walk(u->sessions, u->org, filetime_now(), &u->stop);
        pthread_mutex_lock(&u->lock);
        wait = EVERY_SECONDS;
    }
    pthread_mutex_unlock(&u->lock);
    return NULL;
}

struct upkeep *upkeep_start(TALLOC_CTX *owner, struct sessions *all, struct org *org)
{
    struct upkeep *u = talloc_zero(owner, struct upkeep);
    u->sessions = all;
    u->org = org;
    pthread_mutex_init(&u->lock, NULL);
    pthread_cond_init(&u->wake, NULL);
    if (pthread_create(&u->thread, NULL, run, u) == 0)
        return u;
    log_line(LOG_WARNING, "upkeep", "no thread for it: what was deleted is kept until the next start");
    talloc_free(u);
    return NULL;
}

void upkeep_stop(struct upkeep *u)
{
    if (!u)
        return;
    pthread_mutex_lock(&u->lock);
    u->stop = true;
    pthread_cond_signal(&u->wake);
    pthread_mutex_unlock(&u->lock);
    pthread_join(u->thread, NULL);
    pthread_cond_destroy(&u->wake);
    pthread_mutex_destroy(&u->lock);
}
