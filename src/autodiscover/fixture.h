/* SPDX-License-Identifier: Apache-2.0 */
/* autodiscover/fixture.h: for tests: the organisation Contoso with alice in a folder of its own, and requests to this
 * room's handlers as front/ would hand them over. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "autodiscover/autodiscover.h"

struct fixture {
    struct autodiscover room;
    const struct account *alice;
    TALLOC_CTX *arena; /* for the test; freed at its end */
    char *dir;
};

/* Makes the mailbox of the public folders. */
const struct account *fixture_public_folders(struct fixture *);
/* Setup and teardown for cmocka. */
int fixture_open(void **state);
int fixture_close(void **state);
#define AUTODISCOVER_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)

struct reply {
    unsigned status;
    const char *head, *body;
};
/* Fills in arena and context. */
struct reply fixture_ask(struct fixture *, http_handler *, struct http_request);
