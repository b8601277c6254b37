/* SPDX-License-Identifier: Apache-2.0 */
/* All properties of an object in one walk, for copies of it: what the bag has as it lies there, and then what is computed. */
#include "store/message.h"

struct each {
    struct store *st;
    size_t limit;
    store_taker *take;
    void *arg;
    enum ec ec;
};

/* A value that was changed since it was stored, or lies apart: as somebody gets it who asks for it. */
static void take_one(struct each *e, TALLOC_CTX *scratch, const struct item *item, uint32_t tag)
{
    struct prop p;
    item_get(scratch, e->st, item, tag, e->limit, false, &p);
    const bool is_long = PROP_TYPE(p.tag) == PtypErrorCode && p.u32 == (uint32_t)ecNotEnoughMemory;
    if (PROP_TYPE(p.tag) != PtypErrorCode || is_long)
        e->take(e->arg, tag, is_long ? NULL : &p);
    else if (p.u32 != (uint32_t)ecNotFound)
        e->ec = (enum ec)p.u32;
}

static void take_stored(struct each *e, TALLOC_CTX *scratch, const struct item *item, uint32_t at)
{
    struct prop p;
    if (bag_at(scratch, &item->bag, at, &p, NULL) == BAG_APART)
        take_one(e, scratch, item, bag_tag(&item->bag, at));
    else if (PROP_TYPE(p.tag) == PtypErrorCode)
        e->ec = (enum ec)p.u32;
    else
        e->take(e->arg, p.tag, &p);
}

static void take_item(struct each *e, const struct item *item)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    uint32_t *tags;
    const uint32_t count = item->count ? item_tags(scratch, item, &tags) : item->bag.count;
    for (uint32_t i = 0; i < count && !e->ec; i++) {
        if (item->count)
            take_one(e, scratch, item, tags[i]);
        else
            take_stored(e, scratch, item, i);
    }
    talloc_free(scratch);
}

static void take_computed(struct each *e, const struct prop *p)
{
    if (PROP_TYPE(p->tag) != PtypErrorCode)
        e->take(e->arg, p->tag, p);
}

/* Those that every message has, and those that a client may have set. */
static const uint32_t message_always[] = { PidTagSubject,      PidTagMessageFlags,         PidTagMessageStatus,
                                           PidTagCreationTime, PidTagLastModificationTime, PidTagConversationId };
static const uint32_t message_defaults_of[] = {
#define MESSAGE(tag, name, rule) rule == DEFAULT ? tag : 0,
#define FOLDER(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

enum ec store_message_each(struct store_message *m, size_t limit, store_taker *take, void *arg)
{
    struct each e = { m->st, limit, take, arg, ecNone };
    const struct message_view view = message_view_of(m);
    take_item(&e, &m->item);
    TALLOC_CTX *scratch = talloc_new(NULL);
    struct prop p;
    for (size_t i = 0; i < COUNTOF(message_always) && !e.ec; i++) {
        message_prop(scratch, &view, message_always[i], limit, false, &p);
        take_computed(&e, &p);
    }
    for (size_t i = 0; i < COUNTOF(message_defaults_of) && !e.ec; i++) {
        if (!message_defaults_of[i] || item_has(&m->item, message_defaults_of[i]))
            continue;
        message_prop(scratch, &view, message_defaults_of[i], limit, false, &p);
        take_computed(&e, &p);
    }
    talloc_free(scratch);
    return e.ec;
}

static const uint32_t attachment_always[] = { PidTagAttachSize, PidTagRenderingPosition, PidTagAttachMethod };

enum ec store_attachment_each(struct store_attachment *a, size_t limit, store_taker *take, void *arg)
{
    if (!a->message)
        return ecInvalidObject;
    struct each e = { a->message->st, limit, take, arg, ecNone };
    take_item(&e, &a->item);
    TALLOC_CTX *scratch = talloc_new(NULL);
    for (size_t i = 0; i < COUNTOF(attachment_always) && !e.ec; i++) {
        struct prop p;
        if (item_has(&a->item, attachment_always[i]))
            continue;
        store_attachment_get(scratch, a, &attachment_always[i], 1, limit, &p);
        take_computed(&e, &p);
    }
    talloc_free(scratch);
    return e.ec;
}
