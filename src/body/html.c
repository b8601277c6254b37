/* SPDX-License-Identifier: Apache-2.0 */
/* HTML as plain text, for messages that come with nothing else.  libxml2 calls for each tag and each text; no tree
 * is built. */
#include "body/internal.h"

#include <libxml/HTMLparser.h>

enum {
    NESTING_MAX = 500,
    LIST_INDENT = 2,
    HTML_TEXT_MAX = 2 * 1024 * 1024, /* bytes of HTML that are read for a plain text */
};

struct layout {
    struct buf out;
    htmlParserCtxtPtr parser;
    unsigned depth, hidden, preformatted, lists;
    unsigned breaks; /* line breaks that are due before the next text */
    bool space;      /* and a blank */
    char *link;      /* of the <a> that is open */
    size_t link_at;  /* where its text begins */
};

/* How an element is laid out: line breaks before and after it. */
static const struct element {
    const char *name;
    uint8_t breaks;
    bool hidden;
} elements[] = {
    { "p", 2, false },       { "h1", 2, false },      { "h2", 2, false },         { "h3", 2, false },
    { "h4", 2, false },      { "h5", 2, false },      { "h6", 2, false },         { "ul", 1, false },
    { "ol", 1, false },      { "dl", 1, false },      { "blockquote", 2, false }, { "pre", 2, false },
    { "table", 1, false },   { "tr", 1, false },      { "div", 1, false },        { "li", 1, false },
    { "dt", 1, false },      { "dd", 1, false },      { "center", 1, false },     { "form", 1, false },
    { "address", 1, false }, { "section", 1, false }, { "article", 1, false },    { "header", 1, false },
    { "footer", 1, false },  { "caption", 1, false }, { "fieldset", 1, false },   { "legend", 1, false },
    { "body", 0, false },    { "script", 0, true },   { "style", 0, true },       { "title", 0, true },
    { "head", 0, true },     { "noframes", 0, true }, { "template", 0, true },    { "object", 0, false },
};

static const struct element *element_named(const char *name)
{
    for (size_t i = 0; i < COUNTOF(elements); i++)
        if (strcasecmp(name, elements[i].name) == 0)
            return &elements[i];
    return NULL;
}

static void put_breaks(struct layout *l)
{
    for (; l->out.size && l->breaks; l->breaks--)
        buf_add(&l->out, "\n", 1);
    l->breaks = 0;
    if (l->out.size && l->out.data[l->out.size - 1] != '\n')
        return;
    l->space = false;
    for (unsigned i = 0; i < MIN(l->lists, 8u) * LIST_INDENT; i++)
        buf_add(&l->out, " ", 1);
}

static void put(struct layout *l, const char *text, size_t length)
{
    put_breaks(l);
    if (l->space)
        buf_add(&l->out, " ", 1);
    l->space = false;
    buf_add(&l->out, text, length);
}

static void want_breaks(struct layout *l, unsigned breaks)
{
    l->breaks = MAX(l->breaks, breaks);
    l->space = false;
}

static const char *attribute(const xmlChar **attributes, const char *name)
{
    for (; attributes && attributes[0]; attributes += 2)
        if (strcasecmp((const char *)attributes[0], name) == 0)
            return (const char *)attributes[1];
    return NULL;
}

static void open_link(struct layout *l, const xmlChar **attributes)
{
    const char *target = attribute(attributes, "href");
    TALLOC_FREE(l->link);
    if (target &&
        (text_is_prefix(target, "http:") || text_is_prefix(target, "https:") || text_is_prefix(target, "mailto:"))) {
        l->link = text_line(l->out.owner, target);
        l->link_at = l->out.size;
    }
}

/* "text <https://...>", unless the text is the address already. */
static void close_link(struct layout *l)
{
    char *link = l->link;
    l->link = NULL;
    if (!link)
        return;
    const char *shown = text_is_prefix(link, "mailto:") ? link + strlen("mailto:") : link;
    const size_t length = strlen(shown);
    const size_t size = l->out.size - l->link_at;
    const bool said = size && memmem(l->out.data + l->link_at, size, shown, length);
    if (size && !said) {
        l->space = true;
        put(l, "<", 1);
        put(l, link, strlen(link));
        put(l, ">", 1);
    }
    talloc_free(link);
}

static void on_cell(struct layout *l)
{
    if (l->out.size && !l->breaks && l->out.data[l->out.size - 1] != '\n')
        put(l, "\t", 1);
    l->space = false;
}

static void on_open_inline(struct layout *l, const char *name, const xmlChar **attributes)
{
    const char *alt = attribute(attributes, "alt");
    if (strcasecmp(name, "br") == 0) {
        put_breaks(l);
        l->breaks = 1;
    } else if (strcasecmp(name, "hr") == 0) {
        want_breaks(l, 1);
        put(l, "________________________________", 32);
        want_breaks(l, 1);
    } else if (strcasecmp(name, "a") == 0)
        open_link(l, attributes);
    else if (strcasecmp(name, "td") == 0 || strcasecmp(name, "th") == 0)
        on_cell(l);
    else if (strcasecmp(name, "img") == 0 && alt && *alt) {
        const char *text = text_line(l->out.owner, alt);
        put(l, text, strlen(text));
    }
}

static void on_open(void *arg, const xmlChar *xml_name, const xmlChar **attributes)
{
    struct layout *l = arg;
    const char *name = (const char *)xml_name;
    const struct element *e = element_named(name);
    if (++l->depth > NESTING_MAX) { /* closing tags search through all that is open */
        xmlStopParser(l->parser);
        return;
    }
    l->hidden += e && e->hidden;
    if (l->hidden)
        return;
    if (e)
        want_breaks(l, e->breaks);
    else
        on_open_inline(l, name, attributes);
    l->preformatted += strcasecmp(name, "pre") == 0;
    l->lists += strcasecmp(name, "ul") == 0 || strcasecmp(name, "ol") == 0;
    if (strcasecmp(name, "li") == 0) {
        put(l, "* ", 2);
        l->space = false;
    }
}

static void on_close(void *arg, const xmlChar *xml_name)
{
    struct layout *l = arg;
    const char *name = (const char *)xml_name;
    const struct element *e = element_named(name);
    l->depth -= l->depth > 0;
    if (strcasecmp(name, "a") == 0)
        close_link(l);
    if (strcasecmp(name, "ul") == 0 || strcasecmp(name, "ol") == 0)
        l->lists -= l->lists > 0;
    if (strcasecmp(name, "pre") == 0)
        l->preformatted -= l->preformatted > 0;
    if (e && !l->hidden)
        want_breaks(l, e->breaks);
    if (e && e->hidden)
        l->hidden -= l->hidden > 0;
}

static void on_preformatted(struct layout *l, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (text[i] == '\n') {
            put_breaks(l);
            l->breaks++;
        } else if (text[i] != '\r')
            put(l, text + i, 1);
}

/* Blanks between words count as one, a no-break space is one of its own. */
static void on_text(void *arg, const xmlChar *xml_text, int size)
{
    struct layout *l = arg;
    const char *text = (const char *)xml_text;
    const size_t length = (size_t)size;
    if (l->hidden || size <= 0)
        return;
    if (l->preformatted) {
        on_preformatted(l, text, length);
        return;
    }
    for (size_t i = 0, word; i < length; i += word) {
        if (strchr(" \t\r\n\f", text[i])) {
            l->space = true;
            word = 1;
            continue;
        }
        for (word = 1; i + word < length && !strchr(" \t\r\n\f", text[i + word]); word++)
            continue;
        put(l, text + i, word);
    }
}

/* No-break spaces become blanks, a line's last ones go, and it ends with CR LF. */
static char *tidied(TALLOC_CTX *owner, const char *text)
{
    size_t breaks = 0;
    for (const char *at = text; *at; at++)
        breaks += *at == '\n';
    char *lines = talloc_array(owner, char, strlen(text) + breaks + 1), *end = lines;
    for (const char *at = text; *at; at++) {
        const bool no_break = (uint8_t)at[0] == 0xC2 && (uint8_t)at[1] == 0xA0;
        while (*at == '\n' && end > lines && end[-1] == ' ')
            end--;
        if (*at == '\n')
            *end++ = '\r';
        at += no_break;
        *end++ = no_break ? ' ' : *at;
    }
    *end = 0;
    return lines;
}

char *body_text_of_html(TALLOC_CTX *owner, const char *html)
{
    htmlSAXHandler handler = { .startElement = on_open,
                               .endElement = on_close,
                               .characters = on_text,
                               .ignorableWhitespace = on_text,
                               .cdataBlock = NULL };
    TALLOC_CTX *arena = talloc_new(owner);
    struct layout l = { 0 };
    const size_t length = MIN(strlen(html), (size_t)HTML_TEXT_MAX);
    buf_init(&l.out, arena);
    l.parser = htmlCreatePushParserCtxt(&handler, &l, NULL, 0, NULL, XML_CHAR_ENCODING_UTF8);
    if (l.parser) {
        htmlCtxtUseOptions(l.parser, HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET |
                                         HTML_PARSE_IGNORE_ENC);
        htmlParseChunk(l.parser, html, (int)length, 1);
        xmlFreeDoc(l.parser->myDoc);
        htmlFreeParserCtxt(l.parser);
    }
    buf_add(&l.out, "", 1);
    char *text = tidied(owner, (const char *)l.out.data);
    talloc_free(arena);
    return text;
}
