/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "front/inside.h"

static TALLOC_CTX *arena;

static int arena_new(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    return 0;
}

static int arena_free(void **state)
{
    (void)state;
    return talloc_free(arena);
}

static void an_address_is_read_as_proxies_write_it(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "10.1.2.3", "10.1.2.3" },
        { "10.1.2.3:55000", "10.1.2.3" },
        { "::ffff:10.1.2.3", "10.1.2.3" },
        { "fe80::1", "fe80::1" },
        { "[fe80::1]", "fe80::1" },
        { "[fe80::1]:443", "fe80::1" },
        { "::", "::" },
    };
    static const char *const broken[] = { "",
                                          "unknown",
                                          "10.1.2",
                                          "10.1.2.3.4",
                                          "_hidden",
                                          "fe80::1::2",
                                          "1111111111111111111111111111111111111111111111111111111111111111" };
    struct address address;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_true(address_parse(cases[i].text, &address));
        assert_string_equal(address_text(arena, address), cases[i].want);
    }
    for (size_t i = 0; i < COUNTOF(broken); i++)
        assert_false(address_parse(broken[i], &address));
}

static void a_network_holds_its_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *network, *address;
        bool holds;
    } cases[] = {
        { "10.1.2.3", "10.1.2.3", true },      { "10.1.2.3", "10.1.2.4", false },
        { "10.1.2.0/24", "10.1.2.255", true }, { "10.1.2.0/24", "10.1.3.0", false },
        { "10.0.0.0/9", "10.127.0.1", true },  { "10.0.0.0/9", "10.128.0.1", false },
        { "0.0.0.0/0", "1.2.3.4", true },      { "0.0.0.0/0", "fe80::1", false },
        { "fe80::/10", "fe80::1", true },      { "fe80::/10", "fec0::1", false },
        { "::/0", "1.2.3.4", true },           { "10.1.2.3/32", "10.1.2.2", false },
    };
    static const char *const broken[] = { "",           "10.1.2.0/33", "10.1.2.0/", "10.1.2.0/x", "10.1.2.0/8x",
                                          "fe80::/129", "10.1.2.0/-1", "proxy" };
    struct network network;
    struct address address;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_true(network_parse(cases[i].network, &network));
        assert_true(address_parse(cases[i].address, &address));
        assert_int_equal(network_holds(&network, address), cases[i].holds);
    }
    for (size_t i = 0; i < COUNTOF(broken); i++)
        assert_false(network_parse(broken[i], &network));
}

static void loopback_is_this_machine_alone(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool loopback;
    } cases[] = {
        { "127.0.0.1", true },   { "127.9.9.9", true }, { "::1", true },  { "::ffff:127.0.0.1", true },
        { "128.0.0.1", false },  { "::", false },       { "::2", false }, { "fe80::1", false },
        { "10.0.0.127", false },
    };
    struct address address;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        assert_true(address_parse(cases[i].address, &address));
        assert_int_equal(address_is_loopback(address), cases[i].loopback);
    }
}

static void a_verified_password_is_remembered_until_its_generation_ends(void **state)
{
    (void)state;
    struct memory *memory = memory_new(arena, 60000);
    const struct http_user alice = { "CONTOSO\\alice", "17" };
    struct http_user user = { 0 };
    const struct blob right = BLOB_OF("alice:secret", 12);
    memory_keep(memory, 1, right, &alice);
    assert_true(memory_recall(memory, 1, right, arena, &user));
    assert_string_equal(user.name, "CONTOSO\\alice");
    assert_string_equal(user.id, "17");
    assert_false(memory_recall(memory, 2, right, arena, &user));
    assert_false(memory_recall(memory, 1, BLOB_OF("alice:secreT", 12), arena, &user));
    assert_false(memory_recall(memory, 1, BLOB_OF("alice:secret ", 13), arena, &user));
    talloc_free(memory);
}

static void old_memories_give_way_and_the_newest_stays(void **state)
{
    (void)state;
    struct memory *memory = memory_new(arena, 60000);
    struct http_user user = { 0 };
    const size_t before = talloc_total_blocks(memory);
    for (int i = 0; i < 5000; i++) {
        char *pair = talloc_asprintf(arena, "user%d:secret", i), *id = talloc_asprintf(arena, "%d", i);
        memory_keep(memory, 1, BLOB_OF(pair, strlen(pair)), &(struct http_user){ id, id });
        assert_true(memory_recall(memory, 1, BLOB_OF(pair, strlen(pair)), arena, &user));
        assert_string_equal(user.id, id);
    }
    assert_true(talloc_total_blocks(memory) - before <= 2 * 1024);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(an_address_is_read_as_proxies_write_it),
        TEST(a_network_holds_its_addresses),
        TEST(loopback_is_this_machine_alone),
        TEST(a_verified_password_is_remembered_until_its_generation_ends),
        TEST(old_memories_give_way_and_the_newest_stays),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
