/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 5322 into a letter: the whole of it, and what is done with what cannot be taken apart. */
#include "mime/internal.h"

#include <libxml/parser.h>
#include <pthread.h>

static GMimeParserOptions *options;

static void start_libraries(void)
{
    static const char *fallback[] = { "utf-8", "windows-1252", NULL };
    g_mime_init();
    xmlInitParser();
    options = g_mime_parser_options_new();
    g_mime_parser_options_set_fallback_charsets(options, fallback);
    g_mime_parser_options_set_allow_addresses_without_domain(options, TRUE);
}

/* Read by all threads, changed by none. */
GMimeParserOptions *mime_options(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_libraries);
    return options;
}

/* ---- the header block, without a library ---- */

static size_t line_length(struct blob text, size_t at)
{
    const uint8_t *end = at < text.size ? memchr(text.data + at, '\n', text.size - at) : NULL;
    return end ? (size_t)(end - text.data) - at + 1 : text.size - at;
}

static bool is_empty_line(struct blob text, size_t at, size_t length)
{
    return (length == 1 && text.data[at] == '\n') || (length == 2 && memcmp(text.data + at, "\r\n", 2) == 0);
}

/* Up to the empty line; `body` is where the body begins. */
static struct blob header_block(struct blob text, size_t *body)
{
    size_t at = 0, length = 0;
    while (at < text.size && (length = line_length(text, at), !is_empty_line(text, at, length)))
        at += length;
    if (body)
        *body = at < text.size ? at + length : text.size;
    return BLOB_OF(text.data, at);
}

/* The line of an mbox that some programs leave in front. */
static struct blob without_from_line(struct blob text)
{
    const bool there = text.size > 6 && (memcmp(text.data, "From ", 5) == 0 || memcmp(text.data, ">From ", 6) == 0);
    const size_t length = there ? line_length(text, 0) : 0;
    return BLOB_OF(text.data + length, text.size - length);
}

static bool line_is(struct blob text, size_t at, size_t length, const char *name)
{
    const size_t n = strlen(name);
    return length > n && strncasecmp((const char *)text.data + at, name, n) == 0;
}

unsigned mime_hops(struct blob rfc5322)
{
    const struct blob headers = header_block(rfc5322, NULL);
    unsigned hops = 0;
    for (size_t at = 0, length; at < headers.size; at += length) {
        length = line_length(headers, at);
        hops += line_is(headers, at, length, "Received:");
    }
    return hops;
}

uint64_t mime_date(struct blob rfc5322)
{
    const struct blob headers = header_block(without_from_line(rfc5322), NULL);
    for (size_t at = 0, length; at < headers.size; at += length) {
        length = line_length(headers, at);
        if (!line_is(headers, at, length, "Date:"))
            continue;
        mime_options();
        char *value = talloc_strndup(NULL, (const char *)headers.data + at + 5, length - 5);
        GDateTime *date = g_mime_utils_header_decode_date(value);
        const int64_t seconds = date ? g_date_time_to_unix(date) : 0;
        if (date)
            g_date_time_unref(date);
        talloc_free(value);
        return seconds > 0 ? filetime_of_unix(seconds) : 0;
    }
    return 0;
}

/* ---- reading ---- */

/* The library makes objects of about a kilobyte out of a few bytes: parts, fields, addresses, parameters.  A message
 * that has very many of them is not given to it. */
struct census {
    size_t boundaries, fields, field_size; /* lines like a boundary; fields in a row; bytes of this one */
    size_t colons;                         /* in this one: a group in a group costs the library stack */
};

static bool is_costly_field(struct blob text, size_t at, size_t length)
{
    static const char *const names[] = { "from:",   "to:",          "cc:",      "bcc:",  "reply-to:",  "sender:",
                                         "resent-", "disposition-", "content-", "dkim-", "autocrypt:", "references:" };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (line_is(text, at, length, names[i]))
            return true;
    return false;
}

static bool is_too_much(struct census *c, struct blob text, size_t at, size_t length)
{
    const uint8_t *line = text.data + at;
    const bool goes_on = line[0] == ' ' || line[0] == '\t';
    c->boundaries += length >= 2 && line[0] == '-' && line[1] == '-';
    c->fields = goes_on || memchr(line, ':', MIN(length, (size_t)100)) ? c->fields + 1 : 0;
    c->field_size = !goes_on        ? (is_costly_field(text, at, length) ? length : 0)
                    : c->field_size ? c->field_size + length
                                    : 0;
    c->colons = goes_on ? c->colons : 0;
    for (size_t i = 0; c->field_size && i < length; i++)
        c->colons += line[i] == ':';
    return c->boundaries > BOUNDARIES_MAX || c->colons > COLONS_MAX || c->fields > FIELDS_IN_A_ROW ||
           c->field_size > FIELD_MAX;
}

static bool is_hostile(struct blob text)
{
    struct census census = { 0 };
    for (size_t at = 0, length; at < text.size; at += length) {
        length = line_length(text, at);
        if (is_too_much(&census, text, at, length))
            return true;
    }
    return false;
}

static GMimeMessage *parse(struct blob text)
{
    GMimeStream *stream = g_mime_stream_mem_new_with_buffer((const char *)text.data, text.size);
    GMimeParser *parser = g_mime_parser_new_with_stream(stream);
    GMimeMessage *message = g_mime_parser_construct_message(parser, mime_options());
    g_object_unref(parser);
    g_object_unref(stream);
    return message;
}

static void keep_headers(struct reader *reader, struct blob headers)
{
    const struct blob kept = BLOB_OF(headers.data, MIN(headers.size, (size_t)HEADERS_MAX));
    const char *text = decode_text(reader->arena, NULL, kept).text;
    if (*text)
        letter_set(&reader->letter->props, P_STR(PidTagTransportMessageHeaders, text));
}

static void keep_headers_of(struct reader *reader, GMimeMessage *message)
{
    char *headers = g_mime_object_get_headers(GMIME_OBJECT(message), NULL);
    keep_headers(reader, BLOB_OF(headers, strlen(headers)));
    g_free(headers);
}

/* Nothing can be taken apart here: all of it is the text. */
static void read_whole(struct reader *reader, struct blob text)
{
    const struct decoded d = decode_text(reader->arena, NULL, text);
    reader->plain = d.text;
    reader->plain_codepage = d.codepage;
    finish_bodies(reader);
}

void read_message(struct reader *reader, GMimeMessage *message)
{
    GMimeObject *body = g_mime_message_get_mime_part(message);
    letter_set(&reader->letter->props, P_STR(PidTagMessageClass, "IPM.Note"));
    if (!reader->source.data)
        keep_headers_of(reader, message);
    read_headers(reader, message);
    if (body && !read_smime(reader, body) && !read_report(reader, body))
        read_body(reader, body);
    finish_bodies(reader);
}

/* The headers are good even where the body is not. */
static void read_headers_alone(struct reader *reader, struct blob headers, struct blob rest)
{
    struct buf text;
    buf_init(&text, reader->arena);
    buf_add(&text, headers.data, headers.size);
    buf_add(&text, "\r\n", 2);
    GMimeMessage *message = is_hostile(buf_blob(&text)) ? NULL : parse(buf_blob(&text));
    letter_set(&reader->letter->props, P_STR(PidTagMessageClass, "IPM.Note"));
    if (message) {
        read_headers(reader, message);
        g_object_unref(message);
    }
    read_whole(reader, rest);
}

static bool has_headers(GMimeMessage *message)
{
    return g_mime_header_list_get_count(g_mime_object_get_header_list(GMIME_OBJECT(message))) > 0;
}

enum ec mime_read(TALLOC_CTX *arena, struct blob rfc5322, const struct mime_context *context, struct letter **out)
{
    static const struct mime_context nobody;
    unsigned parts = 0;
    size_t body;
    const struct blob source = without_from_line(rfc5322), headers = header_block(source, &body);
    struct reader reader = { .arena = arena,
                             .context = context ? context : &nobody,
                             .letter = letter_new(arena),
                             .options = mime_options(),
                             .source = source,
                             .parts = &parts };
    const bool divided = !is_hostile(source);
    GMimeMessage *message = divided && source.size ? parse(source) : NULL;
    *out = reader.letter;
    keep_headers(&reader, headers);
    if (message && has_headers(message))
        read_message(&reader, message);
    else if (!divided)
        read_headers_alone(&reader, headers, BLOB_OF(source.data + body, source.size - body));
    else
        read_headers_alone(&reader, BLOB_OF(NULL, 0), source);
    if (message)
        g_object_unref(message);
    return ecNone;
}

enum ec mime_to_message(TALLOC_CTX *arena, struct blob rfc5322, const struct mime_context *context,
                        struct store_message *into)
{
    struct letter *letter;
    const enum ec ec = mime_read(arena, rfc5322, context, &letter);
    uint32_t new_names = LETTER_NEW_NAMES;
    return ec ? ec : letter_save(letter, into, &new_names);
}

enum ec mime_of_message(TALLOC_CTX *arena, struct store_message *from, struct blob *rfc5322)
{
    struct letter *letter;
    const enum ec ec = letter_load(arena, from, &letter);
    return ec ? ec : mime_write(arena, letter, rfc5322);
}
