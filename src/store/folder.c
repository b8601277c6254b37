/* SPDX-License-Identifier: Apache-2.0 */
/* Folders: made, named, moved, and their properties.  Deleting is in folder_delete.c, copying in folder_copy.c. */
#include "store/internal.h"

enum { NAME_MAX_CHARACTERS = 255 };

/* ---- rows ---- */

void folder_row_read(struct sql_rows *rows, unsigned first, struct folder_row *row)
{
    unsigned c = first;
    *row = (struct folder_row){ 0 };
    row->fid = (uint64_t)sql_col_int(rows, c++);
    row->parent = (uint64_t)sql_col_int(rows, c++);
    row->cn = (uint64_t)sql_col_int(rows, c++);
    row->type = (uint8_t)sql_col_int(rows, c++);
    row->deleted = (uint64_t)sql_col_int(rows, c++); /* NULL: 0 */
    row->hidden = sql_col_int(rows, c++);
    row->total = (uint32_t)sql_col_int(rows, c++);
    row->unread = (uint32_t)sql_col_int(rows, c++);
    row->associated = (uint32_t)sql_col_int(rows, c++);
    row->subfolders = (uint32_t)sql_col_int(rows, c++);
    row->deleted_total = (uint32_t)sql_col_int(rows, c++);
    row->hierarchy_cn = (uint32_t)sql_col_int(rows, c++);
    row->size = (uint64_t)sql_col_int(rows, c++);
    row->associated_size = (uint64_t)sql_col_int(rows, c++);
    row->content_time = (uint64_t)sql_col_int(rows, c++);
    row->hierarchy_time = (uint64_t)sql_col_int(rows, c++);
    row->modified = (uint64_t)sql_col_int(rows, c++);
    row->created = (uint64_t)sql_col_int(rows, c++);
    row->committed = (uint64_t)sql_col_int(rows, c++);
    row->name = sql_col_text(rows, c++);
    row->comment = sql_col_text(rows, c++);
    row->class = sql_col_text(rows, c++);
    row->change_key = sql_col_blob(rows, c++);
    row->pcl = sql_col_blob(rows, c++);
    row->source_key = sql_col_blob(rows, c++);
    row->props = sql_col_blob(rows, c++);
    row->has_rules = sql_col_int(rows, c++);
}

static const char folder_row_sql[] =
    "SELECT " FOLDER_COLUMNS " FROM folder WHERE mb = $1 AND fid = $2 AND deleted IS NULL";

void folder_row_get(TALLOC_CTX *arena, struct store_tx *tx, uint64_t fid, struct folder_row *row)
{
    struct sql_rows rows = sql_one(&tx->sql, folder_row_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    folder_row_read(&rows, 0, row);
    row->name = talloc_strdup(arena, row->name);
    row->comment = talloc_strdup(arena, row->comment);
    row->class = talloc_strdup(arena, row->class);
    row->change_key = blob_copy(arena, row->change_key);
    row->pcl = blob_copy(arena, row->pcl);
    row->source_key = blob_copy(arena, row->source_key);
    row->props = blob_copy(arena, row->props);
    sql_done(&rows);
}

enum ec store_folder_row(TALLOC_CTX *arena, struct store *st, uint64_t fid, struct store_folder *out)
{
    struct folder_row row;
    struct store_tx tx = store_read(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    if (!folder_is_visible(&tx, row.fid))
        sql_abort(&tx.sql, ecNotFound); /* R470 */
    *out = (struct store_folder){
        .fid = fid,
        .parent = row.parent ? store_id(row.parent) : 0,
        .cn = store_id(row.cn),
        .type = row.type,
        .name = row.name,
        .comment = row.comment,
        .class = row.class,
        .total = row.total,
        .unread = st->identity.is_public ? seen_unread(st, row.fid, row.total) : row.unread,
        .associated = row.associated,
        .subfolders = row.subfolders,
        .hidden = row.hidden,
        .has_rules = row.has_rules,
    };
    return store_end(&tx);
}

bool folder_is_visible(struct store_tx *tx, uint64_t fid)
{
    return rights_in(tx, fid) & (RIGHT_VISIBLE | RIGHT_OWNER);
}

/* ---- counts and announcements ---- */

static const char folder_adjust_sql[] =
    "UPDATE folder SET total = total + $3, unread = unread + $4, associated = associated + $5, size = size + $6,"
    "  associated_size = associated_size + $7, deleted_total = deleted_total + $8, content_time = $9"
    " WHERE mb = $1 AND fid = $2 AND deleted IS NULL RETURNING total, unread, parent, type";

static const char mailbox_size_sql[] = "UPDATE mailbox SET size = size + $2 WHERE mb = $1";

/* A search folder shows messages of others and has none ([MS-OXCFOLD] 1.3). */
void folder_adjust(struct store_tx *tx, uint64_t fid, const struct folder_delta *d)
{
    struct sql_rows rows =
        sql_one(&tx->sql, folder_adjust_sql,
                BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(d->total), B_INT(d->unread), B_INT(d->associated),
                     B_INT(d->size), B_INT(d->associated_size), B_INT(d->deleted), B_INT((int64_t)tx->now)));
    const struct store_change change = {
        .kind = STORE_MODIFIED,
        .fid = store_id(fid),
        .counts_changed = d->total || d->unread || d->associated,
        .many = d->many,
        .total = (uint32_t)sql_col_int(&rows, 0),
        .unread = (uint32_t)sql_col_int(&rows, 1),
        .parent = store_id((uint64_t)sql_col_int(&rows, 2)),
    };
    if (sql_col_int(&rows, 3) == FOLDER_SEARCH)
        sql_abort(&tx->sql, ecAccessDenied);
    sql_done(&rows);
    if (d->size + d->associated_size)
        sql_exec(&tx->sql, mailbox_size_sql, BIND(B_INT(tx->st->mb), B_INT(d->size + d->associated_size)));
    change_add(tx, &change);
}

static const char folder_touch_sql[] =
    "UPDATE folder SET subfolders = subfolders + $3, hierarchy_cn = hierarchy_cn + 1, hierarchy_time = $4"
    " WHERE mb = $1 AND fid = $2 RETURNING total, unread, parent";

/* Something has changed among the subfolders of `fid`. */
void folder_touch(struct store_tx *tx, uint64_t fid, int subfolders)
{
    if (!fid)
        return;
    struct sql_rows rows =
        sql_one(&tx->sql, folder_touch_sql,
                BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT(subfolders), B_INT((int64_t)tx->now)));
    const struct store_change change = {
        .kind = STORE_MODIFIED,
        .fid = store_id(fid),
        .total = (uint32_t)sql_col_int(&rows, 0),
        .unread = (uint32_t)sql_col_int(&rows, 1),
        .parent = store_id((uint64_t)sql_col_int(&rows, 2)),
    };
    sql_done(&rows);
    change_add(tx, &change);
}

/* ---- making ---- */

struct blob folder_name_key(TALLOC_CTX *arena, const char *name)
{
    const char *folded = text_fold_only(arena, name, FOLD_CASE);
    return BLOB_OF(folded, strlen(folded));
}

static size_t characters(const char *text)
{
    size_t n = 0;
    for (; *text; text++)
        n += (*text & 0xC0) != 0x80;
    return n;
}

enum ec folder_name_check(const char *name)
{
    if (!name || !*name || characters(name) > NAME_MAX_CHARACTERS || !utf8_is_valid(name, strlen(name)))
        return ecInvalidParam;
    return ecNone;
}

static const char folder_insert_sql[] =
    "INSERT INTO folder(mb, fid, parent, type, cn, content_time, hierarchy_time, modified, created, committed, hidden,"
    "  name, name_key, comment, class, props)"
    " VALUES ($1, $2, $3, $4, $5, $6, $6, $6, $6, $6, $7, $8, $9, $10, $11, $12)";

void folder_insert(struct store_tx *tx, const struct folder_row *row)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    sql_exec(&tx->sql, folder_insert_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)row->fid), B_INT((int64_t)row->parent), B_INT(row->type),
                  B_INT((int64_t)row->cn), B_INT((int64_t)tx->now), B_INT(row->hidden), B_TEXT(row->name),
                  B_BLOB(folder_name_key(arena, row->name)), B_TEXT(row->comment), B_TEXT(row->class),
                  B_BLOB(row->props)));
    talloc_free(arena);
    const struct store_change change = {
        .kind = STORE_CREATED, .fid = store_id(row->fid), .parent = store_id(row->parent), .cn = store_id(row->cn)
    };
    change_add(tx, &change);
}

static const char folder_by_name_sql[] =
    "SELECT fid FROM folder WHERE mb = $1 AND parent = $2 AND name_key = $3 AND deleted IS NULL";

uint64_t folder_by_name(struct store_tx *tx, uint64_t parent, const char *name)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const int64_t fid =
        sql_int_or(&tx->sql, 0, folder_by_name_sql,
                   BIND(B_INT(tx->st->mb), B_INT((int64_t)parent), B_BLOB(folder_name_key(arena, name))));
    talloc_free(arena);
    return (uint64_t)fid;
}

enum ec store_folder_by_name(struct store *st, uint64_t parent, const char *name, uint64_t *fid)
{
    struct store_tx tx = store_read(st);
    const uint64_t found = folder_by_name(&tx, store_counter(parent), name);
    if (!found || !folder_is_visible(&tx, found))
        sql_abort(&tx.sql, ecNotFound);
    *fid = store_id(found);
    return store_end(&tx);
}

static const char folder_type_sql[] = "SELECT type FROM folder WHERE mb = $1 AND fid = $2 AND deleted IS NULL";

/* A search folder holds results, no folders ([MS-OXCFOLD] 3.2.5.2). */
void folder_require_parent(struct store_tx *tx, uint64_t fid)
{
    const int64_t type = sql_int(&tx->sql, folder_type_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid)));
    if (!sql_failed(&tx->sql) && type == FOLDER_SEARCH)
        sql_abort(&tx->sql, ecAccessDenied);
}

/* [MS-OXCFOLD] 3.2.5.2 */
enum ec store_folder_create(struct store *st, uint64_t parent, uint8_t type, const char *name, const char *comment,
                            bool open_existing, uint64_t *fid, bool *existed)
{
    *existed = false;
    enum ec ec = folder_name_check(name);
    if (ec || (type != FOLDER_GENERIC && type != FOLDER_SEARCH) ||
        (comment && !utf8_is_valid(comment, strlen(comment))))
        return ecInvalidParam; /* R487 */
    struct folder_row row = {
        .parent = store_counter(parent), .type = type, .name = name, .comment = comment ? comment : "", .class = ""
    };
    struct store_tx tx = store_begin(st);
    folder_require_parent(&tx, row.parent);
    row.fid = folder_by_name(&tx, row.parent, name);
    *existed = row.fid != 0;
    if (*existed && open_existing)
        may(&tx, row.fid, RIGHT_VISIBLE);
    else if (may(&tx, row.parent, RIGHT_CREATE_SUBFOLDER) && *existed) /* R489 */
        sql_abort(&tx.sql, ecDuplicateName);                           /* R481 */
    if (!*existed) {
        row.fid = take_counters(&tx, 2);
        row.cn = row.fid + 1;
        folder_insert(&tx, &row);
        permissions_inherit(&tx, row.parent, row.fid);
        folder_touch(&tx, row.parent, 1);
    }
    *fid = store_id(row.fid);
    return store_end(&tx);
}

/* ---- properties ---- */

enum ec store_folder_get(TALLOC_CTX *arena, struct store *st, uint64_t fid, const uint32_t *tags, uint32_t count,
                         size_t limit, struct prop *values)
{
    struct folder_row row;
    struct store_tx tx = store_read(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    may(&tx, row.fid, RIGHT_VISIBLE);
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++)
        folder_prop(arena, st, &row, tags[i], limit, false, &values[i]);
    return store_end(&tx);
}

enum ec store_folder_tags(TALLOC_CTX *arena, struct store *st, uint64_t fid, const uint32_t **tags, uint32_t *count)
{
    struct folder_row row;
    struct store_tx tx = store_read(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    may(&tx, row.fid, RIGHT_VISIBLE);
    const struct item item = folder_item(&row);
    const uint32_t *computed;
    uint32_t *own;
    const uint32_t n_computed = folder_computed_tags(&computed), n_own = item_tags(arena, &item, &own);
    *tags = tags_join(arena, computed, n_computed, own, n_own, count);
    return store_end(&tx);
}

/* What store_folder_set and _unset work on. */
struct edit {
    struct store_tx tx;
    struct folder_row row;
    struct item item;
    uint32_t *tags, tag_count; /* changed ones */
};

static void edit_begin(TALLOC_CTX *arena, struct edit *edit, struct store *st, uint64_t fid, uint32_t count)
{
    *edit = (struct edit){ .tx = store_begin(st) };
    folder_row_get(arena, &edit->tx, store_counter(fid), &edit->row);
    may(&edit->tx, edit->row.fid, RIGHT_OWNER);
    edit->item = folder_item(&edit->row);
    edit->item.owner = arena;
    edit->tags = talloc_array(arena, uint32_t, count);
}

static const char folder_update_sql[] =
    "UPDATE folder SET cn = $3, name = $4, name_key = $5, comment = $6, class = $7, hidden = $8, props = $9,"
    "  modified = $10, committed = $10, change_key = NULL WHERE mb = $1 AND fid = $2";

static enum ec edit_end(TALLOC_CTX *arena, struct edit *edit)
{
    struct store_tx *tx = &edit->tx;
    const struct folder_row *row = &edit->row;
    if (!edit->tag_count || sql_failed(&tx->sql))
        return store_end(tx);
    const uint64_t cn = take_counters(tx, 1);
    const struct blob bag = item_pack(arena, tx, &edit->item, (int64_t)row->fid, ITEM_OWN, cn);
    sql_exec(&tx->sql, folder_update_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)row->fid), B_INT((int64_t)cn), B_TEXT(row->name),
                  B_BLOB(folder_name_key(arena, row->name)), B_TEXT(row->comment), B_TEXT(row->class),
                  B_INT(row->hidden), B_BLOB(bag), B_INT((int64_t)tx->now)));
    folder_touch(tx, row->parent, 0);
    const struct store_change change = {
        .kind = STORE_MODIFIED,
        .fid = store_id(row->fid),
        .parent = store_id(row->parent),
        .cn = store_id(cn),
        .total = row->total,
        .unread = row->unread,
        .tag_count = edit->tag_count,
        .tags = edit->tags,
    };
    change_add(tx, &change);
    return store_end(tx);
}

static enum ec set_name(struct edit *edit, const struct prop *p)
{
    const enum ec ec = folder_name_check(p->str);
    if (ec || !edit->row.parent)
        return ec ? ec : ecAccessDenied; /* the root has no name */
    const uint64_t other = folder_by_name(&edit->tx, edit->row.parent, p->str);
    if (other && other != edit->row.fid)
        return ecDuplicateName;
    edit->row.name = p->str;
    return ecNone;
}

static enum ec set_comment(struct edit *edit, const struct prop *p)
{
    edit->row.comment = p->str ? p->str : "";
    return ecNone;
}

static enum ec set_class(struct edit *edit, const struct prop *p)
{
    edit->row.class = p->str ? p->str : "";
    return ecNone;
}

static enum ec set_hidden(struct edit *edit, const struct prop *p)
{
    edit->row.hidden = p->b;
    return ecNone;
}

static const struct {
    uint32_t tag;
    enum ec (*set)(struct edit *, const struct prop *);
} columns[] = {
    { PidTagDisplayName, set_name },
    { PidTagComment, set_comment },
    { PidTagContainerClass, set_class },
    { PidTagAttributeHidden, set_hidden },
};

static enum ec set_column(struct edit *edit, const struct prop *p)
{
    for (size_t i = 0; i < COUNTOF(columns); i++)
        if (PROP_ID(columns[i].tag) == PROP_ID(p->tag))
            return prop_stored(p->tag) == columns[i].tag ? columns[i].set(edit, p) : ecUnexpectedType;
    return ecComputed;
}

static enum ec edit_set(struct edit *edit, const struct prop *p)
{
    const enum computed_rule rule = folder_rule(p->tag);
    enum ec ec = item_check(&edit->item, p);
    if (ec)
        return ec;
    if (rule == COMPUTED || rule == HANDLED)
        ec = rule == COMPUTED ? ecComputed : set_column(edit, p);
    else
        item_set(&edit->item, p);
    if (!ec)
        edit->tags[edit->tag_count++] = p->tag;
    return ec;
}

enum ec store_folder_set(struct store *st, uint64_t fid, const struct prop *props, uint32_t count, enum ec *results)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct edit edit;
    edit_begin(arena, &edit, st, fid, count);
    for (uint32_t i = 0; i < count; i++)
        results[i] = edit_set(&edit, &props[i]);
    const enum ec ec = edit_end(arena, &edit);
    talloc_free(arena);
    return ec;
}

/* The comment and the class can go; a folder has a name, and is hidden or not. */
static enum ec edit_unset(struct edit *edit, uint32_t tag)
{
    const enum computed_rule rule = folder_rule(tag);
    if (rule == COMPUTED || PROP_ID(tag) == PROP_ID(PidTagDisplayName))
        return ecAccessDenied;
    if (rule == HANDLED)
        set_column(edit,
                   &(struct prop){ .tag = PROP_ID(tag) == PROP_ID(PidTagAttributeHidden) ? PidTagAttributeHidden
                                                                                         : PROP_AS(tag, PtypString) });
    else if (!item_has(&edit->item, tag))
        return ecNone;
    else
        item_remove(&edit->item, tag);
    edit->tags[edit->tag_count++] = tag;
    return ecNone;
}

enum ec store_folder_unset(struct store *st, uint64_t fid, const uint32_t *tags, uint32_t count, enum ec *results)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct edit edit;
    edit_begin(arena, &edit, st, fid, count);
    for (uint32_t i = 0; i < count; i++)
        results[i] = edit_unset(&edit, tags[i]);
    const enum ec ec = edit_end(arena, &edit);
    talloc_free(arena);
    return ec;
}

enum ec folder_put_spool(struct store *st, uint64_t fid, uint32_t tag, struct spool *spool)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct edit edit;
    edit_begin(arena, &edit, st, fid, 1);
    item_set_spool(&edit.item, tag, spool);
    edit.tags[edit.tag_count++] = tag;
    const enum ec ec = edit_end(arena, &edit);
    talloc_free(arena);
    return ec;
}

static const char renumber_sql[] =
    "UPDATE folder SET cn = $3, modified = $4, committed = $4, change_key = NULL WHERE mb = $1 AND fid = $2";

void folder_renumber(struct store_tx *tx, const struct folder_row *row)
{
    const uint64_t cn = take_counters(tx, 1);
    sql_exec(&tx->sql, renumber_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)row->fid), B_INT((int64_t)cn), B_INT((int64_t)tx->now)));
    folder_touch(tx, row->parent, 0);
    const struct store_change change = { .kind = STORE_MODIFIED,
                                         .fid = store_id(row->fid),
                                         .parent = store_id(row->parent),
                                         .cn = store_id(cn),
                                         .total = row->total,
                                         .unread = row->unread };
    change_add(tx, &change);
}

/* ---- moving: [MS-OXCFOLD] 3.2.5.7 ---- */

/* Is $2 below, or the same as, $3? */
static const char folder_is_below_sql[] =
    "WITH RECURSIVE up(fid, parent) AS ("
    "  SELECT fid, parent FROM folder WHERE mb = $1 AND fid = $2"
    "  UNION SELECT folder.fid, folder.parent FROM folder JOIN up ON folder.fid = up.parent WHERE folder.mb = $1)"
    " SELECT COUNT(*) FROM up WHERE fid = $3";

bool folder_is_below(struct store_tx *tx, uint64_t fid, uint64_t ancestor)
{
    return sql_int(&tx->sql, folder_is_below_sql,
                   BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)ancestor))) != 0;
}

bool folder_is_special(uint64_t fid)
{
    static const uint64_t fids[] = {
#define SPECIAL(name, counter, parent, display, class) counter,
#include "store/special.def"
#undef SPECIAL
    };
    for (size_t i = 0; i < COUNTOF(fids); i++)
        if (fids[i] == fid)
            return true;
    return false;
}

static const char folder_move_sql[] =
    "UPDATE folder SET parent = $3, name = $4, name_key = $5, cn = $6, modified = $7, committed = $7, change_key = NULL"
    " WHERE mb = $1 AND fid = $2";

static void move_row(struct store_tx *tx, const struct folder_row *row, uint64_t to, const char *name)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const uint64_t cn = take_counters(tx, 1);
    sql_exec(&tx->sql, folder_move_sql,
             BIND(B_INT(tx->st->mb), B_INT((int64_t)row->fid), B_INT((int64_t)to), B_TEXT(name),
                  B_BLOB(folder_name_key(arena, name)), B_INT((int64_t)cn), B_INT((int64_t)tx->now)));
    talloc_free(arena);
    const struct store_change change = {
        .kind = STORE_MOVED,
        .fid = store_id(row->fid),
        .parent = store_id(to),
        .old_fid = store_id(row->fid),
        .old_parent = store_id(row->parent),
        .cn = store_id(cn),
        .total = row->total,
        .unread = row->unread,
    };
    change_add(tx, &change);
    folder_touch(tx, row->parent, -1);
    folder_touch(tx, to, 1);
}

enum ec store_folder_move(struct store *st, uint64_t parent, uint64_t fid, uint64_t to, const char *new_name)
{
    struct folder_row row;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    const char *name = new_name && *new_name ? new_name : row.name;
    const uint64_t target = store_counter(to);
    folder_require_parent(&tx, target);
    if (sql_failed(&tx.sql) || row.parent != store_counter(parent) || !folder_is_visible(&tx, row.fid))
        sql_abort(&tx.sql, ecNotFound); /* R600 */
    else if (!may(&tx, row.fid, RIGHT_OWNER) || !may(&tx, target, RIGHT_CREATE_SUBFOLDER))
        sql_abort(&tx.sql, ecAccessDenied);
    else if (folder_is_special(row.fid))
        sql_abort(&tx.sql, ecAccessDenied);
    else if (folder_is_below(&tx, target, row.fid))
        sql_abort(&tx.sql, ecRootFolder);
    else if (folder_name_check(name))
        sql_abort(&tx.sql, ecInvalidParam);
    const uint64_t other = folder_by_name(&tx, target, name);
    if (other && other != row.fid)
        sql_abort(&tx.sql, ecDuplicateName);
    if (!sql_failed(&tx.sql))
        move_row(&tx, &row, target, name);
    talloc_free(arena);
    return store_end(&tx);
}
