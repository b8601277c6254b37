/* SPDX-License-Identifier: Apache-2.0 */
/* sql/turn.h: threads of this process that write to one file take turns, first come, first served.  SQLite alone
 * waits by sleeping in growing steps, and whoever wakes at the right moment wins: the unlucky wait for seconds. */
#pragma once
#include <sys/stat.h>

#include "base/base.h"

struct turn;                                  /* one for each file, shared by all who have joined */
struct turn *turn_join(const struct stat *file);
void turn_leave(struct turn *);
bool turn_take(struct turn *, unsigned at_most_ms);        /* false: it was not our turn in time */
void turn_give(struct turn *);
