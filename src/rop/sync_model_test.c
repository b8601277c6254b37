/* SPDX-License-Identifier: Apache-2.0 */
/* Two clients in cached mode and the server change the same two folders at random, and synchronise.  After each round
 * everybody has the same: nothing is lost, doubled or brought back.  [MS-OXCFXICS] 3.3.4.3, 3.3.5.6 */
#include <stdlib.h>

#include "rop/fx_fixture.h"

enum { FOLDERS = 2, CLIENTS = 2, ROUNDS = 25, STEPS = 12, ITEMS = 4000 };
static uint64_t folders[FOLDERS];

struct item {
    struct blob key, pcl; /* key.size 0: a free place */
    unsigned folder;
    char *subject;
    bool read, is_new, edited, marked;
    struct blob change;  /* of the last edit, once it has been named */
    unsigned moved_from; /* FOLDERS: it was not moved */
    struct blob moved_key, moved_pcl, moved_change;
};
struct client {
    struct rop_fixture *f;
    struct fx_client *down[FOLDERS];
    struct item items[ITEMS];
    struct blob deleted[FOLDERS][ITEMS];
    uint32_t deleted_count[FOLDERS];
    struct guid replica, own;
    uint64_t next;
    unsigned changes;
    unsigned until_cut; /* ROPs; 0: the connection is cut, and what was answered is forgotten */
};
struct world {
    struct rop_fixture *f;
    struct client clients[CLIENTS];
};

static unsigned below(unsigned n)
{
    return (unsigned)random() % n;
}

/* ---- keys ---- */

static struct blob joined(TALLOC_CTX *arena, const void *a, size_t a_size, const void *b, size_t b_size)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    buf_add(&bytes, a, a_size);
    buf_add(&bytes, b, b_size);
    return buf_blob(&bytes);
}

static struct blob key_of(struct client *c, uint64_t id)
{
    uint8_t bytes[8];
    put_le64(bytes, id);
    return joined(c->f->arena, c->replica.bytes, 16, bytes + 2, 6);
}

static uint64_t id_of(struct blob key)
{
    uint8_t bytes[8];
    put_le16(bytes, STORE_REPLICA_ID);
    memcpy(bytes + 2, key.data + 16, 6);
    return le64(bytes);
}

static struct blob new_key(struct client *c)
{
    return key_of(c, store_id(c->next++));
}

static struct blob new_change(struct client *c)
{
    const uint8_t number[4] = { 0, 0, (uint8_t)(++c->changes >> 8), (uint8_t)c->changes };
    return joined(c->f->arena, c->own.bytes, 16, number, 4);
}

/* The list with this change: the client's namespace has one place, at the end where a careless client puts it. */
static struct blob list_with(struct client *c, struct blob list, struct blob change)
{
    struct buf bytes;
    buf_init(&bytes, c->f->arena);
    for (size_t at = 0; at < list.size; at += 1u + list.data[at])
        if (memcmp(list.data + at + 1, c->own.bytes, 16) != 0)
            buf_add(&bytes, list.data + at, 1u + list.data[at]);
    *buf_grow(&bytes, 1) = (uint8_t)change.size;
    buf_add(&bytes, change.data, change.size);
    return buf_blob(&bytes);
}

/* ---- what a client has ---- */

static struct item *find(struct client *c, unsigned folder, struct blob key)
{
    for (unsigned i = 0; i < ITEMS; i++)
        if (c->items[i].key.size && c->items[i].folder == folder && blob_equal(c->items[i].key, key))
            return &c->items[i];
    return NULL;
}

static struct item *free_item(struct client *c)
{
    for (unsigned i = 0; i < ITEMS; i++)
        if (!c->items[i].key.size)
            return &c->items[i];
    fail();
    return NULL;
}

static struct item *some_item(struct client *c)
{
    for (unsigned tries = 0, i = below(ITEMS); tries < ITEMS; tries++, i = (i + 1) % ITEMS)
        if (c->items[i].key.size)
            return &c->items[i];
    return NULL;
}

static void change_given(struct client *c, unsigned folder, struct blob key, bool add)
{
    struct idset *set;
    struct fx_client *down = c->down[folder];
    const uint64_t counter = store_counter(id_of(key));
    assert_int_equal(idset_of_bytes(&set, c->f->arena, IDSET_REPLGUID, down->given), ecNone);
    (add ? globset_add : globset_remove)(idset_of_guid(set, c->replica), counter, counter);
    down->given = idset_bytes(c->f->arena, set);
}

static void client_step(struct client *c)
{
    struct item *item = below(3) ? some_item(c) : NULL;
    char *subject = talloc_asprintf(c->f->arena, "%c%u", c->own.bytes[0], below(100000));
    if (!item) {
        item = free_item(c);
        *item = (struct item){ .key = new_key(c),
                               .folder = below(FOLDERS),
                               .subject = subject,
                               .read = below(2),
                               .is_new = true,
                               .edited = true,
                               .moved_from = FOLDERS };
        return;
    }
    switch (below(4)) {
    case 0:
        item->subject = subject;
        item->edited = true;
        item->change = BLOB_OF(NULL, 0);
        return;
    case 1:
        item->read = !item->read;
        item->marked = true;
        return;
    case 2:
        if (item->is_new || item->moved_from != FOLDERS)
            return;
        item->moved_from = item->folder;
        item->moved_key = item->key;
        if (item->edited && below(2)) { /* the move comes after this change, which is uploaded after the move */
            item->change = new_change(c);
            item->pcl = list_with(c, item->pcl, item->change);
        }
        item->moved_pcl = item->pcl;
        item->moved_change = new_change(c);
        item->folder = 1 - item->folder;
        item->key = new_key(c);
        return;
    default:
        if (item->moved_from != FOLDERS)
            return;
        if (!item->is_new)
            c->deleted[item->folder][c->deleted_count[item->folder]++] = item->key;
        *item = (struct item){ 0 };
    }
}

/* ---- up ---- */

static void upload_set(struct client *c, uint32_t collector, uint32_t tag, struct blob set)
{
    CODE(RUN(c->f, SynchronizationUploadStateStreamBegin, collector, .StateProperty = tag,
             .TransferBufferSize = (uint32_t)set.size),
         ecNone);
    if (set.size)
        CODE(RUN(c->f, SynchronizationUploadStateStreamContinue, collector, .StreamDataSize = (uint32_t)set.size,
                 .StreamData = set),
             ecNone);
    CODE(RUN(c->f, SynchronizationUploadStateStreamEnd, collector), ecNone);
}

static void upload_move(struct client *c, uint32_t collector, struct item *item)
{
    const struct blob from = key_of(c, folders[item->moved_from]);
    const struct rop_done done =
        RUN(c->f, SynchronizationImportMessageMove, collector, .SourceFolderIdSize = (uint32_t)from.size,
            .SourceFolderId = from, .SourceMessageIdSize = (uint32_t)item->moved_key.size,
            .SourceMessageId = item->moved_key, .PredecessorChangeListSize = (uint32_t)item->moved_pcl.size,
            .PredecessorChangeList = item->moved_pcl, .DestinationMessageIdSize = (uint32_t)item->key.size,
            .DestinationMessageId = item->key, .ChangeNumberSize = (uint32_t)item->moved_change.size,
            .ChangeNumber = item->moved_change);
    change_given(c, item->moved_from, item->moved_key, false);
    item->moved_from = FOLDERS;
    if (done.code == (uint32_t)SYNC_E_OBJECT_DELETED) {
        *item = (struct item){ 0 }; /* somebody else was faster */
        return;
    }
    assert_true(done.code == ecNone || done.code == SYNC_W_CLIENT_CHANGE_NEWER);
    change_given(c, item->folder, item->key, true);
    if (done.code == ecNone)
        item->pcl = list_with(c, item->moved_pcl, item->moved_change);
}

static bool set_at_first(struct client *c, uint32_t message, struct prop p)
{
    const struct rop_done done = RUN(c->f, SetProperties, message, .PropertyValueCount = 1, .PropertyValues = &p);
    CODE(done, ecNone);
    return !((const struct RopSetPropertiesResponse *)done.response)->PropertyProblemCount;
}

static void upload_change(struct client *c, uint32_t collector, struct item *item)
{
    if (!item->change.size) {
        item->change = new_change(c);
        item->pcl = list_with(c, item->pcl, item->change);
    }
    const struct prop values[] = { P_BIN(PidTagSourceKey, item->key),
                                   P_TIME(PidTagLastModificationTime, filetime_now()),
                                   P_BIN(PidTagChangeKey, item->change),
                                   P_BIN(PidTagPredecessorChangeList, item->pcl) };
    const struct rop_done done =
        RUN(c->f, SynchronizationImportMessageChange, collector, .PropertyValueCount = 4, .PropertyValues = values);
    item->edited = false;
    item->change = BLOB_OF(NULL, 0);
    if (done.code) {
        assert_true(done.code == (uint32_t)SYNC_E_OBJECT_DELETED || done.code == (uint32_t)SYNC_E_IGNORE);
        return; /* the download tells */
    }
    rop_set(c->f, done.handle, P_STR(PidTagSubject, item->subject));
    const struct prop flags = P_I32(PidTagMessageFlags, item->read);
    if (item->is_new && !set_at_first(c, done.handle, flags))
        item->marked = true; /* it was made before the connection broke */
    else if (item->is_new)
        item->marked = false;
    assert_int_equal(rop_save(c->f, done.handle), id_of(item->key));
    RUN(c->f, Release, done.handle);
    if (item->is_new)
        change_given(c, item->folder, item->key, true);
    item->is_new = false;
}

static void upload_marks(struct client *c, uint32_t collector, unsigned folder)
{
    struct buf states;
    buf_init(&states, c->f->arena);
    for (unsigned i = 0; i < ITEMS; i++) {
        struct item *item = &c->items[i];
        if (!item->key.size || item->folder != folder || !item->marked)
            continue;
        const uint8_t read = item->read;
        put_le16(buf_grow(&states, 2), (uint16_t)item->key.size);
        buf_add(&states, item->key.data, item->key.size);
        buf_add(&states, &read, 1);
        item->marked = false;
    }
    if (states.size)
        CODE(RUN(c->f, SynchronizationImportReadStateChanges, collector, .MessageReadStatesSize = (uint16_t)states.size,
                 .MessageReadStates = buf_blob(&states)),
             ecNone);
}

static void upload_deletes(struct client *c, uint32_t collector, unsigned folder)
{
    const struct prop keys = { .tag = PROP_TAG(PtypMultiple | PtypBinary, 0),
                               .mv = { .count = c->deleted_count[folder], .bin = c->deleted[folder] } };
    if (!keys.mv.count)
        return;
    CODE(RUN(c->f, SynchronizationImportDeletes, collector, .ImportDeleteFlags = (uint8_t)(below(2) ? 2 : 0),
             .PropertyValueCount = 1, .PropertyValues = &keys),
         ecNone);
    for (uint32_t i = 0; i < keys.mv.count; i++)
        change_given(c, folder, c->deleted[folder][i], false);
    c->deleted_count[folder] = 0;
}

static struct blob in_state(const struct fx_stream *s, uint32_t tag)
{
    const struct prop *p = fx_find(s, 0, tag, NULL);
    return p ? p->bin : BLOB_OF(NULL, 0);
}

/* What was uploaded is not to come back. */
static void keep_state(struct client *c, uint32_t collector, unsigned folder)
{
    struct fx_client *down = c->down[folder];
    const struct rop_done done = RUN(c->f, SynchronizationGetTransferState, collector);
    CODE(done, ecNone);
    const struct fx_stream s = fx_fetch(c->f, done.handle, 0x7000);
    assert_null(fx_find(&s, 0, MetaTagIdsetGiven, NULL)); /* MS-OXCFXICS_R1885 */
    down->seen = in_state(&s, MetaTagCnsetSeen);
    down->seen_fai = in_state(&s, MetaTagCnsetSeenFAI);
    down->read = in_state(&s, MetaTagCnsetRead);
    RUN(c->f, Release, done.handle);
}

static bool is_cut(struct client *c)
{
    return !c->until_cut || !--c->until_cut;
}

static void upload(struct client *c)
{
    for (unsigned folder = 0; folder < FOLDERS && c->until_cut; folder++) {
        const uint32_t handle = rop_folder(c->f, folders[folder]);
        const uint32_t collector = RUN(c->f, SynchronizationOpenCollector, handle, .IsContentsCollector = true).handle;
        upload_set(c, collector, MetaTagCnsetSeen, c->down[folder]->seen);
        upload_set(c, collector, MetaTagCnsetSeenFAI, c->down[folder]->seen_fai);
        upload_set(c, collector, MetaTagCnsetRead, c->down[folder]->read);
        for (unsigned i = 0; i < ITEMS; i++)
            if (c->items[i].key.size && c->items[i].folder == folder && c->items[i].moved_from != FOLDERS && !is_cut(c))
                upload_move(c, collector, &c->items[i]);
        if (!is_cut(c))
            upload_deletes(c, collector, folder);
        for (unsigned i = 0; i < ITEMS; i++)
            if (c->items[i].key.size && c->items[i].folder == folder && c->items[i].edited && !is_cut(c))
                upload_change(c, collector, &c->items[i]);
        if (!is_cut(c))
            upload_marks(c, collector, folder);
        if (!is_cut(c))
            keep_state(c, collector, folder);
        RUN(c->f, Release, collector);
        RUN(c->f, Release, handle);
    }
}

/* The connection breaks somewhere; what the client has kept is what it had before.  It never uses an id or the number of
 * a change again. */
static void upload_and_break(struct client *c)
{
    struct client *before = talloc_memdup(c->f->arena, c, sizeof *c);
    struct fx_client down[FOLDERS];
    for (unsigned i = 0; i < FOLDERS; i++)
        down[i] = *c->down[i];
    c->until_cut = 1 + below(30);
    upload(c);
    before->changes = c->changes;
    *c = *before;
    for (unsigned i = 0; i < FOLDERS; i++)
        *c->down[i] = down[i];
    talloc_free(before);
}

/* ---- down ---- */

static void take_messages(struct client *c, unsigned folder)
{
    const struct fx_stream *got = &c->down[folder]->got;
    for (unsigned n = 0; n < fx_markers(got, "IncrSyncChg"); n++) {
        const uint32_t at = fx_marker_at(got, "IncrSyncChg", n), message = fx_marker_at(got, "IncrSyncMessage", n);
        const struct blob key = fx_find(got, at, PidTagSourceKey, "IncrSyncMessage")->bin;
        struct item *item = find(c, folder, key);
        if (!item)
            item = free_item(c);
        const struct prop *subject = fx_find(got, message, PidTagSubject, "IncrSyncChg");
        *item = (struct item){ .key = key,
                               .folder = folder,
                               .moved_from = FOLDERS,
                               .pcl = fx_find(got, at, PidTagPredecessorChangeList, "IncrSyncMessage")->bin,
                               .subject = talloc_strdup(c->f->arena, subject ? subject->str : ""),
                               .read = fx_find(got, message, PidTagMessageFlags, "IncrSyncChg")->u32 & 1 };
    }
}

static void download(struct client *c, unsigned folder)
{
    fx_client_sync(c->down[folder]);
    for (unsigned i = 0; i < ITEMS; i++) {
        struct item *item = &c->items[i];
        if (!item->key.size || item->folder != folder)
            continue;
        const uint64_t id = id_of(item->key);
        if (fx_says(c->down[folder], MetaTagIdsetDeleted, id))
            *item = (struct item){ 0 };
        else if (fx_says(c->down[folder], MetaTagIdsetRead, id))
            item->read = true;
        else if (fx_says(c->down[folder], MetaTagIdsetUnread, id))
            item->read = false;
    }
    take_messages(c, folder);
}

static void download_all(struct client *c)
{
    for (unsigned folder = 0; folder < FOLDERS; folder++)
        download(c, folder);
}

/* ---- the server's own changes, and what it has ---- */

static struct props *rows_of(struct rop_fixture *f, unsigned folder, uint16_t *count)
{
    static const uint32_t columns[] = { PidTagMid, PidTagSubject, PidTagMessageFlags };
    const uint32_t handle = rop_folder(f, folders[folder]);
    const struct rop_done table = RUN(f, GetContentsTable, handle);
    struct props *all = NULL;
    *count = 0;
    RUN(f, SetColumns, table.handle, .PropertyTagCount = 3, .PropertyTags = columns);
    for (;;) {
        const struct rop_done done =
            RUN_ROWS(f, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 200);
        const struct RopQueryRowsResponse *rows = done.response;
        if (!rows->RowCount)
            break;
        all = talloc_realloc(f->arena, all, struct props, *count + rows->RowCount);
        memcpy(all + *count, rows->RowData, rows->RowCount * sizeof *all);
        *count = (uint16_t)(*count + rows->RowCount);
    }
    RUN(f, Release, table.handle);
    RUN(f, Release, handle);
    return all;
}

static void server_step(struct world *w)
{
    struct rop_fixture *f = w->f;
    uint16_t count;
    const unsigned folder = below(FOLDERS);
    const struct props *rows = rows_of(f, folder, &count);
    const char *subject = talloc_asprintf(f->arena, "S%u", below(100000));
    if (!count || !below(3)) {
        rop_message(f, folders[folder], subject);
        return;
    }
    const uint64_t mid = rows[below(count)].values[0].u64;
    const uint32_t from = rop_folder(f, folders[folder]), to = rop_folder(f, folders[1 - folder]);
    switch (below(4)) {
    case 0: {
        const uint32_t m = rop_open_message(f, folders[folder], mid, 1);
        rop_set(f, m, P_STR(PidTagSubject, subject));
        rop_save(f, m);
        RUN(f, Release, m);
        break;
    }
    case 1:
        RUN(f, SetReadFlags, from, .ReadFlags = (uint8_t)(below(2) ? 4 : 0), .MessageIdCount = 1, .MessageIds = &mid);
        break;
    case 2: RUN_TO(f, MoveCopyMessages, from, to, .MessageIdCount = 1, .MessageIds = &mid); break;
    default: RUN(f, DeleteMessages, from, .MessageIdCount = 1, .MessageIds = &mid);
    }
    RUN(f, Release, from);
    RUN(f, Release, to);
}

static void has_the_same(struct client *c, unsigned folder, const struct props *rows, uint16_t count)
{
    unsigned own = 0;
    for (unsigned i = 0; i < ITEMS; i++)
        own += c->items[i].key.size && c->items[i].folder == folder;
    for (uint16_t i = 0; i < count; i++) {
        const struct item *item = find(c, folder, key_of(c, rows[i].values[0].u64));
        if (!item)
            fail_msg("client %c has no \"%s\"", c->own.bytes[0], rows[i].values[1].str);
        assert_string_equal(item->subject, rows[i].values[1].str);
        assert_int_equal(item->read, rows[i].values[2].u32 & 1);
    }
    assert_int_equal(own, count);
}

static void all_have_the_same(struct world *w)
{
    for (unsigned folder = 0; folder < FOLDERS; folder++) {
        uint16_t count;
        const struct props *rows = rows_of(w->f, folder, &count);
        for (unsigned i = 0; i < CLIENTS; i++)
            has_the_same(&w->clients[i], folder, rows, count);
    }
}

/* ---- the test ---- */

static void begin(struct client *c, struct rop_fixture *f, uint8_t name)
{
    const struct rop_done ids = RUN(f, GetLocalReplicaIds, f->logon, .IdCount = 0x1000);
    const struct RopGetLocalReplicaIdsResponse *first = ids.response;
    uint8_t bytes[8] = { STORE_REPLICA_ID };
    c->f = f;
    c->replica = first->ReplGuid;
    memset(c->own.bytes, name, 16);
    memcpy(bytes + 2, first->GlobalCount, 6);
    c->next = store_counter(le64(bytes));
    for (unsigned i = 0; i < FOLDERS; i++)
        c->down[i] = fx_client(f, folders[i], FX_CONTENTS);
}

static void everybody_has_the_same_after_each_round(void **state)
{
    struct rop_fixture *f = *state;
    struct world *w = talloc_zero(f, struct world);
    const char *said = getenv("OXCART_SEED");
    const unsigned seed = said ? (unsigned)atoi(said) : (unsigned)clock_ms();
    print_message("# seed %u\n", seed);
    srandom(seed);
    w->f = f;
    folders[0] = STORE_FID(SPECIAL_DRAFTS);
    folders[1] = STORE_FID(SPECIAL_INBOX);
    for (unsigned i = 0; i < CLIENTS; i++)
        begin(&w->clients[i], f, (uint8_t)('A' + i));
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned step = 0; step < STEPS; step++) {
            server_step(w);
            for (unsigned i = 0; i < CLIENTS; i++)
                client_step(&w->clients[i]);
        }
        for (unsigned i = 0; i < CLIENTS; i++) {
            if (below(2))
                upload_and_break(&w->clients[i]);
            w->clients[i].until_cut = UINT32_MAX;
            upload(&w->clients[i]);
            download_all(&w->clients[i]);
        }
        download_all(&w->clients[0]); /* what the others have brought */
        all_have_the_same(w);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = { ROP_TEST(everybody_has_the_same_after_each_round) };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("synchronisation at random", tests, NULL, NULL);
}
