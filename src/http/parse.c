/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "http/http.h"

const struct http_limits http_default_limits = { .head_bytes = 64 << 10, .target_bytes = 16 << 10, .headers = 128 };

enum { CHUNK_LINE_BYTES = 256, EXTENSION_BYTES = 16 << 10, TRAILER_BYTES = 8 << 10, METHOD_BYTES = 64 };

/* Offsets into the head's text, which moves while it grows. */
struct field {
    size_t name, value;
};

struct http_parser {
    struct http_limits limits;
    enum http_event (*state)(struct http_parser *, struct blob *in, struct blob *piece);
    struct buf text;   /* the head, then reused by nobody: its strings stay */
    struct buf line;   /* a chunk's size line or a trailer line that has not come whole */
    size_t line_start; /* of the line at the end of `text` */
    struct field *fields;
    size_t field_count;
    uint64_t left; /* of the body, or of the chunk */
    size_t extension_bytes, trailer_bytes;
    unsigned status;
    const char *why;
    struct http_head head;
};

static enum http_event in_request_line(struct http_parser *, struct blob *, struct blob *);
static enum http_event in_header_lines(struct http_parser *, struct blob *, struct blob *);
static enum http_event in_body(struct http_parser *, struct blob *, struct blob *);
static enum http_event in_chunk_size(struct http_parser *, struct blob *, struct blob *);
static enum http_event in_chunk(struct http_parser *, struct blob *, struct blob *);
static enum http_event in_chunk_end(struct http_parser *, struct blob *, struct blob *);
static enum http_event in_trailer(struct http_parser *, struct blob *, struct blob *);
static enum http_event at_end(struct http_parser *, struct blob *, struct blob *);
static enum http_event at_fault(struct http_parser *, struct blob *, struct blob *);

struct http_parser *http_parser_new(TALLOC_CTX *owner, const struct http_limits *limits)
{
    struct http_parser *parser = talloc_zero(owner, struct http_parser);
    parser->limits = *limits;
    parser->state = in_request_line;
    buf_init(&parser->text, parser);
    buf_init(&parser->line, parser);
    return parser;
}

/* A state returns HTTP_MORE to be called again as long as there is input and something changed. */
enum http_event http_parse(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    enum http_event event;
    do
        event = parser->state(parser, in, piece);
    while (event == HTTP_MORE && (in->size || parser->state == at_end));
    return event;
}

const struct http_head *http_parser_head(const struct http_parser *parser)
{
    return &parser->head;
}

bool http_parser_untouched(const struct http_parser *parser)
{
    return parser->state == in_request_line && parser->text.size == 0;
}

size_t http_parser_memory(const struct http_parser *parser)
{
    return parser->text.room + parser->line.room + talloc_get_size(parser->fields);
}

unsigned http_parser_status(const struct http_parser *parser)
{
    return parser->status;
}

const char *http_parser_why(const struct http_parser *parser)
{
    return parser->why;
}

static enum http_event fault(struct http_parser *parser, unsigned status, const char *why)
{
    parser->status = status;
    parser->why = why;
    parser->state = at_fault;
    return HTTP_BAD;
}

static enum http_event at_fault(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)parser, (void)in, (void)piece;
    return HTTP_BAD;
}

static enum http_event at_end(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)parser, (void)in, (void)piece;
    return HTTP_END;
}

static void take(struct blob *in, size_t n)
{
    in->data += n;
    in->size -= n;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Characters (RFC 9110 5.6.2, 5.5). */
static bool is_token_char(uint8_t c)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit((char)c) || (c && strchr(others, c));
}

static bool is_token(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (!is_token_char((uint8_t)text[i]))
            return false;
    return size > 0;
}

static bool is_field_text(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (((uint8_t)text[i] < 0x20 && text[i] != '\t') || text[i] == 0x7F)
            return false;
    return true;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Moves a line's bytes from *in behind `to`, at most up to its LF.  A line ends with CR LF and has no other CR or LF
 * in it (RFC 9112 2.2): a lone one ends a line for some programs and not for others. */
enum line { LINE_MORE, LINE_READY, LINE_LONG, LINE_BROKEN };

static enum line take_line(struct blob *in, struct buf *to, size_t start, size_t at_most)
{
    if (!in->size)
        return LINE_MORE;
    const uint8_t *lf = memchr(in->data, '\n', in->size);
    const size_t n = lf ? (size_t)(lf - in->data) + 1 : in->size;
    if (n > at_most || to->size - start > at_most - n)
        return LINE_LONG;
    const size_t seen = to->size > start ? to->size - 1 : start; /* a CR may have come last time */
    buf_add(to, in->data, n);
    take(in, n);

    const uint8_t *end = to->data + to->size, *cr = memchr(to->data + seen, '\r', to->size - seen);
    if (!lf)
        return cr && cr != end - 1 ? LINE_BROKEN : LINE_MORE;
    return cr && cr == end - 2 ? LINE_READY : LINE_BROKEN;
}

/* The line that has just come whole, terminated in place; its length goes without CR LF. */
static char *line_text(struct buf *buf, size_t start, size_t *size)
{
    *size = buf->size - start - 2;
    buf->data[buf->size - 2] = 0;
    return (char *)buf->data + start;
}

/* The offset of a string inside the head's text. */
static size_t offset_of(const struct http_parser *parser, const char *text)
{
    return (size_t)(text - (const char *)parser->text.data);
}

static enum http_event head_line(struct http_parser *parser, struct blob *in, unsigned too_long, size_t at_most)
{
    switch (take_line(in, &parser->text, parser->line_start, at_most)) {
    case LINE_MORE: return HTTP_MORE;
    case LINE_LONG:
        return fault(parser, too_long, too_long == 414 ? "the target is too long" : "the header is too large");
    case LINE_BROKEN: return fault(parser, 400, "a header line does not end with CR LF");
    case LINE_READY: break;
    }
    return HTTP_HEAD;
}

/* method SP target SP HTTP/1.x, with single blanks (RFC 9112 3).  Empty lines before it are ignored (2.2). */
static enum http_event request_line(struct http_parser *parser, char *line, size_t size)
{
    char *target = memchr(line, ' ', size);
    char *version = target ? memchr(target + 1, ' ', size - (size_t)(target + 1 - line)) : NULL;
    if (!version || !is_token(line, (size_t)(target - line)) || target - line > METHOD_BYTES)
        return fault(parser, 400, "the request line is broken");
    *target++ = 0;
    *version++ = 0;
    if ((size_t)(version - target) > parser->limits.target_bytes)
        return fault(parser, 414, "the target is too long");
    for (const char *c = target; c < version - 1; c++)
        if ((uint8_t)*c <= 0x20 || (uint8_t)*c >= 0x7F || *c == '#')
            return fault(parser, 400, "the target has characters that no target may have");
    if (line + size - version != 8 || memcmp(version, "HTTP/", 5) != 0 || !is_digit(version[5]) || version[6] != '.' ||
        !is_digit(version[7]))
        return fault(parser, 400, "the request line is broken");
    if (version[5] != '1')
        return fault(parser, 505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    parser->head.minor = version[7] > '0';
    parser->fields = talloc_array(parser, struct field, 16);
    parser->fields[0] = (struct field){ offset_of(parser, line), offset_of(parser, target) };
    parser->field_count = 1; /* row 0 is the request line: method and target */
    parser->state = in_header_lines;
    return HTTP_MORE;
}

static enum http_event in_request_line(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)piece;
    enum http_event event =
        head_line(parser, in, 414, parser->limits.target_bytes + METHOD_BYTES + sizeof "  HTTP/1.1\r\n");
    if (event != HTTP_HEAD)
        return event;
    size_t size;
    char *line = line_text(&parser->text, parser->line_start, &size);
    parser->line_start = parser->text.size;
    if (parser->text.size > parser->limits.head_bytes)
        return fault(parser, 431, "the header is too large");
    return size ? request_line(parser, line, size) : HTTP_MORE;
}

/* name ":" OWS value OWS (RFC 9112 5).  A blank before the colon and a folded line (5.2) are refused: programs
 * disagree about both. */
static enum http_event header_line(struct http_parser *parser, char *line, size_t size)
{
    char *colon = memchr(line, ':', size);
    if (!colon || !is_token(line, (size_t)(colon - line)))
        return fault(parser, 400, "a header line is broken");
    char *value = colon + 1, *end = line + size;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    if (!is_field_text(value, (size_t)(end - value)))
        return fault(parser, 400, "a header value has control characters");
    *colon = *end = 0;
    if (parser->field_count > parser->limits.headers)
        return fault(parser, 431, "there are too many header lines");
    if (parser->field_count == talloc_array_length(parser->fields))
        parser->fields = talloc_realloc(parser, parser->fields, struct field, (unsigned)parser->field_count * 2);
    parser->fields[parser->field_count++] = (struct field){ offset_of(parser, line), offset_of(parser, value) };
    return HTTP_MORE;
}

/* Header values are Latin-1 by tradition and UTF-8 in practice (RFC 9110 5.5); in memory they are UTF-8. */
static void list_headers(struct http_parser *parser)
{
    const char *text = (const char *)parser->text.data;
    const size_t count = parser->field_count - 1;
    struct http_header *list = talloc_array(parser, struct http_header, (unsigned)count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct field *field = &parser->fields[i + 1];
        list[i] = (struct http_header){ text + field->name, text + field->value };
        if (!utf8_is_valid(list[i].value, strlen(list[i].value)))
            list[i].value = utf8_of_codepage(list, 1252, list[i].value, strlen(list[i].value));
    }
    parser->head.headers = (struct http_headers){ list, count };
    parser->head.method = text + parser->fields[0].name;
    parser->head.target = text + parser->fields[0].value;
}

/* A Host value or an authority: no user, no path, nothing that could be read in two ways (RFC 9112 3.2). */
static bool is_host(const char *host)
{
    return host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%!$&'()*+;=:[]")] == 0;
}

static unsigned count_of(const struct http_headers *headers, const char *name)
{
    unsigned n = 0;
    for (size_t at = 0; http_header_next(headers, name, &at);)
        n++;
    return n;
}

static const char *read_host(struct http_head *head)
{
    const unsigned hosts = count_of(&head->headers, "Host");
    if (hosts > 1 || (hosts == 0 && head->minor > 0))
        return "there must be one Host line";
    const char *host = http_header(&head->headers, "Host");
    head->host = host ? host : "";
    return is_host(head->host) ? NULL : "the Host line is broken";
}

/* "/path?query", "http://host/path?query", or "*" of OPTIONS (RFC 9112 3.2). */
static const char *read_target(struct http_parser *parser)
{
    struct http_head *head = &parser->head;
    const char *path = head->target;
    const bool absolute = text_is_prefix(path, "http://") || text_is_prefix(path, "https://");
    if (absolute) {
        const char *authority = strstr(path, "://") + 3;
        path = authority + strcspn(authority, "/?");
        head->host = talloc_strndup(parser, authority, (size_t)(path - authority));
        if (!*head->host || !is_host(head->host))
            return "the target's host is broken";
    }
    const size_t size = strcspn(path, "?");
    head->query = path[size] ? path + size + 1 : "";
    if (strcmp(path, "*") == 0 && strcmp(head->method, "OPTIONS") == 0)
        head->path = path;
    else if (*path != '/' && !absolute)
        return "the target is not a path";
    else
        head->path = http_path(parser, path, size);
    return head->path ? NULL : "the path is broken";
}

static bool parse_length(const char *text, uint64_t *out)
{
    const size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 18 || text[digits])
        return false;
    *out = strtoull(text, NULL, 10);
    return true;
}

/* RFC 9112 6.3.  Two statements about the length, even equal ones, are refused. */
static enum http_event read_length(struct http_parser *parser)
{
    struct http_head *head = &parser->head;
    const char *coding = http_header(&head->headers, "Transfer-Encoding");
    const char *length = http_header(&head->headers, "Content-Length");
    if (count_of(&head->headers, "Transfer-Encoding") + count_of(&head->headers, "Content-Length") > 1)
        return fault(parser, 400, "the body's length is stated twice");
    if (coding && (head->minor == 0 || (strcasestr(coding, "chunked") && strcasecmp(coding, "chunked") != 0)))
        return fault(parser, 400, "the transfer coding is ambiguous");
    if (coding && strcasecmp(coding, "chunked") != 0)
        return fault(parser, 501, "the transfer coding is not known");
    if (length && !parse_length(length, &head->content_length))
        return fault(parser, 400, "the Content-Length is not a number");
    head->chunked = coding != NULL;
    return HTTP_HEAD;
}

static void read_connection(struct http_head *head)
{
    const bool close = http_header_has(&head->headers, "Connection", "close");
    head->keep_alive = !close && (head->minor > 0 || http_header_has(&head->headers, "Connection", "keep-alive"));
}

static enum http_event end_of_head(struct http_parser *parser)
{
    struct http_head *head = &parser->head;
    list_headers(parser);
    const char *why = read_host(head);
    if (!why)
        why = read_target(parser);
    if (why)
        return fault(parser, 400, why);
    if (read_length(parser) == HTTP_BAD)
        return HTTP_BAD;
    read_connection(head);
    const char *expect = http_header(&head->headers, "Expect");
    if (expect && strcasecmp(expect, "100-continue") != 0)
        return fault(parser, 417, "the expectation is not known");
    head->expect_continue = expect && head->minor > 0 && (head->chunked || head->content_length);
    parser->left = head->content_length;
    parser->state = head->chunked ? in_chunk_size : parser->left ? in_body : at_end;
    return HTTP_HEAD;
}

static enum http_event in_header_lines(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)piece;
    const size_t room = parser->limits.head_bytes - parser->line_start;
    enum http_event event = head_line(parser, in, 431, room);
    if (event != HTTP_HEAD)
        return event;
    size_t size;
    char *line = line_text(&parser->text, parser->line_start, &size);
    parser->line_start = parser->text.size;
    return size ? header_line(parser, line, size) : end_of_head(parser);
}

/* Hands out what has come of the body or the chunk, inside the input. */
static enum http_event body_piece(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    if (!in->size)
        return HTTP_MORE;
    *piece = (struct blob){ in->data, (size_t)MIN(parser->left, in->size) };
    take(in, piece->size);
    parser->left -= piece->size;
    return HTTP_BODY;
}

static enum http_event in_body(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    enum http_event event = body_piece(parser, in, piece);
    if (!parser->left)
        parser->state = at_end;
    return event;
}

/* chunk-size [ ";" extensions ] CR LF (RFC 9112 7.1).  Extensions are ignored, in a bounded amount (7.1.1). */
static enum http_event chunk_size(struct http_parser *parser, const char *line, size_t size)
{
    const size_t digits = strspn(line, "0123456789abcdefABCDEF");
    parser->extension_bytes += size - MIN(digits, size);
    if (digits == 0 || digits > 15 || (line[digits] && line[digits] != ';') || !is_field_text(line, size))
        return fault(parser, 400, "a chunk's size is broken");
    if (parser->extension_bytes > EXTENSION_BYTES)
        return fault(parser, 400, "there are too many chunk extensions");
    parser->left = strtoull(line, NULL, 16);
    parser->state = parser->left ? in_chunk : in_trailer;
    return HTTP_MORE;
}

static enum http_event in_chunk_size(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)piece;
    switch (take_line(in, &parser->line, 0, CHUNK_LINE_BYTES)) {
    case LINE_MORE: return HTTP_MORE;
    case LINE_READY: break;
    case LINE_LONG:
    case LINE_BROKEN: return fault(parser, 400, "a chunk's size line is broken");
    }
    size_t size;
    const char *line = line_text(&parser->line, 0, &size);
    parser->line.size = 0;
    return chunk_size(parser, line, size);
}

static enum http_event in_chunk(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    enum http_event event = body_piece(parser, in, piece);
    if (!parser->left)
        parser->state = in_chunk_end;
    return event;
}

static enum http_event in_chunk_end(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)piece;
    const enum line line = take_line(in, &parser->line, 0, 2);
    if (line == LINE_LONG || line == LINE_BROKEN)
        return fault(parser, 400, "a chunk is longer than its size says");
    if (line == LINE_READY) {
        parser->line.size = 0;
        parser->state = in_chunk_size;
    }
    return HTTP_MORE;
}

/* Trailer fields are read as strictly as the header and then dropped (RFC 9110 6.5.1). */
static enum http_event trailer_line(struct http_parser *parser, const char *line, size_t size)
{
    const char *colon = memchr(line, ':', size);
    if (!colon || !is_token(line, (size_t)(colon - line)) || !is_field_text(colon, size - (size_t)(colon - line)))
        return fault(parser, 400, "a trailer line is broken");
    return HTTP_MORE;
}

static enum http_event in_trailer(struct http_parser *parser, struct blob *in, struct blob *piece)
{
    (void)piece;
    const enum line state = take_line(in, &parser->line, 0, TRAILER_BYTES - parser->trailer_bytes);
    if (state == LINE_LONG)
        return fault(parser, 431, "the trailer is too large");
    if (state == LINE_BROKEN)
        return fault(parser, 400, "a trailer line does not end with CR LF");
    if (state == LINE_MORE)
        return HTTP_MORE;
    size_t size;
    parser->trailer_bytes += parser->line.size;
    const char *line = line_text(&parser->line, 0, &size);
    parser->line.size = 0;
    if (size)
        return trailer_line(parser, line, size);
    parser->state = at_end;
    return HTTP_MORE;
}
