/* SPDX-License-Identifier: Apache-2.0 */
#include "session/fixture.h"

#include <stdlib.h>
#include <unistd.h>

static enum ec make_store(void *arg, const struct account *a)
{
    (void)arg;
    return store_create(a->store_url,
                        &(struct store_identity){ a->mailbox_guid, a->display_name, a->legacy_dn, a->primary_smtp,
                                                 a->kind == ACCOUNT_PUBLIC_FOLDERS });
}

static const struct account *make_account(struct session_fixture *f, const char *name, const char *smtp,
                                          const char *display, enum account_kind kind)
{
    const struct account *account;
    const struct account_new new = { .name = name,
                                     .primary_smtp = smtp,
                                     .display_name = display,
                                     .kind = kind,
                                     .database = org_settings(f->org, f->arena)->databases[0].guid };
    assert_int_equal(directory_create(f->directory, f->arena, &new, make_store, NULL, &account), ecNone);
    return account;
}

void session_fixture_begin(struct session_fixture *f)
{
    char path[] = "/tmp/oxcart-session-XXXXXX";
    f->arena = talloc_new(f);
    f->folder = talloc_strdup(f, mkdtemp(path));
    assert_int_equal(org_open(&f->org, f, f->folder, &(struct org_defaults){ .hostname = "mail.contoso.com" }), ecNone);
    assert_int_equal(directory_open(&f->directory, f, f->org), ecNone);
    f->alice = make_account(f, "alice", "alice@contoso.com", "Alice Example", ACCOUNT_USER_MAILBOX);
    f->bob = make_account(f, "bob", "bob@contoso.com", "Bob Example", ACCOUNT_USER_MAILBOX);
    f->sessions = sessions_new(f, f->directory);
}

const struct account *session_fixture_public_folders(struct session_fixture *f)
{
    return make_account(f, "PublicFolders", "public@contoso.com", "Public Folders", ACCOUNT_PUBLIC_FOLDERS);
}

void session_fixture_end(struct session_fixture *f)
{
    talloc_free_children(f->arena);
    assert_int_equal(sessions_count(f->sessions), 0);
    TALLOC_FREE(f->sessions);
    TALLOC_FREE(f->directory);
    TALLOC_FREE(f->org);
    assert_int_equal(system(talloc_asprintf(f, "rm -rf %s", f->folder)), 0);
}

int session_fixture_open(void **state)
{
    struct session_fixture *f = talloc_zero(NULL, struct session_fixture);
    session_fixture_begin(f);
    *state = f;
    return 0;
}

int session_fixture_close(void **state)
{
    session_fixture_end(*state);
    return talloc_free(*state);
}

struct session *session_fixture_session(struct session_fixture *f, const struct account *user)
{
    const struct client_info client = {
        .code_page = 1252, .sort_locale = 0x409, .string_locale = 0x409, .application = "test"
    };
    struct session *s = session_new(f->sessions, user->mailbox_guid, &client);
    assert_non_null(s);
    return s;
}

struct logon *session_fixture_logon(struct session *s, uint8_t id, const struct account *mailbox)
{
    struct logon *l;
    assert_int_equal(session_logon(s, id, mailbox, &l), ecNone);
    return l;
}
