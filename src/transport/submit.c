/* SPDX-License-Identifier: Apache-2.0 */
/* Sending: [MS-OXOMSG] 3.2.5.1.
 *
 *   check the sender -> letter -> queue (from here on it cannot get lost) -> the sender's own copy is filed
 *                                   -> each recipient, or a report to the sender -> out of the queue
 *
 * One store is locked at a time: the sender's is let go before the first recipient's is taken. */
#include "transport/internal.h"
#include "wire/entry_id.h"

enum { RECIPIENT_BCC = 3, RECIPIENT_TYPE = 0x0F, RECIPIENT_DONE = 0x80 };       /* [MS-OXCMSG] 2.2.3.1.2 */
enum { mfSubmitted = 0x04, mfUnsent = 0x08, mfFromMe = 0x20 };

/* ---- whose name stands on it ---- */

static bool names_another(struct transport *t, TALLOC_CTX *arena, const struct letter *letter, enum mime_role role,
                          const struct account *sender)
{
    struct mime_person person;
    if (!mime_person_of(&letter->props, role, &person) || !person.address || !*person.address)
        return false;
    const struct account *a = strcasecmp(person.address_type, "EX") == 0
                                  ? directory_by_legacy_dn(t->config.directory, arena, person.address)
                                  : directory_by_smtp(t->config.directory, arena, person.address);
    return !a || !guid_equal(a->guid, sender->guid);
}

static char *new_message_id(TALLOC_CTX *arena, const struct account *sender)
{
    char text[GUID_TEXT_SIZE];
    const char *at = strrchr(sender->primary_smtp, '@');
    return talloc_asprintf(arena, "<%s%s>", guid_text(guid_random(), text), at ? at : "@localhost");
}

/* What the server says about a message that leaves: [MS-OXOMSG] 3.2.4.1, 3.2.5.1.1 */
static void complete(struct letter *letter, const struct account *sender)
{
    const struct mime_person me = person_of_account(sender);
    mime_set_person(&letter->props, ROLE_SENDER, &me);
    mime_set_person(&letter->props, ROLE_SENT_REPRESENTING, &me);
    letter_set(&letter->props, P_TIME(PidTagClientSubmitTime, filetime_now()));
    letter_set(&letter->props, P_STR(PidTagInternetMessageId, new_message_id(letter->owner, sender)));
    if (!letter_find(&letter->props, PidTagConversationIndex))
        letter_set(&letter->props, P_BIN(PidTagConversationIndex,
                                         mime_conversation_index(letter->owner, filetime_now(), guid_random())));
}

/* ---- everybody who is to have it ---- */

/* A blind copy names nobody but the one who gets it. */
static struct letter *without_blind_copies(TALLOC_CTX *arena, const struct letter *letter)
{
    struct letter *copy = letter_share(arena, letter);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < copy->recipient_count; i++)
        if ((copy->recipients[i]->type & RECIPIENT_TYPE) != RECIPIENT_BCC)
            copy->recipients[kept++] = copy->recipients[i];
    copy->recipient_count = kept;
    letter_unset(&copy->props, PidTagDisplayBcc);
    return copy;
}

static bool named_before(const struct account *const *done, uint32_t count, const struct account *a)
{
    for (uint32_t i = 0; i < count; i++)
        if (guid_equal(done[i]->guid, a->guid))
            return true;
    return false;
}

void distribute(struct transport *t, const struct account *sender, const struct letter *letter, bool again)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct letter *public = without_blind_copies(arena, letter);
    const char *message_id = letter_text(&letter->props, PidTagInternetMessageId);
    const struct account **done = talloc_array(arena, const struct account *, letter->recipient_count + 1);
    struct failure *failures = talloc_array(arena, struct failure, letter->recipient_count + 1);
    uint32_t done_count = 0, failed = 0;
    for (uint32_t i = 0; i < letter->recipient_count; i++) {
        const struct letter_recipient *r = letter->recipients[i];
        const char *address;
        if (r->type & RECIPIENT_DONE)
            continue;
        const struct account *to = account_of_recipient(t, arena, r, &address);
        if (to && named_before(done, done_count, to))
            continue;
        enum ec ec = to ? ecNone : ecNotFound;
        if (to && !(again && already_delivered(t, to, message_id)))
            ec = deliver_letter(t, to, public, 0);
        if (to)
            done[done_count++] = to;
        if (ec)
            failures[failed++] = (struct failure){ r, address, ec };
    }
    if (failed)
        report_failures(t, sender, letter, failures, failed);
    talloc_free(arena);
}

/* ---- the sender's own copy ---- */

/* Where it goes: PidTagSentMailSvrEID, a server id of ours ([MS-OXCDATA] 2.11.1.4), else Sent Items. */
static uint64_t sent_folder(TALLOC_CTX *arena, struct store_message *m)
{
    static const uint32_t tags[] = { PidTagSentMailSvrEID };
    struct prop p;
    struct ServerId id;
    struct store_folder folder;
    if (store_message_get(arena, m, tags, 1, STORE_VALUE_LIMIT, &p) == ecNone && PROP_TYPE(p.tag) == PtypServerId) {
        struct wire_in in = wire_in(arena, p.bin);
        if (wire_get(&in, &ServerId_wire, &id) && id.Ours == 1 &&
            store_folder_row(arena, store_message_store(m), id.FolderId, &folder) == ecNone)
            return id.FolderId;
    }
    return STORE_FID(SPECIAL_SENT_ITEMS);
}

static bool is_set(TALLOC_CTX *arena, struct store_message *m, uint32_t tag)
{
    struct prop p;
    return store_message_get(arena, m, &tag, 1, STORE_VALUE_LIMIT, &p) == ecNone && PROP_TYPE(p.tag) == PtypBoolean && p.b;
}

static enum ec file_own_copy(TALLOC_CTX *arena, struct store_message *m, const struct letter *letter)
{
    struct store *st = store_message_store(m);
    const uint64_t fid = store_message_fid(m), to = sent_folder(arena, m);
    const bool forget = is_set(arena, m, PidTagDeleteAfterSubmit);
    uint64_t mid;
    bool partial;
    enum ec *results = talloc_zero_array(arena, enum ec, letter->props.count + 1);
    store_message_set_mode(m, MESSAGE_READWRITE);
    store_message_flags(m, mfFromMe, mfSubmitted | mfUnsent);
    enum ec ec = store_message_set(m, letter->props.values, letter->props.count, results);
    if (!ec)
        ec = store_message_set_read(m, 0x01, &partial);              /* read by its writer, without a receipt */
    if (!ec)
        ec = store_message_save(m, true, &mid);
    if (ec)
        return ec;
    return forget ? store_messages_delete(st, fid, &mid, 1, true, &partial)
                  : fid == to ? ecNone : store_messages_move(st, fid, to, &mid, 1, false, NULL, &partial);
}

/* ---- the call ---- */

enum ec transport_submit(struct transport *t, const struct account *sender, struct store_message *m, unsigned flags)
{
    (void)flags;                                 /* PreProcess, NeedsSpooler: all is done by this server at once */
    TALLOC_CTX *arena = talloc_new(NULL);
    struct letter *letter;
    int64_t id = 0;
    enum ec ec = letter_load(arena, m, &letter);
    if (!ec && (names_another(t, arena, letter, ROLE_SENDER, sender) ||
                names_another(t, arena, letter, ROLE_SENT_REPRESENTING, sender)))
        ec = ecSendAsDenied;
    if (!ec) {
        complete(letter, sender);
        ec = queue_add(t->queue, sender->mailbox_guid, letter, &id);
    }
    if (!ec) {
        const enum ec filed = file_own_copy(arena, m, letter);
        if (filed)
            log_line(LOG_WARNING, "submit", "%s: the sender's own copy stays where it is: %s", sender->primary_smtp,
                     ec_text(filed));
        store_unlock(store_message_store(m));
        distribute(t, sender, letter, false);
        queue_done(t->queue, id);
        store_lock(store_message_store(m));
    }
    talloc_free(arena);
    return ec;
}
