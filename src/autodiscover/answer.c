/* SPDX-License-Identifier: Apache-2.0 */
/* The answer document: [MS-OXDSCLI] 2.2.4.1.  Elements stand in the order of the schema. */
#include "autodiscover/internal.h"
#include "autodiscover/xml.h"

#define NS_RESPONSE "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
#define NS_OUTLOOK "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
#define MAPI_HTTP_VERSION_MAX 1u

/* ServerVersion, 32 bits: 4 format (7), 6 major, 6 minor, 1 flag, 15 build. */
#define SERVER_VERSION (7u << 28 | SERVER_MAJOR << 22 | SERVER_MINOR << 16 | 1u << 15 | SERVER_BUILD)

struct answer {
    struct buf out;
    TALLOC_CTX *arena;
    const struct org_settings *settings;
    const struct account *account, *public_folders;
    const struct autodiscover_client *client;
    const struct org_virtual_directory *mapi, *anywhere;
    struct policy policy;
};

/* ---- Protocol elements ---- */

static void urls(struct answer *a, const char *name, const char *endpoint)
{
    buf_printf(&a->out, "<%s>\n", name);
    if (a->policy.mapi_http & POLICY_INTERNAL)
        xml_put(&a->out, "InternalUrl", account_mapi_url(a->arena, a->mapi->internal_url, endpoint, a->account));
    if (a->policy.mapi_http & POLICY_EXTERNAL)
        xml_put(&a->out, "ExternalUrl", account_mapi_url(a->arena, a->mapi->external_url, endpoint, a->account));
    buf_printf(&a->out, "</%s>\n", name);
}

/* [MS-OXDSCLI] 2.2.4.1.1.2.6 */
static void mapi_http(struct answer *a)
{
    buf_printf(&a->out, "<Protocol Type=\"mapiHttp\" Version=\"%u\">\n", a->policy.mapi_http_version);
    urls(a, "MailStore", "emsmdb");
    urls(a, "AddressBook", "nspi");
    buf_printf(&a->out, "</Protocol>\n");
}

const char *autodiscover_auth_package(enum org_auth method, bool negotiate)
{
    switch (method) {
    case ORG_BASIC: return "Basic";
    case ORG_NEGOTIATE: return negotiate ? "Negotiate" : "Ntlm";
    default: return "Ntlm";
    }
}

const char *autodiscover_mailbox_dn(TALLOC_CTX *arena, const struct org_settings *settings,
                                    const struct account *account)
{
    return talloc_asprintf(arena, "%s/cn=Microsoft Private MDB", account_server_dn(arena, settings, account));
}

/* Inside, by RPC: what is left of it names the mailbox's own server. */
static void exch(struct answer *a)
{
    buf_printf(&a->out, "<Protocol>\n<Type>EXCH</Type>\n");
    xml_put(&a->out, "Server", account_mailbox_id(a->arena, a->account));
    xml_put(&a->out, "ServerDN", account_server_dn(a->arena, a->settings, a->account));
    buf_printf(&a->out, "<ServerVersion>%08X</ServerVersion>\n", SERVER_VERSION);
    xml_put(&a->out, "MdbDN", autodiscover_mailbox_dn(a->arena, a->settings, a->account));
    if (a->public_folders)
        xml_put(&a->out, "PublicFolderServer", a->settings->hostname);
    buf_printf(&a->out, "<Port>0</Port>\n<DirectoryPort>0</DirectoryPort>\n<ReferralPort>0</ReferralPort>\n");
    if (a->anywhere)
        xml_put(&a->out, "AuthPackage", autodiscover_auth_package(a->anywhere->internal_auth, a->client->negotiate));
    buf_printf(&a->out, "<ServerExclusiveConnect>off</ServerExclusiveConnect>\n</Protocol>\n");
}

static void anywhere(struct answer *a, const char *type, const char *host, bool ssl, enum org_auth auth,
                     const char *exclusive)
{
    buf_printf(&a->out, "<Protocol>\n<Type>%s</Type>\n", type);
    xml_put(&a->out, "Server", host);
    xml_put(&a->out, "SSL", ssl ? "On" : "Off");
    xml_put(&a->out, "AuthPackage", autodiscover_auth_package(auth, a->client->negotiate));
    xml_put(&a->out, "ServerExclusiveConnect", exclusive);
    buf_printf(&a->out, "</Protocol>\n");
}

static void expr(struct answer *a)
{
    const struct org_virtual_directory *d = a->anywhere;
    anywhere(a, "EXPR", d->external_hostname, d->external_ssl, d->external_auth, "on");
}

/* First the internal host, then the external one; the same host on both sides is one element. */
static void exhttp(struct answer *a)
{
    const struct org_virtual_directory *d = a->anywhere;
    const bool inside = a->policy.exhttp & POLICY_INTERNAL, outside = a->policy.exhttp & POLICY_EXTERNAL;
    const bool same = inside && outside && strcasecmp(d->internal_hostname, d->external_hostname) == 0 &&
                      d->internal_ssl == d->external_ssl && d->internal_auth == d->external_auth;
    if (inside)
        anywhere(a, "EXHTTP", d->internal_hostname, d->internal_ssl, d->internal_auth, "On");
    if (outside && !same)
        anywhere(a, "EXHTTP", d->external_hostname, d->external_ssl, d->external_auth, "On");
}

/* There is no web client and no EWS here, so the two sides hold no address. */
static void web(struct answer *a)
{
    buf_printf(&a->out, "<Protocol>\n<Type>WEB</Type>\n");
    if (a->policy.web & POLICY_INTERNAL)
        buf_printf(&a->out, "<Internal>\n<Protocol>\n<Type>EXCH</Type>\n</Protocol>\n</Internal>\n");
    if (a->policy.web & POLICY_EXTERNAL)
        buf_printf(&a->out, "<External>\n<Protocol>\n<Type>EXPR</Type>\n</Protocol>\n</External>\n");
    buf_printf(&a->out, "</Protocol>\n");
}

/* ---- mailboxes of others ---- */

struct account_list autodiscover_mapped(TALLOC_CTX *arena, struct directory *directory, const struct account *owner)
{
    const unsigned both = GRANT_FULL_ACCESS | GRANT_AUTO_MAPPING;
    const struct grant_list grants = directory_grants_to(directory, arena, owner);
    const struct account **list = talloc_array(arena, const struct account *, grants.count + 1);
    size_t count = 0;
    for (size_t i = 0; i < grants.count; i++) {
        const struct grant *g = &grants.items[i];
        const struct account *a = directory_by_guid(directory, arena, g->mailbox);
        if (a && a->mapi_enabled && (g->allowed & ~g->denied & both) == both)
            list[count++] = a;
    }
    return (struct account_list){ list, count };
}

bool autodiscover_is_owner(const struct http_request *request, const struct account *account)
{
    struct guid user;
    return request->user && guid_parse(request->user->id, &user) && guid_equal(user, account->mailbox_guid);
}

/* [MS-OXDSCLI] 2.2.4.1.1.2.2 */
static void alternative_mailboxes(struct answer *a)
{
    const struct account_list mapped = autodiscover_mapped(a->arena, a->client->directory, a->account);
    for (size_t i = 0; i < mapped.count; i++) {
        buf_printf(&a->out, "<AlternativeMailbox>\n<Type>Delegate</Type>\n");
        xml_put(&a->out, "DisplayName", mapped.accounts[i]->display_name);
        xml_put(&a->out, "SmtpAddress", mapped.accounts[i]->primary_smtp);
        xml_put(&a->out, "OwnerSmtpAddress", mapped.accounts[i]->primary_smtp);
        buf_printf(&a->out, "</AlternativeMailbox>\n");
    }
}

/* ---- the document ---- */

static void user(struct answer *a)
{
    char id[GUID_TEXT_SIZE];
    buf_printf(&a->out, "<User>\n");
    xml_put(&a->out, "DisplayName", a->account->display_name);
    xml_put(&a->out, "LegacyDN", a->account->legacy_dn);
    xml_put(&a->out, "AutoDiscoverSMTPAddress", a->account->primary_smtp);
    xml_put(&a->out, "DeploymentId", guid_text(a->settings->deployment_id, id));
    buf_printf(&a->out, "</User>\n");
}

static void protocols(struct answer *a)
{
    const struct policy *p = &a->policy;
    if (p->mapi_http_version)
        mapi_http(a);
    if (p->exch)
        exch(a);
    if (p->expr)
        expr(a);
    if (p->web)
        web(a);
    if (p->exhttp)
        exhttp(a);
}

/* 2.2.4.1.1.2.7: the client asks again, for this address, and logs on there. */
static void public_folders(struct answer *a)
{
    if (!a->public_folders)
        return;
    buf_printf(&a->out, "<PublicFolderInformation>\n");
    xml_put(&a->out, "SmtpAddress", a->public_folders->primary_smtp);
    buf_printf(&a->out, "</PublicFolderInformation>\n");
}

struct blob autodiscover_answer(TALLOC_CTX *arena, const struct org_settings *settings, struct directory *directory,
                                const struct account *account, const struct autodiscover_client *client)
{
    struct answer a = { .arena = arena,
                        .settings = settings,
                        .account = account,
                        .public_folders = directory_public_folders(directory, arena),
                        .client = client,
                        .mapi = org_directory_of(settings, ORG_MAPI),
                        .anywhere = org_directory_of(settings, ORG_OUTLOOK_ANYWHERE) };
    struct policy_input input = directory_policy_input(settings, account);
    input.capability = MIN(client->capability, MAPI_HTTP_VERSION_MAX);
    input.exhttp = client->exhttp;
    a.policy = policy_decide(input);

    buf_init(&a.out, arena);
    buf_printf(&a.out,
               "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<Autodiscover xmlns=\"%s\">\n<Response xmlns=\"%s\">\n",
               NS_RESPONSE, NS_OUTLOOK);
    user(&a);
    buf_printf(&a.out, "<Account>\n<AccountType>email</AccountType>\n<Action>settings</Action>\n"
                       "<MicrosoftOnline>False</MicrosoftOnline>\n<ConsumerMailbox>False</ConsumerMailbox>\n");
    protocols(&a);
    if (client->directory)
        alternative_mailboxes(&a);
    public_folders(&a);
    buf_printf(&a.out, "</Account>\n</Response>\n</Autodiscover>\n");
    return buf_blob(&a.out);
}
