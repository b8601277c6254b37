/* SPDX-License-Identifier: Apache-2.0 */
/* Autodiscover, the plain XML form: [MS-OXDSCLI] 2.2, 3.1.5. */
#include <arpa/inet.h>
#include <libxml/parser.h>
#include <stdlib.h>

#include "client/internal.h"

#define SCHEMA_REQUEST "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
#define SCHEMA_RESPONSE "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
#define USER_AGENT "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.15928; Pro)"
#define PATH "/autodiscover/autodiscover.xml"
#define REDIRECTS_MAX 10

/* What an answer asks for instead of being one. */
struct redirect {
    const char *url, *address;
};

/* ---- who gets the password ----
 * Basic gives it to whoever is asked.  So it goes over TLS alone, but for the http:// server that the user named and for
 * this machine.  Outlook asks its user before it follows a redirect to another domain ([MS-OXDSCLI] 4.1 leaves it to the
 * client); nobody is there to ask here: such a host is asked without a password, and so are the URLs that it names. */

static const char *url_part(TALLOC_CTX *arena, const char *url, CURLUPart part)
{
    CURLU *u = curl_url();
    char *text = NULL;
    if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK)
        curl_url_get(u, part, &text, 0);
    const char *copy = talloc_strdup(arena, text ? text : "");
    curl_free(text);
    curl_url_cleanup(u);
    return copy;
}

static bool is_or_is_below(const char *host, const char *domain)
{
    const size_t size = strlen(host), of = strlen(domain);
    return of && size >= of && strcasecmp(host + size - of, domain) == 0 && (size == of || host[size - of - 1] == '.');
}

/* RFC 6761 6.3 */
static bool is_this_machine(const char *host)
{
    unsigned char v4[4];
    return is_or_is_below(host, "localhost") || strcmp(host, "[::1]") == 0 ||
           (inet_pton(AF_INET, host, v4) == 1 && v4[0] == 127);
}

/* http://HOST:PORT stands for every URL of that server, which cannot know that it is reached without TLS. */
static const char *plain_base(const struct client *c)
{
    return c->options.server && text_is_prefix(c->options.server, "http://") ? c->options.server : NULL;
}

static bool is_named_server(TALLOC_CTX *arena, const struct client *c, const char *host)
{
    const char *server = c->options.server;
    if (!server)
        return false;
    if (!strstr(server, "://"))
        server = talloc_asprintf(arena, "https://%s", server);
    return strcasecmp(host, url_part(arena, server, CURLUPART_HOST)) == 0;
}

static bool is_safe(TALLOC_CTX *arena, const struct client *c, const char *url)
{
    const char *scheme = url_part(arena, url, CURLUPART_SCHEME), *host = url_part(arena, url, CURLUPART_HOST);
    return strcasecmp(scheme, "https") == 0 ||
           (strcasecmp(scheme, "http") == 0 &&
            (is_this_machine(host) || (plain_base(c) && is_named_server(arena, c, host))));
}

static bool gets_password(TALLOC_CTX *arena, const struct client *c, const char *url)
{
    const char *host = url_part(arena, url, CURLUPART_HOST), *at = strrchr(c->options.address, '@');
    return is_named_server(arena, c, host) || (at && is_or_is_below(host, at + 1));
}

/* ---- asking ---- */

static const char *escaped(TALLOC_CTX *arena, const char *text)
{
    xmlChar *raw = xmlEncodeSpecialChars(NULL, (const xmlChar *)text);
    const char *out = talloc_strdup(arena, (const char *)raw);
    xmlFree(raw);
    return out;
}

static struct blob request_body(TALLOC_CTX *arena, const char *address)
{
    struct buf b;
    buf_init(&b, arena);
    buf_printf(&b, "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"%s\">\n  <Request>\n", SCHEMA_REQUEST);
    buf_printf(&b, "    <EMailAddress>%s</EMailAddress>\n", escaped(arena, address));
    buf_printf(&b, "    <AcceptableResponseSchema>%s</AcceptableResponseSchema>\n  </Request>\n</Autodiscover>\n", SCHEMA_RESPONSE);
    return buf_blob(&b);
}

static void send_request(struct client *c, TALLOC_CTX *arena, const char *url, const char *address)
{
    const char *const headers[] = {
        "Content-Type: text/xml; charset=utf-8", "User-Agent: " USER_AGENT, "Accept: text/xml",
        "X-ClientCanHandle: Negotiate, ExHttpInfo", talloc_asprintf(arena, "X-AnchorMailbox: %s", address),
        c->options.no_capability ? NULL : "X-MapiHttpCapability: 1", NULL,
    };
    const struct http_call call = { .method = "POST",
                                    .url = url,
                                    .headers = headers,
                                    .body = request_body(arena, address),
                                    .anonymous = !gets_password(arena, c, url) };
    record_request(c, &call, "Autodiscover");
    record_line(c, "%.*s", (int)call.body.size, (const char *)call.body.data);
    transfer_start(c->call, arena, &call);
}

/* ---- reading ---- */

static bool is_element(const xmlNode *n, const char *name)
{
    return n->type == XML_ELEMENT_NODE && strcmp((const char *)n->name, name) == 0;
}

static xmlNode *child(const xmlNode *parent, const char *name)
{
    xmlNode *n = parent ? parent->children : NULL;
    while (n && !is_element(n, name))
        n = n->next;
    return n;
}

static const char *node_text(TALLOC_CTX *owner, xmlNode *n)
{
    xmlChar *raw = n ? xmlNodeGetContent(n) : NULL;
    if (!raw)
        return NULL;
    const char *from = (const char *)raw + strspn((const char *)raw, " \t\r\n");
    size_t length = strlen(from);
    while (length && strchr(" \t\r\n", from[length - 1]))
        length--;
    char *text = talloc_strndup(owner, from, length);
    xmlFree(raw);
    return *text ? text : NULL;
}

static const char *child_text(TALLOC_CTX *owner, const xmlNode *parent, const char *name)
{
    return node_text(owner, child(parent, name));
}

static struct client_urls read_urls(TALLOC_CTX *owner, const xmlNode *parent)
{
    return (struct client_urls){ child_text(owner, parent, "InternalUrl"), child_text(owner, parent, "ExternalUrl") };
}

/* mapiHttp says its type in an attribute, the others in a child: 2.2.4.1.1.2.6 */
static void read_protocol(struct client_discovery *d, xmlNode *protocol)
{
    xmlChar *attribute = xmlGetProp(protocol, (const xmlChar *)"Type");
    const char *type = attribute ? talloc_strdup(d, (const char *)attribute) : child_text(d, protocol, "Type");
    xmlFree(attribute);
    if (!type)
        return;
    d->protocols = talloc_asprintf(d, "%s%s%s", d->protocols, *d->protocols ? " " : "", type);
    if (strcmp(type, "mapiHttp") == 0) {
        d->mapi_http = true;
        d->mail_store = read_urls(d, child(protocol, "MailStore"));
        d->address_book = read_urls(d, child(protocol, "AddressBook"));
    } else if (strcmp(type, "EXCH") == 0) {
        d->exch_server = child_text(d, protocol, "Server");
    } else if (strcmp(type, "EXPR") == 0) {
        d->expr_server = child_text(d, protocol, "Server");
    }
}

static void read_answer(struct client_discovery *d, const xmlNode *response, struct redirect *redirect)
{
    const xmlNode *user = child(response, "User"), *account = child(response, "Account"), *error = child(response, "Error");
    const char *code = child_text(d, error, "ErrorCode");
    d->error_code = code ? (unsigned)strtoul(code, NULL, 10) : 0;
    d->error_message = child_text(d, error, "Message");
    d->display_name = child_text(d, user, "DisplayName");
    d->legacy_dn = child_text(d, user, "LegacyDN");
    d->smtp_address = child_text(d, user, "AutoDiscoverSMTPAddress");
    d->deployment_id = child_text(d, user, "DeploymentId");
    redirect->address = child_text(d, account, "RedirectAddr");
    redirect->url = child_text(d, account, "RedirectUrl");
    for (xmlNode *n = account ? account->children : NULL; n; n = n->next)
        if (is_element(n, "Protocol"))
            read_protocol(d, n);
}

static enum ec read_xml(struct client *c, const char *url, struct blob xml, struct redirect *redirect)
{
    struct client_discovery *d = talloc_zero(c, struct client_discovery);
    talloc_free(c->found);
    c->found = d;
    d->url = talloc_strdup(d, url);
    d->protocols = "";
    d->xml = talloc_strndup(d, xml.size ? (const char *)xml.data : "", xml.size);
    xmlDoc *doc = xmlReadMemory(d->xml, (int)MIN(xml.size, 1u << 24), NULL, NULL,
                                XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL;
    const xmlNode *response = root && is_element(root, "Autodiscover") ? child(root, "Response") : NULL;
    if (response)
        read_answer(d, response, redirect);
    xmlFreeDoc(doc);
    if (!response)
        return client_fail(c, CLIENT_FORMAT, ecRpcFormat, 0, "%s does not answer as Autodiscover does", url);
    if (d->error_code)
        return client_fail(c, CLIENT_AUTODISCOVER, ecUnknownUser, d->error_code, "Autodiscover error %u: %s", d->error_code,
                           d->error_message ? d->error_message : "");
    return ecNone;
}

/* ---- where to ---- */

const char *client_usable_url(struct client *c, const char *url)
{
    const char *base = plain_base(c), *host = url ? strstr(url, "://") : NULL;
    TALLOC_CTX *arena = talloc_new(NULL);
    if (base && host)
        url = talloc_asprintf(arena, "%s%s", base, host + 3 + strcspn(host + 3, "/"));
    const bool good =
        url && is_safe(arena, c, url) && (gets_password(arena, c, url) || gets_password(arena, c, c->found->url));
    const char *usable = good ? talloc_strdup(c, url) : NULL;
    talloc_free(arena);
    return usable;
}

static enum ec choose(struct client *c, enum client_endpoint e, const struct client_urls *urls)
{
    const char *first = c->options.external ? urls->external : urls->internal;
    const char *second = c->options.external ? urls->internal : urls->external;
    const char *url = client_usable_url(c, first);
    c->contexts[e].url = url ? url : client_usable_url(c, second);
    if (c->contexts[e].url || (!first && !second))
        return ecNone;
    return client_fail(c, CLIENT_AUTODISCOVER, ecRpcFailed, 0, "Autodiscover names %s, which must not see the password",
                       first ? first : second);
}

/* One address of the service, and where it leads. */
static enum ec ask(struct client *c, const char *url, const char *address)
{
    for (unsigned i = 0; i < REDIRECTS_MAX; i++) {
        struct redirect redirect = { NULL, NULL };
        TALLOC_CTX *arena = talloc_new(c);
        send_request(c, arena, url, address);
        enum ec ec = transfer_finish(c->call);
        const struct http_headers headers = transfer_headers(c->call);
        if (!ec)
            record_answer(c, c->call, "Autodiscover");
        if (!ec && (c->call->status == 301 || c->call->status == 302))
            redirect.url = http_header(&headers, "Location");
        else if (!ec && c->call->status == 401 && !gets_password(arena, c, url))
            ec = client_fail(
                c, CLIENT_HTTP, ecLoginFailure, 401,
                "Autodiscover leads to %s, which asks for the password; it gets it only where it is named as the"
                " server",
                url);
        else if (!ec && c->call->status != 200)
            ec = client_fail_http(c, c->call, url);
        else if (!ec) {
            record_line(c, "%.*s", (int)c->call->body.size, (const char *)c->call->body.data);
            ec = read_xml(c, url, buf_blob(&c->call->body), &redirect);
        }
        url = redirect.url ? talloc_strdup(c, redirect.url) : url;
        address = redirect.address ? redirect.address : address;
        const bool safe = is_safe(arena, c, url);
        talloc_free(arena);
        if (ec || (!redirect.url && !redirect.address))
            return ec;
        if (!safe)
            return client_fail(c, CLIENT_AUTODISCOVER, ecRpcFailed, 0, "Autodiscover leads to %s, which is not https", url);
    }
    return client_fail(c, CLIENT_AUTODISCOVER, ecRpcFailed, 0, "Autodiscover goes round in circles");
}

static const char *candidate(TALLOC_CTX *arena, const struct client *c, unsigned i)
{
    const char *server = c->options.server, *at = strrchr(c->options.address, '@');
    if (server)
        return i ? NULL : talloc_asprintf(arena, "%s%s" PATH, strstr(server, "://") ? "" : "https://", server);
    if (!at || i > 1)
        return NULL;
    return talloc_asprintf(arena, "https://%s%s" PATH, i ? "autodiscover." : "", at + 1);
}

enum ec client_discover(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    enum ec ec = client_fail(c, CLIENT_AUTODISCOVER, ecInvalidParam, 0, "%s is not a mail address", c->options.address);
    const char *url;
    for (unsigned i = 0; ec && (url = candidate(arena, c, i)); i++) {
        ec = ask(c, url, c->options.address);
        if (c->error.level == CLIENT_AUTODISCOVER && c->found->error_code)
            break;
    }
    talloc_free(arena);
    if (ec)
        return ec;
    c->legacy_dn = talloc_strdup(c, c->found->legacy_dn ? c->found->legacy_dn : "");
    ec = choose(c, CLIENT_EMSMDB, &c->found->mail_store);
    return ec ? ec : choose(c, CLIENT_NSPI, &c->found->address_book);
}

const struct client_discovery *client_discovery(const struct client *c)
{
    return c->found;
}
