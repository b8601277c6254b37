/* SPDX-License-Identifier: Apache-2.0 */
/* Streams: one property read and written in pieces.  [MS-OXCPRPT] 2.2.14 and on, 3.2.5.12 and on
 *
 * A stored binary is read where it lies, piece by piece.  Everything else, and whatever is written, goes through a
 * spool in the form in which the client sees it: text as UTF-16 or in its code page, while the store keeps UTF-8. */
#include "store/message.h"

/* [MS-OXCPRPT] 2.2.20.1 */
enum { FROM_BEGINNING = 0, FROM_CURRENT = 1, FROM_END = 2 };
enum { PIECE = 64 * 1024, SEEK_LIMIT = 0x7FFFFFFF, WESTERN_CODEPAGE = 1252 };

enum stream_of { OF_MESSAGE, OF_ATTACHMENT, OF_FOLDER };
struct store_stream {
    struct child child; /* in the message's or attachment's list */
    struct store *st;
    enum stream_of of;
    union {
        void *object; /* NULL: released */
        struct store_message *message;
        struct store_attachment *attachment;
    };
    uint64_t fid; /* OF_FOLDER */
    uint32_t tag; /* as asked for; its type is the form of the bytes */
    unsigned codepage;
    bool writable, dirty;
    uint64_t position;
    struct spool *spool; /* NULL: the bytes are at `apart` */
    struct store_budget *budget;
    struct charge *charge; /* for what a spool keeps in memory */
    size_t charged;
    struct item stored;  /* where `apart` is; the folder's properties */
    struct bag_apart apart;
};

static bool is_text(const struct store_stream *s)
{
    return PROP_TYPE(s->tag) == PtypString || PROP_TYPE(s->tag) == PtypString8;
}

/* ---- between the two forms of text ---- */

static enum ec append(struct spool *spool, struct blob bytes)
{
    return spool_write(spool, spool_size(spool), bytes);
}

/* The longest start of the piece that ends with a whole character. */
static size_t whole_utf8(const uint8_t *piece, size_t size)
{
    size_t start = size;
    while (start > 0 && size - start < 3 && (piece[start - 1] & 0xC0) == 0x80)
        start--;
    const uint8_t lead = start > 0 ? piece[start - 1] : 0;
    const size_t wants = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
    return wants > size - start + 1 ? start - 1 : size;
}

static size_t whole_utf16(const uint8_t *piece, size_t size)
{
    size &= ~(size_t)1;
    return size >= 2 && (le16(piece + size - 2) & 0xFC00) == 0xD800 ? size - 2 : size;
}

static struct blob to_client(TALLOC_CTX *arena, const struct store_stream *s, struct blob utf8)
{
    char *text = talloc_strndup(arena, (const char *)utf8.data, utf8.size);
    return PROP_TYPE(s->tag) == PtypString ? utf16_of_utf8(arena, text) : codepage_of_utf8(arena, s->codepage, text);
}

/* A zero ends a text, whatever comes behind it. */
static struct blob from_client(TALLOC_CTX *arena, const struct store_stream *s, struct blob bytes)
{
    const char *text = PROP_TYPE(s->tag) == PtypString ? utf8_of_utf16(arena, bytes.data, bytes.size)
                                                       : utf8_of_codepage(arena, s->codepage, bytes.data, bytes.size);
    return BLOB_OF(text, strlen(text));
}

typedef struct blob convert_piece(TALLOC_CTX *, const struct store_stream *, struct blob);
typedef size_t whole_characters(const uint8_t *piece, size_t size);
typedef enum ec read_piece(void *arg, uint64_t offset, uint8_t *to, size_t count, size_t *got);

/* Piece by piece; what a piece has of a character that does not end in it is read again with the next one. */
static enum ec transcode(const struct store_stream *s, read_piece *read, void *arg, whole_characters *whole,
                         convert_piece *convert, struct spool *to)
{
    uint8_t *piece = talloc_array(to, uint8_t, PIECE);
    enum ec ec = ecNone;
    for (uint64_t at = 0;;) {
        size_t got;
        ec = read(arg, at, piece, PIECE, &got);
        const size_t used = ec || got < PIECE ? got : whole(piece, got);
        if (ec || !used)
            break;
        TALLOC_CTX *arena = talloc_new(NULL);
        ec = append(to, convert(arena, s, BLOB_OF(piece, used)));
        talloc_free(arena);
        if (ec)
            break;
        at += used;
    }
    talloc_free(piece);
    return ec;
}

static enum ec read_spool(void *arg, uint64_t offset, uint8_t *to, size_t count, size_t *got)
{
    return spool_read(arg, offset, to, count, got);
}

struct apart_source {
    struct store *st;
    const struct item *item;
    const struct bag_apart *apart;
};

static enum ec read_apart(void *arg, uint64_t offset, uint8_t *to, size_t count, size_t *got)
{
    const struct apart_source *source = arg;
    struct blob bytes;
    TALLOC_CTX *arena = talloc_new(NULL);
    const enum ec ec = value_read(arena, source->st, source->item, source->apart, offset, count, &bytes);
    *got = ec ? 0 : bytes.size;
    if (*got)
        memcpy(to, bytes.data, *got);
    talloc_free(arena);
    return ec;
}

/* ---- opening ---- */

void streams_detach(struct child **streams)
{
    for (struct child *c = *streams; c; c = c->next)
        ((struct store_stream *)c)->object = NULL;
    children_orphan(streams);
}

static int stream_close(struct store_stream *s)
{
    store_stream_commit(s);
    child_remove(&s->child);
    return 0;
}

static struct item *item_of(struct store_stream *s)
{
    return s->of == OF_MESSAGE ? &s->message->item : s->of == OF_ATTACHMENT ? &s->attachment->item : &s->stored;
}

/* The value as it is now, in the form of the stream. */
static enum ec load_value(struct store_stream *s, const struct item *item, const struct item_value *value)
{
    const bool text = PROP_TYPE(value->tag) == PtypString;
    TALLOC_CTX *arena = talloc_new(NULL);
    enum ec ec = ecNone;
    if (value->place == BAG_HERE) {
        const struct blob bytes = text ? BLOB_OF(value->prop.str, strlen(value->prop.str)) : value->prop.bin;
        s->spool = spool_new(s);
        ec = append(s->spool, text ? to_client(arena, s, bytes) : bytes);
    } else if (text) {
        struct apart_source source = { s->st, item, &value->apart };
        s->spool = spool_new(s);
        ec = transcode(s, value->spool ? read_spool : read_apart, value->spool ? (void *)value->spool : &source,
                       whole_utf8, to_client, s->spool);
    } else if (value->spool) {
        s->spool = spool_share(s, value->spool);
    } else {
        s->stored.id = item->id;
        s->stored.num = item->num;
        s->apart = value->apart;
    }
    talloc_free(arena);
    return ec;
}

/* A property that a function answers: its text is short, but for a body. */
static enum ec load_computed(struct store_stream *s)
{
    struct prop p;
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct message_view view = message_view_of(s->message);
    message_prop(arena, &view, is_text(s) ? PROP_AS(s->tag, PtypString) : s->tag, ITEM_LOAD_LIMIT, false, &p);
    enum ec ec = ecNotFound;
    if (PROP_TYPE(p.tag) == PtypErrorCode)
        ec = (enum ec)p.u32;
    else if (PROP_TYPE(p.tag) == PtypString || PROP_TYPE(p.tag) == PtypBinary)
        ec = load_value(s, &s->message->item, &(struct item_value){ .place = BAG_HERE, .tag = p.tag, .prop = p });
    talloc_free(arena);
    return ec;
}

static enum ec load(struct store_stream *s)
{
    const struct item *item = item_of(s);
    if (s->of == OF_MESSAGE && (!message_is_plain(s->tag) || message_body_is_made(item, s->tag)))
        return load_computed(s);
    const struct item_value value = item_find(s, item, s->tag);
    if (value.place == BAG_ABSENT || PROP_TYPE(value.tag) != PROP_TYPE(prop_stored(s->tag)))
        return ecNotFound;
    return load_value(s, item, &value);
}

static bool type_is_streamed(uint16_t type)
{
    return type == PtypBinary || type == PtypObject || type == PtypString || type == PtypString8;
}

static struct store_stream *stream_make(TALLOC_CTX *owner, struct store *st, enum stream_of of, uint32_t tag,
                                        unsigned mode)
{
    struct store_stream *s = talloc_zero(owner, struct store_stream);
    s->st = st;
    s->of = of;
    s->tag = tag;
    s->codepage = mode >> 8 ? mode >> 8 : WESTERN_CODEPAGE;
    s->budget = st->budget;
    s->charge = charge_new(s, s->budget, 0);
    return s;
}

/* Its spool is about to have so many bytes. */
static bool may_hold(struct store_stream *s, uint64_t size)
{
    const size_t memory = (size_t)MIN(size, (uint64_t)ITEM_IN_MEMORY);
    if (memory > s->charged && !budget_has(s->budget, memory - s->charged))
        return false;
    charge_set(s->charge, s->charged = memory);
    return true;
}

/* [MS-OXCPRPT] 3.2.5.12: Create begins with an empty value. */
static enum ec stream_begin(struct store_stream **out, struct store_stream *s, unsigned mode, bool read_only)
{
    const unsigned access = mode & 0xFF;
    const bool writes = access == STREAM_READWRITE || access == STREAM_CREATE;
    enum ec ec = writes && read_only ? ecAccessDenied : ecNone;
    s->writable = writes || (access == STREAM_BEST && !read_only);
    if (!ec && access == STREAM_CREATE) {
        s->spool = spool_new(s);
        s->dirty = true;
    } else if (!ec) {
        ec = load(s);
    }
    if (!ec && s->spool && !may_hold(s, spool_size(s->spool)))
        ec = ecNotEnoughMemory;
    if (ec) {
        child_remove(&s->child);
        talloc_free(s);
        return ec;
    }
    talloc_set_destructor(s, stream_close);
    *out = s;
    return ecNone;
}

enum ec store_stream_of_message(struct store_stream **out, TALLOC_CTX *owner, struct store_message *m, uint32_t tag,
                                unsigned mode)
{
    *out = NULL;
    if (!type_is_streamed(PROP_TYPE(tag)))
        return ecNotSupported;
    struct store_stream *s = stream_make(owner, m->st, OF_MESSAGE, tag, mode);
    s->message = m;
    child_add(&m->streams, &s->child);
    return stream_begin(out, s, mode, m->read_only);
}

enum ec store_stream_of_attachment(struct store_stream **out, TALLOC_CTX *owner, struct store_attachment *a,
                                   uint32_t tag, unsigned mode)
{
    *out = NULL;
    if (!a->message)
        return ecInvalidObject;
    if (!type_is_streamed(PROP_TYPE(tag)))
        return ecNotSupported;
    struct store_stream *s = stream_make(owner, a->message->st, OF_ATTACHMENT, tag, mode);
    s->attachment = a;
    child_add(&a->streams, &s->child);
    return stream_begin(out, s, mode, a->read_only);
}

/* Of a folder only binary properties have streams. */
enum ec store_stream_of_folder(struct store_stream **out, TALLOC_CTX *owner, struct store *st, uint64_t fid,
                               uint32_t tag, unsigned mode)
{
    struct folder_row row;
    *out = NULL;
    if (PROP_TYPE(tag) != PtypBinary || folder_rule(tag) != PLAIN)
        return ecNotSupported;
    struct store_stream *s = stream_make(owner, st, OF_FOLDER, tag, mode);
    s->fid = fid;
    s->object = st;
    struct store_tx tx = store_read(st);
    folder_row_get(s, &tx, store_counter(fid), &row);
    may(&tx, row.fid,
        mode & (STREAM_READWRITE | STREAM_CREATE) && (mode & STREAM_BEST) != STREAM_BEST ? RIGHT_OWNER : RIGHT_VISIBLE);
    const bool read_only = !(rights_in(&tx, row.fid) & RIGHT_OWNER);
    const enum ec ec = store_end(&tx);
    if (ec) {
        talloc_free(s);
        return ec;
    }
    s->stored = folder_item(&row);
    return stream_begin(out, s, mode, read_only);
}

/* ---- reading and writing ---- */

uint64_t store_stream_size(const struct store_stream *s)
{
    return s->spool ? spool_size(s->spool) : s->apart.size;
}

enum ec store_stream_read(TALLOC_CTX *arena, struct store_stream *s, uint32_t count, struct blob *out)
{
    const uint64_t size = store_stream_size(s), left = s->position < size ? size - s->position : 0;
    const size_t wanted = (size_t)MIN((uint64_t)count, left);
    enum ec ec = ecNone;
    *out = BLOB_OF(NULL, 0);
    if (!s->spool) {
        ec = value_read(arena, s->st, &s->stored, &s->apart, s->position, wanted, out);
    } else {
        uint8_t *bytes = talloc_size(arena, wanted + 1);
        size_t got = 0;
        ec = bytes ? spool_read(s->spool, s->position, bytes, wanted, &got) : ecNotEnoughMemory;
        *out = BLOB_OF(bytes, got);
    }
    if (!ec)
        s->position += out->size;
    return ec;
}

/* Text in a code page is converted whole when it is written. */
static uint64_t size_limit(const struct store_stream *s)
{
    return PROP_TYPE(s->tag) == PtypString8 ? ITEM_CONVERT_LIMIT : STORE_STREAM_MAX;
}

/* The bytes are in a spool, and nobody else has it. */
static enum ec may_write(struct store_stream *s)
{
    if (!s->object)
        return ecInvalidObject;
    if (!s->writable)
        return ecStreamAccessDenied;
    if (s->spool)
        return spool_own(s, &s->spool);
    struct spool *spool = spool_new(s);
    const enum ec ec = value_to_spool(s->st, &s->stored, &s->apart, spool);
    if (ec)
        talloc_free(spool);
    else
        s->spool = spool;
    return ec;
}

enum ec store_stream_write(struct store_stream *s, struct blob bytes, uint32_t *written)
{
    *written = 0;
    enum ec ec = may_write(s);
    if (!ec && s->position + bytes.size > size_limit(s))
        ec = ecTooBig;
    if (!ec && !may_hold(s, MAX(store_stream_size(s), s->position + bytes.size)))
        ec = ecTooBig;
    if (!ec)
        ec = spool_write(s->spool, s->position, bytes);
    if (ec)
        return ec;
    s->position += bytes.size;
    s->dirty = true;
    *written = (uint32_t)bytes.size;
    return ecNone;
}

enum ec store_stream_seek(struct store_stream *s, uint8_t origin, int64_t offset, uint64_t *position)
{
    const int64_t from = origin == FROM_CURRENT ? (int64_t)s->position
                         : origin == FROM_END   ? (int64_t)store_stream_size(s)
                                                : 0;
    if (origin > FROM_END)
        return ecStreamInvalidParam;
    if (offset < -(int64_t)SEEK_LIMIT || offset > SEEK_LIMIT || from + offset < 0 || from + offset > SEEK_LIMIT)
        return ecStreamSeekError;
    *position = s->position = (uint64_t)(from + offset);
    return ecNone;
}

enum ec store_stream_resize(struct store_stream *s, uint64_t size)
{
    enum ec ec = may_write(s);
    if (!ec && size > size_limit(s))
        ec = ecStreamSizeError;
    if (!ec && !may_hold(s, size))
        ec = ecStreamSizeError;
    if (!ec)
        ec = spool_resize(s->spool, size);
    s->dirty |= !ec;
    return ec;
}

/* ---- into the object ---- */

/* Single-byte code pages can be cut anywhere, the others only by who knows them. */
static enum ec text_to_utf8(struct store_stream *s, struct spool *utf8)
{
    if (PROP_TYPE(s->tag) == PtypString)
        return transcode(s, read_spool, s->spool, whole_utf16, from_client, utf8);
    TALLOC_CTX *arena = talloc_new(NULL);
    struct blob all;
    enum ec ec = spool_size(s->spool) > size_limit(s) ? ecStreamSizeError : spool_all(arena, s->spool, &all);
    if (!ec)
        ec = append(utf8, from_client(arena, s, all));
    talloc_free(arena);
    return ec;
}

static struct prop value_of(uint32_t tag, struct blob bytes)
{
    return PROP_TYPE(tag) == PtypString ? P_STR(tag, (const char *)bytes.data) : P_BIN(tag, bytes);
}

static enum ec put_value(struct store_stream *s, struct item *item, struct spool *spool)
{
    const uint32_t tag = prop_stored(s->tag);
    struct blob bytes;
    enum ec ec = item_check(item, &P_BIN(PROP_AS(tag, PtypBinary), BLOB_OF(NULL, 0)));
    if (!ec && spool_size(spool) > ITEM_IN_MEMORY) {
        item_set_spool(item, tag, spool);
        return ecNone;
    }
    if (!ec)
        ec = spool_all(spool, spool, &bytes);
    const struct prop p = ec ? (struct prop){ 0 } : value_of(tag, bytes);
    if (!ec)
        ec = item_check(item, &p);
    if (!ec)
        item_set(item, &p);
    return ec;
}

/* PidTagSubject and PidTagBodyHtml are kept in another shape. */
static enum ec put_handled(struct store_stream *s, struct spool *spool)
{
    struct blob bytes;
    const enum ec ec = spool_all(spool, spool, &bytes);
    const uint32_t tag = prop_stored(s->tag);
    const struct prop p = value_of(tag, bytes);
    return ec ? ec : message_set_one(s->message, &p);
}

static enum ec put(struct store_stream *s, struct spool *spool)
{
    if (s->of == OF_FOLDER)
        return folder_put_spool(s->st, s->fid, s->tag, spool);
    if (s->of == OF_ATTACHMENT)
        return put_value(s, &s->attachment->item, spool);
    if (!message_is_plain(s->tag))
        return put_handled(s, spool);
    const enum ec ec = put_value(s, &s->message->item, spool);
    if (!ec)
        message_body_written(s->message, s->tag);
    return ec;
}

enum ec store_stream_commit(struct store_stream *s)
{
    if (!s->dirty)
        return ecNone;
    if (!s->object)
        return ecInvalidObject;
    struct spool *spool = is_text(s) ? spool_new(NULL) : spool_share(NULL, s->spool);
    enum ec ec = is_text(s) ? text_to_utf8(s, spool) : ecNone;
    if (!ec)
        ec = put(s, spool);
    talloc_free(spool);
    s->dirty = ec != ecNone;
    return ec;
}
