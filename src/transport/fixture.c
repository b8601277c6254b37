/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/fixture.h"

#include <stdlib.h>
#include <unistd.h>

static enum ec make_store(void *arg, const struct account *a)
{
    (void)arg;
    return store_create(a->store_url,
                        &(struct store_identity){ a->mailbox_guid, a->display_name, a->legacy_dn, a->primary_smtp,
                                                 a->kind == ACCOUNT_PUBLIC_FOLDERS });
}

static const struct account *make_account(struct post *p, const char *name, const char *smtp, const char *display)
{
    const struct account *account;
    const struct account_new new = { .name = name,
                                     .primary_smtp = smtp,
                                     .display_name = display,
                                     .database = org_settings(p->org, p->arena)->databases[0].guid };
    OK(directory_create(p->directory, p->arena, &new, make_store, NULL, &account));
    return account;
}

static void hear(void *arg, struct store *st, const struct store_change *changes, size_t count)
{
    struct post *p = arg;
    (void)st;
    for (size_t i = 0; i < count; i++)
        if (changes[i].kind == STORE_NEW_MAIL)
            atomic_fetch_add(&p->new_mail, 1);
}

void post_start(struct post *p)
{
    char *why = "";
    p->stores = store_pool_new(p, hear, p);
    p->config.org = p->org;
    p->config.directory = p->directory;
    p->config.stores = p->stores;
    const enum ec ec = transport_open(&p->transport, p, &p->config, &why);
    if (ec)
        fail_msg("%s: %s", ec_name(ec), why);
}

void post_stop(struct post *p)
{
    transport_close(p->transport);
    TALLOC_FREE(p->stores);
    p->transport = NULL;
}

int post_open(void **state)
{
    struct post *p = talloc_zero(NULL, struct post);
    char path[] = "/tmp/oxcart-post-XXXXXX";
    p->arena = talloc_new(p);
    p->folder = talloc_strdup(p, mkdtemp(path));
    p->log = tmpfile();
    log_to(p->log, LOG_DEBUG);
    OK(org_open(&p->org, p, p->folder, &(struct org_defaults){ .hostname = "mail.contoso.com" }));
    OK(directory_open(&p->directory, p, p->org));
    p->alice = make_account(p, "alice", "alice@contoso.com", "Alice Example");
    p->bob = make_account(p, "bob", "bob@contoso.com", "Bob Example");
    p->config.lmtp = "127.0.0.1:0";
    post_start(p);
    *state = p;
    return 0;
}

int post_close(void **state)
{
    struct post *p = *state;
    if (p->transport)
        post_stop(p);
    talloc_free_children(p->arena);
    TALLOC_FREE(p->directory);
    TALLOC_FREE(p->org);
    log_to(stderr, LOG_WARNING);
    fclose(p->log);
    assert_int_equal(system(talloc_asprintf(p, "rm -rf %s", p->folder)), 0);
    return talloc_free(p);
}

struct store *post_enter(struct post *p, const struct account *a)
{
    struct store *st;
    OK(store_get(p->stores, a->store_url, a->mailbox_guid, &st));
    store_lock(st);
    return st;
}

void post_leave(struct store *st)
{
    store_unlock(st);
    store_put(st);
}

uint32_t post_list(struct post *p, struct store *st, uint64_t fid, uint64_t **mids)
{
    static const uint32_t column = PidTagMid;
    const struct SortOrder order = { PidTagMid, 1 };
    struct store_table *table;
    struct props *rows;
    uint32_t count, got;
    OK(store_contents_table(&table, p->arena, st, fid, 0, &count));
    OK(store_table_columns(table, &column, 1));
    OK(store_table_sort(table, &order, 1));
    OK(store_table_query(p->arena, table, true, 10000, false, NULL, NULL, &rows, &got));
    *mids = talloc_array(p->arena, uint64_t, got);
    for (uint32_t i = 0; i < got; i++)
        (*mids)[i] = rows[i].values[0].u64;
    talloc_free(table);
    return got;
}

uint32_t post_count(struct post *p, const struct account *a, uint64_t fid)
{
    struct store *st = post_enter(p, a);
    uint64_t *mids;
    const uint32_t count = post_list(p, st, fid, &mids);
    post_leave(st);
    return count;
}

/* The greatest counter: ids hold it with the first byte most significant. */
static uint64_t newest_of(const uint64_t *mids, uint32_t count)
{
    uint64_t newest = mids[0];
    for (uint32_t i = 1; i < count; i++)
        newest = store_counter(mids[i]) > store_counter(newest) ? mids[i] : newest;
    return newest;
}

static struct store_message *open_newest(struct post *p, struct store *st, uint64_t fid)
{
    struct store_message *message;
    uint64_t *mids;
    const uint32_t count = post_list(p, st, fid, &mids);
    if (!count)
        return NULL;
    OK(store_message_open(&message, p->arena, st, fid, newest_of(mids, count), MESSAGE_READONLY));
    return message;
}

struct letter *post_newest(struct post *p, const struct account *a, uint64_t fid)
{
    struct store *st = post_enter(p, a);
    struct store_message *message = open_newest(p, st, fid);
    struct letter *letter = NULL;
    if (message)
        OK(letter_load(p->arena, message, &letter));
    talloc_free(message);
    post_leave(st);
    return letter;
}

struct prop post_prop(struct post *p, const struct account *a, uint64_t fid, uint32_t tag)
{
    struct store *st = post_enter(p, a);
    struct store_message *message = open_newest(p, st, fid);
    struct prop value;
    assert_non_null(message);
    OK(store_message_get(p->arena, message, &tag, 1, STORE_VALUE_LIMIT, &value));
    talloc_free(message);
    post_leave(st);
    return value;
}

void post_deliver(struct post *p, const struct account *a, const char *rfc5322)
{
    enum ec result;
    transport_deliver(p->transport, BLOB_OF(rfc5322, strlen(rfc5322)), "out@example.com", &a, 1, &result);
    OK(result);
}
