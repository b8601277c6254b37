/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what in a folder: the permissions list of [MS-OXCPERM] 2.2, and what it means to somebody who is not the
 * mailbox' owner ([MS-OXCPERM] 3.2.4.1).
 *
 * A list has an entry for everybody else (member id 0), which is there even without a row of its own, the same for who
 * is nobody (-1; never used, as everybody signs in), and one for each person who was given rights. */
#include "store/message.h"
#include "wire/entry_id.h"

enum { CACHED = 256, PERMISSIONS_MAX = 1000 };
#define FREE_BUSY (RIGHT_FREE_BUSY_SIMPLE | RIGHT_FREE_BUSY_DETAILED)

struct store_delegate {
    const char *key, *name; /* key: how permission.member names him */
    struct blob entry_id;
    bool full;      /* FullAccess to the mailbox: the lists do not matter */
    uint64_t epoch; /* how often `full` has changed */
    struct seen *read; /* seen.c: what he has read in public folders */
    uint64_t seen;  /* the store's count of changed lists when the cache began */
    struct {
        uint64_t fid;
        uint32_t rights;
    } cache[CACHED];
};

static const char *member_key(TALLOC_CTX *arena, const char *legacy_dn)
{
    return text_fold_only(arena, legacy_dn, FOLD_CASE);
}

struct store_delegate *store_delegate_new(TALLOC_CTX *owner, const char *legacy_dn, const char *display_name)
{
    struct store_delegate *d = talloc_zero(owner, struct store_delegate);
    d->key = member_key(d, legacy_dn);
    d->name = talloc_strdup(d, display_name);
    d->entry_id = address_book_entry_id(d, legacy_dn, DT_MAILUSER);
    return d;
}

void store_delegate_full_access(struct store_delegate *d, bool full)
{
    d->epoch += d->full != full;
    d->full = full;
}

const char *delegate_key(const struct store_delegate *d)
{
    return d->key;
}

struct seen **delegate_seen(struct store_delegate *d)
{
    return &d->read;
}

uint64_t delegate_epoch(const struct store_delegate *d)
{
    return d ? d->epoch : 0;
}

void store_act_for(struct store *st, struct store_delegate *delegate)
{
    st->delegate = delegate;
}

/* ---- what somebody may do: [MS-OXCPERM] 3.2.4.1 ---- */

static const char rights_sql[] =
    "SELECT rights FROM permission WHERE mb = $1 AND fid = $2 AND (member = $3 OR id = 0) ORDER BY id DESC LIMIT 1";

static uint32_t read_rights(struct store_tx *tx, const struct store_delegate *d, uint64_t fid)
{
    return (uint32_t)sql_int_or(&tx->sql, 0, rights_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_TEXT(d->key)));
}

/* The root is there for everybody who may log on: it says where the others are ([MS-OXOSFLD] 3.1.4.1). */
uint32_t delegate_rights(struct store_tx *tx, struct store_delegate *d, uint64_t fid)
{
    if (!d || d->full)
        return RIGHTS_ALL;
    if (d->seen != tx->st->permission_changes) {
        memset(d->cache, 0, sizeof d->cache);
        d->seen = tx->st->permission_changes;
    }
    if (d->cache[fid % CACHED].fid != fid || !fid) {
        const uint32_t rights = read_rights(tx, d, fid) | (fid == SPECIAL_ROOT ? (uint32_t)RIGHT_VISIBLE : 0);
        if (sql_failed(&tx->sql))
            return 0;
        d->cache[fid % CACHED].fid = fid;
        d->cache[fid % CACHED].rights = rights;
    }
    return d->cache[fid % CACHED].rights;
}

uint32_t rights_in(struct store_tx *tx, uint64_t fid)
{
    return delegate_rights(tx, tx->st->delegate, fid);
}

bool may(struct store_tx *tx, uint64_t fid, uint32_t rights)
{
    const bool allowed = (rights_in(tx, fid) & rights) == rights;
    if (!allowed)
        sql_abort(&tx->sql, ecAccessDenied);
    return allowed;
}

void may_some(struct store_tx *tx, uint64_t fid, uint32_t rights)
{
    if (!(rights_in(tx, fid) & rights))
        sql_abort(&tx->sql, ecAccessDenied);
}

void may_manage(struct store_tx *tx)
{
    if (tx->st->delegate && !tx->st->delegate->full)
        sql_abort(&tx->sql, ecAccessDenied);
}

/* Either the right to all messages of the folder, or the one to one's own: the store acts for who has made it. */
bool may_with(struct store_tx *tx, uint64_t fid, const struct item *message, bool associated, uint32_t any,
              uint32_t owned)
{
    const uint32_t rights = rights_in(tx, fid);
    if (associated && any != RIGHT_READ_ANY)
        return rights & RIGHT_OWNER; /* a folder's FAI messages belong to the folder */
    return rights & any || ((!owned || rights & owned) && item_is_own(tx->st, message));
}

bool item_is_own(struct store *st, const struct item *message)
{
    if (!st->delegate)
        return true;
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct item_value creator = item_find(arena, message, PidTagCreatorEntryId);
    struct entry_id_person person;
    const bool own = creator.place == BAG_HERE && creator.prop.tag == PidTagCreatorEntryId &&
                     entry_id_person(arena, creator.prop.bin, &person) && strcmp(person.address_type, "EX") == 0 &&
                     strcmp(member_key(arena, person.address), st->delegate->key) == 0;
    talloc_free(arena);
    return own;
}

static const char props_sql[] = "SELECT props, associated FROM message WHERE mb = $1 AND id = $2";

bool may_with_row(struct store_tx *tx, uint64_t fid, int64_t id, uint32_t any, uint32_t owned)
{
    if (!tx->st->delegate || tx->st->delegate->full)
        return true;
    struct sql_rows rows = sql_query(&tx->sql, props_sql, BIND(B_INT(tx->st->mb), B_INT(id)));
    struct item item = { .id = id, .num = ITEM_OWN };
    bool allowed = sql_next(&rows) && bag_open(&item.bag, sql_col_blob(&rows, 0)) &&
                   may_with(tx, fid, &item, sql_col_int(&rows, 1), any, owned);
    sql_done(&rows);
    return allowed;
}

/* [MS-OXCMSG] 2.2.1.31 and on: who has made a message and who has changed it last, as others see it. */
void stamp_author(struct store *st, struct item *item, bool is_new, bool keep_modifier)
{
    const struct store_delegate *d = st->delegate;
    if (d && is_new) {
        item_set(item, &P_STR(PidTagCreatorName, d->name));
        item_set(item, &P_BIN(PidTagCreatorEntryId, d->entry_id));
    }
    if (d) {
        item_set(item, &P_STR(PidTagLastModifierName, d->name));
        item_set(item, &P_BIN(PidTagLastModifierEntryId, d->entry_id));
    } else if (!keep_modifier && item_has(item, PidTagLastModifierEntryId)) {
        item_remove(item, PidTagLastModifierName); /* the owner, which is what an absent one means */
        item_remove(item, PidTagLastModifierEntryId);
    }
}

bool is_author_tag(uint32_t tag)
{
    static const uint32_t tags[] = { PidTagCreatorName, PidTagCreatorEntryId, PidTagLastModifierName,
                                     PidTagLastModifierEntryId };
    for (size_t i = 0; i < COUNTOF(tags); i++)
        if (PROP_ID(tags[i]) == PROP_ID(tag))
            return true;
    return false;
}

uint32_t store_rights(struct store *st, struct store_delegate *d, uint64_t fid)
{
    if (!d || d->full)
        return RIGHTS_ALL;
    struct store_tx tx = store_read(st);
    const uint32_t rights = delegate_rights(&tx, d, store_counter(fid));
    return store_end(&tx) ? 0 : rights;
}

enum ec store_require(struct store *st, uint64_t fid, uint32_t rights)
{
    if (!st->delegate)
        return ecNone;
    struct store_tx tx = store_read(st);
    may(&tx, store_counter(fid), rights);
    return store_end(&tx);
}

static const char reaches_sql[] =
    "SELECT COUNT(*) FROM permission p JOIN folder f ON f.mb = p.mb AND f.fid = p.fid WHERE p.mb = $1"
    " AND f.deleted IS NULL AND (p.member = $2 OR (p.id = 0 AND NOT EXISTS (SELECT 1 FROM permission o"
    "  WHERE o.mb = p.mb AND o.fid = p.fid AND o.member = $2))) AND (p.rights & $3) <> 0";

enum ec store_delegate_reaches(struct store *st, const struct store_delegate *d, bool *something)
{
    struct store_tx tx = store_read(st);
    *something = d->full ||
                 sql_int(&tx.sql, reaches_sql, BIND(B_INT(st->mb), B_TEXT(d->key), B_INT(RIGHTS_ALL & ~FREE_BUSY))) > 0;
    return store_end(&tx);
}

/* ---- the list ---- */

static const char list_sql[] = "SELECT id, dn, name, rights FROM permission WHERE mb = $1 AND fid = $2 ORDER BY id";

static void list_read(TALLOC_CTX *arena, struct store_tx *tx, uint64_t fid, struct store_permission **out,
                      uint32_t *count)
{
    struct store_permission *list = talloc_array(arena, struct store_permission, 2);
    uint32_t n = 2;
    list[0] = (struct store_permission){ .member_id = MEMBER_DEFAULT, .name = "" };
    list[1] = (struct store_permission){ .member_id = MEMBER_ANONYMOUS, .name = "Anonymous" };
    struct sql_rows rows = sql_query(&tx->sql, list_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    while (sql_next(&rows)) {
        const int64_t id = sql_col_int(&rows, 0);
        const uint32_t rights = (uint32_t)sql_col_int(&rows, 3);
        if (id <= 0) {
            list[id == MEMBER_ANONYMOUS].rights = rights;
            continue;
        }
        list = talloc_realloc(arena, list, struct store_permission, n + 1);
        list[n++] = (struct store_permission){ id, sql_col_text_copy(arena, &rows, 1),
                                               sql_col_text_copy(arena, &rows, 2), rights };
    }
    sql_done(&rows);
    *out = list;
    *count = n;
}

void permissions_read(TALLOC_CTX *arena, struct store_tx *tx, uint64_t fid, struct store_permission **out,
                      uint32_t *count)
{
    struct folder_row row;
    folder_row_get(arena, tx, fid, &row);
    may(tx, fid, RIGHT_VISIBLE); /* [MS-OXCPERM] 3.2.5.1 */
    list_read(arena, tx, fid, out, count);
}

enum ec store_permissions(TALLOC_CTX *arena, struct store *st, uint64_t fid, struct store_permission **out,
                          uint32_t *count)
{
    struct store_tx tx = store_read(st);
    permissions_read(arena, &tx, store_counter(fid), out, count);
    return store_end(&tx);
}

/* [MS-OXCPERM] 2.2.7: what clients must set together. */
static uint32_t with_implied(uint32_t rights)
{
    rights &= RIGHTS_ALL;
    rights |= rights & RIGHT_EDIT_ANY ? RIGHT_EDIT_OWNED : 0;
    rights |= rights & RIGHT_DELETE_ANY ? RIGHT_DELETE_OWNED : 0;
    rights |= rights & (RIGHT_READ_ANY | RIGHT_OWNER) ? RIGHT_VISIBLE : 0;
    rights |= rights & RIGHT_FREE_BUSY_DETAILED ? RIGHT_FREE_BUSY_SIMPLE : 0;
    return rights;
}

/* [MS-OXCPERM] 2.2.7, note 5 */
static uint32_t usual_free_busy(int64_t id, uint32_t rights)
{
    return (id == MEMBER_ANONYMOUS ? 0u : RIGHT_FREE_BUSY_SIMPLE) |
           (rights & RIGHT_READ_ANY ? RIGHT_FREE_BUSY_SIMPLE | RIGHT_FREE_BUSY_DETAILED : 0u);
}

struct list_edit {
    struct store_tx *tx;
    uint64_t fid;
    bool calendar, free_busy; /* free_busy: its bits are meant */
};

/* The free/busy bits count in a calendar alone; who does not speak of them leaves them as they are. */
static uint32_t settled(const struct list_edit *e, int64_t id, uint32_t rights, const uint32_t *before)
{
    const uint32_t given = with_implied(e->free_busy ? rights : rights & ~(uint32_t)FREE_BUSY);
    if (!e->calendar)
        return given & ~(uint32_t)FREE_BUSY;
    if (e->free_busy)
        return given;
    if (before && (*before & FREE_BUSY) != usual_free_busy(id, *before))
        return given | (*before & FREE_BUSY);
    return given | usual_free_busy(id, given);
}

static const char put_sql[] =
    "INSERT INTO permission(mb, fid, id, member, dn, name, rights) VALUES ($1, $2, $3, $4, $5, $6, $7)"
    " ON CONFLICT (mb, fid, id) DO UPDATE SET name = excluded.name, rights = excluded.rights";
static const char find_sql[] = "SELECT id FROM permission WHERE mb = $1 AND fid = $2 AND member = $3 AND id > 0";
static const char one_sql[] = "SELECT rights FROM permission WHERE mb = $1 AND fid = $2 AND id = $3";
static const char update_sql[] = "UPDATE permission SET rights = $4 WHERE mb = $1 AND fid = $2 AND id = $3";
static const char remove_sql[] = "DELETE FROM permission WHERE mb = $1 AND fid = $2 AND id = $3";
static const char clear_sql[] = "DELETE FROM permission WHERE mb = $1 AND fid = $2 AND id <> 0";
static const char count_sql[] = "SELECT COUNT(*) FROM permission WHERE mb = $1 AND fid = $2";

static void put(const struct list_edit *e, int64_t id, const struct store_permission *p, uint32_t rights)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *dn = p->legacy_dn ? p->legacy_dn : "";
    sql_exec(&e->tx->sql, put_sql,
             BIND(B_INT(e->tx->st->mb), B_INT((int64_t)e->fid), B_INT(id), B_TEXT(member_key(arena, dn)), B_TEXT(dn),
                  B_TEXT(p->name ? p->name : ""), B_INT(rights)));
    talloc_free(arena);
}

/* Who is there already is there once. */
static void add(const struct list_edit *e, const struct store_permission *p)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct sql_value mb = B_INT(e->tx->st->mb), fid = B_INT((int64_t)e->fid);
    int64_t id = p->member_id;
    if (p->legacy_dn)
        id = sql_int_or(&e->tx->sql, 0, find_sql, BIND(mb, fid, B_TEXT(member_key(arena, p->legacy_dn))));
    if (p->legacy_dn && !id)
        id = (int64_t)take_counters(e->tx, 1);
    put(e, id, p, settled(e, id, p->rights, NULL));
    if (sql_int(&e->tx->sql, count_sql, BIND(mb, fid)) > PERMISSIONS_MAX)
        sql_abort(&e->tx->sql, ecTooBig);
    talloc_free(arena);
}

/* [MS-OXCPERM] 3.2.5.2: who is not in the list is passed over; the two reserved entries always are, even unwritten. */
static void modify(const struct list_edit *e, const struct store_permission *p)
{
    const struct sql_value mb = B_INT(e->tx->st->mb), fid = B_INT((int64_t)e->fid), id = B_INT(p->member_id);
    const int64_t found = sql_int_or(&e->tx->sql, -1, one_sql, BIND(mb, fid, id));
    const uint32_t before = found < 0 ? 0 : (uint32_t)found;
    const uint32_t rights = settled(e, p->member_id, p->rights, found < 0 ? NULL : &before);
    if (found >= 0)
        sql_exec(&e->tx->sql, update_sql, BIND(mb, fid, id, B_INT(rights)));
    else if (p->member_id == MEMBER_DEFAULT || p->member_id == MEMBER_ANONYMOUS)
        put(e, p->member_id, &(struct store_permission){ .name = "" }, rights);
}

static void edit_one(const struct list_edit *e, const struct store_permission_edit *edit)
{
    if (edit->what == PERMISSION_ADD)
        add(e, &edit->entry);
    else if (edit->what == PERMISSION_MODIFY)
        modify(e, &edit->entry);
    else
        sql_exec(&e->tx->sql, remove_sql,
                 BIND(B_INT(e->tx->st->mb), B_INT((int64_t)e->fid), B_INT(edit->entry.member_id)));
}

enum ec store_permissions_modify(struct store *st, uint64_t fid, unsigned flags,
                                 const struct store_permission_edit *edits, uint32_t count)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct folder_row row;
    struct store_tx tx = store_begin(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    may(&tx, row.fid, RIGHT_OWNER); /* [MS-OXCPERM] 3.2.5.2 */
    const struct list_edit e = { &tx, row.fid, strcasecmp(row.class, "IPF.Appointment") == 0,
                                 flags & PERMISSIONS_FREE_BUSY };
    if (flags & PERMISSIONS_REPLACE)
        sql_exec(&tx.sql, clear_sql, BIND(B_INT(st->mb), B_INT((int64_t)row.fid)));
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++)
        edit_one(&e, &edits[i]);
    folder_renumber(&tx, &row);
    st->permission_changes++;
    talloc_free(arena);
    const enum ec ec = store_end(&tx);
    st->permission_changes += ec != ecNone;
    return ec;
}

/* ---- folders that come and go ---- */

static const char inherit_sql[] =
    "INSERT INTO permission(mb, fid, id, member, dn, name, rights)"
    " SELECT mb, $3, id, member, dn, name, rights FROM permission WHERE mb = $1 AND fid = $2";

/* A new folder begins with its parent's list, and belongs to who has made it. */
void permissions_inherit(struct store_tx *tx, uint64_t parent, uint64_t fid)
{
    const struct store_delegate *d = tx->st->delegate;
    struct entry_id_person self;
    sql_exec(&tx->sql, inherit_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)parent), B_INT((int64_t)fid)));
    if (!d || d->full || !entry_id_person((void *)d, d->entry_id, &self))
        return;
    const struct list_edit e = { .tx = tx, .fid = fid };
    add(&e, &(struct store_permission){ .legacy_dn = self.address, .name = d->name, .rights = RIGHTS_OWNER_ROLE });
}

/* In public folders everybody is an author. */
static void public_defaults(struct store_tx *tx)
{
    static const uint64_t fids[] = {
#define SPECIAL(name, counter, parent, display, class) counter,
#include "store/public.def"
#undef SPECIAL
    };
    for (size_t i = 0; i < COUNTOF(fids); i++) {
        const struct list_edit e = { .tx = tx, .fid = fids[i] };
        put(&e, MEMBER_DEFAULT, &(struct store_permission){ .name = "" }, RIGHTS_AUTHOR_ROLE);
    }
}

/* [MS-OXCPERM] 2.2.7, note 5: in a new mailbox everybody sees when its owner is busy. */
void permissions_defaults(struct store_tx *tx)
{
    const struct list_edit e = { .tx = tx, .fid = SPECIAL_CALENDAR };
    if (tx->st->identity.is_public)
        public_defaults(tx);
    else
        put(&e, MEMBER_DEFAULT, &(struct store_permission){ .name = "" }, RIGHT_FREE_BUSY_SIMPLE);
}
