/* SPDX-License-Identifier: Apache-2.0 */
/* store/search.h: search folders as this room's files see them.  [MS-OXCFOLD] 3.2.5.4
 *
 *   search        what a search folder looks for                                               (search.c)
 *   search_scope  the folders whose messages it looks at: those that the client named and, where it is recursive, all
 *                 below them.  `todo` says that the messages in one are still to be looked at   (search_step.c)
 *   result        the messages found.  Each commit brings it up to date with what it changes    (search_follow.c)
 *
 * A message that changes is tested against the searches whose scope its folder is in, and nothing else.  What changes
 * more than can be listed (a scope, a folder that was emptied) is looked at again in the background. */
#pragma once
#include "store/message.h"

enum search_todo { TODO_NOTHING = 0, TODO_FILL = 1, TODO_CHECK = 2 };     /* CHECK: what no longer matches goes too */

struct search {
    uint64_t fid;
    uint32_t flags;                              /* of RopSetSearchCriteria */
    const struct restriction *restriction;
    int64_t total, unread;                       /* what the transaction under way adds to the folder's counts */
    bool rescope, recount;                       /* before it ends: folders have come or gone; results, too */
};
struct searches {
    struct search *all;
    uint32_t count;
};

/* ---- search.c ---- */
bool searches_any(struct store_tx *);
struct search *search_find(struct store_tx *, uint64_t fid);   /* NULL: no search folder, or one without criteria */
void search_forget(struct store_tx *, uint64_t fid);           /* the folder goes, and its results with it */
void search_rescope(struct store_tx *, const struct search *);
void search_count(struct store_tx *, const struct search *, int64_t total, int64_t unread, bool many);
void search_recount(struct store_tx *, const struct search *);
/* Links and unlinks do not count and do not announce.  false: it was so already. */
bool search_link(struct store_tx *, uint64_t search, const struct message_row *);
bool search_unlink(struct store_tx *, uint64_t search, uint64_t mid, bool *unread);
bool search_matches(struct store *, const struct search *, const struct message_row *);

/* ---- search_follow.c ---- */
void search_follow(struct store_tx *, const struct store_change *);
void searches_flush(struct store_tx *);

/* ---- search_step.c ---- */
/* Looks at a few messages of what is to be looked at.  *more: something is left. */
enum ec search_step(struct store *, bool *more);
bool search_has_work(struct store_tx *);
/* A call for each run of messages that lie in one folder; a folder that is no search folder is such a run itself. */
typedef void search_run(void *arg, uint64_t fid, uint32_t first, uint32_t count);
void search_runs(struct store_tx *, uint64_t fid, const uint64_t *mids, uint32_t count, search_run *, void *arg);
