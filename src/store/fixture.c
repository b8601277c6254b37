/* SPDX-License-Identifier: Apache-2.0 */
#include "store/fixture.h"

#include <stdlib.h>
#include <unistd.h>

#include "sql/postgres_fixture.h"
#include "store/internal.h"

enum engine { ENGINE_SQLITE, ENGINE_POSTGRES, ENGINES };

static struct postgres_fixture *server;
static enum engine engines[] = { ENGINE_SQLITE, ENGINE_POSTGRES };
static const char *const engine_names[] = { "SQLite", "PostgreSQL" };

static void hear(void *arg, struct store *st, const struct store_change *changes, size_t count)
{
    struct store_fixture *f = arg;
    if (f->also)
        f->also(f->also_arg, st, changes, count);
    f->changes = talloc_realloc(f->arena, f->changes, struct store_change, f->change_count + count);
    for (size_t i = 0; i < count; i++) {
        struct store_change *heard = &f->changes[f->change_count++];
        *heard = changes[i];
        heard->message_class = talloc_strdup(f->arena, changes[i].message_class);
        heard->tags = talloc_memdup(f->arena, changes[i].tags, changes[i].tag_count * sizeof *changes[i].tags);
    }
}

void fixture_forget(struct store_fixture *f)
{
    f->change_count = 0;
}

const struct store_change *fixture_heard(const struct store_fixture *f, enum store_change_kind kind, uint64_t fid,
                                         uint64_t mid)
{
    for (uint32_t i = f->change_count; i > 0; i--) {
        const struct store_change *c = &f->changes[i - 1];
        if (c->kind == kind && c->fid == fid && c->is_message == (mid != 0) && (!mid || c->mid == mid))
            return c;
    }
    return NULL;
}

static void open_store(struct store_fixture *f)
{
    f->pool = store_pool_new(f->arena, hear, f);
    OK(store_get(f->pool, f->url, f->mailbox, &f->store));
    store_lock(f->store);
}

bool fixture_crash(struct store_fixture *f)
{
    return !f->is_sqlite && postgres_fixture_crash(server);
}

void fixture_close(struct store_fixture *f)
{
    if (!f->pool)
        return;
    store_unlock(f->store);
    store_put(f->store);
    TALLOC_FREE(f->pool);
}

void fixture_reopen(struct store_fixture *f)
{
    fixture_close(f);
    open_store(f);
}

static int setup(void **state)
{
    const enum engine engine = *(enum engine *)*state;
    struct store_fixture *f = talloc_zero(NULL, struct store_fixture);
    f->arena = f;
    f->is_sqlite = engine == ENGINE_SQLITE;
    f->folder = talloc_strdup(f, "/tmp/oxcart-store-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->log = tmpfile();
    log_to(f->log, LOG_INFO);
    f->url = f->is_sqlite ? talloc_asprintf(f, "sqlite:%s/DB01", f->folder) : postgres_fixture_database(f, server);
    f->mailbox = guid_random();
    const struct store_identity who = { f->mailbox, "Alice Example", "/o=Contoso/ou=First/cn=Recipients/cn=alice",
                                        "alice@contoso.com" };
    OK(store_create(f->url, &who));
    open_store(f);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct store_fixture *f = *state;
    fixture_close(f);
    char *command = talloc_asprintf(NULL, "rm -rf %s", f->folder);
    const int status = system(command);
    talloc_free(command);
    log_to(NULL, LOG_INFO);
    fclose(f->log);
    talloc_free(f);
    return status;
}

int store_fixture_run(const char *group, const struct CMUnitTest *tests, size_t count)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    server = postgres_fixture_start(NULL, POSTGRES_FAST);
    if (!server)
        return 1;
    TALLOC_CTX *arena = talloc_new(NULL);
    struct CMUnitTest *all = talloc_zero_array(arena, struct CMUnitTest, count * ENGINES);
    for (size_t i = 0; i < count * ENGINES; i++) {
        const size_t engine = i / count;
        all[i] = tests[i % count];
        all[i].name = talloc_asprintf(all, "%s: %s", engine_names[engine], all[i].name);
        all[i].setup_func = setup;
        all[i].teardown_func = teardown;
        all[i].initial_state = &engines[engine];
    }
    const int failed = _cmocka_run_group_tests(group, all, count * ENGINES, NULL, NULL);
    talloc_free(arena);
    TALLOC_FREE(server);
    return failed;
}

char *fixture_log(struct store_fixture *f)
{
    const long size = ftell(f->log);
    char *text = talloc_zero_size(f, (size_t)size + 1);
    rewind(f->log);
    assert_int_equal(fread(text, 1, (size_t)size, f->log), size);
    return text;
}

/* ---- what tests are made of ---- */

uint64_t fixture_folder(struct store_fixture *f, uint64_t parent, const char *name)
{
    uint64_t fid;
    bool existed;
    OK(store_folder_create(f->store, parent, FOLDER_GENERIC, name, "", false, &fid, &existed));
    return fid;
}

uint64_t fixture_message(struct store_fixture *f, uint64_t fid, const char *subject)
{
    struct store_message *m;
    uint64_t mid;
    OK(store_message_new(&m, f->arena, f->store, fid, false));
    OK(fixture_set(m, P_STR(PidTagSubject, subject)));
    OK(store_message_save(m, false, &mid));
    talloc_free(m);
    return mid;
}

/* Rows as a delivery writes them, but many at once. */
static const char fill_sql[] =
    "INSERT INTO message(mb, id, mid, fid, associated, cn, is_read, delivery_time, submit_time, modified, created, "
    "committed,"
    "  size, flags, status, importance, sensitivity, has_attach, attach_next, class, prefix, subject, sender, "
    "display_to,"
    "  display_cc, display_bcc, props, recipients)"
    " WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $3)"
    " SELECT $1, $4 + i, $4 + i, $2, 0, $4 + i, 0, i * 600000000, i, 1, 1, 1, 100, 0, 0, 1, 0, 0, 0, 'IPM.Note', '', "
    "'', '',"
    "  '', '', '', $5, $6 FROM n";
static const char filled_sql[] =
    "UPDATE folder SET total = total + $3, unread = unread + $3 WHERE mb = $1 AND fid = $2";

uint64_t fixture_full_folder(struct store_fixture *f, const char *name, uint32_t messages)
{
    const uint64_t fid = fixture_folder(f, STORE_FID(SPECIAL_INBOX), name);
    const struct prop props[] = { P_STR(PidTagNormalizedSubject, "filled"), P_I32(PidTagImportance, 1) };
    struct blob bag = bag_of(f->arena, props, 2);
    struct store_tx tx = store_begin(f->store);
    const struct sql_value mb = B_INT(f->store->mb), folder = B_INT((int64_t)store_counter(fid)),
                           count = B_INT(messages);
    const uint64_t first = take_counters(&tx, messages + 1);
    sql_exec(&tx.sql, fill_sql, BIND(mb, folder, count, B_INT((int64_t)first), B_BLOB(bag), B_BYTES("", 0)));
    sql_exec(&tx.sql, filled_sql, BIND(mb, folder, count));
    OK(store_end(&tx));
    return fid;
}

struct store_message *fixture_open(struct store_fixture *f, uint64_t fid, uint64_t mid)
{
    struct store_message *m;
    OK(store_message_open(&m, f->arena, f->store, fid, mid, MESSAGE_READWRITE));
    return m;
}

struct prop fixture_prop(struct store_fixture *f, struct store_message *m, uint32_t tag)
{
    struct prop p;
    OK(store_message_get(f->arena, m, &tag, 1, STORE_VALUE_LIMIT, &p));
    return p;
}

struct prop fixture_folder_prop(struct store_fixture *f, uint64_t fid, uint32_t tag)
{
    struct prop p;
    OK(store_folder_get(f->arena, f->store, fid, &tag, 1, STORE_VALUE_LIMIT, &p));
    return p;
}

enum ec fixture_set(struct store_message *m, struct prop p)
{
    enum ec result = ecNone;
    const enum ec ec = store_message_set(m, &p, 1, &result);
    return ec ? ec : result;
}

struct store_folder fixture_row(struct store_fixture *f, uint64_t fid)
{
    struct store_folder row;
    OK(store_folder_row(f->arena, f->store, fid, &row));
    return row;
}

int64_t fixture_rows(struct store_fixture *f, const char *table)
{
    static const struct {
        const char *table, *sql;
    } counts[] = {
        { "message", "SELECT COUNT(*) FROM message WHERE mb = $1" },
        { "attachment", "SELECT COUNT(*) FROM attachment WHERE mb = $1" },
        { "value", "SELECT COUNT(*) FROM value WHERE mb = $1" },
        { "tombstone", "SELECT COUNT(*) FROM tombstone WHERE mb = $1" },
        { "folder", "SELECT COUNT(*) FROM folder WHERE mb = $1" },
        { "result", "SELECT COUNT(*) FROM result WHERE mb = $1" },
        { "search_scope", "SELECT COUNT(*) FROM search_scope WHERE mb = $1" },
        { "mailbox", "SELECT COUNT(*) FROM mailbox WHERE mb = $1" },
        { "rule", "SELECT COUNT(*) FROM rule WHERE mb = $1" },
    };
    int64_t count = -1;
    struct store_tx tx = store_read(f->store);
    for (size_t i = 0; i < COUNTOF(counts); i++)
        if (!strcmp(counts[i].table, table))
            count = sql_int(&tx.sql, counts[i].sql, BIND(B_INT(f->store->mb)));
    OK(store_end(&tx));
    return count;
}
