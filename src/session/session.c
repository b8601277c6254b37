/* SPDX-License-Identifier: Apache-2.0 */
#include "session/session.h"

#include "session/internal.h"

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
    s->next_handle = 1;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->idle, NULL);
    pthread_mutex_lock(&all->lock);
    s->next = all->first;
    all->first = s;
    all->count++;
    pthread_mutex_unlock(&all->lock);
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
    pthread_cond_broadcast(&s->idle);
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

static void unlist(struct session *s)
{
    pthread_mutex_lock(&s->all->lock);
    struct session **at = &s->all->first;
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    s->all->count--;
    pthread_mutex_unlock(&s->all->lock);
}

static void logon_close(struct logon *l)
{
    struct store *store = l->store;
    store_lock(store);
    talloc_free(l->object);
    store_unlock(store);
    store_put(store);
    talloc_free(l);
}

void session_free(struct session *s)
{
    wait_until_idle(s);
    for (unsigned id = 0; id < COUNTOF(s->logons); id++)
        if (s->logons[id])
            session_logoff(s, (uint8_t)id);
    unlist(s);                     /* after this no watcher finds the session any more */
    pthread_cond_destroy(&s->idle);
    pthread_mutex_destroy(&s->lock);
    talloc_free(s);
}

/* ---- logons ---- */

struct logon *session_find_logon(struct session *s, uint8_t id)
{
    return s->logons[id];
}

void session_logoff(struct session *s, uint8_t id)
{
    pthread_mutex_lock(&s->lock);
    struct logon *l = s->logons[id];
    s->logons[id] = NULL;
    pthread_mutex_unlock(&s->lock);
    if (l)
        logon_close(l);
}

enum ec session_logon(struct session *s, uint8_t id, const struct account *mailbox, struct logon **out)
{
    struct store *store;
    enum ec ec = store_get(s->all->stores, mailbox->store_url, mailbox->mailbox_guid, &store);
    if (ec)
        return ec;

    session_logoff(s, id);
    struct logon *l = talloc_zero(s, struct logon);
    l->id = id;
    l->session = s;
    l->store = store;
    l->account = directory_by_mailbox_guid(s->all->directory, l, mailbox->mailbox_guid);
    if (l->account)
        ec = session_object_new(l, NULL, OBJECT_LOGON, &l->object);
    if (ec || !l->account) {
        store_put(store);
        talloc_free(l);
        return ec ? ec : ecUnknownUser;
    }
    l->owner = guid_equal(mailbox->mailbox_guid, s->user->mailbox_guid);
    pthread_mutex_lock(&s->lock);
    s->logons[id] = l;
    pthread_mutex_unlock(&s->lock);
    *out = l;
    return ecNone;
}

/* ---- objects ---- */

/* The list is what watchers walk, so it changes under the session's lock only. */
static int object_close(struct object *o)
{
    struct session *s = o->session;
    pthread_mutex_lock(&s->lock);
    struct object **at = &s->objects[o->handle % COUNTOF(s->objects)];
    while (*at != o)
        at = &(*at)->next;
    *at = o->next;
    s->object_count--;
    session_forget_notifications(s, o->handle);
    pthread_mutex_unlock(&s->lock);
    return 0;
}

enum ec session_object_new(struct logon *l, struct object *parent, enum object_type type, struct object **out)
{
    struct session *s = l->session;
    if (s->object_count >= SESSION_OBJECTS_MAX)
        return ecTooManyOpenObjects;
    if (!parent)
        parent = l->object;
    struct object *o = talloc_zero(parent ? (TALLOC_CTX *)parent : (TALLOC_CTX *)l, struct object);
    o->type = type;
    o->logon = l;
    o->session = s;
    pthread_mutex_lock(&s->lock);
    o->handle = s->next_handle++;
    struct object **at = &s->objects[o->handle % COUNTOF(s->objects)];
    o->next = *at;
    *at = o;
    s->object_count++;
    pthread_mutex_unlock(&s->lock);
    talloc_set_destructor(o, object_close);
    *out = o;
    return ecNone;
}

enum ec session_object(struct session *s, uint8_t logon_id, uint32_t handle, struct object **out)
{
    /* Only the session's own request changes the list, so reading it here needs no lock. */
    for (struct object *o = s->objects[handle % COUNTOF(s->objects)]; o; o = o->next)
        if (o->handle == handle) {
            *out = o;
            return o->logon->id == logon_id ? ecNone : ecAccessDenied;     /* [MS-OXCROPS] 3.2.5.4 */
        }
    return handle != 0 && handle < s->next_handle ? ecInvalidObject : ecNullObject;
}

void session_object_release(struct object *o)
{
    if (o->type == OBJECT_LOGON) {
        session_logoff(o->session, o->logon->id);
        return;
    }
    struct store *store = o->logon->store;
    store_lock(store);
    talloc_free(o);
    store_unlock(store);
}
