/* SPDX-License-Identifier: Apache-2.0 */
#include "mime/mbox.h"

#include <stdlib.h>

struct mbox {
    FILE *file;
    char *line; /* getline's */
    size_t room;
    ssize_t length; /* of a From line that was read ahead; -1: none, or the end */
    uint64_t position;
    bool started;
};

static int mbox_free(struct mbox *mbox)
{
    free(mbox->line);
    return 0;
}

struct mbox *mbox_new(TALLOC_CTX *owner, FILE *file)
{
    struct mbox *mbox = talloc_zero(owner, struct mbox);
    mbox->file = file;
    mbox->length = -1;
    talloc_set_destructor(mbox, mbox_free);
    return mbox;
}

uint64_t mbox_position(const struct mbox *mbox)
{
    return mbox->position;
}

static bool next_line(struct mbox *mbox)
{
    mbox->length = getline(&mbox->line, &mbox->room, mbox->file);
    mbox->position += mbox->length > 0 ? (uint64_t)mbox->length : 0;
    return mbox->length >= 0;
}

static bool is_from_line(const char *line)
{
    return strncmp(line, "From ", 5) == 0;
}

static void add_line(struct buf *message, const char *line, size_t length)
{
    const size_t quotes = strspn(line, ">");
    const size_t skip = quotes && is_from_line(line + quotes) ? 1 : 0;
    while (length > skip && strchr("\r\n", line[length - 1]) && line[length - 1])
        length--;
    buf_add(message, line + skip, length - skip);
    buf_add(message, "\r\n", 2);
}

/* A message begins behind a From line, which stands at the beginning or behind an empty line; that empty line is the
 * separator's. */
bool mbox_next(TALLOC_CTX *arena, struct mbox *mbox, struct blob *message)
{
    struct buf text;
    bool empty = true, any = false;
    buf_init(&text, arena);
    if (!mbox->started)
        while (next_line(mbox) && !is_from_line(mbox->line))
            continue;
    mbox->started = true;
    if (mbox->length < 0)
        return false;
    while (next_line(mbox) && !(empty && any && is_from_line(mbox->line))) {
        empty = mbox->line[0] == '\n' || mbox->line[0] == '\r';
        any = true;
        add_line(&text, mbox->line, (size_t)mbox->length);
    }
    if (empty && text.size >= 4 && memcmp(text.data + text.size - 4, "\r\n\r\n", 4) == 0)
        text.size -= 2;
    *message = buf_blob(&text);
    return true;
}
