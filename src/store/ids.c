/* SPDX-License-Identifier: Apache-2.0 */
/* Identifiers: [MS-OXCDATA] 2.2.  Inside this room an id is its counter; on the wire it is replica id 1 and the
 * counter with its most significant byte first. */
#include "store/internal.h"
#include "wire/entry_id.h"
#include "wire/guids.h"

enum { COUNTER_BYTES = 6, RESERVE_MAX = 0x100000 };
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

/* ---- entry ids: [MS-OXCDATA] 2.2.4 ---- */

enum { FOLDER_PRIVATE = 1, FOLDER_PUBLIC = 3, MESSAGE_PRIVATE = 7, MESSAGE_PUBLIC = 9 };

static uint16_t entry_type(const struct store *st, uint16_t of_mailbox, uint16_t of_public)
{
    return st->identity.is_public ? of_public : of_mailbox;
}

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
    const struct guid *provider = st->identity.is_public ? &MUIDPUBLICFOLDER : &st->guid;
    buf_add(to, provider->bytes, sizeof provider->bytes);
    put_le16(buf_grow(to, 2), type);
}

/* 2.2.4.1 */
struct blob folder_entry_id(TALLOC_CTX *arena, const struct store *st, uint64_t fid)
{
    struct buf id;
    begin_entry_id(&id, arena, st, entry_type(st, FOLDER_PRIVATE, FOLDER_PUBLIC));
    add_guid_counter(&id, st->replica, fid);
    return buf_blob(&id);
}

/* 2.2.4.2 */
struct blob message_entry_id(TALLOC_CTX *arena, const struct store *st, uint64_t fid, uint64_t mid)
{
    struct buf id;
    begin_entry_id(&id, arena, st, entry_type(st, MESSAGE_PRIVATE, MESSAGE_PUBLIC));
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
    const bool good = wire_get(&in, &FolderEntryId_wire, &id) &&
                      id.FolderType == entry_type(st, FOLDER_PRIVATE, FOLDER_PUBLIC);
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
    const bool good = wire_get(&in, &MessageEntryId_wire, &id) &&
                      id.MessageType == entry_type(st, MESSAGE_PRIVATE, MESSAGE_PUBLIC);
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
    const struct guid *wrapped = st->identity.is_public ? &MUIDPUBLICSTORE : &MUIDPRIVATESTORE;
    buf_add(&id, wrapped->bytes, sizeof wrapped->bytes);
    put_le32(buf_grow(&id, 4), st->identity.is_public ? 0x06 : 0x0C); /* OPENSTORE_PUBLIC | HOME_LOGON, or TAKE_OWNERSHIP */
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

enum { BLOCK_LEAST = 64, BLOCK_MOST = 8192 };

/* [MS-OXCFXICS] 3.1.5.5: messages of one folder have ids in a row, so that a set of them is a few ranges, whatever
 * arrives elsewhere meanwhile.  A folder has a block of them in memory, and a larger one each time; what is left when
 * that goes is never used. */
uint64_t take_message_id(struct store_tx *tx, uint64_t fid)
{
    struct id_block *blocks = tx->st->blocks;
    size_t at = 0;
    while (at + 1 < COUNTOF(tx->st->blocks) && blocks[at].fid != fid)
        at++;
    struct id_block block = blocks[at].fid == fid ? blocks[at] : (struct id_block){ .fid = fid };
    if (block.next == block.end) {
        block.size = MIN(MAX(2 * block.size, (uint64_t)BLOCK_LEAST), (uint64_t)BLOCK_MOST);
        block.next = take_counters(tx, (uint32_t)block.size);
        block.end = block.next ? block.next + block.size : 0;
    }
    memmove(blocks + 1, blocks, at * sizeof *blocks);
    const uint64_t id = block.next;
    block.next += id != 0;
    blocks[0] = block;
    return id;
}

/* ---- ids that clients give to what they make: [MS-OXCFXICS] 3.2.5.9.4.7, 3.2.5.9.4.8 ---- */

static const char reserve_sql[] = "INSERT INTO reserved(mb, low, high) VALUES ($1, $2, $3)";
static const char is_reserved_sql[] =
    "SELECT CASE WHEN high >= $2 THEN 1 ELSE 0 END FROM reserved WHERE mb = $1 AND low <= $2 ORDER BY low DESC LIMIT 1";

enum ec store_reserve_ids(struct store *st, uint32_t count, uint64_t *first_id)
{
    *first_id = 0;
    if (!count || count > RESERVE_MAX)
        return ecInvalidParam;
    struct store_tx tx = store_begin(st);
    const uint64_t first = take_counters(&tx, count);
    sql_exec(&tx.sql, reserve_sql, BIND(B_INT(st->mb), B_INT((int64_t)first), B_INT((int64_t)(first + count - 1))));
    *first_id = store_id(first);
    return store_end(&tx);
}

bool id_is_reserved(struct store_tx *tx, uint64_t counter)
{
    return sql_int_or(&tx->sql, 0, is_reserved_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)counter))) != 0;
}

static const char unused_sql[] = "INSERT INTO unused(mb, fid, low, high) VALUES ($1, $2, $3, $4)"
                                 " ON CONFLICT (mb, fid, low) DO UPDATE SET high ="
                                 "  CASE WHEN excluded.high > unused.high THEN excluded.high ELSE unused.high END";
static const char is_unused_sql[] =
    "SELECT CASE WHEN EXISTS ("
    "  SELECT 1 FROM unused WHERE mb = $1 AND fid = $2 AND low <= $3 AND high >= $3) THEN 1 ELSE 0 END";

/* Both ends are of this mailbox, and of one reservation. */
static bool range_of(struct store_tx *tx, const struct LongTermIdRange *range, uint64_t *low, uint64_t *high)
{
    *low = get_counter(range->MinLongTermId.GlobalCounter);
    *high = get_counter(range->MaxLongTermId.GlobalCounter);
    return guid_equal(range->MinLongTermId.DatabaseGuid, tx->st->replica) &&
           guid_equal(range->MaxLongTermId.DatabaseGuid, tx->st->replica) && *low <= *high &&
           id_is_reserved(tx, *low) && id_is_reserved(tx, *high);
}

enum ec store_ids_unused(struct store *st, uint64_t fid, const struct LongTermIdRange *ranges, uint32_t count)
{
    struct store_tx tx = store_begin(st);
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++) {
        uint64_t low, high;
        if (!range_of(&tx, &ranges[i], &low, &high))
            sql_abort(&tx.sql, ecInvalidParam);
        else
            sql_exec(
                &tx.sql, unused_sql,
                BIND(B_INT(st->mb), B_INT((int64_t)store_counter(fid)), B_INT((int64_t)low), B_INT((int64_t)high)));
    }
    return store_end(&tx);
}

bool id_is_unused(struct store_tx *tx, uint64_t fid, uint64_t counter)
{
    return sql_int(&tx->sql, is_unused_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)fid), B_INT((int64_t)counter))) != 0;
}
