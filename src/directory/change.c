/* SPDX-License-Identifier: Apache-2.0 */
/* Making, changing and removing accounts: first the database, then the index. */
#include "directory/internal.h"

static void changed(struct directory *d)
{
    __atomic_add_fetch(&d->generation, 1, __ATOMIC_RELEASE);
}

/* Ends the transaction; `ec` is what went wrong before, and stays. */
static enum ec end(struct directory *d, struct sql_tx *tx, enum ec ec)
{
    if (ec)
        sql_abort(tx, ec);
    enum ec ended = sql_end(tx);
    if (!ec && ended)
        directory_say(ended, "%s", sql_error(d->db));
    return ec ? ec : ended;
}

/* `Alice Example` becomes AliceExample, `Jörg` Jorg; what an alias cannot hold becomes an underscore. */
static char *alias_of(TALLOC_CTX *arena, const char *text, size_t length, size_t at_most)
{
    const char *plain = text_fold_only(arena, talloc_strndup(arena, text, length), FOLD_ACCENTS);
    char *alias = talloc_strdup(arena, ""), last = '.';
    for (const char *p = plain; *p && strlen(alias) < at_most; p++) {
        if (*p == ' ' || (*p == '.' && last == '.') || ((unsigned char)*p & 0xC0) == 0x80)
            continue;
        last = *p == '.' || account_alias_char((unsigned char)*p) ? *p : '_';
        alias = talloc_strndup_append(alias, &last, 1);
    }
    for (size_t n = strlen(alias); n && alias[n - 1] == '.'; n--)
        alias[n - 1] = 0;
    return alias;
}

/* A derived name that is taken gets a number. */
static const char *free_name(struct directory *d, TALLOC_CTX *arena, enum key_kind kind, const char *wanted,
                             size_t at_most)
{
    const char *name = wanted;
    for (unsigned n = 1; n < 100000 && index_find(d, kind, key_fold(arena, name), NULL); n++) {
        const char *number = talloc_asprintf(arena, "%u", n);
        name = talloc_asprintf(arena, "%.*s%s", (int)(at_most - strlen(number)), wanted, number);
    }
    return name;
}

static char *at_default_domain(TALLOC_CTX *arena, const struct org_settings *s, const char *alias)
{
    const char *domain = "";
    for (size_t i = 0; i < s->domain_count; i++)
        if (s->domains[i].is_default)
            domain = s->domains[i].domain;
    return talloc_asprintf(arena, "%s@%s", alias, domain);
}

/* SAM names exclude some of what aliases may hold. */
static char *sam_of(TALLOC_CTX *arena, const char *upn)
{
    char *sam = alias_of(arena, upn, strcspn(upn, "@"), 20);
    for (char *p = sam; *p; p++)
        if (strchr("/=+*?", *p))
            *p = '_';
    return sam;
}

static const char *or_else(const char *given, const char *otherwise)
{
    return given ? given : otherwise;
}

/* Fills in what New-Mailbox left out. */
static void derive_names(struct directory *d, TALLOC_CTX *arena, const struct org_settings *s,
                         const struct account_new *given, struct account *a)
{
    const char *upn = given->user_principal_name, *source = or_else(upn, given->name);
    const char *wanted = alias_of(arena, source, upn ? strcspn(upn, "@") : strlen(source), 64);
    a->name = given->name;
    a->alias = given->alias ? given->alias : free_name(d, arena, KEY_ALIAS, wanted, 64);
    a->primary_smtp = or_else(given->primary_smtp, at_default_domain(arena, s, a->alias));
    a->user_principal_name = or_else(upn, a->primary_smtp);
    a->sam_account_name = given->sam_account_name
                              ? given->sam_account_name
                              : free_name(d, arena, KEY_SAM, sam_of(arena, a->user_principal_name), 20);
    a->display_name = or_else(given->display_name, given->name);
    a->first_name = or_else(given->first_name, "");
    a->last_name = or_else(given->last_name, "");
    a->initials = or_else(given->initials, "");
    const char **proxies = talloc_array(arena, const char *, 1);
    proxies[0] = talloc_asprintf(arena, "SMTP:%s", a->primary_smtp);
    a->proxy_addresses = proxies;
    a->proxy_count = 1;
}

/* The DN is compared as text by everybody: a slash in it would be another level. */
static char *dn_of(TALLOC_CTX *arena, const struct org_settings *s, const struct account *a)
{
    char *tail = talloc_strdup(arena, a->alias);
    for (char *p = tail; *p; p++)
        if (*p == '/' || *p == '=')
            *p = '_';
    return talloc_asprintf(arena, "%s/cn=Recipients/cn=%s-%s", s->legacy_dn,
                           hex_text(arena, BLOB_OF(a->guid.bytes, 16)), tail);
}

static void make_account(struct directory *d, TALLOC_CTX *arena, const struct org_settings *s,
                         const struct account_new *given, struct account *a)
{
    const uint64_t now = filetime_now();
    *a = (struct account){
        .mailbox_guid = guid_random(),
        .guid = guid_random(),
        .kind = given->kind,
        .database_guid = given->database,
        .public_folder = given->public_folder,
        .mapi_enabled = given->kind != ACCOUNT_MAIL_FOLDER,
        .quota = ORG_QUOTA_NONE,
        .disabled = given->kind != ACCOUNT_USER_MAILBOX,
        .hidden = given->kind == ACCOUNT_PUBLIC_FOLDERS,
        .when_created = now,
        .when_changed = now,
        .version = 1,
    };
    derive_names(d, arena, s, given, a);
    a->legacy_dn = dn_of(arena, s, a);
    account_complete(arena, s, a);
}

static void publish(struct directory *d, struct entry *old, struct entry *fresh)
{
    pthread_rwlock_wrlock(&d->looking);
    if (old)
        index_remove(d, old);
    if (fresh)
        index_add(d, fresh);
    changed(d);
    pthread_rwlock_unlock(&d->looking);
}

static enum ec create(struct directory *d, TALLOC_CTX *arena, const struct account_new *given, account_hook *made,
                      void *arg, struct account *a)
{
    const struct org_settings *s = org_settings(d->org, arena);
    make_account(d, arena, s, given, a);
    enum ec ec = account_check(d, s, a, NULL);
    if (!ec && !org_database_by_guid(s, a->database_guid))
        ec = directory_say(ecNotFound, "The mailbox database isn't there any more.");
    if (ec)
        return ec;
    struct sql_tx tx = sql_begin(d->db);
    a->minimal_id = row_next_minimal_id(&tx);
    row_insert(&tx, a, given->password_hash);
    if (made && !sql_failed(&tx)) {
        sql_forget_error();
        ec = made(arg, a);
        if (ec)
            directory_say(ec, "The mailbox of \"%s\" couldn't be created in the mailbox database \"%s\": %s.", a->name,
                          a->database, *sql_error(NULL) ? sql_error(NULL) : ec_text(ec));
    }
    return end(d, &tx, ec);
}

enum ec directory_create(struct directory *d, TALLOC_CTX *arena, const struct account_new *given, account_hook *made,
                         void *arg, const struct account **out)
{
    struct account account;
    pthread_mutex_lock(&d->writing);
    enum ec ec = create(d, arena, given, made, arg, &account);
    if (!ec) {
        struct entry *entry = entry_new(&account, given->password_hash);
        *out = entry_lend(arena, entry_take(entry));
        publish(d, NULL, entry);
    }
    pthread_mutex_unlock(&d->writing);
    return ec;
}

/* The entry that `account` was copied from, if nobody has changed it since. */
static enum ec current(struct directory *d, const struct account *account, struct entry **out)
{
    char text[GUID_TEXT_SIZE];
    *out = index_find(d, KEY_MAILBOX, guid_text(account->mailbox_guid, text), NULL);
    if (!*out)
        return directory_say(ecNotFound, "The mailbox \"%s\" isn't there any more.", account->name);
    if ((*out)->account.version != account->version)
        return directory_say(ecObjectModified,
                             "Somebody else has changed the mailbox \"%s\" meanwhile. Look at it and try again.",
                             account->name);
    return ecNone;
}

/* The primary address first, as everybody expects it. */
static void sort_addresses(TALLOC_CTX *arena, struct account *a)
{
    const char **list = talloc_array(arena, const char *, a->proxy_count);
    size_t n = 0;
    for (size_t i = 0; i < a->proxy_count; i++)
        if (strncmp(a->proxy_addresses[i], "SMTP:", 5) == 0)
            list[n++] = a->proxy_addresses[i];
    a->primary_smtp = n ? list[0] + 5 : "";
    for (size_t i = 0; i < a->proxy_count; i++)
        if (strncmp(a->proxy_addresses[i], "SMTP:", 5) != 0)
            list[n++] = a->proxy_addresses[i];
    a->proxy_addresses = list;
}

static void keep_what_never_changes(struct account *a, const struct account *before)
{
    a->guid = before->guid;
    a->minimal_id = before->minimal_id;
    a->public_folder = before->public_folder;
    a->legacy_dn = before->legacy_dn;
    a->database_guid = before->database_guid;
    a->when_created = before->when_created;
}

static enum ec set(struct directory *d, TALLOC_CTX *arena, struct account *a, const char *password_hash,
                   struct entry *old)
{
    const struct org_settings *s = org_settings(d->org, arena);
    keep_what_never_changes(a, &old->account);
    sort_addresses(arena, a);
    a->when_changed = filetime_now();
    a->version = old->account.version + 1;
    account_complete(arena, s, a);
    enum ec ec = account_check(d, s, a, old);
    if (ec)
        return ec;
    struct sql_tx tx = sql_begin(d->db);
    row_update(&tx, a, or_else(password_hash, old->password_hash));
    return end(d, &tx, ecNone);
}

enum ec directory_set(struct directory *d, const struct account *account, const char *password_hash)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct account altered = *account;
    struct entry *old = NULL;
    pthread_mutex_lock(&d->writing);
    enum ec ec = current(d, account, &old);
    if (!ec)
        ec = set(d, arena, &altered, password_hash, old);
    if (!ec)
        publish(d, old, entry_new(&altered, or_else(password_hash, old->password_hash)));
    pthread_mutex_unlock(&d->writing);
    talloc_free(arena);
    return ec;
}

static enum ec purge(struct directory *d, const struct account *a, account_hook *gone, void *arg)
{
    enum ec ec = gone(arg, a);
    if (ec)
        return directory_say(ec, "The mailbox of \"%s\" is disconnected, but couldn't be removed: %s.", a->display_name,
                             ec_text(ec));
    struct sql_tx tx = sql_begin(d->db);
    row_forget_disconnected(&tx, a->mailbox_guid);
    return end(d, &tx, ecNone);
}

enum ec directory_remove(struct directory *d, const struct account *account, account_hook *gone, void *arg)
{
    struct entry *old = NULL;
    pthread_mutex_lock(&d->writing);
    enum ec ec = current(d, account, &old);
    if (!ec) {
        struct sql_tx tx = sql_begin(d->db);
        row_delete(&tx, &old->account);
        row_forget_grants(&tx, old->account.guid);
        if (old->account.kind != ACCOUNT_MAIL_FOLDER)
            row_disconnect(&tx, &old->account);
        ec = end(d, &tx, ecNone);
    }
    if (!ec) {
        entry_take(old);
        publish(d, old, NULL);
        ec = grants_load(d);
        if (!ec && gone)
            ec = purge(d, &old->account, gone, arg);
        entry_release(old);
    }
    pthread_mutex_unlock(&d->writing);
    return ec;
}

enum ec directory_purge(struct directory *d, struct guid mailbox, account_hook *gone, void *arg)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct account account = { .mailbox_guid = mailbox, .sam_account_name = "" };
    pthread_mutex_lock(&d->writing);
    enum ec ec = row_disconnected(arena, d->db, &account);
    if (!ec) {
        account_complete(arena, org_settings(d->org, arena), &account);
        ec = purge(d, &account, gone, arg);
    }
    pthread_mutex_unlock(&d->writing);
    talloc_free(arena);
    return ec;
}
