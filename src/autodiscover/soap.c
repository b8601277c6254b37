/* SPDX-License-Identifier: Apache-2.0 */
/* The SOAP form: [MS-OXWSADISC] 3.1.4.  A setting is answered or refused by its name; there is no address of a service
 * that is not served.  SOAP has no setting for the URLs of MAPI over HTTP, so whoever asks here is answered as a client
 * that has not sent X-MapiHttpCapability. */
#include "autodiscover/internal.h"
#include "autodiscover/xml.h"

#define NS_SOAP "http://schemas.xmlsoap.org/soap/envelope/"
#define NS_ADDRESSING "http://www.w3.org/2005/08/addressing"
#define NS_AUTODISCOVER "http://schemas.microsoft.com/exchange/2010/Autodiscover"
#define NS_INSTANCE "http://www.w3.org/2001/XMLSchema-instance"
#define ACTION_FAULT NS_ADDRESSING "/soap/fault"
#define CONTENT_TYPE "text/xml; charset=utf-8"

/* What one request may ask for; the answer is their product, at most some 2 MB.  The longest name of a setting is
 * ExternalMailboxServerAuthenticationMethods. */
#define NAMES_MAX 100
#define PRODUCT_MAX 3000
#define TARGET_SIZE_MAX 320
#define SETTING_SIZE_MAX 64

struct names {
    const char *list[NAMES_MAX];
    size_t count;
    bool bad; /* too many, or one too long */
};

struct soap {
    struct buf out;
    TALLOC_CTX *arena;
    struct autodiscover *room;
    const struct http_request *request;
    const struct org_settings *settings;
    struct names targets, wanted;
};

/* ---- settings ---- */

struct subject {
    TALLOC_CTX *arena;
    const struct org_settings *settings;
    const struct account *account, *public_folders;
    const struct org_virtual_directory *anywhere;
    struct policy policy;
    bool mapi_http;
};

static const char *deployment(const struct subject *s)
{
    return guid_text(s->settings->deployment_id, talloc_size(s->arena, GUID_TEXT_SIZE));
}

static const char *server(const struct subject *s)
{
    return s->policy.exch ? account_mailbox_id(s->arena, s->account) : NULL;
}

static const char *server_dn(const struct subject *s)
{
    return s->policy.exch ? account_server_dn(s->arena, s->settings, s->account) : NULL;
}

static const char *database_dn(const struct subject *s)
{
    return s->policy.exch ? autodiscover_mailbox_dn(s->arena, s->settings, s->account) : NULL;
}

static const char *display_name(const struct subject *s)
{
    return s->account->display_name;
}

static const char *legacy_dn(const struct subject *s)
{
    return s->account->legacy_dn;
}

static const char *primary_smtp(const struct subject *s)
{
    return s->account->primary_smtp;
}

static const char *external_server(const struct subject *s)
{
    return s->policy.expr ? s->anywhere->external_hostname : NULL;
}

static const char *external_ssl(const struct subject *s)
{
    return s->policy.expr ? (s->anywhere->external_ssl ? "On" : "Off") : NULL;
}

static const char *external_auth(const struct subject *s)
{
    return s->policy.expr ? autodiscover_auth_package(s->anywhere->external_auth, true) : NULL;
}

static const char *cas_version(const struct subject *s)
{
    return talloc_asprintf(s->arena, "%02d.%02d.%04d.%03d", SERVER_MAJOR, SERVER_MINOR, SERVER_BUILD, SERVER_REVISION);
}

static const char *online(const struct subject *s)
{
    (void)s;
    return "False";
}

static const char *mapi_http(const struct subject *s)
{
    return s->mapi_http ? "True" : "False";
}

static const char *public_folder_information(const struct subject *s)
{
    return s->public_folders ? s->public_folders->primary_smtp : NULL;
}

static const char *public_folder_server(const struct subject *s)
{
    return s->public_folders && s->policy.exch ? s->settings->hostname : NULL;
}

/* Every other name is SettingIsNotAvailable, as is one of these without a value. */
static const struct {
    const char *name;
    const char *(*value)(const struct subject *);
} settings[] = {
    { "AutoDiscoverSMTPAddress", primary_smtp },
    { "CasVersion", cas_version },
    { "ExternalMailboxServer", external_server },
    { "ExternalMailboxServerAuthenticationMethods", external_auth },
    { "ExternalMailboxServerRequiresSSL", external_ssl },
    { "InternalMailboxServer", server },
    { "InternalMailboxServerDN", server_dn },
    { "InternalRpcClientServer", server },
    { "MailboxDN", database_dn },
    { "MapiHttpEnabled", mapi_http },
    { "PublicFolderInformation", public_folder_information },
    { "PublicFolderServer", public_folder_server },
    { "UserDN", legacy_dn },
    { "UserDeploymentId", deployment },
    { "UserDisplayName", display_name },
    { "UserMSOnline", online },
};

static const char *value_of(const struct subject *s, const char *name)
{
    for (size_t i = 0; i < COUNTOF(settings); i++)
        if (strcmp(settings[i].name, name) == 0)
            return settings[i].value(s);
    return NULL;
}

static struct subject subject_of(const struct soap *soap, const struct account *account)
{
    struct policy_input input = directory_policy_input(soap->settings, account);
    struct subject s = { .arena = soap->arena,
                         .settings = soap->settings,
                         .account = account,
                         .public_folders = directory_public_folders(soap->room->directory, soap->arena),
                         .anywhere = org_directory_of(soap->settings, ORG_OUTLOOK_ANYWHERE),
                         .policy = policy_decide(input) };
    input.capability = 1;
    s.mapi_http = policy_decide(input).mapi_http_version > 0;
    return s;
}

/* ---- reading ---- */

/* `inside` NULL: the text stands in the element itself.  An element without text is kept: each has its answer. */
static struct names names_of(TALLOC_CTX *arena, const xmlNode *parent, const char *name, const char *inside,
                             size_t size_max)
{
    struct names out = { .count = 0 };
    for (const xmlNode *n = parent ? parent->children : NULL; n && !out.bad; n = n->next) {
        if (!xml_is(n, NS_AUTODISCOVER, name))
            continue;
        const xmlNode *text = inside ? xml_child(n, NS_AUTODISCOVER, inside) : n;
        const char *value = text ? xml_content(arena, text) : "";
        out.bad = out.count == NAMES_MAX || strlen(value) > size_max;
        if (!out.bad)
            out.list[out.count++] = value;
    }
    return out;
}

/* ---- writing ---- */

static void envelope_begin(struct soap *s, const char *action)
{
    buf_init(&s->out, s->arena);
    buf_printf(&s->out,
               "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<s:Envelope xmlns:s=\"%s\" xmlns:a=\"%s\">\n<s:Header>\n"
               "<a:Action s:mustUnderstand=\"1\">%s</a:Action>\n",
               NS_SOAP, NS_ADDRESSING, action);
    buf_printf(&s->out,
               "<h:ServerVersionInfo xmlns:h=\"%s\">\n<h:MajorVersion>%d</h:MajorVersion>\n"
               "<h:MinorVersion>%d</h:MinorVersion>\n<h:MajorBuildNumber>%d</h:MajorBuildNumber>\n"
               "<h:MinorBuildNumber>%d</h:MinorBuildNumber>\n<h:Version>Exchange2016</h:Version>\n"
               "</h:ServerVersionInfo>\n</s:Header>\n<s:Body>\n",
               NS_AUTODISCOVER, SERVER_MAJOR, SERVER_MINOR, SERVER_BUILD, SERVER_REVISION);
}

static void envelope_end(struct soap *s)
{
    buf_printf(&s->out, "</s:Body>\n</s:Envelope>\n");
}

static void result(struct soap *s, const char *code, const char *message)
{
    xml_put(&s->out, "ErrorCode", code);
    xml_put(&s->out, "ErrorMessage", message);
}

/* The names that have no value, then the values of the others; `kind` is User or Domain. */
#define ALTERNATE_MAILBOXES "AlternateMailboxes"

/* Only the owner hears of mailboxes that he has been given. */
static bool is_alternate_mailboxes(const struct soap *s, const struct subject *subject, const char *name)
{
    return subject && strcmp(name, ALTERNATE_MAILBOXES) == 0 && autodiscover_is_owner(s->request, subject->account);
}

static void setting_errors(struct soap *s, const char *kind, const struct subject *subject)
{
    buf_printf(&s->out, "<%sSettingErrors>\n", kind);
    for (size_t i = 0; i < s->wanted.count; i++) {
        if (subject &&
            (value_of(subject, s->wanted.list[i]) || is_alternate_mailboxes(s, subject, s->wanted.list[i])))
            continue;
        buf_printf(&s->out, "<%sSettingError>\n", kind);
        result(s, "SettingIsNotAvailable", "This setting is not available here.");
        xml_put(&s->out, "SettingName", s->wanted.list[i]);
        buf_printf(&s->out, "</%sSettingError>\n", kind);
    }
    buf_printf(&s->out, "</%sSettingErrors>\n", kind);
}

/* [MS-OXWSADISC] 3.1.4: AlternateMailboxCollectionSetting */
static void alternate_mailboxes(struct soap *s, const struct subject *subject)
{
    const struct account_list mapped = autodiscover_mapped(s->arena, s->room->directory, subject->account);
    buf_printf(&s->out, "<UserSetting i:type=\"AlternateMailboxCollectionSetting\">\n<Name>" ALTERNATE_MAILBOXES
                        "</Name>\n<AlternateMailboxes>\n");
    for (size_t i = 0; i < mapped.count; i++) {
        buf_printf(&s->out, "<AlternateMailbox>\n<Type>Delegate</Type>\n");
        xml_put(&s->out, "DisplayName", mapped.accounts[i]->display_name);
        xml_put(&s->out, "LegacyDN", mapped.accounts[i]->legacy_dn);
        xml_put(&s->out, "Server", account_mailbox_id(s->arena, mapped.accounts[i]));
        xml_put(&s->out, "SmtpAddress", mapped.accounts[i]->primary_smtp);
        xml_put(&s->out, "OwnerSmtpAddress", mapped.accounts[i]->primary_smtp);
        buf_printf(&s->out, "</AlternateMailbox>\n");
    }
    buf_printf(&s->out, "</AlternateMailboxes>\n</UserSetting>\n");
}

static void setting_values(struct soap *s, const struct subject *subject)
{
    buf_printf(&s->out, "<UserSettings>\n");
    for (size_t i = 0; i < s->wanted.count; i++) {
        const char *value = value_of(subject, s->wanted.list[i]);
        if (is_alternate_mailboxes(s, subject, s->wanted.list[i]))
            alternate_mailboxes(s, subject);
        if (!value)
            continue;
        buf_printf(&s->out, "<UserSetting i:type=\"StringSetting\">\n");
        xml_put(&s->out, "Name", s->wanted.list[i]);
        xml_put(&s->out, "Value", value);
        buf_printf(&s->out, "</UserSetting>\n");
    }
    buf_printf(&s->out, "</UserSettings>\n");
}

/* ---- the operations ---- */

static void answer_user(struct soap *s, const char *address)
{
    const struct account *account = directory_by_smtp(s->room->directory, s->arena, address);
    buf_printf(&s->out, "<UserResponse>\n");
    if (account && account->mapi_enabled) {
        const struct subject subject = subject_of(s, account);
        result(s, "NoError", "No error.");
        buf_printf(&s->out, "<RedirectTarget i:nil=\"true\" />\n");
        setting_errors(s, "User", &subject);
        setting_values(s, &subject);
    } else {
        result(s, "InvalidUser", "The email address can't be found.");
        buf_printf(&s->out, "<RedirectTarget i:nil=\"true\" />\n<UserSettingErrors />\n<UserSettings />\n");
    }
    buf_printf(&s->out, "</UserResponse>\n");
}

/* All that a domain could have is the address of EWS, which is not served. */
static void answer_domain(struct soap *s, const char *domain)
{
    buf_printf(&s->out, "<DomainResponse>\n");
    if (!strchr(domain, '@') && org_domain_of(s->settings, domain)) {
        result(s, "NoError", "No error.");
        setting_errors(s, "Domain", NULL);
    } else {
        result(s, "InvalidDomain", "The domain is not one of this organization.");
        buf_printf(&s->out, "<DomainSettingErrors />\n");
    }
    buf_printf(&s->out, "<DomainSettings />\n<RedirectTarget i:nil=\"true\" />\n</DomainResponse>\n");
}

static const struct operation {
    const char *name, *request;
    const char *list, *item, *inside; /* who is asked for: Users/User/Mailbox */
    const char *responses;
    void (*answer)(struct soap *, const char *target);
} operations[] = {
    { "GetUserSettings", "GetUserSettingsRequestMessage", "Users", "User", "Mailbox", "UserResponses", answer_user },
    { "GetDomainSettings", "GetDomainSettingsRequestMessage", "Domains", "Domain", NULL, "DomainResponses",
      answer_domain },
};

static const struct operation *operation_of(const xmlNode *body, const xmlNode **message)
{
    for (size_t i = 0; i < COUNTOF(operations); i++)
        if ((*message = xml_child(body, NS_AUTODISCOVER, operations[i].request)))
            return &operations[i];
    return NULL;
}

static void read_request(struct soap *s, const struct operation *op, const xmlNode *message)
{
    const xmlNode *request = xml_child(message, NS_AUTODISCOVER, "Request");
    s->targets =
        names_of(s->arena, xml_child(request, NS_AUTODISCOVER, op->list), op->item, op->inside, TARGET_SIZE_MAX);
    s->wanted =
        names_of(s->arena, xml_child(request, NS_AUTODISCOVER, "RequestedSettings"), "Setting", NULL, SETTING_SIZE_MAX);
}

static const char *what_is_wrong(const struct soap *s)
{
    if (s->targets.bad || s->wanted.bad || s->targets.count * s->wanted.count > PRODUCT_MAX)
        return "The request asks for too much at once.";
    if (!s->targets.count)
        return "The request names nobody to answer for.";
    return s->wanted.count ? NULL : "The request names no setting.";
}

static void answer_operation(struct soap *s, const struct operation *op)
{
    const char *wrong = what_is_wrong(s);
    envelope_begin(s, talloc_asprintf(s->arena, NS_AUTODISCOVER "/Autodiscover/%sResponse", op->name));
    buf_printf(&s->out, "<%sResponseMessage xmlns=\"%s\">\n<Response xmlns:i=\"%s\">\n", op->name, NS_AUTODISCOVER,
               NS_INSTANCE);
    result(s, wrong ? "InvalidRequest" : "NoError", wrong ? wrong : "");
    buf_printf(&s->out, "<%s>\n", op->responses);
    for (size_t i = 0; !wrong && i < s->targets.count; i++)
        op->answer(s, s->targets.list[i]);
    buf_printf(&s->out, "</%s>\n</Response>\n</%sResponseMessage>\n", op->responses, op->name);
    envelope_end(s);
}

/* SOAP 1.1 section 4.4, and over HTTP section 6.2: a fault is status 500. */
static void answer_fault(struct soap *s, const char *code, const char *text)
{
    envelope_begin(s, ACTION_FAULT);
    buf_printf(&s->out,
               "<s:Fault>\n<faultcode>%s</faultcode>\n<faultstring xml:lang=\"en-US\">%s</faultstring>\n</s:Fault>\n",
               code, text);
    envelope_end(s);
}

static unsigned answer_document(struct soap *s, struct blob document)
{
    xmlDoc *doc = xml_read(document);
    const xmlNode *root = doc ? xmlDocGetRootElement(doc) : NULL, *message = NULL;
    const xmlNode *body = root && xml_is(root, NS_SOAP, "Envelope") ? xml_child(root, NS_SOAP, "Body") : NULL;
    const struct operation *op = operation_of(body, &message);
    if (op)
        read_request(s, op, message);
    xmlFreeDoc(doc);
    if (op)
        answer_operation(s, op);
    else if (body)
        answer_fault(s, "a:ActionNotSupported",
                     "This operation is not supported; GetUserSettings and GetDomainSettings are.");
    else
        answer_fault(s, "s:Client", "This is not a SOAP 1.1 envelope.");
    return op ? 200 : 500;
}

void autodiscover_soap(struct http_request *request, struct http_answer *answer)
{
    struct autodiscover *room = request->context;
    if (strcmp(request->method, "POST") != 0) {
        http_answer_header(answer, "Allow", "POST");
        http_answer_text(answer, 405, "Ask with POST.\r\n");
        return;
    }
    struct soap s = { .arena = request->arena, .room = room, .request = request, .settings = org_settings(room->org, request->arena) };
    const unsigned status = answer_document(&s, request->too_large ? (struct blob){ 0 } : request->body);
    http_answer_header(answer, "Cache-Control", "private");
    http_answer_send(answer, status, CONTENT_TYPE, buf_blob(&s.out));
}
