/* SPDX-License-Identifier: Apache-2.0 */
/* The mailboxes that this process has open.  A reference costs a few hundred bytes; the connection to the database is
 * made when somebody works with the mailbox, and the longest idle ones are closed when there are too many.
 * Locks: a store's, then the pool's, which nobody holds while they wait for a store's. */
#include "store/pool.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "store/search.h"
#include "store/worker.h"

enum { BUCKETS = 256, CONNECTIONS = 64 };

struct store_pool {
    pthread_mutex_t lock;
    struct store *buckets[BUCKETS];
    store_watch *watch;
    void *arg;
    struct worker *worker; /* NULL: nothing was to be done yet */
    bool closing;
    _Atomic unsigned connected, keep;
};

static struct store **bucket_of(struct store_pool *pool, struct guid mailbox)
{
    return &pool->buckets[mailbox.bytes[0] ^ mailbox.bytes[15]];
}

/* ---- where a mailbox lies ---- */

const char *store_file(const char *url)
{
    return text_is_prefix(url, "sqlite:") ? url + strlen("sqlite:") : NULL;
}

char *store_url(TALLOC_CTX *arena, const char *database_url, struct guid mailbox)
{
    char name[GUID_TEXT_SIZE];
    return store_file(database_url) ? talloc_asprintf(arena, "%s/%s.db", database_url, guid_text(mailbox, name))
                                    : talloc_strdup(arena, database_url);
}

/* ---- one store ---- */

static void store_disconnect(struct store *st)
{
    if (st->db && st->in_pool.pool)
        atomic_fetch_sub(&st->in_pool.pool->connected, 1);
    TALLOC_FREE(st->db);
    TALLOC_FREE(st->named); /* an idle store is to be small */
    TALLOC_FREE(st->searches);
}

static int store_close(struct store *st)
{
    store_disconnect(st);
    pthread_mutex_destroy(&st->in_pool.lock);
    return 0;
}

/* No parent: a context that threads share would have to be locked. */
struct store *store_make(TALLOC_CTX *owner, const char *database_url, struct guid mailbox)
{
    struct store *st = talloc_zero(owner, struct store);
    st->guid = mailbox;
    st->url = store_url(st, database_url, mailbox);
    pthread_mutex_init(&st->in_pool.lock, NULL);
    talloc_set_destructor(st, store_close);
    return st;
}

static const char mailbox_sql[] = 
    "SELECT mb, replica, display_name, legacy_dn, smtp, is_public FROM mailbox WHERE guid = $1";

static enum ec load_mailbox(struct store *st, struct sql *db)
{
    struct sql_tx tx = sql_read(db);
    struct sql_rows rows = sql_one(&tx, mailbox_sql, BIND(B_BYTES(st->guid.bytes, sizeof st->guid.bytes)));
    st->mb = sql_col_int(&rows, 0);
    const struct blob replica = sql_col_blob(&rows, 1);
    if (!sql_failed(&tx) && replica.size == sizeof st->replica.bytes)
        memcpy(st->replica.bytes, replica.data, replica.size);
    else
        sql_abort(&tx, ecCorruptStore);
    st->identity = (struct store_identity){ st->guid, sql_col_text_copy(st, &rows, 2), sql_col_text_copy(st, &rows, 3),
                                            sql_col_text_copy(st, &rows, 4), sql_col_int(&rows, 5) != 0 };
    sql_done(&rows);
    return sql_end(&tx);
}

/* SQLite would make a missing file, and an empty mailbox in it. */
static enum ec open_existing(struct store *st, struct sql **db)
{
    const char *path = store_file(st->url);
    *db = NULL;
    if (path && access(path, F_OK) && errno == ENOENT) {
        log_line(LOG_ERROR, "store", "%s: there is no such mailbox file; restore it from the backup", path);
        return ecNotFound;
    }
    enum ec ec = sql_open(db, st, st->url);
    if (!ec && !st->mb)
        ec = store_schema(*db);
    if (!ec && !st->mb)
        ec = load_mailbox(st, *db);
    if (ec)
        TALLOC_FREE(*db);
    return ec;
}

/* A server that was stopped has left some. */
static void find_work(struct store *st)
{
    struct store_tx tx = store_read(st);
    const bool any = search_has_work(&tx);
    if (!store_end(&tx) && any)
        worker_wake(st);
}

enum ec store_connect(struct store *st)
{
    if (st->gone)
        return ecMailboxDisabled;
    if (st->db)
        return ecNone;
    const bool first = !st->mb;
    const enum ec ec = open_existing(st, &st->db);
    if (ec) {
        st->mb = 0;
        return ec;
    }
    sql_take_turns(st->db, st->mb);
    memset(st->blocks, 0, sizeof st->blocks);
    if (st->in_pool.pool)
        atomic_fetch_add(&st->in_pool.pool->connected, 1);
    if (first && st->in_pool.pool)
        find_work(st);
    return ecNone;
}

enum ec store_open_alone(struct store **out, TALLOC_CTX *owner, const char *database_url, struct guid mailbox)
{
    *out = store_make(owner, database_url, mailbox);
    const enum ec ec = store_connect(*out);
    if (ec)
        TALLOC_FREE(*out);
    return ec;
}

void store_announce(struct store *st, const struct store_change *changes, size_t count)
{
    const struct store_pool *pool = st->in_pool.pool;
    if (pool && pool->watch)
        pool->watch(pool->arg, st, changes, count);
}

/* ---- the pool ---- */

static int pool_close(struct store_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_mutex_unlock(&pool->lock);
    worker_stop(pool->worker);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct store *st = pool->buckets[i], *next; st; st = next) {
            next = st->in_pool.next;
            talloc_free(st);
        }
    pthread_mutex_destroy(&pool->lock);
    return 0;
}

struct store_pool *store_pool_new(TALLOC_CTX *owner, store_watch *watch, void *arg)
{
    struct store_pool *pool = talloc_zero(owner, struct store_pool);
    pool->watch = watch;
    pool->arg = arg;
    pool->keep = CONNECTIONS;
    pthread_mutex_init(&pool->lock, NULL);
    talloc_set_destructor(pool, pool_close);
    return pool;
}

/* From the pool's list; the last store_put frees it. */
static void pool_remove(struct store_pool *pool, struct store *st)
{
    struct store **at = bucket_of(pool, st->guid);
    while (*at != st)
        at = &(*at)->in_pool.next;
    *at = st->in_pool.next;
    st->in_pool.forgotten = true;
}

/* With the pool's lock held: a reference to the store that the list has; NULL: none. */
static struct store *pool_take(struct store_pool *pool, struct guid mailbox)
{
    struct store *st = *bucket_of(pool, mailbox);
    while (st && !guid_equal(st->guid, mailbox))
        st = st->in_pool.next;
    if (st)
        st->in_pool.references++;
    return st;
}

/* Who still has a reference finds the mailbox closed, whatever lies in the database later. */
void store_pool_forget(struct store_pool *pool, struct guid mailbox)
{
    pthread_mutex_lock(&pool->lock);
    struct store *st = pool_take(pool, mailbox);
    if (st)
        pool_remove(pool, st);
    pthread_mutex_unlock(&pool->lock);
    if (!st)
        return;
    store_lock(st);
    st->gone = true;
    store_disconnect(st);
    store_unlock(st);
    store_put(st);
}

struct idle {
    struct store *st;
    uint64_t used;
};

static int by_use(const void *a, const void *b)
{
    const uint64_t x = ((const struct idle *)a)->used, y = ((const struct idle *)b)->used;
    return (x > y) - (x < y);
}

/* Those that nobody works with just now, each with a reference. */
static struct idle *idle_stores(struct store_pool *pool, TALLOC_CTX *arena, size_t *count)
{
    struct idle *idle = NULL;
    *count = 0;
    pthread_mutex_lock(&pool->lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct store *st = pool->buckets[i]; st; st = st->in_pool.next) {
            if (pthread_mutex_trylock(&st->in_pool.lock))
                continue;
            if (st->db) {
                idle = talloc_realloc(arena, idle, struct idle, *count + 1);
                idle[(*count)++] = (struct idle){ st, st->in_pool.used };
                st->in_pool.references++;
            }
            pthread_mutex_unlock(&st->in_pool.lock);
        }
    pthread_mutex_unlock(&pool->lock);
    if (*count)
        qsort(idle, *count, sizeof *idle, by_use);
    return idle;
}

/* A quarter more than necessary, so that not every request has to look for one.  To close a database takes a write to the
 * disk, for which nobody else has to wait. */
static void pool_trim(struct store_pool *pool)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    size_t count;
    const struct idle *idle = idle_stores(pool, arena, &count);
    for (size_t i = 0; i < count; i++) {
        struct store *st = idle[i].st;
        if (pool->connected > pool->keep - pool->keep / 4 && !pthread_mutex_trylock(&st->in_pool.lock)) {
            store_disconnect(st);
            pthread_mutex_unlock(&st->in_pool.lock);
        }
        store_put(st);
    }
    talloc_free(arena);
}

void store_pool_keep(struct store_pool *pool, unsigned connections)
{
    pool->keep = connections;
    if (pool->connected > connections)
        pool_trim(pool);
}

static struct store *pool_find(struct store_pool *pool, const char *database_url, struct guid mailbox)
{
    struct store *st = pool_take(pool, mailbox);
    if (st)
        return st;
    struct store **bucket = bucket_of(pool, mailbox);
    st = store_make(NULL, database_url, mailbox);
    st->in_pool.pool = pool;
    st->in_pool.references = 1;
    st->in_pool.next = *bucket;
    return *bucket = st;
}

enum ec store_get(struct store_pool *pool, const char *database_url, struct guid mailbox, struct store **out)
{
    pthread_mutex_lock(&pool->lock);
    struct store *st = pool_find(pool, database_url, mailbox);
    pthread_mutex_unlock(&pool->lock);

    store_lock(st);
    const enum ec ec = store_connect(st);
    store_unlock(st);
    if (ec)
        store_put(st);
    *out = ec ? NULL : st;
    return ec;
}

/* Without a connection there is nothing worth keeping. */
void store_put(struct store *st)
{
    struct store_pool *pool = st->in_pool.pool;
    pthread_mutex_lock(&pool->lock);
    const bool last = --st->in_pool.references == 0;
    const bool gone = last && (st->in_pool.forgotten || !st->db);
    if (gone && !st->in_pool.forgotten)
        pool_remove(pool, st);
    if (gone)
        talloc_free(st);
    pthread_mutex_unlock(&pool->lock);
}

struct worker *store_reference(struct store *st)
{
    struct store_pool *pool = st->in_pool.pool;
    if (!pool)
        return NULL;
    pthread_mutex_lock(&pool->lock);
    if (!pool->worker && !pool->closing)
        pool->worker = worker_start();
    struct worker *w = pool->closing ? NULL : pool->worker;
    st->in_pool.references += w != NULL;
    pthread_mutex_unlock(&pool->lock);
    return w;
}

void store_lock(struct store *st)
{
    st->in_pool.wanted++;
    pthread_mutex_lock(&st->in_pool.lock);
    st->in_pool.wanted--;
}

void store_unlock(struct store *st)
{
    struct store_pool *pool = st->in_pool.pool;
    st->in_pool.used = clock_ms();
    st->budget = NULL;
    st->delegate = NULL;
    pthread_mutex_unlock(&st->in_pool.lock);
    if (pool && pool->connected > pool->keep)
        pool_trim(pool);
}

struct guid store_mailbox_guid(const struct store *st)
{
    return st->guid;
}

struct guid store_replica_guid(const struct store *st)
{
    return st->replica;
}

const struct store_identity *store_identity(const struct store *st)
{
    return &st->identity;
}
