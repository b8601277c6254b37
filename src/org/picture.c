/* SPDX-License-Identifier: Apache-2.0 */
/* The picture of the settings: read from the tables as a whole, counted by its readers, never altered. */
#include "org/internal.h"

static struct guid col_guid(struct sql_rows *rows, unsigned column)
{
    const struct blob bytes = sql_col_blob(rows, column);
    struct guid guid = { 0 };
    if (bytes.size == sizeof guid.bytes)
        memcpy(guid.bytes, bytes.data, sizeof guid.bytes);
    return guid;
}

static const char *col_text_or_null(TALLOC_CTX *owner, struct sql_rows *rows, unsigned column)
{
    return sql_col_null(rows, column) ? NULL : sql_col_text_copy(owner, rows, column);
}

static const char organization_sql[] =
    "SELECT name, deployment_id, server_name, hostname, https_port, netbios_name, mapi_http_enabled, when_created,"
    "       when_changed FROM organization";

static void load_organization(struct org_settings *s, struct sql_tx *tx)
{
    struct sql_rows row = sql_one(tx, organization_sql, (struct sql_bind){ 0 });
    if (sql_failed(tx))
        return;
    s->organization = sql_col_text_copy(s, &row, 0);
    s->legacy_dn = talloc_asprintf(s, "/o=%s/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)", s->organization);
    s->deployment_id = col_guid(&row, 1);
    s->server_name = sql_col_text_copy(s, &row, 2);
    s->hostname = sql_col_text_copy(s, &row, 3);
    s->https_port = (unsigned)sql_col_int(&row, 4);
    s->netbios_name = sql_col_text_copy(s, &row, 5);
    s->mapi_http_enabled = sql_col_int(&row, 6) != 0;
    s->when_created = (uint64_t)sql_col_int(&row, 7);
    s->when_changed = (uint64_t)sql_col_int(&row, 8);
    sql_done(&row);
}

static const char domains_sql[] =
    "SELECT guid, name, domain, type, is_default, when_created, when_changed, version"
    "  FROM accepted_domain ORDER BY position";

static void load_domains(struct org_settings *s, struct sql_tx *tx)
{
    struct org_domain *list = NULL;
    struct sql_rows rows = sql_query(tx, domains_sql, (struct sql_bind){ 0 });
    while (sql_next(&rows)) {
        list = talloc_realloc(s, list, struct org_domain, s->domain_count + 1);
        list[s->domain_count++] = (struct org_domain){
            .guid = col_guid(&rows, 0),
            .name = sql_col_text_copy(s, &rows, 1),
            .domain = sql_col_text_copy(s, &rows, 2),
            .type = (enum org_domain_type)sql_col_int(&rows, 3),
            .is_default = sql_col_int(&rows, 4) != 0,
            .when_created = (uint64_t)sql_col_int(&rows, 5),
            .when_changed = (uint64_t)sql_col_int(&rows, 6),
            .version = (uint64_t)sql_col_int(&rows, 7),
        };
    }
    s->domains = list;
}

static const char databases_sql[] =
    "SELECT guid, name, url, excluded_from_provisioning, when_created, when_changed, version, warning_quota,"
    "       send_quota, receive_quota, deleted_item_retention"
    "  FROM mailbox_database ORDER BY position";

static void load_databases(struct org_settings *s, struct sql_tx *tx)
{
    struct org_database *list = NULL;
    struct sql_rows rows = sql_query(tx, databases_sql, (struct sql_bind){ 0 });
    while (sql_next(&rows)) {
        list = talloc_realloc(s, list, struct org_database, s->database_count + 1);
        list[s->database_count++] = (struct org_database){
            .guid = col_guid(&rows, 0),
            .name = sql_col_text_copy(s, &rows, 1),
            .url = org_url_shown(s, s->data_dir, sql_col_text(&rows, 2)),
            .excluded_from_provisioning = sql_col_int(&rows, 3) != 0,
            .when_created = (uint64_t)sql_col_int(&rows, 4),
            .when_changed = (uint64_t)sql_col_int(&rows, 5),
            .version = (uint64_t)sql_col_int(&rows, 6),
            .quota = { sql_col_int(&rows, 7), sql_col_int(&rows, 8), sql_col_int(&rows, 9) },
            .deleted_item_retention = (uint32_t)sql_col_int(&rows, 10),
        };
    }
    s->databases = list;
}

static const char directories_sql[] =
    "SELECT guid, kind, name, internal_url, external_url, internal_url_by_hand, auth, internal_hostname,"
    "       external_hostname, internal_ssl, external_ssl, internal_auth, external_auth, ssl_offloading,"
    "       when_created, when_changed, version FROM virtual_directory ORDER BY position";

static struct org_virtual_directory directory_of_row(struct org_settings *s, struct sql_rows *rows)
{
    return (struct org_virtual_directory){
        .guid = col_guid(rows, 0),
        .kind = (enum org_directory_kind)sql_col_int(rows, 1),
        .name = sql_col_text_copy(s, rows, 2),
        .identity = talloc_asprintf(s, "%s\\%s", s->server_name, sql_col_text(rows, 2)),
        .internal_url = col_text_or_null(s, rows, 3),
        .external_url = col_text_or_null(s, rows, 4),
        .internal_url_by_hand = sql_col_int(rows, 5) != 0,
        .auth = (unsigned)sql_col_int(rows, 6),
        .internal_hostname = col_text_or_null(s, rows, 7),
        .external_hostname = col_text_or_null(s, rows, 8),
        .internal_ssl = sql_col_int(rows, 9) != 0,
        .external_ssl = sql_col_int(rows, 10) != 0,
        .internal_auth = (enum org_auth)sql_col_int(rows, 11),
        .external_auth = (enum org_auth)sql_col_int(rows, 12),
        .ssl_offloading = sql_col_int(rows, 13) != 0,
        .when_created = (uint64_t)sql_col_int(rows, 14),
        .when_changed = (uint64_t)sql_col_int(rows, 15),
        .version = (uint64_t)sql_col_int(rows, 16),
    };
}

static void load_directories(struct org_settings *s, struct sql_tx *tx)
{
    struct org_virtual_directory *list = NULL;
    struct sql_rows rows = sql_query(tx, directories_sql, (struct sql_bind){ 0 });
    while (sql_next(&rows)) {
        list = talloc_realloc(s, list, struct org_virtual_directory, s->directory_count + 1);
        list[s->directory_count++] = directory_of_row(s, &rows);
    }
    s->directories = list;
}

void org_picture_release(struct org_picture *picture)
{
    if (picture && __atomic_sub_fetch(&picture->references, 1, __ATOMIC_ACQ_REL) == 0)
        talloc_free(picture);
}

static void put_in_place(struct org *org, struct org_picture *fresh)
{
    pthread_mutex_lock(&org->taking);
    struct org_picture *old = org->picture;
    org->picture = fresh;
    pthread_mutex_unlock(&org->taking);
    org_picture_release(old);
}

enum ec org_picture_load(struct org *org)
{
    struct org_picture *picture = talloc_zero(NULL, struct org_picture);
    struct org_settings *s = &picture->settings;
    picture->references = 1;
    s->generation = org->picture ? org->picture->settings.generation + 1 : 1;
    s->data_dir = talloc_strdup(picture, org->data_dir);

    struct sql_tx tx = sql_read(org->db);
    load_organization(s, &tx);
    load_domains(s, &tx);
    load_databases(s, &tx);
    load_directories(s, &tx);
    enum ec ec = sql_end(&tx);
    if (ec) {
        talloc_free(picture);
        if (ec == ecNotFound)
            return org_say(ec, "'%s' holds no organisation. oxcartd --data DIR makes one.", org->database_path);
        return org_say_sql(ec, org->db);
    }
    put_in_place(org, picture);
    return ecNone;
}

struct picture_reader {
    struct org_picture *picture;
};

static int reader_destroy(struct picture_reader *reader)
{
    org_picture_release(reader->picture);
    return 0;
}

const struct org_settings *org_settings(struct org *org, TALLOC_CTX *arena)
{
    struct picture_reader *reader = talloc(arena, struct picture_reader);
    pthread_mutex_lock(&org->taking);
    reader->picture = org->picture;
    __atomic_add_fetch(&reader->picture->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&org->taking);
    talloc_set_destructor(reader, reader_destroy);
    return &reader->picture->settings;
}

uint64_t org_generation(struct org *org)
{
    pthread_mutex_lock(&org->taking);
    const uint64_t generation = org->picture->settings.generation;
    pthread_mutex_unlock(&org->taking);
    return generation;
}

const struct org_domain *org_domain_of(const struct org_settings *s, const char *domain_or_address)
{
    const char *at = strrchr(domain_or_address, '@');
    const char *domain = at ? at + 1 : domain_or_address;
    for (size_t i = 0; i < s->domain_count; i++)
        if (strcasecmp(s->domains[i].domain, domain) == 0)
            return &s->domains[i];
    return NULL;
}

const struct org_database *org_database_by_guid(const struct org_settings *s, struct guid guid)
{
    for (size_t i = 0; i < s->database_count; i++)
        if (guid_equal(s->databases[i].guid, guid))
            return &s->databases[i];
    return NULL;
}

const struct org_database *org_database_by_name(const struct org_settings *s, const char *name_or_guid)
{
    struct guid guid;
    for (size_t i = 0; i < s->database_count; i++)
        if (strcasecmp(s->databases[i].name, name_or_guid) == 0)
            return &s->databases[i];
    return guid_parse(name_or_guid, &guid) ? org_database_by_guid(s, guid) : NULL;
}

const struct org_virtual_directory *org_directory_of(const struct org_settings *s, enum org_directory_kind kind)
{
    for (size_t i = 0; i < s->directory_count; i++)
        if (s->directories[i].kind == kind)
            return &s->directories[i];
    return NULL;
}

/* `mapi` names `mapi (Default Web Site)`. */
const struct org_virtual_directory *org_directory_named(const struct org_settings *s, const char *name)
{
    const size_t length = strlen(name);
    for (size_t i = 0; i < s->directory_count; i++) {
        const char *full = s->directories[i].name;
        if (text_is_prefix(full, name) && (!full[length] || text_is_prefix(full + length, " (")))
            return &s->directories[i];
    }
    return NULL;
}

static enum policy_sides sides(const char *internal, const char *external)
{
    return (internal ? POLICY_INTERNAL : POLICY_NOWHERE) | (external ? POLICY_EXTERNAL : POLICY_NOWHERE);
}

enum policy_sides org_urls(const struct org_virtual_directory *directory)
{
    return directory ? sides(directory->internal_url, directory->external_url) : POLICY_NOWHERE;
}

enum policy_sides org_hosts(const struct org_virtual_directory *directory)
{
    return directory ? sides(directory->internal_hostname, directory->external_hostname) : POLICY_NOWHERE;
}
