/* SPDX-License-Identifier: Apache-2.0 */
/* From arguments to typed values.  What is wrong is said in PowerShell's own sentences, because scripts match them. */
#include <ctype.h>
#include <stdlib.h>

#include "cmdlet/table.h"

/* One argument on its way to its place. */
struct binding {
    TALLOC_CTX *arena;
    const char *parameter;
    struct value value;
    void *to;
};

#define TRANSFORMATION "Cannot process argument transformation on parameter '%s'. "
#define TO_BOOLEAN \
    TRANSFORMATION "Cannot convert value \"System.String\" to type \"System.Boolean\". Boolean parameters accept only" \
                   " Boolean values and numbers, such as $True, $False, 1 or 0."

static const char *wrong_type(struct binding *b, const char *type)
{
    return talloc_asprintf(b->arena, TRANSFORMATION "Cannot convert value \"%s\" to type \"%s\".", b->parameter,
                           value_text(b->arena, b->value), type);
}

static const char *one_text(struct binding *b, const char **out)
{
    if (b->value.kind == VALUE_LIST || b->value.kind == VALUE_HASH || b->value.kind == VALUE_BLOCK)
        return talloc_asprintf(b->arena, TRANSFORMATION "Cannot convert value to type System.String.", b->parameter);
    *out = b->value.kind == VALUE_NULL ? NULL : value_text(b->arena, b->value);
    return NULL;
}

static const char *bind_TEXT(struct binding *b)
{
    struct arg_text *arg = b->to;
    arg->given = true;
    return one_text(b, &arg->value);
}

static const char *bind_NAME(struct binding *b)
{
    return bind_TEXT(b);
}

static const char *object_identity(TALLOC_CTX *arena, const struct object *object)
{
    static const char *const names[] = { "Guid", "Identity", "Name" };
    const char *text = object_as_text(object);
    for (size_t i = 0; i < COUNTOF(names) && !text; i++)
        if (object_property(object, names[i]))
            text = value_text(arena, object_get(arena, object, names[i]));
    return text;
}

static const char *bind_IDENTITY(struct binding *b)
{
    struct arg_text *arg = b->to;
    if (b->value.kind != VALUE_OBJECT)
        return bind_TEXT(b);
    arg->given = true;
    arg->value = object_identity(b->arena, b->value.object);
    return arg->value ? NULL : wrong_type(b, "Identity");
}

/* The plain text is our own shorter form. */
static const char *bind_SECRET(struct binding *b)
{
    struct arg_text *arg = b->to;
    arg->given = true;
    if (b->value.kind != VALUE_SECRET && b->value.kind != VALUE_TEXT && b->value.kind != VALUE_INT)
        return wrong_type(b, "System.Security.SecureString");
    arg->value = b->value.text;
    return NULL;
}

static const char *bind_URI(struct binding *b)
{
    struct arg_text *arg = b->to;
    const char *wrong = bind_TEXT(b);
    if (wrong || !arg->value)
        return wrong;
    const char *p = arg->value;
    while (isalnum((unsigned char)*p) || (*p && strchr("+.-", *p)))
        p++;
    bool ok = isalpha((unsigned char)*arg->value) && *p == ':';
    for (p = arg->value; *p; p++)
        ok &= (unsigned char)*p > ' ' && *p != 0x7F && !strchr("\"<>\\^`{|}", *p);
    return ok ? NULL : wrong_type(b, "System.Uri");
}

static const char *bind_HOSTNAME(struct binding *b)
{
    struct arg_text *arg = b->to;
    const char *wrong = bind_TEXT(b);
    if (wrong || !arg->value)
        return wrong;
    bool ok = isalnum((unsigned char)*arg->value) && strlen(arg->value) <= 253 && !strstr(arg->value, "..");
    for (const char *p = arg->value; *p; p++)
        ok &= isalnum((unsigned char)*p) || strchr(".-_", *p);
    return ok ? NULL : wrong_type(b, "Hostname");
}

static const char *bind_ADDRESS(struct binding *b)
{
    struct arg_text *arg = b->to;
    const char *wrong = bind_TEXT(b);
    const char *at = !wrong && arg->value ? strrchr(arg->value, '@') : NULL;
    if (wrong || (at && at > arg->value && at[1]))
        return wrong;
    return wrong_type(b, "SmtpAddress");
}

static bool as_boolean(struct value value, bool *out)
{
    *out = value.kind == VALUE_BOOL ? value.boolean : value.integer != 0;
    return value.kind == VALUE_BOOL || value.kind == VALUE_INT;
}

static const char *bind_BOOLEAN(struct binding *b)
{
    struct arg_bool *arg = b->to;
    arg->given = true;
    return as_boolean(b->value, &arg->value) ? NULL : talloc_asprintf(b->arena, TO_BOOLEAN, b->parameter);
}

static const char *bind_SWITCH(struct binding *b)
{
    return bind_BOOLEAN(b);
}

static const char *bind_OVERRIDE(struct binding *b)
{
    struct arg_switch *arg = b->to;
    bool on = false;
    arg->given = true;
    if (b->value.kind == VALUE_NULL)
        return NULL;
    if (!as_boolean(b->value, &on))
        return talloc_asprintf(b->arena, TO_BOOLEAN, b->parameter);
    arg->value = on ? ORG_ON : ORG_OFF;
    return NULL;
}

static const char *bind_COUNT(struct binding *b)
{
    struct arg_number *arg = b->to;
    *arg = (struct arg_number){ true, b->value.integer };
    return b->value.kind == VALUE_INT && b->value.integer >= 0 ? NULL : wrong_type(b, "System.Int32");
}

static const char *bind_UNLIMITED(struct binding *b)
{
    struct arg_number *arg = b->to;
    if (b->value.kind != VALUE_TEXT || strcasecmp(b->value.text, "unlimited") != 0)
        return bind_COUNT(b) ? wrong_type(b, "Unlimited") : NULL;
    *arg = (struct arg_number){ true, -1 };
    return NULL;
}

/* 2GB, 2147483648, "1.5 GB", or what Get- shows: "1.9 GB (2,040,109,466 bytes)" */
static bool as_size(const char *text, int64_t *bytes)
{
    static const struct { const char *unit; double size; } units[] = {
        { "", 1 }, { "B", 1 }, { "KB", 1024.0 }, { "MB", 1048576.0 }, { "GB", 1073741824.0 }, { "TB", 1099511627776.0 },
    };
    const char *exact = strchr(text, '(');
    int64_t sum = 0;
    for (const char *c = exact ? exact + 1 : ""; *c && (*c == ',' || (*c >= '0' && *c <= '9')); c++)
        sum = *c == ',' || sum > INT64_MAX / 100 ? sum : sum * 10 + (*c - '0');
    *bytes = sum;
    if (exact)
        return sum > 0;
    char *end;
    const double number = strtod(text, &end);
    end += strspn(end, " ");
    for (size_t i = 0; i < COUNTOF(units) && end != text && number >= 0 && number < 1e13; i++)
        if (strcasecmp(end, units[i].unit) == 0) {
            *bytes = (int64_t)MIN(number * units[i].size, 9e18);
            return true;
        }
    return false;
}

static const char *bind_QUOTA(struct binding *b)
{
    struct arg_number *arg = b->to;
    int64_t bytes;
    if (b->value.kind != VALUE_TEXT || !as_size(b->value.text, &bytes))
        return bind_UNLIMITED(b);
    *arg = (struct arg_number){ true, bytes };
    return NULL;
}

/* .NET's TimeSpan without fractions of a second: DD, HH:MM, HH:MM:SS or DD.HH:MM:SS. */
static bool timespan_parse(const char *text, int64_t *seconds)
{
    unsigned days = 0, hours = 0, minutes = 0, rest = 0;
    int end = 0;
    if (!text || text[strspn(text, "0123456789.:")])
        return false;
    const char *dot = strchr(text, '.'), *clock = dot ? dot + 1 : strchr(text, ':') ? text : NULL;
    if ((clock != text && sscanf(text, "%5u%n", &days, &end) != 1) || text[end] != (dot ? '.' : clock ? *text : '\0'))
        return false;
    end = 0;
    if (clock && (sscanf(clock, "%2u:%2u%n:%2u%n", &hours, &minutes, &end, &rest, &end) < 2 || clock[end]))
        return false;
    *seconds = ((days * INT64_C(24) + hours) * 60 + minutes) * 60 + rest;
    return hours < 24 && minutes < 60 && rest < 60;
}

/* Exchange keeps the seconds in 31 bits. */
static const char *bind_TIMESPAN(struct binding *b)
{
    struct arg_number *arg = b->to;
    arg->given = true;
    const bool is_word = b->value.kind == VALUE_TEXT || b->value.kind == VALUE_INT;
    return is_word && timespan_parse(b->value.text, &arg->value) && arg->value <= INT32_MAX
               ? NULL
               : wrong_type(b, "Microsoft.Exchange.Data.EnhancedTimeSpan");
}

/* Values as a list: one is a list of one, $null an empty one. */
static struct value_list as_list(TALLOC_CTX *arena, struct value value)
{
    if (value.kind == VALUE_LIST)
        return *value.list;
    if (value.kind == VALUE_NULL)
        return (struct value_list){ 0 };
    return (struct value_list){ talloc_memdup(arena, &value, sizeof value), NULL, 1 };
}

static struct texts as_texts(TALLOC_CTX *arena, struct value value)
{
    const struct value_list list = as_list(arena, value);
    const char **items = talloc_array(arena, const char *, list.count);
    for (size_t i = 0; i < list.count; i++)
        items[i] = value_text(arena, list.items[i]);
    return (struct texts){ items, list.count };
}

/* @{Add=...; Remove=...}: calls `put` with each half's name. */
static const char *each_edit(struct binding *b, const char *(*put)(struct binding *, bool add, struct value))
{
    const char *wrong = NULL;
    for (size_t i = 0; i < b->value.list->count && !wrong; i++) {
        const char *key = b->value.list->keys[i];
        const bool add = strcasecmp(key, "Add") == 0;
        if (!add && strcasecmp(key, "Remove") != 0)
            wrong = talloc_asprintf(b->arena, TRANSFORMATION "The keys of @{ } are Add and Remove, not '%s'.",
                                    b->parameter, key);
        else
            wrong = put(b, add, b->value.list->items[i]);
    }
    return wrong;
}

static const char *put_texts(struct binding *b, bool add, struct value value)
{
    struct arg_list *arg = b->to;
    *(add ? &arg->add : &arg->remove) = as_texts(b->arena, value);
    return NULL;
}

static const char *bind_TEXTS(struct binding *b)
{
    struct arg_list *arg = b->to;
    arg->given = true;
    arg->edits = b->value.kind == VALUE_HASH;
    if (arg->edits)
        return each_edit(b, put_texts);
    arg->set = as_texts(b->arena, b->value);
    return NULL;
}

static const char *bind_ADDRESSES(struct binding *b)
{
    return bind_TEXTS(b);
}

static const char *bind_COLUMNS(struct binding *b)
{
    const struct value_list list = as_list(b->arena, b->value);
    for (size_t i = 0; i < list.count; i++)
        if (list.items[i].kind == VALUE_HASH || list.items[i].kind == VALUE_BLOCK)
            return "Computed columns aren't supported here: give names of properties.";
    return bind_TEXTS(b);
}

static const char *not_among(struct binding *b, enum param_type type, const char *name)
{
    char *all = talloc_strdup(b->arena, "");
    for (const char *const *value = type_values(type); *value; value++)
        all = talloc_asprintf_append(all, "%s%s", *all ? "," : "", *value);
    return talloc_asprintf(b->arena,
                           "Cannot bind parameter '%s'. Cannot convert value \"%s\" to type \"%s\" due to enumeration"
                           " values that are not valid. Specify one of the following enumeration values and try again."
                           " The possible enumeration values are \"%s\".", b->parameter, name, type_word(type), all);
}

static const char *enumerated(struct binding *b, enum param_type type, struct value value, int64_t *out)
{
    const char *const *names = type_values(type), *name = value_text(b->arena, value);
    for (*out = 0; names[*out]; ++*out)
        if (strcasecmp(names[*out], name) == 0)
            return NULL;
    return not_among(b, type, name);
}

static const char *bind_DOMAIN_TYPE(struct binding *b)
{
    struct arg_number *arg = b->to;
    arg->given = true;
    return enumerated(b, PARAM_DOMAIN_TYPE, b->value, &arg->value);
}

static const char *bind_ACTION(struct binding *b)
{
    struct arg_number *arg = b->to;
    arg->given = true;
    return enumerated(b, PARAM_ACTION, b->value, &arg->value);
}

/* The names stand in the order of the bits of enum org_auth. */
static const char *bind_AUTH_METHOD(struct binding *b)
{
    struct arg_number *arg = b->to;
    int64_t position = 0;
    arg->given = true;
    const char *wrong = enumerated(b, PARAM_AUTH_METHOD, b->value, &position);
    arg->value = 1LL << position;
    return wrong;
}

static const char *methods_of(struct binding *b, struct value value, unsigned *out)
{
    const struct value_list list = as_list(b->arena, value);
    const char *wrong = NULL;
    int64_t position = 0;
    for (size_t i = 0; i < list.count && !wrong; i++) {
        wrong = enumerated(b, PARAM_AUTH_LIST, list.items[i], &position);
        *out |= wrong ? 0 : 1u << position;
    }
    return wrong;
}

static const char *put_methods(struct binding *b, bool add, struct value value)
{
    struct arg_auth *arg = b->to;
    return methods_of(b, value, add ? &arg->add : &arg->remove);
}

static const char *bind_AUTH_LIST(struct binding *b)
{
    struct arg_auth *arg = b->to;
    arg->given = true;
    arg->edits = b->value.kind == VALUE_HASH;
    return arg->edits ? each_edit(b, put_methods) : methods_of(b, b->value, &arg->set);
}

static const char *bind_FILTER(struct binding *b)
{
    struct arg_filter *arg = b->to;
    arg->given = true;
    if (b->value.kind == VALUE_BLOCK) {
        arg->block = b->value.block;
        return NULL;
    }
    return one_text(b, &arg->property);
}

static const char *bind_OPATH(struct binding *b)
{
    struct arg_filter *arg = b->to;
    const char *text = NULL, *wrong = NULL;
    arg->given = true;
    if (b->value.kind == VALUE_BLOCK) {
        arg->block = b->value.block;
        return NULL;
    }
    wrong = one_text(b, &text);
    if (!wrong && text)
        arg->block = parse_filter(b->arena, text, &wrong);
    return wrong;
}

static const char *bind_VALUE(struct binding *b)
{
    *(struct arg_value *)b->to = (struct arg_value){ true, b->value };
    return NULL;
}

static const char *bind_IGNORED(struct binding *b)
{
    return bind_VALUE(b);
}

static const char *bind_IGNORED_SWITCH(struct binding *b)
{
    return bind_BOOLEAN(b);
}

static const char *(*const binders[])(struct binding *) = {
#define TYPE(name, c, word, where) bind_##name,
#include "cmdlet/types.def"
#undef TYPE
};

/* Which parameter a name means. */
static const char *add_match(TALLOC_CTX *arena, char **matches, const char *name)
{
    return *matches = talloc_asprintf_append(*matches ? *matches : talloc_strdup(arena, ""), " -%s", name);
}

static bool is_in_words(const char *words, const char *name)
{
    const size_t length = strlen(name);
    for (const char *p = words; *p; p += strcspn(p, " "), p += strspn(p, " "))
        if (length && length == strcspn(p, " ") && strncasecmp(p, name, length) == 0)
            return true;
    return false;
}

struct search {
    const char *name;                       /* as typed */
    const struct parameter_row *exact, *prefix;
    bool exact_is_common, prefix_is_common;
    unsigned prefixes;
    char *matches;
};

static void search_row(TALLOC_CTX *arena, struct search *s, const struct parameter_row *row, bool common)
{
    if (strcasecmp(row->name, s->name) == 0) {
        s->exact = row;
        s->exact_is_common = common;
    } else if (text_is_prefix(row->name, s->name)) {
        s->prefix = row;
        s->prefix_is_common = common;
        s->prefixes++;
        add_match(arena, &s->matches, row->name);
    }
}

static const char *find_parameter(TALLOC_CTX *arena, const struct cmdlet_row *row, const char *name,
                                  const struct parameter_row **out, bool *is_common)
{
    struct search s = { .name = common_alias(name) };
    for (const struct parameter_row *p = row->parameters(); p->help; p++) {
        if (p->name)
            search_row(arena, &s, p, false);
        else if (is_in_words(p->help, name))
            return talloc_asprintf(arena, "The parameter '%s' of %s-%s isn't supported by Oxcart.", name, row->verb,
                                   row->noun);
    }
    for (const struct parameter_row *p = common_rows; p->help; p++)
        if (common_fits(row, p))
            search_row(arena, &s, p, true);
    if (!s.exact && s.prefixes > 1)
        return talloc_asprintf(arena, "Parameter cannot be processed because the parameter name '%s' is ambiguous."
                                      " Possible matches include:%s.", name, s.matches);
    if (!s.exact && !s.prefix)
        return talloc_asprintf(arena, "A parameter cannot be found that matches parameter name '%s'.", name);
    *out = s.exact ? s.exact : s.prefix;
    *is_common = s.exact ? s.exact_is_common : s.prefix_is_common;
    return NULL;
}

struct binder {
    TALLOC_CTX *arena;
    const struct cmdlet_row *row;
    evaluate_node *evaluate;
    void *evaluate_arg;
    void *out;
    struct common *common;
};

/* Every arg_ struct begins with `given`. */
static bool is_given(const void *out, const struct parameter_row *row)
{
    return *(const bool *)((const char *)out + row->offset);
}

static const char *put(struct binder *b, const struct parameter_row *row, bool common, struct value value)
{
    void *out = common ? (void *)b->common : b->out;
    const bool counts = !common || (row->type != PARAM_IGNORED && row->type != PARAM_IGNORED_SWITCH);
    if (is_given(out, row) && counts)
        return talloc_asprintf(b->arena,
                               "Cannot bind parameter because parameter '%s' is specified more than once. To provide"
                               " multiple values to parameters that can accept multiple values, use the array syntax."
                               " For example, \"-parameter value1,value2,value3\".", row->name);
    struct binding binding = { b->arena, row->name, value, (char *)out + row->offset };
    return binders[row->type](&binding);
}

/* "": the evaluation has said itself what is wrong. */
static const char *put_node(struct binder *b, const struct parameter_row *row, bool common, const struct node *node)
{
    struct value value;
    return b->evaluate(b->evaluate_arg, node, &value) ? put(b, row, common, value) : "";
}

/* *used: the next argument was its value. */
static const char *bind_named(struct binder *b, const struct argument *argument, const struct argument *next,
                              bool *used)
{
    const struct parameter_row *row = NULL;
    bool common = false;
    const char *wrong = find_parameter(b->arena, b->row, argument->parameter, &row, &common);
    if (wrong)
        return wrong;
    if (argument->value)
        return put_node(b, row, common, argument->value);
    if (type_where(row->type) & FLAG)
        return put(b, row, common, v_bool(true));
    if (!next || next->parameter)
        return talloc_asprintf(b->arena, "Missing an argument for parameter '%s'. Specify a parameter of type '%s' and"
                                         " try again.", row->name, type_word(row->type));
    *used = true;
    return put_node(b, row, common, next->value);
}

static const struct parameter_row *free_position(const struct binder *b)
{
    for (const struct parameter_row *p = b->row->parameters(); p->help; p++)
        if (p->name && (type_where(p->type) & POSITION) && !is_given(b->out, p))
            return p;
    return NULL;
}

static const char *bind_positional(struct binder *b, const struct argument *argument)
{
    const struct parameter_row *row = free_position(b);
    struct value value = v_null();
    if (row)
        return put_node(b, row, false, argument->value);
    if (!b->evaluate(b->evaluate_arg, argument->value, &value))
        return "";
    return talloc_asprintf(b->arena, "A positional parameter cannot be found that accepts argument '%s'.",
                           value_text(b->arena, value));
}

const char *bind_arguments(TALLOC_CTX *arena, const struct cmdlet_row *row, const struct command *command,
                           evaluate_node *evaluate, void *arg, void *out, struct common *common)
{
    struct binder b = { arena, row, evaluate, arg, out, common };
    const char *wrong = NULL;
    bool *taken = talloc_zero_array(arena, bool, command->count + 1);
    for (size_t i = 0; i < command->count && !wrong; i++) {
        const struct argument *next = i + 1 < command->count ? &command->arguments[i + 1] : NULL;
        if (command->arguments[i].parameter && !taken[i])
            wrong = bind_named(&b, &command->arguments[i], next, &taken[i + 1]);
    }
    for (size_t i = 0; i < command->count && !wrong; i++)
        if (!command->arguments[i].parameter && !taken[i])
            wrong = bind_positional(&b, &command->arguments[i]);
    return wrong;
}

const struct parameter_row *pipeline_parameter(const struct cmdlet_row *row)
{
    for (const struct parameter_row *p = row->parameters(); p->help; p++)
        if (p->name && (type_where(p->type) & PIPELINE))
            return p;
    return NULL;
}

static bool is_null(const void *in, const struct parameter_row *row)
{
    const bool is_text = row->type == PARAM_IDENTITY || row->type == PARAM_NAME || row->type == PARAM_TEXT;
    return is_text && !((const struct arg_text *)(const void *)((const char *)in + row->offset))->value;
}

const char *bind_missing(TALLOC_CTX *arena, const struct cmdlet_row *row, const void *in)
{
    char *missing = talloc_strdup(arena, "");
    for (const struct parameter_row *p = row->parameters(); p->help; p++) {
        if (!p->name || p->need != REQUIRED)
            continue;
        if (!is_given(in, p))
            missing = talloc_asprintf_append(missing, " %s", p->name);
        else if (is_null(in, p))
            return talloc_asprintf(arena, "Cannot bind argument to parameter '%s' because it is null.", p->name);
    }
    if (!*missing)
        return NULL;
    return talloc_asprintf(arena, "Cannot process command because of one or more missing mandatory parameters:%s.",
                           missing);
}

bool bind_object(TALLOC_CTX *arena, const struct cmdlet_row *row, const struct object *object, void *out)
{
    const struct parameter_row *parameter = pipeline_parameter(row);
    if (!parameter)
        return false;
    struct binding binding = { arena, parameter->name, { .kind = VALUE_OBJECT, .object = object },
                               (char *)out + parameter->offset };
    return !binders[parameter->type](&binding);
}
