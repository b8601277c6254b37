/* SPDX-License-Identifier: Apache-2.0 */
/* The tree of MIME parts: which of them are the bodies, and what the others are.  [MS-OXCMAIL] 2.2.3.4, 2.2.3.5
 *
 *     multipart/mixed         the first text is the body; further plain texts are added to it, the rest is attached
 *     multipart/alternative   each text is one form of the body
 *     multipart/related       the root is the body, the rest is attached, hidden if the HTML shows it
 *     message/rfc822          attached as a message */
#include "mime/internal.h"

#include <ctype.h>

struct place {
    unsigned depth;
    bool in_related, in_alternative;
};
static void read_object(struct reader *, GMimeObject *, struct place);

/* ---- bytes of parts ---- */

static struct blob stream_bytes(TALLOC_CTX *arena, GMimeStream *memory)
{
    const GByteArray *array = g_mime_stream_mem_get_byte_array(GMIME_STREAM_MEM(memory));
    const struct blob bytes = blob_copy(arena, BLOB_OF(array->data, array->len));
    g_object_unref(memory);
    return bytes;
}

/* As it was sent. */
static struct blob encoded_bytes(TALLOC_CTX *arena, GMimePart *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    GMimeStream *source = content ? g_mime_data_wrapper_get_stream(content) : NULL;
    GMimeStream *memory = g_mime_stream_mem_new();
    if (source) {
        g_mime_stream_reset(source);
        g_mime_stream_write_to_stream(source, memory);
    }
    return stream_bytes(arena, memory);
}

static bool is_base64(GMimePart *part)
{
    return g_mime_part_get_content_encoding(part) == GMIME_CONTENT_ENCODING_BASE64;
}

struct blob part_bytes(TALLOC_CTX *arena, GMimePart *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    if (is_base64(part)) {
        struct buf bytes;
        buf_init(&bytes, arena);
        decode_base64(&bytes, encoded_bytes(arena, part));
        return buf_blob(&bytes);
    }
    GMimeStream *memory = g_mime_stream_mem_new();
    if (content)
        g_mime_data_wrapper_write_to_stream(content, memory);
    return stream_bytes(arena, memory);
}

struct blob object_bytes(TALLOC_CTX *arena, GMimeObject *object)
{
    GMimeStream *memory = g_mime_stream_mem_new();
    g_mime_object_write_to_stream(object, NULL, memory);
    return stream_bytes(arena, memory);
}

/* Text that only says that it is base64. */
static bool is_not_base64(struct blob text)
{
    size_t wrong = 0, all = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (isspace(text.data[i]))
            continue;
        all++;
        wrong += !isalnum(text.data[i]) && !strchr("+/=", text.data[i]);
    }
    return wrong > all / 20;
}

static struct blob text_bytes(TALLOC_CTX *arena, GMimePart *part)
{
    const struct blob encoded = is_base64(part) ? encoded_bytes(arena, part) : BLOB_OF(NULL, 0);
    return is_not_base64(encoded) ? encoded : part_bytes(arena, part);
}

static const char *raw_field(GMimeObject *object, const char *field)
{
    GMimeHeader *header = g_mime_header_list_get_header(g_mime_object_get_header_list(object), field);
    return header ? g_mime_header_get_raw_value(header) : NULL;
}

static const char *parameter(GMimeObject *object, const char *name)
{
    return g_mime_object_get_content_type_parameter(object, name);
}

static bool is_type(GMimeObject *object, const char *type, const char *subtype)
{
    GMimeContentType *t = g_mime_object_get_content_type(object);
    return t && g_mime_content_type_is_type(t, type, subtype);
}

#define OCTETS "application/octet-stream"

/* What is kept as a file is no multipart and no message any more. */
static const char *mime_tag(TALLOC_CTX *arena, GMimeObject *object)
{
    GMimeContentType *t = g_mime_object_get_content_type(object);
    char *text = t ? g_mime_content_type_get_mime_type(t) : NULL;
    char *tag = text_line(arena, text ? text : OCTETS);
    g_free(text);
    for (char *c = tag; *c; c++)
        *c = (char)tolower((unsigned char)*c);
    if (text_is_prefix(tag, "multipart/") || text_is_prefix(tag, "message/"))
        return OCTETS;
    return tag;
}

/* ---- bodies ---- */

/* Every line ends with CR LF, as clients write it. */
static char *with_crlf(TALLOC_CTX *arena, const char *text)
{
    size_t breaks = 0;
    for (const char *at = text; *at; at++)
        breaks += *at == '\n' || *at == '\r';
    char *lines = talloc_array(arena, char, (unsigned)(strlen(text) + breaks + 1)), *put = lines;
    for (const char *at = text; *at; at++)
        if (*at == '\r' || *at == '\n') {
            at += at[0] == '\r' && at[1] == '\n';
            *put++ = '\r';
            *put++ = '\n';
        } else
            *put++ = *at;
    *put = 0;
    return lines;
}

static size_t quote_depth(const char *line)
{
    return strspn(line, ">");
}

/* RFC 3676: a line that ends with a blank goes on in the next one, if that is quoted as deeply. */
static char *unflowed(TALLOC_CTX *arena, const char *text, bool delete_space)
{
    struct buf out;
    buf_init(&out, arena);
    size_t open = SIZE_MAX; /* depth of the paragraph that goes on */
    for (const char *at = text, *next; *at; at = next) {
        const char *end = strchrnul(at, '\n');
        next = *end ? end + 1 : end;
        end -= end > at && end[-1] == '\r';
        const size_t depth = quote_depth(at);
        const char *line = at + depth;
        line += line < end && *line == ' '; /* stuffed */
        const bool signature = end - line == 3 && memcmp(line, "-- ", 3) == 0;
        if (open != SIZE_MAX && (depth != open || signature))
            buf_add(&out, "\n", 1);
        if (open == SIZE_MAX || depth != open || signature) {
            buf_add(&out, at, depth);
            buf_add(&out, " ", depth > 0);
        }
        const bool flows = end > line && end[-1] == ' ' && !signature;
        buf_add(&out, line, (size_t)(end - line) - (flows && delete_space));
        buf_add(&out, "\n", !flows && (*next || next[-1] == '\n'));
        open = flows ? depth : SIZE_MAX;
    }
    buf_add(&out, "", 1);
    return (char *)out.data;
}

static char *plain_of(struct reader *reader, GMimePart *part, unsigned *codepage)
{
    const char *format = parameter(GMIME_OBJECT(part), "format"), *delsp = parameter(GMIME_OBJECT(part), "delsp");
    const struct decoded d =
        decode_text(reader->arena, parameter(GMIME_OBJECT(part), "charset"), text_bytes(reader->arena, part));
    *codepage = d.codepage;
    if (format && strcasecmp(format, "flowed") == 0)
        return unflowed(reader->arena, d.text, delsp && strcasecmp(delsp, "yes") == 0);
    return d.text;
}

static void take_plain(struct reader *reader, GMimePart *part)
{
    unsigned codepage;
    const char *text = plain_of(reader, part, &codepage);
    reader->texts++;
    if (!reader->plain) {
        reader->plain = text;
        reader->plain_codepage = codepage;
        return;
    }
    const size_t length = strlen(reader->plain);
    const bool ended = !length || reader->plain[length - 1] == '\n';
    reader->plain = talloc_asprintf(reader->arena, "%s%s%s", reader->plain, ended ? "" : "\n", text);
    if (reader->plain_codepage != codepage)
        reader->plain_codepage = CP_UTF8;
}

/* <meta charset=...> and <meta ... content="text/html; charset=...">, of which only the beginning is looked at. */
static char *charset_in_html(TALLOC_CTX *arena, struct blob html)
{
    enum { LOOK_AT = 4096 };
    const char *head = talloc_strndup(arena, (const char *)html.data, MIN(html.size, (size_t)LOOK_AT));
    const char *meta = strcasestr(head, "<meta"), *at = meta ? strcasestr(meta, "charset=") : NULL;
    if (!at)
        return NULL;
    at += strlen("charset=");
    at += strspn(at, "\"' ");
    return talloc_strndup(arena, at, strcspn(at, "\"' />;"));
}

static void take_html(struct reader *reader, GMimePart *part)
{
    const char *charset = parameter(GMIME_OBJECT(part), "charset");
    const struct blob bytes = text_bytes(reader->arena, part);
    if ((!charset || !*charset) && !utf8_is_valid(bytes.data, bytes.size))
        charset = charset_in_html(reader->arena, bytes);
    const struct decoded d = decode_text(reader->arena, charset, bytes);
    reader->html = d.text;
    reader->html_bytes = d.bytes;
    reader->html_codepage = d.codepage;
}

static bool is_attached(GMimeObject *object)
{
    GMimeContentDisposition *d = g_mime_object_get_content_disposition(object);
    return d && strcasecmp(g_mime_content_disposition_get_disposition(d), "attachment") == 0;
}

static const char *parameter_of_field(TALLOC_CTX *arena, GMimeObject *object, const char *field, const char *name)
{
    const char *raw = raw_field(object, field);
    const char *parameters = raw ? strchr(raw, ';') : NULL;
    GMimeParamList *list =
        parameters ? g_mime_param_list_parse(mime_options(), join_words(arena, parameters + 1)) : NULL;
    GMimeParam *p = list ? g_mime_param_list_get_parameter(list, name) : NULL;
    const char *value = p ? talloc_strdup(arena, g_mime_param_get_value(p)) : NULL;
    if (list)
        g_object_unref(list);
    return value && *value ? value : NULL;
}

static const char *file_name(TALLOC_CTX *arena, GMimeObject *object)
{
    const char *name = parameter_of_field(arena, object, "Content-Disposition", "filename");
    return name ? name : parameter_of_field(arena, object, "Content-Type", "name");
}

/* As it was sent, which is never shorter than it is. */
static size_t sent_size(GMimePart *part)
{
    GMimeDataWrapper *content = g_mime_part_get_content(part);
    const int64_t length = content ? g_mime_stream_length(g_mime_data_wrapper_get_stream(content)) : 0;
    return length > 0 ? (size_t)length : 0;
}

/* A text that is no file and comes while its place is free. */
static bool take_text(struct reader *reader, GMimePart *part, struct place place)
{
    GMimeObject *object = GMIME_OBJECT(part);
    const bool html = is_type(object, "text", "html");
    const bool plain = is_type(object, "text", "plain") || is_type(object, "text", "enriched");
    const bool named = file_name(reader->arena, object) != NULL;
    const size_t size = html || plain ? sent_size(part) : 0;
    if ((!html && !plain) || is_attached(object) || size > BODY_MAX - reader->text_size)
        return false;
    if (html && !reader->html && (!named || !reader->plain)) {
        if (reader->plain && !place.in_alternative && !place.in_related)
            return false; /* a second text of another kind: its own file */
        take_html(reader, part);
        reader->text_size += size;
        return true;
    }
    if (plain && !reader->html && (!reader->plain || (!named && !place.in_alternative && reader->texts < TEXTS_MAX))) {
        take_plain(reader, part);
        reader->text_size += size;
        return true;
    }
    if (plain && reader->html && !reader->plain && place.in_alternative) {
        take_plain(reader, part);
        reader->text_size += size;
        return true;
    }
    return false;
}

/* ---- attachments ---- */

static char *base_name(TALLOC_CTX *arena, const char *name)
{
    char *clean = text_line(arena, name);
    char *slash = strrchr(clean, '/'), *backslash = strrchr(clean, '\\');
    char *base = MAX(slash, backslash) ? MAX(slash, backslash) + 1 : clean;
    size_t length = strlen(base);
    if (length > 255) { /* the end has the extension */
        base += length - 255;
        while (((unsigned char)*base & 0xC0) == 0x80)
            base++;
    }
    return base;
}

static const char *extension_of_type(const char *tag)
{
    static const struct {
        const char *tag, *extension;
    } known[] = {
        { "text/plain", ".txt" },         { "text/html", ".htm" },           { "text/calendar", ".ics" },
        { "text/x-vcard", ".vcf" },       { "text/vcard", ".vcf" },          { "text/csv", ".csv" },
        { "text/xml", ".xml" },           { "application/xml", ".xml" },     { "application/pdf", ".pdf" },
        { "application/zip", ".zip" },    { "image/jpeg", ".jpg" },          { "image/jpg", ".jpg" },
        { "image/gif", ".gif" },          { "image/png", ".png" },           { "image/bmp", ".bmp" },
        { "image/svg+xml", ".svg" },      { "message/rfc822", ".eml" },      { "application/pgp-signature", ".asc" },
        { "application/msword", ".doc" }, { "application/ms-tnef", ".dat" },
    };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (strcmp(tag, known[i].tag) == 0)
            return known[i].extension;
    return text_is_prefix(tag, "text/") ? ".txt" : ".dat";
}

/* A file's name; or its description as one; or a number. */
static const char *name_of(struct reader *reader, GMimeObject *object, const char *tag)
{
    const char *given = file_name(reader->arena, object), *name = given ? base_name(reader->arena, given) : "";
    const char *described = raw_field(object, "Content-Description");
    if (*name)
        return name;
    name = described ? base_name(reader->arena, header_text(reader, described)) : "";
    if (*name)
        return talloc_asprintf(reader->arena, "%s%s", name, strchr(name, '.') ? "" : extension_of_type(tag));
    return talloc_asprintf(reader->arena, "ATT%05u%s", ++reader->unnamed, extension_of_type(tag));
}

static void set_header(struct reader *reader, struct letter_props *props, GMimeObject *object, const char *header,
                       uint32_t tag)
{
    const char *value = raw_field(object, header);
    if (!value)
        return;
    char *text = header_plain(reader->arena, value);
    const size_t length = strlen(text);
    if (length > 1 && text[0] == '<' && text[length - 1] == '>')
        text = talloc_strndup(reader->arena, text + 1, length - 2);
    if (*text)
        letter_set(props, P_STR(tag, text));
}

static struct letter_attachment *attach(struct reader *reader, GMimeObject *object, const char *tag, const char *name)
{
    struct letter_attachment *a = letter_attachment_add(reader->letter);
    const char *dot = strrchr(name, '.');
    const struct prop values[] = {
        P_I32(PidTagAttachMethod, ATTACH_BY_VALUE),
        P_I32(PidTagRenderingPosition, UINT32_MAX),
        P_STR(PidTagAttachMimeTag, tag),
        P_STR(PidTagAttachLongFilename, name),
        P_STR(PidTagAttachFilename, name),
        P_STR(PidTagDisplayName, name),
        P_STR(PidTagAttachExtension, dot ? dot : ""),
    };
    for (size_t i = 0; i < COUNTOF(values); i++)
        letter_set(&a->props, values[i]);
    set_header(reader, &a->props, object, "Content-Id", PidTagAttachContentId);
    set_header(reader, &a->props, object, "Content-Location", PidTagAttachContentLocation);
    set_header(reader, &a->props, object, "Content-Base", PidTagAttachContentBase);
    return a;
}

/* Whether it is shown inside the HTML is known when that is. */
enum { IN_RELATED = 0x80000000 };

static void attach_part(struct reader *reader, GMimePart *part, bool in_related)
{
    GMimeObject *object = GMIME_OBJECT(part);
    const char *tag = mime_tag(reader->arena, object), *charset = parameter(object, "charset");
    const bool text = text_is_prefix(tag, "text/");
    struct letter_attachment *a = attach(reader, object, tag, name_of(reader, object, tag));
    letter_set(&a->props,
               P_BIN(PidTagAttachDataBinary, text ? text_bytes(reader->arena, part) : part_bytes(reader->arena, part)));
    if (charset && *charset && text)
        letter_set(&a->props, P_STR(PidTagTextAttachmentCharset, text_line(reader->arena, charset)));
    if (in_related)
        letter_set(&a->props, P_I32(PidTagAttachFlags, IN_RELATED));
}

/* An entity that is kept with its headers, undivided. */
static void attach_whole(struct reader *reader, GMimeObject *object)
{
    struct letter_attachment *a = attach(reader, object, OCTETS, name_of(reader, object, "message/rfc822"));
    struct blob bytes;
    if (GMIME_IS_MESSAGE_PART(object) && g_mime_message_part_get_message(GMIME_MESSAGE_PART(object)))
        bytes = object_bytes(reader->arena, GMIME_OBJECT(g_mime_message_part_get_message(GMIME_MESSAGE_PART(object))));
    else
        bytes = object_bytes(reader->arena, object);
    letter_set(&a->props, P_BIN(PidTagAttachDataBinary, bytes));
}

static void attach_message(struct reader *reader, GMimeMessagePart *part)
{
    GMimeMessage *message = g_mime_message_part_get_message(part);
    if (!message || reader->embedded >= EMBEDDED_MAX) {
        attach_whole(reader, GMIME_OBJECT(part));
        return;
    }
    struct reader inner = { .arena = reader->arena,
                            .context = reader->context,
                            .letter = letter_new(reader->arena),
                            .options = reader->options,
                            .parts = reader->parts,
                            .embedded = reader->embedded + 1 };
    read_message(&inner, message);
    const char *subject = letter_text(&inner.letter->props, PidTagSubject);
    struct letter_attachment *a = attach(reader, GMIME_OBJECT(part), "message/rfc822",
                                         subject ? subject : name_of(reader, GMIME_OBJECT(part), "message/rfc822"));
    letter_set(&a->props, P_I32(PidTagAttachMethod, ATTACH_EMBEDDED_MESSAGE));
    letter_set(&a->props, P_STR(PidTagAttachExtension, ""));
    a->embedded = inner.letter;
}

void read_as_attachment(struct reader *reader, GMimeObject *object, bool in_related)
{
    if (GMIME_IS_MESSAGE_PART(object))
        attach_message(reader, GMIME_MESSAGE_PART(object));
    else if (GMIME_IS_PART(object))
        attach_part(reader, GMIME_PART(object), in_related);
    else
        attach_whole(reader, object);
}

/* ---- the tree ---- */

/* Another rendering of the same text, which nobody could open. */
static bool is_superfluous(GMimeObject *object, struct place place)
{
    return (place.in_alternative && (is_type(object, "text", "x-amp-html") || is_type(object, "text", "watch-html"))) ||
           is_type(object, "application", "applefile");
}

static void read_leaf(struct reader *reader, GMimeObject *object, struct place place)
{
    if (GMIME_IS_PART(object) && take_text(reader, GMIME_PART(object), place))
        return;
    if (!is_superfluous(object, place))
        read_as_attachment(reader, object, place.in_related);
}

/* RFC 2387: the part whose Content-ID `start` says, or the first. */
static int root_of(GMimeMultipart *multipart)
{
    const char *start = parameter(GMIME_OBJECT(multipart), "start");
    if (!start || !*start)
        return 0;
    const bool brackets = start[0] == '<';
    char *id = g_strndup(start + brackets, strcspn(start + brackets, ">"));
    const int count = g_mime_multipart_get_count(multipart);
    int found = 0;
    for (int i = 0; i < count && !found; i++) {
        const char *its = g_mime_object_get_content_id(g_mime_multipart_get_part(multipart, i));
        found = its && strcmp(its, id) == 0 ? i : 0;
    }
    g_free(id);
    return found;
}

static void read_related(struct reader *reader, GMimeMultipart *multipart, struct place place)
{
    const int root = root_of(multipart), count = g_mime_multipart_get_count(multipart);
    struct place rest = place;
    rest.in_related = true;
    rest.in_alternative = false;
    read_object(reader, g_mime_multipart_get_part(multipart, root), place);
    for (int i = 0; i < count; i++)
        if (i != root)
            read_object(reader, g_mime_multipart_get_part(multipart, i), rest);
}

static void read_multipart(struct reader *reader, GMimeMultipart *multipart, struct place place)
{
    GMimeObject *object = GMIME_OBJECT(multipart);
    const int count = g_mime_multipart_get_count(multipart);
    place.depth++;
    if (place.depth > DEPTH_MAX || *reader->parts + (unsigned)count > PARTS_MAX) {
        attach_whole(reader, object);
        return;
    }
    *reader->parts += (unsigned)count;
    if (count && is_type(object, "multipart", "related")) {
        read_related(reader, multipart, place);
        return;
    }
    if (is_type(object, "multipart", "alternative"))
        place.in_alternative = true;
    else
        place.in_alternative = false;
    for (int i = 0; i < count; i++)
        read_object(reader, g_mime_multipart_get_part(multipart, i), place);
}

/* What stands before the first boundary where there is none: the text of a multipart that is broken. */
static void read_broken(struct reader *reader, GMimeMultipart *multipart)
{
    const char *text = g_mime_multipart_get_prologue(multipart);
    if (!text || !*text || reader->plain || reader->html)
        return;
    const struct decoded d = decode_text(reader->arena, NULL, BLOB_OF(text, strlen(text)));
    reader->plain = d.text;
    reader->plain_codepage = d.codepage;
}

static void read_object(struct reader *reader, GMimeObject *object, struct place place)
{
    if (!GMIME_IS_MULTIPART(object))
        read_leaf(reader, object, place);
    else if (g_mime_multipart_get_count(GMIME_MULTIPART(object)))
        read_multipart(reader, GMIME_MULTIPART(object), place);
    else
        read_broken(reader, GMIME_MULTIPART(object));
}

void read_body(struct reader *reader, GMimeObject *object)
{
    read_object(reader, object, (struct place){ 0 });
}

/* ---- when all parts are known ---- */

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* "cid:image%40host" without its escapes, up to where the URL ends. */
static char *reference_at(TALLOC_CTX *arena, const char *at)
{
    enum { ID_MAX = 512 };
    char *id = talloc_strndup(arena, at, ID_MAX), *put = id; /* talloc_strndup looks no further */
    id[strcspn(id, "\"'<> \t\r\n)\\")] = 0;
    for (const char *c = id; *c; c++)
        if (*c == '%' && hex_digit(c[1]) >= 0 && hex_digit(c[2]) >= 0) {
            *put++ = (char)(hex_digit(c[1]) << 4 | hex_digit(c[2]));
            c += 2;
        } else
            *put++ = *c;
    *put = 0;
    return id;
}

/* All Content-IDs that the HTML shows. */
static const char **references(TALLOC_CTX *arena, const char *html, size_t *count)
{
    enum { REFERENCES_MAX = 2000 };
    const char **ids = talloc_array(arena, const char *, REFERENCES_MAX);
    *count = 0;
    for (const char *at = html; *count < REFERENCES_MAX && (at = strcasestr(at, "cid:")) != NULL; at += 4)
        ids[(*count)++] = reference_at(arena, at + 4);
    return ids;
}

static bool is_shown(const struct letter_attachment *a, const char *html, const char **ids, size_t count)
{
    const char *id = letter_text(&a->props, PidTagAttachContentId);
    const char *location = letter_text(&a->props, PidTagAttachContentLocation);
    for (size_t i = 0; id && i < count; i++)
        if (strcmp(ids[i], id) == 0)
            return true;
    return location && letter_find(&a->props, PidTagAttachFlags) && strstr(html, location);
}

/* [MS-OXCMAIL] 2.2.3.4.2.2: what the HTML shows is no attachment to its reader. */
static void hide_inline(struct reader *reader)
{
    enum { LOOKED_AT = 200 };
    size_t count = 0;
    const char **ids = reader->html ? references(reader->arena, reader->html, &count) : NULL;
    for (uint32_t i = 0; i < reader->letter->attachment_count; i++) {
        struct letter_attachment *a = reader->letter->attachments[i];
        const bool shown = reader->html && !a->embedded && i < LOOKED_AT && is_shown(a, reader->html, ids, count);
        letter_unset(&a->props, PidTagAttachFlags);
        if (!shown)
            continue;
        letter_set(&a->props, P_I32(PidTagAttachFlags, 4));
        letter_set(&a->props, P_BOOL(PidTagAttachmentHidden, true));
    }
}

void finish_bodies(struct reader *reader)
{
    struct letter_props *props = &reader->letter->props;
    const char *plain = reader->plain;
    if (reader->html && !reader->html_bytes.size)
        reader->html = NULL;
    if (reader->html && (!plain || !plain[strspn(plain, " \t\r\n")]))
        plain = body_text_of_html(reader->arena, reader->html);
    letter_set(props, P_STR(PidTagBody, with_crlf(reader->arena, plain ? plain : "")));
    if (reader->html)
        letter_set(props, P_BIN(PidTagHtml, reader->html_bytes));
    letter_set(props, P_I32(PidTagNativeBody, reader->html ? BODY_HTML : BODY_PLAIN));
    letter_set(props, P_I32(PidTagInternetCodepage, reader->html    ? reader->html_codepage
                                                    : reader->plain ? reader->plain_codepage
                                                                    : CP_ASCII));
    hide_inline(reader);
}
