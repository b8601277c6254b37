/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCPERM] as the owner of a mailbox and a delegate meet it. */
#include "rop/fixture.h"
#include "wire/entry_id.h"

#define CALENDAR STORE_FID(SPECIAL_CALENDAR)
#define INBOX STORE_FID(SPECIAL_INBOX)
#define IPM STORE_FID(SPECIAL_IPM_SUBTREE)
#define ALL_OF_IT RIGHTS_OWNER_ROLE

/* ---- the matrix: which right lets a delegate do what ---- */

/* A folder of alice's, with a message of hers and one of bob's; another one where he may do everything. */
struct scene {
    struct rop_fixture *owner, *delegate;
    uint64_t folder, other, hers, his, fai;
    uint32_t handle, other_handle; /* of the delegate; handle 0: he cannot open it */
    bool partial;
};

static uint64_t store_message(struct rop_fixture *f, uint64_t fid, bool associated)
{
    struct store_message *m;
    uint64_t mid = 0;
    TALLOC_CTX *outer = f->arena;
    f->arena = talloc_new(outer);
    assert_int_equal(store_message_new(&m, f->arena, rop_store(f), fid, associated), ecNone);
    assert_int_equal(store_message_save(m, false, &mid), ecNone);
    talloc_free(m);
    talloc_free(f->arena);
    f->arena = outer;
    return mid;
}

static uint64_t make_folder(struct rop_fixture *f, uint64_t parent, const char *name)
{
    const struct rop_done made = RUN(f, CreateFolder, rop_folder(f, parent), .FolderType = 1, .UseUnicodeStrings = 1,
                                     .DisplayName = name, .Comment = "");
    CODE(made, ecNone);
    const uint64_t fid = ((const struct RopCreateFolderResponse *)made.response)->FolderId;
    return fid;
}

static void set_up(struct scene *s, uint32_t rights)
{
    static unsigned number;
    s->folder = make_folder(s->owner, IPM, talloc_asprintf(s->owner->arena, "Scene %u", number++));
    rop_grant(s->owner, s->folder, ALL_OF_IT);
    s->hers = store_message(s->owner, s->folder, false);
    s->fai = store_message(s->owner, s->folder, true);
    s->his = rop_message(s->delegate, s->folder, "of bob");
    rop_grant(s->owner, s->folder, rights);
    const struct rop_done open = RUN(s->delegate, OpenFolder, s->delegate->logon, .FolderId = s->folder);
    s->handle = open.code ? 0 : open.handle;
    s->other_handle = rop_folder(s->delegate, s->other);
}

#define DO(s, name, input, ...) (RUN((s)->delegate, name, input, __VA_ARGS__).code)
#define PARTIAL(s, name, done)                                                                                         \
    ((s)->partial = !(done).code && ((const struct Rop##name##Response *)(done).response)->PartialCompletion,          \
     (done).code)

static uint32_t open_folder(struct scene *s)
{
    return DO(s, OpenFolder, s->delegate->logon, .FolderId = s->folder);
}

static uint32_t hierarchy(struct scene *s)
{
    return DO(s, GetHierarchyTable, s->handle, .TableFlags = 0);
}

static uint32_t contents(struct scene *s)
{
    return DO(s, GetContentsTable, s->handle, .TableFlags = 0);
}

static uint32_t fai_contents(struct scene *s)
{
    return DO(s, GetContentsTable, s->handle, .TableFlags = 0x02);
}

static uint32_t folder_property(struct scene *s)
{
    static const uint32_t tags[] = { PidTagDisplayName };
    return RUN_ROWS(s->delegate, GetPropertiesSpecific, s->handle, tags, .PropertyTagCount = 1, .PropertyTags = tags)
        .code;
}

static uint32_t change_folder(struct scene *s)
{
    struct prop comment = P_STR(PidTagComment, "changed");
    return DO(s, SetProperties, s->handle, .PropertyValueCount = 1, .PropertyValues = &comment);
}

static uint32_t unset_of_folder(struct scene *s)
{
    static const uint32_t tags[] = { PidTagComment };
    return DO(s, DeleteProperties, s->handle, .PropertyTagCount = 1, .PropertyTags = tags);
}

static uint32_t write_stream_of_folder(struct scene *s)
{
    return DO(s, OpenStream, s->handle, .PropertyTag = PidTagAdditionalRenEntryIdsEx, .OpenModeFlags = 2);
}

static uint32_t open_message(struct scene *s, uint64_t mid, uint8_t mode)
{
    return DO(s, OpenMessage, s->delegate->logon, .CodePageId = 0x0FFF, .FolderId = s->folder, .MessageId = mid,
              .OpenModeFlags = mode);
}

static uint32_t read_hers(struct scene *s)
{
    return open_message(s, s->hers, 0);
}
static uint32_t read_his(struct scene *s)
{
    return open_message(s, s->his, 0);
}
static uint32_t read_fai(struct scene *s)
{
    return open_message(s, s->fai, 0);
}
static uint32_t edit_hers(struct scene *s)
{
    return open_message(s, s->hers, 1);
}
static uint32_t edit_his(struct scene *s)
{
    return open_message(s, s->his, 1);
}
static uint32_t edit_fai(struct scene *s)
{
    return open_message(s, s->fai, 1);
}

static uint32_t create(struct scene *s)
{
    return DO(s, CreateMessage, s->delegate->logon, .CodePageId = 0x0FFF, .FolderId = s->folder);
}

static uint32_t create_fai(struct scene *s)
{
    return DO(s, CreateMessage, s->delegate->logon, .CodePageId = 0x0FFF, .FolderId = s->folder, .AssociatedFlag = 1);
}

#define DELETE_ROP(function, name, mid)                                                                                \
    static uint32_t function(struct scene *s)                                                                          \
    {                                                                                                                  \
        const struct rop_done done = RUN(s->delegate, name, s->handle, .MessageIdCount = 1, .MessageIds = &s->mid);    \
        return PARTIAL(s, name, done);                                                                                 \
    }
DELETE_ROP(delete_hers, DeleteMessages, hers)
DELETE_ROP(delete_his, DeleteMessages, his)
DELETE_ROP(delete_fai, DeleteMessages, fai)
DELETE_ROP(destroy_hers, HardDeleteMessages, hers)
DELETE_ROP(destroy_his, HardDeleteMessages, his)
DELETE_ROP(mark_hers, SetReadFlags, hers)
DELETE_ROP(mark_his, SetReadFlags, his)

static uint32_t set_status(struct scene *s, uint64_t mid)
{
    return DO(s, SetMessageStatus, s->handle, .MessageId = mid, .MessageStatusFlags = 2, .MessageStatusMask = 2);
}

static uint32_t set_status_of_hers(struct scene *s)
{
    return set_status(s, s->hers);
}
static uint32_t set_status_of_his(struct scene *s)
{
    return set_status(s, s->his);
}

static uint32_t get_status_of_hers(struct scene *s)
{
    return DO(s, GetMessageStatus, s->handle, .MessageId = s->hers);
}

static uint32_t transfer(struct scene *s, uint64_t mid, bool copy)
{
    const struct rop_done done = RUN_TO(s->delegate, MoveCopyMessages, s->handle, s->other_handle, .MessageIdCount = 1,
                                        .MessageIds = &mid, .WantCopy = copy);
    return PARTIAL(s, MoveCopyMessages, done);
}

static uint32_t move_hers_out(struct scene *s)
{
    return transfer(s, s->hers, false);
}
static uint32_t move_his_out(struct scene *s)
{
    return transfer(s, s->his, false);
}
static uint32_t copy_hers_out(struct scene *s)
{
    return transfer(s, s->hers, true);
}
static uint32_t copy_his_out(struct scene *s)
{
    return transfer(s, s->his, true);
}

static uint32_t move_in(struct scene *s)
{
    const uint64_t mid = rop_message(s->delegate, s->other, "moved in");
    return RUN_TO(s->delegate, MoveCopyMessages, s->other_handle, s->handle, .MessageIdCount = 1, .MessageIds = &mid)
        .code;
}

static uint32_t create_subfolder(struct scene *s)
{
    return DO(s, CreateFolder, s->handle, .FolderType = 1, .UseUnicodeStrings = 1, .DisplayName = "below",
              .Comment = "");
}

static uint32_t empty(struct scene *s)
{
    const struct rop_done done = RUN(s->delegate, EmptyFolder, s->handle, .WantDeleteAssociated = 0);
    return PARTIAL(s, EmptyFolder, done);
}

static uint32_t destroy_all(struct scene *s)
{
    const struct rop_done done =
        RUN(s->delegate, HardDeleteMessagesAndSubfolders, s->handle, .WantDeleteAssociated = 1);
    return PARTIAL(s, HardDeleteMessagesAndSubfolders, done);
}

static uint32_t permissions_of(struct scene *s)
{
    static const uint32_t columns[] = { PidTagMemberId };
    const struct rop_done table = RUN(s->delegate, GetPermissionsTable, s->handle, .TableFlags = 0);
    if (table.code)
        return table.code;
    RUN(s->delegate, SetColumns, table.handle, .PropertyTagCount = 1, .PropertyTags = columns);
    return RUN_ROWS(s->delegate, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 9).code;
}

static uint32_t change_permissions(struct scene *s)
{
    return DO(s, ModifyPermissions, s->handle, .ModifyFlags = 0);
}

/* From the parent, where bob has all rights. */
static uint32_t parent_of(struct scene *s)
{
    return rop_folder(s->delegate, IPM);
}

static uint32_t delete_folder(struct scene *s)
{
    const struct rop_done done =
        RUN(s->delegate, DeleteFolder, parent_of(s), .DeleteFolderFlags = 0x05, .FolderId = s->folder);
    return PARTIAL(s, DeleteFolder, done);
}

static uint32_t move_folder(struct scene *s)
{
    return RUN_TO(s->delegate, MoveFolder, parent_of(s), s->other_handle, .UseUnicode = 1, .FolderId = s->folder,
                  .NewFolderName = talloc_asprintf(s->owner->arena, "moved %llx", (unsigned long long)s->folder))
        .code;
}

static uint32_t copy_folder(struct scene *s)
{
    return RUN_TO(s->delegate, CopyFolder, parent_of(s), s->other_handle, .UseUnicode = 1, .FolderId = s->folder,
                  .WantRecursive = 1,
                  .NewFolderName = talloc_asprintf(s->owner->arena, "copied %llx", (unsigned long long)s->folder))
        .code;
}

static uint32_t set_receive_folder(struct scene *s)
{
    return DO(s, SetReceiveFolder, s->delegate->logon, .FolderId = s->folder, .MessageClass = "IPM.Odd");
}

static uint32_t set_of_mailbox(struct scene *s)
{
    struct prop p = P_BOOL(PidTagOutOfOfficeState, true);
    return DO(s, SetProperties, s->delegate->logon, .PropertyValueCount = 1, .PropertyValues = &p);
}

/* The columns.  Every right but the first comes with FolderVisible, without which nothing can be opened. */
static const struct {
    const char *name;
    uint32_t rights;
} granted[] = {
    { "none", 0 },
    { "FreeBusySimple, FreeBusyDetailed", 0x1800 },
    { "FolderVisible", RIGHT_VISIBLE },
    { "FolderContact", RIGHT_VISIBLE | RIGHT_CONTACT },
    { "ReadAny", RIGHT_VISIBLE | RIGHT_READ_ANY },
    { "Create", RIGHT_VISIBLE | RIGHT_CREATE },
    { "EditOwned", RIGHT_VISIBLE | RIGHT_EDIT_OWNED },
    { "DeleteOwned", RIGHT_VISIBLE | RIGHT_DELETE_OWNED },
    { "EditAny", RIGHT_VISIBLE | RIGHT_EDIT_ANY },
    { "DeleteAny", RIGHT_VISIBLE | RIGHT_DELETE_ANY },
    { "CreateSubFolder", RIGHT_VISIBLE | RIGHT_CREATE_SUBFOLDER },
    { "FolderOwner", RIGHT_OWNER },
    { "ReadAny, DeleteOwned", RIGHT_READ_ANY | RIGHT_DELETE_OWNED },
    { "all of the Owner role", RIGHTS_OWNER_ROLE },
};

/* y done, p done in part, - ecAccessDenied, ? ecNotFound, o there is no handle to ask with.
 *                                          none
 *                                          | free/busy
 *                                          | | visible
 *                                          | | | contact
 *                                          | | | | read any
 *                                          | | | | | create
 *                                          | | | | | | edit owned
 *                                          | | | | | | | delete owned
 *                                          | | | | | | | | edit any
 *                                          | | | | | | | | | delete any
 *                                          | | | | | | | | | | create subfolder
 *                                          | | | | | | | | | | | folder owner
 *                                          | | | | | | | | | | | | read any, delete owned
 *                                          | | | | | | | | | | | | | all */
static const struct {
    const char *name, *cells;
    uint32_t (*run)(struct scene *);
    bool needs_handle;
} matrix[] = {
    { "RopOpenFolder", "? ? y y y y y y y y y y y y", open_folder, false },
    { "RopGetHierarchyTable", "o o y y y y y y y y y y y y", hierarchy, true },
    { "RopGetContentsTable", "o o - - y - - - - - - - y y", contents, true },
    { "RopGetContentsTable, FAI", "o o - - y - - - - - - - y y", fai_contents, true },
    { "RopGetPropertiesSpecific, folder", "o o y y y y y y y y y y y y", folder_property, true },
    { "RopSetProperties, folder", "o o - - - - - - - - - y - y", change_folder, true },
    { "RopDeleteProperties, folder", "o o - - - - - - - - - y - y", unset_of_folder, true },
    { "RopOpenStream to write, folder", "o o - - - - - - - - - y - y", write_stream_of_folder, true },
    { "RopOpenMessage, another's", "- - - - y - - - - - - - y y", read_hers, false },
    { "RopOpenMessage, one's own", "y y y y y y y y y y y y y y", read_his, false },
    { "RopOpenMessage, FAI", "- - - - y - - - - - - - y y", read_fai, false },
    { "RopOpenMessage to write, another's", "- - - - - - - - - - - - - y", edit_hers, false },
    { "RopOpenMessage to write, one's own", "- - - - - - y - y - - - - y", edit_his, false },
    { "RopOpenMessage to write, FAI", "- - - - - - - - - - - - - y", edit_fai, false },
    { "RopCreateMessage", "- - - - - y - - - - - - - y", create, false },
    { "RopCreateMessage, FAI", "- - - - - - - - - - - y - y", create_fai, false },
    { "RopDeleteMessages, another's", "o o - - - - - p - y - p p y", delete_hers, true },
    { "RopDeleteMessages, one's own", "o o - - - - - y - y - p y y", delete_his, true },
    { "RopDeleteMessages, FAI", "o o - - - - - p - p - y p y", delete_fai, true },
    { "RopHardDeleteMessages, another's", "o o - - - - - p - y - p p y", destroy_hers, true },
    { "RopHardDeleteMessages, one's own", "o o - - - - - y - y - p y y", destroy_his, true },
    { "RopSetReadFlags, another's", "o o - - - - p - y - - - - y", mark_hers, true },
    { "RopSetReadFlags, one's own", "o o - - - - y - y - - - - y", mark_his, true },
    { "RopSetMessageStatus, another's", "o o - - - - - - y - - - - y", set_status_of_hers, true },
    { "RopSetMessageStatus, one's own", "o o - - - - y - y - - - - y", set_status_of_his, true },
    { "RopGetMessageStatus", "o o - - y - - - - - - - y y", get_status_of_hers, true },
    { "RopMoveCopyMessages, another's out", "o o - - - - - p - p - p p y", move_hers_out, true },
    { "RopMoveCopyMessages, one's own out", "o o - - - - - y - y - p y y", move_his_out, true },
    { "... to copy, another's", "o o p p y p p p p p p p y y", copy_hers_out, true },
    { "... to copy, one's own", "o o y y y y y y y y y y y y", copy_his_out, true },
    { "RopMoveCopyMessages into it", "o o - - - y - - - - - - - y", move_in, true },
    { "RopCreateFolder in it", "o o - - - - - - - - y - - y", create_subfolder, true },
    { "RopEmptyFolder", "o o - - - - - p - y - p p y", empty, true },
    { "RopHardDeleteMessagesAndSubfolders", "o o - - - - - p - p - p p y", destroy_all, true },
    { "RopDeleteFolder", "? ? - - - - - - - - - y - y", delete_folder, false },
    { "RopMoveFolder", "? ? - - - - - - - - - y - y", move_folder, false },
    { "RopCopyFolder", "? ? - - y - - - - - - - y y", copy_folder, false },
    { "RopGetPermissionsTable", "o o y y y y y y y y y y y y", permissions_of, true },
    { "RopModifyPermissions", "o o - - - - - - - - - y - y", change_permissions, true },
    { "RopSetReceiveFolder", "- - - - - - - - - - - - - -", set_receive_folder, false },
    { "RopSetProperties, mailbox", "- - - - - - - - - - - - - -", set_of_mailbox, false },
};

static char answer(struct scene *s, uint32_t code)
{
    switch (code) {
    case ecNone: return s->partial ? 'p' : 'y';
    case (uint32_t)ecAccessDenied: return '-';
    case (uint32_t)ecNotFound: return '?';
    default: return '!';
    }
}

static void every_right_lets_a_delegate_do_what_the_matrix_says_and_nothing_else(void **state)
{
    struct rop_fixture *f = *state;
    struct scene s = { .owner = f };
    unsigned wrong = 0;
    s.other = make_folder(f, IPM, "Other");
    rop_grant(f, s.other, ALL_OF_IT);
    rop_grant(f, IPM, ALL_OF_IT);
    for (size_t column = 0; column < COUNTOF(granted); column++) {
        bool fresh = false; /* what is refused changes nothing */
        s.delegate = rop_delegate_session(f);
        for (size_t row = 0; row < COUNTOF(matrix); row++) {
            s.partial = false;
            if (!fresh)
                set_up(&s, granted[column].rights);
            const char expected = matrix[row].cells[2 * column];
            const char got = matrix[row].needs_handle && !s.handle ? 'o' : answer(&s, matrix[row].run(&s));
            if (got != expected)
                print_message("# %s with %s: %c, expected %c\n", matrix[row].name, granted[column].name, got, expected);
            wrong += got != expected;
            fresh = got != 'y' && got != 'p';
        }
        talloc_free(s.delegate);
    }
    assert_int_equal(wrong, 0); /* R103 to R144, R1192; MS-OXCFOLD_R470, R489, R503, R508; MS-OXCMSG_R3018 */
}

/* ---- the list ---- */

static const uint32_t list_columns[] = { PidTagMemberId, PidTagMemberName, PidTagMemberRights, PidTagEntryId };

/* As text: `id name rights`, one member a line; ids of people are written as P. */
static const char *list_of(struct rop_fixture *f, uint64_t fid, uint8_t flags)
{
    const struct rop_done table = RUN(f, GetPermissionsTable, rop_folder(f, fid), .TableFlags = flags);
    CODE(table, ecNone); /* R2006, R179 */
    CODE(RUN(f, SetColumns, table.handle, .PropertyTagCount = 4, .PropertyTags = list_columns), ecNone);
    const struct rop_done done =
        RUN_ROWS(f, QueryRows, table.handle, list_columns, .ForwardRead = true, .RowCount = 50);
    CODE(done, ecNone); /* R2014 */
    const struct RopQueryRowsResponse *r = done.response;
    char *text = talloc_strdup(f->arena, "");
    for (unsigned i = 0; i < r->RowCount; i++) {
        const struct prop *v = r->RowData[i].values;
        const bool reserved = (int64_t)v[0].u64 <= 0;
        struct entry_id_person person = { .address = "" };
        assert_true(reserved ? v[3].bin.size == 0 : entry_id_person(f->arena, v[3].bin, &person)); /* R70, R1070 */
        text = talloc_asprintf_append(text, "%s%s=%x\n",
                                      v[0].u64 == 0           ? "default "
                                      : (int64_t)v[0].u64 < 0 ? "anonymous "
                                                              : "",
                                      v[1].str, (unsigned)v[2].u32);
    }
    RUN(f, Release, table.handle);
    return text;
}

static struct rop_done modify(struct rop_fixture *f, uint64_t fid, uint8_t flags, uint8_t what,
                              const struct prop *props, uint16_t count)
{
    const struct PermissionData data = { .PermissionDataFlags = what,
                                         .PropertyValueCount = count,
                                         .PropertyValues = (struct prop *)props };
    return RUN(f, ModifyPermissions, rop_folder(f, fid), .ModifyFlags = flags, .ModifyCount = 1,
               .PermissionsData = &data);
}

static struct rop_done add(struct rop_fixture *f, uint64_t fid, uint8_t flags, const char *dn, uint32_t rights)
{
    const struct prop props[] = { P_BIN(PidTagEntryId, address_book_entry_id(f->arena, dn, DT_MAILUSER)),
                                  P_I32(PidTagMemberRights, rights) };
    return modify(f, fid, flags, PERMISSION_ADD, props, 2);
}

static struct rop_done change(struct rop_fixture *f, uint64_t fid, uint8_t flags, int64_t member, uint32_t rights)
{
    const struct prop props[] = { P_I64(PidTagMemberId, (uint64_t)member), P_I32(PidTagMemberRights, rights) };
    return modify(f, fid, flags, PERMISSION_MODIFY, props, 2);
}

static int64_t member_id_of_bob(struct rop_fixture *f, uint64_t fid)
{
    struct store_permission *list;
    uint32_t count;
    int64_t id = 0;
    TALLOC_CTX *outer = f->arena;
    f->arena = talloc_new(outer);
    assert_int_equal(store_permissions(f->arena, rop_store(f), fid, &list, &count), ecNone);
    for (uint32_t i = 0; i < count; i++)
        if (list[i].legacy_dn)
            id = list[i].member_id;
    talloc_free(f->arena);
    f->arena = outer;
    return id;
}

static void a_new_folder_grants_nothing_and_the_calendar_tells_when_its_owner_is_busy(void **state)
{
    struct rop_fixture *f = *state;
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =0\n"); /* R1079, R1080, R189, R190 */
    assert_string_equal(list_of(f, CALENDAR, 2), "anonymous Anonymous=0\ndefault =800\n"); /* R19, R1182 */
    assert_string_equal(list_of(f, CALENDAR, 0), "anonymous Anonymous=0\ndefault =0\n");
    CODE(RUN(f, GetPermissionsTable, rop_folder(f, INBOX), .TableFlags = 0x04), ecInvalidParam);
    CODE(RUN(f, GetPermissionsTable, f->logon, .TableFlags = 0), ecNotSupported);
}

static void entries_are_added_changed_and_removed(void **state)
{
    struct rop_fixture *f = *state;
    CODE(add(f, INBOX, 0, f->bob->legacy_dn, 0x401), ecNone);                                          /* R28, R66 */
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =0\nBob Example=401\n"); /* R47, R51 */
    CODE(change(f, INBOX, 0, member_id_of_bob(f, INBOX), 0x402), ecNone);
    CODE(change(f, INBOX, 0, MEMBER_DEFAULT, 0x400), ecNone);
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =400\nBob Example=402\n"); /* R52 */
    CODE(change(f, INBOX, 0, 4711, 0x7FB), ecNone);                                                      /* R1175 */
    struct prop id = P_I64(PidTagMemberId, 4711);
    CODE(modify(f, INBOX, 0, PERMISSION_REMOVE, &id, 1), ecNone);
    CODE(add(f, INBOX, 0, f->bob->legacy_dn, 0x403), ecNone); /* he is there once */
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =400\nBob Example=403\n");
    id.u64 = (uint64_t)member_id_of_bob(f, INBOX);
    CODE(modify(f, INBOX, 0, PERMISSION_REMOVE, &id, 1), ecNone);
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =400\n"); /* R186, R1188 */
}

static void replacing_the_rows_keeps_the_default_entry_alone(void **state)
{
    struct rop_fixture *f = *state;
    CODE(add(f, INBOX, 0, f->bob->legacy_dn, 0x401), ecNone);
    CODE(change(f, INBOX, 0, MEMBER_DEFAULT, 0x400), ecNone);
    CODE(change(f, INBOX, 0, MEMBER_ANONYMOUS, 0x400), ecNone);
    CODE(add(f, INBOX, 1, f->alice->legacy_dn, 0x7FB), ecNone);
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =400\nAlice Example=7fb\n"); /* R1197 */
    CODE(change(f, INBOX, 1, MEMBER_DEFAULT, 0), ecInvalidParam); /* R45, R46, R1185 */
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =400\nAlice Example=7fb\n");
}

static void rights_come_with_those_that_they_need(void **state)
{
    struct rop_fixture *f = *state;
    CODE(add(f, INBOX, 0, f->bob->legacy_dn, RIGHT_READ_ANY | RIGHT_EDIT_ANY | RIGHT_DELETE_ANY | 0x80000004), ecNone);
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =0\nBob Example=479\n"); /* R104, R133,
                                                                                                         R129, R1093 */
}

static void free_busy_rights_are_the_calendars_and_meant_when_they_are_said(void **state)
{
    struct rop_fixture *f = *state;
    CODE(add(f, INBOX, 2, f->bob->legacy_dn, 0x1C01), ecNone);
    assert_string_equal(list_of(f, INBOX, 2), "anonymous Anonymous=0\ndefault =0\nBob Example=401\n");
    CODE(add(f, CALENDAR, 0, f->bob->legacy_dn, 0x401), ecNone);
    assert_string_equal(list_of(f, CALENDAR, 2), "anonymous Anonymous=0\ndefault =800\nBob Example=1c01\n"); /* R1182 */
    CODE(add(f, CALENDAR, 2, f->bob->legacy_dn, 0x401), ecNone);
    assert_string_equal(list_of(f, CALENDAR, 2), "anonymous Anonymous=0\ndefault =800\nBob Example=401\n"); /* R40 */
    CODE(change(f, CALENDAR, 0, member_id_of_bob(f, CALENDAR), 0x403), ecNone);
    assert_string_equal(list_of(f, CALENDAR, 2), "anonymous Anonymous=0\ndefault =800\nBob Example=403\n");
    CODE(add(f, CALENDAR, 2, f->bob->legacy_dn, 0x1000), ecNone);
    assert_string_equal(list_of(f, CALENDAR, 2), "anonymous Anonymous=0\ndefault =800\nBob Example=1800\n"); /* R95 */
    assert_string_equal(list_of(f, CALENDAR, 0), "anonymous Anonymous=0\ndefault =0\nBob Example=0\n");
}

static void what_is_no_change_of_a_list_is_refused_and_changes_nothing(void **state)
{
    struct rop_fixture *f = *state;
    const struct blob bob = address_book_entry_id(f->arena, f->bob->legacy_dn, DT_MAILUSER);
    const struct prop only_entry_id[] = { P_BIN(PidTagEntryId, bob) };
    const struct prop only_rights[] = { P_I32(PidTagMemberRights, 1) };
    const struct prop no_entry_id[] = { P_BIN(PidTagEntryId, BLOB_OF("xyz", 3)), P_I32(PidTagMemberRights, 1) };
    const struct prop by_id[] = { P_I64(PidTagMemberId, 77), P_I32(PidTagMemberRights, 1) };
    CODE(modify(f, INBOX, 0, PERMISSION_ADD, only_entry_id, 1), ecInvalidParam);
    CODE(modify(f, INBOX, 0, PERMISSION_ADD, only_rights, 1), ecInvalidParam);
    CODE(modify(f, INBOX, 0, PERMISSION_ADD, no_entry_id, 2), ecInvalidParam);
    CODE(modify(f, INBOX, 0, PERMISSION_ADD, by_id, 2), ecInvalidParam);
    CODE(modify(f, INBOX, 0, PERMISSION_MODIFY, only_rights, 1), ecInvalidParam);
    CODE(modify(f, INBOX, 0, PERMISSION_REMOVE, NULL, 0), ecInvalidParam);
    CODE(modify(f, INBOX, 0, 3, by_id, 2), ecInvalidParam);
    CODE(modify(f, INBOX, 0, 0, by_id, 2), ecInvalidParam);
    CODE(add(f, INBOX, 4, f->bob->legacy_dn, 1), ecInvalidParam);
    CODE(add(f, INBOX, 0, "/o=nobody", 1), ecInvalidParam);
    assert_string_equal(list_of(f, INBOX, 0), "anonymous Anonymous=0\ndefault =0\n");
}

static void a_folder_begins_with_its_parents_list_and_belongs_to_who_makes_it(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t parent = make_folder(f, IPM, "Parent");
    rop_grant(f, parent, RIGHT_VISIBLE | RIGHT_CREATE_SUBFOLDER);
    assert_string_equal(list_of(f, make_folder(f, parent, "Hers"), 0),
                        "anonymous Anonymous=0\ndefault =0\nBob Example=480\n");
    struct rop_fixture *bob = rop_delegate_session(f);
    assert_string_equal(list_of(f, make_folder(bob, parent, "His"), 0),
                        "anonymous Anonymous=0\ndefault =0\nBob Example=7fb\n");
}

/* [MS-OXCPERM] 4.1, as far as the identifiers in it are not those of another server */
static void the_example_of_the_specification_is_read_and_written_byte_by_byte(void **state)
{
    struct rop_fixture *f = *state;
    struct rop_batch *b = rop_batch(f);
    static const uint32_t columns[] = { PidTagMemberId, PidTagMemberName, PidTagMemberRights, PidTagEntryId };
    rop_batch_handle(b, rop_folder(f, CALENDAR));
    rop_batch_handle(b, rop_folder(f, CALENDAR));
    rop_batch_handle(b, 0xFFFFFFFF);
    struct blob sent = ADD(b, OpenStream, 1, 2, .PropertyTag = PidTagSecurityDescriptorAsXml);
    assert_string_equal(hex_text(f->arena, sent), "2b0001021f006a0e00");
    sent = ADD(b, GetPermissionsTable, 0, 1, .TableFlags = 2);
    assert_string_equal(hex_text(f->arena, sent), "3e00000102");
    sent = ADD(b, SetColumns, 1, 0, .PropertyTagCount = 4, .PropertyTags = columns);
    assert_string_equal(hex_text(f->arena, sent), "120001000400140071661f00726603007366"
                                                  "0201ff0f");
    assert_int_equal(rop_batch_run(b), ecNone);
    const uint8_t *answer = b->answers.at;
    assert_memory_equal(answer, "\x2B\x02\x02\x01\x04\x80", 6); /* R152, R183 */
    assert_memory_equal(answer + 6, "\x3E\x01\0\0\0\0", 6);
    assert_memory_equal(answer + 12, "\x12\x01\0\0\0\0\0", 7);
}

/* ---- somebody else in the mailbox ---- */

static void who_was_given_nothing_does_not_get_in_and_a_delegate_is_not_the_owner(void **state)
{
    struct rop_fixture *f = *state, *bob = rop_second_session(f);
    session_free(bob->session);
    bob->session = session_new(f->sessions, f->bob->mailbox_guid, &f->client);
    const struct RopLogonRequest request = {
        .LogonFlags = 1, .OpenFlags = 0x0100040C, .EssdnSize = 1, .Essdn = f->alice->legacy_dn
    };
    CODE(rop_run(bob, "Logon", 0xFFFFFFFF, 0, &request, NULL, 0), ecAccessDenied); /* MS-OXCSTOR_R188 */
    rop_grant(f, CALENDAR, RIGHT_VISIBLE);
    const struct rop_done delegate = rop_run(bob, "Logon", 0xFFFFFFFF, 0, &request, NULL, 0);
    CODE(delegate, ecNone);
    assert_int_equal(((const struct RopLogonResponse *)delegate.response)->ResponseFlags, 0x01);
    const struct grant grant = { f->alice->guid, f->bob->guid, GRANT_FULL_ACCESS | GRANT_SEND_AS, 0 };
    assert_int_equal(directory_grant(f->directory, &grant), ecNone);
    const struct rop_done full = rop_run(bob, "Logon", 0xFFFFFFFF, 0, &request, NULL, 0);
    assert_int_equal(((const struct RopLogonResponse *)full.response)->ResponseFlags,
                     0x07); /* MS-OXCSTOR_R125, MS-OXCSTOR_R127 */
}

static void the_root_leads_a_delegate_to_the_calendar_and_hides_the_rest(void **state)
{
    struct rop_fixture *f = *state;
    rop_grant(f, CALENDAR, RIGHT_VISIBLE | RIGHT_READ_ANY);
    struct rop_fixture *bob = rop_delegate_session(f);
    const uint32_t root = rop_folder(bob, STORE_FID(SPECIAL_ROOT));
    assert_int_equal(PROP_TYPE(rop_get(bob, root, PidTagIpmAppointmentEntryId).tag), PtypBinary);
    const struct rop_done table = RUN(bob, GetHierarchyTable, bob->logon, .TableFlags = 0x04);
    assert_int_equal(((const struct RopGetHierarchyTableResponse *)table.response)->RowCount, 1);
    static const uint32_t columns[] = { PidTagFolderId, PidTagRights, PidTagAccess };
    RUN(bob, SetColumns, table.handle, .PropertyTagCount = 3, .PropertyTags = columns);
    const struct RopQueryRowsResponse *rows =
        RUN_ROWS(bob, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 50).response;
    assert_int_equal(rows->RowCount, 1); /* R103 */
    assert_int_equal(rows->RowData[0].values[0].u64, CALENDAR);
    assert_int_equal(rows->RowData[0].values[1].u32, 0x401); /* R87, MS-OXCFOLD_R10367 */
    assert_int_equal(rows->RowData[0].values[2].u32, 0x02);  /* MS-OXCPRPT_R17 */
}

static void rights_that_change_count_at_once_for_what_is_open(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = store_message(f, CALENDAR, false);
    static const uint32_t columns[] = { PidTagMid };
    struct prop subject = P_STR(PidTagSubject, "changed");
    rop_grant(f, CALENDAR, RIGHTS_OWNER_ROLE);
    struct rop_fixture *bob = rop_delegate_session(f);
    const uint32_t folder = rop_folder(bob, CALENDAR), message = rop_open_message(bob, CALENDAR, mid, 1);
    const struct rop_done table = RUN(bob, GetContentsTable, folder, .TableFlags = 0);
    const struct rop_done members = RUN(bob, GetPermissionsTable, folder, .TableFlags = 0);
    RUN(bob, SetColumns, table.handle, .PropertyTagCount = 1, .PropertyTags = columns);
    RUN(bob, SetColumns, members.handle, .PropertyTagCount = 4, .PropertyTags = list_columns);
    CODE(RUN(bob, SetProperties, message, .PropertyValueCount = 1, .PropertyValues = &subject), ecNone);

    rop_grant(f, CALENDAR, RIGHT_VISIBLE | RIGHT_READ_ANY);
    CODE(RUN(bob, SaveChangesMessage, message, .SaveFlags = 0), ecAccessDenied); /* R125 */
    CODE(RUN_ROWS(bob, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 5), ecNone);
    rop_grant(f, CALENDAR, RIGHT_VISIBLE);
    CODE(RUN_ROWS(bob, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 5),
         ecAccessDenied); /* R144 */
    CODE(RUN(bob, SetProperties, message, .PropertyValueCount = 1, .PropertyValues = &subject), ecAccessDenied);
    CODE(RUN_ROWS(bob, QueryRows, members.handle, list_columns, .ForwardRead = true, .RowCount = 5), ecNone);
    rop_grant(f, CALENDAR, 0);
    CODE(RUN(bob, GetContentsTable, folder, .TableFlags = 0), ecAccessDenied);
    CODE(RUN_ROWS(bob, QueryRows, members.handle, list_columns, .ForwardRead = true, .RowCount = 5),
         ecAccessDenied);                                                     /* R2007, R177 */
    CODE(RUN(bob, OpenFolder, bob->logon, .FolderId = CALENDAR), ecNotFound); /* MS-OXCFOLD_R470 */
    rop_grant(f, CALENDAR, RIGHTS_OWNER_ROLE);
    CODE(RUN(bob, SaveChangesMessage, message, .SaveFlags = 0), ecNone);
}

static void full_access_is_the_owners_and_ends_when_it_is_taken(void **state)
{
    struct rop_fixture *f = *state;
    struct grant grant = { f->alice->guid, f->bob->guid, GRANT_FULL_ACCESS, 0 };
    assert_int_equal(directory_grant(f->directory, &grant), ecNone);
    struct rop_fixture *bob = rop_delegate_session(f);
    static const uint32_t columns[] = { PidTagFolderId };
    const uint32_t inbox = rop_folder(bob, INBOX);
    const struct rop_done tree = RUN(bob, GetHierarchyTable, bob->logon, .TableFlags = 0x04);
    RUN(bob, SetColumns, tree.handle, .PropertyTagCount = 1, .PropertyTags = columns);
    const struct RopQueryRowsResponse *rows =
        RUN_ROWS(bob, QueryRows, tree.handle, columns, .ForwardRead = true, .RowCount = 50, .QueryRowsFlags = 1)
            .response;
    assert_true(rows->RowCount > 20);
    const uint64_t mid = rop_message(bob, INBOX, "by bob");
    const uint32_t message = rop_open_message(bob, INBOX, mid, 0);
    assert_string_equal(rop_get(bob, message, PidTagCreatorName).str, "Bob Example");
    assert_string_equal(rop_get(bob, message, PidTagLastModifierName).str, "Bob Example");

    grant.denied = GRANT_FULL_ACCESS;
    assert_int_equal(directory_grant(f->directory, &grant), ecNone);
    CODE(RUN(bob, GetContentsTable, inbox, .TableFlags = 0), ecAccessDenied);
    rows = RUN_ROWS(bob, QueryRows, tree.handle, columns, .ForwardRead = true, .RowCount = 50).response;
    assert_int_equal(rows->RowCount, 0);
    CODE(RUN(bob, OpenMessage, bob->logon, .CodePageId = 0x0FFF, .FolderId = INBOX, .MessageId = mid), ecNone);
    CODE(RUN(bob, OpenMessage, bob->logon, .CodePageId = 0x0FFF, .FolderId = INBOX, .MessageId = mid,
             .OpenModeFlags = 1),
         ecAccessDenied); /* R132 */
}

static void best_access_is_what_the_rights_allow(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = store_message(f, INBOX, false);
    rop_grant(f, INBOX, RIGHT_READ_ANY | RIGHT_DELETE_ANY);
    struct rop_fixture *bob = rop_delegate_session(f);
    const uint32_t message = rop_open_message(bob, INBOX, mid, 3);
    assert_int_equal(rop_get(bob, message, PidTagAccessLevel).u32, 0); /* MS-OXCPRPT_R27, MS-OXCMSG_R3010 */
    assert_int_equal(rop_get(bob, message, PidTagAccess).u32, 0x06);   /* MS-OXCPRPT_R17, MS-OXCPRPT_R18 */
    rop_grant(f, INBOX, RIGHT_READ_ANY | RIGHT_EDIT_ANY);
    assert_int_equal(rop_get(bob, rop_open_message(bob, INBOX, mid, 3), PidTagAccessLevel).u32, 1);
}

static void nobody_claims_a_message_by_writing_his_name_on_it(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = store_message(f, INBOX, false);
    rop_grant(f, INBOX, RIGHT_READ_ANY | RIGHT_EDIT_ANY | RIGHT_DELETE_OWNED);
    struct rop_fixture *bob = rop_delegate_session(f);
    const uint32_t message = rop_open_message(bob, INBOX, mid, 1);
    struct prop creator = P_BIN(PidTagCreatorEntryId, address_book_entry_id(f->arena, f->bob->legacy_dn, DT_MAILUSER));
    const struct rop_done set = RUN(bob, SetProperties, message, .PropertyValueCount = 1, .PropertyValues = &creator);
    assert_int_equal(((const struct RopSetPropertiesResponse *)set.response)->PropertyProblemCount, 1);
    rop_set(bob, message, P_STR(PidTagSubject, "edited"));
    rop_save(bob, message);
    const struct rop_done gone =
        RUN(bob, DeleteMessages, rop_folder(bob, INBOX), .MessageIdCount = 1, .MessageIds = &mid);
    assert_true(((const struct RopDeleteMessagesResponse *)gone.response)->PartialCompletion); /* R122 */
    const uint32_t hers = rop_open_message(f, INBOX, mid, 1);
    assert_string_equal(rop_get(f, hers, PidTagCreatorName).str, "Alice Example");
    assert_string_equal(rop_get(f, hers, PidTagLastModifierName).str, "Bob Example");
    rop_save(f, hers);
    assert_string_equal(rop_get(f, hers, PidTagLastModifierName).str, "Alice Example");
}

static void a_second_mailbox_in_a_session_needs_the_flag_for_its_ids(void **state)
{
    struct rop_fixture *f = *state;
    rop_grant(f, CALENDAR, RIGHT_VISIBLE);
    struct rop_fixture *bob = rop_delegate_session(f);
    for (unsigned i = 0; i < 2; i++) {
        struct rop_batch *b = rop_batch(bob);
        rop_batch_handle(b, 0xFFFFFFFF);
        rop_batch_add(
            b, "Logon", 1, 0, 0,
            &(struct RopLogonRequest){
                .LogonFlags = 1, .OpenFlags = i ? 0x01000000 : 0, .EssdnSize = 1, .Essdn = f->bob->legacy_dn });
        assert_int_equal(rop_batch_run(b), ecNone);
        assert_int_equal(rop_batch_next(b, "Logon", NULL, 0).code,
                         i ? 0 : (uint32_t)ecInvalidParam); /* MS-OXCSTOR_R803, MS-OXCSTOR_R3155 */
    }
}

/* ---- notifications ---- */

static unsigned heard(struct rop_fixture *f, uint16_t kind, uint64_t fid)
{
    unsigned count = 0;
    rop_poll(f);
    for (const struct notification_seen *n = f->notifications; n; n = n->next) {
        const struct NotificationData *d = &n->body.NotificationData;
        count += (d->NotificationFlags & 0x0FFF) == kind && (kind == 0x0100 ? d->TableRowFolderID : d->FolderId) == fid;
    }
    f->notifications = NULL;
    return count;
}

static void a_delegate_hears_of_what_he_may_read_and_of_nothing_else(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t open = make_folder(f, IPM, "Open"), closed = make_folder(f, IPM, "Closed");
    rop_grant(f, open, RIGHT_READ_ANY);
    struct rop_fixture *bob = rop_delegate_session(f);
    CODE(RUN(bob, RegisterNotification, bob->logon, .NotificationTypes = 0x7E, .WantWholeStore = 1), ecNone);
    const uint64_t secret = rop_message(f, closed, "secret"), shown = rop_message(f, open, "shown");
    assert_int_equal(heard(bob, STORE_CREATED, open), 1);
    rop_message(f, closed, "secret too");
    assert_int_equal(heard(bob, STORE_CREATED, closed), 0);

    RUN_TO(f, MoveCopyMessages, rop_folder(f, closed), rop_folder(f, open), .MessageIdCount = 1, .MessageIds = &secret);
    assert_int_equal(heard(bob, STORE_CREATED, open), 1);
    RUN_TO(f, MoveCopyMessages, rop_folder(f, open), rop_folder(f, closed), .MessageIdCount = 1, .MessageIds = &shown);
    assert_int_equal(heard(bob, STORE_DELETED, open), 1);
    rop_grant(f, open, RIGHT_VISIBLE);
    heard(bob, 0, 0);
    rop_message(f, open, "no longer");
    assert_int_equal(heard(bob, STORE_CREATED, open), 0);
}

static void a_folder_comes_into_a_delegates_tree_and_goes_with_his_right_to_see_it(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t fid = make_folder(f, IPM, "Comes and goes");
    static const uint32_t columns[] = { PidTagFolderId };
    rop_grant(f, CALENDAR, RIGHT_VISIBLE);
    struct rop_fixture *bob = rop_delegate_session(f);
    const struct rop_done tree = RUN(bob, GetHierarchyTable, bob->logon, .TableFlags = 0x04);
    RUN(bob, SetColumns, tree.handle, .PropertyTagCount = 1, .PropertyTags = columns);
    RUN_ROWS(bob, QueryRows, tree.handle, columns, .ForwardRead = true, .RowCount = 50);
    make_folder(f, IPM, "Hidden");
    assert_int_equal(heard(bob, 0x0100, fid), 0);
    rop_grant(f, fid, RIGHT_VISIBLE);
    assert_int_equal(heard(bob, 0x0100, fid), 1);
    rop_grant(f, fid, 0);
    assert_int_equal(heard(bob, 0x0100, 0), 1); /* TableChanged: others may have gone with it */
    RUN_ROWS(bob, QueryRows, tree.handle, columns, .ForwardRead = true, .RowCount = 50);
    CODE(RUN(f, SetProperties, rop_folder(f, fid), .PropertyValueCount = 1,
             .PropertyValues = &P_STR(PidTagComment, "unseen")),
         ecNone);
    assert_int_equal(heard(bob, 0x0100, fid), 0);
}

static void a_table_tells_nothing_to_who_may_not_read_any_more(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t columns[] = { PidTagMid };
    rop_grant(f, INBOX, RIGHT_READ_ANY);
    struct rop_fixture *bob = rop_delegate_session(f);
    const struct rop_done table = RUN(bob, GetContentsTable, rop_folder(bob, INBOX), .TableFlags = 0);
    RUN(bob, SetColumns, table.handle, .PropertyTagCount = 1, .PropertyTags = columns);
    RUN_ROWS(bob, QueryRows, table.handle, columns, .ForwardRead = true, .RowCount = 50);
    rop_message(f, INBOX, "shown");
    assert_int_equal(heard(bob, 0x0100, INBOX), 1);
    rop_grant(f, INBOX, RIGHT_VISIBLE);
    rop_message(f, INBOX, "not shown");
    assert_int_equal(heard(bob, 0x0100, INBOX), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_new_folder_grants_nothing_and_the_calendar_tells_when_its_owner_is_busy),
        ROP_TEST(entries_are_added_changed_and_removed),
        ROP_TEST(replacing_the_rows_keeps_the_default_entry_alone),
        ROP_TEST(rights_come_with_those_that_they_need),
        ROP_TEST(free_busy_rights_are_the_calendars_and_meant_when_they_are_said),
        ROP_TEST(what_is_no_change_of_a_list_is_refused_and_changes_nothing),
        ROP_TEST(a_folder_begins_with_its_parents_list_and_belongs_to_who_makes_it),
        ROP_TEST(the_example_of_the_specification_is_read_and_written_byte_by_byte),
        ROP_TEST(who_was_given_nothing_does_not_get_in_and_a_delegate_is_not_the_owner),
        ROP_TEST(the_root_leads_a_delegate_to_the_calendar_and_hides_the_rest),
        ROP_TEST(rights_that_change_count_at_once_for_what_is_open),
        ROP_TEST(full_access_is_the_owners_and_ends_when_it_is_taken),
        ROP_TEST(best_access_is_what_the_rights_allow),
        ROP_TEST(nobody_claims_a_message_by_writing_his_name_on_it),
        ROP_TEST(a_second_mailbox_in_a_session_needs_the_flag_for_its_ids),
        ROP_TEST(a_delegate_hears_of_what_he_may_read_and_of_nothing_else),
        ROP_TEST(a_folder_comes_into_a_delegates_tree_and_goes_with_his_right_to_see_it),
        ROP_TEST(a_table_tells_nothing_to_who_may_not_read_any_more),
        ROP_TEST(every_right_lets_a_delegate_do_what_the_matrix_says_and_nothing_else),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests_name("permissions", tests, NULL, NULL);
}
