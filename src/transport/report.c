/* SPDX-License-Identifier: Apache-2.0 */
/* Reports that a mail could not be delivered: [MS-OXOMSG] 2.2.2, 2.1.3; class REPORT.IPM.Note.NDR. */
#include "transport/internal.h"
#include "wire/entry_id.h"

enum { ATTACH_EMBEDDED = 5, RECIPIENT_TO = 1 };
enum { REASON_TRANSFER_FAILED = 0, REASON_TRANSFER_IMPOSSIBLE = 1 };             /* X.400, as MAPI has them */
enum { DIAGNOSTIC_UNKNOWN_RECIPIENT = 1, DIAGNOSTIC_NONE = -1 };

static const struct reason {
    enum ec ec;
    uint32_t reason;
    int32_t diagnostic;
    uint32_t status;                             /* 5.1.1 as 511 */
    const char *status_text, *sentence;
} reasons[] = {
    { ecNotFound, REASON_TRANSFER_IMPOSSIBLE, DIAGNOSTIC_UNKNOWN_RECIPIENT, 511, "5.1.1",
      "there is no mailbox with this address in this organisation, and this server does not send mail to others" },
    { ecQuotaExceeded, REASON_TRANSFER_FAILED, DIAGNOSTIC_NONE, 522, "5.2.2", "the mailbox is full" },
    { ecTooBig, REASON_TRANSFER_FAILED, DIAGNOSTIC_NONE, 523, "5.2.3", "the message is too large for the mailbox" },
    { ecMsgCycle, REASON_TRANSFER_IMPOSSIBLE, DIAGNOSTIC_NONE, 546, "5.4.6", "the message has been through too many servers" },
    { ecNone, REASON_TRANSFER_FAILED, DIAGNOSTIC_NONE, 530, "5.3.0", "the mailbox cannot be written" },
};

static const struct reason *reason_of(enum ec ec)
{
    const struct reason *r = reasons;
    while (r->ec != ecNone && r->ec != ec)
        r++;
    return r;
}

static const char *subject_of(const struct letter *letter)
{
    const char *subject = letter_text(&letter->props, PidTagSubject);
    return subject ? subject : "";
}

static char *sentence_for(TALLOC_CTX *arena, const struct failure *f)
{
    const struct reason *r = reason_of(f->reason);
    return talloc_asprintf(arena, "%s: %s (%s)", f->address, r->sentence, r->status_text);
}

static char *body_of(TALLOC_CTX *arena, const struct letter *original, const struct failure *failures, uint32_t count)
{
    char *text = talloc_asprintf(arena, "Your message could not be delivered to everybody.\r\n\r\n  Subject: %s\r\n\r\n",
                                 subject_of(original));
    for (uint32_t i = 0; i < count; i++)
        text = talloc_asprintf_append(text, "  %s\r\n", sentence_for(arena, &failures[i]));
    return talloc_strdup_append(text, "\r\nThe message itself is attached.\r\n");
}

/* The rows of the report's recipient table are those who did not get it. */
static void add_failure(struct letter *report, const struct failure *f)
{
    const struct reason *r = reason_of(f->reason);
    struct letter_recipient *row = letter_recipient_add(report, RECIPIENT_TO);
    for (uint32_t i = 0; i < f->recipient->props.count; i++)
        letter_set(&row->props, f->recipient->props.values[i]);
    letter_set(&row->props, P_I32(PidTagNonDeliveryReportReasonCode, r->reason));
    letter_set(&row->props, P_I32(PidTagNonDeliveryReportDiagCode, r->diagnostic));
    letter_set(&row->props, P_I32(PidTagNonDeliveryReportStatusCode, r->status));
    letter_set(&row->props, P_TIME(PidTagReportTime, filetime_now()));
    letter_set(&row->props, P_STR(PidTagReportText, sentence_for(report->owner, f)));
    letter_set(&row->props, P_STR(PidTagSupplementaryInfo, talloc_asprintf(report->owner, "<%s>", r->status_text)));
}

static void attach_original(struct letter *report, const struct letter *original)
{
    struct letter_attachment *a = letter_attachment_add(report);
    letter_set(&a->props, P_I32(PidTagAttachMethod, ATTACH_EMBEDDED));
    letter_set(&a->props, P_STR(PidTagDisplayName, subject_of(original)));
    letter_set(&a->props, P_I32(PidTagRenderingPosition, -1));
    a->embedded = letter_share(report->owner, original);
}

static void copy_text(struct letter *to, uint32_t tag, const struct letter *from, uint32_t from_tag)
{
    const char *text = letter_text(&from->props, from_tag);
    if (text)
        letter_set(&to->props, P_STR(tag, text));
}

static struct letter *make_report(TALLOC_CTX *arena, const struct account *sender, const struct letter *original,
                                  const struct failure *failures, uint32_t count)
{
    struct letter *report = letter_new(arena);
    const struct prop *submitted = letter_find(&original->props, PidTagClientSubmitTime);
    const char *at = strrchr(sender->primary_smtp, '@');
    const struct mime_person system = { "Mail Delivery System", "SMTP",
                                        talloc_asprintf(arena, "postmaster%s", at ? at : "@localhost"), NULL };
    mime_set_person(&report->props, ROLE_SENDER, &system);
    mime_set_person(&report->props, ROLE_SENT_REPRESENTING, &system);
    mime_set_subject(&report->props, talloc_asprintf(arena, "Undeliverable: %s", subject_of(original)));
    letter_set(&report->props, P_STR(PidTagMessageClass, "REPORT.IPM.Note.NDR"));
    letter_set(&report->props, P_STR(PidTagBody, body_of(arena, original, failures, count)));
    letter_set(&report->props, P_TIME(PidTagReportTime, filetime_now()));
    letter_set(&report->props, P_TIME(PidTagClientSubmitTime, filetime_now()));
    letter_set(&report->props, P_I32(PidTagAutoResponseSuppress, -1));          /* nothing answers a report */
    copy_text(report, PidTagOriginalSubject, original, PidTagSubject);
    copy_text(report, PidTagOriginalDisplayTo, original, PidTagDisplayTo);
    copy_text(report, PidTagOriginalDisplayCc, original, PidTagDisplayCc);
    copy_text(report, PidTagOriginalMessageId, original, PidTagInternetMessageId);
    copy_text(report, PidTagInReplyToId, original, PidTagInternetMessageId);
    if (submitted)
        letter_set(&report->props, P_TIME(PidTagOriginalSubmitTime, submitted->u64));
    for (uint32_t i = 0; i < count; i++)
        add_failure(report, &failures[i]);
    attach_original(report, original);
    return report;
}

enum ec report_failures(struct transport *t, const struct account *sender, const struct letter *original,
                        const struct failure *failures, uint32_t count)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct letter *report = make_report(arena, sender, original, failures, count);
    const enum ec ec = deliver_letter(t, sender, report, 0);
    if (ec)
        log_line(LOG_ERROR, "submit", "%s cannot be told that a message was not delivered: %s", sender->primary_smtp, ec_text(ec));
    talloc_free(arena);
    return ec;
}
