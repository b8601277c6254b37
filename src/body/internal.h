/* SPDX-License-Identifier: Apache-2.0 */
/* body/internal.h: what this room's files share. */
#pragma once
#include "body/body.h"

/* Every other character as a reference. */
char *body_html_ascii(TALLOC_CTX *arena, const char *html);
