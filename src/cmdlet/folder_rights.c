/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/folder_rights.h"

enum { FREE_BUSY = RIGHT_FREE_BUSY_SIMPLE | RIGHT_FREE_BUSY_DETAILED };
static const struct {
    const char *name;
    uint32_t rights;
    bool is_role; /* stands alone */
} names[] = {
    { "None", 0, true },
    { "Owner", RIGHTS_OWNER_ROLE, true },
    { "PublishingEditor", 0x4FB, true },
    { "Editor", 0x47B, true },
    { "PublishingAuthor", 0x49B, true },
    { "Author", RIGHTS_AUTHOR_ROLE, true },
    { "NonEditingAuthor", 0x413, true },
    { "Reviewer", 0x401, true },
    { "Contributor", 0x402, true },
    { "AvailabilityOnly", RIGHT_FREE_BUSY_SIMPLE, true },
    { "LimitedDetails", FREE_BUSY, true },
    { "ReadItems", RIGHT_READ_ANY, false },
    { "CreateItems", RIGHT_CREATE, false },
    { "EditOwnedItems", RIGHT_EDIT_OWNED, false },
    { "DeleteOwnedItems", RIGHT_DELETE_OWNED, false },
    { "EditAllItems", RIGHT_EDIT_ANY, false },
    { "DeleteAllItems", RIGHT_DELETE_ANY, false },
    { "CreateSubfolders", RIGHT_CREATE_SUBFOLDER, false },
    { "FolderOwner", RIGHT_OWNER, false },
    { "FolderContact", RIGHT_CONTACT, false },
    { "FolderVisible", RIGHT_VISIBLE, false },
};

enum ec folder_rights_of(struct call *call, struct texts given, bool calendar, uint32_t *rights)
{
    *rights = 0;
    for (size_t i = 0; i < given.count; i++) {
        size_t k = 0;
        while (k < COUNTOF(names) && strcasecmp(names[k].name, given.items[i]) != 0)
            k++;
        if (k == COUNTOF(names) || (names[k].is_role && given.count > 1))
            return call_fail(call, ecInvalidParam, "\"%s\" is not a role, or a right beside others.", given.items[i]);
        if (names[k].rights & FREE_BUSY && !calendar)
            return call_fail(call, ecInvalidParam, "The role \"%s\" is for calendars alone.", names[k].name);
        *rights |= names[k].rights;
    }
    if (*rights & ~(uint32_t)FREE_BUSY && calendar)
        *rights |= RIGHT_FREE_BUSY_SIMPLE | (*rights & RIGHT_READ_ANY ? RIGHT_FREE_BUSY_DETAILED : 0u);
    return given.count ? ecNone : call_fail(call, ecInvalidParam, "AccessRights can't be empty.");
}

/* Free/busy is a role where there is nothing else, and whether somebody is the contact makes no other one. */
struct value folder_rights_value(TALLOC_CTX *arena, uint32_t rights)
{
    const char *list[COUNTOF(names)];
    const uint32_t plain = rights & ~(uint32_t)FREE_BUSY ? rights & ~(uint32_t)FREE_BUSY : rights;
    const uint32_t without_contact = plain & ~(uint32_t)RIGHT_CONTACT;
    size_t count = 0;
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (names[i].is_role &&
            (names[i].rights == plain || (plain != RIGHT_CONTACT && names[i].rights == without_contact)))
            return v_texts(arena, &names[i].name, 1);
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (!names[i].is_role && rights & names[i].rights)
            list[count++] = names[i].name;
    return v_texts(arena, list, count);
}
