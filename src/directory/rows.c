/* SPDX-License-Identifier: Apache-2.0 */
/* The account tables in DIR/org.db. */
#include "directory/internal.h"

const struct sql_schema_step directory_schema[] = {
    { "accounts and disconnected mailboxes",
      "CREATE TABLE account("
      "  mailbox_guid BYTEA PRIMARY KEY, guid BYTEA NOT NULL UNIQUE, minimal_id BIGINT NOT NULL UNIQUE,"
      "  kind BIGINT NOT NULL, name TEXT NOT NULL UNIQUE, alias TEXT NOT NULL UNIQUE, display_name TEXT NOT NULL,"
      "  first_name TEXT NOT NULL, last_name TEXT NOT NULL, initials TEXT NOT NULL,"
      "  user_principal_name TEXT NOT NULL UNIQUE, sam_account_name TEXT NOT NULL UNIQUE,"
      "  proxy_addresses TEXT NOT NULL, legacy_dn TEXT NOT NULL UNIQUE, database_guid BYTEA NOT NULL,"
      "  mapi_http_enabled BIGINT NOT NULL, block_external BIGINT NOT NULL, mapi_enabled BIGINT NOT NULL,"
      "  hidden BIGINT NOT NULL, disabled BIGINT NOT NULL, password_hash TEXT, when_created BIGINT NOT NULL,"
      "  when_changed BIGINT NOT NULL, version BIGINT NOT NULL, own_quota BIGINT NOT NULL,"
      "  warning_quota BIGINT NOT NULL, send_quota BIGINT NOT NULL, receive_quota BIGINT NOT NULL,"
      "  copy_sent_as BIGINT NOT NULL, copy_sent_on_behalf BIGINT NOT NULL, public_folder BIGINT NOT NULL);"
      "CREATE TABLE next_minimal_id(value BIGINT NOT NULL);"
      "INSERT INTO next_minimal_id(value) VALUES(16);"
      "CREATE TABLE disconnected_mailbox("
      "  mailbox_guid BYTEA PRIMARY KEY, database_guid BYTEA NOT NULL, display_name TEXT NOT NULL,"
      "  legacy_dn TEXT NOT NULL, when_disconnected BIGINT NOT NULL);"
      "CREATE TABLE mailbox_grant("
      "  mailbox BYTEA NOT NULL, trustee BYTEA NOT NULL, allowed BIGINT NOT NULL, denied BIGINT NOT NULL,"
      "  PRIMARY KEY (mailbox, trustee));" },
};
const size_t directory_schema_steps = COUNTOF(directory_schema);

static const char accounts_sql[] =
    "SELECT mailbox_guid, guid, minimal_id, kind, name, alias, display_name, first_name, last_name, initials,"
    "       user_principal_name, sam_account_name, proxy_addresses, legacy_dn, database_guid, mapi_http_enabled,"
    "       block_external, mapi_enabled, hidden, disabled, password_hash, when_created, when_changed, version,"
    "       own_quota, warning_quota, send_quota, receive_quota,"
    "       copy_sent_as, copy_sent_on_behalf, public_folder"
    "  FROM account";

struct guid row_guid(struct sql_rows *rows, unsigned column)
{
    const struct blob bytes = sql_col_blob(rows, column);
    struct guid guid = { 0 };
    if (bytes.size == sizeof guid.bytes)
        memcpy(guid.bytes, bytes.data, sizeof guid.bytes);
    return guid;
}

/* One address a line, the primary one first. */
static void split_addresses(TALLOC_CTX *arena, struct account *account, const char *text)
{
    const char **list = NULL;
    while (*text) {
        const size_t length = strcspn(text, "\n");
        list = talloc_realloc(arena, list, const char *, account->proxy_count + 1);
        list[account->proxy_count++] = talloc_strndup(arena, text, length);
        text += length + (text[length] == '\n');
    }
    account->proxy_addresses = list;
    account->primary_smtp = list ? list[0] + strlen("SMTP:") : "";
}

static char *join_addresses(TALLOC_CTX *arena, const struct account *account)
{
    struct buf text;
    buf_init(&text, arena);
    for (size_t i = 0; i < account->proxy_count; i++)
        buf_printf(&text, "%s%s", i ? "\n" : "", account->proxy_addresses[i]);
    return talloc_strndup(arena, (const char *)text.data, text.size);
}

static struct account account_of_row(TALLOC_CTX *arena, struct sql_rows *row, const struct org_settings *s)
{
    struct account a = {
        .mailbox_guid = row_guid(row, 0),
        .guid = row_guid(row, 1),
        .minimal_id = (uint32_t)sql_col_int(row, 2),
        .kind = (enum account_kind)sql_col_int(row, 3),
        .name = sql_col_text_copy(arena, row, 4),
        .alias = sql_col_text_copy(arena, row, 5),
        .display_name = sql_col_text_copy(arena, row, 6),
        .first_name = sql_col_text_copy(arena, row, 7),
        .last_name = sql_col_text_copy(arena, row, 8),
        .initials = sql_col_text_copy(arena, row, 9),
        .user_principal_name = sql_col_text_copy(arena, row, 10),
        .sam_account_name = sql_col_text_copy(arena, row, 11),
        .legacy_dn = sql_col_text_copy(arena, row, 13),
        .database_guid = row_guid(row, 14),
        .mapi_http_enabled = (enum org_switch)sql_col_int(row, 15),
        .block_external = sql_col_int(row, 16) != 0,
        .mapi_enabled = sql_col_int(row, 17) != 0,
        .hidden = sql_col_int(row, 18) != 0,
        .disabled = sql_col_int(row, 19) != 0,
        .when_created = (uint64_t)sql_col_int(row, 21),
        .when_changed = (uint64_t)sql_col_int(row, 22),
        .version = (uint64_t)sql_col_int(row, 23),
        .own_quota = sql_col_int(row, 24) != 0,
        .quota = { sql_col_int(row, 25), sql_col_int(row, 26), sql_col_int(row, 27) },
        .copy_sent_as = sql_col_int(row, 28) != 0,
        .copy_sent_on_behalf = sql_col_int(row, 29) != 0,
        .public_folder = (uint64_t)sql_col_int(row, 30),
    };
    split_addresses(arena, &a, sql_col_text(row, 12));
    account_complete(arena, s, &a);
    return a;
}

enum ec rows_load(struct directory *d, void (*each)(struct directory *, struct entry *))
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct sql_tx tx = sql_read(d->db);
    struct sql_rows rows = sql_query(&tx, accounts_sql, (struct sql_bind){ 0 });
    while (sql_next(&rows)) {
        TALLOC_CTX *one = talloc_new(arena);
        const struct account account = account_of_row(one, &rows, d->seen);
        each(d, entry_new(&account, sql_col_null(&rows, 20) ? NULL : sql_col_text_copy(one, &rows, 20)));
        talloc_free(one);
    }
    talloc_free(arena);
    return sql_end(&tx);
}

static const char insert_sql[] =
    "INSERT INTO account(mailbox_guid, guid, minimal_id, kind, name, alias, display_name, first_name, last_name,"
    "                    initials, user_principal_name, sam_account_name, proxy_addresses, legacy_dn, database_guid,"
    "                    mapi_http_enabled, block_external, mapi_enabled, hidden, disabled, password_hash,"
    "                    when_created, when_changed, version, own_quota, warning_quota, send_quota, receive_quota,"
    "                    copy_sent_as, copy_sent_on_behalf, public_folder)"
    " VALUES($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,"
    "        $24, $25, $26, $27, $28, $29, $30, $31)";

void row_insert(struct sql_tx *tx, const struct account *a, const char *password_hash)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    sql_exec(tx, insert_sql,
             BIND(B_BYTES(a->mailbox_guid.bytes, 16), B_BYTES(a->guid.bytes, 16), B_INT(a->minimal_id), B_INT(a->kind),
                  B_TEXT(a->name), B_TEXT(a->alias), B_TEXT(a->display_name), B_TEXT(a->first_name),
                  B_TEXT(a->last_name), B_TEXT(a->initials), B_TEXT(a->user_principal_name),
                  B_TEXT(a->sam_account_name), B_TEXT(join_addresses(arena, a)), B_TEXT(a->legacy_dn),
                  B_BYTES(a->database_guid.bytes, 16), B_INT(a->mapi_http_enabled), B_INT(a->block_external),
                  B_INT(a->mapi_enabled), B_INT(a->hidden), B_INT(a->disabled), B_TEXT(password_hash),
                  B_INT((int64_t)a->when_created), B_INT((int64_t)a->when_changed), B_INT((int64_t)a->version),
                  B_INT(a->own_quota), B_INT(a->quota.warning), B_INT(a->quota.send), B_INT(a->quota.receive),
                  B_INT(a->copy_sent_as), B_INT(a->copy_sent_on_behalf), B_INT((int64_t)a->public_folder)));
    talloc_free(arena);
}

static const char update_sql[] =
    "UPDATE account SET name = $2, alias = $3, display_name = $4, first_name = $5, last_name = $6, initials = $7,"
    "       user_principal_name = $8, sam_account_name = $9, proxy_addresses = $10, mapi_http_enabled = $11,"
    "       block_external = $12, mapi_enabled = $13, hidden = $14, disabled = $15, password_hash = $16,"
    "       when_changed = $17, version = $18, own_quota = $19, warning_quota = $20, send_quota = $21,"
    "       receive_quota = $22, copy_sent_as = $23, copy_sent_on_behalf = $24"
    " WHERE mailbox_guid = $1";

void row_update(struct sql_tx *tx, const struct account *a, const char *password_hash)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    sql_exec(tx, update_sql,
             BIND(B_BYTES(a->mailbox_guid.bytes, 16), B_TEXT(a->name), B_TEXT(a->alias), B_TEXT(a->display_name),
                  B_TEXT(a->first_name), B_TEXT(a->last_name), B_TEXT(a->initials), B_TEXT(a->user_principal_name),
                  B_TEXT(a->sam_account_name), B_TEXT(join_addresses(arena, a)), B_INT(a->mapi_http_enabled),
                  B_INT(a->block_external), B_INT(a->mapi_enabled), B_INT(a->hidden), B_INT(a->disabled),
                  B_TEXT(password_hash), B_INT((int64_t)a->when_changed), B_INT((int64_t)a->version),
                  B_INT(a->own_quota), B_INT(a->quota.warning), B_INT(a->quota.send), B_INT(a->quota.receive),
                  B_INT(a->copy_sent_as), B_INT(a->copy_sent_on_behalf)));
    talloc_free(arena);
}

static const char delete_sql[] = "DELETE FROM account WHERE mailbox_guid = $1";

void row_delete(struct sql_tx *tx, const struct account *a)
{
    sql_exec(tx, delete_sql, BIND(B_BYTES(a->mailbox_guid.bytes, 16)));
}

static const char disconnect_sql[] =
    "INSERT INTO disconnected_mailbox(mailbox_guid, database_guid, display_name, legacy_dn, when_disconnected)"
    " VALUES($1, $2, $3, $4, $5)";

void row_disconnect(struct sql_tx *tx, const struct account *a)
{
    sql_exec(tx, disconnect_sql,
             BIND(B_BYTES(a->mailbox_guid.bytes, 16), B_BYTES(a->database_guid.bytes, 16), B_TEXT(a->display_name),
                  B_TEXT(a->legacy_dn), B_INT((int64_t)filetime_now())));
}

static const char disconnected_sql[] =
    "SELECT database_guid, display_name, legacy_dn FROM disconnected_mailbox WHERE mailbox_guid = $1";

enum ec row_disconnected(TALLOC_CTX *arena, struct sql *db, struct account *a)
{
    struct sql_tx tx = sql_read(db);
    struct sql_rows row = sql_one(&tx, disconnected_sql, BIND(B_BYTES(a->mailbox_guid.bytes, 16)));
    a->database_guid = row_guid(&row, 0);
    a->name = a->display_name = sql_col_text_copy(arena, &row, 1);
    a->legacy_dn = sql_col_text_copy(arena, &row, 2);
    enum ec ec = sql_end(&tx);
    if (ec == ecNotFound)
        return directory_say(ec, "There is no disconnected mailbox with this GUID.");
    return ec ? directory_say(ec, "%s", sql_error(db)) : ecNone;
}

static const char forget_disconnected_sql[] = "DELETE FROM disconnected_mailbox WHERE mailbox_guid = $1";

void row_forget_disconnected(struct sql_tx *tx, struct guid mailbox)
{
    sql_exec(tx, forget_disconnected_sql, BIND(B_BYTES(mailbox.bytes, 16)));
}

static const char take_minimal_id_sql[] = "UPDATE next_minimal_id SET value = value + 1 RETURNING value - 1";

uint32_t row_next_minimal_id(struct sql_tx *tx)
{
    return (uint32_t)sql_int(tx, take_minimal_id_sql, (struct sql_bind){ 0 });
}
