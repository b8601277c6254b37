/* SPDX-License-Identifier: Apache-2.0 */
/* The right to send as somebody, which Exchange keeps on the directory's object: -ExtendedRights Send-As. */
#include "cmdlet/call.h"

struct entry {
    const struct account *mailbox, *trustee;
};

#define NOUN "ADPermission"
#define ROW const struct entry
#define VIEW "Identity User Deny Inherited"
#define LIST                                                                                      \
    PROPERTY(AccessRights, v_text("ExtendedRight"))                                               \
    PROPERTY(ExtendedRights, v_text("Send-As"))                                                   \
    PROPERTY(Deny, v_bool(false))                                                                 \
    PROPERTY(IsInherited, v_bool(false))                                                          \
    PROPERTY(Inherited, v_bool(false))                                                            \
    PROPERTY(InheritanceType, v_text("None"))                                                     \
    PROPERTY(User, v_text(row->trustee->logon_name))                                              \
    PROPERTY(Identity, v_text(mailbox_identity(arena, s, row->mailbox)))                          \
    PROPERTY(IsValid, v_bool(true))                                                               \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

/* Send-As, `Send As` and SendAs are one right, and the only one that is here. */
static bool is_send_as(const char *name)
{
    static const char letters[] = "sendas";
    size_t n = 0;
    for (; *name; name++) {
        if (*name == ' ' || *name == '-')
            continue;
        if (n == strlen(letters) || (*name | 0x20) != letters[n++])
            return false;
    }
    return n == strlen(letters);
}

static enum ec set(struct call *call, const char *identity, const char *user, struct texts named, bool gives)
{
    const struct account *mailbox, *trustee;
    enum ec ec = find_both(call, identity, user, &mailbox, &trustee);
    if (ec)
        return ec;
    for (size_t i = 0; i < named.count; i++)
        if (!is_send_as(named.items[i]))
            return call_fail(call, ecInvalidParam, "The extended right \"%s\" isn't here; Send-As is.", named.items[i]);
    struct grant grant = grant_now(call, mailbox, trustee);
    if (!(grant.allowed & GRANT_SEND_AS) == !gives) {
        call_warn(call, gives ? "The appropriate access control entry is already present on the object \"%s\"."
                              : "The access control entry isn't present on the object \"%s\".",
                  mailbox_identity(call->arena, call->settings, mailbox));
        return ecNone;
    }
    if (!call_may(call, gives ? "Adding the right to send as \"%s\" for \"%s\"."
                              : "Removing the right to send as \"%s\" from \"%s\".", mailbox->name, trustee->logon_name))
        return ecNone;
    grant.allowed ^= GRANT_SEND_AS;
    ec = directory_grant(call->directory, &grant);
    struct entry *e = talloc(call->arena, struct entry);
    *e = (struct entry){ mailbox, trustee };
    if (!ec && gives)
        call_emit(call, (struct object){ &type, e, call->settings });
    return call_directory(call, ec);
}

enum ec cmdlet_Add_ADPermission(struct call *call, const struct Add_ADPermission *in)
{
    return set(call, in->Identity.value, in->User.value, in->ExtendedRights.set, true);
}

enum ec cmdlet_Remove_ADPermission(struct call *call, const struct Remove_ADPermission *in)
{
    return set(call, in->Identity.value, in->User.value, in->ExtendedRights.set, false);
}

enum ec cmdlet_Get_ADPermission(struct call *call, const struct Get_ADPermission *in)
{
    const struct account *mailbox, *only = NULL;
    enum ec ec = find_account(call, in->Identity.value, &mailbox);
    if (!ec && in->User.value)
        ec = find_account(call, in->User.value, &only);
    if (ec)
        return ec;
    const struct grant_list all = directory_grants_of(call->directory, call->arena, mailbox);
    for (size_t i = 0; i < all.count; i++) {
        struct entry *e = talloc(call->arena, struct entry);
        *e = (struct entry){ mailbox, directory_by_guid(call->directory, call->arena, all.items[i].trustee) };
        if (e->trustee && all.items[i].allowed & GRANT_SEND_AS && (!only || guid_equal(only->guid, e->trustee->guid)))
            call_emit(call, (struct object){ &type, e, call->settings });
    }
    return ecNone;
}
