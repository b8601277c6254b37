/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

bool blob_equal(struct blob a, struct blob b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

struct blob blob_copy(TALLOC_CTX *owner, struct blob from)
{
    struct buf copy;
    buf_init(&copy, owner);
    buf_add(&copy, from.data, from.size);
    return buf_blob(&copy);
}

/* talloc refuses single allocations of 256 MB and more. */
enum { BUF_LIMIT = 0x10000000 - 1 };

void buf_init(struct buf *buf, TALLOC_CTX *owner)
{
    *buf = (struct buf){ .owner = owner };
}

uint8_t *buf_grow(struct buf *buf, size_t n)
{
    if (!buf->data || n > buf->room - buf->size) {
        if (n > BUF_LIMIT - buf->size)
            abort();                                       /* whoever takes bytes from outside sets a lower limit */
        size_t room = MIN(MAX(buf->size + n, MAX(buf->room * 2, 64)), BUF_LIMIT);
        uint8_t *data = talloc_realloc(buf->owner, buf->data, uint8_t, room);
        if (!data)
            abort();
        buf->data = data;
        buf->room = room;
    }
    uint8_t *added = buf->data + buf->size;
    buf->size += n;
    return added;
}

void buf_add(struct buf *buf, const void *bytes, size_t n)
{
    if (n)
        memcpy(buf_grow(buf, n), bytes, n);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    assert(n >= 0);
    uint8_t *at = buf_grow(buf, (size_t)n + 1);            /* room for the terminator, which is then taken back */
    vsnprintf((char *)at, (size_t)n + 1, format, again);
    buf->size--;
    va_end(again);
    va_end(args);
}

struct blob buf_blob(const struct buf *buf)
{
    return (struct blob){ buf->data, buf->size };
}

bool guid_equal(struct guid a, struct guid b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool guid_is_zero(struct guid guid)
{
    return guid_equal(guid, (struct guid){ { 0 } });
}

struct guid guid_random(void)
{
    struct guid guid;
    random_bytes(guid.bytes, sizeof guid.bytes);
    guid.bytes[7] = (guid.bytes[7] & 0x0F) | 0x40;         /* RFC 4122 4.4: version 4, in Data3's high byte */
    guid.bytes[8] = (guid.bytes[8] & 0x3F) | 0x80;
    return guid;
}

struct guid guid_of(uint32_t data1, uint16_t data2, uint16_t data3, const uint8_t rest[8])
{
    struct guid guid;
    put_le32(guid.bytes, data1);
    put_le16(guid.bytes + 4, data2);
    put_le16(guid.bytes + 6, data3);
    memcpy(guid.bytes + 8, rest, 8);
    return guid;
}

/* The bytes in the order in which text shows them; -1 is a hyphen. */
static const int8_t guid_order[] = { 3, 2, 1, 0, -1, 5, 4, -1, 7, 6, -1, 8, 9, -1, 10, 11, 12, 13, 14, 15 };

char *guid_text(struct guid guid, char text[GUID_TEXT_SIZE])
{
    char *at = text;
    for (size_t i = 0; i < COUNTOF(guid_order); i++)
        at += guid_order[i] < 0 ? sprintf(at, "-") : sprintf(at, "%02x", guid.bytes[guid_order[i]]);
    return text;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool guid_parse(const char *text, struct guid *out)
{
    const bool braces = *text == '{';
    text += braces;
    for (size_t i = 0; i < COUNTOF(guid_order); i++) {
        if (guid_order[i] < 0) {
            if (*text++ != '-')
                return false;
            continue;
        }
        int high = hex_digit(text[0]), low = high < 0 ? -1 : hex_digit(text[1]);
        if (low < 0)
            return false;
        out->bytes[guid_order[i]] = (uint8_t)(high << 4 | low);
        text += 2;
    }
    return strcmp(text, braces ? "}" : "") == 0;
}

#define FILETIME_SECOND 10000000ULL
#define UNIX_EPOCH 11644473600LL                           /* seconds from 1601 to 1970 */

uint64_t filetime_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return filetime_of_unix(now.tv_sec) + (uint64_t)now.tv_nsec / 100;
}

uint64_t filetime_of_unix(int64_t seconds)
{
    const int64_t last = (int64_t)(UINT64_MAX / FILETIME_SECOND) - UNIX_EPOCH;
    return (uint64_t)(MAX(-UNIX_EPOCH, MIN(seconds, last)) + UNIX_EPOCH) * FILETIME_SECOND;
}

int64_t filetime_to_unix(uint64_t filetime)
{
    return (int64_t)(filetime / FILETIME_SECOND) - UNIX_EPOCH;
}

char *filetime_text(TALLOC_CTX *owner, uint64_t filetime)
{
    const time_t seconds = filetime_to_unix(filetime);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    return talloc_asprintf(owner, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday,
                           tm.tm_hour, tm.tm_min, tm.tm_sec, (unsigned)(filetime % FILETIME_SECOND / 10000));
}

uint64_t clock_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

char *hex_text(TALLOC_CTX *owner, struct blob blob)
{
    static const char digits[] = "0123456789abcdef";
    struct buf out;
    buf_init(&out, owner);
    uint8_t *at = buf_grow(&out, 2 * blob.size + 1);
    for (size_t i = 0; i < blob.size; i++) {
        *at++ = (uint8_t)digits[blob.data[i] >> 4];
        *at++ = (uint8_t)digits[blob.data[i] & 15];
    }
    *at = 0;
    return (char *)out.data;
}

bool hex_parse(TALLOC_CTX *owner, const char *text, struct blob *out)
{
    struct buf bytes;
    int high = -1;
    buf_init(&bytes, owner);
    for (; *text; text++) {
        int digit = hex_digit(*text);
        if (isspace((unsigned char)*text))
            continue;
        if (digit < 0)
            break;
        if (high >= 0)
            *buf_grow(&bytes, 1) = (uint8_t)(high << 4 | digit);
        high = high >= 0 ? -1 : digit;
    }
    *out = buf_blob(&bytes);
    return !*text && high < 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

char *base64_text(TALLOC_CTX *owner, struct blob blob)
{
    struct buf out;
    buf_init(&out, owner);
    uint8_t *at = buf_grow(&out, (blob.size + 2) / 3 * 4 + 1);
    for (size_t i = 0; i < blob.size; i += 3) {
        size_t left = blob.size - i;
        uint32_t v = (uint32_t)blob.data[i] << 16;
        v |= left > 1 ? (uint32_t)blob.data[i + 1] << 8 : 0;
        v |= left > 2 ? blob.data[i + 2] : 0;
        *at++ = (uint8_t)base64_digits[v >> 18];
        *at++ = (uint8_t)base64_digits[v >> 12 & 63];
        *at++ = (uint8_t)(left > 1 ? base64_digits[v >> 6 & 63] : '=');
        *at++ = (uint8_t)(left > 2 ? base64_digits[v & 63] : '=');
    }
    *at = 0;
    return (char *)out.data;
}

/* White space may stand anywhere and the padding may be missing; anything else that is odd is refused. */
bool base64_parse(TALLOC_CTX *owner, const char *text, struct blob *out)
{
    struct buf bytes;
    uint32_t v = 0;
    size_t digits = 0, padding = 0;
    buf_init(&bytes, owner);
    for (; *text; text++) {
        const char *digit = strchr(base64_digits, *text);
        if (isspace((unsigned char)*text))
            continue;
        padding += *text == '=';
        if (*text == '=')
            continue;
        if (!digit || padding)
            break;
        v = v << 6 | (uint32_t)(digit - base64_digits);
        if (digits++ % 4)
            *buf_grow(&bytes, 1) = (uint8_t)(v >> (6 - 2 * ((digits - 1) % 4)));
    }
    *out = buf_blob(&bytes);
    return !*text && digits % 4 != 1 && (!padding || (padding < 3 && (digits + padding) % 4 == 0));
}

void random_bytes(void *out, size_t n)
{
    for (uint8_t *at = out; n;) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno != EINTR)
            abort();                                       /* no kernel that we run on lacks it */
        at += MAX(got, 0);
        n -= (size_t)MAX(got, 0);
    }
}

static void digest(const EVP_MD *kind, struct blob blob, uint8_t *out)
{
    if (!EVP_Digest(blob.size ? blob.data : (const uint8_t *)"", blob.size, out, NULL, kind, NULL))
        abort();
}

void md5_of(struct blob blob, uint8_t out[16])
{
    digest(EVP_md5(), blob, out);
}

void sha256_of(struct blob blob, uint8_t out[32])
{
    digest(EVP_sha256(), blob, out);
}
