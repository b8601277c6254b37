/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes made by hand, read by the tables: every field comes out where the specification puts it, and writing the
 * fields gives the bytes again.  R... numbers are those of [MS-OXCROPS]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/guids.h"
#include "wire/rops.h"

static int setup(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int teardown(void **state)
{
    talloc_free(*state);
    return 0;
}

struct example {
    TALLOC_CTX *arena;
    enum wire_flavour flavour;
    const uint32_t *columns;
    uint32_t column_count;
};

static struct blob bytes_of(TALLOC_CTX *arena, const char *hex)
{
    struct blob bytes = { NULL, 0 };
    assert_true(hex_parse(arena, hex, &bytes));
    return bytes;
}

static struct wire_out writer(struct buf *to, const struct example *e)
{
    buf_init(to, e->arena);
    struct wire_out out = wire_out(to);
    out.flavour = e->flavour;
    out.columns = e->columns;
    out.column_count = e->column_count;
    return out;
}

static struct wire_in reader(const struct example *e, struct blob bytes)
{
    struct wire_in in = wire_in(e->arena, bytes);
    in.flavour = e->flavour;
    in.columns = e->columns;
    in.column_count = e->column_count;
    return in;
}

/* All of the bytes are the structure, and it is written as these bytes. */
static void *example(const struct example *e, const struct wire_struct *s, const char *hex)
{
    const struct blob bytes = bytes_of(e->arena, hex);
    struct wire_in in = reader(e, bytes);
    void *self = talloc_zero_size(e->arena, MAX(s->size, 1));
    assert_true(wire_get(&in, s, self));
    assert_int_equal(wire_left(&in), 0);

    struct buf written;
    struct wire_out out = writer(&written, e);
    assert_true(wire_put(&out, s, self));
    assert_int_equal(written.size, bytes.size);
    assert_memory_equal(written.data, bytes.data, bytes.size);
    return self;
}
#define EXAMPLE(S, hex) ((const struct S *)example(&(struct example){ .arena = *state }, &S##_wire, hex))
#define EXAMPLE_NSPI(S, hex)                                                                                           \
    ((const struct S *)example(&(struct example){ .arena = *state, .flavour = WIRE_NSPI }, &S##_wire, hex))
#define EXAMPLE_ROWS(S, cols, hex)                                                                                     \
    ((const struct S *)example(&(struct example){ .arena = *state, .columns = (cols), .column_count = COUNTOF(cols) }, \
                               &S##_wire, hex))

static struct rop_request request(TALLOC_CTX *arena, const char *hex)
{
    struct wire_in in = wire_in(arena, bytes_of(arena, hex));
    struct rop_request r;
    assert_true(rop_get_request(&in, &r));
    assert_int_equal(wire_left(&in), 0);
    return r;
}

static struct rop_response response(TALLOC_CTX *arena, uint8_t id, const char *hex)
{
    const struct blob bytes = bytes_of(arena, hex);
    struct wire_in in = wire_in(arena, bytes);
    struct rop_response r;
    struct buf written;
    assert_true(rop_get_response(&in, rop_wire(id), &r));
    assert_int_equal(wire_left(&in), 0);
    buf_init(&written, arena);
    struct wire_out out = wire_out(&written);
    assert_true(rop_put_response(&out, rop_wire(id), r.index, r.code, r.body));
    assert_true(blob_equal(buf_blob(&written), bytes));
    return r;
}

static void assert_blob(struct blob got, const char *want)
{
    assert_int_equal(got.size, strlen(want));
    assert_memory_equal(got.data, want, got.size);
}

/* ---- logon ---- */

static void a_logon_names_its_mailbox(void **state)
{
    const struct rop_request r =
        request(*state, "FE 00 00  01  0C 04 00 01  00 00 00 00  0A 00  2F 6F 3D 46 2F 63 6E 3D 61 00");
    const struct RopLogonRequest *logon = r.body;
    assert_string_equal(r.rop->name, "Logon");
    assert_int_equal(logon->LogonFlags, 0x01);
    assert_int_equal(logon->OpenFlags, 0x0100040C);
    assert_int_equal(logon->StoreState, 0);
    assert_int_equal(logon->EssdnSize, 10);
    assert_string_equal(logon->Essdn, "/o=F/cn=a");
}

static void a_logon_to_public_folders_names_nobody(void **state)
{
    const struct RopLogonRequest *logon = EXAMPLE(RopLogonRequest, "00 02 00 00 00 00 00 00 00 00 00");
    assert_int_equal(logon->OpenFlags, 2);
    assert_int_equal(logon->EssdnSize, 0);
    assert_null(logon->Essdn);
}

#define IDS_13                                                                                                         \
    "01 00 00 00 00 00 00 01 01 00 00 00 00 00 00 02 01 00 00 00 00 00 00 03 01 00 00 00 00 00 00 04"                  \
    "01 00 00 00 00 00 00 05 01 00 00 00 00 00 00 06 01 00 00 00 00 00 00 07 01 00 00 00 00 00 00 08"                  \
    "01 00 00 00 00 00 00 09 01 00 00 00 00 00 00 0A 01 00 00 00 00 00 00 0B 01 00 00 00 00 00 00 0C"                  \
    "01 00 00 00 00 00 00 0D"

static void a_mailbox_answers_a_logon_with_its_folders(void **state)
{
    const struct rop_response r =
        response(*state, 0xFE,
                 "FE 00 00 00 00 00  01 " IDS_13 " 07  11 11 11 11 11 11 11 11 11 11 11 11 11 11 11 11  05 00"
                 "22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22  1E 0A 10 01 17 0B EA 07  08 07 06 05 04 03 02 01  "
                 "00 00 00 00");
    const struct RopLogonResponse *logon = r.body;
    assert_int_equal(logon->FolderIds.Root, 0x0100000000000001);
    assert_int_equal(logon->FolderIds.IpmSubtree, 0x0400000000000001);
    assert_int_equal(logon->FolderIds.Inbox, 0x0500000000000001);
    assert_int_equal(logon->FolderIds.Shortcuts, 0x0D00000000000001);
    assert_int_equal(logon->ResponseFlags, 7);
    assert_int_equal(logon->MailboxGuid.bytes[15], 0x11);
    assert_int_equal(logon->ReplId, 5);
    assert_int_equal(logon->ReplGuid.bytes[0], 0x22);
    assert_int_equal(logon->LogonTime.Hour, 16);
    assert_int_equal(logon->LogonTime.DayOfWeek, 1);
    assert_int_equal(logon->LogonTime.Year, 2026);
    assert_int_equal(logon->GwartTime, 0x0102030405060708);
}

static void public_folders_answer_a_logon_without_flags_and_times(void **state)
{
    const struct RopLogonResponse *logon = EXAMPLE(
        RopLogonResponse,
        "00 " IDS_13
        " 05 00  22 22 22 22 22 22 22 22 22 22 22 22 22 22 22 22  33 33 33 33 33 33 33 33 33 33 33 33 33 33 33 33");
    assert_int_equal(logon->PublicIds.NonIpmSubtree, 0x0300000000000001);
    assert_int_equal(logon->ReplId, 5);
    assert_int_equal(logon->PerUserGuid.bytes[0], 0x33);
}

static void a_logon_elsewhere_is_redirected(void **state)
{
    const struct rop_response r = response(*state, 0xFE, "FE 00 78 04 00 00  01 03 73 32 00");
    const struct RopLogonFailure *redirect = r.body;
    assert_int_equal(r.code, ecWrongServer);
    assert_int_equal(redirect->LogonFlags, 1);
    assert_int_equal(redirect->ServerNameSize, 3); /* R126 */
    assert_string_equal((const char *)redirect->ServerName.data, "s2");
}

/* ---- folders ---- */

static void a_ghosted_folder_names_its_servers(void **state)
{
    const struct RopOpenFolderResponse *here = EXAMPLE(RopOpenFolderResponse, "01 00");
    assert_true(here->HasRules);
    assert_null(here->Servers);
    const struct RopOpenFolderResponse *there = EXAMPLE(RopOpenFolderResponse, "00 01 02 00 01 00 61 00 62 63 00");
    assert_int_equal(there->ServerCount, 2);
    assert_int_equal(there->CheapServerCount, 1);
    assert_string_equal(there->Servers[1], "bc");
}

static void a_folder_name_is_wide_when_the_flag_says_so(void **state)
{
    const struct RopCreateFolderRequest *narrow = EXAMPLE(RopCreateFolderRequest, "01 00 00 00 41 00 00");
    assert_string_equal(narrow->DisplayName, "A");
    const struct RopCreateFolderRequest *wide = EXAMPLE(RopCreateFolderRequest, "01 01 01 00 DC 00 00 00 00 00");
    assert_string_equal(wide->DisplayName, "\xC3\x9C");
    assert_string_equal(wide->Comment, "");
    assert_true(wide->OpenExisting);
}

static void an_existing_folder_says_more_about_itself(void **state)
{
    const struct RopCreateFolderResponse *old = EXAMPLE(RopCreateFolderResponse, "01 00 00 00 00 00 00 09 01 01 00");
    assert_int_equal(old->FolderId, 0x0900000000000001);
    assert_true(old->IsExistingFolder && old->HasRules && !old->IsGhosted);
}

static void a_move_without_destination_returns_the_index_in_four_bytes(void **state)
{
    const struct rop_response r = response(*state, 0x33, "33 02 03 05 00 00  07 00 00 00  01");
    const struct RopMoveCopyMessagesFailure *failure = r.body;
    assert_int_equal(r.code, ecDstNullObject);
    assert_int_equal(failure->DestHandleIndex, 7); /* R790 */
    assert_true(failure->PartialCompletion);       /* R792 */
}

/* [MS-OXCROPS] 2.2.4.11.2, 2.2.9.2.2, 2.2.12.2.2 know one response buffer, for success and failure. */
static void some_responses_have_their_fields_with_every_return_value(void **state)
{
    const struct rop_response deleted = response(*state, 0x1E, "1E 00 05 00 07 80  01");
    assert_int_equal(deleted.code, (uint32_t)ecAccessDenied);
    assert_true(((const struct RopDeleteMessagesResponse *)deleted.body)->PartialCompletion); /* R951 */
    const struct rop_response read = response(*state, 0x2C, "2C 00 05 00 07 80  00 00");
    assert_int_equal(((const struct RopReadStreamResponse *)read.body)->DataSize, 0); /* R3224 */
    const struct rop_response put = response(*state, 0x54, "54 00 05 00 07 80  00 00 00 00 00 00 00 10 00");
    assert_int_equal(((const struct RopFastTransferDestinationPutBufferResponse *)put.body)->BufferUsedSize, 16);
    const struct rop_response others = response(*state, 0x02, "02 01 0F 01 04 80");
    assert_null(others.body);
}

static void search_criteria_may_come_without_restriction(void **state)
{
    const struct RopSetSearchCriteriaRequest *same =
        EXAMPLE(RopSetSearchCriteriaRequest, "00 00  01 00  01 00 00 00 00 00 00 05  02 00 00 00");
    assert_null(same->RestrictionData);
    assert_int_equal(same->FolderIds[0], 0x0500000000000001);
    assert_int_equal(same->SearchFlags, 2);
    const struct RopSetSearchCriteriaRequest *exist =
        EXAMPLE(RopSetSearchCriteriaRequest, "05 00  08 1F 00 37 00  00 00  01 00 00 00");
    assert_int_equal(exist->RestrictionData->type, RES_EXIST);
    assert_int_equal(exist->RestrictionData->tag, PidTagSubject);
}

/* ---- tables ---- */

static const uint32_t subject_and_size[] = { PidTagSubject, PidTagMessageSize };

static void a_sort_order_is_a_tag_and_a_direction(void **state)
{
    const struct rop_request r = request(*state, "13 00 01  00 02 00 01 00 00 00  1F 00 70 00 00  40 00 06 0E 01");
    const struct RopSortTableRequest *sort = r.body;
    assert_int_equal(r.index, 1);
    assert_int_equal(sort->CategoryCount, 1);
    assert_int_equal(sort->SortOrders[0].PropertyTag, PidTagConversationTopic);
    assert_int_equal(sort->SortOrders[1].PropertyTag, PidTagMessageDeliveryTime);
    assert_int_equal(sort->SortOrders[1].Order, 1);
}

static void rows_follow_the_columns_of_the_cursor(void **state)
{
    const struct RopQueryRowsResponse *rows =
        EXAMPLE_ROWS(RopQueryRowsResponse, subject_and_size,
                     "02 02 00  00 48 00 69 00 00 00 10 00 00 00  01 00 00 00 0A 0F 01 04 80");
    assert_int_equal(rows->Origin, 2);
    assert_int_equal(rows->RowCount, 2);
    assert_string_equal(rows->RowData[0].values[0].str, "Hi");
    assert_int_equal(rows->RowData[0].values[1].i32, 16);
    assert_int_equal(rows->RowData[1].values[1].tag, PROP_AS(PidTagMessageSize, PtypErrorCode));
    assert_int_equal(rows->RowData[1].values[1].u32, (uint32_t)ecNotFound);
}

static void a_row_that_was_not_found_is_absent(void **state)
{
    assert_false(EXAMPLE_ROWS(RopFindRowResponse, subject_and_size, "01 00")->HasRowData);
    const struct RopFindRowResponse *found =
        EXAMPLE_ROWS(RopFindRowResponse, subject_and_size, "00 01 00 00 00 07 00 00 00");
    assert_string_equal(found->RowData.values[0].str, "");
    assert_int_equal(found->RowData.values[1].i32, 7);
}

static void a_search_for_a_row_has_restriction_origin_and_bookmark(void **state)
{
    const struct RopFindRowRequest *find = EXAMPLE(RopFindRowRequest, "00 05 00 08 03 00 08 0E 03 02 00 AA BB");
    assert_int_equal(find->RestrictionData->tag, PidTagMessageSize);
    assert_int_equal(find->Origin, 3);
    assert_blob(find->Bookmark, "\xAA\xBB");
}

static void seeking_backwards_is_negative(void **state)
{
    assert_int_equal(EXAMPLE(RopSeekRowRequest, "02 FE FF FF FF 01")->RowCount, -2);
    assert_int_equal(EXAMPLE(RopSeekRowResponse, "01 FF FF FF FF")->RowsSought, -1);
}

/* ---- messages ---- */

/* An X500DN recipient with a display name and one column: PidTagObjectType. */
#define RECIPIENT_ROW "13 00  11 00  00 00 2F 63 6E 3D 61 00  41 00  01 00  00 06 00 00 00"

static void an_opened_message_carries_its_recipients(void **state)
{
    const struct RopOpenMessageResponse *open =
        EXAMPLE(RopOpenMessageResponse, "01  03 52 45 3A 20 00  04 DC 00 00 00  02 00  01 00  03 00 FE 0F  01"
                                        "01 E4 04 00 00 " RECIPIENT_ROW);
    assert_true(open->HasNamedProperties);
    assert_string_equal(open->SubjectPrefix, "RE: ");
    assert_string_equal(open->NormalizedSubject, "\xC3\x9C");
    assert_int_equal(open->RecipientCount, 2);
    assert_int_equal(open->RecipientColumns[0], PidTagObjectType);
    assert_int_equal(open->RowCount, 1);
    const struct OpenRecipientRow *to = &open->RecipientRows[0];
    assert_int_equal(to->RecipientType, 1);
    assert_int_equal(to->CodePageId, 1252);
    assert_string_equal(to->RecipientRow.X500DN, "/cn=a");
    assert_string_equal(to->RecipientRow.DisplayName, "A");
    assert_int_equal(to->RecipientRow.RecipientProperties.values[0].i32, 6);
}

static void an_embedded_message_has_its_id_first(void **state)
{
    const struct RopOpenEmbeddedMessageResponse *open =
        EXAMPLE(RopOpenEmbeddedMessageResponse, "00  01 00 00 00 00 00 00 09  00 00 01  00 00 00 00 00");
    assert_int_equal(open->MessageId, 0x0900000000000001);
    assert_null(open->SubjectPrefix);
    assert_string_equal(open->NormalizedSubject, "");
}

static void an_empty_row_deletes_a_recipient(void **state)
{
    const struct rop_request r =
        request(*state, "0E 00 00  01 00 03 00 FE 0F  02 00  00 00 00 00 01 " RECIPIENT_ROW "  07 00 00 00 02 00 00");
    const struct RopModifyRecipientsRequest *modify = r.body;
    assert_int_equal(modify->RowCount, 2);
    assert_int_equal(modify->RecipientRows[0].RecipientRowSize, 19);
    assert_string_equal(modify->RecipientRows[0].RecipientRow.DisplayName, "A");
    assert_int_equal(modify->RecipientRows[1].RowId, 7);
    assert_int_equal(modify->RecipientRows[1].RecipientRowSize, 0);
}

static void a_save_has_the_index_of_the_response_first(void **state)
{
    const struct rop_request r = request(*state, "0C 00 05 02 0A");
    assert_int_equal(r.index, 2);
    assert_int_equal(rop_response_index(&r), 5);
    assert_int_equal(((const struct RopSaveChangesMessageRequest *)r.body)->SaveFlags, 0x0A);
    const struct rop_response saved = response(*state, 0x0C, "0C 05 00 00 00 00  02 01 00 00 00 00 00 00 09");
    const struct RopSaveChangesMessageResponse *answer = saved.body;
    assert_int_equal(saved.index, 5);
    assert_int_equal(answer->InputHandleIndex, 2);
    assert_int_equal(answer->MessageId, 0x0900000000000001);
}

/* [MS-OXCROPS] 2.2.6.9.2 */
static void message_status_is_answered_with_the_other_id(void **state)
{
    const struct rop_response r = response(*state, 0x1F, "20 00 00 00 00 00  00 10 00 00");
    assert_int_equal(((const struct RopGetMessageStatusResponse *)r.body)->MessageStatusFlags, 0x1000); /* R20004 */
}

/* ---- properties and streams ---- */

static void names_are_numbers_or_text(void **state)
{
    const struct RopGetPropertyIdsFromNamesRequest *names = EXAMPLE(
        RopGetPropertyIdsFromNamesRequest, "02 02 00  00 02 20 06 00 00 00 00 00 C0 00 00 00 00 00 00 46 0D 82 00 00"
                                           "01 29 03 02 00 00 00 00 00 C0 00 00 00 00 00 00 46 04 4B 00 00 00");
    assert_string_equal(guid_name(names->PropertyNames[0].GUID), "PSETID_Appointment");
    assert_int_equal(names->PropertyNames[0].LID, 0x820D);
    assert_string_equal(guid_name(names->PropertyNames[1].GUID), "PS_PUBLIC_STRINGS");
    assert_int_equal(names->PropertyNames[1].NameSize, 4);
    assert_blob(BLOB_OF(names->PropertyNames[1].Name.data, 1), "K");
}

static void ids_come_with_the_warning_that_some_are_unknown(void **state)
{
    const struct rop_response r = response(*state, 0x56, "56 00 80 03 04 00  02 00 01 80 00 00");
    const struct RopGetPropertyIdsFromNamesResponse *ids = r.body;
    assert_int_equal(r.code, ecWarnWithErrors);
    assert_int_equal(ids->PropertyIds[0], 0x8001);
    assert_int_equal(ids->PropertyIds[1], 0);
}

static void the_size_of_set_properties_counts_the_count(void **state)
{
    const struct RopSetPropertiesRequest *set =
        EXAMPLE(RopSetPropertiesRequest, "0A 00  01 00  03 00 17 00 02 00 00 00");
    assert_int_equal(set->PropertyValueSize, 10);
    assert_int_equal(set->PropertyValues[0].tag, PidTagImportance);
    assert_int_equal(set->PropertyValues[0].i32, 2);
}

static void a_read_of_0xBABE_bytes_has_a_larger_size_behind_it(void **state)
{
    assert_int_equal(EXAMPLE(RopReadStreamRequest, "00 10")->MaximumByteCount, 0);                   /* R3214 */
    assert_int_equal(EXAMPLE(RopReadStreamRequest, "BE BA 00 00 01 00")->MaximumByteCount, 0x10000); /* R3213 */
}

/* ---- rules, synchronization ---- */

static void a_rule_is_flags_and_values(void **state)
{
    const struct RopModifyRulesRequest *rules =
        EXAMPLE(RopModifyRulesRequest, "01 01 00  04 01 00  14 00 74 66 01 00 00 00 00 00 00 09");
    assert_int_equal(rules->RulesCount, 1);
    assert_int_equal(rules->RulesData[0].RuleDataFlags, 4);
    assert_int_equal(rules->RulesData[0].PropertyValues[0].tag, PidTagRuleId);
}

static void a_synchronization_is_configured(void **state)
{
    const struct rop_request r = request(*state, "70 00 00 01  01 01 01 20 00 00 05 00 00 00 01 00 02 01 09 10");
    const struct RopSynchronizationConfigureRequest *sync = r.body;
    assert_int_equal(rop_response_index(&r), 1);
    assert_int_equal(sync->SynchronizationType, 1);
    assert_int_equal(sync->SendOptions, 1);
    assert_int_equal(sync->SynchronizationFlags, 0x2001);
    assert_null(sync->RestrictionData);
    assert_int_equal(sync->SynchronizationExtraFlags, 5);
    assert_int_equal(sync->PropertyTags[0], PidTagRtfCompressed);
}

static void a_busy_source_says_when_to_come_back(void **state)
{
    const struct rop_response r = response(*state, 0x4E, "4E 00 80 04 00 00  01 00 02 00 03 00 00 00 00  10 27 00 00");
    const struct RopFastTransferSourceGetBufferFailure *busy = r.body;
    assert_int_equal(r.code, ecServerBusy);
    assert_int_equal(busy->TotalStepCount, 3);
    assert_int_equal(busy->BackoffTime, 10000); /* R3748 */
}

static void read_states_are_structures_until_the_size_is_used_up(void **state)
{
    const struct RopSynchronizationImportReadStateChangesRequest *import =
        EXAMPLE(RopSynchronizationImportReadStateChangesRequest, "0A 00  02 00 AA BB 01  02 00 CC DD 00");
    struct wire_in in = wire_in(*state, import->MessageReadStates);
    struct MessageReadState one;
    assert_true(wire_get(&in, &MessageReadState_wire, &one));
    assert_blob(one.MessageId, "\xAA\xBB");
    assert_true(one.MarkAsRead);
    assert_true(wire_get(&in, &MessageReadState_wire, &one));
    assert_false(one.MarkAsRead);
    assert_int_equal(wire_left(&in), 0);
}

/* ---- notifications: [MS-OXCNOTIF] 2.2.1.4.1.2 ---- */

static void a_registration_for_the_whole_store_names_no_folder(void **state)
{
    assert_true(EXAMPLE(RopRegisterNotificationRequest, "02 00 01")->WantWholeStore);
    const struct RopRegisterNotificationRequest *one =
        EXAMPLE(RopRegisterNotificationRequest, "10 00 00  01 00 00 00 00 00 00 05  00 00 00 00 00 00 00 00");
    assert_int_equal(one->FolderId, 0x0500000000000001);
    assert_true(EXAMPLE(RopRegisterNotificationRequest, "00 04 00 01")->WantWholeStore);
}

#define FID "01 00 00 00 00 00 00 05 "
#define MID "01 00 00 00 00 00 00 09 "

static void new_mail_says_folder_message_flags_and_class(void **state)
{
    const struct RopNotify *notify = EXAMPLE(RopNotify, "0A 00 00 00 00  02 80 " FID MID "02 00 00 00  00 49 50 4D 00");
    const struct NotificationData *data = &notify->NotificationData;
    assert_int_equal(notify->NotificationHandle, 10);
    assert_int_equal(data->FolderId, 0x0500000000000001);
    assert_int_equal(data->MessageId, 0x0900000000000001);
    assert_int_equal(data->MessageFlags, 2);
    assert_string_equal(data->MessageClass, "IPM"); /* MS-OXCNOTIF_R226 */
}

static void a_created_folder_has_a_parent_a_created_message_has_none(void **state)
{
    const struct NotificationData *folder = EXAMPLE(NotificationData, "04 00 " FID "01 00 00 00 00 00 00 04  00 00");
    assert_int_equal(folder->ParentFolderId, 0x0400000000000001);
    const struct NotificationData *message = EXAMPLE(NotificationData, "04 80 " FID MID "01 00 1F 00 37 00");
    assert_int_equal(message->ParentFolderId, 0); /* MS-OXCNOTIF_R179 */
    assert_int_equal(message->Tags[0], PidTagSubject);
    const struct NotificationData *found = EXAMPLE(NotificationData, "04 C0 " FID MID "01 00 00 00 00 00 00 04  FF FF");
    assert_int_equal(found->ParentFolderId, 0x0400000000000001);
    assert_null(found->Tags); /* MS-OXCNOTIF_R203 */
}

static void a_modified_folder_tells_its_counts(void **state)
{
    const struct NotificationData *data = EXAMPLE(NotificationData, "10 30 " FID "00 00  07 00 00 00  03 00 00 00");
    assert_int_equal(data->TotalMessageCount, 7); /* MS-OXCNOTIF_R207 */
    assert_int_equal(data->UnreadMessageCount, 3);
}

static void a_moved_object_tells_where_it_was(void **state)
{
    const struct NotificationData *message =
        EXAMPLE(NotificationData, "20 80 " FID MID "01 00 00 00 00 00 00 06  01 00 00 00 00 00 00 0A");
    assert_int_equal(message->OldFolderId, 0x0600000000000001);
    assert_int_equal(message->OldMessageId, 0x0A00000000000001); /* MS-OXCNOTIF_R187 */
    const struct NotificationData *folder = EXAMPLE(
        NotificationData, "20 00 " FID "01 00 00 00 00 00 00 04  01 00 00 00 00 00 00 06  01 00 00 00 00 00 00 07");
    assert_int_equal(folder->ParentFolderId, 0x0400000000000001);
    assert_int_equal(folder->OldParentFolderId, 0x0700000000000001); /* MS-OXCNOTIF_R191 */
}

static void a_table_tells_which_row_and_behind_which_one(void **state)
{
    assert_int_equal(EXAMPLE(NotificationData, "00 01 01 00")->TableEventType, 1);
    assert_int_equal(EXAMPLE(NotificationData, "00 81 07 00")->TableEventType, 7);
    const struct NotificationData *deleted = EXAMPLE(NotificationData, "00 81 04 00 " FID MID "02 00 00 00");
    assert_int_equal(deleted->TableRowMessageID, 0x0900000000000001);
    assert_int_equal(deleted->TableRowInstance, 2); /* MS-OXCNOTIF_R150 */
    const struct NotificationData *added =
        EXAMPLE(NotificationData,
                "00 81 03 00 " FID MID "00 00 00 00 " FID "01 00 00 00 00 00 00 08  01 00 00 00  02 00 AB CD");
    assert_int_equal(added->InsertAfterTableRowID, 0x0800000000000001);
    assert_int_equal(added->InsertAfterTableRowInstance, 1);
    assert_blob(added->TableRowData, "\xAB\xCD");
    const struct NotificationData *hierarchy =
        EXAMPLE(NotificationData, "00 01 05 00 " FID "01 00 00 00 00 00 00 04  01 00 EE");
    assert_int_equal(hierarchy->InsertAfterTableRowFolderID, 0x0400000000000001); /* MS-OXCNOTIF_R154 */
    assert_blob(hierarchy->TableRowData, "\xEE");
}

/* ---- bodies of MAPI over HTTP, address book, EntryIDs ---- */

static void a_failed_body_has_its_status_alone(void **state)
{
    const struct ConnectResponse *worked = EXAMPLE(
        ConnectResponse, "00 00 00 00  00 00 00 00  60 EA 00 00 06 00 00 00 10 27 00 00  00  41 00 00 00  00 00 00 00");
    assert_int_equal(worked->PollsMax, 60000);
    assert_string_equal(worked->DisplayName, "A");
    const struct ConnectResponse *failed = EXAMPLE(ConnectResponse, "7D 04 00 00  01 00 00 00 EE");
    assert_int_equal(failed->StatusCode, ecBufferTooSmall);
    assert_blob(failed->AuxiliaryBuffer, "\xEE");
}

static void a_connect_has_the_sort_locale_first(void **state)
{
    const struct ConnectRequest *connect =
        EXAMPLE(ConnectRequest, "2F 61 00  00 00 00 00  E4 04 00 00  07 04 00 00  09 04 00 00  00 00 00 00");
    assert_int_equal(connect->LcidSort, 0x407);
    assert_int_equal(connect->LcidString, 0x409);
}

#define STAT_BYTES                                                                                                     \
    "00 00 00 00 00 00 00 00 02 00 00 00 FF FF FF FF 07 00 00 00 08 00 00 00 E4 04 00 00 09 04 00 00 07 04 00 00 "

static void rows_of_the_address_book_follow_their_own_columns(void **state)
{
    const struct QueryRowsResponse *rows = EXAMPLE_NSPI(
        QueryRowsResponse,
        "00 00 00 00  00 00 00 00  01 " STAT_BYTES
        "01  02 00 00 00 1F 00 01 30 03 00 FE 0F  01 00 00 00  00 FF 41 00 00 00 06 00 00 00  00 00 00 00");
    assert_int_equal(rows->State.CurrentRec, 2);
    assert_int_equal(rows->State.Delta, -1);
    assert_int_equal(rows->State.SortLocale, 0x407);
    assert_int_equal(rows->Columns.PropertyTags[1], PidTagObjectType);
    assert_string_equal(rows->RowData[0].values[0].str, "A");
    assert_int_equal(rows->RowData[0].values[1].i32, 6);
}

static void matches_are_asked_for_by_a_filter_without_a_size(void **state)
{
    const struct GetMatchesRequest *matches = EXAMPLE_NSPI(
        GetMatchesRequest, "00 00 00 00  00  00  00 00 00 00  01 08 1F 00 0C 36  00  32 00 00 00  00  00 00 00 00");
    assert_int_equal(matches->Filter->type, RES_EXIST);
    assert_int_equal(matches->Filter->tag, PidTagAnr);
    assert_int_equal(matches->RowCount, 50);
}

static void names_to_resolve_are_wide(void **state)
{
    const struct ResolveNamesRequest *resolve = EXAMPLE_NSPI(
        ResolveNamesRequest, "00 00 00 80  00  00  01 02 00 00 00 61 00 00 00 3D 00 62 00 00 00  00 00 00 00");
    assert_int_equal(resolve->NameCount, 2);
    assert_string_equal(resolve->Names[1], "=b");
}

static void a_one_off_recipient_names_itself(void **state)
{
    const struct OneOffEntryId *one =
        EXAMPLE(OneOffEntryId, "00 00 00 00  81 2B 1F A4 BE A3 10 19 9D 6E 00 DD 01 0F 54 02  00 00 01 90"
                               "41 00 00 00  53 00 00 00  62 00 00 00");
    assert_string_equal(guid_name(one->ProviderUID), "MUIDOOP");
    assert_int_equal(one->OneOffFlags, 0x9001);
    assert_string_equal(one->DisplayName, "A");
    assert_string_equal(one->EmailAddress, "b");
}

static void an_address_book_entry_names_its_object(void **state)
{
    const struct AddressBookEntryId *entry =
        EXAMPLE(AddressBookEntryId,
                "00 00 00 00  DC A7 40 C8 C0 42 10 1A B4 B9 08 00 2B 2F E1 82  01 00 00 00  06 00 00 00  2F 61 00");
    assert_true(guid_equal(entry->ProviderUID, MUIDEMSAB));
    assert_int_equal(entry->Type, 6);
    assert_string_equal(entry->X500DN, "/a");
}

static void a_store_of_public_folders_has_no_mailbox(void **state)
{
    const struct StoreEntryId *store = EXAMPLE(
        StoreEntryId,
        "00 00 00 00  38 A1 BB 10 05 E5 10 1A A1 BB 08 00 2B 2A 56 C2  00 00  65 6D 73 6D 64 62 2E 64 6C 6C 00 00 00 00"
        "00 00 00 00  1C 83 02 10 AA 66 11 CD 9B C8 00 AA 00 2F C4 5A  06 00 00 00  73 00");
    assert_string_equal(guid_name(store->ProviderUID), "MUIDSTOREWRAP");
    assert_string_equal(guid_name(store->WrappedProviderUID), "MUIDPUBLICSTORE");
    assert_string_equal(store->ServerShortname, "s");
    assert_null(store->MailboxDN);
}

static void a_client_says_that_it_is_in_cached_mode(void **state)
{
    const struct AUX_PERF_CLIENTINFO *client =
        EXAMPLE(AUX_PERF_CLIENTINFO,
                "00 00 00 00 01 00 20 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00  4D 00 00 00");
    assert_int_equal(client->MachineNameOffset, 32);
    assert_int_equal(client->ClientMode, 2);
    assert_int_equal(client->Data.size, 4);
    assert_int_equal(EXAMPLE(AUX_HEADER, "24 00 01 02")->Type, 0x02);
}

/* ---- the tables themselves ---- */

static void every_rop_is_found_by_its_id_and_no_reserved_one(void **state)
{
    static const uint8_t reserved[] = {
        0x00, 0x28, 0x2A, 0x3C, 0x3D, 0x62, 0x65, 0x6A, 0x6E, 0x71,
        0x7C, 0x7D, 0x83, 0x85, 0x8B, 0x94, 0xA4, 0xF9, 0xFA, 0xFF
    }; /* 2.2.2, and the responses alone */
    (void)state;
    for (size_t i = 0; i < COUNTOF(reserved); i++)
        assert_null(rop_wire(reserved[i]));
    for (unsigned id = 0; id < 256; id++)
        if (rop_wire((uint8_t)id))
            assert_int_equal(rop_wire((uint8_t)id)->id, id);
}

static void no_tag_has_two_names(void **state)
{
    static const uint32_t tags[] = {
#define PROP(name, tag) tag,
#include "wire/proptag.def"
#undef PROP
    };
    (void)state;
    for (size_t i = 1; i < COUNTOF(tags); i++)
        assert_true(tags[i - 1] < tags[i]);
}

static void guids_are_written_in_wire_order(void **state)
{
    char text[GUID_TEXT_SIZE];
    (void)state;
    assert_string_equal(guid_text(PSETID_Meeting, text), "6ed8da90-450b-101b-98da-00aa003f1305");
    assert_string_equal(guid_name(PSETID_Meeting), "PSETID_Meeting");
    assert_null(guid_name((struct guid){ { 1 } }));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_logon_names_its_mailbox),
        cmocka_unit_test(a_logon_to_public_folders_names_nobody),
        cmocka_unit_test(a_mailbox_answers_a_logon_with_its_folders),
        cmocka_unit_test(public_folders_answer_a_logon_without_flags_and_times),
        cmocka_unit_test(a_logon_elsewhere_is_redirected),
        cmocka_unit_test(a_ghosted_folder_names_its_servers),
        cmocka_unit_test(a_folder_name_is_wide_when_the_flag_says_so),
        cmocka_unit_test(an_existing_folder_says_more_about_itself),
        cmocka_unit_test(a_move_without_destination_returns_the_index_in_four_bytes),
        cmocka_unit_test(some_responses_have_their_fields_with_every_return_value),
        cmocka_unit_test(search_criteria_may_come_without_restriction),
        cmocka_unit_test(a_sort_order_is_a_tag_and_a_direction),
        cmocka_unit_test(rows_follow_the_columns_of_the_cursor),
        cmocka_unit_test(a_row_that_was_not_found_is_absent),
        cmocka_unit_test(a_search_for_a_row_has_restriction_origin_and_bookmark),
        cmocka_unit_test(seeking_backwards_is_negative),
        cmocka_unit_test(an_opened_message_carries_its_recipients),
        cmocka_unit_test(an_embedded_message_has_its_id_first),
        cmocka_unit_test(an_empty_row_deletes_a_recipient),
        cmocka_unit_test(a_save_has_the_index_of_the_response_first),
        cmocka_unit_test(message_status_is_answered_with_the_other_id),
        cmocka_unit_test(names_are_numbers_or_text),
        cmocka_unit_test(ids_come_with_the_warning_that_some_are_unknown),
        cmocka_unit_test(the_size_of_set_properties_counts_the_count),
        cmocka_unit_test(a_read_of_0xBABE_bytes_has_a_larger_size_behind_it),
        cmocka_unit_test(a_rule_is_flags_and_values),
        cmocka_unit_test(a_synchronization_is_configured),
        cmocka_unit_test(a_busy_source_says_when_to_come_back),
        cmocka_unit_test(read_states_are_structures_until_the_size_is_used_up),
        cmocka_unit_test(a_registration_for_the_whole_store_names_no_folder),
        cmocka_unit_test(new_mail_says_folder_message_flags_and_class),
        cmocka_unit_test(a_created_folder_has_a_parent_a_created_message_has_none),
        cmocka_unit_test(a_modified_folder_tells_its_counts),
        cmocka_unit_test(a_moved_object_tells_where_it_was),
        cmocka_unit_test(a_table_tells_which_row_and_behind_which_one),
        cmocka_unit_test(a_failed_body_has_its_status_alone),
        cmocka_unit_test(a_connect_has_the_sort_locale_first),
        cmocka_unit_test(rows_of_the_address_book_follow_their_own_columns),
        cmocka_unit_test(matches_are_asked_for_by_a_filter_without_a_size),
        cmocka_unit_test(names_to_resolve_are_wide),
        cmocka_unit_test(a_one_off_recipient_names_itself),
        cmocka_unit_test(an_address_book_entry_names_its_object),
        cmocka_unit_test(a_store_of_public_folders_has_no_mailbox),
        cmocka_unit_test(a_client_says_that_it_is_in_cached_mode),
        cmocka_unit_test(every_rop_is_found_by_its_id_and_no_reserved_one),
        cmocka_unit_test(no_tag_has_two_names),
        cmocka_unit_test(guids_are_written_in_wire_order),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, setup, teardown);
}
