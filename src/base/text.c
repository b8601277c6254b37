/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unicode/ucnv.h>
#include <unicode/ucol.h>
#include <unicode/uloc.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>

#include "base/base.h"

/* No converted text gets longer than this, so that bytes from outside never ask for more than talloc gives: a mail at
 * the limit for mail, in a charset in which a byte becomes a character of three, would.  A longer text ends before. */
enum { TEXT_LIMIT = 0x0C000000 };

/* UTF-16 <-> UTF-8: the one conversion that every string on the wire needs, so it goes without ICU's
 * converters. */

static char *utf8_put(char *at, uint32_t c)
{
    if (c < 0x80) {
        *at++ = (char)c;
    } else if (c < 0x800) {
        *at++ = (char)(0xC0 | c >> 6);
        *at++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *at++ = (char)(0xE0 | c >> 12);
        *at++ = (char)(0x80 | (c >> 6 & 0x3F));
        *at++ = (char)(0x80 | (c & 0x3F));
    } else {
        *at++ = (char)(0xF0 | c >> 18);
        *at++ = (char)(0x80 | (c >> 12 & 0x3F));
        *at++ = (char)(0x80 | (c >> 6 & 0x3F));
        *at++ = (char)(0x80 | (c & 0x3F));
    }
    return at;
}

/* The character at *at, which moves on; a lone surrogate and a lone last byte give U+FFFD. */
static uint32_t utf16_get(const uint8_t **at, const uint8_t *end)
{
    if (end - *at < 2) {
        *at = end;
        return 0xFFFD;
    }
    const uint32_t c = le16(*at);
    *at += 2;
    if (!U16_IS_SURROGATE(c))
        return c;
    if (!U16_IS_SURROGATE_LEAD(c) || end - *at < 2 || !U16_IS_TRAIL(le16(*at)))
        return 0xFFFD;
    *at += 2;
    return (uint32_t)U16_GET_SUPPLEMENTARY(c, le16(*at - 2));
}

/* The text ends at the first U+0000, as every PtypString does. */
char *utf8_of_utf16(TALLOC_CTX *owner, const uint8_t *utf16le, size_t bytes)
{
    bytes = MIN(bytes, (size_t)TEXT_LIMIT / 3 * 2);
    const uint8_t *at = utf16le, *end = bytes ? utf16le + bytes : utf16le;         /* NULL goes with no bytes */
    struct buf out;
    buf_init(&out, owner);
    char *text = (char *)buf_grow(&out, bytes / 2 * 3 + 4), *put = text;
    while (at < end) {
        while (end - at >= 2 && at[1] == 0 && at[0] - 1U < 0x7F) {
            *put++ = (char)*at;
            at += 2;
        }
        uint32_t c = at < end ? utf16_get(&at, end) : 0;
        if (!c)
            break;
        put = utf8_put(put, c);
    }
    *put++ = 0;
    return talloc_realloc(owner, text, char, (unsigned)(put - text));
}

struct blob utf16_of_utf8(TALLOC_CTX *owner, const char *text)
{
    const uint8_t *s = (const uint8_t *)text;
    const size_t length = utf8_start(text, TEXT_LIMIT / 2);
    struct buf out;
    buf_init(&out, owner);
    uint8_t *at = buf_grow(&out, 2 * length);
    for (size_t i = 0; i < length;) {
        UChar32 c;
        U8_NEXT_OR_FFFD(s, i, length, c);
        if (c > 0xFFFF) {
            put_le16(at, U16_LEAD(c));
            at += 2;
            c = U16_TRAIL(c);
        }
        put_le16(at, (uint16_t)c);
        at += 2;
    }
    return (struct blob){ out.data, length ? (size_t)(at - out.data) : 0 };
}

/* ICU's converters and collators cost much to open and belong to one thread, so each thread keeps the few
 * that it used last. */
#define KEPT 8
static _Thread_local struct kept {
    UConverter *utf8;
    struct { char name[48]; UConverter *converter; } converters[KEPT];
    struct { uint32_t lcid; UCollator *collator; } collators[KEPT];
    unsigned next_converter, next_collator;
    bool registered;
} kept;
static pthread_key_t kept_key;
static pthread_once_t kept_once = PTHREAD_ONCE_INIT;

static void kept_release(void *at)
{
    struct kept *k = at;
    ucnv_close(k->utf8);
    for (size_t i = 0; i < KEPT; i++) {
        ucnv_close(k->converters[i].converter);
        ucol_close(k->collators[i].collator);
    }
    *k = (struct kept){ 0 };
}

static void kept_key_make(void)
{
    if (pthread_key_create(&kept_key, kept_release))
        abort();
}

static struct kept *kept_here(void)
{
    if (!kept.registered) {
        pthread_once(&kept_once, kept_key_make);
        pthread_setspecific(kept_key, &kept);
        kept.registered = true;
    }
    return &kept;
}

/* NULL: ICU has no such character set.  Rows may name ICU's converters, so "windows-1252" is never missing. */
static UConverter *converter_of(const char *name)
{
    struct kept *k = kept_here();
    UErrorCode error = U_ZERO_ERROR;
    for (size_t i = 0; i < KEPT; i++)
        if (k->converters[i].converter && strcasecmp(k->converters[i].name, name) == 0)
            return k->converters[i].converter;
    if (!*name || strlen(name) >= sizeof k->converters[0].name)
        return NULL;
    UConverter *converter = ucnv_open(name, &error);
    if (U_FAILURE(error))
        return NULL;
    ucnv_setSubstChars(converter, "?", 1, &error);         /* fails for UTF-16, where everything can be mapped */
    unsigned i = k->next_converter++ % KEPT;
    ucnv_close(k->converters[i].converter);
    strcpy(k->converters[i].name, name);
    k->converters[i].converter = converter;
    return converter;
}

static UConverter *converter_utf8(void)
{
    struct kept *k = kept_here();
    UErrorCode error = U_ZERO_ERROR;
    if (!k->utf8)
        k->utf8 = ucnv_open("UTF-8", &error);
    if (!k->utf8)
        abort();
    return k->utf8;
}

static void convert(struct buf *out, UConverter *to, UConverter *from, const char *at, size_t bytes)
{
    UChar pivot[1024], *pivot_from = pivot, *pivot_to = pivot;
    const char *end = at + bytes;
    UErrorCode error;
    bool first = true;
    do {
        const size_t room = MIN(bytes + 64, (size_t)TEXT_LIMIT - out->size);
        char *start = (char *)buf_grow(out, room), *put = start;
        error = U_ZERO_ERROR;
        ucnv_convertEx(to, from, &put, start + room, &at, end, pivot, &pivot_from, &pivot_to,
                       pivot + COUNTOF(pivot), first, true, &error);
        out->size -= (size_t)(start + room - put);
        first = false;
    } while (error == U_BUFFER_OVERFLOW_ERROR && out->size < TEXT_LIMIT);
}

static char *utf8_of_converter(TALLOC_CTX *owner, UConverter *from, const void *bytes, size_t size)
{
    struct buf out;
    buf_init(&out, owner);
    convert(&out, converter_utf8(), from, size ? bytes : "", size);
    if (out.size == TEXT_LIMIT)
        out.size = utf8_start((const char *)out.data, TEXT_LIMIT - 1); /* not in the middle of a character */
    buf_add(&out, "", 1);
    return (char *)out.data;
}

/* Windows code page identifiers and what ICU calls them. */
static const struct { unsigned codepage; const char *name; } codepages[] = {
    { 37, "ibm-37" },            { 437, "ibm-437" },          { 500, "ibm-500" },          { 720, "ibm-720" },
    { 737, "ibm-737" },          { 775, "ibm-775" },          { 850, "ibm-850" },          { 852, "ibm-852" },
    { 855, "ibm-855" },          { 857, "ibm-857" },          { 858, "ibm-858" },          { 860, "ibm-860" },
    { 861, "ibm-861" },          { 862, "ibm-862" },          { 863, "ibm-863" },          { 864, "ibm-864" },
    { 865, "ibm-865" },          { 866, "ibm-866" },          { 869, "ibm-869" },          { 874, "windows-874" },
    { 932, "windows-932" },      { 936, "windows-936" },      { 949, "windows-949" },      { 950, "windows-950" },
    { 1047, "ibm-1047" },        { 1200, "UTF-16LE" },        { 1201, "UTF-16BE" },        { 1250, "windows-1250" },
    { 1251, "windows-1251" },    { 1252, "windows-1252" },    { 1253, "windows-1253" },    { 1254, "windows-1254" },
    { 1255, "windows-1255" },    { 1256, "windows-1256" },    { 1257, "windows-1257" },    { 1258, "windows-1258" },
    { 10000, "macintosh" },      { 10006, "x-mac-greek" },    { 10007, "x-mac-cyrillic" }, { 10029, "x-mac-ce" },
    { 10081, "x-mac-turkish" },  { 12000, "UTF-32LE" },       { 12001, "UTF-32BE" },       { 20127, "US-ASCII" },
    { 20261, "US-ASCII" },       { 20866, "KOI8-R" },         { 20932, "EUC-JP" },         { 20936, "GB2312" },         { 21866, "KOI8-U" },
    { 28591, "ISO-8859-1" },     { 28592, "ISO-8859-2" },     { 28593, "ISO-8859-3" },     { 28594, "ISO-8859-4" },
    { 28595, "ISO-8859-5" },     { 28596, "ISO-8859-6" },     { 28597, "ISO-8859-7" },     { 28598, "ISO-8859-8" },
    { 28599, "ISO-8859-9" },     { 28603, "ISO-8859-13" },    { 28605, "ISO-8859-15" },    { 38598, "ISO-8859-8" },
    { 50220, "ISO-2022-JP" },    { 50221, "ISO-2022-JP" },    { 50222, "ISO-2022-JP" },    { 50225, "ISO-2022-KR" },
    { 50227, "ISO-2022-CN" },    { 51932, "EUC-JP" },         { 51936, "GB2312" },         { 51949, "EUC-KR" },
    { 52936, "HZ-GB-2312" },     { 54936, "GB18030" },        { 65000, "UTF-7" },          { 65001, "UTF-8" },
};

static const char *codepage_name(unsigned codepage)
{
    for (size_t i = 0; i < COUNTOF(codepages); i++)
        if (codepages[i].codepage == codepage)
            return codepages[i].name;
    return NULL;
}

bool codepage_known(unsigned codepage)
{
    return codepage_name(codepage) != NULL;
}

/* A code page that nobody knows is taken for Western European, as a charset is. */
static UConverter *codepage_converter(unsigned codepage)
{
    const char *name = codepage_name(codepage);
    UConverter *converter = converter_of(name ? name : "windows-1252");
    assert(converter);
    return converter;
}

char *utf8_of_codepage(TALLOC_CTX *owner, unsigned codepage, const void *bytes, size_t size)
{
    return utf8_of_converter(owner, codepage_converter(codepage), bytes, size);
}

struct blob codepage_of_utf8(TALLOC_CTX *owner, unsigned codepage, const char *text)
{
    struct buf out;
    buf_init(&out, owner);
    convert(&out, codepage_converter(codepage), converter_utf8(), text, strlen(text));
    return buf_blob(&out);
}

/* What mail says and what it means: senders name the small set and use the larger one that contains it, as
 * the WHATWG Encoding Standard lists it for browsers. */
static const struct { const char *said, *meant; } charset_means[] = {
    { "us-ascii", "windows-1252" },        { "ascii", "windows-1252" },       { "ansi_x3.4-1968", "windows-1252" },
    { "iso-8859-1", "windows-1252" },      { "latin1", "windows-1252" },      { "iso-8859-9", "windows-1254" },
    { "iso-8859-8-i", "ISO-8859-8" },      { "iso-8859-11", "windows-874" },  { "tis-620", "windows-874" },
    { "gb2312", "GB18030" },               { "gb_2312-80", "GB18030" },       { "gbk", "GB18030" },
    { "x-gbk", "GB18030" },                { "euc-kr", "windows-949" },       { "ks_c_5601-1987", "windows-949" },
    { "ks_c_5601", "windows-949" },        { "shift_jis", "windows-932" },    { "x-sjis", "windows-932" },
    { "utf8", "UTF-8" },                   { "unicode-1-1-utf-7", "UTF-7" },
};

char *utf8_of_charset(TALLOC_CTX *owner, const char *charset, const void *bytes, size_t size)
{
    const char *name = charset;
    for (size_t i = 0; i < COUNTOF(charset_means); i++)
        if (strcasecmp(charset, charset_means[i].said) == 0)
            name = charset_means[i].meant;
    UConverter *converter = converter_of(name);
    return utf8_of_converter(owner, converter ? converter : codepage_converter(1252), bytes, size);
}

/* UTF-16 text in ICU's own form. */
struct units {
    UChar *at;
    int32_t length;
};

static struct units units_new(TALLOC_CTX *arena, size_t room)
{
    struct buf space;
    buf_init(&space, arena);
    return (struct units){ (UChar *)(void *)buf_grow(&space, (room + 1) * sizeof(UChar)), 0 };
}

static struct units units_of(TALLOC_CTX *arena, const char *text)
{
    const size_t length = utf8_start(text, TEXT_LIMIT / 2);
    struct units units = units_new(arena, length);
    UErrorCode error = U_ZERO_ERROR;
    u_strFromUTF8WithSub(units.at, (int32_t)length, &units.length, text, (int32_t)length, 0xFFFD, NULL, &error);
    return units;
}

/* A step of folding: writes at most `room` units, or says how many it needs. */
typedef int32_t fold_step(const UChar *, int32_t length, UChar *out, int32_t room, UErrorCode *);

static int32_t fold_decompose(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *error)
{
    return unorm2_normalize(unorm2_getNFKDInstance(error), text, length, out, room, error);
}

static int32_t fold_case(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *error)
{
    return u_strFoldCase(out, room, text, length, U_FOLD_CASE_DEFAULT, error);
}

/* Combining classes below 10 are nuktas, kana voicing marks and viramas: there they make another letter. */
static int32_t fold_accents(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *error)
{
    int32_t n = 0;
    for (int32_t i = 0; i < length && n + 2 <= room;) {
        UChar32 c;
        U16_NEXT(text, i, length, c);
        if (u_getCombiningClass(c) < 10)
            U16_APPEND_UNSAFE(out, n, c);
    }
    (void)error;
    return n;
}

/* Without it a Hangul syllable would be a prefix of the longer one that begins with its letters. */
static int32_t fold_compose(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *error)
{
    return unorm2_normalize(unorm2_getNFCInstance(error), text, length, out, room, error);
}

static struct units fold_with(TALLOC_CTX *arena, fold_step *step, struct units text)
{
    int32_t room = text.length + 16;
    for (;;) {
        struct units out = units_new(arena, (size_t)room);
        UErrorCode error = U_ZERO_ERROR;
        out.length = step(text.at, text.length, out.at, room, &error);
        if (error != U_BUFFER_OVERFLOW_ERROR)
            return U_FAILURE(error) ? text : out;
        if ((size_t)out.length > TEXT_LIMIT / sizeof(UChar))
            return text;
        room = out.length;
    }
}

static char *fold_ascii(TALLOC_CTX *owner, const char *text)
{
    char *out = talloc_strdup(owner, text);
    for (char *p = out; *p; p++)
        *p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
    return out;
}

static bool is_ascii(const char *text)
{
    while (*text > 0)
        text++;
    return !*text;
}

char *text_fold_only(TALLOC_CTX *owner, const char *text, unsigned what)
{
    static const struct { unsigned what; fold_step *step; } steps[] = {
        { ~0u, fold_decompose }, { FOLD_CASE, fold_case }, { FOLD_ACCENTS, fold_accents }, { ~0u, fold_compose },
    };
    if (is_ascii(text))
        return what & FOLD_CASE ? fold_ascii(owner, text) : talloc_strdup(owner, text);
    TALLOC_CTX *arena = talloc_new(NULL);
    struct units units = units_of(arena, text);
    for (size_t i = 0; i < COUNTOF(steps); i++)
        if (what & steps[i].what)
            units = fold_with(arena, steps[i].step, units);
    char *folded = utf8_of_utf16(owner, (const uint8_t *)units.at, (size_t)units.length * sizeof(UChar));
    talloc_free(arena);
    return folded;
}

char *text_fold(TALLOC_CTX *owner, const char *text)
{
    return text_fold_only(owner, text, FOLD_CASE | FOLD_ACCENTS);
}

static int32_t upper_case(const UChar *text, int32_t length, UChar *out, int32_t room, UErrorCode *error)
{
    return u_strToUpper(out, room, text, length, "", error);
}

char *text_upper(TALLOC_CTX *owner, const char *text)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct units units = fold_with(arena, upper_case, units_of(arena, text));
    char *upper = utf8_of_utf16(owner, (const uint8_t *)units.at, (size_t)units.length * sizeof(UChar));
    talloc_free(arena);
    return upper;
}

/* A locale that ICU does not know gets the root collation, which suits most of them. */
static UCollator *collator_of(uint32_t lcid)
{
    struct kept *k = kept_here();
    for (size_t i = 0; i < KEPT; i++)
        if (k->collators[i].collator && k->collators[i].lcid == lcid)
            return k->collators[i].collator;
    char locale[ULOC_FULLNAME_CAPACITY] = "";
    UErrorCode error = U_ZERO_ERROR;
    uloc_getLocaleForLCID(lcid, locale, sizeof locale, &error);
    const bool known = U_SUCCESS(error);
    error = U_ZERO_ERROR;
    UCollator *collator = ucol_open(known ? locale : "", &error);
    if (!collator)
        abort();                                           /* ICU's data is missing from the machine */
    unsigned i = k->next_collator++ % KEPT;
    ucol_close(k->collators[i].collator);
    k->collators[i].lcid = lcid;
    k->collators[i].collator = collator;
    return collator;
}

/* ICU ends a key with a zero byte; it stays, so that no key is a prefix of another. */
struct blob text_sort_key(TALLOC_CTX *owner, const char *text, uint32_t lcid)
{
    UCollator *collator = collator_of(lcid);
    struct units units = units_of(owner, text);
    struct buf key;
    buf_init(&key, owner);
    int32_t room = 2 * units.length + 32;
    buf_grow(&key, (size_t)room);
    int32_t size = ucol_getSortKey(collator, units.at, units.length, key.data, room);
    if (size > room) {
        buf_grow(&key, (size_t)(size - room));
        ucol_getSortKey(collator, units.at, units.length, key.data, size);
    }
    talloc_free(units.at);
    return (struct blob){ key.data, (size_t)size };
}

bool utf8_is_valid(const void *text, size_t bytes)
{
    const uint8_t *s = text;
    for (size_t i = 0; i < bytes;) {
        UChar32 c;
        U8_NEXT(s, i, bytes, c);
        if (c < 0)
            return false;
    }
    return true;
}

size_t utf8_start(const char *text, size_t bytes)
{
    size_t n = strnlen(text, bytes);
    while (n && ((uint8_t)text[n] & 0xC0) == 0x80)
        n--;
    return n;
}

bool text_is_prefix(const char *text, const char *prefix)
{
    return strncasecmp(text, prefix, strlen(prefix)) == 0;
}

char *text_line(TALLOC_CTX *arena, const char *text)
{
    const size_t length = strlen(text);
    char *clean =
        utf8_is_valid(text, length) ? talloc_strdup(arena, text) : utf8_of_charset(arena, "utf-8", text, length);
    for (char *c = clean; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7F)
            *c = ' ';
    return clean;
}
