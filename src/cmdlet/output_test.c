/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "cmdlet/fixture.h"

static void shown(struct fixture *f, const char *line, enum cmdlet_output output, const char *expected)
{
    run_as(f, line, output);
    assert_string_equal(f->last.err, "");
    assert_string_equal(f->last.out, expected);
}

static void a_noun_has_its_own_table(void **state)
{
    struct fixture *f = *state;
    run(f, "New-AcceptedDomain Fabrikam -DomainName fabrikam.com -DomainType InternalRelay");
    shown(f, "Get-AcceptedDomain", CMDLET_DEFAULT,
          "\n"
          "Name        DomainName   DomainType    Default\n"
          "----        ----------   ----------    -------\n"
          "contoso.com contoso.com  Authoritative    True\n"
          "Fabrikam    fabrikam.com InternalRelay   False\n"
          "\n");
}

static void Format_Table_chooses_its_columns(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    shown(f, "Get-CASMailbox | ft Name,MapiHttpEnabled,NoSuchThing -AutoSize", CMDLET_DEFAULT,
          "\n"
          "Name  MapiHttpEnabled\n"
          "----  ---------------\n"
          "alice\n"
          "\n");
    shown(f, "Get-CASMailbox", CMDLET_DEFAULT,
          "\n"
          "Name  ActiveSyncEnabled OWAEnabled PopEnabled ImapEnabled MapiEnabled\n"
          "----  ----------------- ---------- ---------- ----------- -----------\n"
          "alice             False      False      False       False        True\n"
          "\n");
    shown(f, "Get-CASMailbox | ft Name -HideTableHeaders", CMDLET_DEFAULT, "\nalice\n\n");
}

static void Format_List_pads_names_and_leaves_null_blank(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "New-Mailbox bob -Password x");
    shown(f, "Get-Mailbox | fl Name,EmailAddresses; Get-CASMailbox bob | fl MapiHttpEnabled", CMDLET_DEFAULT,
          "\n"
          "Name           : alice\n"
          "EmailAddresses : {SMTP:alice@contoso.com}\n"
          "\n"
          "Name           : bob\n"
          "EmailAddresses : {SMTP:bob@contoso.com}\n"
          "\n"
          "\n"
          "MapiHttpEnabled :\n"
          "\n");
}

/* More than four properties and no view: a list, unless a table is asked for. */
static void without_a_view_the_number_of_properties_decides(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    shown(f, "Get-Mailbox | select Name,Alias", CMDLET_DEFAULT, "\nName  Alias\n----  -----\nalice alice\n\n");
    shown(f, "Get-Mailbox | select Name,Alias", CMDLET_LIST, "\nName  : alice\nAlias : alice\n\n");
    run(f, "Get-Mailbox | select Name,Alias,Database,ServerName,DisplayName");
    assert_non_null(strstr(f->last.out, "DisplayName : Alice Example"));
    run_as(f, "Get-Mailbox | select Name,Alias,Database,ServerName,DisplayName", CMDLET_TABLE);
    assert_non_null(strstr(f->last.out, "alice alice DB01     MAIL       Alice Example"));
    run(f, "Get-OrganizationConfig");
    assert_non_null(strstr(f->last.out, "MapiHttpEnabled            : True"));
}

static void a_table_fits_its_window(void **state)
{
    struct fixture *f = *state;
    run(f, "New-Mailbox bob -Password x -DisplayName 'Ein ziemlich länglicher Name für Öffentlichkeitsarbeit'");
    f->context.width = 30;
    shown(f, "Get-Mailbox | ft Name,DisplayName,Database", CMDLET_DEFAULT,
          "\n"
          "Name DisplayName      Database\n"
          "---- -----------      --------\n"
          "bob  Ein ziemlich ... DB01\n"
          "\n");
    f->context.width = 20;
    shown(f, "Get-Mailbox | ft Name,DisplayName,Database", CMDLET_DEFAULT,
          "\n"
          "Name DisplayName\n"
          "---- -----------\n"
          "bob  Ein ziemlich...\n"
          "\n");
}

static json_t *json_of(struct fixture *f, const char *line)
{
    run_as(f, line, CMDLET_JSON);
    json_t *json = json_loads(f->last.out, 0, NULL);
    assert_non_null(json);
    assert_true(json_is_array(json));
    return json;
}

static void json_is_one_array_with_typed_values(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    json_t *json = json_of(f, "Get-CASMailbox alice; Get-Mailbox alice | fl Name,*Guid; 'text'");
    assert_int_equal(json_array_size(json), 3);
    json_t *cas = json_array_get(json, 0), *mailbox = json_array_get(json, 1);
    assert_true(json_is_true(json_object_get(cas, "MAPIEnabled")));
    assert_true(json_is_null(json_object_get(cas, "MapiHttpEnabled")));
    assert_string_equal(json_string_value(json_array_get(json_object_get(cas, "EmailAddresses"), 0)),
                        "SMTP:alice@contoso.com");
    const char *when = json_string_value(json_object_get(cas, "WhenCreated"));
    assert_int_equal(strlen(when), strlen("2026-11-23T10:00:00.000Z"));
    assert_int_equal(json_object_size(mailbox), 3);
    assert_int_equal(strlen(json_string_value(json_object_get(mailbox, "ExchangeGuid"))), 36);
    assert_string_equal(json_string_value(json_array_get(json, 2)), "text");
    json_decref(json);

    json = json_of(f, "Set-CASMailbox alice -MapiHttpEnabled $true");
    assert_int_equal(json_array_size(json), 0);
    json_decref(json);
    json = json_of(f, "Get-Nothing");
    assert_int_equal(json_array_size(json), 0);
    assert_int_equal(f->last.status, 1);
    json_decref(json);
    run_as(f, "Get-Mailbox 'open", CMDLET_JSON);
    assert_string_equal(f->last.out, "[]\n");
}

static void csv_quotes_everything(void **state)
{
    struct fixture *f = *state;
    run(f, "New-Mailbox bob -Password x -DisplayName 'Bob \"the, one\"'");
    run(f, "Set-Mailbox bob -EmailAddresses @{Add='b@contoso.com'}");
    shown(f, "Get-Mailbox | select Name,DisplayName,EmailAddresses,HiddenFromAddressListsEnabled", CMDLET_CSV,
          "\"Name\",\"DisplayName\",\"EmailAddresses\",\"HiddenFromAddressListsEnabled\"\n"
          "\"bob\",\"Bob \"\"the, one\"\"\",\"SMTP:bob@contoso.com;smtp:b@contoso.com\",\"False\"\n");
}

static void long_lists_end_in_dots(void **state)
{
    struct fixture *f = *state;
    (void)f;
    const char *items[20];
    for (size_t i = 0; i < COUNTOF(items); i++)
        items[i] = "x";
    assert_string_equal(value_text(f, v_texts(f, items, 17)), "{x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, ...}");
    assert_string_equal(value_text(f, v_texts(f, items, 0)), "{}");
}

static void times_are_local_and_short_in_text(void **state)
{
    struct fixture *f = *state;
    setenv("TZ", "UTC", 1);
    assert_string_equal(value_text(f, v_time(filetime_of_unix(1518592500))), "2/14/2018 7:15:00 AM");
    assert_string_equal(value_text(f, v_time(filetime_of_unix(1518566400))), "2/14/2018 12:00:00 AM");
    assert_string_equal(value_text(f, v_utc(filetime_of_unix(1518609600))), "2/14/2018 12:00:00 PM");
    assert_string_equal(value_plain(f, v_time(filetime_of_unix(1518592500))), "2018-02-14T07:15:00.000Z");
}

/* A display name is whatever somebody typed; it must not command the administrator's terminal. */
static void control_characters_do_not_reach_the_terminal(void **state)
{
    struct fixture *f = *state;
    shown(f, "\"a`e[31mb`n`tc\"", CMDLET_DEFAULT, "a [31mb\n\tc\n");
    run(f, "New-Mailbox bob -Password x -DisplayName \"Bob\xC2\x9B" "31m\"");
    shown(f, "Get-Mailbox | fl DisplayName", CMDLET_DEFAULT, "\nDisplayName : Bob  31m\n\n");
    shown(f, "Get-Mailbox | ft DisplayName -HideTableHeaders", CMDLET_DEFAULT, "\nBob  31m\n\n");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)
    const struct CMUnitTest tests[] = {
        TEST(a_noun_has_its_own_table),
        TEST(Format_Table_chooses_its_columns),
        TEST(Format_List_pads_names_and_leaves_null_blank),
        TEST(without_a_view_the_number_of_properties_decides),
        TEST(a_table_fits_its_window),
        TEST(json_is_one_array_with_typed_values),
        TEST(csv_quotes_everything),
        TEST(long_lists_end_in_dots),
        TEST(times_are_local_and_short_in_text),
        TEST(control_characters_do_not_reach_the_terminal),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
