/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an object satisfies a restriction.  [MS-OXCDATA] 2.12 */
#include "wire/number.h"
#include "wire/wire.h"

/* A property that is missing, or that is there as an error only, satisfies no comparison. */
static const struct prop *find(const struct restriction_subject *subject, uint32_t tag)
{
    const struct prop *p = subject->find(subject->arg, tag);
    return p && PROP_TYPE(p->tag) == PtypErrorCode && PROP_TYPE(tag) != PtypErrorCode ? NULL : p;
}

static bool holds(uint8_t relop, int order)
{
    switch (relop) {
    case RELOP_LT: return order < 0;
    case RELOP_LE: return order <= 0;
    case RELOP_GT: return order > 0;
    case RELOP_GE: return order >= 0;
    case RELOP_EQ: return order == 0;
    case RELOP_NE: return order != 0;
    default: return false; /* RELOP_MEMBER_OF_DL is the address book's; [MS-OXCDATA] 2.12.5.1 */
    }
}

static bool is_text(uint16_t type)
{
    return type == PtypString || type == PtypString8;
}

/* One value of a multiple one, as a value of its own. */
static struct prop element(const struct prop *p, uint32_t i)
{
    const uint16_t base = PROP_TYPE(p->tag) & ~PtypMultiple;
    const size_t size = prop_type_size(base);
    struct prop one = { .tag = PROP_AS(p->tag, base) };
    if (is_text(base))
        one.str = p->mv.str[i];
    else if (base == PtypBinary)
        one.bin = p->mv.bin[i];
    else
        memcpy(&one.u64, (const uint8_t *)p->mv.data + i * size, size);
    return one;
}

typedef bool test_of_value(const struct prop *, const struct restriction *, uint32_t lcid);

/* A multiple value passes when one of its values does; against another multiple value it is compared as a whole. */
static bool any_value(const struct prop *p, const struct restriction *r, uint32_t lcid, test_of_value *test)
{
    if (!(PROP_TYPE(p->tag) & PtypMultiple) || PROP_TYPE(r->value.tag) & PtypMultiple)
        return test(p, r, lcid);
    for (uint32_t i = 0; i < p->mv.count; i++) {
        const struct prop one = element(p, i);
        if (test(&one, r, lcid))
            return true;
    }
    return false;
}

/* Text is compared without regard to case, as every string comparison of a store.  Whether two are equal needs no
 * collation. */
static int compare(const struct prop *a, const struct prop *b, uint8_t relop, uint32_t lcid)
{
    if (!is_text(PROP_TYPE(a->tag)) || !is_text(PROP_TYPE(b->tag)))
        return prop_compare(a, b, lcid);
    TALLOC_CTX *scratch = talloc_new(NULL);
    const struct prop x = P_STR(PtypString, text_fold_only(scratch, a->str ? a->str : "", FOLD_CASE));
    const struct prop y = P_STR(PtypString, text_fold_only(scratch, b->str ? b->str : "", FOLD_CASE));
    const int order = relop == RELOP_EQ || relop == RELOP_NE ? strcmp(x.str, y.str) : prop_compare(&x, &y, lcid);
    talloc_free(scratch);
    return order;
}

static bool same_kind(const struct prop *a, const struct prop *b)
{
    const uint16_t x = PROP_TYPE(a->tag), y = PROP_TYPE(b->tag);
    return x == y ||
           ((x & PtypMultiple) == (y & PtypMultiple) && is_text(x & ~PtypMultiple) && is_text(y & ~PtypMultiple));
}

static bool passes_property(const struct prop *p, const struct restriction *r, uint32_t lcid)
{
    return same_kind(p, &r->value) && holds(r->relop, compare(p, &r->value, r->relop, lcid));
}

/* ---- content ---- */

static bool contains(struct blob whole, struct blob part, uint16_t how)
{
    if (part.size > whole.size)
        return false;
    switch (how & 0x000F) {
    case FL_FULLSTRING: return blob_equal(whole, part);
    case FL_SUBSTRING: return !part.size || memmem(whole.data, whole.size, part.data, part.size);
    case FL_PREFIX: return !part.size || memcmp(whole.data, part.data, part.size) == 0;
    default: return false;
    }
}

static struct blob folded(TALLOC_CTX *scratch, const char *text, uint16_t how)
{
    const unsigned what =
        (how & (FL_IGNORECASE | FL_LOOSE) ? FOLD_CASE : 0) | (how & (FL_IGNORENONSPACE | FL_LOOSE) ? FOLD_ACCENTS : 0);
    text = text ? text : "";
    text = what ? text_fold_only(scratch, text, what) : text;
    return BLOB_OF(text, strlen(text));
}

/* [MS-OXCDATA] 2.12.4: FuzzyLevelHigh is for text alone. */
static bool passes_content(const struct prop *p, const struct restriction *r, uint32_t lcid)
{
    (void)lcid;
    if (!same_kind(p, &r->value))
        return false;
    if (PROP_TYPE(p->tag) == PtypBinary)
        return contains(p->bin, r->value.bin, r->fuzzy_low);
    if (!is_text(PROP_TYPE(p->tag)))
        return false;
    TALLOC_CTX *scratch = talloc_new(NULL);
    const bool found =
        contains(folded(scratch, p->str, r->fuzzy_high), folded(scratch, r->value.str, r->fuzzy_high), r->fuzzy_low);
    talloc_free(scratch);
    return found;
}

/* ---- the others ---- */

static bool match_compare(const struct restriction *r, const struct restriction_subject *subject)
{
    const struct prop *a = find(subject, r->tag);
    if (!a)
        return false;
    const struct prop first = *a; /* `find` may use one place for its answers */
    const struct prop *b = find(subject, r->tag2);
    return b && same_kind(&first, b) && holds(r->relop, compare(&first, b, r->relop, subject->lcid));
}

static bool match_bits(const struct restriction *r, const struct prop *p)
{
    if (!p || PROP_TYPE(p->tag) != PtypInteger32)
        return false;
    return ((p->u32 & r->number) != 0) == (r->relop != 0);
}

static bool match_size(const struct restriction *r, const struct prop *p)
{
    const size_t n = p ? prop_length(p) : 0;
    return p && holds(r->relop, n > r->number ? 1 : n < r->number ? -1 : 0);
}

static bool match_list(const struct restriction *r, const struct restriction_subject *subject)
{
    const bool all = r->type == RES_AND;
    for (uint32_t i = 0; i < r->count; i++)
        if (restriction_match(&r->sub[i], subject) != all)
            return !all;
    return all;
}

bool restriction_match(const struct restriction *r, const struct restriction_subject *subject)
{
    const struct prop *p;
    switch (r->type) {
    case RES_AND:
    case RES_OR: return match_list(r, subject);
    case RES_NOT: return !restriction_match(r->sub, subject);
    case RES_CONTENT: p = find(subject, r->tag); return p && any_value(p, r, subject->lcid, passes_content);
    case RES_PROPERTY: p = find(subject, r->tag); return p && any_value(p, r, subject->lcid, passes_property);
    case RES_COMPAREPROPS: return match_compare(r, subject);
    case RES_BITMASK: return match_bits(r, find(subject, r->tag));
    case RES_SIZE: return match_size(r, find(subject, r->tag));
    case RES_EXIST: return find(subject, r->tag) != NULL;
    case RES_SUBOBJECT: return subject->sub && subject->sub(subject->arg, r->tag, r->sub);
    case RES_COMMENT: /* [MS-OXCDATA] 2.12.11: a comment without a restriction says nothing */
        return r->count == 0 || restriction_match(r->sub, subject);
    case RES_COUNT: /* whoever collects the matches keeps to the limit */ return restriction_match(r->sub, subject);
    default: return false;
    }
}
