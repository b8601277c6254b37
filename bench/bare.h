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

/* Wanted are 1,310 first pages, 4,650 messages opened and 2,400 saved a second on a machine where SQLite alone gives 16,000
 * pages and 4,000 commits; on another one, as much in proportion. */
#define WANTED_PER_PAGE(rate) AT_LEAST((rate) / 16000.0)
#define WANTED_PER_COMMIT(rate) AT_LEAST((rate) / 4000.0)
#define BARE_PAGES "SQLite pages of 50 rows"
