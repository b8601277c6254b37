/* SPDX-License-Identifier: Apache-2.0 */
/* The permissions lists of folders: alice:\Calendar, alice:\Inbox\Projects, alice:\ for the top. */
#include "cmdlet/folder_rights.h"

struct entry {
    const char *identity, *folder, *user;
    uint32_t rights;
};

#define NOUN "MailboxFolderPermission"
#define ROW const struct entry
#define VIEW "FolderName User AccessRights"
#define LIST                                                                                      \
    PROPERTY(FolderName, v_text(row->folder))                                                     \
    PROPERTY(User, v_text(row->user))                                                             \
    PROPERTY(AccessRights, folder_rights_value(arena, row->rights))                               \
    PROPERTY(Identity, v_text(row->identity))                                                     \
    PROPERTY(IsValid, v_bool(true))                                                               \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

/* ---- the folder ---- */

struct target {
    const struct account *mailbox;
    struct store *store; /* locked */
    uint64_t fid;
    struct store_folder row;
    const char *identity;
    struct store_permission *list;
    uint32_t count;
};

/* `\Inbox\Projects`, below the top of what a client shows; NON_IPM_ROOT is the mailbox' own root. */
static enum ec walk(struct call *call, struct target *t, const char *path)
{
    enum ec ec = ecNone;
    t->fid = STORE_FID(SPECIAL_IPM_SUBTREE);
    for (size_t length; !ec && *(path += strspn(path, "\\/")); path += length) {
        length = strcspn(path, "\\/");
        const char *name = talloc_strndup(call->arena, path, length);
        if (t->fid == STORE_FID(SPECIAL_IPM_SUBTREE) && strcasecmp(name, "NON_IPM_ROOT") == 0)
            t->fid = STORE_FID(SPECIAL_ROOT);
        else
            ec = store_folder_by_name(t->store, t->fid, name, &t->fid);
    }
    return ec;
}

static void close_target(struct target *t)
{
    if (!t->store)
        return;
    store_unlock(t->store);
    store_put(t->store);
    t->store = NULL;
}

static enum ec open_target(struct call *call, const char *identity, struct target *t)
{
    const char *colon = strchr(identity, ':');
    const char *name = colon ? talloc_strndup(call->arena, identity, (size_t)(colon - identity)) : identity;
    *t = (struct target){ .identity = identity };
    enum ec ec = find_account(call, name, &t->mailbox);
    if (ec)
        return ec;
    if (!call->context->stores)
        return call_fail(call, ecNotSupported, "Mailboxes can't be opened here.");
    ec = store_get(call->context->stores, t->mailbox->store_url, t->mailbox->mailbox_guid, &t->store);
    if (ec)
        return call_fail(call, ec, "The mailbox of \"%s\" couldn't be opened: %s.", t->mailbox->name, ec_text(ec));
    store_lock(t->store);
    ec = walk(call, t, colon ? colon + 1 : "");
    if (!ec)
        ec = store_folder_row(call->arena, t->store, t->fid, &t->row);
    if (!ec)
        ec = store_permissions(call->arena, t->store, t->fid, &t->list, &t->count);
    if (!ec)
        return ecNone;
    close_target(t);
    return ec == ecNotFound ? call_fail(call, ec, "The operation couldn't be performed because '%s' couldn't be found.",
                                        identity)
                            : call_fail(call, ec, "%s: %s.", identity, ec_text(ec));
}

static bool is_calendar(const struct target *t)
{
    return strcasecmp(t->row.class, "IPF.Appointment") == 0;
}

/* ---- who, and what ---- */

struct member {
    const struct account *account; /* NULL: Default or Anonymous */
    const struct store_permission *there; /* NULL: not in the list */
    int64_t id;
};

static enum ec find_member(struct call *call, const struct target *t, const char *user, struct member *out)
{
    *out = (struct member){ .id = strcasecmp(user, "Anonymous") == 0 ? MEMBER_ANONYMOUS : MEMBER_DEFAULT };
    const bool reserved = strcasecmp(user, "Default") == 0 || out->id == MEMBER_ANONYMOUS;
    const enum ec ec = reserved ? ecNone : find_account(call, user, &out->account);
    for (uint32_t i = 0; i < t->count && !ec; i++)
        if (reserved ? t->list[i].member_id == out->id
                     : t->list[i].legacy_dn && strcasecmp(t->list[i].legacy_dn, out->account->legacy_dn) == 0)
            out->there = &t->list[i];
    if (out->there)
        out->id = out->there->member_id;
    return ec;
}

static void emit(struct call *call, const struct target *t, const char *user, uint32_t rights)
{
    struct entry *e = talloc(call->arena, struct entry);
    *e = (struct entry){ t->identity, *t->row.name ? t->row.name : "Root", user, rights };
    call_emit(call, (struct object){ &type, e, call->settings });
}

static const char *name_of(struct call *call, const struct store_permission *p)
{
    if (!p->legacy_dn)
        return p->member_id == MEMBER_DEFAULT ? "Default" : "Anonymous";
    const struct account *a = directory_by_legacy_dn(call->directory, call->arena, p->legacy_dn);
    return a ? a->display_name : p->name;
}

static enum ec write(struct call *call, struct target *t, const struct store_permission_edit *edit)
{
    const enum ec ec = store_permissions_modify(t->store, t->fid, PERMISSIONS_FREE_BUSY, edit, 1);
    return ec ? call_fail(call, ec, "%s: %s.", t->identity, ec_text(ec)) : ecNone;
}

static enum ec put(struct call *call, const char *identity, const char *user, struct texts given, bool is_new)
{
    struct target t;
    struct member m;
    uint32_t rights;
    enum ec ec = open_target(call, identity, &t);
    if (ec)
        return ec;
    ec = find_member(call, &t, user, &m);
    if (!ec)
        ec = folder_rights_of(call, given, is_calendar(&t), &rights);
    if (!ec && is_new && m.there)
        ec = call_fail(call, ecDuplicateName, "An existing permission entry was found for user: %s.", name_of(call, m.there));
    if (!ec && !is_new && !m.there)
        ec = call_fail(call, ecNotFound, "There is no existing permission entry found for user: %s.", user);
    if (!ec && call_may(call, is_new ? "Adding mailbox folder permission on \"%s\" for user \"%s\"."
                                     : "Setting mailbox folder permission on \"%s\" for user \"%s\".", identity, user)) {
        const struct store_permission_edit edit = {
            .what = is_new ? PERMISSION_ADD : PERMISSION_MODIFY,
            .entry = { m.id, m.account ? m.account->legacy_dn : NULL, m.account ? m.account->display_name : "", rights },
        };
        ec = write(call, &t, &edit);
        if (!ec && is_new)
            emit(call, &t, m.account->display_name, rights);
    }
    close_target(&t);
    return ec;
}

enum ec cmdlet_Add_MailboxFolderPermission(struct call *call, const struct Add_MailboxFolderPermission *in)
{
    return put(call, in->Identity.value, in->User.value, in->AccessRights.set, true);
}

enum ec cmdlet_Set_MailboxFolderPermission(struct call *call, const struct Set_MailboxFolderPermission *in)
{
    return put(call, in->Identity.value, in->User.value, in->AccessRights.set, false);
}

enum ec cmdlet_Get_MailboxFolderPermission(struct call *call, const struct Get_MailboxFolderPermission *in)
{
    struct target t;
    struct member only = { 0 };
    enum ec ec = open_target(call, in->Identity.value, &t);
    if (ec)
        return ec;
    if (in->User.value)
        ec = find_member(call, &t, in->User.value, &only);
    if (!ec && in->User.value && !only.there)
        ec = call_fail(call, ecNotFound, "There is no existing permission entry found for user: %s.", in->User.value);
    for (uint32_t i = 0; i < t.count && !ec; i++)
        if (!in->User.value || only.there == &t.list[i])
            emit(call, &t, name_of(call, &t.list[i]), t.list[i].rights);
    close_target(&t);
    return ec;
}

enum ec cmdlet_Remove_MailboxFolderPermission(struct call *call, const struct Remove_MailboxFolderPermission *in)
{
    struct target t;
    struct member m;
    enum ec ec = open_target(call, in->Identity.value, &t);
    if (ec)
        return ec;
    ec = find_member(call, &t, in->User.value, &m);
    if (!ec && !m.account)
        ec = call_fail(call, ecInvalidParam, "The entry of \"%s\" stays in every list; set it to None.", in->User.value);
    if (!ec && !m.there)
        ec = call_fail(call, ecNotFound, "There is no existing permission entry found for user: %s.", in->User.value);
    if (!ec && call_may(call, "Removing mailbox folder permission on \"%s\" for user \"%s\".", in->Identity.value,
                        in->User.value)) {
        const struct store_permission_edit edit = { .what = PERMISSION_REMOVE, .entry = { .member_id = m.id } };
        ec = write(call, &t, &edit);
    }
    close_target(&t);
    return ec;
}
