/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/http.h"

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

/* What came out of one message, fed in steps of `step` bytes. */
struct heard {
    struct http_parser *parser;
    const struct http_head *head;
    struct buf body;
    enum http_event last;
    size_t left; /* bytes behind the message */
};

static struct heard hear_bytes(struct blob all, size_t step)
{
    struct heard heard = { .parser = http_parser_new(arena, &http_default_limits), .last = HTTP_MORE };
    buf_init(&heard.body, arena);
    while (all.size && heard.last != HTTP_END && heard.last != HTTP_BAD) {
        struct blob in = { all.data, MIN(step, all.size) }, piece;
        const size_t given = in.size;
        while ((heard.last = http_parse(heard.parser, &in, &piece)) == HTTP_HEAD || heard.last == HTTP_BODY)
            if (heard.last == HTTP_BODY)
                buf_add(&heard.body, piece.data, piece.size);
            else
                heard.head = http_parser_head(heard.parser);
        all.data += given - in.size;
        all.size -= given - in.size;
    }
    heard.left = all.size;
    return heard;
}

/* However a message is cut into pieces, it means the same. */
static struct heard hear(const char *text)
{
    const struct blob all = BLOB_OF(text, strlen(text));
    struct heard whole = hear_bytes(all, all.size);
    for (size_t step = 1; step < 9; step++) {
        struct heard cut = hear_bytes(all, step);
        assert_int_equal(cut.last, whole.last);
        assert_int_equal(http_parser_status(cut.parser), http_parser_status(whole.parser));
        assert_true(blob_equal(buf_blob(&cut.body), buf_blob(&whole.body)));
        assert_int_equal(cut.head != NULL, whole.head != NULL);
    }
    return whole;
}

static void assert_refused(const char *text, unsigned status)
{
    struct heard heard = hear(text);
    if (heard.last != HTTP_BAD || http_parser_status(heard.parser) != status)
        fail_msg("expected %u for: %s; got event %d, status %u", status, text, heard.last,
                 http_parser_status(heard.parser));
    assert_true(strlen(http_parser_why(heard.parser)) > 0);
}

static void assert_body(const struct heard *heard, const char *want)
{
    assert_int_equal(heard->last, HTTP_END);
    assert_true(blob_equal(buf_blob(&heard->body), BLOB_OF(want, strlen(want))));
}

#define HOST "Host: mail.contoso.com\r\n"

static void a_request_is_read(void **state)
{
    (void)state;
    struct heard heard = hear("POST /mapi/emsmdb/?MailboxId=1@contoso.com HTTP/1.1\r\n" HOST
                              "Content-Length:  5 \r\nX-RequestType:\tConnect\r\nEmpty:\r\n\r\nhelloGET");
    assert_body(&heard, "hello");
    assert_int_equal(heard.left, 3);
    assert_string_equal(heard.head->method, "POST");
    assert_string_equal(heard.head->target, "/mapi/emsmdb/?MailboxId=1@contoso.com");
    assert_string_equal(heard.head->path, "/mapi/emsmdb/");
    assert_string_equal(heard.head->query, "MailboxId=1@contoso.com");
    assert_string_equal(heard.head->host, "mail.contoso.com");
    assert_string_equal(http_header(&heard.head->headers, "x-requesttype"), "Connect");
    assert_string_equal(http_header(&heard.head->headers, "empty"), "");
    assert_null(http_header(&heard.head->headers, "X-RequestId"));
    assert_int_equal(heard.head->minor, 1);
    assert_true(heard.head->keep_alive);
    assert_int_equal(heard.head->content_length, 5);
}

static void any_method_is_a_method(void **state)
{
    (void)state;
    struct heard heard =
        hear("RPC_IN_DATA /rpc/rpcproxy.dll?mail:6001 HTTP/1.1\r\n" HOST "Content-Length: 1073741824\r\n\r\nabc");
    assert_int_equal(heard.last, HTTP_MORE);
    assert_string_equal(heard.head->method, "RPC_IN_DATA");
    assert_int_equal(heard.head->content_length, 1073741824);
    assert_int_equal(heard.body.size, 3);
    assert_refused("GE(T / HTTP/1.1\r\n" HOST "\r\n", 400);
    assert_refused(" / HTTP/1.1\r\n" HOST "\r\n", 400);
}

static void a_gigabyte_passes_in_pieces_without_being_kept(void **state)
{
    (void)state;
    static const uint8_t mega[1 << 20];
    struct http_parser *parser = http_parser_new(arena, &http_default_limits);
    struct blob in = BLOB_OF("RPC_IN_DATA / HTTP/1.1\r\n" HOST "Content-Length: 1073741824\r\n\r\n", 0), piece;
    in.size = strlen((const char *)in.data);
    assert_int_equal(http_parse(parser, &in, &piece), HTTP_HEAD);
    const size_t memory = http_parser_memory(parser);
    uint64_t sum = 0;
    for (int i = 0; i < 1024; i++) {
        in = BLOB_OF(mega, sizeof mega);
        assert_int_equal(http_parse(parser, &in, &piece), HTTP_BODY);
        assert_ptr_equal(piece.data, mega); /* not copied */
        sum += piece.size;
    }
    assert_int_equal(http_parse(parser, &in, &piece), HTTP_END);
    assert_int_equal(sum, 1 << 30);
    assert_int_equal(http_parser_memory(parser), memory);
}

static void a_chunked_body_is_put_together(void **state)
{
    (void)state;
    struct heard heard = hear("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: Chunked\r\n\r\n"
                              "5\r\nhello\r\n00A;name=\"va lue\"\r\n, world!!!\r\n0\r\nTrailer: x\r\n\r\nrest");
    assert_body(&heard, "hello, world!!!");
    assert_true(heard.head->chunked);
    assert_int_equal(heard.left, 4);
}

static void broken_chunks_are_refused(void **state)
{
    (void)state;
#define CHUNKED "POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
    static const char *const broken[] = {
        "x\r\n",
        "\r\n",
        " 5\r\nhello\r\n",
        "5 \r\nhello\r\n",
        "+5\r\nhello\r\n",
        "-1\r\n",
        "0x5\r\nhello\r\n",
        "5\nhello\r\n",
        "5\r\nhello\n",
        "5\r\nhelloX\r\n",
        "5\r\nhello\rX",
        "5;a\rb\r\n",
        "5;a\x01\r\n",
        "10000000000000000\r\n",
        "ffffffffffffffff\r\n",
        "fffffffffffffffff\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\n : x\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\n\n",
    };
    for (size_t i = 0; i < COUNTOF(broken); i++)
        assert_refused(talloc_asprintf(arena, CHUNKED "%s", broken[i]), 400);
}

static void chunk_extensions_and_trailers_are_bounded(void **state)
{
    (void)state;
    char *long_line = talloc_array(arena, char, 400);
    memset(long_line, 'e', 399);
    long_line[399] = 0;
    assert_refused(talloc_asprintf(arena, CHUNKED "5;%s\r\n", long_line), 400);

    char *many = talloc_strdup(arena, CHUNKED);
    for (int i = 0; i < 200; i++)
        many = talloc_asprintf_append(many, "1;%.200s\r\nx\r\n", long_line);
    assert_refused(many, 400);

    many = talloc_strdup(arena, CHUNKED "0\r\n");
    for (int i = 0; i < 50; i++)
        many = talloc_asprintf_append(many, "A: %.200s\r\n", long_line);
    assert_refused(many, 431);
}

/* RFC 9112 11.2: what another program in the way could understand otherwise. */
static void the_shapes_of_request_smuggling_are_refused(void **state)
{
    (void)state;
    static const char *const shapes[] = {
        HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HOST "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
        HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        HOST "Content-Length: 5, 5\r\n\r\n",
        HOST "Content-Length: +5\r\n\r\n",
        HOST "Content-Length: -5\r\n\r\n",
        HOST "Content-Length: 0x5\r\n\r\n",
        HOST "Content-Length: 5 5\r\n\r\n",
        HOST "Content-Length:\r\n\r\n",
        HOST "Content-Length: 18446744073709551621\r\n\r\n",
        HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
        HOST "Transfer-Encoding: chunked, identity\r\n\r\n",
        HOST "Transfer-Encoding: gzip, chunked\r\n\r\n",
        HOST "Transfer-Encoding: xchunked\r\n\r\n",
        HOST "Transfer-Encoding: \"chunked\"\r\n\r\n",
        HOST "Transfer-Encoding : chunked\r\n\r\n",
        HOST " Transfer-Encoding: chunked\r\n\r\n",
        HOST "X: y\r\n Transfer-Encoding: chunked\r\n\r\n",
        HOST "X: y\r\n\tz\r\n\r\n",
        HOST "X: a\rTransfer-Encoding: chunked\r\n\r\n",
        HOST "X: a\nTransfer-Encoding: chunked\r\n\r\n",
        HOST "X: a\n\r\n",
        HOST "X: a\r\r\n\r\n",
        HOST "X: a\r\n\n",
        HOST "X: a\x01\r\n\r\n",
        HOST "X: a\x7F\r\n\r\n",
        HOST "X\x0B: a\r\n\r\n",
        HOST "X\xC3\xA4: a\r\n\r\n",
        HOST ": a\r\n\r\n",
        HOST "no colon\r\n\r\n",
        HOST HOST "\r\n",
        "Host: a, b\r\n\r\n",
        "Host: a b\r\n\r\n",
        "Host: user@a\r\n\r\n",
        "Host: a/b\r\n\r\n",
        "\r\n",
    };
    for (size_t i = 0; i < COUNTOF(shapes); i++)
        assert_refused(talloc_asprintf(arena, "POST / HTTP/1.1\r\n%s", shapes[i]), 400);
    assert_refused("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501);
}

static void a_NUL_is_refused_everywhere(void **state)
{
    (void)state;
    static const char good[] =
        "POST /a HTTP/1.1\r\nHost: b\r\nC: d\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: u\r\n\r\n";
    const size_t size = sizeof good - 1, body = (size_t)(strstr(good, "hello") - good);
    for (size_t i = 0; i < size; i++) {
        char *bad = talloc_memdup(arena, good, size);
        bad[i] = 0;
        struct heard heard = hear_bytes(BLOB_OF(bad, size), size);
        assert_int_equal(heard.last, i >= body && i < body + 5 ? HTTP_END : HTTP_BAD);
    }
}

static void every_prefix_of_a_good_message_waits_for_more(void **state)
{
    (void)state;
    static const char good[] =
        "\r\nPOST /a HTTP/1.1\r\nHost: b\r\nTransfer-Encoding: chunked\r\n\r\n5;x\r\nhello\r\n0\r\nT: u\r\n\r\n";
    for (size_t n = 1; n < sizeof good - 1; n++)
        assert_int_equal(hear_bytes(BLOB_OF(good, n), n).last, HTTP_MORE);
    assert_int_equal(hear_bytes(BLOB_OF(good, sizeof good - 1), 7).last, HTTP_END);
}

static void a_broken_request_line_is_refused(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "GET",
        "GET /",
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET /  HTTP/1.1",
        "GET / http/1.1",
        "GET / HTTP/11",
        "GET / HTTP/1.",
        "GET / HTTP/1.x",
        "GET /\tx HTTP/1.1",
        "GET /a b HTTP/1.1",
        "GET /\xC3\xA4 HTTP/1.1",
        "GET /#a HTTP/1.1",
        "GET mapi HTTP/1.1",
        "GET * HTTP/1.1",
        "CONNECT mail:443 HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://u@h/x HTTP/1.1",
        "GET ftp://h/x HTTP/1.1",
        "GET /%zz HTTP/1.1",
        "GET /%00 HTTP/1.1",
        "GET /%0a HTTP/1.1",
        "GET /% HTTP/1.1",
        "GET /%4 HTTP/1.1",
        "GET /%ff HTTP/1.1",
        "GET /../x HTTP/1.1",
        "GET /a/%2e%2E/../x HTTP/1.1",
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        assert_refused(talloc_asprintf(arena, "%s\r\n" HOST "\r\n", lines[i]), 400);
    assert_refused("GET / HTTP/2.0\r\n" HOST "\r\n", 505);
    assert_refused("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505);
    assert_refused("GET / HTTP/1.1\nHost: a\n\n", 400);
}

static void what_is_too_large_is_refused_by_name(void **state)
{
    (void)state;
    char *x = talloc_array(arena, char, (70 << 10) + 1);
    memset(x, 'x', 70 << 10);
    x[70 << 10] = 0;
    assert_refused(talloc_asprintf(arena, "GET /%.*s HTTP/1.1\r\n" HOST "\r\n", 17 << 10, x), 414);
    assert_refused(talloc_asprintf(arena, "GET / HTTP/1.1\r\n" HOST "A: %s\r\n\r\n", x), 431);
    assert_refused(talloc_asprintf(arena, "GET / HTTP/1.1\r\n" HOST "A: %.*s\r\nB: %.*s\r\n\r\n", 40000, x, 40000, x),
                   431);

    char *many = talloc_strdup(arena, "GET / HTTP/1.1\r\n" HOST);
    for (int i = 0; i < 128; i++)
        many = talloc_asprintf_append(many, "A%d: b\r\n", i);
    assert_refused(talloc_strdup_append(many, "\r\n"), 431);
}

/* Kerberos tickets of users in many groups. */
static void thirty_kilobytes_of_Authorization_are_taken(void **state)
{
    (void)state;
    char *ticket = talloc_array(arena, char, (30 << 10) + 1);
    memset(ticket, 'A', 30 << 10);
    ticket[30 << 10] = 0;
    struct heard heard =
        hear(talloc_asprintf(arena, "GET / HTTP/1.1\r\n" HOST "Authorization: Negotiate %s\r\n\r\n", ticket));
    assert_int_equal(heard.last, HTTP_END);
    assert_int_equal(strlen(http_header(&heard.head->headers, "Authorization")), (30 << 10) + 10);
}

static void a_connection_is_kept_as_the_version_and_the_line_say(void **state)
{
    (void)state;
    static const struct {
        const char *version, *line;
        bool kept;
    } cases[] = {
        { "1.1", "", true },
        { "1.1", "Connection: close\r\n", false },
        { "1.1", "Connection: Keep-Alive\r\n", true },
        { "1.1", "Connection: upgrade, Close\r\n", false },
        { "1.1", "Connection: foo\r\nConnection: close\r\n", false },
        { "1.1", "Connection: closed\r\n", true },
        { "1.0", "", false },
        { "1.0", "Connection: keep-alive\r\n", true },
        { "1.0", "Connection: keep-alive, close\r\n", false },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct heard heard =
            hear(talloc_asprintf(arena, "GET / HTTP/%s\r\n" HOST "%s\r\n", cases[i].version, cases[i].line));
        assert_int_equal(heard.last, HTTP_END);
        assert_int_equal(heard.head->keep_alive, cases[i].kept);
    }
}

static void an_expectation_is_seen(void **state)
{
    (void)state;
    struct heard heard = hear("POST / HTTP/1.1\r\n" HOST "Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n");
    assert_true(heard.head->expect_continue);
    heard = hear("POST / HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    assert_false(heard.head->expect_continue);
    heard = hear("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    assert_false(heard.head->expect_continue);
    assert_refused("POST / HTTP/1.1\r\n" HOST "Expect: 200-ok\r\n\r\n", 417);
}

static void an_absolute_target_names_the_host(void **state)
{
    (void)state;
    struct heard heard = hear("GET HTTPS://Other:443/mapi/?a HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(heard.head->host, "Other:443");
    assert_string_equal(heard.head->path, "/mapi/");
    assert_string_equal(heard.head->query, "a");
    heard = hear("GET http://h HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(heard.head->path, "/");
    heard = hear("OPTIONS * HTTP/1.1\r\n" HOST "\r\n");
    assert_string_equal(heard.head->path, "*");
    heard = hear("GET / HTTP/1.0\r\n\r\n");
    assert_string_equal(heard.head->host, "");
}

static void a_header_value_in_latin1_becomes_UTF8(void **state)
{
    (void)state;
    struct heard heard = hear("GET / HTTP/1.1\r\n" HOST "A: M\xFCller\r\nB: M\xC3\xBCller\r\n\r\n");
    assert_string_equal(http_header(&heard.head->headers, "A"), "M\xC3\xBCller");
    assert_string_equal(http_header(&heard.head->headers, "B"), "M\xC3\xBCller");
}

static void cookies_are_found_in_every_line(void **state)
{
    (void)state;
    struct heard heard = hear("GET / HTTP/1.1\r\n" HOST "Cookie: a=1; MapiContext=MAPIAAAA== ;b=\"q\"\r\n"
                              "Cookie: MapiSequence=7-x;c=\r\nCookie: ; =5; d\r\n\r\n");
    const struct http_headers *headers = &heard.head->headers;
    assert_string_equal(http_cookie(arena, headers, "MapiContext"), "MAPIAAAA=="); /* [MS-OXCMAPIHTTP] 2.2.3.2.4 */
    assert_string_equal(http_cookie(arena, headers, "MapiSequence"), "7-x");
    assert_string_equal(http_cookie(arena, headers, "a"), "1");
    assert_string_equal(http_cookie(arena, headers, "b"), "q");
    assert_string_equal(http_cookie(arena, headers, "c"), "");
    assert_null(http_cookie(arena, headers, "d"));
    assert_null(http_cookie(arena, headers, "mapicontext"));
    assert_null(http_cookie(arena, headers, "Mapi"));
}

static void query_parameters_are_decoded(void **state)
{
    (void)state;
    const char *query = "Email=alice%40contoso.com&&Protocol=AutodiscoverV1&a+b=c+d&Empty&x=1&x=2&bad=%4&nul=%00";
    assert_string_equal(http_query(arena, query, "Email"), "alice@contoso.com");
    assert_string_equal(http_query(arena, query, "email"), "alice@contoso.com");
    assert_string_equal(http_query(arena, query, "Protocol"), "AutodiscoverV1");
    assert_string_equal(http_query(arena, query, "a b"), "c d");
    assert_string_equal(http_query(arena, query, "Empty"), "");
    assert_string_equal(http_query(arena, query, "x"), "1");
    assert_null(http_query(arena, query, "bad"));
    assert_null(http_query(arena, query, "nul"));
    assert_null(http_query(arena, query, "mail"));
    assert_null(http_query(arena, "", "x"));
}

static void a_path_has_one_form(void **state)
{
    (void)state;
    static const struct {
        const char *path, *want;
    } cases[] = {
        { "/", "/" },
        { "", "/" },
        { "//", "/" },
        { "/a/b", "/a/b" },
        { "/a//b/", "/a/b/" },
        { "/a/./b", "/a/b" },
        { "/a/../b", "/b" },
        { "/a/b/..", "/a/" },
        { "/a/.", "/a/" },
        { "/a/..", "/" },
        { "/%61%2Fb", "/a/b" },
        { "/a/%2e%2e/b", "/b" },
        { "/...", "/..." },
        { "/a..b/.c", "/a..b/.c" },
        { "/%C3%A4", "/\xC3\xA4" },
        { "/..", NULL },
        { "/a/../..", NULL },
        { "/%2e%2e/%2e%2e", NULL },
        { "/\xFF", NULL },
        { "/a%7f", NULL },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const char *path = http_path(arena, cases[i].path, strlen(cases[i].path));
        if (cases[i].want)
            assert_string_equal(path, cases[i].want);
        else
            assert_null(path);
    }
}

static void encoding_and_decoding_agree(void **state)
{
    (void)state;
    const char *text = "/o=Contoso/cn=\xC3\x84 ~-._%+&?";
    const char *encoded = http_encode(arena, text);
    assert_string_equal(encoded, "%2Fo%3DContoso%2Fcn%3D%C3%84%20~-._%25%2B%26%3F");
    assert_string_equal(http_decode(arena, encoded, strlen(encoded)), text);
    assert_string_equal(http_decode(arena, "a+b", 3), "a+b");
}

static void what_is_written_can_be_read(void **state)
{
    (void)state;
    char date[HTTP_DATE_SIZE];
    struct buf out;
    buf_init(&out, arena);
    http_put_status(&out, 401);
    http_put_header(&out, "Date", http_date(date, 784111777));
    http_put_header(&out, "X-RequestId", "a\r\nSet-Cookie: b\x01");
    http_put_chunk(&out, BLOB_OF("hello, world, hello", 19));
    http_put_chunk(&out, BLOB_OF("", 0));
    http_put_last_chunk(&out);
    buf_add(&out, "", 1);
    assert_string_equal(out.data, "HTTP/1.1 401 Unauthorized\r\n"
                                  "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n" /* RFC 9110 5.6.7 */
                                  "X-RequestId: a  Set-Cookie: b \r\n"
                                  "13\r\nhello, world, hello\r\n0\r\n\r\n");
    assert_string_equal(http_reason(200), "OK");
    assert_string_equal(http_reason(799), "Other");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(a_request_is_read),
        TEST(any_method_is_a_method),
        TEST(a_gigabyte_passes_in_pieces_without_being_kept),
        TEST(a_chunked_body_is_put_together),
        TEST(broken_chunks_are_refused),
        TEST(chunk_extensions_and_trailers_are_bounded),
        TEST(the_shapes_of_request_smuggling_are_refused),
        TEST(a_NUL_is_refused_everywhere),
        TEST(every_prefix_of_a_good_message_waits_for_more),
        TEST(a_broken_request_line_is_refused),
        TEST(what_is_too_large_is_refused_by_name),
        TEST(thirty_kilobytes_of_Authorization_are_taken),
        TEST(a_connection_is_kept_as_the_version_and_the_line_say),
        TEST(an_expectation_is_seen),
        TEST(an_absolute_target_names_the_host),
        TEST(a_header_value_in_latin1_becomes_UTF8),
        TEST(cookies_are_found_in_every_line),
        TEST(query_parameters_are_decoded),
        TEST(a_path_has_one_form),
        TEST(encoding_and_decoding_agree),
        TEST(what_is_written_can_be_read),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
