/* SPDX-License-Identifier: Apache-2.0 */
/* Thousands of real and of broken messages: each becomes a letter without a loss of text, and what is written from it
 * is read as the same letter. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "mime/internal.h"
#include "mime/mbox.h"

struct tally {
    unsigned messages, html, attachments, embedded, reports, without_text;
};

/* Words of the text, without what folding, quoting and markup may change. */
static char *letters_of(TALLOC_CTX *arena, const char *text)
{
    char *only = talloc_array(arena, char, (unsigned)strlen(text) + 1), *put = only;
    for (const char *at = text; *at; at++)
        if ((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z')
            *put++ = *at;
    *put = 0;
    return only;
}

static bool has_end(const char *name, const char *end)
{
    const size_t length = strlen(name);
    return length >= strlen(end) && strcmp(name + length - strlen(end), end) == 0;
}

static void count(struct tally *tally, const struct letter *letter)
{
    tally->html += letter_bytes(&letter->props, PidTagHtml).size > 0;
    tally->reports += text_is_prefix(letter_text(&letter->props, PidTagMessageClass), "REPORT");
    tally->without_text += !letter_text(&letter->props, PidTagBody);
    tally->attachments += letter->attachment_count;
    for (uint32_t i = 0; i < letter->attachment_count; i++)
        tally->embedded += letter->attachments[i]->embedded != NULL;
}

/* ---- the same letter? ---- */

static bool is_compared(uint32_t tag)
{
    /* The header block is the source's; a message without a date was read at another time. */
    return tag != PidTagTransportMessageHeaders && tag != PidTagClientSubmitTime && tag != PidTagConversationIndex &&
           tag != PidTagReportTime;
}

static void differ(const char *where, const char *what)
{
    print_error("%s: %s\n", where, what);
}

static bool same_props(const char *where, const struct letter_props *a, const struct letter_props *b)
{
    bool same = true;
    for (uint32_t i = 0; i < a->count; i++) {
        const struct prop *p = &a->values[i], *q = letter_find(b, p->tag);
        if (!is_compared(p->tag) || (q && prop_equal(p, q)))
            continue;
        same = false;
        differ(where, prop_name(p->tag));
        if (PROP_TYPE(p->tag) == PtypString)
            print_error("  was [%.300s]\n  now [%.300s]\n", p->str, q ? q->str : "-");
    }
    for (uint32_t i = 0; i < a->named_count; i++) {
        const struct letter_named *n = &a->named[i];
        const struct prop *q = letter_find_named(b, n->set, n->name, n->lid);
        if (q && prop_equal(&n->value, q))
            continue;
        same = false;
        differ(where, n->name ? n->name : "by number");
    }
    return same;
}

static bool same_letter(const char *where, const struct letter *a, const struct letter *b)
{
    bool same = same_props(where, &a->props, &b->props);
    if (a->recipient_count != b->recipient_count || a->attachment_count != b->attachment_count) {
        print_error("%s: %u recipients and %u attachments, then %u and %u\n", where, a->recipient_count,
                    a->attachment_count, b->recipient_count, b->attachment_count);
        return false;
    }
    for (uint32_t i = 0; i < a->recipient_count; i++)
        same &= same_props(where, &a->recipients[i]->props, &b->recipients[i]->props);
    for (uint32_t i = 0; i < a->attachment_count; i++) {
        const struct letter_attachment *x = a->attachments[i], *y = b->attachments[i];
        same &= same_props(where, &x->props, &y->props) && !x->embedded == !y->embedded;
        if (x->embedded && y->embedded)
            same &= same_letter(where, x->embedded, y->embedded);
    }
    return same;
}

/* ---- each message ---- */

static bool no_text_is_lost(const char *where, TALLOC_CTX *arena, struct blob source, const struct letter *letter)
{
    /* A message of one plain text in ASCII, 7bit: all its letters are in the body, in this order. */
    const char *body = letter_text(&letter->props, PidTagBody);
    const char *text = talloc_strndup(arena, (const char *)source.data, source.size);
    const char *rest = strstr(text, "\r\n\r\n") ? strstr(text, "\r\n\r\n") : strstr(text, "\n\n");
    if (!rest || strcasestr(text, "content-") || has_end(letters_of(arena, body ? body : ""), letters_of(arena, rest)))
        return true;
    differ(where, "the text is not the same");
    return false;
}

static bool is_converted(const char *where, struct blob source, struct tally *tally)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct mime_context context = { .received = 133000000000000000 };
    struct letter *first, *second, *packed;
    struct blob written;
    bool good = mime_read(arena, source, &context, &first) == ecNone;
    good &= mime_write(arena, first, &written) == ecNone;
    good &= mime_read(arena, written, &context, &second) == ecNone;
    good &= same_letter(where, first, second);
    good &= no_text_is_lost(where, arena, source, first);
    good &= letter_unpack(arena, letter_pack(arena, first), &packed) == ecNone && same_letter(where, first, packed);
    tally->messages++;
    count(tally, first);
    talloc_free(arena);
    return good;
}

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

static unsigned folder(const char *folder_path, const char *end, struct tally *tally)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    DIR *dir = opendir(folder_path);
    unsigned bad = 0;
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        const char *path = talloc_asprintf(arena, "%s/%s", folder_path, entry->d_name);
        if (has_end(entry->d_name, end))
            bad += !is_converted(path, file_bytes(arena, path), tally);
    }
    closedir(dir);
    talloc_free(arena);
    return bad;
}

static unsigned mbox(const char *name, struct tally *tally)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    FILE *pipe = popen(talloc_asprintf(arena, "xz -dc %s/corpus/%s", TEST_DATA, name), "r");
    struct mbox *messages = mbox_new(arena, pipe);
    struct blob source;
    unsigned bad = 0;
    for (unsigned number = 1; mbox_next(arena, messages, &source); number++) {
        const char *where = talloc_asprintf(arena, "%s message %u", name, number);
        bad += !is_converted(where, source, tally);
    }
    assert_int_equal(pclose(pipe), 0);
    talloc_free(arena);
    return bad;
}

static void messages_with_their_msg_twins_become_the_same_letter_again(void **state)
{
    (void)state;
    struct tally tally = { 0 };
    assert_int_equal(folder(TEST_DATA "/msg", ".eml", &tally), 0);
    assert_int_equal(tally.messages, 6);
}

static void corner_cases_of_RFC_2045_become_the_same_letter_again(void **state)
{
    (void)state;
    struct tally tally = { 0 };
    assert_int_equal(folder(TEST_DATA "/mime/cpython", ".txt", &tally), 0);
    assert_int_equal(tally.messages, 47);
}

static void hostile_messages_become_the_same_letter_again(void **state)
{
    (void)state;
    struct tally tally = { 0 };
    assert_int_equal(folder(TEST_DATA "/mime/rspamd", ".eml", &tally), 0);
    assert_int_equal(tally.messages, 95);
}

static void real_mail_becomes_the_same_letter_again(void **state)
{
    (void)state;
    struct tally tally = { 0 };
    assert_int_equal(mbox("spamassassin-easy-ham-1.mbox.xz", &tally), 0);
    assert_int_equal(tally.messages, 2500);
    assert_in_range(tally.without_text, 0, 5);
}

static void newsletters_in_HTML_become_the_same_letter_again(void **state)
{
    (void)state;
    struct tally tally = { 0 };
    assert_int_equal(mbox("spamassassin-hard-ham-1.mbox.xz", &tally), 0);
    assert_int_equal(tally.messages, 250);
    assert_in_range(tally.html, 100, 250);
    assert_in_range(tally.without_text, 0, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_with_their_msg_twins_become_the_same_letter_again),
        cmocka_unit_test(corner_cases_of_RFC_2045_become_the_same_letter_again),
        cmocka_unit_test(hostile_messages_become_the_same_letter_again),
        cmocka_unit_test(real_mail_becomes_the_same_letter_again),
        cmocka_unit_test(newsletters_in_HTML_become_the_same_letter_again),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
