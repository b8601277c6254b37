/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/letter.h"

struct letter *letter_new(TALLOC_CTX *owner)
{
    struct letter *letter = talloc_zero(owner, struct letter);
    letter->owner = owner;
    letter->props.owner = owner;
    return letter;
}

/* Grows by doubling: room is the next power of two. */
static void *grown(TALLOC_CTX *owner, void *array, size_t size, uint32_t count)
{
    if (count & (count - 1) || (count == 0 && array))
        return array;
    return talloc_realloc_size(owner, array, size * (count ? (size_t)count * 2 : 1));
}

struct letter_recipient *letter_recipient_add(struct letter *letter, uint8_t type)
{
    struct letter_recipient *r = talloc_zero(letter->owner, struct letter_recipient);
    r->type = type;
    r->props.owner = letter->owner;
    letter->recipients = grown(letter->owner, letter->recipients, sizeof r, letter->recipient_count);
    letter->recipients[letter->recipient_count++] = r;
    return r;
}

struct letter_attachment *letter_attachment_add(struct letter *letter)
{
    struct letter_attachment *a = talloc_zero(letter->owner, struct letter_attachment);
    a->props.owner = letter->owner;
    letter->attachments = grown(letter->owner, letter->attachments, sizeof a, letter->attachment_count);
    letter->attachments[letter->attachment_count++] = a;
    return a;
}

static void share_props(TALLOC_CTX *owner, const struct letter_props *from, struct letter_props *to)
{
    to->owner = owner;
    for (uint32_t i = 0; i < from->count; i++)
        letter_set(to, from->values[i]);
    for (uint32_t i = 0; i < from->named_count; i++)
        letter_set_named(to, from->named[i].set, from->named[i].name, from->named[i].lid, from->named[i].value);
}

struct letter *letter_share(TALLOC_CTX *owner, const struct letter *from)
{
    struct letter *letter = letter_new(owner);
    share_props(owner, &from->props, &letter->props);
    for (uint32_t i = 0; i < from->recipient_count; i++)
        share_props(owner, &from->recipients[i]->props,
                    &letter_recipient_add(letter, from->recipients[i]->type)->props);
    for (uint32_t i = 0; i < from->attachment_count; i++) {
        struct letter_attachment *a = letter_attachment_add(letter);
        share_props(owner, &from->attachments[i]->props, &a->props);
        a->embedded = from->attachments[i]->embedded;
    }
    return letter;
}

/* ---- properties ---- */

void letter_set(struct letter_props *props, struct prop p)
{
    for (uint32_t i = 0; i < props->count; i++)
        if (PROP_ID(props->values[i].tag) == PROP_ID(p.tag)) {
            props->values[i] = p;
            return;
        }
    props->values = grown(props->owner, props->values, sizeof p, props->count);
    props->values[props->count++] = p;
}

void letter_unset(struct letter_props *props, uint32_t tag)
{
    for (uint32_t i = 0; i < props->count; i++)
        if (PROP_ID(props->values[i].tag) == PROP_ID(tag)) {
            /* The room stays what `grown` takes it for: the last value fills the gap. */
            props->values[i] = props->values[--props->count];
            return;
        }
}

static bool same_name(const struct letter_named *n, struct guid set, const char *name, uint32_t lid)
{
    if (!guid_equal(n->set, set) || !n->name != !name)
        return false;
    return name ? strcasecmp(n->name, name) == 0 : n->lid == lid;
}

const struct prop *letter_find_named(const struct letter_props *props, struct guid set, const char *name, uint32_t lid)
{
    for (uint32_t i = 0; i < props->named_count; i++)
        if (same_name(&props->named[i], set, name, lid))
            return &props->named[i].value;
    return NULL;
}

void letter_set_named(struct letter_props *props, struct guid set, const char *name, uint32_t lid, struct prop value)
{
    for (uint32_t i = 0; i < props->named_count; i++)
        if (same_name(&props->named[i], set, name, lid)) {
            props->named[i].value = value;
            return;
        }
    props->named = grown(props->owner, props->named, sizeof *props->named, props->named_count);
    props->named[props->named_count++] = (struct letter_named){ set, name, name ? 0 : lid, value };
}

const struct prop *letter_find(const struct letter_props *props, uint32_t tag)
{
    return prop_find(props->values, props->count, tag);
}

const char *letter_text(const struct letter_props *props, uint32_t tag)
{
    const struct prop *p = letter_find(props, tag);
    return p && p->str && *p->str ? p->str : NULL;
}

uint32_t letter_u32(const struct letter_props *props, uint32_t tag, uint32_t fallback)
{
    const struct prop *p = letter_find(props, tag);
    if (!p)
        return fallback;
    return PROP_TYPE(p->tag) == PtypBoolean ? p->b : p->u32;
}

struct blob letter_bytes(const struct letter_props *props, uint32_t tag)
{
    const struct prop *p = letter_find(props, tag);
    return p ? p->bin : BLOB_OF(NULL, 0);
}

static size_t props_size(const struct letter_props *props)
{
    size_t size = 0;
    for (uint32_t i = 0; i < props->count; i++)
        size += prop_size(&props->values[i]);
    for (uint32_t i = 0; i < props->named_count; i++)
        size += prop_size(&props->named[i].value);
    return size;
}

size_t letter_size(const struct letter *letter)
{
    size_t size = props_size(&letter->props);
    for (uint32_t i = 0; i < letter->recipient_count; i++)
        size += props_size(&letter->recipients[i]->props);
    for (uint32_t i = 0; i < letter->attachment_count; i++) {
        const struct letter_attachment *a = letter->attachments[i];
        size += props_size(&a->props) + (a->embedded ? letter_size(a->embedded) : 0);
    }
    return size;
}

/* ---- as bytes ----
 *
 *     letter      u32 version | props | u32 count | count x { u8 type, props } | u32 count | count x attachment
 *     attachment  props | u8 there is a letter inside | letter
 *     props       u32 count | count x TaggedPropertyValue | u32 count | count x { GUID, name with its zero, u32 LID,
 *                 TaggedPropertyValue } */
enum { LETTER_VERSION = 1 };

static void put_props(struct wire_out *out, const struct letter_props *props)
{
    wire_put_uint(out, props->count, 4);
    for (uint32_t i = 0; i < props->count; i++)
        wire_put_prop(out, &props->values[i]);
    wire_put_uint(out, props->named_count, 4);
    for (uint32_t i = 0; i < props->named_count; i++) {
        const struct letter_named *n = &props->named[i];
        wire_put_bytes(out, BLOB_OF(n->set.bytes, sizeof n->set.bytes));
        wire_put_text(out, n->name ? n->name : "", false);
        wire_put_uint(out, n->lid, 4);
        wire_put_prop(out, &n->value);
    }
}

static void put_letter(struct wire_out *out, const struct letter *letter)
{
    wire_put_uint(out, LETTER_VERSION, 4);
    put_props(out, &letter->props);
    wire_put_uint(out, letter->recipient_count, 4);
    for (uint32_t i = 0; i < letter->recipient_count; i++) {
        wire_put_uint(out, letter->recipients[i]->type, 1);
        put_props(out, &letter->recipients[i]->props);
    }
    wire_put_uint(out, letter->attachment_count, 4);
    for (uint32_t i = 0; i < letter->attachment_count; i++) {
        const struct letter *embedded = letter->attachments[i]->embedded;
        put_props(out, &letter->attachments[i]->props);
        wire_put_uint(out, embedded != NULL, 1);
        if (embedded)
            put_letter(out, embedded);
    }
}

struct blob letter_pack(TALLOC_CTX *arena, const struct letter *letter)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = WIRE_BAG;
    out.codepage = 65001;
    put_letter(&out, letter);
    return buf_blob(&bytes);
}

static void get_props(struct wire_in *in, struct letter_props *props)
{
    const uint32_t count = (uint32_t)wire_get_uint(in, 4);
    for (uint32_t i = 0; i < count && !in->bad; i++) {
        const struct prop p = wire_get_prop(in);
        if (!in->bad)
            letter_set(props, p);
    }
    const uint32_t named = (uint32_t)wire_get_uint(in, 4);
    for (uint32_t i = 0; i < named && !in->bad; i++) {
        const struct blob set = wire_get_bytes(in, sizeof(struct guid));
        const char *name = wire_get_text(in, false);
        const uint32_t lid = (uint32_t)wire_get_uint(in, 4);
        const struct prop p = wire_get_prop(in);
        struct guid guid;
        if (in->bad)
            return;
        memcpy(guid.bytes, set.data, sizeof guid.bytes);
        letter_set_named(props, guid, *name ? name : NULL, lid, p);
    }
}

static struct letter *get_letter(struct wire_in *in, TALLOC_CTX *owner, unsigned depth)
{
    struct letter *letter = letter_new(owner);
    in->bad |= wire_get_uint(in, 4) != LETTER_VERSION || depth > LETTER_DEPTH;
    if (in->bad)
        return letter;
    get_props(in, &letter->props);
    const uint32_t recipients = (uint32_t)wire_get_uint(in, 4);
    for (uint32_t i = 0; i < recipients && !in->bad; i++)
        get_props(in, &letter_recipient_add(letter, (uint8_t)wire_get_uint(in, 1))->props);
    const uint32_t attachments = (uint32_t)wire_get_uint(in, 4);
    for (uint32_t i = 0; i < attachments && !in->bad; i++) {
        struct letter_attachment *a = letter_attachment_add(letter);
        get_props(in, &a->props);
        if (wire_get_uint(in, 1) && !in->bad)
            a->embedded = get_letter(in, owner, depth + 1);
    }
    return letter;
}

enum ec letter_unpack(TALLOC_CTX *owner, struct blob bytes, struct letter **out)
{
    struct wire_in in = wire_in(owner, blob_copy(owner, bytes));
    in.flavour = WIRE_BAG;
    in.codepage = 65001;
    *out = get_letter(&in, owner, 0);
    return in.bad || wire_left(&in) ? ecCorruptData : ecNone;
}
