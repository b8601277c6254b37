/* SPDX-License-Identifier: Apache-2.0 */
#include "rop/fixture.h"

#include "wire/extended.h"

#define NO_HANDLE 0xFFFFFFFFu

static enum ec note_submission(void *context, struct session *session, struct store_message *message, unsigned flags)
{
    struct rop_fixture *f = context;
    (void)session, (void)message, (void)flags;
    f->submitted++;
    return f->submit_answer;
}

static void log_on(struct rop_fixture *f, const struct account *user)
{
    f->session = session_new(f->sessions, user->mailbox_guid, &f->client);
    assert_non_null(f->session);
    f->logon =
        RUN(f, Logon, NO_HANDLE, .LogonFlags = 1, .OpenFlags = 0x0100040C, .EssdnSize = 1, .Essdn = f->alice->legacy_dn)
            .handle;
}

static enum ec note_abort(void *context, struct store *store, uint64_t fid, uint64_t mid)
{
    struct rop_fixture *f = context;
    (void)store, (void)fid, (void)mid;
    return f->submitted ? f->submit_answer : ecNotInQueue;
}

int rop_fixture_open(void **state)
{
    struct rop_fixture *f = talloc_zero(NULL, struct rop_fixture);
    struct session_fixture *world = f->world = talloc_zero(f, struct session_fixture);
    session_fixture_begin(world);
    f->arena = talloc_new(f);
    f->org = world->org;
    f->directory = world->directory;
    f->alice = world->alice;
    f->bob = world->bob;
    f->sessions = world->sessions;
    f->services = (struct rop_services){ f, note_submission, note_abort };
    f->out_max = EXECUTE_OUT_MAX;
    f->client = (struct client_info){ .code_page = 1252, .sort_locale = 0x409, .string_locale = 0x409 };
    log_on(f, f->alice);
    *state = f;
    return 0;
}

static int end_session(struct rop_fixture *second)
{
    session_free(second->session);
    return 0;
}

static struct rop_fixture *further_fixture(struct rop_fixture *f)
{
    struct rop_fixture *second = talloc_memdup(f->arena, f, sizeof *f);
    talloc_set_name_const(second, "struct rop_fixture");
    second->arena = talloc_new(second);
    second->notifications = NULL;
    return second;
}

static struct rop_fixture *further_session(struct rop_fixture *f, const struct account *user)
{
    struct rop_fixture *second = further_fixture(f);
    log_on(second, user);
    talloc_set_destructor(second, end_session);
    return second;
}

struct rop_fixture *rop_public_session(struct rop_fixture *f, const struct account *user)
{
    struct rop_fixture *second = further_fixture(f);
    second->session = session_new(f->sessions, user->mailbox_guid, &f->client);
    assert_non_null(second->session);
    second->logon = RUN(second, Logon, NO_HANDLE, .OpenFlags = 0x2).handle;
    talloc_set_destructor(second, end_session);
    return second;
}

struct rop_fixture *rop_second_session(struct rop_fixture *f)
{
    return further_session(f, f->alice);
}

struct rop_fixture *rop_delegate_session(struct rop_fixture *f)
{
    return further_session(f, f->bob);
}

static int give_back(struct store **held)
{
    store_unlock(*held);
    store_put(*held);
    return 0;
}

struct store *rop_store(struct rop_fixture *f)
{
    struct store **held = talloc_zero(f->arena, struct store *);
    assert_int_equal(store_get(sessions_stores(f->sessions), f->alice->store_url, f->alice->mailbox_guid, held),
                     ecNone);
    store_lock(*held);
    talloc_set_destructor(held, give_back);
    return *held;
}

void rop_grant(struct rop_fixture *f, uint64_t fid, uint32_t rights)
{
    TALLOC_CTX *outer = f->arena;
    f->arena = talloc_new(outer);
    const struct store_permission_edit edit = {
        .what = PERMISSION_ADD,
        .entry = { .legacy_dn = f->bob->legacy_dn, .name = f->bob->display_name, .rights = rights },
    };
    assert_int_equal(store_permissions_modify(rop_store(f), fid, 0, &edit, 1), ecNone);
    talloc_free(f->arena);
    f->arena = outer;
}

int rop_fixture_close(void **state)
{
    struct rop_fixture *f = *state;
    talloc_free_children(f->arena);
    session_free(f->session);
    session_fixture_end(f->world);
    return talloc_free(f);
}

/* ---- several ROPs ---- */

enum ec rop_fixture_execute(struct rop_fixture *f, struct blob in, struct buf *out)
{
    assert_true(session_begin(f->session));
    const enum ec ec = rop_execute(f->arena, &f->services, f->session, in, f->flags, f->out_max, out);
    session_end(f->session);
    assert_true(out->size <= f->out_max);
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

struct rop_batch *rop_batch(struct rop_fixture *f)
{
    struct rop_batch *b = talloc_zero(f->arena, struct rop_batch);
    b->f = f;
    buf_init(&b->list, b);
    return b;
}

uint8_t rop_batch_handle(struct rop_batch *b, uint32_t handle)
{
    b->handles[b->handle_count] = handle;
    return (uint8_t)b->handle_count++;
}

struct blob rop_batch_add(struct rop_batch *b, const char *name, uint8_t logon_id, uint8_t index, uint8_t other,
                          const void *request)
{
    struct wire_out out = wire_out(&b->list);
    out.codepage = session_client(b->f->session)->code_page;
    const size_t before = b->list.size;
    assert_true(rop_put_request(&out, rop_named(name), logon_id, index, other, request));
    return BLOB_OF(b->list.data + before, b->list.size - before);
}

static struct blob request_buffer(struct rop_batch *b)
{
    struct buf payload, in;
    buf_init(&payload, b);
    buf_init(&in, b);
    put_le16(buf_grow(&payload, 2), (uint16_t)(b->list.size + 2));
    buf_add(&payload, b->list.data, b->list.size);
    for (uint32_t i = 0; i < b->handle_count; i++)
        put_le32(buf_grow(&payload, 4), b->handles[i]);
    extended_put(&in, buf_blob(&payload), EXTENDED_LAST);
    return buf_blob(&in);
}

void rop_batch_payload(struct rop_batch *b, uint32_t number)
{
    struct RopBuffer buffer;
    assert_in_range(number, 0, b->payload_count - 1);
    struct wire_in in = wire_in(b, b->payloads[number]);
    assert_true(b->payloads[number].size <= EXTENDED_PAYLOAD_MAX);
    assert_true(wire_get(&in, &RopBuffer_wire, &buffer));
    b->answers = wire_in(b, buffer.RopsList);
    b->answers.codepage = session_client(b->f->session)->code_page;
    b->handle_table = buffer.ServerObjectHandleTable;
}

enum ec rop_batch_run(struct rop_batch *b)
{
    struct buf out;
    buf_init(&out, b);
    const enum ec ec = rop_fixture_execute(b->f, request_buffer(b), &out);
    if (ec)
        return ec;
    assert_true(extended_get(b, buf_blob(&out), &b->payloads, &b->payload_count));
    rop_batch_payload(b, 0);
    for (uint32_t i = 0; i * 4 < b->handle_table.size; i++)
        b->handles[i] = le32(b->handle_table.data + i * 4);
    return ecNone;
}

struct rop_response rop_batch_next(struct rop_batch *b, const char *name, const uint32_t *columns,
                                   uint32_t column_count)
{
    struct rop_response response;
    b->answers.columns = columns;
    b->answers.column_count = column_count;
    assert_true(rop_get_response(&b->answers, rop_named(name), &response));
    return response;
}

/* ---- one ROP ---- */

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
    f->pending = wire_left(in) == 3 && *in->at == 0x6E;
    assert_true(f->pending || wire_left(in) == 0);
}

/* Index 0 is the input, 1 the destination or what is opened; RopLogon opens into 0. */
struct rop_done rop_run(struct rop_fixture *f, const char *name, uint32_t input, uint32_t destination,
                        const void *request, const uint32_t *columns, uint32_t column_count)
{
    const struct rop_wire *rop = rop_named(name);
    struct rop_batch *b = rop_batch(f);
    rop_batch_handle(b, input);
    rop_batch_handle(b, rop->indexes == ROP_SD ? destination : rop->indexes == ROP_RI ? input : NO_HANDLE);
    rop_batch_add(b, name, 0, 0, 1, request);
    assert_int_equal(rop_batch_run(b), ecNone);
    f->response = BLOB_OF(b->answers.at, wire_left(&b->answers));
    struct rop_response response = { 0 };
    if (rop->id != 0x01)
        response = rop_batch_next(b, name, columns, column_count);
    keep_notifications(f, &b->answers);
    return (struct rop_done){ response.code, response.body, b->handles[rop->indexes == ROP_O ? 0 : 1] };
}

void rop_poll(struct rop_fixture *f)
{
    struct rop_batch *b = rop_batch(f);
    assert_int_equal(rop_batch_run(b), ecNone);
    keep_notifications(f, &b->answers);
}

/* ---- short cuts ---- */

uint32_t rop_folder(struct rop_fixture *f, uint64_t fid)
{
    const struct rop_done done = RUN(f, OpenFolder, f->logon, .FolderId = fid);
    CODE(done, ecNone);
    return done.handle;
}

void rop_set(struct rop_fixture *f, uint32_t object, struct prop p)
{
    const struct rop_done done = RUN(f, SetProperties, object, .PropertyValueCount = 1, .PropertyValues = &p);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopSetPropertiesResponse *)done.response)->PropertyProblemCount, 0);
}

struct prop rop_get(struct rop_fixture *f, uint32_t object, uint32_t tag)
{
    const uint32_t tags[] = { tag };
    const struct rop_done done = RUN_ROWS(f, GetPropertiesSpecific, object, tags, .WantUnicode = true,
                                          .PropertyTagCount = 1, .PropertyTags = tags);
    CODE(done, ecNone);
    return ((const struct RopGetPropertiesSpecificResponse *)done.response)->RowData.values[0];
}

uint64_t rop_save(struct rop_fixture *f, uint32_t message)
{
    const struct rop_done done = RUN(f, SaveChangesMessage, message, .SaveFlags = 0x02);
    CODE(done, ecNone);
    return ((const struct RopSaveChangesMessageResponse *)done.response)->MessageId;
}

uint64_t rop_message(struct rop_fixture *f, uint64_t fid, const char *subject)
{
    const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = fid);
    CODE(made, ecNone);
    rop_set(f, made.handle, P_STR(PidTagSubject, subject));
    const uint64_t mid = rop_save(f, made.handle);
    RUN(f, Release, made.handle);
    return mid;
}

uint32_t rop_open_message(struct rop_fixture *f, uint64_t fid, uint64_t mid, unsigned mode)
{
    const struct rop_done done = RUN(f, OpenMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = fid, .MessageId = mid,
                                     .OpenModeFlags = (uint8_t)mode);
    CODE(done, ecNone);
    return done.handle;
}
