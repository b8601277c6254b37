/* SPDX-License-Identifier: Apache-2.0 */
/* The index: one hash table of every key of every account. */
#include <stdlib.h>

#include "directory/internal.h"

char *key_fold(TALLOC_CTX *arena, const char *text)
{
    return text_fold_only(arena, text, FOLD_CASE);
}

const char *key_of_folder(uint64_t public_folder, char text[KEY_FOLDER_SIZE])
{
    snprintf(text, KEY_FOLDER_SIZE, "%llx", (unsigned long long)public_folder);
    return text;
}

/* FNV-1a.  Keys are made by administrators alone, so nobody can fill a bucket from outside. */
uint64_t key_hash(enum key_kind kind, const char *folded)
{
    uint64_t hash = (0xcbf29ce484222325u ^ (uint64_t)kind) * 0x100000001b3u;
    for (const char *p = folded; *p; p++)
        hash = (hash ^ (unsigned char)*p) * 0x100000001b3u;
    return hash;
}

static void link_slot(struct directory *d, struct slot *slot)
{
    struct slot **bucket = &d->buckets[slot->hash & (d->bucket_count - 1)];
    slot->next = *bucket;
    *bucket = slot;
}

static void make_room(struct directory *d, size_t slots)
{
    if (d->slot_count + slots <= d->bucket_count)
        return;
    size_t count = d->bucket_count ? d->bucket_count : 256;
    while (count < d->slot_count + slots)
        count *= 2;
    talloc_free(d->buckets);
    d->buckets = talloc_zero_array(d, struct slot *, count);
    d->bucket_count = count;
    for (size_t i = 0; i < d->count; i++)
        for (size_t k = 0; k < d->entries[i]->slot_count; k++)
            link_slot(d, &d->entries[i]->slots[k]);
}

void index_add(struct directory *d, struct entry *entry)
{
    make_room(d, entry->slot_count);
    for (size_t i = 0; i < entry->slot_count; i++)
        link_slot(d, &entry->slots[i]);
    d->slot_count += entry->slot_count;
    if (d->count == d->room) {
        d->room = d->room ? 2 * d->room : 64;
        d->entries = talloc_realloc(d, d->entries, struct entry *, d->room);
    }
    entry->position = d->count;
    d->entries[d->count++] = entry;
}

static void unlink_slot(struct directory *d, struct slot *slot)
{
    struct slot **at = &d->buckets[slot->hash & (d->bucket_count - 1)];
    while (*at != slot)
        at = &(*at)->next;
    *at = slot->next;
}

void index_remove(struct directory *d, struct entry *entry)
{
    for (size_t i = 0; i < entry->slot_count; i++)
        unlink_slot(d, &entry->slots[i]);
    d->slot_count -= entry->slot_count;
    d->entries[entry->position] = d->entries[--d->count];
    d->entries[entry->position]->position = entry->position;
    entry_release(entry);
}

void index_clear(struct directory *d)
{
    for (size_t i = 0; i < d->count; i++)
        entry_release(d->entries[i]);
    TALLOC_FREE(d->entries);
    TALLOC_FREE(d->buckets);
    d->count = d->room = d->bucket_count = d->slot_count = 0;
}

struct entry *index_find(struct directory *d, enum key_kind kind, const char *folded, struct entry *after)
{
    const uint64_t hash = key_hash(kind, folded);
    struct slot *slot = d->bucket_count ? d->buckets[hash & (d->bucket_count - 1)] : NULL;
    for (; slot; slot = slot->next) {
        if (slot->hash != hash || strcmp(slot->text, folded) != 0)
            continue;
        if (!after)
            return slot->entry;
        if (slot->entry == after)
            after = NULL;
    }
    return NULL;
}

struct entry *directory_entry(struct directory *d, enum key_kind kind, const char *text)
{
    char *folded = key_fold(NULL, text);
    pthread_rwlock_rdlock(&d->looking);
    struct entry *entry = entry_take(index_find(d, kind, folded, NULL));
    pthread_rwlock_unlock(&d->looking);
    talloc_free(folded);
    return entry;
}

struct entry *directory_entry_by_guid(struct directory *d, enum key_kind kind, struct guid guid)
{
    char text[GUID_TEXT_SIZE];
    return directory_entry(d, kind, guid_text(guid, text));
}
