/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox endpoint: [MS-OXCMAPIHTTP] 2.2.4, 3.1.5. */
#include "client/internal.h"

#include "wire/extended.h"

enum { LOCALE = 0x0409 };
enum { LOGON_PRIVATE = 0x01, OPEN_HOME_LOGON = 0x04, OPEN_TAKE_OWNERSHIP = 0x08, OPEN_PUBLIC = 0x02, OPEN_NO_MAIL = 0x400,
       OPEN_USE_PER_MDB_REPLID_MAPPING = 0x01000000 };

/* ---- a client ---- */

enum ec client_fail(struct client *c, enum client_level level, enum ec ec, uint32_t number, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    c->error.level = level;
    c->error.number = number;
    vsnprintf(c->error.text, sizeof c->error.text, format, args);
    va_end(args);
    record_line(c, "! %s\n", c->error.text);
    return ec;
}

const struct client_error *client_error(const struct client *c)
{
    return &c->error;
}

static const char *keep(struct client *c, const char *text)
{
    return text ? talloc_strdup(c, text) : NULL;
}

static int client_free(struct client *c)
{
    TALLOC_FREE(c->wait);                /* while the loop is still there */
    TALLOC_FREE(c->call);
    return 0;
}

struct client *client_new(TALLOC_CTX *owner, const struct client_options *options)
{
    struct client *c = talloc_zero(owner, struct client);
    struct client_options *o = &c->options;
    *o = *options;
    o->server = keep(c, options->server);
    o->address = keep(c, options->address);
    o->user = keep(c, options->user ? options->user : options->address);
    o->password = keep(c, options->password);
    o->connect_to = keep(c, options->connect_to);
    o->ca_file = keep(c, options->ca_file);
    o->application = keep(c, options->application);
    c->legacy_dn = keep(c, options->legacy_dn);
    c->contexts[CLIENT_EMSMDB].url = keep(c, options->emsmdb_url);
    c->contexts[CLIENT_NSPI].url = keep(c, options->nspi_url);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    c->loop = options->loop ? options->loop : client_loop_new(c);
    c->call = transfer_new(c, false);
    c->found = talloc_zero(c, struct client_discovery);
    c->instance = guid_random();
    c->logon = NO_HANDLE;
    c->last_notification = &c->notifications;
    context_reset(c, CLIENT_EMSMDB);
    context_reset(c, CLIENT_NSPI);
    talloc_set_destructor(c, client_free);
    return c;
}

const char *client_url(const struct client *c, enum client_endpoint e)
{
    return c->contexts[e].url;
}

const char *client_display_name(const struct client *c)
{
    return c->display_name;
}

/* ---- Connect ---- */

static void put_block(struct buf *to, uint8_t version, uint8_t type, const struct wire_struct *form, const void *block)
{
    struct wire_out out = wire_out(to);
    const size_t at = to->size;
    wire_put(&out, &AUX_HEADER_wire, &(struct AUX_HEADER){ .Version = version, .Type = type });
    if (form)
        wire_put(&out, form, block);
    put_le16(to->data + at, (uint16_t)(to->size - at));
}

/* Text of an auxiliary block as it lies behind its members, at the offset that they say. */
static struct blob block_text(TALLOC_CTX *arena, const char *text)
{
    struct buf b;
    buf_init(&b, arena);
    const struct blob wide = utf16_of_utf8(arena, text);
    buf_add(&b, wide.data, wide.size);
    buf_add(&b, "\0\0", 2);
    return buf_blob(&b);
}

/* What Outlook tells about itself.  It also sends blocks that the specification does not have; a server skips them. */
static struct blob connect_aux(struct client *c, TALLOC_CTX *arena)
{
    static const uint8_t unknown[] = { 0x10, 0x00, 0x01, 0x52, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 };
    const struct blob machine = block_text(arena, "OXCART"), program = block_text(arena, "OUTLOOK.EXE");
    const struct blob nothing = block_text(arena, "");
    struct buf blocks, out;
    buf_init(&blocks, arena);
    buf_init(&out, arena);
    put_block(&blocks, 1, 0x02, &AUX_PERF_CLIENTINFO_wire, &(struct AUX_PERF_CLIENTINFO){
        .AdapterSpeed = 1000000, .ClientID = 1, .MachineNameOffset = 32, .ClientMode = 1, .Data = machine });
    put_block(&blocks, 1, 0x18, &AUX_PERF_ACCOUNTINFO_wire, &(struct AUX_PERF_ACCOUNTINFO){ .ClientID = 1, .Account = c->instance });
    put_block(&blocks, 2, 0x04, &AUX_PERF_SESSIONINFO_V2_wire, &(struct AUX_PERF_SESSIONINFO_V2){
        .SessionID = 1, .SessionGuid = c->contexts[CLIENT_EMSMDB].id, .ConnectionID = 1 });
    put_block(&blocks, 2, 0x0B, &AUX_PERF_PROCESSINFO_wire, &(struct AUX_PERF_PROCESSINFO){
        .ProcessID = 1, .ProcessGuid = c->instance, .ProcessNameOffset = 28, .Data = program });
    put_block(&blocks, 1, 0x4A, &AUX_CLIENT_CONNECTION_INFO_wire, &(struct AUX_CLIENT_CONNECTION_INFO){
        .ConnectionGUID = c->contexts[CLIENT_EMSMDB].id, .OffsetConnectionContextInfo = 32, .Data = nothing });
    buf_add(&blocks, unknown, sizeof unknown);
    extended_put(&out, buf_blob(&blocks), EXTENDED_LAST | (c->options.compress ? EXTENDED_COMPRESSED : 0) |
                                              (c->options.obfuscate ? EXTENDED_XOR : 0));
    return buf_blob(&out);
}

static enum ec error_code(struct client *c, const char *type, uint32_t code)
{
    return code ? client_fail(c, CLIENT_ERROR_CODE, (enum ec)code, code, "%s: %s, %s", type, ec_name((enum ec)code),
                              ec_text((enum ec)code))
                : ecNone;
}

static enum ec connect_once(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct blob aux = connect_aux(c, arena);
    struct ConnectResponse response = { 0 };
    const struct ConnectRequest request = {
        .UserDn = c->legacy_dn,
        .DefaultCodePage = CLIENT_CODE_PAGE,
        .LcidSort = LOCALE,
        .LcidString = LOCALE,
        .AuxiliaryBufferSize = (uint32_t)aux.size,
        .AuxiliaryBuffer = aux,
    };
    enum ec ec = context_exchange(c, arena, &(struct exchange){ CLIENT_EMSMDB, "Connect", &ConnectRequest_wire,
                                                                &ConnectResponse_wire, &request, &response });
    if (!ec)
        ec = error_code(c, "Connect", response.ErrorCode);
    if (!ec) {
        c->display_name = keep(c, response.DisplayName);
        c->contexts[CLIENT_EMSMDB].open = true;
    }
    talloc_free(arena);
    return ec;
}

void client_forget(struct client *c)
{
    client_wait_cancel(c);
    context_reset(c, CLIENT_EMSMDB);
    handles_forget(c);
    notifications_forget(c);
    c->logon = NO_HANDLE;
    c->logons = 0;
}

/* A server of which only one name can be reached from here: the other one is tried when nobody answers. */
static bool other_url(struct client *c)
{
    const struct client_urls *urls = &c->found->mail_store;
    const char *other = client_usable_url(c, c->options.external ? urls->internal : urls->external);
    if (c->error.level != CLIENT_TRANSPORT || !other || strcmp(other, c->contexts[CLIENT_EMSMDB].url) == 0)
        return false;
    c->contexts[CLIENT_EMSMDB].url = other;
    return true;
}

enum ec client_connect(struct client *c)
{
    enum ec ec = c->contexts[CLIENT_EMSMDB].url ? ecNone : client_discover(c);
    if (!ec && !c->contexts[CLIENT_EMSMDB].url)
        ec = client_fail(c, CLIENT_AUTODISCOVER, ecNotFound, 0, "Autodiscover names no MAPI over HTTP for %s: %s",
                         c->options.address, c->found->protocols);
    if (ec)
        return ec;
    client_wait_cancel(c);
    handles_forget(c);
    notifications_forget(c);
    c->logon = NO_HANDLE;
    c->logons = 0;
    ec = connect_once(c);
    return ec && other_url(c) ? connect_once(c) : ec;
}

enum ec client_disconnect(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct DisconnectRequest request = { 0 };
    struct DisconnectResponse response = { 0 };
    enum ec ec = ecNone;
    client_wait_cancel(c);
    if (c->contexts[CLIENT_EMSMDB].open)
        ec = context_exchange(c, arena, &(struct exchange){ CLIENT_EMSMDB, "Disconnect", &DisconnectRequest_wire,
                                                            &DisconnectResponse_wire, &request, &response });
    if (!ec)
        ec = error_code(c, "Disconnect", response.ErrorCode);
    client_forget(c);
    talloc_free(arena);
    return ec;
}

enum ec client_ping(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    const enum ec ec = context_exchange(c, arena, &(struct exchange){ .endpoint = CLIENT_EMSMDB, .type = "PING" });
    talloc_free(arena);
    return ec;
}

/* ---- RopLogon ---- */

static enum ec log_on(struct client *c, const struct RopLogonRequest *request)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct client_rop rop = { .id = RopLogon, .request = request };
    enum ec ec = client_execute(c, arena, &rop, 1);
    if (!ec)
        ec = client_check(c, &rop, 1);
    if (!ec) {
        c->logon_response = *(struct RopLogonResponse *)rop.response;
        c->logon = rop.out_handle;
        c->logons++;
    }
    talloc_free(arena);
    return ec;
}

enum ec client_logon(struct client *c, const char *legacy_dn)
{
    return log_on(c, &(struct RopLogonRequest){
        .LogonFlags = LOGON_PRIVATE, .EssdnSize = 1, .Essdn = legacy_dn ? legacy_dn : c->legacy_dn,
        .OpenFlags = OPEN_USE_PER_MDB_REPLID_MAPPING | OPEN_NO_MAIL | OPEN_TAKE_OWNERSHIP | (legacy_dn ? 0 : OPEN_HOME_LOGON),
    });
}

enum ec client_logon_public(struct client *c)
{
    return log_on(c, &(struct RopLogonRequest){ .OpenFlags = OPEN_PUBLIC | OPEN_NO_MAIL });
}

uint64_t client_top(const struct client *c)
{
    const struct RopLogonResponse *r = &c->logon_response;
    return r->LogonFlags & LOGON_PRIVATE ? r->FolderIds.IpmSubtree : r->PublicIds.IpmSubtree;
}

uint32_t client_logon_handle(const struct client *c)
{
    return c->logon;
}

const struct RopLogonResponse *client_logon_response(const struct client *c)
{
    return &c->logon_response;
}

/* ---- NotificationWait ---- */

static struct exchange wait_exchange(struct NotificationWaitRequest *request, struct NotificationWaitResponse *response)
{
    return (struct exchange){ CLIENT_EMSMDB, "NotificationWait", &NotificationWaitRequest_wire,
                              &NotificationWaitResponse_wire, request, response };
}

static void start_wait(struct client *c)
{
    struct NotificationWaitRequest request = { 0 };
    const struct exchange x = wait_exchange(&request, NULL);
    if (!c->wait)
        c->wait = transfer_new(c, true);
    if (c->wait->running || c->wait->done)
        return;
    TALLOC_FREE(c->wait_arena);
    c->wait_arena = talloc_new(c);
    context_send(c, c->wait, c->wait_arena, &x);
}

/* PROCESSING is the server's word that the wait is there. */
enum ec client_wait_begin(struct client *c)
{
    start_wait(c);
    while (!c->wait->done && !c->wait->body.size)
        loop_step(c->loop, 1000);
    return ecNone;
}

static enum ec end_wait(struct client *c, bool *event)
{
    struct NotificationWaitResponse response = { 0 };
    const struct exchange x = wait_exchange(NULL, &response);
    enum ec ec = transfer_result(c->wait);
    if (!ec)
        ec = context_receive(c, c->wait, c->wait_arena, &x);
    if (!ec)
        ec = error_code(c, "NotificationWait", response.ErrorCode);
    *event = !ec && response.EventPending;
    return ec;
}

enum ec client_wait(struct client *c, unsigned ms, bool *event)
{
    const uint64_t until = clock_ms() + ms;
    *event = false;
    start_wait(c);
    while (!c->wait->done) {
        const uint64_t now = clock_ms();
        loop_step(c->loop, (unsigned)(until > now ? MIN(until - now, 1000) : 0));
        if (clock_ms() >= until && !c->wait->done)
            return ecNone;
    }
    return end_wait(c, event);
}

void client_wait_cancel(struct client *c)
{
    if (c->wait)
        transfer_cancel(c->wait);
}

enum ec client_fetch(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    enum ec ec;
    do {
        ec = client_execute(c, arena, NULL, 0);
    } while (!ec && c->more_notifications);
    talloc_free(arena);
    return ec;
}
