/* SPDX-License-Identifier: Apache-2.0 */
/* mime/internal.h: what this room's files share. */
#pragma once
#include <gmime/gmime.h>
#undef MIN                                       /* GLib's own; base has the same */
#undef MAX

#include "body/body.h"
#include "mime/mime.h"

enum { CP_ASCII = 20127, CP_UTF8 = 65001, CP_WESTERN = 1252 };
enum { ATTACH_BY_VALUE = 1, ATTACH_EMBEDDED_MESSAGE = 5 }; /* [MS-OXCMSG] 2.2.2.9 */

/* What a message may have; what is beyond is kept as it stands, undivided. */
enum {
    PARTS_MAX = 1000,
    DEPTH_MAX = 30,                              /* multiparts in multiparts */
    EMBEDDED_MAX = 8,                            /* messages in messages */
    BOUNDARIES_MAX = 20000,                      /* lines that may be a boundary */
    FIELDS_IN_A_ROW = 20000,                     /* lines of header fields without an empty line */
    FIELD_MAX = 512 * 1024,                      /* bytes of a field with addresses or parameters */
    COLONS_MAX = 4000,                           /* in such a field */
    VALUE_MAX = 64 * 1024,                       /* bytes of a field that becomes one property; the rest is left out */
    TEXTS_MAX = 50,                              /* plain texts that make one body */
    BODY_MAX = 48 * 1024 * 1024,                 /* bytes of all texts; in UTF-8 they can be four times as many */
    RECIPIENTS_MAX = 5000,
    SUBJECT_MAX = 8 * 1024,    /* bytes */
    HEADERS_MAX = 1024 * 1024, /* bytes kept of PidTagTransportMessageHeaders */
};

/* One message while it is read. */
struct reader {
    TALLOC_CTX *arena;
    const struct mime_context *context;
    struct letter *letter;
    GMimeParserOptions *options;
    struct blob source;                          /* RFC 5322; nothing for a message inside another one */
    unsigned *parts;                             /* counted over all messages inside */
    unsigned embedded, unnamed, texts;
    size_t text_size;                            /* bytes of the texts that became a body */
    /* Bodies found so far; NULL: none yet. */
    const char *plain, *html;
    struct blob html_bytes;
    unsigned plain_codepage, html_codepage;
};

GMimeParserOptions *mime_options(void);          /* the room's own, made once */

/* read.c */
void read_message(struct reader *, GMimeMessage *);
/* header.c */
void read_headers(struct reader *, GMimeMessage *);
char *header_text(const struct reader *, const char *raw);             /* decoded, in one line */
char *header_plain(TALLOC_CTX *, const char *raw);                     /* in one line, as it stands */
/* address.c */
void read_addresses(struct reader *, const char *raw, uint32_t type);
void read_sender(struct reader *, const char *from, const char *sender);
void read_reply_to(struct reader *, const char *raw);
void read_receipt_to(struct reader *, const char *raw);
bool person_of_address(const struct reader *, const char *address, struct mime_person *out);
/* body.c */
void read_body(struct reader *, GMimeObject *);
void read_as_attachment(struct reader *, GMimeObject *, bool in_related);
void finish_bodies(struct reader *);
struct blob part_bytes(TALLOC_CTX *, GMimePart *);
struct blob object_bytes(TALLOC_CTX *, GMimeObject *);                 /* with its headers */
/* report.c */
bool read_report(struct reader *, GMimeObject *);                      /* false: not a report, or an empty one */
/* smime.c */
bool read_smime(struct reader *, GMimeObject *);                       /* false: not S/MIME */

/* words.c */
char *decode_words(TALLOC_CTX *, const char *);                        /* RFC 2047, as text */
char *join_words(TALLOC_CTX *, const char *);                          /* runs of words as one word */
/* charset.c */
struct decoded {
    char *text;                                  /* UTF-8 */
    struct blob bytes;                           /* the same in `codepage` */
    unsigned codepage;
};
struct decoded decode_text(TALLOC_CTX *, const char *charset, struct blob);
struct blob encode_text(TALLOC_CTX *, unsigned *codepage, const char *text);
unsigned codepage_of_charset(const char *charset);                     /* 0: unknown, or NULL was given */
const char *charset_of_codepage(unsigned codepage);                    /* NULL: none that mail knows */
bool is_ascii(struct blob);
void decode_base64(struct buf *out, struct blob);                      /* whatever is no digit is passed over */
