/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCMSG] 3.2.5 as a client meets it. */
#include "rop/fixture.h"
#include "wire/guids.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { READ_ONLY = 0, READ_WRITE = 1, OPEN_SOFT_DELETED = 4 };
enum { KEEP_READ_ONLY = 1, KEEP_READ_WRITE = 2, FORCE = 4 };

static uint32_t create(struct rop_fixture *f)
{
    const struct rop_done done = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    CODE(done, ecNone);
    return done.handle;
}

static uint32_t open_inbox(struct rop_fixture *f, uint64_t mid)
{
    return rop_open_message(f, INBOX, mid, READ_WRITE);
}

static struct rop_done open_message(struct rop_fixture *f, uint64_t fid, uint64_t mid, uint8_t mode)
{
    return RUN(f, OpenMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = fid, .MessageId = mid,
               .OpenModeFlags = mode);
}

static bool is_absent(struct prop p)
{
    return PROP_TYPE(p.tag) == PtypErrorCode && p.u32 == (uint32_t)ecNotFound;
}

/* ---- creating and opening ---- */

static void a_new_message_has_its_defaults(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    assert_int_equal(rop_get(f, m, PidTagImportance).u32, 1);                                               /* R341 */
    assert_string_equal(rop_get(f, m, PidTagMessageClass).str, "IPM.Note");                                 /* R342 */
    assert_int_equal(rop_get(f, m, PidTagSensitivity).u32, 0);                                              /* R343 */
    assert_string_equal(rop_get(f, m, PidTagDisplayBcc).str, "");                                           /* R344 */
    assert_string_equal(rop_get(f, m, PidTagDisplayCc).str, "");                                            /* R345 */
    assert_string_equal(rop_get(f, m, PidTagDisplayTo).str, "");                                            /* R346 */
    assert_int_equal(rop_get(f, m, PidTagMessageFlags).u32 & 0x0B, 0x09);                                   /* R347 */
    assert_false(rop_get(f, m, PidTagHasAttachments).b);                                                    /* R349 */
    assert_int_equal(rop_get(f, m, PidTagTrustSender).u32, 1);                                              /* R352 */
    assert_int_equal(rop_get(f, m, PidTagAccess).u32 & 3, 3);                                               /* R353 */
    assert_int_equal(rop_get(f, m, PidTagAccessLevel).u32, 1);                                              /* R354 */
    assert_int_equal(rop_get(f, m, PidTagLastModificationTime).u64, rop_get(f, m, PidTagCreationTime).u64); /* R357 */
    assert_int_equal(rop_get(f, m, PidTagSearchKey).bin.size, 16);                                          /* R358 */
    assert_int_equal(rop_get(f, m, PidTagMessageLocaleId).u32, 0x409);                                      /* R359 */
    assert_int_equal(rop_get(f, m, PidTagLocaleId).u32, 0x409);                                             /* R365 */
    assert_string_equal(rop_get(f, m, PidTagCreatorName).str, "Alice Example");                             /* R360 */
    assert_string_equal(rop_get(f, m, PidTagLastModifierName).str, "Alice Example");                        /* R362 */
    assert_true(rop_get(f, m, PidTagCreatorEntryId).bin.size > 28);                                         /* R361 */
    assert_false(rop_get(f, m, PidTagHasNamedProperties).b);                                                /* R364 */
}

static void nobody_sees_a_message_before_it_is_saved(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX), m = create(f);
    rop_set(f, m, P_STR(PidTagSubject, "hidden"));
    assert_int_equal(rop_get(f, inbox, PidTagContentCount).u32, 0); /* R339 */
    const uint64_t mid = rop_save(f, m);                            /* R372 */
    assert_int_equal(rop_get(f, inbox, PidTagContentCount).u32, 1);
    assert_string_equal(rop_get(f, open_inbox(f, mid), PidTagSubject).str, "hidden"); /* R321 */
}

static void the_id_that_saving_answers_opens_the_message(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    rop_set(f, m, P_STR(PidTagSubject, "kept"));
    const struct rop_done done = RUN(f, SaveChangesMessage, m, .SaveFlags = KEEP_READ_WRITE);
    CODE(done, ecNone);
    const uint64_t mid = ((const struct RopSaveChangesMessageResponse *)done.response)->MessageId;
    assert_int_equal(rop_get(f, m, PidTagMid).u64, mid); /* R728 */
    assert_string_equal(rop_get(f, open_inbox(f, mid), PidTagSubject).str, "kept");
}

/* Clients have them; the server keeps them for all. */
static void archive_tags_and_side_effects_are_kept_as_clients_set_them(void **state)
{
    struct rop_fixture *f = *state;
    enum { SIDE_EFFECTS = 0x8510, OPEN_TO_MOVE = 0x40, CANNOT_UNDO_MOVE = 0x1000 };
    const struct PropertyName name = { .Kind = 0, .GUID = PSETID_Common, .LID = SIDE_EFFECTS };
    const struct blob tag = BLOB_OF("0123456789abcdef", 16);
    rop_set(f, rop_folder(f, INBOX), P_BIN(PidTagArchiveTag, tag));
    assert_true(blob_equal(rop_get(f, rop_folder(f, INBOX), PidTagArchiveTag).bin, tag)); /* R2195 */
    const struct rop_done done =
        RUN(f, GetPropertyIdsFromNames, f->logon, .Flags = 2, .PropertyNameCount = 1, .PropertyNames = &name);
    CODE(done, ecNone);
    const uint16_t id = ((const struct RopGetPropertyIdsFromNamesResponse *)done.response)->PropertyIds[0];
    const uint32_t m = create(f), effects = (uint32_t)id << 16 | PtypInteger32;
    rop_set(f, m, P_I32(effects, OPEN_TO_MOVE | CANNOT_UNDO_MOVE));
    const uint32_t kept = rop_get(f, open_inbox(f, rop_save(f, m)), effects).u32;
    assert_true(kept & OPEN_TO_MOVE);     /* R2012 */
    assert_true(kept & CANNOT_UNDO_MOVE); /* R2016 */
}

static void a_message_opens_in_its_own_folder_alone(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    CODE(open_message(f, INBOX, mid, READ_ONLY), ecNone);
    CODE(open_message(f, STORE_FID(SPECIAL_OUTBOX), mid, READ_ONLY), ecNotFound); /* R1477 */
    CODE(open_message(f, INBOX, store_id(0x999999), READ_ONLY), ecNotFound);      /* R333 */
    CODE(open_message(f, INBOX, 0, READ_ONLY), ecNotFound);
}

static void a_soft_deleted_message_opens_only_where_asked(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    CODE(RUN(f, DeleteMessages, rop_folder(f, INBOX), .MessageIdCount = 1, .MessageIds = &mid), ecNone);
    CODE(open_message(f, INBOX, mid, READ_ONLY), ecNotFound);     /* R326, R335 */
    CODE(open_message(f, INBOX, mid, OPEN_SOFT_DELETED), ecNone); /* R325 */
}

static void opening_tells_subject_and_named_properties(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    rop_set(f, m, P_STR(PidTagSubject, "RE: zażółć"));
    rop_set(f, m, P_I32(0x85000003, 7));
    const struct rop_done done = open_message(f, INBOX, rop_save(f, m), READ_ONLY);
    CODE(done, ecNone);
    const struct RopOpenMessageResponse *r = done.response;
    assert_string_equal(r->SubjectPrefix, "RE: ");
    assert_string_equal(r->NormalizedSubject, "zażółć");
    assert_true(r->HasNamedProperties);
    assert_int_equal(r->RecipientCount, 0);
    assert_int_equal(r->RowCount, 0);
}

static char *many(struct rop_fixture *f, const char *character, size_t count)
{
    char *text = talloc_strdup(f->arena, "");
    for (size_t i = 0; i < count; i++)
        text = talloc_strdup_append_buffer(text, character);
    return text;
}

static bool begins_with(const char *text, const char *start)
{
    return start && *start && strncmp(text, start, strlen(start)) == 0 && utf8_is_valid(start, strlen(start));
}

static void opening_tells_the_start_of_a_subject_that_is_very_long(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const char *prefix = many(f, "\u20AC", 5000), *subject = many(f, "\u017C", 12000);
    rop_set(f, m, P_STR(PidTagNormalizedSubject, subject));
    rop_set(f, m, P_STR(PidTagSubjectPrefix, prefix));
    const struct rop_done opened = open_message(f, INBOX, rop_save(f, m), READ_ONLY);
    CODE(opened, ecNone);
    const struct RopOpenMessageResponse *r = opened.response;
    assert_true(begins_with(prefix, r->SubjectPrefix));
    assert_true(begins_with(subject, r->NormalizedSubject));
    const struct rop_done again = RUN(f, ReloadCachedInformation, opened.handle);
    CODE(again, ecNone);
    const struct RopReloadCachedInformationResponse *reloaded = again.response;
    assert_string_equal(reloaded->NormalizedSubject, r->NormalizedSubject);
    assert_string_equal(rop_get(f, opened.handle, PidTagSubjectPrefix).str, prefix); /* whole, where asked for */
}

static void an_unknown_code_page_is_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    CODE(RUN(f, OpenMessage, f->logon, .CodePageId = 64999, .FolderId = INBOX, .MessageId = mid), ecUnknownCodePage);
    CODE(RUN(f, CreateMessage, f->logon, .CodePageId = 64999, .FolderId = INBOX), ecUnknownCodePage);
}

static void text_in_8_bits_is_written_in_the_code_page_of_the_message(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "Жж");
    const struct rop_done done = RUN(f, OpenMessage, f->logon, .CodePageId = 1251, .FolderId = INBOX, .MessageId = mid);
    CODE(done, ecNone);
    const uint32_t tags[] = { PROP_AS(PidTagSubject, PtypString8) };
    CODE(RUN_ROWS(f, GetPropertiesSpecific, done.handle, tags, .PropertyTagCount = 1, .PropertyTags = tags), ecNone);
    const uint8_t *row = f->response.data + 6; /* MS-OXCPRPT_R461: behind the ReturnValue */
    assert_memory_equal(row, "\x00\xC6\xE6\x00", 4);
}

static void text_in_8_bits_is_read_in_the_code_page_of_the_message(void **state)
{
    struct rop_fixture *f = *state;
    const struct prop subject = P_STR(PROP_AS(PidTagSubject, PtypString8), "Ææ"); /* of the session: C6 E6 */
    const struct rop_done other = RUN(f, CreateMessage, f->logon, .CodePageId = 1251, .FolderId = INBOX);
    CODE(other, ecNone);
    rop_set(f, other.handle, subject);
    assert_string_equal(rop_get(f, other.handle, PidTagSubject).str, "Жж"); /* MS-OXCROPS_R4607, R4724, R4610 */
    const uint32_t m = create(f);
    rop_set(f, m, subject);
    assert_string_equal(rop_get(f, m, PidTagSubject).str, "Ææ"); /* MS-OXCROPS_R4727, R692 */
}

/* ---- saving ---- */

static void changes_are_seen_by_others_once_they_are_saved(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "old");
    const uint32_t one = open_inbox(f, mid), other = open_inbox(f, mid); /* R1475 */
    assert_int_not_equal(one, other);
    rop_set(f, one, P_STR(PidTagSubject, "new"));
    assert_string_equal(rop_get(f, one, PidTagSubject).str, "new");
    assert_string_equal(rop_get(f, other, PidTagSubject).str, "old"); /* R704 */
    rop_save(f, one);
    assert_string_equal(rop_get(f, open_inbox(f, mid), PidTagSubject).str, "new");
}

static void the_second_to_save_hears_of_the_first_unless_it_insists(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "old");
    const uint32_t one = open_inbox(f, mid), other = open_inbox(f, mid);
    rop_set(f, one, P_STR(PidTagSubject, "one"));
    rop_set(f, other, P_STR(PidTagSubject, "other"));
    rop_save(f, one);
    CODE(RUN(f, SaveChangesMessage, other, .SaveFlags = KEEP_READ_WRITE), ecObjectModified); /* R705, R1053 */
    CODE(RUN(f, SaveChangesMessage, other, .SaveFlags = KEEP_READ_WRITE | FORCE), ecNone);
    assert_string_equal(rop_get(f, open_inbox(f, mid), PidTagSubject).str, "other");
}

static void a_message_kept_open_for_reading_cannot_be_saved_again(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct rop_done done = RUN(f, SaveChangesMessage, m, .SaveFlags = KEEP_READ_ONLY);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopSaveChangesMessageResponse *)done.response)->InputHandleIndex, 0);
    const struct rop_done again = RUN(f, SaveChangesMessage, m, .SaveFlags = KEEP_READ_WRITE);
    assert_true(again.code == (uint32_t)ecError || again.code == (uint32_t)ecAccessDenied); /* R1699 */
    CODE(RUN(f, RemoveAllRecipients, m), ecAccessDenied);
}

static void a_message_that_was_deleted_meanwhile_is_not_saved(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    const uint32_t m = open_inbox(f, mid);
    rop_set(f, m, P_STR(PidTagSubject, "n"));
    CODE(RUN(f, HardDeleteMessages, rop_folder(f, INBOX), .MessageIdCount = 1, .MessageIds = &mid), ecNone);
    CODE(RUN(f, SaveChangesMessage, m, .SaveFlags = KEEP_READ_WRITE), ecObjectDeleted);
}

/* ---- recipients ---- */

enum {
    X500 = 0x0001,
    SMTP = 0x0003,
    EMAIL = 0x0008,
    NAME = 0x0010,
    TRANSMITTABLE = 0x0020,
    SAME = 0x0040,
    ELSEWHERE = 0x0080,
    NO_RICH = 0x0100,
    UNICODE = 0x0200,
    SIMPLE = 0x0400,
    OTHER = 0x8000
};

static struct ModifyRecipientRow smtp_row(uint32_t id, uint8_t type, const char *name, const char *address)
{
    return (struct ModifyRecipientRow){
        .RowId = id,
        .RecipientType = type,
        .RecipientRowSize = 1,
        .RecipientRow = { .RecipientFlags = SMTP | EMAIL | NAME | SAME | UNICODE,
                          .EmailAddress = address,
                          .DisplayName = name },
    };
}

static struct rop_done modify(struct rop_fixture *f, uint32_t message, const struct ModifyRecipientRow *rows,
                              uint16_t count)
{
    return RUN(f, ModifyRecipients, message, .RowCount = count, .RecipientRows = rows);
}

static const struct RopReadRecipientsResponse *read_from(struct rop_fixture *f, uint32_t message, uint32_t row_id,
                                                         const uint32_t *columns, uint32_t count)
{
    const struct RopReadRecipientsRequest request = { .RowId = row_id };
    const struct rop_done done = rop_run(f, "ReadRecipients", message, 0, &request, columns, count);
    CODE(done, ecNone);
    return done.response;
}

/* The answer says its columns; those of RopReadRecipients are the same. */
static const struct RopOpenMessageResponse *reopened(struct rop_fixture *f, uint64_t mid)
{
    const struct rop_done done = open_message(f, INBOX, mid, READ_WRITE);
    CODE(done, ecNone);
    return done.response;
}

static void recipients_are_added_replaced_and_removed(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct ModifyRecipientRow rows[] = {
        smtp_row(0, 1, "Ann", "ann@example.com"),
        smtp_row(3, 2, "Ben", "ben@example.com"),
        smtp_row(5, 3, "Cid", "cid@example.com"),
    };
    CODE(modify(f, m, rows, 3), ecNone); /* R389 */
    const struct ModifyRecipientRow changed = smtp_row(3, 1, "Benny", "benny@example.com");
    CODE(modify(f, m, &changed, 1), ecNone); /* R390 */
    const struct ModifyRecipientRow removed = { .RowId = 0, .RecipientType = 1 };
    CODE(modify(f, m, &removed, 1), ecNone); /* R391 */
    const struct RopOpenMessageResponse *r = reopened(f, rop_save(f, m));
    assert_int_equal(r->RecipientCount, 2); /* R327 */
    assert_int_equal(r->RowCount, 2);       /* R328, R330 */
    assert_string_equal(r->RecipientRows[0].RecipientRow.DisplayName, "Benny");
    assert_int_equal(r->RecipientRows[0].RecipientType, 1);
    assert_string_equal(r->RecipientRows[1].RecipientRow.EmailAddress, "cid@example.com");
    assert_int_equal(r->RecipientRows[1].RecipientType, 3);
    assert_int_equal(r->RecipientRows[1].RecipientRow.RecipientFlags & 0x07, SMTP);
}

static void recipients_of_other_handles_change_with_the_save(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct ModifyRecipientRow row = smtp_row(0, 1, "Ann", "ann@example.com");
    CODE(modify(f, m, &row, 1), ecNone);
    const uint64_t mid = rop_save(f, m);
    CODE(RUN(f, RemoveAllRecipients, m), ecNone);
    CODE(RUN(f, ReadRecipients, m, .RowId = 0), ecNotFound); /* R381, R403 */
    assert_int_equal(reopened(f, mid)->RecipientCount, 1);   /* R382 */
    rop_save(f, m);
    assert_int_equal(reopened(f, mid)->RecipientCount, 0);
    CODE(RUN(f, RemoveAllRecipients, m), ecNone); /* R1491 */
}

static void what_a_recipient_row_says_comes_back(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t columns[] = { PidTagSmtpAddress, PROP_AS(PidTagAccount, PtypString8),
                                        PidTagRecipientTrackStatus };
    const struct prop values[] = { P_STR(columns[0], "alice@contoso.com"), P_STR(columns[1], "älice"),
                                   P_I32(columns[2], 5) };
    const struct ModifyRecipientRow rows[] = {
        { .RowId = 0,
          .RecipientType = 1,
          .RecipientRowSize = 1,
          .RecipientRow = { .RecipientFlags = X500 | NAME | SIMPLE | TRANSMITTABLE | UNICODE,
                            .DisplayType = 0,
                            .X500DN = f->alice->legacy_dn,
                            .DisplayName = "Alice",
                            .SimpleDisplayName = "A",
                            .TransmittableDisplayName = "Alice E.",
                            .RecipientColumnCount = 3,
                            .RecipientProperties = { 3, values } } },
        { .RowId = 1,
          .RecipientType = 2,
          .RecipientRowSize = 1,
          .RecipientRow = { .RecipientFlags = OTHER | EMAIL | NAME | NO_RICH | ELSEWHERE | UNICODE,
                            .AddressType = "NOTES",
                            .EmailAddress = "x/y",
                            .DisplayName = "Nóra" } },
        { .RowId = 2,
          .RecipientType = 0x81,
          .RecipientRowSize = 1,
          .RecipientRow = { .RecipientFlags = 0x0006 | NAME,
                            .EntryIdSize1 = 4,
                            .EntryId1 = BLOB_OF("list", 4),
                            .SearchKeySize1 = 3,
                            .SearchKey1 = BLOB_OF("key", 3),
                            .DisplayName = "Äll" } },
        { .RowId = 3,
          .RecipientType = 1,
          .RecipientRowSize = 1,
          .RecipientRow = { .RecipientFlags = NAME | UNICODE, .DisplayName = "unresolved" } },
    };
    const uint32_t m = create(f);
    const struct rop_done done = RUN(f, ModifyRecipients, m, .ColumnCount = 3, .RecipientColumns = columns,
                                     .RowCount = 4, .RecipientRows = rows);
    CODE(done, ecNone);
    const struct RopOpenMessageResponse *opened = reopened(f, rop_save(f, m));
    const struct OpenRecipientRow *r = opened->RecipientRows;
    assert_int_equal(opened->RowCount, 4);

    assert_int_equal(r[0].RecipientRow.RecipientFlags, X500 | NAME | SIMPLE | TRANSMITTABLE | UNICODE);
    assert_string_equal(r[0].RecipientRow.X500DN, f->alice->legacy_dn);
    assert_string_equal(r[0].RecipientRow.SimpleDisplayName, "A");
    assert_string_equal(r[0].RecipientRow.TransmittableDisplayName, "Alice E.");
    const struct props own = r[0].RecipientRow.RecipientProperties;
    assert_string_equal(prop_find(own.values, own.count, PidTagSmtpAddress)->str, "alice@contoso.com");
    assert_string_equal(prop_find(own.values, own.count, PidTagAccount)->str, "älice");
    assert_int_equal(prop_find(own.values, own.count, PidTagRecipientTrackStatus)->u32, 5);
    assert_string_equal(prop_find(own.values, own.count, PidTagAddressType)->str, "EX");

    assert_int_equal(r[1].RecipientRow.RecipientFlags, OTHER | EMAIL | NAME | NO_RICH | ELSEWHERE | UNICODE);
    assert_string_equal(r[1].RecipientRow.AddressType, "NOTES");
    assert_string_equal(r[1].RecipientRow.EmailAddress, "x/y");
    assert_int_equal(r[2].RecipientRow.RecipientFlags & 0x07, 0x06);
    assert_int_equal(r[2].RecipientType, 0x81);
    assert_memory_equal(r[2].RecipientRow.EntryId1.data, "list", 4);
    assert_memory_equal(r[2].RecipientRow.SearchKey1.data, "key", 3);
    assert_string_equal(r[2].RecipientRow.DisplayName, "Äll");
    assert_int_equal(r[3].RecipientRow.RecipientFlags, NAME | UNICODE);
    assert_null(prop_find(r[3].RecipientRow.RecipientProperties.values, r[3].RecipientRow.RecipientProperties.count,
                          PidTagEmailAddress));
}

static void the_columns_begin_with_the_four_that_clients_expect(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct ModifyRecipientRow row = smtp_row(0, 2, "Ann", "ann@example.com");
    CODE(modify(f, m, &row, 1), ecNone);
    const struct RopOpenMessageResponse *r = reopened(f, rop_save(f, m));
    assert_true(r->ColumnCount >= 4);
    assert_int_equal(r->RecipientColumns[0], PidTagRecipientType);
    assert_int_equal(r->RecipientColumns[1], PidTagDisplayName);
    assert_int_equal(r->RecipientColumns[2], PidTagAddressType);
    assert_int_equal(r->RecipientColumns[3], PidTagEmailAddress);
    assert_int_equal(r->RecipientRows[0].RecipientRow.RecipientProperties.values[0].u32, 2);
}

static void more_recipients_than_fit_are_read_page_by_page(void **state)
{
    struct rop_fixture *f = *state;
    enum { COUNT = 900, BATCH = 100 };
    const uint32_t m = create(f);
    for (unsigned i = 0; i < COUNT; i += BATCH) {
        struct ModifyRecipientRow rows[BATCH];
        for (unsigned k = 0; k < BATCH; k++)
            rows[k] = smtp_row(i + k, 1, talloc_asprintf(f->arena, "Recipient number %u", i + k),
                               talloc_asprintf(f->arena, "recipient%u@example.com", i + k));
        CODE(modify(f, m, rows, BATCH), ecNone);
    }
    const uint64_t mid = rop_save(f, m);
    const struct rop_done done = open_message(f, INBOX, mid, READ_ONLY);
    CODE(done, ecNone);
    const struct RopOpenMessageResponse *r = done.response;
    assert_int_equal(r->RecipientCount, COUNT);
    assert_in_range(r->RowCount, 20, 255);
    unsigned seen = 0;
    for (unsigned rounds = 0; seen < COUNT && rounds < COUNT; rounds++) {
        const struct RopReadRecipientsResponse *page =
            read_from(f, done.handle, seen, r->RecipientColumns, r->ColumnCount);
        assert_true(page->RowCount > 0); /* R400, R1054, R1495 */
        for (unsigned i = 0; i < page->RowCount; i++)
            assert_int_equal(page->RecipientRows[i].RowId, seen++);
    }
    assert_int_equal(seen, COUNT);
    CODE(RUN(f, ReadRecipients, done.handle, .RowId = COUNT), ecNotFound); /* R1055 */
}

/* One recipient of which every value alone would fill an answer, among others. */
static void a_recipient_that_is_too_large_for_an_answer_hides_nobody(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t columns[] = { PidTagTransmittableDisplayName, PidTagComment, PidTagRecipientTrackStatus };
    const uint32_t m = create(f);
    const struct ModifyRecipientRow first = smtp_row(0, 1, "Ann", "ann@example.com");
    const struct ModifyRecipientRow last = smtp_row(2, 1, "Cid", "cid@example.com");
    struct ModifyRecipientRow large = smtp_row(1, 1, many(f, "\u017C", 9000), many(f, "b", 5000));
    const struct prop values[] = { P_STR(columns[0], "Ben"), P_STR(columns[1], many(f, "c", 1000)),
                                   P_I32(columns[2], 5) };
    large.RecipientRow.RecipientFlags = SMTP | EMAIL | NAME | UNICODE;
    large.RecipientRow.RecipientColumnCount = 3;
    large.RecipientRow.RecipientProperties = (struct props){ 3, values };
    CODE(modify(f, m, &first, 1), ecNone);
    CODE(RUN(f, ModifyRecipients, m, .ColumnCount = 3, .RecipientColumns = columns, .RowCount = 1,
             .RecipientRows = &large),
         ecNone);
    CODE(modify(f, m, &last, 1), ecNone);
    const struct rop_done done = open_message(f, INBOX, rop_save(f, m), READ_ONLY);
    CODE(done, ecNone);
    const struct RopOpenMessageResponse *r = done.response;
    assert_int_equal(r->RecipientCount, 3);
    assert_true(r->RowCount >= 1);

    const struct RopReadRecipientsResponse *page = read_from(f, done.handle, 1, r->RecipientColumns, r->ColumnCount);
    assert_true(page->RowCount >= 1); /* R400 */
    const struct RecipientRow *row = &page->RecipientRows[0].RecipientRow;
    assert_int_equal(page->RecipientRows[0].RowId, 1);
    assert_int_equal(row->RecipientFlags & (NAME | EMAIL), 0);
    assert_string_equal(row->TransmittableDisplayName, "Ben");
    const struct props own = row->RecipientProperties;
    const struct prop *name = &own.values[1], *comment = prop_find(own.values, own.count, PidTagComment);
    assert_int_equal(name->tag, PROP_AS(PidTagDisplayName, PtypErrorCode));
    assert_int_equal(name->u32, (uint32_t)ecNotEnoughMemory);
    assert_int_equal(strlen(comment->str), 1000);
    assert_int_equal(prop_find(own.values, own.count, PidTagRecipientTrackStatus)->u32, 5);
    page = read_from(f, done.handle, 2, r->RecipientColumns, r->ColumnCount);
    assert_string_equal(page->RecipientRows[0].RecipientRow.DisplayName, "Cid");
}

static void the_cached_information_is_that_of_the_open_message(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = open_inbox(f, rop_message(f, INBOX, "before"));
    rop_set(f, m, P_STR(PidTagSubject, "FW: after"));
    const struct ModifyRecipientRow row = smtp_row(0, 1, "Ann", "ann@example.com");
    CODE(modify(f, m, &row, 1), ecNone);
    const struct rop_done done = RUN(f, ReloadCachedInformation, m);
    CODE(done, ecNone);
    const struct RopReloadCachedInformationResponse *r = done.response;
    assert_string_equal(r->SubjectPrefix, "FW: ");
    assert_string_equal(r->NormalizedSubject, "after");
    assert_int_equal(r->RecipientCount, 1);
}

/* ---- flags ---- */

static uint32_t status_of(struct rop_fixture *f, uint64_t mid)
{
    const struct rop_done done = RUN(f, GetMessageStatus, rop_folder(f, INBOX), .MessageId = mid);
    CODE(done, ecNone);
    return ((const struct RopGetMessageStatusResponse *)done.response)->MessageStatusFlags;
}

static void the_status_changes_under_its_mask_and_at_once(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "m");
    const uint32_t inbox = rop_folder(f, INBOX);
    const uint64_t key = rop_get(f, open_inbox(f, mid), PidTagChangeNumber).u64;
    CODE(RUN(f, SetMessageStatus, inbox, .MessageId = mid, .MessageStatusFlags = 0x1200, .MessageStatusMask = 0x1000),
         ecNone);
    assert_int_equal(status_of(f, mid), 0x1000); /* R416, R421 */
    const struct rop_done done =
        RUN(f, SetMessageStatus, inbox, .MessageId = mid, .MessageStatusFlags = 0, .MessageStatusMask = 0x1000);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopSetMessageStatusResponse *)done.response)->MessageStatusFlags, 0x1000);
    assert_int_equal(status_of(f, mid), 0);                                        /* R1500 */
    assert_int_equal(rop_get(f, open_inbox(f, mid), PidTagChangeNumber).u64, key); /* R1501 */
    CODE(RUN(f, GetMessageStatus, inbox, .MessageId = store_id(0x99999)), ecNotFound);
}

static void read_flags_change_many_messages_and_tell_of_those_that_failed(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    const uint64_t mids[] = { rop_message(f, INBOX, "a"), rop_message(f, INBOX, "b"), store_id(0x99999) };
    CODE(RUN(f, SetReadFlags, inbox, .ReadFlags = 0x04, .MessageIdCount = 2, .MessageIds = mids), ecNone);
    assert_int_equal(rop_get(f, inbox, PidTagContentUnreadCount).u32, 2); /* R1703 */
    const struct rop_done done = RUN(f, SetReadFlags, inbox, .WantAsynchronous = true, .ReadFlags = 0x01,
                                     .MessageIdCount = 3, .MessageIds = mids);
    CODE(done, ecNone);
    assert_true(((const struct RopSetReadFlagsResponse *)done.response)->PartialCompletion); /* R1514 */
    assert_int_equal(rop_get(f, inbox, PidTagContentUnreadCount).u32, 0);
}

static void the_read_flag_of_an_open_message_is_committed_at_once(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX), m = open_inbox(f, rop_message(f, INBOX, "m"));
    const struct rop_done done = RUN(f, SetMessageReadFlag, m, .ReadFlags = 0x04);
    CODE(done, ecNone); /* R1710 */
    assert_false(((const struct RopSetMessageReadFlagResponse *)done.response)->ReadStatusChanged);
    assert_int_equal(rop_get(f, inbox, PidTagContentUnreadCount).u32, 1);
    CODE(RUN(f, SetMessageReadFlag, m, .ReadFlags = 0x00), ecNone);
    assert_int_equal(rop_get(f, inbox, PidTagContentUnreadCount).u32, 0);
}

/* ---- attachments ---- */

struct attached {
    uint32_t handle, number;
};

static struct attached attach(struct rop_fixture *f, uint32_t message, const char *name, bool save)
{
    const struct rop_done done = RUN(f, CreateAttachment, message);
    CODE(done, ecNone);
    const struct attached a = { done.handle,
                                ((const struct RopCreateAttachmentResponse *)done.response)->AttachmentID };
    rop_set(f, a.handle, P_STR(PidTagAttachLongFilename, name));
    rop_set(f, a.handle, P_I32(PidTagAttachMethod, 1));
    rop_set(f, a.handle, P_BIN(PidTagAttachDataBinary, BLOB_OF("data", 4)));
    if (save)
        CODE(RUN(f, SaveChangesAttachment, a.handle, .SaveFlags = KEEP_READ_WRITE), ecNone);
    return a;
}

static void a_new_attachment_has_its_defaults(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct rop_done done = RUN(f, CreateAttachment, m);
    CODE(done, ecNone);
    assert_int_equal(rop_get(f, done.handle, PidTagAttachNumber).u32, 0);               /* R448 */
    assert_int_equal(rop_get(f, done.handle, PidTagAccessLevel).u32, 1);                /* R450 */
    assert_int_equal(rop_get(f, done.handle, PidTagRenderingPosition).u32, 0xFFFFFFFF); /* R451 */
    assert_int_equal(rop_get(f, done.handle, PidTagCreationTime).u64,
                     rop_get(f, done.handle, PidTagLastModificationTime).u64); /* R453 */
}

static void an_attachment_is_there_when_both_it_and_its_message_are_saved(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const uint64_t mid = rop_save(f, m);
    const struct attached saved = attach(f, m, "saved.txt", true);
    attach(f, m, "forgotten.txt", false);                                                       /* R446 */
    CODE(RUN(f, OpenAttachment, open_inbox(f, mid), .AttachmentID = saved.number), ecNotFound); /* R1062, R440 */
    rop_save(f, m);
    const uint32_t again = open_inbox(f, mid);
    assert_true(rop_get(f, again, PidTagHasAttachments).b);
    const struct rop_done numbers = RUN(f, GetValidAttachments, again);
    CODE(numbers, ecNone);
    assert_int_equal(((const struct RopGetValidAttachmentsResponse *)numbers.response)->AttachmentIdCount, 1);
    const struct rop_done opened = RUN(f, OpenAttachment, again, .AttachmentID = saved.number);
    CODE(opened, ecNone); /* R436 */
    assert_string_equal(rop_get(f, opened.handle, PidTagAttachLongFilename).str, "saved.txt");
    assert_memory_equal(rop_get(f, opened.handle, PidTagAttachDataBinary).bin.data, "data", 4);
}

static void a_deleted_attachment_goes_with_the_next_save(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct attached a = attach(f, m, "a.txt", true);
    const uint64_t mid = rop_save(f, m);
    CODE(RUN(f, DeleteAttachment, m, .AttachmentID = a.number), ecNone);
    assert_false(rop_get(f, m, PidTagHasAttachments).b);                 /* R469 */
    assert_true(rop_get(f, open_inbox(f, mid), PidTagHasAttachments).b); /* R1523 */
    rop_save(f, m);
    assert_false(rop_get(f, open_inbox(f, mid), PidTagHasAttachments).b);
    CODE(RUN(f, DeleteAttachment, m, .AttachmentID = a.number), ecNotFound); /* R1063 */
}

static void attachments_are_listed_in_a_table(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t columns[] = { PidTagAttachNumber, PidTagAttachLongFilename, PidTagAttachSize };
    const uint32_t m = create(f);
    attach(f, m, "one.txt", true);
    attach(f, m, "two.txt", true);
    const uint32_t table = RUN(f, GetAttachmentTable, m).handle;
    CODE(RUN(f, SetColumns, table, .PropertyTagCount = 3, .PropertyTags = columns), ecNone);
    const struct rop_done done = RUN_ROWS(f, QueryRows, table, columns, .ForwardRead = true, .RowCount = 9);
    CODE(done, ecNone);
    const struct RopQueryRowsResponse *r = done.response;
    assert_int_equal(r->RowCount, 2); /* R490 */
    assert_string_equal(r->RowData[1].values[1].str, "two.txt");
    assert_int_equal(r->RowData[1].values[0].u32, 1);
}

static void flags_that_contradict_each_other_do_not_save_an_attachment(void **state)
{
    struct rop_fixture *f = *state;
    const struct attached a = attach(f, create(f), "a.txt", false);
    CODE(RUN(f, SaveChangesAttachment, a.handle, .SaveFlags = KEEP_READ_ONLY | KEEP_READ_WRITE),
         ecNotSupported); /* R466 */
    CODE(RUN(f, SaveChangesAttachment, a.handle, .SaveFlags = 0x80), ecNotSupported);
    CODE(RUN(f, SaveChangesAttachment, rop_folder(f, INBOX), .SaveFlags = KEEP_READ_WRITE), ecNotSupported); /* R467 */
    CODE(RUN(f, SaveChangesAttachment, a.handle, .SaveFlags = 0x0A), ecNone);
}

static void what_lives_in_a_message_goes_with_it(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const struct attached a = attach(f, m, "a.txt", true);
    const uint32_t stream = RUN(f, OpenStream, a.handle, .PropertyTag = PidTagAttachDataBinary).handle;
    RUN(f, Release, m);
    CODE(RUN(f, GetPropertiesList, a.handle), ecInvalidObject);
    CODE(RUN(f, GetStreamSize, stream), ecInvalidObject);
}

/* ---- embedded messages ---- */

static uint32_t embedded(struct rop_fixture *f, uint32_t attachment, uint8_t mode, uint32_t code)
{
    const struct rop_done done = RUN(f, OpenEmbeddedMessage, attachment, .CodePageId = 0x0FFF, .OpenModeFlags = mode);
    assert_int_equal(done.code, code);
    return done.handle;
}

static void a_message_in_a_message_is_saved_from_the_inside_out(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const uint32_t a = RUN(f, CreateAttachment, m).handle;
    rop_set(f, a, P_I32(PidTagAttachMethod, 5));
    embedded(f, a, 1, (uint32_t)ecNotFound);
    const uint32_t inner = embedded(f, a, 2, ecNone); /* R479 */
    rop_set(f, inner, P_STR(PidTagSubject, "inside"));
    const struct ModifyRecipientRow row = smtp_row(0, 1, "Ann", "ann@example.com");
    CODE(modify(f, inner, &row, 1), ecNone);
    CODE(RUN(f, SaveChangesMessage, inner, .SaveFlags = KEEP_READ_WRITE), ecNone); /* R481 */
    CODE(RUN(f, SaveChangesAttachment, a, .SaveFlags = KEEP_READ_WRITE), ecNone);
    const uint64_t mid = rop_save(f, m);

    const uint32_t again =
        RUN(f, OpenAttachment, open_inbox(f, mid), .AttachmentID = 0, .OpenAttachmentFlags = 1).handle;
    const struct rop_done done = RUN(f, OpenEmbeddedMessage, again, .CodePageId = 0x0FFF, .OpenModeFlags = 1);
    CODE(done, ecNone);
    const struct RopOpenEmbeddedMessageResponse *r = done.response;
    assert_string_equal(r->NormalizedSubject, "inside");
    assert_int_equal(r->RecipientCount, 1);
    assert_string_equal(rop_get(f, done.handle, PidTagSubject).str, "inside");
}

static void without_saving_the_attachment_the_inner_message_is_lost(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t m = create(f);
    const uint32_t a = RUN(f, CreateAttachment, m).handle;
    rop_set(f, a, P_I32(PidTagAttachMethod, 5));
    const uint32_t inner = embedded(f, a, 2, ecNone);
    CODE(RUN(f, SaveChangesMessage, inner, .SaveFlags = KEEP_READ_WRITE), ecNone);
    const uint64_t mid = rop_save(f, m);
    CODE(RUN(f, OpenAttachment, open_inbox(f, mid), .AttachmentID = 0), ecNotFound);
}

static void an_embedded_message_in_an_unknown_code_page_is_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t a = RUN(f, CreateAttachment, create(f)).handle;
    CODE(RUN(f, OpenEmbeddedMessage, a, .CodePageId = 64999, .OpenModeFlags = 2), ecUnknownCodePage); /* R1068 */
}

/* ---- what is not a message ---- */

static void calls_on_something_else_or_on_nothing_are_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t inbox = rop_folder(f, INBOX);
    CODE(RUN(f, RemoveAllRecipients, 0xFFFFFFFF), ecNullObject);     /* R1493 */
    CODE(RUN(f, ReadRecipients, 0xFFFFFFFF), ecNullObject);          /* R1057 */
    CODE(RUN(f, ReloadCachedInformation, 0xFFFFFFFF), ecNullObject); /* R1498 */
    CODE(RUN(f, OpenAttachment, 0xFFFFFFFF), ecNullObject);          /* R1620 */
    CODE(RUN(f, CreateAttachment, 0xFFFFFFFF), ecNullObject);        /* R1712 */
    CODE(RUN(f, GetAttachmentTable, 0xFFFFFFFF), ecNullObject);      /* R1526 */
    CODE(RUN(f, SetReadFlags, 0xFFFFFFFF), ecNullObject);            /* R1516 */
    CODE(RUN(f, ReadRecipients, inbox), ecNotSupported);
    CODE(RUN(f, CreateAttachment, inbox), ecNotSupported);
    assert_true(is_absent(rop_get(f, inbox, PidTagSubject)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_new_message_has_its_defaults),
        ROP_TEST(nobody_sees_a_message_before_it_is_saved),
        ROP_TEST(the_id_that_saving_answers_opens_the_message),
        ROP_TEST(archive_tags_and_side_effects_are_kept_as_clients_set_them),
        ROP_TEST(a_message_opens_in_its_own_folder_alone),
        ROP_TEST(a_soft_deleted_message_opens_only_where_asked),
        ROP_TEST(opening_tells_subject_and_named_properties),
        ROP_TEST(opening_tells_the_start_of_a_subject_that_is_very_long),
        ROP_TEST(an_unknown_code_page_is_refused),
        ROP_TEST(text_in_8_bits_is_written_in_the_code_page_of_the_message),
        ROP_TEST(text_in_8_bits_is_read_in_the_code_page_of_the_message),
        ROP_TEST(changes_are_seen_by_others_once_they_are_saved),
        ROP_TEST(the_second_to_save_hears_of_the_first_unless_it_insists),
        ROP_TEST(a_message_kept_open_for_reading_cannot_be_saved_again),
        ROP_TEST(a_message_that_was_deleted_meanwhile_is_not_saved),
        ROP_TEST(recipients_are_added_replaced_and_removed),
        ROP_TEST(recipients_of_other_handles_change_with_the_save),
        ROP_TEST(what_a_recipient_row_says_comes_back),
        ROP_TEST(the_columns_begin_with_the_four_that_clients_expect),
        ROP_TEST(more_recipients_than_fit_are_read_page_by_page),
        ROP_TEST(a_recipient_that_is_too_large_for_an_answer_hides_nobody),
        ROP_TEST(the_cached_information_is_that_of_the_open_message),
        ROP_TEST(the_status_changes_under_its_mask_and_at_once),
        ROP_TEST(read_flags_change_many_messages_and_tell_of_those_that_failed),
        ROP_TEST(the_read_flag_of_an_open_message_is_committed_at_once),
        ROP_TEST(a_new_attachment_has_its_defaults),
        ROP_TEST(an_attachment_is_there_when_both_it_and_its_message_are_saved),
        ROP_TEST(a_deleted_attachment_goes_with_the_next_save),
        ROP_TEST(attachments_are_listed_in_a_table),
        ROP_TEST(flags_that_contradict_each_other_do_not_save_an_attachment),
        ROP_TEST(what_lives_in_a_message_goes_with_it),
        ROP_TEST(a_message_in_a_message_is_saved_from_the_inside_out),
        ROP_TEST(without_saving_the_attachment_the_inner_message_is_lost),
        ROP_TEST(an_embedded_message_in_an_unknown_code_page_is_refused),
        ROP_TEST(calls_on_something_else_or_on_nothing_are_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
