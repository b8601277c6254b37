/* SPDX-License-Identifier: Apache-2.0 */
/* NotificationWait: [MS-OXCMAPIHTTP] 2.2.4.4, 3.2.5.5.  It waits without a thread:
 *
 *   the session wakes it (an event), the alarm (five minutes), or the stop of the server  -> the answer ends
 *   the client goes away, or the answer has left                                          -> the wait is freed
 */
#include <stdatomic.h>

#include "mapihttp/internal.h"

struct wait {
    struct context *context;    /* a reference */
    struct http_answer *answer; /* a reference, until the answer has been ended */
    uint64_t started_ms;
    int64_t started_unix;
    atomic_bool ended;
};

static void end_wait(struct wait *w, enum ec ec, bool pending)
{
    struct NotificationWaitResponse response = { .ErrorCode = (uint32_t)ec, .EventPending = pending };
    struct buf body;
    if (atomic_exchange(&w->ended, true))
        return;
    TALLOC_CTX *arena = talloc_new(NULL);
    buf_init(&body, arena);
    struct wire_out out = wire_out(&body);
    wire_put(&out, &NotificationWaitResponse_wire, &response);
    http_answer_end(w->answer, response_tail(arena, true, w->started_ms, w->started_unix, buf_blob(&body)));
    talloc_free(arena);
}

static void woken(void *arg, bool event)
{
    end_wait(arg, ecNone, event);
}

static void answer_event(struct http_answer *answer, enum http_answer_event event, void *arg)
{
    struct wait *w = arg;
    (void)answer;
    session_cancel_wait(w->context->session, w); /* after this nobody wakes it */
    if (event == HTTP_TIME_UP || event == HTTP_STOPPING) {
        end_wait(w, ecNone, false);
        return;
    }
    context_done(w->context, false);
    context_put(w->context);
    http_answer_release(w->answer);
    talloc_free(w);
}

/* [MS-OXCNOTIF] 3.1.5.3: a second wait of one session is rejected.  An event that came before the wait ends it at once:
 * session_wait looks at the queue and registers without a gap. */
void notification_wait(struct mapihttp_call *call, struct http_answer *answer)
{
    struct wait *w = talloc_zero(NULL, struct wait);
    w->context = call->context;
    w->answer = answer;
    w->started_ms = clock_ms();
    w->started_unix = filetime_to_unix(filetime_now());
    put_headers(call, answer, CODE_SUCCESS);
    http_answer_begin(answer, 200, "application/mapi-http");
    http_answer_chunk(answer, BLOB_OF("PROCESSING\r\n", 12));
    http_answer_pulse(answer, call->server->config.pending_ms, BLOB_OF("PENDING\r\n", 9));
    http_answer_park(answer);
    http_answer_alarm(answer, call->server->config.wait_ms);
    /* The watcher may free the wait as soon as it is set, so the session is told first. */
    if (!session_wait(w->context->session, woken, w))
        end_wait(w, ecRejected, false);
    http_answer_watch(answer, answer_event, w);
}
