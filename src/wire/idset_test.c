/* SPDX-License-Identifier: Apache-2.0 */
/* Sets of ids: [MS-OXCFXICS] 2.2.2.4 to 2.2.2.6, 3.1.5.4.  A plain array of Booleans is the model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/idset.h"

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

static struct blob bytes_of(const char *hex)
{
    struct blob bytes;
    assert_true(hex_parse(arena, hex, &bytes));
    return bytes;
}

static struct globset set_of(const struct globcnt_range *ranges, size_t count)
{
    struct globset set;
    globset_init(&set, arena);
    for (size_t i = 0; i < count; i++)
        globset_add(&set, ranges[i].low, ranges[i].high);
    return set;
}
#define SET(...) set_of((struct globcnt_range[]){ __VA_ARGS__ }, COUNTOF(((struct globcnt_range[]){ __VA_ARGS__ })))

static bool get(const char *hex, struct globset *set)
{
    struct wire_in in = wire_in(arena, bytes_of(hex));
    globset_init(set, arena);
    const bool got = globset_get(&in, set) && wire_left(&in) == 0;
    globset_settle(set);
    return got;
}

/* The set takes exactly these bytes, both ways. */
static void both_ways(struct globset set, const char *hex)
{
    struct globset back;
    struct buf to;
    buf_init(&to, arena);
    globset_put(&to, &set);
    assert_string_equal(hex_text(arena, buf_blob(&to)), hex_text(arena, bytes_of(hex)));
    assert_true(get(hex, &back));
    assert_true(globset_equal(&set, &back));
}

static void assert_refused(const char *hex)
{
    struct globset set;
    assert_false(get(hex, &set));
}

static void a_single_id_is_pushed_with_all_its_bytes_and_needs_no_pop(void **state)
{
    (void)state;
    both_ways(SET({ 0x010203040506, 0x010203040506 }), "06 010203040506 00"); /* R1958, R1959, R1960 */
    both_ways(SET({ 0x0A01, 0x0A01 }, { 0x0A05000001, 0x0A05000001 }), "01 00 05 0000000a01 05 0a05000001 50 00");
}

static void the_bytes_in_common_are_pushed_once(void **state)
{
    (void)state;
    both_ways(SET({ 0x1100, 0x11FF }, { 0x2200, 0x22FF }),
              "04 00000000 01 11 52 00 ff 50 01 22 52 00 ff 50 50 00"); /* R1956 */
    both_ways(SET({ 0x10, 0x2FF }), "04 00000000 52 0010 02ff 50 00");  /* R1980, R1982, R1983, R1989 */
    both_ways(SET({ 1, GLOBCNT_MAX }), "52 000000000001 ffffffffffff 00");
}

static void the_example_of_the_bitmask_has_the_mask_EB(void **state)
{
    (void)state;
    both_ways(SET({ 1, 3 }, { 5, 5 }, { 7, 9 }),
              "05 0000000000 42 01 eb 50 00"); /* R1973, R1974, R3379, R3389, R3390 */
    both_ways(SET({ 1, 1 }, { 3, 3 }, { 5, 5 }, { 7, 7 }, { 9, 9 }), "05 0000000000 42 01 aa 50 00"); /* R1971 */
    both_ways(SET({ 1, 1 }, { 11, 11 }), "05 0000000000 01 01 01 0b 50 00");
    both_ways(SET({ 1, 1 }, { 9, 12 }), "05 0000000000 01 01 52 09 0c 50 00"); /* R1981 */
    both_ways(SET({ 0xF8, 0xF8 }, { 0xFF, 0xFF }), "05 0000000000 42 f8 40 50 00");
}

static void an_empty_set_is_its_end(void **state)
{
    struct globset set;
    (void)state;
    globset_init(&set, arena);
    both_ways(set, "00"); /* R3077 */
    assert_int_equal(idset_bytes(arena, idset_new(arena, IDSET_REPLGUID)).size, 0);
}

static void a_decoder_takes_what_other_encoders_write(void **state)
{
    struct globset set;
    (void)state;
    assert_true(get("02 0000 02 0000 01 00 52 05 07 50 50 06 000000000001 50 50 00", &set) == false);
    assert_true(
        get("02 0000 02 0000 01 00 52 05 07 50 01 01 01 0a 50 50 50 00", &set)); /* R1994, R1995, R1998, R1999 */
    const struct globset both = SET({ 5, 7 }, { 0x10A, 0x10A });
    assert_true(globset_equal(&set, &both));
    assert_true(get("06 000000000009 52 000000000002 000000000004 06 000000000005 00", &set));
    const struct globset sorted = SET({ 2, 5 }, { 9, 9 });
    assert_true(globset_equal(&set, &sorted)); /* R1936, R1937 */
}

static void wrong_commands_are_refused(void **state)
{
    (void)state;
    assert_refused("");
    assert_refused("07 00000000000000 00");       /* R3391 */
    assert_refused("50 00");                      /* R1966 */
    assert_refused("04 00000000 42 01 01 50 00"); /* R2003 */
    assert_refused("05 0000000000 42 01");
    assert_refused("05 0000000000 42 ff 01 50 00");
    assert_refused("05 0000000000 52 02 01 50 00"); /* R3393, R214, R217 */
    assert_refused("05 0000000000 02 0000 50 00");
    assert_refused("05 0000000000 00"); /* R1992 */
    assert_refused("52 000000000001 00000000");
}

enum { MODEL = 1200 };

static struct globset random_set(bool model[MODEL], uint64_t base)
{
    struct globset set;
    globset_init(&set, arena);
    memset(model, 0, MODEL);
    for (int step = random() % 60; step > 0; step--) {
        const unsigned low = (unsigned)random() % MODEL, span = (unsigned)random() % (random() % 4 ? 4 : 300);
        const unsigned high = MIN(low + span, MODEL - 1);
        const bool add = random() % 4 != 0;
        (add ? globset_add : globset_remove)(&set, base + low, base + high);
        memset(model + low, add, high - low + 1);
    }
    return set;
}

static void assert_is(const struct globset *set, const bool model[MODEL], uint64_t base)
{
    uint64_t n = 0;
    for (unsigned i = 0; i < MODEL; i++) {
        assert_int_equal(globset_has(set, base + i), model[i]);
        n += model[i];
    }
    assert_int_equal(globset_size(set), n);
    for (uint32_t i = 1; i < set->count; i++)
        assert_true(set->ranges[i - 1].high + 1 < set->ranges[i].low);
}

static void a_set_does_what_an_array_of_ids_does(void **state)
{
    static const uint64_t bases[] = { 0, 1, 0xFFFE, 0xFFFFF0, 0x123456789A, GLOBCNT_MAX - MODEL };
    bool a[MODEL], b[MODEL], both[MODEL];
    (void)state;
    srandom(20261123);
    for (unsigned round = 0; round < 600; round++) {
        const uint64_t base = bases[round % COUNTOF(bases)];
        struct globset x = random_set(a, base), y = random_set(b, base), back;
        assert_is(&x, a, base);
        struct buf to;
        buf_init(&to, arena);
        globset_put(&to, &x);
        struct wire_in in = wire_in(arena, buf_blob(&to));
        globset_init(&back, arena);
        assert_true(globset_get(&in, &back));
        assert_true(globset_equal(&x, &back)); /* what is written is in order */
        for (unsigned i = 0; i < MODEL; i++)
            both[i] = a[i] && !b[i];
        globset_subtract(&x, &y);
        assert_is(&x, both, base);
        globset_union(&x, &y);
        for (unsigned i = 0; i < MODEL; i++)
            both[i] = a[i] || b[i];
        assert_is(&x, both, base);
        talloc_free_children(arena);
    }
}

static const struct guid one = { { 1, 9 } }, two = { { 2, 1 } };

static void replicas_stand_in_the_order_of_their_bytes(void **state)
{
    struct idset *set = idset_new(arena, IDSET_REPLGUID), *back;
    (void)state;
    globset_add(idset_of_guid(set, two), 7, 7);
    globset_add(idset_of_guid(set, one), 5, 6);
    const struct blob bytes = idset_bytes(arena, set);
    assert_string_equal(
        hex_text(arena, bytes),
        hex_text(arena, bytes_of("01090000000000000000000000000000 05 0000000000 52 05 06 50 00"
                                 "02010000000000000000000000000000 06 000000000007 00"))); /* R186, R187 */
    assert_int_equal(idset_of_bytes(&back, arena, IDSET_REPLGUID, bytes), ecNone);
    assert_true(idset_equal(set, back));
    assert_true(guid_equal(idset_guid(&back->replicas[1]), two));
    assert_int_equal(idset_size(back), 3);
}

static void a_set_by_replica_id_begins_with_two_bytes(void **state)
{
    struct idset *set = idset_new(arena, IDSET_REPLID), *back;
    (void)state;
    globset_add(idset_of_replid(set, 0x100), 7, 7);
    globset_add(idset_of_replid(set, 0x0002), 5, 5);
    const struct blob bytes = idset_bytes(arena, set);
    assert_string_equal(hex_text(arena, bytes), "0200060000000000050000010600000000000700"); /* R182, R183, R1934 */
    assert_int_equal(idset_of_bytes(&back, arena, IDSET_REPLID, bytes), ecNone);
    assert_int_equal(idset_replid(&back->replicas[1]), 0x100);
    idset_subtract(back, set);
    assert_int_equal(idset_size(back), 0);
    assert_true(idset_equal(back, idset_new(arena, IDSET_REPLID)));
    idset_union(back, set);
    assert_true(idset_equal(back, set));
}

static void every_cut_of_a_set_is_refused_and_an_empty_one_is_none(void **state)
{
    struct idset *set = idset_new(arena, IDSET_REPLGUID), *back;
    (void)state;
    globset_add(idset_of_guid(set, two), 7, 0x12345678);
    globset_add(idset_of_guid(set, two), 2, 4);
    const struct blob bytes = idset_bytes(arena, set);
    for (size_t cut = 1; cut < bytes.size; cut++)
        assert_int_equal(idset_of_bytes(&back, arena, IDSET_REPLGUID, BLOB_OF(bytes.data, cut)), ecRpcFormat);
    assert_int_equal(idset_of_bytes(&back, arena, IDSET_REPLGUID, BLOB_OF(NULL, 0)), ecNone);
    assert_int_equal(idset_size(back), 0);
}

static void all_ids_there_are_take_one_range_and_a_thousand_sets_are_one(void **state)
{
    struct idset *back;
    struct buf bytes;
    (void)state;
    buf_init(&bytes, arena);
    for (int i = 0; i < 1000; i++) {
        const struct blob all = bytes_of("0100 52 000000000000 ffffffffffff 00");
        buf_add(&bytes, all.data, all.size);
    }
    assert_int_equal(idset_of_bytes(&back, arena, IDSET_REPLID, buf_blob(&bytes)), ecNone);
    assert_int_equal(back->replicas[0].set.count, 1);
    assert_int_equal(idset_size(back), GLOBCNT_MAX + 1);
}

static void more_replicas_than_anybody_has_are_refused(void **state)
{
    struct idset *back;
    struct buf bytes;
    (void)state;
    buf_init(&bytes, arena);
    for (unsigned i = 1; i < 3000; i++) {
        put_le16(buf_grow(&bytes, 2), (uint16_t)i);
        buf_add(&bytes, "", 1);
    }
    assert_int_equal(idset_of_bytes(&back, arena, IDSET_REPLID, buf_blob(&bytes)), ecRpcFormat);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_single_id_is_pushed_with_all_its_bytes_and_needs_no_pop),
        cmocka_unit_test(the_bytes_in_common_are_pushed_once),
        cmocka_unit_test(the_example_of_the_bitmask_has_the_mask_EB),
        cmocka_unit_test(an_empty_set_is_its_end),
        cmocka_unit_test(a_decoder_takes_what_other_encoders_write),
        cmocka_unit_test(wrong_commands_are_refused),
        cmocka_unit_test(a_set_does_what_an_array_of_ids_does),
        cmocka_unit_test(replicas_stand_in_the_order_of_their_bytes),
        cmocka_unit_test(a_set_by_replica_id_begins_with_two_bytes),
        cmocka_unit_test(every_cut_of_a_set_is_refused_and_an_empty_one_is_none),
        cmocka_unit_test(all_ids_there_are_take_one_range_and_a_thousand_sets_are_one),
        cmocka_unit_test(more_replicas_than_anybody_has_are_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, arena_new, arena_free);
}
