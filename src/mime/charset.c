/* SPDX-License-Identifier: Apache-2.0 */
/* Text in any charset, and what MAPI calls it. */
#include "mime/internal.h"

#include <ctype.h>

static const struct charset {
    unsigned codepage;
    const char *name, *others;
} charsets[] = {
#define CHARSET(codepage, name, others) { codepage, name, others },
#include "mime/charset.def"
#undef CHARSET
};

enum { NAME_MAX_LENGTH = 40 };

unsigned codepage_of_charset(const char *charset)
{
    char word[NAME_MAX_LENGTH + 3] = " ";
    const size_t length = charset ? strlen(charset) : 0;
    if (!length || length > NAME_MAX_LENGTH || strpbrk(charset, " \t"))
        return 0;
    for (size_t i = 0; i < length; i++)
        word[i + 1] = (char)tolower((unsigned char)charset[i]);
    word[length + 1] = ' ';
    for (size_t i = 0; i < COUNTOF(charsets); i++)
        if (strcasecmp(charset, charsets[i].name) == 0 || strstr(charsets[i].others, word))
            return charsets[i].codepage;
    return 0;
}

const char *charset_of_codepage(unsigned codepage)
{
    for (size_t i = 0; i < COUNTOF(charsets); i++)
        if (charsets[i].codepage == codepage)
            return charsets[i].name;
    return NULL;
}

bool is_ascii(struct blob bytes)
{
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i] >= 0x80 || bytes.data[i] == 0x1B) /* ESC: ISO-2022 */
            return false;
    return true;
}

/* UTF-16 and UTF-32 have zeros that mean something. */
static bool is_wide(const char *charset)
{
    return charset && (text_is_prefix(charset, "utf-16") || text_is_prefix(charset, "utf-32") ||
                       text_is_prefix(charset, "ucs-") || text_is_prefix(charset, "iso-10646"));
}

static struct blob without_zeros(TALLOC_CTX *arena, struct blob bytes)
{
    if (!bytes.size || !memchr(bytes.data, 0, bytes.size))
        return bytes;
    uint8_t *kept = talloc_array(arena, uint8_t, bytes.size);
    size_t n = 0;
    for (size_t i = 0; i < bytes.size; i++)
        if (bytes.data[i])
            kept[n++] = bytes.data[i];
    return BLOB_OF(kept, n);
}

/* Who says nothing, or ASCII, and yet sends eight bits has sent UTF-8 if it reads as that. */
static bool is_really_utf8(const char *charset, struct blob bytes)
{
    const unsigned codepage = codepage_of_charset(charset);
    return (!charset || !*charset || codepage == CP_ASCII || codepage == CP_UTF8 || !codepage) && !is_ascii(bytes) &&
           utf8_is_valid(bytes.data, bytes.size);
}

/* What is called ISO-8859-1 or ASCII and uses the places that are empty there is of Windows. */
static unsigned widened(unsigned codepage, struct blob bytes)
{
    bool windows = false;
    for (size_t i = 0; i < bytes.size && !windows; i++)
        windows = bytes.data[i] >= 0x80 && (codepage == CP_ASCII || bytes.data[i] < 0xA0);
    if (!windows || (codepage != CP_ASCII && codepage != 28591 && codepage != 28599))
        return codepage;
    return codepage == 28599 ? 1254 : CP_WESTERN;
}

struct decoded decode_text(TALLOC_CTX *arena, const char *charset, struct blob bytes)
{
    struct decoded d = { .bytes = is_wide(charset) ? bytes : without_zeros(arena, bytes) };
    if (d.bytes.size >= 3 && memcmp(d.bytes.data, "\xEF\xBB\xBF", 3) == 0 &&
        utf8_is_valid(d.bytes.data, d.bytes.size)) {
        d.bytes = BLOB_OF(d.bytes.data + 3, d.bytes.size - 3);
        charset = "utf-8";
    }
    if (is_really_utf8(charset, d.bytes))
        charset = "utf-8";
    d.codepage = codepage_of_charset(charset);
    if (!charset || !*charset)
        charset = is_ascii(d.bytes) ? "us-ascii" : "windows-1252";
    d.text = utf8_of_charset(arena, charset, d.bytes.data, d.bytes.size);
    d.codepage = d.codepage ? widened(d.codepage, d.bytes) : is_ascii(d.bytes) ? CP_ASCII : 0;
    if (!d.codepage) {
        d.codepage = CP_UTF8;
        d.bytes = BLOB_OF(d.text, strlen(d.text));
    }
    return d;
}

/* A charset that the text does not fit becomes UTF-8. */
struct blob encode_text(TALLOC_CTX *arena, unsigned *codepage, const char *text)
{
    if (*codepage == CP_UTF8)
        return BLOB_OF(text, strlen(text));
    if (charset_of_codepage(*codepage) && codepage_known(*codepage)) {
        const struct blob bytes = codepage_of_utf8(arena, *codepage, text);
        const char *back = utf8_of_charset(arena, charset_of_codepage(*codepage), bytes.data, bytes.size);
        if (strcmp(back, text) == 0 && (*codepage != CP_ASCII || is_ascii(bytes)))
            return bytes;
    }
    *codepage = is_ascii(BLOB_OF(text, strlen(text))) ? CP_ASCII : CP_UTF8;
    return BLOB_OF(text, strlen(text));
}

static int base64_digit(uint8_t c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

/* The library gives up where padding is missing, or stands in the middle. */
void decode_base64(struct buf *out, struct blob text)
{
    const size_t before = out->size;
    uint8_t *put = buf_grow(out, text.size / 4 * 3 + 3);
    const uint8_t *first = put;
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < text.size; i++) {
        const int digit = base64_digit(text.data[i]);
        if (text.data[i] == '=')
            count = 0;
        if (digit < 0)
            continue;
        bits = bits << 6 | (uint32_t)digit;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *put++ = (uint8_t)(bits >> count);
        }
    }
    out->size = before + (size_t)(put - first);
}
