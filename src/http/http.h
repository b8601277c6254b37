/* SPDX-License-Identifier: Apache-2.0 */
/* http/http.h: HTTP/1.x messages, from bytes and to bytes [RFC 9110, RFC 9112].
 * Owns the parser, the chunk framing, and the reading of targets, queries and cookies; exchange.h beside it is
 * what a handler sees of one request and its answer.  Knows no socket, no URL and no handler. */
#pragma once
#include "base/base.h"

/* The parser is strict on purpose: what two programs could read in two ways is refused (RFC 9112 11.2). */
struct http_limits {
    size_t head_bytes;   /* request line and header lines together: 431 */
    size_t target_bytes; /* 414 */
    unsigned headers;    /* 431 */
};
extern const struct http_limits http_default_limits; /* 64 KB, 16 KB, 128 */

struct http_header {
    const char *name, *value; /* value: UTF-8, no control characters, no blanks around it */
};
struct http_headers {
    const struct http_header *list;
    size_t count;
};

struct http_head {
    const char *method; /* any token, case kept */
    const char *target; /* as sent */
    const char *path;   /* percent-decoded and normalised, begins with '/' */
    const char *query;  /* as sent, without the '?'; "" if there is none */
    const char *host;   /* Host, or the authority of an absolute target; "" in HTTP/1.0 without */
    struct http_headers headers;
    unsigned minor; /* HTTP/1.minor, 0 or 1 */
    bool keep_alive;
    bool expect_continue;
    bool chunked;
    uint64_t content_length; /* 0 when chunked or without a body */
};

enum http_event {
    HTTP_MORE, /* all bytes are used, more are needed */
    HTTP_HEAD, /* once: http_parser_head() is there */
    HTTP_BODY, /* *piece holds bytes of the body, which lie in the input */
    HTTP_END,  /* the message is complete; what is left in the input belongs to the next */
    HTTP_BAD,  /* http_parser_status() and _why(); the connection cannot go on */
};

/* One message.  `owner` owns the head: all strings of http_parser_head() are talloc children of the parser. */
struct http_parser *http_parser_new(TALLOC_CTX *owner, const struct http_limits *);
/* Takes bytes off the front of *in and stops at the next event. */
enum http_event http_parse(struct http_parser *, struct blob *in, struct blob *piece);
const struct http_head *http_parser_head(const struct http_parser *);
bool http_parser_untouched(const struct http_parser *);  /* no byte of a message has come yet */
size_t http_parser_memory(const struct http_parser *);   /* bytes that it holds for the head */
unsigned http_parser_status(const struct http_parser *); /* 400, 414, 417, 431, 501 or 505 */
const char *http_parser_why(const struct http_parser *); /* one sentence for the log and the answer */

/* Header lines; names compare without case. */
const char *http_header(const struct http_headers *, const char *name); /* the first line; NULL: none */
/* The next line after *at (start with 0), NULL at the end. */
const char *http_header_next(const struct http_headers *, const char *name, size_t *at);
bool http_header_has(const struct http_headers *, const char *name, const char *token); /* a comma list has it */

/* The value of a cookie, looked for in every Cookie line; NULL: none. */
const char *http_cookie(TALLOC_CTX *arena, const struct http_headers *, const char *name);
/* The first such parameter of a query, decoded ('+' is a blank); names compare without case.  NULL: none, or not
 * decodable. */
const char *http_query(TALLOC_CTX *arena, const char *query, const char *name);
/* %XX decoded; NULL: a broken escape, %00, or no UTF-8 afterwards. */
char *http_decode(TALLOC_CTX *arena, const char *text, size_t size);
/* Everything but unreserved characters (RFC 3986 2.3) as %XX. */
char *http_encode(TALLOC_CTX *arena, const char *text);
/* Decoded, "//", "/./" and "/../" resolved; NULL: not decodable, or it climbs above the root. */
char *http_path(TALLOC_CTX *arena, const char *path, size_t size);

/* Writing. */
const char *http_reason(unsigned status); /* "Not Found" */
#define HTTP_DATE_SIZE 30
char *http_date(char text[HTTP_DATE_SIZE], int64_t unix_seconds); /* Mon, 23 Nov 2026 10:00:00 GMT */
void http_put_status(struct buf *, unsigned status);
void http_put_header(struct buf *, const char *name, const char *value); /* control characters become blanks */
void http_put_chunk(struct buf *, struct blob);                          /* an empty piece writes nothing */
void http_put_last_chunk(struct buf *);
