/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCMSG]: messages, recipients, attachments, read and status flags. */
#include "rop/handlers.h"
#include "rop/ics_state.h"
#include "rop/recipient_row.h"

enum { KEEP_OPEN_READ_ONLY = 0x01, KEEP_OPEN_READ_WRITE = 0x02, FORCE_SAVE = 0x04, SAVE_FLAGS = 0x0F };
enum { EMBEDDED_CREATE = 0x02 };
#define ROWS_MAX 255u       /* RowCount is one byte */
#define SUBJECT_SHOWN 4096u /* bytes of it that every answer has room for */

/* ---- what opening answers: [MS-OXCROPS] 2.2.6.1.2 ---- */

/* Recipients from `first` on as far as they fit into `room`, as rows of `size` bytes made by `make`. */
static uint32_t rows_that_fit(struct rop_call *call, const struct wire_struct *kind, const void *rows, uint32_t count,
                              const uint32_t *columns, uint16_t column_count, size_t room)
{
    struct buf bytes;
    buf_init(&bytes, call->arena);
    struct wire_out out = wire_out(&bytes);
    out.limit = room;
    out.codepage = call->codepage;
    out.columns = columns;
    out.column_count = column_count;
    uint32_t n = 0;
    while (n < MIN(count, ROWS_MAX) && wire_put(&out, kind, (const uint8_t *)rows + n * kind->size))
        n++;
    return n;
}

static size_t head_size(const struct RopOpenMessageResponse *r)
{
    return 32 + 2 * (r->SubjectPrefix ? strlen(r->SubjectPrefix) : 0) +
           2 * (r->NormalizedSubject ? strlen(r->NormalizedSubject) : 0) + 4u * r->ColumnCount;
}

static void fill_recipients(struct rop_call *call, struct store_message *message, struct RopOpenMessageResponse *r)
{
    const struct store_recipient *all;
    const uint32_t count = store_recipients(message, &all);
    r->RecipientCount = (uint16_t)MIN(count, UINT16_MAX);
    r->RecipientColumns = recipient_columns(call->arena, message, &r->ColumnCount);
    struct OpenRecipientRow *rows = talloc_zero_array(call->arena, struct OpenRecipientRow, MIN(count, ROWS_MAX) + 1);
    for (uint32_t i = 0; i < MIN(count, ROWS_MAX); i++) {
        rows[i].RecipientType = all[i].type;
        rows[i].CodePageId = (uint16_t)call->codepage;
        rows[i].RecipientRow = recipient_row(call->arena, &all[i], r->RecipientColumns, r->ColumnCount);
    }
    const size_t head = head_size(r);
    r->RowCount = (uint8_t)rows_that_fit(call, &OpenRecipientRow_wire, rows, count, r->RecipientColumns, r->ColumnCount,
                                         call->room > head ? call->room - head : 0);
    r->RecipientRows = rows;
}

/* The start of a text; all of it is a property. */
static const char *shown_text(struct rop_call *call, struct store_message *message, uint32_t tag)
{
    const char *text = store_message_text(call->arena, message, tag);
    return text ? talloc_strndup(call->arena, text, utf8_start(text, SUBJECT_SHOWN)) : NULL;
}

static void fill_head(struct rop_call *call, struct store_message *message, struct RopOpenMessageResponse *r)
{
    static const uint32_t tags[] = { PidTagHasNamedProperties };
    struct prop value;
    if (store_message_get(call->arena, message, tags, 1, STORE_VALUE_LIMIT, &value) == ecNone)
        r->HasNamedProperties = PROP_TYPE(value.tag) == PtypBoolean && value.b;
    r->SubjectPrefix = shown_text(call, message, PidTagSubjectPrefix);
    r->NormalizedSubject = shown_text(call, message, PidTagNormalizedSubject);
    fill_recipients(call, message, r);
}

/* ---- messages ---- */

/* [MS-OXCMSG] 3.2.5.1 */
enum ec rop_OpenMessage(struct rop_call *call, const struct RopOpenMessageRequest *request,
                        struct RopOpenMessageResponse *response)
{
    struct object *o;
    enum ec ec = rop_open(call, NULL, OBJECT_MESSAGE, &o);
    if (ec)
        return ec;
    o->fid = request->FolderId;
    ec = rop_set_codepage(call, o, request->CodePageId);
    if (!ec)
        ec = store_message_open(&o->message, o, call->store, request->FolderId, request->MessageId,
                                request->OpenModeFlags);
    if (ec)
        return ec;
    o->right = store_message_is_own(o->message) ? 0 : RIGHT_READ_ANY;
    fill_head(call, o->message, response);
    return ecNone;
}

/* [MS-OXCMSG] 3.2.5.2: what the store cannot know */
static enum ec take_locale(struct rop_call *call, struct store_message *message)
{
    enum ec result = ecNone;
    const struct prop locale = P_I32(PidTagMessageLocaleId, session_client(call->session)->string_locale);
    return store_message_set(message, &locale, 1, &result);
}

/* [MS-OXCMSG] 3.2.5.2 */
enum ec rop_CreateMessage(struct rop_call *call, const struct RopCreateMessageRequest *request,
                          struct RopCreateMessageResponse *response)
{
    (void)response;
    struct object *o;
    enum ec ec = rop_open(call, NULL, OBJECT_MESSAGE, &o);
    if (!ec)
        ec = rop_set_codepage(call, o, request->CodePageId);
    if (ec)
        return ec;
    o->fid = request->FolderId;
    o->right = 0; /* it is his who makes it */
    ec = store_message_new(&o->message, o, call->store, request->FolderId, request->AssociatedFlag);
    return ec ? ec : take_locale(call, o->message);
}

/* A mailbox that may receive nothing more takes no new messages either; what is there can be changed and deleted. */
static enum ec check_room(struct rop_call *call, const struct store_message *message)
{
    if (store_message_mid(message) || store_message_is_embedded(message))
        return ecNone;
    struct directory *directory = sessions_directory(session_all(call->session));
    const struct org_quota quota = directory_quota(directory, call->logon->account->mailbox_guid);
    uint64_t size = 0;
    const enum ec ec = quota.receive == ORG_UNLIMITED ? ecNone : store_size(call->store, &size);
    return !ec && quota.receive != ORG_UNLIMITED && size > (uint64_t)quota.receive ? ecShutoffQuotaExceeded : ec;
}

/* [MS-OXCMSG] 3.2.5.3 */
enum ec rop_SaveChangesMessage(struct rop_call *call, const struct RopSaveChangesMessageRequest *request,
                               struct RopSaveChangesMessageResponse *response)
{
    struct store_message *message = call->object->message;
    enum ec ec = check_room(call, message);
    if (!ec)
        ec = store_message_save(message, request->SaveFlags & FORCE_SAVE, &response->MessageId);
    if (ec)
        return ec;
    ics_collect_message(call, call->object);
    if (!(request->SaveFlags & (KEEP_OPEN_READ_WRITE | FORCE_SAVE)))
        store_message_set_mode(message, MESSAGE_READONLY);
    response->InputHandleIndex = call->index;
    return ecNone;
}

/* [MS-OXCMSG] 3.2.5.4 */
enum ec rop_RemoveAllRecipients(struct rop_call *call, const struct RopRemoveAllRecipientsRequest *request,
                                struct RopRemoveAllRecipientsResponse *response)
{
    (void)request, (void)response;
    if (!store_message_writable(call->object->message))
        return ecAccessDenied;
    store_recipients_clear(call->object->message);
    return ecNone;
}

/* [MS-OXCMSG] 3.2.5.5: each row replaces or removes one */
enum ec rop_ModifyRecipients(struct rop_call *call, const struct RopModifyRecipientsRequest *request,
                             struct RopModifyRecipientsResponse *response)
{
    (void)response;
    struct store_message *message = call->object->message;
    if (!store_message_writable(message))
        return ecAccessDenied;
    for (unsigned i = 0; i < request->RowCount; i++) {
        const struct ModifyRecipientRow *row = &request->RecipientRows[i];
        if (row->RecipientRowSize == 0) {
            store_recipient_remove(message, row->RowId);
            continue;
        }
        const struct store_recipient recipient = recipient_of_row(call->arena, row);
        const enum ec ec = store_recipient_put(message, &recipient);
        if (ec)
            return ec;
    }
    return ecNone;
}

/* [MS-OXCMSG] 3.2.5.6: from RowId on; none there is ecNotFound */
enum ec rop_ReadRecipients(struct rop_call *call, const struct RopReadRecipientsRequest *request,
                           struct RopReadRecipientsResponse *response)
{
    struct store_message *message = call->object->message;
    const struct store_recipient *all;
    const uint32_t count = store_recipients(message, &all);
    uint32_t first = 0;
    while (first < count && all[first].row_id < request->RowId)
        first++;
    if (first == count)
        return ecNotFound;

    uint16_t column_count;
    const uint32_t *columns = recipient_columns(call->arena, message, &column_count);
    const uint32_t most = MIN(count - first, ROWS_MAX);
    struct ReadRecipientRow *rows = talloc_zero_array(call->arena, struct ReadRecipientRow, most);
    for (uint32_t i = 0; i < most; i++) {
        rows[i].RowId = all[first + i].row_id;
        rows[i].RecipientType = all[first + i].type;
        rows[i].CodePageId = (uint16_t)call->codepage;
        rows[i].RecipientRow = recipient_row(call->arena, &all[first + i], columns, column_count);
    }
    response->RowCount =
        (uint8_t)rows_that_fit(call, &ReadRecipientRow_wire, rows, most, columns, column_count, call->room - 1);
    response->RecipientRows = rows;
    call->columns = columns;
    call->column_count = column_count;
    return response->RowCount ? ecNone : ecBufferTooSmall;
}

/* [MS-OXCMSG] 3.2.5.7: the answer of RopOpenMessage again, member by member */
enum ec rop_ReloadCachedInformation(struct rop_call *call, const struct RopReloadCachedInformationRequest *request,
                                    struct RopReloadCachedInformationResponse *response)
{
    (void)request;
    struct RopOpenMessageResponse head = { 0 };
    fill_head(call, call->object->message, &head);
    *response = (struct RopReloadCachedInformationResponse){
        .HasNamedProperties = head.HasNamedProperties,
        .SubjectPrefix = head.SubjectPrefix,
        .NormalizedSubject = head.NormalizedSubject,
        .RecipientCount = head.RecipientCount,
        .ColumnCount = head.ColumnCount,
        .RecipientColumns = head.RecipientColumns,
        .RowCount = head.RowCount,
        .RecipientRows = head.RecipientRows,
    };
    return ecNone;
}

/* ---- flags ---- */

/* [MS-OXCMSG] 3.2.5.8 */
enum ec rop_SetMessageStatus(struct rop_call *call, const struct RopSetMessageStatusRequest *request,
                             struct RopSetMessageStatusResponse *response)
{
    return store_message_status(call->store, call->object->fid, request->MessageId, request->MessageStatusFlags,
                                request->MessageStatusMask, &response->MessageStatusFlags);
}

/* [MS-OXCMSG] 3.2.5.9 */
enum ec rop_GetMessageStatus(struct rop_call *call, const struct RopGetMessageStatusRequest *request,
                             struct RopGetMessageStatusResponse *response)
{
    return store_message_status(call->store, call->object->fid, request->MessageId, 0, 0,
                                &response->MessageStatusFlags);
}

/* [MS-OXCMSG] 3.2.5.10 */
enum ec rop_SetReadFlags(struct rop_call *call, const struct RopSetReadFlagsRequest *request,
                         struct RopSetReadFlagsResponse *response)
{
    return store_set_read_flags(call->store, call->object->fid, request->MessageIds, request->MessageIdCount,
                                request->ReadFlags, &response->PartialCompletion);
}

/* [MS-OXCMSG] 3.2.5.11: ReadStatusChanged speaks of public folders alone */
enum ec rop_SetMessageReadFlag(struct rop_call *call, const struct RopSetMessageReadFlagRequest *request,
                               struct RopSetMessageReadFlagResponse *response)
{
    bool changed;
    response->ReadStatusChanged = false;
    return store_message_set_read(call->object->message, request->ReadFlags, &changed);
}

/* ---- attachments ---- */

/* [MS-OXCMSG] 3.2.5.12 */
enum ec rop_OpenAttachment(struct rop_call *call, const struct RopOpenAttachmentRequest *request,
                           struct RopOpenAttachmentResponse *response)
{
    (void)response;
    struct object *o;
    const enum ec ec = rop_open(call, call->object, OBJECT_ATTACHMENT, &o);
    return ec ? ec
              : store_attachment_open(&o->attachment, o, call->object->message, request->AttachmentID,
                                      request->OpenAttachmentFlags);
}

/* [MS-OXCMSG] 3.2.5.13 */
enum ec rop_CreateAttachment(struct rop_call *call, const struct RopCreateAttachmentRequest *request,
                             struct RopCreateAttachmentResponse *response)
{
    (void)request;
    struct object *o;
    const enum ec ec = rop_open(call, call->object, OBJECT_ATTACHMENT, &o);
    return ec ? ec : store_attachment_new(&o->attachment, o, call->object->message, &response->AttachmentID);
}

/* [MS-OXCMSG] 3.2.5.14 */
enum ec rop_DeleteAttachment(struct rop_call *call, const struct RopDeleteAttachmentRequest *request,
                             struct RopDeleteAttachmentResponse *response)
{
    (void)response;
    return store_attachment_delete(call->object->message, request->AttachmentID);
}

/* [MS-OXCMSG] 3.2.5.15 */
enum ec rop_SaveChangesAttachment(struct rop_call *call, const struct RopSaveChangesAttachmentRequest *request,
                                  struct RopSaveChangesAttachmentResponse *response)
{
    (void)response;
    const uint8_t keep_open = request->SaveFlags & (KEEP_OPEN_READ_ONLY | KEEP_OPEN_READ_WRITE);
    if (request->SaveFlags & ~SAVE_FLAGS || keep_open == (KEEP_OPEN_READ_ONLY | KEEP_OPEN_READ_WRITE))
        return ecNotSupported;
    return store_attachment_save(call->object->attachment);
}

/* [MS-OXCMSG] 3.2.5.16 */
enum ec rop_OpenEmbeddedMessage(struct rop_call *call, const struct RopOpenEmbeddedMessageRequest *request,
                                struct RopOpenEmbeddedMessageResponse *response)
{
    struct object *o;
    enum ec ec = rop_open(call, call->object, OBJECT_MESSAGE, &o);
    if (!ec)
        ec = rop_set_codepage(call, o, request->CodePageId);
    if (!ec)
        ec = store_embedded_open(&o->message, o, call->object->attachment, request->OpenModeFlags & ~EMBEDDED_CREATE,
                                 request->OpenModeFlags & EMBEDDED_CREATE);
    if (ec)
        return ec;
    struct RopOpenMessageResponse head = { 0 };
    fill_head(call, o->message, &head);
    *response = (struct RopOpenEmbeddedMessageResponse){
        .MessageId = store_message_mid(o->message),
        .HasNamedProperties = head.HasNamedProperties,
        .SubjectPrefix = head.SubjectPrefix,
        .NormalizedSubject = head.NormalizedSubject,
        .RecipientCount = head.RecipientCount,
        .ColumnCount = head.ColumnCount,
        .RecipientColumns = head.RecipientColumns,
        .RowCount = head.RowCount,
        .RecipientRows = head.RecipientRows,
    };
    return ecNone;
}

/* [MS-OXCMSG] 3.2.5.17 */
enum ec rop_GetAttachmentTable(struct rop_call *call, const struct RopGetAttachmentTableRequest *request,
                               struct RopGetAttachmentTableResponse *response)
{
    (void)response;
    struct object *o;
    const enum ec ec = rop_open(call, call->object, OBJECT_ATTACHMENTS, &o);
    return ec ? ec : store_attachment_table(&o->table, o, call->object->message, request->TableFlags);
}

/* [MS-OXCROPS] 2.2.6.18 */
enum ec rop_GetValidAttachments(struct rop_call *call, const struct RopGetValidAttachmentsRequest *request,
                                struct RopGetValidAttachmentsResponse *response)
{
    (void)request;
    uint32_t count;
    const enum ec ec = store_attachments(call->arena, call->object->message, &response->AttachmentIdArray, &count);
    response->AttachmentIdCount = (uint16_t)MIN(count, UINT16_MAX);
    return ec;
}
