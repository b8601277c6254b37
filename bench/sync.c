/* SPDX-License-Identifier: Apache-2.0 */
/* sync DATA_DIR MBOX: a client's first synchronisation of a large folder, and those that follow a few changes, by the ROP
 * engine in one process, beside SQLite that reads the same rows. */
#include "bench.h"
#include "bare.h"
#include "house.h"
#include "scene.h"

#include "wire/fasttransfer.h"

enum { CONTENTS = 1, CHANGES = 10, DONE = 3, PIECE = 30000 };
enum { FLAGS = 0x0139, EXTRA = 0x7 }; /* Unicode, read state, FAI, normal; ids, sizes, change numbers */

/* What a client has, as it sends it. */
struct known {
    struct blob given, seen, read;
};
struct sync {
    struct house *house;
    uint32_t folder, download; /* handles; download 0: to be begun */
    struct known known;
};

static struct blob packed(struct house *h, const struct globset *ids)
{
    struct idset *set = idset_new(h->arena, IDSET_REPLGUID);
    globset_union(idset_of_guid(set, store_replica_guid(h->store)), ids);
    return idset_bytes(h->arena, set);
}

/* Changes some messages; the client has all but these changes. */
static void change_some(struct house *h, uint64_t fid, const struct mails *mails, const struct store_synced *got)
{
    for (uint32_t i = 0; i < CHANGES; i++) {
        struct store_message *m;
        enum ec result;
        uint64_t mid = got->messages[i].mid;
        const struct prop subject = P_STR(PidTagSubject, mails->mails[i % mails->count].subject);
        must(store_message_open(&m, h->arena, h->store, fid, mid, MESSAGE_READWRITE), "a message");
        must(store_message_set(m, &subject, 1, &result), "its subject");
        must(store_message_save(m, true, &mid), "its save");
        talloc_free(m);
    }
}

static struct known known_of(struct house *h, uint64_t fid, const struct mails *mails)
{
    struct globset none, given, seen;
    globset_init(&none, h->arena);
    globset_init(&given, h->arena);
    globset_init(&seen, h->arena);
    const struct store_sync all = { .given = &none, .seen = &none, .seen_fai = &none, .read = &none, .normal = true };
    struct store_synced got;
    store_lock(h->store);
    must(store_sync_contents(h->arena, h->store, fid, &all, &got), "what there is");
    for (uint32_t i = 0; i < got.count; i++)
        globset_add(&given, store_counter(got.messages[i].mid), store_counter(got.messages[i].mid));
    globset_add(&seen, 1, got.last);
    change_some(h, fid, mails, &got);
    store_unlock(h->store);
    return (struct known){ packed(h, &given), packed(h, &seen), packed(h, &seen) };
}

static void add(struct client_rop *rop, enum rop_id id, uint32_t handle, const void *request)
{
    *rop = (struct client_rop){ .id = id, .handle = handle, .request = request };
}

#define KEEP(arena, type, ...) talloc_memdup(arena, (&(type){ __VA_ARGS__ }), sizeof(type))

static void upload(struct sync *s, TALLOC_CTX *arena, uint32_t tag, struct blob set)
{
    struct client_rop rop;
    add(&rop, RopSynchronizationUploadStateStreamBegin, s->download,
        KEEP(arena, struct RopSynchronizationUploadStateStreamBeginRequest, .StateProperty = tag,
             .TransferBufferSize = (uint32_t)set.size));
    house_list(s->house, arena, &rop, 1);
    for (size_t at = 0; at < set.size; at += PIECE) {
        const struct blob piece = BLOB_OF(set.data + at, MIN(set.size - at, (size_t)PIECE));
        add(&rop, RopSynchronizationUploadStateStreamContinue, s->download,
            KEEP(arena, struct RopSynchronizationUploadStateStreamContinueRequest,
                 .StreamDataSize = (uint32_t)piece.size, .StreamData = piece));
        house_list(s->house, arena, &rop, 1);
    }
    add(&rop, RopSynchronizationUploadStateStreamEnd, s->download, NULL);
    house_list(s->house, arena, &rop, 1);
}

static void begin(struct sync *s, TALLOC_CTX *arena)
{
    struct client_rop configure;
    add(&configure, RopSynchronizationConfigure, s->folder,
        KEEP(arena, struct RopSynchronizationConfigureRequest, .SynchronizationType = CONTENTS,
             .SendOptions = FX_UNICODE, .SynchronizationFlags = FLAGS, .SynchronizationExtraFlags = EXTRA));
    house_list(s->house, arena, &configure, 1);
    s->download = configure.out_handle;
    upload(s, arena, MetaTagIdsetGiven, s->known.given);
    upload(s, arena, MetaTagCnsetSeen, s->known.seen);
    upload(s, arena, MetaTagCnsetSeenFAI, s->known.seen);
    upload(s, arena, MetaTagCnsetRead, s->known.read);
}

/* Messages in the buffer, by their markers. */
static unsigned changes_in(struct blob buffer)
{
    uint8_t marker[4];
    unsigned n = 0;
    put_le32(marker, FX_IncrSyncMessage);
    for (const uint8_t *at = buffer.data, *end = at + buffer.size;
         (at = memmem(at, (size_t)(end - at), marker, sizeof marker)); at += sizeof marker)
        n++;
    return n;
}

/* One buffer; 0 as the status: the last one. */
static unsigned fetch(struct sync *s, TALLOC_CTX *arena, uint64_t *bytes)
{
    struct client_rop get, release;
    add(&get, RopFastTransferSourceGetBuffer, s->download,
        KEEP(arena, struct RopFastTransferSourceGetBufferRequest, .BufferSize = 0xBABE, .MaximumBufferSize = 0xFFFF));
    house_list(s->house, arena, &get, 1);
    const struct RopFastTransferSourceGetBufferResponse *r = get.response;
    const unsigned n = changes_in(r->TransferBuffer);
    *bytes += r->TransferBufferSize;
    if (r->TransferStatus == DONE) {
        add(&release, RopRelease, s->download, NULL);
        house_list(s->house, arena, &release, 1);
        s->download = 0;
    }
    return n;
}

static uint64_t first_bytes, first_messages;

/* Some buffers of a first synchronisation, which begins again when it has ended. */
static unsigned first_step(void *arg)
{
    struct sync *s = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    if (!s->download)
        begin(s, arena);
    const unsigned n = fetch(s, arena, &first_bytes);
    first_messages += n;
    talloc_free(arena);
    return n;
}

/* A whole one, of what has changed. */
static unsigned next_step(void *arg)
{
    struct sync *s = arg;
    TALLOC_CTX *arena = talloc_new(NULL);
    uint64_t bytes = 0;
    unsigned n = 0;
    begin(s, arena);
    while (s->download)
        n += fetch(s, arena, &bytes);
    if (n != CHANGES)
        give_up("%u messages came where %d had changed", n, CHANGES);
    talloc_free(arena);
    return 1;
}

static uint32_t open_folder(struct house *h, uint64_t fid)
{
    struct scene s = scene_folder(h->arena, h->logon, fid);
    house_list(h, h->arena, s.rops, s.count);
    return s.rops[0].out_handle;
}

static const char *store_file_of(struct house *h)
{
    char guid[GUID_TEXT_SIZE];
    return talloc_asprintf(h, "%s/%s.db", h->account->store_url + strlen("sqlite:"),
                           guid_text(h->account->mailbox_guid, guid));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        give_up("usage: sync DATA_DIR MBOX");
    struct house *h = house_open(argv[1], "alice@contoso.com");
    const struct mails *mails = mails_read(h, argv[2]);
    struct bare *bare = bare_open(h->arena, store_file_of(h));
    const uint64_t small = house_folder(h, SMALL_FOLDER), large = house_folder(h, LARGE_FOLDER);
    struct sync first = { h, open_folder(h, large), 0, { { NULL, 0 }, { NULL, 0 }, { NULL, 0 } } };
    struct sync of_small = { h, open_folder(h, small), 0, known_of(h, small, mails) };
    struct sync of_large = { h, open_folder(h, large), 0, known_of(h, large, mails) };
    struct side sides[] = { { .what = "first", .step = first_step, .arg = &first },
                            { .what = "SQLite rows", .step = bare_messages, .arg = bare },
                            { .what = "SQLite pages", .step = bare_page, .arg = bare },
                            { .what = "small", .step = next_step, .arg = &of_small },
                            { .what = "large", .step = next_step, .arg = &of_large } };
    take_turns(sides, COUNTOF(sides));
    print_title("Synchronisation, by the ROP engine");
    print_wanted("messages of a first synchronisation", &sides[0], 14700, &(struct yard){ &sides[2], USUAL_PAGES }, 1);
    print_beside("  the same", &sides[0], "SQLite rows read whole", &sides[1], NO_LIMIT);
    print_line("  the same, in bytes",
               with_commas(h->arena, side_rate(&sides[0]) * (double)first_bytes / (double)MAX(first_messages, 1) / 1e6,
                           " MB/s"),
               (double)first_bytes / (double)MAX(first_messages, 1) / 1000, "KB for a message", NO_LIMIT);
    print_beside("synchronisations of 10 changes in 100,000", &sides[4], "in 1,000", &sides[3], AT_LEAST(0.8));
    talloc_free(bare);
    house_close(h);
    return 0;
}
