/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of tables: which there are, and what stands in their columns.  [MS-OXCTABL] 2.2.1 */
#include "store/table.h"
#include "wire/entry_id.h"

enum { TBL_LEAF_ROW = 1 }; /* PidTagRowType */
enum { DEPTH_MAX = 1000 }; /* folders lie no deeper, and a damaged tree ends */
enum { INSTANCES_MAX = 1024 };
enum { SCRATCH_BYTES = 2048 };

/* ---- by id ---- */

/* Places $2 to $51. */
/* clang-format off */
#define FIFTY_IDS \
    "$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26," \
    " $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37, $38, $39, $40, $41, $42, $43, $44, $45, $46, $47, $48, $49," \
    " $50, $51"
/* clang-format on */

static const char messages_by_id_sql[] =
    "SELECT " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND mid IN (" FIFTY_IDS ")";
static const char folders_by_id_sql[] =
    "SELECT " FOLDER_COLUMNS " FROM folder WHERE mb = $1 AND fid IN (" FIFTY_IDS ")";

static struct sql_rows query_by_id(struct store_tx *tx, const char *sql, const uint64_t *ids, uint32_t count)
{
    struct sql_value values[1 + FETCH_AT_ONCE] = { B_INT(tx->st->mb) };
    for (uint32_t i = 0; i < FETCH_AT_ONCE; i++)
        values[1 + i] = B_INT(i < count ? (int64_t)ids[i] : 0);
    return sql_query(&tx->sql, sql, (struct sql_bind){ values, COUNTOF(values) });
}

/* An id stands there more than once when its values make several rows. */
static void put_row(struct table_row *rows, const uint64_t *ids, uint32_t count, const struct table_row *row)
{
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == row->key.id)
            rows[i] = *row;
}

/* ---- messages ---- */

static struct table_row message_row_of(struct store_table *t, const struct message_row *message)
{
    struct table_row row = { .table = t, .found = true, .message = *message };
    row.key.id = message->mid;
    row.item = message_item(message);
    return row;
}

static void messages_fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, const uint64_t *ids,
                           uint32_t count, struct table_row *rows)
{
    struct sql_rows found = query_by_id(tx, messages_by_id_sql, ids, count);
    while (sql_next(&found)) {
        struct message_row message;
        message_row_read(t->st, &found, 0, &message);
        message_row_keep(arena, &message);
        const struct table_row row = message_row_of(t, &message);
        put_row(rows, ids, count, &row);
    }
}

static const char deleted_messages_sql[] =
    "SELECT deleted, " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND fid = $2 AND deleted IS NOT NULL"
    " AND associated = $3 AND (deleted, mid) > ($4, $5) ORDER BY deleted, mid LIMIT $6";

static void deleted_messages_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    int64_t deleted = INT64_MIN, mid = 0;
    uint32_t got = ROWS_AT_ONCE;
    while (got == ROWS_AT_ONCE) {
        struct sql_rows rows =
            sql_query(&tx->sql, deleted_messages_sql,
                      BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((t->flags & TABLE_ASSOCIATED) != 0),
                           B_INT(deleted), B_INT(mid), B_INT(ROWS_AT_ONCE)));
        for (got = 0; sql_next(&rows); got++) {
            struct message_row message;
            message_row_read(t->st, &rows, 1, &message);
            deleted = sql_col_int(&rows, 0);
            mid = (int64_t)message.mid;
            struct table_row row = message_row_of(t, &message);
            take(arg, &row);
        }
    }
}

static void messages_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    if (t->flags & TABLE_SOFT_DELETES)
        deleted_messages_scan(t, tx, take, arg);
    else
        index_scan(t, tx, take, arg);
}

static const char in_search_sql[] = "SELECT 1 FROM result WHERE mb = $1 AND search = $2 AND message = $3";

static bool message_belongs(struct store_table *t, struct store_tx *tx, struct table_row *row)
{
    const struct message_row *m = &row->message;
    if (t->in_search)
        return sql_int_or(&tx->sql, 0, in_search_sql,
                          BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((int64_t)m->mid)));
    return m->fid == t->fid && m->associated == ((t->flags & TABLE_ASSOCIATED) != 0) &&
           m->deleted == ((t->flags & TABLE_SOFT_DELETES) != 0);
}

/* Opaque, and the same for one row as long as the table is open: [MS-OXCPRPT] 2.2.1.  The id and the instance. */
static struct prop instance_key(TALLOC_CTX *arena, const struct table_row *row)
{
    uint8_t *key = talloc_array(arena, uint8_t, 12);
    put_le64(key, row->key.id);
    put_le32(key + 8, row->key.instance);
    return P_BIN(PidTagInstanceKey, BLOB_OF(key, 12));
}

static void message_row_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut,
                             struct prop *out)
{
    const struct message_view view = {
        .st = row->table->st, .row = &row->message, .item = &row->item, .read_only = true
    };
    switch (PROP_ID(tag)) {
    case PROP_ID(PidTagInstID): *out = P_I64(PidTagInstID, store_id(row->key.id)); break;
    case PROP_ID(PidTagInstanceNum): *out = P_I32(PidTagInstanceNum, row->key.instance); break;
    case PROP_ID(PidTagRowType): *out = P_I32(PidTagRowType, TBL_LEAF_ROW); break;
    case PROP_ID(PidTagDepth): *out = P_I32(PidTagDepth, row->table->categories); break; /* R621, R636 */
    case PROP_ID(PidTagInstanceKey): *out = instance_key(arena, row); break;
    default: message_prop(arena, &view, tag, limit, cut, out); return;
    }
    item_convert(arena, tag, limit, cut, out);
}

/* ---- folders ---- */

static struct table_row folder_row_of(struct store_table *t, const struct folder_row *folder, uint32_t depth)
{
    struct table_row row = { .table = t, .found = true, .folder = *folder };
    row.key.id = folder->fid;
    row.key.instance = depth;
    row.item = folder_item(folder);
    return row;
}

static void folder_row_keep(TALLOC_CTX *owner, struct folder_row *row)
{
    const char **texts[] = { &row->name, &row->comment, &row->class };
    struct blob *blobs[] = { &row->change_key, &row->pcl, &row->source_key, &row->props };
    for (size_t i = 0; i < COUNTOF(texts); i++)
        *texts[i] = talloc_strdup(owner, *texts[i]);
    for (size_t i = 0; i < COUNTOF(blobs); i++)
        *blobs[i] = blob_copy(owner, *blobs[i]);
}

static void folders_fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, const uint64_t *ids,
                          uint32_t count, struct table_row *rows)
{
    struct sql_rows found = query_by_id(tx, folders_by_id_sql, ids, count);
    while (sql_next(&found)) {
        struct folder_row folder;
        folder_row_read(&found, 0, &folder);
        folder_row_keep(arena, &folder);
        const struct table_row row = folder_row_of(t, &folder, 0);
        put_row(rows, ids, count, &row);
    }
}

static bool is_visible(const struct store_table *t, struct store_tx *tx, uint64_t fid)
{
    return delegate_rights(tx, t->delegate, fid) & (RIGHT_VISIBLE | RIGHT_OWNER);
}

/* $3: of those that were deleted softly.  Their ancestors may be of either kind. */
static const char children_sql[] = "SELECT 0, " FOLDER_COLUMNS " FROM folder WHERE mb = $1 AND parent = $2"
                                   " AND CASE WHEN deleted IS NULL THEN 0 ELSE 1 END = $3 AND $4 > 0";
static const char descendants_sql[] =
    "WITH RECURSIVE below(id, depth) AS ("
    "  SELECT fid, 0 FROM folder WHERE mb = $1 AND parent = $2 AND ($3 = 1 OR deleted IS NULL)"
    "  UNION SELECT folder.fid, below.depth + 1 FROM folder JOIN below ON folder.parent = below.id"
    "  WHERE folder.mb = $1 AND ($3 = 1 OR folder.deleted IS NULL) AND below.depth < $4)"
    " SELECT depth, " FOLDER_COLUMNS " FROM below JOIN folder ON folder.fid = below.id WHERE folder.mb = $1"
    " AND CASE WHEN deleted IS NULL THEN 0 ELSE 1 END = $3";

static void folders_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    struct sql_rows rows = sql_query(
        &tx->sql, t->flags & TABLE_DEPTH ? descendants_sql : children_sql,
        BIND(B_INT(t->st->mb), B_INT((int64_t)t->fid), B_INT((t->flags & TABLE_SOFT_DELETES) != 0), B_INT(DEPTH_MAX)));
    while (sql_next(&rows)) {
        struct folder_row folder;
        folder_row_read(&rows, 1, &folder);
        struct table_row row = folder_row_of(t, &folder, (uint32_t)sql_col_int(&rows, 0));
        if (is_visible(t, tx, folder.fid))
            take(arg, &row);
    }
}

static const char depth_below_sql[] =
    "WITH RECURSIVE up(id, parent, depth) AS ("
    "  SELECT fid, parent, 0 FROM folder WHERE mb = $1 AND fid = $2"
    "  UNION SELECT folder.fid, folder.parent, up.depth + 1 FROM folder JOIN up ON folder.fid = up.parent"
    "  WHERE folder.mb = $1 AND up.parent <> $3 AND ($4 = 1 OR folder.deleted IS NULL) AND up.depth < $5)"
    " SELECT depth FROM up WHERE parent = $3";

static bool folder_belongs(struct store_table *t, struct store_tx *tx, struct table_row *row)
{
    const bool soft = t->flags & TABLE_SOFT_DELETES;
    if ((row->folder.deleted != 0) != soft || !is_visible(t, tx, row->folder.fid))
        return false;
    if (!(t->flags & TABLE_DEPTH))
        return row->folder.parent == t->fid;
    const int64_t depth = sql_int_or(
        &tx->sql, -1, depth_below_sql,
        BIND(B_INT(t->st->mb), B_INT((int64_t)row->key.id), B_INT((int64_t)t->fid), B_INT(soft), B_INT(DEPTH_MAX)));
    row->key.instance = depth < 0 ? 0 : (uint32_t)depth;
    return depth >= 0;
}

static void folder_row_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut,
                            struct prop *out)
{
    switch (PROP_ID(tag)) {
    case PROP_ID(PidTagDepth): *out = P_I32(PidTagDepth, row->key.instance); break;
    case PROP_ID(PidTagInstanceKey): *out = instance_key(arena, row); break;
    default: folder_prop(arena, row->table->st, &row->folder, tag, limit, cut, out); return;
    }
    item_convert(arena, tag, limit, cut, out);
}

/* ---- attachments ---- */

static struct table_row attachment_row_of(struct store_table *t, const struct attached *attached)
{
    struct table_row row = { .table = t, .found = true, .attached = attached };
    row.key.id = attached->number;
    row.item = attached->item;
    return row;
}

static void attachments_fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, const uint64_t *ids,
                              uint32_t count, struct table_row *rows)
{
    (void)arena, (void)tx;
    for (uint32_t i = 0; i < count; i++) {
        const struct attached *attached = attached_find(t->message, (uint32_t)ids[i]);
        if (attached)
            rows[i] = attachment_row_of(t, attached);
    }
}

static void attachments_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    const enum ec ec = attached_read(t->message);
    if (ec)
        sql_abort(&tx->sql, ec);
    for (uint32_t i = 0; !ec && i < t->message->attached_count; i++) {
        struct table_row row = attachment_row_of(t, t->message->attached[i]);
        if (!row.attached->deleted)
            take(arg, &row);
    }
}

static bool attachment_belongs(struct store_table *t, struct store_tx *tx, struct table_row *row)
{
    (void)t, (void)tx;
    return row->found;
}

static void attachment_row_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut,
                                struct prop *out)
{
    if (PROP_ID(tag) == PROP_ID(PidTagInstanceKey)) {
        *out = instance_key(arena, row);
        item_convert(arena, tag, limit, cut, out);
    } else {
        attached_prop(arena, row->table->message, row->attached, tag, limit, cut, out);
    }
}

/* ---- members of a permissions list: [MS-OXCPERM] 2.2.4 to 2.2.7 ---- */

static struct table_row member_row_of(struct store_table *t, uint32_t i)
{
    return (struct table_row){
        .table = t, .found = true, .key.id = i + 1u, .permission = &t->members.list[i]
    };
}

static void members_fetch(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, const uint64_t *ids,
                          uint32_t count, struct table_row *rows)
{
    (void)arena, (void)tx;
    for (uint32_t i = 0; i < t->members.count; i++) {
        const struct table_row row = member_row_of(t, i);
        put_row(rows, ids, count, &row);
    }
}

static void members_scan(struct store_table *t, struct store_tx *tx, row_taker *take, void *arg)
{
    talloc_free(t->members.list);
    t->members.list = NULL;
    t->members.count = 0;
    permissions_read(t, tx, t->fid, &t->members.list, &t->members.count);
    for (uint32_t i = 0; i < t->members.count && !sql_failed(&tx->sql); i++) {
        struct store_permission *p = &t->members.list[i];
        const char *name =
            p->legacy_dn && t->members.name_of ? t->members.name_of(t->members.arg, t, p->legacy_dn) : NULL;
        p->name = name ? name : p->name;
        struct table_row row = member_row_of(t, i);
        take(arg, &row);
    }
}

static bool member_belongs(struct store_table *t, struct store_tx *tx, struct table_row *row)
{
    (void)t, (void)tx;
    return row->found;
}

static void member_row_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut,
                            struct prop *out)
{
    const struct store_permission *p = row->permission;
    const uint32_t shown = row->table->members.free_busy ? (uint32_t)RIGHTS_ALL : (uint32_t)RIGHTS_OWNER_ROLE;
    switch (PROP_ID(tag)) {
    case PROP_ID(PidTagEntryId):
        *out = P_BIN(PidTagEntryId,
                     p->legacy_dn ? address_book_entry_id(arena, p->legacy_dn, DT_MAILUSER) : BLOB_OF("", 0));
        break;
    case PROP_ID(PidTagMemberId): *out = P_I64(PidTagMemberId, (uint64_t)p->member_id); break;
    case PROP_ID(PidTagMemberName): *out = P_STR(PidTagMemberName, talloc_strdup(arena, p->name)); break;
    case PROP_ID(PidTagMemberRights): *out = P_I32(PidTagMemberRights, p->rights & shown); break;
    case PROP_ID(PidTagInstanceKey): *out = instance_key(arena, row); break;
    default: *out = P_ERR(tag, ecNotFound); return;
    }
    item_convert(arena, tag, limit, cut, out);
}

/* ---- the kinds ---- */

static const uint32_t message_tags[] = {
    PidTagInstID, PidTagInstanceNum, PidTagRowType, PidTagDepth, PidTagInstanceKey,
#define MESSAGE(tag, name, rule) tag,
#define FOLDER(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};
static const uint32_t folder_tags[] = {
    PidTagDepth,
    PidTagInstanceKey,
#define FOLDER(tag, name, rule) tag,
#define MESSAGE(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};
static const uint32_t attachment_tags[] = {
    PidTagInstanceKey,
#define ATTACHMENT(tag, name, rule) tag,
#define FOLDER(...)
#define MESSAGE(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

static const uint32_t member_tags[] = { PidTagEntryId, PidTagMemberId, PidTagMemberName, PidTagMemberRights,
                                        PidTagInstanceKey };

/* [MS-OXCTABL] 2.2.2.5.2, R120: undefined.  New messages come at the end, where a client that pages is not yet;
 * parents come before their children. */
static const struct SortOrder by_delivery[] = { { PidTagMessageDeliveryTime, SORT_ASCENDING } };
static const struct SortOrder by_name[] = { { PidTagDepth, SORT_ASCENDING }, { PidTagDisplayName, SORT_ASCENDING } };
static const struct SortOrder by_member[] = { { PidTagMemberId, SORT_ASCENDING } };
static const struct SortOrder by_number[] = { { PidTagAttachNumber, SORT_ASCENDING } };

const struct table_kind contents_kind = {
    .sorts = true,
    .restricts = true,
    .order = by_delivery,
    .order_count = COUNTOF(by_delivery),
    .scan = messages_scan,
    .fetch = messages_fetch,
    .belongs = message_belongs,
    .prop = message_row_prop,
    .tags = message_tags,
    .tag_count = COUNTOF(message_tags),
};
const struct table_kind hierarchy_kind = {
    .restricts = true,
    .order = by_name,
    .order_count = COUNTOF(by_name),
    .scan = folders_scan,
    .fetch = folders_fetch,
    .belongs = folder_belongs,
    .prop = folder_row_prop,
    .tags = folder_tags,
    .tag_count = COUNTOF(folder_tags),
};
const struct table_kind attachments_kind = {
    .anew = true,
    .order = by_number,
    .order_count = COUNTOF(by_number),
    .scan = attachments_scan,
    .fetch = attachments_fetch,
    .belongs = attachment_belongs,
    .prop = attachment_row_prop,
    .tags = attachment_tags,
    .tag_count = COUNTOF(attachment_tags),
};
const struct table_kind permissions_kind = {
    .anew = true,
    .order = by_member,
    .order_count = COUNTOF(by_member),
    .scan = members_scan,
    .fetch = members_fetch,
    .belongs = member_belongs,
    .prop = member_row_prop,
    .tags = member_tags,
    .tag_count = COUNTOF(member_tags),
};

bool table_row_get(TALLOC_CTX *arena, struct store_table *t, struct store_tx *tx, uint64_t id, struct table_row *row)
{
    *row = (struct table_row){ 0 };
    t->kind->fetch(arena, t, tx, &id, 1, row);
    return row->found && t->kind->belongs(t, tx, row);
}

/* ---- values ---- */

static struct prop element(const struct prop *p, uint32_t i)
{
    const uint16_t base = PROP_TYPE(p->tag) & ~PtypMultiple;
    const size_t size = prop_type_size(base);
    struct prop one = { .tag = PROP_AS(p->tag, base) };
    if (base == PtypString || base == PtypString8)
        one.str = p->mv.str[i];
    else if (base == PtypBinary)
        one.bin = p->mv.bin[i];
    else
        memcpy(&one.u64, (const uint8_t *)p->mv.data + i * size, size);
    return one;
}

/* [MS-OXCTABL] 3.2.5.2: the value that this row is the instance of. */
static void instance_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut,
                          struct prop *out)
{
    const uint32_t plain = tag & ~(uint32_t)PtypMultivalueInstance;
    struct prop all;
    row->table->kind->prop(arena, row, plain, MATCH_LIMIT, true, &all);
    if (PROP_TYPE(all.tag) != PtypErrorCode && row->key.instance >= all.mv.count)
        all = P_ERR(tag, ecNotFound);
    *out = PROP_TYPE(all.tag) == PtypErrorCode ? all : element(&all, row->key.instance);
    item_convert(arena, PROP_AS(tag, prop_value_type(tag)), limit, cut, out);
}

/* No code page of a client takes more bytes for a text than UTF-8 does. */
static void cut_further(TALLOC_CTX *arena, struct prop *p, size_t limit)
{
    const uint16_t type = PROP_TYPE(p->tag);
    while (type & PtypMultiple && p->mv.count && prop_size(p) > limit)
        p->mv.count--;
    if (type == PtypString8 && strlen(p->str) > limit)
        p->str = talloc_strndup(arena, p->str, utf8_start(p->str, limit));
}

void row_prop(TALLOC_CTX *arena, const struct table_row *row, uint32_t tag, size_t limit, bool cut, struct prop *out)
{
    if (row->group)
        header_prop(arena, row, tag, limit, cut, out);
    else if (PROP_TYPE(tag) & PtypMultivalueInstance)
        instance_prop(arena, row, tag, limit, cut, out);
    else
        row->table->kind->prop(arena, row, tag, limit, cut, out);
    if (cut)
        cut_further(arena, out, limit);
}

struct props row_values(TALLOC_CTX *arena, const struct table_row *row)
{
    const struct store_table *t = row->table;
    struct prop *values = talloc_array(arena, struct prop, t->column_count);
    TALLOC_CTX *scratch = talloc_pool(NULL, SCRATCH_BYTES);
    for (uint32_t i = 0; i < t->column_count; i++) {
        struct prop p;
        row_prop(scratch, row, t->columns[i], CELL_LIMIT, true, &p);
        values[i] = prop_copy(values, &p);
    }
    talloc_free(scratch);
    return (struct props){ t->column_count, values };
}

uint32_t row_instances(const struct table_row *row)
{
    const struct store_table *t = row->table;
    if (!t->instances)
        return 1;
    TALLOC_CTX *scratch = talloc_pool(NULL, SCRATCH_BYTES);
    struct prop p;
    row_prop(scratch, row, t->instances, MATCH_LIMIT, true, &p);
    const uint32_t count = PROP_TYPE(p.tag) & PtypMultiple ? p.mv.count : 0;
    talloc_free(scratch);
    return MIN(MAX(count, 1), (uint32_t)INSTANCES_MAX);
}
