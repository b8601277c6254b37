/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that looks once a minute whether submissions are left in the queue, because a mailbox could not be
 * written, and earlier when one has waited for its time. */
#include <time.h>

#include "transport/internal.h"

enum { EVERY_SECONDS = 60 };

struct retry {
    struct transport *transport;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop, woken;
};

/* In a minute, or a moment after the next one is due. */
static struct timespec next_look(uint64_t due)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    const time_t due_seconds = due ? (time_t)filetime_to_unix(due) + 1 : 0;
    until.tv_sec =
        due_seconds ? MIN(until.tv_sec + EVERY_SECONDS, MAX(due_seconds, until.tv_sec)) : until.tv_sec + EVERY_SECONDS;
    return until;
}

static void *run(void *arg)
{
    struct retry *r = arg;
    pthread_mutex_lock(&r->lock);
    while (!r->stop) {
        r->woken = false;
        const uint64_t due = queue_next_due(r->transport->queue);
        const struct timespec until = next_look(due);
        for (int error = 0; !r->stop && !r->woken && !error;)
            error = pthread_cond_timedwait(&r->wake, &r->lock, &until);
        if (r->stop || !(atomic_load(&r->transport->left_over) || (due && due <= filetime_now())))
            continue;
        pthread_mutex_unlock(&r->lock);
        transport_recover(r->transport);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return NULL;
}

struct retry *retry_start(TALLOC_CTX *owner, struct transport *t)
{
    struct retry *r = talloc_zero(owner, struct retry);
    r->transport = t;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->wake, NULL);
    if (pthread_create(&r->thread, NULL, run, r) == 0)
        return r;
    log_line(LOG_WARNING, "transport", "no thread for what is left in the queue: it waits for the next start");
    talloc_free(r);
    return NULL;
}

void retry_stop(struct retry *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->stop = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
    pthread_join(r->thread, NULL);
    pthread_cond_destroy(&r->wake);
    pthread_mutex_destroy(&r->lock);
}

void retry_wake(struct retry *r)
{
    if (!r)
        return;
    pthread_mutex_lock(&r->lock);
    r->woken = true;
    pthread_cond_signal(&r->wake);
    pthread_mutex_unlock(&r->lock);
}
