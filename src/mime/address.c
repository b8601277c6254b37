/* SPDX-License-Identifier: Apache-2.0 */
/* People: addresses in header fields, and the groups of properties that name somebody. */
#include "mime/internal.h"

#include "wire/entry_id.h"

/* ---- groups of properties ---- */

static const struct role_tags {
    uint32_t name, entry_id, search_key, type, address, smtp;
} roles[] = {
    [ROLE_SENDER] = { PidTagSenderName, PidTagSenderEntryId, PidTagSenderSearchKey, PidTagSenderAddressType,
                      PidTagSenderEmailAddress, PidTagSenderSmtpAddress },
    [ROLE_SENT_REPRESENTING] = { PidTagSentRepresentingName, PidTagSentRepresentingEntryId,
                                 PidTagSentRepresentingSearchKey, PidTagSentRepresentingAddressType,
                                 PidTagSentRepresentingEmailAddress, PidTagSentRepresentingSmtpAddress },
    [ROLE_RECEIVED_BY] = { PidTagReceivedByName, PidTagReceivedByEntryId, PidTagReceivedBySearchKey,
                           PidTagReceivedByAddressType, PidTagReceivedByEmailAddress, PidTagReceivedBySmtpAddress },
    [ROLE_RECEIVED_REPRESENTING] = { PidTagReceivedRepresentingName, PidTagReceivedRepresentingEntryId,
                                     PidTagReceivedRepresentingSearchKey, PidTagReceivedRepresentingAddressType,
                                     PidTagReceivedRepresentingEmailAddress, PidTagReceivedRepresentingSmtpAddress },
    [ROLE_READ_RECEIPT] = { PidTagReadReceiptName, PidTagReadReceiptEntryId, PidTagReadReceiptSearchKey,
                            PidTagReadReceiptAddressType, PidTagReadReceiptEmailAddress, PidTagReadReceiptSmtpAddress },
};

static struct blob entry_id_of(TALLOC_CTX *owner, const struct mime_person *p)
{
    return strcmp(p->address_type, "EX") == 0 ? address_book_entry_id(owner, p->address, DT_MAILUSER)
                                              : one_off_entry_id(owner, p->display_name, p->address_type, p->address);
}

void mime_set_person(struct letter_props *props, enum mime_role role, const struct mime_person *p)
{
    const struct role_tags *tags = &roles[role];
    letter_set(props, P_STR(tags->name, p->display_name));
    letter_set(props, P_STR(tags->type, p->address_type));
    letter_set(props, P_STR(tags->address, p->address));
    letter_set(props, P_STR(tags->smtp, p->smtp));
    letter_set(props, P_BIN(tags->entry_id, entry_id_of(props->owner, p)));
    letter_set(props, P_BIN(tags->search_key, address_search_key(props->owner, p->address_type, p->address)));
}

static bool has_at(const char *address)
{
    return address && strchr(address, '@');
}

/* What is missing is taken from the EntryID. */
static bool person_of(TALLOC_CTX *arena, struct mime_person *p, struct blob entry_id)
{
    struct entry_id_person known;
    if ((!p->address_type || !p->address) && entry_id.size && entry_id_person(arena, entry_id, &known)) {
        p->address_type = known.address_type;
        p->address = known.address;
        p->display_name = p->display_name ? p->display_name : known.display_name;
    }
    if (!p->address && p->smtp) {
        p->address = p->smtp;
        p->address_type = "SMTP";
    }
    if (!p->address_type && has_at(p->address))
        p->address_type = "SMTP";
    if (!p->smtp && p->address_type && strcasecmp(p->address_type, "SMTP") == 0)
        p->smtp = p->address;
    if (!p->display_name)
        p->display_name = p->smtp ? p->smtp : p->address;
    return p->address_type && p->address && *p->address;
}

bool mime_person_of(const struct letter_props *props, enum mime_role role, struct mime_person *out)
{
    const struct role_tags *tags = &roles[role];
    *out = (struct mime_person){ letter_text(props, tags->name), letter_text(props, tags->type),
                                 letter_text(props, tags->address), letter_text(props, tags->smtp) };
    return person_of(props->owner, out, letter_bytes(props, tags->entry_id));
}

bool mime_recipient_person(const struct letter_props *props, struct mime_person *out)
{
    const char *name = letter_text(props, PidTagDisplayName);
    *out = (struct mime_person){ name ? name : letter_text(props, PidTagRecipientDisplayName),
                                 letter_text(props, PidTagAddressType), letter_text(props, PidTagEmailAddress),
                                 letter_text(props, PidTagSmtpAddress) };
    return person_of(props->owner, out, letter_bytes(props, PidTagEntryId));
}

void mime_set_recipient(struct letter_recipient *r, const struct mime_person *p)
{
    const struct blob id = entry_id_of(r->props.owner, p);
    const struct prop values[] = {
        P_I32(PidTagRecipientType, r->type),
        P_I32(PidTagObjectType, 6),
        P_I32(PidTagDisplayType, DT_MAILUSER),
        P_STR(PidTagDisplayName, p->display_name),
        P_STR(PidTagTransmittableDisplayName, p->display_name),
        P_STR(PidTagRecipientDisplayName, p->display_name),
        P_STR(PidTagAddressType, p->address_type),
        P_STR(PidTagEmailAddress, p->address),
        P_STR(PidTagSmtpAddress, p->smtp),
        P_BIN(PidTagEntryId, id),
        P_BIN(PidTagRecipientEntryId, id),
        P_BIN(PidTagSearchKey, address_search_key(r->props.owner, p->address_type, p->address)),
        P_I32(PidTagRecipientFlags, 1), /* [MS-OXOCAL] 2.2.3.10.1: recipSendable */
        P_I32(PidTagRecipientTrackStatus, 0),
        P_BOOL(PidTagSendRichInfo, strcmp(p->address_type, "EX") == 0),
    };
    for (size_t i = 0; i < COUNTOF(values); i++)
        letter_set(&r->props, values[i]);
}

struct letter_recipient *mime_add_recipient(struct letter *letter, uint8_t type, const struct mime_person *p)
{
    struct letter_recipient *r = letter_recipient_add(letter, type);
    mime_set_recipient(r, p);
    return r;
}

/* ---- addresses in header fields ---- */

bool person_of_address(const struct reader *reader, const char *address, struct mime_person *out)
{
    const char *clean = text_line(reader->arena, address);
    *out = (struct mime_person){ clean, "SMTP", clean, clean };
    return *clean;
}

static bool resolved(const struct reader *reader, const char *smtp, struct mime_person *out)
{
    return reader->context->resolve && reader->context->resolve(reader->context->arg, reader->arena, smtp, out);
}

/* A name that is there stays: people know each other by what they write. */
static struct mime_person person_of_mailbox(const struct reader *reader, InternetAddress *address, bool resolve)
{
    struct mime_person p;
    const char *name = internet_address_get_name(address);
    const char *at = internet_address_mailbox_get_addr(INTERNET_ADDRESS_MAILBOX(address));
    person_of_address(reader, at ? at : "", &p);
    if (!resolve || !resolved(reader, p.smtp, &p))
        p.display_name = name && *name ? text_line(reader->arena, name) : p.smtp;
    return p;
}

typedef void each_address(struct reader *, InternetAddress *, uint32_t arg);

/* Members of a group count as if they stood alone. */
static void for_each(struct reader *reader, InternetAddressList *list, each_address *each, uint32_t arg, unsigned depth)
{
    const int count = list ? internet_address_list_length(list) : 0;
    for (int i = 0; i < count && i < RECIPIENTS_MAX; i++) {
        InternetAddress *address = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(address))
            each(reader, address, arg);
        else if (depth < 2)
            for_each(reader, internet_address_group_get_members(INTERNET_ADDRESS_GROUP(address)), each, arg, depth + 1);
    }
}

static InternetAddressList *parse_list(struct reader *reader, const char *raw)
{
    return raw ? internet_address_list_parse(reader->options, join_words(reader->arena, raw)) : NULL;
}

static void parse_each(struct reader *reader, const char *raw, each_address *each, uint32_t arg)
{
    InternetAddressList *list = parse_list(reader, raw);
    for_each(reader, list, each, arg, 0);
    if (list)
        g_object_unref(list);
}

static void add_recipient(struct reader *reader, InternetAddress *address, uint32_t type)
{
    const struct mime_person p = person_of_mailbox(reader, address, true);
    if (reader->letter->recipient_count < RECIPIENTS_MAX && (*p.address || *p.display_name))
        mime_add_recipient(reader->letter, (uint8_t)type, &p);
}

void read_addresses(struct reader *reader, const char *raw, uint32_t type)
{
    parse_each(reader, raw, add_recipient, type);
}

static void set_role_once(struct reader *reader, InternetAddress *address, uint32_t role)
{
    struct mime_person there;
    const struct mime_person p = person_of_mailbox(reader, address, reader->context->resolve_senders);
    if (!mime_person_of(&reader->letter->props, (enum mime_role)role, &there))
        mime_set_person(&reader->letter->props, (enum mime_role)role, &p);
}

/* A field that is no address is at least a name. */
static void read_role(struct reader *reader, const char *raw, enum mime_role role)
{
    struct mime_person there;
    parse_each(reader, raw, set_role_once, role);
    if (!raw || mime_person_of(&reader->letter->props, role, &there))
        return;
    const char *text = header_text(reader, raw);
    if (*text)
        mime_set_person(&reader->letter->props, role, &(struct mime_person){ text, "SMTP", text, text });
}

/* [MS-OXCMAIL] 2.2.3.2.3, 2.2.3.2.4: without Sender it is who is in From; without From it is who is in Sender.  One
 * address is one person, whatever names it is given. */
void read_sender(struct reader *reader, const char *from, const char *sender)
{
    struct letter_props *props = &reader->letter->props;
    struct mime_person is_from, is_sender;
    read_role(reader, from ? from : sender, ROLE_SENT_REPRESENTING);
    read_role(reader, sender ? sender : from, ROLE_SENDER);
    if (!mime_person_of(props, ROLE_SENT_REPRESENTING, &is_from) && mime_person_of(props, ROLE_SENDER, &is_sender))
        mime_set_person(props, ROLE_SENT_REPRESENTING, &is_sender);
    else if (!mime_person_of(props, ROLE_SENDER, &is_sender) || strcasecmp(is_from.address, is_sender.address) == 0)
        if (is_from.address)
            mime_set_person(props, ROLE_SENDER, &is_from);
}

void read_receipt_to(struct reader *reader, const char *raw)
{
    if (!raw || !*header_plain(reader->arena, raw))
        return;
    read_role(reader, raw, ROLE_READ_RECEIPT);
    letter_set(&reader->letter->props, P_BOOL(PidTagReadReceiptRequested, true));
}

/* [MS-OXCDATA] 2.3.3: each entry but the last one ends at four bytes. */
struct reply_to {
    struct buf entries;
    char *names;
    uint32_t count;
};

static void add_reply_to(struct reply_to *to, const struct mime_person *p)
{
    const struct blob id = entry_id_of(to->entries.owner, p);
    while (to->entries.size % 4)
        buf_add(&to->entries, "", 1);
    put_le32(buf_grow(&to->entries, 4), (uint32_t)id.size);
    buf_add(&to->entries, id.data, id.size);
    to->names = talloc_asprintf(to->entries.owner, "%s%s%s", to->names, to->count ? ";" : "", p->display_name);
    to->count++;
}

void read_reply_to(struct reader *reader, const char *raw)
{
    InternetAddressList *list = parse_list(reader, raw);
    struct reply_to to = { .names = talloc_strdup(reader->arena, "") };
    buf_init(&to.entries, reader->arena);
    for (int i = 0; list && i < MIN(internet_address_list_length(list), 100); i++) {
        InternetAddress *address = internet_address_list_get_address(list, i);
        if (INTERNET_ADDRESS_IS_MAILBOX(address)) {
            const struct mime_person p = person_of_mailbox(reader, address, reader->context->resolve_senders);
            add_reply_to(&to, &p);
        }
    }
    if (list)
        g_object_unref(list);
    if (!to.count)
        return;
    uint8_t head[8];
    put_le32(head, to.count);
    put_le32(head + 4, (uint32_t)to.entries.size);
    struct buf all;
    buf_init(&all, reader->arena);
    buf_add(&all, head, sizeof head);
    buf_add(&all, to.entries.data, to.entries.size);
    letter_set(&reader->letter->props, P_BIN(PidTagReplyRecipientEntries, buf_blob(&all)));
    letter_set(&reader->letter->props, P_STR(PidTagReplyRecipientNames, to.names));
}
