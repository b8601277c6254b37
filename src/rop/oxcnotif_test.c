/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCNOTIF] 3.1.4.3, 3.1.5: subscriptions and tables as a client meets them.  What each event tells is proved in
 * session/notify_test.c. */
#include "rop/fixture.h"

#define INBOX STORE_FID(SPECIAL_INBOX)
enum { NEW_MAIL = 0x02, CREATED = 0x04, DELETED = 0x08, ALL = 0xFE, TABLE = 0x0100, NO_NOTIFICATIONS = 0x10 };

static uint32_t subscribe(struct rop_fixture *f, uint16_t types)
{
    const struct rop_done done =
        RUN(f, RegisterNotification, f->logon, .NotificationTypes = types, .WantWholeStore = true);
    CODE(done, ecNone); /* R35 */
    return done.handle;
}

static unsigned heard(struct rop_fixture *f, uint16_t kind)
{
    unsigned count = 0;
    rop_poll(f);
    for (const struct notification_seen *n = f->notifications; n; n = n->next)
        count += (n->body.NotificationData.NotificationFlags & 0x0FFF) == kind;
    f->notifications = NULL;
    return count;
}

/* What came, and which table event it was. */
static const struct NotificationData *told(struct rop_fixture *f, uint16_t kind)
{
    const struct NotificationData *found = NULL;
    rop_poll(f);
    for (const struct notification_seen *n = f->notifications; n && !found; n = n->next)
        if ((n->body.NotificationData.NotificationFlags & 0x0FFF) == kind)
            found = &n->body.NotificationData;
    f->notifications = NULL;
    assert_non_null(found);
    return found;
}

static void each_event_has_its_own_type(void **state)
{
    struct rop_fixture *f = *state;
    enum { MODIFIED = 0x10, COPIED = 0x40 };
    subscribe(f, ALL);
    const uint64_t mid = rop_message(f, INBOX, "m");
    assert_int_equal(told(f, CREATED)->MessageId, mid); /* R104 */
    const uint32_t m = rop_open_message(f, INBOX, mid, 1), inbox = rop_folder(f, INBOX);
    rop_set(f, m, P_STR(PidTagSubject, "n"));
    rop_save(f, m);
    assert_int_equal(told(f, MODIFIED)->MessageId, mid); /* R106 */
    CODE(RUN_TO(f, MoveCopyMessages, inbox, inbox, .MessageIdCount = 1, .MessageIds = &mid, .WantCopy = true), ecNone);
    assert_int_equal(told(f, COPIED)->OldMessageId, mid); /* R108 */
}

static void several_subscriptions_of_a_session_are_told_each(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t handles[] = { subscribe(f, CREATED), subscribe(f, CREATED) }; /* R288 */
    rop_message(f, INBOX, "m");
    rop_poll(f);
    const struct notification_seen *first = f->notifications;
    assert_true(handles[0] != handles[1] && first && first->next && !first->next->next); /* R292 */
    for (size_t i = 0; i < COUNTOF(handles); i++)
        assert_true(first->body.NotificationHandle == handles[i] || first->next->body.NotificationHandle == handles[i]);
}

static void a_subscription_is_told_of_what_it_asked_for(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t handle = subscribe(f, CREATED);
    struct rop_fixture *other = rop_second_session(f);
    const uint64_t mid = rop_message(other, INBOX, "news");
    rop_poll(f); /* R241, R240 */
    assert_non_null(f->notifications);
    assert_int_equal(f->notifications->body.NotificationHandle, handle);
    assert_int_equal(f->notifications->body.NotificationData.MessageId, mid);
    assert_null(f->notifications->next);
}

static void the_scope_is_the_mailbox_or_one_folder(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = CREATED, .FolderId = STORE_FID(SPECIAL_OUTBOX)),
         ecNone);
    rop_message(f, INBOX, "elsewhere");
    assert_int_equal(heard(f, CREATED), 0);
    rop_message(f, STORE_FID(SPECIAL_OUTBOX), "here");
    assert_int_equal(heard(f, CREATED), 1); /* R53 */
}

static void a_released_subscription_is_told_nothing(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t handle = subscribe(f, ALL);
    rop_second_session(f);
    RUN(f, Release, handle);
    rop_message(f, INBOX, "m");
    assert_int_equal(heard(f, CREATED), 0);
}

static void types_that_do_not_exist_are_refused(void **state)
{
    struct rop_fixture *f = *state;
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = 0, .WantWholeStore = true), ecInvalidParam);
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = 0x0800, .WantWholeStore = true), ecInvalidParam);
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = TABLE, .WantWholeStore = true),
         ecNone); /* R40001 */
    CODE(RUN(f, RegisterNotification, f->logon, .NotificationTypes = 0x0402, .WantWholeStore = true), ecNone);
    CODE(RUN(f, RegisterNotification, rop_folder(f, INBOX), .NotificationTypes = CREATED), ecNotSupported);
}

static uint32_t table(struct rop_fixture *f, uint8_t flags)
{
    static const uint32_t columns[] = { PidTagMid, PidTagSubject };
    const uint32_t t = RUN(f, GetContentsTable, rop_folder(f, INBOX), .TableFlags = flags).handle;
    CODE(RUN(f, SetColumns, t, .PropertyTagCount = 2, .PropertyTags = columns), ecNone);
    return t;
}

static unsigned rows_heard(struct rop_fixture *f)
{
    rop_message(f, INBOX, "m");
    return heard(f, TABLE);
}

static void a_table_announces_its_rows_from_the_first_look_on(void **state)
{
    struct rop_fixture *f = *state;
    static const uint32_t columns[] = { PidTagMid, PidTagSubject };
    struct restriction exists = { .type = RES_EXIST, .tag = PidTagMid };
    rop_message(f, INBOX, "first");
    for (unsigned look = 0; look < 6; look++) {
        const uint32_t t = table(f, 0);
        assert_int_equal(rows_heard(f), 0); /* R243 */
        switch (look) {
        case 0: CODE(RUN_ROWS(f, QueryRows, t, columns, .ForwardRead = true, .RowCount = 1), ecNone); break; /* R252 */
        case 1: CODE(RUN_ROWS(f, FindRow, t, columns, .RestrictionData = &exists), ecNone); break;           /* R249 */
        case 2: CODE(RUN(f, QueryColumnsAll, t), ecNone); break;                                             /* R250 */
        case 3: CODE(RUN(f, QueryPosition, t), ecNone); break;                                               /* R251 */
        case 4: CODE(RUN(f, SeekRow, t, .Origin = 0), ecNone); break;                                        /* R253 */
        default: CODE(RUN(f, SeekRowFractional, t, .Numerator = 0, .Denominator = 1), ecNone);               /* R254 */
        }
        assert_int_equal(rows_heard(f), 1);
        RUN(f, Release, t);
        assert_int_equal(rows_heard(f), 0);
    }
}

static void a_table_that_was_reset_is_silent_until_the_next_look(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t t = table(f, 0), columns[] = { PidTagMid };
    struct restriction exists = { .type = RES_EXIST, .tag = PidTagMid };
    rop_message(f, INBOX, "first");
    CODE(RUN(f, QueryPosition, t), ecNone);
    for (unsigned look = 0; look < 3; look++) {
        CODE(RUN(f, ResetTable, t), ecNone);
        assert_int_equal(rows_heard(f), 0); /* R272 to R285 */
        CODE(RUN(f, SetColumns, t, .PropertyTagCount = 1, .PropertyTags = columns), ecNone);
        switch (look) {
        case 0: CODE(RUN_ROWS(f, FindRow, t, columns, .RestrictionData = &exists), ecNone); break; /* R275 */
        case 1: CODE(RUN(f, QueryPosition, t), ecNone); break;                                     /* R279 */
        default: CODE(RUN(f, SeekRow, t, .Origin = 0), ecNone);                                    /* R283 */
        }
        assert_int_equal(rows_heard(f), 1);
    }
}

static void every_table_is_subscribed_by_itself_and_says_what_changed(void **state)
{
    struct rop_fixture *f = *state;
    enum { CHANGED = 1, ROW_ADDED = 3, ROW_DELETED = 4 };
    static const uint32_t columns[] = { PidTagFolderId };
    struct rop_fixture *other = rop_second_session(f);
    const uint32_t contents = table(f, 0), inbox = rop_folder(f, INBOX);
    CODE(RUN(f, QueryPosition, contents), ecNone);
    const uint64_t mid = rop_message(f, INBOX, "m");
    const struct NotificationData *d = told(f, TABLE);
    assert_int_equal(d->TableEventType, ROW_ADDED); /* R257, R271, R12401 */
    assert_int_equal(d->TableRowMessageID, mid);
    CODE(RUN(f, DeleteMessages, inbox, .MessageIdCount = 1, .MessageIds = &mid), ecNone);
    d = told(f, TABLE);
    assert_int_equal(d->TableEventType, ROW_DELETED); /* R130 */
    assert_int_equal(d->TableRowMessageID, mid);
    for (unsigned i = 0; i <= SESSION_QUEUE_MAX; i++)
        rop_message(other, INBOX, "many");
    assert_int_equal(told(f, TABLE)->TableEventType, CHANGED); /* R128, R271: there is no room for the rows */
    RUN(f, Release, contents);
    const uint32_t hierarchy = RUN(f, GetHierarchyTable, inbox).handle;
    CODE(RUN(f, SetColumns, hierarchy, .PropertyTagCount = 1, .PropertyTags = columns), ecNone);
    CODE(RUN(f, QueryPosition, hierarchy), ecNone);
    CODE(RUN(f, CreateFolder, inbox, .FolderType = 1, .DisplayName = "new", .Comment = ""), ecNone);
    assert_int_equal(told(f, TABLE)->TableEventType, ROW_ADDED); /* R257 */
}

static void a_table_opened_without_notifications_stays_silent(void **state)
{
    struct rop_fixture *f = *state;
    const uint32_t t = table(f, NO_NOTIFICATIONS);
    CODE(RUN(f, QueryPosition, t), ecNone);
    assert_int_equal(rows_heard(f), 0); /* R258 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROP_TEST(a_subscription_is_told_of_what_it_asked_for),
        ROP_TEST(the_scope_is_the_mailbox_or_one_folder),
        ROP_TEST(a_released_subscription_is_told_nothing),
        ROP_TEST(types_that_do_not_exist_are_refused),
        ROP_TEST(a_table_announces_its_rows_from_the_first_look_on),
        ROP_TEST(a_table_that_was_reset_is_silent_until_the_next_look),
        ROP_TEST(every_table_is_subscribed_by_itself_and_says_what_changed),
        ROP_TEST(each_event_has_its_own_type),
        ROP_TEST(several_subscriptions_of_a_session_are_told_each),
        ROP_TEST(a_table_opened_without_notifications_stays_silent),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
