/* SPDX-License-Identifier: Apache-2.0 */
#include <libxml/parser.h>

#include "autodiscover/xml.h"

xmlDoc *xml_read(struct blob body)
{
    xmlDoc *doc = body.size ? xmlReadMemory((const char *)body.data, (int)body.size, NULL, NULL,
                                            XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING)
                            : NULL;
    if (!doc || !doc->intSubset)
        return doc;
    xmlFreeDoc(doc);
    return NULL;
}

bool xml_is(const xmlNode *n, const char *ns, const char *name)
{
    return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0 && n->ns &&
           strcmp((const char *)n->ns->href, ns) == 0;
}

xmlNode *xml_child(const xmlNode *parent, const char *ns, const char *name)
{
    for (xmlNode *n = parent ? parent->children : NULL; n; n = n->next)
        if (xml_is(n, ns, name))
            return n;
    return NULL;
}

const char *xml_content(TALLOC_CTX *arena, const xmlNode *n)
{
    xmlChar *raw = xmlNodeGetContent(n);
    char *text = talloc_strdup(arena, raw ? (const char *)raw : "");
    xmlFree(raw);
    char *end = text + strlen(text);
    while (end > text && strchr(" \t\r\n", end[-1]))
        *--end = '\0';
    return text + strspn(text, " \t\r\n");
}

/* Neither the control characters nor U+FFFE and U+FFFF are. */
static bool is_xml(const char *s)
{
    const uint8_t *u = (const uint8_t *)s;
    return (u[0] >= 0x20 && (u[0] != 0xEF || u[1] != 0xBF || u[2] < 0xBE)) || u[0] == '\t';
}

void xml_put_text(struct buf *out, const char *s)
{
    for (; *s; s++)
        switch (*s) {
        case '<': buf_printf(out, "&lt;"); break;
        case '>': buf_printf(out, "&gt;"); break;
        case '&': buf_printf(out, "&amp;"); break;
        case '"': buf_printf(out, "&quot;"); break;
        default:
            if (is_xml(s))
                buf_add(out, s, 1);
            else if ((uint8_t)*s == 0xEF)
                s += 2;
        }
}

void xml_put(struct buf *out, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(out, "<%s>", name);
    xml_put_text(out, value);
    buf_printf(out, "</%s>\n", name);
}
