/* SPDX-License-Identifier: Apache-2.0 */
/* store/internal.h: what the files of this room share.  Ids are counters in here (48 bits, as SQL has them); wire ids
 * are made by store_id() at the room's border. */
#pragma once
#include <pthread.h>

#include "store/item.h"
#include "store/store.h"

enum ec store_schema(struct sql *);

struct store {
    struct sql *db;                              /* NULL: closed while idle; store_begin and store_read open it */
    char *url;                                   /* of this mailbox: sqlite:/.../GUID.db, or the shared database */
    bool gone;                                   /* the pool has forgotten it: it is not opened again */
    int64_t mb;
    struct guid guid, replica;
    struct store_identity identity;
    struct store_budget *budget;                 /* what is opened now is charged to it; NULL: to none (budget.c) */
    struct pending *pending;                     /* changes of the transaction under way (change.c) */
    struct named_cache *named;                   /* named.c */
    struct id_block { /* ids.c; none of another connection, or of a transaction that failed */
        uint64_t fid, next, end, size;
    } blocks[16];                                /* that used last comes first */
    struct searches *searches;                   /* search.c; NULL: not read yet */
    struct store_delegate *delegate;             /* for whom it acts while it is locked; NULL: nobody */
    uint64_t permission_changes;                 /* lists that have changed so far, for the delegates' caches */
    uint64_t seen_changes;                       /* how often somebody has read something (seen.c) */
    struct {                                     /* table_event.c */
        const struct store_change *announced;    /* those that the watcher is hearing just now */
        size_t announced_count;
        uint64_t count;                          /* of all changes so far */
        struct store_change *last;               /* a ring of the newest; NULL: no table needs them */
    } changes;
    struct {                                     /* pool.c; all but `lock` and `used` under the pool's lock */
        struct store_pool *pool;                 /* NULL: outside of any */
        struct store *next;
        unsigned references;
        bool forgotten;
        pthread_mutex_t lock;
        _Atomic unsigned wanted;                 /* so many threads wait for the lock */
        struct store *next_job;                  /* worker.c */
        bool has_job;
        uint64_t used;                           /* clock_ms of the last store_unlock */
    } in_pool;
};

/* ---- memory of a client's objects (budget.c).  A charge counts until it is freed; no budget: always room. ---- */
bool budget_has(const struct store_budget *, size_t more);
struct charge *charge_new(TALLOC_CTX *owner, struct store_budget *, size_t size);
void charge_set(struct charge *, size_t size);
void charge_blob(struct store_budget *, struct blob); /* a copy, which the charge goes with */

/* ---- transactions (change.c): sql_begin and sql_read, and the announcement after the commit ---- */
struct store_tx {
    struct sql_tx sql;                           /* statements run on &tx.sql; errors stick to it */
    struct store *st;
    uint32_t changes_before;
    uint64_t now;                                /* one time for all that a transaction writes */
    bool outermost, writes;
};
struct store_tx store_begin(struct store *);
struct store_tx store_read(struct store *);
enum ec store_end(struct store_tx *);
uint64_t take_counters(struct store_tx *, uint32_t count);     /* the first of `count` new ones in a row */
uint64_t take_message_id(struct store_tx *, uint64_t fid);     /* beside those of the folder's other messages */
void change_add(struct store_tx *, const struct store_change *);      /* copies; announced if the commit succeeds */
/* Around an announcement: what the tables need to follow it. */
void changes_begin(struct store *, const struct store_change *, size_t count);
void changes_end(struct store *);

/* ---- computed properties (computed.def) ---- */
enum computed_rule { PLAIN, COMPUTED, HANDLED, DEFAULT };       /* PLAIN: in no row of the table */
/* The tag that a getter answers for: PidTagMessageSize has two types. */
static inline uint32_t computed_tag(uint32_t tag, uint32_t asked)
{
    const bool is_long = PROP_ID(tag) == PROP_ID(PidTagMessageSize) && PROP_TYPE(asked) == PtypInteger64;
    return is_long ? PROP_AS(tag, PtypInteger64) : tag;
}
/* Both lists in one, without ids of the second that the first has. */
const uint32_t *tags_join(TALLOC_CTX *arena, const uint32_t *computed, uint32_t count, const uint32_t *own,
                          uint32_t own_count, uint32_t *joined);
static inline struct prop size_prop(uint32_t tag, uint64_t size)
{
    return PROP_TYPE(tag) == PtypInteger64 ? P_I64(tag, size) : P_I32(tag, MIN(size, (uint64_t)INT32_MAX));
}

/* ---- folders ---- */
struct folder_row {
    uint64_t fid, parent, cn;
    uint8_t type;
    bool hidden, has_rules;
    uint32_t total, unread, associated, subfolders, deleted_total, hierarchy_cn;
    uint64_t deleted; /* when, softly; 0: it lives */
    uint64_t size, associated_size;
    uint64_t content_time, hierarchy_time, modified, created, committed;
    const char *name, *comment, *class;
    struct blob change_key, pcl, source_key, props;
};
/* What folder_row_read expects, from column `first` on.  Texts and blobs live until the next sql_next. */
#define FOLDER_COLUMNS \
    "fid, parent, cn, type, deleted, hidden, total, unread, associated, subfolders, deleted_total, hierarchy_cn," \
    " size, associated_size, content_time, hierarchy_time, modified, created, committed, name, comment, class, change_key," \
    " pcl, source_key, props, has_rules"
enum { FOLDER_COLUMN_COUNT = 27 };
void folder_row_read(struct sql_rows *, unsigned first, struct folder_row *);
/* A live folder, copied into the arena; ecNotFound sticks. */
void folder_row_get(TALLOC_CTX *arena, struct store_tx *, uint64_t fid, struct folder_row *);
void folder_erase(struct store_tx *, uint64_t fid);            /* for ever, with all that is in it */
/* Any property of a folder, computed or from its bag; see item_get for limit and cut. */
void folder_prop(TALLOC_CTX *arena, struct store *, const struct folder_row *, uint32_t tag, size_t limit, bool cut,
                 struct prop *out);
struct item folder_item(const struct folder_row *);
enum computed_rule folder_rule(uint32_t tag);
/* Adds to the counts of a folder and announces it as modified; ecNotFound sticks when it is not there. */
/* Something changed among its subfolders; `subfolders`: so many more of them.  fid 0: nothing to do. */
void folder_touch(struct store_tx *, uint64_t fid, int subfolders);
void folder_insert(struct store_tx *, const struct folder_row *);         /* fid, parent, type, cn, texts, props */
struct blob folder_name_key(TALLOC_CTX *, const char *name);
enum ec folder_name_check(const char *name);
uint64_t folder_by_name(struct store_tx *, uint64_t parent, const char *name);     /* 0: none */
void folder_require_parent(struct store_tx *, uint64_t fid);
bool folder_is_below(struct store_tx *, uint64_t fid, uint64_t ancestor);          /* or the same */
bool folder_is_special(uint64_t fid);
enum ec folder_put_spool(struct store *, uint64_t fid, uint32_t tag, struct spool *);      /* a stream's */
struct folder_delta {
    int64_t total, unread, associated, size, associated_size, deleted;
    int64_t many;                                /* not 0: the messages themselves are not announced */
};
void folder_adjust(struct store_tx *, uint64_t fid, const struct folder_delta *);

/* A new change number, which its parent and the change stream hear of. */
void folder_renumber(struct store_tx *, const struct folder_row *);
bool folder_is_visible(struct store_tx *, uint64_t fid);       /* to who the store acts for */

/* ---- permissions (permission.c) ---- */
uint32_t delegate_rights(struct store_tx *, struct store_delegate *, uint64_t fid);
uint64_t delegate_epoch(const struct store_delegate *);        /* another one: all that was looked up is out of date */
const char *delegate_key(const struct store_delegate *);         /* his name in the tables */
struct seen **delegate_seen(struct store_delegate *);
uint32_t rights_in(struct store_tx *, uint64_t fid);           /* of who the store acts for */
bool may(struct store_tx *, uint64_t fid, uint32_t rights);    /* no: ecAccessDenied sticks */
void may_some(struct store_tx *, uint64_t fid, uint32_t rights);               /* one of these; likewise */
void may_manage(struct store_tx *);              /* what is the mailbox' and no folder's; likewise */
/* The right to `any` message of the folder, or `owned` (0: no further right) and the message is his.  FAI messages are
 * the folder's, whoever has made them. */
bool may_with(struct store_tx *, uint64_t fid, const struct item *message, bool associated, uint32_t any,
              uint32_t owned);
bool may_with_row(struct store_tx *, uint64_t fid, int64_t id, uint32_t any, uint32_t owned);
bool item_is_own(struct store *, const struct item *message);
void stamp_author(struct store *, struct item *, bool is_new, bool keep_modifier);
bool is_author_tag(uint32_t tag);
void permissions_read(TALLOC_CTX *arena, struct store_tx *, uint64_t fid, struct store_permission **, uint32_t *count);
void permissions_inherit(struct store_tx *, uint64_t parent, uint64_t fid);
void permissions_defaults(struct store_tx *);    /* of a new mailbox */

/* ---- messages ---- */
/* PidTagMessageFlags [MS-OXCMSG] 2.2.1.6 */
enum {
    mfRead = 0x1, mfUnmodified = 0x2, mfSubmitted = 0x4, mfUnsent = 0x8, mfHasAttach = 0x10, mfFromMe = 0x20,
    mfFAI = 0x40, mfResend = 0x80, mfNotifyRead = 0x100, mfNotifyUnread = 0x200, mfEverRead = 0x400, mfInternet = 0x2000,
    mfUntrusted = 0x8000,
};
struct message_row {
    int64_t id;
    uint64_t mid, fid;
    int64_t parent, parent_num;                  /* embedded: parent is not 0 */
    bool associated, read, deleted, has_attach;
    uint64_t cn, read_cn;
    uint64_t delivery_time, submit_time, modified, created, committed, size;
    uint32_t flags, status, importance, sensitivity, attach_next;
    const char *class, *prefix, *subject, *sender, *display_to, *display_cc, *display_bcc;
    struct blob change_key, pcl, source_key, props;
};
/* What message_row_read expects, from column `first` on.  Texts and blobs live until the next sql_next. */
#define MESSAGE_COLUMNS \
    "id, mid, fid, parent, parent_num, associated, is_read, deleted, has_attach, cn, read_cn, delivery_time," \
    " submit_time, modified, created, committed, size, flags, status, importance, sensitivity, attach_next, class," \
    " prefix, subject, sender, display_to, display_cc, display_bcc, change_key, pcl, source_key, props"
enum { MESSAGE_COLUMN_COUNT = 33 };
/* In public folders `read` is that of who the store acts for. */
void message_row_read(const struct store *, struct sql_rows *, unsigned first, struct message_row *);
void message_row_keep(TALLOC_CTX *owner, struct message_row *);           /* its texts and blobs are copied */
struct item message_item(const struct message_row *);                     /* for reading */
/* Any property of a message, computed or from its bag; see item_get for limit and cut. */
struct message_view {
    struct store *st;
    const struct message_row *row;
    const struct item *item;                     /* of message_item(row), or of the open message */
    bool is_new, read_only;
};
void message_prop(TALLOC_CTX *arena, const struct message_view *, uint32_t tag, size_t limit, bool cut,
                  struct prop *out);
/* The tags that every message or folder has by computation. */
uint32_t message_computed_tags(const uint32_t **tags);
uint32_t folder_computed_tags(const uint32_t **tags);

/* ---- what each person has read in public folders (seen.c); everywhere else, and for nobody, these do nothing ---- */
void seen_begin(struct store_tx *);              /* of each transaction, which has it in memory then */
void seen_end(struct store_tx *);
bool seen_has(const struct store *, uint64_t fid, uint64_t cn);
void seen_put(struct store_tx *, uint64_t fid, uint64_t low, uint64_t high, bool read);        /* change numbers */
uint32_t seen_unread(struct store *, uint64_t fid, uint32_t total);            /* of so many messages */

/* ---- receive folders (receive.c) ---- */
void receive_defaults(struct store_tx *);        /* of a new mailbox */
uint64_t receive_folder(TALLOC_CTX *arena, struct store_tx *, const char *message_class, const char **explicit_class);

/* ---- rules (rule.c) ---- */
void rules_forget_senders(struct store_tx *);    /* whoever is out of office is back, or goes away again */

/* ---- recipients (recipient.c): the blob in message.recipients ---- */
struct blob recipients_pack(TALLOC_CTX *arena, const struct store_recipient *, uint32_t count);
enum ec recipients_unpack(TALLOC_CTX *owner, struct blob, struct store_recipient **, uint32_t *count);
const char *recipients_display(TALLOC_CTX *, const struct store_recipient *, uint32_t count, uint8_t type);

/* ---- ids (ids.c) ---- */
enum tombstone { TOMBSTONE_MESSAGE = 1, TOMBSTONE_ASSOCIATED = 2, TOMBSTONE_FOLDER = 3 };
struct blob gid_of(TALLOC_CTX *, struct guid replica, uint64_t counter);                       /* 22 bytes */
enum { GID_BYTES = 22 };
uint64_t counter_of_gid(const struct store *, struct blob gid);      /* 0: not an id of this mailbox */
bool id_is_reserved(struct store_tx *, uint64_t counter);            /* given out to a client */
bool id_is_unused(struct store_tx *, uint64_t fid, uint64_t counter); /* and never to be seen in this folder */
struct blob store_entry_id(TALLOC_CTX *, const struct store *);
struct blob owner_entry_id(TALLOC_CTX *, const struct store *);                                /* address book */
struct blob folder_entry_id(TALLOC_CTX *, const struct store *, uint64_t fid);
struct blob message_entry_id(TALLOC_CTX *, const struct store *, uint64_t fid, uint64_t mid);

/* ---- change keys and predecessor change lists (pcl.c) ---- */
enum pcl_order { PCL_CONFLICT, PCL_NEWER, PCL_OLDER }; /* OLDER: or the same */
bool xid_is_valid(struct blob);
bool pcl_is_valid(struct blob);
struct blob pcl_of_xid(TALLOC_CTX *, struct blob xid);
struct blob pcl_merge(TALLOC_CTX *, struct blob a, struct blob b);
enum pcl_order pcl_compare(struct blob a, struct blob b); /* what is `a` to `b`? */
/* Of an object as its columns have it. */
struct blob pcl_of(TALLOC_CTX *, const struct store *, struct blob others, struct blob change_key, uint64_t cn);

/* ---- objects by their source keys (import.c) ---- */
struct found {
    uint64_t id, fid;   /* id 0: no such object; of a folder, fid is its parent */
    bool deleted, gone; /* gone: not here, and never again */
};
bool import_is_valid(const struct store *, const struct store_import *);
bool key_is_valid(const struct store *, struct blob source_key);
struct found message_by_key(struct store_tx *, uint64_t fid, struct blob source_key); /* fid: where it would be new */
struct found folder_by_key(struct store_tx *, struct blob source_key);
