/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that work on whatever flows through a pipeline. */
#include <stdlib.h>

#include "cmdlet/call.h"

static void pass_on(struct call *call)
{
    for (size_t i = 0; i < call->input->count; i++)
        call_emit(call, call->input->items[i]);
}

enum ec cmdlet_Format_List(struct call *call, const struct Format_List *in)
{
    call->run->layout = (struct layout){ LAYOUT_LIST, in->Property.set, false };
    pass_on(call);
    return ecNone;
}

enum ec cmdlet_Format_Table(struct call *call, const struct Format_Table *in)
{
    call->run->layout = (struct layout){ LAYOUT_TABLE, in->Property.set, in->HideTableHeaders.value };
    pass_on(call);
    return ecNone;
}

/* Where-Object. */
static const struct condition *comparison_of(struct call *call, const struct Where_Object *in)
{
    const struct { const char *name; const struct arg_value *arg; } all[] = {
        { "eq", &in->EQ },       { "ne", &in->NE },             { "gt", &in->GT },       { "ge", &in->GE },
        { "lt", &in->LT },       { "le", &in->LE },             { "like", &in->Like },   { "notlike", &in->NotLike },
        { "match", &in->Match }, { "notmatch", &in->NotMatch }, { "contains", &in->Contains },
        { "notcontains", &in->NotContains },                    { "in", &in->In },       { "notin", &in->NotIn },
    };
    struct condition *parts = talloc_zero_array(call->arena, struct condition, 3);
    parts[0] = (struct condition){ .kind = CONDITION_PROPERTY, .property = in->FilterScript.property };
    for (size_t i = 0; i < COUNTOF(all); i++) {
        if (!all[i].arg->given)
            continue;
        parts[1] = (struct condition){ .kind = CONDITION_VALUE, .value = all[i].arg->value };
        parts[2] = (struct condition){ .kind = CONDITION_COMPARE, .left = &parts[0], .right = &parts[1],
                                       .compare = comparison_named(all[i].name, strlen(all[i].name)) };
        return &parts[2];
    }
    return &parts[0];
}

enum ec cmdlet_Where_Object(struct call *call, const struct Where_Object *in)
{
    const struct condition *condition = in->FilterScript.block ? in->FilterScript.block : comparison_of(call, in);
    for (size_t i = 0; i < call->input->count; i++) {
        TALLOC_CTX *arena = talloc_new(call->arena);
        if (condition_holds(arena, condition, &call->input->items[i]))
            call_emit(call, call->input->items[i]);
        talloc_free(arena);
    }
    return ecNone;
}

/* Sort-Object. */
struct sorted {
    struct object object;
    const struct value *keys;
    size_t key_count, position;
    bool descending;
    TALLOC_CTX *arena;
};

/* Equal ones stay in their order. */
static int compare_sorted(const void *a, const void *b)
{
    const struct sorted *left = a, *right = b;
    int order = 0;
    for (size_t i = 0; i < left->key_count && !order; i++)
        order = value_compare(left->arena, left->keys[i], right->keys[i]);
    if (!order)
        return (left->position > right->position) - (left->position < right->position);
    return left->descending ? -order : order;
}

/* Without properties to sort by, by what the object is called. */
static const struct value *sort_keys(TALLOC_CTX *arena, const struct object *object, struct texts by)
{
    struct value *keys = talloc_array(arena, struct value, by.count + 1);
    keys[0] = v_text(value_text(arena, (struct value){ .kind = VALUE_OBJECT, .object = object }));
    for (size_t k = 0; k < by.count; k++)
        keys[k] = object_get(arena, object, by.items[k]);
    return keys;
}

void sort_objects(struct objects *objects, struct texts by, bool descending)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct sorted *list = talloc_array(arena, struct sorted, objects->count + 1);
    for (size_t i = 0; i < objects->count; i++)
        list[i] = (struct sorted){ objects->items[i], sort_keys(arena, &objects->items[i], by), MAX(by.count, 1), i,
                                   descending, arena };
    if (objects->count)
        qsort(list, objects->count, sizeof *list, compare_sorted);
    for (size_t i = 0; i < objects->count; i++)
        objects->items[i] = list[i].object;
    talloc_free(arena);
}

enum ec cmdlet_Sort_Object(struct call *call, const struct Sort_Object *in)
{
    pass_on(call);
    sort_objects(call->output, in->Property.set, in->Descending.value);
    return ecNone;
}

/* Select-Object. */
static void emit_value(struct call *call, struct value value)
{
    if (value.kind == VALUE_LIST)
        for (size_t i = 0; i < value.list->count; i++)
            emit_value(call, value.list->items[i]);
    else if (value.kind != VALUE_NULL)
        call_emit_text(call, value_text(call->arena, value));
}

static bool has_wildcard(const char *name)
{
    return strpbrk(name, "*?[") != NULL;
}

/* A name that the object does not have is a property without a value, as in PowerShell. */
static struct object selected(TALLOC_CTX *arena, const struct object *object, struct texts wanted)
{
    const char **names = NULL;
    struct value *values = NULL;
    size_t count = 0;
    for (size_t w = 0; w < wanted.count; w++) {
        size_t found;
        const struct property **columns =
            columns_of(arena, object, (struct texts){ &wanted.items[w], 1 }, &found);
        const size_t extra = !found && !has_wildcard(wanted.items[w]);
        names = talloc_realloc(arena, names, const char *, count + found + extra);
        values = talloc_realloc(arena, values, struct value, count + found + extra);
        for (size_t i = 0; i < found + extra; i++, count++) {
            names[count] = found ? columns[i]->name : wanted.items[w];
            values[count] = found ? columns[i]->get(arena, object, columns[i]) : v_null();
        }
    }
    return object_of_values(arena, object->type->name, names, values, count);
}

static bool is_equal(TALLOC_CTX *arena, const struct object *a, const struct object *b)
{
    const char *text = object_as_text(a), *other = object_as_text(b);
    if (text || other)
        return text && other && strcasecmp(text, other) == 0;
    if (a->type->count != b->type->count)
        return false;
    for (size_t i = 0; i < a->type->count; i++) {
        const struct property *left = &a->type->properties[i], *right = &b->type->properties[i];
        if (strcasecmp(left->name, right->name) != 0 ||
            !value_equal(arena, left->get(arena, a, left), right->get(arena, b, right)))
            return false;
    }
    return true;
}

static bool is_there(struct call *call, const struct object *object)
{
    TALLOC_CTX *arena = talloc_new(call->arena);
    bool there = false;
    for (size_t i = 0; i < call->output->count && !there; i++)
        there = is_equal(arena, &call->output->items[i], object);
    talloc_free(arena);
    return there;
}

static void select_one(struct call *call, const struct Select_Object *in, const struct object *object)
{
    TALLOC_CTX *arena = call->run->arena;
    if (in->ExpandProperty.value) {
        emit_value(call, object_get(arena, object, in->ExpandProperty.value));
        return;
    }
    const struct object made = in->Property.set.count ? selected(arena, object, in->Property.set) : *object;
    if (!in->Unique.value || !is_there(call, &made))
        call_emit(call, made);
}

enum ec cmdlet_Select_Object(struct call *call, const struct Select_Object *in)
{
    const size_t count = call->input->count;
    size_t from = MIN(in->Skip.given ? (size_t)in->Skip.value : 0, count), to = count;
    if (in->First.given)
        to = MIN(count, from + MIN((size_t)in->First.value, count));
    if (in->Last.given)
        from = MAX(from, to - MIN((size_t)in->Last.value, to));
    for (size_t i = from; i < to; i++)
        select_one(call, in, &call->input->items[i]);
    return ecNone;
}

/* ConvertTo-SecureString: the text itself, under a type that is never printed. */
static const struct object_type secure_string_type = { "SecureString", NULL, 0, NULL };

enum ec cmdlet_ConvertTo_SecureString(struct call *call, const struct ConvertTo_SecureString *in)
{
    if (!in->AsPlainText.value)
        return call_fail(call, ecInvalidParam, "Encrypted text can't be read here: add -AsPlainText -Force.");
    call_emit(call, (struct object){ &secure_string_type, in->String.value, NULL });
    return ecNone;
}
