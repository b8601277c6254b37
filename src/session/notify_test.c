/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCNOTIF] 2.2.1.1, 2.2.1.4.1.2, 3.1.4, 3.1.5: what the sessions of a mailbox hear of its changes, and when. */
#include <pthread.h>
#include <stdatomic.h>

#include "session/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
#define OUTBOX STORE_FID(SPECIAL_OUTBOX)
enum { MESSAGE = 0x8000, TOTAL = 0x1000, UNREAD = 0x2000, TABLE = 0x0100, ALL = 0x00FE };

/* A session of alice with a logon. */
struct listener {
    struct session_fixture *f;
    struct session *session;
    struct logon *logon;
};

static int stop(struct listener *l)
{
    session_free(l->session);
    return 0;
}

static struct listener *listen_to(struct session_fixture *f, const struct account *user)
{
    struct listener *l = talloc_zero(f->arena, struct listener);
    l->f = f;
    l->session = session_fixture_session(f, user);
    l->logon = session_fixture_logon(l->session, 0, user);
    talloc_set_destructor(l, stop);
    return l;
}

static struct object *subscribe(struct listener *l, uint16_t types, uint64_t fid, uint64_t mid)
{
    struct object *o;
    store_lock(l->logon->store);
    assert_int_equal(session_object_new(l->logon, NULL, OBJECT_SUBSCRIPTION, &o), ecNone);
    o->subscription = (struct subscription){ .types = types, .whole_store = fid == 0, .fid = fid, .mid = mid };
    store_unlock(l->logon->store);
    return o;
}

static const struct notification *next(struct listener *l)
{
    return session_next_notification(l->f->arena, l->session);
}

/* The next one about this kind of event; the others before it are dropped. */
static const struct notification *next_of(struct listener *l, uint16_t kind)
{
    const struct notification *n;
    while ((n = next(l)) && (n->body.NotificationData.NotificationFlags & 0x0FFF) != kind)
        ;
    return n;
}

static unsigned drain(struct listener *l)
{
    unsigned count = 0;
    while (next(l))
        count++;
    return count;
}

/* ---- changes ---- */

static struct store *locked(struct listener *l)
{
    store_lock(l->logon->store);
    return l->logon->store;
}

static uint64_t save_message(struct listener *l, uint64_t fid, const char *subject)
{
    struct store_message *m;
    enum ec ec;
    uint64_t mid;
    struct store *st = locked(l);
    assert_int_equal(store_message_new(&m, NULL, st, fid, false), ecNone);
    assert_int_equal(store_message_set(m, &P_STR(PidTagSubject, subject), 1, &ec), ecNone);
    assert_int_equal(store_message_save(m, false, &mid), ecNone);
    talloc_free(m);
    store_unlock(st);
    return mid;
}

static void change_message(struct listener *l, uint64_t mid, const char *subject)
{
    struct store_message *m;
    enum ec ec;
    struct store *st = locked(l);
    assert_int_equal(store_message_open(&m, NULL, st, 0, mid, MESSAGE_READWRITE), ecNone);
    assert_int_equal(store_message_set(m, &P_STR(PidTagSubject, subject), 1, &ec), ecNone);
    assert_int_equal(store_message_save(m, false, &mid), ecNone);
    talloc_free(m);
    store_unlock(st);
}

static void deliver(struct listener *l)
{
    struct store_message *m;
    uint64_t mid;
    struct store *st = locked(l);
    assert_int_equal(store_message_new(&m, NULL, st, INBOX, false), ecNone);
    assert_int_equal(store_message_deliver(m, 0, &mid), ecNone);
    talloc_free(m);
    store_unlock(st);
}

static void delete_message(struct listener *l, uint64_t fid, uint64_t mid)
{
    bool partial;
    struct store *st = locked(l);
    assert_int_equal(store_messages_delete(st, fid, &mid, 1, false, &partial), ecNone);
    store_unlock(st);
}

static uint64_t move_message(struct listener *l, uint64_t from, uint64_t to, uint64_t mid, bool copy)
{
    bool partial;
    uint64_t moved;
    struct store *st = locked(l);
    assert_int_equal(store_messages_move(st, from, to, &mid, 1, copy, &moved, &partial), ecNone);
    store_unlock(st);
    return moved;
}

/* Doubles the messages of the Inbox, of which there is one, until there are so many; the id of the last. */
static uint64_t fill_inbox(struct listener *l, unsigned count)
{
    uint64_t *mids = talloc_zero_array(l, uint64_t, 2 * count);
    bool partial;
    mids[0] = save_message(l, INBOX, "m");
    for (unsigned n = 1; n < count; n *= 2) {
        struct store *st = locked(l);
        assert_int_equal(store_messages_move(st, INBOX, INBOX, mids, n, true, mids + n, &partial), ecNone);
        store_unlock(st);
    }
    unsigned last = 1;
    while (last < count)
        last *= 2;
    return mids[last - 1];
}

static uint64_t make_folder(struct listener *l, uint64_t parent, const char *name)
{
    uint64_t fid;
    bool existed;
    struct store *st = locked(l);
    assert_int_equal(store_folder_create(st, parent, FOLDER_GENERIC, name, "", false, &fid, &existed), ecNone);
    store_unlock(st);
    return fid;
}

/* ---- subscriptions ---- */

static void every_kind_of_event_tells_what_happened_to_what(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    const struct object *sub = subscribe(l, ALL, 0, 0);

    const uint64_t mid = save_message(l, INBOX, "m");
    const struct notification *n = next_of(l, STORE_CREATED); /* R13, R42 */
    const struct NotificationData *d = &n->body.NotificationData;
    assert_int_equal(n->body.NotificationHandle, sub->handle);
    assert_int_equal(n->body.LogonId, 0);
    assert_int_equal(d->NotificationFlags, STORE_CREATED | MESSAGE);
    assert_int_equal(d->FolderId, INBOX);
    assert_int_equal(d->MessageId, mid);
    drain(l);

    change_message(l, mid, "n");
    d = &next_of(l, STORE_MODIFIED)->body.NotificationData; /* R15, R44 */
    assert_int_equal(d->NotificationFlags & MESSAGE, MESSAGE);
    assert_int_equal(d->MessageId, mid);
    drain(l);

    const uint64_t moved = move_message(l, INBOX, OUTBOX, mid, false);
    d = &next_of(l, STORE_MOVED)->body.NotificationData; /* R16, R45 */
    assert_int_equal(d->FolderId, OUTBOX);
    assert_int_equal(d->MessageId, moved);
    assert_int_equal(d->OldFolderId, INBOX);
    assert_int_equal(d->OldMessageId, mid);
    drain(l);

    const uint64_t copied = move_message(l, OUTBOX, INBOX, moved, true);
    d = &next_of(l, STORE_COPIED)->body.NotificationData; /* R12, R46 */
    assert_int_equal(d->FolderId, INBOX);
    assert_int_equal(d->MessageId, copied);
    assert_int_equal(d->OldMessageId, moved);
    drain(l);

    delete_message(l, INBOX, copied);
    d = &next_of(l, STORE_DELETED)->body.NotificationData; /* R14, R43 */
    assert_int_equal(d->FolderId, INBOX);
    assert_int_equal(d->MessageId, copied);
    drain(l);

    deliver(l);
    d = &next_of(l, STORE_NEW_MAIL)->body.NotificationData; /* R11, R41 */
    assert_int_equal(d->NotificationFlags, STORE_NEW_MAIL | MESSAGE);
    assert_int_equal(d->FolderId, INBOX);
    assert_string_equal(d->MessageClass, "IPM.Note");
    assert_true(d->UnicodeFlag);
}

static void folders_tell_their_parents_and_their_counts(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    subscribe(l, ALL, 0, 0);
    const uint64_t outer = make_folder(l, INBOX, "outer"), inner = make_folder(l, outer, "inner");
    const struct NotificationData *d = &next_of(l, STORE_CREATED)->body.NotificationData;
    assert_int_equal(d->NotificationFlags, STORE_CREATED);
    assert_int_equal(d->FolderId, outer);
    assert_int_equal(d->ParentFolderId, INBOX);
    drain(l);

    struct store *st = locked(l);
    assert_int_equal(store_folder_move(st, outer, inner, OUTBOX, "moved"), ecNone);
    store_unlock(st);
    d = &next_of(l, STORE_MOVED)->body.NotificationData;
    assert_int_equal(d->FolderId, inner);
    assert_int_equal(d->ParentFolderId, OUTBOX);
    assert_int_equal(d->OldParentFolderId, outer);
    drain(l);

    save_message(l, outer, "m");
    const struct notification *n;
    bool counted = false;
    while ((n = next_of(l, STORE_MODIFIED)))
        counted |= n->body.NotificationData.FolderId == outer &&
                   (n->body.NotificationData.NotificationFlags & (TOTAL | UNREAD)) == (TOTAL | UNREAD) &&
                   n->body.NotificationData.TotalMessageCount == 1;
    assert_true(counted);
}

static void only_the_kinds_asked_for_are_told(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    const uint32_t deleted = subscribe(l, STORE_DELETED, 0, 0)->handle,
                   mail = subscribe(l, STORE_NEW_MAIL, 0, 0)->handle;
    delete_message(l, INBOX, save_message(l, INBOX, "m"));
    deliver(l);
    assert_int_equal(next(l)->handle, deleted);
    assert_int_equal(next(l)->handle, mail); /* R291 */
    assert_null(next(l));
}

static void a_folder_hears_of_itself_its_messages_and_its_subfolders(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    const uint64_t mine = make_folder(l, INBOX, "mine"), other = make_folder(l, INBOX, "other");
    subscribe(l, STORE_CREATED | STORE_MOVED | STORE_DELETED, mine, 0);
    const uint64_t inside = save_message(l, mine, "m"), outside = save_message(l, other, "m");
    assert_int_equal(next(l)->body.NotificationData.MessageId, inside); /* R53 */
    assert_null(next(l));
    const uint64_t sub = make_folder(l, mine, "sub");
    assert_int_equal(next(l)->body.NotificationData.FolderId, sub);
    const uint64_t came = move_message(l, other, mine, outside, false);
    assert_int_equal(next(l)->body.NotificationData.MessageId, came);
    move_message(l, mine, other, came, false);
    assert_int_equal(next(l)->body.NotificationData.OldMessageId, came);
    struct store *st = locked(l);
    assert_int_equal(store_folder_move(st, mine, sub, other, "gone"), ecNone);
    store_unlock(st);
    assert_int_equal(next(l)->body.NotificationData.OldParentFolderId, mine);
    assert_null(next(l));
}

static void a_message_hears_of_itself_alone(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    const uint64_t mine = save_message(l, INBOX, "mine"), other = save_message(l, INBOX, "other");
    subscribe(l, ALL, INBOX, mine);
    change_message(l, other, "x");
    assert_null(next(l));
    change_message(l, mine, "x");
    assert_int_equal(next(l)->body.NotificationData.MessageId, mine);
    delete_message(l, INBOX, mine);
    assert_int_equal(next(l)->body.NotificationData.NotificationFlags, STORE_DELETED | MESSAGE);
}

static void an_object_that_changes_again_before_it_is_asked_for_tells_it_once(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    subscribe(l, STORE_MODIFIED, INBOX, 0);
    for (unsigned i = 0; i < 20; i++)
        save_message(l, INBOX, "m");
    const struct notification *n = next(l);
    assert_int_equal(n->body.NotificationData.FolderId, INBOX);
    assert_int_equal(n->body.NotificationData.NotificationFlags, STORE_MODIFIED | TOTAL | UNREAD);
    assert_int_equal(n->body.NotificationData.TotalMessageCount, 20);
    assert_null(next(l));
}

static void a_queue_that_nobody_empties_keeps_the_newest(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice), *writer = listen_to(f, f->alice);
    subscribe(l, STORE_COPIED, 0, 0);
    const uint64_t last = fill_inbox(writer, SESSION_QUEUE_HARD_MAX + 100);
    const struct notification *n, *newest = NULL;
    unsigned count = 0;
    for (; (n = next(l)); count++)
        newest = n;
    assert_int_equal(count, SESSION_QUEUE_HARD_MAX);
    assert_int_equal(newest->body.NotificationData.MessageId, last);
}

static void what_waits_for_a_released_handle_is_forgotten(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct object *gone = subscribe(l, STORE_CREATED, 0, 0);
    const uint32_t kept = subscribe(l, STORE_CREATED, 0, 0)->handle;
    save_message(l, INBOX, "m");
    session_object_release(gone);
    assert_int_equal(next(l)->handle, kept);
    assert_null(next(l));
    save_message(l, INBOX, "n");
    assert_int_equal(drain(l), 1);
}

static void every_session_of_the_mailbox_hears_and_nobody_elses(void **state)
{
    struct session_fixture *f = *state;
    struct listener *one = listen_to(f, f->alice), *two = listen_to(f, f->alice), *bob = listen_to(f, f->bob);
    subscribe(one, STORE_CREATED, 0, 0);
    subscribe(two, STORE_CREATED, 0, 0);
    subscribe(bob, STORE_CREATED, 0, 0);
    save_message(one, INBOX, "m");
    assert_int_equal(drain(one), 1);
    assert_int_equal(drain(two), 1);
    assert_int_equal(drain(bob), 0);
    talloc_free(two);
    save_message(one, INBOX, "n");
    assert_int_equal(drain(one), 1);
    save_message(bob, INBOX, "o");
    assert_int_equal(drain(bob), 1);
    assert_int_equal(drain(one), 0);
}

static void what_did_not_fit_comes_first_the_next_time(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    subscribe(l, STORE_CREATED, 0, 0);
    const uint64_t first = save_message(l, INBOX, "1"), second = save_message(l, INBOX, "2");
    struct notification *n = session_next_notification(f->arena, l->session);
    session_unread_notification(l->session, n);
    assert_true(session_has_notifications(l->session));
    assert_int_equal(next(l)->body.NotificationData.MessageId, first);
    n = session_next_notification(f->arena, l->session);
    session_unread_notification(l->session, n); /* into an empty queue */
    const uint64_t third = save_message(l, INBOX, "3");
    assert_int_equal(next(l)->body.NotificationData.MessageId, second);
    assert_int_equal(next(l)->body.NotificationData.MessageId, third);
    assert_false(session_has_notifications(l->session));
}

/* ---- tables ---- */

static const uint32_t columns[] = { PidTagMid, PidTagSubject };

/* As RopQueryPosition does. */
static void look_at(struct listener *l, struct object *table)
{
    uint32_t at, rows;
    struct store *st = locked(l);
    assert_int_equal(store_table_position(table->table, &at, &rows), ecNone);
    table->notify = table->view = true;
    store_unlock(st);
}

static struct object *contents(struct listener *l, uint64_t fid)
{
    struct object *o;
    uint32_t rows;
    const struct SortOrder by_subject = { .PropertyTag = PidTagSubject };
    struct store *st = locked(l);
    assert_int_equal(session_object_new(l->logon, NULL, OBJECT_CONTENTS, &o), ecNone);
    assert_int_equal(store_contents_table(&o->table, o, st, fid, 0, &rows), ecNone);
    assert_int_equal(store_table_columns(o->table, columns, COUNTOF(columns)), ecNone);
    assert_int_equal(store_table_sort(o->table, &by_subject, 1), ecNone);
    store_unlock(st);
    look_at(l, o);
    return o;
}

static struct props row_of(struct listener *l, const struct NotificationData *d)
{
    struct wire_in in = wire_in(l->f->arena, d->TableRowData);
    in.columns = columns;
    in.column_count = COUNTOF(columns);
    const struct props row = wire_get_row(&in);
    assert_false(in.bad);
    assert_int_equal(d->TableRowDataSize, d->TableRowData.size);
    return row;
}

static void rows_are_added_changed_and_taken_away_with_their_place_and_columns(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    const struct object *table = contents(l, INBOX);

    const uint64_t bravo = save_message(l, INBOX, "bravo");
    const struct notification *n = next(l);
    const struct NotificationData *d = &n->body.NotificationData;
    assert_int_equal(n->body.NotificationHandle, table->handle);
    assert_int_equal(d->NotificationFlags, TABLE | MESSAGE); /* R261 */
    assert_int_equal(d->TableEventType, TABLE_ROW_ADDED);
    assert_int_equal(d->TableRowFolderID, INBOX);
    assert_int_equal(d->TableRowMessageID, bravo);
    assert_int_equal(d->InsertAfterTableRowID, 0);
    assert_string_equal(row_of(l, d).values[1].str, "bravo");

    const uint64_t alpha = save_message(l, INBOX, "alpha");
    assert_int_equal(next(l)->body.NotificationData.InsertAfterTableRowID, 0);
    const uint64_t charlie = save_message(l, INBOX, "charlie");
    assert_int_equal(next(l)->body.NotificationData.InsertAfterTableRowID, bravo);

    change_message(l, alpha, "delta");
    d = &next(l)->body.NotificationData; /* R263 */
    assert_int_equal(d->TableEventType, TABLE_ROW_MODIFIED);
    assert_int_equal(d->TableRowMessageID, alpha);
    assert_int_equal(d->InsertAfterTableRowID, charlie);
    assert_string_equal(row_of(l, d).values[1].str, "delta");

    delete_message(l, INBOX, bravo);
    d = &next(l)->body.NotificationData; /* R262 */
    assert_int_equal(d->TableEventType, TABLE_ROW_DELETED);
    assert_int_equal(d->TableRowMessageID, bravo);
    save_message(l, OUTBOX, "elsewhere");
    assert_null(next(l));
}

static void a_table_that_nobody_looked_at_or_that_asked_for_silence_is_silent(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct object *table = contents(l, INBOX);
    table->view = false;
    save_message(l, INBOX, "1"); /* R243 */
    assert_null(next(l));
    table->view = true;
    table->notify = false;
    save_message(l, INBOX, "2"); /* R258 */
    assert_null(next(l));
    table->notify = true;
    save_message(l, INBOX, "3");
    assert_int_equal(drain(l), 1);
}

static void too_many_rows_become_one_TableChanged(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice), *writer = listen_to(f, f->alice);
    struct object *table = contents(l, INBOX);
    subscribe(l, STORE_NEW_MAIL, 0, 0);
    deliver(writer);
    fill_inbox(writer, 2 * SESSION_QUEUE_MAX);
    assert_int_equal(next(l)->body.NotificationData.NotificationFlags & 0x0FFF, STORE_NEW_MAIL);
    const struct notification *n = next(l); /* R264 */
    assert_int_equal(n->handle, table->handle);
    assert_int_equal(n->body.NotificationData.NotificationFlags, TABLE);
    assert_int_equal(n->body.NotificationData.TableEventType, TABLE_CHANGED);
    assert_null(next(l));
    look_at(l, table);
    save_message(writer, INBOX, "m"); /* from then on rows again */
    assert_int_equal(next(l)->body.NotificationData.TableEventType, TABLE_ROW_ADDED);
}

static void rows_that_are_too_large_together_become_one_TableChanged(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct object *table = contents(l, INBOX);
    enum { COLUMNS = 8, ROW_LEAST = COLUMNS * 400, ROWS = SESSION_QUEUE_BYTES / ROW_LEAST + 1 };
    uint32_t wide[COLUMNS];
    for (unsigned i = 0; i < COUNTOF(wide); i++)
        wide[i] = PidTagSubject;
    struct store *st = locked(l);
    assert_int_equal(store_table_columns(table->table, wide, COUNTOF(wide)), ecNone);
    store_unlock(st);
    char subject[256] = { 0 };
    memset(subject, 's', sizeof subject - 1);
    assert_true(ROWS < SESSION_QUEUE_MAX);
    save_message(l, INBOX, subject);
    assert_int_equal(next(l)->body.NotificationData.TableEventType, TABLE_ROW_ADDED);
    for (unsigned i = 0; i < ROWS; i++)
        save_message(l, INBOX, subject);
    assert_int_equal(next(l)->body.NotificationData.TableEventType, TABLE_CHANGED);
    assert_null(next(l));
    look_at(l, table);
    save_message(l, INBOX, subject); /* what has left counts no longer */
    assert_int_equal(next(l)->body.NotificationData.TableEventType, TABLE_ROW_ADDED);
}

static void a_TableChanged_that_did_not_fit_still_stands_for_the_rows(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice), *writer = listen_to(f, f->alice);
    contents(l, INBOX);
    fill_inbox(writer, SESSION_QUEUE_MAX + 1);
    session_unread_notification(l->session, session_next_notification(f->arena, l->session));
    save_message(writer, INBOX, "m");
    assert_int_equal(drain(l), 1);
}

static void a_row_that_no_answer_could_hold_becomes_TableChanged(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct object *table = contents(l, INBOX);
    uint32_t wide[60];
    for (unsigned i = 0; i < COUNTOF(wide); i++)
        wide[i] = PidTagSubject;
    struct store *st = locked(l);
    assert_int_equal(store_table_columns(table->table, wide, COUNTOF(wide)), ecNone);
    store_unlock(st);
    char subject[256] = { 0 };
    memset(subject, 's', sizeof subject - 1);
    save_message(l, INBOX, subject);
    assert_int_equal(next(l)->body.NotificationData.TableEventType, TABLE_CHANGED);
    assert_null(next(l));
}

static void the_hierarchy_tells_of_its_folders(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    const uint32_t names[] = { PidTagFolderId, PidTagDisplayName };
    struct object *o;
    uint32_t rows;
    struct store *st = locked(l);
    assert_int_equal(session_object_new(l->logon, NULL, OBJECT_HIERARCHY, &o), ecNone);
    assert_int_equal(store_hierarchy_table(&o->table, o, st, INBOX, 0, &rows), ecNone);
    assert_int_equal(store_table_columns(o->table, names, COUNTOF(names)), ecNone);
    store_unlock(st);
    look_at(l, o);
    const uint64_t fid = make_folder(l, INBOX, "new");
    const struct NotificationData *d = &next(l)->body.NotificationData;
    assert_int_equal(d->NotificationFlags, TABLE);
    assert_int_equal(d->TableEventType, TABLE_ROW_ADDED);
    assert_int_equal(d->TableRowFolderID, fid);
}

/* ---- waiting ---- */

struct woken {
    unsigned times;
    bool event;
};

static void note(void *arg, bool event)
{
    struct woken *w = arg;
    w->times++;
    w->event = event;
}

static void an_event_wakes_who_waits_once(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct woken w = { 0 };
    subscribe(l, STORE_CREATED, 0, 0);
    assert_true(session_wait(l->session, note, &w));
    make_folder(l, INBOX, "not a message, but created");
    assert_int_equal(w.times, 1);
    assert_true(w.event);
    save_message(l, INBOX, "m");
    assert_int_equal(w.times, 1);
}

static void an_event_that_came_before_wakes_at_once(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct woken w = { 0 };
    subscribe(l, STORE_CREATED, 0, 0);
    save_message(l, INBOX, "m");
    assert_true(session_wait(l->session, note, &w)); /* R304: no wake-up is lost */
    assert_int_equal(w.times, 1);
    assert_true(session_wait(l->session, note, &w));
    assert_int_equal(w.times, 2);
}

static void what_concerns_nobody_wakes_nobody(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct woken w = { 0 };
    subscribe(l, STORE_DELETED, 0, 0);
    assert_true(session_wait(l->session, note, &w));
    save_message(l, INBOX, "m");
    assert_int_equal(w.times, 0);
    session_cancel_wait(l->session, &w);
}

static void only_one_waits(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct woken one = { 0 }, two = { 0 };
    subscribe(l, STORE_CREATED, 0, 0);
    assert_true(session_wait(l->session, note, &one));
    assert_false(session_wait(l->session, note, &two)); /* R308 */
    session_cancel_wait(l->session, &two);              /* takes nothing back */
    save_message(l, INBOX, "m");
    assert_int_equal(one.times, 1);
    assert_int_equal(two.times, 0);
}

static void who_has_cancelled_is_not_woken(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct woken one = { 0 }, two = { 0 };
    subscribe(l, STORE_CREATED, 0, 0);
    assert_true(session_wait(l->session, note, &one));
    session_cancel_wait(l->session, &one);
    assert_true(session_wait(l->session, note, &two));
    save_message(l, INBOX, "m");
    assert_int_equal(one.times, 0);
    assert_int_equal(two.times, 1);
}

static void the_end_wakes_without_an_event(void **state)
{
    struct session_fixture *f = *state;
    struct listener *l = listen_to(f, f->alice);
    struct woken before = { 0 }, after = { 0 };
    assert_true(session_wait(l->session, note, &before));
    session_end_wait(l->session);
    session_end_wait(l->session);
    assert_int_equal(before.times, 1);
    assert_false(before.event);
    save_message(l, INBOX, "m");
    assert_true(session_wait(l->session, note, &after));
    assert_int_equal(after.times, 1);
    assert_false(after.event);
}

/* ---- all at once ---- */

enum { MESSAGES = 150, READERS = 3 };

struct reader {
    struct session_fixture *f;
    pthread_mutex_t lock;
    pthread_cond_t come;
    bool woken;
    atomic_bool ready;
    unsigned created, rows;
};

static void wake_reader(void *arg, bool event)
{
    struct reader *r = arg;
    (void)event;
    pthread_mutex_lock(&r->lock);
    r->woken = true;
    pthread_cond_signal(&r->come);
    pthread_mutex_unlock(&r->lock);
}

static void sleep_until_woken(struct reader *r, struct session *s)
{
    if (!session_wait(s, wake_reader, r))
        abort();
    pthread_mutex_lock(&r->lock);
    while (!r->woken)
        pthread_cond_wait(&r->come, &r->lock);
    r->woken = false;
    pthread_mutex_unlock(&r->lock);
}

/* As a client does: waits, fetches, opens and releases things in between.  A wake-up that is lost leaves it asleep. */
static void *read_all(void *arg)
{
    struct reader *r = arg;
    struct session_fixture mine = *r->f;
    mine.arena = talloc_new(NULL);
    struct listener *l = listen_to(&mine, mine.alice);
    const uint32_t subscription = subscribe(l, STORE_CREATED, 0, 0)->handle;
    contents(l, INBOX);
    r->ready = true;
    while (r->created < MESSAGES) {
        sleep_until_woken(r, l->session);
        if (!session_begin(l->session))
            abort();
        for (struct notification *n; (n = session_next_notification(mine.arena, l->session)); talloc_free(n))
            *(n->handle == subscription ? &r->created : &r->rows) += 1;
        session_object_release(contents(l, INBOX));
        session_object_release(subscribe(l, ALL, INBOX, 0));
        session_end(l->session);
    }
    talloc_free(mine.arena);
    return NULL;
}

static void *write_all(void *arg)
{
    struct session_fixture mine = *(struct session_fixture *)arg;
    mine.arena = talloc_new(NULL);
    struct listener *l = listen_to(&mine, mine.alice);
    for (unsigned i = 0; i < MESSAGES / 2; i++)
        save_message(l, INBOX, "m");
    talloc_free(mine.arena);
    return NULL;
}

static void *come_and_go(void *arg)
{
    struct session_fixture mine = *(struct session_fixture *)arg;
    for (unsigned i = 0; i < 40; i++) {
        mine.arena = talloc_new(NULL);
        struct listener *l = listen_to(&mine, i % 2 ? mine.alice : mine.bob);
        subscribe(l, ALL, 0, 0);
        talloc_free(mine.arena);
    }
    return NULL;
}

static void no_wake_up_is_lost_and_no_event_missed_by_many_threads(void **state)
{
    struct session_fixture *f = *state;
    struct reader readers[READERS];
    pthread_t reading[READERS], writing[2], going;
    for (unsigned i = 0; i < READERS; i++) {
        readers[i] = (struct reader){ .f = f };
        pthread_mutex_init(&readers[i].lock, NULL);
        pthread_cond_init(&readers[i].come, NULL);
        pthread_create(&reading[i], NULL, read_all, &readers[i]);
    }
    for (unsigned i = 0; i < READERS; i++)
        while (!readers[i].ready)
            sched_yield();
    pthread_create(&writing[0], NULL, write_all, f);
    pthread_create(&writing[1], NULL, write_all, f);
    pthread_create(&going, NULL, come_and_go, f);
    for (unsigned i = 0; i < READERS; i++) {
        pthread_join(reading[i], NULL);
        assert_int_equal(readers[i].created, MESSAGES);
        assert_true(readers[i].rows > 0);
        pthread_cond_destroy(&readers[i].come);
        pthread_mutex_destroy(&readers[i].lock);
    }
    pthread_join(writing[0], NULL);
    pthread_join(writing[1], NULL);
    pthread_join(going, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SESSION_TEST(every_kind_of_event_tells_what_happened_to_what),
        SESSION_TEST(folders_tell_their_parents_and_their_counts),
        SESSION_TEST(only_the_kinds_asked_for_are_told),
        SESSION_TEST(a_folder_hears_of_itself_its_messages_and_its_subfolders),
        SESSION_TEST(a_message_hears_of_itself_alone),
        SESSION_TEST(an_object_that_changes_again_before_it_is_asked_for_tells_it_once),
        SESSION_TEST(a_queue_that_nobody_empties_keeps_the_newest),
        SESSION_TEST(what_waits_for_a_released_handle_is_forgotten),
        SESSION_TEST(every_session_of_the_mailbox_hears_and_nobody_elses),
        SESSION_TEST(what_did_not_fit_comes_first_the_next_time),
        SESSION_TEST(rows_are_added_changed_and_taken_away_with_their_place_and_columns),
        SESSION_TEST(a_table_that_nobody_looked_at_or_that_asked_for_silence_is_silent),
        SESSION_TEST(too_many_rows_become_one_TableChanged),
        SESSION_TEST(rows_that_are_too_large_together_become_one_TableChanged),
        SESSION_TEST(a_TableChanged_that_did_not_fit_still_stands_for_the_rows),
        SESSION_TEST(a_row_that_no_answer_could_hold_becomes_TableChanged),
        SESSION_TEST(the_hierarchy_tells_of_its_folders),
        SESSION_TEST(an_event_wakes_who_waits_once),
        SESSION_TEST(an_event_that_came_before_wakes_at_once),
        SESSION_TEST(what_concerns_nobody_wakes_nobody),
        SESSION_TEST(only_one_waits),
        SESSION_TEST(who_has_cancelled_is_not_woken),
        SESSION_TEST(the_end_wakes_without_an_event),
        SESSION_TEST(no_wake_up_is_lost_and_no_event_missed_by_many_threads),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
