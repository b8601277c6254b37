/* SPDX-License-Identifier: Apache-2.0 */
/* wire/guids.h: the GUIDs of guids.def as constants, and their names for readable output. */
#pragma once
#include "base/base.h"

#define GUIDDEF(name, ...) extern const struct guid name;
#include "wire/guids.def"
#undef GUIDDEF

const char *guid_name(struct guid); /* "PSETID_Common", or NULL when the table does not know it */
