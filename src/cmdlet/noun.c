/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/call.h"

struct value methods_value(TALLOC_CTX *arena, unsigned auth)
{
    const char *const *names = type_values(PARAM_AUTH_LIST);
    const char *chosen[8];
    size_t count = 0;
    for (unsigned i = 0; names[i]; i++)
        if (auth & 1u << i)
            chosen[count++] = names[i];
    return v_texts(arena, chosen, count);
}

void warn_of_methods(struct call *call, const char *identity, unsigned auth)
{
    const unsigned idle = auth & ~call->context->working_auth;
    if (!auth)
        call_warn(call, "'%s' offers no authentication method: nobody can sign in there.", identity);
    else if (idle == auth)
        call_warn(call, "'%s' offers only %s, which nobody can complete on this server yet: nobody can sign in there.",
                  identity, value_text(call->arena, methods_value(call->arena, idle)));
    else if (idle)
        call_warn(call, "'%s' offers %s, which nobody can complete on this server yet.", identity,
                  value_text(call->arena, methods_value(call->arena, idle)));
}

unsigned edited_methods(struct arg_auth arg, unsigned now)
{
    if (!arg.given)
        return now;
    return arg.edits ? (now | arg.add) & ~arg.remove : arg.set;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool set_text(struct arg_text arg, const char **now)
{
    if (!arg.given || same_text(arg.value, *now))
        return false;
    *now = arg.value;
    return true;
}

bool set_bool(struct arg_bool arg, bool *now)
{
    if (!arg.given || arg.value == *now)
        return false;
    *now = arg.value;
    return true;
}

enum ec call_org(struct call *call, enum ec ec)
{
    return ec ? call_fail(call, ec, "%s", org_error()) : ecNone;
}

enum ec call_directory(struct call *call, enum ec ec)
{
    return ec ? call_fail(call, ec, "%s", directory_refusal()) : ecNone;
}

static bool is_directory(const struct org_virtual_directory *directory, enum org_directory_kind kind,
                         const char *identity)
{
    struct guid guid;
    if (directory->kind != kind || !identity)
        return directory->kind == kind;
    if (guid_parse(identity, &guid))
        return guid_equal(guid, directory->guid);
    return text_like(directory->identity, identity) || text_like(directory->name, identity);
}

const struct org_virtual_directory *find_directory(struct call *call, enum org_directory_kind kind,
                                                   const char *identity)
{
    const struct org_virtual_directory *found = NULL;
    for (size_t i = 0; i < call->settings->directory_count; i++) {
        if (!is_directory(&call->settings->directories[i], kind, identity))
            continue;
        if (found) {
            call_fail(call, ecAmbiguousRecip,
                      "The operation couldn't be performed because '%s' matches multiple entries.", identity);
            return NULL;
        }
        found = &call->settings->directories[i];
    }
    if (!found)
        call_not_found(call, identity);
    return found;
}

static bool is_this_server(struct call *call, struct arg_text server)
{
    const struct org_settings *s = call->settings;
    if (!server.value || strcasecmp(server.value, s->server_name) == 0 || strcasecmp(server.value, s->hostname) == 0)
        return true;
    call_not_found(call, server.value);
    return false;
}

enum ec get_directories(struct call *call, const struct object_type *type, enum org_directory_kind kind,
                        struct arg_text identity, struct arg_text server)
{
    const struct org_settings *s = call->settings;
    bool found = false;
    if (identity.given && server.given)
        return call_conflict(call);
    if (!is_this_server(call, server))
        return ecNotFound;
    for (size_t i = 0; i < s->directory_count; i++) {
        if (!is_directory(&s->directories[i], kind, identity.value))
            continue;
        call_emit(call, (struct object){ type, &s->directories[i], s });
        found = true;
    }
    return found || !identity.value ? ecNone : call_not_found(call, identity.value);
}

/* What Exchange 2019 says of itself; programs compare it. */
struct value server_version(TALLOC_CTX *arena)
{
    (void)arena;
    return v_text("Version 15.2 (Build 1544.4)");
}

bool set_number(struct arg_number arg, int64_t *now)
{
    if (!arg.given || arg.value == *now)
        return false;
    *now = arg.value;
    return true;
}

enum ec check_quota(struct call *call, const struct org_quota *quota)
{
    return org_quota_is_good(quota) ? ecNone
                                    : call_fail(call, ecInvalidParam,
                                                "A quota must be less than 2 TB, and the values of IssueWarningQuota and"
                                                " ProhibitSendQuota must be less than or equal to that of"
                                                " ProhibitSendReceiveQuota.");
}
