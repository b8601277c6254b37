/* SPDX-License-Identifier: Apache-2.0 */
/* Random work on a mailbox beside a model of it in memory: contents, counts, sizes and the change stream must agree. */
#include "store/fixture.h"

#include <stdlib.h>

enum { FOLDERS = 5, MESSAGES = 400, STEPS = 1500 };

struct model_message {
    uint64_t mid, fid, cn; /* mid 0: a free place */
    bool associated, read;
    const char *prefix, *normalized;
    const char *shown[4]; /* by the type of recipient: PidTagDisplayTo, Cc, Bcc */
    struct blob html;     /* of up to some chunks, or empty */
    unsigned attachments, hidden;
    uint64_t modified;
    struct blob change_key;
};
struct model {
    struct store_fixture *f;
    uint64_t folders[FOLDERS];
    struct model_message messages[MESSAGES];
    uint64_t last_cn;
    /* What somebody knows who only listens: how many messages each folder has. */
    int64_t heard_total[FOLDERS], told_total[FOLDERS], told_unread[FOLDERS];
};

static unsigned below(unsigned n)
{
    return (unsigned)random() % n;
}

static size_t folder_index(const struct model *w, uint64_t fid)
{
    for (size_t i = 0; i < FOLDERS; i++)
        if (w->folders[i] == fid)
            return i;
    return FOLDERS;
}

static struct model_message *some_message(struct model *w)
{
    for (unsigned tries = 0; tries < MESSAGES; tries++) {
        struct model_message *m = &w->messages[below(MESSAGES)];
        if (m->mid)
            return m;
    }
    return NULL;
}

static struct model_message *free_place(struct model *w)
{
    for (size_t i = 0; i < MESSAGES; i++)
        if (!w->messages[i].mid)
            return &w->messages[i];
    return NULL;
}

static struct blob some_html(struct model *w)
{
    static const size_t sizes[] = { 0, 10, 4000, 5000, 70000, 200000 };
    const size_t size = sizes[below(COUNTOF(sizes))];
    uint8_t *bytes = talloc_array(w->f->arena, uint8_t, size);
    memset(bytes, 'a' + (int)below(26), size);
    return BLOB_OF(bytes, size);
}

/* The first recipient's row is replaced, others come or all go. */
static void address(struct model *w, struct store_message *m, struct model_message *model)
{
    TALLOC_CTX *arena = w->f->arena;
    if (below(3) == 0)
        return;
    store_recipients_clear(m);
    for (unsigned type = 1; type <= 3; type++)
        model->shown[type] = "";
    for (uint32_t i = 0, count = below(6); i < count; i++) {
        const uint8_t type = (uint8_t)(1 + below(3));
        const char *name = talloc_asprintf(arena, "Person %u", below(50)), *before = model->shown[type];
        const struct prop values[] = { P_STR(PidTagDisplayName, name) };
        OK(store_recipient_put(m, &(struct store_recipient){ i, type, { COUNTOF(values), values } }));
        model->shown[type] = talloc_asprintf(arena, "%s%s%s", before, *before ? "; " : "", name);
    }
}

static void fill(struct model *w, struct store_message *m, struct model_message *model)
{
    static const char *const prefixes[] = { "", "", "RE: ", "Fwd: ", "AW: " };
    model->prefix = prefixes[below(COUNTOF(prefixes))];
    model->normalized = talloc_asprintf(w->f->arena, "subject %u", below(1000));
    if (below(2))
        OK(fixture_set(m, P_STR(PidTagSubjectPrefix, "")));
    OK(fixture_set(m, P_STR(PidTagSubjectPrefix, model->prefix)));
    OK(fixture_set(m, P_STR(PidTagSubject, talloc_asprintf(w->f->arena, "%s%s", model->prefix, model->normalized))));
    address(w, m, model);
    model->html = some_html(w);
    OK(fixture_set(m, P_BIN(PidTagHtml, model->html)));
}

static void attach(struct model *w, struct store_message *m, struct model_message *model)
{
    struct store_attachment *a;
    uint32_t number;
    enum ec result;
    const bool hidden = below(4) == 0;
    const struct prop values[] = { P_BIN(PidTagAttachDataBinary, some_html(w)), P_BOOL(PidTagAttachmentHidden, hidden) };
    OK(store_attachment_new(&a, w->f->arena, m, &number));
    for (size_t i = 0; i < COUNTOF(values); i++)
        OK(store_attachment_set(a, &values[i], 1, &result));
    OK(store_attachment_save(a));
    talloc_free(a);
    model->attachments++;
    model->hidden += hidden;
}

static void detach(struct model *w, struct store_message *m, struct model_message *model)
{
    struct store_attachment *a;
    const uint32_t *numbers, tag = PidTagAttachmentHidden;
    uint32_t count;
    struct prop hidden;
    OK(store_attachments(w->f->arena, m, &numbers, &count));
    if (!count)
        return;
    const uint32_t number = numbers[below(count)];
    OK(store_attachment_open(&a, w->f->arena, m, number, MESSAGE_READONLY));
    OK(store_attachment_get(w->f->arena, a, &tag, 1, STORE_VALUE_LIMIT, &hidden));
    talloc_free(a);
    OK(store_attachment_delete(m, number));
    model->attachments--;
    model->hidden -= PROP_TYPE(hidden.tag) == PtypBoolean && hidden.b;
}

/* A save takes a change number, and with it everything that says what has changed. */
static void saved(struct model *w, struct store_message *m, struct model_message *model)
{
    const struct blob key = fixture_prop(w->f, m, PidTagChangeKey).bin;
    const struct blob pcl = fixture_prop(w->f, m, PidTagPredecessorChangeList).bin;
    const uint64_t modified = fixture_prop(w->f, m, PidTagLastModificationTime).u64;
    assert_int_equal(key.size, 22);
    assert_true(!model->change_key.size || memcmp(key.data + 16, model->change_key.data + 16, 6) > 0);
    assert_int_equal(pcl.size, 23);
    assert_int_equal(pcl.data[0], 22);
    assert_memory_equal(pcl.data + 1, key.data, 22);
    assert_true(modified >= model->modified);
    model->change_key = key;
    model->modified = modified;
}

/* ---- steps ---- */

static void step_create(struct model *w)
{
    struct model_message *model = free_place(w);
    struct store_message *m;
    if (!model)
        return;
    *model = (struct model_message){ .shown = { "", "", "", "" }, .fid = w->folders[below(FOLDERS)], .associated = below(8) == 0, .read = below(2) };
    OK(store_message_new(&m, w->f->arena, w->f->store, model->fid, model->associated));
    OK(fixture_set(m, P_I32(PidTagMessageFlags, model->read)));
    fill(w, m, model);
    if (below(4) == 0)
        attach(w, m, model);
    OK(store_message_save(m, false, &model->mid));
    saved(w, m, model);
    model->read |= model->associated && model->read;
    talloc_free(m);
}

static void step_modify(struct model *w)
{
    struct model_message *model = some_message(w);
    if (!model)
        return;
    struct store_message *m = fixture_open(w->f, model->fid, model->mid);
    fill(w, m, model);
    if (below(4) == 0)
        attach(w, m, model);
    if (below(4) == 0)
        detach(w, m, model);
    OK(store_message_save(m, below(5) == 0, NULL));
    saved(w, m, model);
    talloc_free(m);
}

/* What is not saved leaves no trace. */
static void step_abandon(struct model *w)
{
    struct model_message *model = some_message(w), copy;
    if (!model)
        return;
    struct store_message *m = fixture_open(w->f, model->fid, model->mid);
    copy = *model;
    fill(w, m, &copy);
    attach(w, m, &copy);
    talloc_free(m);
}

static void step_move(struct model *w)
{
    struct model_message *model = some_message(w), *copy = free_place(w);
    const bool copies = below(3) == 0;
    uint64_t new_mid;
    bool partial;
    if (!model || !copy)
        return;
    const uint64_t to = w->folders[below(FOLDERS)];
    OK(store_messages_move(w->f->store, model->fid, to, &model->mid, 1, copies, &new_mid, &partial));
    assert_false(partial);
    if (copies)
        *copy = *model;
    else
        copy = model;
    copy->fid = to;
    copy->mid = new_mid;
}

static void step_delete(struct model *w)
{
    struct model_message *model = some_message(w);
    bool partial;
    if (!model)
        return;
    OK(store_messages_delete(w->f->store, model->fid, &model->mid, 1, below(2), &partial));
    assert_false(partial);
    model->mid = 0;
}

static void step_read(struct model *w)
{
    struct model_message *model = some_message(w);
    const bool read = below(2);
    bool partial;
    if (!model)
        return;
    OK(store_set_read_flags(w->f->store, model->fid, &model->mid, 1, read ? 1 : 5, &partial));
    assert_false(partial);
    if (!model->associated)
        model->read = read;
}

static void step_empty(struct model *w)
{
    const uint64_t fid = w->folders[below(FOLDERS)];
    const bool associated = below(2);
    bool partial;
    if (below(10))
        return;
    OK(store_folder_empty(w->f->store, fid,
                          STORE_MESSAGES | (associated ? STORE_ASSOCIATED : 0) | (below(2) ? STORE_HARD : 0),
                          &partial));
    for (size_t i = 0; i < MESSAGES; i++)
        if (w->messages[i].mid && w->messages[i].fid == fid && (associated || !w->messages[i].associated))
            w->messages[i].mid = 0;
}

static void step_reopen(struct model *w)
{
    if (!below(5))
        fixture_reopen(w->f);
}

static void (*const steps[])(struct model *) = {
    step_create, step_create, step_create, step_modify, step_modify, step_abandon, step_move,
    step_move,   step_delete, step_read,   step_read,   step_empty,  step_reopen,
};

/* ---- agreement ---- */

static void check_message(struct model *w, const struct model_message *model)
{
    struct store_message *m = fixture_open(w->f, model->fid, model->mid);
    const uint32_t *numbers;
    uint32_t count;
    assert_string_equal(fixture_prop(w->f, m, PidTagSubjectPrefix).str, model->prefix);
    assert_string_equal(fixture_prop(w->f, m, PidTagNormalizedSubject).str, model->normalized);
    assert_string_equal(fixture_prop(w->f, m, PidTagSubject).str,
                        talloc_asprintf(w->f->arena, "%s%s", model->prefix, model->normalized));
    assert_string_equal(fixture_prop(w->f, m, PidTagDisplayTo).str, model->shown[1]);
    assert_string_equal(fixture_prop(w->f, m, PidTagDisplayCc).str, model->shown[2]);
    assert_string_equal(fixture_prop(w->f, m, PidTagDisplayBcc).str, model->shown[3]);
    struct prop html;
    const uint32_t tag = PidTagHtml;
    OK(store_message_get(w->f->arena, m, &tag, 1, SIZE_MAX, &html));
    assert_true(blob_equal(html.bin, model->html));
    assert_int_equal(fixture_prop(w->f, m, PidTagMessageFlags).u32 & 1, model->read);
    assert_int_equal(fixture_prop(w->f, m, PidTagAssociated).b, model->associated);
    OK(store_attachments(w->f->arena, m, &numbers, &count));
    assert_int_equal(count, model->attachments);
    assert_int_equal(fixture_prop(w->f, m, PidTagHasAttachments).b, model->attachments > model->hidden);
    talloc_free(m);
}

static void check_folder(struct model *w, size_t i)
{
    struct store_fixture *f = w->f;
    uint32_t total = 0, unread = 0, associated = 0;
    uint64_t size = 0;
    for (size_t k = 0; k < MESSAGES; k++) {
        const struct model_message *m = &w->messages[k];
        if (!m->mid || m->fid != w->folders[i])
            continue;
        total += !m->associated;
        unread += !m->associated && !m->read;
        associated += m->associated;
        struct store_message *open = fixture_open(f, m->fid, m->mid);
        size += fixture_prop(f, open, PidTagMessageSizeExtended).u64;
        talloc_free(open);
    }
    const struct store_folder row = fixture_row(f, w->folders[i]);
    assert_int_equal(row.total, total);
    assert_int_equal(row.unread, unread);
    assert_int_equal(row.associated, associated);
    assert_int_equal(fixture_folder_prop(f, w->folders[i], PidTagContentCount).u32, total);
    assert_int_equal(fixture_folder_prop(f, w->folders[i], PidTagContentUnreadCount).u32, unread);
    assert_int_equal(fixture_folder_prop(f, w->folders[i], PidTagAssociatedContentCount).u32, associated);
    assert_int_equal(fixture_folder_prop(f, w->folders[i], PidTagMessageSizeExtended).u64, size);
    assert_int_equal(w->heard_total[i], total + associated);
    assert_int_equal(w->told_total[i], total);
    assert_int_equal(w->told_unread[i], unread);
}

static void check_all(struct model *w)
{
    for (size_t i = 0; i < MESSAGES; i++)
        if (w->messages[i].mid)
            check_message(w, &w->messages[i]);
    for (size_t i = 0; i < FOLDERS; i++)
        check_folder(w, i);
}

/* Change numbers rise, and the sum of what was announced is what there is. */
static void listen(struct model *w)
{
    struct store_fixture *f = w->f;
    for (uint32_t i = 0; i < f->change_count; i++) {
        const struct store_change *c = &f->changes[i];
        const size_t at = folder_index(w, c->fid), from = folder_index(w, c->old_fid);
        if (c->cn)
            w->last_cn = MAX(w->last_cn, store_counter(c->cn));
        if (at == FOLDERS)
            continue;
        if (c->is_message && (c->kind == STORE_CREATED || c->kind == STORE_COPIED || c->kind == STORE_MOVED))
            w->heard_total[at]++;
        if (c->is_message && c->kind == STORE_MOVED && from < FOLDERS)
            w->heard_total[from]--;
        if (c->is_message && c->kind == STORE_DELETED)
            w->heard_total[at]--;
        if (!c->is_message && c->kind == STORE_MODIFIED) {
            w->told_total[at] = c->total;
            w->told_unread[at] = c->unread;
        }
    }
    fixture_forget(f);
}

/* Nothing is left of what was deleted for ever. */
static void remove_all(struct model *w)
{
    bool partial;
    for (size_t i = 0; i < FOLDERS; i++)
        OK(store_folder_delete(w->f->store, STORE_FID(SPECIAL_INBOX), w->folders[i],
                               STORE_MESSAGES | STORE_FOLDERS | STORE_HARD, &partial));
    assert_int_equal(fixture_rows(w->f, "message"), 0);
    assert_int_equal(fixture_rows(w->f, "attachment"), 0);
    assert_int_equal(fixture_rows(w->f, "value"), 0);
}

static void random_work_agrees_with_its_model(void **state)
{
    struct store_fixture *f = *state;
    TALLOC_CTX *whole = f->arena;
    struct model *w = talloc_zero(whole, struct model);
    w->f = f;
    srandom(20260117);
    for (size_t i = 0; i < FOLDERS; i++)
        w->folders[i] = fixture_folder(f, STORE_FID(SPECIAL_INBOX), talloc_asprintf(whole, "folder %zu", i));
    for (unsigned i = 0; i < STEPS; i++) {
        const uint64_t before = w->last_cn;
        steps[below(COUNTOF(steps))](w);
        listen(w);
        assert_true(w->last_cn >= before);
        if (i % 100 == 99)
            check_all(w);
    }
    remove_all(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(random_work_agrees_with_its_model),
};

int main(void)
{
    return store_fixture_run("model", tests, COUNTOF(tests));
}
