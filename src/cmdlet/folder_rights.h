/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/folder_rights.h: the words of -AccessRights on folders, those of a mailbox and public ones. */
#pragma once
#include "cmdlet/call.h"
#include "store/store.h"

/* One role, or rights one by one; the roles about free/busy are for calendars alone.  Why not is said. */
enum ec folder_rights_of(struct call *, struct texts given, bool calendar, uint32_t *rights);
/* The role that has just these rights, else one by one. */
struct value folder_rights_value(TALLOC_CTX *, uint32_t rights);
