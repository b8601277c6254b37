/* SPDX-License-Identifier: Apache-2.0 */
/* cmdlet/fixture.h: an organisation of its own for each test of this room. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <unistd.h>

#include "cmdlet/cmdlet.h"
#include "cmdlet/value.h"

struct fixture {
    char *dir;
    TALLOC_CTX *open;
    struct cmdlet_context context;
    struct cmdlet_result last;
    unsigned created, removed, told;        /* calls of the store */
    enum ec store_says;
    const char *answers, *question;
};

static inline enum ec fixture_create(void *arg, const struct account *account)
{
    struct fixture *f = arg;
    f->created += account->store_url != NULL && !guid_is_zero(account->mailbox_guid);
    return f->store_says;
}

static inline enum ec fixture_remove(void *arg, const struct account *account)
{
    struct fixture *f = arg;
    f->removed += account->store_url != NULL && !guid_is_zero(account->mailbox_guid);
    return f->store_says;
}

static inline void fixture_changed(void *arg, const struct account *account)
{
    struct fixture *f = arg;
    f->told += account != NULL;
}

static inline char fixture_answer(void *arg, const char *question)
{
    struct fixture *f = arg;
    f->question = talloc_strdup(f, question);
    return *f->answers ? *f->answers++ : 'N';
}

static inline int fixture_new(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    char path[] = "/tmp/oxcart-cmdlet-XXXXXX";
    f->dir = talloc_strdup(f, mkdtemp(path));
    f->open = talloc_new(f);
    f->context = (struct cmdlet_context){ .store_create = fixture_create,
                                          .store_remove = fixture_remove,
                                          .store_arg = f,
                                          .account_changed = fixture_changed,
                                          .working_auth = ORG_BASIC,
                                          .caller = "test" };
    const struct org_defaults defaults = { .hostname = "mail.contoso.com" };
    assert_int_equal(org_open(&f->context.org, f->open, f->dir, &defaults), ecNone);
    assert_int_equal(directory_open(&f->context.directory, f->context.org, f->context.org), ecNone);
    *state = f;
    return 0;
}

static inline int fixture_free(void **state)
{
    struct fixture *f = *state;
    talloc_free(f->context.directory);
    TALLOC_FREE(f->open);
    assert_int_equal(system(talloc_asprintf(f, "rm -rf %s", f->dir)), 0);
    return talloc_free(f);
}

/* Runs a line; what it prints is in f->last. */
static inline const char *run_as(struct fixture *f, const char *line, enum cmdlet_output output)
{
    f->last = cmdlet_run(f, &f->context, line, output);
    return f->last.out;
}

/* The same, and it must succeed without a word on stderr. */
static inline const char *run(struct fixture *f, const char *line)
{
    run_as(f, line, CMDLET_DEFAULT);
    if (f->last.status || *f->last.err)
        fail_msg("%s: %s", line, f->last.err);
    return f->last.out;
}

/* It must fail, with this in its reason. */
static inline void refused(struct fixture *f, const char *line, const char *reason)
{
    run_as(f, line, CMDLET_DEFAULT);
    if (!f->last.status || !strstr(f->last.err, reason))
        fail_msg("%s: status %d, %s", line, f->last.status, f->last.err);
}

/* It must succeed, with this warning. */
static inline void warned(struct fixture *f, const char *line, const char *warning)
{
    run_as(f, line, CMDLET_DEFAULT);
    if (f->last.status || strncmp(f->last.err, "WARNING: ", 9) != 0 || !strstr(f->last.err, warning))
        fail_msg("%s: status %d, %s", line, f->last.status, f->last.err);
}

/* One property of what a pipeline gives. */
static inline const char *value_of(struct fixture *f, const char *line, const char *property)
{
    char *text = talloc_strdup(f, run(f, talloc_asprintf(f, "%s | select -ExpandProperty %s", line, property)));
    const size_t length = strlen(text);
    if (length)
        text[length - 1] = 0;
    return text;
}

#define ALICE "New-Mailbox alice -PrimarySmtpAddress alice@contoso.com -Password Passw0rd! -DisplayName 'Alice Example'"
