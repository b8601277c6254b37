/* SPDX-License-Identifier: Apache-2.0 */
/* wire/structs.h: the tables of all.def read as C structs, and the name of each one's description. */
#pragma once
#include "wire/wire.h"

#define STRUCT(S)            extern const struct wire_struct S##_wire; struct S {
#define END                  };
#define U8(f)                uint8_t f;
#define U16(f)               uint16_t f;
#define U32(f)               uint32_t f;
#define U64(f)               uint64_t f;
#define I32(f)               int32_t f;
#define CODEPAGE(f)          uint32_t f;
#define I64(f)               int64_t f;
#define BOOL(f)              bool f;
#define TAG(f)               uint32_t f;
#define TIME(f)              uint64_t f;
#define ID(f)                uint64_t f;
#define GUID(f)              struct guid f;
#define BYTES(f, n)          uint8_t f[n];
#define BLOB(f, size)        struct blob f;
#define SECRET(f, size)      struct blob f;
#define REST(f)              struct blob f;
#define ASCII(f)             const char *f;
#define WIDE(f)              const char *f;
#define STR(f, flag, mask)   const char *f;
#define TYPED(f)             const char *f;
#define U16S(f, count)       const uint16_t *f;
#define U32S(f, count)       const uint32_t *f;
#define IDS(f, count)        const uint64_t *f;
#define TAGS(f, count)       const uint32_t *f;
#define COLUMNS(f, count)    const uint32_t *f;
#define ASCIIS(f, count)     const char *const *f;
#define WIDES(f, count)      const char *const *f;
#define PROP(f)              struct prop f;
#define PROPS(f, count)      const struct prop *f;
#define ROW(f)               struct props f;
#define ROW_OF(f, count)     struct props f;
#define ROWS(f, count)       const struct props *f;
#define RESTRICTION(f)       const struct restriction *f;
#define SUB(S, f)            struct S f;
#define SUBS(S, f, count)    const struct S *f;
#define SIZED16(f)           uint16_t f;
#define SIZED16_SELF(f)      uint16_t f;
#define SIZED32(f)           uint32_t f;
#define ENDSIZED
#define WHEN(f)
#define WHEN_IS(f, m, v)
#define WHEN_ANY(f, m)
#define WHEN_NOT(f, m, v)
#define WHEN_IN(f, s)
#define ENDWHEN
#include "wire/all.def"
#include "wire/macros_end.h"
