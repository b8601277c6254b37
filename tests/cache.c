/* SPDX-License-Identifier: Apache-2.0 */
#include "cache.h"

#include "wire/fasttransfer_read.h"

#define IDS_AT_ONCE 1000u
enum { READ = 0x1, CLEAR_READ = 0x4 };

/* ---- finding ---- */

struct cached_folder *cache_folder(struct cache *c, struct blob key)
{
    struct cached_folder *f = c->folders;
    while (f && !blob_equal(f->key, key))
        f = f->next;
    return f;
}

struct cached_message *cache_message(struct cache *c, struct blob folder, struct blob key)
{
    struct cached_message *m = c->messages;
    while (m && !(blob_equal(m->key, key) && blob_equal(m->folder, folder)))
        m = m->next;
    return m;
}

static void drop_message(struct cache *c, struct cached_message *m)
{
    struct cached_message **at = &c->messages;
    while (*at != m)
        at = &(*at)->next;
    *at = m->next;
    talloc_free(m);
}

/* With what is in it. */
static void drop_folder(struct cache *c, struct cached_folder *f)
{
    struct cached_folder **at = &c->folders;
    for (struct cached_message *m = c->messages, *next; m; m = next) {
        next = m->next;
        if (blob_equal(m->folder, f->key))
            drop_message(c, m);
    }
    for (struct cached_folder *sub = c->folders; sub;) {
        const bool below = blob_equal(sub->parent, f->key);
        struct cached_folder *gone = sub;
        sub = sub->next;
        if (below) {
            drop_folder(c, gone);
            sub = c->folders;
        }
    }
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    talloc_free(f);
}

static struct cached_message *put_message(struct cache *c, struct blob folder, struct blob key)
{
    struct cached_message *m = cache_message(c, folder, key);
    if (m)
        return m;
    m = talloc_zero(c->owner, struct cached_message);
    m->folder = blob_copy(m, folder);
    m->key = blob_copy(m, key);
    m->next = c->messages;
    return c->messages = m;
}

static struct cached_folder *put_folder(struct cache *c, struct blob key)
{
    struct cached_folder *f = cache_folder(c, key);
    if (f)
        return f;
    f = talloc_zero(c->owner, struct cached_folder);
    f->key = blob_copy(f, key);
    f->next = c->folders;
    return c->folders = f;
}

/* ---- changes without a connection ---- */

static struct blob new_key(TALLOC_CTX *arena, struct cache *c)
{
    return sync_gid(arena, c->replica, c->next_id++);
}

/* GUID and a counter that grows: [MS-OXCFXICS] 2.2.2.2. */
static struct blob new_change_key(TALLOC_CTX *arena, struct cache *c)
{
    uint8_t *xid = talloc_array(arena, uint8_t, sizeof c->own + 4);
    memcpy(xid, c->own.bytes, sizeof c->own);
    const uint32_t n = ++c->changes;
    for (int i = 0; i < 4; i++)
        xid[sizeof c->own + (size_t)i] = (uint8_t)(n >> 8 * (3 - i));
    return BLOB_OF(xid, sizeof c->own + 4);
}

static struct cached_pending *pend(struct cache *c, enum cached_change change, struct blob folder, struct blob key)
{
    struct cached_pending *p = talloc_zero(c->owner, struct cached_pending);
    p->change = change;
    p->folder = blob_copy(p, folder);
    p->key = blob_copy(p, key);
    *c->last = p;
    c->last = &p->next;
    return p;
}

static void change_message(struct cache *c, struct cached_message *m)
{
    m->change_key = new_change_key(m, c);
    m->predecessors = sync_predecessors(m, m->predecessors, m->change_key);
}

static void pend_keys(struct cached_pending *p, struct blob change_key, struct blob predecessors)
{
    p->change_key = blob_copy(p, change_key);
    p->predecessors = blob_copy(p, predecessors);
}

static void pend_save(struct cache *c, struct cached_message *m, bool is_new)
{
    change_message(c, m);
    struct cached_pending *p = pend(c, CACHED_SAVE, m->folder, m->key);
    pend_keys(p, m->change_key, m->predecessors);
    p->text = talloc_strdup(p, m->subject);
    p->flag = m->read;
    p->is_new = is_new;
}

struct cached_message *cache_create(struct cache *c, struct cached_folder *f, const char *subject)
{
    struct cached_message *m = put_message(c, f->key, new_key(c->owner, c));
    m->subject = talloc_strdup(m, subject);
    pend_save(c, m, true);
    return m;
}

void cache_edit(struct cache *c, struct cached_message *m, const char *subject)
{
    m->subject = talloc_strdup(m, subject);
    pend_save(c, m, false);
}

void cache_read(struct cache *c, struct cached_message *m, bool read)
{
    m->read = read;
    pend(c, CACHED_READ, m->folder, m->key)->flag = read;
}

void cache_move(struct cache *c, struct cached_message *m, struct cached_folder *to)
{
    const struct blob from_folder = m->folder, from_key = m->key;
    m->folder = blob_copy(m, to->key);
    m->key = new_key(m, c);
    const struct blob before = m->predecessors; /* 2.2.3.2.4.4.1: what the source had */
    change_message(c, m);
    struct cached_pending *p = pend(c, CACHED_MOVE, m->folder, m->key);
    p->from_folder = blob_copy(p, from_folder);
    p->from_key = blob_copy(p, from_key);
    pend_keys(p, m->change_key, before);
}

void cache_delete(struct cache *c, struct cached_message *m, bool hard)
{
    pend(c, CACHED_DELETE, m->folder, m->key)->flag = hard;
    drop_message(c, m);
}

static void pend_save_folder(struct cache *c, struct cached_folder *f)
{
    f->change_key = new_change_key(f, c);
    f->predecessors = sync_predecessors(f, f->predecessors, f->change_key);
    struct cached_pending *p = pend(c, CACHED_SAVE_FOLDER, f->parent, f->key);
    pend_keys(p, f->change_key, f->predecessors);
    p->text = talloc_strdup(p, f->name);
}

struct cached_folder *cache_create_folder(struct cache *c, struct cached_folder *parent, const char *name)
{
    struct cached_folder *f = put_folder(c, new_key(c->owner, c));
    f->parent = parent ? blob_copy(f, parent->key) : BLOB_OF(NULL, 0);
    f->name = talloc_strdup(f, name);
    pend_save_folder(c, f);
    return f;
}

void cache_rename_folder(struct cache *c, struct cached_folder *f, const char *name)
{
    f->name = talloc_strdup(f, name);
    pend_save_folder(c, f);
}

void cache_delete_folder(struct cache *c, struct cached_folder *f)
{
    pend(c, CACHED_DELETE_FOLDER, BLOB_OF(NULL, 0), f->key);
    drop_folder(c, f);
}

/* ---- the connection, which may break ---- */

static bool breaks(struct cache *c)
{
    if (c->cut_after && --c->cut_after == 0)
        c->cut = true;
    return c->cut;
}

/* The server hears nothing of it. */
static enum ec reconnect(struct cache *c)
{
    client_forget(c->client);
    enum ec ec = client_connect(c->client);
    return ec ? ec : client_logon(c->client, NULL);
}

static uint64_t id_of(struct cache *c, struct blob key)
{
    TALLOC_CTX *arena = talloc_new(c->owner);
    struct RopIdFromLongTermIdRequest request = { 0 };
    struct RopIdFromLongTermIdResponse response = { 0 };
    struct guid replica;
    uint64_t counter;
    if (sync_gid_parts(key, &replica, &counter)) {
        request.LongTermId.DatabaseGuid = replica;
        memcpy(request.LongTermId.GlobalCounter, key.data + sizeof replica, 6);
        client_call(c->client, arena, RopIdFromLongTermId, client_logon_handle(c->client), &request, &response, NULL);
    }
    talloc_free(arena);
    return response.ObjectId;
}

static enum ec open_folder(struct cache *c, struct blob key, uint32_t *handle)
{
    const uint64_t top = client_logon_response(c->client)->FolderIds.IpmSubtree;
    return client_folder_open(c->client, key.size ? id_of(c, key) : top, handle);
}

/* ---- up ---- */

static enum ec upload_save(struct cache *c, uint32_t collector, const struct cached_pending *p,
                           struct sync_state *state)
{
    const struct sync_keys keys = { p->key, p->change_key, p->predecessors, filetime_now() };
    const struct prop values[] = { P_STR(PidTagMessageClass, "IPM.Note"), P_STR(PidTagSubject, p->text),
                                   P_I32(PidTagMessageFlags, p->flag ? READ : 0) };
    uint32_t message;
    enum ec ec = client_import_message(c->client, collector, 0, &keys, &message);
    if (ec)
        return ec;
    ec = client_set(c->client, message, values, COUNTOF(values) - !p->is_new);
    if (!ec)
        ec = client_message_save(c->client, message, NULL);
    client_release(c->client, message);
    return ec ? ec : sync_state_give(c->owner, state, p->key, true);
}

static enum ec upload_move(struct cache *c, uint32_t collector, const struct cached_pending *p,
                           struct sync_state *state)
{
    const struct sync_keys keys = { p->key, p->change_key, p->predecessors, 0 };
    const enum ec ec = client_import_move(c->client, collector, p->from_folder, p->from_key, &keys);
    return ec && ec != SYNC_W_CLIENT_CHANGE_NEWER ? ec : sync_state_give(c->owner, state, p->key, true);
}

static enum ec upload_one(struct cache *c, uint32_t collector, const struct cached_pending *p, struct sync_state *state)
{
    const struct sync_keys keys = { p->key, p->change_key, p->predecessors, filetime_now() };
    enum ec ec;
    switch (p->change) {
    case CACHED_SAVE: return upload_save(c, collector, p, state);
    case CACHED_MOVE: return upload_move(c, collector, p, state);
    case CACHED_READ: return client_import_read(c->client, collector, p->key, p->flag);
    case CACHED_DELETE:
        ec = client_import_deletes(c->client, collector, p->flag ? SYNC_DELETE_HARD : 0, &p->key, 1);
        return ec ? ec : sync_state_give(c->owner, state, p->key, false);
    case CACHED_SAVE_FOLDER:
        ec = client_import_folder(c->client, collector, p->folder, &keys, p->text, NULL);
        return ec ? ec : sync_state_give(c->owner, state, p->key, true);
    default:
        ec = client_import_deletes(c->client, collector, SYNC_DELETE_FOLDERS | SYNC_DELETE_HARD, &p->key, 1);
        return ec ? ec : sync_state_give(c->owner, state, p->key, false);
    }
}

/* What the server has decided already, in the words of [MS-OXCFXICS] 2.2.3.2.4. */
static bool is_settled(enum ec ec)
{
    switch (ec) {
    case SYNC_E_OBJECT_DELETED:
    case SYNC_E_IGNORE:
    case SYNC_E_NO_PARENT:
    case ecNotFound: /* the folder is gone */
    case ecDuplicateName: return true;
    default: return false;
    }
}

/* What else was done to it here goes with it. */
static void drop_pending(struct cache *c, const struct cached_pending *than)
{
    struct cached_pending **at = &c->first;
    while (*at) {
        struct cached_pending *p = *at;
        const bool same = p != than && blob_equal(p->folder, than->folder) && blob_equal(p->key, than->key);
        if (!same) {
            at = &p->next;
            continue;
        }
        *at = p->next;
        talloc_free(p);
    }
    c->last = at;
}

/* The server will say what has become of it. */
static bool is_pending(const struct cache *c, const struct cached_message *m)
{
    const struct cached_pending *p = c->first;
    while (p && !((p->change == CACHED_SAVE || p->change == CACHED_MOVE) && blob_equal(p->folder, m->folder) &&
                  blob_equal(p->key, m->key)))
        p = p->next;
    return p;
}

/* All of it comes down again, but for what is still to go up. */
static void start_over(struct cache *c, struct blob folder)
{
    struct cached_folder *f = cache_folder(c, folder);
    for (struct cached_message *m = c->messages, *next; f && m; m = next) {
        next = m->next;
        if (blob_equal(m->folder, folder) && !is_pending(c, m))
            drop_message(c, m);
    }
    if (f)
        f->state = (struct sync_state){ 0 };
}

/* The server knows better: what it has comes down again. */
static void give_way(struct cache *c, const struct cached_pending *p, enum ec ec)
{
    struct cached_message *m = cache_message(c, p->folder, p->key);
    struct cached_folder *f = cache_folder(c, p->key);
    if (p->change == CACHED_MOVE && ec != SYNC_E_OBJECT_DELETED)
        start_over(c, p->from_folder); /* it has stayed where it was */
    if (p->change == CACHED_MOVE || ec != SYNC_E_IGNORE)
        drop_pending(c, p);
    if (m && (p->change == CACHED_MOVE || ec != SYNC_E_IGNORE))
        drop_message(c, m);
    if (f && p->change == CACHED_SAVE_FOLDER && ec != SYNC_E_IGNORE)
        drop_folder(c, f);
}

static enum ec upload_through(struct cache *c, uint32_t folder, const struct cached_pending *p)
{
    const bool hierarchy = p->change >= CACHED_SAVE_FOLDER;
    struct cached_folder *f = hierarchy ? NULL : cache_folder(c, p->folder);
    struct sync_state none = { 0 }, *state = hierarchy ? &c->hierarchy : f ? &f->state : &none;
    uint32_t collector;
    enum ec ec =
        client_collector_open(c->client, folder, hierarchy ? SYNC_HIERARCHY : SYNC_CONTENTS, state, &collector);
    if (ec)
        return ec;
    const enum ec imported = upload_one(c, collector, p, state);
    if (breaks(c))
        return ecCancel; /* the answer never came */
    ec = client_collector_close(c->client, c->owner, collector, state);
    return imported ? imported : ec;
}

static enum ec upload(struct cache *c, const struct cached_pending *p)
{
    const bool hierarchy = p->change >= CACHED_SAVE_FOLDER;
    uint32_t folder;
    enum ec ec = open_folder(c, hierarchy ? BLOB_OF(NULL, 0) : p->folder, &folder);
    if (!ec) {
        ec = upload_through(c, folder, p);
        client_release(c->client, folder);
    }
    if (c->cut || !is_settled(ec))
        return ec;
    give_way(c, p, ec);
    return ecNone;
}

static enum ec upload_all(struct cache *c)
{
    enum ec ec = ecNone;
    while (!ec && c->first) {
        struct cached_pending *p = c->first;
        ec = upload(c, p);
        if (ec)
            break;
        c->first = p->next;
        if (!c->first)
            c->last = &c->first;
        talloc_free(p);
    }
    return ec;
}

/* ---- down ---- */

struct place {
    struct cache *cache;
    struct cached_folder *folder; /* NULL: the hierarchy */
};

static struct blob bytes_of(const struct props *p, uint32_t tag)
{
    const struct prop *found = prop_find(p->values, p->count, tag);
    return found ? found->bin : BLOB_OF(NULL, 0);
}

static const char *text_of(const struct props *p, uint32_t tag)
{
    const struct prop *found = prop_find(p->values, p->count, tag);
    return found ? found->str : "";
}

static enum ec take_folder(void *arg, const struct props *p)
{
    struct place *at = arg;
    struct cached_folder *f = put_folder(at->cache, bytes_of(p, PidTagSourceKey));
    f->parent = blob_copy(f, bytes_of(p, PidTagParentSourceKey));
    f->name = talloc_strdup(f, text_of(p, PidTagDisplayName));
    f->change_key = blob_copy(f, bytes_of(p, PidTagChangeKey));
    f->predecessors = blob_copy(f, bytes_of(p, PidTagPredecessorChangeList));
    return breaks(at->cache) ? ecCancel : ecNone;
}

static enum ec take_message(void *arg, const struct sync_message *from)
{
    struct place *at = arg;
    const struct prop *flags = prop_find(from->props.values, from->props.count, PidTagMessageFlags);
    struct cached_message *m = put_message(at->cache, at->folder->key, bytes_of(&from->header, PidTagSourceKey));
    m->subject = talloc_asprintf(m, "%s%s", text_of(&from->props, PidTagSubjectPrefix),
                                 text_of(&from->props, PidTagNormalizedSubject));
    if (!*m->subject)
        m->subject = talloc_strdup(m, text_of(&from->props, PidTagSubject));
    m->read = flags && flags->u32 & READ;
    m->change_key = blob_copy(m, bytes_of(&from->header, PidTagChangeKey));
    m->predecessors = blob_copy(m, bytes_of(&from->header, PidTagPredecessorChangeList));
    at->cache->downloaded++;
    return breaks(at->cache) ? ecCancel : ecNone;
}

/* Every id of the set that the cache has. */
static void each_id(struct place *at, const struct idset *ids, void (*then)(struct place *, struct blob key, bool),
                    bool flag)
{
    for (uint32_t r = 0; r < ids->count; r++) {
        const struct globset *set = &ids->replicas[r].set;
        for (uint32_t i = 0; i < set->count; i++)
            for (uint64_t n = set->ranges[i].low; n <= set->ranges[i].high; n++) {
                const struct blob key = sync_gid(at->cache->owner, at->cache->replica, n);
                then(at, key, flag);
                talloc_free((void *)key.data);
            }
    }
}

static void delete_one(struct place *at, struct blob key, bool flag)
{
    struct cached_folder *f = at->folder ? NULL : cache_folder(at->cache, key);
    struct cached_message *m = at->folder ? cache_message(at->cache, at->folder->key, key) : NULL;
    (void)flag;
    if (f)
        drop_folder(at->cache, f);
    if (m)
        drop_message(at->cache, m);
}

static void read_one(struct place *at, struct blob key, bool flag)
{
    struct cached_message *m = cache_message(at->cache, at->folder->key, key);
    if (m)
        m->read = flag;
}

static enum ec take_deleted(void *arg, const struct idset *ids)
{
    each_id(arg, ids, delete_one, false);
    return breaks(((struct place *)arg)->cache) ? ecCancel : ecNone;
}

static enum ec take_read(void *arg, const struct idset *ids, bool is_read)
{
    each_id(arg, ids, read_one, is_read);
    return ecNone;
}

static const struct sync_taker taker = { take_folder, take_message, take_deleted, take_read };

static enum ec download(struct cache *c, struct cached_folder *f)
{
    const struct sync_scope folders = { .type = SYNC_HIERARCHY,
                                        .flags = SYNC_UNICODE | SYNC_NO_FOREIGN_IDENTIFIERS,
                                        .extra = SYNC_EID };
    const struct sync_scope contents = { .type = SYNC_CONTENTS, .flags = SYNC_EVERYTHING, .extra = SYNC_EID | SYNC_CN };
    struct place at = { c, f };
    uint32_t handle;
    enum ec ec = open_folder(c, f ? f->key : BLOB_OF(NULL, 0), &handle);
    if (ec)
        return f && ec == ecNotFound ? ecNone : ec; /* deleted meanwhile: the next pass says so */
    ec = client_sync(c->client, f ? (TALLOC_CTX *)f : c->owner, handle, f ? &contents : &folders,
                     f ? &f->state : &c->hierarchy, &taker, &at);
    client_release(c->client, handle);
    return ec;
}

static enum ec reserve(struct cache *c)
{
    if (c->last_id - c->next_id > IDS_AT_ONCE / 2)
        return ecNone;
    const enum ec ec = client_reserve_ids(c->client, IDS_AT_ONCE, &c->replica, &c->next_id);
    c->last_id = c->next_id + IDS_AT_ONCE;
    return ec;
}

enum ec cache_sync(struct cache *c)
{
    c->cut = false;
    enum ec ec = upload_all(c);
    if (!ec)
        ec = download(c, NULL);
    for (struct cached_folder *f = c->folders; f && !ec; f = f->next)
        ec = download(c, f);
    if (!ec)
        ec = reserve(c);
    if (!c->cut)
        return ec;
    ec = reconnect(c);
    return ec ? ec : ecCancel;
}

struct cache *cache_new(TALLOC_CTX *owner, struct client *client)
{
    struct cache *c = talloc_zero(owner, struct cache);
    c->owner = c;
    c->client = client;
    c->replica = client_logon_response(client)->ReplGuid;
    c->own = guid_random();
    c->last = &c->first;
    return c;
}
