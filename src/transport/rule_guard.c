/* SPDX-License-Identifier: Apache-2.0 */
/* What keeps rules from answering machines, lists and each other: RFC 3834, [MS-OXORULE] 3.2.5.1. */
#include "transport/rule.h"
#include "wire/guids.h"

#define LOOP_HEADER "x-ms-exchange-inbox-rules-loop"
enum { SUPPRESS_OOF = 0x10, SUPPRESS_AUTO_REPLY = 0x20 }; /* [MS-OXOMSG] 2.2.1.77 */

static const char *header(const struct letter *letter, const char *name)
{
    const struct prop *p = letter_find_named(&letter->props, PS_INTERNET_HEADERS, name, 0);
    return p && PROP_TYPE(p->tag) == PtypString && p->str ? p->str : "";
}

/* ---- the loop guard ---- */

static unsigned hops(const char *list, const char *own, bool *is_there)
{
    char *copy = talloc_strdup(NULL, list), *rest = copy;
    unsigned count = 0;
    *is_there = false;
    for (char *word; (word = strtok_r(rest, ", ", &rest)) != NULL; count++)
        *is_there |= strcasecmp(word, own) == 0;
    talloc_free(copy);
    return count;
}

bool rule_may_send(const struct rule_run *run)
{
    bool is_there;
    return hops(header(run->letter, LOOP_HEADER), run->owner->primary_smtp, &is_there) < RULE_HOPS_MAX && !is_there;
}

void rule_mark_hop(const struct rule_run *run, struct letter *letter)
{
    const char *list = header(run->letter, LOOP_HEADER);
    letter_set_named(&letter->props, PS_INTERNET_HEADERS, LOOP_HEADER, 0,
                     P_STR(PROP_TAG(PtypString, 0),
                           talloc_asprintf(letter->owner, "%s%s%s", list, *list ? "," : "", run->owner->primary_smtp)));
}

/* ---- who would get an answer ---- */

/* RFC 3834, 4: the envelope's sender; who has sent it from within is in From. */
bool rule_sender(const struct rule_run *run, struct mime_person *out)
{
    const char *envelope = run->how->envelope;
    if (envelope && !*envelope)
        return false;
    if (envelope && strchr(envelope, '@')) {
        *out = (struct mime_person){ envelope, "SMTP", envelope, envelope };
        return true;
    }
    return mime_person_of(&run->letter->props, ROLE_SENT_REPRESENTING, out) ||
           mime_person_of(&run->letter->props, ROLE_SENDER, out);
}

static bool ends_with(const char *text, size_t length, const char *end)
{
    const size_t n = strlen(end);
    return length >= n && strncasecmp(text + length - n, end, n) == 0;
}

/* RFC 3834, 2: addresses behind which nobody reads. */
static bool is_machine(const char *smtp)
{
    static const char *const begins[] = { "owner-",     "mailer-daemon@", "postmaster@", "listserv@",
                                          "majordomo@", "noreply@",       "no-reply@" };
    static const char *const ends[] = { "-request", "-owner", "-bounces", "-noreply", "-no-reply" };
    const size_t local = strcspn(smtp, "@");
    for (size_t i = 0; i < COUNTOF(begins); i++)
        if (text_is_prefix(smtp, begins[i]))
            return true;
    for (size_t i = 0; i < COUNTOF(ends); i++)
        if (ends_with(smtp, local, ends[i]))
            return true;
    return false;
}

/* ---- what is not answered ---- */

static bool is_from_list(const struct letter *letter)
{
    static const char *const headers[] = { "list-id", "list-post", "list-unsubscribe-post" };
    static const uint32_t tags[] = { PidTagListHelp, PidTagListSubscribe, PidTagListUnsubscribe };
    static const char *const precedences[] = { "bulk", "list", "junk" };
    for (size_t i = 0; i < COUNTOF(headers); i++)
        if (*header(letter, headers[i]))
            return true;
    for (size_t i = 0; i < COUNTOF(tags); i++)
        if (letter_text(&letter->props, tags[i]))
            return true;
    for (size_t i = 0; i < COUNTOF(precedences); i++)
        if (strcasecmp(header(letter, "precedence"), precedences[i]) == 0)
            return true;
    return false;
}

/* RFC 3834, 5.2 */
static bool is_automatic(const struct letter *letter)
{
    const char *submitted = header(letter, "auto-submitted"), *class = letter_text(&letter->props, PidTagMessageClass);
    return (*submitted && strcasecmp(submitted, "no") != 0) ||
           letter_u32(&letter->props, PidTagAutoForwarded, 0) || /* R528, R924 */
           (class && (text_is_prefix(class, "REPORT.") || text_is_prefix(class, "IPM.Note.rules.")));
}

/* R526, R533; and who is away answers only what is addressed to him, not what came by a list or a hidden copy. */
bool rule_may_reply(const struct rule_run *run, bool out_of_office)
{
    const struct letter_props *props = &run->letter->props;
    const uint32_t suppress = letter_u32(props, PidTagAutoResponseSuppress, 0);
    struct mime_person sender;
    if (suppress & (out_of_office ? SUPPRESS_OOF : SUPPRESS_AUTO_REPLY) || !rule_may_send(run) ||
        is_automatic(run->letter) || is_from_list(run->letter) || !rule_sender(run, &sender))
        return false;
    const char *smtp = sender.smtp ? sender.smtp : sender.address;
    return strcasecmp(smtp, run->owner->primary_smtp) != 0 && strcasecmp(sender.address, run->owner->legacy_dn) != 0 &&
           !is_machine(smtp) && (!out_of_office || letter_u32(props, PidTagMessageRecipientMe, 0));
}
