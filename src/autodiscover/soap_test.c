/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXWSADISC] 3.1.4: GetUserSettings and GetDomainSettings as an EWS program asks. */
#include "autodiscover/fixture.h"

#include <libxml/parser.h>

#define NS "http://schemas.microsoft.com/exchange/2010/Autodiscover"

static const char *in_envelope(struct fixture *f, const char *body)
{
    return talloc_asprintf(f->arena,
                           "<?xml version=\"1.0\"?><soap:Envelope xmlns:a=\"" NS "\" "
                           "xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Header>"
                           "<a:RequestedServerVersion>Exchange2013</a:RequestedServerVersion></soap:Header>"
                           "<soap:Body>%s</soap:Body></soap:Envelope>",
                           body);
}

static const char *each(struct fixture *f, const char *before, const char *names, const char *after)
{
    char *out = talloc_strdup(f->arena, ""), *list = talloc_strdup(f->arena, names), *rest = NULL;
    for (char *name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        out = talloc_asprintf_append(out, "%s%s%s", before, name, after);
    return out;
}

static const char *user_request(struct fixture *f, const char *users, const char *settings)
{
    return in_envelope(
        f,
        talloc_asprintf(f->arena,
                        "<a:GetUserSettingsRequestMessage><a:Request><a:Users>%s</a:Users>"
                        "<a:RequestedSettings>%s</a:RequestedSettings></a:Request></a:GetUserSettingsRequestMessage>",
                        each(f, "<a:User><a:Mailbox>", users, "</a:Mailbox></a:User>"),
                        each(f, "<a:Setting>", settings, "</a:Setting>")));
}

static const char *domain_request(struct fixture *f, const char *domains, const char *settings)
{
    return in_envelope(f, talloc_asprintf(f->arena,
                                          "<a:GetDomainSettingsRequestMessage><a:Request><a:Domains>%s"
                                          "</a:Domains><a:RequestedSettings>%s</a:RequestedSettings></a:Request>"
                                          "</a:GetDomainSettingsRequestMessage>",
                                          each(f, "<a:Domain>", domains, "</a:Domain>"),
                                          each(f, "<a:Setting>", settings, "</a:Setting>")));
}

static const char *post(struct fixture *f, const char *body, unsigned status)
{
    const struct reply r = fixture_ask(f, autodiscover_soap,
                                       (struct http_request){ .method = "POST", .body = BLOB_OF(body, strlen(body)) });
    assert_int_equal(r.status, status);
    assert_non_null(strstr(r.head, "\r\nContent-Type: text/xml; charset=utf-8\r\n"));
    xmlDoc *doc = xmlReadMemory(r.body, (int)strlen(r.body), NULL, NULL, XML_PARSE_NOERROR);
    assert_non_null(doc);
    xmlFreeDoc(doc);
    return r.body;
}

static bool has_value(struct fixture *f, const char *answer, const char *name, const char *value)
{
    return strstr(answer, talloc_asprintf(f->arena,
                                          "<UserSetting i:type=\"StringSetting\">\n<Name>%s</Name>\n"
                                          "<Value>%s</Value>\n</UserSetting>\n",
                                          name, value)) != NULL;
}

static bool is_refused(struct fixture *f, const char *answer, const char *kind, const char *name)
{
    const char *error = talloc_asprintf(f->arena,
                                        "<%sSettingError>\n<ErrorCode>SettingIsNotAvailable</ErrorCode>\n"
                                        "<ErrorMessage>This setting is not available here.</ErrorMessage>\n"
                                        "<SettingName>%s</SettingName>\n</%sSettingError>\n",
                                        kind, name, kind);
    return strstr(answer, error) != NULL;
}

static void change_alice(struct fixture *f, struct account altered)
{
    assert_int_equal(directory_set(f->room.directory, &altered, NULL), ecNone);
    f->alice = directory_by_smtp(f->room.directory, f->arena, "alice@contoso.com");
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (; (text = strstr(text, word)); text++)
        n++;
    return n;
}

/* ---- tests ---- */

static void a_user_gets_what_there_is(void **state)
{
    struct fixture *f = *state;
    const char *a = post(
        f,
        user_request(f, "ALICE@contoso.com",
                     "UserDisplayName UserDN AutoDiscoverSMTPAddress "
                     "UserDeploymentId InternalMailboxServer InternalRpcClientServer InternalMailboxServerDN MailboxDN "
                     "CasVersion UserMSOnline"),
        200);
    char id[GUID_TEXT_SIZE];
    const struct org_settings *settings = org_settings(f->room.org, f->arena);
    const char *server_dn = account_server_dn(f->arena, settings, f->alice);
    assert_non_null(strstr(a, NS "/Autodiscover/GetUserSettingsResponse</a:Action>"));
    assert_non_null(strstr(a, "<h:MajorVersion>15</h:MajorVersion>"));
    assert_true(has_value(f, a, "UserDisplayName", "Alice &lt;Example&gt; &amp; Sons"));
    assert_true(has_value(f, a, "UserDN", f->alice->legacy_dn));
    assert_true(has_value(f, a, "AutoDiscoverSMTPAddress", "alice@contoso.com"));
    assert_true(has_value(f, a, "UserDeploymentId", guid_text(settings->deployment_id, id)));
    assert_true(has_value(f, a, "InternalMailboxServer", account_mailbox_id(f->arena, f->alice)));
    assert_true(has_value(f, a, "InternalRpcClientServer", account_mailbox_id(f->arena, f->alice)));
    assert_true(has_value(f, a, "InternalMailboxServerDN", server_dn));
    assert_true(has_value(f, a, "MailboxDN", talloc_asprintf(f->arena, "%s/cn=Microsoft Private MDB", server_dn)));
    assert_true(has_value(f, a, "CasVersion", "15.02.1544.004"));
    assert_true(has_value(f, a, "UserMSOnline", "False"));
    assert_int_equal(count(a, "<ErrorCode>NoError</ErrorCode>"), 2);
    assert_null(strstr(a, "SettingIsNotAvailable"));
}

static void public_folders_are_named_where_there_are_any(void **state)
{
    struct fixture *f = *state;
    const char *request = user_request(f, "alice@contoso.com", "PublicFolderInformation PublicFolderServer");
    assert_int_equal(count(post(f, request, 200), "SettingIsNotAvailable"), 2);
    fixture_public_folders(f);
    const char *a = post(f, request, 200);
    assert_true(has_value(f, a, "PublicFolderInformation", "public@contoso.com"));
    assert_true(has_value(f, a, "PublicFolderServer", "mail.contoso.com"));
}

static void what_is_not_served_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    static const char names[] = "InternalEwsUrl ExternalEwsUrl InternalOABUrl InternalEcpUrl ExternalWebClientUrls "
                                "ExternalImap4Connections EwsSupportedSchemas ActiveDirectoryServer NoSuchSetting";
    const char *a = post(f, user_request(f, "alice@contoso.com", names), 200);
    char *list = talloc_strdup(f->arena, names), *rest = NULL;
    for (char *name = strtok_r(list, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
        assert_true(is_refused(f, a, "User", name));
    assert_null(strstr(a, "<Value>"));
    a = post(f, user_request(f, "alice@contoso.com", "a&lt;b"), 200);
    assert_true(is_refused(f, a, "User", "a&lt;b"));
}

static void the_external_side_and_MapiHttpEnabled_follow_the_policy(void **state)
{
    struct fixture *f = *state;
    struct org_virtual_directory rpc = *org_directory_of(org_settings(f->room.org, f->arena), ORG_OUTLOOK_ANYWHERE);
    rpc.external_hostname = "out.contoso.com";
    rpc.external_ssl = true;
    rpc.external_auth = ORG_NEGOTIATE;
    assert_int_equal(org_directory_set(f->room.org, &rpc), ecNone);
    const char *request = user_request(f, "alice@contoso.com",
                                       "ExternalMailboxServer ExternalMailboxServerRequiresSSL "
                                       "ExternalMailboxServerAuthenticationMethods MapiHttpEnabled");
    const char *a = post(f, request, 200);
    assert_true(has_value(f, a, "ExternalMailboxServer", "out.contoso.com"));
    assert_true(has_value(f, a, "ExternalMailboxServerRequiresSSL", "On"));
    assert_true(has_value(f, a, "ExternalMailboxServerAuthenticationMethods", "Negotiate"));
    assert_true(has_value(f, a, "MapiHttpEnabled", "True"));

    struct account altered = *f->alice;
    altered.block_external = true;
    altered.mapi_http_enabled = ORG_OFF;
    change_alice(f, altered);
    a = post(f, request, 200);
    assert_true(is_refused(f, a, "User", "ExternalMailboxServer"));
    assert_true(is_refused(f, a, "User", "ExternalMailboxServerRequiresSSL"));
    assert_true(is_refused(f, a, "User", "ExternalMailboxServerAuthenticationMethods"));
    assert_true(has_value(f, a, "MapiHttpEnabled", "False"));
    assert_null(strstr(a, "out.contoso.com"));
}

static void each_user_has_an_answer_of_its_own(void **state)
{
    struct fixture *f = *state;
    const char *a = post(f, user_request(f, "nobody@contoso.com alice@contoso.com alice", "UserDisplayName"), 200);
    assert_int_equal(count(a, "<UserResponse>"), 3);
    assert_int_equal(count(a, "<ErrorCode>InvalidUser</ErrorCode>"), 2);
    assert_int_equal(count(a, "<Name>UserDisplayName</Name>"), 1);

    struct account altered = *f->alice;
    altered.mapi_enabled = false;
    change_alice(f, altered);
    a = post(f, user_request(f, "alice@contoso.com", "UserDisplayName"), 200);
    assert_non_null(strstr(a, "<ErrorCode>InvalidUser</ErrorCode>"));
}

static void a_user_without_an_address_is_invalid(void **state)
{
    struct fixture *f = *state;
    const char *request =
        in_envelope(f, "<a:GetUserSettingsRequestMessage><a:Request><a:Users><a:User/><a:User><a:Mailbox/>"
                       "</a:User></a:Users><a:RequestedSettings><a:Setting/></a:RequestedSettings>"
                       "</a:Request></a:GetUserSettingsRequestMessage>");
    assert_int_equal(count(post(f, request, 200), "<ErrorCode>InvalidUser</ErrorCode>"), 2);
}

static void a_domain_of_ours_has_no_settings_and_another_is_invalid(void **state)
{
    struct fixture *f = *state;
    const char *a = post(f, domain_request(f, "Contoso.com", "ExternalEwsUrl ExternalEwsVersion"), 200);
    assert_non_null(strstr(a, NS "/Autodiscover/GetDomainSettingsResponse</a:Action>"));
    assert_int_equal(count(a, "<ErrorCode>NoError</ErrorCode>"), 2);
    assert_true(is_refused(f, a, "Domain", "ExternalEwsUrl"));
    assert_true(is_refused(f, a, "Domain", "ExternalEwsVersion"));
    a = post(f, domain_request(f, "fabrikam.com a@contoso.com", "ExternalEwsUrl"), 200);
    assert_int_equal(count(a, "<ErrorCode>InvalidDomain</ErrorCode>"), 2);
}

static void a_request_for_nothing_or_for_too_much_is_invalid(void **state)
{
    struct fixture *f = *state;
    char *many = talloc_strdup(f->arena, "");
    for (size_t i = 0; i < 101; i++)
        many = talloc_asprintf_append(many, "alice@contoso.com ");
    char *wide = talloc_array(f->arena, char, 402);
    memset(wide, 'x', 401);
    wide[401] = '\0';
    const char *const requests[] = {
        user_request(f, "", "UserDN"),   user_request(f, "alice@contoso.com", ""),
        user_request(f, many, "UserDN"), user_request(f, "alice@contoso.com", many),
        user_request(f, wide, "UserDN"), user_request(f, "alice@contoso.com", wide),
        domain_request(f, "", "x"),      in_envelope(f, "<a:GetUserSettingsRequestMessage/>"),
    };
    for (size_t i = 0; i < COUNTOF(requests); i++)
        assert_int_equal(count(post(f, requests[i], 200), "<ErrorCode>InvalidRequest</ErrorCode>"), 1);
    many[100 * strlen("alice@contoso.com ")] = '\0';
    assert_int_equal(count(post(f, user_request(f, many, "UserDN"), 200), "<Name>UserDN</Name>"), 100);
}

static const char *times(struct fixture *f, size_t count, const char *name)
{
    char *out = talloc_strdup(f->arena, "");
    while (count--)
        out = talloc_asprintf_append(out, "%s ", name);
    return out;
}

/* The settings that are asked for are answered for each user: the product counts. */
static void an_answer_is_not_much_bigger_than_what_clients_need(void **state)
{
    struct fixture *f = *state;
    const char *users = times(f, 100, "alice@contoso.com"), *thirty = times(f, 30, "UserDN"),
               *more = times(f, 31, "UserDN");
    char longest[65] = { 0 }, longer[66] = { 0 };
    memset(longest, '"', 64);
    memset(longer, '"', 65);
    assert_int_equal(count(post(f, user_request(f, users, thirty), 200), "<Name>UserDN</Name>"), 3000);
    assert_int_equal(count(post(f, user_request(f, users, more), 200), "<ErrorCode>InvalidRequest</ErrorCode>"), 1);
    assert_int_equal(
        count(post(f, user_request(f, "alice@contoso.com", longer), 200), "<ErrorCode>InvalidRequest</ErrorCode>"), 1);
    const char *worst = post(f, user_request(f, users, times(f, 30, longest)), 200);
    assert_int_equal(count(worst, "<ErrorCode>SettingIsNotAvailable</ErrorCode>"), 3000);
    assert_true(strlen(worst) < 2000000);
}

static void what_is_no_operation_gets_a_fault(void **state)
{
    struct fixture *f = *state;
    const char *a = post(f, in_envelope(f, "<a:GetFederationInformationRequestMessage/>"), 500);
    assert_non_null(strstr(a, "<faultcode>a:ActionNotSupported</faultcode>"));
    const char *entity = talloc_asprintf(f->arena, "<!DOCTYPE a [<!ENTITY e SYSTEM \"file:///etc/passwd\">]>%s",
                                         user_request(f, "&e;", "UserDN") + strlen("<?xml version=\"1.0\"?>"));
    const char *const noise[] = {
        "", "<", "<a/>", "{}", entity, "<Envelope xmlns=\"http://www.w3.org/2003/05/soap-envelope\"><Body/></Envelope>"
    };
    for (size_t i = 0; i < COUNTOF(noise); i++)
        assert_non_null(strstr(post(f, noise[i], 500), "<faultcode>s:Client</faultcode>"));
}

static void other_methods_are_told_what_is_allowed(void **state)
{
    struct fixture *f = *state;
    const struct reply r = fixture_ask(f, autodiscover_soap, (struct http_request){ .method = "GET" });
    assert_int_equal(r.status, 405);
    assert_non_null(strstr(r.head, "\r\nAllow: POST\r\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUTODISCOVER_TEST(a_user_gets_what_there_is),
        AUTODISCOVER_TEST(public_folders_are_named_where_there_are_any),
        AUTODISCOVER_TEST(what_is_not_served_is_refused_by_name),
        AUTODISCOVER_TEST(the_external_side_and_MapiHttpEnabled_follow_the_policy),
        AUTODISCOVER_TEST(each_user_has_an_answer_of_its_own),
        AUTODISCOVER_TEST(a_user_without_an_address_is_invalid),
        AUTODISCOVER_TEST(a_domain_of_ours_has_no_settings_and_another_is_invalid),
        AUTODISCOVER_TEST(a_request_for_nothing_or_for_too_much_is_invalid),
        AUTODISCOVER_TEST(an_answer_is_not_much_bigger_than_what_clients_need),
        AUTODISCOVER_TEST(what_is_no_operation_gets_a_fault),
        AUTODISCOVER_TEST(other_methods_are_told_what_is_allowed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
