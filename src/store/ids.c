/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: [MS-OXCDATA] 2.2.  Inside this room an id is its counter; on the wire it is replica id 1 and the
 * counter with its most significant byte first. */
#include "store/internal.h"
#include "wire/entry_id.h"
#include "wire/guids.h"

enum { COUNTER_BYTES = 6, GID_BYTES = 22, XID_MIN = 17, XID_MAX = 24, RESERVE_MAX = 0x100000 };
#define COUNTER_LIMIT (INT64_C(1) << 48)

static void put_counter(uint8_t to[COUNTER_BYTES], uint64_t counter)
{
    for (int i = 0; i < COUNTER_BYTES; i++)
        to[i] = (uint8_t)(counter >> 8 * (COUNTER_BYTES - 1 - i));
}

static uint64_t get_counter(const uint8_t from[COUNTER_BYTES])
{
    uint64_t counter = 0;
    for (int i = 0; i < COUNTER_BYTES; i++)
        counter = counter << 8 | from[i];
    return counter;
}

static uint64_t wire_id(uint16_t replica, uint64_t counter)
{
    uint8_t bytes[8];
    put_le16(bytes, replica);
    put_counter(bytes + 2, counter);
    return le64(bytes);
}

uint64_t store_id(uint64_t counter)
{
    return wire_id(STORE_REPLICA_ID, counter);
}

uint64_t store_counter(uint64_t id)
{
    uint8_t bytes[8];
    put_le64(bytes, id);
    return le16(bytes) == STORE_REPLICA_ID ? get_counter(bytes + 2) : 0;
}

/* ---- keys of synchronisation: [MS-OXCDATA] 2.2.1.3, [MS-OXCFXICS] 2.2.1.2 ---- */

struct blob gid_of(TALLOC_CTX *arena, struct guid replica, uint64_t counter)
{
    uint8_t *gid = talloc_array(arena, uint8_t, GID_BYTES);
    memcpy(gid, replica.bytes, sizeof replica.bytes);
    put_counter(gid + sizeof replica.bytes, counter);
    return BLOB_OF(gid, GID_BYTES);
}

uint64_t counter_of_gid(const struct store *st, struct blob gid)
{
    const size_t guid = sizeof st->replica.bytes;
    return gid.size == GID_BYTES && memcmp(gid.data, st->replica.bytes, guid) == 0 ? get_counter(gid.data + guid) : 0;
}

/* [MS-OXCFXICS] 2.2.2.3: SizedXids ascend by GUID, one of each.  Damaged lists end where the damage begins. */
static struct blob next_xid(struct blob *list)
{
    const size_t size = list->size ? list->data[0] : 0;
    if (size < XID_MIN || size > XID_MAX || size >= list->size)
        return BLOB_OF(NULL, 0);
    const struct blob xid = BLOB_OF(list->data + 1, size);
    *list = BLOB_OF(list->data + 1 + size, list->size - 1 - size);
    return xid;
}

static void add_xid(struct buf *list, struct blob xid)
{
    *buf_grow(list, 1) = (uint8_t)xid.size;
    buf_add(list, xid.data, xid.size);
}

static struct blob pcl_merge(TALLOC_CTX *arena, struct blob list, struct blob own)
{
    struct buf merged;
    buf_init(&merged, arena);
    bool placed = false;
    for (struct blob xid = next_xid(&list); xid.size; xid = next_xid(&list)) {
        const int order = placed ? -1 : memcmp(xid.data, own.data, sizeof(struct guid));
        if (order >= 0) {
            add_xid(&merged, own);
            placed = true;
        }
        if (order)
            add_xid(&merged, xid);
    }
    if (!placed)
        add_xid(&merged, own);
    return buf_blob(&merged);
}

/* A change that a client made elsewhere has its key and its list; the server's own joins the list by its number. */
struct blob pcl_of(TALLOC_CTX *arena, const struct store *st, struct blob others, struct blob change_key, uint64_t cn)
{
    if (change_key.size < XID_MIN)
        return pcl_merge(arena, others, gid_of(arena, st->replica, cn));
    return pcl_merge(arena, others, change_key);
}

/* ---- entry ids: [MS-OXCDATA] 2.2.4 ---- */

enum { FOLDER_PRIVATE = 1, MESSAGE_PRIVATE = 7 };

static void add_guid_counter(struct buf *to, struct guid replica, uint64_t counter)
{
    buf_add(to, replica.bytes, sizeof replica.bytes);
    put_counter(buf_grow(to, COUNTER_BYTES), counter);
    buf_add(to, "\0", 2);
}

static void begin_entry_id(struct buf *to, TALLOC_CTX *arena, const struct store *st, uint16_t type)
{
    buf_init(to, arena);
    buf_add(to, "\0\0\0", 4);
    buf_add(to, st->guid.bytes, sizeof st->guid.bytes);
    put_le16(buf_grow(to, 2), type);
}

/* 2.2.4.1 */
struct blob folder_entry_id(TALLOC_CTX *arena, const struct store *st, uint64_t fid)
{
    struct buf id;
    begin_entry_id(&id, arena, st, FOLDER_PRIVATE);
    add_guid_counter(&id, st->replica, fid);
    return buf_blob(&id);
}

/* 2.2.4.2 */
struct blob message_entry_id(TALLOC_CTX *arena, const struct store *st, uint64_t fid, uint64_t mid)
{
    struct buf id;
    begin_entry_id(&id, arena, st, MESSAGE_PRIVATE);
    add_guid_counter(&id, st->replica, fid);
    add_guid_counter(&id, st->replica, mid);
    return buf_blob(&id);
}

struct blob store_folder_entry_id(TALLOC_CTX *arena, const struct store *st, uint64_t fid)
{
    return folder_entry_id(arena, st, store_counter(fid));
}

struct blob store_message_entry_id(TALLOC_CTX *arena, const struct store *st, uint64_t fid, uint64_t mid)
{
    return message_entry_id(arena, st, store_counter(fid), store_counter(mid));
}

static uint64_t own_counter(const struct store *st, struct guid replica, const uint8_t counter[COUNTER_BYTES])
{
    return guid_equal(replica, st->replica) ? get_counter(counter) : 0;
}

enum ec store_fid_of_entry_id(const struct store *st, struct blob entry_id, uint64_t *fid)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct wire_in in = wire_in(arena, entry_id);
    struct FolderEntryId id = { 0 };
    const bool good = wire_get(&in, &FolderEntryId_wire, &id) && id.FolderType == FOLDER_PRIVATE;
    const uint64_t counter = good ? own_counter(st, id.DatabaseGuid, id.GlobalCounter) : 0;
    *fid = counter ? store_id(counter) : 0;
    talloc_free(arena);
    return counter ? ecNone : ecInvalidEntryId;
}

enum ec store_mid_of_entry_id(const struct store *st, struct blob entry_id, uint64_t *fid, uint64_t *mid)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct wire_in in = wire_in(arena, entry_id);
    struct MessageEntryId id = { 0 };
    const bool good = wire_get(&in, &MessageEntryId_wire, &id) && id.MessageType == MESSAGE_PRIVATE;
    const uint64_t folder = good ? own_counter(st, id.FolderDatabaseGuid, id.FolderGlobalCounter) : 0,
                   message = good ? own_counter(st, id.MessageDatabaseGuid, id.MessageGlobalCounter) : 0;
    *fid = folder ? store_id(folder) : 0;
    *mid = message ? store_id(message) : 0;
    talloc_free(arena);
    return folder && message ? ecNone : ecInvalidEntryId;
}

/* 2.2.4.3.  The server's name is not part of what identifies a store and stays empty: a mailbox may move. */
struct blob store_entry_id(TALLOC_CTX *arena, const struct store *st)
{
    static const char dll[14] = "emsmdb.dll";
    struct buf id;
    buf_init(&id, arena);
    buf_add(&id, "\0\0\0", 4);
    buf_add(&id, MUIDSTOREWRAP.bytes, sizeof MUIDSTOREWRAP.bytes);
    buf_add(&id, "\0", 2);
    buf_add(&id, dll, sizeof dll);
    buf_add(&id, "\0\0\0", 4);
    buf_add(&id, MUIDPRIVATESTORE.bytes, sizeof MUIDPRIVATESTORE.bytes);
    put_le32(buf_grow(&id, 4), 0x0C);
    buf_add(&id, "", 1);
    buf_add(&id, st->identity.legacy_dn, strlen(st->identity.legacy_dn) + 1);
    return buf_blob(&id);
}

struct blob owner_entry_id(TALLOC_CTX *arena, const struct store *st)
{
    return address_book_entry_id(arena, st->identity.legacy_dn, DT_MAILUSER);
}

/* ---- replicas: [MS-OXCSTOR] 3.2.5.8, 3.2.5.9 ---- */

static const char replica_guid_sql[] = "SELECT guid FROM replica WHERE mb = $1 AND replid = $2";
static const char replica_id_sql[] = "SELECT replid FROM replica WHERE mb = $1 AND guid = $2";
/* ReplIds of others begin behind our own. */
static const char replica_new_sql[] =
    "INSERT INTO replica(mb, replid, guid)"
    " SELECT $1, COALESCE(MAX(replid), $3) + 1, $2 FROM replica WHERE mb = $1 RETURNING replid";

static struct guid guid_of_blob(struct blob bytes)
{
    struct guid guid = { { 0 } };
    if (bytes.size == sizeof guid.bytes)
        memcpy(guid.bytes, bytes.data, sizeof guid.bytes);
    return guid;
}

/* An id of a replica that nobody has told us about is ecNotFound. */
enum ec store_long_term_id(struct store *st, uint64_t id, struct LongTermId *out)
{
    uint8_t bytes[8];
    put_le64(bytes, id);
    *out = (struct LongTermId){ .DatabaseGuid = st->replica };
    memcpy(out->GlobalCounter, bytes + 2, COUNTER_BYTES);
    if (!get_counter(bytes + 2))
        return ecNotFound;
    if (le16(bytes) == STORE_REPLICA_ID)
        return ecNone;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_read(st);
    out->DatabaseGuid =
        guid_of_blob(sql_blob(arena, &tx.sql, replica_guid_sql, BIND(B_INT(st->mb), B_INT(le16(bytes)))));
    talloc_free(arena);
    return store_end(&tx);
}

/* An unknown GUID gets a replica id of its own ([MS-OXCSTOR] 3.2.5.9). */
enum ec store_id_from_long_term(struct store *st, const struct LongTermId *from, uint64_t *id)
{
    const uint64_t counter = get_counter(from->GlobalCounter);
    *id = 0;
    if (!counter || guid_is_zero(from->DatabaseGuid))
        return ecInvalidParam;
    if (guid_equal(from->DatabaseGuid, st->replica)) {
        *id = store_id(counter);
        return ecNone;
    }
    const struct sql_value guid = B_BYTES(from->DatabaseGuid.bytes, sizeof from->DatabaseGuid.bytes);
    struct store_tx tx = store_begin(st);
    int64_t replid = sql_int_or(&tx.sql, 0, replica_id_sql, BIND(B_INT(st->mb), guid));
    if (!replid)
        replid = sql_int(&tx.sql, replica_new_sql, BIND(B_INT(st->mb), guid, B_INT(STORE_REPLICA_ID)));
    if (replid > UINT16_MAX)
        sql_abort(&tx.sql, ecInsufficientResrc);
    *id = wire_id((uint16_t)replid, counter);
    return store_end(&tx);
}

/* ---- counters ---- */

static const char take_counters_sql[] = "UPDATE mailbox SET counter = counter + $2 WHERE mb = $1 RETURNING counter";

uint64_t take_counters(struct store_tx *tx, uint32_t count)
{
    const int64_t next = sql_int(&tx->sql, take_counters_sql, BIND(B_INT(tx->st->mb), B_INT(count)));
    if (next > COUNTER_LIMIT)
        sql_abort(&tx->sql, ecInsufficientResrc);
    return next ? (uint64_t)next - count : 0;
}

enum ec store_reserve_ids(struct store *st, uint32_t count, uint64_t *first_id)
{
    *first_id = 0;
    if (count > RESERVE_MAX)
        return ecInvalidParam;
    struct store_tx tx = store_begin(st);
    *first_id = store_id(take_counters(&tx, count));
    return store_end(&tx);
}
