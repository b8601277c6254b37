/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCSTOR] 3.2.5.10 to 3.2.5.13 on a private mailbox. */
#include "rop/fixture.h"
#include "wire/idset.h"

static struct LongTermId folder_id(uint8_t number)
{
    struct LongTermId id = { .DatabaseGuid = { { 1, 2, 3 } } };
    id.GlobalCounter[5] = number;
    return id;
}

static const struct guid database = { { 9, 8, 7 } };

/* A set of change numbers with gaps, so that it has some length. */
static struct blob read_set(struct rop_fixture *f, uint32_t ranges)
{
    struct idset *set = idset_new(f->arena, IDSET_REPLGUID);
    for (uint32_t i = 0; i < ranges; i++)
        globset_add(idset_of_guid(set, database), 1000 * i + 1, 1000 * i + 300);
    return idset_bytes(f->arena, set);
}

static struct rop_done write_piece(struct rop_fixture *f, struct LongTermId folder, struct blob all, uint32_t from,
                                   uint32_t count, bool last)
{
    return RUN(f, WritePerUserInformation, f->logon, .FolderId = folder, .HasFinished = last, .DataOffset = from,
               .DataSize = (uint16_t)count, .Data = BLOB_OF(all.data + from, count), .ReplGuid = database);
}

static void what_was_read_comes_back_in_pieces(void **state)
{
    struct rop_fixture *f = *state;
    const struct LongTermId folder = folder_id(1);
    const struct blob all = read_set(f, 200);
    const uint32_t half = (uint32_t)all.size / 2;
    CODE(write_piece(f, folder, all, 0, half, false), ecNone); /* R1013 */
    struct rop_done done = RUN(f, ReadPerUserInformation, f->logon, .FolderId = folder);
    const struct RopReadPerUserInformationResponse *r = done.response;
    assert_int_equal(r->DataSize, 0); /* R1015, R1255 */
    assert_true(r->HasFinished);
    CODE(write_piece(f, folder, all, half, (uint32_t)all.size - half, true), ecNone); /* R597, R1014, R1025 */

    struct buf got;
    buf_init(&got, f->arena);
    do {
        done = RUN(f, ReadPerUserInformation, f->logon, .FolderId = folder, .DataOffset = (uint32_t)got.size,
                   .MaxDataSize = 100); /* R979, R983 */
        CODE(done, ecNone);             /* R552 */
        r = done.response;
        assert_in_range(r->DataSize, 1, 100); /* R543, R1004 */
        buf_add(&got, r->Data.data, r->DataSize);
        assert_int_equal(r->HasFinished, got.size == all.size); /* R540, R982, R1001, R1010, R1284 */
    } while (!r->HasFinished);
    assert_true(blob_equal(buf_blob(&got), all)); /* R516, R569, R967 */
    CODE(RUN(f, ReadPerUserInformation, f->logon, .FolderId = folder, .DataOffset = (uint32_t)all.size + 1),
         ecError);                                                       /* R556, R557, R1260 */
    done = RUN(f, ReadPerUserInformation, f->logon, .FolderId = folder); /* R536, R992 */
    assert_in_range(((const struct RopReadPerUserInformationResponse *)done.response)->DataSize, 1, all.size);
}

static void folders_are_listed_by_their_database(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob all = read_set(f, 3);
    for (uint8_t i = 1; i <= 3; i++)
        CODE(write_piece(f, folder_id(i), all, 0, (uint32_t)all.size, true), ecNone);
    struct rop_done done = RUN(f, GetPerUserLongTermIds, f->logon, .DatabaseGuid = database);
    const struct RopGetPerUserLongTermIdsResponse *r = done.response;
    CODE(done, ecNone);                      /* R480 */
    assert_int_equal(r->LongTermIdCount, 3); /* R956, R957, R958 */
    done = RUN(f, GetPerUserLongTermIds, f->logon, .DatabaseGuid = { { 5 } });
    assert_int_equal(((const struct RopGetPerUserLongTermIdsResponse *)done.response)->LongTermIdCount, 0); /* R960 */
    done = RUN(f, GetPerUserGuid, f->logon, .LongTermId = folder_id(2));
    CODE(done, ecNone); /* R496 */
    assert_true(
        guid_equal(((const struct RopGetPerUserGuidResponse *)done.response)->DatabaseGuid, database)); /* R964 */
    CODE(RUN(f, GetPerUserGuid, f->logon, .LongTermId = folder_id(9)), ecNotFound); /* R500, R1135, R1254 */
}

static void a_piece_that_does_not_follow_is_refused(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob all = read_set(f, 100);
    CODE(write_piece(f, folder_id(1), all, 10, 10, false), ecError); /* R1019 */
    CODE(write_piece(f, folder_id(1), all, 0, 10, false), ecNone);
    CODE(write_piece(f, folder_id(1), all, 11, 10, false), ecError); /* R599, R600, R1033, R1034 */
    CODE(write_piece(f, folder_id(1), all, 10, 10, false), ecError); /* what was sent is gone */
    CODE(write_piece(f, folder_id(1), all, 0, 10, false), ecNone);
    CODE(write_piece(f, folder_id(2), all, 10, 10, false), ecError); /* R601, R1017, R1018 */
}

static void what_is_no_set_of_changes_is_refused(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob all = read_set(f, 100);
    CODE(write_piece(f, folder_id(1), all, 0, (uint32_t)all.size - 1, true), ecCorruptData); /* R602, R603, R1021 */
    CODE(RUN(f, GetPerUserGuid, f->logon, .LongTermId = folder_id(1)), ecNotFound);
}

static void a_set_has_a_limit(void **state)
{
    enum { PIECE = 30000 };
    struct rop_fixture *f = *state;
    const struct blob noise = BLOB_OF(talloc_zero_size(f->arena, PIECE), PIECE);
    struct rop_done done = { 0 };
    for (uint32_t sent = 0; !done.code && sent < 2 * PER_USER_MAX; sent += PIECE)
        done = RUN(f, WritePerUserInformation, f->logon, .FolderId = folder_id(1), .DataOffset = sent,
                   .DataSize = PIECE, .Data = noise);
    CODE(done, ecTooBig);
    CODE(RUN(f, GetPerUserGuid, f->logon, .LongTermId = folder_id(1)), ecNotFound);
}

static void a_newer_set_replaces_the_older(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob many = read_set(f, 20), few = read_set(f, 2);
    CODE(write_piece(f, folder_id(1), many, 0, (uint32_t)many.size, true), ecNone);
    CODE(write_piece(f, folder_id(1), few, 0, (uint32_t)few.size, true), ecNone); /* R1024 */
    const struct rop_done done = RUN(f, ReadPerUserInformation, f->logon, .FolderId = folder_id(1));
    assert_int_equal(((const struct RopReadPerUserInformationResponse *)done.response)->DataSize, few.size);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        ROP_TEST(what_was_read_comes_back_in_pieces),
        ROP_TEST(folders_are_listed_by_their_database),
        ROP_TEST(a_piece_that_does_not_follow_is_refused),
        ROP_TEST(what_is_no_set_of_changes_is_refused),
        ROP_TEST(a_set_has_a_limit),
        ROP_TEST(a_newer_set_replaces_the_older),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("MS-OXCSTOR, per-user information", tests, NULL, NULL);
}
