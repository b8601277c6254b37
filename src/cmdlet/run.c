/* SPDX-License-Identifier: Apache-2.0 */
/* From a line to objects: statement by statement, command by command, object by object. */
#include "cmdlet/call.h"

#define LINE_MAX_BYTES (1u << 20)
#define DEPTH_MAX 8

static bool run_statement(struct run *, const struct statement *, struct objects *out);

/* What is said. */
static void say(struct run *run, const struct cmdlet_row *row, const char *prefix, const char *text)
{
    buf_printf(&run->err, "%s", prefix);
    if (row)
        buf_printf(&run->err, "%s-%s: ", row->verb, row->noun);
    buf_printf(&run->err, "%s\n", without_controls(run->arena, text, "\n\t"));
}

static void fail(struct run *run, const struct cmdlet_row *row, const char *text)
{
    run->failed = true;
    say(run, row, "", text);
}

enum ec call_fail(struct call *call, enum ec ec, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = talloc_vasprintf(call->arena, format, args);
    va_end(args);
    const enum action action = (enum action)call->common->ErrorAction.value;
    call->run->failed = true;
    call->run->stopped |= action == ACTION_STOP;
    if (action != ACTION_SILENTLY_CONTINUE && action != ACTION_IGNORE)
        say(call->run, call->row, "", text);
    return ec;
}

void call_warn(struct call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *text = talloc_vasprintf(call->arena, format, args);
    va_end(args);
    const enum action action = (enum action)call->common->WarningAction.value;
    if (action != ACTION_SILENTLY_CONTINUE && action != ACTION_IGNORE)
        say(call->run, NULL, "WARNING: ", text);
}

void call_unchanged(struct call *call, const char *identity)
{
    call_warn(call, "The command completed successfully but no settings of '%s' have been modified.", identity);
}

enum ec call_not_found(struct call *call, const char *identity)
{
    return call_fail(call, ecNotFound,
                     "The operation couldn't be performed because object '%s' couldn't be found on '%s'.", identity,
                     call->settings->server_name);
}

enum ec call_conflict(struct call *call)
{
    return call_fail(call, ecInvalidParam,
                     "Parameter set cannot be resolved using the specified named parameters.");
}

void call_emit(struct call *call, struct object object)
{
    objects_add(call->run->arena, call->output, object);
}

void call_emit_text(struct call *call, const char *text)
{
    call_emit(call, object_of_text(call->run->arena, text));
}

static bool ask(struct call *call, const char *what)
{
    const struct cmdlet_context *context = call->context;
    if (!context->ask) {
        call_fail(call, ecAccessDenied,
                  "%s This asks for confirmation, and nobody is here to answer: add -Confirm:$false.", what);
        return false;
    }
    if (*call->answered == 'A' || *call->answered == 'L')
        return *call->answered == 'A';
    *call->answered = context->ask(context->ask_arg, what);
    return *call->answered == 'Y' || *call->answered == 'A';
}

bool call_may(struct call *call, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    const char *what = talloc_vasprintf(call->arena, format, args);
    va_end(args);
    if (call->common->WhatIf.value) {
        struct run *run = call->run;
        buf_printf(output_is_for_programs(run->output) ? &run->err : &run->out, "What if: %s\n", what);
        return false;
    }
    const struct arg_bool confirm = call->common->Confirm;
    return (confirm.given ? confirm.value : cmdlet_asks_by_itself(call->row)) ? ask(call, what) : true;
}

/* Values. */
static struct value object_value(TALLOC_CTX *arena, const struct object *object)
{
    const char *text = object_as_text(object);
    if (text)
        return v_text(text);
    if (strcmp(object->type->name, "SecureString") == 0)
        return (struct value){ .kind = VALUE_SECRET, .text = object->source };
    return (struct value){ .kind = VALUE_OBJECT, .object = talloc_memdup(arena, object, sizeof *object) };
}

static struct value list_value(TALLOC_CTX *arena, struct value *items, const char *const *keys, size_t count)
{
    struct value_list *list = talloc_zero(arena, struct value_list);
    *list = (struct value_list){ items, keys, count };
    return (struct value){ .kind = keys ? VALUE_HASH : VALUE_LIST, .list = list };
}

/* No object is $null, one is itself, several are a list. */
static struct value objects_value(TALLOC_CTX *arena, const struct objects *objects, const char *member)
{
    struct value *items = talloc_array(arena, struct value, objects->count);
    for (size_t i = 0; i < objects->count; i++)
        items[i] = member ? object_get(arena, &objects->items[i], member) : object_value(arena, &objects->items[i]);
    if (objects->count == 1)
        return items[0];
    return objects->count ? list_value(arena, items, NULL, objects->count) : v_null();
}

static bool evaluate_statement(struct run *run, const struct node *node, struct value *out)
{
    struct objects objects = { 0 };
    if (run->depth == DEPTH_MAX) {
        fail(run, NULL, "The line is nested too deeply.");
        return false;
    }
    run->depth++;
    const bool ok = run_statement(run, node->statement, &objects);
    run->depth--;
    *out = objects_value(run->arena, &objects, node->member);
    return ok;
}

static bool evaluate(void *arg, const struct node *node, struct value *out)
{
    struct run *run = arg;
    if (node->kind == NODE_STATEMENT)
        return evaluate_statement(run, node, out);
    if (node->kind == NODE_VALUE || node->kind == NODE_BLOCK) {
        *out = node->kind == NODE_VALUE ? node->value : (struct value){ .kind = VALUE_BLOCK, .block = node->block };
        return true;
    }
    struct value *items = talloc_array(run->arena, struct value, node->count);
    for (size_t i = 0; i < node->count; i++)
        if (!evaluate(run, node->items[i], &items[i]))
            return false;
    *out = list_value(run->arena, items, node->kind == NODE_HASH ? node->keys : NULL, node->count);
    return true;
}

static void add_value(struct run *run, struct objects *out, struct value value)
{
    if (value.kind == VALUE_LIST)
        for (size_t i = 0; i < value.list->count; i++)
            add_value(run, out, value.list->items[i]);
    else if (value.kind == VALUE_OBJECT)
        objects_add(run->arena, out, *value.object);
    else if (value.kind != VALUE_NULL)
        objects_add(run->arena, out, object_of_text(run->arena, value_text(run->arena, value)));
}

/* Commands. */
static void run_once(struct call *call, const void *in)
{
    const char *missing = bind_missing(call->arena, call->row, in);
    TALLOC_CTX *moment = talloc_new(call->arena);
    call->settings = org_settings(call->org, moment);
    if (missing)
        call_fail(call, ecInvalidParam, "%s", missing);
    else
        call->row->run(call, in);
}

#define CANNOT_BE_BOUND                                                                                                \
    "The input object cannot be bound to any parameters for the command either because the command does not take"     \
    " pipeline input or the input and its properties do not match any of the parameters that take pipeline input."

static void run_for_each(struct call *call, const struct objects *input, const void *in)
{
    for (size_t i = 0; i < input->count && !call->run->stopped; i++) {
        void *copy = talloc_memdup(call->arena, in, call->row->size);
        if (bind_object(call->arena, call->row, &input->items[i], copy))
            run_once(call, copy);
        else
            call_fail(call, ecInvalidParam, CANNOT_BE_BOUND);
    }
}

/* input NULL: the first command of its statement. */
static bool run_command(struct run *run, const struct command *command, const struct objects *input,
                        struct objects *out)
{
    const struct cmdlet_row *row = cmdlet_named(command->name);
    if (!row) {
        fail(run, NULL, talloc_asprintf(run->arena,
             "The term '%s' is not recognized as the name of a cmdlet, function, script file, or operable program."
             " Check the spelling of the name, or if a path was included, verify that the path is correct and try"
             " again.",
             command->name));
        return false;
    }
    static const struct objects nothing;
    struct common common = { 0 };
    char answered = 0;
    void *in = talloc_zero_size(run->arena, row->size + 1);
    const char *wrong = bind_arguments(run->arena, row, command, evaluate, run, in, &common);
    if (wrong) {
        if (*wrong)
            fail(run, row, wrong);
        return false;
    }
    struct call call = {
        .arena = run->arena, .run = run, .row = row, .org = run->context->org, .directory = run->context->directory,
        .context = run->context, .common = &common, .input = input ? input : &nothing, .output = out,
        .answered = &answered,
    };
    if (row->is_pipe || !input)
        run_once(&call, in);
    else
        run_for_each(&call, input, in);
    return true;
}

/* False: the statement cannot be carried out as it is written; a cmdlet that fails for an object is no such thing. */
static bool run_statement(struct run *run, const struct statement *statement, struct objects *out)
{
    struct objects flow = { 0 };
    for (size_t i = 0; i < statement->count && !run->stopped; i++) {
        const struct command *command = statement->commands[i];
        struct objects next = { 0 };
        struct value value = v_null();
        if (run->layout.kind != LAYOUT_DEFAULT && run->depth == 0) {
            fail(run, NULL, "The output of Format-List and Format-Table can't be piped on.");
            return false;
        }
        const bool ok = command->name ? run_command(run, command, i ? &flow : NULL, &next)
                                      : evaluate(run, command->value, &value);
        if (!ok)
            return false;
        add_value(run, &next, value);
        flow = next;
    }
    *out = flow;
    return true;
}

bool cmdlet_output_parse(const char *name, enum cmdlet_output *out)
{
    static const struct { const char *name; enum cmdlet_output output; } outputs[] = {
        { "table", CMDLET_TABLE }, { "list", CMDLET_LIST }, { "json", CMDLET_JSON }, { "csv", CMDLET_CSV },
    };
    for (size_t i = 0; i < COUNTOF(outputs); i++) {
        if (strcasecmp(outputs[i].name, name) != 0)
            continue;
        *out = outputs[i].output;
        return true;
    }
    return false;
}

static const char *finished(TALLOC_CTX *arena, const struct buf *text)
{
    return talloc_strndup(arena, text->size ? (const char *)text->data : "", text->size);
}

static void run_script(struct run *run, const struct script *script)
{
    for (size_t i = 0; i < script->count && !run->stopped; i++) {
        struct objects objects = { 0 };
        run->layout = (struct layout){ 0 };
        if (run_statement(run, script->statements[i], &objects))
            output_statement(run, &objects);
    }
}

static const struct script *parse_line(struct run *run, const char *line)
{
    const char *why = "The line is too long.";
    bool unfinished = false;
    const struct script *script = NULL;
    if (!utf8_is_valid(line, strlen(line)))
        why = "The line is not valid UTF-8.";
    else if (strlen(line) < LINE_MAX_BYTES)
        script = parse_script(run->arena, line, &why, &unfinished);
    if (!script)
        fail(run, NULL, why);
    return script;
}

static char *add_names(char *names, const struct statement *statement)
{
    for (size_t i = 0; i < statement->count; i++) {
        const char *name = statement->commands[i]->name;
        const struct cmdlet_row *row = name ? cmdlet_named(name) : NULL;
        if (row)
            names = talloc_asprintf_append(names, "%s%s-%s", i ? " | " : *names ? "; " : "", row->verb, row->noun);
    }
    return names;
}

/* Which cmdlets ran, never with what: passwords and people's names stay out of the log. */
static void log_run(const struct run *run, const struct script *script)
{
    enum { NAMES_MAX = 400 };
    char *names = talloc_strdup(run->arena, "");
    for (size_t i = 0; i < script->count && strlen(names) < NAMES_MAX; i++)
        names = add_names(names, script->statements[i]);
    log_line(LOG_INFO, "cmdlet", "%s: %s: %s", run->context->caller, *names ? names : "no known cmdlet",
             run->failed ? "failed" : "done");
}

struct cmdlet_result cmdlet_run(TALLOC_CTX *arena, const struct cmdlet_context *context, const char *line,
                                enum cmdlet_output output)
{
    TALLOC_CTX *own = talloc_new(arena);
    struct run run = { .arena = own, .context = context, .output = output };
    buf_init(&run.out, own);
    buf_init(&run.err, own);
    const struct script *script = parse_line(&run, line);
    if (script)
        run_script(&run, script);
    if (script && context->caller)
        log_run(&run, script);
    output_end(&run);
    const struct cmdlet_result result = { finished(arena, &run.out), finished(arena, &run.err), run.failed };
    talloc_free(own);
    return result;
}
