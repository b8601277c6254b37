/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>
#include <cmocka.h>

#include "client/client.h"
#include "client/responder.h"
#include "wire/extended.h"

struct fixture {
    TALLOC_CTX *arena;
    struct responder *responder;
    struct client *client;
    struct client_options options;
    const char *seen[16];                    /* what the script wants the test to know */
    unsigned step;
};

static int set_up(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->arena = talloc_new(f);
    f->options = (struct client_options){ .address = "alice@contoso.com", .password = "secret", .timeout_s = 30 };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    TALLOC_FREE(f->client);
    if (f->responder)
        responder_stop(f->responder);
    talloc_free(f);
    return 0;
}

static void note(struct fixture *f, unsigned i, const char *text)
{
    f->seen[i] = talloc_strdup(f, text ? text : "(none)");
}

/* A client that knows where the responder's endpoints are. */
static struct client *connected(struct fixture *f, responder_script *script)
{
    f->responder = responder_start(f, script, f);
    assert_non_null(f->responder);
    f->options.emsmdb_url = talloc_asprintf(f, "%s/mapi/emsmdb/?MailboxId=1", responder_url(f->responder));
    f->options.nspi_url = talloc_asprintf(f, "%s/mapi/nspi/?MailboxId=1", responder_url(f->responder));
    f->options.legacy_dn = "/o=Contoso/cn=alice";
    f->client = client_new(f, &f->options);
    return f->client;
}

/* ---- Autodiscover ---- */

static struct client *discovering(struct fixture *f, responder_script *script)
{
    f->responder = responder_start(f, script, f);
    assert_non_null(f->responder);
    f->options.server = responder_url(f->responder);
    f->client = client_new(f, &f->options);
    return f->client;
}

static void answer_xml(struct asked *a, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *xml = talloc_vasprintf(a->arena, format, args);
    va_end(args);
    answer_with(a, 200, "Content-Type: text/xml\r\n", BLOB_OF(xml, strlen(xml)));
}

#define XML_HEAD                                                                                         \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?>"                                                         \
    "<Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006\">"    \
    "<Response xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a\">"
#define XML_TAIL "</Response></Autodiscover>"

static void settings_script(struct asked *a, void *arg)
{
    note(arg, 0, asked_header(a, "X-MapiHttpCapability"));
    note(arg, 1, talloc_strndup(a->arena, (const char *)a->body.data, a->body.size));
    note(arg, 2, a->head->path);
    note(arg, 3, asked_header(a, "Authorization"));
    answer_xml(a, XML_HEAD "<User><DisplayName>Alice &amp; Co</DisplayName><LegacyDN>/o=Contoso/cn=alice</LegacyDN></User>"
               "<Account><Action>settings</Action><Protocol Type=\"mapiHttp\" Version=\"1\">"
               "<MailStore><InternalUrl>https://in.contoso.com/mapi/emsmdb/?MailboxId=1</InternalUrl>"
               "<ExternalUrl>https://out.contoso.com/mapi/emsmdb/?MailboxId=1</ExternalUrl></MailStore>"
               "<AddressBook><InternalUrl>https://in.contoso.com/mapi/nspi/?MailboxId=1</InternalUrl></AddressBook></Protocol>"
               "<Protocol><Type>WEB</Type></Protocol><Protocol><Type>EXHTTP</Type></Protocol></Account>" XML_TAIL);
}

static void autodiscover_gives_the_urls_of_both_endpoints(void **state)
{
    struct fixture *f = *state;
    struct client *c = discovering(f, settings_script);
    assert_int_equal(client_discover(c), ecNone);
    const struct client_discovery *d = client_discovery(c);
    assert_true(d->mapi_http);
    assert_string_equal(d->display_name, "Alice & Co");
    assert_string_equal(d->legacy_dn, "/o=Contoso/cn=alice");
    assert_string_equal(d->mail_store.external, "https://out.contoso.com/mapi/emsmdb/?MailboxId=1");
    assert_null(d->address_book.external);
    assert_string_equal(d->protocols, "mapiHttp WEB EXHTTP");
    assert_string_equal(f->seen[0], "1");
    assert_non_null(strstr(f->seen[1], "<EMailAddress>alice@contoso.com</EMailAddress>"));
    assert_string_equal(f->seen[2], "/autodiscover/autodiscover.xml");
    assert_string_equal(f->seen[3], "Basic YWxpY2VAY29udG9zby5jb206c2VjcmV0");
}

static void a_server_without_tls_keeps_its_own_name_in_every_url(void **state)
{
    struct fixture *f = *state;
    struct client *c = discovering(f, settings_script);
    assert_int_equal(client_discover(c), ecNone);
    assert_string_equal(client_url(c, CLIENT_NSPI), talloc_asprintf(f, "%s/mapi/nspi/?MailboxId=1", f->options.server));
}

/* To the responder by another name (seen[8]); seen[9] is the URL that it then names, or 401. */
static void foreign_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    const char *port = strrchr(f->options.server, ':');
    note(f, a->number, asked_header(a, "Authorization"));
    if (a->number == 0)
        answer_with(a, 302, talloc_asprintf(a->arena, "Location: http://%s%s/there\r\n", f->seen[8], port),
                    BLOB_OF("", 0));
    else if (strcmp(f->seen[9], "401") == 0)
        answer_with(a, 401, "WWW-Authenticate: Basic realm=\"x\"\r\n", BLOB_OF("", 0));
    else
        answer_xml(
            a,
            XML_HEAD
            "<User><LegacyDN>/o=x/cn=y</LegacyDN></User><Account><Action>settings</Action><Protocol "
            "Type=\"mapiHttp\"><MailStore><InternalUrl>%s</InternalUrl></MailStore></Protocol></Account>" XML_TAIL,
            f->seen[9]);
}

static struct client *led_to(struct fixture *f, const char *host, const char *answer)
{
    note(f, 8, host);
    note(f, 9, answer);
    return discovering(f, foreign_script);
}

static void after_a_redirect_a_host_of_another_domain_gets_no_password(void **state)
{
    struct fixture *f = *state;
    struct client *c = led_to(f, "localhost", "401");
    assert_int_equal(client_discover(c), ecLoginFailure);
    assert_non_null(strstr(client_error(c)->text, "localhost"));
    assert_int_equal(responder_count(f->responder), 2);
    assert_non_null(strstr(f->seen[0], "Basic "));
    assert_string_equal(f->seen[1], "(none)");
}

static void after_a_redirect_a_host_of_the_users_domain_gets_the_password(void **state)
{
    struct fixture *f = *state;
    f->options.address = "alice@LocalHost";
    struct client *c = led_to(f, "a.localhost", "https://mail.elsewhere.example/mapi");
    assert_int_equal(client_discover(c), ecNone);
    assert_non_null(strstr(f->seen[1], "Basic "));
}

static void without_tls_a_redirect_stays_at_the_named_server(void **state)
{
    struct fixture *f = *state;
    struct client *c = led_to(f, "mail.contoso.com", "");
    assert_int_not_equal(client_discover(c), ecNone);
    assert_int_equal(client_error(c)->level, CLIENT_AUTODISCOVER);
    assert_int_equal(responder_count(f->responder), 1);
}

static void error_script(struct asked *a, void *arg)
{
    (void)arg;
    answer_xml(a, "<Autodiscover><Response><Error Time=\"1\" Id=\"2\"><ErrorCode>500</ErrorCode>"
                  "<Message>The email address can't be found.</Message></Error></Response></Autodiscover>");
}

static void an_autodiscover_error_keeps_its_code_and_its_words(void **state)
{
    struct fixture *f = *state;
    struct client *c = discovering(f, error_script);
    assert_int_equal(client_discover(c), ecUnknownUser);
    assert_int_equal(client_error(c)->level, CLIENT_AUTODISCOVER);
    assert_int_equal(client_error(c)->number, 500);
    assert_non_null(strstr(client_error(c)->text, "can't be found"));
}

static void redirect_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    if (a->number == 0) {
        answer_with(a, 302, talloc_asprintf(a->arena, "Location: %s/autodiscover/autodiscover.xml?second\r\n", f->options.server),
                    BLOB_OF("", 0));
    } else if (a->number == 1) {
        answer_xml(a, XML_HEAD "<Account><Action>redirectAddr</Action><RedirectAddr>a@fabrikam.com</RedirectAddr></Account>" XML_TAIL);
    } else {
        settings_script(a, arg);
    }
}

static void autodiscover_follows_redirects_to_urls_and_to_addresses(void **state)
{
    struct fixture *f = *state;
    struct client *c = discovering(f, redirect_script);
    assert_int_equal(client_discover(c), ecNone);
    assert_int_equal(responder_count(f->responder), 3);
    assert_non_null(strstr(f->seen[1], "<EMailAddress>a@fabrikam.com</EMailAddress>"));
}

static void circle_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    answer_with(a, 302, talloc_asprintf(a->arena, "Location: %s/again\r\n", f->options.server), BLOB_OF("", 0));
}

static void redirects_that_go_round_end(void **state)
{
    struct fixture *f = *state;
    struct client *c = discovering(f, circle_script);
    assert_int_not_equal(client_discover(c), ecNone);
    assert_int_equal(responder_count(f->responder), 10);
}

static void page_script(struct asked *a, void *arg)
{
    (void)arg;
    answer_with(a, 200, "Content-Type: text/html\r\n", BLOB_OF("<html>Welcome", 13));
}

static void a_web_page_is_no_autodiscover_answer(void **state)
{
    struct fixture *f = *state;
    struct client *c = discovering(f, page_script);
    assert_int_equal(client_discover(c), ecRpcFormat);
    assert_int_equal(client_error(c)->level, CLIENT_FORMAT);
}

/* ---- the envelope ---- */

static void connect_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    note(f, 0, asked_header(a, "X-RequestType"));
    note(f, 1 + a->number % 4, asked_header(a, "X-RequestId"));
    note(f, 5 + a->number % 4, asked_header(a, "Cookie"));
    note(f, 9, asked_header(a, "X-ClientInfo"));
    note(f, 10, asked_header(a, "X-ClientApplication"));
    note(f, 11, asked_header(a, "Content-Type"));
    const char *cookies = talloc_asprintf(a->arena, "Set-Cookie: MapiContext=abc; path=/mapi/emsmdb; HttpOnly\r\n"
                                                    "Set-Cookie: MapiSequence=%u; path=/mapi/emsmdb\r\n", a->number);
    if (strcmp(f->seen[0], "Connect") == 0)
        answer_struct(a, cookies, &ConnectResponse_wire,
                      &(struct ConnectResponse){ .PollsMax = 60000, .DnPrefix = "", .DisplayName = "Alice Example" });
    else if (strcmp(f->seen[0], "Disconnect") == 0)
        answer_struct(a, cookies, &DisconnectResponse_wire, &(struct DisconnectResponse){ 0 });
    else
        answer_struct(a, cookies, NULL, NULL);
}

static void connect_sends_what_the_protocol_wants_in_its_headers(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, connect_script);
    assert_int_equal(client_connect(c), ecNone);
    assert_string_equal(client_display_name(c), "Alice Example");
    assert_string_equal(f->seen[0], "Connect");
    assert_string_equal(f->seen[11], "application/mapi-http");
    assert_non_null(strstr(f->seen[9], "}:"));
    assert_memory_equal(f->seen[10], "Outlook/", 8);
}

/* [MS-OXCMAPIHTTP] 2.2.3.2.4: all cookies come back as the server set them last; 2.2.3.3.2: the counter rises */
static void cookies_and_the_request_counter_go_on_from_request_to_request(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, connect_script);
    assert_int_equal(client_connect(c), ecNone);
    assert_int_equal(client_ping(c), ecNone);
    assert_int_equal(client_disconnect(c), ecNone);
    assert_string_equal(f->seen[5], "(none)");
    assert_string_equal(f->seen[6], "MapiContext=abc; MapiSequence=0");
    assert_string_equal(f->seen[7], "MapiContext=abc; MapiSequence=0");      /* PING is outside the sequence */
    const char *colon = strrchr(f->seen[1], ':');
    assert_string_equal(colon, ":1");
    assert_string_equal(strrchr(f->seen[3], ':'), ":3");
    assert_memory_equal(f->seen[1], f->seen[3], (size_t)(colon - f->seen[1]));
    assert_null(client_cookie(c, CLIENT_EMSMDB, "MapiContext"));
}

static void slow_script(struct asked *a, void *arg)
{
    struct buf body;
    (void)arg;
    buf_init(&body, a->arena);
    buf_printf(&body, "PROCESSING\r\nPENDING\r\nPENDING\r\nDONE\r\nX-ElapsedTime: 70000\r\n\r\n");
    struct wire_out out = wire_out(&body);
    wire_put(&out, &ConnectResponse_wire, &(struct ConnectResponse){ .DnPrefix = "", .DisplayName = "Alice" });
    buf_printf(&a->out, "HTTP/1.1 200 OK\r\nX-ResponseCode: 0\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (size_t i = 0; i < body.size; i++)                                   /* chunk borders mean nothing: 3.1.5.6 */
        http_put_chunk(&a->out, BLOB_OF(body.data + i, 1));
    http_put_last_chunk(&a->out);
}

static void pending_lines_and_additional_headers_stand_before_the_body(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, slow_script);
    assert_int_equal(client_connect(c), ecNone);
    assert_string_equal(client_display_name(c), "Alice");
}

static void late_code_script(struct asked *a, void *arg)
{
    static const char body[] = "PROCESSING\r\nDONE\r\nX-ResponseCode: 10\r\n\r\n<html>gone</html>";
    (void)arg;
    answer_with(a, 200, "X-ResponseCode: 0\r\n", BLOB_OF(body, sizeof body - 1));
}

static void a_code_behind_DONE_overrides_that_of_the_header(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, late_code_script);
    assert_int_equal(client_connect(c), ecEndOfSession);
    assert_int_equal(client_error(c)->level, CLIENT_RESPONSE_CODE);
    assert_int_equal(client_error(c)->number, 10);
    assert_string_equal(client_error(c)->text, "Connect: X-ResponseCode 10, Context Not Found: gone");
}

static void refused_script(struct asked *a, void *arg)
{
    (void)arg;
    answer_with(a, 401, "WWW-Authenticate: Negotiate\r\n", BLOB_OF("", 0));
}

static void a_wrong_password_is_said_in_words(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, refused_script);
    assert_int_equal(client_connect(c), ecLoginFailure);
    assert_int_equal(client_error(c)->level, CLIENT_HTTP);
    assert_int_equal(client_error(c)->number, 401);
    assert_non_null(strstr(client_error(c)->text, "it offers Negotiate"));
}

static void status_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    if (f->step == 0)
        answer_struct(a, "", &ConnectResponse_wire, &(struct ConnectResponse){ .StatusCode = 0x6BB });
    else
        answer_struct(a, "", &ConnectResponse_wire,
                      &(struct ConnectResponse){ .ErrorCode = (uint32_t)ecUnknownUser, .DnPrefix = "", .DisplayName = "" });
}

static void StatusCode_and_ErrorCode_are_two_levels(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, status_script);
    assert_int_equal(client_connect(c), 0x6BB);
    assert_int_equal(client_error(c)->level, CLIENT_STATUS_CODE);
    f->step = 1;
    assert_int_equal(client_connect(c), ecUnknownUser);
    assert_int_equal(client_error(c)->level, CLIENT_ERROR_CODE);
}

static void nobody_listening_is_a_transport_error(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, page_script);
    responder_stop(f->responder);
    f->responder = NULL;
    assert_int_equal(client_connect(c), ecRpcFailed);
    assert_int_equal(client_error(c)->level, CLIENT_TRANSPORT);
}

/* ---- ROPs ---- */

struct made {
    struct asked *asked;
    struct wire_out list;
    struct buf bytes;
    uint32_t handles[64];
    uint32_t handle_count;
    struct rop_request requests[512];
    size_t count;
    unsigned flags;
    struct buf rop_buffer;
};

/* The request's ROPs, and an answer that is still empty. */
static struct made *read_rops(struct asked *a)
{
    struct made *m = talloc_zero(a->arena, struct made);
    struct ExecuteRequest request = { 0 };
    struct wire_in in = wire_in(a->arena, a->body);
    struct blob *payloads;
    uint32_t count;
    struct RopBuffer buffer;
    wire_get(&in, &ExecuteRequest_wire, &request);
    if (!extended_get(a->arena, request.RopBuffer, &payloads, &count))
        return NULL;
    in = wire_in(a->arena, payloads[0]);
    wire_get(&in, &RopBuffer_wire, &buffer);
    for (m->handle_count = 0; m->handle_count * 4 < buffer.ServerObjectHandleTable.size && m->handle_count < 64; m->handle_count++)
        m->handles[m->handle_count] = le32(buffer.ServerObjectHandleTable.data + 4 * m->handle_count);
    in = wire_in(a->arena, buffer.RopsList);
    while (wire_left(&in) && rop_get_request(&in, &m->requests[m->count]))
        m->count++;
    m->asked = a;
    buf_init(&m->bytes, a->arena);
    buf_init(&m->rop_buffer, a->arena);
    m->list = wire_out(&m->bytes);
    return m;
}

static void respond(struct made *m, size_t i, uint32_t code, const void *body)
{
    const struct rop_request *q = &m->requests[i];
    const uint8_t index = rop_response_index(q);
    if (!code && (q->rop->indexes == ROP_IO || q->rop->indexes == ROP_O))
        m->handles[q->rop->indexes == ROP_O ? q->index : q->other] = 100 + index;
    rop_put_response(&m->list, q->rop, index, code, body);
}

/* What was written so far becomes one buffer of the chain. */
static void close_buffer(struct made *m, unsigned flags)
{
    struct buf payload;
    buf_init(&payload, m->asked->arena);
    put_le16(buf_grow(&payload, 2), (uint16_t)(m->bytes.size + 2));
    buf_add(&payload, m->bytes.data, m->bytes.size);
    for (uint32_t i = 0; i < m->handle_count; i++)
        put_le32(buf_grow(&payload, 4), m->handles[i]);
    extended_put(&m->rop_buffer, buf_blob(&payload), flags);
    m->bytes.size = 0;
}

static void send_rops(struct made *m)
{
    answer_struct(m->asked, "", &ExecuteResponse_wire, &(struct ExecuteResponse){
        .RopBufferSize = (uint32_t)m->rop_buffer.size, .RopBuffer = buf_blob(&m->rop_buffer) });
}

static void open_script(struct asked *a, void *arg)
{
    struct made *m = read_rops(a);
    (void)arg;
    for (size_t i = 0; i < m->count; i++)
        if (m->requests[i].rop->id != RopRelease)
            respond(m, i, 0, NULL);
    close_buffer(m, EXTENDED_LAST);
    send_rops(m);
}

static void a_list_names_the_objects_that_it_opens_itself(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, open_script);
    const uint32_t tag = PidTagSubject;
    const struct RopSetColumnsRequest columns = { .PropertyTagCount = 1, .PropertyTags = &tag };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = 7 },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(0) },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
        { .id = RopSetColumns, .from = OUTPUT_OF(1), .request = &columns },
    };
    assert_int_equal(client_execute(c, f->arena, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(client_check(c, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(rops[0].out_handle, 101);                       /* slot 0 is the logon's */
    assert_int_equal(rops[1].out_handle, 102);
    assert_true(rops[3].answered);
    assert_false(rops[2].answered);                                  /* [MS-OXCROPS] 2.2.15.3: RopRelease has no answer */
}

static void rows_script(struct asked *a, void *arg)
{
    struct made *m = read_rops(a);
    const struct prop one = P_STR(PidTagSubject, "one"), two = P_STR(PidTagSubject, "two"), three = P_STR(PidTagSubject, "three");
    const struct props first[] = { { 1, &one }, { 1, &two } }, second[] = { { 1, &three } };
    const uint32_t tag = PidTagSubject;
    struct fixture *f = arg;
    respond(m, 0, 0, NULL);
    m->list.columns = &tag;
    m->list.column_count = 1;
    respond(m, 1, 0, &(struct RopQueryRowsResponse){ .Origin = 1, .RowCount = 2, .RowData = first });
    close_buffer(m, f->options.compress ? EXTENDED_COMPRESSED | EXTENDED_XOR : 0);
    respond(m, 1, 0, &(struct RopQueryRowsResponse){ .Origin = 2, .RowCount = 1, .RowData = second });
    close_buffer(m, EXTENDED_LAST | (f->options.compress ? EXTENDED_COMPRESSED | EXTENDED_XOR : 0));
    send_rops(m);
}

static void ask_for_rows(struct fixture *f)
{
    static const uint32_t tag = PidTagSubject;
    static const struct RopSetColumnsRequest columns = { .PropertyTagCount = 1, .PropertyTags = &tag };
    static const struct RopQueryRowsRequest query = { .ForwardRead = true, .RowCount = 50 };
    struct client *c = connected(f, rows_script);
    struct client_rop rops[] = {
        { .id = RopSetColumns, .handle = 9, .request = &columns },
        { .id = RopQueryRows, .handle = 9, .request = &query, .columns = &tag, .column_count = 1 },
    };
    assert_int_equal(client_execute(c, f->arena, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(client_check(c, rops, COUNTOF(rops)), ecNone);
    const struct RopQueryRowsResponse *r = rops[1].response;
    assert_int_equal(r->RowCount, 3);
    assert_int_equal(r->Origin, 2);
    assert_string_equal(r->RowData[2].values[0].str, "three");
}

/* [MS-OXCRPC] 3.1.4.2.1.2.2 */
static void rows_of_chained_buffers_become_one_answer(void **state)
{
    ask_for_rows(*state);
}

static void buffers_may_be_compressed_and_obfuscated_both_ways(void **state)
{
    struct fixture *f = *state;
    f->options.compress = f->options.obfuscate = true;
    ask_for_rows(f);
}

static void too_small_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    struct made *m = read_rops(a);
    note(f, a->number, talloc_asprintf(a->arena, "%zu ROPs, the first %s", m->count, m->requests[0].rop->name));
    respond(m, 0, 0, NULL);
    if (m->count > 1) {
        wire_put_uint(&m->list, 0xFF, 1);
        wire_put(&m->list, &RopBufferTooSmall_wire,
                 &(struct RopBufferTooSmall){ .SizeNeeded = 0x8000, .RequestBuffers = m->requests[1].bytes });
    }
    close_buffer(m, EXTENDED_LAST);
    send_rops(m);
}

/* [MS-OXCROPS] 2.2.15.1 */
static void what_did_not_fit_goes_into_another_request_with_the_objects_of_the_first(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, too_small_script);
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = 7 },
        { .id = RopGetContentsTable, .from = OUTPUT_OF(0) },
        { .id = RopGetHierarchyTable, .from = OUTPUT_OF(0) },
    };
    assert_int_equal(client_execute(c, f->arena, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(client_check(c, rops, COUNTOF(rops)), ecNone);
    assert_string_equal(f->seen[0], "3 ROPs, the first OpenFolder");
    assert_string_equal(f->seen[1], "2 ROPs, the first GetContentsTable");
    assert_string_equal(f->seen[2], "1 ROPs, the first GetHierarchyTable");
}

static void a_list_larger_than_a_buffer_becomes_several_requests(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, open_script);
    uint8_t data[20000] = { 0 };
    const struct RopWriteStreamRequest write = { .DataSize = sizeof data, .Data = BLOB_OF(data, sizeof data) };
    struct client_rop rops[6];
    for (size_t i = 0; i < COUNTOF(rops); i++)
        rops[i] = (struct client_rop){ .id = RopWriteStream, .handle = 7, .request = &write };
    assert_int_equal(client_execute(c, f->arena, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(client_check(c, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(responder_count(f->responder), 6);
}

static void seek_script(struct asked *a, void *arg)
{
    struct made *m = read_rops(a);
    (void)arg;
    respond(m, 0, (uint32_t)ecInvalidBookmark, NULL);
    close_buffer(m, EXTENDED_LAST);
    send_rops(m);
}

/* [MS-OXCTABL] 3.2.5.9 */
static void what_the_server_left_unprocessed_is_said(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, seek_script);
    struct client_rop rops[] = { { .id = RopSeekRowBookmark, .handle = 7 }, { .id = RopQueryPosition, .handle = 7 } };
    assert_int_equal(client_execute(c, f->arena, rops, COUNTOF(rops)), ecNone);
    assert_int_equal(rops[0].code, ecInvalidBookmark);
    assert_false(rops[1].answered);
    assert_int_equal(client_check(c, rops, COUNTOF(rops)), ecInvalidBookmark);
    assert_int_equal(client_error(c)->level, CLIENT_ROP);
    assert_int_equal(responder_count(f->responder), 1);
}

static void notify_script(struct asked *a, void *arg)
{
    struct made *m = read_rops(a);
    (void)arg;
    if (m->count)
        respond(m, 0, 0, NULL);
    wire_put_uint(&m->list, 0x2A, 1);
    wire_put(&m->list, &RopNotify_wire, &(struct RopNotify){ .NotificationHandle = 0x33, .NotificationData = {
        .NotificationFlags = 0x8002, .FolderId = 5, .MessageId = 6 + a->number, .MessageFlags = 0, .UnicodeFlag = true, .MessageClass = "IPM.Note" } });
    if (a->number == 0) {
        wire_put_uint(&m->list, 0x6E, 1);
        wire_put(&m->list, &RopPending_wire, &(struct RopPending){ 0 });
    }
    close_buffer(m, EXTENDED_LAST);
    send_rops(m);
}

/* [MS-OXCROPS] 2.2.14.3: RopPending says that there is more to fetch */
static void notifications_are_fetched_until_none_is_pending(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, notify_script);
    assert_int_equal(client_fetch(c), ecNone);
    assert_int_equal(responder_count(f->responder), 2);
    for (unsigned i = 0; i < 2; i++) {
        struct client_notification *n = client_next_notification(c, f->arena);
        assert_non_null(n);
        assert_int_equal(n->notify.NotificationHandle, 0x33);
        assert_int_equal(n->notify.NotificationData.MessageId, 6 + i);
        assert_string_equal(n->notify.NotificationData.MessageClass, "IPM.Note");
    }
    assert_null(client_next_notification(c, f->arena));
}

static void cut_script(struct asked *a, void *arg)
{
    struct fixture *f = arg;
    struct made *m = read_rops(a);
    const struct prop one = P_STR(PidTagSubject, "one");
    const struct props rows[] = { { 1, &one }, { 1, &one } };
    static const uint32_t tag = PidTagSubject;
    respond(m, 0, 0, NULL);
    m->list.columns = &tag;
    m->list.column_count = 1;
    respond(m, 1, 0, &(struct RopQueryRowsResponse){ .Origin = 2, .RowCount = 2, .RowData = rows });
    m->bytes.size = MIN(m->bytes.size, f->step);
    close_buffer(m, EXTENDED_LAST);
    send_rops(m);
}

static void an_answer_that_is_cut_anywhere_is_an_error_and_nothing_worse(void **state)
{
    static const uint32_t tag = PidTagSubject;
    struct fixture *f = *state;
    struct client *c = connected(f, cut_script);
    const struct RopQueryRowsRequest query = { .ForwardRead = true, .RowCount = 50 };
    unsigned failed = 0;
    for (f->step = 0; f->step < 40; f->step++) {
        struct client_rop rops[] = { { .id = RopOpenFolder, .handle = 7 },
                                     { .id = RopQueryRows, .handle = 9, .request = &query, .columns = &tag, .column_count = 1 } };
        const enum ec ec = client_execute(c, f->arena, rops, COUNTOF(rops));
        failed += ec || !rops[1].answered;
        assert_true(ec == ecNone || client_error(c)->level == CLIENT_FORMAT);
    }
    assert_in_range(failed, 20, 39);
}

/* ---- NotificationWait ---- */

static void wait_script(struct asked *a, void *arg)
{
    struct NotificationWaitResponse response = { .EventPending = 1 };
    note(arg, 0, asked_header(a, "X-RequestType"));
    answer_struct(a, "Set-Cookie: MapiSequence=old\r\n", &NotificationWaitResponse_wire, &response);
}

static void a_wait_says_whether_something_can_be_fetched(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, wait_script);
    bool event = false;
    client_set_cookie(c, CLIENT_EMSMDB, "MapiSequence", "new");
    assert_int_equal(client_wait(c, 30000, &event), ecNone);
    assert_true(event);
    assert_string_equal(f->seen[0], "NotificationWait");
    assert_string_equal(client_cookie(c, CLIENT_EMSMDB, "MapiSequence"), "new");
}

static void many_clients_wait_in_one_loop(void **state)
{
    struct fixture *f = *state;
    struct client_loop *loop = client_loop_new(f);
    f->options.loop = loop;
    struct client *first = connected(f, wait_script), *all[8] = { first };
    unsigned woken = 0;
    bool event;
    for (size_t i = 1; i < COUNTOF(all); i++)
        all[i] = client_new(f, &f->options);
    for (size_t i = 0; i < COUNTOF(all); i++)
        assert_int_equal(client_wait_begin(all[i]), ecNone);
    for (struct client *c; woken < COUNTOF(all) && (c = client_loop_next(loop, 30000)); woken++) {
        assert_int_equal(client_wait(c, 0, &event), ecNone);
        assert_true(event);
    }
    assert_int_equal(woken, COUNTOF(all));
    for (size_t i = 1; i < COUNTOF(all); i++)
        talloc_free(all[i]);
    TALLOC_FREE(f->client);
}

/* ---- the address book, raw requests, the recording ---- */

static void nspi_script(struct asked *a, void *arg)
{
    struct BindResponse bind = { .ServerGuid = { { 1, 2, 3 } } };
    (void)arg;
    if (strcmp(asked_header(a, "X-RequestType"), "Bind") == 0)
        answer_struct(a, "Set-Cookie: MapiContext=n\r\n", &BindResponse_wire, &bind);
    else
        answer_struct(a, "", &UnbindResponse_wire, &(struct UnbindResponse){ .ErrorCode = 1 });
}

static void the_address_book_has_a_context_of_its_own(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, nspi_script);
    assert_int_equal(client_bind(c), ecNone);
    assert_string_equal(client_cookie(c, CLIENT_NSPI, "MapiContext"), "n");
    assert_null(client_cookie(c, CLIENT_EMSMDB, "MapiContext"));
    assert_int_equal(client_unbind(c), ecNone);                      /* UnbindSuccess is 1 */
}

static void raw_script(struct asked *a, void *arg)
{
    note(arg, 0, a->head->method);
    note(arg, 1, asked_header(a, "X-Odd"));
    note(arg, 2, asked_header(a, "Authorization"));
    note(arg, 3, asked_header(a, "Content-Type"));
    note(arg, 4, a->head->path);
    answer_with(a, 418, "X-Says: no\r\n", BLOB_OF("tea", 3));
}

static void a_raw_request_has_only_what_the_test_says(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, raw_script);
    const char *const headers[] = { "X-Odd: yes", NULL };
    struct client_raw_answer answer;
    const struct client_raw raw = { .method = "BREW", .url = "/mapi/other", .headers = headers, .body = BLOB_OF("abc", 3), .anonymous = true };
    assert_int_equal(client_raw(c, f->arena, &raw, &answer), ecNone);
    assert_int_equal(answer.status, 418);
    assert_string_equal(http_header(&answer.headers, "X-Says"), "no");
    assert_int_equal(answer.body.size, 3);
    assert_string_equal(f->seen[0], "BREW");
    assert_string_equal(f->seen[1], "yes");
    assert_string_equal(f->seen[2], "(none)");
    assert_string_equal(f->seen[3], "(none)");
    assert_string_equal(f->seen[4], "/mapi/other");
}

static void a_recording_shows_the_structures_and_no_password(void **state)
{
    struct fixture *f = *state;
    struct client *c = connected(f, rows_script);
    static const uint32_t tag = PidTagSubject;
    const struct RopSetColumnsRequest columns = { .PropertyTagCount = 1, .PropertyTags = &tag };
    const struct RopQueryRowsRequest query = { .ForwardRead = true, .RowCount = 50 };
    struct buf text;
    buf_init(&text, f);
    client_record(c, &text);
    struct client_rop rops[] = {
        { .id = RopSetColumns, .handle = 9, .request = &columns },
        { .id = RopQueryRows, .handle = 9, .request = &query, .columns = &tag, .column_count = 1 },
    };
    assert_int_equal(client_execute(c, f->arena, rops, COUNTOF(rops)), ecNone);
    buf_add(&text, "", 1);
    const char *all = (const char *)text.data;
    assert_non_null(strstr(all, "> Execute: POST "));
    assert_non_null(strstr(all, "PidTagSubject"));
    assert_non_null(strstr(all, "RopQueryRowsRequest"));
    assert_non_null(strstr(all, "< Execute: HTTP status 200"));
    assert_non_null(strstr(all, "Origin: "));
    assert_null(strstr(all, "secret"));
    assert_null(strstr(all, "Authorization"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(autodiscover_gives_the_urls_of_both_endpoints),
        TEST(a_server_without_tls_keeps_its_own_name_in_every_url),
        TEST(after_a_redirect_a_host_of_another_domain_gets_no_password),
        TEST(after_a_redirect_a_host_of_the_users_domain_gets_the_password),
        TEST(without_tls_a_redirect_stays_at_the_named_server),
        TEST(an_autodiscover_error_keeps_its_code_and_its_words),
        TEST(autodiscover_follows_redirects_to_urls_and_to_addresses),
        TEST(redirects_that_go_round_end),
        TEST(a_web_page_is_no_autodiscover_answer),
        TEST(connect_sends_what_the_protocol_wants_in_its_headers),
        TEST(cookies_and_the_request_counter_go_on_from_request_to_request),
        TEST(pending_lines_and_additional_headers_stand_before_the_body),
        TEST(a_code_behind_DONE_overrides_that_of_the_header),
        TEST(a_wrong_password_is_said_in_words),
        TEST(StatusCode_and_ErrorCode_are_two_levels),
        TEST(nobody_listening_is_a_transport_error),
        TEST(a_list_names_the_objects_that_it_opens_itself),
        TEST(rows_of_chained_buffers_become_one_answer),
        TEST(buffers_may_be_compressed_and_obfuscated_both_ways),
        TEST(what_did_not_fit_goes_into_another_request_with_the_objects_of_the_first),
        TEST(a_list_larger_than_a_buffer_becomes_several_requests),
        TEST(what_the_server_left_unprocessed_is_said),
        TEST(notifications_are_fetched_until_none_is_pending),
        TEST(an_answer_that_is_cut_anywhere_is_an_error_and_nothing_worse),
        TEST(a_wait_says_whether_something_can_be_fetched),
        TEST(many_clients_wait_in_one_loop),
        TEST(the_address_book_has_a_context_of_its_own),
        TEST(a_raw_request_has_only_what_the_test_says),
        TEST(a_recording_shows_the_structures_and_no_password),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
