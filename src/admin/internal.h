/* SPDX-License-Identifier: Apache-2.0 */
/* admin/internal.h: what this room's files share. */
#pragma once
#include "admin/admin.h"

enum { KIND_LINE = 'L', KIND_ANSWER = 'A', KIND_QUESTION = 'Q', KIND_OUT = 'O', KIND_ERR = 'E', KIND_STATUS = 'S',
       KIND_TRACE = 'T' };
enum { TRACE_VERBOSE = 0x01, TRACE_CONTENT = 0x02, PIECE = 1 << 20 };

bool send_frame(int fd, char kind, const void *data, size_t size);
/* Zero-terminated, so that a text is one.  NULL: broken, or longer than `most`. */
char *recv_frame(TALLOC_CTX *arena, int fd, size_t most, char *kind, size_t *size);
/* The client's socket in *fd, -1 where there is none. */
enum ec connect_to_server(TALLOC_CTX *arena, const char *data_dir, int *fd);

/* trace.c: until the client goes, or the server. */
void serve_trace(int fd, TALLOC_CTX *arena, const struct cmdlet_context *, struct trace *, const char *data, size_t size);
