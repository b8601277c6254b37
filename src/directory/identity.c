/* SPDX-License-Identifier: Apache-2.0 */
/* What an administrator may type after -Identity. */
#include "directory/internal.h"

/* Kinds that are asked together: the first group that knows the text answers. */
static const struct group {
    enum key_kind kinds[4];
    size_t count;
} groups[] = {
    { { KEY_SMTP, KEY_UPN }, 2 },
    { { KEY_MAILBOX, KEY_OBJECT }, 2 },
    { { KEY_DN }, 1 },
    { { KEY_NAME, KEY_ALIAS, KEY_SAM }, 3 },
    { { KEY_DISPLAY_NAME }, 1 },
};

/* contoso.com/Users/alice and CN=alice,CN=Users,DC=contoso,DC=com hold the name; CONTOSO\alice the SAM name. */
static const char *bare(TALLOC_CTX *arena, const char *identity)
{
    const char *users = strstr(identity, "/Users/");
    if (*identity != '/' && users)
        return users + strlen("/Users/");
    if (text_is_prefix(identity, "cn="))
        return talloc_strndup(arena, identity + 3, strcspn(identity + 3, ","));
    if (text_is_prefix(identity, "smtp:"))
        return identity + strlen("smtp:");
    const char *backslash = strchr(identity, '\\');
    return backslash ? backslash + 1 : identity;
}

/* A GUID may come in braces. */
static const char *key_of(TALLOC_CTX *arena, const char *identity)
{
    struct guid guid;
    char text[GUID_TEXT_SIZE];
    const char *name = bare(arena, identity);
    return key_fold(arena, guid_parse(name, &guid) ? guid_text(guid, text) : name);
}

/* Adds what `entry` is to what was found so far: nobody, one, or several. */
static enum ec add_found(struct entry **found, struct entry *entry)
{
    if (*found && *found != entry)
        return ecAmbiguousRecip;
    *found = entry;
    return ecNone;
}

static enum ec find_in_group(struct directory *d, const struct group *group, const char *key, struct entry **found)
{
    enum ec ec = ecNone;
    for (size_t i = 0; i < group->count && !ec; i++) {
        struct entry *entry = NULL;
        while (!ec && (entry = index_find(d, group->kinds[i], key, entry)))
            ec = add_found(found, entry);
    }
    return ec;
}

enum ec directory_by_identity(struct directory *d, TALLOC_CTX *arena, const char *identity, const struct account **out)
{
    struct entry *found = NULL;
    const char *key = key_of(arena, identity);
    enum ec ec = ecNone;
    pthread_rwlock_rdlock(&d->looking);
    for (size_t i = 0; i < COUNTOF(groups) && !ec && !found; i++)
        ec = find_in_group(d, &groups[i], key, &found);
    if (!ec)
        entry_take(found);
    pthread_rwlock_unlock(&d->looking);
    if (ec)
        return ec;
    *out = entry_lend(arena, found);
    return found ? ecNone : ecNotFound;
}
