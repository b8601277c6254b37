/* SPDX-License-Identifier: Apache-2.0 */
/* Requirement ids of [MS-OXCFXICS]. */
#include "rop/fixture.h"

#define DRAFTS STORE_FID(SPECIAL_DRAFTS)
#define INBOX STORE_FID(SPECIAL_INBOX)
#define TOP STORE_FID(SPECIAL_IPM_SUBTREE)
#define NOW 0x01DD000000000000u

/* What a client knows: its replica's name, and the ids that it may use. */
struct ids {
    struct rop_fixture *f;
    struct guid replica, own;
    uint8_t first[6];
    unsigned used, changes;
};

static struct ids ids_of(struct rop_fixture *f)
{
    const struct rop_done done = RUN(f, GetLocalReplicaIds, f->logon, .IdCount = 0x10000);
    CODE(done, ecNone);
    const struct RopGetLocalReplicaIdsResponse *response = done.response;
    struct ids ids = { .f = f, .replica = response->ReplGuid };
    memcpy(ids.first, response->GlobalCount, 6);
    memset(ids.own.bytes, 0xC1, 16);
    return ids;
}

static struct blob joined(struct rop_fixture *f, const void *a, size_t a_size, const void *b, size_t b_size)
{
    struct buf bytes;
    buf_init(&bytes, f->arena);
    buf_add(&bytes, a, a_size);
    buf_add(&bytes, b, b_size);
    return buf_blob(&bytes);
}

static struct blob new_key(struct ids *ids)
{
    uint8_t counter[6];
    memcpy(counter, ids->first, 6);
    counter[5] = (uint8_t)(counter[5] + ids->used);
    counter[4] = (uint8_t)(counter[4] + (ids->first[5] + ids->used > 0xFF));
    ids->used++;
    return joined(ids->f, ids->replica.bytes, 16, counter, 6);
}

static struct blob key_of(struct ids *ids, uint64_t id)
{
    uint8_t bytes[8];
    put_le64(bytes, id);
    return joined(ids->f, ids->replica.bytes, 16, bytes + 2, 6);
}

static uint64_t id_of(struct rop_fixture *f, struct blob key)
{
    uint8_t bytes[8];
    (void)f;
    put_le16(bytes, STORE_REPLICA_ID);
    memcpy(bytes + 2, key.data + 16, 6);
    return le64(bytes);
}

static struct blob new_change(struct ids *ids)
{
    const uint8_t number[4] = { 0, 0, 0, (uint8_t)++ids->changes };
    return joined(ids->f, ids->own.bytes, 16, number, 4);
}

static struct blob list_of(struct ids *ids, struct blob change)
{
    const uint8_t size = (uint8_t)change.size;
    return joined(ids->f, &size, 1, change.data, change.size);
}

/* The list of what the server has, and one change more: the client's namespace sorts where it may. */
static struct blob list_after(struct ids *ids, struct blob known, struct blob change)
{
    const struct blob own = list_of(ids, change);
    return joined(ids->f, known.data, known.size, own.data, own.size);
}

static uint32_t collector(struct rop_fixture *f, uint64_t fid, bool contents)
{
    const struct rop_done done =
        RUN(f, SynchronizationOpenCollector, rop_folder(f, fid), .IsContentsCollector = contents);
    CODE(done, ecNone); /* R778 */
    return done.handle;
}

static struct rop_done import(struct rop_fixture *f, uint32_t c, uint8_t flags, struct blob key, uint64_t time,
                              struct blob change, struct blob pcl)
{
    const struct prop values[] = { P_BIN(PidTagSourceKey, key), P_TIME(PidTagLastModificationTime, time),
                                   P_BIN(PidTagChangeKey, change), P_BIN(PidTagPredecessorChangeList, pcl) };
    return RUN(f, SynchronizationImportMessageChange, c, .ImportFlag = flags, .PropertyValueCount = 4,
               .PropertyValues = values);
}

static uint64_t number_of(struct rop_fixture *f, uint32_t object, uint32_t tag)
{
    return rop_get(f, object, tag).u64;
}

static void a_client_uploads_what_it_has_made(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint32_t c = collector(f, DRAFTS, true);
    const struct blob key = new_key(&ids), change = new_change(&ids), pcl = list_of(&ids, change);
    const struct rop_done made = import(f, c, 0, key, NOW, change, pcl);
    CODE(made, ecNone);
    assert_int_equal(((const struct RopSynchronizationImportMessageChangeResponse *)made.response)->MessageId,
                     0); /* R808 */
    rop_set(f, made.handle, P_STR(PidTagSubject, "made offline"));
    assert_int_equal(rop_save(f, made.handle), id_of(f, key));
    const uint32_t m = rop_open_message(f, DRAFTS, id_of(f, key), 0);
    assert_true(blob_equal(rop_get(f, m, PidTagSourceKey).bin, key));    /* R795 */
    assert_true(blob_equal(rop_get(f, m, PidTagChangeKey).bin, change)); /* R798 */
    assert_true(blob_equal(rop_get(f, m, PidTagPredecessorChangeList).bin, pcl));
    assert_int_equal(number_of(f, m, PidTagLastModificationTime), NOW);
    CODE(import(f, c, 0, key, NOW, change, pcl), SYNC_E_IGNORE); /* R2452 */
}

static void a_client_uploads_what_it_has_changed(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint32_t c = collector(f, INBOX, true);
    const uint64_t mid = rop_message(f, INBOX, "one");
    uint32_t m = rop_open_message(f, INBOX, mid, 0);
    const struct blob known = rop_get(f, m, PidTagPredecessorChangeList).bin, change = new_change(&ids);
    RUN(f, Release, m);
    const struct rop_done import_done =
        import(f, c, 0, key_of(&ids, mid), NOW, change, list_after(&ids, known, change));
    CODE(import_done, ecNone);
    rop_set(f, import_done.handle, P_STR(PidTagBody, "two"));
    m = rop_open_message(f, INBOX, mid, 0);
    assert_string_equal(rop_get(f, m, PidTagSubject).str, "one"); /* R2230 */
    RUN(f, Release, m);
    rop_save(f, import_done.handle);
    m = rop_open_message(f, INBOX, mid, 0);
    assert_int_equal(PROP_TYPE(rop_get(f, m, PidTagSubject).tag), PtypErrorCode); /* R2229 */
    assert_string_equal(rop_get(f, m, PidTagBody).str, "two");
    /* Another client, which has not seen it: */
    memset(ids.own.bytes, 0xD1, 16);
    const struct blob other = new_change(&ids);
    CODE(import(f, c, 0x40, key_of(&ids, mid), NOW, other, list_after(&ids, known, other)),
         SYNC_E_CONFLICT); /* R2231 */
}

static void what_begins_a_change_has_its_places(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint32_t c = collector(f, DRAFTS, true), h = collector(f, DRAFTS, false);
    const struct blob key = new_key(&ids), change = new_change(&ids), pcl = list_of(&ids, change);
    const struct prop values[] = { P_BIN(PidTagSourceKey, key), P_TIME(PidTagLastModificationTime, NOW),
                                   P_BIN(PidTagChangeKey, change), P_BIN(PidTagPredecessorChangeList, pcl),
                                   P_STR(PidTagSubject, "more") };
    const struct prop swapped[] = { values[1], values[0], values[2], values[3] };
    for (uint16_t count = 0; count <= 5; count++)
        if (count != 4)
            CODE(RUN(f, SynchronizationImportMessageChange, c, .PropertyValueCount = count, .PropertyValues = values),
                 ecInvalidParam); /* R790, R1299, R1307 */
    CODE(RUN(f, SynchronizationImportMessageChange, c, .PropertyValueCount = 4, .PropertyValues = swapped),
         ecInvalidParam);
    CODE(import(f, c, 0x01, key, NOW, change, pcl), ecInvalidParam); /* R3509 */
    CODE(import(f, h, 0, key, NOW, change, pcl), ecNotSupported);    /* R785 */
    CODE(import(f, c, 0, change, NOW, change, pcl), ecInvalidParam);
    CODE(import(f, f->logon, 0, key, NOW, change, pcl), ecNotSupported);
    CODE(RUN(f, SynchronizationImportHierarchyChange, c, .HierarchyValueCount = 5, .HierarchyValues = values),
         ecNotSupported); /* R818 */
    CODE(RUN(f, SynchronizationImportHierarchyChange, h, .HierarchyValueCount = 5, .HierarchyValues = values),
         ecInvalidParam);
    CODE(import(f, c, 0, key, NOW, change, pcl), ecNone);
}

static void an_imported_message_outlives_its_collector(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint32_t c = collector(f, DRAFTS, true);
    const struct blob key = new_key(&ids), change = new_change(&ids);
    const struct rop_done made = import(f, c, 0x10, key, NOW, change, list_of(&ids, change));
    RUN(f, Release, c);
    assert_int_equal(rop_save(f, made.handle), id_of(f, key));
    assert_true(rop_get(f, rop_open_message(f, DRAFTS, id_of(f, key), 0), PidTagAssociated).b); /* R813 */
}

static void folders_are_made_renamed_and_deleted(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint32_t c = collector(f, TOP, false);
    const struct blob key = new_key(&ids), first = new_change(&ids), second = new_change(&ids);
    struct prop values[] = { P_BIN(PidTagParentSourceKey, BLOB_OF(NULL, 0)),
                             P_BIN(PidTagSourceKey, key),
                             P_TIME(PidTagLastModificationTime, NOW),
                             P_BIN(PidTagChangeKey, first),
                             P_BIN(PidTagPredecessorChangeList, list_of(&ids, first)),
                             { .tag = PROP_AS(PidTagDisplayName, PtypString8), .str = "Projects" } };
    const struct prop others[] = { P_STR(PidTagContainerClass, "IPF.Note") };
    const struct rop_done made = RUN(f, SynchronizationImportHierarchyChange, c, .HierarchyValueCount = 6,
                                     .HierarchyValues = values, .PropertyValueCount = 1, .PropertyValues = others);
    CODE(made, ecNone);
    assert_int_equal(((const struct RopSynchronizationImportHierarchyChangeResponse *)made.response)->FolderId,
                     0); /* R835 */
    const uint32_t folder = rop_folder(f, id_of(f, key));
    assert_string_equal(rop_get(f, folder, PidTagDisplayName).str, "Projects");
    assert_string_equal(rop_get(f, folder, PidTagContainerClass).str, "IPF.Note"); /* R828 */
    values[3].bin = second;
    values[4].bin = list_after(&ids, list_of(&ids, first), second);
    values[5] = P_STR(PidTagDisplayName, "Old projects");
    CODE(RUN(f, SynchronizationImportHierarchyChange, c, .HierarchyValueCount = 6, .HierarchyValues = values), ecNone);
    assert_string_equal(rop_get(f, folder, PidTagDisplayName).str, "Old projects");
    values[0].bin = new_key(&ids);
    CODE(RUN(f, SynchronizationImportHierarchyChange, c, .HierarchyValueCount = 6, .HierarchyValues = values),
         SYNC_E_NO_PARENT); /* R2450 */
    const struct blob keys[] = { key };
    const struct prop list = { .tag = PROP_TAG(PtypMultiple | PtypBinary, 0), .mv = { .count = 1, .bin = keys } };
    CODE(RUN(f, SynchronizationImportDeletes, c, .PropertyValueCount = 1, .PropertyValues = &list),
         ecInvalidParam); /* R887 */
    CODE(RUN(f, SynchronizationImportDeletes, c, .ImportDeleteFlags = 1, .PropertyValueCount = 1,
             .PropertyValues = &list),
         ecNone); /* R901 */
    CODE(RUN(f, OpenFolder, f->logon, .FolderId = id_of(f, key)), ecNotFound);
}

static void messages_are_moved_marked_and_deleted(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint64_t mid = rop_message(f, DRAFTS, "one");
    const uint32_t m = rop_open_message(f, DRAFTS, mid, 0), c = collector(f, INBOX, true);
    const struct blob pcl = rop_get(f, m, PidTagPredecessorChangeList).bin, there = new_key(&ids),
                      change = new_change(&ids), from = key_of(&ids, DRAFTS), key = key_of(&ids, mid);
    RUN(f, Release, m);
#define MOVE(folder, message, list, to, cn)                                                                            \
    RUN(f, SynchronizationImportMessageMove, c, .SourceFolderIdSize = (uint32_t)(folder).size,                         \
        .SourceFolderId = folder, .SourceMessageIdSize = (uint32_t)(message).size, .SourceMessageId = message,         \
        .PredecessorChangeListSize = (uint32_t)(list).size, .PredecessorChangeList = list,                             \
        .DestinationMessageIdSize = (uint32_t)(to).size, .DestinationMessageId = to,                                   \
        .ChangeNumberSize = (uint32_t)(cn).size, .ChangeNumber = cn)
    const struct blob nothing = BLOB_OF("", 0), elsewhere = new_key(&ids);
    CODE(MOVE(from, key, pcl, there, nothing), ecInvalidParam);   /* R867 */
    CODE(MOVE(nothing, key, pcl, there, change), ecInvalidParam); /* R844 */
    const struct rop_done moved = MOVE(from, key, pcl, there, change);
    CODE(moved, ecNone);
    assert_int_equal(((const struct RopSynchronizationImportMessageMoveResponse *)moved.response)->MessageId,
                     0);                               /* R879001 */
    CODE(MOVE(from, key, pcl, there, change), ecNone); /* said again */
    CODE(MOVE(from, key, pcl, elsewhere, change), SYNC_E_OBJECT_DELETED);
    assert_int_equal(rop_get(f, rop_folder(f, INBOX), PidTagContentCount).u32, 1);

    struct buf states;
    buf_init(&states, f->arena);
    put_le16(buf_grow(&states, 2), 22);
    buf_add(&states, there.data, there.size);
    buf_add(&states, "", 1);
#define MARK(bytes)                                                                                                    \
    RUN(f, SynchronizationImportReadStateChanges, c, .MessageReadStatesSize = (uint16_t)(bytes).size,                  \
        .MessageReadStates = bytes)
    CODE(MARK(buf_blob(&states)), ecNone); /* R918 */
    assert_int_equal(rop_get(f, rop_folder(f, INBOX), PidTagContentUnreadCount).u32, 1);
    for (size_t cut = 0; cut < states.size; cut++)
        CODE(MARK(BLOB_OF(states.data, cut)), ecInvalidParam); /* R910 */

    const struct blob keys[] = { there, there };
    const struct prop list = { .tag = PROP_TAG(PtypMultiple | PtypBinary, 0), .mv = { .count = 2, .bin = keys } },
                      wrong = P_BIN(PidTagSourceKey, there);
#define DELETE(flags, value)                                                                                           \
    RUN(f, SynchronizationImportDeletes, c, .ImportDeleteFlags = flags, .PropertyValueCount = 1,                       \
        .PropertyValues = &(value))
    CODE(DELETE(4, list), ecInvalidParam);  /* R2254 */
    CODE(DELETE(1, list), ecInvalidParam);  /* R887 */
    CODE(DELETE(0, wrong), ecInvalidParam); /* R1326 */
    CODE(DELETE(0, list), ecNone);
    CODE(DELETE(2, list), ecNone); /* R2250 */
    assert_int_equal(rop_get(f, rop_folder(f, INBOX), PidTagContentCount).u32, 0);
}

static void ids_are_given_out_once(void **state)
{
    struct rop_fixture *f = *state;
    struct ids one = ids_of(f), two = ids_of(f);
    assert_true(guid_equal(one.replica, two.replica)); /* R933 */
    assert_true(memcmp(one.first, two.first, 6) < 0);
    const uint64_t mid = rop_message(f, DRAFTS, "the server's own");
    assert_true(memcmp(key_of(&one, mid).data + 16, new_key(&two).data + 16, 6) > 0); /* R936 */
    CODE(RUN(f, GetLocalReplicaIds, f->logon, .IdCount = 0), ecInvalidParam);
    CODE(RUN(f, GetLocalReplicaIds, f->logon, .IdCount = UINT32_MAX), ecInvalidParam); /* R2265 */
    CODE(RUN(f, GetLocalReplicaIds, rop_folder(f, DRAFTS), .IdCount = 1), ecNotSupported);
}

static void unused_ids_are_remembered(void **state)
{
    struct rop_fixture *f = *state;
    struct ids ids = ids_of(f);
    const uint32_t folder = rop_folder(f, DRAFTS), c = collector(f, DRAFTS, true);
    struct LongTermIdRange range = { .MinLongTermId.DatabaseGuid = ids.replica,
                                     .MaxLongTermId.DatabaseGuid = ids.replica };
    memcpy(range.MinLongTermId.GlobalCounter, ids.first, 6);
    memcpy(range.MaxLongTermId.GlobalCounter, ids.first, 6);
    CODE(RUN(f, SetLocalReplicaMidsetDeleted, folder, .LongTermIdRangeCount = 0), ecInvalidParam); /* R948 */
    CODE(RUN(f, SetLocalReplicaMidsetDeleted, folder, .LongTermIdRangeCount = 1, .LongTermIdRanges = &range), ecNone);
    const struct blob change = new_change(&ids);
    CODE(import(f, c, 0, new_key(&ids), NOW, change, list_of(&ids, change)), SYNC_E_OBJECT_DELETED); /* R940 */
    CODE(import(f, c, 0, new_key(&ids), NOW, change, list_of(&ids, change)), ecNone);
}

/* What a client says of itself is its own, but it is kept here. */
static void states_share_what_a_session_may_hold(void **state)
{
    struct rop_fixture *f = *state;
    static const uint8_t noise[0x7000];
    sessions_limit_memory(f->sessions, 200000);
    struct rop_fixture *second = rop_second_session(f);
    const uint32_t c = collector(second, DRAFTS, true);
    CODE(RUN(second, SynchronizationUploadStateStreamBegin, c, .StateProperty = MetaTagCnsetSeen,
             .TransferBufferSize = 0x100000),
         ecNone);
    uint32_t code = 0;
    for (unsigned i = 0; i < 10 && !code; i++)
        code = RUN(second, SynchronizationUploadStateStreamContinue, c, .StreamDataSize = sizeof noise,
                   .StreamData = BLOB_OF(noise, sizeof noise))
                   .code;
    assert_int_equal(code, (uint32_t)ecNotEnoughMemory);
    CODE(RUN(second, SynchronizationUploadStateStreamEnd, c), ecRpcFormat); /* zeros are no set */
    CODE(RUN(second, SynchronizationUploadStateStreamBegin, c, .StateProperty = MetaTagCnsetSeen), ecNone);
    CODE(RUN(second, SynchronizationUploadStateStreamEnd, c), ecNone); /* and the collector goes on */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ROP_TEST(a_client_uploads_what_it_has_made),
        ROP_TEST(a_client_uploads_what_it_has_changed),
        ROP_TEST(what_begins_a_change_has_its_places),
        ROP_TEST(an_imported_message_outlives_its_collector),
        ROP_TEST(folders_are_made_renamed_and_deleted),
        ROP_TEST(messages_are_moved_marked_and_deleted),
        ROP_TEST(ids_are_given_out_once),
        ROP_TEST(unused_ids_are_remembered),
        ROP_TEST(states_share_what_a_session_may_hold),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("collectors", tests, NULL, NULL);
}
