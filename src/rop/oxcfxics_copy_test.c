/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS]: objects as a FastTransfer stream, for a copy of them elsewhere. */
#include "rop/fx_fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { MOVE = 0x01, COPY_SUBFOLDERS = 0x10, SEND_ENTRY_ID = 0x20, BEST_BODY = 0x2000 };

static const char *outline(struct rop_fixture *f, const struct fx_stream *stream)
{
    return fx_outline(f->arena, stream);
}

static struct fx_stream fetch(struct rop_fixture *f, struct rop_done done)
{
    CODE(done, ecNone);
    return fx_fetch(f, done.handle, 0x3000);
}

static bool has(const struct fx_stream *stream, uint32_t tag)
{
    return fx_find(stream, 0, tag, NULL) != NULL;
}

/* How often a MetaTagFXDelProp names this kind of subobjects. */
static unsigned announced(const struct fx_stream *stream, uint32_t tag)
{
    unsigned n = 0;
    for (uint32_t i = 0; i < stream->count; i++)
        n += stream->elements[i].tag == MetaTagFXDelProp && stream->elements[i].prop.u32 == tag;
    return n;
}

static uint64_t make_folder(struct rop_fixture *f, uint64_t parent, const char *name)
{
    const struct rop_done done = RUN(f, CreateFolder, rop_folder(f, parent), .FolderType = 1, .UseUnicodeStrings = 1,
                                     .DisplayName = name, .Comment = "");
    CODE(done, ecNone);
    return ((const struct RopCreateFolderResponse *)done.response)->FolderId;
}

/* A message with an attachment, saved; its handle. */
static uint32_t with_attachment(struct rop_fixture *f)
{
    const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    rop_set(f, made.handle, P_STR(PidTagSubject, "one"));
    rop_set(f, made.handle, P_STR(PidTagBody, "text"));
    const struct rop_done attached = RUN(f, CreateAttachment, made.handle);
    rop_set(f, attached.handle, P_I32(PidTagAttachMethod, 1));
    rop_set(f, attached.handle, P_BIN(PidTagAttachDataBinary, BLOB_OF("data", 4)));
    CODE(RUN(f, SaveChangesAttachment, attached.handle, .SaveFlags = 0x0C), ecNone);
    rop_save(f, made.handle);
    return made.handle;
}

/* ---- CopyTo and CopyProperties ---- */

static void a_message_is_copied_but_for_what_is_named(void **state)
{
    static const uint32_t tags[] = { PidTagBody, PidTagMessageAttachments };
    struct rop_fixture *f = *state;
    const uint32_t m = with_attachment(f);
    struct fx_stream all = fetch(f, RUN(f, FastTransferSourceCopyTo, m, .SendOptions = FX_UNICODE));
    assert_string_equal(outline(f, &all), "NewAttach EndAttach"); /* R3326, R1164 */
    assert_string_equal(fx_find(&all, 0, PidTagSubject, NULL)->str, "one");
    assert_true(has(&all, PidTagBody) && has(&all, PidTagLastModificationTime));
    assert_int_equal(announced(&all, PidTagMessageRecipients), 1); /* R2276 */
    assert_int_equal(announced(&all, PidTagMessageAttachments), 1);
    assert_false(has(&all, PidTagMid) || has(&all, PidTagSourceKey) || has(&all, PidTagEntryId));
    struct fx_stream some = fetch(
        f, RUN(f, FastTransferSourceCopyTo, m, .SendOptions = FX_UNICODE, .PropertyTagCount = 2, .PropertyTags = tags));
    assert_string_equal(outline(f, &some), "");                      /* R3440 */
    assert_int_equal(announced(&some, PidTagMessageAttachments), 0); /* R2278 */
    assert_int_equal(announced(&some, PidTagMessageRecipients), 1);
    struct fx_stream flat =
        fetch(f, RUN(f, FastTransferSourceCopyTo, m, .Level = 1, .CopyFlags = BEST_BODY | 0x060E)); /* R2707 to R2711 */
    assert_string_equal(outline(f, &flat), "");                                                     /* R3441 */
    assert_int_equal(announced(&flat, PidTagMessageRecipients), 0);
}

static void of_a_message_only_what_is_named_is_copied(void **state)
{
    static const uint32_t tags[] = { PidTagSubject, PidTagMessageAttachments };
    struct rop_fixture *f = *state;
    const uint32_t m = with_attachment(f);
    const struct fx_stream some = fetch(f, RUN(f, FastTransferSourceCopyProperties, m, .SendOptions = FX_UNICODE,
                                               .PropertyTagCount = 2, .PropertyTags = tags));
    assert_string_equal(outline(f, &some), "NewAttach EndAttach"); /* R3327, R3464 */
    assert_int_equal(some.elements[0].tag, PidTagSubject);
    assert_int_equal(some.elements[1].tag, MetaTagFXDelProp); /* R3518 */
    const struct fx_stream flat =
        fetch(f, RUN(f, FastTransferSourceCopyProperties, m, .Level = 1, .PropertyTagCount = 2, .PropertyTags = tags));
    assert_int_equal(flat.count, 1); /* R3465 */
}

static void an_attachment_is_copied_whatever_the_level_is(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = with_attachment(f);
    const struct rop_done a = RUN(f, OpenAttachment, m, .AttachmentID = 0);
    CODE(a, ecNone);
    const struct fx_stream zero = fetch(f, RUN(f, FastTransferSourceCopyTo, a.handle, .SendOptions = FX_UNICODE));
    const struct fx_stream one =
        fetch(f, RUN(f, FastTransferSourceCopyTo, a.handle, .Level = 1, .SendOptions = FX_UNICODE));
    assert_true(blob_equal(zero.bytes, one.bytes)); /* R3328, R441001 */
    assert_true(has(&zero, PidTagAttachDataBinary));
}

static void what_was_not_saved_yet_is_copied_too_and_the_copy_ends_with_its_object(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = with_attachment(f);
    rop_set(f, m, P_STR(PidTagSubject, "changed"));
    const struct rop_done copy = RUN(f, FastTransferSourceCopyTo, m, .SendOptions = FX_UNICODE);
    const struct fx_stream stream = fetch(f, RUN(f, FastTransferSourceCopyTo, m, .SendOptions = FX_UNICODE));
    assert_string_equal(fx_find(&stream, 0, PidTagSubject, NULL)->str, "changed");
    RUN(f, Release, m);
    CODE(RUN(f, FastTransferSourceGetBuffer, copy.handle, .BufferSize = 0x1000), ecInvalidObject);
}

static void a_folder_is_copied_with_messages_and_subfolders(void **state)
{
    static const uint32_t tags[] = { PidTagContainerContents };
    struct rop_fixture *f = *state;
    const uint64_t root = make_folder(f, INBOX, "root"), sub = make_folder(f, root, "sub"),
                   deep = make_folder(f, sub, "deep");
    rop_message(f, root, "in root");
    rop_message(f, deep, "in deep");
    const uint32_t folder = rop_folder(f, root);
    const struct fx_stream all = fetch(f, RUN(f, FastTransferSourceCopyTo, folder, .SendOptions = FX_UNICODE));
    assert_string_equal(
        outline(f, &all),
        "StartMessage EndMessage StartSubFld StartSubFld StartMessage EndMessage EndFolder EndFolder"); /* R3324 */
    assert_int_equal(announced(&all, PidTagFolderAssociatedContents), 3);                               /* R2620 */
    assert_int_equal(announced(&all, PidTagContainerContents), 3);
    assert_int_equal(announced(&all, PidTagContainerHierarchy), 3); /* R1113 */
    const uint32_t at = fx_marker_at(&all, "StartSubFld", 0);
    assert_int_equal(all.elements[at + 1].tag, PidTagFolderId);    /* R1344, R1345 */
    assert_int_equal(all.elements[at + 2].tag, PidTagDisplayName); /* R1347, R1348 */
    assert_int_equal(all.elements[at + 3].tag, PidTagComment);     /* R1350, R1351 */
    const struct fx_stream some =
        fetch(f, RUN(f, FastTransferSourceCopyTo, folder, .PropertyTagCount = 1, .PropertyTags = tags));
    assert_string_equal(outline(f, &some),
                        "StartSubFld StartSubFld StartMessage EndMessage EndFolder EndFolder"); /* R2272, R3515 */
    const struct fx_stream flat = fetch(f, RUN(f, FastTransferSourceCopyTo, folder, .Level = 1));
    assert_string_equal(outline(f, &flat), "");
    const struct fx_stream only =
        fetch(f, RUN(f, FastTransferSourceCopyProperties, folder, .PropertyTagCount = 1, .PropertyTags = tags));
    assert_string_equal(outline(f, &only), "StartMessage EndMessage"); /* R3325 */
}

/* ---- CopyMessages and CopyFolder ---- */

static void messages_are_copied_in_their_order_each_in_its_markers(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mids[] = { rop_message(f, INBOX, "a"), store_id(0x777777), rop_message(f, INBOX, "b") };
    const uint32_t folder = rop_folder(f, INBOX);
    const struct fx_stream all = fetch(f, RUN(f, FastTransferSourceCopyMessages, folder, .MessageIdCount = 3,
                                              .MessageIds = mids, .SendOptions = FX_UNICODE));
    assert_string_equal(outline(f, &all), "StartMessage EndMessage StartMessage EndMessage"); /* R3330, R1132 */
    assert_int_equal(all.elements[1].tag, PidTagMid);                                         /* R3311, R3311002 */
    assert_true(all.elements[1].prop.u64 == mids[0]);
    assert_false(has(&all, PidTagSourceKey) || has(&all, PidTagChangeKey)); /* R3475 */
    const struct fx_stream ids =
        fetch(f, RUN(f, FastTransferSourceCopyMessages, folder, .MessageIdCount = 1, .MessageIds = mids,
                     .SendOptions = FX_UNICODE, .CopyFlags = SEND_ENTRY_ID | 0x0E)); /* R2715, R2716 */
    assert_true(has(&ids, PidTagSourceKey) && has(&ids, PidTagChangeKey) && has(&ids, PidTagPredecessorChangeList) &&
                has(&ids, PidTagLastModificationTime) && has(&ids, PidTagOriginalEntryId)); /* R3474, R3132, R3133 */
}

static void an_associated_message_has_a_marker_of_its_own(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done made =
        RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX, .AssociatedFlag = true);
    const uint64_t mid = rop_save(f, made.handle);
    const struct fx_stream all =
        fetch(f, RUN(f, FastTransferSourceCopyMessages, rop_folder(f, INBOX), .MessageIdCount = 1, .MessageIds = &mid));
    assert_string_equal(outline(f, &all), "StartFAIMsg EndMessage"); /* R1133 */
}

static void a_top_folder_is_copied_with_its_subfolders_where_that_is_asked(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t root = make_folder(f, INBOX, "root"), sub = make_folder(f, root, "sub");
    const uint32_t folder = rop_folder(f, root);
    rop_message(f, root, "in root");
    rop_message(f, sub, "in sub");
    const struct fx_stream flat = fetch(f, RUN(f, FastTransferSourceCopyFolder, folder, .SendOptions = FX_UNICODE));
    assert_string_equal(outline(f, &flat), "StartTopFld StartMessage EndMessage EndFolder"); /* R3331, R3482 */
    assert_int_equal(announced(&flat, PidTagContainerContents), 0);
    assert_false(has(&flat, PidTagDisplayName) || has(&flat, PidTagFolderId));                  /* R1345, R1348 */
    assert_int_equal(flat.elements[fx_marker_at(&flat, "StartMessage", 0) + 1].tag, PidTagMid); /* R3311001 */
    const char *whole = "StartTopFld StartMessage EndMessage StartSubFld StartMessage EndMessage EndFolder EndFolder";
    const struct fx_stream deep = fetch(f, RUN(f, FastTransferSourceCopyFolder, folder, .CopyFlags = COPY_SUBFOLDERS));
    assert_string_equal(outline(f, &deep), whole); /* R2124 */
    const struct fx_stream move = fetch(f, RUN(f, FastTransferSourceCopyFolder, folder, .CopyFlags = MOVE));
    assert_string_equal(outline(f, &move), whole); /* R3481 */
}

static void unknown_flags_are_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = with_attachment(f), folder = rop_folder(f, INBOX);
    const uint64_t mid = rop_message(f, INBOX, "a");
    CODE(RUN(f, FastTransferSourceCopyTo, m, .CopyFlags = 0x10000), ecInvalidParam);        /* R2096 */
    CODE(RUN(f, FastTransferSourceCopyTo, m, .CopyFlags = MOVE), ecInvalidParam);           /* R3442 */
    CODE(RUN(f, FastTransferSourceCopyTo, m, .SendOptions = 0x80), ecInvalidParam);         /* R2101 */
    CODE(RUN(f, FastTransferSourceCopyProperties, m, .CopyFlags = 0x10), ecInvalidParam);   /* R2105 */
    CODE(RUN(f, FastTransferSourceCopyProperties, m, .SendOptions = 0x80), ecInvalidParam); /* R2111 */
    CODE(RUN(f, FastTransferSourceCopyMessages, folder, .MessageIdCount = 1, .MessageIds = &mid, .CopyFlags = 0x40),
         ecInvalidParam);
    CODE(RUN(f, FastTransferSourceCopyFolder, folder, .CopyFlags = 0x20), ecInvalidParam);   /* R2131 */
    CODE(RUN(f, FastTransferSourceCopyFolder, folder, .SendOptions = 0x80), ecInvalidParam); /* R2134 */
    CODE(RUN(f, FastTransferSourceCopyFolder, m), ecNotSupported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_message_is_copied_but_for_what_is_named),
        ROP_TEST(of_a_message_only_what_is_named_is_copied),
        ROP_TEST(an_attachment_is_copied_whatever_the_level_is),
        ROP_TEST(what_was_not_saved_yet_is_copied_too_and_the_copy_ends_with_its_object),
        ROP_TEST(a_folder_is_copied_with_messages_and_subfolders),
        ROP_TEST(messages_are_copied_in_their_order_each_in_its_markers),
        ROP_TEST(an_associated_message_has_a_marker_of_its_own),
        ROP_TEST(a_top_folder_is_copied_with_its_subfolders_where_that_is_asked),
        ROP_TEST(unknown_flags_are_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
