/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFOLD] and [MS-OXCSTOR] as a client meets them. */
#include "rop/fixture.h"

static uint32_t open_folder(struct rop_fixture *f, uint64_t fid)
{
    const struct rop_done done = RUN(f, OpenFolder, f->logon, .FolderId = fid);
    assert_int_equal(done.code, ecNone);
    return done.handle;
}

static void a_logon_names_the_thirteen_folders(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done done = RUN(f, Logon, 0xFFFFFFFF, .LogonFlags = 1, .EssdnSize = 1, .Essdn = f->alice->legacy_dn);
    const struct RopLogonResponse *r = done.response;
    assert_int_equal(done.code, ecNone);
    assert_int_equal(r->FolderIds.Inbox, STORE_FID(SPECIAL_INBOX));
    assert_int_equal(r->ResponseFlags & 0x01, 0x01);
    assert_int_equal(r->ResponseFlags & 0x02, 0x02);                 /* the owner */
    assert_true(guid_equal(r->MailboxGuid, f->alice->mailbox_guid));
    assert_int_equal(r->ReplId, 1);
    f->logon = done.handle;
}

static void somebody_elses_mailbox_is_refused_and_nobodys_is_unknown(void **state)
{
    struct rop_fixture *f = *state;
    assert_int_equal(RUN(f, Logon, 0xFFFFFFFF, .LogonFlags = 1, .EssdnSize = 1, .Essdn = f->bob->legacy_dn).code,
                     (uint32_t)ecAccessDenied);
    assert_int_equal(RUN(f, Logon, 0xFFFFFFFF, .LogonFlags = 1, .EssdnSize = 1, .Essdn = "/o=Nobody").code, ecUnknownUser);
    assert_int_equal(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)).code, ecNone);
}

static void a_stale_handle_and_one_never_given_out_are_told_apart(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = open_folder(f, STORE_FID(SPECIAL_INBOX));
    RUN(f, Release, inbox);
    assert_int_equal(RUN(f, GetContentsTable, inbox).code, (uint32_t)ecInvalidObject);
    assert_int_equal(RUN(f, GetContentsTable, 4711).code, ecNullObject);
    assert_int_equal(RUN(f, GetContentsTable, 0xFFFFFFFF).code, ecNullObject);
}

static void a_table_is_not_a_folder(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t table = RUN(f, GetContentsTable, open_folder(f, STORE_FID(SPECIAL_INBOX))).handle;
    assert_int_equal(RUN(f, CreateFolder, table, .FolderType = 1, .DisplayName = "x", .Comment = "").code,
                     (uint32_t)ecNotSupported);
}

static void a_folder_is_made_once_and_found_again_where_asked(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t top = open_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE));
    const struct rop_done made = RUN(f, CreateFolder, top, .FolderType = 1, .UseUnicodeStrings = true,
                                     .DisplayName = "Projects", .Comment = "");
    assert_int_equal(made.code, ecNone);
    assert_false(((const struct RopCreateFolderResponse *)made.response)->IsExistingFolder);
    assert_int_equal(RUN(f, CreateFolder, top, .FolderType = 1, .UseUnicodeStrings = true, .DisplayName = "PROJECTS",
                         .Comment = "").code, (uint32_t)ecDuplicateName);
    const struct rop_done again = RUN(f, CreateFolder, top, .FolderType = 1, .UseUnicodeStrings = true,
                                      .OpenExisting = true, .DisplayName = "projects", .Comment = "");
    assert_int_equal(again.code, ecNone);
    assert_true(((const struct RopCreateFolderResponse *)again.response)->IsExistingFolder);
    assert_int_equal(((const struct RopCreateFolderResponse *)again.response)->FolderId,
                     ((const struct RopCreateFolderResponse *)made.response)->FolderId);
}

static void a_missing_destination_is_named_by_its_index(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mids[] = { 1 };
    const struct rop_done done = RUN_TO(f, MoveCopyMessages, open_folder(f, STORE_FID(SPECIAL_INBOX)), 0xFFFFFFFF,
                                        .MessageIdCount = 1, .MessageIds = mids);
    assert_int_equal(done.code, ecDstNullObject);
    assert_int_equal(((const struct RopMoveCopyMessagesFailure *)done.response)->DestHandleIndex, 1);
}

static void the_default_receive_folders_are_those_of_MS_OXCSTOR_3_2_3(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done done = RUN(f, GetReceiveFolder, f->logon, .MessageClass = "IPM.Note.Special");
    const struct RopGetReceiveFolderResponse *r = done.response;
    assert_int_equal(done.code, ecNone);
    assert_int_equal(r->FolderId, STORE_FID(SPECIAL_INBOX));
    assert_string_equal(r->ExplicitMessageClass, "IPM");
    assert_int_equal(RUN(f, GetReceiveFolder, f->logon, .MessageClass = ".IPM").code, (uint32_t)ecInvalidParam);
    assert_int_equal(RUN(f, SetReceiveFolder, f->logon, .MessageClass = "IPM").code, (uint32_t)ecAccessDenied);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rop_fixture_open, rop_fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_logon_names_the_thirteen_folders),
        TEST(somebody_elses_mailbox_is_refused_and_nobodys_is_unknown),
        TEST(a_stale_handle_and_one_never_given_out_are_told_apart),
        TEST(a_table_is_not_a_folder),
        TEST(a_folder_is_made_once_and_found_again_where_asked),
        TEST(a_missing_destination_is_named_by_its_index),
        TEST(the_default_receive_folders_are_those_of_MS_OXCSTOR_3_2_3),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
