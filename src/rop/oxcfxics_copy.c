/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS] 2.2.3.1.1, 3.2.5.8.1: objects as a FastTransfer stream, for a copy of them elsewhere.
 *
 *   CopyTo, CopyProperties   folderContent, messageContent or attachmentContent, by the object
 *   CopyMessages             messageList
 *   CopyFolder               topFolder, without MetaTagFXDelProp */
#include "rop/fx_download.h"
#include "rop/handlers.h"

/* 2.2.3.1.1.1.1 to 2.2.3.1.1.4.1; bits that are unused are not looked at. */
enum { COPY_MOVE = 0x01, COPY_UNUSED = 0x0E };
enum { TO_UNUSED = 0x0600, TO_BEST_BODY = 0x2000, TO_FLAGS = COPY_MOVE | COPY_UNUSED | TO_UNUSED | TO_BEST_BODY };
enum { PROPERTIES_FLAGS = COPY_MOVE | COPY_UNUSED };
enum {
    MESSAGES_BEST_BODY = 0x10,
    MESSAGES_SEND_ENTRY_ID = 0x20,
    MESSAGES_FLAGS = COPY_MOVE | COPY_UNUSED | MESSAGES_BEST_BODY | MESSAGES_SEND_ENTRY_ID
};
enum { FOLDER_COPY_SUBFOLDERS = 0x10, FOLDER_FLAGS = COPY_MOVE | COPY_UNUSED | FOLDER_COPY_SUBFOLDERS };
enum { SEND_OPTIONS = 0x7F };

/* ---- messageList ---- */

struct list {
    struct fx_frame frame;
    uint64_t fid;
    const uint64_t *mids;
    uint32_t count, next;
    enum fx_identity identity;
};

/* 2.2.4.3.10 */
static enum ec put_message(struct fx_download *d, const struct list *l, uint64_t mid)
{
    static const uint32_t associated = PidTagAssociated;
    const struct fx_scope scope = { NULL, true, l->identity, FX_EndMessage };
    struct store_message *m;
    struct prop fai = P_BOOL(PidTagAssociated, false);
    enum ec ec = store_message_open(&m, d->top, d->store, l->fid, mid, MESSAGE_READONLY);
    if (!ec)
        ec = store_message_get(m, m, &associated, 1, STORE_VALUE_LIMIT, &fai);
    if (ec)
        return ec;
    fx_put_marker(&d->out, PROP_TYPE(fai.tag) == PtypBoolean && fai.b ? FX_StartFAIMsg : FX_StartMessage);
    fx_push_message(d, m, &scope);
    talloc_steal(d->top, m);
    return ecNone;
}

/* A message that is not there is not in the list; one that cannot be read is told of, if the client understands that. */
static enum ec step_list(struct fx_download *d, struct fx_frame *frame)
{
    struct list *l = (struct list *)frame;
    if (frame->failed)
        return fx_report(d);
    if (l->next == l->count) {
        fx_pop(d);
        return ecNone;
    }
    d->fid = l->fid;
    d->mid = l->mids[l->next++];
    d->steps++;
    const enum ec ec = put_message(d, l, d->mid);
    frame->failed = ec == ecNotFound ? ecNone : ec;
    return ecNone;
}

static struct list *push_list(struct fx_download *d, uint64_t fid, enum fx_identity identity)
{
    struct list *l = FX_PUSH(d, list, step_list);
    l->frame.recovers = true;
    l->fid = fid;
    l->identity = identity;
    return l;
}

/* ---- a folder ---- */

struct folder {
    struct fx_frame frame;
    uint64_t fid;
    const struct fx_filter *filter;
    bool messages, subfolders, announces; /* announces: with MetaTagFXDelProp */
    uint32_t begin, end;                  /* markers around it; 0: none */
    struct store_synced_folders below;
    uint32_t next;
};
enum { FOLDER_PROPS, FOLDER_ASSOCIATED, FOLDER_MESSAGES, FOLDER_SUBFOLDERS, FOLDER_EACH, FOLDER_END };
static fx_step step_folder;

static struct folder *push_folder(struct fx_download *d, uint64_t fid, uint32_t begin)
{
    struct folder *f = FX_PUSH(d, folder, step_folder);
    f->fid = fid;
    f->begin = begin;
    f->end = begin ? FX_EndFolder : 0;
    return f;
}

/* 2.2.4.3.6: a folder that is not the top one begins with its id, its name and its comment. */
static enum ec put_folder_props(struct fx_download *d, const struct folder *f)
{
    static const uint32_t tags[] = { PidTagFolderId, PidTagDisplayName, PidTagComment },
                          comment[] = { PidTagComment, 0 };
    struct prop values[COUNTOF(tags)];
    TALLOC_CTX *scratch = talloc_new(d);
    enum ec ec = store_folder_get(scratch, d->store, f->fid, tags, COUNTOF(tags), STORE_VALUE_LIMIT, values);
    if (f->begin)
        fx_put_marker(&d->out, f->begin);
    for (size_t i = 0; !ec && f->begin != FX_StartTopFld && i < COUNTOF(tags); i++)
        if (PROP_TYPE(values[i].tag) != PtypErrorCode && fx_filter_has(f->filter, tags[i]))
            fx_put(d, &values[i]);
    talloc_free(scratch);
    return ec ? ec : fx_put_folder(d, f->fid, f->filter, comment);
}

static bool begin_part(struct fx_download *d, const struct folder *f, uint32_t tag)
{
    const bool wanted = fx_filter_has(f->filter, tag);
    if (wanted && f->announces)
        fx_put(d, &P_I32(MetaTagFXDelProp, tag));
    return wanted;
}

/* All messages of one kind: what a client that has nothing would get. */
static enum ec push_messages(struct fx_download *d, const struct folder *f, bool associated)
{
    struct globset none;
    globset_init(&none, d);
    const struct store_sync all = {
        .given = &none, .seen = &none, .seen_fai = &none, .read = &none, .normal = !associated, .associated = associated
    };
    struct list *l = push_list(d, f->fid, FX_MID);
    struct store_synced got;
    const enum ec ec = store_sync_contents(l, d->store, f->fid, &all, &got);
    uint64_t *mids = talloc_array(l, uint64_t, got.count + 1);
    for (uint32_t i = 0; i < got.count; i++)
        mids[i] = got.messages[i].mid;
    talloc_free(got.messages);
    l->mids = mids;
    l->count = ec ? 0 : got.count;
    d->total += l->count;
    return ec;
}

static enum ec begin_subfolders(struct fx_download *d, struct folder *f)
{
    struct globset none;
    globset_init(&none, f);
    if (!f->subfolders || !begin_part(d, f, PidTagContainerHierarchy))
        return ecNone;
    return store_sync_hierarchy(f, d->store, f->fid, &none, &none, &f->below);
}

static void push_subfolder(struct fx_download *d, struct folder *f)
{
    while (f->next < f->below.count && f->below.folders[f->next].parent != f->fid)
        f->next++;
    if (f->next == f->below.count) {
        f->frame.phase++;
        return;
    }
    struct folder *sub = push_folder(d, f->below.folders[f->next++].fid, FX_StartSubFld);
    sub->messages = sub->subfolders = true;
    sub->announces = f->announces;
}

static enum ec step_folder(struct fx_download *d, struct fx_frame *frame)
{
    struct folder *f = (struct folder *)frame;
    switch (frame->phase) {
    case FOLDER_PROPS: frame->phase++; return put_folder_props(d, f);
    case FOLDER_ASSOCIATED:
        frame->phase++;
        return f->messages && begin_part(d, f, PidTagFolderAssociatedContents) ? push_messages(d, f, true) : ecNone;
    case FOLDER_MESSAGES:
        frame->phase++;
        return f->messages && begin_part(d, f, PidTagContainerContents) ? push_messages(d, f, false) : ecNone;
    case FOLDER_SUBFOLDERS: frame->phase++; return begin_subfolders(d, f);
    case FOLDER_EACH: push_subfolder(d, f); return ecNone;
    default:
        if (f->end)
            fx_put_marker(&d->out, f->end);
        fx_pop(d);
        return ecNone;
    }
}

/* ---- the ROPs ---- */

struct copy {
    bool include, subobjects;
    const uint32_t *tags;
    uint16_t tag_count;
};

/* Of an open message or attachment its own state is copied, so the download ends with it. */
static enum ec copy_object(struct rop_call *call, uint8_t send_options, const struct copy *copy)
{
    const struct object *o = call->object;
    const bool is_folder = o->type == OBJECT_FOLDER;
    struct fx_download *d;
    const enum ec ec = fx_download_open(call, is_folder ? NULL : call->object, send_options, &d);
    if (ec)
        return ec;
    struct fx_filter *filter = talloc(d, struct fx_filter);
    *filter = (struct fx_filter){ copy->include, talloc_memdup(d, copy->tags, copy->tag_count * sizeof *copy->tags),
                                  copy->tag_count };
    const struct fx_scope scope = { filter, copy->subobjects, FX_NO_IDENTITY, 0 };
    if (is_folder) {
        struct folder *f = push_folder(d, o->fid, 0);
        f->filter = filter;
        f->announces = true;
        f->messages = f->subfolders = copy->subobjects;
    } else if (o->type == OBJECT_MESSAGE) {
        fx_push_message(d, o->message, &scope);
    } else {
        const struct fx_scope whole = { filter, true, FX_NO_IDENTITY, 0 }; /* R441 */
        fx_push_attachment(d, o->attachment, &whole);
    }
    return ecNone;
}

static enum ec check(uint32_t flags, uint32_t known, uint8_t send_options)
{
    return flags & ~known || send_options & ~SEND_OPTIONS ? ecInvalidParam : ecNone;
}

/* [MS-OXCFXICS] 3.2.5.8.1.1.  A move is none of one server's business (R3442).  Bodies go out as they are stored, which
 * is what BestBody asks for. */
enum ec rop_FastTransferSourceCopyTo(struct rop_call *call, const struct RopFastTransferSourceCopyToRequest *request,
                                     struct RopFastTransferSourceCopyToResponse *response)
{
    const struct copy copy = { false, !request->Level, request->PropertyTags, request->PropertyTagCount };
    (void)response;
    if (request->CopyFlags & COPY_MOVE)
        return ecInvalidParam;
    const enum ec ec = check(request->CopyFlags, TO_FLAGS, request->SendOptions);
    return ec ? ec : copy_object(call, request->SendOptions, &copy);
}

/* [MS-OXCFXICS] 3.2.5.8.1.2 */
enum ec rop_FastTransferSourceCopyProperties(struct rop_call *call,
                                             const struct RopFastTransferSourceCopyPropertiesRequest *request,
                                             struct RopFastTransferSourceCopyPropertiesResponse *response)
{
    const struct copy copy = { true, !request->Level, request->PropertyTags, request->PropertyTagCount };
    (void)response;
    if (request->CopyFlags & COPY_MOVE)
        return ecInvalidParam;
    const enum ec ec = check(request->CopyFlags, PROPERTIES_FLAGS, request->SendOptions);
    return ec ? ec : copy_object(call, request->SendOptions, &copy);
}

/* [MS-OXCFXICS] 3.2.5.8.1.3 */
enum ec rop_FastTransferSourceCopyMessages(struct rop_call *call,
                                           const struct RopFastTransferSourceCopyMessagesRequest *request,
                                           struct RopFastTransferSourceCopyMessagesResponse *response)
{
    struct fx_download *d;
    (void)response;
    enum ec ec = check(request->CopyFlags, MESSAGES_FLAGS, request->SendOptions);
    if (!ec)
        ec = fx_download_open(call, NULL, request->SendOptions, &d);
    if (ec)
        return ec;
    struct list *l =
        push_list(d, call->object->fid, request->CopyFlags & MESSAGES_SEND_ENTRY_ID ? FX_ALL_IDENTITY : FX_MID);
    l->mids = talloc_memdup(l, request->MessageIds, request->MessageIdCount * sizeof *request->MessageIds);
    d->total = l->count = request->MessageIdCount;
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.8.1.4 */
enum ec rop_FastTransferSourceCopyFolder(struct rop_call *call,
                                         const struct RopFastTransferSourceCopyFolderRequest *request,
                                         struct RopFastTransferSourceCopyFolderResponse *response)
{
    struct fx_download *d;
    (void)response;
    enum ec ec = check(request->CopyFlags, FOLDER_FLAGS, request->SendOptions);
    if (!ec)
        ec = fx_download_open(call, NULL, request->SendOptions, &d);
    if (ec)
        return ec;
    struct folder *f = push_folder(d, call->object->fid, FX_StartTopFld);
    f->messages = true;
    f->subfolders = request->CopyFlags & (FOLDER_COPY_SUBFOLDERS | COPY_MOVE); /* R2124, R3481, R3482 */
    return ecNone;
}
