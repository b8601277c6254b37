/* SPDX-License-Identifier: Apache-2.0 */
/* The change stream: what a transaction changes is noted while it runs and announced after its commit, in order. */
#include <assert.h>

#include "store/internal.h"
#include "store/pool.h"
#include "store/search.h"

struct pending {
    struct store_change *changes; /* their texts and tags are children of it */
    uint32_t count, room;
    unsigned depth;
    bool following; /* search folders are being brought up to date */
};

enum kind { READ, WRITE, SAVEPOINT };

static struct store_tx begin(struct store *st, enum kind kind)
{
    struct store_tx tx = { .st = st, .now = filetime_now(), .writes = kind != READ };
    tx.sql.ec = store_connect(st);
    if (tx.sql.ec)
        return tx;
    tx.sql = kind == READ ? sql_read(st->db) : kind == WRITE ? sql_begin(st->db) : sql_savepoint(st->db);
    if (!st->pending)
        st->pending = talloc_zero(st, struct pending);
    tx.outermost = st->pending->depth++ == 0;
    tx.changes_before = st->pending->count;
    seen_begin(&tx);
    return tx;
}

struct store_tx store_begin(struct store *st)
{
    return begin(st, WRITE);
}

struct store_tx store_read(struct store *st)
{
    return begin(st, READ);
}

struct store_batch {
    struct store_tx tx;
};

static struct store_batch *batch_of(TALLOC_CTX *arena, struct store *st, enum kind kind)
{
    struct store_batch *batch = talloc(arena, struct store_batch);
    batch->tx = begin(st, kind);
    return batch;
}

struct store_batch *store_batch_begin(TALLOC_CTX *arena, struct store *st)
{
    return batch_of(arena, st, SAVEPOINT);
}

struct store_batch *store_batch_read(TALLOC_CTX *arena, struct store *st)
{
    return batch_of(arena, st, READ);
}

enum ec store_batch_end(struct store_batch *batch, enum ec so_far)
{
    if (so_far)
        sql_abort(&batch->tx.sql, so_far);
    const enum ec ec = store_end(&batch->tx);
    talloc_free(batch);
    return ec;
}

void change_add(struct store_tx *tx, const struct store_change *change)
{
    struct pending *pending = tx->st->pending;
    if (sql_failed(&tx->sql))
        return;
    assert(pending->depth);
    if (pending->count == pending->room) {
        pending->room = MAX(16u, pending->room * 2);
        pending->changes = talloc_realloc(pending, pending->changes, struct store_change, pending->room);
    }
    struct store_change *added = &pending->changes[pending->count++];
    *added = *change;
    if (change->message_class)
        added->message_class = talloc_strdup(pending->changes, change->message_class);
    if (change->tag_count)
        added->tags = talloc_memdup(pending->changes, change->tags, change->tag_count * sizeof *change->tags);
}

/* The watcher may read the store, so a new list is begun before it is called. */
static void announce(struct store *st)
{
    struct pending *pending = st->pending;
    struct store_change *changes = pending->changes;
    const uint32_t count = pending->count;
    *pending = (struct pending){ 0 };
    if (count) {
        changes_begin(st, changes, count);
        store_announce(st, changes, count);
        changes_end(st);
    }
    talloc_free(changes);
}

/* Search folders change with what is in their scope, in the same commit. */
static void follow(struct store_tx *tx)
{
    struct pending *pending = tx->st->pending;
    const uint32_t count = pending->count;
    if (!count || !searches_any(tx))
        return;
    pending->following = true;
    for (uint32_t i = 0; i < count && !sql_failed(&tx->sql); i++) {
        const struct store_change change = pending->changes[i]; /* the list grows while it is walked */
        search_follow(tx, &change);
    }
    searches_flush(tx);
    pending->following = false;
}

enum ec store_end(struct store_tx *tx)
{
    struct pending *pending = tx->st->pending;
    if (!tx->sql.db)
        return tx->sql.ec;
    seen_end(tx);
    if (tx->outermost)
        follow(tx);
    const enum ec ec = sql_end(&tx->sql);
    pending->depth--;
    if (ec)
        pending->count = MIN(pending->count, tx->changes_before);
    if (ec && !pending->following)
        TALLOC_FREE(tx->st->searches); /* what it has read may have been rolled back */
    if (ec && tx->writes)
        memset(tx->st->blocks, 0, sizeof tx->st->blocks); /* nor were their ids given out */
    tx->st->seen_changes += ec != ecNone;
    if (tx->outermost)
        announce(tx->st);
    return ec;
}
