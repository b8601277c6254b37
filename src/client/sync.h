/* SPDX-License-Identifier: Apache-2.0 */
/* client/sync.h: cached mode.  Downloads what has changed since a state, and uploads what was changed here.
 * [MS-OXCFXICS] 3.3.  Keeps no copy of the mailbox: what comes goes to a taker, and the state is its caller's, to be kept
 * together with what came by it. */
#pragma once
#include "client/client.h"
#include "wire/idset.h"

/* What the server says that this client has; empty at first.  Opaque, except that `given` names the ids. */
struct sync_state {
    struct blob given, seen, seen_fai, read;
};

struct sync_message {
    struct props header; /* SourceKey, LastModificationTime, ChangeKey, PredecessorChangeList, ... */
    struct props props;  /* named properties by the ids that they have in this mailbox */
    struct props *recipients;
    uint32_t recipient_count;
    struct sync_attachment *attachments;
    uint32_t attachment_count;
};
struct sync_attachment {
    struct props props;
    struct sync_message *embedded; /* NULL: none; without a header */
};

/* Who takes what comes, in the order of the stream; members may be NULL.  An error ends the download, and the state stays
 * what it was.  Everything lasts until the function returns. */
struct sync_taker {
    enum ec (*folder)(void *arg, const struct props *);
    enum ec (*message)(void *arg, const struct sync_message *);
    enum ec (*deleted)(void *arg, const struct idset *); /* IDSET_REPLID; gone, or out of scope */
    enum ec (*read)(void *arg, const struct idset *, bool is_read);
};

/* [MS-OXCFXICS] 2.2.3.2.1.1 */
enum { SYNC_CONTENTS = 1, SYNC_HIERARCHY = 2 };
enum {
    SYNC_UNICODE = 0x0001,
    SYNC_NO_DELETIONS = 0x0002,
    SYNC_READ_STATE = 0x0008,
    SYNC_FAI = 0x0010,
    SYNC_NORMAL = 0x0020,
    SYNC_ONLY_SPECIFIED = 0x0080,
    SYNC_NO_FOREIGN_IDENTIFIERS = 0x0100,
    SYNC_BEST_BODY = 0x2000,
    SYNC_PROGRESS = 0x8000
};
enum { SYNC_EID = 1, SYNC_MESSAGE_SIZE = 2, SYNC_CN = 4, SYNC_BY_DELIVERY_TIME = 8 };
/* What Outlook asks for. */
#define SYNC_EVERYTHING                                                                                                \
    (SYNC_UNICODE | SYNC_READ_STATE | SYNC_FAI | SYNC_NORMAL | SYNC_NO_FOREIGN_IDENTIFIERS | SYNC_BEST_BODY)

struct sync_scope {
    uint8_t type; /* SYNC_CONTENTS, SYNC_HIERARCHY */
    uint16_t flags;
    uint32_t extra;
    const struct restriction *restriction; /* NULL: everything */
    const uint32_t *tags;                  /* left out, or chosen with SYNC_ONLY_SPECIFIED */
    uint16_t tag_count;
};
/* One whole download of a folder.  On success `state` is the new one, allocated in `owner`. */
enum ec client_sync(struct client *, TALLOC_CTX *owner, uint32_t folder, const struct sync_scope *,
                    struct sync_state *state, const struct sync_taker *, void *arg);

/* ---- upload: [MS-OXCFXICS] 2.2.3.2.4 ---- */

struct sync_keys {
    struct blob source_key, change_key, predecessors;
    uint64_t modified;
};
/* Ids that this client may give to what it makes: a GUID and the first of `count` counters. */
enum ec client_reserve_ids(struct client *, uint32_t count, struct guid *replica, uint64_t *first);
struct blob sync_gid(TALLOC_CTX *, struct guid replica, uint64_t counter);
bool sync_gid_parts(struct blob gid, struct guid *replica, uint64_t *counter);
/* Checkpointing, 3.3.5.6: the client has, or no longer has, what it has uploaded itself. */
enum ec sync_state_give(TALLOC_CTX *owner, struct sync_state *, struct blob gid, bool has);
/* A new PredecessorChangeList: the old one with this change in it, 2.2.2.3. */
struct blob sync_predecessors(TALLOC_CTX *, struct blob list, struct blob change_key);

/* A collector takes the changes of a folder's contents, or of the folders below it. */
enum ec client_collector_open(struct client *, uint32_t folder, uint8_t type, const struct sync_state *,
                              uint32_t *collector);
/* The state with what was uploaded, so that it does not come back; closes the collector, also when it fails. */
enum ec client_collector_close(struct client *, TALLOC_CTX *owner, uint32_t collector, struct sync_state *);

/* The message is empty then, is to be filled, and goes with client_message_save().  SYNC_E_... as the server says. */
enum { SYNC_IMPORT_ASSOCIATED = 0x10, SYNC_FAIL_ON_CONFLICT = 0x40 };
enum ec client_import_message(struct client *, uint32_t collector, uint8_t flags, const struct sync_keys *,
                              uint32_t *message);
/* `parent` empty: the collector's own folder. */
enum ec client_import_folder(struct client *, uint32_t collector, struct blob parent, const struct sync_keys *,
                             const char *name, const struct props *others);
enum { SYNC_DELETE_FOLDERS = 0x01, SYNC_DELETE_HARD = 0x02 };
enum ec client_import_deletes(struct client *, uint32_t collector, uint8_t flags, const struct blob *source_keys,
                              uint32_t count);
/* On the collector of the destination. */
enum ec client_import_move(struct client *, uint32_t collector, struct blob from_folder, struct blob from_message,
                           const struct sync_keys *to);
enum ec client_import_read(struct client *, uint32_t collector, struct blob source_key, bool is_read);
