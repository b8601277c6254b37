/* SPDX-License-Identifier: Apache-2.0 */
#include "bench.h"
#include "scene.h"

#include "wire/entry_id.h"

enum { DESCENDING = 1, KEEP_OPEN_READ_WRITE = 2 };
enum { AT_QUERY = 4 }; /* in a page */

/* clang-format off */
/* What a mail client's list shows. */
static const uint32_t page_columns[] = {
    PidTagFolderId, PidTagMid, PidTagInstID, PidTagInstanceNum, PidTagMessageClass, PidTagSubject, PidTagSentRepresentingName,
    PidTagDisplayTo, PidTagMessageDeliveryTime, PidTagMessageFlags, PidTagHasAttachments, PidTagImportance, PidTagMessageSize,
};
/* What it reads to show a message. */
static const uint32_t message_tags[] = {
    PidTagMessageClass, PidTagSubject, PidTagSenderName, PidTagSenderEmailAddress, PidTagSentRepresentingName, PidTagDisplayTo,
    PidTagDisplayCc, PidTagMessageDeliveryTime, PidTagClientSubmitTime, PidTagMessageFlags, PidTagImportance,
    PidTagHasAttachments, PidTagInternetMessageId, PidTagNativeBody, PidTagBody,
};
/* clang-format on */
static const uint32_t count_tags[] = { PidTagContentCount, PidTagContentUnreadCount };

#define KEEP(arena, type, ...) talloc_memdup(arena, (&(type){ __VA_ARGS__ }), sizeof(type))

static struct client_rop *add(struct scene *s, enum rop_id id, int from, const void *request)
{
    struct client_rop *rop = &s->rops[s->count++];
    *rop = (struct client_rop){ .id = id, .from = from, .request = request };
    return rop;
}

static void get(struct scene *s, TALLOC_CTX *arena, int from, const uint32_t *tags, size_t count)
{
    add(s, RopGetPropertiesSpecific, from,
        KEEP(arena, struct RopGetPropertiesSpecificRequest, .WantUnicode = 1, .PropertyTagCount = (uint16_t)count,
             .PropertyTags = tags));
}

struct scene scene_light(TALLOC_CTX *arena, uint32_t folder)
{
    struct scene s = { .count = 0 };
    get(&s, arena, 0, count_tags, COUNTOF(count_tags));
    s.rops[0].handle = folder;
    return s;
}

struct scene scene_folder(TALLOC_CTX *arena, uint32_t logon, uint64_t fid)
{
    struct scene s = { .count = 0 };
    add(&s, RopOpenFolder, 0, KEEP(arena, struct RopOpenFolderRequest, .FolderId = fid))->handle = logon;
    return s;
}

struct scene scene_page(TALLOC_CTX *arena, uint32_t logon, uint64_t fid)
{
    static const struct SortOrder newest_first[] = { { PidTagMessageDeliveryTime, DESCENDING } };
    struct scene s = scene_folder(arena, logon, fid);
    add(&s, RopGetContentsTable, OUTPUT_OF(0), KEEP(arena, struct RopGetContentsTableRequest, .TableFlags = 0));
    add(&s, RopSetColumns, OUTPUT_OF(1),
        KEEP(arena, struct RopSetColumnsRequest, .PropertyTagCount = COUNTOF(page_columns),
             .PropertyTags = page_columns));
    add(&s, RopSortTable, OUTPUT_OF(1),
        KEEP(arena, struct RopSortTableRequest, .SortOrderCount = 1, .SortOrders = newest_first));
    add(&s, RopQueryRows, OUTPUT_OF(1),
        KEEP(arena, struct RopQueryRowsRequest, .ForwardRead = true, .RowCount = PAGE_ROWS));
    add(&s, RopRelease, OUTPUT_OF(1), NULL);
    add(&s, RopRelease, OUTPUT_OF(0), NULL);
    return s;
}

uint32_t scene_mids(const struct scene *page, uint64_t mids[PAGE_ROWS])
{
    const struct RopQueryRowsResponse *answer = page->rops[AT_QUERY].response;
    for (unsigned i = 0; i < answer->RowCount; i++)
        mids[i] = prop_find(answer->RowData[i].values, answer->RowData[i].count, PidTagMid)->u64;
    return answer->RowCount;
}

struct scene scene_message(TALLOC_CTX *arena, uint32_t logon, uint64_t fid, uint64_t mid)
{
    struct scene s = { .count = 0 };
    add(&s, RopOpenMessage, 0,
        KEEP(arena, struct RopOpenMessageRequest, .CodePageId = 0x0FFF, .FolderId = fid, .MessageId = mid))
        ->handle = logon;
    get(&s, arena, OUTPUT_OF(0), message_tags, COUNTOF(message_tags));
    add(&s, RopRelease, OUTPUT_OF(0), NULL);
    return s;
}

static const void *recipients(TALLOC_CTX *arena)
{
    static const uint32_t columns[] = { PidTagObjectType, PidTagDisplayType, PidTagSmtpAddress };
    static const struct prop values[] = {
        { .tag = PidTagObjectType, .i32 = 6 },
        { .tag = PidTagDisplayType, .i32 = 0 },
        { .tag = PidTagSmtpAddress, .str = "bob@example.org" },
    };
    const struct RecipientRow row = {
        .RecipientFlags = 0x0200 | 0x0010 | 0x0040 | 0x0008 | 0x0003, /* Unicode, D, S, E, SMTP: [MS-OXCDATA] 2.8.3.1 */
        .EmailAddress = "bob@example.org",
        .DisplayName = "Bob Example",
        .RecipientColumnCount = COUNTOF(columns),
        .RecipientProperties = { COUNTOF(values), values },
    };
    struct ModifyRecipientRow *rows =
        KEEP(arena, struct ModifyRecipientRow, .RecipientType = 1, .RecipientRowSize = 1, .RecipientRow = row);
    return KEEP(arena, struct RopModifyRecipientsRequest, .ColumnCount = COUNTOF(columns), .RecipientColumns = columns,
                .RowCount = 1, .RecipientRows = rows);
}

struct scene scene_save(TALLOC_CTX *arena, uint32_t logon, uint64_t fid, const struct mails *mails, uint32_t n)
{
    struct scene s = { .count = 0 };
    const struct props props = mail_props(arena, mails, n);
    add(&s, RopCreateMessage, 0, KEEP(arena, struct RopCreateMessageRequest, .CodePageId = 0x0FFF, .FolderId = fid))
        ->handle = logon;
    add(&s, RopSetProperties, OUTPUT_OF(0),
        KEEP(arena, struct RopSetPropertiesRequest, .PropertyValueCount = (uint16_t)props.count,
             .PropertyValues = props.values));
    add(&s, RopModifyRecipients, OUTPUT_OF(0), recipients(arena));
    add(&s, RopSaveChangesMessage, OUTPUT_OF(0),
        KEEP(arena, struct RopSaveChangesMessageRequest, .SaveFlags = KEEP_OPEN_READ_WRITE));
    add(&s, RopRelease, OUTPUT_OF(0), NULL);
    return s;
}
