/* SPDX-License-Identifier: Apache-2.0 */
/* Attachments and embedded messages: [MS-OXCMSG] 2.2.2, 3.2.5.12 to 3.2.5.16.  A handle has its own copy; saving it
 * puts that into the message's memory, and saving the message stores it. */
#include "store/message.h"

/* PidTagAttachMethod */
enum { METHOD_NONE = 0, METHOD_EMBEDDED = 5 };
enum { ATTACHMENTS_MAX = 1024, NEW_SIZE = 0x40 };

/* ---- the list in the message ---- */

static const char attachments_sql[] = "SELECT num, size, props FROM attachment WHERE mb = $1 AND id = $2 ORDER BY num";

static struct attached *attached_add(struct store_message *m, uint32_t at, uint32_t number)
{
    struct attached *a = talloc_zero(m, struct attached);
    a->number = number;
    a->item = (struct item){ .owner = a, .num = (int32_t)number, .budget = m->item.budget };
    if (m->attached_count == (m->attached ? talloc_array_length(m->attached) : 0))
        m->attached = talloc_realloc(m, m->attached, struct attached *, MAX(4, m->attached_count * 2));
    memmove(m->attached + at + 1, m->attached + at, (m->attached_count - at) * sizeof *m->attached);
    m->attached_count++;
    return m->attached[at] = a;
}

enum ec attached_read(struct store_message *m)
{
    m->attached_read |= !m->row.attach_next; /* it never had any */
    if (m->attached_read)
        return ecNone;
    struct store_tx tx = store_read(m->st);
    struct sql_rows rows = sql_query(&tx.sql, attachments_sql, BIND(B_INT(m->st->mb), B_INT(m->row.id)));
    while (sql_next(&rows)) {
        struct attached *a = attached_add(m, m->attached_count, (uint32_t)sql_col_int(&rows, 0));
        a->size = (uint64_t)sql_col_int(&rows, 1);
        a->item.id = m->row.id;
        if (!bag_open(&a->item.bag, sql_col_blob_copy(a, &rows, 2)))
            sql_abort(&tx.sql, ecCorruptStore);
        charge_blob(m->item.budget, a->item.bag.bytes);
        if (!budget_has(m->item.budget, 0))
            sql_abort(&tx.sql, ecNotEnoughMemory);
    }
    const enum ec ec = store_end(&tx);
    m->attached_read = !ec;
    while (ec && m->attached_count)
        talloc_free(m->attached[--m->attached_count]);
    return ec;
}

static uint32_t position(const struct store_message *m, uint32_t number)
{
    uint32_t at = m->attached_count;
    while (at > 0 && m->attached[at - 1]->number >= number)
        at--;
    return at;
}

struct attached *attached_find(struct store_message *m, uint32_t number)
{
    const uint32_t at = position(m, number);
    const bool found = at < m->attached_count && m->attached[at]->number == number && !m->attached[at]->deleted;
    return found ? m->attached[at] : NULL;
}

/* [MS-OXCMSG] 2.2.1.2: pictures inside of an HTML body are none that a user would look for. */
bool attachment_is_shown(const struct item *item)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct item_value hidden = item_find(arena, item, PidTagAttachmentHidden);
    const bool is_hidden = hidden.place == BAG_HERE && hidden.prop.tag == PidTagAttachmentHidden && hidden.prop.b;
    talloc_free(arena);
    return !is_hidden;
}

void attached_recount(struct store_message *m)
{
    m->row.has_attach = false;
    for (uint32_t i = 0; i < m->attached_count; i++)
        m->row.has_attach |= !m->attached[i]->deleted && attachment_is_shown(&m->attached[i]->item);
}

enum ec store_attachments(TALLOC_CTX *arena, struct store_message *m, const uint32_t **numbers, uint32_t *count)
{
    const enum ec ec = attached_read(m);
    uint32_t *list = talloc_array(arena, uint32_t, m->attached_count);
    *count = 0;
    for (uint32_t i = 0; i < m->attached_count; i++)
        if (!m->attached[i]->deleted)
            list[(*count)++] = m->attached[i]->number;
    *numbers = list;
    return ec;
}

enum ec store_attachment_delete(struct store_message *m, uint32_t number)
{
    const enum ec ec = m->read_only ? ecAccessDenied : attached_read(m);
    struct attached *a = ec ? NULL : attached_find(m, number);
    if (!a)
        return ec ? ec : ecNotFound; /* R1063 */
    a->deleted = true;
    m->attached_changed = true;
    attached_recount(m); /* R469 */
    return ecNone;
}

/* ---- handles ---- */

static int attachment_close(struct store_attachment *a)
{
    child_remove(&a->child);
    for (struct child *c = a->handles; c; c = c->next)
        ((struct store_message *)c)->around = NULL;
    children_orphan(&a->handles);
    streams_detach(&a->streams);
    return 0;
}

static struct store_attachment *attachment_make(TALLOC_CTX *owner, struct store_message *m, uint32_t number)
{
    struct store_attachment *a = talloc_zero(owner, struct store_attachment);
    a->message = m;
    a->number = number;
    a->item = (struct item){ .owner = a, .num = (int32_t)number, .budget = m->item.budget };
    child_add(&m->handles, &a->child);
    talloc_set_destructor(a, attachment_close);
    return a;
}

enum ec store_attachment_new(struct store_attachment **out, TALLOC_CTX *owner, struct store_message *m,
                             uint32_t *number)
{
    *out = NULL;
    if (m->read_only)
        return ecAccessDenied;
    const enum ec ec = attached_read(m);
    if (ec || m->attached_count >= ATTACHMENTS_MAX || m->row.attach_next >= INT32_MAX)
        return ec ? ec : ecMaxAttachmentExceeded; /* R1060 */
    *number = m->row.attach_next++;
    struct store_attachment *a = attachment_make(owner, m, *number);
    const uint64_t now = filetime_now();
    a->is_new = true;
    item_set(&a->item, &P_TIME(PidTagCreationTime, now));
    item_set(&a->item, &P_TIME(PidTagLastModificationTime, now));
    *out = a;
    return ecNone;
}

enum ec store_attachment_open(struct store_attachment **out, TALLOC_CTX *owner, struct store_message *m,
                              uint32_t number, unsigned mode)
{
    *out = NULL;
    const enum ec ec = attached_read(m);
    const struct attached *stored = ec ? NULL : attached_find(m, number);
    if (!stored)
        return ec ? ec : ecNotFound; /* R440 */
    const bool writes = (mode & MESSAGE_BEST) == MESSAGE_READWRITE;
    if (writes && m->read_only)
        return ecAccessDenied; /* R442 */
    struct store_attachment *a = attachment_make(owner, m, number);
    item_share(&a->item, a, &stored->item);
    a->read_only = m->read_only || (mode & MESSAGE_BEST) == MESSAGE_READONLY;
    *out = a;
    return ecNone;
}

uint32_t store_attachment_number(const struct store_attachment *a)
{
    return a->number;
}

enum ec store_attachment_save(struct store_attachment *a)
{
    struct store_message *m = a->message;
    if (!m)
        return ecInvalidObject;
    if (a->read_only || m->read_only)
        return ecAccessDenied;
    const enum ec ec = attached_read(m);
    if (ec)
        return ec;
    struct attached *kept = attached_find(m, a->number);
    if (!kept && !a->is_new)
        return ecObjectDeleted;
    if (!kept && m->attached_count >= ATTACHMENTS_MAX)
        return ecMaxAttachmentExceeded;
    if (!kept) {
        kept = attached_add(m, position(m, a->number), a->number);
        kept->is_new = true;
    }
    item_set(&a->item, &P_TIME(PidTagLastModificationTime, filetime_now()));
    item_clear(&kept->item);
    item_share(&kept->item, kept, &a->item);
    if (a->content) {
        talloc_free(kept->content);
        kept->content = talloc_steal(kept, a->content);
        a->content = NULL;
    }
    kept->changed = m->attached_changed = true;
    a->is_new = false;
    attached_recount(m);
    return ecNone;
}

/* ---- embedded messages ---- */

/* From what was saved into this handle, into the message, or what is stored. */
static enum ec embedded_find(struct store_message **out, TALLOC_CTX *owner, struct store_attachment *a)
{
    const struct attached *kept = attached_find(a->message, a->number);
    struct store_message *content = a->content ? a->content : kept ? kept->content : NULL;
    *out = NULL;
    if (content)
        *out = message_clone(owner, content);
    else if (kept && !kept->is_new)
        return message_load_embedded(out, owner, a->message->st, a->message->row.id, a->number);
    return *out ? ecNone : ecNotFound;
}

/* [MS-OXCMSG] 3.2.5.16 */
enum ec store_embedded_open(struct store_message **out, TALLOC_CTX *owner, struct store_attachment *a, unsigned mode,
                            bool create)
{
    *out = NULL;
    if (!a->message)
        return ecInvalidObject;
    if (create && a->read_only)
        return ecAccessDenied; /* R1066 */
    struct store_message *m = NULL;
    enum ec ec = attached_read(a->message);
    if (!ec)
        ec = embedded_find(&m, owner, a);
    if (ec == ecNotFound && create) {
        m = message_make(owner, a->message->st);
        m->embedded = true;
        message_defaults(m);
        item_set(&a->item, &P_I32(PidTagAttachMethod, METHOD_EMBEDDED));
        ec = ecNone;
    }
    if (ec)
        return ec;
    m->around = a;
    child_add(&a->handles, &m->child);
    store_message_set_mode(m, a->read_only                         ? MESSAGE_READONLY
                              : mode == MESSAGE_READONLY && create ? MESSAGE_READWRITE
                                                                   : mode);
    *out = m;
    return ecNone;
}

/* ---- properties ---- */

typedef struct prop getter(TALLOC_CTX *, const struct store_attachment *, uint32_t tag);
#define GETTER(name) static struct prop get_##name(TALLOC_CTX *arena, const struct store_attachment *a, uint32_t tag)
#define UNUSED (void)arena, (void)a

/* clang-format off */
GETTER(number)            { UNUSED; return P_I32(tag, a->number); }
GETTER(access_level)      { UNUSED; return P_I32(tag, !a->read_only); }
GETTER(object_type)       { UNUSED; return P_I32(tag, 7); }
GETTER(rendering)         { UNUSED; return P_I32(tag, -1); }
GETTER(method)            { UNUSED; return P_I32(tag, METHOD_NONE); }
GETTER(store_entry_id)    { return P_BIN(tag, store_entry_id(arena, a->message->st)); }
GETTER(store_record_key)  { return P_BIN(tag, blob_copy(arena, BLOB_OF(a->message->st->guid.bytes, 16))); }
GETTER(signature)         { return P_BIN(tag, blob_copy(arena, BLOB_OF(a->message->st->replica.bytes, 16))); }
/* clang-format on */

/* The message's id and the number: an attachment is known by nothing else. */
GETTER(record_key)
{
    uint8_t *key = talloc_array(arena, uint8_t, 12);
    put_le64(key, (uint64_t)a->message->row.id);
    put_le32(key + 8, a->number);
    return P_BIN(tag, BLOB_OF(key, 12));
}

/* [MS-OXCMSG] 3.2.5.13, R449: not nothing, even when nothing was written yet */
GETTER(size)
{
    UNUSED;
    const struct attached *kept = attached_find(a->message, a->number);
    return size_prop(tag, kept && !kept->changed && !a->item.count ? kept->size : item_size(&a->item) + NEW_SIZE);
}

static const struct computed {
    uint32_t tag;
    getter *get;
    enum computed_rule rule;
} computed[] = {
#define ATTACHMENT(tag, name, rule) { tag, get_##name, rule },
#define FOLDER(...)
#define MESSAGE(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

static const struct computed *computed_of(uint32_t tag)
{
    for (size_t i = 0; i < COUNTOF(computed); i++)
        if (PROP_ID(computed[i].tag) == PROP_ID(tag))
            return &computed[i];
    return NULL;
}

static void attachment_prop(TALLOC_CTX *arena, struct store_attachment *a, uint32_t tag, size_t limit, bool cut,
                            struct prop *out)
{
    const struct computed *c = computed_of(tag);
    if (c && (c->rule == COMPUTED || !item_has(&a->item, tag))) {
        *out = c->get(arena, a, c->tag);
        item_convert(arena, tag, limit, cut, out);
    } else {
        item_get(arena, a->message->st, &a->item, tag, limit, cut, out);
    }
}

enum ec store_attachment_get(TALLOC_CTX *arena, struct store_attachment *a, const uint32_t *tags, uint32_t count,
                             size_t limit, struct prop *values)
{
    if (!a->message)
        return ecInvalidObject;
    for (uint32_t i = 0; i < count; i++)
        attachment_prop(arena, a, tags[i], limit, false, &values[i]);
    return ecNone;
}

void attached_prop(TALLOC_CTX *arena, struct store_message *m, const struct attached *kept, uint32_t tag, size_t limit,
                   bool cut, struct prop *out)
{
    struct store_attachment a = { .message = m, .number = kept->number, .item = kept->item, .read_only = m->read_only };
    attachment_prop(arena, &a, tag, limit, cut, out);
}

enum ec store_attachment_tags(TALLOC_CTX *arena, struct store_attachment *a, const uint32_t **tags, uint32_t *count)
{
    uint32_t made[COUNTOF(computed)], *own;
    if (!a->message)
        return ecInvalidObject;
    for (size_t i = 0; i < COUNTOF(computed); i++)
        made[i] = computed[i].tag;
    const uint32_t n = item_tags(arena, &a->item, &own);
    *tags = tags_join(arena, made, COUNTOF(made), own, n, count);
    return ecNone;
}

enum ec attachment_set_one(struct store_attachment *a, const struct prop *p)
{
    const struct computed *c = computed_of(p->tag);
    if (c && c->rule == COMPUTED)
        return ecComputed;
    const enum ec ec = item_check(&a->item, p);
    if (!ec)
        item_set(&a->item, p);
    return ec;
}

static enum ec may_change(const struct store_attachment *a)
{
    return !a->message ? ecInvalidObject : a->read_only ? ecAccessDenied : ecNone;
}

enum ec store_attachment_set(struct store_attachment *a, const struct prop *props, uint32_t count, enum ec *results)
{
    const enum ec ec = may_change(a);
    for (uint32_t i = 0; !ec && i < count; i++)
        results[i] = attachment_set_one(a, &props[i]);
    return ec;
}

enum ec store_attachment_unset(struct store_attachment *a, const uint32_t *tags, uint32_t count, enum ec *results)
{
    const enum ec ec = may_change(a);
    for (uint32_t i = 0; !ec && i < count; i++) {
        const struct computed *c = computed_of(tags[i]);
        results[i] = c && c->rule == COMPUTED ? ecAccessDenied : ecNone;
        if (!results[i])
            item_remove(&a->item, tags[i]);
    }
    return ec;
}
