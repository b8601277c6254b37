/* SPDX-License-Identifier: Apache-2.0 */
/* A letter into one mailbox. */
#include <errno.h>

#include "mime/mbox.h"
#include "transport/internal.h"

struct mime_person person_of_account(const struct account *a)
{
    return (struct mime_person){ a->display_name, "EX", a->legacy_dn, a->primary_smtp };
}

static bool resolve(void *arg, TALLOC_CTX *arena, const char *smtp, struct mime_person *out)
{
    const struct account *a = directory_by_smtp(((struct transport *)arg)->config.directory, arena, smtp);
    if (a)
        *out = person_of_account(a);
    return a != NULL;
}

struct mime_context mime_context_of(struct transport *t)
{
    return (struct mime_context){ .resolve = resolve, .arg = t };
}

/* ---- what the recipient's copy says about its delivery: [MS-OXOMSG] 2.2.1.21 and on ---- */

static bool is_account(struct transport *t, TALLOC_CTX *arena, const struct letter_props *props,
                       const struct account *to)
{
    struct mime_person p;
    if (!mime_recipient_person(props, &p))
        return false;
    const struct account *a = strcmp(p.address_type, "EX") == 0
                                  ? directory_by_legacy_dn(t->config.directory, arena, p.address)
                              : p.smtp ? directory_by_smtp(t->config.directory, arena, p.smtp)
                                       : NULL;
    return a && guid_equal(a->mailbox_guid, to->mailbox_guid);
}

static void set_to_me(struct transport *t, struct letter *letter, const struct account *to)
{
    bool in[4] = { false };
    for (uint32_t i = 0; i < letter->recipient_count; i++) {
        const uint8_t type = letter->recipients[i]->type & 0x0F;
        if (type < COUNTOF(in) && !in[type])
            in[type] = is_account(t, letter->owner, &letter->recipients[i]->props, to);
    }
    letter_set(&letter->props, P_BOOL(PidTagMessageToMe, in[1]));
    letter_set(&letter->props, P_BOOL(PidTagMessageCcMe, in[2]));
    letter_set(&letter->props, P_BOOL(PidTagMessageRecipientMe, in[1] || in[2] || in[3]));
}

static struct letter *copy_for(TALLOC_CTX *arena, struct transport *t, const struct letter *from,
                               const struct account *to, const struct delivery *d)
{
    struct letter *copy = letter_share(arena, from);
    const struct mime_person receiver = person_of_account(to);
    mime_set_person(&copy->props, ROLE_RECEIVED_BY, &receiver);
    mime_set_person(&copy->props, ROLE_RECEIVED_REPRESENTING, &receiver);
    letter_set(&copy->props, P_TIME(PidTagMessageDeliveryTime, d->time ? d->time : filetime_now()));
    if (d->id)
        letter_set(&copy->props, P_BIN(PidTagMessageSubmissionId, BLOB_OF(d->id, strlen(d->id))));
    set_to_me(t, copy, to);
    return copy;
}

/* ---- the mailbox, locked ---- */

static bool has_message(struct store_table *table, TALLOC_CTX *arena, const struct delivery *d)
{
    const struct restriction both[] = {
        { .type = RES_PROPERTY,
          .relop = RELOP_GE,
          .tag = PidTagMessageDeliveryTime,
          .value = P_TIME(PidTagMessageDeliveryTime, d->since) },
        { .type = RES_PROPERTY,
          .relop = RELOP_EQ,
          .tag = PidTagMessageSubmissionId,
          .value = P_BIN(PidTagMessageSubmissionId, BLOB_OF(d->id, strlen(d->id))) },
    };
    const struct restriction here = { .type = RES_AND, .count = COUNTOF(both), .sub = both };
    const uint32_t column = PidTagMid;
    struct props row;
    return !store_table_columns(table, &column, 1) && !store_table_find(arena, table, false, &here, &row);
}

/* A crash came between the delivery and its note in the queue? */
static bool is_there_already(struct store *st, TALLOC_CTX *arena, const char *class, const struct delivery *d)
{
    struct store_table *table;
    const char *explicit_class;
    uint64_t fid;
    uint32_t rows;
    if (store_receive_folder(arena, st, class, &fid, &explicit_class) ||
        store_contents_table(&table, arena, st, fid, 0, &rows))
        return false;
    const bool found = has_message(table, arena, d);
    talloc_free(table);
    return found;
}

static enum ec deliver_locked(struct store *st, TALLOC_CTX *arena, const struct letter *copy, const struct delivery *d)
{
    const char *class = letter_text(&copy->props, PidTagMessageClass);
    struct store_message *message;
    if (d->only_once && is_there_already(st, arena, class ? class : "IPM.Note", d))
        return ecNone;
    enum ec ec = store_message_new(&message, arena, st, STORE_FID(SPECIAL_INBOX), false);
    if (ec)
        return ec;
    store_message_flags(message, d->from_outside ? mfInternet : 0, mfUnsent);
    ec = letter_save(copy, message);
    if (!ec)
        ec = store_message_deliver(message, 0, NULL);
    talloc_free(message);
    return ec;
}

enum ec deliver(struct transport *t, const struct account *to, const struct letter *letter, const struct delivery *d)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store *st;
    const struct letter *copy = copy_for(arena, t, letter, to, d);
    enum ec ec = store_get(t->config.stores, to->store_url, to->mailbox_guid, &st);
    if (!ec) {
        store_lock(st);
        ec = deliver_locked(st, arena, copy, d);
        store_unlock(st);
        store_put(st);
    }
    if (ec)
        log_line(LOG_WARNING, "transport", "%s: a message could not be delivered: %s", to->primary_smtp, ec_text(ec));
    talloc_free(arena);
    return ec;
}

/* ---- mail from outside ---- */

/* RFC 5321, 4.4: the last one writes who has sent it. */
static void set_return_path(struct letter *letter, const char *sender)
{
    const char *headers = letter_text(&letter->props, PidTagTransportMessageHeaders);
    letter_set(&letter->props,
               P_STR(PidTagTransportMessageHeaders,
                     talloc_asprintf(letter->owner, "Return-Path: <%s>\r\n%s", sender, headers ? headers : "")));
}

static bool is_before(const struct account *const *to, size_t count, size_t *first)
{
    for (*first = 0; *first < count; ++*first)
        if (guid_equal(to[*first]->mailbox_guid, to[count]->mailbox_guid))
            return true;
    return false;
}

void transport_deliver(struct transport *t, struct blob rfc5322, const char *sender, const struct account *const *to,
                       size_t count, enum ec *results)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct mime_context context = mime_context_of(t);
    const struct delivery how = { .from_outside = true };
    struct letter *letter;
    size_t first;
    const enum ec ec = mime_read(arena, rfc5322, &context, &letter);
    if (!ec && sender)
        set_return_path(letter, sender);
    for (size_t i = 0; i < count; i++)
        results[i] = ec ? ec : is_before(to, i, &first) ? results[first] : deliver(t, to[i], letter, &how);
    talloc_free(arena);
}

static enum ec import_one(struct transport *t, const struct account *to, struct blob rfc5322)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const uint64_t date = mime_date(rfc5322);
    const struct delivery how = { .from_outside = true, .time = date };
    struct mime_context context = mime_context_of(t);
    struct letter *letter;
    context.received = date;
    enum ec ec = mime_read(arena, rfc5322, &context, &letter);
    if (!ec)
        ec = deliver(t, to, letter, &how);
    talloc_free(arena);
    return ec;
}

enum ec transport_import_mbox(struct transport *t, const struct account *to, const char *path,
                              transport_progress *progress, void *arg, uint32_t *count)
{
    FILE *file = fopen(path, "rb");
    *count = 0;
    if (!file)
        return errno == ENOENT ? ecNotFound : ecAccessDenied;
    struct mbox *mbox = mbox_new(NULL, file);
    enum ec ec = ecNone;
    for (bool more = true; more && !ec;) {
        TALLOC_CTX *arena = talloc_new(NULL);
        struct blob message;
        more = mbox_next(arena, mbox, &message);
        if (more)
            ec = import_one(t, to, message);
        if (more && !ec && progress)
            progress(arg, ++*count);
        else if (more && !ec)
            ++*count;
        talloc_free(arena);
    }
    if (!ec && ferror(file))
        ec = ecReadFault;
    talloc_free(mbox);
    fclose(file);
    return ec;
}
