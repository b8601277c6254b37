/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bare.h: SQLite alone, by its own API: what a commit of a message's bytes costs without a store around it. */
#pragma once
#include "base/base.h"

struct bare;
/* A new database beside `mailbox_file`, on the same disk and with the same settings, for rows as long as the average
 * message there. */
struct bare *bare_open(TALLOC_CTX *owner, const char *mailbox_file);
size_t bare_row_size(const struct bare *);
unsigned bare_commit(void *bare);                /* one row; a step of take_turns() */
