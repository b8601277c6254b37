/* SPDX-License-Identifier: Apache-2.0 */
/* The bodies of a message: it keeps what was written last, and each other form is made of that when somebody asks.
 * [MS-OXBBODY], [MS-OXCMSG] 2.2.1.58 */
#include "body/body.h"
#include "store/message.h"

enum { UTF8_CODEPAGE = 65001, WESTERN_CODEPAGE = 1252 };
/* A table's cell shows the beginning alone, and so much of a body has it. */
enum { CELL_LIMIT = 4096, CELL_SOURCE = 128 * 1024 };

static const struct {
    uint32_t tag;
    enum body_form form, made_of[2]; /* the first that there is */
} bodies[] = {
    { PidTagHtml, BODY_HTML, { BODY_RTF, BODY_PLAIN } },
    { PidTagRtfCompressed, BODY_RTF, { BODY_HTML, BODY_PLAIN } },
    { PidTagBody, BODY_PLAIN, { BODY_HTML, BODY_RTF } },
};

static enum body_form form_of(uint32_t tag)
{
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        if (PROP_ID(bodies[i].tag) == PROP_ID(tag))
            return bodies[i].form;
    return BODY_UNDEFINED;
}

static uint32_t tag_of(enum body_form form)
{
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        if (bodies[i].form == form)
            return bodies[i].tag;
    return 0;
}

/* What the body of this form would be made of; BODY_UNDEFINED: there is no other. */
static enum body_form source_of(const struct item *item, enum body_form form)
{
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        for (size_t k = 0; bodies[i].form == form && k < COUNTOF(bodies[i].made_of); k++)
            if (item_has(item, tag_of(bodies[i].made_of[k])))
                return bodies[i].made_of[k];
    return BODY_UNDEFINED;
}

bool message_body_is_made(const struct item *item, uint32_t tag)
{
    const enum body_form form = form_of(tag);
    return form && !item_has(item, tag) && source_of(item, form);
}

uint32_t message_native_body(const struct item *item)
{
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        if (item_has(item, bodies[i].tag))
            return bodies[i].form;
    return BODY_UNDEFINED;
}

/* [MS-OXBBODY] 2.1.3.1: who asks for some of the bodies is told the best of those. */
void message_native_body_asked(const struct item *item, const uint32_t *tags, uint32_t count, struct prop *values)
{
    struct prop *native = NULL;
    unsigned asked = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (values[i].tag == PidTagNativeBody)
            native = &values[i];
        asked |= 1u << form_of(tags[i]);
    }
    if (!native || asked <= 1u << BODY_UNDEFINED || asked & 1u << native->u32 || !native->u32)
        return;
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        if (asked & 1u << bodies[i].form && message_body_is_made(item, bodies[i].tag)) {
            native->u32 = bodies[i].form;
            return;
        }
}

/* ---- made of each other ---- */

unsigned message_html_codepage(uint32_t codepage, struct blob html)
{
    if (codepage && codepage_known(codepage))
        return codepage;
    return utf8_is_valid(html.data, html.size) ? UTF8_CODEPAGE : WESTERN_CODEPAGE;
}

static struct prop of_html(TALLOC_CTX *arena, uint32_t codepage, struct blob bytes, enum body_form wanted)
{
    const char *html = utf8_of_codepage(arena, message_html_codepage(codepage, bytes), bytes.data, bytes.size);
    if (wanted == BODY_PLAIN)
        return P_STR(PidTagBody, body_text_of_html(arena, html));
    return P_BIN(PidTagRtfCompressed, body_rtf_compress(arena, body_rtf_of_html(arena, html)));
}

static struct prop of_rtf(TALLOC_CTX *arena, struct blob compressed, enum body_form wanted)
{
    struct blob rtf;
    const enum ec ec = body_rtf_decompress(arena, compressed, &rtf);
    if (ec)
        return P_ERR(tag_of(wanted), ecNotFound);
    if (wanted == BODY_PLAIN)
        return P_STR(PidTagBody, body_text_of_rtf(arena, rtf));
    const char *html = body_html_of_rtf(arena, rtf);
    return P_BIN(PidTagHtml, BLOB_OF(html, strlen(html)));
}

static struct prop of_text(TALLOC_CTX *arena, const char *text, enum body_form wanted)
{
    if (wanted == BODY_RTF)
        return P_BIN(PidTagRtfCompressed, body_rtf_compress(arena, body_rtf_of_text(arena, text)));
    const char *html = body_html_of_text(arena, text);
    return P_BIN(PidTagHtml, BLOB_OF(html, strlen(html)));
}

void message_body_make(TALLOC_CTX *arena, const struct message_view *v, uint32_t codepage, uint32_t tag, size_t limit,
                       bool cut, struct prop *out)
{
    const enum body_form wanted = form_of(tag), form = source_of(v->item, wanted);
    const size_t size = cut && limit <= CELL_LIMIT ? CELL_SOURCE : BODY_SOURCE_MAX;
    TALLOC_CTX *scratch = talloc_new(arena);
    struct prop source;
    item_get(scratch, v->st, v->item, tag_of(form), size, true, &source);
    if (PROP_TYPE(source.tag) == PtypErrorCode)
        *out = P_ERR(tag, source.u32);
    else if (form == BODY_HTML)
        *out = of_html(arena, codepage, source.bin, wanted);
    else if (form == BODY_RTF)
        *out = of_rtf(arena, source.bin, wanted);
    else
        *out = of_text(arena, source.str, wanted);
    talloc_free(scratch);
    item_convert(arena, tag, limit, cut, out);
}

/* ---- written ---- */

/* Bodies that are written between two saves belong together; those that were stored before are of another text, and
 * so is what was said about them.  [MS-OXCMSG] 2.2.1.58 */
void message_body_written(struct store_message *m, uint32_t tag)
{
    static const uint32_t about[] = { PidTagNativeBody, PidTagRtfInSync };
    if (!form_of(tag))
        return;
    for (size_t i = 0; i < COUNTOF(bodies); i++)
        if (!item_changed(&m->item, bodies[i].tag) && item_has(&m->item, bodies[i].tag))
            item_remove(&m->item, bodies[i].tag);
    for (size_t i = 0; i < COUNTOF(about); i++)
        if (!item_changed(&m->item, about[i]) && item_has(&m->item, about[i]))
            item_remove(&m->item, about[i]);
}
