/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCSTOR]: logon, receive folders, long-term ids. */
#include <time.h>

#include "rop/handlers.h"

enum { LOGON_PRIVATE = 0x01, LOGON_ANSWERED = 0x07 };
enum { OPEN_PUBLIC = 0x00000002, OPEN_ALTERNATE_SERVER = 0x00000100, OPEN_PER_MDB_MAPPING = 0x01000000, OPEN_KNOWN = 0x2100070F, LOGON_KNOWN = 0x0F };
enum { RESPONSE_RESERVED = 0x01, RESPONSE_OWNER = 0x02, RESPONSE_SEND_AS = 0x04, RESPONSE_OOF = 0x10 };
#define GWART_TIME 1u /* changes would make clients ask for the address types again */

static struct LogonTime logon_time(void)
{
    const time_t now = (time_t)filetime_to_unix(filetime_now());
    struct tm t;
    gmtime_r(&now, &t);
    return (struct LogonTime){ (uint8_t)t.tm_sec,           (uint8_t)t.tm_min,  (uint8_t)t.tm_hour,
                               (uint8_t)t.tm_wday,          (uint8_t)t.tm_mday, (uint8_t)(t.tm_mon + 1),
                               (uint16_t)(t.tm_year + 1900) };
}

/* [MS-OXCSTOR] 2.2.1.1.3 */
static const struct PrivateFolderIds *folder_ids(TALLOC_CTX *arena)
{
    struct PrivateFolderIds *f = talloc(arena, struct PrivateFolderIds);
    *f = (struct PrivateFolderIds){
        .Root = STORE_FID(SPECIAL_ROOT),
        .DeferredAction = STORE_FID(SPECIAL_DEFERRED_ACTION),
        .SpoolerQueue = STORE_FID(SPECIAL_SPOOLER_QUEUE),
        .IpmSubtree = STORE_FID(SPECIAL_IPM_SUBTREE),
        .Inbox = STORE_FID(SPECIAL_INBOX),
        .Outbox = STORE_FID(SPECIAL_OUTBOX),
        .SentItems = STORE_FID(SPECIAL_SENT_ITEMS),
        .DeletedItems = STORE_FID(SPECIAL_DELETED_ITEMS),
        .CommonViews = STORE_FID(SPECIAL_COMMON_VIEWS),
        .Schedule = STORE_FID(SPECIAL_SCHEDULE),
        .Search = STORE_FID(SPECIAL_SEARCH),
        .Views = STORE_FID(SPECIAL_VIEWS),
        .Shortcuts = STORE_FID(SPECIAL_SHORTCUTS),
    };
    return f;
}

/* 2.2.1.1.4; there are no folders for a locale, a site or news. */
static const struct PublicFolderIds *public_folder_ids(TALLOC_CTX *arena)
{
    struct PublicFolderIds *f = talloc(arena, struct PublicFolderIds);
    *f = (struct PublicFolderIds){
        .Root = STORE_FID(PUBLIC_ROOT),
        .IpmSubtree = STORE_FID(PUBLIC_IPM_SUBTREE),
        .NonIpmSubtree = STORE_FID(PUBLIC_NON_IPM_SUBTREE),
        .EFormsRegistry = STORE_FID(PUBLIC_EFORMS_REGISTRY),
        .FreeBusy = STORE_FID(PUBLIC_FREE_BUSY),
        .OfflineAddressBook = STORE_FID(PUBLIC_OFFLINE_BOOK),
    };
    return f;
}

/* Whose mailbox is asked for, and does it come in by MAPI at all? */
static enum ec logon_mailbox(struct rop_call *call, const char *essdn, const struct account **mailbox)
{
    *mailbox = directory_by_legacy_dn(sessions_directory(session_all(call->session)), call->arena, essdn);
    if (!*mailbox)
        return ecUnknownUser; /* [MS-OXCSTOR] 3.2.5.1.3 */
    if ((*mailbox)->kind == ACCOUNT_PUBLIC_FOLDERS)
        return ecLoginFailure; /* its folders are those of a public logon */
    if ((*mailbox)->kind == ACCOUNT_MAIL_FOLDER)
        return ecUnknownUser;
    return (*mailbox)->mapi_enabled ? ecNone : ecMailboxDisabled;
}

/* [MS-OXCSTOR] 2.2.1.1.3 */
static uint8_t response_flags(struct rop_call *call, const struct logon *logon)
{
    struct directory *directory = sessions_directory(session_all(call->session));
    const bool own = !logon->delegate;
    const bool sends = own || directory_rights(directory, logon->account, session_user(call->session)) & GRANT_SEND_AS;
    return RESPONSE_RESERVED | (logon->owner ? RESPONSE_OWNER : 0) | (sends ? RESPONSE_SEND_AS : 0);
}

/* [MS-OXCSTOR] 3.2.5.1.1: a second mailbox in one session has ids of its own, and the client must know that. */
static enum ec check_mapping(struct rop_call *call, const struct account *mailbox, uint32_t open_flags)
{
    const struct logon *first = session_other_logon(call->session, call->logon_id);
    const bool other = first && !guid_equal(first->account->mailbox_guid, mailbox->mailbox_guid);
    return other && !(open_flags & OPEN_PER_MDB_MAPPING) ? ecInvalidParam : ecNone; /* R803, R1820001 */
}

/* [MS-OXWOOF] 2.2.4.1; a mailbox that cannot be asked is answered as if its owner were there. */
static bool is_out_of_office(TALLOC_CTX *arena, struct store *store)
{
    const uint32_t tag = PidTagOutOfOfficeState;
    struct prop state;
    store_lock(store);
    const enum ec ec = store_get_props(arena, store, &tag, 1, STORE_VALUE_LIMIT, &state);
    store_unlock(store);
    return !ec && state.tag == tag && state.b;
}

/* 3.2.5.1.1 */
static enum ec logon_private(struct rop_call *call, const struct RopLogonRequest *request,
                             struct RopLogonResponse *response, struct logon **logon)
{
    const struct account *mailbox;
    enum ec ec = logon_mailbox(call, request->EssdnSize ? request->Essdn : "", &mailbox);
    if (!ec)
        ec = check_mapping(call, mailbox, request->OpenFlags);
    if (!ec)
        ec = session_logon(call->session, call->logon_id, mailbox, logon);
    if (ec)
        return ec;
    response->FolderIds = *folder_ids(call->arena);
    response->ResponseFlags =
        response_flags(call, *logon) | (is_out_of_office(call->arena, (*logon)->store) ? RESPONSE_OOF : 0);
    response->MailboxGuid = store_mailbox_guid((*logon)->store);
    response->LogonTime = logon_time();
    response->GwartTime = GWART_TIME;
    return ecNone;
}

/* 3.2.5.1.2: one server has all public folders, whatever Essdn, Ghosted and IGNORE_HOME_MDB say, and no other has. */
static enum ec logon_public(struct rop_call *call, const struct RopLogonRequest *request,
                            struct RopLogonResponse *response, struct logon **logon)
{
    const struct account *folders =
        directory_public_folders(sessions_directory(session_all(call->session)), call->arena);
    if (!folders || request->OpenFlags & OPEN_ALTERNATE_SERVER)
        return ecLoginFailure;
    const enum ec ec = session_logon(call->session, call->logon_id, folders, logon);
    response->PublicIds = *public_folder_ids(call->arena);
    return ec;
}

/* [MS-OXCSTOR] 3.2.5.1 */
enum ec rop_Logon(struct rop_call *call, const struct RopLogonRequest *request, struct RopLogonResponse *response)
{
    if (request->LogonFlags & ~LOGON_KNOWN || request->OpenFlags & ~(uint32_t)OPEN_KNOWN)
        return ecError;
    const bool is_private = request->LogonFlags & LOGON_PRIVATE;
    if (is_private == ((request->OpenFlags & OPEN_PUBLIC) != 0))
        return ecLoginFailure;
    if (!codepage_known(session_client(call->session)->code_page))
        return ecUnknownCodePage;

    struct logon *logon;
    *response = (struct RopLogonResponse){ .LogonFlags = request->LogonFlags & LOGON_ANSWERED };
    const enum ec ec = is_private ? logon_private(call, request, response, &logon)
                                  : logon_public(call, request, response, &logon);
    if (ec)
        return ec;
    call->opened = logon->object;
    response->ReplId = STORE_REPLICA_ID;
    response->ReplGuid = store_replica_guid(logon->store);
    return ecNone;
}

/* [MS-OXCSTOR] 3.2.5.2 */
enum ec rop_GetReceiveFolder(struct rop_call *call, const struct RopGetReceiveFolderRequest *request,
                             struct RopGetReceiveFolderResponse *response)
{
    if (call->logon->is_public)
        return ecNotSupported;
    return store_receive_folder(call->arena, call->store, request->MessageClass, &response->FolderId,
                                &response->ExplicitMessageClass);
}

/* [MS-OXCSTOR] 3.2.5.3 */
enum ec rop_SetReceiveFolder(struct rop_call *call, const struct RopSetReceiveFolderRequest *request,
                             struct RopSetReceiveFolderResponse *response)
{
    (void)response;
    if (call->logon->is_public)
        return ecNotSupported;
    return store_set_receive_folder(call->store, request->MessageClass, request->FolderId);
}

/* [MS-OXCSTOR] 3.2.5.4 */
enum ec rop_GetReceiveFolderTable(struct rop_call *call, const struct RopGetReceiveFolderTableRequest *request,
                                  struct RopGetReceiveFolderTableResponse *response)
{
    static const uint32_t columns[] = { PidTagFolderId, PROP_AS(PidTagMessageClass, PtypString8),
                                        PidTagLastModificationTime };
    struct store_receive_row *rows;
    uint32_t count;
    (void)request;
    if (call->logon->is_public)
        return ecNotSupported;
    enum ec ec = store_receive_table(call->arena, call->store, &rows, &count);
    if (ec)
        return ec;
    if (count == 0)
        return ecNoReceiveFolder;

    struct props *out = talloc_array(call->arena, struct props, count);
    for (uint32_t i = 0; i < count; i++) {
        struct prop *values = talloc_array(out, struct prop, COUNTOF(columns));
        values[0] = P_I64(columns[0], rows[i].fid);
        values[1] = P_STR(columns[1], rows[i].message_class);
        values[2] = P_TIME(columns[2], rows[i].modified);
        out[i] = (struct props){ COUNTOF(columns), values };
    }
    call->columns = columns;
    call->column_count = COUNTOF(columns);
    response->RowCount = count;
    response->Rows = out;
    return ecNone;
}

/* [MS-OXCSTOR] 3.2.5.5: servers do not implement it. */
enum ec rop_GetStoreState(struct rop_call *call, const struct RopGetStoreStateRequest *request,
                          struct RopGetStoreStateResponse *response)
{
    (void)request, (void)response;
    return call->logon->is_public ? ecNotSupported : ecNotImplemented;
}

/* [MS-OXCSTOR] 3.2.5.6: the one server that has the folder; on a private mailbox there are none. */
enum ec rop_GetOwningServers(struct rop_call *call, const struct RopGetOwningServersRequest *request,
                             struct RopGetOwningServersResponse *response)
{
    struct store_folder folder;
    if (!call->logon->is_public)
        return ecNotSupported;
    const enum ec ec = store_folder_row(call->arena, call->store, request->FolderId, &folder);
    if (ec)
        return ec;
    const char **servers = talloc_array(call->arena, const char *, 1);
    servers[0] = call->logon->account->legacy_dn;
    response->OwningServersCount = response->CheapServersCount = 1;
    response->OwningServers = servers;
    return ecNone;
}

/* [MS-OXCSTOR] 3.2.5.7: likewise, so that no folder is a ghost */
enum ec rop_PublicFolderIsGhosted(struct rop_call *call, const struct RopPublicFolderIsGhostedRequest *request,
                                  struct RopPublicFolderIsGhostedResponse *response)
{
    struct store_folder folder;
    response->IsGhosted = false;
    return call->logon->is_public ? store_folder_row(call->arena, call->store, request->FolderId, &folder) : ecNone;
}

/* [MS-OXCSTOR] 3.2.5.8 */
enum ec rop_LongTermIdFromId(struct rop_call *call, const struct RopLongTermIdFromIdRequest *request,
                             struct RopLongTermIdFromIdResponse *response)
{
    return store_long_term_id(call->store, request->ObjectId, &response->LongTermId);
}

/* [MS-OXCSTOR] 3.2.5.9 */
enum ec rop_IdFromLongTermId(struct rop_call *call, const struct RopIdFromLongTermIdRequest *request,
                             struct RopIdFromLongTermIdResponse *response)
{
    return store_id_from_long_term(call->store, &request->LongTermId, &response->ObjectId);
}
