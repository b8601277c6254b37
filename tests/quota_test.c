/* SPDX-License-Identifier: Apache-2.0 */
/* Quotas: set by cmdlets, met by mail, shown to clients and to the administrator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "server.h"

struct fixture {
    struct server *server;
    TALLOC_CTX *arena;
    struct client *alice;
};

static int start(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->server = server_start(f, NULL);
    f->arena = talloc_new(f);
    f->alice = server_logon(f->server, f, "alice");
    *state = f;
    return 0;
}

static int stop(void **state)
{
    struct fixture *f = *state;
    client_disconnect(f->alice);
    assert_int_equal(server_stop(f->server), 0);
    return talloc_free(f);
}

#define OK(c, call)                                                                                                    \
    do {                                                                                                               \
        const enum ec ec_ = (call);                                                                                    \
        if (ec_)                                                                                                       \
            fail_msg("%s: %s (%s)", #call, ec_name(ec_), client_error(c)->text);                                       \
    } while (0)

/* What the mail server is told, for a message of about so many bytes. */
static const char *deliver(struct fixture *f, unsigned bytes)
{
    char *body = talloc_zero_size(f->arena, bytes + 1);
    memset(body, 'x', bytes);
    FILE *swaks = popen(talloc_asprintf(f->arena,
                                        "swaks --protocol LMTP --server 127.0.0.1 --port %u --from eve@example.com"
                                        " --to alice@contoso.com --body '%s' 2>&1 | grep -a '5.2.2\\|2.1.5 delivered'",
                                        server_lmtp_port(f->server), body),
                        "r");
    char *line = talloc_zero_size(f->arena, 500);
    if (!fgets(line, 499, swaks))
        *line = '\0';
    pclose(swaks);
    return line;
}

static int32_t quota(struct fixture *f, uint32_t tag)
{
    struct prop *value;
    OK(f->alice, client_get(f->alice, f->arena, client_logon_handle(f->alice), &tag, 1, &value));
    assert_int_equal(value->tag, tag);
    return value->i32;
}

/* MS-OXCSTOR 2.2.2.1.1 */
static void a_client_sees_the_quotas_in_kilobytes(void **state)
{
    struct fixture *f = *state;
    enum ec ec;
    assert_int_equal(quota(f, PidTagProhibitSendQuota), 2097152);
    server_cmdlet(f->server, f->arena, NULL,
                  "Set-Mailbox alice -UseDatabaseQuotaDefaults $false -IssueWarningQuota 1MB -ProhibitSendQuota 2MB"
                  " -ProhibitSendReceiveQuota 3MB");
    assert_int_equal(quota(f, PidTagStorageQuotaLimit), 1024);
    assert_int_equal(quota(f, PidTagProhibitSendQuota), 2048);    /* MS-OXCSTOR_R648 */
    assert_int_equal(quota(f, PidTagProhibitReceiveQuota), 3072); /* MS-OXCSTOR_R646 */
    ec = client_set(f->alice, client_logon_handle(f->alice), &P_I32(PidTagProhibitSendQuota, 1), 1);
    assert_int_not_equal(ec, ecNone); /* MS-OXCSTOR_R3055004 */
    server_cmdlet(f->server, f->arena, NULL, "Set-Mailbox alice -ProhibitSendReceiveQuota unlimited");
    assert_int_equal(quota(f, PidTagProhibitReceiveQuota), -1); /* MS-OXCSTOR_R647 */
}

static void a_full_mailbox_takes_nothing_from_mail_or_client(void **state)
{
    struct fixture *f = *state;
    uint64_t inbox;
    uint32_t message;
    server_cmdlet(f->server, f->arena, NULL,
                  "Set-Mailbox alice -UseDatabaseQuotaDefaults $false -IssueWarningQuota unlimited -ProhibitSendQuota"
                  " unlimited -ProhibitSendReceiveQuota 20KB");
    assert_non_null(strstr(deliver(f, 5000), "2.1.5"));
    assert_non_null(strstr(deliver(f, 30000), "552 5.2.2"));
    server_cmdlet(f->server, f->arena, NULL, "Set-Mailbox alice -ProhibitSendReceiveQuota 1KB");
    OK(f->alice, client_folder_find(f->alice, "Inbox", &inbox));
    OK(f->alice, client_message_create(f->alice, inbox, &message));
    assert_int_equal(client_message_save(f->alice, message, NULL), ecShutoffQuotaExceeded);
    client_release(f->alice, message);
    server_cmdlet(f->server, f->arena, NULL, "Set-Mailbox alice -UseDatabaseQuotaDefaults $true");
    assert_non_null(strstr(deliver(f, 30000), "2.1.5"));
}

static void the_administrator_sees_sizes_as_Exchange_writes_them(void **state)
{
    struct fixture *f = *state;
    const char *text = server_cmdlet(f->server, f->arena, NULL, "Get-MailboxDatabase DB01 | fl *Quota");
    assert_non_null(strstr(text, "ProhibitSendQuota        : 2 GB (2,147,483,648 bytes)"));
    server_cmdlet(f->server, f->arena, NULL, "Set-MailboxDatabase DB01 -ProhibitSendQuota 1.5GB");
    text = server_cmdlet(f->server, f->arena, NULL, "Get-MailboxDatabase DB01 | fl ProhibitSendQuota");
    assert_non_null(strstr(text, "1.5 GB (1,610,612,736 bytes)"));
    assert_non_null(strstr(deliver(f, 5000), "2.1.5"));
    text = server_cmdlet(f->server, f->arena, NULL,
                         "Get-MailboxStatistics alice | fl ItemCount,TotalItemSize,StorageLimitStatus");
    assert_non_null(strstr(text, " KB ("));
    assert_non_null(strstr(text, "BelowLimit"));
    const char *database = server_cmdlet(f->server, f->arena, NULL, "Get-Mailbox alice | select -exp Database");
    text = server_cmdlet(f->server, f->arena, NULL, "Get-MailboxStatistics -Database '%.*s'",
                         (int)strcspn(database, "\r\n"), database);
    assert_non_null(strstr(text, "DisplayName"));
    assert_non_null(strstr(text, "Bob Example"));
    text = server_cmdlet(
        f->server, f->arena, NULL,
        "Get-MailboxFolderStatistics alice | ? {$_.FolderType -eq 'Inbox'} | fl FolderPath,ItemsInFolder");
    assert_non_null(strstr(text, "/Inbox"));
    assert_null(strstr(text, "ItemsInFolder : 0"));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_client_sees_the_quotas_in_kilobytes),
        cmocka_unit_test(a_full_mailbox_takes_nothing_from_mail_or_client),
        cmocka_unit_test(the_administrator_sees_sizes_as_Exchange_writes_them),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("quotas", tests, start, stop);
}
