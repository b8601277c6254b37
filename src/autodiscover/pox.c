/* SPDX-License-Identifier: Apache-2.0 */
/* The POX request and its errors: [MS-OXDSCLI] 2.2.2, 2.2.3, 3.2.5. */
#include <stdlib.h>

#include "autodiscover/internal.h"
#include "autodiscover/xml.h"

#define NS_REQUEST "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
#define SCHEMA_OUTLOOK "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
#define NS_RESPONSE "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
#define CONTENT_TYPE "text/xml; charset=utf-8"
#define OUTLOOK_WITH_EXHTTP 15 /* Microsoft Office/15: Outlook 2013 */

enum pox_error { POX_FINE = 0, POX_NOT_FOUND = 500, POX_NOTHING_HERE = 501, POX_INVALID = 600, POX_NO_PROVIDER = 601 };
static const struct {
    enum pox_error code;
    const char *message;
} messages[] = {
    { POX_NOT_FOUND, "The email address can't be found." },
    { POX_NOTHING_HERE, "Bad Address" },
    { POX_INVALID, "Invalid Request" },
    { POX_NO_PROVIDER, "Provider is not available" },
};

struct pox_request {
    const char *address, *legacy_dn, *schema;
};

/* ---- reading ---- */

static void read_request(TALLOC_CTX *arena, xmlNode *request, struct pox_request *out)
{
    for (xmlNode *n = request->children; n; n = n->next)
        if (xml_is(n, NS_REQUEST, "EMailAddress"))
            out->address = xml_content(arena, n);
        else if (xml_is(n, NS_REQUEST, "LegacyDN"))
            out->legacy_dn = xml_content(arena, n);
        else if (xml_is(n, NS_REQUEST, "AcceptableResponseSchema"))
            out->schema = xml_content(arena, n);
}

static enum pox_error parse(TALLOC_CTX *arena, struct blob body, struct pox_request *out)
{
    xmlDoc *doc = xml_read(body);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    bool found = false;
    for (xmlNode *n = root && xml_is(root, NS_REQUEST, "Autodiscover") ? root->children : NULL; n; n = n->next)
        if (xml_is(n, NS_REQUEST, "Request")) {
            read_request(arena, n, out);
            found = true;
        }
    xmlFreeDoc(doc);
    const bool names_somebody = (out->address && *out->address) || (out->legacy_dn && *out->legacy_dn);
    if (!found || !names_somebody || !out->schema)
        return POX_INVALID;
    return strcmp(out->schema, SCHEMA_OUTLOOK) == 0 ? POX_FINE : POX_NO_PROVIDER;
}

/* ---- the client ---- */

static unsigned office_version(const char *user_agent)
{
    const char *office = user_agent ? strstr(user_agent, "Microsoft Office/") : NULL;
    return office ? (unsigned)strtoul(office + 17, NULL, 10) : 0;
}

/* A number alone; what is none says nothing. */
static unsigned capability_of(const char *header)
{
    const size_t digits = header ? strspn(header, "0123456789") : 0;
    return digits && !header[digits] ? (unsigned)MIN(strtoul(header, NULL, 10), 100) : 0;
}

/* [MS-OXDSCLI] 2.2.2: Outlook is known by its User-Agent, others say what they can. */
static struct autodiscover_client client_of(const struct http_request *request)
{
    const char *agent = http_header(&request->headers, "User-Agent");
    const bool outlook = office_version(agent) >= OUTLOOK_WITH_EXHTTP;
    return (struct autodiscover_client){
        .capability = capability_of(http_header(&request->headers, "X-MapiHttpCapability")),
        .exhttp = outlook || http_header_has(&request->headers, "X-ClientCanHandle", "ExHttpInfo"),
        .negotiate = outlook || http_header_has(&request->headers, "X-ClientCanHandle", "Negotiate"),
    };
}

/* ---- answering ---- */

/* A number that names this server and tells nothing else. */
static uint32_t server_number(const char *name)
{
    uint32_t h = 2166136261u;
    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 16777619u;
    return h;
}

static void answer_error(struct http_request *request, struct http_answer *answer, const struct org_settings *settings,
                         enum pox_error code)
{
    const char *message = "";
    for (size_t i = 0; i < COUNTOF(messages); i++)
        if (messages[i].code == code)
            message = messages[i].message;
    const uint64_t now = filetime_now();
    const unsigned long long of_day = now % (86400ull * 10000000);
    struct buf out;
    buf_init(&out, request->arena);
    buf_printf(&out, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"%s\">\n<Response>\n",
               NS_RESPONSE);
    buf_printf(&out, "<Error Time=\"%02llu:%02llu:%02llu.%07llu\" Id=\"%u\">\n", of_day / 36000000000 % 24,
               of_day / 600000000 % 60, of_day / 10000000 % 60, of_day % 10000000,
               server_number(settings->server_name));
    buf_printf(
        &out,
        "<ErrorCode>%d</ErrorCode>\n<Message>%s</Message>\n<DebugData />\n</Error>\n</Response>\n</Autodiscover>\n",
        code, message);
    http_answer_send(answer, 200, CONTENT_TYPE, buf_blob(&out));
}

/* With both, the distinguished name wins: [MS-OXDSCLI] 3.2.5 */
static const struct account *who(struct autodiscover *a, TALLOC_CTX *arena, const struct pox_request *q)
{
    return q->legacy_dn && *q->legacy_dn ? directory_by_legacy_dn(a->directory, arena, q->legacy_dn)
                                         : directory_by_smtp(a->directory, arena, q->address);
}

void autodiscover_pox(struct http_request *request, struct http_answer *answer)
{
    struct autodiscover *a = request->context;
    const struct org_settings *settings = org_settings(a->org, request->arena);
    struct pox_request q = { NULL, NULL, NULL };
    enum pox_error error = POX_INVALID;
    if (strcmp(request->method, "POST") == 0 && !request->too_large)
        error = parse(request->arena, request->body, &q);
    const struct account *account = error ? NULL : who(a, request->arena, &q);
    if (!error && !account)
        error = POX_NOT_FOUND;
    if (!error && !account->mapi_enabled)
        error = POX_NOTHING_HERE;

    http_answer_header(answer, "Cache-Control", "private");
    if (error) {
        answer_error(request, answer, settings, error);
        return;
    }
    struct autodiscover_client client = client_of(request);
    client.directory = autodiscover_is_owner(request, account) ? a->directory : NULL;
    http_answer_send(answer, 200, CONTENT_TYPE,
                     autodiscover_answer(request->arena, settings, a->directory, account, &client));
}
