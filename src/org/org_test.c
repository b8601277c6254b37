/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "org/internal.h"

struct fixture {
    char *dir;
    struct org *org;
    TALLOC_CTX *arena;
};

static enum ec open_again(struct fixture *f, const struct org_defaults *defaults)
{
    TALLOC_FREE(f->org);
    return org_open(&f->org, f, f->dir, defaults);
}

static int set_up(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    char path[] = "/tmp/oxcart-org-XXXXXX";
    f->dir = talloc_strdup(f, mkdtemp(path));
    f->arena = talloc_new(f);
    assert_int_equal(open_again(f, &(struct org_defaults){ .hostname = "mail.contoso.com" }), ecNone);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char *command = talloc_asprintf(f, "rm -rf %s", f->dir);
    TALLOC_FREE(f->org);
    assert_int_equal(system(command), 0);
    return talloc_free(f);
}

static const struct org_settings *settings(struct fixture *f)
{
    return org_settings(f->org, f->arena);
}

/* The scenario table of "MAPI over HTTP in Exchange Server", cell by cell. */
static void after_an_upgrade_MAPI_over_HTTP_is_on_where_Exchange_leaves_it_on(void **state)
{
    static const struct {
        const char *from, *level, *refusal;
        bool on;
    } cells[] = {
        { "Exchange2016", "Exchange2019", NULL, true },
        { "Exchange2016", "Exchange2016", "that is no upgrade", false },
        { "Exchange2013", "Exchange2019", NULL, false },
        { "Exchange2013", "Exchange2016", NULL, false },
        { "Exchange2010", "Exchange2019", "can't be installed beside Exchange 2010", false },
        { "Exchange2010", "Exchange2016", NULL, true },
        { "exchange2013", "EXCHANGE2019", NULL, false },
        { NULL, NULL, NULL, true },
        { "Exchange2007", "Exchange2019", "from Exchange2010, Exchange2013 or Exchange2016", false },
        { "Exchange2016", "Exchange2013", "to Exchange2016 or Exchange2019", false },
        { "Exchange2016", NULL, "belong together", false },
        { NULL, "Exchange2019", "belong together", false },
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(cells); i++) {
        const struct org_defaults defaults = { .hostname = "mail.contoso.com", .upgrade_from = cells[i].from,
                                               .product_level = cells[i].level };
        char *dir = talloc_asprintf(f->arena, "%s/upgrade%zu", f->dir, i);
        struct org *org = NULL;
        const enum ec ec = org_open(&org, f->arena, dir, &defaults);
        if (cells[i].refusal) {
            assert_int_equal(ec, ecInvalidParam);
            assert_non_null(strstr(org_error(), cells[i].refusal));
            assert_int_not_equal(access(dir, F_OK), 0);             /* nothing was made */
            continue;
        }
        assert_int_equal(ec, ecNone);
        assert_int_equal(org_settings(org, f->arena)->mapi_http_enabled, cells[i].on);
        TALLOC_FREE(org);
    }
}

static void a_new_organisation_is_derived_from_the_host_name(void **state)
{
    struct fixture *f = *state;
    const struct org_settings *s = settings(f);
    assert_string_equal(s->organization, "Contoso");
    assert_string_equal(s->server_name, "MAIL");
    assert_string_equal(s->hostname, "mail.contoso.com");
    assert_string_equal(s->netbios_name, "CONTOSO");
    assert_string_equal(s->legacy_dn, "/o=Contoso/ou=Exchange Administrative Group (FYDIBOHF23SPDLT)");
    assert_true(s->mapi_http_enabled);
    assert_false(guid_is_zero(s->deployment_id));
    assert_int_equal(s->domain_count, 1);
    assert_string_equal(s->domains[0].domain, "contoso.com");
    assert_true(s->domains[0].is_default);
    assert_int_equal(s->database_count, 1);
    assert_string_equal(s->databases[0].name, "DB01");
    assert_string_equal(s->databases[0].url, talloc_asprintf(f, "sqlite:%s/mailboxes", s->data_dir));
}

static void its_virtual_directories_offer_what_can_succeed(void **state)
{
    const struct org_settings *s = settings(*state);
    const struct org_virtual_directory *mapi = org_directory_of(s, ORG_MAPI);
    assert_string_equal(mapi->identity, "MAIL\\mapi (Default Web Site)");
    assert_string_equal(mapi->internal_url, "https://mail.contoso.com/mapi");
    assert_null(mapi->external_url);
    assert_int_equal(mapi->auth, ORG_BASIC);
    assert_int_equal(org_urls(mapi), POLICY_INTERNAL);

    const struct org_virtual_directory *rpc = org_directory_of(s, ORG_OUTLOOK_ANYWHERE);
    assert_string_equal(rpc->name, "Rpc (Default Web Site)");
    assert_string_equal(rpc->internal_hostname, "mail.contoso.com");
    assert_string_equal(rpc->external_hostname, "mail.contoso.com");
    assert_true(rpc->internal_ssl && rpc->external_ssl);
    assert_int_equal(rpc->internal_auth, ORG_BASIC);
    assert_int_equal(org_hosts(rpc), POLICY_BOTH);

    assert_ptr_equal(org_directory_named(s, "MAPI"), mapi);
    assert_non_null(org_directory_named(s, "autodiscover"));
    assert_null(org_directory_named(s, "map"));
    assert_int_equal(org_urls(NULL), POLICY_NOWHERE);
}

static void what_the_defaults_say_goes_before_what_is_derived(void **state)
{
    struct fixture *f = *state;
    struct org *org;
    const char *dir = talloc_asprintf(f, "%s/deep/er", f->dir);
    const struct org_defaults defaults = { "Fabrikam & Söhne", .server_name = "EX01", .hostname = "Host" };
    assert_int_equal(org_open(&org, f, dir, &defaults), ecNone);
    const struct org_settings *s = org_settings(org, f->arena);
    assert_string_equal(s->organization, "Fabrikam & Söhne");
    assert_string_equal(s->server_name, "EX01");
    assert_string_equal(s->domains[0].domain, "host");
    assert_string_equal(s->netbios_name, "HOST");
    talloc_free(org);
}

static void names_that_cannot_stand_in_a_url_or_a_DN_are_refused(void **state)
{
    struct fixture *f = *state;
    static const struct org_defaults wrong[] = {
        { .hostname = "" }, { .hostname = "192.168.1.1" }, { .hostname = "a b.com" }, { .hostname = "mail..com" },
        { .hostname = "mail.contoso.com." }, { .hostname = "-a.com" }, { .hostname = "https://mail.contoso.com" },
        { .hostname = "a.com", .organization = "" }, { .hostname = "a.com", .organization = "a/cn=b" },
        { .hostname = "a.com", .server_name = "ex\\01" }, { .hostname = "a.com", .organization = "\xFF" },
    };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        struct org *org;
        assert_int_equal(org_open(&org, f, talloc_asprintf(f, "%s/%zu", f->dir, i), &wrong[i]), ecInvalidParam);
        assert_true(strlen(org_error()) > 20);
    }
}

static void a_second_start_finds_the_same_organisation(void **state)
{
    struct fixture *f = *state;
    const struct guid id = settings(f)->deployment_id;
    assert_int_equal(open_again(f, &(struct org_defaults){ "Other", .hostname = "x.other.com" }), ecNone);
    assert_string_equal(settings(f)->organization, "Contoso");
    assert_true(guid_equal(settings(f)->deployment_id, id));
    assert_int_equal(open_again(f, NULL), ecNone);
}

static void without_an_organisation_and_without_defaults_the_reason_is_said(void **state)
{
    struct fixture *f = *state;
    struct org *org;
    const char *empty = talloc_asprintf(f, "%s/mailboxes", f->dir);
    assert_int_equal(org_open(&org, f, empty, NULL), ecNotFound);
    assert_non_null(strstr(org_error(), "oxcartd"));
    assert_int_equal(org_open(&org, f, talloc_asprintf(f, "%s/nowhere", f->dir), NULL), ecNotFound);
    assert_non_null(strstr(org_error(), "nowhere"));
}

static void an_organisation_of_an_older_program_keeps_what_was_deleted_for_14_days(void **state)
{
    struct fixture *f = *state;
    struct sql *db;
    TALLOC_FREE(f->org);
    assert_int_equal(sql_open(&db, f, talloc_asprintf(f, "sqlite:%s/org.db", f->dir)), ecNone);
    assert_int_equal(sql_script(db, "ALTER TABLE mailbox_database DROP COLUMN deleted_item_retention;"
                                    "UPDATE schema_version SET version = 1 WHERE name = 'org';"),
                     ecNone);
    talloc_free(db);
    assert_int_equal(open_again(f, NULL), ecNone);
    struct org_database database = settings(f)->databases[0];
    assert_int_equal(database.deleted_item_retention, 14 * 86400);
    database.deleted_item_retention = 86400;
    assert_int_equal(org_database_set(f->org, &database), ecNone);
    assert_int_equal(open_again(f, NULL), ecNone);
    assert_int_equal(settings(f)->databases[0].deleted_item_retention, 86400);
}

static void a_damaged_database_is_refused_with_its_path(void **state)
{
    struct fixture *f = *state;
    TALLOC_FREE(f->org);
    FILE *file = fopen(talloc_asprintf(f, "%s/org.db", f->dir), "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database ", file);
    fclose(file);
    assert_int_equal(open_again(f, NULL), ecCorruptStore);
    assert_non_null(strstr(org_error(), "org.db"));
}

static void an_older_picture_stays_as_it_was(void **state)
{
    struct fixture *f = *state;
    const struct org_settings *before = settings(f);
    assert_int_equal(org_set_mapi_http(f->org, false), ecNone);
    assert_true(before->mapi_http_enabled);
    assert_false(settings(f)->mapi_http_enabled);
    assert_true(settings(f)->generation > before->generation);
    assert_int_equal(org_generation(f->org), settings(f)->generation);
    assert_int_equal(open_again(f, NULL), ecNone);
    assert_false(settings(f)->mapi_http_enabled);
    assert_true(before->mapi_http_enabled);                         /* the old one outlives even the organisation */
}

static void the_internal_url_follows_the_listener_until_somebody_sets_it(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(org_set_https_port(f->org, 8443), ecNone);
    assert_string_equal(org_directory_of(settings(f), ORG_MAPI)->internal_url, "https://mail.contoso.com:8443/mapi");
    assert_int_equal(org_set_https_port(f->org, 443), ecNone);
    assert_string_equal(org_directory_of(settings(f), ORG_MAPI)->internal_url, "https://mail.contoso.com/mapi");

    struct org_virtual_directory mapi = *org_directory_of(settings(f), ORG_MAPI);
    mapi.internal_url = "https://contoso.com/mapi";
    mapi.external_url = "https://outside.contoso.com/mapi";
    mapi.internal_url_by_hand = true;
    mapi.auth = ORG_NTLM | ORG_NEGOTIATE;
    assert_int_equal(org_directory_set(f->org, &mapi), ecNone);
    assert_int_equal(org_set_https_port(f->org, 8443), ecNone);
    const struct org_virtual_directory *now = org_directory_of(settings(f), ORG_MAPI);
    assert_string_equal(now->internal_url, "https://contoso.com/mapi");
    assert_string_equal(now->external_url, "https://outside.contoso.com/mapi");
    assert_int_equal(now->auth, ORG_NTLM | ORG_NEGOTIATE);
    assert_int_equal(org_urls(now), POLICY_BOTH);
}

static void a_change_made_from_an_old_row_is_refused(void **state)
{
    struct fixture *f = *state;
    struct org_virtual_directory first = *org_directory_of(settings(f), ORG_MAPI), second = first;
    first.external_url = "https://a/mapi";
    second.external_url = "https://b/mapi";
    assert_int_equal(org_directory_set(f->org, &first), ecNone);
    assert_int_equal(org_directory_set(f->org, &second), ecObjectModified);
    assert_string_equal(org_directory_of(settings(f), ORG_MAPI)->external_url, "https://a/mapi");
}

static void one_accepted_domain_is_the_default(void **state)
{
    struct fixture *f = *state;
    struct org_domain fabrikam = { .name = "Fabrikam", .domain = "Fabrikam.COM", .is_default = true };
    assert_int_equal(org_domain_add(f->org, &fabrikam), ecNone);
    const struct org_settings *s = settings(f);
    assert_int_equal(s->domain_count, 2);
    assert_string_equal(s->domains[1].domain, "fabrikam.com");
    assert_true(s->domains[1].is_default && !s->domains[0].is_default);
    assert_ptr_equal(org_domain_of(s, "alice@FABRIKAM.com"), &s->domains[1]);
    assert_null(org_domain_of(s, "alice@sub.fabrikam.com"));

    assert_int_equal(org_domain_remove(f->org, fabrikam.guid), ecAccessDenied);
    struct org_domain contoso = s->domains[0];
    contoso.is_default = true;
    contoso.type = ORG_INTERNAL_RELAY;
    assert_int_equal(org_domain_set(f->org, &contoso), ecNone);
    contoso.version++;
    contoso.is_default = false;
    assert_int_equal(org_domain_set(f->org, &contoso), ecInvalidParam);
    assert_int_equal(org_domain_remove(f->org, fabrikam.guid), ecNone);
    assert_int_equal(org_domain_remove(f->org, fabrikam.guid), ecNotFound);
    assert_int_equal(settings(f)->domains[0].type, ORG_INTERNAL_RELAY);
    struct org_domain again = { .name = "x", .domain = "CONTOSO.com" };
    assert_int_equal(org_domain_add(f->org, &again), ecDuplicateName);
    assert_non_null(strstr(org_error(), "contoso.com"));
}

static void a_mailbox_database_is_a_url(void **state)
{
    struct fixture *f = *state;
    struct org_database db = { .name = "DB02", .url = "postgresql://db1,db2/oxcart?target_session_attrs=read-write" };
    assert_int_equal(org_database_add(f->org, &db), ecNone);
    const struct org_settings *s = settings(f);
    const struct org_database *there = org_database_by_name(s, "db02");
    assert_string_equal(there->url, db.url);
    assert_string_equal(s->databases[0].url, talloc_asprintf(f, "sqlite:%s/mailboxes", s->data_dir));
    struct org_database twin = { .name = "db01", .url = "sqlite:/x" };
    assert_int_equal(org_database_add(f->org, &twin), ecDuplicateName);

    struct org_database changed = *there;
    changed.name = "DB03";
    changed.excluded_from_provisioning = true;
    assert_int_equal(org_database_set(f->org, &changed), ecNone);
    assert_null(org_database_by_name(settings(f), "DB02"));
    assert_true(org_database_by_guid(settings(f), db.guid)->excluded_from_provisioning);
    assert_int_equal(org_database_remove(f->org, db.guid), ecNone);
    assert_int_equal(org_database_remove(f->org, db.guid), ecNotFound);
}

static void a_moved_data_folder_takes_its_mailboxes_along(void **state)
{
    struct fixture *f = *state;
    TALLOC_FREE(f->org);
    char *elsewhere = talloc_asprintf(f, "%s-moved", f->dir);
    assert_int_equal(rename(f->dir, elsewhere), 0);
    f->dir = elsewhere;
    assert_int_equal(open_again(f, NULL), ecNone);
    const char *expected = talloc_asprintf(f, "sqlite:%s/mailboxes", settings(f)->data_dir);
    assert_string_equal(settings(f)->databases[0].url, expected);
    struct org_database db = *settings(f)->databases;
    assert_int_equal(org_database_set(f->org, &db), ecNone);        /* and a change keeps it so */
    assert_string_equal(settings(f)->databases[0].url, expected);
}

static void count(void *arg)
{
    ++*(int *)arg;
}

static void the_watcher_hears_every_change(void **state)
{
    struct fixture *f = *state;
    int changes = 0;
    org_watch(f->org, count, &changes);
    org_set_mapi_http(f->org, false);
    org_set_https_port(f->org, 4443);
    org_domain_remove(f->org, guid_random());
    assert_int_equal(changes, 2);
}

static void a_data_folder_has_one_owner_at_a_time(void **state)
{
    struct fixture *f = *state;
    struct org_lock *first, *second;
    assert_int_equal(org_lock_take(&first, f, f->dir), ecNone);
    assert_int_equal(org_lock_take(&second, f, f->dir), ecBusy);
    assert_non_null(strstr(org_error(), f->dir));
    talloc_free(first);
    assert_int_equal(org_lock_take(&second, f, f->dir), ecNone);
}

static void what_is_written_is_nobody_elses_to_read(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(talloc_asprintf(f, "%s/org.db", f->dir), &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
    assert_int_equal(stat(talloc_asprintf(f, "%s/mailboxes", f->dir), &st), 0);
    assert_int_equal(st.st_mode & 077, 0);
}

struct reading {
    struct org *org;
    bool torn;
};

/* MAPI's ExternalUrl and its methods are always changed together. */
static void *read_pictures(void *arg)
{
    struct reading *reading = arg;
    for (int i = 0; i < 2000; i++) {
        TALLOC_CTX *arena = talloc_new(NULL);
        const struct org_virtual_directory *mapi = org_directory_of(org_settings(reading->org, arena), ORG_MAPI);
        reading->torn |= (mapi->external_url != NULL) != (mapi->auth == ORG_NTLM);
        talloc_free(arena);
    }
    return NULL;
}

static void readers_see_whole_pictures_while_others_write(void **state)
{
    struct fixture *f = *state;
    struct reading readings[3] = { { f->org }, { f->org }, { f->org } };
    pthread_t threads[COUNTOF(readings)];
    for (size_t i = 0; i < COUNTOF(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, read_pictures, &readings[i]), 0);
    for (int i = 0; i < 50; i++) {
        struct org_virtual_directory mapi = *org_directory_of(settings(f), ORG_MAPI);
        mapi.external_url = i % 2 ? NULL : "https://outside/mapi";
        mapi.auth = i % 2 ? ORG_BASIC : ORG_NTLM;
        assert_int_equal(org_directory_set(f->org, &mapi), ecNone);
    }
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_false(readings[i].torn);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_new_organisation_is_derived_from_the_host_name),
        TEST(after_an_upgrade_MAPI_over_HTTP_is_on_where_Exchange_leaves_it_on),
        TEST(its_virtual_directories_offer_what_can_succeed),
        TEST(what_the_defaults_say_goes_before_what_is_derived),
        TEST(names_that_cannot_stand_in_a_url_or_a_DN_are_refused),
        TEST(a_second_start_finds_the_same_organisation),
        TEST(without_an_organisation_and_without_defaults_the_reason_is_said),
        TEST(an_organisation_of_an_older_program_keeps_what_was_deleted_for_14_days),
        TEST(a_damaged_database_is_refused_with_its_path),
        TEST(an_older_picture_stays_as_it_was),
        TEST(the_internal_url_follows_the_listener_until_somebody_sets_it),
        TEST(a_change_made_from_an_old_row_is_refused),
        TEST(one_accepted_domain_is_the_default),
        TEST(a_mailbox_database_is_a_url),
        TEST(a_moved_data_folder_takes_its_mailboxes_along),
        TEST(the_watcher_hears_every_change),
        TEST(a_data_folder_has_one_owner_at_a_time),
        TEST(what_is_written_is_nobody_elses_to_read),
        TEST(readers_see_whole_pictures_while_others_write),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
