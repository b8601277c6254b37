/* SPDX-License-Identifier: Apache-2.0 */
/* What clients should never send, and where the server cannot start: each gets the protocol's or the program's clear error,
 * is logged once, and leaves the server and every other session serving. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <dirent.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "server.h"
#include "wire/extended.h"

struct fixture {
    TALLOC_CTX *arena;
    struct server *server;
    struct client *alice, *bob;
};

static int set_up_server(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    *state = f;
    return 0;
}

static int tear_down_server(void **state)
{
    struct fixture *f = *state;
    const int status = server_stop(f->server);
    if (status)
        print_error("oxcartd ended with status %d\n%s", status, server_log(f->server, f));
    talloc_free(f);
    return status;
}

/* Bob only watches that he is still served. */
static int set_up(void **state)
{
    struct fixture *f = *state;
    f->arena = talloc_new(f);
    f->alice = server_logon(f->server, f->arena, "alice");
    f->bob = server_logon(f->server, f->arena, "bob");
    return 0;
}

#define SERVED(client) assert_int_equal(still_served(client), ecNone)
static enum ec still_served(struct client *c)
{
    uint64_t fid;
    return client_folder_find(c, "Inbox", &fid);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    SERVED(f->bob);
    client_disconnect(f->alice);
    client_disconnect(f->bob);
    TALLOC_FREE(f->arena);
    return 0;
}

/* ---- requests by hand ---- */

static struct blob body_of(TALLOC_CTX *arena, const struct wire_struct *form, const void *self)
{
    struct buf b;
    buf_init(&b, arena);
    struct wire_out out = wire_out(&b);
    wire_put(&out, form, self);
    return buf_blob(&b);
}

/* The header's X-ResponseCode, or -status when the answer is no answer of the protocol. */
static int say(struct fixture *f, struct client *c, const struct client_raw *raw)
{
    struct client_raw_answer answer;
    if (client_raw(c, f->arena, raw, &answer))
        fail_msg("%s", client_error(c)->text);
    const char *code = http_header(&answer.headers, "X-ResponseCode");
    size_t at = 0;
    for (const char *line; (line = http_header_next(&answer.headers, "Set-Cookie", &at));)
        if (strncmp(line, "MapiSequence=", 13) == 0)
            client_set_cookie(c, CLIENT_EMSMDB, "MapiSequence", talloc_strndup(f->arena, line + 13, strcspn(line + 13, ";")));
    return code ? atoi(code) : -(int)answer.status;
}

static int say_type(struct fixture *f, struct client *c, const char *type, struct blob body)
{
    return say(f, c, &(struct client_raw){ .headers = client_headers(c, f->arena, CLIENT_EMSMDB, type), .body = body });
}

/* The headers of a good PING, one of them replaced or (value NULL) left out. */
static const char **headers_but(struct fixture *f, struct client *c, const char *name, const char *value)
{
    const char **lines = client_headers(c, f->arena, CLIENT_EMSMDB, "PING");
    size_t n = 0;
    for (const char **l = lines; *l; l++)
        if (!text_is_prefix(*l, talloc_asprintf(f->arena, "%s:", name)))
            lines[n++] = *l;
        else if (value)
            lines[n++] = talloc_asprintf(f->arena, "%s: %s", name, value);
    lines[n] = NULL;
    return lines;
}

/* An Execute around a list of ROPs as it stands. */
static struct blob execute_body(TALLOC_CTX *arena, struct blob list, struct blob handles)
{
    struct buf payload, extended;
    buf_init(&payload, arena);
    buf_init(&extended, arena);
    put_le16(buf_grow(&payload, 2), (uint16_t)(list.size + 2));
    buf_add(&payload, list.data, list.size);
    buf_add(&payload, handles.data, handles.size);
    extended_put(&extended, buf_blob(&payload), EXTENDED_LAST);
    return body_of(arena, &ExecuteRequest_wire, &(struct ExecuteRequest){
        .Flags = 3, .RopBufferSize = (uint32_t)extended.size, .RopBuffer = buf_blob(&extended), .MaxRopOut = 0x10008 });
}

/* ErrorCode of an Execute around these bytes. */
static enum ec execute_bytes(struct fixture *f, struct client *c, struct blob body)
{
    struct ExecuteResponse response = { 0 };
    const struct client_raw raw = { .headers = client_headers(c, f->arena, CLIENT_EMSMDB, "Execute"), .body = body };
    struct client_raw_answer answer;
    assert_int_equal(client_raw(c, f->arena, &raw, &answer), ecNone);
    const uint8_t *end = memmem(answer.body.data, answer.body.size, "\r\n\r\n", 4);
    size_t at = 0;
    for (const char *line; (line = http_header_next(&answer.headers, "Set-Cookie", &at));)
        if (strncmp(line, "MapiSequence=", 13) == 0)
            client_set_cookie(c, CLIENT_EMSMDB, "MapiSequence", talloc_strndup(f->arena, line + 13, strcspn(line + 13, ";")));
    assert_string_equal(http_header(&answer.headers, "X-ResponseCode"), "0");
    assert_non_null(end);
    struct wire_in in = wire_in(f->arena, BLOB_OF(end + 4, answer.body.data + answer.body.size - end - 4));
    assert_true(wire_get(&in, &ExecuteResponse_wire, &response));
    return (enum ec)response.ErrorCode;
}

/* ---- who may ---- */

static void a_wrong_password_and_an_unknown_user_are_refused_alike(void **state)
{
    struct fixture *f = *state;
    for (unsigned i = 0; i < 2; i++) {
        struct client_options o = server_options(f->server, f->arena, i ? "nobody" : "alice");
        o.password = i ? SERVER_PASSWORD : "wrong";
        struct client *c = client_new(f->arena, &o);
        assert_int_equal(client_discover(c), ecLoginFailure);
        assert_int_equal(client_error(c)->number, 401);
        assert_non_null(strstr(client_error(c)->text, "Basic"));
    }
    SERVED(f->alice);
}

static void nobody_is_served_without_a_name(void **state)
{
    struct fixture *f = *state;
    const struct client_raw raw = { .headers = client_headers(f->alice, f->arena, CLIENT_EMSMDB, "PING"), .anonymous = true };
    assert_int_equal(say(f, f->alice, &raw), -401);
}

static void connecting_with_the_name_of_somebody_else_is_denied(void **state)
{
    struct fixture *f = *state;
    struct client_options o = server_options(f->server, f->arena, "alice");
    o.emsmdb_url = client_url(f->alice, CLIENT_EMSMDB);
    o.legacy_dn = client_discovery(f->bob)->legacy_dn;
    struct client *c = client_new(f->arena, &o);
    assert_int_equal(client_connect(c), ecAccessDenied);
    assert_int_equal(client_error(c)->level, CLIENT_ERROR_CODE);
    o.legacy_dn = "/o=Contoso/ou=nowhere/cn=nobody";
    c = client_new(f->arena, &o);
    assert_int_equal(client_connect(c), ecUnknownUser);              /* [MS-OXCRPC] 3.1.4.1 */
}

static void the_mailbox_of_somebody_else_stays_closed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(client_logon(f->alice, client_discovery(f->bob)->legacy_dn), ecAccessDenied);
    assert_int_equal(client_logon(f->alice, "/o=Contoso/cn=nobody"), ecUnknownUser);
    SERVED(f->alice);
}

/* ---- cookies and sequence: [MS-OXCMAPIHTTP] 2.2.3.3.3 ---- */

static void a_cookie_that_is_not_ours_is_refused_by_its_kind(void **state)
{
    struct fixture *f = *state;
    const char *good = talloc_strdup(f->arena, client_cookie(f->alice, CLIENT_EMSMDB, "MapiContext"));
    const struct blob body = execute_body(f->arena, BLOB_OF("", 0), BLOB_OF("", 0));
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiContext", "not a cookie of ours");
    assert_int_equal(say_type(f, f->alice, "Execute", body), 6);     /* Invalid Context Cookie */
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiContext", "0123456789abcdef0123456789abcdef");
    assert_int_equal(say_type(f, f->alice, "Execute", body), 10);    /* Context Not Found */
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiContext", NULL);
    assert_int_equal(say_type(f, f->alice, "Execute", body), 13);    /* Missing Cookie */
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiContext", good);
    SERVED(f->alice);
}

static void the_cookie_of_somebody_else_finds_no_context(void **state)
{
    struct fixture *f = *state;
    struct client *thief = server_client(f->server, f->arena, "bob");
    assert_int_equal(client_discover(thief), ecNone);
    client_set_cookie(thief, CLIENT_EMSMDB, "MapiContext", client_cookie(f->alice, CLIENT_EMSMDB, "MapiContext"));
    client_set_cookie(thief, CLIENT_EMSMDB, "MapiSequence", client_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence"));
    assert_int_equal(say_type(f, thief, "Execute", execute_body(f->arena, BLOB_OF("", 0), BLOB_OF("", 0))), 10);
    SERVED(f->alice);
}

static void after_Disconnect_the_cookie_is_worth_nothing(void **state)
{
    struct fixture *f = *state;
    const char *context = talloc_strdup(f->arena, client_cookie(f->alice, CLIENT_EMSMDB, "MapiContext"));
    const char *sequence = talloc_strdup(f->arena, client_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence"));
    assert_int_equal(client_disconnect(f->alice), ecNone);
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiContext", context);
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence", sequence);
    assert_int_equal(say_type(f, f->alice, "Execute", execute_body(f->arena, BLOB_OF("", 0), BLOB_OF("", 0))), 10);
}

/* [MS-OXCMAPIHTTP] 3.2.5.6: a client that comes back with old cookies gets a new context at once */
static void connecting_with_dead_cookies_begins_anew(void **state)
{
    struct fixture *f = *state;
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiContext", "0123456789abcdef0123456789abcdef");
    assert_int_equal(client_connect(f->alice), ecNone);
    assert_int_equal(client_logon(f->alice, NULL), ecNone);
    SERVED(f->alice);
}

static void an_old_sequence_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct blob body = execute_body(f->arena, BLOB_OF("", 0), BLOB_OF("", 0));
    const char *now = talloc_strdup(f->arena, client_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence"));
    assert_int_equal(say_type(f, f->alice, "Execute", body), 0);
    const char *next = talloc_strdup(f->arena, client_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence"));
    assert_string_not_equal(now, next);
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence", now);
    assert_int_equal(say_type(f, f->alice, "Execute", body), 15);    /* Invalid Sequence */
    client_set_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence", next);
    SERVED(f->alice);
}

struct twin {
    struct fixture *f;
    struct client *client;
    TALLOC_CTX *arena;
    int code;
};

static void *execute_in_thread(void *arg)
{
    struct twin *t = arg;
    struct client_raw_answer answer;
    const struct client_raw raw = { .headers = client_headers(t->client, t->arena, CLIENT_EMSMDB, "Execute"),
                                    .body = execute_body(t->arena, BLOB_OF("", 0), BLOB_OF("", 0)) };
    const char *code = client_raw(t->client, t->arena, &raw, &answer) ? NULL : http_header(&answer.headers, "X-ResponseCode");
    t->code = code ? atoi(code) : -1;
    return NULL;
}

/* The same sequence twice: one of them runs, the other one is out of sequence, whichever comes first. */
static void of_two_Executes_at_once_one_is_refused(void **state)
{
    struct fixture *f = *state;
    struct twin twins[2];
    pthread_t threads[2];
    for (size_t i = 0; i < 2; i++) {
        twins[i] = (struct twin){ .f = f, .arena = talloc_new(NULL) };
        twins[i].client = server_client(f->server, twins[i].arena, "alice");
        assert_int_equal(client_discover(twins[i].client), ecNone);
        client_set_cookie(twins[i].client, CLIENT_EMSMDB, "MapiContext", client_cookie(f->alice, CLIENT_EMSMDB, "MapiContext"));
        client_set_cookie(twins[i].client, CLIENT_EMSMDB, "MapiSequence", client_cookie(f->alice, CLIENT_EMSMDB, "MapiSequence"));
    }
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, execute_in_thread, &twins[i]), 0);
    for (size_t i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(twins[0].code + twins[1].code, 15);
    assert_int_equal(MIN(twins[0].code, twins[1].code), 0);
    talloc_free(twins[0].arena);
    talloc_free(twins[1].arena);
}

/* [MS-OXCNOTIF] 3.1.5.3 */
static void a_second_wait_of_a_session_is_rejected(void **state)
{
    struct fixture *f = *state;
    uint32_t subscription;
    bool event;
    assert_int_equal(client_subscribe(f->alice, CLIENT_NEW_MAIL, 0, &subscription), ecNone);
    assert_int_equal(client_wait_begin(f->alice), ecNone);
    struct client *twin = server_client(f->server, f->arena, "alice");
    assert_int_equal(client_discover(twin), ecNone);
    client_set_cookie(twin, CLIENT_EMSMDB, "MapiContext", client_cookie(f->alice, CLIENT_EMSMDB, "MapiContext"));
    assert_int_equal(client_wait(twin, 60000, &event), ecRejected);
    assert_int_equal(client_wait(f->alice, 0, &event), ecNone);      /* the first one goes on waiting */
    assert_false(event);
    SERVED(f->alice);
}

/* ---- headers ---- */

static void each_wrong_header_has_its_code(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    assert_int_equal(say(f, c, &(struct client_raw){ .method = "GET", .headers = headers_but(f, c, "None", NULL) }), 2);
    assert_int_equal(say(f, c, &(struct client_raw){ .method = "PUT", .headers = headers_but(f, c, "None", NULL) }), 2);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "X-RequestType", NULL) }), 7);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "X-RequestId", NULL) }), 7);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "X-ClientInfo", NULL) }), 7);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "X-RequestId", "no number") }), 4);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "X-RequestType", "Bind") }), 5);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "X-RequestType", "Dance") }), 5);
    assert_int_equal(say(f, c, &(struct client_raw){ .headers = headers_but(f, c, "Content-Type", "text/plain"), .body = BLOB_OF("x", 1) }), 4);
    SERVED(c);
}

static void what_the_client_says_of_itself_comes_back(void **state)
{
    struct fixture *f = *state;
    struct client_raw_answer answer;
    const struct client_raw raw = { .headers = headers_but(f, f->alice, "X-ClientInfo", "{odd}:77") };
    assert_int_equal(client_raw(f->alice, f->arena, &raw, &answer), ecNone);
    assert_string_equal(http_header(&answer.headers, "X-ClientInfo"), "{odd}:77");
    assert_string_equal(http_header(&answer.headers, "X-RequestType"), "PING");
    assert_non_null(http_header(&answer.headers, "X-ServerApplication"));
    assert_non_null(http_header(&answer.headers, "X-ExpirationInfo"));
    assert_non_null(http_header(&answer.headers, "X-PendingPeriod"));
}

/* ---- bodies ---- */

static void a_body_that_is_cut_anywhere_is_refused(void **state)
{
    struct fixture *f = *state;
    const struct blob connect = body_of(f->arena, &ConnectRequest_wire, &(struct ConnectRequest){
        .UserDn = client_discovery(f->alice)->legacy_dn, .DefaultCodePage = 1252, .LcidSort = 0x409, .LcidString = 0x409 });
    struct client *c = server_client(f->server, f->arena, "alice");
    assert_int_equal(client_discover(c), ecNone);
    for (size_t n = 0; n < connect.size; n++)
        assert_int_equal(say_type(f, c, "Connect", BLOB_OF(connect.data, n)), 12);       /* Invalid Request Body */
    const struct blob execute = execute_body(f->arena, BLOB_OF("", 0), BLOB_OF("", 0));
    for (size_t n = 0; n < execute.size; n++)
        assert_int_equal(say_type(f, f->alice, "Execute", BLOB_OF(execute.data, n)), 12);
    SERVED(f->alice);
}

static void a_length_of_two_gigabytes_is_refused_and_costs_nothing(void **state)
{
    struct fixture *f = *state;
    uint8_t *body = talloc_zero_size(f->arena, 64);
    put_le32(body + 4, 0x7FFFFFFF);
    assert_int_equal(say_type(f, f->alice, "Execute", BLOB_OF(body, 64)), 12);
    put_le32(body + 4, 0xFFFFFFFF);
    assert_int_equal(say_type(f, f->alice, "Execute", BLOB_OF(body, 64)), 12);
    SERVED(f->alice);
}

static void a_body_that_is_too_large_is_refused(void **state)
{
    struct fixture *f = *state;
    uint8_t *body = talloc_zero_size(f->arena, 8 << 20);
    assert_int_equal(say_type(f, f->alice, "Execute", BLOB_OF(body, 8 << 20)), 9);       /* Too Large */
    SERVED(f->alice);
}

static void a_rop_buffer_that_cannot_be_read_fails_as_a_whole(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *what;
        const uint8_t bytes[16];
        size_t size;
    } lists[] = {
        { "reserved RopId", { 0x28, 0x00, 0x00 }, 3 },
        { "cut behind the RopId", { 0x02 }, 1 },
        { "RopOpenFolder without its fields", { 0x02, 0x00, 0x00, 0x01, 0x00 }, 5 },
        { "RopWriteStream longer than the list", { 0x2D, 0x00, 0x00, 0xFF, 0xFF, 0x01 }, 6 },
        { "RopSetProperties of 65,535 values", { 0x0A, 0x00, 0x00, 0x04, 0x00, 0xFF, 0xFF, 0x00, 0x00 }, 9 },
    };
    uint8_t handle[4];
    put_le32(handle, client_logon_handle(f->alice));
    for (size_t i = 0; i < COUNTOF(lists); i++) {
        const enum ec ec = execute_bytes(f, f->alice, execute_body(f->arena, BLOB_OF(lists[i].bytes, lists[i].size), BLOB_OF(handle, 4)));
        if (ec != ecRpcFormat)                                       /* [MS-OXCROPS] 3.2.5.1 */
            fail_msg("%s: %s", lists[i].what, ec_name(ec));
        SERVED(f->alice);
    }
}

/* RPC_HEADER_EXT with lengths that lie: [MS-OXCRPC] 2.2.2.1 */
static void extended_buffers_whose_lengths_lie_are_refused(void **state)
{
    struct fixture *f = *state;
    static const uint8_t heads[][8] = {
        { 0, 0, 4, 0, 0xFF, 0xFF, 0xFF, 0xFF }, { 0, 0, 5, 0, 2, 0, 0xFF, 0xFF }, { 0, 0, 0, 0, 2, 0, 2, 0 },
        { 9, 9, 4, 0, 2, 0, 2, 0 }, { 0, 0, 4, 0, 2, 0, 3, 0 }, { 0, 0, 4, 0, 0, 0, 0, 0 },
    };
    for (size_t i = 0; i < COUNTOF(heads); i++) {
        uint8_t bytes[10] = { 0 };
        memcpy(bytes, heads[i], 8);
        bytes[8] = 2;
        const struct blob body = body_of(f->arena, &ExecuteRequest_wire, &(struct ExecuteRequest){
            .Flags = 3, .RopBufferSize = sizeof bytes, .RopBuffer = BLOB_OF(bytes, sizeof bytes), .MaxRopOut = 0x10008 });
        assert_int_not_equal(execute_bytes(f, f->alice, body), ecNone);
        SERVED(f->alice);
    }
}

static void noise_in_the_place_of_rops_never_hurts(void **state)
{
    struct fixture *f = *state;
    uint8_t handle[4], noise[200];
    uint32_t seed = 12345;
    put_le32(handle, client_logon_handle(f->alice));
    for (unsigned round = 0; round < 300; round++) {
        const size_t size = 1 + round % sizeof noise;
        for (size_t i = 0; i < size; i++)
            noise[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
        noise[0] = noise[0] == 0xFE ? 0x02 : noise[0];               /* a RopLogon would end the session's own */
        execute_bytes(f, f->alice, execute_body(f->arena, BLOB_OF(noise, size), BLOB_OF(handle, 4)));
    }
    SERVED(f->bob);
    assert_int_equal(client_connect(f->alice), ecNone);
}

/* ---- ROPs ---- */

static enum ec ask_for(struct fixture *f, uint32_t handle, uint32_t tag, struct prop *value)
{
    struct RopGetPropertiesSpecificResponse row = { 0 };
    const struct RopGetPropertiesSpecificRequest get = { 0, 1, 1, &tag };
    const enum ec ec = client_call(f->alice, f->arena, RopGetPropertiesSpecific, handle, &get, &row, NULL);
    if (!ec)
        *value = row.RowData.values[0];
    return ec;
}

static void a_handle_that_is_stale_or_was_never_there_is_an_error_of_its_rop(void **state)
{
    struct fixture *f = *state;
    struct prop v;
    uint32_t handle;
    assert_int_equal(client_folder_open(f->alice, client_logon_response(f->alice)->FolderIds.Inbox, &handle), ecNone);
    client_release(f->alice, handle);
    assert_int_not_equal(ask_for(f, handle, PidTagDisplayName, &v), ecNone);
    assert_int_equal(client_error(f->alice)->level, CLIENT_ROP);
    assert_int_not_equal(ask_for(f, 0x7FFFFFF0, PidTagDisplayName, &v), ecNone);
    assert_int_equal(ask_for(f, NO_HANDLE, PidTagDisplayName, &v), ecNullObject);
    SERVED(f->alice);
}

/* A ROP on an object that does not have it. */
static void a_rop_on_the_wrong_kind_of_object_is_not_supported(void **state)
{
    struct fixture *f = *state;
    const uint32_t logon = client_logon_handle(f->alice);
    assert_int_equal(client_call(f->alice, f->arena, RopQueryPosition, logon, NULL, NULL, NULL), ecNotSupported);
    assert_int_equal(client_call(f->alice, f->arena, RopSubmitMessage, logon, NULL, NULL, NULL), ecNotSupported);
    SERVED(f->alice);
}

static void the_rest_of_a_list_goes_on_after_a_rop_that_failed(void **state)
{
    struct fixture *f = *state;
    const struct RopOpenFolderRequest nowhere = { 0x0123456789ABCDEFull, 0 };
    const struct RopOpenFolderRequest inbox = { client_logon_response(f->alice)->FolderIds.Inbox, 0 };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(f->alice), .request = &nowhere },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(0) },
        { .id = RopOpenFolder, .handle = client_logon_handle(f->alice), .request = &inbox },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(2) },
    };
    assert_int_equal(client_execute(f->alice, f->arena, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(rops[0].code, ecNotFound);
    assert_int_equal(rops[1].code, ecNullObject);
    assert_int_equal(rops[2].code, ecNone);
    assert_int_equal(rops[3].code, ecNone);
}

static void properties_that_do_not_exist_are_errors_of_their_own(void **state)
{
    struct fixture *f = *state;
    uint32_t handle;
    struct prop v = { 0 };
    assert_int_equal(client_folder_open(f->alice, client_logon_response(f->alice)->FolderIds.Inbox, &handle), ecNone);
    assert_int_equal(ask_for(f, handle, PROP_TAG(PtypString, 0x7FFE), &v), ecNone);
    assert_int_equal(PROP_TYPE(v.tag), PtypErrorCode);
    assert_int_equal((int)v.u32, ecNotFound);
    ask_for(f, handle, PROP_TAG(0x9999, 0x7FFE), &v);
    ask_for(f, handle, PROP_TAG(PtypString, 0xFFFE), &v);            /* a named property that nobody has named */
    assert_int_not_equal(client_set(f->alice, handle, &P_I32(PidTagContentCount, 5), 1), ecNone);
    SERVED(f->alice);
}

/* ---- the log ---- */

static unsigned occurrences(const char *text, const char *what)
{
    unsigned n = 0;
    while ((text = strstr(text, what))) {
        n++;
        text += strlen(what);
    }
    return n;
}

static void what_is_refused_is_logged_once_and_without_secrets(void **state)
{
    struct fixture *f = *state;
    const unsigned before = occurrences(server_log(f->server, f->arena), "X-ResponseCode 5");
    assert_int_equal(say(f, f->alice, &(struct client_raw){ .headers = headers_but(f, f->alice, "X-RequestType", "Dance") }), 5);
    const char *log = server_log(f->server, f->arena);
    assert_int_equal(occurrences(log, "X-ResponseCode 5") - before, 1);
    assert_null(strstr(log, SERVER_PASSWORD));
    assert_null(strstr(log, client_cookie(f->alice, CLIENT_EMSMDB, "MapiContext")));
}

/* ---- where it cannot start ---- */

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void a_port_in_use_is_named(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/oxcart-test-XXXXXX";
    int status;
    assert_non_null(mkdtemp(dir));
    const char *port = talloc_asprintf(f->arena, "127.0.0.1:%u", server_https_port(f->server));
    const char *const arguments[] = { "--data", dir, "--https", port, "--hostname", "mail.contoso.com", NULL };
    const char *said = server_refuses(f->arena, arguments, &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, port));
    server_remove(dir);
}

static void a_second_server_on_the_same_folder_is_refused(void **state)
{
    struct fixture *f = *state;
    int status;
    const char *const arguments[] = { "--data", server_dir(f->server), "--https", "127.0.0.1:0", NULL };
    const char *said = server_refuses(f->arena, arguments, &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, server_dir(f->server)));
}

static void a_folder_that_is_a_file_is_named(void **state)
{
    struct fixture *f = *state;
    int status;
    const char *path = talloc_asprintf(f->arena, "%s/log", server_dir(f->server));
    const char *const arguments[] = { "--data", path, "--https", "127.0.0.1:0", NULL };
    const char *said = server_refuses(f->arena, arguments, &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, path));
}

static void a_database_that_is_none_is_named(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/oxcart-test-XXXXXX";
    int status;
    assert_non_null(mkdtemp(dir));
    write_file(talloc_asprintf(f->arena, "%s/org.db", dir), "this is not a database, it is a sentence that is long enough\n");
    const char *const arguments[] = { "--data", dir, "--https", "127.0.0.1:0", "--hostname", "mail.contoso.com", NULL };
    const char *said = server_refuses(f->arena, arguments, &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, "org.db"));
    server_remove(dir);
}

static void a_certificate_that_is_none_is_named(void **state)
{
    struct fixture *f = *state;
    char dir[] = "/tmp/oxcart-test-XXXXXX";
    int status;
    assert_non_null(mkdtemp(dir));
    write_file(talloc_asprintf(f->arena, "%s/certificate.pem", dir), "-----BEGIN NONSENSE-----\n");
    write_file(talloc_asprintf(f->arena, "%s/key.pem", dir), "no key\n");
    const char *const arguments[] = { "--data", dir, "--https", "127.0.0.1:0", "--hostname", "mail.contoso.com", NULL };
    const char *said = server_refuses(f->arena, arguments, &status);
    assert_int_equal(status, 1);
    assert_non_null(strstr(said, "certificate.pem"));
    server_remove(dir);
}

/* ---- a mailbox that is broken ---- */

static const char *mailbox_file(struct fixture *f, const char *dir, const char *guid)
{
    const char *found = NULL;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        const char *path = talloc_asprintf(f->arena, "%s/%s", dir, e->d_name);
        if (e->d_type == DT_DIR && e->d_name[0] != '.')
            found = mailbox_file(f, path, guid);
        else if (text_is_prefix(e->d_name, guid) && strcmp(e->d_name + strlen(guid), ".db") == 0)
            found = path;
    }
    if (d)
        closedir(d);
    return found;
}

static void a_corrupt_mailbox_hurts_nobody_else(void **state)
{
    struct fixture *f = *state;
    char guid[GUID_TEXT_SIZE];
    server_cmdlet(f->server, f->arena, NULL, "New-Mailbox carol -PrimarySmtpAddress carol@contoso.com -Password '" SERVER_PASSWORD "'"
                  " -Database DB01");                                /* where a mailbox has a file of its own */
    struct client *carol = server_logon(f->server, f->arena, "carol");
    guid_text(client_logon_response(carol)->MailboxGuid, guid);
    client_disconnect(carol);
    client_disconnect(f->alice);
    client_disconnect(f->bob);
    assert_int_equal(server_stop(f->server), 0);
    const char *path = mailbox_file(f, server_dir(f->server), guid);
    assert_non_null(path);
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    for (unsigned i = 0; i < 64 * 1024; i++)
        fputc('x', file);
    fclose(file);
    server_run_again(f->server);
    f->alice = server_logon(f->server, f->arena, "alice");
    f->bob = server_logon(f->server, f->arena, "bob");
    carol = server_client(f->server, f->arena, "carol");
    assert_int_equal(client_connect(carol), ecNone);
    assert_int_equal(client_logon(carol, NULL), ecCorruptStore);
    SERVED(f->alice);
    assert_non_null(strstr(server_log(f->server, f->arena), guid));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_wrong_password_and_an_unknown_user_are_refused_alike),
        TEST(nobody_is_served_without_a_name),
        TEST(connecting_with_the_name_of_somebody_else_is_denied),
        TEST(the_mailbox_of_somebody_else_stays_closed),
        TEST(a_cookie_that_is_not_ours_is_refused_by_its_kind),
        TEST(the_cookie_of_somebody_else_finds_no_context),
        TEST(after_Disconnect_the_cookie_is_worth_nothing),
        TEST(connecting_with_dead_cookies_begins_anew),
        TEST(an_old_sequence_is_refused),
        TEST(of_two_Executes_at_once_one_is_refused),
        TEST(a_second_wait_of_a_session_is_rejected),
        TEST(each_wrong_header_has_its_code),
        TEST(what_the_client_says_of_itself_comes_back),
        TEST(a_body_that_is_cut_anywhere_is_refused),
        TEST(a_length_of_two_gigabytes_is_refused_and_costs_nothing),
        TEST(a_body_that_is_too_large_is_refused),
        TEST(a_rop_buffer_that_cannot_be_read_fails_as_a_whole),
        TEST(extended_buffers_whose_lengths_lie_are_refused),
        TEST(noise_in_the_place_of_rops_never_hurts),
        TEST(a_handle_that_is_stale_or_was_never_there_is_an_error_of_its_rop),
        TEST(a_rop_on_the_wrong_kind_of_object_is_not_supported),
        TEST(the_rest_of_a_list_goes_on_after_a_rop_that_failed),
        TEST(properties_that_do_not_exist_are_errors_of_their_own),
        TEST(what_is_refused_is_logged_once_and_without_secrets),
        TEST(a_port_in_use_is_named),
        TEST(a_second_server_on_the_same_folder_is_refused),
        TEST(a_folder_that_is_a_file_is_named),
        TEST(a_database_that_is_none_is_named),
        TEST(a_certificate_that_is_none_is_named),
        TEST(a_corrupt_mailbox_hurts_nobody_else),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("bad input", tests, set_up_server, tear_down_server);
}
