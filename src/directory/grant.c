/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what with whose mailbox: the rights that an administrator gives, by the GUIDs of the directory's objects,
 * so that renaming changes nothing.  All of them are in memory, ascending by mailbox and trustee. */
#include <stdlib.h>

#include "directory/internal.h"

struct grants {
    struct grant *list;
    size_t count;
};

static int by_both(const void *a, const void *b)
{
    return memcmp(a, b, 2 * sizeof(struct guid));
}
_Static_assert(offsetof(struct grant, mailbox) == 0 && offsetof(struct grant, trustee) == sizeof(struct guid), "key");

static const char all_sql[] = "SELECT mailbox, trustee, allowed, denied FROM mailbox_grant";

/* `looking` is held for writing. */
static void replace(struct directory *d, struct grants *grants)
{
    if (grants->count)
        qsort(grants->list, grants->count, sizeof *grants->list, by_both);
    talloc_free(d->grants);
    d->grants = grants;
    __atomic_add_fetch(&d->generation, 1, __ATOMIC_RELEASE);
}

enum ec grants_load(struct directory *d)
{
    struct grants *grants = talloc_zero(d, struct grants);
    struct sql_tx tx = sql_read(d->db);
    struct sql_rows rows = sql_query(&tx, all_sql, (struct sql_bind){ 0 });
    while (sql_next(&rows)) {
        grants->list = talloc_realloc(grants, grants->list, struct grant, grants->count + 1);
        grants->list[grants->count++] =
            (struct grant){ row_guid(&rows, 0), row_guid(&rows, 1), (unsigned)sql_col_int(&rows, 2),
                            (unsigned)sql_col_int(&rows, 3) };
    }
    enum ec ec = sql_end(&tx);
    if (ec) {
        talloc_free(grants);
        return directory_say(ec, "%s", sql_error(d->db));
    }
    pthread_rwlock_wrlock(&d->looking);
    replace(d, grants);
    pthread_rwlock_unlock(&d->looking);
    return ecNone;
}

unsigned directory_rights(struct directory *d, const struct account *mailbox, const struct account *trustee)
{
    const struct grant key = { mailbox->guid, trustee->guid, 0, 0 };
    pthread_rwlock_rdlock(&d->looking);
    const struct grant *found =
        d->grants->count ? bsearch(&key, d->grants->list, d->grants->count, sizeof key, by_both) : NULL;
    const unsigned rights = found ? found->allowed & ~found->denied : 0;
    pthread_rwlock_unlock(&d->looking);
    return rights;
}

/* Those whose GUID at this place is this one. */
static struct grant_list pick(struct directory *d, TALLOC_CTX *arena, size_t place, struct guid guid)
{
    struct grant_list out = { 0 };
    pthread_rwlock_rdlock(&d->looking);
    for (size_t i = 0; i < d->grants->count; i++) {
        const struct grant *g = &d->grants->list[i];
        if (memcmp((const char *)g + place, guid.bytes, sizeof guid.bytes) != 0)
            continue;
        out.items = talloc_realloc(arena, out.items, struct grant, out.count + 1);
        out.items[out.count++] = *g;
    }
    pthread_rwlock_unlock(&d->looking);
    return out;
}

struct grant_list directory_grants_of(struct directory *d, TALLOC_CTX *arena, const struct account *mailbox)
{
    return pick(d, arena, offsetof(struct grant, mailbox), mailbox->guid);
}

struct grant_list directory_grants_to(struct directory *d, TALLOC_CTX *arena, const struct account *trustee)
{
    return pick(d, arena, offsetof(struct grant, trustee), trustee->guid);
}

const struct account *directory_by_guid(struct directory *d, TALLOC_CTX *arena, struct guid guid)
{
    return entry_lend(arena, directory_entry_by_guid(d, KEY_OBJECT, guid));
}

static const char set_sql[] =
    "INSERT INTO mailbox_grant(mailbox, trustee, allowed, denied) VALUES($1, $2, $3, $4)"
    " ON CONFLICT (mailbox, trustee) DO UPDATE SET allowed = excluded.allowed, denied = excluded.denied";
static const char unset_sql[] = "DELETE FROM mailbox_grant WHERE mailbox = $1 AND trustee = $2";
static const char count_sql[] = "SELECT COUNT(*) FROM mailbox_grant WHERE mailbox = $1 AND trustee <> $2";
static const char forget_sql[] = "DELETE FROM mailbox_grant WHERE mailbox = $1 OR trustee = $1";

enum { GRANTS_MAX = 500 };

static enum ec write(struct directory *d, const struct grant *g)
{
    const struct sql_value mailbox = B_BYTES(g->mailbox.bytes, 16), trustee = B_BYTES(g->trustee.bytes, 16);
    struct sql_tx tx = sql_begin(d->db);
    bool full = false;
    if (!g->allowed && !g->denied)
        sql_exec(&tx, unset_sql, BIND(mailbox, trustee));
    else if (!(full = sql_int(&tx, count_sql, BIND(mailbox, trustee)) >= GRANTS_MAX))
        sql_exec(&tx, set_sql, BIND(mailbox, trustee, B_INT(g->allowed), B_INT(g->denied)));
    const enum ec ec = sql_end(&tx);
    if (ec)
        return directory_say(ec, "%s", sql_error(d->db));
    return full ? directory_say(ecTooBig, "A mailbox has at most %d permission entries.", GRANTS_MAX) : ecNone;
}

enum ec directory_grant(struct directory *d, const struct grant *g)
{
    pthread_mutex_lock(&d->writing);
    enum ec ec = write(d, g);
    if (!ec)
        ec = grants_load(d);
    pthread_mutex_unlock(&d->writing);
    return ec;
}

void row_forget_grants(struct sql_tx *tx, struct guid guid)
{
    sql_exec(tx, forget_sql, BIND(B_BYTES(guid.bytes, 16)));
}
