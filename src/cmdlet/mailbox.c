/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/public_folders.h"

#define NOUN "Mailbox"
#define ROW const struct account
#define VIEW "Name Alias ServerName ProhibitSendQuota"
#define LIST                                                                            \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(Alias, v_text(row->alias))                                                 \
    PROPERTY(DisplayName, v_text(row->display_name))                                    \
    PROPERTY(FirstName, v_text(row->first_name))                                        \
    PROPERTY(LastName, v_text(row->last_name))                                          \
    PROPERTY(Initials, v_text(row->initials))                                           \
    PROPERTY(PrimarySmtpAddress, v_text(row->primary_smtp))                             \
    PROPERTY(EmailAddresses, v_texts(arena, row->proxy_addresses, row->proxy_count))    \
    PROPERTY(WindowsEmailAddress, v_text(row->primary_smtp))                            \
    PROPERTY(UserPrincipalName, v_text(row->user_principal_name))                       \
    PROPERTY(SamAccountName, v_text(row->sam_account_name))                             \
    PROPERTY(LegacyExchangeDN, v_text(row->legacy_dn))                                  \
    PROPERTY(ExchangeGuid, v_guid(row->mailbox_guid))                                   \
    PROPERTY(Database, v_text(row->database))                                           \
    PROPERTY(ServerName, v_text(s->server_name))                                        \
    PROPERTY(RecipientType, v_text("UserMailbox"))                                      \
    PROPERTY(RecipientTypeDetails, v_text(account_type_details(row)))                           \
    PROPERTY(IsShared, v_bool(row->kind == ACCOUNT_SHARED_MAILBOX))                     \
    PROPERTY(MessageCopyForSentAsEnabled, v_bool(row->copy_sent_as))                    \
    PROPERTY(MessageCopyForSendOnBehalfEnabled, v_bool(row->copy_sent_on_behalf))       \
    PROPERTY(IsRootPublicFolderMailbox, v_bool(row->kind == ACCOUNT_PUBLIC_FOLDERS))    \
    PROPERTY(HiddenFromAddressListsEnabled, v_bool(row->hidden))                        \
    PROPERTY(AccountDisabled, v_bool(row->disabled))                                    \
    PROPERTY(EmailAddressPolicyEnabled, v_bool(false))                                  \
    PROPERTY(UseDatabaseQuotaDefaults, v_bool(!row->own_quota))                         \
    PROPERTY(IssueWarningQuota, v_size(arena, row->quota.warning))                      \
    PROPERTY(ProhibitSendQuota, v_size(arena, row->quota.send))                         \
    PROPERTY(ProhibitSendReceiveQuota, v_size(arena, row->quota.receive))               \
    PROPERTY(OrganizationalUnit, v_printf(arena, "%s/Users", s->domains[0].domain))     \
    PROPERTY(WhenMailboxCreated, v_time(row->when_created))                             \
    PROPERTY(DistinguishedName, v_text(mailbox_dn(arena, s, row)))                      \
    PROPERTY(Identity, v_text(mailbox_identity(arena, s, row)))                         \
    PROPERTY(Id, v_text(mailbox_identity(arena, s, row)))                               \
    PROPERTY(Guid, v_guid(row->guid))                                                   \
    PROPERTY(WhenChanged, v_time(row->when_changed))                                    \
    PROPERTY(WhenCreated, v_time(row->when_created))                                    \
    PROPERTY(WhenChangedUTC, v_utc(row->when_changed))                                  \
    PROPERTY(WhenCreatedUTC, v_utc(row->when_created))                                  \
    PROPERTY(OrganizationId, v_text(s->organization))                                   \
    PROPERTY(OriginatingServer, v_text(s->hostname))                                    \
    PROPERTY(IsValid, v_bool(true))                                                     \
    PROPERTY(ObjectState, v_text("Unchanged"))
#include "cmdlet/properties.def"

#define NO_PASSWORD \
    "Cannot process command because of one or more missing mandatory parameters: Password."
#define WEAK_PASSWORD                                                                                            \
    "The password does not meet the password policy requirements. Check the minimum password length, password"  \
    " complexity and password history requirements."

/* The named one, or the first that is open to new mailboxes. */
static const struct org_database *choose_database(struct call *call, const char *name)
{
    const struct org_settings *s = call->settings;
    const struct org_database *named = name ? org_database_by_name(s, name) : NULL;
    if (name && !named)
        call_not_found(call, name);
    for (size_t i = 0; i < s->database_count && !name; i++)
        if (!s->databases[i].excluded_from_provisioning)
            return &s->databases[i];
    if (!name)
        call_fail(call, ecNotFound, "No mailbox database is open to new mailboxes. Name one with -Database.");
    return named;
}

enum ec cmdlet_New_Mailbox(struct call *call, const struct New_Mailbox *in)
{
    const bool is_user = !in->PublicFolder.value && !in->Shared.value;
    if (is_user != in->Password.given || (in->PublicFolder.value && in->Shared.value))
        return is_user ? call_fail(call, ecInvalidParam, NO_PASSWORD) : call_conflict(call);
    const struct org_database *database = choose_database(call, in->Database.value);
    if (!database)
        return ecNotFound;
    if (!call_may(call, "Creating the mailbox \"%s\" in \"%s\".", in->Name.value, database->name))
        return ecNone;
    const struct account_new new = {
        .name = in->Name.value,
        .alias = in->Alias.value,
        .sam_account_name = in->SamAccountName.value,
        .display_name = in->DisplayName.value,
        .first_name = in->FirstName.value,
        .last_name = in->LastName.value,
        .initials = in->Initials.value,
        .user_principal_name = in->UserPrincipalName.value,
        .primary_smtp = in->PrimarySmtpAddress.value,
        .password_hash = is_user ? directory_hash_password(call->arena, in->Password.value) : NULL,
        .database = database->guid,
        .kind = is_user ? ACCOUNT_USER_MAILBOX : in->Shared.value ? ACCOUNT_SHARED_MAILBOX : ACCOUNT_PUBLIC_FOLDERS,
    };
    if (is_user && !new.password_hash)
        return call_fail(call, ecInvalidParam, WEAK_PASSWORD);
    const struct account *account = NULL;
    const struct cmdlet_context *context = call->context;
    enum ec ec = directory_create(call->directory, call->arena, &new, context->store_create, context->store_arg,
                                  &account);
    if (ec)
        return call_directory(call, ec);
    call_emit(call, (struct object){ &type, account, call->settings });
    return ecNone;
}

enum ec cmdlet_Get_Mailbox(struct call *call, const struct Get_Mailbox *in)
{
    const struct mailbox_query query = { &type,      in->Identity, in->Anr,         in->Database,
                                         in->SortBy, in->Filter,   in->ResultSize,  in->RecipientTypeDetails.set,
                                         in->PublicFolder.value };
    return query_mailboxes(call, &query);
}

/* The sign-in names and addresses of a copy; *changed stays true once it is. */
static enum ec set_addresses(struct call *call, const struct Set_Mailbox *in, struct account *a, bool *changed)
{
    const struct arg_text primary = in->PrimarySmtpAddress.given ? in->PrimarySmtpAddress : in->WindowsEmailAddress;
    *changed |= in->EmailAddresses.given || (primary.given && strcmp(primary.value, a->primary_smtp) != 0);
    if (in->EmailAddresses.given && primary.given)
        return call_conflict(call);
    if (primary.given)
        make_primary(call->arena, primary.value, a);
    return in->EmailAddresses.given ? edit_addresses(call, &in->EmailAddresses, a) : ecNone;
}

static enum ec set_names(struct call *call, const struct Set_Mailbox *in, struct account *a, bool *changed)
{
    const struct { const char *what; struct arg_text arg; const char **now; } names[] = {
        { "Name", in->Name, &a->name },
        { "Alias", in->Alias, &a->alias },
        { "DisplayName", in->DisplayName, &a->display_name },
        { "UserPrincipalName", in->UserPrincipalName, &a->user_principal_name },
        { "SamAccountName", in->SamAccountName, &a->sam_account_name },
    };
    for (size_t i = 0; i < COUNTOF(names); i++) {
        if (names[i].arg.given && !names[i].arg.value)
            return call_fail(call, ecInvalidParam, "The property %s can't be empty.", names[i].what);
        *changed |= set_text(names[i].arg, names[i].now);
    }
    const struct { struct arg_text arg; const char **now; } others[] = {
        { in->FirstName, &a->first_name }, { in->LastName, &a->last_name }, { in->Initials, &a->initials },
    };
    for (size_t i = 0; i < COUNTOF(others); i++) {
        const struct arg_text arg = { others[i].arg.given, others[i].arg.value ? others[i].arg.value : "" };
        *changed |= set_text(arg, others[i].now);
    }
    return ecNone;
}

static enum ec set_quotas(struct call *call, const struct Set_Mailbox *in, struct account *a, bool *changed)
{
    const struct arg_bool own = { in->UseDatabaseQuotaDefaults.given, !in->UseDatabaseQuotaDefaults.value };
    bool quotas = set_number(in->IssueWarningQuota, &a->quota.warning);
    quotas |= set_number(in->ProhibitSendQuota, &a->quota.send);
    quotas |= set_number(in->ProhibitSendReceiveQuota, &a->quota.receive);
    *changed |= set_bool(own, &a->own_quota);
    *changed |= quotas;
    if (quotas && !a->own_quota)
        call_warn(call, "The mailbox uses the quotas of its database until UseDatabaseQuotaDefaults is $false.");
    return quotas ? check_quota(call, &a->quota) : ecNone;
}

static bool is_among(const struct account *const *list, size_t count, struct guid guid)
{
    for (size_t i = 0; i < count; i++)
        if (guid_equal(list[i]->guid, guid))
            return true;
    return false;
}

static enum ec find_all(struct call *call, struct texts names, const struct account ***out)
{
    enum ec ec = ecNone;
    *out = talloc_array(call->arena, const struct account *, names.count + 1);
    for (size_t i = 0; i < names.count && !ec; i++)
        ec = find_account(call, names.items[i], &(*out)[i]);
    return ec;
}

static enum ec set_on_behalf(struct call *call, const struct account *mailbox, const struct account *trustee, bool may)
{
    struct grant grant = grant_now(call, mailbox, trustee);
    if (!(grant.allowed & GRANT_SEND_ON_BEHALF) == !may)
        return ecNone;
    grant.allowed ^= GRANT_SEND_ON_BEHALF;
    return call_directory(call, directory_grant(call->directory, &grant));
}

/* All of them, or some more and some less. */
static enum ec edit_on_behalf(struct call *call, const struct account *mailbox, const struct arg_list *arg)
{
    const struct texts added = arg->edits ? arg->add : arg->set;
    const struct account **more, **less;
    const struct grant_list now = directory_grants_of(call->directory, call->arena, mailbox);
    enum ec ec = find_all(call, added, &more);
    if (!ec)
        ec = find_all(call, arg->edits ? arg->remove : (struct texts){ 0 }, &less);
    for (size_t i = 0; i < now.count && !ec && !arg->edits; i++) {
        const struct account *a = directory_by_guid(call->directory, call->arena, now.items[i].trustee);
        if (a && !is_among(more, added.count, a->guid))
            ec = set_on_behalf(call, mailbox, a, false);
    }
    for (size_t i = 0; arg->edits && i < arg->remove.count && !ec; i++)
        ec = set_on_behalf(call, mailbox, less[i], false);
    for (size_t i = 0; i < added.count && !ec; i++)
        ec = set_on_behalf(call, mailbox, more[i], true);
    return ec;
}

static void tell_of_change(struct call *call, const struct account *before)
{
    const struct account *now = directory_by_mailbox_guid(call->directory, call->arena, before->mailbox_guid);
    if (now && call->context->account_changed)
        call->context->account_changed(call->context->store_arg, now);
}

enum ec cmdlet_Set_Mailbox(struct call *call, const struct Set_Mailbox *in)
{
    const struct account *account = NULL;
    bool changed = in->Password.given;
    enum ec ec = find_account(call, in->Identity.value, &account);
    if (ec)
        return ec;
    struct account altered = *account;
    ec = set_names(call, in, &altered, &changed);
    if (!ec)
        ec = set_addresses(call, in, &altered, &changed);
    if (!ec)
        ec = set_quotas(call, in, &altered, &changed);
    if (ec)
        return ec;
    changed |= set_bool(in->HiddenFromAddressListsEnabled, &altered.hidden);
    changed |= set_bool(in->AccountDisabled, &altered.disabled);
    changed |= set_bool(in->MessageCopyForSentAsEnabled, &altered.copy_sent_as);
    changed |= set_bool(in->MessageCopyForSendOnBehalfEnabled, &altered.copy_sent_on_behalf);
    changed |= in->GrantSendOnBehalfTo.given;
    const char *identity = mailbox_identity(call->arena, call->settings, account);
    const char *hash = in->Password.given ? directory_hash_password(call->arena, in->Password.value) : NULL;
    if (in->Password.given && !hash)
        return call_fail(call, ecInvalidParam, WEAK_PASSWORD);
    if (!changed) {
        call_unchanged(call, identity);
        return ecNone;
    }
    if (!call_may(call, "Setting mailbox \"%s\".", identity))
        return ecNone;
    if (in->GrantSendOnBehalfTo.given)
        ec = edit_on_behalf(call, account, &in->GrantSendOnBehalfTo);
    if (ec)
        return ec;
    ec = directory_set(call->directory, &altered, hash);
    if (!ec)
        tell_of_change(call, account);
    return call_directory(call, ec);
}

static enum ec remove_disconnected(struct call *call, const struct Remove_Mailbox *in)
{
    struct guid guid;
    const struct cmdlet_context *context = call->context;
    if (in->Identity.given || !in->Database.value || !in->StoreMailboxIdentity.value)
        return call_conflict(call);
    if (!org_database_by_name(call->settings, in->Database.value))
        return call_not_found(call, in->Database.value);
    if (!guid_parse(in->StoreMailboxIdentity.value, &guid))
        return call_not_found(call, in->StoreMailboxIdentity.value);
    if (!call_may(call, "Removing the disconnected mailbox \"%s\" for good.", in->StoreMailboxIdentity.value))
        return ecNone;
    return call_directory(call, directory_purge(call->directory, guid, context->store_remove, context->store_arg));
}

enum ec cmdlet_Remove_Mailbox(struct call *call, const struct Remove_Mailbox *in)
{
    const struct account *account = NULL;
    const struct cmdlet_context *context = call->context;
    if (in->StoreMailboxIdentity.given || in->Database.given)
        return remove_disconnected(call, in);
    if (!in->Identity.value)
        return call_fail(call, ecInvalidParam,
                         "Cannot process command because of one or more missing mandatory parameters: Identity.");
    enum ec ec = find_mailbox(call, in->Identity.value, in->PublicFolder.value, &account);
    if (ec)
        return ec;
    const char *identity = mailbox_identity(call->arena, call->settings, account);
    if (!call_may(call, in->Permanent.value ? "Removing the user and the mailbox \"%s\" for good."
                                            : "Removing the user \"%s\"; the mailbox stays in its database.", identity))
        return ecNone;
    if (in->PublicFolder.value && (ec = folders_forget_mail(call)))
        return ec;
    account_hook *gone = in->Permanent.value ? context->store_remove : NULL;
    return call_directory(call, directory_remove(call->directory, account, gone, context->store_arg));
}
