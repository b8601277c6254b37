/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "autodiscover/fixture.h"
#include "http/transport.h"

int fixture_open(void **state)
{
    struct fixture *f = talloc_zero(NULL, struct fixture);
    char path[] = "/tmp/oxcart-autodiscover-XXXXXX";
    f->dir = talloc_strdup(f, mkdtemp(path));
    f->arena = talloc_new(f);
    const struct org_defaults defaults = { .hostname = "mail.contoso.com" };
    assert_int_equal(org_open(&f->room.org, f, f->dir, &defaults), ecNone);
    assert_int_equal(directory_open(&f->room.directory, f, f->room.org), ecNone);
    const struct account_new alice = { .name = "alice",
                                       .display_name = "Alice <Example> & Sons",
                                       .primary_smtp = "alice@contoso.com",
                                       .database = org_settings(f->room.org, f->arena)->databases[0].guid };
    assert_int_equal(directory_create(f->room.directory, f->arena, &alice, NULL, NULL, &f->alice), ecNone);
    *state = f;
    return 0;
}

const struct account *fixture_public_folders(struct fixture *f)
{
    const struct account *account;
    const struct account_new folders = { .name = "PublicFolders",
                                         .kind = ACCOUNT_PUBLIC_FOLDERS,
                                         .primary_smtp = "public@contoso.com",
                                         .database = org_settings(f->room.org, f->arena)->databases[0].guid };
    assert_int_equal(directory_create(f->room.directory, f->arena, &folders, NULL, NULL, &account), ecNone);
    return account;
}

int fixture_close(void **state)
{
    struct fixture *f = *state;
    TALLOC_FREE(f->arena);
    TALLOC_FREE(f->room.directory);
    TALLOC_FREE(f->room.org);
    assert_int_equal(system(talloc_asprintf(f, "rm -rf %s", f->dir)), 0);
    return talloc_free(f);
}

struct reply fixture_ask(struct fixture *f, http_handler *handler, struct http_request request)
{
    struct http_recorder *recorder = http_recorder_new(f->arena);
    request.arena = talloc_new(f->arena);
    request.context = &f->room;
    http_recorder_run(recorder, handler, &request);
    assert_int_equal(recorder->after, HTTP_COMPLETE);
    char *all = talloc_strndup(f->arena, (const char *)recorder->out.data, recorder->out.size);
    char *blank = strstr(all, "\r\n\r\n");
    assert_non_null(blank);
    blank[2] = '\0';
    return (struct reply){ (unsigned)strtoul(all + 9, NULL, 10), all, blank + 4 };
}
