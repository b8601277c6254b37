/* SPDX-License-Identifier: Apache-2.0 */
/* Who has read what in public folders: [MS-OXCSTOR] 2.2.1.12.  For each person and folder there is the set of the change
 * numbers that he has read, so a message that has changed since is unread again.  All sets of a delegate are in memory
 * while he works; what he changes of them is written at the end of the transaction. */
#include "store/internal.h"

struct seen_folder {
    uint64_t fid;
    bool changed;
    struct globset set;
};

struct seen {
    uint64_t at; /* the store's count of changed sets when this was right */
    bool changed;
    struct seen_folder *folders;
    uint32_t count;
};

static struct seen *seen_of(const struct store *st)
{
    return st->identity.is_public && st->delegate ? *delegate_seen(st->delegate) : NULL;
}

static struct seen_folder *folder_in(struct seen *seen, uint64_t fid)
{
    for (uint32_t i = 0; seen && i < seen->count; i++)
        if (seen->folders[i].fid == fid)
            return &seen->folders[i];
    return NULL;
}

static struct seen_folder *folder_made(struct seen *seen, uint64_t fid)
{
    struct seen_folder *there = folder_in(seen, fid);
    if (there)
        return there;
    seen->folders = talloc_realloc(seen, seen->folders, struct seen_folder, seen->count + 1);
    struct seen_folder *folder = &seen->folders[seen->count++];
    *folder = (struct seen_folder){ .fid = fid };
    globset_init(&folder->set, seen);
    return folder;
}

static const char load_sql[] = "SELECT fid, cns FROM seen WHERE mb = $1 AND member = $2";

static void load(struct store_tx *tx, struct seen *seen)
{
    struct sql_rows rows =
        sql_query(&tx->sql, load_sql, BIND(B_INT(tx->st->mb), B_TEXT(delegate_key(tx->st->delegate))));
    while (sql_next(&rows)) {
        struct seen_folder *folder = folder_made(seen, (uint64_t)sql_col_int(&rows, 0));
        struct wire_in in = wire_in(seen, sql_col_blob(&rows, 1));
        if (globset_get(&in, &folder->set))
            globset_settle(&folder->set);
        else
            sql_abort(&tx->sql, ecCorruptStore);
    }
    sql_done(&rows);
}

void seen_begin(struct store_tx *tx)
{
    struct store *st = tx->st;
    if (!st->identity.is_public || !st->delegate || sql_failed(&tx->sql))
        return;
    struct seen **kept = delegate_seen(st->delegate);
    if (*kept && ((*kept)->at == st->seen_changes || (*kept)->changed))
        return;
    talloc_free(*kept);
    *kept = talloc_zero(st->delegate, struct seen);
    (*kept)->at = st->seen_changes;
    load(tx, *kept);
}

bool seen_has(const struct store *st, uint64_t fid, uint64_t cn)
{
    const struct seen_folder *folder = folder_in(seen_of(st), fid);
    return folder && globset_has(&folder->set, cn);
}

void seen_put(struct store_tx *tx, uint64_t fid, uint64_t low, uint64_t high, bool read)
{
    struct seen *seen = seen_of(tx->st);
    if (!seen || sql_failed(&tx->sql))
        return;
    struct seen_folder *folder = folder_made(seen, fid);
    if (read)
        globset_add(&folder->set, low, high);
    else
        globset_remove(&folder->set, low, high);
    folder->changed = seen->changed = true;
}

static const char write_sql[] = "INSERT INTO seen(mb, member, fid, cns) VALUES ($1, $2, $3, $4)"
                                " ON CONFLICT (mb, member, fid) DO UPDATE SET cns = excluded.cns";

/* His other sessions read them again. */
void seen_end(struct store_tx *tx)
{
    struct seen *seen = seen_of(tx->st);
    if (!seen || !seen->changed)
        return;
    for (uint32_t i = 0; i < seen->count; i++) {
        if (!seen->folders[i].changed || sql_failed(&tx->sql))
            continue;
        struct buf cns;
        buf_init(&cns, seen);
        globset_put(&cns, &seen->folders[i].set);
        sql_exec(&tx->sql, write_sql,
                 BIND(B_INT(tx->st->mb), B_TEXT(delegate_key(tx->st->delegate)),
                      B_INT((int64_t)seen->folders[i].fid), B_BLOB(buf_blob(&cns))));
        talloc_free(cns.data);
        seen->folders[i].changed = false;
    }
    seen->changed = false;
    seen->at = ++tx->st->seen_changes;
}

static const char cns_sql[] = "SELECT cn FROM message WHERE mb = $1 AND fid = $2 AND associated = 0 AND deleted IS NULL";

static uint32_t count_unread(struct store_tx *tx, const struct seen_folder *folder)
{
    uint32_t unread = 0;
    struct sql_rows rows = sql_query(&tx->sql, cns_sql, BIND(B_INT(tx->st->mb), B_INT((int64_t)folder->fid)));
    while (sql_next(&rows))
        unread += !globset_has(&folder->set, (uint64_t)sql_col_int(&rows, 0));
    sql_done(&rows);
    return unread;
}

uint32_t seen_unread(struct store *st, uint64_t fid, uint32_t total)
{
    struct store_tx tx = store_read(st);
    const struct seen_folder *folder = folder_in(seen_of(st), fid);
    uint32_t unread = total;
    if (folder && folder->set.count)
        unread = count_unread(&tx, folder);
    return store_end(&tx) ? total : unread;
}

/* [MS-OXCSTOR] 3.2.5.12: what an IDSET says of it. */
enum ec store_seen_read(TALLOC_CTX *arena, struct store *st, const struct LongTermId *id, uint32_t offset, uint32_t most,
                        struct blob *data, uint32_t *size)
{
    struct folder_row row;
    uint64_t fid;
    enum ec ec = store_id_from_long_term(st, id, &fid);
    if (ec)
        return ec;
    struct store_tx tx = store_read(st);
    folder_row_get(arena, &tx, store_counter(fid), &row);
    may(&tx, row.fid, RIGHT_VISIBLE);
    const struct seen_folder *folder = folder_in(seen_of(st), row.fid);
    struct idset *cns = idset_new(arena, IDSET_REPLGUID);
    if (folder && folder->set.count)
        globset_union(idset_of_guid(cns, st->replica), &folder->set);
    const struct blob all = idset_bytes(arena, cns);
    const size_t from = MIN((size_t)offset, all.size);
    *size = (uint32_t)all.size;
    *data = from < all.size ? BLOB_OF(all.data + from, MIN((size_t)most, all.size - from)) : BLOB_OF("", 0);
    return store_end(&tx);
}

uint32_t store_unread(struct store *st, struct store_delegate *d, uint64_t fid, uint32_t total)
{
    struct store_delegate *acting = st->delegate;
    st->delegate = d;
    const uint32_t unread = seen_unread(st, store_counter(fid), total);
    st->delegate = acting;
    return unread;
}
