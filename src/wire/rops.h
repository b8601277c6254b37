/* SPDX-License-Identifier: Apache-2.0 */
/* wire/rops.h: how each ROP is framed ([MS-OXCROPS] 2.2): its id, where its handle indexes stand, and the
 * structures of its request, response and special failure.  Server, client and decoder read the same rows. */
#pragma once
#include "wire/structs.h"

enum rop_indexes {     /* handle indexes of the request; the one that the response echoes is marked */
    ROP_I,             /* Input*                       */
    ROP_IO,            /* Input, Output*               */
    ROP_O,             /* Output*                      */
    ROP_SD,            /* Source*, Destination         */
    ROP_RI,            /* Response*, Input             */
};
#define ROP_ANY_FAILURE 0xFFFFFFFFu

/* RopRelease = 0x01, RopOpenFolder = 0x02, ... */
enum rop_id {
#define ROP(id, name, indexes)                               Rop##name = id,
#define ROP_FAIL(id, name, indexes, code, failure)           Rop##name = id,
#define ROP_ALWAYS(id, name, indexes)                        Rop##name = id,
#define ROP_ALWAYS_FAIL(id, name, indexes, code, failure)    Rop##name = id,
#include "wire/rops.def"
#undef ROP
#undef ROP_FAIL
#undef ROP_ALWAYS
#undef ROP_ALWAYS_FAIL
};

struct rop_wire {
    uint8_t id, response_id;               /* response_id differs for RopGetMessageStatus alone */
    enum rop_indexes indexes;
    const char *name;                      /* "OpenFolder" */
    const struct wire_struct *request;     /* after the indexes */
    const struct wire_struct *response;    /* after ReturnValue, when that is 0, or when `always` */
    bool always;                           /* the specification has one form for success and failure */
    uint32_t failure_code;                 /* the ReturnValue with fields of its own, ROP_ANY_FAILURE, or 0 */
    const struct wire_struct *failure;     /* those fields */
};
/* NULL: reserved, or not a request. */
const struct rop_wire *rop_wire(uint8_t id);
const struct rop_wire *rop_wire_of_response(uint8_t response_id);   /* GetMessageStatus answers as SetMessageStatus */

struct rop_request {
    const struct rop_wire *rop;
    uint8_t logon_id;
    uint8_t index;                         /* input, source; or output for ROP_O */
    uint8_t other;                         /* output, destination, response; else unused */
    void *body;                            /* struct Rop<Name>Request */
    struct blob bytes;                     /* the whole request as received, for RopBufferTooSmall */
};
/* The index that the response carries. */
uint8_t rop_response_index(const struct rop_request *);
/* One request from the list.  false: in->bad, or an id that is reserved (then the whole buffer fails). */
bool rop_get_request(struct wire_in *, struct rop_request *out);
bool rop_put_request(struct wire_out *, const struct rop_wire *, uint8_t logon_id, uint8_t index, uint8_t other, const void *body);

struct rop_response {
    const struct rop_wire *rop;
    uint8_t index;
    uint32_t code;                         /* ReturnValue */
    void *body;                            /* response or failure structure, or NULL */
};
/* `body` is the response or, for failure_code, the failure structure; NULL: all fields 0.  out->columns must be set for
 * rows.  false: it does not fit (out->full), nothing was written. */
bool rop_put_response(struct wire_out *, const struct rop_wire *, uint8_t index, uint32_t code, const void *body);
/* `rop` is the request that is answered; in->columns must be set for rows. */
bool rop_get_response(struct wire_in *, const struct rop_wire *rop, struct rop_response *out);
