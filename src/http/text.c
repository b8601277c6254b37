/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http.h"

const char *http_header_next(const struct http_headers *headers, const char *name, size_t *at)
{
    while (*at < headers->count) {
        const struct http_header *header = &headers->list[(*at)++];
        if (strcasecmp(header->name, name) == 0)
            return header->value;
    }
    return NULL;
}

const char *http_header(const struct http_headers *headers, const char *name)
{
    size_t at = 0;
    return http_header_next(headers, name, &at);
}

/* "a, b" has "B" (RFC 9110 5.6.1). */
static bool list_has(const char *list, const char *token)
{
    const size_t size = strlen(token);
    while (*list) {
        list += strspn(list, " \t,");
        const size_t n = strcspn(list, ",");
        size_t word = n;
        while (word && (list[word - 1] == ' ' || list[word - 1] == '\t'))
            word--;
        if (word == size && strncasecmp(list, token, size) == 0)
            return true;
        list += n;
    }
    return false;
}

bool http_header_has(const struct http_headers *headers, const char *name, const char *token)
{
    const char *value;
    for (size_t at = 0; (value = http_header_next(headers, name, &at));)
        if (list_has(value, token))
            return true;
    return false;
}

/* "a=1; b=2" (RFC 6265 4.2.1).  Cookie names keep their case. */
static const char *cookie_in(TALLOC_CTX *arena, const char *line, const char *name)
{
    const size_t size = strlen(name);
    while (*line) {
        line += strspn(line, " \t;");
        const size_t n = strcspn(line, ";");
        if (n > size && line[size] == '=' && strncmp(line, name, size) == 0) {
            const char *value = line + size + 1, *end = line + n;
            while (end > value && (end[-1] == ' ' || end[-1] == '\t'))
                end--;
            if (end - value >= 2 && *value == '"' && end[-1] == '"')
                value++, end--;
            return talloc_strndup(arena, value, (size_t)(end - value));
        }
        line += n;
    }
    return NULL;
}

const char *http_cookie(TALLOC_CTX *arena, const struct http_headers *headers, const char *name)
{
    const char *line, *value = NULL;
    for (size_t at = 0; !value && (line = http_header_next(headers, "Cookie", &at));)
        value = cookie_in(arena, line, name);
    return value;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static char *decode(TALLOC_CTX *arena, const char *text, size_t size, bool plus_is_blank)
{
    char *out = talloc_array(arena, char, (unsigned)size + 1), *at = out;
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        if (c == '+' && plus_is_blank) {
            c = ' ';
        } else if (c == '%') {
            const int high = size - i > 2 ? hex_digit(text[i + 1]) : -1,
                      low = size - i > 2 ? hex_digit(text[i + 2]) : -1;
            if (high < 0 || low < 0 || high + low == 0)
                return NULL;
            c = (char)(high << 4 | low);
            i += 2;
        }
        *at++ = c;
    }
    *at = 0;
    return utf8_is_valid(out, (size_t)(at - out)) ? out : NULL;
}

char *http_decode(TALLOC_CTX *arena, const char *text, size_t size)
{
    return decode(arena, text, size, false);
}

char *http_encode(TALLOC_CTX *arena, const char *text)
{
    struct buf out;
    buf_init(&out, arena);
    for (; *text; text++) {
        const bool plain = (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z') ||
                           (*text >= '0' && *text <= '9') || strchr("-._~", *text);
        buf_printf(&out, plain ? "%c" : "%%%02X", (unsigned char)*text);
    }
    buf_add(&out, "", 1);
    return (char *)out.data;
}

/* name=value&name=value, as forms send it. */
const char *http_query(TALLOC_CTX *arena, const char *query, const char *name)
{
    while (*query) {
        const size_t n = strcspn(query, "&"), key = MIN(n, strcspn(query, "="));
        const char *decoded = decode(arena, query, key, true);
        if (decoded && strcasecmp(decoded, name) == 0)
            return decode(arena, query + key + (key < n), n - key - (key < n), true);
        query += n + (query[n] == '&');
    }
    return NULL;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if ((uint8_t)*text < 0x20 || *text == 0x7F)
            return true;
    return false;
}

/* Takes the last segment off out[0..*size). */
static bool climb(const char *out, size_t *size)
{
    if (*size == 0)
        return false;
    while (*size > 0 && out[--*size] != '/')
        ;
    return true;
}

/* RFC 3986 5.2.4, after decoding, so that %2E%2E and %2F hide nothing from the routes. */
char *http_path(TALLOC_CTX *arena, const char *path, size_t size)
{
    char *text = decode(arena, path, size, false), *out = text ? talloc_array(arena, char, strlen(text) + 2) : NULL;
    size_t n = 0;
    bool slash = true; /* the result ends with one */
    if (!text || has_control(text))
        return NULL;
    for (const char *at = text + strspn(text, "/"); *at; at += strspn(at, "/")) {
        const size_t word = strcspn(at, "/");
        const bool dot = word == 1 && at[0] == '.', up = word == 2 && at[0] == '.' && at[1] == '.';
        if (up && !climb(out, &n))
            return NULL;
        slash = dot || up || at[word];
        if (!dot && !up) {
            out[n++] = '/';
            memcpy(out + n, at, word);
            n += word;
        }
        at += word;
    }
    if (slash)
        out[n++] = '/';
    out[n] = 0;
    return out;
}
