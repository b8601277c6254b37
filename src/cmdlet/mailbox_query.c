/* SPDX-License-Identifier: Apache-2.0 */
/* Finding one mailbox or many, for every cmdlet about mailboxes. */
#include "cmdlet/call.h"

const char *mailbox_identity(TALLOC_CTX *arena, const struct org_settings *s, const struct account *a)
{
    return talloc_asprintf(arena, "%s/Users/%s", s->domains[0].domain, a->name);
}

/* CN=alice,CN=Users,DC=contoso,DC=com */
const char *mailbox_dn(TALLOC_CTX *arena, const struct org_settings *s, const struct account *a)
{
    char *dn = talloc_asprintf(arena, "CN=%s,CN=Users", a->name);
    for (const char *label = s->domains[0].domain; *label; label += strcspn(label, "."), label += *label == '.')
        dn = talloc_asprintf_append(dn, ",DC=%.*s", (int)strcspn(label, "."), label);
    return dn;
}

enum ec find_account(struct call *call, const char *identity, const struct account **out)
{
    enum ec ec = directory_by_identity(call->directory, call->arena, identity, out);
    if (ec == ecAmbiguousRecip)
        return call_fail(call, ec, "The operation couldn't be performed because '%s' matches multiple entries.",
                         identity);
    return ec ? call_not_found(call, identity) : ecNone;
}

const char *account_type_details(const struct account *a)
{
    static const char *const names[] = { "UserMailbox", "SharedMailbox", "PublicFolderMailbox", "PublicFolder" };
    return names[a->kind];
}

static bool is_of_type(const struct account *a, struct texts details)
{
    bool is = details.count == 0;
    for (size_t i = 0; i < details.count; i++)
        is |= strcasecmp(details.items[i], account_type_details(a)) == 0;
    return is;
}

/* That of the public folders is shown to those who ask for it. */
static bool is_meant(const struct account *a, const struct mailbox_query *query)
{
    const bool of_folders = a->kind == ACCOUNT_PUBLIC_FOLDERS;
    if (a->kind == ACCOUNT_MAIL_FOLDER || (query->public_folders && !of_folders))
        return false;
    return is_of_type(a, query->details) && (!of_folders || query->public_folders || query->details.count);
}

enum ec find_mailbox(struct call *call, const char *identity, bool public_folders, const struct account **out)
{
    const struct mailbox_query query = { .public_folders = public_folders };
    const enum ec ec = find_account(call, identity, out);
    return !ec && !is_meant(*out, &query) ? call_not_found(call, identity) : ec;
}

#define RESULT_SIZE 1000

static struct object object_of_account(struct call *call, const struct mailbox_query *query, const struct account *a)
{
    return (struct object){ query->type, a, call->settings };
}

struct collection {
    struct objects objects;
    size_t limit;
    bool more;                              /* there were more than the limit */
};

static void collect(struct call *call, const struct mailbox_query *query, struct collection *out)
{
    const struct account_list *all = directory_list(call->directory, call->arena, ACCOUNTS_ALL);
    const struct account_pattern *pattern =
        query->anr.value ? account_pattern(call->arena, query->anr.value) : NULL;
    TALLOC_CTX *arena = talloc_new(call->arena);
    for (size_t i = 0; i < all->count && !out->more; i++) {
        const struct account *a = all->accounts[i];
        const struct object object = object_of_account(call, query, a);
        if (!is_meant(a, query))
            continue;
        if (query->database.value && strcasecmp(a->database, query->database.value) != 0)
            continue;
        if (pattern && !account_matches(a, pattern))
            continue;
        if (query->filter.block && !condition_holds(arena, query->filter.block, &object))
            continue;
        out->more = out->objects.count == out->limit;
        if (!out->more)
            objects_add(call->arena, &out->objects, object);
        talloc_free_children(arena);
    }
    talloc_free(arena);
}

static enum ec query_many(struct call *call, const struct mailbox_query *query)
{
    const int64_t asked = query->result_size.given ? query->result_size.value : RESULT_SIZE;
    struct collection found = { .limit = asked < 0 ? SIZE_MAX : (size_t)asked };
    struct texts by = { &query->sort_by.value, 1 };
    collect(call, query, &found);
    if (query->sort_by.value)
        sort_objects(&found.objects, by, false);
    for (size_t i = 0; i < found.objects.count; i++)
        call_emit(call, found.objects.items[i]);
    if (found.more && !query->result_size.given)
        call_warn(call, "By default, only the first %d items are returned. Use the ResultSize parameter to specify the"
                        " number of items returned. To return all items, specify \"-ResultSize Unlimited\".",
                  RESULT_SIZE);
    return ecNone;
}

enum ec query_mailboxes(struct call *call, const struct mailbox_query *query)
{
    const struct account *account = NULL;
    if (query->identity.value && (query->anr.given || query->database.given))
        return call_conflict(call);
    if (query->database.value && !org_database_by_name(call->settings, query->database.value))
        return call_not_found(call, query->database.value);
    if (!query->identity.value)
        return query_many(call, query);
    enum ec ec = find_account(call, query->identity.value, &account);
    if (!ec && !query->details.count && !is_meant(account, query))
        return call_not_found(call, query->identity.value);
    if (!ec && is_meant(account, query))
        call_emit(call, object_of_account(call, query, account));
    return ec;
}
