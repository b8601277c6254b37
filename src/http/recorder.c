/* SPDX-License-Identifier: Apache-2.0 */
#include "http/transport.h"

static void record_write(struct http_answer *answer, struct blob head, struct blob body, enum http_after after)
{
    struct http_recorder *recorder = (struct http_recorder *)answer;
    buf_add(&recorder->out, head.data, head.size);
    buf_add(&recorder->out, body.data, body.size);
    recorder->after = after;
}

static void record_alarm(struct http_answer *answer, unsigned ms)
{
    ((struct http_recorder *)answer)->alarm_ms = ms;
}

static void record_pulse(struct http_answer *answer, unsigned ms)
{
    ((struct http_recorder *)answer)->pulse_ms = ms;
}

static void nothing(struct http_answer *answer) /* the memory is the test's, and so are the events */
{
    (void)answer;
}

static const struct http_transport recorder_transport = { record_write, record_alarm, record_pulse, nothing, nothing };

static int recorder_free(struct http_recorder *recorder)
{
    http_answer_drop(&recorder->answer);
    return 0;
}

struct http_recorder *http_recorder_new(TALLOC_CTX *owner)
{
    struct http_recorder *recorder = talloc_zero(owner, struct http_recorder);
    http_answer_init(&recorder->answer, &recorder_transport,
                     &(struct http_head){ .method = "POST", .minor = 1, .keep_alive = true });
    buf_init(&recorder->out, recorder);
    talloc_set_destructor(recorder, recorder_free);
    return recorder;
}

void http_recorder_run(struct http_recorder *recorder, http_handler *handler, struct http_request *request)
{
    http_answer_hold(&recorder->answer);
    handler(request, &recorder->answer);
    http_answer_release(&recorder->answer);
}

void http_recorder_tell(struct http_recorder *recorder, enum http_answer_event event)
{
    if (event == HTTP_GONE)
        http_answer_leave(&recorder->answer);
    if (recorder->answer.watcher)
        recorder->answer.watcher(&recorder->answer, event, recorder->answer.watcher_arg);
}
