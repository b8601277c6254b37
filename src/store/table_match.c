/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a row satisfies a restriction; its properties, recipients and attachments are read when they are asked for. */
#include "store/table.h"

/* A restriction asks for the same long text many times. */
struct asked {
    const struct asked *next;
    uint32_t tag;
    struct prop prop;
};
struct match {
    TALLOC_CTX *arena;
    const struct table_row *row;
    const struct asked *asked;
};

static const struct prop *match_find(void *arg, uint32_t tag)
{
    struct match *match = arg;
    for (const struct asked *a = match->asked; a; a = a->next)
        if (a->tag == tag)
            return &a->prop;
    struct asked *now = talloc(match->arena, struct asked);
    *now = (struct asked){ .next = match->asked, .tag = tag };
    row_prop(match->arena, match->row, tag, MATCH_LIMIT, true, &now->prop);
    match->asked = now;
    return &now->prop;
}

static const char recipients_sql[] = "SELECT recipients FROM message WHERE mb = $1 AND id = $2";

static bool any_recipient(TALLOC_CTX *arena, const struct table_row *row, const struct restriction *r)
{
    struct store *st = row->table->st;
    struct store_recipient *recipients;
    uint32_t count;
    struct store_tx tx = store_read(st);
    const struct blob packed = sql_blob(arena, &tx.sql, recipients_sql, BIND(B_INT(st->mb), B_INT(row->message.id)));
    if (store_end(&tx) || recipients_unpack(arena, packed, &recipients, &count))
        return false;
    return recipients_match(arena, recipients, count, r, row->table->lcid);
}

static bool any_attachment(TALLOC_CTX *arena, const struct table_row *row, const struct restriction *r)
{
    struct store_message *message = message_make(arena, row->table->st);
    message->row.id = row->message.id;
    message->row.attach_next = row->message.attach_next;
    return attachments_match(arena, message, r, row->table->lcid);
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
    struct match match = { talloc_new(NULL), row, NULL };
    const bool messages = row->table->kind == &contents_kind && !row->group;
    const struct restriction_subject subject = { match_find, messages ? match_sub : NULL, &match, row->table->lcid };
    const bool matches = restriction_match(restriction, &subject);
    talloc_free(match.arena);
    return matches;
}
