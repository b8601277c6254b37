/* SPDX-License-Identifier: Apache-2.0 */
/* Receive folders: [MS-OXCSTOR] 3.2.5.2 to 3.2.5.4.  The row whose class is the longest prefix of the message's, at a
 * dot, tells where it is delivered. */
#include "store/internal.h"

enum { CLASS_MAX = 254 };

static char *lower(TALLOC_CTX *arena, const char *class)
{
    char *text = talloc_strdup(arena, class);
    for (char *at = text; *at; at++)
        *at = *at >= 'A' && *at <= 'Z' ? (char)(*at | 0x20) : *at;
    return text;
}

static struct sql_value key_of(const char *lower_class)
{
    return B_BYTES(lower_class, strlen(lower_class));
}

/* [MS-OXCSTOR] 2.2.1.2.1: ASCII, no dot at an end, no two in a row */
static bool class_is_valid(const char *class)
{
    const size_t length = strlen(class);
    if (length > CLASS_MAX || strstr(class, "..") || *class == '.' || (length && class[length - 1] == '.'))
        return false;
    for (const char *at = class; *at; at++)
        if (*at < 0x20 || *at > 0x7E)
            return false;
    return true;
}

static const char receive_set_sql[] =
    "INSERT INTO receive(mb, class_key, class, fid, modified) VALUES ($1, $2, $3, $4, $5)"
    " ON CONFLICT (mb, class_key) DO UPDATE SET class = excluded.class, fid = excluded.fid, modified = "
    "excluded.modified";

static void set_row(struct store_tx *tx, const char *class, uint64_t fid)
{
    char *key = lower(NULL, class);
    sql_exec(&tx->sql, receive_set_sql,
             BIND(B_INT(tx->st->mb), key_of(key), B_TEXT(class), B_INT((int64_t)fid), B_INT((int64_t)tx->now)));
    talloc_free(key);
}

/* [MS-OXCSTOR] 3.2.3 */
void receive_defaults(struct store_tx *tx)
{
    static const struct {
        const char *class;
        uint64_t fid;
    } rows[] = {
        { "", SPECIAL_INBOX }, { "IPM", SPECIAL_INBOX }, { "Report.IPM", SPECIAL_INBOX }, { "IPC", SPECIAL_ROOT }
    };
    for (size_t i = 0; i < COUNTOF(rows); i++)
        set_row(tx, rows[i].class, rows[i].fid);
}

static const char receive_table_sql[] =
    "SELECT r.fid, r.class, r.modified, r.class_key FROM receive r JOIN folder f ON f.mb = r.mb AND f.fid = r.fid"
    " WHERE r.mb = $1 AND f.deleted IS NULL ORDER BY r.class_key";

static bool is_prefix_at_dot(const char *prefix, const char *class)
{
    const size_t length = strlen(prefix);
    return !length || (text_is_prefix(class, prefix) && (class[length] == '.' || class[length] == '\0'));
}

/* The table is read whole: it has a handful of rows.  Nothing fits: the Inbox and "". */
uint64_t receive_folder(TALLOC_CTX *arena, struct store_tx *tx, const char *message_class, const char **explicit_class)
{
    uint64_t fid = SPECIAL_INBOX;
    const char *best = "";
    bool any = false;
    struct sql_rows rows = sql_query(&tx->sql, receive_table_sql, BIND(B_INT(tx->st->mb)));
    while (sql_next(&rows)) {
        const char *class = sql_col_text(&rows, 1);
        if (!is_prefix_at_dot(class, message_class) || (any && strlen(class) < strlen(best)))
            continue;
        any = true;
        best = talloc_strdup(arena, class);
        fid = (uint64_t)sql_col_int(&rows, 0);
    }
    *explicit_class = best;
    return fid;
}

enum ec store_receive_folder(TALLOC_CTX *arena, struct store *st, const char *message_class, uint64_t *fid,
                             const char **explicit_class)
{
    if (!class_is_valid(message_class))
        return ecInvalidParam;
    struct store_tx tx = store_read(st);
    *fid = store_id(receive_folder(arena, &tx, message_class, explicit_class));
    return store_end(&tx);
}

static const char announce_sql[] =
    "SELECT " MESSAGE_COLUMNS " FROM message WHERE mb = $1 AND fid = $2 AND mid = $3 AND associated = 0"
    " AND deleted IS NULL";

enum ec store_message_announce(struct store *st, uint64_t fid, uint64_t mid)
{
    TALLOC_CTX *arena = talloc_new(NULL);
    struct message_row row;
    struct prop flags;
    struct store_tx tx = store_begin(st);
    struct sql_rows rows =
        sql_one(&tx.sql, announce_sql,
                BIND(B_INT(st->mb), B_INT((int64_t)store_counter(fid)), B_INT((int64_t)store_counter(mid))));
    message_row_read(st, &rows, 0, &row);
    message_row_keep(arena, &row);
    sql_done(&rows);
    const struct item item = message_item(&row);
    message_prop(arena, &(struct message_view){ .st = st, .row = &row, .item = &item }, PidTagMessageFlags,
                 STORE_VALUE_LIMIT, false, &flags);
    const struct store_change change = { .kind = STORE_NEW_MAIL,
                                         .is_message = true,
                                         .fid = fid,
                                         .mid = mid,
                                         .cn = store_id(row.cn),
                                         .message_flags = flags.u32,
                                         .message_class = row.class };
    change_add(&tx, &change);
    talloc_free(arena);
    return store_end(&tx);
}

static const char receive_remove_sql[] = "DELETE FROM receive WHERE mb = $1 AND class_key = $2";

/* [MS-OXCSTOR] 3.2.5.3: the rows of "IPM" and "Report.IPM" stay, the one of "" can change only. */
enum ec store_set_receive_folder(struct store *st, const char *message_class, uint64_t fid)
{
    if (!class_is_valid(message_class))
        return ecInvalidParam;
    if (!*message_class && !fid)
        return ecError;
    if (!strcasecmp(message_class, "IPM") || !strcasecmp(message_class, "Report.IPM"))
        return ecAccessDenied;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct store_tx tx = store_begin(st);
    may_manage(&tx);
    if (fid) {
        struct folder_row row;
        folder_row_get(arena, &tx, store_counter(fid), &row);
        if (!sql_failed(&tx.sql) && row.type == FOLDER_SEARCH)
            sql_abort(&tx.sql, ecAccessDenied); /* it holds no messages of its own */
        set_row(&tx, message_class, store_counter(fid));
    } else {
        sql_exec(&tx.sql, receive_remove_sql, BIND(B_INT(st->mb), key_of(lower(arena, message_class))));
    }
    talloc_free(arena);
    return store_end(&tx);
}

enum ec store_receive_table(TALLOC_CTX *arena, struct store *st, struct store_receive_row **out, uint32_t *count)
{
    *out = NULL;
    *count = 0;
    struct store_tx tx = store_read(st);
    struct sql_rows rows = sql_query(&tx.sql, receive_table_sql, BIND(B_INT(st->mb)));
    while (sql_next(&rows)) {
        *out = talloc_realloc(arena, *out, struct store_receive_row, *count + 1);
        (*out)[(*count)++] =
            (struct store_receive_row){ store_id((uint64_t)sql_col_int(&rows, 0)), sql_col_text_copy(arena, &rows, 1),
                                        (uint64_t)sql_col_int(&rows, 2) };
    }
    return store_end(&tx);
}
