/* SPDX-License-Identifier: Apache-2.0 */
/* fill DATA_DIR MBOX USERS: makes the mailboxes of the benchmark: user0, user1 ... are empty, and alice's folders hold as
 * many messages as their names say; what is there already stays.  Goes to the store directly, many messages to a
 * transaction. */
#include "bench.h"
#include "house.h"

#include <stdlib.h>

#include "store/internal.h"

enum { AT_ONCE = 200 };

static void fill(struct house *h, const struct mails *mails, const char *name, uint32_t wanted)
{
    const uint64_t fid = house_folder(h, name);
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_folder folder;
    store_lock(h->store);
    must(store_folder_row(arena, h->store, fid, &folder), name);
    for (uint32_t n = folder.total; n < wanted;) {
        struct store_tx tx = store_begin(h->store);
        for (uint32_t i = 0; i < AT_ONCE && n < wanted; i++, n++)
            must(store_message_deliver(mail_message(arena, h->store, fid, mails, n), fid, NULL), "a message");
        must(store_end(&tx), "a transaction");
        talloc_free_children(arena);
    }
    store_unlock(h->store);
    talloc_free(arena);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        give_up("usage: fill DATA_DIR MBOX USERS");
    struct house *h = house_open(argv[1], "alice@contoso.com");
    const struct mails *mails = mails_read(h, argv[2]);
    fill(h, mails, SMALL_FOLDER, 1000);
    fill(h, mails, LARGE_FOLDER, 100000);
    for (int i = 0; i < atoi(argv[3]); i++)
        house_account(h, talloc_asprintf(h, "user%d@contoso.com", i));
    house_close(h);
    return 0;
}
