/* SPDX-License-Identifier: Apache-2.0 */
/* session/internal.h: what the files of this room share. */
#pragma once
#include <pthread.h>

#include "session/session.h"

struct sessions {
    struct directory *directory;
    struct store_pool *stores;
    pthread_mutex_t lock;          /* of the list */
    struct session *first;
    uint32_t count;
};

struct session {
    struct sessions *all;
    struct session *next;
    const struct account *user;
    struct client_info client;

    pthread_mutex_t lock;          /* of everything below */
    pthread_cond_t idle;
    bool busy;
    uint32_t next_handle;          /* never used twice */
    uint32_t object_count;
    struct object *objects[64];    /* by handle */
    struct logon *logons[256];     /* by LogonId, which is one byte */
    struct notification *first, **last;
    uint32_t queued;
    void (*wake)(void *arg);
    void *wake_arg;
};

void session_logoff(struct session *, uint8_t id);
/* The watcher of every store: finds the sessions that the changes concern. */
void session_store_changed(void *sessions, struct store *, const struct store_change *, size_t count);
/* With the session locked: what waits for a handle that is going away. */
void session_forget_notifications(struct session *, uint32_t handle);
