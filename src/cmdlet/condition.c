/* SPDX-License-Identifier: Apache-2.0 */
/* Filters: what stands in Where-Object { } and behind -Filter. */
#include <regex.h>

#include "cmdlet/parse.h"

/* A list on the left holds if one of its elements does. */
static bool any(TALLOC_CTX *arena, comparison *compare, struct value left, struct value right)
{
    for (size_t i = 0; i < left.list->count; i++)
        if (compare(arena, left.list->items[i], right))
            return true;
    return false;
}

static bool is_eq(TALLOC_CTX *arena, struct value left, struct value right)
{
    return left.kind == VALUE_LIST ? any(arena, is_eq, left, right) : value_equal(arena, left, right);
}

static bool is_ne(TALLOC_CTX *arena, struct value left, struct value right)
{
    return left.kind == VALUE_LIST ? any(arena, is_ne, left, right) : !value_equal(arena, left, right);
}

static bool is_gt(TALLOC_CTX *arena, struct value left, struct value right)
{
    return value_compare(arena, left, right) > 0;
}

static bool is_ge(TALLOC_CTX *arena, struct value left, struct value right)
{
    return value_compare(arena, left, right) >= 0;
}

static bool is_lt(TALLOC_CTX *arena, struct value left, struct value right)
{
    return value_compare(arena, left, right) < 0;
}

static bool is_le(TALLOC_CTX *arena, struct value left, struct value right)
{
    return value_compare(arena, left, right) <= 0;
}

static bool is_like(TALLOC_CTX *arena, struct value left, struct value right)
{
    if (left.kind == VALUE_LIST)
        return any(arena, is_like, left, right);
    return text_like(value_text(arena, left), value_text(arena, right));
}

static bool is_not_like(TALLOC_CTX *arena, struct value left, struct value right)
{
    if (left.kind == VALUE_LIST)
        return any(arena, is_not_like, left, right);
    return !is_like(arena, left, right);
}

/* A pattern that is no regular expression matches nothing. */
static bool is_match(TALLOC_CTX *arena, struct value left, struct value right)
{
    regex_t regex;
    if (left.kind == VALUE_LIST)
        return any(arena, is_match, left, right);
    if (regcomp(&regex, value_text(arena, right), REG_EXTENDED | REG_ICASE | REG_NOSUB))
        return false;
    const bool result = regexec(&regex, value_text(arena, left), 0, NULL, 0) == 0;
    regfree(&regex);
    return result;
}

static bool is_no_match(TALLOC_CTX *arena, struct value left, struct value right)
{
    return !is_match(arena, left, right);
}

static bool has(TALLOC_CTX *arena, struct value left, struct value right)
{
    return left.kind == VALUE_LIST ? any(arena, is_eq, left, right) : value_equal(arena, left, right);
}

static bool has_not(TALLOC_CTX *arena, struct value left, struct value right)
{
    return !has(arena, left, right);
}

static bool is_in(TALLOC_CTX *arena, struct value left, struct value right)
{
    return has(arena, right, left);
}

static bool is_not_in(TALLOC_CTX *arena, struct value left, struct value right)
{
    return !has(arena, right, left);
}

static const struct { const char *name; comparison *compare; } comparisons[] = {
    { "eq", is_eq },       { "ne", is_ne },            { "gt", is_gt },       { "ge", is_ge },
    { "lt", is_lt },       { "le", is_le },            { "like", is_like },   { "notlike", is_not_like },
    { "match", is_match }, { "notmatch", is_no_match }, { "contains", has },  { "notcontains", has_not },
    { "in", is_in },       { "notin", is_not_in },
};

/* -ieq says loudly what -eq means anyway. */
comparison *comparison_named(const char *name, size_t length)
{
    while (length && !((*name | 0x20) >= 'a' && (*name | 0x20) <= 'z'))
        name++, length--;
    for (size_t i = 0; i < COUNTOF(comparisons); i++) {
        const char *known = comparisons[i].name;
        if (strlen(known) == length && strncasecmp(known, name, length) == 0)
            return comparisons[i].compare;
        if (strlen(known) + 1 == length && (*name | 0x20) == 'i' && strncasecmp(known, name + 1, length - 1) == 0)
            return comparisons[i].compare;
    }
    return NULL;
}

static struct value condition_value(TALLOC_CTX *arena, const struct condition *condition, const struct object *object)
{
    const char *text;
    switch (condition->kind) {
    case CONDITION_VALUE: return condition->value;
    case CONDITION_PROPERTY: return object_get(arena, object, condition->property);
    case CONDITION_ITSELF:
        text = object_as_text(object);
        return text ? v_text(text) : (struct value){ .kind = VALUE_OBJECT, .object = object };
    default: return v_bool(condition_holds(arena, condition, object));
    }
}

bool condition_holds(TALLOC_CTX *arena, const struct condition *condition, const struct object *object)
{
    switch (condition->kind) {
    case CONDITION_AND:
        return condition_holds(arena, condition->left, object) && condition_holds(arena, condition->right, object);
    case CONDITION_OR:
        return condition_holds(arena, condition->left, object) || condition_holds(arena, condition->right, object);
    case CONDITION_NOT: return !condition_holds(arena, condition->left, object);
    case CONDITION_COMPARE:
        return condition->compare(arena, condition_value(arena, condition->left, object),
                                  condition_value(arena, condition->right, object));
    default: return value_true(condition_value(arena, condition, object));
    }
}
