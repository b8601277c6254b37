/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFOLD] 3.2.5 as a client meets it. */
#include "rop/fixture.h"

#define NONE 0xFFFFFFFFu
enum { DEL_MESSAGES = 0x01, DEL_FOLDERS = 0x04, DELETE_HARD_DELETE = 0x10 };

struct made {
    uint32_t code, handle;
    uint64_t fid;
    bool existed;
};

static struct made create(struct rop_fixture *f, uint32_t parent, const char *name, bool open_existing)
{
    const struct rop_done done = RUN(f, CreateFolder, parent, .FolderType = 1, .UseUnicodeStrings = true,
                                     .OpenExisting = open_existing, .DisplayName = name, .Comment = "a comment");
    const struct RopCreateFolderResponse *r = done.response;
    return (struct made){ done.code, done.handle, r ? r->FolderId : 0, r && r->IsExistingFolder };
}

static struct made make(struct rop_fixture *f, uint32_t parent, const char *name)
{
    const struct made m = create(f, parent, name, false);
    assert_int_equal(m.code, ecNone);
    return m;
}

static uint32_t top(struct rop_fixture *f)
{
    return rop_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE));
}

static bool exists(struct rop_fixture *f, uint64_t fid)
{
    const struct rop_done done = RUN(f, OpenFolder, f->logon, .FolderId = fid);
    assert_true(done.code == ecNone || done.code == (uint32_t)ecNotFound);
    return done.code == ecNone;
}

static uint32_t rows_of(struct rop_fixture *f, uint32_t folder, uint8_t flags)
{
    const struct rop_done done = RUN(f, GetContentsTable, folder, .TableFlags = flags);
    CODE(done, ecNone);
    return ((const struct RopGetContentsTableResponse *)done.response)->RowCount;
}

static uint32_t subfolders_of(struct rop_fixture *f, uint32_t folder, uint8_t flags)
{
    const struct rop_done done = RUN(f, GetHierarchyTable, folder, .TableFlags = flags);
    CODE(done, ecNone);
    return ((const struct RopGetHierarchyTableResponse *)done.response)->RowCount;
}

/* ---- opening and creating ---- */

static void a_folder_opens_whatever_undefined_bits_say(void **state)
{
    struct rop_fixture *f = *state;
    static const uint8_t bits[] = { 0, 0x01, 0x02, 0x08, 0x10, 0x20, 0x40, 0x80 };
    for (size_t i = 0; i < COUNTOF(bits); i++)
        CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX), .OpenModeFlags = bits[i]),
             ecNone); /* R465 */
    CODE(RUN(f, OpenFolder, rop_folder(f, STORE_FID(SPECIAL_INBOX)), .FolderId = STORE_FID(SPECIAL_OUTBOX)), ecNone);
}

static void a_folder_that_is_not_there_is_ecNotFound(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = store_id(0x123456)), ecNotFound); /* R469 */
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = 0), ecNotFound);
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX) + 1), ecNotFound); /* another replica */
}

static void a_table_is_not_a_folder(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t table = RUN(f, GetContentsTable, rop_folder(f, STORE_FID(SPECIAL_INBOX))).handle;
    CODE(RUN(f, OpenFolder, table, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNotSupported);                 /* R473 */
    CODE(RUN(f, CreateFolder, table, .FolderType = 1, .DisplayName = "x", .Comment = ""), ecNotSupported); /* R495 */
    CODE(RUN(f, DeleteFolder, table, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNotSupported);               /* R509 */
    CODE(RUN(f, EmptyFolder, table), ecNotSupported);                                                      /* R625 */
    CODE(RUN(f, GetHierarchyTable, table), ecNotSupported);                                                /* R658 */
    CODE(RUN(f, GetContentsTable, table), ecNotSupported);                                                 /* R672 */
    CODE(RUN(f, DeleteMessages, table), ecNotSupported);                                                   /* R638 */
    CODE(RUN_TO(f, MoveCopyMessages, table, table), ecNotSupported);                                       /* R590 */
    CODE(RUN_TO(f, MoveFolder, top(f), table, .NewFolderName = "x"), ecNotSupported);                      /* R602 */
}

static void a_folder_is_made_once_and_found_again_where_asked(void **state)
{
    struct rop_fixture *f = *state;
    const struct made made = make(f, top(f), "Projects");
    assert_false(made.existed);
    assert_int_equal(create(f, top(f), "PROJECTS", false).code, (uint32_t)ecDuplicateName); /* R493 */
    const struct made again = create(f, top(f), "projects", true);
    assert_int_equal(again.code, ecNone); /* R482 */
    assert_true(again.existed);
    assert_int_equal(again.fid, made.fid);
    assert_false(create(f, made.handle, "Projects", true).existed); /* R483 */
    assert_string_equal(rop_get(f, made.handle, PidTagDisplayName).str, "Projects");
    assert_string_equal(rop_get(f, made.handle, PidTagComment).str, "a comment");
}

static void a_folder_needs_a_name_and_a_type(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, CreateFolder, top(f), .FolderType = 3, .DisplayName = "x", .Comment = ""), ecInvalidParam); /* R487 */
    CODE(RUN(f, CreateFolder, top(f), .FolderType = 0, .DisplayName = "x", .Comment = ""), ecInvalidParam);
    CODE(RUN(f, CreateFolder, top(f), .FolderType = 1, .DisplayName = "", .Comment = ""), ecInvalidParam); /* R477 */
}

static void a_name_in_8_bits_is_read_in_the_sessions_code_page(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done done = RUN(f, CreateFolder, top(f), .FolderType = 1, .DisplayName = "Pläne", .Comment = "");
    CODE(done, ecNone);
    assert_string_equal(rop_get(f, done.handle, PidTagDisplayName).str, "Pläne");
}

/* ---- deleting and emptying ---- */

static bool partial_of_delete(struct rop_fixture *f, uint32_t parent, uint64_t fid, uint8_t flags)
{
    const struct rop_done done = RUN(f, DeleteFolder, parent, .DeleteFolderFlags = flags, .FolderId = fid);
    CODE(done, ecNone); /* R816, R1080 */
    return ((const struct RopDeleteFolderResponse *)done.response)->PartialCompletion;
}

static void without_DEL_MESSAGES_a_folder_with_messages_stays(void **state)
{
    struct rop_fixture *f = *state;
    const struct made made = make(f, top(f), "Projects");
    rop_message(f, made.fid, "m");
    assert_true(partial_of_delete(f, top(f), made.fid, DEL_FOLDERS)); /* R817 */
    assert_true(exists(f, made.fid));                                 /* R371 */
    assert_false(partial_of_delete(f, top(f), made.fid, DEL_MESSAGES));
    assert_false(exists(f, made.fid)); /* R471, R498 */
}

static void a_soft_deleted_folder_says_when_it_was_deleted(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t columns[] = { PidTagFolderId, PidTagDeletedOn };
    const struct made made = make(f, top(f), "Projects");
    assert_int_equal(rop_get(f, made.handle, PidTagDeletedOn).u32, (uint32_t)ecNotFound);
    const uint64_t before = filetime_now();
    assert_false(partial_of_delete(f, top(f), made.fid, DEL_MESSAGES));
    const uint32_t t = RUN(f, GetHierarchyTable, top(f), .TableFlags = TABLE_SOFT_DELETES).handle;
    CODE(RUN(f, SetColumns, t, .PropertyTagCount = 2, .PropertyTags = columns), ecNone);
    const struct rop_done done = RUN_ROWS(f, QueryRows, t, columns, .ForwardRead = true, .RowCount = 9);
    const struct RopQueryRowsResponse *r = done.response;
    assert_int_equal(r->RowCount, 1);
    assert_int_equal(r->RowData[0].values[0].u64, made.fid);
    assert_int_equal(r->RowData[0].values[1].tag, PidTagDeletedOn);
    assert_in_range(r->RowData[0].values[1].u64, before, filetime_now()); /* R10348 */
}

static void without_DEL_FOLDERS_a_folder_with_subfolders_stays(void **state)
{
    struct rop_fixture *f = *state;
    const struct made outer = make(f, top(f), "Outer"), inner = make(f, outer.handle, "Inner");
    assert_true(partial_of_delete(f, top(f), outer.fid, DEL_MESSAGES)); /* R1081 */
    assert_true(exists(f, inner.fid));                                  /* R1079 */
    assert_false(partial_of_delete(f, top(f), outer.fid, DEL_MESSAGES | DEL_FOLDERS | DELETE_HARD_DELETE));
    assert_false(exists(f, inner.fid)); /* R497 */
}

static void what_cannot_be_deleted_says_why(void **state)
{
    struct rop_fixture *f = *state;
    const struct made made = make(f, top(f), "Projects");
    CODE(RUN(f, DeleteFolder, top(f), .DeleteFolderFlags = 0x02, .FolderId = made.fid), ecInvalidParam); /* R1236 */
    CODE(RUN(f, DeleteFolder, top(f), .FolderId = store_id(0x4711)), ecNotFound);                        /* R507 */
    CODE(RUN(f, DeleteFolder, made.handle, .FolderId = made.fid), ecNotFound); /* not its parent */
    const struct rop_done inbox = RUN(f, DeleteFolder, top(f), .DeleteFolderFlags = DEL_MESSAGES | DEL_FOLDERS,
                                      .FolderId = STORE_FID(SPECIAL_INBOX));
    assert_int_not_equal(inbox.code, ecNone);
    assert_true(exists(f, STORE_FID(SPECIAL_INBOX)) && exists(f, made.fid));
}

static void emptying_leaves_the_folder_and_what_is_associated_unless_asked(void **state)
{
    struct rop_fixture *f = *state;
    const struct made made = make(f, top(f), "Projects");
    make(f, made.handle, "Inner");
    rop_message(f, made.fid, "m");
    const uint32_t associated =
        RUN(f, CreateMessage, made.handle, .CodePageId = 0x0FFF, .FolderId = made.fid, .AssociatedFlag = true).handle;
    rop_save(f, associated);
    const struct rop_done done = RUN(f, EmptyFolder, made.handle);
    CODE(done, ecNone);
    assert_false(((const struct RopEmptyFolderResponse *)done.response)->PartialCompletion);
    assert_int_equal(rows_of(f, made.handle, 0), 0);
    assert_int_equal(subfolders_of(f, made.handle, 0), 0); /* R618 */
    assert_int_equal(rows_of(f, made.handle, TABLE_ASSOCIATED), 1);
    CODE(RUN(f, EmptyFolder, made.handle, .WantDeleteAssociated = true), ecNone);
    assert_int_equal(rows_of(f, made.handle, TABLE_ASSOCIATED), 0); /* R238 */
    rop_save(
        f,
        RUN(f, CreateMessage, made.handle, .CodePageId = 0x0FFF, .FolderId = made.fid, .AssociatedFlag = true).handle);
    assert_int_equal(rows_of(f, made.handle, TABLE_ASSOCIATED), 1);
    CODE(RUN(f, HardDeleteMessagesAndSubfolders, made.handle, .WantDeleteAssociated = true), ecNone);
    assert_int_equal(rows_of(f, made.handle, TABLE_ASSOCIATED), 0); /* R113804 */
    assert_true(exists(f, made.fid));                               /* R113801 */
}

/* ---- messages of a folder ---- */

static void deleted_messages_are_soft_deleted_and_hard_deleted_ones_are_gone(void **state)
{
    struct rop_fixture *f = *state;
    const struct made made = make(f, top(f), "Projects");
    const uint64_t soft[] = { rop_message(f, made.fid, "a") }, hard[] = { rop_message(f, made.fid, "b") };
    CODE(RUN(f, DeleteMessages, made.handle, .WantAsynchronous = false, .MessageIdCount = 1, .MessageIds = soft),
         ecNone);
    assert_int_equal(rows_of(f, made.handle, 0), 1); /* R271: done when it is answered */
    CODE(RUN(f, HardDeleteMessages, made.handle, .MessageIdCount = 1, .MessageIds = hard), ecNone);
    assert_int_equal(rows_of(f, made.handle, 0), 0);
    assert_int_equal(rows_of(f, made.handle, TABLE_SOFT_DELETES), 1); /* R1156 */
    const struct rop_done missing = RUN(f, DeleteMessages, made.handle, .MessageIdCount = 1, .MessageIds = hard);
    assert_true(((const struct RopDeleteMessagesResponse *)missing.response)->PartialCompletion); /* R1147 */
}

static void messages_are_moved_and_copied_between_folders(void **state)
{
    struct rop_fixture *f = *state;
    const struct made from = make(f, top(f), "From"), to = make(f, top(f), "To");
    const uint64_t mids[] = { rop_message(f, from.fid, "a"), rop_message(f, from.fid, "b") };
    CODE(RUN_TO(f, MoveCopyMessages, from.handle, to.handle, .MessageIdCount = 2, .MessageIds = mids, .WantCopy = true),
         ecNone);
    assert_int_equal(rows_of(f, from.handle, 0), 2);
    assert_int_equal(rows_of(f, to.handle, 0), 2);
    const struct rop_done done = RUN_TO(f, MoveCopyMessages, from.handle, to.handle, .MessageIdCount = 1,
                                        .MessageIds = mids, .WantAsynchronous = true);
    CODE(done, ecNone);
    assert_int_equal(rows_of(f, from.handle, 0), 1);
    assert_int_equal(rows_of(f, to.handle, 0), 3);
    const struct rop_done gone =
        RUN_TO(f, MoveCopyMessages, from.handle, to.handle, .MessageIdCount = 1, .MessageIds = mids);
    assert_true(((const struct RopMoveCopyMessagesResponse *)gone.response)->PartialCompletion); /* R586 */
}

static void a_missing_destination_is_named_by_its_index(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mids[] = { 1 };
    const struct rop_done done = RUN_TO(f, MoveCopyMessages, rop_folder(f, STORE_FID(SPECIAL_INBOX)), NONE,
                                        .MessageIdCount = 1, .MessageIds = mids);
    assert_int_equal(done.code, ecDstNullObject);
    assert_int_equal(((const struct RopMoveCopyMessagesFailure *)done.response)->DestHandleIndex, 1);
}

/* ---- whole folders ---- */

static void a_folder_moves_with_all_it_has(void **state)
{
    struct rop_fixture *f = *state;
    const struct made a = make(f, top(f), "A"), b = make(f, top(f), "B"), inner = make(f, a.handle, "Inner");
    rop_message(f, inner.fid, "m");
    CODE(RUN_TO(f, MoveFolder, a.handle, b.handle, .UseUnicode = true, .FolderId = inner.fid, .NewFolderName = "Moved"),
         ecNone);
    assert_int_equal(subfolders_of(f, a.handle, 0), 0);
    assert_int_equal(subfolders_of(f, b.handle, 0), 1);
    assert_int_equal(rows_of(f, rop_folder(f, inner.fid), 0), 1);
    assert_string_equal(rop_get(f, rop_folder(f, inner.fid), PidTagDisplayName).str, "Moved");
    CODE(
        RUN_TO(f, MoveFolder, b.handle, a.handle, .UseUnicode = false, .FolderId = inner.fid, .NewFolderName = "Pläne"),
        ecNone);
    assert_string_equal(rop_get(f, rop_folder(f, inner.fid), PidTagDisplayName).str,
                        "Pläne"); /* R184: in the code page */
    CODE(RUN_TO(f, MoveFolder, top(f), b.handle, .UseUnicode = true, .FolderId = b.fid, .NewFolderName = "x"),
         ecRootFolder);
    CODE(RUN_TO(f, MoveFolder, top(f), b.handle, .UseUnicode = true, .FolderId = store_id(9999), .NewFolderName = "x"),
         ecNotFound);
}

static void a_folder_is_copied_with_its_messages_and_below_where_asked(void **state)
{
    struct rop_fixture *f = *state;
    const struct made a = make(f, top(f), "A"), b = make(f, top(f), "B"), inner = make(f, a.handle, "Inner");
    rop_message(f, a.fid, "m");
    rop_message(f, inner.fid, "n");
    CODE(RUN_TO(f, CopyFolder, top(f), b.handle, .UseUnicode = true, .FolderId = a.fid, .NewFolderName = "Flat"),
         ecNone);
    CODE(RUN_TO(f, CopyFolder, top(f), b.handle, .UseUnicode = true, .WantRecursive = true, .FolderId = a.fid,
                .NewFolderName = "Deep"),
         ecNone);
    const struct made flat = create(f, b.handle, "Flat", true), deep = create(f, b.handle, "Deep", true);
    assert_true(flat.existed && deep.existed);
    assert_int_equal(rows_of(f, flat.handle, 0), 1); /* R605 */
    assert_int_equal(subfolders_of(f, flat.handle, 0), 0);
    assert_int_equal(subfolders_of(f, deep.handle, 0), 1); /* R1122 */
    CODE(RUN_TO(f, CopyFolder, top(f), b.handle, .UseUnicode = true, .FolderId = store_id(9999), .NewFolderName = "x"),
         ecNotFound);
}

/* ---- tables ---- */

static void the_hierarchy_is_one_level_or_all_of_them(void **state)
{
    struct rop_fixture *f = *state;
    const struct made a = make(f, top(f), "A"), b = make(f, a.handle, "B");
    make(f, b.handle, "C");
    assert_int_equal(subfolders_of(f, a.handle, 0), 1); /* R648 */
    assert_int_equal(subfolders_of(f, a.handle, TABLE_DEPTH), 2);
    assert_true(subfolders_of(f, f->logon, 0) > 5);
}

static void contents_tables_refuse_flags_that_they_do_not_know(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, STORE_FID(SPECIAL_INBOX));
    CODE(RUN(f, GetContentsTable, inbox, .TableFlags = 0x01), ecInvalidParam); /* R1179 */
    CODE(RUN(f, GetContentsTable, inbox, .TableFlags = 0x04), ecInvalidParam);
    CODE(RUN(f, GetContentsTable, inbox, .TableFlags = 0x7A), ecNone);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_folder_opens_whatever_undefined_bits_say),
        ROP_TEST(a_folder_that_is_not_there_is_ecNotFound),
        ROP_TEST(a_table_is_not_a_folder),
        ROP_TEST(a_folder_is_made_once_and_found_again_where_asked),
        ROP_TEST(a_folder_needs_a_name_and_a_type),
        ROP_TEST(a_name_in_8_bits_is_read_in_the_sessions_code_page),
        ROP_TEST(without_DEL_MESSAGES_a_folder_with_messages_stays),
        ROP_TEST(a_soft_deleted_folder_says_when_it_was_deleted),
        ROP_TEST(without_DEL_FOLDERS_a_folder_with_subfolders_stays),
        ROP_TEST(what_cannot_be_deleted_says_why),
        ROP_TEST(emptying_leaves_the_folder_and_what_is_associated_unless_asked),
        ROP_TEST(deleted_messages_are_soft_deleted_and_hard_deleted_ones_are_gone),
        ROP_TEST(messages_are_moved_and_copied_between_folders),
        ROP_TEST(a_missing_destination_is_named_by_its_index),
        ROP_TEST(a_folder_moves_with_all_it_has),
        ROP_TEST(a_folder_is_copied_with_its_messages_and_below_where_asked),
        ROP_TEST(the_hierarchy_is_one_level_or_all_of_them),
        ROP_TEST(contents_tables_refuse_flags_that_they_do_not_know),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
