/* SPDX-License-Identifier: Apache-2.0 */
/* Requirement ids of [MS-OXCFXICS]. */
#include "store/fixture.h"
#include "store/message.h"

#define DRAFTS STORE_FID(SPECIAL_DRAFTS)
#define INBOX STORE_FID(SPECIAL_INBOX)
#define TOP STORE_FID(SPECIAL_IPM_SUBTREE)

/* A client: its replica, and the ids that it may use. */
struct client {
    struct store_fixture *f;
    uint64_t next;
    uint8_t replica[16];
    unsigned changes;
};

static struct client client_of(struct store_fixture *f, uint8_t name)
{
    struct client c = { .f = f };
    memset(c.replica, name, sizeof c.replica);
    OK(store_reserve_ids(f->store, 100, &c.next));
    return c;
}

static struct blob gid(struct store_fixture *f, uint64_t id)
{
    return gid_of(f->arena, store_replica_guid(f->store), store_counter(id));
}

static struct blob next_key(struct client *c)
{
    return gid_of(c->f->arena, store_replica_guid(c->f->store), store_counter(c->next) + c->changes++);
}

static struct blob xid(struct client *c, unsigned number)
{
    uint8_t *bytes = talloc_array(c->f->arena, uint8_t, 20);
    memcpy(bytes, c->replica, 16);
    for (int i = 0; i < 4; i++)
        bytes[16 + i] = (uint8_t)(number >> 8 * (3 - i));
    return BLOB_OF(bytes, 20);
}

/* The client's change `number`, made over the version with `pcl`. */
static struct store_import change_of(struct client *c, struct blob source_key, unsigned number, struct blob pcl)
{
    TALLOC_CTX *arena = c->f->arena;
    return (struct store_import){ .source_key = source_key,
                                  .change_key = xid(c, number),
                                  .pcl = pcl_merge(arena, pcl, pcl_of_xid(arena, xid(c, number))),
                                  .modified = 132000000000000000u + number };
}
#define NOTHING BLOB_OF(NULL, 0)

static enum ec import(struct store_fixture *f, uint64_t fid, const struct store_import *change, unsigned flags,
                      const char *subject, uint64_t *mid, uint64_t *cn)
{
    struct store_message *m;
    enum ec ec = store_import_message(&m, f->arena, f->store, fid, change, flags);
    if (ec)
        return ec;
    OK(fixture_set(m, P_STR(PidTagSubject, subject)));
    ec = store_message_save(m, false, mid);
    *cn = ec ? 0 : store_message_imported(m);
    talloc_free(m);
    return ec;
}

static uint64_t imported(struct store_fixture *f, uint64_t fid, const struct store_import *change, const char *subject)
{
    uint64_t mid, cn;
    OK(import(f, fid, change, 0, subject, &mid, &cn));
    return mid;
}

static struct blob blob_prop(struct store_fixture *f, uint64_t fid, uint64_t mid, uint32_t tag)
{
    struct store_message *m = fixture_open(f, fid, mid);
    const struct blob value = fixture_prop(f, m, tag).bin;
    talloc_free(m);
    return value;
}

static const char *subject_of(struct store_fixture *f, uint64_t fid, uint64_t mid)
{
    struct store_message *m = fixture_open(f, fid, mid);
    const char *text = store_message_text(f->arena, m, PidTagSubject);
    talloc_free(m);
    return text;
}
#define HAS_KEY(f, fid, mid, tag, key) assert_true(blob_equal(blob_prop(f, fid, mid, tag), key))

static struct blob pcl_now(struct store_fixture *f, uint64_t fid, uint64_t mid)
{
    return blob_prop(f, fid, mid, PidTagPredecessorChangeList);
}

/* ---- lists ---- */

static struct blob list_of(struct store_fixture *f, const char *hex)
{
    struct blob bytes;
    assert_true(hex_parse(f->arena, hex, &bytes));
    return bytes;
}
#define A "11 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
#define B "11 BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"
#define B_LONG "12 BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"

static void a_version_is_newer_that_has_all_changes_of_the_other(void **state)
{
    static const struct {
        const char *a, *b;
        enum pcl_order order;
    } rows[] = {
        { A "01", A "01", PCL_OLDER },        /* R1792 */
        { A "02", A "01", PCL_NEWER },        /* R1791 */
        { A "01", A "02", PCL_OLDER },        /* R1792 */
        { A "01" B "01", A "01", PCL_NEWER }, /* R1788 */
        { A "01", A "01" B "01", PCL_OLDER },
        { A "01" B "02", A "02" B "01", PCL_CONFLICT }, /* R1793, R1799 */
        { A "01", B "01", PCL_CONFLICT },
        { B "02" A "01", A "01" B "01", PCL_NEWER }, /* as a careless client sorts */
        { B_LONG "0100", B "FF", PCL_NEWER },
        { "", A "01", PCL_OLDER },
    };
    struct store_fixture *f = *state;
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(pcl_compare(list_of(f, rows[i].a), list_of(f, rows[i].b)), rows[i].order);
}

static void a_merge_has_the_newest_of_each_replica(void **state)
{
    struct store_fixture *f = *state;
    const struct blob merged = pcl_merge(f->arena, list_of(f, A "01" B "05"), list_of(f, B "04" A "02"));
    assert_true(blob_equal(merged, list_of(f, A "02" B "05"))); /* R1808, R1809, R1810 */
    assert_true(pcl_is_valid(merged));
    assert_false(pcl_is_valid(list_of(f, "12 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 01")));
    assert_false(pcl_is_valid(list_of(f, "00")));
    assert_false(pcl_is_valid(list_of(f, "FF AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA 01")));
}

/* ---- messages ---- */

static void a_new_message_keeps_id_and_keys_of_the_client(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const struct store_import change = change_of(&c, next_key(&c), 1, NOTHING);
    uint64_t mid, cn;
    OK(import(f, DRAFTS, &change, 0, "made offline", &mid, &cn));
    assert_int_equal(mid, c.next); /* R1910 */
    HAS_KEY(f, DRAFTS, mid, PidTagSourceKey, change.source_key);
    HAS_KEY(f, DRAFTS, mid, PidTagChangeKey, change.change_key); /* R1911 */
    HAS_KEY(f, DRAFTS, mid, PidTagPredecessorChangeList, change.pcl);
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    assert_int_equal(fixture_prop(f, m, PidTagChangeNumber).u64, cn); /* R1906 */
    assert_int_equal(fixture_prop(f, m, PidTagLastModificationTime).u64, change.modified);
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    EC(import(f, DRAFTS, &change, 0, "again", &mid, &cn), SYNC_E_IGNORE); /* R2452001 */
}

static void what_is_changed_here_goes_on_from_the_clients_version(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const struct store_import change = change_of(&c, next_key(&c), 1, NOTHING);
    const uint64_t mid = imported(f, DRAFTS, &change, "one");
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    OK(fixture_set(m, P_STR(PidTagSubject, "two")));
    OK(store_message_save(m, false, NULL));
    const struct blob key = gid(f, fixture_prop(f, m, PidTagChangeNumber).u64);
    HAS_KEY(f, DRAFTS, mid, PidTagChangeKey, key);                                 /* R1914 */
    assert_int_equal(pcl_compare(pcl_now(f, DRAFTS, mid), change.pcl), PCL_NEWER); /* R1901 */
    uint64_t cn;
    const struct store_import next = change_of(&c, change.source_key, 2, pcl_now(f, DRAFTS, mid));
    OK(import(f, DRAFTS, &next, 0, "three", &(uint64_t){ 0 }, &cn));
    assert_string_equal(subject_of(f, DRAFTS, mid), "three");
    HAS_KEY(f, DRAFTS, mid, PidTagPredecessorChangeList, next.pcl);
    assert_int_not_equal(cn, 0);
}

static void add_all(struct store_fixture *f, struct store_message *m)
{
    static char body[100000];
    struct store_attachment *a;
    uint32_t number;
    memset(body, 'b', sizeof body - 1);
    OK(fixture_set(m, P_STR(PidTagBody, body)));
    OK(store_attachment_new(&a, f->arena, m, &number));
    OK(store_attachment_save(a));
    const struct prop name = P_STR(PidTagDisplayName, "alice");
    OK(store_recipient_put(m, &(struct store_recipient){ .row_id = 1, .type = 1, .props = { 1, &name } }));
    OK(store_message_save(m, false, NULL));
}

static void an_imported_change_begins_with_nothing(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    add_all(f, m);
    const struct blob search_key = fixture_prop(f, m, PidTagSearchKey).bin;
    const struct store_import change = change_of(&c, gid(f, mid), 1, pcl_now(f, DRAFTS, mid));
    OK(store_import_message(&m, f->arena, f->store, DRAFTS, &change, 0));
    const struct store_recipient *recipients;
    const uint32_t *numbers;
    uint32_t count;
    assert_int_equal(store_recipients(m, &recipients), 0); /* R2229 */
    OK(store_attachments(f->arena, m, &numbers, &count));
    assert_int_equal(count, 0);
    assert_int_equal(PROP_TYPE(fixture_prop(f, m, PidTagBody).tag), PtypErrorCode);
    talloc_free(m);
    assert_int_equal(fixture_rows(f, "attachment"), 1); /* R2230 */
    OK(import(f, DRAFTS, &change, 0, "two", &(uint64_t){ 0 }, &(uint64_t){ 0 }));
    assert_int_equal(fixture_rows(f, "attachment"), 0);
    assert_int_equal(fixture_rows(f, "value"), 0);
    HAS_KEY(f, DRAFTS, mid, PidTagSearchKey, search_key);
    m = fixture_open(f, DRAFTS, mid);
    assert_false(fixture_prop(f, m, PidTagHasAttachments).b);
    assert_string_equal(fixture_prop(f, m, PidTagDisplayTo).str, "");
    assert_int_equal(fixture_folder_prop(f, DRAFTS, PidTagMessageSize).u32, fixture_prop(f, m, PidTagMessageSize).u32);
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    add_all(f, m);
    assert_int_equal(fixture_rows(f, "attachment"), 1);
}

static void what_cannot_be_a_change_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    struct store_message *m;
    const struct store_import good = change_of(&c, next_key(&c), 1, NOTHING);
    struct store_import bad = good;
    bad.source_key.size = 21;
    EC(store_import_message(&m, f->arena, f->store, DRAFTS, &bad, 0), ecInvalidParam);
    bad = good;
    bad.change_key.size = 16;
    EC(store_import_message(&m, f->arena, f->store, DRAFTS, &bad, 0), ecInvalidParam);
    bad = good;
    bad.pcl.size--;
    EC(store_import_message(&m, f->arena, f->store, DRAFTS, &bad, 0), ecInvalidParam);
    EC(store_import_message(&m, f->arena, f->store, DRAFTS, &good, 0x20), ecInvalidParam); /* R3509 */
    EC(store_import_message(&m, f->arena, f->store, store_id(0x7777), &good, 0), ecNotFound);
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    const struct store_import fai = change_of(&c, gid(f, mid), 1, pcl_now(f, DRAFTS, mid));
    EC(store_import_message(&m, f->arena, f->store, DRAFTS, &fai, IMPORT_ASSOCIATED), ecInvalidParam);
    assert_null(m);
}

static void what_is_gone_does_not_come_back(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    uint64_t mid, cn;
    bool partial;
    for (unsigned hard = 0; hard < 2; hard++) {
        mid = fixture_message(f, DRAFTS, "one");
        const struct store_import change = change_of(&c, gid(f, mid), 1, pcl_now(f, DRAFTS, mid));
        OK(store_messages_delete(f->store, DRAFTS, &mid, 1, hard, &partial));
        EC(import(f, DRAFTS, &change, 0, "two", &mid, &cn), SYNC_E_OBJECT_DELETED); /* R2451 */
    }
    mid = fixture_message(f, DRAFTS, "moved");
    const struct store_import moved = change_of(&c, gid(f, mid), 1, pcl_now(f, DRAFTS, mid));
    OK(store_messages_move(f->store, DRAFTS, INBOX, &mid, 1, false, NULL, &partial));
    EC(import(f, DRAFTS, &moved, 0, "two", &mid, &cn), SYNC_E_OBJECT_DELETED);
    const struct store_import unknown = change_of(&c, gid(f, store_id(0x30)), 1, NOTHING); /* nobody was given it */
    EC(import(f, DRAFTS, &unknown, 0, "two", &mid, &cn), SYNC_E_OBJECT_DELETED);
    const struct store_import first = change_of(&c, next_key(&c), 1, NOTHING);
    OK(store_import_deletes(f->store, DRAFTS, &first.source_key, 1, false)); /* R2251: it never was here */
    EC(import(f, DRAFTS, &first, 0, "two", &mid, &cn), SYNC_E_OBJECT_DELETED);
    assert_int_equal(fixture_row(f, DRAFTS).total, 0);
}

static void a_message_may_go_while_its_change_is_written(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    struct store_message *m;
    bool partial;
    uint64_t mid = fixture_message(f, DRAFTS, "one");
    const struct store_import change = change_of(&c, gid(f, mid), 1, pcl_now(f, DRAFTS, mid));
    OK(store_import_message(&m, f->arena, f->store, DRAFTS, &change, 0));
    OK(store_messages_delete(f->store, DRAFTS, &mid, 1, true, &partial));
    EC(store_message_save(m, false, NULL), SYNC_E_OBJECT_DELETED); /* R2498 */
    mid = fixture_message(f, DRAFTS, "two");
    const struct store_import other = change_of(&c, gid(f, mid), 2, pcl_now(f, DRAFTS, mid));
    OK(store_import_message(&m, f->arena, f->store, DRAFTS, &other, 0));
    imported(f, DRAFTS, &other, "the same change, by a second connection");
    EC(store_message_save(m, false, NULL), SYNC_E_IGNORE);
}

static void keys_of_another_replica_are_kept_and_found(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    uint8_t foreign[22];
    memset(foreign, 0xFE, sizeof foreign);
    const struct blob key = BLOB_OF(foreign, 22);
    const struct store_import first = change_of(&c, key, 1, NOTHING), second = change_of(&c, key, 2, first.pcl);
    const uint64_t mid = imported(f, DRAFTS, &first, "one");
    HAS_KEY(f, DRAFTS, mid, PidTagSourceKey, key);
    assert_int_equal(imported(f, DRAFTS, &second, "two"), mid);
    assert_string_equal(subject_of(f, DRAFTS, mid), "two");
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
    OK(store_import_deletes(f->store, DRAFTS, &key, 1, true));
    assert_int_equal(fixture_row(f, DRAFTS).total, 0);
    const struct store_import third = change_of(&c, key, 3, second.pcl);
    EC(import(f, DRAFTS, &third, 0, "three", &(uint64_t){ 0 }, &(uint64_t){ 0 }), SYNC_E_OBJECT_DELETED);
}

static void ids_that_will_not_be_used_are_refused_in_that_folder(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    struct LongTermIdRange range;
    OK(store_long_term_id(f->store, c.next, &range.MinLongTermId));
    OK(store_long_term_id(f->store, store_id(store_counter(c.next) + 9), &range.MaxLongTermId));
    OK(store_ids_unused(f->store, DRAFTS, &range, 1)); /* R2269 */
    const struct store_import change = change_of(&c, next_key(&c), 1, NOTHING);
    EC(import(f, DRAFTS, &change, 0, "one", &(uint64_t){ 0 }, &(uint64_t){ 0 }), SYNC_E_OBJECT_DELETED);
    imported(f, INBOX, &change, "elsewhere it may come"); /* R958 */
    struct LongTermIdRange bad = { .MinLongTermId = range.MaxLongTermId, .MaxLongTermId = range.MinLongTermId };
    EC(store_ids_unused(f->store, DRAFTS, &bad, 1), ecInvalidParam);
    bad = range;
    bad.MaxLongTermId.DatabaseGuid = guid_random(); /* R953 */
    EC(store_ids_unused(f->store, DRAFTS, &bad, 1), ecInvalidParam);
    bad = range;
    memset(bad.MaxLongTermId.GlobalCounter, 0xFF, 6); /* R94901 */
    EC(store_ids_unused(f->store, DRAFTS, &bad, 1), ecInvalidParam);
}

/* ---- conflicts ---- */

struct versions {
    struct client c;
    uint64_t mid;
    struct store_import change; /* the client's, made over the first version */
    struct blob server_pcl;     /* of the server's second version */
};

/* Both have changed the same message. */
static struct versions two_versions(struct store_fixture *f, bool associated, bool client_is_later)
{
    struct versions v = { .c = client_of(f, 0xC1) };
    struct store_message *m;
    OK(store_message_new(&m, f->arena, f->store, DRAFTS, associated));
    OK(store_message_save(m, false, &v.mid));
    v.change = change_of(&v.c, gid(f, v.mid), 1, pcl_now(f, DRAFTS, v.mid));
    v.change.modified = client_is_later ? filetime_now() + 600000000 : v.change.modified;
    OK(fixture_set(m, P_STR(PidTagSubject, "server")));
    OK(store_message_save(m, false, NULL));
    v.server_pcl = pcl_now(f, DRAFTS, v.mid);
    talloc_free(m);
    return v;
}

static unsigned versions_in(struct store_fixture *f, uint64_t mid, const char *subjects[])
{
    static const uint32_t tags[] = { PidTagInConflict };
    struct store_message *m = fixture_open(f, DRAFTS, mid), *version;
    struct store_attachment *a;
    const uint32_t *numbers;
    uint32_t count;
    unsigned n = 0;
    OK(store_attachments(f->arena, m, &numbers, &count));
    for (uint32_t i = 0; i < count; i++) {
        struct prop mark;
        OK(store_attachment_open(&a, m, m, numbers[i], MESSAGE_READONLY));
        OK(store_attachment_get(f->arena, a, tags, 1, STORE_VALUE_LIMIT, &mark));
        if (PROP_TYPE(mark.tag) != PtypBoolean || !mark.b)
            continue;
        OK(store_embedded_open(&version, a, a, MESSAGE_READONLY, false));
        assert_true(fixture_prop(f, version, PidTagPredecessorChangeList).bin.size > 0);
        subjects[n++] = store_message_text(f->arena, version, PidTagSubject);
    }
    talloc_free(m);
    return n;
}

static uint32_t status_of(struct store_fixture *f, uint64_t mid)
{
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    const uint32_t status = store_message_u32(m, PidTagMessageStatus, 0);
    talloc_free(m);
    return status;
}

static void two_versions_become_one_message_that_has_both(void **state)
{
    struct store_fixture *f = *state;
    for (unsigned later = 0; later < 2; later++) {
        struct versions v = two_versions(f, false, later);
        const char *subjects[4];
        uint64_t cn;
        OK(import(f, DRAFTS, &v.change, 0, "client", &(uint64_t){ 0 }, &cn));           /* R2232, R2449 */
        assert_int_equal(cn, 0);                                                        /* it is to be downloaded */
        assert_string_equal(subject_of(f, DRAFTS, v.mid), later ? "client" : "server"); /* R1812, R1826 */
        assert_int_equal(status_of(f, v.mid) & msInConflict, msInConflict);             /* R1820 */
        assert_int_equal(versions_in(f, v.mid, subjects), 2);                           /* R1811, R1821, R3400 */
        assert_string_equal(subjects[0], "server");
        assert_string_equal(subjects[1], "client");
        const struct blob pcl = pcl_now(f, DRAFTS, v.mid);
        assert_int_equal(pcl_compare(pcl, v.change.pcl), PCL_NEWER); /* R1804, R1815 */
        assert_int_equal(pcl_compare(pcl, v.server_pcl), PCL_NEWER);
        assert_true(fixture_row(f, DRAFTS).total == later + 1);
    }
}

static void a_third_version_joins_the_other_two(void **state)
{
    struct store_fixture *f = *state;
    for (unsigned later = 0; later < 2; later++) {
        struct versions v = two_versions(f, false, later);
        struct client d = client_of(f, 0xD1);
        struct store_import third = change_of(&d, v.change.source_key, 1, NOTHING);
        third.modified = later ? v.change.modified + 1 : third.modified;
        const char *subjects[4];
        imported(f, DRAFTS, &v.change, "client");
        imported(f, DRAFTS, &third, "third"); /* R3399 */
        assert_int_equal(versions_in(f, v.mid, subjects), 3);
        assert_string_equal(subjects[0], "server");
        assert_string_equal(subjects[1], "client");
        assert_string_equal(subjects[2], "third");
        assert_string_equal(subject_of(f, DRAFTS, v.mid), later ? "third" : "server");
        /* Somebody has chosen. */
        const struct store_import chosen = change_of(&v.c, v.change.source_key, 9, pcl_now(f, DRAFTS, v.mid));
        imported(f, DRAFTS, &chosen, "chosen");
        assert_int_equal(versions_in(f, v.mid, subjects), 0);
        assert_int_equal(status_of(f, v.mid) & msInConflict, 0);
    }
}

static void a_conflict_may_fail_instead(void **state)
{
    struct store_fixture *f = *state;
    struct versions v = two_versions(f, false, true);
    uint64_t mid, cn;
    EC(import(f, DRAFTS, &v.change, IMPORT_FAIL_ON_CONFLICT, "client", &mid, &cn), SYNC_E_CONFLICT); /* R2231, R3220 */
    assert_string_equal(subject_of(f, DRAFTS, v.mid), "server");
    HAS_KEY(f, DRAFTS, v.mid, PidTagPredecessorChangeList, v.server_pcl);
}

static void of_associated_messages_the_last_one_wins(void **state)
{
    struct store_fixture *f = *state;
    for (unsigned later = 0; later < 2; later++) {
        struct versions v = two_versions(f, true, later);
        const char *subjects[4];
        uint64_t mid, cn;
        OK(import(f, DRAFTS, &v.change, IMPORT_ASSOCIATED, "client", &mid, &cn));
        assert_string_equal(subject_of(f, DRAFTS, v.mid), later ? "client" : "server"); /* R3403 */
        assert_int_equal(versions_in(f, v.mid, subjects), 0);                           /* R3402 */
        assert_int_equal(pcl_compare(pcl_now(f, DRAFTS, v.mid), v.change.pcl), PCL_NEWER);
    }
}

static void a_folder_may_say_that_the_last_one_wins(void **state)
{
    struct store_fixture *f = *state;
    const struct prop method = P_I32(PidTagResolveMethod, 1);
    const char *subjects[4];
    enum ec result;
    OK(store_folder_set(f->store, DRAFTS, &method, 1, &result));
    struct versions v = two_versions(f, false, true);
    imported(f, DRAFTS, &v.change, "client");
    assert_int_equal(versions_in(f, v.mid, subjects), 0); /* R1831 */
    assert_string_equal(subject_of(f, DRAFTS, v.mid), "client");
}

/* ---- moves, deletes, read states ---- */

static struct store_import_moved moved(struct client *c, uint64_t mid, struct blob pcl, struct blob destination,
                                       enum ec expected)
{
    struct store_import_moved out;
    const struct store_import as = { destination, xid(c, 50), pcl, 0 };
    assert_string_equal(ec_name(store_import_move(c->f->store, gid(c->f, DRAFTS), gid(c->f, mid), INBOX, &as, &out)),
                        ec_name(expected));
    return out;
}

static void a_moved_message_has_the_clients_keys(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t mid = fixture_message(f, DRAFTS, "one"), there = c.next;
    const struct blob pcl = pcl_now(f, DRAFTS, mid), key = next_key(&c);
    fixture_forget(f);
    const struct store_import_moved out = moved(&c, mid, pcl, key, ecNone);
    assert_int_not_equal(out.cn, 0); /* R2246 */
    assert_false(out.associated || out.client_is_newer);
    HAS_KEY(f, INBOX, there, PidTagSourceKey, key);
    HAS_KEY(f, INBOX, there, PidTagChangeKey, xid(&c, 50)); /* R869 */
    assert_int_equal(fixture_row(f, DRAFTS).total, 0);
    assert_int_equal(fixture_row(f, INBOX).total, 1);
    assert_non_null(fixture_heard(f, STORE_MOVED, INBOX, there));
    moved(&c, mid, pcl, next_key(&c), SYNC_E_OBJECT_DELETED);
    assert_int_equal(moved(&c, mid, pcl, key, ecNone).cn, 0); /* said again */
    assert_int_equal(fixture_row(f, INBOX).total, 1);
    const struct store_import change = change_of(&c, gid(f, mid), 60, pcl);
    EC(import(f, DRAFTS, &change, 0, "back?", &(uint64_t){ 0 }, &(uint64_t){ 0 }), SYNC_E_OBJECT_DELETED);
}

static void a_moved_message_tells_anew_whether_it_is_read(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t mid = fixture_message(f, DRAFTS, "one");
    bool partial;
    const struct blob pcl = pcl_now(f, DRAFTS, mid);
    OK(store_set_read_flags(f->store, DRAFTS, &mid, 1, 0x04, &partial));
    const struct store_import_moved out = moved(&c, mid, pcl, next_key(&c), ecNone);
    struct store_message *m = fixture_open(f, INBOX, c.next);
    assert_int_equal(m->row.read_cn, store_counter(out.cn));
    assert_false(m->row.read);
}

static void a_later_version_of_the_client_comes_after_the_move(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t mid = fixture_message(f, DRAFTS, "one"), there = c.next;
    const struct store_import change = change_of(&c, next_key(&c), 7, pcl_now(f, DRAFTS, mid));
    const struct store_import_moved out = moved(&c, mid, change.pcl, change.source_key, ecNone);
    assert_true(out.client_is_newer); /* R875, R876 */
    uint64_t cn;
    OK(import(f, INBOX, &change, 0, "two", &(uint64_t){ 0 }, &cn));
    assert_int_not_equal(cn, 0); /* no conflict */
    assert_string_equal(subject_of(f, INBOX, there), "two");
}

static void an_earlier_version_is_moved_and_what_is_here_is_to_be_got(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t mid = fixture_message(f, DRAFTS, "one"), there = c.next;
    const struct blob known = pcl_now(f, DRAFTS, mid);
    struct store_message *m = fixture_open(f, DRAFTS, mid);
    OK(fixture_set(m, P_STR(PidTagSubject, "two")));
    OK(store_message_save(m, false, NULL));
    const struct store_import_moved out = moved(&c, mid, known, next_key(&c), ecNone);
    assert_int_equal(out.cn, 0);
    assert_false(out.client_is_newer);
    assert_string_equal(subject_of(f, INBOX, there), "two");
    const struct blob clients = pcl_merge(f->arena, known, pcl_of_xid(f->arena, xid(&c, 50)));
    assert_int_equal(pcl_compare(pcl_now(f, INBOX, there), clients), PCL_NEWER);
}

static void a_move_onto_what_is_there_is_refused(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t mid = fixture_message(f, DRAFTS, "one"), other = fixture_message(f, INBOX, "two");
    moved(&c, mid, pcl_now(f, DRAFTS, mid), gid(f, other), ecDuplicateName);
    moved(&c, mid, pcl_now(f, DRAFTS, mid), gid(f, store_id(0x31)), SYNC_E_OBJECT_DELETED);
    moved(&c, mid, BLOB_OF("x", 1), next_key(&c), ecInvalidParam);
    moved(&c, mid, pcl_now(f, DRAFTS, mid), BLOB_OF("x", 1), ecInvalidParam);
    assert_int_equal(fixture_row(f, DRAFTS).total, 1);
}

static void deletes_are_all_or_none(void **state)
{
    struct store_fixture *f = *state;
    const uint64_t one = fixture_message(f, DRAFTS, "one"), two = fixture_message(f, DRAFTS, "two");
    struct blob keys[] = { gid(f, one), BLOB_OF("short", 5), gid(f, two) };
    EC(store_import_deletes(f->store, DRAFTS, keys, 3, false), ecInvalidParam); /* R3512 */
    assert_int_equal(fixture_row(f, DRAFTS).total, 2);
    keys[1] = keys[0];
    OK(store_import_deletes(f->store, DRAFTS, keys, 3, false));
    OK(store_import_deletes(f->store, DRAFTS, keys, 3, false)); /* R2250 */
    assert_int_equal(fixture_row(f, DRAFTS).total, 0);
    assert_int_equal(fixture_rows(f, "message"), 2);
    OK(store_import_deletes(f->store, DRAFTS, keys, 3, true)); /* R903 */
    assert_int_equal(fixture_rows(f, "message"), 0);
}

static void read_states_are_set_of_what_is_here(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    struct store_message *fai;
    uint64_t fai_mid, cn;
    const uint64_t one = fixture_message(f, INBOX, "one"), two = fixture_message(f, INBOX, "two");
    OK(store_message_new(&fai, f->arena, f->store, INBOX, true));
    OK(store_message_save(fai, false, &fai_mid));
    struct store_read_state states[] = {
        { gid(f, one), false }, { gid(f, two), true }, { gid(f, fai_mid), false }, { next_key(&c), true }
    };
    const struct blob pcl = pcl_now(f, INBOX, one);
    OK(store_import_read_states(f->store, INBOX, states, COUNTOF(states), &cn)); /* R2257, R2259 */
    assert_int_equal(fixture_row(f, INBOX).unread, 1);
    HAS_KEY(f, INBOX, one, PidTagPredecessorChangeList, pcl);
    assert_int_not_equal(store_counter(cn), 0);
    states[0].source_key.size = 3;
    EC(store_import_read_states(f->store, INBOX, states, 1, &cn), ecInvalidParam);
}

/* ---- folders ---- */

static struct store_import_folder folder_change(struct client *c, struct blob parent, struct blob key, unsigned number,
                                                struct blob pcl, const char *name)
{
    return (struct store_import_folder){ change_of(c, key, number, pcl), parent, name };
}

static struct blob folder_pcl(struct store_fixture *f, uint64_t fid)
{
    return fixture_folder_prop(f, fid, PidTagPredecessorChangeList).bin;
}

static void a_folder_keeps_id_and_keys_of_the_client(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t fid = c.next;
    const struct blob key = next_key(&c);
    const struct store_import_folder made = folder_change(&c, NOTHING, key, 1, NOTHING, "Projects");
    const struct prop props[] = { P_STR(PidTagContainerClass, "IPF.Note"), P_STR(PidTagDisplayName, "other name"),
                                  P_I32(PROP_TAG(PtypInteger32, 0x6601), 7), P_STR(PidTagComment, "all of them") };
    uint64_t cn;
    OK(store_import_folder(f->store, TOP, &made, props, COUNTOF(props), &cn));
    assert_int_equal(fixture_row(f, fid).parent, TOP);
    assert_string_equal(fixture_row(f, fid).name, "Projects"); /* R2243 */
    assert_string_equal(fixture_row(f, fid).comment, "all of them");
    assert_string_equal(fixture_row(f, fid).class, "IPF.Note");
    assert_int_equal(PROP_TYPE(fixture_folder_prop(f, fid, PROP_TAG(PtypInteger32, 0x6601)).tag),
                     PtypErrorCode); /* R2281 */
    assert_true(blob_equal(fixture_folder_prop(f, fid, PidTagChangeKey).bin, made.change.change_key));
    assert_true(blob_equal(folder_pcl(f, fid), made.change.pcl));
    assert_int_equal(fixture_folder_prop(f, fid, PidTagChangeNumber).u64, cn); /* R2235 */
    assert_int_equal(fixture_folder_prop(f, fid, PidTagLastModificationTime).u64, made.change.modified);
    EC(store_import_folder(f->store, TOP, &made, props, 1, &cn), SYNC_E_IGNORE); /* R2467 */
}

static void a_folder_is_renamed_and_moved(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t fid = fixture_folder(f, TOP, "one"), below = fixture_folder(f, fid, "below");
    uint64_t cn;
    struct store_import_folder change = folder_change(&c, gid(f, INBOX), gid(f, fid), 1, folder_pcl(f, fid), "two");
    fixture_forget(f);
    OK(store_import_folder(f->store, TOP, &change, NULL, 0, &cn)); /* R2461 */
    assert_int_equal(fixture_row(f, fid).parent, INBOX);
    assert_string_equal(fixture_row(f, fid).name, "two");
    assert_int_equal(fixture_row(f, INBOX).subfolders, 1);
    assert_non_null(fixture_heard(f, STORE_MOVED, fid, 0));
    change = folder_change(&c, gid(f, below), gid(f, fid), 2, folder_pcl(f, fid), "two");
    EC(store_import_folder(f->store, TOP, &change, NULL, 0, &cn), SYNC_E_CYCLE_DETECTED);
    change = folder_change(&c, next_key(&c), gid(f, fid), 2, folder_pcl(f, fid), "two");
    EC(store_import_folder(f->store, TOP, &change, NULL, 0, &cn), SYNC_E_NO_PARENT); /* R2450 */
    change = folder_change(&c, NOTHING, gid(f, INBOX), 2, folder_pcl(f, INBOX), "Inbox");
    EC(store_import_folder(f->store, INBOX, &change, NULL, 0, &cn), ecAccessDenied);
    change = folder_change(&c, NOTHING, gid(f, fid), 2, folder_pcl(f, fid), "");
    EC(store_import_folder(f->store, TOP, &change, NULL, 0, &cn), ecInvalidParam); /* R1320 */
}

static void two_folders_have_two_names(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    uint64_t cn;
    fixture_folder(f, TOP, "Projects");
    const struct store_import_folder same = folder_change(&c, NOTHING, next_key(&c), 1, NOTHING, "projects");
    EC(store_import_folder(f->store, TOP, &same, NULL, 0, &cn), ecDuplicateName);
    const uint64_t own = store_id(store_counter(c.next) + c.changes);
    const struct store_import_folder drafts = folder_change(&c, NOTHING, next_key(&c), 1, NOTHING, "Drafts");
    OK(store_import_folder(f->store, TOP, &drafts, NULL, 0, &cn));
    assert_int_equal(cn, 0);
    struct store_folder row;
    EC(store_folder_row(f->arena, f->store, own, &row), ecNotFound);
}

static void of_two_versions_of_a_folder_the_last_one_wins(void **state)
{
    struct store_fixture *f = *state;
    for (unsigned later = 0; later < 2; later++) {
        struct client c = client_of(f, 0xC1);
        const uint64_t fid = fixture_folder(f, TOP, later ? "one" : "other");
        struct store_import_folder change =
            folder_change(&c, NOTHING, gid(f, fid), 1, folder_pcl(f, fid), later ? "client" : "client too");
        change.change.modified = later ? filetime_now() + 600000000 : change.change.modified;
        const struct prop name = P_STR(PidTagDisplayName, later ? "server" : "server too");
        enum ec result;
        uint64_t cn;
        OK(store_folder_set(f->store, fid, &name, 1, &result));
        OK(store_import_folder(f->store, TOP, &change, NULL, 0, &cn));                  /* R2242 */
        assert_int_equal(cn, 0);                                                        /* R2239, R2239001 */
        assert_string_equal(fixture_row(f, fid).name, later ? "client" : "server too"); /* R1832, R2463 */
        assert_int_equal(pcl_compare(folder_pcl(f, fid), change.change.pcl), PCL_NEWER);
    }
}

static void deleted_folders_stay_deleted(void **state)
{
    struct store_fixture *f = *state;
    struct client c = client_of(f, 0xC1);
    const uint64_t fid = fixture_folder(f, TOP, "one"), hard = fixture_folder(f, TOP, "two");
    fixture_message(f, fid, "in it");
    uint64_t cn;
    struct blob keys[] = { gid(f, fid), next_key(&c) }, hard_key = gid(f, hard);
    const struct store_import_folder back = folder_change(&c, NOTHING, keys[0], 1, folder_pcl(f, fid), "one"),
                                     never = folder_change(&c, NOTHING, keys[1], 1, NOTHING, "new"),
                                     erased = folder_change(&c, NOTHING, hard_key, 1, folder_pcl(f, hard), "two");
    OK(store_import_folder_deletes(f->store, keys, 2, false));
    OK(store_import_folder_deletes(f->store, keys, 2, false));
    OK(store_import_folder_deletes(f->store, &hard_key, 1, true));
    EC(store_import_folder(f->store, TOP, &back, NULL, 0, &cn), SYNC_E_OBJECT_DELETED); /* R2466 */
    EC(store_import_folder(f->store, TOP, &never, NULL, 0, &cn), SYNC_E_OBJECT_DELETED);
    EC(store_import_folder(f->store, TOP, &erased, NULL, 0, &cn), SYNC_E_OBJECT_DELETED);
    struct blob mixed[] = { gid(f, fixture_folder(f, TOP, "three")), gid(f, INBOX) };
    EC(store_import_folder_deletes(f->store, mixed, 2, false), ecAccessDenied);
    struct store_folder row;
    OK(store_folder_row(f->arena, f->store, store_id(counter_of_gid(f->store, mixed[0])), &row)); /* R3512 */
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_version_is_newer_that_has_all_changes_of_the_other),
        cmocka_unit_test(a_merge_has_the_newest_of_each_replica),
        cmocka_unit_test(a_new_message_keeps_id_and_keys_of_the_client),
        cmocka_unit_test(what_is_changed_here_goes_on_from_the_clients_version),
        cmocka_unit_test(an_imported_change_begins_with_nothing),
        cmocka_unit_test(what_cannot_be_a_change_is_refused),
        cmocka_unit_test(what_is_gone_does_not_come_back),
        cmocka_unit_test(a_message_may_go_while_its_change_is_written),
        cmocka_unit_test(keys_of_another_replica_are_kept_and_found),
        cmocka_unit_test(ids_that_will_not_be_used_are_refused_in_that_folder),
        cmocka_unit_test(two_versions_become_one_message_that_has_both),
        cmocka_unit_test(a_third_version_joins_the_other_two),
        cmocka_unit_test(a_conflict_may_fail_instead),
        cmocka_unit_test(of_associated_messages_the_last_one_wins),
        cmocka_unit_test(a_folder_may_say_that_the_last_one_wins),
        cmocka_unit_test(a_moved_message_has_the_clients_keys),
        cmocka_unit_test(a_moved_message_tells_anew_whether_it_is_read),
        cmocka_unit_test(a_later_version_of_the_client_comes_after_the_move),
        cmocka_unit_test(an_earlier_version_is_moved_and_what_is_here_is_to_be_got),
        cmocka_unit_test(a_move_onto_what_is_there_is_refused),
        cmocka_unit_test(deletes_are_all_or_none),
        cmocka_unit_test(read_states_are_set_of_what_is_here),
        cmocka_unit_test(a_folder_keeps_id_and_keys_of_the_client),
        cmocka_unit_test(a_folder_is_renamed_and_moved),
        cmocka_unit_test(two_folders_have_two_names),
        cmocka_unit_test(of_two_versions_of_a_folder_the_last_one_wins),
        cmocka_unit_test(deleted_folders_stay_deleted),
    };
    return store_fixture_run("imports", tests, COUNTOF(tests));
}
