/* SPDX-License-Identifier: Apache-2.0 */
/* memory CLIENTS BEFORE AFTER: the line about what a server's resident kilobytes have grown by. */
#include "bench.h"

#include <stdlib.h>

#define WANTED_KB 20.0

int main(int argc, char **argv)
{
    if (argc != 4)
        give_up("usage: memory CLIENTS KB_BEFORE KB_AFTER");
    TALLOC_CTX *arena = talloc_new(NULL);
    const double clients = atof(argv[1]), each = (atof(argv[3]) - atof(argv[2])) / clients;
    print_title("Memory");
    print_line(talloc_asprintf(arena, "a waiting TLS client with its session, of %s", with_commas(arena, clients, "")),
               with_commas(arena, each, " KB"), each / WANTED_KB, "allowed 20 KB", AT_MOST(1));
    talloc_free(arena);
    return 0;
}
