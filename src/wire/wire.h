/* SPDX-License-Identifier: Apache-2.0 */
/* wire/wire.h: every structure of the protocols is described once, in a .def table, and one engine reads,
 * writes and prints them.  Owns nothing: what wire_get() makes lives in the cursor's arena, bytes point into
 * the input.  Never decides anything about mail. */
#pragma once
#include "wire/value.h"

/* How property values, counts and text are encoded.  [MS-OXCDATA] 2.11.1.1, [MS-OXCMAPIHTTP] 2.2.1 */
enum wire_flavour {
    WIRE_ROP,  /* 16-bit counts */
    WIRE_EXT,  /* 32-bit counts: extended rules */
    WIRE_NSPI, /* 32-bit counts, a HasValue byte before strings, binaries and multi-values and their elements */
    WIRE_BAG,  /* our own storage: 32-bit counts, text as UTF-8 */
    WIRE_FX,   /* FastTransfer, [MS-OXCFXICS] 2.2.4.1.3: 32-bit counts, text with its length, Booleans of 2 bytes */
};

struct wire_struct;
struct wire_field;

/* Reading.  Errors stick: after a short or wrong read `bad` is set and every read gives 0. */
struct wire_in {
    const uint8_t *at, *end;
    TALLOC_CTX *arena;
    enum wire_flavour flavour;
    unsigned codepage;                /* of PtypString8 and 8-bit text; 0: windows-1252; a CODEPAGE field sets it */
    bool bad;
    unsigned depth;
    const uint32_t *columns;          /* of the property rows that follow; set by a COLUMNS field or the caller */
    uint32_t column_count;
};
struct wire_in wire_in(TALLOC_CTX *arena, struct blob);
static inline size_t wire_left(const struct wire_in *in) { return (size_t)(in->end - in->at); }

/* Writing, into a growing buffer up to `limit` bytes of it.  What does not fit sets `full` and is not written. */
struct wire_out {
    struct buf *to;
    size_t limit;
    enum wire_flavour flavour;
    unsigned codepage;
    bool full;
    const uint32_t *columns;
    uint32_t column_count;
    struct blob rows;                 /* of a ROWS field, when somebody has written them to see how many fit; else empty */
};
struct wire_out wire_out(struct buf *to);         /* no limit */

/* One structure.  false: the input was short or wrong (in->bad), or the output did not fit (out->full; the
 * buffer is then cut back to where it was). */
bool wire_get(struct wire_in *, const struct wire_struct *, void *self);
bool wire_put(struct wire_out *, const struct wire_struct *, const void *self);
/* Readable, one field a line.  SECRET fields print their length alone. */
void wire_dump(struct buf *text, const struct wire_struct *, const void *self, int indent);
/* For whom it is readable, and what is known of the mailbox that it is from. */
enum wire_shown {
    WIRE_USUAL,  /* text and bytes, but not those of bodies and attachments */
    WIRE_MASKED, /* neither text nor bytes: names of classes and servers alone */
    WIRE_ALL,
};
struct PropertyName;
struct wire_names { /* of the named properties of a mailbox */
    bool (*find)(void *arg, TALLOC_CTX *arena, uint16_t id, struct PropertyName *out);
    void *arg;
};
struct wire_style {
    enum wire_shown shown;
    const struct wire_names *names;  /* NULL: nobody knows them */
    const struct PropertyName *name; /* of the one property that is shown; NULL: see `names` */
};
void wire_dump_styled(struct buf *text, const struct wire_style *, const struct wire_struct *, const void *self,
                      int indent);

/* Plain numbers and the composite values, for the engine and for stores of encoded properties. */
uint64_t wire_get_uint(struct wire_in *, size_t bytes);
void wire_put_uint(struct wire_out *, uint64_t, size_t bytes);
struct blob wire_get_bytes(struct wire_in *, size_t);
void wire_put_bytes(struct wire_out *, struct blob);
const char *wire_get_text(struct wire_in *, bool wide);                /* zero-terminated */
void wire_put_text(struct wire_out *, const char *, bool wide);
struct prop wire_get_prop(struct wire_in *);                           /* TaggedPropertyValue */
void wire_put_prop(struct wire_out *, const struct prop *);
struct prop wire_get_value(struct wire_in *, uint32_t tag);            /* value alone, type known */
void wire_put_value(struct wire_out *, const struct prop *);
struct restriction *wire_get_restriction(struct wire_in *);            /* NULL where nothing is left */
void wire_put_restriction(struct wire_out *, const struct restriction *);
/* PropertyRow [MS-OXCDATA] 2.8.1 over the cursor's columns: one value per column, errors as PtypErrorCode. */
struct props wire_get_row(struct wire_in *);
void wire_put_row(struct wire_out *, const struct props *);
void wire_dump_prop(struct buf *text, const struct prop *, int indent);
void wire_dump_prop_styled(struct buf *text, const struct wire_style *, const struct prop *, int indent);
void wire_dump_tag(struct buf *text, const struct wire_style *, uint32_t tag); /* its name and its number */
void wire_dump_restriction(struct buf *text, const struct restriction *, int indent);

/* ---- descriptions: made from the .def tables by structs.h and structs.c ---- */
enum wire_type {
    WIRE_END, WIRE_UINT, WIRE_INT, WIRE_CODEPAGE, WIRE_BOOL, WIRE_TAG, WIRE_TIME, WIRE_ID, WIRE_GUID, WIRE_BYTES, WIRE_BLOB, WIRE_REST,
    WIRE_SECRET, WIRE_ASCII, WIRE_WIDE, WIRE_STR, WIRE_TYPED, WIRE_UINTS, WIRE_IDS, WIRE_TAGS, WIRE_COLUMNS, WIRE_ASCIIS,
    WIRE_WIDES, WIRE_PROP, WIRE_PROPS, WIRE_SUB, WIRE_SUBS, WIRE_RESTRICTION, WIRE_ROW, WIRE_ROWS, WIRE_SIZED,
    WIRE_ENDSIZED, WIRE_WHEN, WIRE_WHEN_ANY, WIRE_WHEN_NOT, WIRE_WHEN_IN, WIRE_ENDWHEN,
};
struct wire_field {
    const char *name;
    uint8_t type;                     /* enum wire_type */
    uint8_t of_size;                  /* bytes of the member that `of` points to */
    uint16_t offset;                  /* of the member in the C struct */
    uint16_t of;                      /* offset of the count or flag that it depends on */
    uint32_t arg, arg2;               /* size of an element; mask and value of a condition; bias of a size */
    const struct wire_struct *sub;
};
static inline bool wire_is_condition(const struct wire_field *f)
{
    return f->type >= WIRE_WHEN && f->type <= WIRE_WHEN_IN;
}
struct wire_struct {
    const char *name;
    size_t size;
    const struct wire_field *(*fields)(void);
};
const struct wire_struct *wire_struct_named(const char *name);         /* NULL: no such structure */
extern const struct wire_struct *const wire_structs[];                 /* all of them, NULL at the end */
