/* SPDX-License-Identifier: Apache-2.0 */
/* Noise as HTTP requests: every message means the same however it is cut into pieces, and what is read from it by the
 * helpers stays inside it.  The first byte of the input chooses where to cut. */
#include <stdlib.h>

#include "http/http.h"

struct heard {
    enum http_event last;
    unsigned status;
    size_t left;
    struct buf body;
    const struct http_head *head;
};

static struct heard hear(TALLOC_CTX *arena, struct blob all, size_t step)
{
    struct heard heard = { .last = HTTP_MORE };
    struct http_parser *parser = http_parser_new(arena, &http_default_limits);
    buf_init(&heard.body, arena);
    while (all.size && heard.last != HTTP_END && heard.last != HTTP_BAD) {
        struct blob in = { all.data, MIN(step, all.size) }, piece;
        const size_t given = in.size;
        while ((heard.last = http_parse(parser, &in, &piece)) == HTTP_HEAD || heard.last == HTTP_BODY)
            if (heard.last == HTTP_BODY)
                buf_add(&heard.body, piece.data, piece.size);
            else
                heard.head = http_parser_head(parser);
        all.data += given - in.size;
        all.size -= given - in.size;
    }
    heard.status = http_parser_status(parser);
    heard.left = heard.last == HTTP_BAD ? 0 : all.size;
    return heard;
}

static void demand(bool truth)
{
    if (!truth)
        abort();
}

static void read_head(TALLOC_CTX *arena, const struct http_head *head)
{
    demand(head->path[0] == '/' || strcmp(head->path, "*") == 0);
    demand(!strstr(head->path, "//") && !strstr(head->path, "/../"));
    demand(utf8_is_valid(head->path, strlen(head->path)));
    for (size_t i = 0; i < head->headers.count; i++) {
        const struct http_header *header = &head->headers.list[i];
        demand(*header->name && utf8_is_valid(header->value, strlen(header->value)));
        http_header_has(&head->headers, header->name, "close");
        http_cookie(arena, &head->headers, header->name);
        http_query(arena, head->query, header->name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob all = { data + 1, size - 1 };
    struct heard whole = hear(arena, all, all.size), cut = hear(arena, all, 1 + data[0] % 64u);
    demand(whole.last == cut.last && whole.status == cut.status && whole.left == cut.left);
    demand(blob_equal(buf_blob(&whole.body), buf_blob(&cut.body)));
    demand(!whole.head == !cut.head);
    if (whole.head) {
        demand(strcmp(whole.head->target, cut.head->target) == 0);
        read_head(arena, whole.head);
    }
    talloc_free(arena);
    return 0;
}
