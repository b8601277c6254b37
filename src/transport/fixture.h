/* SPDX-License-Identifier: Apache-2.0 */
/* transport/fixture.h: an organisation of two people with their mailboxes, for this room's tests. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "transport/internal.h"

struct post {
    TALLOC_CTX *arena;                           /* as long as the test */
    char *folder;
    struct org *org;
    struct directory *directory;
    struct store_pool *stores;
    struct transport_config config;
    struct transport *transport;
    const struct account *alice, *bob;
    atomic_uint new_mail;                        /* announcements heard */
    FILE *log;
};
/* For cmocka; with an LMTP listener on a port of its own. */
int post_open(void **state);
int post_close(void **state);
void post_stop(struct post *);                   /* the server stops */
void post_start(struct post *);                  /* and starts again */

#define OK(call) assert_string_equal(ec_name(call), "ecNone")
#define EC(call, code) assert_string_equal(ec_name(call), #code)

/* The mailbox, locked, until post_leave. */
struct store *post_enter(struct post *, const struct account *);
void post_leave(struct store *);
/* Messages of a folder, the newest first. */
uint32_t post_list(struct post *, struct store *, uint64_t fid, uint64_t **mids);
uint32_t post_count(struct post *, const struct account *, uint64_t fid);
/* The newest message of a folder as a letter; NULL: it is empty. */
struct letter *post_newest(struct post *, const struct account *, uint64_t fid);
struct prop post_prop(struct post *, const struct account *, uint64_t fid, uint32_t tag);      /* of the newest */
/* A message from outside, straight to the mailbox. */
void post_deliver(struct post *, const struct account *, const char *rfc5322);
