/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFOLD] */
#include "store/fixture.h"

#define ROOT STORE_FID(SPECIAL_ROOT)
#define IPM STORE_FID(SPECIAL_IPM_SUBTREE)
#define INBOX STORE_FID(SPECIAL_INBOX)
#define CALENDAR STORE_FID(SPECIAL_CALENDAR)

static enum ec create(struct store_fixture *f, uint64_t parent, const char *name)
{
    uint64_t fid;
    bool existed;
    return store_folder_create(f->store, parent, FOLDER_GENERIC, name, "", false, &fid, &existed);
}

static enum ec folder_set(struct store_fixture *f, uint64_t fid, struct prop p)
{
    enum ec result = ecNone;
    const enum ec ec = store_folder_set(f->store, fid, &p, 1, &result);
    return ec ? ec : result;
}

static bool is_there(struct store_fixture *f, uint64_t fid)
{
    struct store_folder row;
    return store_folder_row(f->arena, f->store, fid, &row) == ecNone;
}

static void a_folder_is_made_under_its_parent(void **state)
{
    struct store_fixture *f = *state;
    uint64_t fid;
    bool existed;
    const uint64_t rev = fixture_folder_prop(f, INBOX, PidTagHierRev).u64;
    OK(store_folder_create(f->store, INBOX, FOLDER_GENERIC, "Projects", "of this year", false, &fid, &existed));
    assert_false(existed);
    const struct store_folder row = fixture_row(f, fid);
    assert_int_equal(row.parent, INBOX);
    assert_string_equal(row.name, "Projects");
    assert_string_equal(row.comment, "of this year");
    assert_int_equal(row.type, FOLDER_GENERIC);
    assert_int_equal(fixture_row(f, INBOX).subfolders, 1);
    assert_true(fixture_folder_prop(f, INBOX, PidTagSubfolders).b);
    assert_true(fixture_folder_prop(f, INBOX, PidTagHierRev).u64 >= rev);
    const struct store_change *created = fixture_heard(f, STORE_CREATED, fid, 0);
    assert_non_null(created);
    assert_int_equal(created->parent, INBOX);
    assert_int_equal(created->cn, row.cn);
    assert_non_null(fixture_heard(f, STORE_MODIFIED, INBOX, 0));
}

static void a_name_is_there_once(void **state)
{
    struct store_fixture *f = *state;
    uint64_t first, second;
    bool existed;
    OK(store_folder_create(f->store, INBOX, FOLDER_GENERIC, "Öfen", "", false, &first, &existed));
    EC(create(f, INBOX, "Öfen"), ecDuplicateName); /* MS-OXCFOLD_R481 */
    EC(create(f, INBOX, "öFEN"), ecDuplicateName);
    OK(store_folder_create(f->store, INBOX, FOLDER_GENERIC, "ÖFEN", "", true, &second, &existed)); /* R482 */
    assert_true(existed);
    assert_int_equal(second, first);
    OK(create(f, INBOX, "Ofen"));
    OK(create(f, IPM, "Öfen"));
    bool partial;
    OK(store_folder_delete(f->store, INBOX, first, 0, &partial));
    OK(create(f, INBOX, "Öfen"));
}

static void names_and_types_are_checked(void **state)
{
    struct store_fixture *f = *state;
    uint64_t fid;
    bool existed;
    char name[300] = { 0 };
    EC(create(f, INBOX, ""), ecInvalidParam); /* R477 */
    memset(name, 'n', 256);
    EC(create(f, INBOX, name), ecInvalidParam);
    name[255] = '\0';
    OK(create(f, INBOX, name));
    EC(store_folder_create(f->store, INBOX, 7, "x", "", false, &fid, &existed), ecInvalidParam); /* R487 */
    EC(create(f, store_id(0x4711), "x"), ecNotFound);
    EC(create(f, 0, "x"), ecNotFound);
    OK(store_folder_create(f->store, INBOX, FOLDER_SEARCH, "found", "", false, &fid, &existed));
    EC(create(f, fid, "below"), ecAccessDenied);
}

static void a_folder_has_its_computed_properties(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects");
    assert_int_equal(fixture_folder_prop(f, fid, PidTagFolderId).u64, fid);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagParentFolderId).u64, INBOX);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagEntryId).bin.size, 46);
    assert_true(blob_equal(fixture_folder_prop(f, fid, PidTagParentEntryId).bin,
                           fixture_folder_prop(f, INBOX, PidTagEntryId).bin));
    assert_true(blob_equal(fixture_folder_prop(f, fid, PidTagParentSourceKey).bin,
                           fixture_folder_prop(f, INBOX, PidTagSourceKey).bin));
    assert_int_equal(fixture_folder_prop(f, fid, PidTagChangeKey).bin.size, 22);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagPredecessorChangeList).bin.size, 23);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagFolderType).i32, FOLDER_GENERIC);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagAccess).i32, 0x3F);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagContentCount).i32, 0);
    assert_int_equal(fixture_folder_prop(f, fid, PidTagFolderFlags).i32, 5);
    assert_string_equal(fixture_folder_prop(f, fid, PidTagDisplayName).str, "Projects");
    assert_int_equal(fixture_folder_prop(f, fid, PidTagContainerClass).u32, (uint32_t)ecNotFound);
    assert_string_equal(fixture_folder_prop(f, CALENDAR, PidTagContainerClass).str, "IPF.Appointment");
    assert_string_equal(fixture_folder_prop(f, CALENDAR, PidTagDefaultPostMessageClass).str, "IPM.Appointment");
    assert_int_equal(fixture_folder_prop(f, CALENDAR, PidTagRights).i32, 0x7FB); /* R368 */
    assert_int_equal(fixture_folder_prop(f, ROOT, PidTagFolderType).i32, FOLDER_ROOT);
    assert_int_equal(fixture_folder_prop(f, ROOT, PidTagParentFolderId).u64, ROOT);
    assert_int_equal(PROP_TYPE(fixture_folder_prop(f, fid, PidTagMessageSizeExtended).tag), PtypInteger64);
    EC(folder_set(f, fid, P_I32(PidTagContentCount, 5)), ecComputed);
    EC(folder_set(f, fid, P_I64(PidTagFolderId, 5)), ecComputed);
}

static void special_folders_are_found_from_the_root_and_the_inbox(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t places[] = { ROOT, INBOX };
    for (size_t i = 0; i < COUNTOF(places); i++) {
        const struct prop drafts = fixture_folder_prop(f, places[i], PidTagIpmDraftsEntryId);
        assert_true(blob_equal(drafts.bin, store_folder_entry_id(f->arena, f->store, STORE_FID(SPECIAL_DRAFTS))));
        const struct prop additional = fixture_folder_prop(f, places[i], PidTagAdditionalRenEntryIds);
        assert_int_equal(additional.mv.count, 5);
        assert_true(
            blob_equal(additional.mv.bin[4], store_folder_entry_id(f->arena, f->store, STORE_FID(SPECIAL_JUNK))));
        const struct prop free_busy = fixture_folder_prop(f, places[i], PidTagFreeBusyEntryIds);
        assert_int_equal(free_busy.mv.count, 4);
        assert_int_equal(free_busy.mv.bin[0].size, 0);
        assert_int_equal(free_busy.mv.bin[3].size, 46);
    }
}

static void a_folder_keeps_what_is_set(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects");
    const uint64_t cn = fixture_row(f, fid).cn;
    static char text[20001];
    memset(text, 't', sizeof text - 1);
    const struct prop props[] = {
        P_STR(PidTagDisplayName, "Plans"),
        P_STR(PidTagComment, "c"),
        P_STR(PidTagContainerClass, "IPF.Task"),
        P_BOOL(PidTagAttributeHidden, true),
        P_STR(0x8001001F, text),
        P_BIN(PidTagExtendedFolderFlags, BLOB_OF("\1\2", 2)),
    };
    enum ec results[COUNTOF(props)];
    fixture_forget(f);
    OK(store_folder_set(f->store, fid, props, COUNTOF(props), results));
    fixture_reopen(f);
    for (size_t i = 0; i < COUNTOF(props); i++) {
        OK(results[i]);
        struct prop p;
        OK(store_folder_get(f->arena, f->store, fid, &props[i].tag, 1, 100000, &p));
        assert_true(prop_equal(&p, &props[i]));
    }
    const struct store_folder row = fixture_row(f, fid);
    assert_true(row.hidden);
    assert_string_equal(row.name, "Plans");
    assert_true(store_counter(row.cn) > store_counter(cn));
    assert_int_equal(fixture_heard(f, STORE_MODIFIED, fid, 0)->tag_count, COUNTOF(props));
    enum ec unset[3];
    const uint32_t tags[] = { PidTagComment, 0x8001001F, PidTagDisplayName };
    OK(store_folder_unset(f->store, fid, tags, 3, unset));
    EC(unset[2], ecAccessDenied);
    assert_string_equal(fixture_row(f, fid).comment, "");
    assert_int_equal(fixture_folder_prop(f, fid, 0x8001001F).u32, (uint32_t)ecNotFound);
    const uint32_t *all;
    uint32_t count;
    OK(store_folder_tags(f->arena, f->store, fid, &all, &count));
    assert_true(count > 30);
}

static void a_new_name_must_be_free(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "one");
    fixture_folder(f, INBOX, "two");
    EC(folder_set(f, fid, P_STR(PidTagDisplayName, "TWO")), ecDuplicateName);
    EC(folder_set(f, fid, P_STR(PidTagDisplayName, "")), ecInvalidParam);
    EC(folder_set(f, ROOT, P_STR(PidTagDisplayName, "x")), ecAccessDenied);
    OK(folder_set(f, fid, P_STR(PidTagDisplayName, "ONE")));
    assert_string_equal(fixture_row(f, fid).name, "ONE");
    OK(folder_set(f, INBOX, P_STR(PidTagDisplayName, "Posteingang")));
    EC(folder_set(f, store_id(0x4711), P_STR(PidTagComment, "x")), ecNotFound);
}

static void a_folder_that_is_not_empty_stays(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects");
    const uint64_t below = fixture_folder(f, fid, "below");
    bool partial;
    fixture_message(f, fid, "one");
    OK(store_folder_delete(f->store, INBOX, fid, STORE_FOLDERS, &partial));  /* R816 */
    assert_true(partial);                                                    /* R817 */
    OK(store_folder_delete(f->store, INBOX, fid, STORE_MESSAGES, &partial)); /* R1080 */
    assert_true(partial);                                                    /* R1081 */
    assert_true(is_there(f, fid) && is_there(f, below));                     /* R371, R1079 */
    fixture_forget(f);
    OK(store_folder_delete(f->store, INBOX, fid, STORE_MESSAGES | STORE_FOLDERS, &partial));
    assert_false(partial);
    assert_false(is_there(f, fid) || is_there(f, below));
    assert_int_equal(fixture_heard(f, STORE_DELETED, fid, 0)->parent, INBOX);
    assert_non_null(fixture_heard(f, STORE_DELETED, below, 0));
    assert_int_equal(fixture_row(f, INBOX).subfolders, 0);
}

static void some_folders_cannot_be_deleted(void **state)
{
    struct store_fixture *f = *state;
    const unsigned all = STORE_MESSAGES | STORE_FOLDERS | STORE_HARD;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects");
    bool partial;
    EC(store_folder_delete(f->store, 0, ROOT, all, &partial), ecNotSupported); /* R2509 */
    EC(store_folder_delete(f->store, IPM, INBOX, all, &partial), ecAccessDenied);
    EC(store_folder_delete(f->store, IPM, fid, all, &partial), ecNotFound); /* R507 */
    EC(store_folder_delete(f->store, INBOX, store_id(0x4711), all, &partial), ecNotFound);
    OK(store_folder_delete(f->store, INBOX, fid, all, &partial));
    EC(store_folder_delete(f->store, INBOX, fid, all, &partial), ecNotFound);
}

static void an_emptied_folder_keeps_its_associated_messages_unless_told(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects");
    const uint64_t below = fixture_folder(f, fid, "below");
    struct store_message *view;
    bool partial;
    for (int i = 0; i < 5; i++)
        fixture_message(f, fid, "m");
    OK(store_message_new(&view, f->arena, f->store, fid, true));
    OK(store_message_save(view, false, NULL));
    assert_int_equal(fixture_row(f, fid).associated, 1);
    fixture_forget(f);
    OK(store_folder_empty(f->store, fid, STORE_MESSAGES | STORE_FOLDERS, &partial)); /* R1129, R618 */
    assert_false(partial);
    struct store_folder row = fixture_row(f, fid);
    assert_int_equal(row.total, 0);
    assert_int_equal(row.associated, 1);
    assert_int_equal(row.subfolders, 0);
    assert_false(is_there(f, below));
    unsigned heard = 0;
    for (uint32_t i = 0; i < f->change_count; i++)
        heard += f->changes[i].kind == STORE_DELETED && f->changes[i].is_message;
    assert_int_equal(heard, 5);
    OK(store_folder_empty(f->store, fid, STORE_MESSAGES | STORE_ASSOCIATED | STORE_HARD, &partial));
    assert_int_equal(fixture_row(f, fid).associated, 0); /* R617 */
    assert_int_equal(fixture_folder_prop(f, fid, PidTagMessageSize).i32, 0);
    EC(store_folder_empty(f->store, ROOT, STORE_MESSAGES, &partial), ecNotSupported); /* R1248 */
    OK(store_folder_empty(f->store, IPM, STORE_MESSAGES | STORE_FOLDERS, &partial));
    assert_true(partial);
    assert_true(is_there(f, INBOX));
}

static void very_many_deletions_are_told_as_one(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects");
    bool partial;
    for (int i = 0; i < 1001; i++)
        fixture_message(f, fid, "m");
    fixture_forget(f);
    OK(store_folder_empty(f->store, fid, STORE_MESSAGES, &partial));
    assert_true(f->change_count <= 1001);
    assert_true(fixture_heard(f, STORE_MODIFIED, fid, 0)->many);
    assert_int_equal(fixture_heard(f, STORE_MODIFIED, fid, 0)->total, 0);
}

static void a_folder_moves_with_all_that_it_holds(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects"), below = fixture_folder(f, fid, "below");
    const uint64_t mid = fixture_message(f, below, "one");
    fixture_forget(f);
    OK(store_folder_move(f->store, INBOX, fid, IPM, "Plans"));
    const struct store_change *moved = fixture_heard(f, STORE_MOVED, fid, 0);
    assert_int_equal(moved->parent, IPM);
    assert_int_equal(moved->old_parent, INBOX);
    assert_int_equal(moved->old_fid, fid);
    assert_int_equal(fixture_row(f, fid).parent, IPM);
    assert_string_equal(fixture_row(f, fid).name, "Plans");
    assert_int_equal(fixture_row(f, INBOX).subfolders, 0);
    fixture_open(f, below, mid);
    EC(store_folder_move(f->store, IPM, fid, below, NULL), ecRootFolder);
    EC(store_folder_move(f->store, IPM, fid, fid, NULL), ecRootFolder);
    EC(store_folder_move(f->store, INBOX, fid, IPM, NULL), ecNotFound); /* R600 */
    EC(store_folder_move(f->store, IPM, INBOX, fid, NULL), ecAccessDenied);
    EC(store_folder_move(f->store, IPM, fid, store_id(0x4711), NULL), ecNotFound);
    fixture_folder(f, INBOX, "plans");
    EC(store_folder_move(f->store, IPM, fid, INBOX, NULL), ecDuplicateName);
    OK(store_folder_move(f->store, IPM, fid, INBOX, "Other"));
}

static void a_folder_is_copied_with_its_messages(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "Projects"), below = fixture_folder(f, fid, "below");
    uint64_t copy, copy_below;
    bool existed;
    fixture_message(f, fid, "one");
    fixture_message(f, below, "two");
    fixture_message(f, below, "three");
    OK(folder_set(f, fid, P_STR(PidTagContainerClass, "IPF.Task")));
    OK(store_folder_copy(f->store, INBOX, fid, IPM, "Flat", false));
    OK(store_folder_create(f->store, IPM, FOLDER_GENERIC, "Flat", "", true, &copy, &existed));
    assert_true(existed);
    assert_int_equal(fixture_row(f, copy).total, 1); /* MS-OXCFOLD_R605 */
    assert_int_equal(fixture_row(f, copy).subfolders, 0);
    assert_string_equal(fixture_row(f, copy).class, "IPF.Task");
    OK(store_folder_copy(f->store, INBOX, fid, IPM, "Deep", true));
    OK(store_folder_create(f->store, IPM, FOLDER_GENERIC, "Deep", "", true, &copy, &existed));
    OK(store_folder_create(f->store, copy, FOLDER_GENERIC, "below", "", true, &copy_below, &existed)); /* R1122 */
    assert_true(existed);
    assert_int_equal(fixture_row(f, copy_below).total, 2);
    assert_int_equal(fixture_row(f, below).total, 2);
    assert_int_equal(fixture_folder_prop(f, copy_below, PidTagMessageSize).i32,
                     fixture_folder_prop(f, below, PidTagMessageSize).i32);
    EC(store_folder_copy(f->store, INBOX, fid, below, NULL, true), ecRootFolder);
    EC(store_folder_copy(f->store, INBOX, fid, IPM, "deep", true), ecDuplicateName);
    EC(store_folder_copy(f->store, IPM, fid, IPM, "x", true), ecNotFound); /* R612 */
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_folder_is_made_under_its_parent),
    cmocka_unit_test(a_name_is_there_once),
    cmocka_unit_test(names_and_types_are_checked),
    cmocka_unit_test(a_folder_has_its_computed_properties),
    cmocka_unit_test(special_folders_are_found_from_the_root_and_the_inbox),
    cmocka_unit_test(a_folder_keeps_what_is_set),
    cmocka_unit_test(a_new_name_must_be_free),
    cmocka_unit_test(a_folder_that_is_not_empty_stays),
    cmocka_unit_test(some_folders_cannot_be_deleted),
    cmocka_unit_test(an_emptied_folder_keeps_its_associated_messages_unless_told),
    cmocka_unit_test(very_many_deletions_are_told_as_one),
    cmocka_unit_test(a_folder_moves_with_all_that_it_holds),
    cmocka_unit_test(a_folder_is_copied_with_its_messages),
};

int main(void)
{
    return store_fixture_run("folders", tests, COUNTOF(tests));
}
