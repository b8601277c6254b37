/* SPDX-License-Identifier: Apache-2.0 */
/* What a message's properties are made of: [MS-OXCMSG] 2.2.1.  The getters serve open messages and table rows. */
#include "body/body.h"
#include "store/message.h"
#include "wire/entry_id.h"

enum { CONVERSATION_HEADER = 22, TOPIC_CHARACTERS = 255, UTF8_CODEPAGE = 65001 };

typedef struct prop getter(TALLOC_CTX *, const struct message_view *, uint32_t tag);
#define GETTER(name) static struct prop get_##name(TALLOC_CTX *arena, const struct message_view *v, uint32_t tag)
#define UNUSED (void)arena, (void)v

static struct blob key_of(TALLOC_CTX *arena, const struct message_view *v, struct blob foreign, uint64_t counter)
{
    return foreign.size ? blob_copy(arena, foreign) : gid_of(arena, v->st->replica, counter);
}

/* Before it is saved for the first time, a message has none of these. */
static struct prop saved_prop(const struct message_view *v, struct prop p)
{
    return v->row->mid ? p : P_ERR(p.tag, ecNotFound);
}

/* An embedded message lies in no folder. */
static struct prop folder_prop_of(const struct message_view *v, struct prop p)
{
    return v->row->fid ? p : P_ERR(p.tag, ecNotFound);
}

static uint32_t u32_of(TALLOC_CTX *arena, const struct message_view *v, uint32_t tag, uint32_t fallback)
{
    const struct item_value value = item_find(arena, v->item, tag);
    return value.place == BAG_HERE && value.prop.tag == tag ? value.prop.u32 : fallback;
}

static const char *text_of(TALLOC_CTX *arena, const struct message_view *v, uint32_t tag)
{
    struct prop p;
    item_get(arena, v->st, v->item, tag, ITEM_TEXT_LIMIT, false, &p);
    return PROP_TYPE(p.tag) == PtypString ? p.str : NULL;
}

/* clang-format off */
GETTER(mid)               { UNUSED; return saved_prop(v, P_I64(tag, store_id(v->row->mid))); }
GETTER(fid)               { UNUSED; return folder_prop_of(v, P_I64(tag, store_id(v->row->fid))); }
GETTER(cn)                { UNUSED; return saved_prop(v, P_I64(tag, store_id(v->row->cn))); }
GETTER(entry_id)          { return saved_prop(v, P_BIN(tag, message_entry_id(arena, v->st, v->row->fid, v->row->mid))); }
GETTER(parent_entry_id)   { return folder_prop_of(v, P_BIN(tag, folder_entry_id(arena, v->st, v->row->fid))); }
GETTER(store_entry_id)    { return P_BIN(tag, store_entry_id(arena, v->st)); }
GETTER(store_record_key)  { return P_BIN(tag, blob_copy(arena, BLOB_OF(v->st->guid.bytes, 16))); }
GETTER(signature)         { return P_BIN(tag, blob_copy(arena, BLOB_OF(v->st->replica.bytes, 16))); }
GETTER(object_type)       { UNUSED; return P_I32(tag, 5); }
GETTER(source_key)        { return saved_prop(v, P_BIN(tag, key_of(arena, v, v->row->source_key, v->row->mid))); }
GETTER(parent_source_key) { return folder_prop_of(v, P_BIN(tag, gid_of(arena, v->st->replica, v->row->fid))); }
GETTER(change_key)        { return saved_prop(v, P_BIN(tag, key_of(arena, v, v->row->change_key, v->row->cn))); }
GETTER(committed)         { UNUSED; return saved_prop(v, P_TIME(tag, v->row->committed)); }
GETTER(created)           { UNUSED; return P_TIME(tag, v->row->created); }
GETTER(modified)          { UNUSED; return P_TIME(tag, v->row->modified); }
GETTER(access_level)      { UNUSED; return P_I32(tag, !v->read_only); }
GETTER(associated)        { UNUSED; return P_BOOL(tag, v->row->associated); }
GETTER(status)            { UNUSED; return P_I32(tag, v->row->status); }
GETTER(has_attachments)   { UNUSED; return P_BOOL(tag, v->row->has_attach); }
GETTER(display_to)        { return P_STR(tag, talloc_strdup(arena, v->row->display_to)); }
GETTER(display_cc)        { return P_STR(tag, talloc_strdup(arena, v->row->display_cc)); }
GETTER(display_bcc)       { return P_STR(tag, talloc_strdup(arena, v->row->display_bcc)); }
GETTER(class)             { UNUSED; return P_STR(tag, "IPM.Note"); }
GETTER(importance)        { UNUSED; return P_I32(tag, 1); }
GETTER(sensitivity)       { UNUSED; return P_I32(tag, 0); }
GETTER(trust_sender)      { UNUSED; return P_I32(tag, 1); }
GETTER(owner_name)        { return P_STR(tag, talloc_strdup(arena, v->st->identity.display_name)); }
GETTER(owner_entry_id)    { return P_BIN(tag, owner_entry_id(arena, v->st)); }
/* clang-format on */

/* [MS-OXCMSG] 3.2.5.2: 3 while it is new; [MS-OXCPRPT] 2.2.1.1: 4 is the right to delete what is stored. */
GETTER(access)
{
    UNUSED;
    if (v->is_new || !v->row->fid || !v->st->delegate)
        return P_I32(tag, v->is_new ? 0x3 : 0x7);
    struct store_tx tx = store_read(v->st);
    const bool fai = v->row->associated;
    const bool edits = may_with(&tx, v->row->fid, v->item, fai, RIGHT_EDIT_ANY, RIGHT_EDIT_OWNED);
    const bool deletes = may_with(&tx, v->row->fid, v->item, fai, RIGHT_DELETE_ANY, RIGHT_DELETE_OWNED);
    return store_end(&tx) ? P_I32(tag, 0x2) : P_I32(tag, 0x2 | (edits ? 0x1 : 0) | (deletes ? 0x4 : 0));
}

GETTER(pcl)
{
    return saved_prop(v, P_BIN(tag, pcl_of(arena, v->st, v->row->pcl, v->row->change_key, v->row->cn)));
}

/* [MS-OXCMSG] 2.2.1.6: mfEverRead goes with mfRead. */
GETTER(flags)
{
    UNUSED;
    const struct message_row *row = v->row;
    return P_I32(tag, row->flags | (row->read ? mfRead | mfEverRead : 0) | (row->has_attach ? mfHasAttach : 0) |
                          (row->associated ? mfFAI : 0));
}

GETTER(size)
{
    UNUSED;
    return size_prop(tag, v->is_new ? item_size(v->item) : v->row->size);
}

/* Tags ascend, and those of named properties come last. */
GETTER(has_named)
{
    uint32_t *tags;
    const uint32_t count = item_tags(arena, v->item, &tags);
    return P_BOOL(tag, count && PROP_ID(tags[count - 1]) >= 0x8000);
}

/* [MS-OXCMSG] 2.2.1.46 */
GETTER(subject)
{
    const char *prefix = text_of(arena, v, PidTagSubjectPrefix), *rest = text_of(arena, v, PidTagNormalizedSubject);
    if (!prefix && !rest)
        return P_ERR(tag, ecNotFound);
    return P_STR(tag, talloc_asprintf(arena, "%s%s", prefix ? prefix : "", rest ? rest : ""));
}

/* The richest body of those that were written last: message_body_written removes the others. */
GETTER(native_body)
{
    UNUSED;
    return P_I32(tag, message_native_body(v->item));
}

/* [MS-OXBBODY] 2.1.3.1: false would send a client from RTF to plain text. */
GETTER(rtf_in_sync)
{
    return P_BOOL(tag, u32_of(arena, v, PidTagNativeBody, get_native_body(arena, v, tag).u32) == BODY_RTF);
}

GETTER(locale)
{
    const uint32_t lcid = u32_of(arena, v, PidTagMessageLocaleId, 0);
    return lcid ? P_I32(tag, lcid) : P_ERR(tag, ecNotFound);
}

/* ---- PidTagConversationId: [MS-OXOMSG] 2.2.1.2 ---- */

static struct blob conversation_of_topic(TALLOC_CTX *arena, const char *topic)
{
    struct blob wide = utf16_of_utf8(arena, text_upper(arena, topic));
    wide.size = MIN(wide.size, (size_t)TOPIC_CHARACTERS * 2);
    uint8_t *id = talloc_array(arena, uint8_t, 16);
    md5_of(wide, id);
    return BLOB_OF(id, 16);
}

GETTER(conversation_id)
{
    const struct item_value tracking = item_find(arena, v->item, PidTagConversationIndexTracking);
    const struct item_value index = item_find(arena, v->item, PidTagConversationIndex);
    const struct blob bytes =
        index.place == BAG_HERE && index.prop.tag == PidTagConversationIndex ? index.prop.bin : BLOB_OF(NULL, 0);
    if (tracking.place == BAG_HERE && tracking.prop.tag == PidTagConversationIndexTracking && tracking.prop.b &&
        bytes.size >= CONVERSATION_HEADER && bytes.data[0] == 1)
        return P_BIN(tag, blob_copy(arena, BLOB_OF(bytes.data + 6, 16)));
    struct prop topic; /* as much of it as counts */
    item_get(arena, v->st, v->item, PidTagConversationTopic, TOPIC_CHARACTERS * 4, true, &topic);
    const bool there = PROP_TYPE(topic.tag) == PtypString && *topic.str;
    return there ? P_BIN(tag, conversation_of_topic(arena, topic.str)) : P_ERR(tag, ecNotFound);
}

/* ---- the table ---- */

struct computed {
    uint32_t tag;
    getter *get;
    enum computed_rule rule;
};

static const uint32_t computed_tags[] = {
#define MESSAGE(tag, name, rule) tag,
#define FOLDER(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

/* A switch, since every cell of a table asks. */
static const struct computed *computed_of(uint32_t tag)
{
    switch (PROP_ID(tag)) {
#define MESSAGE(tag, name, rule)                                           \
    case PROP_ID(tag): {                                                   \
        static const struct computed computed = { tag, get_##name, rule }; \
        return &computed;                                                  \
    }
#define FOLDER(...)
#define ATTACHMENT(...)
#define MAILBOX(...)
#include "store/computed.def"
#include "store/computed_end.h"
    default: return NULL;
    }
}

uint32_t message_computed_tags(const uint32_t **tags)
{
    *tags = computed_tags;
    return COUNTOF(computed_tags);
}

bool message_is_plain(uint32_t tag)
{
    const struct computed *c = computed_of(tag);
    return (!c || c->rule == DEFAULT) && prop_stored(tag) != PidTagBodyHtml;
}

/* ---- PidTagHtml and PidTagBodyHtml: the same bytes, and the same as text ---- */

static void get_html_text(TALLOC_CTX *arena, const struct message_view *v, uint32_t tag, size_t limit, bool cut,
                          struct prop *out)
{
    const size_t bytes = MIN(cut ? 2 * limit : limit, (size_t)ITEM_CONVERT_LIMIT);
    const uint32_t codepage = u32_of(arena, v, PidTagInternetCodepage, 0);
    if (message_body_is_made(v->item, PidTagHtml))
        message_body_make(arena, v, codepage, PidTagHtml, bytes, cut, out);
    else
        item_get(arena, v->st, v->item, PidTagHtml, bytes, cut, out);
    if (PROP_TYPE(out->tag) == PtypErrorCode)
        return;
    *out = P_STR(PidTagBodyHtml,
                 utf8_of_codepage(arena, message_html_codepage(codepage, out->bin), out->bin.data, out->bin.size));
    item_convert(arena, tag, limit, cut, out);
}

void message_prop(TALLOC_CTX *arena, const struct message_view *v, uint32_t tag, size_t limit, bool cut,
                  struct prop *out)
{
    const uint16_t type = PROP_TYPE(tag);
    if (PROP_ID(tag) == PROP_ID(PidTagHtml) && (type == PtypString || type == PtypString8)) {
        get_html_text(arena, v, tag, limit, cut, out);
        return;
    }
    const struct computed *c = computed_of(tag);
    if (!c && message_body_is_made(v->item, tag)) {
        message_body_make(arena, v, u32_of(arena, v, PidTagInternetCodepage, 0), tag, limit, cut, out);
        return;
    }
    if (!c || (c->rule == DEFAULT && item_has(v->item, tag))) {
        item_get(arena, v->st, v->item, tag, limit, cut, out);
        return;
    }
    *out = c->get(arena, v, computed_tag(c->tag, tag));
    item_convert(arena, tag, limit, cut, out);
}

/* A default is a value as well: RopCreateMessage gives it, [MS-OXCMSG] 3.2.5.2. */
bool message_has(const struct store_message *m, uint32_t tag)
{
    const struct computed *c = computed_of(tag);
    return (c && c->rule == DEFAULT) || item_has(&m->item, tag);
}

/* ---- setting ---- */

/* [MS-OXCMSG] 2.2.1.6: a client sets these, and only before the first save. */
static enum ec set_flags(struct store_message *m, const struct prop *p)
{
    const uint32_t own = mfUnsent | mfResend;
    if (!m->is_new)
        return ecComputed; /* R31 */
    m->row.flags = (m->row.flags & ~own) | (p->u32 & own);
    m->row.read = p->u32 & mfRead;
    m->read_changed = true;
    return ecNone;
}

static enum ec set_created(struct store_message *m, const struct prop *p)
{
    m->row.created = p->u64;
    m->created_given = true;
    return ecNone;
}

static enum ec set_modified(struct store_message *m, const struct prop *p)
{
    m->row.modified = p->u64;
    m->modified_given = true;
    return ecNone;
}

/* One to three letters, a colon and a blank.  Documented with PidTagNormalizedSubject. */
static size_t prefix_length(const char *subject)
{
    size_t letters = 0;
    for (const char *at = subject; *at && *at != ':'; letters++) {
        if ((uint8_t)*at < 0x80 && !((*at | 0x20) >= 'a' && (*at | 0x20) <= 'z'))
            return 0;
        do
            at++;
        while ((*at & 0xC0) == 0x80);
        if (letters == 3)
            return 0;
    }
    const char *colon = strchr(subject, ':');
    return letters && colon && colon[1] == ' ' ? (size_t)(colon - subject) + 2 : 0;
}

/* A prefix that the client has set stays, if the subject begins with it. */
static enum ec set_subject(struct store_message *m, const struct prop *p)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct message_view view = message_view_of(m);
    const char *subject = p->str ? p->str : "", *old = text_of(arena, &view, PidTagSubjectPrefix);
    const size_t kept = old && strncmp(subject, old, strlen(old)) == 0 ? strlen(old) : 0;
    const size_t length = kept ? kept : prefix_length(subject);
    item_set(&m->item, &P_STR(PidTagSubjectPrefix, talloc_strndup(arena, subject, length)));
    item_set(&m->item, &P_STR(PidTagNormalizedSubject, subject + length));
    talloc_free(arena);
    return ecNone;
}

static const struct {
    uint32_t tag;
    enum ec (*set)(struct store_message *, const struct prop *);
} handled[] = {
    { PidTagMessageFlags, set_flags },
    { PidTagCreationTime, set_created },
    { PidTagLastModificationTime, set_modified },
    { PidTagSubject, set_subject },
};

static enum ec set_handled(struct store_message *m, const struct prop *p)
{
    for (size_t i = 0; i < COUNTOF(handled); i++)
        if (PROP_ID(handled[i].tag) == PROP_ID(p->tag))
            return prop_stored(p->tag) == handled[i].tag ? handled[i].set(m, p) : ecUnexpectedType;
    return ecComputed;
}

static void set_html_text(struct store_message *m, const char *text)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const struct message_view view = message_view_of(m);
    uint32_t codepage = u32_of(arena, &view, PidTagInternetCodepage, 0);
    if (!codepage || !codepage_known(codepage)) {
        codepage = UTF8_CODEPAGE;
        item_set(&m->item, &P_I32(PidTagInternetCodepage, codepage));
    }
    item_set(&m->item, &P_BIN(PidTagHtml, codepage_of_utf8(arena, codepage, text)));
    talloc_free(arena);
}

enum ec message_set_one(struct store_message *m, const struct prop *p)
{
    const struct computed *c = computed_of(p->tag);
    const enum ec ec = item_check(&m->item, p);
    if (ec)
        return ec;
    if (c && c->rule == COMPUTED)
        return ecComputed;
    if (m->st->delegate && is_author_tag(p->tag))
        return ecAccessDenied; /* his rights depend on it */
    m->author_given |= is_author_tag(p->tag);
    if (c && c->rule == HANDLED)
        return set_handled(m, p);
    if (prop_stored(p->tag) == PidTagBodyHtml)
        set_html_text(m, p->str ? p->str : "");
    else
        item_set(&m->item, p);
    message_body_written(m, p->tag);
    return ecNone;
}

enum ec message_unset_one(struct store_message *m, uint32_t tag)
{
    const struct computed *c = computed_of(tag);
    if (PROP_ID(tag) == PROP_ID(PidTagSubject)) {
        item_remove(&m->item, PidTagSubjectPrefix);
        item_remove(&m->item, PidTagNormalizedSubject);
        return ecNone;
    }
    if ((c && c->rule != DEFAULT) || (m->st->delegate && is_author_tag(tag)))
        return ecAccessDenied;
    item_remove(&m->item, tag);
    return ecNone;
}
