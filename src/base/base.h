/* SPDX-License-Identifier: Apache-2.0 */
/* base/base.h: memory, error codes, bytes, text, time and log lines.  Owns nothing that outlives a call but
 * the log's file; knows nothing of mail. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <talloc.h>

#include "base/ec.h"

#define COUNTOF(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF(f, a) __attribute__((format(printf, f, a)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* Bytes that somebody else owns. */
struct blob {
    const uint8_t *data;
    size_t size;
};
#define BLOB_OF(p, n) ((struct blob){ (const uint8_t *)(p), (n) })
bool blob_equal(struct blob, struct blob);
struct blob blob_copy(TALLOC_CTX *owner, struct blob);

/* A growing byte buffer; .data is a talloc child of the context given at buf_new. */
struct buf {
    TALLOC_CTX *owner;
    uint8_t *data;
    size_t size, room;
};
void buf_init(struct buf *, TALLOC_CTX *owner);
void buf_add(struct buf *, const void *, size_t);
void buf_printf(struct buf *, const char *, ...) PRINTF(2, 3);
uint8_t *buf_grow(struct buf *, size_t n);          /* n new bytes at the end, not initialised */
struct blob buf_blob(const struct buf *);

/* 16 bytes in wire order: Data1..Data3 little-endian ([MS-DTYP] 2.3.4.2). */
struct guid {
    uint8_t bytes[16];
};
#define GUID_TEXT_SIZE 37
bool guid_equal(struct guid, struct guid);
bool guid_is_zero(struct guid);
struct guid guid_random(void);
struct guid guid_of(uint32_t, uint16_t, uint16_t, const uint8_t rest[8]);
char *guid_text(struct guid, char text[GUID_TEXT_SIZE]);   /* lower case, hyphens, no braces; returns text */
bool guid_parse(const char *text, struct guid *out);       /* any case, braces allowed; false: not a GUID */

/* Little-endian numbers at any alignment. */
static inline uint16_t le16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static inline uint32_t le32(const uint8_t *p) { return le16(p) | (uint32_t)le16(p + 2) << 16; }
static inline uint64_t le64(const uint8_t *p) { return le32(p) | (uint64_t)le32(p + 4) << 32; }
static inline void put_le16(uint8_t *p, uint16_t v) { p[0] = (uint8_t)v; p[1] = (uint8_t)(v >> 8); }
static inline void put_le32(uint8_t *p, uint32_t v) { put_le16(p, (uint16_t)v); put_le16(p + 2, (uint16_t)(v >> 16)); }
static inline void put_le64(uint8_t *p, uint64_t v) { put_le32(p, (uint32_t)v); put_le32(p + 4, (uint32_t)(v >> 32)); }

/* Time: FILETIME, 100 ns since 1601-01-01 UTC, as PtypTime holds it. */
uint64_t filetime_now(void);
uint64_t filetime_of_unix(int64_t seconds);
int64_t filetime_to_unix(uint64_t);
char *filetime_text(TALLOC_CTX *, uint64_t);               /* 2026-11-23T10:00:00.000Z */
uint64_t clock_ms(void);                                   /* monotonic milliseconds */

/* Text.  All text in memory is UTF-8.  A wrong sequence becomes U+FFFD, never an error; a text that would be longer than
 * 192 MB in the new form ends there. */
char *utf8_of_utf16(TALLOC_CTX *, const uint8_t *utf16le, size_t bytes);
struct blob utf16_of_utf8(TALLOC_CTX *, const char *);     /* without a terminator */
char *utf8_of_codepage(TALLOC_CTX *, unsigned codepage, const void *, size_t bytes);
struct blob codepage_of_utf8(TALLOC_CTX *, unsigned codepage, const char *);   /* unmappable: '?' */
char *utf8_of_charset(TALLOC_CTX *, const char *charset, const void *, size_t bytes);  /* unknown charset: windows-1252 */
bool codepage_known(unsigned codepage);
char *text_fold(TALLOC_CTX *, const char *);               /* case and accents folded, for comparing */
enum { FOLD_CASE = 1, FOLD_ACCENTS = 2 };
char *text_fold_only(TALLOC_CTX *, const char *, unsigned what);              /* one or both of them */
char *text_upper(TALLOC_CTX *, const char *);              /* every letter upper case, in no language's own way */
struct blob text_sort_key(TALLOC_CTX *, const char *, uint32_t lcid);         /* memcmp order is the locale's order */
bool utf8_is_valid(const void *, size_t bytes);
size_t utf8_start(const char *, size_t bytes); /* bytes of the longest start that ends with a whole character */
char *text_line(TALLOC_CTX *, const char *);   /* valid, control characters are blanks */
bool text_is_prefix(const char *text, const char *prefix); /* ASCII case ignored */
char *hex_text(TALLOC_CTX *, struct blob);                 /* lower case */
bool hex_parse(TALLOC_CTX *, const char *, struct blob *out);     /* spaces ignored; false: odd or not hex */
char *base64_text(TALLOC_CTX *, struct blob);
bool base64_parse(TALLOC_CTX *, const char *, struct blob *out);

void random_bytes(void *, size_t);                         /* from the kernel; never fails */
void md5_of(struct blob, uint8_t out[16]);
void sha256_of(struct blob, uint8_t out[32]);

/* Log: one line a call, `time level subject: text`, to stderr or the file given.  Bodies, passwords and
 * tokens are never passed in.  Control characters in the text are escaped. */
enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };
void log_to(FILE *, enum log_level at_most);
bool log_is_on(enum log_level);                            /* so that a text that nobody wants is not made */
void log_line(enum log_level, const char *subject, const char *format, ...) PRINTF(3, 4);
