/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

#include "front/inside.h"

/* ADDR:PORT, [ADDR]:PORT or :PORT, the last one for every address of the machine. */
static struct addrinfo *resolve(TALLOC_CTX *owner, const char *text, char **why)
{
    const char *colon = strrchr(text, ':');
    const bool bracket = *text == '[' && colon && colon > text + 1 && colon[-1] == ']';
    if (!colon || !colon[1] || colon[1 + strspn(colon + 1, "0123456789")] || strtoul(colon + 1, NULL, 10) > 65535 ||
        (!bracket && memchr(text, ':', (size_t)(colon - text)))) {
        *why = talloc_asprintf(
            owner, "'%s' is not an address to listen on; write ADDR:PORT, such as 127.0.0.1:8443 or [::]:443", text);
        return NULL;
    }
    char *host = bracket ? talloc_strndup(owner, text + 1, (size_t)(colon - text) - 2)
                         : talloc_strndup(owner, text, (size_t)(colon - text));
    const struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    const int error = getaddrinfo(*host ? host : NULL, colon + 1, &hints, &list);
    if (error)
        *why = talloc_asprintf(owner, "cannot listen on %s: '%s' is not an address of this machine (%s)", text, host,
                               gai_strerror(error));
    talloc_free(host);
    return error ? NULL : list;
}

static char *explain(TALLOC_CTX *owner, const char *text, int error)
{
    const char *advice = "";
    if (error == EADDRINUSE)
        advice = "; stop the program that has it ('ss -ltnp' names it), or choose another port";
    else if (error == EACCES)
        advice = "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE";
    else if (error == EADDRNOTAVAIL)
        advice = "; no interface of this machine has this address";
    return talloc_asprintf(owner, "cannot listen on %s: %s%s", text,
                           error == EADDRINUSE ? "the port is in use" : strerror(error), advice);
}

int listen_on(TALLOC_CTX *owner, const char *text, char **why)
{
    struct addrinfo *at = resolve(owner, text, why);
    if (!at)
        return -1;
    const int one = 1;
    int fd = socket(at->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one); /* not SO_REUSEPORT: two servers must clash */
    if (fd < 0 || bind(fd, at->ai_addr, at->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        *why = explain(owner, text, errno);
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    freeaddrinfo(at);
    return fd;
}

unsigned listen_port(int fd)
{
    struct sockaddr_storage at;
    socklen_t size = sizeof at;
    if (fd < 0 || getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return 0;
    return ntohs(at.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&at)->sin6_port
                                          : ((struct sockaddr_in *)&at)->sin_port);
}
