/* SPDX-License-Identifier: Apache-2.0 */
/* bench/scene.h: what a client does again and again, as lists of ROPs: the same ones go through the ROP engine alone and
 * through the whole server. */
#pragma once
#include "client/client.h"
#include "mail.h"

enum { SCENE_ROPS = 8, PAGE_ROWS = 50 };
struct scene {
    struct client_rop rops[SCENE_ROPS];
    size_t count;
};
/* Requests live in `arena`.  `logon` is the handle of the mailbox. */
struct scene scene_light(TALLOC_CTX *arena, uint32_t folder);               /* the folder's counts */
struct scene scene_folder(TALLOC_CTX *arena, uint32_t logon, uint64_t fid); /* opens it, for scene_light */
struct scene scene_page(TALLOC_CTX *arena, uint32_t logon, uint64_t fid);
struct scene scene_message(TALLOC_CTX *arena, uint32_t logon, uint64_t fid, uint64_t mid);
struct scene scene_save(TALLOC_CTX *arena, uint32_t logon, uint64_t fid, const struct mails *, uint32_t n);

/* The MIDs of the page that scene_page() has got. */
uint32_t scene_mids(const struct scene *, uint64_t mids[PAGE_ROWS]);
