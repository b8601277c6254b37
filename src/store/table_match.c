/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a row satisfies a restriction; its properties, recipients and attachments are read when they are asked for. */
#include "store/table.h"

struct match {
    TALLOC_CTX *arena;
    const struct table_row *row;
};

static const struct prop *match_find(void *arg, uint32_t tag)
{
    const struct match *match = arg;
    struct prop *p = talloc(match->arena, struct prop);
    row_prop(match->arena, match->row, tag, MATCH_LIMIT, true, p);
    return p;
}

static const char recipients_sql[] = "SELECT recipients FROM message WHERE mb = $1 AND id = $2";

static const struct prop *recipient_find(void *arg, uint32_t tag)
{
    const struct props *props = arg;
    return prop_find(props->values, props->count, tag);
}

static bool any_recipient(TALLOC_CTX *arena, const struct table_row *row, const struct restriction *r)
{
    struct store *st = row->table->st;
    struct store_recipient *recipients;
    uint32_t count;
    struct store_tx tx = store_read(st);
    const struct blob packed = sql_blob(arena, &tx.sql, recipients_sql, BIND(B_INT(st->mb), B_INT(row->message.id)));
    if (store_end(&tx) || recipients_unpack(arena, packed, &recipients, &count))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        struct props props = { recipients[i].props.count + 2, NULL };
        struct prop *values = talloc_array(arena, struct prop, props.count);
        values[0] = P_I32(PidTagRecipientType, recipients[i].type);
        values[1] = P_I32(PidTagRowid, recipients[i].row_id);
        memcpy(values + 2, recipients[i].props.values, recipients[i].props.count * sizeof *values);
        props.values = values;
        if (restriction_match(r, &(struct restriction_subject){ recipient_find, NULL, &props, row->table->lcid }))
            return true;
    }
    return false;
}

struct attachment_match {
    TALLOC_CTX *arena;
    struct store_message *message;
    const struct attached *attached;
};

static const struct prop *attachment_find(void *arg, uint32_t tag)
{
    const struct attachment_match *match = arg;
    struct prop *p = talloc(match->arena, struct prop);
    attached_prop(match->arena, match->message, match->attached, tag, MATCH_LIMIT, true, p);
    return p;
}

static bool any_attachment(TALLOC_CTX *arena, const struct table_row *row, const struct restriction *r)
{
    struct attachment_match match = { arena, message_make(arena, row->table->st), NULL };
    match.message->row.id = row->message.id;
    if (attached_read(match.message))
        return false;
    for (uint32_t i = 0; i < match.message->attached_count; i++) {
        match.attached = match.message->attached[i];
        if (restriction_match(r, &(struct restriction_subject){ attachment_find, NULL, &match, row->table->lcid }))
            return true;
    }
    return false;
}

/* [MS-OXCDATA] 2.12.9 */
static bool match_sub(void *arg, uint32_t tag, const struct restriction *r)
{
    const struct match *match = arg;
    if (PROP_ID(tag) == PROP_ID(PidTagMessageRecipients))
        return any_recipient(match->arena, match->row, r);
    return PROP_ID(tag) == PROP_ID(PidTagMessageAttachments) && any_attachment(match->arena, match->row, r);
}

bool row_matches(const struct table_row *row, const struct restriction *restriction)
{
    if (!restriction)
        return true;
    struct match match = { talloc_new(NULL), row };
    const bool messages = row->table->kind == &contents_kind;
    const struct restriction_subject subject = { match_find, messages ? match_sub : NULL, &match, row->table->lcid };
    const bool matches = restriction_match(restriction, &subject);
    talloc_free(match.arena);
    return matches;
}
