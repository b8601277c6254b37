/* SPDX-License-Identifier: Apache-2.0 */
/* messageContent, attachmentContent and the propList of a folder: [MS-OXCFXICS] 2.2.4.2, 3.2.5.10, 3.2.5.12. */
#include "rop/fx_download.h"

enum {
    VALUE_WHOLE = 32 * 1024,       /* bytes of a value that is put at once; longer ones come by streams, */
    PIECE = 64 * 1024,             /* so many bytes a step */
    VALUE_MOST = 64 * 1024 * 1024, /* of a value that no stream can read: many texts */
    RECIPIENTS_AT_ONCE = 100,
};
enum { INTERNAL_FROM = 0x6600, INTERNAL_END = 0x67FF, ATTACH_EMBEDDED = 5 };

/* ---- properties ---- */

bool fx_filter_has(const struct fx_filter *filter, uint32_t tag)
{
    for (uint32_t i = 0; filter && i < filter->count; i++)
        if (PROP_ID(filter->tags[i]) == PROP_ID(tag))
            return filter->include;
    return !filter || !filter->include;
}

bool fx_travels(uint32_t tag)
{
    return fx_has_type(PROP_TYPE(tag)) && (PROP_ID(tag) < INTERNAL_FROM || PROP_ID(tag) > INTERNAL_END);
}

void fx_put(struct fx_download *d, const struct prop *p)
{
    const struct PropertyName *name = PROP_ID(p->tag) >= 0x8000 ? fx_name(d, p->tag) : NULL;
    if (PROP_ID(p->tag) < 0x8000 || name)
        fx_put_prop(&d->out, p, name);
}

/* ---- one long value ---- */

struct fx_long {
    struct fx_frame frame;
    struct store_stream *stream;
    uint16_t type;
    uint64_t left; /* bytes, without the zero of a text */
    uint8_t zeros;
};

static enum ec step_long(struct fx_download *d, struct fx_frame *frame)
{
    struct fx_long *l = (struct fx_long *)frame;
    struct blob piece;
    if (!l->left) {
        fx_put_piece(&d->out, l->type, BLOB_OF("\0", l->zeros));
        fx_pop(d);
        return ecNone;
    }
    TALLOC_CTX *scratch = talloc_new(frame);
    enum ec ec = store_stream_read(scratch, l->stream, (uint32_t)MIN(l->left, (uint64_t)PIECE), &piece);
    if (!ec && !piece.size)
        ec = ecObjectModified; /* the length that went out no longer holds */
    if (!ec)
        fx_put_piece(&d->out, l->type, piece);
    l->left -= piece.size;
    talloc_free(scratch);
    return ec;
}

/* Where a value is read from: one of the two. */
struct source {
    struct store_message *message;
    struct store_attachment *attachment;
};

/* What a stream cannot read, many values say, is put whole. */
static enum ec put_whole(struct fx_download *d, const struct source *of, uint32_t tag)
{
    TALLOC_CTX *scratch = talloc_new(d);
    struct prop p = P_ERR(tag, ecNotFound);
    const enum ec ec = of->message ? store_message_get(scratch, of->message, &tag, 1, VALUE_MOST, &p)
                                   : store_attachment_get(scratch, of->attachment, &tag, 1, VALUE_MOST, &p);
    if (!ec && PROP_TYPE(p.tag) != PtypErrorCode)
        fx_put(d, &p);
    talloc_free(scratch);
    return ec ? ec : PROP_TYPE(p.tag) == PtypErrorCode ? (enum ec)p.u32 : ecNone;
}

static enum ec push_long(struct fx_download *d, const struct source *of, uint32_t tag)
{
    const bool text = PROP_TYPE(tag) == PtypString;
    if (!text && PROP_TYPE(tag) != PtypBinary)
        return put_whole(d, of, tag);
    const struct PropertyName *name = PROP_ID(tag) >= 0x8000 ? fx_name(d, tag) : NULL;
    if (PROP_ID(tag) >= 0x8000 && !name)
        return ecNone;
    struct fx_long *l = FX_PUSH(d, fx_long, step_long);
    l->type = text ? fx_text_type(&d->out) : PtypBinary;
    l->zeros = !text ? 0 : l->type == PtypString8 ? 1 : 2;
    const uint32_t streamed = PROP_AS(tag, l->type == PtypString8 ? PtypString8 : PROP_TYPE(tag));
    const unsigned mode = STREAM_READ | (l->type == PtypString8 ? STREAM_CODEPAGE(d->out.codepage) : 0);
    const enum ec ec = of->message ? store_stream_of_message(&l->stream, l, of->message, streamed, mode)
                                   : store_stream_of_attachment(&l->stream, l, of->attachment, streamed, mode);
    l->left = ec ? 0 : store_stream_size(l->stream);
    if (ec || l->left > UINT32_MAX - 2)
        return ec ? ec : ecTooBig;
    fx_put_long(&d->out, PROP_AS(tag, l->type), name, (uint32_t)(l->left + l->zeros));
    return ecNone;
}

/* ---- all properties of an object ---- */

/* The short ones are put while they are walked through, the long ones wait. */
struct fx_props {
    struct fx_download *d;
    TALLOC_CTX *owner;
    const struct fx_filter *filter;
    const uint32_t *without; /* ended by 0 */
    uint32_t *longs, long_count, long_next;
    bool body; /* one of its forms was among them */
};

static bool is_among(const uint32_t *tags, uint32_t tag)
{
    for (; tags && *tags; tags++)
        if (PROP_ID(*tags) == PROP_ID(tag))
            return true;
    return false;
}

static const uint32_t bodies[] = { PidTagHtml, PidTagRtfCompressed, PidTagBody, 0 };

static void take_prop(void *arg, uint32_t tag, const struct prop *value)
{
    struct fx_props *props = arg;
    if (!fx_travels(tag) || is_among(props->without, tag) || !fx_filter_has(props->filter, tag))
        return;
    props->body |= is_among(bodies, tag);
    if (value) {
        fx_put(props->d, value);
        return;
    }
    props->longs = talloc_realloc(props->owner, props->longs, uint32_t, props->long_count + 1);
    props->longs[props->long_count++] = tag;
}

/* ---- a message ---- */

struct fx_message {
    struct fx_frame frame;
    struct store_message *m;
    struct fx_scope scope;
    struct fx_props props;
    const struct store_recipient *recipients;
    uint32_t recipient_count, recipient_next;
    const uint32_t *attachments;
    uint32_t attachment_count, attachment_next;
};
enum { MESSAGE_IDENTITY, MESSAGE_PROPS, MESSAGE_LONGS, MESSAGE_RECIPIENTS, MESSAGE_ATTACHMENTS, MESSAGE_END };

/* 2.2.4.3.16: PidTagMid stands first.  R3133: the entry id is the original one's wherever the copy goes. */
static void put_identity(struct fx_download *d, const struct fx_message *f)
{
    static const uint32_t tags[] = { PidTagMid, PidTagSourceKey, PidTagChangeKey, PidTagPredecessorChangeList,
                                     PidTagEntryId };
    const uint32_t count = f->scope.identity == FX_ALL_IDENTITY ? COUNTOF(tags) : f->scope.identity == FX_MID;
    struct prop values[COUNTOF(tags)];
    TALLOC_CTX *scratch = talloc_new(d);
    const enum ec ec = store_message_get(scratch, f->m, tags, count, VALUE_WHOLE, values);
    for (uint32_t i = 0; !ec && i < count; i++) {
        if (tags[i] == PidTagEntryId && PROP_TYPE(values[i].tag) == PtypBinary)
            values[i].tag = PidTagOriginalEntryId;
        if (PROP_TYPE(values[i].tag) != PtypErrorCode)
            fx_put(d, &values[i]);
    }
    talloc_free(scratch);
}

/* An include list may name what a copy does not have of itself, as display names and sizes. */
static void put_asked(struct fx_download *d, const struct fx_message *f)
{
    static const uint32_t computed[] = { PidTagDisplayTo, PidTagDisplayCc, PidTagDisplayBcc, PidTagHasAttachments,
                                         PidTagMessageSize };
    TALLOC_CTX *scratch = talloc_new(d);
    for (size_t i = 0; f->scope.filter && f->scope.filter->include && i < COUNTOF(computed); i++) {
        struct prop p = P_ERR(computed[i], ecNotFound);
        if (fx_filter_has(f->scope.filter, computed[i]))
            store_message_get(scratch, f->m, &computed[i], 1, VALUE_WHOLE, &p);
        if (PROP_TYPE(p.tag) != PtypErrorCode)
            fx_put(d, &p);
    }
    talloc_free(scratch);
}

/* Who leaves out one form of the body, or names one, means to have the text: so it comes in a form that it takes, made of
 * the one that is stored. */
static enum ec put_another_body(struct fx_download *d, const struct fx_message *f)
{
    for (size_t i = 0; bodies[i]; i++) {
        const enum ec ec = fx_filter_has(f->scope.filter, bodies[i])
                               ? put_whole(d, &(struct source){ .message = f->m }, bodies[i])
                               : ecNotFound;
        if (ec != ecNotFound)
            return ec;
    }
    return ecNone;
}

static enum ec put_message_props(struct fx_download *d, struct fx_message *f)
{
    static const uint32_t said[] = { PidTagLastModificationTime, 0 };
    put_asked(d, f);
    f->props = (struct fx_props){ d, f, f->scope.filter,
                                  f->scope.identity == FX_IN_HEADER || f->scope.identity == FX_MID ? said : NULL };
    const enum ec ec = store_message_each(f->m, VALUE_WHOLE, take_prop, &f->props);
    return ec || !f->scope.filter || f->props.body ? ec : put_another_body(d, f);
}

/* 2.2.4.3.23: PidTagRowid stands first. */
static void put_recipient(struct fx_download *d, const struct store_recipient *r)
{
    fx_put_marker(&d->out, FX_StartRecip);
    fx_put(d, &P_I32(PidTagRowid, r->row_id));
    fx_put(d, &P_I32(PidTagRecipientType, r->type));
    for (uint32_t i = 0; i < r->props.count; i++) {
        const uint32_t tag = r->props.values[i].tag;
        if (fx_travels(tag) && PROP_ID(tag) != PROP_ID(PidTagRowid) && PROP_ID(tag) != PROP_ID(PidTagRecipientType))
            fx_put(d, &r->props.values[i]);
    }
    fx_put_marker(&d->out, FX_EndToRecip);
}

/* R2276 to R2280: what is filtered in is announced, even if there is none of it. */
static bool begin_subobjects(struct fx_download *d, const struct fx_scope *scope, uint32_t tag)
{
    const bool wanted = scope->subobjects && fx_filter_has(scope->filter, tag);
    if (wanted)
        fx_put(d, &P_I32(MetaTagFXDelProp, tag));
    return wanted;
}

static enum ec step_longs(struct fx_download *d, struct fx_frame *frame, struct fx_props *props,
                          const struct source *of)
{
    if (props->long_next < props->long_count)
        return push_long(d, of, props->longs[props->long_next++]);
    frame->phase++;
    return ecNone;
}

static void step_recipients(struct fx_download *d, struct fx_message *f)
{
    for (unsigned i = 0; i < RECIPIENTS_AT_ONCE && f->recipient_next < f->recipient_count; i++)
        put_recipient(d, &f->recipients[f->recipient_next++]);
    f->frame.phase += f->recipient_next == f->recipient_count;
}

static const struct fx_scope whole_attachment = { .subobjects = true, .end = FX_EndAttach };

static enum ec step_attachments(struct fx_download *d, struct fx_message *f)
{
    struct store_attachment *a;
    if (f->attachment_next == f->attachment_count) {
        f->frame.phase++;
        return ecNone;
    }
    const uint32_t number = f->attachments[f->attachment_next++];
    const enum ec ec = store_attachment_open(&a, f, f->m, number, MESSAGE_READONLY);
    if (ec)
        return ec;
    fx_put_marker(&d->out, FX_NewAttach);
    fx_put(d, &P_I32(PidTagAttachNumber, number));
    fx_push_attachment(d, a, &whole_attachment);
    talloc_steal(d->top, a);
    return ecNone;
}

static enum ec step_message(struct fx_download *d, struct fx_frame *frame)
{
    struct fx_message *f = (struct fx_message *)frame;
    switch (frame->phase) {
    case MESSAGE_IDENTITY:
        put_identity(d, f);
        frame->phase++;
        return ecNone;
    case MESSAGE_PROPS: frame->phase++; return put_message_props(d, f);
    case MESSAGE_LONGS: {
        const enum ec ec = step_longs(d, frame, &f->props, &(struct source){ .message = f->m });
        if (!ec && frame->phase == MESSAGE_RECIPIENTS && begin_subobjects(d, &f->scope, PidTagMessageRecipients))
            f->recipient_count = store_recipients(f->m, &f->recipients);
        return ec;
    }
    case MESSAGE_RECIPIENTS:
        step_recipients(d, f);
        if (frame->phase == MESSAGE_ATTACHMENTS && begin_subobjects(d, &f->scope, PidTagMessageAttachments))
            return store_attachments(f, f->m, &f->attachments, &f->attachment_count);
        return ecNone;
    case MESSAGE_ATTACHMENTS: return step_attachments(d, f);
    default:
        if (f->scope.end)
            fx_put_marker(&d->out, f->scope.end);
        fx_pop(d);
        return ecNone;
    }
}

void fx_push_message(struct fx_download *d, struct store_message *m, const struct fx_scope *scope)
{
    struct fx_message *f = FX_PUSH(d, fx_message, step_message);
    f->m = m;
    f->scope = *scope;
}

enum ec fx_push_stored(struct fx_download *d, uint64_t fid, uint64_t mid, const struct fx_scope *scope,
                       struct store_message **out)
{
    const enum ec ec = store_message_open(out, d, d->store, fid, mid, MESSAGE_READONLY);
    if (ec)
        return ec;
    fx_push_message(d, *out, scope);
    talloc_steal(d->top, *out);
    return ecNone;
}

/* ---- an attachment ---- */

struct fx_attachment {
    struct fx_frame frame;
    struct store_attachment *a;
    struct fx_scope scope;
    struct fx_props props;
};
enum { ATTACHMENT_PROPS, ATTACHMENT_LONGS, ATTACHMENT_EMBEDDED, ATTACHMENT_END };

static enum ec push_embedded(struct fx_download *d, struct fx_attachment *f)
{
    static const uint32_t method = PidTagAttachMethod;
    static const struct fx_scope embedded = { .subobjects = true, .end = FX_EndEmbed };
    struct prop p = P_I32(PidTagAttachMethod, 0);
    struct store_message *m;
    enum ec ec = store_attachment_get(f, f->a, &method, 1, VALUE_WHOLE, &p);
    if (ec || PROP_TYPE(p.tag) != PtypInteger32 || p.u32 != ATTACH_EMBEDDED ||
        !fx_filter_has(f->scope.filter, PidTagAttachDataObject))
        return ec;
    ec = store_embedded_open(&m, f, f->a, MESSAGE_READONLY, false);
    if (ec)
        return ec == ecNotFound ? ecNone : ec;
    fx_put_marker(&d->out, FX_StartEmbed);
    fx_push_message(d, m, &embedded);
    talloc_steal(d->top, m);
    return ecNone;
}

static enum ec step_attachment(struct fx_download *d, struct fx_frame *frame)
{
    struct fx_attachment *f = (struct fx_attachment *)frame;
    switch (frame->phase) {
    case ATTACHMENT_PROPS:
        f->props = (struct fx_props){ d, f, f->scope.filter, NULL };
        frame->phase++;
        return store_attachment_each(f->a, VALUE_WHOLE, take_prop, &f->props);
    case ATTACHMENT_LONGS: return step_longs(d, frame, &f->props, &(struct source){ .attachment = f->a });
    case ATTACHMENT_EMBEDDED: frame->phase++; return f->scope.subobjects ? push_embedded(d, f) : ecNone;
    default:
        if (f->scope.end)
            fx_put_marker(&d->out, f->scope.end);
        fx_pop(d);
        return ecNone;
    }
}

void fx_push_attachment(struct fx_download *d, struct store_attachment *a, const struct fx_scope *scope)
{
    struct fx_attachment *f = FX_PUSH(d, fx_attachment, step_attachment);
    f->a = a;
    f->scope = *scope;
}

/* ---- a folder ---- */

/* Counts and identity are of the folder itself. */
static bool folder_keeps(uint32_t tag)
{
    static const uint32_t own[] = { PidTagDisplayName,
                                    PidTagEntryId,
                                    PidTagRecordKey,
                                    PidTagParentEntryId,
                                    PidTagSourceKey,
                                    PidTagParentSourceKey,
                                    PidTagChangeKey,
                                    PidTagPredecessorChangeList,
                                    PidTagStoreEntryId,
                                    PidTagStoreRecordKey,
                                    PidTagMappingSignature,
                                    PidTagObjectType,
                                    PidTagAccess,
                                    PidTagAccessLevel,
                                    PidTagRights,
                                    PidTagFolderFlags,
                                    PidTagHasRules,
                                    PidTagContentCount,
                                    PidTagContentUnreadCount,
                                    PidTagAssociatedContentCount,
                                    PidTagSubfolders,
                                    PidTagMessageSize,
                                    PidTagHierRev,
                                    PidTagHierarchyChangeNumber,
                                    0 };
    return !is_among(own, tag) && PROP_ID(tag) < 0x8000;
}

enum ec fx_put_folder(struct fx_download *d, uint64_t fid, const struct fx_filter *filter, const uint32_t *without)
{
    TALLOC_CTX *scratch = talloc_new(d);
    const uint32_t *tags;
    uint32_t count = 0, n = 0;
    enum ec ec = store_folder_tags(scratch, d->store, fid, &tags, &count);
    uint32_t *wanted = talloc_array(scratch, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++)
        if (fx_travels(tags[i]) && folder_keeps(tags[i]) && !is_among(without, tags[i]) &&
            fx_filter_has(filter, tags[i]))
            wanted[n++] = tags[i];
    struct prop *values = talloc_zero_array(scratch, struct prop, n + 1);
    if (!ec)
        ec = store_folder_get(scratch, d->store, fid, wanted, n, VALUE_MOST, values);
    for (uint32_t i = 0; !ec && i < n; i++)
        if (PROP_TYPE(values[i].tag) != PtypErrorCode)
            fx_put(d, &values[i]);
    talloc_free(scratch);
    return ec;
}
