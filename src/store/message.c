/* SPDX-License-Identifier: Apache-2.0 */
/* Open messages: opened, made, asked, changed in memory.  [MS-OXCMSG] 3.2.5.1, 3.2.5.2 */
#include "store/message.h"

/* ---- what is open, and what was opened from it ---- */

void child_add(struct child **children, struct child *child)
{
    child->next = *children;
    child->at = children;
    if (child->next)
        child->next->at = &child->next;
    *children = child;
}

void child_remove(struct child *child)
{
    if (!child->at)
        return;
    *child->at = child->next;
    if (child->next)
        child->next->at = child->at;
    child->at = NULL;
    child->next = NULL;
}

void children_orphan(struct child **children)
{
    while (*children)
        child_remove(*children);
}

/* ---- rows ---- */

void message_row_read(const struct store *st, struct sql_rows *rows, unsigned first, struct message_row *row)
{
    unsigned c = first;
    *row = (struct message_row){ 0 };
    row->id = sql_col_int(rows, c++);
    row->mid = (uint64_t)sql_col_int(rows, c++);
    row->fid = (uint64_t)sql_col_int(rows, c++);
    row->parent = sql_col_int(rows, c++);
    row->parent_num = sql_col_int(rows, c++);
    row->associated = sql_col_int(rows, c++);
    row->read = sql_col_int(rows, c++);
    row->deleted = !sql_col_null(rows, c++);
    row->has_attach = sql_col_int(rows, c++);
    row->cn = (uint64_t)sql_col_int(rows, c++);
    row->read_cn = (uint64_t)sql_col_int(rows, c++);
    row->delivery_time = (uint64_t)sql_col_int(rows, c++);
    row->submit_time = (uint64_t)sql_col_int(rows, c++);
    row->modified = (uint64_t)sql_col_int(rows, c++);
    row->created = (uint64_t)sql_col_int(rows, c++);
    row->committed = (uint64_t)sql_col_int(rows, c++);
    row->size = (uint64_t)sql_col_int(rows, c++);
    row->flags = (uint32_t)sql_col_int(rows, c++);
    row->status = (uint32_t)sql_col_int(rows, c++);
    row->importance = (uint32_t)sql_col_int(rows, c++);
    row->sensitivity = (uint32_t)sql_col_int(rows, c++);
    row->attach_next = (uint32_t)sql_col_int(rows, c++);
    row->class = sql_col_text(rows, c++);
    row->prefix = sql_col_text(rows, c++);
    row->subject = sql_col_text(rows, c++);
    row->sender = sql_col_text(rows, c++);
    row->display_to = sql_col_text(rows, c++);
    row->display_cc = sql_col_text(rows, c++);
    row->display_bcc = sql_col_text(rows, c++);
    row->change_key = sql_col_blob(rows, c++);
    row->pcl = sql_col_blob(rows, c++);
    row->source_key = sql_col_blob(rows, c++);
    row->props = sql_col_blob(rows, c++);
    if (st->identity.is_public && row->fid)
        row->read = seen_has(st, row->fid, row->cn);
}

void message_row_keep(TALLOC_CTX *owner, struct message_row *row)
{
    const char **texts[] = { &row->class,      &row->prefix,     &row->subject,    &row->sender,
                             &row->display_to, &row->display_cc, &row->display_bcc };
    struct blob *blobs[] = { &row->change_key, &row->pcl, &row->source_key, &row->props };
    for (size_t i = 0; i < COUNTOF(texts); i++)
        *texts[i] = talloc_strdup(owner, *texts[i]);
    for (size_t i = 0; i < COUNTOF(blobs); i++)
        *blobs[i] = blob_copy(owner, *blobs[i]);
}

struct item message_item(const struct message_row *row)
{
    struct item item = { .id = row->id, .num = ITEM_OWN };
    bag_open(&item.bag, row->props);
    return item;
}

/* ---- opening ---- */

static int message_close(struct store_message *m)
{
    child_remove(&m->child);
    for (struct child *c = m->handles; c; c = c->next)
        ((struct store_attachment *)c)->message = NULL;
    children_orphan(&m->handles);
    children_orphan(&m->tables);
    streams_detach(&m->streams);
    return 0;
}

struct store_message *message_make(TALLOC_CTX *owner, struct store *st)
{
    struct store_message *m = talloc_zero(owner, struct store_message);
    m->st = st;
    m->item = (struct item){ .owner = m, .num = ITEM_OWN, .budget = st->budget };
    m->texts = talloc_new(m);
    m->row.class = m->row.prefix = m->row.subject = m->row.sender = "";
    m->row.display_to = m->row.display_cc = m->row.display_bcc = "";
    talloc_set_destructor(m, message_close);
    return m;
}

/* Packed, and decoded once somebody asks for them. */
enum { RECIPIENTS_DECODED = 3 };

/* The row's first column is the first of MESSAGE_COLUMNS, recipients follow them. */
static enum ec message_load(struct store_message *m, struct sql_rows *rows)
{
    message_row_read(m->st, rows, 0, &m->row);
    m->packed = sql_col_blob_copy(m, rows, MESSAGE_COLUMN_COUNT);
    const struct blob bag = blob_copy(m, m->row.props);
    m->row.props = BLOB_OF(NULL, 0);
    message_row_keep(m->texts, &m->row);
    m->item.id = m->row.id;
    if (sql_failed(rows->tx))
        return rows->tx->ec;
    const size_t recipients = RECIPIENTS_DECODED * m->packed.size;
    if (!budget_has(m->item.budget, bag.size + recipients))
        return ecNotEnoughMemory;
    charge_blob(m->item.budget, bag);
    charge_new(m, m->item.budget, recipients);
    if (!bag_open(&m->item.bag, bag)) {
        log_line(LOG_ERROR, "store", "%s: message %lld is damaged; restore it from the backup", m->st->url,
                 (long long)m->row.id);
        return ecCorruptStore;
    }
    const uint64_t own = item_size(&m->item) + m->packed.size;
    m->attached_size = m->row.size > own ? m->row.size - own : 0;
    return ecNone;
}

/* [MS-OXCMSG] 3.2.5.1: who may read but not write gets the best access that there is, if that is what he asks for. */
static void open_as_permitted(struct store_tx *tx, struct store_message *m, unsigned *mode)
{
    const struct message_row *row = &m->row;
    if (sql_failed(&tx->sql))
        return;
    if (!may_with(tx, row->fid, &m->item, row->associated, RIGHT_READ_ANY, 0))
        sql_abort(&tx->sql, ecAccessDenied);
    if ((*mode & MESSAGE_BEST) == MESSAGE_READONLY || message_may_change(m))
        return;
    if ((*mode & MESSAGE_BEST) != MESSAGE_BEST)
        sql_abort(&tx->sql, ecAccessDenied);
    *mode &= ~(unsigned)MESSAGE_BEST;
}

static const char message_open_sql[] =
    "SELECT " MESSAGE_COLUMNS ", recipients FROM message"
    " WHERE mb = $1 AND mid = $2 AND fid > 0 AND (fid = $3 OR $3 = 0 OR EXISTS ("
    "  SELECT 1 FROM result r WHERE r.mb = $1 AND r.search = $3 AND r.message = $2)) AND ($4 = 1 OR (deleted IS NULL "
    "AND EXISTS ("
    "  SELECT 1 FROM folder f WHERE f.mb = message.mb AND f.fid = message.fid AND f.deleted IS NULL)))";

/* [MS-OXCMSG] 3.2.5.1 */
enum ec store_message_open(struct store_message **out, TALLOC_CTX *owner, struct store *st, uint64_t fid, uint64_t mid,
                           unsigned mode)
{
    *out = NULL;
    if ((fid && !store_counter(fid)) || !store_counter(mid))
        return ecNotFound;
    struct store_message *m = message_make(owner, st);
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_one(&tx.sql, message_open_sql,
                                   BIND(B_INT(st->mb), B_INT((int64_t)store_counter(mid)),
                                        B_INT((int64_t)store_counter(fid)), B_INT((mode & MESSAGE_SOFT_DELETED) != 0)));
    sql_abort(&tx.sql, message_load(m, &rows));
    sql_done(&rows);
    open_as_permitted(&tx, m, &mode);
    const enum ec ec = store_end(&tx);
    store_message_set_mode(m, mode);
    if (ec)
        TALLOC_FREE(m);
    *out = m;
    return ec;
}

static const char message_embedded_sql[] =
    "SELECT " MESSAGE_COLUMNS ", recipients FROM message WHERE mb = $1 AND parent = $2 AND parent_num = $3";

enum ec message_load_embedded(struct store_message **out, TALLOC_CTX *owner, struct store *st, int64_t parent,
                              uint32_t number)
{
    struct store_message *m = message_make(owner, st);
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_one(&tx.sql, message_embedded_sql, BIND(B_INT(st->mb), B_INT(parent), B_INT(number)));
    sql_abort(&tx.sql, message_load(m, &rows));
    sql_done(&rows);
    m->embedded = true;
    const enum ec ec = store_end(&tx);
    if (ec)
        TALLOC_FREE(m);
    *out = m;
    return ec;
}

/* [MS-OXCMSG] 3.2.5.2.  R347: read and unsent; the other defaults are those of computed.def. */
void message_defaults(struct store_message *m)
{
    uint8_t key[16];
    random_bytes(key, sizeof key);
    m->is_new = true;
    m->attached_read = m->recipients_read = true;
    m->row.created = m->row.modified = filetime_now();
    m->row.flags = mfUnsent;
    m->row.read = true;
    item_set(&m->item, &P_STR(PidTagMessageClass, "IPM.Note"));
    item_set(&m->item, &P_BIN(PidTagSearchKey, BLOB_OF(key, sizeof key)));
}

enum ec store_message_new(struct store_message **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                          bool associated)
{
    *out = NULL;
    if (!store_counter(fid))
        return ecNotFound;
    const enum ec ec = store_require(st, fid, associated ? RIGHT_OWNER : RIGHT_CREATE);
    if (ec)
        return ec;
    struct store_message *m = message_make(owner, st);
    m->row.fid = store_counter(fid);
    m->row.associated = associated;
    message_defaults(m);
    *out = m;
    return ecNone;
}

/* ---- asking ---- */

uint64_t store_message_mid(const struct store_message *m)
{
    return m->row.mid ? store_id(m->row.mid) : 0;
}

uint64_t store_message_fid(const struct store_message *m)
{
    return m->row.fid ? store_id(m->row.fid) : 0;
}

bool store_message_is_embedded(const struct store_message *m)
{
    return m->embedded;
}

bool store_message_writable(const struct store_message *m)
{
    return !m->read_only;
}

void store_message_set_mode(struct store_message *m, unsigned mode)
{
    m->read_only = (mode & MESSAGE_BEST) == MESSAGE_READONLY;
}

bool store_message_is_own(const struct store_message *m)
{
    return m->is_new || item_is_own(m->st, &m->item);
}

bool message_may_change(struct store_message *m)
{
    if (!m->st->delegate || m->embedded || m->is_new)
        return true;
    struct store_tx tx = store_read(m->st);
    const bool allowed = may_with(&tx, m->row.fid, &m->item, m->row.associated, RIGHT_EDIT_ANY, RIGHT_EDIT_OWNED);
    return store_end(&tx) == ecNone && allowed;
}

struct store *store_message_store(const struct store_message *m)
{
    return m->st;
}

void store_message_flags(struct store_message *m, uint32_t set, uint32_t clear)
{
    m->flags_set = (m->flags_set & ~clear) | set;
    m->flags_cleared = (m->flags_cleared & ~set) | clear;
    m->row.flags = (m->row.flags & ~clear) | set;
}

/* The row has the beginning of a long list of names, and the list before it was changed.  They are made once. */
static void refresh_display(struct store_message *m)
{
    const char **texts[] = { &m->row.display_to, &m->row.display_cc, &m->row.display_bcc };
    bool stale = m->recipients_changed;
    for (size_t i = 0; i < COUNTOF(texts); i++)
        stale |= strlen(*texts[i]) >= DISPLAY_COLUMN - 4;
    if (!stale || (m->names && !m->names_stale) || recipients_read(m))
        return;
    TALLOC_CTX *names = talloc_new(m);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        *texts[i] = recipients_display(names, m->recipients, m->recipient_count, (uint8_t)(i + 1));
    talloc_free(m->names);
    m->names = names;
    m->names_stale = false;
}

struct message_view message_view_of(struct store_message *m)
{
    refresh_display(m);
    return (struct message_view){
        .st = m->st, .row = &m->row, .item = &m->item, .is_new = m->is_new, .read_only = m->read_only
    };
}

enum ec store_message_get(TALLOC_CTX *arena, struct store_message *m, const uint32_t *tags, uint32_t count,
                          size_t limit, struct prop *values)
{
    const struct message_view view = message_view_of(m);
    for (uint32_t i = 0; i < count; i++)
        message_prop(arena, &view, tags[i], limit, false, &values[i]);
    message_native_body_asked(&m->item, tags, count, values);
    return ecNone;
}

enum ec store_message_tags(TALLOC_CTX *arena, struct store_message *m, const uint32_t **tags, uint32_t *count)
{
    const struct message_view view = message_view_of(m);
    const uint32_t *computed;
    uint32_t *present, *own, n = 0;
    const uint32_t n_computed = message_computed_tags(&computed);
    present = talloc_array(arena, uint32_t, n_computed);
    for (uint32_t i = 0; i < n_computed; i++) {
        struct prop p;
        message_prop(arena, &view, computed[i], SIZE_MAX, false, &p);
        if (PROP_TYPE(p.tag) != PtypErrorCode)
            present[n++] = computed[i];
    }
    const uint32_t n_own = item_tags(arena, &m->item, &own);
    *tags = tags_join(arena, present, n, own, n_own, count);
    return ecNone;
}

const char *store_message_text(TALLOC_CTX *arena, struct store_message *m, uint32_t tag)
{
    struct prop p;
    const uint32_t text = PROP_AS(tag, PtypString);
    store_message_get(arena, m, &text, 1, ITEM_TEXT_LIMIT, &p);
    return PROP_TYPE(p.tag) == PtypString ? p.str : NULL;
}

uint32_t store_message_u32(struct store_message *m, uint32_t tag, uint32_t fallback)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct prop p;
    store_message_get(arena, m, &tag, 1, STORE_VALUE_LIMIT, &p);
    const uint32_t value = PROP_TYPE(p.tag) == PtypInteger32 ? p.u32 : PROP_TYPE(p.tag) == PtypBoolean ? p.b : fallback;
    talloc_free(arena);
    return value;
}

/* ---- changing, in memory ---- */

enum ec store_message_set(struct store_message *m, const struct prop *props, uint32_t count, enum ec *results)
{
    if (m->read_only)
        return ecAccessDenied;
    for (uint32_t i = 0; i < count; i++)
        results[i] = message_set_one(m, &props[i]);
    return ecNone;
}

enum ec store_message_unset(struct store_message *m, const uint32_t *tags, uint32_t count, enum ec *results)
{
    if (m->read_only)
        return ecAccessDenied;
    for (uint32_t i = 0; i < count; i++)
        results[i] = message_unset_one(m, tags[i]);
    return ecNone;
}

/* Recipients and attachments that were not read stay where they are stored. */
struct store_message *message_clone(TALLOC_CTX *owner, struct store_message *from)
{
    struct store_message *to = message_make(owner, from->st);
    to->row = from->row;
    message_row_keep(to->texts, &to->row);
    item_share(&to->item, to, &from->item);
    to->packed = blob_copy(
        to, from->recipients_read ? recipients_pack(to->texts, from->recipients, from->recipient_count) : from->packed);
    to->recipients_changed = from->recipients_changed;
    to->attached_read = from->attached_read;
    to->attached_changed = from->attached_changed;
    to->attached_count = from->attached_count;
    to->attached = talloc_array(to, struct attached *, from->attached_count);
    for (uint32_t i = 0; i < from->attached_count; i++) {
        const struct attached *a = from->attached[i];
        struct attached *b = to->attached[i] = talloc(to, struct attached);
        *b = *a;
        item_share(&b->item, b, &a->item);
        b->content = a->content ? message_clone(b, a->content) : NULL;
    }
    to->is_new = from->is_new;
    to->embedded = from->embedded;
    to->read_only = from->read_only;
    to->attached_size = from->attached_size;
    to->flags_set = from->flags_set;
    to->flags_cleared = from->flags_cleared;
    to->created_given = from->created_given;
    to->modified_given = from->modified_given;
    return to;
}
