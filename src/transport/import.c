/* SPDX-License-Identifier: Apache-2.0 */
/* The mails of an mboxrd file: each begins with a line "From ", and lines of its text that look like one have a '>'
 * before them. */
#include <errno.h>
#include <stdlib.h>

#include "transport/internal.h"

static bool is_quoted_from(const char *line)
{
    const char *c = line + strspn(line, ">");
    return c > line && strncmp(c, "From ", 5) == 0;
}

static enum ec import_one(struct transport *t, const struct account *to, struct blob mail)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct mime_context context = mime_context_of(t);
    struct letter *letter;
    context.received = mime_date(mail);
    enum ec ec = mime_read(arena, mail, &context, &letter);
    if (!ec)
        ec = deliver_letter(t, to, letter, context.received);
    talloc_free(arena);
    return ec;
}

enum ec transport_import_mbox(struct transport *t, const struct account *to, const char *path,
                              void (*progress)(void *arg, uint32_t done), void *arg, uint32_t *count)
{
    FILE *f = fopen(path, "re");
    if (!f) {
        log_line(LOG_ERROR, "import", "cannot read '%s': %s", path, strerror(errno));
        return errno == ENOENT ? ecNotFound : ecAccessDenied;
    }
    TALLOC_CTX *arena = talloc_new(NULL);
    struct buf mail;
    char *line = NULL;
    size_t room = 0;
    enum ec ec = ecNone;
    buf_init(&mail, arena);
    *count = 0;
    for (bool more = true; more && !ec;) {
        const ssize_t n = getline(&line, &room, f);
        more = n > 0;
        if (mail.size && (!more || strncmp(line, "From ", 5) == 0)) {
            ec = import_one(t, to, buf_blob(&mail));
            mail.size = 0;
            *count += !ec;
            if (progress)
                progress(arg, *count);
        }
        if (!more || strncmp(line, "From ", 5) == 0)
            continue;
        const bool quoted = is_quoted_from(line);
        buf_add(&mail, line + quoted, (size_t)n - quoted);
    }
    free(line);
    fclose(f);
    talloc_free(arena);
    return ec;
}
