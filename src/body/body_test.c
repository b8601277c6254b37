/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXRTFCP], [MS-OXRTFEX]: the forms of a body, and what each is made of. */
#include "body/body.h"

#include <setjmp.h>
#include <stdlib.h>
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static int setup(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    talloc_free(*state);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static struct blob hex(TALLOC_CTX *arena, const char *text)
{
    struct blob bytes;
    assert_true(hex_parse(arena, text, &bytes));
    return bytes;
}

static struct blob text_blob(const char *text)
{
    return BLOB_OF(text, strlen(text));
}

static const char *string(TALLOC_CTX *arena, struct blob bytes)
{
    return talloc_strndup(arena, (const char *)bytes.data, bytes.size);
}

/* [MS-OXRTFCP] 3.1: the second one refers to bytes that it is just writing. */
static const struct {
    const char *rtf, *compressed;
} examples[] = {
    { "{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n",
      "2d 00 00 00 2b 00 00 00 4c 5a 46 75 f1 c5 c7 a7 03 00 0a 00 72 63 70 67 31 32 35 42 32 0a f3 20 68 65 6c 09 00"
      "20 62 77 05 b0 6c 64 7d 0a 80 0f a0" },
    { "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}",
      "1a 00 00 00 1c 00 00 00 4c 5a 46 75 e2 d4 4b 51 41 00 04 20 57 58 59 5a 0d 6e 7d 01 0e b0" },
};

static void the_examples_of_the_specification_are_read_and_written(void **state)
{
    for (size_t i = 0; i < COUNTOF(examples); i++) {
        const struct blob compressed = hex(*state, examples[i].compressed);
        struct blob rtf;
        assert_int_equal(body_rtf_decompress(*state, compressed, &rtf), ecNone);
        assert_string_equal(string(*state, rtf), examples[i].rtf);
        const struct blob made = body_rtf_compress(*state, text_blob(examples[i].rtf));
        assert_string_equal(hex_text(*state, made), hex_text(*state, compressed));
    }
}

static void what_is_damaged_is_refused_and_a_start_gives_a_start(void **state)
{
    const struct blob good = hex(*state, examples[0].compressed);
    uint8_t *bad = talloc_memdup(*state, good.data, good.size);
    struct blob rtf;
    bad[20] ^= 1;
    assert_int_equal(body_rtf_decompress(*state, BLOB_OF(bad, good.size), &rtf), ecCorruptData);
    bad[20] ^= 1;
    bad[8] ^= 1;
    assert_int_equal(body_rtf_decompress(*state, BLOB_OF(bad, good.size), &rtf), ecCorruptData);
    assert_int_equal(body_rtf_decompress(*state, BLOB_OF(good.data, 15), &rtf), ecCorruptData);
    assert_int_equal(body_rtf_decompress(*state, BLOB_OF(good.data, good.size - 12), &rtf), ecNone);
    assert_true(text_is_prefix(examples[0].rtf, string(*state, rtf)));
    assert_true(rtf.size > 20);
}

static void an_rtf_may_lie_there_uncompressed(void **state)
{
    struct blob rtf;
    const struct blob stored = hex(*state, "0f 00 00 00 03 00 00 00 4d 45 4c 41 00 00 00 00 7b 7d 0a");
    assert_int_equal(body_rtf_decompress(*state, stored, &rtf), ecNone);
    assert_string_equal(string(*state, rtf), "{}\n");
}

static void whatever_goes_in_comes_out_again(void **state)
{
    srand(7);
    for (size_t size = 0; size < 100000; size = size * 3 / 2 + 1) {
        uint8_t *bytes = talloc_array(*state, uint8_t, size + 1);
        const int letters = size % 2 ? 256 : 3;
        for (size_t i = 0; i < size; i++)
            bytes[i] = (uint8_t)(rand() % letters);
        struct blob again;
        assert_int_equal(body_rtf_decompress(*state, body_rtf_compress(*state, BLOB_OF(bytes, size)), &again), ecNone);
        assert_true(blob_equal(again, BLOB_OF(bytes, size)));
    }
}

static void text_is_read_out_of_rtf(void **state)
{
    static const struct {
        const char *rtf, *text;
    } cases[] = {
        { "{\\rtf1\\ansi one\\par two\\tab three}", "one\r\ntwo\tthree" },
        { "{\\rtf1{\\fonttbl{\\f0 Arial;}{\\f1\\fcharset204 Courier;}}\\f0 a\\'e9{\\f1\\'e9}\\'e9}",
          "a\u00E9\u0439\u00E9" },
        { "{\\rtf1\\ansicpg1251 \\'e9}", "\u0439" },
        { "{\\rtf1\\uc2 \\u1081 ab\\uc0\\u8364 c}", "\u0439\u20ACc" },
        { "{\\rtf1 \\u-10179?\\u-8704?}", "\U0001F600" },
        { "{\\rtf1{\\*\\generator Word;}{\\info{\\title T}}{\\pict 0102}x\\{\\}\\\\}", "x{}\\" },
        { "{\\rtf1 a\\bin3 }}}b}", "ab" },
        { "{\\rtf1 \\'9", "" },
        { "}}}a{{{", "a" },
        { "\\", "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_string_equal(body_text_of_rtf(*state, text_blob(cases[i].rtf)), cases[i].text);
}

/* [MS-OXRTFEX] 2.2.3 */
static const char encapsulated[] =
    "{\\rtf1\\ansi\\ansicpg1251\\fromhtml1 \\deff0{\\fonttbl{\\f0\\fmodern Courier;}}\\uc1\\pard\\plain\\deftab360\r\n"
    "{\\*\\htmltag18 <html>}{\\*\\htmltag34 <head>\\par\r\n<title>\\'e9</title></head>}\r\n"
    "{\\*\\htmltag64}\\htmlrtf {\\htmlrtf0 {\\*\\htmltag84 <b>}\\htmlrtf {\\b\\htmlrtf0 bold {\\*\\htmltag84 &lt;}"
    "\\htmlrtf <\\htmlrtf0 \\u1081?{\\*\\mhtmltag84 hidden}\\htmlrtf }\\htmlrtf0 {\\*\\htmltag92 </b>}\\htmlrtf "
    "}\\htmlrtf0"
    "{\\*\\htmltag27 </html>}}";

static void html_is_taken_out_of_the_rtf_that_was_made_of_it(void **state)
{
    const struct blob rtf = text_blob(encapsulated);
    assert_int_equal(body_rtf_origin(rtf), BODY_HTML);
    assert_string_equal(body_html_of_rtf(*state, rtf),
                        "<html><head>\r\n<title>&#1081;</title></head><b>bold &lt;&#1081;</b></html>");
    assert_string_equal(body_text_of_rtf(*state, rtf), "bold <\u0439");
}

static void html_goes_into_rtf_and_comes_out_as_it_was(void **state)
{
    static const char html[] = "<!DOCTYPE html>\r\n<html><head><style>p { a: b }</style><title>x &amp; "
                               "y</title></head>\r\n<body><!-- <p> -->\r\n"
                               "<p class=\"a>b\">One &nbsp;&amp; {two}\\ &#8364;</p><br>\r\n<script>if (a < b) { "
                               "c(\"</p>\") }</script>\ttab</body></html>";
    const struct blob rtf = body_rtf_of_html(*state, html);
    assert_int_equal(body_rtf_origin(rtf), BODY_HTML);
    assert_string_equal(body_html_of_rtf(*state, rtf), html);
    assert_string_equal(body_html_of_rtf(*state, body_rtf_of_html(*state, "<p>\u20AC \U0001F600</p>")),
                        "<p>&#8364; &#128512;</p>");
}

/* A reader of RTF that knows nothing of HTML sees its text: here that of an RTF whose head does not say where it is from. */
static void the_text_of_the_html_shows_in_the_rtf(void **state)
{
    const char *rtf = string(*state, body_rtf_of_html(*state, "<p>One &amp; {two}</p><p>\u20AC</p>"));
    char *plain = talloc_strdup(*state, rtf);
    memcpy(strstr(plain, "\\fromhtml1 "), "\\deffN1234 ", 11);
    assert_string_equal(body_text_of_rtf(*state, text_blob(plain)), "One & {two}\r\n\u20AC\r\n");
}

static void text_goes_into_rtf_and_html_and_comes_out_as_it_was(void **state)
{
    static const char text[] = "One  two <b> & \\{}\r\n\r\n\tgr\u00FC\u00DFe \U0001F600\r\n";
    const struct blob rtf = body_rtf_of_text(*state, text);
    assert_int_equal(body_rtf_origin(rtf), BODY_PLAIN);
    assert_string_equal(body_text_of_rtf(*state, rtf), text);
    const char *html = body_html_of_text(*state, "One  two <b> & \u00FC\r\nthree");
    assert_non_null(strstr(html, "\r\nOne&nbsp; two &lt;b&gt; &amp; &#252;<br>\r\nthree\r\n"));
    assert_string_equal(body_text_of_html(*state, html), "One  two <b> & \u00FC\r\nthree");
}

static void noise_and_deep_groups_cost_no_more_than_their_length(void **state)
{
    enum { SIZE = 1024 * 1024 };
    static const char *const patterns[] = { "{",   "}", "\\",   "\\u1 ", "{\\*\\htmltag ",
                                            "\\'", "<", "<!--", "&",     "\\f9999 x" };
    for (size_t i = 0; i < COUNTOF(patterns); i++) {
        TALLOC_CTX *arena = talloc_new(*state);
        struct buf noise;
        buf_init(&noise, arena);
        buf_printf(&noise, "{\\rtf1\\fromhtml1 ");
        while (noise.size < SIZE)
            buf_add(&noise, patterns[i], strlen(patterns[i]));
        const struct blob rtf = buf_blob(&noise);
        body_text_of_rtf(arena, rtf);
        assert_true(strlen(body_html_of_rtf(arena, rtf)) <= 2 * SIZE);
        assert_true(body_rtf_of_html(arena, string(arena, rtf)).size <= 64u * SIZE);
        assert_true(body_rtf_compress(arena, rtf).size < SIZE);
        talloc_free(arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_examples_of_the_specification_are_read_and_written),
        TEST(what_is_damaged_is_refused_and_a_start_gives_a_start),
        TEST(an_rtf_may_lie_there_uncompressed),
        TEST(whatever_goes_in_comes_out_again),
        TEST(text_is_read_out_of_rtf),
        TEST(html_is_taken_out_of_the_rtf_that_was_made_of_it),
        TEST(html_goes_into_rtf_and_comes_out_as_it_was),
        TEST(the_text_of_the_html_shows_in_the_rtf),
        TEST(text_goes_into_rtf_and_html_and_comes_out_as_it_was),
        TEST(noise_and_deep_groups_cost_no_more_than_their_length),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
