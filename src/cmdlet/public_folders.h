/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/public_folders.h: the public-folder store and paths in it, for every cmdlet about public folders. */
#pragma once
#include "cmdlet/call.h"
#include "store/store.h"

/* The store, locked until folders_close(); why not is said. */
enum ec folders_open(struct call *, struct store **);
void folders_close(struct store *);

/* Where a folder is: \Sales\Orders is Orders in \Sales; \ is the root, and \NON_IPM_SUBTREE beside it. */
struct public_folder {
    uint64_t fid, parent;
    const char *path, *parent_path, *name, *class, *comment, *entry_id;
    uint32_t items, subfolders;
    uint64_t created, modified, size;
    bool mail_enabled;
};
/* A path, or an entry id in hex.  Not there: ecNotFound, and said. */
enum ec folder_find(struct call *, struct store *, const char *identity, struct public_folder *out);
/* Those in a folder by name, or with all that lies below them. */
enum ec folder_children(struct call *, struct store *, const struct public_folder *, bool recurse,
                        struct public_folder **out, size_t *count);

/* mail_public_folder.c: a folder that goes, or all of them, has no address any more. */
enum ec folder_forget_mail(struct call *, uint64_t fid);
enum ec folders_forget_mail(struct call *);
