/* SPDX-License-Identifier: Apache-2.0 */
/* Public folders by cmdlets, in a mailbox of their own. */
#include "cmdlet/fixture.h"
#include "store/store.h"

static int begin(void **state)
{
    fixture_new(state);
    struct fixture *f = *state;
    f->context.store_create = cmdlet_store_create;
    f->context.store_remove = cmdlet_store_remove;
    f->context.account_changed = cmdlet_store_changed;
    f->context.store_arg = f->context.stores = store_pool_new(f->open, NULL, NULL);
    run(f, ALICE);
    return 0;
}
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, fixture_free)

static struct fixture *with_folders(void **state)
{
    struct fixture *f = *state;
    run(f, "New-Mailbox -PublicFolder -Name PublicFolders");
    run(f, "New-PublicFolder Sales");
    run(f, "New-PublicFolder Orders -Path \\Sales");
    run(f, "New-PublicFolder 2026 -Path \\sales\\ORDERS");
    return f;
}

static void there_are_none_before_their_mailbox(void **state)
{
    struct fixture *f = *state;
    refused(f, "Get-PublicFolder", "No active public folder mailboxes were found");
    refused(f, "New-PublicFolder Sales", "New-Mailbox -PublicFolder makes one");
}

static void folders_are_made_and_found_by_path(void **state)
{
    struct fixture *f = with_folders(state);
    assert_string_equal(run(f, "Get-PublicFolder -Recurse | select -Expand Identity"),
                        "\\\n\\Sales\n\\Sales\\Orders\n\\Sales\\Orders\\2026\n");
    assert_string_equal(run(f, "Get-PublicFolder \\Sales -GetChildren | select -Expand Name"), "Orders\n");
    assert_string_equal(run(f, "(Get-PublicFolder \\Sales\\Orders).ParentPath"), "\\Sales\n");
    assert_string_equal(run(f, "(Get-PublicFolder (Get-PublicFolder \\Sales).EntryId).Identity"), "\\Sales\n");
    assert_string_equal(run(f, "(Get-PublicFolder '\\NON_IPM_SUBTREE\\EFORMS REGISTRY').Name"), "EFORMS REGISTRY\n");
    assert_string_equal(run(f, "Get-PublicFolder -Recurse -ResultSize 2 | select -Expand Name"), "IPM_SUBTREE\nSales\n");
    refused(f, "Get-PublicFolder \\Nowhere", "object '\\Nowhere' couldn't be found");
    refused(f, "Get-PublicFolder Sales", "couldn't be found");
    refused(f, "New-PublicFolder SALES", "already exists");
    refused(f, "New-PublicFolder 'a\\b'", "can't be empty or contain");
}

static void folders_are_renamed_moved_and_removed(void **state)
{
    struct fixture *f = with_folders(state);
    run(f, "Set-PublicFolder \\Sales\\Orders -Name Deals");
    run(f, "Set-PublicFolder \\Sales\\Deals\\2026 -Path \\Sales");
    assert_string_equal(run(f, "Get-PublicFolder \\Sales -Recurse | select -Expand Identity"),
                        "\\Sales\n\\Sales\\2026\n\\Sales\\Deals\n");
    refused(f, "Set-PublicFolder \\Sales -Path \\Sales\\Deals", "couldn't be changed");
    refused(f, "Remove-PublicFolder \\Sales -Confirm:$false", "has subfolders");
    refused(f, "Remove-PublicFolder \\ -Recurse -Confirm:$false", "couldn't be removed");
    run(f, "Remove-PublicFolder \\Sales -Recurse -Confirm:$false");
    assert_string_equal(run(f, "Get-PublicFolder -Recurse | select -Expand Identity"), "\\\n");
}

static void everybody_is_an_author_unless_told_otherwise(void **state)
{
    struct fixture *f = with_folders(state);
    assert_string_equal(run(f, "Get-PublicFolderClientPermission \\Sales | select -Expand User"),
                        "Default\nAnonymous\n");
    assert_string_equal(run(f, "(Get-PublicFolderClientPermission \\Sales -User Default).AccessRights"), "Author\n");
    assert_string_equal(run(f, "(Get-PublicFolderClientPermission \\Sales -User Anonymous).AccessRights"), "None\n");
    run(f, "Add-PublicFolderClientPermission \\Sales -User alice -AccessRights PublishingEditor");
    assert_string_equal(run(f, "(Get-PublicFolderClientPermission \\Sales -User alice).AccessRights"),
                        "PublishingEditor\n");
    refused(f, "Add-PublicFolderClientPermission \\Sales -User alice -AccessRights Owner",
            "An existing permission entry was found for user: Alice Example.");
    refused(f, "Add-PublicFolderClientPermission \\Sales -User Default -AccessRights Owner", "An existing permission");
    run(f, "Remove-PublicFolderClientPermission \\Sales -User alice -Confirm:$false");
    refused(f, "Get-PublicFolderClientPermission \\Sales -User alice", "no existing permission entry");
    run(f, "Remove-PublicFolderClientPermission \\Sales -User Default -Confirm:$false");
    run(f, "Add-PublicFolderClientPermission \\Sales -User Default -AccessRights ReadItems,CreateItems,FolderVisible");
    assert_string_equal(run(f, "(Get-PublicFolderClientPermission \\Sales -User Default).AccessRights"),
                        "ReadItems\nCreateItems\nFolderVisible\n");
    run(f, "New-PublicFolder Below -Path \\Sales");
    assert_string_equal(run(f, "(Get-PublicFolderClientPermission \\Sales\\Below -User Default).AccessRights"),
                        "ReadItems\nCreateItems\nFolderVisible\n");
    refused(f, "Add-PublicFolderClientPermission \\Sales -User alice -AccessRights Reader", "\"Reader\" is not a role");
    refused(f, "Add-PublicFolderClientPermission \\Sales -User nobody -AccessRights Owner", "couldn't be found");
}

static void a_folder_has_an_address_of_its_own(void **state)
{
    struct fixture *f = with_folders(state);
    run(f, "Enable-MailPublicFolder \\Sales\\Orders");
    refused(f, "Enable-MailPublicFolder \\Sales\\Orders", "The public folder is mail-enabled already, as \"Orders\".");
    assert_string_equal(run(f, "Get-MailPublicFolder | select -Expand PrimarySmtpAddress"), "Orders@contoso.com\n");
    assert_string_equal(run(f, "(Get-MailPublicFolder \\Sales\\Orders).Alias"), "Orders\n");
    assert_string_equal(run(f, "(Get-MailPublicFolder orders@contoso.com).Alias"), "Orders\n");
    assert_string_equal(run(f, "Get-PublicFolder -Recurse | ? { $_.MailEnabled } | select -Expand Name"), "Orders\n");
    assert_string_equal(run(f, "Get-Mailbox | select -Expand Name"), "alice\n");
    refused(f, "Get-Mailbox orders@contoso.com", "couldn't be found");
    refused(f, "Get-MailPublicFolder alice", "couldn't be found");
    run(f, "New-PublicFolder Orders; Enable-MailPublicFolder \\Orders");
    assert_string_equal(run(f, "(Get-MailPublicFolder \\Orders).PrimarySmtpAddress"), "Orders1@contoso.com\n");
    run(f, "Disable-MailPublicFolder \\Orders -Confirm:$false");
    refused(f, "Get-MailPublicFolder \\Orders", "isn't mail-enabled");
    run(f, "Remove-PublicFolder \\Sales -Recurse -Confirm:$false");
    assert_string_equal(run(f, "Get-MailPublicFolder"), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(there_are_none_before_their_mailbox),   TEST(folders_are_made_and_found_by_path),
        TEST(folders_are_renamed_moved_and_removed), TEST(everybody_is_an_author_unless_told_otherwise),
        TEST(a_folder_has_an_address_of_its_own),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
