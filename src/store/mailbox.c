/* SPDX-License-Identifier: Apache-2.0 */
/* The mailbox as a whole: made, removed, measured, and the properties of the Logon object ([MS-OXCSTOR] 2.2.2.1). */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"
#include "store/pool.h"

enum { FIRST_COUNTER = 0x100, RULE_SIZE_LIMIT = 0x8000, LINE_SPEED_BYTES = 256 };

/* ---- the folders that every mailbox has ---- */

static const struct special {
    uint64_t fid, parent;
    const char *name, *class;
} specials[] = {
#define SPECIAL(name, counter, parent, display, class) { counter, parent, display, class },
#include "store/special.def"
}, public_specials[] = {
#include "store/public.def"
#undef SPECIAL
};

/* [MS-OXOSFLD] 2.2.3: how a client finds them, on the root and on the Inbox. */
static const struct {
    uint32_t tag;
    uint64_t fid;
} found_by[] = {
    { PidTagIpmAppointmentEntryId, SPECIAL_CALENDAR }, { PidTagIpmContactEntryId, SPECIAL_CONTACTS },
    { PidTagIpmJournalEntryId, SPECIAL_JOURNAL },      { PidTagIpmNoteEntryId, SPECIAL_NOTES },
    { PidTagIpmTaskEntryId, SPECIAL_TASKS },           { PidTagIpmDraftsEntryId, SPECIAL_DRAFTS },
};
/* [MS-OXOSFLD] 2.2.4 and 2.2.6; 0: nothing at this index */
static const uint64_t additional[] = { SPECIAL_CONFLICTS, SPECIAL_SYNC_ISSUES, SPECIAL_LOCAL_FAILURES,
                                       SPECIAL_SERVER_FAILURES, SPECIAL_JUNK };
static const uint64_t free_busy[] = { 0, 0, 0, SPECIAL_FREEBUSY_DATA };

static const struct {
    const char *container, *post;
} post_classes[] = {
    { "IPF.Note", "IPM.Note" },        { "IPF.Appointment", "IPM.Appointment" }, { "IPF.Contact", "IPM.Contact" },
    { "IPF.Journal", "IPM.Activity" }, { "IPF.StickyNote", "IPM.StickyNote" },   { "IPF.Task", "IPM.Task" },
};

static struct prop entry_ids(TALLOC_CTX *arena, const struct store *st, uint32_t tag, const uint64_t *fids,
                             uint32_t count)
{
    struct blob *ids = talloc_zero_array(arena, struct blob, count);
    for (uint32_t i = 0; i < count; i++)
        if (fids[i])
            ids[i] = folder_entry_id(arena, st, fids[i]);
    return (struct prop){ .tag = tag, .mv = { .count = count, .bin = ids } };
}

static struct blob special_props(TALLOC_CTX *arena, const struct store *st, const struct special *special)
{
    struct prop props[COUNTOF(found_by) + 3];
    uint32_t count = 0;
    for (size_t i = 0; i < COUNTOF(post_classes); i++)
        if (!strcmp(special->class, post_classes[i].container))
            props[count++] = P_STR(PidTagDefaultPostMessageClass, post_classes[i].post);
    if (!st->identity.is_public && (special->fid == SPECIAL_ROOT || special->fid == SPECIAL_INBOX)) {
        for (size_t i = 0; i < COUNTOF(found_by); i++)
            props[count++] = P_BIN(found_by[i].tag, folder_entry_id(arena, st, found_by[i].fid));
        props[count++] = entry_ids(arena, st, PidTagAdditionalRenEntryIds, additional, COUNTOF(additional));
        props[count++] = entry_ids(arena, st, PidTagFreeBusyEntryIds, free_busy, COUNTOF(free_busy));
    }
    return bag_of(arena, props, count);
}

static void make_folders(struct store_tx *tx)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    const bool is_public = tx->st->identity.is_public;
    const uint32_t count = is_public ? COUNTOF(public_specials) : COUNTOF(specials);
    const uint64_t cn = take_counters(tx, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct special *special = is_public ? &public_specials[i] : &specials[i];
        const struct folder_row row = {
            .fid = special->fid,
            .parent = special->parent,
            .cn = cn + i,
            .type = special->parent ? FOLDER_GENERIC : FOLDER_ROOT,
            .name = special->name,
            .comment = "",
            .class = special->class,
            .props = special_props(arena, tx->st, special),
        };
        folder_insert(tx, &row);
        folder_touch(tx, row.parent, 1);
    }
    talloc_free(arena);
}

/* ---- made and removed ---- */

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Parents first; what is there already stays as it is. */
static enum ec make_folder_of(const char *path)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    char *folder = talloc_strdup(arena, path);
    enum ec ec = ecNone;
    for (char *at = folder + 1; !ec && (at = strchr(at, '/')); *at++ = '/') {
        *at = '\0';
        if (mkdir(folder, 0700) && !(errno == EEXIST && is_folder(folder))) {
            log_line(LOG_ERROR, "store", "%s: cannot make this folder: %s", folder, strerror(errno));
            ec = errno == ENOSPC ? ecDiskFull : ecAccessDenied;
        }
        if (ec)
            break;
    }
    talloc_free(arena);
    return ec;
}

static const char mailbox_exists_sql[] = "SELECT mb FROM mailbox WHERE guid = $1";
static const char mailbox_insert_sql[] =
    "INSERT INTO mailbox(mb, guid, replica, counter, display_name, legacy_dn, smtp, created, props, is_public)"
    " VALUES ($9, $1, $2, $3, $4, $5, $6, $7, $8, $10) RETURNING mb";

/* In a shared database a key is never used again: who still has a removed mailbox open must not meet another one. */
static int64_t new_key(const struct store *st)
{
    uint64_t key;
    random_bytes(&key, sizeof key);
    return store_file(st->url) ? 1 : (int64_t)(key >> 2 | 2);
}

static int64_t insert_mailbox(struct store_tx *tx, const struct store_identity *who)
{
    struct store *st = tx->st;
    const struct sql_value guid = B_BYTES(st->guid.bytes, sizeof st->guid.bytes);
    if (sql_int_or(&tx->sql, 0, mailbox_exists_sql, BIND(guid)))
        sql_abort(&tx->sql, ecDuplicateName);
    st->replica = guid_random();
    return sql_int(&tx->sql, mailbox_insert_sql,
                   BIND(guid, B_BYTES(st->replica.bytes, sizeof st->replica.bytes), B_INT(FIRST_COUNTER),
                        B_TEXT(who->display_name ? who->display_name : ""),
                        B_TEXT(who->legacy_dn ? who->legacy_dn : ""), B_TEXT(who->smtp ? who->smtp : ""),
                        B_INT((int64_t)tx->now), B_BYTES("", 0), B_INT(new_key(st)),
                        B_INT(who->is_public)));
}

/* Who asks whether a mailbox is there and makes it then does so before the next one asks. */
enum { MAKERS_TURN = 0 };

static enum ec make_mailbox(struct store *st, const struct store_identity *who)
{
    enum ec ec = sql_open(&st->db, st, st->url);
    if (!ec)
        ec = store_schema(st->db);
    if (ec)
        return ec;
    sql_take_turns(st->db, MAKERS_TURN);
    st->identity = (struct store_identity){ st->guid, "", "", "", who->is_public };
    struct store_tx tx = store_begin(st);
    st->mb = insert_mailbox(&tx, who);
    if (!sql_failed(&tx.sql)) {
        make_folders(&tx);
        if (!who->is_public)
            receive_defaults(&tx);
        permissions_defaults(&tx);
    }
    return store_end(&tx);
}

enum ec store_create(const char *database_url, const struct store_identity *who)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store *st = store_make(arena, database_url, who->mailbox);
    const char *path = store_file(st->url);
    const bool there = path && access(path, F_OK) == 0;
    enum ec ec = path ? make_folder_of(path) : ecNone;
    if (!ec)
        ec = make_mailbox(st, who);
    TALLOC_FREE(st->db);
    if (ec && path && !there)
        unlink(path);
    talloc_free(arena);
    return ec;
}

static enum ec remove_file(const char *path)
{
    static const char *const endings[] = { "", "-wal", "-shm" };
    enum ec ec = ecNone;
    for (size_t i = 0; i < COUNTOF(endings); i++) {
        char *file = talloc_asprintf(NULL, "%s%s", path, endings[i]);
        if (unlink(file) && (errno != ENOENT || i == 0)) {
            ec = errno == ENOENT ? ecNotFound : ecAccessDenied;
            log_line(LOG_ERROR, "store", "%s: cannot remove this file: %s", file, strerror(errno));
        }
        talloc_free(file);
    }
    return ec;
}

static const char *const remove_sql[] = {
    "DELETE FROM value WHERE mb = $1",    "DELETE FROM attachment WHERE mb = $1",   "DELETE FROM message WHERE mb = $1",
    "DELETE FROM folder WHERE mb = $1",   "DELETE FROM tombstone WHERE mb = $1",    "DELETE FROM named WHERE mb = $1",
    "DELETE FROM rule WHERE mb = $1",     "DELETE FROM rule_sender WHERE mb = $1",  "DELETE FROM receive WHERE mb = $1",
    "DELETE FROM replica WHERE mb = $1",  "DELETE FROM reserved WHERE mb = $1",     "DELETE FROM unused WHERE mb = $1",
    "DELETE FROM result WHERE mb = $1",   "DELETE FROM search_scope WHERE mb = $1", "DELETE FROM search WHERE mb = $1",
    "DELETE FROM per_user WHERE mb = $1", "DELETE FROM permission WHERE mb = $1",   "DELETE FROM seen WHERE mb = $1",
    "DELETE FROM mailbox WHERE mb = $1",
};

enum ec store_remove(const char *database_url, struct guid mailbox)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    char *url = store_url(arena, database_url, mailbox);
    enum ec ec = ecNone;
    if (store_file(url)) {
        ec = remove_file(store_file(url));
    } else {
        struct store *st;
        ec = store_open_alone(&st, arena, database_url, mailbox);
        if (!ec) {
            struct store_tx tx = store_begin(st);
            for (size_t i = 0; i < COUNTOF(remove_sql); i++)
                sql_exec(&tx.sql, remove_sql[i], BIND(B_INT(st->mb)));
            ec = store_end(&tx);
        }
    }
    talloc_free(arena);
    return ec;
}

/* ---- who owns it, how large it is ---- */

static const char set_identity_sql[] = "UPDATE mailbox SET display_name = $2, legacy_dn = $3, smtp = $4 WHERE mb = $1";

enum ec store_set_identity(struct store *st, const struct store_identity *who)
{
    const struct store_identity *old = &st->identity;
    struct store_identity now = { st->guid,
                                  talloc_strdup(st, who->display_name ? who->display_name : old->display_name),
                                  talloc_strdup(st, who->legacy_dn ? who->legacy_dn : old->legacy_dn),
                                  talloc_strdup(st, who->smtp ? who->smtp : old->smtp), old->is_public };
    struct store_tx tx = store_begin(st);
    sql_exec(&tx.sql, set_identity_sql,
             BIND(B_INT(st->mb), B_TEXT(now.display_name), B_TEXT(now.legacy_dn), B_TEXT(now.smtp)));
    const enum ec ec = store_end(&tx);
    const struct store_identity gone = ec ? now : *old;
    if (!ec)
        st->identity = now;
    talloc_free((void *)gone.display_name);
    talloc_free((void *)gone.legacy_dn);
    talloc_free((void *)gone.smtp);
    return ec;
}

static const char usage_sql[] =
    "SELECT COALESCE(CAST(SUM(total) AS BIGINT), 0), COALESCE(CAST(SUM(size) AS BIGINT), 0),"
    "  COALESCE(CAST(SUM(associated) AS BIGINT), 0), COALESCE(CAST(SUM(associated_size) AS BIGINT), 0)"
    " FROM folder WHERE mb = $1";
static const char deleted_sql[] =
    "SELECT COUNT(*), COALESCE(CAST(SUM(size) AS BIGINT), 0) FROM message WHERE mb = $1 AND deleted IS NOT NULL";

struct sizes {
    uint64_t messages, size, associated, associated_size;
};

static void measure(struct store_tx *tx, struct sizes *sizes)
{
    struct sql_rows rows = sql_one(&tx->sql, usage_sql, BIND(B_INT(tx->st->mb)));
    sizes->messages = (uint64_t)sql_col_int(&rows, 0);
    sizes->size = (uint64_t)sql_col_int(&rows, 1);
    sizes->associated = (uint64_t)sql_col_int(&rows, 2);
    sizes->associated_size = (uint64_t)sql_col_int(&rows, 3);
    sql_done(&rows);
}

enum ec store_usage(struct store *st, struct store_usage *out)
{
    struct sizes sizes;
    struct store_tx tx = store_read(st);
    measure(&tx, &sizes);
    *out = (struct store_usage){ .messages = sizes.messages,
                                 .bytes = sizes.size + sizes.associated_size,
                                 .associated = sizes.associated };
    struct sql_rows rows = sql_one(&tx.sql, deleted_sql, BIND(B_INT(st->mb)));
    out->deleted = (uint64_t)sql_col_int(&rows, 0);
    out->deleted_bytes = (uint64_t)sql_col_int(&rows, 1);
    sql_done(&rows);
    return store_end(&tx);
}

static const char size_sql[] = "SELECT size FROM mailbox WHERE mb = $1";

enum ec store_size(struct store *st, uint64_t *bytes)
{
    struct store_tx tx = store_read(st);
    *bytes = (uint64_t)sql_int(&tx.sql, size_sql, BIND(B_INT(st->mb)));
    return store_end(&tx);
}

static const char warn_sql[] = "UPDATE mailbox SET warned = $2 WHERE mb = $1 AND warned <= $3";

bool store_warns_now(struct store *st, uint64_t every)
{
    struct store_tx tx = store_begin(st);
    const bool due =
        sql_exec(&tx.sql, warn_sql, BIND(B_INT(st->mb), B_INT((int64_t)tx.now), B_INT((int64_t)(tx.now - every)))) == 1;
    return store_end(&tx) == ecNone && due;
}

/* ---- properties of the Logon object ---- */

struct view {
    struct store *st;
    struct store_tx *tx;
    struct sizes sizes;
    bool measured;
};

static const struct sizes *sizes_of(struct view *view)
{
    if (!view->measured)
        measure(view->tx, &view->sizes);
    view->measured = true;
    return &view->sizes;
}

typedef struct prop getter(TALLOC_CTX *, struct view *, uint32_t tag);
#define GETTER(name) static struct prop get_##name(TALLOC_CTX *arena, struct view *view, uint32_t tag)
#define UNUSED (void)arena, (void)view

/* clang-format off */
GETTER(mailbox_name)       { return P_STR(tag, talloc_asprintf(arena, view->st->identity.is_public ? "%s" : "Mailbox - %s",
                                                               view->st->identity.display_name)); }
GETTER(owner_name)         { return P_STR(tag, talloc_strdup(arena, view->st->identity.display_name)); }
GETTER(owner_entry_id)     { return P_BIN(tag, owner_entry_id(arena, view->st)); }
GETTER(mailbox_entry_id)   { return P_BIN(tag, store_entry_id(arena, view->st)); }
GETTER(mailbox_guid)       { return P_BIN(tag, blob_copy(arena, BLOB_OF(view->st->guid.bytes, 16))); }
GETTER(replica_guid)       { return P_BIN(tag, blob_copy(arena, BLOB_OF(view->st->replica.bytes, 16))); }
GETTER(store_type)         { UNUSED; return P_I32(tag, 1); }
GETTER(store_state)        { UNUSED; return P_I32(tag, 0); }
GETTER(mailbox_size)       { UNUSED; return size_prop(tag, sizes_of(view)->size + sizes_of(view)->associated_size); }
GETTER(mailbox_normal)     { UNUSED; return P_I64(tag, sizes_of(view)->size); }
GETTER(mailbox_associated) { UNUSED; return P_I64(tag, sizes_of(view)->associated_size); }
GETTER(mailbox_count)      { UNUSED; return P_I32(tag, sizes_of(view)->messages); }
GETTER(rule_limit)         { UNUSED; return P_I32(tag, RULE_SIZE_LIMIT); }
GETTER(no_quota)           { UNUSED; return P_I32(tag, -1); }
GETTER(out_of_office)      { UNUSED; return P_BOOL(tag, false); }
/* clang-format on */

/* Bytes that say nothing: a client times how long they take. */
GETTER(line_speed)
{
    UNUSED;
    return P_BIN(tag, BLOB_OF(talloc_zero_array(arena, uint8_t, LINE_SPEED_BYTES), LINE_SPEED_BYTES));
}

static const struct computed {
    uint32_t tag;
    getter *get;
    enum computed_rule rule;
} computed[] = {
#define MAILBOX(tag, name, rule) { tag, get_##name, rule },
#define FOLDER(...)
#define MESSAGE(...)
#define ATTACHMENT(...)
#include "store/computed.def"
#include "store/computed_end.h"
};

static const struct computed *computed_of(uint32_t tag)
{
    for (size_t i = 0; i < COUNTOF(computed); i++)
        if (PROP_ID(computed[i].tag) == PROP_ID(tag))
            return &computed[i];
    return NULL;
}

static const char mailbox_props_sql[] = "SELECT props FROM mailbox WHERE mb = $1";

static struct item mailbox_item(TALLOC_CTX *arena, struct store_tx *tx)
{
    struct item item = { .owner = arena, .num = ITEM_OWN };
    if (!bag_open(&item.bag, sql_blob(arena, &tx->sql, mailbox_props_sql, BIND(B_INT(tx->st->mb)))))
        sql_abort(&tx->sql, ecCorruptStore);
    return item;
}

enum ec store_get_props(TALLOC_CTX *arena, struct store *st, const uint32_t *tags, uint32_t count, size_t limit,
                        struct prop *values)
{
    struct store_tx tx = store_read(st);
    struct view view = { .st = st, .tx = &tx };
    const struct item item = mailbox_item(arena, &tx);
    for (uint32_t i = 0; i < count && !sql_failed(&tx.sql); i++) {
        const struct computed *c = computed_of(tags[i]);
        if (c && (c->rule == COMPUTED || !item_has(&item, tags[i]))) {
            values[i] = c->get(arena, &view, computed_tag(c->tag, tags[i]));
            item_convert(arena, tags[i], limit, false, &values[i]);
        } else {
            item_get(arena, st, &item, tags[i], limit, false, &values[i]);
        }
    }
    return store_end(&tx);
}

static const char mailbox_set_props_sql[] = "UPDATE mailbox SET props = $2 WHERE mb = $1";

static enum ec store_props(TALLOC_CTX *arena, struct store_tx *tx, const struct item *item)
{
    if (item->count && !sql_failed(&tx->sql)) {
        const struct blob bag = item_pack(arena, tx, item, 0, ITEM_OWN, take_counters(tx, 1));
        sql_exec(&tx->sql, mailbox_set_props_sql, BIND(B_INT(tx->st->mb), B_BLOB(bag)));
    }
    talloc_free(arena);
    return store_end(tx);
}

enum ec store_set_props(struct store *st, const struct prop *props, uint32_t count, enum ec *results)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    may_manage(&tx);
    struct item item = mailbox_item(arena, &tx);
    for (uint32_t i = 0; i < count; i++) {
        const struct computed *c = computed_of(props[i].tag);
        results[i] = c && c->rule == COMPUTED ? ecComputed : item_check(&item, &props[i]);
        if (results[i])
            continue;
        item_set(&item, &props[i]);
        if (PROP_ID(props[i].tag) == PROP_ID(PidTagOutOfOfficeState)) /* MS-OXORULE_R585 */
            rules_forget_senders(&tx);
    }
    return store_props(arena, &tx, &item);
}

enum ec store_unset_props(struct store *st, const uint32_t *tags, uint32_t count, enum ec *results)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    may_manage(&tx);
    struct item item = mailbox_item(arena, &tx);
    for (uint32_t i = 0; i < count; i++) {
        const struct computed *c = computed_of(tags[i]);
        results[i] = c && c->rule == COMPUTED ? ecAccessDenied : ecNone;
        if (!results[i] && item_has(&item, tags[i]))
            item_remove(&item, tags[i]);
    }
    return store_props(arena, &tx, &item);
}

enum ec store_prop_tags(TALLOC_CTX *arena, struct store *st, const uint32_t **tags, uint32_t *count)
{
    uint32_t made[COUNTOF(computed)], *own;
    struct store_tx tx = store_read(st);
    const struct item item = mailbox_item(arena, &tx);
    for (size_t i = 0; i < COUNTOF(computed); i++)
        made[i] = computed[i].tag;
    const uint32_t own_count = item_tags(arena, &item, &own);
    *tags = tags_join(arena, made, COUNTOF(made), own, own_count, count);
    return store_end(&tx);
}
