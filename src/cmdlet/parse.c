/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdlib.h>

#include "cmdlet/parse.h"

#define DEPTH_MAX 32
#define UNKNOWN_VARIABLE "The variable '$%s' isn't known: there are $true, $false, $null and, in filters, $_."

struct parser {
    TALLOC_CTX *arena;
    const char *at;
    const char *why;                        /* the first error sticks */
    bool unfinished;
    unsigned depth;
};

static void refuse(struct parser *p, const char *format, ...) PRINTF(2, 3);
static void refuse(struct parser *p, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (!p->why)
        p->why = talloc_vasprintf(p->arena, format, args);
    va_end(args);
    p->at += strlen(p->at);
}

static void refuse_end(struct parser *p, const char *missing)
{
    if (!p->why)
        p->unfinished = true;
    refuse(p, "The line ends too early: %s is missing.", missing);
}

static bool enter(struct parser *p)
{
    if (++p->depth > DEPTH_MAX)
        refuse(p, "The line is nested too deeply.");
    return !p->why;
}

/* What word processors make of hyphens and quotation marks is taken for them, as PowerShell does: U+2013..2015 and
 * U+2018..201E.  Gives the plain character and its length. */
static char plain(const char *at, size_t *length)
{
    const unsigned char *u = (const unsigned char *)at;
    *length = *at != 0;
    if (u[0] != 0xE2 || u[1] != 0x80)
        return *at;
    *length = 3;
    if (u[2] >= 0x93 && u[2] <= 0x95)
        return '-';
    if (u[2] >= 0x98 && u[2] <= 0x9B)
        return '\'';
    if (u[2] >= 0x9C && u[2] <= 0x9E)
        return '"';
    *length = 1;
    return *at;
}

static char peek(const struct parser *p)
{
    size_t length;
    return plain(p->at, &length);
}

static void advance(struct parser *p)
{
    size_t length;
    plain(p->at, &length);
    p->at += length;
}

static bool take(struct parser *p, char c)
{
    if (peek(p) != c)
        return false;
    advance(p);
    return true;
}

static void skip_comment(struct parser *p)
{
    if (p->at[0] == '#') {
        p->at += strcspn(p->at, "\n");
        return;
    }
    const char *end = strstr(p->at, "#>");
    if (!end)
        refuse_end(p, "#>");
    else
        p->at = end + 2;
}

/* A backtick at the end of a line continues it. */
static size_t continuation(const char *at)
{
    return strncmp(at, "`\n", 2) == 0 ? 2 : strncmp(at, "`\r\n", 3) == 0 ? 3 : 0;
}

static void skip(struct parser *p, const char *blanks)
{
    for (;;) {
        if (*p->at && strchr(blanks, *p->at))
            p->at++;
        else if (continuation(p->at))
            p->at += continuation(p->at);
        else if (p->at[0] == '`' && !p->at[1])
            refuse_end(p, "the next line");
        else if (p->at[0] == '#' || strncmp(p->at, "<#", 2) == 0)
            skip_comment(p);
        else
            return;
    }
}

#define BLANKS " \t\r"
#define BLANKS_AND_LINES " \t\r\n"

static void single_quoted(struct parser *p, struct buf *text)
{
    for (advance(p); *p->at; advance(p)) {
        size_t length;
        if (plain(p->at, &length) == '\'') {
            advance(p);
            if (peek(p) != '\'')
                return;
        }
        plain(p->at, &length);
        buf_add(text, p->at, length);
    }
    refuse_end(p, "the closing '");
}

static void escaped(struct parser *p, struct buf *text)
{
    static const char letters[] = "0abefnrtv", meant[] = "\0\a\b\033\f\n\r\t\v";
    const char *letter = p->at[1] ? strchr(letters, p->at[1]) : NULL;
    p->at += p->at[1] != 0;
    if (!letter)
        buf_add(text, p->at, *p->at != 0);
    else if (*letter == '0')
        refuse(p, "A text can't hold the character with the number 0.");
    else
        buf_add(text, &meant[letter - letters], 1);
    p->at += *p->at != 0;
}

static const char *variable_name(struct parser *p)
{
    size_t length = 0;
    while (isalnum((unsigned char)p->at[1 + length]) || p->at[1 + length] == '_' || p->at[1 + length] == ':')
        length++;
    const char *name = talloc_strndup(p->arena, p->at + 1, length);
    p->at += 1 + length;
    return name;
}

static bool automatic(const char *name, struct value *out)
{
    static const struct { const char *name; enum value_kind kind; bool boolean; } known[] = {
        { "true", VALUE_BOOL, true }, { "false", VALUE_BOOL, false }, { "null", VALUE_NULL, false },
    };
    for (size_t i = 0; i < COUNTOF(known); i++) {
        if (strcasecmp(name, known[i].name) != 0)
            continue;
        *out = known[i].kind == VALUE_BOOL ? v_bool(known[i].boolean) : v_null();
        return true;
    }
    return false;
}

static struct value variable(struct parser *p)
{
    struct value value = v_null();
    const char *name = variable_name(p);
    if (!automatic(name, &value))
        refuse(p, UNKNOWN_VARIABLE, name);
    return value;
}

static void double_quoted(struct parser *p, struct buf *text)
{
    for (advance(p); *p->at;) {
        size_t length;
        const char c = plain(p->at, &length);
        if (c == '"') {
            advance(p);
            if (peek(p) != '"')
                return;
            buf_add(text, "\"", 1);
            advance(p);
        } else if (c == '`') {
            escaped(p, text);
        } else if (c == '$' && (isalpha((unsigned char)p->at[1]) || (p->at[1] && strchr("_({$?^", p->at[1])))) {
            const char *expanded = value_text(p->arena, variable(p));
            buf_add(text, expanded, strlen(expanded));
        } else {
            buf_add(text, p->at, length);
            p->at += length;
        }
    }
    refuse_end(p, "the closing \"");
}

static bool ends_word(char c)
{
    return !c || strchr(" \t\r\n;|&(){}<>,", c);
}

/* 2GB is a number; so are 0x1F and -5. */
static struct value word_value(const char *word)
{
    static const struct { const char *name; int64_t size; } units[] = {
        { "", 1 },           { "KB", 1LL << 10 }, { "MB", 1LL << 20 },
        { "GB", 1LL << 30 }, { "TB", 1LL << 40 }, { "PB", 1LL << 50 },
    };
    char *end;
    const char *digits = word + (*word == '-' || *word == '+');
    struct value value = v_text(word);
    int64_t number = 0;
    if (!isdigit((unsigned char)*digits) || strlen(word) > 18)
        return value;
    number = strtoll(word, &end, text_is_prefix(digits, "0x") ? 16 : 10);
    for (size_t i = 0; i < COUNTOF(units); i++)
        if (strcasecmp(end, units[i].name) == 0 && !__builtin_mul_overflow(number, units[i].size, &value.integer))
            return (struct value){ .kind = VALUE_INT, .text = word, .integer = number * units[i].size };
    return v_text(word);
}

/* Quotation marks inside a word belong to it: -Filter:"a b", c:\"my folder". */
static struct value word(struct parser *p)
{
    struct buf text;
    bool quoted = false;
    buf_init(&text, p->arena);
    while (!ends_word(peek(p)) && !p->why) {
        const char c = peek(p);
        if (c == '\'' || c == '"')
            (c == '"' ? double_quoted : single_quoted)(p, &text), quoted = true;
        else if (c == '`' && continuation(p->at))
            break;
        else if (c == '`')
            escaped(p, &text);
        else
            buf_add(&text, p->at++, 1);
    }
    buf_add(&text, "", 1);
    const char *all = (const char *)text.data;
    return quoted ? v_text(all) : word_value(all);
}

static const struct statement *parse_statement(struct parser *);
static const struct node *parse_values(struct parser *);
static const struct condition *parse_condition(struct parser *);

static struct node *node_new(struct parser *p, enum node_kind kind)
{
    struct node *node = talloc_zero(p->arena, struct node);
    node->kind = kind;
    return node;
}

struct node_list {
    const struct node **items;
    const char **keys;
    size_t count;
};

static void node_add(struct parser *p, struct node_list *list, const char *key, const struct node *item)
{
    list->items = talloc_realloc(p->arena, list->items, const struct node *, list->count + 1);
    list->keys = talloc_realloc(p->arena, list->keys, const char *, list->count + 1);
    list->keys[list->count] = key;
    list->items[list->count++] = item;
}

static const struct node *list_node(struct parser *p, enum node_kind kind, struct node_list list)
{
    struct node *node = node_new(p, kind);
    node->items = list.items;
    node->keys = list.keys;
    node->count = list.count;
    return node;
}

static const char *member(struct parser *p)
{
    if (p->at[0] != '.' || !isalpha((unsigned char)p->at[1]))
        return NULL;
    const char *start = ++p->at;
    while (isalnum((unsigned char)*p->at) || *p->at == '_')
        p->at++;
    return talloc_strndup(p->arena, start, (size_t)(p->at - start));
}

static void close_bracket(struct parser *p, char c)
{
    const char text[] = { c, 0 };
    skip(p, BLANKS_AND_LINES);
    if (!*p->at)
        refuse_end(p, text);
    else if (!take(p, c))
        refuse(p, "'%c' is missing before '%.20s'.", c, p->at);
}

/* ( statement ), also behind @ and $ */
static const struct node *bracketed(struct parser *p)
{
    struct node *node = node_new(p, NODE_STATEMENT);
    advance(p);
    skip(p, BLANKS_AND_LINES);
    if (enter(p))
        node->statement = parse_statement(p);
    p->depth--;
    close_bracket(p, ')');
    node->member = member(p);
    return node;
}

/* @{ Key = values; Key = values } */
static const struct node *hash(struct parser *p)
{
    struct node_list list = { 0 };
    p->at += 2;
    enter(p);
    for (;;) {
        skip(p, BLANKS_AND_LINES ";");
        if (p->why || !*p->at || *p->at == '}')
            break;
        const size_t length = strcspn(p->at, "= \t\r\n;}'\"");
        const char *key = length ? talloc_strndup(p->arena, p->at, length) : value_text(p->arena, word(p));
        p->at += length;
        skip(p, BLANKS);
        if (!take(p, '='))
            refuse(p, "In @{ } an '=' is missing behind '%s'.", key);
        skip(p, BLANKS_AND_LINES);
        node_add(p, &list, key, parse_values(p));
    }
    p->depth--;
    close_bracket(p, '}');
    return list_node(p, NODE_HASH, list);
}

static const struct node *block(struct parser *p)
{
    struct node *node = node_new(p, NODE_BLOCK);
    advance(p);
    node->block = parse_condition(p);
    close_bracket(p, '}');
    return node;
}

static const struct node *parse_value(struct parser *p)
{
    const char c = peek(p);
    if (c == '(' || (c == '@' && p->at[1] == '(') || (c == '$' && p->at[1] == '(')) {
        p->at += c != '(';
        return bracketed(p);
    }
    if (c == '@' && p->at[1] == '{')
        return hash(p);
    if (c == '{')
        return block(p);
    struct node *node = node_new(p, NODE_VALUE);
    if (c == '$')
        node->value = variable(p);
    else if (c == '@')
        refuse(p, "'@' begins @( ) or @{ } here; variables aren't known.");
    else if (!ends_word(c))
        node->value = word(p);
    else if (!c)
        refuse_end(p, "a value");
    else if (c == '<' || c == '>')
        refuse(p, "Redirection isn't supported here.");
    else
        refuse(p, "A value is missing before '%.20s'.", p->at);
    return node;
}

static const struct node *parse_values(struct parser *p)
{
    struct node_list list = { 0 };
    const struct node *first = parse_value(p);
    node_add(p, &list, NULL, first);
    for (;;) {
        const char *before = p->at;
        skip(p, BLANKS);
        if (p->why || !take(p, ',')) {
            p->at = p->why ? p->at : before;
            break;
        }
        skip(p, BLANKS_AND_LINES);
        node_add(p, &list, NULL, parse_value(p));
    }
    return list.count == 1 ? first : list_node(p, NODE_LIST, list);
}

static bool is_parameter(const struct parser *p)
{
    size_t length;
    return plain(p->at, &length) == '-' && (isalpha((unsigned char)p->at[length]) || strchr("_?", p->at[length])) &&
           p->at[length];
}

static struct argument parse_argument(struct parser *p)
{
    struct argument argument = { 0 };
    if (!is_parameter(p)) {
        argument.value = parse_values(p);
        return argument;
    }
    advance(p);
    const char *start = p->at;
    while (!ends_word(*p->at) && *p->at != ':')
        p->at++;
    argument.parameter = talloc_strndup(p->arena, start, (size_t)(p->at - start));
    if (take(p, ':')) {
        skip(p, BLANKS);
        argument.value = parse_values(p);
    }
    return argument;
}

static void parse_arguments(struct parser *p, struct command *command)
{
    struct argument *list = NULL;
    for (;;) {
        skip(p, BLANKS);
        const char c = peek(p);
        if (p->why || !c || strchr("\n;|)}", c))
            break;
        if (c == '&')
            refuse(p, "'&' isn't supported here.");
        list = talloc_realloc(p->arena, list, struct argument, command->count + 1);
        list[command->count++] = parse_argument(p);
    }
    command->arguments = list;
}

static const struct command *parse_command(struct parser *p, bool first)
{
    struct command *command = talloc_zero(p->arena, struct command);
    const char c = peek(p);
    if (first && (strchr("'\"($@{", c) || isdigit((unsigned char)c))) {
        command->value = parse_values(p);
        skip(p, BLANKS);
        if (*p->at == '=')
            refuse(p, "Variables can't be assigned here.");
        else if (*p->at && !strchr("\n;|)}", *p->at))
            refuse(p, "Unexpected '%.20s' behind a value.", p->at);
        return command;
    }
    if (ends_word(c))
        refuse(p, "A command is missing before '%.20s'.", p->at);
    command->name = value_text(p->arena, word(p));
    parse_arguments(p, command);
    return command;
}

static const struct statement *parse_statement(struct parser *p)
{
    struct statement *statement = talloc_zero(p->arena, struct statement);
    const struct command **list = NULL;
    do {
        skip(p, BLANKS_AND_LINES);
        if (!*p->at) {
            refuse_end(p, "a command");
            break;
        }
        list = talloc_realloc(p->arena, list, const struct command *, statement->count + 1);
        list[statement->count] = parse_command(p, statement->count == 0);
        statement->count++;
        skip(p, BLANKS);
    } while (!p->why && take(p, '|'));
    statement->commands = list;
    return statement;
}

const struct script *parse_script(TALLOC_CTX *arena, const char *text, const char **why, bool *unfinished)
{
    struct parser p = { .arena = arena, .at = text };
    struct script *script = talloc_zero(arena, struct script);
    const struct statement **list = NULL;
    for (;;) {
        skip(&p, BLANKS_AND_LINES ";");
        if (p.why || !*p.at)
            break;
        list = talloc_realloc(arena, list, const struct statement *, script->count + 1);
        list[script->count++] = parse_statement(&p);
        if (!p.why && *p.at && !strchr("\n;", *p.at))
            refuse(&p, "Unexpected '%.20s'.", p.at);
    }
    script->statements = list;
    *why = p.why;
    *unfinished = p.unfinished;
    return p.why ? NULL : script;
}

/* Filters. */
static struct condition *condition_new(struct parser *p, enum condition_kind kind, const struct condition *left,
                                       const struct condition *right)
{
    struct condition *condition = talloc_zero(p->arena, struct condition);
    *condition = (struct condition){ .kind = kind, .left = left, .right = right };
    return condition;
}

static size_t operator_length(const struct parser *p)
{
    size_t dash, length;
    if (plain(p->at, &dash) != '-')
        return 0;
    for (length = dash; isalpha((unsigned char)p->at[length]); length++)
        ;
    return length > dash ? length : 0;
}

static bool take_operator(struct parser *p, const char *name)
{
    size_t dash;
    skip(p, BLANKS_AND_LINES);
    const size_t length = operator_length(p);
    plain(p->at, &dash);
    if (length != dash + strlen(name) || strncasecmp(p->at + dash, name, strlen(name)) != 0)
        return false;
    p->at += length;
    return true;
}

/* $_ or $PSItem, and what behind it. */
static const struct condition *this_object(struct parser *p)
{
    const char *name = variable_name(p);
    struct condition *condition = condition_new(p, CONDITION_ITSELF, NULL, NULL);
    if (strcmp(name, "_") == 0 || strcasecmp(name, "PSItem") == 0) {
        condition->property = member(p);
        condition->kind = condition->property ? CONDITION_PROPERTY : CONDITION_ITSELF;
        return condition;
    }
    condition->kind = CONDITION_VALUE;
    if (!automatic(name, &condition->value))
        refuse(p, UNKNOWN_VARIABLE, name);
    return condition;
}

static struct value literal_of(struct parser *p, const struct node *node)
{
    if (node->kind == NODE_VALUE)
        return node->value;
    if (node->kind != NODE_LIST) {
        refuse(p, "A filter can compare with texts, numbers, $true, $false, $null and lists of them.");
        return v_null();
    }
    struct value *items = talloc_array(p->arena, struct value, node->count);
    struct value_list *list = talloc_zero(p->arena, struct value_list);
    for (size_t i = 0; i < node->count; i++)
        items[i] = literal_of(p, node->items[i]);
    *list = (struct value_list){ .items = items, .count = node->count };
    return (struct value){ .kind = VALUE_LIST, .list = list };
}

static const struct condition *parse_operand(struct parser *p)
{
    skip(p, BLANKS_AND_LINES);
    const char c = peek(p);
    if (take(p, '(')) {
        const struct condition *inner = parse_condition(p);
        close_bracket(p, ')');
        return inner;
    }
    if (c == '$')
        return this_object(p);
    struct condition *condition = condition_new(p, CONDITION_VALUE, NULL, NULL);
    if (isalpha((unsigned char)c)) {
        condition->kind = CONDITION_PROPERTY;
        condition->property = value_text(p->arena, word(p));
    } else {
        condition->value = literal_of(p, parse_values(p));
    }
    return condition;
}

static const struct condition *parse_comparison(struct parser *p)
{
    const struct condition *left = parse_operand(p);
    skip(p, BLANKS_AND_LINES);
    const size_t length = p->why ? 0 : operator_length(p);
    const bool joins = length && (text_is_prefix(p->at, "-and") || text_is_prefix(p->at, "-or"));
    if (!length || joins)
        return left;
    struct condition *condition = condition_new(p, CONDITION_COMPARE, left, NULL);
    condition->compare = comparison_named(p->at, length);
    if (!condition->compare)
        refuse(p, "The operator '%.*s' isn't known.", (int)length, p->at);
    p->at += p->why ? 0 : length;
    condition->right = parse_operand(p);
    return condition;
}

static const struct condition *parse_not(struct parser *p)
{
    skip(p, BLANKS_AND_LINES);
    if (!take(p, '!') && !take_operator(p, "not"))
        return parse_comparison(p);
    const struct condition *inner = enter(p) ? parse_not(p) : NULL;
    p->depth--;
    return condition_new(p, CONDITION_NOT, inner, NULL);
}

static const struct condition *parse_and(struct parser *p)
{
    const struct condition *condition = parse_not(p);
    while (!p->why && take_operator(p, "and"))
        condition = condition_new(p, CONDITION_AND, condition, parse_not(p));
    return condition;
}

static const struct condition *parse_condition(struct parser *p)
{
    const struct condition *condition = enter(p) ? parse_and(p) : NULL;
    while (!p->why && take_operator(p, "or"))
        condition = condition_new(p, CONDITION_OR, condition, parse_and(p));
    p->depth--;
    return condition;
}

const struct condition *parse_filter(TALLOC_CTX *arena, const char *text, const char **why)
{
    struct parser p = { .arena = arena, .at = text };
    const struct condition *condition = parse_condition(&p);
    skip(&p, BLANKS_AND_LINES);
    if (!p.why && *p.at)
        refuse(&p, "Unexpected '%.20s' in the filter.", p.at);
    *why = p.why;
    return p.why ? NULL : condition;
}
