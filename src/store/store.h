/* SPDX-License-Identifier: Apache-2.0 */
/* store/store.h: one mailbox and everything in it: folders, messages, attachments, streams, tables, named
 * properties, receive folders and the change stream.  All SQL about mailbox content is in this room.  It knows
 * MAPI ids and properties, never a session, a handle or a ROP.
 *
 * Threads: a `struct store` and all that was opened from it is used by whoever holds its lock (store_lock), one at
 * a time.  Memory: TALLOC_CTX *arena = lives with the request; `owner` = lives until the owner frees it.
 * Ids (fid, mid, cn) are the 8 bytes of the wire read little-endian: replica id 1 in the low 16 bits, then the
 * global counter big-endian ([MS-OXCDATA] 2.2.1).  An id of another replica is ecNotFound.
 * Saving functions return only after the commit; a change is announced to the watcher after it, under the lock. */
#pragma once
#include "sql/sql.h"
#include "wire/idset.h"
#include "wire/structs.h"

struct store;
struct store_message;          /* an open message, its changes in memory until it is saved */
struct store_attachment;       /* an open attachment of an open message */
struct rule_action;            /* wire/rule_action.h */
struct store_stream;           /* one property of an open object, read and written in pieces */
struct store_table;            /* one open view of a folder's content, hierarchy or attachments */

/* ---- the folders that every mailbox has: [MS-OXCSTOR] 2.2.1.1.3 and [MS-OXOSFLD] 2.2 ---- */
enum store_special {
#define SPECIAL(name, counter, parent, display, class) name = counter,
#include "store/special.def"
#undef SPECIAL
};
enum store_public_special {
#define SPECIAL(name, counter, parent, display, class) name = counter,
#include "store/public.def"
#undef SPECIAL
};
#define STORE_REPLICA_ID 1
uint64_t store_id(uint64_t counter);             /* wire id of a counter */
uint64_t store_counter(uint64_t id);             /* 0: of another replica, or zero */
#define STORE_FID(special) store_id(special)

/* ---- lifetime ---- */
struct store_identity {
    struct guid mailbox;                         /* ExchangeGuid; also the key in a shared database */
    const char *display_name, *legacy_dn, *smtp; /* of the owner; kept up to date by store_set_identity */
    bool is_public;                              /* the organisation's public folders; never changes */
};
/* A database URL is `postgresql://...`, which many mailboxes share, or `sqlite:/folder`, in which each mailbox has its
 * own file GUID.db; the folder is made when it is missing.
 * Makes the schema where it is missing, the mailbox and its special folders.  ecDuplicateName: exists. */
enum ec store_create(const char *database_url, const struct store_identity *);
enum ec store_remove(const char *database_url, struct guid mailbox);
enum ec store_set_identity(struct store *, const struct store_identity *);

/* All open mailboxes of this process, by GUID.  A store is opened at first use, closed after it was idle. */
struct store_pool;
struct store_change;
/* `watch` hears every committed change, with the store locked; it must not call back into the store's writers. */
typedef void store_watch(void *arg, struct store *, const struct store_change *, size_t count);
struct store_pool *store_pool_new(TALLOC_CTX *owner, store_watch *watch, void *arg);
/* A counted reference: the store stays open until store_put().  Does not lock. */
enum ec store_get(struct store_pool *, const char *database_url, struct guid mailbox, struct store **out);
void store_put(struct store *);                  /* not while it is locked */
/* Before a mailbox is removed or moved: waits for who works with it, and closes it.  References stay good, but
 * everything that is done by them is ecMailboxDisabled. */
void store_pool_forget(struct store_pool *, struct guid mailbox);
/* At most so many databases stay connected while no request uses them; 64 unless said. */
void store_pool_keep(struct store_pool *, unsigned connections);
void store_lock(struct store *);
void store_unlock(struct store *);
struct guid store_mailbox_guid(const struct store *);
struct guid store_replica_guid(const struct store *);          /* ReplGuid; never changes */
const struct store_identity *store_identity(const struct store *);
struct store_usage { uint64_t messages, bytes, associated, deleted, deleted_bytes; };
enum ec store_usage(struct store *, struct store_usage *out);
enum ec store_size(struct store *, uint64_t *bytes);           /* usage.bytes, without counting */
/* True at most once in so long: the owner is to be told now that the mailbox is large. */
bool store_warns_now(struct store *, uint64_t every);

/* ---- the change stream: what a commit changed, in order ---- */
enum store_change_kind {                         /* the values of [MS-OXCNOTIF] 2.2.1.1 */
    STORE_NEW_MAIL = 0x0002, STORE_CREATED = 0x0004, STORE_DELETED = 0x0008, STORE_MODIFIED = 0x0010,
    STORE_MOVED = 0x0020, STORE_COPIED = 0x0040, STORE_SEARCH_COMPLETE = 0x0080,
};
struct store_change {
    enum store_change_kind kind;
    bool is_message, associated;
    bool in_search;                              /* a message in a search folder: `fid` is that, `parent` its real one */
    bool counts_changed;                         /* folder MODIFIED: total and unread below are new */
    bool many;                                   /* folder MODIFIED: so many messages changed that they are not listed */
    uint64_t fid, mid, parent;                   /* parent: of a folder, or with in_search */
    uint64_t old_fid, old_mid, old_parent;       /* MOVED and COPIED: where from */
    uint64_t cn;
    uint32_t total, unread;                      /* of the folder `fid`, always filled in for folder changes */
    uint32_t message_flags;                      /* NEW_MAIL */
    const char *message_class;                   /* NEW_MAIL */
    uint32_t tag_count;                          /* MODIFIED: which properties, 0 where not known */
    const uint32_t *tags;
};

/* ---- permissions: [MS-OXCPERM] ---- */
enum {                                           /* PidTagMemberRights, 2.2.7 */
    RIGHT_READ_ANY = 0x0001, RIGHT_CREATE = 0x0002, RIGHT_EDIT_OWNED = 0x0008, RIGHT_DELETE_OWNED = 0x0010,
    RIGHT_EDIT_ANY = 0x0020, RIGHT_DELETE_ANY = 0x0040, RIGHT_CREATE_SUBFOLDER = 0x0080, RIGHT_OWNER = 0x0100,
    RIGHT_CONTACT = 0x0200, RIGHT_VISIBLE = 0x0400, RIGHT_FREE_BUSY_SIMPLE = 0x0800, RIGHT_FREE_BUSY_DETAILED = 0x1000,
    RIGHTS_AUTHOR_ROLE = 0x041B, RIGHTS_OWNER_ROLE = 0x07FB, RIGHTS_ALL = 0x1FFB,
};
/* Somebody who is not the owner of the mailbox.  While a store acts for a delegate, its functions do what the folders'
 * permissions let him, and refuse the rest with ecAccessDenied, or pass over single messages that are not his; what he
 * makes carries his name.  As long as it acts for nobody, everything is allowed.  He is used with the store locked. */
struct store_delegate;
struct store_delegate *store_delegate_new(TALLOC_CTX *owner, const char *legacy_dn, const char *display_name);
void store_delegate_full_access(struct store_delegate *, bool full);           /* the folders' permissions do not matter */
void store_act_for(struct store *, struct store_delegate *);                   /* NULL: nobody; store_unlock ends it */
/* Has he any right but to free/busy times? */
enum ec store_delegate_reaches(struct store *, const struct store_delegate *, bool *something);
/* His rights in a folder, from a cache that follows every change of permissions; NULL: all. */
uint32_t store_rights(struct store *, struct store_delegate *, uint64_t fid);
/* In public folders each reader has his own read state: how many of the `total` messages are unread for him. */
uint32_t store_unread(struct store *, struct store_delegate *, uint64_t fid, uint32_t total);
/* ecAccessDenied: who the store acts for lacks one of these rights. */
enum ec store_require(struct store *, uint64_t fid, uint32_t rights);
bool store_message_is_own(const struct store_message *);       /* new, or made by who the store acts for */

enum { MEMBER_DEFAULT = 0, MEMBER_ANONYMOUS = -1 };            /* 2.2.5; always in the list */
struct store_permission {
    int64_t member_id;
    const char *legacy_dn;                       /* NULL: one of the two reserved members */
    const char *name;                            /* "", "Anonymous", or as it was when the entry was made */
    uint32_t rights;
};
enum ec store_permissions(TALLOC_CTX *arena, struct store *, uint64_t fid, struct store_permission **, uint32_t *count);
/* 2.2.2.1.  Entries are added by legacy_dn (or a reserved member_id), modified and removed by member_id; those that are
 * not there are passed over. */
enum { PERMISSION_ADD = 1, PERMISSION_MODIFY = 2, PERMISSION_REMOVE = 4 };
enum { PERMISSIONS_REPLACE = 1, PERMISSIONS_FREE_BUSY = 2 };
struct store_permission_edit {
    uint8_t what;
    struct store_permission entry;
};
enum ec store_permissions_modify(struct store *, uint64_t fid, unsigned flags, const struct store_permission_edit *,
                                 uint32_t count);

/* ---- properties of any object ----
 * `get` fills values[i] for tags[i]: the value (tag with its real type where PtypUnspecified was asked), or a
 * PtypErrorCode: ecNotFound absent, ecNotEnoughMemory longer than `limit` bytes (then it is to be streamed).
 * `set` and `remove` give one code per property in results[] (ecNone, ecComputed, ecAccessDenied, ecNotFound ...). */
#define STORE_VALUE_LIMIT 32000u                 /* longest value that goes into a ROP's answer */

/* ---- folders ---- */
enum { FOLDER_ROOT = 0, FOLDER_GENERIC = 1, FOLDER_SEARCH = 2 };
struct store_folder {
    uint64_t fid, parent, cn;
    uint8_t type;
    const char *name, *comment, *class;
    uint32_t total, unread, associated, subfolders;
    bool hidden, has_rules;
};
enum ec store_folder_row(TALLOC_CTX *arena, struct store *, uint64_t fid, struct store_folder *out);
enum ec store_folder_by_name(struct store *, uint64_t parent, const char *name, uint64_t *fid);
/* ecDuplicateName unless `open_existing`, which then sets *existed. */
enum ec store_folder_create(struct store *, uint64_t parent, uint8_t type, const char *name, const char *comment,
                            bool open_existing, uint64_t *fid, bool *existed);
enum { STORE_MESSAGES = 1, STORE_FOLDERS = 2, STORE_HARD = 4, STORE_ASSOCIATED = 8 };
enum ec store_folder_delete(struct store *, uint64_t parent, uint64_t fid, unsigned what, bool *partial);
enum ec store_folder_empty(struct store *, uint64_t fid, unsigned what, bool *partial);
/* A copy is recursive where asked.  ecRootFolder: into itself; ecDuplicateName. */
enum ec store_folder_move(struct store *, uint64_t parent, uint64_t fid, uint64_t to, const char *new_name);
enum ec store_folder_copy(struct store *, uint64_t parent, uint64_t fid, uint64_t to, const char *new_name, bool recursive);
/* What lies in a folder (STORE_...), into another one.  ecRootFolder: that is in it; ecDuplicateName: of a subfolder. */
enum ec store_folder_copy_content(struct store *, uint64_t fid, uint64_t to, unsigned what);
enum ec store_folder_get(TALLOC_CTX *arena, struct store *, uint64_t fid, const uint32_t *tags, uint32_t count,
                         size_t limit, struct prop *values);
enum ec store_folder_tags(TALLOC_CTX *arena, struct store *, uint64_t fid, const uint32_t **tags, uint32_t *count);
enum ec store_folder_set(struct store *, uint64_t fid, const struct prop *, uint32_t count, enum ec *results);
enum ec store_folder_unset(struct store *, uint64_t fid, const uint32_t *tags, uint32_t count, enum ec *results);
/* ---- search folders: [MS-OXCFOLD] 2.2.1.4, 2.2.1.5 ---- */
enum {
    STOP_SEARCH = 0x01, RESTART_SEARCH = 0x02, RECURSIVE_SEARCH = 0x04, SHALLOW_SEARCH = 0x08,
    FOREGROUND_SEARCH = 0x10, BACKGROUND_SEARCH = 0x20, CONTENT_INDEXED_SEARCH = 0x10000,
    NON_CONTENT_INDEXED_SEARCH = 0x20000, STATIC_SEARCH = 0x40000,
};
enum {
    SEARCH_RUNNING = 0x01, SEARCH_REBUILD = 0x02, SEARCH_RECURSIVE = 0x04, SEARCH_FOREGROUND = 0x08,
    SEARCH_COMPLETE = 0x1000, SEARCH_STATIC = 0x10000, TWIR_TOTALLY = 0x08000000,
};
struct store_search {
    const struct restriction *restriction;
    const uint64_t *fids;
    uint32_t count, state;                       /* state: SEARCH_... */
};
/* NULL or no folders: as before.  Small scopes are searched at once, larger ones in the background, step by step;
 * STORE_SEARCH_COMPLETE tells the end.  ecNotSearchFolder, ecNotInitialized, ecSearchFolderScopeViolation, ecTooComplex. */
enum ec store_search_set(struct store *, uint64_t fid, const struct restriction *, const uint64_t *fids, uint32_t count,
                         uint32_t flags);
enum ec store_search_get(TALLOC_CTX *arena, struct store *, uint64_t fid, struct store_search *out);

/* Properties of the logon object that are kept in the mailbox: [MS-OXCSTOR] 2.2.2.1. */
enum ec store_get_props(TALLOC_CTX *arena, struct store *, const uint32_t *tags, uint32_t count, size_t limit, struct prop *values);
enum ec store_set_props(struct store *, const struct prop *, uint32_t count, enum ec *results);
enum ec store_unset_props(struct store *, const uint32_t *tags, uint32_t count, enum ec *results);
enum ec store_prop_tags(TALLOC_CTX *arena, struct store *, const uint32_t **tags, uint32_t *count);

/* ---- memory: what a client's messages, streams and tables may hold together ----
 * What would be more is refused where it enters: ecNotEnoughMemory, in a stream ecTooBig, in a table ecTableTooBig. */
struct store_budget;
struct store_budget *store_budget_new(size_t limit);
void store_budget_put(struct store_budget *); /* objects that are charged to it may outlive this */
/* Until the store is unlocked, what is opened is charged to it. */
void store_charge_to(struct store *, struct store_budget *);
/* What the rooms above hold for a client: *held (at first NULL) is `size` bytes from now on, until `owner` goes.  false:
 * there is no room for so many more, and nothing has changed. */
struct charge;
bool store_hold(struct charge **held, TALLOC_CTX *owner, struct store_budget *, size_t size);

/* ---- messages ---- */
enum { MESSAGE_READONLY = 0, MESSAGE_READWRITE = 1, MESSAGE_BEST = 3, MESSAGE_SOFT_DELETED = 4 };
enum ec store_message_open(struct store_message **, TALLOC_CTX *owner, struct store *, uint64_t fid, uint64_t mid, unsigned mode);
/* With the defaults of [MS-OXCMSG] 3.2.5.2; nobody sees it before it is saved. */
enum ec store_message_new(struct store_message **, TALLOC_CTX *owner, struct store *, uint64_t fid, bool associated);
/* Not forced: ecObjectModified when somebody else saved since; ecObjectDeleted when it is gone.  An embedded
 * message is saved into its attachment's memory. */
enum ec store_message_save(struct store_message *, bool force, uint64_t *mid);
/* As save, into the receive folder of its class (or `fid`), with NEW_MAIL announced: what transport does. */
enum ec store_message_deliver(struct store_message *, uint64_t fid, uint64_t *mid);
uint64_t store_message_mid(const struct store_message *);      /* 0: not saved yet */
uint64_t store_message_fid(const struct store_message *);
bool store_message_is_embedded(const struct store_message *);
bool store_message_writable(const struct store_message *);
void store_message_set_mode(struct store_message *, unsigned mode);
struct store *store_message_store(const struct store_message *);
/* Bits of PidTagMessageFlags that the server sets (mfSubmitted, mfUnsent, mfInternet ...), with the next save. */
void store_message_flags(struct store_message *, uint32_t set, uint32_t clear);
enum ec store_message_get(TALLOC_CTX *arena, struct store_message *, const uint32_t *tags, uint32_t count, size_t limit, struct prop *values);
enum ec store_message_tags(TALLOC_CTX *arena, struct store_message *, const uint32_t **tags, uint32_t *count);
enum ec store_message_set(struct store_message *, const struct prop *, uint32_t count, enum ec *results);
enum ec store_message_unset(struct store_message *, const uint32_t *tags, uint32_t count, enum ec *results);
/* Convenience for our own code; NULL or fallback when absent. */
const char *store_message_text(TALLOC_CTX *arena, struct store_message *, uint32_t tag);
uint32_t store_message_u32(struct store_message *, uint32_t tag, uint32_t fallback);

struct store_recipient {
    uint32_t row_id;
    uint8_t type;                                /* [MS-OXCMSG] 2.2.3.1.2: 1 To, 2 Cc, 3 Bcc, flags 0x10, 0x80 */
    struct props props;                          /* incl. DisplayName, AddressType, EmailAddress, SmtpAddress, EntryId ... */
};
uint32_t store_recipients(struct store_message *, const struct store_recipient **out);     /* in order of row_id */
enum ec store_recipient_put(struct store_message *, const struct store_recipient *);       /* copies; replaces a row */
void store_recipient_remove(struct store_message *, uint32_t row_id);
void store_recipients_clear(struct store_message *);

enum ec store_attachment_new(struct store_attachment **, TALLOC_CTX *owner, struct store_message *, uint32_t *number);
enum ec store_attachment_open(struct store_attachment **, TALLOC_CTX *owner, struct store_message *, uint32_t number, unsigned mode);
enum ec store_attachment_save(struct store_attachment *);      /* into the message's memory; durable when that is saved */
enum ec store_attachment_delete(struct store_message *, uint32_t number);
enum ec store_attachments(TALLOC_CTX *arena, struct store_message *, const uint32_t **numbers, uint32_t *count);
enum ec store_attachment_get(TALLOC_CTX *arena, struct store_attachment *, const uint32_t *tags, uint32_t count, size_t limit, struct prop *values);
enum ec store_attachment_tags(TALLOC_CTX *arena, struct store_attachment *, const uint32_t **tags, uint32_t *count);
enum ec store_attachment_set(struct store_attachment *, const struct prop *, uint32_t count, enum ec *results);
enum ec store_attachment_unset(struct store_attachment *, const uint32_t *tags, uint32_t count, enum ec *results);
uint32_t store_attachment_number(const struct store_attachment *);
/* The embedded message of an attachment (PidTagAttachMethod 5); `create` makes an empty one. */
enum ec store_embedded_open(struct store_message **, TALLOC_CTX *owner, struct store_attachment *, unsigned mode, bool create);

/* What was deleted softly before `before` goes for ever: at most `most` messages, and the folders that have none left.
 * *more: there is more to do.  Deleting has left the tombstones, and they stay. */
enum ec store_purge(struct store *, uint64_t before, uint32_t most, bool *more);

/* Several messages of one folder.  *partial: some could not be done.  New ids in new_mids[] where not NULL. */
enum ec store_messages_delete(struct store *, uint64_t fid, const uint64_t *mids, uint32_t count, bool hard, bool *partial);
enum ec store_messages_move(struct store *, uint64_t from, uint64_t to, const uint64_t *mids, uint32_t count, bool copy,
                            uint64_t *new_mids, bool *partial);
/* One message, to an id that a client had reserved (store_reserve_ids); an id that is in use, or was never given out,
 * is as none. */
enum ec store_message_move_to(struct store *, uint64_t from, uint64_t mid, uint64_t to, uint64_t to_mid);
/* Announces a message that has come without the transport: [MS-OXOMSG] 2.2.3.5 */
enum ec store_message_announce(struct store *, uint64_t fid, uint64_t mid);
/* [MS-OXCMSG] 2.2.3.10, 2.2.3.11; count 0: all messages of the folder. */
enum ec store_set_read_flags(struct store *, uint64_t fid, const uint64_t *mids, uint32_t count, uint8_t flags, bool *partial);
enum ec store_message_set_read(struct store_message *, uint8_t flags, bool *changed);
enum ec store_message_status(struct store *, uint64_t fid, uint64_t mid, uint32_t set, uint32_t mask, uint32_t *before);
/* Copies what RopCopyTo / RopCopyProperties name between two open objects of the same kind. */
enum ec store_message_copy(struct store_message *to, struct store_message *from, const uint32_t *tags, uint32_t count,
                           bool tags_exclude, bool with_subobjects, bool no_overwrite, enum ec *results);

/* ---- streams: [MS-OXCPRPT] 2.2.14 and on ---- */
/* A value may have a quarter of a gigabyte: a client must not fill the disk by naming a size. */
#define STORE_STREAM_MAX 0x10000000u
enum { STREAM_READ = 0, STREAM_READWRITE = 1, STREAM_CREATE = 2, STREAM_BEST = 3 };
/* Or-ed to the mode of a PtypString8 stream; windows-1252 unless said.  PtypString streams are UTF-16. */
#define STREAM_CODEPAGE(codepage) ((unsigned)(codepage) << 8)
enum ec store_stream_of_message(struct store_stream **, TALLOC_CTX *owner, struct store_message *, uint32_t tag, unsigned mode);
enum ec store_stream_of_attachment(struct store_stream **, TALLOC_CTX *owner, struct store_attachment *, uint32_t tag, unsigned mode);
enum ec store_stream_of_folder(struct store_stream **, TALLOC_CTX *owner, struct store *, uint64_t fid, uint32_t tag, unsigned mode);
uint64_t store_stream_size(const struct store_stream *);
enum ec store_stream_read(TALLOC_CTX *arena, struct store_stream *, uint32_t count, struct blob *out);   /* short at the end */
enum ec store_stream_write(struct store_stream *, struct blob, uint32_t *written);
enum ec store_stream_seek(struct store_stream *, uint8_t origin, int64_t offset, uint64_t *position);
enum ec store_stream_resize(struct store_stream *, uint64_t size);
enum ec store_stream_commit(struct store_stream *);   /* into the object; also done when the stream is freed */

/* ---- tables ---- */
enum { TABLE_ASSOCIATED = 0x02, TABLE_DEPTH = 0x04, TABLE_SOFT_DELETES = 0x20 };
enum ec store_contents_table(struct store_table **, TALLOC_CTX *owner, struct store *, uint64_t fid, unsigned flags, uint32_t *rows);
enum ec store_hierarchy_table(struct store_table **, TALLOC_CTX *owner, struct store *, uint64_t fid, unsigned flags, uint32_t *rows);
enum ec store_attachment_table(struct store_table **, TALLOC_CTX *owner, struct store_message *, unsigned flags);
/* The permissions list, with the bits of free/busy only where asked.  `name_of` knows what a member is called now; NULL:
 * the list's own name counts. */
typedef const char *store_name_of(void *arg, TALLOC_CTX *arena, const char *legacy_dn);
enum ec store_permissions_table(struct store_table **, TALLOC_CTX *owner, struct store *, uint64_t fid, bool free_busy,
                                store_name_of *, void *arg);
/* Copies what it is given. */
enum ec store_table_columns(struct store_table *, const uint32_t *tags, uint32_t count);
enum ec store_table_sort(struct store_table *, const struct SortOrder *, uint32_t count);
/* The first `categories` orders make header rows, of which the first `expanded` levels begin expanded.  An order of
 * MaximumCategory, behind them, sorts the last category: [MS-OXCTABL] 2.2.2.3.1. */
enum ec store_table_categorise(struct store_table *, const struct SortOrder *, uint32_t count, uint32_t categories,
                               uint32_t expanded);
enum ec store_table_restrict(struct store_table *, const struct restriction *);            /* NULL: none */
void store_table_set_locale(struct store_table *, uint32_t lcid);
void store_table_reset(struct store_table *);
uint32_t store_table_column_count(const struct store_table *);                             /* 0: not set yet */
const uint32_t *store_table_columns_set(const struct store_table *);
/* Up to `count` rows from the cursor on; each has one value per column (values cut to 510 bytes).  `fits` (may be
 * NULL) is asked before each row is taken and ends the page.  The cursor moves unless `keep`. */
typedef bool store_row_fits(void *arg, const struct props *row);
enum ec store_table_query(TALLOC_CTX *arena, struct store_table *, bool forward, uint32_t count, bool keep,
                          store_row_fits *fits, void *arg, struct props **rows, uint32_t *got);
bool store_table_at_start(struct store_table *);
bool store_table_at_end(struct store_table *);
enum { BOOKMARK_BEGINNING = 0, BOOKMARK_CURRENT = 1, BOOKMARK_END = 2 };       /* [MS-OXCTABL] 2.2.2.1.1 */
enum ec store_table_seek(struct store_table *, uint8_t origin, int32_t rows, int32_t *moved);
enum ec store_table_seek_fraction(struct store_table *, uint32_t numerator, uint32_t denominator);
enum ec store_table_position(struct store_table *, uint32_t *numerator, uint32_t *denominator);
/* ecNotFound: no such row.  On success the cursor stands on the row found. */
enum ec store_table_find(TALLOC_CTX *arena, struct store_table *, bool backward, const struct restriction *, struct props *row);
enum ec store_table_bookmark(TALLOC_CTX *arena, struct store_table *, struct blob *bookmark);
enum ec store_table_seek_bookmark(struct store_table *, struct blob bookmark, int32_t rows, bool *gone, int32_t *moved);
enum ec store_table_free_bookmark(struct store_table *, struct blob bookmark);
/* `id` is the PidTagInstID of a header row.  ecNotFound, ecNotCollapsed, ecNotExpanded; ecTooComplex: too many have been
 * expanded and collapsed one by one.  *total: rows that are shown below it now, of which `most` at most are given. */
enum ec store_table_expand(TALLOC_CTX *arena, struct store_table *, uint64_t id, uint32_t most, store_row_fits *fits,
                           void *arg, struct props **rows, uint32_t *got, uint32_t *total);
enum ec store_table_collapse(struct store_table *, uint64_t id, uint32_t *rows);
/* Which categories are expanded, and a row by its PidTagInstID and PidTagInstanceNum; for this table or another one with
 * the same order and restriction (else ecInvalidParam), where the row gets a bookmark and the cursor. */
enum ec store_table_collapse_state(TALLOC_CTX *arena, const struct store_table *, uint64_t row, uint32_t instance,
                                   struct blob *state);
enum ec store_table_set_collapse_state(TALLOC_CTX *arena, struct store_table *, struct blob state, struct blob *bookmark);
/* All tags that rows of the table may have. */
enum ec store_table_all_columns(TALLOC_CTX *arena, struct store_table *, const uint32_t **tags, uint32_t *count);
/* What a committed change means to this view: rows added, modified, deleted, with the neighbour before. */
enum table_event_type { TABLE_CHANGED = 1, TABLE_ROW_ADDED = 3, TABLE_ROW_DELETED = 4, TABLE_ROW_MODIFIED = 5 };
struct table_event {
    enum table_event_type type;
    uint64_t fid, mid;                           /* mid 0: a row of a hierarchy table */
    uint32_t instance;
    uint64_t after_fid, after_mid;               /* 0: it is the first row */
    uint32_t after_instance;
    struct props row;                            /* ADDED, MODIFIED: the columns set */
};
/* false: the change does not concern the view.  Needs the view's columns. */
bool store_table_event(TALLOC_CTX *arena, struct store_table *, const struct store_change *, struct table_event *out);

/* ---- synchronisation: [MS-OXCFXICS] 3.2.5.3 ----
 * What a client, which has had some objects and change numbers, does not have yet.  It costs what has changed, not what
 * there is.  The sets hold counters of this mailbox's own replica. */
struct store_sync {
    const struct globset *given, *seen, *seen_fai, *read;
    bool normal, associated, read_state;   /* what is asked for */
    const struct restriction *restriction; /* of the normal messages; NULL: all of them */
    uint32_t lcid;                         /* in which it compares text */
    bool newest_first;                     /* by delivery time, else by last modification; not set: by change */
};
struct store_sync_message {
    uint64_t mid, cn, time;
    uint32_t size;
    bool associated;
};
struct store_synced {
    struct store_sync_message *messages; /* new or changed */
    uint32_t count;
    struct globset deleted, out_of_scope; /* of those given */
    struct globset now_read, now_unread;  /* of those given and not among `messages` */
    uint64_t last;                        /* the mailbox's last change number; all up to it has been looked at */
};
enum ec store_sync_contents(TALLOC_CTX *owner, struct store *, uint64_t fid, const struct store_sync *,
                            struct store_synced *out);
struct store_sync_folder {
    uint64_t fid, parent, cn;
};
struct store_synced_folders {
    struct store_sync_folder *folders; /* new or changed, below the root; parents before their children */
    uint32_t count;
    struct globset deleted;
    uint64_t last;
};
enum ec store_sync_hierarchy(TALLOC_CTX *owner, struct store *, uint64_t root, const struct globset *given,
                             const struct globset *seen, struct store_synced_folders *out);

/* Every property that a copy of the object has, in one walk: what is stored and what is computed of it, but nothing that
 * says which object it is.  Texts and bytes are good during the call.  `value` is NULL for what is longer than `limit`:
 * it is to be streamed.  ecCorruptData: a property cannot be read. */
typedef void store_taker(void *arg, uint32_t tag, const struct prop *value);
enum ec store_message_each(struct store_message *, size_t limit, store_taker *, void *arg);
enum ec store_attachment_each(struct store_attachment *, size_t limit, store_taker *, void *arg);

/* ---- named properties: [MS-OXCPRPT] 3.2.5.9, 3.2.5.10 ---- */
enum ec store_named_ids(struct store *, const struct PropertyName *, uint32_t count, bool create, uint16_t *ids);  /* 0: none */
/* For what others have sent: makes at most *allowance names, less those made, and only while half of the ids are free,
 * so that nobody uses up somebody else's ids.  A name that is not made has the id 0. */
enum ec store_named_ids_of_mail(struct store *, const struct PropertyName *, uint32_t count, uint32_t *allowance,
                                uint16_t *ids);
enum ec store_named_names(TALLOC_CTX *arena, struct store *, const uint16_t *ids, uint32_t count, struct PropertyName *out);
enum ec store_named_all(TALLOC_CTX *arena, struct store *, const struct guid *only, uint8_t query_flags,
                        uint16_t **ids, struct PropertyName **names, uint32_t *count);

/* ---- rules: [MS-OXORULE] ---- */
enum { RULE_ADD = 1, RULE_MODIFY = 2, RULE_REMOVE = 4 };       /* 2.2.1.3: RuleDataFlags */
enum {                                           /* 2.2.1.3.1.3 */
    ST_ENABLED = 0x01, ST_ERROR = 0x02, ST_ONLY_WHEN_OOF = 0x04, ST_KEEP_OOF_HIST = 0x08, ST_EXIT_LEVEL = 0x10,
    ST_SKIP_IF_SCL_IS_SAFE = 0x20, ST_RULE_PARSE_ERROR = 0x40,
};
/* All of it or nothing.  ecInvalidParam, ecNotFound; ecNotEnoughMemory: too many rules. */
enum ec store_rules_change(struct store *, uint64_t fid, bool replace, const struct RuleData *, uint32_t count);
enum ec store_rules_table(struct store_table **, TALLOC_CTX *owner, struct store *, uint64_t fid);

/* A rule as it is run, standard or extended; those of a folder in their order. */
struct store_rule {
    uint64_t id, fid;                            /* of a rule or of the FAI message that is one; of its folder */
    bool extended, is_damaged;                   /* is_damaged: it cannot be run */
    uint32_t sequence, state;
    const char *provider;
    const struct restriction *condition;
    struct rule_action *actions;                 /* fid and mid are filled in where they are of this mailbox */
    uint32_t action_count;
};
enum ec store_rules(TALLOC_CTX *arena, struct store *, uint64_t fid, struct store_rule **, uint32_t *count);
enum ec store_rule_failed(struct store *, const struct store_rule *);          /* ST_ERROR, until it is changed */
/* Once for each sender and rule while the owner is out of office. */
enum ec store_rule_sender(struct store *, const struct store_rule *, const char *sender, bool *is_new);
/* An open message, with its recipients and attachments, as it is in memory. */
bool store_message_matches(struct store_message *, const struct restriction *);

/* Several calls as one transaction, announced together.  One inside another is taken back by itself when it fails. */
struct store_batch;
struct store_batch *store_batch_begin(TALLOC_CTX *arena, struct store *);
struct store_batch *store_batch_read(TALLOC_CTX *arena, struct store *); /* calls that only read, of one state */
enum ec store_batch_end(struct store_batch *, enum ec so_far); /* not ecNone: nothing of it has happened */

/* ---- receive folders: [MS-OXCSTOR] 3.2.5.2 to 3.2.5.4 ---- */
enum ec store_receive_folder(TALLOC_CTX *arena, struct store *, const char *message_class, uint64_t *fid, const char **explicit_class);
enum ec store_set_receive_folder(struct store *, const char *message_class, uint64_t fid);
struct store_receive_row { uint64_t fid; const char *message_class; uint64_t modified; };
enum ec store_receive_table(TALLOC_CTX *arena, struct store *, struct store_receive_row **rows, uint32_t *count);

/* ---- what the user has read of public folders: [MS-OXCSTOR] 3.2.5.10 to 3.2.5.13 ---- */
enum { PER_USER_MAX = 1024 * 1024 };             /* bytes of one folder's */
enum ec store_per_user_folders(TALLOC_CTX *arena, struct store *, struct guid replica, uint32_t most,
                               struct LongTermId **folders, uint32_t *count);
enum ec store_per_user_replica(struct store *, const struct LongTermId *folder, struct guid *replica);     /* ecNotFound */
/* From `offset` on; *size: of all of it, 0 where there is nothing. */
enum ec store_per_user_read(TALLOC_CTX *arena, struct store *, const struct LongTermId *folder, uint32_t offset,
                            uint32_t most, struct blob *data, uint32_t *size);
/* The same of a public folder itself, for who the store acts for.  ecNotFound: no folder of this store. */
enum ec store_seen_read(TALLOC_CTX *arena, struct store *, const struct LongTermId *folder, uint32_t offset,
                        uint32_t most, struct blob *data, uint32_t *size);
/* ecCorruptData: not an IDSET with REPLGUIDs. */
enum ec store_per_user_write(struct store *, const struct LongTermId *folder, struct guid replica, struct blob data);

/* ---- replica ids: [MS-OXCSTOR] 3.2.5.8, 3.2.5.9 ---- */
enum ec store_long_term_id(struct store *, uint64_t id, struct LongTermId *out);
enum ec store_id_from_long_term(struct store *, const struct LongTermId *, uint64_t *id);
struct blob store_folder_entry_id(TALLOC_CTX *, const struct store *, uint64_t fid);
struct blob store_message_entry_id(TALLOC_CTX *, const struct store *, uint64_t fid, uint64_t mid);
/* And back; ecInvalidEntryId: of another kind, or of another mailbox. */
enum ec store_fid_of_entry_id(const struct store *, struct blob, uint64_t *fid);
enum ec store_mid_of_entry_id(const struct store *, struct blob, uint64_t *fid, uint64_t *mid);
/* Ids for a client's own items: [MS-OXCFXICS] 3.2.5.9.4.7.  ecInvalidParam: more than a million at once. */
enum ec store_reserve_ids(struct store *, uint32_t count, uint64_t *first_id);
/* 3.2.5.9.4.8: those of them that this folder will never see.  ecInvalidParam: they were not given out. */
enum ec store_ids_unused(struct store *, uint64_t fid, const struct LongTermIdRange *, uint32_t count);

/* ---- what a client has changed in its own replica: [MS-OXCFXICS] 3.2.5.9.4 ----
 * Objects are named by their source keys (GIDs).  Two versions of an object are compared by their predecessor change
 * lists (3.1.5.6.1): SYNC_E_IGNORE says that the store knows the change already, or a later one; SYNC_E_OBJECT_DELETED
 * that the object is gone.  A change number is 0 where the client does not have what the store has now, so that it is
 * to be downloaded. */
struct store_import {
    struct blob source_key, change_key, pcl;
    uint64_t modified; /* PidTagLastModificationTime */
};
enum { IMPORT_ASSOCIATED = 0x10, IMPORT_FAIL_ON_CONFLICT = 0x40 };
/* An empty message, new or in the place of the one that is there, stored with those keys when it is saved.  A conflict
 * is resolved then (3.1.5.6.2), or SYNC_E_CONFLICT here already. */
enum ec store_import_message(struct store_message **, TALLOC_CTX *owner, struct store *, uint64_t fid,
                             const struct store_import *, unsigned flags);
uint64_t store_message_imported(const struct store_message *); /* its change number, once it was saved */
bool store_message_associated(const struct store_message *);
/* All or none; what is gone already is no error, and what never was will not come. */
enum ec store_import_deletes(struct store *, uint64_t fid, const struct blob *source_keys, uint32_t count, bool hard);
/* `as` has the keys at the destination, and the list that the client knew at the source. */
struct store_import_moved {
    bool associated, client_is_newer; /* the change is still to come, as an import */
    uint64_t cn;
};
enum ec store_import_move(struct store *, struct blob from_folder, struct blob source_key, uint64_t to,
                          const struct store_import *as, struct store_import_moved *out);
struct store_read_state {
    struct blob source_key;
    bool read;
};
enum ec store_import_read_states(struct store *, uint64_t fid, const struct store_read_state *, uint32_t count,
                                 uint64_t *cn);
struct store_import_folder {
    struct store_import change;
    struct blob parent; /* source key; empty: `root` */
    const char *name;
};
/* Made, renamed, moved or changed.  SYNC_E_NO_PARENT, SYNC_E_CYCLE_DETECTED, ecDuplicateName. */
enum ec store_import_folder(struct store *, uint64_t root, const struct store_import_folder *, const struct prop *,
                            uint32_t count, uint64_t *cn);
enum ec store_import_folder_deletes(struct store *, const struct blob *source_keys, uint32_t count, bool hard);
