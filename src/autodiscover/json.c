/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON form: anonymous, so it looks at the domain alone and never into the directory: the answer cannot tell who
 * exists.  Its one use here is to lead to the POX form. */
#include <jansson.h>
#include <stdlib.h>

#include "autodiscover/autodiscover.h"

#define CONTENT_TYPE "application/json; charset=utf-8"
#define VERSION "/v1.0/"

/* What is served; every other protocol is refused by name. */
#define PROTOCOL "AutodiscoverV1"
#define PATH "/autodiscover/autodiscover.xml"

static void say(struct http_request *request, struct http_answer *answer, unsigned status, json_t *object)
{
    char *text = json_dumps(object, 0);
    http_answer_header(answer, "Cache-Control", "private");
    http_answer_send(answer, status, CONTENT_TYPE, BLOB_OF(talloc_strdup(request->arena, text), strlen(text)));
    free(text);
    json_decref(object);
}

static void refuse(struct http_request *request, struct http_answer *answer, unsigned status, const char *code,
                   const char *message)
{
    say(request, answer, status, json_pack("{s:s, s:s}", "ErrorCode", code, "ErrorMessage", message));
}

/* /v1.0/alice@contoso.com, or Email= in the query; NULL: neither names somebody at a domain. */
static const char *address_of(const struct http_request *request)
{
    const char *below = request->below, *address = NULL;
    if (!*below || strcmp(below, "/") == 0)
        address = http_query(request->arena, request->query, "Email");
    else if (strncasecmp(below, VERSION, strlen(VERSION)) == 0)
        address = below + strlen(VERSION);
    const char *at = address ? strrchr(address, '@') : NULL;
    return at && at > address && at[1] ? address : NULL;
}

/* https://mail.contoso.com/mapi -> the POX form at the same door; NULL: there is no such URL. */
static const char *beside(TALLOC_CTX *arena, const char *url)
{
    static const char https[] = "https://";
    const size_t scheme = sizeof https - 1;
    if (!url || !text_is_prefix(url, https))
        return NULL;
    return talloc_asprintf(arena, "%s%.*s" PATH, https, (int)strcspn(url + scheme, "/?#"), url + scheme);
}

/* Who asks may be anywhere: the administrator's outer name reaches furthest, and without one the InternalUrl follows
 * the listener.  The client's own Host line is never repeated. */
static const char *pox_url(TALLOC_CTX *arena, const struct org_settings *settings)
{
    const struct org_virtual_directory *mapi = org_directory_of(settings, ORG_MAPI);
    const char *url = mapi ? beside(arena, mapi->external_url) : NULL;
    if (!url && mapi)
        url = beside(arena, mapi->internal_url);
    return url ? url : org_https_url(arena, settings->hostname, settings->https_port, PATH);
}

static void lead(struct http_request *request, struct http_answer *answer, const struct org_settings *settings)
{
    const char *url = pox_url(request->arena, settings);
    say(request, answer, 200, json_pack("{s:s, s:s}", "Protocol", PROTOCOL, "Url", url));
}

static void answer_get(struct http_request *request, struct http_answer *answer, const struct org_settings *settings)
{
    const char *address = address_of(request), *protocol = http_query(request->arena, request->query, "Protocol");
    if (!address)
        refuse(request, answer, 400, "MandatoryParameterMissing",
               "A valid smtp address must be provided: /v1.0/ADDRESS in the path, or the query parameter 'Email'.");
    else if (!protocol || !*protocol)
        refuse(request, answer, 400, "MissingProtocol",
               "A valid value must be provided for the query parameter 'Protocol'.");
    else if (!org_domain_of(settings, address))
        refuse(request, answer, 404, "UserNotFound",
               talloc_asprintf(request->arena, "The given user '%s' is not found.", address));
    else if (strcasecmp(protocol, PROTOCOL) != 0)
        refuse(request, answer, 400, "ProtocolNotSupported",
               talloc_asprintf(request->arena,
                               "Protocol: The protocol '%s' is not supported. Supported protocols are: '%s'", protocol,
                               PROTOCOL));
    else
        lead(request, answer, settings);
}

void autodiscover_json(struct http_request *request, struct http_answer *answer)
{
    struct autodiscover *a = request->context;
    if (strcmp(request->method, "GET") == 0 || strcmp(request->method, "HEAD") == 0) {
        answer_get(request, answer, org_settings(a->org, request->arena));
        return;
    }
    http_answer_header(answer, "Allow", "GET, HEAD");
    http_answer_text(answer, 405, "Ask with GET.\r\n");
}
