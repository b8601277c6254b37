/* SPDX-License-Identifier: Apache-2.0 */
/* A server that is killed has lost nothing that it said was saved, and has nothing twice. */
#include "store/fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define INBOX STORE_FID(SPECIAL_INBOX)

enum { ROUNDS = 6, BODY = 100000 };

struct acknowledged {
    uint64_t mid;
    uint32_t number, importance;
};

static enum ec attach(struct store_message *m)
{
    struct store_attachment *a;
    uint32_t number;
    enum ec result;
    const struct prop p = P_STR(PidTagAttachLongFilename, "a.txt");
    enum ec ec = store_attachment_new(&a, m, m, &number);
    if (!ec)
        ec = store_attachment_set(a, &p, 1, &result);
    return ec ? ec : store_attachment_save(a);
}

/* Delivers, then saves once more; tells each of the two when it is done. */
static enum ec deliver(struct store *st, uint32_t number, int out)
{
    static char body[BODY + 1];
    struct store_message *m;
    struct acknowledged told = { .number = number, .importance = 1 };
    TALLOC_CTX *arena = talloc_new(NULL);
    memset(body, 'a' + (int)(number % 26), BODY);
    enum ec ec = store_message_new(&m, arena, st, INBOX, false);
    if (!ec)
        ec = fixture_set(m, P_STR(PidTagSubject, talloc_asprintf(arena, "%u", number)));
    if (!ec)
        ec = fixture_set(m, P_STR(PidTagBody, body));
    if (!ec)
        ec = attach(m);
    if (!ec)
        ec = store_message_deliver(m, 0, &told.mid);
    if (!ec && write(out, &told, sizeof told) != sizeof told)
        ec = ecError;
    told.importance = 2;
    if (!ec)
        ec = fixture_set(m, P_I32(PidTagImportance, 2));
    if (!ec)
        ec = store_message_save(m, false, NULL);
    if (!ec && write(out, &told, sizeof told) != sizeof told)
        ec = ecError;
    talloc_free(arena);
    return ec;
}

static void serve(struct store_fixture *f, uint32_t first, int out)
{
    struct store *st;
    struct store_pool *pool = store_pool_new(NULL, NULL, NULL);
    enum ec ec = store_get(pool, f->url, f->mailbox, &st);
    if (!ec)
        store_lock(st);
    for (uint32_t i = first; !ec; i++)
        ec = deliver(st, i, out);
    _exit(1);
}

/* What the server said before it was killed. */
static uint32_t listen(struct store_fixture *f, uint32_t first, unsigned messages, struct acknowledged *all,
                       uint32_t count)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    const pid_t server = fork();
    assert_true(server >= 0);
    if (!server) {
        close(ends[0]);
        serve(f, first, ends[1]);
    }
    close(ends[1]);
    for (unsigned i = 0; i < messages && read(ends[0], &all[count], sizeof *all) == sizeof *all; i++)
        count++;
    kill(server, SIGKILL);
    while (read(ends[0], &all[count], sizeof *all) == sizeof *all)
        count++;
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(server, &status, 0), server);
    assert_true(WIFSIGNALED(status));
    return count;
}

static void check(struct store_fixture *f, const struct acknowledged *told)
{
    struct store_message *m = fixture_open(f, INBOX, told->mid);
    const uint32_t *numbers;
    uint32_t count;
    const char *body = store_message_text(f->arena, m, PidTagBody);
    assert_string_equal(fixture_prop(f, m, PidTagSubject).str, talloc_asprintf(f->arena, "%u", told->number));
    assert_int_equal(strlen(body), BODY);
    assert_int_equal(body[BODY - 1], 'a' + told->number % 26);
    assert_true(store_message_u32(m, PidTagImportance, 0) >= told->importance);
    OK(store_attachments(f->arena, m, &numbers, &count));
    assert_int_equal(count, 1);
    talloc_free(m);
}

static void what_was_acknowledged_is_there_exactly_once(void **state)
{
    struct store_fixture *f = *state;
    struct acknowledged *all = talloc_array(f->arena, struct acknowledged, 100000);
    uint32_t count = 0, distinct = 0;
    srandom((unsigned)getpid());
    for (uint32_t round = 0; round < ROUNDS; round++) {
        fixture_close(f);
        const uint32_t before = count;
        count = listen(f, round * 10000, 1 + (unsigned)random() % 60, all, count);
        fixture_reopen(f);
        for (uint32_t i = before; i < count; i++) {
            check(f, &all[i]);
            distinct += all[i].importance == 1;
        }
        const struct store_folder row = fixture_row(f, INBOX);
        assert_true(row.total >= distinct && row.total <= distinct + round + 1); /* one of each round may be unsaid */
        assert_int_equal(row.unread, row.total);
        assert_int_equal(fixture_rows(f, "message"), row.total);
        assert_int_equal(fixture_rows(f, "attachment"), row.total);
        assert_int_equal(fixture_rows(f, "value"), 2 * row.total);
    }
}

/* The first calls may find the old connection dead; then it goes on, and nothing is there twice. */
static void a_database_server_that_comes_back_is_used_again(void **state)
{
    struct store_fixture *f = *state;
    struct store_message *m;
    enum ec ec = ecServerBusy;
    const uint64_t mid = fixture_message(f, INBOX, "before");
    OK(store_message_new(&m, f->arena, f->store, INBOX, false));
    OK(fixture_set(m, P_STR(PidTagSubject, "after")));
    assert_true(f->is_sqlite || fixture_crash(f));
    for (int i = 0; i < 20 && ec == ecServerBusy; i++)
        ec = store_message_save(m, false, NULL);
    OK(ec);
    fixture_open(f, INBOX, mid);
    assert_int_equal(fixture_row(f, INBOX).total, 2);
    assert_int_equal(fixture_rows(f, "message"), 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(what_was_acknowledged_is_there_exactly_once),
    cmocka_unit_test(a_database_server_that_comes_back_is_used_again),
};

int main(void)
{
    return store_fixture_run("crashes", tests, COUNTOF(tests));
}
