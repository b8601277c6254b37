/* SPDX-License-Identifier: Apache-2.0 */
/* rop/fx_download.h: what a FastTransfer stream is made of while a client fetches it.  [MS-OXCFXICS] 3.2.5.8.1
 *
 * A stream is made by steps, no more of them than the buffer that is asked for needs.  What is under way is a stack: a
 * synchronisation, above it a message, above that an attachment, above that a long value, of which a step reads one
 * piece.  So memory is bounded by the depth, whatever the length. */
#pragma once
#include "rop/ics_state.h"

struct fx_frame;
struct fx_download;
typedef enum ec fx_step(struct fx_download *, struct fx_frame *);
/* The first member of what each kind of step needs; a talloc child of the frame below it. */
struct fx_frame {
    struct fx_frame *below;
    fx_step *step; /* puts something, or fx_push or fx_pop */
    bool recovers; /* an error above it ends what is above it alone: 2.2.4.3.4 */
    uint8_t phase;
    enum ec failed; /* what has ended so, to be reported by the next step */
};

/* 3.2.5.10: which properties and subobjects of what is directly in the scope. */
struct fx_filter {
    bool include; /* only these; else all but these */
    const uint32_t *tags;
    uint32_t count;
};
bool fx_filter_has(const struct fx_filter *, uint32_t tag); /* is it wanted?  NULL: yes */

struct fx_names;
struct fx_download {
    struct fx_out out;
    struct store *store;
    struct fx_frame *top;  /* NULL: all of the stream has been made */
    enum ec failed;        /* and so does every later call */
    uint64_t steps, total; /* of messages, say: for the client's progress bar */
    struct fx_names *names;
    uint64_t fid, mid; /* in context, for errorInfo */
};

/* Makes call->opened, a download of `o`'s kind of stream; `parent` NULL: it lives as long as the logon. */
enum ec fx_download_open(struct rop_call *, struct object *parent, uint8_t send_options, struct fx_download **out);
void *fx_push(struct fx_download *, size_t size, fx_step *); /* zeroed */
#define FX_PUSH(d, type, step) ((struct type *)fx_push(d, sizeof(struct type), step))
void fx_pop(struct fx_download *);
/* The errorInfo of what failed above the frame on top; its error, where the client does not understand that. */
enum ec fx_report(struct fx_download *);
struct GlobalId fx_global_id(const struct fx_download *, uint64_t id);
void fx_put_structure(struct fx_download *, const struct wire_struct *,
                      const void *self); /* as the binary 0x00000102 */
/* Of named properties, looked up once; NULL: the mailbox does not know it. */
const struct PropertyName *fx_name(struct fx_download *, uint32_t tag);

/* ---- content (fx_content.c) ---- */
enum fx_identity {
    FX_NO_IDENTITY,  /* a copy, which will have its own */
    FX_MID,          /* messageContent of a list or a folder begins with its PidTagMid */
    FX_ALL_IDENTITY, /* SendEntryId */
    FX_IN_HEADER,    /* a messageChangeHeader has said it */
};
struct fx_scope {
    const struct fx_filter *filter; /* NULL: everything */
    bool subobjects;
    enum fx_identity identity;
    uint32_t end; /* the marker behind it; 0: none */
};
/* Pushes what puts the messageContent.  The frame owns `m` where that is its talloc child. */
void fx_push_message(struct fx_download *, struct store_message *m, const struct fx_scope *);
void fx_push_attachment(struct fx_download *, struct store_attachment *, const struct fx_scope *);
/* Opens a message into the frame that it pushes. */
enum ec fx_push_stored(struct fx_download *, uint64_t fid, uint64_t mid, const struct fx_scope *,
                       struct store_message **out);
void fx_put(struct fx_download *, const struct prop *); /* with its name where it has one */
bool fx_travels(uint32_t tag);                          /* 3.2.5.12 */
/* The propList of a folder; `without` is ended by 0: what the caller has put itself. */
enum ec fx_put_folder(struct fx_download *, uint64_t fid, const struct fx_filter *, const uint32_t *without);
