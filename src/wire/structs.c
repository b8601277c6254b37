/* SPDX-License-Identifier: Apache-2.0 */
/* The tables of all.def read as descriptions, and once more as the list of all of them. */
#include "wire/structs.h"

#define AT(f) offsetof(self, f)
#define LEN(f) (uint8_t)sizeof(((self *)0)->f)

/* clang-format off */
#define STRUCT(S)                                                                                   \
    static const struct wire_field *S##_fields(void);                                               \
    const struct wire_struct S##_wire = { #S, sizeof(struct S), S##_fields };                       \
    static const struct wire_field *S##_fields(void) { typedef struct S self;                       \
        static const struct wire_field fields[] = {
#define END { NULL, WIRE_END, 0, 0, 0, 0, 0, NULL } }; (void)sizeof(self); return fields; }
#define U8(f)              { #f, WIRE_UINT, 0, AT(f), 0, 1, 0, NULL },
#define U16(f)             { #f, WIRE_UINT, 0, AT(f), 0, 2, 0, NULL },
#define U32(f)             { #f, WIRE_UINT, 0, AT(f), 0, 4, 0, NULL },
#define U64(f)             { #f, WIRE_UINT, 0, AT(f), 0, 8, 0, NULL },
#define I32(f)             { #f, WIRE_INT, 0, AT(f), 0, 4, 0, NULL },
#define CODEPAGE(f)        { #f, WIRE_CODEPAGE, 0, AT(f), 0, 4, 0, NULL },
#define I64(f)             { #f, WIRE_INT, 0, AT(f), 0, 8, 0, NULL },
#define BOOL(f)            { #f, WIRE_BOOL, 0, AT(f), 0, 1, 0, NULL },
#define TAG(f)             { #f, WIRE_TAG, 0, AT(f), 0, 4, 0, NULL },
#define TIME(f)            { #f, WIRE_TIME, 0, AT(f), 0, 8, 0, NULL },
#define ID(f)              { #f, WIRE_ID, 0, AT(f), 0, 8, 0, NULL },
#define GUID(f)            { #f, WIRE_GUID, 0, AT(f), 0, 16, 0, NULL },
#define BYTES(f, n)        { #f, WIRE_BYTES, 0, AT(f), 0, n, 0, NULL },
#define BLOB(f, c)         { #f, WIRE_BLOB, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define SECRET(f, c)       { #f, WIRE_SECRET, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define REST(f)            { #f, WIRE_REST, 0, AT(f), 0, 0, 0, NULL },
#define ASCII(f)           { #f, WIRE_ASCII, 0, AT(f), 0, 0, 0, NULL },
#define WIDE(f)            { #f, WIRE_WIDE, 0, AT(f), 0, 0, 0, NULL },
#define STR(f, c, m)       { #f, WIRE_STR, LEN(c), AT(f), AT(c), m, 0, NULL },
#define TYPED(f)           { #f, WIRE_TYPED, 0, AT(f), 0, 0, 0, NULL },
#define U16S(f, c)         { #f, WIRE_UINTS, LEN(c), AT(f), AT(c), 2, 0, NULL },
#define U32S(f, c)         { #f, WIRE_UINTS, LEN(c), AT(f), AT(c), 4, 0, NULL },
#define IDS(f, c)          { #f, WIRE_IDS, LEN(c), AT(f), AT(c), 8, 0, NULL },
#define TAGS(f, c)         { #f, WIRE_TAGS, LEN(c), AT(f), AT(c), 4, 0, NULL },
#define COLUMNS(f, c)      { #f, WIRE_COLUMNS, LEN(c), AT(f), AT(c), 4, 0, NULL },
#define ASCIIS(f, c)       { #f, WIRE_ASCIIS, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define WIDES(f, c)        { #f, WIRE_WIDES, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define PROP(f)            { #f, WIRE_PROP, 0, AT(f), 0, 0, 0, NULL },
#define PROPS(f, c)        { #f, WIRE_PROPS, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define ROW(f)             { #f, WIRE_ROW, 0, AT(f), 0, 0, 0, NULL },
#define ROW_OF(f, c)       { #f, WIRE_ROW, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define ROWS(f, c)         { #f, WIRE_ROWS, LEN(c), AT(f), AT(c), 0, 0, NULL },
#define RESTRICTION(f)     { #f, WIRE_RESTRICTION, 0, AT(f), 0, 0, 0, NULL },
#define SUB(S, f)          { #f, WIRE_SUB, 0, AT(f), 0, 0, 0, &S##_wire },
#define SUBS(S, f, c)      { #f, WIRE_SUBS, LEN(c), AT(f), AT(c), 0, 0, &S##_wire },
#define SIZED16(f)         { #f, WIRE_SIZED, 0, AT(f), 0, 2, 0, NULL },
#define SIZED16_SELF(f)    { #f, WIRE_SIZED, 0, AT(f), 0, 2, 2, NULL },
#define SIZED32(f)         { #f, WIRE_SIZED, 0, AT(f), 0, 4, 0, NULL },
#define ENDSIZED           { "", WIRE_ENDSIZED, 0, 0, 0, 0, 0, NULL },
#define WHEN(c)            { "", WIRE_WHEN_ANY, LEN(c), 0, AT(c), 0xFFFFFFFF, 0, NULL },
#define WHEN_IS(c, m, v)   { "", WIRE_WHEN, LEN(c), 0, AT(c), m, v, NULL },
#define WHEN_ANY(c, m)     { "", WIRE_WHEN_ANY, LEN(c), 0, AT(c), m, 0, NULL },
#define WHEN_NOT(c, m, v)  { "", WIRE_WHEN_NOT, LEN(c), 0, AT(c), m, v, NULL },
#define WHEN_IN(c, s)      { "", WIRE_WHEN_IN, LEN(c), 0, AT(c), s, 0, NULL },
#define ENDWHEN            { "", WIRE_ENDWHEN, 0, 0, 0, 0, 0, NULL },
/* clang-format on */
#include "wire/all.def"
#include "wire/macros_end.h"

#include "wire/macros_none.h"
#define STRUCT(S) &S##_wire,
const struct wire_struct *const wire_structs[] = {
#include "wire/all.def"
    NULL,
};
#include "wire/macros_end.h"

const struct wire_struct *wire_struct_named(const char *name)
{
    for (size_t i = 0; wire_structs[i]; i++)
        if (strcmp(wire_structs[i]->name, name) == 0)
            return wire_structs[i];
    return NULL;
}
