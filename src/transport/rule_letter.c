/* SPDX-License-Identifier: Apache-2.0 */
/* Letters that a rule sends: [MS-OXORULE] 3.2.5.1, OP_REPLY to OP_BOUNCE. */
#include <ctype.h>

#include "transport/rule.h"
#include "wire/guids.h"

enum { TO = 1, BCC = 3, ATTACH_EMBEDDED = 5, CP_UTF8 = 65001, BODY_IS_PLAIN = 1 };

#define AUTO_SUBMITTED "auto-submitted"
#define OOF_CLASS "IPM.Note.rules.OOFTemplate"
#define STOCK_REPLY "Your message has been received. This answer was sent automatically.\r\n"

/* ---- sending ---- */

/* The same for the same message and action, so that what is done again after a crash is not sent again. */
static struct guid letter_id(const struct rule_run *run, const struct store_rule *rule,
                             const struct rule_action *action)
{
    struct guid id = guid_random();
    if (!run->how->id)
        return id;
    char *seed =
        talloc_asprintf(NULL, "%s %s %llx %u", run->how->id, run->owner->legacy_dn,
                        rule ? (unsigned long long)rule->id : 0ULL, rule ? (unsigned)(action - rule->actions) : 0);
    md5_of(BLOB_OF(seed, strlen(seed)), id.bytes);
    talloc_free(seed);
    return id;
}

static bool send(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action,
                 struct rule_letter out)
{
    if (run->letter_count == RULE_LETTERS_MAX)
        return false;
    out.id = letter_id(run, rule, action);
    rule_mark_hop(run, out.letter);
    run->letters[run->letter_count++] = out;
    return true;
}

static bool fail(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action,
                 enum rule_error error)
{
    rule_failed(run, rule, action, error);
    return false;
}

static void set_header(struct letter *letter, const char *name, const char *text)
{
    letter_set_named(&letter->props, PS_INTERNET_HEADERS, name, 0, P_STR(PROP_TAG(PtypString, 0), text));
}

static void set_from(struct letter *letter, const struct account *owner)
{
    const struct mime_person is = person_of_account(owner);
    mime_set_person(&letter->props, ROLE_SENDER, &is);
    mime_set_person(&letter->props, ROLE_SENT_REPRESENTING, &is);
}

/* ---- OP_REPLY, OP_OOF_REPLY ---- */

static const char *text_or(const char *text, const char *otherwise)
{
    return text ? text : otherwise;
}

static struct letter *stock_letter(struct rule_run *run)
{
    struct letter *letter = letter_new(run->arena);
    letter_set(&letter->props, P_STR(PidTagBody, STOCK_REPLY)); /* R289, R290 */
    letter_set(&letter->props, P_I32(PidTagNativeBody, BODY_IS_PLAIN));
    letter_set(&letter->props, P_I32(PidTagInternetCodepage, CP_UTF8));
    return letter;
}

static struct letter *template_letter(struct rule_run *run, const struct rule_action *action)
{
    struct store_message *message;
    struct letter *letter = NULL;
    if (store_message_open(&message, run->arena, run->st, action->fid, action->mid, MESSAGE_READONLY))
        return NULL;
    if (letter_load(run->arena, message, &letter))
        letter = NULL;
    talloc_free(message);
    return letter;
}

/* R525: of the original come the subject and the place in its conversation. */
static void answer_to(struct letter *letter, const struct letter_props *original, bool out_of_office)
{
    const char *own = letter_text(&letter->props, PidTagSubject), *id = letter_text(original, PidTagInternetMessageId);
    const char *subject = text_or(letter_text(original, PidTagSubject), "");
    const size_t prefix = mime_subject_prefix(subject);
    letter_unset(&letter->props, PidTagConversationTopic);
    mime_set_subject(&letter->props, out_of_office ? talloc_asprintf(letter->owner, "Automatic reply: %s", subject)
                                     : own         ? own
                                                   : talloc_asprintf(letter->owner, "RE: %s", subject + prefix));
    letter_set(&letter->props,
               P_STR(PidTagConversationTopic, text_or(letter_text(original, PidTagConversationTopic), subject)));
    if (letter_bytes(original, PidTagConversationIndex).size)
        letter_set(&letter->props, P_BIN(PidTagConversationIndex, letter_bytes(original, PidTagConversationIndex)));
    if (!id)
        return;
    letter_set(&letter->props, P_STR(PidTagInReplyToId, id));
    const char *references = letter_text(original, PidTagInternetReferences);
    letter_set(&letter->props, P_STR(PidTagInternetReferences,
                                     references ? talloc_asprintf(letter->owner, "%s %s", references, id) : id));
}

bool rule_reply(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action)
{
    static const uint32_t fresh[] = { PidTagInternetMessageId, PidTagSearchKey, PidTagConversationIndex,
                                      PidTagTransportMessageHeaders };
    const bool oof = action->type == OP_OOF_REPLY;
    struct mime_person sender;
    struct letter *letter = action->flavor & REPLY_STOCK_TEXT ? stock_letter(run) : template_letter(run, action);
    if (!letter)
        return fail(run, rule, action, RULE_ERROR_TEMPLATE); /* R391 */
    for (size_t i = 0; i < COUNTOF(fresh); i++)
        letter_unset(&letter->props, fresh[i]);
    letter_set(&letter->props, P_STR(PidTagMessageClass, oof ? OOF_CLASS : "IPM.Note")); /* R795 */
    letter_set(&letter->props, P_I32(PidTagAutoResponseSuppress, UINT32_MAX));
    set_header(letter, AUTO_SUBMITTED, "auto-replied");
    answer_to(letter, &run->letter->props, oof);
    set_from(letter, run->owner);
    if (!(action->flavor & REPLY_NOT_TO_SENDER) && rule_sender(run, &sender)) /* R288 */
        mime_add_recipient(letter, TO, &sender);
    if (!letter->recipient_count)
        return fail(run, rule, action, RULE_ERROR_TEMPLATE); /* R663 */
    return send(run, rule, action, (struct rule_letter){ .letter = letter, .automatic = true }) ||
           fail(run, rule, action, RULE_ERROR_EXECUTE);
}

/* ---- what stands above a forwarded text ---- */

static const char *names_of(TALLOC_CTX *arena, const struct letter *letter)
{
    char *names = talloc_strdup(arena, "");
    for (uint32_t i = 0; i < letter->recipient_count; i++) {
        struct mime_person p;
        if ((letter->recipients[i]->type & 0x0F) == TO && mime_recipient_person(&letter->recipients[i]->props, &p))
            names = talloc_asprintf_append(names, "%s%s", *names ? "; " : "", p.display_name);
    }
    return names;
}

static char *original_block(TALLOC_CTX *arena, const struct letter *original)
{
    struct mime_person from = { "", "", "", "" };
    const struct prop *sent = letter_find(&original->props, PidTagClientSubmitTime);
    mime_person_of(&original->props, ROLE_SENT_REPRESENTING, &from);
    return talloc_asprintf(
        arena, "-----Original Message-----\r\nFrom: %s <%s>\r\nSent: %s\r\nTo: %s\r\nSubject: %s\r\n\r\n",
        from.display_name, text_or(from.smtp, from.address), sent ? filetime_text(arena, sent->u64) : "",
        names_of(arena, original), text_or(letter_text(&original->props, PidTagSubject), ""));
}

/* In ASCII, so that it is right in any code page. */
static struct blob block_as_html(TALLOC_CTX *arena, const char *text)
{
    struct buf html;
    const struct blob wide = utf16_of_utf8(arena, text);
    buf_init(&html, arena);
    buf_printf(&html, "<div>");
    for (size_t i = 0; i + 1 < wide.size; i += 2) {
        uint32_t c = le16(wide.data + i);
        if (c >= 0xD800 && c < 0xDC00 && i + 3 < wide.size) {
            c = 0x10000 + ((c & 0x3FF) << 10) + (le16(wide.data + i + 2) & 0x3FF);
            i += 2;
        }
        if (c == '\n')
            buf_printf(&html, "<br>\r\n");
        else if (c >= 0x80 || strchr("<>&", (int)c))
            buf_printf(&html, "&#%u;", c);
        else if (c != '\r')
            buf_printf(&html, "%c", (int)c);
    }
    buf_printf(&html, "</div>\r\n");
    return buf_blob(&html);
}

/* Behind <body ...>, or at the beginning. */
static size_t body_begins(struct blob html)
{
    for (size_t i = 0; i + 5 < html.size; i++)
        if (strncasecmp((const char *)html.data + i, "<body", 5) == 0) {
            const uint8_t *end = memchr(html.data + i, '>', html.size - i);
            return end ? (size_t)(end - html.data) + 1 : 0;
        }
    return 0;
}

static void quote_original(struct letter *letter, const struct letter *original)
{
    const char *block = original_block(letter->owner, original), *plain = letter_text(&letter->props, PidTagBody);
    const struct blob html = letter_bytes(&letter->props, PidTagHtml);
    if (html.size) {
        const struct blob above = block_as_html(letter->owner, block);
        const size_t at = body_begins(html);
        struct buf whole;
        buf_init(&whole, letter->owner);
        buf_add(&whole, html.data, at);
        buf_add(&whole, above.data, above.size);
        buf_add(&whole, html.data + at, html.size - at);
        letter_set(&letter->props, P_BIN(PidTagHtml, buf_blob(&whole)));
    }
    if (plain || !html.size)
        letter_set(&letter->props,
                   P_STR(PidTagBody, talloc_asprintf(letter->owner, "%s%s", block, text_or(plain, ""))));
}

/* ---- OP_FORWARD, OP_DELEGATE ---- */

static const char *prop_text(const struct props *props, uint32_t tag)
{
    const struct prop *p = prop_find(props->values, props->count, tag);
    return p && *p->str ? p->str : NULL;
}

/* R334: name, address and type at the least; without an address type the look of the address tells it. */
static bool person_of_props(const struct props *props, struct mime_person *out)
{
    const char *address = prop_text(props, PidTagEmailAddress), *smtp = prop_text(props, PidTagSmtpAddress);
    const char *type = prop_text(props, PidTagAddressType), *name = prop_text(props, PidTagDisplayName);
    address = address ? address : smtp;
    if (!address)
        return false;
    *out =
        (struct mime_person){ text_or(name, address), text_or(type, *address == '/' ? "EX" : "SMTP"), address, smtp };
    return true;
}

static bool is_sender(const struct rule_run *run, const struct mime_person *p)
{
    static const enum mime_role roles[] = { ROLE_SENDER, ROLE_SENT_REPRESENTING };
    for (size_t i = 0; i < COUNTOF(roles); i++) {
        struct mime_person sender;
        if (mime_person_of(&run->letter->props, roles[i], &sender) &&
            (strcasecmp(sender.address, p->address) == 0 ||
             (sender.smtp && strcasecmp(sender.smtp, text_or(p->smtp, p->address)) == 0)))
            return true;
    }
    return false;
}

/* R537, R798: not back to the sender. */
static uint32_t add_recipients(struct rule_run *run, struct letter *letter, const struct rule_action *action,
                               uint8_t type)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < action->recipient_count; i++) {
        struct mime_person p;
        if (!person_of_props(&action->recipients[i], &p) || is_sender(run, &p))
            continue;
        mime_add_recipient(letter, type, &p);
        count++;
    }
    return count;
}

static struct letter *fresh_letter(struct rule_run *run)
{
    struct letter *letter = letter_new(run->arena);
    letter_set(&letter->props, P_STR(PidTagMessageClass, "IPM.Note"));
    letter_set(&letter->props, P_STR(PidTagBody, ""));
    letter_set(&letter->props, P_I32(PidTagNativeBody, BODY_IS_PLAIN));
    letter_set(&letter->props, P_I32(PidTagInternetCodepage, CP_UTF8));
    return letter;
}

/* R279 */
static struct letter *with_original_attached(struct rule_run *run)
{
    struct letter *letter = fresh_letter(run);
    const char *subject = letter_text(&run->letter->props, PidTagSubject);
    struct letter_attachment *a = letter_attachment_add(letter);
    letter_set(&a->props, P_I32(PidTagAttachMethod, ATTACH_EMBEDDED));
    letter_set(&a->props, P_I32(PidTagRenderingPosition, UINT32_MAX));
    letter_set(&a->props, P_STR(PidTagDisplayName, text_or(subject, "Message")));
    letter_set(&a->props, P_STR(PidTagAttachMimeTag, "message/rfc822"));
    a->embedded = letter_share(run->arena, run->letter);
    return letter;
}

static struct letter *with_original_quoted(struct rule_run *run)
{
    static const uint32_t not_kept[] = { PidTagInternetMessageId, PidTagSearchKey, PidTagTransportMessageHeaders,
                                         PidTagRtfCompressed, PidTagMessageSubmissionId };
    struct letter *letter = letter_share(run->arena, run->letter);
    letter->recipient_count = 0;
    for (size_t i = 0; i < COUNTOF(not_kept); i++)
        letter_unset(&letter->props, not_kept[i]);
    quote_original(letter, run->letter);
    return letter;
}

static bool send_on(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action,
                    struct letter *letter, bool as_it_is)
{
    if (action->recipient_count > SUBMIT_RECIPIENTS_MAX)
        return fail(run, rule, action, RULE_ERROR_RECIPIENTS);
    const struct rule_letter out = { .letter = letter, .first = letter->recipient_count, .as_it_is = as_it_is };
    if (!add_recipients(run, letter, action, as_it_is ? BCC : TO))
        return true;
    return send(run, rule, action, out) || fail(run, rule, action, RULE_ERROR_EXECUTE);
}

/* R539 to R545 */
static bool delegate(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action)
{
    struct letter *letter = letter_share(run->arena, run->letter);
    const struct mime_person owner = person_of_account(run->owner);
    mime_set_person(&letter->props, ROLE_RECEIVED_REPRESENTING, &owner);
    letter_set(&letter->props, P_BOOL(PidTagDelegatedByRule, true));
    return send_on(run, rule, action, letter, true);
}

/* R275, R277: it stays as it is; R278.  Text messages (R802) are mail here. */
bool rule_forward(struct rule_run *run, const struct store_rule *rule, const struct rule_action *action)
{
    if (action->type == OP_DELEGATE)
        return delegate(run, rule, action);
    const bool as_it_is = action->flavor & (FORWARD_PRESERVE_SENDER | FORWARD_NO_CHANGES);
    struct letter *letter = as_it_is                                 ? letter_share(run->arena, run->letter)
                            : action->flavor & FORWARD_AS_ATTACHMENT ? with_original_attached(run)
                                                                     : with_original_quoted(run);
    const char *subject = text_or(letter_text(&run->letter->props, PidTagSubject), "");
    letter_set(&letter->props, P_BOOL(PidTagAutoForwarded, true));
    if (!as_it_is) {
        letter_unset(&letter->props, PidTagConversationTopic);
        mime_set_subject(&letter->props,
                         talloc_asprintf(letter->owner, "FW: %s", subject + mime_subject_prefix(subject)));
        set_from(letter, run->owner);
    }
    return send_on(run, rule, action, letter, as_it_is);
}

/* ---- OP_BOUNCE ---- */

/* R546 */
void rule_bounce(struct rule_run *run)
{
    static const struct {
        uint32_t code;
        const char *status, *reason;
    } rows[] = {
        { BOUNCE_TOO_LARGE, "5.2.3", "The recipient does not accept messages of this size." },
        { BOUNCE_NOT_DISPLAYABLE, "5.6.0", "The recipient cannot display messages of this kind." },
        { BOUNCE_DENIED, "5.7.1", "The recipient does not accept this message." },
    };
    struct mime_person sender;
    if (!rule_may_send(run) || !rule_sender(run, &sender))
        return;
    struct letter *original = letter_share(run->arena, run->letter);
    const struct mime_person owner = person_of_account(run->owner);
    struct queued_recipient failed = { .row = original->recipient_count, .state = SUBMISSION_FAILED };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        if (rows[i].code == run->bounce_code) {
            failed.status = rows[i].status;
            failed.reason = rows[i].reason;
        }
    if (run->how->envelope && !directory_by_smtp(run->transport->config.directory, run->arena, sender.address)) {
        run->refused = run->bounce_code == BOUNCE_TOO_LARGE ? ecTooBig : ecInvalidRecips;
        return; /* whose server makes the report */
    }
    mime_add_recipient(original, TO, &owner);
    const struct submission s = { .created = filetime_now(), .letter = original, .recipients = &failed, .count = 1 };
    struct letter *letter = report_of(run->arena, run->transport, &s);
    const struct rule_letter out = {
        .letter = letter, .first = letter->recipient_count, .automatic = true, .as_it_is = true
    };
    mime_add_recipient(letter, BCC, &sender);
    send(run, NULL, NULL, out);
}
