/* SPDX-License-Identifier: Apache-2.0 */
/* Named properties: [MS-OXCPRPT] 3.2.5.9, 3.2.5.10; [MS-OXCDATA] 2.6.  An id, once given to a name, never changes; so
 * what is known is kept in memory, and only a name that is not known there is looked up. */
#include "store/internal.h"
#include "wire/guids.h"

enum { KIND_LID = 0x00, KIND_NAME = 0x01, KIND_NONE = 0xFF };
enum { NO_STRINGS = 0x01, NO_IDS = 0x02 };             /* QueryFlags: [MS-OXCROPS] 2.2.8.10.1 */
enum { FIRST_ID = 0x8000, LAST_ID = 0xFFFE, NAME_BYTES_MAX = 508 };

struct named {
    struct named *next;                                /* of the same hash */
    uint16_t id;
    uint8_t kind;
    uint32_t lid;
    struct guid guid;
    const char *name;
    struct blob key;                                   /* the name as it is compared */
};

struct named_cache {
    bool loaded;
    struct named *by_name[1024], *by_id[1024];         /* by_id holds copies, so that each has its own chain */
};

/* ---- what is known ---- */

static uint32_t hash_of(const struct named *n)
{
    uint32_t h = le32(n->guid.bytes) ^ n->lid * 2654435761u;
    for (size_t i = 0; i < n->key.size; i++)
        h = (h ^ n->key.data[i]) * 16777619u;
    return h % COUNTOF(((struct named_cache *)0)->by_name);
}

static bool same_name(const struct named *a, const struct named *b)
{
    return a->kind == b->kind && a->lid == b->lid && guid_equal(a->guid, b->guid) && blob_equal(a->key, b->key);
}

static void remember(struct named_cache *cache, const struct named *n)
{
    struct named *twins[2];
    for (int i = 0; i < 2; i++) {
        twins[i] = talloc_memdup(cache, n, sizeof *n);
        twins[i]->name = talloc_strdup(twins[i], n->name);
        twins[i]->key = blob_copy(twins[i], n->key);
    }
    struct named **by_name = &cache->by_name[hash_of(n)], **by_id = &cache->by_id[n->id % COUNTOF(cache->by_id)];
    twins[0]->next = *by_name;
    *by_name = twins[0];
    twins[1]->next = *by_id;
    *by_id = twins[1];
}

static const char named_all_sql[] = "SELECT id, guid, kind, lid, name, name_key FROM named WHERE mb = $1 ORDER BY id";

static void read_named(struct sql_rows *rows, struct named *n)
{
    *n = (struct named){ .id = (uint16_t)sql_col_int(rows, 0), .kind = (uint8_t)sql_col_int(rows, 2),
                         .lid = (uint32_t)sql_col_int(rows, 3), .name = sql_col_text(rows, 4),
                         .key = sql_col_blob(rows, 5) };
    const struct blob guid = sql_col_blob(rows, 1);
    if (guid.size == sizeof n->guid.bytes)
        memcpy(n->guid.bytes, guid.data, guid.size);
}

static struct named_cache *load(struct store_tx *tx)
{
    struct store *st = tx->st;
    if (st->named && st->named->loaded)
        return st->named;
    talloc_free(st->named);
    st->named = talloc_zero(st, struct named_cache);
    struct sql_rows rows = sql_query(&tx->sql, named_all_sql, BIND(B_INT(st->mb)));
    while (sql_next(&rows)) {
        struct named n;
        read_named(&rows, &n);
        remember(st->named, &n);
    }
    st->named->loaded = !sql_failed(&tx->sql);
    return st->named;
}

/* ---- names to ids ---- */

/* In the form in which names are compared.  false: a kind that there is not, or a text that is too long. */
static bool normalise(TALLOC_CTX *arena, const struct PropertyName *from, struct named *out)
{
    *out = (struct named){ .kind = from->Kind, .guid = from->GUID, .name = "" };
    if (from->Kind == KIND_LID) {
        out->lid = from->LID;
        return true;
    }
    if (from->Kind != KIND_NAME || from->Name.size > NAME_BYTES_MAX + 2)
        return false;
    char *name = utf8_of_utf16(arena, from->Name.data, from->Name.size);
    char *key = text_fold_only(arena, name, FOLD_CASE);
    out->name = guid_equal(from->GUID, PS_INTERNET_HEADERS) ? key : name;
    out->key = BLOB_OF(key, strlen(key));
    return *name != '\0';
}

static uint16_t known_id(const struct named_cache *cache, const struct named *wanted)
{
    for (const struct named *n = cache->by_name[hash_of(wanted)]; n; n = n->next)
        if (same_name(n, wanted))
            return n->id;
    return 0;
}

static const char named_find_sql[] =
    "SELECT id FROM named WHERE mb = $1 AND guid = $2 AND kind = $3 AND lid = $4 AND name_key = $5";
static const char named_next_sql[] = "SELECT COALESCE(MAX(id), $2) + 1 FROM named WHERE mb = $1";
static const char named_insert_sql[] =
    "INSERT INTO named(mb, id, guid, kind, lid, name, name_key) VALUES ($1, $2, $3, $4, $5, $6, $7)";

/* Another process may have given it an id since the names were loaded. */
static uint16_t stored_id(struct store_tx *tx, const struct named *n)
{
    return (uint16_t)sql_int_or(&tx->sql, 0, named_find_sql,
        BIND(B_INT(tx->st->mb), B_BYTES(n->guid.bytes, 16), B_INT(n->kind), B_INT(n->lid), B_BLOB(n->key)));
}

static uint16_t insert_name(struct store_tx *tx, const struct named *n)
{
    const int64_t id = sql_int(&tx->sql, named_next_sql, BIND(B_INT(tx->st->mb), B_INT(FIRST_ID - 1)));
    if (id > LAST_ID)
        sql_abort(&tx->sql, ecNotEnoughMemory);        /* [MS-OXCPRPT] 3.2.5.10: no id is left */
    sql_exec(&tx->sql, named_insert_sql,
             BIND(B_INT(tx->st->mb), B_INT(id), B_BYTES(n->guid.bytes, 16), B_INT(n->kind), B_INT(n->lid),
                  B_TEXT(n->name), B_BLOB(n->key)));
    return sql_failed(&tx->sql) ? 0 : (uint16_t)id;
}

static uint16_t find_or_create(struct store_tx *tx, struct named_cache *cache, struct named *n, bool create)
{
    if (n->kind == KIND_LID && guid_equal(n->guid, PS_MAPI))
        return n->lid < FIRST_ID ? (uint16_t)n->lid : 0;        /* such a name is the id itself */
    n->id = known_id(cache, n);
    if (n->id || !create)
        return n->id;
    n->id = stored_id(tx, n);
    if (!n->id)
        n->id = insert_name(tx, n);
    if (n->id)
        remember(cache, n);
    return n->id;
}

enum ec store_named_ids(struct store *st, const struct PropertyName *names, uint32_t count, bool create, uint16_t *ids)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = create ? store_begin(st) : store_read(st);
    struct named_cache *cache = load(&tx);
    for (uint32_t i = 0; i < count; i++) {
        struct named n;
        ids[i] = normalise(arena, &names[i], &n) ? find_or_create(&tx, cache, &n, create) : 0;
    }
    const enum ec ec = store_end(&tx);
    if (ec && create)
        cache->loaded = false;                         /* what was remembered was not stored */
    talloc_free(arena);
    return ec;
}

/* ---- ids to names ---- */

static struct PropertyName name_of(TALLOC_CTX *arena, const struct named *n)
{
    struct PropertyName out = { .Kind = n->kind, .GUID = n->guid, .LID = n->lid };
    if (n->kind == KIND_NAME) {
        const struct blob text = utf16_of_utf8(arena, n->name);
        uint8_t *bytes = talloc_zero_array(arena, uint8_t, text.size + 2);
        memcpy(bytes, text.data, text.size);
        out.Name = BLOB_OF(bytes, MIN(text.size + 2, UINT8_MAX));
        out.NameSize = (uint8_t)out.Name.size;
    }
    return out;
}

static const struct named *by_id(const struct named_cache *cache, uint16_t id)
{
    for (const struct named *n = cache->by_id[id % COUNTOF(cache->by_id)]; n; n = n->next)
        if (n->id == id)
            return n;
    return NULL;
}

enum ec store_named_names(TALLOC_CTX *arena, struct store *st, const uint16_t *ids, uint32_t count, struct PropertyName *out)
{
    struct store_tx tx = store_read(st);
    struct named_cache *cache = load(&tx);
    for (uint32_t i = 0; i < count; i++) {
        const struct named *n = by_id(cache, ids[i]);
        if (n)
            out[i] = name_of(arena, n);
        else if (ids[i] < FIRST_ID)
            out[i] = (struct PropertyName){ .Kind = KIND_LID, .GUID = PS_MAPI, .LID = ids[i] };
        else
            out[i] = (struct PropertyName){ .Kind = KIND_NONE };
    }
    return store_end(&tx);
}

enum ec store_named_all(TALLOC_CTX *arena, struct store *st, const struct guid *only, uint8_t query_flags,
                        uint16_t **ids, struct PropertyName **names, uint32_t *count)
{
    uint32_t room = 64;
    *ids = talloc_array(arena, uint16_t, room);
    *names = talloc_array(arena, struct PropertyName, room);
    *count = 0;
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_query(&tx.sql, named_all_sql, BIND(B_INT(st->mb)));
    while (sql_next(&rows)) {
        struct named n;
        read_named(&rows, &n);
        if ((only && !guid_equal(*only, n.guid)) || (n.kind == KIND_NAME && query_flags & NO_STRINGS) ||
            (n.kind == KIND_LID && query_flags & NO_IDS))
            continue;
        if (*count == room) {
            room *= 2;
            *ids = talloc_realloc(arena, *ids, uint16_t, room);
            *names = talloc_realloc(arena, *names, struct PropertyName, room);
        }
        (*ids)[*count] = n.id;
        (*names)[(*count)++] = name_of(arena, &n);
    }
    return store_end(&tx);
}
