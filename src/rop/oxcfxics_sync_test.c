/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCFXICS]: synchronisation from the server. */
#include "rop/fx_fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum {
    NO_DELETIONS = 0x0002,
    IGNORE_SCOPE = 0x0004,
    READ_STATE = 0x0008,
    FAI = 0x0010,
    NORMAL = 0x0020,
    ONLY_SPECIFIED = 0x0080,
    NO_FOREIGN = 0x0100,
    IGNORE_SPECIFIED_ON_FAI = 0x4000,
    PROGRESS = 0x8000
};
enum { EID = 1, SIZE = 2, CN = 4, BY_DELIVERY_TIME = 8 };
#define STATE "IncrSyncStateBegin IncrSyncStateEnd IncrSyncEnd"

static void assert_outline(struct fx_client *c, const char *expected)
{
    assert_string_equal(fx_outline(c->f->arena, &c->got), expected);
}

static void nothing_more(struct fx_client *c)
{
    fx_client_sync(c);
    assert_outline(c, STATE);
}

static void delete_message(struct rop_fixture *f, uint64_t fid, uint64_t mid)
{
    CODE(RUN(f, DeleteMessages, rop_folder(f, fid), .MessageIdCount = 1, .MessageIds = &mid), ecNone);
}

static void set_subject(struct rop_fixture *f, uint64_t fid, uint64_t mid, const char *subject)
{
    const uint32_t m = rop_open_message(f, fid, mid, 1);
    rop_set(f, m, P_STR(PidTagSubject, subject));
    rop_save(f, m);
    RUN(f, Release, m);
}

static void set_read(struct rop_fixture *f, uint64_t fid, uint64_t mid, bool read)
{
    CODE(RUN(f, SetReadFlags, rop_folder(f, fid), .ReadFlags = read ? 0 : 4, .MessageIdCount = 1, .MessageIds = &mid),
         ecNone);
}

static const struct prop *in_header(struct fx_client *c, unsigned which, uint32_t tag)
{
    return fx_find(&c->got, fx_marker_at(&c->got, "IncrSyncChg", which), tag, "IncrSyncMessage");
}

static const char *subject_of(struct fx_client *c, unsigned which)
{
    const struct prop *p =
        fx_find(&c->got, fx_marker_at(&c->got, "IncrSyncMessage", which), PidTagSubject, "IncrSyncChg");
    return p ? p->str : NULL;
}

/* ---- contents ---- */

static void an_empty_folder_gives_its_state_alone(void **state)
{
    struct fx_client *c = fx_client(*state, INBOX, FX_CONTENTS);
    fx_client_sync(c);
    assert_outline(c, STATE); /* R3321 */
    assert_int_equal(c->got.elements[1].tag, MetaTagCnsetSeen);
    assert_non_null(fx_find(&c->got, 0, MetaTagIdsetGiven, NULL));
    assert_int_equal(fx_find(&c->got, 0, MetaTagIdsetGiven, NULL)->bin.size, 0);
    assert_non_null(fx_find(&c->got, 0, MetaTagCnsetRead, NULL));
}

static void a_new_message_comes_whole_and_the_second_time_not_at_all(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "RE: one");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    fx_client_sync(c);
    assert_outline(c, "IncrSyncChg IncrSyncMessage " STATE); /* R2043, R2044 */
    assert_string_equal(subject_of(c, 0), "RE: one");
    assert_true(fx_client_has(c, c->given, mid)); /* R2065 */
    nothing_more(c);                              /* R1859 */
    assert_true(fx_client_has(c, c->given, mid));
}

static void a_header_identifies_the_change_in_its_fixed_order(void **state)
{
    static const uint32_t order[] = { PidTagSourceKey,   PidTagLastModificationTime,
                                      PidTagChangeKey,   PidTagPredecessorChangeList,
                                      PidTagAssociated,  PidTagMid,
                                      PidTagMessageSize, PidTagChangeNumber };
    struct rop_fixture *f = *state;
    const uint64_t mid = rop_message(f, INBOX, "one");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    fx_client_sync(c);
    for (size_t i = 0; i < COUNTOF(order); i++)
        assert_int_equal(c->got.elements[1 + i].tag,
                         order[i]); /* R1353, R1355, R1357, R1359, R1361, R1363, R1365, R1367 */
    assert_string_equal(c->got.elements[1 + COUNTOF(order)].marker, "IncrSyncMessage"); /* R1368 */
    assert_true(in_header(c, 0, PidTagMid)->u64 == mid);                                /* R2761 */
    assert_int_equal(in_header(c, 0, PidTagSourceKey)->bin.size, 22);                   /* R1352, R2079 */
    assert_false(in_header(c, 0, PidTagAssociated)->b);
    const uint32_t m = rop_open_message(f, INBOX, mid, 0);
    assert_true(in_header(c, 0, PidTagChangeNumber)->u64 == rop_get(f, m, PidTagChangeNumber).u64);  /* R2196 */
    assert_int_equal(in_header(c, 0, PidTagMessageSize)->u32, rop_get(f, m, PidTagMessageSize).u32); /* R2195 */
    const struct prop pcl = rop_get(f, m, PidTagPredecessorChangeList), key = rop_get(f, m, PidTagChangeKey);
    assert_true(prop_equal(in_header(c, 0, PidTagPredecessorChangeList), &pcl)); /* R1358 */
    assert_true(prop_equal(in_header(c, 0, PidTagChangeKey), &key));             /* R1356 */
    assert_null(fx_find(&c->got, fx_marker_at(&c->got, "IncrSyncMessage", 0), PidTagLastModificationTime, NULL));
}

static void what_the_extra_flags_do_not_ask_for_is_not_in_the_header(void **state)
{
    struct rop_fixture *f = *state;
    rop_message(f, INBOX, "one");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    c->extra = 0xF0; /* R2201, R2730 */
    fx_client_sync(c);
    assert_null(in_header(c, 0, PidTagMid));          /* R716002 */
    assert_null(in_header(c, 0, PidTagMessageSize));  /* R718001 */
    assert_null(in_header(c, 0, PidTagChangeNumber)); /* R2197 */
}

static void only_the_message_that_was_changed_comes_again(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t one = rop_message(f, INBOX, "one");
    rop_message(f, INBOX, "two");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    fx_client_sync(c);
    set_subject(f, INBOX, one, "uno");
    fx_client_sync(c);
    assert_outline(c, "IncrSyncChg IncrSyncMessage " STATE);
    assert_string_equal(subject_of(c, 0), "uno");
    nothing_more(c);
}

static void deletions_are_told_of_what_the_client_has(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t one = rop_message(f, INBOX, "one"), two = rop_message(f, INBOX, "two");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS), *deaf = fx_client(f, INBOX, FX_CONTENTS);
    deaf->flags |= NO_DELETIONS;
    fx_client_sync(c);
    fx_client_sync(deaf);
    delete_message(f, INBOX, one);
    fx_client_sync(c);
    assert_outline(c, "IncrSyncDel " STATE);           /* R2045, R2167 */
    assert_true(fx_says(c, MetaTagIdsetDeleted, one)); /* R7200101 */
    assert_false(fx_says(c, MetaTagIdsetDeleted, two));
    assert_false(fx_client_has(c, c->given, one));
    assert_true(fx_client_has(c, c->given, two));
    nothing_more(c);
    fx_client_sync(deaf);
    assert_outline(deaf, STATE); /* R2165, R1061 */
}

static void a_message_that_moves_leaves_one_folder_and_enters_the_other(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t drafts = STORE_FID(SPECIAL_DRAFTS), mid = rop_message(f, INBOX, "one");
    struct fx_client *from = fx_client(f, INBOX, FX_CONTENTS), *to = fx_client(f, drafts, FX_CONTENTS);
    fx_client_sync(from);
    fx_client_sync(to);
    CODE(RUN_TO(f, MoveCopyMessages, rop_folder(f, INBOX), rop_folder(f, drafts), .MessageIdCount = 1,
                .MessageIds = &mid),
         ecNone);
    fx_client_sync(from);
    fx_client_sync(to);
    assert_true(fx_says(from, MetaTagIdsetDeleted, mid)); /* R78, R3371 */
    assert_string_equal(subject_of(to, 0), "one");        /* R3372 */
    nothing_more(from);
    nothing_more(to);
}

static void read_states_come_as_sets_of_ids(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t one = rop_message(f, INBOX, "one"), two = rop_message(f, INBOX, "two"),
                   three = rop_message(f, INBOX, "three");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS), *deaf = fx_client(f, INBOX, FX_CONTENTS);
    deaf->flags &= ~READ_STATE;
    set_read(f, INBOX, two, false);
    fx_client_sync(c);
    fx_client_sync(deaf);
    set_read(f, INBOX, one, false);
    set_read(f, INBOX, two, true);
    set_read(f, INBOX, three, false);
    set_subject(f, INBOX, three, "drei");
    fx_client_sync(c);
    assert_outline(c, "IncrSyncChg IncrSyncMessage IncrSyncRead " STATE); /* R2048, R2170, R2076 */
    assert_true(fx_says(c, MetaTagIdsetUnread, one));                     /* R87 */
    assert_true(fx_says(c, MetaTagIdsetRead, two));                       /* R84 */
    assert_false(fx_says(c, MetaTagIdsetUnread, three));
    nothing_more(c);
    fx_client_sync(deaf);
    assert_int_equal(fx_markers(&deaf->got, "IncrSyncRead"), 0); /* R2171, R1192 */
}

static uint64_t associated_message(struct rop_fixture *f, const char *subject)
{
    const struct rop_done made =
        RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX, .AssociatedFlag = true);
    CODE(made, ecNone);
    rop_set(f, made.handle, P_STR(PidTagSubject, subject));
    return rop_save(f, made.handle);
}

static void each_kind_of_message_comes_where_its_flag_is_set(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *normal = fx_client(f, INBOX, FX_CONTENTS), *fai = fx_client(f, INBOX, FX_CONTENTS);
    rop_message(f, INBOX, "normal");
    associated_message(f, "fai");
    normal->flags &= ~FAI;
    fai->flags &= ~NORMAL;
    fx_client_sync(normal);
    assert_int_equal(fx_markers(&normal->got, "IncrSyncChg"), 1); /* R2173, R2174 */
    assert_string_equal(subject_of(normal, 0), "normal");
    fx_client_sync(fai);
    assert_int_equal(fx_markers(&fai->got, "IncrSyncChg"), 1); /* R2172, R2175 */
    assert_string_equal(subject_of(fai, 0), "fai");
    assert_true(in_header(fai, 0, PidTagAssociated)->b);
    fai->flags |= NORMAL;
    fx_client_sync(fai);
    assert_string_equal(subject_of(fai, 0), "normal"); /* R2066, R2067 */
    nothing_more(fai);
}

static void the_property_list_leaves_out_or_chooses(void **state)
{
    static const uint32_t tags[] = { PidTagSubject, PidTagMessageRecipients };
    struct rop_fixture *f = *state;
    struct fx_client *without = fx_client(f, INBOX, FX_CONTENTS), *only = fx_client(f, INBOX, FX_CONTENTS);
    rop_message(f, INBOX, "normal");
    associated_message(f, "fai");
    without->tags = only->tags = tags;
    without->tag_count = only->tag_count = COUNTOF(tags);
    fx_client_sync(without);
    const uint32_t at = fx_marker_at(&without->got, "IncrSyncMessage", 0);
    assert_null(subject_of(without, 0)); /* R2177, R2203 */
    assert_non_null(fx_find(&without->got, at, PidTagNormalizedSubject, "IncrSyncChg"));
    assert_int_equal(fx_find(&without->got, at, MetaTagFXDelProp, "IncrSyncChg")->u32,
                     PidTagMessageAttachments); /* R2278 */
    only->flags |= ONLY_SPECIFIED;
    fx_client_sync(only);
    for (unsigned i = 0; i < 2; i++) { /* R2176, R2183004 */
        const uint32_t here = fx_marker_at(&only->got, "IncrSyncMessage", i);
        assert_int_equal(only->got.elements[here + 1].tag, PidTagSubject);
        assert_int_equal(only->got.elements[here + 2].tag, MetaTagFXDelProp); /* R2280 */
        assert_int_equal(only->got.elements[here + 2].prop.u32, PidTagMessageRecipients);
        assert_non_null(only->got.elements[here + 3].marker);
    }
    struct fx_client *fai = fx_client(f, INBOX, FX_CONTENTS);
    fai->flags |= ONLY_SPECIFIED | IGNORE_SPECIFIED_ON_FAI;
    fai->tags = tags;
    fai->tag_count = 1;
    fx_client_sync(fai);
    for (unsigned i = 0; i < 2; i++) { /* R2183005, R2183006 */
        const bool is_fai = in_header(fai, i, PidTagAssociated)->b;
        const uint32_t here = fx_marker_at(&fai->got, "IncrSyncMessage", i);
        assert_int_equal(fx_find(&fai->got, here, PidTagMessageClass, "IncrSyncChg") != NULL, is_fai);
    }
}

static void a_client_that_leaves_out_one_form_of_the_body_gets_another(void **state)
{
    static const uint32_t plain[] = { PidTagBody }, all[] = { PidTagBody, PidTagHtml, PidTagRtfCompressed };
    struct rop_fixture *f = *state;
    const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS), *none = fx_client(f, INBOX, FX_CONTENTS);
    rop_set(f, made.handle, P_STR(PidTagBody, "plain"));
    rop_save(f, made.handle);
    c->tags = plain;
    c->tag_count = COUNTOF(plain);
    fx_client_sync(c);
    assert_null(fx_find(&c->got, 0, PidTagBody, NULL));
    assert_non_null(fx_find(&c->got, 0, PidTagHtml, NULL));
    none->tags = all;
    none->tag_count = COUNTOF(all);
    fx_client_sync(none);
    for (size_t i = 0; i < COUNTOF(all); i++)
        assert_null(fx_find(&none->got, 0, all[i], NULL));
}

static void a_restriction_chooses_and_what_leaves_it_is_told(void **state)
{
    const struct restriction wanted = {
        .type = RES_CONTENT, .fuzzy_low = FL_PREFIX, .tag = PidTagSubject, .value = P_STR(PidTagSubject, "yes")
    };
    struct rop_fixture *f = *state;
    const uint64_t one = rop_message(f, INBOX, "yes");
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS), *deaf = fx_client(f, INBOX, FX_CONTENTS);
    rop_message(f, INBOX, "no");
    deaf->flags |= IGNORE_SCOPE;
    c->restriction = deaf->restriction = &wanted;
    fx_client_sync(c);
    fx_client_sync(deaf);
    assert_int_equal(fx_markers(&c->got, "IncrSyncChg"), 1);
    set_subject(f, INBOX, one, "no longer");
    fx_client_sync(c);
    assert_outline(c, "IncrSyncDel " STATE); /* R2047, R133301 */
    assert_true(fx_says(c, MetaTagIdsetNoLongerInScope, one));
    assert_false(fx_client_has(c, c->given, one));
    fx_client_sync(deaf);
    assert_outline(deaf, STATE); /* R1334, R2168 */
}

static void progress_is_told_in_all_and_before_each_message(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    struct ProgressInformation total;
    rop_message(f, INBOX, "one");
    associated_message(f, "fai");
    c->flags |= PROGRESS;
    fx_client_sync(c);
    assert_outline(c, "IncrSyncProgressMode IncrSyncProgressPerMsg IncrSyncChg IncrSyncMessage"
                      " IncrSyncProgressPerMsg IncrSyncChg IncrSyncMessage " STATE); /* R2187, R1179, R1171 */
    const struct prop *p = &c->got.elements[1].prop;
    assert_int_equal(p->tag, 0x00000102); /* R1386, R1387 */
    assert_int_equal(p->bin.size, 32);
    struct wire_in in = wire_in(f->arena, p->bin);
    assert_true(wire_get(&in, &ProgressInformation_wire, &total));
    assert_int_equal(total.Version, 0);            /* R222 */
    assert_int_equal(total.FAIMessageCount, 1);    /* R227 */
    assert_int_equal(total.NormalMessageCount, 1); /* R231 */
    const struct fx_element *each = &c->got.elements[fx_marker_at(&c->got, "IncrSyncProgressPerMsg", 0)];
    assert_int_equal(each[1].tag, 0x00000003);
    assert_int_equal(each[2].tag, 0x0000000B);
    assert_int_equal(each[2].prop.b ? total.FAIMessageTotalSize : total.NormalMessageTotalSize, each[1].prop.u32);
}

static void by_delivery_time_the_newest_comes_first(void **state)
{
    static const uint64_t times[] = { 30, 10, 20 };
    static const char *const subjects[] = { "30", "10", "20" };
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    for (size_t i = 0; i < COUNTOF(times); i++) {
        const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
        rop_set(f, made.handle, P_STR(PidTagSubject, subjects[i]));
        rop_set(f, made.handle, P_TIME(PidTagMessageDeliveryTime, times[i]));
        rop_save(f, made.handle);
    }
    c->extra |= BY_DELIVERY_TIME;
    fx_client_sync(c);
    assert_string_equal(subject_of(c, 0), "30"); /* R2198, R3502 */
    assert_string_equal(subject_of(c, 1), "20");
    assert_string_equal(subject_of(c, 2), "10");
    nothing_more(c);
}

/* ---- what is in a message ---- */

static uint32_t with_recipients(struct rop_fixture *f, uint32_t message)
{
    static const uint32_t columns[] = { PidTagObjectType };
    static const struct prop value[] = { { .tag = PidTagObjectType, .u32 = 6 } };
    struct ModifyRecipientRow rows[2] = { 0 };
    for (uint32_t i = 0; i < 2; i++)
        rows[i] = (struct ModifyRecipientRow){ .RowId = i,
                                               .RecipientType = (uint8_t)(1 + i),
                                               .RecipientRowSize = 1,
                                               .RecipientRow = { .RecipientFlags = 0x0203 | 0x0018,
                                                                 .EmailAddress = i ? "b@contoso.com" : "a@contoso.com",
                                                                 .DisplayName = i ? "B" : "A",
                                                                 .RecipientColumnCount = 1,
                                                                 .RecipientProperties = { 1, value } } };
    CODE(rop_run(f, "ModifyRecipients", message, 0,
                 &(struct RopModifyRecipientsRequest){
                     .ColumnCount = 1, .RecipientColumns = columns, .RowCount = 2, .RecipientRows = rows },
                 NULL, 0),
         ecNone);
    return message;
}

static uint32_t attach(struct rop_fixture *f, uint32_t message, uint32_t method)
{
    const struct rop_done done = RUN(f, CreateAttachment, message);
    CODE(done, ecNone);
    rop_set(f, done.handle, P_I32(PidTagAttachMethod, method));
    return done.handle;
}

static void write_long(struct rop_fixture *f, uint32_t object, uint32_t tag, size_t size)
{
    const struct rop_done s = RUN(f, OpenStream, object, .PropertyTag = tag, .OpenModeFlags = 2);
    CODE(s, ecNone);
    uint8_t *piece = talloc_array(f->arena, uint8_t, 20000);
    for (size_t at = 0; at < size; at += 20000) {
        const uint16_t n = (uint16_t)MIN(size - at, (size_t)20000);
        for (uint16_t i = 0; i < n; i++)
            piece[i] =
                PROP_TYPE(tag) == PtypString ? (uint8_t)(i % 2 ? 0 : 'a' + at / 20000 % 26) : (uint8_t)((at + i) % 251);
        CODE(RUN(f, WriteStream, s.handle, .DataSize = n, .Data = BLOB_OF(piece, n)), ecNone);
    }
    CODE(RUN(f, CommitStream, s.handle), ecNone);
    RUN(f, Release, s.handle);
}

static void a_rich_message(struct rop_fixture *f)
{
    const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    const uint32_t m = with_recipients(f, made.handle);
    rop_set(f, m, P_STR(PidTagSubject, "rich"));
    write_long(f, m, PidTagBody, 200000);
    const uint32_t file = attach(f, m, 1), inside = attach(f, m, 5);
    rop_set(f, file, P_STR(PidTagAttachLongFilename, "file.bin"));
    write_long(f, file, PidTagAttachDataBinary, 300000);
    CODE(RUN(f, SaveChangesAttachment, file, .SaveFlags = 0x0C), ecNone);
    const struct rop_done embedded = RUN(f, OpenEmbeddedMessage, inside, .CodePageId = 0x0FFF, .OpenModeFlags = 2);
    CODE(embedded, ecNone);
    rop_set(f, embedded.handle, P_STR(PidTagSubject, "inside"));
    rop_save(f, embedded.handle);
    CODE(RUN(f, SaveChangesAttachment, inside, .SaveFlags = 0x0C), ecNone);
    rop_save(f, m);
}

static void recipients_attachments_and_embedded_messages_come_with_their_message(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    a_rich_message(f);
    fx_client_sync(c);
    assert_outline(c, "IncrSyncChg IncrSyncMessage StartRecip EndToRecip StartRecip EndToRecip"
                      " NewAttach EndAttach NewAttach StartEmbed EndEmbed EndAttach " STATE);
    const uint32_t recipient = fx_marker_at(&c->got, "StartRecip", 0), file = fx_marker_at(&c->got, "NewAttach", 0);
    assert_int_equal(c->got.elements[recipient + 1].tag, PidTagRowid);                  /* R1391, R1392 */
    assert_int_equal(c->got.elements[recipient - 1].prop.u32, PidTagMessageRecipients); /* R2276, R3304 */
    assert_string_equal(fx_find(&c->got, recipient, PidTagDisplayName, "EndToRecip")->str, "A");
    assert_int_equal(c->got.elements[file + 1].tag, PidTagAttachNumber);
    assert_int_equal(c->got.elements[file - 1].prop.u32, PidTagMessageAttachments);
    const struct prop *data = fx_find(&c->got, file, PidTagAttachDataBinary, "EndAttach");
    assert_int_equal(data->bin.size, 300000);
    for (size_t i = 0; i < data->bin.size; i++)
        assert_int_equal(data->bin.data[i], i % 251);
    assert_int_equal(strlen(fx_find(&c->got, 0, PidTagBody, "StartRecip")->str), 100000);
    assert_string_equal(fx_find(&c->got, fx_marker_at(&c->got, "StartEmbed", 0), PidTagSubject, "EndEmbed")->str,
                        "inside");
    assert_null(fx_find(&c->got, fx_marker_at(&c->got, "StartEmbed", 0), PidTagMid, "EndEmbed"));
    for (uint32_t i = 0; i < c->got.count; i++) /* R3786 */
        if (!c->got.elements[i].marker && i > fx_marker_at(&c->got, "IncrSyncMessage", 0) &&
            i < fx_marker_at(&c->got, "IncrSyncStateBegin", 0))
            assert_false(PROP_ID(c->got.elements[i].tag) >= 0x6600 && PROP_ID(c->got.elements[i].tag) <= 0x67FF);
}

static void a_stream_is_the_same_whatever_the_buffers_are(void **state)
{
    static const uint16_t sizes[] = { 64, 1000, 4001, 0x7000 };
    struct rop_fixture *f = *state;
    struct blob first = { NULL, 0 };
    a_rich_message(f);
    for (size_t i = 0; i < COUNTOF(sizes); i++) {
        struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
        c->buffer = sizes[i];
        fx_client_sync(c);
        assert_true(!first.size || blob_equal(first, c->got.bytes)); /* R3253, R981 */
        first = c->got.bytes;
    }
}

static void text_comes_in_the_code_page_of_the_connection_without_Unicode(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    rop_message(f, INBOX, "Zoë");
    c->flags &= ~1;
    c->send_options = 0;
    fx_client_sync(c);
    const struct prop *p = fx_find(&c->got, fx_marker_at(&c->got, "IncrSyncMessage", 0), PidTagSubject, NULL);
    assert_int_equal(PROP_TYPE(p->tag), PtypString8); /* R2163 */
    assert_string_equal(p->str, "Zoë");
}

static void a_named_property_comes_with_its_name(void **state)
{
    struct rop_fixture *f = *state;
    const struct PropertyName name = { .Kind = 0, .GUID = { { 0x08, 0x20, 0x06 } }, .LID = 0x8503 };
    const struct rop_done ids =
        RUN(f, GetPropertyIdsFromNames, f->logon, .Flags = 2, .PropertyNameCount = 1, .PropertyNames = &name);
    const uint16_t id = ((const struct RopGetPropertyIdsFromNamesResponse *)ids.response)->PropertyIds[0];
    const struct rop_done made = RUN(f, CreateMessage, f->logon, .CodePageId = 0x0FFF, .FolderId = INBOX);
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    rop_set(f, made.handle, P_BOOL(PROP_TAG(PtypBoolean, id), true));
    rop_save(f, made.handle);
    fx_client_sync(c);
    for (uint32_t i = 0; i < c->got.count; i++)
        if (PROP_ID(c->got.elements[i].tag) == id) {
            assert_int_equal(c->got.elements[i].name.LID, 0x8503);
            assert_true(guid_equal(c->got.elements[i].name.GUID, name.GUID));
            assert_true(c->got.elements[i].prop.b);
            return;
        }
    fail();
}

/* ---- hierarchy ---- */

static uint64_t make_folder(struct rop_fixture *f, uint64_t parent, const char *name)
{
    const struct rop_done done = RUN(f, CreateFolder, rop_folder(f, parent), .FolderType = 1, .UseUnicodeStrings = 1,
                                     .DisplayName = name, .Comment = "");
    CODE(done, ecNone);
    return ((const struct RopCreateFolderResponse *)done.response)->FolderId;
}

static void folders_come_with_their_parents_before_them(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t root = make_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE), "root"), child = make_folder(f, root, "child");
    const uint64_t grandchild = make_folder(f, child, "grandchild");
    struct fx_client *c = fx_client(f, root, FX_HIERARCHY);
    fx_client_sync(c);
    assert_outline(c, "IncrSyncChg IncrSyncChg " STATE); /* R3322, R1128 */
    const uint32_t second = fx_marker_at(&c->got, "IncrSyncChg", 1);
    assert_int_equal(fx_find(&c->got, 0, PidTagParentSourceKey, "IncrSyncChg")->bin.size, 0); /* R1127 */
    const struct prop *key = fx_find(&c->got, 0, PidTagSourceKey, NULL),
                      *parent = fx_find(&c->got, second, PidTagParentSourceKey, NULL);
    assert_true(blob_equal(key->bin, parent->bin));                                               /* R1126, R1129 */
    assert_string_equal(fx_find(&c->got, second, PidTagDisplayName, NULL)->str, "grandchild");    /* R1093 */
    assert_true(fx_find(&c->got, second, PidTagFolderId, NULL)->u64 == grandchild);               /* R1095, R2191 */
    assert_true(fx_find(&c->got, second, PidTagParentFolderId, NULL)->u64 == child);              /* R1097, R109701 */
    assert_non_null(fx_find(&c->got, second, PidTagChangeKey, "IncrSyncStateBegin"));             /* R1091 */
    assert_non_null(fx_find(&c->got, second, PidTagPredecessorChangeList, "IncrSyncStateBegin")); /* R1092 */
    assert_non_null(fx_find(&c->got, second, PidTagLastModificationTime, "IncrSyncStateBegin"));  /* R1090 */
    assert_null(fx_find(&c->got, 0, MetaTagCnsetRead, NULL));                                     /* R1211 */
    assert_null(fx_find(&c->got, 0, MetaTagCnsetSeenFAI, NULL));                                  /* R1209 */
    nothing_more(c);
}

static void a_renamed_folder_comes_again_and_a_deleted_one_is_told(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t root = make_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE), "root"), one = make_folder(f, root, "one");
    const uint64_t two = make_folder(f, root, "two");
    struct fx_client *c = fx_client(f, root, FX_HIERARCHY);
    fx_client_sync(c);
    rop_message(f, one, "of no concern");
    nothing_more(c); /* R6000, R6001 */
    rop_set(f, rop_folder(f, one), P_STR(PidTagDisplayName, "uno"));
    CODE(RUN(f, DeleteFolder, rop_folder(f, root), .DeleteFolderFlags = 0x05, .FolderId = two), ecNone);
    fx_client_sync(c);
    assert_outline(c, "IncrSyncChg IncrSyncDel " STATE); /* R2042, R72, R7201 */
    assert_string_equal(fx_find(&c->got, 0, PidTagDisplayName, NULL)->str, "uno");
    assert_true(fx_says(c, MetaTagIdsetDeleted, two));
    assert_null(fx_find(&c->got, 0, MetaTagIdsetNoLongerInScope, NULL)); /* R1333 */
    nothing_more(c);
}

static void without_Eid_a_folder_has_no_id_of_this_server(void **state)
{
    struct rop_fixture *f = *state;
    const uint64_t root = make_folder(f, STORE_FID(SPECIAL_IPM_SUBTREE), "root");
    struct fx_client *c = fx_client(f, root, FX_HIERARCHY);
    make_folder(f, root, "one");
    c->extra = 0;
    c->flags &= ~NO_FOREIGN;
    fx_client_sync(c);
    assert_null(fx_find(&c->got, 0, PidTagFolderId, NULL)); /* R716001 */
    assert_null(fx_find(&c->got, 0, PidTagParentFolderId, NULL));
}

/* ---- state, buffers and errors ---- */

static void the_state_can_be_asked_for_before_and_after(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    rop_message(f, INBOX, "one");
    const uint32_t download = fx_client_begin(c);
    const struct rop_done before = RUN(f, SynchronizationGetTransferState, download);
    CODE(before, ecNone);
    struct fx_stream stream = fx_fetch(f, before.handle, 0x1000);
    assert_string_equal(fx_outline(f->arena, &stream), "IncrSyncStateBegin IncrSyncStateEnd"); /* R3323, R3503 */
    assert_int_equal(fx_find(&stream, 0, MetaTagIdsetGiven, NULL)->bin.size, 0);
    const struct fx_stream all = fx_fetch(f, download, 0x1000);
    const struct rop_done after = RUN(f, SynchronizationGetTransferState, download);
    stream = fx_fetch(f, after.handle, 0x1000);
    const struct prop *given = fx_find(&stream, 0, MetaTagIdsetGiven, NULL); /* R3506, R3417 */
    assert_true(blob_equal(given->bin, fx_find(&all, 0, MetaTagIdsetGiven, NULL)->bin) && given->bin.size);
}

static void a_wrong_configuration_is_refused(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t folder = rop_folder(f, INBOX);
    const struct restriction exists = { .type = RES_EXIST, .tag = PidTagSubject };
    CODE(RUN(f, SynchronizationConfigure, folder, .SynchronizationType = 4), ecInvalidParam); /* R2160, R2695 */
    CODE(RUN(f, SynchronizationConfigure, folder, .SynchronizationType = 1, .SynchronizationFlags = 0x1000),
         ecInvalidParam); /* R2180 */
    CODE(RUN(f, SynchronizationConfigure, folder, .SynchronizationType = 1, .SynchronizationFlags = 0x0400),
         ecInvalidParam); /* R2189 */
    CODE(RUN(f, SynchronizationConfigure, folder, .SynchronizationType = 1, .SendOptions = 0x80), ecInvalidParam);
    CODE(RUN(f, SynchronizationConfigure, folder, .SynchronizationType = 1, .SendOptions = 0x60),
         ecNone); /* R42001, R42201 */
    CODE(RUN(f, SynchronizationConfigure, folder, .SynchronizationType = 2, .RestrictionData = &exists),
         ecInvalidParam); /* R656 */
}

static void a_malformed_state_is_refused_and_the_session_goes_on(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    const uint32_t d = fx_client_begin(c);
    CODE(RUN(f, SynchronizationUploadStateStreamContinue, d, .StreamDataSize = 1, .StreamData = BLOB_OF("x", 1)),
         ecInvalidParam);
    CODE(RUN(f, SynchronizationUploadStateStreamEnd, d), ecInvalidParam);
    CODE(RUN(f, SynchronizationUploadStateStreamBegin, d, .StateProperty = PidTagSubject), ecInvalidParam); /* R733 */
    CODE(RUN(f, SynchronizationUploadStateStreamBegin, d, .StateProperty = MetaTagCnsetSeen,
             .TransferBufferSize = 0xFFFFFFFF),
         ecTooBig);
    CODE(RUN(f, SynchronizationUploadStateStreamBegin, d, .StateProperty = PROP_AS(MetaTagIdsetGiven, PtypBinary)),
         ecNone);
    CODE(RUN(f, SynchronizationUploadStateStreamBegin, d, .StateProperty = MetaTagCnsetSeen), ecInvalidParam);
    CODE(RUN(f, SynchronizationUploadStateStreamContinue, d, .StreamDataSize = 1, .StreamData = BLOB_OF("x", 1)),
         ecNone);
    CODE(RUN(f, SynchronizationUploadStateStreamEnd, d), ecRpcFormat); /* R3391 */
    c->got = fx_fetch(f, d, 0x1000);
    assert_outline(c, STATE);
}

static void a_state_with_all_ids_there_are_is_one_range(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    struct idset *all = idset_new(f->arena, IDSET_REPLGUID);
    rop_message(f, INBOX, "one");
    fx_client_sync(c);
    struct idset *own;
    assert_int_equal(idset_of_bytes(&own, f->arena, IDSET_REPLGUID, c->given), ecNone);
    globset_add(idset_of_guid(all, idset_guid(&own->replicas[0])), 0, GLOBCNT_MAX);
    c->given = c->seen = c->seen_fai = c->read = idset_bytes(f->arena, all);
    rop_message(f, INBOX, "two");
    fx_client_sync(c);
    assert_outline(c, STATE);
    assert_true(c->given.size < 50);
}

static void a_buffer_that_does_not_fit_is_refused_before_anything_is_made(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    rop_message(f, INBOX, "one");
    const uint32_t d = fx_client_begin(c);
    CODE(RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 0xFFFF), ecBufferTooSmall); /* R2141 */
    CODE(RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 3), ecBufferTooSmall);
    c->got = fx_fetch(f, d, 0x7000);
    assert_outline(c, "IncrSyncChg IncrSyncMessage " STATE);
}

static void the_server_chooses_the_size_up_to_the_maximum(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    a_rich_message(f);
    const uint32_t d = fx_client_begin(c);
    struct rop_done done = RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 0xBABE, .MaximumBufferSize = 500);
    const struct RopFastTransferSourceGetBufferResponse *r = done.response;
    CODE(done, ecNone);
    assert_in_range(r->TransferBufferSize, 400, 500); /* R2138 */
    assert_int_equal(r->TransferStatus, 1);           /* R568 */
    done = RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 0xBABE, .MaximumBufferSize = 0xFFFF);
    CODE(done, ecNone);
    assert_in_range(((const struct RopFastTransferSourceGetBufferResponse *)done.response)->TransferBufferSize, 30000,
                    32767); /* R2137001 */
}

static void a_stream_goes_on_in_chained_buffers(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    struct buf all;
    a_rich_message(f);
    struct rop_batch *b = rop_batch(f);
    const uint8_t index = rop_batch_handle(b, fx_client_begin(c));
    ADD(b, FastTransferSourceGetBuffer, index, 0, .BufferSize = 0xBABE, .MaximumBufferSize = 0xFFFF);
    f->flags = EXECUTE_CHAIN;
    buf_init(&all, f->arena);
    do {
        assert_int_equal(rop_batch_run(b), ecNone);
        assert_true(b->payload_count > 1 || all.size);
        for (uint32_t i = 0; i < b->payload_count; i++) {
            rop_batch_payload(b, i);
            const struct rop_response answer = rop_batch_next(b, "FastTransferSourceGetBuffer", NULL, 0);
            const struct RopFastTransferSourceGetBufferResponse *r = answer.body;
            assert_int_equal(answer.code, ecNone);
            buf_add(&all, r->TransferBuffer.data, r->TransferBuffer.size);
            c->got.count = r->TransferStatus;
        }
    } while (c->got.count != 3);
    const struct fx_stream chained = fx_parse(f->arena, buf_blob(&all));
    f->flags = 0;
    fx_client_sync(c);
    assert_true(blob_equal(chained.bytes, c->got.bytes)); /* MS-OXCRPC_R972 */
}

static void after_the_end_nothing_more_comes(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    const uint32_t d = fx_client_begin(c);
    fx_fetch(f, d, 0x1000);
    const struct rop_done done = RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 0x1000);
    CODE(done, ecNone);
    assert_int_equal(((const struct RopFastTransferSourceGetBufferResponse *)done.response)->TransferStatus,
                     3); /* R571 */
    assert_int_equal(((const struct RopFastTransferSourceGetBufferResponse *)done.response)->TransferBufferSize, 0);
    CODE(RUN(f, TellVersion, d, .Version = { 15, 0, 0, 0, 1, 2 }), ecNone); /* R2149 */
}

static void a_message_that_is_deleted_on_the_way_is_passed_over(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    a_rich_message(f);
    const uint64_t gone = rop_message(f, INBOX, "gone"), stays = rop_message(f, INBOX, "stays");
    const uint32_t d = fx_client_begin(c);
    const struct rop_done done = RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 100);
    const struct blob first = ((const struct RopFastTransferSourceGetBufferResponse *)done.response)->TransferBuffer;
    delete_message(f, INBOX, gone);
    struct buf all;
    buf_init(&all, f->arena);
    buf_add(&all, first.data, first.size);
    for (;;) {
        const struct rop_done more = RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 0x7000);
        const struct RopFastTransferSourceGetBufferResponse *r = more.response;
        CODE(more, ecNone);
        buf_add(&all, r->TransferBuffer.data, r->TransferBuffer.size);
        if (r->TransferStatus == 3)
            break;
    }
    c->got = fx_parse(f->arena, buf_blob(&all));
    assert_int_equal(fx_markers(&c->got, "IncrSyncChg"), 2);
    const struct blob given = fx_find(&c->got, 0, MetaTagIdsetGiven, NULL)->bin;
    assert_true(fx_client_has(c, given, stays));
    assert_false(fx_client_has(c, given, gone));
}

/* Its attachment was replaced by somebody else while it was half way to the client. */
static void a_message_that_breaks_off_is_named_and_comes_the_next_time(void **state)
{
    struct rop_fixture *f = *state;
    struct fx_client *c = fx_client(f, INBOX, FX_CONTENTS);
    struct ExtendedErrorInfo info;
    struct buf all;
    a_rich_message(f);
    fx_client_sync(c);
    const uint64_t mid = in_header(c, 0, PidTagMid)->u64, stays = rop_message(f, INBOX, "stays");
    c->given = c->seen = c->seen_fai = c->read = BLOB_OF(NULL, 0);
    c->send_options |= FX_RECOVER_MODE;
    const uint32_t d = fx_client_begin(c);
    buf_init(&all, f->arena);
    bool replaced = false;
    for (uint16_t status = 1; status != 3;) {
        const struct rop_done done = RUN(f, FastTransferSourceGetBuffer, d, .BufferSize = 0x7000);
        CODE(done, ecNone);
        const struct RopFastTransferSourceGetBufferResponse *r = done.response;
        buf_add(&all, r->TransferBuffer.data, r->TransferBuffer.size);
        status = r->TransferStatus;
        if (!replaced && all.size > 230000) {
            const uint32_t m = rop_open_message(f, INBOX, mid, 1);
            const struct rop_done a = RUN(f, OpenAttachment, m, .OpenAttachmentFlags = 1, .AttachmentID = 0);
            CODE(a, ecNone);
            rop_set(f, a.handle, P_BIN(PidTagAttachDataBinary, BLOB_OF("short", 5)));
            CODE(RUN(f, SaveChangesAttachment, a.handle, .SaveFlags = 0x0C), ecNone);
            rop_save(f, m);
            replaced = true;
        }
    }
    const uint8_t marker[] = { 0x03, 0x00, 0x18, 0x40, 0x02, 0x01, 0x00, 0x00 }; /* R1338, R1339 */
    const uint8_t *at = memmem(all.data, all.size, marker, sizeof marker);
    assert_non_null(at); /* R1071, R1074, R3462 */
    const struct blob rest = BLOB_OF(at, (size_t)(all.data + all.size - at));
    c->got = fx_parse(f->arena, rest);
    struct wire_in in = wire_in(f->arena, c->got.elements[1].prop.bin);
    assert_true(wire_get(&in, &ExtendedErrorInfo_wire, &info));   /* R1340 */
    assert_int_equal(info.Version, 0);                            /* R286 */
    assert_int_equal(info.ErrorCode, (uint32_t)ecObjectModified); /* R290 */
    assert_int_equal(info.AuxBytesCount, 0);
    assert_outline(c, "FXErrorInfo IncrSyncChg IncrSyncMessage " STATE); /* R1078 */
    c->given = fx_find(&c->got, 0, MetaTagIdsetGiven, NULL)->bin;
    c->seen = fx_find(&c->got, 0, MetaTagCnsetSeen, NULL)->bin;
    assert_false(fx_client_has(c, c->given, mid));
    assert_true(fx_client_has(c, c->given, stays));
    fx_client_sync(c);
    assert_true(in_header(c, 0, PidTagMid)->u64 == mid);
    assert_int_equal(
        fx_find(&c->got, fx_marker_at(&c->got, "NewAttach", 0), PidTagAttachDataBinary, "EndAttach")->bin.size, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(an_empty_folder_gives_its_state_alone),
        ROP_TEST(a_new_message_comes_whole_and_the_second_time_not_at_all),
        ROP_TEST(a_header_identifies_the_change_in_its_fixed_order),
        ROP_TEST(what_the_extra_flags_do_not_ask_for_is_not_in_the_header),
        ROP_TEST(only_the_message_that_was_changed_comes_again),
        ROP_TEST(deletions_are_told_of_what_the_client_has),
        ROP_TEST(a_message_that_moves_leaves_one_folder_and_enters_the_other),
        ROP_TEST(read_states_come_as_sets_of_ids),
        ROP_TEST(each_kind_of_message_comes_where_its_flag_is_set),
        ROP_TEST(the_property_list_leaves_out_or_chooses),
        ROP_TEST(a_client_that_leaves_out_one_form_of_the_body_gets_another),
        ROP_TEST(a_restriction_chooses_and_what_leaves_it_is_told),
        ROP_TEST(progress_is_told_in_all_and_before_each_message),
        ROP_TEST(by_delivery_time_the_newest_comes_first),
        ROP_TEST(recipients_attachments_and_embedded_messages_come_with_their_message),
        ROP_TEST(a_stream_is_the_same_whatever_the_buffers_are),
        ROP_TEST(text_comes_in_the_code_page_of_the_connection_without_Unicode),
        ROP_TEST(a_named_property_comes_with_its_name),
        ROP_TEST(folders_come_with_their_parents_before_them),
        ROP_TEST(a_renamed_folder_comes_again_and_a_deleted_one_is_told),
        ROP_TEST(without_Eid_a_folder_has_no_id_of_this_server),
        ROP_TEST(the_state_can_be_asked_for_before_and_after),
        ROP_TEST(a_wrong_configuration_is_refused),
        ROP_TEST(a_malformed_state_is_refused_and_the_session_goes_on),
        ROP_TEST(a_state_with_all_ids_there_are_is_one_range),
        ROP_TEST(a_buffer_that_does_not_fit_is_refused_before_anything_is_made),
        ROP_TEST(the_server_chooses_the_size_up_to_the_maximum),
        ROP_TEST(a_stream_goes_on_in_chained_buffers),
        ROP_TEST(after_the_end_nothing_more_comes),
        ROP_TEST(a_message_that_is_deleted_on_the_way_is_passed_over),
        ROP_TEST(a_message_that_breaks_off_is_named_and_comes_the_next_time),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
