/* SPDX-License-Identifier: Apache-2.0 */
/* Every structure of the tables, filled with random values: what is written can be read, what is cut short is refused,
 * noise does no harm.  WIRE_TEST_SEED=n repeats a run that failed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/number.h"
#include "wire/structs.h"
#include "wire/walk.h"

/* ---- chance ---- */

static uint64_t chance_state;

static uint32_t chance(uint32_t below)
{
    chance_state ^= chance_state << 13;
    chance_state ^= chance_state >> 7;
    chance_state ^= chance_state << 17;
    return below ? (uint32_t)((chance_state * 0x2545F4914F6CDD1D) >> 33) % below : 0;
}

static void chance_bytes(void *to, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((uint8_t *)to)[i] = (uint8_t)chance(256);
}

static uint64_t first_seed(void)
{
    const char *given = getenv("WIRE_TEST_SEED");
    return given ? strtoull(given, NULL, 0) : 1;
}

/* A seed of its own for each structure, flavour and round, so that each can be repeated alone. */
static void chance_begin(const struct wire_struct *s, enum wire_flavour flavour, unsigned round)
{
    chance_state = first_seed() * 0x9E3779B97F4A7C15 + flavour * 1000003u + round;
    for (const char *p = s->name; *p; p++)
        chance_state = chance_state * 31 + (uint8_t)*p;
    chance_state |= 1;
    chance(1);
}

/* ---- random values ---- */

struct maker {
    TALLOC_CTX *arena;
    enum wire_flavour flavour;
    const uint32_t *columns;
    uint32_t column_count;
};

static const char *make_text(bool wide)
{
    static const char *const texts[] = { "",
                                         "a",
                                         "Subject",
                                         "with space",
                                         "Gr\xC3\xBC\xC3\x9F",
                                         "\xE2\x82\xAC 5",
                                         "\xD0\x9F\xD1\x80\xD0\xB8",
                                         "\xF0\x9F\x93\xA7 mail" };
    return texts[chance(wide ? COUNTOF(texts) : COUNTOF(texts) - 2)];
}

static struct blob make_blob(const struct maker *m, size_t n)
{
    uint8_t *bytes = talloc_array(m->arena, uint8_t, n + 1);
    chance_bytes(bytes, n);
    return BLOB_OF(bytes, n);
}

static uint16_t make_type(const struct maker *m, bool column)
{
    static const uint16_t types[] = {
        PtypInteger16,
        PtypInteger32,
        PtypFloating32,
        PtypFloating64,
        PtypCurrency,
        PtypFloatingTime,
        PtypErrorCode,
        PtypBoolean,
        PtypInteger64,
        PtypString8,
        PtypString,
        PtypTime,
        PtypGuid,
        PtypServerId,
        PtypBinary,
        PtypRestriction,
        PtypRuleAction,
        PtypMultiple | PtypInteger16,
        PtypMultiple | PtypInteger32,
        PtypMultiple | PtypFloating32,
        PtypMultiple | PtypFloating64,
        PtypMultiple | PtypInteger64,
        PtypMultiple | PtypString8,
        PtypMultiple | PtypString,
        PtypMultiple | PtypTime,
        PtypMultiple | PtypGuid,
        PtypMultiple | PtypBinary,
    };
    if (column && chance(8) == 0)
        return PtypUnspecified;
    if (!column && chance(20) == 0)
        return PtypNull;
    if (!column && m->flavour == WIRE_BAG && chance(20) == 0)
        return PtypObject;
    return types[chance(COUNTOF(types))];
}

static const struct restriction *make_restriction(const struct maker *m, int depth);

static struct blob make_rule_action(const struct maker *m)
{
    struct buf bytes;
    buf_init(&bytes, m->arena);
    struct wire_out out = wire_out(&bytes);
    const size_t size = m->flavour == WIRE_ROP ? 2 : 4;
    const uint32_t blocks = chance(3);
    wire_put_uint(&out, blocks, size);
    for (uint32_t i = 0; i < blocks; i++) {
        const struct blob block = make_blob(m, chance(20));
        wire_put_uint(&out, block.size, size);
        wire_put_bytes(&out, block);
    }
    return buf_blob(&bytes);
}

static void make_multiple(const struct maker *m, uint16_t base, struct prop *p)
{
    const uint32_t n = chance(4);
    struct blob *blobs = talloc_array(m->arena, struct blob, n);
    const char **texts = talloc_array(m->arena, const char *, n);
    for (uint32_t i = 0; i < n; i++) {
        blobs[i] = make_blob(m, chance(10));
        texts[i] = make_text(base == PtypString || m->flavour == WIRE_BAG);
    }
    p->mv.count = n;
    p->mv.data = base == PtypBinary                          ? (const void *)blobs
                 : base == PtypString || base == PtypString8 ? (const void *)texts
                                                             : make_blob(m, n * prop_type_size(base)).data;
}

static struct prop make_value(const struct maker *m, uint32_t tag)
{
    const uint16_t type = PROP_TYPE(tag);
    struct prop p = { .tag = tag };
    if (type & PtypMultiple)
        make_multiple(m, type & ~PtypMultiple, &p);
    else if (type == PtypString || type == PtypString8)
        p.str = make_text(type == PtypString || m->flavour == WIRE_BAG);
    else if (type == PtypBinary || type == PtypServerId || type == PtypObject)
        p.bin = make_blob(m, chance(30));
    else if (type == PtypRuleAction)
        p.bin = make_rule_action(m);
    else if (type == PtypRestriction)
        p.restriction = make_restriction(m, 2);
    else if (type == PtypBoolean)
        p.b = chance(2);
    else
        chance_bytes(&p.guid, prop_type_size(type));
    return p;
}

static struct prop make_prop(const struct maker *m)
{
    return make_value(m, PROP_TAG(make_type(m, false), chance(0xFFFF)));
}

static struct props make_row(const struct maker *m, uint32_t count)
{
    struct prop *values = talloc_zero_array(m->arena, struct prop, count + 1);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t column = m->columns[i];
        uint16_t type = PROP_TYPE(column) == PtypUnspecified ? make_type(m, false) : PROP_TYPE(column);
        if (chance(12) == 0)
            type = chance(2) ? PtypErrorCode : PtypNull;
        values[i] = make_value(m, PROP_AS(column, type));
    }
    return (struct props){ count, values };
}

static void make_restriction_in(const struct maker *m, struct restriction *r, int depth)
{
    const bool list = (r->type = (uint8_t)chance(RES_COUNT + 1)) <= RES_OR;
    if (depth == 0 && (list || r->type == RES_NOT || r->type >= RES_SUBOBJECT))
        r->type = RES_EXIST;
    r->tag = PROP_TAG(PtypInteger32, chance(0xFFFF));
    r->tag2 = PROP_TAG(PtypInteger32, chance(0xFFFF));
    r->relop = (uint8_t)chance(7);
    r->number = chance(1000);
    r->fuzzy_low = (uint16_t)chance(3);
    r->fuzzy_high = (uint16_t)chance(8);
    if (r->type == RES_PROPERTY || r->type == RES_CONTENT)
        r->value = make_value(m, PROP_TAG(PtypString, 0x37));
    if (r->type == RES_COMMENT) {
        struct prop *comment = talloc_zero_array(m->arena, struct prop, 2);
        comment[0] = make_value(m, PROP_TAG(PtypInteger32, 1));
        comment[1] = make_value(m, PROP_TAG(PtypBinary, 2));
        r->comment = comment;
        r->comment_count = chance(3);
    }
    r->count = r->type <= RES_OR        ? chance(3)
               : r->type == RES_COMMENT ? chance(2)
                                        : r->type == RES_NOT || r->type == RES_SUBOBJECT || r->type == RES_COUNT;
    struct restriction *sub = talloc_zero_array(m->arena, struct restriction, r->count + 1);
    for (uint32_t i = 0; i < r->count; i++)
        make_restriction_in(m, &sub[i], depth - 1);
    r->sub = sub;
}

static const struct restriction *make_restriction(const struct maker *m, int depth)
{
    struct restriction *r = talloc_zero(m->arena, struct restriction);
    make_restriction_in(m, r, depth);
    return r;
}

/* ---- random structures ---- */

static bool is_counted(const struct wire_field *f)
{
    switch (f->type) {
    case WIRE_BLOB:
    case WIRE_SECRET:
    case WIRE_UINTS:
    case WIRE_IDS:
    case WIRE_TAGS:
    case WIRE_COLUMNS:
    case WIRE_ASCIIS:
    case WIRE_WIDES:
    case WIRE_PROPS:
    case WIRE_SUBS:
    case WIRE_ROWS: return true;
    default: return f->type == WIRE_ROW && f->of_size;
    }
}

/* A number that others depend on is chosen among those that they ask for. */
static uint64_t make_number(const struct maker *m, const struct wire_struct *s, const struct wire_field *self)
{
    uint64_t v = 0;
    bool asked = false, count = false;
    uint32_t most = 4;
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END; f++) {
        if (!f->of_size || f->of != self->offset)
            continue;
        asked = true;
        count |= is_counted(f);
        if (f->type == WIRE_ROW)
            most = MIN(most, m->column_count);
        if (f->type == WIRE_WHEN_IN)
            v |= chance(2) ? chance(32) : 0;
        else if (f->type == WIRE_WHEN || f->type == WIRE_WHEN_NOT)
            v |= chance(2) ? f->arg2 : f->arg & chance(0x7FFFFFFF);
        else if (f->type == WIRE_WHEN_ANY || f->type == WIRE_STR)
            v |= chance(2) ? f->arg & chance(0x7FFFFFFF) : 0;
    }
    if (count)
        return chance(most + 1);
    if (!asked || chance(8) == 0)
        chance_bytes(&v, self->arg);
    return self->type == WIRE_BOOL ? v & 1 : v;
}

static void make_struct(struct maker *m, const struct wire_struct *s, void *self, bool region);

static void *make_array(struct maker *m, const struct wire_field *f, uint64_t count)
{
    const size_t size = f->type == WIRE_SUBS                              ? f->sub->size
                        : f->type == WIRE_PROPS                           ? sizeof(struct prop)
                        : f->type == WIRE_ROWS                            ? sizeof(struct props)
                        : f->type == WIRE_ASCIIS || f->type == WIRE_WIDES ? sizeof(char *)
                                                                          : f->arg;
    uint8_t *a = talloc_zero_size(m->arena, (count + 1) * size + 1);
    for (uint64_t i = 0; i < count; i++) {
        if (f->type == WIRE_SUBS)
            make_struct(m, f->sub, a + i * size, false);
        else if (f->type == WIRE_PROPS)
            ((struct prop *)(void *)a)[i] = make_prop(m);
        else if (f->type == WIRE_ROWS)
            ((struct props *)(void *)a)[i] = make_row(m, m->column_count);
        else if (f->type == WIRE_ASCIIS || f->type == WIRE_WIDES)
            ((const char **)(void *)a)[i] = make_text(f->type == WIRE_WIDES);
        else if (f->type == WIRE_COLUMNS)
            ((uint32_t *)(void *)a)[i] = PROP_TAG(make_type(m, true), chance(0xFFFF));
        else
            chance_bytes(a + i * size, size);
    }
    if (f->type == WIRE_COLUMNS) {
        m->columns = (const uint32_t *)(const void *)a;
        m->column_count = (uint32_t)count;
    }
    return a;
}

static void make_field(struct maker *m, const struct wire_struct *s, const struct wire_field *f, void *self,
                       bool region)
{
    const uint64_t of = f->of_size ? number_load((uint8_t *)self + f->of, f->of_size) : 0;
    switch (f->type) {
    case WIRE_GUID:
    case WIRE_BYTES: chance_bytes((uint8_t *)self + f->offset, f->arg); break;
    case WIRE_BLOB:
    case WIRE_SECRET: FIELD_TO(struct blob, self, f) = make_blob(m, of); break;
    case WIRE_REST: FIELD_TO(struct blob, self, f) = make_blob(m, chance(40)); break;
    case WIRE_ASCII:
    case WIRE_WIDE: FIELD_TO(const char *, self, f) = make_text(f->type == WIRE_WIDE); break;
    case WIRE_STR: FIELD_TO(const char *, self, f) = make_text((of & f->arg) != 0); break;
    case WIRE_TYPED: FIELD_TO(const char *, self, f) = chance(3) ? make_text(true) : NULL; break;
    case WIRE_PROP: FIELD_TO(struct prop, self, f) = make_prop(m); break;
    case WIRE_ROW: FIELD_TO(struct props, self, f) = make_row(m, f->of_size ? (uint32_t)of : m->column_count); break;
    case WIRE_RESTRICTION:
        FIELD_TO(const struct restriction *, self, f) = region && chance(3) == 0 ? NULL : make_restriction(m, 3);
        break;
    case WIRE_SUB: make_struct(m, f->sub, (uint8_t *)self + f->offset, region); break;
    case WIRE_CODEPAGE: FIELD_TO(uint32_t, self, f) = chance(2) ? 65001 : 1252; break;
    case WIRE_SIZED: number_store((uint8_t *)self + f->offset, f->arg, chance(2)); break;
    default:
        if (is_counted(f))
            FIELD_TO(void *, self, f) = make_array(m, f, of);
        else
            number_store((uint8_t *)self + f->offset, f->arg, make_number(m, s, f));
    }
}

static void make_struct(struct maker *m, const struct wire_struct *s, void *self, bool region)
{
    int regions = region;
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END; f++) {
        if (wire_is_condition(f)) {
            if (!wire_condition_holds(f, self))
                f = wire_skip_block(f);
            continue;
        }
        regions -= f->type == WIRE_ENDSIZED;
        if (f->type != WIRE_ENDWHEN && f->type != WIRE_ENDSIZED)
            make_field(m, s, f, self, regions > 0);
        regions += f->type == WIRE_SIZED;
    }
}

/* ---- what is tried with each ---- */

struct trial {
    TALLOC_CTX *arena;
    const struct wire_struct *s;
    enum wire_flavour flavour;
    unsigned round;
    uint32_t columns[3]; /* for rows whose columns the caller knows */
};

static void fail_trial(const struct trial *t, const char *what)
{
    fail_msg("%s: %s, flavour %d, round %u, seed %llu", what, t->s->name, (int)t->flavour, t->round,
             (unsigned long long)first_seed());
}

static struct wire_out writer(const struct trial *t, struct buf *to)
{
    struct wire_out out = wire_out(to);
    out.flavour = t->flavour;
    out.columns = t->columns;
    out.column_count = COUNTOF(t->columns);
    return out;
}

static struct wire_in reader(const struct trial *t, struct blob from)
{
    struct wire_in in = wire_in(t->arena, from);
    in.flavour = t->flavour;
    in.columns = t->columns;
    in.column_count = COUNTOF(t->columns);
    return in;
}

/* The structure's bytes; data is NULL where it cannot be read. */
static struct blob put(const struct trial *t, const void *self)
{
    struct buf bytes;
    buf_init(&bytes, t->arena);
    struct wire_out out = writer(t, &bytes);
    if (!wire_put(&out, t->s, self))
        fail_trial(t, "cannot be written");
    return bytes.size ? buf_blob(&bytes) : BLOB_OF("", 0);
}

static void *get(const struct trial *t, struct blob from, size_t *left)
{
    void *self = talloc_zero_size(t->arena, t->s->size + 1);
    struct wire_in in = reader(t, from);
    if (!wire_get(&in, t->s, self))
        return NULL;
    *left = wire_left(&in);
    return self;
}

static struct blob make_bytes(const struct trial *t)
{
    struct maker m = { t->arena, t->flavour, t->columns, COUNTOF(t->columns) };
    void *self = talloc_zero_size(t->arena, t->s->size + 1);
    make_struct(&m, t->s, self, false);
    return put(t, self);
}

typedef void trial_body(const struct trial *);

static void for_every_structure(unsigned rounds, trial_body *body)
{
    for (size_t i = 0; wire_structs[i]; i++) {
        for (unsigned k = 0; k < 4 * rounds; k++) {
            struct trial t = { .s = wire_structs[i], .flavour = (enum wire_flavour)(k % 4), .round = k / 4 };
            chance_begin(t.s, t.flavour, t.round);
            t.arena = talloc_new(NULL);
            const struct maker m = { .flavour = t.flavour };
            for (size_t c = 0; c < COUNTOF(t.columns); c++)
                t.columns[c] = PROP_TAG(make_type(&m, true), chance(0xFFFF));
            body(&t);
            talloc_free(t.arena);
        }
    }
}

static void round_trip(const struct trial *t)
{
    size_t left;
    const struct blob first = make_bytes(t);
    const void *self = get(t, first, &left);
    if (!self)
        fail_trial(t, "what was written cannot be read");
    if (left)
        fail_trial(t, "bytes are left over");
    if (!blob_equal(first, put(t, self)))
        fail_trial(t, "written again it differs");
}

static void what_is_written_is_read_and_written_again_alike(void **state)
{
    (void)state;
    for_every_structure(25, round_trip);
}

/* A copy that ends where the allocation ends, so that the sanitizer sees one byte too many. */
static struct blob exact(struct blob from, size_t n)
{
    uint8_t *copy = malloc(n ? n : 1);
    memcpy(copy, from.data, n);
    return BLOB_OF(copy, n);
}

static void cut_short(const struct trial *t)
{
    size_t left;
    const struct blob whole = make_bytes(t);
    for (size_t n = 0; n < whole.size; n += 1 + n / 64) {
        const struct blob part = exact(whole, n);
        const void *self = get(t, part, &left);
        if (self)
            put(t, self);
        free((void *)part.data);
    }
}

static void a_prefix_is_refused_or_read_within_its_bounds(void **state)
{
    (void)state;
    for_every_structure(3, cut_short);
}

/* get, put, get, put: from the first writing on nothing changes any more. */
static void settle(const struct trial *t, struct blob noise)
{
    size_t left;
    const void *self = get(t, noise, &left);
    if (!self)
        return;
    struct buf shown;
    buf_init(&shown, t->arena);
    wire_dump(&shown, t->s, self, 0);
    const struct blob first = put(t, self);
    self = get(t, first, &left);
    if (!self || left)
        fail_trial(t, "what came of noise cannot be read");
    if (!blob_equal(first, put(t, self)))
        fail_trial(t, "what came of noise does not settle");
}

static void noise(const struct trial *t)
{
    const size_t n = chance(120);
    uint8_t *bytes = malloc(n + 1);
    const bool small = chance(2); /* many zeros and small counts get further */
    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)chance(small ? 4 : 256);
    settle(t, BLOB_OF(bytes, n));
    free(bytes);
}

static void changed(const struct trial *t)
{
    const struct blob whole = make_bytes(t), copy = exact(whole, whole.size);
    for (unsigned i = 0; i < 3 && copy.size; i++)
        ((uint8_t *)copy.data)[chance((uint32_t)copy.size)] = (uint8_t)chance(256);
    settle(t, copy);
    free((void *)copy.data);
}

static void noise_does_no_harm_and_settles_at_once(void **state)
{
    (void)state;
    for_every_structure(50, noise);
    for_every_structure(25, changed);
}

static void limited(const struct trial *t)
{
    size_t left;
    const struct blob whole = make_bytes(t);
    const void *self = get(t, whole, &left);
    for (size_t limit = 0; limit < whole.size; limit += 1 + limit / 64) {
        struct buf to;
        buf_init(&to, t->arena);
        buf_add(&to, "before", 6);
        struct wire_out out = writer(t, &to);
        out.limit = 6 + limit;
        if (wire_put(&out, t->s, self) || !out.full || to.size != 6 || memcmp(to.data, "before", 6) != 0)
            fail_trial(t, "a limit was not kept");
    }
}

static void what_does_not_fit_leaves_the_buffer_as_it_was(void **state)
{
    (void)state;
    for_every_structure(2, limited);
}

/* The bound that wire.c promises, with 96 bytes of talloc's own for each block. */
static void measured(const struct trial *t)
{
    size_t left;
    const struct blob whole = make_bytes(t);
    struct trial alone = *t;
    alone.arena = talloc_new(t->arena);
    for (size_t i = 0; i < whole.size; i += 1 + whole.size / 8) {
        const struct blob copy = exact(whole, whole.size);
        memset((uint8_t *)copy.data + i, 0xFF, MIN(4, copy.size - i));
        get(&alone, copy, &left);
        const size_t used = talloc_total_size(alone.arena) + 96 * talloc_total_blocks(alone.arena);
        if (used > 256 * whole.size + t->s->size + 4096)
            fail_trial(t, "too much memory");
        free((void *)copy.data);
        talloc_free_children(alone.arena);
    }
}

static void memory_stays_in_proportion_to_the_input(void **state)
{
    (void)state;
    for_every_structure(3, measured);
}

/* ---- the tables ---- */

static void check_description(const struct wire_struct *s)
{
    int regions = 0, conditions = 0;
    for (const struct wire_field *f = s->fields(); f->type != WIRE_END; f++) {
        bool before = !f->of_size;
        for (const struct wire_field *g = s->fields(); g < f; g++)
            before |=
                f->of == g->offset && g->type != WIRE_ENDSIZED && !wire_is_condition(g) && g->type != WIRE_ENDWHEN;
        conditions += wire_is_condition(f) - (f->type == WIRE_ENDWHEN);
        regions += (f->type == WIRE_SIZED) - (f->type == WIRE_ENDSIZED);
        if (!before)
            fail_msg("%s.%s depends on a member that is not read before it", s->name, f->name);
        if (regions < 0 || regions > 4 || conditions < 0)
            fail_msg("%s: blocks are not nested", s->name);
        if (f->offset + (size_t)1 > s->size && *f->name)
            fail_msg("%s.%s lies outside", s->name, f->name);
    }
    if (regions)
        fail_msg("%s: a SIZED block is not closed", s->name);
}

static void every_description_is_well_formed(void **state)
{
    (void)state;
    size_t n = 0;
    for (; wire_structs[n]; n++) {
        check_description(wire_structs[n]);
        assert_ptr_equal(wire_struct_named(wire_structs[n]->name), wire_structs[n]);
    }
    assert_true(n > 10);
    assert_null(wire_struct_named("RopMakeCoffeeRequest"));
}

/* ---- reading by hand ---- */

static void errors_stick_to_the_cursor(void **state)
{
    struct wire_in in = wire_in(*state, BLOB_OF("\x01\x02\x03", 3));
    assert_int_equal(wire_get_uint(&in, 2), 0x0201);
    assert_int_equal(wire_get_uint(&in, 2), 0);
    assert_true(in.bad);
    assert_int_equal(wire_get_uint(&in, 1), 0);
    assert_null(wire_get_bytes(&in, 1).data);
    assert_string_equal(wire_get_text(&in, false), "");
}

static void text_without_its_terminator_is_refused(void **state)
{
    struct wire_in narrow = wire_in(*state, BLOB_OF("abc", 3)), wide = wire_in(*state, BLOB_OF("a\0b\0\0", 5));
    assert_string_equal(wire_get_text(&narrow, false), "");
    assert_true(narrow.bad);
    assert_string_equal(wire_get_text(&wide, true), "");
    assert_true(wide.bad);
}

static void narrow_text_follows_the_code_page(void **state)
{
    struct buf to;
    buf_init(&to, *state);
    struct wire_out out = wire_out(&to);
    wire_put_text(&out, "\xE2\x82\xAC", false);
    assert_int_equal(to.data[0], 0x80); /* the euro sign of windows-1252 */
    struct wire_in in = wire_in(*state, BLOB_OF("\xCF\xF0\0", 3));
    in.codepage = 1251;
    assert_string_equal(wire_get_text(&in, false), "\xD0\x9F\xD1\x80");
    struct wire_in utf16 = wire_in(*state, BLOB_OF("ab\0", 3));
    utf16.codepage = 1200; /* cannot end with one zero byte */
    assert_string_equal(wire_get_text(&utf16, false), "ab");
}

static void shown(TALLOC_CTX *arena, const struct wire_struct *s, struct blob from, const char *expected)
{
    struct trial t = { .arena = arena, .s = s };
    struct buf text;
    size_t left;
    buf_init(&text, arena);
    const void *self = get(&t, from, &left);
    assert_non_null(self);
    wire_dump(&text, s, self, 0);
    buf_add(&text, "", 1);
    assert_string_equal((const char *)text.data, expected);
}

static void a_dump_names_tags_errors_and_ids(void **state)
{
    shown(*state, &PropertyProblem_wire, BLOB_OF("\x01\x00\x1F\x00\x37\x00\x0F\x01\x04\x80", 10),
          "Index: 1\nPropertyTag: PidTagSubject (0x0037001F)\nErrorCode: ecNotFound\n");
    shown(*state, &PropertyName_wire, BLOB_OF("\xFF\x08\x20\x06\0\0\0\0\0\xC0\0\0\0\0\0\0\x46", 17),
          "Kind: 0xFF (255)\nGUID: 00062008-0000-0000-c000-000000000046 (PSETID_Common)\n");
    shown(*state, &RopDeleteFolderRequest_wire, BLOB_OF("\x05\x01\0\0\0\0\0\0\x0D", 9),
          "DeleteFolderFlags: 5\nFolderId: 1:0x00000000000D\n");
}

static void a_dump_never_shows_a_body(void **state)
{
    struct buf text;
    buf_init(&text, *state);
    wire_dump_prop(&text, &P_STR(PidTagBody, "my secret"), 0);
    wire_dump_prop(&text, &P_BIN(PidTagHtml, BLOB_OF("secret", 6)), 0);
    wire_dump_prop(&text, &P_STR(PidTagSubject, "line\nbreak"), 1);
    buf_add(&text, "", 1);
    assert_null(strstr((const char *)text.data, "secret"));
    assert_non_null(strstr((const char *)text.data, "20 bytes"));
    assert_non_null(strstr((const char *)text.data, "  PidTagSubject (0x0037001F): \"line\\x0abreak\"\n"));
}

static void a_dump_of_a_stream_s_bytes_shows_their_number(void **state)
{
    shown(*state, &RopWriteStreamRequest_wire, BLOB_OF("\x06\0secret", 8), "DataSize: 6\nData: 6 bytes\n");
    shown(*state, &RopBuffer_wire, BLOB_OF("\x08\0secret\x01\0\0\0", 12),
          "RopSize: 8\nRopsList: 6 bytes\nServerObjectHandleTable: 4 bytes\n");
}

static int arena_new(void **state)
{
    *state = talloc_new(NULL);
    return 0;
}

static int arena_free(void **state)
{
    return talloc_free(*state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, arena_new, arena_free)
    const struct CMUnitTest tests[] = {
        TEST(every_description_is_well_formed),
        TEST(what_is_written_is_read_and_written_again_alike),
        TEST(a_prefix_is_refused_or_read_within_its_bounds),
        TEST(noise_does_no_harm_and_settles_at_once),
        TEST(what_does_not_fit_leaves_the_buffer_as_it_was),
        TEST(memory_stays_in_proportion_to_the_input),
        TEST(errors_stick_to_the_cursor),
        TEST(text_without_its_terminator_is_refused),
        TEST(narrow_text_follows_the_code_page),
        TEST(a_dump_names_tags_errors_and_ids),
        TEST(a_dump_never_shows_a_body),
        TEST(a_dump_of_a_stream_s_bytes_shows_their_number),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
