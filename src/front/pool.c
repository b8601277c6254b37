/* SPDX-License-Identifier: Apache-2.0 */
#include "front/inside.h"

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    struct job *first, **end;
    bool closing;
    unsigned count;
    pthread_t threads[];
};

static struct job *pool_take(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    while (!pool->first && !pool->closing)
        pthread_cond_wait(&pool->filled, &pool->lock);
    struct job *job = pool->first;
    if (job && !(pool->first = job->next))
        pool->end = &pool->first;
    pthread_mutex_unlock(&pool->lock);
    return job;
}

static void *pool_thread(void *arg)
{
    struct job *job;
    while ((job = pool_take(arg)))
        job->run(job);
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

void pool_add(struct pool *pool, struct job *job)
{
    job->next = NULL;
    pthread_mutex_lock(&pool->lock);
    *pool->end = job;
    pool->end = &job->next;
    pthread_mutex_unlock(&pool->lock);
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
