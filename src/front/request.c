/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/crypto.h>

#include "front/inside.h"

static size_t without_slash(const char *path)
{
    const size_t size = strlen(path);
    return size && path[size - 1] == '/' ? size - 1 : size;
}

const struct front_route *route_of(const struct front *front, const char *path, const char **below)
{
    for (size_t i = 0; i < front->config.route_count; i++) {
        const struct front_route *route = &front->config.routes[i];
        const size_t size = without_slash(route->path);
        if (strncasecmp(path, route->path, size) != 0)
            continue;
        *below = path + size;
        if (!**below || strcmp(*below, "/") == 0 || (route->match == FRONT_BELOW && **below == '/'))
            return route;
    }
    return NULL;
}

static bool is_proxy(const struct front *front, struct address address)
{
    for (size_t i = 0; i < front->proxy_count; i++)
        if (network_holds(&front->proxies[i], address))
            return true;
    return false;
}

/* X-Forwarded-For: each proxy adds its own client at the right, so the client is the first from the right that is no
 * proxy of ours; whatever stands left of it, the client could have invented. */
static struct address client_behind(struct incoming *in, struct address proxy)
{
    char *list = talloc_strdup(in, "");
    const char *line;
    for (size_t at = 0; (line = http_header_next(&in->request.headers, "X-Forwarded-For", &at));)
        list = talloc_asprintf_append(list, "%s%s", *list ? "," : "", line);
    struct address client = proxy, next;
    char *comma = list;
    while (comma && *list && is_proxy(in->front, client)) {
        comma = strrchr(list, ',');
        char *entry = comma ? comma + 1 : list;
        entry += strspn(entry, " \t");
        entry[strcspn(entry, " \t")] = 0;
        if (!address_parse(entry, &next))
            break;
        client = next;
        if (comma)
            *comma = 0;
    }
    return client;
}

/* Over plain HTTP a password passes only on this machine, or from a listed proxy that got it by TLS. */
void request_read_head(struct incoming *in, const struct http_head *head, struct address peer, bool tls)
{
    struct http_request *request = &in->request;
    request->method = head->method;
    request->path = head->path;
    request->below = "";
    request->query = head->query;
    request->host = head->host;
    request->headers = head->headers;
    const bool proxied = is_proxy(in->front, peer);
    const char *proto = proxied ? http_header(&head->headers, "X-Forwarded-Proto") : NULL;
    request->is_tls = proto ? strcasecmp(proto, "https") == 0 : tls;
    in->basic_is_safe = request->is_tls || (!proto && (proxied || address_is_loopback(peer)));
    request->peer = address_text(in, proxied ? client_behind(in, peer) : peer);
    in->route = route_of(in->front, head->path, &request->below);
    if (in->route) {
        request->virtual_directory = in->route->virtual_directory;
        request->context = in->route->context;
    }
}

/* The "user:password" of Basic (RFC 7617); an empty blob for anything else. */
static struct blob credentials_of(struct incoming *in)
{
    struct blob pair = { 0 };
    const char *line = http_header(&in->request.headers, "Authorization");
    if (!line || strncasecmp(line, "Basic ", 6) != 0 || !base64_parse(in, line + 6 + strspn(line + 6, " "), &pair))
        return (struct blob){ 0 };
    if (!pair.size || memchr(pair.data, 0, pair.size) || !memchr(pair.data, ':', pair.size))
        return (struct blob){ 0 };
    return pair;
}

static uint64_t generation_of(const struct front *front)
{
    return front->config.generation ? front->config.generation(front->config.context) : 0;
}

static unsigned methods_of(const struct incoming *in)
{
    const struct front_config *config = &in->front->config;
    unsigned methods = config->methods ? config->methods(config->context, in->route->virtual_directory) : FRONT_BASIC;
    return in->basic_is_safe ? methods : methods & ~(unsigned)FRONT_BASIC;
}

bool request_is_remembered(struct incoming *in)
{
    const struct blob credentials = credentials_of(in);
    if (!credentials.size || !memory_recall(in->front->memory, generation_of(in->front), credentials, in, &in->user))
        return false;
    in->request.user = &in->user;
    return true;
}

/* The order of the lines is the client's menu.  What the administrator set is offered as written. */
void request_refuse(struct incoming *in, struct http_answer *answer, unsigned offered)
{
    if (!in->can_go_on)
        http_answer_close_after(answer);
    if (!offered) {
        http_answer_text(answer, 403, "Nobody can sign in here without TLS.\r\n");
        return;
    }
    if (offered & FRONT_NEGOTIATE)
        http_answer_header(answer, "WWW-Authenticate", "Negotiate");
    if (offered & FRONT_NTLM)
        http_answer_header(answer, "WWW-Authenticate", "NTLM");
    if (offered & FRONT_OAUTH)
        http_answer_header(answer, "WWW-Authenticate", "Bearer");
    if (offered & FRONT_BASIC)
        http_answer_header(answer, "WWW-Authenticate", "Basic realm=\"%s\"", in->front->config.hostname);
    http_answer_text(answer, 401, "Sign in to go on.\r\n");
}

static bool is_wrong_password(enum ec ec)
{
    return ec == ecLoginFailure || ec == ecUnknownUser || ec == ecNotFound || ec == ecAccessDenied;
}

/* Clients send UTF-8 or their own code page (RFC 7617 2.1). */
static char *text_of(TALLOC_CTX *arena, const uint8_t *bytes, size_t size)
{
    return utf8_is_valid(bytes, size) ? talloc_strndup(arena, (const char *)bytes, size)
                                      : utf8_of_codepage(arena, 1252, bytes, size);
}

static enum ec verify(struct incoming *in, struct blob credentials, char **user)
{
    const struct front_config *config = &in->front->config;
    const uint8_t *colon = memchr(credentials.data, ':', credentials.size);
    const size_t user_size = (size_t)(colon - credentials.data);
    char *password = text_of(in, colon + 1, credentials.size - user_size - 1);
    *user = text_of(in, credentials.data, user_size);
    const uint64_t generation = generation_of(in->front); /* before the check, which takes its time */
    enum ec ec = config->sign_in(config->context, in->request.arena, *user, password, &in->user);
    OPENSSL_cleanse(password, strlen(password));
    if (!ec)
        memory_keep(in->front->memory, generation, credentials, &in->user);
    return ec;
}

static bool sign_in(struct incoming *in, struct http_answer *answer)
{
    const unsigned offered = methods_of(in);
    const struct blob credentials = credentials_of(in);
    char *user;
    if (!credentials.size || !(offered & FRONT_BASIC)) {
        request_refuse(in, answer, offered);
        return false;
    }
    if (request_is_remembered(in)) /* by another connection, while this one was queued */
        return in->admitted = true;
    const enum ec ec = verify(in, credentials, &user);
    if (!ec) {
        in->request.user = &in->user;
        return in->admitted = true;
    }
    log_line(LOG_WARNING, "front", "sign-in of '%s' from %s to %s failed: %s (%s)", user, in->request.peer,
             in->request.path, ec_text(ec), ec_name(ec));
    if (is_wrong_password(ec)) {
        request_refuse(in, answer, offered);
    } else {
        http_answer_close_after(answer);
        http_answer_header(answer, "Retry-After", "10");
        http_answer_text(answer, 503, "Nobody can sign in at the moment.\r\n");
    }
    return false;
}

/* Before the body is read: nobody can make the server take megabytes without having signed in. */
void request_sign_in(struct job *job)
{
    struct exchange *exchange = (struct exchange *)((char *)job - offsetof(struct exchange, job));
    if (http_answer_is_over(&exchange->answer) || sign_in(exchange->incoming, &exchange->answer)) {
        io_post(exchange->io, parcel_new(exchange, connection_signed_in, 0)); /* the hold goes on with it */
        return;
    }
    talloc_free(exchange->incoming->request.arena);
    exchange->incoming = NULL;
    http_answer_release(&exchange->answer);
}

/* Who was remembered is asked again whether the virtual directory still offers Basic. */
static bool may_pass(struct incoming *in, struct http_answer *answer)
{
    if (in->route->access == FRONT_ANYBODY || in->admitted)
        return true;
    const unsigned offered = methods_of(in);
    if (offered & FRONT_BASIC)
        return true;
    request_refuse(in, answer, offered);
    return false;
}

void request_run(struct job *job)
{
    struct exchange *exchange = (struct exchange *)((char *)job - offsetof(struct exchange, job));
    struct incoming *in = exchange->incoming;
    exchange->incoming = NULL;
    if (!http_answer_is_over(&exchange->answer) && may_pass(in, &exchange->answer))
        in->route->handler(&in->request, &exchange->answer);
    talloc_free(in->request.arena);
    http_answer_release(&exchange->answer);
}
