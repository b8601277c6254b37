/* SPDX-License-Identifier: Apache-2.0 */
/* rop/fx_fixture.h: for tests: a client that synchronises a folder and keeps its state, and streams taken apart. */
#pragma once
#include "rop/fixture.h"
#include "rop/ics_state.h"

/* One element of a stream. */
struct fx_element {
    uint32_t tag;             /* of a marker or a property */
    const char *marker;       /* its name; NULL: a property, */
    struct prop prop;         /* of this value, */
    struct PropertyName name; /* and this name, if it is a named one */
};
struct fx_stream {
    struct blob bytes;
    struct fx_element *elements;
    uint32_t count;
};
/* Everything that the download gives, in buffers of `size` bytes. */
struct fx_stream fx_fetch(struct rop_fixture *, uint32_t download, uint16_t size);
struct fx_stream fx_parse(TALLOC_CTX *, struct blob);
/* The markers in a row: "IncrSyncChg IncrSyncMessage ...". */
const char *fx_outline(TALLOC_CTX *, const struct fx_stream *);
/* The property's value from element `from` on and before the next marker of this name (NULL: to the end); NULL: not there. */
const struct prop *fx_find(const struct fx_stream *, uint32_t from, uint32_t tag, const char *until);
uint32_t fx_marker_at(const struct fx_stream *, const char *marker, unsigned which); /* count: there are fewer */
unsigned fx_markers(const struct fx_stream *, const char *marker);                   /* how many */

struct fx_client {
    struct rop_fixture *f;
    uint64_t fid;
    uint8_t type, send_options;
    uint16_t flags, buffer;
    uint32_t extra;
    const struct restriction *restriction;
    const uint32_t *tags;
    uint16_t tag_count;
    struct blob given, seen, seen_fai, read; /* the state that it has kept */
    uint32_t download;                       /* of the last synchronisation */
    struct fx_stream got;
};
enum { FX_CONTENTS = 1, FX_HIERARCHY = 2 };
struct fx_client *fx_client(struct rop_fixture *, uint64_t fid, uint8_t type); /* Unicode, and everything */
uint32_t fx_client_begin(struct fx_client *); /* configured, the state uploaded; the download's handle */
void fx_client_sync(struct fx_client *);      /* and fetched, and the new state kept */
bool fx_client_has(struct fx_client *, struct blob set, uint64_t id);
/* Is it among the ids of this property (MetaTagIdsetDeleted ...)? */
bool fx_says(struct fx_client *, uint32_t tag, uint64_t id);
