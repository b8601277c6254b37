/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox, the pool, receive folders, named properties and long-term ids: [MS-OXCSTOR], [MS-OXCPRPT]. */
#include "store/fixture.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"
#include "wire/guids.h"
#include "wire/idset.h"

#define INBOX STORE_FID(SPECIAL_INBOX)

static struct store_identity somebody(struct guid mailbox)
{
    return (struct store_identity){ mailbox, "Bob Example", "/o=Contoso/cn=bob", "bob@contoso.com" };
}

static struct prop store_prop(struct store_fixture *f, uint32_t tag)
{
    struct prop p;
    OK(store_get_props(f->arena, f->store, &tag, 1, STORE_VALUE_LIMIT, &p));
    return p;
}

/* ---- made, removed, opened ---- */

static void a_mailbox_is_made_once(void **state)
{
    struct store_fixture *f = *state;
    const struct store_identity again = somebody(f->mailbox), bob = somebody(guid_random());
    EC(store_create(f->url, &again), ecDuplicateName);
    assert_string_equal(store_identity(f->store)->display_name, "Alice Example");
    OK(store_create(f->url, &bob));
    struct store *other;
    OK(store_get(f->pool, f->url, bob.mailbox, &other));
    assert_string_equal(store_identity(other)->smtp, "bob@contoso.com");
    assert_false(guid_equal(store_replica_guid(other), store_replica_guid(f->store)));
    store_put(other);
}

static void mailboxes_of_one_database_do_not_see_each_other(void **state)
{
    struct store_fixture *f = *state;
    const struct store_identity bob = somebody(guid_random());
    OK(store_create(f->url, &bob));
    const uint64_t mid = fixture_message(f, INBOX, "alice's");
    struct store *other;
    struct store_message *m;
    OK(store_get(f->pool, f->url, bob.mailbox, &other));
    store_lock(other);
    EC(store_message_open(&m, f->arena, other, INBOX, mid, MESSAGE_READONLY), ecNotFound);
    struct store_folder row;
    OK(store_folder_row(f->arena, other, INBOX, &row));
    assert_int_equal(row.total, 0);
    store_unlock(other);
    store_put(other);
    store_pool_forget(f->pool, bob.mailbox);
    OK(store_remove(f->url, bob.mailbox));
    assert_int_equal(fixture_row(f, INBOX).total, 1);
    EC(store_get(f->pool, f->url, bob.mailbox, &other), ecNotFound);
    EC(store_remove(f->url, bob.mailbox), ecNotFound);
    OK(store_create(f->url, &bob));
}

static void all_special_folders_are_there(void **state)
{
    struct store_fixture *f = *state;
    static const struct {
        uint64_t fid, parent;
        const char *name, *class;
    } specials[] = {
#define SPECIAL(name, counter, parent, display, class) { counter, parent, display, class },
#include "store/special.def"
#undef SPECIAL
    };
    for (size_t i = 0; i < COUNTOF(specials); i++) {
        const struct store_folder row = fixture_row(f, store_id(specials[i].fid));
        assert_string_equal(row.name, specials[i].name);
        assert_string_equal(row.class, specials[i].class);
        assert_int_equal(row.parent, specials[i].parent ? store_id(specials[i].parent) : 0);
    }
    assert_int_equal(fixture_row(f, STORE_FID(SPECIAL_ROOT)).subfolders, 9);
}

static void the_owner_may_get_another_name(void **state)
{
    struct store_fixture *f = *state;
    const struct store_identity now = { .display_name = "Alice Married" };
    const struct guid replica = store_replica_guid(f->store);
    OK(store_set_identity(f->store, &now));
    fixture_reopen(f);
    assert_string_equal(store_identity(f->store)->display_name, "Alice Married");
    assert_string_equal(store_identity(f->store)->smtp, "alice@contoso.com");
    assert_true(guid_equal(store_replica_guid(f->store), replica));
    assert_string_equal(store_prop(f, PidTagMailboxOwnerName).str, "Alice Married");
}

static void a_database_that_cannot_be_used_says_which_and_why(void **state)
{
    struct store_fixture *f = *state;
    struct store *broken;
    struct guid mailbox = guid_random();
    const char *folder = talloc_asprintf(f->arena, "%s/broken", f->folder);
    char name[GUID_TEXT_SIZE], *path = talloc_asprintf(f->arena, "%s/%s.db", folder, guid_text(mailbox, name));
    assert_int_equal(mkdir(folder, 0700), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i < 1000; i++)
        fputs("this is not a database. ", file);
    fclose(file);
    EC(store_get(f->pool, talloc_asprintf(f->arena, "sqlite:%s", folder), mailbox, &broken), ecCorruptStore);
    assert_null(broken);
    assert_non_null(strstr(fixture_log(f), path));
    mailbox = guid_random();
    EC(store_get(f->pool, f->url, mailbox, &broken), ecNotFound);
    if (f->is_sqlite)                                                  /* a file that is missing */
        assert_non_null(strstr(fixture_log(f), guid_text(mailbox, name)));
    EC(store_get(f->pool, "mysql://x", mailbox, &broken), ecInvalidParam);
    const struct store_identity bob = somebody(mailbox);
    char *not_a_folder = talloc_asprintf(f->arena, "sqlite:%s", path);
    EC(store_create(not_a_folder, &bob), ecAccessDenied);
}

static void few_connections_serve_many_mailboxes(void **state)
{
    struct store_fixture *f = *state;
    struct store *stores[12];
    uint64_t mids[COUNTOF(stores)];
    store_pool_keep(f->pool, 4);
    for (size_t i = 0; i < COUNTOF(stores); i++) {
        const struct store_identity who = somebody(guid_random());
        OK(store_create(f->url, &who));
        OK(store_get(f->pool, f->url, who.mailbox, &stores[i]));
    }
    struct store_message *open[COUNTOF(stores)];
    for (size_t i = 0; i < COUNTOF(stores); i++) {
        store_lock(stores[i]);
        OK(store_message_new(&open[i], f->arena, stores[i], INBOX, false));
        OK(store_message_save(open[i], false, &mids[i]));
        store_unlock(stores[i]);
    }
    for (size_t round = 0; round < 3; round++)
        for (size_t i = 0; i < COUNTOF(stores); i++) {
            store_lock(stores[i]);
            OK(fixture_set(open[i], P_I32(PidTagImportance, (int)round)));
            OK(store_message_save(open[i], false, NULL));
            store_unlock(stores[i]);
        }
    for (size_t i = 0; i < COUNTOF(stores); i++) {
        talloc_free(open[i]);
        store_put(stores[i]);
    }
}

/* Who has it open meets an error, and can still close everything; who comes anew finds what lies in the database. */
static void a_mailbox_that_was_forgotten_is_closed_to_all_who_hold_it(void **state)
{
    struct store_fixture *f = *state;
    const struct store_identity who = somebody(guid_random());
    struct store *held, *again;
    struct store_message *message;
    struct store_table *table;
    struct store_folder row;
    struct props *rows;
    uint32_t count;
    const uint32_t column = PidTagSubject;
    struct PropertyName name = { .Kind = 0, .GUID = PSETID_Common, .LID = 0x8503 };
    uint16_t id;
    OK(store_create(f->url, &who));
    OK(store_get(f->pool, f->url, who.mailbox, &held));
    store_lock(held);
    OK(store_message_new(&message, f->arena, held, INBOX, false));
    OK(store_contents_table(&table, f->arena, held, INBOX, 0, &count));
    OK(store_table_columns(table, &column, 1));
    store_unlock(held);
    store_pool_forget(f->pool, who.mailbox);
    store_pool_forget(f->pool, guid_random());
    store_lock(held);
    EC(store_message_save(message, false, NULL), ecMailboxDisabled);
    EC(store_message_deliver(message, 0, NULL), ecMailboxDisabled);
    EC(store_folder_row(f->arena, held, INBOX, &row), ecMailboxDisabled);
    EC(store_table_query(f->arena, table, true, 10, false, NULL, NULL, &rows, &count), ecMailboxDisabled);
    EC(store_named_ids(held, &name, 1, true, &id), ecMailboxDisabled);
    talloc_free(message);
    talloc_free(table);
    store_unlock(held);
    OK(store_get(f->pool, f->url, who.mailbox, &again));
    assert_ptr_not_equal(again, held);
    store_lock(again);
    OK(store_folder_row(f->arena, again, INBOX, &row));
    assert_int_equal(row.total, 0);
    store_unlock(again);
    store_put(again);
    store_put(held);
}

struct worker {
    struct store_fixture *f;
    struct guid mailbox;
    uint64_t saved;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    for (int i = 0; i < 50; i++) {
        struct store *st;
        struct store_message *m;
        if (store_get(w->f->pool, w->f->url, w->mailbox, &st))
            break;
        store_lock(st);
        if (!store_message_new(&m, NULL, st, INBOX, false)) {
            w->saved += !store_message_deliver(m, 0, NULL);
            talloc_free(m);
        }
        store_unlock(st);
        store_put(st);
    }
    return NULL;
}

/* The watcher of the fixture belongs to the test's thread, so this one has a pool of its own. */
static void threads_share_the_pool(void **state)
{
    struct store_fixture *f = *state;
    struct store_fixture own = *f;
    pthread_t threads[4];
    struct worker workers[COUNTOF(threads)];
    own.pool = store_pool_new(f->arena, NULL, NULL);
    store_pool_keep(own.pool, 1);
    struct guid mailboxes[2];
    for (size_t i = 0; i < COUNTOF(mailboxes); i++) {
        const struct store_identity who = somebody(mailboxes[i] = guid_random());
        OK(store_create(f->url, &who));
    }
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        workers[i] = (struct worker){ &own, mailboxes[i % COUNTOF(mailboxes)], 0 };
        assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
    }
    for (size_t i = 0; i < COUNTOF(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(workers[i].saved, 50);
    }
    for (size_t i = 0; i < COUNTOF(mailboxes); i++) {
        struct store *st;
        struct store_folder row;
        OK(store_get(own.pool, f->url, mailboxes[i], &st));
        store_lock(st);
        OK(store_folder_row(f->arena, st, INBOX, &row));
        assert_int_equal(row.total, 100);
        store_unlock(st);
        store_put(st);
    }
}

/* ---- properties of the logon object ---- */

static void the_logon_object_has_its_properties(void **state)
{
    struct store_fixture *f = *state;
    assert_string_equal(store_prop(f, PidTagMailboxOwnerName).str, "Alice Example");
    assert_true(store_prop(f, PidTagMailboxOwnerEntryId).bin.size > 28);
    assert_memory_equal(store_prop(f, PidTagStoreRecordKey).bin.data, f->mailbox.bytes, 16);
    assert_int_equal(store_prop(f, PidTagMappingSignature).bin.size, 16);
    assert_int_equal(store_prop(f, PidTagStoreState).u32, 0);
    assert_false(store_prop(f, PidTagOutOfOfficeState).b);
    assert_int_equal(store_prop(f, PidTagTestLineSpeed).bin.size, 256);
    assert_int_equal(store_prop(f, PidTagProhibitSendQuota).i32, -1); /* R649: who serves the mailbox knows better */
    assert_int_equal(store_prop(f, PidTagMessageSizeExtended).i64, 0);
    fixture_message(f, INBOX, "one");
    assert_true(store_prop(f, PidTagMessageSizeExtended).i64 > 0);
    const struct prop props[] = { P_BOOL(PidTagOutOfOfficeState, true), P_STR(PidTagComment, "mine"),
                                  P_I32(PidTagStoreState, 1) };
    enum ec results[3];
    OK(store_set_props(f->store, props, 3, results));
    OK(results[0]);
    OK(results[1]);
    EC(results[2], ecComputed);
    fixture_reopen(f);
    assert_true(store_prop(f, PidTagOutOfOfficeState).b);
    assert_string_equal(store_prop(f, PidTagComment).str, "mine");
    const uint32_t tags[] = { PidTagComment, PidTagEntryId }, *all;
    uint32_t count;
    OK(store_unset_props(f->store, tags, 2, results));
    EC(results[1], ecAccessDenied);
    assert_int_equal(store_prop(f, PidTagComment).u32, (uint32_t)ecNotFound);
    OK(store_prop_tags(f->arena, f->store, &all, &count));
    assert_true(count > 10);
}

/* ---- receive folders: [MS-OXCSTOR] 3.2.5.2 to 3.2.5.4 ---- */

static void assert_receives(struct store_fixture *f, const char *class, uint64_t fid, const char *explicit_class)
{
    uint64_t got;
    const char *got_class;
    OK(store_receive_folder(f->arena, f->store, class, &got, &got_class));
    assert_int_equal(got, fid);
    assert_string_equal(got_class, explicit_class);
}

static void a_class_is_received_by_its_longest_prefix(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t notes = STORE_FID(SPECIAL_NOTES);
    assert_receives(f, "IPM.Note", INBOX, "IPM");
    assert_receives(f, "", INBOX, "");
    assert_receives(f, "REPORT.ipm.note.ndr", INBOX, "Report.IPM");
    assert_receives(f, "IPC.Something", STORE_FID(SPECIAL_ROOT), "IPC");
    assert_receives(f, "IPMX", INBOX, "");
    OK(store_set_receive_folder(f->store, "IPM.StickyNote", notes));
    assert_receives(f, "ipm.stickynote.yellow", notes, "IPM.StickyNote");
    assert_receives(f, "IPM.StickyNotes", INBOX, "IPM");
    struct store_receive_row *rows;
    uint32_t count;
    OK(store_receive_table(f->arena, f->store, &rows, &count));
    assert_int_equal(count, 5);
    OK(store_set_receive_folder(f->store, "IPM.stickynote", 0));
    assert_receives(f, "IPM.StickyNote", INBOX, "IPM");
}

static void classes_of_receive_folders_are_checked(void **state)
{
    struct store_fixture *f = *state;
    uint64_t fid;
    const char *class;
    static const char *const wrong[] = { ".IPM", "IPM.", "IPM..Note", "IPM.\x7F", "IPM.\xC3\xBC", "\x1F" };
    for (size_t i = 0; i < COUNTOF(wrong); i++) {
        EC(store_receive_folder(f->arena, f->store, wrong[i], &fid, &class), ecInvalidParam);
        EC(store_set_receive_folder(f->store, wrong[i], INBOX), ecInvalidParam);
    }
    char *long_class = talloc_zero_size(f->arena, 257);
    memset(long_class, 'A', 255);
    EC(store_receive_folder(f->arena, f->store, long_class, &fid, &class), ecInvalidParam);
    EC(store_set_receive_folder(f->store, "IPM", INBOX), ecAccessDenied);
    EC(store_set_receive_folder(f->store, "report.ipm", INBOX), ecAccessDenied);
    EC(store_set_receive_folder(f->store, "", 0), ecError);
    EC(store_set_receive_folder(f->store, "IPM.X", store_id(0x4711)), ecNotFound);
    OK(store_set_receive_folder(f->store, "", STORE_FID(SPECIAL_JUNK)));
    assert_receives(f, "Other", STORE_FID(SPECIAL_JUNK), "");
}

static void a_folder_that_is_gone_receives_nothing(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t fid = fixture_folder(f, INBOX, "short-lived");
    bool partial;
    OK(store_set_receive_folder(f->store, "IPM.Note.X", fid));
    OK(store_folder_delete(f->store, INBOX, fid, 0, &partial));
    assert_receives(f, "IPM.Note.X", INBOX, "IPM");
}

/* ---- named properties: [MS-OXCPRPT] 3.2.5.9, 3.2.5.10 ---- */

static struct PropertyName by_lid(struct guid guid, uint32_t lid)
{
    return (struct PropertyName){ .Kind = 0, .GUID = guid, .LID = lid };
}

static struct PropertyName by_name(struct store_fixture *f, struct guid guid, const char *text)
{
    const struct blob wide = utf16_of_utf8(f->arena, text);
    uint8_t *bytes = talloc_zero_size(f->arena, wide.size + 2);
    memcpy(bytes, wide.data, wide.size);
    return (struct PropertyName){
        .Kind = 1, .GUID = guid, .NameSize = (uint8_t)(wide.size + 2), .Name = BLOB_OF(bytes, wide.size + 2)
    };
}

static void a_name_keeps_its_id_for_ever(void **state)
{
    struct store_fixture *f = *state;
    const struct PropertyName names[] = {
        by_lid(PSETID_Appointment, 0x820D),
        by_name(f, PS_PUBLIC_STRINGS, "Keywords"),
        by_lid(PS_MAPI, 0x0037),
        by_name(f, PS_INTERNET_HEADERS, "X-Mailer"),
        by_lid(PSETID_Task, 0x820D),
    };
    uint16_t ids[COUNTOF(names)], again[COUNTOF(names)];
    OK(store_named_ids(f->store, names, COUNTOF(names), false, ids));
    assert_int_equal(ids[0], 0);
    assert_int_equal(ids[2], 0x0037);
    OK(store_named_ids(f->store, names, COUNTOF(names), true, ids));
    for (size_t i = 0; i < COUNTOF(names); i++)
        assert_true(i == 2 || ids[i] >= 0x8000);
    assert_int_not_equal(ids[0], ids[4]);
    const uint64_t before = sql_statements();
    OK(store_named_ids(f->store, names, 2, true, again));
    assert_int_equal(sql_statements(), before); /* what is known is not asked again */
    fixture_reopen(f);
    OK(store_named_ids(f->store, names, COUNTOF(names), true, again));
    assert_memory_equal(ids, again, sizeof ids);
    const struct PropertyName other_case = by_name(f, PS_PUBLIC_STRINGS, "KEYWORDS");
    OK(store_named_ids(f->store, &other_case, 1, true, again));
    assert_int_equal(again[0], ids[1]);
    struct PropertyName out[4];
    const uint16_t ask[] = { ids[1], ids[3], 0x0037, 0xFFF0 };
    OK(store_named_names(f->arena, f->store, ask, 4, out));
    assert_int_equal(out[0].Kind, 1);
    assert_true(blob_equal(out[0].Name, names[1].Name));
    assert_true(blob_equal(out[1].Name, by_name(f, PS_INTERNET_HEADERS, "x-mailer").Name));
    assert_true(guid_equal(out[2].GUID, PS_MAPI) && out[2].LID == 0x37);
    assert_int_equal(out[3].Kind, 0xFF);
}

static void fill_names(struct store_fixture *f, int64_t up_to)
{
    struct store_tx tx = store_begin(f->store);
    sql_exec(&tx.sql, "INSERT INTO named(mb, id, guid, kind, lid, name, name_key) VALUES($1, $2, $3, 0, $2, '', $3)",
             BIND(B_INT(f->store->mb), B_INT(up_to), B_BYTES(PSETID_Common.bytes, 16)));
    OK(store_end(&tx));
}

static void what_others_send_leaves_the_owner_half_of_the_ids(void **state)
{
    struct store_fixture *f = *state;
    struct PropertyName names[5];
    uint16_t ids[COUNTOF(names)];
    uint32_t allowance = 2;
    for (uint32_t i = 0; i < COUNTOF(names); i++)
        names[i] = by_lid(PSETID_Task, i);
    OK(store_named_ids_of_mail(f->store, names, 3, &allowance, ids));
    assert_int_equal(allowance, 0);
    assert_true(ids[0] && ids[1] && !ids[2]);
    fill_names(f, 0xBFFE);
    allowance = 100;
    OK(store_named_ids_of_mail(f->store, names, 4, &allowance, ids));
    assert_int_equal(ids[2], 0xBFFF);
    assert_int_equal(ids[3], 0);
    assert_int_equal(allowance, 99);
    OK(store_named_ids(f->store, &names[3], 1, true, &ids[3]));
    assert_int_equal(ids[3], 0xC000);
    OK(store_named_ids_of_mail(f->store, &names[3], 2, &allowance, ids));
    assert_true(ids[0] == 0xC000 && !ids[1]); /* what the owner has made is there for all */
    fill_names(f, 0xFFFE);
    EC(store_named_ids(f->store, &names[4], 1, true, ids), ecNotEnoughMemory);
}

static void names_can_be_listed(void **state)
{
    struct store_fixture *f = *state;
    const struct PropertyName names[] = {
        by_lid(PSETID_Appointment, 1),         by_name(f, PS_PUBLIC_STRINGS, "Keywords"), by_lid(PSETID_Task, 1),
        { .Kind = 0x55, .GUID = PSETID_Task }, by_name(f, PS_PUBLIC_STRINGS, ""),         by_lid(PS_MAPI, 0x8000),
    };
    uint16_t ids[COUNTOF(names)], *listed;
    struct PropertyName *out;
    uint32_t count;
    OK(store_named_ids(f->store, names, COUNTOF(names), true, ids));
    assert_true(ids[3] == 0 && ids[4] == 0 && ids[5] == 0);
    OK(store_named_all(f->arena, f->store, NULL, 0, &listed, &out, &count));
    assert_int_equal(count, 3);
    OK(store_named_all(f->arena, f->store, &PSETID_Task, 0, &listed, &out, &count));
    assert_int_equal(count, 1);
    assert_int_equal(listed[0], ids[2]);
    OK(store_named_all(f->arena, f->store, NULL, 1, &listed, &out, &count));
    assert_int_equal(count, 2);
    OK(store_named_all(f->arena, f->store, NULL, 2, &listed, &out, &count));
    assert_int_equal(count, 1);
}

/* ---- ids: [MS-OXCSTOR] 3.2.5.8, 3.2.5.9; [MS-OXCDATA] 2.2.1 ---- */

static void ids_have_the_bytes_of_the_wire(void **state)
{
    (void)state;
    assert_int_equal(store_id(0x0102030405), UINT64_C(0x0504030201000001));
    assert_int_equal(store_counter(store_id(0xFFFFFFFFFFFF)), 0xFFFFFFFFFFFF);
    assert_int_equal(store_counter(2), 0);
    assert_int_equal(store_counter(0), 0);
}

static void long_term_ids_and_short_ones_are_the_same(void **state)
{
    struct store_fixture *f = *state;
    struct LongTermId id;
    uint64_t back, foreign;
    OK(store_long_term_id(f->store, INBOX, &id));
    const struct guid replica = store_replica_guid(f->store);
    assert_memory_equal(id.DatabaseGuid.bytes, replica.bytes, 16);
    assert_memory_equal(id.GlobalCounter, "\0\0\0\0\0\x0B", 6);
    OK(store_id_from_long_term(f->store, &id, &back));
    assert_int_equal(back, INBOX);
    id.DatabaseGuid = guid_random();
    OK(store_id_from_long_term(f->store, &id, &foreign)); /* a replica id of its own */
    assert_int_not_equal(foreign & 0xFFFF, STORE_REPLICA_ID);
    assert_int_equal(store_counter(foreign), 0);
    OK(store_id_from_long_term(f->store, &id, &back));
    assert_int_equal(back, foreign);
    struct LongTermId out;
    OK(store_long_term_id(f->store, foreign, &out));
    assert_memory_equal(&out, &id, sizeof id);
    EC(store_long_term_id(f->store, 0x0100000000000077, &out), ecNotFound);
    EC(store_long_term_id(f->store, 0, &out), ecNotFound);
    id.DatabaseGuid = (struct guid){ { 0 } };
    EC(store_id_from_long_term(f->store, &id, &back), ecInvalidParam);
}

static void reserved_ids_are_given_once(void **state)
{
    struct store_fixture *f = *state;
    uint64_t first, second;
    OK(store_reserve_ids(f->store, 0x10000, &first));
    OK(store_reserve_ids(f->store, 1, &second));
    assert_int_equal(store_counter(second) - store_counter(first), 0x10000);
    assert_true(store_counter(first) >= 0x100);
    EC(store_reserve_ids(f->store, 0x7FFFFFFF, &first), ecInvalidParam);
    assert_true(store_counter(fixture_message(f, INBOX, "x")) > store_counter(second));
}

static void what_was_read_of_public_folders_is_kept(void **state)
{
    struct store_fixture *f = *state;
    const struct LongTermId folder = { .DatabaseGuid = { { 1 } }, .GlobalCounter = { 0, 0, 0, 0, 0, 7 } };
    const struct guid replica = { { 2 } };
    struct idset *set = idset_new(f->arena, IDSET_REPLGUID);
    struct LongTermId *folders;
    struct blob piece;
    struct guid got;
    uint32_t size, count;
    globset_add(idset_of_guid(set, replica), 1, 1000);
    const struct blob all = idset_bytes(f->arena, set);
    EC(store_per_user_replica(f->store, &folder, &got), ecNotFound);
    OK(store_per_user_read(f->arena, f->store, &folder, 0, 100, &piece, &size));
    assert_int_equal(size, 0);
    OK(store_per_user_write(f->store, &folder, replica, all));
    OK(store_per_user_replica(f->store, &folder, &got));
    assert_true(guid_equal(got, replica));
    OK(store_per_user_read(f->arena, f->store, &folder, 3, 5, &piece, &size));
    assert_int_equal(size, all.size);
    assert_true(blob_equal(piece, BLOB_OF(all.data + 3, 5)));
    OK(store_per_user_folders(f->arena, f->store, replica, 10, &folders, &count));
    assert_int_equal(count, 1);
    assert_memory_equal(&folders[0], &folder, sizeof folder);
    EC(store_per_user_write(f->store, &folder, replica, BLOB_OF(all.data, 5)), ecCorruptData);
}

static void check_size(struct store_fixture *f)
{
    struct store_usage usage;
    uint64_t size;
    OK(store_usage(f->store, &usage));
    OK(store_size(f->store, &size));
    assert_int_equal(size, usage.bytes);
}

static void the_size_is_kept_with_every_change(void **state)
{
    struct store_fixture *f = *state;
    bool partial;
    const uint64_t inbox = STORE_FID(SPECIAL_INBOX), fid = fixture_folder(f, inbox, "some");
    uint64_t mids[] = { fixture_message(f, inbox, "one"), fixture_message(f, inbox, "two"),
                        fixture_message(f, fid, "three") };
    check_size(f);
    struct store_message *m = fixture_open(f, inbox, mids[0]);
    OK(fixture_set(m, P_STR(PidTagBody, "a longer text than before")));
    OK(store_message_save(m, false, NULL));
    talloc_free(m);
    check_size(f);
    OK(store_messages_move(f->store, inbox, fid, &mids[0], 1, false, NULL, &partial));
    OK(store_messages_move(f->store, inbox, fid, &mids[1], 1, true, NULL, &partial));
    check_size(f);
    OK(store_messages_delete(f->store, inbox, &mids[1], 1, false, &partial));
    check_size(f);
    OK(store_folder_copy(f->store, inbox, fid, STORE_FID(SPECIAL_DRAFTS), "copy", true));
    check_size(f);
    OK(store_folder_delete(f->store, inbox, fid, STORE_MESSAGES | STORE_HARD, &partial));
    check_size(f);
    OK(store_folder_empty(f->store, STORE_FID(SPECIAL_DRAFTS), STORE_MESSAGES | STORE_FOLDERS, &partial));
    check_size(f);
}

static void a_warning_is_due_once_in_so_long(void **state)
{
    struct store_fixture *f = *state;
    assert_true(store_warns_now(f->store, UINT64_C(864000000000)));
    assert_false(store_warns_now(f->store, UINT64_C(864000000000)));
    assert_true(store_warns_now(f->store, 0));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_read_of_public_folders_is_kept),
    cmocka_unit_test(a_mailbox_is_made_once),
    cmocka_unit_test(mailboxes_of_one_database_do_not_see_each_other),
    cmocka_unit_test(all_special_folders_are_there),
    cmocka_unit_test(the_owner_may_get_another_name),
    cmocka_unit_test(a_database_that_cannot_be_used_says_which_and_why),
    cmocka_unit_test(few_connections_serve_many_mailboxes),
    cmocka_unit_test(a_mailbox_that_was_forgotten_is_closed_to_all_who_hold_it),
    cmocka_unit_test(threads_share_the_pool),
    cmocka_unit_test(the_logon_object_has_its_properties),
    cmocka_unit_test(a_class_is_received_by_its_longest_prefix),
    cmocka_unit_test(classes_of_receive_folders_are_checked),
    cmocka_unit_test(a_folder_that_is_gone_receives_nothing),
    cmocka_unit_test(a_name_keeps_its_id_for_ever),
    cmocka_unit_test(what_others_send_leaves_the_owner_half_of_the_ids),
    cmocka_unit_test(names_can_be_listed),
    cmocka_unit_test(ids_have_the_bytes_of_the_wire),
    cmocka_unit_test(long_term_ids_and_short_ones_are_the_same),
    cmocka_unit_test(reserved_ids_are_given_once),
    cmocka_unit_test(the_size_is_kept_with_every_change),
    cmocka_unit_test(a_warning_is_due_once_in_so_long),
};

int main(void)
{
    return store_fixture_run("mailboxes", tests, COUNTOF(tests));
}
