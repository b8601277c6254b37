/* SPDX-License-Identifier: Apache-2.0 */
/* store/worker.h: a pool's one thread for what takes long and nobody waits for: search folders are filled.  It works on
 * one mailbox after the other, a step at a time, and lets go of the mailbox as soon as somebody else wants it. */
#pragma once
#include "store/internal.h"

struct worker;
struct worker *worker_start(void);               /* NULL: no thread can be had */
/* Has work; with the store locked.  Outside of a pool nobody does it. */
void worker_wake(struct store *);
/* Waits for the step that is running; what is left stands in the database. */
void worker_stop(struct worker *);
