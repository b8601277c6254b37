/* SPDX-License-Identifier: Apache-2.0 */
/* What of each public folder this mailbox' user has read: kept here for a client that asks another replica of the folder
 * one day.  [MS-OXCSTOR] 3.2.5.10 to 3.2.5.13 */
#include "store/internal.h"
#include "wire/idset.h"

enum { FOLDERS_MAX = 10000, ID_SIZE = 22 };

/* The database GUID and the counter, as the key of the table. */
static struct sql_value key_of(const struct LongTermId *id, uint8_t bytes[ID_SIZE])
{
    memcpy(bytes, id->DatabaseGuid.bytes, sizeof id->DatabaseGuid.bytes);
    memcpy(bytes + sizeof id->DatabaseGuid.bytes, id->GlobalCounter, sizeof id->GlobalCounter);
    return B_BYTES(bytes, ID_SIZE);
}

static const char folders_sql[] = "SELECT folder FROM per_user WHERE mb = $1 AND replica = $2 ORDER BY folder LIMIT $3";

enum ec store_per_user_folders(TALLOC_CTX *arena, struct store *st, struct guid replica, uint32_t most,
                               struct LongTermId **folders, uint32_t *count)
{
    *folders = NULL;
    *count = 0;
    struct store_tx tx = store_read(st);
    struct sql_rows rows =
        sql_query(&tx.sql, folders_sql, BIND(B_INT(st->mb), B_BYTES(replica.bytes, sizeof replica.bytes), B_INT(most)));
    while (sql_next(&rows)) {
        const struct blob id = sql_col_blob(&rows, 0);
        if (id.size != ID_SIZE)
            continue;
        *folders = talloc_realloc(arena, *folders, struct LongTermId, *count + 1);
        struct LongTermId *out = &(*folders)[(*count)++];
        *out = (struct LongTermId){ 0 };
        memcpy(out->DatabaseGuid.bytes, id.data, sizeof out->DatabaseGuid.bytes);
        memcpy(out->GlobalCounter, id.data + sizeof out->DatabaseGuid.bytes, sizeof out->GlobalCounter);
    }
    return store_end(&tx);
}

static const char replica_sql[] = "SELECT replica FROM per_user WHERE mb = $1 AND folder = $2";

enum ec store_per_user_replica(struct store *st, const struct LongTermId *folder, struct guid *replica)
{
    uint8_t bytes[ID_SIZE];
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_one(&tx.sql, replica_sql, BIND(B_INT(st->mb), key_of(folder, bytes)));
    const struct blob guid = sql_col_blob(&rows, 0);
    if (guid.size == sizeof replica->bytes)
        memcpy(replica->bytes, guid.data, guid.size);
    sql_done(&rows);
    return store_end(&tx);
}

static const char data_sql[] =
    "SELECT length(data), substr(data, CAST($3 AS INTEGER) + 1, CAST($4 AS INTEGER)) FROM per_user"
    " WHERE mb = $1 AND folder = $2";

enum ec store_per_user_read(TALLOC_CTX *arena, struct store *st, const struct LongTermId *folder, uint32_t offset,
                            uint32_t most, struct blob *data, uint32_t *size)
{
    uint8_t bytes[ID_SIZE];
    struct store_tx tx = store_read(st);
    struct sql_rows rows =
        sql_query(&tx.sql, data_sql,
                  BIND(B_INT(st->mb), key_of(folder, bytes), B_INT(MIN(offset, (uint32_t)PER_USER_MAX)), B_INT(most)));
    *data = BLOB_OF(NULL, 0);
    *size = 0;
    if (sql_next(&rows)) {
        *size = (uint32_t)sql_col_int(&rows, 0);
        *data = sql_col_blob_copy(arena, &rows, 1);
    }
    sql_done(&rows);
    return store_end(&tx);
}

static const char count_sql[] = "SELECT COUNT(*) FROM per_user WHERE mb = $1 AND folder <> $2";
static const char put_sql[] =
    "INSERT INTO per_user(mb, folder, replica, data, modified) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (mb, folder) DO UPDATE SET replica = excluded.replica, data = excluded.data,"
    "  modified = excluded.modified";

enum ec store_per_user_write(struct store *st, const struct LongTermId *folder, struct guid replica, struct blob data)
{
    uint8_t bytes[ID_SIZE];
    struct idset *read;
    TALLOC_CTX *arena = talloc_new(NULL);
    const bool good = data.size <= PER_USER_MAX && idset_of_bytes(&read, arena, IDSET_REPLGUID, data) == ecNone;
    talloc_free(arena);
    if (!good)
        return ecCorruptData; /* MS-OXCSTOR_R1020, R1021 */
    const struct sql_value mb = B_INT(st->mb), key = key_of(folder, bytes);
    struct store_tx tx = store_begin(st);
    if (sql_int(&tx.sql, count_sql, BIND(B_INT(st->mb), key)) >= FOLDERS_MAX)
        sql_abort(&tx.sql, ecInsufficientResrc);
    sql_exec(&tx.sql, put_sql,
             BIND(mb, key, B_BYTES(replica.bytes, sizeof replica.bytes), B_BLOB(data), B_INT((int64_t)tx.now)));
    return store_end(&tx);
}
