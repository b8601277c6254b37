/* SPDX-License-Identifier: Apache-2.0 */
/* costs DATA_DIR MBOX: what each of the usual ROPs takes, counted and not timed: SQL statements (without BEGIN and
 * COMMIT) and calls to malloc, calloc and realloc, those of SQLite included.  Every ROP runs alone in an Execute, whose
 * own allocations are taken off; it runs in a second pass, when statements are prepared and caches filled. */
#include "bench.h"
#include "house.h"
#include "scene.h"

enum { READ_STREAM_BYTES = 4096, NEW_MAIL = 0x0002, DONE_READ = 0x01 };

struct costs {
    struct house *house;
    TALLOC_CTX *arena;
    const struct mails *mails;
    bool print;     /* the second pass */
    uint64_t empty; /* allocations of an Execute without a ROP */
};

static struct client_rop call(struct costs *c, const char *note, struct client_rop rop)
{
    const struct list list = house_list(c->house, c->arena, &rop, 1);
    if (c->print)
        printf("  Rop%-30s %-32s %3llu  %6lld\n", rop_wire((uint8_t)rop.id)->name, note,
               (unsigned long long)list.statements, (long long)(list.allocations - c->empty));
    return rop;
}

/* CALL(c, OpenFolder, logon, "", .FolderId = fid): its output handle is .out_handle. */
#define CALL(c, name, object, note, ...)                                                                               \
    call(c, note,                                                                                                      \
         (struct client_rop){ .id = Rop##name,                                                                         \
                              .handle = object,                                                                        \
                              .request = talloc_memdup((c)->arena, (&(struct Rop##name##Request){ __VA_ARGS__ }),      \
                                                       sizeof(struct Rop##name##Request)) })

/* The ROPs of a scene one after the other; `from` becomes a handle. */
static void play(struct costs *c, struct scene *s, const char *const *notes)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->rops[i].from)
            s->rops[i].handle = s->rops[s->rops[i].from - 1].out_handle;
        s->rops[i].from = 0;
        if (s->rops[i].id == RopQueryRows) { /* alone in its buffer, it does not know the columns */
            const struct RopSetColumnsRequest *q = s->rops[2].request;
            s->rops[i].columns = q->PropertyTags;
            s->rops[i].column_count = q->PropertyTagCount;
        }
        s->rops[i] = call(c, notes && notes[i] ? notes[i] : "", s->rops[i]);
    }
}

static uint32_t log_on(struct costs *c)
{
    return CALL(c, Logon, NO_HANDLE, "", .LogonFlags = 1, .OpenFlags = 0x0100040C, .EssdnSize = 1,
                .Essdn = c->house->account->legacy_dn)
        .out_handle;
}

static void folders(struct costs *c, uint32_t logon)
{
    static const uint32_t columns[] = { PidTagFolderId, PidTagDisplayName, PidTagContentCount, PidTagContentUnreadCount,
                                        PidTagSubfolders };
    CALL(c, GetReceiveFolder, logon, "", .MessageClass = "IPM.Note");
    const uint32_t top = CALL(c, OpenFolder, logon, "", .FolderId = STORE_FID(SPECIAL_IPM_SUBTREE)).out_handle;
    struct scene light = scene_light(c->arena, top);
    play(c, &light, (const char *const[]){ "2 of a folder" });
    const uint32_t table = CALL(c, GetHierarchyTable, top, "").out_handle;
    CALL(c, SetColumns, table, "", .PropertyTagCount = COUNTOF(columns), .PropertyTags = columns);
    call(c, "the folders of a mailbox",
         (struct client_rop){ .id = RopQueryRows,
                              .handle = table,
                              .columns = columns,
                              .column_count = COUNTOF(columns),
                              .request = &(struct RopQueryRowsRequest){ .ForwardRead = true, .RowCount = PAGE_ROWS } });
}

static uint32_t page(struct costs *c, uint32_t logon, uint64_t fid, uint64_t mids[PAGE_ROWS])
{
    struct scene s = scene_page(c->arena, logon, fid);
    s.count -= 2; /* kept open */
    play(c, &s, (const char *const[]){ "", "100,000 messages", "13", "by delivery time", "50 rows" });
    scene_mids(&s, mids);
    const uint32_t table = s.rops[1].out_handle;
    CALL(c, SeekRow, table, "1,000 rows further", .Origin = 1, .RowCount = 1000);
    CALL(c, QueryPosition, table, "row 1,000");
    CALL(c, RegisterNotification, logon, "", .NotificationTypes = NEW_MAIL, .WantWholeStore = true);
    return s.rops[0].out_handle;
}

static void message(struct costs *c, uint32_t logon, uint64_t fid, uint64_t mid)
{
    struct scene s = scene_message(c->arena, logon, fid, mid);
    s.count--;
    play(c, &s, (const char *const[]){ "", "15 of a message, with body" });
    const uint32_t open = s.rops[0].out_handle;
    CALL(c, GetPropertiesAll, open, "", .WantUnicode = 1);
    const uint32_t stream = CALL(c, OpenStream, open, "body", .PropertyTag = PidTagBody).out_handle;
    CALL(c, ReadStream, stream, "", .ByteCount = READ_STREAM_BYTES);
    CALL(c, GetAttachmentTable, open, "");
    CALL(c, SetMessageReadFlag, open, "changes it", .ReadFlags = c->print ? 0x04 : DONE_READ);
}

static uint64_t saved(struct costs *c, uint32_t logon)
{
    struct scene s = scene_save(c->arena, logon, STORE_FID(SPECIAL_DRAFTS), c->mails, 0);
    play(c, &s, (const char *const[]){ "", "35", "1", "a new message", "" });
    return ((const struct RopSaveChangesMessageResponse *)s.rops[3].response)->MessageId;
}

static void moved(struct costs *c, uint32_t logon, uint64_t mid)
{
    const uint32_t from = CALL(c, OpenFolder, logon, "", .FolderId = STORE_FID(SPECIAL_DRAFTS)).out_handle;
    const uint32_t to = CALL(c, OpenFolder, logon, "", .FolderId = STORE_FID(SPECIAL_DELETED_ITEMS)).out_handle;
    const struct RopMoveCopyMessagesRequest copy = { .MessageIdCount = 1, .MessageIds = &mid, .WantCopy = true },
                                            move = { .MessageIdCount = 1, .MessageIds = &mid };
    call(c, "copies one",
         (struct client_rop){ .id = RopMoveCopyMessages, .handle = from, .destination = from, .request = &copy });
    call(c, "moves one",
         (struct client_rop){ .id = RopMoveCopyMessages, .handle = from, .destination = to, .request = &move });
    const uint64_t other = saved(c, logon);
    CALL(c, DeleteMessages, from, "one", .MessageIdCount = 1, .MessageIds = &other);
}

static void pass(struct costs *c, bool print)
{
    uint64_t mids[PAGE_ROWS];
    const uint64_t fid = house_folder(c->house, LARGE_FOLDER);
    c->empty = house_list(c->house, c->arena, NULL, 0).allocations;
    c->print = print;
    const uint32_t logon = log_on(c);
    folders(c, logon);
    page(c, logon, fid, mids);
    message(c, logon, fid, mids[0]);
    moved(c, logon, saved(c, logon));
}

int main(int argc, char **argv)
{
    if (argc != 3)
        give_up("usage: costs DATA_DIR MBOX");
    struct house *h = house_open(argv[1], "alice@contoso.com");
    struct costs c = { .house = h, .arena = h->arena, .mails = mails_read(h, argv[2]) };
    printf("\nWhat a ROP takes, counted                                        SQL  malloc\n");
    pass(&c, false);
    pass(&c, true);
    house_close(h);
    return 0;
}
