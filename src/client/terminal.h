/* SPDX-License-Identifier: Apache-2.0 */
/* client/terminal.h: what the client's commands share: their common options, and how they speak to a person. */
#pragma once
#include <getopt.h>

#include "client/client.h"

/* --server, --user, --password, --insecure, --ca: for getopt_long(); their values lie above the letters. */
enum { OPTION_SERVER = 0x100, OPTION_USER, OPTION_PASSWORD, OPTION_INSECURE, OPTION_CA, OPTION_TRACE, OPTION_OWN };
#define COMMON_OPTIONS                                                                                          \
    { "server", required_argument, NULL, OPTION_SERVER }, { "user", required_argument, NULL, OPTION_USER },     \
    { "password", required_argument, NULL, OPTION_PASSWORD }, { "insecure", no_argument, NULL, OPTION_INSECURE }, \
    { "ca", required_argument, NULL, OPTION_CA }, { "trace", required_argument, NULL, OPTION_TRACE }
#define COMMON_HELP                                                                                             \
    "  --user ADDRESS       whose mailbox, and who signs in\n"                                                  \
    "  --password SECRET    otherwise $OXCART_PASSWORD, otherwise it is asked for\n"                            \
    "  --server HOST:PORT   go there; otherwise the address's domain says where (Autodiscover)\n"               \
    "  --insecure           accept any certificate\n"                                                           \
    "  --ca FILE            certificates to trust (PEM)\n"                                                      \
    "  --trace FILE         write the whole conversation there, readable\n"

struct terminal {
    struct client_options options;
    const char *trace;
};
/* true: it was one of the common options. */
bool terminal_option(struct terminal *, int option, const char *value);
/* Asks for the password if nobody has said it.  false: --user or the password is missing; it has said so. */
bool terminal_ready(TALLOC_CTX *arena, struct terminal *);

/* Text of a stranger: what would move the cursor becomes a blank.  Cut and padded to `width` characters, 0: neither. */
const char *terminal_text(TALLOC_CTX *arena, const char *text, unsigned width);
const char *terminal_date(TALLOC_CTX *arena, uint64_t filetime);
/* On stderr, where that is a terminal; a second call moves it, _done takes it away. */
void terminal_progress(const char *what, uint64_t done, uint64_t total);
void terminal_progress_done(void);
/* `program: sentence` on stderr; gives 1 back. */
int terminal_fail(const char *program, const char *format, ...) PRINTF(2, 3);
/* What the user can do about it, to be put behind its text; "" if nothing is known. */
const char *terminal_advice(const struct client_error *);
