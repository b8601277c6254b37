/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXDSCLI] 2.2.2 to 2.2.4 and 3.2.5: who is found, and what a request that is none gets. */
#include <libxml/parser.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include "autodiscover/fixture.h"
#include "autodiscover/xml.h"

#define NS_REQUEST "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
#define NS_RESPONSE "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006"
#define SCHEMA "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"

static const char *request_for(struct fixture *f, const char *who, const char *schema)
{
    return talloc_asprintf(f->arena,
                           "<Autodiscover xmlns=\"%s\"><Request>%s<AcceptableResponseSchema>%s"
                           "</AcceptableResponseSchema></Request></Autodiscover>",
                           NS_REQUEST, who, schema);
}

static struct reply post(struct fixture *f, const char *body)
{
    const struct reply r = fixture_ask(f, autodiscover_pox,
                                       (struct http_request){ .method = "POST", .body = BLOB_OF(body, strlen(body)) });
    assert_int_equal(r.status, 200);
    return r;
}

static void expect_error(struct fixture *f, const char *body, unsigned code)
{
    assert_non_null(strstr(post(f, body).body, talloc_asprintf(f->arena, "<ErrorCode>%u</ErrorCode>", code)));
}

static void a_mailbox_is_found_by_address_and_by_LegacyDN(void **state)
{
    struct fixture *f = *state;
    const char *dn = talloc_asprintf(f->arena, "<LegacyDN>%s</LegacyDN>", f->alice->legacy_dn);
    const char *who[] = { "<EMailAddress> ALICE@contoso.com\n</EMailAddress>", dn,
                          talloc_asprintf(f->arena, "<EMailAddress>nobody@contoso.com</EMailAddress>%s", dn) };
    for (size_t i = 0; i < COUNTOF(who); i++) {
        const struct reply r = post(f, request_for(f, who[i], SCHEMA));
        assert_non_null(strstr(r.body, "<DisplayName>Alice &lt;Example&gt; &amp; Sons</DisplayName>"));
        assert_non_null(strstr(r.body, talloc_asprintf(f->arena, "<LegacyDN>%s</LegacyDN>", f->alice->legacy_dn)));
    }
}

static void whoever_is_not_there_is_500_and_another_schema_601(void **state)
{
    struct fixture *f = *state;
    expect_error(f, request_for(f, "<EMailAddress>nobody@contoso.com</EMailAddress>", SCHEMA), 500);
    expect_error(f, request_for(f, "<EMailAddress>alice@contoso.com</EMailAddress><LegacyDN>/o=x</LegacyDN>", SCHEMA),
                 500);
    expect_error(f, request_for(f, "<EMailAddress>alice@contoso.com</EMailAddress>", "urn:other"), 601);
}

static void what_is_no_request_is_600(void **state)
{
    struct fixture *f = *state;
    expect_error(f, "", 600);
    expect_error(f, "<Autodiscover", 600);
    expect_error(f, "<Autodiscover/>", 600);
    expect_error(f, request_for(f, "", SCHEMA), 600);
    const char *entity = talloc_asprintf(f->arena, "<!DOCTYPE a [<!ENTITY e \"alice@contoso.com\">]>%s",
                                         request_for(f, "<EMailAddress>&e;</EMailAddress>", SCHEMA));
    expect_error(f, entity, 600);
    const struct reply get = fixture_ask(f, autodiscover_pox, (struct http_request){ .method = "GET" });
    assert_non_null(strstr(get.body, "<ErrorCode>600</ErrorCode>"));
}

/* ---- the answer, as a client reads it ---- */

struct client {
    const char *capability, *user_agent, *can_handle; /* header lines; NULL: not sent */
};
static const struct client outlook = { "1",
                                       "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)",
                                       NULL };
static const struct client outlook_2010 = { NULL,
                                            "Microsoft Office/14.0 (Windows NT 6.1; Microsoft Outlook 14.0.7268; Pro)",
                                            NULL };

static xmlXPathContext *ask(struct fixture *f, const struct client *client)
{
    const char *body = request_for(f, "<EMailAddress>alice@contoso.com</EMailAddress>", SCHEMA);
    struct http_header list[3];
    struct http_request request = { .method = "POST", .body = BLOB_OF(body, strlen(body)), .headers.list = list };
    const struct http_header all[] = { { "x-mapihttpcapability", client->capability },
                                       { "User-Agent", client->user_agent },
                                       { "X-ClientCanHandle", client->can_handle } };
    for (size_t i = 0; i < COUNTOF(all); i++)
        if (all[i].value)
            list[request.headers.count++] = all[i];
    const struct reply r = fixture_ask(f, autodiscover_pox, request);
    assert_int_equal(r.status, 200);
    assert_non_null(strstr(r.head, "Content-Type: text/xml; charset=utf-8\r\n"));
    assert_non_null(strstr(r.head, "Cache-Control: private\r\n"));
    xmlDoc *doc = xmlReadMemory(r.body, (int)strlen(r.body), NULL, NULL, XML_PARSE_NOERROR | XML_PARSE_NONET);
    assert_non_null(doc);
    xmlXPathContext *x = xmlXPathNewContext(doc);
    xmlXPathRegisterNs(x, (const xmlChar *)"r", (const xmlChar *)NS_RESPONSE);
    xmlXPathRegisterNs(x, (const xmlChar *)"o", (const xmlChar *)SCHEMA);
    return x;
}

static void done(xmlXPathContext *x)
{
    xmlDoc *doc = x->doc;
    xmlXPathFreeContext(x);
    xmlFreeDoc(doc);
}

static double number(xmlXPathContext *x, const char *expression)
{
    xmlXPathObject *o = xmlXPathEvalExpression((const xmlChar *)expression, x);
    assert_non_null(o);
    const double n = xmlXPathCastToNumber(o);
    xmlXPathFreeObject(o);
    return n;
}

static void expect_count(xmlXPathContext *x, const char *path, int count)
{
    char expression[300];
    snprintf(expression, sizeof expression, "count(%s)", path);
    assert_int_equal((int)number(x, expression), count);
}

static void expect_text(struct fixture *f, xmlXPathContext *x, const char *path, const char *text)
{
    xmlXPathObject *o = xmlXPathEvalExpression((const xmlChar *)path, x);
    xmlChar *found = xmlXPathCastToString(o);
    const char *copy = talloc_strdup(f->arena, (const char *)found);
    xmlFree(found);
    xmlXPathFreeObject(o);
    assert_string_equal(copy, text);
}

#define PROTOCOL "/r:Autodiscover/o:Response/o:Account/o:Protocol"
#define OF_TYPE(type) PROTOCOL "[o:Type='" type "']"
#define MAPI_HTTP PROTOCOL "[@Type='mapiHttp']"

/* ---- the table of Microsoft's page on MAPI over HTTP ---- */

enum { NO = 0, I = POLICY_INTERNAL, IE = POLICY_BOTH };

static const struct row {
    bool organization;
    enum org_switch mailbox;
    bool block;
    unsigned mapi_http, sides; /* of the mapiHttp element; of EXHTTP and WEB */
    bool exch, expr;
} rows[] = {
    { true, ORG_UNSET, false, IE, IE, false, false }, { true, ORG_UNSET, true, I, I, false, false },
    { true, ORG_ON, false, IE, IE, false, false },    { true, ORG_ON, true, I, I, false, false },
    { true, ORG_OFF, false, NO, IE, true, true },     { true, ORG_OFF, true, NO, I, true, false },
    { false, ORG_UNSET, false, NO, IE, true, true },  { false, ORG_UNSET, true, NO, I, true, false },
    { false, ORG_ON, false, IE, IE, false, false },   { false, ORG_ON, true, I, I, false, false },
    { false, ORG_OFF, false, NO, IE, true, true },    { false, ORG_OFF, true, NO, I, true, false },
};

static void set_directory(struct fixture *f, enum org_directory_kind kind,
                          void (*change)(struct org_virtual_directory *))
{
    struct org_virtual_directory d = *org_directory_of(org_settings(f->room.org, f->arena), kind);
    change(&d);
    assert_int_equal(org_directory_set(f->room.org, &d), ecNone);
}

static void both_urls(struct org_virtual_directory *d)
{
    d->internal_url = "https://in.contoso.com/mapi";
    d->external_url = "https://out.contoso.com/mapi";
}

static void both_hosts(struct org_virtual_directory *d)
{
    d->internal_hostname = "in.contoso.com";
    d->external_hostname = "out.contoso.com";
}

static void one_host(struct org_virtual_directory *d)
{
    d->internal_hostname = d->external_hostname = "mail.contoso.com";
}

static void no_url(struct org_virtual_directory *d)
{
    d->internal_url = d->external_url = NULL;
    d->internal_url_by_hand = true;
}

static void set_up(struct fixture *f, const struct row *row)
{
    struct account changed = *directory_by_smtp(f->room.directory, f->arena, "alice@contoso.com");
    changed.mapi_http_enabled = row->mailbox;
    changed.block_external = row->block;
    assert_int_equal(directory_set(f->room.directory, &changed, NULL), ecNone);
    assert_int_equal(org_set_mapi_http(f->room.org, row->organization), ecNone);
}

static void expect_sides(xmlXPathContext *x, const char *path, const char *inside, const char *outside, unsigned sides)
{
    char below[300];
    snprintf(below, sizeof below, "%s%s", path, inside);
    expect_count(x, below, sides & POLICY_INTERNAL ? 1 : 0);
    snprintf(below, sizeof below, "%s%s", path, outside);
    expect_count(x, below, sides & POLICY_EXTERNAL ? 1 : 0);
}

static void expect_row(xmlXPathContext *x, const struct row *row, unsigned mapi_http, unsigned exhttp, bool exch,
                       bool expr)
{
    expect_count(x, MAPI_HTTP, mapi_http ? 1 : 0);
    expect_count(x, MAPI_HTTP "[@Version='1']", mapi_http ? 1 : 0);
    expect_sides(x, MAPI_HTTP "/o:MailStore", "/o:InternalUrl", "/o:ExternalUrl", mapi_http);
    expect_sides(x, MAPI_HTTP "/o:AddressBook", "/o:InternalUrl", "/o:ExternalUrl", mapi_http);
    expect_sides(x, OF_TYPE("EXHTTP"), "[o:Server='in.contoso.com']", "[o:Server='out.contoso.com']", exhttp);
    expect_sides(x, OF_TYPE("WEB"), "/o:Internal", "/o:External", row->sides);
    expect_count(x, OF_TYPE("EXCH"), exch);
    expect_count(x, OF_TYPE("EXPR"), expr);
    expect_count(x, PROTOCOL, (mapi_http ? 1 : 0) + exch + expr + 1 + (exhttp & 1) + (exhttp >> 1));
}

static void the_twelve_rows_come_out_as_XML(void **state)
{
    struct fixture *f = *state;
    static const struct client other = { "1", "Thunder/1", "Negotiate, exhttpinfo" }, plain = { "1", NULL, NULL };
    set_directory(f, ORG_MAPI, both_urls);
    set_directory(f, ORG_OUTLOOK_ANYWHERE, both_hosts);
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const struct row *row = &rows[i];
        set_up(f, row);
        const struct {
            const struct client *client;
            unsigned mapi_http, exhttp;
        } answers[] = { { &outlook, row->mapi_http, row->sides },
                        { &other, row->mapi_http, row->sides },
                        { &plain, row->mapi_http, NO },
                        { &outlook_2010, NO, NO } };
        for (size_t k = 0; k < COUNTOF(answers); k++) {
            xmlXPathContext *x = ask(f, answers[k].client);
            const bool anywhere = !answers[k].mapi_http;
            expect_row(x, row, answers[k].mapi_http, answers[k].exhttp, anywhere, anywhere && !row->block);
            done(x);
        }
    }
}

static void only_a_number_is_a_capability(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *header;
        int announced;
    } all[] = { { "1", 1 },  { "2", 1 }, { "99999999999999999999", 1 }, { "0", 0 }, { "-1", 0 }, { "yes", 0 },
                { "1a", 0 }, { "", 0 } };
    assert_int_equal(org_set_mapi_http(f->room.org, true), ecNone);
    for (size_t i = 0; i < COUNTOF(all); i++) {
        xmlXPathContext *x = ask(f, &(struct client){ all[i].header, outlook.user_agent, NULL });
        expect_count(x, MAPI_HTTP "[@Version='1']", all[i].announced);
        done(x);
    }
}

static void the_URLs_name_the_mailbox(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(org_set_mapi_http(f->room.org, true), ecNone);
    set_directory(f, ORG_MAPI, both_urls);
    xmlXPathContext *x = ask(f, &outlook);
    const char *id = account_mailbox_id(f->arena, f->alice);
    expect_text(f, x, "string(" MAPI_HTTP "/o:MailStore/o:InternalUrl)",
                talloc_asprintf(f->arena, "https://in.contoso.com/mapi/emsmdb/?MailboxId=%s", id));
    expect_text(f, x, "string(" MAPI_HTTP "/o:AddressBook/o:ExternalUrl)",
                talloc_asprintf(f->arena, "https://out.contoso.com/mapi/nspi/?MailboxId=%s", id));
    done(x);
}

static void the_answer_has_its_elements_in_the_schema_s_order(void **state)
{
    struct fixture *f = *state;
    char id[GUID_TEXT_SIZE];
    assert_int_equal(org_set_mapi_http(f->room.org, true), ecNone);
    xmlXPathContext *x = ask(f, &outlook);
    expect_count(x, "/r:Autodiscover/o:Response/*", 2);
    expect_count(x, "/r:Autodiscover/o:Response/*[1][self::o:User]", 1);
    static const char *const user[] = { "DisplayName", "LegacyDN", "AutoDiscoverSMTPAddress", "DeploymentId" };
    static const char *const account[] = { "AccountType[.='email']", "Action[.='settings']",
                                           "MicrosoftOnline[.='False']", "ConsumerMailbox[.='False']",
                                           "Protocol[@Type='mapiHttp']" };
    for (size_t i = 0; i < COUNTOF(user); i++)
        expect_count(x, talloc_asprintf(f->arena, "//o:User/*[%zu][self::o:%s]", i + 1, user[i]), 1);
    for (size_t i = 0; i < COUNTOF(account); i++)
        expect_count(x, talloc_asprintf(f->arena, "//o:Account/*[%zu]/self::o:%s", i + 1, account[i]), 1);
    expect_text(f, x, "string(//o:User/o:DeploymentId)",
                guid_text(org_settings(f->room.org, f->arena)->deployment_id, id));
    expect_text(f, x, "string(//o:User/o:LegacyDN)", f->alice->legacy_dn);
    done(x);
}

static void public_folders_are_a_mailbox_to_ask_for_next(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(org_set_mapi_http(f->room.org, true), ecNone);
    xmlXPathContext *x = ask(f, &outlook);
    expect_count(x, "//o:PublicFolderInformation", 0);
    done(x);
    const struct account *folders = fixture_public_folders(f);
    x = ask(f, &outlook);
    expect_text(f, x, "string(//o:Account/o:PublicFolderInformation/o:SmtpAddress)", "public@contoso.com");
    done(x);
    const struct reply r = post(f, request_for(f, "<EMailAddress>public@contoso.com</EMailAddress>", SCHEMA));
    assert_non_null(strstr(r.body, folders->legacy_dn));
}

static void Outlook_Anywhere_names_the_mailbox_s_own_server(void **state)
{
    struct fixture *f = *state;
    set_up(f, &rows[6]);
    set_directory(f, ORG_OUTLOOK_ANYWHERE, one_host);
    const char *server = account_server_dn(f->arena, org_settings(f->room.org, f->arena), f->alice);
    xmlXPathContext *x = ask(f, &outlook);
    expect_text(f, x, "string(" OF_TYPE("EXCH") "/o:Server)", account_mailbox_id(f->arena, f->alice));
    expect_text(f, x, "string(" OF_TYPE("EXCH") "/o:ServerDN)", server);
    expect_text(f, x, "string(" OF_TYPE("EXCH") "/o:MdbDN)",
                talloc_asprintf(f->arena, "%s/cn=Microsoft Private MDB", server));
    expect_text(f, x, "string(" OF_TYPE("EXPR") "/o:Server)", "mail.contoso.com");
    expect_count(x, OF_TYPE("EXHTTP"), 1); /* one host on both sides is one element */
    expect_count(
        x, "//*[contains(local-name(), 'Ews') or contains(local-name(), 'OWA') or contains(local-name(), 'ASUrl')]", 0);
    done(x);
}

static void by_negotiate(struct org_virtual_directory *d)
{
    one_host(d);
    d->internal_auth = d->external_auth = ORG_NEGOTIATE;
}

static void Negotiate_is_said_to_those_who_know_it(void **state)
{
    struct fixture *f = *state;
    static const struct client knows = { NULL, "x", "NEGOTIATE" };
    const struct {
        const struct client *client;
        const char *package;
    } all[] = { { &outlook, "Negotiate" }, { &knows, "Negotiate" }, { &outlook_2010, "Ntlm" } };
    set_up(f, &rows[6]);
    set_directory(f, ORG_OUTLOOK_ANYWHERE, by_negotiate);
    for (size_t i = 0; i < COUNTOF(all); i++) {
        xmlXPathContext *x = ask(f, all[i].client);
        expect_text(f, x, "string(" OF_TYPE("EXPR") "/o:AuthPackage)", all[i].package);
        done(x);
    }
}

static void without_a_URL_Outlook_Anywhere_is_left(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(org_set_mapi_http(f->room.org, true), ecNone);
    set_directory(f, ORG_MAPI, no_url);
    xmlXPathContext *x = ask(f, &outlook);
    expect_count(x, MAPI_HTTP, 0);
    expect_count(x, OF_TYPE("EXCH"), 1);
    done(x);
}

static void an_organisation_without_directories_is_answered_too(void **state)
{
    struct fixture *f = *state;
    struct org_settings bare = *org_settings(f->room.org, f->arena);
    bare.directory_count = 0;
    const struct autodiscover_client client = { 1, true, true };
    const struct blob answer = autodiscover_answer(f->arena, &bare, f->room.directory, f->alice, &client);
    xmlDoc *doc = xmlReadMemory((const char *)answer.data, (int)answer.size, NULL, NULL, XML_PARSE_NOERROR);
    assert_non_null(doc);
    xmlFreeDoc(doc);
}

static void what_is_no_XML_does_not_get_into_the_answer(void **state)
{
    struct fixture *f = *state;
    struct buf out;
    buf_init(&out, f->arena);
    xml_put(&out, "Name", "a\x01 b\x1F\t<&>\"' \xEF\xBF\xBE\xEF\xBF\xBF\xEF\xBF\xBD c\xEF\xBC\x81");
    xmlDoc *doc = xml_read(buf_blob(&out));
    assert_non_null(doc);
    assert_string_equal(xml_content(f->arena, xmlDocGetRootElement(doc)), "a b\t<&>\"' \xEF\xBF\xBD c\xEF\xBC\x81");
    xmlFreeDoc(doc);
}

/* ---- errors ---- */

static void a_mailbox_without_MAPI_is_501(void **state)
{
    struct fixture *f = *state;
    struct account changed = *f->alice;
    changed.mapi_enabled = false;
    assert_int_equal(directory_set(f->room.directory, &changed, NULL), ecNone);
    expect_error(f, request_for(f, "<EMailAddress>alice@contoso.com</EMailAddress>", SCHEMA), 501);
}

static void any_address_of_a_mailbox_and_a_hidden_one_are_found(void **state)
{
    struct fixture *f = *state;
    const char *addresses[] = { "SMTP:alice@contoso.com", "smtp:a.example@contoso.com" };
    struct account changed = *f->alice;
    changed.proxy_addresses = addresses;
    changed.proxy_count = 2;
    changed.hidden = true;
    assert_int_equal(directory_set(f->room.directory, &changed, NULL), ecNone);
    const struct reply r = post(f, request_for(f, "<EMailAddress>A.Example@contoso.com</EMailAddress>", SCHEMA));
    assert_non_null(strstr(r.body, "<AutoDiscoverSMTPAddress>alice@contoso.com</AutoDiscoverSMTPAddress>"));
}

static void an_error_has_a_time_of_day_and_the_server_s_number(void **state)
{
    struct fixture *f = *state;
    const struct reply r = post(f, "");
    unsigned hour, minute, second, fraction, id;
    const char *error = strstr(r.body, "<Error Time=");
    assert_non_null(error);
    assert_int_equal(
        sscanf(error, "<Error Time=\"%2u:%2u:%2u.%7u\" Id=\"%u\">", &hour, &minute, &second, &fraction, &id), 5);
    assert_true(hour < 24 && minute < 60 && second < 60);
    assert_non_null(strstr(r.body, "<Message>Invalid Request</Message>\n<DebugData />"));
    xmlDoc *doc = xmlReadMemory(r.body, (int)strlen(r.body), NULL, NULL, XML_PARSE_NOERROR);
    assert_non_null(doc);
    assert_string_equal((const char *)xmlDocGetRootElement(doc)->ns->href, NS_RESPONSE);
    xmlFreeDoc(doc);
}

static void a_body_that_is_too_large_or_of_another_namespace_is_600(void **state)
{
    struct fixture *f = *state;
    const struct reply large =
        fixture_ask(f, autodiscover_pox, (struct http_request){ .method = "POST", .too_large = true });
    assert_non_null(strstr(large.body, "<ErrorCode>600</ErrorCode>"));
    const char *https =
        "<Autodiscover xmlns=\"https://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">"
        "<Request><EMailAddress>alice@contoso.com</EMailAddress></Request></Autodiscover>";
    expect_error(f, https, 600);
}

static void no_document_type_is_read(void **state)
{
    static const char laughs[] = "<!DOCTYPE a [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;\">"
                                 "<!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;\">"
                                 "<!ENTITY x \"&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;\">]>";
    struct fixture *f = *state;
    static const char *const types[] = {
        "<!DOCTYPE a SYSTEM \"file:///etc/passwd\">",
        "<!DOCTYPE a SYSTEM \"http://127.0.0.1:9/a.dtd\">",
        "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>",
        "<!DOCTYPE a [<!ENTITY % p SYSTEM \"http://127.0.0.1:9/a.dtd\"> %p;]>",
        laughs,
        "<!DOCTYPE a>",
    };
    for (size_t i = 0; i < COUNTOF(types); i++) {
        const char *who =
            i < 2 || i > 4 ? "<EMailAddress>alice@contoso.com</EMailAddress>" : "<EMailAddress>&x;</EMailAddress>";
        expect_error(f, talloc_asprintf(f->arena, "%s%s", types[i], request_for(f, who, SCHEMA)), 600);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUTODISCOVER_TEST(a_mailbox_is_found_by_address_and_by_LegacyDN),
        AUTODISCOVER_TEST(whoever_is_not_there_is_500_and_another_schema_601),
        AUTODISCOVER_TEST(what_is_no_request_is_600),
        AUTODISCOVER_TEST(the_twelve_rows_come_out_as_XML),
        AUTODISCOVER_TEST(only_a_number_is_a_capability),
        AUTODISCOVER_TEST(the_URLs_name_the_mailbox),
        AUTODISCOVER_TEST(the_answer_has_its_elements_in_the_schema_s_order),
        AUTODISCOVER_TEST(public_folders_are_a_mailbox_to_ask_for_next),
        AUTODISCOVER_TEST(Outlook_Anywhere_names_the_mailbox_s_own_server),
        AUTODISCOVER_TEST(Negotiate_is_said_to_those_who_know_it),
        AUTODISCOVER_TEST(without_a_URL_Outlook_Anywhere_is_left),
        AUTODISCOVER_TEST(an_organisation_without_directories_is_answered_too),
        AUTODISCOVER_TEST(what_is_no_XML_does_not_get_into_the_answer),
        AUTODISCOVER_TEST(a_mailbox_without_MAPI_is_501),
        AUTODISCOVER_TEST(any_address_of_a_mailbox_and_a_hidden_one_are_found),
        AUTODISCOVER_TEST(an_error_has_a_time_of_day_and_the_server_s_number),
        AUTODISCOVER_TEST(a_body_that_is_too_large_or_of_another_namespace_is_600),
        AUTODISCOVER_TEST(no_document_type_is_read),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
