/* SPDX-License-Identifier: Apache-2.0 */
#include "store/worker.h"

#include <sched.h>

#include "store/pool.h"
#include "store/search.h"

struct worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool over;
    struct store *first, **last; /* mailboxes with work, each referenced */
};

/* ---- the queue ---- */

/* With the worker locked. */
static void enqueue(struct worker *w, struct store *st)
{
    st->in_pool.has_job = true;
    st->in_pool.next_job = NULL;
    *w->last = st;
    w->last = &st->in_pool.next_job;
}

static struct store *next_job(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (!w->first && !w->over)
        pthread_cond_wait(&w->changed, &w->lock);
    struct store *st = w->over ? NULL : w->first;
    if (st) {
        w->first = st->in_pool.next_job;
        if (!w->first)
            w->last = &w->first;
        st->in_pool.has_job = false;
    }
    pthread_mutex_unlock(&w->lock);
    return st;
}

/* It has kept its reference; when another wake has put it into the queue meanwhile, with one more. */
static bool put_back(struct worker *w, struct store *st)
{
    pthread_mutex_lock(&w->lock);
    const bool alone = !st->in_pool.has_job;
    if (alone)
        enqueue(w, st);
    pthread_mutex_unlock(&w->lock);
    return alone;
}

/* ---- the thread ---- */

static bool work_on(struct store *st)
{
    bool more;
    store_lock(st);
    const enum ec ec = search_step(st, &more);
    store_unlock(st);
    if (ec && ec != ecMailboxDisabled)
        log_line(LOG_WARNING, "store",
                 "a search folder is not filled any further until the mailbox is opened again: %s", ec_name(ec));
    while (st->in_pool.wanted)
        sched_yield();
    return more;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    for (struct store *st; (st = next_job(w));)
        if (!work_on(st) || !put_back(w, st))
            store_put(st);
    return NULL;
}

struct worker *worker_start(void)
{
    struct worker *w = talloc_zero(NULL, struct worker); /* threads share it */
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    w->last = &w->first;
    if (!pthread_create(&w->thread, NULL, work, w))
        return w;
    log_line(LOG_ERROR, "store", "there is no thread to fill search folders: the system has no more of them");
    talloc_free(w);
    return NULL;
}

void worker_wake(struct store *st)
{
    struct worker *w = store_reference(st);
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    const bool queued = st->in_pool.has_job;
    if (!queued)
        enqueue(w, st);
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    if (queued)
        store_put(st);
}

void worker_stop(struct worker *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->over = true;
    pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    for (struct store *st = w->first, *next; st; st = next) {
        next = st->in_pool.next_job;
        store_put(st);
    }
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    talloc_free(w);
}
