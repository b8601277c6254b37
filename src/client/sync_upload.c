/* SPDX-License-Identifier: Apache-2.0 */
/* Upload: [MS-OXCFXICS] 3.3.4.3.3, 2.2.3.2.4. */
#include "client/internal.h"
#include "client/sync_inside.h"

enum { GID_SIZE = 22, COUNTER_SIZE = 6 };

static enum ec call(struct client *c, enum rop_id id, uint32_t handle, const void *request, uint32_t *out_handle)
{
    TALLOC_CTX *arena = talloc_new(c);
    const enum ec ec = client_call(c, arena, id, handle, request, NULL, out_handle);
    talloc_free(arena);
    return ec;
}

enum ec client_reserve_ids(struct client *c, uint32_t count, struct guid *replica, uint64_t *first)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct RopGetLocalReplicaIdsRequest request = { count };
    struct RopGetLocalReplicaIdsResponse response = { 0 };
    const enum ec ec = client_call(c, arena, RopGetLocalReplicaIds, c->logon, &request, &response, NULL);
    *replica = response.ReplGuid;
    *first = 0;
    for (size_t i = 0; i < COUNTER_SIZE; i++)
        *first = *first << 8 | response.GlobalCount[i];
    talloc_free(arena);
    return ec;
}

struct blob sync_gid(TALLOC_CTX *arena, struct guid replica, uint64_t counter)
{
    uint8_t *gid = talloc_array(arena, uint8_t, GID_SIZE);
    memcpy(gid, replica.bytes, sizeof replica.bytes);
    for (size_t i = 0; i < COUNTER_SIZE; i++)
        gid[sizeof replica.bytes + i] = (uint8_t)(counter >> 8 * (COUNTER_SIZE - 1 - i));
    return BLOB_OF(gid, GID_SIZE);
}

bool sync_gid_parts(struct blob gid, struct guid *replica, uint64_t *counter)
{
    if (gid.size != GID_SIZE)
        return false;
    memcpy(replica->bytes, gid.data, sizeof replica->bytes);
    *counter = 0;
    for (size_t i = sizeof replica->bytes; i < GID_SIZE; i++)
        *counter = *counter << 8 | gid.data[i];
    return true;
}

enum ec sync_state_give(TALLOC_CTX *owner, struct sync_state *state, struct blob gid, bool has)
{
    TALLOC_CTX *scratch = talloc_new(NULL);
    struct idset *given;
    struct guid replica;
    uint64_t counter;
    enum ec ec = idset_of_bytes(&given, scratch, IDSET_REPLGUID, state->given);
    if (!ec && !sync_gid_parts(gid, &replica, &counter))
        ec = ecInvalidParam;
    if (!ec) {
        (has ? globset_add : globset_remove)(idset_of_guid(given, replica), counter, counter);
        state->given = idset_bytes(owner, given);
    }
    talloc_free(scratch);
    return ec;
}

/* SizedXids ascend by GUID, one of each. */
struct blob sync_predecessors(TALLOC_CTX *arena, struct blob list, struct blob change_key)
{
    struct buf out;
    bool done = false;
    buf_init(&out, arena);
    while (list.size) {
        const size_t size = 1u + list.data[0];
        const int order = size > sizeof(struct guid) && size <= list.size
                              ? memcmp(list.data + 1, change_key.data, sizeof(struct guid))
                              : 1;
        if (!done && order >= 0) {
            *buf_grow(&out, 1) = (uint8_t)change_key.size;
            buf_add(&out, change_key.data, change_key.size);
            done = true;
        }
        if (size > list.size)
            break;
        if (order != 0)
            buf_add(&out, list.data, size);
        list = BLOB_OF(list.data + size, list.size - size);
    }
    if (!done) {
        *buf_grow(&out, 1) = (uint8_t)change_key.size;
        buf_add(&out, change_key.data, change_key.size);
    }
    return buf_blob(&out);
}

enum ec client_collector_open(struct client *c, uint32_t folder, uint8_t type, const struct sync_state *state,
                              uint32_t *collector)
{
    const struct RopSynchronizationOpenCollectorRequest request = { .IsContentsCollector = type == SYNC_CONTENTS };
    const struct sync_state seen = { .seen = state->seen, .seen_fai = state->seen_fai, .read = state->read };
    *collector = NO_HANDLE;
    enum ec ec = call(c, RopSynchronizationOpenCollector, folder, &request, collector);
    if (!ec)
        ec = sync_upload_state(c, *collector, type, &seen); /* a server ignores the ids given: 3.3.5.2.1 */
    return ec;
}

enum ec client_collector_close(struct client *c, TALLOC_CTX *owner, uint32_t collector, struct sync_state *state)
{
    uint32_t context = NO_HANDLE;
    struct sync_state uploaded = { 0 };
    enum ec ec = call(c, RopSynchronizationGetTransferState, collector, NULL, &context);
    if (!ec)
        ec = sync_read_state(c, owner, context, &uploaded);
    client_release(c, context);
    client_release(c, collector);
    if (!ec) {
        uploaded.given = state->given;
        *state = uploaded;
    }
    return ec;
}

/* 2.2.3.2.4.2.1: these four, in this order. */
enum ec client_import_message(struct client *c, uint32_t collector, uint8_t flags, const struct sync_keys *k,
                              uint32_t *message)
{
    const struct prop values[] = {
        P_BIN(PidTagSourceKey, k->source_key),
        P_TIME(PidTagLastModificationTime, k->modified),
        P_BIN(PidTagChangeKey, k->change_key),
        P_BIN(PidTagPredecessorChangeList, k->predecessors),
    };
    return call(c, RopSynchronizationImportMessageChange, collector,
                &(struct RopSynchronizationImportMessageChangeRequest){ flags, COUNTOF(values), values }, message);
}

enum ec client_import_folder(struct client *c, uint32_t collector, struct blob parent, const struct sync_keys *k,
                             const char *name, const struct props *others)
{
    const struct prop values[] = {
        P_BIN(PidTagParentSourceKey, parent),
        P_BIN(PidTagSourceKey, k->source_key),
        P_TIME(PidTagLastModificationTime, k->modified),
        P_BIN(PidTagChangeKey, k->change_key),
        P_BIN(PidTagPredecessorChangeList, k->predecessors),
        P_STR(PidTagDisplayName, name),
    };
    const struct RopSynchronizationImportHierarchyChangeRequest request = { COUNTOF(values), values,
                                                                            others ? (uint16_t)others->count : 0,
                                                                            others ? others->values : NULL };
    return call(c, RopSynchronizationImportHierarchyChange, collector, &request, NULL);
}

enum ec client_import_deletes(struct client *c, uint32_t collector, uint8_t flags, const struct blob *source_keys,
                              uint32_t count)
{
    const struct prop keys = { .tag = PROP_TAG(PtypMultiple | PtypBinary, 0), .mv = { count, { .bin = source_keys } } };
    return call(c, RopSynchronizationImportDeletes, collector,
                &(struct RopSynchronizationImportDeletesRequest){ flags, 1, &keys }, NULL);
}

enum ec client_import_move(struct client *c, uint32_t collector, struct blob from_folder, struct blob from_message,
                           const struct sync_keys *to)
{
    const struct RopSynchronizationImportMessageMoveRequest request = {
        .SourceFolderIdSize = (uint32_t)from_folder.size,
        .SourceFolderId = from_folder,
        .SourceMessageIdSize = (uint32_t)from_message.size,
        .SourceMessageId = from_message,
        .PredecessorChangeListSize = (uint32_t)to->predecessors.size,
        .PredecessorChangeList = to->predecessors,
        .DestinationMessageIdSize = (uint32_t)to->source_key.size,
        .DestinationMessageId = to->source_key,
        .ChangeNumberSize = (uint32_t)to->change_key.size,
        .ChangeNumber = to->change_key
    };
    return call(c, RopSynchronizationImportMessageMove, collector, &request, NULL);
}

enum ec client_import_read(struct client *c, uint32_t collector, struct blob source_key, bool is_read)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct MessageReadState state = { (uint16_t)source_key.size, source_key, is_read };
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    wire_put(&out, &MessageReadState_wire, &state);
    const struct RopSynchronizationImportReadStateChangesRequest request = { (uint16_t)bytes.size, buf_blob(&bytes) };
    const enum ec ec = call(c, RopSynchronizationImportReadStateChanges, collector, &request, NULL);
    talloc_free(arena);
    return ec;
}
