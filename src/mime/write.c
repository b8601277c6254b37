/* SPDX-License-Identifier: Apache-2.0 */
/* A letter as RFC 5322 mail: [MS-OXCMAIL] 2.1.
 *
 *     multipart/mixed -+- multipart/related -+- multipart/alternative -+- text/plain
 *                      |                     |                         +- text/html
 *                      |                     +- pictures that the HTML shows
 *                      +- attachments, messages as message/rfc822
 * and of these only what there is something for. */
#include "mime/internal.h"

#include <ctype.h>

#include "wire/guids.h"

enum { LINE = 76, LINE_MAX_OF_SMTP = 998, BOUNDARY_SIZE = 48 };

struct writer {
    TALLOC_CTX *arena;
    struct buf out;
    unsigned depth;
};

static void put(struct writer *w, const char *text)
{
    buf_add(&w->out, text, strlen(text));
}

static void write_letter(struct writer *, const struct letter *);

/* ---- header fields ---- */

/* Folded before a blank where the line gets long: RFC 5322, 2.2.3. */
static void put_folded(struct writer *w, const char *name, const char *ascii)
{
    size_t column = strlen(name) + 1;
    put(w, name);
    put(w, ":");
    for (const char *at = talloc_asprintf(w->arena, " %s", ascii), *word; *at; at = word) {
        word = at + strspn(at, " ");
        word += strcspn(word, " ");
        if (column + (size_t)(word - at) > LINE && word[-1] != ' ') {
            put(w, "\r\n");
            column = 0;
        }
        buf_add(&w->out, at, (size_t)(word - at));
        column += (size_t)(word - at);
    }
    put(w, "\r\n");
}

/* RFC 2047: words of at most 75 characters, each with whole characters of UTF-8. */
static char *encoded_words(TALLOC_CTX *arena, const char *text)
{
    enum { BYTES = 42 };
    char *words = talloc_strdup(arena, "");
    for (size_t n; *text; text += n) {
        n = MIN(strlen(text), (size_t)BYTES);
        while (((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
        words =
            talloc_asprintf_append(words, "%s=?utf-8?B?%s?=", *words ? " " : "", base64_text(arena, BLOB_OF(text, n)));
    }
    return words;
}

/* A line break in a value would begin a field of its own. */
static void put_text_field(struct writer *w, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    const char *clean = text_line(w->arena, text);
    const bool as_it_is = is_ascii(BLOB_OF(clean, strlen(clean))) && !strstr(clean, "=?");
    put_folded(w, name, as_it_is ? clean : encoded_words(w->arena, clean));
}

/* Message ids and such are never encoded, as long as they are ASCII. */
static void put_plain_field(struct writer *w, const char *name, const char *text)
{
    if (!text || !*text)
        return;
    if (is_ascii(BLOB_OF(text, strlen(text))))
        put_folded(w, name, text_line(w->arena, text));
    else
        put_text_field(w, name, text);
}

static void put_date_field(struct writer *w, const char *name, const struct letter_props *props, uint32_t tag)
{
    const struct prop *p = letter_find(props, tag);
    GDateTime *date = p ? g_date_time_new_from_unix_utc(filetime_to_unix(p->u64)) : NULL;
    if (!date)
        return;
    char *text = g_mime_utils_header_format_date(date);
    put_plain_field(w, name, text);
    g_free(text);
    g_date_time_unref(date);
}

static char *address_text(const struct mime_person *p)
{
    const char *address = p->smtp ? p->smtp : p->address;
    const bool has_name = p->display_name && strcmp(p->display_name, address) != 0;
    InternetAddress *mailbox = internet_address_mailbox_new(has_name ? p->display_name : NULL, address);
    internet_address_set_charset(mailbox, "utf-8");
    char *text = internet_address_to_string(mailbox, NULL, TRUE);
    g_object_unref(mailbox);
    return text;
}

static void put_address(struct writer *w, const char *name, unsigned *count, const struct mime_person *p)
{
    char *text = address_text(p);
    put(w, *count ? ",\r\n " : name);
    put(w, *count ? "" : ": ");
    put(w, text_line(w->arena, text));
    (*count)++;
    g_free(text);
}

static void put_recipients(struct writer *w, const struct letter *letter, const char *name, uint8_t type)
{
    unsigned count = 0;
    struct mime_person p;
    for (uint32_t i = 0; i < letter->recipient_count; i++)
        if ((letter->recipients[i]->type & 0x0F) == type && mime_recipient_person(&letter->recipients[i]->props, &p))
            put_address(w, name, &count, &p);
    if (count)
        put(w, "\r\n");
}

static void put_role(struct writer *w, const char *name, const struct letter_props *props, enum mime_role role)
{
    unsigned count = 0;
    struct mime_person p;
    if (mime_person_of(props, role, &p)) {
        put_address(w, name, &count, &p);
        put(w, "\r\n");
    }
}

static bool same_person(const struct mime_person *a, const struct mime_person *b)
{
    const char *one = a->smtp ? a->smtp : a->address, *other = b->smtp ? b->smtp : b->address;
    return strcasecmp(one, other) == 0;
}

/* [MS-OXCMAIL] 2.1.3.2.3: Sender only where it is somebody else. */
static void put_senders(struct writer *w, const struct letter_props *props)
{
    struct mime_person sender, from;
    const bool has_from = mime_person_of(props, ROLE_SENT_REPRESENTING, &from);
    const bool has_sender = mime_person_of(props, ROLE_SENDER, &sender);
    put_role(w, "From", props, has_from ? ROLE_SENT_REPRESENTING : ROLE_SENDER);
    if (has_from && has_sender && !same_person(&from, &sender))
        put_role(w, "Sender", props, ROLE_SENDER);
}

/* PidTagReplyRecipientEntries: [MS-OXCDATA] 2.3.3 */
static void put_reply_to(struct writer *w, const struct letter_props *props)
{
    const struct blob list = letter_bytes(props, PidTagReplyRecipientEntries);
    char *names = talloc_strdup(w->arena, letter_text(props, PidTagReplyRecipientNames) ?: "");
    struct wire_in in = wire_in(w->arena, list);
    const uint64_t entries = wire_get_uint(&in, 4);
    unsigned count = 0;
    wire_get_uint(&in, 4);
    for (uint64_t i = 0; i < entries && !in.bad; i++) {
        const uint64_t size = wire_get_uint(&in, 4);
        const struct blob id = wire_get_bytes(&in, size);
        struct letter_props one = { .owner = w->arena };
        const char *name = strsep(&names, ";");
        struct mime_person p;
        wire_get_bytes(&in, MIN((size_t)(-size & 3), wire_left(&in)));
        letter_set(&one, P_BIN(PidTagEntryId, id));
        if (name && entries == 1)
            letter_set(&one, P_STR(PidTagDisplayName, letter_text(props, PidTagReplyRecipientNames)));
        if (!in.bad && mime_recipient_person(&one, &p) && strcmp(p.address_type, "EX") != 0)
            put_address(w, "Reply-To", &count, &p);
    }
    if (count)
        put(w, "\r\n");
}

static void put_importance(struct writer *w, const struct letter_props *props)
{
    static const char *const importance[] = { "Low", NULL, "High" }, *const priority[] = { "5", NULL, "1" };
    static const char *const sensitivity[] = { NULL, "Personal", "Private", "Company-Confidential" };
    const uint32_t i = letter_u32(props, PidTagImportance, 1), s = letter_u32(props, PidTagSensitivity, 0);
    if (i < COUNTOF(importance)) {
        put_plain_field(w, "Importance", importance[i]);
        put_plain_field(w, "X-Priority", priority[i]);
    }
    if (s < COUNTOF(sensitivity))
        put_plain_field(w, "Sensitivity", sensitivity[s]);
}

/* [MS-OXCMAIL] 2.1.3.2.20 */
static void put_suppress(struct writer *w, const struct letter_props *props)
{
    static const char *const words[] = { "DR", "NDR", "RN", "NRN", "OOF", "AutoReply" };
    const uint32_t bits = letter_u32(props, PidTagAutoResponseSuppress, 0);
    char *list = talloc_strdup(w->arena, bits == UINT32_MAX ? "All" : "");
    for (unsigned i = 0; i < COUNTOF(words) && bits != UINT32_MAX; i++)
        if (bits & 1u << i)
            list = talloc_asprintf(w->arena, "%s%s%s", list, *list ? ", " : "", words[i]);
    put_plain_field(w, "X-Auto-Response-Suppress", list);
}

static void put_keywords(struct writer *w, const struct letter_props *props)
{
    const struct prop *p = letter_find_named(props, PS_PUBLIC_STRINGS, "Keywords", 0);
    char *list = talloc_strdup(w->arena, "");
    for (uint32_t i = 0; p && PROP_TYPE(p->tag) == (PtypMultiple | PtypString) && i < p->mv.count; i++)
        list = talloc_asprintf(w->arena, "%s%s%s", list, i ? ", " : "", p->mv.str[i]);
    put_text_field(w, "Keywords", list);
}

/* Fields that the message itself makes, or that say how it is built, are not the client's to write. */
static bool may_be_written(const char *name)
{
    static const char *const ours[] = { "from",         "sender",        "to",          "cc",          "bcc",
                                        "subject",      "date",          "message-id",  "references",  "in-reply-to",
                                        "reply-to",     "mime-version",  "received",    "return-path", "importance",
                                        "priority",     "x-priority",    "sensitivity", "keywords",    "thread-topic",
                                        "thread-index", "dkim-signature" };
    for (const char *c = name; *c; c++)
        if (!isgraph((unsigned char)*c) || *c == ':')
            return false;
    for (size_t i = 0; i < COUNTOF(ours); i++)
        if (strcasecmp(name, ours[i]) == 0)
            return false;
    return *name && (!text_is_prefix(name, "content-") || strcasecmp(name, "content-class") == 0);
}

static void put_named_fields(struct writer *w, const struct letter_props *props)
{
    for (uint32_t i = 0; i < props->named_count; i++) {
        const struct letter_named *n = &props->named[i];
        if (n->name && guid_equal(n->set, PS_INTERNET_HEADERS) && PROP_TYPE(n->value.tag) == PtypString &&
            may_be_written(n->name))
            put_text_field(w, n->name, n->value.str);
    }
}

static const struct {
    const char *name;
    uint32_t tag;
} texts[] = {
    { "List-Help", PidTagListHelp },
    { "List-Subscribe", PidTagListSubscribe },
    { "List-Unsubscribe", PidTagListUnsubscribe },
    { "Content-Location", PidTagBodyContentLocation },
    { "Comments", PidTagComment },
};

static void put_thread(struct writer *w, const struct letter_props *props)
{
    const struct blob index = letter_bytes(props, PidTagConversationIndex);
    put_plain_field(w, "References", letter_text(props, PidTagInternetReferences));
    put_plain_field(w, "In-Reply-To", letter_text(props, PidTagInReplyToId));
    put_text_field(w, "Thread-Topic", letter_text(props, PidTagConversationTopic));
    if (index.size)
        put_plain_field(w, "Thread-Index", base64_text(w->arena, index));
}

static void put_requests(struct writer *w, const struct letter_props *props)
{
    const struct prop *flag = letter_find_named(props, PSETID_Common, NULL, 0x8530);
    if (letter_u32(props, PidTagReadReceiptRequested, 0)) {
        struct mime_person p;
        put_role(w, "Disposition-Notification-To", props,
                 mime_person_of(props, ROLE_READ_RECEIPT, &p) ? ROLE_READ_RECEIPT : ROLE_SENDER);
    }
    if (letter_u32(props, PidTagOriginatorDeliveryReportRequested, 0))
        put_role(w, "Return-Receipt-To", props, ROLE_SENDER);
    if (flag && PROP_TYPE(flag->tag) == PtypString)
        put_text_field(w, "X-Message-Flag", flag->str);
    put_date_field(w, "Reply-By", props, PidTagReplyTime);
    put_date_field(w, "Expires", props, PidTagExpiryTime);
    put_date_field(w, "Deferred-Delivery", props, PidTagDeferredDeliveryTime);
}

static void put_fields(struct writer *w, const struct letter *letter)
{
    const struct letter_props *props = &letter->props;
    put_senders(w, props);
    put_recipients(w, letter, "To", 1);
    put_recipients(w, letter, "Cc", 2);
    put_recipients(w, letter, "Bcc", 3);
    put_reply_to(w, props);
    put_text_field(w, "Subject", letter_text(props, PidTagSubject));
    put_date_field(w, "Date", props, PidTagClientSubmitTime);
    put_plain_field(w, "Message-ID", letter_text(props, PidTagInternetMessageId));
    put_thread(w, props);
    put_importance(w, props);
    put_suppress(w, props);
    put_keywords(w, props);
    put_requests(w, props);
    for (size_t i = 0; i < COUNTOF(texts); i++)
        put_text_field(w, texts[i].name, letter_text(props, texts[i].tag));
    put_named_fields(w, props);
    put(w, "MIME-Version: 1.0\r\n");
}

/* ---- content ---- */

static void put_base64(struct writer *w, struct blob bytes)
{
    const char *text = base64_text(w->arena, bytes);
    for (size_t length = strlen(text), n; length; text += n, length -= n) {
        n = MIN(length, (size_t)LINE);
        buf_add(&w->out, text, n);
        put(w, "\r\n");
    }
}

/* RFC 2045, 6.7 */
static void put_quoted(struct writer *w, struct blob text)
{
    size_t column = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        if (c == '\r' && i + 1 < text.size && text.data[i + 1] == '\n') {
            put(w, "\r\n");
            column = 0;
            i++;
            continue;
        }
        const bool at_end = i + 1 == text.size || text.data[i + 1] == '\r';
        const bool plain = (c > 32 && c < 127 && c != '=') || ((c == ' ' || c == '\t') && !at_end);
        if (column + (plain ? 1 : 3) > LINE - 1) {
            put(w, "=\r\n");
            column = 0;
        }
        if (plain)
            buf_add(&w->out, &c, 1);
        else
            buf_printf(&w->out, "=%02X", c);
        column += plain ? 1 : 3;
    }
}

static const char *encoding_of(struct blob text)
{
    size_t eight = 0, column = 0, longest = 0, lone = 0, blanks = 0;
    for (size_t i = 0; i < text.size; i++) {
        const uint8_t c = text.data[i];
        const bool ends = c == '\r' && i + 1 < text.size && text.data[i + 1] == '\n';
        eight += c >= 0x80;
        lone += (c < 32 && !strchr("\t\r\n", c)) || c == 0 || c == 127 || (c == '\r' && !ends) ||
                (c == '\n' && (i == 0 || text.data[i - 1] != '\r'));
        blanks += ends && i && (text.data[i - 1] == ' ' || text.data[i - 1] == '\t');
        column = c == '\n' ? 0 : column + 1;
        longest = MAX(longest, column);
    }
    if (lone > text.size / 10 || eight > text.size / 6)
        return "base64";
    return eight || lone || blanks || longest > LINE_MAX_OF_SMTP ? "quoted-printable" : "7bit";
}

static void put_content(struct writer *w, struct blob bytes, bool text)
{
    const char *encoding = text ? encoding_of(bytes) : "base64";
    buf_printf(&w->out, "Content-Transfer-Encoding: %s\r\n\r\n", encoding);
    if (*encoding == 'b')
        put_base64(w, bytes);
    else if (*encoding == 'q')
        put_quoted(w, bytes);
    else
        buf_add(&w->out, bytes.data, bytes.size);
}

static void put_text_part(struct writer *w, const char *subtype, unsigned codepage, struct blob bytes)
{
    const char *charset = charset_of_codepage(codepage);
    buf_printf(&w->out, "Content-Type: text/%s; charset=%s\r\n", subtype, charset ? charset : "utf-8");
    put_content(w, bytes, true);
}

static void put_plain(struct writer *w, const struct letter_props *props)
{
    unsigned codepage = letter_u32(props, PidTagInternetCodepage, CP_UTF8);
    const char *text = letter_text(props, PidTagBody);
    const struct blob bytes = encode_text(w->arena, &codepage, text ? text : "");
    put_text_part(w, "plain", codepage, bytes);
}

/* The bytes are in PidTagInternetCodepage; one that mail has no name for becomes UTF-8. */
static void put_html(struct writer *w, const struct letter_props *props)
{
    const struct blob html = letter_bytes(props, PidTagHtml);
    const unsigned codepage = letter_u32(props, PidTagInternetCodepage, CP_UTF8);
    if (charset_of_codepage(codepage)) {
        put_text_part(w, "html", codepage, html);
        return;
    }
    const char *text = codepage_known(codepage) ? utf8_of_codepage(w->arena, codepage, html.data, html.size)
                                                : utf8_of_charset(w->arena, "utf-8", html.data, html.size);
    put_text_part(w, "html", CP_UTF8, BLOB_OF(text, strlen(text)));
}

/* ---- multiparts ---- */

struct multipart {
    char boundary[BOUNDARY_SIZE];
};

static struct multipart open_multipart(struct writer *w, const char *subtype, const char *parameters)
{
    struct multipart m;
    char guid[GUID_TEXT_SIZE];
    snprintf(m.boundary, sizeof m.boundary, "=_%s", guid_text(guid_random(), guid));
    buf_printf(&w->out, "Content-Type: multipart/%s;%s\r\n\tboundary=\"%s\"\r\n\r\n", subtype, parameters, m.boundary);
    return m;
}

static void next_part(struct writer *w, const struct multipart *m)
{
    buf_printf(&w->out, "\r\n--%s\r\n", m->boundary);
}

static void close_multipart(struct writer *w, const struct multipart *m)
{
    buf_printf(&w->out, "\r\n--%s--\r\n", m->boundary);
}

/* RFC 2231 for what is not ASCII, RFC 2045 for the rest. */
static void put_parameter(struct writer *w, const char *name, const char *value)
{
    const char *clean = text_line(w->arena, value);
    if (is_ascii(BLOB_OF(clean, strlen(clean)))) {
        buf_printf(&w->out, ";\r\n\t%s=\"", name);
        for (const char *c = clean; *c; c++) {
            put(w, *c == '"' || *c == '\\' ? "\\" : "");
            buf_add(&w->out, c, 1);
        }
        put(w, "\"");
        return;
    }
    buf_printf(&w->out, ";\r\n\t%s*=utf-8''", name);
    for (const char *c = clean; *c; c++)
        if (isalnum((unsigned char)*c) || strchr("-._", *c))
            buf_add(&w->out, c, 1);
        else
            buf_printf(&w->out, "%%%02X", (unsigned char)*c);
}

static bool is_media_type(const char *tag)
{
    const char *slash = strchr(tag, '/');
    for (const char *c = tag; *c; c++)
        if (!isgraph((unsigned char)*c) || strchr("()<>@,;:\\\"[]?=", *c))
            return false;
    return slash && slash > tag && slash[1] && !strchr(slash + 1, '/');
}

/* A part of type multipart or message would be taken apart by who reads it. */
static const char *media_type(const struct letter_props *props)
{
    const char *tag = letter_text(props, PidTagAttachMimeTag);
    if (!tag || !is_media_type(tag))
        return "application/octet-stream";
    return text_is_prefix(tag, "multipart/") || text_is_prefix(tag, "message/") ? "application/octet-stream" : tag;
}

static const char *name_of(const struct letter_props *props)
{
    static const uint32_t names[] = { PidTagAttachLongFilename, PidTagAttachFilename, PidTagDisplayName };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (letter_text(props, names[i]))
            return letter_text(props, names[i]);
    return "attachment";
}

static bool is_inline(const struct letter *letter, const struct letter_attachment *a)
{
    return !a->embedded && letter_bytes(&letter->props, PidTagHtml).size &&
           letter_u32(&a->props, PidTagAttachFlags, 0) & 4 &&
           (letter_text(&a->props, PidTagAttachContentId) || letter_text(&a->props, PidTagAttachContentLocation));
}

static void put_attachment_fields(struct writer *w, const struct letter_attachment *a, bool shown)
{
    const char *charset = letter_text(&a->props, PidTagTextAttachmentCharset), *type = media_type(&a->props);
    const char *id = letter_text(&a->props, PidTagAttachContentId);
    buf_printf(&w->out, "Content-Type: %s", type);
    if (charset && text_is_prefix(type, "text/"))
        put_parameter(w, "charset", charset);
    put_parameter(w, "name", name_of(&a->props));
    buf_printf(&w->out, "\r\nContent-Disposition: %s", shown ? "inline" : "attachment");
    put_parameter(w, "filename", name_of(&a->props));
    put(w, "\r\n");
    if (id)
        put_plain_field(w, "Content-ID", talloc_asprintf(w->arena, "<%s>", id));
    put_plain_field(w, "Content-Location", letter_text(&a->props, PidTagAttachContentLocation));
    put_plain_field(w, "Content-Base", letter_text(&a->props, PidTagAttachContentBase));
}

static void put_embedded(struct writer *w, const struct letter *letter)
{
    struct writer inner = { .arena = w->arena, .depth = w->depth + 1 };
    buf_init(&inner.out, w->arena);
    write_letter(&inner, letter);
    put(w, "Content-Type: message/rfc822\r\nContent-Disposition: attachment\r\n\r\n");
    buf_add(&w->out, inner.out.data, inner.out.size);
}

static void put_attachment(struct writer *w, const struct letter_attachment *a, bool shown)
{
    if (a->embedded && w->depth < LETTER_DEPTH) {
        put_embedded(w, a->embedded);
        return;
    }
    put_attachment_fields(w, a, shown);
    put_content(w, letter_bytes(&a->props, PidTagAttachDataBinary), false);
}

static void put_texts(struct writer *w, const struct letter *letter)
{
    const bool html = letter_bytes(&letter->props, PidTagHtml).size > 0;
    if (!html || !letter_text(&letter->props, PidTagBody)) {
        (html ? put_html : put_plain)(w, &letter->props);
        return;
    }
    const struct multipart m = open_multipart(w, "alternative", "");
    next_part(w, &m);
    put_plain(w, &letter->props);
    next_part(w, &m);
    put_html(w, &letter->props);
    close_multipart(w, &m);
}

static unsigned count_attachments(const struct letter *letter, bool shown)
{
    unsigned count = 0;
    for (uint32_t i = 0; i < letter->attachment_count; i++)
        count += is_inline(letter, letter->attachments[i]) == shown;
    return count;
}

static void put_attachments(struct writer *w, const struct letter *letter, const struct multipart *m, bool shown)
{
    for (uint32_t i = 0; i < letter->attachment_count; i++)
        if (is_inline(letter, letter->attachments[i]) == shown) {
            next_part(w, m);
            put_attachment(w, letter->attachments[i], shown);
        }
}

static void put_body(struct writer *w, const struct letter *letter)
{
    if (!count_attachments(letter, true)) {
        put_texts(w, letter);
        return;
    }
    const struct multipart m = open_multipart(w, "related", "");
    next_part(w, &m);
    put_texts(w, letter);
    put_attachments(w, letter, &m, true);
    close_multipart(w, &m);
}

static void write_mixed(struct writer *w, const struct letter *letter)
{
    if (!count_attachments(letter, false)) {
        put_body(w, letter);
        return;
    }
    const struct multipart m = open_multipart(w, "mixed", "");
    next_part(w, &m);
    put_body(w, letter);
    put_attachments(w, letter, &m, false);
    close_multipart(w, &m);
}

/* ---- classes that are built in another way ---- */

/* [MS-OXOSMIME] 2.2: the one attachment is the whole entity. */
static bool write_smime(struct writer *w, const struct letter *letter)
{
    const char *class = letter_text(&letter->props, PidTagMessageClass);
    if (letter->attachment_count != 1 || !class || !text_is_prefix(class, "IPM.Note.SMIME"))
        return false;
    const struct letter_props *props = &letter->attachments[0]->props;
    const char *tag = letter_text(props, PidTagAttachMimeTag);
    const struct blob bytes = letter_bytes(props, PidTagAttachDataBinary);
    if (tag && text_is_prefix(tag, "multipart/signed")) {
        buf_add(&w->out, bytes.data, bytes.size);
        return true;
    }
    put(w, "Content-Type: application/pkcs7-mime; name=\"smime.p7m\"\r\n"
           "Content-Disposition: attachment; filename=\"smime.p7m\"\r\n");
    put_content(w, bytes, false);
    return true;
}

static const char *action_of(const char *class)
{
    static const struct {
        const char *end, *action;
    } actions[] = {
        { ".NDR", "failed" },        { ".Delayed", "delayed" }, { ".Relayed", "relayed" },
        { ".Expanded", "expanded" }, { ".DR", "delivered" },
    };
    const char *end = strrchr(class, '.');
    for (size_t i = 0; end && text_is_prefix(class, "REPORT.") && i < COUNTOF(actions); i++)
        if (strcasecmp(end, actions[i].end) == 0)
            return actions[i].action;
    return NULL;
}

static void put_reported(struct writer *w, const struct letter_props *props, const char *action)
{
    struct mime_person p;
    const uint32_t code = letter_u32(props, PidTagNonDeliveryReportStatusCode, 0);
    if (!mime_recipient_person(props, &p))
        return;
    buf_printf(&w->out, "\r\nFinal-Recipient: rfc822;%s\r\nAction: %s\r\nStatus: %u.%u.%u\r\n",
               text_line(w->arena, p.smtp ? p.smtp : p.address), action, code / 100 % 10, code / 10 % 10, code % 10);
    if (letter_text(props, PidTagRemoteMessageTransferAgent))
        put_plain_field(w, "Remote-MTA",
                        talloc_asprintf(w->arena, "dns;%s", letter_text(props, PidTagRemoteMessageTransferAgent)));
    put_plain_field(w, "X-Supplementary-Info", letter_text(props, PidTagSupplementaryInfo));
}

/* [MS-OXCMAIL] 2.1.3.6.1 */
static void put_delivery_status(struct writer *w, const struct letter *letter, const char *action)
{
    const char *mta = letter_text(&letter->props, PidTagReportingMessageTransferAgent);
    put(w, "Content-Type: message/delivery-status\r\n\r\n");
    put_plain_field(w, "Reporting-MTA", talloc_asprintf(w->arena, "dns;%s", mta ? mta : "localhost"));
    for (uint32_t i = 0; i < letter->recipient_count; i++)
        put_reported(w, &letter->recipients[i]->props, action);
}

/* [MS-OXCMAIL] 2.1.3.6.2 */
static void put_disposition(struct writer *w, const struct letter *letter)
{
    const struct letter_props *props = &letter->props;
    const char *class = letter_text(props, PidTagMessageClass), *what = letter_text(props, PidTagReportDisposition);
    const char *mode = letter_text(props, PidTagReportDispositionMode),
               *id = letter_text(props, PidTagOriginalMessageId);
    const bool read = text_is_prefix(strrchr(class, '.'), ".IPNRN");
    struct mime_person p;
    put(w, "Content-Type: message/disposition-notification\r\n\r\n");
    if (mime_person_of(props, ROLE_SENDER, &p))
        put_plain_field(w, "Final-Recipient", talloc_asprintf(w->arena, "rfc822;%s", p.smtp ? p.smtp : p.address));
    put_plain_field(w, "Original-Message-ID", id);
    put_plain_field(w, "Disposition",
                    talloc_asprintf(w->arena, "%s; %s", mode ? mode : "automatic-action/MDN-sent-automatically",
                                    what   ? what
                                    : read ? "displayed"
                                           : "deleted"));
}

static bool write_report(struct writer *w, const struct letter *letter)
{
    const char *class = letter_text(&letter->props, PidTagMessageClass);
    const char *action = class ? action_of(class) : NULL, *end = class ? strrchr(class, '.') : NULL;
    const bool receipt =
        end && text_is_prefix(class, "REPORT.") && (strcasecmp(end, ".IPNRN") == 0 || strcasecmp(end, ".IPNNRN") == 0);
    if (!action && !receipt)
        return false;
    const struct multipart m = open_multipart(
        w, "report", action ? " report-type=delivery-status;" : " report-type=disposition-notification;");
    next_part(w, &m);
    put_texts(w, letter);
    next_part(w, &m);
    if (action)
        put_delivery_status(w, letter, action);
    else
        put_disposition(w, letter);
    put_attachments(w, letter, &m, false);
    put_attachments(w, letter, &m, true);
    close_multipart(w, &m);
    return true;
}

/* RTF has no place in MIME: what it was made of goes out, or its text. */
static const struct letter *without_rtf(TALLOC_CTX *arena, const struct letter *letter)
{
    const struct blob compressed = letter_bytes(&letter->props, PidTagRtfCompressed);
    struct blob rtf;
    if (!compressed.size || letter_bytes(&letter->props, PidTagHtml).size || letter_text(&letter->props, PidTagBody) ||
        body_rtf_decompress(arena, compressed, &rtf))
        return letter;
    struct letter *readable = letter_share(arena, letter);
    letter_set(&readable->props, P_STR(PidTagBody, body_text_of_rtf(arena, rtf)));
    if (body_rtf_origin(rtf) == BODY_HTML) {
        const char *html = body_html_of_rtf(arena, rtf);
        letter_set(&readable->props, P_BIN(PidTagHtml, BLOB_OF(html, strlen(html))));
    }
    return readable;
}

static void write_letter(struct writer *w, const struct letter *letter)
{
    letter = without_rtf(w->arena, letter);
    put_fields(w, letter);
    if (!write_smime(w, letter) && !write_report(w, letter))
        write_mixed(w, letter);
}

enum ec mime_write(TALLOC_CTX *arena, const struct letter *letter, struct blob *rfc5322)
{
    struct writer w = { .arena = arena };
    mime_options();
    buf_init(&w.out, arena);
    write_letter(&w, letter);
    *rfc5322 = buf_blob(&w.out);
    return ecNone;
}
