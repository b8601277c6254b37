/* SPDX-License-Identifier: Apache-2.0 */
/* The GUIDs of guids.def. */
#include "wire/guids.h"

#define LITTLE2(v) (0x##v##u & 0xFF), (0x##v##u >> 8)
#define LITTLE4(v) (0x##v##u & 0xFF), (0x##v##u >> 8 & 0xFF), (0x##v##u >> 16 & 0xFF), (0x##v##u >> 24)
#define BIG2(v) (0x##v##u >> 8), (0x##v##u & 0xFF)
#define BIG6(v)                                                                                                        \
    (0x##v##ull >> 40), (0x##v##ull >> 32 & 0xFF), (0x##v##ull >> 24 & 0xFF), (0x##v##ull >> 16 & 0xFF),               \
        (0x##v##ull >> 8 & 0xFF), (0x##v##ull & 0xFF)
#define GUIDDEF(name, a, b, c, d, e)                                                                                   \
    const struct guid name = { { LITTLE4(a), LITTLE2(b), LITTLE2(c), BIG2(d), BIG6(e) } };
#include "wire/guids.def"
#undef GUIDDEF

const char *guid_name(struct guid guid)
{
    static const struct {
        const struct guid *guid;
        const char *name;
    } names[] = {
#define GUIDDEF(name, ...) { &name, #name },
#include "wire/guids.def"
#undef GUIDDEF
    };
    for (size_t i = 0; i < COUNTOF(names); i++)
        if (guid_equal(*names[i].guid, guid))
            return names[i].name;
    return NULL;
}
