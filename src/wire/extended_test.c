/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCRPC] 3.1.4.1.1: compression, obfuscation and chains of extended buffers. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/extended.h"
#include "wire/lz77.h"

static int arena_new(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int arena_free(void **state)
{
    return talloc_free(*state);
}

static void expect_round_trip(TALLOC_CTX *arena, struct blob plain)
{
    struct buf out;
    buf_init(&out, arena);
    if (!lz77_compress(&out, plain)) {
        assert_int_equal(out.size, 0);
        return;
    }
    assert_true(out.size < plain.size);
    uint8_t *back = talloc_size(arena, plain.size + 1);
    assert_true(lz77_expand(buf_blob(&out), back, plain.size));
    assert_memory_equal(back, plain.data, plain.size);
}

/* [MS-XCA] 3.1 */
static void the_specifications_examples_expand(void **state)
{
    struct blob packed;
    uint8_t plain[300];
    assert_true(hex_parse(*state, "3f000000 6162636465666768696a6b6c6d6e6f707172737475767778797a", &packed));
    assert_true(lz77_expand(packed, plain, 26));
    assert_memory_equal(plain, "abcdefghijklmnopqrstuvwxyz", 26);
    assert_true(hex_parse(*state, "ffffff1f 616263 1700 0f ff 2601", &packed));
    assert_true(lz77_expand(packed, plain, 300));
    for (int i = 0; i < 300; i++)
        assert_int_equal(plain[i], "abc"[i % 3]);
}

static void every_length_of_a_match_survives(void **state)
{
    for (size_t n = 1; n < 2000; n += n < 320 ? 1 : 97) {
        TALLOC_CTX *arena = talloc_new(*state);
        uint8_t *plain = talloc_size(arena, n + 8);
        memset(plain, 'a', n);
        memcpy(plain + n, "bcdefghi", 8);
        expect_round_trip(arena, BLOB_OF(plain, n + 8));
        talloc_free(arena);
    }
}

static void random_bytes_and_random_repetitions_survive(void **state)
{
    srand(20261123);
    for (int round = 0; round < 300; round++) {
        TALLOC_CTX *arena = talloc_new(*state);
        const size_t size = (size_t)(rand() % 40000) + 1;
        uint8_t *plain = talloc_size(arena, size);
        for (size_t i = 0; i < size; i++)
            plain[i] = i > 20 && rand() % 8 ? plain[i - 1 - (size_t)(rand() % 20)] : (uint8_t)rand();
        expect_round_trip(arena, BLOB_OF(plain, size));
        talloc_free(arena);
    }
}

static void noise_is_refused_or_expands_within_its_bounds(void **state)
{
    srand(7);
    for (int round = 0; round < 3000; round++) {
        const size_t size = (size_t)(rand() % 60), room = (size_t)(rand() % 500);
        uint8_t *noise = talloc_size(*state, size + 1), *out = talloc_size(*state, room + 1);
        noise = talloc_realloc_size(*state, noise, size ? size : 1);
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)rand();
        out[room] = 0x5A;
        lz77_expand(BLOB_OF(noise, size), out, room);
        assert_int_equal(out[room], 0x5A);
        talloc_free(noise);
        talloc_free(out);
    }
}

static void a_chain_of_compressed_and_obfuscated_buffers_comes_back(void **state)
{
    struct buf out;
    struct blob *payloads;
    uint32_t count;
    static uint8_t zeros[EXTENDED_PAYLOAD_MAX];
    buf_init(&out, *state);
    extended_put(&out, BLOB_OF("first", 5), EXTENDED_XOR);
    extended_put(&out, BLOB_OF(zeros, sizeof zeros), EXTENDED_COMPRESSED | EXTENDED_XOR);
    extended_put(&out, BLOB_OF("last", 4), EXTENDED_COMPRESSED | EXTENDED_LAST);
    assert_true(out.size < 500);
    assert_true(extended_get(*state, buf_blob(&out), &payloads, &count));
    assert_int_equal(count, 3);
    assert_true(blob_equal(payloads[0], BLOB_OF("first", 5)));
    assert_true(blob_equal(payloads[1], BLOB_OF(zeros, sizeof zeros)));
    assert_true(blob_equal(payloads[2], BLOB_OF("last", 4)));
    for (size_t cut = 0; cut < out.size; cut++)
        assert_false(extended_get(*state, BLOB_OF(out.data, cut), &payloads, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_specifications_examples_expand, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(every_length_of_a_match_survives, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(random_bytes_and_random_repetitions_survive, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(noise_is_refused_or_expands_within_its_bounds, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(a_chain_of_compressed_and_obfuscated_buffers_comes_back, arena_new, arena_free),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
