/* SPDX-License-Identifier: Apache-2.0 */
/* Session contexts: [MS-OXCMAPIHTTP] 3.2.1, 3.2.2, 3.2.5.1.
 *
 *   cookie MapiContext -> table -> context -> session
 *
 * A context is found by its cookie and its user together.  It goes when it was idle for too long, when its client
 * ends it, or when its user has too many of them; requests that still run hold a reference. */
#include "mapihttp/internal.h"

#define HOUSEKEEPING_MS 1000

static struct context **slot(struct mapihttp *m, const char *cookie)
{
    uint32_t h = 2166136261u; /* FNV-1a; the cookies are random */
    for (const char *c = cookie; *c; c++)
        h = (h ^ (uint8_t)*c) * 16777619u;
    return &m->table[h % COUNTOF(m->table)];
}

static void free_context(struct context *c)
{
    if (c->session)
        session_free(c->session);
    talloc_free(c);
}

/* With the lock held.  The table's own reference goes. */
static bool take_out(struct context *c)
{
    if (c->ended)
        return false;
    struct context **at = slot(c->server, c->cookie);
    while (*at != c)
        at = &(*at)->next;
    *at = c->next;
    c->server->count--;
    c->ended = true;
    if (c->session)
        session_end_wait(c->session);
    return --c->references == 0;
}

/* Who has nothing pending goes first, then who was used least lately. */
static bool goes_before(const struct context *a, const struct context *b)
{
    return !b || (!a->pending && b->pending) || (!a->pending == !b->pending && a->turn < b->turn);
}

/* The context that goes if the user has too many of them. */
static struct context *surplus(struct mapihttp *m, struct guid user)
{
    struct context *first = NULL;
    uint32_t count = 0;
    if (m->count < m->config.contexts_per_user)
        return NULL;
    for (size_t i = 0; i < COUNTOF(m->table); i++)
        for (struct context *c = m->table[i]; c; c = c->next)
            if (guid_equal(c->user, user)) {
                count++;
                if (goes_before(c, first))
                    first = c;
            }
    return count >= m->config.contexts_per_user ? first : NULL;
}

struct context *context_new(struct mapihttp *m, enum endpoint endpoint, struct guid user, struct session *session)
{
    struct context *c = talloc_zero(NULL, struct context);
    uint8_t random[(COOKIE_SIZE - 1) / 2];
    random_bytes(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(c->cookie + 2 * i, 3, "%02x", random[i]);
    c->server = m;
    c->endpoint = endpoint;
    c->user = user;
    c->session = session;
    c->references = 2; /* the table's and the caller's */
    c->sequence = 1;
    c->last_used = clock_ms();
    c->pending = 1;

    pthread_mutex_lock(&m->lock);
    c->turn = ++m->turns;
    struct context *old = surplus(m, user);
    const bool gone = old && take_out(old);
    struct context **at = slot(m, c->cookie);
    c->next = *at;
    *at = c;
    m->count++;
    pthread_mutex_unlock(&m->lock);
    if (gone)
        free_context(old);
    return c;
}

static bool is_cookie(const char *text)
{
    return strlen(text) == COOKIE_SIZE - 1 && strspn(text, "0123456789abcdef") == COOKIE_SIZE - 1;
}

enum response_code context_find(struct mapihttp *m, enum endpoint endpoint, const char *cookie, struct guid user,
                                struct context **out)
{
    if (!is_cookie(cookie))
        return CODE_INVALID_COOKIE;
    pthread_mutex_lock(&m->lock);
    struct context *c = *slot(m, cookie);
    while (c && strcmp(c->cookie, cookie) != 0)
        c = c->next;
    const bool found = c && c->endpoint == endpoint && guid_equal(c->user, user);
    if (found)
        c->references++;
    pthread_mutex_unlock(&m->lock);
    *out = found ? c : NULL;
    return found ? CODE_SUCCESS : CODE_CONTEXT_NOT_FOUND;
}

void context_put(struct context *c)
{
    struct mapihttp *m = c->server;
    pthread_mutex_lock(&m->lock);
    if (--c->references == 0) { /* the housekeeper frees it: the caller may be a thread that must not block */
        c->next = m->dead;
        m->dead = c;
        pthread_cond_signal(&m->wake);
    }
    pthread_mutex_unlock(&m->lock);
}

void context_end(struct context *c)
{
    pthread_mutex_lock(&c->server->lock);
    take_out(c); /* the caller holds a reference */
    pthread_mutex_unlock(&c->server->lock);
}

static bool says(const char *cookie, uint64_t sequence)
{
    char text[17];
    snprintf(text, sizeof text, "%llx", (unsigned long long)sequence);
    return strcmp(cookie, text) == 0;
}

/* An answer outside the sequence (NotificationWait, PING) may be read after later ones inside: it was overtaken, or
 * something on the way has kept it.  Then the client comes with the cookie of that one, once. */
static bool is_next(const struct context *c, const char *cookie)
{
    return says(cookie, c->sequence) || (c->beside && says(cookie, c->beside));
}

static enum response_code check_sequence(const struct context *c, bool sequenced, const char *cookie)
{
    if (c->ended)
        return CODE_CONTEXT_NOT_FOUND;
    if (!sequenced)
        return CODE_SUCCESS;
    if (!cookie)
        return CODE_MISSING_COOKIE;
    return c->busy || !is_next(c, cookie) ? CODE_INVALID_SEQUENCE : CODE_SUCCESS;
}

enum response_code context_begin(struct context *c, bool sequenced, const char *sequence_cookie, uint64_t *told)
{
    pthread_mutex_lock(&c->server->lock);
    const enum response_code code = check_sequence(c, sequenced, sequence_cookie);
    if (!code) {
        if (sequenced && says(sequence_cookie, c->beside) && c->beside != c->sequence)
            c->beside = 0;
        c->pending++;
        c->busy |= sequenced;
        c->sequence += sequenced;
    }
    if (!code && !sequenced)
        c->beside = c->sequence;
    *told = c->sequence;
    pthread_mutex_unlock(&c->server->lock);
    return code;
}

void context_done(struct context *c, bool sequenced)
{
    pthread_mutex_lock(&c->server->lock);
    c->pending--;
    if (sequenced)
        c->busy = false;
    c->last_used = clock_ms();
    c->turn = ++c->server->turns;
    pthread_mutex_unlock(&c->server->lock);
}

/* ---- expiry ---- */

/* One that nobody refers to any more, or that has expired and is taken out here; NULL: none. */
static struct context *expired(struct mapihttp *m, uint64_t now)
{
    struct context *dead = m->dead;
    if (dead) {
        m->dead = dead->next;
        return dead;
    }
    for (size_t i = 0; i < COUNTOF(m->table); i++)
        for (struct context *c = m->table[i]; c; c = c->next)
            if (!c->pending && now > c->last_used + m->config.expiration_ms && take_out(c))
                return c;
    return NULL;
}

/* With the lock held. */
static void sleep_until_needed(struct mapihttp *m)
{
    struct timespec until;
    const uint32_t ms = MIN(MIN(HOUSEKEEPING_MS, m->config.expiration_ms), m->config.slow_ms);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += (long)ms * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&m->wake, &m->lock, &until);
}

static void *keep_house(void *arg)
{
    struct mapihttp *m = arg;
    pthread_mutex_lock(&m->lock);
    while (!m->stopping) {
        say_pending(m);
        struct context *c = expired(m, clock_ms());
        if (c) {
            pthread_mutex_unlock(&m->lock);
            free_context(c);
            pthread_mutex_lock(&m->lock);
            continue;
        }
        sleep_until_needed(m);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

void contexts_start(struct mapihttp *m)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&m->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&m->lock, NULL);
    pthread_create(&m->housekeeper, NULL, keep_house, m);
}

void contexts_stop(struct mapihttp *m)
{
    pthread_mutex_lock(&m->lock);
    m->stopping = true;
    pthread_cond_signal(&m->wake);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->housekeeper, NULL);
    for (struct context *c; (c = expired(m, 0));)
        free_context(c);
    for (size_t i = 0; i < COUNTOF(m->table); i++)
        while (m->table[i]) {
            struct context *c = m->table[i];
            if (take_out(c))
                free_context(c);
        }
}
