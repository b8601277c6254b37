/* SPDX-License-Identifier: Apache-2.0 */
#include "rop/fixture.h"

#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>
#include <unistd.h>

#include "wire/extended.h"

#define NO_HANDLE 0xFFFFFFFFu

static enum ec no_submission(void *context, struct session *session, struct store_message *message, unsigned flags)
{
    (void)context, (void)session, (void)message, (void)flags;
    return ecNotSupported;
}

static enum ec make_store(void *arg, const struct account *a)
{
    (void)arg;
    return store_create(a->store_url, &(struct store_identity){ a->mailbox_guid, a->display_name, a->legacy_dn, a->primary_smtp });
}

static const struct account *make_account(struct rop_fixture *f, const char *name, const char *smtp, const char *display)
{
    const struct account *account;
    const struct account_new new = { .name = name, .primary_smtp = smtp, .display_name = display,
                                     .database = org_settings(f->org, f->arena)->databases[0].guid };
    assert_int_equal(directory_create(f->directory, f->arena, &new, make_store, NULL, &account), ecNone);
    return account;
}

int rop_fixture_open(void **state)
{
    struct rop_fixture *f = talloc_zero(NULL, struct rop_fixture);
    char path[] = "/tmp/oxcart-rop-XXXXXX";
    f->arena = talloc_new(f);
    f->folder = talloc_strdup(f, mkdtemp(path));
    f->services = (struct rop_services){ f, no_submission };
    f->out_max = EXECUTE_OUT_MAX;
    assert_int_equal(org_open(&f->org, f, f->folder, &(struct org_defaults){ .hostname = "mail.contoso.com" }), ecNone);
    assert_int_equal(directory_open(&f->directory, f, f->org), ecNone);
    f->alice = make_account(f, "alice", "alice@contoso.com", "Alice Example");
    f->bob = make_account(f, "bob", "bob@contoso.com", "Bob Example");
    f->sessions = sessions_new(f, f->directory);
    f->session = session_new(f->sessions, f->alice->mailbox_guid,
                             &(struct client_info){ .code_page = 1252, .sort_locale = 0x409, .string_locale = 0x409 });
    assert_non_null(f->session);
    f->logon = RUN(f, Logon, NO_HANDLE, .LogonFlags = 1, .OpenFlags = 0x0100040C, .EssdnSize = 1,
                   .Essdn = f->alice->legacy_dn).handle;
    *state = f;
    return 0;
}

int rop_fixture_close(void **state)
{
    struct rop_fixture *f = *state;
    session_free(f->session);
    TALLOC_FREE(f->sessions);
    TALLOC_FREE(f->directory);
    TALLOC_FREE(f->org);
    assert_int_equal(system(talloc_asprintf(f, "rm -rf %s", f->folder)), 0);
    return talloc_free(f);
}

enum ec rop_fixture_execute(struct rop_fixture *f, struct blob in, struct buf *out)
{
    assert_true(session_begin(f->session));
    const enum ec ec = rop_execute(f->arena, &f->services, f->session, in, f->flags, f->out_max, out);
    session_end(f->session);
    return ec;
}

static const struct rop_wire *rop_named(const char *name)
{
    for (unsigned id = 0; id < 256; id++)
        if (rop_wire((uint8_t)id) && strcmp(rop_wire((uint8_t)id)->name, name) == 0)
            return rop_wire((uint8_t)id);
    fail_msg("no ROP is called %s", name);
    return NULL;
}

/* Index 0 is the input, 1 the destination or what is opened; RopLogon opens into 0. */
static struct blob request_buffer(struct rop_fixture *f, const struct rop_wire *rop, uint32_t input, uint32_t destination,
                                  const void *request)
{
    struct buf payload, in;
    buf_init(&payload, f->arena);
    buf_init(&in, f->arena);
    struct wire_out out = wire_out(&payload);
    wire_put_uint(&out, 0, 2);
    assert_true(rop_put_request(&out, rop, 0, 0, 1, request));
    put_le16(payload.data, (uint16_t)payload.size);
    wire_put_uint(&out, input, 4);
    wire_put_uint(&out, rop->indexes == ROP_SD ? destination : rop->indexes == ROP_RI ? input : NO_HANDLE, 4);
    extended_put(&in, buf_blob(&payload), EXTENDED_LAST);
    return buf_blob(&in);
}

static void keep_notifications(struct rop_fixture *f, struct wire_in *in)
{
    struct notification_seen **last = &f->notifications;
    while (*last)
        last = &(*last)->next;
    while (wire_left(in) && *in->at == 0x2A) {
        struct notification_seen *n = talloc_zero(f->arena, struct notification_seen);
        wire_get_uint(in, 1);
        assert_true(wire_get(in, &RopNotify_wire, &n->body));
        *last = n;
        last = &n->next;
    }
}

struct rop_done rop_run(struct rop_fixture *f, const char *name, uint32_t input, uint32_t destination, const void *request,
                        const uint32_t *columns, uint32_t column_count)
{
    const struct rop_wire *rop = rop_named(name);
    struct buf out;
    struct blob *payloads;
    uint32_t count;
    struct RopBuffer buffer;
    struct rop_response response;
    buf_init(&out, f->arena);
    assert_int_equal(rop_fixture_execute(f, request_buffer(f, rop, input, destination, request), &out), ecNone);
    assert_true(extended_get(f->arena, buf_blob(&out), &payloads, &count));
    struct wire_in in = wire_in(f->arena, payloads[0]);
    assert_true(wire_get(&in, &RopBuffer_wire, &buffer));
    f->response = buffer.RopsList;
    if (rop->id == 0x01)
        return (struct rop_done){ 0, NULL, 0 };

    struct wire_in list = wire_in(f->arena, buffer.RopsList);
    list.columns = columns;
    list.column_count = column_count;
    assert_true(rop_get_response(&list, rop, &response));
    keep_notifications(f, &list);
    const size_t at = rop->indexes == ROP_O ? 0 : 4;
    const uint32_t handle = buffer.ServerObjectHandleTable.size >= at + 4 ? le32(buffer.ServerObjectHandleTable.data + at) : 0;
    return (struct rop_done){ response.code, response.body, handle };
}
