/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXCPERM]: the permissions list of a folder.  What the permissions mean is the store's (store/permission.c); what
 * an open object may still be used for is decided here. */
#include "rop/handlers.h"
#include "wire/entry_id.h"

#define TABLE_FLAGS 0x02u /* 2.2.1.1: IncludeFreeBusy */
enum { REPLACE_ROWS = 0x01, INCLUDE_FREE_BUSY = 0x02 };

/* Rights may change while an object is open. */
enum ec rop_may_use(const struct object *o)
{
    struct store_delegate *delegate = o->logon->delegate;
    if (!delegate || !o->right)
        return ecNone;
    return store_rights(o->logon->store, delegate, o->fid) & o->right ? ecNone : ecAccessDenied;
}

uint32_t rop_right_of(enum object_type type)
{
    if (type & (OBJECT_LOGON | OBJECT_SUBSCRIPTION | OBJECT_PERMISSIONS | OBJECT_RULES))
        return 0; /* these look by themselves */
    if (type & (OBJECT_DOWNLOAD | OBJECT_COLLECTOR | OBJECT_UPLOAD))
        return RIGHT_VISIBLE; /* of the folder; for each message in it the store looks */
    return type & (OBJECT_FOLDER | OBJECT_HIERARCHY) ? RIGHT_VISIBLE : RIGHT_READ_ANY;
}

static const char *name_now(void *arg, TALLOC_CTX *arena, const char *legacy_dn)
{
    const struct account *a = directory_by_legacy_dn(arg, arena, legacy_dn);
    return a ? a->display_name : NULL;
}

/* 3.2.5.1 */
enum ec rop_GetPermissionsTable(struct rop_call *call, const struct RopGetPermissionsTableRequest *request,
                                struct RopGetPermissionsTableResponse *response)
{
    struct object *o;
    (void)response;
    if (request->TableFlags & ~TABLE_FLAGS)
        return ecInvalidParam;
    const enum ec ec = rop_open(call, NULL, OBJECT_PERMISSIONS, &o);
    if (ec)
        return ec;
    o->fid = call->object->fid;
    return store_permissions_table(&o->table, o, call->store, o->fid, request->TableFlags & INCLUDE_FREE_BUSY, name_now,
                                   sessions_directory(session_all(call->session)));
}

static const struct prop *find(const struct PermissionData *data, uint32_t tag)
{
    for (unsigned i = 0; i < data->PropertyValueCount; i++)
        if (data->PropertyValues[i].tag == tag)
            return &data->PropertyValues[i];
    return NULL;
}

/* The person that an EntryID names, as the directory knows him. */
static enum ec find_member(struct rop_call *call, struct blob entry_id, struct store_permission *out)
{
    struct directory *directory = sessions_directory(session_all(call->session));
    struct entry_id_person person;
    if (!entry_id.size)
        return ecNone; /* 2.2.4: one of the reserved entries */
    if (!entry_id_person(call->arena, entry_id, &person))
        return ecInvalidParam;
    const struct account *a = strcasecmp(person.address_type, "EX") == 0
                                  ? directory_by_legacy_dn(directory, call->arena, person.address)
                                  : directory_by_smtp(directory, call->arena, person.address);
    if (!a)
        return ecInvalidParam;
    out->legacy_dn = a->legacy_dn;
    out->name = a->display_name;
    return ecNone;
}

static bool is_reserved(int64_t member_id)
{
    return member_id == MEMBER_DEFAULT || member_id == MEMBER_ANONYMOUS;
}

/* 2.2.2.1.1, 3.1.4.2 to 3.1.4.4: which properties each change needs.  The reserved entries, which have no EntryID, are
 * added by their MemberId. */
static enum ec edit_of(struct rop_call *call, const struct PermissionData *data, bool replace,
                       struct store_permission_edit *out)
{
    const struct prop *entry_id = find(data, PidTagEntryId), *id = find(data, PidTagMemberId),
                      *rights = find(data, PidTagMemberRights);
    *out = (struct store_permission_edit){ .what = data->PermissionDataFlags };
    if (out->what != PERMISSION_ADD && (replace || (out->what != PERMISSION_MODIFY && out->what != PERMISSION_REMOVE)))
        return ecInvalidParam; /* R46, R1046 */
    if (!(out->what == PERMISSION_ADD ? entry_id || id : id != NULL) || (out->what != PERMISSION_REMOVE && !rights))
        return ecInvalidParam;
    out->entry.member_id = id ? (int64_t)id->u64 : MEMBER_DEFAULT;
    out->entry.rights = rights ? rights->u32 : 0;
    if (out->what != PERMISSION_ADD)
        return ecNone;
    const enum ec ec = entry_id ? find_member(call, entry_id->bin, &out->entry) : ecNone;
    return ec || out->entry.legacy_dn || is_reserved(out->entry.member_id) ? ec : ecInvalidParam;
}

/* 3.2.5.2.  What cannot be understood changes nothing. */
enum ec rop_ModifyPermissions(struct rop_call *call, const struct RopModifyPermissionsRequest *request,
                              struct RopModifyPermissionsResponse *response)
{
    (void)response;
    if (request->ModifyFlags & ~(REPLACE_ROWS | INCLUDE_FREE_BUSY))
        return ecInvalidParam;
    enum ec ec = store_require(call->store, call->object->fid, RIGHT_OWNER); /* R181 */
    struct store_permission_edit *edits =
        talloc_array(call->arena, struct store_permission_edit, request->ModifyCount + 1u);
    for (unsigned i = 0; i < request->ModifyCount && !ec; i++)
        ec = edit_of(call, &request->PermissionsData[i], request->ModifyFlags & REPLACE_ROWS, &edits[i]);
    return ec ? ec
              : store_permissions_modify(call->store, call->object->fid,
                                         (request->ModifyFlags & REPLACE_ROWS ? PERMISSIONS_REPLACE : 0) |
                                             (request->ModifyFlags & INCLUDE_FREE_BUSY ? PERMISSIONS_FREE_BUSY : 0),
                                         edits, request->ModifyCount);
}
