/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "org/internal.h"

static _Thread_local char error[1024];

const char *org_error(void)
{
    return error;
}

enum ec org_say(enum ec ec, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(error, sizeof error, format, args);
    va_end(args);
    return ec;
}

enum ec org_say_sql(enum ec ec, const struct sql *db)
{
    return org_say(ec, "%s", sql_error(db));
}

static const struct sql_schema_step schema[] = {
    { "organisation, domains, databases and virtual directories",
      "CREATE TABLE organization("
      "  one BIGINT PRIMARY KEY, name TEXT NOT NULL, deployment_id BYTEA NOT NULL, server_name TEXT NOT NULL,"
      "  hostname TEXT NOT NULL, https_port BIGINT NOT NULL, netbios_name TEXT NOT NULL,"
      "  mapi_http_enabled BIGINT NOT NULL, when_created BIGINT NOT NULL, when_changed BIGINT NOT NULL);"
      "CREATE TABLE accepted_domain("
      "  position BIGINT NOT NULL, guid BYTEA PRIMARY KEY, name TEXT NOT NULL, domain TEXT NOT NULL UNIQUE,"
      "  type BIGINT NOT NULL, is_default BIGINT NOT NULL, when_created BIGINT NOT NULL,"
      "  when_changed BIGINT NOT NULL, version BIGINT NOT NULL);"
      "CREATE TABLE mailbox_database("
      "  position BIGINT NOT NULL, guid BYTEA PRIMARY KEY, name TEXT NOT NULL UNIQUE, url TEXT NOT NULL,"
      "  excluded_from_provisioning BIGINT NOT NULL, warning_quota BIGINT NOT NULL, send_quota BIGINT NOT NULL,"
      "  receive_quota BIGINT NOT NULL, when_created BIGINT NOT NULL,"
      "  when_changed BIGINT NOT NULL, version BIGINT NOT NULL);"
      "CREATE TABLE virtual_directory("
      "  position BIGINT NOT NULL, guid BYTEA PRIMARY KEY, kind BIGINT NOT NULL, name TEXT NOT NULL UNIQUE,"
      "  internal_url TEXT, external_url TEXT, internal_url_by_hand BIGINT NOT NULL, auth BIGINT NOT NULL,"
      "  internal_hostname TEXT, external_hostname TEXT, internal_ssl BIGINT NOT NULL,"
      "  external_ssl BIGINT NOT NULL, internal_auth BIGINT NOT NULL, external_auth BIGINT NOT NULL,"
      "  ssl_offloading BIGINT NOT NULL, when_created BIGINT NOT NULL, when_changed BIGINT NOT NULL,"
      "  version BIGINT NOT NULL);" },
    { "how long a mailbox database keeps what was deleted",
      "ALTER TABLE mailbox_database ADD COLUMN deleted_item_retention BIGINT NOT NULL DEFAULT 1209600" },
};

char *org_lower(TALLOC_CTX *owner, const char *text)
{
    char *lower = talloc_strdup(owner, text);
    for (char *p = lower; *p; p++)
        *p = (char)tolower((unsigned char)*p);
    return lower;
}

char *org_https_url(TALLOC_CTX *owner, const char *hostname, unsigned port, const char *path)
{
    if (port == 443)
        return talloc_asprintf(owner, "https://%s%s", hostname, path);
    return talloc_asprintf(owner, "https://%s:%u%s", hostname, port, path);
}

#define SQLITE_SCHEME "sqlite:"

char *org_url_kept(TALLOC_CTX *owner, const char *data_dir, const char *url)
{
    const char *inside = talloc_asprintf(owner, SQLITE_SCHEME "%s/", data_dir);
    if (strncmp(url, inside, strlen(inside)) == 0)
        return talloc_asprintf(owner, SQLITE_SCHEME "%s", url + strlen(inside));
    return talloc_strdup(owner, url);
}

char *org_url_shown(TALLOC_CTX *owner, const char *data_dir, const char *kept)
{
    const char *path = kept + strlen(SQLITE_SCHEME);
    if (text_is_prefix(kept, SQLITE_SCHEME) && *path != '/')
        return talloc_asprintf(owner, SQLITE_SCHEME "%s/%s", data_dir, path);
    return talloc_strdup(owner, kept);
}

/* Makes the folder with its parents; others may not look into it. */
static enum ec make_folder(const char *path)
{
    if (!*path)
        return org_say(ecInvalidParam, "The data folder has no name.");
    char *at = talloc_strdup(NULL, path);
    enum ec ec = ecNone;
    for (char *p = at + 1; !ec; p++) {
        const char end = *p;
        if (end && end != '/')
            continue;
        *p = 0;
        if (mkdir(at, 0700) && errno != EEXIST)
            ec = org_say(errno == ENOSPC ? ecDiskFull : ecAccessDenied,
                         "The folder '%s' cannot be made: %s.", at, strerror(errno));
        *p = end;
        if (!end)
            break;
    }
    talloc_free(at);
    return ec;
}

static enum ec absolute_folder(TALLOC_CTX *owner, const char *data_dir, char **out)
{
    char *path = realpath(data_dir, NULL);
    struct stat st;
    if (!path)
        return org_say(ecNotFound, "The data folder '%s' cannot be opened: %s.", data_dir, strerror(errno));
    *out = talloc_strdup(owner, path);
    free(path);
    if (stat(*out, &st) || !S_ISDIR(st.st_mode))
        return org_say(ecInvalidParam, "'%s' is not a folder.", data_dir);
    if (access(*out, W_OK | X_OK))
        return org_say(ecAccessDenied, "The data folder '%s' cannot be written: %s.", *out, strerror(errno));
    return ecNone;
}

static int org_destroy(struct org *org)
{
    org_picture_release(org->picture);
    pthread_mutex_destroy(&org->writing);
    pthread_mutex_destroy(&org->taking);
    return 0;
}

static const char is_filled_sql[] = "SELECT COUNT(*) FROM organization";

static enum ec fill_when_new(struct org *org, const struct org_defaults *defaults)
{
    struct sql_tx tx = sql_begin(org->db);
    if (sql_int(&tx, is_filled_sql, (struct sql_bind){ 0 }) == 0 && !sql_failed(&tx)) {
        enum ec ec = org_fill(&tx, defaults);
        if (ec) {
            sql_abort(&tx, ec);
            sql_end(&tx);
            return ec;
        }
    }
    enum ec ec = sql_end(&tx);
    return ec ? org_say_sql(ec, org->db) : ecNone;
}

static enum ec open_database(struct org *org, const struct org_defaults *defaults)
{
    enum ec ec = sql_open(&org->db, org, org->database_path);
    if (!ec)
        ec = sql_schema(org->db, schema, COUNTOF(schema), "org");
    if (ec)
        return org_say_sql(ec, org->db);
    if (defaults)
        ec = fill_when_new(org, defaults);
    return ec ? ec : org_picture_load(org);
}

enum ec org_open(struct org **out, TALLOC_CTX *owner, const char *data_dir, const struct org_defaults *defaults)
{
    struct org *org = talloc_zero(owner, struct org);
    pthread_mutex_init(&org->writing, NULL);
    pthread_mutex_init(&org->taking, NULL);
    talloc_set_destructor(org, org_destroy);
    org_say(ecNone, "%s", "");

    bool enabled;
    enum ec ec = defaults ? org_upgrade_check(defaults, &enabled) : ecNone;
    if (!ec && defaults)
        ec = make_folder(data_dir);
    if (!ec)
        ec = absolute_folder(org, data_dir, &org->data_dir);
    if (!ec) {
        char *file = talloc_asprintf(org, "%s/org.db", org->data_dir);
        org->database_path = talloc_asprintf(org, SQLITE_SCHEME "%s", file);
        if (!defaults && access(file, F_OK))
            ec = org_say(ecNotFound, "There is no organisation in '%s' yet. oxcartd --data DIR makes one.",
                         org->data_dir);
        else
            ec = make_folder(talloc_asprintf(org, "%s/mailboxes", org->data_dir));
    }
    if (!ec)
        ec = open_database(org, defaults);
    if (ec)
        talloc_free(org);
    else
        *out = org;
    return ec;
}

const char *org_database_path(const struct org *org)
{
    return org->database_path;
}

void org_watch(struct org *org, void (*changed)(void *), void *arg)
{
    pthread_mutex_lock(&org->writing);
    org->changed = changed;
    org->changed_arg = arg;
    pthread_mutex_unlock(&org->writing);
}

struct org_lock {
    int fd;
};

static int lock_release(struct org_lock *lock)
{
    return close(lock->fd);                                /* the lock goes with the file's last descriptor */
}

enum ec org_lock_take(struct org_lock **out, TALLOC_CTX *owner, const char *data_dir)
{
    enum ec ec = make_folder(data_dir);
    if (ec)
        return ec;
    char *path = talloc_asprintf(owner, "%s/oxcart.lock", data_dir);
    const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        ec = org_say(ecAccessDenied, "'%s' cannot be opened: %s.", path, strerror(errno));
    else if (flock(fd, LOCK_EX | LOCK_NB))
        ec = org_say(ecBusy, "Another oxcartd or oxcart is at work on '%s'.", data_dir);
    talloc_free(path);
    if (ec) {
        if (fd >= 0)
            close(fd);
        return ec;
    }
    *out = talloc(owner, struct org_lock);
    (*out)->fd = fd;
    talloc_set_destructor(*out, lock_release);
    return ecNone;
}
