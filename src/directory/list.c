/* SPDX-License-Identifier: Apache-2.0 */
/* The address book's order, and whom a typed name means. */
#include <stdlib.h>

#include "directory/internal.h"

static int compare_keys(struct blob a, struct blob b)
{
    const int order = memcmp(a.data, b.data, MIN(a.size, b.size));
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_accounts(const struct account *a, const struct account *b)
{
    const int order = compare_keys(a->sort_key, b->sort_key);
    return order ? order : (a->minimal_id > b->minimal_id) - (a->minimal_id < b->minimal_id);
}

static int compare_in_list(const void *a, const void *b)
{
    return compare_accounts(*(const struct account *const *)a, *(const struct account *const *)b);
}

static void picture_release(struct list_picture *picture)
{
    if (!picture || __atomic_sub_fetch(&picture->references, 1, __ATOMIC_ACQ_REL) > 0)
        return;
    for (size_t i = 0; i < picture->list.count; i++)
        entry_release((struct entry *)entry_of(picture->list.accounts[i]));
    talloc_free(picture);
}

static struct list_picture *picture_new(struct directory *d, enum account_scope scope)
{
    struct list_picture *picture = talloc_zero(NULL, struct list_picture);
    picture->references = 1;
    pthread_rwlock_rdlock(&d->looking);
    picture->generation = directory_generation(d);
    const struct account **list = talloc_array(picture, const struct account *, d->count);
    for (size_t i = 0; i < d->count; i++)
        if (scope == ACCOUNTS_ALL || !d->entries[i]->account.hidden)
            list[picture->list.count++] = &entry_take(d->entries[i])->account;
    pthread_rwlock_unlock(&d->looking);
    if (picture->list.count)
        qsort(list, picture->list.count, sizeof *list, compare_in_list);
    picture->list.accounts = list;
    return picture;
}

void list_forget(struct directory *d)
{
    pthread_mutex_lock(&d->listing);
    for (size_t i = 0; i < COUNTOF(d->lists); i++) {
        picture_release(d->lists[i]);
        d->lists[i] = NULL;
    }
    pthread_mutex_unlock(&d->listing);
}

struct list_reader {
    struct list_picture *picture;
};

static int reader_destroy(struct list_reader *reader)
{
    picture_release(reader->picture);
    return 0;
}

const struct account_list *directory_list(struct directory *d, TALLOC_CTX *arena, enum account_scope scope)
{
    struct list_reader *reader = talloc(arena, struct list_reader);
    pthread_mutex_lock(&d->listing);
    struct list_picture **kept = &d->lists[scope];
    if (!*kept || (*kept)->generation != directory_generation(d)) {
        picture_release(*kept);
        *kept = picture_new(d, scope);
    }
    reader->picture = *kept;
    __atomic_add_fetch(&reader->picture->references, 1, __ATOMIC_RELAXED);
    pthread_mutex_unlock(&d->listing);
    talloc_set_destructor(reader, reader_destroy);
    return &reader->picture->list;
}

size_t account_list_position(const struct account_list *list, const struct account *account)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (compare_accounts(list->accounts[middle], account) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t account_list_seek(const struct account_list *list, const char *name)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct account first = { .sort_key = text_sort_key(arena, name, DIRECTORY_SORT_LCID) };
    const size_t position = account_list_position(list, &first);
    talloc_free(arena);
    return position;
}

enum pattern_kind { PATTERN_NOBODY, PATTERN_PREFIX, PATTERN_EXACT, PATTERN_ADDRESS, PATTERN_DN };
struct account_pattern {
    enum pattern_kind kind;
    const char *text;                       /* without case and accents */
    const char *first, *rest;               /* `ali exa`, cut at the blank; NULL: there is none */
};

static const char *trimmed(TALLOC_CTX *arena, const char *text)
{
    text += strspn(text, " \t");
    size_t length = strlen(text);
    while (length && strchr(" \t", text[length - 1]))
        length--;
    return talloc_strndup(arena, text, length);
}

static void cut_at_blank(struct account_pattern *pattern)
{
    const char *blank = strchr(pattern->text, ' ');
    if (!blank)
        return;
    pattern->first = talloc_strndup(pattern, pattern->text, (size_t)(blank - pattern->text));
    pattern->rest = blank + strspn(blank, " ");
}

const struct account_pattern *account_pattern(TALLOC_CTX *arena, const char *typed)
{
    static const struct { const char *prefix; enum pattern_kind kind; size_t skip; } kinds[] = {
        { "smtp:", PATTERN_ADDRESS, 5 }, { "ex:", PATTERN_DN, 3 }, { "/o=", PATTERN_DN, 0 },
        { "=smtp:", PATTERN_ADDRESS, 6 }, { "=ex:", PATTERN_DN, 4 }, { "=/o=", PATTERN_DN, 1 },
        { "=", PATTERN_EXACT, 1 }, { "", PATTERN_PREFIX, 0 },
    };
    struct account_pattern *pattern = talloc_zero(arena, struct account_pattern);
    const char *text = trimmed(pattern, typed);
    size_t i = 0;
    while (!text_is_prefix(text, kinds[i].prefix))
        i++;
    pattern->kind = kinds[i].kind;
    pattern->text = text_fold(pattern, text + kinds[i].skip);
    if (!*pattern->text)
        pattern->kind = PATTERN_NOBODY;
    if (pattern->kind == PATTERN_PREFIX)
        cut_at_blank(pattern);
    return pattern;
}

static bool begins(const char *folded, const char *prefix)
{
    return strncmp(folded, prefix, strlen(prefix)) == 0;
}

static bool has_proxy(const struct account *account, const char *type, bool (*fits)(const char *, const char *),
                      const char *text)
{
    for (size_t i = 0; i < account->proxy_count; i++)
        if (text_is_prefix(account->proxy_addresses[i], type) && fits(account->proxy_addresses[i] + strlen(type), text))
            return true;
    return false;
}

static bool is_same(const char *a, const char *b)
{
    return strcasecmp(a, b) == 0;
}

static bool matches_prefix(const struct entry *entry, const struct account_pattern *pattern)
{
    for (size_t i = 0; i < FOLDED_COUNT; i++)
        if (begins(entry->folded[i], pattern->text))
            return true;
    const char *first = entry->folded[FOLDED_FIRST], *last = entry->folded[FOLDED_LAST];
    if (pattern->first && begins(first, pattern->first) && begins(last, pattern->rest))
        return true;
    if (pattern->first && begins(last, pattern->first) && begins(first, pattern->rest))
        return true;
    return has_proxy(&entry->account, "smtp:", text_is_prefix, pattern->text);
}

static bool matches_exactly(const struct entry *entry, const struct account_pattern *pattern)
{
    return strcmp(entry->folded[FOLDED_ALIAS], pattern->text) == 0 ||
           strcmp(entry->folded[FOLDED_DISPLAY], pattern->text) == 0 ||
           has_proxy(&entry->account, "smtp:", is_same, pattern->text);
}

bool account_matches(const struct account *account, const struct account_pattern *pattern)
{
    switch (pattern->kind) {
    case PATTERN_PREFIX: return matches_prefix(entry_of(account), pattern);
    case PATTERN_EXACT: return matches_exactly(entry_of(account), pattern);
    case PATTERN_ADDRESS: return has_proxy(account, "smtp:", is_same, pattern->text);
    case PATTERN_DN:
        return is_same(account->legacy_dn, pattern->text) || has_proxy(account, "x500:", is_same, pattern->text);
    default: return false;
    }
}

struct account_list directory_resolve(struct directory *d, TALLOC_CTX *arena, const char *typed,
                                      enum account_scope scope, size_t limit)
{
    const struct account_list *all = directory_list(d, arena, scope);
    const struct account_pattern *pattern = account_pattern(arena, typed);
    const struct account **found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < all->count && count < limit; i++) {
        if (!account_matches(all->accounts[i], pattern))
            continue;
        found = talloc_realloc(arena, found, const struct account *, count + 1);
        found[count++] = all->accounts[i];
    }
    return (struct account_list){ found, count };
}
