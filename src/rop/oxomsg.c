/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXOMSG]: sending. */
#include "rop/handlers.h"

/* [MS-OXOMSG] 3.2.5.1.  A message is sent once, and neither from associated content nor from within another message,
 * where no folder keeps it; what was not saved yet is. */
static enum ec send(struct rop_call *call, unsigned flags)
{
    struct store_message *message = call->object->message;
    if (store_message_is_embedded(message))
        return ecNotSupported;
    const uint32_t message_flags = store_message_u32(message, PidTagMessageFlags, 0);
    if (message_flags & 0x04)
        return ecSubmitted;
    if (message_flags & 0x40)
        return ecAccessDenied;
    const struct store_recipient *recipients;
    uint64_t mid;
    if (store_recipients(message, &recipients) == 0)
        return ecNoRecipients;
    const enum ec ec = store_message_save(message, false, &mid);
    return ec ? ec : call->services->submit(call->services->context, call->session, message, flags);
}

enum ec rop_SubmitMessage(struct rop_call *call, const struct RopSubmitMessageRequest *request,
                          struct RopSubmitMessageResponse *response)
{
    (void)response;
    return send(call, request->SubmitFlags);
}

/* [MS-OXOMSG] 3.2.5.2: what waits for its time is taken back, everything else is on its way when RopSubmitMessage
 * answers. */
enum ec rop_AbortSubmit(struct rop_call *call, const struct RopAbortSubmitRequest *request,
                        struct RopAbortSubmitResponse *response)
{
    (void)response;
    return call->services->abort(call->services->context, call->store, request->FolderId, request->MessageId);
}

/* [MS-OXOMSG] 2.2.3.6: as RopSubmitMessage.  Clients accept that no properties come back. */
enum ec rop_TransportSend(struct rop_call *call, const struct RopTransportSendRequest *request,
                          struct RopTransportSendResponse *response)
{
    (void)request;
    response->NoPropertiesReturned = true;
    return send(call, 0);
}

/* [MS-OXOMSG] 2.2.5.1: every client may act as a spooler. */
enum ec rop_SetSpooler(struct rop_call *call, const struct RopSetSpoolerRequest *request,
                       struct RopSetSpoolerResponse *response)
{
    (void)call, (void)request, (void)response;
    return ecNone;
}

/* [MS-OXOMSG] 2.2.5.3.1 */
enum { LOCK = 0, UNLOCK = 1, FINISHED = 2 };

/* [MS-OXOMSG] 3.2.5.3: a client takes a message of the spooler queue, and says when it has sent it by itself: then it
 * leaves the queue.  The server takes none from there, so a lock keeps nobody away. */
enum ec rop_SpoolerLockMessage(struct rop_call *call, const struct RopSpoolerLockMessageRequest *request,
                               struct RopSpoolerLockMessageResponse *response)
{
    struct store_message *message;
    bool partial;
    (void)response;
    if (request->LockState > FINISHED)
        return ecInvalidParam;
    enum ec ec = store_message_open(&message, call->arena, call->store, STORE_FID(SPECIAL_SPOOLER_QUEUE),
                                    request->MessageId, MESSAGE_READONLY);
    if (ec || request->LockState != FINISHED)
        return ec;
    const bool gone = store_message_u32(message, PidTagDeleteAfterSubmit, 0);
    talloc_free(message);
    return gone ? store_messages_delete(call->store, STORE_FID(SPECIAL_SPOOLER_QUEUE), &request->MessageId, 1, true,
                                        &partial)
                : store_messages_move(call->store, STORE_FID(SPECIAL_SPOOLER_QUEUE), STORE_FID(SPECIAL_SENT_ITEMS),
                                      &request->MessageId, 1, false, NULL, &partial);
}

/* [MS-OXOMSG] 2.2.3.5: a client has delivered a message by a transport of its own. */
enum ec rop_TransportNewMail(struct rop_call *call, const struct RopTransportNewMailRequest *request,
                             struct RopTransportNewMailResponse *response)
{
    (void)response;
    return store_message_announce(call->store, request->FolderId, request->MessageId);
}

/* [MS-OXOMSG] 3.2.5.3 */
enum ec rop_GetAddressTypes(struct rop_call *call, const struct RopGetAddressTypesRequest *request,
                            struct RopGetAddressTypesResponse *response)
{
    static const char *const types[] = { "EX", "SMTP" };
    (void)call, (void)request;
    response->AddressTypeCount = COUNTOF(types);
    response->AddressTypes = types;
    return ecNone;
}

/* [MS-OXOMSG] 2.2.4.4: no address type has options of its own, nor a help file about them. */
enum ec rop_OptionsData(struct rop_call *call, const struct RopOptionsDataRequest *request,
                        struct RopOptionsDataResponse *response)
{
    (void)call, (void)request, (void)response;
    return ecNone;
}

/* [MS-OXOMSG] 2.2.5.2: where a client keeps outgoing messages until it sends them. */
enum ec rop_GetTransportFolder(struct rop_call *call, const struct RopGetTransportFolderRequest *request,
                               struct RopGetTransportFolderResponse *response)
{
    (void)call, (void)request;
    response->FolderId = STORE_FID(SPECIAL_OUTBOX);
    return ecNone;
}
