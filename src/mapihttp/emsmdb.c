/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox endpoint's requests: [MS-OXCMAPIHTTP] 2.2.4, with what [MS-OXCRPC] 3.1.4.1 and 3.1.4.2 say about the
 * calls that they stand for. */
#include "mapihttp/internal.h"
#include "wire/extended.h"

/* What a client does when the server does not answer: [MS-OXCRPC] 3.1.4.1 */
enum { POLLS_MAX_MS = 60000, RETRY_COUNT = 6, RETRY_DELAY_MS = 10000 };
enum { AUX_TYPE_CLIENT_CONTROL = 0x0A, AUX_TYPE_EXORGINFO = 0x17, AUX_TYPE_ENDPOINT_CAPABILITIES = 0x48 };
enum { ENABLE_COMPRESSION = 0x04, ENABLE_HTTP_TUNNELING = 0x08 };
enum { PUBLIC_FOLDERS_ENABLED = 0x01, USE_AUTODISCOVER_FOR_PUBLIC_FOLDER_CONFIGURATION = 0x02 };
#define CLIENT_CONTROL_EXPIRY_MS 604800000u
#define CONNECT_AS_ADMINISTRATOR 0x1u

static void put_block(struct buf *to, uint8_t type, const struct wire_struct *description, const void *block)
{
    struct wire_out out = wire_out(to);
    const size_t at = to->size;
    wire_put(&out, &AUX_HEADER_wire, &(struct AUX_HEADER){ .Version = 1, .Type = type });
    wire_put(&out, description, block);
    put_le16(to->data + at, (uint16_t)(to->size - at));
}

/* [MS-OXCRPC] 3.1.4.1.2.1: without EXORGINFO a client believes in public folders. */
static struct blob connect_aux(TALLOC_CTX *arena, struct directory *directory)
{
    const uint32_t flags = directory_public_folders(directory, arena)
                               ? PUBLIC_FOLDERS_ENABLED | USE_AUTODISCOVER_FOR_PUBLIC_FOLDER_CONFIGURATION
                               : 0;
    struct buf blocks, out;
    buf_init(&blocks, arena);
    buf_init(&out, arena);
    put_block(&blocks, AUX_TYPE_EXORGINFO, &AUX_EXORGINFO_wire, &(struct AUX_EXORGINFO){ .OrgFlags = flags });
    put_block(&blocks, AUX_TYPE_CLIENT_CONTROL, &AUX_CLIENT_CONTROL_wire,
              &(struct AUX_CLIENT_CONTROL){ ENABLE_COMPRESSION | ENABLE_HTTP_TUNNELING, CLIENT_CONTROL_EXPIRY_MS });
    put_block(&blocks, AUX_TYPE_ENDPOINT_CAPABILITIES, &AUX_ENDPOINT_CAPABILITIES_wire,
              &(struct AUX_ENDPOINT_CAPABILITIES){ .EndpointCapabilityFlag = 1 });
    extended_put(&out, buf_blob(&blocks), EXTENDED_LAST);
    return buf_blob(&out);
}

/* `Outlook/16.0.15928.20006` as [MS-OXCRPC] 3.2.4.1.3 packs the four numbers into three. */
static void client_version(const char *application, uint16_t version[3])
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    const char *slash = application ? strchr(application, '/') : NULL;
    if (slash && sscanf(slash + 1, "%5u.%5u.%5u.%5u", &a, &b, &c, &d) == 4) {
        version[0] = (uint16_t)(a << 8 | (b & 0xFF));
        version[1] = (uint16_t)(c | 0x8000);
        version[2] = (uint16_t)d;
    }
}

/* [MS-OXCRPC] 3.1.4.1.  The code page is looked at by RopLogon. */
static enum ec check_connect(struct mapihttp_call *call, const struct ConnectRequest *request)
{
    if (!*request->UserDn)
        return ecAccessDenied;
    const struct account *named =
        directory_by_legacy_dn(sessions_directory(call->server->config.sessions), call->arena, request->UserDn);
    if (!named)
        return ecUnknownUser;
    if (!guid_equal(named->mailbox_guid, call->user->mailbox_guid))
        return ecAccessDenied; /* a session is its user's own; other mailboxes are for RopLogon */
    return request->Flags & CONNECT_AS_ADMINISTRATOR ? ecLoginPerm : ecNone;
}

/* [MS-OXCMAPIHTTP] 3.2.5.1, [MS-OXCRPC] 3.1.4.1 */
enum response_code mapihttp_Connect(struct mapihttp_call *call, const struct ConnectRequest *request,
                                    struct ConnectResponse *response)
{
    struct client_info client = {
        .code_page = request->DefaultCodePage,
        .sort_locale = request->LcidSort,
        .string_locale = request->LcidString,
        .application = http_header(&call->http->headers, "X-ClientApplication"),
    };
    client_version(client.application, client.version);
    response->ErrorCode = (uint32_t)check_connect(call, request);
    struct session *session =
        response->ErrorCode ? NULL : session_new(call->server->config.sessions, call->user->mailbox_guid, &client);
    if (session)
        begin_context(call, ENDPOINT_EMSMDB, session);
    else if (!response->ErrorCode)
        response->ErrorCode = ecUnknownUser; /* gone between the two looks at the directory */
    response->PollsMax = POLLS_MAX_MS;
    response->RetryCount = RETRY_COUNT;
    response->RetryDelay = RETRY_DELAY_MS;
    response->DnPrefix = ""; /* distinguished names are always whole */
    response->DisplayName = call->user->display_name;
    response->AuxiliaryBuffer = connect_aux(call->arena, sessions_directory(call->server->config.sessions));
    response->AuxiliaryBufferSize = (uint32_t)response->AuxiliaryBuffer.size;
    return CODE_SUCCESS;
}

/* What the RPC call does not return but raises, and what [MS-OXCROPS] 3.2.4.3 says of an answer that never fits. */
static bool is_status(enum ec ec)
{
    return ec == ecBadStubData || ec == ecBufferTooSmall;
}

/* [MS-OXCMAPIHTTP] 2.2.4.2: trouble with the buffer is in ErrorCode, that of a ROP inside the ROP buffer. */
enum response_code mapihttp_Execute(struct mapihttp_call *call, const struct ExecuteRequest *request,
                                    struct ExecuteResponse *response)
{
    struct session *session = call->context->session;
    struct buf out;
    if (!session_begin(session))
        return CODE_INVALID_SEQUENCE;
    buf_init(&out, call->arena);
    const enum ec ec = rop_execute(call->arena, &call->server->config.services, session, request->RopBuffer,
                                   request->Flags, request->MaxRopOut, &out);
    session_end(session);
    if (ec)
        log_line(LOG_WARNING, "mapihttp", "%s: Execute failed as a whole with %s: %s", call->user->logon_name,
                 ec_name(ec), ec_text(ec));
    *(is_status(ec) ? &response->StatusCode : &response->ErrorCode) = (uint32_t)ec;
    response->RopBuffer = ec ? BLOB_OF(NULL, 0) : buf_blob(&out);
    response->RopBufferSize = (uint32_t)response->RopBuffer.size;
    return CODE_SUCCESS;
}

/* [MS-OXCMAPIHTTP] 3.2.5.4: the context goes when its last request is done. */
enum response_code mapihttp_Disconnect(struct mapihttp_call *call, const struct DisconnectRequest *request,
                                       struct DisconnectResponse *response)
{
    (void)call, (void)request;
    response->ErrorCode = ecNone;
    return CODE_SUCCESS;
}

/* ---- the server ---- */

static uint32_t or_default(uint32_t value, uint32_t otherwise)
{
    return value ? value : otherwise;
}

struct mapihttp *mapihttp_new(TALLOC_CTX *owner, const struct mapihttp_config *config)
{
    struct mapihttp *m = talloc_zero(owner, struct mapihttp);
    m->config = *config;
    m->config.expiration_ms = or_default(config->expiration_ms, 900000);
    m->config.pending_ms = or_default(config->pending_ms, 30000);
    m->config.slow_ms = or_default(config->slow_ms, 2000);
    m->config.wait_ms = or_default(config->wait_ms, 300000);
    m->config.contexts_per_user = or_default(config->contexts_per_user, 100);
    contexts_start(m);
    return m;
}

void mapihttp_close(struct mapihttp *m)
{
    contexts_stop(m);
    pthread_cond_destroy(&m->wake);
    pthread_mutex_destroy(&m->lock);
    talloc_free(m);
}

uint32_t mapihttp_contexts(struct mapihttp *m)
{
    pthread_mutex_lock(&m->lock);
    const uint32_t count = m->count;
    pthread_mutex_unlock(&m->lock);
    return count;
}
