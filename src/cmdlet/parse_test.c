/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "cmdlet/table.h"

static TALLOC_CTX *arena;
static const char *why;
static bool unfinished;

static int arena_new(void **state)
{
    (void)state;
    arena = talloc_new(NULL);
    return 0;
}

static int arena_free(void **state)
{
    (void)state;
    return talloc_free(arena);
}

static const struct script *parsed(const char *text)
{
    const struct script *script = parse_script(arena, text, &why, &unfinished);
    if (!script)
        fail_msg("%s: %s", text, why);
    return script;
}

static const struct command *one_command(const char *text)
{
    const struct script *script = parsed(text);
    assert_int_equal(script->count, 1);
    assert_int_equal(script->statements[0]->count, 1);
    return script->statements[0]->commands[0];
}

/* The tree as text: every value in its kind's brackets. */
static void print_node(struct buf *out, const struct node *node)
{
    switch (node->kind) {
    case NODE_VALUE: {
        static const char *const forms[] = { [VALUE_NULL] = "null%s", [VALUE_BOOL] = "<%s>", [VALUE_INT] = "#%s",
                                             [VALUE_TEXT] = "[%s]" };
        buf_printf(out, "%s", "");
        const char *text = value_text(arena, node->value);
        if (node->value.kind == VALUE_INT)
            text = talloc_asprintf(arena, "%lld", (long long)node->value.integer);
        char *form = talloc_strdup(arena, forms[node->value.kind]), *at = strstr(form, "%s");
        buf_printf(out, "%.*s%s%s", (int)(at - form), form, text, at + 2);
        break;
    }
    case NODE_LIST:
    case NODE_HASH:
        buf_printf(out, node->kind == NODE_LIST ? "(" : "@{");
        for (size_t i = 0; i < node->count; i++) {
            if (node->kind == NODE_HASH)
                buf_printf(out, "%s=", node->keys[i]);
            print_node(out, node->items[i]);
        }
        buf_printf(out, node->kind == NODE_LIST ? ")" : "}");
        break;
    case NODE_STATEMENT:
        buf_printf(out, "statement%s%s", node->member ? "." : "", node->member ? node->member : "");
        break;
    case NODE_BLOCK: buf_printf(out, "{}"); break;
    }
}

static const char *tree(const char *text)
{
    struct buf out;
    buf_init(&out, arena);
    const struct script *script = parsed(text);
    for (size_t s = 0; s < script->count; s++) {
        buf_printf(&out, s ? " ; " : "");
        for (size_t c = 0; c < script->statements[s]->count; c++) {
            const struct command *command = script->statements[s]->commands[c];
            buf_printf(&out, "%s%s", c ? " | " : "", command->name ? command->name : "");
            if (command->value)
                print_node(&out, command->value);
            for (size_t a = 0; a < command->count; a++) {
                if (command->arguments[a].parameter)
                    buf_printf(&out, " -%s%s", command->arguments[a].parameter, command->arguments[a].value ? ":" : "");
                else
                    buf_printf(&out, " ");
                if (command->arguments[a].value)
                    print_node(&out, command->arguments[a].value);
            }
        }
    }
    return talloc_strndup(arena, out.size ? (char *)out.data : "", out.size);
}

static void the_lines_of_microsofts_page_are_read(void **state)
{
    (void)state;
    static const struct { const char *line, *tree; } lines[] = {
        { "Set-MapiVirtualDirectory -Identity \"Contoso\\mapi (Default Web Site)\" -InternalUrl "
          "https://Contoso.com/mapi"
          " -IISAuthenticationMethods Negotiate",
          "Set-MapiVirtualDirectory -Identity [Contoso\\mapi (Default Web Site)] -InternalUrl "
          "[https://Contoso.com/mapi]"
          " -IISAuthenticationMethods [Negotiate]" },
        { "Set-OrganizationConfig -MapiHttpEnabled $true", "Set-OrganizationConfig -MapiHttpEnabled <True>" },
        { "Test-OutlookConnectivity -RunFromServerId ContosoMail -ProbeIdentity OutlookMapiHttpSelfTestProbe",
          "Test-OutlookConnectivity -RunFromServerId [ContosoMail] -ProbeIdentity [OutlookMapiHttpSelfTestProbe]" },
        { "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -ExternalUrl https://mail.contoso.com/mapi",
          "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -ExternalUrl [https://mail.contoso.com/mapi]" },
        { "Get-MapiVirtualDirectory -Server EX01 | fl InternalUrl,ExternalUrl,IISAuthenticationMethods",
          "Get-MapiVirtualDirectory -Server [EX01] | fl ([InternalUrl][ExternalUrl][IISAuthenticationMethods])" },
        { "Get-OrganizationConfig | fl *mapi*", "Get-OrganizationConfig | fl [*mapi*]" },
        { "Get-CASMailbox -ResultSize unlimited | ? {$_.MapiHttpEnabled -ne $null} | ft Name,MapiHttpEnabled",
          "Get-CASMailbox -ResultSize [unlimited] | ? {} | ft ([Name][MapiHttpEnabled])" },
        { "Get-Mailbox -Database DB01 | Set-CASMailbox -MapiHttpEnabled $false",
          "Get-Mailbox -Database [DB01] | Set-CASMailbox -MapiHttpEnabled <False>" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        assert_string_equal(tree(lines[i].line), lines[i].tree);
}

static void quotation_marks_work_as_in_PowerShell(void **state)
{
    (void)state;
    static const struct { const char *line, *tree; } lines[] = {
        { "x 'it''s $null `n'", "x [it's $null `n]" },
        { "x \"a`\"b\"\"c`$d`te\"", "x [a\"b\"c$d\te]" },
        { "x \"is $true, costs 5$\"", "x [is True, costs 5$]" },
        { "x a\"b c\"'d e'f", "x [ab cd ef]" },
        { "x ''", "x []" },
        { "x -Filter:\"a b\"", "x -Filter:[a b]" },
        { "x \xE2\x80\x93Name \xE2\x80\x9C" "a b\xE2\x80\x9D \xE2\x80\x98" "c\xE2\x80\x99", "x -Name [a b] [c]" },
        { "x Alice` Example", "x [Alice Example]" },
        { "x '5'", "x [5]" },
        { "x \"grüße\"", "x [grüße]" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        assert_string_equal(tree(lines[i].line), lines[i].tree);
}

static void values_have_their_kinds(void **state)
{
    (void)state;
    static const struct { const char *line, *tree; } lines[] = {
        { "x 10 0x1F 2GB -5 1.5 007a", "x #10 #31 #2147483648 #-5 [1.5] [007a]" },
        { "x $TRUE $False $Null", "x <True> <False> null" },
        { "x a,b, c ,d", "x ([a][b][c][d])" },
        { "x @('a','b')", "x statement" },
        { "x -P @{Add='a','b'; Remove='c'}", "x -P @{Add=([a][b])Remove=[c]}" },
        { "x @{\n 'k 1' = 1\n k2=$null\n}", "x @{k 1=#1k2=null}" },
        { "x -Confirm:$false -WhatIf", "x -Confirm:<False> -WhatIf" },
        { "x -Confirm: $false", "x -Confirm:<False>" },
        { "x (Get-Mailbox alice).ExchangeGuid", "x statement.ExchangeGuid" },
        { "(Get-Mailbox alice).ExchangeGuid", "statement.ExchangeGuid" },
        { "'alice','bob' | Get-Mailbox", "([alice][bob]) | Get-Mailbox" },
        { "x SERVER\\mapi*", "x [SERVER\\mapi*]" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        assert_string_equal(tree(lines[i].line), lines[i].tree);
    assert_string_equal(one_command("x 007")->arguments[0].value->value.text, "007");
}

static void statements_end_at_semicolons_and_lines(void **state)
{
    (void)state;
    assert_string_equal(tree("a;b ; ;c\n\nd # and no more ; x"), "a ; b ; c ; d");
    assert_string_equal(tree("a |\n b -X `\n 1\n<# much\n text #> c"), "a | b -X #1 ; c");
    assert_string_equal(tree("a 1,\n2"), "a (#1#2)");
    assert_string_equal(tree(""), "");
    assert_string_equal(tree(" \n;; # nothing"), "");
    assert_string_equal(tree("a\r\nb 1\r\n"), "a ; b #1");
}

static void what_is_not_part_of_the_language_is_refused_by_name(void **state)
{
    (void)state;
    static const struct { const char *line, *says; } lines[] = {
        { "$x = Get-Mailbox", "$x" },          { "Get-Mailbox $name", "$name" }, { "x \"a $name\"", "$name" },
        { "x > file", "Redirection" },         { "x & y", "'&'" },               { "x | ", "too early" },
        { "x (", "too early" },                { "x 'a", "closing '" },          { "x \"a", "closing \"" },
        { "x @{a=1", "too early" },            { "x )", "Unexpected" },          { "| x", "missing" },
        { "x @{a 1}", "'='" },                 { "x | ? {$_.a -foo 1}", "-foo" }, { "x @splat", "'@'" },
        { "x <# open", "#>" },                 { "x \"a`0b\"", "number 0" },     { "x 'a' | | y", "missing" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++) {
        assert_null(parse_script(arena, lines[i].line, &why, &unfinished));
        if (!strstr(why, lines[i].says))
            fail_msg("%s: %s", lines[i].line, why);
    }
}

static void an_open_bracket_waits_for_more(void **state)
{
    (void)state;
    static const char *const open[] = { "x (", "x 'a", "x \"a", "x |", "x 1,", "x `", "x @{", "x | ? {", "x <# a" };
    static const char *const closed[] = { "x", "x )", "x > y", "", "x 'a'", "$x" };
    for (size_t i = 0; i < COUNTOF(open); i++)
        assert_true(cmdlet_is_unfinished(open[i]));
    for (size_t i = 0; i < COUNTOF(closed); i++)
        assert_false(cmdlet_is_unfinished(closed[i]));
}

static void deep_nesting_is_an_error_and_no_crash(void **state)
{
    (void)state;
    static const char *const openers[] = { "(x ", "@{a=", "{!(", "{ -not " };
    for (size_t i = 0; i < COUNTOF(openers); i++) {
        char *line = talloc_strdup(arena, "x ");
        for (int n = 0; n < 20000; n++)
            line = talloc_strdup_append_buffer(line, openers[i]);
        assert_null(parse_script(arena, line, &why, &unfinished));
    }
}

/* Every beginning of a line with everything in it ends in a tree or in a sentence. */
static void no_beginning_of_a_line_is_read_past_its_end(void **state)
{
    (void)state;
    static const char line[] =
        "Get-Mailbox -Filter \"a -eq 'b'\" | ? { $_.Name -like 'x*' -and -not ($_.N -gt 2GB) } |"
        " Set-Mailbox -EmailAddresses @{Add='a','b'; Remove=(Get-X y).Z} -Confirm:$false `\n # end\n"
        "<# c #> x \xE2\x80\x9Cq\xE2\x80\x9D";
    for (size_t n = 0; n <= strlen(line); n++) {
        char *copy = malloc(n + 1);                                 /* exact size: a sanitizer sees a read past it */
        memcpy(copy, line, n);
        copy[n] = 0;
        why = NULL;
        const struct script *script = parse_script(arena, copy, &why, &unfinished);
        assert_true((script != NULL) != (why != NULL));
        free(copy);
    }
}

/* Filters, over an object with one property of each kind. */
static struct object sample(void)
{
    static const char *const names[] = { "Name", "Count", "On", "Nothing", "List", "When" };
    const char *const items[] = { "SMTP:a@b", "x" };
    const struct value values[] = { v_text("Alice"),          v_int(7), v_bool(true), v_null(),
                                    v_texts(arena, items, 2), v_time(5) };
    return object_of_values(arena, "Sample", names, values, COUNTOF(values));
}

static void filters_compare_as_PowerShell_does(void **state)
{
    (void)state;
    static const struct { const char *filter; bool holds; } filters[] = {
        { "$_.Name -eq 'ALICE'", true },
        { "$_.name -ne 'alice'", false },
        { "$_.Name -like 'a*E'", true },
        { "$_.Name -like '[a-c]l?ce'", true },
        { "$_.Name -notlike 'b*'", true },
        { "$_.Name -match '^al'", true },
        { "$_.Name -notmatch 'z'", true },
        { "$_.Count -gt 5", true },
        { "$_.Count -ge 8", false },
        { "$_.Count -lt 10", true },
        { "$_.Count -eq '7'", true },
        { "$_.On -eq $true", true },
        { "$_.On", true },
        { "-not $_.On", false },
        { "!$_.Nothing", true },
        { "$_.Nothing -eq $null", true },
        { "$_.Name -ne $null", true },
        { "$_.Missing -eq $null", true },
        { "$_.List -contains 'X'", true },
        { "$_.List -like 'smtp:*'", true },
        { "$_.Name -in 'bob','alice'", true },
        { "$_.Name -notin 'bob'", true },
        { "$_.List -notcontains 'y'", true },
        { "Name -eq 'Alice'", true },
        { "($_.Count -eq 1) -or ($_.Count -eq 7 -and $_.On)", true },
        { "$_.Name -ieq 'alice'", true },
        { "$_.Count -eq 1 -or $_.Count -eq 2", false },
        { "$PSItem.Count -eq 7", true },
        { "$_.Name -eq ''", false },
        { "$_.Nothing -like '*'", true },
        { "$_.Name -match '('", false },
    };
    const struct object object = sample();
    for (size_t i = 0; i < COUNTOF(filters); i++) {
        const struct condition *condition = parse_filter(arena, filters[i].filter, &why);
        if (!condition || condition_holds(arena, condition, &object) != filters[i].holds)
            fail_msg("%s", filters[i].filter);
    }
    assert_null(parse_filter(arena, "Name -eq 'a' x", &why));
    assert_null(parse_filter(arena, "", &why));
}

static void patterns_fit_whole_texts_without_case(void **state)
{
    (void)state;
    assert_true(text_like("MapiHttpEnabled", "*mapi*"));
    assert_true(text_like("abcabd", "*ab?"));
    assert_true(text_like("", "*"));
    assert_true(text_like("ÄRGER", "är*"));
    assert_true(text_like("a[b", "a[b"));
    assert_true(text_like("x-z", "x[a-]z"));
    assert_false(text_like("abc", "ab"));
    assert_false(text_like("abc", "*d"));
    assert_false(text_like("", "?"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(the_lines_of_microsofts_page_are_read),
        TEST(quotation_marks_work_as_in_PowerShell),
        TEST(values_have_their_kinds),
        TEST(statements_end_at_semicolons_and_lines),
        TEST(what_is_not_part_of_the_language_is_refused_by_name),
        TEST(an_open_bracket_waits_for_more),
        TEST(deep_nesting_is_an_error_and_no_crash),
        TEST(no_beginning_of_a_line_is_read_past_its_end),
        TEST(filters_compare_as_PowerShell_does),
        TEST(patterns_fit_whole_texts_without_case),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
