/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "http/transport.h"

static TALLOC_CTX *arena;
static struct http_recorder *recorder;
static struct http_request request;

static int recorder_open(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    recorder = http_recorder_new(arena);
    request = (struct http_request){ .arena = arena, .method = "POST" };
    return 0;
}

static int recorder_close(void **state)
{
    (void)state;
    return talloc_free(arena);
}

static const char *said(void)
{
    return talloc_strndup(arena, (const char *)recorder->out.data, recorder->out.size);
}

static const char *body_said(void)
{
    const char *end = strstr(said(), "\r\n\r\n");
    assert_non_null(end);
    return end + 4;
}

static void hello(struct http_request *req, struct http_answer *answer)
{
    assert_ptr_equal(req, &request);
    http_answer_header(answer, "X-RequestId", "%s:%d", "{E2EA6C1C}", 1);
    http_answer_send(answer, 200, "application/mapi-http", BLOB_OF("hello", 5));
    http_answer_header(answer, "X-Late", "1");
    http_answer_send(answer, 500, NULL, BLOB_OF("again", 5));
    http_answer_begin(answer, 200, NULL);
    http_answer_chunk(answer, BLOB_OF("more", 4));
    http_answer_end(answer, BLOB_OF("", 0));
}

static void a_whole_answer_is_said_once(void **state)
{
    (void)state;
    http_recorder_run(recorder, hello, &request);
    assert_int_equal(recorder->after, HTTP_COMPLETE);
    assert_true(text_is_prefix(said(), "HTTP/1.1 200 OK\r\nDate: "));
    assert_non_null(strstr(said(), "\r\nContent-Type: application/mapi-http\r\nX-RequestId: {E2EA6C1C}:1\r\n"
                                   "Content-Length: 5\r\n\r\nhello"));
    assert_string_equal(body_said(), "hello");
    assert_null(strstr(said(), "X-Late"));
    assert_null(strstr(said(), "Connection"));
    assert_true(http_answer_is_over(&recorder->answer));
}

static void pieces(struct http_request *req, struct http_answer *answer)
{
    (void)req;
    http_answer_begin(answer, 200, "application/mapi-http");
    http_answer_chunk(answer, BLOB_OF("PROCESSING\r\n", 12));
    http_answer_chunk(answer, BLOB_OF("", 0));
    http_answer_pulse(answer, 15000, BLOB_OF("PENDING\r\n", 9));
    http_answer_beat(answer);
    http_answer_beat(answer);
    http_answer_end(answer, BLOB_OF("DONE\r\n", 6));
    http_answer_beat(answer);
}

static void pieces_come_as_chunks_with_the_pulse_between(void **state)
{
    (void)state;
    http_recorder_run(recorder, pieces, &request);
    assert_non_null(strstr(said(), "\r\nTransfer-Encoding: chunked\r\n"));
    assert_null(strstr(said(), "Content-Length"));
    assert_string_equal(body_said(),
                        "c\r\nPROCESSING\r\n\r\n9\r\nPENDING\r\n\r\n9\r\nPENDING\r\n\r\n6\r\nDONE\r\n\r\n0\r\n\r\n");
    assert_int_equal(recorder->pulse_ms, 15000);
}

static void quiet_again(struct http_request *req, struct http_answer *answer)
{
    (void)req;
    http_answer_begin(answer, 200, NULL);
    http_answer_pulse(answer, 5, BLOB_OF("PENDING\r\n", 9));
    http_answer_pulse(answer, 0, BLOB_OF("", 0));
    http_answer_beat(answer);
    http_answer_end(answer, BLOB_OF("", 0));
}

static void a_pulse_that_was_stopped_says_nothing(void **state)
{
    (void)state;
    http_recorder_run(recorder, quiet_again, &request);
    assert_int_equal(recorder->pulse_ms, 0);
    assert_string_equal(body_said(), "0\r\n\r\n");
}

static void old_client(const char *method, bool keep_alive)
{
    recorder->answer.minor = 0;
    recorder->answer.keep_alive = keep_alive;
    recorder->answer.no_body = strcmp(method, "HEAD") == 0;
}

static void an_HTTP10_client_gets_pieces_until_the_connection_closes(void **state)
{
    (void)state;
    old_client("GET", true);
    http_recorder_run(recorder, pieces, &request);
    assert_null(strstr(said(), "Transfer-Encoding"));
    assert_non_null(strstr(said(), "\r\nConnection: close\r\n"));
    assert_string_equal(body_said(), "PROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\n");
    assert_false(recorder->answer.keep_alive);
}

static void an_HTTP10_client_may_keep_its_connection(void **state)
{
    (void)state;
    old_client("GET", true);
    http_recorder_run(recorder, hello, &request);
    assert_non_null(strstr(said(), "\r\nConnection: keep-alive\r\n"));
}

static void HEAD_gets_the_header_alone(void **state)
{
    (void)state;
    recorder->answer.no_body = true;
    http_recorder_run(recorder, hello, &request);
    assert_non_null(strstr(said(), "\r\nContent-Length: 5\r\n"));
    assert_string_equal(body_said(), "");

    recorder = http_recorder_new(arena);
    recorder->answer.no_body = true;
    http_recorder_run(recorder, pieces, &request);
    assert_string_equal(body_said(), "");
}

static void not_modified(struct http_request *req, struct http_answer *answer)
{
    (void)req;
    http_answer_send(answer, 304, NULL, BLOB_OF("", 0));
}

static void a_status_without_a_body_has_no_length(void **state)
{
    (void)state;
    http_recorder_run(recorder, not_modified, &request);
    assert_null(strstr(said(), "Content-Length"));
}

static void forgetful(struct http_request *req, struct http_answer *answer)
{
    (void)req, (void)answer;
}

static void a_handler_that_forgets_its_answer_gives_500(void **state)
{
    (void)state;
    FILE *nowhere = fopen("/dev/null", "w");
    log_to(nowhere, LOG_ERROR);
    http_recorder_run(recorder, forgetful, &request);
    log_to(NULL, LOG_INFO);
    fclose(nowhere);
    assert_true(text_is_prefix(said(), "HTTP/1.1 500 "));
    assert_non_null(strstr(said(), "\r\nConnection: close\r\n"));
    assert_int_equal(recorder->after, HTTP_COMPLETE);
}

static void breaks_off(struct http_request *req, struct http_answer *answer)
{
    (void)req;
    http_answer_begin(answer, 200, NULL);
    http_answer_chunk(answer, BLOB_OF("half", 4));
}

static void an_answer_that_breaks_off_is_cut_not_completed(void **state)
{
    (void)state;
    FILE *nowhere = fopen("/dev/null", "w");
    log_to(nowhere, LOG_ERROR);
    http_recorder_run(recorder, breaks_off, &request);
    log_to(NULL, LOG_INFO);
    fclose(nowhere);
    assert_int_equal(recorder->after, HTTP_CUT);
    assert_string_equal(body_said(), "4\r\nhalf\r\n");
}

static enum http_answer_event events[8];
static unsigned event_count;

static void watcher(struct http_answer *answer, enum http_answer_event event, void *arg)
{
    assert_ptr_equal(arg, events);
    events[event_count++] = event;
    if (event == HTTP_TIME_UP)
        http_answer_end(answer, BLOB_OF("DONE\r\n", 6));
}

static void waits(struct http_request *req, struct http_answer *answer)
{
    (void)req;
    http_answer_park(answer);
    http_answer_watch(answer, watcher, events);
    http_answer_begin(answer, 200, "application/mapi-http");
    http_answer_alarm(answer, 300000);
}

static void a_parked_answer_is_ended_later(void **state)
{
    (void)state;
    event_count = 0;
    http_recorder_run(recorder, waits, &request);
    assert_int_equal(recorder->after, HTTP_GOES_ON);
    assert_int_equal(recorder->alarm_ms, 300000);
    assert_false(http_answer_is_over(&recorder->answer));
    http_recorder_tell(recorder, HTTP_TIME_UP);
    assert_int_equal(recorder->after, HTTP_COMPLETE);
    http_recorder_tell(recorder, HTTP_SENT);
    http_answer_release(&recorder->answer);
    assert_int_equal(event_count, 2);
    assert_int_equal(events[0], HTTP_TIME_UP);
    assert_int_equal(events[1], HTTP_SENT);
}

static void what_is_said_to_a_client_that_has_gone_is_dropped(void **state)
{
    (void)state;
    event_count = 0;
    http_recorder_run(recorder, waits, &request);
    const size_t before = recorder->out.size;
    http_recorder_tell(recorder, HTTP_GONE);
    assert_true(http_answer_is_over(&recorder->answer));
    http_answer_chunk(&recorder->answer, BLOB_OF("late", 4));
    http_answer_end(&recorder->answer, BLOB_OF("late", 4));
    http_answer_release(&recorder->answer);
    assert_int_equal(recorder->out.size, before);
    assert_int_equal(events[0], HTTP_GONE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, recorder_open, recorder_close)
    const struct CMUnitTest tests[] = {
        TEST(a_whole_answer_is_said_once),
        TEST(pieces_come_as_chunks_with_the_pulse_between),
        TEST(a_pulse_that_was_stopped_says_nothing),
        TEST(an_HTTP10_client_gets_pieces_until_the_connection_closes),
        TEST(an_HTTP10_client_may_keep_its_connection),
        TEST(HEAD_gets_the_header_alone),
        TEST(a_status_without_a_body_has_no_length),
        TEST(a_handler_that_forgets_its_answer_gives_500),
        TEST(an_answer_that_breaks_off_is_cut_not_completed),
        TEST(a_parked_answer_is_ended_later),
        TEST(what_is_said_to_a_client_that_has_gone_is_dropped),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
