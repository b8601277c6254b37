/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "directory/internal.h"

struct fixture {
    char *dir;
    TALLOC_CTX *arena, *open;
    struct org *org;
    struct directory *directory;
};

static void open_again(struct fixture *f)
{
    talloc_free(f->open);
    f->open = talloc_new(f);
    assert_int_equal(org_open(&f->org, f->open, f->dir, &(struct org_defaults){ .hostname = "mail.contoso.com" }),
                     ecNone);
    TALLOC_CTX *first_freed = talloc_new(f->open);
    assert_int_equal(directory_open(&f->directory, first_freed, f->org), ecNone);
}

static int set_up(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    char path[] = "/tmp/oxcart-directory-XXXXXX";
    f->dir = talloc_strdup(f, mkdtemp(path));
    f->arena = talloc_new(f);
    open_again(f);
    *state = f;
    return 0;
}

static void close_all(struct fixture *f)
{
    TALLOC_FREE(f->directory);
    TALLOC_FREE(f->open);
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    close_all(f);
    assert_int_equal(system(talloc_asprintf(f, "rm -rf %s", f->dir)), 0);
    return talloc_free(f);
}

static enum ec create(struct fixture *f, struct account_new new, const struct account **out)
{
    new.database = org_settings(f->org, f->arena)->databases[0].guid;
    return directory_create(f->directory, f->arena, &new, NULL, NULL, out);
}

static const struct account *person(struct fixture *f, const char *name, const char *address)
{
    const struct account *account = NULL;
    assert_int_equal(create(f, (struct account_new){ .name = name, .primary_smtp = address }, &account), ecNone);
    return account;
}

static const struct account *alice(struct fixture *f)
{
    const struct account *account = NULL;
    const struct account_new new = {
        .name = "alice", .display_name = "Alice Example", .first_name = "Alice", .last_name = "Example",
        .primary_smtp = "Alice@contoso.com", .password_hash = directory_hash_password(f->arena, "Passw0rd!"),
    };
    assert_int_equal(create(f, new, &account), ecNone);
    return account;
}

static void a_mailbox_gets_the_names_that_were_left_out(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f);
    assert_string_equal(a->alias, "alice");
    assert_string_equal(a->user_principal_name, "Alice@contoso.com");
    assert_string_equal(a->logon_name, "CONTOSO\\Alice");
    assert_string_equal(a->proxy_addresses[0], "SMTP:Alice@contoso.com");
    assert_int_equal(a->minimal_id, 0x10);
    assert_string_equal(a->database, "DB01");
    assert_int_equal(a->mapi_http_enabled, ORG_UNSET);
    assert_true(a->mapi_enabled && !a->block_external && !a->hidden && !a->disabled);

    const char *start = "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)/cn=Recipients/cn=";
    assert_int_equal(strncmp(a->legacy_dn, start, strlen(start)), 0);
    assert_string_equal(a->legacy_dn + strlen(start) + 32, "-alice");
    assert_string_equal(a->store_url, org_settings(f->org, f->arena)->databases[0].url);
}

static void derived_names_avoid_each_other_and_odd_characters(void **state)
{
    struct fixture *f = *state;
    const struct account *a = NULL;
    assert_int_equal(create(f, (struct account_new){ .name = "Jörg  Müller" }, &a), ecNone);
    assert_string_equal(a->alias, "JorgMuller");
    assert_string_equal(a->primary_smtp, "JorgMuller@contoso.com");
    assert_string_equal(a->display_name, "Jörg  Müller");
    assert_int_equal(create(f, (struct account_new){ .name = "Jorg Muller" }, &a), ecNone);
    assert_string_equal(a->alias, "JorgMuller1");
    assert_int_equal(create(f, (struct account_new){ .name = "Third", .user_principal_name = "jorgmuller@contoso.com",
                                                     .primary_smtp = "third@contoso.com" }, &a), ecDuplicateName);
    assert_int_equal(create(f, (struct account_new){ .name = "李雷" }, &a), ecNone);
    assert_string_equal(a->alias, "__");
}

static void every_way_of_naming_an_account_finds_it(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f), *found = NULL;
    char mailbox[GUID_TEXT_SIZE], object[GUID_TEXT_SIZE];
    guid_text(a->mailbox_guid, mailbox);
    guid_text(a->guid, object);
    const char *names[] = {
        "alice",
        "ALICE",
        "Alice Example",
        "aLICE@Contoso.COM",
        "smtp:alice@contoso.com",
        "CONTOSO\\alice",
        mailbox,
        object,
        talloc_asprintf(f, "{%s}", mailbox),
        a->legacy_dn,
        "contoso.com/Users/alice",
        "CN=alice,CN=Users,DC=contoso,DC=com",
    };
    for (size_t i = 0; i < COUNTOF(names); i++) {
        assert_int_equal(directory_by_identity(f->directory, f->arena, names[i], &found), ecNone);
        assert_ptr_equal(found, a);
    }
    assert_int_equal(directory_by_identity(f->directory, f->arena, "alic", &found), ecNotFound);
    assert_int_equal(directory_by_identity(f->directory, f->arena, "", &found), ecNotFound);
    assert_ptr_equal(directory_by_smtp(f->directory, f->arena, "ALICE@contoso.com"), a);
    assert_null(directory_by_smtp(f->directory, f->arena, "alice"));
    assert_ptr_equal(directory_by_mailbox_guid(f->directory, f->arena, a->mailbox_guid), a);
    assert_null(directory_by_mailbox_guid(f->directory, f->arena, a->guid));
    assert_ptr_equal(directory_by_minimal_id(f->directory, f->arena, a->minimal_id), a);
    assert_null(directory_by_minimal_id(f->directory, f->arena, a->minimal_id + 1));
}

static void a_DN_is_found_in_any_case_and_by_the_mailbox_in_it(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f);
    char *upper = talloc_strdup(f, a->legacy_dn), text[GUID_TEXT_SIZE];
    for (char *p = upper; *p; p++)
        *p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
    assert_ptr_equal(directory_by_legacy_dn(f->directory, f->arena, upper), a);
    const char *personal = talloc_asprintf(f, "/o=Contoso/ou=x/cn=Configuration/cn=Servers/cn=%s@contoso.com",
                                           guid_text(a->mailbox_guid, text));
    assert_ptr_equal(directory_by_legacy_dn(f->directory, f->arena, personal), a);
    assert_null(directory_by_legacy_dn(f->directory, f->arena, "/o=Contoso/cn=nobody"));
    assert_null(directory_by_legacy_dn(f->directory, f->arena, "="));
    assert_null(directory_by_legacy_dn(f->directory, f->arena, ""));
}

static void a_display_name_that_two_share_is_ambiguous(void **state)
{
    struct fixture *f = *state;
    const struct account *found = NULL;
    create(f, (struct account_new){ .name = "a1", .display_name = "Sam" }, &found);
    create(f, (struct account_new){ .name = "a2", .display_name = "sam" }, &found);
    assert_int_equal(directory_by_identity(f->directory, f->arena, "Sam", &found), ecAmbiguousRecip);
    assert_int_equal(directory_by_identity(f->directory, f->arena, "a2", &found), ecNone);
    assert_string_equal(found->name, "a2");
}

static void what_is_taken_or_malformed_is_refused_with_a_sentence(void **state)
{
    struct fixture *f = *state;
    alice(f);
    const struct account *a = NULL;
    static const struct { struct account_new new; enum ec ec; const char *says; } wrong[] = {
        { { .name = "b", .primary_smtp = "ALICE@contoso.com" },
          ecDuplicateName,
          "The proxy address \"SMTP:ALICE@contoso.com\" is already being used by the proxy addresses or "
          "LegacyExchangeDN of"
          " \"alice\". Please choose another proxy address." },
        { { .name = "Alice", .primary_smtp = "b@contoso.com" }, ecDuplicateName, "The Name \"Alice\"" },
        { { .name = "b", .alias = "ALICE" }, ecDuplicateName, "The Alias \"ALICE\"" },
        { { .name = "b", .user_principal_name = "alice@contoso.com" }, ecDuplicateName, "already being used" },
        { { .name = "b", .primary_smtp = "b@fabrikam.com" }, ecInvalidParam, "New-AcceptedDomain" },
        { { .name = "b", .primary_smtp = "contoso.com" }, ecInvalidParam, "not a valid SMTP address" },
        { { .name = "b", .primary_smtp = "b..c@contoso.com" }, ecInvalidParam, "not a valid SMTP address" },
        { { .name = "b", .primary_smtp = "b\r\n@contoso.com" }, ecInvalidParam, "not a valid" },
        { { .name = "b", .alias = "a b" }, ecInvalidParam, "not a valid alias" },
        { { .name = "" }, ecInvalidParam, "Name" },
        { { .name = "\xC3\x28" }, ecInvalidParam, "Name" },
        { { .name = "a\nb" }, ecInvalidParam, "Name" },
        { { .name = "12345678901234567890123456789012345678901234567890123456789012345" }, ecInvalidParam, "64" },
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        assert_int_equal(create(f, wrong[i].new, &a), wrong[i].ec);
        if (!strstr(directory_refusal(), wrong[i].says))
            fail_msg("%s", directory_refusal());
    }
    assert_int_equal(directory_list(f->directory, f->arena, ACCOUNTS_ALL)->count, 1);
}

static void an_account_is_there_after_a_restart_as_it_was(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f);
    struct account changed = *a;
    const char *addresses[] = { "smtp:a.example@contoso.com", "SMTP:alice@contoso.com", "X500:/o=Old/cn=alice" };
    changed.proxy_addresses = addresses;
    changed.proxy_count = 3;
    changed.mapi_http_enabled = ORG_OFF;
    changed.block_external = changed.hidden = true;
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);

    TALLOC_FREE(f->directory);
    open_again(f);
    const struct account *b = directory_by_smtp(f->directory, f->arena, "A.Example@contoso.com");
    assert_non_null(b);
    assert_string_equal(b->legacy_dn, a->legacy_dn);
    assert_true(guid_equal(b->mailbox_guid, a->mailbox_guid) && guid_equal(b->guid, a->guid));
    assert_int_equal(b->minimal_id, a->minimal_id);
    assert_string_equal(b->proxy_addresses[0], "SMTP:alice@contoso.com");
    assert_string_equal(b->primary_smtp, "alice@contoso.com");
    assert_int_equal(b->proxy_count, 3);
    assert_int_equal(b->mapi_http_enabled, ORG_OFF);
    assert_true(b->block_external && b->hidden && b->mapi_enabled);
    assert_ptr_equal(directory_by_legacy_dn(f->directory, f->arena, "/O=OLD/CN=ALICE"), b);
    assert_int_equal(directory_authenticate(f->directory, f->arena, "alice@contoso.com", "Passw0rd!", &b), ecNone);
}

static void what_was_handed_out_stays_as_it_was(void **state)
{
    struct fixture *f = *state;
    const struct account *before = alice(f);
    struct account changed = *before;
    changed.display_name = "Alice Other";
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
    assert_string_equal(before->display_name, "Alice Example");
    const struct account *now = directory_by_smtp(f->directory, f->arena, "alice@contoso.com");
    assert_string_equal(now->display_name, "Alice Other");
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecObjectModified);
    assert_int_equal(directory_remove(f->directory, now, NULL, NULL), ecNone);
    assert_string_equal(now->legacy_dn, before->legacy_dn);
    assert_int_equal(directory_set(f->directory, now, NULL), ecNotFound);
}

static void what_identifies_a_mailbox_cannot_be_set(void **state)
{
    struct fixture *f = *state;
    struct account changed = *alice(f);
    const struct account before = changed;
    changed.legacy_dn = "/o=x";
    changed.minimal_id = 99;
    changed.guid = guid_random();
    changed.alias = "renamed";
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
    const struct account *now = directory_by_mailbox_guid(f->directory, f->arena, before.mailbox_guid);
    assert_string_equal(now->legacy_dn, before.legacy_dn);
    assert_int_equal(now->minimal_id, before.minimal_id);
    assert_true(guid_equal(now->guid, before.guid));
    assert_string_equal(now->alias, "renamed");
}

static void a_minimal_id_is_never_given_twice(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f);
    const uint32_t first = a->minimal_id;
    assert_int_equal(directory_remove(f->directory, a, NULL, NULL), ecNone);
    assert_true(person(f, "bob", "bob@contoso.com")->minimal_id > first);
}

static void names_in_every_form_and_case_sign_in(void **state)
{
    struct fixture *f = *state;
    struct account changed = *alice(f);
    const char *addresses[] = { "SMTP:alice@contoso.com", "smtp:a.example@contoso.com" };
    changed.proxy_addresses = addresses;
    changed.proxy_count = 2;
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
    static const char *const names[] = {
        "alice@contoso.com", "ALICE@CONTOSO.COM", "a.example@contoso.com", "contoso.com\\alice", "Contoso.Com\\ALICE",
        "CONTOSO\\alice", "contoso\\Alice", "contoso\\a.example",
    };
    const struct account *who = NULL;
    for (size_t i = 0; i < COUNTOF(names); i++) {
        assert_int_equal(directory_authenticate(f->directory, f->arena, names[i], "Passw0rd!", &who), ecNone);
        assert_string_equal(who->name, "alice");
    }
}

static void everybody_else_is_refused_with_one_and_the_same_code(void **state)
{
    struct fixture *f = *state;
    alice(f);
    person(f, "bob", "bob@contoso.com");                            /* has no password */
    static const struct { const char *user, *password; } wrong[] = {
        { "alice@contoso.com", "passw0rd!" }, { "alice@contoso.com", "" }, { "nobody@contoso.com", "Passw0rd!" },
        { "alice", "Passw0rd!" }, { "FABRIKAM\\alice", "Passw0rd!" }, { "\\alice", "Passw0rd!" }, { "", "" },
        { "CONTOSO\\", "Passw0rd!" }, { "bob@contoso.com", "" }, { "bob@contoso.com", "*" },
    };
    const struct account *who = NULL;
    for (size_t i = 0; i < COUNTOF(wrong); i++)
        assert_int_equal(directory_authenticate(f->directory, f->arena, wrong[i].user, wrong[i].password, &who),
                         ecLoginFailure);
    assert_null(who);
    char longest[2000];
    memset(longest, 'x', sizeof longest);
    longest[sizeof longest - 1] = 0;
    assert_int_equal(directory_authenticate(f->directory, f->arena, "alice@contoso.com", longest, &who),
                     ecLoginFailure);
    assert_null(directory_hash_password(f->arena, longest));
    assert_null(directory_hash_password(f->arena, ""));
}

static void a_disabled_account_cannot_sign_in(void **state)
{
    struct fixture *f = *state;
    struct account changed = *alice(f);
    changed.disabled = true;
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
    const struct account *who = NULL;
    assert_int_equal(directory_authenticate(f->directory, f->arena, "alice@contoso.com", "Passw0rd!", &who),
                     ecLoginFailure);
}

static void a_new_password_replaces_the_old_one_and_moves_the_generation(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f), *who = NULL;
    const uint64_t before = directory_generation(f->directory);
    assert_int_equal(directory_set(f->directory, a, directory_hash_password(f->arena, "other")), ecNone);
    assert_true(directory_generation(f->directory) > before);
    assert_int_equal(directory_authenticate(f->directory, f->arena, "alice@contoso.com", "Passw0rd!", &who),
                     ecLoginFailure);
    assert_int_equal(directory_authenticate(f->directory, f->arena, "alice@contoso.com", "other", &who), ecNone);
}

/* An unknown user costs the same work: a hash with the same method and cost. */
static void nobody_is_compared_with_a_hash_of_the_same_cost(void **state)
{
    struct fixture *f = *state;
    const char *real = directory_hash_password(f->arena, "Passw0rd!"), *nobody = f->directory->nobody_hash;
    assert_int_equal(strncmp(real, "$y$", 3), 0);
    const size_t parameters = strcspn(real + 3, "$");
    assert_int_equal(strncmp(real, nobody, 3 + parameters + 1), 0);
    assert_int_equal(strlen(real), strlen(nobody));
    assert_string_not_equal(real, directory_hash_password(f->arena, "Passw0rd!"));
}

static void the_list_is_in_the_address_books_order(void **state)
{
    struct fixture *f = *state;
    static const char *const names[] = { "Zoe", "émile", "Adam", "Emil", "eva", "Ärger" };
    static const char *const sorted[] = { "Adam", "Ärger", "Emil", "émile", "eva", "Zoe" };
    const struct account *a = NULL;
    for (size_t i = 0; i < COUNTOF(names); i++)
        assert_int_equal(
            create(f, (struct account_new){ .name = talloc_asprintf(f, "user%zu", i), .display_name = names[i] }, &a),
            ecNone);
    const struct account_list *list = directory_list(f->directory, f->arena, ACCOUNTS_IN_ADDRESS_BOOK);
    assert_int_equal(list->count, COUNTOF(sorted));
    for (size_t i = 0; i < list->count; i++) {
        assert_string_equal(list->accounts[i]->display_name, sorted[i]);
        assert_int_equal(account_list_position(list, list->accounts[i]), i);
    }
    assert_int_equal(account_list_seek(list, "e"), 2);
    assert_int_equal(account_list_seek(list, "emil"), 2);
    assert_int_equal(account_list_seek(list, "f"), 5);
    assert_int_equal(account_list_seek(list, "zz"), 6);
    assert_int_equal(account_list_seek(list, ""), 0);
}

static void a_hidden_account_is_in_no_address_book(void **state)
{
    struct fixture *f = *state;
    struct account changed = *alice(f);
    const struct account_list *before = directory_list(f->directory, f->arena, ACCOUNTS_IN_ADDRESS_BOOK);
    changed.hidden = true;
    assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
    assert_int_equal(before->count, 1);
    assert_int_equal(directory_list(f->directory, f->arena, ACCOUNTS_IN_ADDRESS_BOOK)->count, 0);
    assert_int_equal(directory_list(f->directory, f->arena, ACCOUNTS_ALL)->count, 1);
    assert_int_equal(directory_resolve(f->directory, f->arena, "alice", ACCOUNTS_IN_ADDRESS_BOOK, 10).count, 0);
}

static void a_typed_name_is_resolved_as_people_type_it(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f), *b = NULL;
    assert_int_equal(create(f,
                            (struct account_new){ .name = "alicia",
                                                  .display_name = "Alicia Émond",
                                                  .first_name = "Alicia",
                                                  .last_name = "Émond",
                                                  .primary_smtp = "aem@contoso.com" },
                            &b),
                     ecNone);
    static const struct { const char *typed; size_t count; } cases[] = {
        { "ali", 2 },  { "ALICE", 1 }, { " alice e ", 1 }, { "ali exa", 1 },      { "example al", 1 }, { "emond", 1 },
        { "ÉM", 1 },   { "aem@", 1 },  { "aem", 1 },       { "alice@contoso.com", 1 }, { "=alic", 0 }, { "=alice", 1 },
        { "contoso", 0 }, { "", 0 },   { "   ", 0 },       { "SMTP:AEM@contoso.com", 1 }, { "smtp:aem", 0 }, { "=", 0 },
        { "=SMTP:aem@contoso.com", 1 }, { "=SMTP:aem", 0 }, { "=SMTP:", 0 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++)
        assert_int_equal(directory_resolve(f->directory, f->arena, cases[i].typed, ACCOUNTS_ALL, 10).count,
                         cases[i].count);
    const char *dn = talloc_asprintf(f, "EX:%s", a->legacy_dn);
    assert_ptr_equal(directory_resolve(f->directory, f->arena, dn, ACCOUNTS_ALL, 10).accounts[0], a);
    assert_int_equal(directory_resolve(f->directory, f->arena, a->legacy_dn, ACCOUNTS_ALL, 10).count, 1);
    assert_int_equal(directory_resolve(f->directory, f->arena, "ali", ACCOUNTS_ALL, 1).count, 1);
}

static enum ec refuse(void *arg, const struct account *account)
{
    *(struct guid *)arg = account->mailbox_guid;
    return ecDiskFull;
}

static enum ec accept(void *arg, const struct account *account)
{
    *(struct guid *)arg = account->mailbox_guid;
    return ecNone;
}

static void without_its_mailbox_there_is_no_account(void **state)
{
    struct fixture *f = *state;
    const struct account *a = NULL;
    struct guid asked = { 0 };
    const struct account_new new = { .name = "bob", .database = org_settings(f->org, f->arena)->databases[0].guid };
    assert_int_equal(directory_create(f->directory, f->arena, &new, refuse, &asked, &a), ecDiskFull);
    assert_false(guid_is_zero(asked));
    assert_non_null(strstr(directory_refusal(), "bob"));
    assert_null(directory_by_mailbox_guid(f->directory, f->arena, asked));
    assert_int_equal(directory_create(f->directory, f->arena, &new, accept, &asked, &a), ecNone);
    assert_true(guid_equal(asked, a->mailbox_guid));
}

static void a_removed_mailbox_can_be_purged_later(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f), *b = person(f, "bob", "bob@contoso.com");
    struct guid gone = { 0 };
    assert_int_equal(directory_remove(f->directory, a, NULL, NULL), ecNone);
    assert_null(directory_by_smtp(f->directory, f->arena, "alice@contoso.com"));
    assert_int_equal(directory_purge(f->directory, a->mailbox_guid, refuse, &gone), ecDiskFull);
    assert_int_equal(directory_purge(f->directory, a->mailbox_guid, accept, &gone), ecNone);
    assert_true(guid_equal(gone, a->mailbox_guid));
    assert_int_equal(directory_purge(f->directory, a->mailbox_guid, accept, &gone), ecNotFound);
    assert_int_equal(directory_remove(f->directory, b, accept, &gone), ecNone);
    assert_true(guid_equal(gone, b->mailbox_guid));
    assert_int_equal(directory_purge(f->directory, b->mailbox_guid, accept, &gone), ecNotFound);
    assert_non_null(person(f, "alice", "alice@contoso.com"));       /* the names are free again */
}

static void a_renamed_database_is_seen_in_every_account(void **state)
{
    struct fixture *f = *state;
    const struct account *a = alice(f);
    struct org_database db = org_settings(f->org, f->arena)->databases[0];
    db.name = "Main";
    db.url = "postgresql://localhost/oxcart";
    assert_int_equal(org_database_set(f->org, &db), ecNone);
    const struct account *now = directory_by_mailbox_guid(f->directory, f->arena, a->mailbox_guid);
    assert_string_equal(now->database, "Main");
    assert_string_equal(now->store_url, "postgresql://localhost/oxcart");
    assert_string_equal(a->database, "DB01");
}

static void looking_up_costs_no_sql(void **state)
{
    struct fixture *f = *state;
    alice(f);
    const struct account *a = NULL;
    const uint64_t before = sql_statements();
    directory_by_identity(f->directory, f->arena, "alice", &a);
    directory_by_smtp(f->directory, f->arena, "nobody@contoso.com");
    directory_list(f->directory, f->arena, ACCOUNTS_ALL);
    directory_resolve(f->directory, f->arena, "al", ACCOUNTS_ALL, 5);
    directory_authenticate(f->directory, f->arena, "alice@contoso.com", "Passw0rd!", &a);
    assert_int_equal(sql_statements(), before);
}

static void the_policys_input_comes_from_both_sides(void **state)
{
    struct fixture *f = *state;
    struct account changed = *alice(f);
    const struct org_settings *s = org_settings(f->org, f->arena);
    struct policy_input in = directory_policy_input(s, &changed);
    assert_true(in.organization_mapi_http && in.mapi_enabled && !in.block_external);
    assert_int_equal(in.mailbox_mapi_http, ORG_UNSET);
    assert_int_equal(in.mapi_urls, POLICY_INTERNAL);
    assert_int_equal(in.anywhere_hosts, POLICY_BOTH);
    changed.mapi_http_enabled = ORG_OFF;
    changed.block_external = true;
    in = directory_policy_input(s, &changed);
    in.capability = 1;
    assert_int_equal(policy_decide(in).protocol, POLICY_OUTLOOK_ANYWHERE);
}

struct looking {
    struct directory *directory;
    bool wrong;
};

static void *look_up_many(void *arg)
{
    struct looking *looking = arg;
    for (int i = 0; i < 3000; i++) {
        TALLOC_CTX *arena = talloc_new(NULL);
        const struct account *a = directory_by_smtp(looking->directory, arena, "alice@contoso.com");
        looking->wrong |= !a || strncmp(a->display_name, "Alice", 5) != 0;
        looking->wrong |= directory_list(looking->directory, arena, ACCOUNTS_ALL)->count < 1;
        talloc_free(arena);
    }
    return NULL;
}

static void readers_and_a_writer_go_side_by_side(void **state)
{
    struct fixture *f = *state;
    alice(f);
    struct looking looking[3] = { { f->directory }, { f->directory }, { f->directory } };
    pthread_t threads[COUNTOF(looking)];
    for (size_t i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up_many, &looking[i]), 0);
    for (int i = 0; i < 100; i++) {
        struct account changed = *directory_by_smtp(f->directory, f->arena, "alice@contoso.com");
        changed.display_name = i % 2 ? "Alice Example" : "Alice Other";
        assert_int_equal(directory_set(f->directory, &changed, NULL), ecNone);
        person(f, talloc_asprintf(f, "p%d", i), talloc_asprintf(f, "p%d@contoso.com", i));
    }
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_false(looking[i].wrong);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_mailbox_gets_the_names_that_were_left_out),
        TEST(derived_names_avoid_each_other_and_odd_characters),
        TEST(every_way_of_naming_an_account_finds_it),
        TEST(a_DN_is_found_in_any_case_and_by_the_mailbox_in_it),
        TEST(a_display_name_that_two_share_is_ambiguous),
        TEST(what_is_taken_or_malformed_is_refused_with_a_sentence),
        TEST(an_account_is_there_after_a_restart_as_it_was),
        TEST(what_was_handed_out_stays_as_it_was),
        TEST(what_identifies_a_mailbox_cannot_be_set),
        TEST(a_minimal_id_is_never_given_twice),
        TEST(names_in_every_form_and_case_sign_in),
        TEST(everybody_else_is_refused_with_one_and_the_same_code),
        TEST(a_disabled_account_cannot_sign_in),
        TEST(a_new_password_replaces_the_old_one_and_moves_the_generation),
        TEST(nobody_is_compared_with_a_hash_of_the_same_cost),
        TEST(the_list_is_in_the_address_books_order),
        TEST(a_hidden_account_is_in_no_address_book),
        TEST(a_typed_name_is_resolved_as_people_type_it),
        TEST(without_its_mailbox_there_is_no_account),
        TEST(a_removed_mailbox_can_be_purged_later),
        TEST(a_renamed_database_is_seen_in_every_account),
        TEST(looking_up_costs_no_sql),
        TEST(the_policys_input_comes_from_both_sides),
        TEST(readers_and_a_writer_go_side_by_side),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
