/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/value.h: what flows through a pipeline. */
#pragma once
#include "base/base.h"

enum value_kind { VALUE_NULL, VALUE_BOOL, VALUE_INT, VALUE_TEXT, VALUE_GUID, VALUE_TIME, VALUE_LIST, VALUE_HASH,
                  VALUE_SECRET, VALUE_OBJECT, VALUE_BLOCK };

struct value {
    enum value_kind kind;
    const char *text;               /* TEXT, SECRET; of an INT how it was typed; of a TIME "UTC", or NULL: local */
    union {
        bool boolean;
        int64_t integer;
        struct guid guid;
        uint64_t time;              /* FILETIME */
        const struct value_list *list;              /* LIST; HASH: its values */
        const struct object *object;
        const struct condition *block;
    };
};
struct value_list {
    const struct value *items;
    const char *const *keys;        /* of a HASH */
    size_t count;
};

/* An object is a type and whatever the type's properties read from.  Values are made when they are asked for. */
struct object;
struct property {
    const char *name;
    struct value (*get)(TALLOC_CTX *arena, const struct object *, const struct property *);
};
struct object_type {
    const char *name;               /* the noun */
    const struct property *properties;
    size_t count;
    const char *view;               /* the columns of its table, with blanks between; NULL: none of its own */
};
struct object {
    const struct object_type *type;
    const void *source;
    const void *more;               /* a second source, where a type needs one */
};
struct objects {
    struct object *items;
    size_t count, room;
};
void objects_add(TALLOC_CTX *arena, struct objects *, struct object);

static inline struct value v_null(void) { return (struct value){ VALUE_NULL, NULL, { 0 } }; }
static inline struct value v_bool(bool b) { return (struct value){ .kind = VALUE_BOOL, .boolean = b }; }
static inline struct value v_int(int64_t i) { return (struct value){ .kind = VALUE_INT, .integer = i }; }
static inline struct value v_text(const char *t)            /* NULL is $null */
{
    return (struct value){ .kind = t ? VALUE_TEXT : VALUE_NULL, .text = t };
}
static inline struct value v_guid(struct guid g) { return (struct value){ .kind = VALUE_GUID, .guid = g }; }
static inline struct value v_time(uint64_t t) { return (struct value){ .kind = VALUE_TIME, .time = t }; }
static inline struct value v_utc(uint64_t t) { return (struct value){ .kind = VALUE_TIME, .text = "UTC", .time = t }; }
struct value v_size(TALLOC_CTX *, int64_t bytes);           /* 1.234 MB (1,293,942 bytes); below 0: Unlimited */
struct value v_texts(TALLOC_CTX *, const char *const *texts, size_t count);
struct value v_printf(TALLOC_CTX *, const char *, ...) PRINTF(2, 3);
struct value v_seconds(TALLOC_CTX *, uint32_t);              /* a TimeSpan: 14.00:00:00 */

/* Without case; VALUE_NULL where there is no such property. */
const struct property *object_property(const struct object *, const char *name);
struct value object_get(TALLOC_CTX *, const struct object *, const char *name);
/* Its own kind of object: a text that stands for itself, and an object with just these values. */
struct object object_of_text(TALLOC_CTX *, const char *);
const char *object_as_text(const struct object *);          /* NULL: it is not a text */
struct object object_of_values(TALLOC_CTX *, const char *type, const char *const *names, const struct value *, size_t);

/* As PowerShell prints it: True, {a, b}, 11/23/2026 10:00:00 AM; nothing for $null. */
const char *value_text(TALLOC_CTX *, struct value);
/* As a program reads it: the same, but times as 2026-11-23T10:00:00.000Z and lists with ; between. */
const char *value_plain(TALLOC_CTX *, struct value);
bool value_true(struct value);
/* Without case; of different kinds the right one is converted to the left one's. */
int value_compare(TALLOC_CTX *, struct value left, struct value right);
bool value_equal(TALLOC_CTX *, struct value left, struct value right);
bool text_like(const char *text, const char *pattern);      /* * ? [abc], without case */
