/* SPDX-License-Identifier: Apache-2.0 */
/* Mail as MAPI sees it, field by field and part by part: [MS-OXCMAIL], [MS-OXOSMIME]. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "mime/internal.h"
#include "wire/entry_id.h"
#include "wire/guids.h"

#define HEAD "From: Carol <carol@example.com>\r\nTo: alice@contoso.com\r\nDate: Mon, 23 Nov 2026 10:00:00 +0100\r\n"
#define MIXED HEAD "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"

static int open_arena(void **state)
{
    return (*state = talloc_new(NULL)) ? 0 : 1;
}
static int close_arena(void **state)
{
    return talloc_free(*state);
}

static bool resolve(void *arg, TALLOC_CTX *arena, const char *smtp, struct mime_person *out)
{
    (void)arg, (void)arena;
    if (strcasecmp(smtp, "alice@contoso.com") != 0)
        return false;
    *out = (struct mime_person){ "Alice Example", "EX", "/o=Contoso/cn=alice", "alice@contoso.com" };
    return true;
}

static const struct mime_context context = { .resolve = resolve, .received = 134000000000000000 };

static struct letter *read_bytes(TALLOC_CTX *arena, const void *bytes, size_t size)
{
    struct letter *letter;
    assert_int_equal(mime_read(arena, BLOB_OF(bytes, size), &context, &letter), ecNone);
    return letter;
}

static struct letter *read_text(TALLOC_CTX *arena, const char *mail)
{
    return read_bytes(arena, mail, strlen(mail));
}

static const char *text(const struct letter *letter, uint32_t tag)
{
    const char *value = letter_text(&letter->props, tag);
    return value ? value : "";
}

static const char *written(TALLOC_CTX *arena, const struct letter *letter)
{
    struct blob mail;
    assert_int_equal(mime_write(arena, letter, &mail), ecNone);
    return talloc_strndup(arena, (const char *)mail.data, mail.size);
}

/* ---- header fields ---- */

static void a_subject_is_split_into_its_prefix_and_the_rest(void **state)
{
    static const struct {
        const char *subject, *prefix;
    } cases[] = {
        { "RE: lunch", "RE: " },
        { "Fwd: lunch", "Fwd: " },
        { "AW: RE: x", "AW: " },
        { "Ответ: x", "" },
        { "回复: x", "回复: " },
        { "RE:lunch", "" },
        { "Note: x", "" },
        { ": x", "" },
        { "1a: x", "" },
        { "RE: ", "RE: " },
        { "", "" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        struct letter *letter = letter_new(*state);
        mime_set_subject(&letter->props, cases[i].subject);
        assert_string_equal(text(letter, PidTagSubjectPrefix), cases[i].prefix);
        assert_string_equal(text(letter, PidTagNormalizedSubject), cases[i].subject + strlen(cases[i].prefix));
        assert_string_equal(text(letter, PidTagConversationTopic), text(letter, PidTagNormalizedSubject));
    }
}

static void encoded_words_become_text(void **state)
{
    static const struct {
        const char *encoded, *decoded;
    } cases[] = {
        { "=?utf-8?B?QQ==?= =?utf-8?B?Qg==?=", "AB" }, /* padding in the middle of a run */
        { "=?utf-8?B?4oI=?= =?utf-8?B?rA==?=", "€" },  /* a character in two words */
        { "=?utf-8?Q?a_b=3D?= c", "a b= c" },
        { "=?ISO-8859-1*en?q?caf=E9?=", "café" },
        { "=?utf-8?q?a?=b=?utf-8?q?c?=", "abc" },
        { "=?unknown-8bit?q?caf=E9?=", "café" },
        { "=?utf-8?x?abc?= =?utf-8?q?never ends", "=?utf-8?x?abc?= =?utf-8?q?never ends" },
        { "caf\xE9", "café" },
        { "caf\xC3\xA9", "café" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct letter *letter =
            read_text(*state, talloc_asprintf(*state, "Subject: %s\r\n\r\n", cases[i].encoded));
        assert_string_equal(text(letter, PidTagSubject), cases[i].decoded);
    }
}

static char *repeated(TALLOC_CTX *arena, const char *what, size_t times)
{
    struct buf text;
    buf_init(&text, arena);
    for (size_t i = 0; i < times; i++)
        buf_add(&text, what, strlen(what));
    buf_add(&text, "", 1);
    return (char *)text.data;
}

static void encoded_words_of_changing_charsets_are_all_decoded(void **state)
{
    enum { PAIRS = 20000 };
    const char *words = decode_words(*state, repeated(*state, "=?utf-8?q?a?= =?iso-8859-2?q?b?= ", PAIRS));
    assert_int_equal(strlen(words), 2 * PAIRS + 1);
    assert_memory_equal(words + 2 * PAIRS - 4, "abab ", 6);
}

static void of_a_field_without_end_whole_words_become_a_property(void **state)
{
    enum { FIELD = 8 * 1024 * 1024, WORD = sizeof("=?utf-8?q?w=C3=B6rd?= ") - 1, MEMORY = 8 * 1024 * 1024 };
    const char *mail = talloc_asprintf(
        *state, HEAD "Subject: %s\r\nThread-Topic: %s\r\nReferences: %s\r\n\r\nbody",
        repeated(*state, "x", FIELD), repeated(*state, "=?utf-8?q?w=C3=B6rd?= ", FIELD / WORD),
        repeated(*state, "<a@example.com> ", FIELD_MAX / 20));
    TALLOC_CTX *arena = talloc_new(*state);
    const struct letter *letter = read_text(arena, mail);
    assert_int_equal(strlen(text(letter, PidTagSubject)), SUBJECT_MAX);
    assert_int_equal(strlen(text(letter, PidTagConversationTopic)), VALUE_MAX / WORD * strlen("wörd"));
    const char *references = text(letter, PidTagInternetReferences);
    assert_true(strlen(references) < VALUE_MAX);
    assert_string_equal(references + strlen(references) - 16, " <a@example.com>");
    assert_string_equal(text(letter, PidTagBody), "body");
    assert_true(talloc_total_size(arena) < MEMORY);
}

static void a_text_too_long_for_a_body_is_an_attachment(void **state)
{
    char *longer = talloc_size(*state, BODY_MAX + 2);
    memset(longer, 'x', BODY_MAX + 1);
    longer[BODY_MAX + 1] = 0;
    const struct letter *letter = read_text(
        *state, talloc_asprintf(*state,
                                MIXED "--b\r\n\r\nshort\r\n--b\r\nContent-Type: text/plain\r\n\r\n%s\r\n--b--\r\n",
                                longer));
    assert_string_equal(text(letter, PidTagBody), "short");
    assert_int_equal(letter->attachment_count, 1);
    assert_int_equal(letter_bytes(&letter->attachments[0]->props, PidTagAttachDataBinary).size, BODY_MAX + 1);
}

/* [MS-OXCMAIL] 2.2.3.2.5: Importance, then Priority, then X-Priority, then X-MSMail-Priority */
static void importance_is_said_in_four_ways_of_which_the_first_counts(void **state)
{
    static const struct {
        const char *fields;
        uint32_t importance;
    } cases[] = {
        { "", 1 },
        { "Importance: high\r\n", 2 },
        { "X-Priority: 1 (Highest)\r\n", 2 },
        { "X-Priority: 5\r\n", 0 },
        { "Priority: non-urgent\r\nX-Priority: 1\r\n", 0 },
        { "X-MSMail-Priority: High\r\nX-Priority: 3\r\nImportance: Low\r\n", 0 },
        { "Importance: whatever\r\nX-MSMail-Priority: High\r\n", 2 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct letter *letter = read_text(*state, talloc_asprintf(*state, "%s\r\n", cases[i].fields));
        assert_int_equal(letter_u32(&letter->props, PidTagImportance, 9), cases[i].importance);
        assert_int_equal(letter_u32(&letter->props, PidTagSensitivity, 9), 0);
    }
}

static void fields_become_properties(void **state)
{
    const struct letter *letter = read_text(
        *state, HEAD
        "Message-ID: <one@example.com>\r\nIn-Reply-To: <zero@example.com>\r\nReferences: <a@example.com>\r\n "
        "<zero@example.com>\r\n"
        "Sensitivity: Company-Confidential\r\nX-Auto-Response-Suppress: OOF, AutoReply\r\nReply-By: Tue, 24 Nov 2026 "
        "10:00:00 GMT\r\n"
        "List-Unsubscribe: <mailto:off@example.com>\r\nList-Id: People <people.example.com>\r\nX-Message-Flag: Call\r\n"
        "Keywords: red, =?utf-8?q?gr=C3=BCn?=\r\nThread-Topic: topic\r\nThread-Index: "
        "AQHZAAAAAAAAAAAAAAAAAAAAAAAAAA==\r\n"
        "Disposition-Notification-To: carol@example.com\r\nReturn-Receipt-To: carol@example.com\r\n\r\n");
    const struct letter_props *props = &letter->props;
    assert_string_equal(text(letter, PidTagInternetMessageId), "<one@example.com>");
    assert_string_equal(text(letter, PidTagInReplyToId), "<zero@example.com>");
    assert_string_equal(text(letter, PidTagInternetReferences), "<a@example.com> <zero@example.com>");
    assert_int_equal(letter_u32(props, PidTagSensitivity, 0), 3);
    assert_int_equal(letter_u32(props, PidTagAutoResponseSuppress, 0), 0x30);
    assert_string_equal(filetime_text(*state, letter_find(props, PidTagReplyTime)->u64), "2026-11-24T10:00:00.000Z");
    assert_string_equal(filetime_text(*state, letter_find(props, PidTagClientSubmitTime)->u64),
                        "2026-11-23T09:00:00.000Z");
    assert_string_equal(text(letter, PidTagListUnsubscribe), "<mailto:off@example.com>");
    assert_string_equal(letter_find_named(props, PS_INTERNET_HEADERS, "list-id", 0)->str,
                        "People <people.example.com>");
    assert_string_equal(letter_find_named(props, PSETID_Common, NULL, 0x8530)->str, "Call");
    assert_string_equal(letter_find_named(props, PS_PUBLIC_STRINGS, "Keywords", 0)->mv.str[1], "grün");
    assert_string_equal(text(letter, PidTagConversationTopic), "topic");
    assert_int_equal(letter_bytes(props, PidTagConversationIndex).size, 22);
    assert_true(letter_u32(props, PidTagReadReceiptRequested, 0));
    assert_true(letter_u32(props, PidTagOriginatorDeliveryReportRequested, 0));
    assert_non_null(strstr(text(letter, PidTagTransportMessageHeaders), "Thread-Topic: topic\r\n"));
}

/* A header that somebody made up must not take one of the mailbox's 32,000 ids of named properties. */
static void unknown_fields_are_in_the_header_block_alone(void **state)
{
    const struct letter *letter = read_text(*state, "X-Made-Up: 1\r\nReceived: from a by b; today\r\n\r\n");
    assert_int_equal(letter->props.named_count, 0);
    assert_string_equal(text(letter, PidTagTransportMessageHeaders),
                        "X-Made-Up: 1\r\nReceived: from a by b; today\r\n");
}

static void an_answer_belongs_to_the_conversation_of_what_it_answers(void **state)
{
    const struct letter *first =
        read_text(*state, "Message-ID: <1@x>\r\nDate: Mon, 23 Nov 2026 10:00:00 +0000\r\n\r\n");
    const struct letter *answer = read_text(*state, "Message-ID: <3@x>\r\nReferences: <1@x> <2@x>\r\n\r\n");
    const struct letter *other = read_text(*state, "Message-ID: <4@x>\r\n\r\n");
    const uint8_t *a = letter_bytes(&first->props, PidTagConversationIndex).data;
    assert_memory_equal(a + 6, letter_bytes(&answer->props, PidTagConversationIndex).data + 6, 16);
    assert_memory_not_equal(a + 6, letter_bytes(&other->props, PidTagConversationIndex).data + 6, 16);
    assert_int_equal(a[0], 1);
    assert_true(letter_u32(&first->props, PidTagConversationIndexTracking, 0));
}

static void a_message_without_a_date_was_sent_when_it_came(void **state)
{
    const struct letter *letter = read_text(*state, "Subject: x\r\nDate: the other day\r\n\r\n");
    assert_int_equal(letter_find(&letter->props, PidTagClientSubmitTime)->u64, context.received);
}

/* ---- people ---- */

static void people_of_the_organisation_have_their_legacy_DN(void **state)
{
    const struct letter *letter =
        read_text(*state, "From: Alice <alice@contoso.com>\r\nTo: \"A. Liz\" <ALICE@contoso.com>, "
                          "=?utf-8?q?J=C3=B6rg?= <joerg@example.com>\r\n"
                          "Cc: Team: one@example.com, two@example.com;\r\nBcc: three@example.com\r\n\r\n");
    struct mime_person p;
    assert_int_equal(letter->recipient_count, 5);
    assert_true(mime_recipient_person(&letter->recipients[0]->props, &p));
    assert_string_equal(p.address_type, "EX");
    assert_string_equal(p.address, "/o=Contoso/cn=alice");
    assert_string_equal(p.display_name, "Alice Example");
    assert_string_equal(p.smtp, "alice@contoso.com");
    assert_true(mime_recipient_person(&letter->recipients[1]->props, &p));
    assert_string_equal(p.address_type, "SMTP");
    assert_string_equal(p.display_name, "Jörg");
    assert_string_equal(p.smtp, "joerg@example.com");
    assert_int_equal(letter->recipients[2]->type, 2);
    assert_int_equal(letter->recipients[4]->type, 3);
    /* A From is easily written: it is not looked up. */
    assert_true(mime_person_of(&letter->props, ROLE_SENT_REPRESENTING, &p));
    assert_string_equal(p.address_type, "SMTP");
}

static void a_recipient_has_an_EntryID_that_names_him(void **state)
{
    const struct letter *letter = read_text(*state, "To: alice@contoso.com, Bob <bob@example.com>\r\n\r\n");
    struct entry_id_person p;
    assert_true(entry_id_person(*state, letter_bytes(&letter->recipients[0]->props, PidTagEntryId), &p));
    assert_string_equal(p.address_type, "EX");
    assert_string_equal(p.address, "/o=Contoso/cn=alice");
    assert_true(entry_id_person(*state, letter_bytes(&letter->recipients[1]->props, PidTagEntryId), &p));
    assert_string_equal(p.address_type, "SMTP");
    assert_string_equal(p.address, "bob@example.com");
    assert_string_equal(p.display_name, "Bob");
    assert_string_equal(letter_bytes(&letter->recipients[1]->props, PidTagSearchKey).data, "SMTP:BOB@EXAMPLE.COM");
}

/* [MS-OXCMAIL] 2.2.3.2.3, 2.2.3.2.4 */
static void Sender_is_who_sent_it_and_From_whom_he_sent_it_for(void **state)
{
    struct mime_person p;
    const struct letter *letter = read_text(*state, "From: boss@example.com\r\nSender: clerk@example.com\r\n\r\n");
    assert_true(mime_person_of(&letter->props, ROLE_SENDER, &p));
    assert_string_equal(p.smtp, "clerk@example.com");
    assert_true(mime_person_of(&letter->props, ROLE_SENT_REPRESENTING, &p));
    assert_string_equal(p.smtp, "boss@example.com");
    letter = read_text(*state, "From: boss@example.com\r\n\r\n");
    assert_true(mime_person_of(&letter->props, ROLE_SENDER, &p));
    assert_string_equal(p.smtp, "boss@example.com");
    letter = read_text(*state, "Sender: clerk@example.com\r\n\r\n");
    assert_true(mime_person_of(&letter->props, ROLE_SENT_REPRESENTING, &p));
    assert_string_equal(p.smtp, "clerk@example.com");
}

/* [MS-OXCDATA] 2.3.3 */
static void Reply_To_is_a_list_of_EntryIDs(void **state)
{
    const struct letter *letter = read_text(*state, "Reply-To: One <1@example.com>, 22@example.com\r\n\r\n");
    struct wire_in in = wire_in(*state, letter_bytes(&letter->props, PidTagReplyRecipientEntries));
    struct FlatEntryList list;
    struct FlatEntry entry;
    struct entry_id_person p;
    assert_true(wire_get(&in, &FlatEntryList_wire, &list));
    assert_int_equal(list.Count, 2);
    in = wire_in(*state, list.FlatEntries);
    assert_true(wire_get(&in, &FlatEntry_wire, &entry));
    assert_true(entry_id_person(*state, entry.EntryId, &p));
    assert_string_equal(p.display_name, "One");
    wire_get_bytes(&in, -entry.Size & 3);
    assert_true(wire_get(&in, &FlatEntry_wire, &entry));
    assert_true(entry_id_person(*state, entry.EntryId, &p));
    assert_string_equal(p.address, "22@example.com");
    assert_string_equal(text(letter, PidTagReplyRecipientNames), "One;22@example.com");
    assert_non_null(strstr(written(*state, letter), "Reply-To: "));
}

/* ---- bodies ---- */

static void a_text_in_any_charset_becomes_the_same_text(void **state)
{
    static const struct {
        const char *charset, *encoded;
        const char *body;
        unsigned codepage;
    } cases[] = {
        { "us-ascii", "hello", "hello", 20127 },
        { "iso-8859-1",
          "gr\xFC\xDF"
          "e",
          "grüße", 28591 },
        { "iso-8859-1", "5 \x80", "5 €", 1252 }, /* what is called Latin-1 and is Windows' */
        { "windows-1251", "\xCF\xF0\xE8\xE2\xE5\xF2", "Привет", 1251 },
        { "koi8-r", "\xF0\xD2\xC9\xD7\xC5\xD4", "Привет", 20866 },
        { "iso-2022-jp", "\x1B$B$3$s\x1B(B", "こん", 50220 },
        { "gb2312", "\xC4\xE3\xBA\xC3", "你好", 936 },
        { "big5", "\xA7\x41\xA6\x6E", "你好", 950 },
        { "euc-kr", "\xBE\xC8\xB3\xE7", "안녕", 949 },
        { "utf-8",
          "gr\xC3\xBC\xC3\x9F"
          "e",
          "grüße", 65001 },
        { "us-ascii",
          "gr\xC3\xBC\xC3\x9F"
          "e",
          "grüße", 65001 }, /* says ASCII, is UTF-8 */
        { "no-such-charset",
          "gr\xFC\xDF"
          "e",
          "grüße", 65001 },
        { "",
          "gr\xFC\xDF"
          "e",
          "grüße", 65001 },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct letter *letter =
            read_text(*state, talloc_asprintf(*state, HEAD "Content-Type: text/plain; charset=\"%s\"\r\n\r\n%s",
                                              cases[i].charset, cases[i].encoded));
        assert_string_equal(text(letter, PidTagBody), cases[i].body);
        assert_int_equal(letter_u32(&letter->props, PidTagInternetCodepage, 0), cases[i].codepage);
        assert_int_equal(letter_u32(&letter->props, PidTagNativeBody, 0), 1);
    }
}

static void UTF_16_text_is_read(void **state)
{
    static const char mail[] =
        HEAD "Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\nZwByAPwA3wBlAA==";
    assert_string_equal(text(read_text(*state, mail), PidTagBody), "grüße");
}

static void of_alternatives_both_bodies_are_kept(void **state)
{
    const struct letter *letter = read_text(
        *state,
        HEAD "Content-Type: multipart/alternative; boundary=b\r\n\r\n"
             "--b\r\nContent-Type: text/plain\r\n\r\nplain\r\n--b\r\nContent-Type: text/html\r\n\r\n<b>html</b>\r\n"
             "--b\r\nContent-Type: text/x-amp-html\r\n\r\n<amp>\r\n--b\r\nContent-Type: "
             "text/calendar\r\n\r\nBEGIN:VCALENDAR\r\n--b--\r\n");
    assert_string_equal(text(letter, PidTagBody), "plain");
    assert_true(blob_equal(letter_bytes(&letter->props, PidTagHtml), BLOB_OF("<b>html</b>", 11)));
    assert_int_equal(letter_u32(&letter->props, PidTagNativeBody, 0), 3);
    assert_int_equal(letter->attachment_count, 1);
    assert_string_equal(letter_text(&letter->attachments[0]->props, PidTagAttachLongFilename), "ATT00001.ics");
}

static void HTML_alone_gets_a_plain_text_beside_it(void **state)
{
    const struct letter *letter = read_text(
        *state,
        HEAD "Content-Type: text/html; charset=iso-8859-1\r\n\r\n"
             "<html><head><title>no</title><style>p {}</style></head><body><h1>Gr\xFC\xDF"
             "e</h1><p>one<br>two&nbsp;&amp; <b>three</b></p>"
             "<ul><li>first<li>second</ul><table><tr><td>a<td>b</tr></table><a href=\"https://example.com/\">here</a>"
             "<script>no</script></body></html>");
    assert_string_equal(text(letter, PidTagBody),
                        "Grüße\r\n\r\none\r\ntwo & three\r\n\r\n  * first\r\n  * second\r\na\tb\r\n"
                        "here <https://example.com/>");
    assert_int_equal(letter_u32(&letter->props, PidTagInternetCodepage, 0), 28591);
    assert_int_equal(letter_u32(&letter->props, PidTagNativeBody, 0), 3);
}

static void HTML_without_a_charset_has_the_one_that_its_meta_says(void **state)
{
    const struct letter *letter = read_text(
        *state, HEAD
        "Content-Type: text/html\r\n\r\n"
        "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=windows-1251\"><p>\xCF\xF0\xE8\xE2\xE5\xF2");
    assert_string_equal(text(letter, PidTagBody), "Привет");
    assert_int_equal(letter_u32(&letter->props, PidTagInternetCodepage, 0), 1251);
}

/* RFC 3676 */
static void flowed_lines_are_joined(void **state)
{
    const struct letter *letter =
        read_text(*state, HEAD "Content-Type: text/plain; format=flowed\r\n\r\n"
                               "one \r\nparagraph\r\n  indented\r\n> quoted \r\n> on\r\n>> deeper\r\n-- \r\nme\r\n");
    assert_string_equal(text(letter, PidTagBody),
                        "one paragraph\r\n indented\r\n> quoted on\r\n>> deeper\r\n-- \r\nme\r\n");
}

/* Lists add their footers as a second text. */
static void further_plain_texts_are_added_to_the_body(void **state)
{
    const struct letter *letter =
        read_text(*state, MIXED
                  "--b\r\n\r\nbody\r\n--b\r\nContent-Type: text/plain\r\n\r\nfooter\r\n"
                  "--b\r\nContent-Type: text/plain; name=notes.txt\r\n\r\nnotes\r\n"
                  "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment\r\n\r\nattached\r\n--b--\r\n");
    assert_string_equal(text(letter, PidTagBody), "body\r\nfooter");
    assert_int_equal(letter->attachment_count, 2);
    assert_string_equal(letter_text(&letter->attachments[0]->props, PidTagAttachLongFilename), "notes.txt");
    assert_string_equal(letter_text(&letter->attachments[1]->props, PidTagAttachLongFilename), "ATT00001.txt");
}

/* ---- attachments ---- */

static void a_file_keeps_its_name_and_never_a_path(void **state)
{
    static const struct {
        const char *field, *name;
    } cases[] = {
        { "Content-Disposition: attachment; filename=\"a b.txt\"", "a b.txt" },
        { "Content-Disposition: attachment; filename*=utf-8''gr%C3%BCn.txt", "grün.txt" },
        { "Content-Disposition: attachment; filename*0=\"very\"; filename*1=\"long.txt\"", "verylong.txt" },
        { "Content-Disposition: attachment; filename=\"=?utf-8?B?Z3LDvA==?= =?utf-8?B?bi50eHQ=?=\"", "grün.txt" },
        { "Content-Type: application/x-thing; name=thing.bin", "thing.bin" },
        { "Content-Disposition: attachment; filename=\"../../etc/passwd\"", "passwd" },
        { "Content-Disposition: attachment; filename=\"C:\\\\temp\\\\evil.exe\"", "evil.exe" },
        { "Content-Disposition: attachment", "ATT00001.dat" },
        { "Content-Description: the plan\r\nContent-Type: application/pdf", "the plan.pdf" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct letter *letter = read_text(
            *state,
            talloc_asprintf(*state, MIXED "--b\r\n%s%s\r\n\r\nx\r\n--b--\r\n",
                            strstr(cases[i].field, "Content-Type") ? "" : "Content-Type: application/octet-stream\r\n",
                            cases[i].field));
        assert_int_equal(letter->attachment_count, 1);
        assert_string_equal(letter_text(&letter->attachments[0]->props, PidTagAttachLongFilename), cases[i].name);
        assert_int_equal(letter_u32(&letter->attachments[0]->props, PidTagAttachMethod, 0), 1);
    }
}

/* [MS-OXCMAIL] 2.2.3.4.2.2 */
static void a_picture_is_hidden_only_if_the_HTML_shows_it(void **state)
{
    const struct letter *letter =
        read_text(*state, HEAD "Content-Type: multipart/related; boundary=b; start=\"<root@x>\"\r\n\r\n"
                               "--b\r\nContent-Type: image/gif\r\nContent-ID: <shown@x>\r\n\r\nGIF1\r\n"
                               "--b\r\nContent-Type: text/html\r\nContent-ID: <root@x>\r\n\r\n<img "
                               "src='cid:shown%40x'><img src='logo.gif'>\r\n"
                               "--b\r\nContent-Type: image/gif\r\nContent-ID: <other@x>\r\n\r\nGIF2\r\n"
                               "--b\r\nContent-Type: image/gif\r\nContent-Location: logo.gif\r\n\r\nGIF3\r\n--b--\r\n");
    const bool hidden[] = { true, false, true };
    assert_int_equal(letter->attachment_count, COUNTOF(hidden));
    for (size_t i = 0; i < COUNTOF(hidden); i++) {
        assert_int_equal(letter_u32(&letter->attachments[i]->props, PidTagAttachmentHidden, 0), hidden[i]);
        assert_int_equal(letter_u32(&letter->attachments[i]->props, PidTagAttachFlags, 0), hidden[i] ? 4 : 0);
    }
}

static void a_message_inside_is_a_message(void **state)
{
    const struct letter *letter =
        read_text(*state, MIXED "--b\r\n\r\nsee below\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n"
                                "From: dave@example.com\r\nSubject: inner\r\n\r\ninner text\r\n--b--\r\n");
    assert_int_equal(letter->attachment_count, 1);
    const struct letter_attachment *a = letter->attachments[0];
    assert_int_equal(letter_u32(&a->props, PidTagAttachMethod, 0), 5);
    assert_string_equal(letter_text(&a->props, PidTagDisplayName), "inner");
    assert_string_equal(text(a->embedded, PidTagBody), "inner text");
    assert_string_equal(text(a->embedded, PidTagSenderSmtpAddress), "dave@example.com");
}

static void broken_base64_is_read_as_far_as_it_goes(void **state)
{
    const struct letter *letter = read_text(
        *state,
        MIXED "--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nThis is no base64, it is "
              "the text itself.\r\n"
              "--b\r\nContent-Type: application/x\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVs*bG8\r\n--b--\r\n");
    assert_string_equal(text(letter, PidTagBody), "This is no base64, it is the text itself.");
    assert_true(blob_equal(letter_bytes(&letter->attachments[0]->props, PidTagAttachDataBinary), BLOB_OF("Hello", 5)));
}

/* ---- S/MIME and reports ---- */

#define SIGNED                                                                                                         \
    "Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\";\r\n micalg=sha-256; boundary=s\r\n\r\n" \
    "--s\r\nContent-Type: text/plain\r\n\r\nsigned  text \r\n--s\r\nContent-Type: application/pkcs7-signature\r\n"     \
    "Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n--s--\r\n"

/* [MS-OXOSMIME] 2.1.1 */
static void what_is_signed_stays_byte_for_byte(void **state)
{
    const struct letter *letter = read_text(*state, HEAD SIGNED);
    assert_string_equal(text(letter, PidTagMessageClass), "IPM.Note.SMIME.MultipartSigned");
    assert_string_equal(text(letter, PidTagBody), "signed  text ");
    assert_int_equal(letter->attachment_count, 1);
    assert_string_equal(letter_text(&letter->attachments[0]->props, PidTagAttachMimeTag), "multipart/signed");
    assert_true(blob_equal(letter_bytes(&letter->attachments[0]->props, PidTagAttachDataBinary),
                           BLOB_OF(SIGNED, sizeof SIGNED - 1)));
    const char *again = written(*state, letter);
    assert_non_null(strstr(again, SIGNED));
}

/* [MS-OXOSMIME] 2.1.2 */
static void what_is_encrypted_is_one_attachment_without_a_body(void **state)
{
    const struct letter *letter = read_text(*state, HEAD "Content-Type: application/octet-stream; name=smime.p7m\r\n"
                                                         "Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n");
    assert_string_equal(text(letter, PidTagMessageClass), "IPM.Note.SMIME");
    assert_string_equal(text(letter, PidTagBody), "");
    assert_int_equal(letter_bytes(&letter->attachments[0]->props, PidTagAttachDataBinary).size, 3);
}

/* [MS-OXCMAIL] 2.2.3.7.1 */
static void a_delivery_report_is_about_those_it_names(void **state)
{
    const struct letter *letter =
        read_text(*state, HEAD "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
                               "--b\r\n\r\nIt did not work.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
                               "Reporting-MTA: dns; mx.example.com\r\n\r\nFinal-Recipient: rfc822; "
                               "ok@example.com\r\nAction: delivered\r\nStatus: 2.0.0\r\n\r\n"
                               "Final-Recipient: rfc822; bad@example.com\r\nAction: failed\r\nStatus: "
                               "5.1.1\r\nRemote-MTA: dns; far.example.com\r\n"
                               "Diagnostic-Code: smtp; 550 no\r\n\r\n--b\r\nContent-Type: "
                               "message/rfc822\r\n\r\nSubject: original\r\n\r\nx\r\n--b--\r\n");
    assert_string_equal(text(letter, PidTagMessageClass), "REPORT.IPM.Note.NDR");
    assert_string_equal(text(letter, PidTagBody), "It did not work.");
    assert_string_equal(text(letter, PidTagReportingMessageTransferAgent), "mx.example.com");
    assert_string_equal(text(letter, PidTagOriginalSubject), "original");
    assert_int_equal(letter->recipient_count, 1);
    const struct letter_props *bad = &letter->recipients[0]->props;
    assert_string_equal(letter_text(bad, PidTagSmtpAddress), "bad@example.com");
    assert_int_equal(letter_u32(bad, PidTagNonDeliveryReportStatusCode, 0), 511);
    assert_string_equal(letter_text(bad, PidTagSupplementaryInfo), "<far.example.com #5.1.1 smtp; 550 no>");
    assert_string_equal(letter_text(bad, PidTagRemoteMessageTransferAgent), "far.example.com");
}

static void a_receipt_says_whether_it_was_read(void **state)
{
    static const struct {
        const char *disposition, *class;
    } cases[] = {
        { "manual-action/MDN-sent-manually; displayed", "REPORT.IPM.Note.IPNRN" },
        { "automatic-action/MDN-sent-automatically; deleted", "REPORT.IPM.Note.IPNNRN" },
    };
    for (size_t i = 0; i < COUNTOF(cases); i++) {
        const struct letter *letter = read_text(
            *state,
            talloc_asprintf(*state,
                            HEAD "Content-Type: multipart/report; report-type=disposition-notification; "
                                 "boundary=b\r\n\r\n--b\r\n\r\nread\r\n"
                                 "--b\r\nContent-Type: message/disposition-notification\r\n\r\nOriginal-Message-ID: "
                                 "<1@x>\r\nDisposition: %s\r\n--b--\r\n",
                            cases[i].disposition));
        assert_string_equal(text(letter, PidTagMessageClass), cases[i].class);
        assert_string_equal(text(letter, PidTagOriginalMessageId), "<1@x>");
    }
}

/* ---- what cannot be taken apart ---- */

static void hostile_mail_is_kept_and_never_refused(void **state)
{
    TALLOC_CTX *arena = *state;
    const char *const mails[] = {
        "",
        "\r\n",
        "no headers at all",
        ":\r\n",
        "From: \r\nTo: ,,;\r\nContent-Type: /;=\r\n\r\nx",
        talloc_asprintf(arena, MIXED "%s", repeated(arena, "--b\n\n", 30000)),
        talloc_asprintf(arena, HEAD "Subject: deep\r\n%s\r\nlast",
                        repeated(arena, "Content-Type: message/rfc822\r\n\r\n", 3000)),
        talloc_asprintf(arena, "Cc: %s\r\n\r\nx", repeated(arena, "a:", 100000)),
        talloc_asprintf(arena, "To: %s\r\n\r\nx", repeated(arena, "a@b,\r\n ", 100000)),
        talloc_asprintf(arena, "%s\r\nx", repeated(arena, "A: b\r\n", 30000)),
        talloc_asprintf(arena, HEAD "Content-Type: text/html\r\n\r\n%s", repeated(arena, "<b>", 100000)),
        talloc_asprintf(arena, "Subject: %s\r\n\r\nx", repeated(arena, "=?x?q?", 100000)),
        MIXED "there is no boundary",
        HEAD "Content-Type: multipart/mixed\r\n\r\nand no name of one",
    };
    for (size_t i = 0; i < COUNTOF(mails); i++) {
        const struct letter *letter = read_text(arena, mails[i]);
        assert_string_equal(text(letter, PidTagMessageClass), "IPM.Note");
        assert_non_null(written(arena, letter));
    }
    assert_string_equal(text(read_text(arena, mails[2]), PidTagBody), "no headers at all");
    assert_string_equal(text(read_text(arena, mails[12]), PidTagBody), "there is no boundary");
    assert_true(strlen(text(read_text(arena, mails[5]), PidTagBody)) >= 30000 * 5);
}

static void what_is_nested_too_deeply_is_an_attachment_as_it_stands(void **state)
{
    struct buf mail;
    buf_init(&mail, *state);
    buf_printf(&mail, "Subject: deep\r\n");
    for (int i = 0; i < 60; i++)
        buf_printf(&mail, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i);
    buf_printf(&mail, "Content-Type: text/plain\r\n\r\nat the bottom\r\n");
    const struct letter *letter = read_bytes(*state, mail.data, mail.size);
    assert_int_equal(letter->attachment_count, 1);
    const struct blob kept = letter_bytes(&letter->attachments[0]->props, PidTagAttachDataBinary);
    assert_non_null(memmem(kept.data, kept.size, "at the bottom", 13));
}

static void zeros_do_not_end_a_text(void **state)
{
    static const char mail[] = HEAD "\r\nbefore\0after";
    assert_string_equal(text(read_bytes(*state, mail, sizeof mail - 1), PidTagBody), "beforeafter");
}

/* ---- writing ---- */

/* Whoever sets a property must not write header fields with it. */
static void a_line_break_in_a_property_makes_no_header_field(void **state)
{
    struct letter *letter = letter_new(*state);
    const struct mime_person p = { "x\r\nBcc: evil@example.com", "SMTP", "a@example.com\r\nBcc: evil@example.com",
                                   NULL };
    mime_set_subject(&letter->props, "a\r\nBcc: evil@example.com");
    letter_set(&letter->props, P_STR(PidTagInternetMessageId, "<1@x>\nBcc: evil@example.com"));
    letter_set_named(&letter->props, PS_INTERNET_HEADERS, "x-a: 1\r\nBcc", 0,
                     P_STR(PROP_TAG(PtypString, 0), "evil@example.com"));
    letter_set_named(&letter->props, PS_INTERNET_HEADERS, "bcc", 0, P_STR(PROP_TAG(PtypString, 0), "evil@example.com"));
    mime_add_recipient(letter, 1, &(struct mime_person){ p.display_name, "SMTP", p.address, p.address });
    mime_set_person(&letter->props, ROLE_SENDER, &(struct mime_person){ p.display_name, "SMTP", p.address, p.address });
    const char *mail = written(*state, letter);
    assert_null(strstr(mail, "\nBcc"));
    assert_null(strstr(mail, "\nbcc"));
}

static void lines_are_short_and_in_ASCII(void **state)
{
    struct letter *letter = letter_new(*state);
    struct blob mail;
    mime_set_subject(&letter->props, repeated(*state, "Füße ", 100));
    letter_set(&letter->props, P_STR(PidTagBody, repeated(*state, "länger ", 500)));
    letter_set(&letter->props, P_STR(PidTagInternetReferences, repeated(*state, "<id@example.com> ", 50)));
    assert_int_equal(mime_write(*state, letter, &mail), ecNone);
    assert_true(is_ascii(mail));
    size_t column = 0;
    for (size_t i = 0; i < mail.size; i++) {
        column = mail.data[i] == '\n' ? 0 : column + 1;
        if (column > 78 + 1)
            fail_msg("%.80s", mail.data + i - column);
        assert_true(mail.data[i] != '\n' || mail.data[i - 1] == '\r');
    }
}

static void a_message_that_has_RTF_alone_goes_out_as_what_it_was_made_of(void **state)
{
    struct letter *letter = letter_new(*state);
    letter_set(&letter->props, P_BIN(PidTagRtfCompressed,
                                     body_rtf_compress(*state, body_rtf_of_html(*state, "<p>One <b>two</b></p>"))));
    const char *mail = written(*state, letter);
    assert_non_null(strstr(mail, "multipart/alternative"));
    assert_non_null(strstr(mail, "<p>One <b>two</b></p>"));
    assert_non_null(strstr(mail, "\r\nOne two\r\n"));
    letter_set(&letter->props,
               P_BIN(PidTagRtfCompressed, body_rtf_compress(*state, body_rtf_of_text(*state, "One {two}"))));
    mail = written(*state, letter);
    assert_non_null(strstr(mail, "text/plain"));
    assert_null(strstr(mail, "text/html"));
    assert_non_null(strstr(mail, "\r\n\r\nOne {two}"));
}

static void Sender_is_written_only_if_it_is_somebody_else(void **state)
{
    assert_null(strstr(written(*state, read_text(*state, "From: a@example.com\r\n\r\n")), "Sender:"));
    assert_non_null(strstr(written(*state, read_text(*state, "From: a@example.com\r\nSender: b@example.com\r\n\r\n")),
                           "Sender: b@"));
}

/* ---- letters as bytes ---- */

static void every_shorter_piece_of_a_packed_letter_is_refused(void **state)
{
    struct letter *letter = read_text(
        *state, MIXED "--b\r\n\r\nx\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--b--\r\n");
    const struct blob packed = letter_pack(*state, letter);
    struct letter *again;
    assert_int_equal(letter_unpack(*state, packed, &again), ecNone);
    assert_int_equal(letter_size(again), letter_size(letter));
    for (size_t n = 0; n < packed.size; n++) {
        TALLOC_CTX *arena = talloc_new(*state);
        assert_int_equal(letter_unpack(arena, BLOB_OF(packed.data, n), &again), ecCorruptData);
        talloc_free(arena);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_arena, close_arena)
    const struct CMUnitTest tests[] = {
        TEST(a_subject_is_split_into_its_prefix_and_the_rest),
        TEST(encoded_words_become_text),
        TEST(encoded_words_of_changing_charsets_are_all_decoded),
        TEST(of_a_field_without_end_whole_words_become_a_property),
        TEST(a_text_too_long_for_a_body_is_an_attachment),
        TEST(importance_is_said_in_four_ways_of_which_the_first_counts),
        TEST(fields_become_properties),
        TEST(unknown_fields_are_in_the_header_block_alone),
        TEST(an_answer_belongs_to_the_conversation_of_what_it_answers),
        TEST(a_message_without_a_date_was_sent_when_it_came),
        TEST(people_of_the_organisation_have_their_legacy_DN),
        TEST(a_recipient_has_an_EntryID_that_names_him),
        TEST(Sender_is_who_sent_it_and_From_whom_he_sent_it_for),
        TEST(Reply_To_is_a_list_of_EntryIDs),
        TEST(a_text_in_any_charset_becomes_the_same_text),
        TEST(UTF_16_text_is_read),
        TEST(of_alternatives_both_bodies_are_kept),
        TEST(HTML_alone_gets_a_plain_text_beside_it),
        TEST(HTML_without_a_charset_has_the_one_that_its_meta_says),
        TEST(flowed_lines_are_joined),
        TEST(further_plain_texts_are_added_to_the_body),
        TEST(a_file_keeps_its_name_and_never_a_path),
        TEST(a_picture_is_hidden_only_if_the_HTML_shows_it),
        TEST(a_message_inside_is_a_message),
        TEST(broken_base64_is_read_as_far_as_it_goes),
        TEST(what_is_signed_stays_byte_for_byte),
        TEST(what_is_encrypted_is_one_attachment_without_a_body),
        TEST(a_delivery_report_is_about_those_it_names),
        TEST(a_receipt_says_whether_it_was_read),
        TEST(hostile_mail_is_kept_and_never_refused),
        TEST(what_is_nested_too_deeply_is_an_attachment_as_it_stands),
        TEST(zeros_do_not_end_a_text),
        TEST(a_line_break_in_a_property_makes_no_header_field),
        TEST(lines_are_short_and_in_ASCII),
        TEST(a_message_that_has_RTF_alone_goes_out_as_what_it_was_made_of),
        TEST(Sender_is_written_only_if_it_is_somebody_else),
        TEST(every_shorter_piece_of_a_packed_letter_is_refused),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
