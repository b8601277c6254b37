/* SPDX-License-Identifier: Apache-2.0 */
/* Noise as every form of a body: each becomes each other one, valid and not much larger, and RTF comes out of its
 * compression as it went in. */
#include <stdlib.h>

#include "body/body.h"

static void demand(bool truth)
{
    if (!truth)
        abort();
}

static void check_text(const char *text, size_t from)
{
    demand(utf8_is_valid(text, strlen(text)));
    demand(strlen(text) <= 64 * from + 4096);
}

static void check_rtf(TALLOC_CTX *arena, struct blob rtf)
{
    struct blob again;
    demand(body_rtf_decompress(arena, body_rtf_compress(arena, rtf), &again) == ecNone);
    demand(blob_equal(rtf, again));
    check_text(body_text_of_rtf(arena, rtf), rtf.size);
    check_text(body_html_of_rtf(arena, rtf), rtf.size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct blob input = BLOB_OF(data, size);
    const char *text = utf8_of_codepage(arena, 65001, data, size);
    struct blob rtf;
    check_rtf(arena, input);
    if (!body_rtf_decompress(arena, input, &rtf))
        check_rtf(arena, rtf);
    check_rtf(arena, body_rtf_of_html(arena, text));
    check_rtf(arena, body_rtf_of_text(arena, text));
    check_text(body_text_of_html(arena, body_html_of_text(arena, text)), size);
    talloc_free(arena);
    return 0;
}
