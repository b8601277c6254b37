/* SPDX-License-Identifier: Apache-2.0 */
/* A new organisation: everything derived from one host name. */
#include <ctype.h>
#include <unistd.h>

#include "org/internal.h"

struct new_organization {
    const char *name, *server_name, *hostname, *domain, *netbios_name;
    bool mapi_http_enabled;
    uint64_t now;
};

/* What Exchange's Setup does, cell by cell: an upgrade never changes how clients connect that are there. */
static const struct {
    const char *from, *level;
    enum org_switch mapi_http;
    const char *why_not; /* of a cell without an answer */
} upgrades[] = {
    { "Exchange2016", "Exchange2019", ORG_ON, NULL },
    { "Exchange2016", "Exchange2016", ORG_UNSET, "that is no upgrade. Leave both options out" },
    { "Exchange2013", "Exchange2019", ORG_OFF, NULL },
    { "Exchange2013", "Exchange2016", ORG_OFF, NULL },
    { "Exchange2010", "Exchange2019", ORG_UNSET,
      "Exchange 2019 can't be installed beside Exchange 2010. Say --product-level Exchange2016" },
    { "Exchange2010", "Exchange2016", ORG_ON, NULL },
};

enum ec org_upgrade_check(const struct org_defaults *given, bool *mapi_http_enabled)
{
    const char *from = given->upgrade_from, *level = given->product_level;
    *mapi_http_enabled = true;
    if (!from && !level)
        return ecNone;
    if (!from || !level)
        return org_say(ecInvalidParam, "--upgrade-from and --product-level belong together.");
    for (size_t i = 0; i < COUNTOF(upgrades); i++) {
        if (strcasecmp(from, upgrades[i].from) != 0 || strcasecmp(level, upgrades[i].level) != 0)
            continue;
        *mapi_http_enabled = upgrades[i].mapi_http == ORG_ON;
        return upgrades[i].mapi_http != ORG_UNSET
                   ? ecNone
                   : org_say(ecInvalidParam, "--upgrade-from %s --product-level %s: %s.", upgrades[i].from,
                             upgrades[i].level, upgrades[i].why_not);
    }
    return org_say(ecInvalidParam, "--upgrade-from %s --product-level %s: from Exchange2010, Exchange2013 or"
                                   " Exchange2016 to Exchange2016 or Exchange2019.", from, level);
}

static bool is_label(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
            return false;
    return length > 0 && length <= 63 && text[0] != '-' && text[length - 1] != '-';
}

/* Labels with dots between them, and no address: the last label has a letter. */
static bool is_host_name(const char *text)
{
    bool letter = false;
    if (strlen(text) > 253)
        return false;
    for (const char *label = text;;) {
        const size_t length = strcspn(label, ".");
        if (!is_label(label, length))
            return false;
        letter = false;
        for (size_t i = 0; i < length; i++)
            letter |= isalpha((unsigned char)label[i]) != 0;
        if (!label[length])
            return letter;
        label += length + 1;
    }
}

/* It stands inside LegacyDNs, quotation marks and XML for ever. */
static bool is_organization_name(const char *text)
{
    const size_t length = strlen(text);
    if (length == 0 || length > 64 || text[0] == ' ' || text[length - 1] == ' ' || !utf8_is_valid(text, length))
        return false;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F || strchr("/\\=\"<>;,+#*", *p))
            return false;
    return true;
}

static char *first_label(TALLOC_CTX *arena, const char *name, int (*convert)(int))
{
    char *label = talloc_strndup(arena, name, strcspn(name, "."));
    for (char *p = label; *p; p++)
        *p = (char)convert((unsigned char)*p);
    return label;
}

static char *capitalised(TALLOC_CTX *arena, const char *domain)
{
    char *name = first_label(arena, domain, tolower);
    name[0] = (char)toupper((unsigned char)name[0]);
    return name;
}

static const char *domain_of_host(const char *hostname)
{
    const char *dot = strchr(hostname, '.');
    return dot ? dot + 1 : hostname;
}

static enum ec derive(TALLOC_CTX *arena, const struct org_defaults *given, struct new_organization *out)
{
    char machine[256] = "localhost";
    gethostname(machine, sizeof machine - 1);
    const char *hostname = given->hostname ? given->hostname : machine;
    if (!is_host_name(hostname))
        return org_say(ecInvalidParam, "'%s' is not a host name. Give the name that clients use:"
                                       " --hostname mail.contoso.com.", hostname);
    out->hostname = org_lower(arena, hostname);
    out->domain = domain_of_host(out->hostname);
    out->netbios_name = first_label(arena, out->domain, toupper);
    out->name = given->organization ? given->organization : capitalised(arena, out->domain);
    out->server_name = given->server_name ? given->server_name : first_label(arena, out->hostname, toupper);
    out->now = filetime_now();
    if (!is_organization_name(out->name))
        return org_say(ecInvalidParam, "'%s' cannot name an organisation: at most 64 characters, without"
                                       " / \\ = \" < > ; , + # *.", out->name);
    if (!is_label(out->server_name, strlen(out->server_name)))
        return org_say(ecInvalidParam, "'%s' is not a server name: letters, digits and hyphens.", out->server_name);
    return org_upgrade_check(given, &out->mapi_http_enabled);
}

static const char organization_insert_sql[] =
    "INSERT INTO organization(one, name, deployment_id, server_name, hostname, https_port, netbios_name,"
    "                         mapi_http_enabled, when_created, when_changed)"
    " VALUES(1, $1, $2, $3, $4, 443, $5, $7, $6, $6)";
static const char domain_insert_sql[] =
    "INSERT INTO accepted_domain(position, guid, name, domain, type, is_default, when_created, when_changed, version)"
    " VALUES(1, $1, $2, $2, 0, 1, $3, $3, 1)";
static const char database_insert_sql[] =
    "INSERT INTO mailbox_database(position, guid, name, url, excluded_from_provisioning, when_created, when_changed,"
    "                             version, warning_quota, send_quota, receive_quota)"
    " VALUES(1, $1, 'DB01', 'sqlite:mailboxes', 0, $2, $2, 1, $3, $4, $5)";
static const char directory_insert_sql[] =
    "INSERT INTO virtual_directory(position, guid, kind, name, internal_url, external_url, internal_url_by_hand, auth,"
    "                              internal_hostname, external_hostname, internal_ssl, external_ssl, internal_auth,"
    "                              external_auth, ssl_offloading, when_created, when_changed, version)"
    " VALUES($1, $2, $1, $3, $4, NULL, 0, $5, $6, $6, $7, $7, $5, $5, 0, $8, $8, 1)";

/* Basic alone: a new organisation offers what can succeed. */
static void directory_insert(struct sql_tx *tx, const struct new_organization *new, enum org_directory_kind kind,
                             const char *name, const char *internal_url, const char *hostname)
{
    const struct guid guid = guid_random();
    sql_exec(tx, directory_insert_sql,
             BIND(B_INT(kind), B_BYTES(guid.bytes, 16), B_TEXT(name), B_TEXT(internal_url), B_INT(ORG_BASIC),
                  B_TEXT(hostname), B_INT(hostname != NULL), B_INT((int64_t)new->now)));
}

static void insert(TALLOC_CTX *arena, struct sql_tx *tx, const struct new_organization *new)
{
    const struct guid deployment = guid_random(), domain = guid_random(), database = guid_random();
    const int64_t now = (int64_t)new->now;
    sql_exec(tx, organization_insert_sql,
             BIND(B_TEXT(new->name), B_BYTES(deployment.bytes, 16), B_TEXT(new->server_name), B_TEXT(new->hostname),
                  B_TEXT(new->netbios_name), B_INT(now), B_INT(new->mapi_http_enabled)));
    sql_exec(tx, domain_insert_sql, BIND(B_BYTES(domain.bytes, 16), B_TEXT(new->domain), B_INT(now)));
    const struct org_quota quota = ORG_QUOTA_DEFAULT;
    sql_exec(tx, database_insert_sql,
             BIND(B_BYTES(database.bytes, 16), B_INT(now), B_INT(quota.warning), B_INT(quota.send),
                  B_INT(quota.receive)));
    const char *mapi_url = org_https_url(arena, new->hostname, 443, "/mapi");
    directory_insert(tx, new, ORG_MAPI, "mapi (Default Web Site)", mapi_url, NULL);
    directory_insert(tx, new, ORG_OUTLOOK_ANYWHERE, "Rpc (Default Web Site)", NULL, new->hostname);
    directory_insert(tx, new, ORG_AUTODISCOVER, "Autodiscover (Default Web Site)", NULL, NULL);
}

enum ec org_fill(struct sql_tx *tx, const struct org_defaults *defaults)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct new_organization new;
    enum ec ec = derive(arena, defaults, &new);
    if (!ec)
        insert(arena, tx, &new);
    talloc_free(arena);
    return ec;
}
