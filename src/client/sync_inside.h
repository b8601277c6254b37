/* SPDX-License-Identifier: Apache-2.0 */
/* client/sync_inside.h: what download and upload share. */
#pragma once
#include "client/sync.h"
#include "wire/fasttransfer_read.h"

enum ec sync_upload_state(struct client *, uint32_t context, uint8_t type, const struct sync_state *);
/* The state stream of an open context into `state`, in `owner`. */
enum ec sync_read_state(struct client *, TALLOC_CTX *owner, uint32_t context, struct sync_state *state);
