/* SPDX-License-Identifier: Apache-2.0 */
/* Letters go into a mailbox and come out as they were, on each engine. */
#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mime/mime.h"
#include "store/fixture.h"
#include "wire/guids.h"

#define INBOX STORE_FID(SPECIAL_INBOX)

static struct blob file_bytes(TALLOC_CTX *arena, const char *path)
{
    FILE *file = fopen(path, "rb");
    struct stat info;
    assert_non_null(file);
    assert_int_equal(fstat(fileno(file), &info), 0);
    uint8_t *bytes = talloc_array(arena, uint8_t, (unsigned)info.st_size + 1);
    assert_int_equal(fread(bytes, 1, (size_t)info.st_size, file), info.st_size);
    fclose(file);
    return BLOB_OF(bytes, (size_t)info.st_size);
}

static void assert_same_props(const char *where, const struct letter_props *a, const struct letter_props *b)
{
    for (uint32_t i = 0; i < a->count; i++) {
        const struct prop *q = letter_find(b, a->values[i].tag);
        if (!q || !prop_equal(&a->values[i], q))
            fail_msg("%s: %s", where, prop_name(a->values[i].tag));
    }
    for (uint32_t i = 0; i < a->named_count; i++) {
        const struct letter_named *n = &a->named[i];
        const struct prop *q = letter_find_named(b, n->set, n->name, n->lid);
        if (!q || PROP_TYPE(q->tag) != PROP_TYPE(n->value.tag))
            fail_msg("%s: %s", where, n->name ? n->name : "a property without a name");
    }
}

static void assert_same(const char *where, const struct letter *a, const struct letter *b)
{
    assert_same_props(where, &a->props, &b->props);
    assert_int_equal(a->recipient_count, b->recipient_count);
    assert_int_equal(a->attachment_count, b->attachment_count);
    for (uint32_t i = 0; i < a->recipient_count; i++)
        assert_same_props(where, &a->recipients[i]->props, &b->recipients[i]->props);
    for (uint32_t i = 0; i < a->attachment_count; i++) {
        assert_same_props(where, &a->attachments[i]->props, &b->attachments[i]->props);
        assert_true(!a->attachments[i]->embedded == !b->attachments[i]->embedded);
        if (a->attachments[i]->embedded)
            assert_same(where, a->attachments[i]->embedded, b->attachments[i]->embedded);
    }
}

static struct letter *through_the_mailbox(struct store_fixture *f, TALLOC_CTX *arena, const struct letter *letter)
{
    struct store_message *message;
    struct letter *out;
    uint64_t mid;
    OK(store_message_new(&message, arena, f->store, INBOX, false));
    OK(letter_save(letter, message, &(uint32_t){ LETTER_NEW_NAMES }));
    OK(store_message_deliver(message, 0, &mid));
    talloc_free(message);
    OK(store_message_open(&message, arena, f->store, INBOX, mid, MESSAGE_READONLY));
    OK(letter_load(arena, message, &out));
    talloc_free(message);
    return out;
}

static unsigned folder_through_the_mailbox(struct store_fixture *f, const char *folder)
{
    DIR *dir = opendir(folder);
    unsigned count = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        TALLOC_CTX *arena = talloc_new(NULL);
        const char *path = talloc_asprintf(arena, "%s/%s", folder, entry->d_name);
        struct letter *letter;
        if (strstr(entry->d_name, ".eml") || strstr(entry->d_name, ".txt")) {
            OK(mime_read(arena, file_bytes(arena, path), NULL, &letter));
            assert_same(entry->d_name, letter, through_the_mailbox(f, arena, letter));
            count++;
        }
        talloc_free(arena);
    }
    closedir(dir);
    return count;
}

static void what_is_delivered_is_what_was_read(void **state)
{
    assert_int_equal(folder_through_the_mailbox(*state, TEST_DATA "/mime/cpython"), 47);
    assert_int_equal(folder_through_the_mailbox(*state, TEST_DATA "/mime/rspamd"), 95);
    assert_int_equal(folder_through_the_mailbox(*state, TEST_DATA "/msg"), 6);
}

static void a_message_in_a_mailbox_becomes_mail_and_is_read_again(void **state)
{
    static const char mail[] = "From: a@example.com\r\nTo: b@example.com\r\nSubject: there and back\r\n\r\nbody\r\n";
    struct store_fixture *f = *state;
    struct store_message *message;
    struct blob written;
    struct letter *letter;
    OK(store_message_new(&message, f->arena, f->store, INBOX, false));
    OK(mime_to_message(f->arena, BLOB_OF(mail, sizeof mail - 1), NULL, message));
    OK(store_message_deliver(message, 0, NULL));
    OK(mime_of_message(f->arena, message, &written));
    OK(mime_read(f->arena, written, NULL, &letter));
    assert_string_equal(letter_text(&letter->props, PidTagSubject), "there and back");
    assert_string_equal(letter_text(&letter->props, PidTagBody), "body\r\n");
    talloc_free(message);
}

/* What the store does not take at once goes to it in pieces: nothing of a mail may be lost on its way in. */
static void large_values_arrive_whole(void **state)
{
    enum { MEGABYTES = 20 << 20 };
    struct store_fixture *f = *state;
    struct letter *letter = letter_new(f->arena);
    struct letter_attachment *a = letter_attachment_add(letter);
    char *text = talloc_array(f->arena, char, MEGABYTES + 1);
    uint8_t *bytes = talloc_array(f->arena, uint8_t, MEGABYTES);
    for (size_t i = 0; i < MEGABYTES; i++)
        bytes[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
    for (size_t i = 0; i < MEGABYTES; i += 4) /* letters of one, two and, over the edges of all pieces, three bytes */
        memcpy(text + i, i % 7 ? "a\xC3\xBC\n" : "\xE2\x82\xAC.", 4);
    text[MEGABYTES] = 0;
    letter_set(&letter->props, P_STR(PidTagBody, text));
    letter_set(&letter->props, P_STR(PidTagTransportMessageHeaders, text));
    letter_set(&letter->props, P_BIN(PidTagHtml, BLOB_OF(bytes, MEGABYTES)));
    letter_set(&a->props, P_BIN(PidTagAttachDataBinary, BLOB_OF(bytes, MEGABYTES)));
    letter_set_named(&letter->props, PS_PUBLIC_STRINGS, "Large", 0, P_BIN(PROP_TAG(PtypBinary, 0), BLOB_OF(bytes, MEGABYTES)));
    assert_same("large values", letter, through_the_mailbox(f, f->arena, letter));
}

/* [MS-OXPROPS] 1.3.3: what belongs to the mailbox stays there. */
static void a_letter_leaves_the_mailboxs_own_properties_behind(void **state)
{
    static const uint32_t own[] = { PidTagMid,          PidTagEntryId,      PidTagChangeKey,
                                    PidTagSourceKey,    PidTagMessageFlags, PidTagMessageSize,
                                    PidTagCreationTime, PidTagDisplayTo,    PidTagDeleteAfterSubmit,
                                    PidTagParentEntryId };
    struct store_fixture *f = *state;
    struct store_message *message;
    struct letter *letter;
    OK(store_message_new(&message, f->arena, f->store, INBOX, false));
    OK(fixture_set(message, P_BOOL(PidTagDeleteAfterSubmit, true)));
    OK(fixture_set(message, P_STR(PidTagSubject, "own")));
    OK(store_message_save(message, true, NULL));
    OK(letter_load(f->arena, message, &letter));
    for (size_t i = 0; i < COUNTOF(own); i++)
        assert_null(letter_find(&letter->props, PROP_AS(own[i], PtypUnspecified)));
    assert_string_equal(letter_text(&letter->props, PidTagSubject), "own");
    talloc_free(message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_delivered_is_what_was_read),
        cmocka_unit_test(a_message_in_a_mailbox_becomes_mail_and_is_read_again),
        cmocka_unit_test(a_letter_leaves_the_mailboxs_own_properties_behind),
        cmocka_unit_test(large_values_arrive_whole),
    };
    return store_fixture_run("letters", tests, COUNTOF(tests));
}
