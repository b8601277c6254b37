/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCROPS], [MS-OXCMAPIHTTP]: what is read along, as text. */
#include "trace/trace.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "wire/extended.h"
#include "wire/guids.h"

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

static const struct trace_style line, verbose = { .verbose = true }, content = { .content = true };
static const uint32_t columns[] = { PidTagMid, PidTagSubject };

static struct blob encode(TALLOC_CTX *arena, const struct wire_struct *form, const void *self, enum wire_flavour flavour)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = flavour;
    assert_true(wire_put(&out, form, self));
    return buf_blob(&bytes);
}

static const char *finished(struct buf *text)
{
    buf_add(text, "", 1);
    return (const char *)text->data;
}

/* RopQueryRows with one row in its answer. */
static const char *query_rows(TALLOC_CTX *arena, const struct trace_style *style)
{
    const struct rop_wire *rop = rop_wire(RopQueryRows);
    struct RopQueryRowsRequest asked = { .ForwardRead = true, .RowCount = 50 };
    const struct rop_request request = { .rop = rop, .index = 2, .body = &asked };
    const struct prop values[] = { P_I64(PidTagMid, 0x0D00000000000001), P_STR(PidTagSubject, "Lunch at noon?") };
    const struct props row = { COUNTOF(values), values };
    const struct RopQueryRowsResponse got = { .Origin = 2, .RowCount = 1, .RowData = &row };
    struct buf bytes, text;
    buf_init(&bytes, arena);
    buf_init(&text, arena);
    struct wire_out out = wire_out(&bytes);
    out.columns = columns;
    out.column_count = COUNTOF(columns);
    assert_true(rop_put_response(&out, rop, 2, 0, &got));
    trace_print_rop(&text, style,
                    &(struct trace_rop){ .request = &request,
                                         .answer = buf_blob(&bytes),
                                         .columns = columns,
                                         .column_count = COUNTOF(columns) });
    return finished(&text);
}

static void a_ROP_and_its_answer_are_one_line(void **state)
{
    assert_string_equal(query_rows(*state, &line),
                        "QueryRows [2] QueryRowsFlags=0 ForwardRead=true RowCount=0x0032 (50) = ecNone Origin=2"
                        " RowCount=1 RowData[0]: PidTagMid (0x674A0014)=0x0D00000000000001 (936748722493063169)"
                        " PidTagSubject (0x0037001F)=(14 bytes)\n");
}

static void content_is_there_for_who_asks_for_it(void **state)
{
    assert_null(strstr(query_rows(*state, &line), "Lunch"));
    assert_null(strstr(query_rows(*state, &verbose), "Lunch"));
    assert_non_null(strstr(query_rows(*state, &content), "\"Lunch at noon?\""));
    assert_non_null(strstr(query_rows(*state, &verbose), "\n    ForwardRead: true\n"));
    assert_non_null(strstr(query_rows(*state, &verbose), "\n  = ecNone\n"));
}

static bool one_name(void *arg, TALLOC_CTX *arena, uint16_t id, struct PropertyName *out)
{
    (void)arena;
    *out = *(const struct PropertyName *)arg;
    return id == 0x8001;
}

static const char *named(TALLOC_CTX *arena, struct PropertyName name)
{
    const struct wire_names names = { one_name, &name };
    const struct wire_style style = { .names = &names };
    struct buf text;
    buf_init(&text, arena);
    wire_dump_prop_styled(&text, &style, &P_BOOL(0x8001000B, true), 0);
    return finished(&text);
}

static void named_properties_have_their_names(void **state)
{
    assert_string_equal(named(*state, (struct PropertyName){ .Kind = 0, .GUID = PSETID_Common, .LID = 0x8503 }),
                        "PidLidReminderSet (0x8001000B): true\n");
    assert_string_equal(named(*state, (struct PropertyName){ .Kind = 0, .GUID = PSETID_Task, .LID = 0x9999 }),
                        "PSETID_Task:0x9999 (0x8001000B): true\n");
    const struct blob wide = utf16_of_utf8(*state, "Keywords");
    assert_string_equal(named(*state, (struct PropertyName){ 1, PS_PUBLIC_STRINGS, 0, 18, wide }),
                        "PS_PUBLIC_STRINGS:Keywords (0x8001000B): true\n");
}

/* ---- bodies ---- */

static struct blob list_of_ROPs(TALLOC_CTX *arena)
{
    struct buf list, payload, out;
    buf_init(&list, arena);
    buf_init(&payload, arena);
    buf_init(&out, arena);
    struct wire_out w = wire_out(&list);
    rop_put_request(&w, rop_wire(RopOpenFolder), 0, 0, 1, &(struct RopOpenFolderRequest){ .FolderId = 0x0D00000000000001 });
    rop_put_request(&w, rop_wire(RopRelease), 0, 1, 0, NULL);
    put_le16(buf_grow(&payload, 2), (uint16_t)(list.size + 2));
    buf_add(&payload, list.data, list.size);
    put_le32(buf_grow(&payload, 4), 7);
    extended_put(&out, buf_blob(&payload), EXTENDED_LAST | EXTENDED_XOR);
    return buf_blob(&out);
}

static struct blob execute_body(TALLOC_CTX *arena)
{
    const struct blob rops = list_of_ROPs(arena);
    return encode(arena, &ExecuteRequest_wire,
                  &(struct ExecuteRequest){ .RopBuffer = rops, .RopBufferSize = (uint32_t)rops.size, .MaxRopOut = 0x8000 },
                  WIRE_ROP);
}

static const char *decoded(TALLOC_CTX *arena, struct blob body, const char *as)
{
    struct buf text;
    buf_init(&text, arena);
    return trace_decode(&text, &line, body, as) ? finished(&text) : NULL;
}

static void the_body_of_an_Execute_is_known_by_itself(void **state)
{
    const char *text = decoded(*state, execute_body(*state), NULL);
    assert_non_null(strstr(text, "ExecuteRequest "));
    assert_non_null(strstr(text, "\n  OpenFolder [0>1] FolderId=1:0x00000000000D OpenModeFlags=0\n  Release [1]\n"
                                 "  handles: 00000007\n"));
    assert_string_equal(text, decoded(*state, execute_body(*state), "ExecuteRequest"));
}

static void an_extended_buffer_and_an_HTTP_message_are_known_as_well(void **state)
{
    assert_non_null(strstr(decoded(*state, list_of_ROPs(*state), NULL), "OpenFolder [0>1]"));
    struct buf message;
    buf_init(&message, *state);
    buf_printf(&message, "POST /mapi/emsmdb/ HTTP/1.1\r\nX-RequestType: Execute\r\n\r\n");
    const struct blob body = execute_body(*state);
    buf_add(&message, body.data, body.size);
    assert_string_equal(decoded(*state, buf_blob(&message), NULL), decoded(*state, body, NULL));
}

static void a_body_of_the_address_book_is_known_by_its_name(void **state)
{
    const struct blob body = encode(*state, &UnbindRequest_wire, &(struct UnbindRequest){ .Reserved = 5 }, WIRE_NSPI);
    assert_string_equal(decoded(*state, body, "UnbindRequest"), "UnbindRequest Reserved=5 AuxiliaryBufferSize=0"
                                                                " AuxiliaryBuffer=(0 bytes)\n");
    assert_null(decoded(*state, body, "BindRequest"));
    assert_null(decoded(*state, body, "NoSuchThing"));
}

static void noise_is_refused(void **state)
{
    assert_null(decoded(*state, BLOB_OF("\x07", 1), NULL));
    assert_null(decoded(*state, BLOB_OF("noise that is nothing", 21), "ExecuteResponse"));
    assert_null(decoded(*state, BLOB_OF("", 0), "FastTransfer"));
}

static void a_FastTransfer_stream_is_markers_and_properties(void **state)
{
    static const uint8_t stream[] = { 0x03, 0x00, 0x0C, 0x40, 0x0B, 0x00, 0x1F, 0x00, 0x01, 0x00, 0x03, 0x00, 0x0D, 0x40 };
    const char *text = decoded(*state, BLOB_OF(stream, sizeof stream), "FastTransfer");
    assert_string_equal(text, "StartMessage\n  0x001F000B: true\nEndMessage\n");
}

/* ---- the hub ---- */

static void say(void *arg, struct buf *text, const struct trace_style *style)
{
    (void)style;
    buf_printf(text, "%s\n", (const char *)arg);
}

static char *taken(TALLOC_CTX *arena, struct trace_reader *r)
{
    enum { MOST = 3 * 1024 * 1024 };
    char *text = talloc_zero_size(arena, MOST + 1);
    trace_take(r, text, MOST);
    return text;
}

static void a_reader_hears_its_own_mailbox_alone(void **state)
{
    struct trace *t = trace_new(*state);
    const struct guid mine = guid_random(), other = guid_random();
    assert_false(trace_is_on(NULL) || trace_is_on(t));
    struct trace_reader *r = trace_open(t, mine, &line);
    assert_true(trace_is_on(t));
    trace_tell(t, &other, 1, "bob", say, "nothing");
    assert_int_equal(poll(&(struct pollfd){ trace_fd(r), POLLIN, 0 }, 1, 0), 0);
    trace_tell(t, &mine, 1, "alice", say, "something");
    assert_int_equal(poll(&(struct pollfd){ trace_fd(r), POLLIN, 0 }, 1, 0), 1);
    assert_non_null(strstr(taken(*state, r), "Z alice something\n"));
    assert_int_equal(poll(&(struct pollfd){ trace_fd(r), POLLIN, 0 }, 1, 0), 0);
    trace_close(r);
    assert_false(trace_is_on(t));
}

static void a_slow_reader_loses_lines_and_is_told_how_many(void **state)
{
    struct trace *t = trace_new(*state);
    const struct guid mine = guid_random();
    struct trace_reader *r = trace_open(t, mine, &line);
    char *text = talloc_zero_size(*state, 1001);
    memset(text, 'x', 1000);
    for (unsigned i = 0; i < 5000; i++)
        trace_tell(t, &mine, 1, "alice", say, text);
    const char *kept = taken(*state, r);
    size_t lines = 0;
    for (const char *at = kept; *at; at++)
        lines += *at == '\n';
    assert_in_range(lines, 500, 2000);
    trace_tell(t, &mine, 1, "alice", say, "again");
    const char *rest = taken(*state, r);
    assert_int_equal(atoi(rest + strlen("... ")) + lines, 5000);
    assert_non_null(strstr(rest, "alice again\n"));
    trace_close(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_ROP_and_its_answer_are_one_line),
        TEST(content_is_there_for_who_asks_for_it),
        TEST(named_properties_have_their_names),
        TEST(the_body_of_an_Execute_is_known_by_itself),
        TEST(an_extended_buffer_and_an_HTTP_message_are_known_as_well),
        TEST(a_body_of_the_address_book_is_known_by_its_name),
        TEST(noise_is_refused),
        TEST(a_FastTransfer_stream_is_markers_and_properties),
        TEST(a_reader_hears_its_own_mailbox_alone),
        TEST(a_slow_reader_loses_lines_and_is_told_how_many),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
