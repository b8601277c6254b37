/* SPDX-License-Identifier: Apache-2.0 */
/* shell/shell.h: cmdlets typed by a person: line editing, history, completion, and lines that go on over several.  Owns
 * the terminal.  Never runs a cmdlet itself: it hands the line to whoever opened it. */
#pragma once
#include "cmdlet/cmdlet.h"

struct shell {
    FILE *in, *out, *err;
    const char *prompt;                     /* [PS] contoso> */
    const char *history;                    /* a file that only its owner reads; NULL: none is kept */
    struct cmdlet_result (*run)(void *arg, TALLOC_CTX *arena, const char *line);
    void *arg;
};

/* Until `exit` or the end of the input.  Without a terminal it reads a script, and prompts for nothing.  The exit
 * status: 1 when a line failed that was not typed by a person. */
int shell_run(const struct shell *);

/* What a command prints: its output, then what it had to say. */
void shell_print(const struct shell *, const struct cmdlet_result *);
/* As cmdlet_context.ask takes it, arg is the struct shell: shows the question, reads the answer. */
char shell_ask(void *arg, const char *question);
bool shell_has_terminal(const struct shell *);
unsigned shell_width(const struct shell *);         /* of the window behind `out`; 0: there is none */
