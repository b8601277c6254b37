/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/folder_rights.h"
#include "cmdlet/public_folders.h"

struct entry {
    const char *path, *name, *user;
    uint32_t rights;
    int64_t member_id;
};

#define NOUN "PublicFolderClientPermission"
#define ROW const struct entry
#define VIEW "FolderName User AccessRights"
#define LIST                                                                            \
    PROPERTY(Identity, v_text(row->path))                                               \
    PROPERTY(FolderName, v_text(row->name))                                             \
    PROPERTY(User, v_text(row->user))                                                   \
    PROPERTY(AccessRights, folder_rights_value(arena, row->rights))                     \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

/* What a cmdlet of this noun works on. */
struct work {
    struct call *call;
    struct store *st;
    struct public_folder folder;
    struct store_permission *list;
    uint32_t count;
};

static enum ec begin(struct work *w, const char *identity)
{
    enum ec ec = folders_open(w->call, &w->st);
    if (ec)
        return ec;
    ec = folder_find(w->call, w->st, identity, &w->folder);
    if (!ec)
        ec = store_permissions(w->call->arena, w->st, w->folder.fid, &w->list, &w->count);
    if (ec)
        folders_close(w->st);
    return ec;
}

static const struct { const char *name; int64_t id; } reserved[] = {
    { "Default", MEMBER_DEFAULT }, { "Anonymous", MEMBER_ANONYMOUS },
};

static const char *user_of(const struct work *w, const struct store_permission *p)
{
    if (!p->legacy_dn)
        return reserved[p->member_id == MEMBER_ANONYMOUS].name;
    const struct account *a = directory_by_legacy_dn(w->call->directory, w->call->arena, p->legacy_dn);
    return a ? a->display_name : p->name;
}

/* Whom -User means: one of the two reserved entries (a NULL legacy_dn), or an account. */
static enum ec find_user(struct work *w, const char *user, struct store_permission *out)
{
    const struct account *account;
    for (size_t i = 0; i < COUNTOF(reserved); i++)
        if (strcasecmp(user, reserved[i].name) == 0) {
            *out = (struct store_permission){ .member_id = reserved[i].id, .name = "" };
            return ecNone;
        }
    const enum ec ec = find_account(w->call, user, &account);
    if (!ec)
        *out = (struct store_permission){ .legacy_dn = account->legacy_dn, .name = account->display_name };
    return ec;
}

static const struct store_permission *entry_of_user(const struct work *w, const struct store_permission *user)
{
    for (uint32_t i = 0; i < w->count; i++) {
        const struct store_permission *p = &w->list[i];
        if (user->legacy_dn ? p->legacy_dn && strcasecmp(p->legacy_dn, user->legacy_dn) == 0
                            : !p->legacy_dn && p->member_id == user->member_id)
            return p;
    }
    return NULL;
}

static void emit(const struct work *w, const struct store_permission *p, uint32_t rights)
{
    struct entry *entry = talloc(w->call->arena, struct entry);
    *entry = (struct entry){ w->folder.path, w->folder.name, user_of(w, p), rights, p->member_id };
    call_emit(w->call, (struct object){ &type, entry, w->call->settings });
}

static enum ec edit(const struct work *w, uint8_t what, const struct store_permission *entry)
{
    const struct store_permission_edit edit = { what, *entry };
    const enum ec ec = store_permissions_modify(w->st, w->folder.fid, 0, &edit, 1);
    return ec ? call_fail(w->call, ec, "The permissions of \"%s\" couldn't be changed: %s.", w->folder.path, ec_text(ec))
              : ecNone;
}

static enum ec add(struct work *w, const char *name, uint32_t rights)
{
    struct store_permission user;
    enum ec ec = find_user(w, name, &user);
    if (ec)
        return ec;
    const struct store_permission *there = entry_of_user(w, &user);
    if (there && (user.legacy_dn || there->rights))
        return call_fail(w->call, ecDuplicateName, "An existing permission entry was found for user: %s.",
                         user_of(w, there));
    if (!call_may(w->call, "Adding public folder permission on \"%s\" for \"%s\".", w->folder.path, name))
        return ecNone;
    user.rights = rights;
    ec = edit(w, user.legacy_dn ? PERMISSION_ADD : PERMISSION_MODIFY, &user);
    if (!ec)
        emit(w, &user, rights);
    return ec;
}

enum ec cmdlet_Add_PublicFolderClientPermission(struct call *call, const struct Add_PublicFolderClientPermission *in)
{
    struct work w = { .call = call };
    uint32_t rights;
    enum ec ec = folder_rights_of(call, in->AccessRights.set, false, &rights);
    if (!ec)
        ec = begin(&w, in->Identity.value);
    if (ec)
        return ec;
    ec = add(&w, in->User.value, rights);
    folders_close(w.st);
    return ec;
}

static enum ec show(struct work *w, const char *name)
{
    struct store_permission user;
    const enum ec ec = name ? find_user(w, name, &user) : ecNone;
    if (ec)
        return ec;
    const struct store_permission *only = name ? entry_of_user(w, &user) : NULL;
    if (name && !only)
        return call_fail(w->call, ecNotFound, "There is no existing permission entry found for user: %s.", name);
    for (uint32_t i = 0; i < w->count; i++)
        if (!name || &w->list[i] == only)
            emit(w, &w->list[i], w->list[i].rights);
    return ecNone;
}

enum ec cmdlet_Get_PublicFolderClientPermission(struct call *call, const struct Get_PublicFolderClientPermission *in)
{
    struct work w = { .call = call };
    enum ec ec = begin(&w, in->Identity.value);
    if (ec)
        return ec;
    ec = show(&w, in->User.value);
    folders_close(w.st);
    return ec;
}

/* Of the reserved entries the rights go, not the entry. */
static enum ec take(struct work *w, const char *name)
{
    struct store_permission user;
    const enum ec ec = find_user(w, name, &user);
    if (ec)
        return ec;
    const struct store_permission *there = entry_of_user(w, &user);
    if (!there)
        return call_fail(w->call, ecNotFound, "There is no existing permission entry found for user: %s.", name);
    if (!call_may(w->call, "Removing public folder permission on \"%s\" for \"%s\".", w->folder.path, name))
        return ecNone;
    user.member_id = there->member_id;
    return edit(w, user.legacy_dn ? PERMISSION_REMOVE : PERMISSION_MODIFY, &user);
}

enum ec cmdlet_Remove_PublicFolderClientPermission(struct call *call,
                                                   const struct Remove_PublicFolderClientPermission *in)
{
    struct work w = { .call = call };
    enum ec ec = begin(&w, in->Identity.value);
    if (ec)
        return ec;
    ec = take(&w, in->User.value);
    folders_close(w.st);
    return ec;
}
