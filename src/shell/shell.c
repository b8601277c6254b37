/* SPDX-License-Identifier: Apache-2.0 */
#include "shell/shell.h"

#include <ctype.h>
#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_SIZE = 1000 };

struct session {
    const struct shell *shell;
    TALLOC_CTX *arena;
    EditLine *el;                           /* NULL: no terminal */
    History *history;
    bool continues;                         /* the line before was not complete */
    int status;
};

bool shell_has_terminal(const struct shell *shell)
{
    return isatty(fileno(shell->in)) && isatty(fileno(shell->out));
}

unsigned shell_width(const struct shell *shell)
{
    struct winsize size = { 0 };
    return ioctl(fileno(shell->out), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

/* Warnings in yellow, errors in red, as the Exchange shell shows them. */
static void print_errors(const struct shell *shell, const char *text)
{
    if (!isatty(fileno(shell->err))) {
        fputs(text, shell->err);
        return;
    }
    while (*text) {
        const size_t length = strcspn(text, "\n");
        const char *colour = text_is_prefix(text, "WARNING: ") ? "\033[33m" : "\033[31m";
        fprintf(shell->err, "%s%.*s\033[0m\n", colour, (int)length, text);
        text += length + (text[length] == '\n');
    }
}

void shell_print(const struct shell *shell, const struct cmdlet_result *result)
{
    fputs(result->out, shell->out);
    fflush(shell->out);
    print_errors(shell, result->err);
    fflush(shell->err);
}

/* The first byte of the next line, in capitals; the rest of it is read as well, however long it is. */
static int first_of_line(FILE *in)
{
    const int first = getc(in);
    for (int c = first; c != '\n' && c != EOF;)
        c = getc(in);
    return first == EOF ? EOF : toupper(first);
}

char shell_ask(void *arg, const char *question)
{
    const struct shell *shell = arg;
    for (;;) {
        fprintf(shell->err, "\nConfirm\nAre you sure you want to perform this action?\n%s\n"
                            "[Y] Yes  [A] Yes to All  [N] No  [L] No to All  (default is \"Y\"): ", question);
        fflush(shell->err);
        const int answer = first_of_line(shell->in);
        if (answer == EOF)
            return 'N';
        if (answer == '\n')
            return 'Y';
        if (memchr("YANL", answer, 4))
            return (char)answer;
    }
}

/* Completion. */
static size_t common_length(const struct cmdlet_words *words)
{
    size_t length = strlen(words->words[0]);
    for (size_t i = 1; i < words->count; i++)
        while (strncasecmp(words->words[0], words->words[i], length) != 0)
            length--;
    return length;
}

static void show_words(const struct shell *shell, const struct cmdlet_words *words)
{
    fputc('\n', shell->out);
    for (size_t i = 0; i < words->count; i++)
        fprintf(shell->out, "%s%s", words->words[i], i + 1 < words->count ? "  " : "\n");
}

static struct session *session_of(EditLine *el)
{
    void *session = NULL;
    el_get(el, EL_CLIENTDATA, &session);
    return session;
}

static unsigned char complete(EditLine *el, int key)
{
    struct session *session = session_of(el);
    TALLOC_CTX *arena = talloc_new(session->arena);
    const LineInfo *line = el_line(el);
    const char *typed = talloc_strndup(arena, line->buffer, (size_t)(line->cursor - line->buffer));
    const struct cmdlet_words words = cmdlet_complete(arena, typed);
    unsigned char result = CC_ERROR;
    (void)key;
    if (words.count) {
        const size_t common = common_length(&words);
        const bool longer = common > words.length || words.count == 1;
        if (longer) {
            el_deletestr(el, (int)words.length);
            const char *end = words.count == 1 ? " " : "";
            el_insertstr(el, talloc_asprintf(arena, "%.*s%s", (int)common, words.words[0], end));
        } else {
            show_words(session->shell, &words);
        }
        result = longer ? CC_REFRESH : CC_REDISPLAY;
    }
    talloc_free(arena);
    return result;
}

static char *prompt(EditLine *el)
{
    static char more[] = ">> ";
    const struct session *session = session_of(el);
    return session->continues ? more : (char *)session->shell->prompt;
}

/* Only so that a keyboard interrupt ends the line and not the shell. */
static void interrupted(int signal_number)
{
    (void)signal_number;
}

static void open_history(struct session *session)
{
    HistEvent event;
    session->history = history_init();
    history(session->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(session->history, &event, H_SETUNIQUE, 1);
    if (session->shell->history)
        history(session->history, &event, H_LOAD, session->shell->history);
    el_set(session->el, EL_HIST, history, session->history);
}

static void close_history(struct session *session)
{
    HistEvent event;
    const mode_t mask = umask(0077);
    if (session->shell->history)
        history(session->history, &event, H_SAVE, session->shell->history);
    umask(mask);
    history_end(session->history);
}

static void remember(struct session *session, const char *line)
{
    HistEvent event;
    if (session->history && !cmdlet_has_secret(line))
        history(session->history, &event, H_ENTER, line);
}

static void open_terminal(struct session *session)
{
    const struct shell *shell = session->shell;
    const struct sigaction action = { .sa_handler = interrupted };          /* without SA_RESTART: reading ends */
    setlocale(LC_CTYPE, "");
    sigaction(SIGINT, &action, NULL);
    session->el = el_init("oxcart", shell->in, shell->out, shell->err);
    el_set(session->el, EL_CLIENTDATA, session);
    el_set(session->el, EL_PROMPT, prompt);
    el_set(session->el, EL_EDITOR, "emacs");
    el_wset(session->el, EL_ADDFN, L"complete", L"complete the word", complete);      /* el_set would copy, and leak */
    el_set(session->el, EL_BIND, "^I", "complete", NULL);
    open_history(session);
}

/* One line without its end; NULL: there are no more. */
static char *read_typed(struct session *session)
{
    int count = 0;
    errno = 0;
    const char *line = el_gets(session->el, &count);
    if (!line && errno == EINTR) {
        fputc('\n', session->shell->out);
        session->continues = false;
        return talloc_strdup(session->arena, "");
    }
    return line ? talloc_strndup(session->arena, line, strcspn(line, "\n")) : NULL;
}

static char *read_line(struct session *session)
{
    char *line = NULL, *copy = NULL;
    size_t room = 0;
    if (session->el)
        return read_typed(session);
    if (getline(&line, &room, session->shell->in) >= 0)
        copy = talloc_strndup(session->arena, line, strcspn(line, "\n"));
    free(line);
    return copy;
}

/* As many lines as belong together; an empty one ends the waiting. */
static char *read_all(struct session *session)
{
    char *all = NULL;
    session->continues = false;
    for (;;) {
        char *line = read_line(session);
        if (!line)
            return all;
        const bool interrupt = session->el && all && !session->continues;
        all = all && !interrupt ? talloc_asprintf(session->arena, "%s\n%s", all, line) : line;
        if (!*line || !cmdlet_is_unfinished(all))
            return all;
        session->continues = true;
    }
}

static bool is_end(const char *line)
{
    line += strspn(line, " \t");
    const size_t length = strcspn(line, " \t;");
    return (length == 4 && (text_is_prefix(line, "exit") || text_is_prefix(line, "quit"))) && !line[length];
}

static void run_line(struct session *session, const char *line)
{
    const struct cmdlet_result result = session->shell->run(session->shell->arg, session->arena, line);
    shell_print(session->shell, &result);
    session->status |= result.status;
    remember(session, line);
}

int shell_run(const struct shell *shell)
{
    struct session session = { .shell = shell };
    if (shell_has_terminal(shell))
        open_terminal(&session);
    for (;;) {
        session.arena = talloc_new(NULL);
        const char *line = read_all(&session);
        const bool end = !line || is_end(line);
        if (!end && line[strspn(line, " \t\n")])
            run_line(&session, line);
        talloc_free(session.arena);
        if (end)
            break;
    }
    if (!session.el)
        return session.status;
    close_history(&session);
    el_end(session.el);
    return 0;
}
