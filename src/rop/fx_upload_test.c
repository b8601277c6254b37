/* SPDX-License-Identifier: Apache-2.0 */
/* Requirement ids of [MS-OXCFXICS]. */
#include <stdlib.h>

#include "rop/fx_fixture.h"

#define DRAFTS STORE_FID(SPECIAL_DRAFTS)
#define INBOX STORE_FID(SPECIAL_INBOX)
#define TOP STORE_FID(SPECIAL_IPM_SUBTREE)
enum { COPY_TO = 1, COPY_PROPERTIES = 2, COPY_MESSAGES = 3, COPY_FOLDER = 4 };
static const struct guid set_guid = { { 0x08, 0x20, 0x06, 0, 0, 0, 0, 0, 0xC0, 0, 0, 0, 0, 0, 0, 0x46 } };

/* ---- streams ---- */

static struct fx_out *stream(struct rop_fixture *f, uint8_t options)
{
    struct fx_out *out = talloc_zero(f->arena, struct fx_out);
    fx_out_init(out, out, options, 1252);
    return out;
}

static void put(struct fx_out *out, struct prop p)
{
    fx_put_prop(out, &p, NULL);
}

static void put_named(struct fx_out *out, const char *value)
{
    const struct PropertyName name = { .Kind = 0, .GUID = set_guid, .LID = 0x8501 };
    fx_put_prop(out, &P_STR(PROP_TAG(PtypString, 0x9876), value), &name);
}

static void put_recipient(struct fx_out *out, uint32_t row, const char *name)
{
    fx_put_marker(out, FX_StartRecip);
    put(out, P_I32(PidTagRowid, row));
    put(out, P_I32(PidTagRecipientType, 1));
    put(out, P_STR(PidTagDisplayName, name));
    fx_put_marker(out, FX_EndToRecip);
}

static void put_attachment(struct fx_out *out, const char *name, size_t size)
{
    static uint8_t bytes[40000];
    memset(bytes, 'x', sizeof bytes);
    fx_put_marker(out, FX_NewAttach);
    put(out, P_I32(PidTagAttachNumber, 7));
    put(out, P_STR(PidTagAttachLongFilename, name));
    put(out, P_BIN(PidTagAttachDataBinary, BLOB_OF(bytes, size)));
    fx_put_marker(out, FX_EndAttach);
}

static void put_embedded(struct fx_out *out, unsigned depth)
{
    fx_put_marker(out, FX_NewAttach);
    put(out, P_I32(PidTagAttachNumber, 0));
    fx_put_marker(out, FX_StartEmbed);
    put(out, P_STR(PidTagSubject, "inside"));
    if (depth > 1)
        put_embedded(out, depth - 1);
    fx_put_marker(out, FX_EndEmbed);
    fx_put_marker(out, FX_EndAttach);
}

static void put_content(struct fx_out *out, const char *subject, size_t size)
{
    put(out, P_I64(PidTagMid, 0x1234)); /* R2281: not taken */
    put(out, P_STR(PidTagSubject, subject));
    put(out, P_I32(PidTagImportance, 2));
    put(out, P_BOOL(PidTagReadReceiptRequested, true));
    put(out, P_TIME(PidTagClientSubmitTime, 0x01DD000000000000u));
    put_named(out, "named");
    put(out, P_I32(MetaTagFXDelProp, PidTagMessageRecipients));
    put_recipient(out, 0, "alice");
    put_recipient(out, 1, "bob");
    put(out, P_I32(MetaTagFXDelProp, PidTagMessageAttachments));
    put_attachment(out, "a.txt", size);
    put_embedded(out, 2);
}

static void put_message(struct fx_out *out, enum fx_marker start, const char *subject, size_t size)
{
    fx_put_marker(out, start);
    put_content(out, subject, size);
    fx_put_marker(out, FX_EndMessage);
}

static struct blob bytes_of(const struct fx_out *out)
{
    return BLOB_OF(out->bytes.data + out->taken, fx_left(out));
}

/* ---- uploads ---- */

static uint32_t configure(struct rop_fixture *f, uint32_t object, uint8_t operation)
{
    const struct rop_done done = RUN(f, FastTransferDestinationConfigure, object, .SourceOperation = operation);
    CODE(done, ecNone); /* R590 */
    return done.handle;
}

static const struct RopFastTransferDestinationPutBufferResponse *put_buffer(struct rop_fixture *f, uint32_t upload,
                                                                            struct blob bytes, enum ec expected)
{
    const struct rop_done done = RUN(f, FastTransferDestinationPutBuffer, upload,
                                     .TransferDataSize = (uint16_t)bytes.size, .TransferData = bytes);
    assert_string_equal(ec_name((enum ec)done.code), ec_name(expected));
    return done.response;
}

static void put_all(struct rop_fixture *f, uint32_t upload, struct blob bytes, size_t piece)
{
    for (size_t at = 0; at < bytes.size; at += piece) {
        const struct blob part = BLOB_OF(bytes.data + at, MIN(piece, bytes.size - at));
        const struct RopFastTransferDestinationPutBufferResponse *r = put_buffer(f, upload, part, ecNone);
        assert_int_equal(r->BufferUsedSize, part.size); /* R3182 */
        assert_int_equal(r->InProgressCount, 0);        /* R3175 */
    }
}

static uint32_t new_message(struct rop_fixture *f)
{
    const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = DRAFTS);
    CODE(made, ecNone);
    return made.handle;
}

static uint16_t named_id(struct rop_fixture *f)
{
    const struct PropertyName name = { .Kind = 0, .GUID = set_guid, .LID = 0x8501 };
    const struct rop_done done =
        RUN(f, GetPropertyIdsFromNames, f->logon, .Flags = 0, .PropertyNameCount = 1, .PropertyNames = &name);
    return ((const struct RopGetPropertyIdsFromNamesResponse *)done.response)->PropertyIds[0];
}

static void has_content(struct rop_fixture *f, uint32_t m, const char *subject, size_t size)
{
    assert_string_equal(rop_get(f, m, PidTagSubject).str, subject);
    assert_int_equal(rop_get(f, m, PidTagImportance).u32, 2);
    assert_true(rop_get(f, m, PidTagReadReceiptRequested).b);
    assert_int_equal(rop_get(f, m, PidTagClientSubmitTime).u64, 0x01DD000000000000u);
    assert_string_equal(rop_get(f, m, PROP_TAG(PtypString, named_id(f))).str, "named");
    assert_string_equal(rop_get(f, m, PidTagDisplayTo).str, "alice; bob");
    const struct rop_done list = RUN(f, GetValidAttachments, m);
    const struct RopGetValidAttachmentsResponse *attachments = list.response;
    assert_int_equal(attachments->AttachmentIdCount, 2);
    uint32_t a = RUN(f, OpenAttachment, m, .AttachmentID = attachments->AttachmentIdArray[0]).handle;
    assert_string_equal(rop_get(f, a, PidTagAttachLongFilename).str, "a.txt");
    assert_int_equal(
        ((const struct RopOpenStreamResponse *)RUN(f, OpenStream, a, .PropertyTag = PidTagAttachDataBinary).response)
            ->StreamSize,
        size);
    RUN(f, Release, a);
    a = RUN(f, OpenAttachment, m, .AttachmentID = attachments->AttachmentIdArray[1]).handle;
    const uint32_t inside = RUN(f, OpenEmbeddedMessage, a, .CodePageId = 0x0FFF).handle;
    assert_string_equal(rop_get(f, inside, PidTagSubject).str, "inside");
    RUN(f, Release, a);
}

static void content_goes_into_a_message_that_the_client_saves(void **state)
{
    struct rop_fixture *f = *state;
    for (uint8_t operation = COPY_TO; operation <= COPY_PROPERTIES; operation++) { /* R596, R599 */
        struct fx_out *out = stream(f, FX_UNICODE);
        put_content(out, "sent", 20000);
        const uint32_t m = new_message(f), folder = rop_folder(f, DRAFTS);
        const uint32_t before = rop_get(f, folder, PidTagContentCount).u32;
        put_all(f, configure(f, m, operation), bytes_of(out), 0x7000);
        assert_int_equal(rop_get(f, folder, PidTagContentCount).u32, before); /* R2152 */
        has_content(f, rop_open_message(f, DRAFTS, rop_save(f, m), 0), "sent", 20000);
    }
}

static void a_stream_may_be_cut_anywhere(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_out *out = stream(f, FX_UNICODE);
    put_content(out, "cut", 100);
    const struct blob all = bytes_of(out);
    uint32_t m = new_message(f);
    put_all(f, configure(f, m, COPY_TO), all, 1);
    has_content(f, m, "cut", 100);
    RUN(f, Release, m);
    for (size_t cut = 1; cut < all.size; cut += 3) {
        m = new_message(f);
        const uint32_t upload = configure(f, m, COPY_TO);
        put_all(f, upload, BLOB_OF(all.data, cut), cut);
        put_all(f, upload, BLOB_OF(all.data + cut, all.size - cut), all.size);
        has_content(f, m, "cut", 100);
        RUN(f, Release, m);
    }
}

static void text_comes_in_the_stream_s_own_form(void **state)
{
    static const uint8_t options[] = { 0, FX_UNICODE, FX_FORCE_UNICODE, FX_FOR_UPLOAD };
    struct rop_fixture *f = *state;
    char *body = talloc_zero_size(f->arena, 60001);
    for (size_t i = 0; i < 60000; i += 2)
        memcpy(body + i, "\xC3\xA4", 2);
    for (size_t i = 0; i < COUNTOF(options); i++) {
        struct fx_out *out = stream(f, options[i]);
        put(out, P_STR(PidTagSubject, "f\xC3\xBCr"));
        put(out, P_STR(PidTagBody, body));
        const uint32_t m = new_message(f);
        put_all(f, configure(f, m, COPY_TO), bytes_of(out), 9999);
        assert_string_equal(rop_get(f, m, PidTagSubject).str, "f\xC3\xBCr"); /* R3255 */
        const struct rop_done s = RUN(f, OpenStream, m, .PropertyTag = PidTagBody);
        assert_int_equal(((const struct RopOpenStreamResponse *)s.response)->StreamSize, 60000);
        RUN(f, Release, m);
    }
}

static void an_attachment_s_content_is_the_client_s_to_save(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = new_message(f);
    struct fx_out *out = stream(f, FX_UNICODE);
    put(out, P_STR(PidTagAttachLongFilename, "letter"));
    put(out, (struct prop){ .tag = PidTagAttachDataObject, .bin = BLOB_OF("object", 6) });
    fx_put_marker(out, FX_StartEmbed);
    put_content(out, "in it", 10);
    fx_put_marker(out, FX_EndEmbed);
    const struct rop_done a = RUN(f, CreateAttachment, m);
    put_all(f, configure(f, a.handle, COPY_TO), bytes_of(out), 100); /* R597 */
    CODE(RUN(f, SaveChangesAttachment, a.handle), ecNone);
    const uint64_t mid = rop_save(f, m);
    const uint32_t saved = rop_open_message(f, DRAFTS, mid, 0);
    const uint32_t again = RUN(f, OpenAttachment, saved, .AttachmentID = 0).handle;
    assert_string_equal(rop_get(f, again, PidTagAttachLongFilename).str, "letter");
    has_content(f, RUN(f, OpenEmbeddedMessage, again, .CodePageId = 0x0FFF).handle, "in it", 10);
}

static uint32_t row_count(struct rop_fixture *f, uint64_t fid, uint8_t flags)
{
    const struct rop_done done = RUN(f, GetContentsTable, rop_folder(f, fid), .TableFlags = flags);
    return ((const struct RopGetContentsTableResponse *)done.response)->RowCount;
}

static void each_message_of_a_list_is_saved_at_its_end(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_out *out = stream(f, FX_UNICODE);
    put(out, (struct prop){ .tag = MetaTagDnPrefix, .str = "/o=Contoso" }); /* R3292 */
    put(out, P_I32(MetaTagEcWarning, ecAccessDenied));
    put_message(out, FX_StartMessage, "one", 10);
    put_message(out, FX_StartFAIMsg, "two", 10);
    const struct blob both = bytes_of(out);
    const uint32_t upload = configure(f, rop_folder(f, INBOX), COPY_MESSAGES); /* R601 */
    put_all(f, upload, BLOB_OF(both.data, both.size - 4), 1000);
    assert_int_equal(row_count(f, INBOX, 0), 1);    /* R1132 */
    assert_int_equal(row_count(f, INBOX, 0x02), 0); /* its end is still to come */
    put_all(f, upload, BLOB_OF(both.data + both.size - 4, 4), 4);
    assert_int_equal(row_count(f, INBOX, 0x02), 1); /* R1133 */
    RUN(f, Release, upload);
    assert_int_equal(row_count(f, INBOX, 0), 1);
}

static uint64_t child(struct rop_fixture *f, uint64_t parent, const char *name)
{
    static const uint32_t columns[] = { PidTagFolderId, PidTagDisplayName };
    const uint32_t table = RUN(f, GetHierarchyTable, rop_folder(f, parent)).handle;
    RUN(f, SetColumns, table, .PropertyTagCount = 2, .PropertyTags = columns);
    const struct rop_done done = RUN_ROWS(f, QueryRows, table, columns, .ForwardRead = true, .RowCount = 100);
    const struct RopQueryRowsResponse *rows = done.response;
    for (uint16_t i = 0; i < rows->RowCount; i++)
        if (!strcmp(rows->RowData[i].values[1].str, name))
            return rows->RowData[i].values[0].u64;
    return 0;
}

static void put_subfolder(struct fx_out *out, const char *name, unsigned depth)
{
    fx_put_marker(out, FX_StartSubFld);
    put(out, P_I64(PidTagFolderId, 1));
    put(out, P_STR(PidTagDisplayName, name));
    put(out, P_STR(PidTagComment, "copied"));
    put(out, P_STR(PidTagContainerClass, "IPF.Note"));
    put_message(out, FX_StartMessage, "below", 10);
    if (depth > 1)
        put_subfolder(out, "deeper", depth - 1);
    fx_put_marker(out, FX_EndFolder);
}

static void a_folder_comes_with_all_that_is_in_it(void **state)
{
    struct rop_fixture *f = *state;
    for (size_t piece = 1; piece < 5000; piece *= 17) {
        const char *name = talloc_asprintf(f->arena, "Projects %zu", piece);
        struct fx_out *out = stream(f, FX_UNICODE);
        fx_put_marker(out, FX_StartTopFld);
        put(out, P_STR(PidTagDisplayName, name));
        put_message(out, FX_StartMessage, "top", 10);
        put_subfolder(out, "below", 2);
        fx_put_marker(out, FX_EndFolder);
        put_all(f, configure(f, rop_folder(f, TOP), COPY_FOLDER), bytes_of(out), piece); /* R602 */
        const uint64_t top = child(f, TOP, name), below = child(f, top, "below"), deeper = child(f, below, "deeper");
        assert_int_equal(row_count(f, top, 0), 1);
        assert_int_equal(row_count(f, below, 0), 1);
        assert_int_equal(row_count(f, deeper, 0), 1);
        assert_string_equal(rop_get(f, rop_folder(f, below), PidTagComment).str, "copied");
        assert_string_equal(rop_get(f, rop_folder(f, deeper), PidTagContainerClass).str, "IPF.Note");
    }
}

static void a_folder_s_content_replaces_what_the_stream_says(void **state)
{
    struct rop_fixture *f = *state;
    rop_message(f, INBOX, "old");
    struct fx_out *out = stream(f, FX_UNICODE);
    put(out, P_STR(PidTagComment, "filled"));
    put(out, P_I32(MetaTagFXDelProp, PidTagFolderAssociatedContents));
    put_message(out, FX_StartFAIMsg, "hidden", 10);
    const struct blob first = blob_copy(f->arena, bytes_of(out));
    put_all(f, configure(f, rop_folder(f, INBOX), COPY_PROPERTIES), first, 500); /* R598 */
    assert_int_equal(row_count(f, INBOX, 0), 1);                                 /* R2278 */
    assert_string_equal(rop_get(f, rop_folder(f, INBOX), PidTagComment).str, "filled");
    put(out, P_I32(MetaTagFXDelProp, PidTagContainerContents));
    put_message(out, FX_StartMessage, "new", 10);
    put(out, P_I32(MetaTagFXDelProp, PidTagContainerHierarchy));
    put_subfolder(out, "below", 1);
    put_all(f, configure(f, rop_folder(f, INBOX), COPY_TO), bytes_of(out), 500); /* R595 */
    assert_int_equal(row_count(f, INBOX, 0), 1);                                 /* R1031: the old one went */
    assert_int_equal(row_count(f, INBOX, 0x02), 1);
    assert_int_equal(row_count(f, child(f, INBOX, "below"), 0), 1);
}

static void what_no_stream_fits_is_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t folder = rop_folder(f, INBOX), m = new_message(f), a = RUN(f, CreateAttachment, m).handle;
    static const uint8_t operations[] = { 0, 5, 0xFF };
    for (size_t i = 0; i < COUNTOF(operations); i++)
        CODE(RUN(f, FastTransferDestinationConfigure, folder, .SourceOperation = operations[i]),
             ecInvalidParam); /* R2153 */
    CODE(RUN(f, FastTransferDestinationConfigure, m, .SourceOperation = COPY_MESSAGES), ecInvalidParam);
    CODE(RUN(f, FastTransferDestinationConfigure, a, .SourceOperation = COPY_FOLDER), ecInvalidParam);
    CODE(RUN(f, FastTransferDestinationConfigure, m, .SourceOperation = COPY_TO, .CopyFlags = 2),
         ecInvalidParam); /* R3492 */
    CODE(RUN(f, FastTransferDestinationConfigure, a, .SourceOperation = COPY_TO, .CopyFlags = 1),
         ecInvalidParam); /* R611 */
    CODE(RUN(f, FastTransferDestinationConfigure, m, .SourceOperation = COPY_TO, .CopyFlags = 1), ecNone);
    CODE(RUN(f, FastTransferDestinationConfigure, f->logon, .SourceOperation = COPY_TO), ecNotSupported); /* R583 */
    CODE(RUN(f, FastTransferDestinationPutBuffer, m, .TransferDataSize = 1, .TransferData = BLOB_OF("x", 1)),
         ecNotSupported); /* R616 */
    const uint32_t upload = configure(f, m, COPY_TO);
    put_buffer(f, upload, BLOB_OF("", 0), ecInvalidParam); /* R619 */
    struct fx_out *out = stream(f, 0);
    put(out, P_STR(PidTagSubject, "goes on"));
    put_all(f, upload, bytes_of(out), 100);
    const struct blob bytes = bytes_of(out);
    const struct rop_done extended = RUN(f, FastTransferDestinationPutBufferExtended, upload,
                                         .TransferDataSize = (uint16_t)bytes.size, .TransferData = bytes);
    CODE(extended, ecNone);
    const struct RopFastTransferDestinationPutBufferExtendedResponse *r = extended.response;
    assert_int_equal(r->BufferUsedSize, bytes.size); /* R3183030 */
    assert_int_equal(r->InProgressCount, 0);         /* R3183021 */
    static const uint8_t version[6] = { 0x0F, 0, 0x01, 0, 0xD6, 0x05 };
    struct RopTellVersionRequest tell = { { 0 } };
    memcpy(tell.Version, version, 6);
    CODE(rop_run(f, "TellVersion", upload, 0, &tell, NULL, 0), ecNone); /* R572 */
}

/* Each of these is out of place where a stream with that root begins. */
static void markers_out_of_place_end_the_upload(void **state)
{
    struct rop_fixture *f = *state;
    static const struct {
        bool message;
        uint8_t operation;
        enum fx_marker markers[3];
    } rows[] = {
        { true, COPY_TO, { FX_EndMessage } },
        { true, COPY_TO, { FX_StartMessage } },
        { true, COPY_TO, { FX_StartEmbed } },
        { true, COPY_TO, { FX_NewAttach, FX_EndEmbed } },
        { true, COPY_TO, { FX_NewAttach, FX_NewAttach } },
        { true, COPY_TO, { FX_EndAttach } },
        { true, COPY_TO, { FX_StartRecip, FX_StartRecip } },
        { true, COPY_TO, { FX_StartRecip, FX_EndAttach } },
        { false, COPY_MESSAGES, { FX_EndMessage } },
        { false, COPY_MESSAGES, { FX_StartSubFld } },
        { false, COPY_MESSAGES, { FX_IncrSyncChg } },
        { false, COPY_MESSAGES, { FX_StartMessage, FX_StartMessage } },
        { false, COPY_MESSAGES, { FX_StartMessage, FX_EndEmbed } },
        { false, COPY_FOLDER, { FX_StartSubFld } },
        { false, COPY_FOLDER, { FX_StartMessage } },
        { false, COPY_TO, { FX_EndFolder } },
        { false, COPY_TO, { FX_StartTopFld } },
    };
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        const uint32_t object = rows[i].message ? new_message(f) : rop_folder(f, INBOX);
        const uint32_t upload = configure(f, object, rows[i].operation);
        struct fx_out *out = stream(f, 0);
        for (size_t k = 0; k < 3 && rows[i].markers[k]; k++)
            fx_put_marker(out, rows[i].markers[k]);
        const struct RopFastTransferDestinationPutBufferResponse *r =
            put_buffer(f, upload, bytes_of(out), ecFxUnexpectedMarker);
        assert_int_equal(r->TransferStatus, 0);
        put_buffer(f, upload, BLOB_OF("xxxx", 4), ecFxUnexpectedMarker); /* for ever */
        RUN(f, Release, upload);
    }
    assert_int_equal(row_count(f, INBOX, 0), 0);
}

static void a_property_out_of_place_ends_the_upload(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_out *out = stream(f, 0);
    put(out, P_STR(PidTagSubject, "of no message"));
    put_buffer(f, configure(f, rop_folder(f, INBOX), COPY_MESSAGES), bytes_of(out), ecFxInvalidState);
    out = stream(f, 0);
    fx_put_marker(out, FX_StartRecip);
    put(out, P_STR(PidTagDisplayName, "nobody"));
    fx_put_marker(out, FX_EndToRecip);
    put_buffer(f, configure(f, new_message(f), COPY_TO), bytes_of(out), ecInvalidParam); /* R1391 */
    out = stream(f, 0);
    fx_put_marker(out, FX_StartSubFld);
    fx_put_marker(out, FX_EndFolder);
    put_buffer(f, configure(f, rop_folder(f, INBOX), COPY_TO), bytes_of(out), ecInvalidParam); /* R1348 */
}

static void messages_in_messages_come_to_an_end(void **state)
{
    struct rop_fixture *f = *state;
    for (unsigned depth = 31; depth <= 1000; depth = depth == 31 ? 1000 : depth + 1) {
        struct fx_out *out = stream(f, 0);
        fx_put_marker(out, FX_StartMessage);
        put_embedded(out, depth);
        fx_put_marker(out, FX_EndMessage);
        const struct blob all = bytes_of(out);
        const uint32_t upload = configure(f, rop_folder(f, INBOX), COPY_MESSAGES);
        if (depth == 31)
            put_all(f, upload, all, 0x7000);
        else
            put_buffer(f, upload, BLOB_OF(all.data, MIN(all.size, (size_t)0x7000)), ecTooComplex);
        RUN(f, Release, upload);
    }
    struct fx_out *out = stream(f, 0);
    for (unsigned i = 0; i < 400; i++) {
        fx_put_marker(out, FX_StartSubFld);
        put(out, P_STR(PidTagDisplayName, "deep"));
    }
    put_buffer(f, configure(f, rop_folder(f, INBOX), COPY_TO), bytes_of(out), ecTooComplex);
    assert_int_equal(row_count(f, INBOX, 0), 1);
}

static void sizes_that_lie_are_refused(void **state)
{
    static const struct {
        const char *hex;
        enum ec ec;
    } rows[] = {
        { "0201 3700 FFFFFFFF 00", ecTooBig },                             /* a value of 4 GB */
        { "1F10 3700 FFFFFFFF FFFFFFFF", ecTooBig },                       /* a string of that size among so many */
        { "0310 3700 FFFFFFFF", ecTooBig },                                /* so many numbers */
        { "FF00 3700 00000000", ecRpcFormat },                             /* no such type */
        { "1F00 0180 000000000000000000000000000000000200", ecRpcFormat }, /* a name of no kind */
    };
    struct rop_fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct blob bytes;
        assert_true(hex_parse(f->arena, rows[i].hex, &bytes));
        const uint32_t m = new_message(f), upload = configure(f, m, COPY_TO);
        const struct rop_done done = RUN(f, FastTransferDestinationPutBuffer, upload,
                                         .TransferDataSize = (uint16_t)bytes.size, .TransferData = bytes);
        assert_string_equal(ec_name((enum ec)done.code), ec_name(rows[i].ec));
        RUN(f, Release, m);
        CODE(RUN(f, FastTransferDestinationPutBuffer, upload, .TransferDataSize = 1, .TransferData = BLOB_OF("", 1)),
             ecInvalidObject); /* it went with its message */
    }
}

static void a_broken_message_does_not_spoil_the_list(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_out *out = stream(f, 0);
    fx_put_marker(out, FX_StartMessage);
    put(out, P_STR(PidTagSubject, "half"));
    fx_put_marker(out, FX_NewAttach);
    fx_put_marker(out, FX_FXErrorInfo);
    put(out, P_BIN(PROP_TAG(PtypBinary, 0), BLOB_OF("why", 3)));
    put_message(out, FX_StartMessage, "whole", 10);
    put_all(f, configure(f, rop_folder(f, INBOX), COPY_MESSAGES), bytes_of(out), 50); /* R2680 */
    assert_int_equal(row_count(f, INBOX, 0), 1);
    out = stream(f, 0);
    fx_put_marker(out, FX_FXErrorInfo);
    put_buffer(f, configure(f, new_message(f), COPY_TO), bytes_of(out), ecFxErrorMarker);
}

static void a_large_attachment_needs_no_memory(void **state)
{
    struct rop_fixture *f = *state;
    static const uint8_t bytes[0x7000];
    const uint32_t size = 16 * 1024 * 1024, m = new_message(f), upload = configure(f, m, COPY_TO);
    struct fx_out *out = stream(f, 0);
    fx_put_marker(out, FX_NewAttach);
    fx_put_long(out, PidTagAttachDataBinary, NULL, size);
    put_all(f, upload, bytes_of(out), 100);
    size_t most = 0;
    for (uint32_t left = size; left;) {
        TALLOC_CTX *kept = f->arena;
        f->arena = talloc_new(kept);
        const uint32_t part = MIN(left, (uint32_t)sizeof bytes);
        put_all(f, upload, BLOB_OF(bytes, part), part);
        talloc_free(f->arena);
        f->arena = kept;
        most = MAX(most, talloc_total_size(f->session));
        left -= part;
    }
    assert_true(most < 1024 * 1024);
    out = stream(f, 0);
    fx_put_marker(out, FX_EndAttach);
    put_all(f, upload, bytes_of(out), 100);
    const uint32_t a = RUN(f, OpenAttachment, rop_open_message(f, DRAFTS, rop_save(f, m), 0), .AttachmentID = 0).handle;
    const struct rop_done s = RUN(f, OpenStream, a, .PropertyTag = PidTagAttachDataBinary);
    assert_int_equal(((const struct RopOpenStreamResponse *)s.response)->StreamSize, size);
}

static void uploads_share_what_a_session_may_hold(void **state)
{
    struct rop_fixture *f = *state;
    sessions_limit_memory(f->sessions, 12 * 1024 * 1024);
    struct rop_fixture *second = rop_second_session(f);
    const uint32_t folder = rop_folder(second, INBOX), first = configure(second, folder, COPY_MESSAGES);
    configure(second, folder, COPY_MESSAGES);
    CODE(RUN(second, FastTransferDestinationConfigure, folder, .SourceOperation = COPY_MESSAGES), ecNotEnoughMemory);
    RUN(second, Release, first);
    configure(second, folder, COPY_MESSAGES);
}

/* ---- there and back: what a source gives and a destination takes is the same again ---- */

static unsigned below(unsigned n)
{
    return (unsigned)random() % n;
}

static struct blob some_bytes(struct rop_fixture *f)
{
    static const size_t sizes[] = { 0, 1, 10, 3000, 16383, 16385, 30000 };
    const size_t size = sizes[below(COUNTOF(sizes))];
    uint8_t *bytes = talloc_size(f->arena, size + 1);
    memset(bytes, 'a' + (int)below(26), size);
    return BLOB_OF(bytes, size);
}

static const char *some_text(struct rop_fixture *f)
{
    static const char *const pieces[] = { "a", "\xC3\xA9", "\xE2\x82\xAC", "\xF0\x9F\x98\x80", " ", "b" };
    static const unsigned lengths[] = { 0, 1, 20, 4000, 6000 };
    char *text = talloc_strdup(f->arena, "");
    for (unsigned n = lengths[below(COUNTOF(lengths))]; n; n--)
        text = talloc_strdup_append_buffer(text, pieces[below(COUNTOF(pieces))]);
    return text;
}

static void set_long(struct rop_fixture *f, uint32_t object, uint32_t tag, struct blob bytes)
{
    const uint32_t s = RUN(f, OpenStream, object, .PropertyTag = tag, .OpenModeFlags = 2).handle;
    for (size_t at = 0; at < bytes.size; at += 0x6000) {
        const struct blob part = BLOB_OF(bytes.data + at, MIN(bytes.size - at, (size_t)0x6000));
        CODE(RUN(f, WriteStream, s, .DataSize = (uint16_t)part.size, .Data = part), ecNone);
    }
    CODE(RUN(f, CommitStream, s), ecNone);
    RUN(f, Release, s);
}

static void fill_at_random(struct rop_fixture *f, uint32_t m, unsigned depth)
{
    const struct blob blobs[] = { some_bytes(f), BLOB_OF("two", 3) };
    const char *const texts[] = { "one", "", "\xC3\xA9" };
    const int64_t numbers[] = { 1, -2, INT64_MAX };
    const struct prop props[] = {
        P_STR(PidTagSubject, talloc_asprintf(f->arena, "RE: subject %u", below(1000))),
        P_I32(PidTagImportance, below(3)),
        P_I32(PidTagMessageFlags, below(2) ? 1 : 8),
        P_TIME(PidTagClientSubmitTime, 0x01DD000000000000u + below(1000)),
        { .tag = PROP_TAG(PtypFloating64, 0x8001), .f64 = 1.5 },
        { .tag = PROP_TAG(PtypInteger16, 0x8002), .i16 = -7 },
        { .tag = PROP_TAG(PtypGuid, 0x8003), .guid = guid_random() },
        { .tag = PROP_TAG(PtypMultiple | PtypBinary, 0x8004), .mv = { .count = 2, .bin = blobs } },
        { .tag = PROP_TAG(PtypMultiple | PtypString, 0x8005), .mv = { .count = 3, .str = texts } },
        { .tag = PROP_TAG(PtypMultiple | PtypInteger64, 0x8006), .mv = { .count = 3, .i64 = numbers } },
        P_BOOL(PROP_TAG(PtypBoolean, 0x8007), below(2)),
    };
    struct PropertyName names[7];
    for (uint32_t i = 0; i < COUNTOF(names); i++)
        names[i] = (struct PropertyName){ .Kind = 0, .GUID = set_guid, .LID = 0x9000 + i };
    const struct rop_done ids = RUN(f, GetPropertyIdsFromNames, f->logon, .Flags = 2,
                                    .PropertyNameCount = COUNTOF(names), .PropertyNames = names);
    const uint16_t *id = ((const struct RopGetPropertyIdsFromNamesResponse *)ids.response)->PropertyIds;
    for (size_t i = 0; i < COUNTOF(props); i++) {
        struct prop p = props[i];
        if (PROP_ID(p.tag) >= 0x8000)
            p.tag = PROP_TAG(PROP_TYPE(p.tag), id[PROP_ID(p.tag) - 0x8001]);
        if (below(4))
            rop_set(f, m, p);
    }
    set_long(f, m, PidTagBody, utf16_of_utf8(f->arena, some_text(f)));
    if (below(2))
        set_long(f, m, PidTagHtml, some_bytes(f));
    for (unsigned n = below(3); n; n--) {
        const uint32_t a = RUN(f, CreateAttachment, m).handle;
        if (depth && below(2)) {
            const uint32_t inside = RUN(f, OpenEmbeddedMessage, a, .CodePageId = 0x0FFF, .OpenModeFlags = 2).handle;
            fill_at_random(f, inside, depth - 1);
            CODE(RUN(f, SaveChangesMessage, inside, .SaveFlags = 2), ecNone);
        } else {
            set_long(f, a, PidTagAttachDataBinary, some_bytes(f));
        }
        rop_set(f, a, P_STR(PidTagAttachLongFilename, "file"));
        CODE(RUN(f, SaveChangesAttachment, a), ecNone);
        RUN(f, Release, a);
    }
}

/* What a copy has of its own. */
static bool is_own(uint32_t tag)
{
    static const uint32_t own[] = { PidTagLastModificationTime, PidTagCreationTime, PidTagMid,
                                    PidTagMessageSize,          PidTagAttachSize,   PidTagSearchKey,
                                    PidTagLocalCommitTime };
    for (size_t i = 0; i < COUNTOF(own); i++)
        if (PROP_ID(own[i]) == PROP_ID(tag))
            return true;
    return false;
}

/* The properties from `from` on, up to the next marker or MetaTagFXDelProp; a copy may have them in another order. */
static uint32_t list_end(const struct fx_stream *s, uint32_t from)
{
    while (from < s->count && !s->elements[from].marker && s->elements[from].tag != MetaTagFXDelProp)
        from++;
    return from;
}

static void same_list(const struct fx_element *a, uint32_t a_count, const struct fx_element *b, uint32_t b_count)
{
    unsigned wanted = 0, there = 0;
    for (uint32_t i = 0; i < b_count; i++)
        there += !is_own(b[i].tag);
    for (uint32_t i = 0; i < a_count; i++) {
        uint32_t k = 0;
        while (k < b_count && b[k].tag != a[i].tag)
            k++;
        if (is_own(a[i].tag))
            continue;
        if (k == b_count || !prop_equal(&a[i].prop, &b[k].prop))
            fail_msg("%08x is not the same", a[i].tag);
        wanted++;
    }
    assert_int_equal(wanted, there);
}

static void same_stream(const struct fx_stream *a, const struct fx_stream *b)
{
    uint32_t i = 0, k = 0;
    while (i < a->count && k < b->count) {
        const uint32_t a_end = list_end(a, i), b_end = list_end(b, k);
        same_list(a->elements + i, a_end - i, b->elements + k, b_end - k);
        assert_int_equal(a_end < a->count ? a->elements[a_end].tag : 0, b_end < b->count ? b->elements[b_end].tag : 0);
        i = a_end + 1;
        k = b_end + 1;
    }
    assert_true(i >= a->count && k >= b->count);
}

static struct fx_stream source_of(struct rop_fixture *f, uint64_t fid, uint64_t mid, uint8_t options, uint16_t size)
{
    const uint32_t m = rop_open_message(f, fid, mid, 0);
    const struct rop_done done = RUN(f, FastTransferSourceCopyTo, m, .SendOptions = options);
    CODE(done, ecNone);
    const struct fx_stream s = fx_fetch(f, done.handle, size);
    RUN(f, Release, m);
    return s;
}

static uint64_t only_message(struct rop_fixture *f, uint64_t fid)
{
    static const uint32_t columns[] = { PidTagMid };
    const uint32_t table = RUN(f, GetContentsTable, rop_folder(f, fid)).handle;
    RUN(f, SetColumns, table, .PropertyTagCount = 1, .PropertyTags = columns);
    const struct rop_done done = RUN_ROWS(f, QueryRows, table, columns, .ForwardRead = true, .RowCount = 2);
    const struct RopQueryRowsResponse *rows = done.response;
    assert_int_equal(rows->RowCount, 1);
    return rows->RowData[0].values[0].u64;
}

static void what_went_out_comes_in_the_same(void **state)
{
    static const uint8_t options[] = { FX_UNICODE, FX_FORCE_UNICODE, FX_FOR_UPLOAD };
    static const uint16_t sizes[] = { 500, 4000, 0x7000 };
    struct rop_fixture *f = *state;
    const char *said = getenv("OXCART_SEED");
    const unsigned seed = said ? (unsigned)atoi(said) : (unsigned)clock_ms();
    print_message("# seed %u\n", seed);
    srandom(seed);
    for (unsigned round = 0; round < 25; round++) {
        const uint32_t m = new_message(f);
        fill_at_random(f, m, 2);
        const uint64_t mid = rop_save(f, m);
        const uint32_t from = rop_folder(f, DRAFTS), to = rop_folder(f, INBOX);
        const uint8_t option = options[below(COUNTOF(options))];
        const uint16_t size = sizes[below(COUNTOF(sizes))];
        const struct rop_done list = RUN(f, FastTransferSourceCopyMessages, from, .MessageIdCount = 1,
                                         .MessageIds = &mid, .SendOptions = option);
        CODE(list, ecNone);
        const struct fx_stream out = fx_fetch(f, list.handle, size);
        const uint32_t upload = configure(f, to, COPY_MESSAGES);
        put_all(f, upload, out.bytes, 1 + below(20000)); /* R2391, R2393 */
        RUN(f, Release, upload);
        const uint64_t copy = only_message(f, INBOX);
        const struct fx_stream a = source_of(f, DRAFTS, mid, FX_UNICODE, 4000),
                               b = source_of(f, INBOX, copy, FX_UNICODE, 4000);
        same_stream(&a, &b);
        CODE(RUN(f, HardDeleteMessages, to, .MessageIdCount = 1, .MessageIds = &copy), ecNone);
        RUN(f, Release, m);
    }
}

/* Bytes of good streams changed, left out, doubled and swapped: some error or none, and the session goes on. */
static struct blob spoiled(struct rop_fixture *f, struct blob good)
{
    struct buf bytes;
    buf_init(&bytes, f->arena);
    buf_add(&bytes, good.data, good.size);
    for (unsigned n = 1 + below(4); n; n--) {
        const size_t at = below((unsigned)bytes.size - 8), size = 1 + below(8);
        switch (below(3)) {
        case 0: bytes.data[at] = (uint8_t)random(); break;
        case 1: memmove(bytes.data + at, bytes.data + at + size, bytes.size - at - size); break;
        default: memmove(bytes.data + at + size, bytes.data + at, bytes.size - at - size);
        }
    }
    return buf_blob(&bytes);
}

static void a_spoiled_stream_spoils_nothing_else(void **state)
{
    struct rop_fixture *f = *state;
    const char *said = getenv("OXCART_SEED");
    const unsigned seed = said ? (unsigned)atoi(said) : (unsigned)clock_ms();
    print_message("# seed %u\n", seed);
    srandom(seed);
    struct fx_out *folder = stream(f, FX_UNICODE);
    fx_put_marker(folder, FX_StartTopFld);
    put(folder, P_STR(PidTagDisplayName, "Projects"));
    put_message(folder, FX_StartMessage, "top", 10);
    put_subfolder(folder, "below", 2);
    fx_put_marker(folder, FX_EndFolder);
    struct fx_out *content = stream(f, FX_UNICODE);
    put_content(content, "content", 20000);
    const uint64_t mid = rop_message(f, INBOX, "still here");
    TALLOC_CTX *kept = f->arena;
    for (unsigned i = 0; i < 200; i++) {
        f->arena = talloc_new(kept);
        const bool is_content = i % 2;
        const uint32_t object = is_content ? new_message(f) : rop_folder(f, DRAFTS);
        const uint32_t upload = configure(f, object, is_content ? COPY_TO : COPY_FOLDER);
        const struct blob bytes = spoiled(f, bytes_of(is_content ? content : folder));
        const struct rop_done done = RUN(f, FastTransferDestinationPutBuffer, upload,
                                         .TransferDataSize = (uint16_t)bytes.size, .TransferData = bytes);
        if (is_content && !done.code)
            RUN(f, SaveChangesMessage, object, .SaveFlags = 2);
        RUN(f, Release, upload);
        RUN(f, Release, object);
        talloc_free(f->arena);
    }
    f->arena = kept;
    assert_string_equal(rop_get(f, rop_open_message(f, INBOX, mid, 0), PidTagSubject).str, "still here");
    assert_int_equal(row_count(f, INBOX, 0), 1);
}

static void who_may_only_read_uploads_nothing(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = rop_open_message(f, INBOX, rop_message(f, INBOX, "one"), 0);
    struct fx_out *out = stream(f, 0);
    put(out, P_STR(PidTagSubject, "two"));
    put_buffer(f, configure(f, m, COPY_TO), bytes_of(out), ecAccessDenied);
    assert_string_equal(rop_get(f, m, PidTagSubject).str, "one");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ROP_TEST(content_goes_into_a_message_that_the_client_saves),
        ROP_TEST(a_stream_may_be_cut_anywhere),
        ROP_TEST(text_comes_in_the_stream_s_own_form),
        ROP_TEST(an_attachment_s_content_is_the_client_s_to_save),
        ROP_TEST(each_message_of_a_list_is_saved_at_its_end),
        ROP_TEST(a_folder_comes_with_all_that_is_in_it),
        ROP_TEST(a_folder_s_content_replaces_what_the_stream_says),
        ROP_TEST(what_no_stream_fits_is_refused),
        ROP_TEST(markers_out_of_place_end_the_upload),
        ROP_TEST(a_property_out_of_place_ends_the_upload),
        ROP_TEST(messages_in_messages_come_to_an_end),
        ROP_TEST(sizes_that_lie_are_refused),
        ROP_TEST(a_broken_message_does_not_spoil_the_list),
        ROP_TEST(a_large_attachment_needs_no_memory),
        ROP_TEST(uploads_share_what_a_session_may_hold),
        ROP_TEST(what_went_out_comes_in_the_same),
        ROP_TEST(a_spoiled_stream_spoils_nothing_else),
        ROP_TEST(who_may_only_read_uploads_nothing),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("uploads", tests, NULL, NULL);
}
