/* SPDX-License-Identifier: Apache-2.0 */
/* tests/examples.h: the byte examples of the specifications, read from tests/examples (README.md there has the
 * format).  Owns the cases that it reads; knows no structure and decodes nothing. */
#pragma once
#include "base/base.h"

/* What the bytes are.  The order is that of the keywords in examples.c. */
enum example_kind {
    EXAMPLE_ROP_REQUEST,  /* one ROP: RopId, LogonId, handle indices, then the structure */
    EXAMPLE_ROP_RESPONSE, /* one ROP: RopId, a handle index, ReturnValue, then the structure if that is 0 */
    EXAMPLE_ROP_INPUT,    /* a whole ROP buffer: RopSize, RopsList, ServerObjectHandleTable */
    EXAMPLE_ROP_OUTPUT,
    EXAMPLE_REQUEST_BODY, /* of MAPI over HTTP */
    EXAMPLE_RESPONSE_BODY,
    EXAMPLE_DATA,         /* the structure alone */
    EXAMPLE_HTTP_REQUEST, /* lines of text, each ended by CR LF */
    EXAMPLE_HTTP_RESPONSE,
    EXAMPLE_NO_BYTES, /* only while reading */
};

enum example_value_type { EXAMPLE_NUMBER, EXAMPLE_TEXT, EXAMPLE_BYTES };
struct example_value {
    const char *name; /* as the specification spells it: "PropertyValues[1].PropertyTag" */
    enum example_value_type type;
    uint64_t number;
    unsigned width; /* of a number, in bytes: as many as it has pairs of digits */
    const char *text;
    struct blob bytes;
};

struct example {
    const char *file;
    unsigned line; /* where it begins */
    const char *spec, *section, *title;
    const char *structure; /* "RopSetColumnsRequest" */
    enum example_kind kind;
    struct blob bytes;
    struct example_value *frame; /* RopId, LogonId, handle indices, ReturnValue: not part of the structure */
    size_t frame_count;
    struct example_value *fields;
    size_t field_count;
    uint32_t *columns; /* property tags of the rows in the bytes */
    size_t column_count;
    const char *note; /* what the specification has wrong, or NULL; several lines joined by "; " */
    bool skip;        /* the bytes are not complete: do not decode */
};

struct examples {
    struct example *cases;
    size_t count;
};

/* Adds the examples of one file's text.  NULL, or what is wrong and where. */
const char *examples_parse(TALLOC_CTX *owner, const char *file, const char *text, struct examples *);
/* All *.example and *.http below `directory`, in the order of their names.  NULL, or what is wrong and where. */
const char *examples_load(TALLOC_CTX *owner, const char *directory, struct examples *);
/* NULL: the example has no such field. */
const struct example_value *example_field(const struct example *, const char *name);
