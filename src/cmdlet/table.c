/* SPDX-License-Identifier: Apache-2.0 */
#include "cmdlet/table.h"

/* The adapters make one type of all handlers, so that no function pointer is cast. */
#define CMDLET(V, N, role, help)                                                                                     \
    static enum ec run_##V##_##N(struct call *call, const void *in) { return cmdlet_##V##_##N(call, in); }
#define PIPE(V, N, role, help) CMDLET(V, N, role, help)
#define PARAM(name, type, need, help)
#define NOT_HERE(names)
#define END
#include "cmdlet/cmdlet.def"
#undef CMDLET
#undef PARAM
#undef NOT_HERE
#undef END

#define CMDLET(V, N, role, help)                                                                                     \
    static const struct parameter_row *parameters_##V##_##N(void)                                                    \
    {                                                                                                                \
        typedef struct V##_##N self __attribute__((unused));                                                         \
        static const struct parameter_row rows[] = {
#define PARAM(name, type, need, help) { #name, PARAM_##type, offsetof(self, name), need, help },
#define NOT_HERE(names) { NULL, PARAM_IGNORED, 0, OPTIONAL, names },
#define END                                                                                                          \
            { 0 }                                                                                                    \
        };                                                                                                           \
        return rows;                                                                                                 \
    }
#include "cmdlet/cmdlet.def"
#undef CMDLET
#undef PIPE
#undef PARAM
#undef NOT_HERE
#undef END

#define CMDLET_ROW(V, N, role, help, pipe) \
    { #V, #N, role, help, pipe, parameters_##V##_##N, sizeof(struct V##_##N), run_##V##_##N },
#define CMDLET(V, N, role, help) CMDLET_ROW(V, N, role, help, false)
#define PIPE(V, N, role, help) CMDLET_ROW(V, N, role, help, true)
#define PARAM(name, type, need, help)
#define NOT_HERE(names)
#define END
const struct cmdlet_row cmdlet_rows[] = {
#include "cmdlet/cmdlet.def"
};
const size_t cmdlet_row_count = COUNTOF(cmdlet_rows);

static const struct { const char *name, *meant; } aliases[] = {
    { "fl", "Format-List" },    { "ft", "Format-Table" },   { "select", "Select-Object" }, { "where", "Where-Object" },
    { "?", "Where-Object" },    { "sort", "Sort-Object" },  { "gcm", "Get-Command" },      { "help", "Get-Help" },
    { "man", "Get-Help" },
};

/* `Get-Mailbox` without case; the verb ends at the first hyphen. */
static bool is_named(const struct cmdlet_row *row, const char *name)
{
    const size_t verb = strlen(row->verb);
    return text_is_prefix(name, row->verb) && name[verb] == '-' && strcasecmp(name + verb + 1, row->noun) == 0;
}

const struct cmdlet_row *cmdlet_named(const char *name)
{
    for (size_t i = 0; i < COUNTOF(aliases); i++)
        if (strcasecmp(name, aliases[i].name) == 0)
            name = aliases[i].meant;
    for (size_t i = 0; i < cmdlet_row_count; i++)
        if (is_named(&cmdlet_rows[i], name))
            return &cmdlet_rows[i];
    return NULL;
}

static bool verb_is_one_of(const struct cmdlet_row *row, const char *const *verbs)
{
    for (; *verbs; verbs++)
        if (strcmp(row->verb, *verbs) == 0)
            return true;
    return false;
}

bool cmdlet_changes_something(const struct cmdlet_row *row)
{
    static const char *const verbs[] = { "New", "Set", "Add", "Remove", "Enable", "Disable", NULL };
    return verb_is_one_of(row, verbs);
}

bool cmdlet_asks_by_itself(const struct cmdlet_row *row)
{
    static const char *const verbs[] = { "Remove", "Disable", NULL };
    return verb_is_one_of(row, verbs);
}

static const struct { const char *word; unsigned where; } types[] = {
#define TYPE(name, c, word, where) { word, where },
#include "cmdlet/types.def"
#undef TYPE
};

const char *type_word(enum param_type type)
{
    return types[type].word;
}

unsigned type_where(enum param_type type)
{
    return types[type].where;
}

const char *const *type_values(enum param_type type)
{
    static const char *const values[][6] = {
        [PARAM_BOOLEAN] = { "$true", "$false" },
        [PARAM_OVERRIDE] = { "$true", "$false", "$null" },
        [PARAM_AUTH_LIST] = { "Basic", "Ntlm", "Negotiate", "OAuth" },
        [PARAM_AUTH_METHOD] = { "Basic", "Ntlm", "Negotiate" },
        [PARAM_DOMAIN_TYPE] = { "Authoritative", "InternalRelay", "ExternalRelay" },
        [PARAM_ACTION] = { "Continue", "SilentlyContinue", "Stop", "Ignore", "Inquire" },
        [PARAM_IGNORED_SWITCH] = { NULL },
    };
    return values[type][0] ? values[type] : NULL;
}

#define COMMON(name, type, member, help) { name, PARAM_##type, offsetof(struct common, member), OPTIONAL, help },
const struct parameter_row common_rows[] = {
    COMMON("WhatIf", SWITCH, WhatIf, "says what would happen and changes nothing")
    COMMON("Confirm", SWITCH, Confirm, "asks first; -Confirm:$false doesn't ask")
    COMMON("DomainController", IGNORED, ignored, "accepted, has no effect")
    COMMON("ErrorAction", ACTION, ErrorAction, "Continue, SilentlyContinue, Stop or Ignore")
    COMMON("WarningAction", ACTION, WarningAction, "Continue, SilentlyContinue or Ignore")
    COMMON("Verbose", IGNORED_SWITCH, ignored_switch, "accepted, has no effect")
    COMMON("Debug", IGNORED_SWITCH, ignored_switch, "accepted, has no effect")
    COMMON("ErrorVariable", IGNORED, ignored, "accepted, has no effect")
    COMMON("WarningVariable", IGNORED, ignored, "accepted, has no effect")
    COMMON("InformationAction", IGNORED, ignored, "accepted, has no effect")
    COMMON("InformationVariable", IGNORED, ignored, "accepted, has no effect")
    COMMON("OutVariable", IGNORED, ignored, "accepted, has no effect")
    COMMON("OutBuffer", IGNORED, ignored, "accepted, has no effect")
    COMMON("PipelineVariable", IGNORED, ignored, "accepted, has no effect")
    { 0 }
};

const char *common_alias(const char *name)
{
    static const struct { const char *name, *meant; } known[] = {
        { "wi", "WhatIf" },          { "cf", "Confirm" },          { "ea", "ErrorAction" },
        { "wa", "WarningAction" },   { "vb", "Verbose" },          { "db", "Debug" },
        { "ev", "ErrorVariable" },   { "wv", "WarningVariable" },  { "infa", "InformationAction" },
        { "iv", "InformationVariable" }, { "ov", "OutVariable" },  { "ob", "OutBuffer" },
        { "pv", "PipelineVariable" },
    };
    for (size_t i = 0; i < COUNTOF(known); i++)
        if (strcasecmp(name, known[i].name) == 0)
            return known[i].meant;
    return name;
}

bool common_fits(const struct cmdlet_row *row, const struct parameter_row *common)
{
    const bool for_changes = common->type == PARAM_SWITCH;
    const bool for_exchange = strcmp(common->name, "DomainController") == 0;
    return for_changes ? cmdlet_changes_something(row) : !for_exchange || strcmp(row->role, "Shell") != 0;
}
