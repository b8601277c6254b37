/* SPDX-License-Identifier: Apache-2.0 */
/* Sent Items of who is in From gets what others send in that name, where the mailbox says so. */
#include "transport/internal.h"

enum { SUPPRESS_RECEIPT = 0x01 };
#define SENT_ITEMS STORE_FID(SPECIAL_SENT_ITEMS)

static enum ec save_copy(TALLOC_CTX *arena, struct store *st, const struct submission *s, const struct delivery *how)
{
    struct letter *letter = letter_share(arena, s->letter);
    struct store_message *message;
    uint32_t new_names = LETTER_NEW_NAMES;
    bool changed;
    enum ec ec = store_message_new(&message, arena, st, SENT_ITEMS, false);
    if (ec)
        return ec;
    letter_set(&letter->props, P_TIME(PidTagMessageDeliveryTime, filetime_now()));
    letter_set(&letter->props, P_BIN(PidTagMessageSubmissionId, BLOB_OF(how->id, strlen(how->id))));
    store_message_flags(message, 0, mfUnsent | mfSubmitted);
    ec = letter_save(letter, message, &new_names);
    if (!ec)
        ec = store_message_set_read(message, SUPPRESS_RECEIPT, &changed);
    if (!ec)
        ec = store_message_save(message, false, NULL);
    talloc_free(message);
    return ec;
}

enum ec keep_sent_copy(struct transport *t, const struct submission *s, const struct account *owner,
                       const struct delivery *how)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store *st;
    enum ec ec = store_get(t->config.stores, owner->store_url, owner->mailbox_guid, &st);
    if (!ec) {
        store_lock(st);
        if (!how->only_once || !is_delivered(st, arena, SENT_ITEMS, how))
            ec = save_copy(arena, st, s, how);
        store_unlock(st);
        store_put(st);
    }
    if (ec)
        log_line(LOG_WARNING, "transport", "%s has no copy of what was sent in that name: %s", owner->logon_name,
                 ec_text(ec));
    talloc_free(arena);
    return ec;
}
