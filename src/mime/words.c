/* SPDX-License-Identifier: Apache-2.0 */
/* Encoded words of header fields, RFC 2047.  The library loses what follows a padded base64 word that is not the last
 * one, which most senders write, so runs of words are decoded here. */
#include "mime/internal.h"

#include <ctype.h>
#include <stdlib.h>

struct word {
    const char *charset; /* and its length */
    size_t charset_length;
    char encoding; /* 'b' or 'q' */
    const char *text, *text_end, *end;
};

enum { CHARSET_MAX = 64, WORD_MAX = 4096 }; /* RFC 2047 allows 75; a longer search would be for nothing */

/* "=?charset*language?encoding?text?=" at `at`? */
static bool word_at(const char *at, struct word *w)
{
    if (at[0] != '=' || at[1] != '?')
        return false;
    w->charset = at + 2;
    w->charset_length = strcspn(w->charset, "?* \t\r\n");
    const char *mark = w->charset + strcspn(w->charset, "?\r\n");
    if (!w->charset_length || mark - at > CHARSET_MAX || mark[0] != '?' || !mark[1] || mark[2] != '?')
        return false;
    w->encoding = (char)tolower((unsigned char)mark[1]);
    w->text = mark + 3;
    w->text_end = memmem(w->text, strnlen(w->text, WORD_MAX), "?=", 2);
    if (!w->text_end || (w->encoding != 'b' && w->encoding != 'q') ||
        memchr(w->text, '\n', (size_t)(w->text_end - w->text)))
        return false;
    w->end = w->text_end + 2;
    return true;
}

static int hex_digit(char c)
{
    return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

static void add_quoted(struct buf *out, const char *at, const char *end)
{
    for (; at < end; at++) {
        const int high = *at == '=' && end - at > 2 ? hex_digit(at[1]) : -1, low = high >= 0 ? hex_digit(at[2]) : -1;
        const uint8_t byte = low >= 0 ? (uint8_t)(high << 4 | low) : *at == '_' ? ' ' : (uint8_t)*at;
        at += low >= 0 ? 2 : 0;
        buf_add(out, &byte, 1);
    }
}

static void add_base64(struct buf *out, const char *at, const char *end)
{
    decode_base64(out, BLOB_OF(at, (size_t)(end - at)));
}

static bool same_charset(const struct word *a, const struct word *b)
{
    return a->charset_length == b->charset_length && strncasecmp(a->charset, b->charset, a->charset_length) == 0;
}

static void put_text(struct buf *out, const char *run)
{
    buf_add(out, run, strlen(run));
}

/* The text of all words that follow each other; *at moves behind them.  A character may begin in one word and end in
 * the next one of the same charset. */
static const char *run_text(TALLOC_CTX *arena, const char **at, struct word w)
{
    struct buf text;
    buf_init(&text, arena);
    struct word next = w;
    for (bool more = true; more;) {
        struct buf bytes;
        buf_init(&bytes, arena);
        w = next;
        do {
            (next.encoding == 'b' ? add_base64 : add_quoted)(&bytes, next.text, next.text_end);
            *at = next.end;
            more = word_at(*at + strspn(*at, " \t\r\n"), &next);
        } while (more && same_charset(&next, &w));
        const char *charset = talloc_strndup(arena, w.charset, w.charset_length);
        put_text(&text, decode_text(arena, charset, buf_blob(&bytes)).text);
    }
    buf_add(&text, "", 1);
    return (const char *)text.data;
}

/* Copies what is no word, and gives each run of words to `put`. */
static char *replace_runs(TALLOC_CTX *arena, const char *text, void put(struct buf *, const char *run))
{
    struct buf out;
    struct word w;
    buf_init(&out, arena);
    for (const char *at = text; *at;) {
        if (word_at(at, &w))
            put(&out, run_text(arena, &at, w));
        else
            buf_add(&out, at++, 1);
    }
    buf_add(&out, "", 1);
    return (char *)out.data;
}

static void put_word(struct buf *out, const char *run)
{
    buf_printf(out, "=?utf-8?B?%s?=", base64_text(out->owner, BLOB_OF(run, strlen(run))));
}

/* Eight bits outside of any word are UTF-8, or else of Windows. */
char *decode_words(TALLOC_CTX *arena, const char *text)
{
    const size_t length = strlen(text);
    return replace_runs(arena, utf8_is_valid(text, length) ? text : utf8_of_codepage(arena, CP_WESTERN, text, length),
                        put_text);
}

/* Each run as one word, for the library's parsers of addresses and parameters. */
char *join_words(TALLOC_CTX *arena, const char *text)
{
    return strstr(text, "=?") ? replace_runs(arena, text, put_word) : talloc_strdup(arena, text);
}
