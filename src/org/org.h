/* SPDX-License-Identifier: Apache-2.0 */
/* org/org.h: what is configured: the organisation, its accepted domains, mailbox databases and virtual directories.
 * Owns DIR/org.db (its own tables there; directory/ keeps the accounts in the same file) and DIR/oxcart.lock.
 * Never knows a user, a mailbox or a request.
 *
 * Reading costs no SQL: org_settings() hands out an immutable picture of everything, which a change replaces as a
 * whole.  Take it once per request and decide everything by it. */
#pragma once
#include "base/base.h"
#include "org/policy.h"

/* The values are those of enum front_methods. */
enum org_auth { ORG_BASIC = 1, ORG_NTLM = 2, ORG_NEGOTIATE = 4, ORG_OAUTH = 8 };
enum org_domain_type { ORG_AUTHORITATIVE, ORG_INTERNAL_RELAY, ORG_EXTERNAL_RELAY };
enum org_directory_kind { ORG_MAPI, ORG_OUTLOOK_ANYWHERE, ORG_AUTODISCOVER, ORG_OAB };

/* `version` changes with the row: a change that was made from an older row is refused with ecObjectModified. */
struct org_domain {
    struct guid guid;
    const char *name;                       /* what the administrator calls it; at first the domain itself */
    const char *domain;                     /* contoso.com, lower case */
    enum org_domain_type type;
    bool is_default;                        /* exactly one is */
    uint64_t when_created, when_changed, version;
};

/* How large a mailbox may be, in bytes; ORG_UNLIMITED: there is no such limit. */
#define ORG_UNLIMITED INT64_C(-1)
struct org_quota {
    int64_t warning;                        /* its owner is told, */
    int64_t send;                           /* can send nothing more, */
    int64_t receive;                        /* and gets nothing more either */
};
/* Of a new database, as Exchange has them. */
#define ORG_QUOTA_DEFAULT ((struct org_quota){ 2039480320, 2147483648, 2469396480 })
#define ORG_QUOTA_NONE ((struct org_quota){ ORG_UNLIMITED, ORG_UNLIMITED, ORG_UNLIMITED })
/* The largest that can be set, 1.999999999 TB; and whether they rise, as they must. */
#define ORG_QUOTA_MAX INT64_C(2199023254528)
bool org_quota_is_good(const struct org_quota *);

struct org_database {
    struct guid guid;
    const char *name;                       /* DB01 */
    const char *url;                        /* sqlite:/absolute/folder (one file a mailbox), or postgresql://... */
    bool excluded_from_provisioning;        /* New-Mailbox without -Database does not choose it */
    struct org_quota quota;                 /* of its mailboxes that have none of their own */
    uint32_t deleted_item_retention;        /* seconds that what was deleted softly can be got back; 14 days at first */
    uint64_t when_created, when_changed, version;
};

/* One row of IIS' tree, as the administrator knows it. */
struct org_virtual_directory {
    struct guid guid;
    enum org_directory_kind kind;
    const char *name;                       /* mapi (Default Web Site) */
    const char *identity;                   /* SERVER\mapi (Default Web Site) */
    const char *internal_url, *external_url;            /* NULL: not set.  https://mail.contoso.com/mapi */
    bool internal_url_by_hand;              /* an administrator has set it: it does not follow the listener any more */
    unsigned auth;                          /* IISAuthenticationMethods, a set of enum org_auth */
    /* Outlook Anywhere alone. */
    const char *internal_hostname, *external_hostname;  /* NULL: not set */
    bool internal_ssl, external_ssl;        /* ...ClientsRequireSsl */
    enum org_auth internal_auth, external_auth;         /* ...ClientAuthenticationMethod, one of them */
    bool ssl_offloading;
    uint64_t when_created, when_changed, version;
};

struct org_settings {
    uint64_t generation;                    /* grows with every change */
    const char *data_dir;                   /* absolute */
    const char *organization;               /* Contoso */
    const char *legacy_dn;                  /* /o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT) */
    struct guid deployment_id;              /* Autodiscover's DeploymentId; never changes */
    const char *server_name;                /* MAIL: the server part of identities */
    const char *hostname;                   /* mail.contoso.com */
    unsigned https_port;                    /* where the server was last reachable; 443 is not written in URLs */
    const char *netbios_name;               /* CONTOSO */
    bool mapi_http_enabled;
    uint64_t when_created, when_changed;
    const struct org_domain *domains;       /* the first is the one that the organisation was made with */
    size_t domain_count;
    const struct org_database *databases;   /* in the order they were made */
    size_t database_count;
    const struct org_virtual_directory *directories;
    size_t directory_count;
};

struct org;

/* What a new organisation is made of; an existing one ignores it. */
struct org_defaults {
    const char *organization;               /* NULL: the domain's first label, capitalised */
    const char *server_name;                /* NULL: the host name's first label, in capitals */
    const char *hostname;                   /* NULL: the machine's own name */
    /* It takes the place of an Exchange organisation: Exchange2010, Exchange2013 or Exchange2016, and the version whose
     * defaults it gets, Exchange2016 or Exchange2019.  Both NULL: it is new. */
    const char *upgrade_from, *product_level;
};

/* Opens DIR/org.db.  defaults NULL: there must be an organisation already (ecNotFound).  On failure org_error() says
 * what is wrong and what to do. */
enum ec org_open(struct org **out, TALLOC_CTX *owner, const char *data_dir, const struct org_defaults *defaults);
/* This thread's last failure in this room, one sentence or two; never NULL. */
const char *org_error(void);

/* One process at a time works on a data folder: oxcartd while it runs, or oxcart for one command.  Freeing *out
 * unlocks.  ecBusy: somebody else has it. */
struct org_lock;
enum ec org_lock_take(struct org_lock **out, TALLOC_CTX *owner, const char *data_dir);

/* Any thread.  The picture lives as long as `arena`. */
const struct org_settings *org_settings(struct org *, TALLOC_CTX *arena);
uint64_t org_generation(struct org *);
/* Called after every change, in the thread that made it; one watcher. */
void org_watch(struct org *, void (*changed)(void *arg), void *arg);
const char *org_database_path(const struct org *);          /* sqlite:/absolute/org.db, for directory/ */

/* Reading the picture; NULL: there is none.  Names compare without case. */
const struct org_domain *org_domain_of(const struct org_settings *, const char *domain_or_address);
const struct org_database *org_database_by_guid(const struct org_settings *, struct guid);
const struct org_database *org_database_by_name(const struct org_settings *, const char *name_or_guid);
/* The first one of a kind; `name` is mapi, Rpc, Autodiscover or OAB. */
const struct org_virtual_directory *org_directory_of(const struct org_settings *, enum org_directory_kind);
const struct org_virtual_directory *org_directory_named(const struct org_settings *, const char *name);
/* Which URLs or host names there are, as policy_decide() takes them. */
enum policy_sides org_urls(const struct org_virtual_directory *);           /* NULL: POLICY_NOWHERE */
enum policy_sides org_hosts(const struct org_virtual_directory *);
/* https://mail.contoso.com/mapi; 443 is not written. */
char *org_https_url(TALLOC_CTX *, const char *hostname, unsigned port, const char *path);

/* Changes: any thread, on the disk when the call returns.  They take a whole row, copied from the picture and
 * altered; `add` fills guid, times and version by itself.  ecObjectModified: the row has changed meanwhile;
 * ecDuplicateName; ecNotFound; ecAccessDenied, ecDiskFull...: not saved, see org_error(). */
enum ec org_set_mapi_http(struct org *, bool enabled);
/* Where the listener is: an InternalUrl that no administrator has set follows it. */
enum ec org_set_https_port(struct org *, unsigned port);
enum ec org_domain_add(struct org *, struct org_domain *);
enum ec org_domain_set(struct org *, const struct org_domain *);    /* is_default true takes it from the others */
enum ec org_domain_remove(struct org *, struct guid);
enum ec org_database_add(struct org *, struct org_database *);
enum ec org_database_set(struct org *, const struct org_database *);
enum ec org_database_remove(struct org *, struct guid);
enum ec org_directory_set(struct org *, const struct org_virtual_directory *);
