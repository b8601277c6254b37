/* SPDX-License-Identifier: Apache-2.0 */
/* What RopCopyTo and RopCopyProperties move from one open message to another: [MS-OXCPRPT] 3.2.5.7, 3.2.5.8.
 * Recipients and attachments are named by PidTagMessageRecipients and PidTagMessageAttachments. */
#include "store/message.h"

struct selection {
    const uint32_t *tags;
    uint32_t count;
    bool exclude;
};

static bool is_named(const struct selection *s, uint32_t tag)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (PROP_ID(s->tags[i]) == PROP_ID(tag))
            return true;
    return false;
}

static bool is_wanted(const struct selection *s, uint32_t tag)
{
    return is_named(s, tag) != s->exclude;
}

static enum ec copy_value(struct store_message *to, struct store_message *from, uint32_t tag)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct item_value value = item_find(arena, &from->item, tag);
    enum ec ec = item_check(&to->item, value.place == BAG_HERE ? &value.prop : &P_BIN(PROP_AS(tag, PtypBinary), BLOB_OF(NULL, 0)));
    if (ec || value.place == BAG_ABSENT) {
        talloc_free(arena);
        return ec;
    }
    if (value.place == BAG_HERE) {
        item_set(&to->item, &value.prop);
    } else {
        struct spool *spool = value.spool ? spool_share(arena, value.spool) : spool_new(arena);
        if (!value.spool)
            ec = value_to_spool(from->st, &from->item, &value.apart, spool);
        if (!ec)
            item_set_spool(&to->item, value.tag, spool);
    }
    talloc_free(arena);
    return ec;
}

static enum ec copy_recipients(struct store_message *to, struct store_message *from)
{
    const struct store_recipient *recipients;
    enum ec ec = recipients_read(from);
    const uint32_t count = store_recipients(from, &recipients);
    if (!ec)
        ec = recipients_read(to);
    store_recipients_clear(to);
    for (uint32_t i = 0; !ec && i < count; i++)
        ec = store_recipient_put(to, &recipients[i]);
    return ec;
}

static enum ec copy_message(struct store_message *to, struct store_message *from);

static enum ec copy_embedded(struct store_attachment *to, struct store_message *from, const struct attached *a)
{
    struct store_message *source = NULL, *copy;
    TALLOC_CTX *arena = talloc_new(NULL);
    enum ec ec = ecNone;
    if (a->content)
        source = message_clone(arena, a->content);
    else if (!a->is_new)
        ec = message_load_embedded(&source, arena, from->st, from->row.id, a->number);
    if (source && !ec)
        ec = store_embedded_open(&copy, arena, to, MESSAGE_READWRITE, true);
    if (source && !ec)
        ec = copy_message(copy, source);
    if (source && !ec) {
        copy->row.change_key = blob_copy(copy, source->row.change_key); /* of a version that is in conflict */
        copy->row.pcl = blob_copy(copy, source->row.pcl);
        ec = store_message_save(copy, false, NULL);
    }
    talloc_free(arena);
    return ec == ecNotFound ? ecNone : ec; /* an attachment without a message in it */
}

static enum ec copy_attachment(struct store_message *to, struct store_message *from, const struct attached *a)
{
    struct store_attachment *copy;
    uint32_t number;
    enum ec ec = store_attachment_new(&copy, to, to, &number);
    if (ec)
        return ec;
    ec = item_clone(from->st, &copy->item, &a->item);
    if (!ec)
        ec = copy_embedded(copy, from, a);
    if (!ec)
        ec = store_attachment_save(copy);
    talloc_free(copy);
    return ec;
}

static enum ec copy_attachments(struct store_message *to, struct store_message *from)
{
    enum ec ec = attached_read(from);
    if (!ec)
        ec = attached_read(to);
    for (uint32_t i = 0; !ec && i < to->attached_count; i++)
        if (!to->attached[i]->deleted)
            ec = store_attachment_delete(to, to->attached[i]->number);
    for (uint32_t i = 0; !ec && i < from->attached_count; i++)
        if (!from->attached[i]->deleted)
            ec = copy_attachment(to, from, from->attached[i]);
    return ec;
}

/* All of it, into one that has nothing of its own yet. */
static enum ec copy_message(struct store_message *to, struct store_message *from)
{
    enum ec ec = item_clone(from->st, &to->item, &from->item);
    to->row.read = from->row.read;
    to->row.flags = from->row.flags;
    if (!ec)
        ec = copy_recipients(to, from);
    return ec ? ec : copy_attachments(to, from);
}

/* [MS-OXCFXICS] 3.1.5.6.2.1: a version that is in conflict with others keeps what it is known by. */
enum ec message_attach(struct store_message *to, struct store_message *version)
{
    struct store_attachment *a;
    struct store_message *copy = NULL;
    uint32_t number;
    enum ec ec = store_attachment_new(&a, to, to, &number);
    if (ec)
        return ec;
    item_set(&a->item, &P_BOOL(PidTagInConflict, true));
    ec = store_embedded_open(&copy, a, a, MESSAGE_READWRITE, true);
    if (!ec)
        ec = copy_message(copy, version);
    if (!ec) {
        copy->row.change_key = message_change_key(copy, version);
        copy->row.pcl = message_pcl(copy, version);
        copy->row.modified = version->row.modified;
        copy->row.created = version->row.created;
        copy->modified_given = true;
        ec = store_message_save(copy, false, NULL);
    }
    if (!ec)
        ec = store_attachment_save(a);
    talloc_free(a);
    return ec;
}

enum ec message_attach_again(struct store_message *to, struct store_message *from, const struct attached *a)
{
    return copy_attachment(to, from, a);
}

/* PidTagSubject stands for the two properties that it is kept as. */
static bool is_asked_for(const struct selection *s, uint32_t tag)
{
    const bool of_subject = tag == PidTagSubjectPrefix || tag == PidTagNormalizedSubject;
    return is_wanted(s, tag) && !(s->exclude && of_subject && is_named(s, PidTagSubject));
}

static enum ec copy_all_but(struct store_message *to, struct store_message *from, const struct selection *s,
                            bool no_overwrite)
{
    uint32_t *tags;
    TALLOC_CTX *arena = talloc_new(NULL);
    const uint32_t count = item_tags(arena, &from->item, &tags);
    enum ec ec = ecNone;
    for (uint32_t i = 0; !ec && i < count; i++)
        if (is_asked_for(s, tags[i]) && !(no_overwrite && message_has(to, tags[i])))
            ec = copy_value(to, from, tags[i]);
    talloc_free(arena);
    return ec;
}

static enum ec copy_one(struct store_message *to, struct store_message *from, uint32_t tag, bool no_overwrite)
{
    if (PROP_ID(tag) == PROP_ID(PidTagMessageRecipients) || PROP_ID(tag) == PROP_ID(PidTagMessageAttachments))
        return ecNone;
    if (tag == PidTagSubject) {
        const enum ec ec = copy_one(to, from, PidTagSubjectPrefix, no_overwrite);
        return ec && ec != ecNotFound ? ec : copy_one(to, from, PidTagNormalizedSubject, no_overwrite);
    }
    if (!message_is_plain(tag))
        return ecComputed;
    if (!item_has(&from->item, tag))
        return ecNotFound;
    return no_overwrite && message_has(to, tag) ? ecNone : copy_value(to, from, tag);
}

enum ec store_message_copy(struct store_message *to, struct store_message *from, const uint32_t *tags, uint32_t count,
                           bool tags_exclude, bool with_subobjects, bool no_overwrite, enum ec *results)
{
    const struct selection s = { tags, count, tags_exclude };
    enum ec ec = to->read_only ? ecAccessDenied : ecNone;
    for (uint32_t i = 0; !ec && i < count; i++)
        results[i] = tags_exclude ? ecNone : copy_one(to, from, tags[i], no_overwrite);
    if (!ec && tags_exclude)
        ec = copy_all_but(to, from, &s, no_overwrite);
    if (!ec && with_subobjects && is_wanted(&s, PidTagMessageRecipients) && !(no_overwrite && to->recipient_count))
        ec = copy_recipients(to, from);
    if (!ec && with_subobjects && is_wanted(&s, PidTagMessageAttachments) && !(no_overwrite && to->attached_count))
        ec = copy_attachments(to, from);
    return ec;
}
