/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/base.h"
#include "org/policy.h"

enum { I = POLICY_INTERNAL, IE = POLICY_BOTH, NO = POLICY_NOWHERE };

/* The table of Microsoft's page on MAPI over HTTP: organisation, mailbox, external block, and what Autodiscover then
 * prints. */
static const struct row {
    bool organization;
    enum org_switch mailbox;
    bool block;
    enum policy_protocol protocol;
    unsigned mapi_http, exhttp;
    bool exch, expr;
    unsigned web;
} rows[] = {
    /*  1 */ { true, ORG_UNSET, false, POLICY_MAPI_HTTP, IE, IE, false, false, IE },
    /*  2 */ { true, ORG_UNSET, true, POLICY_MAPI_HTTP, I, I, false, false, I },
    /*  3 */ { true, ORG_ON, false, POLICY_MAPI_HTTP, IE, IE, false, false, IE },
    /*  4 */ { true, ORG_ON, true, POLICY_MAPI_HTTP, I, I, false, false, I },
    /*  5 */ { true, ORG_OFF, false, POLICY_OUTLOOK_ANYWHERE, NO, IE, true, true, IE },
    /*  6 */ { true, ORG_OFF, true, POLICY_OUTLOOK_ANYWHERE, NO, I, true, false, I },
    /*  7 */ { false, ORG_UNSET, false, POLICY_OUTLOOK_ANYWHERE, NO, IE, true, true, IE },
    /*  8 */ { false, ORG_UNSET, true, POLICY_OUTLOOK_ANYWHERE, NO, I, true, false, I },
    /*  9 */ { false, ORG_ON, false, POLICY_MAPI_HTTP, IE, IE, false, false, IE },
    /* 10 */ { false, ORG_ON, true, POLICY_MAPI_HTTP, I, I, false, false, I },
    /* 11 */ { false, ORG_OFF, false, POLICY_OUTLOOK_ANYWHERE, NO, IE, true, true, IE },
    /* 12 */ { false, ORG_OFF, true, POLICY_OUTLOOK_ANYWHERE, NO, I, true, false, I },
};

static struct policy_input input_of(const struct row *row)
{
    return (struct policy_input){
        .organization_mapi_http = row->organization, .mailbox_mapi_http = row->mailbox, .block_external = row->block,
        .mapi_enabled = true, .capability = 1, .exhttp = true, .mapi_urls = POLICY_BOTH, .anywhere_hosts = POLICY_BOTH,
    };
}

static void the_twelve_rows_come_out_one_by_one(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const struct row *row = &rows[i];
        const struct policy got = policy_decide(input_of(row));
        if (got.protocol != row->protocol || got.mapi_http != row->mapi_http || got.exhttp != row->exhttp ||
            got.exch != row->exch || got.expr != row->expr || got.web != row->web)
            fail_msg("row %zu comes out wrong", i + 1);
    }
}

static void an_old_client_gets_Outlook_Anywhere_on_every_row(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct policy_input in = input_of(&rows[i]);
        in.capability = 0;
        const struct policy got = policy_decide(in);
        assert_int_equal(got.protocol, POLICY_OUTLOOK_ANYWHERE);
        assert_int_equal(got.mapi_http_version, 0);
        assert_true(got.exch);
        assert_int_equal(got.expr, !rows[i].block);
        assert_int_equal(got.exhttp, rows[i].block ? I : IE);
    }
}

static void without_ExHttpInfo_EXHTTP_goes_and_EXCH_and_EXPR_stay(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct policy_input in = input_of(&rows[i]);
        in.exhttp = false;
        const struct policy got = policy_decide(in);
        assert_int_equal(got.exhttp, NO);
        assert_int_equal(got.exch, rows[i].exch);
        assert_int_equal(got.expr, rows[i].expr);
    }
}

static void a_directory_without_ExternalUrl_announces_the_internal_side_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct policy_input in = input_of(&rows[i]);
        in.mapi_urls = POLICY_INTERNAL;
        assert_int_equal(policy_decide(in).mapi_http, rows[i].mapi_http & I);
    }
}

static void a_directory_without_URLs_makes_it_Outlook_Anywhere(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct policy_input in = input_of(&rows[i]);
        in.mapi_urls = POLICY_NOWHERE;
        const struct policy got = policy_decide(in);
        assert_int_equal(got.protocol, POLICY_OUTLOOK_ANYWHERE);
        assert_true(got.exch);
        assert_false(got.mapi_door);
    }
}

static void an_ExternalUrl_alone_is_nothing_under_the_block(void **state)
{
    (void)state;
    struct policy_input in = input_of(&rows[1]);
    in.mapi_urls = POLICY_EXTERNAL;
    assert_int_equal(policy_decide(in).protocol, POLICY_OUTLOOK_ANYWHERE);
    in.block_external = false;
    assert_int_equal(policy_decide(in).mapi_http, POLICY_EXTERNAL);
}

static void MAPIEnabled_false_shuts_both_doors_and_changes_no_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct policy_input in = input_of(&rows[i]);
        in.mapi_enabled = false;
        const struct policy got = policy_decide(in);
        assert_int_equal(got.protocol, rows[i].protocol);
        assert_int_equal(got.mapi_http, rows[i].mapi_http);
        assert_false(got.mapi_door);
        assert_false(got.rpc_door);
    }
}

/* Every input there is: what must hold for each. */
static void check_invariants(struct policy_input in, struct policy got)
{
    const bool mapi = got.protocol == POLICY_MAPI_HTTP;
    assert_int_equal(mapi, got.mapi_http != POLICY_NOWHERE);
    assert_int_equal(mapi, got.mapi_http_version > 0);
    assert_true(got.mapi_http_version <= in.capability);            /* [MS-OXDSCLI]: not above the client's */
    assert_int_equal(got.mapi_http & ~in.mapi_urls, 0);
    assert_int_equal(got.exhttp & ~in.anywhere_hosts, 0);
    assert_int_equal(mapi, !got.exch);                              /* mapiHttp excludes EXCH and EXPR */
    assert_false(mapi && got.expr);
    if (in.block_external) {                                        /* nothing external under the block */
        assert_int_equal((got.mapi_http | got.exhttp | got.web) & POLICY_EXTERNAL, 0);
        assert_false(got.expr);
    }
    if (in.mailbox_mapi_http == ORG_OFF)
        assert_false(mapi);
    if (got.expr)
        assert_true(in.anywhere_hosts & POLICY_EXTERNAL);
    if (got.mapi_door)
        assert_true(mapi && in.mapi_enabled);
    assert_true(got.web & POLICY_INTERNAL);
}

static void the_mailbox_overrides_the_organisation(struct policy_input in)
{
    struct policy_input other = in;
    other.organization_mapi_http = !in.organization_mapi_http;
    if (in.mailbox_mapi_http != ORG_UNSET)
        assert_int_equal(policy_decide(in).protocol, policy_decide(other).protocol);
}

/* The bits of `n` are the inputs. */
static struct policy_input numbered(unsigned n)
{
    return (struct policy_input){
        .organization_mapi_http = n & 1, .block_external = n >> 1 & 1, .mapi_enabled = n >> 2 & 1, .exhttp = n >> 3 & 1,
        .mapi_urls = n >> 4 & 3, .anywhere_hosts = n >> 6 & 3, .capability = n >> 8 & 3,
        .mailbox_mapi_http = n >> 10,
    };
}

static void every_input_keeps_the_invariants(void **state)
{
    (void)state;
    for (unsigned n = 0; n < 3u << 10; n++) {
        const struct policy_input in = numbered(n);
        check_invariants(in, policy_decide(in));
        the_mailbox_overrides_the_organisation(in);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_twelve_rows_come_out_one_by_one),
        cmocka_unit_test(an_old_client_gets_Outlook_Anywhere_on_every_row),
        cmocka_unit_test(without_ExHttpInfo_EXHTTP_goes_and_EXCH_and_EXPR_stay),
        cmocka_unit_test(a_directory_without_ExternalUrl_announces_the_internal_side_alone),
        cmocka_unit_test(a_directory_without_URLs_makes_it_Outlook_Anywhere),
        cmocka_unit_test(an_ExternalUrl_alone_is_nothing_under_the_block),
        cmocka_unit_test(MAPIEnabled_false_shuts_both_doors_and_changes_no_answer),
        cmocka_unit_test(every_input_keeps_the_invariants),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
