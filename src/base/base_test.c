/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <unicode/ucnv.h>

#include "base/base.h"

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

static void assert_blob(struct blob got, const void *want, size_t size)
{
    assert_int_equal(got.size, size);
    assert_memory_equal(got.data, want, size);
}
#define ASSERT_BLOB(got, text) assert_blob(got, text, sizeof(text) - 1)

static void a_code_has_its_name_and_its_sentence(void **state)
{
    (void)state;
    assert_int_equal((uint32_t)ecNotFound, 0x8004010F);
    assert_string_equal(ec_name(ecNone), "ecNone");
    assert_string_equal(ec_name(ecNotFound), "ecNotFound");
    assert_string_equal(ec_text(ecNotFound), "not found");
    assert_string_equal(ec_name((enum ec)0x80040123), "0x80040123");
    assert_true(strlen(ec_text((enum ec)0x80040123)) > 0);
}

static void a_buffer_keeps_what_is_added_while_it_grows(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, arena);
    for (int i = 0; i < 10000; i++)
        buf_printf(&buf, "%d,", i % 10);
    assert_int_equal(buf.size, 20000);
    assert_memory_equal(buf.data + 19980, "0,1,2,3,4,5,6,7,8,9,", 20);
    buf_add(&buf, NULL, 0);
    struct blob copy = blob_copy(arena, buf_blob(&buf));
    assert_true(blob_equal(copy, buf_blob(&buf)));
    assert_ptr_not_equal(copy.data, buf.data);
    assert_true(blob_equal((struct blob){ 0 }, BLOB_OF("", 0)));
    assert_false(blob_equal(BLOB_OF("ab", 2), BLOB_OF("ac", 2)));
}

static void a_guid_is_little_endian_on_the_wire_and_readable_as_text(void **state)
{
    (void)state;
    const uint8_t rest[8] = { 0xC0, 0, 0, 0, 0, 0, 0, 0x46 };
    char text[GUID_TEXT_SIZE];
    struct guid guid = guid_of(0x00020329, 0x1234, 0x5678, rest), parsed;
    assert_memory_equal(guid.bytes, "\x29\x03\x02\x00\x34\x12\x78\x56\xC0", 9);
    assert_string_equal(guid_text(guid, text), "00020329-1234-5678-c000-000000000046");
    assert_true(guid_parse("{00020329-1234-5678-C000-000000000046}", &parsed));
    assert_true(guid_equal(guid, parsed));
    assert_true(guid_parse(text, &parsed));
    assert_false(guid_parse("", &parsed));
    assert_false(guid_parse("{00020329-1234-5678-c000-000000000046", &parsed));
    assert_false(guid_parse("00020329-1234-5678-c000-000000000046}", &parsed));
    assert_false(guid_parse("00020329-1234-5678-c000-00000000004", &parsed));
    assert_false(guid_parse("00020329-1234-5678-c000-0000000000460", &parsed));
    assert_false(guid_parse("000203291234-5678-c000-000000000046-", &parsed));
    struct guid one = guid_random(), two = guid_random();
    assert_false(guid_equal(one, two));
    assert_false(guid_is_zero(one));
    assert_int_equal(guid_text(one, text)[14], '4');
    assert_true(guid_is_zero((struct guid){ { 0 } }));
}

static void numbers_are_read_at_any_alignment(void **state)
{
    (void)state;
    uint8_t bytes[9] = { 0 };
    put_le64(bytes + 1, 0xFEDCBA9876543210);
    assert_int_equal(bytes[1], 0x10);
    assert_true(le64(bytes + 1) == 0xFEDCBA9876543210);
    assert_int_equal(le32(bytes + 5), 0xFEDCBA98);
    assert_int_equal(le16(bytes + 7), 0xFEDC);
}

static void a_filetime_counts_from_1601(void **state)
{
    (void)state;
    assert_true(filetime_of_unix(0) == 116444736000000000);
    assert_string_equal(filetime_text(arena, filetime_of_unix(1795428000) + 1230000), "2026-11-23T10:00:00.123Z");
    assert_string_equal(filetime_text(arena, 0), "1601-01-01T00:00:00.000Z");
    assert_int_equal(filetime_to_unix(filetime_of_unix(-1)), -1);
    assert_true(filetime_of_unix(INT64_MIN) == 0);
    assert_true(filetime_of_unix(INT64_MAX) > filetime_of_unix(1795428000));
    assert_string_equal(filetime_text(arena, UINT64_MAX), "60056-05-28T05:36:10.955Z");
    assert_true(filetime_now() > filetime_of_unix(1700000000));
    uint64_t before = clock_ms();
    assert_true(clock_ms() >= before);
}

static void utf16_becomes_utf8_and_comes_back(void **state)
{
    (void)state;
    static const char text[] = "Grüße, 世界 \xF0\x9F\x90\x82!";
    struct blob utf16 = utf16_of_utf8(arena, text);
    assert_int_equal(utf16.size, 2 * 13);
    assert_memory_equal(utf16.data + 20, "\x3D\xD8\x02\xDC", 4);
    assert_string_equal(utf8_of_utf16(arena, utf16.data, utf16.size), text);
    assert_string_equal(utf8_of_utf16(arena, NULL, 0), "");
    assert_int_equal(utf16_of_utf8(arena, "").size, 0);
}

static void text_in_utf16_ends_at_its_terminator(void **state)
{
    (void)state;
    assert_string_equal(utf8_of_utf16(arena, (const uint8_t *)"a\0b\0\0\0c", 8), "ab");
}

static void wrong_sequences_become_the_replacement_character(void **state)
{
    (void)state;
    assert_string_equal(utf8_of_utf16(arena, (const uint8_t *)"\x00\xD8" "a\0", 4), "\xEF\xBF\xBD" "a");
    assert_string_equal(utf8_of_utf16(arena, (const uint8_t *)"\x00\xDC\x00\xD8", 4), "\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_string_equal(utf8_of_utf16(arena, (const uint8_t *)"a\0b", 3), "a\xEF\xBF\xBD");
    ASSERT_BLOB(utf16_of_utf8(arena, "a\xFFz"), "a\0\xFD\xFFz\0");
    ASSERT_BLOB(utf16_of_utf8(arena, "\xED\xA0\x80"), "\xFD\xFF\xFD\xFF\xFD\xFF");
    ASSERT_BLOB(utf16_of_utf8(arena, "\xE4\xB8"), "\xFD\xFF");
    assert_string_equal(utf8_of_codepage(arena, 65001, "a\xC3z", 3), "a\xEF\xBF\xBDz");
}

static void long_text_of_every_width_survives_utf16(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, arena);
    for (uint32_t c = 1; c < 0x110000; c += 97)
        if (c < 0xD800 || c > 0xDFFF) {
            char utf8[5] = { 0 };
            int n = 0;
            U8_APPEND_UNSAFE(utf8, n, c);
            buf_add(&text, utf8, (size_t)n);
        }
    buf_add(&text, "", 1);
    struct blob utf16 = utf16_of_utf8(arena, (char *)text.data);
    assert_string_equal(utf8_of_utf16(arena, utf16.data, utf16.size), (char *)text.data);
    struct blob gb = codepage_of_utf8(arena, 54936, (char *)text.data);
    assert_string_equal(utf8_of_codepage(arena, 54936, gb.data, gb.size), (char *)text.data);
}

static void text_that_would_outgrow_memory_ends_after_a_whole_character(void **state)
{
    (void)state;
    enum { SIZE = 100 * 1024 * 1024, LONGEST = 192 * 1024 * 1024 };
    char *bytes = talloc_size(arena, SIZE + 1);
    memset(bytes, 0x80, SIZE);
    bytes[SIZE] = 0;
    char *text = utf8_of_codepage(arena, 1252, bytes, SIZE);
    const size_t length = strlen(text);
    assert_true(length > LONGEST - 4 && length <= LONGEST);
    assert_string_equal(text + length - 3, "€");
    const struct blob utf16 = utf16_of_utf8(arena, text); /* each three bytes become two */
    assert_true(utf16.size <= LONGEST);
    talloc_free(text);
    talloc_free((void *)utf16.data);
    memset(bytes, 'a', SIZE);
    const struct blob gb = codepage_of_utf8(arena, 1200, bytes); /* each byte becomes two */
    assert_int_equal(gb.size, LONGEST);
}

static void a_code_page_is_converted_both_ways(void **state)
{
    (void)state;
    assert_string_equal(utf8_of_codepage(arena, 1252, "\x80 na\xEFve", 7), "€ naïve");
    assert_string_equal(utf8_of_codepage(arena, 932, "\x93\xFA\x96\x7B", 4), "日本");
    assert_string_equal(utf8_of_codepage(arena, 1200, "a\0\xE9\0", 4), "aé");
    ASSERT_BLOB(codepage_of_utf8(arena, 1251, "Привет"), "\xCF\xF0\xE8\xE2\xE5\xF2");
    ASSERT_BLOB(codepage_of_utf8(arena, 1252, "a世\xF0\x9F\x90\x82z"), "a\?\?z");
    ASSERT_BLOB(codepage_of_utf8(arena, 932, "a\xF0\x9F\x90\x82z"), "a?z");
    ASSERT_BLOB(codepage_of_utf8(arena, 20127, "é"), "?");
    assert_int_equal(codepage_of_utf8(arena, 1252, "").size, 0);
    assert_string_equal(utf8_of_codepage(arena, 1252, NULL, 0), "");
    assert_string_equal(utf8_of_codepage(arena, 4711, "\xE9", 1), "é");
}

static void every_code_page_in_the_table_can_be_used(void **state)
{
    (void)state;
    unsigned known = 0;
    for (unsigned codepage = 0; codepage < 66000; codepage++)
        if (codepage_known(codepage)) {
            struct blob bytes = codepage_of_utf8(arena, codepage, "Hello 123");
            assert_string_equal(utf8_of_codepage(arena, codepage, bytes.data, bytes.size), "Hello 123");
            known++;
        }
    assert_true(known > 60);
    assert_true(codepage_known(1252) && codepage_known(65001) && codepage_known(28591));
    assert_false(codepage_known(4711));
}

static void a_charset_is_taken_as_mail_means_it(void **state)
{
    (void)state;
    assert_string_equal(utf8_of_charset(arena, "ISO-8859-1", "\x93hi\x94", 4), "“hi”");
    assert_string_equal(utf8_of_charset(arena, "koi8-r", "\xF0\xD2\xC9", 3), "При");
    assert_string_equal(utf8_of_charset(arena, "iso-2022-jp", "\x1B$BF|K\\\x1B(B", 10), "日本");
    assert_string_equal(utf8_of_charset(arena, "gb2312", "\xC4\xE3\xBA\xC3", 4), "你好");
    assert_string_equal(utf8_of_charset(arena, "utf-8", "é", 2), "é");
    assert_string_equal(utf8_of_charset(arena, "x-nobody-knows", "\xE9", 1), "é");
    assert_string_equal(utf8_of_charset(arena, "", "\xE9", 1), "é");
}

static void folding_forgets_case_width_and_accents(void **state)
{
    (void)state;
    assert_string_equal(text_fold(arena, "Hello World"), "hello world");
    assert_string_equal(text_fold(arena, "ÉCOLE Straße ＡＢＣ ﬁn"), "ecole strasse abc fin");
    assert_string_equal(text_fold(arena, "Ё"), "е");
    assert_string_equal(text_fold(arena, "㎅"), "kb");
    assert_string_equal(text_fold(arena, "각"), "각");
    assert_string_equal(text_fold(arena, "が"), "が");
    assert_string_equal(text_fold(arena, "ﷺ"), "صلى الله عليه وسلم");     /* one character, eighteen folded */
    assert_string_equal(text_fold(arena, ""), "");
}

static int order(const char *a, const char *b, uint32_t lcid)
{
    struct blob x = text_sort_key(arena, a, lcid), y = text_sort_key(arena, b, lcid);
    int by = memcmp(x.data, y.data, MIN(x.size, y.size));
    return by ? by : (int)x.size - (int)y.size;
}

static void folding_one_thing_keeps_the_other(void **state)
{
    (void)state;
    assert_string_equal(text_fold_only(arena, "ÉCOLE", FOLD_CASE), "école");
    assert_string_equal(text_fold_only(arena, "ÉCOLE", FOLD_ACCENTS), "ECOLE");
    assert_string_equal(text_fold_only(arena, "Hello", FOLD_CASE), "hello");
    assert_string_equal(text_fold_only(arena, "Hello", FOLD_ACCENTS), "Hello");
    assert_string_equal(text_upper(arena, "Straße, école"), "STRASSE, ÉCOLE");
    assert_string_equal(text_upper(arena, ""), "");
}

static void sort_keys_follow_the_locale(void **state)
{
    (void)state;
    assert_true(order("apple", "Banana", 0x0409) < 0);
    assert_true(order("zebra", "äpple", 0x041D) < 0);      /* Swedish: ä comes after z */
    assert_true(order("zebra", "äpple", 0x0407) > 0);      /* German: ä is a kind of a */
    assert_true(order("a", "ab", 0x0409) < 0);
    assert_int_equal(order("same", "same", 0x0409), 0);
    assert_true(order("a", "b", 0) < 0);
    assert_true(order("a", "b", 0xFFFF1234) < 0);
    for (uint32_t lcid = 0x0401; lcid < 0x0430; lcid++)    /* more than a thread keeps */
        assert_true(order("a", "b", lcid) < 0);
    const char *wide = talloc_strdup(arena, "");
    for (int i = 0; i < 200; i++)
        wide = talloc_asprintf_append((char *)wide, "%s", "한글 ǖ ");
    assert_int_equal(order(wide, wide, 0x0412), 0);
}

static void *use_text_in_a_thread(void *unused)
{
    TALLOC_CTX *own = talloc_new(NULL);
    bool good = strcmp(utf8_of_codepage(own, 1252, "\xE9", 1), "é") == 0 && text_sort_key(own, "é", 0x0409).size > 0;
    talloc_free(own);
    return good ? unused : NULL;
}

static void every_thread_has_its_own_converters(void **state)
{
    (void)state;
    pthread_t threads[4];
    for (size_t i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, use_text_in_a_thread, threads), 0);
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        void *good;
        assert_int_equal(pthread_join(threads[i], &good), 0);
        assert_non_null(good);
    }
}

static void prefixes_ignore_case(void **state)
{
    (void)state;
    assert_true(text_is_prefix("/MAPI/emsmdb/", "/mapi/"));
    assert_true(text_is_prefix("x", ""));
    assert_false(text_is_prefix("/map", "/mapi/"));
}

static void hex_goes_both_ways_and_refuses_the_rest(void **state)
{
    (void)state;
    struct blob out;
    assert_string_equal(hex_text(arena, BLOB_OF("\x00\xFF\x1a", 3)), "00ff1a");
    assert_string_equal(hex_text(arena, (struct blob){ 0 }), "");
    assert_true(hex_parse(arena, "00 FF\n1a", &out));
    assert_blob(out, "\x00\xFF\x1a", 3);
    assert_true(hex_parse(arena, "", &out));
    assert_int_equal(out.size, 0);
    assert_false(hex_parse(arena, "0", &out));
    assert_false(hex_parse(arena, "0g", &out));
}

static void base64_goes_both_ways_and_refuses_the_rest(void **state)
{
    (void)state;
    static const struct { const char *plain, *coded; } rows[] = {          /* RFC 4648 10 */
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" }, { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" },
    };
    static const char *const wrong[] = { "Z", "Zg=", "Zg===", "=", "Zm9v=", "Z=g=", "Zm9v!", "Zm9v\x80", "====" };
    struct blob out;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        assert_string_equal(base64_text(arena, BLOB_OF(rows[i].plain, strlen(rows[i].plain))), rows[i].coded);
        assert_true(base64_parse(arena, rows[i].coded, &out));
        assert_true(blob_equal(out, BLOB_OF(rows[i].plain, strlen(rows[i].plain))));
    }
    assert_true(base64_parse(arena, " Zm9v\r\nYg ", &out));
    assert_blob(out, "foob", 4);
    for (size_t i = 0; i < COUNTOF(wrong); i++)
        assert_false(base64_parse(arena, wrong[i], &out));
}

static void random_bytes_and_base64_agree_at_every_length(void **state)
{
    (void)state;
    for (size_t n = 0; n < 300; n++) {
        uint8_t bytes[300];
        struct blob out;
        random_bytes(bytes, n);
        assert_true(base64_parse(arena, base64_text(arena, BLOB_OF(bytes, n)), &out));
        assert_true(blob_equal(out, BLOB_OF(bytes, n)));
        assert_true(hex_parse(arena, hex_text(arena, BLOB_OF(bytes, n)), &out));
        assert_true(blob_equal(out, BLOB_OF(bytes, n)));
    }
}

static void digests_are_the_published_ones(void **state)
{
    (void)state;
    uint8_t md5[16], sha[32];
    md5_of(BLOB_OF("abc", 3), md5);                        /* RFC 1321 A.5 */
    assert_string_equal(hex_text(arena, BLOB_OF(md5, 16)), "900150983cd24fb0d6963f7d28e17f72");
    sha256_of((struct blob){ 0 }, sha);
    assert_string_equal(hex_text(arena, BLOB_OF(sha, 32)),
                        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void a_log_line_cannot_be_forged(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    log_to(file, LOG_INFO);
    log_line(LOG_WARNING, "http", "path %s", "/a\r\n2026 error: \x1B[2J\xC2\x9B é");
    log_line(LOG_DEBUG, "http", "not printed");
    assert_true(log_is_on(LOG_INFO));
    assert_false(log_is_on(LOG_DEBUG));
    log_to(NULL, LOG_INFO);
    fclose(file);
    assert_string_equal(strchr(text, ' '), " warning http: path /a\\x0d\\x0a2026 error: \\x1b[2J\\xc2\x9B é\n");
    assert_int_equal(text[10], 'T');
    free(text);
}

static void valid_UTF8_is_told_from_latin1_and_from_overlong_forms(void **state)
{
    (void)state;
    assert_true(utf8_is_valid("", 0));
    assert_true(utf8_is_valid("Gr\xC3\xBC\xC3\x9F" "e \xF0\x9F\x93\xA7", 12));
    assert_false(utf8_is_valid("Gr\xFC\xDF" "e", 5));
    assert_false(utf8_is_valid("\xC0\xAF", 2));
    assert_false(utf8_is_valid("\xED\xA0\x80", 3));
    assert_false(utf8_is_valid("\xC3", 1));
}

static void a_text_is_cut_between_two_characters(void **state)
{
    (void)state;
    assert_int_equal(utf8_start("ab", 5), 2);
    assert_int_equal(utf8_start("ab", 1), 1);
    assert_int_equal(utf8_start("a\xC3\xBC", 2), 1);
    assert_int_equal(utf8_start("a\xC3\xBC", 3), 3);
    assert_int_equal(utf8_start("\xF0\x9F\x93\xA7", 3), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(a_code_has_its_name_and_its_sentence),
        TEST(a_buffer_keeps_what_is_added_while_it_grows),
        TEST(a_guid_is_little_endian_on_the_wire_and_readable_as_text),
        TEST(numbers_are_read_at_any_alignment),
        TEST(a_filetime_counts_from_1601),
        TEST(utf16_becomes_utf8_and_comes_back),
        TEST(text_in_utf16_ends_at_its_terminator),
        TEST(wrong_sequences_become_the_replacement_character),
        TEST(long_text_of_every_width_survives_utf16),
        TEST(text_that_would_outgrow_memory_ends_after_a_whole_character),
        TEST(a_code_page_is_converted_both_ways),
        TEST(every_code_page_in_the_table_can_be_used),
        TEST(a_charset_is_taken_as_mail_means_it),
        TEST(folding_forgets_case_width_and_accents),
        TEST(folding_one_thing_keeps_the_other),
        TEST(sort_keys_follow_the_locale),
        TEST(every_thread_has_its_own_converters),
        TEST(valid_UTF8_is_told_from_latin1_and_from_overlong_forms),
        TEST(prefixes_ignore_case),
        TEST(hex_goes_both_ways_and_refuses_the_rest),
        TEST(base64_goes_both_ways_and_refuses_the_rest),
        TEST(random_bytes_and_base64_agree_at_every_length),
        TEST(digests_are_the_published_ones),
        TEST(a_log_line_cannot_be_forged),
        TEST(a_text_is_cut_between_two_characters),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
