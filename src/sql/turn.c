/* SPDX-License-Identifier: Apache-2.0 */
#include "sql/turn.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

struct waiter {
    struct waiter *next;
    pthread_cond_t called;
    bool has_turn;
};

struct turn {
    struct turn *next;
    dev_t device;
    ino_t inode;
    unsigned joined;
    bool taken;
    struct waiter *first, **last;
};

/* One lock for all files: it is held for a few instructions, beside a commit's write to the disk. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct turn *turns;

struct turn *turn_join(const struct stat *file)
{
    pthread_mutex_lock(&lock);
    struct turn *t = turns;
    while (t && (t->device != file->st_dev || t->inode != file->st_ino))
        t = t->next;
    if (!t) {
        t = calloc(1, sizeof *t);             /* not talloc: it belongs to several threads */
        if (!t)
            abort();
        t->device = file->st_dev;
        t->inode = file->st_ino;
        t->last = &t->first;
        t->next = turns;
        turns = t;
    }
    t->joined++;
    pthread_mutex_unlock(&lock);
    return t;
}

void turn_leave(struct turn *t)
{
    pthread_mutex_lock(&lock);
    if (--t->joined == 0) {
        struct turn **at = &turns;
        while (*at != t)
            at = &(*at)->next;
        *at = t->next;
        free(t);
    }
    pthread_mutex_unlock(&lock);
}

static void leave_queue(struct turn *t, struct waiter *w)
{
    struct waiter **at = &t->first;
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (t->last == &w->next)
        t->last = at;
}

/* The turn is handed to the waiter itself, so that nobody who comes later can take it before it wakes. */
static bool wait_in_queue(struct turn *t, unsigned at_most_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    const uint64_t nanoseconds = (uint64_t)until.tv_nsec + at_most_ms * UINT64_C(1000000);
    until.tv_sec += (time_t)(nanoseconds / 1000000000);
    until.tv_nsec = (long)(nanoseconds % 1000000000);

    struct waiter self = { .called = PTHREAD_COND_INITIALIZER };
    *t->last = &self;
    t->last = &self.next;
    int error = 0;
    while (!self.has_turn && !error)
        error = pthread_cond_clockwait(&self.called, &lock, CLOCK_MONOTONIC, &until);
    if (!self.has_turn)
        leave_queue(t, &self);
    pthread_cond_destroy(&self.called);
    return self.has_turn;
}

bool turn_take(struct turn *t, unsigned at_most_ms)
{
    pthread_mutex_lock(&lock);
    const bool mine = !t->taken || wait_in_queue(t, at_most_ms);
    t->taken = true;
    pthread_mutex_unlock(&lock);
    return mine;
}

void turn_give(struct turn *t)
{
    pthread_mutex_lock(&lock);
    struct waiter *next = t->first;
    if (next) {
        leave_queue(t, next);
        next->has_turn = true;
        pthread_cond_signal(&next->called);
    }
    t->taken = next != NULL;
    pthread_mutex_unlock(&lock);
}
