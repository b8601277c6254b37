/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients: kept in one blob of the message's row.
 *
 *     u32 count | count x { u32 row id, u8 type, u32 size, bag }        ascending by row id */
#include "store/message.h"

enum { FIXED = 9, RECIPIENTS_MAX = 32767 };
/* All of them are read and written at once. */
#define RECIPIENTS_SIZE_MAX ((size_t)16 * 1024 * 1024)

struct blob recipients_pack(TALLOC_CTX *arena, const struct store_recipient *recipients, uint32_t count)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    if (count)
        put_le32(buf_grow(&bytes, 4), count);
    for (uint32_t i = 0; i < count; i++) {
        const struct store_recipient *r = &recipients[i];
        const struct blob bag = bag_of(arena, r->props.values, r->props.count);
        uint8_t *fixed = buf_grow(&bytes, FIXED);
        put_le32(fixed, r->row_id);
        fixed[4] = r->type;
        put_le32(fixed + 5, (uint32_t)bag.size);
        buf_add(&bytes, bag.data, bag.size);
    }
    return buf_blob(&bytes);
}

static enum ec props_of(TALLOC_CTX *owner, struct blob bytes, struct props *props)
{
    struct bag bag;
    if (!bag_open(&bag, bytes))
        return ecCorruptStore;
    struct prop *values = talloc_array(owner, struct prop, bag.count);
    for (uint32_t i = 0; i < bag.count; i++)
        if (bag_at(owner, &bag, i, &values[i], NULL) != BAG_HERE)
            return ecCorruptStore;
    *props = (struct props){ bag.count, values };
    return ecNone;
}

/* The values point into `bytes`. */
enum ec recipients_unpack(TALLOC_CTX *owner, struct blob bytes, struct store_recipient **out, uint32_t *count)
{
    *out = NULL;
    *count = 0;
    if (!bytes.size)
        return ecNone;
    struct wire_in in = wire_in(owner, bytes);
    const uint32_t total = (uint32_t)wire_get_uint(&in, 4);
    if (in.bad || total > wire_left(&in) / FIXED)
        return ecCorruptStore;
    struct store_recipient *all = talloc_zero_array(owner, struct store_recipient, total);
    for (uint32_t i = 0; i < total; i++) {
        all[i].row_id = (uint32_t)wire_get_uint(&in, 4);
        all[i].type = (uint8_t)wire_get_uint(&in, 1);
        const struct blob bag = wire_get_bytes(&in, (size_t)wire_get_uint(&in, 4));
        if (in.bad || props_of(owner, bag, &all[i].props))
            return ecCorruptStore;
    }
    *out = all;
    *count = total;
    return ecNone;
}

enum ec recipients_read(struct store_message *m)
{
    if (m->recipients_read)
        return ecNone;
    m->recipients_read = true;
    const enum ec ec = recipients_unpack(m, m->packed, &m->recipients, &m->recipient_count);
    m->recipients_size = m->packed.size;
    if (ec)
        log_line(LOG_ERROR, "store", "%s: the recipients of message %lld are damaged; restore it from the backup",
                 m->st->url, (long long)m->row.id);
    return ec;
}

/* ---- PidTagDisplayTo and its like: [MS-OXOMSG] 2.2.1.7 to 2.2.1.9 ---- */

enum { TYPE_MASK = 0x0F };

const char *recipients_display(TALLOC_CTX *arena, const struct store_recipient *recipients, uint32_t count,
                               uint8_t type)
{
    static const uint32_t names[] = { PidTagDisplayName, PidTagRecipientDisplayName, PidTagSmtpAddress,
                                      PidTagEmailAddress };
    struct buf text;
    buf_init(&text, arena);
    for (uint32_t i = 0; i < count; i++) {
        const struct prop *name = NULL;
        if ((recipients[i].type & TYPE_MASK) != type)
            continue;
        for (size_t k = 0; k < COUNTOF(names) && (!name || !name->str || !*name->str); k++)
            name = prop_find(recipients[i].props.values, recipients[i].props.count, names[k]);
        if (name && name->str)
            buf_printf(&text, "%s%s", text.size ? "; " : "", name->str);
    }
    buf_add(&text, "", 1);
    return (const char *)text.data;
}

/* ---- the contract ---- */

uint32_t store_recipients(struct store_message *m, const struct store_recipient **out)
{
    recipients_read(m);
    *out = m->recipients;
    return m->recipient_count;
}

/* The first recipient whose row id is not before `row_id`. */
static uint32_t position(const struct store_message *m, uint32_t row_id)
{
    uint32_t at = m->recipient_count; /* clients add at the end */
    while (at > 0 && m->recipients[at - 1].row_id >= row_id)
        at--;
    return at;
}

static bool is_at(const struct store_message *m, uint32_t at, uint32_t row_id)
{
    return at < m->recipient_count && m->recipients[at].row_id == row_id;
}

/* As they will lie in the blob. */
static size_t size_of(const struct props *props)
{
    size_t size = FIXED;
    for (uint32_t i = 0; i < props->count; i++)
        size += 2 * sizeof(uint32_t) + prop_size(&props->values[i]);
    return size;
}

static void changed(struct store_message *m)
{
    m->recipients_changed = m->names_stale = true;
}

static void forget(struct store_message *m, uint32_t at)
{
    struct props *props = &m->recipients[at].props;
    m->recipients_size -= MIN(size_of(props), m->recipients_size);
    talloc_free((void *)props->values);
}

static struct props props_keep(TALLOC_CTX *owner, struct props from, enum ec *ec)
{
    struct prop *values = talloc_array(owner, struct prop, from.count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < from.count; i++) {
        if (PROP_TYPE(from.values[i].tag) == PtypErrorCode || prop_find(values, count, PROP_AS(from.values[i].tag, 0)))
            continue;
        *ec = *ec ? *ec : item_check(NULL, &from.values[i]);
        if (!*ec) {
            values[count] = prop_copy(values, &from.values[i]);
            values[count].tag = prop_stored(values[count].tag);
            count++;
        }
    }
    return (struct props){ count, values };
}

enum ec store_recipient_put(struct store_message *m, const struct store_recipient *r)
{
    enum ec ec = recipients_read(m);
    if (!ec && m->read_only)
        ec = ecAccessDenied;
    const uint32_t at = ec ? 0 : position(m, r->row_id);
    const bool replaces = !ec && is_at(m, at, r->row_id);
    if (!ec && !replaces && m->recipient_count >= RECIPIENTS_MAX)
        ec = ecTooManyRecips;
    const struct props kept = ec ? (struct props){ 0 } : props_keep(m, r->props, &ec);
    const size_t old = replaces ? size_of(&m->recipients[at].props) : 0;
    if (!ec && m->recipients_size + size_of(&kept) > RECIPIENTS_SIZE_MAX + old)
        ec = ecTooManyRecips;
    if (!ec && !budget_has(m->item.budget, size_of(&kept)))
        ec = ecNotEnoughMemory;
    if (ec) {
        talloc_free((void *)kept.values);
        return ec;
    }
    if (replaces) {
        forget(m, at);
    } else {
        if (m->recipient_count == (m->recipients ? talloc_array_length(m->recipients) : 0))
            m->recipients = talloc_realloc(m, m->recipients, struct store_recipient, MAX(8, m->recipient_count * 2));
        memmove(m->recipients + at + 1, m->recipients + at, (m->recipient_count - at) * sizeof *m->recipients);
        m->recipient_count++;
    }
    m->recipients[at] = (struct store_recipient){ r->row_id, r->type, kept };
    m->recipients_size += size_of(&kept);
    charge_new((void *)kept.values, m->item.budget, size_of(&kept));
    changed(m);
    return ecNone;
}

void store_recipient_remove(struct store_message *m, uint32_t row_id)
{
    if (recipients_read(m) || m->read_only)
        return;
    const uint32_t at = position(m, row_id);
    if (!is_at(m, at, row_id))
        return;
    forget(m, at);
    memmove(m->recipients + at, m->recipients + at + 1, (m->recipient_count - at - 1) * sizeof *m->recipients);
    m->recipient_count--;
    changed(m);
}

void store_recipients_clear(struct store_message *m)
{
    recipients_read(m);
    if (m->read_only)
        return;
    if (m->recipient_count)
        changed(m);
    for (uint32_t i = 0; i < m->recipient_count; i++)
        forget(m, i);
    m->recipient_count = 0;
}
