/* SPDX-License-Identifier: Apache-2.0 */
#include "examples.h"

#include <setjmp.h>
#include <cmocka.h>

static int setup(void **state)
{
    struct examples *all = talloc_zero(NULL, struct examples);
    const char *error = examples_load(all, EXAMPLES_DIR, all);
    if (error)
        print_error("%s\n", error);
    *state = all;
    return error ? -1 : 0;
}

static int teardown(void **state)
{
    talloc_free(*state);
    return 0;
}

static void every_file_is_read_and_every_case_has_a_struct_and_bytes(void **state)
{
    const struct examples *all = *state;
    bool seen[EXAMPLE_NO_BYTES] = { false };
    for (size_t i = 0; i < all->count; i++) {
        const struct example *e = &all->cases[i];
        assert_non_null(e->spec);
        assert_non_null(e->structure);
        assert_true(e->bytes.size > 0);
        assert_true(e->kind < EXAMPLE_NO_BYTES);
        seen[e->kind] = true;
    }
    assert_true(seen[EXAMPLE_ROP_REQUEST] && seen[EXAMPLE_ROP_RESPONSE] && seen[EXAMPLE_ROP_INPUT] &&
                seen[EXAMPLE_ROP_OUTPUT] && seen[EXAMPLE_DATA] && seen[EXAMPLE_HTTP_REQUEST]);
}

static void no_section_has_the_same_title_twice(void **state)
{
    const struct examples *all = *state;
    for (size_t i = 0; i < all->count; i++)
        for (size_t j = 0; j < i; j++) {
            const struct example *a = &all->cases[i], *b = &all->cases[j];
            if (!strcmp(a->spec, b->spec) && !strcmp(a->section, b->section))
                assert_string_not_equal(a->title, b->title);
        }
}

/* Steps over `want` if it stands at `*at`. */
static bool step(struct blob *at, struct blob want)
{
    if (at->size < want.size || !blob_equal(BLOB_OF(at->data, want.size), want))
        return false;
    *at = BLOB_OF(at->data + want.size, at->size - want.size);
    return true;
}

static bool step_number(struct blob *at, uint64_t number, unsigned width)
{
    uint8_t raw[8];
    put_le64(raw, number);
    return step(at, BLOB_OF(raw, width));
}

static bool step_text(TALLOC_CTX *arena, struct blob *at, const char *text)
{
    struct buf wide;
    struct blob utf16 = utf16_of_utf8(arena, text);
    buf_init(&wide, arena);
    buf_add(&wide, utf16.data, utf16.size);
    buf_add(&wide, "\0", 2);
    return step(at, buf_blob(&wide)) || step(at, BLOB_OF(text, strlen(text) + 1));
}

/* A counted binary, or plain bytes. */
static bool step_bytes(struct blob *at, struct blob bytes)
{
    struct blob after_count = *at;
    if (step_number(&after_count, bytes.size, 2) && step(&after_count, bytes)) {
        *at = after_count;
        return true;
    }
    return step(at, bytes);
}

static bool step_value(TALLOC_CTX *arena, struct blob *at, const struct example_value *v)
{
    switch (v->type) {
    case EXAMPLE_NUMBER: return step_number(at, v->number, v->width);
    case EXAMPLE_TEXT: return step_text(arena, at, v->text);
    case EXAMPLE_BYTES: return step_bytes(at, v->bytes);
    }
    return false;
}

static void follow(TALLOC_CTX *arena, const struct example *e, struct blob *at, const struct example_value *values,
                   size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!step_value(arena, at, &values[i]))
            fail_msg("%s:%u: %s is not at byte %zu", e->file, e->line, values[i].name, e->bytes.size - at->size);
}

/* This finds a slip of the pen in either of the two, without any codec of ours. */
static void the_values_one_after_the_other_are_the_bytes(void **state)
{
    struct examples *all = *state;
    for (size_t i = 0; i < all->count; i++) {
        const struct example *e = &all->cases[i];
        struct blob at = e->bytes;
        if (e->kind >= EXAMPLE_DATA)
            continue;
        follow(all, e, &at, e->frame, e->frame_count);
        follow(all, e, &at, e->fields, e->field_count);
        if (at.size && !e->skip)
            fail_msg("%s:%u: %zu bytes have no value", e->file, e->line, at.size);
    }
}

static void a_field_is_found_by_its_name(void **state)
{
    struct examples *all = *state;
    for (size_t i = 0; i < all->count; i++)
        if (!strcmp(all->cases[i].structure, "RopCreateFolderRequest")) {
            const struct example_value *name = example_field(&all->cases[i], "DisplayName");
            assert_non_null(name);
            assert_string_equal(name->text, "Folder1");
            assert_null(example_field(&all->cases[i], "NoSuchField"));
            return;
        }
    fail_msg("no RopCreateFolderRequest");
}

static void a_case_is_read_in_full(void **state)
{
    struct examples one = { NULL, 0 };
    assert_null(examples_parse(*state, "t",
                               "# comment\nspec MS-T\n\nexample 4.1 A title\nstruct S\n"
                               "columns 0x0037001F 0x0E060040\ndata 01 02\ndata 0a\nframe A 0x0b\n"
                               "field B[0].C \"a \\\"b\\\" \\\\\"\nfield D [de ad]\n"
                               "note one\nnote two\nskip\n",
                               &one));
    assert_int_equal(one.count, 1);
    const struct example *e = &one.cases[0];
    assert_string_equal(e->section, "4.1");
    assert_string_equal(e->title, "A title");
    assert_int_equal(e->line, 4);
    assert_int_equal(e->column_count, 2);
    assert_int_equal(e->columns[1], 0x0E060040);
    assert_int_equal(e->bytes.size, 3);
    assert_int_equal(e->bytes.data[2], 10);
    assert_int_equal(e->frame[0].number, 11);
    assert_int_equal(e->frame[0].width, 1);
    assert_string_equal(e->fields[0].name, "B[0].C");
    assert_string_equal(e->fields[0].text, "a \"b\" \\");
    assert_int_equal(e->fields[1].bytes.size, 2);
    assert_string_equal(e->note, "one; two");
    assert_true(e->skip);
}

static void what_is_wrong_is_said_with_its_line(void **state)
{
    static const struct {
        const char *text, *where;
    } wrongs[] = {
        { "spec S\nnonsense\n", "t:2: " },
        { "example 1 T\n", "t:1: " },
        { "spec S\nstruct A\n", "t:2: " },
        { "spec S\ndata 00\n", "t:2: " },
        { "spec S\nexample 1 T\nstruct A\ndata 0\n", "t:4: " },
        { "spec S\nexample 1 T\nstruct A\ndata 00\nrop-request 00\n", "t:5: " },
        { "spec S\nexample 1 T\nstruct A\ndata 00\nfield F 12\n", "t:5: " },
        { "spec S\nexample 1 T\nstruct A\ndata 00\nfield F 0x123\n", "t:5: " },
        { "spec S\nexample 1 T\nstruct A\ndata 00\nfield F \"open\n", "t:5: " },
        { "spec S\nexample 1 T\nstruct A\ndata 00\nfield F [0]\n", "t:5: " },
        { "spec S\nexample 1 T\nstruct A\ncolumns 0x12\n", "t:4: " },
        { "spec S\nexample 1 T\nstruct A\ndata 00\nskip\n", "t:5: " },
        { "spec S\nexample 1 T\nstruct A\n", "t:3: " },
        { "spec S\nexample 1 T\ndata 00\n", "t:3: " },
    };
    for (size_t i = 0; i < COUNTOF(wrongs); i++) {
        struct examples none = { NULL, 0 };
        const char *error = examples_parse(*state, "t", wrongs[i].text, &none);
        assert_non_null(error);
        assert_true(text_is_prefix(error, wrongs[i].where));
    }
    struct examples none = { NULL, 0 };
    assert_null(examples_load(*state, EXAMPLES_DIR "/mapihttp", &none));
    assert_true(none.count > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_file_is_read_and_every_case_has_a_struct_and_bytes),
        cmocka_unit_test(no_section_has_the_same_title_twice),
        cmocka_unit_test(the_values_one_after_the_other_are_the_bytes),
        cmocka_unit_test(a_field_is_found_by_its_name),
        cmocka_unit_test(a_case_is_read_in_full),
        cmocka_unit_test(what_is_wrong_is_said_with_its_line),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("examples", tests, setup, teardown);
}
