/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCSTOR]: the public folders as clients of two people meet them. */
#include "rop/fixture.h"

#define NONE 0xFFFFFFFFu
#define SUBTREE STORE_FID(PUBLIC_IPM_SUBTREE)

static const struct account *begin(struct rop_fixture *f)
{
    return session_fixture_public_folders(f->world);
}

/* The store of the public folders, for what an administrator does. */
static struct store *open_store(struct rop_fixture *f)
{
    const struct account *folders = directory_public_folders(f->directory, f->arena);
    struct store *store;
    assert_int_equal(store_get(sessions_stores(f->sessions), folders->store_url, folders->mailbox_guid, &store), ecNone);
    store_lock(store);
    return store;
}

static void close_store(struct store *store)
{
    store_unlock(store);
    store_put(store);
}

/* As New-PublicFolder makes one: everybody is an author in it. */
static uint64_t make_folder(struct rop_fixture *f, const char *name)
{
    struct store *store = open_store(f);
    uint64_t fid;
    bool existed;
    assert_int_equal(store_folder_create(store, SUBTREE, FOLDER_GENERIC, name, "", false, &fid, &existed), ecNone);
    close_store(store);
    return fid;
}

static void a_public_logon_names_the_folders_of_its_own(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const struct rop_done done = RUN(f, Logon, NONE, .LogonFlags = 6, .OpenFlags = 2);
    CODE(done, ecNone); /* R786 */
    const struct RopLogonResponse *r = done.response;
    assert_int_equal(r->LogonFlags, 6); /* R146, R1071 */
    assert_int_equal(r->PublicIds.Root, STORE_FID(PUBLIC_ROOT));
    assert_int_equal(r->PublicIds.IpmSubtree, SUBTREE); /* R147 */
    assert_int_equal(r->PublicIds.FreeBusy, STORE_FID(PUBLIC_FREE_BUSY));
    assert_int_equal(r->PublicIds.Empty3, 0);
    assert_int_equal(r->ReplId, STORE_REPLICA_ID);
    assert_false(guid_is_zero(r->ReplGuid)); /* R148, R149 */
    assert_true(guid_is_zero(r->PerUserGuid)); /* R162 */
    const struct rop_done again = RUN(f, Logon, NONE, .OpenFlags = 0x01000002);
    const struct RopLogonResponse *second = again.response;
    assert_memory_equal(&second->PublicIds, &r->PublicIds, sizeof r->PublicIds); /* R3540 */
    struct store *store = open_store(f);
    const struct guid replica = store_replica_guid(store);
    close_store(store);
    assert_true(guid_equal(replica, second->ReplGuid)); /* R153 */
}

static void a_public_logon_finds_nobody_where_there_are_no_folders_or_elsewhere(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, Logon, NONE, .OpenFlags = 2), ecLoginFailure); /* R59753 */
    const struct account *folders = begin(f);
    CODE(RUN(f, Logon, NONE, .OpenFlags = 0), ecLoginFailure);           /* R3110001 */
    CODE(RUN(f, Logon, NONE, .OpenFlags = 0x102), ecLoginFailure);       /* R833, R835 */
    CODE(RUN(f, Logon, NONE, .LogonFlags = 4, .OpenFlags = 0x102), ecLoginFailure); /* R838001 */
    CODE(RUN(f, Logon, NONE, .LogonFlags = 0x10, .OpenFlags = 2), ecError); /* R3109 */
    CODE(RUN(f, Logon, NONE, .LogonFlags = 1, .EssdnSize = 1, .Essdn = folders->legacy_dn), ecLoginFailure);
    CODE(RUN(f, Logon, NONE, .LogonFlags = 4, .OpenFlags = 0x202), ecNone); /* R1218 */
}

static void what_only_mailboxes_have_is_not_supported(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const uint32_t logon = RUN(f, Logon, NONE, .OpenFlags = 2).handle;
    CODE(RUN(f, GetReceiveFolder, logon, .MessageClass = "IPM"), ecNotSupported);                     /* R59783 */
    CODE(RUN(f, SetReceiveFolder, logon, .FolderId = SUBTREE, .MessageClass = "IPM.A"), ecNotSupported); /* R856 */
    CODE(RUN(f, GetReceiveFolderTable, logon), ecNotSupported);                                       /* R875 */
    CODE(RUN(f, GetStoreState, logon), ecNotSupported);                                               /* R888 */
}

static void the_one_server_owns_every_folder_and_none_is_a_ghost(void **state)
{
    struct rop_fixture *f = *state;
    const struct account *folders = begin(f);
    const uint32_t logon = RUN(f, Logon, NONE, .OpenFlags = 2).handle;
    const struct rop_done owners = RUN(f, GetOwningServers, logon, .FolderId = SUBTREE);
    CODE(owners, ecNone);
    const struct RopGetOwningServersResponse *r = owners.response;
    assert_int_equal(r->OwningServersCount, 1); /* R351, R371 */
    assert_int_equal(r->CheapServersCount, 1);  /* R367, R368 */
    assert_string_equal(r->OwningServers[0], folders->legacy_dn); /* R370 */
    const struct rop_done ghost = RUN(f, PublicFolderIsGhosted, logon, .FolderId = SUBTREE);
    CODE(ghost, ecNone);
    assert_false(((const struct RopPublicFolderIsGhostedResponse *)ghost.response)->IsGhosted); /* R405, R1239 */
    const uint64_t nowhere = store_id(0x7777);
    CODE(RUN(f, GetOwningServers, logon, .FolderId = nowhere), ecNotFound);      /* R1232 */
    CODE(RUN(f, PublicFolderIsGhosted, logon, .FolderId = nowhere), ecNotFound); /* R1236 */
    const struct rop_done opened = RUN(f, OpenFolder, logon, .FolderId = SUBTREE);
    CODE(opened, ecNone);
    assert_false(((const struct RopOpenFolderResponse *)opened.response)->IsGhosted); /* MS-OXCFOLD_R39 */
}

static void everybody_writes_and_reads_but_changes_only_what_is_his(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *alice = rop_public_session(f, f->alice), *bob = rop_public_session(f, f->bob);
    const uint64_t mid = rop_message(alice, fid, "of alice");
    const uint32_t reading = rop_open_message(bob, fid, mid, MESSAGE_READONLY);
    assert_string_equal(rop_get(bob, reading, PidTagSubject).str, "of alice");
    assert_string_equal(rop_get(bob, reading, PidTagCreatorName).str, "Alice Example");
    CODE(RUN(bob, OpenMessage, bob->logon, .FolderId = fid, .MessageId = mid, .CodePageId = 0x0FFF,
             .OpenModeFlags = MESSAGE_READWRITE),
         ecAccessDenied);
    rop_open_message(alice, fid, mid, MESSAGE_READWRITE);
    const struct rop_done made = RUN(bob, CreateFolder, rop_folder(bob, fid), .FolderType = FOLDER_GENERIC,
                                     .UseUnicodeStrings = true, .DisplayName = "His", .Comment = "");
    CODE(made, ecAccessDenied);
}

static void entry_ids_say_that_they_are_of_public_folders(void **state)
{
    static const uint8_t provider[16] = { 0x1A, 0x44, 0x73, 0x90, 0xAA, 0x66, 0x11, 0xCD,
                                          0x9B, 0xC8, 0x00, 0xAA, 0x00, 0x2F, 0xC4, 0x5A };
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *alice = rop_public_session(f, f->alice);
    const uint64_t mid = rop_message(alice, fid, "of alice");
    const struct blob folder = rop_get(alice, rop_folder(alice, fid), PidTagEntryId).bin;
    assert_int_equal(folder.size, 46);
    assert_memory_equal(folder.data + 4, provider, 16);
    assert_int_equal(folder.data[20], 3);
    const struct blob message =
        rop_get(alice, rop_open_message(alice, fid, mid, MESSAGE_READONLY), PidTagEntryId).bin;
    assert_int_equal(message.size, 70);
    assert_memory_equal(message.data + 4, provider, 16);
    assert_int_equal(message.data[20], 9);
}

static void what_one_posts_another_hears_of(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *alice = rop_public_session(f, f->alice), *bob = rop_public_session(f, f->bob);
    CODE(RUN(bob, RegisterNotification, bob->logon, .NotificationTypes = STORE_CREATED, .WantWholeStore = true), ecNone);
    const uint64_t mid = rop_message(alice, fid, "news");
    rop_poll(bob);
    assert_non_null(bob->notifications);
    assert_int_equal(bob->notifications->body.NotificationData.MessageId, mid);
}

static bool is_read(struct rop_fixture *who, uint64_t fid, uint64_t mid)
{
    const uint32_t message = rop_open_message(who, fid, mid, MESSAGE_READONLY);
    return rop_get(who, message, PidTagMessageFlags).u32 & 1;
}

static uint32_t unread_for(struct rop_fixture *who, uint64_t fid)
{
    return rop_get(who, rop_folder(who, fid), PidTagContentUnreadCount).u32;
}

static void read(struct rop_fixture *who, uint64_t fid, uint8_t flags, uint64_t mid)
{
    CODE(RUN(who, SetReadFlags, rop_folder(who, fid), .ReadFlags = flags, .MessageIdCount = mid ? 1 : 0,
             .MessageIds = &mid),
         ecNone);
}

static void each_has_read_what_he_has_read(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *alice = rop_public_session(f, f->alice), *bob = rop_public_session(f, f->bob);
    const uint64_t first = rop_message(alice, fid, "first"), second = rop_message(alice, fid, "second");
    assert_true(is_read(alice, fid, first)); /* she has written it */
    assert_false(is_read(bob, fid, first));
    assert_int_equal(unread_for(alice, fid), 0);
    assert_int_equal(unread_for(bob, fid), 2);
    read(bob, fid, 0, first);
    assert_true(is_read(bob, fid, first));
    assert_int_equal(unread_for(bob, fid), 1);
    read(alice, fid, 4, second);
    assert_false(is_read(alice, fid, second));
    assert_int_equal(unread_for(alice, fid), 1);
    assert_int_equal(unread_for(bob, fid), 1);

    struct rop_fixture *again = rop_public_session(f, f->bob); /* another session of his knows it, too */
    assert_true(is_read(again, fid, first));
    read(again, fid, 0, 0);
    assert_int_equal(unread_for(again, fid), 0);
    assert_int_equal(unread_for(bob, fid), 0);
    assert_int_equal(unread_for(alice, fid), 1);
    read(bob, fid, 4, 0);
    assert_int_equal(unread_for(again, fid), 2);
}

static void what_has_changed_is_unread_again_but_for_who_has_changed_it(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *alice = rop_public_session(f, f->alice), *bob = rop_public_session(f, f->bob);
    const uint64_t mid = rop_message(alice, fid, "first");
    read(bob, fid, 0, mid);
    const uint32_t message = rop_open_message(alice, fid, mid, MESSAGE_READWRITE);
    rop_set(alice, message, P_STR(PidTagSubject, "changed"));
    rop_save(alice, message);
    assert_true(is_read(alice, fid, mid));
    assert_false(is_read(bob, fid, mid));
}

static void contents_tables_show_the_readers_own_state(void **state)
{
    static const uint32_t columns[] = { PidTagMid, PidTagMessageFlags };
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *who[] = { rop_public_session(f, f->alice), rop_public_session(f, f->bob) };
    rop_message(who[0], fid, "first");
    for (size_t i = 0; i < COUNTOF(who); i++) {
        const uint32_t table = RUN(who[i], GetContentsTable, rop_folder(who[i], fid)).handle;
        CODE(RUN(who[i], SetColumns, table, .PropertyTagCount = COUNTOF(columns), .PropertyTags = columns), ecNone);
        const struct rop_done rows = RUN_ROWS(who[i], QueryRows, table, columns, .ForwardRead = true, .RowCount = 5);
        CODE(rows, ecNone);
        const struct RopQueryRowsResponse *r = rows.response;
        assert_int_equal(r->RowCount, 1);
        assert_int_equal(r->RowData[0].values[1].u32 & 1, i == 0);
    }
}

static void the_set_of_what_somebody_has_read_is_told(void **state)
{
    struct rop_fixture *f = *state;
    begin(f);
    const uint64_t fid = make_folder(f, "Sales");
    struct rop_fixture *alice = rop_public_session(f, f->alice), *bob = rop_public_session(f, f->bob);
    const uint64_t mid = rop_message(alice, fid, "first");
    const struct rop_done id = RUN(bob, LongTermIdFromId, bob->logon, .ObjectId = fid);
    const struct LongTermId folder = ((const struct RopLongTermIdFromIdResponse *)id.response)->LongTermId;
    const struct rop_done none = RUN(bob, ReadPerUserInformation, bob->logon, .FolderId = folder);
    CODE(none, ecNone); /* R965 */
    assert_int_equal(((const struct RopReadPerUserInformationResponse *)none.response)->DataSize, 0);
    read(bob, fid, 0, mid);
    const struct rop_done done = RUN(bob, ReadPerUserInformation, bob->logon, .FolderId = folder);
    const struct RopReadPerUserInformationResponse *r = done.response;
    assert_true(r->HasFinished);
    struct idset *cns; /* R502, R517 */
    assert_int_equal(idset_of_bytes(&cns, f->arena, IDSET_REPLGUID, r->Data), ecNone);
    assert_int_equal(idset_size(cns), 1);
    assert_true(guid_equal(idset_guid(&cns->replicas[0]), folder.DatabaseGuid));
    CODE(RUN(bob, GetPerUserLongTermIds, bob->logon, .DatabaseGuid = folder.DatabaseGuid), ecNotSupported); /* R59771 */
    CODE(RUN(bob, GetPerUserGuid, bob->logon, .LongTermId = folder), ecNotSupported);                       /* R962 */
    CODE(RUN(bob, WritePerUserInformation, bob->logon, .FolderId = folder, .HasFinished = true), ecNotSupported);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_public_logon_names_the_folders_of_its_own),
        ROP_TEST(a_public_logon_finds_nobody_where_there_are_no_folders_or_elsewhere),
        ROP_TEST(what_only_mailboxes_have_is_not_supported),
        ROP_TEST(the_one_server_owns_every_folder_and_none_is_a_ghost),
        ROP_TEST(everybody_writes_and_reads_but_changes_only_what_is_his),
        ROP_TEST(entry_ids_say_that_they_are_of_public_folders),
        ROP_TEST(what_one_posts_another_hears_of),
        ROP_TEST(each_has_read_what_he_has_read),
        ROP_TEST(what_has_changed_is_unread_again_but_for_who_has_changed_it),
        ROP_TEST(contents_tables_show_the_readers_own_state),
        ROP_TEST(the_set_of_what_somebody_has_read_is_told),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
