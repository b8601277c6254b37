/* SPDX-License-Identifier: Apache-2.0 */
/* From the change stream of a mailbox to the notifications of its sessions.  [MS-OXCNOTIF] 3.1.4.3, 3.1.5.1
 *
 *   store commits -> session_store_changed -> each logon to that mailbox
 *                                             -> each subscription: RopNotify of an object
 *                                             -> each table with a view: RopNotify of a row
 *                                          -> who waits for the logon's session is woken
 */
#include "session/internal.h"

enum {
    NOTIFY_TABLE = 0x0100,
    NOTIFY_TOTAL = 0x1000,
    NOTIFY_UNREAD = 0x2000,
    NOTIFY_SEARCH = 0x4000,
    NOTIFY_MESSAGE = 0x8000
};
#define SUPERSEDE_AMONG 64u
#define ROW_MAX 16384u /* a row that is longer might fit into no answer: TABLE_CHANGED stands for it */

/* ---- the queue ---- */

static struct notification *notification_new(struct object *o)
{
    struct notification *n = talloc_zero(NULL, struct notification); /* its own context: any thread may free it */
    n->handle = o->handle;
    n->logon_id = o->logon->id;
    n->body.NotificationHandle = o->handle;
    n->body.LogonId = o->logon->id;
    return n;
}

static size_t row_bytes(const struct notification *n)
{
    return n->body.NotificationData.TableRowData.size;
}

/* With the session locked, as all up to session_forget_notifications. */
static void enqueue(struct session *s, struct notification *n)
{
    n->next = NULL;
    n->previous = s->last;
    *(s->last ? &s->last->next : &s->first) = n;
    s->last = n;
    s->queued++;
    s->queued_bytes += row_bytes(n);
}

static struct notification *take_out(struct session *s, struct notification *n)
{
    *(n->previous ? &n->previous->next : &s->first) = n->next;
    *(n->next ? &n->next->previous : &s->last) = n->previous;
    n->next = n->previous = NULL;
    s->queued--;
    s->queued_bytes -= row_bytes(n);
    return n;
}

/* Walks the whole queue, which is bounded. */
static void take_out_all(struct session *s, bool (*gone)(const struct notification *, uint32_t handle), uint32_t handle)
{
    for (struct notification *n = s->first, *next; n; n = next) {
        next = n->next;
        if (gone(n, handle))
            talloc_free(take_out(s, n));
    }
}

static bool is_row(const struct notification *n)
{
    return n->body.NotificationData.NotificationFlags & NOTIFY_TABLE;
}

static bool is_of_handle(const struct notification *n, uint32_t handle)
{
    return n->handle == handle;
}

static bool is_row_of_handle(const struct notification *n, uint32_t handle)
{
    return n->handle == handle && is_row(n);
}

/* Rows stay: they become TABLE_CHANGED where they are too many. */
static void drop_oldest_of_objects(struct session *s)
{
    struct notification *n = s->first;
    while (n && is_row(n))
        n = n->next;
    if (n)
        talloc_free(take_out(s, n));
}

void session_forget_notifications(struct session *s, uint32_t handle)
{
    pthread_mutex_lock(&s->lock);
    take_out_all(s, is_of_handle, handle);
    pthread_mutex_unlock(&s->lock);
}

/* A table whose TABLE_CHANGED leaves, or comes back. */
static void mark_stale(struct session *s, const struct notification *n, bool stale)
{
    struct object *table;
    if (n->body.NotificationData.TableEventType == TABLE_CHANGED &&
        session_object(s, n->logon_id, n->handle, &table) == ecNone)
        table->stale = stale;
}

struct notification *session_next_notification(TALLOC_CTX *arena, struct session *s)
{
    pthread_mutex_lock(&s->lock);
    struct notification *n = s->first;
    if (n)
        mark_stale(s, take_out(s, n), false);
    pthread_mutex_unlock(&s->lock);
    return n ? talloc_steal(arena, n) : NULL;
}

void session_unread_notification(struct session *s, struct notification *n)
{
    talloc_steal(NULL, n);
    pthread_mutex_lock(&s->lock);
    mark_stale(s, n, true);
    n->next = s->first;
    *(s->first ? &s->first->previous : &s->last) = n;
    s->first = n;
    s->queued++;
    s->queued_bytes += row_bytes(n);
    pthread_mutex_unlock(&s->lock);
}

bool session_has_notifications(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    const bool any = s->first != NULL;
    pthread_mutex_unlock(&s->lock);
    return any;
}

/* ---- waiting ---- */

bool session_wait(struct session *s, session_wake *wake, void *arg)
{
    pthread_mutex_lock(&s->lock);
    const bool alone = !s->wake;
    if (alone && (s->first || s->over)) {
        wake(arg, !s->over); /* under the lock: a cancel cannot overtake it */
    } else if (alone) {
        s->wake = wake;
        s->wake_arg = arg;
    }
    pthread_mutex_unlock(&s->lock);
    return alone;
}

void session_cancel_wait(struct session *s, void *arg)
{
    pthread_mutex_lock(&s->lock);
    if (s->wake_arg == arg)
        s->wake = NULL;
    pthread_mutex_unlock(&s->lock);
}

static void wake_waiter(struct session *s, bool event)
{
    pthread_mutex_lock(&s->lock);
    session_wake *wake = s->wake;
    if (wake && (s->first || !event)) {
        s->wake = NULL;
        wake(s->wake_arg, event);
    }
    pthread_mutex_unlock(&s->lock);
}

void session_end_wait(struct session *s)
{
    pthread_mutex_lock(&s->lock);
    s->over = true;
    pthread_mutex_unlock(&s->lock);
    wake_waiter(s, false);
}

/* ---- subscriptions ---- */

static bool concerns(const struct subscription *sub, const struct store_change *c)
{
    if (!(sub->types & c->kind))
        return false;
    if (c->in_search)
        return c->fid == sub->fid && !sub->whole_store && (!sub->mid || sub->mid == c->mid);
    if (sub->whole_store)
        return true;
    if (sub->mid)
        return c->is_message && (c->mid == sub->mid || c->old_mid == sub->mid);
    return c->fid == sub->fid || c->old_fid == sub->fid ||
           (!c->is_message && (c->parent == sub->fid || c->old_parent == sub->fid));
}

/* [MS-OXCNOTIF] 2.2.1.4.1.2 */
static void fill_object(struct NotificationData *b, const struct store_change *c, TALLOC_CTX *owner)
{
    b->NotificationFlags =
        (uint16_t)(c->kind | (c->is_message ? NOTIFY_MESSAGE : 0) | (c->in_search ? NOTIFY_SEARCH : 0));
    b->FolderId = c->fid;
    b->MessageId = c->mid;
    b->ParentFolderId = c->parent;
    b->OldFolderId = c->old_fid;
    b->OldMessageId = c->old_mid;
    b->OldParentFolderId = c->old_parent;
    b->TotalMessageCount = c->total;
    b->UnreadMessageCount = c->unread;
    if (c->kind == STORE_MODIFIED && !c->is_message && c->counts_changed)
        b->NotificationFlags |= NOTIFY_TOTAL | NOTIFY_UNREAD;
    if (c->kind == STORE_NEW_MAIL) {
        b->MessageFlags = c->message_flags;
        b->UnicodeFlag = true;
        b->MessageClass = talloc_strdup(owner, c->message_class ? c->message_class : "IPM.Note");
    }
}

/* The same object modified once more, to the same subscription: the newer one tells all, counts included. */
static bool is_superseded(const struct notification *n, const struct notification *like)
{
    const struct NotificationData *a = &n->body.NotificationData, *b = &like->body.NotificationData;
    const uint16_t both = STORE_MODIFIED | NOTIFY_MESSAGE;
    return n->handle == like->handle && a->NotificationFlags & STORE_MODIFIED &&
           b->NotificationFlags & STORE_MODIFIED && (a->NotificationFlags & both) == (b->NotificationFlags & both) &&
           a->FolderId == b->FolderId && a->MessageId == b->MessageId;
}

/* Looks at the newest alone: sessions that nobody fetches from any more must not make every change a long walk. */
static void supersede(struct session *s, struct notification *by)
{
    struct notification *n = s->last;
    for (unsigned i = 1; n && i < SUPERSEDE_AMONG && !is_superseded(n, by); i++)
        n = n->previous;
    if (!n || !is_superseded(n, by))
        return;
    by->body.NotificationData.NotificationFlags |=
        n->body.NotificationData.NotificationFlags & (NOTIFY_TOTAL | NOTIFY_UNREAD);
    talloc_free(take_out(s, n));
}

/* What a delegate hears of: a folder that he sees, a message that he may read.  What moves between such a folder and
 * another one comes or goes, as far as he is told. */
static bool is_for(const struct object *o, const struct store_change *c, struct store_change *told)
{
    struct store_delegate *d = o->logon->delegate;
    *told = *c;
    if (!d)
        return true;
    if (o->logon->is_public && told->counts_changed)
        told->unread = store_unread(o->logon->store, d, told->fid, told->total);
    const uint32_t right = c->is_message ? RIGHT_READ_ANY : RIGHT_VISIBLE;
    const bool moved = c->kind == STORE_MOVED || c->kind == STORE_COPIED;
    const bool here = store_rights(o->logon->store, d, c->fid) & right;
    const bool there = !moved || store_rights(o->logon->store, d, c->old_fid) & right;
    if (!moved || (here && there))
        return here;
    told->kind = here ? STORE_CREATED : STORE_DELETED;
    told->fid = here ? c->fid : c->old_fid;
    told->mid = here ? c->mid : c->old_mid;
    told->old_fid = told->old_mid = told->old_parent = 0;
    return here || (there && c->kind == STORE_MOVED);
}

static void notify_subscription(struct session *s, struct object *o, const struct store_change *change)
{
    struct store_change told, *c = &told;
    if (!concerns(&o->subscription, change) || !is_for(o, change, &told) || !(o->subscription.types & told.kind))
        return;
    struct notification *n = notification_new(o);
    fill_object(&n->body.NotificationData, c, n);
    pthread_mutex_lock(&s->lock);
    supersede(s, n);
    if (s->queued >= SESSION_QUEUE_HARD_MAX)
        drop_oldest_of_objects(s);
    enqueue(s, n);
    pthread_mutex_unlock(&s->lock);
}

/* ---- tables ---- */

/* The row goes out over the columns that the table has now; the client may change them before it reads this.  false: the
 * row is too long. */
static bool fill_row(struct session *s, struct notification *n, const struct table_event *e, const struct object *table)
{
    struct NotificationData *b = &n->body.NotificationData;
    struct buf row;
    buf_init(&row, n);
    struct wire_out out = wire_out(&row);
    out.limit = ROW_MAX;
    out.codepage = s->client.code_page;
    out.columns = store_table_columns_set(table->table);
    out.column_count = store_table_column_count(table->table);
    if (e->type != TABLE_ROW_DELETED)
        wire_put_row(&out, &e->row);
    b->NotificationFlags = (uint16_t)(NOTIFY_TABLE | (e->mid ? NOTIFY_MESSAGE : 0));
    b->TableEventType = (uint16_t)e->type;
    b->TableRowFolderID = e->fid;
    b->TableRowMessageID = e->mid;
    b->TableRowInstance = e->instance;
    b->InsertAfterTableRowFolderID = e->after_fid;
    b->InsertAfterTableRowID = e->after_mid;
    b->InsertAfterTableRowInstance = e->after_instance;
    b->TableRowData = buf_blob(&row);
    b->TableRowDataSize = (uint16_t)row.size;
    return !out.full;
}

/* [MS-OXCNOTIF] 3.1.4.3: where single rows are too many, one TableChanged stands for all. */
static void enqueue_row(struct session *s, struct object *o, struct notification *n, bool informative)
{
    struct NotificationData *b = &n->body.NotificationData;
    pthread_mutex_lock(&s->lock);
    if (!informative || s->queued >= SESSION_QUEUE_MAX || s->queued_bytes + row_bytes(n) > SESSION_QUEUE_BYTES) {
        take_out_all(s, is_row_of_handle, o->handle);
        talloc_free_children(n);
        *b = (struct NotificationData){ .NotificationFlags = NOTIFY_TABLE, .TableEventType = TABLE_CHANGED };
        o->stale = true;
    }
    enqueue(s, n);
    pthread_mutex_unlock(&s->lock);
}

static bool is_stale(struct session *s, const struct object *table)
{
    pthread_mutex_lock(&s->lock);
    const bool stale = table->stale;
    pthread_mutex_unlock(&s->lock);
    return stale;
}

static void notify_table(struct session *s, struct object *o, const struct store_change *c)
{
    if (!o->notify || !o->view || is_stale(s, o))
        return;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct table_event e;
    if (store_table_event(arena, o->table, c, &e)) {
        struct notification *n = notification_new(o);
        enqueue_row(s, o, n, e.type != TABLE_CHANGED && fill_row(s, n, &e, o));
    }
    talloc_free(arena);
}

/* ---- the change stream ---- */

static struct audience **audience_of(struct sessions *all, const struct store *store)
{
    struct audience **at = &all->audiences[((uintptr_t)store >> 6) % AUDIENCES];
    while (*at && (*at)->store != store)
        at = &(*at)->next;
    return at;
}

void session_listen(struct logon *l)
{
    struct sessions *all = l->session->all;
    pthread_mutex_lock(&all->lock);
    struct audience **at = audience_of(all, l->store);
    if (!*at) {
        *at = talloc_zero(NULL, struct audience);
        (*at)->store = l->store;
    }
    l->next_of_store = (*at)->first;
    (*at)->first = l;
    pthread_mutex_unlock(&all->lock);
}

void session_stop_listening(struct logon *l)
{
    struct sessions *all = l->session->all;
    pthread_mutex_lock(&all->lock);
    struct audience **at = audience_of(all, l->store), *gone = *at;
    struct logon **logon = &gone->first;
    while (*logon != l)
        logon = &(*logon)->next_of_store;
    *logon = l->next_of_store;
    if (!gone->first) {
        *at = gone->next;
        talloc_free(gone);
    }
    pthread_mutex_unlock(&all->lock);
}

static void notify_object(struct object *o, const struct store_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (o->type == OBJECT_SUBSCRIPTION)
            notify_subscription(o->session, o, &changes[i]);
        else
            notify_table(o->session, o, &changes[i]);
}

/* The store is locked, so its audience and the objects that listen stay as they are. */
void session_store_changed(void *sessions, struct store *store, const struct store_change *changes, size_t count)
{
    struct sessions *all = sessions;
    pthread_mutex_lock(&all->lock);
    const struct audience *audience = *audience_of(all, store);
    pthread_mutex_unlock(&all->lock);
    for (struct logon *l = audience ? audience->first : NULL; l; l = l->next_of_store) {
        for (struct object *o = l->listeners; o; o = o->next_listener)
            notify_object(o, changes, count);
        wake_waiter(l->session, true);
    }
}
