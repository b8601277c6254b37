/* SPDX-License-Identifier: Apache-2.0 */
/* client/mail.h: what a user does with a mailbox, each as the list of ROPs that an online-mode client sends.
 * Objects are handles of the client: whoever opens one releases it with client_release(). */
#pragma once
#include "client/client.h"

/* ---- folders ---- */

struct client_folder {
    uint64_t fid;
    const char *path;                        /* below the top: "Inbox/Projects" */
    uint32_t count, unread, depth;           /* depth 1: directly below */
};
/* Every folder below `parent`, 0: the top that users see; a folder stands before what is in it. */
enum ec client_folders(struct client *, TALLOC_CTX *arena, uint64_t parent, struct client_folder **, uint32_t *count);
/* By its path, without case; "" is the top. */
enum ec client_folder_find(struct client *, const char *path, uint64_t *fid);
enum ec client_folder_open(struct client *, uint64_t fid, uint32_t *handle);
/* What has the name already is opened. */
enum ec client_folder_create(struct client *, uint64_t parent, const char *name, uint64_t *fid);

/* ---- tables ---- */

/* The contents of a folder, newest first; `total` (may be NULL) is the number of rows. */
enum ec client_table_open(struct client *, uint64_t fid, const uint32_t *columns, uint32_t count, uint32_t *handle, uint32_t *total);
/* The next rows of any table with columns, up to `most`. */
enum ec client_table_rows(struct client *, TALLOC_CTX *arena, uint32_t handle, uint32_t most, struct props **rows, uint32_t *count);
/* Both in one: `most` rows behind the first `skip`. */
enum ec client_messages(struct client *, TALLOC_CTX *arena, uint64_t fid, const uint32_t *columns, uint32_t column_count,
                        uint32_t skip, uint32_t most, struct props **rows, uint32_t *count, uint32_t *total);

/* ---- messages ---- */

enum ec client_message_open(struct client *, uint64_t fid, uint64_t mid, bool write, uint32_t *handle);
enum ec client_message_create(struct client *, uint64_t fid, uint32_t *handle);
enum ec client_message_save(struct client *, uint32_t handle, uint64_t *mid);    /* stays open; mid may be NULL */
enum ec client_message_submit(struct client *, uint32_t handle);
enum ec client_message_delete(struct client *, uint64_t fid, uint64_t mid);
/* The message's text: the plain body, or what is in its HTML. */
enum ec client_message_text(struct client *, TALLOC_CTX *arena, uint32_t message, const char **text);

/* One value per tag, PtypErrorCode where there is none; what is too large for the answer is read as a stream. */
enum ec client_get(struct client *, TALLOC_CTX *arena, uint32_t handle, const uint32_t *tags, uint32_t count, struct prop **values);
/* Large values go as streams.  The first problem that the server reports is the result. */
enum ec client_set(struct client *, uint32_t handle, const struct prop *values, uint32_t count);
/* Whole values; text is UTF-16LE as it stands in the stream. */
enum ec client_stream_read(struct client *, TALLOC_CTX *arena, uint32_t handle, uint32_t tag, struct blob *);
enum ec client_stream_write(struct client *, uint32_t handle, uint32_t tag, struct blob);

/* ---- people ---- */

enum { CLIENT_TO = 1, CLIENT_CC = 2, CLIENT_BCC = 3 };
struct client_recipient {
    uint8_t type;                            /* CLIENT_TO, ... */
    const char *name, *address_type, *address;
    const char *smtp;                        /* NULL: the server did not say */
};
enum ec client_recipients(struct client *, TALLOC_CTX *arena, uint32_t message, struct client_recipient **, uint32_t *count);
enum ec client_add_recipients(struct client *, uint32_t message, const struct client_recipient *, uint32_t count);
/* As typed: who is in the address book gets its entry, another address stands for itself.  ecAmbiguousRecip, ecNotFound. */
enum ec client_resolve(struct client *, TALLOC_CTX *arena, const char *typed, uint8_t type, struct client_recipient *);

/* ---- attachments ---- */

enum { CLIENT_ATTACH_BY_VALUE = 1, CLIENT_ATTACH_EMBEDDED = 5 };
struct client_attachment {
    uint32_t number, size, method;
    const char *name, *mime_type;            /* never NULL */
};
enum ec client_attachments(struct client *, TALLOC_CTX *arena, uint32_t message, struct client_attachment **, uint32_t *count);
enum ec client_attachment_read(struct client *, TALLOC_CTX *arena, uint32_t message, uint32_t number, struct blob *);
enum ec client_attach(struct client *, uint32_t message, const char *name, const char *mime_type, struct blob data);
/* A message in an attachment; it goes with the message around it. */
enum ec client_embedded_open(struct client *, uint32_t message, uint32_t number, uint32_t *handle);

/* ---- sending and watching ---- */

struct client_file {
    const char *name, *mime_type;
    struct blob data;
};
struct client_mail {
    const char *subject, *text, *html;       /* text or html may be NULL */
    const struct client_recipient *recipients;
    uint32_t recipient_count;
    const struct client_file *files;
    uint32_t file_count;
};
enum ec client_send(struct client *, const struct client_mail *);

enum { CLIENT_NEW_MAIL = 0x02, CLIENT_CREATED = 0x04, CLIENT_DELETED = 0x08, CLIENT_MODIFIED = 0x10, CLIENT_MOVED = 0x20,
       CLIENT_COPIED = 0x40, CLIENT_EVERYTHING = 0x7E };
/* fid 0: the whole mailbox. */
enum ec client_subscribe(struct client *, uint16_t types, uint64_t fid, uint32_t *handle);
