/* SPDX-License-Identifier: Apache-2.0 */
/* One account in one piece of memory: the struct, its keys, and all texts behind it. */
#include "directory/internal.h"

/* With .at NULL it only counts. */
struct pack {
    char *at;
    size_t used;
};

static void *pack_bytes(struct pack *pack, const void *bytes, size_t size)
{
    char *to = pack->at ? pack->at + pack->used : NULL;
    if (to && bytes)
        memcpy(to, bytes, size);
    pack->used += size;
    return to;
}

static const char *pack_text(struct pack *pack, const char *text)
{
    return text ? pack_bytes(pack, text, strlen(text) + 1) : NULL;
}

static const size_t text_fields[] = {
#define TEXT_FIELD(f) offsetof(struct account, f)
    TEXT_FIELD(name), TEXT_FIELD(alias), TEXT_FIELD(display_name), TEXT_FIELD(first_name), TEXT_FIELD(last_name),
    TEXT_FIELD(initials), TEXT_FIELD(user_principal_name), TEXT_FIELD(sam_account_name), TEXT_FIELD(logon_name),
    TEXT_FIELD(primary_smtp), TEXT_FIELD(legacy_dn), TEXT_FIELD(database), TEXT_FIELD(store_url),
#undef TEXT_FIELD
};

static const char **field(struct account *account, size_t offset)
{
    return (const char **)(void *)((char *)account + offset);
}

static const char *text_of(const struct account *account, size_t offset)
{
    return *(const char *const *)(const void *)((const char *)account + offset);
}

struct made {                               /* what is computed once, before the two passes */
    const char *folded[FOLDED_COUNT];
    struct blob sort_key;
    struct slot *slots;
    size_t slot_count;
};

static void add_key(TALLOC_CTX *arena, struct made *made, enum key_kind kind, const char *text)
{
    const char *folded = key_fold(arena, text);
    made->slots[made->slot_count++] = (struct slot){ .hash = key_hash(kind, folded), .text = folded };
}

static void add_guid_key(TALLOC_CTX *arena, struct made *made, enum key_kind kind, struct guid guid)
{
    char text[GUID_TEXT_SIZE];
    add_key(arena, made, kind, guid_text(guid, text));
}

static void make_keys(TALLOC_CTX *arena, struct made *made, const struct account *account)
{
    enum { OTHER_KEYS = 10 };
    made->slots = talloc_array(arena, struct slot, OTHER_KEYS + account->proxy_count);
    add_key(arena, made, KEY_NAME, account->name);
    add_key(arena, made, KEY_ALIAS, account->alias);
    add_key(arena, made, KEY_DISPLAY_NAME, account->display_name);
    add_key(arena, made, KEY_UPN, account->user_principal_name);
    add_key(arena, made, KEY_SAM, account->sam_account_name);
    add_key(arena, made, KEY_DN, account->legacy_dn);
    add_guid_key(arena, made, KEY_MAILBOX, account->mailbox_guid);
    add_guid_key(arena, made, KEY_OBJECT, account->guid);
    add_key(arena, made, KEY_MINIMAL_ID, talloc_asprintf(arena, "%u", account->minimal_id));
    if (account->kind >= ACCOUNT_PUBLIC_FOLDERS) {
        char text[KEY_FOLDER_SIZE];
        add_key(arena, made, KEY_PUBLIC_FOLDER, key_of_folder(account->public_folder, text));
    }
    for (size_t i = 0; i < account->proxy_count; i++) {
        if (text_is_prefix(account->proxy_addresses[i], "smtp:"))
            add_key(arena, made, KEY_SMTP, account->proxy_addresses[i] + strlen("smtp:"));
        else if (text_is_prefix(account->proxy_addresses[i], "x500:"))
            add_key(arena, made, KEY_DN, account->proxy_addresses[i] + strlen("x500:"));
    }
}

static void make(TALLOC_CTX *arena, struct made *made, const struct account *account)
{
    *made = (struct made){
        .folded = { [FOLDED_DISPLAY] = text_fold(arena, account->display_name),
                    [FOLDED_ALIAS] = text_fold(arena, account->alias),
                    [FOLDED_FIRST] = text_fold(arena, account->first_name),
                    [FOLDED_LAST] = text_fold(arena, account->last_name) },
        .sort_key = text_sort_key(arena, account->display_name, DIRECTORY_SORT_LCID),
    };
    make_keys(arena, made, account);
}

/* Pointers and slots come first, where the memory is aligned for them. */
static void pack_entry(struct pack *pack, struct entry *entry, const struct account *from, const char *password_hash,
                       const struct made *made)
{
    struct account *account = &entry->account;
    *account = *from;
    entry->slot_count = made->slot_count;
    entry->slots = pack_bytes(pack, made->slots, made->slot_count * sizeof *made->slots);
    const char **proxies = pack_bytes(pack, from->proxy_addresses, from->proxy_count * sizeof *proxies);
    account->proxy_addresses = proxies;
    for (size_t i = 0; i < from->proxy_count; i++) {
        const char *text = pack_text(pack, from->proxy_addresses[i]);
        if (proxies)
            proxies[i] = text;
    }
    for (size_t i = 0; i < made->slot_count; i++) {
        const char *text = pack_text(pack, made->slots[i].text);
        if (entry->slots)
            entry->slots[i].text = text;
    }
    for (size_t i = 0; i < COUNTOF(text_fields); i++)
        *field(account, text_fields[i]) = pack_text(pack, text_of(from, text_fields[i]));
    for (size_t i = 0; i < FOLDED_COUNT; i++)
        entry->folded[i] = pack_text(pack, made->folded[i]);
    account->sort_key = BLOB_OF(pack_bytes(pack, made->sort_key.data, made->sort_key.size), made->sort_key.size);
    entry->password_hash = pack_text(pack, password_hash);
}

struct entry *entry_new(const struct account *account, const char *password_hash)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct made made;
    make(arena, &made, account);

    struct entry counted = { 0 };
    struct pack pack = { 0 };
    pack_entry(&pack, &counted, account, password_hash, &made);
    struct entry *entry = talloc_zero_size(NULL, sizeof *entry + pack.used);
    pack = (struct pack){ .at = (char *)(entry + 1) };
    pack_entry(&pack, entry, account, password_hash, &made);

    for (size_t i = 0; i < entry->slot_count; i++)
        entry->slots[i].entry = entry;
    entry->references = 1;
    talloc_free(arena);
    return entry;
}

struct entry *entry_take(struct entry *entry)
{
    if (entry)
        __atomic_add_fetch(&entry->references, 1, __ATOMIC_RELAXED);
    return entry;
}

void entry_release(struct entry *entry)
{
    if (entry && __atomic_sub_fetch(&entry->references, 1, __ATOMIC_ACQ_REL) == 0)
        talloc_free(entry);
}

struct entry_reader {
    struct entry *entry;
};

static int reader_destroy(struct entry_reader *reader)
{
    entry_release(reader->entry);
    return 0;
}

const struct account *entry_lend(TALLOC_CTX *arena, struct entry *entry)
{
    if (!entry)
        return NULL;
    struct entry_reader *reader = talloc(arena, struct entry_reader);
    reader->entry = entry;
    talloc_set_destructor(reader, reader_destroy);
    return &entry->account;
}

const struct entry *entry_of(const struct account *account)
{
    return (const struct entry *)account;
}
