/* SPDX-License-Identifier: Apache-2.0 */
/* The names by which clients find a mailbox: its MailboxId, its server's distinguished name, its URLs. */
#include "directory/internal.h"

char *account_mailbox_id(TALLOC_CTX *arena, const struct account *a)
{
    char guid[GUID_TEXT_SIZE];
    const char *at = strrchr(a->primary_smtp, '@');
    return talloc_asprintf(arena, "%s@%s", guid_text(a->mailbox_guid, guid), at ? at + 1 : "");
}

char *account_server_dn(TALLOC_CTX *arena, const struct org_settings *settings, const struct account *a)
{
    return talloc_asprintf(arena, "%s/cn=Configuration/cn=Servers/cn=%s", settings->legacy_dn, account_mailbox_id(arena, a));
}

char *account_mapi_url(TALLOC_CTX *arena, const char *virtual_directory_url, const char *endpoint, const struct account *a)
{
    size_t length = strlen(virtual_directory_url);
    while (length && virtual_directory_url[length - 1] == '/')
        length--;
    return talloc_asprintf(arena, "%.*s/%s/?MailboxId=%s", (int)length, virtual_directory_url, endpoint,
                           account_mailbox_id(arena, a));
}
