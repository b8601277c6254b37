/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS] 2.2.3.1.2, 3.2.5.8.2: objects that come as a FastTransfer stream, in buffers cut anywhere.
 *
 * What has begun and not ended is a stack.  A message is saved at its end; what the client has opened itself is the
 * client's to save (R2152).  Long values go piece by piece into streams, so memory does not depend on their sizes.
 *
 *   topFolder       the folder: StartTopFld, its properties, messages and subfolders, EndFolder
 *   folderContent   the folder: properties, messages, subfolders
 *   messageList     the folder: messages
 *   messageContent  the message: properties, recipients, attachments
 *   attachmentContent  the attachment: properties, StartEmbed messageContent EndEmbed */
#include "rop/handlers.h"
#include "wire/fasttransfer_read.h"

enum { COPY_TO = 1, COPY_PROPERTIES = 2, COPY_MESSAGES = 3, COPY_FOLDER = 4, COPY_MOVE = 0x01 };
enum { TRANSFER_ERROR = 0, TRANSFER_PARTIAL = 1, TRANSFER_DONE = 3 };
/* Embedded messages are saved from the inside, and no deeper than a save can go; folders lie no deeper than tables show. */
enum { EMBEDDED_MAX = 32, FRAMES_MAX = 256 };
/* Values that are kept in memory until their object can be made or ends; with what the reader may collect of an element,
 * and as much again while that grows, what an upload may hold. */
#define PENDING_MAX 0x100000u
#define UPLOAD_MEMORY (PENDING_MAX + 2 * FX_ELEMENT_MAX)

/* Where the stream is.  Bits, so that a row of the grammar can name several. */
enum place {
    AT_TOP = 0x001,            /* topFolder, before and behind its folder */
    AT_LIST = 0x002,           /* messageList */
    AT_FOLDER_CONTENT = 0x004, /* of the client's folder */
    AT_FOLDER = 0x008,         /* in one that the stream brings */
    AT_MESSAGE_CONTENT = 0x010,
    AT_MESSAGE = 0x020,
    AT_EMBEDDED = 0x040,
    AT_RECIPIENT = 0x080,
    AT_ATTACHMENT_CONTENT = 0x100,
    AT_ATTACHMENT = 0x200,
    IN_FOLDER = AT_FOLDER_CONTENT | AT_FOLDER,
    IN_MESSAGE = AT_MESSAGE_CONTENT | AT_MESSAGE | AT_EMBEDDED,
    IN_ATTACHMENT = AT_ATTACHMENT_CONTENT | AT_ATTACHMENT,
};

struct frame {
    struct frame *below;
    enum place place;
    uint64_t fid; /* of the folder, or of the message's; 0: a folder that has no name yet */
    bool is_top;  /* the folder of StartTopFld */
    struct store_message *message;
    struct store_attachment *attachment;
    struct prop *pending; /* of a folder until it is made, of a recipient until it ends */
    uint32_t pending_count;
    size_t pending_size;
};

struct fx_upload {
    struct fx_in *in;
    struct charge *held;
    struct store *store;
    unsigned codepage;
    struct frame *top;
    unsigned frames, embedded;
    enum ec failed;
    /* The long value under way: into a stream, into memory, or nowhere. */
    uint32_t tag;
    struct store_stream *stream;
    struct buf bytes;
    bool kept;
};

/* ---- the stack ---- */

static enum ec push(struct fx_upload *u, enum place place, struct frame **out)
{
    if (u->frames >= FRAMES_MAX)
        return ecTooComplex;
    struct frame *frame = talloc_zero(u->top ? (TALLOC_CTX *)u->top : (TALLOC_CTX *)u, struct frame);
    frame->below = u->top;
    frame->place = place;
    frame->fid = u->top ? u->top->fid : 0;
    u->top = *out = frame;
    u->frames++;
    return ecNone;
}

static enum ec pop(struct fx_upload *u)
{
    struct frame *frame = u->top;
    u->top = frame->below;
    u->frames--;
    u->embedded -= frame->place == AT_EMBEDDED;
    talloc_free(frame);
    return ecNone;
}

/* ---- properties ---- */

/* [MS-OXCFXICS] 3.2.5.11, and what stands for nothing in an object: tags without id, errors, the meta-properties. */
static bool is_taken(uint32_t tag)
{
    static const uint32_t meta[] = { MetaTagDnPrefix, MetaTagEcWarning, MetaTagNewFXFolder };
    for (size_t i = 0; i < COUNTOF(meta); i++)
        if (PROP_ID(meta[i]) == PROP_ID(tag))
            return false;
    return PROP_ID(tag) && (PROP_ID(tag) < 0x6600 || PROP_ID(tag) > 0x67FF) && PROP_TYPE(tag) != PtypErrorCode &&
           PROP_TYPE(tag) != PtypServerId;
}

/* The id that this mailbox has for a named property; the stream's own says nothing. */
static enum ec name_property(struct fx_upload *u, const struct PropertyName *name, uint32_t *tag)
{
    uint16_t id = 0;
    const enum ec ec = name ? store_named_ids(u->store, name, 1, true, &id) : ecNone;
    if (name)
        *tag = PROP_TAG(PROP_TYPE(*tag), id);
    return ec;
}

/* A property that the object does not let a client set is left out, as RopSetProperties would report it; one for which
 * there is no room fails the upload (R262501). */
static enum ec outcome(enum ec ec, enum ec result)
{
    return ec ? ec : result == ecNotEnoughMemory || result == ecTooBig ? ecTooBig : ecNone;
}

static enum ec keep_pending(struct frame *frame, const struct prop *p)
{
    frame->pending_size += sizeof *p + prop_size(p);
    if (frame->pending_size > PENDING_MAX)
        return ecTooBig;
    if (frame->pending_count == (frame->pending ? talloc_array_length(frame->pending) : 0))
        frame->pending = talloc_realloc(frame, frame->pending, struct prop, MAX(16u, frame->pending_count * 2));
    frame->pending[frame->pending_count++] = prop_copy(frame->pending, p);
    return ecNone;
}

static void forget_pending(struct frame *frame)
{
    TALLOC_FREE(frame->pending);
    frame->pending_count = 0;
    frame->pending_size = 0;
}

/* Properties of a folder are set together; those of a new one say its name.  A top folder without one is the folder that
 * the client has opened. */
static enum ec settle_folder(struct fx_upload *u, bool properties_end)
{
    struct frame *frame = u->top;
    enum ec ec = ecNone;
    if (!frame || !(frame->place & IN_FOLDER))
        return ecNone;
    if (!frame->fid) {
        const struct prop *name = prop_find(frame->pending, frame->pending_count, PidTagDisplayName);
        const struct prop *comment = prop_find(frame->pending, frame->pending_count, PidTagComment);
        bool existed;
        if (!name && !properties_end)
            return ecNone;
        if (name)
            ec = store_folder_create(u->store, frame->below->fid, FOLDER_GENERIC, name->str,
                                     comment ? comment->str : NULL, true, &frame->fid, &existed);
        else if (frame->is_top)
            frame->fid = frame->below->fid;
        else
            ec = ecInvalidParam; /* R1348 */
    }
    enum ec *results = talloc_array(frame, enum ec, frame->pending_count);
    if (!ec && frame->pending_count)
        ec = store_folder_set(u->store, frame->fid, frame->pending, frame->pending_count, results);
    for (uint32_t i = 0; !ec && i < frame->pending_count; i++)
        ec = outcome(ecNone, results[i]);
    talloc_free(results);
    forget_pending(frame);
    return ec;
}

/* [MS-OXCFXICS] 2.2.4.1.5.1.  What the stream has brought itself stays, and so does a folder that was there before. */
static enum ec delete_subobjects(struct fx_upload *u, uint32_t tag)
{
    static const struct {
        uint32_t tag;
        unsigned what;
    } rows[] = { { PidTagContainerContents, STORE_MESSAGES },
                 { PidTagFolderAssociatedContents, STORE_ASSOCIATED },
                 { PidTagContainerHierarchy, STORE_FOLDERS } };
    struct frame *frame = u->top;
    const uint32_t *numbers;
    uint32_t count = 0;
    bool partial;
    enum ec ec = ecNone;
    if (frame->place & IN_MESSAGE && PROP_ID(tag) == PROP_ID(PidTagMessageRecipients))
        store_recipients_clear(frame->message);
    if (frame->place & IN_MESSAGE && PROP_ID(tag) == PROP_ID(PidTagMessageAttachments))
        ec = store_attachments(frame, frame->message, &numbers, &count);
    for (uint32_t i = 0; !ec && i < count; i++)
        ec = store_attachment_delete(frame->message, numbers[i]);
    for (size_t i = 0; frame->place == AT_FOLDER_CONTENT && i < COUNTOF(rows); i++)
        if (PROP_ID(rows[i].tag) == PROP_ID(tag))
            return store_folder_empty(u->store, frame->fid, rows[i].what, &partial);
    return ec;
}

static enum ec set_prop(struct fx_upload *u, const struct prop *p)
{
    struct frame *frame = u->top;
    enum ec result = ecNone;
    if (frame->place & (IN_FOLDER | AT_RECIPIENT))
        return keep_pending(frame, p);
    if (frame->place & IN_MESSAGE)
        return outcome(store_message_set(frame->message, p, 1, &result), result);
    if (frame->place & IN_ATTACHMENT)
        return outcome(store_attachment_set(frame->attachment, p, 1, &result), result);
    return ecFxInvalidState; /* a list of messages has no properties */
}

static enum ec begin_value(struct fx_upload *u, uint32_t tag, uint32_t size);
static enum ec put_piece(struct fx_upload *u, struct blob piece);

static enum ec take_prop(void *arg, const struct prop *p, const struct PropertyName *name)
{
    struct fx_upload *u = arg;
    struct prop value = *p;
    if (p->tag == MetaTagFXDelProp) {
        const enum ec ec = settle_folder(u, true);
        return ec ? ec : delete_subobjects(u, p->u32);
    }
    if (!is_taken(p->tag))
        return ecNone;
    enum ec ec = name_property(u, name, &value.tag);
    if (!ec && PROP_TYPE(value.tag) != PtypObject)
        return set_prop(u, &value);
    if (!ec)
        ec = begin_value(u, value.tag, (uint32_t)value.bin.size); /* only a stream writes an object */
    if (!ec && value.bin.size)
        ec = put_piece(u, value.bin);
    return ec ? ec : put_piece(u, BLOB_OF(NULL, 0));
}

/* ---- long values ---- */

static uint32_t stream_tag(uint32_t tag, unsigned *codepage)
{
    const uint16_t type = PROP_TYPE(tag);
    if (!(type & PtypCodePage))
        return tag;
    *codepage = type & ~PtypCodePage;
    return PROP_AS(tag, *codepage == 1200 ? PtypString : PtypString8);
}

/* What cannot be written as a stream is no client's to set, and goes nowhere. */
static enum ec begin_value(struct fx_upload *u, uint32_t tag, uint32_t size)
{
    struct frame *frame = u->top;
    unsigned codepage = u->codepage;
    enum ec ec = ecNone;
    u->tag = stream_tag(tag, &codepage);
    u->kept = frame->place & (IN_FOLDER | AT_RECIPIENT);
    u->stream = NULL;
    buf_init(&u->bytes, u);
    if (size > (u->kept ? PENDING_MAX : STORE_STREAM_MAX))
        return ecTooBig;
    if (u->kept)
        return ecNone;
    if (frame->place & IN_MESSAGE)
        ec = store_stream_of_message(&u->stream, frame, frame->message, u->tag,
                                     STREAM_CREATE | STREAM_CODEPAGE(codepage));
    else if (frame->place & IN_ATTACHMENT)
        ec = store_stream_of_attachment(&u->stream, frame, frame->attachment, u->tag,
                                        STREAM_CREATE | STREAM_CODEPAGE(codepage));
    else
        return ecFxInvalidState;
    return ec == ecNotSupported ? ecNone : ec;
}

static enum ec end_kept(struct fx_upload *u)
{
    const struct blob bytes = buf_blob(&u->bytes);
    const uint16_t type = PROP_TYPE(u->tag);
    char *text = type == PtypString    ? utf8_of_utf16(u->top, bytes.data, bytes.size)
                 : type == PtypString8 ? utf8_of_codepage(u->top, u->codepage, bytes.data, bytes.size)
                                       : NULL;
    const struct prop p = text ? P_STR(PROP_AS(u->tag, PtypString), text) : P_BIN(u->tag, bytes);
    const enum ec ec = keep_pending(u->top, &p);
    talloc_free(text);
    talloc_free(u->bytes.data);
    u->kept = false;
    return ec;
}

static enum ec put_piece(struct fx_upload *u, struct blob piece)
{
    uint32_t written;
    if (u->kept && piece.size)
        buf_add(&u->bytes, piece.data, piece.size);
    else if (u->kept)
        return end_kept(u);
    if (!u->stream)
        return ecNone;
    if (piece.size)
        return store_stream_write(u->stream, piece, &written);
    const enum ec ec = store_stream_commit(u->stream);
    TALLOC_FREE(u->stream);
    return outcome(ecNone, ec);
}

static enum ec take_long(void *arg, uint32_t tag, const struct PropertyName *name, uint32_t size)
{
    struct fx_upload *u = arg;
    u->stream = NULL;
    u->kept = false;
    if (!is_taken(tag))
        return ecNone;
    const enum ec ec = name_property(u, name, &tag);
    return ec || !PROP_ID(tag) ? ec : begin_value(u, tag, size);
}

static enum ec take_piece(void *arg, struct blob piece)
{
    return put_piece(arg, piece);
}

/* ---- markers ---- */

static enum ec start_folder(struct fx_upload *u, uint32_t marker)
{
    struct frame *frame;
    enum ec ec = push(u, AT_FOLDER, &frame);
    if (ec)
        return ec;
    frame->fid = 0;
    frame->is_top = marker == FX_StartTopFld;
    return ecNone;
}

static enum ec end_folder(struct fx_upload *u, uint32_t marker)
{
    (void)marker;
    return pop(u);
}

static enum ec start_message(struct fx_upload *u, uint32_t marker)
{
    struct frame *frame;
    const enum ec ec = push(u, AT_MESSAGE, &frame);
    return ec ? ec : store_message_new(&frame->message, frame, u->store, frame->fid, marker == FX_StartFAIMsg);
}

static enum ec end_message(struct fx_upload *u, uint32_t marker)
{
    (void)marker;
    const enum ec ec = store_message_save(u->top->message, false, NULL);
    return ec ? ec : pop(u);
}

static enum ec start_embedded(struct fx_upload *u, uint32_t marker)
{
    struct store_attachment *attachment = u->top->attachment;
    struct frame *frame;
    (void)marker;
    if (u->embedded >= EMBEDDED_MAX)
        return ecTooComplex;
    const enum ec ec = push(u, AT_EMBEDDED, &frame);
    if (ec)
        return ec;
    u->embedded++;
    return store_embedded_open(&frame->message, frame, attachment, MESSAGE_READWRITE, true);
}

static enum ec start_recipient(struct fx_upload *u, uint32_t marker)
{
    struct frame *frame;
    (void)marker;
    struct store_message *message = u->top->message;
    const enum ec ec = push(u, AT_RECIPIENT, &frame);
    if (!ec)
        frame->message = message;
    return ec;
}

/* R1391: a recipient has its row's number, and it is the message's own business what type it is. */
static enum ec end_recipient(struct fx_upload *u, uint32_t marker)
{
    struct frame *frame = u->top;
    struct store_recipient recipient = { 0 };
    const struct prop *row = prop_find(frame->pending, frame->pending_count, PidTagRowid);
    const struct prop *type = prop_find(frame->pending, frame->pending_count, PidTagRecipientType);
    struct prop *props = talloc_array(frame, struct prop, frame->pending_count);
    uint32_t count = 0;
    (void)marker;
    if (!row)
        return ecInvalidParam;
    for (uint32_t i = 0; i < frame->pending_count; i++)
        if (&frame->pending[i] != row && &frame->pending[i] != type)
            props[count++] = frame->pending[i];
    recipient.row_id = row->u32;
    recipient.type = type ? (uint8_t)type->u32 : 1;
    recipient.props = (struct props){ count, props };
    const enum ec ec = store_recipient_put(frame->message, &recipient);
    return ec ? ec : pop(u);
}

static enum ec start_attachment(struct fx_upload *u, uint32_t marker)
{
    struct store_message *message = u->top->message;
    struct frame *frame;
    uint32_t number;
    (void)marker;
    const enum ec ec = push(u, AT_ATTACHMENT, &frame);
    return ec ? ec : store_attachment_new(&frame->attachment, frame, message, &number);
}

static enum ec end_attachment(struct fx_upload *u, uint32_t marker)
{
    (void)marker;
    const enum ec ec = store_attachment_save(u->top->attachment);
    return ec ? ec : pop(u);
}

/* 2.2.4.3.4: the message that is under way will not come whole; the list goes on behind it. */
static enum ec unwind(struct fx_upload *u, uint32_t marker)
{
    (void)marker;
    while (u->top && !(u->top->place & (AT_LIST | IN_FOLDER)))
        pop(u);
    return u->top ? ecNone : ecFxErrorMarker;
}

/* The grammar, 2.2.4.2: where a marker may stand, and what it does. */
static const struct {
    uint32_t marker, places;
    enum ec (*take)(struct fx_upload *, uint32_t marker);
} grammar[] = {
    { FX_StartTopFld, AT_TOP, start_folder },
    { FX_StartSubFld, IN_FOLDER, start_folder },
    { FX_EndFolder, AT_FOLDER, end_folder },
    { FX_StartMessage, AT_LIST | IN_FOLDER, start_message },
    { FX_StartFAIMsg, AT_LIST | IN_FOLDER, start_message },
    { FX_EndMessage, AT_MESSAGE, end_message },
    { FX_StartEmbed, IN_ATTACHMENT, start_embedded },
    { FX_EndEmbed, AT_EMBEDDED, end_message },
    { FX_StartRecip, IN_MESSAGE, start_recipient },
    { FX_EndToRecip, AT_RECIPIENT, end_recipient },
    { FX_NewAttach, IN_MESSAGE, start_attachment },
    { FX_EndAttach, AT_ATTACHMENT, end_attachment },
    { FX_FXErrorInfo, UINT32_MAX, unwind },
};

static enum ec take_marker(void *arg, uint32_t marker)
{
    struct fx_upload *u = arg;
    const enum ec ec = settle_folder(u, true);
    for (size_t i = 0; !ec && i < COUNTOF(grammar); i++)
        if (grammar[i].marker == marker && grammar[i].places & u->top->place)
            return grammar[i].take(u, marker);
    return ec ? ec : ecFxUnexpectedMarker;
}

/* ---- the ROPs ---- */

/* R594 to R602: which root such a stream has; 0: none. */
static enum place root_of(const struct object *o, uint8_t operation)
{
    const bool content = operation == COPY_TO || operation == COPY_PROPERTIES;
    if (o->type == OBJECT_MESSAGE)
        return content ? AT_MESSAGE_CONTENT : 0;
    if (o->type == OBJECT_ATTACHMENT)
        return content ? AT_ATTACHMENT_CONTENT : 0;
    return content ? AT_FOLDER_CONTENT : operation == COPY_MESSAGES ? AT_LIST : operation == COPY_FOLDER ? AT_TOP : 0;
}

/* [MS-OXCFXICS] 3.2.5.8.2.1 */
enum ec rop_FastTransferDestinationConfigure(struct rop_call *call,
                                             const struct RopFastTransferDestinationConfigureRequest *request,
                                             struct RopFastTransferDestinationConfigureResponse *response)
{
    static const struct fx_taker taker = { take_marker, take_prop, take_long, take_piece };
    struct object *of = call->object, *o;
    struct frame *frame;
    const enum place root = root_of(of, request->SourceOperation);
    (void)response;
    if (!root || request->CopyFlags & ~COPY_MOVE || (request->CopyFlags && of->type == OBJECT_ATTACHMENT))
        return ecInvalidParam; /* R2153, R3492, R611 */
    const enum ec ec = rop_open(call, of->type == OBJECT_FOLDER ? NULL : of, OBJECT_UPLOAD, &o);
    if (ec)
        return ec;
    struct fx_upload *u = o->upload = talloc_zero(o, struct fx_upload);
    if (!store_hold(&u->held, u, session_budget(call->session), UPLOAD_MEMORY))
        return ecNotEnoughMemory;
    u->store = call->store;
    u->codepage = call->codepage;
    u->in = fx_in_new(u, &taker, u, u->codepage);
    push(u, root, &frame);
    frame->fid = of->fid;
    frame->message = of->type == OBJECT_MESSAGE ? of->message : NULL;
    frame->attachment = of->type == OBJECT_ATTACHMENT ? of->attachment : NULL;
    return ecNone;
}

/* After an error the stream is good for nothing: what it has saved stays, and nothing more comes. */
static enum ec put(struct rop_call *call, struct blob data, uint16_t *status, uint16_t *used)
{
    struct fx_upload *u = call->object->upload;
    *status = TRANSFER_ERROR;
    *used = 0;
    if (!data.size)
        return ecInvalidParam; /* R619 */
    if (!u->failed)
        u->failed = fx_read(u->in, data);
    if (!u->failed)
        u->failed = settle_folder(u, false);
    if (u->failed)
        return u->failed;
    *status = u->frames == 1 && fx_is_between(u->in) ? TRANSFER_DONE : TRANSFER_PARTIAL;
    *used = (uint16_t)data.size; /* R3182 */
    return ecNone;
}

/* [MS-OXCFXICS] 3.2.5.8.2.2 */
enum ec rop_FastTransferDestinationPutBuffer(struct rop_call *call,
                                             const struct RopFastTransferDestinationPutBufferRequest *request,
                                             struct RopFastTransferDestinationPutBufferResponse *response)
{
    return put(call, request->TransferData, &response->TransferStatus, &response->BufferUsedSize);
}

/* [MS-OXCFXICS] 3.2.5.8.2.3 */
enum ec
rop_FastTransferDestinationPutBufferExtended(struct rop_call *call,
                                             const struct RopFastTransferDestinationPutBufferExtendedRequest *request,
                                             struct RopFastTransferDestinationPutBufferExtendedResponse *response)
{
    return put(call, request->TransferData, &response->TransferStatus, &response->BufferUsedSize);
}
