/* SPDX-License-Identifier: Apache-2.0 */
/* What a folder's properties are made of: [MS-OXCFOLD] 2.2.2. */
#include "store/internal.h"

/* PidTagFolderFlags [MS-OXCFOLD] 2.2.2.2.1.5 */
enum { FOLDER_IPM = 1, FOLDER_IS_SEARCH = 2, FOLDER_NORMAL = 4 };

typedef struct prop getter(TALLOC_CTX *, struct store *, const struct folder_row *, uint32_t tag);
#define GETTER(name)                                                                                                   \
    static struct prop get_##name(TALLOC_CTX *arena, struct store *st, const struct folder_row *row, uint32_t tag)
#define UNUSED (void)arena, (void)st, (void)row

/* The root is its own parent. */
static uint64_t parent_of(const struct folder_row *row)
{
    return row->parent ? row->parent : row->fid;
}

static struct blob key_of(TALLOC_CTX *arena, const struct store *st, struct blob foreign, uint64_t counter)
{
    return foreign.size ? blob_copy(arena, foreign) : gid_of(arena, st->replica, counter);
}

/* clang-format off */
GETTER(fid)              { UNUSED; return P_I64(tag, store_id(row->fid)); }
GETTER(parent_fid)       { UNUSED; return P_I64(tag, store_id(parent_of(row))); }
GETTER(cn)               { UNUSED; return P_I64(tag, store_id(row->cn)); }
GETTER(entry_id)         { return P_BIN(tag, folder_entry_id(arena, st, row->fid)); }
GETTER(parent_entry_id)  { return P_BIN(tag, folder_entry_id(arena, st, parent_of(row))); }
GETTER(source_key)       { return P_BIN(tag, key_of(arena, st, row->source_key, row->fid)); }
GETTER(parent_source_key){ return P_BIN(tag, gid_of(arena, st->replica, parent_of(row))); }
GETTER(change_key)       { return P_BIN(tag, key_of(arena, st, row->change_key, row->cn)); }
GETTER(pcl)              { return P_BIN(tag, pcl_of(arena, st, row->pcl, row->change_key, row->cn)); }
GETTER(store_entry_id)   { UNUSED; return P_BIN(tag, store_entry_id(arena, st)); }
GETTER(store_record_key) { UNUSED; return P_BIN(tag, blob_copy(arena, BLOB_OF(st->guid.bytes, 16))); }
GETTER(signature)        { UNUSED; return P_BIN(tag, blob_copy(arena, BLOB_OF(st->replica.bytes, 16))); }
GETTER(object_type)      { UNUSED; return P_I32(tag, 3); }
GETTER(access_level)     { UNUSED; return P_I32(tag, 1); }
GETTER(type)             { UNUSED; return P_I32(tag, row->type); }
GETTER(has_rules)        { UNUSED; return P_BOOL(tag, row->has_rules); }
GETTER(total)            { UNUSED; return P_I32(tag, row->total); }
GETTER(unread)           { UNUSED; return P_I32(tag, st->identity.is_public ? seen_unread(st, row->fid, row->total) : row->unread); }
GETTER(associated)       { UNUSED; return P_I32(tag, row->associated); }
GETTER(subfolders)       { UNUSED; return P_BOOL(tag, row->subfolders > 0); }
GETTER(deleted_total)    { UNUSED; return P_I32(tag, row->deleted_total); }
GETTER(size)             { UNUSED; return size_prop(tag, row->size + row->associated_size); }
GETTER(normal_size)      { UNUSED; return P_I64(tag, row->size); }
GETTER(associated_size)  { UNUSED; return P_I64(tag, row->associated_size); }
GETTER(committed)        { UNUSED; return P_TIME(tag, row->committed); }
GETTER(content_time)     { UNUSED; return P_TIME(tag, row->content_time); }
GETTER(hierarchy_time)   { UNUSED; return P_TIME(tag, row->hierarchy_time); }
GETTER(hierarchy_cn)     { UNUSED; return P_I32(tag, row->hierarchy_cn); }
GETTER(created)          { UNUSED; return P_TIME(tag, row->created); }
GETTER(modified)         { UNUSED; return P_TIME(tag, row->modified); }
GETTER(name)             { UNUSED; return P_STR(tag, talloc_strdup(arena, row->name)); }
GETTER(comment)          { UNUSED; return P_STR(tag, talloc_strdup(arena, row->comment)); }
GETTER(hidden)           { UNUSED; return P_BOOL(tag, row->hidden); }
/* clang-format on */

GETTER(class)
{
    UNUSED;
    return *row->class ? P_STR(tag, talloc_strdup(arena, row->class)) : P_ERR(tag, ecNotFound);
}

GETTER(deleted)
{
    UNUSED;
    return row->deleted ? P_TIME(tag, row->deleted) : P_ERR(tag, ecNotFound);
}

/* [MS-OXCPRPT] 2.2.1.1 */
enum {
    ACCESS_MODIFY = 0x01,
    ACCESS_READ = 0x02,
    ACCESS_DELETE = 0x04,
    ACCESS_HIERARCHY = 0x08,
    ACCESS_CONTENTS = 0x10,
    ACCESS_ASSOCIATED = 0x20,
};
GETTER(access)
{
    UNUSED;
    const uint32_t rights = store_rights(st, st->delegate, store_id(row->fid));
    uint32_t access = (rights & RIGHT_VISIBLE ? ACCESS_READ : 0u) |
                      (rights & RIGHT_OWNER ? ACCESS_MODIFY | ACCESS_DELETE | ACCESS_ASSOCIATED : 0u) |
                      (rights & RIGHT_CREATE_SUBFOLDER ? ACCESS_HIERARCHY : 0u) |
                      (rights & RIGHT_CREATE ? ACCESS_CONTENTS : 0u);
    if (row->type == FOLDER_SEARCH)
        access &= ACCESS_MODIFY | ACCESS_READ | ACCESS_DELETE;
    return P_I32(tag, access);
}

/* [MS-OXCFOLD] 2.2.2.2.2.8: free/busy is no matter of this property. */
GETTER(rights)
{
    UNUSED;
    return P_I32(tag, store_rights(st, st->delegate, store_id(row->fid)) & RIGHTS_OWNER_ROLE);
}

/* Only special folders lie beside "Top of Information Store". */
GETTER(flags)
{
    UNUSED;
    const bool ipm =
        row->fid == SPECIAL_IPM_SUBTREE || (row->parent >= SPECIAL_INBOX) || row->parent == SPECIAL_IPM_SUBTREE;
    return P_I32(tag, (ipm ? FOLDER_IPM : 0) | (row->type == FOLDER_SEARCH ? FOLDER_IS_SEARCH : FOLDER_NORMAL));
}

static const struct computed {
    uint32_t tag;
    getter *get;
    enum computed_rule rule;
} computed[] = {
#define FOLDER(tag, name, rule) { tag, get_##name, rule },
#define MESSAGE(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

static const uint32_t computed_tags[] = {
#define FOLDER(tag, name, rule) tag,
#define MESSAGE(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

static const struct computed *computed_of(uint32_t tag)
{
    for (size_t i = 0; i < COUNTOF(computed); i++)
        if (PROP_ID(computed[i].tag) == PROP_ID(tag))
            return &computed[i];
    return NULL;
}

uint32_t folder_computed_tags(const uint32_t **tags)
{
    *tags = computed_tags;
    return COUNTOF(computed_tags);
}

enum computed_rule folder_rule(uint32_t tag)
{
    const struct computed *c = computed_of(tag);
    return c ? c->rule : PLAIN;
}

struct item folder_item(const struct folder_row *row)
{
    struct item item = { .id = (int64_t)row->fid, .num = ITEM_OWN };
    bag_open(&item.bag, row->props);
    return item;
}

void folder_prop(TALLOC_CTX *arena, struct store *st, const struct folder_row *row, uint32_t tag, size_t limit,
                 bool cut, struct prop *out)
{
    const struct computed *c = computed_of(tag);
    if (!c) {
        const struct item item = folder_item(row);
        item_get(arena, st, &item, tag, limit, cut, out);
        return;
    }
    *out = c->get(arena, st, row, computed_tag(c->tag, tag));
    item_convert(arena, tag, limit, cut, out);
}
