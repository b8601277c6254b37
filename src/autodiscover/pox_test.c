/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXDSCLI] 2.2.2 to 2.2.4 and 3.2.5: who is found, and what a request that is none gets. */
#include "autodiscover/fixture.h"

#define NS_REQUEST "http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUTODISCOVER_TEST(a_mailbox_is_found_by_address_and_by_LegacyDN),
        AUTODISCOVER_TEST(whoever_is_not_there_is_500_and_another_schema_601),
        AUTODISCOVER_TEST(what_is_no_request_is_600),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
