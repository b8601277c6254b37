/* SPDX-License-Identifier: Apache-2.0 */
/* Making HTML of text, and RTF of both.  [MS-OXRTFEX] 2.1.3
 *
 * HTML goes into RTF whole: tags, comments and references lie in groups that only who takes the HTML out again looks
 * at, and what stands for them in the RTF lies between \htmlrtf and \htmlrtf0, which only the others look at. */
#include "body/internal.h"

/* [MS-OXRTFEX] 2.1.3.1.4: type in the high bits, which a reader may ignore. */
#define TAG_TEXT "{\\*\\htmltag84 "
#define TAG_MARKUP "{\\*\\htmltag240 "

/* One character from UTF-8, which is valid, and its length. */
static uint32_t take_character(const char **at)
{
    const uint8_t *p = (const uint8_t *)*at;
    const unsigned more = p[0] < 0x80 ? 0 : p[0] < 0xE0 ? 1 : p[0] < 0xF0 ? 2 : 3;
    uint32_t c = more ? p[0] & (0x3F >> more) : p[0];
    for (unsigned i = 1; i <= more; i++)
        c = c << 6 | (p[i] & 0x3F);
    *at += more + 1;
    return c;
}

static void put(struct buf *out, const char *text)
{
    buf_add(out, text, strlen(text));
}

static char *finished(struct buf *out)
{
    buf_add(out, "", 1);
    return (char *)out->data;
}

/* utf8_start() keeps a cut from falling into a character. */
static const char *bounded(TALLOC_CTX *arena, const char *text)
{
    const size_t size = strnlen(text, BODY_SOURCE_MAX + 1);
    if (size <= BODY_SOURCE_MAX && utf8_is_valid(text, size))
        return text;
    char *start = talloc_strndup(arena, text, utf8_start(text, MIN(size, (size_t)BODY_SOURCE_MAX)));
    return utf8_is_valid(start, strlen(start)) ? start : utf8_of_charset(arena, "utf-8", start, strlen(start));
}

/* ---- HTML ---- */

char *body_html_ascii(TALLOC_CTX *arena, const char *html)
{
    struct buf out;
    buf_init(&out, arena);
    for (const char *at = bounded(arena, html); *at;) {
        const char *from = at;
        const uint32_t c = take_character(&at);
        if (c < 0x80)
            buf_add(&out, from, 1);
        else
            buf_printf(&out, "&#%u;", c);
    }
    return finished(&out);
}

/* Of several blanks all but the last must not collapse. */
static void put_blank(struct buf *out, const char *at)
{
    put(out, at[1] == ' ' || at[1] == '\t' ? "&nbsp;" : " ");
}

char *body_html_of_text(TALLOC_CTX *arena, const char *text)
{
    static const struct {
        char c;
        const char *written;
    } written[] = { { '<', "&lt;" }, { '>', "&gt;" }, { '&', "&amp;" }, { '\n', "<br>\r\n" }, { '\r', "" } };
    struct buf out;
    buf_init(&out, arena);
    put(&out,
        "<html><head><meta http-equiv=\"Content-Type\" content=\"text/html; charset=us-ascii\"></head>\r\n<body>\r\n");
    for (const char *at = bounded(arena, text); *at;) {
        const char *from = at, *instead = NULL;
        const uint32_t c = take_character(&at);
        for (size_t i = 0; i < COUNTOF(written); i++)
            if ((uint32_t)written[i].c == c)
                instead = written[i].written;
        if (instead)
            put(&out, instead);
        else if (c == ' ' || c == '\t')
            put_blank(&out, from);
        else if (c < 0x80)
            buf_add(&out, from, 1);
        else
            buf_printf(&out, "&#%u;", c);
    }
    put(&out, "\r\n</body></html>\r\n");
    return finished(&out);
}

/* ---- RTF ---- */

static void put_unit(struct buf *out, unsigned unit)
{
    buf_printf(out, "\\u%d?", (int)(int16_t)unit);
}

/* A character of text.  A line break is written by who knows what it means. */
static void put_rtf(struct buf *out, uint32_t c)
{
    if (c == '\\' || c == '{' || c == '}')
        buf_printf(out, "\\%c", (char)c);
    else if (c == '\t')
        put(out, "\\tab ");
    else if (c >= 0x10000) {
        put_unit(out, 0xD800 + ((c - 0x10000) >> 10));
        put_unit(out, 0xDC00 + (c & 0x3FF));
    } else if (c >= 0x80)
        put_unit(out, c);
    else if (c >= 0x20)
        buf_add(out, &(char){ (char)c }, 1);
}

struct blob body_rtf_of_text(TALLOC_CTX *arena, const char *text)
{
    struct buf out;
    buf_init(&out, arena);
    put(&out, "{\\rtf1\\ansi\\ansicpg1252\\fromtext \\deff0{\\fonttbl{\\f0\\fmodern Courier New;}}\r\n"
              "\\uc1\\pard\\plain\\f0\\fs20 ");
    for (const char *at = bounded(arena, text); *at;) {
        const uint32_t c = take_character(&at);
        if (c == '\n')
            put(&out, "\\par\r\n");
        else
            put_rtf(&out, c);
    }
    put(&out, "}");
    return buf_blob(&out);
}

struct encapsulation {
    struct buf out;
    const char *at;
    bool in_head;
};

static void put_markup(struct encapsulation *e, const char *group, const char *end)
{
    put(&e->out, group);
    while (e->at < end) {
        const uint32_t c = take_character(&e->at);
        if (c == '\n')
            put(&e->out, "\\par ");
        else
            put_rtf(&e->out, c);
    }
    put(&e->out, "}");
}

static bool tag_is(const char *tag, const char *name)
{
    const size_t length = strlen(name);
    return strncasecmp(tag, name, length) == 0 && strchr(" \t\r\n/>", tag[length]);
}

static const char *behind(const char *at, const char *what)
{
    const char *found = strcasestr(at, what);
    return found ? found + strlen(what) : at + strlen(at);
}

/* A tag ends at its '>', but not inside of a value in quotes. */
static const char *tag_end(const char *at)
{
    char quote = 0;
    for (; *at; at++)
        if (quote)
            quote = *at == quote ? 0 : quote;
        else if (*at == '"' || *at == '\'')
            quote = *at;
        else if (*at == '>')
            return at + 1;
    return at;
}

/* A tag, a comment, or a script or style sheet with all that is in it. */
static const char *markup_end(const char *at)
{
    if (strncmp(at, "<!--", 4) == 0)
        return behind(at, "-->");
    if (tag_is(at + 1, "script"))
        return tag_end(behind(at, "</script"));
    if (tag_is(at + 1, "style"))
        return tag_end(behind(at, "</style"));
    return tag_end(at);
}

static bool breaks_line(const char *tag)
{
    static const char *const names[] = { "<br",  "</p",  "</div", "</tr",  "</li", "</h1", "</h2",    "</h3",
                                         "</h4", "</h5", "</h6",  "</pre", "</ul", "</ol", "</table", "<hr" };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (tag_is(tag, names[i]))
            return true;
    return false;
}

static void on_markup(struct encapsulation *e)
{
    const char *tag = e->at;
    if (tag_is(tag, "<head"))
        e->in_head = true;
    if (tag_is(tag, "</head") || tag_is(tag, "<body"))
        e->in_head = false;
    put_markup(e, TAG_MARKUP, markup_end(tag));
    if (!e->in_head && breaks_line(tag))
        put(&e->out, "\\htmlrtf \\par \\htmlrtf0 ");
}

/* What the references mean that letters are full of; the RTF leaves out the others. */
static const char *meaning(const char *reference)
{
    static const struct {
        const char *reference, *rtf;
    } known[] = { { "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" }, { "&nbsp;", "\\~" } };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (strncmp(reference, known[i].reference, strlen(known[i].reference)) == 0)
            return known[i].rtf;
    return NULL;
}

static void put_number(struct buf *out, const char *reference)
{
    uint32_t c = 0;
    for (const char *at = reference + 2; *at >= '0' && *at <= '9' && c < 0x110000; at++)
        c = c * 10 + (uint32_t)(*at - '0');
    if (c < 0x110000 && (c & 0xFFFFF800) != 0xD800)
        put_rtf(out, c);
}

static void on_reference(struct encapsulation *e)
{
    const char *reference = e->at;
    const size_t length = 1 + strspn(reference + 1, "#0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    put_markup(e, TAG_TEXT, reference + length + (reference[length] == ';'));
    put(&e->out, "\\htmlrtf ");
    if (reference[1] == '#')
        put_number(&e->out, reference);
    else if (meaning(reference))
        put(&e->out, meaning(reference));
    put(&e->out, "\\htmlrtf0 ");
}

static void on_line_break(struct encapsulation *e)
{
    put(&e->out, TAG_TEXT "\\par }\\htmlrtf  \\htmlrtf0 ");
    e->at++;
}

/* Text up to the next tag; where nobody is meant to read it, it is markup. */
static void on_text(struct encapsulation *e)
{
    const char *end = e->at + strcspn(e->at, "<");
    if (e->in_head) {
        put_markup(e, TAG_MARKUP, end);
        return;
    }
    while (e->at < end)
        if (*e->at == '&')
            on_reference(e);
        else if (*e->at == '\n')
            on_line_break(e);
        else
            put_rtf(&e->out, take_character(&e->at));
}

struct blob body_rtf_of_html(TALLOC_CTX *arena, const char *html)
{
    struct encapsulation e = { .at = bounded(arena, html) };
    buf_init(&e.out, arena);
    put(&e.out, "{\\rtf1\\ansi\\ansicpg1252\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fswiss Arial;}}\r\n"
                "{\\colortbl\\red0\\green0\\blue0;}\r\n\\uc1\\pard\\plain\\deftab360 \\f0\\fs20 {\\*\\htmltag64}\r\n");
    while (*e.at)
        if (*e.at == '<')
            on_markup(&e);
        else
            on_text(&e);
    put(&e.out, "}");
    return buf_blob(&e.out);
}
