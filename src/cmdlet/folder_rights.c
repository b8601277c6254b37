/* SPDX-License-Identifier: Apache-2.0 */
/* The words of -AccessRights. */
#include "cmdlet/public_folders.h"

static const struct {
    const char *name;
    uint32_t rights;
} words[] = {
    { "Owner", RIGHTS_OWNER_ROLE },
    { "PublishingEditor", 0x04FB },
    { "Editor", 0x047B },
    { "PublishingAuthor", 0x049B },
    { "Author", RIGHTS_AUTHOR_ROLE },
    { "NonEditingAuthor", 0x0413 },
    { "Reviewer", 0x0401 },
    { "Contributor", 0x0402 },
    { "None", 0 },
    { "ReadItems", RIGHT_READ_ANY },
    { "CreateItems", RIGHT_CREATE },
    { "EditOwnedItems", RIGHT_EDIT_OWNED },
    { "DeleteOwnedItems", RIGHT_DELETE_OWNED },
    { "EditAllItems", RIGHT_EDIT_ANY },
    { "DeleteAllItems", RIGHT_DELETE_ANY },
    { "CreateSubfolders", RIGHT_CREATE_SUBFOLDER },
    { "FolderOwner", RIGHT_OWNER },
    { "FolderContact", RIGHT_CONTACT },
    { "FolderVisible", RIGHT_VISIBLE },
};
enum { FIRST_SINGLE = 9 };

bool rights_of_names(struct texts names, uint32_t *rights, const char **wrong)
{
    *rights = 0;
    for (size_t i = 0; i < names.count; i++) {
        size_t word = 0;
        while (word < COUNTOF(words) && strcasecmp(words[word].name, names.items[i]) != 0)
            word++;
        *wrong = names.items[i];
        if (word == COUNTOF(words))
            return false;
        *rights |= words[word].rights;
    }
    return true;
}

/* Whether somebody is the contact makes no other role. */
struct value rights_value(TALLOC_CTX *arena, uint32_t rights)
{
    const char *chosen[COUNTOF(words)];
    size_t count = 0;
    for (size_t i = 0; i < FIRST_SINGLE; i++)
        if ((words[i].rights & ~(uint32_t)RIGHT_CONTACT) == (rights & ~(uint32_t)RIGHT_CONTACT))
            return v_texts(arena, &words[i].name, 1);
    for (size_t i = FIRST_SINGLE; i < COUNTOF(words); i++)
        if (rights & words[i].rights)
            chosen[count++] = words[i].name;
    return v_texts(arena, chosen, count);
}
