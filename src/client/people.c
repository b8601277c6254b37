/* SPDX-License-Identifier: Apache-2.0 */
/* Recipients, and who they are: [MS-OXCDATA] 2.8.3, [MS-OXOMSG] 3.1, [MS-OXNSPI] 3.1.4.1.17. */
#include "client/internal.h"
#include "client/mail.h"
#include "wire/entry_id.h"

/* [MS-OXCDATA] 2.8.3.1 */
enum { ROW_X500DN = 0x0001, ROW_SMTP = 0x0003, ROW_TYPE = 0x0007, ROW_EMAIL = 0x0008, ROW_NAME = 0x0010,
       ROW_SAME_NAME = 0x0040, ROW_UNICODE = 0x0200 };
enum { OBJECT_MAIL_USER = 6 };
enum { MID_UNRESOLVED = 0, MID_AMBIGUOUS = 1, MID_RESOLVED = 2 };

static const uint32_t columns[] = { PidTagObjectType, PidTagDisplayType, PidTagSmtpAddress, PidTagRecipientEntryId };

/* ---- writing ---- */

static struct blob entry_id_of(TALLOC_CTX *arena, const struct client_recipient *r)
{
    return strcmp(r->address_type, "EX") == 0 ? address_book_entry_id(arena, r->address, DT_MAILUSER)
                                              : one_off_entry_id(arena, r->name, r->address_type, r->address);
}

static struct RecipientRow row_of(TALLOC_CTX *arena, const struct client_recipient *r)
{
    const bool known = strcmp(r->address_type, "EX") == 0;
    const char *smtp = r->smtp ? r->smtp : r->address;
    struct prop *values = talloc_array(arena, struct prop, COUNTOF(columns));
    values[0] = P_I32(columns[0], OBJECT_MAIL_USER);
    values[1] = P_I32(columns[1], DT_MAILUSER);
    values[2] = P_STR(columns[2], smtp);
    values[3] = P_BIN(columns[3], entry_id_of(arena, r));
    return (struct RecipientRow){
        .RecipientFlags = ROW_UNICODE | ROW_NAME | ROW_SAME_NAME | (known ? ROW_X500DN : ROW_SMTP | ROW_EMAIL),
        .X500DN = known ? r->address : NULL, .EmailAddress = known ? NULL : r->address, .DisplayName = r->name,
        .RecipientColumnCount = COUNTOF(columns), .RecipientProperties = { COUNTOF(columns), values },
    };
}

enum ec client_add_recipients(struct client *c, uint32_t message, const struct client_recipient *all, uint32_t count)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct ModifyRecipientRow *rows = talloc_zero_array(arena, struct ModifyRecipientRow, count + 1);
    for (uint32_t i = 0; i < count; i++)
        rows[i] = (struct ModifyRecipientRow){ .RowId = i, .RecipientType = all[i].type, .RecipientRowSize = 1,
                                               .RecipientRow = row_of(arena, &all[i]) };
    const struct RopModifyRecipientsRequest request = { .ColumnCount = COUNTOF(columns), .RecipientColumns = columns,
                                                        .RowCount = (uint16_t)count, .RecipientRows = rows };
    const enum ec ec = count ? client_call(c, arena, RopModifyRecipients, message, &request, NULL, NULL) : ecNone;
    talloc_free(arena);
    return ec;
}

/* ---- reading ---- */

/* A value among the properties of the row, which follow the columns of the message. */
static const char *row_text(const struct RecipientRow *row, uint32_t tag)
{
    const struct prop *p = prop_find(row->RecipientProperties.values, row->RecipientProperties.count, tag);
    return p ? p->str : NULL;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
    return a ? a : b ? b : c;
}

static struct client_recipient recipient_of(const struct ReadRecipientRow *r)
{
    const struct RecipientRow *row = &r->RecipientRow;
    const unsigned kind = row->RecipientFlags & ROW_TYPE;
    struct client_recipient out = { .type = r->RecipientType & 0x0F };
    out.address_type = kind == ROW_X500DN ? "EX" : kind == ROW_SMTP ? "SMTP"
                                                 : first_of(row->AddressType, row_text(row, PidTagAddressType), "");
    out.address = first_of(kind == ROW_X500DN ? row->X500DN : row->EmailAddress, row_text(row, PidTagEmailAddress), "");
    out.smtp = row_text(row, PidTagSmtpAddress);
    if (!out.smtp && kind == ROW_SMTP)
        out.smtp = out.address;
    out.name = first_of(row->DisplayName, row_text(row, PidTagDisplayName), out.address);
    return out;
}

/* From RowId on until there is nobody more, which is ecNotFound: [MS-OXCMSG] 3.2.5.6 */
enum ec client_recipients(struct client *c, TALLOC_CTX *arena, uint32_t message, struct client_recipient **out, uint32_t *count)
{
    uint32_t next = 0;
    *out = talloc_zero_array(arena, struct client_recipient, 1);
    *count = 0;
    for (;;) {
        struct RopReadRecipientsResponse part = { 0 };
        const enum ec ec = client_call(c, arena, RopReadRecipients, message, &(struct RopReadRecipientsRequest){ .RowId = next }, &part, NULL);
        if (ec || !part.RowCount)
            return ec == ecNotFound ? ecNone : ec;
        *out = talloc_realloc(arena, *out, struct client_recipient, *count + part.RowCount);
        for (unsigned i = 0; i < part.RowCount; i++)
            (*out)[(*count)++] = recipient_of(&part.RecipientRows[i]);
        next = part.RecipientRows[part.RowCount - 1].RowId + 1;
    }
}

/* ---- the address book ---- */

static struct client_recipient entry_of(const struct props *row, const char *typed, uint8_t type)
{
    const struct prop *dn = prop_find(row->values, row->count, PidTagEmailAddress);
    const struct prop *name = prop_find(row->values, row->count, PidTagDisplayName);
    const struct prop *smtp = prop_find(row->values, row->count, PidTagSmtpAddress);
    return (struct client_recipient){ type, name ? name->str : typed, dn ? "EX" : "SMTP", dn ? dn->str : typed,
                                      smtp ? smtp->str : NULL };
}

enum ec client_resolve(struct client *c, TALLOC_CTX *arena, const char *typed, uint8_t type, struct client_recipient *out)
{
    static const uint32_t tags[] = { PidTagEmailAddress, PidTagDisplayName, PidTagSmtpAddress };
    const struct ResolveNamesRequest request = {
        .HasState = true, .State = { .CodePage = 1252, .TemplateLocale = 0x0409, .SortLocale = 0x0409 },
        .HasPropertyTags = true, .PropertyTags = { COUNTOF(tags), tags }, .HasNames = true, .NameCount = 1, .Names = &typed,
    };
    struct ResolveNamesResponse response;
    enum ec ec = c->contexts[CLIENT_NSPI].open ? ecNone : client_bind(c);
    if (!ec)
        ec = client_nspi(c, arena, "ResolveNames", &request, &response);
    if (ec)
        return ec;
    const uint32_t id = response.HasMinimalIds && response.MinimalIdCount ? response.MinimalIds[0] : MID_UNRESOLVED;
    if (id == MID_AMBIGUOUS)
        return client_fail(c, CLIENT_ERROR_CODE, ecAmbiguousRecip, (uint32_t)ecAmbiguousRecip, "'%s' stands for several people", typed);
    if (id >= MID_RESOLVED && response.HasRowsAndCols && response.RowCount) {
        *out = entry_of(&response.RowData[0], typed, type);
        return ecNone;
    }
    if (!strchr(typed, '@'))
        return client_fail(c, CLIENT_ERROR_CODE, ecNotFound, (uint32_t)ecNotFound, "nobody is called '%s'", typed);
    *out = (struct client_recipient){ type, typed, "SMTP", typed, typed };
    return ecNone;
}
