/* SPDX-License-Identifier: Apache-2.0 */
/* Rights to whole mailboxes, and to send in their names. */
#include "cmdlet/call.h"

/* One trustee's rights, and whether they are given or denied. */
struct entry {
    const struct account *mailbox, *trustee; /* trustee NULL: the mailbox' owner */
    unsigned rights;
    bool deny;
};

static const struct {
    const char *name;
    unsigned right;
} rights[] = {
    { "FullAccess", GRANT_FULL_ACCESS },         { "ExternalAccount", GRANT_EXTERNAL_ACCOUNT },
    { "DeleteItem", GRANT_DELETE_ITEM },         { "ReadPermission", GRANT_READ_PERMISSION },
    { "ChangePermission", GRANT_CHANGE_PERMISSION }, { "ChangeOwner", GRANT_CHANGE_OWNER },
};
#define MAILBOX_RIGHTS 0xFFu

static struct value rights_value(TALLOC_CTX *arena, unsigned of)
{
    const char *names[COUNTOF(rights)];
    size_t count = 0;
    for (size_t i = 0; i < COUNTOF(rights); i++)
        if (of & rights[i].right)
            names[count++] = rights[i].name;
    return v_texts(arena, names, count);
}

#define NOUN "MailboxPermission"
#define ROW const struct entry
#define VIEW "Identity User AccessRights IsInherited Deny"
#define LIST                                                                                      \
    PROPERTY(AccessRights, rights_value(arena, row->rights))                                      \
    PROPERTY(Deny, v_bool(row->deny))                                                             \
    PROPERTY(InheritanceType, v_text("All"))                                                      \
    PROPERTY(User, v_text(row->trustee ? row->trustee->logon_name : "NT AUTHORITY\\SELF"))        \
    PROPERTY(Identity, v_text(mailbox_identity(arena, s, row->mailbox)))                          \
    PROPERTY(IsInherited, v_bool(false))                                                          \
    PROPERTY(IsValid, v_bool(true))                                                               \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

struct grant grant_now(struct call *call, const struct account *mailbox, const struct account *trustee)
{
    const struct grant_list all = directory_grants_of(call->directory, call->arena, mailbox);
    for (size_t i = 0; i < all.count; i++)
        if (guid_equal(all.items[i].trustee, trustee->guid))
            return all.items[i];
    return (struct grant){ mailbox->guid, trustee->guid, 0, 0 };
}

enum ec find_both(struct call *call, const char *identity, const char *user, const struct account **mailbox,
                  const struct account **trustee)
{
    enum ec ec = find_account(call, identity, mailbox);
    return ec ? ec : find_account(call, user, trustee);
}

static enum ec parse_rights(struct call *call, struct texts names, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < names.count; i++) {
        size_t k = 0;
        while (k < COUNTOF(rights) && strcasecmp(rights[k].name, names.items[i]) != 0)
            k++;
        if (k == COUNTOF(rights))
            return call_fail(call, ecInvalidParam, "\"%s\" is not an access right of a mailbox.", names.items[i]);
        *out |= rights[k].right;
    }
    return *out ? ecNone : call_fail(call, ecInvalidParam, "AccessRights can't be empty.");
}

static void emit(struct call *call, const struct account *mailbox, const struct account *trustee, unsigned of,
                 bool deny)
{
    struct entry *e = talloc(call->arena, struct entry);
    *e = (struct entry){ mailbox, trustee, of & MAILBOX_RIGHTS, deny };
    if (e->rights)
        call_emit(call, (struct object){ &type, e, call->settings });
}

enum ec cmdlet_Add_MailboxPermission(struct call *call, const struct Add_MailboxPermission *in)
{
    const struct account *mailbox, *trustee;
    unsigned given;
    enum ec ec = find_both(call, in->Identity.value, in->User.value, &mailbox, &trustee);
    if (!ec)
        ec = parse_rights(call, in->AccessRights.set, &given);
    if (ec)
        return ec;
    const struct grant before = grant_now(call, mailbox, trustee);
    struct grant after = before;
    *(in->Deny.value ? &after.denied : &after.allowed) |= given;
    if (given & GRANT_FULL_ACCESS && !in->Deny.value && (!in->AutoMapping.given || in->AutoMapping.value))
        after.allowed |= GRANT_AUTO_MAPPING; /* unless it is refused by name, the mailbox appears by itself */
    if (after.allowed == before.allowed && after.denied == before.denied) {
        call_warn(call, "The appropriate access control entry is already present on the object \"%s\" for account "
                        "\"%s\".", mailbox_identity(call->arena, call->settings, mailbox), trustee->logon_name);
        return ecNone;
    }
    if (!call_may(call, "Adding mailbox permission \"%s\" for user \"%s\" to \"%s\".",
                  value_text(call->arena, rights_value(call->arena, given)), trustee->logon_name, mailbox->name))
        return ecNone;
    ec = directory_grant(call->directory, &after);
    if (!ec)
        emit(call, mailbox, trustee, in->Deny.value ? after.denied : after.allowed, in->Deny.value);
    return call_directory(call, ec);
}

enum ec cmdlet_Get_MailboxPermission(struct call *call, const struct Get_MailboxPermission *in)
{
    const struct account *mailbox, *only = NULL;
    enum ec ec = find_account(call, in->Identity.value, &mailbox);
    if (!ec && in->User.value)
        ec = find_account(call, in->User.value, &only);
    if (ec)
        return ec;
    const struct grant_list all = directory_grants_of(call->directory, call->arena, mailbox);
    if (!only)
        emit(call, mailbox, NULL, GRANT_FULL_ACCESS | GRANT_READ_PERMISSION, false);
    for (size_t i = 0; i < all.count; i++) {
        const struct account *trustee = directory_by_guid(call->directory, call->arena, all.items[i].trustee);
        if (!trustee || (only && !guid_equal(only->guid, trustee->guid)))
            continue;
        emit(call, mailbox, trustee, all.items[i].denied, true);
        emit(call, mailbox, trustee, all.items[i].allowed, false);
    }
    return ecNone;
}

enum ec cmdlet_Remove_MailboxPermission(struct call *call, const struct Remove_MailboxPermission *in)
{
    const struct account *mailbox, *trustee;
    unsigned taken;
    enum ec ec = find_both(call, in->Identity.value, in->User.value, &mailbox, &trustee);
    if (!ec)
        ec = parse_rights(call, in->AccessRights.set, &taken);
    if (ec)
        return ec;
    struct grant after = grant_now(call, mailbox, trustee);
    unsigned *from = in->Deny.value ? &after.denied : &after.allowed;
    if (!(*from & taken)) {
        call_warn(call, "Can't remove the access control entry on the object \"%s\" for account \"%s\" because it isn't"
                        " present.", mailbox_identity(call->arena, call->settings, mailbox), trustee->logon_name);
        return ecNone;
    }
    *from &= ~(taken | (taken & GRANT_FULL_ACCESS ? (unsigned)GRANT_AUTO_MAPPING : 0u));
    if (!call_may(call, "Removing mailbox permission \"%s\" for user \"%s\" from \"%s\".",
                  value_text(call->arena, rights_value(call->arena, taken)), trustee->logon_name, mailbox->name))
        return ecNone;
    return call_directory(call, directory_grant(call->directory, &after));
}
