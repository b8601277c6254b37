/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fts.h>
#include <stdlib.h>

#include "examples.h"

/* The first thing wrong stays, as in a wire cursor. */
struct reader {
    TALLOC_CTX *owner;
    const char *file, *spec;
    unsigned line;
    struct examples *all;
    struct example *open; /* the last of `all`, NULL before the first */
    struct buf bytes;
    const char *wrong;
};

static void wrong(struct reader *r, const char *what)
{
    if (!r->wrong)
        r->wrong = talloc_asprintf(r->owner, "%s:%u: %s", r->file, r->line, what);
}

/* Cuts the first word off `*rest`. */
static const char *word(struct reader *r, const char **rest)
{
    size_t n = strcspn(*rest, " ");
    const char *first = talloc_strndup(r->owner, *rest, n);
    *rest += n + strspn(*rest + n, " ");
    return first;
}

static void on_spec(struct reader *r, const char *rest)
{
    r->spec = talloc_strdup(r->owner, rest);
}

static void close_example(struct reader *r)
{
    struct example *e = r->open;
    if (!e)
        return;
    e->bytes = buf_blob(&r->bytes);
    if (!e->structure)
        wrong(r, "the example before has no struct");
    if (e->kind == EXAMPLE_NO_BYTES)
        wrong(r, "the example before has no bytes");
    r->open = NULL;
}

static void on_example(struct reader *r, const char *rest)
{
    close_example(r);
    struct examples *all = r->all;
    all->cases = talloc_realloc(r->owner, all->cases, struct example, all->count + 1);
    r->open = &all->cases[all->count++];
    *r->open = (struct example){ .file = r->file, .line = r->line, .spec = r->spec, .kind = EXAMPLE_NO_BYTES };
    r->open->section = word(r, &rest);
    r->open->title = talloc_strdup(r->owner, rest);
    buf_init(&r->bytes, r->owner);
    if (!r->spec)
        wrong(r, "no spec line above");
    if (!*r->open->title)
        wrong(r, "an example needs a section and a title");
}

static void on_struct(struct reader *r, const char *rest)
{
    if (r->open->structure || !*rest)
        wrong(r, "an example has one struct");
    r->open->structure = talloc_strdup(r->owner, rest);
}

static void set_number(struct reader *r, struct example_value *v, const char *digits)
{
    char *end;
    size_t n = strlen(digits);
    errno = 0;
    v->type = EXAMPLE_NUMBER;
    v->number = strtoull(digits, &end, 16);
    v->width = (unsigned)(n / 2);
    if (*end || errno || !n || n % 2 || n > 16)
        wrong(r, "a number is 0x and one to eight pairs of digits");
}

/* "...", with \" for a quote and \\ for a backslash. */
static void set_text(struct reader *r, struct example_value *v, const char *quoted)
{
    char *to = talloc_array(r->owner, char, strlen(quoted) + 1);
    v->type = EXAMPLE_TEXT;
    v->text = to;
    const char *at = quoted + 1;
    while (*at && *at != '"') {
        at += *at == '\\' && at[1];
        *to++ = *at++;
    }
    *to = 0;
    if (strcmp(at, "\""))
        wrong(r, "text ends with its closing quote");
}

static void set_bytes(struct reader *r, struct example_value *v, const char *bracketed)
{
    size_t n = strlen(bracketed);
    v->type = EXAMPLE_BYTES;
    if (n < 2 || bracketed[n - 1] != ']' ||
        !hex_parse(r->owner, talloc_strndup(r->owner, bracketed + 1, n - 2), &v->bytes))
        wrong(r, "bytes are pairs of digits between [ and ]");
}

static void add_value(struct reader *r, struct example_value **values, size_t *count, const char *rest)
{
    struct example_value v = { .name = word(r, &rest) };
    if (*rest == '"')
        set_text(r, &v, rest);
    else if (*rest == '[')
        set_bytes(r, &v, rest);
    else if (text_is_prefix(rest, "0x"))
        set_number(r, &v, rest + 2);
    else
        wrong(r, "a value is 0x12, \"text\" or [12 34]");
    *values = talloc_realloc(r->owner, *values, struct example_value, *count + 1);
    (*values)[(*count)++] = v;
}

static void on_frame(struct reader *r, const char *rest)
{
    add_value(r, &r->open->frame, &r->open->frame_count, rest);
}

static void on_field(struct reader *r, const char *rest)
{
    add_value(r, &r->open->fields, &r->open->field_count, rest);
}

static void on_columns(struct reader *r, const char *rest)
{
    struct example *e = r->open;
    while (*rest) {
        char *end;
        const char *tag = word(r, &rest);
        e->columns = talloc_realloc(r->owner, e->columns, uint32_t, e->column_count + 1);
        e->columns[e->column_count++] = (uint32_t)strtoul(tag, &end, 16);
        if (strlen(tag) != strlen("0x66740014") || *end)
            wrong(r, "a column is a property tag of eight digits");
    }
}

static void on_note(struct reader *r, const char *rest)
{
    const char *before = r->open->note;
    r->open->note = before ? talloc_asprintf(r->owner, "%s; %s", before, rest) : talloc_strdup(r->owner, rest);
}

static void on_skip(struct reader *r, const char *rest)
{
    r->open->skip = true;
    if (*rest || !r->open->note)
        wrong(r, "skip stands alone, and a note above says why");
}

/* In the order of enum example_kind. */
static const char *const kinds[] = { "rop-request",   "rop-response", "rop-input",    "rop-output",   "request-body",
                                     "response-body", "data",         "http-request", "http-response" };

static void on_bytes(struct reader *r, enum example_kind kind, const char *rest)
{
    struct blob more;
    if (r->open->kind != EXAMPLE_NO_BYTES && r->open->kind != kind)
        wrong(r, "an example has bytes of one kind");
    r->open->kind = kind;
    if (kind >= EXAMPLE_HTTP_REQUEST)
        buf_printf(&r->bytes, "%s\r\n", rest);
    else if (!hex_parse(r->owner, rest, &more) || !more.size)
        wrong(r, "bytes are pairs of digits");
    else
        buf_add(&r->bytes, more.data, more.size);
}

static const struct {
    const char *keyword;
    void (*on)(struct reader *, const char *rest);
} keywords[] = {
    { "spec", on_spec },   { "example", on_example }, { "struct", on_struct }, { "frame", on_frame },
    { "field", on_field }, { "columns", on_columns }, { "note", on_note },     { "skip", on_skip },
};
enum { IN_EXAMPLE = 2 }; /* keywords from here on belong to an example */

static void on_line(struct reader *r, const char *line)
{
    const char *rest = line, *first = word(r, &rest);
    for (size_t i = 0; i < COUNTOF(keywords); i++)
        if (!strcmp(first, keywords[i].keyword)) {
            if (i >= IN_EXAMPLE && !r->open)
                wrong(r, "no example line above");
            else
                keywords[i].on(r, rest);
            return;
        }
    for (size_t i = 0; i < COUNTOF(kinds); i++)
        if (!strcmp(first, kinds[i])) {
            if (!r->open)
                wrong(r, "no example line above");
            else
                on_bytes(r, (enum example_kind)i, rest);
            return;
        }
    wrong(r, "unknown keyword");
}

const char *examples_parse(TALLOC_CTX *owner, const char *file, const char *text, struct examples *all)
{
    struct reader r = { .owner = owner, .file = talloc_strdup(owner, file), .all = all };
    while (*text && !r.wrong) {
        size_t n = strcspn(text, "\n"), kept = n;
        r.line++;
        while (kept && strchr(" \t\r", text[kept - 1]))
            kept--;
        if (kept && *text != '#')
            on_line(&r, talloc_strndup(owner, text, kept));
        text += n + (text[n] == '\n');
    }
    close_example(&r);
    return r.wrong;
}

static const char *load_file(TALLOC_CTX *owner, const char *path, struct examples *all)
{
    FILE *in = fopen(path, "r");
    if (!in)
        return talloc_asprintf(owner, "%s: %s", path, strerror(errno));
    struct buf text;
    char part[4096];
    size_t n;
    buf_init(&text, owner);
    while ((n = fread(part, 1, sizeof part, in)) > 0)
        buf_add(&text, part, n);
    buf_add(&text, "", 1);
    fclose(in);
    return examples_parse(owner, path, (const char *)text.data, all);
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static bool has_examples(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot && (!strcmp(dot, ".example") || !strcmp(dot, ".http"));
}

const char *examples_load(TALLOC_CTX *owner, const char *directory, struct examples *all)
{
    char *const roots[] = { talloc_strdup(owner, directory), NULL };
    FTS *walk = fts_open(roots, FTS_LOGICAL | FTS_NOCHDIR, by_name);
    const char *error = walk ? NULL : "the directory cannot be read";
    const FTSENT *entry;
    while (!error && walk && (entry = fts_read(walk)))
        if (entry->fts_info == FTS_F && has_examples(entry->fts_name))
            error = load_file(owner, entry->fts_path, all);
    if (walk)
        fts_close(walk);
    return error;
}

const struct example_value *example_field(const struct example *e, const char *name)
{
    for (size_t i = 0; i < e->field_count; i++)
        if (!strcmp(e->fields[i].name, name))
            return &e->fields[i];
    return NULL;
}
