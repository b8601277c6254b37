/* SPDX-License-Identifier: Apache-2.0 */
/* directory/directory.h: who exists: accounts, their names, addresses, passwords and client access settings.
 * Owns the account tables in DIR/org.db and an index of all accounts in memory, so that no request costs SQL.
 * Never opens a mailbox and knows no protocol.
 *
 * An account that is handed out is immutable and lives as long as the arena it was asked with; a change makes a new
 * one.  Every function may be called by any thread. */
#pragma once
#include "org/org.h"

/* Nobody signs in to a shared one, nor to the one of the organisation's public folders.  A mail-enabled folder of those
 * has an address of its own, and no mailbox. */
enum account_kind { ACCOUNT_USER_MAILBOX, ACCOUNT_SHARED_MAILBOX, ACCOUNT_PUBLIC_FOLDERS, ACCOUNT_MAIL_FOLDER };

struct account {
    struct guid mailbox_guid;               /* ExchangeGuid: MailboxId=GUID@domain; never changes */
    struct guid guid;                       /* the directory object's; never changes */
    uint32_t minimal_id;                    /* [MS-OXNSPI] 2.2.9.1, from 0x10 up; never changes, never given again */
    enum account_kind kind;
    const char *name;                       /* Name, unique */
    const char *alias;                      /* unique */
    const char *display_name;
    const char *first_name, *last_name, *initials;      /* "" if there is none */
    const char *user_principal_name;
    const char *sam_account_name;           /* the user part of CONTOSO\alice */
    const char *logon_name;                 /* CONTOSO\alice, for logs */
    const char *primary_smtp;               /* alice@contoso.com */
    const char *const *proxy_addresses;     /* "SMTP:alice@contoso.com" (the primary), "smtp:a@...", "X500:/o=..." */
    size_t proxy_count;
    const char *legacy_dn;                  /* /o=ORG/ou=.../cn=Recipients/cn=HEX-alias; never changes */
    struct guid database_guid;
    const char *database;                   /* DB01 */
    const char *store_url;                  /* its database, as store_create and store_get take it */
    enum org_switch mapi_http_enabled;
    bool block_external;                    /* MAPIBlockOutlookExternalConnectivity */
    uint64_t public_folder;                 /* FID, of a mail-enabled public folder */
    bool mapi_enabled;
    bool hidden;                            /* HiddenFromAddressListsEnabled */
    bool disabled;                          /* cannot sign in */
    bool own_quota;                         /* `quota` counts, and not its database's: UseDatabaseQuotaDefaults $false */
    struct org_quota quota;
    bool copy_sent_as, copy_sent_on_behalf; /* MessageCopyFor...Enabled: Sent Items gets what others send in its name */
    uint64_t when_created, when_changed, version;
    struct blob sort_key;                   /* of display_name, memcmp order is the address book's */
};

struct directory;

/* Reads all accounts.  On failure directory_refusal() says what is wrong.  Free it before the organisation. */
enum ec directory_open(struct directory **out, TALLOC_CTX *owner, struct org *);
/* Changes with every account, password, name or database: what was remembered about a sign-in is out of date. */
uint64_t directory_generation(struct directory *);

/* Looking up; NULL: there is no such account.  Nothing here depends on case.  An address is any of the proxies, with
 * or without smtp: in front; a DN is the account's, an X500 proxy of it, or one that ends in /cn=MAILBOXGUID@domain. */
const struct account *directory_by_smtp(struct directory *, TALLOC_CTX *arena, const char *address);
const struct account *directory_by_legacy_dn(struct directory *, TALLOC_CTX *arena, const char *dn);
const struct account *directory_by_mailbox_guid(struct directory *, TALLOC_CTX *arena, struct guid);
const struct account *directory_by_minimal_id(struct directory *, TALLOC_CTX *arena, uint32_t);
/* The mailbox of the public folders; there is one at most. */
const struct account *directory_public_folders(struct directory *, TALLOC_CTX *arena);
const struct account *directory_mail_folder(struct directory *, TALLOC_CTX *arena, uint64_t public_folder);
/* What stands after -Identity: name, alias, display name, UPN, address, GUID (either), DN, CONTOSO\alice.
 * ecNotFound; ecAmbiguousRecip: several accounts fit equally well. */
enum ec directory_by_identity(struct directory *, TALLOC_CTX *arena, const char *identity, const struct account **out);

/* In the address book's order: by display name as a reader of English sorts it, then by minimal id. */
struct account_list {
    const struct account *const *accounts;
    size_t count;
};
enum account_scope { ACCOUNTS_IN_ADDRESS_BOOK, ACCOUNTS_ALL };               /* the first leaves out the hidden ones */
const struct account_list *directory_list(struct directory *, TALLOC_CTX *arena, enum account_scope);
/* Where an account stands, or would stand; and the first whose display name is not before `name`. */
size_t account_list_position(const struct account_list *, const struct account *);
size_t account_list_seek(const struct account_list *, const char *name);
/* Ambiguous name resolution: does this account answer to what somebody typed?  Prefix of display name, alias, first or
 * last name, address or its local part; `ali exa` by first and last name; `=alice` exact; `SMTP:address` and
 * `EX:/o=...` (or a bare DN) exact.  Case and accents do not matter. */
struct account_pattern;
const struct account_pattern *account_pattern(TALLOC_CTX *arena, const char *typed);
bool account_matches(const struct account *, const struct account_pattern *);
/* The matching accounts in order, at most `limit`; the result's accounts live as long as `arena`. */
struct account_list directory_resolve(struct directory *, TALLOC_CTX *arena, const char *typed, enum account_scope,
                                      size_t limit);

/* alice@contoso.com (UPN or any address), contoso.com\alice, CONTOSO\alice.  ecLoginFailure: no such account, wrong
 * password or a disabled account, and all of them take the same time.  Takes some 30 ms and 16 MB. */
enum ec directory_authenticate(struct directory *, TALLOC_CTX *arena, const char *user, const char *password,
                               const struct account **out);
/* yescrypt ($y$); NULL: the password is empty or longer than 512 bytes. */
char *directory_hash_password(TALLOC_CTX *arena, const char *password);

/* GUID@domain of the primary address: what stands behind MailboxId= and what Outlook takes for the server's name. */
char *account_mailbox_id(TALLOC_CTX *arena, const struct account *);
/* /o=ORG/ou=.../cn=Configuration/cn=Servers/cn=GUID@domain */
char *account_server_dn(TALLOC_CTX *arena, const struct org_settings *, const struct account *);
/* https://mail.contoso.com/mapi, "emsmdb" or "nspi": the endpoint's URL for this mailbox. */
char *account_mapi_url(TALLOC_CTX *arena, const char *virtual_directory_url, const char *endpoint, const struct account *);

/* policy_decide()'s input for one mailbox; the client's capability and exhttp are the caller's to fill in. */
struct policy_input directory_policy_input(const struct org_settings *, const struct account *);

/* How large a mailbox may be now; of one that nobody knows there is no limit. */
struct org_quota account_quota(const struct org_settings *, const struct account *);
struct org_quota directory_quota(struct directory *, struct guid mailbox);

/* Rights to a whole mailbox, as an administrator gives them to somebody else. */
enum {
    GRANT_FULL_ACCESS = 0x01, GRANT_READ_PERMISSION = 0x02, GRANT_CHANGE_PERMISSION = 0x04, GRANT_CHANGE_OWNER = 0x08,
    GRANT_DELETE_ITEM = 0x10, GRANT_EXTERNAL_ACCOUNT = 0x20,
    GRANT_SEND_AS = 0x100,                  /* appears as the sender */
    GRANT_SEND_ON_BEHALF = 0x200,           /* appears as who sends for the sender */
    GRANT_AUTO_MAPPING = 0x1000,            /* with full access: Autodiscover tells the trustee of the mailbox */
};
struct grant {
    struct guid mailbox, trustee;           /* the `guid` of their accounts */
    unsigned allowed, denied;               /* what is denied is not allowed */
};
struct grant_list {
    struct grant *items;
    size_t count;
};
unsigned directory_rights(struct directory *, const struct account *mailbox, const struct account *trustee);
struct grant_list directory_grants_of(struct directory *, TALLOC_CTX *arena, const struct account *mailbox);
struct grant_list directory_grants_to(struct directory *, TALLOC_CTX *arena, const struct account *trustee);
const struct account *directory_by_guid(struct directory *, TALLOC_CTX *arena, struct guid account);
/* What this trustee has there from now on; nothing allowed or denied: the entry goes.  It takes effect at once. */
enum ec directory_grant(struct directory *, const struct grant *);

/* Changes, for the cmdlets.  On the disk when the call returns. */
struct account_new {
    const char *name;
    const char *alias, *sam_account_name;   /* NULL: made from the others */
    const char *display_name, *first_name, *last_name, *initials;            /* NULL: name; "" */
    const char *user_principal_name, *primary_smtp;                          /* one of them may be NULL */
    const char *password_hash;              /* NULL: nobody can sign in */
    struct guid database;
    enum account_kind kind;
    uint64_t public_folder;
};
/* `made` runs inside the transaction, when the account is complete: it creates the mailbox, and its failure (or NULL:
 * nothing to do) undoes the account.  Refusals are in directory_refusal(). */
typedef enum ec account_hook(void *arg, const struct account *);
enum ec directory_create(struct directory *, TALLOC_CTX *arena, const struct account_new *, account_hook *made,
                         void *arg, const struct account **out);
/* A whole account, copied and altered; guids, DN, minimal id and the store's place cannot be altered.
 * password_hash NULL: the password stays. */
enum ec directory_set(struct directory *, const struct account *, const char *password_hash);
/* Takes the account away; its mailbox stays in its database as a disconnected one, or `gone` removes it as well. */
enum ec directory_remove(struct directory *, const struct account *, account_hook *gone, void *arg);
/* Removes a disconnected mailbox; `gone` gets its GUIDs, names and place. */
enum ec directory_purge(struct directory *, struct guid mailbox, account_hook *gone, void *arg);
/* After ecDuplicateName, ecInvalidParam and the like: this thread's sentence, e.g. `The proxy address "SMTP:a@b" is
 * already being used ...`. */
const char *directory_refusal(void);
