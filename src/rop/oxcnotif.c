/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCNOTIF]: subscriptions.  What they bring is made in session/notify.c. */
#include "rop/handlers.h"

/* NewMail, ObjectCreated, ...Deleted, ...Modified, ...Moved, ...Copied, SearchCompleted: [MS-OXCROPS] 2.2.14.1.1; and
 * TableModified, which every table says by itself. */
#define EVENTS 0x01FE

/* [MS-OXCNOTIF] 3.1.5.2 */
enum ec rop_RegisterNotification(struct rop_call *call, const struct RopRegisterNotificationRequest *request,
                                 struct RopRegisterNotificationResponse *response)
{
    (void)response;
    if (!(request->NotificationTypes & EVENTS))
        return ecInvalidParam;
    struct object *o;
    const enum ec ec = rop_open(call, NULL, OBJECT_SUBSCRIPTION, &o);
    if (ec)
        return ec;
    o->subscription = (struct subscription){
        .types = request->NotificationTypes,
        .whole_store = request->WantWholeStore,
        .fid = request->FolderId,
        .mid = request->MessageId,
    };
    return ecNone;
}
