/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCSTOR] 3.2.5 as a client meets it. */
#include "rop/fixture.h"
#include "wire/guids.h"

#define NONE 0xFFFFFFFFu

static struct rop_done log_on(struct rop_fixture *f, const char *dn, uint8_t flags, uint32_t open)
{
    const struct rop_done done =
        RUN(f, Logon, NONE, .LogonFlags = flags, .OpenFlags = open, .EssdnSize = 1, .Essdn = dn);
    if (done.code == ecNone)
        f->logon = done.handle;
    return done;
}

/* ---- logon ---- */

static void a_logon_names_the_thirteen_folders(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done done = log_on(f, f->alice->legacy_dn, 1, 0);
    const struct RopLogonResponse *r = done.response;
    CODE(done, ecNone); /* R165 */
    const uint64_t *ids = &r->FolderIds.Root;
    for (unsigned i = 0; i < 13; i++)
        assert_true(store_counter(ids[i]) != 0); /* R821 */
    assert_int_equal(r->FolderIds.Inbox, STORE_FID(SPECIAL_INBOX));
    assert_int_equal(r->ResponseFlags, 0x07); /* reserved, owner, R127: send as */
    assert_int_equal(r->LogonFlags, 0x01);
    assert_true(guid_equal(r->MailboxGuid, f->alice->mailbox_guid));
    assert_int_equal(r->ReplId, 1);
    assert_int_equal(r->StoreState, 0);
    assert_in_range(r->LogonTime.Month, 1, 12);
    assert_in_range(r->LogonTime.Year, 2024, 2200);
}

static void two_logons_of_a_mailbox_share_their_replica(void **state)
{
    struct rop_fixture *f = *state;
    const struct RopLogonResponse *first = log_on(f, f->alice->legacy_dn, 1, 0).response;
    struct rop_fixture *other = rop_second_session(f);
    const struct RopLogonResponse *second = log_on(other, f->alice->legacy_dn, 1, 0).response;
    assert_true(guid_equal(first->ReplGuid, second->ReplGuid)); /* R1205 */
    assert_int_equal(first->GwartTime, second->GwartTime);
    const struct rop_done again = RUN(f, Logon, NONE, .LogonFlags = 1, .EssdnSize = 1, .Essdn = f->alice->legacy_dn);
    assert_true(guid_equal(((const struct RopLogonResponse *)again.response)->ReplGuid, first->ReplGuid)); /* R133 */
}

static void a_logon_says_that_the_owner_is_out_of_office(void **state)
{
    struct rop_fixture *f = *state;
    for (unsigned away = 0; away < 2; away++) {
        rop_set(f, f->logon, P_BOOL(PidTagOutOfOfficeState, away));
        const struct RopLogonResponse *r = log_on(f, f->alice->legacy_dn, 1, 0).response;
        assert_int_equal(r->ResponseFlags & 0x10, away ? 0x10 : 0); /* R129 */
    }
}

static void the_dn_may_end_in_the_mailbox_as_Autodiscover_writes_it(void **state)
{
    struct rop_fixture *f = *state;
    const struct org_settings *settings = org_settings(f->org, f->arena);
    CODE(log_on(f, account_server_dn(f->arena, settings, f->alice), 1, 0), ecNone);
    CODE(log_on(f, talloc_asprintf(f->arena, "%s", text_upper(f->arena, f->alice->legacy_dn)), 1, 0), ecNone);
}

static void somebody_elses_mailbox_is_refused_and_nobodys_is_unknown(void **state)
{
    struct rop_fixture *f = *state;
    CODE(log_on(f, f->bob->legacy_dn, 1, 0), ecAccessDenied); /* R188 */
    CODE(log_on(f, "/o=Nobody", 1, 0), ecUnknownUser);        /* R788 */
    CODE(RUN(f, Logon, NONE, .LogonFlags = 1), ecUnknownUser);
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNone);
}

static void undefined_flags_are_ecError(void **state)
{
    struct rop_fixture *f = *state;
    CODE(log_on(f, f->alice->legacy_dn, 0x11, 0), ecError); /* R1202 */
    CODE(log_on(f, f->alice->legacy_dn, 1, 0x10), ecError);
    CODE(log_on(f, f->alice->legacy_dn, 1, 0x2100070D), ecNone);
}

static void there_are_no_public_folders_to_log_on_to(void **state)
{
    struct rop_fixture *f = *state;
    CODE(log_on(f, f->alice->legacy_dn, 0, 2), ecLoginFailure); /* R786, R835 */
}

static void an_unknown_code_page_is_told_at_logon(void **state)
{
    struct rop_fixture *f = *state;
    f->client.code_page = 64999;
    struct rop_fixture *other = rop_second_session(f);
    CODE(log_on(other, f->alice->legacy_dn, 1, 0), ecUnknownCodePage); /* R175, R3102 */
}

/* ---- receive folders ---- */

static void expect_receive(struct rop_fixture *f, const char *class, uint64_t fid, const char *explicit_class)
{
    const struct rop_done done = RUN(f, GetReceiveFolder, f->logon, .MessageClass = class);
    CODE(done, ecNone);
    const struct RopGetReceiveFolderResponse *r = done.response;
    assert_int_equal(r->FolderId, fid); /* R208 */
    assert_non_null(memmem(f->response.data, f->response.size, r->ExplicitMessageClass,
                           strlen(r->ExplicitMessageClass) + 1));          /* R211: with its NUL */
    assert_true(strcasecmp(r->ExplicitMessageClass, explicit_class) == 0); /* R1225 */
}

static void a_message_class_goes_where_its_longest_prefix_says(void **state)
{
    struct rop_fixture *f = *state;
    expect_receive(f, "IPM.Note.Special", STORE_FID(SPECIAL_INBOX), "IPM"); /* R782, R847 */
    expect_receive(f, "ipc.odd", STORE_FID(SPECIAL_ROOT), "IPC");
    expect_receive(f, "REPORT.IPM.Note.NDR", STORE_FID(SPECIAL_INBOX), "Report.IPM");
    expect_receive(f, "Other", STORE_FID(SPECIAL_INBOX), ""); /* R852, R1223 */
    CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = STORE_FID(SPECIAL_OUTBOX), .MessageClass = "IPM.Note"), ecNone);
    expect_receive(f, "IPM.Note.Special", STORE_FID(SPECIAL_OUTBOX), "IPM.Note"); /* R59754 */
    expect_receive(f, "IPM.Notebook", STORE_FID(SPECIAL_INBOX), "IPM");
    CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = STORE_FID(SPECIAL_SENT_ITEMS), .MessageClass = "ipm.note"),
         ecNone);
    expect_receive(f, "IPM.Note", STORE_FID(SPECIAL_SENT_ITEMS), "IPM.Note"); /* R1235, R247 */
    CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = 0, .MessageClass = "IPM.NOTE"), ecNone);
    expect_receive(f, "IPM.Note", STORE_FID(SPECIAL_INBOX), "IPM"); /* R864 */
}

static void a_message_class_that_is_none_is_ecInvalidParam(void **state)
{
    struct rop_fixture *f = *state;
    char *longest = talloc_zero_size(f->arena, 256);
    memset(longest, 'x', 254);
    expect_receive(f, longest, STORE_FID(SPECIAL_INBOX), "");
    longest[254] = 'x';
    const char *const wrong[] = { ".IPM", "IPM.", "IPM..Note", "IPM.\tNote", "IPM.\xC3\xA9", longest };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        CODE(RUN(f, GetReceiveFolder, f->logon, .MessageClass = wrong[i]), ecInvalidParam); /* R59785 */
        CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX), .MessageClass = wrong[i]),
             ecInvalidParam); /* R858 */
    }
}

static void the_classes_of_mail_stay_where_they_are(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t outbox = STORE_FID(SPECIAL_OUTBOX);
    CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = outbox, .MessageClass = "ipm"), ecAccessDenied); /* R859 */
    CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = outbox, .MessageClass = "Report.IPM"), ecAccessDenied);
    CODE(RUN(f, SetReceiveFolder, f->logon, .MessageClass = ""), ecError); /* R860 */
    CODE(RUN(f, SetReceiveFolder, f->logon, .FolderId = store_id(0x4711), .MessageClass = "IPM.Odd"), ecNotFound);
    CODE(RUN(f, GetReceiveFolder, rop_folder(f, outbox), .MessageClass = "IPM"), ecNotSupported);
}

static void the_receive_folder_table_has_every_class_with_its_folder_and_time(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t columns[] = { PidTagFolderId, PROP_AS(PidTagMessageClass, PtypString8), PidTagLastModificationTime };
    const struct rop_done done = RUN_ROWS(f, GetReceiveFolderTable, f->logon, columns);
    CODE(done, ecNone);
    const struct RopGetReceiveFolderTableResponse *r = done.response;
    assert_int_equal(r->RowCount, 4); /* R782, R876 */
    bool ipc = false;
    for (unsigned i = 0; i < r->RowCount; i++) {
        const struct prop *v = r->Rows[i].values; /* R870, R872, R873 */
        ipc |= strcasecmp(v[1].str, "IPC") == 0 && v[0].u64 == STORE_FID(SPECIAL_ROOT);
        assert_true(v[2].u64 > filetime_of_unix(1700000000));
    }
    assert_true(ipc);
}

/* ---- ids ---- */

static void an_id_becomes_a_long_term_id_and_back(void **state)
{
    struct rop_fixture *f = *state;
    const struct rop_done there = RUN(f, LongTermIdFromId, f->logon, .ObjectId = STORE_FID(SPECIAL_INBOX));
    CODE(there, ecNone); /* R450 */
    const struct LongTermId id = ((const struct RopLongTermIdFromIdResponse *)there.response)->LongTermId;
    assert_false(guid_is_zero(id.DatabaseGuid));
    const struct RopLogonResponse *own = log_on(f, f->alice->legacy_dn, 1, 0).response;
    assert_true(guid_equal(id.DatabaseGuid, own->ReplGuid)); /* R1243 */
    const uint64_t counter = store_counter(STORE_FID(SPECIAL_INBOX));
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(id.GlobalCounter[i], counter >> (40 - 8 * i) & 0xFF); /* R1243 */
    const struct rop_done sent = RUN(f, LongTermIdFromId, f->logon, .ObjectId = STORE_FID(SPECIAL_SENT_ITEMS));
    assert_true(guid_equal(((const struct RopLongTermIdFromIdResponse *)sent.response)->LongTermId.DatabaseGuid,
                           id.DatabaseGuid)); /* R947 */
    const struct rop_done back = RUN(f, IdFromLongTermId, rop_folder(f, STORE_FID(SPECIAL_INBOX)), .LongTermId = id);
    CODE(back, ecNone);
    assert_int_equal(((const struct RopIdFromLongTermIdResponse *)back.response)->ObjectId, STORE_FID(SPECIAL_INBOX));
}

static void a_replica_that_is_not_known_gets_an_id_that_stays(void **state)
{
    struct rop_fixture *f = *state;
    struct LongTermId id = { .DatabaseGuid = guid_random(), .GlobalCounter = { 0, 0, 0, 0, 1, 2 } };
    uint64_t ids[2];
    for (unsigned i = 0; i < 2; i++) {
        const struct rop_done done = RUN(f, IdFromLongTermId, f->logon, .LongTermId = id);
        CODE(done, ecNone);
        ids[i] = ((const struct RopIdFromLongTermIdResponse *)done.response)->ObjectId;
    }
    assert_int_equal(ids[0], ids[1]);                        /* R952 */
    assert_int_not_equal(ids[0] & 0xFFFF, STORE_REPLICA_ID); /* R950 */
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(ids[0] >> (16 + 8 * i) & 0xFF, id.GlobalCounter[i]); /* R1252 */
    const struct rop_done back = RUN(f, LongTermIdFromId, f->logon, .ObjectId = ids[0]);
    CODE(back, ecNone);
    assert_true(guid_equal(((const struct RopLongTermIdFromIdResponse *)back.response)->LongTermId.DatabaseGuid,
                           id.DatabaseGuid));
}

static void ids_of_nothing_are_refused(void **state)
{
    struct rop_fixture *f = *state;
    const struct LongTermId no_guid = { .GlobalCounter = { 0, 0, 0, 0, 0, 1 } },
                            no_counter = { .DatabaseGuid = PS_MAPI };
    CODE(RUN(f, LongTermIdFromId, f->logon, .ObjectId = 0), ecNotFound);
    CODE(RUN(f, LongTermIdFromId, f->logon, .ObjectId = 0x0102030405060077), ecNotFound); /* replica 0x77 */
    CODE(RUN(f, IdFromLongTermId, f->logon, .LongTermId = no_guid), ecInvalidParam);
    CODE(RUN(f, IdFromLongTermId, f->logon, .LongTermId = no_counter), ecInvalidParam);
}

static void what_speaks_of_public_folders_says_that_there_are_none(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, GetStoreState, f->logon), ecNotImplemented);                                        /* R882 */
    CODE(RUN(f, GetOwningServers, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)), ecNotSupported); /* R892 */
    const struct rop_done done = RUN(f, PublicFolderIsGhosted, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX));
    CODE(done, ecNone);                                                                        /* R431 */
    assert_false(((const struct RopPublicFolderIsGhostedResponse *)done.response)->IsGhosted); /* R917 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_logon_names_the_thirteen_folders),
        ROP_TEST(two_logons_of_a_mailbox_share_their_replica),
        ROP_TEST(a_logon_says_that_the_owner_is_out_of_office),
        ROP_TEST(the_dn_may_end_in_the_mailbox_as_Autodiscover_writes_it),
        ROP_TEST(somebody_elses_mailbox_is_refused_and_nobodys_is_unknown),
        ROP_TEST(undefined_flags_are_ecError),
        ROP_TEST(there_are_no_public_folders_to_log_on_to),
        ROP_TEST(an_unknown_code_page_is_told_at_logon),
        ROP_TEST(a_message_class_goes_where_its_longest_prefix_says),
        ROP_TEST(a_message_class_that_is_none_is_ecInvalidParam),
        ROP_TEST(the_classes_of_mail_stay_where_they_are),
        ROP_TEST(the_receive_folder_table_has_every_class_with_its_folder_and_time),
        ROP_TEST(an_id_becomes_a_long_term_id_and_back),
        ROP_TEST(a_replica_that_is_not_known_gets_an_id_that_stays),
        ROP_TEST(ids_of_nothing_are_refused),
        ROP_TEST(what_speaks_of_public_folders_says_that_there_are_none),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
