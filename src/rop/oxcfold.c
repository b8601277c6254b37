/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFOLD]: folders, and what happens to many messages of a folder at once. */
#include "rop/handlers.h"

enum { DEL_MESSAGES = 0x01, DEL_FOLDERS = 0x04, DELETE_HARD_DELETE = 0x10 };
enum { TABLE_NO_NOTIFICATIONS = 0x10, TABLE_SUPPRESSES_NOTIFICATIONS = 0x80, CONTENTS_CONVERSATION_MEMBERS = 0x80 };
enum { CONTENTS_UNKNOWN = 0x05 };

static enum ec open_folder(struct rop_call *call, uint64_t fid)
{
    struct object *folder;
    const enum ec ec = rop_open(call, NULL, OBJECT_FOLDER, &folder);
    if (!ec)
        folder->fid = fid;
    return ec;
}

/* [MS-OXCFOLD] 3.2.5.1 */
enum ec rop_OpenFolder(struct rop_call *call, const struct RopOpenFolderRequest *request,
                       struct RopOpenFolderResponse *response)
{
    struct store_folder folder;
    const enum ec ec = store_folder_row(call->arena, call->store, request->FolderId, &folder);
    if (ec)
        return ec;
    response->HasRules = folder.has_rules;
    return open_folder(call, request->FolderId);
}

/* [MS-OXCFOLD] 3.2.5.2.  A name has to be there; Reserved is not looked at. */
enum ec rop_CreateFolder(struct rop_call *call, const struct RopCreateFolderRequest *request,
                         struct RopCreateFolderResponse *response)
{
    if ((request->FolderType != FOLDER_GENERIC && request->FolderType != FOLDER_SEARCH) || !*request->DisplayName)
        return ecInvalidParam;
    const enum ec ec =
        store_folder_create(call->store, call->object->fid, request->FolderType, request->DisplayName, request->Comment,
                            request->OpenExisting, &response->FolderId, &response->IsExistingFolder);
    return ec ? ec : open_folder(call, response->FolderId);
}

/* [MS-OXCFOLD] 3.2.5.3.  A folder that is not empty stays, and the answer is still success, with PartialCompletion. */
enum ec rop_DeleteFolder(struct rop_call *call, const struct RopDeleteFolderRequest *request,
                         struct RopDeleteFolderResponse *response)
{
    const uint8_t flags = request->DeleteFolderFlags;
    if (flags & ~(DEL_MESSAGES | DEL_FOLDERS | DELETE_HARD_DELETE))
        return ecInvalidParam;
    return store_folder_delete(call->store, call->object->fid, request->FolderId,
                               (flags & DEL_MESSAGES ? STORE_MESSAGES : 0) | (flags & DEL_FOLDERS ? STORE_FOLDERS : 0) |
                                   (flags & DELETE_HARD_DELETE ? STORE_HARD : 0),
                               &response->PartialCompletion);
}

/* Both folders of a ROP must be of one mailbox: ids are not known in another. */
static enum ec same_store(const struct rop_call *call)
{
    return call->destination->logon->store == call->store ? ecNone : ecNotSupported;
}

/* [MS-OXCFOLD] 3.2.5.6.  All of it is done at once, whatever WantAsynchronous says. */
enum ec rop_MoveCopyMessages(struct rop_call *call, const struct RopMoveCopyMessagesRequest *request,
                             struct RopMoveCopyMessagesResponse *response)
{
    const enum ec ec = same_store(call);
    return ec ? ec
              : store_messages_move(call->store, call->object->fid, call->destination->fid, request->MessageIds,
                                    request->MessageIdCount, request->WantCopy, NULL, &response->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.7 */
enum ec rop_MoveFolder(struct rop_call *call, const struct RopMoveFolderRequest *request,
                       struct RopMoveFolderResponse *response)
{
    (void)response;
    const enum ec ec = same_store(call);
    return ec ? ec
              : store_folder_move(call->store, call->object->fid, request->FolderId, call->destination->fid,
                                  request->NewFolderName);
}

/* [MS-OXCFOLD] 3.2.5.8 */
enum ec rop_CopyFolder(struct rop_call *call, const struct RopCopyFolderRequest *request,
                       struct RopCopyFolderResponse *response)
{
    (void)response;
    const enum ec ec = same_store(call);
    return ec ? ec
              : store_folder_copy(call->store, call->object->fid, request->FolderId, call->destination->fid,
                                  request->NewFolderName, request->WantRecursive);
}

/* [MS-OXCFOLD] 3.2.5.9 */
enum ec rop_EmptyFolder(struct rop_call *call, const struct RopEmptyFolderRequest *request,
                        struct RopEmptyFolderResponse *response)
{
    return store_folder_empty(call->store, call->object->fid,
                              STORE_MESSAGES | STORE_FOLDERS | (request->WantDeleteAssociated ? STORE_ASSOCIATED : 0),
                              &response->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.10 */
enum ec rop_HardDeleteMessagesAndSubfolders(struct rop_call *call,
                                            const struct RopHardDeleteMessagesAndSubfoldersRequest *request,
                                            struct RopHardDeleteMessagesAndSubfoldersResponse *response)
{
    return store_folder_empty(call->store, call->object->fid,
                              STORE_MESSAGES | STORE_FOLDERS | STORE_HARD |
                                  (request->WantDeleteAssociated ? STORE_ASSOCIATED : 0),
                              &response->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.11 */
enum ec rop_DeleteMessages(struct rop_call *call, const struct RopDeleteMessagesRequest *request,
                           struct RopDeleteMessagesResponse *response)
{
    return store_messages_delete(call->store, call->object->fid, request->MessageIds, request->MessageIdCount, false,
                                 &response->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.12 */
enum ec rop_HardDeleteMessages(struct rop_call *call, const struct RopHardDeleteMessagesRequest *request,
                               struct RopHardDeleteMessagesResponse *response)
{
    return store_messages_delete(call->store, call->object->fid, request->MessageIds, request->MessageIdCount, true,
                                 &response->PartialCompletion);
}

/* [MS-OXCFOLD] 3.2.5.13; of the logon: the mailbox' root */
enum ec rop_GetHierarchyTable(struct rop_call *call, const struct RopGetHierarchyTableRequest *request,
                              struct RopGetHierarchyTableResponse *response)
{
    const uint64_t fid = call->object->type == OBJECT_LOGON ? STORE_FID(SPECIAL_ROOT) : call->object->fid;
    struct object *table;
    enum ec ec = rop_open(call, NULL, OBJECT_HIERARCHY, &table);
    if (ec)
        return ec;
    table->fid = fid;
    table->notify = !(request->TableFlags & (TABLE_NO_NOTIFICATIONS | TABLE_SUPPRESSES_NOTIFICATIONS));
    ec = store_hierarchy_table(&table->table, table, call->store, fid,
                               request->TableFlags & (TABLE_DEPTH | TABLE_SOFT_DELETES), &response->RowCount);
    if (!ec)
        store_table_set_locale(table->table, session_client(call->session)->sort_locale);
    return ec;
}

/* [MS-OXCFOLD] 3.2.5.14.  Conversations are not grouped, so they have no members to show. */
enum ec rop_GetContentsTable(struct rop_call *call, const struct RopGetContentsTableRequest *request,
                             struct RopGetContentsTableResponse *response)
{
    struct object *table;
    if (request->TableFlags & CONTENTS_UNKNOWN)
        return ecInvalidParam;
    if (request->TableFlags & CONTENTS_CONVERSATION_MEMBERS)
        return ecNotSupported;
    enum ec ec = rop_open(call, NULL, OBJECT_CONTENTS, &table);
    if (ec)
        return ec;
    table->fid = call->object->fid;
    table->notify = !(request->TableFlags & TABLE_NO_NOTIFICATIONS);
    ec = store_contents_table(&table->table, table, call->store, table->fid,
                              request->TableFlags & (TABLE_ASSOCIATED | TABLE_SOFT_DELETES), &response->RowCount);
    if (!ec)
        store_table_set_locale(table->table, session_client(call->session)->sort_locale);
    return ec;
}
