/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/entry_id.h"

static void a_permanent_entry_id_is_laid_out_as_MS_OXCDATA_2_2_5_2_says(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct entry_id_person who;
    struct blob expected;
    (void)state;
    const struct blob id = address_book_entry_id(arena, "/o=A/cn=b", DT_MAILUSER);
    assert_true(hex_parse(arena, "00000000 dca740c8c042101ab4b908002b2fe182 01000000 00000000 2f6f3d412f636e3d6200", &expected));
    assert_true(blob_equal(id, expected));
    assert_true(entry_id_person(arena, id, &who));
    assert_string_equal(who.address_type, "EX");
    assert_string_equal(who.address, "/o=A/cn=b");
    talloc_free(arena);
}

static void a_one_off_entry_id_gives_back_its_three_texts(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct entry_id_person who;
    (void)state;
    const struct blob id = one_off_entry_id(arena, "Zoë", "SMTP", "zoe@example.org");
    assert_true(entry_id_person(arena, id, &who));
    assert_string_equal(who.display_name, "Zoë");
    assert_string_equal(who.address_type, "SMTP");
    assert_string_equal(who.address, "zoe@example.org");
    for (size_t cut = 0; cut < id.size; cut++)
        assert_false(entry_id_person(arena, BLOB_OF(id.data, cut), &who));
    talloc_free(arena);
}

static void a_search_key_is_in_capitals_and_has_its_zero(void **state)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    (void)state;
    assert_true(blob_equal(address_search_key(arena, "SMTP", "a@b.c"), BLOB_OF("SMTP:A@B.C", 11)));
    talloc_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_permanent_entry_id_is_laid_out_as_MS_OXCDATA_2_2_5_2_says),
        cmocka_unit_test(a_one_off_entry_id_gives_back_its_three_texts),
        cmocka_unit_test(a_search_key_is_in_capitals_and_has_its_zero),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
