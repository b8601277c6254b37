/* SPDX-License-Identifier: Apache-2.0 */
/* org/internal.h: what the files of this room share. */
#pragma once
#include <pthread.h>

#include "org/org.h"
#include "sql/sql.h"

/* One picture of everything, never altered.  It is a talloc tree of its own, so that the last reader may free it in
 * any thread. */
struct org_picture {
    struct org_settings settings;           /* first: a reader's pointer is the picture's */
    int references;                         /* atomic */
};

struct org {
    pthread_mutex_t writing;                /* guards db, and is held from the first look at a row to its change */
    struct sql *db;
    char *data_dir, *database_path;
    pthread_mutex_t taking;                 /* guards `picture` and nothing slower */
    struct org_picture *picture;
    void (*changed)(void *);
    void *changed_arg;
};

/* Sets org_error(), returns ec. */
enum ec org_say(enum ec, const char *format, ...) PRINTF(2, 3);
enum ec org_say_sql(enum ec, const struct sql *);                /* with SQL's own sentence; NULL: it was not opened */

/* picture.c */
enum ec org_picture_load(struct org *);     /* reads the tables and puts a new picture in place; `writing` is held */

void org_picture_release(struct org_picture *);                     /* NULL: nothing */

/* new.c */
/* Does Exchange know this upgrade, and is MAPI over HTTP on after it? */
enum ec org_upgrade_check(const struct org_defaults *, bool *mapi_http_enabled);
/* The rows of a new organisation, in the caller's transaction. */
enum ec org_fill(struct sql_tx *, const struct org_defaults *);

/* sqlite:/data/mailboxes is kept as sqlite:mailboxes, so that the data folder can be moved. */
char *org_url_kept(TALLOC_CTX *, const char *data_dir, const char *url);
char *org_url_shown(TALLOC_CTX *, const char *data_dir, const char *kept);
char *org_lower(TALLOC_CTX *, const char *);
