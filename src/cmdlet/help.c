/* SPDX-License-Identifier: Apache-2.0 */
/* Get-Command, Get-Help and completion: readings of the table. */
#include "cmdlet/call.h"

static struct value command_type(TALLOC_CTX *arena, const struct object *object, const struct property *property)
{
    (void)arena, (void)object, (void)property;
    return v_text("Cmdlet");
}

static struct value command_name(TALLOC_CTX *arena, const struct object *object, const struct property *property)
{
    const struct cmdlet_row *row = object->source;
    (void)property;
    return v_printf(arena, "%s-%s", row->verb, row->noun);
}

static struct value command_synopsis(TALLOC_CTX *arena, const struct object *object, const struct property *property)
{
    const struct cmdlet_row *row = object->source;
    (void)arena, (void)property;
    return v_text(row->help);
}

static struct value command_role(TALLOC_CTX *arena, const struct object *object, const struct property *property)
{
    const struct cmdlet_row *row = object->source;
    (void)arena, (void)property;
    return v_text(row->role);
}

static const struct property command_properties[] = {
    { "CommandType", command_type },
    { "Name", command_name },
    { "Synopsis", command_synopsis },
    { "Role", command_role },
};
static const struct object_type command_object = { "Command", command_properties, COUNTOF(command_properties),
                                                   "CommandType Name Synopsis" };

enum ec cmdlet_Get_Command(struct call *call, const struct Get_Command *in)
{
    const char *pattern = in->Name.value ? in->Name.value : "*";
    bool found = false;
    for (size_t i = 0; i < cmdlet_row_count; i++) {
        const struct object object = { &command_object, &cmdlet_rows[i], NULL };
        const struct value name = command_name(call->arena, &object, NULL);
        if (!text_like(name.text, pattern))
            continue;
        call_emit(call, object);
        found = true;
    }
    if (found || strpbrk(pattern, "*?["))
        return ecNone;
    return call_fail(call, ecNotFound, "The term '%s' is not recognized as the name of a cmdlet.", pattern);
}

/* -Name <Type>, in square brackets what may be left out. */
static char *parameter_syntax(TALLOC_CTX *arena, const struct parameter_row *p)
{
    char *name = talloc_asprintf(arena, type_where(p->type) & POSITION ? "[-%s]" : "-%s", p->name);
    if (!(type_where(p->type) & FLAG))
        name = talloc_asprintf_append(name, " <%s>", type_word(p->type));
    return p->need == REQUIRED ? name : talloc_asprintf(arena, "[%s]", name);
}

static bool is_shown(const struct parameter_row *p)
{
    return p->name && p->type != PARAM_IGNORED && p->type != PARAM_IGNORED_SWITCH;
}

static char *syntax_of(TALLOC_CTX *arena, const struct cmdlet_row *row)
{
    char *text = talloc_asprintf(arena, "%s-%s", row->verb, row->noun);
    for (const struct parameter_row *p = row->parameters(); p->help; p++)
        if (is_shown(p))
            text = talloc_asprintf_append(text, " %s", parameter_syntax(arena, p));
    for (const struct parameter_row *p = common_rows; p->help; p++)
        if (p->type == PARAM_SWITCH && common_fits(row, p))
            text = talloc_asprintf_append(text, " [-%s]", p->name);
    return text;
}

/* A line break where the next word would pass the 79th column. */
static void add_wrapped(struct buf *out, const char *text, const char *indent)
{
    size_t column = 0;
    while (*text) {
        const size_t length = strcspn(text, " ");
        if (column && column + 1 + length > 79 - strlen(indent)) {
            buf_printf(out, "\n");
            column = 0;
        }
        buf_printf(out, "%s%.*s", column ? " " : indent, (int)length, text);
        column += length + (column > 0);
        text += length + strspn(text + length, " ");
    }
    buf_printf(out, "\n");
}

static void add_parameter(TALLOC_CTX *arena, struct buf *out, const struct parameter_row *p)
{
    const char *const *values = type_values(p->type);
    buf_printf(out, "    -%s <%s>%s\n", p->name, type_word(p->type), p->need == REQUIRED ? ", required" : "");
    char *text = talloc_strdup(arena, p->help);
    for (size_t i = 0; values && values[i]; i++)
        text = talloc_asprintf_append(text, "%s%s", i ? ", " : " (", values[i]);
    add_wrapped(out, values ? talloc_asprintf(arena, "%s)", text) : text, "        ");
}

static void add_parameters(TALLOC_CTX *arena, struct buf *out, const struct cmdlet_row *row, const char *pattern)
{
    for (const struct parameter_row *p = row->parameters(); p->help; p++)
        if (is_shown(p) && text_like(p->name, pattern))
            add_parameter(arena, out, p);
    for (const struct parameter_row *p = common_rows; p->help; p++)
        if (is_shown(p) && common_fits(row, p) && text_like(p->name, pattern))
            add_parameter(arena, out, p);
}

static void add_help(TALLOC_CTX *arena, struct buf *out, const struct cmdlet_row *row)
{
    buf_printf(out, "NAME\n    %s-%s\n\nSYNOPSIS\n", row->verb, row->noun);
    add_wrapped(out, row->help, "    ");
    buf_printf(out, "\nSYNTAX\n");
    add_wrapped(out, syntax_of(arena, row), "    ");
    buf_printf(out, "\nPARAMETERS\n");
    add_parameters(arena, out, row, "*");
    buf_printf(out, "\nROLE\n    %s\n", row->role);
}

static const char general_help[] =
    "Get-Command                 shows which cmdlets there are; Get-Command *Mapi* some of them\n"
    "Get-Help CMDLET             explains one\n"
    "\n"
    "Names may be written in any case, and parameters shortened: -MapiH for -MapiHttpEnabled.\n"
    "Objects flow from cmdlet to cmdlet:  Get-Mailbox | Set-CASMailbox -MapiHttpEnabled $null\n"
    "Some of them:                        Get-CASMailbox | ? {$_.MapiHttpEnabled -ne $null}\n"
    "Chosen properties:                   Get-OrganizationConfig | fl *mapi*";

enum ec cmdlet_Get_Help(struct call *call, const struct Get_Help *in)
{
    const struct cmdlet_row *row = in->Name.value ? cmdlet_named(in->Name.value) : NULL;
    if (in->Name.value && !row)
        return call_fail(call, ecNotFound, "There is no help for '%s'. Get-Command shows which cmdlets there are.",
                         in->Name.value);
    struct buf text;
    buf_init(&text, call->arena);
    if (!row)
        buf_printf(&text, "%s\n", general_help);
    else if (in->Parameter.value)
        add_parameters(call->arena, &text, row, in->Parameter.value);
    else
        add_help(call->arena, &text, row);
    if (!text.size)
        return call_fail(call, ecNotFound, "%s-%s has no parameter '%s'.", row->verb, row->noun, in->Parameter.value);
    call_emit_text(call, talloc_strndup(call->arena, (const char *)text.data, text.size - 1));
    return ecNone;
}

/* Completion looks at the last command of the line alone. */
struct last_words {
    const char *command;                    /* NULL: the last word is the command itself */
    const char *parameter;                  /* the word before the last one, if it is a parameter; without its hyphen */
    const char *last;                       /* what is to be continued, "" at a blank */
};

static const char *last_command(const char *line)
{
    const char *start = line;
    char quote = 0;
    for (const char *p = line; *p; p++) {
        if (quote)
            quote = *p == quote ? 0 : quote;
        else if (*p == '\'' || *p == '"')
            quote = *p;
        else if (strchr("|;({\n", *p))
            start = p + 1;
    }
    return start + strspn(start, " \t");
}

static struct last_words last_words(TALLOC_CTX *arena, const char *line)
{
    struct last_words words = { 0 };
    const char *p = last_command(line), *before = NULL;
    words.last = p;
    for (size_t length; p[length = strcspn(p, " \t")]; words.last = p) {
        before = talloc_strndup(arena, p, length);
        if (!words.command)
            words.command = before;
        p += length + strspn(p + length, " \t");
    }
    const char *comma = strrchr(words.last, ',');
    words.last = comma ? comma + 1 : words.last;
    words.parameter = before && *before == '-' ? before + 1 : NULL;
    return words;
}

static void add_word(TALLOC_CTX *arena, struct cmdlet_words *words, const char *word)
{
    words->words = talloc_realloc(arena, words->words, const char *, words->count + 1);
    words->words[words->count++] = word;
}

static void complete_command(TALLOC_CTX *arena, struct cmdlet_words *words, const char *prefix)
{
    for (size_t i = 0; i < cmdlet_row_count; i++) {
        const char *name = talloc_asprintf(arena, "%s-%s", cmdlet_rows[i].verb, cmdlet_rows[i].noun);
        if (text_is_prefix(name, prefix))
            add_word(arena, words, name);
    }
}

static void complete_parameter(TALLOC_CTX *arena, struct cmdlet_words *words, const struct cmdlet_row *row,
                               const char *prefix)
{
    for (const struct parameter_row *p = row->parameters(); p->help; p++)
        if (is_shown(p) && text_is_prefix(p->name, prefix))
            add_word(arena, words, talloc_asprintf(arena, "-%s", p->name));
    for (const struct parameter_row *p = common_rows; p->help; p++)
        if (is_shown(p) && common_fits(row, p) && text_is_prefix(p->name, prefix))
            add_word(arena, words, talloc_asprintf(arena, "-%s", p->name));
}

static void complete_value(TALLOC_CTX *arena, struct cmdlet_words *words, const struct cmdlet_row *row,
                           const char *parameter, const char *prefix)
{
    for (const struct parameter_row *p = row->parameters(); p->help; p++) {
        const char *const *values = p->name && strcasecmp(p->name, parameter) == 0 ? type_values(p->type) : NULL;
        for (; values && *values; values++)
            if (text_is_prefix(*values, prefix))
                add_word(arena, words, *values);
    }
}

struct cmdlet_words cmdlet_complete(TALLOC_CTX *arena, const char *line)
{
    struct cmdlet_words words = { 0 };
    const struct last_words last = last_words(arena, line);
    const struct cmdlet_row *row = last.command ? cmdlet_named(last.command) : NULL;
    words.length = strlen(last.last);
    if (!last.command || (row && strcmp(last.command, "Get-Help") == 0))
        complete_command(arena, &words, last.last);
    else if (row && *last.last == '-')
        complete_parameter(arena, &words, row, last.last + 1);
    else if (row && last.parameter)
        complete_value(arena, &words, row, last.parameter, last.last);
    return words;
}

bool cmdlet_is_unfinished(const char *line)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const char *why = NULL;
    bool unfinished = false;
    parse_script(arena, line, &why, &unfinished);
    talloc_free(arena);
    return unfinished;
}

/* A shortened -Pass counts as well as ConvertTo-SecureString. */
bool cmdlet_has_secret(const char *line)
{
    for (const char *p = line; *p; p++)
        if (text_is_prefix(p, "-pa") || text_is_prefix(p, "password") || text_is_prefix(p, "securestring"))
            return true;
    return false;
}
