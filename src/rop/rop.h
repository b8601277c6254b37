/* SPDX-License-Identifier: Apache-2.0 */
/* rop/rop.h: the ROP engine.  Takes the extended buffers of an Execute (or EcDoRpcExt2), runs the ROPs in them one
 * after the other and gives the extended buffers of the answer.  [MS-OXCROPS], [MS-OXCRPC] 3.1.4.2
 * One handler file per specification: oxcstor.c, oxcfold.c, oxctabl.c, oxcmsg.c, oxcprpt.c, oxomsg.c, oxcperm.c,
 * oxcnotif.c.
 * Knows no transport; owns nothing between two calls. */
#pragma once
#include "session/session.h"
#include "trace/trace.h"
#include "wire/rops.h"

/* Flags of an Execute: [MS-OXCRPC] 3.1.4.2 */
enum { EXECUTE_NO_COMPRESSION = 1, EXECUTE_NO_XOR = 2, EXECUTE_CHAIN = 4 };
#define EXECUTE_IN_MAX 0x40000u
#define EXECUTE_OUT_MAX 0x40000u

/* Who does what a ROP cannot do itself; handed down by the program. */
struct rop_services {
    void *context;
    /* RopSubmitMessage: the message is saved and its store locked by the caller.  On success it has been accepted:
     * whatever happens to it then, its sender hears of it.  Unlocks the store while it delivers. */
    enum ec (*submit)(void *context, struct session *, struct store_message *, unsigned flags);
    /* RopAbortSubmit: takes back what was submitted and waits for its time. */
    enum ec (*abort)(void *context, struct store *, uint64_t fid, uint64_t mid);
    struct trace *trace; /* who reads along; NULL: nobody can */
};

/* The session must have been begun (session_begin).  `out` is given extended buffers of at most `out_max` bytes.
 * Anything but ecNone: the whole call failed, the ROPs before the failure may have run. */
enum ec rop_execute(TALLOC_CTX *arena, const struct rop_services *, struct session *, struct blob in, uint32_t flags,
                    uint32_t out_max, struct buf *out);

/* ---- what a handler sees ---- */
struct rop_call {
    TALLOC_CTX *arena; /* the request's */
    const struct rop_services *services;
    struct session *session;
    struct logon *logon;        /* NULL in RopLogon alone */
    struct store *store;        /* the logon's, locked; of the object where there are two */
    struct object *object;      /* what the input handle stands for */
    struct object *destination; /* ROPs with two handles: the other one; else NULL */
    uint8_t logon_id;
    uint8_t index;     /* of the input handle, which RopSaveChangesMessage answers */
    unsigned codepage; /* of 8-bit text in the response */
    size_t room;       /* bytes that the response's own fields may take */
    /* A handler that opens something leaves it here; the dispatcher gives out its handle. */
    struct object *opened;
    /* Columns of the rows in the response, and the rows themselves where they have been written already. */
    const uint32_t *columns;
    uint32_t column_count;
    struct blob rows;
};

/* Makes call->opened. */
enum ec rop_open(struct rop_call *, struct object *parent, enum object_type, struct object **out);
/* What a client calls a code page when it opens a message: 0x0FFF is the session's.  ecUnknownCodePage. */
enum ec rop_set_codepage(struct rop_call *, struct object *, uint16_t code_page_id);
