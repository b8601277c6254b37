/* SPDX-License-Identifier: Apache-2.0 */
/* bench/house.h: the rooms below the transports in one process, on a data folder that no server has open: the
 * organisation, its accounts, their stores, and one session of one user. */
#pragma once
#include "rop/rop.h"

#include "client/client.h"
#include "mail.h"

#define BENCH_PASSWORD "Passw0rd!"
#define SMALL_FOLDER "One thousand"
#define LARGE_FOLDER "One hundred thousand"

struct house {
    TALLOC_CTX *arena;
    struct org *org;
    struct directory *directory;
    struct sessions *sessions;
    const struct account *account;
    struct store *store;
    struct session *session; /* logged on to the account's mailbox */
    uint32_t logon;          /* its handle */
};
/* Makes the organisation and the mailbox where they are missing. */
struct house *house_open(const char *data_dir, const char *address);
void house_close(struct house *);
const struct account *house_account(struct house *, const char *address);
uint64_t house_folder(struct house *, const char *name); /* below the IPM subtree; made when missing */

/* A list of ROPs, written as for the client, as one Execute. */
struct list {
    struct blob in;
    size_t rops;
    size_t answer;                    /* bytes of its first answer */
    uint64_t statements, allocations; /* what the first run took, the dispatcher's own included */
};
/* Written, run once and checked: every ROP must succeed.  Outputs and responses are in the rops. */
struct list house_list(struct house *, TALLOC_CTX *owner, struct client_rop *, size_t count);
/* Again.  Its answer is not read, but must be as long as the first one, give or take one part in eight. */
void house_run(struct house *, const struct list *);
