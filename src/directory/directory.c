/* SPDX-License-Identifier: Apache-2.0 */
#include "directory/internal.h"

static _Thread_local char refusal[1024];

const char *directory_refusal(void)
{
    return refusal;
}

enum ec directory_say(enum ec ec, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(refusal, sizeof refusal, format, args);
    va_end(args);
    return ec;
}

void account_complete(TALLOC_CTX *arena, const struct org_settings *s, struct account *account)
{
    const struct org_database *database = org_database_by_guid(s, account->database_guid);
    account->logon_name = talloc_asprintf(arena, "%s\\%s", s->netbios_name, account->sam_account_name);
    account->database = database ? database->name : "";
    account->store_url = database ? database->url : "";
}

static void see_settings(struct directory *d)
{
    TALLOC_CTX *owner = talloc_new(d);
    d->seen = org_settings(d->org, owner);
    talloc_free(d->seen_owner);
    d->seen_owner = owner;
}

static void start_over(struct directory *d)
{
    index_clear(d);
    __atomic_add_fetch(&d->generation, 1, __ATOMIC_RELEASE);
}

/* `writing` is held.  Readers wait: this happens when a mailbox database is renamed or gets another URL. */
static enum ec load(struct directory *d)
{
    pthread_rwlock_wrlock(&d->looking);
    start_over(d);
    enum ec ec = rows_load(d, index_add);
    pthread_rwlock_unlock(&d->looking);
    list_forget(d);
    return ec ? directory_say(ec, "%s", sql_error(d->db)) : ecNone;
}

static bool same_databases(const struct org_settings *a, const struct org_settings *b)
{
    if (a->database_count != b->database_count)
        return false;
    for (size_t i = 0; i < a->database_count; i++)
        if (strcmp(a->databases[i].name, b->databases[i].name) != 0 ||
            strcmp(a->databases[i].url, b->databases[i].url) != 0)
            return false;
    return true;
}

static void settings_changed(void *arg)
{
    struct directory *d = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    pthread_mutex_lock(&d->writing);
    if (!same_databases(d->seen, org_settings(d->org, arena))) {
        see_settings(d);
        if (load(d))
            log_line(LOG_ERROR, "directory", "%s", directory_refusal());
    }
    pthread_mutex_unlock(&d->writing);
    talloc_free(arena);
}

static int directory_destroy(struct directory *d)
{
    org_watch(d->org, NULL, NULL);
    index_clear(d);
    list_forget(d);
    pthread_mutex_destroy(&d->writing);
    pthread_mutex_destroy(&d->listing);
    pthread_rwlock_destroy(&d->looking);
    return 0;
}

enum ec directory_open(struct directory **out, TALLOC_CTX *owner, struct org *org)
{
    struct directory *d = talloc_zero(owner, struct directory);
    d->org = org;
    pthread_mutex_init(&d->writing, NULL);
    pthread_mutex_init(&d->listing, NULL);
    pthread_rwlock_init(&d->looking, NULL);
    talloc_set_destructor(d, directory_destroy);
    d->nobody_hash = nobody_hash(d);
    see_settings(d);

    enum ec ec = sql_open(&d->db, d, org_database_path(org));
    if (!ec)
        ec = sql_schema(d->db, directory_schema, directory_schema_steps, "directory");
    ec = ec ? directory_say(ec, "%s", sql_error(d->db)) : load(d);
    if (!ec)
        ec = grants_load(d);
    if (ec) {
        talloc_free(d);
        return ec;
    }
    org_watch(org, settings_changed, d);
    settings_changed(d);                                   /* a change between the load and the watch */
    *out = d;
    return ecNone;
}

uint64_t directory_generation(struct directory *d)
{
    return __atomic_load_n(&d->generation, __ATOMIC_ACQUIRE);
}

static const struct account *look_up(struct directory *d, TALLOC_CTX *arena, enum key_kind kind, const char *text)
{
    return entry_lend(arena, directory_entry(d, kind, text));
}

const struct account *directory_by_smtp(struct directory *d, TALLOC_CTX *arena, const char *address)
{
    return look_up(d, arena, KEY_SMTP, text_is_prefix(address, "smtp:") ? address + strlen("smtp:") : address);
}

/* .../cn=GUID@domain: what Autodiscover calls the mailbox' personal server, taken for the mailbox itself. */
static const struct account *by_guid_in_dn(struct directory *d, TALLOC_CTX *arena, const char *dn)
{
    char text[GUID_TEXT_SIZE];
    struct guid guid;
    const char *last = strrchr(dn, '=');
    if (!last || strlen(last) < GUID_TEXT_SIZE + 1 || last[GUID_TEXT_SIZE] != '@')
        return NULL;
    snprintf(text, sizeof text, "%s", last + 1);
    return guid_parse(text, &guid) ? directory_by_mailbox_guid(d, arena, guid) : NULL;
}

const struct account *directory_by_legacy_dn(struct directory *d, TALLOC_CTX *arena, const char *dn)
{
    const struct account *account = look_up(d, arena, KEY_DN, dn);
    return account ? account : by_guid_in_dn(d, arena, dn);
}

const struct account *directory_by_mailbox_guid(struct directory *d, TALLOC_CTX *arena, struct guid guid)
{
    return entry_lend(arena, directory_entry_by_guid(d, KEY_MAILBOX, guid));
}

const struct account *directory_by_minimal_id(struct directory *d, TALLOC_CTX *arena, uint32_t id)
{
    char text[16];
    snprintf(text, sizeof text, "%u", id);
    return look_up(d, arena, KEY_MINIMAL_ID, text);
}

const struct account *directory_mail_folder(struct directory *d, TALLOC_CTX *arena, uint64_t public_folder)
{
    char text[KEY_FOLDER_SIZE];
    return look_up(d, arena, KEY_PUBLIC_FOLDER, key_of_folder(public_folder, text));
}

const struct account *directory_public_folders(struct directory *d, TALLOC_CTX *arena)
{
    return directory_mail_folder(d, arena, 0);
}

struct policy_input directory_policy_input(const struct org_settings *s, const struct account *account)
{
    return (struct policy_input){
        .organization_mapi_http = s->mapi_http_enabled,
        .mailbox_mapi_http = account->mapi_http_enabled,
        .block_external = account->block_external,
        .mapi_enabled = account->mapi_enabled,
        .mapi_urls = org_urls(org_directory_of(s, ORG_MAPI)),
        .anywhere_hosts = org_hosts(org_directory_of(s, ORG_OUTLOOK_ANYWHERE)),
    };
}

/* ---- quotas ---- */

struct org_quota account_quota(const struct org_settings *s, const struct account *a)
{
    const struct org_database *database = org_database_by_guid(s, a->database_guid);
    return a->own_quota || !database ? a->quota : database->quota;
}

struct org_quota directory_quota(struct directory *d, struct guid mailbox)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct account *a = directory_by_mailbox_guid(d, arena, mailbox);
    const struct org_quota quota = a ? account_quota(org_settings(d->org, arena), a) : ORG_QUOTA_NONE;
    talloc_free(arena);
    return quota;
}
