/* SPDX-License-Identifier: Apache-2.0 */
/* How ROPs are framed.  [MS-OXCROPS] 2.2 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/rops.h"

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

static struct wire_in reading(const char *hex)
{
    struct blob bytes;
    assert_true(hex_parse(arena, hex, &bytes));
    return wire_in(arena, bytes);
}

static void assert_bytes(const struct buf *to, const char *hex)
{
    struct blob bytes;
    assert_true(hex_parse(arena, hex, &bytes));
    assert_string_equal(hex_text(arena, buf_blob(to)), hex_text(arena, bytes));
}

/* The request reads as expected and writes the same bytes. */
static struct rop_request request_both_ways(const char *hex, const char *name, uint8_t index, uint8_t other)
{
    struct buf to;
    struct rop_request request;
    buf_init(&to, arena);
    struct wire_out out = wire_out(&to);
    struct wire_in in = reading(hex);
    assert_true(rop_get_request(&in, &request));
    assert_int_equal(wire_left(&in), 0);
    assert_string_equal(request.rop->name, name);
    assert_int_equal(request.index, index);
    assert_int_equal(request.other, other);
    assert_true(rop_put_request(&out, request.rop, request.logon_id, request.index, request.other, request.body));
    assert_bytes(&to, hex);
    assert_bytes(&(struct buf){ .data = (uint8_t *)(uintptr_t)request.bytes.data, .size = request.bytes.size }, hex);
    return request;
}

static void indexes_stand_where_each_ROP_has_them(void **state)
{
    (void)state;
    struct rop_request r = request_both_ways("1D 00 03 05 01 00 00 00 00 00 00 0D", "DeleteFolder", 3, 0);
    assert_int_equal(rop_response_index(&r), 3);
    r = request_both_ways("02 01 04 05 01 00 00 00 00 00 00 0D 00", "OpenFolder", 4, 5);
    assert_int_equal(r.logon_id, 1);
    assert_int_equal(rop_response_index(&r), 5); /* the output is echoed */
    r = request_both_ways("0C 00 07 08 0A", "SaveChangesMessage", 8, 7);
    assert_int_equal(rop_response_index(&r), 7); /* ResponseHandleIndex stands first */
    r = request_both_ways("3A 00 01 02 10 00 00 00 00 00 00 00", "CopyToStream", 1, 2);
    assert_int_equal(rop_response_index(&r), 1); /* the source is echoed */
    r = request_both_ways("FE 00 02 01 00 00 00 00 00 00 00 00 00 00", "Logon", 2, 0);
    assert_int_equal(rop_response_index(&r), 2);
    assert_int_equal(((const struct RopLogonRequest *)r.body)->LogonFlags, 1);
}

static void a_reserved_id_or_a_short_request_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "00 00 00", "28 00 00", "2A 00 00", "FF 00 00", "F9 00 00",
        "6E 00 00", "",         "02",       "02 00 00", "1D 00 03 05 01 00 00 00 00 00 00"
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        struct rop_request request;
        struct wire_in in = reading(wrong[i]);
        assert_false(rop_get_request(&in, &request));
        assert_true(in.bad);
    }
}

static void a_list_of_requests_is_read_one_after_the_other(void **state)
{
    (void)state;
    struct rop_request request;
    struct wire_in in = reading("01 00 00 01 00 01 1D 00 03 05 01 00 00 00 00 00 00 0D");
    size_t n = 0;
    while (wire_left(&in) && rop_get_request(&in, &request))
        n++;
    assert_int_equal(n, 3);
    assert_string_equal(request.rop->name, "DeleteFolder");
    assert_int_equal(request.bytes.size, 12);
}

static void every_row_is_found_by_its_id(void **state)
{
    (void)state;
    size_t n = 0;
    for (unsigned id = 0; id < 256; id++) {
        const struct rop_wire *rop = rop_wire((uint8_t)id);
        n += rop != NULL;
        if (!rop)
            continue;
        assert_int_equal(rop->id, id);
        assert_int_equal(rop->response_id, id == 0x1F ? 0x20 : id);
        assert_string_equal(rop->request->name + 3, talloc_asprintf(arena, "%sRequest", rop->name));
        assert_string_equal(rop->response->name + 3, talloc_asprintf(arena, "%sResponse", rop->name));
        assert_true((rop->failure_code == 0) == (rop->failure == NULL));
        if (id != 0x1F)
            assert_ptr_equal(rop_wire_of_response((uint8_t)id), rop);
    }
    assert_true(n > 100);
}

/* MS-OXCROPS_R20004 */
static void GetMessageStatus_is_answered_with_the_id_of_SetMessageStatus(void **state)
{
    (void)state;
    struct buf to;
    struct rop_response response;
    buf_init(&to, arena);
    struct wire_out out = wire_out(&to);
    struct RopGetMessageStatusResponse body = { .MessageStatusFlags = 0x1000 };
    assert_true(rop_put_response(&out, rop_wire(0x1F), 2, 0, &body));
    assert_bytes(&to, "20 02 00 00 00 00 00 10 00 00");
    struct wire_in in = wire_in(arena, buf_blob(&to));
    assert_true(rop_get_response(&in, rop_wire(0x1F), &response));
    assert_int_equal(((const struct RopGetMessageStatusResponse *)response.body)->MessageStatusFlags, 0x1000);
    assert_string_equal(rop_wire_of_response(0x20)->name, "SetMessageStatus");
    assert_null(rop_wire_of_response(0x1F));
}

static void response_both_ways(uint8_t id, uint32_t code, const void *body, const char *hex)
{
    struct buf to, again;
    struct rop_response response;
    buf_init(&to, arena);
    buf_init(&again, arena);
    struct wire_out out = wire_out(&to), back = wire_out(&again);
    assert_true(rop_put_response(&out, rop_wire(id), 1, code, body));
    assert_bytes(&to, hex);
    struct wire_in in = wire_in(arena, buf_blob(&to));
    assert_true(rop_get_response(&in, rop_wire(id), &response));
    assert_int_equal(wire_left(&in), 0);
    assert_int_equal(response.code, code);
    assert_int_equal(response.index, 1);
    assert_true(rop_put_response(&back, rop_wire(id), 1, code, response.body));
    assert_bytes(&again, hex);
}

static void a_failure_is_the_code_alone_unless_the_ROP_has_more_to_say(void **state)
{
    (void)state;
    const struct RopOpenFolderResponse opened = { .HasRules = true };
    const uint16_t ids[] = { 0x8001, 0 };
    const struct RopGetPropertyIdsFromNamesResponse named = { .PropertyIdCount = 2, .PropertyIds = ids };
    const struct RopCopyToFailure copied = { .DestHandleIndex = 7 };
    response_both_ways(0x02, ecNone, &opened, "02 01 00 00 00 00 01 00");
    response_both_ways(0x02, ecNotFound, NULL, "02 01 0F 01 04 80");
    response_both_ways(0x1D, ecAccessDenied, NULL, "1D 01 05 00 07 80 00"); /* PartialCompletion comes always */
    response_both_ways(0x56, ecNone, &named, "56 01 00 00 00 00 02 00 01 80 00 00");
    response_both_ways(0x56, 0x00040380, &named, "56 01 80 03 04 00 02 00 01 80 00 00");
    response_both_ways(0x56, ecNotEnoughMemory, NULL, "56 01 0E 00 07 80");
    response_both_ways(0x39, 0x503, &copied, "39 01 03 05 00 00 07 00 00 00");
    response_both_ways(0x39, ecNotFound, NULL, "39 01 0F 01 04 80");
}

static void what_does_not_fit_leaves_no_trace(void **state)
{
    (void)state;
    const struct RopOpenFolderResponse opened = { .HasRules = true };
    const struct RopDeleteFolderRequest delete = { .FolderId = 1 };
    for (size_t limit = 0; limit < 8; limit++) {
        struct buf to;
        buf_init(&to, arena);
        buf_add(&to, "ab", 2);
        struct wire_out out = wire_out(&to);
        out.limit = 2 + limit;
        assert_false(rop_put_response(&out, rop_wire(0x02), 1, 0, &opened));
        assert_true(out.full);
        assert_int_equal(to.size, 2);
        out.full = false;
        assert_false(rop_put_request(&out, rop_wire(0x1D), 0, 1, 0, &delete));
        assert_int_equal(to.size, 2);
    }
}

static void the_answer_to_another_ROP_is_refused(void **state)
{
    (void)state;
    struct rop_response response;
    struct wire_in in = reading("1D 01 00 00 00 00 00");
    assert_false(rop_get_response(&in, rop_wire(0x02), &response));
    in = reading("02 01 00 00");
    assert_false(rop_get_response(&in, rop_wire(0x02), &response));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(indexes_stand_where_each_ROP_has_them),
        TEST(a_reserved_id_or_a_short_request_is_refused),
        TEST(a_list_of_requests_is_read_one_after_the_other),
        TEST(every_row_is_found_by_its_id),
        TEST(GetMessageStatus_is_answered_with_the_id_of_SetMessageStatus),
        TEST(a_failure_is_the_code_alone_unless_the_ROP_has_more_to_say),
        TEST(what_does_not_fit_leaves_no_trace),
        TEST(the_answer_to_another_ROP_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
