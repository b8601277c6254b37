/* SPDX-License-Identifier: Apache-2.0 */
#include "store/item.h"

#include <assert.h>
#include <stdlib.h>

#include "store/internal.h"

enum {
    /* A bag is read with every row of a page, so it stays small: values over the first size lie apart, and those over
     * the second one as well, if all together are more than the third; and so on. */
    INLINE_LIMIT = 4096,
    INLINE_LIMIT_CROWDED = 512,
    CROWDED = 32 * 1024,
    INLINE_LIMIT_FULL = 32,
    FULL = 256 * 1024,
    PROPERTIES_MAX = 8192,
};

/* ---- finding ---- */

/* The first change whose id is not before the tag's. */
static uint32_t change_position(const struct item *item, uint32_t tag)
{
    uint32_t low = 0, high = item->count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (PROP_ID(item->changes[middle].tag) < PROP_ID(tag))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct item_change *change_of(const struct item *item, uint32_t tag)
{
    const uint32_t at = change_position(item, tag);
    return at < item->count && PROP_ID(item->changes[at].tag) == PROP_ID(tag) ? &item->changes[at] : NULL;
}

struct item_value item_find(TALLOC_CTX *arena, const struct item *item, uint32_t tag)
{
    struct item_value value = { .tag = tag };
    const struct item_change *change = change_of(item, tag);
    if (change && change->removed)
        return value;
    if (change) {
        value.tag = change->tag;
        value.place = change->spool ? BAG_APART : BAG_HERE;
        value.spool = change->spool;
        value.prop = change->prop;
        value.apart = (struct bag_apart){ change->tag, change->spool ? spool_size(change->spool) : 0, 0 };
        return value;
    }
    value.place = bag_find(arena, &item->bag, tag, &value.prop, &value.apart);
    if (value.place)
        value.tag = value.place == BAG_APART ? value.apart.tag : value.prop.tag;
    return value;
}

bool item_has(const struct item *item, uint32_t tag)
{
    const struct item_change *change = change_of(item, tag);
    return change ? !change->removed : bag_find(NULL, &item->bag, tag, NULL, NULL) != BAG_ABSENT;
}

bool item_changed(const struct item *item, uint32_t tag)
{
    return change_of(item, tag) != NULL;
}

/* Walks stored and changed properties together, by id. */
struct walk {
    const struct item *item;
    uint32_t stored, changed;
};

static bool walk_next(struct walk *walk, uint32_t *tag, const struct item_change **change, uint32_t *stored)
{
    const struct item *item = walk->item;
    for (;;) {
        const bool more = walk->stored < item->bag.count;
        const struct item_change *c = walk->changed < item->count ? &item->changes[walk->changed] : NULL;
        if (!more && !c)
            return false;
        const uint32_t next = more ? bag_tag(&item->bag, walk->stored) : 0;
        if (!c || (more && PROP_ID(next) < PROP_ID(c->tag))) {
            *tag = next;
            *change = NULL;
            *stored = walk->stored++;
            return true;
        }
        walk->changed++;
        walk->stored += more && PROP_ID(next) == PROP_ID(c->tag);
        if (!c->removed) {
            *tag = c->tag;
            *change = c;
            return true;
        }
    }
}

uint32_t item_tags(TALLOC_CTX *arena, const struct item *item, uint32_t **tags)
{
    struct walk walk = { .item = item };
    const struct item_change *change;
    uint32_t count = 0, stored;
    *tags = talloc_array(arena, uint32_t, (size_t)item->bag.count + item->count);
    while (walk_next(&walk, &(*tags)[count], &change, &stored))
        count++;
    return count;
}

uint32_t item_changes(TALLOC_CTX *arena, const struct item *item, const uint32_t **tags)
{
    uint32_t *all = talloc_array(arena, uint32_t, item->count);
    for (uint32_t i = 0; i < item->count; i++)
        all[i] = item->changes[i].tag;
    *tags = all;
    return item->count;
}

const uint32_t *tags_join(TALLOC_CTX *arena, const uint32_t *computed, uint32_t count, const uint32_t *own,
                          uint32_t own_count, uint32_t *joined)
{
    uint32_t *tags = talloc_array(arena, uint32_t, (size_t)count + own_count);
    memcpy(tags, computed, count * sizeof *tags);
    *joined = count;
    for (uint32_t i = 0; i < own_count; i++) {
        bool twice = false;
        for (uint32_t k = 0; k < count && !twice; k++)
            twice = PROP_ID(computed[k]) == PROP_ID(own[i]);
        if (!twice)
            tags[(*joined)++] = own[i];
    }
    return tags;
}

uint64_t item_size(const struct item *item)
{
    struct walk walk = { .item = item };
    const struct item_change *change;
    uint32_t tag, stored;
    uint64_t size = 0;
    while (walk_next(&walk, &tag, &change, &stored)) {
        struct bag_apart apart;
        if (change)
            size += change->spool ? spool_size(change->spool) : prop_size(&change->prop);
        else if (bag_at(NULL, &item->bag, stored, NULL, &apart) == BAG_APART)
            size += apart.size;
        else
            size += bag_encoded(&item->bag, stored).size;
        size += sizeof tag;
    }
    return size;
}

/* ---- values that are stored apart ---- */

static const char value_piece_sql[] =
    "SELECT substr(data, CAST($7 AS INTEGER), CAST($8 AS INTEGER)) FROM value"
    " WHERE mb = $1 AND id = $2 AND num = $3 AND tag = $4 AND version = $5 AND chunk = $6";
static const char value_write_sql[] =
    "INSERT INTO value(mb, id, num, tag, version, chunk, data) VALUES ($1, $2, $3, $4, $5, $6, $7)";
static const char value_delete_sql[] =
    "DELETE FROM value WHERE mb = $1 AND id = $2 AND num = $3 AND tag = $4 AND version = $5";

/* A piece that is missing belonged to a state that somebody else's save has replaced. */
static enum ec read_piece(struct store *st, const struct item *item, const struct bag_apart *apart, uint64_t offset,
                          uint8_t *to, size_t count)
{
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_query(&tx.sql, value_piece_sql,
                                     BIND(B_INT(st->mb), B_INT(item->id), B_INT(item->num), B_INT(apart->tag),
                                          B_INT((int64_t)apart->version), B_INT((int64_t)(offset / VALUE_CHUNK)),
                                          B_INT((int64_t)(offset % VALUE_CHUNK) + 1), B_INT((int64_t)count)));
    const bool found = sql_next(&rows) && sql_col_blob(&rows, 0).size == count;
    if (found && count)
        memcpy(to, sql_col_blob(&rows, 0).data, count);
    sql_done(&rows);
    const enum ec ec = store_end(&tx);
    return ec ? ec : found ? ecNone : ecObjectModified;
}

enum ec value_read(TALLOC_CTX *arena, struct store *st, const struct item *item, const struct bag_apart *apart,
                   uint64_t offset, size_t count, struct blob *out)
{
    *out = BLOB_OF(NULL, 0);
    count = offset >= apart->size ? 0 : (size_t)MIN((uint64_t)count, apart->size - offset);
    uint8_t *bytes = talloc_size(arena, count + 1);
    if (!bytes)
        return ecNotEnoughMemory;
    bytes[count] = 0;
    for (size_t done = 0; done < count;) {
        const size_t piece = MIN(count - done, VALUE_CHUNK - (size_t)((offset + done) % VALUE_CHUNK));
        const enum ec ec = read_piece(st, item, apart, offset + done, bytes + done, piece);
        if (ec)
            return ec;
        done += piece;
    }
    *out = BLOB_OF(bytes, count);
    return ecNone;
}

enum ec value_to_spool(struct store *st, const struct item *item, const struct bag_apart *apart, struct spool *spool)
{
    enum ec ec = ecNone;
    for (uint64_t at = 0; !ec && at < apart->size;) {
        struct blob piece;
        ec = value_read(spool, st, item, apart, at, VALUE_CHUNK, &piece);
        if (!ec)
            ec = spool_write(spool, at, piece);
        at += piece.size;
        talloc_free((void *)piece.data);
    }
    return ec;
}

static enum ec apart_read(TALLOC_CTX *arena, struct store *st, const struct item *item, const struct item_value *value,
                          size_t count, struct blob *out)
{
    if (!value->spool)
        return value_read(arena, st, item, &value->apart, 0, count, out);
    uint8_t *bytes = talloc_size(arena, count + 1);
    size_t got = 0;
    const enum ec ec = bytes ? spool_read(value->spool, 0, bytes, count, &got) : ecNotEnoughMemory;
    if (!ec)
        bytes[got] = 0;
    *out = BLOB_OF(bytes, got);
    return ec;
}

/* ---- getting ---- */

/* The longest start of a text that has at most `units` UTF-16 code units. */
static size_t text_start(const char *text, size_t units)
{
    size_t at = 0;
    while (text[at]) {
        const uint8_t lead = (uint8_t)text[at];
        const size_t bytes = lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
        const size_t takes = bytes == 4 ? 2 : 1;
        if (takes > units || strnlen(text + at, bytes) < bytes)
            break;
        units -= takes;
        at += bytes;
    }
    return at;
}

static void cut_value(TALLOC_CTX *arena, size_t limit, struct prop *p)
{
    const uint16_t type = PROP_TYPE(p->tag);
    if (type == PtypString || type == PtypString8) {
        const size_t length = text_start(p->str, type == PtypString ? limit / 2 : limit);
        if (p->str[length])
            p->str = talloc_strndup(arena, p->str, length);
    } else if (type == PtypBinary) {
        p->bin.size = MIN(p->bin.size, limit);
    }
}

static bool is_text(uint16_t type)
{
    return (type & ~PtypMultiple) == PtypString || (type & ~PtypMultiple) == PtypString8;
}

void item_convert(TALLOC_CTX *arena, uint32_t tag, size_t limit, bool cut, struct prop *p)
{
    const uint16_t wanted = PROP_TYPE(tag), type = PROP_TYPE(p->tag);
    if (type == PtypErrorCode)
        return;
    if (wanted != type && wanted != PtypUnspecified) {
        if (is_text(wanted) && is_text(type) && (wanted & PtypMultiple) == (type & PtypMultiple))
            p->tag = PROP_AS(p->tag, wanted);
        else if (wanted == PtypObject && type == PtypBinary)
            *p = P_ERR(tag, ecNotSupported);
        else
            *p = P_ERR(tag, ecNotFound);
        if (PROP_TYPE(p->tag) == PtypErrorCode)
            return;
    }
    if (cut)
        cut_value(arena, limit, p);
    else if (prop_size(p) > limit)
        *p = P_ERR(tag, ecNotEnoughMemory);
}

/* Bytes to load of a value that lies apart so that `limit` bytes of the answer are there.  A text grows to at most
 * twice its size in UTF-16, and takes at most three bytes for each of its code units here. */
static bool apart_fits(uint32_t tag, uint64_t size, size_t limit, bool cut, size_t *load)
{
    const bool text = PROP_TYPE(tag) == PtypString;
    *load = (size_t)MIN(size, (uint64_t)ITEM_LOAD_LIMIT);
    if (cut && PROP_TYPE(tag) == PtypBinary)
        *load = MIN(*load, limit);
    else if (cut && text)
        *load = MIN(*load, limit / 2 * 3 + 4);
    else
        return size <= ITEM_LOAD_LIMIT && (text ? size <= limit / 2 : size <= limit);
    return true;
}

static void get_apart(TALLOC_CTX *arena, struct store *st, const struct item *item, uint32_t tag,
                      const struct item_value *value, size_t limit, bool cut, struct prop *out)
{
    struct blob bytes;
    size_t load;
    const bool fits = apart_fits(value->tag, value->apart.size, limit, cut, &load);
    const enum ec ec = fits ? apart_read(arena, st, item, value, load, &bytes) : ecNotEnoughMemory;
    if (ec)
        *out = P_ERR(tag, ec);
    else if (PROP_TYPE(value->tag) == PtypString)
        *out = P_STR(value->tag, (const char *)bytes.data);
    else if (PROP_TYPE(value->tag) == PtypBinary)
        *out = P_BIN(value->tag, bytes);
    else
        *out = bag_decode(arena, value->tag, bytes);
}

void item_get(TALLOC_CTX *arena, struct store *st, const struct item *item, uint32_t tag, size_t limit, bool cut,
              struct prop *out)
{
    const struct item_value value = item_find(arena, item, tag);
    if (value.place == BAG_ABSENT) {
        *out = P_ERR(tag, ecNotFound);
        return;
    }
    if (value.place == BAG_APART)
        get_apart(arena, st, item, tag, &value, limit, cut, out);
    else
        *out = value.prop;
    item_convert(arena, tag, limit, cut, out);
    if (value.place == BAG_HERE)
        *out = prop_copy(arena, out); /* the item may change before the arena goes */
}

/* ---- changing ---- */

static bool texts_are_valid(const struct prop *p)
{
    if (PROP_TYPE(p->tag) == PtypString || PROP_TYPE(p->tag) == PtypString8)
        return !p->str || utf8_is_valid(p->str, strlen(p->str));
    for (uint32_t i = 0; is_text(PROP_TYPE(p->tag)) && i < p->mv.count; i++)
        if (p->mv.str[i] && !utf8_is_valid(p->mv.str[i], strlen(p->mv.str[i])))
            return false;
    return true;
}

enum ec item_check(const struct item *item, const struct prop *p)
{
    const uint16_t type = PROP_TYPE(p->tag);
    if (PROP_ID(p->tag) == 0 || !prop_type_known(type) || type == PtypNull || type == PtypErrorCode)
        return ecInvalidParam;
    if (type == PtypObject)
        return ecNotSupported;
    if (!texts_are_valid(p))
        return ecInvalidParam;
    if (item && item->bag.count + item->count >= PROPERTIES_MAX && !item_has(item, p->tag))
        return ecNotEnoughMemory;
    const size_t size = prop_size(p);
    const bool fits = !item || (item->in_memory + size <= ITEM_CHANGES_LIMIT && budget_has(item->budget, size));
    return fits ? ecNone : ecNotEnoughMemory;
}

static void change_drop(struct item *item, struct item_change *change)
{
    if (!change->removed && !change->spool)
        item->in_memory -= prop_size(&change->prop);
    talloc_free(change->memory);
}

static struct item_change *change_for(struct item *item, uint32_t tag)
{
    const uint32_t at = change_position(item, tag);
    if (at < item->count && PROP_ID(item->changes[at].tag) == PROP_ID(tag)) {
        struct item_change *change = &item->changes[at];
        change_drop(item, change);
        *change = (struct item_change){ .tag = tag };
        return change;
    }
    assert(item->owner);
    if (item->count == (item->changes ? talloc_array_length(item->changes) : 0))
        item->changes = talloc_realloc(item->owner, item->changes, struct item_change, MAX(8, item->count * 2));
    memmove(item->changes + at + 1, item->changes + at, (item->count - at) * sizeof *item->changes);
    item->count++;
    item->changes[at] = (struct item_change){ .tag = tag };
    return &item->changes[at];
}

void item_set(struct item *item, const struct prop *p)
{
    struct prop kept = *p;
    kept.tag = prop_stored(p->tag);
    if (PROP_TYPE(kept.tag) == PtypString && !kept.str)
        kept.str = "";
    TALLOC_CTX *memory = charge_new(item->owner, item->budget, prop_size(&kept));
    kept = prop_copy(memory, &kept); /* before the old value goes, of which it may be a part */
    struct item_change *change = change_for(item, kept.tag);
    change->memory = memory;
    change->prop = kept;
    item->in_memory += prop_size(&kept);
}

void item_set_spool(struct item *item, uint32_t tag, struct spool *spool)
{
    struct spool *shared = spool_share(item->owner, spool);
    struct item_change *change = change_for(item, prop_stored(tag));
    change->memory = change->spool = shared;
}

void item_remove(struct item *item, uint32_t tag)
{
    if (item_has(item, tag))
        change_for(item, tag)->removed = true;
}

void item_clear(struct item *item)
{
    for (uint32_t i = 0; i < item->count; i++)
        change_drop(item, &item->changes[i]);
    talloc_free(item->changes);
    item->changes = NULL;
    item->count = 0;
}

static enum ec clone_apart(struct store *st, struct item *to, const struct item *from, uint32_t tag,
                           const struct item_value *value)
{
    struct spool *spool = value->spool ? spool_share(NULL, value->spool) : spool_new(NULL);
    const enum ec ec = value->spool ? ecNone : value_to_spool(st, from, &value->apart, spool);
    if (!ec)
        item_set_spool(to, tag, spool);
    talloc_free(spool);
    return ec;
}

enum ec item_clone(struct store *st, struct item *to, const struct item *from)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t *tags;
    const uint32_t count = item_tags(arena, from, &tags);
    enum ec ec = ecNone;
    for (uint32_t i = 0; !ec && i < count; i++) {
        const struct item_value value = item_find(arena, from, tags[i]);
        if (value.place == BAG_APART)
            ec = clone_apart(st, to, from, value.tag, &value);
        else if (PROP_TYPE(value.prop.tag) != PtypErrorCode)
            item_set(to, &value.prop);
    }
    talloc_free(arena);
    return ec;
}

void item_share(struct item *to, TALLOC_CTX *owner, const struct item *from)
{
    *to = (struct item){ .owner = owner, .bag = from->bag, .id = from->id, .num = from->num, .budget = from->budget };
    to->bag.bytes = blob_copy(owner, from->bag.bytes);
    charge_blob(to->budget, to->bag.bytes);
    for (uint32_t i = 0; i < from->count; i++) {
        const struct item_change *change = &from->changes[i];
        if (change->removed)
            item_remove(to, change->tag);
        else if (change->spool)
            item_set_spool(to, change->tag, change->spool);
        else
            item_set(to, &change->prop);
    }
}

/* ---- storing ---- */

struct pack {
    TALLOC_CTX *arena;
    struct store_tx *tx;
    const struct item *item;
    int64_t id;
    int32_t num;
    uint64_t version;
    struct bag_entry *entries;
    struct spool **spools; /* beside the entries: where an entry's bytes are */
    uint32_t count;
};

static void write_chunk(struct pack *pack, uint32_t tag, uint64_t offset, struct blob bytes)
{
    sql_exec(&pack->tx->sql, value_write_sql,
             BIND(B_INT(pack->tx->st->mb), B_INT(pack->id), B_INT(pack->num), B_INT(tag), B_INT((int64_t)pack->version),
                  B_INT((int64_t)(offset / VALUE_CHUNK)), B_BLOB(bytes)));
}

static void write_bytes(struct pack *pack, uint32_t tag, struct blob bytes)
{
    for (size_t at = 0; at < bytes.size; at += VALUE_CHUNK)
        write_chunk(pack, tag, at, BLOB_OF(bytes.data + at, MIN(bytes.size - at, (size_t)VALUE_CHUNK)));
}

static void write_spool(struct pack *pack, uint32_t tag, const struct spool *spool)
{
    uint8_t *piece = talloc_array(pack->arena, uint8_t, VALUE_CHUNK);
    for (uint64_t at = 0; at < spool_size(spool) && !sql_failed(&pack->tx->sql); at += VALUE_CHUNK) {
        size_t got;
        const enum ec ec = spool_read(spool, at, piece, VALUE_CHUNK, &got);
        if (ec)
            sql_abort(&pack->tx->sql, ec);
        else
            write_chunk(pack, tag, at, BLOB_OF(piece, got));
    }
    talloc_free(piece);
}

/* The value's bytes alone: text without its zero, binary without its count. */
static struct blob payload(uint32_t tag, struct blob encoded)
{
    if (PROP_TYPE(tag) == PtypString)
        return BLOB_OF(encoded.data, encoded.size - 1);
    return PROP_TYPE(tag) == PtypBinary ? BLOB_OF(encoded.data + 4, encoded.size - 4) : encoded;
}

/* A spool that turned out small goes into the bag. */
static void encode_spool(struct pack *pack, struct bag_entry *entry, const struct spool *spool)
{
    struct blob bytes;
    const enum ec ec = spool_all(pack->arena, spool, &bytes);
    if (ec) {
        sql_abort(&pack->tx->sql, ec);
        return;
    }
    const struct prop p =
        PROP_TYPE(entry->tag) == PtypString ? P_STR(entry->tag, (const char *)bytes.data) : P_BIN(entry->tag, bytes);
    entry->encoded = bag_encode(pack->arena, &p);
}

static uint64_t collect(struct pack *pack)
{
    struct walk walk = { .item = pack->item };
    const struct item_change *change;
    uint32_t tag, stored;
    uint64_t here = 0;
    while (walk_next(&walk, &tag, &change, &stored)) {
        struct bag_entry *entry = &pack->entries[pack->count];
        *entry = (struct bag_entry){ .tag = tag };
        if (change && change->spool && spool_size(change->spool) > INLINE_LIMIT)
            pack->spools[pack->count] = change->spool;
        else if (change && change->spool)
            encode_spool(pack, entry, change->spool);
        else if (change)
            entry->encoded = bag_encode(pack->arena, &change->prop);
        else if (bag_at(pack->arena, &pack->item->bag, stored, NULL, &entry->apart) == BAG_APART)
            entry->is_apart = true;
        else
            entry->encoded = bag_encoded(&pack->item->bag, stored);
        here += entry->encoded.size;
        pack->count++;
    }
    return here;
}

static void lay_apart(struct pack *pack, uint32_t at)
{
    struct bag_entry *entry = &pack->entries[at];
    const struct spool *spool = pack->spools[at];
    const struct blob bytes = spool ? BLOB_OF(NULL, 0) : payload(entry->tag, entry->encoded);
    entry->is_apart = true;
    entry->apart = (struct bag_apart){ entry->tag, spool ? spool_size(spool) : bytes.size, pack->version };
    if (spool)
        write_spool(pack, entry->tag, spool);
    else
        write_bytes(pack, entry->tag, bytes);
}

/* What lay apart and was changed or removed. */
static void delete_replaced(struct pack *pack)
{
    for (uint32_t i = 0; i < pack->item->count; i++) {
        struct bag_apart old;
        if (bag_find(NULL, &pack->item->bag, pack->item->changes[i].tag, NULL, &old) == BAG_APART)
            sql_exec(&pack->tx->sql, value_delete_sql,
                     BIND(B_INT(pack->tx->st->mb), B_INT(pack->id), B_INT(pack->num), B_INT(old.tag),
                          B_INT((int64_t)old.version)));
    }
}

struct blob item_pack(TALLOC_CTX *arena, struct store_tx *tx, const struct item *item, int64_t id, int32_t num,
                      uint64_t version)
{
    assert(item->bag.count == 0 || (item->id == id && item->num == num));
    const size_t most = (size_t)item->bag.count + item->count;
    struct pack pack = { .arena = arena, .tx = tx, .item = item, .id = id, .num = num, .version = version };
    pack.entries = talloc_array(arena, struct bag_entry, most);
    pack.spools = talloc_zero_array(arena, struct spool *, most);
    const uint64_t here = collect(&pack);
    const size_t limit = here > FULL ? INLINE_LIMIT_FULL : here > CROWDED ? INLINE_LIMIT_CROWDED : INLINE_LIMIT;
    for (uint32_t i = 0; i < pack.count; i++)
        if (pack.spools[i] || (!pack.entries[i].is_apart && pack.entries[i].encoded.size > limit))
            lay_apart(&pack, i);
    delete_replaced(&pack);
    return bag_pack(arena, pack.entries, pack.count);
}

void item_stored(struct item *item, struct blob bag, int64_t id, int32_t num)
{
    item_clear(item);
    const uint8_t *old = item->bag.bytes.data;
    bag_open(&item->bag, blob_copy(item->owner, bag));
    charge_blob(item->budget, item->bag.bytes);
    talloc_free((void *)old);
    item->id = id;
    item->num = num;
}
