/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS] 2.2.3.2.4, 3.2.5.9.4: what a client has changed in its replica comes to the server.  A collector's state
 * gets the number of each change, so that the next download does not give it back. */
#include "rop/handlers.h"
#include "rop/ics_state.h"

enum { DELETE_HIERARCHY = 0x01, DELETE_HARD = 0x02 }; /* 2.2.3.2.4.5.1 */
#define SOURCE_KEYS PROP_TAG(PtypMultiple | PtypBinary, 0)

/* ---- the collector ---- */

/* [MS-OXCFXICS] 3.2.5.9.4.1 */
enum ec rop_SynchronizationOpenCollector(struct rop_call *call,
                                         const struct RopSynchronizationOpenCollectorRequest *request,
                                         struct RopSynchronizationOpenCollectorResponse *response)
{
    struct object *o;
    (void)response;
    const enum ec ec = rop_open(call, NULL, OBJECT_COLLECTOR, &o);
    if (ec)
        return ec;
    o->fid = call->object->fid;
    o->state = ics_state_new(o, request->IsContentsCollector);
    o->state->collects = true;
    return ecNone;
}

/* An id of a change is of this mailbox; 0: the client does not have the outcome. */
static void collected(const struct rop_call *call, struct idset *set, uint64_t cn)
{
    const uint64_t counter = store_counter(cn);
    if (counter)
        globset_add(idset_of_guid(set, store_replica_guid(call->store)), counter, counter);
}

void ics_collect_message(struct rop_call *call, const struct object *message)
{
    struct object *o;
    if (!message->collector || session_object(call->session, call->logon_id, message->collector, &o) ||
        o->type != OBJECT_COLLECTOR)
        return;
    const bool associated = store_message_associated(message->message);
    collected(call, associated ? o->state->seen_fai : o->state->seen, store_message_imported(message->message));
}

/* The properties that a change begins with have fixed places and no others beside them (R1307, R1322).  Text may be of
 * either kind. */
static bool are_in_place(const struct prop *props, uint32_t count, const uint32_t *tags, uint32_t wanted)
{
    for (uint32_t i = 0; i < MIN(count, wanted); i++)
        if (!prop_find(&props[i], 1, tags[i]))
            return false;
    return count == wanted;
}

/* ---- messages ---- */

/* [MS-OXCFXICS] 3.2.5.9.4.2 */
enum ec rop_SynchronizationImportMessageChange(struct rop_call *call,
                                               const struct RopSynchronizationImportMessageChangeRequest *request,
                                               struct RopSynchronizationImportMessageChangeResponse *response)
{
    static const uint32_t tags[] = { PidTagSourceKey, PidTagLastModificationTime, PidTagChangeKey,
                                     PidTagPredecessorChangeList };
    const struct prop *values = request->PropertyValues;
    struct object *o;
    (void)response; /* R808: no id */
    if (!call->object->state->contents)
        return ecNotSupported; /* R785 */
    if (!are_in_place(values, request->PropertyValueCount, tags, COUNTOF(tags)))
        return ecInvalidParam;
    const struct store_import change = { values[0].bin, values[2].bin, values[3].bin, values[1].u64 };
    const enum ec ec = rop_open(call, NULL, OBJECT_MESSAGE, &o);
    if (ec)
        return ec;
    o->fid = call->object->fid;
    o->collector = call->object->handle;
    return store_import_message(&o->message, o, call->store, o->fid, &change, request->ImportFlag);
}

/* [MS-OXCFXICS] 3.2.5.9.4.4 */
enum ec rop_SynchronizationImportMessageMove(struct rop_call *call,
                                             const struct RopSynchronizationImportMessageMoveRequest *request,
                                             struct RopSynchronizationImportMessageMoveResponse *response)
{
    const struct store_import as = { .source_key = request->DestinationMessageId,
                                     .change_key = request->ChangeNumber,
                                     .pcl = request->PredecessorChangeList };
    struct ics_state *state = call->object->state;
    struct store_import_moved moved;
    (void)response; /* R879001: no id */
    if (!state->contents)
        return ecNotSupported; /* R841 */
    const enum ec ec = store_import_move(call->store, request->SourceFolderId, request->SourceMessageId,
                                         call->object->fid, &as, &moved);
    if (ec)
        return ec;
    collected(call, moved.associated ? state->seen_fai : state->seen, moved.cn); /* R2246, R2247 */
    return moved.client_is_newer ? SYNC_W_CLIENT_CHANGE_NEWER : ecNone;
}

/* Each of them, until the bytes are used up. */
static struct store_read_state *read_states(TALLOC_CTX *arena, struct blob bytes, uint32_t *count)
{
    struct wire_in in = wire_in(arena, bytes);
    struct store_read_state *states = NULL;
    uint32_t room = 0;
    for (*count = 0; wire_left(&in); ++*count) {
        struct MessageReadState state;
        if (!wire_get(&in, &MessageReadState_wire, &state))
            return NULL;
        if (*count == room)
            states = talloc_realloc(arena, states, struct store_read_state, room = MAX(32u, room * 2));
        states[*count] = (struct store_read_state){ state.MessageId, state.MarkAsRead };
    }
    return states;
}

/* [MS-OXCFXICS] 3.2.5.9.4.6 */
enum ec rop_SynchronizationImportReadStateChanges(struct rop_call *call,
                                                  const struct RopSynchronizationImportReadStateChangesRequest *request,
                                                  struct RopSynchronizationImportReadStateChangesResponse *response)
{
    uint64_t cn;
    uint32_t count;
    (void)response;
    if (!call->object->state->contents)
        return ecNotSupported; /* R907 */
    const struct store_read_state *states = read_states(call->arena, request->MessageReadStates, &count);
    if (!states)
        return ecInvalidParam; /* R910 */
    const enum ec ec = store_import_read_states(call->store, call->object->fid, states, count, &cn);
    if (!ec)
        collected(call, call->object->state->read, cn); /* R2260 */
    return ec;
}

/* ---- folders ---- */

/* [MS-OXCFXICS] 3.2.5.9.4.3 */
enum ec rop_SynchronizationImportHierarchyChange(struct rop_call *call,
                                                 const struct RopSynchronizationImportHierarchyChangeRequest *request,
                                                 struct RopSynchronizationImportHierarchyChangeResponse *response)
{
    static const uint32_t tags[] = { PidTagParentSourceKey,       PidTagSourceKey,
                                     PidTagLastModificationTime,  PidTagChangeKey,
                                     PidTagPredecessorChangeList, PidTagDisplayName };
    const struct prop *values = request->HierarchyValues;
    uint64_t cn;
    (void)response; /* R835: no id */
    if (call->object->state->contents)
        return ecNotSupported; /* R818 */
    if (!are_in_place(values, request->HierarchyValueCount, tags, COUNTOF(tags)))
        return ecInvalidParam;
    const struct store_import_folder folder = { { values[1].bin, values[3].bin, values[4].bin, values[2].u64 },
                                                values[0].bin,
                                                values[5].str };
    const enum ec ec = store_import_folder(call->store, call->object->fid, &folder, request->PropertyValues,
                                           request->PropertyValueCount, &cn);
    if (!ec)
        collected(call, call->object->state->seen, cn); /* R2235 */
    return ec;
}

/* [MS-OXCFXICS] 3.2.5.9.4.5 */
enum ec rop_SynchronizationImportDeletes(struct rop_call *call,
                                         const struct RopSynchronizationImportDeletesRequest *request,
                                         struct RopSynchronizationImportDeletesResponse *response)
{
    const uint32_t tag = SOURCE_KEYS;
    const uint8_t flags = request->ImportDeleteFlags;
    (void)response;
    if (flags & ~(DELETE_HIERARCHY | DELETE_HARD) ||                    /* R2254 */
        !(flags & DELETE_HIERARCHY) != call->object->state->contents || /* R887 */
        !are_in_place(request->PropertyValues, request->PropertyValueCount, &tag, 1))
        return ecInvalidParam;
    const struct blob *keys = request->PropertyValues[0].mv.bin;
    const uint32_t count = request->PropertyValues[0].mv.count;
    return flags & DELETE_HIERARCHY
               ? store_import_folder_deletes(call->store, keys, count, flags & DELETE_HARD)
               : store_import_deletes(call->store, call->object->fid, keys, count, flags & DELETE_HARD);
}

/* ---- ids ---- */

/* [MS-OXCFXICS] 3.2.5.9.4.7 */
enum ec rop_GetLocalReplicaIds(struct rop_call *call, const struct RopGetLocalReplicaIdsRequest *request,
                               struct RopGetLocalReplicaIdsResponse *response)
{
    struct LongTermId first;
    uint64_t id;
    enum ec ec = store_reserve_ids(call->store, request->IdCount, &id);
    if (!ec)
        ec = store_long_term_id(call->store, id, &first);
    if (ec)
        return ec;
    response->ReplGuid = first.DatabaseGuid;
    memcpy(response->GlobalCount, first.GlobalCounter, sizeof response->GlobalCount);
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.9.4.8 */
enum ec rop_SetLocalReplicaMidsetDeleted(struct rop_call *call,
                                         const struct RopSetLocalReplicaMidsetDeletedRequest *request,
                                         struct RopSetLocalReplicaMidsetDeletedResponse *response)
{
    (void)response;
    if (!request->LongTermIdRangeCount)
        return ecInvalidParam; /* R948 */
    return store_ids_unused(call->store, call->object->fid, request->LongTermIdRanges, request->LongTermIdRangeCount);
}
