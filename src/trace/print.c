/* SPDX-License-Identifier: Apache-2.0 */
/* A ROP or a call as text.  One line is the readable form of its structures with the line breaks taken out. */
#include "trace/trace.h"

enum { LINE_MAX = 400 }; /* bytes of a request's or an answer's fields in a line */

static struct wire_style style_of(const struct trace_style *style, const struct wire_names *names)
{
    return (struct wire_style){ style->content ? WIRE_ALL : WIRE_MASKED, names };
}

/* "    FolderId: 7\n" becomes " FolderId=7". */
static void put_in_line(struct buf *text, const struct buf *lines)
{
    const size_t begin = text->size;
    const char *at = (const char *)lines->data, *end = at + lines->size;
    while (at < end && text->size - begin < LINE_MAX) {
        const char *next = memchr(at, '\n', (size_t)(end - at));
        next = next ? next : end;
        at += strspn(at, " ");
        const char *colon = at < next ? memmem(at, (size_t)(next - at), ": ", 2) : NULL;
        buf_add(text, " ", 1);
        if (colon && colon + 2 < next) {
            buf_add(text, at, (size_t)(colon - at));
            buf_add(text, "=", 1);
            at = colon + 2;
        }
        buf_add(text, at, MIN((size_t)(next - at), (size_t)LINE_MAX));
        text->size -= text->data[text->size - 1] == ' ';
        at = next + 1;
    }
    if (at < end)
        buf_printf(text, " ...");
}

static void put_fields(struct buf *text, const struct trace_style *style, const struct wire_names *names,
                       const struct wire_struct *form, const void *self)
{
    const struct wire_style shown = style_of(style, names);
    if (style->verbose) {
        wire_dump_styled(text, &shown, form, self, 2);
        return;
    }
    TALLOC_CTX *arena = talloc_new(NULL);
    struct buf lines;
    buf_init(&lines, arena);
    wire_dump_styled(&lines, &shown, form, self, 0);
    buf_add(&lines, "", 1);
    lines.size--;
    put_in_line(text, &lines);
    talloc_free(arena);
}

/* One line, or a heading above the fields. */
static void put_part(struct buf *text, const struct trace_style *style, const struct wire_names *names,
                     const struct wire_struct *form, const void *self)
{
    if (style->verbose)
        buf_printf(text, "\n");
    if (form && self)
        put_fields(text, style, names, form, self);
}

static void put_indexes(struct buf *text, const struct rop_request *q)
{
    static const char *const arrows[] = { [ROP_I] = "", [ROP_IO] = ">", [ROP_O] = "", [ROP_SD] = "+", [ROP_RI] = "<" };
    buf_printf(text, "%s [%u", q->rop->name, q->index);
    if (*arrows[q->rop->indexes])
        buf_printf(text, "%s%u", arrows[q->rop->indexes], q->other);
    buf_printf(text, "]");
}

static const struct wire_struct *answer_form(const struct rop_response *answer)
{
    return answer->rop->failure && answer->code == answer->rop->failure_code ? answer->rop->failure : answer->rop->response;
}

static void put_answer(struct buf *text, const struct trace_style *style, const struct trace_rop *r)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct wire_in in = wire_in(arena, r->answer);
    struct rop_response answer = { 0 };
    in.columns = r->columns;
    in.column_count = r->column_count;
    in.codepage = r->codepage;
    const bool good = rop_get_response(&in, r->request->rop, &answer);
    buf_printf(text, style->verbose ? "  = " : " = ");
    if (good)
        buf_printf(text, "%s", ec_name((enum ec)answer.code));
    else
        buf_printf(text, "%zu bytes", r->answer.size);
    put_part(text, style, r->names, good ? answer_form(&answer) : NULL, answer.body);
    talloc_free(arena);
}

static void end_line(struct buf *text)
{
    if (text->data[text->size - 1] != '\n')
        buf_printf(text, "\n");
}

void trace_print_rop(struct buf *text, const struct trace_style *style, const struct trace_rop *r)
{
    put_indexes(text, r->request);
    put_part(text, style, r->names, r->request->rop->request, r->request->body);
    if (r->answer.size)
        put_answer(text, style, r);
    end_line(text);
}

void trace_print_call(struct buf *text, const struct trace_style *style, const struct trace_call *c)
{
    buf_printf(text, "%s", c->type);
    if (c->request)
        put_part(text, style, NULL, c->request_form, c->request);
    if (c->answer) {
        buf_printf(text, style->verbose && c->request ? "  =" : " =");
        put_part(text, style, NULL, c->answer_form, c->answer);
    }
    end_line(text);
}
