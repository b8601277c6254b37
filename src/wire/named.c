/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/named.h"

#include "wire/guids.h"

enum { KIND_LID = 0x00, KIND_NAME = 0x01 };

static const struct {
    const struct guid *set;
    uint32_t lid;
    const char *name;
} known[] = {
#define NAMED(set, lid, name) { &set, lid, #name },
#include "wire/named.def"
#undef NAMED
};

const char *named_name(const struct PropertyName *p)
{
    for (size_t i = 0; p->Kind == KIND_LID && i < COUNTOF(known); i++)
        if (known[i].lid == p->LID && guid_equal(*known[i].set, p->GUID))
            return known[i].name;
    return NULL;
}

char *named_text(TALLOC_CTX *arena, const struct PropertyName *p)
{
    char text[GUID_TEXT_SIZE];
    const char *name = named_name(p), *set = guid_name(p->GUID);
    if (name)
        return talloc_strdup(arena, name);
    if (!set)
        set = guid_text(p->GUID, text);
    if (p->Kind == KIND_LID)
        return talloc_asprintf(arena, "%s:0x%04X", set, p->LID);
    return talloc_asprintf(arena, "%s:%s", set, p->Kind == KIND_NAME ? utf8_of_utf16(arena, p->Name.data, p->Name.size) : "");
}
