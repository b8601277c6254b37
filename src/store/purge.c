/* SPDX-License-Identifier: Apache-2.0 */
/* What was deleted softly, [MS-OXCFOLD] 3.2.5.9, and was not got back in time goes for ever.  Nobody is told: to clients
 * it went when it was deleted. */
#include "store/message.h"

/* Messages that were deleted, and messages in folders that were. */
static const char *const messages_sql[] = {
    "SELECT id FROM message WHERE mb = $1 AND fid > 0 AND deleted < $2 LIMIT $3",
    "SELECT m.id FROM folder f JOIN message m ON m.mb = f.mb AND m.fid = f.fid WHERE f.mb = $1 AND f.deleted < $2"
    " LIMIT $3",
};
static const char folders_sql[] =
    "SELECT fid FROM folder WHERE mb = $1 AND deleted < $2"
    " AND NOT EXISTS (SELECT 1 FROM message m WHERE m.mb = folder.mb AND m.fid = folder.fid) LIMIT $3";

/* At most `most` ids; how many. */
static uint32_t ids_of(struct store_tx *tx, const char *sql, uint64_t before, uint32_t most, uint64_t *ids)
{
    uint32_t count = 0;
    struct sql_rows rows = sql_query(&tx->sql, sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)before), B_INT(most)));
    while (sql_next(&rows))
        ids[count++] = (uint64_t)sql_col_int(&rows, 0);
    sql_done(&rows);
    return count;
}

enum ec store_purge(struct store *st, uint64_t before, uint32_t most, bool *more)
{
    uint64_t *ids = talloc_array(NULL, uint64_t, most);
    uint32_t left = most;
    struct store_tx tx = store_begin(st);
    for (size_t i = 0; i < COUNTOF(messages_sql); i++) {
        const uint32_t count = left ? ids_of(&tx, messages_sql[i], before, left, ids) : 0;
        for (uint32_t k = 0; k < count; k++)
            message_erase(&tx, (int64_t)ids[k]);
        left -= count;
    }
    const uint32_t folders = left ? ids_of(&tx, folders_sql, before, left, ids) : 0;
    for (uint32_t k = 0; k < folders; k++)
        folder_erase(&tx, ids[k]);
    *more = left == folders;
    talloc_free(ids);
    return store_end(&tx);
}
