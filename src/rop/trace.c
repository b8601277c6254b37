/* SPDX-License-Identifier: Apache-2.0 */
#include "rop/trace.h"

static bool find_name(void *arg, TALLOC_CTX *arena, uint16_t id, struct PropertyName *out)
{
    struct store *store = arg;
    store_lock(store);
    const enum ec ec = store_named_names(arena, store, &id, 1, out);
    store_unlock(store);
    return !ec && out->Kind != 0xFF;
}

static void print_rop(void *arg, struct buf *text, const struct trace_style *style)
{
    trace_print_rop(text, style, arg);
}

static void print_call(void *arg, struct buf *text, const struct trace_style *style)
{
    trace_print_call(text, style, arg);
}

/* The mailbox of who asks, and the one that is asked about. */
static void tell(const struct rop_services *services, struct session *session, const struct store *store,
                 trace_print *print, void *arg)
{
    const struct account *user = session_user(session);
    const struct guid mailboxes[] = { user->mailbox_guid, store ? store_mailbox_guid(store) : user->mailbox_guid };
    trace_tell(services->trace, mailboxes, COUNTOF(mailboxes), user->logon_name, print, arg);
}

void rop_trace(const struct rop_services *services, struct session *session, struct store *store, struct trace_rop rop)
{
    const struct wire_names names = { find_name, store };
    if (!trace_is_on(services->trace))
        return;
    rop.names = store ? &names : NULL;
    tell(services, session, store, print_rop, &rop);
}

void rop_trace_unasked(const struct rop_services *services, struct session *session, const struct wire_struct *form,
                       const void *self)
{
    if (!trace_is_on(services->trace))
        return;
    struct trace_call call = { .type = form->name, .answer_form = form, .answer = self };
    tell(services, session, NULL, print_call, &call);
}
