/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCMAPIHTTP] 2.2.2 to 2.2.4, 2.2.6, 2.2.7 and 3.2.5: both endpoints as a client meets them. */
#include <semaphore.h>
#include <stdlib.h>

#include "http/transport.h"
#include "mapihttp/mapihttp.h"
#include "rop/fixture.h"
#include "wire/extended.h"

struct world {
    struct rop_fixture *f;
    struct mapihttp *m;
    const struct account *user; /* who signs in; NULL: nobody */
};

static int close_server(struct world *w)
{
    mapihttp_close(w->m);
    return 0;
}

static struct world *world_with(void **state, struct mapihttp_config config)
{
    struct rop_fixture *f = *state;
    struct world *w = talloc_zero(f->arena, struct world);
    w->f = f;
    w->user = f->alice;
    config.org = f->org;
    config.sessions = f->sessions;
    config.services = f->services;
    w->m = mapihttp_new(NULL, &config);
    talloc_set_destructor(w, close_server);
    return w;
}

static struct world *world(void **state)
{
    return world_with(state, (struct mapihttp_config){ 0 });
}

/* ---- one request ---- */

struct ask {
    const char *type, *context, *sequence, *method;
    struct blob body;
    const char *leave_out; /* a header that is not sent */
    const char *request_id, *content_type;
    bool too_large, plain;
};

struct reply {
    struct http_recorder *recorder;
    unsigned status;
    int code;                       /* X-ResponseCode, the last one said */
    const char *head;               /* of HTTP, with its lines */
    const char *context, *sequence; /* cookies */
    const char *meta;               /* PROCESSING ... DONE and the additional headers */
    struct blob body;
};

static struct http_request *request_of(struct world *w, const struct ask *q)
{
    struct http_request *r = talloc_zero(w->f->arena, struct http_request);
    struct http_header *list = talloc_zero_array(r, struct http_header, 8);
    const struct http_header all[] = {
        { "X-RequestType", q->type },
        { "X-RequestId", q->request_id ? q->request_id : "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:123456" },
        { "X-ClientInfo", "{2F94A2BF-A2E6-4CCCC-BF98-B5F22C542226}:17" },
        { "X-ClientApplication", "Outlook/16.0.15928.20006" },
        { "Content-Type", q->content_type ? q->content_type : "application/mapi-http" },
        { "Cookie", q->context ? talloc_asprintf(r, "MapiContext=%s%s%s", q->context,
                                                 q->sequence ? "; MapiSequence=" : "", q->sequence ? q->sequence : "")
                               : NULL },
    };
    for (size_t i = 0; i < COUNTOF(all); i++)
        if (all[i].value && (!q->leave_out || strcmp(q->leave_out, all[i].name) != 0))
            list[r->headers.count++] = all[i];
    r->headers.list = list;
    r->arena = talloc_new(r);
    r->method = q->method ? q->method : "POST";
    r->path = "/mapi/emsmdb/";
    r->below = r->query = "";
    r->host = "mail.contoso.com";
    r->body = q->body;
    r->too_large = q->too_large;
    r->is_tls = !q->plain;
    r->context = w->m;
    if (w->user) {
        struct http_user *user = talloc_zero(r, struct http_user);
        user->name = w->user->logon_name;
        user->id = guid_text(w->user->mailbox_guid, talloc_size(r, GUID_TEXT_SIZE));
        r->user = user;
    }
    return r;
}

static const char *line_of(const char *head, const char *name)
{
    const char *at = head;
    while ((at = strstr(at, "\r\n"))) {
        at += 2;
        if (strncasecmp(at, name, strlen(name)) == 0 && at[strlen(name)] == ':') {
            at += strlen(name) + 2;
            return talloc_strndup(head, at, strcspn(at, "\r"));
        }
    }
    return NULL;
}

static const char *cookie_of(const char *head, const char *name)
{
    const char *at = strstr(head, talloc_asprintf(head, "Set-Cookie: %s=", name));
    return at ? talloc_strndup(head, strchr(at, '=') + 1, strcspn(strchr(at, '=') + 1, ";\r")) : NULL;
}

/* Chunks joined; the last one may still be missing. */
static struct blob dechunked(TALLOC_CTX *arena, struct blob in)
{
    struct buf out;
    buf_init(&out, arena);
    const char *at = (const char *)in.data, *end = at + in.size;
    while (at < end) {
        char *rest;
        const unsigned long size = strtoul(at, &rest, 16);
        buf_add(&out, rest + 2, size);
        at = rest + 2 + size + 2;
    }
    return buf_blob(&out);
}

static struct reply reply_of(struct http_recorder *recorder)
{
    struct reply r = { .recorder = recorder };
    const char *all = talloc_strndup(recorder, (const char *)recorder->out.data, recorder->out.size);
    const char *blank = strstr(all, "\r\n\r\n");
    if (!blank)
        return r;
    char *head = talloc_strndup(recorder, all, (size_t)(blank - all) + 2);
    r.head = head;
    r.status = (unsigned)strtoul(head + 9, NULL, 10);
    r.code = atoi(line_of(head, "X-ResponseCode"));
    r.context = cookie_of(head, "MapiContext");
    r.sequence = cookie_of(head, "MapiSequence");
    const size_t start = (size_t)(blank - all) + 4;
    struct blob inner = BLOB_OF(recorder->out.data + start, recorder->out.size - start);
    if (line_of(head, "Transfer-Encoding"))
        inner = dechunked(recorder, inner);
    const uint8_t *gap = memmem(inner.data, inner.size, "\r\n\r\n", 4);
    const size_t meta = gap ? (size_t)(gap - inner.data) + 4 : inner.size;
    r.meta = talloc_strndup(recorder, (const char *)inner.data, meta);
    r.body = BLOB_OF(inner.data + meta, inner.size - meta);
    if (line_of(r.meta, "X-ResponseCode"))
        r.code = atoi(line_of(r.meta, "X-ResponseCode"));
    return r;
}

static struct http_recorder *begin_at(struct world *w, http_handler *endpoint, const struct ask *q)
{
    struct http_recorder *recorder = http_recorder_new(w->f->arena);
    http_recorder_run(recorder, endpoint, request_of(w, q));
    return recorder;
}

static struct reply ask_at(struct world *w, http_handler *endpoint, struct ask q)
{
    const struct reply r = reply_of(begin_at(w, endpoint, &q));
    assert_int_equal(r.recorder->after, HTTP_COMPLETE);
    assert_int_equal(r.status, 200); /* R47 */
    return r;
}

#define ASK(w, ...) ask_at(w, mapihttp_emsmdb, (struct ask){ __VA_ARGS__ })
#define ASK_NSPI(w, ...) ask_at(w, mapihttp_nspi, (struct ask){ __VA_ARGS__ })

/* ---- bodies ---- */

static struct blob encode(struct world *w, const struct wire_struct *description, const void *body,
                          enum wire_flavour flavour)
{
    struct buf bytes;
    buf_init(&bytes, w->f->arena);
    struct wire_out out = wire_out(&bytes);
    out.flavour = flavour;
    assert_true(wire_put(&out, description, body));
    return buf_blob(&bytes);
}
#define BODY(w, S, ...) encode(w, &S##_wire, &(struct S){ __VA_ARGS__ }, WIRE_ROP)
#define BODY_NSPI(w, S, ...) encode(w, &S##_wire, &(struct S){ __VA_ARGS__ }, WIRE_NSPI)

static void decode(struct world *w, const struct reply *r, const struct wire_struct *description, void *out)
{
    struct wire_in in = wire_in(w->f->arena, r->body);
    assert_int_equal(r->code, 0);
    assert_true(wire_get(&in, description, out));
    assert_int_equal(wire_left(&in), 0);
}

static struct blob connect_body(struct world *w, const char *dn)
{
    return BODY(w, ConnectRequest, .UserDn = dn, .DefaultCodePage = 1252, .LcidSort = 0x409, .LcidString = 0x409);
}

static struct reply connect_with(struct world *w, const char *context, const char *sequence)
{
    return ASK(w, .type = "Connect", .context = context, .sequence = sequence,
               .body = connect_body(w, w->user->legacy_dn));
}

static struct reply connected(struct world *w)
{
    const struct reply r = connect_with(w, NULL, NULL);
    struct ConnectResponse c = { 0 };
    decode(w, &r, &ConnectResponse_wire, &c);
    assert_int_equal(c.ErrorCode, ecNone);
    assert_non_null(r.context);
    return r;
}

static struct blob execute_body(struct world *w, const char *name, const void *request, uint32_t handle)
{
    struct buf list, in;
    buf_init(&list, w->f->arena);
    buf_init(&in, w->f->arena);
    struct wire_out out = wire_out(&list);
    wire_put_uint(&out, 0, 2);
    for (unsigned id = 0; name && id < 256; id++)
        if (rop_wire((uint8_t)id) && strcmp(rop_wire((uint8_t)id)->name, name) == 0)
            assert_true(rop_put_request(&out, rop_wire((uint8_t)id), 0, 0, 1, request));
    put_le16(list.data, (uint16_t)list.size);
    wire_put_uint(&out, handle, 4);
    wire_put_uint(&out, 0xFFFFFFFF, 4);
    extended_put(&in, buf_blob(&list), EXTENDED_LAST);
    return BODY(w, ExecuteRequest, .Flags = 3, .RopBufferSize = (uint32_t)in.size, .RopBuffer = buf_blob(&in),
                .MaxRopOut = 0x10008);
}

static struct ExecuteResponse executed(struct world *w, const struct reply *r)
{
    struct ExecuteResponse e = { 0 };
    decode(w, r, &ExecuteResponse_wire, &e);
    return e;
}

/* The list and the handles of an answer. */
static struct RopBuffer rops_of(struct world *w, const struct reply *r)
{
    struct ExecuteResponse e = executed(w, r);
    struct RopBuffer buffer = { 0 };
    struct blob *payloads;
    uint32_t count;
    assert_int_equal(e.ErrorCode, ecNone);
    assert_true(extended_get(w->f->arena, e.RopBuffer, &payloads, &count));
    struct wire_in in = wire_in(w->f->arena, payloads[0]);
    assert_true(wire_get(&in, &RopBuffer_wire, &buffer));
    return buffer;
}

static struct reply execute(struct world *w, const struct reply *last, struct blob body)
{
    return ASK(w, .type = "Execute", .context = last->context, .sequence = last->sequence, .body = body);
}

static struct blob logon_body(struct world *w)
{
    return execute_body(w, "Logon",
                        &(struct RopLogonRequest){ .LogonFlags = 1, .EssdnSize = 1, .Essdn = w->user->legacy_dn },
                        0xFFFFFFFF);
}

struct client {
    struct reply last;
    uint32_t logon;
};

static struct client logged_on(struct world *w)
{
    const struct reply c = connected(w);
    struct client client = { .last = execute(w, &c, logon_body(w)) };
    client.logon = le32(rops_of(w, &client.last).ServerObjectHandleTable.data);
    return client;
}

static void call(struct world *w, struct client *c, const char *name, const void *request)
{
    c->last = execute(w, &c->last, execute_body(w, name, request, c->logon));
    assert_int_equal(c->last.code, 0);
}

/* ---- headers ---- */

static void an_answer_carries_all_headers_and_its_meta_tags(void **state)
{
    struct world *w = world(state);
    const struct reply r = connected(w); /* R55: X-ResponseCode 0, and the body is Connect's */
    assert_int_equal(r.status, 200);     /* R48 */
    assert_string_equal(line_of(r.head, "Content-Type"), "application/mapi-http"); /* R2037 */
    assert_string_equal(line_of(r.head, "X-RequestType"), "Connect");
    assert_string_equal(line_of(r.head, "X-RequestId"), "{E2EA6C1C-E61B-49E9-9CFB-38184F907552}:123456"); /* R2040 */
    assert_string_equal(line_of(r.head, "X-ClientInfo"), "{2F94A2BF-A2E6-4CCCC-BF98-B5F22C542226}:17");   /* R156 */
    assert_string_equal(line_of(r.head, "X-ResponseCode"), "0");
    assert_int_equal(strncmp(line_of(r.head, "X-ServerApplication"), "Exchange/15.", 12), 0); /* R164, R165 */
    assert_string_equal(line_of(r.head, "X-ExpirationInfo"), "900000");                       /* R167 */
    assert_string_equal(line_of(r.head, "X-PendingPeriod"), "30000");                         /* R158 */
    assert_null(line_of(r.head, "X-DeviceInfo"));                                             /* R2050 */
    assert_null(line_of(r.head, "X-ElapsedTime"));
    assert_int_equal(strncmp(r.meta, "PROCESSING\r\nDONE\r\n", 18), 0); /* R1238, R1244 */
    assert_non_null(line_of(r.meta, "X-ElapsedTime"));                  /* R169, R2228 */
    assert_non_null(line_of(r.meta, "X-StartTime"));                    /* R171 */
    assert_true(r.body.size > 0);                                       /* R1136: and the body follows */
    assert_non_null(strstr(r.head, "; path=/mapi/emsmdb; secure; HttpOnly"));
}

static void a_cookie_is_secure_where_the_connection_is(void **state)
{
    struct world *w = world(state);
    const struct reply r = ASK(w, .type = "Connect", .plain = true, .body = connect_body(w, w->user->legacy_dn));
    assert_null(strstr(r.head, "secure"));
    assert_non_null(r.context);
}

static void what_is_wrong_with_a_request_is_told_by_its_code(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w);
    const struct {
        int code;
        struct ask ask;
    } wrong[] = {
        { 2, { .type = "Connect", .method = "GET" } },
        { 2, { .type = "Connect", .method = "RPC_IN_DATA" } },
        { 4, { .type = "Connect", .request_id = "no counter" } },
        { 4, { .type = "Connect", .request_id = "{E2EA6C1C}:12x" } },
        { 4, { .type = "Connect", .request_id = ":1" } },
        { 4, { .type = "Connect", .content_type = "text/plain", .body = BLOB_OF("x", 1) } },
        { 5, { .type = "Fetch" } }, /* R141 */
        { 5, { .type = "Bind" } },  /* of the other endpoint */
        { 5, { .type = "" } },
        { 6, { .type = "Execute", .context = "Invalid cookie", .sequence = "1" } }, /* R142 */
        { 6, { .type = "PING", .context = "" } },
        { 7, { .type = "Connect", .leave_out = "X-RequestType" } }, /* R143 */
        { 7, { .type = "Connect", .leave_out = "X-RequestId" } },
        { 7, { .type = "Connect", .leave_out = "X-ClientInfo" } },
        { 9, { .type = "Execute", .context = c.context, .sequence = c.sequence, .too_large = true } },
        { 10, { .type = "Execute", .context = "00112233445566778899aabbccddeeff", .sequence = "1" } }, /* R146 */
        { 12, { .type = "Connect", .body = BLOB_OF("/o=x", 4) } },                                     /* R148 */
        { 13, { .type = "Execute" } },                                                                 /* R149 */
        { 13, { .type = "Disconnect" } },
        { 13, { .type = "NotificationWait" } },
        { 13, { .type = "Execute", .context = c.context } },
        { 15, { .type = "Execute", .context = c.context, .sequence = "99" } },
        { 15, { .type = "Execute", .context = c.context, .sequence = "+1" } },
        { 15, { .type = "Execute", .context = c.context, .sequence = "" } },
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        const struct reply r = ask_at(w, mapihttp_emsmdb, wrong[i].ask);
        if (r.code != wrong[i].code)
            fail_msg("case %zu: %d instead of %d", i, r.code, wrong[i].code);
        assert_int_equal(r.status, 200);                                   /* R50 */
        assert_string_equal(line_of(r.head, "Content-Type"), "text/html"); /* R2038 */
        assert_non_null(strstr(r.meta, "<html>"));                         /* R56 */
    }
    w->user = NULL;
    assert_int_equal(ASK(w, .type = "Connect").code, 8); /* R36 */
}

static void names_of_types_are_compared_without_case(void **state)
{
    struct world *w = world(state);
    assert_int_equal(ASK(w, .type = "CONNECT", .body = connect_body(w, w->user->legacy_dn)).code, 0);
    assert_int_equal(ASK(w, .type = "ping").code, 0);
}

/* ---- Connect ---- */

static void connect_tells_how_to_poll_and_who_the_user_is(void **state)
{
    struct world *w = world(state);
    const struct reply r = connected(w);
    struct ConnectResponse c = { 0 };
    decode(w, &r, &ConnectResponse_wire, &c);
    assert_int_equal(c.StatusCode, 0);
    assert_int_equal(c.PollsMax, 60000);
    assert_int_equal(c.RetryCount, 6);
    assert_int_equal(c.RetryDelay, 10000);
    assert_string_equal(c.DnPrefix, "");                 /* R215 */
    assert_string_equal(c.DisplayName, "Alice Example"); /* R216 */
    struct blob *payloads;
    uint32_t count;
    assert_true(extended_get(w->f->arena, c.AuxiliaryBuffer, &payloads, &count));
    assert_int_equal(count, 1);
    assert_int_equal(mapihttp_contexts(w->m), 1);
}

static void who_cannot_connect_hears_it_in_the_error_code(void **state)
{
    struct world *w = world(state);
    const struct {
        uint32_t code;
        const char *dn;
        uint32_t flags;
    } cases[] = {
        { (uint32_t)ecAccessDenied, "", 0 }, /* MS-OXCRPC_R1369 */
        { ecUnknownUser, "/o=Nobody/cn=x", 0 },
        { (uint32_t)ecAccessDenied, w->f->bob->legacy_dn, 0 },
        { ecLoginPerm, w->f->alice->legacy_dn, 1 }, /* MS-OXCRPC_R490 */
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct reply r = ASK(
            w, .type = "Connect",
            .body = BODY(w, ConnectRequest, .UserDn = cases[i].dn, .Flags = cases[i].flags, .DefaultCodePage = 1252));
        struct ConnectResponse c = { 0 };
        decode(w, &r, &ConnectResponse_wire, &c);
        assert_int_equal(c.ErrorCode, cases[i].code);
        assert_null(r.context);
    }
    assert_int_equal(mapihttp_contexts(w->m), 0);
}

static void the_policy_closes_the_door_to_new_contexts_and_leaves_the_open_ones(void **state)
{
    struct world *w = world(state);
    struct client c = logged_on(w);
    struct account *account = talloc_memdup(w->f->arena, w->f->alice, sizeof *w->f->alice);
    account->mapi_http_enabled = ORG_OFF;
    assert_int_equal(directory_set(w->f->directory, account, NULL), ecNone);
    assert_int_equal(connect_with(w, NULL, NULL).code, 16);
    assert_int_equal(ASK_NSPI(w, .type = "Bind", .body = BODY_NSPI(w, BindRequest, .Flags = 0)).code, 16);
    call(w, &c, "OpenFolder", &(struct RopOpenFolderRequest){ .FolderId = STORE_FID(SPECIAL_INBOX) });
}

static void a_client_that_comes_back_gets_a_new_context_for_the_old_one(void **state)
{
    struct world *w = world(state);
    const struct reply first = connected(w);
    const struct reply second = connect_with(w, first.context, "777"); /* R1279 */
    assert_int_equal(second.code, 0);
    assert_string_not_equal(second.context, first.context); /* R1278 */
    assert_int_equal(mapihttp_contexts(w->m), 1);           /* R1277 */
    assert_int_equal(execute(w, &first, logon_body(w)).code, 10);
    assert_int_equal(execute(w, &second, logon_body(w)).code, 0);
    assert_int_equal(connect_with(w, second.context, NULL).code, 0);                    /* R1329 */
    assert_int_equal(connect_with(w, "00112233445566778899aabbccddeeff", "1").code, 0); /* R1280: long gone */
    assert_int_equal(connect_with(w, "not ours", "1").code, 0);
}

/* ---- contexts ---- */

static void a_context_belongs_to_its_user_and_its_endpoint(void **state)
{
    struct world *w = world(state);
    const struct reply alice = connected(w);
    w->user = w->f->bob;
    assert_int_equal(execute(w, &alice, logon_body(w)).code, 10); /* R1224, R1225 */
    assert_int_equal(ASK(w, .type = "PING", .context = alice.context).code, 10);
    assert_int_equal(ASK(w, .type = "NotificationWait", .context = alice.context).code, 10);
    assert_int_equal(connect_with(w, alice.context, NULL).code, 0);
    w->user = w->f->alice;
    assert_int_equal(ASK_NSPI(w, .type = "Unbind", .context = alice.context, .sequence = alice.sequence).code, 10);
    assert_int_equal(execute(w, &alice, logon_body(w)).code, 0); /* bob has ended nothing */
}

static void the_sequence_cookie_moves_with_every_answer_of_the_sequence(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w), one = execute(w, &c, logon_body(w));
    assert_string_not_equal(one.sequence, c.sequence);
    assert_string_equal(one.context, c.context);
    const struct reply two = execute(w, &one, logon_body(w));
    assert_int_equal(two.code, 0);
    assert_int_equal(execute(w, &one, logon_body(w)).code, 15); /* R151: a second time */
    assert_int_equal(execute(w, &two, logon_body(w)).code, 0);
}

static void an_answer_outside_the_sequence_may_be_read_after_one_inside(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w);
    const struct reply ping = ASK(w, .type = "PING", .context = c.context, .sequence = c.sequence);
    assert_string_equal(ping.sequence, c.sequence); /* R1236 */
    const struct reply one = execute(w, &c, logon_body(w));
    assert_int_equal(one.code, 0);
    assert_int_equal(execute(w, &ping, logon_body(w)).code, 0); /* the client has read the PING's answer last */
    assert_int_equal(execute(w, &ping, logon_body(w)).code, 15);
}

static void an_answer_outside_the_sequence_may_be_read_much_later_once(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w), one = execute(w, &c, logon_body(w));
    assert_int_equal(execute(w, &c, logon_body(w)).code, 15); /* nothing was answered outside of the sequence yet */
    const struct reply ping = ASK(w, .type = "PING", .context = c.context, .sequence = c.sequence);
    const struct reply two = execute(w, &one, logon_body(w)), three = execute(w, &two, logon_body(w));
    assert_int_equal(three.code, 0);
    const struct reply four = execute(w, &ping, logon_body(w)); /* something on the way has kept the PING's answer */
    assert_int_equal(four.code, 0);
    assert_int_equal(execute(w, &ping, logon_body(w)).code, 15);
    assert_int_equal(execute(w, &four, logon_body(w)).code, 0);
}

static void a_request_that_never_arrived_whole_can_be_sent_again(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w);
    assert_int_equal(ASK(w, .type = "Execute", .context = c.context, .sequence = c.sequence, .too_large = true).code,
                     9);
    assert_int_equal(execute(w, &c, logon_body(w)).code, 0);
}

static void a_user_has_so_many_contexts_and_the_idle_ones_go_first(void **state)
{
    struct world *w = world_with(state, (struct mapihttp_config){ .contexts_per_user = 3 });
    const struct reply first = connected(w), second = connected(w), third = connected(w);
    const struct http_recorder *wait = begin_at(w, mapihttp_emsmdb,
                                                &(struct ask){ .type = "NotificationWait",
                                                               .context = first.context,
                                                               .body = BODY(w, NotificationWaitRequest, .Flags = 0) });
    w->user = w->f->bob;
    const struct reply bob = connected(w);
    w->user = w->f->alice;
    const struct reply fourth = connected(w);
    assert_int_equal(mapihttp_contexts(w->m), 4);
    assert_int_equal(ASK(w, .type = "PING", .context = second.context).code, 10);
    assert_int_equal(ASK(w, .type = "PING", .context = first.context).code, 0); /* somebody waits there */
    assert_int_equal(ASK(w, .type = "PING", .context = third.context).code, 0);
    assert_int_equal(ASK(w, .type = "PING", .context = fourth.context).code, 0);
    w->user = w->f->bob;
    assert_int_equal(ASK(w, .type = "PING", .context = bob.context).code, 0);
    http_recorder_tell((struct http_recorder *)(uintptr_t)wait, HTTP_GONE);
}

static void waits_do_not_keep_contexts_beyond_the_limit(void **state)
{
    struct world *w = world_with(state, (struct mapihttp_config){ .contexts_per_user = 1 });
    const struct reply first = connected(w);
    struct http_recorder *wait = begin_at(w, mapihttp_emsmdb,
                                          &(struct ask){ .type = "NotificationWait",
                                                         .context = first.context,
                                                         .body = BODY(w, NotificationWaitRequest, .Flags = 0) });
    connected(w);
    assert_int_equal(mapihttp_contexts(w->m), 1);
    assert_int_equal(wait->after, HTTP_COMPLETE);
    http_recorder_tell(wait, HTTP_SENT);
}

static void wait_until_gone(struct world *w)
{
    for (unsigned i = 0; i < 20000 && mapihttp_contexts(w->m); i++) {
        const struct timespec a_millisecond = { 0, 1000000 };
        nanosleep(&a_millisecond, NULL);
    }
    assert_int_equal(mapihttp_contexts(w->m), 0);
}

static void an_idle_context_expires_with_its_session(void **state)
{
    struct world *w = world_with(state, (struct mapihttp_config){ .expiration_ms = 1 });
    const uint32_t sessions = sessions_count(w->f->sessions);
    const struct reply c = connected(w);
    wait_until_gone(w);                                       /* R1285 */
    assert_int_equal(execute(w, &c, logon_body(w)).code, 10); /* R1283 */
    mapihttp_close(w->m);
    assert_int_equal(sessions_count(w->f->sessions), sessions);
    talloc_set_destructor(w, NULL);
}

static void disconnect_ends_the_context_and_who_waits_for_it(void **state)
{
    struct world *w = world(state);
    struct client c = logged_on(w);
    struct http_recorder *wait = begin_at(w, mapihttp_emsmdb,
                                          &(struct ask){ .type = "NotificationWait",
                                                         .context = c.last.context,
                                                         .body = BODY(w, NotificationWaitRequest, .Flags = 0) });
    const struct reply r = ASK(w, .type = "Disconnect", .context = c.last.context, .sequence = c.last.sequence,
                               .body = BODY(w, DisconnectRequest, .AuxiliaryBufferSize = 0));
    struct DisconnectResponse d = { 0 };
    decode(w, &r, &DisconnectResponse_wire, &d); /* R1250, R2234 */
    assert_int_equal(d.ErrorCode, ecNone);
    assert_non_null(r.context); /* R1255 */
    assert_int_equal(wait->after, HTTP_COMPLETE);
    struct reply woken = reply_of(wait);
    struct NotificationWaitResponse n = { 0 };
    decode(w, &woken, &NotificationWaitResponse_wire, &n);
    assert_int_equal(n.EventPending, 0);
    http_recorder_tell(wait, HTTP_SENT);
    assert_int_equal(execute(w, &r, logon_body(w)).code, 10); /* R304, R1253, R2236 */
}

/* ---- Execute ---- */

static void trouble_with_the_buffer_is_told_beside_it(void **state)
{
    struct world *w = world(state);
    struct reply c = connected(w);
    c = execute(w, &c,
                BODY(w, ExecuteRequest, .RopBufferSize = 4, .RopBuffer = BLOB_OF("what", 4), .MaxRopOut = 0x10008));
    assert_int_equal(executed(w, &c).ErrorCode, (uint32_t)ecRpcFailed);
    c = execute(
        w, &c,
        BODY(w, ExecuteRequest, .RopBufferSize = 12, .RopBuffer = BLOB_OF("what is this", 12), .MaxRopOut = 0x10008));
    assert_int_equal(executed(w, &c).ErrorCode, ecRpcFormat);
    struct blob logon = logon_body(w);
    struct ExecuteRequest request;
    struct wire_in in = wire_in(w->f->arena, logon);
    assert_true(wire_get(&in, &ExecuteRequest_wire, &request));
    request.MaxRopOut = 12;
    c = execute(w, &c, encode(w, &ExecuteRequest_wire, &request, WIRE_ROP));
    assert_int_equal(executed(w, &c).StatusCode, ecBufferTooSmall); /* MS-OXCROPS_R20009 */
    request.MaxRopOut = 0x40001;
    c = execute(w, &c, encode(w, &ExecuteRequest_wire, &request, WIRE_ROP));
    assert_int_equal(executed(w, &c).StatusCode, ecBadStubData);
    assert_int_equal(execute(w, &c, logon).code, 0); /* the session is as usable as before */
}

static void a_body_with_a_size_of_2_GB_is_invalid(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w);
    uint8_t *body = talloc_zero_size(w->f->arena, 64);
    put_le32(body + 4, 0x7FFFFFFF);
    assert_int_equal(execute(w, &c, BLOB_OF(body, 64)).code, 12);
    put_le32(body + 4, 0xFFFFFFFF);
    assert_int_equal(ASK(w, .type = "Execute", .context = c.context, .sequence = "2", .body = BLOB_OF(body, 64)).code,
                     12);
}

/* A submission that takes until the client has been told, and during which another request comes. */
static struct slow {
    struct world *w;
    const struct client *client;
    sem_t told;
    int code_beside;
} slow;
static const struct http_transport *plain_transport;

static void tell_slow(struct http_answer *answer, unsigned ms)
{
    plain_transport->pulse(answer, ms);
    if (ms)
        sem_post(&slow.told);
}

static enum ec submit_slowly(void *context, struct session *session, struct store_message *message, unsigned flags)
{
    (void)context, (void)session, (void)message, (void)flags;
    store_unlock(store_message_store(message));
    sem_wait(&slow.told);
    slow.code_beside = execute(slow.w, &slow.client->last, logon_body(slow.w)).code;
    store_lock(store_message_store(message));
    return ecNone;
}

static struct reply run_slowly(struct world *w, struct client *c, struct blob body)
{
    static struct http_transport slow_transport;
    struct http_recorder *recorder = http_recorder_new(w->f->arena);
    plain_transport = recorder->answer.transport;
    slow_transport = *plain_transport;
    slow_transport.pulse = tell_slow;
    recorder->answer.transport = &slow_transport;
    slow.w = w;
    slow.client = c;
    sem_init(&slow.told, 0, 0);
    http_recorder_run(
        recorder, mapihttp_emsmdb,
        request_of(w, &(struct ask){
                          .type = "Execute", .context = c->last.context, .sequence = c->last.sequence, .body = body }));
    sem_destroy(&slow.told);
    return reply_of(recorder);
}

/* An open message with a recipient, which can be submitted. */
static uint32_t message_to_submit(struct world *w, struct client *c)
{
    const struct ModifyRecipientRow row = {
        .RecipientType = 1,
        .RecipientRowSize = 1,
        .RecipientRow = { .RecipientFlags = 0x021B, .EmailAddress = "x@example.com", .DisplayName = "X" }
    };
    call(w, c, "CreateMessage",
         &(struct RopCreateMessageRequest){ .CodePageId = 0x0FFF, .FolderId = STORE_FID(SPECIAL_OUTBOX) });
    c->logon = le32(rops_of(w, &c->last).ServerObjectHandleTable.data + 4);
    call(w, c, "ModifyRecipients", &(struct RopModifyRecipientsRequest){ .RowCount = 1, .RecipientRows = &row });
    return c->logon;
}

static void a_slow_request_is_told_that_it_is_being_processed_and_none_may_run_beside_it(void **state)
{
    struct rop_fixture *f = *state;
    f->services.submit = submit_slowly;
    struct world *w = world_with(state, (struct mapihttp_config){ .slow_ms = 1 });
    struct client c = logged_on(w);
    const uint32_t message = message_to_submit(w, &c);
    const struct reply r =
        run_slowly(w, &c, execute_body(w, "SubmitMessage", &(struct RopSubmitMessageRequest){ 0 }, message));
    assert_int_equal(slow.code_beside, 15);                               /* R1227, R1228 */
    assert_string_equal(line_of(r.head, "Transfer-Encoding"), "chunked"); /* R1230 */
    assert_null(line_of(r.head, "Content-Length"));                       /* R1232 */
    assert_int_equal(r.recorder->pulse_ms, 30000);                        /* R1240 */
    assert_non_null(r.context);
    assert_int_equal(strncmp(r.meta, "PROCESSING\r\nDONE\r\n", 18), 0);
    assert_int_equal(le32(rops_of(w, &r).RopsList.data + 2), ecNone);
    assert_int_equal(execute(w, &r, logon_body(w)).code, 0);
}

/* ---- PING ---- */

static void ping_works_with_and_without_a_context_on_both_endpoints(void **state)
{
    struct world *w = world(state);
    const struct reply c = connected(w);
    const struct reply alone = ASK(w, .type = "PING"), with = ASK(w, .type = "PING", .context = c.context);
    assert_int_equal(alone.code, 0); /* R1124 */
    assert_null(alone.context);
    assert_int_equal(with.code, 0);
    assert_string_equal(with.context, c.context);
    assert_int_equal(with.body.size, 0); /* R1249 */
    assert_int_equal(ASK_NSPI(w, .type = "PING").code, 0);
    assert_int_equal(ASK_NSPI(w, .type = "PING", .context = c.context).code, 10);
    assert_int_equal(ASK(w, .type = "PING", .leave_out = "Content-Type").code, 0);
}

/* ---- NotificationWait ---- */

static struct http_recorder *wait_for(struct world *w, const struct client *c)
{
    return begin_at(w, mapihttp_emsmdb,
                    &(struct ask){ .type = "NotificationWait",
                                   .context = c->last.context,
                                   .body = BODY(w, NotificationWaitRequest, .Flags = 0) });
}

static struct NotificationWaitResponse woken(struct world *w, struct http_recorder *wait)
{
    struct NotificationWaitResponse n = { 0 };
    const struct reply r = reply_of(wait);
    assert_int_equal(wait->after, HTTP_COMPLETE);
    decode(w, &r, &NotificationWaitResponse_wire, &n); /* R1256 */
    http_recorder_tell(wait, HTTP_SENT);
    return n;
}

static struct client subscribed(struct world *w)
{
    struct client c = logged_on(w);
    call(w, &c, "RegisterNotification",
         &(struct RopRegisterNotificationRequest){ .NotificationTypes = 0xFE, .WantWholeStore = true });
    return c;
}

static void a_wait_says_PROCESSING_at_once_and_PENDING_while_it_lasts(void **state)
{
    struct world *w = world(state);
    const struct client c = subscribed(w);
    struct http_recorder *wait = wait_for(w, &c);
    struct reply r = reply_of(wait);
    assert_int_equal(wait->after, HTTP_GOES_ON);
    assert_string_equal(r.meta, "PROCESSING\r\n"); /* R1134, R2227 */
    assert_string_equal(line_of(r.head, "Transfer-Encoding"), "chunked");
    assert_string_equal(line_of(r.head, "X-PendingPeriod"), "30000"); /* R1182, R1242 */
    assert_string_equal(r.context, c.last.context);                   /* R1261 */
    assert_int_equal(wait->pulse_ms, 30000);
    assert_int_equal(wait->alarm_ms, 300000); /* R1215 */
    http_answer_beat(&wait->answer);
    http_answer_beat(&wait->answer);
    assert_string_equal(reply_of(wait).meta, "PROCESSING\r\nPENDING\r\nPENDING\r\n"); /* R1135, R1178, R1241 */
    http_recorder_tell(wait, HTTP_TIME_UP);
    r = reply_of(wait);
    assert_int_equal(strncmp(r.meta, "PROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\nX-ElapsedTime: ", 51), 0); /* R1185 */
    assert_int_equal(woken(w, wait).EventPending, 0); /* R1259, R1372 */
}

static void an_event_ends_the_wait_and_the_next_Execute_brings_it(void **state)
{
    struct world *w = world(state);
    struct client c = subscribed(w);
    struct http_recorder *wait = wait_for(w, &c);
    rop_message(w->f, STORE_FID(SPECIAL_INBOX), "news");
    const struct NotificationWaitResponse n = woken(w, wait);
    assert_int_equal(n.ErrorCode, ecNone);
    assert_int_equal(n.EventPending, 1); /* R1258, R1371 */
    c.last = execute(w, &c.last, execute_body(w, NULL, NULL, c.logon));
    assert_int_equal(rops_of(w, &c.last).RopsList.data[0], 0x2A); /* R318 */
}

static void an_event_that_came_before_the_wait_ends_it_at_once(void **state)
{
    struct world *w = world(state);
    const struct client c = subscribed(w);
    rop_message(w->f, STORE_FID(SPECIAL_INBOX), "news");
    assert_int_equal(woken(w, wait_for(w, &c)).EventPending, 1);
    assert_int_equal(woken(w, wait_for(w, &c)).EventPending, 1); /* until somebody fetches it */
}

static void a_second_wait_is_rejected_and_the_first_goes_on(void **state)
{
    struct world *w = world(state);
    const struct client c = subscribed(w);
    struct http_recorder *first = wait_for(w, &c);
    assert_int_equal(woken(w, wait_for(w, &c)).ErrorCode, ecRejected); /* MS-OXCNOTIF_R308 */
    assert_int_equal(first->after, HTTP_GOES_ON);
    rop_message(w->f, STORE_FID(SPECIAL_INBOX), "news");
    assert_int_equal(woken(w, first).EventPending, 1);
}

static void a_client_that_leaves_makes_room_for_another_wait(void **state)
{
    struct world *w = world(state);
    const struct client c = subscribed(w);
    struct http_recorder *first = wait_for(w, &c);
    http_recorder_tell(first, HTTP_GONE);
    struct http_recorder *second = wait_for(w, &c);
    assert_int_equal(second->after, HTTP_GOES_ON);
    rop_message(w->f, STORE_FID(SPECIAL_INBOX), "news");
    assert_int_equal(first->after, HTTP_GOES_ON); /* nothing is said to nobody */
    assert_int_equal(woken(w, second).EventPending, 1);
}

static void a_server_that_stops_ends_the_waits(void **state)
{
    struct world *w = world(state);
    const struct client c = subscribed(w);
    struct http_recorder *wait = wait_for(w, &c);
    http_recorder_tell(wait, HTTP_STOPPING);
    assert_int_equal(woken(w, wait).EventPending, 0);
}

static void a_waiting_context_does_not_expire_and_is_fresh_afterwards(void **state)
{
    struct world *w =
        world_with(state, (struct mapihttp_config){ .expiration_ms = 60000, .wait_ms = 120000, .pending_ms = 5000 });
    const struct client c = subscribed(w);
    struct http_recorder *wait = wait_for(w, &c);
    assert_int_equal(wait->alarm_ms, 120000);
    assert_int_equal(wait->pulse_ms, 5000);
    assert_int_equal(execute(w, &c.last, logon_body(w)).code, 0); /* an Execute runs beside it */
    http_recorder_tell(wait, HTTP_TIME_UP);
    woken(w, wait);
    assert_int_equal(ASK(w, .type = "PING", .context = c.last.context).code, 0); /* R1260 */
}

static void a_wait_without_a_body_is_invalid(void **state)
{
    struct world *w = world(state);
    const struct client c = subscribed(w);
    const struct reply r = ASK(w, .type = "NotificationWait", .context = c.last.context, .body = BLOB_OF("xx", 2));
    assert_int_equal(r.code, 12);
}

/* ---- many clients at once ---- */

enum { CLIENTS = 4, EVENTS = 40 };

static struct many {
    struct world *w;
    struct http_recorder *_Atomic recorder; /* of the wait */
    sem_t over, ready;
    unsigned created;
} many[CLIENTS];
static struct http_transport telling_transport;

static void write_and_tell(struct http_answer *answer, struct blob head, struct blob body, enum http_after after)
{
    plain_transport->write(answer, head, body, after);
    for (unsigned i = 0; after != HTTP_GOES_ON && i < CLIENTS; i++)
        if (many[i].recorder == (struct http_recorder *)answer)
            sem_post(&many[i].over);
}

static void wait_in_thread(struct many *me, struct world *w, const struct client *c)
{
    struct http_recorder *recorder = http_recorder_new(w->f->arena);
    me->recorder = recorder;
    recorder->answer.transport = &telling_transport;
    http_recorder_run(recorder, mapihttp_emsmdb,
                      request_of(w, &(struct ask){ .type = "NotificationWait",
                                                   .context = c->last.context,
                                                   .body = BODY(w, NotificationWaitRequest, .Flags = 0) }));
    sem_wait(&me->over);
    pthread_mutex_lock(&recorder->answer.lock); /* until the one who told it has left it */
    pthread_mutex_unlock(&recorder->answer.lock);
    if (woken(w, recorder).EventPending != 1)
        abort();
}

static unsigned created_in(struct world *w, const struct reply *r)
{
    const struct RopBuffer buffer = rops_of(w, r);
    struct wire_in in = wire_in(w->f->arena, buffer.RopsList);
    unsigned count = 0;
    while (wire_left(&in) && *in.at == 0x2A) {
        struct RopNotify n = { 0 };
        wire_get_uint(&in, 1);
        assert_true(wire_get(&in, &RopNotify_wire, &n));
        count += (n.NotificationData.NotificationFlags & 0x8FFF) == (STORE_CREATED | 0x8000);
    }
    return count;
}

/* As Outlook does: waits, fetches, looks at something, and again; now and then a PING. */
static void *watch_the_mailbox(void *arg)
{
    struct many *me = arg;
    struct rop_fixture f = *me->w->f;
    struct world w = *me->w;
    f.arena = talloc_new(NULL);
    w.f = &f;
    struct client c = subscribed(&w);
    sem_post(&me->ready);
    while (me->created < EVENTS) {
        wait_in_thread(me, &w, &c);
        c.last = execute(&w, &c.last, execute_body(&w, NULL, NULL, c.logon));
        me->created += created_in(&w, &c.last);
        if (ASK(&w, .type = "PING", .context = c.last.context).code != 0)
            abort();
    }
    if (ASK(&w, .type = "Disconnect", .context = c.last.context, .sequence = c.last.sequence,
            .body = BODY(&w, DisconnectRequest, .AuxiliaryBufferSize = 0))
            .code != 0)
        abort();
    talloc_free(f.arena);
    return NULL;
}

static void many_clients_hear_of_every_message(void **state)
{
    struct world *w = world_with(state, (struct mapihttp_config){ .slow_ms = 1 });
    struct http_recorder *model = http_recorder_new(w->f->arena);
    pthread_t threads[CLIENTS];
    plain_transport = model->answer.transport;
    telling_transport = *plain_transport;
    telling_transport.write = write_and_tell;
    for (unsigned i = 0; i < CLIENTS; i++) {
        many[i] = (struct many){ .w = w };
        sem_init(&many[i].over, 0, 0);
        sem_init(&many[i].ready, 0, 0);
        pthread_create(&threads[i], NULL, watch_the_mailbox, &many[i]);
        sem_wait(&many[i].ready);
    }
    for (unsigned i = 0; i < EVENTS; i++)
        rop_message(w->f, STORE_FID(SPECIAL_INBOX), "news");
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(many[i].created, EVENTS);
    }
    assert_int_equal(mapihttp_contexts(w->m), 0);
}

/* ---- the address book endpoint ---- */

static void the_address_book_has_contexts_of_its_own(void **state)
{
    struct world *w = world(state);
    const struct reply bind =
        ASK_NSPI(w, .type = "Bind",
                 .body = BODY_NSPI(w, BindRequest, .Flags = 0, .HasState = true, .State = { .CodePage = 1252 }));
    struct BindResponse b = { 0 };
    decode(w, &bind, &BindResponse_wire, &b); /* R1441, R1446 */
    assert_int_equal(b.ErrorCode, ecNone);
    assert_false(guid_is_zero(b.ServerGuid));
    assert_non_null(strstr(bind.head, "; path=/mapi/nspi;"));
    const struct reply unbind = ASK_NSPI(w, .type = "Unbind", .context = bind.context, .sequence = bind.sequence,
                                         .body = BODY_NSPI(w, UnbindRequest, .Reserved = 0));
    struct UnbindResponse u = { 0 };
    decode(w, &unbind, &UnbindResponse_wire, &u); /* R1438 */
    assert_int_equal(u.ErrorCode, 1);
    assert_int_equal(ASK_NSPI(w, .type = "Unbind", .context = bind.context, .sequence = unbind.sequence,
                              .body = BODY_NSPI(w, UnbindRequest, .Reserved = 0))
                         .code,
                     10);
    assert_int_equal(ASK_NSPI(w, .type = "Execute").code, 5);
    assert_int_equal(ASK_NSPI(w, .type = "NotificationWait").code, 5);
    assert_int_equal(ASK_NSPI(w, .type = "QueryRows").code, 13);
}

/* A few kilobytes ask for a hundred rows of a thousand columns, each of which stands for all addresses of a person. */
static void an_answer_without_end_is_an_error_and_the_context_stays(void **state)
{
    struct world *w = world(state);
    const struct reply bind = ASK_NSPI(w, .type = "Bind", .body = BODY_NSPI(w, BindRequest, .Flags = 0));
    uint32_t ids[100], tags[1000];
    for (unsigned i = 0; i < COUNTOF(ids); i++)
        ids[i] = w->f->alice->minimal_id;
    for (unsigned i = 0; i < COUNTOF(tags); i++)
        tags[i] = PidTagAddressBookProxyAddresses;
    const struct QueryRowsRequest request = {
        .HasState = true,
        .State = { .CodePage = 1252 },
        .ExplicitTableCount = COUNTOF(ids),
        .ExplicitTable = ids,
        .RowCount = COUNTOF(ids),
        .HasColumns = true,
        .Columns = { COUNTOF(tags), tags },
    };
    const struct blob body = encode(w, &QueryRowsRequest_wire, &request, WIRE_NSPI);
    const struct reply asked =
        ASK_NSPI(w, .type = "QueryRows", .context = bind.context, .sequence = bind.sequence, .body = body);
    assert_int_equal(asked.code, 17);
    assert_int_equal(ASK_NSPI(w, .type = "Unbind", .context = bind.context, .sequence = asked.sequence,
                              .body = BODY_NSPI(w, UnbindRequest, .Reserved = 0))
                         .code,
                     0);
}

static void a_bind_that_fails_begins_nothing(void **state)
{
    struct world *w = world(state);
    const struct reply bind =
        ASK_NSPI(w, .type = "Bind", .body = BODY_NSPI(w, BindRequest, .HasState = true, .State = { .CodePage = 1200 }));
    struct BindResponse b = { 0 };
    decode(w, &bind, &BindResponse_wire, &b);
    assert_int_equal(b.ErrorCode, (uint32_t)ecInvalidCodepage);
    assert_null(bind.context);
    assert_int_equal(mapihttp_contexts(w->m), 0);
}

static const struct STAT at_the_beginning = { .CodePage = 1252 };
#define FROM_THE_BEGINNING .HasState = true, .State = at_the_beginning

static void every_function_of_the_address_book_is_reached_by_its_name(void **state)
{
    struct world *w = world(state);
    const struct {
        const char *type;
        enum ec expected;
        struct blob body;
        const struct wire_struct *response;
    } functions[] = {
        { "UpdateStat", ecNone, BODY_NSPI(w, UpdateStatRequest, FROM_THE_BEGINNING, .DeltaRequested = true),
          &UpdateStatResponse_wire },
        { "SeekEntries", ecNone,
          BODY_NSPI(w, SeekEntriesRequest, FROM_THE_BEGINNING, .HasTarget = true,
                    .Target = P_STR(PidTagDisplayName, "bob"), .HasColumns = true),
          &SeekEntriesResponse_wire },
        { "CompareMIds", ecNone,
          BODY_NSPI(w, CompareMinIdsRequest, FROM_THE_BEGINNING, .MinimalId1 = w->f->alice->minimal_id,
                    .MinimalId2 = w->f->bob->minimal_id),
          &CompareMinIdsResponse_wire },
        { "ResortRestriction", ecNone,
          BODY_NSPI(w, ResortRestrictionRequest, FROM_THE_BEGINNING, .HasMinimalIds = true),
          &ResortRestrictionResponse_wire },
        { "QueryColumns", ecNone, BODY_NSPI(w, QueryColumnsRequest, .MapiFlags = 0), &QueryColumnsResponse_wire },
        { "GetPropList", ecNone, BODY_NSPI(w, GetPropListRequest, .MinimalId = w->f->bob->minimal_id, .CodePage = 1252),
          &GetPropListResponse_wire },
        { "GetTemplateInfo", ecInvalidLocale, BODY_NSPI(w, GetTemplateInfoRequest, .CodePage = 1252, .LocaleId = 0x409),
          &GetTemplateInfoResponse_wire },
        { "ModProps", ecInvalidParam, BODY_NSPI(w, ModPropsRequest, FROM_THE_BEGINNING), &ModPropsResponse_wire },
        { "ModLinkAtt", ecNotFound, BODY_NSPI(w, ModLinkAttRequest, .PropertyTag = 0), &ModLinkAttResponse_wire },
    };
    struct reply last = ASK_NSPI(w, .type = "Bind", .body = BODY_NSPI(w, BindRequest, FROM_THE_BEGINNING));
    const char *context = last.context;
    for (size_t i = 0; i < COUNTOF(functions); i++) {
        const size_t size = functions[i].body.size;
        const struct reply cut = ASK_NSPI(w, .type = functions[i].type, .context = context, .sequence = last.sequence,
                                          .body = BLOB_OF(functions[i].body.data, size - 5));
        assert_int_equal(cut.code, 12);
        last = ASK_NSPI(w, .type = functions[i].type, .context = context, .sequence = cut.sequence,
                        .body = functions[i].body);
        struct UnbindResponse *r = talloc_zero_size(w->f->arena, functions[i].response->size);
        struct wire_in in = wire_in(w->f->arena, last.body);
        in.flavour = WIRE_NSPI;
        assert_int_equal(last.code, 0);
        assert_true(wire_get(&in, functions[i].response, r)); /* every response begins with the same two numbers */
        assert_int_equal(wire_left(&in), 0);
        assert_int_equal(r->StatusCode, 0);
        assert_int_equal(r->ErrorCode, (uint32_t)functions[i].expected);
    }
}

/* A context of the address book that goes on from answer to answer. */
struct book {
    struct world *w;
    const char *context;
    struct reply last;
};

static struct book opened_book(struct world *w)
{
    struct book b = { .w = w,
                      .last = ASK_NSPI(w, .type = "Bind", .body = BODY_NSPI(w, BindRequest, FROM_THE_BEGINNING)) };
    b.context = b.last.context;
    return b;
}

static struct blob answer_of(struct book *b, const char *type, struct blob body)
{
    b->last = ASK_NSPI(b->w, .type = type, .context = b->context, .sequence = b->last.sequence, .body = body);
    assert_int_equal(b->last.code, 0);
    return b->last.body;
}

static void flags_without_a_meaning_change_no_answer(void **state)
{
    struct world *w = world(state);
    struct book b = opened_book(w);
    static const uint32_t flags[][2] = { { 0, 0xFFFFFF8A }, { 0, 0xFFFFFFFE }, { 4, 0xFFFFFFFD } };
    struct blob got[COUNTOF(flags)][2];
    for (unsigned i = 0; i < 2; i++) {
        got[0][i] =
            answer_of(&b, "GetTemplateInfo",
                      BODY_NSPI(w, GetTemplateInfoRequest, .Flags = flags[0][i], .CodePage = 1252, .LocaleId = 0x409));
        got[1][i] = answer_of(&b, "GetPropList",
                              BODY_NSPI(w, GetPropListRequest, .Flags = flags[1][i], .MinimalId = w->f->bob->minimal_id,
                                        .CodePage = 1252));
        got[2][i] = answer_of(&b, "GetSpecialTable",
                              BODY_NSPI(w, GetSpecialTableRequest, .Flags = flags[2][i], FROM_THE_BEGINNING));
    }
    assert_true(blob_equal(got[0][0], got[0][1])); /* R1324 */
    assert_true(blob_equal(got[1][0], got[1][1])); /* R1321 */
    assert_true(blob_equal(got[2][0], got[2][1])); /* R1322 */
}

static void a_value_of_several_begins_with_whether_it_is_there(void **state)
{
    struct world *w = world(state);
    struct book b = opened_book(w);
    uint32_t tags[] = { PidTagAddressBookProxyAddresses };
    const struct STAT bob = { .CurrentRec = w->f->bob->minimal_id, .CodePage = 1252 };
    const struct blob got = answer_of(&b, "GetProps",
                                      BODY_NSPI(w, GetPropsRequest, .HasState = true, .State = bob,
                                                .HasPropertyTags = true, .PropertyTags = { 1, tags }));
    const uint8_t *value = got.data + 4 + 4 + 4 + 1 + 4; /* behind the codes, the code page and the count */
    assert_true(le32(value) == (uint32_t)PidTagAddressBookProxyAddresses);
    assert_int_equal(value[4], 0xFF);                          /* R2257 */
    assert_int_equal(le32(value + 5), w->f->bob->proxy_count); /* R2006: and the value follows */
    static const int32_t numbers[] = { 7, 8 };
    const struct prop several = { .tag = PROP_AS(PidTagImportance, PtypMultiple | PtypInteger32),
                                  .mv = { 2, .i32 = numbers } };
    const struct blob list =
        BODY_NSPI(w, AddressBookPropertyValueList, .PropertyValueCount = 1, .PropertyValues = &several);
    assert_int_equal(list.size, 4 + 4 + 1 + 4 + 2 * 4);
    assert_int_equal(list.data[8], 0xFF); /* R2004 */
    assert_int_equal(le32(list.data + 9), 2);
}

static void a_seek_brings_rows_and_an_update_says_how_far_it_went(void **state)
{
    struct world *w = world(state);
    struct book b = opened_book(w);
    uint32_t tags[] = { PidTagDisplayName };
    struct SeekEntriesResponse sought = { 0 };
    struct UpdateStatResponse updated = { 0 };
    answer_of(&b, "SeekEntries",
              BODY_NSPI(w, SeekEntriesRequest, FROM_THE_BEGINNING, .HasTarget = true,
                        .Target = P_STR(PidTagDisplayName, "alice"), .HasExplicitTable = true, .ExplicitTableCount = 2,
                        .ExplicitTable = (uint32_t[]){ w->f->alice->minimal_id, w->f->bob->minimal_id },
                        .HasColumns = true, .Columns = { 1, tags }));
    struct wire_in in = wire_in(w->f->arena, b.last.body);
    in.flavour = WIRE_NSPI;
    assert_true(wire_get(&in, &SeekEntriesResponse_wire, &sought));
    assert_int_equal(sought.ErrorCode, ecNone);
    assert_int_equal(sought.RowCount, 2);
    assert_string_equal(sought.RowData[0].values[0].str, "Alice Example"); /* R1053 */
    assert_string_equal(sought.RowData[1].values[0].str, "Bob Example");
    for (int32_t delta = 0; delta < 2; delta++) {
        const struct STAT from = { .CodePage = 1252, .Delta = delta };
        answer_of(&b, "UpdateStat",
                  BODY_NSPI(w, UpdateStatRequest, .HasState = true, .State = from, .DeltaRequested = true));
        decode(w, &b.last, &UpdateStatResponse_wire, &updated);
        assert_true(updated.HasDelta);
        assert_int_equal(updated.Delta, delta); /* R1083 */
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(an_answer_carries_all_headers_and_its_meta_tags),
        ROP_TEST(a_cookie_is_secure_where_the_connection_is),
        ROP_TEST(what_is_wrong_with_a_request_is_told_by_its_code),
        ROP_TEST(names_of_types_are_compared_without_case),
        ROP_TEST(connect_tells_how_to_poll_and_who_the_user_is),
        ROP_TEST(who_cannot_connect_hears_it_in_the_error_code),
        ROP_TEST(the_policy_closes_the_door_to_new_contexts_and_leaves_the_open_ones),
        ROP_TEST(a_client_that_comes_back_gets_a_new_context_for_the_old_one),
        ROP_TEST(a_context_belongs_to_its_user_and_its_endpoint),
        ROP_TEST(the_sequence_cookie_moves_with_every_answer_of_the_sequence),
        ROP_TEST(an_answer_outside_the_sequence_may_be_read_after_one_inside),
        ROP_TEST(an_answer_outside_the_sequence_may_be_read_much_later_once),
        ROP_TEST(a_request_that_never_arrived_whole_can_be_sent_again),
        ROP_TEST(a_user_has_so_many_contexts_and_the_idle_ones_go_first),
        ROP_TEST(waits_do_not_keep_contexts_beyond_the_limit),
        ROP_TEST(an_idle_context_expires_with_its_session),
        ROP_TEST(disconnect_ends_the_context_and_who_waits_for_it),
        ROP_TEST(trouble_with_the_buffer_is_told_beside_it),
        ROP_TEST(a_body_with_a_size_of_2_GB_is_invalid),
        ROP_TEST(a_slow_request_is_told_that_it_is_being_processed_and_none_may_run_beside_it),
        ROP_TEST(ping_works_with_and_without_a_context_on_both_endpoints),
        ROP_TEST(a_wait_says_PROCESSING_at_once_and_PENDING_while_it_lasts),
        ROP_TEST(an_event_ends_the_wait_and_the_next_Execute_brings_it),
        ROP_TEST(an_event_that_came_before_the_wait_ends_it_at_once),
        ROP_TEST(a_second_wait_is_rejected_and_the_first_goes_on),
        ROP_TEST(a_client_that_leaves_makes_room_for_another_wait),
        ROP_TEST(a_server_that_stops_ends_the_waits),
        ROP_TEST(a_waiting_context_does_not_expire_and_is_fresh_afterwards),
        ROP_TEST(a_wait_without_a_body_is_invalid),
        ROP_TEST(many_clients_hear_of_every_message),
        ROP_TEST(the_address_book_has_contexts_of_its_own),
        ROP_TEST(an_answer_without_end_is_an_error_and_the_context_stays),
        ROP_TEST(a_bind_that_fails_begins_nothing),
        ROP_TEST(flags_without_a_meaning_change_no_answer),
        ROP_TEST(a_value_of_several_begins_with_whether_it_is_there),
        ROP_TEST(a_seek_brings_rows_and_an_update_says_how_far_it_went),
        ROP_TEST(every_function_of_the_address_book_is_reached_by_its_name),
    };
    FILE *quiet = fopen("/dev/null", "w");
    log_to(quiet, LOG_ERROR);
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
