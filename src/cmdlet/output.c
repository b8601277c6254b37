/* SPDX-License-Identifier: Apache-2.0 */
/* From objects to text: PowerShell's lists and tables, JSON and CSV. */
#include <jansson.h>

#include "cmdlet/call.h"

bool output_is_for_programs(enum cmdlet_output output)
{
    return output == CMDLET_JSON || output == CMDLET_CSV;
}

/* A view is written as names with blanks between them. */
static struct texts view_columns(TALLOC_CTX *arena, const char *view)
{
    const char **names = NULL;
    size_t count = 0;
    for (const char *p = view; *p; p += strspn(p, " ")) {
        names = talloc_realloc(arena, names, const char *, count + 1);
        names[count++] = talloc_strndup(arena, p, strcspn(p, " "));
        p += strcspn(p, " ");
    }
    return (struct texts){ names, count };
}

static bool is_among(const struct property *const *list, size_t count, const struct property *property)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == property)
            return true;
    return false;
}

const struct property **columns_of(TALLOC_CTX *arena, const struct object *object, struct texts patterns, size_t *count)
{
    const struct object_type *type = object->type;
    const struct property **list = talloc_array(arena, const struct property *, type->count + 1);
    static const char *const everything[] = { "*" };
    if (!patterns.count)
        patterns = (struct texts){ everything, 1 };
    *count = 0;
    for (size_t p = 0; p < patterns.count; p++)
        for (size_t i = 0; i < type->count; i++)
            if (text_like(type->properties[i].name, patterns.items[p]) && !is_among(list, *count, &type->properties[i]))
                list[(*count)++] = &type->properties[i];
    return list;
}

/* Width on a screen: a character a column. */
static size_t text_width(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

/* Control characters could command the terminal: ESC, and U+0080..U+009F, which some obey likewise. */
const char *without_controls(TALLOC_CTX *arena, const char *text, const char *kept)
{
    char *copy = talloc_strdup(arena, text);
    for (char *p = copy; *p; p++) {
        const unsigned char c = (unsigned char)p[0], next = (unsigned char)p[1];
        if ((c < 0x20 && !strchr(kept, c)) || c == 0x7F)
            *p = ' ';
        else if (c == 0xC2 && next >= 0x80 && next <= 0x9F)
            p[0] = p[1] = ' ';
    }
    return copy;
}

static const char *shown(TALLOC_CTX *arena, const char *text)
{
    return without_controls(arena, text, "");
}

static void print_list(struct run *run, const struct object *object)
{
    TALLOC_CTX *arena = talloc_new(run->arena);
    size_t count, widest = 0;
    const struct property **columns = columns_of(arena, object, run->layout.columns, &count);
    for (size_t i = 0; i < count; i++)
        widest = MAX(widest, strlen(columns[i]->name));
    buf_printf(&run->out, "\n");
    for (size_t i = 0; i < count; i++) {
        const char *text = shown(arena, value_text(arena, columns[i]->get(arena, object, columns[i])));
        buf_printf(&run->out, "%-*s :%s%s\n", (int)widest, columns[i]->name, *text ? " " : "", text);
    }
    talloc_free(arena);
}

struct column {
    const char *name;
    size_t natural, width;                  /* of its longest text, and as printed */
    bool right;                             /* numbers and Booleans */
};

struct grid {
    struct column *columns;
    const char **cells;                     /* row by row */
    size_t width, rows;
};

/* A view has headings of its own, which may differ from the properties' names in case: MapiEnabled. */
static void take_headings(struct grid *grid, struct texts view)
{
    for (size_t c = 0; c < grid->width; c++)
        for (size_t i = 0; i < view.count; i++)
            if (strcasecmp(grid->columns[c].name, view.items[i]) == 0)
                grid->columns[c].name = view.items[i];
}

/* The first object says which columns there are; an object of another type has the same names or empty cells. */
static void fill_grid(TALLOC_CTX *arena, struct grid *grid, const struct objects *objects, struct texts patterns)
{
    const struct property **columns = columns_of(arena, &objects->items[0], patterns, &grid->width);
    grid->columns = talloc_zero_array(arena, struct column, grid->width + 1);
    grid->cells = talloc_array(arena, const char *, grid->width * objects->count + 1);
    grid->rows = objects->count;
    for (size_t c = 0; c < grid->width; c++) {
        struct column *column = &grid->columns[c];
        *column = (struct column){ .name = columns[c]->name, .natural = strlen(columns[c]->name), .right = true };
        for (size_t r = 0; r < grid->rows; r++) {
            const struct value value = object_get(arena, &objects->items[r], column->name);
            const char *text = shown(arena, value_text(arena, value));
            column->right &= value.kind == VALUE_BOOL || value.kind == VALUE_INT || value.kind == VALUE_NULL;
            column->natural = MAX(column->natural, text_width(text));
            grid->cells[r * grid->width + c] = text;
        }
    }
}

#define COLUMN_LEAST 8

/* The widest column gives way until all fit; false: they don't. */
static bool squeeze(struct grid *grid, size_t width, size_t limit)
{
    for (size_t c = 0; c < width; c++)
        grid->columns[c].width = grid->columns[c].natural;
    for (;;) {
        size_t total = 0, widest = 0;
        for (size_t c = 0; c < width; c++) {
            total += grid->columns[c].width + (c > 0);
            if (grid->columns[c].width > grid->columns[widest].width)
                widest = c;
        }
        if (!limit || total <= limit)
            return true;
        if (grid->columns[widest].width <= COLUMN_LEAST)
            return false;
        grid->columns[widest].width--;
    }
}

static void print_cell(struct buf *out, const char *text, const struct column *column, bool last)
{
    const size_t width = text_width(text);
    const int pad = (int)(column->width > width ? column->width - width : 0);
    size_t bytes = 0, left = column->width - 3;
    if (width > column->width) {
        for (; text[bytes] && (left || ((unsigned char)text[bytes] & 0xC0) == 0x80); bytes++)
            left -= ((unsigned char)text[bytes + 1] & 0xC0) != 0x80;
        buf_printf(out, "%.*s...%s", (int)bytes, text, last ? "" : " ");
    } else if (column->right) {
        buf_printf(out, "%*s%s%s", pad, "", text, last ? "" : " ");
    } else {
        buf_printf(out, "%s%*s", text, last ? 0 : pad + 1, "");
    }
}

static void print_row(struct buf *out, const struct grid *grid, size_t width, const char *const *cells)
{
    for (size_t c = 0; c < width; c++)
        print_cell(out, cells[c], &grid->columns[c], c + 1 == width);
    while (out->size && out->data[out->size - 1] == ' ')
        out->size--;
    buf_printf(out, "\n");
}

static void print_header(TALLOC_CTX *arena, struct buf *out, const struct grid *grid, size_t width)
{
    const char **names = talloc_array(arena, const char *, width + 1);
    const char **lines = talloc_array(arena, const char *, width + 1);
    for (size_t c = 0; c < width; c++) {
        char *line = talloc_strdup(arena, grid->columns[c].name);
        memset(line, '-', strlen(line));
        names[c] = grid->columns[c].name;
        lines[c] = line;
    }
    print_row(out, grid, width, names);
    print_row(out, grid, width, lines);
}

static void print_table(struct run *run, const struct objects *objects, struct texts patterns, bool is_view)
{
    TALLOC_CTX *arena = talloc_new(run->arena);
    struct grid grid;
    fill_grid(arena, &grid, objects, patterns);
    if (is_view)
        take_headings(&grid, patterns);
    size_t width = grid.width;
    while (!squeeze(&grid, width, run->context->width) && width > 1)
        width--;                                            /* columns that don't fit fall off from the right */
    buf_printf(&run->out, "\n");
    if (!run->layout.no_header)
        print_header(arena, &run->out, &grid, width);
    for (size_t r = 0; r < grid.rows; r++)
        print_row(&run->out, &grid, width, &grid.cells[r * grid.width]);
    buf_printf(&run->out, "\n");
    talloc_free(arena);
}

static void print_csv_field(struct buf *out, const char *text, bool last)
{
    buf_printf(out, "\"");
    for (const char *p = text; *p; p++)
        buf_printf(out, *p == '"' ? "\"\"" : "%c", *p);
    buf_printf(out, last ? "\"\n" : "\",");
}

static void print_csv(struct run *run, const struct objects *objects)
{
    size_t count;
    const struct property **columns = columns_of(run->arena, &objects->items[0], run->layout.columns, &count);
    for (size_t c = 0; c < count; c++)
        print_csv_field(&run->out, columns[c]->name, c + 1 == count);
    for (size_t r = 0; r < objects->count; r++) {
        TALLOC_CTX *arena = talloc_new(run->arena);
        for (size_t c = 0; c < count; c++) {
            const struct value value = object_get(arena, &objects->items[r], columns[c]->name);
            print_csv_field(&run->out, value_plain(arena, value), c + 1 == count);
        }
        talloc_free(arena);
    }
}

static json_t *value_json(TALLOC_CTX *arena, struct value value)
{
    json_t *array;
    switch (value.kind) {
    case VALUE_NULL: return json_null();
    case VALUE_BOOL: return json_boolean(value.boolean);
    case VALUE_INT: return json_integer(value.integer);
    case VALUE_LIST:
        array = json_array();
        for (size_t i = 0; i < value.list->count; i++)
            json_array_append_new(array, value_json(arena, value.list->items[i]));
        return array;
    default: return json_string(value_plain(arena, value));
    }
}

static json_t *object_json(TALLOC_CTX *arena, const struct object *object, struct texts patterns)
{
    size_t count;
    const char *text = object_as_text(object);
    if (text)
        return json_string(text);
    json_t *json = json_object();
    const struct property **columns = columns_of(arena, object, patterns, &count);
    for (size_t c = 0; c < count; c++)
        json_object_set_new(json, columns[c]->name, value_json(arena, columns[c]->get(arena, object, columns[c])));
    return json;
}

/* The objects wait for the end of the line; what a formatter has chosen goes with them. */
static void keep_for_json(struct run *run, const struct objects *objects)
{
    for (size_t i = 0; i < objects->count; i++) {
        size_t count;
        const struct object *object = &objects->items[i];
        const struct property **columns = columns_of(run->arena, object, run->layout.columns, &count);
        if (count == object->type->count) {
            objects_add(run->arena, &run->all, *object);
            continue;
        }
        const char **names = talloc_array(run->arena, const char *, count + 1);
        struct value *values = talloc_array(run->arena, struct value, count + 1);
        for (size_t c = 0; c < count; c++) {
            names[c] = columns[c]->name;
            values[c] = columns[c]->get(run->arena, object, columns[c]);
        }
        objects_add(run->arena, &run->all, object_of_values(run->arena, object->type->name, names, values, count));
    }
}

/* Texts are printed as they are. */
static size_t print_texts(struct run *run, const struct objects *objects, size_t from)
{
    for (; from < objects->count && object_as_text(&objects->items[from]); from++) {
        TALLOC_CTX *arena = talloc_new(run->arena);
        buf_printf(&run->out, "%s\n", without_controls(arena, object_as_text(&objects->items[from]), "\n\t"));
        talloc_free(arena);
    }
    return from;
}

#define TABLE_COLUMNS_MOST 4                /* an object without a view and with more properties is shown as a list */

static bool is_list(const struct run *run, const struct object *first)
{
    if (run->layout.kind != LAYOUT_DEFAULT)
        return run->layout.kind == LAYOUT_LIST;
    if (run->output != CMDLET_DEFAULT)
        return run->output == CMDLET_LIST;
    return !first->type->view && first->type->count > TABLE_COLUMNS_MOST;
}

/* Objects of one type, one after the other. */
static void print_same(struct run *run, const struct objects *objects)
{
    if (run->output == CMDLET_CSV) {
        print_csv(run, objects);
    } else if (is_list(run, &objects->items[0])) {
        for (size_t i = 0; i < objects->count; i++)
            print_list(run, &objects->items[i]);
        buf_printf(&run->out, "\n");
    } else {
        const struct object_type *type = objects->items[0].type;
        const bool own = !run->layout.columns.count && type->view;
        print_table(run, objects, own ? view_columns(run->arena, type->view) : run->layout.columns, own);
    }
}

void output_statement(struct run *run, const struct objects *objects)
{
    if (run->output == CMDLET_JSON) {
        keep_for_json(run, objects);
        return;
    }
    for (size_t from = print_texts(run, objects, 0), to; from < objects->count; from = print_texts(run, objects, to)) {
        const char *type = objects->items[from].type->name;
        for (to = from + 1; to < objects->count && strcmp(objects->items[to].type->name, type) == 0;)
            to++;
        print_same(run, &(struct objects){ objects->items + from, to - from, 0 });
    }
}

void output_end(struct run *run)
{
    if (run->output != CMDLET_JSON)
        return;
    json_t *array = json_array();
    for (size_t i = 0; i < run->all.count; i++) {
        TALLOC_CTX *arena = talloc_new(run->arena);
        json_array_append_new(array, object_json(arena, &run->all.items[i], (struct texts){ 0 }));
        talloc_free(arena);
    }
    char *text = json_dumps(array, JSON_INDENT(2));
    buf_printf(&run->out, "%s\n", text);
    free(text);
    json_decref(array);
}
