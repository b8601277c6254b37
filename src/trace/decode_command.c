/* SPDX-License-Identifier: Apache-2.0 */
/* `oxcart decode`: bodies from files. */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>

#include "trace/trace.h"

enum { EXIT_WRONG_CALL = 2, BODY_LIMIT = 64 * 1024 * 1024 };

static const char usage[] =
    "usage: oxcart decode [-v] [--content] [--as NAME] FILE...\n"
    "Prints bodies of MAPI over HTTP as text, one line a ROP; FILE - is the standard input.\n"
    "  -v         whole structures\n"
    "  --content  text and bytes of properties too; without it they are masked\n"
    "  --as NAME  what the body is: a structure of [MS-OXCMAPIHTTP] or [MS-OXNSPI] (ExecuteRequest, QueryRowsResponse),\n"
    "             RopRequests or RopResponses (an extended buffer), FastTransfer (a stream); else it is found out\n";

static bool read_file(TALLOC_CTX *arena, const char *path, struct blob *out)
{
    FILE *file = strcmp(path, "-") ? fopen(path, "rb") : stdin;
    struct buf bytes;
    size_t got = 1;
    if (!file)
        return false;
    buf_init(&bytes, arena);
    for (char piece[65536]; got && bytes.size < BODY_LIMIT;) {
        got = fread(piece, 1, sizeof piece, file);
        buf_add(&bytes, piece, got);
    }
    const bool good = !ferror(file);
    if (file != stdin)
        fclose(file);
    *out = buf_blob(&bytes);
    return good;
}

static bool decode_file(const char *path, const struct trace_style *style, const char *as)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct blob body;
    struct buf text;
    buf_init(&text, arena);
    const bool there = read_file(arena, path, &body), good = there && trace_decode(&text, style, body, as);
    fwrite(text.data, 1, text.size, stdout);
    if (!there)
        fprintf(stderr, "oxcart: %s: %s\n", path, strerror(errno));
    else if (!good)
        fprintf(stderr, "oxcart: %s: %s\n", path, as ? "it is nothing of this kind" : "nobody knows what this is; say it with --as");
    talloc_free(arena);
    return good;
}

int decode_command(int argc, char **argv)
{
    static const struct option options[] = { { "as", required_argument, NULL, 'a' },
                                             { "content", no_argument, NULL, 'c' },
                                             { "verbose", no_argument, NULL, 'v' },
                                             { "help", no_argument, NULL, 'h' },
                                             { 0 } };
    struct trace_style style = { 0 };
    const char *as = NULL;
    bool good = true;
    for (int option; (option = getopt_long(argc, argv, "v", options, NULL)) >= 0;) {
        style.verbose |= option == 'v';
        style.content |= option == 'c';
        as = option == 'a' ? optarg : as;
        if (option == 'h' || option == '?') {
            fputs(usage, option == 'h' ? stdout : stderr);
            return option == 'h' ? EXIT_SUCCESS : EXIT_WRONG_CALL;
        }
    }
    if (optind == argc) {
        fputs(usage, stderr);
        return EXIT_WRONG_CALL;
    }
    for (; optind < argc; optind++)
        good = decode_file(argv[optind], &style, as) && good;
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
