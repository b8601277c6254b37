/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS] 2.2.3.2.1, 3.2.5.9.1: synchronisation from the server to a client.
 *
 *   contentsSync   progressTotal, (progressPerMessage, messageChange) for each, deletions, readStateChanges, state
 *   hierarchySync  folderChange for each, deletions, state */
#include <stdlib.h>

#include "rop/fx_download.h"
#include "rop/handlers.h"

/* 2.2.3.2.1.1.1 */
enum { SYNC_CONTENTS = 0x01, SYNC_HIERARCHY = 0x02 };
enum {
    SYNC_UNICODE = 0x0001,
    SYNC_NO_DELETIONS = 0x0002,
    SYNC_IGNORE_NO_LONGER_IN_SCOPE = 0x0004,
    SYNC_READ_STATE = 0x0008,
    SYNC_FAI = 0x0010,
    SYNC_NORMAL = 0x0020,
    SYNC_ONLY_SPECIFIED_PROPERTIES = 0x0080,
    SYNC_NO_FOREIGN_IDENTIFIERS = 0x0100,
    SYNC_BEST_BODY = 0x2000,
    SYNC_IGNORE_SPECIFIED_ON_FAI = 0x4000,
    SYNC_PROGRESS = 0x8000,
    SYNC_FLAGS = SYNC_UNICODE | SYNC_NO_DELETIONS | SYNC_IGNORE_NO_LONGER_IN_SCOPE | SYNC_READ_STATE | SYNC_FAI |
                 SYNC_NORMAL | SYNC_ONLY_SPECIFIED_PROPERTIES | SYNC_NO_FOREIGN_IDENTIFIERS | SYNC_BEST_BODY |
                 SYNC_IGNORE_SPECIFIED_ON_FAI | SYNC_PROGRESS,
};
enum { EXTRA_EID = 0x01, EXTRA_MESSAGE_SIZE = 0x02, EXTRA_CN = 0x04, EXTRA_ORDER_BY_DELIVERY_TIME = 0x08 };
enum { SEND_OPTIONS = 0x7F };

struct sync {
    struct fx_frame frame;
    uint64_t fid;
    uint16_t flags;
    uint32_t extra, lcid;
    struct fx_filter filter;
    const struct restriction *restriction;
    struct ics_state *state; /* the object's; what the client had, until all has been put */
    union {
        struct store_synced contents;
        struct store_synced_folders hierarchy;
    };
    uint32_t next;                    /* message or folder */
    struct globset failed, failed_cn; /* messages that could not be read */
};
enum { SYNC_BEGIN, SYNC_EACH, SYNC_REST };

/* ---- sets ---- */

/* Those of this mailbox's ids that the client has. */
static struct globset *own(const struct fx_download *d, struct idset *set)
{
    return idset_of_guid(set, store_replica_guid(d->store));
}

/* Deletions and read states have the short form: 3.1.5.4.2. */
static void put_ids(struct fx_download *d, uint32_t tag, const struct globset *ids)
{
    if (!ids->count)
        return;
    TALLOC_CTX *scratch = talloc_new(d);
    struct idset *set = idset_new(scratch, IDSET_REPLID);
    globset_union(idset_of_replid(set, STORE_REPLICA_ID), ids);
    fx_put(d, &P_BIN(tag, idset_bytes(scratch, set)));
    talloc_free(scratch);
}

static bool drops_deletions(const struct sync *s)
{
    return s->flags & SYNC_NO_DELETIONS;
}

static bool drops_out_of_scope(const struct sync *s)
{
    return s->flags & (SYNC_NO_DELETIONS | SYNC_IGNORE_NO_LONGER_IN_SCOPE);
}

/* ---- contents ---- */

static enum ec begin_contents(struct fx_download *d, struct sync *s)
{
    const struct store_sync asked = {
        .given = own(d, s->state->given),
        .seen = own(d, s->state->seen),
        .seen_fai = own(d, s->state->seen_fai),
        .read = own(d, s->state->read),
        .normal = s->flags & SYNC_NORMAL,
        .associated = s->flags & SYNC_FAI,
        .read_state = s->flags & SYNC_READ_STATE,
        .restriction = s->restriction,
        .lcid = s->lcid,
        .newest_first = s->extra & EXTRA_ORDER_BY_DELIVERY_TIME,
    };
    return store_sync_contents(s, d->store, s->fid, &asked, &s->contents);
}

/* 2.2.4.3.19 */
static void put_progress_total(struct fx_download *d, const struct sync *s)
{
    struct ProgressInformation total = { 0 };
    for (uint32_t i = 0; i < s->contents.count; i++) {
        const struct store_sync_message *m = &s->contents.messages[i];
        *(m->associated ? &total.FAIMessageCount : &total.NormalMessageCount) += 1;
        *(m->associated ? &total.FAIMessageTotalSize : &total.NormalMessageTotalSize) += m->size;
    }
    fx_put_marker(&d->out, FX_IncrSyncProgressMode);
    fx_put_structure(d, &ProgressInformation_wire, &total);
}

/* 2.2.4.3.18 */
static void put_progress_of(struct fx_download *d, const struct store_sync_message *m)
{
    fx_put_marker(&d->out, FX_IncrSyncProgressPerMsg);
    fx_put(d, &P_I32(PROP_TAG(PtypInteger32, 0x0000), m->size));
    fx_put(d, &P_BOOL(PROP_TAG(PtypBoolean, 0x0000), m->associated));
}

/* R2178: what others have called it does not count then. */
static struct prop source_key(TALLOC_CTX *arena, struct fx_download *d, uint32_t tag, uint64_t id)
{
    struct GlobalId *gid = talloc(arena, struct GlobalId);
    *gid = fx_global_id(d, id);
    return P_BIN(tag, BLOB_OF(gid, sizeof *gid));
}

/* 2.2.4.3.14.  A message without one of these would end the whole synchronisation, so it is an error. */
static enum ec put_header(struct fx_download *d, const struct sync *s, struct store_message *m)
{
    static const uint32_t tags[] = { PidTagSourceKey,   PidTagLastModificationTime,
                                     PidTagChangeKey,   PidTagPredecessorChangeList,
                                     PidTagAssociated,  PidTagMid,
                                     PidTagMessageSize, PidTagChangeNumber };
    const bool asked[COUNTOF(tags)] = {
        true, true, true, true, true, s->extra & EXTRA_EID, s->extra & EXTRA_MESSAGE_SIZE, s->extra & EXTRA_CN
    };
    struct prop values[COUNTOF(tags)];
    TALLOC_CTX *scratch = talloc_new(d);
    enum ec ec = store_message_get(scratch, m, tags, COUNTOF(tags), STORE_VALUE_LIMIT, values);
    for (size_t i = 0; !ec && i < COUNTOF(tags); i++)
        ec = PROP_TYPE(values[i].tag) == PtypErrorCode ? (enum ec)values[i].u32 : ecNone;
    if (!ec && s->flags & SYNC_NO_FOREIGN_IDENTIFIERS)
        values[0] = source_key(scratch, d, PidTagSourceKey, store_message_mid(m));
    if (!ec)
        fx_put_marker(&d->out, FX_IncrSyncChg);
    for (size_t i = 0; !ec && i < COUNTOF(tags); i++)
        if (asked[i])
            fx_put(d, &values[i]);
    talloc_free(scratch);
    return ec;
}

/* Deleted since it was listed: the next synchronisation has nothing to tell about it. */
static bool is_gone(enum ec ec)
{
    return ec == ecNotFound || ec == ecObjectDeleted;
}

static void give_up(struct sync *s, const struct store_sync_message *m)
{
    const uint64_t mid = store_counter(m->mid), cn = store_counter(m->cn);
    globset_add(&s->failed, mid, mid);
    globset_add(&s->failed_cn, cn, cn);
}

/* 2.2.4.3.13 */
static enum ec put_change(struct fx_download *d, struct sync *s, const struct store_sync_message *listed)
{
    const bool filtered = !(listed->associated && s->flags & SYNC_IGNORE_SPECIFIED_ON_FAI && s->filter.include);
    const struct fx_scope scope = { filtered ? &s->filter : NULL, true, FX_IN_HEADER, 0 };
    struct store_message *m;
    enum ec ec = store_message_open(&m, s, d->store, s->fid, listed->mid, MESSAGE_READONLY);
    if (ec)
        return ec;
    if (s->flags & SYNC_PROGRESS)
        put_progress_of(d, listed);
    ec = put_header(d, s, m);
    if (ec) {
        talloc_free(m);
        return ec;
    }
    fx_put_marker(&d->out, FX_IncrSyncMessage);
    fx_push_message(d, m, &scope);
    talloc_steal(d->top, m);
    return ecNone;
}

static void step_change(struct fx_download *d, struct sync *s)
{
    if (s->next == s->contents.count) {
        s->frame.phase = SYNC_REST;
        return;
    }
    const struct store_sync_message *m = &s->contents.messages[s->next++];
    d->mid = m->mid;
    d->steps++;
    const enum ec ec = put_change(d, s, m);
    if (is_gone(ec))
        give_up(s, m);
    else
        s->frame.failed = ec;
}

/* 2.2.4.3.3 */
static void put_deletions(struct fx_download *d, const struct globset *deleted, const struct globset *out_of_scope)
{
    if (!deleted->count && !(out_of_scope && out_of_scope->count))
        return;
    fx_put_marker(&d->out, FX_IncrSyncDel);
    put_ids(d, MetaTagIdsetDeleted, deleted);
    if (out_of_scope)
        put_ids(d, MetaTagIdsetNoLongerInScope, out_of_scope);
}

/* 2.2.4.3.22 */
static void put_read_states(struct fx_download *d, const struct store_synced *got)
{
    if (!got->now_read.count && !got->now_unread.count)
        return;
    fx_put_marker(&d->out, FX_IncrSyncRead);
    put_ids(d, MetaTagIdsetRead, &got->now_read);
    put_ids(d, MetaTagIdsetUnread, &got->now_unread);
}

static int by_number(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* In order, so that each id joins at the end of the set. */
static void give_messages(struct sync *s, struct globset *given)
{
    struct globset sent;
    uint64_t *ids = talloc_array(s, uint64_t, s->contents.count + 1);
    globset_init(&sent, s);
    for (uint32_t i = 0; i < s->contents.count; i++)
        ids[i] = store_counter(s->contents.messages[i].mid);
    if (s->contents.count)
        qsort(ids, s->contents.count, sizeof *ids, by_number);
    for (uint32_t i = 0; i < s->contents.count; i++)
        globset_add(&sent, ids[i], ids[i]);
    globset_subtract(&sent, &s->failed);
    globset_union(given, &sent);
    talloc_free(ids);
}

/* All numbers up to the last one: those between belong to other folders, or to nothing (3.1.5.5).  What could not be
 * read is asked for again. */
static void see(struct globset *seen, const struct sync *s, uint64_t last)
{
    globset_add(seen, 1, last);
    globset_subtract(seen, &s->failed_cn);
}

/* 3.2.5.3: the invariants */
static void close_contents(struct fx_download *d, struct sync *s)
{
    struct globset *given = own(d, s->state->given);
    give_messages(s, given);
    if (!drops_deletions(s))
        globset_subtract(given, &s->contents.deleted);
    if (!drops_out_of_scope(s))
        globset_subtract(given, &s->contents.out_of_scope);
    if (s->flags & SYNC_NORMAL)
        see(own(d, s->state->seen), s, s->contents.last);
    if (s->flags & SYNC_FAI)
        see(own(d, s->state->seen_fai), s, s->contents.last);
    if (s->flags & SYNC_READ_STATE)
        globset_add(own(d, s->state->read), 1, s->contents.last);
}

static void close_sync(struct fx_download *d, const struct sync *s)
{
    ics_state_put(&d->out, s->state);
    fx_put_marker(&d->out, FX_IncrSyncEnd);
    fx_pop(d);
}

/* Something above has failed: it is told here, once. */
static enum ec report(struct fx_download *d, struct sync *s)
{
    const enum ec ec = fx_report(d);
    if (!ec)
        give_up(s, &s->contents.messages[s->next - 1]);
    return ec;
}

static enum ec step_contents(struct fx_download *d, struct fx_frame *frame)
{
    struct sync *s = (struct sync *)frame;
    if (frame->failed)
        return report(d, s);
    if (frame->phase == SYNC_BEGIN) {
        const enum ec ec = begin_contents(d, s);
        d->total = s->contents.count;
        if (!ec && s->flags & SYNC_PROGRESS)
            put_progress_total(d, s);
        frame->phase = SYNC_EACH;
        return ec;
    }
    if (frame->phase == SYNC_EACH) {
        step_change(d, s);
        return ecNone;
    }
    if (!drops_deletions(s))
        put_deletions(d, &s->contents.deleted, drops_out_of_scope(s) ? NULL : &s->contents.out_of_scope);
    put_read_states(d, &s->contents);
    close_contents(d, s);
    close_sync(d, s);
    return ecNone;
}

/* ---- hierarchy ---- */

/* 2.2.4.3.5.  Deployed clients miss these, if they are not set, and will not have a stream end without them. */
static void put_quirks(struct fx_download *d)
{
    fx_put(d, &P_BOOL(PidTagAttributeSystem, false));
    fx_put(d, &P_BOOL(PidTagAttributeReadOnly, false));
}

static enum ec put_folder_header(struct fx_download *d, const struct sync *s, const struct store_sync_folder *f)
{
    static const uint32_t tags[] = { PidTagParentSourceKey,
                                     PidTagSourceKey,
                                     PidTagLastModificationTime,
                                     PidTagChangeKey,
                                     PidTagPredecessorChangeList,
                                     PidTagDisplayName,
                                     PidTagFolderId,
                                     PidTagParentFolderId };
    const bool eid = s->extra & EXTRA_EID, no_foreign = s->flags & SYNC_NO_FOREIGN_IDENTIFIERS;
    const bool asked[COUNTOF(tags)] = { true, true, true, true, true, true, eid, eid || no_foreign };
    struct prop values[COUNTOF(tags)];
    TALLOC_CTX *scratch = talloc_new(d);
    enum ec ec = store_folder_get(scratch, d->store, f->fid, tags, COUNTOF(tags), STORE_VALUE_LIMIT, values);
    if (!ec && no_foreign) {
        values[0] = source_key(scratch, d, PidTagParentSourceKey, f->parent);
        values[1] = source_key(scratch, d, PidTagSourceKey, f->fid);
    }
    if (f->parent == s->fid)
        values[0] = P_BIN(PidTagParentSourceKey, BLOB_OF("", 0)); /* R1127 */
    if (!ec)
        fx_put_marker(&d->out, FX_IncrSyncChg);
    for (size_t i = 0; !ec && i < COUNTOF(tags); i++)
        if (asked[i] && PROP_TYPE(values[i].tag) != PtypErrorCode)
            fx_put(d, &values[i]);
    talloc_free(scratch);
    return ec;
}

static const uint32_t in_header[] = { PidTagLastModificationTime, 0 };

static enum ec put_folder_change(struct fx_download *d, struct sync *s, const struct store_sync_folder *f)
{
    const enum ec ec = put_folder_header(d, s, f);
    if (ec)
        return ec;
    put_quirks(d);
    return fx_put_folder(d, f->fid, &s->filter, in_header);
}

static void close_hierarchy(struct fx_download *d, struct sync *s)
{
    struct globset *given = own(d, s->state->given);
    for (uint32_t i = 0; i < s->hierarchy.count; i++) {
        const uint64_t fid = store_counter(s->hierarchy.folders[i].fid);
        globset_add(given, fid, fid);
    }
    globset_subtract(given, &s->failed);
    if (!drops_deletions(s))
        globset_subtract(given, &s->hierarchy.deleted);
    see(own(d, s->state->seen), s, s->hierarchy.last);
}

static enum ec step_hierarchy(struct fx_download *d, struct fx_frame *frame)
{
    struct sync *s = (struct sync *)frame;
    if (frame->phase == SYNC_BEGIN) {
        frame->phase = SYNC_EACH;
        const enum ec ec =
            store_sync_hierarchy(s, d->store, s->fid, own(d, s->state->given), own(d, s->state->seen), &s->hierarchy);
        d->total = s->hierarchy.count;
        return ec;
    }
    if (s->next < s->hierarchy.count) {
        const struct store_sync_folder *f = &s->hierarchy.folders[s->next++];
        d->steps++;
        const enum ec ec = put_folder_change(d, s, f);
        if (!is_gone(ec))
            return ec;
        globset_add(&s->failed, store_counter(f->fid), store_counter(f->fid));
        return ecNone;
    }
    if (!drops_deletions(s))
        put_deletions(d, &s->hierarchy.deleted, NULL);
    close_hierarchy(d, s);
    close_sync(d, s);
    return ecNone;
}

/* ---- the ROPs ---- */

static enum ec check(const struct RopSynchronizationConfigureRequest *request)
{
    const bool contents = request->SynchronizationType == SYNC_CONTENTS;
    if (!contents && request->SynchronizationType != SYNC_HIERARCHY)
        return ecInvalidParam;
    if (request->SynchronizationFlags & ~SYNC_FLAGS || request->SendOptions & ~SEND_OPTIONS)
        return ecInvalidParam;
    return !contents && request->RestrictionData ? ecInvalidParam : ecNone;
}

static void configure(struct rop_call *call, const struct RopSynchronizationConfigureRequest *request, struct sync *s)
{
    s->fid = call->object->fid;
    s->flags = request->SynchronizationFlags;
    s->extra = request->SynchronizationExtraFlags;
    s->lcid = session_client(call->session)->sort_locale;
    s->state = call->opened->state;
    s->frame.recovers = s->state->contents;
    s->filter =
        (struct fx_filter){ s->flags & SYNC_ONLY_SPECIFIED_PROPERTIES && s->state->contents,
                            talloc_memdup(s, request->PropertyTags, request->PropertyTagCount * sizeof(uint32_t)),
                            request->PropertyTagCount };
    if (request->RestrictionData)
        s->restriction = restriction_copy(s, request->RestrictionData);
    globset_init(&s->failed, s);
    globset_init(&s->failed_cn, s);
}

/* [MS-OXCFXICS] 3.2.5.9.1.1.  BestBody and PartialItem ask for what every message change here has: the body as it is
 * stored, and all of the message. */
enum ec rop_SynchronizationConfigure(struct rop_call *call, const struct RopSynchronizationConfigureRequest *request,
                                     struct RopSynchronizationConfigureResponse *response)
{
    const bool unicode = request->SynchronizationFlags & SYNC_UNICODE;
    struct fx_download *d;
    (void)response;
    enum ec ec = check(request);
    if (!ec)
        ec = fx_download_open(call, NULL, (uint8_t)((request->SendOptions & ~FX_UNICODE) | (unicode ? FX_UNICODE : 0)),
                              &d);
    if (ec)
        return ec;
    const bool contents = request->SynchronizationType == SYNC_CONTENTS;
    call->opened->state = ics_state_new(call->opened, contents);
    d->fid = call->object->fid;
    configure(call, request, FX_PUSH(d, sync, contents ? step_contents : step_hierarchy));
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.9.3.1: as it is now.  A download's is the one that the client has brought until the stream has
 * been made (R3503), and then the final one. */
enum ec rop_SynchronizationGetTransferState(struct rop_call *call,
                                            const struct RopSynchronizationGetTransferStateRequest *request,
                                            struct RopSynchronizationGetTransferStateResponse *response)
{
    struct fx_download *d;
    const struct ics_state *state = call->object->state;
    (void)request, (void)response;
    if (!state)
        return ecNotSupported;
    const enum ec ec = fx_download_open(call, NULL, 0, &d);
    if (ec)
        return ec;
    ics_state_put(&d->out, state); /* a frozen stream: nothing is left to be made */
    return ecNone;
}
