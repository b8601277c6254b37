/* SPDX-License-Identifier: Apache-2.0 */
/* Who is led where: the organisation's and the mailbox's switches, over real HTTPS, as Outlook and as curl ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
};

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->arena = talloc_new(f);
    server_cmdlet(f->server, f->arena, NULL, "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -InternalUrl "
                  "https://in.contoso.com/mapi -ExternalUrl https://out.contoso.com/mapi");
    server_cmdlet(f->server, f->arena, NULL, "Get-OutlookAnywhere | Set-OutlookAnywhere -InternalHostname in.contoso.com "
                  "-ExternalHostname out.contoso.com -InternalClientsRequireSsl $true -ExternalClientsRequireSsl $true "
                  "-ExternalClientAuthenticationMethod Basic");
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

static int reset(void **state)
{
    struct fixture *f = *state;
    server_cmdlet(f->server, f->arena, NULL, "Set-OrganizationConfig -MapiHttpEnabled $true");
    server_cmdlet(f->server, f->arena, NULL, "Set-CASMailbox alice -MapiHttpEnabled $null "
                  "-MAPIBlockOutlookExternalConnectivity $false -MAPIEnabled $true");
    return 0;
}

static const struct client_discovery *discover(struct fixture *f, bool capable)
{
    struct client_options options = server_options(f->server, f->arena, "alice");
    options.no_capability = !capable;
    struct client *c = client_new(f->arena, &options);
    client_discover(c);
    return client_discovery(c);
}

static bool has(const char *list, const char *word)
{
    for (const char *at = list; (at = strstr(at, word)); at++)
        if ((at == list || at[-1] == ' ') && (at[strlen(word)] == '\0' || at[strlen(word)] == ' '))
            return true;
    return false;
}

/* What each row of the table says; "in" and "out" are the host names of the two sides. */
struct row {
    const char *organisation, *mailbox, *block;
    bool mapi_http, external;
};
static const struct row rows[] = {
    { "$true", "$null", "$false", true, true },    { "$true", "$null", "$true", true, false },
    { "$true", "$true", "$false", true, true },    { "$true", "$true", "$true", true, false },
    { "$true", "$false", "$false", false, true },  { "$true", "$false", "$true", false, false },
    { "$false", "$null", "$false", false, true },  { "$false", "$null", "$true", false, false },
    { "$false", "$true", "$false", true, true },   { "$false", "$true", "$true", true, false },
    { "$false", "$false", "$false", false, true }, { "$false", "$false", "$true", false, false },
};

static void set_row(struct fixture *f, const struct row *row)
{
    server_cmdlet(f->server, f->arena, NULL, "Set-OrganizationConfig -MapiHttpEnabled %s", row->organisation);
    server_cmdlet(f->server, f->arena, NULL, "Set-CASMailbox alice -MapiHttpEnabled %s -MAPIBlockOutlookExternalConnectivity %s",
                  row->mailbox, row->block);
}

/* The nth Protocol element of a type that names a server; NULL: there are not so many. */
static const char *element(TALLOC_CTX *arena, const char *xml, const char *type, int nth)
{
    const char *mark = talloc_asprintf(arena, "<Type>%s</Type>\n<Server>", type), *at = strstr(xml, mark);
    for (; at && nth > 0; nth--)
        at = strstr(at + 1, mark);
    return at ? talloc_strndup(arena, at, (size_t)(strstr(at, "</Protocol>") - at)) : NULL;
}

static void check_anywhere(struct fixture *f, const struct client_discovery *d, const struct row *row, bool mapi_http)
{
    const char *first = element(f->arena, d->xml, "EXHTTP", 0), *second = element(f->arena, d->xml, "EXHTTP", 1);
    assert_non_null(first);
    assert_non_null(strstr(first, "<Server>in.contoso.com</Server>"));
    assert_int_equal(second != NULL, row->external);
    if (second)
        assert_non_null(strstr(second, "<Server>out.contoso.com</Server>"));
    assert_int_equal(has(d->protocols, "EXCH"), !mapi_http);
    assert_int_equal(has(d->protocols, "EXPR"), !mapi_http && row->external);
    assert_true(has(d->protocols, "WEB"));
    assert_non_null(strstr(d->xml, "<Internal>"));
    assert_int_equal(strstr(d->xml, "<External>") != NULL, row->external);
}

static void each_row_of_the_table_comes_out_as_it_says(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        set_row(f, &rows[i]);
        const struct client_discovery *d = discover(f, true);
        print_message("# row %zu: %s\n", i + 1, d->protocols);
        assert_int_equal(d->mapi_http, rows[i].mapi_http);
        if (d->mapi_http) {
            assert_memory_equal(d->mail_store.internal, "https://in.contoso.com/mapi/emsmdb/?MailboxId=", 46);
            assert_memory_equal(d->address_book.internal, "https://in.contoso.com/mapi/nspi/?MailboxId=", 44);
            assert_int_equal(d->mail_store.external != NULL, rows[i].external);
            assert_int_equal(d->address_book.external != NULL, rows[i].external);
        }
        check_anywhere(f, d, &rows[i], rows[i].mapi_http);
        assert_null(strstr(d->xml, "EwsUrl"));                           /* nothing that is not served */
        assert_null(strstr(d->xml, "OWAUrl"));
    }
}

static void a_client_without_the_capability_is_led_to_outlook_anywhere_in_every_row(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        set_row(f, &rows[i]);
        const struct client_discovery *d = discover(f, false);
        assert_false(d->mapi_http);
        check_anywhere(f, d, &rows[i], false);
    }
}

static void connect_is_refused_where_the_result_is_outlook_anywhere_and_open_sessions_carry_on(void **state)
{
    struct fixture *f = *state;
    struct client_options options = server_options(f->server, f->arena, "alice");
    options.emsmdb_url = talloc_asprintf(f->arena, "https://localhost:%u/mapi/emsmdb/", server_https_port(f->server));
    options.legacy_dn = discover(f, true)->legacy_dn;
    struct client *open = client_new(f->arena, &options), *late = client_new(f->arena, &options);
    assert_int_equal(client_connect(open), ecNone);
    server_cmdlet(f->server, f->arena, NULL, "Set-CASMailbox alice -MapiHttpEnabled $false");
    assert_int_not_equal(client_connect(late), ecNone);
    assert_int_equal(client_error(late)->level, CLIENT_RESPONSE_CODE);
    assert_int_equal(client_error(late)->number, 16);
    assert_int_equal(client_logon(open, NULL), ecNone);
    server_cmdlet(f->server, f->arena, NULL, "Set-CASMailbox alice -MapiHttpEnabled $null");
    assert_int_equal(client_connect(late), ecNone);
}

static void no_password_goes_to_a_url_without_tls(void **state)
{
    struct fixture *f = *state;
    struct client_options options = server_options(f->server, f->arena, "alice");
    struct client *c = client_new(f->arena, &options);
    const char *url = "http://in.contoso.com/mapi";
    server_cmdlet(f->server, f->arena, NULL, "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -InternalUrl %s",
                  url);
    assert_int_equal(client_discover(c), ecNone); /* the external one is left */
    assert_non_null(strstr(client_url(c, CLIENT_EMSMDB), "https://out.contoso.com/"));
    server_cmdlet(f->server, f->arena, NULL, "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -ExternalUrl $null");
    assert_int_equal(client_connect(client_new(f->arena, &options)), ecRpcFailed);
    assert_int_equal(client_discover(c), ecRpcFailed);
    assert_int_equal(client_error(c)->level, CLIENT_AUTODISCOVER);
    assert_non_null(strstr(client_error(c)->text, url));
    assert_null(client_url(c, CLIENT_EMSMDB));
    server_cmdlet(f->server, f->arena, NULL,
                  "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -InternalUrl "
                  "https://in.contoso.com/mapi -ExternalUrl https://out.contoso.com/mapi");
}

/* ---- as an administrator with curl ---- */

static char *curl(struct fixture *f, const char *format, ...) PRINTF(2, 3);
static char *curl(struct fixture *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *rest = talloc_vasprintf(f->arena, format, args);
    va_end(args);
    FILE *p = popen(talloc_asprintf(f->arena, "curl -sk -i --max-time 20 %s", rest), "r");
    char *out = talloc_zero_size(f->arena, 65537);
    assert_non_null(p);
    out[fread(out, 1, 65536, p)] = '\0';
    pclose(p);
    return out;
}

#define EXPECT_IN(text, words)                                   \
    do {                                                         \
        if (!strstr(text, words))                                \
            fail_msg("there is no '%s' in: %s", words, text);    \
    } while (0)

static void curl_asks_Autodiscover(void **state)
{
    struct fixture *f = *state;
    const unsigned port = server_https_port(f->server);
    const char *request = talloc_asprintf(f->arena, "%s/request.xml", server_dir(f->server));
    FILE *file = fopen(request, "w");
    fputs("<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\"><Request>"
          "<EMailAddress>ALICE@contoso.com</EMailAddress><AcceptableResponseSchema>"
          "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a</AcceptableResponseSchema>"
          "</Request></Autodiscover>", file);
    fclose(file);
    const char *answer = curl(f, "-u 'contoso.com\\alice:%s' -H 'X-MapiHttpCapability: 1' -H 'Content-Type: text/xml' "
                              "--data-binary @%s https://localhost:%u/AutoDiscover/AutoDiscover.xml", SERVER_PASSWORD, request, port);
    EXPECT_IN(answer, "HTTP/1.1 200");
    EXPECT_IN(answer, "<Protocol Type=\"mapiHttp\" Version=\"1\">");
    EXPECT_IN(curl(f, "-u 'CONTOSO\\alice:%s' https://localhost:%u/autodiscover/autodiscover.xml", SERVER_PASSWORD, port),
              "<ErrorCode>600</ErrorCode>");
    EXPECT_IN(curl(f, "https://localhost:%u/EWS/Exchange.asmx", port), "HTTP/1.1 404");
    EXPECT_IN(curl(f, "https://localhost:%u/owa/", port), "HTTP/1.1 404");
    EXPECT_IN(curl(f, "https://localhost:%u/mapi/healthcheck.htm", port), "200 OK<br/>" SERVER_HOSTNAME);
}

/* Without a password. */
static void curl_asks_Autodiscover_for_JSON(void **state)
{
    struct fixture *f = *state;
    const unsigned port = server_https_port(f->server);
    static const char found[] = "{\"Protocol\": \"AutodiscoverV1\", "
                                "\"Url\": \"https://out.contoso.com/autodiscover/autodiscover.xml\"}";
    static const char *const paths[] = { "/v1.0/alice%40contoso.com?Protocol=AutodiscoverV1&RedirectCount=1",
                                         "/v1.0/nobody%40contoso.com?Protocol=AutodiscoverV1",
                                         "?Email=alice%40contoso.com&Protocol=AutodiscoverV1" };
    for (size_t i = 0; i < COUNTOF(paths); i++) {
        const char *answer = curl(f, "'https://localhost:%u/Autodiscover/Autodiscover.json%s'", port, paths[i]);
        EXPECT_IN(answer, "HTTP/1.1 200");
        EXPECT_IN(answer, "Content-Type: application/json");
        EXPECT_IN(answer, found);
    }
}

static void curl_asks_Autodiscover_for_JSON_that_is_not_there(void **state)
{
    struct fixture *f = *state;
    const unsigned port = server_https_port(f->server);
    const char *at = talloc_asprintf(f->arena, "https://localhost:%u/autodiscover/autodiscover.json", port);
    EXPECT_IN(curl(f, "'%s/v1.0/alice@contoso.com?Protocol=Ews'", at),
              "The protocol 'Ews' is not supported. Supported protocols are: 'AutodiscoverV1'");
    EXPECT_IN(curl(f, "'%s/v1.0/a@fabrikam.com?Protocol=AutodiscoverV1'", at), "HTTP/1.1 404");
    EXPECT_IN(curl(f, "'%s?Email=alice@contoso.com'", at), "MissingProtocol");
}

static void curl_asks_Autodiscover_by_SOAP(void **state)
{
    struct fixture *f = *state;
    const unsigned port = server_https_port(f->server);
    const char *request = talloc_asprintf(f->arena, "%s/request.soap", server_dir(f->server));
    FILE *file = fopen(request, "w");
    fputs("<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><GetUserSettingsRequestMessage "
          "xmlns=\"http://schemas.microsoft.com/exchange/2010/Autodiscover\"><Request><Users><User><Mailbox>"
          "alice@contoso.com</Mailbox></User></Users><RequestedSettings><Setting>ExternalMailboxServer</Setting>"
          "<Setting>ExternalEwsUrl</Setting></RequestedSettings></Request></GetUserSettingsRequestMessage></s:Body>"
          "</s:Envelope>", file);
    fclose(file);
    const char *ask = talloc_asprintf(f->arena, "-H 'Content-Type: text/xml' --data-binary @%s "
                                      "https://localhost:%u/autodiscover/autodiscover.svc", request, port);
    const char *answer = curl(f, "-u alice@contoso.com:%s %s", SERVER_PASSWORD, ask);
    EXPECT_IN(answer, "HTTP/1.1 200");
    EXPECT_IN(answer, "<Name>ExternalMailboxServer</Name>\n<Value>out.contoso.com</Value>");
    EXPECT_IN(answer, "<SettingName>ExternalEwsUrl</SettingName>");
    EXPECT_IN(curl(f, "%s", ask), "HTTP/1.1 401");
}

static void curl_sends_a_raw_PING(void **state)
{
    struct fixture *f = *state;
    const char *headers = "-H 'Content-Type: application/mapi-http' -H 'X-RequestType: PING' "
                          "-H 'X-RequestId: {E2EA6C1C-E61B-49E9-9CFB-38184F907552}:1' "
                          "-H 'X-ClientInfo: {2F94A2BF-A2E6-4CCC-BF98-B5F22C542226}' -X POST --data-binary ''";
    const char *answer = curl(f, "%s -u alice@contoso.com:%s https://localhost:%u/mapi/emsmdb/", headers, SERVER_PASSWORD,
                              server_https_port(f->server));
    EXPECT_IN(answer, "X-ResponseCode: 0");
    EXPECT_IN(answer, "X-RequestId: {E2EA6C1C-E61B-49E9-9CFB-38184F907552}:1");
    EXPECT_IN(answer, "PROCESSING\r\nDONE\r\n");
    EXPECT_IN(curl(f, "-u alice@contoso.com:%s https://localhost:%u/mapi/nspi/", SERVER_PASSWORD, server_https_port(f->server)),
              "X-ResponseCode: 2");
}

static void a_wrong_password_and_no_password_are_answered_with_what_is_offered(void **state)
{
    struct fixture *f = *state;
    const unsigned port = server_https_port(f->server);
    static const char *const users[] = { "-u alice@contoso.com:wrong", "-u nobody@contoso.com:wrong", "" };
    for (size_t i = 0; i < COUNTOF(users); i++) {
        const char *answer = curl(f, "%s https://localhost:%u/mapi/emsmdb/", users[i], port);
        EXPECT_IN(answer, "HTTP/1.1 401"); /* MS-OXCMAPIHTTP_R1331 */
        EXPECT_IN(answer, "WWW-Authenticate: Basic realm=\"" SERVER_HOSTNAME "\"");
    }
    assert_null(strstr(server_log(f->server, f->arena), SERVER_PASSWORD));
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_row_of_the_table_comes_out_as_it_says),
        TEST(a_client_without_the_capability_is_led_to_outlook_anywhere_in_every_row),
        TEST(connect_is_refused_where_the_result_is_outlook_anywhere_and_open_sessions_carry_on),
        TEST(no_password_goes_to_a_url_without_tls),
        TEST(curl_asks_Autodiscover),
        TEST(curl_asks_Autodiscover_for_JSON),
        TEST(curl_asks_Autodiscover_for_JSON_that_is_not_there),
        TEST(curl_asks_Autodiscover_by_SOAP),
        TEST(curl_sends_a_raw_PING),
        TEST(a_wrong_password_and_no_password_are_answered_with_what_is_offered),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, start, stop);
}
