/* SPDX-License-Identifier: Apache-2.0 */
/* rop/fixture.h: for tests: an organisation with alice and bob in a folder of its own, a session of alice, and ROPs run
 * as a client would send them, one or several in a buffer. */
#pragma once
#include "rop/rop.h"

struct rop_fixture {
    TALLOC_CTX *arena;                   /* for the test; freed at its end */
    char *folder;
    struct org *org;
    struct directory *directory;
    const struct account *alice, *bob;
    struct sessions *sessions;
    struct session *session;             /* of alice */
    struct rop_services services;
    uint32_t flags, out_max;             /* of the next Execute */
    uint32_t logon;                      /* handle of alice's own mailbox, LogonId 0 */
    struct blob response;                /* the last answer's first payload */
    struct notification_seen {
        struct RopNotify body;
        struct notification_seen *next;
    } *notifications;                    /* that came with answers, oldest first */
};

/* Setup and teardown for cmocka; the first logs alice on. */
int rop_fixture_open(void **state);
int rop_fixture_close(void **state);

/* One ROP by its name, on an object.  The response is NULL where it failed. */
struct rop_done {
    uint32_t code;
    const void *response;
    uint32_t handle;                     /* what it opened */
};
struct rop_done rop_run(struct rop_fixture *, const char *name, uint32_t input, uint32_t destination, const void *request,
                        const uint32_t *columns, uint32_t column_count);
/* RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)).handle */
#define RUN(f, name, input, ...) rop_run(f, #name, input, 0, &(struct Rop##name##Request){ __VA_ARGS__ }, NULL, 0)
#define RUN_TO(f, name, input, to, ...) rop_run(f, #name, input, to, &(struct Rop##name##Request){ __VA_ARGS__ }, NULL, 0)
/* For responses with rows over `columns`, a uint32_t array. */
#define RUN_ROWS(f, name, input, columns, ...) \
    rop_run(f, #name, input, 0, &(struct Rop##name##Request){ __VA_ARGS__ }, columns, COUNTOF(columns))

/* The whole call, for buffers that a test makes by itself. */
enum ec rop_fixture_execute(struct rop_fixture *, struct blob in, struct buf *out);
