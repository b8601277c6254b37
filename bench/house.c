/* SPDX-License-Identifier: Apache-2.0 */
#include "allocations.h"
#include "bench.h"
#include "house.h"

#include "wire/extended.h"

enum { EXECUTE_FLAGS = EXECUTE_NO_COMPRESSION | EXECUTE_NO_XOR };

/* ---- opening ---- */

static enum ec make_store(void *arg, const struct account *a)
{
    (void)arg;
    return store_create(a->store_url,
                        &(struct store_identity){ a->mailbox_guid, a->display_name, a->legacy_dn, a->primary_smtp });
}

const struct account *house_account(struct house *h, const char *address)
{
    const struct account *found = directory_by_smtp(h->directory, h->arena, address);
    if (found)
        return found;
    const char *name = talloc_strndup(h->arena, address, strcspn(address, "@"));
    const struct account_new new = {
        .name = name,
        .primary_smtp = address,
        .display_name = talloc_asprintf(h->arena, "%s Example", name),
        .password_hash = directory_hash_password(h->arena, BENCH_PASSWORD),
        .database = org_settings(h->org, h->arena)->databases[0].guid,
    };
    must(directory_create(h->directory, h->arena, &new, make_store, NULL, &found), address);
    return found;
}

static enum ec no_submission(void *context, struct session *session, struct store_message *message, unsigned flags)
{
    (void)context, (void)session, (void)message, (void)flags;
    return ecNotSupported;
}

static const struct rop_services services = { .submit = no_submission };

static void log_on(struct house *h)
{
    const struct RopLogonRequest request = {
        .LogonFlags = 1, .OpenFlags = 0x0100040C, .EssdnSize = 1, .Essdn = h->account->legacy_dn
    };
    struct client_rop logon = { .id = RopLogon, .request = &request };
    h->session = session_new(h->sessions, h->account->mailbox_guid,
                             &(struct client_info){ .code_page = 1252, .sort_locale = 0x409, .string_locale = 0x409 });
    house_list(h, h->arena, &logon, 1);
    h->logon = logon.out_handle;
}

struct house *house_open(const char *data_dir, const char *address)
{
    struct house *h = talloc_zero(NULL, struct house);
    h->arena = talloc_new(h);
    if (org_open(&h->org, h, data_dir, &(struct org_defaults){ .hostname = "mail.contoso.com" }))
        give_up("%s", org_error());
    must(directory_open(&h->directory, h, h->org), "the directory");
    h->sessions = sessions_new(h, h->directory);
    h->account = house_account(h, address);
    must(store_get(sessions_stores(h->sessions), h->account->store_url, h->account->mailbox_guid, &h->store),
         "the mailbox");
    log_on(h);
    return h;
}

void house_close(struct house *h)
{
    session_free(h->session);
    store_put(h->store);
    TALLOC_FREE(h->sessions);
    TALLOC_FREE(h->directory);
    TALLOC_FREE(h->org);
    talloc_free(h);
}

uint64_t house_folder(struct house *h, const char *name)
{
    uint64_t fid;
    bool existed;
    store_lock(h->store);
    must(store_folder_create(h->store, STORE_FID(SPECIAL_IPM_SUBTREE), FOLDER_GENERIC, name, "", true, &fid, &existed),
         name);
    store_unlock(h->store);
    return fid;
}

/* ---- lists of ROPs ---- */

static struct blob write_list(TALLOC_CTX *owner, const struct client_rop *rops, size_t count)
{
    struct buf payload, in;
    uint32_t handles[200], slot_count = 0;
    uint8_t output[200];
    buf_init(&payload, owner);
    buf_init(&in, owner);
    buf_grow(&payload, 2);
    struct wire_out out = wire_out(&payload);
    for (size_t i = 0; i < count; i++) {
        const struct rop_wire *rop = rop_wire((uint8_t)rops[i].id);
        const void *request = rops[i].request ? rops[i].request : talloc_zero_size(owner, rop->request->size + 1);
        uint8_t input = rops[i].from ? output[rops[i].from - 1] : (uint8_t)slot_count;
        if (!rops[i].from)
            handles[slot_count++] = rop->indexes == ROP_O ? NO_HANDLE : rops[i].handle;
        output[i] = rop->indexes == ROP_O ? input : (uint8_t)slot_count;
        if (rop->indexes == ROP_IO)
            handles[slot_count++] = NO_HANDLE;
        if (rop->indexes == ROP_SD)
            handles[slot_count++] = rops[i].destination;
        const uint8_t other = rop->indexes == ROP_IO || rop->indexes == ROP_SD ? (uint8_t)(slot_count - 1) : input;
        if (!rop_put_request(&out, rop, 0, input, other, request))
            give_up("Rop%s cannot be written", rop->name);
    }
    put_le16(payload.data, (uint16_t)payload.size);
    for (uint32_t i = 0; i < slot_count; i++)
        put_le32(buf_grow(&payload, 4), handles[i]);
    extended_put(&in, buf_blob(&payload), EXTENDED_LAST);
    return buf_blob(&in);
}

static struct blob execute(struct house *h, TALLOC_CTX *arena, struct blob in)
{
    struct buf out;
    buf_init(&out, arena);
    if (!session_begin(h->session))
        give_up("the session is busy");
    must(rop_execute(arena, &services, h->session, in, EXECUTE_FLAGS, EXTENDED_PAYLOAD_MAX + EXTENDED_HEADER, &out),
         "Execute");
    session_end(h->session);
    return buf_blob(&out);
}

/* Rows and recipients are read with the columns that the list itself has asked for. */
static void set_columns(struct wire_in *in, const struct client_rop *rops, size_t i)
{
    if (rops[i].columns) {
        in->columns = rops[i].columns;
        in->column_count = rops[i].column_count;
    }
    if (rops[i].id == RopGetPropertiesSpecific) {
        const struct RopGetPropertiesSpecificRequest *q = rops[i].request;
        in->columns = q->PropertyTags;
        in->column_count = q->PropertyTagCount;
    }
    for (size_t k = 0; k < i && rops[i].id == RopQueryRows; k++)
        if (rops[k].id == RopSetColumns) {
            const struct RopSetColumnsRequest *q = rops[k].request;
            in->columns = q->PropertyTags;
            in->column_count = q->PropertyTagCount;
        }
}

static void read_answer(TALLOC_CTX *arena, struct blob answer, struct client_rop *rops, size_t count)
{
    struct blob *payloads;
    uint32_t buffers;
    struct RopBuffer buffer;
    if (!extended_get(arena, answer, &payloads, &buffers))
        give_up("the answer of an Execute cannot be read");
    struct wire_in in = wire_in(arena, payloads[0]);
    if (!wire_get(&in, &RopBuffer_wire, &buffer))
        give_up("the answer of an Execute cannot be read");
    struct wire_in list = wire_in(arena, buffer.RopsList);
    uint32_t slot = 0;
    for (size_t i = 0; i < count; i++) {
        const struct rop_wire *rop = rop_wire((uint8_t)rops[i].id);
        struct rop_response response = { .code = 0 };
        set_columns(&list, rops, i);
        if (rops[i].id != RopRelease && !rop_get_response(&list, rop, &response))
            give_up("Rop%s: the answer cannot be read", rop->name);
        must((enum ec)response.code, talloc_asprintf(arena, "Rop%s", rop->name));
        rops[i].response = response.body;
        slot += rops[i].from || rop->indexes == ROP_O ? 0 : 1;
        if (rop->indexes == ROP_O || rop->indexes == ROP_IO)
            rops[i].out_handle = le32(buffer.ServerObjectHandleTable.data + 4 * slot++);
        else if (rop->indexes == ROP_SD)
            slot++;
    }
}

struct list house_list(struct house *h, TALLOC_CTX *owner, struct client_rop *rops, size_t count)
{
    const struct blob in = write_list(owner, rops, count);
    const uint64_t statements = sql_statements(), allocated = allocations();
    const struct blob answer = execute(h, owner, in);
    const struct list list = { in, count, answer.size, sql_statements() - statements, allocations() - allocated };
    read_answer(owner, answer, rops, count);
    return list;
}

void house_run(struct house *h, const struct list *list)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const size_t size = execute(h, arena, list->in).size;
    if (size < list->answer - list->answer / 8 || size > list->answer + list->answer / 8)
        give_up("an Execute of %zu ROPs answers %zu bytes, where the first one answered %zu", list->rops, size,
                list->answer);
    talloc_free(arena);
}
