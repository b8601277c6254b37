/* SPDX-License-Identifier: Apache-2.0 */
/* Change keys and predecessor change lists: [MS-OXCFXICS] 2.2.2.2, 2.2.2.3, and how two versions of an object compare,
 * 3.1.5.6.1.
 *
 *   XID = NamespaceGuid (16) LocalId (1 to 8, big-endian)      PCL = { size (1) XID }, ascending, each GUID once */
#include <stdlib.h>

#include "store/internal.h"

enum { XID_MIN = 17, XID_MAX = 24, NAMESPACE = sizeof(struct guid) };

bool xid_is_valid(struct blob xid)
{
    return xid.size >= XID_MIN && xid.size <= XID_MAX;
}

/* No more, or damage: nothing. */
static struct blob next_xid(struct blob *list)
{
    const size_t size = list->size ? list->data[0] : 0;
    if (size < XID_MIN || size > XID_MAX || size >= list->size)
        return BLOB_OF(NULL, 0);
    const struct blob xid = BLOB_OF(list->data + 1, size);
    *list = BLOB_OF(list->data + 1 + size, list->size - 1 - size);
    return xid;
}

bool pcl_is_valid(struct blob list)
{
    while (next_xid(&list).size)
        ;
    return !list.size;
}

static int compare_namespaces(struct blob a, struct blob b)
{
    return memcmp(a.data, b.data, NAMESPACE);
}

/* LocalIds of different lengths are numbers all the same. */
static uint64_t local_id(struct blob xid)
{
    uint64_t id = 0;
    for (size_t i = NAMESPACE; i < xid.size; i++)
        id = id << 8 | xid.data[i];
    return id;
}

static int compare_xids(const void *left, const void *right)
{
    const struct blob *a = left, *b = right;
    const int order = compare_namespaces(*a, *b);
    const uint64_t x = local_id(*a), y = local_id(*b);
    return order ? order : x < y ? 1 : x > y ? -1 : 0; /* of a namespace, the newest first */
}

struct xids {
    struct blob *list;
    uint32_t count;
};

static void collect(TALLOC_CTX *arena, struct xids *xids, struct blob list)
{
    for (struct blob xid = next_xid(&list); xid.size; xid = next_xid(&list)) {
        if (xids->count == (xids->list ? talloc_array_length(xids->list) : 0))
            xids->list = talloc_realloc(arena, xids->list, struct blob, MAX(8, xids->count * 2));
        xids->list[xids->count++] = xid;
    }
}

static void settle(struct xids *xids)
{
    uint32_t kept = 0;
    if (xids->count)
        qsort(xids->list, xids->count, sizeof *xids->list, compare_xids);
    for (uint32_t i = 0; i < xids->count; i++)
        if (!kept || compare_namespaces(xids->list[kept - 1], xids->list[i]) != 0)
            xids->list[kept++] = xids->list[i];
    xids->count = kept;
}

struct blob pcl_of_xid(TALLOC_CTX *arena, struct blob xid)
{
    struct buf list;
    buf_init(&list, arena);
    *buf_grow(&list, 1) = (uint8_t)xid.size;
    buf_add(&list, xid.data, xid.size);
    return buf_blob(&list);
}

struct blob pcl_merge(TALLOC_CTX *arena, struct blob a, struct blob b)
{
    struct xids xids = { 0 };
    struct buf merged;
    collect(arena, &xids, a);
    collect(arena, &xids, b);
    settle(&xids);
    buf_init(&merged, arena);
    for (uint32_t i = 0; i < xids.count; i++) {
        *buf_grow(&merged, 1) = (uint8_t)xids.list[i].size;
        buf_add(&merged, xids.list[i].data, xids.list[i].size);
    }
    return buf_blob(&merged);
}

/* Has `a` every change that `b` has? */
static bool includes(const struct xids *a, const struct xids *b)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < b->count; i++) {
        while (at < a->count && compare_namespaces(a->list[at], b->list[i]) < 0)
            at++;
        if (at == a->count || compare_namespaces(a->list[at], b->list[i]) != 0 ||
            local_id(a->list[at]) < local_id(b->list[i]))
            return false;
    }
    return true;
}

enum pcl_order pcl_compare(struct blob a, struct blob b)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct xids x = { 0 }, y = { 0 };
    collect(arena, &x, a);
    collect(arena, &y, b);
    settle(&x);
    settle(&y);
    const enum pcl_order order = includes(&y, &x) ? PCL_OLDER : includes(&x, &y) ? PCL_NEWER : PCL_CONFLICT;
    talloc_free(arena);
    return order;
}

/* A change that a client made elsewhere has its key and its list; the server's own joins the list by its number. */
struct blob pcl_of(TALLOC_CTX *arena, const struct store *st, struct blob others, struct blob change_key, uint64_t cn)
{
    const struct blob own = xid_is_valid(change_key) ? change_key : gid_of(arena, st->replica, cn);
    return pcl_merge(arena, others, pcl_of_xid(arena, own));
}
