/* SPDX-License-Identifier: Apache-2.0 */
/* Noise as mail: it becomes a letter of valid text, the letter survives being packed, and what is written from it is
 * read again. */
#include <stdlib.h>

#include "mime/mime.h"

static void demand(bool truth)
{
    if (!truth)
        abort();
}

static void check_props(const struct letter_props *props)
{
    for (uint32_t i = 0; i < props->count; i++)
        if (PROP_TYPE(props->values[i].tag) == PtypString)
            demand(utf8_is_valid(props->values[i].str, strlen(props->values[i].str)));
    for (uint32_t i = 0; i < props->named_count; i++)
        if (PROP_TYPE(props->named[i].value.tag) == PtypString)
            demand(utf8_is_valid(props->named[i].value.str, strlen(props->named[i].value.str)));
}

static void check(const struct letter *letter)
{
    check_props(&letter->props);
    for (uint32_t i = 0; i < letter->recipient_count; i++)
        check_props(&letter->recipients[i]->props);
    for (uint32_t i = 0; i < letter->attachment_count; i++) {
        check_props(&letter->attachments[i]->props);
        if (letter->attachments[i]->embedded)
            check(letter->attachments[i]->embedded);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct letter *letter, *again;
    struct blob written;
    demand(mime_read(arena, BLOB_OF(data, size), NULL, &letter) == ecNone);
    check(letter);
    demand(letter_unpack(arena, letter_pack(arena, letter), &again) == ecNone);
    demand(letter_size(letter) == letter_size(again));
    demand(mime_write(arena, letter, &written) == ecNone);
    demand(mime_read(arena, written, NULL, &again) == ecNone);
    check(again);
    letter_unpack(arena, BLOB_OF(data, size), &again);
    talloc_free(arena);
    return 0;
}
