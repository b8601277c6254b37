/* SPDX-License-Identifier: Apache-2.0 */
/* Saving messages: [MS-OXCMSG] 3.2.5.3.  All of a save is one transaction: the row, what lies apart, attachments and
 * the messages embedded in them, the folder's counts.  The open message changes only after the commit. */
#include <assert.h>

#include "store/message.h"

struct save {
    struct store_tx *tx;
    TALLOC_CTX *arena;
    uint64_t cn;
    struct message_row row; /* as it will be */
    struct blob recipients;
    bool appears; /* nobody has heard of the message before */
};

/* ---- the columns that repeat properties ---- */

static const char *column_text(struct save *save, const struct message_view *v, uint32_t tag)
{
    struct prop p;
    message_prop(save->arena, v, tag, TEXT_COLUMN, true, &p);
    return PROP_TYPE(p.tag) == PtypString ? p.str : "";
}

static uint64_t column_number(struct save *save, const struct message_view *v, uint32_t tag)
{
    struct prop p;
    message_prop(save->arena, v, tag, STORE_VALUE_LIMIT, false, &p);
    return PROP_TYPE(p.tag) == PtypErrorCode ? 0
           : PROP_TYPE(p.tag) == PtypTime    ? MIN(p.u64, (uint64_t)INT64_MAX)
                                             : p.u32;
}

static const char *column_names(struct save *save, const char *names)
{
    return talloc_strndup(save->arena, names, utf8_start(names, DISPLAY_COLUMN - 1));
}

static void fill_columns(struct save *save, struct store_message *m)
{
    const struct message_view view = message_view_of(m);
    struct message_row *row = &save->row;
    row->class = column_text(save, &view, PidTagMessageClass);
    row->prefix = column_text(save, &view, PidTagSubjectPrefix);
    row->subject = column_text(save, &view, PidTagNormalizedSubject);
    row->sender = column_text(save, &view, PidTagSentRepresentingName);
    if (!*row->sender)
        row->sender = column_text(save, &view, PidTagSenderName);
    row->delivery_time = column_number(save, &view, PidTagMessageDeliveryTime);
    row->submit_time = column_number(save, &view, PidTagClientSubmitTime);
    row->importance = (uint32_t)column_number(save, &view, PidTagImportance);
    row->sensitivity = (uint32_t)column_number(save, &view, PidTagSensitivity);
    row->created = MIN(row->created, (uint64_t)INT64_MAX);
    row->modified = m->modified_given ? MIN(row->modified, (uint64_t)INT64_MAX) : save->tx->now;
    row->committed = save->tx->now;
    row->display_to = column_names(save, m->row.display_to);
    row->display_cc = column_names(save, m->row.display_cc);
    row->display_bcc = column_names(save, m->row.display_bcc);
    save->recipients = m->packed;
    if (m->recipients_changed && !recipients_read(m))
        save->recipients = recipients_pack(save->arena, m->recipients, m->recipient_count);
}

/* ---- attachments ---- */

static uint64_t write_message(struct store_tx *, TALLOC_CTX *arena, struct store_message *, int64_t parent,
                              uint32_t number, uint64_t cn);

static const char attachment_write_sql[] =
    "INSERT INTO attachment(mb, id, num, size, props) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (mb, id, num) DO UPDATE SET size = excluded.size, props = excluded.props";
static const char embedded_id_sql[] = "SELECT id FROM message WHERE mb = $1 AND parent = $2 AND parent_num = $3";

/* What was made anew takes the place of what is stored. */
static uint64_t write_content(struct save *save, struct attached *a)
{
    struct store_tx *tx = save->tx;
    if (a->content->is_new && !a->is_new) {
        const int64_t old =
            sql_int_or(&tx->sql, 0, embedded_id_sql, BIND(B_INT(tx->st->mb), B_INT(save->row.id), B_INT(a->number)));
        if (old)
            message_erase(tx, old);
    }
    return write_message(tx, save->arena, a->content, save->row.id, a->number, save->cn);
}

static const char embedded_size_sql[] = "SELECT size FROM message WHERE mb = $1 AND parent = $2 AND parent_num = $3";

static void write_attachment(struct save *save, struct attached *a)
{
    struct store_tx *tx = save->tx;
    if (a->deleted && !a->is_new)
        attachment_erase(tx, save->row.id, a->number);
    if (a->deleted || !a->changed)
        return;
    uint64_t embedded = 0;
    if (a->content)
        embedded = write_content(save, a);
    else if (!a->is_new)
        embedded = (uint64_t)sql_int_or(&tx->sql, 0, embedded_size_sql,
                                        BIND(B_INT(tx->st->mb), B_INT(save->row.id), B_INT(a->number)));
    a->packed = item_pack(save->arena, tx, &a->item, save->row.id, (int32_t)a->number, save->cn);
    struct item stored = { 0 };
    bag_open(&stored.bag, a->packed);
    a->size = item_size(&stored) + embedded;
    sql_exec(
        &tx->sql, attachment_write_sql,
        BIND(B_INT(tx->st->mb), B_INT(save->row.id), B_INT(a->number), B_INT((int64_t)a->size), B_BLOB(a->packed)));
}

static uint64_t write_attachments(struct save *save, struct store_message *m)
{
    uint64_t size = 0;
    if (!m->attached_changed)
        return m->attached_size;
    for (uint32_t i = 0; i < m->attached_count; i++) {
        write_attachment(save, m->attached[i]);
        size += m->attached[i]->deleted ? 0 : m->attached[i]->size;
    }
    return size;
}

/* ---- the row ---- */

static const char message_insert_sql[] =
    "INSERT INTO message(mb, id, mid, fid, parent, parent_num, associated, cn, is_read, delivery_time, submit_time,"
    "  modified, created, committed, size, flags, status, importance, sensitivity, has_attach, attach_next, class, "
    "prefix,"
    "  subject, sender, display_to, display_cc, display_bcc, change_key, pcl, source_key, props, recipients)"
    " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,"
    "  $24, $25, $26, $27, $28, $29, $30, $31, $32, $33)";

static struct sql_value key_value(struct blob key)
{
    return key.size ? B_BLOB(key) : B_NULL;
}

/* In public folders each reader has a state of his own. */
static bool read_by_all(const struct store *st, const struct message_row *r)
{
    return r->read && !(st->identity.is_public && r->fid);
}

static void insert_row(struct store_tx *tx, const struct message_row *r, struct blob recipients)
{
    const bool embedded = r->parent != 0;
    sql_exec(&tx->sql, message_insert_sql,
             BIND(B_INT(tx->st->mb), B_INT(r->id), B_INT((int64_t)r->mid), B_INT((int64_t)r->fid),
                  embedded ? B_INT(r->parent) : B_NULL, embedded ? B_INT(r->parent_num) : B_NULL, B_INT(r->associated),
                  B_INT((int64_t)r->cn), B_INT(read_by_all(tx->st, r)), B_INT((int64_t)r->delivery_time),
                  B_INT((int64_t)r->submit_time), B_INT((int64_t)r->modified), B_INT((int64_t)r->created),
                  B_INT((int64_t)r->committed), B_INT((int64_t)r->size), B_INT(r->flags), B_INT(r->status),
                  B_INT(r->importance), B_INT(r->sensitivity), B_INT(r->has_attach), B_INT(r->attach_next),
                  B_TEXT(r->class), B_TEXT(r->prefix), B_TEXT(r->subject), B_TEXT(r->sender), B_TEXT(r->display_to),
                  B_TEXT(r->display_cc), B_TEXT(r->display_bcc), key_value(r->change_key), key_value(r->pcl),
                  key_value(r->source_key), B_BLOB(r->props), B_BLOB(recipients)));
}

/* Whether it is read changes by itself and not here.  $26: the change number that it was opened with; another one means
 * that somebody else has saved.  $28: the change was made elsewhere, and says what it comes after. */
static const char message_update_sql[] =
    "UPDATE message SET cn = $3, delivery_time = $4, submit_time = $5, modified = $6, created = $7, committed = $8,"
    "  size = $9, flags = (flags | $10) & ~ $11, importance = $12, sensitivity = $13, has_attach = $14, attach_next = "
    "$15,"
    "  class = $16, prefix = $17, subject = $18, sender = $19, display_to = $20, display_cc = $21, display_bcc = $22,"
    "  change_key = $27, pcl = CASE WHEN $28 = 1 THEN $29 ELSE pcl END, status = (status | $30) & ~ $31,"
    "  props = $23, recipients = $24"
    " WHERE mb = $1 AND id = $2 AND mid = $25 AND cn = $26 AND deleted IS NULL";

static bool update_row(struct store_tx *tx, const struct store_message *m, const struct message_row *r,
                       struct blob recipients)
{
    return sql_exec(&tx->sql, message_update_sql,
                    BIND(B_INT(tx->st->mb), B_INT(r->id), B_INT((int64_t)r->cn), B_INT((int64_t)r->delivery_time),
                         B_INT((int64_t)r->submit_time), B_INT((int64_t)r->modified), B_INT((int64_t)r->created),
                         B_INT((int64_t)r->committed), B_INT((int64_t)r->size), B_INT(m->flags_set),
                         B_INT(m->flags_cleared | (m->flags_set & mfUnmodified ? 0 : mfUnmodified)),
                         B_INT(r->importance), B_INT(r->sensitivity), B_INT(r->has_attach), B_INT(r->attach_next),
                         B_TEXT(r->class), B_TEXT(r->prefix), B_TEXT(r->subject), B_TEXT(r->sender),
                         B_TEXT(r->display_to), B_TEXT(r->display_cc), B_TEXT(r->display_bcc), B_BLOB(r->props),
                         B_BLOB(recipients), B_INT((int64_t)m->row.mid), B_INT((int64_t)m->row.cn),
                         key_value(r->change_key), B_INT(m->import != NULL), key_value(r->pcl),
                         B_INT(m->import && m->import->in_conflict ? msInConflict : 0),
                         B_INT(m->import && !m->import->in_conflict ? msInConflict : 0))) == 1;
}

/* ---- conflicts ---- */

static const char message_state_sql[] =
    "SELECT cn, size, attach_next, props FROM message WHERE mb = $1 AND id = $2 AND mid = $3 AND deleted IS NULL";

/* Why nothing was updated.  A message that was moved is not here any more. */
static void tell_conflict(struct store_tx *tx, const struct store_message *m)
{
    const int64_t cn = sql_int_or(&tx->sql, 0, message_state_sql,
                                  BIND(B_INT(tx->st->mb), B_INT(m->row.id), B_INT((int64_t)m->row.mid)));
    sql_abort(&tx->sql, cn ? ecObjectModified : ecObjectDeleted); /* R705, R1053 */
}

static const char attachment_props_sql[] = "SELECT props FROM attachment WHERE mb = $1 AND id = $2 AND num = $3";

/* What somebody else has stored under an attachment's number since. */
static void rebase_attachment(struct store_tx *tx, const struct store_message *m, struct attached *a)
{
    if (a->is_new) {
        attachment_erase(tx, m->row.id, a->number);
        return;
    }
    struct sql_rows rows =
        sql_query(&tx->sql, attachment_props_sql, BIND(B_INT(tx->st->mb), B_INT(m->row.id), B_INT(a->number)));
    if (!sql_next(&rows) || !bag_open(&a->item.bag, sql_col_blob_copy(a, &rows, 0)))
        sql_abort(&tx->sql, ecObjectModified);
    sql_done(&rows);
}

/* ForceSave [MS-OXCMSG] 2.2.3.3.1: what this handle has changed goes over what the others have saved. */
static void rebase(struct store_tx *tx, struct store_message *m)
{
    struct sql_rows rows =
        sql_query(&tx->sql, message_state_sql, BIND(B_INT(tx->st->mb), B_INT(m->row.id), B_INT((int64_t)m->row.mid)));
    const bool there = sql_next(&rows);
    const uint64_t cn = (uint64_t)sql_col_int(&rows, 0), size = (uint64_t)sql_col_int(&rows, 1);
    const bool same = cn == m->row.cn;
    m->row.attach_next = MAX(m->row.attach_next, (uint32_t)sql_col_int(&rows, 2));
    struct bag bag = { 0 };
    if (there && !same && !bag_open(&bag, sql_col_blob_copy(m, &rows, 3)))
        sql_abort(&tx->sql, ecCorruptStore);
    sql_done(&rows);
    if (!there)
        sql_abort(&tx->sql, ecObjectDeleted);
    if (same || sql_failed(&tx->sql))
        return;
    m->item.bag = bag;
    m->row.cn = cn;
    m->row.size = size;
    const struct item stored = { .bag = bag };
    const uint64_t own = item_size(&stored) + m->packed.size;
    m->attached_size = size > own ? size - own : 0;
    for (uint32_t i = 0; m->attached_changed && i < m->attached_count; i++)
        if (m->attached[i]->changed && !m->attached[i]->deleted)
            rebase_attachment(tx, m, m->attached[i]);
}

/* The connection broke in the middle of the last commit.  If that save is there, this one goes on from it: saving
 * again must not make a second message. */
static void settle(struct store_tx *tx, struct store_message *m)
{
    if (!m->unsure.id)
        return;
    const int64_t cn = sql_int_or(&tx->sql, 0, message_state_sql,
                                  BIND(B_INT(tx->st->mb), B_INT(m->unsure.id), B_INT((int64_t)m->unsure.mid)));
    if (cn && (uint64_t)cn == m->unsure.cn) {
        m->is_new = false;
        m->row.id = m->unsure.id;
        m->row.mid = m->unsure.mid;
        m->item.id = m->unsure.id;
        rebase(tx, m);
    }
    if (!sql_failed(&tx->sql))
        m->unsure.id = 0;
}

/* ---- one message, with all that it holds ---- */

/* A client may have used an id from the mailbox's own reserve for an item that it made ([MS-OXCFXICS] 3.2.5.9.4.7). */
static void number(struct save *save, const struct store_message *m)
{
    save->cn = save->row.cn = take_counters(save->tx, 1);
    if (m->is_new) {
        const uint64_t reserved = counter_of_gid(m->st, save->row.source_key);
        save->row.id = (int64_t)take_message_id(save->tx, save->row.fid);
        save->row.mid = reserved && reserved < save->cn ? reserved : (uint64_t)save->row.id;
        if (save->row.mid == reserved)
            save->row.source_key = BLOB_OF(NULL, 0);
    } else if (!m->import) {
        save->row.change_key = BLOB_OF(NULL, 0); /* of the last change that was made elsewhere */
    }
}

static void write_all(struct save *save, struct store_message *m)
{
    fill_columns(save, m);
    if (m->replaces)
        message_erase_content(save->tx, save->row.id);
    const uint64_t attached = write_attachments(save, m);
    save->row.props = item_pack(save->arena, save->tx, &m->item, save->row.id, ITEM_OWN, save->cn);
    struct item stored = { 0 };
    bag_open(&stored.bag, save->row.props);
    save->row.size = item_size(&stored) + save->recipients.size + attached;
    if (m->is_new)
        insert_row(save->tx, &save->row, save->recipients);
    else if (!update_row(save->tx, m, &save->row, save->recipients) && !sql_failed(&save->tx->sql))
        tell_conflict(save->tx, m);
}

static uint64_t write_message(struct store_tx *tx, TALLOC_CTX *arena, struct store_message *m, int64_t parent,
                              uint32_t parent_num, uint64_t cn)
{
    struct save save = { .tx = tx, .arena = arena, .row = m->row, .cn = cn };
    if (m->is_new) {
        save.row.id = (int64_t)take_counters(tx, 1);
        save.row.mid = (uint64_t)save.row.id;
    }
    save.row.parent = parent;
    save.row.parent_num = parent_num;
    save.row.cn = cn;
    write_all(&save, m);
    return save.row.size;
}

/* ---- after the commit ---- */

static void attachment_stored(struct store_message *m, struct attached *a)
{
    if (a->changed) {
        item_stored(&a->item, a->packed, m->row.id, (int32_t)a->number);
        TALLOC_FREE(a->content);
    }
    a->changed = a->is_new = false;
    for (struct child *c = m->handles; c; c = c->next) {
        struct store_attachment *handle = (struct store_attachment *)c;
        if (handle->number != a->number)
            continue;
        bag_open(&handle->item.bag, blob_copy(handle, a->item.bag.bytes));
        handle->item.id = m->row.id;
    }
}

static void message_stored(struct store_message *m, const struct save *save)
{
    TALLOC_CTX *texts = talloc_new(m);
    m->row = save->row;
    m->row.props = BLOB_OF(NULL, 0);
    message_row_keep(texts, &m->row);
    talloc_free(m->texts);
    TALLOC_FREE(m->names);
    m->texts = texts;
    item_stored(&m->item, save->row.props, m->row.id, ITEM_OWN);
    uint32_t kept = 0;
    for (uint32_t i = 0; m->attached_changed && i < m->attached_count; i++) {
        if (m->attached[i]->deleted) {
            talloc_free(m->attached[i]);
            continue;
        }
        attachment_stored(m, m->attached[i]);
        m->attached[kept++] = m->attached[i];
    }
    m->attached_count = m->attached_changed ? kept : m->attached_count;
    m->attached_size = save->row.size - item_size(&m->item) - save->recipients.size;
    if (save->recipients.data != m->packed.data)
        m->packed = blob_copy(m, save->recipients);
    m->is_new = m->attached_changed = m->recipients_changed = m->read_changed = m->modified_given = false;
    m->replaces = false;
    TALLOC_FREE(m->import);
    m->flags_set = m->flags_cleared = 0;
}

/* ---- the contract ---- */

static void announce(struct save *save, const struct store_message *m, bool new_mail)
{
    struct message_row *row = &save->row;
    struct store_change change = {
        .kind = save->appears ? STORE_CREATED : STORE_MODIFIED,
        .is_message = true,
        .associated = row->associated,
        .fid = store_id(row->fid),
        .mid = store_id(row->mid),
        .cn = store_id(row->cn),
    };
    if (new_mail) {
        const struct message_view view = { .st = m->st, .row = row, .item = &m->item };
        struct prop flags;
        message_prop(save->arena, &view, PidTagMessageFlags, STORE_VALUE_LIMIT, false, &flags);
        struct store_change mail = change;
        mail.kind = STORE_NEW_MAIL;
        mail.message_flags = flags.u32;
        mail.message_class = row->class;
        change_add(save->tx, &mail);
    }
    if (!save->appears)
        change.tag_count = item_changes(save->arena, &m->item, &change.tags);
    change_add(save->tx, &change);
}

static void adjust_folder(struct save *save, const struct store_message *m)
{
    const struct message_row *row = &save->row;
    const int64_t size = (int64_t)row->size - (m->is_new ? 0 : (int64_t)m->row.size);
    const bool added = m->is_new;
    const struct folder_delta delta = {
        .total = added && !row->associated,
        .unread = added && !row->associated && !read_by_all(m->st, row),
        .associated = added && row->associated,
        .size = row->associated ? 0 : size,
        .associated_size = row->associated ? size : 0,
    };
    folder_adjust(save->tx, row->fid, &delta);
    if (row->read && !row->associated)
        seen_put(save->tx, row->fid, row->cn, row->cn, true);
}

/* A class that is no text, or far too long, stands for none. */
static uint64_t place_of_class(TALLOC_CTX *arena, struct store_tx *tx, struct store_message *m)
{
    const char *class = store_message_text(arena, m, PidTagMessageClass), *explicit_class;
    return receive_folder(arena, tx, class ? class : "", &explicit_class);
}

static void may_save(struct store_tx *tx, struct store_message *m, uint64_t fid)
{
    if (m->is_new)
        may(tx, fid, m->row.associated ? RIGHT_OWNER : RIGHT_CREATE);
    else if (!message_may_change(m))
        sql_abort(&tx->sql, ecAccessDenied);
}

static enum ec save_top(struct store_message *m, uint64_t to, bool force, bool deliver)
{
    struct store_tx tx = store_begin(m->st);
    struct save save = { .tx = &tx, .arena = talloc_new(NULL), .appears = m->is_new };
    if (deliver && !to)
        to = place_of_class(save.arena, &tx, m);
    settle(&tx, m);
    if (force && !m->is_new)
        rebase(&tx, m);
    save.row = m->row;
    save.row.fid = to ? to : m->row.fid;
    may_save(&tx, m, save.row.fid);
    stamp_author(m->st, &m->item, m->is_new, m->author_given);
    if (m->is_new)
        save.row.flags |= mfUnmodified;
    else
        save.row.flags &= ~(uint32_t)mfUnmodified | m->flags_set;
    if (!sql_failed(&tx.sql)) {
        number(&save, m);
        write_all(&save, m);
        announce(&save, m, deliver);
        adjust_folder(&save, m);
    }
    const enum ec ec = store_end(&tx);
    if (!ec)
        message_stored(m, &save);
    if (ec == ecServerBusy) {
        m->unsure.id = save.row.id;
        m->unsure.mid = save.row.mid;
        m->unsure.cn = save.row.cn;
    }
    talloc_free(save.arena);
    return ec;
}

/* Messages in messages: saving and copying them goes down as many levels.  Copies of a message inside of it, and of
 * that inside again, would be without end. */
enum { DEPTH_MAX = 32, NESTED_MAX = 1000 };

static unsigned depth(const struct store_message *m)
{
    unsigned deepest = 0;
    for (uint32_t i = 0; i < m->attached_count; i++) {
        const unsigned below = m->attached[i]->content ? depth(m->attached[i]->content) : 0;
        deepest = MAX(deepest, below);
    }
    return deepest + 1;
}

/* How many there are in memory, with the outermost. */
static unsigned nested(const struct store_message *m)
{
    unsigned count = 1;
    for (uint32_t i = 0; i < m->attached_count; i++)
        count += m->attached[i]->content ? nested(m->attached[i]->content) : 0;
    return count;
}

/* Into the attachment's memory: R481. */
static enum ec save_embedded(struct store_message *m)
{
    if (!m->around || !m->around->message)
        return ecInvalidObject;
    if (depth(m) > DEPTH_MAX || nested(m) > NESTED_MAX)
        return ecTooComplex;
    talloc_free(m->around->content);
    m->around->content = message_clone(m->around, m);
    return ecNone;
}

enum ec store_message_save(struct store_message *m, bool force, uint64_t *mid)
{
    if (m->read_only)
        return ecError; /* R1699 */
    const enum ec ec = m->embedded ? save_embedded(m) : m->import ? import_save(m) : save_top(m, 0, force, false);
    if (mid)
        *mid = store_message_mid(m);
    return ec;
}

enum ec message_save_row(struct store_message *m)
{
    return save_top(m, 0, false, false);
}

/* Delivered mail is not read, and not a draft. */
enum ec store_message_deliver(struct store_message *m, uint64_t fid, uint64_t *mid)
{
    if (m->embedded || !m->is_new)
        return ecInvalidObject;
    if (!m->read_changed)
        m->row.read = false;
    store_message_flags(m, 0, mfUnsent);
    if (!item_has(&m->item, PidTagMessageDeliveryTime))
        item_set(&m->item, &P_TIME(PidTagMessageDeliveryTime, filetime_now()));
    const enum ec ec = save_top(m, store_counter(fid), false, true);
    if (mid)
        *mid = store_message_mid(m);
    return ec;
}
