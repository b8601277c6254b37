/* SPDX-License-Identifier: Apache-2.0 */
#include "rop/recipient_row.h"

#include "rop/handlers.h"

/* [MS-OXCDATA] 2.8.3.1 */
/* clang-format off */
enum {
    ROW_X500DN = 0x0001, ROW_MSMAIL = 0x0002, ROW_SMTP = 0x0003, ROW_FAX = 0x0004, ROW_PROFS = 0x0005,
    ROW_LIST1 = 0x0006, ROW_LIST2 = 0x0007, ROW_TYPE = 0x0007, ROW_EMAIL = 0x0008, ROW_NAME = 0x0010,
    ROW_TRANSMITTABLE = 0x0020, ROW_TRANSMITTABLE_SAME = 0x0040, ROW_ELSEWHERE = 0x0080, ROW_NO_RICH_TEXT = 0x0100,
    ROW_UNICODE = 0x0200, ROW_SIMPLE = 0x0400, ROW_OTHER_TYPE = 0x8000,
};
/* clang-format on */

/* So many columns fit into every answer; a message whose recipients have more shows the first. */
#define COLUMNS_MAX 1000u
/* Every row fits into an answer of its own, or nobody could read what comes after it.  A longer value of the fixed part
 * is left out there; its column has it, or says ecNotEnoughMemory as [MS-OXCPRPT] 3.2.5.1 does of long values. */
#define FIELD_SIZE_MAX 2048u
#define COLUMNS_SIZE_MAX 16384u

static const uint32_t always[] = { PidTagRecipientType, PidTagDisplayName, PidTagAddressType, PidTagEmailAddress };

static bool has_tag(const uint32_t *tags, uint32_t count, uint32_t tag)
{
    for (uint32_t i = 0; i < count; i++)
        if (PROP_ID(tags[i]) == PROP_ID(tag))
            return true;
    return false;
}

const uint32_t *recipient_columns(TALLOC_CTX *arena, struct store_message *message, uint16_t *count)
{
    const struct store_recipient *all;
    const uint32_t n = store_recipients(message, &all);
    size_t room = COUNTOF(always);
    for (uint32_t i = 0; i < n; i++)
        room += all[i].props.count;
    uint32_t *tags = talloc_array(arena, uint32_t, room);
    memcpy(tags, always, sizeof always);
    *count = COUNTOF(always);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < all[i].props.count && *count < COLUMNS_MAX; k++)
            if (!has_tag(tags, *count, all[i].props.values[k].tag))
                tags[(*count)++] = all[i].props.values[k].tag;
    return tags;
}

static const struct prop *value_of(const struct store_recipient *r, uint32_t tag)
{
    return prop_find(r->props.values, r->props.count, tag);
}

static const struct prop *field_of(const struct store_recipient *r, uint32_t tag)
{
    const struct prop *p = value_of(r, tag);
    return p && prop_size(p) <= FIELD_SIZE_MAX ? p : NULL;
}

static const char *text_of(const struct store_recipient *r, uint32_t tag)
{
    const struct prop *p = field_of(r, tag);
    return p ? p->str : NULL;
}

static struct props column_values(TALLOC_CTX *arena, const struct store_recipient *r, const uint32_t *columns,
                                  uint16_t count)
{
    struct prop *values = talloc_array(arena, struct prop, MAX(count, 1));
    for (uint16_t i = 0; i < count; i++) {
        const struct prop *p = value_of(r, columns[i]);
        if (PROP_ID(columns[i]) == PROP_ID(PidTagRecipientType))
            values[i] = P_I32(columns[i], r->type);
        else if (p && PROP_TYPE(p->tag) == PROP_TYPE(columns[i]))
            values[i] = *p;
        else
            values[i] = P_ERR(columns[i], ecNotFound);
    }
    rop_shrink_to_fit(arena, values, count, COLUMNS_SIZE_MAX);
    return (struct props){ count, values };
}

static void put_x500(struct RecipientRow *row, const struct store_recipient *r, const char *address)
{
    const struct prop *display = value_of(r, PidTagDisplayType);
    row->RecipientFlags |= ROW_X500DN;
    row->X500DN = address;
    row->DisplayType = display ? (uint8_t)display->u32 : 0;
}

static void put_list(struct RecipientRow *row, const struct prop *entry_id, const struct prop *search_key)
{
    row->RecipientFlags |= ROW_LIST1;
    row->EntryId1 = entry_id->bin;
    row->EntryIdSize1 = (uint16_t)entry_id->bin.size;
    row->SearchKey1 = search_key->bin;
    row->SearchKeySize1 = (uint16_t)search_key->bin.size;
}

/* [MS-OXCDATA] 2.8.3.1: the types that have a number of their own. */
static const struct {
    const char *name;
    uint16_t number;
} types[] = { { "SMTP", ROW_SMTP }, { "MS", ROW_MSMAIL }, { "FAX", ROW_FAX }, { "PROFS", ROW_PROFS } };

static void put_type(struct RecipientRow *row, const char *type)
{
    for (size_t i = 0; i < COUNTOF(types); i++)
        if (strcasecmp(type, types[i].name) == 0) {
            row->RecipientFlags |= types[i].number;
            return;
        }
    row->RecipientFlags |= ROW_OTHER_TYPE;
    row->AddressType = type;
}

static void put_address(struct RecipientRow *row, const struct store_recipient *r)
{
    const char *type = text_of(r, PidTagAddressType), *address = text_of(r, PidTagEmailAddress);
    const struct prop *entry_id = field_of(r, PidTagEntryId), *search_key = field_of(r, PidTagSearchKey);
    if (type && strcasecmp(type, "EX") == 0 && address) {
        put_x500(row, r, address);
        return;
    }
    if (type && strcasecmp(type, "MAPIPDL") == 0 && entry_id && search_key)
        put_list(row, entry_id, search_key);
    else if (type && *type)
        put_type(row, type);
    if (address) {
        row->RecipientFlags |= ROW_EMAIL;
        row->EmailAddress = address;
    }
}

struct RecipientRow recipient_row(TALLOC_CTX *arena, const struct store_recipient *r, const uint32_t *columns,
                                  uint16_t count)
{
    struct RecipientRow row = { .RecipientFlags = ROW_UNICODE };
    put_address(&row, r);
    row.DisplayName = text_of(r, PidTagDisplayName);
    row.SimpleDisplayName = text_of(r, PidTagAddressBookDisplayNamePrintable);
    row.TransmittableDisplayName = text_of(r, PidTagTransmittableDisplayName);
    row.RecipientFlags |= row.DisplayName ? ROW_NAME : 0;
    row.RecipientFlags |= row.SimpleDisplayName ? ROW_SIMPLE : 0;
    if (row.TransmittableDisplayName)
        row.RecipientFlags |= row.DisplayName && strcmp(row.DisplayName, row.TransmittableDisplayName) == 0
                                  ? ROW_TRANSMITTABLE_SAME
                                  : ROW_TRANSMITTABLE;
    const struct prop *rich = value_of(r, PidTagSendRichInfo), *elsewhere = value_of(r, PidTagResponsibility);
    row.RecipientFlags |= rich && !rich->b ? ROW_NO_RICH_TEXT : 0;
    row.RecipientFlags |= elsewhere && elsewhere->b ? ROW_ELSEWHERE : 0;
    row.RecipientColumnCount = count;
    row.RecipientProperties = column_values(arena, r, columns, count);
    return row;
}

/* ---- from a client ---- */

struct list {
    struct prop *values;
    uint32_t count;
};

/* The first to say something wins: the row's own fields come before its columns.  Text has one type in the store, so
 * that it shows whichever column another recipient brings. */
static void add(struct list *l, struct prop p)
{
    if (PROP_TYPE(p.tag) == PtypString8)
        p.tag = PROP_AS(p.tag, PtypString);
    if (!prop_find(l->values, l->count, PROP_AS(p.tag, PtypUnspecified)))
        l->values[l->count++] = p;
}

static void add_text(struct list *l, uint32_t tag, const char *text)
{
    if (text)
        add(l, P_STR(tag, text));
}

static void add_list(struct list *l, struct blob entry_id, struct blob search_key)
{
    add_text(l, PidTagAddressType, "MAPIPDL");
    add(l, P_BIN(PidTagEntryId, entry_id));
    add(l, P_BIN(PidTagSearchKey, search_key));
}

static void add_type(struct list *l, const struct RecipientRow *row)
{
    for (size_t i = 0; i < COUNTOF(types); i++)
        if ((row->RecipientFlags & ROW_TYPE) == types[i].number)
            add_text(l, PidTagAddressType, types[i].name);
    if (row->RecipientFlags & ROW_OTHER_TYPE)
        add_text(l, PidTagAddressType, row->AddressType);
}

static void add_address(struct list *l, const struct RecipientRow *row)
{
    switch (row->RecipientFlags & ROW_TYPE) {
    case ROW_X500DN: /* AddressPrefixUsed: our DnPrefix is empty */
        add_text(l, PidTagAddressType, "EX");
        add_text(l, PidTagEmailAddress, row->X500DN);
        add(l, P_I32(PidTagDisplayType, row->DisplayType));
        break;
    case ROW_LIST1: add_list(l, row->EntryId1, row->SearchKey1); break;
    case ROW_LIST2: add_list(l, row->EntryId2, row->SearchKey2); break;
    default: add_type(l, row);
    }
    add_text(l, PidTagEmailAddress, row->EmailAddress);
}

struct store_recipient recipient_of_row(TALLOC_CTX *arena, const struct ModifyRecipientRow *from)
{
    const struct RecipientRow *row = &from->RecipientRow;
    struct list l = { talloc_array(arena, struct prop, row->RecipientProperties.count + 12), 0 };
    add_address(&l, row);
    add_text(&l, PidTagDisplayName, row->DisplayName);
    add_text(&l, PidTagAddressBookDisplayNamePrintable, row->SimpleDisplayName);
    add_text(&l, PidTagTransmittableDisplayName,
             row->RecipientFlags & ROW_TRANSMITTABLE_SAME ? row->DisplayName : row->TransmittableDisplayName);
    add(&l, P_BOOL(PidTagSendRichInfo, !(row->RecipientFlags & ROW_NO_RICH_TEXT)));
    if (row->RecipientFlags & ROW_ELSEWHERE)
        add(&l, P_BOOL(PidTagResponsibility, true));
    for (uint32_t i = 0; i < row->RecipientProperties.count; i++)
        if (PROP_TYPE(row->RecipientProperties.values[i].tag) != PtypErrorCode)
            add(&l, row->RecipientProperties.values[i]);
    return (struct store_recipient){ from->RowId, from->RecipientType, { l.count, l.values } };
}
