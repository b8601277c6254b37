/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "front/inside.h"

enum { BODY_LIMIT = 64 << 20 }; /* of one route: bodies are kept whole, in memory */

static unsigned connections_allowed(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return 1 << 10;
    files.rlim_cur = files.rlim_max; /* the soft limit, 1024, is a habit of select() */
    if (setrlimit(RLIMIT_NOFILE, &files) != 0)
        getrlimit(RLIMIT_NOFILE, &files);
    return (unsigned)MIN(files.rlim_cur / 4 * 3, 1 << 20); /* the rest is for databases and logs */
}

static unsigned or_else(unsigned value, unsigned standard)
{
    return value ? value : standard;
}

static struct front_config with_defaults(TALLOC_CTX *owner, const struct front_config *from)
{
    struct front_config config = *from;
    config.certificate = from->certificate ? talloc_strdup(owner, from->certificate) : NULL;
    config.key = from->key ? talloc_strdup(owner, from->key) : NULL;
    config.hostname = talloc_strdup(owner, from->hostname);
    config.routes = talloc_memdup(owner, from->routes, from->route_count * sizeof *from->routes);
    config.io_threads = or_else(from->io_threads, 2);
    config.workers = or_else(from->workers, 16);
    config.sign_in_threads = or_else(from->sign_in_threads, 2);
    config.max_connections = or_else(from->max_connections, connections_allowed());
    config.max_bodies = from->max_bodies ? from->max_bodies : (size_t)256 << 20;
    config.head_ms = or_else(from->head_ms, 30000);
    config.body_ms = or_else(from->body_ms, 60000);
    config.keep_alive_ms = or_else(from->keep_alive_ms, 120000);
    config.write_ms = or_else(from->write_ms, 60000);
    config.remember_ms = or_else(from->remember_ms, 60000);
    return config;
}

static bool read_proxies(struct front *front, TALLOC_CTX *owner, char **why)
{
    const char *const *list = front->config.proxies;
    while (list && list[front->proxy_count])
        front->proxy_count++;
    front->proxies = talloc_zero_array(front, struct network, (unsigned)front->proxy_count);
    for (size_t i = 0; i < front->proxy_count; i++)
        if (!network_parse(list[i], &front->proxies[i])) {
            *why = talloc_asprintf(owner, "'%s' is not the address of a proxy; write ADDR or ADDR/BITS", list[i]);
            return false;
        }
    return true;
}

static bool listen_all(struct front *front, TALLOC_CTX *owner, char **why)
{
    const struct front_config *config = &front->config;
    if (config->https && (!config->certificate || !config->key)) {
        *why = talloc_strdup(owner, "HTTPS needs a certificate and its private key");
        return false;
    }
    if (config->https && !(front->tls = tls_context(owner, config->certificate, config->key, why)))
        return false;
    if (config->https && (front->https_fd = listen_on(owner, config->https, why)) < 0)
        return false;
    return !config->http || (front->http_fd = listen_on(owner, config->http, why)) >= 0;
}

static int front_gone(struct front *front)
{
    if (front->https_fd >= 0)
        close(front->https_fd);
    if (front->http_fd >= 0)
        close(front->http_fd);
    SSL_CTX_free(front->tls);
    pthread_mutex_destroy(&front->tls_lock);
    pthread_mutex_destroy(&front->stop_lock);
    pthread_cond_destroy(&front->stopped);
    return 0;
}

/* Signals are the main thread's; a write to a client that has gone must not end the process. */
static enum ec start_threads(struct front *front)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    const struct front_config *config = &front->config;
    front->workers = pool_new(front, config->workers);
    front->sign_ins = pool_new(front, config->sign_in_threads);
    front->io = talloc_zero_array(front, struct io, config->io_threads);
    enum ec ec = front->workers && front->sign_ins ? ecNone : ecInsufficientResrc;
    while (!ec && front->io_count < config->io_threads)
        if (!(ec = io_open(&front->io[front->io_count], front)))
            front->io_count++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ec;
}

enum ec front_open(struct front **out, TALLOC_CTX *owner, const struct front_config *config, char **why)
{
    struct front *front = talloc_zero(owner, struct front);
    front->https_fd = front->http_fd = -1;
    front->config = with_defaults(front, config);
    pthread_mutex_init(&front->tls_lock, NULL);
    pthread_mutex_init(&front->stop_lock, NULL);
    pthread_cond_init(&front->stopped, NULL);
    talloc_set_destructor(front, front_gone);
    for (size_t i = 0; i < config->route_count; i++)
        assert(config->routes[i].path[0] == '/' && config->routes[i].handler &&
               config->routes[i].body_limit <= BODY_LIMIT);
    front->memory = memory_new(front, front->config.remember_ms);

    enum ec ec = read_proxies(front, owner, why) && listen_all(front, owner, why) ? ecNone : ecInvalidParam;
    if (!ec && (ec = start_threads(front)))
        *why = talloc_strdup(owner, "cannot start the threads of the web server; the machine refuses more of them");
    if (ec)
        front_close(front, 0);
    else
        *out = front;
    return ec;
}

unsigned front_https_port(const struct front *front)
{
    return listen_port(front->https_fd);
}

unsigned front_http_port(const struct front *front)
{
    return listen_port(front->http_fd);
}

enum ec front_reload(struct front *front, TALLOC_CTX *arena, char **why)
{
    if (!front->tls)
        return ecNone;
    SSL_CTX *fresh = tls_context(arena, front->config.certificate, front->config.key, why);
    if (!fresh)
        return ecInvalidParam;
    pthread_mutex_lock(&front->tls_lock);
    SSL_CTX *old = front->tls;
    front->tls = fresh;
    pthread_mutex_unlock(&front->tls_lock);
    SSL_CTX_free(old); /* its connections still hold it */
    return ecNone;
}

void front_close(struct front *front, unsigned patience_ms)
{
    front->io_busy = front->io_count;
    for (unsigned i = 0; i < front->io_count; i++)
        io_stop(&front->io[i], patience_ms);
    pthread_mutex_lock(&front->stop_lock);
    while (front->io_busy)
        pthread_cond_wait(&front->stopped, &front->stop_lock);
    pthread_mutex_unlock(&front->stop_lock);
    pool_close(front->sign_ins);
    pool_close(front->workers); /* their last parcels still find a reader */
    for (unsigned i = 0; i < front->io_count; i++)
        io_close(&front->io[i]);
    talloc_free(front);
}

/* Load balancers ask each virtual directory; they want 200 and "200 OK" in the body. */
void front_healthcheck(struct http_request *request, struct http_answer *answer)
{
    const char *hostname = request->context;
    char *page = talloc_asprintf(request->arena, "200 OK<br/>%s", hostname);
    if (strcmp(request->method, "GET") != 0 && strcmp(request->method, "HEAD") != 0) {
        http_answer_header(answer, "Allow", "GET, HEAD");
        http_answer_text(answer, 405, "Only GET and HEAD.\r\n");
        return;
    }
    http_answer_header(answer, "X-FEServer", "%s", hostname);
    http_answer_header(answer, "Cache-Control", "no-cache");
    http_answer_send(answer, 200, "text/html; charset=utf-8", BLOB_OF(page, strlen(page)));
}
