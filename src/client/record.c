/* SPDX-License-Identifier: Apache-2.0 */
/* A conversation as text: request and answer with their headers, and every structure of the wire field by field. */
#include "client/internal.h"

void client_record(struct client *c, struct buf *text)
{
    c->record = text;
}

void record_line(struct client *c, const char *format, ...)
{
    va_list args;
    if (!c->record)
        return;
    va_start(args, format);
    char *line = talloc_vasprintf(NULL, format, args);
    va_end(args);
    buf_add(c->record, line, strlen(line));
    talloc_free(line);
}

void record_request(struct client *c, const struct http_call *call, const char *type)
{
    if (!c->record)
        return;
    record_line(c, "\n> %s: %s %s\n", type, call->method, call->url);
    for (const char *const *h = call->headers; h && *h; h++)
        record_line(c, ">   %s\n", *h);
}

void record_answer(struct client *c, const struct transfer *t, const char *type)
{
    if (!c->record)
        return;
    record_line(c, "\n< %s: HTTP status %u\n", type, t->status);
    for (size_t i = 0; i < t->header_count; i++)
        record_line(c, "<   %s: %s\n", t->headers[i].name, t->headers[i].value);
}

void record_struct(struct client *c, const struct wire_struct *form, const void *self)
{
    if (!c->record || !form)
        return;
    record_line(c, "  %s\n", form->name);
    wire_dump(c->record, form, self, 2);
}
