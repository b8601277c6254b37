/* SPDX-License-Identifier: Apache-2.0 */
/* tests/cache.h: a cached-mode client: a local copy of what lies below the top of a mailbox, changed without a
 * connection, and brought in step by client/sync.h: changes go up one by one, then what is new comes down.
 * Every message bears a name in its subject that nobody else's has, and a version: "17 v3". */
#pragma once
#include "client/mail.h"
#include "client/sync.h"

struct cached_folder {
    struct cached_folder *next;
    struct blob key, parent; /* source keys; parent empty: the top */
    struct blob change_key, predecessors;
    char *name;
    struct sync_state state; /* of its contents */
};
struct cached_message {
    struct cached_message *next;
    struct blob key, folder;
    struct blob change_key, predecessors;
    char *subject;
    bool read;
};
enum cached_change { CACHED_SAVE, CACHED_READ, CACHED_MOVE, CACHED_DELETE, CACHED_SAVE_FOLDER, CACHED_DELETE_FOLDER };
/* Waits to be uploaded; holds what it needs, since the object may have changed again or be gone. */
struct cached_pending {
    struct cached_pending *next;
    enum cached_change change;
    struct blob folder, key, from_folder, from_key, change_key, predecessors;
    char *text;  /* subject or name */
    bool flag;   /* read, or a hard deletion */
    bool is_new; /* its flags may still be set */
};
struct cache {
    TALLOC_CTX *owner;
    struct client *client;
    struct guid replica, own;  /* of the mailbox; of the changes that are made here */
    uint64_t next_id, last_id; /* reserved */
    uint32_t changes;
    struct sync_state hierarchy;
    struct cached_folder *folders;
    struct cached_message *messages;
    struct cached_pending *first, **last;
    unsigned cut_after; /* the connection breaks after so many steps; 0: it holds */
    bool cut;
    unsigned downloaded; /* messages that came */
};

struct cache *cache_new(TALLOC_CTX *owner, struct client *);
/* One pass: up, then down.  ecCancel: the connection broke; the client is connected and logged on again. */
enum ec cache_sync(struct cache *);

struct cached_folder *cache_folder(struct cache *, struct blob key);
struct cached_message *cache_message(struct cache *, struct blob folder, struct blob key);

/* ---- changes without a connection ---- */
struct cached_message *cache_create(struct cache *, struct cached_folder *, const char *subject);
void cache_edit(struct cache *, struct cached_message *, const char *subject);
void cache_read(struct cache *, struct cached_message *, bool read);
void cache_move(struct cache *, struct cached_message *, struct cached_folder *to);
void cache_delete(struct cache *, struct cached_message *, bool hard);
struct cached_folder *cache_create_folder(struct cache *, struct cached_folder *parent, const char *name);
void cache_rename_folder(struct cache *, struct cached_folder *, const char *name);
void cache_delete_folder(struct cache *, struct cached_folder *);
