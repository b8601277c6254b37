/* SPDX-License-Identifier: Apache-2.0 */
/* front/certificate.h: the self-signed certificate that a new organisation begins with. */
#pragma once
#include "base/base.h"

/* Writes a new P-256 key (mode 0600) and a certificate for these names, the first of which is its subject, valid for
 * five years.  A name that is an IP address becomes one in the certificate.  On failure *why says what to do. */
enum ec certificate_create(TALLOC_CTX *owner, const char *certificate, const char *key, const char *const *names,
                           size_t count, char **why);
