/* SPDX-License-Identifier: Apache-2.0 */
/* wire/value.h: property tags, property values and restrictions as the program holds them in memory.
 * [MS-OXCDATA] 2.11 and 2.12.  Text is UTF-8; pointers belong to whoever made the value. */
#pragma once
#include "base/base.h"

/* [MS-OXCDATA] 2.11.1 */
enum prop_type {
    PtypUnspecified = 0x0000,
    PtypNull = 0x0001,
    PtypInteger16 = 0x0002,
    PtypInteger32 = 0x0003,
    PtypFloating32 = 0x0004,
    PtypFloating64 = 0x0005,
    PtypCurrency = 0x0006,
    PtypFloatingTime = 0x0007,
    PtypErrorCode = 0x000A,
    PtypBoolean = 0x000B,
    PtypObject = 0x000D,
    PtypInteger64 = 0x0014,
    PtypString8 = 0x001E,
    PtypString = 0x001F,
    PtypTime = 0x0040,
    PtypGuid = 0x0048,
    PtypServerId = 0x00FB,
    PtypRestriction = 0x00FD,
    PtypRuleAction = 0x00FE,
    PtypBinary = 0x0102,
    PtypMultiple = 0x1000,           /* flag: PtypMultiple | PtypInteger32 ... */
    PtypMultivalueInstance = 0x2000, /* flag, table columns only */
    PtypCodePage = 0x8000,           /* flag: PtypCodePage | 1252, only in FastTransfer: [MS-OXCFXICS] 2.2.4.1.1.1 */
};

enum prop_tag {
#define PROP(name, tag) name = (int)tag,
#include "wire/proptag.def"
#undef PROP
};

#define PROP_TYPE(tag) ((uint16_t)((uint32_t)(tag) & 0xFFFF))
#define PROP_ID(tag) ((uint16_t)((uint32_t)(tag) >> 16))
#define PROP_TAG(type, id) ((uint32_t)(id) << 16 | (uint16_t)(type))
/* The same property with another type, e.g. to say that it has an error. */
#define PROP_AS(tag, type) (((uint32_t)(tag) & 0xFFFF0000u) | (uint16_t)(type))

struct restriction;

struct prop {
    uint32_t tag; /* id << 16 | type; the type says which member holds the value */
    union {
        int16_t i16;
        int32_t i32;   /* PtypInteger32; flags and enumerations are read as u32 */
        uint32_t u32;  /* PtypErrorCode: an enum ec */
        int64_t i64;   /* PtypInteger64, PtypCurrency */
        uint64_t u64;  /* PtypTime: FILETIME; ids: as read little-endian from the wire */
        float f32;
        double f64;    /* PtypFloating64, PtypFloatingTime */
        bool b;
        const char *str;                         /* PtypString, PtypString8 */
        struct blob bin;                         /* PtypBinary, PtypServerId (without its size), PtypObject;
                                                  * PtypRuleAction: [MS-OXORULE] 2.2.5 as it stands on the wire */
        struct guid guid;
        const struct restriction *restriction;
        struct {                                 /* PtypMultiple* */
            uint32_t count;
            union {
                const void *data;
                const int16_t *i16;
                const int32_t *i32;
                const int64_t *i64;
                const float *f32;
                const double *f64;
                const char *const *str;
                const struct blob *bin;
                const struct guid *guid;
            };
        } mv;
    };
};

/* A property list.  Absent is not the same as an error value. */
struct props {
    uint32_t count;
    const struct prop *values;
};

/* Convenient literals. */
#define P_I32(t, v) ((struct prop){ .tag = (uint32_t)(t), .i32 = (int32_t)(v) })
#define P_I64(t, v) ((struct prop){ .tag = (uint32_t)(t), .i64 = (int64_t)(v) })
#define P_BOOL(t, v) ((struct prop){ .tag = (uint32_t)(t), .b = (v) })
#define P_STR(t, v) ((struct prop){ .tag = (uint32_t)(t), .str = (v) })
#define P_BIN(t, v) ((struct prop){ .tag = (uint32_t)(t), .bin = (v) })
#define P_TIME(t, v) ((struct prop){ .tag = (uint32_t)(t), .u64 = (v) })
#define P_GUID(t, v) ((struct prop){ .tag = (uint32_t)(t), .guid = (v) })
#define P_ERR(t, e) ((struct prop){ .tag = PROP_AS(t, PtypErrorCode), .u32 = (uint32_t)(e) })

/* NULL: absent, or there with another type (an error, say).  PtypUnspecified finds any type, String8 and String
 * find each other. */
const struct prop *prop_find(const struct prop *, uint32_t count, uint32_t tag);
const char *prop_name(uint32_t tag);   /* "PidTagSubject", or NULL when the table does not know it */
bool prop_type_known(uint16_t type);   /* one that can stand in a value */
size_t prop_type_size(uint16_t type);  /* bytes of a value of fixed size, on the wire and in memory; 0: not fixed */
uint16_t prop_value_type(uint32_t tag);/* of one row's value: without PtypMultivalueInstance and what it stands for */
/* Total order on two values of the same type (tags' ids may differ); text by collation `lcid`. */
int prop_compare(const struct prop *, const struct prop *, uint32_t lcid);
bool prop_equal(const struct prop *, const struct prop *);
struct prop prop_copy(TALLOC_CTX *owner, const struct prop *);       /* deep */
/* Bytes that the value takes on the wire of a ROP, about; for PidTagMessageSize and buffer space. */
size_t prop_size(const struct prop *);
size_t prop_length(const struct prop *);      /* without counts, as a size restriction compares it */
/* PtypString <-> PtypString8, and any value to PtypUnspecified (itself).  Else ecUnexpectedType. */
enum ec prop_convert(const struct prop *, uint16_t type, struct prop *out);

/* [MS-OXCDATA] 2.12 */
enum restriction_type {
    RES_AND, RES_OR, RES_NOT, RES_CONTENT, RES_PROPERTY, RES_COMPAREPROPS, RES_BITMASK, RES_SIZE, RES_EXIST,
    RES_SUBOBJECT, RES_COMMENT, RES_COUNT,
};
enum { FL_FULLSTRING = 0, FL_SUBSTRING = 1, FL_PREFIX = 2, FL_IGNORECASE = 1, FL_IGNORENONSPACE = 2, FL_LOOSE = 4 };
enum relop { RELOP_LT, RELOP_LE, RELOP_GT, RELOP_GE, RELOP_EQ, RELOP_NE, RELOP_MEMBER_OF_DL = 0x64 };
#define RESTRICTION_DEPTH 32                     /* what is nested deeper is not read */

struct restriction {
    uint8_t type;                                /* enum restriction_type */
    uint8_t relop;                               /* property, compare, size: enum relop; bitmask: 0 zero, 1 not zero */
    uint16_t fuzzy_low, fuzzy_high;              /* content */
    uint32_t tag, tag2;                          /* sub-object: its tag in tag; compare: both */
    uint32_t number;                             /* mask, size, or count */
    struct prop value;                           /* content, property */
    uint32_t count;                              /* and, or: any; not, sub-object, count: 1; comment: 0 or 1 */
    const struct restriction *sub;
    uint32_t comment_count;
    const struct prop *comment;
};
struct restriction *restriction_copy(TALLOC_CTX *owner, const struct restriction *);

/* Answers a restriction about one object.  `find` gives a property or NULL; `row` (may be NULL) answers a
 * sub-object restriction by calling back for each recipient or attachment. */
struct restriction_subject {
    const struct prop *(*find)(void *arg, uint32_t tag);
    bool (*sub)(void *arg, uint32_t tag, const struct restriction *);
    void *arg;
    uint32_t lcid;
};
bool restriction_match(const struct restriction *, const struct restriction_subject *);
