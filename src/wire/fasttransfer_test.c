/* SPDX-License-Identifier: Apache-2.0 */
/* The lexical layer of FastTransfer streams, [MS-OXCFXICS] 2.2.4.1. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/fasttransfer.h"

static TALLOC_CTX *arena;
static struct fx_out out;

static int arena_new(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    fx_out_init(&out, arena, FX_UNICODE, 1252);
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

static void assert_taken(size_t most, const char *hex)
{
    assert_string_equal(hex_text(arena, fx_take(&out, most)), hex_text(arena, bytes_of(hex)));
}

static void put(struct prop p)
{
    fx_put_prop(&out, &p, NULL);
}

static void a_marker_is_four_bytes_and_nothing_follows(void **state)
{
    (void)state;
    fx_put_marker(&out, FX_StartMessage);
    fx_put_marker(&out, FX_IncrSyncProgressMode);
    assert_taken(100, "03000c40 0b007440"); /* R1006, R1023, R1049, R1050 */
    assert_string_equal(fx_marker_name(0x40120003), "IncrSyncChg");
    assert_null(fx_marker_name(MetaTagFXDelProp));
}

static void numbers_are_as_in_MS_OXCDATA_but_a_boolean_has_two_bytes(void **state)
{
    (void)state;
    put(P_BOOL(PidTagAssociated, true));
    put(P_BOOL(PidTagAssociated, false));
    assert_taken(100, "0b00aa67 0100 0b00aa67 0000"); /* R990, R991 */
    put(P_I32(PidTagMessageSize, 0x1234));
    assert_taken(100, "0300080e 34120000"); /* R996, R3261 */
    put(P_I64(PidTagChangeNumber, 0x0102));
    assert_taken(100, "1400a467 0201000000000000");
}

static void text_and_bytes_have_lengths_of_four_bytes_and_text_its_zero(void **state)
{
    (void)state;
    put(P_STR(PidTagSubject, "Zoë"));
    assert_taken(100, "1f003700 08000000 5a006f00eb000000"); /* R992, R3259 */
    put(P_BIN(PidTagChangeKey, BLOB_OF("abc", 3)));
    assert_taken(100, "0201e265 03000000 616263");
    put((struct prop){ .tag = PROP_TAG(PtypMultiple | PtypString, 0x6001),
                       .mv = { 2, { .str = (const char *[]){ "a", "" } } } });
    assert_taken(100, "1f100160 02000000 04000000 61000000 02000000 0000");
    put((struct prop){ .tag = PROP_TAG(PtypMultiple | PtypInteger16, 0x6001),
                       .mv = { 2, { .i16 = (int16_t[]){ 1, -2 } } } });
    assert_taken(100, "02100160 02000000 0100 feff");
    put((struct prop){ .tag = PROP_TAG(PtypMultiple | PtypBinary, 0x6001), .mv = { 1, { .bin = &BLOB_OF("xy", 2) } } });
    assert_taken(100, "02110160 01000000 02000000 7879");
}

static void text_goes_out_as_the_send_options_say(void **state)
{
    static const struct {
        uint8_t options;
        const char *bytes;
    } cases[] = {
        { 0, "1e003700 02000000 eb00" },                                    /* R3447 */
        { FX_UNICODE, "1f003700 04000000 eb000000" },                       /* R3448, R3449 */
        { FX_FORCE_UNICODE, "1f003700 04000000 eb000000" },                 /* R3451 */
        { FX_UNICODE | FX_FORCE_UNICODE, "1f003700 04000000 eb000000" },    /* R3455 */
        { FX_USE_CPID, "b0843700 04000000 eb000000" },                      /* R3452, R3453, R3255, R3257, R3258 */
        { FX_FOR_UPLOAD, "b0843700 04000000 eb000000" },                    /* R3456, R3457, R3781 */
        { FX_USE_CPID | FX_FORCE_UNICODE, "b0843700 04000000 eb000000" },   /* R3782 */
        { FX_FOR_UPLOAD | FX_FORCE_UNICODE, "b0843700 04000000 eb000000" }, /* R3459 */
    };
    (void)state;
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        fx_out_init(&out, arena, cases[i].options, 1252);
        put(P_STR(PidTagSubject, "ë"));
        assert_taken(100, cases[i].bytes);
    }
}

static void a_named_property_carries_its_name(void **state)
{
    const struct PropertyName lid = { .Kind = 0, .GUID = { { 1 } }, .LID = 0x8503 };
    const struct PropertyName text = { .Kind = 1, .GUID = { { 2 } }, .NameSize = 4, .Name = BLOB_OF("a\0b\0", 4) };
    (void)state;
    fx_put_prop(&out, &P_I32(0x80010003, 7), &lid);
    assert_taken(100, "03000180 01000000000000000000000000000000 00 03850000 07000000");
    fx_put_prop(&out, &P_I32(0x80020003, 7), &text);
    assert_taken(100, "03000280 02000000000000000000000000000000 01 610062000000 07000000");
}

static void a_stream_is_cut_between_atoms_or_inside_a_value_only(void **state)
{
    const struct PropertyName lid = { .Kind = 0, .GUID = { { 1 } }, .LID = 0x8503 };
    (void)state;
    fx_put_marker(&out, FX_IncrSyncChg);
    put(P_I32(PidTagMessageSize, 1));
    assert_taken(3, "");         /* R982 */
    assert_taken(7, "03001240"); /* R981 */
    assert_taken(4, "0300080e"); /* R983 */
    assert_taken(3, "");
    assert_taken(4, "01000000");
    put(P_BIN(PidTagChangeKey, BLOB_OF("abc", 3)));
    assert_taken(7, "0201e265");
    assert_taken(6, "03000000 6162");
    assert_taken(6, "63");
    put(P_STR(PidTagSubject, "abc"));
    assert_taken(11, "1f003700 08000000 6100");
    assert_taken(3, "6200");
    assert_taken(9, "63000000");
    fx_put_prop(&out, &P_I32(0x80010003, 7), &lid);
    assert_taken(24, "");
    assert_taken(25, "03000180 01000000000000000000000000000000 00 03850000");
    assert_taken(99, "07000000");
    assert_int_equal(fx_left(&out), 0);
}

static void a_long_value_comes_in_pieces(void **state)
{
    uint8_t piece[1000];
    size_t got = 0;
    (void)state;
    memset(piece, 'x', sizeof piece);
    fx_put_long(&out, PidTagAttachDataBinary, NULL, 1000000);
    for (int i = 0; i < 1000; i++) {
        fx_put_piece(&out, PtypBinary, BLOB_OF(piece, sizeof piece));
        got += fx_take(&out, 997).size;
    }
    assert_in_range(talloc_total_size(arena), 1, 400000);
    while (fx_left(&out))
        got += fx_take(&out, 997).size;
    assert_int_equal(got, 1000008);
}

static void what_is_written_is_read_by_the_same_flavour(void **state)
{
    static const char *const texts[] = { "ä", "" };
    static const struct prop props[] = {
        { .tag = PidTagSubject, .str = "Grüße" },
        { .tag = PidTagAssociated, .b = true },
        { .tag = PidTagChangeKey, .bin = { (const uint8_t *)"abc", 3 } },
        { .tag = PidTagMessageSize, .i32 = 5 },
        { .tag = PROP_TAG(PtypMultiple | PtypString, 0x6001), .mv = { 2, { .str = texts } } },
        { .tag = PROP_TAG(PtypObject, 0x3701), .bin = { (const uint8_t *)"obj", 3 } },
    };
    static const uint8_t options[] = { 0, FX_UNICODE, FX_FOR_UPLOAD };
    (void)state;
    for (size_t i = 0; i < COUNTOF(props) * COUNTOF(options); i++) {
        const struct prop *p = &props[i % COUNTOF(props)];
        fx_out_init(&out, arena, options[i / COUNTOF(props)], 1252);
        put(*p);
        const struct blob bytes = fx_take(&out, SIZE_MAX);
        struct wire_in in = wire_in(arena, bytes);
        in.flavour = WIRE_FX;
        const struct prop back = wire_get_prop(&in);
        assert_false(in.bad);
        assert_int_equal(wire_left(&in), 0);
        assert_true(prop_equal(p, &back));
        for (size_t end = 0; end < bytes.size; end++) {
            in = wire_in(arena, BLOB_OF(bytes.data, end));
            in.flavour = WIRE_FX;
            wire_get_prop(&in);
            assert_true(in.bad);
        }
    }
}

static void a_reader_takes_text_without_its_zero(void **state)
{
    static const char *const same[] = { "1f003700 04000000 61006200", "1f003700 06000000 610062000000",
                                        "1e003700 02000000 6162", "b0843700 04000000 61006200",
                                        "e4843700 03000000 616200" };
    (void)state;
    for (size_t i = 0; i < COUNTOF(same); i++) {
        struct wire_in in = wire_in(arena, bytes_of(same[i]));
        in.flavour = WIRE_FX;
        assert_string_equal(wire_get_prop(&in).str, "ab"); /* R995 */
        assert_false(in.bad);
    }
}

/* The beginning of a folder hierarchy that Exchange has sent, from the article "How to parse the FastTransfer Stream" of
 * the specification's authors: each element is written as it was read. */
static void a_stream_of_Exchange_is_written_again_byte_by_byte(void **state)
{
    const struct blob all = bytes_of(
        "03001240 0201E165 00000000 0201E065 16000000 52F685EC7D432E4AA960345088 53D90A0000000003F5"
        "40000830 00D09EA88185D001 0201E265 16000000 52F685EC7D432E4AA96034508853D90A00000000207C"
        "0201E365 17000000 1652F685EC7D432E4AA96034508853D90A00000000207C 1F000130 0C000000 49004E0042004F0058000000"
        "14004967 01000000000003F4 03003966 FB030000 40000730 803906A88185D001 0B00F410 0000");
    struct wire_in in = wire_in(arena, all);
    unsigned markers = 0;
    (void)state;
    in.flavour = WIRE_FX;
    while (wire_left(&in)) {
        const uint32_t tag = (uint32_t)wire_get_uint(&in, 4);
        if (fx_marker_name(tag)) {
            markers++;
            fx_put_marker(&out, tag);
        } else {
            put(wire_get_value(&in, tag));
        }
        assert_false(in.bad);
    }
    assert_int_equal(markers, 1);
    assert_true(blob_equal(fx_take(&out, SIZE_MAX), all));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_marker_is_four_bytes_and_nothing_follows, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(numbers_are_as_in_MS_OXCDATA_but_a_boolean_has_two_bytes, arena_new,
                                        arena_free),
        cmocka_unit_test_setup_teardown(text_and_bytes_have_lengths_of_four_bytes_and_text_its_zero, arena_new,
                                        arena_free),
        cmocka_unit_test_setup_teardown(text_goes_out_as_the_send_options_say, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(a_named_property_carries_its_name, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(a_stream_is_cut_between_atoms_or_inside_a_value_only, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(a_long_value_comes_in_pieces, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(what_is_written_is_read_by_the_same_flavour, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(a_stream_of_Exchange_is_written_again_byte_by_byte, arena_new, arena_free),
        cmocka_unit_test_setup_teardown(a_reader_takes_text_without_its_zero, arena_new, arena_free),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
