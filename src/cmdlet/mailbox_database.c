/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cmdlet/call.h"
#include "sql/sql.h"

/* postgresql://user:secret@host/db and ...?password=secret show three stars. */
static const char *url_without_password(TALLOC_CTX *arena, const char *url)
{
    char *shown = talloc_strdup(arena, url);
    char *authority = strstr(shown, "://"), *at = authority ? strchr(authority + 3, '@') : NULL;
    char *colon = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;
    if (colon)
        shown = talloc_asprintf(arena, "%.*s:***%s", (int)(colon - shown), shown, at);
    char *word = strcasestr(shown, "password=");
    if (!word)
        return shown;
    word += strlen("password=");
    return talloc_asprintf(arena, "%.*s***%s", (int)(word - shown), shown, word + strcspn(word, "&"));
}

#define NOUN "MailboxDatabase"
#define ROW const struct org_database
#define VIEW "Name Server Recovery ReplicationType"
#define LIST                                                                            \
    PROPERTY(Server, v_text(s->server_name))                                            \
    PROPERTY(ServerName, v_text(s->server_name))                                        \
    PROPERTY(Recovery, v_bool(false))                                                   \
    PROPERTY(ReplicationType, v_text("None"))                                           \
    PROPERTY(Mounted, v_bool(true))                                                     \
    PROPERTY(Url, v_text(url_without_password(arena, row->url)))                        \
    PROPERTY(IssueWarningQuota, v_size(arena, row->quota.warning))                      \
    PROPERTY(ProhibitSendQuota, v_size(arena, row->quota.send))                         \
    PROPERTY(ProhibitSendReceiveQuota, v_size(arena, row->quota.receive))               \
    PROPERTY(IsExcludedFromProvisioning, v_bool(row->excluded_from_provisioning))       \
    PROPERTY(DeletedItemRetention, v_seconds(arena, row->deleted_item_retention))       \
    PROPERTY(Name, v_text(row->name))                                                   \
    PROPERTY(Identity, v_text(row->name))                                               \
    PROPERTY(Id, v_text(row->name))                                                     \
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

static const struct org_database *find_database(struct call *call, const char *identity)
{
    const struct org_database *database = org_database_by_name(call->settings, identity);
    if (!database)
        call_not_found(call, identity);
    return database;
}

/* A folder for one file per mailbox; it is made when it is missing. */
static enum ec check_folder(struct call *call, const char *path)
{
    struct stat st;
    if (*path != '/')
        return call_fail(call, ecInvalidParam, "\"%s\" must be an absolute path: sqlite:/FOLDER.", path);
    if (mkdir(path, 0700) && errno != EEXIST)
        return call_fail(call, ecAccessDenied, "The folder '%s' can't be made: %s.", path, strerror(errno));
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return call_fail(call, ecInvalidParam, "'%s' is not a folder.", path);
    if (access(path, R_OK | W_OK | X_OK))
        return call_fail(call, ecAccessDenied, "The folder '%s' can't be written: %s.", path, strerror(errno));
    return ecNone;
}

static enum ec check_connection(struct call *call, const char *url)
{
    struct sql *db = NULL;
    enum ec ec = sql_open(&db, call->arena, url);
    talloc_free(db);
    return ec ? call_fail(call, ec, "The database can't be opened: %s.", sql_error(NULL)) : ecNone;
}

static enum ec check_url(struct call *call, const char *url)
{
    if (text_is_prefix(url, "sqlite:"))
        return check_folder(call, url + strlen("sqlite:"));
    if (text_is_prefix(url, "postgresql:") || text_is_prefix(url, "postgres:"))
        return check_connection(call, url);
    return call_fail(call, ecInvalidParam, "The Url of a mailbox database begins with sqlite: or postgresql:.");
}

static enum ec check_name(struct call *call, const char *name)
{
    bool ok = *name && *name != '.' && strlen(name) <= 64;
    for (const char *p = name; *p; p++)
        ok &= (unsigned char)*p >= 0x20 && *p != 0x7F && !strchr("/\\*?\"<>|:", *p);
    return ok ? ecNone : call_fail(call, ecInvalidParam, "\"%s\" can't be the name of a mailbox database.", name);
}

static enum ec check_not_shared(struct call *call, const char *url, struct guid self)
{
    const struct org_settings *s = call->settings;
    for (size_t i = 0; i < s->database_count; i++)
        if (!guid_equal(s->databases[i].guid, self) && strcmp(s->databases[i].url, url) == 0)
            return call_fail(call, ecDuplicateName, "This Url already belongs to the mailbox database \"%s\".",
                             s->databases[i].name);
    return ecNone;
}

enum ec cmdlet_New_MailboxDatabase(struct call *call, const struct New_MailboxDatabase *in)
{
    const struct org_settings *s = call->settings;
    struct org_database database = { .name = in->Name.value, .url = in->Url.value,
                                     .excluded_from_provisioning = in->IsExcludedFromProvisioning.value,
                                     .quota = ORG_QUOTA_DEFAULT };
    if (!database.url)
        database.url = talloc_asprintf(call->arena, "sqlite:%s/mailboxes/%s", s->data_dir, database.name);
    enum ec ec = check_name(call, database.name);
    if (!ec)
        ec = check_not_shared(call, database.url, database.guid);
    if (!ec && !call_may(call, "Creating the mailbox database \"%s\".", database.name))
        return ecNone;
    if (!ec)
        ec = check_url(call, database.url);
    if (ec)
        return ec;
    ec = org_database_add(call->org, &database);
    if (ec)
        return call_org(call, ec);
    const struct org_settings *now = org_settings(call->org, call->arena);
    call_emit(call, (struct object){ &type, org_database_by_guid(now, database.guid), now });
    return ecNone;
}

enum ec cmdlet_Get_MailboxDatabase(struct call *call, const struct Get_MailboxDatabase *in)
{
    const struct org_settings *s = call->settings;
    const struct org_database *one = in->Identity.value ? find_database(call, in->Identity.value) : NULL;
    if (in->Identity.value && !one)
        return ecNotFound;
    for (size_t i = 0; i < s->database_count; i++)
        if (!one || one == &s->databases[i])
            call_emit(call, (struct object){ &type, &s->databases[i], s });
    return ecNone;
}

static size_t count_mailboxes(struct call *call, const struct org_database *database)
{
    const struct account_list *all = directory_list(call->directory, call->arena, ACCOUNTS_ALL);
    size_t count = 0;
    for (size_t i = 0; i < all->count; i++)
        count += guid_equal(all->accounts[i]->database_guid, database->guid);
    return count;
}

static enum ec check_change(struct call *call, const struct Set_MailboxDatabase *in, const struct org_database *there,
                            const struct org_database *altered)
{
    enum ec ec = in->Name.value ? check_name(call, in->Name.value) : ecNone;
    if (!ec)
        ec = check_quota(call, &altered->quota);
    if (!ec && in->Url.value)
        ec = check_not_shared(call, in->Url.value, there->guid);
    return !ec && in->Url.value ? check_url(call, in->Url.value) : ec;
}

enum ec cmdlet_Set_MailboxDatabase(struct call *call, const struct Set_MailboxDatabase *in)
{
    const struct org_database *there = find_database(call, in->Identity.value);
    if (!there)
        return ecNotFound;
    struct org_database altered = *there;
    bool changed = in->Name.value && set_text(in->Name, &altered.name);
    const bool moved = in->Url.value && set_text(in->Url, &altered.url);
    changed |= moved | set_bool(in->IsExcludedFromProvisioning, &altered.excluded_from_provisioning);
    changed |= set_number(in->IssueWarningQuota, &altered.quota.warning);
    changed |= set_number(in->ProhibitSendQuota, &altered.quota.send);
    changed |= set_number(in->ProhibitSendReceiveQuota, &altered.quota.receive);
    if (in->DeletedItemRetention.given && in->DeletedItemRetention.value != there->deleted_item_retention) {
        altered.deleted_item_retention = (uint32_t)in->DeletedItemRetention.value;
        changed = true;
    }
    if (!changed) {
        call_unchanged(call, there->name);
        return ecNone;
    }
    if (!call_may(call, "Setting the mailbox database \"%s\".", there->name))
        return ecNone;
    enum ec ec = check_change(call, in, there, &altered);
    if (ec)
        return ec;
    const size_t mailboxes = count_mailboxes(call, there);
    if (moved && mailboxes)
        call_warn(call, "%zu mailboxes are expected at the new place from now on: nothing has been moved there.",
                  mailboxes);
    return call_org(call, org_database_set(call->org, &altered));
}

enum ec cmdlet_Remove_MailboxDatabase(struct call *call, const struct Remove_MailboxDatabase *in)
{
    const struct org_database *there = find_database(call, in->Identity.value);
    if (!there)
        return ecNotFound;
    const size_t mailboxes = count_mailboxes(call, there);
    if (mailboxes)
        return call_fail(call, ecAccessDenied,
                         "This mailbox database contains one or more mailboxes (%zu). Remove them first; Get-Mailbox"
                         " -Database \"%s\" shows them.", mailboxes, there->name);
    if (!call_may(call, "Removing the mailbox database \"%s\".", there->name))
        return ecNone;
    enum ec ec = org_database_remove(call->org, there->guid);
    if (!ec)
        call_warn(call, "The mailbox database \"%s\" has been removed; its files are still there.", there->name);
    return call_org(call, ec);
}
