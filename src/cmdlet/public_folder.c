/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/public_folders.h"

#define NOUN "PublicFolder"
#define ROW const struct public_folder
#define VIEW "Name ParentPath"
#define LIST                                                                            \
    PROPERTY(Identity, v_text(row->path))                                               \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(ParentPath, v_text(row->parent_path))                                      \
    PROPERTY(FolderPath, v_text(row->path + 1))                                         \
    PROPERTY(FolderClass, v_text(row->class))                                           \
    PROPERTY(MailEnabled, v_bool(row->mail_enabled))                                    \
    PROPERTY(HasSubfolders, v_bool(row->subfolders > 0))                                \
    PROPERTY(ItemCount, v_int(row->items))                                              \
    PROPERTY(FolderSize, v_int((int64_t)row->size))                                     \
    PROPERTY(PerUserReadStateEnabled, v_bool(true))                                     \
    PROPERTY(EntryId, v_text(row->entry_id))                                            \
    PROPERTY(OrganizationId, v_text(s->organization))                                   \
    PROPERTY(WhenChanged, v_time(row->modified))                                        \
    PROPERTY(WhenCreated, v_time(row->created))                                         \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

static void emit(struct call *call, const struct public_folder *folder)
{
    call_emit(call, (struct object){ &type, talloc_memdup(call->arena, folder, sizeof *folder), call->settings });
}

static enum ec check_name(struct call *call, const char *name)
{
    if (!name || !*name || strpbrk(name, "\\/"))
        return call_fail(call, ecInvalidParam, "The name of a public folder can't be empty or contain \\ or /.");
    return ecNone;
}

static enum ec not_done(struct call *call, enum ec ec, const char *what, const char *path)
{
    if (ec == ecDuplicateName)
        return call_fail(call, ec, "A public folder with the name of \"%s\" already exists.", path);
    return ec ? call_fail(call, ec, "The public folder \"%s\" couldn't be %s: %s.", path, what, ec_text(ec)) : ecNone;
}

static const char *or_root(struct arg_text path)
{
    return path.value ? path.value : "\\";
}

static enum ec create(struct call *call, struct store *st, const struct New_PublicFolder *in)
{
    struct public_folder above, made;
    uint64_t fid;
    bool existed;
    enum ec ec = folder_find(call, st, or_root(in->Path), &above);
    if (ec || !call_may(call, "Creating the public folder \"%s\" in \"%s\".", in->Name.value, above.path))
        return ec;
    ec = store_folder_create(st, above.fid, FOLDER_GENERIC, in->Name.value, "", false, &fid, &existed);
    if (ec)
        return not_done(call, ec, "created", in->Name.value);
    const char *entry_id = hex_text(call->arena, store_folder_entry_id(call->arena, st, fid));
    ec = folder_find(call, st, entry_id, &made);
    if (!ec)
        emit(call, &made);
    return ec;
}

enum ec cmdlet_New_PublicFolder(struct call *call, const struct New_PublicFolder *in)
{
    struct store *st;
    enum ec ec = check_name(call, in->Name.value);
    if (!ec)
        ec = folders_open(call, &st);
    if (ec)
        return ec;
    ec = create(call, st, in);
    folders_close(st);
    return ec;
}

static enum ec show(struct call *call, struct store *st, const struct Get_PublicFolder *in)
{
    struct public_folder folder, *below = NULL;
    size_t count = 0;
    const size_t limit = in->ResultSize.given && in->ResultSize.value >= 0 ? (size_t)in->ResultSize.value : SIZE_MAX;
    enum ec ec = folder_find(call, st, or_root(in->Identity), &folder);
    if (!ec && (in->Recurse.value || in->GetChildren.value))
        ec = folder_children(call, st, &folder, in->Recurse.value, &below, &count);
    const size_t self = ec || in->GetChildren.value || !limit ? 0 : 1;
    if (self)
        emit(call, &folder);
    for (size_t i = 0; i < count && !ec && i + self < limit; i++)
        emit(call, &below[i]);
    return ec;
}

enum ec cmdlet_Get_PublicFolder(struct call *call, const struct Get_PublicFolder *in)
{
    struct store *st;
    if (in->Recurse.value && in->GetChildren.value)
        return call_conflict(call);
    enum ec ec = folders_open(call, &st);
    if (ec)
        return ec;
    ec = show(call, st, in);
    folders_close(st);
    return ec;
}

static enum ec move_or_rename(struct call *call, struct store *st, const struct public_folder *folder,
                              const struct Set_PublicFolder *in)
{
    struct public_folder to = { .fid = folder->parent };
    const char *name = in->Name.given ? in->Name.value : folder->name;
    enum ec ec = in->Path.value ? folder_find(call, st, in->Path.value, &to) : ecNone;
    if (ec)
        return ec;
    if (to.fid == folder->parent && strcmp(name, folder->name) == 0) {
        call_unchanged(call, folder->path);
        return ecNone;
    }
    if (!call_may(call, "Setting public folder \"%s\".", folder->path))
        return ecNone;
    return not_done(call, store_folder_move(st, folder->parent, folder->fid, to.fid, name), "changed", folder->path);
}

enum ec cmdlet_Set_PublicFolder(struct call *call, const struct Set_PublicFolder *in)
{
    struct store *st;
    struct public_folder folder;
    enum ec ec = in->Name.given ? check_name(call, in->Name.value) : ecNone;
    if (!ec)
        ec = folders_open(call, &st);
    if (ec)
        return ec;
    ec = folder_find(call, st, in->Identity.value, &folder);
    if (!ec)
        ec = move_or_rename(call, st, &folder, in);
    folders_close(st);
    return ec;
}

static enum ec delete(struct call *call, struct store *st, const struct public_folder *folder, bool recurse)
{
    bool partial = false;
    if (folder->subfolders && !recurse)
        return call_fail(call, ecAccessDenied,
                         "The public folder \"%s\" has subfolders. Remove them first, or use -Recurse.", folder->path);
    if (!call_may(call, "Removing the public folder \"%s\"%s.", folder->path,
                  folder->subfolders ? " and all public folders below it" : ""))
        return ecNone;
    struct public_folder *below;
    size_t count;
    enum ec ec = folder_children(call, st, folder, true, &below, &count);
    if (ec)
        return ec;
    ec = store_folder_delete(st, folder->parent, folder->fid, STORE_MESSAGES | STORE_FOLDERS, &partial);
    if (!ec && partial)
        ec = ecAccessDenied;
    if (ec)
        return not_done(call, ec, "removed", folder->path);
    ec = folder_forget_mail(call, folder->fid);
    for (size_t i = 0; i < count && !ec; i++)
        ec = folder_forget_mail(call, below[i].fid);
    return ec;
}

enum ec cmdlet_Remove_PublicFolder(struct call *call, const struct Remove_PublicFolder *in)
{
    struct store *st;
    struct public_folder folder;
    enum ec ec = folders_open(call, &st);
    if (ec)
        return ec;
    ec = folder_find(call, st, in->Identity.value, &folder);
    if (!ec)
        ec = delete(call, st, &folder, in->Recurse.value);
    folders_close(st);
    return ec;
}
