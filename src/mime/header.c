/* SPDX-License-Identifier: Apache-2.0 */
/* Header fields and the properties that they become: [MS-OXCMAIL] 2.2.3. */
#include "mime/internal.h"

#include <ctype.h>
#include <stdlib.h>

#include "wire/guids.h"

enum { PidLidFlagRequest = 0x8530, FOLLOWUP_FLAGGED = 2, CONVERSATION_HEADER = 22, KEYWORDS_MAX = 100 };

/* ---- text of a field ---- */

static char *trimmed(char *text)
{
    size_t length = strlen(text);
    while (length && text[length - 1] == ' ')
        text[--length] = 0;
    return text + strspn(text, " ");
}

/* What is read of a field: all of it, or words up to VALUE_MAX.  The rest stays in PidTagTransportMessageHeaders. */
static size_t value_length(const char *raw)
{
    const size_t most = utf8_start(raw, VALUE_MAX);
    size_t length = most;
    while (raw[most] && length && !strchr(" \t\r\n", raw[length]))
        length--;
    return length ? length : most;
}

/* The line break of a fold goes, the blank after it stays: RFC 5322, 2.2.3. */
static char *unfolded(TALLOC_CTX *arena, const char *raw)
{
    char *line = raw ? talloc_strndup(arena, raw, value_length(raw)) : talloc_strdup(arena, ""), *put = line;
    for (const char *at = line; *at; at++)
        if (*at != '\r' && *at != '\n')
            *put++ = *at == '\t' ? ' ' : *at;
    *put = 0;
    return line;
}

char *header_plain(TALLOC_CTX *arena, const char *raw)
{
    return trimmed(text_line(arena, unfolded(arena, raw)));
}

char *header_text(const struct reader *reader, const char *raw)
{
    return trimmed(text_line(reader->arena, decode_words(reader->arena, unfolded(reader->arena, raw))));
}

/* ---- how fields are read ---- */

typedef void read_field(struct reader *, const char *raw, const char *name, uint32_t tag);
#define FIELD(how) static void read_##how(struct reader *reader, const char *raw, const char *name, uint32_t tag)
#define UNUSED (void)name, (void)tag

static struct letter_props *props_of(struct reader *reader)
{
    return &reader->letter->props;
}

FIELD(text)
{
    UNUSED;
    const char *text = header_text(reader, raw);
    if (*text)
        letter_set(props_of(reader), P_STR(tag, text));
}

FIELD(id)
{
    UNUSED;
    const char *text = header_plain(reader->arena, raw);
    if (*text)
        letter_set(props_of(reader), P_STR(tag, text));
}

FIELD(base64)
{
    UNUSED;
    struct blob bytes;
    if (base64_parse(reader->arena, header_plain(reader->arena, raw), &bytes) && bytes.size >= CONVERSATION_HEADER)
        letter_set(props_of(reader), P_BIN(tag, bytes));
}

static uint64_t date_of(const struct reader *reader, const char *raw)
{
    GDateTime *date = g_mime_utils_header_decode_date(header_plain(reader->arena, raw));
    const int64_t seconds = date ? g_date_time_to_unix(date) : 0;
    if (date)
        g_date_time_unref(date);
    return seconds > 0 ? filetime_of_unix(seconds) : 0;
}

FIELD(date)
{
    UNUSED;
    const uint64_t time = date_of(reader, raw);
    if (time)
        letter_set(props_of(reader), P_TIME(tag, time));
}

struct word {
    const char *word;
    uint32_t value;
};

static void read_word(struct reader *reader, const char *raw, uint32_t tag, const struct word *words, size_t count)
{
    const char *said = header_plain(reader->arena, raw);
    for (size_t i = 0; i < count; i++)
        if (strcasecmp(said, words[i].word) == 0) {
            letter_set(props_of(reader), P_I32(tag, words[i].value));
            return;
        }
}

FIELD(importance)
{
    static const struct word words[] = { { "low", 0 }, { "normal", 1 }, { "high", 2 } };
    UNUSED;
    read_word(reader, raw, tag, words, COUNTOF(words));
}

/* The four fields that say it have a rank: read_fields reads them from the weakest on. */
FIELD(priority)
{
    static const struct word words[] = { { "non-urgent", 0 }, { "normal", 1 }, { "urgent", 2 } };
    UNUSED;
    read_word(reader, raw, tag, words, COUNTOF(words));
}

FIELD(x_priority)
{
    UNUSED;
    const int number = atoi(header_plain(reader->arena, raw));
    if (number >= 1 && number <= 5)
        letter_set(props_of(reader), P_I32(tag, number < 3 ? 2 : number == 3 ? 1 : 0));
}

FIELD(sensitivity)
{
    static const struct word words[] = {
        { "normal", 0 }, { "personal", 1 }, { "private", 2 }, { "company-confidential", 3 }
    };
    UNUSED;
    read_word(reader, raw, tag, words, COUNTOF(words));
}

/* [MS-OXCMAIL] 2.1.3.2.20 */
FIELD(suppress)
{
    static const struct word words[] = { { "DR", 0x01 },  { "NDR", 0x02 }, { "RN", 0x04 },
                                         { "NRN", 0x08 }, { "OOF", 0x10 }, { "AutoReply", 0x20 } };
    UNUSED;
    char *list = header_plain(reader->arena, raw), *rest = list;
    uint32_t bits = strcasecmp(list, "All") == 0 ? UINT32_MAX : 0;
    for (char *word; (word = strtok_r(rest, ", ", &rest)) != NULL;)
        for (size_t i = 0; i < COUNTOF(words); i++)
            bits |= strcasecmp(word, words[i].word) == 0 ? words[i].value : 0;
    letter_set(props_of(reader), P_I32(tag, bits));
}

FIELD(receipt)
{
    UNUSED;
    if (*header_plain(reader->arena, raw))
        letter_set(props_of(reader), P_BOOL(tag, true));
}

/* PidNameKeywords: the categories */
FIELD(keywords)
{
    UNUSED;
    const char **words = talloc_array(reader->arena, const char *, KEYWORDS_MAX);
    char *rest = header_text(reader, raw);
    uint32_t count = 0;
    for (char *word; count < KEYWORDS_MAX && (word = strtok_r(rest, ",;", &rest)) != NULL;)
        if (*(word = trimmed(word)))
            words[count++] = word;
    struct prop p = { .tag = PROP_TAG(PtypMultiple | PtypString, 0) };
    p.mv.count = count;
    p.mv.str = words;
    if (count)
        letter_set_named(props_of(reader), PS_PUBLIC_STRINGS, "Keywords", 0, p);
}

FIELD(flag)
{
    UNUSED;
    const char *text = header_text(reader, raw);
    if (!*text)
        return;
    letter_set_named(props_of(reader), PSETID_Common, NULL, PidLidFlagRequest, P_STR(PROP_TAG(PtypString, 0), text));
    letter_set(props_of(reader), P_I32(PidTagFlagStatus, FOLLOWUP_FLAGGED));
}

/* Kept under its own name. */
FIELD(header)
{
    (void)tag;
    char *lower = talloc_strdup(reader->arena, name);
    for (char *c = lower; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    const char *text = header_text(reader, raw);
    if (*text)
        letter_set_named(props_of(reader), PS_INTERNET_HEADERS, lower, 0, P_STR(PROP_TAG(PtypString, 0), text));
}

static const struct field {
    const char *name;
    read_field *read;
    uint32_t tag;
} fields[] = {
#define HEADER(name, how, tag) { name, read_##how, (uint32_t)(tag) },
#include "mime/headers.def"
#undef HEADER
};

/* Of fields of one name the first counts, except for those that go on in further lines. */
static const char *first_raw(GMimeMessage *message, const char *name)
{
    GMimeHeader *header = g_mime_header_list_get_header(g_mime_object_get_header_list(GMIME_OBJECT(message)), name);
    return header ? g_mime_header_get_raw_value(header) : NULL;
}

/* What stands further up in the table outranks what sets the same property below it. */
static void read_fields(struct reader *reader, GMimeMessage *message)
{
    for (size_t i = COUNTOF(fields); i-- > 0;) {
        const char *raw = first_raw(message, fields[i].name);
        if (raw)
            fields[i].read(reader, raw, fields[i].name, fields[i].tag);
    }
}

/* ---- subject, conversation, times ---- */

/* [MS-OXCMSG] 2.2.1.9: up to three letters, a colon and a blank */
size_t mime_subject_prefix(const char *subject)
{
    size_t letters = 0;
    const char *at = subject;
    for (; *at && *at != ':'; letters++) {
        if (letters == 3 || ((unsigned char)*at < 0x80 && !isalpha((unsigned char)*at)))
            return 0;
        do
            at++;
        while (((unsigned char)*at & 0xC0) == 0x80);
    }
    return letters && at[0] == ':' && at[1] == ' ' ? (size_t)(at - subject) + 2 : 0;
}

void mime_set_subject(struct letter_props *props, const char *subject)
{
    const size_t prefix = mime_subject_prefix(subject);
    letter_set(props, P_STR(PidTagSubject, subject));
    letter_set(props, P_STR(PidTagSubjectPrefix, talloc_strndup(props->owner, subject, prefix)));
    letter_set(props, P_STR(PidTagNormalizedSubject, subject + prefix));
    if (!letter_text(props, PidTagConversationTopic))
        letter_set(props, P_STR(PidTagConversationTopic, subject + prefix));
}

/* Not in the middle of a character. */
static char *cut(char *text, size_t bytes)
{
    size_t length = strlen(text);
    if (length <= bytes)
        return text;
    while (bytes && ((unsigned char)text[bytes] & 0xC0) == 0x80)
        bytes--;
    text[bytes] = 0;
    return text;
}

struct blob mime_conversation_index(TALLOC_CTX *owner, uint64_t filetime, struct guid guid)
{
    static const uint8_t big_endian[16] = { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t *index = talloc_array(owner, uint8_t, CONVERSATION_HEADER);
    index[0] = 1;
    for (unsigned i = 0; i < 5; i++)
        index[1 + i] = (uint8_t)(filetime >> (56 - 8 * i));
    for (unsigned i = 0; i < 16; i++)
        index[6 + i] = guid.bytes[big_endian[i]];
    return BLOB_OF(index, CONVERSATION_HEADER);
}

static const char *thread_of(const struct letter_props *props)
{
    const char *references = letter_text(props, PidTagInternetReferences);
    const char *parent = references ? references : letter_text(props, PidTagInReplyToId);
    return parent ? parent : letter_text(props, PidTagInternetMessageId);
}

/* Without a Thread-Index: the GUID comes from the first message of the thread, so that its answers have the same. */
static void make_conversation(struct reader *reader, uint64_t time)
{
    struct letter_props *props = props_of(reader);
    const char *thread = thread_of(props);
    struct guid guid = guid_random();
    if (thread) {
        const char *end = strchr(thread, '>');
        md5_of(BLOB_OF(thread, end ? (size_t)(end - thread) + 1 : strlen(thread)), guid.bytes);
    }
    letter_set(props, P_BIN(PidTagConversationIndex, mime_conversation_index(reader->arena, time, guid)));
}

static void read_times(struct reader *reader, GMimeMessage *message)
{
    const char *raw = first_raw(message, "Date");
    const uint64_t said = raw ? date_of(reader, raw) : 0;
    const uint64_t now = reader->context->received ? reader->context->received : filetime_now();
    letter_set(props_of(reader), P_TIME(PidTagClientSubmitTime, said ? said : now));
    if (!letter_find(props_of(reader), PidTagConversationIndex))
        make_conversation(reader, said ? said : now);
}

static void read_people(struct reader *reader, GMimeMessage *message)
{
    static const struct {
        const char *name;
        uint32_t type;
    } kinds[] = { { "To", 1 }, { "Cc", 2 }, { "Bcc", 3 } };
    GMimeHeaderList *list = g_mime_object_get_header_list(GMIME_OBJECT(message));
    const int count = g_mime_header_list_get_count(list);
    read_sender(reader, first_raw(message, "From"), first_raw(message, "Sender"));
    read_reply_to(reader, first_raw(message, "Reply-To"));
    read_receipt_to(reader, first_raw(message, "Disposition-Notification-To"));
    for (size_t k = 0; k < COUNTOF(kinds); k++)
        for (int i = 0; i < count; i++) {
            GMimeHeader *header = g_mime_header_list_get_header_at(list, i);
            if (strcasecmp(g_mime_header_get_name(header), kinds[k].name) == 0)
                read_addresses(reader, g_mime_header_get_raw_value(header), kinds[k].type);
        }
}

void read_headers(struct reader *reader, GMimeMessage *message)
{
    struct letter_props *props = props_of(reader);
    const char *subject = first_raw(message, "Subject");
    read_fields(reader, message);
    mime_set_subject(props, subject ? cut(header_text(reader, subject), SUBJECT_MAX) : "");
    letter_set(props, P_BOOL(PidTagConversationIndexTracking, true));
    letter_set(props, P_I32(PidTagPriority, (int32_t)letter_u32(props, PidTagImportance, 1) - 1));
    if (!letter_find(props, PidTagImportance))
        letter_set(props, P_I32(PidTagImportance, 1));
    if (!letter_find(props, PidTagSensitivity))
        letter_set(props, P_I32(PidTagSensitivity, 0));
    read_times(reader, message);
    read_people(reader, message);
}
