/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of live traffic, and the text that waits for each. */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "trace/trace.h"

enum { READERS_MAX = 16, TEXT_MAX = 1024 * 1024 };

struct trace_reader {
    struct trace *trace;
    struct trace_reader *next;
    struct guid mailbox;
    struct trace_style style;
    int fd;
    struct buf text;
    size_t taken; /* of it */
    uint64_t lost;
};

struct trace {
    atomic_uint count;
    pthread_mutex_t lock; /* the list and the readers' text */
    struct trace_reader *readers;
};

static int trace_free(struct trace *t)
{
    pthread_mutex_destroy(&t->lock);
    return 0;
}

struct trace *trace_new(TALLOC_CTX *owner)
{
    struct trace *t = talloc_zero(owner, struct trace);
    pthread_mutex_init(&t->lock, NULL);
    talloc_set_destructor(t, trace_free);
    return t;
}

bool trace_is_on(const struct trace *t)
{
    return t && atomic_load_explicit(&t->count, memory_order_relaxed) > 0;
}

struct trace_reader *trace_open(struct trace *t, struct guid mailbox, const struct trace_style *style)
{
    struct trace_reader *r = talloc_zero(NULL, struct trace_reader);
    *r = (struct trace_reader){ .trace = t, .mailbox = mailbox, .style = *style };
    buf_init(&r->text, r);
    pthread_mutex_lock(&t->lock);
    const bool room = t->count < READERS_MAX;
    r->fd = room ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (r->fd >= 0) {
        r->next = t->readers;
        t->readers = r;
        t->count++;
    }
    pthread_mutex_unlock(&t->lock);
    if (r->fd < 0)
        TALLOC_FREE(r);
    return r;
}

void trace_close(struct trace_reader *r)
{
    struct trace *t = r->trace;
    pthread_mutex_lock(&t->lock);
    struct trace_reader **at = &t->readers;
    while (*at != r)
        at = &(*at)->next;
    *at = r->next;
    t->count--;
    pthread_mutex_unlock(&t->lock);
    close(r->fd);
    talloc_free(r);
}

int trace_fd(const struct trace_reader *r)
{
    return r->fd;
}

static uint64_t lines_of(const struct buf *text)
{
    uint64_t lines = 0;
    for (size_t i = 0; i < text->size; i++)
        lines += text->data[i] == '\n';
    return lines;
}

/* With the lock.  What does not fit is counted, and the count goes before what fits again. */
static void give(struct trace_reader *r, const struct buf *text)
{
    enum { TOLD = 64 };
    if (r->text.size - r->taken + text->size + TOLD > TEXT_MAX) {
        r->lost += lines_of(text);
        return;
    }
    if (r->taken) {
        memmove(r->text.data, r->text.data + r->taken, r->text.size - r->taken);
        r->text.size -= r->taken;
        r->taken = 0;
    }
    if (r->lost)
        buf_printf(&r->text, "... %llu lines were lost: this reader is too slow\n", (unsigned long long)r->lost);
    r->lost = 0;
    buf_add(&r->text, text->data, text->size);
    eventfd_write(r->fd, 1);
}

static bool reads(const struct trace_reader *r, const struct guid *mailboxes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (guid_equal(r->mailbox, mailboxes[i]))
            return true;
    return false;
}

void trace_tell(struct trace *t, const struct guid *mailboxes, size_t count, const char *who, trace_print *print,
                void *arg)
{
    if (!trace_is_on(t))
        return;
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *time = filetime_text(arena, filetime_now());
    pthread_mutex_lock(&t->lock);
    for (struct trace_reader *r = t->readers; r; r = r->next) {
        struct buf text;
        if (!reads(r, mailboxes, count))
            continue;
        buf_init(&text, arena);
        buf_printf(&text, "%s %s ", time, who);
        print(arg, &text, &r->style);
        give(r, &text);
    }
    pthread_mutex_unlock(&t->lock);
    talloc_free(arena);
}

size_t trace_take(struct trace_reader *r, void *to, size_t most)
{
    eventfd_t ignored;
    pthread_mutex_lock(&r->trace->lock);
    const size_t size = MIN(most, r->text.size - r->taken);
    if (size)
        memcpy(to, r->text.data + r->taken, size);
    r->taken += size;
    if (r->taken == r->text.size)
        eventfd_read(r->fd, &ignored);
    pthread_mutex_unlock(&r->trace->lock);
    return size;
}
