/* SPDX-License-Identifier: Apache-2.0 */
#include "client/terminal.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define BAR 40u

bool terminal_option(struct terminal *t, int option, const char *value)
{
    struct client_options *o = &t->options;
    switch (option) {
    case OPTION_SERVER: o->server = value; return true;
    case OPTION_USER: o->address = value; return true;
    case OPTION_PASSWORD: o->password = value; return true;
    case OPTION_INSECURE: o->insecure = true; return true;
    case OPTION_CA: o->ca_file = value; return true;
    case OPTION_TRACE: t->trace = value; return true;
    default: return false;
    }
}

static const char *ask_password(TALLOC_CTX *arena, const char *user)
{
    struct termios before, quiet;
    char line[256] = "";
    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &before) != 0)
        return NULL;
    quiet = before;
    quiet.c_lflag &= ~(tcflag_t)ECHO;
    fprintf(stderr, "Password of %s: ", user);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    const bool read = fgets(line, sizeof line, stdin) != NULL;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    fputc('\n', stderr);
    line[strcspn(line, "\r\n")] = '\0';
    return read ? talloc_strdup(arena, line) : NULL;
}

/* The host that a user names is also where every connection goes: its own names may not be known to this machine. */
static void go_there(TALLOC_CTX *arena, struct client_options *o)
{
    const char *host = o->server ? strstr(o->server, "://") : NULL;
    host = host ? host + 3 : o->server;
    if (!host)
        return;
    const char *last = strrchr(host, ':');
    const bool has_port = last && strspn(last + 1, "0123456789") == strlen(last + 1) && (*host != '[' || last[-1] == ']');
    o->connect_to = has_port ? host : talloc_asprintf(arena, "%s:%u", host, text_is_prefix(o->server, "http://") ? 80 : 443);
}

bool terminal_ready(TALLOC_CTX *arena, struct terminal *t)
{
    struct client_options *o = &t->options;
    if (!o->address) {
        terminal_fail("oxcart", "--user ADDRESS is missing");
        return false;
    }
    if (!o->password)
        o->password = getenv("OXCART_PASSWORD");
    if (!o->password)
        o->password = ask_password(arena, o->address);
    if (!o->password)
        terminal_fail("oxcart", "the password is missing: --password, or OXCART_PASSWORD");
    go_there(arena, o);
    return o->password != NULL;
}

/* ---- text ---- */

static bool is_control(const uint8_t *s)
{
    return s[0] < 0x20 || s[0] == 0x7F || (s[0] == 0xC2 && s[1] >= 0x80 && s[1] <= 0x9F);
}

const char *terminal_text(TALLOC_CTX *arena, const char *text, unsigned width)
{
    struct buf b;
    unsigned n = 0;
    buf_init(&b, arena);
    for (const uint8_t *s = (const uint8_t *)text; *s && (!width || n < width); n++) {
        size_t size = 1;
        while ((s[size] & 0xC0) == 0x80)
            size++;
        if (is_control(s))
            buf_add(&b, " ", 1);
        else
            buf_add(&b, s, size);
        s += size;
    }
    for (; n < width; n++)
        buf_add(&b, " ", 1);
    buf_add(&b, "", 1);
    return (const char *)b.data;
}

const char *terminal_date(TALLOC_CTX *arena, uint64_t filetime)
{
    char text[32];
    struct tm tm;
    const time_t t = (time_t)filetime_to_unix(filetime);
    localtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M", &tm);
    return talloc_strdup(arena, text);
}

/* ---- progress ---- */

static bool bar_is_there;

void terminal_progress(const char *what, uint64_t done, uint64_t total)
{
    char bar[BAR + 1];
    if (!isatty(STDERR_FILENO) || total == 0)
        return;
    done = MIN(done, total);
    const unsigned full = (unsigned)(done * BAR / total);
    memset(bar, ' ', BAR);
    memset(bar, '#', full);
    bar[BAR] = '\0';
    fprintf(stderr, "\r%s [%s] %3u %%", what, bar, (unsigned)(done * 100 / total));
    bar_is_there = true;
}

void terminal_progress_done(void)
{
    if (bar_is_there)
        fputs("\r\033[K", stderr);
    bar_is_there = false;
}

int terminal_fail(const char *program, const char *format, ...)
{
    va_list args;
    terminal_progress_done();
    va_start(args, format);
    fprintf(stderr, "%s: ", program);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return 1;
}

const char *terminal_advice(const struct client_error *e)
{
    const bool certificate = e->level == CLIENT_TRANSPORT && e->number == CURLE_PEER_FAILED_VERIFICATION;
    return certificate ? " (--ca FILE trusts it, --insecure accepts any)" : "";
}
