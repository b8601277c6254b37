/* SPDX-License-Identifier: Apache-2.0 */
/* Proxy addresses as administrators write them: SMTP: in capitals is the primary one, no type means smtp. */
#include "cmdlet/call.h"

struct addresses {
    const char **items;
    size_t count;
};

static bool has_type(const char *text)
{
    const char *colon = strchr(text, ':'), *at = strchr(text, '@');
    return colon && (!at || colon < at);
}

static const char *typed(TALLOC_CTX *arena, const char *text)
{
    return has_type(text) ? text : talloc_asprintf(arena, "smtp:%s", text);
}

static bool is_primary(const char *address)
{
    return strncmp(address, "SMTP:", 5) == 0;
}

static size_t find(const struct addresses *list, const char *address)
{
    size_t i = 0;
    while (i < list->count && strcasecmp(list->items[i], address) != 0)
        i++;
    return i;
}

/* A primary one takes the place of the one before, which stays as a further address. */
static void add(TALLOC_CTX *arena, struct addresses *list, const char *address)
{
    for (size_t i = 0; is_primary(address) && i < list->count; i++)
        if (is_primary(list->items[i]))
            list->items[i] = talloc_asprintf(arena, "smtp:%s", list->items[i] + 5);
    const size_t i = find(list, address);
    if (i < list->count) {
        list->items[i] = is_primary(address) ? address : list->items[i];
        return;
    }
    list->items = talloc_realloc(arena, list->items, const char *, list->count + 1);
    list->items[list->count++] = address;
}

static void remove_address(struct addresses *list, const char *address)
{
    const size_t i = find(list, address);
    if (i == list->count)
        return;
    memmove(&list->items[i], &list->items[i + 1], (list->count - i - 1) * sizeof *list->items);
    list->count--;
}

static struct addresses addresses_of(TALLOC_CTX *arena, const struct account *a)
{
    struct addresses list = { 0 };
    for (size_t i = 0; i < a->proxy_count; i++)
        add(arena, &list, a->proxy_addresses[i]);
    return list;
}

static void give(struct account *a, struct addresses list)
{
    a->proxy_addresses = list.items;
    a->proxy_count = list.count;
}

void make_primary(TALLOC_CTX *arena, const char *address, struct account *a)
{
    struct addresses list = addresses_of(arena, a);
    add(arena, &list, talloc_asprintf(arena, "SMTP:%s", address));
    give(a, list);
}

/* Without a primary one, the first without a type becomes it, else the first of type smtp. */
static size_t primary_by_position(struct texts set)
{
    size_t smtp = set.count;
    for (size_t i = set.count; i-- > 0;)
        if (has_type(set.items[i]) && text_is_prefix(set.items[i], "smtp:"))
            smtp = i;
    for (size_t i = 0; i < set.count; i++)
        if (!has_type(set.items[i]))
            return i;
    return smtp;
}

static enum ec replace(struct call *call, struct texts set, struct account *a)
{
    struct addresses list = { 0 };
    size_t primaries = 0;
    for (size_t i = 0; i < set.count; i++)
        primaries += is_primary(set.items[i]);
    if (primaries > 1)
        return call_fail(call, ecInvalidParam,
                         "There are multiple primary SMTP addresses. Write one with SMTP: in capitals.");
    const size_t first = primaries ? set.count : primary_by_position(set);
    for (size_t i = 0; i < set.count; i++) {
        const char *address = typed(call->arena, set.items[i]);
        add(call->arena, &list, i == first ? talloc_asprintf(call->arena, "SMTP:%s", address + 5) : address);
    }
    give(a, list);
    return ecNone;
}

enum ec edit_addresses(struct call *call, const struct arg_list *arg, struct account *a)
{
    if (!arg->edits)
        return replace(call, arg->set, a);
    struct addresses list = addresses_of(call->arena, a);
    for (size_t i = 0; i < arg->remove.count; i++)
        remove_address(&list, typed(call->arena, arg->remove.items[i]));
    for (size_t i = 0; i < arg->add.count; i++)
        add(call->arena, &list, typed(call->arena, arg->add.items[i]));
    give(a, list);
    return ecNone;
}
