/* SPDX-License-Identifier: Apache-2.0 */
/* store/table.h: what the files about tables share.
 *
 *   store_table ─┬─ kind   contents, hierarchy or attachments: which rows there are, and their values (table_row.c)
 *                ├─ view   index: an order that an index of SQL has; nothing is kept          (table_index.c)
 *                │         list:  any order and restriction; the keys of all rows, sorted     (table_list.c)
 *                │                and the header rows of categories between them              (table_category.c)
 *                ├─ cursor and bookmarks: places between two rows, by key and not by number, so that what comes and
 *                │         goes elsewhere does not move them                                  (table.c)
 *                └─ what a change means to it                                                 (table_event.c)  */
#pragma once
#include "store/message.h"

enum {
    COLUMNS_MAX = 1024, SORTS_MAX = 32, CATEGORIES_MAX = 8, BOOKMARKS_MAX = 256,
    CELL_LIMIT = 510,                            /* [MS-OXCTABL] 2.2.2.5.2 */
    ROWS_AT_ONCE = 256,                          /* rows of one statement that walks */
    FETCH_AT_ONCE = 50,                          /* rows of one statement that gets them by id */
};

struct row_key {
    uint64_t id;                                 /* counter of the MID or FID, number of the attachment */
    uint32_t instance;                           /* of a multiple value; the depth of a folder */
    int64_t time;                                /* index view: the column that orders */
    struct blob sort;                            /* list view: memcmp order is the view's order */
};
/* AT_ROW: before the first row whose key is not less than this one. */
enum { AT_START, AT_ROW, AT_END };
struct place {
    uint8_t at;
    struct row_key key;
};

/* One row while it is looked at. */
struct table_row {
    struct store_table *table;
    struct row_key key;
    bool found;
    union {
        struct message_row message;
        struct folder_row folder;
        const struct attached *attached;
        const struct store_permission *permission;
    };                                           /* a rule is all in `item` */
    struct item item;
    const struct group *group;                   /* a category's header, with one of the rows below it; NULL: a row */
    struct row_key below;                        /* of that row */
};
/* false: enough, and this row was not taken.  The row is gone after the call. */
typedef bool row_taker(void *arg, struct table_row *);

struct table_kind {
    bool sorts, restricts;
    const struct SortOrder *order;               /* while the client has set none */
    uint32_t order_count;
    /* All rows, in any order. */
    void (*scan)(struct store_table *, struct store_tx *, row_taker *, void *arg);
    /* Those of these ids that are still there, each at its id's place in rows[]. */
    void (*fetch)(TALLOC_CTX *arena, struct store_table *, struct store_tx *, const uint64_t *ids, uint32_t count,
                  struct table_row *rows);
    /* Is it a row of this table?  Sets a folder's depth. */
    bool (*belongs)(struct store_table *, struct store_tx *, struct table_row *);
    void (*prop)(TALLOC_CTX *arena, const struct table_row *, uint32_t tag, size_t limit, bool cut, struct prop *out);
    const uint32_t *tags;                        /* what every row has */
    uint32_t tag_count;
    bool anew;                                   /* changes are not announced, and rows are few: listed at each use */
};
enum { SORT_ASCENDING = 0, SORT_DESCENDING = 1, SORT_MAXIMUM = 4 };    /* [MS-OXCDATA] 2.13.1 */
extern const struct table_kind contents_kind, hierarchy_kind, attachments_kind, rules_kind, permissions_kind;

struct table_view {
    /* Takes up to `most` rows from a place on, and says at which place that has ended. */
    struct place (*walk)(struct store_table *, struct store_tx *, const struct place *, bool forward, uint32_t most,
                         row_taker *, void *arg);
    struct place (*skip)(struct store_table *, struct store_tx *, const struct place *, int64_t rows, int64_t *moved);
    uint64_t (*before)(struct store_table *, struct store_tx *, const struct place *);    /* rows before a place */
    uint64_t (*total)(struct store_table *, struct store_tx *);
    /* Where a row is now; false: not in the view. */
    bool (*locate)(struct store_table *, struct store_tx *, uint64_t id, uint32_t instance, struct row_key *);
    enum table_event_type (*event)(TALLOC_CTX *arena, struct store_table *, struct store_tx *, const struct store_change *,
                                   struct table_row *, struct row_key *after);
};
extern const struct table_view index_view, list_view;

struct bookmark {
    uint32_t number;
    struct place place;
};

struct store_table {
    struct child child;                          /* attachments: in the message's list */
    struct store *st;
    struct store_budget *budget;
    const struct table_kind *kind;
    const struct table_view *view;
    uint64_t fid;
    unsigned flags;
    bool in_search;                              /* the rows are the results of a search folder */
    struct store_message *message;               /* attachments */
    struct {                                     /* permissions */
        struct store_permission *list;           /* as it was when the rows were looked for last */
        uint32_t count;
        bool free_busy;
        store_name_of *name_of;
        void *arg;
    } members;
    struct store_delegate *delegate;             /* for whom it was opened; NULL: the owner */
    uint64_t epoch;                              /* of the delegate, when the list was made */
    uint32_t *columns, column_count;
    struct SortOrder *order;                     /* NULL: none set */
    uint32_t order_count;
    uint8_t categories, expanded;                /* so many orders are categories, so many of these begin expanded */
    uint64_t *toggled;                           /* ids of the categories that are not as they began, ascending */
    uint32_t toggled_count;
    struct restriction *restriction;
    uint32_t lcid;
    uint32_t instances;                          /* the property each value of which makes a row of its own; 0: none */
    const struct index_order *index;             /* index view */
    bool descending;
    struct list *list;                           /* list view; NULL: not made yet, or no longer right */
    struct place cursor;
    struct bookmark *bookmarks;
    uint32_t bookmark_count, last_bookmark;
};

/* ---- the table (table.c) ---- */
struct store_tx table_begin(struct store_table *);             /* for reading; a list is in step when it succeeds */
void place_set(struct store_table *, struct place *, const struct place *);
void table_page(TALLOC_CTX *arena, struct store_table *, struct store_tx *, struct place *from, bool forward,
                uint32_t most, store_row_fits *, void *arg, struct props **rows, uint32_t *got);    /* moves `from` */
enum ec bookmark_add(TALLOC_CTX *arena, struct store_table *, const struct place *, struct blob *bookmark);

/* ---- rows (table_row.c) ---- */
void row_prop(TALLOC_CTX *arena, const struct table_row *, uint32_t tag, size_t limit, bool cut, struct prop *out);
struct props row_values(TALLOC_CTX *arena, const struct table_row *);          /* the columns set, cut */
bool row_matches(const struct table_row *, const struct restriction *);        /* NULL: yes */
uint32_t row_instances(const struct table_row *);                              /* at least 1 */
struct row_sort {
    struct blob key;
    uint32_t ends[CATEGORIES_MAX];               /* of the values of each category */
    struct blob aggregate;                       /* what a category is sorted by the greatest of; it is not in the key */
};
struct row_sort row_sort_key(TALLOC_CTX *arena, const struct table_row *);     /* table_key.c */
void header_prop(TALLOC_CTX *arena, const struct table_row *, uint32_t tag, size_t limit, bool cut, struct prop *out);
/* The row of this id, if it belongs to the table. */
bool table_row_get(TALLOC_CTX *arena, struct store_table *, struct store_tx *, uint64_t id, struct table_row *);

enum ec folder_table(struct store_table **, TALLOC_CTX *owner, struct store *, uint64_t fid, const struct table_kind *,
                     unsigned flags, uint32_t *rows);

/* ---- views ---- */
const struct index_order *index_for(const struct SortOrder *, uint32_t count, bool in_search,
                                    bool *descending);         /* NULL: none */
void index_scan(struct store_table *, struct store_tx *, row_taker *, void *arg);        /* by delivery time */
void list_ready(struct store_table *, struct store_tx *);
void list_passed(struct store_table *, uint64_t position);               /* the change there is of no concern */

/* ---- changes (table_event.c) ---- */
enum { BATCH_MAX = 64, CHANGES_KEPT = 32 };
#define TABLE_UNCHANGED ((enum table_event_type)0)
/* Which rows of a table a change is about; 0: none. */
struct row_ids {
    uint64_t in, out;                            /* new or changed; gone */
    bool all;                                    /* the rows are not listed */
};
struct row_ids change_rows(const struct store_table *, const struct store_change *);
/* The store keeps its last changes from now on; are all since `seen` among them? */
void changes_keep(struct store *);
bool changes_kept_since(const struct store *, uint64_t seen);
/* How many changes came before this one, which is being announced; false: it is not. */
bool change_position(const struct store *, const struct store_change *, uint64_t *position);
/* Will a later change of the same commit put this row somewhere else? */
bool changes_move_later(const struct store_table *, const struct store_change *, uint64_t id);
