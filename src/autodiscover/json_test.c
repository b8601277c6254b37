/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON form as a client meets it: nobody signs in, so nobody may learn who exists. */
#include "autodiscover/fixture.h"

#include <jansson.h>

#define URL "https://mail.contoso.com/autodiscover/autodiscover.xml"

static struct reply ask(struct fixture *f, const char *method, const char *below, const char *query)
{
    return fixture_ask(f, autodiscover_json,
                       (struct http_request){ .method = method,
                                              .path = "/autodiscover/autodiscover.json",
                                              .below = below,
                                              .query = query,
                                              .host = "elsewhere.example" });
}

static const char *member(struct fixture *f, struct reply r, const char *name)
{
    assert_non_null(strstr(r.head, "\r\nContent-Type: application/json; charset=utf-8\r\n"));
    json_t *object = json_loads(r.body, 0, NULL);
    const char *value = json_string_value(json_object_get(object, name));
    char *copy = value ? talloc_strdup(f->arena, value) : NULL;
    json_decref(object);
    return copy;
}

#define REFUSED(f, below, query, expected_status, code)                                                                \
    do {                                                                                                               \
        const struct reply reply = ask(f, "GET", below, query);                                                        \
        assert_int_equal(reply.status, expected_status);                                                               \
        assert_string_equal(member(f, reply, "ErrorCode"), code);                                                      \
        assert_non_null(member(f, reply, "ErrorMessage"));                                                             \
        assert_null(member(f, reply, "Url"));                                                                          \
    } while (0)

/* ---- tests ---- */

static void the_path_form_and_the_query_form_lead_to_the_pox_form(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *below, *query;
    } forms[] = {
        { "/v1.0/alice@contoso.com", "Protocol=AutodiscoverV1&RedirectCount=1" },
        { "/V1.0/ALICE@CONTOSO.COM", "protocol=autodiscoverv1" },
        { "/v1.0/\"a@b\"@contoso.com", "Protocol=Autodiscoverv1" },
        { "", "Email=alice%40contoso.com&Protocol=AutodiscoverV1" },
        { "/", "email=alice+tag%40contoso.com&protocol=AutodiscoverV1" },
    };
    for (size_t i = 0; i < COUNTOF(forms); i++) {
        const struct reply r = ask(f, "GET", forms[i].below, forms[i].query);
        assert_int_equal(r.status, 200);
        assert_string_equal(member(f, r, "Protocol"), "AutodiscoverV1");
        assert_string_equal(member(f, r, "Url"), URL);
    }
}

static const char *without_date(struct reply r)
{
    return strstr(strstr(r.head, "\r\nDate: ") + 2, "\r\n");
}

static void every_address_of_an_accepted_domain_gets_the_same_answer(void **state)
{
    struct fixture *f = *state;
    static const char *const addresses[] = { "nobody@contoso.com", "a b@contoso.com", "'\"\\<>@contoso.com" };
    const struct reply alice = ask(f, "GET", "/v1.0/alice@contoso.com", "Protocol=AutodiscoverV1");
    for (size_t i = 0; i < COUNTOF(addresses); i++) {
        const struct reply r =
            ask(f, "GET", talloc_asprintf(f->arena, "/v1.0/%s", addresses[i]), "Protocol=AutodiscoverV1");
        assert_int_equal(r.status, alice.status);
        assert_string_equal(without_date(r), without_date(alice));
        assert_string_equal(r.body, alice.body);
    }
}

static void the_url_follows_the_listener_and_not_the_Host_line(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(org_set_https_port(f->room.org, 8443), ecNone);
    const struct reply r = ask(f, "GET", "/v1.0/alice@contoso.com", "Protocol=AutodiscoverV1");
    assert_string_equal(member(f, r, "Url"), "https://mail.contoso.com:8443/autodiscover/autodiscover.xml");
}

static void the_url_stands_beside_what_the_administrator_announces(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *internal, *external, *expected;
    } rows[] = {
        { "https://in.contoso.com/mapi", "https://out.contoso.com:444/mapi", "https://out.contoso.com:444" },
        { "https://in.contoso.com/mapi", NULL, "https://in.contoso.com" },
        { "https://in.contoso.com", "http://out.contoso.com/mapi", "https://in.contoso.com" },
        { NULL, NULL, "https://mail.contoso.com" },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct org_virtual_directory mapi = *org_directory_of(org_settings(f->room.org, f->arena), ORG_MAPI);
        mapi.internal_url = rows[i].internal;
        mapi.external_url = rows[i].external;
        mapi.internal_url_by_hand = true;
        assert_int_equal(org_directory_set(f->room.org, &mapi), ecNone);
        const struct reply r = ask(f, "GET", "/v1.0/alice@contoso.com", "Protocol=AutodiscoverV1");
        assert_string_equal(member(f, r, "Url"),
                            talloc_asprintf(f->arena, "%s/autodiscover/autodiscover.xml", rows[i].expected));
    }
}

static void an_added_domain_is_ours_and_a_foreign_one_is_404(void **state)
{
    struct fixture *f = *state;
    REFUSED(f, "/v1.0/alice@fabrikam.com", "Protocol=AutodiscoverV1", 404, "UserNotFound");
    REFUSED(f, "/v1.0/alice@sub.contoso.com", "Protocol=AutodiscoverV1", 404, "UserNotFound");
    REFUSED(f, "/v1.0/alice@contoso.com@fabrikam.com", "Protocol=AutodiscoverV1", 404, "UserNotFound");
    REFUSED(f, "", "Email=alice@fabrikam.com&Protocol=Ews", 404, "UserNotFound");
    struct org_domain fabrikam = { .name = "Fabrikam", .domain = "fabrikam.com" };
    assert_int_equal(org_domain_add(f->room.org, &fabrikam), ecNone);
    assert_int_equal(ask(f, "GET", "/v1.0/alice@fabrikam.com", "Protocol=AutodiscoverV1").status, 200);
}

static void a_protocol_that_is_not_served_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    static const char *const protocols[] = { "Ews", "ActiveSync", "Rest", "Mapi", "AutodiscoverV1 ", "\"}<script>" };
    for (size_t i = 0; i < COUNTOF(protocols); i++) {
        const char *query = talloc_asprintf(f->arena, "Protocol=%s", http_encode(f->arena, protocols[i]));
        REFUSED(f, "/v1.0/alice@contoso.com", query, 400, "ProtocolNotSupported");
        const char *message = member(f, ask(f, "GET", "/v1.0/alice@contoso.com", query), "ErrorMessage");
        assert_non_null(strstr(message, talloc_asprintf(f->arena, "'%s'", protocols[i])));
        assert_non_null(strstr(message, "Supported protocols are: 'AutodiscoverV1'"));
    }
}

static void a_missing_protocol_and_a_missing_address_have_their_own_errors(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *below, *query;
    } nobody[] = {
        { "", "Protocol=AutodiscoverV1" },
        { "", "" },
        { "", "Email=&Protocol=AutodiscoverV1" },
        { "", "Email=contoso.com&Protocol=AutodiscoverV1" },
        { "", "Email=@contoso.com&Protocol=x" },
        { "", "Email=alice@&Protocol=AutodiscoverV1" },
        { "", "Email=%FF@contoso.com&Protocol=x" },
        { "/v1.0", "Protocol=AutodiscoverV1" },
        { "/v1.0/", "Protocol=AutodiscoverV1" },
        { "/v1.0/contoso.com", "Protocol=AutodiscoverV1" },
        { "/v3.0/alice@contoso.com", "Protocol=AutodiscoverV1" },
    };
    for (size_t i = 0; i < COUNTOF(nobody); i++)
        REFUSED(f, nobody[i].below, nobody[i].query, 400, "MandatoryParameterMissing");
    REFUSED(f, "/v1.0/alice@contoso.com", "", 400, "MissingProtocol");
    REFUSED(f, "/v1.0/alice@contoso.com", "Protocol=", 400, "MissingProtocol");
    REFUSED(f, "/v1.0/alice@contoso.com", "Protocol=%FF", 400, "MissingProtocol");
    REFUSED(f, "", "Email=alice@contoso.com", 400, "MissingProtocol");
}

static void other_methods_are_told_what_is_allowed(void **state)
{
    struct fixture *f = *state;
    const struct reply r = ask(f, "POST", "/v1.0/alice@contoso.com", "Protocol=AutodiscoverV1");
    assert_int_equal(r.status, 405);
    assert_non_null(strstr(r.head, "\r\nAllow: GET, HEAD\r\n"));
    assert_int_equal(ask(f, "HEAD", "/v1.0/alice@contoso.com", "Protocol=AutodiscoverV1").status, 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        AUTODISCOVER_TEST(the_path_form_and_the_query_form_lead_to_the_pox_form),
        AUTODISCOVER_TEST(every_address_of_an_accepted_domain_gets_the_same_answer),
        AUTODISCOVER_TEST(the_url_follows_the_listener_and_not_the_Host_line),
        AUTODISCOVER_TEST(the_url_stands_beside_what_the_administrator_announces),
        AUTODISCOVER_TEST(an_added_domain_is_ours_and_a_foreign_one_is_404),
        AUTODISCOVER_TEST(a_protocol_that_is_not_served_is_refused_by_name),
        AUTODISCOVER_TEST(a_missing_protocol_and_a_missing_address_have_their_own_errors),
        AUTODISCOVER_TEST(other_methods_are_told_what_is_allowed),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
