/* SPDX-License-Identifier: Apache-2.0 */
/* How large a mailbox may be, and what its owner hears of it. */
#include "transport/internal.h"

#define DAY UINT64_C(864000000000)
enum { CP_UTF8 = 65001, BODY_IS_PLAIN = 1, KILOBYTE = 1024 };

static bool is_over(int64_t limit, uint64_t size)
{
    return limit != ORG_UNLIMITED && size > (uint64_t)limit;
}

enum ec quota_allows_sending(struct transport *t, struct store *st)
{
    const struct org_quota quota = directory_quota(t->config.directory, store_mailbox_guid(st));
    uint64_t size = 0;
    const enum ec ec = quota.send == ORG_UNLIMITED ? ecNone : store_size(st, &size);
    return ec ? ec : is_over(quota.send, size) ? ecQuotaExceeded : ecNone;
}

enum ec quota_allows_delivery(struct transport *t, const struct account *a, struct store *st, size_t more)
{
    const struct org_quota quota = directory_quota(t->config.directory, a->mailbox_guid);
    uint64_t size = 0;
    const enum ec ec = quota.receive == ORG_UNLIMITED ? ecNone : store_size(st, &size);
    return ec ? ec : is_over(quota.receive, size + more) ? ecQuotaExceeded : ecNone;
}

static const char *limit_text(TALLOC_CTX *arena, int64_t limit)
{
    return limit == ORG_UNLIMITED ? "no limit" : talloc_asprintf(arena, "%lld KB", (long long)(limit / KILOBYTE));
}

static struct letter *warning_letter(TALLOC_CTX *arena, struct transport *t, const struct account *a,
                                     const struct org_quota *quota, uint64_t size)
{
    struct letter *letter = letter_new(arena);
    const struct mime_person owner = person_of_account(a);
    const char *address = talloc_asprintf(arena, "postmaster@%s", t->hostname);
    const struct mime_person from = { "Mailbox Administrator", "SMTP", address, address };
    const bool full = is_over(quota->send, size) || is_over(quota->receive, size);
    const char *text = talloc_asprintf(
        arena,
        "Your mailbox is %s. Delete what you do not need any more, and empty Deleted Items.\r\n\r\n"
        "      Size of the mailbox:        %llu KB\r\n"
        "      You are warned from:        %s\r\n"
        "      You cannot send beyond:     %s\r\n"
        "      Nothing is received beyond: %s\r\n",
        full ? "full" : "almost full", (unsigned long long)(size / KILOBYTE), limit_text(arena, quota->warning),
        limit_text(arena, quota->send), limit_text(arena, quota->receive));
    const struct prop values[] = {
        P_STR(PidTagMessageClass, "IPM.Note.StorageQuotaWarning"),
        P_STR(PidTagBody, text),
        P_I32(PidTagNativeBody, BODY_IS_PLAIN),
        P_I32(PidTagInternetCodepage, CP_UTF8),
        P_I32(PidTagImportance, 2),
        P_I32(PidTagAutoResponseSuppress, UINT32_MAX),
        P_TIME(PidTagClientSubmitTime, filetime_now()),
    };
    for (size_t i = 0; i < COUNTOF(values); i++)
        letter_set(&letter->props, values[i]);
    mime_set_subject(&letter->props, full ? "Your mailbox is full" : "Your mailbox is almost full");
    mime_set_person(&letter->props, ROLE_SENDER, &from);
    mime_set_person(&letter->props, ROLE_SENT_REPRESENTING, &from);
    mime_add_recipient(letter, 1, &owner);
    return letter;
}

struct letter *quota_warning(TALLOC_CTX *arena, struct transport *t, const struct account *a, struct store *st)
{
    const struct org_quota quota = directory_quota(t->config.directory, a->mailbox_guid);
    uint64_t size;
    if (quota.warning == ORG_UNLIMITED || store_size(st, &size) || !is_over(quota.warning, size) ||
        !store_warns_now(st, DAY))
        return NULL;
    return warning_letter(arena, t, a, &quota, size);
}
