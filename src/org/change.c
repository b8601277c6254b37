/* SPDX-License-Identifier: Apache-2.0 */
/* Changes.  Each holds the writing lock from its look at the picture to its commit, so the picture that it checks
 * against is the newest one. */
#include "org/internal.h"

static const struct org_settings *change_begin(struct org *org)
{
    pthread_mutex_lock(&org->writing);
    return &org->picture->settings;
}

static enum ec change_refused(struct org *org, enum ec ec)
{
    pthread_mutex_unlock(&org->writing);
    return ec;
}

/* Commits, puts the new picture in place and tells the watcher. */
static enum ec change_end(struct org *org, struct sql_tx *tx)
{
    enum ec ec = sql_end(tx);
    ec = ec ? org_say_sql(ec, org->db) : org_picture_load(org);
    void (*changed)(void *) = ec ? NULL : org->changed;
    void *arg = org->changed_arg;
    pthread_mutex_unlock(&org->writing);
    if (changed)
        changed(arg);
    return ec;
}

/* Two changes within a tick of the clock still get different versions. */
static int64_t next_version(uint64_t version)
{
    return (int64_t)version + 1;
}

static enum ec gone(const char *what)
{
    return org_say(ecNotFound, "The %s isn't there any more.", what);
}

static enum ec changed_meanwhile(const char *what, const char *name)
{
    return org_say(ecObjectModified, "Somebody else has changed the %s '%s' meanwhile. Look at it and try again.", what,
                   name);
}

static struct sql_value B_GUID(const struct guid *guid)
{
    return B_BYTES(guid->bytes, sizeof guid->bytes);
}

static int64_t now(void)
{
    return (int64_t)filetime_now();
}

static const char mapi_http_sql[] = "UPDATE organization SET mapi_http_enabled = $1, when_changed = $2";

enum ec org_set_mapi_http(struct org *org, bool enabled)
{
    change_begin(org);
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, mapi_http_sql, BIND(B_INT(enabled), B_INT(now())));
    return change_end(org, &tx);
}

static const char https_port_sql[] = "UPDATE organization SET https_port = $1";
static const char internal_url_follows_sql[] =
    "UPDATE virtual_directory SET internal_url = $1, version = version + 1"
    " WHERE kind = $2 AND internal_url_by_hand = 0";

enum ec org_set_https_port(struct org *org, unsigned port)
{
    const struct org_settings *s = change_begin(org);
    if (s->https_port == port)
        return change_refused(org, ecNone);
    char *url = org_https_url(NULL, s->hostname, port, "/mapi");
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, https_port_sql, BIND(B_INT(port)));
    sql_exec(&tx, internal_url_follows_sql, BIND(B_TEXT(url), B_INT(ORG_MAPI)));
    enum ec ec = change_end(org, &tx);
    talloc_free(url);
    return ec;
}

/* Accepted domains. */
static const struct org_domain *domain_by_guid(const struct org_settings *s, struct guid guid)
{
    for (size_t i = 0; i < s->domain_count; i++)
        if (guid_equal(s->domains[i].guid, guid))
            return &s->domains[i];
    return NULL;
}

/* Name and domain are unique, each among its own kind. */
static enum ec domain_is_free(const struct org_settings *s, const struct org_domain *wanted)
{
    for (size_t i = 0; i < s->domain_count; i++) {
        const struct org_domain *there = &s->domains[i];
        if (guid_equal(there->guid, wanted->guid))
            continue;
        if (strcasecmp(there->domain, wanted->domain) == 0 || strcasecmp(there->name, wanted->name) == 0)
            return org_say(ecDuplicateName, "The accepted domain '%s' (%s) already exists.", there->name,
                           there->domain);
    }
    return ecNone;
}

static const char domain_insert_sql[] =
    "INSERT INTO accepted_domain(position, guid, name, domain, type, is_default, when_created, when_changed, version)"
    " SELECT COALESCE(MAX(position), 0) + 1, $1, $2, $3, $4, $5, $6, $6, 1 FROM accepted_domain";
static const char domain_no_default_sql[] = "UPDATE accepted_domain SET is_default = 0 WHERE guid <> $1";
static const char domain_update_sql[] =
    "UPDATE accepted_domain SET name = $2, type = $3, is_default = $4, when_changed = $5, version = $6 WHERE guid = $1";
static const char domain_delete_sql[] = "DELETE FROM accepted_domain WHERE guid = $1";

enum ec org_domain_add(struct org *org, struct org_domain *domain)
{
    const struct org_settings *s = change_begin(org);
    domain->guid = guid_random();
    enum ec ec = domain_is_free(s, domain);
    if (ec)
        return change_refused(org, ec);
    domain->when_created = domain->when_changed = filetime_now();
    domain->version = 1;
    char *lower = org_lower(NULL, domain->domain);
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, domain_insert_sql,
             BIND(B_GUID(&domain->guid), B_TEXT(domain->name), B_TEXT(lower), B_INT(domain->type),
                  B_INT(domain->is_default), B_INT((int64_t)domain->when_created)));
    if (domain->is_default)
        sql_exec(&tx, domain_no_default_sql, BIND(B_GUID(&domain->guid)));
    ec = change_end(org, &tx);
    talloc_free(lower);
    return ec;
}

enum ec org_domain_set(struct org *org, const struct org_domain *domain)
{
    const struct org_settings *s = change_begin(org);
    const struct org_domain *there = domain_by_guid(s, domain->guid);
    enum ec ec = ecNone;
    if (!there)
        ec = gone("accepted domain");
    else if (there->version != domain->version)
        ec = changed_meanwhile("accepted domain", there->name);
    else if (there->is_default && !domain->is_default)
        ec = org_say(ecInvalidParam, "'%s' is the default accepted domain. Make another one the default instead.",
                     there->name);
    else
        ec = domain_is_free(s, domain);
    if (ec)
        return change_refused(org, ec);
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, domain_update_sql,
             BIND(B_GUID(&domain->guid), B_TEXT(domain->name), B_INT(domain->type), B_INT(domain->is_default),
                  B_INT(now()), B_INT(next_version(there->version))));
    if (domain->is_default)
        sql_exec(&tx, domain_no_default_sql, BIND(B_GUID(&domain->guid)));
    return change_end(org, &tx);
}

enum ec org_domain_remove(struct org *org, struct guid guid)
{
    const struct org_domain *there = domain_by_guid(change_begin(org), guid);
    if (!there)
        return change_refused(org, gone("accepted domain"));
    if (there->is_default)
        return change_refused(org, org_say(ecAccessDenied, "The accepted domain '%s' is the default one. Make another"
                                                           " one the default first.", there->name));
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, domain_delete_sql, BIND(B_GUID(&guid)));
    return change_end(org, &tx);
}

/* Mailbox databases. */
static enum ec database_is_free(const struct org_settings *s, const struct org_database *wanted)
{
    const struct org_database *there = org_database_by_name(s, wanted->name);
    if (there && !guid_equal(there->guid, wanted->guid))
        return org_say(ecDuplicateName, "The mailbox database '%s' already exists.", there->name);
    return ecNone;
}

static const char database_insert_sql[] =
    "INSERT INTO mailbox_database(position, guid, name, url, excluded_from_provisioning, when_created, when_changed,"
    "                             version, warning_quota, send_quota, receive_quota)"
    " SELECT COALESCE(MAX(position), 0) + 1, $1, $2, $3, $4, $5, $5, 1, $6, $7, $8 FROM mailbox_database";
static const char database_update_sql[] =
    "UPDATE mailbox_database SET name = $2, url = $3, excluded_from_provisioning = $4, when_changed = $5, version = $6,"
    " warning_quota = $7, send_quota = $8, receive_quota = $9, deleted_item_retention = $10 WHERE guid = $1";
static const char database_delete_sql[] = "DELETE FROM mailbox_database WHERE guid = $1";

bool org_quota_is_good(const struct org_quota *q)
{
    const int64_t all[] = { q->warning, q->send, q->receive };
    for (size_t i = 0; i < COUNTOF(all); i++)
        if (all[i] != ORG_UNLIMITED && (all[i] < 0 || all[i] > ORG_QUOTA_MAX))
            return false;
    const bool limited = q->receive != ORG_UNLIMITED;
    return !limited || ((q->warning == ORG_UNLIMITED || q->warning <= q->receive) &&
                        (q->send == ORG_UNLIMITED || q->send <= q->receive));
}

enum ec org_database_add(struct org *org, struct org_database *database)
{
    const struct org_settings *s = change_begin(org);
    database->guid = guid_random();
    enum ec ec = database_is_free(s, database);
    if (ec)
        return change_refused(org, ec);
    database->when_created = database->when_changed = filetime_now();
    database->version = 1;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, database_insert_sql,
             BIND(B_GUID(&database->guid), B_TEXT(database->name),
                  B_TEXT(org_url_kept(arena, s->data_dir, database->url)),
                  B_INT(database->excluded_from_provisioning), B_INT((int64_t)database->when_created),
                  B_INT(database->quota.warning), B_INT(database->quota.send), B_INT(database->quota.receive)));
    ec = change_end(org, &tx);
    talloc_free(arena);
    return ec;
}

enum ec org_database_set(struct org *org, const struct org_database *database)
{
    const struct org_settings *s = change_begin(org);
    const struct org_database *there = org_database_by_guid(s, database->guid);
    enum ec ec = ecNone;
    if (!there)
        ec = gone("mailbox database");
    else if (there->version != database->version)
        ec = changed_meanwhile("mailbox database", there->name);
    else
        ec = database_is_free(s, database);
    if (ec)
        return change_refused(org, ec);
    TALLOC_CTX *arena = talloc_new(NULL);
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, database_update_sql,
             BIND(B_GUID(&database->guid), B_TEXT(database->name),
                  B_TEXT(org_url_kept(arena, s->data_dir, database->url)),
                  B_INT(database->excluded_from_provisioning), B_INT(now()), B_INT(next_version(there->version)),
                  B_INT(database->quota.warning), B_INT(database->quota.send), B_INT(database->quota.receive),
                  B_INT(database->deleted_item_retention)));
    ec = change_end(org, &tx);
    talloc_free(arena);
    return ec;
}

enum ec org_database_remove(struct org *org, struct guid guid)
{
    const struct org_database *there = org_database_by_guid(change_begin(org), guid);
    if (!there)
        return change_refused(org, gone("mailbox database"));
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, database_delete_sql, BIND(B_GUID(&guid)));
    return change_end(org, &tx);
}

/* Virtual directories. */
static const struct org_virtual_directory *directory_by_guid(const struct org_settings *s, struct guid guid)
{
    for (size_t i = 0; i < s->directory_count; i++)
        if (guid_equal(s->directories[i].guid, guid))
            return &s->directories[i];
    return NULL;
}

static const char directory_update_sql[] =
    "UPDATE virtual_directory SET internal_url = $2, external_url = $3, internal_url_by_hand = $4, auth = $5,"
    "       internal_hostname = $6, external_hostname = $7, internal_ssl = $8, external_ssl = $9,"
    "       internal_auth = $10, external_auth = $11, ssl_offloading = $12, when_changed = $13, version = $14"
    " WHERE guid = $1";

enum ec org_directory_set(struct org *org, const struct org_virtual_directory *d)
{
    const struct org_virtual_directory *there = directory_by_guid(change_begin(org), d->guid);
    if (!there)
        return change_refused(org, gone("virtual directory"));
    if (there->version != d->version)
        return change_refused(org, changed_meanwhile("virtual directory", there->identity));
    struct sql_tx tx = sql_begin(org->db);
    sql_exec(&tx, directory_update_sql,
             BIND(B_GUID(&d->guid), B_TEXT(d->internal_url), B_TEXT(d->external_url), B_INT(d->internal_url_by_hand),
                  B_INT(d->auth), B_TEXT(d->internal_hostname), B_TEXT(d->external_hostname), B_INT(d->internal_ssl),
                  B_INT(d->external_ssl), B_INT(d->internal_auth), B_INT(d->external_auth), B_INT(d->ssl_offloading),
                  B_INT(now()), B_INT(next_version(there->version))));
    return change_end(org, &tx);
}
