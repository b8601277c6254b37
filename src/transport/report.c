/* SPDX-License-Identifier: Apache-2.0 */
/* The report to a sender about recipients who did not get the message: [MS-OXOMSG] 2.2.2, [MS-OXCMAIL] 2.1.3.6.1.
 *
 *     REPORT.IPM.Note.NDR -+- one recipient for each who failed, with its codes
 *                          +- the message itself, embedded */
#include <stdlib.h>

#include "transport/internal.h"
#include "wire/entry_id.h"

enum {
    ATTACH_EMBEDDED = 5,
    BODY_IS_PLAIN = 1,
    REASON_TRANSFER_IMPOSSIBLE = 1,
    DIAGNOSTIC_UNRECOGNIZED = 0,
    CP_UTF8 = 65001
};

/* "5.1.1" as 511: [MS-OXCMAIL] 2.2.3.7.1.3 */
static uint32_t status_code(const char *status)
{
    uint32_t code = 0;
    for (const char *c = status; *c; c++)
        code = *c >= '0' && *c <= '9' ? code * 10 + (uint32_t)(*c - '0') : code;
    return code;
}

static void add_failed(struct letter *report, const struct letter *original, const struct queued_recipient *r)
{
    struct mime_person p = { "", "SMTP", "", "" };
    const bool known =
        r->row < original->recipient_count && mime_recipient_person(&original->recipients[r->row]->props, &p);
    const uint32_t code = status_code(r->status);
    if (!known)
        return;
    p.smtp = p.smtp ? p.smtp : "";
    struct letter_props *props = &mime_add_recipient(report, 1, &p)->props;
    letter_set(props, P_I32(PidTagNonDeliveryReportReasonCode, REASON_TRANSFER_IMPOSSIBLE));
    letter_set(props, P_I32(PidTagNonDeliveryReportDiagCode, code / 10 == 51 ? DIAGNOSTIC_UNRECOGNIZED : UINT32_MAX));
    letter_set(props, P_I32(PidTagNonDeliveryReportStatusCode, code));
    letter_set(props, P_STR(PidTagReportText, r->reason));
    letter_set(props, P_STR(PidTagSupplementaryInfo,
                            talloc_asprintf(report->owner, "<#%s smtp;550 %s %s>", r->status, r->status, r->reason)));
    letter_set(props, P_TIME(PidTagReportTime, filetime_now()));
}

static const char *text_of(TALLOC_CTX *arena, const struct transport *t, const struct submission *s)
{
    const char *subject = letter_text(&s->letter->props, PidTagSubject);
    struct buf text;
    buf_init(&text, arena);
    buf_printf(&text,
               "Your message did not reach some or all of the intended recipients.\r\n\r\n"
               "      Subject:  %s\r\n      Sent:     %s\r\n\r\n"
               "The following recipients cannot be reached:\r\n\r\n",
               subject ? subject : "", filetime_text(arena, s->created));
    for (uint32_t i = 0; i < s->count; i++) {
        const struct queued_recipient *r = &s->recipients[i];
        struct mime_person p;
        if (r->state != SUBMISSION_FAILED || r->row >= s->letter->recipient_count ||
            !mime_recipient_person(&s->letter->recipients[r->row]->props, &p))
            continue;
        buf_printf(&text, "      %s (%s)\r\n            %s\r\n            <%s #%s>\r\n\r\n", p.display_name,
                   p.smtp ? p.smtp : p.address, r->reason, t->hostname, r->status);
    }
    buf_add(&text, "", 1);
    return (const char *)text.data;
}

static void copy_text(struct letter_props *to, uint32_t to_tag, const struct letter_props *from, uint32_t from_tag)
{
    if (letter_text(from, from_tag))
        letter_set(to, P_STR(to_tag, letter_text(from, from_tag)));
}

static void copy_bytes(struct letter_props *to, uint32_t to_tag, const struct letter_props *from, uint32_t from_tag)
{
    if (letter_bytes(from, from_tag).size)
        letter_set(to, P_BIN(to_tag, letter_bytes(from, from_tag)));
}

/* [MS-OXOMSG] 2.2.2: what the report says about the message. */
static void set_original(struct letter_props *props, const struct submission *s)
{
    const struct letter_props *original = &s->letter->props;
    copy_text(props, PidTagOriginalSubject, original, PidTagSubject);
    copy_text(props, PidTagOriginalMessageClass, original, PidTagMessageClass);
    copy_text(props, PidTagOriginalMessageId, original, PidTagInternetMessageId);
    copy_text(props, PidTagInReplyToId, original, PidTagInternetMessageId);
    copy_text(props, PidTagOriginalSenderName, original, PidTagSenderName);
    copy_text(props, PidTagConversationTopic, original, PidTagConversationTopic);
    copy_bytes(props, PidTagOriginalSenderEntryId, original, PidTagSenderEntryId);
    copy_bytes(props, PidTagConversationIndex, original, PidTagConversationIndex);
    copy_bytes(props, PidTagReportTag, original, PidTagReportTag);
    copy_bytes(props, PidTagParentKey, original, PidTagSearchKey);
    letter_set(props, P_TIME(PidTagOriginalSubmitTime, s->created));
    letter_set(props, P_BOOL(PidTagConversationIndexTracking, true));
}

static void attach_original(struct letter *report, const struct submission *s)
{
    const char *subject = letter_text(&s->letter->props, PidTagSubject);
    struct letter_attachment *a = letter_attachment_add(report);
    letter_set(&a->props, P_I32(PidTagAttachMethod, ATTACH_EMBEDDED));
    letter_set(&a->props, P_I32(PidTagRenderingPosition, UINT32_MAX));
    letter_set(&a->props, P_STR(PidTagDisplayName, subject ? subject : "Message"));
    letter_set(&a->props, P_STR(PidTagAttachMimeTag, "message/rfc822"));
    a->embedded = s->letter;
}

struct letter *report_of(TALLOC_CTX *arena, struct transport *t, const struct submission *s)
{
    struct letter *report = letter_new(arena);
    const struct org_settings *settings = org_settings(t->config.org, arena);
    const char *domain = settings->hostname, *subject = letter_text(&s->letter->props, PidTagSubject);
    char guid[GUID_TEXT_SIZE];
    for (size_t i = 0; i < settings->domain_count; i++)
        domain = settings->domains[i].is_default ? settings->domains[i].domain : domain;
    const char *postmaster = talloc_asprintf(arena, "postmaster@%s", domain);
    const struct mime_person from = { "Mail Delivery System", "SMTP", postmaster, postmaster };
    const uint64_t now = filetime_now();
    const struct prop values[] = {
        P_STR(PidTagMessageClass, "REPORT.IPM.Note.NDR"),
        P_STR(PidTagBody, text_of(arena, t, s)),
        P_I32(PidTagNativeBody, BODY_IS_PLAIN),
        P_I32(PidTagInternetCodepage, CP_UTF8),
        P_I32(PidTagImportance, 1),
        P_I32(PidTagSensitivity, 0),
        P_TIME(PidTagReportTime, now),
        P_TIME(PidTagClientSubmitTime, now),
        P_STR(PidTagReportingMessageTransferAgent, t->hostname),
        P_STR(PidTagInternetMessageId, talloc_asprintf(arena, "<%s@%s>", guid_text(guid_random(), guid), domain)),
        P_I32(PidTagAutoResponseSuppress, UINT32_MAX),
    };
    for (size_t i = 0; i < COUNTOF(values); i++)
        letter_set(&report->props, values[i]);
    set_original(&report->props, s);
    mime_set_subject(&report->props, talloc_asprintf(arena, "Undeliverable: %s", subject ? subject : ""));
    mime_set_person(&report->props, ROLE_SENDER, &from);
    mime_set_person(&report->props, ROLE_SENT_REPRESENTING, &from);
    for (uint32_t i = 0; i < s->count; i++)
        if (s->recipients[i].state == SUBMISSION_FAILED)
            add_failed(report, s->letter, &s->recipients[i]);
    attach_original(report, s);
    return report;
}
