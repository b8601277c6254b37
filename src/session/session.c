/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include "session/internal.h"

#define BUCKETS_FIRST 8u
#define NO_HANDLE 0xFFFFFFFFu /* stands for «none» in handle tables, so it is never given out */

/* ---- all sessions ---- */

static int sessions_close(struct sessions *all)
{
    pthread_mutex_destroy(&all->lock);
    return 0;
}

struct sessions *sessions_new(TALLOC_CTX *owner, struct directory *directory)
{
    struct sessions *all = talloc_zero(owner, struct sessions);
    all->directory = directory;
    all->memory_max = SESSION_MEMORY_MAX;
    pthread_mutex_init(&all->lock, NULL);
    talloc_set_destructor(all, sessions_close);
    all->stores = store_pool_new(all, session_store_changed, all);
    return all;
}

struct store_pool *sessions_stores(struct sessions *all)
{
    return all->stores;
}

struct directory *sessions_directory(struct sessions *all)
{
    return all->directory;
}

uint32_t sessions_count(struct sessions *all)
{
    pthread_mutex_lock(&all->lock);
    const uint32_t count = all->count;
    pthread_mutex_unlock(&all->lock);
    return count;
}

void sessions_limit_memory(struct sessions *all, size_t bytes)
{
    pthread_mutex_lock(&all->lock);
    all->memory_max = bytes;
    pthread_mutex_unlock(&all->lock);
}

static size_t memory_max(struct sessions *all)
{
    pthread_mutex_lock(&all->lock);
    const size_t bytes = all->memory_max;
    pthread_mutex_unlock(&all->lock);
    return bytes;
}

static void count_sessions(struct sessions *all, int more)
{
    pthread_mutex_lock(&all->lock);
    all->count += (uint32_t)more;
    pthread_mutex_unlock(&all->lock);
}

/* ---- one session ---- */

struct session *session_new(struct sessions *all, struct guid user_mailbox, const struct client_info *client)
{
    struct session *s = talloc_zero(NULL, struct session);
    s->all = all;
    s->user = directory_by_mailbox_guid(all->directory, s, user_mailbox);
    if (!s->user) {
        talloc_free(s);
        return NULL;
    }
    s->client = *client;
    s->client.application = talloc_strdup(s, client->application ? client->application : "");
    s->budget = store_budget_new(memory_max(all));
    s->next_handle = 1;
    s->bucket_count = BUCKETS_FIRST;
    s->objects = talloc_zero_array(s, struct object *, s->bucket_count);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    count_sessions(all, 1);
    return s;
}

const struct account *session_user(const struct session *s)
{
    return s->user;
}

const struct client_info *session_client(const struct session *s)
{
    return &s->client;
}

struct store_budget *session_budget(const struct session *s)
{
    return s->budget;
}

struct sessions *session_all(const struct session *s)
{
    return s->all;
}

bool session_begin(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    const bool free_to_go = !s->busy;
    s->busy = true;
    pthread_mutex_unlock(&s->lock);
    return free_to_go;
}

void session_end(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    s->busy = false;
    pthread_cond_signal(&s->idle);
    pthread_mutex_unlock(&s->lock);
}

static void wait_until_idle(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    while (s->busy)
        pthread_cond_wait(&s->idle, &s->lock);
    s->busy = true;
    pthread_mutex_unlock(&s->lock);
}

/* ---- logons ---- */

struct logon *session_find_logon(struct session *s, uint8_t id)
{
    struct logon *l = s->logons;
    while (l && l->id != id)
        l = l->next;
    return l;
}

const struct logon *session_other_logon(struct session *s, uint8_t id)
{
    const struct logon *oldest = NULL;
    for (const struct logon *l = s->logons; l; l = l->next)
        oldest = l->id == id || l->is_public ? oldest : l;
    return oldest;
}

/* Full access may come and go while somebody is logged on. */
static void look_at_rights(struct logon *l)
{
    struct directory *d = l->session->all->directory;
    const uint64_t generation = directory_generation(d);
    if (!l->delegate || l->checked == generation)
        return;
    l->checked = generation;
    l->owner = directory_rights(d, l->account, l->session->user) & GRANT_FULL_ACCESS;
    store_delegate_full_access(l->delegate, l->owner);
}

void session_lock(struct logon *l)
{
    store_lock(l->store);
    look_at_rights(l);
    store_act_for(l->store, l->delegate);
}

/* Its objects go with it.  Until the store is unlocked here, its watcher may still be at work on them. */
static void logon_close(struct logon *l)
{
    struct store *store = l->store;
    struct logon **at = &l->session->logons;
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    session_lock(l);
    talloc_free(l->object);
    session_stop_listening(l);
    store_unlock(store);
    store_put(store);
    talloc_free(l);
}

void session_free(struct session *s)
{
    wait_until_idle(s);
    while (s->logons)
        logon_close(s->logons);
    count_sessions(s->all, -1);
    store_budget_put(s->budget);
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    talloc_free(s);
}

/* [MS-OXCSTOR] 3.2.5.1.1: an owner, a delegate who was given something in the mailbox, or nobody here. */
static enum ec logon_rights(struct logon *l)
{
    const struct account *user = l->session->user;
    bool something = false;
    l->owner = guid_equal(l->account->mailbox_guid, user->mailbox_guid);
    if (l->owner)
        return ecNone;
    l->delegate = store_delegate_new(l, user->legacy_dn, user->display_name);
    look_at_rights(l);
    if (l->is_public)
        return ecNone;
    const enum ec ec = store_delegate_reaches(l->store, l->delegate, &something);
    return ec || something ? ec : ecAccessDenied; /* R188 */
}

static enum ec logon_begin(struct session *s, struct logon *l)
{
    const enum ec ec = session_object_new(l, NULL, OBJECT_LOGON, &l->object);
    if (ec)
        return ec;
    session_listen(l);
    l->next = s->logons;
    s->logons = l;
    return ecNone;
}

enum ec session_logon(struct session *s, uint8_t id, const struct account *mailbox, struct logon **out)
{
    struct store *store;
    enum ec ec = store_get(s->all->stores, mailbox->store_url, mailbox->mailbox_guid, &store);
    if (ec)
        return ec;
    struct logon *l = talloc_zero(s, struct logon), *old = session_find_logon(s, id);
    l->id = id;
    l->session = s;
    l->store = store;
    l->is_public = mailbox->kind == ACCOUNT_PUBLIC_FOLDERS;
    l->account = directory_by_mailbox_guid(s->all->directory, l, mailbox->mailbox_guid);
    store_lock(store);
    ec = l->account ? logon_rights(l) : ecUnknownUser;
    store_unlock(store);
    if (!ec && old)
        logon_close(old);
    if (!ec) {
        store_lock(store);
        ec = logon_begin(s, l);
        store_unlock(store);
    }
    if (ec) {
        store_put(store);
        talloc_free(l);
        return ec;
    }
    *out = l;
    return ecNone;
}

/* ---- the handle table ---- */

static struct object **bucket(struct session *s, uint32_t handle)
{
    return &s->objects[handle & (s->bucket_count - 1)];
}

static void grow_table(struct session *s)
{
    struct object **old = s->objects, *next;
    const uint32_t count = s->bucket_count;
    s->bucket_count *= 2;
    s->objects = talloc_zero_array(s, struct object *, s->bucket_count);
    for (uint32_t i = 0; i < count; i++)
        for (struct object *o = old[i]; o; o = next) {
            next = o->next;
            o->next = *bucket(s, o->handle);
            *bucket(s, o->handle) = o;
        }
    talloc_free(old);
}

static void enter_handle(struct session *s, struct object *o)
{
    if (s->object_count >= 2 * s->bucket_count)
        grow_table(s);
    o->handle = s->next_handle++;
    o->next = *bucket(s, o->handle);
    *bucket(s, o->handle) = o;
    s->object_count++;
}

/* ---- objects ---- */

static void start_listening(struct object *o)
{
    struct logon *l = o->logon;
    o->next_listener = l->listeners;
    o->listener_at = &l->listeners;
    if (l->listeners)
        l->listeners->listener_at = &o->next_listener;
    l->listeners = o;
}

static int object_close(struct object *o)
{
    struct session *s = o->session;
    struct object **at = bucket(s, o->handle);
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    s->object_count--;
    if (o->listener_at) {
        *o->listener_at = o->next_listener;
        if (o->next_listener)
            o->next_listener->listener_at = o->listener_at;
        session_forget_notifications(s, o->handle);
    }
    return 0;
}

enum ec session_object_new(struct logon *l, struct object *parent, enum object_type type, struct object **out)
{
    struct session *s = l->session;
    if (s->object_count >= SESSION_OBJECTS_MAX || s->next_handle == NO_HANDLE)
        return ecTooManyOpenObjects;
    if (!parent)
        parent = l->object;
    struct object *o = talloc_zero(parent ? (TALLOC_CTX *)parent : (TALLOC_CTX *)l, struct object);
    o->type = type;
    o->logon = l;
    o->session = s;
    enter_handle(s, o);
    if (type & (OBJECT_SUBSCRIPTION | OBJECT_CONTENTS | OBJECT_HIERARCHY))
        start_listening(o);
    talloc_set_destructor(o, object_close);
    *out = o;
    return ecNone;
}

enum ec session_object(struct session *s, uint8_t logon_id, uint32_t handle, struct object **out)
{
    for (struct object *o = *bucket(s, handle); o; o = o->next)
        if (o->handle == handle) {
            *out = o;
            return o->logon->id == logon_id ? ecNone : ecAccessDenied; /* [MS-OXCROPS] 3.2.5.4 */
        }
    return handle != 0 && handle < s->next_handle ? ecInvalidObject : ecNullObject;
}

void session_object_release(struct object *o)
{
    struct store *store = o->logon->store;
    if (o->type == OBJECT_LOGON) {
        logon_close(o->logon);
        return;
    }
    session_lock(o->logon);
    talloc_free(o);
    store_unlock(store);
}
