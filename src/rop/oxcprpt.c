/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCPRPT]: properties of every kind of object, their names, and copies of them.  Streams: oxcprpt_stream.c */
#include <stdlib.h>

#include "rop/handlers.h"
#include "wire/entry_id.h"

#define ERROR_SIZE 4u /* of a PtypErrorCode */
#define VALUE_HEAD 8u /* at most, before a value: tag, flag */

/* ---- one row per kind of object, so that no handler asks what it works on ---- */

struct kind {
    enum ec (*get)(struct rop_call *, const uint32_t *tags, uint32_t count, size_t limit, struct prop *values);
    enum ec (*tags)(struct rop_call *, const uint32_t **tags, uint32_t *count);
    enum ec (*set)(struct rop_call *, const struct prop *, uint32_t count, enum ec *results);
    enum ec (*unset)(struct rop_call *, const uint32_t *tags, uint32_t count, enum ec *results);
};

#define KIND(name, prefix, object)                                                                                     \
    static enum ec name##_get(struct rop_call *c, const uint32_t *tags, uint32_t n, size_t limit, struct prop *values) \
    {                                                                                                                  \
        return prefix##_get(c->arena, object, tags, n, limit, values);                                                 \
    }                                                                                                                  \
    static enum ec name##_tags(struct rop_call *c, const uint32_t **tags, uint32_t *n)                                 \
    {                                                                                                                  \
        return prefix##_tags(c->arena, object, tags, n);                                                               \
    }                                                                                                                  \
    static enum ec name##_set(struct rop_call *c, const struct prop *values, uint32_t n, enum ec *results)             \
    {                                                                                                                  \
        return prefix##_set(object, values, n, results);                                                               \
    }                                                                                                                  \
    static enum ec name##_unset(struct rop_call *c, const uint32_t *tags, uint32_t n, enum ec *results)                \
    {                                                                                                                  \
        return prefix##_unset(object, tags, n, results);                                                               \
    }                                                                                                                  \
    static const struct kind name##_kind = { name##_get, name##_tags, name##_set, name##_unset };

#define FOLDER_OF(c) (c)->store, (c)->object->fid
KIND(folder, store_folder, FOLDER_OF(c))
KIND(message, store_message, c->object->message)
KIND(attachment, store_attachment, c->object->attachment)

/* Properties of the logon that say who is logged on and how, [MS-OXCSTOR] 2.2.2.1; the others are the mailbox's. */
static struct prop user_entry_id(const struct rop_call *c)
{
    return P_BIN(PidTagUserEntryId, address_book_entry_id(c->arena, session_user(c->session)->legacy_dn, DT_MAILUSER));
}

static struct prop code_page(const struct rop_call *c)
{
    return P_I32(PidTagCodePageId, session_client(c->session)->code_page);
}

static struct prop locale(const struct rop_call *c)
{
    return P_I32(PidTagLocaleId, session_client(c->session)->string_locale);
}

static struct prop sort_locale(const struct rop_call *c)
{
    return P_I32(PidTagSortLocaleId, session_client(c->session)->sort_locale);
}

/* In kilobytes; -1: no limit (R647, R649 of [MS-OXCSTOR]). */
static struct prop quota_of(const struct rop_call *c, uint32_t tag, size_t member)
{
    const struct org_quota quota =
        directory_quota(sessions_directory(session_all(c->session)), c->logon->account->mailbox_guid);
    const int64_t bytes = *(const int64_t *)(const void *)((const uint8_t *)&quota + member);
    return P_I32(tag, bytes == ORG_UNLIMITED ? -1 : (int32_t)MIN(bytes / 1024, (int64_t)INT32_MAX));
}

static struct prop receive_quota(const struct rop_call *c)
{
    return quota_of(c, PidTagProhibitReceiveQuota, offsetof(struct org_quota, receive));
}

static struct prop send_quota(const struct rop_call *c)
{
    return quota_of(c, PidTagProhibitSendQuota, offsetof(struct org_quota, send));
}

static struct prop warning_quota(const struct rop_call *c)
{
    return quota_of(c, PidTagStorageQuotaLimit, offsetof(struct org_quota, warning));
}

static const struct {
    uint32_t tag;
    struct prop (*value)(const struct rop_call *);
} of_session[] = {
    { PidTagProhibitReceiveQuota, receive_quota },
    { PidTagProhibitSendQuota, send_quota },
    { PidTagStorageQuotaLimit, warning_quota },
    { PidTagUserEntryId, user_entry_id },
    { PidTagCodePageId, code_page },
    { PidTagLocaleId, locale },
    { PidTagSortLocaleId, sort_locale },
};

static enum ec logon_get(struct rop_call *c, const uint32_t *tags, uint32_t n, size_t limit, struct prop *values)
{
    const enum ec ec = store_get_props(c->arena, c->store, tags, n, limit, values);
    for (uint32_t i = 0; !ec && i < n; i++)
        for (size_t k = 0; k < COUNTOF(of_session); k++)
            if (PROP_ID(tags[i]) == PROP_ID(of_session[k].tag)) {
                const struct prop value = of_session[k].value(c);
                if (prop_convert(&value, PROP_TYPE(tags[i]), &values[i]))
                    values[i] = P_ERR(tags[i], ecNotFound);
            }
    return ec;
}

static enum ec logon_tags(struct rop_call *c, const uint32_t **tags, uint32_t *n)
{
    const uint32_t *stored;
    const enum ec ec = store_prop_tags(c->arena, c->store, &stored, n);
    if (ec)
        return ec;
    uint32_t *all = talloc_array(c->arena, uint32_t, *n + COUNTOF(of_session));
    memcpy(all, stored, *n * sizeof *all);
    for (size_t k = 0; k < COUNTOF(of_session); k++) {
        bool is_stored = false;
        for (uint32_t i = 0; i < *n && !is_stored; i++)
            is_stored = all[i] == of_session[k].tag;
        if (!is_stored)
            all[(*n)++] = of_session[k].tag;
    }
    *tags = all;
    return ecNone;
}

static enum ec logon_set(struct rop_call *c, const struct prop *values, uint32_t n, enum ec *results)
{
    return store_set_props(c->store, values, n, results);
}

static enum ec logon_unset(struct rop_call *c, const uint32_t *tags, uint32_t n, enum ec *results)
{
    return store_unset_props(c->store, tags, n, results);
}
static const struct kind logon_kind = { logon_get, logon_tags, logon_set, logon_unset };

static const struct kind *kind_of(const struct object *o)
{
    switch (o->type) {
    case OBJECT_LOGON: return &logon_kind;
    case OBJECT_FOLDER: return &folder_kind;
    case OBJECT_MESSAGE: return &message_kind;
    default: return &attachment_kind;
    }
}

/* ---- reading ---- */

static bool is_text(uint16_t type)
{
    return type == PtypString || type == PtypString8;
}

/* [MS-OXCPRPT] 3.2.5.1: PtypUnspecified strings come in the width that WantUnicode says. */
static void choose_width(struct prop *values, const uint32_t *tags, uint32_t count, bool unicode)
{
    for (uint32_t i = 0; i < count; i++)
        if ((!tags || PROP_TYPE(tags[i]) == PtypUnspecified) && is_text(PROP_TYPE(values[i].tag)))
            values[i].tag = PROP_AS(values[i].tag, unicode ? PtypString : PtypString8);
}

struct sized {
    size_t size;
    struct prop *value;
};

static int largest_first(const void *a, const void *b)
{
    const size_t x = ((const struct sized *)a)->size, y = ((const struct sized *)b)->size;
    return (x < y) - (x > y);
}

/* [MS-OXCPRPT] 3.2.5.1: the largest values give way until the row fits; the client opens them as streams. */
void rop_shrink_to_fit(TALLOC_CTX *arena, struct prop *values, uint32_t count, size_t room)
{
    struct sized *sizes = talloc_array(arena, struct sized, MAX(count, 1));
    size_t total = 1;
    for (uint32_t i = 0; i < count; i++) {
        sizes[i] = (struct sized){ prop_size(&values[i]), &values[i] };
        total += sizes[i].size + VALUE_HEAD;
    }
    if (total <= room)
        return;
    qsort(sizes, count, sizeof *sizes, largest_first);
    for (uint32_t i = 0; i < count && total > room && sizes[i].size > ERROR_SIZE; i++) {
        *sizes[i].value = P_ERR(sizes[i].value->tag, ecNotEnoughMemory);
        total -= sizes[i].size - ERROR_SIZE;
    }
}

/* [MS-OXCPRPT] 3.2.5.1 */
enum ec rop_GetPropertiesSpecific(struct rop_call *call, const struct RopGetPropertiesSpecificRequest *request,
                                  struct RopGetPropertiesSpecificResponse *response)
{
    const uint32_t count = request->PropertyTagCount;
    struct prop *values = talloc_zero_array(call->arena, struct prop, MAX(count, 1));
    const enum ec ec =
        kind_of(call->object)->get(call, request->PropertyTags, count, MIN(STORE_VALUE_LIMIT, call->room), values);
    if (ec)
        return ec;
    choose_width(values, request->PropertyTags, count, request->WantUnicode);
    rop_shrink_to_fit(call->arena, values, count, call->room);
    call->columns = request->PropertyTags;
    call->column_count = count;
    response->RowData = (struct props){ count, values };
    return ecNone;
}

static bool is_absent(const struct prop *p)
{
    return PROP_TYPE(p->tag) == PtypErrorCode && p->u32 == (uint32_t)ecNotFound;
}

static uint32_t drop_absent(struct prop *values, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (!is_absent(&values[i]))
            values[kept++] = values[i];
    return kept;
}

/* [MS-OXCPRPT] 3.2.5.2.  A value that is too large stays in the list, as an error. */
enum ec rop_GetPropertiesAll(struct rop_call *call, const struct RopGetPropertiesAllRequest *request,
                             struct RopGetPropertiesAllResponse *response)
{
    const struct kind *kind = kind_of(call->object);
    const uint32_t *tags;
    uint32_t count;
    enum ec ec = kind->tags(call, &tags, &count);
    if (ec)
        return ec;
    struct prop *values = talloc_zero_array(call->arena, struct prop, MAX(count, 1));
    ec = kind->get(call, tags, count, MIN(STORE_VALUE_LIMIT, call->room), values);
    if (ec)
        return ec;
    choose_width(values, NULL, count, request->WantUnicode);
    count = drop_absent(values, count);
    rop_shrink_to_fit(call->arena, values, count, call->room - 2);
    response->PropertyValueCount = (uint16_t)count;
    response->PropertyValues = values;
    return ecNone;
}

/* [MS-OXCPRPT] 3.2.5.3 */
enum ec rop_GetPropertiesList(struct rop_call *call, const struct RopGetPropertiesListRequest *request,
                              struct RopGetPropertiesListResponse *response)
{
    (void)request;
    uint32_t count;
    const enum ec ec = kind_of(call->object)->tags(call, &response->PropertyTags, &count);
    response->PropertyTagCount = (uint16_t)MIN(count, UINT16_MAX);
    return ec;
}

/* ---- writing ---- */

static struct PropertyProblem *problems_of(TALLOC_CTX *arena, const enum ec *results, uint32_t count,
                                           uint32_t (*tag_of)(const void *, uint32_t), const void *list,
                                           uint16_t *found)
{
    struct PropertyProblem *problems = talloc_array(arena, struct PropertyProblem, MAX(count, 1));
    *found = 0;
    for (uint32_t i = 0; i < count; i++)
        if (results[i])
            problems[(*found)++] = (struct PropertyProblem){ (uint16_t)i, tag_of(list, i), (uint32_t)results[i] };
    return problems;
}

static uint32_t tag_of_value(const void *list, uint32_t i)
{
    return ((const struct prop *)list)[i].tag;
}

static uint32_t tag_in_list(const void *list, uint32_t i)
{
    return ((const uint32_t *)list)[i];
}

/* [MS-OXCPRPT] 3.2.5.4: what cannot be set is a problem, not a failure */
enum ec rop_SetProperties(struct rop_call *call, const struct RopSetPropertiesRequest *request,
                          struct RopSetPropertiesResponse *response)
{
    enum ec *results = talloc_zero_array(call->arena, enum ec, request->PropertyValueCount + 1u);
    const enum ec ec = kind_of(call->object)->set(call, request->PropertyValues, request->PropertyValueCount, results);
    if (!ec)
        response->PropertyProblems = problems_of(call->arena, results, request->PropertyValueCount, tag_of_value,
                                                 request->PropertyValues, &response->PropertyProblemCount);
    return ec;
}

/* [MS-OXCPRPT] 3.2.5.5 */
enum ec rop_DeleteProperties(struct rop_call *call, const struct RopDeletePropertiesRequest *request,
                             struct RopDeletePropertiesResponse *response)
{
    enum ec *results = talloc_zero_array(call->arena, enum ec, request->PropertyTagCount + 1u);
    const enum ec ec = kind_of(call->object)->unset(call, request->PropertyTags, request->PropertyTagCount, results);
    if (!ec)
        response->PropertyProblems = problems_of(call->arena, results, request->PropertyTagCount, tag_in_list,
                                                 request->PropertyTags, &response->PropertyProblemCount);
    return ec;
}

/* [MS-OXCPRPT] 3.2.5.6, 3.2.5.7: nothing is replicated, so these are the same */
enum ec rop_SetPropertiesNoReplicate(struct rop_call *call, const struct RopSetPropertiesNoReplicateRequest *request,
                                     struct RopSetPropertiesNoReplicateResponse *response)
{
    const struct RopSetPropertiesRequest same = { .PropertyValueCount = request->PropertyValueCount,
                                                  .PropertyValues = request->PropertyValues };
    struct RopSetPropertiesResponse answer = { 0 };
    const enum ec ec = rop_SetProperties(call, &same, &answer);
    response->PropertyProblemCount = answer.PropertyProblemCount;
    response->PropertyProblems = answer.PropertyProblems;
    return ec;
}

enum ec rop_DeletePropertiesNoReplicate(struct rop_call *call,
                                        const struct RopDeletePropertiesNoReplicateRequest *request,
                                        struct RopDeletePropertiesNoReplicateResponse *response)
{
    const struct RopDeletePropertiesRequest same = { request->PropertyTagCount, request->PropertyTags };
    struct RopDeletePropertiesResponse answer = { 0 };
    const enum ec ec = rop_DeleteProperties(call, &same, &answer);
    response->PropertyProblemCount = answer.PropertyProblemCount;
    response->PropertyProblems = answer.PropertyProblems;
    return ec;
}

/* ---- names ---- */

enum { NAMES_CREATE = 0x02 };

/* [MS-OXCPRPT] 3.2.5.10; no names on a logon asks for all of them, elsewhere for none. */
enum ec rop_GetPropertyIdsFromNames(struct rop_call *call, const struct RopGetPropertyIdsFromNamesRequest *request,
                                    struct RopGetPropertyIdsFromNamesResponse *response)
{
    uint32_t count = request->PropertyNameCount;
    uint16_t *ids = talloc_zero_array(call->arena, uint16_t, count + 1);
    struct PropertyName *names;
    const enum ec ec =
        count || call->object->type != OBJECT_LOGON
            ? store_named_ids(call->store, request->PropertyNames, count, request->Flags & NAMES_CREATE, ids)
            : store_named_all(call->arena, call->store, NULL, 0, &ids, &names, &count);
    if (ec)
        return ec;
    response->PropertyIdCount = (uint16_t)count;
    response->PropertyIds = ids;
    for (uint32_t i = 0; i < count; i++)
        if (ids[i] == 0)
            return ecWarnWithErrors;
    return ecNone;
}

/* [MS-OXCPRPT] 3.2.5.9 */
enum ec rop_GetNamesFromPropertyIds(struct rop_call *call, const struct RopGetNamesFromPropertyIdsRequest *request,
                                    struct RopGetNamesFromPropertyIdsResponse *response)
{
    struct PropertyName *names = talloc_zero_array(call->arena, struct PropertyName, request->PropertyIdCount + 1u);
    const enum ec ec =
        store_named_names(call->arena, call->store, request->PropertyIds, request->PropertyIdCount, names);
    response->PropertyNameCount = request->PropertyIdCount;
    response->PropertyNames = names;
    return ec;
}

/* [MS-OXCPRPT] 3.2.5.11 */
enum ec rop_QueryNamedProperties(struct rop_call *call, const struct RopQueryNamedPropertiesRequest *request,
                                 struct RopQueryNamedPropertiesResponse *response)
{
    uint16_t *ids;
    struct PropertyName *names;
    uint32_t count;
    const enum ec ec = store_named_all(call->arena, call->store, request->HasGuid ? &request->PropertyGuid : NULL,
                                       request->QueryFlags, &ids, &names, &count);
    if (ec)
        return ec;
    response->IdCount = (uint16_t)MIN(count, UINT16_MAX);
    response->PropertyIds = ids;
    response->PropertyNames = names;
    return ecNone;
}

/* ---- copying ---- */

enum { COPY_MOVE = 0x01, COPY_NO_OVERWRITE = 0x02 };

/* Values of one object set on another of any kind, all at once; what the source has not is a problem of that tag. */
static enum ec copy_values(struct rop_call *call, const uint32_t *tags, uint32_t count, bool no_overwrite,
                           enum ec *results)
{
    struct prop *values = talloc_zero_array(call->arena, struct prop, MAX(count, 1));
    struct prop *there = talloc_zero_array(call->arena, struct prop, MAX(count, 1));
    enum ec *set = talloc_zero_array(call->arena, enum ec, MAX(count, 1));
    uint32_t *place = talloc_array(call->arena, uint32_t, MAX(count, 1)), n = 0;
    struct rop_call to = *call;
    to.object = call->destination;
    enum ec ec = kind_of(call->object)->get(call, tags, count, SIZE_MAX, values);
    if (!ec && no_overwrite)
        ec = kind_of(to.object)->get(&to, tags, count, 0, there);
    for (uint32_t i = 0; !ec && i < count; i++) {
        if (PROP_TYPE(values[i].tag) == PtypErrorCode) {
            results[i] = (enum ec)values[i].u32;
        } else if (!no_overwrite || is_absent(&there[i])) {
            values[n] = values[i];
            place[n++] = i;
        }
    }
    if (!ec && n)
        ec = kind_of(to.object)->set(&to, values, n, set);
    for (uint32_t i = 0; i < n; i++)
        results[place[i]] = set[i];
    return ec;
}

/* [MS-OXCPRPT] 3.2.5.7, 3.2.5.8: of one kind.  Onto itself nothing is copied.  The two flags exclude each other.  What
 * is moved stays in the source as well, as in Exchange since 2013 (the server MAY delete it). */
static enum ec copy_checked(struct rop_call *call, uint8_t flags)
{
    if (flags & ~(COPY_MOVE | COPY_NO_OVERWRITE) || flags == (COPY_MOVE | COPY_NO_OVERWRITE))
        return ecInvalidParam;
    if (call->destination->logon->store != call->store || call->object->type != call->destination->type)
        return ecNotSupported;
    if (call->destination == call->object ||
        (call->object->type == OBJECT_FOLDER && call->destination->fid == call->object->fid))
        return ecAccessDenied;
    return ecNone;
}

/* [MS-OXCPRPT] 3.2.5.8 */
enum ec rop_CopyProperties(struct rop_call *call, const struct RopCopyPropertiesRequest *request,
                           struct RopCopyPropertiesResponse *response)
{
    enum ec *results = talloc_zero_array(call->arena, enum ec, request->PropertyTagCount + 1u);
    enum ec ec = copy_checked(call, request->CopyFlags);
    if (!ec && call->object->type == OBJECT_FOLDER && request->CopyFlags & COPY_MOVE)
        ec = ecNotSupported; /* 3.2.5.7 */
    if (ec)
        return ec;
    const bool keep = request->CopyFlags & COPY_NO_OVERWRITE;
    if (call->object->type == OBJECT_MESSAGE)
        ec = store_message_copy(call->destination->message, call->object->message, request->PropertyTags,
                                request->PropertyTagCount, false, true, keep, results);
    else
        ec = copy_values(call, request->PropertyTags, request->PropertyTagCount, keep, results);
    if (!ec)
        response->PropertyProblems = problems_of(call->arena, results, request->PropertyTagCount, tag_in_list,
                                                 request->PropertyTags, &response->PropertyProblemCount);
    return ec;
}

static const uint32_t *tags_without(struct rop_call *call, const uint32_t *excluded, uint32_t excluded_count,
                                    uint32_t *count)
{
    const uint32_t *all = NULL;
    uint32_t n = 0;
    *count = 0;
    kind_of(call->object)->tags(call, &all, &n);
    uint32_t *left = talloc_array(call->arena, uint32_t, MAX(n, 1));
    for (uint32_t i = 0; i < n; i++) {
        bool skip = false;
        for (uint32_t k = 0; k < excluded_count; k++)
            skip |= PROP_ID(all[i]) == PROP_ID(excluded[k]);
        if (!skip)
            left[(*count)++] = all[i];
    }
    return left;
}

/* The sub-objects of a folder, which are excluded by the properties that stand for them. */
static enum ec copy_content(struct rop_call *call, const uint32_t *excluded, uint32_t excluded_count)
{
    static const struct {
        uint32_t tag;
        unsigned what;
    } kinds[] = { { PidTagContainerContents, STORE_MESSAGES },
                  { PidTagFolderAssociatedContents, STORE_ASSOCIATED },
                  { PidTagContainerHierarchy, STORE_FOLDERS } };
    unsigned what = 0;
    for (size_t k = 0; k < COUNTOF(kinds); k++) {
        bool skip = false;
        for (uint32_t i = 0; i < excluded_count; i++)
            skip |= PROP_ID(excluded[i]) == PROP_ID(kinds[k].tag);
        what |= skip ? 0 : kinds[k].what;
    }
    return what ? store_folder_copy_content(call->store, call->object->fid, call->destination->fid, what) : ecNone;
}

/* [MS-OXCPRPT] 3.2.5.8: everything but what is excluded; computed properties of the source are no problems here. */
enum ec rop_CopyTo(struct rop_call *call, const struct RopCopyToRequest *request, struct RopCopyToResponse *response)
{
    (void)response;
    enum ec ec = copy_checked(call, request->CopyFlags);
    if (!ec && request->WantSubObjects && call->object->type == OBJECT_FOLDER)
        ec = copy_content(call, request->ExcludedTags, request->ExcludedTagCount);
    if (ec)
        return ec;
    const bool keep = request->CopyFlags & COPY_NO_OVERWRITE;
    uint32_t count;
    if (call->object->type == OBJECT_MESSAGE) {
        enum ec *results = talloc_zero_array(call->arena, enum ec, request->ExcludedTagCount + 1u);
        return store_message_copy(call->destination->message, call->object->message, request->ExcludedTags,
                                  request->ExcludedTagCount, true, request->WantSubObjects, keep, results);
    }
    const uint32_t *tags = tags_without(call, request->ExcludedTags, request->ExcludedTagCount, &count);
    enum ec *results = talloc_zero_array(call->arena, enum ec, count + 1);
    return copy_values(call, tags, count, keep, results);
}
