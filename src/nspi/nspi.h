/* SPDX-License-Identifier: Apache-2.0 */
/* nspi/nspi.h: the address book engine, [MS-OXNSPI], over the directory.  Both transports call it with the
 * structures of [MS-OXCMAPIHTTP] 2.2.5.  Keeps nothing between two calls: all state is in the client's STAT.
 * Never speaks HTTP or RPC, never changes an account by itself. */
#pragma once
#include "directory/directory.h"
#include "wire/structs.h"

struct nspi_call {
    TALLOC_CTX *arena; /* the request's */
    struct directory *directory;
    const struct org_settings *settings;
    const struct account *user; /* who asks */
    const char *host;           /* the name that the client has used for us; NULL: it is not known */
};

/* What Bind answers: constant for the organisation, so that minimal ids stay valid.  [MS-OXNSPI] 2.2.9.2 */
struct guid nspi_server_guid(const struct org_settings *);

/* The answer is the ErrorCode of the response, whose other fields are zeroed before. */
#define NSPI(name) enum ec nspi_##name(struct nspi_call *, const struct name##Request *, struct name##Response *);
#include "nspi/nspi.def"
#undef NSPI
