/* SPDX-License-Identifier: Apache-2.0 */
/* From the change stream of a mailbox to the notifications of its sessions.  [MS-OXCNOTIF] 3.1.4.3, 3.1.5.1
 *
 *   store commits -> session_store_changed -> each session with a logon to that mailbox
 *                                             -> each subscription: RopNotify of an object
 *                                             -> each table with a view: RopNotify of a row
 */
#include "session/internal.h"

enum { NOTIFY_TABLE = 0x0100, NOTIFY_TOTAL = 0x1000, NOTIFY_UNREAD = 0x2000, NOTIFY_MESSAGE = 0x8000 };

/* ---- the queue; the session is locked ---- */

static struct notification *notification_new(struct object *o)
{
    struct notification *n = talloc_zero(NULL, struct notification);   /* its own context: any thread may free it */
    n->handle = o->handle;
    n->logon_id = o->logon->id;
    n->body.NotificationHandle = o->handle;
    n->body.LogonId = o->logon->id;
    return n;
}

static void enqueue(struct session *s, struct notification *n)
{
    struct notification **last = &s->first;
    if (s->first)
        last = s->last;
    *last = n;
    s->last = &n->next;
    s->queued++;
}

/* Takes out what `gone` says.  Walks the whole queue, which is bounded. */
static void filter_queue(struct session *s, bool (*gone)(const struct notification *, uint32_t), uint32_t handle)
{
    struct notification *all = s->first, *next;
    s->first = NULL;
    s->queued = 0;
    for (; all; all = next) {
        next = all->next;
        all->next = NULL;
        if (gone(all, handle))
            talloc_free(all);
        else
            enqueue(s, all);
    }
}

static bool is_of_handle(const struct notification *n, uint32_t handle)
{
    return n->handle == handle;
}

static bool is_row_of_handle(const struct notification *n, uint32_t handle)
{
    return n->handle == handle && n->body.NotificationData.NotificationFlags & NOTIFY_TABLE;
}

void session_forget_notifications(struct session *s, uint32_t handle)
{
    filter_queue(s, is_of_handle, handle);
}

/* [MS-OXCNOTIF] 3.1.4.3: where single rows are too many, one TableChanged stands for all. */
static void collapse_table(struct session *s, struct object *table)
{
    filter_queue(s, is_row_of_handle, table->handle);
    struct notification *n = notification_new(table);
    n->body.NotificationData.NotificationFlags = NOTIFY_TABLE;
    n->body.NotificationData.TableEventType = TABLE_CHANGED;
    enqueue(s, n);
}

struct notification *session_next_notification(TALLOC_CTX *arena, struct session *s)
{
    pthread_mutex_lock(&s->lock);
    struct notification *n = s->first;
    if (n) {
        s->first = n->next;
        s->queued--;
        n->next = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    return n ? talloc_steal(arena, n) : NULL;
}

void session_unread_notification(struct session *s, struct notification *n)
{
    talloc_steal(NULL, n);
    pthread_mutex_lock(&s->lock);
    n->next = s->first;
    if (!s->first)
        s->last = &n->next;
    s->first = n;
    s->queued++;
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

bool session_wait(struct session *s, void (*wake)(void *arg), void *arg)
{
    pthread_mutex_lock(&s->lock);
    const bool alone = !s->wake, now = alone && s->first;
    if (now) {
        wake(arg);                 /* under the lock: a cancel cannot overtake it */
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

static void wake_waiter(struct session *s)
{
    void (*wake)(void *) = s->wake;
    s->wake = NULL;
    if (wake && s->first)
        wake(s->wake_arg);
    else
        s->wake = wake;
}

/* ---- subscriptions ---- */

static bool concerns(const struct subscription *sub, const struct store_change *c)
{
    if (!(sub->types & c->kind))
        return false;
    if (sub->whole_store)
        return true;
    if (sub->mid)
        return c->is_message && (c->mid == sub->mid || c->old_mid == sub->mid);
    return c->fid == sub->fid || c->old_fid == sub->fid || (!c->is_message && c->parent == sub->fid);
}

/* [MS-OXCNOTIF] 2.2.1.4.1.2 */
static void fill_object(struct NotificationData *b, const struct store_change *c, TALLOC_CTX *owner)
{
    b->NotificationFlags = (uint16_t)(c->kind | (c->is_message ? NOTIFY_MESSAGE : 0));
    b->FolderId = c->fid;
    b->MessageId = c->mid;
    b->ParentFolderId = c->parent;
    b->OldFolderId = c->old_fid;
    b->OldMessageId = c->old_mid;
    b->OldParentFolderId = c->old_parent;
    if (c->kind == STORE_MODIFIED && !c->is_message && c->counts_changed) {
        b->NotificationFlags |= NOTIFY_TOTAL | NOTIFY_UNREAD;
        b->TotalMessageCount = c->total;
        b->UnreadMessageCount = c->unread;
    }
    if (c->kind == STORE_NEW_MAIL) {
        b->MessageFlags = c->message_flags;
        b->UnicodeFlag = true;
        b->MessageClass = talloc_strdup(owner, c->message_class ? c->message_class : "IPM.Note");
    }
}

static void notify_subscription(struct session *s, struct object *o, const struct store_change *c)
{
    if (!concerns(&o->subscription, c) || s->queued >= 4 * SESSION_QUEUE_MAX)
        return;
    struct notification *n = notification_new(o);
    fill_object(&n->body.NotificationData, c, n);
    enqueue(s, n);
}

/* ---- tables ---- */

/* The row goes out over the columns that the table has now; the client may change them before it reads this. */
static void fill_row(struct session *s, struct notification *n, const struct table_event *e, const struct object *table)
{
    struct NotificationData *b = &n->body.NotificationData;
    struct buf row;
    buf_init(&row, n);
    struct wire_out out = wire_out(&row);
    out.limit = UINT16_MAX;
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
}

static void notify_table(struct session *s, struct object *o, const struct store_change *c)
{
    if (!o->notify || !o->view)
        return;
    struct notification *n = notification_new(o);
    struct table_event e;
    if (!store_table_event(n, o->table, c, &e)) {
        talloc_free(n);
    } else if (e.type == TABLE_CHANGED || s->queued >= SESSION_QUEUE_MAX) {
        talloc_free(n);
        collapse_table(s, o);
    } else {
        fill_row(s, n, &e, o);
        enqueue(s, n);
    }
}

/* ---- the change stream ---- */

static void notify_object(struct session *s, struct object *o, const struct store_change *changes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (o->type == OBJECT_SUBSCRIPTION)
            notify_subscription(s, o, &changes[i]);
        else if (o->type & (OBJECT_CONTENTS | OBJECT_HIERARCHY))
            notify_table(s, o, &changes[i]);
}

static void notify_session(struct session *s, struct store *store, const struct store_change *changes, size_t count)
{
    pthread_mutex_lock(&s->lock);
    for (size_t i = 0; i < COUNTOF(s->objects); i++)
        for (struct object *o = s->objects[i]; o; o = o->next)
            if (o->logon->store == store)
                notify_object(s, o, changes, count);
    wake_waiter(s);
    pthread_mutex_unlock(&s->lock);
}

void session_store_changed(void *sessions, struct store *store, const struct store_change *changes, size_t count)
{
    struct sessions *all = sessions;
    pthread_mutex_lock(&all->lock);
    for (struct session *s = all->first; s; s = s->next)
        notify_session(s, store, changes, count);
    pthread_mutex_unlock(&all->lock);
}
