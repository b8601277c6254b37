/* SPDX-License-Identifier: Apache-2.0 */
/* Delivery and receipt reports, RFC 3464 and RFC 8098, as messages of class REPORT.*: [MS-OXCMAIL] 2.2.3.7 */
#include "mime/internal.h"

#include <stdlib.h>

enum { FIELDS_MAX = 40, TEXT_MAX = 256 * 1024 };

struct fields {
    const char *names[FIELDS_MAX], *values[FIELDS_MAX];
    unsigned count;
};

static const char *field(const struct fields *f, const char *name)
{
    for (unsigned i = 0; i < f->count; i++)
        if (strcasecmp(f->names[i], name) == 0)
            return f->values[i];
    return NULL;
}

/* "rfc822;alice@example.com" without what stands before the semicolon */
static const char *typed(const char *value)
{
    const char *semicolon = value ? strchr(value, ';') : NULL;
    return semicolon ? semicolon + 1 + strspn(semicolon + 1, " ") : value;
}

/* One group of fields, up to an empty line; *at moves behind it.  false: there is none left. */
static bool next_group(TALLOC_CTX *arena, const char **at, struct fields *out)
{
    *out = (struct fields){ 0 };
    *at += strspn(*at, "\r\n");
    while (**at && **at != '\r' && **at != '\n') {
        const char *end = *at + strcspn(*at, "\n");
        while (*end && (end[1] == ' ' || end[1] == '\t')) /* the field goes on */
            end += 1 + strcspn(end + 1, "\n");
        char *line = talloc_strndup(arena, *at, (size_t)(end - *at)), *colon = strchr(line, ':');
        if (colon && out->count < FIELDS_MAX) {
            *colon = 0;
            out->names[out->count] = line;
            out->values[out->count++] = header_plain(arena, colon + 1);
        }
        *at = *end ? end + 1 : end;
    }
    return out->count > 0;
}

/* ---- delivery reports ---- */

/* From the most severe on: the class says the worst that happened. */
static const struct {
    const char *action, *class;
} actions[] = {
    { "failed", "REPORT.IPM.Note.NDR" },      { "delayed", "REPORT.IPM.Note.Delayed" },
    { "relayed", "REPORT.IPM.Note.Relayed" }, { "expanded", "REPORT.IPM.Note.Expanded" },
    { "delivered", "REPORT.IPM.Note.DR" },
};

static size_t severity(const struct fields *f)
{
    const char *action = field(f, "Action");
    size_t i = 0;
    while (i < COUNTOF(actions) && !(action && strcasecmp(action, actions[i].action) == 0))
        i++;
    return i;
}

/* [MS-OXCMAIL] 2.2.3.7.1.3: "5.1.1" is 511; a number over 9 counts as 0. */
static uint32_t status_code(const char *status)
{
    unsigned long kind = 0, subject = 0, detail = 0;
    char *at = NULL;
    if (status)
        kind = strtoul(status, &at, 10);
    if (at && *at == '.')
        subject = strtoul(at + 1, &at, 10);
    if (at && *at == '.')
        detail = strtoul(at + 1, &at, 10);
    return (uint32_t)((kind > 9 ? 0 : kind) * 100 + (subject > 9 ? 0 : subject) * 10 + (detail > 9 ? 0 : detail));
}

/* [MS-OXCMAIL] 2.2.3.7.1.4 */
static const char *supplementary(TALLOC_CTX *arena, const struct fields *f)
{
    const char *given = field(f, "X-Supplementary-Info"), *mta = typed(field(f, "Remote-MTA"));
    const char *status = field(f, "Status"), *diagnostic = field(f, "Diagnostic-Code");
    if (given)
        return given;
    return talloc_asprintf(arena, "<%s%s#%s%s%s>", mta ? mta : "", mta ? " " : "", status ? status : "",
                           diagnostic ? " " : "", diagnostic ? diagnostic : "");
}

static void add_reported(struct reader *reader, const struct fields *f)
{
    const char *address =
        typed(field(f, "Original-Recipient") ? field(f, "Original-Recipient") : field(f, "Final-Recipient"));
    struct mime_person p;
    if (!address || !person_of_address(reader, address, &p) || reader->letter->recipient_count >= RECIPIENTS_MAX)
        return;
    if (reader->context->resolve)
        reader->context->resolve(reader->context->arg, reader->arena, p.smtp, &p);
    struct letter_props *props = &mime_add_recipient(reader->letter, 1, &p)->props;
    const uint32_t code = status_code(field(f, "Status"));
    const char *mta = typed(field(f, "Remote-MTA"));
    letter_set(props, P_I32(PidTagNonDeliveryReportStatusCode, code));
    letter_set(props, P_I32(PidTagNonDeliveryReportReasonCode, code >= 500 ? 1 : 0));
    letter_set(props, P_I32(PidTagNonDeliveryReportDiagCode, code / 10 == 51 ? 0 : UINT32_MAX));
    letter_set(props, P_STR(PidTagSupplementaryInfo, supplementary(reader->arena, f)));
    if (mta)
        letter_set(props, P_STR(PidTagRemoteMessageTransferAgent, mta));
}

static bool read_delivery_status(struct reader *reader, const char *text)
{
    const char *at = text;
    struct fields f;
    size_t worst = COUNTOF(actions);
    next_group(reader->arena, &at, &f);
    const char *mta = typed(field(&f, "Reporting-MTA")), *rest = at;
    while (next_group(reader->arena, &at, &f))
        worst = MIN(worst, severity(&f));
    if (worst == COUNTOF(actions))
        return false;
    if (mta)
        letter_set(&reader->letter->props, P_STR(PidTagReportingMessageTransferAgent, mta));
    letter_set(&reader->letter->props, P_STR(PidTagMessageClass, actions[worst].class));
    reader->letter->recipient_count = 0; /* the report is about these people */
    for (at = rest; next_group(reader->arena, &at, &f);)
        if (severity(&f) == worst)
            add_reported(reader, &f);
    return true;
}

/* ---- receipts ---- */

static bool read_disposition(struct reader *reader, const char *text)
{
    struct letter_props *props = &reader->letter->props;
    struct fields f;
    if (!next_group(reader->arena, &text, &f) || !field(&f, "Disposition"))
        return false;
    const char *disposition = field(&f, "Disposition"), *what = typed(disposition),
               *id = field(&f, "Original-Message-ID");
    letter_set(props, P_STR(PidTagMessageClass,
                            text_is_prefix(what, "displayed") ? "REPORT.IPM.Note.IPNRN" : "REPORT.IPM.Note.IPNNRN"));
    letter_set(props, P_STR(PidTagReportDisposition, what));
    letter_set(props, P_STR(PidTagReportDispositionMode,
                            talloc_strndup(reader->arena, disposition, strcspn(disposition, ";"))));
    if (id)
        letter_set(props, P_STR(PidTagOriginalMessageId, id));
    return true;
}

/* ---- the parts ---- */

static bool is(GMimeObject *object, const char *type, const char *subtype)
{
    GMimeContentType *t = g_mime_object_get_content_type(object);
    return t && g_mime_content_type_is_type(t, type, subtype);
}

typedef bool read_status(struct reader *, const char *text);

static read_status *status_reader(GMimeObject *part)
{
    if (!GMIME_IS_PART(part))
        return NULL;
    if (is(part, "message", "delivery-status") || is(part, "message", "global-delivery-status"))
        return read_delivery_status;
    if (is(part, "message", "disposition-notification") || is(part, "message", "global-disposition-notification"))
        return read_disposition;
    return NULL;
}

static bool read_status_part(struct reader *reader, GMimeObject *part, read_status *read)
{
    const struct blob bytes = part_bytes(reader->arena, GMIME_PART(part));
    return read(reader, decode_text(reader->arena, NULL, BLOB_OF(bytes.data, MIN(bytes.size, (size_t)TEXT_MAX))).text);
}

/* What the report is about, as far as it came along. */
static void set_original(struct reader *reader)
{
    struct letter_props *props = &reader->letter->props;
    const struct letter *original = NULL;
    for (uint32_t i = 0; i < reader->letter->attachment_count && !original; i++)
        original = reader->letter->attachments[i]->embedded;
    if (!original)
        return;
    const char *subject = letter_text(&original->props, PidTagSubject);
    const char *id = letter_text(&original->props, PidTagInternetMessageId);
    const struct prop *submitted = letter_find(&original->props, PidTagClientSubmitTime);
    if (subject)
        letter_set(props, P_STR(PidTagOriginalSubject, subject));
    if (id && !letter_text(props, PidTagOriginalMessageId))
        letter_set(props, P_STR(PidTagOriginalMessageId, id));
    if (submitted)
        letter_set(props, P_TIME(PidTagOriginalSubmitTime, submitted->u64));
}

bool read_report(struct reader *reader, GMimeObject *object)
{
    if (!is(object, "multipart", "report") || !GMIME_IS_MULTIPART(object))
        return false;
    GMimeMultipart *multipart = GMIME_MULTIPART(object);
    const int count = MIN(g_mime_multipart_get_count(multipart), 10);
    read_status *read = count >= 2 ? status_reader(g_mime_multipart_get_part(multipart, 1)) : NULL;
    if (!read || count != g_mime_multipart_get_count(multipart) ||
        !read_status_part(reader, g_mime_multipart_get_part(multipart, 1), read))
        return false;
    read_body(reader, g_mime_multipart_get_part(multipart, 0));
    for (int i = 2; i < count; i++)
        read_as_attachment(reader, g_mime_multipart_get_part(multipart, i), false);
    letter_set(&reader->letter->props,
               P_TIME(PidTagReportTime, letter_find(&reader->letter->props, PidTagClientSubmitTime)->u64));
    set_original(reader);
    return true;
}
