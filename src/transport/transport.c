/* SPDX-License-Identifier: Apache-2.0 */
/* Opening and closing, and what LMTP asks. */
#include "transport/transport.h"

#include "transport/internal.h"
#include "transport/lmtp.h"

enum { MESSAGE_MAX = 50 << 20, CONNECTIONS_MAX = 50, RECIPIENTS_MAX = 1000, PATIENCE_MS = 300000, HOPS_MAX = 30 };

/* ---- LMTP ---- */

static enum ec accepts(void *context, const char *recipient)
{
    struct transport *t = context;
    TALLOC_CTX *arena = talloc_new(NULL);
    const bool known = directory_by_smtp(t->config.directory, arena, recipient) != NULL;
    talloc_free(arena);
    return known ? ecNone : ecNotFound;
}

/* Taken apart once, whoever gets it. */
static void deliver(void *context, TALLOC_CTX *arena, const char *sender, const char *const *recipients, size_t count,
                    struct blob message, enum ec *results)
{
    struct transport *t = context;
    const struct mime_context mime = mime_context_of(t);
    struct letter *letter;
    (void)sender;
    const enum ec ec = mime_hops(message) > HOPS_MAX ? ecMsgCycle : mime_read(arena, message, &mime, &letter);
    for (size_t i = 0; i < count; i++) {
        const struct account *to = directory_by_smtp(t->config.directory, arena, recipients[i]);
        results[i] = ec ? ec : !to ? ecNotFound : deliver_letter(t, to, letter, 0);
    }
}

static enum ec open_lmtp(struct transport *t, TALLOC_CTX *owner, char **why)
{
    const struct lmtp_config config = {
        .address = t->config.lmtp, .hostname = org_settings(t->config.org, t)->hostname, .message_max = t->config.message_max,
        .connections_max = CONNECTIONS_MAX, .recipients_max = RECIPIENTS_MAX, .patience_ms = PATIENCE_MS, .context = t,
        .accepts = accepts, .deliver = deliver,
    };
    return lmtp_open(&t->lmtp, owner, &config, why);
}

/* ---- what an earlier run left ---- */

static void recover(struct transport *t)
{
    int64_t id = 0;
    for (;;) {
        TALLOC_CTX *arena = talloc_new(NULL);
        struct guid sender;
        struct letter *letter;
        const bool found = queue_next(arena, t->queue, id, &id, &sender, &letter);
        const struct account *account = found ? directory_by_mailbox_guid(t->config.directory, arena, sender) : NULL;
        if (account && letter) {
            log_line(LOG_INFO, "queue", "submission %lld of %s is finished now", (long long)id, account->primary_smtp);
            distribute(t, account, letter, true);
        }
        if (found && (letter || !account))
            queue_done(t->queue, id);
        talloc_free(arena);
        if (!found)
            return;
    }
}

enum ec transport_open(struct transport **out, TALLOC_CTX *owner, const struct transport_config *config, char **why)
{
    struct transport *t = talloc_zero(owner, struct transport);
    t->config = *config;
    t->config.message_max = config->message_max ? config->message_max : MESSAGE_MAX;
    enum ec ec = queue_open(&t->queue, t, org_settings(config->org, t)->data_dir, why);
    if (!ec) {
        recover(t);
        ec = config->lmtp ? open_lmtp(t, t, why) : ecNone;
    }
    if (ec) {
        *why = talloc_strdup(owner, *why);
        talloc_free(t);
        return ec;
    }
    *out = t;
    return ecNone;
}

unsigned transport_lmtp_port(const struct transport *t)
{
    return t->lmtp ? lmtp_port(t->lmtp) : 0;
}

void transport_close(struct transport *t)
{
    if (t->lmtp)
        lmtp_close(t->lmtp);
    talloc_free(t);
}
