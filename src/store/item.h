/* SPDX-License-Identifier: Apache-2.0 */
/* store/item.h: the properties of one object while it is open: what is stored, and over it what was changed since.
 * Values over ITEM_IN_MEMORY bytes are never whole in memory: stored ones lie in the table `value`, new ones in a
 * spool, a file without a name. */
#pragma once
#include "store/bag.h"
#include "store/spool.h"

enum {
    ITEM_OWN = -1,                               /* num of the values of a message or folder itself */
    ITEM_IN_MEMORY = 64 * 1024,
    VALUE_CHUNK = 64 * 1024,                     /* bytes in a row of `value`, the last one may have fewer */
};
/* Changes of one object in memory beyond this are refused. */
#define ITEM_CHANGES_LIMIT (16u * 1024 * 1024)
/* No single value may be loaded whole beyond this, whatever limit the caller sets. */
#define ITEM_LOAD_LIMIT (64u * 1024 * 1024)
/* Text that is converted whole: from a code page to UTF-8 and on to UTF-16 it can grow to six times its bytes. */
#define ITEM_CONVERT_LIMIT (32u * 1024 * 1024)
/* Text that is looked at whole: subjects, names. */
#define ITEM_TEXT_LIMIT (4u * 1024 * 1024)

struct store_budget;
struct item_change {
    uint32_t tag;
    bool removed;
    TALLOC_CTX *memory;                          /* of the spool, or of what `prop` points to */
    struct spool *spool;                         /* the value's bytes; NULL: in `prop` */
    struct prop prop;
};
struct item {
    TALLOC_CTX *owner;                           /* of the changes; NULL: this item is only read */
    struct bag bag;
    int64_t id;                                  /* where stored values lie apart: of a message or a folder; */
    int32_t num;                                 /* ITEM_OWN, or an attachment's number */
    struct item_change *changes;                 /* ascending by property id */
    uint32_t count;
    size_t in_memory;                            /* bytes of the changes that are not in spools, about */
    struct store_budget *budget;                 /* to which they are charged; NULL: to none */
};

struct store;
struct store_tx;

/* A value as it is now. */
struct item_value {
    enum bag_place place;                        /* ABSENT, HERE: prop; APART: in `spool`, or stored at `apart` */
    uint32_t tag;                                /* as kept */
    struct prop prop;
    struct spool *spool;
    struct bag_apart apart;
};
struct item_value item_find(TALLOC_CTX *arena, const struct item *, uint32_t tag);
bool item_has(const struct item *, uint32_t tag);
bool item_changed(const struct item *, uint32_t tag);          /* set or removed since it was stored */
/* Fills *out for `tag`: the value in the type asked for, or PtypErrorCode (ecNotFound; ecNotEnoughMemory: longer than
 * `limit` bytes).  With `cut`, a longer text or binary is cut to `limit` bytes instead, and nothing is too long. */
void item_get(TALLOC_CTX *arena, struct store *, const struct item *, uint32_t tag, size_t limit, bool cut,
              struct prop *out);
void item_convert(TALLOC_CTX *arena, uint32_t tag, size_t limit, bool cut, struct prop *);
/* All tags, ascending. */
uint32_t item_tags(TALLOC_CTX *arena, const struct item *, uint32_t **tags);
uint32_t item_changes(TALLOC_CTX *arena, const struct item *, const uint32_t **tags);     /* set or removed */
uint64_t item_size(const struct item *);         /* bytes, about */

/* Can this value be kept, and is there room for it in memory?  Longer values come by streams. */
enum ec item_check(const struct item *, const struct prop *);
void item_set(struct item *, const struct prop *);
void item_set_spool(struct item *, uint32_t tag, struct spool *);
void item_remove(struct item *, uint32_t tag);
void item_clear(struct item *);                  /* forgets all changes */
/* The same content as changes alone, of an item that is not stored yet; *to is empty and has its owner. */
enum ec item_clone(struct store *, struct item *to, const struct item *from);
/* The same item once more: stored values stay where they are. */
void item_share(struct item *to, TALLOC_CTX *owner, const struct item *from);
/* Writes what has to lie apart, removes what no longer does, and makes the new bag in `arena`; `version` is new.  The
 * item itself changes by item_stored, after the commit. */
struct blob item_pack(TALLOC_CTX *arena, struct store_tx *, const struct item *, int64_t id, int32_t num,
                      uint64_t version);
void item_stored(struct item *, struct blob bag, int64_t id, int32_t num);

/* Pieces of a value that is stored apart. */
enum ec value_read(TALLOC_CTX *arena, struct store *, const struct item *, const struct bag_apart *, uint64_t offset,
                   size_t count, struct blob *out);
enum ec value_to_spool(struct store *, const struct item *, const struct bag_apart *, struct spool *);
