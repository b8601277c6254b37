/* SPDX-License-Identifier: Apache-2.0 */
/* Noise as a body that somebody has kept: it becomes text or it does not, and the text is one. */
#include <stdlib.h>

#include "trace/trace.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const kinds[] = { NULL, "RopRequests", "RopResponses", "FastTransfer", "ExecuteResponse" };
    TALLOC_CTX *arena = talloc_new(NULL);
    for (size_t i = 0; i < 2 * COUNTOF(kinds); i++) {
        const struct trace_style style = { .verbose = i % 2, .content = i % 3 == 0 };
        struct buf text;
        buf_init(&text, arena);
        if (trace_decode(&text, &style, BLOB_OF(data, size), kinds[i / 2]) && !text.size)
            abort();
    }
    talloc_free(arena);
    return 0;
}
