/* SPDX-License-Identifier: Apache-2.0 */
/* A letter into one mailbox. */
#include "transport/internal.h"
#include "wire/entry_id.h"

enum { HOPS_MAX = 30 };                          /* more Received lines: the mail goes round in circles */
enum { RECIPIENT_TO = 1, RECIPIENT_CC = 2, RECIPIENT_TYPE = 0x0F };

struct mime_person person_of_account(const struct account *a)
{
    return (struct mime_person){ a->display_name, "EX", a->legacy_dn, a->primary_smtp };
}

static bool resolve(void *arg, TALLOC_CTX *arena, const char *smtp, struct mime_person *out)
{
    struct transport *t = arg;
    const struct account *a = directory_by_smtp(t->config.directory, arena, smtp);
    if (a)
        *out = person_of_account(a);
    return a != NULL;
}

struct mime_context mime_context_of(struct transport *t)
{
    return (struct mime_context){ .resolve = resolve, .arg = t };
}

const struct account *account_of_recipient(struct transport *t, TALLOC_CTX *arena, const struct letter_recipient *r,
                                           const char **address)
{
    struct mime_person person;
    *address = "";
    if (!mime_recipient_person(&r->props, &person))
        return NULL;
    *address = person.smtp && *person.smtp ? person.smtp : person.address;
    const struct account *a = strcasecmp(person.address_type, "EX") == 0
                                  ? directory_by_legacy_dn(t->config.directory, arena, person.address) : NULL;
    return a ? a : directory_by_smtp(t->config.directory, arena, *address);
}

/* PidTagMessageToMe, ...CcMe, ...RecipientMe: [MS-OXOMSG] 2.2.1.18 and on */
static void say_whether_named(struct transport *t, const struct account *to, struct letter *letter)
{
    bool in_to = false, in_cc = false;
    for (uint32_t i = 0; i < letter->recipient_count; i++) {
        const char *address;
        const struct account *a = account_of_recipient(t, letter->owner, letter->recipients[i], &address);
        const bool me = a && guid_equal(a->guid, to->guid);
        in_to |= me && (letter->recipients[i]->type & RECIPIENT_TYPE) == RECIPIENT_TO;
        in_cc |= me && (letter->recipients[i]->type & RECIPIENT_TYPE) == RECIPIENT_CC;
    }
    letter_set(&letter->props, P_BOOL(PidTagMessageToMe, in_to));
    letter_set(&letter->props, P_BOOL(PidTagMessageCcMe, in_cc));
    letter_set(&letter->props, P_BOOL(PidTagMessageRecipientMe, in_to || in_cc));
}

static struct letter *copy_for(struct transport *t, TALLOC_CTX *arena, const struct account *to, const struct letter *letter,
                               uint64_t time)
{
    struct letter *copy = letter_share(arena, letter);
    const struct mime_person me = person_of_account(to);
    mime_set_person(&copy->props, ROLE_RECEIVED_BY, &me);
    mime_set_person(&copy->props, ROLE_RECEIVED_REPRESENTING, &me);
    say_whether_named(t, to, copy);
    letter_set(&copy->props, P_TIME(PidTagMessageDeliveryTime, time ? time : filetime_now()));
    return copy;
}

static enum ec save_into(struct store *st, const struct letter *letter)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_message *m;
    enum ec ec = store_message_new(&m, arena, st, STORE_FID(SPECIAL_INBOX), false);
    if (!ec)
        ec = letter_save(letter, m);
    if (!ec)
        ec = store_message_deliver(m, 0, NULL);
    talloc_free(arena);
    return ec;
}

enum ec deliver_letter(struct transport *t, const struct account *to, const struct letter *letter, uint64_t time)
{
    struct store *st;
    enum ec ec = store_get(t->config.stores, to->store_url, to->mailbox_guid, &st);
    if (!ec) {
        TALLOC_CTX *arena = talloc_new(NULL);
        const struct letter *copy = copy_for(t, arena, to, letter, time);
        store_lock(st);
        ec = save_into(st, copy);
        store_unlock(st);
        store_put(st);
        talloc_free(arena);
    }
    if (ec)
        log_line(LOG_WARNING, "delivery", "to %s failed: %s", to->primary_smtp, ec_text(ec));
    return ec;
}

enum ec transport_deliver(struct transport *t, const struct account *to, struct blob rfc5322)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct mime_context context = mime_context_of(t);
    struct letter *letter;
    enum ec ec = mime_hops(rfc5322) > HOPS_MAX ? ecMsgCycle : mime_read(arena, rfc5322, &context, &letter);
    if (!ec)
        ec = deliver_letter(t, to, letter, 0);
    talloc_free(arena);
    return ec;
}

static bool folder_has(struct store *st, uint64_t fid, const char *message_id)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const uint32_t columns[] = { PidTagMid };
    const struct restriction wanted = { .type = RES_PROPERTY, .relop = RELOP_EQ, .tag = PidTagInternetMessageId,
                                        .value = P_STR(PidTagInternetMessageId, message_id) };
    struct store_table *table;
    struct props row;
    uint32_t rows;
    const bool found = store_contents_table(&table, arena, st, fid, 0, &rows) == ecNone &&
                       store_table_columns(table, columns, COUNTOF(columns)) == ecNone &&
                       store_table_find(arena, table, false, &wanted, &row) == ecNone;
    talloc_free(arena);
    return found;
}

bool already_delivered(struct transport *t, const struct account *to, const char *message_id)
{
    struct store *st;
    if (!message_id || store_get(t->config.stores, to->store_url, to->mailbox_guid, &st))
        return false;
    store_lock(st);
    const bool found = folder_has(st, STORE_FID(SPECIAL_INBOX), message_id);
    store_unlock(st);
    store_put(st);
    return found;
}
