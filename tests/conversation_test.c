/* SPDX-License-Identifier: Apache-2.0 */
/* The main job, from TLS to SQL and back: an Outlook-shaped client finds its mailbox, reads and writes in it, sends mail to
 * another one, who sees it arrive. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server.h"
#include "wire/guids.h"

#define WAIT_MS 60000                        /* for what must come; nothing is measured by it */
enum { SAVE_KEEP_OPEN = 0x02, ATTACH_EMBEDDED = 5 };
enum { NOTIFY_TABLE = 0x0100, ROW_ADDED = 3, ROW_DELETED = 4, ROW_MODIFIED = 5 };

struct fixture {
    TALLOC_CTX *arena;
    struct server *server;
    struct client *alice, *bob;
};

static int set_up_server(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    *state = f;
    return 0;
}

/* A clean end is part of the test. */
static int tear_down_server(void **state)
{
    struct fixture *f = *state;
    const int status = server_stop(f->server);
    if (status)
        print_error("oxcartd ended with status %d\n%s", status, server_log(f->server, f));
    talloc_free(f);
    return status;
}

static int set_up(void **state)
{
    struct fixture *f = *state;
    f->arena = talloc_new(f);
    f->alice = server_logon(f->server, f->arena, "alice");
    f->bob = server_logon(f->server, f->arena, "bob");
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    client_disconnect(f->alice);
    client_disconnect(f->bob);
    TALLOC_FREE(f->arena);
    return 0;
}

#define OK(client, call) assert_fine(client, call, #call, __LINE__)
static void assert_fine(struct client *c, enum ec ec, const char *what, int line)
{
    if (ec)
        fail_msg("line %d: %s: %s (%s)", line, what, ec_name(ec), client_error(c)->text);
}

static uint64_t folder(struct client *c, const char *path)
{
    uint64_t fid;
    OK(c, client_folder_find(c, path, &fid));
    return fid;
}

/* A saved message with this subject; its handle is released. */
static uint64_t put_message(struct client *c, uint64_t fid, const char *subject)
{
    uint32_t message;
    uint64_t mid;
    const struct prop values[] = { P_STR(PidTagMessageClass, "IPM.Note"), P_STR(PidTagSubject, subject), P_STR(PidTagBody, "text") };
    OK(c, client_message_create(c, fid, &message));
    OK(c, client_set(c, message, values, COUNTOF(values)));
    OK(c, client_message_save(c, message, &mid));
    client_release(c, message);
    return mid;
}

static const uint32_t list_columns[] = { PidTagMid, PidTagSubject, PidTagMessageFlags };
enum { COLUMN_MID, COLUMN_SUBJECT, COLUMN_FLAGS };

/* The message of this subject among the newest of a folder; 0: none. */
static uint64_t find_message(struct client *c, TALLOC_CTX *arena, uint64_t fid, const char *subject)
{
    struct props *rows;
    uint32_t count;
    OK(c, client_messages(c, arena, fid, list_columns, COUNTOF(list_columns), 0, 200, &rows, &count, NULL));
    for (uint32_t i = 0; i < count; i++)
        if (PROP_TYPE(rows[i].values[COLUMN_SUBJECT].tag) == PtypString && strcmp(rows[i].values[COLUMN_SUBJECT].str, subject) == 0)
            return rows[i].values[COLUMN_MID].u64;
    return 0;
}

static uint32_t number(struct client *c, TALLOC_CTX *arena, uint32_t handle, uint32_t tag)
{
    struct prop *v;
    OK(c, client_get(c, arena, handle, &tag, 1, &v));
    assert_int_equal(PROP_TYPE(v[0].tag), PtypInteger32);
    return v[0].u32;
}

/* ---- the way in ---- */

static void autodiscover_leads_to_both_endpoints(void **state)
{
    struct fixture *f = *state;
    const struct client_discovery *d = client_discovery(f->alice);
    assert_true(d->mapi_http);
    assert_string_equal(d->display_name, "Alice Example");
    assert_string_equal(d->smtp_address, "alice@contoso.com");
    assert_memory_equal(d->legacy_dn, "/o=Contoso/ou=", 14);
    assert_non_null(strstr(d->mail_store.internal, "/mapi/emsmdb/?MailboxId="));
    assert_non_null(strstr(d->address_book.internal, "/mapi/nspi/?MailboxId="));
    assert_string_equal(client_display_name(f->alice), "Alice Example");
}

static void a_logon_names_thirteen_folders(void **state)
{
    struct fixture *f = *state;
    const struct RopLogonResponse *r = client_logon_response(f->alice);
    const uint64_t *ids = &r->FolderIds.Root;
    for (size_t i = 0; i < 13; i++)
        assert_int_not_equal(ids[i], 0);
    assert_int_equal(r->ReplId, 1);
    assert_false(guid_is_zero(r->MailboxGuid));
    assert_int_equal(folder(f->alice, "Inbox"), r->FolderIds.Inbox);
    assert_int_equal(folder(f->alice, "Sent Items"), r->FolderIds.SentItems);
}

/* ---- messages ---- */

static void every_type_of_value_comes_back_as_it_was_set(void **state)
{
    struct fixture *f = *state;
    const uint8_t bytes[] = { 0, 1, 2, 255 };
    const char *const texts[] = { "Größe", "日本語", "" };
    const int32_t numbers[] = { -1, 0, INT32_MAX };
    struct prop values[] = {
        P_STR(PidTagSubject, "Grüße aus Köln 📬"), P_I32(PidTagImportance, 2), P_BOOL(PidTagReadReceiptRequested, true),
        P_TIME(PidTagClientSubmitTime, 0x01D00000FF000000ull), P_BIN(PROP_TAG(PtypBinary, 0x6001), BLOB_OF(bytes, sizeof bytes)),
        P_I64(PROP_TAG(PtypInteger64, 0x6002), INT64_MIN), P_GUID(PROP_TAG(PtypGuid, 0x6003), PSETID_Common),
        { .tag = PROP_TAG(PtypFloating64, 0x6004), .f64 = 1.0 / 3 }, { .tag = PROP_TAG(PtypInteger16, 0x6005), .i16 = -2 },
        { .tag = PROP_TAG(PtypMultiple | PtypString, 0x6006), .mv = { .count = 3, .str = texts } },
        { .tag = PROP_TAG(PtypMultiple | PtypInteger32, 0x6007), .mv = { .count = 3, .i32 = numbers } },
    };
    uint32_t message, tags[COUNTOF(values)];
    uint64_t mid;
    const uint64_t fid = folder(f->alice, "Drafts");
    struct prop *back;
    for (size_t i = 0; i < COUNTOF(values); i++)
        tags[i] = values[i].tag;
    OK(f->alice, client_message_create(f->alice, fid, &message));
    OK(f->alice, client_set(f->alice, message, values, COUNTOF(values)));
    OK(f->alice, client_message_save(f->alice, message, &mid));
    client_release(f->alice, message);
    OK(f->alice, client_message_open(f->alice, fid, mid, false, &message));
    OK(f->alice, client_get(f->alice, f->arena, message, tags, COUNTOF(tags), &back));
    for (size_t i = 0; i < COUNTOF(values); i++)
        if (!prop_equal(&values[i], &back[i]))
            fail_msg("0x%08x came back as 0x%08x, and differs", tags[i], back[i].tag);
    client_release(f->alice, message);
}

static struct blob pattern(TALLOC_CTX *arena, size_t size)
{
    uint8_t *bytes = talloc_size(arena, size);
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
    return BLOB_OF(bytes, size);
}

/* [MS-OXCPRPT] 3.2.5.1: what does not fit into an answer is ecNotEnoughMemory, and opens as a stream */
static void a_large_value_is_written_and_read_as_a_stream(void **state)
{
    struct fixture *f = *state;
    const uint32_t tag = PROP_TAG(PtypBinary, 0x6010);
    const struct blob big = pattern(f->arena, 1 << 20);
    const uint64_t fid = folder(f->alice, "Drafts");
    uint32_t message;
    uint64_t mid;
    struct blob back;
    struct RopGetPropertiesSpecificResponse row;
    OK(f->alice, client_message_create(f->alice, fid, &message));
    OK(f->alice, client_stream_write(f->alice, message, tag, big));
    OK(f->alice, client_message_save(f->alice, message, &mid));
    client_release(f->alice, message);
    OK(f->alice, client_message_open(f->alice, fid, mid, false, &message));
    OK(f->alice, client_call(f->alice, f->arena, RopGetPropertiesSpecific, message,
                             &(struct RopGetPropertiesSpecificRequest){ 0, 1, 1, &tag }, &row, NULL));
    assert_int_equal(row.RowData.values[0].tag, PROP_AS(tag, PtypErrorCode));
    assert_int_equal((int)row.RowData.values[0].u32, ecNotEnoughMemory);
    OK(f->alice, client_stream_read(f->alice, f->arena, message, tag, &back));
    assert_int_equal(back.size, big.size);
    assert_true(blob_equal(back, big));
    client_release(f->alice, message);
}

/* [MS-OXCROPS] 2.2.9.2.1: ByteCount 0xBABE, and seeking */
static void a_stream_is_read_from_anywhere_in_pieces_of_any_size(void **state)
{
    struct fixture *f = *state;
    const uint32_t tag = PROP_TAG(PtypBinary, 0x6011);
    const struct blob all = pattern(f->arena, 100000);
    uint32_t message, stream;
    struct RopOpenStreamResponse opened;
    struct RopSeekStreamResponse sought;
    struct RopReadStreamResponse part;
    OK(f->alice, client_message_create(f->alice, folder(f->alice, "Drafts"), &message));
    OK(f->alice, client_stream_write(f->alice, message, tag, all));
    OK(f->alice, client_call(f->alice, f->arena, RopOpenStream, message, &(struct RopOpenStreamRequest){ tag, 0 }, &opened, &stream));
    assert_int_equal(opened.StreamSize, all.size);
    OK(f->alice, client_call(f->alice, f->arena, RopSeekStream, stream, &(struct RopSeekStreamRequest){ 2, -50001 }, &sought, NULL));
    assert_int_equal(sought.NewPosition, 49999);
    OK(f->alice, client_call(f->alice, f->arena, RopReadStream, stream,
                             &(struct RopReadStreamRequest){ 0xBABE, 0x7000 }, &part, NULL));
    assert_true(part.Data.size >= 0x7000 && part.Data.size <= 50001);
    assert_memory_equal(part.Data.data, all.data + 49999, part.Data.size);
    client_release(f->alice, message);
}

static void named_properties_keep_their_ids_in_every_session(void **state)
{
    struct fixture *f = *state;
    const struct blob name = utf16_of_utf8(f->arena, "Keywords");
    struct buf wide;
    buf_init(&wide, f->arena);
    buf_add(&wide, name.data, name.size);
    buf_add(&wide, "\0\0", 2);
    const struct PropertyName names[] = {
        { .Kind = 0, .GUID = PSETID_Common, .LID = 0x8503 },
        { .Kind = 1, .GUID = PS_PUBLIC_STRINGS, .NameSize = (uint8_t)wide.size, .Name = buf_blob(&wide) },
    };
    struct RopGetPropertyIdsFromNamesResponse first, again;
    struct RopGetNamesFromPropertyIdsResponse back;
    const struct RopGetPropertyIdsFromNamesRequest create = { 2, 2, names }, find = { 0, 2, names };
    struct client *other = server_logon(f->server, f->arena, "alice");
    OK(f->alice, client_call(f->alice, f->arena, RopGetPropertyIdsFromNames, client_logon_handle(f->alice), &create, &first, NULL));
    OK(other, client_call(other, f->arena, RopGetPropertyIdsFromNames, client_logon_handle(other), &find, &again, NULL));
    for (size_t i = 0; i < 2; i++) {
        assert_true(first.PropertyIds[i] >= 0x8000);
        assert_int_equal(first.PropertyIds[i], again.PropertyIds[i]);
    }
    OK(other, client_call(other, f->arena, RopGetNamesFromPropertyIds, client_logon_handle(other),
                          &(struct RopGetNamesFromPropertyIdsRequest){ 2, first.PropertyIds }, &back, NULL));
    assert_int_equal(back.PropertyNames[0].LID, 0x8503);
    assert_true(blob_equal(back.PropertyNames[1].Name, buf_blob(&wide)));
    client_disconnect(other);
}

static void recipients_come_back_in_order_with_names_and_addresses(void **state)
{
    struct fixture *f = *state;
    const uint64_t fid = folder(f->alice, "Drafts");
    struct client_recipient *back;
    uint32_t message, count;
    uint64_t mid;
    struct client_recipient people[60];
    for (unsigned i = 0; i < COUNTOF(people); i++)
        people[i] = (struct client_recipient){ (uint8_t)(1 + i % 3), talloc_asprintf(f->arena, "Person %u ß", i), "SMTP",
                                               talloc_asprintf(f->arena, "p%u@fabrikam.com", i), NULL };
    OK(f->alice, client_resolve(f->alice, f->arena, "bob", CLIENT_TO, &people[0]));
    OK(f->alice, client_message_create(f->alice, fid, &message));
    OK(f->alice, client_add_recipients(f->alice, message, people, COUNTOF(people)));
    OK(f->alice, client_message_save(f->alice, message, &mid));
    client_release(f->alice, message);
    OK(f->alice, client_message_open(f->alice, fid, mid, false, &message));
    OK(f->alice, client_recipients(f->alice, f->arena, message, &back, &count));
    assert_int_equal(count, COUNTOF(people));
    assert_string_equal(back[0].address_type, "EX");
    assert_string_equal(back[0].address, people[0].address);
    assert_string_equal(back[0].smtp, "bob@contoso.com");
    for (unsigned i = 1; i < count; i++) {
        assert_int_equal(back[i].type, people[i].type);
        assert_string_equal(back[i].name, people[i].name);
        assert_string_equal(back[i].address, people[i].address);
    }
    client_release(f->alice, message);
}

static void attachments_hold_files_and_messages(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    const uint64_t fid = folder(c, "Drafts");
    const struct blob data = pattern(f->arena, 70000);
    const struct prop method[] = { P_I32(PidTagAttachMethod, ATTACH_EMBEDDED), P_STR(PidTagDisplayName, "inner") };
    const struct prop inner_values[] = { P_STR(PidTagSubject, "the inner one"), P_STR(PidTagBody, "inner text") };
    uint32_t message, attachment, inner, count;
    uint64_t mid;
    struct client_attachment *all;
    struct blob back;
    const char *text;
    OK(c, client_message_create(c, fid, &message));
    OK(c, client_attach(c, message, "Übersicht.bin", "application/octet-stream", data));
    OK(c, client_call(c, f->arena, RopCreateAttachment, message, NULL, NULL, &attachment));
    OK(c, client_set(c, attachment, method, COUNTOF(method)));
    OK(c, client_call(c, f->arena, RopOpenEmbeddedMessage, attachment, &(struct RopOpenEmbeddedMessageRequest){ 0x0FFF, 2 }, NULL, &inner));
    OK(c, client_set(c, inner, inner_values, COUNTOF(inner_values)));
    OK(c, client_message_save(c, inner, NULL));
    OK(c, client_call(c, f->arena, RopSaveChangesAttachment, attachment, &(struct RopSaveChangesAttachmentRequest){ SAVE_KEEP_OPEN }, NULL, NULL));
    OK(c, client_message_save(c, message, &mid));
    client_release(c, message);

    OK(c, client_message_open(c, fid, mid, false, &message));
    OK(c, client_attachments(c, f->arena, message, &all, &count));
    assert_int_equal(count, 2);
    assert_string_equal(all[0].name, "Übersicht.bin");
    assert_int_equal(all[0].method, CLIENT_ATTACH_BY_VALUE);
    OK(c, client_attachment_read(c, f->arena, message, all[0].number, &back));
    assert_true(blob_equal(back, data));
    assert_int_equal(all[1].method, CLIENT_ATTACH_EMBEDDED);
    OK(c, client_embedded_open(c, message, all[1].number, &inner));
    OK(c, client_message_text(c, f->arena, inner, &text));
    assert_string_equal(text, "inner text");
    client_release(c, message);
}

/* ---- folders and tables ---- */

static void folders_are_made_renamed_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    uint64_t projects, again, inner;
    uint32_t handle;
    struct RopDeleteFolderResponse deleted;
    OK(c, client_folder_create(c, folder(c, "Inbox"), "Projects", &projects));
    OK(c, client_folder_create(c, folder(c, "Inbox"), "Projects", &again));
    assert_int_equal(projects, again);
    OK(c, client_folder_create(c, projects, "Straße", &inner));
    assert_int_equal(folder(c, "Inbox/Projects/Straße"), inner);
    OK(c, client_folder_open(c, inner, &handle));
    OK(c, client_set(c, handle, &P_STR(PidTagDisplayName, "Road"), 1));
    client_release(c, handle);
    assert_int_equal(folder(c, "Inbox/Projects/Road"), inner);
    OK(c, client_folder_open(c, folder(c, "Inbox"), &handle));
    OK(c, client_call(c, f->arena, RopDeleteFolder, handle, &(struct RopDeleteFolderRequest){ 0x05, projects }, &deleted, NULL));
    assert_false(deleted.PartialCompletion);
    assert_int_equal(client_folder_find(c, "Inbox/Projects", &again), ecNotFound);
    client_release(c, handle);
}

/* [MS-OXCTABL] 3.2.5.3, 3.2.5.8, 3.2.5.14 */
static void a_table_is_sorted_restricted_sought_and_searched(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    uint64_t fid;
    uint32_t table, position, handle;
    OK(c, client_folder_create(c, folder(c, "Inbox"), "Table", &fid));
    for (unsigned i = 0; i < 30; i++)
        put_message(c, fid, talloc_asprintf(f->arena, "subject %02u", (i * 7) % 30));
    OK(c, client_folder_open(c, fid, &handle));
    OK(c, client_call(c, f->arena, RopGetContentsTable, handle, NULL, NULL, &table));
    const struct SortOrder order = { PidTagSubject, 0 };
    const struct restriction find = { .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagSubject,
                                      .value = P_STR(PidTagSubject, "subject 17") };
    const struct restriction some = { .type = RES_CONTENT, .fuzzy_low = FL_PREFIX, .fuzzy_high = FL_IGNORECASE, .tag = PidTagSubject,
                                      .value = P_STR(PidTagSubject, "SUBJECT 2") };
    const struct RopSetColumnsRequest columns = { 0, COUNTOF(list_columns), list_columns };
    const struct RopSortTableRequest sort = { 0, 1, 0, 0, &order };
    const struct RopFindRowRequest search = { .RestrictionData = &find };
    const struct RopRestrictRequest restrict_rows = { .RestrictionData = &some };
    const struct RopQueryRowsRequest query = { 0, true, 100 };
    struct client_rop rops[] = {
        { .id = RopSetColumns, .handle = table, .request = &columns },
        { .id = RopSortTable, .handle = table, .request = &sort },
        { .id = RopFindRow, .handle = table, .request = &search },
        { .id = RopQueryPosition, .handle = table },
        { .id = RopRestrict, .handle = table, .request = &restrict_rows },
        { .id = RopQueryRows, .handle = table, .request = &query },
    };
    OK(c, client_execute(c, f->arena, rops, COUNTOF(rops)));
    OK(c, client_check(c, rops, COUNTOF(rops)));
    const struct RopFindRowResponse *found = rops[2].response;
    assert_string_equal(found->RowData.values[COLUMN_SUBJECT].str, "subject 17");
    position = ((struct RopQueryPositionResponse *)rops[3].response)->Numerator;
    assert_int_equal(position, 17);
    const struct RopQueryRowsResponse *rows = rops[5].response;
    assert_int_equal(rows->RowCount, 10);
    for (unsigned i = 0; i < 10; i++)
        assert_string_equal(rows->RowData[i].values[COLUMN_SUBJECT].str, talloc_asprintf(f->arena, "subject 2%u", i));
    client_release(c, table);
    client_release(c, handle);
}

/* [MS-OXCRPC] 3.1.4.2.1.2.2: one Execute brings what does not fit into one buffer */
static void a_long_table_comes_in_chained_buffers(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    uint64_t fid;
    struct props *rows;
    uint32_t count, total;
    OK(c, client_folder_create(c, folder(c, "Inbox"), "Long", &fid));
    const char *filling = talloc_asprintf(f->arena, "%0200d", 7);
    for (unsigned i = 0; i < 300; i++)
        put_message(c, fid, talloc_asprintf(f->arena, "%s %u", filling, i));
    OK(c, client_messages(c, f->arena, fid, list_columns, COUNTOF(list_columns), 0, 1000, &rows, &count, &total));
    assert_int_equal(total, 300);
    assert_int_equal(count, 300);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < i; k++)
            assert_int_not_equal(rows[i].values[COLUMN_MID].u64, rows[k].values[COLUMN_MID].u64);
}

static enum ec move_messages(struct fixture *f, uint64_t from, uint64_t to, const uint64_t *mids, uint16_t count, bool copy)
{
    struct client *c = f->alice;
    const struct RopOpenFolderRequest source = { from, 0 }, target = { to, 0 };
    const struct RopMoveCopyMessagesRequest move = { count, mids, false, copy };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = client_logon_handle(c), .request = &source },
        { .id = RopOpenFolder, .handle = client_logon_handle(c), .request = &target },
        { .id = RopMoveCopyMessages, .from = OUTPUT_OF(0), .destination_from = OUTPUT_OF(1), .request = &move },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
        { .id = RopRelease, .from = OUTPUT_OF(1) },
    };
    const enum ec ec = client_execute(c, f->arena, rops, COUNTOF(rops));
    return ec ? ec : client_check(c, rops, COUNTOF(rops));
}

static void messages_are_copied_moved_and_deleted(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    uint64_t a, b;
    OK(c, client_folder_create(c, folder(c, "Inbox"), "From", &a));
    OK(c, client_folder_create(c, folder(c, "Inbox"), "To", &b));
    const uint64_t mids[] = { put_message(c, a, "stays"), put_message(c, a, "moves") };
    OK(c, move_messages(f, a, b, &mids[0], 1, true));
    OK(c, move_messages(f, a, b, &mids[1], 1, false));
    assert_int_not_equal(find_message(c, f->arena, a, "stays"), 0);
    assert_int_equal(find_message(c, f->arena, a, "moves"), 0);
    assert_int_not_equal(find_message(c, f->arena, b, "stays"), 0);
    assert_int_not_equal(find_message(c, f->arena, b, "moves"), 0);
    OK(c, client_message_delete(c, a, mids[0]));
    assert_int_equal(find_message(c, f->arena, a, "stays"), 0);
}

static void read_flags_count_in_the_folder(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    uint64_t fid;
    uint32_t handle;
    OK(c, client_folder_create(c, folder(c, "Inbox"), "Flags", &fid));
    const uint64_t mids[] = { put_message(c, fid, "one"), put_message(c, fid, "two"), put_message(c, fid, "three") };
    OK(c, client_folder_open(c, fid, &handle));
    OK(c, client_call(c, f->arena, RopSetReadFlags, handle, &(struct RopSetReadFlagsRequest){ false, 0x04, 3, mids }, NULL, NULL));
    assert_int_equal(number(c, f->arena, handle, PidTagContentUnreadCount), 3);
    OK(c, client_call(c, f->arena, RopSetReadFlags, handle, &(struct RopSetReadFlagsRequest){ false, 0x00, 1, mids }, NULL, NULL));
    assert_int_equal(number(c, f->arena, handle, PidTagContentUnreadCount), 2);
    assert_int_equal(number(c, f->arena, handle, PidTagContentCount), 3);
    client_release(c, handle);
}

static void long_term_ids_and_receive_folders_lead_back(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    struct RopLongTermIdFromIdResponse long_term;
    struct RopIdFromLongTermIdResponse id;
    struct RopGetReceiveFolderResponse receive;
    const uint64_t inbox = client_logon_response(c)->FolderIds.Inbox;
    OK(c, client_call(c, f->arena, RopLongTermIdFromId, client_logon_handle(c), &(struct RopLongTermIdFromIdRequest){ inbox }, &long_term, NULL));
    OK(c, client_call(c, f->arena, RopIdFromLongTermId, client_logon_handle(c), &(struct RopIdFromLongTermIdRequest){ long_term.LongTermId }, &id, NULL));
    assert_int_equal(id.ObjectId, inbox);
    OK(c, client_call(c, f->arena, RopGetReceiveFolder, client_logon_handle(c), &(struct RopGetReceiveFolderRequest){ "IPM.Note.Own" }, &receive, NULL));
    assert_int_equal(receive.FolderId, inbox);
}

/* ---- mail ---- */

static void send_to_bob(struct fixture *f, const char *subject, const struct client_file *files, uint32_t count)
{
    struct client_recipient bob;
    OK(f->alice, client_resolve(f->alice, f->arena, "bob@contoso.com", CLIENT_TO, &bob));
    OK(f->alice, client_send(f->alice, &(struct client_mail){ .subject = subject, .text = "Hällo Bob", .recipients = &bob,
                                                              .recipient_count = 1, .files = files, .file_count = count }));
}

static void mail_to_a_colleague_is_there_at_once(void **state)
{
    struct fixture *f = *state;
    static const uint32_t tags[] = { PidTagSentRepresentingName, PidTagSentRepresentingSmtpAddress, PidTagSubject, PidTagMessageFlags };
    const struct client_file file = { "notes.txt", "text/plain", BLOB_OF("some notes", 10) };
    struct prop *v;
    uint32_t message, count;
    struct client_recipient *people;
    struct client_attachment *all;
    struct blob data;
    const char *text;
    send_to_bob(f, "for bob", &file, 1);
    const uint64_t inbox = folder(f->bob, "Inbox"), mid = find_message(f->bob, f->arena, inbox, "for bob");
    assert_int_not_equal(mid, 0);
    OK(f->bob, client_message_open(f->bob, inbox, mid, false, &message));
    OK(f->bob, client_get(f->bob, f->arena, message, tags, COUNTOF(tags), &v));
    assert_string_equal(v[0].str, "Alice Example");
    assert_string_equal(v[1].str, "alice@contoso.com");
    assert_int_equal(v[3].u32 & 0x0C, 0);                            /* neither unsent nor submitted */
    OK(f->bob, client_message_text(f->bob, f->arena, message, &text));
    assert_memory_equal(text, "Hällo Bob", strlen("Hällo Bob"));
    OK(f->bob, client_recipients(f->bob, f->arena, message, &people, &count));
    assert_int_equal(count, 1);
    assert_string_equal(people[0].name, "Bob Example");
    OK(f->bob, client_attachments(f->bob, f->arena, message, &all, &count));
    assert_int_equal(count, 1);
    OK(f->bob, client_attachment_read(f->bob, f->arena, message, all[0].number, &data));
    assert_true(blob_equal(data, BLOB_OF("some notes", 10)));
    client_release(f->bob, message);
    assert_int_not_equal(find_message(f->alice, f->arena, folder(f->alice, "Sent Items"), "for bob"), 0);
    assert_int_equal(find_message(f->alice, f->arena, folder(f->alice, "Outbox"), "for bob"), 0);
}

static void a_message_without_recipients_is_not_sent(void **state)
{
    struct fixture *f = *state;
    uint32_t message;
    OK(f->alice, client_message_create(f->alice, folder(f->alice, "Drafts"), &message));
    OK(f->alice, client_set(f->alice, message, &P_STR(PidTagSubject, "to nobody"), 1));
    OK(f->alice, client_message_save(f->alice, message, NULL));
    assert_int_equal(client_message_submit(f->alice, message), ecNoRecipients);
    client_release(f->alice, message);
}

static void mail_to_nowhere_comes_back_as_a_report(void **state)
{
    struct fixture *f = *state;
    const struct client_recipient nobody = { CLIENT_TO, "Nobody", "SMTP", "nobody@contoso.com", NULL };
    static const uint32_t tags[] = { PidTagMid, PidTagMessageClass };
    struct props *rows;
    uint32_t count;
    OK(f->alice, client_send(f->alice, &(struct client_mail){ .subject = "lost", .text = "?", .recipients = &nobody, .recipient_count = 1 }));
    OK(f->alice, client_messages(f->alice, f->arena, folder(f->alice, "Inbox"), tags, 2, 0, 1, &rows, &count, NULL));
    assert_int_equal(count, 1);
    assert_string_equal(rows[0].values[1].str, "REPORT.IPM.Note.NDR");
}

/* ---- new mail shows up by itself ---- */

/* Waits until the server has something to tell, and fetches it. */
static void wait_and_fetch(struct client *c)
{
    bool event = false;
    OK(c, client_wait(c, WAIT_MS, &event));
    assert_true(event);
    OK(c, client_fetch(c));
}

/* The next notification of a kind; others are passed over. */
static struct client_notification *next_of(struct client *c, TALLOC_CTX *arena, uint16_t flags, uint16_t event)
{
    for (unsigned tries = 0; tries < 50; tries++) {
        struct client_notification *n;
        while ((n = client_next_notification(c, arena))) {
            const struct NotificationData *d = &n->notify.NotificationData;
            if ((d->NotificationFlags & flags) && (!(flags & NOTIFY_TABLE) || d->TableEventType == event))
                return n;
        }
        wait_and_fetch(c);
    }
    fail_msg("no notification 0x%04x came", flags);
    return NULL;
}

static void who_only_listens_hears_of_new_mail(void **state)
{
    struct fixture *f = *state;
    uint32_t subscription;
    OK(f->bob, client_subscribe(f->bob, CLIENT_NEW_MAIL, 0, &subscription));
    OK(f->bob, client_wait_begin(f->bob));
    send_to_bob(f, "a surprise", NULL, 0);
    const struct client_notification *n = next_of(f->bob, f->arena, CLIENT_NEW_MAIL, 0);
    assert_int_equal(n->notify.NotificationHandle, subscription);
    assert_int_equal(n->notify.NotificationData.FolderId, folder(f->bob, "Inbox"));
    assert_int_equal(n->notify.NotificationData.MessageId, find_message(f->bob, f->arena, folder(f->bob, "Inbox"), "a surprise"));
    assert_string_equal(n->notify.NotificationData.MessageClass, "IPM.Note");
}

/* The race that other servers lose: the event comes before the wait. */
static void an_event_that_came_before_the_wait_ends_it_at_once(void **state)
{
    struct fixture *f = *state;
    uint32_t subscription;
    OK(f->bob, client_subscribe(f->bob, CLIENT_NEW_MAIL, 0, &subscription));
    send_to_bob(f, "before the wait", NULL, 0);
    assert_non_null(next_of(f->bob, f->arena, CLIENT_NEW_MAIL, 0));
}

static uint32_t watched_table(struct client *c, TALLOC_CTX *arena, uint64_t fid)
{
    uint32_t table, count;
    struct props *rows;
    OK(c, client_table_open(c, fid, list_columns, COUNTOF(list_columns), &table, NULL));
    OK(c, client_table_rows(c, arena, table, 10, &rows, &count));
    return table;
}

/* [MS-OXCNOTIF] 3.1.4.3: rows of an open table, with their columns */
static void an_open_table_tells_what_another_session_does(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_logon(f->server, f->arena, "alice");
    uint64_t fid;
    OK(f->alice, client_folder_create(f->alice, folder(f->alice, "Inbox"), "Watched", &fid));
    const uint32_t table = watched_table(f->alice, f->arena, fid);
    OK(f->alice, client_wait_begin(f->alice));
    const uint64_t mid = put_message(other, fid, "from the other session");
    const struct client_notification *n = next_of(f->alice, f->arena, NOTIFY_TABLE, ROW_ADDED);
    assert_int_equal(n->notify.NotificationHandle, table);
    assert_int_equal(n->notify.NotificationData.TableRowMessageID, mid);
    assert_int_equal(n->row.count, COUNTOF(list_columns));
    assert_string_equal(n->row.values[COLUMN_SUBJECT].str, "from the other session");
    OK(other, client_message_delete(other, fid, mid));
    n = next_of(f->alice, f->arena, NOTIFY_TABLE, ROW_DELETED);
    assert_int_equal(n->notify.NotificationData.TableRowMessageID, mid);
    client_disconnect(other);
}

static void moved_mail_is_told_in_both_folders(void **state)
{
    struct fixture *f = *state;
    struct client *other = server_logon(f->server, f->arena, "alice");
    uint64_t a, b;
    OK(f->alice, client_folder_create(f->alice, folder(f->alice, "Inbox"), "Here", &a));
    OK(f->alice, client_folder_create(f->alice, folder(f->alice, "Inbox"), "There", &b));
    const uint64_t mid = put_message(f->alice, a, "goes");
    const uint32_t here = watched_table(other, f->arena, a), there = watched_table(other, f->arena, b);
    OK(other, client_wait_begin(other));
    OK(f->alice, move_messages(f, a, b, &mid, 1, false));
    bool gone = false, came = false;
    for (unsigned i = 0; i < 20 && !(gone && came); i++) {
        for (struct client_notification *n; (n = client_next_notification(other, f->arena));) {
            gone |= n->notify.NotificationHandle == here && n->notify.NotificationData.TableEventType == ROW_DELETED;
            came |= n->notify.NotificationHandle == there && n->notify.NotificationData.TableEventType == ROW_ADDED;
        }
        if (!(gone && came))
            wait_and_fetch(other);
    }
    assert_true(gone && came);
    client_disconnect(other);
}

/* ---- the address book ---- */

static void the_address_book_knows_who_is_there(void **state)
{
    struct fixture *f = *state;
    struct client_recipient r;
    OK(f->alice, client_resolve(f->alice, f->arena, "Bob Example", CLIENT_TO, &r));
    assert_string_equal(r.address_type, "EX");
    assert_string_equal(r.smtp, "bob@contoso.com");
    assert_int_equal(client_resolve(f->alice, f->arena, "nobody of that name", CLIENT_TO, &r), ecNotFound);
    OK(f->alice, client_resolve(f->alice, f->arena, "someone@elsewhere.example", CLIENT_TO, &r));
    assert_string_equal(r.address_type, "SMTP");

    const char *names[] = { client_discovery(f->alice)->legacy_dn };
    struct DnToMinIdResponse ids;
    struct GetMailboxUrlResponse url;
    OK(f->alice, client_nspi(f->alice, f->arena, "DNToMId",
                             &(struct DnToMinIdRequest){ .HasNames = true, .NameCount = 1, .Names = names }, &ids));
    assert_int_equal(ids.MinimalIdCount, 1);
    assert_true(ids.MinimalIds[0] >= 0x10);
    OK(f->alice, client_nspi(f->alice, f->arena, "GetMailboxUrl", &(struct GetMailboxUrlRequest){ .ServerDn = names[0] }, &url));
    assert_string_equal(url.ServerUrl, client_discovery(f->alice)->mail_store.internal);
    OK(f->alice, client_unbind(f->alice));
}

/* ---- the transport's own ways ---- */

static void compressed_and_obfuscated_sessions_say_the_same(void **state)
{
    struct fixture *f = *state;
    struct client_options o = server_options(f->server, f->arena, "alice");
    o.compress = o.obfuscate = true;
    struct client *c = client_new(f->arena, &o);
    OK(c, client_connect(c));
    OK(c, client_logon(c, NULL));
    const uint64_t fid = folder(c, "Drafts"), mid = put_message(c, fid, "packed");
    assert_int_equal(find_message(f->alice, f->arena, fid, "packed"), mid);
    client_disconnect(c);
}

static void without_chaining_it_takes_more_requests_and_gives_the_same(void **state)
{
    struct fixture *f = *state;
    struct client_options o = server_options(f->server, f->arena, "alice");
    o.no_chain = true;
    struct client *c = client_new(f->arena, &o);
    const struct blob big = pattern(f->arena, 200000);
    const uint32_t tag = PROP_TAG(PtypBinary, 0x6012);
    uint32_t message;
    struct blob back;
    OK(c, client_connect(c));
    OK(c, client_logon(c, NULL));
    OK(c, client_message_create(c, folder(c, "Drafts"), &message));
    OK(c, client_stream_write(c, message, tag, big));
    OK(c, client_stream_read(c, f->arena, message, tag, &back));
    assert_true(blob_equal(back, big));
    client_disconnect(c);
}

/* A list that is larger than one answer: [MS-OXCROPS] 2.2.15.1 */
static void a_list_whose_answers_do_not_fit_goes_on_in_another_request(void **state)
{
    struct fixture *f = *state;
    struct client *c = f->alice;
    const struct RopLongTermIdFromIdRequest inbox = { client_logon_response(c)->FolderIds.Inbox };
    struct client_rop rops[2000];
    for (size_t i = 0; i < COUNTOF(rops); i++)
        rops[i] = (struct client_rop){ .id = RopLongTermIdFromId, .handle = client_logon_handle(c), .request = &inbox };
    OK(c, client_execute(c, f->arena, rops, COUNTOF(rops)));
    OK(c, client_check(c, rops, COUNTOF(rops)));
    for (size_t i = 1; i < COUNTOF(rops); i++)
        assert_memory_equal(rops[i].response, rops[0].response, sizeof(struct RopLongTermIdFromIdResponse));
}

static void a_session_can_be_recorded_and_read(void **state)
{
    struct fixture *f = *state;
    struct buf text;
    buf_init(&text, f->arena);
    struct client *c = server_client(f->server, f->arena, "alice");
    client_record(c, &text);
    OK(c, client_connect(c));
    OK(c, client_logon(c, NULL));
    put_message(c, folder(c, "Drafts"), "a recorded subject");
    client_disconnect(c);
    buf_add(&text, "", 1);
    static const char *const parts[] = {
        "> Autodiscover: POST https://", "<EMailAddress>alice@contoso.com</EMailAddress>", "> Connect: POST https://",
        "X-RequestType: Connect", "ConnectRequest", "< Connect: HTTP status 200", "X-ResponseCode: 0", "ConnectResponse",
        "DisplayName: \"Alice Example\"", "> Execute: POST https://", "RopLogonRequest", "Essdn: \"/o=Contoso/", "RopLogonResponse",
        "FolderIds", "RopCreateMessageRequest", "RopSetPropertiesRequest", "PidTagSubject", "RopSaveChangesMessageResponse",
        "> Disconnect: POST",
    };
    const char *at = (const char *)text.data;
    for (size_t i = 0; i < COUNTOF(parts); i++) {
        const char *next = strstr(at, parts[i]);
        if (!next)
            fail_msg("'%s' is not in the recording, or not in its place", parts[i]);
        at = next;
    }
    assert_null(strstr((const char *)text.data, SERVER_PASSWORD));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(autodiscover_leads_to_both_endpoints),
        TEST(a_logon_names_thirteen_folders),
        TEST(every_type_of_value_comes_back_as_it_was_set),
        TEST(a_large_value_is_written_and_read_as_a_stream),
        TEST(a_stream_is_read_from_anywhere_in_pieces_of_any_size),
        TEST(named_properties_keep_their_ids_in_every_session),
        TEST(recipients_come_back_in_order_with_names_and_addresses),
        TEST(attachments_hold_files_and_messages),
        TEST(folders_are_made_renamed_and_deleted),
        TEST(a_table_is_sorted_restricted_sought_and_searched),
        TEST(a_long_table_comes_in_chained_buffers),
        TEST(messages_are_copied_moved_and_deleted),
        TEST(read_flags_count_in_the_folder),
        TEST(long_term_ids_and_receive_folders_lead_back),
        TEST(mail_to_a_colleague_is_there_at_once),
        TEST(a_message_without_recipients_is_not_sent),
        TEST(mail_to_nowhere_comes_back_as_a_report),
        TEST(who_only_listens_hears_of_new_mail),
        TEST(an_event_that_came_before_the_wait_ends_it_at_once),
        TEST(an_open_table_tells_what_another_session_does),
        TEST(moved_mail_is_told_in_both_folders),
        TEST(the_address_book_knows_who_is_there),
        TEST(compressed_and_obfuscated_sessions_say_the_same),
        TEST(without_chaining_it_takes_more_requests_and_gives_the_same),
        TEST(a_list_whose_answers_do_not_fit_goes_on_in_another_request),
        TEST(a_session_can_be_recorded_and_read),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("conversation", tests, set_up_server, tear_down_server);
}
