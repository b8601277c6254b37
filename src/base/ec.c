/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/base.h"

static const struct {
    enum ec value;
    const char *name, *text;
} codes[] = {
#define EC(name, value, text) { name, #name, text },
#include "base/ec.def"
#undef EC
};

/* Only traces and log lines ask, so a walk through a hundred rows will do. */
static size_t row_of(enum ec ec)
{
    size_t i = 0;
    while (i < COUNTOF(codes) && codes[i].value != ec)
        i++;
    return i;
}

const char *ec_name(enum ec ec)
{
    static _Thread_local char unknown[sizeof "0x80040123"];
    size_t i = row_of(ec);
    if (i < COUNTOF(codes))
        return codes[i].name;
    snprintf(unknown, sizeof unknown, "0x%08X", (unsigned)ec);
    return unknown;
}

const char *ec_text(enum ec ec)
{
    size_t i = row_of(ec);
    return i < COUNTOF(codes) ? codes[i].text : "an error without a name";
}
