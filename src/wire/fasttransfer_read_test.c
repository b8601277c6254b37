/* SPDX-License-Identifier: Apache-2.0 */
/* Reading FastTransfer streams, [MS-OXCFXICS] 2.2.4.1: whatever the writer writes comes back, wherever it was cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/fasttransfer_read.h"

static TALLOC_CTX *arena;
static struct fx_in *in;
static struct buf heard; /* what was taken, one element a line */
static enum ec refusal;  /* what the taker says */

static enum ec hear_marker(void *arg, uint32_t marker)
{
    (void)arg;
    buf_printf(&heard, "%s\n", fx_marker_name(marker));
    return refusal;
}

static void hear_name(const struct PropertyName *name)
{
    if (name && name->Kind == 0)
        buf_printf(&heard, "(lid %04x) ", name->LID);
    else if (name)
        buf_printf(&heard, "(name %s) ", utf8_of_utf16(arena, name->Name.data, name->NameSize - 2u));
}

static enum ec hear_prop(void *arg, const struct prop *p, const struct PropertyName *name)
{
    (void)arg;
    hear_name(name);
    wire_dump_prop(&heard, p, 0);
    return refusal;
}

static enum ec hear_long(void *arg, uint32_t tag, const struct PropertyName *name, uint32_t size)
{
    (void)arg;
    hear_name(name);
    buf_printf(&heard, "long %08x, at most %u: ", tag, size);
    return refusal;
}

static size_t long_bytes;
static enum ec hear_piece(void *arg, struct blob piece)
{
    (void)arg;
    long_bytes += piece.size;
    if (!piece.size) {
        buf_printf(&heard, "%zu bytes\n", long_bytes);
        long_bytes = 0;
    }
    return refusal;
}

static const struct fx_taker taker = { hear_marker, hear_prop, hear_long, hear_piece };

static void begin(void)
{
    in = fx_in_new(arena, &taker, NULL, 1252);
    buf_init(&heard, arena);
    refusal = ecNone;
    long_bytes = 0;
}

static int setup(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    begin();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    return talloc_free(arena);
}

static const char *text(void)
{
    return heard.size ? talloc_strndup(arena, (const char *)heard.data, heard.size) : "";
}

static enum ec read_hex(const char *hex)
{
    struct blob bytes;
    assert_true(hex_parse(arena, hex, &bytes));
    return fx_read(in, bytes);
}

static void a_marker_has_no_value_and_a_value_has_its_type(void **state)
{
    (void)state;
    assert_int_equal(read_hex("03000c40 0b00aa67 0100 1f003700 08000000 5a006f00eb000000 03000d40"), ecNone);
    assert_string_equal(
        text(),
        "StartMessage\nPidTagAssociated (0x67AA000B): true\nPidTagSubject (0x0037001F): \"Zo\xC3\xAB\"\nEndMessage\n");
    assert_true(fx_is_between(in));
}

static void text_is_taken_with_and_without_its_zero(void **state)
{
    (void)state;
    assert_int_equal(read_hex("1f003700 04000000 61006200 1e003700 02000000 6162 1e003700 00000000"), ecNone);
    assert_string_equal(text(), "PidTagSubject (0x0037001F): \"ab\"\nPidTagSubject (0x0037001E): \"ab\"\n"
                                "PidTagSubject (0x0037001E): \"\"\n"); /* R3259 */
}

static void the_set_of_ids_that_says_it_is_a_number_is_bytes(void **state)
{
    (void)state;
    assert_int_equal(read_hex("03001740 02000000 0102"), ecNone);
    begin();
    assert_int_equal(read_hex("02011740 02000000 0102"), ecNone);
    assert_non_null(strstr(text(), "0102"));
    assert_true(fx_is_between(in));
}

static void named_properties_bring_their_names(void **state)
{
    (void)state;
    assert_int_equal(read_hex("03000180 01000000000000000000000000000000 00 03850000 07000000"
                              "03000280 02000000000000000000000000000000 01 610062000000 08000000"),
                     ecNone);
    assert_string_equal(text(), "(lid 8503) 0x80010003: 7\n(name ab) 0x80020003: 8\n");
}

static void long_values_come_in_pieces_and_text_without_its_zero(void **state)
{
    struct fx_out out;
    const size_t size = FX_LONG_FROM + 1000;
    (void)state;
    char *letters = talloc_zero_size(arena, size + 1);
    memset(letters, 'x', size);
    fx_out_init(&out, arena, FX_UNICODE, 1252);
    fx_put_prop(&out, &P_STR(PidTagBody, letters), NULL);
    fx_put_prop(&out, &P_BIN(PidTagHtml, BLOB_OF(letters, size)), NULL);
    for (struct blob piece; (piece = fx_take(&out, 777)).size;)
        assert_int_equal(fx_read(in, piece), ecNone);
    assert_string_equal(
        text(), talloc_asprintf(arena, "long 1000001f, at most %zu: %zu bytes\nlong 10130102, at most %zu: %zu bytes\n",
                                2 * size + 2, 2 * size, size, size));
}

static uint64_t seed;
static unsigned chance(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)(seed >> 33) % below;
}

static const char *some_text(void)
{
    static const char *const texts[] = { "", "a", "Zo\xC3\xAB", "two words" };
    return texts[chance(COUNTOF(texts))];
}

static struct prop some_prop(void)
{
    static const int16_t numbers[] = { 1, -2, 3 };
    static const char *const texts[] = { "one", "", "two" };
    static const struct blob blobs[] = { { (const uint8_t *)"xyz", 3 }, { (const uint8_t *)"", 0 } };
    switch (chance(8)) {
    case 0: return P_I32(PidTagMessageFlags, chance(1000));
    case 1: return P_BOOL(PidTagAssociated, chance(2));
    case 2: return P_STR(PidTagSubject, some_text());
    case 3: return P_BIN(PidTagChangeKey, BLOB_OF("abcdef", chance(7)));
    case 4: return (struct prop){ .tag = 0x60011002, .mv = { chance(4), { .i16 = numbers } } };
    case 5: return (struct prop){ .tag = 0x6002101F, .mv = { chance(4), { .str = texts } } };
    case 6: return (struct prop){ .tag = 0x60031102, .mv = { chance(3), { .bin = blobs } } };
    default: return P_TIME(PidTagLastModificationTime, chance(100000));
    }
}

/* What is heard of it at best, and the stream. */
static const char *some_stream(unsigned elements, struct blob *stream)
{
    const struct PropertyName name = { .Kind = 0, .LID = 0x8503 };
    struct fx_out out;
    begin();
    fx_out_init(&out, arena, FX_UNICODE, 1252);
    for (unsigned i = 0; i < elements; i++) {
        const bool named = chance(4) == 0;
        const struct prop p = named ? P_I32(0x80010003, i) : some_prop();
        if (chance(4) == 0) {
            fx_put_marker(&out, FX_NewAttach);
            hear_marker(NULL, FX_NewAttach);
        } else {
            fx_put_prop(&out, &p, named ? &name : NULL);
            hear_prop(NULL, &p, named ? &name : NULL);
        }
    }
    *stream = buf_blob(&out.bytes);
    return text();
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    (void)state;
    for (seed = 1; seed <= 40; seed++) {
        const uint64_t from = seed;
        struct blob all;
        const char *whole = some_stream(12, &all);
        for (size_t cut = 0; cut < all.size; cut++) {
            begin();
            assert_int_equal(fx_read(in, BLOB_OF(all.data, cut)), ecNone);
            assert_int_equal(fx_read(in, BLOB_OF(all.data + cut, all.size - cut)), ecNone);
            assert_true(fx_is_between(in));
            assert_string_equal(text(), whole);
        }
        seed = from;
    }
}

static void what_is_no_stream_is_refused_for_good(void **state)
{
    static const char *const bad[] = {
        "fa003700 01000000",                               /* no such type */
        "fd003700 00000000",                               /* none that a stream has */
        "03000180 01000000000000000000000000000000 02 00", /* a third kind of name */
    };
    (void)state;
    for (size_t i = 0; i < COUNTOF(bad); i++) {
        begin();
        assert_int_equal(read_hex(bad[i]), ecRpcFormat);
        assert_int_equal(read_hex("03000c40"), ecRpcFormat);
        assert_string_equal(text(), "");
        assert_false(fx_is_between(in));
    }
}

static void sizes_that_lie_take_no_memory(void **state)
{
    (void)state;
    assert_int_equal(read_hex("02100160 ffffffff"), ecTooBig);
    begin();
    assert_int_equal(read_hex("02110160 02000000 ffffffff"), ecTooBig);
    begin();
    assert_int_equal(read_hex("02010160 ffffffff 00"), ecNone); /* four gigabytes, in pieces */
    assert_true(talloc_total_size(in) < 4096);
    begin();
    struct buf name;
    buf_init(&name, arena);
    for (int i = 0; i < 300; i++)
        buf_add(&name, "a", 2);
    assert_int_equal(read_hex("03000280 02000000000000000000000000000000 01"), ecNone);
    assert_int_equal(fx_read(in, buf_blob(&name)), ecTooBig);
}

static void the_taker_may_end_it(void **state)
{
    (void)state;
    refusal = ecNotEnoughMemory;
    assert_int_equal(read_hex("03000c40 03000d40"), ecNotEnoughMemory);
    assert_string_equal(text(), "StartMessage\n");
    assert_int_equal(read_hex("03000d40"), ecNotEnoughMemory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_marker_has_no_value_and_a_value_has_its_type, setup, teardown),
        cmocka_unit_test_setup_teardown(text_is_taken_with_and_without_its_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(the_set_of_ids_that_says_it_is_a_number_is_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(named_properties_bring_their_names, setup, teardown),
        cmocka_unit_test_setup_teardown(long_values_come_in_pieces_and_text_without_its_zero, setup, teardown),
        cmocka_unit_test_setup_teardown(a_stream_may_be_cut_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_stream_is_refused_for_good, setup, teardown),
        cmocka_unit_test_setup_teardown(sizes_that_lie_take_no_memory, setup, teardown),
        cmocka_unit_test_setup_teardown(the_taker_may_end_it, setup, teardown),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("reading FastTransfer streams", tests, NULL, NULL);
}
