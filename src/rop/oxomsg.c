/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXOMSG]: sending. */
#include "rop/handlers.h"

/* [MS-OXOMSG] 3.2.5.1.  A message is sent once, and neither from associated content nor from within another message,
 * where no folder keeps it; what was not saved yet is. */
enum ec rop_SubmitMessage(struct rop_call *call, const struct RopSubmitMessageRequest *request,
                          struct RopSubmitMessageResponse *response)
{
    (void)response;
    struct store_message *message = call->object->message;
    if (store_message_is_embedded(message))
        return ecNotSupported;
    const uint32_t flags = store_message_u32(message, PidTagMessageFlags, 0);
    if (flags & 0x04)
        return ecSubmitted;
    if (flags & 0x40)
        return ecAccessDenied;
    const struct store_recipient *recipients;
    uint64_t mid;
    if (store_recipients(message, &recipients) == 0)
        return ecNoRecipients;
    const enum ec ec = store_message_save(message, false, &mid);
    return ec ? ec : call->services->submit(call->services->context, call->session, message, request->SubmitFlags);
}

/* [MS-OXOMSG] 3.2.5.2: submission is over when RopSubmitMessage answers, so there is nothing to take back. */
enum ec rop_AbortSubmit(struct rop_call *call, const struct RopAbortSubmitRequest *request,
                        struct RopAbortSubmitResponse *response)
{
    (void)call, (void)request, (void)response;
    return ecUnableToAbort;
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
