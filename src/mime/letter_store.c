/* SPDX-License-Identifier: Apache-2.0 */
/* Letters into and out of a mailbox. */
#include "mime/letter.h"

#include <stdlib.h>

enum { VALUE_LIMIT = 64 * 1024 * 1024, PIECE = 48 * 1024, ATTACH_EMBEDDED = 5, NAMED_FIRST = 0x8000, NAME_BYTES = 254 };

/* ---- what travels ---- */

/* [MS-OXPROPS] 1.3.3 says by ranges of ids which properties are transmitted; and there are exceptions. */
struct range {
    uint16_t first, last;
    bool travels;
};
static const struct range of_messages[] = {
    { 0x0E1D, 0x0E1D, true },                             /* PidTagNormalizedSubject */
    { 0x0E1F, 0x0E1F, true },                             /* PidTagRtfInSync */
    { 0x0E00, 0x0FFF, false }, { 0x1081, 0x1082, false }, /* what the sender did with it: PidTagLastVerbExecuted */
    { 0x1090, 0x1095, false },                            /* the sender's own flags */
    { 0x3000, 0x3000, false }, { 0x3007, 0x3008, false }, /* the copy has times of its own */
    { 0x3010, 0x3010, false },                            /* PidTagTargetEntryId */
    { 0x3013, 0x3013, false },                            /* PidTagConversationId is made from the others */
    { 0x3018, 0x301E, false },                            /* retention is the mailbox's */
    { 0x3FEA, 0x3FEF, false }, /* PidTagDeferredSendTime and its like are for the sender's server */
    { 0x3FF8, 0x3FFB, false }, /* PidTagCreatorName and its like */
    { 0x5909, 0x5909, true },  /* PidTagMessageEditorFormat */
    { 0x5D01, 0x5D0A, true },  /* SMTP addresses of sender and receiver */
    { 0x5800, 0x67FF, false }, { 0x7C00, 0x7FFF, false },
};
static const struct range of_attachments[] = {
    { 0x0E00, 0x0FFF, false },
    { 0x5800, 0x67FF, false },
    { 0x7FFA, 0x7FFF, true }, /* PidTagAttachmentHidden and its like */
    { 0x7C00, 0x7FFF, false },
};
static const struct range of_recipients[] = {
    { 0x3000, 0x3000, false }, /* PidTagRowid */
    { 0x0E0F, 0x0E0F, false }, /* PidTagResponsibility */
    { 0x6600, 0x67FF, false },
};

static bool travels(const struct range *ranges, size_t count, uint32_t tag)
{
    const uint16_t id = PROP_ID(tag);
    for (size_t i = 0; i < count; i++)
        if (id >= ranges[i].first && id <= ranges[i].last)
            return ranges[i].travels;
    return true;
}

/* ---- out of a mailbox ---- */

typedef enum ec values_get(TALLOC_CTX *, void *object, const uint32_t *tags, uint32_t count, size_t limit,
                           struct prop *);

static enum ec message_get(TALLOC_CTX *arena, void *m, const uint32_t *tags, uint32_t count, size_t limit,
                           struct prop *out)
{
    return store_message_get(arena, m, tags, count, limit, out);
}

static enum ec attachment_get(TALLOC_CTX *arena, void *a, const uint32_t *tags, uint32_t count, size_t limit,
                              struct prop *out)
{
    return store_attachment_get(arena, a, tags, count, limit, out);
}

static const char *name_text(TALLOC_CTX *owner, const struct PropertyName *name)
{
    return name->Kind == 1 ? utf8_of_utf16(owner, name->Name.data, name->Name.size) : NULL;
}

static void load_named(struct letter_props *props, struct store *st, const struct prop *p)
{
    const uint16_t id = PROP_ID(p->tag);
    struct PropertyName name;
    if (store_named_names(props->owner, st, &id, 1, &name) || name.Kind > 1)
        return;
    letter_set_named(props, name.GUID, name_text(props->owner, &name), name.Kind ? 0 : name.LID, *p);
}

static enum ec load_props(struct letter_props *props, struct store *st, values_get *get, void *object,
                          const uint32_t *all, uint32_t count, const struct range *ranges, size_t range_count)
{
    uint32_t *tags = talloc_array(props->owner, uint32_t, count), kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (travels(ranges, range_count, all[i]) && PROP_TYPE(all[i]) != PtypObject)
            tags[kept++] = all[i];
    struct prop *values = talloc_array(props->owner, struct prop, kept);
    const enum ec ec = get(props->owner, object, tags, kept, VALUE_LIMIT, values);
    if (ec)
        return ec;
    for (uint32_t i = 0; i < kept; i++) {
        const bool error = PROP_TYPE(values[i].tag) == PtypErrorCode;
        values[i] = prop_copy(props->owner, &values[i]); /* the letter outlives what the message has open */
        if (error && values[i].u32 == (uint32_t)ecNotEnoughMemory)
            return ecTooBig;
        if (!error && PROP_ID(values[i].tag) >= NAMED_FIRST)
            load_named(props, st, &values[i]);
        else if (!error)
            letter_set(props, values[i]);
    }
    return ecNone;
}

static void load_recipients(struct letter *letter, struct store_message *from)
{
    const struct store_recipient *rows;
    const uint32_t count = store_recipients(from, &rows);
    for (uint32_t i = 0; i < count; i++) {
        struct letter_recipient *r = letter_recipient_add(letter, rows[i].type);
        for (uint32_t k = 0; k < rows[i].props.count; k++) {
            const struct prop *p = &rows[i].props.values[k];
            if (PROP_ID(p->tag) < NAMED_FIRST && travels(of_recipients, COUNTOF(of_recipients), p->tag))
                letter_set(&r->props, prop_copy(letter->owner, p));
        }
    }
}

static enum ec load_letter(TALLOC_CTX *owner, struct store_message *from, unsigned depth, struct letter **out);

static enum ec load_attachment(struct letter *letter, struct store_message *from, uint32_t number, unsigned depth)
{
    struct store_attachment *a;
    struct store_message *inside = NULL;
    const uint32_t *tags;
    uint32_t count;
    enum ec ec = store_attachment_open(&a, letter->owner, from, number, MESSAGE_READONLY);
    if (ec)
        return ec;
    struct letter_attachment *into = letter_attachment_add(letter);
    ec = store_attachment_tags(letter->owner, a, &tags, &count);
    if (!ec)
        ec = load_props(&into->props, store_message_store(from), attachment_get, a, tags, count, of_attachments,
                        COUNTOF(of_attachments));
    if (!ec && letter_u32(&into->props, PidTagAttachMethod, 0) == ATTACH_EMBEDDED && depth < LETTER_DEPTH &&
        !store_embedded_open(&inside, letter->owner, a, MESSAGE_READONLY, false))
        ec = load_letter(letter->owner, inside, depth + 1, &into->embedded);
    talloc_free(inside);
    talloc_free(a);
    return ec;
}

static enum ec load_letter(TALLOC_CTX *owner, struct store_message *from, unsigned depth, struct letter **out)
{
    struct letter *letter = *out = letter_new(owner);
    const uint32_t *tags, *numbers;
    uint32_t count;
    enum ec ec = store_message_tags(owner, from, &tags, &count);
    if (!ec)
        ec = load_props(&letter->props, store_message_store(from), message_get, from, tags, count, of_messages,
                        COUNTOF(of_messages));
    if (ec)
        return ec;
    load_recipients(letter, from);
    ec = store_attachments(owner, from, &numbers, &count);
    for (uint32_t i = 0; i < count && !ec; i++)
        ec = load_attachment(letter, from, numbers[i], depth);
    return ec;
}

enum ec letter_load(TALLOC_CTX *owner, struct store_message *from, struct letter **out)
{
    return load_letter(owner, from, 0, out);
}

/* ---- into a mailbox ---- */

/* What a letter is written to: a message or an attachment. */
struct into {
    struct store *st;
    enum ec (*set)(void *object, const struct prop *, uint32_t count, enum ec *results);
    enum ec (*stream)(struct store_stream **, TALLOC_CTX *owner, void *object, uint32_t tag, unsigned mode);
    void *object;
    uint32_t *new_names;                         /* how many names the mail may still make */
};

static enum ec message_set(void *m, const struct prop *p, uint32_t count, enum ec *results)
{
    return store_message_set(m, p, count, results);
}

static enum ec message_stream(struct store_stream **out, TALLOC_CTX *owner, void *m, uint32_t tag, unsigned mode)
{
    return store_stream_of_message(out, owner, m, tag, mode);
}

static enum ec attachment_set(void *a, const struct prop *p, uint32_t count, enum ec *results)
{
    return store_attachment_set(a, p, count, results);
}

static enum ec attachment_stream(struct store_stream **out, TALLOC_CTX *owner, void *a, uint32_t tag, unsigned mode)
{
    return store_stream_of_attachment(out, owner, a, tag, mode);
}

static struct into into_message(struct store_message *m, uint32_t *new_names)
{
    return (struct into){ store_message_store(m), message_set, message_stream, m, new_names };
}

static bool is_text(const struct prop *p)
{
    return PROP_TYPE(p->tag) == PtypString || PROP_TYPE(p->tag) == PtypString8;
}

/* What an open object holds in memory is bounded: longer values go into it in pieces. */
static bool is_large(const struct prop *p)
{
    return (is_text(p) || PROP_TYPE(p->tag) == PtypBinary) && prop_length(p) > PIECE;
}

/* Text goes as UTF-16, and a piece ends with a whole letter. */
static enum ec write_piece(struct store_stream *stream, const struct prop *p, struct blob bytes, size_t *used)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    uint32_t written;
    *used = MIN(bytes.size, (size_t)PIECE);
    while (is_text(p) && *used < bytes.size && *used > PIECE - 4 && (bytes.data[*used] & 0xC0) == 0x80)
        --*used;
    const struct blob piece = is_text(p) ? utf16_of_utf8(arena, talloc_strndup(arena, (const char *)bytes.data, *used))
                                         : BLOB_OF(bytes.data, *used);
    const enum ec ec = store_stream_write(stream, piece, &written);
    talloc_free(arena);
    return ec;
}

static enum ec write_large(const struct into *into, const struct prop *p)
{
    const struct blob bytes = is_text(p) ? BLOB_OF(p->str, strlen(p->str)) : p->bin;
    const uint32_t tag = is_text(p) ? PROP_AS(p->tag, PtypString) : p->tag;
    struct store_stream *stream;
    enum ec ec = into->stream(&stream, NULL, into->object, tag, STREAM_CREATE);
    if (ec)
        return ec;
    for (size_t at = 0, used; at < bytes.size && !ec; at += used)
        ec = write_piece(stream, p, BLOB_OF(bytes.data + at, bytes.size - at), &used);
    if (!ec)
        ec = store_stream_commit(stream);
    talloc_free(stream);
    return ec;
}

/* A value that an object of this kind does not take is left out; one that there is no room for may not get lost. */
static enum ec of_value(enum ec ec)
{
    static const enum ec refusals[] = { ecComputed, ecInvalidParam, ecNotSupported, ecUnexpectedType };
    for (size_t i = 0; i < COUNTOF(refusals); i++)
        if (ec == refusals[i])
            return ecNone;
    return ec == ecNotEnoughMemory || ec == ecStreamSizeError ? ecTooBig : ec;
}

static enum ec set_values(const struct into *into, const struct prop *values, uint32_t count)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct prop *small = talloc_array(arena, struct prop, count);
    enum ec *results = talloc_zero_array(arena, enum ec, count);
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!is_large(&values[i]))
            small[n++] = values[i];
    enum ec ec = n ? into->set(into->object, small, n, results) : ecNone;
    for (uint32_t i = 0; i < n && !ec; i++)
        ec = of_value(results[i]);
    for (uint32_t i = 0; i < count && !ec; i++)
        if (is_large(&values[i]))
            ec = of_value(write_large(into, &values[i]));
    talloc_free(arena);
    return ec;
}

static struct PropertyName property_name(TALLOC_CTX *arena, const struct letter_named *n)
{
    struct PropertyName name = { .Kind = n->name ? 1 : 0, .GUID = n->set, .LID = n->lid };
    if (!n->name)
        return name;
    const struct blob wide = utf16_of_utf8(arena, n->name);
    uint8_t *bytes = talloc_zero_array(arena, uint8_t, NAME_BYTES);
    name.NameSize = (uint8_t)(MIN(wide.size, (size_t)NAME_BYTES - 2) + 2);
    if (wide.size)
        memcpy(bytes, wide.data, (size_t)name.NameSize - 2);
    name.Name = BLOB_OF(bytes, name.NameSize);
    return name;
}

/* Without those whose names the mailbox does not know and the mail may not make. */
static enum ec save_named(const struct letter_props *props, const struct into *into)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct PropertyName *names = talloc_array(arena, struct PropertyName, props->named_count);
    uint16_t *ids = talloc_zero_array(arena, uint16_t, props->named_count);
    struct prop *values = talloc_array(arena, struct prop, props->named_count);
    for (uint32_t i = 0; i < props->named_count; i++)
        names[i] = property_name(arena, &props->named[i]);
    enum ec ec = store_named_ids_of_mail(into->st, names, props->named_count, into->new_names, ids);
    uint32_t count = 0;
    for (uint32_t i = 0; i < props->named_count && !ec; i++)
        if (ids[i]) {
            values[count] = props->named[i].value;
            values[count++].tag = PROP_TAG(PROP_TYPE(props->named[i].value.tag), ids[i]);
        }
    if (!ec)
        ec = set_values(into, values, count);
    talloc_free(arena);
    return ec;
}

static int by_id(const void *a, const void *b)
{
    const struct prop *one = a, *other = b;
    return (PROP_ID(one->tag) > PROP_ID(other->tag)) - (PROP_ID(one->tag) < PROP_ID(other->tag));
}

/* Ascending: PidTagSubject goes before the two parts that it is made of. */
static enum ec save_props(const struct letter_props *props, const struct into *into)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct prop *values = talloc_array(arena, struct prop, props->count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < props->count; i++)
        if (PROP_ID(props->values[i].tag) < NAMED_FIRST)
            values[count++] = props->values[i];
    qsort(values, count, sizeof *values, by_id);
    enum ec ec = set_values(into, values, count);
    if (!ec && props->named_count)
        ec = save_named(props, into);
    talloc_free(arena);
    return ec;
}

static enum ec save_letter(const struct letter *, struct store_message *into, unsigned depth, uint32_t *new_names);

static enum ec save_attachment(const struct letter_attachment *from, struct store_message *into, unsigned depth,
                               uint32_t *new_names)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_attachment *a;
    struct store_message *inside;
    uint32_t number;
    enum ec ec = store_attachment_new(&a, arena, into, &number);
    if (!ec)
        ec = save_props(&from->props, &(struct into){ store_message_store(into), attachment_set, attachment_stream, a,
                                                      new_names });
    if (!ec && from->embedded && depth < LETTER_DEPTH) {
        ec = store_embedded_open(&inside, arena, a, MESSAGE_READWRITE, true);
        if (!ec)
            ec = save_letter(from->embedded, inside, depth + 1, new_names);
        if (!ec)
            ec = store_message_save(inside, true, NULL);
    }
    if (!ec)
        ec = store_attachment_save(a);
    talloc_free(arena);
    return ec;
}

static enum ec save_letter(const struct letter *letter, struct store_message *into, unsigned depth, uint32_t *new_names)
{
    const struct into message = into_message(into, new_names);
    enum ec ec = save_props(&letter->props, &message);
    for (uint32_t i = 0; i < letter->recipient_count && !ec; i++) {
        const struct letter_recipient *r = letter->recipients[i];
        ec = store_recipient_put(into, &(struct store_recipient){ i, r->type, { r->props.count, r->props.values } });
    }
    for (uint32_t i = 0; i < letter->attachment_count && !ec; i++)
        ec = save_attachment(letter->attachments[i], into, depth, new_names);
    return ec;
}

enum ec letter_save(const struct letter *letter, struct store_message *into, uint32_t *new_names)
{
    return save_letter(letter, into, 0, new_names);
}
