/* SPDX-License-Identifier: Apache-2.0 */
/* store/table_list.h: the list behind a table's list view, and the categories in it.
 *
 *   The list is the sort keys of all rows, in order.  The key of a category's header row is the beginning of the keys of
 *   the rows below it, so that it stands before them:
 *
 *       contoso                    header, level 0
 *       contoso | Monday           header, level 1
 *       contoso | Monday | 9:15    row
 *
 *   Collapsed rows stay in the list; `shown` tells which entries a client sees.
 *   A category that is sorted by an aggregate has the aggregate in front of its own value in all these keys. */
#pragma once
#include "store/table.h"

/* The id of a category: a hash of its values, so that it is the same in every table.  No counter has the highest bit. */
#define CATEGORY_REPLICA 0xFFFFu
#define IS_CATEGORY(id) ((id) >> 63)
#define NO_GROUP UINT32_MAX

struct entry {
    const uint8_t *key;
    uint32_t size : 31, unread : 1;
    uint32_t instance;                           /* of a header: its group */
    uint64_t id;
};
struct group {
    uint64_t id;
    uint32_t parent, rows, unread;               /* parent: NO_GROUP at the top; rows 0: it has no header now */
    uint32_t key_size;
    uint8_t level;
    bool expanded;
    struct blob aggregate;
    uint64_t best;                               /* the row that the aggregate is of */
    uint32_t best_instance;
};
struct list {
    struct entry *entries;
    uint32_t count, room;
    uint8_t *chunk;                              /* keys lie in these, children of the list */
    size_t chunk_used, garbage, held;            /* held: bytes of keys, entries and groups */
    struct charge *charge;
    uint64_t seen;                               /* how many of the store's changes are in it */
    struct group *groups;
    uint32_t group_count, group_room;
    uint32_t *map, map_size;                     /* id -> group, open addressing */
    uint32_t *shown;                             /* so many entries before this one are shown; NULL: to be counted */
};

/* ---- entries (table_list.c) ---- */
int key_compare(struct blob, struct blob);
struct blob entry_key(const struct entry *);
const uint8_t *list_keep(struct list *, struct blob key);
void list_charge(struct list *);                 /* what it holds by now */
uint32_t list_position(const struct list *, struct blob key);  /* the first entry whose key is not less */
void list_insert(struct list *, uint32_t at, const struct entry *);
void list_remove(struct list *, uint32_t at);

/* ---- categories (table_category.c) ---- */
uint32_t list_shown_before(struct store_table *, uint32_t at);
uint32_t list_shown_entry(struct store_table *, uint32_t shown);         /* entry of the row that is shown there */
/* While a list is made: at its end, in no order, and without aggregates; then all at once. */
void categories_collect(struct store_table *, struct list *, const struct table_row *, const struct row_sort *);
void categories_finish(struct store_table *, struct list *);
/* Afterwards, one row in its place.  false: the list has to be made anew. */
bool categories_add(struct store_table *, const struct table_row *, const struct row_sort *);
bool categories_drop(struct store_table *, uint32_t at);
bool categories_update(struct store_table *, uint32_t at, const struct table_row *, const struct row_sort *);
struct group *entry_group(struct list *, const struct entry *);          /* of a header */
