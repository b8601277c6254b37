/* SPDX-License-Identifier: Apache-2.0 */
#include "nspi/person.h"

#include "wire/entry_id.h"
#include "wire/guids.h"

enum { MAPI_FOLDER = 3, MAPI_MAILUSER = 6 }; /* PidTagObjectType */
enum { CP_ASCII = 20127 };
enum { DTE_LOCAL_USER = 0x40000000 };                    /* PidTagDisplayTypeEx: may stand in permissions */
enum { FILTER_NODES_MAX = 1000, FILTER_NAMES_MAX = 20 }; /* a client asks with some ten */

static struct blob encode(TALLOC_CTX *arena, const struct wire_struct *description, const void *self)
{
    struct buf bytes;
    buf_init(&bytes, arena);
    struct wire_out out = wire_out(&bytes);
    wire_put(&out, description, self);
    return buf_blob(&bytes);
}

/* ---- getters that need more than a member ---- */

static enum display_type display_type(const struct account *a)
{
    return a->kind == ACCOUNT_MAIL_FOLDER ? DT_FORUM : DT_MAILUSER;
}

/* [MS-OXOABK] 2.2.3.10 to 2.2.3.12 */
static struct prop object_type(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    (void)c;
    return P_I32(tag, display_type(a) == DT_FORUM ? MAPI_FOLDER : MAPI_MAILUSER);
}

static struct prop shown_type(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    (void)c;
    return P_I32(tag, display_type(a));
}

static struct prop shown_type_ex(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    (void)c;
    return P_I32(tag, display_type(a) == DT_FORUM ? DT_FORUM : DTE_LOCAL_USER);
}

static struct prop permanent_id(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    return P_BIN(tag, address_book_entry_id(c->arena, a->legacy_dn, display_type(a)));
}

/* [MS-OXNSPI] 2.2.9.2 */
static struct prop ephemeral_id(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    const struct EphemeralEntryId id = { .Flags = 0x87,
                                         .ProviderUID = nspi_server_guid(c->settings),
                                         .R4 = 1,
                                         .DisplayType = display_type(a),
                                         .Mid = a->minimal_id };
    return P_BIN(tag, encode(c->arena, &EphemeralEntryId_wire, &id));
}

static struct prop instance_key(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    uint8_t *key = talloc_size(c->arena, 4);
    put_le32(key, a->minimal_id);
    return P_BIN(tag, BLOB_OF(key, 4));
}

static struct prop search_key(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    return P_BIN(tag, address_search_key(c->arena, "EX", a->legacy_dn));
}

static struct prop mapping_signature(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    (void)c, (void)a;
    return P_BIN(tag, BLOB_OF(MUIDEMSAB.bytes, 16));
}

static struct prop object_guid(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    (void)c;
    return P_BIN(tag, BLOB_OF(a->guid.bytes, 16));
}

static struct prop home_database(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    return P_STR(tag,
                 talloc_asprintf(c->arena, "%s/cn=Microsoft Private MDB", account_server_dn(c->arena, c->settings, a)));
}

/* The printable form is 8-bit text of the ASCII characters.  [MS-OXOABK] 2.2.3.7 */
static struct prop printable_name(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    const struct blob ascii = codepage_of_utf8(c->arena, CP_ASCII, a->display_name);
    return P_STR(tag, talloc_strndup(c->arena, (const char *)ascii.data, ascii.size));
}

static struct prop proxy_addresses(const struct nspi_call *c, const struct account *a, uint32_t tag)
{
    (void)c;
    struct prop p = { .tag = tag };
    p.mv.count = (uint32_t)a->proxy_count;
    p.mv.str = a->proxy_addresses;
    return p;
}

/* ---- the table ---- */

struct getter {
    uint32_t tag;
    enum { MEMBER, NUMBER, FLAG, CALL, TEXT } kind;
    size_t offset; /* MEMBER: a text in struct account; an empty one is absent */
    uint32_t number;
    const char *text;
    struct prop (*call)(const struct nspi_call *, const struct account *, uint32_t tag);
};

/* clang-format off */
#define OF(tag, member)   { tag, MEMBER, offsetof(struct account, member), 0, NULL, NULL }
#define IS(tag, value)    { tag, NUMBER, 0, value, NULL, NULL }
#define SAYS(tag, words)  { tag, TEXT, 0, 0, words, NULL }
#define BY(tag, function) { tag, CALL, 0, 0, NULL, function }
/* clang-format on */

static const struct getter getters[] = {
    BY(PidTagObjectType, object_type),
    BY(PidTagDisplayType, shown_type),
    BY(PidTagDisplayTypeEx, shown_type_ex),
    IS(PidTagInitialDetailsPane, 0),
    IS(PidTagAddressBookContainerId, 0),
    { PidTagSendRichInfo, FLAG, 0, 1, NULL, NULL },
    BY(PidTagEntryId, permanent_id),
    BY(PidTagRecordKey, permanent_id),
    BY(PidTagOriginalEntryId, permanent_id),
    BY(PidTagTemplateid, permanent_id),
    BY(PidTagInstanceKey, instance_key),
    BY(PidTagSearchKey, search_key),
    BY(PidTagMappingSignature, mapping_signature),
    BY(PidTagAddressBookObjectGuid, object_guid),
    OF(PidTagDisplayName, display_name),
    OF(PidTagTransmittableDisplayName, display_name),
    BY(PROP_AS(PidTagAddressBookDisplayNamePrintable, PtypString8), printable_name),
    SAYS(PidTagAddressType, "EX"),
    OF(PidTagEmailAddress, legacy_dn),
    OF(PidTagAddressBookObjectDistinguishedName, legacy_dn),
    OF(PidTagSmtpAddress, primary_smtp),
    OF(PidTagAccount, alias),
    OF(PidTagGivenName, first_name),
    OF(PidTagSurname, last_name),
    OF(PidTagInitials, initials),
    BY(PidTagAddressBookProxyAddresses, proxy_addresses),
    BY(PidTagAddressBookHomeMessageDatabase, home_database),
};

static const struct getter *getter_of(uint32_t tag)
{
    for (size_t i = 0; i < COUNTOF(getters); i++)
        if (PROP_ID(getters[i].tag) == PROP_ID(tag))
            return &getters[i];
    return NULL;
}

/* In its native type; ecNotFound where the person has none. */
static struct prop native_value(const struct nspi_call *c, const struct account *a, const struct getter *g,
                                uint32_t flags)
{
    if (g->kind == CALL && g->tag == PidTagEntryId && flags & NSPI_EPHEMERAL_IDS)
        return ephemeral_id(c, a, g->tag);
    switch (g->kind) {
    case CALL: return g->call(c, a, g->tag);
    case NUMBER: return P_I32(g->tag, g->number);
    case FLAG: return P_BOOL(g->tag, g->number != 0);
    case TEXT: return P_STR(g->tag, g->text);
    default: {
        const char *text = *(const char *const *)(const void *)((const char *)a + g->offset);
        return text && *text ? P_STR(g->tag, text) : P_ERR(g->tag, ecNotFound);
    }
    }
}

struct prop person_value(const struct nspi_call *c, const struct account *a, uint32_t tag, uint32_t flags)
{
    const struct getter *g = getter_of(tag);
    struct prop converted;
    if (!a || !g)
        return P_ERR(tag, ecNotFound);
    const struct prop value = native_value(c, a, g, flags);
    if (PROP_TYPE(value.tag) == PtypErrorCode)
        return value;
    if (prop_convert(&value, PROP_TYPE(tag), &converted) != ecNone)
        return P_ERR(tag, ecNotFound);
    return converted;
}

struct props person_row(const struct nspi_call *c, const struct account *a, const uint32_t *tags, uint32_t count,
                        uint32_t flags)
{
    struct prop *values = talloc_array(c->arena, struct prop, MAX(count, 1));
    for (uint32_t i = 0; i < count; i++)
        values[i] = person_value(c, a, tags[i], flags);
    return (struct props){ count, values };
}

static uint32_t in_8_bits(uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag), many = type & PtypMultiple;
    return (type & ~PtypMultiple) == PtypString ? PROP_AS(tag, PtypString8 | many) : tag;
}

const uint32_t *person_tags(const struct nspi_call *c, const struct account *a, uint32_t *count)
{
    uint32_t *tags = talloc_array(c->arena, uint32_t, COUNTOF(getters));
    *count = 0;
    for (size_t i = 0; i < COUNTOF(getters); i++)
        if (!a || PROP_TYPE(native_value(c, a, &getters[i], 0).tag) != PtypErrorCode)
            tags[(*count)++] = in_8_bits(getters[i].tag);
    return tags;
}

bool person_knows(uint32_t tag)
{
    return getter_of(tag) != NULL;
}

/* ---- restrictions ---- */

/* What was typed is folded once, not for every person. */
struct person_filter {
    const struct restriction *restriction;
    size_t nodes, count;
    struct name {
        const struct restriction *at;
        const struct account_pattern *pattern;
    } names[FILTER_NAMES_MAX];
};

/* PidTagAnr is nobody's property: whoever compares with it asks for names. */
static bool is_anr(const struct restriction *r)
{
    const uint16_t type = PROP_TYPE(r->value.tag);
    return ((r->type == RES_PROPERTY && r->relop == RELOP_EQ) || r->type == RES_CONTENT) &&
           PROP_ID(r->tag) == PROP_ID(PidTagAnr) && (type == PtypString || type == PtypString8) && r->value.str;
}

/* And, or and not are walked here, because a PidTagAnr may stand below them. */
static bool is_walked(const struct restriction *r)
{
    return r->type == RES_AND || r->type == RES_OR || r->type == RES_NOT;
}

static bool learn(struct person_filter *f, const struct restriction *r)
{
    bool simple = ++f->nodes <= FILTER_NODES_MAX;
    if (is_anr(r)) {
        simple = simple && f->count < FILTER_NAMES_MAX;
        if (simple)
            f->names[f->count++] = (struct name){ r, account_pattern(f, r->value.str) };
    }
    for (uint32_t i = 0; simple && i < r->count; i++)
        simple = learn(f, &r->sub[i]);
    return simple;
}

struct person_filter *person_filter(TALLOC_CTX *arena, const struct restriction *r)
{
    struct person_filter *f = talloc_zero(arena, struct person_filter);
    f->restriction = r;
    return learn(f, r) ? f : NULL;
}

struct subject {
    const struct nspi_call *call;
    const struct account *account;
    const struct person_filter *filter;
};

static const struct prop *find_value(void *arg, uint32_t tag)
{
    const struct subject *s = arg;
    struct prop *p = talloc(s->call->arena, struct prop);
    *p = person_value(s->call, s->account, tag, 0);
    return PROP_TYPE(p->tag) == PtypErrorCode ? NULL : p;
}

static bool matches_name(const struct subject *s, const struct restriction *r)
{
    size_t i = 0;
    while (s->filter->names[i].at != r)
        i++;
    return account_matches(s->account, s->filter->names[i].pattern);
}

static bool matches(struct subject *s, const struct restriction *r)
{
    if (is_anr(r))
        return matches_name(s, r);
    if (!is_walked(r))
        return restriction_match(r, &(struct restriction_subject){ .find = find_value, .arg = s });
    if (r->type == RES_NOT)
        return !matches(s, r->sub);
    const bool any = r->type == RES_OR;
    for (uint32_t i = 0; i < r->count; i++)
        if (matches(s, &r->sub[i]) == any)
            return any;
    return !any;
}

bool person_matches(const struct nspi_call *c, const struct account *a, const struct person_filter *f)
{
    struct nspi_call call = *c;
    call.arena = talloc_new(c->arena);
    const bool found = matches(&(struct subject){ &call, a, f }, f->restriction);
    talloc_free(call.arena);
    return found;
}
