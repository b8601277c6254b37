/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "base/base.h"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static FILE *log_file;                                     /* NULL: stderr */
static enum log_level log_at_most = LOG_INFO;

void log_to(FILE *file, enum log_level at_most)
{
    pthread_mutex_lock(&lock);
    log_file = file;
    __atomic_store_n(&log_at_most, at_most, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&lock);
}

/* U+0080..U+009F stand as C2 80..C2 9F, and terminals obey some of them as they obey ESC. */
static bool is_control(const char *p)
{
    const unsigned char c = (unsigned char)p[0], next = (unsigned char)p[1];
    return c < 0x20 || c == 0x7F || (c == 0xC2 && next >= 0x80 && next <= 0x9F);
}

/* What a client sent can stand in the text: it must not be able to forge a line of its own. */
static void add_escaped(struct buf *line, const char *text)
{
    for (const char *p = text; *p; p++) {
        if (is_control(p))
            buf_printf(line, "\\x%02x", (unsigned char)*p);
        else
            buf_add(line, p, 1);
    }
}

bool log_is_on(enum log_level level)
{
    return level <= __atomic_load_n(&log_at_most, __ATOMIC_RELAXED);
}

void log_line(enum log_level level, const char *subject, const char *format, ...)
{
    static const char *const names[] = { "error", "warning", "info", "debug" };
    if (!log_is_on(level))
        return;

    TALLOC_CTX *arena = talloc_new(NULL);
    va_list args;
    va_start(args, format);
    const char *text = talloc_vasprintf(arena, format, args);
    va_end(args);

    struct buf line;
    buf_init(&line, arena);
    buf_printf(&line, "%s %s ", filetime_text(arena, filetime_now()), names[level]);
    add_escaped(&line, subject);
    buf_add(&line, ": ", 2);
    add_escaped(&line, text ? text : "");
    buf_add(&line, "\n", 1);

    pthread_mutex_lock(&lock);
    FILE *file = log_file ? log_file : stderr;
    fwrite(line.data, 1, line.size, file);
    fflush(file);
    pthread_mutex_unlock(&lock);
    talloc_free(arena);
}
