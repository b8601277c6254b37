/* SPDX-License-Identifier: Apache-2.0 */
/* session/internal.h: what the files of this room share. */
#pragma once
#include <pthread.h>

#include "session/session.h"

/* The logons of one mailbox, in all sessions.  The list belongs to the store's lock, the entry itself to both. */
struct audience {
    struct audience *next;
    struct store *store;
    struct logon *first;
};

enum { AUDIENCES = 256 };
struct sessions {
    struct directory *directory;
    struct store_pool *stores;
    pthread_mutex_t lock; /* of everything below */
    struct audience *audiences[AUDIENCES];
    uint32_t count;
    size_t memory_max;
};

struct session {
    struct sessions *all;
    const struct account *user;
    struct client_info client;
    struct store_budget *budget; /* of its objects */

    /* The running request's own. */
    struct logon *logons;
    uint32_t next_handle; /* never used twice */
    uint32_t object_count, bucket_count;
    struct object **objects; /* by handle */

    pthread_mutex_t lock; /* of everything below */
    pthread_cond_t idle;
    bool busy;
    struct notification *first, *last;
    uint32_t queued;
    size_t queued_bytes; /* of rows */
    bool over;          /* nobody will fetch them any more, so nobody has to wait for them */
    session_wake *wake; /* NULL: nobody waits */
    void *wake_arg;
};

/* Both with the logon's store locked. */
void session_listen(struct logon *);
void session_stop_listening(struct logon *);
/* The watcher of every store: finds the logons that the changes concern. */
void session_store_changed(void *sessions, struct store *, const struct store_change *, size_t count);
/* What waits for a handle that is going away. */
void session_forget_notifications(struct session *, uint32_t handle);
