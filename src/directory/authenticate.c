/* SPDX-License-Identifier: Apache-2.0 */
/* Passwords: yescrypt, and one way through the code for everybody, so that the time tells nothing. */
#include <crypt.h>

#include "directory/internal.h"

#define METHOD "$y$"

/* crypt's own idea of a failure starts with '*'. */
static bool hash_with(const char *setting, const char *password, char out[CRYPT_OUTPUT_SIZE])
{
    struct crypt_data *data = talloc_zero(NULL, struct crypt_data);
    const char *hash = crypt_r(password, setting, data);
    const bool ok = hash && *hash != '*';
    snprintf(out, CRYPT_OUTPUT_SIZE, "%s", ok ? hash : "*");
    explicit_bzero(data, sizeof *data);
    talloc_free(data);
    return ok;
}

char *directory_hash_password(TALLOC_CTX *arena, const char *password)
{
    char setting[CRYPT_GENSALT_OUTPUT_SIZE], hash[CRYPT_OUTPUT_SIZE], salt[16];
    if (!*password || strlen(password) > CRYPT_MAX_PASSPHRASE_SIZE - 1)
        return NULL;
    random_bytes(salt, sizeof salt);
    if (!crypt_gensalt_rn(METHOD, 0, salt, sizeof salt, setting, sizeof setting) || !hash_with(setting, password, hash))
        return NULL;
    return talloc_strdup(arena, hash);
}

/* The hash of a password that nobody knows. */
char *nobody_hash(TALLOC_CTX *owner)
{
    uint8_t secret[32];
    random_bytes(secret, sizeof secret);
    char *password = hex_text(NULL, BLOB_OF(secret, sizeof secret));
    char *hash = directory_hash_password(owner, password);
    talloc_free(password);
    return hash;
}

static bool same_in_constant_time(const char *a, const char *b)
{
    const size_t length = strlen(a);
    unsigned char difference = length != strlen(b);
    for (size_t i = 0; i < length && i < strlen(b); i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}

static bool is_password(const char *hash, const char *password)
{
    char got[CRYPT_OUTPUT_SIZE];
    return hash_with(hash, password, got) && same_in_constant_time(hash, got);
}

static struct entry *by_address(struct directory *d, const char *address)
{
    struct entry *entry = directory_entry(d, KEY_UPN, address);
    return entry ? entry : directory_entry(d, KEY_SMTP, address);
}

/* CONTOSO\alice and contoso.com\alice are the account's SAM name, or alice@contoso.com; other.com\alice, with another
 * accepted domain, is an address alone. */
static struct entry *by_domain_and_name(struct directory *d, TALLOC_CTX *arena, const char *user, const char *backslash)
{
    const struct org_settings *s = org_settings(d->org, arena);
    const char *domain = talloc_strndup(arena, user, (size_t)(backslash - user)), *name = backslash + 1;
    const char *home = s->domain_count ? s->domains[0].domain : "";
    const bool at_home = strcasecmp(domain, s->netbios_name) == 0 || strcasecmp(domain, home) == 0;
    if (!at_home && !org_domain_of(s, domain))
        return NULL;
    struct entry *entry = at_home ? directory_entry(d, KEY_SAM, name) : NULL;
    return entry ? entry : by_address(d, talloc_asprintf(arena, "%s@%s", name, at_home ? home : domain));
}

static struct entry *who_signs_in(struct directory *d, TALLOC_CTX *arena, const char *user)
{
    const char *backslash = strchr(user, '\\');
    return backslash ? by_domain_and_name(d, arena, user, backslash) : by_address(d, user);
}

enum ec directory_authenticate(struct directory *d, TALLOC_CTX *arena, const char *user, const char *password,
                               const struct account **out)
{
    struct entry *entry = who_signs_in(d, arena, user);
    const bool can_sign_in = entry && entry->password_hash && !entry->account.disabled;
    const bool right = is_password(entry && entry->password_hash ? entry->password_hash : d->nobody_hash, password);
    if (!can_sign_in || !right) {
        entry_release(entry);
        return ecLoginFailure;
    }
    *out = entry_lend(arena, entry);
    return ecNone;
}
