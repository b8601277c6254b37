/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "front/inside.h"

static const uint8_t mapped[12] = { [10] = 0xFF, [11] = 0xFF }; /* ::ffff:0:0/96 (RFC 4291 2.5.5.2) */

static bool is_ipv4(struct address address)
{
    return memcmp(address.bytes, mapped, sizeof mapped) == 0;
}

static bool parse_bare(const char *text, struct address *out)
{
    memcpy(out->bytes, mapped, sizeof mapped);
    return inet_pton(AF_INET, text, out->bytes + 12) == 1 || inet_pton(AF_INET6, text, out->bytes) == 1;
}

/* "10.0.0.1", "10.0.0.1:443", "fe80::1", "[fe80::1]:443": proxies write all of them. */
bool address_parse(const char *text, struct address *out)
{
    char bare[INET6_ADDRSTRLEN + 1];
    const char *first = strchr(text, ':'), *last = strrchr(text, ':');
    size_t size = strlen(text);
    if (*text == '[')
        text++, size = strcspn(text, "]");
    else if (first && first == last)
        size = (size_t)(first - text);
    if (size >= sizeof bare)
        return false;
    memcpy(bare, text, size);
    bare[size] = 0;
    return parse_bare(bare, out);
}

struct address address_of(const struct sockaddr *sockaddr)
{
    struct address address = { { 0 } };
    if (sockaddr->sa_family == AF_INET) {
        memcpy(address.bytes, mapped, sizeof mapped);
        memcpy(address.bytes + 12, &((const struct sockaddr_in *)sockaddr)->sin_addr, 4);
    } else if (sockaddr->sa_family == AF_INET6) {
        memcpy(address.bytes, &((const struct sockaddr_in6 *)sockaddr)->sin6_addr, 16);
    }
    return address;
}

char *address_text(TALLOC_CTX *owner, struct address address)
{
    char text[INET6_ADDRSTRLEN];
    const bool ipv4 = is_ipv4(address);
    inet_ntop(ipv4 ? AF_INET : AF_INET6, address.bytes + (ipv4 ? 12 : 0), text, sizeof text);
    return talloc_strdup(owner, text);
}

bool network_parse(const char *text, struct network *out)
{
    char bare[INET6_ADDRSTRLEN + 1], *end;
    const size_t size = strcspn(text, "/");
    if (size >= sizeof bare)
        return false;
    memcpy(bare, text, size);
    bare[size] = 0;
    if (!parse_bare(bare, &out->address))
        return false;
    const unsigned whole = is_ipv4(out->address) ? 32 : 128;
    unsigned long bits = whole;
    if (text[size]) {
        bits = strtoul(text + size + 1, &end, 10);
        if (text[size + 1] < '0' || text[size + 1] > '9' || *end || bits > whole)
            return false;
    }
    out->bits = (unsigned)bits + 128 - whole;
    return true;
}

bool network_holds(const struct network *network, struct address address)
{
    const unsigned bytes = network->bits / 8, rest = network->bits % 8;
    if (memcmp(network->address.bytes, address.bytes, bytes) != 0)
        return false;
    return !rest || !((network->address.bytes[bytes] ^ address.bytes[bytes]) & (0xFF << (8 - rest)));
}

bool address_is_loopback(struct address address)
{
    static const struct address one = { { [15] = 1 } };
    return is_ipv4(address) ? address.bytes[12] == 127 : memcmp(&address, &one, sizeof one) == 0;
}
