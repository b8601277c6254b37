/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox behind an account, made and removed in the store's own way. */
#include "cmdlet/cmdlet.h"
#include "store/store.h"

static struct store_identity identity_of(const struct account *a)
{
    return (struct store_identity){ a->mailbox_guid, a->display_name, a->legacy_dn, a->primary_smtp,
                                    a->kind == ACCOUNT_PUBLIC_FOLDERS };
}

enum ec cmdlet_store_create(void *pool, const struct account *account)
{
    const struct store_identity identity = identity_of(account);
    (void)pool;
    return store_create(account->store_url, &identity);
}

/* A mailbox that is gone already is gone. */
enum ec cmdlet_store_remove(void *pool, const struct account *account)
{
    store_pool_forget(pool, account->mailbox_guid);
    enum ec ec = store_remove(account->store_url, account->mailbox_guid);
    return ec == ecNotFound ? ecNone : ec;
}

/* The mailbox keeps its owner's names for those who read it alone; the directory's are the ones that count. */
void cmdlet_store_changed(void *pool, const struct account *account)
{
    const struct store_identity identity = identity_of(account);
    struct store *store = NULL;
    enum ec ec = store_get(pool, account->store_url, account->mailbox_guid, &store);
    if (!ec) {
        store_lock(store);
        ec = store_set_identity(store, &identity);
        store_unlock(store);
        store_put(store);
    }
    if (ec)
        log_line(LOG_WARNING, "cmdlet", "the mailbox of %s did not take its new names: %s", account->logon_name,
                 ec_text(ec));
}
