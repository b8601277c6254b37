/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/public_folders.h"

#define NOUN "MailPublicFolder"
#define ROW const struct account
#define VIEW "DisplayName PrimarySmtpAddress"
#define LIST                                                                                                           \
    PROPERTY(DisplayName, v_text(row->display_name))                                                                   \
    PROPERTY(Name, v_text(row->name))                                                                                  \
    PROPERTY(Alias, v_text(row->alias))                                                                                \
    PROPERTY(PrimarySmtpAddress, v_text(row->primary_smtp))                                                            \
    PROPERTY(EmailAddresses, v_texts(arena, row->proxy_addresses, row->proxy_count))                                   \
    PROPERTY(WindowsEmailAddress, v_text(row->primary_smtp))                                                           \
    PROPERTY(LegacyExchangeDN, v_text(row->legacy_dn))                                                                 \
    PROPERTY(HiddenFromAddressListsEnabled, v_bool(row->hidden))                                                       \
    PROPERTY(RecipientType, v_text("PublicFolder"))                                                                    \
    PROPERTY(RecipientTypeDetails, v_text("PublicFolder"))                                                             \
    PROPERTY(Identity, v_text(mailbox_identity(arena, s, row)))                                                        \
    PROPERTY(Guid, v_guid(row->guid))                                                                                  \
    PROPERTY(WhenChanged, v_time(row->when_changed))                                                                   \
    PROPERTY(WhenCreated, v_time(row->when_created))                                                                   \
    PROPERTY(IsValid, v_bool(true))                                                                                    \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

static void emit(struct call *call, const struct account *a)
{
    call_emit(call, (struct object){ &type, a, call->settings });
}

static enum ec find_folder(struct call *call, const char *identity, struct public_folder *out)
{
    struct store *st;
    enum ec ec = folders_open(call, &st);
    if (ec)
        return ec;
    ec = folder_find(call, st, identity, out);
    folders_close(st);
    return ec;
}

/* \Sales by its path, the others as any recipient. */
static enum ec find_recipient(struct call *call, const char *identity, const struct account **out)
{
    struct public_folder folder;
    if (*identity != '\\') {
        const enum ec ec = find_account(call, identity, out);
        return !ec && (*out)->kind != ACCOUNT_MAIL_FOLDER ? call_not_found(call, identity) : ec;
    }
    const enum ec ec = find_folder(call, identity, &folder);
    if (ec)
        return ec;
    *out = directory_mail_folder(call->directory, call->arena, folder.fid);
    return *out ? ecNone : call_fail(call, ecNotFound, "The public folder \"%s\" isn't mail-enabled.", identity);
}

/* A folder is as often called like another one, or like somebody, as not. */
static const char *free_recipient_name(struct call *call, const char *wanted)
{
    const struct account *somebody;
    const char *name = wanted;
    for (unsigned n = 1; n < 1000 && !directory_by_identity(call->directory, call->arena, name, &somebody); n++)
        name = talloc_asprintf(call->arena, "%s %u", wanted, n);
    return name;
}

enum ec cmdlet_Enable_MailPublicFolder(struct call *call, const struct Enable_MailPublicFolder *in)
{
    struct public_folder folder;
    enum ec ec = find_folder(call, in->Identity.value, &folder);
    if (ec)
        return ec;
    if (!call_may(call, "Mail-enabling the public folder \"%s\".", folder.path))
        return ecNone;
    const struct account *made, *mailbox = directory_public_folders(call->directory, call->arena);
    const struct account_new new = {
        .name = free_recipient_name(call, folder.name),
        .display_name = folder.name,
        .kind = ACCOUNT_MAIL_FOLDER,
        .public_folder = folder.fid,
        .database = mailbox->database_guid,
    };
    ec = directory_create(call->directory, call->arena, &new, NULL, NULL, &made);
    if (!ec && in->HiddenFromAddressListsEnabled.value) {
        struct account hidden = *made;
        hidden.hidden = true;
        ec = directory_set(call->directory, &hidden, NULL);
    }
    if (!ec)
        emit(call, directory_mail_folder(call->directory, call->arena, folder.fid));
    return call_directory(call, ec);
}

enum ec cmdlet_Disable_MailPublicFolder(struct call *call, const struct Disable_MailPublicFolder *in)
{
    const struct account *folder;
    const enum ec ec = find_recipient(call, in->Identity.value, &folder);
    if (ec)
        return ec;
    if (!call_may(call, "Taking the address of the public folder \"%s\" away.", in->Identity.value))
        return ecNone;
    return call_directory(call, directory_remove(call->directory, folder, NULL, NULL));
}

enum ec cmdlet_Get_MailPublicFolder(struct call *call, const struct Get_MailPublicFolder *in)
{
    const struct account *folder;
    const enum ec ec = in->Identity.value ? find_recipient(call, in->Identity.value, &folder) : ecNone;
    if (ec)
        return ec;
    if (in->Identity.value) {
        emit(call, folder);
        return ecNone;
    }
    const struct account_list *all = directory_list(call->directory, call->arena, ACCOUNTS_ALL);
    for (size_t i = 0; i < all->count; i++)
        if (all->accounts[i]->kind == ACCOUNT_MAIL_FOLDER)
            emit(call, all->accounts[i]);
    return ecNone;
}

enum ec folder_forget_mail(struct call *call, uint64_t fid)
{
    const struct account *folder = directory_mail_folder(call->directory, call->arena, fid);
    return folder ? call_directory(call, directory_remove(call->directory, folder, NULL, NULL)) : ecNone;
}

enum ec folders_forget_mail(struct call *call)
{
    const struct account_list *all = directory_list(call->directory, call->arena, ACCOUNTS_ALL);
    enum ec ec = ecNone;
    for (size_t i = 0; i < all->count && !ec; i++)
        if (all->accounts[i]->kind == ACCOUNT_MAIL_FOLDER)
            ec = folder_forget_mail(call, all->accounts[i]->public_folder);
    return ec;
}
