/* SPDX-License-Identifier: Apache-2.0 */
#include "front/inside.h"

/* What one user has in the pool; gone with the last job. */
struct share {
    struct share *next;
    unsigned admitted;        /* in the queue or running */
    struct job *first, **end; /* these wait until one of the admitted is done */
    char user[];
};

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, **end;
    struct share *shares[64]; /* by user */
    bool closing;
    unsigned count;
    pthread_t threads[];
};

/* ---- shares, with the lock held ---- */

static struct share **share_of(struct pool *pool, const char *user)
{
    uint32_t h = 2166136261u; /* FNV-1a */
    for (const char *c = user; *c; c++)
        h = (h ^ (uint8_t)*c) * 16777619u;
    struct share **at = &pool->shares[h % COUNTOF(pool->shares)];
    while (*at && strcmp((*at)->user, user) != 0)
        at = &(*at)->next;
    return at;
}

static void enqueue(struct job *job, struct job ***end)
{
    job->next = NULL;
    **end = job;
    *end = &job->next;
}

static struct job *dequeue(struct job **first, struct job ***end)
{
    struct job *job = *first;
    if (job && !(*first = job->next))
        *end = first;
    return job;
}

/* false: the job waits behind its user's others. */
static bool admit(struct pool *pool, struct job *job, const char *user)
{
    struct share **at = share_of(pool, user), *share = *at;
    if (!share) {
        share = *at = talloc_zero_size(pool, sizeof *share + strlen(user) + 1);
        strcpy(share->user, user);
        share->end = &share->first;
    }
    job->share = share;
    if (share->admitted < MAX(pool->count / 2, 1)) {
        share->admitted++;
        return true;
    }
    enqueue(job, &share->end);
    return false;
}

/* One of the user's jobs is done: the next one may come.  Nobody has to be woken, as the caller takes a job next. */
static void give_back(struct pool *pool, struct share *share)
{
    struct job *next = dequeue(&share->first, &share->end);
    if (next) {
        enqueue(next, &pool->end);
    } else if (--share->admitted == 0) {
        *share_of(pool, share->user) = share->next;
        talloc_free(share);
    }
}

/* ---- threads ---- */

static struct job *pool_take(struct pool *pool, struct share *done)
{
    pthread_mutex_lock(&pool->lock);
    if (done)
        give_back(pool, done);
    while (!pool->first && !pool->closing)
        pthread_cond_wait(&pool->filled, &pool->lock);
    struct job *job = dequeue(&pool->first, &pool->end);
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *pool_thread(void *arg)
{
    struct share *share = NULL;
    for (struct job *job; (job = pool_take(arg, share));) {
        share = job->share; /* the job may be gone once it has run */
        job->run(job);
    }
    return NULL;
}

struct pool *pool_new(TALLOC_CTX *owner, unsigned threads)
{
    struct pool *pool = talloc_zero_size(owner, sizeof *pool + threads * sizeof(pthread_t));
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->filled, NULL);
    pool->end = &pool->first;
    while (pool->count < threads && pthread_create(&pool->threads[pool->count], NULL, pool_thread, pool) == 0)
        pool->count++;
    if (pool->count)
        return pool;
    talloc_free(pool);
    return NULL;
}

void pool_add(struct pool *pool, struct job *job, const char *user)
{
    job->share = NULL;
    pthread_mutex_lock(&pool->lock);
    const bool admitted = !user || admit(pool, job, user);
    if (admitted)
        enqueue(job, &pool->end);
    pthread_mutex_unlock(&pool->lock);
    if (admitted)
        pthread_cond_signal(&pool->filled); /* behind the lock, which the thread that wakes wants at once */
}

void pool_close(struct pool *pool)
{
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->filled);
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->count; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->filled);
    pthread_mutex_destroy(&pool->lock);
    talloc_free(pool);
}
