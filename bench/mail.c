/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "mail.h"

#include "wire/entry_id.h"

enum { BODY_MIN = 300, BODY_MAX = 1000, HEADERS_MAX = 420 };
#define FIRST_DATE 1735689600 /* 2025-01-01 */
#define ME_NAME "Alice Example"
#define ME_SMTP "alice@contoso.com"
#define ME_DN "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=alice"

/* ---- the mbox ---- */

static const char *read_file(TALLOC_CTX *owner, const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        give_up("%s cannot be read", path);
    struct buf text;
    buf_init(&text, owner);
    size_t n;
    do {
        n = fread(buf_grow(&text, 65536), 1, 65536, file);
        text.size -= 65536 - n;
    } while (n);
    fclose(file);
    buf_add(&text, "", 1);
    return (const char *)text.data;
}

/* A header's value without what goes on in further lines; NULL: there is none. */
static const char *header(TALLOC_CTX *arena, const char *head, const char *end, const char *name)
{
    const char *at = strcasestr(head, name);
    if (!at || at >= end)
        return NULL;
    at += strlen(name);
    at += strspn(at, " ");
    return talloc_strndup(arena, at, strcspn(at, "\n"));
}

static bool is_plain(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((unsigned char)text[i] >= 0x80 || text[i] == '\0' || text[i] == '\r')
            return false;
    return true;
}

static const char *body_of(TALLOC_CTX *owner, const char *text, size_t size)
{
    char *body = talloc_array(owner, char, BODY_MAX + 1);
    size_t n = 0;
    bool line_begin = true;
    for (size_t i = 0; i < size && n < BODY_MAX; i++) {
        if (!(line_begin && text[i] == '.'))
            body[n++] = text[i];
        line_begin = text[i] == '\n';
    }
    body[n] = '\0';
    return body;
}

/* `name <address>`, `"name" <address>` or an address alone. */
static void set_from(TALLOC_CTX *owner, struct mail *m, const char *from)
{
    const char *open = strchr(from, '<');
    const size_t name = open ? (size_t)(open - from) : strcspn(from, " ");
    const char *address = open ? open + 1 : from;
    m->from_address = talloc_strndup(owner, address, strcspn(address, "> "));
    char *trimmed = talloc_strndup(owner, from + (*from == '"'), name - (name && *from == '"'));
    for (size_t n = strlen(trimmed); n && strchr(" \"", trimmed[n - 1]); n--)
        trimmed[n - 1] = '\0';
    m->from_name = trimmed;
}

static bool read_mail(TALLOC_CTX *owner, const char *head, const char *end, struct mail *out)
{
    const char *body = memmem(head, (size_t)(end - head), "\n\n", 2);
    if (!body || (size_t)(end - body) < BODY_MIN || !is_plain(head, (size_t)(end - head)))
        return false;
    const char *type = header(owner, head, body, "\nContent-Type:"), *from = header(owner, head, body, "\nFrom:");
    const char *encoding = header(owner, head, body, "\nContent-Transfer-Encoding:");
    out->subject = header(owner, head, body, "\nSubject:");
    if (!out->subject || !from || (type && !text_is_prefix(type, "text/plain")) ||
        (encoding && strcasestr(encoding, "ba")))
        return false;
    set_from(owner, out, from);
    out->headers = talloc_strndup(owner, head, MIN((size_t)(body - head), (size_t)HEADERS_MAX));
    out->body = body_of(owner, body + 2, (size_t)(end - body - 2));
    return *out->from_name && *out->from_address;
}

const struct mails *mails_read(TALLOC_CTX *owner, const char *path)
{
    struct mails *all = talloc_zero(owner, struct mails);
    struct mail *list = NULL;
    const char *at = read_file(all, path);
    while (at && *at) {
        const char *next = strstr(at + 1, "\nFrom "), *head = strchr(at + 1, '\n');
        list = talloc_realloc(all, list, struct mail, all->count + 1);
        if (head && read_mail(all, head + 1, next ? next : head + strlen(head), &list[all->count]))
            all->count++;
        at = next;
    }
    all->mails = list;
    if (!all->count)
        give_up("%s holds no plain text mail", path);
    return all;
}

/* ---- messages ---- */

static const struct mail *mail_number(const struct mails *all, uint32_t n)
{
    return &all->mails[n % all->count];
}

static uint64_t date_of(uint32_t n)
{
    return filetime_of_unix(FIRST_DATE + 60 * (int64_t)n);
}

static struct blob conversation_index(TALLOC_CTX *arena, uint32_t n)
{
    uint8_t *index = talloc_zero_array(arena, uint8_t, 22);
    index[0] = 1;
    put_le32(index + 6, n);
    return BLOB_OF(index, 22);
}

struct props mail_props(TALLOC_CTX *arena, const struct mails *all, uint32_t n)
{
    const struct mail *m = mail_number(all, n);
    const bool answer = text_is_prefix(m->subject, "Re: ");
    const struct blob sender = one_off_entry_id(arena, m->from_name, "SMTP", m->from_address);
    const struct blob sender_key = address_search_key(arena, "SMTP", m->from_address);
    const struct blob me = address_book_entry_id(arena, ME_DN, DT_MAILUSER),
                      me_key = address_search_key(arena, "EX", ME_DN);
    const struct prop props[] = {
        P_STR(PidTagMessageClass, "IPM.Note"),
        P_STR(PidTagSubjectPrefix, answer ? "Re: " : ""),
        P_STR(PidTagNormalizedSubject, talloc_asprintf(arena, "%s (%u)", m->subject + (answer ? 4 : 0), n)),
        P_STR(PidTagBody, m->body),
        P_STR(PidTagTransportMessageHeaders, m->headers),
        P_STR(PidTagInternetMessageId, talloc_asprintf(arena, "<%08x.%u@mail.example.org>", n * 2654435761u, n)),
        P_STR(PidTagConversationTopic, m->subject + (answer ? 4 : 0)),
        P_BIN(PidTagConversationIndex, conversation_index(arena, n)),
        P_TIME(PidTagMessageDeliveryTime, date_of(n)),
        P_TIME(PidTagClientSubmitTime, date_of(n) - 30000000),
        P_I32(PidTagImportance, 1),
        P_I32(PidTagPriority, 0),
        P_I32(PidTagSensitivity, 0),
        P_I32(PidTagInternetCodepage, 65001),
        P_I32(PidTagMessageCodepage, 65001),
        P_I32(PidTagMessageLocaleId, 0x409),
        P_I32(PidTagNativeBody, 1),
        P_I32(PidTagIconIndex, -1),
        P_BOOL(PidTagReadReceiptRequested, false),
        P_BOOL(PidTagOriginatorDeliveryReportRequested, false),
        P_BOOL(PidTagMessageToMe, true),
        P_STR(PidTagSenderName, m->from_name),
        P_STR(PidTagSenderAddressType, "SMTP"),
        P_STR(PidTagSenderEmailAddress, m->from_address),
        P_STR(PidTagSenderSmtpAddress, m->from_address),
        P_BIN(PidTagSenderEntryId, sender),
        P_BIN(PidTagSenderSearchKey, sender_key),
        P_STR(PidTagSentRepresentingName, m->from_name),
        P_STR(PidTagSentRepresentingAddressType, "SMTP"),
        P_STR(PidTagSentRepresentingEmailAddress, m->from_address),
        P_STR(PidTagSentRepresentingSmtpAddress, m->from_address),
        P_BIN(PidTagSentRepresentingEntryId, sender),
        P_STR(PidTagReceivedByName, ME_NAME),
        P_BIN(PidTagReceivedByEntryId, me),
        P_BIN(PidTagReceivedBySearchKey, me_key),
    };
    return (struct props){ COUNTOF(props), talloc_memdup(arena, props, sizeof props) };
}

const struct store_recipient *mail_recipient(TALLOC_CTX *arena)
{
    const struct prop props[] = {
        P_STR(PidTagDisplayName, ME_NAME),
        P_STR(PidTagRecipientDisplayName, ME_NAME),
        P_STR(PidTagAddressType, "EX"),
        P_STR(PidTagEmailAddress, ME_DN),
        P_STR(PidTagSmtpAddress, ME_SMTP),
        P_BIN(PidTagEntryId, address_book_entry_id(arena, ME_DN, DT_MAILUSER)),
        P_BIN(PidTagSearchKey, address_search_key(arena, "EX", ME_DN)),
        P_I32(PidTagObjectType, 6),
        P_I32(PidTagDisplayType, 0),
    };
    struct store_recipient *r = talloc_zero(arena, struct store_recipient);
    *r = (struct store_recipient){ .type = 1, .props = { COUNTOF(props), talloc_memdup(arena, props, sizeof props) } };
    return r;
}

struct blob mail_rfc5322(TALLOC_CTX *arena, const struct mails *all, uint32_t n)
{
    const struct mail *m = mail_number(all, n);
    struct buf out;
    buf_init(&out, arena);
    buf_printf(
        &out,
        "Received: from mail.example.org by mail.contoso.com with LMTP id %08X;\r\n\tWed, 1 Jan 2025 00:00:00 +0000\r\n"
        "From: \"%s\" <%s>\r\nTo: " ME_NAME " <" ME_SMTP ">\r\nSubject: %s (%u)\r\n"
        "Message-Id: <%08x.%u@mail.example.org>\r\nDate: Wed, 1 Jan 2025 00:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=us-ascii\r\n\r\n",
        n, m->from_name, m->from_address, m->subject, n, n * 2654435761u, n);
    for (const char *c = m->body; *c; c++)
        buf_add(&out, *c == '\n' ? "\r\n" : c, *c == '\n' ? 2 : 1);
    buf_add(&out, "\r\n", 2);
    return buf_blob(&out);
}

struct store_message *mail_message(TALLOC_CTX *arena, struct store *st, uint64_t fid, const struct mails *all,
                                   uint32_t n)
{
    struct store_message *message;
    enum ec results[64];
    const struct props props = mail_props(arena, all, n);
    must(store_message_new(&message, arena, st, fid, false), "a new message");
    must(store_message_set(message, props.values, props.count, results), "its properties");
    for (uint32_t i = 0; i < props.count; i++)
        must(results[i], prop_name(props.values[i].tag));
    must(store_recipient_put(message, mail_recipient(arena)), "its recipient");
    return message;
}
