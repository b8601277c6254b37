/* SPDX-License-Identifier: Apache-2.0 */
/* session/session.h: one logged-on client, whatever transport carries it: its logons, its handle table, the server
 * objects behind the handles and the notifications that wait for it.  [MS-OXCROPS] 3.1.1, [MS-OXCNOTIF] 3.1.1
 * Owns the objects; never parses a ROP and never speaks HTTP.
 *
 * Locks: a session is used by one request at a time (session_begin), which alone sees its handle table.  An object
 * is made, used and released with its store locked.  The watcher of a store comes from any thread, with that store
 * locked, and walks the objects of the store's logons that listen; so these lists belong to the store's lock.  The
 * session's own lock is the innermost: it guards the queue of notifications and who waits for them. */
#pragma once
#include <stdatomic.h>

#include "directory/directory.h"
#include "store/store.h"

struct fx_download;
struct fx_upload;
struct ics_state;
struct sessions; /* all sessions of this process, and the pool of stores that they use */
struct session;
struct logon;

/* What a handle stands for; bits, so that a row of rop.def can name several. */
enum object_type {
    OBJECT_LOGON = 0x001,
    OBJECT_FOLDER = 0x002,
    OBJECT_MESSAGE = 0x004,
    OBJECT_ATTACHMENT = 0x008,
    OBJECT_CONTENTS = 0x010, /* tables */
    OBJECT_HIERARCHY = 0x020,
    OBJECT_ATTACHMENTS = 0x040,
    OBJECT_STREAM = 0x080,
    OBJECT_SUBSCRIPTION = 0x100,
    OBJECT_DOWNLOAD = 0x200,  /* FastTransfer and synchronisation, from the server */
    OBJECT_COLLECTOR = 0x400, /* synchronisation, to the server */
    OBJECT_UPLOAD = 0x800,    /* FastTransfer, to the server */
    OBJECT_RULES = 0x1000,    /* a table */
    OBJECT_PERMISSIONS = 0x2000, /* a table */
    OBJECT_TABLE = OBJECT_CONTENTS | OBJECT_HIERARCHY | OBJECT_ATTACHMENTS | OBJECT_RULES | OBJECT_PERMISSIONS,
    OBJECT_ANY = 0xFFFF,
};

struct subscription {
    uint16_t types; /* [MS-OXCNOTIF] 2.2.1.1 */
    bool whole_store;
    uint64_t fid, mid; /* mid 0: the folder */
};

/* One server object.  Its talloc children go with it: an attachment with its message, a stream with its object. */
struct object {
    enum object_type type;
    uint32_t handle;
    struct logon *logon;
    uint64_t fid;      /* folder, tables; of the message's folder */
    uint32_t right;    /* without this right in that folder, a delegate cannot use it any more; 0: always */
    uint16_t codepage; /* messages and what is in them: of 8-bit text; 0: the session's */
    union {
        struct store_message *message;
        struct store_attachment *attachment;
        struct store_table *table;
        struct store_stream *stream;
        struct subscription subscription;
        struct fx_download *download; /* these are rop's, and nobody else looks into them */
        struct fx_upload *upload;
    };
    struct ics_state *state; /* synchronisation, both ways; rop's too */
    uint32_t collector;      /* messages: handle of what they are imported by; 0: nothing */
    bool notify;         /* tables: opened without NoNotifications */
    bool view;           /* tables: a row was asked for, [MS-OXCNOTIF] 3.1.4.3 */
    bool stale;          /* tables: a TABLE_CHANGED waits, so single rows tell nothing; the session's lock */
    struct object *next; /* in the session's handle table */
    struct object *next_listener, **listener_at; /* in the logon's list; NULL: never listens */
    struct session *session;
};

#define SESSION_OBJECTS_MAX 5000 /* handles of one session; more: ecTooManyOpenObjects */
#define SESSION_MEMORY_MAX ((size_t)256 * 1024 * 1024) /* bytes that the objects of one session hold */
#define SESSION_QUEUE_BYTES ((size_t)256 * 1024)       /* rows that wait; beyond, they collapse likewise */
#define SESSION_QUEUE_MAX 500    /* notifications that wait; beyond, rows collapse to TABLE_CHANGED */
#define SESSION_QUEUE_HARD_MAX (4 * SESSION_QUEUE_MAX) /* beyond, the oldest go */

struct logon {
    uint8_t id;
    struct session *session;
    struct store *store;           /* referenced until the logon ends */
    const struct account *account; /* whose mailbox it is */
    bool owner;                    /* the session's user owns the mailbox, or has full access to it */
    bool is_public;                /* of the public folders, where everybody is a delegate */
    struct store_delegate *delegate; /* for whom the store acts; NULL: its owner */
    uint64_t checked;                /* the directory's generation when `owner` was right */
    struct object *object;         /* the Logon object itself */
    struct object *listeners;      /* tables and subscriptions */
    struct per_user *per_user;     /* rop/oxcstor_per_user.c: sent in part; a child of the object */
    struct logon *next;            /* of the session */
    struct logon *next_of_store;   /* of all sessions, with the store locked */
};

struct client_info { /* of Connect, for rights, text and logs */
    uint32_t code_page, sort_locale, string_locale;
    uint16_t version[3];
    const char *application;
};

/* `directory` outlives the sessions. */
struct sessions *sessions_new(TALLOC_CTX *owner, struct directory *directory);
struct store_pool *sessions_stores(struct sessions *);
struct directory *sessions_directory(struct sessions *);
uint32_t sessions_count(struct sessions *);
/* Of sessions that begin from now on: SESSION_MEMORY_MAX unless said. */
void sessions_limit_memory(struct sessions *, size_t bytes);

/* NULL: the account is gone from the directory. */
struct session *session_new(struct sessions *, struct guid user_mailbox, const struct client_info *client);
/* Releases every object.  Waits for the request that is running. */
void session_free(struct session *);
const struct account *session_user(const struct session *);
const struct client_info *session_client(const struct session *);
struct sessions *session_all(const struct session *);
struct store_budget *session_budget(const struct session *);

/* One request at a time: false when another one is running. */
bool session_begin(struct session *);
void session_end(struct session *);

/* The walk through all mailboxes for what was deleted softly long ago: one of them, as if it were `now`, or all by a
 * thread, once an hour. */
struct upkeep;
void upkeep_walk(struct sessions *, struct org *, uint64_t now, const atomic_bool *stop);
struct upkeep *upkeep_start(TALLOC_CTX *owner, struct sessions *, struct org *);   /* NULL: no thread; logged */
void upkeep_stop(struct upkeep *);                                                 /* may be NULL */

/* Logons.  A second one with the same id releases the first and all below it ([MS-OXCROPS] 3.1.4.2). */
enum ec session_logon(struct session *, uint8_t id, const struct account *mailbox, struct logon **out);
struct logon *session_find_logon(struct session *, uint8_t id); /* NULL: none */
/* The oldest of a mailbox with another id; NULL: none. */
const struct logon *session_other_logon(struct session *, uint8_t id);
/* Locks the mailbox, which acts for the session's user then, with the rights that he has now. */
void session_lock(struct logon *);

/* Makes an object and its handle, with the store locked.  `parent` NULL: lives until the logon ends.
 * ecTooManyOpenObjects. */
enum ec session_object_new(struct logon *, struct object *parent, enum object_type, struct object **out);
/* ecNullObject: never given out; ecInvalidObject: released already; ecAccessDenied: another logon's. */
enum ec session_object(struct session *, uint8_t logon_id, uint32_t handle, struct object **out);
/* Releases the object and what lives in it; locks the store itself.  A logon takes everything with it. */
void session_object_release(struct object *);

/* ---- notifications ---- */
struct notification { /* RopNotify, ready to be written */
    uint32_t handle;
    uint8_t logon_id;
    struct RopNotify body;
    struct notification *next, *previous;
};
/* The oldest that waits, taken off the queue and owned by `arena`; NULL: none. */
struct notification *session_next_notification(TALLOC_CTX *arena, struct session *);
/* Back to the head of the queue: it did not fit. */
void session_unread_notification(struct session *, struct notification *);
bool session_has_notifications(struct session *);
/* Calls `wake` once, from any thread, as soon as a notification waits: at once if one does already.  Replaces
 * nothing: false when somebody waits already.  Cancelling takes back that `arg` waits: it is not woken any more once the
 * call returns.  Where no more notifications will be fetched, ending tells the one who waits, and at once whoever comes
 * to wait after that (`event` is false). */
typedef void session_wake(void *arg, bool event);
bool session_wait(struct session *, session_wake *wake, void *arg);
void session_cancel_wait(struct session *, void *arg);
void session_end_wait(struct session *);
