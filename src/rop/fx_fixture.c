/* SPDX-License-Identifier: Apache-2.0 */
#include "rop/fx_fixture.h"

enum { PARTIAL = 1, DONE = 3 };

/* ---- streams ---- */

static void get_name(struct wire_in *in, struct PropertyName *name)
{
    memcpy(name->GUID.bytes, wire_get_bytes(in, sizeof name->GUID).data, sizeof name->GUID);
    name->Kind = (uint8_t)wire_get_uint(in, 1);
    if (name->Kind == 0) {
        name->LID = (uint32_t)wire_get_uint(in, 4);
        return;
    }
    const struct blob text = utf16_of_utf8(in->arena, wire_get_text(in, true));
    name->Name = text;
    name->NameSize = (uint8_t)text.size;
}

struct fx_stream fx_parse(TALLOC_CTX *arena, struct blob bytes)
{
    struct fx_stream stream = { .bytes = bytes };
    struct wire_in in = wire_in(arena, bytes);
    in.flavour = WIRE_FX;
    while (wire_left(&in)) {
        stream.elements = talloc_realloc(arena, stream.elements, struct fx_element, stream.count + 1);
        struct fx_element *e = &stream.elements[stream.count++];
        *e = (struct fx_element){ .tag = (uint32_t)wire_get_uint(&in, 4) };
        e->marker = fx_marker_name(e->tag);
        if (!e->marker && PROP_ID(e->tag) >= 0x8000)
            get_name(&in, &e->name);
        /* [MS-OXCFXICS] 3.1.5.2.1: a number that is none */
        const bool is_set = e->tag == MetaTagIdsetGiven;
        if (!e->marker)
            e->prop = wire_get_value(&in, is_set ? PROP_AS(e->tag, PtypBinary) : e->tag);
        assert_false(in.bad);
    }
    return stream;
}

struct fx_stream fx_fetch(struct rop_fixture *f, uint32_t download, uint16_t size)
{
    struct buf all;
    uint16_t steps = 0;
    buf_init(&all, f->arena);
    for (;;) {
        const struct rop_done done = RUN(f, FastTransferSourceGetBuffer, download, .BufferSize = size);
        CODE(done, ecNone);
        const struct RopFastTransferSourceGetBufferResponse *r = done.response;
        assert_true(r->TransferBufferSize <= size);
        assert_true(r->InProgressCount >= steps && r->InProgressCount <= r->TotalStepCount);
        steps = r->InProgressCount;
        buf_add(&all, r->TransferBuffer.data, r->TransferBuffer.size);
        if (r->TransferStatus == DONE)
            return fx_parse(f->arena, buf_blob(&all));
        assert_int_equal(r->TransferStatus, PARTIAL);
        assert_int_not_equal(r->TransferBufferSize, 0);
    }
}

const char *fx_outline(TALLOC_CTX *arena, const struct fx_stream *stream)
{
    char *text = talloc_strdup(arena, "");
    for (uint32_t i = 0; i < stream->count; i++)
        if (stream->elements[i].marker)
            text = talloc_asprintf_append(text, "%s%s", *text ? " " : "", stream->elements[i].marker);
    return text;
}

uint32_t fx_marker_at(const struct fx_stream *stream, const char *marker, unsigned which)
{
    uint32_t i = 0;
    for (; i < stream->count; i++)
        if (stream->elements[i].marker && !strcmp(stream->elements[i].marker, marker) && which-- == 0)
            break;
    return i;
}

unsigned fx_markers(const struct fx_stream *stream, const char *marker)
{
    unsigned n = 0;
    while (fx_marker_at(stream, marker, n) < stream->count)
        n++;
    return n;
}

const struct prop *fx_find(const struct fx_stream *stream, uint32_t from, uint32_t tag, const char *until)
{
    for (uint32_t i = from; i < stream->count; i++) {
        const struct fx_element *e = &stream->elements[i];
        if (i > from && e->marker && until && !strcmp(e->marker, until))
            return NULL;
        if (!e->marker && PROP_ID(e->tag) == PROP_ID(tag))
            return &e->prop;
    }
    return NULL;
}

/* ---- a client ---- */

struct fx_client *fx_client(struct rop_fixture *f, uint64_t fid, uint8_t type)
{
    struct fx_client *c = talloc_zero(f->arena, struct fx_client);
    c->f = f;
    c->fid = fid;
    c->type = type;
    c->send_options = FX_UNICODE;
    c->flags = type == FX_CONTENTS ? 0x0139 : 0x0101; /* Unicode, ReadState, FAI, Normal, NoForeignIdentifiers */
    c->extra = type == FX_CONTENTS ? 0x7 : 0x1;       /* Eid, MessageSize, CN */
    c->buffer = 0x7000;
    return c;
}

static void upload(struct fx_client *c, uint32_t tag, struct blob set)
{
    CODE(RUN(c->f, SynchronizationUploadStateStreamBegin, c->download, .StateProperty = tag,
             .TransferBufferSize = (uint32_t)set.size),
         ecNone);
    for (size_t at = 0; at < set.size; at += 1000) { /* in pieces, as a client with a large state does */
        const uint32_t size = (uint32_t)MIN(set.size - at, (size_t)1000);
        CODE(RUN(c->f, SynchronizationUploadStateStreamContinue, c->download, .StreamDataSize = size,
                 .StreamData = BLOB_OF(set.data + at, size)),
             ecNone);
    }
    CODE(RUN(c->f, SynchronizationUploadStateStreamEnd, c->download), ecNone);
}

uint32_t fx_client_begin(struct fx_client *c)
{
    const uint32_t folder = rop_folder(c->f, c->fid);
    const struct rop_done done =
        RUN(c->f, SynchronizationConfigure, folder, .SynchronizationType = c->type, .SendOptions = c->send_options,
            .SynchronizationFlags = c->flags, .RestrictionData = c->restriction, .SynchronizationExtraFlags = c->extra,
            .PropertyTagCount = c->tag_count, .PropertyTags = c->tags);
    CODE(done, ecNone);
    RUN(c->f, Release, folder);
    c->download = done.handle;
    upload(c, MetaTagIdsetGiven, c->given);
    upload(c, MetaTagCnsetSeen, c->seen);
    if (c->type == FX_CONTENTS) {
        upload(c, MetaTagCnsetSeenFAI, c->seen_fai);
        upload(c, MetaTagCnsetRead, c->read);
    }
    return c->download;
}

static struct blob state_of(const struct fx_client *c, uint32_t tag)
{
    const struct prop *p = fx_find(&c->got, fx_marker_at(&c->got, "IncrSyncStateBegin", 0), tag, "IncrSyncStateEnd");
    return p ? p->bin : BLOB_OF(NULL, 0);
}

void fx_client_sync(struct fx_client *c)
{
    fx_client_begin(c);
    c->got = fx_fetch(c->f, c->download, c->buffer);
    c->given = state_of(c, MetaTagIdsetGiven);
    c->seen = state_of(c, MetaTagCnsetSeen);
    c->seen_fai = state_of(c, MetaTagCnsetSeenFAI);
    c->read = state_of(c, MetaTagCnsetRead);
    RUN(c->f, Release, c->download);
}

bool fx_client_has(struct fx_client *c, struct blob bytes, uint64_t id)
{
    struct idset *set;
    assert_int_equal(idset_of_bytes(&set, c->f->arena, IDSET_REPLGUID, bytes), ecNone);
    return set->count && globset_has(&set->replicas[0].set, store_counter(id));
}

bool fx_says(struct fx_client *c, uint32_t tag, uint64_t id)
{
    struct idset *set;
    const struct prop *p = fx_find(&c->got, 0, tag, NULL);
    if (!p)
        return false;
    assert_int_equal(idset_of_bytes(&set, c->f->arena, IDSET_REPLID, p->bin), ecNone);
    return globset_has(idset_of_replid(set, STORE_REPLICA_ID), store_counter(id));
}
