/* SPDX-License-Identifier: Apache-2.0 */
/* Bags and spools: nothing of SQL. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <stdlib.h>

#include "store/bag.h"
#include "store/spool.h"

static TALLOC_CTX *arena;

static int setup(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return talloc_free(arena);
}

static const int16_t shorts[] = { 1, -1 };
static const char *const texts[] = { "a", "", "ü" };
static const struct blob blobs[] = { { (const uint8_t *)"x\0y", 3 }, { NULL, 0 } };
static const struct restriction restriction = { .type = RES_EXIST, .tag = 0x0037001F };
static const struct prop all_types[] = {
    { .tag = 0x00010002, .i16 = -7 },
    { .tag = 0x00020003, .i32 = -8 },
    { .tag = 0x00030004, .f32 = 0.5f },
    { .tag = 0x00040005, .f64 = -0.25 },
    { .tag = 0x00050006, .i64 = 12345 },
    { .tag = 0x00060007, .f64 = 40000.5 },
    { .tag = 0x0007000B, .b = true },
    { .tag = 0x00080014, .i64 = INT64_MIN },
    { .tag = 0x0009001F, .str = "text" },
    { .tag = 0x000A001F, .str = "" },
    { .tag = 0x000B0040, .u64 = 132000000000000000 },
    { .tag = 0x000C0048, .guid = { { 1, 2, 3 } } },
    { .tag = 0x000D00FB, .bin = { (const uint8_t *)"\1\2", 2 } },
    { .tag = 0x000E0102, .bin = { (const uint8_t *)"\0\1", 2 } },
    { .tag = 0x000F0102, .bin = { NULL, 0 } },
    { .tag = 0x00101002, .mv = { .count = 2, .i16 = shorts } },
    { .tag = 0x0011101F, .mv = { .count = 3, .str = texts } },
    { .tag = 0x00121102, .mv = { .count = 2, .bin = blobs } },
    { .tag = 0x0013101F, .mv = { .count = 0 } },
    { .tag = 0x001400FD, .restriction = &restriction },
    { .tag = 0x001500FE, .bin = { (const uint8_t *)"\0\0", 2 } },
};

static struct bag bag_with(const struct prop *props, uint32_t count)
{
    struct bag bag;
    assert_true(bag_open(&bag, bag_of(arena, props, count)));
    return bag;
}

static void every_type_comes_back(void **state)
{
    (void)state;
    const struct bag bag = bag_with(all_types, COUNTOF(all_types));
    assert_int_equal(bag.count, COUNTOF(all_types));
    for (size_t i = 0; i < COUNTOF(all_types); i++) {
        struct prop p;
        assert_int_equal(bag_find(arena, &bag, all_types[i].tag, &p, NULL), BAG_HERE);
        assert_int_equal(p.tag, all_types[i].tag);
        assert_true(PROP_TYPE(p.tag) == PtypRestriction || prop_equal(&p, &all_types[i]));
    }
}

static void text_and_bytes_are_read_where_they_lie(void **state)
{
    (void)state;
    const struct bag bag = bag_with(all_types, COUNTOF(all_types));
    struct prop p;
    bag_find(arena, &bag, 0x0009001F, &p, NULL);
    assert_true((const uint8_t *)p.str > bag.bytes.data && (const uint8_t *)p.str < bag.bytes.data + bag.bytes.size);
    bag_find(arena, &bag, 0x000E0102, &p, NULL);
    assert_true(p.bin.data > bag.bytes.data && p.bin.data < bag.bytes.data + bag.bytes.size);
}

static void order_does_not_matter_and_the_id_finds(void **state)
{
    (void)state;
    const struct prop props[] = { P_I32(0x80050003, 5), P_STR(0x0037001E, "five"), P_I32(0x00170003, 1) };
    const struct bag bag = bag_with(props, COUNTOF(props));
    struct prop p;
    assert_int_equal(bag_tag(&bag, 0), 0x00170003);
    assert_int_equal(bag_tag(&bag, 1), 0x0037001F);
    assert_int_equal(bag_find(arena, &bag, 0x00370000, &p, NULL), BAG_HERE);
    assert_string_equal(p.str, "five");
    assert_int_equal(bag_find(arena, &bag, 0x00380000, &p, NULL), BAG_ABSENT);
    assert_int_equal(bag_find(arena, &bag, 0xFFFF0000, &p, NULL), BAG_ABSENT);
    const struct bag none = bag_with(NULL, 0);
    assert_int_equal(none.count, 0);
    struct bag empty;
    assert_true(bag_open(&empty, BLOB_OF(NULL, 0)));
    assert_int_equal(bag_find(arena, &empty, 0x00370000, &p, NULL), BAG_ABSENT);
}

static void a_value_can_lie_apart(void **state)
{
    (void)state;
    struct bag_entry entries[] = {
        { .tag = PidTagHtml, .is_apart = true, .apart = { PidTagHtml, 1ull << 40, 99 } },
        { .tag = PidTagImportance, .encoded = bag_encode(arena, &P_I32(PidTagImportance, 2)) },
    };
    struct bag bag;
    struct bag_apart apart;
    struct prop p;
    assert_true(bag_open(&bag, bag_pack(arena, entries, 2)));
    assert_int_equal(bag_find(arena, &bag, PidTagHtml, &p, &apart), BAG_APART);
    assert_int_equal(apart.size, 1ull << 40);
    assert_int_equal(apart.version, 99);
    assert_int_equal(bag_find(arena, &bag, PidTagImportance, &p, &apart), BAG_HERE);
    assert_int_equal(p.i32, 2);
}

/* What a damaged file may hold: never a read past the end, always an answer. */
static void noise_is_never_read_past_its_end(void **state)
{
    (void)state;
    const struct blob good = bag_of(arena, all_types, COUNTOF(all_types));
    srandom(1);
    for (int round = 0; round < 3000; round++) {
        const size_t size = round < 1000 ? (size_t)random() % (good.size + 1) : good.size;
        uint8_t *bytes = malloc(size ? size : 1); /* exactly as large, so that ASan sees a step too far */
        memcpy(bytes, good.data, size);
        for (int i = 0; round >= 1000 && i < 1 + round % 8; i++)
            bytes[(size_t)random() % size] = (uint8_t)random();
        struct bag bag;
        TALLOC_CTX *scratch = talloc_new(arena);
        for (uint32_t i = 0; bag_open(&bag, BLOB_OF(bytes, size)) && i < bag.count; i++) {
            struct prop p;
            struct bag_apart apart;
            bag_at(scratch, &bag, i, &p, &apart);
        }
        talloc_free(scratch);
        free(bytes);
    }
}

static void a_spool_holds_bytes_in_memory_and_in_a_file(void **state)
{
    (void)state;
    enum { SIZE = 200000 };
    uint8_t *want = talloc_zero_size(arena, SIZE);
    struct spool *spool = spool_new(arena);
    srandom(2);
    uint64_t size = 0;
    for (int i = 0; i < 400; i++) {
        uint8_t piece[3000];
        const size_t at = (size_t)random() % (i < 100 ? 50000 : SIZE - sizeof piece),
                     n = (size_t)random() % sizeof piece;
        memset(piece, i, sizeof piece);
        assert_int_equal(spool_write(spool, at, BLOB_OF(piece, n)), ecNone);
        memcpy(want + at, piece, n);
        size = n ? MAX(size, at + n) : size;
        if (i % 50 == 49) {
            size = (size_t)random() % (i < 100 ? 50000 : SIZE);
            assert_int_equal(spool_resize(spool, size), ecNone);
            memset(want + size, 0, SIZE - size);
        }
        assert_int_equal(spool_size(spool), size);
    }
    struct blob all;
    assert_int_equal(spool_all(arena, spool, &all), ecNone);
    assert_int_equal(all.size, size);
    assert_memory_equal(all.data, want, size);
    assert_int_equal(all.data[all.size], 0);
}

static void who_writes_into_a_shared_spool_gets_a_copy(void **state)
{
    (void)state;
    struct spool *first = spool_new(arena);
    uint8_t *big = talloc_zero_size(arena, 100000);
    spool_write(first, 0, BLOB_OF(big, 100000));
    struct spool *second = spool_share(arena, first);
    assert_int_equal(spool_own(arena, &second), ecNone);
    spool_write(second, 5, BLOB_OF("x", 1));
    size_t got;
    uint8_t byte;
    spool_read(first, 5, &byte, 1, &got);
    assert_int_equal(byte, 0);
    talloc_free(first);
    spool_read(second, 5, &byte, 1, &got);
    assert_int_equal(byte, 'x');
    struct spool *same = second;
    assert_int_equal(spool_own(arena, &second), ecNone);
    assert_ptr_equal(same, second);
    spool_read(second, 100000, &byte, 1, &got);
    assert_int_equal(got, 0);
}

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *dir = opendir("/proc/self/fd");
    assert_non_null(dir);
    while (readdir(dir))
        count++;
    closedir(dir);
    return count;
}

static void all_spools_together_take_one_file(void **state)
{
    enum { SPOOLS = 300, SIZE = 100000 };
    (void)state;
    const unsigned before = open_files();
    struct spool *spools[SPOOLS];
    for (unsigned i = 0; i < SPOOLS; i++) {
        spools[i] = spool_new(arena);
        assert_int_equal(spool_resize(spools[i], SIZE), ecNone);
        assert_int_equal(spool_write(spools[i], SIZE - 10, BLOB_OF(&i, sizeof i)), ecNone);
    }
    assert_in_range(open_files(), before, before + 1);
    for (unsigned i = 0; i < SPOOLS; i++) {
        unsigned there;
        size_t got;
        assert_int_equal(spool_read(spools[i], SIZE - 10, &there, sizeof there, &got), ecNone);
        assert_int_equal(there, i);
        talloc_free(spools[i]);
    }
    assert_int_equal(open_files(), before);
}

/* Nobody reads what another one has written. */
static void a_block_that_is_used_again_is_clean(void **state)
{
    enum { SIZE = 300000 };
    (void)state;
    uint8_t *secret = talloc_size(arena, SIZE), *clean = talloc_zero_size(arena, SIZE);
    memset(secret, 's', SIZE);
    struct spool *keeper = spool_new(arena);
    assert_int_equal(spool_write(keeper, 0, BLOB_OF(secret, SIZE)), ecNone);
    for (unsigned i = 0; i < 20; i++) {
        struct spool *first = spool_new(arena), *second;
        struct blob all;
        assert_int_equal(spool_write(first, 0, BLOB_OF(secret, SIZE)), ecNone);
        if (i % 2)
            assert_int_equal(spool_resize(first, 70000), ecNone);
        talloc_free(first);
        second = spool_new(arena);
        assert_int_equal(spool_resize(second, SIZE), ecNone);
        for (size_t at = 1000; at < SIZE; at += 65536)
            assert_int_equal(spool_write(second, at, BLOB_OF("\0", 1)), ecNone);
        assert_int_equal(spool_all(arena, second, &all), ecNone);
        assert_memory_equal(all.data, clean, SIZE);
        talloc_free(second);
    }
}

static void a_folder_that_is_missing_for_the_file_is_an_error(void **state)
{
    (void)state;
    FILE *log = tmpfile();
    log_to(log, LOG_INFO);
    setenv("TMPDIR", "/nonexistent", 1);
    struct spool *spool = spool_new(arena);
    assert_int_equal(spool_resize(spool, 100), ecNone);
    assert_int_equal(spool_resize(spool, 100000), ecError);
    assert_int_equal(spool_size(spool), 100);
    unsetenv("TMPDIR");
    assert_int_equal(spool_resize(spool, 100000), ecNone);
    assert_true(ftell(log) > 0);
    log_to(NULL, LOG_INFO);
    fclose(log);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_type_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(text_and_bytes_are_read_where_they_lie, setup, teardown),
        cmocka_unit_test_setup_teardown(order_does_not_matter_and_the_id_finds, setup, teardown),
        cmocka_unit_test_setup_teardown(a_value_can_lie_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(noise_is_never_read_past_its_end, setup, teardown),
        cmocka_unit_test_setup_teardown(a_spool_holds_bytes_in_memory_and_in_a_file, setup, teardown),
        cmocka_unit_test_setup_teardown(who_writes_into_a_shared_spool_gets_a_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(all_spools_together_take_one_file, setup, teardown),
        cmocka_unit_test_setup_teardown(a_block_that_is_used_again_is_clean, setup, teardown),
        cmocka_unit_test_setup_teardown(a_folder_that_is_missing_for_the_file_is_an_error, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("bags", tests, NULL, NULL);
}
