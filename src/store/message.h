/* SPDX-License-Identifier: Apache-2.0 */
/* store/message.h: an open message as this room's files see it.
 *
 *   store_message ─┬─ item                    properties, changes over what is stored
 *                  ├─ recipients              decoded when somebody asks for them
 *                  └─ attached[] ─┬─ item     as saved into the message, not yet stored
 *                                 └─ content  of an embedded message that was saved into it
 *   store_attachment: a handle on one of attached[], with an item and content of its own until it is saved
 *
 * What is open knows what it was opened from.  When that is released first, the child stays, and is good for nothing
 * but being released. */
#pragma once
#include "store/internal.h"

/* A list of the children that are open, in their parent. */
struct child {
    struct child *next, **at;                    /* at: NULL when the parent is gone */
};
void child_add(struct child **children, struct child *);
void child_remove(struct child *);
void children_orphan(struct child **children);

struct attached {
    uint32_t number;
    struct item item;
    bool is_new, changed, deleted;
    uint64_t size;                               /* as stored, with the embedded message */
    struct blob packed;                          /* between writing and the commit */
    struct store_message *content;               /* saved into it since; NULL: what is stored, if anything */
};

struct store_message {
    struct child child;                          /* embedded: in the attachment's list */
    struct child *handles, *streams, *tables;    /* store_attachment, store_stream and store_table opened from it */
    struct store *st;
    struct message_row row;
    struct item item;
    struct blob packed;                          /* recipients that are not decoded yet */
    struct store_recipient *recipients;
    uint32_t recipient_count;
    size_t recipients_size;                      /* bytes of them all, about */
    bool recipients_read, recipients_changed;
    TALLOC_CTX *names;                           /* of them, as the row shows them; NULL: those of `texts` are right */
    bool names_stale;
    struct attached **attached;                  /* ascending by number */
    uint32_t attached_count;
    bool attached_read, attached_changed;
    struct store_attachment *around;             /* embedded: the handle it was opened from */
    bool is_new, read_only, embedded;
    bool read_changed, created_given, modified_given, author_given;
    bool replaces;                               /* saving replaces all that is stored: it begins with nothing */
    struct import *import;                       /* a change that was made elsewhere (import.c), until it is saved */
    uint64_t imported;                           /* the change number under which it was */
    uint32_t flags_set, flags_cleared;           /* of PidTagMessageFlags, since it was stored */
    uint64_t attached_size;                      /* of all attachments, as stored */
    TALLOC_CTX *texts;                           /* of the row */
    struct {                                     /* a save of which nobody knows whether it was committed; id 0: none */
        int64_t id;
        uint64_t mid, cn;
    } unsure;
};

/* [MS-OXCMSG] 2.2.1.8 */
enum { msInConflict = 0x800 };

/* The keys of the change itself stand in the message's row. */
struct import {
    bool may_conflict; /* not FailOnConflict */
    bool in_conflict;  /* what is saved holds versions that are in conflict */
};

struct store_attachment {
    struct child child;                          /* in the message's list */
    struct child *handles, *streams;             /* embedded store_message and store_stream */
    struct store_message *message;               /* NULL: released */
    uint32_t number;
    struct item item;
    bool is_new, read_only;
    struct store_message *content;               /* an embedded message saved into this handle */
};

/* ---- message_match.c: sub-object restrictions, [MS-OXCDATA] 2.12.9 ---- */
enum { MATCH_LIMIT = 1024 * 1024 };              /* so many bytes of a value are compared, at most */
bool recipients_match(TALLOC_CTX *arena, const struct store_recipient *, uint32_t count, const struct restriction *,
                      uint32_t lcid);
bool attachments_match(TALLOC_CTX *arena, struct store_message *, const struct restriction *, uint32_t lcid);

/* The columns of PidTagDisplayTo and its like hold at most so many bytes; the rest is in the recipients. */
enum { DISPLAY_COLUMN = 1024, TEXT_COLUMN = 1024 };

bool message_may_change(struct store_message *);         /* who the store acts for, by the folder's permissions */
enum ec recipients_read(struct store_message *);
enum ec attached_read(struct store_message *);
struct attached *attached_find(struct store_message *, uint32_t number);        /* live ones; NULL */
void attached_recount(struct store_message *);   /* PidTagHasAttachments, after a change */
/* A message's content once more, without handles; `owner` keeps it. */
struct store_message *message_clone(TALLOC_CTX *owner, struct store_message *);
struct store_message *message_make(TALLOC_CTX *owner, struct store *);
void message_defaults(struct store_message *);
enum ec message_load_embedded(struct store_message **, TALLOC_CTX *owner, struct store *, int64_t parent,
                              uint32_t number);
enum ec message_save_row(struct store_message *); /* as it is, whoever has changed it elsewhere */
enum ec import_save(struct store_message *);
struct blob message_change_key(TALLOC_CTX *, const struct store_message *); /* given elsewhere, or its own */
struct blob message_pcl(TALLOC_CTX *, const struct store_message *);
/* All of `version` as an attachment of `to`, or what `from` has as one: message_copy.c. */
enum ec message_attach(struct store_message *to, struct store_message *version);
enum ec message_attach_again(struct store_message *to, struct store_message *from, const struct attached *);
struct message_view message_view_of(struct store_message *);
enum ec message_set_one(struct store_message *, const struct prop *);
enum ec message_unset_one(struct store_message *, uint32_t tag);
/* ---- message_body.c ---- */
void message_body_written(struct store_message *, uint32_t tag);
bool message_body_is_made(const struct item *, uint32_t tag); /* it is not there, but can be made of another body */
void message_body_make(TALLOC_CTX *arena, const struct message_view *, uint32_t codepage, uint32_t tag, size_t limit,
                       bool cut, struct prop *out);
unsigned message_html_codepage(uint32_t codepage, struct blob html);
uint32_t message_native_body(const struct item *);
void message_native_body_asked(const struct item *, const uint32_t *tags, uint32_t count, struct prop *values);

bool message_has(const struct store_message *, uint32_t tag);
bool message_is_plain(uint32_t tag);             /* kept in the bag as it is, not by a function */
enum ec attachment_set_one(struct store_attachment *, const struct prop *);
bool attachment_is_shown(const struct item *);   /* counts for PidTagHasAttachments */

void attached_prop(TALLOC_CTX *arena, struct store_message *, const struct attached *, uint32_t tag, size_t limit,
                   bool cut, struct prop *out);
void streams_detach(struct child **streams);     /* stream.c: their object goes, and what they have written with it */

/* ---- rows that go or are copied, in the caller's transaction (message_delete.c, message_move.c) ---- */
enum message_kinds { MESSAGES_NORMAL = 0, MESSAGES_ASSOCIATED = 1, MESSAGES_BOTH = 2 };
void message_erase(struct store_tx *, int64_t id);             /* for ever, with all that belongs to it */
void message_erase_content(struct store_tx *, int64_t id);     /* all that belongs to it, without its row */
bool message_delete(struct store_tx *, uint64_t fid, uint64_t mid, uint64_t cn, bool hard, struct folder_delta *);
void messages_erase_all(struct store_tx *, uint64_t fid, enum message_kinds, bool also_deleted);
/* false: some are not his to delete whom the store acts for. */
bool messages_delete_all(struct store_tx *, const struct folder_row *, enum message_kinds, bool hard, uint64_t cn);
void attachment_erase(struct store_tx *, int64_t id, uint32_t number);
void message_copy_rows(struct store_tx *, int64_t from, int64_t to, uint64_t mid, uint64_t fid, uint64_t cn);
/* What counts about a message in a folder, also a deleted one. */
struct message_brief {
    int64_t id;
    bool associated, read, deleted;
    int64_t size;
};
bool message_brief(struct store_tx *, uint64_t fid, uint64_t mid, struct message_brief *);
void delta_add(struct folder_delta *, const struct message_brief *, int sign);
/* Of something that never was here. */
void tombstone_bury(struct store_tx *, uint64_t fid, uint64_t cn, struct blob source_key, enum tombstone);
void tombstone_add(struct store_tx *, uint64_t fid, uint64_t cn, uint64_t mid, enum tombstone);

/* ---- folder_delete.c ---- */
struct folder_place {
    uint64_t fid, parent;
};
struct folder_place *folder_subtree(TALLOC_CTX *arena, struct store_tx *, uint64_t fid, uint32_t *count);
