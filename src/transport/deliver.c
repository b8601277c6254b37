/* SPDX-License-Identifier: Apache-2.0 */
/* A letter into one mailbox. */
#include <errno.h>

#include "mime/mbox.h"
#include "transport/rule.h"

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

enum { SUPPRESS_RECEIPT = 0x01 };

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
    if (!letter_u32(&from->props, PidTagDelegatedByRule, 0)) /* MS-OXORULE_R540 */
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
bool is_delivered(struct store *st, TALLOC_CTX *arena, uint64_t fid, const struct delivery *d)
{
    struct store_table *table;
    uint32_t rows;
    if (store_contents_table(&table, arena, st, fid, 0, &rows))
        return false;
    const bool found = has_message(table, arena, d);
    talloc_free(table);
    return found;
}

static bool is_there_already(const struct rule_run *run)
{
    for (uint32_t i = 0; run->how->only_once && i < run->place_count; i++)
        if (is_delivered(run->st, run->arena, run->places[i].fid, run->how))
            return true;
    return false;
}

/* What goes out for a message, while its own mailbox is locked. */
struct mail_out {
    struct submission *submissions[RULE_LETTERS_MAX];
    uint32_t count;
};

/* A public folder that has an address gets its mail itself. */
static uint64_t home_of(const struct rule_run *run)
{
    return run->owner->kind == ACCOUNT_MAIL_FOLDER ? run->owner->public_folder : STORE_FID(SPECIAL_INBOX);
}

/* A new message with what the rules have changed of it so far. */
static enum ec new_message(struct rule_run *run, struct store_message **out)
{
    enum ec results[1], ec = store_message_new(out, run->arena, run->st, home_of(run), false);
    bool changed;
    if (ec)
        return ec;
    store_message_flags(*out, run->how->from_outside ? mfInternet : 0, mfUnsent);
    ec = letter_save(run->letter, *out, &run->new_names);
    for (uint32_t i = 0; i < run->tag_count && !ec; i++)
        ec = store_message_set(*out, &run->tags[i], 1, results);
    if (run->read && !ec)
        ec = store_message_set_read(*out, SUPPRESS_RECEIPT, &changed);
    return ec;
}

/* Each place gets a message of its own, announced as new mail. */
static enum ec put_in_place(struct rule_run *run, uint64_t fid, uint64_t *mid)
{
    struct store_message *message = NULL;
    enum ec result;
    struct store_batch *batch = store_batch_begin(run->arena, run->st);
    enum ec ec = new_message(run, &message);
    if (!ec && run->deferred_count)
        ec = store_message_set(message, &P_BOOL(PidTagHasDeferredActionMessages, true), 1, &result);
    if (!ec)
        ec = store_message_deliver(message, fid, mid);
    talloc_free(message);
    return store_batch_end(batch, ec);
}

/* Where a rule's folder cannot take it, the message stays in the one that it came to. */
static enum ec put_in_places(struct rule_run *run, uint64_t home, uint64_t *fid, uint64_t *mid)
{
    bool lost = false;
    enum ec ec = ecNone;
    for (uint32_t i = 0; i < run->place_count && !ec; i++) {
        const struct rule_place *place = &run->places[i];
        uint64_t made;
        ec = put_in_place(run, place->fid, &made);
        if (!ec && !*mid) {
            *fid = place->fid;
            *mid = made;
        }
        if (ec && place->rule) {
            rule_failed(run, place->rule, place->action, ec == ecQuotaExceeded ? RULE_ERROR_QUOTA : RULE_ERROR_MOVE);
            lost = true;
            ec = ecNone;
        }
    }
    if (!ec && lost && !*mid) {
        *fid = home;
        ec = put_in_place(run, home, mid);
    }
    return ec;
}

/* In the queue before the mailbox's own commit: what is done twice after a crash is better than what is not done. */
static enum ec queue_letters(struct rule_run *run, TALLOC_CTX *owner, struct mail_out *out)
{
    enum ec ec = ecNone;
    for (uint32_t i = 0; i < run->letter_count && !ec; i++) {
        const struct rule_letter *letter = &run->letters[i];
        const struct post_item item = { .id = letter->id,
                                        .sender = letter->automatic ? (struct guid){ { 0 } } : run->owner->mailbox_guid,
                                        .letter = letter->letter,
                                        .first = letter->first,
                                        .as_it_is = letter->as_it_is };
        ec = post_letter(owner, run->transport, &item, &out->submissions[out->count]);
        out->count += !ec;
        if (ec == ecDuplicateName || ec == ecInvalidRecips)
            ec = ecNone;
    }
    return ec;
}

static enum ec carry_out_rules(struct rule_run *run, TALLOC_CTX *owner, uint64_t home, struct mail_out *out)
{
    uint64_t fid = 0, mid = 0;
    enum ec ec = queue_letters(run, owner, out);
    if (!ec)
        ec = put_in_places(run, home, &fid, &mid);
    if (!ec && mid)
        ec = rule_write_deferred(run, fid, mid);
    return ec ? ec : rule_write_failures(run, fid, mid);
}

static enum ec deliver_locked(struct rule_run *run, TALLOC_CTX *owner, struct mail_out *out)
{
    const char *class = letter_text(&run->letter->props, PidTagMessageClass), *explicit_class;
    uint64_t home;
    struct store_batch *batch = store_batch_begin(run->arena, run->st);
    enum ec ec = ecInvalidParam;
    if (run->owner->kind != ACCOUNT_MAIL_FOLDER)
        ec = store_receive_folder(run->arena, run->st, class ? class : "IPM.Note", &home, &explicit_class);
    if (ec == ecInvalidParam) { /* a class that is none */
        home = home_of(run);
        ec = ecNone;
    }
    if (!ec)
        ec = new_message(run, &run->message);
    if (!ec && (run->how->without_rules || run->owner->kind == ACCOUNT_MAIL_FOLDER))
        run->places[run->place_count++] = (struct rule_place){ home, NULL, NULL };
    else if (!ec)
        rules_run(run, home);
    if (!ec && !is_there_already(run))
        ec = carry_out_rules(run, owner, home, out);
    return store_batch_end(batch, ec);
}

/* Its own mailbox is unlocked. */
static void send_out(struct transport *t, struct mail_out *out, bool was_delivered)
{
    for (uint32_t i = 0; i < out->count; i++)
        if (was_delivered) {
            post_carry_out(t, out->submissions[i]);
        } else {
            queue_remove(t->queue, out->submissions[i]);
            queue_release(t->queue, out->submissions[i]->id);
        }
}

enum ec deliver(struct transport *t, const struct account *to, const struct letter *letter, const struct delivery *d)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store *st;
    struct mail_out out = { .count = 0 };
    const struct account *mailbox =
        to->kind == ACCOUNT_MAIL_FOLDER ? directory_public_folders(t->config.directory, arena) : to;
    enum ec ec = mailbox ? store_get(t->config.stores, mailbox->store_url, mailbox->mailbox_guid, &st) : ecNotFound,
            refused = ecNone;
    if (!ec) {
        struct rule_run *run = talloc_zero(arena, struct rule_run);
        *run = (struct rule_run){
            .transport = t, .arena = arena, .st = st, .owner = to, .how = d, .letter = copy_for(arena, t, letter, to, d),
            .new_names = LETTER_NEW_NAMES
        };
        store_lock(st);
        ec = d->over_quota ? ecNone : quota_allows_delivery(t, to, st, letter_size(run->letter));
        if (!ec)
            ec = deliver_locked(run, arena, &out);
        const struct letter *warning = d->over_quota ? NULL : quota_warning(arena, t, to, st);
        TALLOC_FREE(run->message);
        store_unlock(st);
        store_put(st);
        refused = run->refused;
        send_out(t, &out, !ec);
        if (warning)
            deliver(t, to, warning, &(struct delivery){ .over_quota = true, .without_rules = true });
    }
    if (ec)
        log_line(LOG_WARNING, "transport", "%s: a message could not be delivered: %s", to->primary_smtp, ec_text(ec));
    talloc_free(arena);
    return ec ? ec : refused;
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
    const struct delivery how = { .from_outside = true, .envelope = sender };
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
    const struct delivery how = { .from_outside = true, .time = date, .without_rules = true };
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
