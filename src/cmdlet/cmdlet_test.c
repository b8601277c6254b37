/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/fixture.h"
#include "store/store.h"
#include "sql/sql.h"

static const struct account *account(struct fixture *f, const char *address)
{
    return directory_by_smtp(f->context.directory, f, address);
}

static const struct org_virtual_directory *mapi(struct fixture *f)
{
    return org_directory_of(org_settings(f->context.org, f), ORG_MAPI);
}

static void New_Mailbox_makes_a_mailbox_that_signs_in(void **state)
{
    struct fixture *f = *state;
    const struct account *who = NULL;
    run(f, ALICE);
    assert_int_equal(f->created, 1);
    assert_string_equal(account(f, "alice@contoso.com")->display_name, "Alice Example");
    assert_int_equal(directory_authenticate(f->context.directory, f, "contoso\\alice", "Passw0rd!", &who), ecNone);

    run(f, "new-mailbox -name Bob -userprincipalname bob@contoso.com -alias bobby -first Bob -last Other -database db01"
           " -password (ConvertTo-SecureString -String 'p w' -AsPlainText -Force)");
    const struct account *bob = account(f, "bobby@contoso.com");
    assert_string_equal(bob->alias, "bobby");
    assert_string_equal(bob->last_name, "Other");
    assert_int_equal(directory_authenticate(f->context.directory, f, "BOB@contoso.com", "p w", &who), ecNone);
}

static void what_New_Mailbox_cannot_do_is_said_as_Exchange_says_it(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    static const struct { const char *line, *reason; } lines[] = {
        { "New-Mailbox bob -PrimarySmtpAddress alice@contoso.com -Password x",
          "New-Mailbox: The proxy address \"SMTP:alice@contoso.com\" is already being used by the proxy addresses or"
          " LegacyExchangeDN of \"alice\". Please choose another proxy address." },
        { "New-Mailbox bob -PrimarySmtpAddress bob@contoso.com", "missing mandatory parameters: Password." },
        { "New-Mailbox -Password x", "missing mandatory parameters: Name." },
        { "New-Mailbox bob -Password ''", "The password does not meet the password policy requirements." },
        { "New-Mailbox bob -Password x -Database DB09", "object 'DB09' couldn't be found on 'MAIL'." },
        { "New-Mailbox bob -PrimarySmtpAddress bob -Password x", "Cannot process argument transformation" },
        { "New-Mailbox bob -PrimarySmtpAddress bob@other.com -Password x", "isn't an accepted domain" },
        { "New-Mailbox bob Smith -Password x",
          "A positional parameter cannot be found that accepts argument 'Smith'." },
        { "New-Mailbox bob -Archive", "The parameter 'Archive' of New-Mailbox isn't supported by Oxcart." },
        { "New-Mailbox -Name $null -Password x", "Cannot bind argument to parameter 'Name' because it is null." },
        { "New-Mailbox bob -Password (ConvertTo-SecureString x)", "-AsPlainText" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        refused(f, lines[i].line, lines[i].reason);
    assert_int_equal(f->created, 1);
    f->store_says = ecDiskFull;
    refused(f, "New-Mailbox bob -Password x",
            "The mailbox of \"bob\" couldn't be created in the mailbox database \"DB01\": the disk is full.");
    assert_null(account(f, "bob@contoso.com"));
}

static void one_mailbox_holds_the_public_folders(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    refused(f, "New-Mailbox PF -PublicFolder -Password x", "Parameter set cannot be resolved");
    run(f, "New-Mailbox -PublicFolder -Name PublicFolders");
    assert_int_equal(f->created, 2);
    refused(f, "New-Mailbox -PublicFolder -Name More",
            "The organization's public folders are in the mailbox \"PublicFolders\" already.");
    assert_string_equal(run(f, "Get-Mailbox | select -ExpandProperty Name"), "alice\n");
    assert_string_equal(run(f, "Get-Mailbox -PublicFolder | select -ExpandProperty RecipientTypeDetails"),
                        "PublicFolderMailbox\n");
    assert_string_equal(run(f, "Get-Mailbox -RecipientTypeDetails PublicFolderMailbox | select -Expand Name"),
                        "PublicFolders\n");
    assert_string_equal(run(f, "Get-CASMailbox | select -ExpandProperty Name"), "alice\n");
    refused(f, "Get-Mailbox PublicFolders", "couldn't be found");
    refused(f, "Remove-Mailbox PublicFolders -Confirm:$false", "couldn't be found");
    run(f, "Remove-Mailbox PublicFolders -PublicFolder -Permanent $true -Confirm:$false");
    assert_int_equal(f->removed, 1);
    assert_null(directory_public_folders(f->context.directory, f));
}

static void mistakes_are_said_in_PowerShells_words(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    static const struct { const char *line, *reason; } lines[] = {
        { "Get-Nothing", "The term 'Get-Nothing' is not recognized as the name of a cmdlet, function, script file, or"
                         " operable program. Check the spelling of the name, or if a path was included, verify that the"
                         " path is correct and try again." },
        { "Set-CASMailbox alice -Nope 1", "A parameter cannot be found that matches parameter name 'Nope'." },
        { "Set-CASMailbox alice -Mapi $true",
          "Parameter cannot be processed because the parameter name 'Mapi' is ambiguous. Possible matches include:"
          " -MapiHttpEnabled -MAPIBlockOutlookExternalConnectivity -MAPIEnabled." },
        { "Set-CASMailbox alice -MapiHttpEnabled",
          "Missing an argument for parameter 'MapiHttpEnabled'. Specify a parameter of type 'Boolean' and try again." },
        { "Set-CASMailbox alice -MapiHttpEnabled true", "Cannot process argument transformation on parameter "
                                                        "'MapiHttpEnabled'. Cannot convert value \"System.String\" to"
                                                        " type \"System.Boolean\". Boolean parameters accept only "
                                                        "Boolean values and numbers, such as $True, $False, 1"
                                                        " or 0." },
        { "Set-CASMailbox alice -MAPIEnabled 1 -MAPIEnabled 0", "is specified more than once" },
        { "Set-CASMailbox nobody -MapiHttpEnabled 1",
          "Set-CASMailbox: The operation couldn't be performed because object 'nobody' couldn't be found on 'MAIL'." },
        { "Set-MapiVirtualDirectory mapi* -IISAuthenticationMethods foo",
          "Cannot bind parameter 'IISAuthenticationMethods'. Cannot convert value \"foo\" to type "
          "\"MultiValuedProperty\" due"
          " to enumeration values that are not valid. Specify one of the following enumeration values and try again. "
          "The"
          " possible enumeration values are \"Basic,Ntlm,Negotiate,OAuth\"." },
        { "Set-MapiVirtualDirectory mapi* -InternalUrl 'not a url'",
          "Cannot process argument transformation on parameter 'InternalUrl'. Cannot convert value \"not a url\" to "
          "type"
          " \"System.Uri\"." },
        { "Get-Mailbox | Get-OrganizationConfig", "The input object cannot be bound to any parameters" },
        { "Get-Mailbox alice -Anr al", "Parameter set cannot be resolved using the specified named parameters." },
        { "Get-Mailbox | fl | ft", "can't be piped on" },
        { "Get-Mailbox -ResultSize -3", "Cannot process argument transformation" },
        { "Get-Mailbox alice | ft @{n='x'; e={$_.Name}}", "Computed columns" },
        { "\xff", "UTF-8" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        refused(f, lines[i].line, lines[i].reason);
}

static void names_and_parameters_are_read_in_any_case_and_shortened(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "sEt-cAsMaIlBoX -iDENTITY ALICE -mapih $TRUE");
    assert_int_equal(account(f, "alice@contoso.com")->mapi_http_enabled, ORG_ON);
    run(f, "Set-CasMailbox contoso\\alice -MapiHttpEnabled:$false -MAPIB $true -DomainController dc1 -Verbose -Debug "
           "-ea Stop");
    assert_int_equal(account(f, "alice@contoso.com")->mapi_http_enabled, ORG_OFF);
    assert_true(account(f, "alice@contoso.com")->block_external);
    run(f, "Set-CASMailbox alice -MapiHttpEnabled $null");
    assert_int_equal(account(f, "alice@contoso.com")->mapi_http_enabled, ORG_UNSET);
    run(f, "Set-CASMailbox alice -MAPIEnabled 0");
    assert_false(account(f, "alice@contoso.com")->mapi_enabled);
    assert_string_equal(value_of(f, "Get-CASMailbox alice", "MAPIEnabled"), "False");
    assert_string_equal(value_of(f, "Get-CASMailbox alice", "MapiHttpEnabled"), "");
}

static void a_Set_that_changes_nothing_warns(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    warned(f, "Set-CASMailbox alice -MAPIEnabled $true",
           "WARNING: The command completed successfully but no settings of"
           " 'contoso.com/Users/alice' have been modified.");
    warned(f, "Set-OrganizationConfig -MapiHttpEnabled $true", "no settings of 'Contoso' have been modified.");
    warned(f, "Set-Mailbox alice", "no settings");
    warned(f, "Set-MapiVirtualDirectory mapi*", "no settings of 'MAIL\\mapi (Default Web Site)'");
    warned(f, "Set-OutlookAnywhere Rpc* -InternalHostname mail.contoso.com", "no settings");
    warned(f, "Set-AcceptedDomain contoso.com -MakeDefault $true", "no settings");
    warned(f, "Set-MailboxDatabase DB01", "no settings");
    run(f, "Set-MailboxDatabase DB01 -WarningAction SilentlyContinue");
}

static void the_organisations_switch_is_set_and_shown(void **state)
{
    struct fixture *f = *state;
    run(f, "Set-OrganizationConfig -MapiHttpEnabled $false");
    assert_string_equal(run(f, "Get-OrganizationConfig | Format-List MapiHttpEnabled"),
                        "\nMapiHttpEnabled : False\n\n");
    run(f, "Set-OrganizationConfig -MapiHttpEnabled $true");
    assert_string_equal(run(f, "Get-OrganizationConfig | fl *mapi*"), "\nMapiHttpEnabled : True\n\n");
    assert_string_equal(value_of(f, "Get-OrganizationConfig", "LegacyExchangeDN"), "/o=Contoso");
}

static void objects_flow_from_cmdlet_to_cmdlet(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "New-Mailbox 'Bob, the other' -Alias bob -Password x; New-Mailbox carol -Password x");
    run(f, "Get-Mailbox -Database DB01 | Set-CASMailbox -MapiHttpEnabled $false");
    assert_string_equal(run(f, "Get-CASMailbox | ? {$_.MapiHttpEnabled -ne $null} | select -exp Name"),
                        "alice\nBob, the other\ncarol\n");
    run(f, "Get-CASMailbox -ResultSize unlimited | Set-CASMailbox -MapiHttpEnabled $null");
    assert_string_equal(run(f, "Get-CASMailbox | ? MapiHttpEnabled -ne $null"), "");
    run(f, "'alice','carol' | Set-Mailbox -HiddenFromAddressListsEnabled $true");
    assert_true(account(f, "carol@contoso.com")->hidden);
    run(f, "Get-MapiVirtualDirectory | Set-MapiVirtualDirectory -ExternalUrl https://mail.contoso.com/mapi");
    assert_string_equal(mapi(f)->external_url, "https://mail.contoso.com/mapi");
    assert_string_equal(run(f, "(Get-Mailbox alice).Alias"), "alice\n");
    assert_string_equal(run(f, "Get-Mailbox (Get-Mailbox carol).ExchangeGuid | select -exp Alias"), "carol\n");
    assert_string_equal(run(f, "'x','y' | ? {$_ -eq 'x'}"), "x\n");
}

static void one_object_that_fails_does_not_stop_the_next(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    refused(f, "'nobody','alice' | Set-CASMailbox -MAPIEnabled $false", "'nobody'");
    assert_false(account(f, "alice@contoso.com")->mapi_enabled);
    refused(f, "'nobody','alice' | Set-CASMailbox -MAPIEnabled $true -ErrorAction Stop; Get-Mailbox", "'nobody'");
    assert_false(account(f, "alice@contoso.com")->mapi_enabled);
    assert_string_equal(f->last.out, "");
    run_as(f, "Get-Mailbox nobody -ErrorAction SilentlyContinue; (Get-Mailbox alice).Alias", CMDLET_DEFAULT);
    assert_string_equal(f->last.out, "alice\n");
    assert_string_equal(f->last.err, "");
    assert_int_equal(f->last.status, 1);
    refused(f, "Get-Nothing; (Get-Mailbox alice).Alias", "Get-Nothing");
    assert_string_equal(f->last.out, "alice\n");
}

static void nothing_runs_when_a_line_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    refused(f, ALICE "; Get-Mailbox 'open", "closing '");
    assert_null(account(f, "alice@contoso.com"));
}

static void Get_Mailbox_finds_by_every_way(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "New-Mailbox bob -Password x -DisplayName 'Bob Other' -LastName Other");
    static const struct { const char *line, *names; } lines[] = {
        { "Get-Mailbox", "alice\nbob\n" },
        { "Get-Mailbox -Identity $null", "alice\nbob\n" },
        { "Get-Mailbox -Identity alice@contoso.com", "alice\n" },
        { "Get-Mailbox 'Bob Other'", "bob\n" },
        { "Get-Mailbox contoso.com/Users/bob", "bob\n" },
        { "Get-Mailbox -Anr oth", "bob\n" },
        { "Get-Mailbox -Filter \"Alias -like 'a*'\"", "alice\n" },
        { "Get-Mailbox -Filter {Alias -eq 'bob'}", "bob\n" },
        { "Get-Mailbox -SortBy Alias -ResultSize 1", "alice\n" },
        { "Get-Mailbox -RecipientTypeDetails SharedMailbox,UserMailbox", "alice\nbob\n" },
        { "Get-Mailbox -RecipientTypeDetails SharedMailbox", "" },
        { "Get-Mailbox | sort Name -Descending | select -First 1", "bob\n" },
        { "Get-Mailbox | select -Last 1", "bob\n" },
        { "Get-Mailbox | select -Skip 1", "bob\n" },
        { "Get-Mailbox | select Name,Database", "alice\nbob\n" },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++)
        assert_string_equal(run(f, talloc_asprintf(f, "%s | select -ExpandProperty Name", lines[i].line)),
                            lines[i].names);
    refused(f, "Get-Mailbox alic", "couldn't be found");
    refused(f, "Get-Mailbox -Database DB09", "'DB09'");
    assert_string_equal(run(f, "Get-Mailbox | select Database -Unique | select -exp Database"), "DB01\n");
}

static void only_a_thousand_are_shown_unless_asked(void **state)
{
    struct fixture *f = *state;
    const struct account *made = NULL;
    for (int i = 0; i < 1001; i++) {
        const struct account_new new = { .name = talloc_asprintf(f, "u%04d", i),
                                         .database = org_settings(f->context.org, f)->databases[0].guid };
        assert_int_equal(directory_create(f->context.directory, f, &new, NULL, NULL, &made), ecNone);
    }
    warned(f, "Get-Mailbox | select -Last 1 | select -exp Name", "only the first 1000 items");
    assert_string_equal(f->last.out, "u0999\n");
    assert_string_equal(run(f, "Get-Mailbox -ResultSize Unlimited | select -Last 1 | select -exp Name"), "u1000\n");
    assert_string_equal(run(f, "Get-Mailbox -ResultSize 3 | select -exp Name"), "u0000\nu0001\nu0002\n");
}

static void Set_Mailbox_keeps_addresses_in_order(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "Set-Mailbox alice -EmailAddresses @{Add='a@contoso.com','smtp:b@contoso.com','X500:/o=Old/cn=alice'}");
    assert_string_equal(value_of(f, "Get-Mailbox alice", "EmailAddresses"),
                        "SMTP:alice@contoso.com\nsmtp:a@contoso.com\nsmtp:b@contoso.com\nX500:/o=Old/cn=alice");
    run(f, "Set-Mailbox alice -EmailAddresses @{Add='SMTP:new@contoso.com'; Remove='A@contoso.com'}");
    assert_string_equal(value_of(f, "Get-Mailbox alice", "EmailAddresses"),
                        "SMTP:new@contoso.com\nsmtp:alice@contoso.com\nsmtp:b@contoso.com\nX500:/o=Old/cn=alice");
    run(f, "Set-Mailbox alice -PrimarySmtpAddress b@contoso.com");
    assert_string_equal(value_of(f, "Get-Mailbox alice", "PrimarySmtpAddress"), "b@contoso.com");
    assert_non_null(account(f, "new@contoso.com"));
    run(f, "Set-Mailbox alice -EmailAddresses smtp:x@contoso.com,y@contoso.com");
    assert_string_equal(value_of(f, "Get-Mailbox alice", "EmailAddresses"), "SMTP:y@contoso.com\nsmtp:x@contoso.com");
    refused(f, "Set-Mailbox alice -EmailAddresses SMTP:x@contoso.com,SMTP:y@contoso.com", "multiple primary");
    refused(f, "Set-Mailbox alice -EmailAddresses @{Remove='y@contoso.com'}", "exactly one primary");
    refused(f, "Set-Mailbox alice -EmailAddresses $null", "exactly one primary");
    refused(f, "Set-Mailbox alice -EmailAddresses a@contoso.com -PrimarySmtpAddress b@contoso.com", "Parameter set");
    refused(f, "Set-Mailbox alice -EmailAddresses @{Insert='a@contoso.com'}", "Add and Remove");
    assert_int_equal(f->told, 4);
}

static void Set_Mailbox_changes_names_and_password(void **state)
{
    struct fixture *f = *state;
    const struct account *who = NULL;
    run(f, ALICE);
    run(f, "Set-Mailbox alice -DisplayName 'Alice Other' -FirstName Alice -Alias al -Password New1 -LastName $null");
    who = account(f, "alice@contoso.com");
    assert_string_equal(who->display_name, "Alice Other");
    assert_string_equal(who->alias, "al");
    assert_int_equal(directory_authenticate(f->context.directory, f, "alice@contoso.com", "New1", &who), ecNone);
    run(f, "Set-Mailbox al -AccountDisabled $true");
    assert_int_equal(directory_authenticate(f->context.directory, f, "alice@contoso.com", "New1", &who),
                     ecLoginFailure);
    refused(f, "Set-Mailbox al -DisplayName $null", "DisplayName can't be empty");
    refused(f, "Set-Mailbox al -Password ''", "password policy");
    refused(f, "Set-Mailbox al -ThrottlingPolicy x", "isn't supported");
    refused(f, "Set-Mailbox al -ProhibitSendQuota plenty", "Cannot process argument transformation");
    refused(f, "Set-Mailbox al -ProhibitSendQuota 3GB -ProhibitSendReceiveQuota 2GB", "less than or equal");
    refused(f, "Set-MailboxDatabase DB01 -IssueWarningQuota 3TB", "less than 2 TB");
}

static void WhatIf_says_it_and_does_nothing(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    assert_string_equal(run(f, "Set-CASMailbox alice -MapiHttpEnabled $true -WhatIf"),
                        "What if: Setting Client Access settings on the mailbox \"contoso.com/Users/alice\".\n");
    run(f,
        "Remove-Mailbox alice -wi; New-Mailbox bob -Password x -WhatIf; Set-OrganizationConfig -MapiH $false -WhatIf;"
        " New-AcceptedDomain x -DomainName x.com -WhatIf; New-MailboxDatabase DB02 -WhatIf;"
        " Set-MapiVirtualDirectory mapi* -InternalUrl $null -WhatIf; Set-OutlookAnywhere rpc* -ExternalHostname $null "
        "-wi");
    assert_int_equal(account(f, "alice@contoso.com")->mapi_http_enabled, ORG_UNSET);
    assert_null(account(f, "bob@contoso.com"));
    const struct org_settings *s = org_settings(f->context.org, f);
    assert_true(s->mapi_http_enabled && s->domain_count == 1 && s->database_count == 1 && mapi(f)->internal_url);
    refused(f, "Get-Mailbox -WhatIf", "parameter name 'WhatIf'");
    run_as(f, "Remove-Mailbox alice -WhatIf", CMDLET_JSON);
    assert_string_equal(f->last.out, "[]\n");
}

static void removing_asks_unless_told_not_to(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "New-Mailbox bob -Password x; New-Mailbox carol -Password x; New-Mailbox dave -Password x");
    refused(f, "Remove-Mailbox alice", "nobody is here to answer: add -Confirm:$false.");
    refused(f, "Set-CASMailbox alice -MAPIEnabled $false -Confirm", "nobody is here to answer");
    f->context.ask = fixture_answer;
    f->context.ask_arg = f;
    f->answers = "NY";
    run(f, "'alice','bob' | Remove-Mailbox");
    assert_non_null(strstr(f->question, "contoso.com/Users/bob"));
    assert_non_null(account(f, "alice@contoso.com"));
    assert_null(account(f, "bob@contoso.com"));
    f->answers = "L";
    run(f, "Get-Mailbox | Remove-Mailbox");
    assert_non_null(account(f, "carol@contoso.com"));
    f->answers = "A";
    run(f, "'carol','dave' | Remove-Mailbox");
    assert_null(account(f, "dave@contoso.com"));
    f->context.ask = NULL;
    run(f, "Remove-Mailbox alice -Confirm:$false");
    assert_null(account(f, "alice@contoso.com"));
}

static void a_mailbox_goes_for_good_only_when_told_so(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    run(f, "New-Mailbox bob -Password x");
    const char *guid = value_of(f, "Get-Mailbox alice", "ExchangeGuid");
    run(f, "Remove-Mailbox alice -Confirm:$false");
    assert_int_equal(f->removed, 0);
    refused(f, "Remove-Mailbox -StoreMailboxIdentity x -Database DB01 -Confirm:$false", "couldn't be found");
    refused(f, talloc_asprintf(f, "Remove-Mailbox -StoreMailboxIdentity %s -Confirm:$false", guid), "Parameter set");
    run(f, talloc_asprintf(f, "Remove-Mailbox -StoreMailboxIdentity %s -Database DB01 -Confirm:$false", guid));
    assert_int_equal(f->removed, 1);
    run(f, "Remove-Mailbox bob -Permanent $true -Confirm:$false");
    assert_int_equal(f->removed, 2);
    refused(f, "Remove-Mailbox bob -Confirm:$false", "couldn't be found");
    refused(f, "Remove-Mailbox -Confirm:$false", "Identity");
}

static void accepted_domains_are_added_used_and_removed(void **state)
{
    struct fixture *f = *state;
    run(f, "New-AcceptedDomain -Name Fabrikam -DomainName Fabrikam.com -DomainType InternalRelay");
    assert_string_equal(value_of(f, "Get-AcceptedDomain fabrikam.com", "DomainType"), "InternalRelay");
    run(f, "New-Mailbox bob -PrimarySmtpAddress bob@fabrikam.com -Password x");
    refused(f, "Remove-AcceptedDomain Fabrikam -Confirm:$false", "addresses of \"bob\" end in it");
    run(f, "Set-AcceptedDomain Fabrikam -MakeDefault $true -DomainType authoritative");
    run(f, "New-Mailbox carol -Password x");
    assert_non_null(account(f, "carol@fabrikam.com"));
    run(f, "Set-AcceptedDomain contoso.com -MakeDefault $true");
    run(f, "Get-Mailbox | Remove-Mailbox -Confirm:$false");
    run(f, "Get-AcceptedDomain Fabrikam | Remove-AcceptedDomain -Confirm:$false");
    assert_string_equal(value_of(f, "Get-AcceptedDomain", "DomainName"), "contoso.com");
    refused(f, "Remove-AcceptedDomain contoso.com -Confirm:$false", "is the default one");
    refused(f, "New-AcceptedDomain x -DomainName 'a b.com'", "not a valid domain name");
    refused(f, "New-AcceptedDomain x -DomainName a..com", "not a valid domain name");
    refused(f, "New-AcceptedDomain x -DomainName CONTOSO.com", "already exists");
    refused(f, "New-AcceptedDomain x -DomainName y.com -DomainType Foo",
            "\"Authoritative,InternalRelay,ExternalRelay\"");
}

static void mailbox_databases_are_urls(void **state)
{
    struct fixture *f = *state;
    run(f, "New-MailboxDatabase DB02 -Server MAIL");
    const char *data = org_settings(f->context.org, f)->data_dir;
    assert_string_equal(value_of(f, "Get-MailboxDatabase db02", "Url"),
                        talloc_asprintf(f, "sqlite:%s/mailboxes/DB02", data));
    run(f, talloc_asprintf(f, "New-MailboxDatabase DB03 -Url sqlite:%s/other -IsExcludedFromProvisioning $true", data));
    run(f, "New-Mailbox bob -Password x -Database DB03");
    assert_string_equal(value_of(f, "Get-Mailbox bob", "Database"), "DB03");
    refused(f, "Remove-MailboxDatabase DB03 -Confirm:$false", "contains one or more mailboxes");
    run(f, "Set-MailboxDatabase DB03 -Name Main");
    assert_string_equal(value_of(f, "Get-Mailbox bob", "Database"), "Main");
    warned(f, talloc_asprintf(f, "Set-MailboxDatabase Main -Url sqlite:%s/elsewhere", data), "nothing has been moved");
    warned(f, "Remove-MailboxDatabase DB02 -Confirm:$false", "its files are still there");
    run(f, "Get-MailboxDatabase | Set-MailboxDatabase -IsExcludedFromProvisioning $true -WarningAction Ignore");
    refused(f, "New-Mailbox carol -Password x", "No mailbox database is open to new mailboxes");

    refused(f, "New-MailboxDatabase DB04 -Url sqlite:relative", "absolute path");
    refused(f, "New-MailboxDatabase DB04 -Url mysql://x/y", "sqlite: or postgresql:");
    refused(f, "New-MailboxDatabase DB04 -Url sqlite:/proc/nowhere/x", "can't be made");
    refused(f, "New-MailboxDatabase DB04 -Url 'postgresql://127.0.0.1:1/x?connect_timeout=2'", "can't be opened");
    refused(f, "New-MailboxDatabase a/b", "can't be the name");
    refused(f, "New-MailboxDatabase db01", "already");
    refused(f, "Get-MailboxDatabase DB04", "couldn't be found");
}

static void a_mailbox_database_keeps_what_was_deleted_for_a_time(void **state)
{
    static const struct {
        const char *given, *shown;
    } cases[] = {
        { "30", "30.00:00:00" }, { "7.12:30:05", "7.12:30:05" },
        { "06:30", "06:30:00" }, { "'0.00:00:01'", "00:00:01" },
        { "0", "00:00:00" },     { "24855.03:14:07", "24855.03:14:07" },
    };
    static const char *const wrong[] = { "x",  "-1",      "1.24:00:00", "1:60", "24855.03:14:08",
                                         "1.", "1:2:3:4", "$null",      "''" };
    struct fixture *f = *state;
    assert_string_equal(value_of(f, "Get-MailboxDatabase DB01", "DeletedItemRetention"), "14.00:00:00");
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        run(f, talloc_asprintf(f, "Set-MailboxDatabase DB01 -DeletedItemRetention %s", cases[i].given));
        assert_string_equal(value_of(f, "Get-MailboxDatabase DB01", "DeletedItemRetention"), cases[i].shown);
    }
    for (size_t i = 0; i < COUNTOF(wrong); i++)
        refused(f, talloc_asprintf(f, "Set-MailboxDatabase DB01 -DeletedItemRetention %s", wrong[i]),
                "EnhancedTimeSpan");
}

static void a_mailbox_that_cannot_be_made_says_which_database_fails_and_why(void **state)
{
    struct fixture *f = *state;
    struct org_database database = { .name = "PG", .url = "postgresql://127.0.0.1:1/x?connect_timeout=2" };
    assert_int_equal(org_database_add(f->context.org, &database), ecNone);
    f->context.store_create = cmdlet_store_create;
    f->context.store_arg = NULL;
    refused(f, "New-Mailbox carol -Password x -Database PG", "\"PG\"");
    refused(f, "New-Mailbox carol -Password x -Database PG", "postgresql://127.0.0.1/x: ");
    refused(f, "New-Mailbox carol -Password x -Database PG", "refused");
    refused(f, "New-Mailbox carol -Password x -Database PG", "see that PostgreSQL runs");
    f->context.store_create = fixture_create;
    f->context.store_arg = f;
    f->store_says = ecDiskFull;
    refused(f, "New-Mailbox carol -Password x -Database PG", ec_text(ecDiskFull));
}

static void a_databases_password_is_not_shown(void **state)
{
    struct fixture *f = *state;
    struct org_database database = { .name = "PG",
                                     .url = "postgresql://me:s3cret@db1,db2/x?password=s3cret&sslmode=require" };
    assert_int_equal(org_database_add(f->context.org, &database), ecNone);
    assert_string_equal(value_of(f, "Get-MailboxDatabase PG", "Url"),
                        "postgresql://me:***@db1,db2/x?password=***&sslmode=require");
}

static void the_mapi_directory_is_set_as_microsofts_page_types_it(void **state)
{
    struct fixture *f = *state;
    warned(f,
           "Set-MapiVirtualDirectory -Identity \"MAIL\\mapi (Default Web Site)\" -InternalUrl https://Contoso.com/mapi"
           " -IISAuthenticationMethods Negotiate",
           "nobody can sign in there");
    assert_string_equal(mapi(f)->internal_url, "https://Contoso.com/mapi");
    assert_int_equal(mapi(f)->auth, ORG_NEGOTIATE);
    warned(f, "Set-MapiVirtualDirectory mapi* -IISAuth ntlm,BASIC", "Ntlm");
    assert_int_equal(mapi(f)->auth, ORG_NTLM | ORG_BASIC);
    run(f, "Set-MapiVirtualDirectory MAIL\\mapi* -IISAuthenticationMethods @{Remove='Ntlm'}");
    assert_int_equal(mapi(f)->auth, ORG_BASIC);
    warned(f, "Set-MapiVirtualDirectory mapi* -ExternalUrl http://x/y", "isn't of the form https://HOST/mapi");
    warned(f, "Set-MapiVirtualDirectory mapi* -ExternalUrl $null -InternalUrl $null", "can't announce MAPI over HTTP");
    assert_null(mapi(f)->internal_url);
    assert_string_equal(
        run(f, "Get-MapiVirtualDirectory -Server mail -ADPropertiesOnly | fl InternalUrl,ExternalUrl,IISAuth*"),
        "\nInternalUrl              :\nExternalUrl              :\nIISAuthenticationMethods : {Basic}\n\n");
    refused(f, "Get-MapiVirtualDirectory 'OTHER\\mapi (Default Web Site)'", "couldn't be found on 'MAIL'");
    refused(f, "Get-MapiVirtualDirectory -Server EX09", "'EX09'");
    refused(f, "Set-MapiVirtualDirectory mapi* -ExtendedProtectionTokenChecking Require", "isn't supported");
}

static void Outlook_Anywhere_is_set_and_shown(void **state)
{
    struct fixture *f = *state;
    run(f, "Set-OutlookAnywhere 'MAIL\\Rpc (Default Web Site)' -InternalHostname in.contoso.com "
           "-InternalClientsRequireSsl $true"
           " -ExternalHostname out.contoso.com -ExternalClientsRequireSsl $false -ExternalClientAuthenticationMethod "
           "ntlm");
    const struct org_virtual_directory *rpc = org_directory_of(org_settings(f->context.org, f), ORG_OUTLOOK_ANYWHERE);
    assert_string_equal(rpc->internal_hostname, "in.contoso.com");
    assert_string_equal(rpc->external_hostname, "out.contoso.com");
    assert_true(rpc->internal_ssl && !rpc->external_ssl);
    assert_int_equal(rpc->external_auth, ORG_NTLM);
    assert_string_equal(value_of(f, "Get-OutlookAnywhere", "ExternalClientAuthenticationMethod"), "Ntlm");
    run(f, "Get-OutlookAnywhere | Set-OutlookAnywhere -ExternalHostname $null");
    assert_string_equal(value_of(f, "Get-OutlookAnywhere", "ExternalHostname"), "");
    warned(f, "Set-OutlookAnywhere Rpc* -DefaultAuthenticationMethod Negotiate", "nobody can sign in");
    assert_string_equal(value_of(f, "Get-OutlookAnywhere", "IISAuthenticationMethods"), "Negotiate");
    refused(f, "Set-OutlookAnywhere Rpc* -DefaultAuth Basic -IISAuthenticationMethods Basic", "Parameter set");
    refused(f, "Set-OutlookAnywhere Rpc* -IISAuthenticationMethods OAuth", "Basic, Ntlm and Negotiate");
    refused(f, "Set-OutlookAnywhere Rpc* -InternalHostname https://x/", "type \"Hostname\"");
}

static void help_and_completion_come_from_the_table(void **state)
{
    struct fixture *f = *state;
    assert_non_null(strstr(run(f, "Get-Command *mapi*"), "Set-MapiVirtualDirectory"));
    assert_null(strstr(f->last.out, "Get-Mailbox "));
    run(f, "get-help set-casmailbox -Full");
    assert_non_null(strstr(f->last.out, "[-Identity] <Identity>"));
    assert_non_null(strstr(f->last.out, "-MapiHttpEnabled <Boolean>"));
    assert_non_null(strstr(f->last.out, "($true, $false,"));
    run(f, "help Set-CASMailbox -Parameter *External*");
    assert_null(strstr(f->last.out, "MapiHttpEnabled"));
    assert_non_null(strstr(run(f, "Get-Help"), "Get-Command"));
    refused(f, "Get-Help Get-Nothing", "There is no help");

    static const struct { const char *line, *first; size_t count, length; } lines[] = {
        { "Set-CAS", "Set-CASMailbox", 1, 7 },
        { "Get-Mailbox | set-map", "Set-MapiVirtualDirectory", 1, 7 },
        { "Set-CASMailbox alice -MapiH", "-MapiHttpEnabled", 1, 6 },
        { "Set-CASMailbox alice -MapiHttpEnabled $t", "$true", 1, 2 },
        { "Set-CASMailbox alice -MapiHttpEnabled ", "$true", 3, 0 },
        { "Set-MapiVirtualDirectory mapi* -IISAuthenticationMethods Basic,N", "Ntlm", 2, 1 },
        { "Get-Help Set-CAS", "Set-CASMailbox", 1, 7 },
        { "Get-Mailbox 'a | Set-CAS", NULL, 0, 7 },
    };
    for (size_t i = 0; i < COUNTOF(lines); i++) {
        const struct cmdlet_words words = cmdlet_complete(f, lines[i].line);
        assert_int_equal(words.count, lines[i].count);
        assert_int_equal(words.length, lines[i].length);
        if (words.count)
            assert_string_equal(words.words[0], lines[i].first);
    }
}

static void a_line_with_a_password_is_known_as_one(void **state)
{
    (void)state;
    assert_true(cmdlet_has_secret("New-Mailbox a -Password x"));
    assert_true(cmdlet_has_secret("New-Mailbox a -pass x"));
    assert_true(cmdlet_has_secret("convertto-securestring x"));
    assert_false(cmdlet_has_secret("Get-Mailbox a | fl Name"));
}

/* What a secure string holds is in no output. */
static void a_secure_string_is_not_printed(void **state)
{
    struct fixture *f = *state;
    static const enum cmdlet_output outputs[] = { CMDLET_DEFAULT, CMDLET_LIST, CMDLET_JSON, CMDLET_CSV };
    for (size_t i = 0; i < COUNTOF(outputs); i++) {
        run_as(f, "ConvertTo-SecureString hidden1 -AsPlainText -Force", outputs[i]);
        assert_null(strstr(f->last.out, "hidden1"));
        run_as(f, "New-Mailbox alice -Password hidden1; Get-Mailbox; Set-Mailbox alice -Password hidden2 -Nope",
               outputs[i]);
        assert_null(strstr(f->last.out, "hidden"));
        assert_null(strstr(f->last.err, "hidden"));
    }
}

static void a_data_folder_that_cannot_be_written_is_named(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE);
    /* Root may write anywhere; a table that is gone fails for everybody. */
    struct sql *db = NULL;
    assert_int_equal(sql_open(&db, f, org_database_path(f->context.org)), ecNone);
    assert_int_equal(sql_script(db, "DROP TABLE account; DROP TABLE virtual_directory;"), ecNone);
    refused(f, "Set-CASMailbox alice -MAPIEnabled $false", "org.db");
    refused(f, "Set-MapiVirtualDirectory mapi* -InternalUrl https://x/mapi", "org.db");
    assert_true(account(f, "alice@contoso.com")->mapi_enabled);
    assert_non_null(mapi(f)->internal_url);
}

/* ---- rights ---- */

#define BOB "New-Mailbox bob -PrimarySmtpAddress bob@contoso.com -Password Passw0rd! -DisplayName 'Bob Example'"

static unsigned granted(struct fixture *f)
{
    return directory_rights(f->context.directory, account(f, "alice@contoso.com"), account(f, "bob@contoso.com"));
}

static void rights_to_a_mailbox_are_given_shown_and_taken(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE "; " BOB);
    run(f, "Add-MailboxPermission alice -User bob -AccessRights FullAccess,ReadPermission -AutoMapping $false");
    assert_int_equal(granted(f), GRANT_FULL_ACCESS | GRANT_READ_PERMISSION);
    warned(f, "Add-MailboxPermission alice -User bob -AccessRights FullAccess -AutoMapping $false", "already present");
    assert_string_equal(value_of(f, "Get-MailboxPermission alice -User bob", "AccessRights"), "FullAccess\nReadPermission");
    assert_non_null(strstr(run(f, "Get-MailboxPermission alice | ? {$_.IsInherited -eq $false}"), "NT AUTHORITY\\SELF"));
    run(f, "Remove-MailboxPermission alice -User bob -AccessRights FullAccess -Confirm:$false");
    assert_int_equal(granted(f), GRANT_READ_PERMISSION);
    run(f, "Add-MailboxPermission alice -User bob -AccessRights FullAccess");
    assert_int_equal(granted(f), GRANT_READ_PERMISSION | GRANT_FULL_ACCESS | GRANT_AUTO_MAPPING);
    run(f, "Add-MailboxPermission alice -User bob -AccessRights FullAccess -Deny");
    assert_int_equal(granted(f) & GRANT_FULL_ACCESS, 0);
    warned(f, "Remove-MailboxPermission alice -User bob -AccessRights DeleteItem -Confirm:$false", "isn't present");
    refused(f, "Add-MailboxPermission alice -User bob -AccessRights Everything", "\"Everything\" is not");
    refused(f, "Add-MailboxPermission alice -User nobody -AccessRights FullAccess", "couldn't be found");
    run(f, "Remove-Mailbox bob -Confirm:$false");
    assert_null(strstr(run(f, "Get-MailboxPermission alice"), "bob"));
}

static void who_may_send_as_somebody_or_on_behalf_is_set_and_shown(void **state)
{
    struct fixture *f = *state;
    run(f, ALICE "; " BOB);
    run(f, "Add-ADPermission alice -User bob -AccessRights ExtendedRight -ExtendedRights 'Send As'");
    assert_int_equal(granted(f), GRANT_SEND_AS);
    assert_non_null(strstr(value_of(f, "Get-ADPermission alice", "User"), "\\bob"));
    refused(f, "Add-ADPermission alice -User bob -ExtendedRights Receive-As", "Receive-As");
    run(f, "Set-Mailbox alice -GrantSendOnBehalfTo @{Add='bob'}");
    assert_int_equal(granted(f), GRANT_SEND_AS | GRANT_SEND_ON_BEHALF);
    run(f, "Set-Mailbox alice -GrantSendOnBehalfTo @{Remove='bob'}");
    run(f, "Remove-ADPermission alice -User bob -ExtendedRights Send-As -Confirm:$false");
    assert_int_equal(granted(f), 0);
    run(f, "Set-Mailbox alice -MessageCopyForSentAsEnabled $true -MessageCopyForSendOnBehalfEnabled $true");
    assert_true(account(f, "alice@contoso.com")->copy_sent_as && account(f, "alice@contoso.com")->copy_sent_on_behalf);
}

static void a_shared_mailbox_is_nobodys_to_sign_in_to(void **state)
{
    struct fixture *f = *state;
    run(f, "New-Mailbox sales -Shared");
    assert_true(account(f, "sales@contoso.com")->disabled);
    assert_string_equal(value_of(f, "Get-Mailbox sales", "RecipientTypeDetails"), "SharedMailbox");
    assert_string_equal(run(f, "Get-Mailbox -RecipientTypeDetails UserMailbox"), "");
    assert_string_equal(value_of(f, "Get-Mailbox -RecipientTypeDetails SharedMailbox", "Name"), "sales");
    refused(f, "New-Mailbox other", "Password");
    refused(f, "New-Mailbox other -Shared -Password x", "");
}

static void rights_in_a_folder_are_roles_or_single_ones(void **state)
{
    struct fixture *f = *state;
    f->context.stores = f->context.store_arg = store_pool_new(f->open, NULL, NULL);
    f->context.store_create = cmdlet_store_create;
    f->context.account_changed = NULL;
    run(f, ALICE "; " BOB);
    const char *calendar = "Get-MailboxFolderPermission alice:\\Calendar -User bob";
    assert_string_equal(value_of(f, "Get-MailboxFolderPermission alice:\\Calendar -User Default", "AccessRights"),
                        "AvailabilityOnly");
    run(f, "Add-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights Reviewer");
    assert_string_equal(value_of(f, calendar, "AccessRights"), "Reviewer");
    refused(f, "Add-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights Editor", "existing permission entry");
    static const char *const roles[] = { "Owner",      "PublishingEditor", "Editor",         "PublishingAuthor",
                                         "Author",     "NonEditingAuthor", "Contributor",    "AvailabilityOnly",
                                         "None",       "LimitedDetails" };
    for (size_t i = 0; i < COUNTOF(roles); i++) {
        run(f, talloc_asprintf(f, "Set-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights %s", roles[i]));
        assert_string_equal(value_of(f, calendar, "AccessRights"), roles[i]);
    }
    run(f, "Set-MailboxFolderPermission alice:\\Calendar -User bob -AccessRights ReadItems,CreateItems");
    assert_string_equal(value_of(f, calendar, "AccessRights"), "ReadItems\nCreateItems\nFolderVisible");
    run(f, "Set-MailboxFolderPermission alice:\\ -User Default -AccessRights FolderVisible");
    refused(f, "Set-MailboxFolderPermission alice:\\Inbox -User bob -AccessRights Editor", "no existing permission entry");
    refused(f, "Add-MailboxFolderPermission alice:\\Inbox -User bob -AccessRights LimitedDetails", "calendars");
    refused(f, "Add-MailboxFolderPermission alice:\\Inbox -User bob -AccessRights Editor,ReadItems", "Editor");
    refused(f, "Get-MailboxFolderPermission alice:\\Nowhere", "couldn't be found");
    refused(f, "Remove-MailboxFolderPermission alice:\\Calendar -User Default -Confirm:$false", "stays");
    run(f, "Remove-MailboxFolderPermission alice:\\Calendar -User bob -Confirm:$false");
    refused(f, calendar, "no existing permission entry");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_new, fixture_free)
    const struct CMUnitTest tests[] = {
        TEST(New_Mailbox_makes_a_mailbox_that_signs_in),
        TEST(what_New_Mailbox_cannot_do_is_said_as_Exchange_says_it),
        TEST(one_mailbox_holds_the_public_folders),
        TEST(mistakes_are_said_in_PowerShells_words),
        TEST(names_and_parameters_are_read_in_any_case_and_shortened),
        TEST(a_Set_that_changes_nothing_warns),
        TEST(the_organisations_switch_is_set_and_shown),
        TEST(objects_flow_from_cmdlet_to_cmdlet),
        TEST(one_object_that_fails_does_not_stop_the_next),
        TEST(nothing_runs_when_a_line_cannot_be_read),
        TEST(Get_Mailbox_finds_by_every_way),
        TEST(only_a_thousand_are_shown_unless_asked),
        TEST(Set_Mailbox_keeps_addresses_in_order),
        TEST(Set_Mailbox_changes_names_and_password),
        TEST(WhatIf_says_it_and_does_nothing),
        TEST(removing_asks_unless_told_not_to),
        TEST(a_mailbox_goes_for_good_only_when_told_so),
        TEST(accepted_domains_are_added_used_and_removed),
        TEST(mailbox_databases_are_urls),
        TEST(a_mailbox_database_keeps_what_was_deleted_for_a_time),
        TEST(a_mailbox_that_cannot_be_made_says_which_database_fails_and_why),
        TEST(a_databases_password_is_not_shown),
        TEST(the_mapi_directory_is_set_as_microsofts_page_types_it),
        TEST(Outlook_Anywhere_is_set_and_shown),
        TEST(rights_to_a_mailbox_are_given_shown_and_taken),
        TEST(who_may_send_as_somebody_or_on_behalf_is_set_and_shown),
        TEST(a_shared_mailbox_is_nobodys_to_sign_in_to),
        TEST(rights_in_a_folder_are_roles_or_single_ones),
        TEST(help_and_completion_come_from_the_table),
        TEST(a_line_with_a_password_is_known_as_one),
        TEST(a_secure_string_is_not_printed),
        TEST(a_data_folder_that_cannot_be_written_is_named),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
