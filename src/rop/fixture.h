/* SPDX-License-Identifier: Apache-2.0 */
/* rop/fixture.h: for tests: an organisation with alice and bob in a folder of its own, a session of alice, and ROPs run
 * as a client would send them, one or several in a buffer. */
#pragma once
#include "rop/rop.h"
#include "session/fixture.h"

struct rop_fixture {
    TALLOC_CTX *arena;             /* for the test; freed at its end */
    struct session_fixture *world; /* whose members stand here too: */
    struct org *org;
    struct directory *directory;
    const struct account *alice, *bob;
    struct sessions *sessions;
    struct client_info client; /* of the next session */
    struct session *session;   /* of alice */
    struct rop_services services;
    enum ec submit_answer;   /* of the transport that the services stand for */
    unsigned submitted;      /* how often it was called */
    uint32_t flags, out_max; /* of the next Execute */
    uint32_t logon;          /* handle of alice's own mailbox, LogonId 0 */
    struct blob response;    /* the last answer's first payload */
    struct notification_seen {
        struct RopNotify body;
        struct notification_seen *next;
    } *notifications; /* that came with answers, oldest first */
    bool pending; /* a RopPending came */
};

/* Setup and teardown for cmocka; the first logs alice on. */
int rop_fixture_open(void **state);
int rop_fixture_close(void **state);
/* Another session of alice, with a logon and counts of its own; it goes before the first. */
struct rop_fixture *rop_second_session(struct rop_fixture *);
/* A session of bob, logged on to alice's mailbox; likewise.  He must have been given something there. */
struct rop_fixture *rop_delegate_session(struct rop_fixture *);
/* A session of this user, logged on to the public folders, which were made before; likewise. */
struct rop_fixture *rop_public_session(struct rop_fixture *, const struct account *user);
/* alice's mailbox, locked by the test itself, as long as no ROP runs. */
struct store *rop_store(struct rop_fixture *);
/* These are bob's rights in a folder of hers from now on; RIGHTS_ALL and less. */
void rop_grant(struct rop_fixture *, uint64_t fid, uint32_t rights);
#define ROP_TEST(name) cmocka_unit_test_setup_teardown(name, rop_fixture_open, rop_fixture_close)

/* One ROP by its name, on an object.  The response is NULL where it failed. */
struct rop_done {
    uint32_t code;
    const void *response;
    uint32_t handle; /* what it opened */
};
struct rop_done rop_run(struct rop_fixture *, const char *name, uint32_t input, uint32_t destination,
                        const void *request, const uint32_t *columns, uint32_t column_count);
/* RUN(f, OpenFolder, f->logon, .FolderId = STORE_FID(SPECIAL_INBOX)).handle */
#define RUN(f, name, input, ...) rop_run(f, #name, input, 0, &(struct Rop##name##Request){ __VA_ARGS__ }, NULL, 0)
#define RUN_TO(f, name, input, to, ...)                                                                                \
    rop_run(f, #name, input, to, &(struct Rop##name##Request){ __VA_ARGS__ }, NULL, 0)
/* For responses with rows over `columns`, a uint32_t array. */
#define RUN_ROWS(f, name, input, columns, ...)                                                                         \
    rop_run(f, #name, input, 0, &(struct Rop##name##Request){ __VA_ARGS__ }, columns, COUNTOF(columns))
/* A code of the ROP, by its name. */
#define CODE(done, expected) assert_string_equal(ec_name((enum ec)(done).code), #expected)

/* Short cuts for what most tests begin with; all of them must succeed. */
uint32_t rop_folder(struct rop_fixture *, uint64_t fid);                       /* its handle */
uint64_t rop_message(struct rop_fixture *, uint64_t fid, const char *subject); /* saved and released */
uint32_t rop_open_message(struct rop_fixture *, uint64_t fid, uint64_t mid, unsigned mode);
void rop_set(struct rop_fixture *, uint32_t object, struct prop);
/* One value; its type is PtypErrorCode where there is none. */
struct prop rop_get(struct rop_fixture *, uint32_t object, uint32_t tag);
uint64_t rop_save(struct rop_fixture *, uint32_t message);
/* Runs an empty list, which brings the notifications. */
void rop_poll(struct rop_fixture *);

/* Several ROPs in one buffer. */
struct rop_batch {
    struct rop_fixture *f;
    struct buf list;
    uint32_t handles[256], handle_count;
    struct blob *payloads; /* after rop_batch_run: each is RopSize, list, handles */
    uint32_t payload_count;
    struct wire_in answers;   /* the rest of one payload's list */
    struct blob handle_table; /* of that payload */
};
struct rop_batch *rop_batch(struct rop_fixture *);
uint8_t rop_batch_handle(struct rop_batch *, uint32_t handle); /* its index */
/* The bytes of the request in the list. */
struct blob rop_batch_add(struct rop_batch *, const char *name, uint8_t logon_id, uint8_t index, uint8_t other,
                          const void *request);
#define ADD(batch, name, index, other, ...)                                                                            \
    rop_batch_add(batch, #name, 0, index, other, &(struct Rop##name##Request){ __VA_ARGS__ })
enum ec rop_batch_run(struct rop_batch *);
void rop_batch_payload(struct rop_batch *, uint32_t number); /* the first one is taken by _run */
struct rop_response rop_batch_next(struct rop_batch *, const char *name, const uint32_t *columns,
                                   uint32_t column_count);

/* The whole call, for buffers that a test makes by itself. */
enum ec rop_fixture_execute(struct rop_fixture *, struct blob in, struct buf *out);
