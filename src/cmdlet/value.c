/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>
#include <time.h>

#include "cmdlet/value.h"

void objects_add(TALLOC_CTX *arena, struct objects *list, struct object object)
{
    if (list->count == list->room) {
        list->room = list->room ? 2 * list->room : 16;
        list->items = talloc_realloc(arena, list->items, struct object, list->room);
    }
    list->items[list->count++] = object;
}

struct value v_texts(TALLOC_CTX *arena, const char *const *texts, size_t count)
{
    struct value *items = talloc_array(arena, struct value, count);
    struct value_list *list = talloc_zero(arena, struct value_list);
    for (size_t i = 0; i < count; i++)
        items[i] = v_text(texts[i]);
    *list = (struct value_list){ .items = items, .count = count };
    return (struct value){ .kind = VALUE_LIST, .list = list };
}

struct value v_printf(TALLOC_CTX *arena, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = talloc_vasprintf(arena, format, args);
    va_end(args);
    return v_text(text);
}

struct value v_seconds(TALLOC_CTX *arena, uint32_t s)
{
    const char *days = s < 86400 ? "" : talloc_asprintf(arena, "%u.", s / 86400);
    return v_printf(arena, "%s%02u:%02u:%02u", days, s / 3600 % 24, s / 60 % 60, s % 60);
}

const struct property *object_property(const struct object *object, const char *name)
{
    for (size_t i = 0; i < object->type->count; i++)
        if (strcasecmp(object->type->properties[i].name, name) == 0)
            return &object->type->properties[i];
    return NULL;
}

struct value object_get(TALLOC_CTX *arena, const struct object *object, const char *name)
{
    const struct property *property = object_property(object, name);
    return property ? property->get(arena, object, property) : v_null();
}

static struct value text_length(TALLOC_CTX *arena, const struct object *object, const struct property *property)
{
    (void)arena, (void)property;
    return v_int((int64_t)strlen(object->source));
}

static const struct property text_properties[] = { { "Length", text_length } };
static const struct object_type text_type = { "String", text_properties, COUNTOF(text_properties), NULL };

struct object object_of_text(TALLOC_CTX *arena, const char *text)
{
    return (struct object){ &text_type, talloc_strdup(arena, text), NULL };
}

const char *object_as_text(const struct object *object)
{
    return object->type == &text_type ? object->source : NULL;
}

static struct value kept_value(TALLOC_CTX *arena, const struct object *object, const struct property *property)
{
    (void)arena;
    const struct value *values = object->source;
    return values[property - object->type->properties];
}

struct object object_of_values(TALLOC_CTX *arena, const char *type, const char *const *names,
                               const struct value *values, size_t count)
{
    struct property *properties = talloc_array(arena, struct property, count);
    for (size_t i = 0; i < count; i++)
        properties[i] = (struct property){ names[i], kept_value };
    struct object_type *made = talloc_zero(arena, struct object_type);
    *made = (struct object_type){ type, properties, count, NULL };
    return (struct object){ made, talloc_memdup(arena, values, count * sizeof *values), NULL };
}

/* The short form of the United States: 2/14/2018 7:15:00 AM. */
static const char *time_text(TALLOC_CTX *arena, uint64_t filetime, bool utc)
{
    const time_t seconds = (time_t)filetime_to_unix(filetime);
    struct tm tm;
    if (utc)
        gmtime_r(&seconds, &tm);
    else
        localtime_r(&seconds, &tm);
    const int hour = tm.tm_hour % 12 ? tm.tm_hour % 12 : 12;
    return talloc_asprintf(arena, "%d/%d/%d %d:%02d:%02d %s", tm.tm_mon + 1, tm.tm_mday, tm.tm_year + 1900, hour,
                           tm.tm_min, tm.tm_sec, tm.tm_hour < 12 ? "AM" : "PM");
}

#define LIST_SHOWN 16               /* the Exchange shell's $FormatEnumerationLimit */

static const char *list_text(TALLOC_CTX *arena, const struct value_list *list)
{
    char *text = talloc_strdup(arena, "{");
    for (size_t i = 0; i < list->count; i++) {
        const char *item = i < LIST_SHOWN ? value_text(arena, list->items[i]) : "...";
        text = talloc_asprintf_append(text, "%s%s", i ? ", " : "", item);
        if (i == LIST_SHOWN)
            break;
    }
    return talloc_asprintf_append(text, "}");
}

static const char *object_text(TALLOC_CTX *arena, const struct object *object)
{
    const char *text = object_as_text(object);
    if (text)
        return text;
    const struct property *name = object_property(object, "Name");
    return name ? value_text(arena, name->get(arena, object, name)) : object->type->name;
}

const char *value_text(TALLOC_CTX *arena, struct value value)
{
    char guid[GUID_TEXT_SIZE];
    switch (value.kind) {
    case VALUE_BOOL: return value.boolean ? "True" : "False";
    case VALUE_INT: return value.text ? value.text : talloc_asprintf(arena, "%lld", (long long)value.integer);
    case VALUE_TEXT: return value.text;
    case VALUE_GUID: return talloc_strdup(arena, guid_text(value.guid, guid));
    case VALUE_TIME: return time_text(arena, value.time, value.text != NULL);
    case VALUE_LIST: return list_text(arena, value.list);
    case VALUE_HASH: return "System.Collections.Hashtable";
    case VALUE_SECRET: return "System.Security.SecureString";
    case VALUE_OBJECT: return object_text(arena, value.object);
    default: return "";
    }
}

const char *value_plain(TALLOC_CTX *arena, struct value value)
{
    if (value.kind == VALUE_TIME)
        return filetime_text(arena, value.time);
    if (value.kind != VALUE_LIST)
        return value_text(arena, value);
    char *text = talloc_strdup(arena, "");
    for (size_t i = 0; i < value.list->count; i++)
        text = talloc_asprintf_append(text, "%s%s", i ? ";" : "", value_plain(arena, value.list->items[i]));
    return text;
}

bool value_true(struct value value)
{
    switch (value.kind) {
    case VALUE_NULL: return false;
    case VALUE_BOOL: return value.boolean;
    case VALUE_INT: return value.integer != 0;
    case VALUE_TEXT: return *value.text != 0;
    case VALUE_LIST: return value.list->count > 0;
    default: return true;
    }
}

static bool as_number(struct value value, int64_t *out)
{
    char *end = NULL;
    if (value.kind == VALUE_BOOL)
        *out = value.boolean;
    else if (value.kind == VALUE_INT)
        *out = value.integer;
    else if (value.kind == VALUE_TEXT && *value.text)
        *out = strtoll(value.text, &end, 10);
    else
        return false;
    return !end || !*end;
}

/* A Boolean on the left makes a Boolean of the right: $x -eq 'False' compares with $true, as in PowerShell. */
int value_compare(TALLOC_CTX *arena, struct value left, struct value right)
{
    int64_t a, b;
    if (left.kind == VALUE_NULL || right.kind == VALUE_NULL)
        return (left.kind != VALUE_NULL) - (right.kind != VALUE_NULL);
    if (left.kind == VALUE_BOOL)
        return left.boolean - value_true(right);
    if (left.kind == VALUE_TIME && right.kind == VALUE_TIME)
        return (left.time > right.time) - (left.time < right.time);
    if (left.kind == VALUE_INT && as_number(right, &b) && as_number(left, &a))
        return (a > b) - (a < b);
    char *folded_left = text_fold_only(arena, value_text(arena, left), FOLD_CASE);
    char *folded_right = text_fold_only(arena, value_text(arena, right), FOLD_CASE);
    return strcmp(folded_left, folded_right);
}

bool value_equal(TALLOC_CTX *arena, struct value left, struct value right)
{
    return value_compare(arena, left, right) == 0;
}

/* [abc], [a-z]; *at stands behind '[' and is moved behind ']'.  Without a ']' it is no set. */
static bool in_set(const char **at, unsigned char c, bool *is_set)
{
    const char *p = *at;
    bool found = false;
    for (; *p && *p != ']'; p++) {
        const unsigned char low = (unsigned char)tolower((unsigned char)*p);
        const bool range = p[1] == '-' && p[2] && p[2] != ']';
        const unsigned char high = range ? (unsigned char)tolower((unsigned char)p[2]) : low;
        found |= c >= low && c <= high;
        p += range ? 2 : 0;
    }
    *is_set = *p == ']';
    *at = *is_set ? p + 1 : *at;
    return found;
}

static bool like_one(const char **pattern, unsigned char c)
{
    const char *behind = *pattern + 1;
    bool is_set = false;
    if (**pattern == '[') {
        const bool found = in_set(&behind, c, &is_set);
        if (is_set) {
            *pattern = behind;
            return found;
        }
    }
    const bool same = **pattern == '?' || tolower((unsigned char)**pattern) == c;
    ++*pattern;
    return same;
}

/* One step back is enough: the last * takes one character more. */
static bool like(const char *text, const char *pattern)
{
    const char *star = NULL, *resume = NULL;
    while (*text) {
        const char *next = pattern;
        if (*pattern == '*') {
            star = ++pattern;
            resume = text;
        } else if (*pattern && like_one(&next, (unsigned char)tolower((unsigned char)*text))) {
            pattern = next;
            text++;
        } else if (star) {
            pattern = star;
            text = ++resume;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

bool text_like(const char *text, const char *pattern)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const bool result = like(text_fold_only(arena, text, FOLD_CASE), text_fold_only(arena, pattern, FOLD_CASE));
    talloc_free(arena);
    return result;
}

/* ---- sizes, as Exchange's ByteQuantifiedSize writes them ---- */

static const char *grouped(TALLOC_CTX *arena, int64_t number)
{
    const char *plain = talloc_asprintf(arena, "%lld", (long long)number);
    char *out = talloc_strdup(arena, "");
    const size_t length = strlen(plain);
    for (size_t i = 0; i < length; i++)
        out = talloc_asprintf_append(out, "%s%c", i && (length - i) % 3 == 0 ? "," : "", plain[i]);
    return out;
}

struct value v_size(TALLOC_CTX *arena, int64_t bytes)
{
    static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
    size_t unit = 0;
    double number = (double)bytes;
    if (bytes < 0)
        return v_text("Unlimited");
    for (; number >= 1024 && unit + 1 < COUNTOF(units); unit++)
        number /= 1024;
    char *text = talloc_asprintf(arena, "%.4g", number);
    if (strchr(text, 'e'))
        text = talloc_asprintf(arena, "%.0f", number);
    return v_printf(arena, "%s %s (%s bytes)", text, units[unit], grouped(arena, bytes));
}
