/* SPDX-License-Identifier: Apache-2.0 */
/* base/ec.h: the error codes of [MS-OXCDATA] 2.4, read from ec.def. */
#pragma once

/* ecNone is 0; every other value is what stands on the wire. */
enum ec {
#define EC(name, value, text) name = (int)value,
#include "base/ec.def"
#undef EC
};

const char *ec_name(enum ec);     /* "ecNotFound"; an unknown value gives "0x80040123" (thread's own buffer) */
const char *ec_text(enum ec);     /* one sentence without a full stop */
