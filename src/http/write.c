/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <time.h>

#include "http/http.h"

/* RFC 9110 15, as far as this program says them. */
static const struct {
    unsigned status;
    const char *reason;
} reasons[] = {
    { 100, "Continue" },
    { 200, "OK" },
    { 204, "No Content" },
    { 301, "Moved Permanently" },
    { 302, "Found" },
    { 304, "Not Modified" },
    { 400, "Bad Request" },
    { 401, "Unauthorized" },
    { 403, "Forbidden" },
    { 404, "Not Found" },
    { 405, "Method Not Allowed" },
    { 408, "Request Timeout" },
    { 413, "Content Too Large" },
    { 414, "URI Too Long" },
    { 415, "Unsupported Media Type" },
    { 417, "Expectation Failed" },
    { 431, "Request Header Fields Too Large" },
    { 500, "Internal Server Error" },
    { 501, "Not Implemented" },
    { 503, "Service Unavailable" },
    { 505, "HTTP Version Not Supported" },
};

const char *http_reason(unsigned status)
{
    for (size_t i = 0; i < COUNTOF(reasons); i++)
        if (reasons[i].status == status)
            return reasons[i].reason;
    return "Other";
}

/* RFC 9110 5.6.7; by hand, since strftime follows the locale. */
char *http_date(char text[HTTP_DATE_SIZE], int64_t unix_seconds)
{
    static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
    static const char months[][4] = {
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
    };
    const time_t t = (time_t)unix_seconds;
    struct tm tm;
    gmtime_r(&t, &tm);
    snprintf(text, HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7], tm.tm_mday % 100u,
             months[tm.tm_mon % 12], (tm.tm_year + 1900u) % 10000u, tm.tm_hour % 100u, tm.tm_min % 100u,
             tm.tm_sec % 100u);
    return text;
}

void http_put_status(struct buf *out, unsigned status)
{
    assert(status >= 100 && status <= 999);
    buf_printf(out, "HTTP/1.1 %u %s\r\n", status, http_reason(status));
}

/* A value may hold what a client or an administrator wrote: it must not be able to end its line. */
void http_put_header(struct buf *out, const char *name, const char *value)
{
    const size_t start = out->size + strlen(name) + 2;
    buf_printf(out, "%s: %s\r\n", name, value);
    for (size_t i = start; i < out->size - 2; i++)
        if ((out->data[i] < 0x20 && out->data[i] != '\t') || out->data[i] == 0x7F)
            out->data[i] = ' ';
}

void http_put_chunk(struct buf *out, struct blob piece)
{
    if (!piece.size) /* a chunk of size 0 would end the message */
        return;
    buf_printf(out, "%zx\r\n", piece.size);
    buf_add(out, piece.data, piece.size);
    buf_add(out, "\r\n", 2);
}

void http_put_last_chunk(struct buf *out)
{
    buf_add(out, "0\r\n\r\n", 5);
}
