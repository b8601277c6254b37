/* SPDX-License-Identifier: Apache-2.0 */
#include "transport/internal.h"

enum { DEFAULT_MEGABYTES = 50, MOST_MEGABYTES = 100, DEFAULT_CONNECTIONS = 64, DEFAULT_IDLE_MS = 5 * 60 * 1000 };

static struct transport_config completed(struct transport_config c)
{
    c.message_max =
        MIN(c.message_max ? c.message_max : (size_t)DEFAULT_MEGABYTES * MEGABYTE, (size_t)MOST_MEGABYTES * MEGABYTE);
    c.connections_max = c.connections_max ? c.connections_max : DEFAULT_CONNECTIONS;
    c.idle_ms = c.idle_ms ? c.idle_ms : DEFAULT_IDLE_MS;
    return c;
}

enum ec transport_open(struct transport **out, TALLOC_CTX *owner, const struct transport_config *config, char **why)
{
    struct transport *t = talloc_zero(owner, struct transport);
    TALLOC_CTX *arena = talloc_new(t);
    const struct org_settings *settings = org_settings(config->org, arena);
    t->config = completed(*config);
    t->hostname = talloc_strdup(t, settings->hostname);
    enum ec ec = queue_open(&t->queue, t, settings->data_dir, why);
    if (!ec)
        ec = transport_recover(t);
    if (!ec && config->lmtp)
        ec = lmtp_open(&t->lmtp, t, t, why);
    if (!ec)
        t->retry = retry_start(t, t);
    talloc_free(arena);
    if (ec) {
        *why = *why && **why ? talloc_steal(owner, *why) : talloc_strdup(owner, ec_text(ec));
        talloc_free(t);
        t = NULL;
    }
    *out = t;
    return ec;
}

unsigned transport_lmtp_port(const struct transport *t)
{
    return t->lmtp ? lmtp_port(t->lmtp) : 0;
}

void transport_close(struct transport *t)
{
    if (t->lmtp)
        lmtp_close(t->lmtp);
    retry_stop(t->retry);
    talloc_free(t);
}
