/* SPDX-License-Identifier: Apache-2.0 */
/* wire/named.h: the named properties of named.def by name, for readable output. */
#pragma once
#include "wire/structs.h"

const char *named_name(const struct PropertyName *); /* "PidLidReminderSet", or NULL when the table does not know it */
/* That; else the property set with the number or the name: "PSETID_Common:0x8A00", "PS_PUBLIC_STRINGS:Keywords". */
char *named_text(TALLOC_CTX *, const struct PropertyName *);
