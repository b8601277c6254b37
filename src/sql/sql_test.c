/* SPDX-License-Identifier: Apache-2.0 */
/* Every test of the first table runs on both engines. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <float.h>
#include <math.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sql/postgres_fixture.h"
#include "sql/sql.h"

static struct postgres_fixture *server;

struct engine {
    const char *name;
    bool is_sqlite;
};
static struct engine engine_sqlite = { "SQLite", true }, engine_postgres = { "PostgreSQL", false };

struct fixture {
    const struct engine *engine;
    char *folder, *url;
    struct sql *db;
    FILE *log;
};

static const char table_script[] =
    "CREATE TABLE item(id BIGINT PRIMARY KEY, number BIGINT, real DOUBLE PRECISION, name TEXT, bytes BYTEA);"
    "CREATE UNIQUE INDEX item_name ON item(name)";
static const char insert_sql[] = "INSERT INTO item(id, number, real, name, bytes) VALUES($1, $2, $3, $4, $5)";
static const char insert_name_sql[] = "INSERT INTO item(id, name) VALUES($1, $2)";
static const char insert_id_sql[] = "INSERT INTO item(id) VALUES($1)";
static const char select_sql[] = "SELECT number, real, name, bytes FROM item WHERE id = $1";
static const char count_sql[] = "SELECT count(*) FROM item";
static const char id_by_name_sql[] = "SELECT id FROM item WHERE name = $1";

static struct fixture *fixture_new(const struct engine *engine)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    f->engine = engine;
    f->folder = talloc_strdup(f, "/tmp/oxcart-sql-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    f->url = engine->is_sqlite ? talloc_asprintf(f, "sqlite:%s/test.db", f->folder)
                               : postgres_fixture_database(f, server);
    f->log = tmpfile();
    log_to(f->log, LOG_INFO);
    return f;
}

static struct sql *open_one_more(struct fixture *f)
{
    struct sql *db;
    assert_int_equal(sql_open(&db, f, f->url), ecNone);
    return db;
}

static int setup(void **state)
{
    struct fixture *f = fixture_new(*state);
    f->db = open_one_more(f);
    assert_int_equal(sql_script(f->db, table_script), ecNone);
    *state = f;
    return 0;
}

static int setup_without_database(void **state)
{
    *state = fixture_new(*state);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    char *command = talloc_asprintf(NULL, "rm -rf %s", f->folder);
    log_to(NULL, LOG_INFO);
    fclose(f->log);
    talloc_free(f);
    const int status = system(command);
    talloc_free(command);
    return status;
}

static char *logged(struct fixture *f)
{
    const long size = ftell(f->log);
    char *text = talloc_zero_size(f, (size_t)size + 1);
    rewind(f->log);
    assert_int_equal(fread(text, 1, (size_t)size, f->log), size);
    fseek(f->log, 0, SEEK_END);
    return text;
}

static unsigned times(const char *text, const char *part)
{
    unsigned n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static int64_t count_of(struct sql *db)
{
    struct sql_tx tx = sql_read(db);
    const int64_t n = sql_int(&tx, count_sql, BIND());
    assert_int_equal(sql_end(&tx), ecNone);
    return n;
}

static enum ec add(struct sql *db, int64_t id, const char *name)
{
    struct sql_tx tx = sql_begin(db);
    sql_exec(&tx, insert_name_sql, BIND(B_INT(id), B_TEXT(name)));
    return sql_end(&tx);
}

/* ---- values ---- */

static void a_row_comes_back_as_it_went_in(void **state)
{
    struct fixture *f = *state;
    static const struct {
        int64_t number;
        double real;
        const char *name;
        struct blob bytes;
    } rows[] = {
        { 0, 0.0, "", { (const uint8_t *)"", 0 } },
        { -1, -0.1, "a", { (const uint8_t *)"\0", 1 } },
        { INT64_MAX, DBL_MAX, "Zo\xC3\xAB \xF0\x9F\x90\x82 'quoted' $1 \\", { (const uint8_t *)"\0a\0\xFF", 4 } },
        { INT64_MIN, DBL_MIN, "line\nline", { (const uint8_t *)"\\x00", 4 } },
    };
    struct sql_tx tx = sql_begin(f->db);
    for (size_t i = 0; i < COUNTOF(rows); i++)
        assert_int_equal(1, sql_exec(&tx, insert_sql, BIND(B_INT((int64_t)i), B_INT(rows[i].number),
                                                          B_REAL(rows[i].real), B_TEXT(rows[i].name),
                                                          B_BLOB(rows[i].bytes))));
    for (size_t i = 0; i < COUNTOF(rows); i++) {
        struct sql_rows row = sql_one(&tx, select_sql, BIND(B_INT((int64_t)i)));
        assert_true(sql_col_int(&row, 0) == rows[i].number);
        assert_true(sql_col_real(&row, 1) == rows[i].real);
        assert_string_equal(sql_col_text(&row, 2), rows[i].name);
        assert_false(sql_col_null(&row, 3));
        assert_true(blob_equal(sql_col_blob(&row, 3), rows[i].bytes));
        assert_true(blob_equal(sql_col_blob_copy(f, &row, 3), rows[i].bytes));
        assert_string_equal(sql_col_text_copy(f, &row, 2), rows[i].name);
        sql_done(&row);
    }
    assert_int_equal(sql_end(&tx), ecNone);
}

static void NULL_reads_as_nothing(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_sql, BIND(B_INT(1), B_NULL, B_NULL, B_TEXT(NULL), B_NULL));
    struct sql_rows row = sql_one(&tx, select_sql, BIND(B_INT(1)));
    for (unsigned i = 0; i < 4; i++)
        assert_true(sql_col_null(&row, i));
    assert_int_equal(sql_col_int(&row, 0), 0);
    assert_true(sql_col_real(&row, 1) == 0);
    assert_string_equal(sql_col_text(&row, 2), "");
    assert_int_equal(sql_col_blob(&row, 3).size, 0);
    sql_done(&row);
    assert_string_equal(sql_text(f, &tx, "SELECT name FROM item", BIND()), "");
    assert_int_equal(sql_int(&tx, "SELECT number FROM item", BIND()), 0);
    assert_int_equal(sql_int_or(&tx, 7, "SELECT max(number) FROM item", BIND()), 7);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void a_parameter_that_was_NULL_once_takes_a_value_later(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_sql, BIND(B_INT(1), B_NULL, B_NULL, B_NULL, B_NULL));
    sql_exec(&tx, insert_sql, BIND(B_INT(2), B_INT(5), B_REAL(0.5), B_TEXT("two"), B_BYTES("22", 2)));
    sql_exec(&tx, insert_sql, BIND(B_INT(3), B_NULL, B_REAL(1.5), B_NULL, B_BYTES("33", 2)));
    assert_int_equal(sql_int(&tx, "SELECT sum(number) FROM item", BIND()), 5);
    assert_string_equal(sql_text(f, &tx, "SELECT name FROM item WHERE id = $1", BIND(B_INT(2))), "two");
    assert_int_equal(sql_end(&tx), ecNone);
}

static void parameters_stand_in_any_order_and_more_than_once(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "SELECT $3 - $1 WHERE $2 = $2 AND $1 = 10 AND $3 = 42";
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, sql, BIND(B_INT(10), B_TEXT("x"), B_INT(42))), 32);
    assert_int_equal(sql_int(&tx, "SELECT $11 - $2", BIND(B_INT(0), B_INT(2), B_INT(0), B_INT(0), B_INT(0), B_INT(0),
                                                         B_INT(0), B_INT(0), B_INT(0), B_INT(0), B_INT(11))), 9);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void too_few_values_are_an_error_not_NULL(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_read(f->db);
    sql_int(&tx, "SELECT count(*) FROM item WHERE id = $1 AND number = $2", BIND(B_INT(1)));
    assert_int_equal(sql_end(&tx), ecError);
}

static void text_that_is_not_UTF8_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "latin1 \xE9"), ecInvalidParam);
    assert_int_equal(add(f->db, 1, "overlong \xC0\x80"), ecInvalidParam);
    assert_int_equal(add(f->db, 1, "a surrogate \xED\xA0\x80"), ecInvalidParam);
    assert_int_equal(count_of(f->db), 0);
}

static void a_column_of_another_type_is_an_error(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "12"), ecNone);
    static const char *const wrong[] = { "SELECT name FROM item", "SELECT id FROM item" };
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, wrong[0], BIND()), 0);
    assert_int_equal(sql_end(&tx), ecError);
    tx = sql_read(f->db);
    assert_string_equal(sql_text(f, &tx, wrong[1], BIND()), "");
    assert_int_equal(sql_end(&tx), ecError);
    tx = sql_read(f->db);
    assert_int_equal(sql_blob(f, &tx, wrong[0], BIND()).size, 0);
    assert_int_equal(sql_end(&tx), ecError);
    tx = sql_read(f->db);
    struct sql_rows row = sql_one(&tx, wrong[1], BIND());
    sql_col_int(&row, 1);
    assert_int_equal(sql_end(&tx), ecError);
}

static void computed_numbers_read_as_numbers(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    for (int64_t i = 0; i < 4; i++)
        sql_exec(&tx, insert_sql, BIND(B_INT(i), B_INT(i * INT64_C(100000000)), B_REAL(0.25), B_NULL, B_NULL));
    assert_true(sql_int(&tx, "SELECT sum(number) FROM item", BIND()) == INT64_C(600000000));
    assert_true(sql_int(&tx, "SELECT -sum(number) FROM item", BIND()) == INT64_C(-600000000));
    assert_int_equal(sql_int(&tx, "SELECT CASE WHEN EXISTS (SELECT 1 FROM item) THEN 1 ELSE 0 END", BIND()), 1);
    assert_int_equal(sql_int(&tx, "SELECT EXISTS (SELECT 1 FROM item WHERE id > 9)", BIND()), 0);
    assert_int_equal(sql_int(&tx, "SELECT length(name) FROM item WHERE id = 9 UNION ALL SELECT 3", BIND()), 3);
    struct sql_rows row = sql_one(&tx, "SELECT avg(id), sum(real), avg(number), 0 * sum(id) FROM item", BIND());
    assert_true(sql_col_real(&row, 0) == 1.5);
    assert_true(sql_col_real(&row, 1) == 1.0);
    assert_true(sql_col_real(&row, 2) == 1.5e8);
    assert_int_equal(sql_col_int(&row, 3), 0);
    sql_done(&row);
    sql_exec(&tx, insert_sql, BIND(B_INT(5), B_INT(INT64_C(999900000000)), B_NULL, B_NULL, B_NULL));
    row = sql_one(&tx, "SELECT sum(number), avg(id), sum(id) FROM item", BIND());
    assert_true(sql_col_int(&row, 0) == INT64_C(1000500000000));
    assert_true(fabs(sql_col_real(&row, 1) - 2.2) < 1e-9);
    assert_int_equal(sql_col_int(&row, 2), 11);
    sql_done(&row);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void bytes_sort_as_memcmp_does(void **state)
{
    struct fixture *f = *state;
    static const struct blob keys[] = { { (const uint8_t *)"", 0 }, { (const uint8_t *)"\0", 1 },
        { (const uint8_t *)"A", 1 }, { (const uint8_t *)"A\0", 2 }, { (const uint8_t *)"B", 1 },
        { (const uint8_t *)"a", 1 }, { (const uint8_t *)"\x80", 1 }, { (const uint8_t *)"\xFF\xFF", 2 } };
    struct sql_tx tx = sql_begin(f->db);
    for (size_t i = COUNTOF(keys); i-- > 0;)
        sql_exec(&tx, insert_sql, BIND(B_INT((int64_t)i), B_NULL, B_NULL, B_NULL, B_BLOB(keys[i])));
    struct sql_rows rows = sql_query(&tx, "SELECT id FROM item ORDER BY bytes", BIND());
    for (int64_t i = 0; sql_next(&rows); i++)
        assert_int_equal(sql_col_int(&rows, 0), i);
    assert_int_equal(sql_int(&tx, "SELECT count(*) FROM item WHERE bytes > $1", BIND(B_BYTES("A", 1))), 5);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void a_value_of_some_megabytes_goes_both_ways(void **state)
{
    struct fixture *f = *state;
    const size_t size = 5 << 20;
    uint8_t *big = talloc_size(f, size);
    random_bytes(big, size);
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_sql, BIND(B_INT(1), B_NULL, B_NULL, B_NULL, B_BYTES(big, size)));
    assert_true(blob_equal(sql_blob(f, &tx, "SELECT bytes FROM item", BIND()), BLOB_OF(big, size)));
    assert_int_equal(sql_end(&tx), ecNone);
}

/* ---- statements ---- */

static void rows_affected_are_counted(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(sql_exec(&tx, insert_id_sql, BIND(B_INT(i))), 1);
    assert_int_equal(sql_exec(&tx, "UPDATE item SET number = 1 WHERE id < $1", BIND(B_INT(3))), 3);
    assert_int_equal(sql_exec(&tx, "UPDATE item SET number = 2 WHERE id > $1", BIND(B_INT(30))), 0);
    assert_int_equal(sql_exec(&tx, "INSERT INTO item(id) VALUES($1) ON CONFLICT DO NOTHING", BIND(B_INT(1))), 0);
    assert_int_equal(sql_exec(&tx, "DELETE FROM item WHERE number = 1 RETURNING id", BIND()), 3);
    assert_int_equal(sql_exec(&tx, "SELECT id FROM item", BIND()), 0);
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(count_of(f->db), 2);
}

static void a_change_gives_back_what_it_made(void **state)
{
    struct fixture *f = *state;
    static const char next_sql[] = "INSERT INTO item(id, number) VALUES(1, 1)"
        " ON CONFLICT(id) DO UPDATE SET number = item.number + 1 RETURNING number";
    for (int64_t i = 1; i < 4; i++) {
        struct sql_tx tx = sql_begin(f->db);
        assert_int_equal(sql_int(&tx, next_sql, BIND()), i);
        assert_int_equal(sql_end(&tx), ecNone);
    }
}

static void the_same_statement_runs_inside_itself(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "SELECT id FROM item WHERE id > $1 ORDER BY id LIMIT 2";
    struct sql_tx tx = sql_begin(f->db);
    for (int64_t i = 1; i <= 4; i++)
        sql_exec(&tx, insert_id_sql, BIND(B_INT(i)));
    int64_t seen = 0;
    struct sql_rows outer = sql_query(&tx, sql, BIND(B_INT(0)));
    while (sql_next(&outer)) {
        struct sql_rows inner = sql_query(&tx, sql, BIND(B_INT(sql_col_int(&outer, 0))));
        while (sql_next(&inner))
            seen = seen * 100 + sql_col_int(&outer, 0) * 10 + sql_col_int(&inner, 0);
    }
    assert_int_equal(seen, 12132324);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void values_of_a_query_need_not_outlive_the_call(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "kept"), ecNone);
    char *name = talloc_strdup(f, "kept");
    struct sql_tx tx = sql_read(f->db);
    struct sql_rows rows = sql_query(&tx, id_by_name_sql, BIND(B_TEXT(name)));
    talloc_free(name);
    assert_true(sql_next(&rows));
    assert_int_equal(sql_col_int(&rows, 0), 1);
    assert_false(sql_next(&rows));
    assert_int_equal(sql_col_int(&rows, 0), 0);
    assert_false(sql_next(&rows));
    assert_int_equal(sql_end(&tx), ecNone);
}

static void a_loop_may_be_left_early(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "a"), ecNone);
    assert_int_equal(add(f->db, 2, "b"), ecNone);
    for (int i = 0; i < 300; i++) {
        struct sql_tx tx = sql_begin(f->db);
        struct sql_rows rows = sql_query(&tx, "SELECT id FROM item ORDER BY id", BIND());
        assert_true(sql_next(&rows));
        sql_exec(&tx, "UPDATE item SET number = $1 WHERE id = 2", BIND(B_INT(i)));
        assert_int_equal(sql_end(&tx), ecNone);
    }
    struct sql *other = open_one_more(f);                  /* no reader is left that would hold an old state */
    assert_int_equal(sql_script(other, "DROP TABLE item"), ecNone);
}

static void more_statements_than_are_kept_still_run(void **state)
{
    struct fixture *f = *state;
    char *texts[300];
    for (size_t i = 0; i < COUNTOF(texts); i++)
        texts[i] = talloc_asprintf(f, "SELECT %zu + $1", i);
    struct sql_tx tx = sql_read(f->db);
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < COUNTOF(texts); i++)
            assert_int_equal(sql_int(&tx, texts[i], BIND(B_INT(round))), (int64_t)i + round);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void another_text_at_the_same_address_is_another_statement(void **state)
{
    struct fixture *f = *state;
    char text[] = "SELECT 1";
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, text, BIND()), 1);
    text[7] = '2';
    assert_int_equal(sql_int(&tx, text, BIND()), 2);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void a_statement_survives_a_change_of_its_table(void **state)
{
    struct fixture *f = *state;
    static const char all_sql[] = "SELECT * FROM item";
    assert_int_equal(add(f->db, 1, "a"), ecNone);
    for (int i = 0; i < 2; i++) {
        struct sql_tx tx = sql_read(f->db);
        struct sql_rows row = sql_one(&tx, all_sql, BIND());
        assert_string_equal(sql_col_text(&row, 3), "a");
        sql_done(&row);
        assert_int_equal(sql_end(&tx), ecNone);
        if (i == 0)
            assert_int_equal(sql_script(f->db, "ALTER TABLE item ADD COLUMN more BIGINT"), ecNone);
    }
}

static void statements_are_counted(void **state)
{
    struct fixture *f = *state;
    const uint64_t here = sql_statements_of(f->db), everywhere = sql_statements();
    assert_int_equal(add(f->db, 1, "a"), ecNone);
    assert_int_equal(count_of(f->db), 1);
    struct sql *other = open_one_more(f);
    assert_int_equal(count_of(other), 1);
    assert_int_equal(sql_statements_of(f->db) - here, 2);
    assert_int_equal(sql_statements() - everywhere, 3);
}

/* ---- errors and transactions ---- */

static void the_first_error_sticks_and_everything_is_undone(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "one"), ecNone);
    struct sql_tx tx = sql_begin(f->db);
    assert_int_equal(sql_exec(&tx, insert_name_sql, BIND(B_INT(2), B_TEXT("two"))), 1);
    assert_false(sql_failed(&tx));
    assert_int_equal(sql_exec(&tx, insert_name_sql, BIND(B_INT(3), B_TEXT("one"))), 0);
    assert_true(sql_failed(&tx));
    const uint64_t before = sql_statements();
    assert_int_equal(sql_exec(&tx, insert_name_sql, BIND(B_INT(4), B_TEXT("four"))), 0);
    assert_int_equal(sql_int(&tx, count_sql, BIND()), 0);
    assert_int_equal(sql_int_or(&tx, 9, count_sql, BIND()), 0);
    assert_string_equal(sql_text(f, &tx, "SELECT name FROM item", BIND()), "");
    struct sql_rows rows = sql_query(&tx, count_sql, BIND());
    assert_false(sql_next(&rows));
    assert_int_equal(sql_statements(), before);
    assert_int_equal(sql_end(&tx), ecDuplicateName);
    assert_int_equal(count_of(f->db), 1);
    assert_int_equal(times(logged(f), "error"), 0);       /* the caller's matter, not the administrator's */
}

static void no_row_is_ecNotFound(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int_or(&tx, 5, id_by_name_sql, BIND(B_TEXT("nobody"))), 5);
    assert_false(sql_failed(&tx));
    assert_int_equal(sql_int(&tx, id_by_name_sql, BIND(B_TEXT("nobody"))), 0);
    assert_int_equal(sql_end(&tx), ecNotFound);
    tx = sql_read(f->db);
    struct sql_rows row = sql_one(&tx, select_sql, BIND(B_INT(1)));
    assert_string_equal(sql_col_text(&row, 2), "");
    sql_done(&row);
    assert_int_equal(sql_end(&tx), ecNotFound);
}

static void the_callers_own_error_undoes_as_well(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_id_sql, BIND(B_INT(1)));
    sql_abort(&tx, ecNone);                               /* no error */
    sql_abort(&tx, ecAccessDenied);
    sql_abort(&tx, ecNotFound);
    assert_int_equal(sql_end(&tx), ecAccessDenied);
    assert_int_equal(count_of(f->db), 0);
}

static void a_wrong_statement_is_an_error_that_names_it_once(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct sql_tx tx = sql_begin(f->db);
        sql_exec(&tx, "SELECT nonsense FROM nowhere", BIND());
        assert_int_equal(sql_end(&tx), ecError);
    }
    assert_non_null(strstr(sql_error(f->db), "SELECT nonsense FROM nowhere"));
    assert_int_equal(times(logged(f), "SELECT nonsense FROM nowhere"), 1);
    assert_int_equal(count_of(f->db), 0);
}

static void errors_do_not_tell_the_rows_values(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "confidential"), ecNone);
    assert_int_equal(add(f->db, 2, "confidential"), ecDuplicateName);
    assert_null(strstr(sql_error(f->db), "confidential"));
    assert_non_null(strstr(sql_error(f->db), sql_name(f->db)));
}

static void an_inner_transaction_commits_with_the_outer_one(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    assert_int_equal(add(f->db, 1, "inner"), ecNone);
    assert_int_equal(count_of(f->db), 1);
    sql_abort(&tx, ecCancel);
    assert_int_equal(sql_end(&tx), ecCancel);
    assert_int_equal(count_of(f->db), 0);
    tx = sql_begin(f->db);
    assert_int_equal(add(f->db, 1, "inner"), ecNone);
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(count_of(f->db), 1);
}

static void an_inner_one_that_fails_before_a_change_leaves_the_outer_one(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_id_sql, BIND(B_INT(1)));
    struct sql_tx inner = sql_begin(f->db);
    sql_int(&inner, id_by_name_sql, BIND(B_TEXT("nobody")));
    assert_int_equal(sql_end(&inner), ecNotFound);
    inner = sql_read(f->db);
    sql_int(&inner, id_by_name_sql, BIND(B_TEXT("nobody")));
    assert_int_equal(sql_end(&inner), ecNotFound);
    assert_false(sql_failed(&tx));
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(count_of(f->db), 1);
}

static void an_inner_one_that_fails_after_a_change_dooms_the_outer_one(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    struct sql_tx inner = sql_begin(f->db);
    sql_exec(&inner, insert_id_sql, BIND(B_INT(1)));
    sql_abort(&inner, ecQuotaExceeded);
    assert_int_equal(sql_end(&inner), ecQuotaExceeded);
    assert_true(sql_failed(&tx));
    assert_int_equal(sql_exec(&tx, insert_id_sql, BIND(B_INT(2))), 0);
    inner = sql_savepoint(f->db);                         /* no savepoint brings it back to life */
    assert_int_equal(sql_exec(&inner, insert_id_sql, BIND(B_INT(3))), 0);
    assert_int_equal(sql_end(&inner), ecQuotaExceeded);
    assert_int_equal(sql_end(&tx), ecQuotaExceeded);
    assert_int_equal(count_of(f->db), 0);
}

static void a_savepoint_undoes_itself_alone(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    for (int64_t i = 1; i <= 6; i++) {
        struct sql_tx part = sql_savepoint(f->db);
        sql_exec(&part, insert_name_sql, BIND(B_INT(i), B_TEXT(i == 3 ? "1" : i % 2 ? NULL : "1")));
        if (i == 5)
            add(f->db, 5, "the same id again");           /* an inner failure dooms the savepoint, no further */
        const enum ec ec = sql_end(&part);
        assert_int_equal(ec, i == 1 || i == 2 ? ecNone : ecDuplicateName);
        assert_false(sql_failed(&tx));
    }
    struct sql_tx part = sql_savepoint(f->db), deeper = sql_savepoint(f->db);
    sql_exec(&deeper, insert_id_sql, BIND(B_INT(100)));
    assert_int_equal(sql_end(&deeper), ecNone);
    deeper = sql_savepoint(f->db);
    sql_exec(&deeper, insert_id_sql, BIND(B_INT(101)));
    sql_abort(&deeper, ecCancel);
    assert_int_equal(sql_end(&deeper), ecCancel);
    assert_int_equal(sql_end(&part), ecNone);
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(count_of(f->db), 3);                 /* 1, 2 and 100 */
    tx = sql_savepoint(f->db);                            /* alone it is a transaction like any other */
    sql_exec(&tx, insert_id_sql, BIND(B_INT(200)));
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(count_of(f->db), 4);
}

static void a_walk_goes_on_across_savepoints_that_fail(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    for (int64_t i = 1; i <= 5; i++)
        sql_exec(&tx, insert_id_sql, BIND(B_INT(i)));
    int64_t walked = 0;
    struct sql_rows rows = sql_query(&tx, "SELECT id FROM item ORDER BY id LIMIT 5", BIND());
    while (sql_next(&rows)) {
        struct sql_tx part = sql_savepoint(f->db);
        sql_exec(&part, "UPDATE item SET number = 1 WHERE id = $1", BIND(B_INT(sql_col_int(&rows, 0))));
        sql_exec(&part, insert_id_sql, BIND(B_INT(1)));
        assert_int_equal(sql_end(&part), ecDuplicateName);
        walked++;
    }
    assert_int_equal(walked, 5);
    assert_int_equal(sql_int(&tx, "SELECT count(*) FROM item WHERE number = 1", BIND()), 0);
    assert_int_equal(sql_end(&tx), ecNone);
}

static void a_reader_may_not_write(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_read(f->db);
    sql_exec(&tx, insert_id_sql, BIND(B_INT(1)));
    assert_int_equal(sql_end(&tx), ecError);
    assert_int_equal(count_of(f->db), 0);
    assert_int_equal(add(f->db, 1, "a"), ecNone);
}

static void transactions_without_a_statement_are_fine(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 3; i++) {
        struct sql_tx tx = i % 2 ? sql_begin(f->db) : sql_read(f->db);
        assert_int_equal(sql_end(&tx), ecNone);
        tx = sql_begin(f->db);
        sql_abort(&tx, ecCancel);
        assert_int_equal(sql_end(&tx), ecCancel);
    }
    assert_int_equal(count_of(f->db), 0);
}

/* ---- several connections ---- */

static void a_reader_sees_one_state_until_its_end(void **state)
{
    struct fixture *f = *state;
    struct sql *other = open_one_more(f);
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, count_sql, BIND()), 0);
    assert_int_equal(add(other, 1, "meanwhile"), ecNone);
    assert_int_equal(sql_int(&tx, count_sql, BIND()), 0);
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(count_of(f->db), 1);
}

static void a_writer_that_waits_too_long_is_told_ecServerBusy(void **state)
{
    struct fixture *f = *state;
    struct sql *other = open_one_more(f);
    sql_take_turns(f->db, 77);
    sql_take_turns(other, 77);
    sql_wait_at_most(other, 30);
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_id_sql, BIND(B_INT(1)));
    assert_int_equal(add(other, 2, "in the way"), ecServerBusy);
    assert_int_equal(count_of(other), 0);                 /* readers do not wait */
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(add(other, 2, "now"), ecNone);
}

static void hold_and_tell(const char *url, int told)
{
    struct sql *db;
    if (sql_open(&db, NULL, url) == ecNone) {
        sql_take_turns(db, 77);
        struct sql_tx tx = sql_begin(db);
        sql_exec(&tx, insert_id_sql, BIND(B_INT(1)));
        if (!sql_failed(&tx) && write(told, "", 1) == 1)
            pause();
    }
    _exit(1);
}

static void a_writer_in_another_process_is_waited_for_as_well(void **state)
{
    struct fixture *f = *state;
    int ends[2];
    char c;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t holder = fork();
    if (holder == 0)
        hold_and_tell(f->url, ends[1]);
    assert_int_equal(read(ends[0], &c, 1), 1);
    sql_take_turns(f->db, 77);
    sql_wait_at_most(f->db, 30);
    assert_int_equal(add(f->db, 2, "in the way"), ecServerBusy);
    assert_int_equal(count_of(f->db), 0);
    sql_wait_at_most(f->db, 60000);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    assert_int_equal(add(f->db, 2, "after its death"), ecNone);
    assert_int_equal(count_of(f->db), 1);
    close(ends[0]);
    close(ends[1]);
}

enum { WRITERS = 4, WRITES = 50 };

static void *write_many(void *argument)
{
    struct fixture *f = argument;
    struct sql *db;
    TALLOC_CTX *own = talloc_new(NULL);
    enum ec ec = sql_open(&db, own, f->url);
    if (!ec)
        sql_take_turns(db, 5);
    for (int i = 0; i < WRITES && !ec; i++) {
        struct sql_tx tx = sql_begin(db);
        const int64_t n = sql_int(&tx, "SELECT number FROM item WHERE id = 1", BIND());
        sql_exec(&tx, "UPDATE item SET number = $1 WHERE id = 1", BIND(B_INT(n + 1)));
        ec = sql_end(&tx);
    }
    talloc_free(own);
    return (void *)(uintptr_t)ec;
}

static void writers_that_take_turns_lose_no_update(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_sql, BIND(B_INT(1), B_INT(0), B_NULL, B_NULL, B_NULL));
    assert_int_equal(sql_end(&tx), ecNone);
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, f), 0);
    for (int i = 0; i < WRITERS; i++) {
        void *ec;
        pthread_join(threads[i], &ec);
        assert_int_equal((uintptr_t)ec, ecNone);
    }
    tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, "SELECT number FROM item WHERE id = 1", BIND()), WRITERS * WRITES);
    assert_int_equal(sql_end(&tx), ecNone);
}

/* ---- scripts and schemas ---- */

static void a_script_is_done_whole_or_not_at_all(void **state)
{
    struct fixture *f = *state;
    static const char twice[] = "INSERT INTO item(id) VALUES(1); INSERT INTO item(id) VALUES(1)";
    assert_int_equal(sql_script(f->db, twice), ecDuplicateName);
    assert_int_equal(count_of(f->db), 0);
    assert_int_equal(sql_script(f->db, "INSERT INTO item(id) VALUES(1); INSERT INTO item(id) VALUES(2);"), ecNone);
    assert_int_equal(sql_script(f->db, ""), ecNone);
    assert_int_equal(count_of(f->db), 2);
}

static void an_engines_own_comment_is_read_by_that_engine_alone(void **state)
{
    struct fixture *f = *state;
    static const char script[] =
        "CREATE TABLE hinted(id /*sqlite INTEGER*/ /*postgres BIGINT*/ PRIMARY KEY, bag BYTEA)"
        " /*sqlite WITHOUT ROWID*/;"
        "/* both */ /*postgres ALTER TABLE hinted ALTER bag SET STORAGE EXTERNAL;*/"
        "INSERT INTO hinted(id) VALUES(/*sqlite 1*/ /*postgres 2*/)";
    assert_int_equal(sql_script(f->db, script), ecNone);
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, "SELECT id FROM hinted", BIND()), f->engine->is_sqlite ? 1 : 2);
    assert_int_equal(sql_end(&tx), ecNone);
}

static const struct sql_schema_step steps[] = {
    { "a", "CREATE TABLE a(x BIGINT); INSERT INTO a(x) VALUES(1)" },
    { "b", "CREATE TABLE b(y BIGINT); INSERT INTO b(y) SELECT x + 1 FROM a" },
    { "c", "UPDATE a SET x = x + 10" },
};

static void tables_are_brought_up_to_date_step_by_step(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_schema(f->db, steps, 1, "first"), ecNone);
    assert_int_equal(sql_schema(f->db, steps, 3, "first"), ecNone);
    assert_int_equal(sql_schema(f->db, steps, 3, "first"), ecNone);
    struct sql_tx tx = sql_read(f->db);
    assert_int_equal(sql_int(&tx, "SELECT x FROM a", BIND()), 11);
    assert_int_equal(sql_int(&tx, "SELECT y FROM b", BIND()), 2);
    assert_int_equal(sql_end(&tx), ecNone);
    assert_int_equal(sql_schema(f->db, steps, 2, "first"), ecVersion);
    assert_non_null(strstr(sql_error(f->db), "version 3"));
}

static void a_step_that_fails_leaves_the_version_as_it_was(void **state)
{
    struct fixture *f = *state;
    static const struct sql_schema_step broken[] = { { "a", "CREATE TABLE a(x BIGINT)" }, { "b", "CREATE TABLE" } };
    assert_int_equal(sql_schema(f->db, broken, 2, "first"), ecError);
    assert_int_equal(sql_schema(f->db, steps, 3, "first"), ecNone);
}

static void processes_that_make_the_tables_at_once_agree(void **state)
{
    struct fixture *f = *state;
    enum { PROCESSES = 6 };
    pid_t children[PROCESSES];
    int start[2];
    assert_int_equal(pipe(start), 0);
    fflush(NULL);
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            char c;
            struct sql *db = NULL;
            close(start[1]);
            enum ec ec = read(start[0], &c, 1) == 0 ? sql_open(&db, NULL, f->url) : ecError;
            if (!ec)
                ec = sql_schema(db, steps, 3, "first");
            talloc_free(db);
            _exit(ec != ecNone);
        }
    }
    close(start[0]);
    close(start[1]);
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    struct sql *db = open_one_more(f);
    struct sql_tx tx = sql_read(db);
    assert_int_equal(sql_int(&tx, "SELECT sum(x) FROM a", BIND()), 11);
    assert_int_equal(sql_end(&tx), ecNone);
}

/* ---- durability ---- */

static void commit_and_tell(const char *url, int told)
{
    struct sql *db;
    if (sql_open(&db, NULL, url))
        _exit(1);
    for (int64_t id = 1;; id++) {
        if (add(db, id, NULL) || write(told, &id, sizeof id) != sizeof id)
            _exit(2);
    }
}

/* Kills the writer in the middle; returns the last id that it was told is safe. */
static int64_t kill_a_writer(const char *url, int64_t after)
{
    int ends[2];
    int64_t id = 0, last = 0;
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    const pid_t writer = fork();
    if (writer == 0)
        commit_and_tell(url, ends[1]);
    close(ends[1]);
    while (read(ends[0], &id, sizeof id) == sizeof id) {
        last = id;
        if (last == after)
            kill(writer, SIGKILL);
    }
    close(ends[0]);
    int status;
    waitpid(writer, &status, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return last;
}

static void what_was_acknowledged_survives_SIGKILL(void **state)
{
    struct fixture *f = *state;
    struct postgres_fixture *durable = NULL;
    if (!f->engine->is_sqlite) {
        durable = postgres_fixture_start(f, POSTGRES_DURABLE);
        assert_non_null(durable);
        f->url = postgres_fixture_database(f, durable);
        assert_int_equal(sql_script(open_one_more(f), table_script), ecNone);
    }
    const int64_t told = kill_a_writer(f->url, 100);
    if (durable)
        assert_true(postgres_fixture_crash(durable));
    const int64_t found = count_of(open_one_more(f));     /* ids are unique: each is there once */
    assert_true(told >= 100);
    assert_true(found == told || found == told + 1);      /* one may have been committed and not told */
    struct sql *db = open_one_more(f);
    struct sql_tx tx = sql_read(db);
    assert_int_equal(sql_int(&tx, "SELECT max(id) FROM item", BIND()), found);
    assert_int_equal(sql_end(&tx), ecNone);
}

/* ---- SQLite alone ---- */

static void assert_open_fails(struct fixture *f, const char *url, enum ec expected, const char *says)
{
    struct sql *db = (void *)f;
    const enum ec ec = sql_open(&db, f, url);
    if (ec != expected || !strstr(sql_error(NULL), says))
        print_error("%s: %s: %s\n", url, ec_name(ec), sql_error(NULL));
    assert_int_equal(ec, expected);
    assert_non_null(strstr(sql_error(NULL), says));
    assert_non_null(strstr(logged(f), sql_error(NULL)));
    assert_null(db);
}

static void a_new_file_is_for_its_owner_alone(void **state)
{
    struct fixture *f = *state;
    struct stat status;
    assert_int_equal(add(f->db, 1, "a"), ecNone);
    static const char *const endings[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < COUNTOF(endings); i++) {
        char *path = talloc_asprintf(f, "%s/test.db%s", f->folder, endings[i]);
        assert_int_equal(stat(path, &status), 0);
        assert_int_equal(status.st_mode & 0777, 0600);
    }
}

static void a_path_that_cannot_be_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    assert_open_fails(f, "mysql://db1/oxcart", ecInvalidParam, "sqlite:/path/file.db");
    assert_open_fails(f, "", ecInvalidParam, "sqlite:/path/file.db");
    assert_open_fails(f, "sqlite::memory:", ecInvalidParam, "absolute");
    assert_open_fails(f, "sqlite:", ecInvalidParam, "absolute");
    assert_open_fails(f, "sqlite:relative.db", ecInvalidParam, "absolute");
    assert_open_fails(f, talloc_asprintf(f, "sqlite:%s/no/folder/x.db", f->folder), ecNotFound, "make the folder");
    assert_open_fails(f, talloc_asprintf(f, "sqlite:%s", f->folder), ecAccessDenied, f->folder);
}

static void a_file_that_may_not_be_written_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    char *path = talloc_asprintf(f, "%s/x.db", f->folder), *url = talloc_asprintf(f, "sqlite:%s", path);
    assert_int_equal(close(open(path, O_CREAT | O_WRONLY, 0444)), 0);
    assert_int_equal(chmod(f->folder, 0755), 0);
    const uid_t self = geteuid();
    if (self == 0)
        assert_int_equal(seteuid(65534), 0);              /* root may write anything */
    assert_open_fails(f, url, ecAccessDenied, "the right to read and write");
    assert_open_fails(f, talloc_asprintf(f, "sqlite:%s/new.db", self ? "/usr" : f->folder), ecAccessDenied, "created");
    assert_int_equal(seteuid(self), 0);
}

static void write_at(const char *path, off_t at, const void *bytes, size_t size)
{
    const int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(pwrite(fd, bytes, size, at), size);
    close(fd);
}

static void a_file_that_is_no_database_is_refused_by_name(void **state)
{
    struct fixture *f = *state;
    char *path = talloc_asprintf(f, "%s/x.db", f->folder), junk[8192];
    memset(junk, 'x', sizeof junk);
    write_at(path, 0, junk, sizeof junk);
    assert_open_fails(f, talloc_asprintf(f, "sqlite:%s", path), ecCorruptStore, "backup");
}

static void a_damaged_file_is_told_from_a_mistake(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    for (int64_t i = 0; i < 500; i++)
        sql_exec(&tx, insert_sql, BIND(B_INT(i), B_NULL, B_NULL, B_NULL, B_BYTES(table_script, sizeof table_script)));
    assert_int_equal(sql_end(&tx), ecNone);
    talloc_free(f->db);
    char junk[4096 * 8];
    memset(junk, 0x5A, sizeof junk);
    write_at(strchr(f->url, ':') + 1, 4096 * 3, junk, sizeof junk);
    f->db = open_one_more(f);
    tx = sql_read(f->db);
    sql_int(&tx, "SELECT sum(length(bytes)) FROM item", BIND());
    assert_int_equal(sql_end(&tx), ecCorruptStore);
    assert_int_equal(times(logged(f), "restore the file from a backup"), 1);
}

static void a_full_disk_undoes_the_transaction_and_says_so(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "before"), ecNone);
    assert_int_equal(sql_script(f->db, "PRAGMA max_page_count = 12"), ecNone);
    uint8_t *big = talloc_zero_size(f, 200000);
    for (int i = 0; i < 2; i++) {
        struct sql_tx tx = sql_begin(f->db);
        struct sql_tx part = sql_savepoint(f->db);
        sql_exec(&part, insert_sql, BIND(B_INT(2), B_NULL, B_NULL, B_NULL, B_BYTES(big, 200000)));
        assert_int_equal(sql_end(&part), ecDiskFull);
        if (i == 1)
            sql_abort(&tx, ecDiskFull);
        sql_end(&tx);
    }
    assert_int_equal(times(logged(f), "free some space"), 1);
    assert_int_equal(count_of(f->db), 1);
    assert_int_equal(sql_script(f->db, "PRAGMA max_page_count = 100000"), ecNone);
    assert_int_equal(add(f->db, 2, "after"), ecNone);
}

/* ---- PostgreSQL alone ---- */

static unsigned closed_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t size = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static char *replaced(TALLOC_CTX *arena, const char *text, const char *old, const char *new)
{
    const char *at = strstr(text, old);
    assert_non_null(at);
    return talloc_asprintf(arena, "%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

static void a_server_that_refuses_is_told_apart(void **state)
{
    struct fixture *f = *state;
    char *nobody_listens = talloc_asprintf(f, "postgresql://u:secret@127.0.0.1:%u/x", closed_port());
    assert_open_fails(f, nobody_listens, ecServerBusy, "refused");
    assert_open_fails(f, "postgresql://u:secret@%2Fnowhere/x", ecServerBusy, "see that PostgreSQL runs");
    assert_open_fails(f, replaced(f, f->url, "oxcart:", "oxcart:x"), ecLoginFailure, "pg_hba.conf");
    assert_open_fails(f, replaced(f, f->url, "oxcart:", "nobody:"), ecLoginFailure, "pg_hba.conf");
    assert_open_fails(f, replaced(f, f->url, "/test", "/nosuch"), ecNotFound, "createdb");
    assert_open_fails(f, "postgresql://u:secret@host:port:/?what=1", ecInvalidParam, "libpq");
    assert_null(strstr(logged(f), "secret"));
}

static void the_name_does_not_tell_the_password(void **state)
{
    struct fixture *f = *state;
    assert_true(text_is_prefix(sql_name(f->db), "postgresql:///"));
    assert_non_null(strstr(sql_name(f->db), "/oxcart-pg-"));
    assert_null(strchr(sql_name(f->db), '@'));
}

static void several_hosts_are_left_to_libpq(void **state)
{
    struct fixture *f = *state;
    char *hosts = replaced(f, f->url, "@", "@%2Fnowhere,");
    f->url = talloc_asprintf(f, "%s?target_session_attrs=read-write", hosts);
    assert_int_equal(add(open_one_more(f), 1, "a"), ecNone);
}

static void terminate_others(struct fixture *f)
{
    struct sql *other = open_one_more(f);
    struct sql_tx tx = sql_read(other);
    sql_exec(&tx, "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                  " WHERE datname = current_database() AND pid <> pg_backend_pid()", BIND());
    assert_int_equal(sql_end(&tx), ecNone);
    talloc_free(other);
}

static void a_connection_lost_in_a_transaction_is_ecServerBusy_once(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "one"), ecNone);
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_id_sql, BIND(B_INT(2)));
    terminate_others(f);
    struct sql_tx part = sql_savepoint(f->db);
    assert_int_equal(sql_exec(&part, insert_id_sql, BIND(B_INT(3))), 0);
    assert_int_equal(sql_end(&part), ecServerBusy);
    assert_int_equal(sql_end(&tx), ecServerBusy);
    assert_int_equal(times(logged(f), "see that PostgreSQL runs"), 1);
    assert_int_equal(add(f->db, 4, "four"), ecNone);
    assert_int_equal(count_of(f->db), 2);
}

static void a_connection_lost_before_the_commit_commits_nothing(void **state)
{
    struct fixture *f = *state;
    struct sql_tx tx = sql_begin(f->db);
    sql_exec(&tx, insert_id_sql, BIND(B_INT(2)));
    terminate_others(f);
    assert_int_equal(sql_end(&tx), ecServerBusy);
    assert_int_equal(count_of(f->db), 0);
}

static void a_connection_lost_while_idle_is_not_noticed(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(add(f->db, 1, "one"), ecNone);
    terminate_others(f);
    assert_int_equal(add(f->db, 2, "two"), ecNone);
    assert_int_equal(count_of(f->db), 2);
    terminate_others(f);
    assert_int_equal(count_of(f->db), 2);
    assert_true(postgres_fixture_crash(server));
    assert_int_equal(add(f->db, 3, "three"), ecNone);
}

static void the_servers_codes_become_ours(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sqlstate;
        enum ec ec;
    } codes[] = {
        { "53100", ecDiskFull }, { "53300", ecServerBusy }, { "40001", ecServerBusy }, { "40P01", ecServerBusy },
        { "55P03", ecServerBusy }, { "XX001", ecCorruptStore }, { "58030", ecReadFault }, { "42501", ecAccessDenied },
        { "23505", ecDuplicateName }, { "23502", ecError }, { "54000", ecTooComplex },
    };
    for (size_t i = 0; i < COUNTOF(codes); i++) {
        char *script = talloc_asprintf(f, "DO $$ BEGIN RAISE EXCEPTION 'made' USING ERRCODE = '%s'; END $$",
                                       codes[i].sqlstate);
        assert_int_equal(sql_script(f->db, script), codes[i].ec);
    }
    assert_int_equal(count_of(f->db), 0);
}

static void a_server_that_became_a_standby_is_left(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(sql_script(f->db, "SET default_transaction_read_only = on"), ecNone);
    assert_int_equal(add(f->db, 1, "refused"), ecServerBusy);
    assert_int_equal(add(f->db, 1, "by a new connection"), ecNone);
}

static void commits_are_durable_whatever_the_servers_default(void **state)
{
    struct fixture *f = *state;
    f->url = talloc_asprintf(f, "%s?options=-csynchronous_commit%%3Doff", f->url);
    struct sql *db = open_one_more(f);
    struct sql_tx tx = sql_read(db);
    assert_string_equal(sql_text(f, &tx, "SELECT current_setting('synchronous_commit')", BIND()), "on");
    assert_int_equal(sql_end(&tx), ecNone);
}

/* ---- the tables of tests ---- */

#define TEST(f) { #f, f, setup, teardown, NULL }
#define TEST_WITHOUT_DATABASE(f) { #f, f, setup_without_database, teardown, NULL }

static const struct CMUnitTest tests_of_both[] = {
    TEST(a_row_comes_back_as_it_went_in),
    TEST(NULL_reads_as_nothing),
    TEST(a_parameter_that_was_NULL_once_takes_a_value_later),
    TEST(parameters_stand_in_any_order_and_more_than_once),
    TEST(too_few_values_are_an_error_not_NULL),
    TEST(text_that_is_not_UTF8_is_refused),
    TEST(a_column_of_another_type_is_an_error),
    TEST(computed_numbers_read_as_numbers),
    TEST(bytes_sort_as_memcmp_does),
    TEST(a_value_of_some_megabytes_goes_both_ways),
    TEST(rows_affected_are_counted),
    TEST(a_change_gives_back_what_it_made),
    TEST(the_same_statement_runs_inside_itself),
    TEST(values_of_a_query_need_not_outlive_the_call),
    TEST(a_loop_may_be_left_early),
    TEST(more_statements_than_are_kept_still_run),
    TEST(another_text_at_the_same_address_is_another_statement),
    TEST(a_statement_survives_a_change_of_its_table),
    TEST(statements_are_counted),
    TEST(the_first_error_sticks_and_everything_is_undone),
    TEST(no_row_is_ecNotFound),
    TEST(the_callers_own_error_undoes_as_well),
    TEST(a_wrong_statement_is_an_error_that_names_it_once),
    TEST(errors_do_not_tell_the_rows_values),
    TEST(an_inner_transaction_commits_with_the_outer_one),
    TEST(an_inner_one_that_fails_before_a_change_leaves_the_outer_one),
    TEST(an_inner_one_that_fails_after_a_change_dooms_the_outer_one),
    TEST(a_savepoint_undoes_itself_alone),
    TEST(a_walk_goes_on_across_savepoints_that_fail),
    TEST(a_reader_may_not_write),
    TEST(transactions_without_a_statement_are_fine),
    TEST(a_reader_sees_one_state_until_its_end),
    TEST(a_writer_that_waits_too_long_is_told_ecServerBusy),
    TEST(a_writer_in_another_process_is_waited_for_as_well),
    TEST(writers_that_take_turns_lose_no_update),
    TEST(a_script_is_done_whole_or_not_at_all),
    TEST(an_engines_own_comment_is_read_by_that_engine_alone),
    TEST(tables_are_brought_up_to_date_step_by_step),
    TEST(a_step_that_fails_leaves_the_version_as_it_was),
    TEST_WITHOUT_DATABASE(processes_that_make_the_tables_at_once_agree),
    TEST(what_was_acknowledged_survives_SIGKILL),
};

static const struct CMUnitTest tests_of_sqlite[] = {
    TEST(a_new_file_is_for_its_owner_alone),
    TEST_WITHOUT_DATABASE(a_path_that_cannot_be_is_refused_by_name),
    TEST_WITHOUT_DATABASE(a_file_that_may_not_be_written_is_refused_by_name),
    TEST_WITHOUT_DATABASE(a_file_that_is_no_database_is_refused_by_name),
    TEST(a_damaged_file_is_told_from_a_mistake),
    TEST(a_full_disk_undoes_the_transaction_and_says_so),
};

static const struct CMUnitTest tests_of_postgres[] = {
    TEST_WITHOUT_DATABASE(a_server_that_refuses_is_told_apart),
    TEST(the_name_does_not_tell_the_password),
    TEST(several_hosts_are_left_to_libpq),
    TEST(a_connection_lost_in_a_transaction_is_ecServerBusy_once),
    TEST(a_connection_lost_before_the_commit_commits_nothing),
    TEST(a_connection_lost_while_idle_is_not_noticed),
    TEST(the_servers_codes_become_ours),
    TEST(a_server_that_became_a_standby_is_left),
    TEST(commits_are_durable_whatever_the_servers_default),
};

static struct CMUnitTest all[2 * COUNTOF(tests_of_both) + COUNTOF(tests_of_sqlite) + COUNTOF(tests_of_postgres)];

static size_t add_tests(size_t at, const struct CMUnitTest *tests, size_t count, struct engine *engine)
{
    for (size_t i = 0; i < count; i++) {
        all[at + i] = tests[i];
        all[at + i].name = talloc_asprintf(server, "%s, %s", engine->name, tests[i].name);
        all[at + i].initial_state = engine;
    }
    return at + count;
}

int main(void)
{
    cmocka_set_message_output(CM_OUTPUT_TAP);
    server = postgres_fixture_start(NULL, POSTGRES_FAST);
    if (!server)
        return 1;
    size_t n = add_tests(0, tests_of_both, COUNTOF(tests_of_both), &engine_sqlite);
    n = add_tests(n, tests_of_sqlite, COUNTOF(tests_of_sqlite), &engine_sqlite);
    n = add_tests(n, tests_of_both, COUNTOF(tests_of_both), &engine_postgres);
    add_tests(n, tests_of_postgres, COUNTOF(tests_of_postgres), &engine_postgres);
    const int failures = cmocka_run_group_tests_name("sql", all, NULL, NULL);
    talloc_free(server);
    return failures;
}
