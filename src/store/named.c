/* SPDX-License-Identifier: Apache-2.0 */
/* Named properties: [MS-OXCPRPT] 3.2.5.9, 3.2.5.10.  A mapping that was handed out never changes, so what was looked up
 * once stays known while the mailbox is open. */
#include "store/internal.h"
#include "wire/guids.h"

enum { KIND_LID = 0, KIND_NAME = 1, KIND_NONE = 0xFF };
/* What others send takes no id after ID_LAST_OF_MAIL: the rest is for the owner's own programs. */
enum { ID_FIRST = 0x8000, ID_LAST_OF_MAIL = 0xBFFF, ID_LAST = 0xFFFE, NAME_MAX_CHARACTERS = 254, CACHE = 256 };
enum { QUERY_NO_STRINGS = 0x01, QUERY_NO_IDS = 0x02 };

/* A name as it is kept: GUID, kind, number or text. */
struct name {
    struct guid guid;
    uint8_t kind;
    uint32_t lid;
    const char *text, *key; /* key: compared without case */
};
struct named_cache {
    struct {
        struct name name;
        uint16_t id;
    } slots[CACHE];
};

static bool name_of(TALLOC_CTX *arena, const struct PropertyName *from, struct name *name)
{
    *name = (struct name){ .guid = from->GUID, .kind = from->Kind, .text = "", .key = "" };
    if (from->Kind == KIND_LID) {
        name->lid = from->LID;
        return true;
    }
    if (from->Kind != KIND_NAME)
        return false;
    name->text = utf8_of_utf16(arena, from->Name.data, from->Name.size); /* up to its zero */
    name->key = text_fold_only(arena, name->text, FOLD_CASE);
    if (guid_equal(name->guid, PS_INTERNET_HEADERS))
        name->text = name->key;
    return *name->text && from->Name.size / 2 <= NAME_MAX_CHARACTERS + 1;
}

/* ---- what is known ---- */

static size_t slot_of(const struct name *name)
{
    uint64_t hash = name->lid + 1;
    for (size_t i = 0; i < sizeof name->guid.bytes; i++)
        hash = (hash ^ name->guid.bytes[i]) * UINT64_C(0x100000001B3);
    for (const char *at = name->key; *at; at++)
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001B3);
    return (hash ^ hash >> 32) % CACHE;
}

static uint16_t cached(const struct store *st, const struct name *name)
{
    const size_t slot = slot_of(name);
    if (!st->named || !st->named->slots[slot].id)
        return 0;
    const struct name *known = &st->named->slots[slot].name;
    const bool same = known->kind == name->kind && known->lid == name->lid && guid_equal(known->guid, name->guid) &&
                      !strcmp(known->key, name->key);
    return same ? st->named->slots[slot].id : 0;
}

static void remember(struct store *st, const struct name *name, uint16_t id)
{
    if (!st->named)
        st->named = talloc_zero(st, struct named_cache);
    const size_t slot = slot_of(name);
    if (st->named->slots[slot].id)
        talloc_free((void *)st->named->slots[slot].name.key);
    st->named->slots[slot].name = *name;
    st->named->slots[slot].name.text = NULL;
    st->named->slots[slot].name.key = talloc_strdup(st->named, name->key);
    st->named->slots[slot].id = id;
}

/* ---- names to ids ---- */

static const char named_find_sql[] =
    "SELECT id FROM named WHERE mb = $1 AND guid = $2 AND kind = $3 AND lid = $4 AND name_key = $5";
static const char named_new_sql[] =
    "INSERT INTO named(mb, id, guid, kind, lid, name, name_key)"
    " SELECT $1, next.id, $2, $3, $4, $6, $5"
    "  FROM (SELECT COALESCE(MAX(id), $7) + 1 AS id FROM named WHERE mb = $1) AS next WHERE next.id <= $8"
    " RETURNING id";

/* How many names may be made, and up to which id. */
struct making {
    uint32_t left;
    uint16_t last;
};

static uint16_t find_or_make(struct store_tx *tx, const struct name *name, struct making *making)
{
    const struct sql_value guid = B_BYTES(name->guid.bytes, sizeof name->guid.bytes);
    const struct sql_value key = B_BYTES(name->key, strlen(name->key));
    int64_t id = sql_int_or(&tx->sql, 0, named_find_sql,
                            BIND(B_INT(tx->st->mb), guid, B_INT(name->kind), B_INT(name->lid), key));
    if (id || !making->left || sql_failed(&tx->sql))
        return (uint16_t)id;
    id = sql_int_or(&tx->sql, 0, named_new_sql,
                    BIND(B_INT(tx->st->mb), guid, B_INT(name->kind), B_INT(name->lid), key, B_TEXT(name->text),
                         B_INT(ID_FIRST - 1), B_INT(making->last)));
    making->left -= id != 0;
    if (!id && making->last == ID_LAST)
        sql_abort(&tx->sql, ecNotEnoughMemory); /* [MS-OXCPRPT] 3.2.5.10: no more of them */
    return (uint16_t)id;
}

/* PS_MAPI names the properties below 0x8000 by their ids. */
static uint16_t id_of(struct store_tx *tx, const struct name *name, struct making *making)
{
    if (guid_equal(name->guid, PS_MAPI))
        return name->kind == KIND_LID && name->lid < ID_FIRST ? (uint16_t)name->lid : 0;
    return find_or_make(tx, name, making);
}

static bool all_cached(TALLOC_CTX *arena, const struct store *st, const struct PropertyName *names, uint32_t count,
                       uint16_t *ids)
{
    bool all = true;
    for (uint32_t i = 0; i < count; i++) {
        struct name name;
        ids[i] = name_of(arena, &names[i], &name) ? cached(st, &name) : 0;
        all &= ids[i] != 0;
    }
    return all;
}

/* Only after the commit: a mapping that was rolled back must not be remembered. */
static void remember_all(TALLOC_CTX *arena, struct store *st, const struct PropertyName *names, uint32_t count,
                         const uint16_t *ids)
{
    for (uint32_t i = 0; i < count; i++) {
        struct name name;
        if (ids[i] && name_of(arena, &names[i], &name))
            remember(st, &name, ids[i]);
    }
}

static enum ec ids_of(struct store *st, const struct PropertyName *names, uint32_t count, struct making *making,
                      uint16_t *ids)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    enum ec ec = ecNone;
    if (!all_cached(arena, st, names, count, ids)) {
        struct store_tx tx = making->left ? store_begin(st) : store_read(st);
        for (uint32_t i = 0; i < count; i++) {
            struct name name;
            if (!ids[i] && name_of(arena, &names[i], &name))
                ids[i] = id_of(&tx, &name, making);
        }
        const bool outermost = tx.outermost;
        ec = store_end(&tx);
        if (!ec && outermost)
            remember_all(arena, st, names, count, ids);
    }
    talloc_free(arena);
    return ec;
}

enum ec store_named_ids(struct store *st, const struct PropertyName *names, uint32_t count, bool create, uint16_t *ids)
{
    return ids_of(st, names, count, &(struct making){ create ? UINT32_MAX : 0, ID_LAST }, ids);
}

enum ec store_named_ids_of_mail(struct store *st, const struct PropertyName *names, uint32_t count, uint32_t *allowance,
                                uint16_t *ids)
{
    struct making making = { *allowance, ID_LAST_OF_MAIL };
    const enum ec ec = ids_of(st, names, count, &making, ids);
    if (!ec)
        *allowance = making.left;
    return ec;
}

/* ---- ids to names ---- */

static struct blob wide_name(TALLOC_CTX *arena, const char *text)
{
    struct buf name;
    const struct blob wide = utf16_of_utf8(arena, text);
    buf_init(&name, arena);
    buf_add(&name, wide.data, wide.size);
    put_le16(buf_grow(&name, 2), 0);
    return buf_blob(&name);
}

/* Columns guid, kind, lid, name from `first` on. */
static struct PropertyName name_of_row(TALLOC_CTX *arena, struct sql_rows *rows, unsigned first)
{
    struct PropertyName name = { .Kind = (uint8_t)sql_col_int(rows, first + 1),
                                 .LID = (uint32_t)sql_col_int(rows, first + 2) };
    const struct blob guid = sql_col_blob(rows, first);
    if (guid.size == sizeof name.GUID.bytes)
        memcpy(name.GUID.bytes, guid.data, guid.size);
    if (name.Kind == KIND_NAME) {
        name.Name = wide_name(arena, sql_col_text(rows, first + 3));
        name.NameSize = (uint8_t)MIN(name.Name.size, (size_t)UINT8_MAX);
    }
    return name;
}

static const char named_name_sql[] = "SELECT guid, kind, lid, name FROM named WHERE mb = $1 AND id = $2";

enum ec store_named_names(TALLOC_CTX *arena, struct store *st, const uint16_t *ids, uint32_t count,
                          struct PropertyName *out)
{
    struct store_tx tx = store_read(st);
    for (uint32_t i = 0; i < count; i++) {
        out[i] = (struct PropertyName){ .Kind = KIND_LID, .GUID = PS_MAPI, .LID = ids[i] };
        if (ids[i] < ID_FIRST)
            continue;
        out[i] = (struct PropertyName){ .Kind = KIND_NONE };
        struct sql_rows rows = sql_query(&tx.sql, named_name_sql, BIND(B_INT(st->mb), B_INT(ids[i])));
        if (sql_next(&rows))
            out[i] = name_of_row(arena, &rows, 0);
        sql_done(&rows);
    }
    return store_end(&tx);
}

static const char named_all_sql[] = "SELECT id, guid, kind, lid, name FROM named WHERE mb = $1 ORDER BY id";

enum ec store_named_all(TALLOC_CTX *arena, struct store *st, const struct guid *only, uint8_t query_flags,
                        uint16_t **ids, struct PropertyName **names, uint32_t *count)
{
    uint32_t n = 0;
    *ids = NULL;
    *names = NULL;
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_query(&tx.sql, named_all_sql, BIND(B_INT(st->mb)));
    while (sql_next(&rows)) {
        const struct PropertyName name = name_of_row(arena, &rows, 1);
        const uint8_t unwanted = name.Kind == KIND_NAME ? QUERY_NO_STRINGS : QUERY_NO_IDS;
        if ((query_flags & unwanted) || (only && !guid_equal(*only, name.GUID)))
            continue;
        *ids = talloc_realloc(arena, *ids, uint16_t, n + 1);
        *names = talloc_realloc(arena, *names, struct PropertyName, n + 1);
        (*ids)[n] = (uint16_t)sql_col_int(&rows, 0);
        (*names)[n++] = name;
    }
    *count = n;
    return store_end(&tx);
}
