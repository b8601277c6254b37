/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that a client has made or changed in its own replica: [MS-OXCFXICS] 3.2.5.9.4.2, and what becomes of two
 * versions that do not know of each other, 3.1.5.6. */
#include "store/message.h"

/* PidTagResolveMethod [MS-OXCFXICS] 2.2.1.4.1 */
enum { RESOLVE_METHOD_LAST_WRITER_WINS = 1 };

/* ---- by source key ---- */

bool key_is_valid(const struct store *st, struct blob key)
{
    return key.size == GID_BYTES &&
           (memcmp(key.data, st->replica.bytes, sizeof st->replica.bytes) != 0 || counter_of_gid(st, key) != 0);
}

static const char message_by_id_sql[] = "SELECT mid, fid, deleted FROM message WHERE mb = $1 AND mid = $2";
static const char message_by_key_sql[] = "SELECT mid, fid, deleted FROM message WHERE mb = $1 AND source_key = $2";
static const char folder_by_id_sql[] = "SELECT fid, parent, deleted FROM folder WHERE mb = $1 AND fid = $2";
static const char folder_by_key_sql[] = "SELECT fid, parent, deleted FROM folder WHERE mb = $1 AND source_key = $2";
/* Of messages or of folders; NULL: either has no such key. */
static const char tombstone_sql[] = "SELECT CASE WHEN EXISTS (SELECT 1 FROM tombstone WHERE mb = $1 AND mid = $2 AND "
                                    "CASE WHEN kind = $3 THEN 1 ELSE 0 END = $4)"
                                    "  THEN 1 ELSE 0 END";
static const char tombstone_by_key_sql[] =
    "SELECT CASE WHEN EXISTS (SELECT 1 FROM tombstone WHERE mb = $1 AND source_key = $2) THEN 1 ELSE 0 END";

static struct found find(struct store_tx *tx, struct blob key, const char *by_id, const char *by_key)
{
    const uint64_t counter = counter_of_gid(tx->st, key);
    struct sql_rows rows = counter ? sql_query(&tx->sql, by_id, BIND(B_INT(tx->st->mb), B_INT((int64_t)counter)))
                                   : sql_query(&tx->sql, by_key, BIND(B_INT(tx->st->mb), B_BLOB(key)));
    struct found found = { 0 };
    if (sql_next(&rows))
        found = (struct found){ .id = (uint64_t)sql_col_int(&rows, 0),
                                .fid = (uint64_t)sql_col_int(&rows, 1),
                                .deleted = !sql_col_null(&rows, 2) };
    sql_done(&rows);
    return found;
}

/* An id of this mailbox that is nowhere, and was not given to a client to use, was one of something that is gone. */
static bool is_gone(struct store_tx *tx, struct blob key, bool folder)
{
    const uint64_t counter = counter_of_gid(tx->st, key);
    if (!counter)
        return sql_int(&tx->sql, tombstone_by_key_sql, BIND(B_INT(tx->st->mb), B_BLOB(key)));
    return !id_is_reserved(tx, counter) ||
           sql_int(&tx->sql, tombstone_sql,
                   BIND(B_INT(tx->st->mb), B_INT((int64_t)counter), B_INT(TOMBSTONE_FOLDER), B_INT(folder)));
}

struct found message_by_key(struct store_tx *tx, uint64_t fid, struct blob key)
{
    struct found found = find(tx, key, message_by_id_sql, message_by_key_sql);
    const uint64_t counter = counter_of_gid(tx->st, key);
    found.gone = !found.id && (is_gone(tx, key, false) || (counter && id_is_unused(tx, fid, counter)));
    return found;
}

struct found folder_by_key(struct store_tx *tx, struct blob key)
{
    struct found found = find(tx, key, folder_by_id_sql, folder_by_key_sql);
    found.gone = !found.id && is_gone(tx, key, true);
    return found;
}

/* ---- versions ---- */

struct blob message_change_key(TALLOC_CTX *arena, const struct store_message *m)
{
    return m->row.change_key.size ? blob_copy(arena, m->row.change_key) : gid_of(arena, m->st->replica, m->row.cn);
}

struct blob message_pcl(TALLOC_CTX *arena, const struct store_message *m)
{
    return pcl_of(arena, m->st, m->row.pcl, m->row.change_key, m->row.cn);
}

bool import_is_valid(const struct store *st, const struct store_import *change)
{
    return key_is_valid(st, change->source_key) && xid_is_valid(change->change_key) && pcl_is_valid(change->pcl);
}

/* ---- the message that will be saved ---- */

static void take_change(struct store_message *m, const struct store_import *change, unsigned flags)
{
    m->import = talloc_zero(m, struct import);
    m->import->may_conflict = !(flags & IMPORT_FAIL_ON_CONFLICT);
    m->row.change_key = blob_copy(m, change->change_key);
    m->row.pcl = pcl_merge(m, change->pcl, pcl_of_xid(m, change->change_key));
    m->row.modified = change->modified;
    m->modified_given = true;
}

/* R2229: nothing of what is stored stays, but that it is this message, and whose. */
static void purge(struct store_message *m)
{
    static const uint32_t kept[] = { PidTagSearchKey, PidTagCreatorName, PidTagCreatorEntryId };
    struct prop values[COUNTOF(kept)];
    for (size_t i = 0; i < COUNTOF(kept); i++)
        item_get(m, m->st, &m->item, kept[i], STORE_VALUE_LIMIT, false, &values[i]);
    m->item = (struct item){ .owner = m, .id = m->row.id, .num = ITEM_OWN, .budget = m->item.budget };
    m->packed = BLOB_OF(NULL, 0);
    m->recipients_read = m->recipients_changed = true;
    m->attached_read = m->attached_changed = true;
    m->attached_size = 0;
    m->row.attach_next = 0;
    m->row.has_attach = false;
    m->replaces = true;
    item_set(&m->item, &P_STR(PidTagMessageClass, "IPM.Note"));
    for (size_t i = 0; i < COUNTOF(kept); i++)
        if (values[i].tag == kept[i])
            item_set(&m->item, &values[i]);
}

static enum ec make_new(struct store_message **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                        const struct store_import *change, unsigned flags)
{
    const enum ec ec = store_message_new(out, owner, st, fid, flags & IMPORT_ASSOCIATED);
    if (ec)
        return ec;
    (*out)->row.source_key = blob_copy(*out, change->source_key);
    take_change(*out, change, flags);
    return ecNone;
}

static enum ec take_over(struct store_message **out, TALLOC_CTX *owner, struct store *st, uint64_t fid, uint64_t mid,
                         const struct store_import *change, unsigned flags)
{
    enum ec ec = store_message_open(out, owner, st, fid, store_id(mid), MESSAGE_READWRITE);
    if (ec)
        return ec == ecNotFound ? SYNC_E_OBJECT_DELETED : ec;
    struct store_message *m = *out;
    if (m->row.associated != !!(flags & IMPORT_ASSOCIATED))
        ec = ecInvalidParam;
    else {
        const enum pcl_order order =
            pcl_compare(pcl_merge(m, change->pcl, pcl_of_xid(m, change->change_key)), message_pcl(m, m));
        ec = order == PCL_OLDER                                                ? SYNC_E_IGNORE
             : order == PCL_CONFLICT && (flags & IMPORT_FAIL_ON_CONFLICT) != 0 ? SYNC_E_CONFLICT
                                                                               : ecNone;
    }
    if (ec) {
        TALLOC_FREE(*out);
        return ec;
    }
    purge(m);
    take_change(m, change, flags);
    return ecNone;
}

enum ec store_import_message(struct store_message **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                             const struct store_import *change, unsigned flags)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct folder_row folder;
    *out = NULL;
    struct store_tx tx = store_read(st);
    folder_row_get(arena, &tx, store_counter(fid), &folder);
    if (!import_is_valid(st, change) || flags & ~(unsigned)(IMPORT_ASSOCIATED | IMPORT_FAIL_ON_CONFLICT))
        sql_abort(&tx.sql, ecInvalidParam);
    const struct found found = message_by_key(&tx, folder.fid, change->source_key);
    if (found.gone || (found.id && (found.deleted || found.fid != folder.fid)))
        sql_abort(&tx.sql, SYNC_E_OBJECT_DELETED);
    talloc_free(arena);
    const enum ec ec = store_end(&tx);
    if (ec)
        return ec;
    return found.id ? take_over(out, owner, st, fid, found.id, change, flags)
                    : make_new(out, owner, st, fid, change, flags);
}

/* ---- two versions: 3.1.5.6.2 ---- */

/* 3.1.5.6.2.2 */
static bool imported_wins(const struct store_message *imported, const struct store_message *stored)
{
    if (imported->row.modified != stored->row.modified)
        return imported->row.modified > stored->row.modified;
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob a = message_change_key(arena, imported), b = message_change_key(arena, stored);
    const bool wins = memcmp(a.data, b.data, sizeof(struct guid)) >= 0;
    talloc_free(arena);
    return wins;
}

static bool last_writer_wins(struct store_message *stored)
{
    const uint32_t tag = PidTagResolveMethod;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct prop method;
    const enum ec ec =
        store_folder_get(arena, stored->st, store_message_fid(stored), &tag, 1, STORE_VALUE_LIMIT, &method);
    const bool wins = !ec && method.tag == tag && method.u32 & RESOLVE_METHOD_LAST_WRITER_WINS;
    talloc_free(arena);
    return wins || stored->row.associated; /* R3402 */
}

/* What was in conflict with each other before is so with what comes now. */
static enum ec attach_versions(struct store_message *to, struct store_message *stored)
{
    if (!(stored->row.status & msInConflict))
        return message_attach(to, stored);
    enum ec ec = attached_read(stored);
    for (uint32_t i = 0; !ec && i < stored->attached_count; i++) {
        const struct item_value mark = item_find(to, &stored->attached[i]->item, PidTagInConflict);
        if (mark.place == BAG_HERE && mark.prop.tag == PidTagInConflict && mark.prop.b)
            ec = message_attach_again(to, stored, stored->attached[i]);
    }
    return ec;
}

/* R1811: the winner's content, and all versions as attachments. */
static enum ec make_conflict_message(struct store_message *winner, struct store_message *imported,
                                     struct store_message *stored)
{
    struct store_message *version = message_clone(winner, imported);
    enum ec ec = ecNone;
    if (winner == imported || !(stored->row.status & msInConflict))
        ec = attach_versions(winner, stored);
    if (!ec)
        ec = message_attach(winner, version);
    talloc_free(version);
    winner->import->in_conflict = true;
    return ec;
}

/* The outcome is a change of the server's own that comes after both: R1804, R1805. */
static enum ec resolve(struct store_message *imported, struct store_message *stored)
{
    const bool wins = imported_wins(imported, stored);
    struct store_message *winner = wins ? imported : stored;
    enum ec ec = ecNone;
    if (!winner->import)
        winner->import = talloc_zero(winner, struct import);
    const struct blob both = pcl_merge(winner, imported->row.pcl, message_pcl(imported, stored));
    if (!last_writer_wins(stored))
        ec = make_conflict_message(winner, imported, stored);
    winner->row.change_key = BLOB_OF(NULL, 0);
    winner->row.pcl = both;
    winner->modified_given = true;
    return ec ? ec : message_save_row(winner);
}

/* What is stored may have changed since the import was begun. */
static enum ec save_over(struct store_message *m, struct store_message *stored)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const enum pcl_order order = pcl_compare(m->row.pcl, message_pcl(arena, stored));
    const bool may_conflict = m->import->may_conflict;
    talloc_free(arena);
    m->row.cn = stored->row.cn;
    m->row.size = stored->row.size;
    m->row.read = stored->row.read;
    if (order == PCL_OLDER || (order == PCL_CONFLICT && !may_conflict))
        return order == PCL_OLDER ? SYNC_E_IGNORE : SYNC_E_CONFLICT;
    const enum ec ec = order == PCL_NEWER ? message_save_row(m) : resolve(m, stored);
    m->imported = !ec && order == PCL_NEWER ? m->row.cn : 0;
    return ec;
}

enum ec import_save(struct store_message *m)
{
    struct store_message *stored;
    if (m->is_new) {
        const enum ec ec = message_save_row(m);
        m->imported = ec ? 0 : m->row.cn;
        return ec == ecDuplicateName ? SYNC_E_IGNORE : ec;
    }
    enum ec ec = store_message_open(&stored, m, m->st, store_message_fid(m), store_message_mid(m), MESSAGE_READWRITE);
    if (ec)
        return ec == ecNotFound ? SYNC_E_OBJECT_DELETED : ec;
    ec = save_over(m, stored);
    talloc_free(stored);
    return ec;
}

uint64_t store_message_imported(const struct store_message *m)
{
    return m->imported ? store_id(m->imported) : 0;
}

bool store_message_associated(const struct store_message *m)
{
    return m->row.associated;
}
