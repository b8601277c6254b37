/* SPDX-License-Identifier: Apache-2.0 */
/* bench/bare.h: SQLite alone, by its own API: what a commit of a message's bytes and a page of a mailbox's rows cost
 * without a store around them. */
#pragma once
#include "base/base.h"

struct bare;
/* Commits go to a new database beside `mailbox_file`, on the same disk and with the same settings, in rows as long as the
 * average message there, which an index by date and one by change number find: the least that a mailbox needs.  Pages
 * are read from the mailbox itself, of the folder with most messages. */
struct bare *bare_open(TALLOC_CTX *owner, const char *mailbox_file);
const char *bare_commits(const struct bare *); /* "SQLite commits of 2,802 bytes" */
/* Steps of take_turns(). */
unsigned bare_commit(void *bare); /* one row */
unsigned bare_page(void *bare);   /* 50 rows, newest first, with the columns that a list shows */
unsigned bare_messages(void *bare); /* 100 rows, all of their columns, one after the other by change number */

/* What they usually do on the machines that the wanted rates were set for: two cores, 2026. */
#define USUAL_PAGES 16000
#define USUAL_COMMITS 4000
