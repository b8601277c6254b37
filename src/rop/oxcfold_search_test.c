/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFOLD] search folders as a client meets them. */
#include "rop/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { SEARCH_COMPLETED = 0x80, CREATED = 0x04, IN_SEARCH = 0x4000, MESSAGE = 0x8000 };

static const struct restriction tea = {
    .type = RES_CONTENT,
    .fuzzy_low = FL_SUBSTRING,
    .fuzzy_high = FL_IGNORECASE,
    .tag = PidTagSubject,
    .value = { .tag = PidTagSubject, .str = "tea" },
};
static uint64_t inbox[1];

static uint32_t create(struct rop_fixture *f, const char *name, uint64_t *fid)
{
    const struct rop_done done = RUN(f, CreateFolder, rop_folder(f, STORE_FID(SPECIAL_SEARCH)), .FolderType = 2,
                                     .UseUnicodeStrings = true, .DisplayName = name, .Comment = "");
    CODE(done, ecNone); /* R47, R409 */
    inbox[0] = INBOX;
    *fid = ((const struct RopCreateFolderResponse *)done.response)->FolderId;
    return done.handle;
}

static uint32_t search(struct rop_fixture *f, uint64_t *fid)
{
    const uint32_t folder = create(f, "tea", fid);
    CODE(RUN(f, SetSearchCriteria, folder, .RestrictionData = &tea, .FolderIdCount = 1, .FolderIds = inbox,
             .SearchFlags = RESTART_SEARCH | SHALLOW_SEARCH),
         ecNone); /* R98, R119, R512 */
    return folder;
}

static void the_end_of_a_search_is_announced(void **state)
{
    struct rop_fixture *f = *state;
    uint64_t fid;
    const uint32_t folder = create(f, "tea", &fid);
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = SEARCH_COMPLETED, .FolderId = fid), ecNone);
    CODE(RUN(f, SetSearchCriteria, folder, .RestrictionData = &tea, .FolderIdCount = 1, .FolderIds = inbox), ecNone);
    rop_poll(f);
    assert_non_null(f->notifications);
    const struct NotificationData *n = &f->notifications->body.NotificationData;
    assert_int_equal(n->NotificationFlags, SEARCH_COMPLETED); /* MS-OXCNOTIF_R47, MS-OXCNOTIF_R109 */
    assert_int_equal(n->FolderId, fid);
    assert_null(f->notifications->next);
}

static void criteria_come_back_as_they_are_asked_for(void **state)
{
    struct rop_fixture *f = *state;
    uint64_t fid;
    const uint32_t folder = search(f, &fid);
    struct rop_done done =
        RUN(f, GetSearchCriteria, folder, .UseUnicode = true, .IncludeRestriction = true, .IncludeFolders = true);
    const struct RopGetSearchCriteriaResponse *r = done.response;
    CODE(done, ecNone);                                       /* R120, R134, R1100 */
    assert_int_equal(r->RestrictionData->tag, PidTagSubject); /* R127, R129, R1103 */
    assert_string_equal(r->RestrictionData->value.str, "tea");
    assert_int_equal(r->FolderIdCount, 1); /* R131, R1104 */
    assert_int_equal(r->FolderIds[0], INBOX);
    assert_int_equal(r->SearchFlags, SEARCH_COMPLETE | TWIR_TOTALLY);

    done = RUN(f, GetSearchCriteria, folder, .IncludeRestriction = true);
    r = done.response;
    assert_int_equal(r->RestrictionData->tag, PROP_AS(PidTagSubject, PtypString8)); /* R128 */
    assert_string_equal(r->RestrictionData->value.str, "tea");
    assert_int_equal(r->FolderIdCount, 0); /* R132, R139, R2141 */

    done = RUN(f, GetSearchCriteria, folder, .IncludeFolders = true);
    r = done.response;
    assert_null(r->RestrictionData); /* R130, R136, R959 */
}

static void criteria_belong_to_folders(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, SetSearchCriteria, f->logon, .RestrictionData = &tea, .FolderIdCount = 1, .FolderIds = inbox),
         ecNotSupported);                                                     /* R573, R574 */
    CODE(RUN(f, GetSearchCriteria, f->logon), ecNotSupported);                /* R581, R582 */
    CODE(RUN(f, GetSearchCriteria, rop_folder(f, INBOX)), ecNotSearchFolder); /* R579 */
}

static void results_are_listed_and_open(void **state)
{
    static const uint32_t columns[] = { PidTagSubject, PidTagMid };
    struct rop_fixture *f = *state;
    uint64_t fid;
    const uint64_t mid = rop_message(f, INBOX, "green tea");
    rop_message(f, INBOX, "rum");
    const struct rop_done table = RUN(f, GetContentsTable, search(f, &fid));
    CODE(table, ecNone);
    assert_int_equal(((const struct RopGetContentsTableResponse *)table.response)->RowCount, 1);
    CODE(RUN(f, SetColumns, table.handle, .PropertyTagCount = 2, .PropertyTags = columns), ecNone);
    const struct rop_done rows = RUN_ROWS(f, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 10);
    const struct RopQueryRowsResponse *r = rows.response;
    assert_int_equal(r->RowCount, 1);
    assert_int_equal(r->RowData[0].values[1].u64, mid);
    CODE(RUN(f, OpenMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = fid, .MessageId = mid), ecNone);
}

static void a_subscription_to_a_search_folder_hears_of_its_results(void **state)
{
    struct rop_fixture *f = *state;
    uint64_t fid;
    search(f, &fid);
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = CREATED, .FolderId = fid), ecNone);
    rop_message(f, INBOX, "rum");
    const uint64_t mid = rop_message(f, INBOX, "tea");
    rop_poll(f);
    assert_non_null(f->notifications);
    const struct NotificationData *n = &f->notifications->body.NotificationData;
    assert_int_equal(n->NotificationFlags, CREATED | IN_SEARCH | MESSAGE); /* MS-OXCNOTIF_R119 */
    assert_int_equal(n->FolderId, fid);
    assert_int_equal(n->MessageId, mid);
    assert_int_equal(n->ParentFolderId, INBOX); /* MS-OXCNOTIF_R179 */
    assert_null(f->notifications->next);
}

static void nothing_is_moved_into_a_search_folder(void **state)
{
    struct rop_fixture *f = *state;
    uint64_t fid;
    const uint64_t mid = rop_message(f, INBOX, "tea");
    const uint32_t folder = search(f, &fid);
    CODE(RUN_TO(f, MoveCopyMessages, rop_folder(f, INBOX), folder, .MessageIdCount = 1, .MessageIds = &mid),
         ecSearchFolder);                              /* R1245, R1246, R121802 */
    CODE(RUN(f, EmptyFolder, folder), ecNotSupported); /* R1249 */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ROP_TEST(the_end_of_a_search_is_announced),
        ROP_TEST(criteria_come_back_as_they_are_asked_for),
        ROP_TEST(criteria_belong_to_folders),
        ROP_TEST(results_are_listed_and_open),
        ROP_TEST(a_subscription_to_a_search_folder_hears_of_its_results),
        ROP_TEST(nothing_is_moved_into_a_search_folder),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("MS-OXCFOLD, search folders", tests, NULL, NULL);
}
