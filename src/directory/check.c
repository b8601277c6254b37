/* SPDX-License-Identifier: Apache-2.0 */
/* What an account must look like, and that nobody else looks like it. */
#include <ctype.h>

#include "directory/internal.h"

static bool is_plain_text(const char *text, size_t at_most)
{
    const size_t length = strlen(text);
    if (length > at_most || !utf8_is_valid(text, length))
        return false;
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return false;
    return true;
}

bool account_alias_char(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#%*+-/=?^_~", c));
}

/* Full stops stand inside only, and never two together. */
static bool is_dotted(const char *text, size_t length, bool (*fits)(unsigned char))
{
    for (size_t i = 0; i < length; i++) {
        const bool inner = i > 0 && i + 1 < length && text[i - 1] != '.';
        if (text[i] == '.' ? !inner : !fits((unsigned char)text[i]))
            return false;
    }
    return length > 0;
}

/* RFC 5322 3.2.3 */
static bool is_atext(unsigned char c)
{
    return isalnum(c) || (c && strchr("!#$%&'*+-/=?^_`{|}~", c));
}

/* RFC 5321 4.5.3.1: 64 octets before the @. */
static bool is_address(const char *text)
{
    const char *at = strrchr(text, '@');
    return at && at - text <= 64 && strlen(text) <= 254 && is_dotted(text, (size_t)(at - text), is_atext);
}

static enum ec check_domain(const struct org_settings *s, const char *address)
{
    if (!is_address(address))
        return directory_say(ecInvalidParam, "\"%s\" is not a valid SMTP address.", address);
    if (!org_domain_of(s, address))
        return directory_say(ecInvalidParam, "The domain of \"%s\" isn't an accepted domain of this organization."
                                             " New-AcceptedDomain adds it.", address);
    return ecNone;
}

static enum ec check_addresses(const struct org_settings *s, const struct account *a)
{
    enum { PROXIES_MAX = 1000, PROXY_MAX = 1123 };
    size_t primaries = 0;
    enum ec ec = ecNone;
    for (size_t i = 0; i < a->proxy_count && !ec; i++) {
        const char *proxy = a->proxy_addresses[i], *colon = strchr(proxy, ':');
        primaries += strncmp(proxy, "SMTP:", 5) == 0;
        if (!colon || colon == proxy || !colon[1] || !is_plain_text(proxy, PROXY_MAX))
            ec = directory_say(ecInvalidParam, "\"%s\" is not a valid proxy address.", proxy);
        else if (text_is_prefix(proxy, "smtp:"))
            ec = check_domain(s, proxy + 5);
    }
    if (!ec && (primaries != 1 || a->proxy_count > PROXIES_MAX))
        ec = directory_say(ecInvalidParam, "There must be exactly one primary SMTP address, and at most %d addresses.",
                           PROXIES_MAX);
    return ec;
}

static enum ec check_texts(const struct account *a)
{
    const struct { const char *what, *text; size_t at_most; bool needed; } texts[] = {
        { "Name", a->name, 64, true },           { "DisplayName", a->display_name, 256, true },
        { "FirstName", a->first_name, 64, false }, { "LastName", a->last_name, 64, false },
        { "Initials", a->initials, 6, false },   { "SamAccountName", a->sam_account_name, 20, true },
    };
    for (size_t i = 0; i < COUNTOF(texts); i++) {
        if (texts[i].needed && !*texts[i].text)
            return directory_say(ecInvalidParam, "The property %s can't be empty.", texts[i].what);
        if (!is_plain_text(texts[i].text, texts[i].at_most))
            return directory_say(ecInvalidParam, "The value of property %s is longer than %zu characters or not plain"
                                                 " text.", texts[i].what, texts[i].at_most);
    }
    if (strpbrk(a->sam_account_name, "\"/\\[]:;|=,+*?<>@ "))
        return directory_say(ecInvalidParam, "\"%s\" is not a valid SamAccountName.", a->sam_account_name);
    if (strlen(a->alias) > 64 || !is_dotted(a->alias, strlen(a->alias), account_alias_char))
        return directory_say(ecInvalidParam, "\"%s\" is not a valid alias: up to 64 letters, digits, !#%%*+-/=?^_~ and"
                                             " inner full stops.", a->alias);
    return ecNone;
}

/* Somebody else with this key. */
static struct entry *somebody(struct directory *d, enum key_kind kind, const char *text, const struct entry *self)
{
    char *key = key_fold(NULL, text);
    struct entry *entry = NULL;
    while ((entry = index_find(d, kind, key, entry)) && entry == self)
        ;
    talloc_free(key);
    return entry;
}

struct unique_name {
    const char *what;
    enum key_kind kind;
    const char *text;
};

static enum ec check_free(struct directory *d, struct unique_name name, const struct entry *self)
{
    const struct entry *other = somebody(d, name.kind, name.text, self);
    if (!other)
        return ecNone;
    return directory_say(ecDuplicateName, "The %s \"%s\" is already being used by \"%s\". Please choose another one.",
                         name.what, name.text, other->account.name);
}

static enum ec check_addresses_free(struct directory *d, const struct account *a, const struct entry *self)
{
    for (size_t i = 0; i < a->proxy_count; i++) {
        const char *proxy = a->proxy_addresses[i];
        const struct entry *other = NULL;
        if (text_is_prefix(proxy, "smtp:"))
            other = somebody(d, KEY_SMTP, proxy + 5, self);
        else if (text_is_prefix(proxy, "x500:"))
            other = somebody(d, KEY_DN, proxy + 5, self);
        if (other)
            return directory_say(ecDuplicateName,
                                 "The proxy address \"%s\" is already being used by the proxy addresses or"
                                 " LegacyExchangeDN of \"%s\". Please choose another proxy address.",
                                 proxy, other->account.name);
    }
    return ecNone;
}

/* Whoever signs in with a name must be one person: nobody's sign-in name is another one's address. */
static enum ec check_sign_in_free(struct directory *d, const struct account *a, const struct entry *self)
{
    const struct entry *other = somebody(d, KEY_SMTP, a->user_principal_name, self);
    for (size_t i = 0; i < a->proxy_count && !other; i++)
        if (text_is_prefix(a->proxy_addresses[i], "smtp:"))
            other = somebody(d, KEY_UPN, a->proxy_addresses[i] + 5, self);
    if (other)
        return directory_say(ecDuplicateName,
                             "\"%s\" and its addresses must differ from the sign-in name and addresses of \"%s\".",
                             a->user_principal_name, other->account.name);
    return ecNone;
}

/* One mailbox has all public folders, and each of them has its addresses once. */
static enum ec check_public_folder(struct directory *d, const struct account *a, const struct entry *self)
{
    char text[KEY_FOLDER_SIZE];
    const struct entry *other = a->kind < ACCOUNT_PUBLIC_FOLDERS
                                    ? NULL
                                    : somebody(d, KEY_PUBLIC_FOLDER, key_of_folder(a->public_folder, text), self);
    if (!other)
        return ecNone;
    return directory_say(ecDuplicateName,
                         a->public_folder ? "The public folder is mail-enabled already, as \"%s\"."
                                          : "The organization's public folders are in the mailbox \"%s\" already.",
                         other->account.name);
}

enum ec account_check(struct directory *d, const struct org_settings *s, const struct account *a,
                      const struct entry *self)
{
    enum ec ec = check_texts(a);
    if (!ec)
        ec = check_public_folder(d, a, self);
    if (!ec)
        ec = check_addresses(s, a);
    if (!ec)
        ec = check_domain(s, a->user_principal_name);
    if (!ec)
        ec = check_free(d, (struct unique_name){ "Name", KEY_NAME, a->name }, self);
    if (!ec)
        ec = check_free(d, (struct unique_name){ "Alias", KEY_ALIAS, a->alias }, self);
    if (!ec)
        ec = check_addresses_free(d, a, self);
    if (!ec)
        ec = check_free(d, (struct unique_name){ "UserPrincipalName", KEY_UPN, a->user_principal_name }, self);
    if (!ec)
        ec = check_free(d, (struct unique_name){ "SamAccountName", KEY_SAM, a->sam_account_name }, self);
    if (!ec)
        ec = check_sign_in_free(d, a, self);
    return ec;
}
