/* SPDX-License-Identifier: Apache-2.0 */
/* directory/internal.h: what the files of this room share. */
#pragma once
#include <pthread.h>

#include "directory/directory.h"
#include "sql/sql.h"

enum key_kind { KEY_NAME, KEY_ALIAS, KEY_DISPLAY_NAME, KEY_UPN, KEY_SAM, KEY_SMTP, KEY_DN, KEY_MAILBOX, KEY_OBJECT,
                KEY_MINIMAL_ID, KEY_PUBLIC_FOLDER };

/* One of an entry's keys, in its bucket's chain. */
struct slot {
    uint64_t hash;
    const char *text;                       /* folded */
    struct entry *entry;
    struct slot *next;
};

enum folded { FOLDED_DISPLAY, FOLDED_ALIAS, FOLDED_FIRST, FOLDED_LAST, FOLDED_COUNT };

/* One account and everything about it in one piece of memory, so that the last reader may free it in any thread. */
struct entry {
    struct account account;                 /* first: a reader's pointer is the entry's */
    const char *password_hash;              /* NULL: nobody can sign in */
    const char *folded[FOLDED_COUNT];       /* without case and accents, for name resolution */
    struct slot *slots;
    size_t slot_count;
    size_t position;                        /* in directory->entries */
    int references;                         /* atomic */
};

struct list_picture {
    struct account_list list;               /* first: a reader's pointer is the picture's */
    uint64_t generation;
    int references;                         /* atomic */
};

struct directory {
    struct org *org;
    char *nobody_hash;                      /* compared when there is no such account */
    pthread_mutex_t writing;                /* guards db and `seen`; held from the first check to the change */
    struct sql *db;
    TALLOC_CTX *seen_owner;
    const struct org_settings *seen;        /* what the entries' database names and URLs were made from */
    pthread_rwlock_t looking;               /* guards the index */
    struct slot **buckets;
    size_t bucket_count, slot_count;
    struct entry **entries;
    size_t count, room;
    uint64_t generation;                    /* atomic */
    pthread_mutex_t listing;
    struct list_picture *lists[ACCOUNTS_ALL + 1];
    struct grants *grants;                  /* grant.c; guarded by `looking` */
};

enum ec directory_say(enum ec, const char *format, ...) PRINTF(2, 3);

#define DIRECTORY_SORT_LCID 0x0409          /* the address book is sorted as a reader of English expects */

/* entry.c */
struct entry *entry_new(const struct account *, const char *password_hash);
struct entry *entry_take(struct entry *);
void entry_release(struct entry *);
/* Hands an entry to a reader: the reference goes with `arena`. */
const struct account *entry_lend(TALLOC_CTX *arena, struct entry *);
const struct entry *entry_of(const struct account *);

/* index.c; `looking` is held for writing */
void index_add(struct directory *, struct entry *);
void index_remove(struct directory *, struct entry *);
void index_clear(struct directory *);
/* `looking` or `writing` is held; the next entry with this key after `after` (NULL: the first); folded by key_fold() */
struct entry *index_find(struct directory *, enum key_kind, const char *folded, struct entry *after);
uint64_t key_hash(enum key_kind, const char *folded);
char *key_fold(TALLOC_CTX *, const char *);
enum { KEY_FOLDER_SIZE = 17 };
const char *key_of_folder(uint64_t public_folder, char text[KEY_FOLDER_SIZE]);  /* 0: the mailbox of them all */
/* Takes the lock: one reference, NULL when there is none. */
struct entry *directory_entry(struct directory *, enum key_kind, const char *text);
struct entry *directory_entry_by_guid(struct directory *, enum key_kind, struct guid);

/* rows.c */
extern const struct sql_schema_step directory_schema[];
extern const size_t directory_schema_steps;
enum ec rows_load(struct directory *, void (*each)(struct directory *, struct entry *));
void row_insert(struct sql_tx *, const struct account *, const char *password_hash);
void row_update(struct sql_tx *, const struct account *, const char *password_hash);
void row_delete(struct sql_tx *, const struct account *);
void row_disconnect(struct sql_tx *, const struct account *);
enum ec row_disconnected(TALLOC_CTX *arena, struct sql *, struct account *);       /* by mailbox_guid, fills the rest */
void row_forget_disconnected(struct sql_tx *, struct guid mailbox);
struct guid row_guid(struct sql_rows *, unsigned column);
uint32_t row_next_minimal_id(struct sql_tx *);

/* directory.c: what is not kept but follows from the settings: logon name, database name, the store's place. */
void account_complete(TALLOC_CTX *arena, const struct org_settings *, struct account *);

/* check.c: what an account must look like before it is written; the refusal is directory_say()'s.  `self`: the entry
 * that it replaces, NULL: a new one. */
enum ec account_check(struct directory *, const struct org_settings *, const struct account *,
                      const struct entry *self);
bool account_alias_char(unsigned char c);

/* grant.c; `writing` is held */
enum ec grants_load(struct directory *);
void row_forget_grants(struct sql_tx *, struct guid account);

/* list.c */
void list_forget(struct directory *);

/* authenticate.c */
char *nobody_hash(TALLOC_CTX *);
