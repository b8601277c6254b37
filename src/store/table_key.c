/* SPDX-License-Identifier: Apache-2.0 */
/* The sort key of a row: bytes whose memcmp order is the order of the table.
 *
 *     for each sort order: { u8 0 absent, or u8 1 and the value }, all bits turned where it descends | u64 id | u32 instance
 *
 * Of two equal rows the newer one comes first where the first sort order descends. */
#include "store/table.h"

static void add_number(struct buf *key, uint64_t value, unsigned bytes)
{
    uint8_t *to = buf_grow(key, bytes);
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> (8 * (bytes - 1 - i)));
}

/* No value is the beginning of another one. */
static void add_bytes(struct buf *key, struct blob value)
{
    for (size_t i = 0; i < value.size; i++) {
        buf_add(key, &value.data[i], 1);
        if (value.data[i] == 0)
            buf_add(key, "\xff", 1);
    }
    buf_add(key, "\0", 2);
}

/* IEEE 754 numbers order like integers with a sign apart. */
static void add_double(struct buf *key, double value)
{
    uint64_t bits;
    const double number = value == 0 ? 0 : value; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    add_number(key, bits & 1ULL << 63 ? ~bits : bits | 1ULL << 63, 8);
}

static void add_text(struct buf *key, const char *text, uint32_t lcid)
{
    const struct blob sort = text_sort_key(key->owner, text ? text : "", lcid);
    buf_add(key, sort.data, sort.size); /* ends in its only zero */
}

static void add_value(struct buf *key, const struct prop *p, uint32_t lcid)
{
    switch (PROP_TYPE(p->tag)) {
    case PtypInteger16: add_number(key, (uint16_t)p->i16 ^ 0x8000u, 2); break;
    case PtypInteger32: add_number(key, p->u32 ^ 0x80000000u, 4); break;
    case PtypInteger64:
    case PtypCurrency: add_number(key, p->u64 ^ 1ULL << 63, 8); break;
    case PtypTime: add_number(key, p->u64, 8); break;
    case PtypFloating32: add_double(key, (double)p->f32); break;
    case PtypFloating64:
    case PtypFloatingTime: add_double(key, p->f64); break;
    case PtypBoolean: add_number(key, p->b, 1); break;
    case PtypString:
    case PtypString8: add_text(key, p->str, lcid); break;
    case PtypGuid: buf_add(key, p->guid.bytes, sizeof p->guid.bytes); break;
    case PtypBinary:
    case PtypServerId: add_bytes(key, p->bin); break;
    default: break; /* the order of multiple values is undefined: [MS-OXCTABL] 2.2.2.3.1 */
    }
}

static void turn(struct buf *key, size_t from)
{
    for (size_t i = from; i < key->size; i++)
        key->data[i] = (uint8_t)~key->data[i];
}

static void add_order(TALLOC_CTX *arena, struct buf *key, const struct table_row *row, uint32_t tag, bool descending)
{
    const size_t from = key->size;
    struct prop p;
    row_prop(arena, row, tag, CELL_LIMIT, true, &p);
    const bool absent = PROP_TYPE(p.tag) == PtypErrorCode;
    add_number(key, !absent, 1);
    if (!absent)
        add_value(key, &p, row->table->lcid);
    if (descending)
        turn(key, from);
}

static struct blob aggregate_of(TALLOC_CTX *arena, const struct table_row *row)
{
    const struct store_table *t = row->table;
    struct buf value;
    buf_init(&value, arena);
    add_order(arena, &value, row, t->order[t->categories].PropertyTag,
              t->order[t->categories - 1].Order == SORT_DESCENDING);
    return buf_blob(&value);
}

struct row_sort row_sort_key(TALLOC_CTX *arena, const struct table_row *row)
{
    const struct store_table *t = row->table;
    const struct SortOrder *order = t->order ? t->order : t->kind->order;
    const uint32_t count = t->order ? t->order_count : t->kind->order_count;
    struct row_sort sort = { 0 };
    struct buf key;
    buf_init(&key, arena);
    for (uint32_t i = 0; i < count; i++) {
        if (order[i].Order == SORT_MAXIMUM)
            sort.aggregate = aggregate_of(arena, row);
        else
            add_order(arena, &key, row, order[i].PropertyTag, order[i].Order == SORT_DESCENDING);
        if (i < t->categories)
            sort.ends[i] = (uint32_t)key.size;
    }
    const size_t from = key.size;
    add_number(&key, row->key.id, 8);
    if (count && order[0].Order == SORT_DESCENDING)
        turn(&key, from);
    add_number(&key, row->key.instance, 4);
    sort.key = buf_blob(&key);
    return sort;
}
