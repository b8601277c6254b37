/* SPDX-License-Identifier: Apache-2.0 */
/* The address book endpoint: [MS-OXCMAPIHTTP] 2.2.5.  A request type is two structures, so one table is all of it. */
#include <assert.h>

#include "client/internal.h"

#define NSPI(type, S) { type, &S##Request_wire, &S##Response_wire }
static const struct {
    const char *type;
    const struct wire_struct *request, *response;
} types[] = {
    NSPI("Bind", Bind), NSPI("Unbind", Unbind), NSPI("CompareMIds", CompareMinIds), NSPI("DNToMId", DnToMinId),
    NSPI("GetMatches", GetMatches), NSPI("GetPropList", GetPropList), NSPI("GetProps", GetProps),
    NSPI("GetSpecialTable", GetSpecialTable), NSPI("GetTemplateInfo", GetTemplateInfo), NSPI("ModLinkAtt", ModLinkAtt),
    NSPI("ModProps", ModProps), NSPI("QueryRows", QueryRows), NSPI("QueryColumns", QueryColumns),
    NSPI("ResolveNames", ResolveNames), NSPI("ResortRestriction", ResortRestriction), NSPI("SeekEntries", SeekEntries),
    NSPI("UpdateStat", UpdateStat), NSPI("GetMailboxUrl", GetMailboxUrl), NSPI("GetAddressBookUrl", GetAddressBookUrl),
};

/* Every response of this endpoint begins so. */
struct nspi_head {
    uint32_t status_code, error_code;
};

/* ErrorCode is the answer's own business where it is no error: UnbindSuccess, and warnings. */
static enum ec nspi_error(struct client *c, const char *type, uint32_t code)
{
    if ((code & 0x80000000) == 0 && code <= (uint32_t)ecUnbindSuccess)
        return ecNone;
    if ((code & 0xFFFF0000) == 0x00040000)
        return ecNone;
    return client_fail(c, CLIENT_ERROR_CODE, (enum ec)code, code, "%s: %s, %s", type, ec_name((enum ec)code), ec_text((enum ec)code));
}

enum ec client_nspi(struct client *c, TALLOC_CTX *arena, const char *type, const void *request, void *response)
{
    size_t i = 0;
    while (i < COUNTOF(types) && strcmp(types[i].type, type) != 0)
        i++;
    assert(i < COUNTOF(types));
    memset(response, 0, types[i].response->size);
    const enum ec ec = context_exchange(c, arena, &(struct exchange){ CLIENT_NSPI, type, types[i].request,
                                                                      types[i].response, request, response });
    return ec ? ec : nspi_error(c, type, ((struct nspi_head *)response)->error_code);
}

/* [MS-OXNSPI] 2.2.8: everything from the beginning, in Unicode */
enum ec client_bind(struct client *c)
{
    struct BindResponse response;
    const struct BindRequest request = { .HasState = true, .State = { .CodePage = 1252, .TemplateLocale = 0x0409, .SortLocale = 0x0409 } };
    enum ec ec = c->contexts[CLIENT_NSPI].url ? ecNone : client_discover(c);
    if (!ec && !c->contexts[CLIENT_NSPI].url)
        ec = client_fail(c, CLIENT_AUTODISCOVER, ecNotFound, 0, "Autodiscover names no address book for %s", c->options.address);
    if (ec)
        return ec;
    TALLOC_CTX *arena = talloc_new(c);
    ec = client_nspi(c, arena, "Bind", &request, &response);
    c->contexts[CLIENT_NSPI].open = ec == ecNone;
    talloc_free(arena);
    return ec;
}

enum ec client_unbind(struct client *c)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct UnbindResponse response;
    const struct UnbindRequest request = { 0 };
    const enum ec ec = c->contexts[CLIENT_NSPI].open ? client_nspi(c, arena, "Unbind", &request, &response) : ecNone;
    context_reset(c, CLIENT_NSPI);
    talloc_free(arena);
    return ec;
}
