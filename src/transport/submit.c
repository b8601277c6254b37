/* SPDX-License-Identifier: Apache-2.0 */
/* What a client submits: [MS-OXOMSG] 3.2.5.1.  First everything that can refuse it is looked at, then it is in the
 * queue, and from there on it gets to all of its recipients or its sender gets a report. */
#include "transport/internal.h"

enum { TO = 1, CC = 2, BCC = 3, TYPE_MASK = 0x0F, FAILED_BEFORE = 0x10, SUCCEEDED_BEFORE = 0x80 };
enum { SUPPRESS_RECEIPT = 0x01, DEFERRED_NUMBER_MAX = 999 };

/* ---- who sends: [MS-OXOMSG] 3.2.5.1.1, 3.2.5.1.2 ---- */

static const struct account *account_of(struct transport *t, TALLOC_CTX *arena, const struct mime_person *p)
{
    const struct account *a = NULL;
    if (strcasecmp(p->address_type, "EX") == 0)
        a = directory_by_legacy_dn(t->config.directory, arena, p->address);
    else if (strcasecmp(p->address_type, "SMTP") == 0)
        a = directory_by_smtp(t->config.directory, arena, p->address);
    return a && a->kind != ACCOUNT_PUBLIC_FOLDERS ? a : NULL; /* its folders have addresses, not it */
}

/* Who is in From is who sends, or has given him the right to send as that one, whose name then stands alone, or on
 * behalf of that one.  With both, the first one counts. */
static enum ec check_sender(struct transport *t, struct submission *s, const struct account *sender,
                            const struct account **copy_to)
{
    struct letter *letter = s->letter;
    struct mime_person from;
    const bool named = mime_person_of(&letter->props, ROLE_SENT_REPRESENTING, &from);
    const struct account *a = named ? account_of(t, letter->owner, &from) : sender;
    if (!a)
        return ecSendAsDenied;
    const bool self = guid_equal(a->mailbox_guid, sender->mailbox_guid);
    const unsigned rights = self ? GRANT_SEND_AS : directory_rights(t->config.directory, a, sender);
    if (!(rights & (GRANT_SEND_AS | GRANT_SEND_ON_BEHALF)))
        return ecSendAsDenied;
    const struct mime_person shown = person_of_account(a), is = person_of_account(sender);
    mime_set_person(&letter->props, ROLE_SENDER, rights & GRANT_SEND_AS ? &shown : &is);
    mime_set_person(&letter->props, ROLE_SENT_REPRESENTING, &shown);
    if (!self && (rights & GRANT_SEND_AS ? a->copy_sent_as : a->copy_sent_on_behalf) &&
        !guid_equal(a->mailbox_guid, s->mailbox))
        *copy_to = a;
    return ecNone;
}

/* ---- who gets it ---- */

static void fail(struct queued_recipient *r, const char *status, const char *reason)
{
    r->state = SUBMISSION_FAILED;
    r->status = status;
    r->reason = reason;
}

static bool is_ours(const struct org_settings *settings, const char *address)
{
    const struct org_domain *domain = org_domain_of(settings, address);
    return domain && domain->type == ORG_AUTHORITATIVE;
}

static void say_why_not(struct transport *t, TALLOC_CTX *arena, struct queued_recipient *r, const struct mime_person *p)
{
    const struct org_settings *settings = org_settings(t->config.org, arena);
    const bool ex = strcasecmp(p->address_type, "EX") == 0, smtp = strcasecmp(p->address_type, "SMTP") == 0;
    if (!ex && !smtp)
        fail(r, "5.1.2", "Addresses of this type cannot be delivered.");
    else if (ex || !strchr(p->address, '@') || is_ours(settings, p->address))
        fail(r, "5.1.1", "There is no mailbox with this address.");
    else
        fail(r, "5.4.4", "The address is outside of this organization, and this server does not send mail there.");
}

static bool is_among(const struct submission *s, struct guid mailbox)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (guid_equal(s->recipients[i].mailbox, mailbox))
            return true;
    return false;
}

static enum ec add_recipient(struct transport *t, struct submission *s, uint32_t row)
{
    struct letter_recipient *to = s->letter->recipients[row];
    struct queued_recipient r = { .row = row };
    struct mime_person p;
    if (!mime_recipient_person(&to->props, &p))
        return ecInvalidRecips;
    const struct account *a = account_of(t, s->letter->owner, &p);
    if (a && is_among(s, a->mailbox_guid))
        return ecNone;
    if (a) {
        const struct mime_person is = person_of_account(a);
        const uint8_t type = to->type;
        to->type &= TYPE_MASK;
        mime_set_recipient(to, &is);
        to->type = type;
        r.mailbox = a->mailbox_guid;
    } else
        say_why_not(t, s->letter->owner, &r, &p);
    s->recipients[s->count++] = r;
    return ecNone;
}

/* [MS-OXOMSG] 3.2.5.1: a message that is sent again goes to those who did not get it before. */
static bool is_meant(uint8_t type, bool resend)
{
    const uint8_t kind = type & TYPE_MASK;
    if (kind < TO || kind > BCC)
        return false;
    return !resend || (type & FAILED_BEFORE && !(type & SUCCEEDED_BEFORE));
}

static enum ec add_recipients(struct transport *t, struct submission *s, bool resend)
{
    struct letter *letter = s->letter;
    if (letter->recipient_count > SUBMIT_RECIPIENTS_MAX)
        return ecTooManyRecips;
    s->recipients = talloc_array(letter->owner, struct queued_recipient, letter->recipient_count + 1);
    enum ec ec = ecNone;
    for (uint32_t i = 0; i < letter->recipient_count && !ec; i++)
        if (is_meant(letter->recipients[i]->type, resend))
            ec = add_recipient(t, s, i);
    return ec ? ec : s->count ? ecNone : ecNoRecipients;
}

/* ---- what the server writes on it: [MS-OXOMSG] 3.2.5.1 ---- */

static const uint32_t stamps[] = {
    PidTagSenderName,
    PidTagSenderEntryId,
    PidTagSenderSearchKey,
    PidTagSenderAddressType,
    PidTagSenderEmailAddress,
    PidTagSenderSmtpAddress,
    PidTagSentRepresentingName,
    PidTagSentRepresentingEntryId,
    PidTagSentRepresentingSearchKey,
    PidTagSentRepresentingAddressType,
    PidTagSentRepresentingEmailAddress,
    PidTagSentRepresentingSmtpAddress,
    PidTagClientSubmitTime,
    PidTagInternetMessageId,
    PidTagConversationIndex,
    PidTagConversationTopic,
    PidTagConversationIndexTracking,
    PidTagContentFilterSpamConfidenceLevel,
    PidTagSearchKey,
};

static void stamp(struct transport *t, struct submission *s)
{
    struct letter_props *props = &s->letter->props;
    char guid[GUID_TEXT_SIZE];
    const char *topic = letter_text(props, PidTagNormalizedSubject);
    letter_set(props, P_TIME(PidTagClientSubmitTime, s->created));
    letter_set(props, P_I32(PidTagContentFilterSpamConfidenceLevel, -1));
    letter_unset(props, PidTagTransportMessageHeaders);
    letter_unset(props, PidTagDelegatedByRule); /* of rules alone */
    if (!letter_text(props, PidTagInternetMessageId))
        letter_set(props, P_STR(PidTagInternetMessageId,
                                talloc_asprintf(props->owner, "<%s@%s>", guid_text(s->id, guid), t->hostname)));
    if (!letter_bytes(props, PidTagSearchKey).size)
        letter_set(props, P_BIN(PidTagSearchKey, blob_copy(props->owner, BLOB_OF(s->id.bytes, sizeof s->id.bytes))));
    if (!letter_find(props, PidTagConversationTopic))
        letter_set(props, P_STR(PidTagConversationTopic, topic ? topic : ""));
    if (!letter_bytes(props, PidTagConversationIndex).size) {
        letter_set(props,
                   P_BIN(PidTagConversationIndex, mime_conversation_index(props->owner, s->created, guid_random())));
        letter_set(props, P_BOOL(PidTagConversationIndexTracking, true));
    }
}

/* ---- where the sender's own copy goes ---- */

static uint64_t folder_of_server_id(TALLOC_CTX *arena, struct blob value)
{
    struct wire_in in = wire_in(arena, value);
    struct ServerId id;
    return wire_get(&in, &ServerId_wire, &id) && id.Ours ? id.FolderId : 0;
}

/* PidTagTargetEntryId: the item that a client has made of it already, and the id that it has reserved for that. */
static uint64_t reserved_place(TALLOC_CTX *arena, struct store_message *message, uint64_t *mid)
{
    const uint32_t tag = PidTagTargetEntryId;
    struct store *st = store_message_store(message);
    struct store_folder row;
    struct prop value;
    uint64_t fid;
    *mid = 0;
    if (store_message_get(arena, message, &tag, 1, STORE_VALUE_LIMIT, &value) || value.tag != tag ||
        store_mid_of_entry_id(st, value.bin, &fid, mid) || store_folder_row(arena, st, fid, &row)) {
        *mid = 0;
        return 0;
    }
    return fid;
}

/* [MS-OXOMSG] 2.2.3.8, 2.2.3.10; who says neither means Sent Items. */
static uint64_t place_for_sent(TALLOC_CTX *arena, struct store_message *message, uint64_t *mid)
{
    const uint32_t tags[] = { PidTagDeleteAfterSubmit, PidTagSentMailSvrEID };
    struct prop values[COUNTOF(tags)];
    struct store_folder row;
    const uint64_t reserved = reserved_place(arena, message, mid);
    if (reserved)
        return reserved;
    if (store_message_get(arena, message, tags, COUNTOF(tags), STORE_VALUE_LIMIT, values))
        return STORE_FID(SPECIAL_SENT_ITEMS);
    const uint64_t fid = values[1].tag == PidTagSentMailSvrEID ? folder_of_server_id(arena, values[1].bin) : 0;
    if (fid && store_folder_row(arena, store_message_store(message), fid, &row) == ecNone &&
        store_require(store_message_store(message), fid, RIGHT_CREATE) == ecNone)
        return fid;
    return values[0].tag == PidTagDeleteAfterSubmit && values[0].b ? 0 : STORE_FID(SPECIAL_SENT_ITEMS);
}

/* ---- when it is sent ---- */

/* [MS-OXOMSG] 2.2.3.1 and on: PidTagDeferredSendTime, or so many units from now; 0: at once. */
static uint64_t time_to_send(TALLOC_CTX *arena, struct store_message *message, uint64_t now)
{
    static const uint64_t minute = UINT64_C(600000000);
    const uint64_t units[] = { minute, 60 * minute, 24 * 60 * minute, 7 * 24 * 60 * minute };
    const uint32_t tags[] = { PidTagDeferredSendTime, PidTagDeferredSendNumber, PidTagDeferredSendUnits };
    struct prop values[COUNTOF(tags)];
    uint64_t due = 0;
    if (store_message_get(arena, message, tags, COUNTOF(tags), STORE_VALUE_LIMIT, values))
        return 0;
    if (values[1].tag == tags[1] && values[2].tag == tags[2] && values[2].u32 < COUNTOF(units) &&
        values[1].u32 <= DEFERRED_NUMBER_MAX)
        due = now + values[1].u32 * units[values[2].u32];
    else if (values[0].tag == tags[0])
        due = MIN(values[0].u64, (uint64_t)INT64_MAX);
    return due > now ? due : 0;
}

/* It stays where it is, as submitted, until its time has come. */
static void hold(struct transport *t, struct store_message *message)
{
    store_message_flags(message, mfSubmitted, 0);
    const enum ec ec = store_message_save(message, true, NULL);
    if (ec)
        log_line(LOG_WARNING, "transport", "a message that waits for its time does not look submitted: %s",
                 ec_text(ec));
    retry_wake(t->retry);
}

static enum ec write_stamps(struct store_message *message, const struct letter *letter)
{
    struct prop values[COUNTOF(stamps) + 1];
    enum ec results[COUNTOF(values)];
    uint32_t count = 0;
    bool changed;
    for (size_t i = 0; i < COUNTOF(stamps); i++) {
        const struct prop *p = letter_find(&letter->props, stamps[i]);
        if (p)
            values[count++] = *p;
    }
    values[count++] = P_TIME(PidTagMessageDeliveryTime, filetime_now());
    store_message_flags(message, mfFromMe, mfUnsent | mfSubmitted | mfResend);
    enum ec ec = store_message_set(message, values, count, results);
    if (!ec)
        ec = store_message_save(message, true, NULL);
    if (!ec)
        ec = store_message_set_read(message, SUPPRESS_RECEIPT, &changed);
    return ec;
}

static enum ec move_to(struct store *st, const struct submission *s)
{
    bool partial;
    if (!s->sent_to)
        return store_messages_delete(st, s->fid, &s->mid, 1, true, &partial);
    if (s->sent_mid)
        return store_message_move_to(st, s->fid, s->mid, s->sent_to, s->sent_mid);
    return s->sent_to == s->fid ? ecNone
                                : store_messages_move(st, s->fid, s->sent_to, &s->mid, 1, false, NULL, &partial);
}

/* The message is open and its store locked. */
static enum ec file(struct transport *t, struct submission *s, struct store_message *message)
{
    enum ec ec = s->sent_to ? write_stamps(message, s->letter) : ecNone;
    if (!ec)
        ec = move_to(store_message_store(message), s);
    if (!ec)
        ec = queue_filed(t->queue, s);
    s->filed = !ec;
    if (ec)
        log_line(LOG_WARNING, "transport", "a submitted message is still in its folder: %s", ec_text(ec));
    return ec;
}

/* ---- delivering ---- */

static struct letter *for_recipients(TALLOC_CTX *arena, const struct letter *from)
{
    struct letter *letter = letter_share(arena, from);
    uint32_t count = 0;
    for (uint32_t i = 0; i < letter->recipient_count; i++)
        if ((letter->recipients[i]->type & TYPE_MASK) != BCC) {
            letter->recipients[count] = letter->recipients[i];
            letter->recipients[count]->type &= TYPE_MASK;
            letter_set(&letter->recipients[count]->props, P_I32(PidTagRecipientType, letter->recipients[count]->type));
            count++;
        }
    letter->recipient_count = count;
    return letter;
}

static void deliver_to(struct transport *t, struct submission *s, struct queued_recipient *r,
                       const struct letter *letter, const struct delivery *how)
{
    const struct account *a = directory_by_mailbox_guid(t->config.directory, letter->owner, r->mailbox);
    if (!a) {
        fail(r, "5.1.1", "There is no mailbox with this address any more.");
        return;
    }
    if (r->row == SENT_COPY)
        keep_sent_copy(t, s, a, how);
    const enum ec ec = r->row == SENT_COPY ? ecNone : deliver(t, a, letter, how);
    if (!ec)
        r->state = SUBMISSION_DELIVERED;
    else
        fail(r, ec == ecDiskFull || ec == ecQuotaExceeded ? "5.2.2" : "5.3.0",
             talloc_asprintf(s->letter->owner, "The mailbox could not be written: %s.", ec_text(ec)));
}

static bool has_failed(const struct submission *s)
{
    for (uint32_t i = 0; i < s->count; i++)
        if (s->recipients[i].state == SUBMISSION_FAILED)
            return true;
    return false;
}

/* A report about a report would go round for ever. */
static enum ec report(struct transport *t, TALLOC_CTX *arena, const struct submission *s, struct delivery how)
{
    const struct account *sender = directory_by_mailbox_guid(t->config.directory, arena, s->sender);
    const char *class = letter_text(&s->letter->props, PidTagMessageClass);
    if (!sender || (class && text_is_prefix(class, "REPORT."))) {
        log_line(LOG_WARNING, "transport", "nobody is told about a message that could not be delivered");
        return ecNone;
    }
    how.id = talloc_asprintf(arena, "%s-report", how.id);
    return deliver(t, sender, report_of(arena, t, s), &how);
}

/* Recipients, then the report, then the row: each step is on the disk before the next one begins. */
static void carry_out(struct transport *t, struct submission *s, bool again)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    char id[GUID_TEXT_SIZE];
    const struct letter *letter = for_recipients(arena, s->letter);
    const struct delivery how = { .id = guid_text(s->id, id), .only_once = again, .since = s->created };
    enum ec ec = ecNone;
    for (uint32_t i = 0; i < s->count && !ec; i++)
        if (s->recipients[i].state == SUBMISSION_WAITS) {
            deliver_to(t, s, &s->recipients[i], letter, &how);
            ec = queue_recipient_done(t->queue, s, i);
        }
    if (!ec && has_failed(s))
        ec = report(t, arena, s, how);
    if (!ec && s->filed)
        ec = queue_remove(t->queue, s);
    if (ec || !s->filed)
        atomic_store(&t->left_over, true);
    log_line(LOG_INFO, "transport", "submission %s: %u recipients%s%s", how.id, s->count,
             has_failed(s) ? ", not all of them reached" : "", ec ? ", to be finished later" : "");
    talloc_free(arena);
}

/* ---- submitting ---- */

static enum ec prepare(struct transport *t, TALLOC_CTX *arena, const struct account *sender,
                       struct store_message *message, struct submission *s)
{
    *s = (struct submission){ .id = guid_random(),
                              .sender = sender->mailbox_guid,
                              .created = filetime_now(),
                              .mailbox = store_mailbox_guid(store_message_store(message)),
                              .fid = store_message_fid(message),
                              .mid = store_message_mid(message) };
    enum ec ec = s->mid ? ecNone : store_message_save(message, false, &s->mid);
    if (!ec)
        ec = letter_load(arena, message, &s->letter);
    if (ec)
        return ec == ecTooBig ? ecMaxSubmissionExceeded : ec;
    if (letter_size(s->letter) > t->config.message_max)
        return ecMaxSubmissionExceeded;
    const struct account *copy_to = NULL;
    ec = quota_allows_sending(t, store_message_store(message));
    if (!ec)
        ec = check_sender(t, s, sender, &copy_to);
    if (!ec)
        ec = add_recipients(t, s, store_message_u32(message, PidTagMessageFlags, 0) & mfResend);
    if (!ec) {
        if (copy_to)
            s->recipients[s->count++] =
                (struct queued_recipient){ .row = SENT_COPY, .mailbox = copy_to->mailbox_guid };
        s->sent_to = place_for_sent(arena, message, &s->sent_mid);
        s->due = time_to_send(arena, message, s->created);
        stamp(t, s);
    }
    return ec;
}

enum ec transport_submit(struct transport *t, const struct account *sender, struct store_message *message,
                         unsigned flags)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store *st = store_message_store(message);
    struct submission s;
    (void)flags; /* [MS-OXOMSG] 2.2.3.7.1: about spoolers, of which there are none */
    enum ec ec = prepare(t, arena, sender, message, &s);
    store_act_for(st, NULL); /* what follows is the server's to do, whoever has asked for it */
    if (!ec)
        ec = queue_add(t->queue, &s);
    if (!ec && s.due)
        hold(t, message);
    else if (!ec) {
        file(t, &s, message);
        store_unlock(st);
        carry_out(t, &s, false);
        queue_release(t->queue, s.id);
        store_lock(st);
    }
    talloc_free(arena);
    return ec;
}

/* ---- letters of rules ---- */

enum ec post_letter(TALLOC_CTX *arena, struct transport *t, const struct post_item *item, struct submission **out)
{
    struct submission *s = talloc(arena, struct submission);
    *s = (struct submission){
        .id = item->id, .sender = item->sender, .created = filetime_now(), .letter = item->letter, .filed = true
    };
    s->recipients = talloc_array(arena, struct queued_recipient, item->letter->recipient_count);
    enum ec ec = ecNone;
    for (uint32_t i = item->first; i < item->letter->recipient_count && !ec; i++)
        ec = add_recipient(t, s, i);
    if (!ec && !item->as_it_is)
        stamp(t, s);
    if (!ec)
        ec = queue_add(t->queue, s);
    *out = ec ? NULL : s;
    return ec;
}

void post_carry_out(struct transport *t, struct submission *s)
{
    carry_out(t, s, false);
    queue_release(t->queue, s->id);
}

/* ---- what waits for its time ---- */

/* [MS-OXOMSG] 3.2.5.2 */
enum ec transport_abort(struct transport *t, struct store *st, uint64_t fid, uint64_t mid)
{
    struct submission s;
    struct store_message *message;
    enum ec ec = queue_find(t->queue, store_mailbox_guid(st), fid, mid, &s);
    if (ec)
        return ec;
    ec = queue_remove(t->queue, &s);
    queue_release(t->queue, s.id);
    if (ec || store_message_open(&message, NULL, st, fid, mid, MESSAGE_READWRITE))
        return ec;
    store_message_flags(message, mfUnsent, mfSubmitted);
    ec = store_message_save(message, true, NULL);
    talloc_free(message);
    return ec;
}

static bool is_still_there(struct transport *t, TALLOC_CTX *arena, const struct submission *s)
{
    const struct account *a = directory_by_mailbox_guid(t->config.directory, arena, s->mailbox);
    struct store_message *message;
    struct store *st;
    if (!a || store_get(t->config.stores, a->store_url, a->mailbox_guid, &st))
        return a != NULL;
    store_lock(st);
    const enum ec ec = store_message_open(&message, arena, st, s->fid, s->mid, MESSAGE_READONLY);
    if (!ec)
        talloc_free(message);
    store_unlock(st);
    store_put(st);
    return ec != ecNotFound && ec != ecObjectDeleted;
}

/* Its time has come: from now on it is a submission like any other, unless somebody has taken the message away. */
static enum ec let_go(struct transport *t, TALLOC_CTX *arena, struct submission *s)
{
    if (!is_still_there(t, arena, s)) {
        queue_remove(t->queue, s);
        return ecNotFound;
    }
    s->due = 0;
    return queue_is_due(t->queue, s);
}

/* ---- after a crash ---- */

/* A message that is not where it was has been filed before. */
static void file_again(struct transport *t, TALLOC_CTX *arena, struct submission *s)
{
    const struct account *a = directory_by_mailbox_guid(t->config.directory, arena, s->mailbox);
    struct store_message *message;
    struct store *st;
    if (!a) {
        s->filed = true;
        return;
    }
    if (store_get(t->config.stores, a->store_url, a->mailbox_guid, &st))
        return;
    store_lock(st);
    const enum ec ec = store_message_open(&message, arena, st, s->fid, s->mid, MESSAGE_READWRITE);
    if (!ec) {
        file(t, s, message);
        talloc_free(message);
    } else
        s->filed = ec == ecNotFound || ec == ecObjectDeleted;
    store_unlock(st);
    store_put(st);
}

enum ec transport_recover(struct transport *t)
{
    struct guid after = { { 0 } };
    enum ec ec = ecNone;
    unsigned count = 0;
    atomic_store(&t->left_over, false);
    while (!ec) {
        TALLOC_CTX *arena = talloc_new(NULL);
        struct submission s;
        ec = queue_take(arena, t->queue, after, &s);
        if (ec == ecCorruptData)
            log_line(LOG_ERROR, "transport", "a submission in the queue is damaged and stays there");
        if (!ec && !(s.due && let_go(t, arena, &s))) {
            count++;
            if (!s.filed)
                file_again(t, arena, &s);
            carry_out(t, &s, true);
        }
        if (!guid_is_zero(s.id))
            queue_release(t->queue, s.id);
        ec = ec == ecCorruptData ? ecNone : ec;
        after = s.id;
        talloc_free(arena);
    }
    if (count)
        log_line(LOG_INFO, "transport", "%u submissions from the queue are done", count);
    return ec == ecNotFound ? ecNone : ec;
}
