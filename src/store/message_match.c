/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an open message satisfies a restriction, and what that means about recipients and attachments. */
#include "store/message.h"

static const struct prop *recipient_find(void *arg, uint32_t tag)
{
    const struct props *props = arg;
    return prop_find(props->values, props->count, tag);
}

bool recipients_match(TALLOC_CTX *arena, const struct store_recipient *recipients, uint32_t count,
                      const struct restriction *r, uint32_t lcid)
{
    for (uint32_t i = 0; i < count; i++) {
        struct props props = { recipients[i].props.count + 2, NULL };
        struct prop *values = talloc_array(arena, struct prop, props.count);
        values[0] = P_I32(PidTagRecipientType, recipients[i].type);
        values[1] = P_I32(PidTagRowid, recipients[i].row_id);
        if (recipients[i].props.count)
            memcpy(values + 2, recipients[i].props.values, recipients[i].props.count * sizeof *values);
        props.values = values;
        if (restriction_match(r, &(struct restriction_subject){ recipient_find, NULL, &props, lcid }))
            return true;
    }
    return false;
}

struct match {
    TALLOC_CTX *arena;
    struct store_message *message;
    const struct attached *attached;
};

static const struct prop *attachment_find(void *arg, uint32_t tag)
{
    const struct match *match = arg;
    struct prop *p = talloc(match->arena, struct prop);
    attached_prop(match->arena, match->message, match->attached, tag, MATCH_LIMIT, true, p);
    return p;
}

bool attachments_match(TALLOC_CTX *arena, struct store_message *message, const struct restriction *r, uint32_t lcid)
{
    struct match match = { arena, message, NULL };
    if (attached_read(message))
        return false;
    for (uint32_t i = 0; i < message->attached_count; i++) {
        match.attached = message->attached[i];
        if (!match.attached->deleted &&
            restriction_match(r, &(struct restriction_subject){ attachment_find, NULL, &match, lcid }))
            return true;
    }
    return false;
}

/* ---- an open message ---- */

static const struct prop *message_find(void *arg, uint32_t tag)
{
    const struct match *match = arg;
    const struct message_view view = message_view_of(match->message);
    struct prop *p = talloc(match->arena, struct prop);
    message_prop(match->arena, &view, tag, MATCH_LIMIT, true, p);
    return p;
}

static bool message_sub(void *arg, uint32_t tag, const struct restriction *r)
{
    const struct match *match = arg;
    const struct store_recipient *recipients;
    if (PROP_ID(tag) == PROP_ID(PidTagMessageRecipients)) {
        const uint32_t count = store_recipients(match->message, &recipients);
        return recipients_match(match->arena, recipients, count, r, 0);
    }
    return PROP_ID(tag) == PROP_ID(PidTagMessageAttachments) && attachments_match(match->arena, match->message, r, 0);
}

bool store_message_matches(struct store_message *message, const struct restriction *restriction)
{
    struct match match = { talloc_new(NULL), message, NULL };
    const bool matches =
        restriction_match(restriction, &(struct restriction_subject){ message_find, message_sub, &match, 0 });
    talloc_free(match.arena);
    return matches;
}
