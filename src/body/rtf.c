/* SPDX-License-Identifier: Apache-2.0 */
/* Reading RTF: its text, or the HTML or plain text that it was made of.  [MS-OXRTFEX] 2.2.3, [MSFT-RTF]
 *
 * One pass over bytes, braces and control words.  What a brace saves lies on a stack; a group that is nested deeper than
 * the stack shares the state of the last one on it.  8-bit text is gathered into runs of one code page. */
#include "body/internal.h"

#include <stdlib.h>

enum {
    STACK = 256,
    FONTS = 4096, /* by number; the others have the default code page */
    WORD_MAX = 32,
    SKIP_MAX = 64, /* \ucN beyond that is noise */
    WESTERN = 1252,
};

struct state {
    bool hidden;  /* a destination that is no text */
    bool htmltag; /* what is in it is a piece of the HTML */
    bool htmlrtf; /* only for who shows the RTF itself */
    bool fonts;   /* the font table */
    uint8_t skip; /* \ucN: characters behind \uN for who does not know it */
    uint16_t codepage;
};

struct rtf {
    struct blob in;
    size_t at;
    struct state stack[STACK], *now;
    unsigned too_deep; /* groups that found no place on the stack */
    bool star;         /* \* was just read: an unknown destination is passed over */
    bool text_seen;
    unsigned skip; /* characters that are still to be passed over */
    uint16_t codepage, *font_codepage, font;
    uint32_t high; /* the first half of a surrogate pair */
    enum body_form origin;
    bool look; /* only for the origin */
    struct buf run, out;
    unsigned run_codepage;
};

/* ---- text ---- */

static void flush(struct rtf *r)
{
    if (r->run.size) {
        const char *text = utf8_of_codepage(r->run.owner, r->run_codepage, r->run.data, r->run.size);
        buf_add(&r->out, text, strlen(text));
        talloc_free((void *)text);
    }
    r->run.size = 0;
}

static bool shows(const struct rtf *r)
{
    return !r->now->hidden && !r->now->fonts && !(r->now->htmlrtf && r->origin == BODY_HTML);
}

static void put_byte(struct rtf *r, uint8_t byte)
{
    if (r->skip) {
        r->skip--;
        return;
    }
    if (!shows(r) || !byte)
        return;
    r->text_seen = true;
    const unsigned codepage = r->now->htmltag ? r->codepage : r->now->codepage;
    if (codepage != r->run_codepage)
        flush(r);
    r->run_codepage = codepage;
    buf_add(&r->run, &byte, 1);
}

static void put_text(struct rtf *r, const char *text)
{
    if (r->skip) {
        r->skip--;
    } else if (shows(r)) {
        flush(r);
        buf_add(&r->out, text, strlen(text));
    }
}

static void put_unicode(struct rtf *r, uint32_t c)
{
    uint8_t units[4];
    const bool low = (c & 0xFC00) == 0xDC00;
    if ((c & 0xFC00) == 0xD800) {
        r->high = c;
        return;
    }
    put_le16(units, (uint16_t)r->high);
    put_le16(units + 2, (uint16_t)c);
    const bool pair = low && r->high;
    char *text = utf8_of_utf16(r->run.owner, pair ? units : units + 2, pair ? 4 : 2);
    r->high = 0;
    if (c)
        put_text(r, text);
    talloc_free(text);
}

/* ---- control words ---- */

struct word {
    char name[WORD_MAX];
    bool has_number;
    int32_t number;
};

static void skip_bytes(struct rtf *r, const struct word *w)
{
    if (r->at < r->in.size)
        r->at += MIN((size_t)MAX(w->number, 0), r->in.size - r->at);
}

static void on_unicode(struct rtf *r, const struct word *w)
{
    r->skip = 0;
    put_unicode(r, (uint16_t)w->number);
    r->skip = r->now->skip;
}

static void on_skip(struct rtf *r, const struct word *w)
{
    r->now->skip = (uint8_t)MIN(MAX(w->number, 0), SKIP_MAX);
}

static void on_codepage(struct rtf *r, const struct word *w)
{
    if (w->number <= 0 || w->number > UINT16_MAX || !codepage_known((unsigned)w->number))
        return;
    r->codepage = r->now->codepage = (uint16_t)w->number;
}

static void on_font(struct rtf *r, const struct word *w)
{
    r->font = (uint16_t)MIN((uint32_t)MAX(w->number, 0), UINT16_MAX);
    const uint16_t codepage = r->font < FONTS ? r->font_codepage[r->font] : 0;
    r->now->codepage = codepage ? codepage : r->codepage;
}

static void font_is(struct rtf *r, unsigned codepage)
{
    if (r->now->fonts && r->font < FONTS && codepage_known(codepage))
        r->font_codepage[r->font] = (uint16_t)codepage;
}

static void on_charset(struct rtf *r, const struct word *w)
{
    static const struct {
        int32_t charset;
        uint16_t codepage;
    } known[] = { { 0, 1252 },   { 128, 932 },  { 129, 949 },  { 134, 936 },  { 136, 950 },
                  { 161, 1253 }, { 162, 1254 }, { 163, 1258 }, { 177, 1255 }, { 178, 1256 },
                  { 186, 1257 }, { 204, 1251 }, { 222, 874 },  { 238, 1250 } };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (known[i].charset == w->number)
            font_is(r, known[i].codepage);
}

static void on_font_codepage(struct rtf *r, const struct word *w)
{
    font_is(r, w->number > 0 ? (unsigned)w->number : 0);
}

static void on_htmlrtf(struct rtf *r, const struct word *w)
{
    r->now->htmlrtf = !w->has_number || w->number;
}

static void on_htmltag(struct rtf *r, const struct word *w)
{
    (void)w;
    r->now->hidden = r->origin != BODY_HTML;
    r->now->htmltag = true;
}

static void on_fonts(struct rtf *r, const struct word *w)
{
    (void)w;
    r->now->fonts = true;
}

static void on_hidden(struct rtf *r, const struct word *w)
{
    (void)w;
    r->now->hidden = true;
}

/* [MS-OXRTFEX] 2.2.3.1: in the header, before any text. */
static void on_origin(struct rtf *r, const struct word *w)
{
    if (!r->text_seen && r->origin == BODY_RTF)
        r->origin = strcmp(w->name, "fromtext") == 0 ? BODY_PLAIN : BODY_HTML;
}

static const struct control {
    const char *name, *text;
    void (*on)(struct rtf *, const struct word *);
} controls[] = {
    { "par", "\r\n", NULL },
    { "line", "\r\n", NULL },
    { "sect", "\r\n", NULL },
    { "page", "\r\n", NULL },
    { "row", "\r\n", NULL },
    { "tab", "\t", NULL },
    { "cell", "\t", NULL },
    { "lquote", "\u2018", NULL },
    { "rquote", "\u2019", NULL },
    { "ldblquote", "\u201C", NULL },
    { "rdblquote", "\u201D", NULL },
    { "bullet", "\u2022", NULL },
    { "endash", "\u2013", NULL },
    { "emdash", "\u2014", NULL },
    { "enspace", "\u2002", NULL },
    { "emspace", "\u2003", NULL },
    { "zwj", "\u200D", NULL },
    { "zwnj", "\u200C", NULL },
    { "u", NULL, on_unicode },
    { "uc", NULL, on_skip },
    { "bin", NULL, skip_bytes },
    { "ansicpg", NULL, on_codepage },
    { "f", NULL, on_font },
    { "fcharset", NULL, on_charset },
    { "cpg", NULL, on_font_codepage },
    { "htmlrtf", NULL, on_htmlrtf },
    { "htmltag", NULL, on_htmltag },
    { "fromhtml", NULL, on_origin },
    { "fromtext", NULL, on_origin },
    { "fonttbl", NULL, on_fonts },
    { "colortbl", NULL, on_hidden },
    { "stylesheet", NULL, on_hidden },
    { "info", NULL, on_hidden },
    { "pict", NULL, on_hidden },
    { "objdata", NULL, on_hidden },
    { "header", NULL, on_hidden },
    { "footer", NULL, on_hidden },
    { "footnote", NULL, on_hidden },
    { "fldinst", NULL, on_hidden },
    { "mhtmltag", NULL, on_hidden },
};

static void on_word(struct rtf *r, const struct word *w)
{
    const struct control *found = NULL;
    for (size_t i = 0; !found && i < COUNTOF(controls); i++)
        if (strcmp(controls[i].name, w->name) == 0)
            found = &controls[i];
    if (found && found->text)
        put_text(r, found->text);
    else if (found)
        found->on(r, w);
    else if (r->star)
        r->now->hidden = true;
    r->star = false;
}

static bool is_letter(uint8_t c)
{
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static uint8_t peek(const struct rtf *r)
{
    return r->at < r->in.size ? r->in.data[r->at] : 0;
}

/* Letters, a number, and one blank that belongs to the word. */
static void take_word(struct rtf *r)
{
    struct word w = { 0 };
    size_t length = 0;
    for (; is_letter(peek(r)); r->at++)
        if (length < WORD_MAX - 1)
            w.name[length++] = (char)peek(r);
    const bool minus = peek(r) == '-';
    r->at += minus;
    int64_t number = 0;
    for (; is_digit(peek(r)); r->at++, w.has_number = true)
        number = MIN(number * 10 + peek(r) - '0', (int64_t)INT32_MAX);
    w.number = (int32_t)(minus ? -number : number);
    r->at += peek(r) == ' ';
    on_word(r, &w);
}

static int hex_digit(uint8_t c)
{
    return is_digit(c) ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static void take_symbol(struct rtf *r)
{
    const uint8_t symbol = peek(r);
    r->at++;
    if (symbol == '\'') {
        const int high = hex_digit(peek(r));
        r->at++;
        const int low = hex_digit(peek(r));
        r->at++;
        if (high >= 0 && low >= 0)
            put_byte(r, (uint8_t)(high << 4 | low));
    } else if (symbol == '*') {
        r->star = true;
    } else if (symbol == '~') {
        put_text(r, "\u00A0");
    } else if (symbol == '_') {
        put_text(r, "\u2011");
    } else if (symbol == '-') {
        put_text(r, "\u00AD");
    } else if (symbol == '\r' || symbol == '\n') {
        put_text(r, "\r\n");
    } else if (symbol == '\\' || symbol == '{' || symbol == '}') {
        put_byte(r, symbol);
    }
}

/* ---- groups ---- */

static void open_group(struct rtf *r)
{
    r->skip = 0;
    if (r->now == &r->stack[STACK - 1]) {
        r->too_deep++;
        return;
    }
    r->now++;
    *r->now = r->now[-1];
}

static void close_group(struct rtf *r)
{
    r->skip = 0;
    if (r->too_deep)
        r->too_deep--;
    else if (r->now > r->stack)
        r->now--;
}

static void read_rtf(struct rtf *r)
{
    while (r->at < r->in.size && !(r->look && (r->text_seen || r->origin != BODY_RTF))) {
        const uint8_t c = r->in.data[r->at++];
        if (c == '{')
            open_group(r);
        else if (c == '}')
            close_group(r);
        else if (c == '\\' && is_letter(peek(r)))
            take_word(r);
        else if (c == '\\')
            take_symbol(r);
        else if (c != '\r' && c != '\n')
            put_byte(r, c);
        if (c == '{' || c == '}')
            r->star = false;
    }
    flush(r);
}

static struct rtf *reader(TALLOC_CTX *arena, struct blob rtf)
{
    struct rtf *r = talloc_zero(arena, struct rtf);
    r->in = BLOB_OF(rtf.data, MIN(rtf.size, (size_t)BODY_SOURCE_MAX));
    r->now = r->stack;
    r->codepage = r->now->codepage = WESTERN;
    r->now->skip = 1;
    r->font_codepage = talloc_zero_array(r, uint16_t, FONTS);
    r->origin = BODY_RTF;
    buf_init(&r->run, r);
    buf_init(&r->out, r);
    return r;
}

enum body_form body_rtf_origin(struct blob rtf)
{
    struct rtf *r = reader(NULL, rtf);
    r->look = true;
    read_rtf(r);
    const enum body_form origin = r->origin;
    talloc_free(r);
    return origin;
}

/* The HTML inside, or the text, whichever the RTF was made of. */
static char *content(TALLOC_CTX *arena, struct blob rtf)
{
    struct rtf *r = reader(arena, rtf);
    read_rtf(r);
    buf_add(&r->out, "", 1);
    char *text = talloc_strdup(arena, (const char *)r->out.data);
    talloc_free(r);
    return text;
}

char *body_text_of_rtf(TALLOC_CTX *arena, struct blob rtf)
{
    char *text = content(arena, rtf);
    return body_rtf_origin(rtf) == BODY_HTML ? body_text_of_html(arena, text) : text;
}

char *body_html_of_rtf(TALLOC_CTX *arena, struct blob rtf)
{
    char *text = content(arena, rtf);
    return body_rtf_origin(rtf) == BODY_HTML ? body_html_ascii(arena, text) : body_html_of_text(arena, text);
}
