/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <time.h>

#include "http/transport.h"

void http_answer_init(struct http_answer *answer, const struct http_transport *transport,
                      const struct http_head *request)
{
    *answer = (struct http_answer){ .transport = transport,
                                    .minor = request->minor,
                                    .keep_alive = request->keep_alive,
                                    .no_body = strcmp(request->method, "HEAD") == 0 };
    atomic_init(&answer->references, 1);
    pthread_mutex_init(&answer->lock, NULL);
    buf_init(&answer->headers, NULL);
}

static bool is_over(const struct http_answer *answer)
{
    return answer->gone || answer->said == HTTP_ENDED;
}

bool http_answer_is_over(struct http_answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    const bool over = is_over(answer);
    pthread_mutex_unlock(&answer->lock);
    return over;
}

static void forget_memory(struct http_answer *answer)
{
    talloc_free(answer->headers.data);
    buf_init(&answer->headers, NULL);
    free((void *)answer->piece.data);
    answer->piece = (struct blob){ 0 };
}

void http_answer_keep(struct http_answer *answer)
{
    atomic_fetch_add(&answer->references, 1);
}

void http_answer_drop(struct http_answer *answer)
{
    if (atomic_fetch_sub(&answer->references, 1) > 1)
        return;
    forget_memory(answer);
    pthread_mutex_destroy(&answer->lock);
    answer->transport->free(answer);
}

void http_answer_hold(struct http_answer *answer)
{
    http_answer_keep(answer);
    pthread_mutex_lock(&answer->lock);
    answer->holders++;
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_leave(struct http_answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    answer->gone = true;
    forget_memory(answer);
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_close_after(struct http_answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    answer->keep_alive = false;
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_header(struct http_answer *answer, const char *name, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *value = talloc_vasprintf(NULL, format, args);
    va_end(args);
    pthread_mutex_lock(&answer->lock);
    if (!is_over(answer) && answer->said == HTTP_SILENT)
        http_put_header(&answer->headers, name, value);
    pthread_mutex_unlock(&answer->lock);
    talloc_free(value);
}

/* RFC 9110 6.4.1: these have no body, and no Content-Length line either (8.6). */
static bool has_no_length(unsigned status)
{
    return status < 200 || status == 204 || status == 304;
}

/* The header up to the empty line; `length` is NULL for an answer in pieces. */
static void put_head(struct http_answer *answer, struct buf *out, unsigned status, const char *content_type,
                     const size_t *length)
{
    char date[HTTP_DATE_SIZE];
    answer->status = status;
    http_put_status(out, status);
    http_put_header(out, "Date", http_date(date, time(NULL)));
    if (content_type)
        http_put_header(out, "Content-Type", content_type);
    buf_add(out, answer->headers.data, answer->headers.size);
    answer->chunked = !length && answer->minor > 0;
    if (!length && !answer->chunked)
        answer->keep_alive = false; /* HTTP/1.0: the end of the connection ends the body */
    if (answer->chunked)
        http_put_header(out, "Transfer-Encoding", "chunked");
    else if (length && !has_no_length(status))
        buf_printf(out, "Content-Length: %zu\r\n", *length);
    if (!answer->keep_alive)
        http_put_header(out, "Connection", "close");
    else if (answer->minor == 0)
        http_put_header(out, "Connection", "keep-alive");
    buf_add(out, "\r\n", 2);
}

static void send_locked(struct http_answer *answer, unsigned status, const char *content_type, struct blob body)
{
    if (is_over(answer) || answer->said != HTTP_SILENT)
        return;
    struct buf head;
    buf_init(&head, NULL);
    put_head(answer, &head, status, content_type, &body.size);
    if (answer->no_body || has_no_length(status))
        body.size = 0;
    answer->said = HTTP_ENDED;
    answer->bytes = body.size;
    answer->transport->write(answer, buf_blob(&head), body, HTTP_COMPLETE);
    talloc_free(head.data);
    forget_memory(answer);
}

void http_answer_send(struct http_answer *answer, unsigned status, const char *content_type, struct blob body)
{
    pthread_mutex_lock(&answer->lock);
    send_locked(answer, status, content_type, body);
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_text(struct http_answer *answer, unsigned status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = talloc_vasprintf(NULL, format, args);
    va_end(args);
    http_answer_send(answer, status, "text/plain; charset=utf-8", BLOB_OF(text, strlen(text)));
    talloc_free(text);
}

void http_answer_begin(struct http_answer *answer, unsigned status, const char *content_type)
{
    pthread_mutex_lock(&answer->lock);
    if (!is_over(answer) && answer->said == HTTP_SILENT) {
        struct buf head;
        buf_init(&head, NULL);
        put_head(answer, &head, status, content_type, NULL);
        answer->said = HTTP_SPEAKING;
        answer->transport->write(answer, buf_blob(&head), (struct blob){ 0 }, HTTP_GOES_ON);
        talloc_free(head.data);
        talloc_free(answer->headers.data);
        buf_init(&answer->headers, NULL);
    }
    pthread_mutex_unlock(&answer->lock);
}

static void speak(struct http_answer *answer, struct blob piece, enum http_after after)
{
    struct buf framed;
    buf_init(&framed, NULL);
    answer->bytes += piece.size;
    if (answer->no_body)
        ;
    else if (answer->chunked)
        http_put_chunk(&framed, piece);
    else
        buf_add(&framed, piece.data, piece.size);
    if (after == HTTP_COMPLETE && answer->chunked && !answer->no_body)
        http_put_last_chunk(&framed);
    answer->transport->write(answer, buf_blob(&framed), (struct blob){ 0 }, after);
    talloc_free(framed.data);
}

void http_answer_chunk(struct http_answer *answer, struct blob piece)
{
    pthread_mutex_lock(&answer->lock);
    if (!answer->gone && answer->said == HTTP_SPEAKING && piece.size)
        speak(answer, piece, HTTP_GOES_ON);
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_end(struct http_answer *answer, struct blob last)
{
    pthread_mutex_lock(&answer->lock);
    if (!answer->gone && answer->said == HTTP_SPEAKING) {
        answer->said = HTTP_ENDED;
        speak(answer, last, HTTP_COMPLETE);
        forget_memory(answer);
    }
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_pulse(struct http_answer *answer, unsigned ms, struct blob piece)
{
    pthread_mutex_lock(&answer->lock);
    if (!is_over(answer)) {
        free((void *)answer->piece.data);
        answer->piece = (struct blob){ 0 };
        if (ms && piece.size) {
            uint8_t *copy = malloc(piece.size);
            memcpy(copy, piece.data, piece.size);
            answer->piece = (struct blob){ copy, piece.size };
        }
        answer->transport->pulse(answer, answer->piece.size ? ms : 0);
    }
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_beat(struct http_answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    if (!answer->gone && answer->said == HTTP_SPEAKING && answer->piece.size)
        speak(answer, answer->piece, HTTP_GOES_ON);
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_park(struct http_answer *answer)
{
    http_answer_hold(answer);
}

/* Nobody is left who could end it. */
static void abandon(struct http_answer *answer)
{
    static const char sorry[] = "The server could not answer this request.\r\n";
    log_line(LOG_ERROR, "http", "a request was left without %s", answer->said == HTTP_SILENT ? "an answer" : "its end");
    answer->keep_alive = false;
    if (answer->said == HTTP_SILENT) {
        send_locked(answer, 500, "text/plain; charset=utf-8", BLOB_OF(sorry, sizeof sorry - 1));
        return;
    }
    answer->said = HTTP_ENDED;
    answer->transport->write(answer, (struct blob){ 0 }, (struct blob){ 0 }, HTTP_CUT);
    forget_memory(answer);
}

void http_answer_release(struct http_answer *answer)
{
    pthread_mutex_lock(&answer->lock);
    assert(answer->holders);
    if (--answer->holders == 0 && !is_over(answer))
        abandon(answer);
    pthread_mutex_unlock(&answer->lock);
    http_answer_drop(answer);
}

void http_answer_watch(struct http_answer *answer, http_answer_watcher *watcher, void *arg)
{
    pthread_mutex_lock(&answer->lock);
    assert(!answer->watcher);
    answer->watcher = watcher;
    answer->watcher_arg = arg;
    answer->transport->watched(answer);
    pthread_mutex_unlock(&answer->lock);
}

void http_answer_alarm(struct http_answer *answer, unsigned ms)
{
    pthread_mutex_lock(&answer->lock);
    if (!is_over(answer))
        answer->transport->alarm(answer, ms);
    pthread_mutex_unlock(&answer->lock);
}
