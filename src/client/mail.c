/* SPDX-License-Identifier: Apache-2.0 */
/* Messages, properties, streams, attachments, sending: [MS-OXCMSG] 3.1, [MS-OXCPRPT] 3.1, [MS-OXOMSG] 3.2.4. */
#include "client/mail.h"

#include <libxml/HTMLparser.h>

#include "client/internal.h"
#include "wire/entry_id.h"

#define READ_CHUNK 0x7000u               /* of a stream; a chained answer brings several */
#define WRITE_CHUNK 0x7000u
#define VALUE_MAX 4096u                  /* larger values travel as streams */
#define LOGON_CODE_PAGE 0x0FFF
enum { OPEN_READ = 0, OPEN_WRITE = 1, OPEN_CREATE = 2 };
enum { SAVE_KEEP_OPEN = 0x02 };

/* One ROP whose answer is of no interest. */
static enum ec call(struct client *c, enum rop_id id, uint32_t handle, const void *request, uint32_t *out_handle)
{
    TALLOC_CTX *arena = talloc_new(c);
    const enum ec ec = client_call(c, arena, id, handle, request, NULL, out_handle);
    talloc_free(arena);
    return ec;
}

static enum ec run(struct client *c, TALLOC_CTX *arena, struct client_rop *rops, size_t count)
{
    const enum ec ec = client_execute(c, arena, rops, count);
    return ec ? ec : client_check(c, rops, count);
}

/* ---- messages ---- */

enum ec client_message_open(struct client *c, uint64_t fid, uint64_t mid, bool write, uint32_t *handle)
{
    return call(c, RopOpenMessage, c->logon,
                &(struct RopOpenMessageRequest){ .CodePageId = LOGON_CODE_PAGE, .FolderId = fid, .MessageId = mid,
                                                 .OpenModeFlags = write ? OPEN_WRITE : OPEN_READ }, handle);
}

enum ec client_message_create(struct client *c, uint64_t fid, uint32_t *handle)
{
    return call(c, RopCreateMessage, c->logon,
                &(struct RopCreateMessageRequest){ .CodePageId = LOGON_CODE_PAGE, .FolderId = fid }, handle);
}

enum ec client_message_save(struct client *c, uint32_t handle, uint64_t *mid)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct RopSaveChangesMessageResponse response = { 0 };
    const enum ec ec = client_call(c, arena, RopSaveChangesMessage, handle,
                                   &(struct RopSaveChangesMessageRequest){ .SaveFlags = SAVE_KEEP_OPEN }, &response, NULL);
    if (mid)
        *mid = response.MessageId;
    talloc_free(arena);
    return ec;
}

enum ec client_message_submit(struct client *c, uint32_t handle)
{
    return call(c, RopSubmitMessage, handle, NULL, NULL);
}

enum ec client_message_delete(struct client *c, uint64_t fid, uint64_t mid)
{
    TALLOC_CTX *arena = talloc_new(c);
    const struct RopOpenFolderRequest folder = { .FolderId = fid };
    const struct RopDeleteMessagesRequest messages = { .MessageIdCount = 1, .MessageIds = &mid };
    struct client_rop rops[] = {
        { .id = RopOpenFolder, .handle = c->logon, .request = &folder },
        { .id = RopDeleteMessages, .from = OUTPUT_OF(0), .request = &messages },
        { .id = RopRelease, .from = OUTPUT_OF(0) },
    };
    const enum ec ec = run(c, arena, rops, COUNTOF(rops));
    talloc_free(arena);
    return ec;
}

/* ---- properties and streams ---- */

static bool is_text(uint32_t tag)
{
    return PROP_TYPE(tag) == PtypString;
}

enum ec client_stream_read(struct client *c, TALLOC_CTX *arena, uint32_t handle, uint32_t tag, struct blob *out)
{
    struct RopOpenStreamResponse opened = { 0 };
    uint32_t stream = NO_HANDLE;
    struct buf all;
    enum ec ec = client_call(c, arena, RopOpenStream, handle, &(struct RopOpenStreamRequest){ tag, OPEN_READ }, &opened, &stream);
    buf_init(&all, arena);
    bool end = ec != ecNone;
    while (!end) {
        struct RopReadStreamResponse part = { 0 };
        ec = client_call(c, arena, RopReadStream, stream, &(struct RopReadStreamRequest){ .ByteCount = READ_CHUNK }, &part, NULL);
        buf_add(&all, part.Data.data, part.Data.size);
        end = ec || part.Data.size == 0 || all.size >= opened.StreamSize;
        if (!ec && c->options.progress)
            c->options.progress(c->options.progress_arg, all.size, opened.StreamSize);
    }
    client_release(c, stream);
    *out = buf_blob(&all);
    return ec;
}

/* Every piece in one list; client_execute() makes as many Executes of it as it takes. */
enum ec client_stream_write(struct client *c, uint32_t handle, uint32_t tag, struct blob data)
{
    TALLOC_CTX *arena = talloc_new(c);
    const size_t pieces = (data.size + WRITE_CHUNK - 1) / WRITE_CHUNK;
    struct RopWriteStreamRequest *requests = talloc_zero_array(arena, struct RopWriteStreamRequest, pieces + 1);
    struct client_rop *rops = talloc_zero_array(arena, struct client_rop, pieces + 3);
    const struct RopOpenStreamRequest open = { tag, OPEN_CREATE };
    rops[0] = (struct client_rop){ .id = RopOpenStream, .handle = handle, .request = &open };
    for (size_t i = 0; i < pieces; i++) {
        const size_t size = MIN(WRITE_CHUNK, data.size - i * WRITE_CHUNK);
        requests[i] = (struct RopWriteStreamRequest){ (uint16_t)size, BLOB_OF(data.data + i * WRITE_CHUNK, size) };
        rops[1 + i] = (struct client_rop){ .id = RopWriteStream, .from = OUTPUT_OF(0), .request = &requests[i] };
    }
    rops[1 + pieces] = (struct client_rop){ .id = RopCommitStream, .from = OUTPUT_OF(0) };
    rops[2 + pieces] = (struct client_rop){ .id = RopRelease, .from = OUTPUT_OF(0) };
    const enum ec ec = run(c, arena, rops, pieces + 3);
    talloc_free(arena);
    return ec;
}

/* [MS-OXCPRPT] 3.1.4.1: a value that does not fit comes as ecNotEnoughMemory, and can be had as a stream. */
static enum ec get_large(struct client *c, TALLOC_CTX *arena, uint32_t handle, uint32_t tag, struct prop *value)
{
    struct blob data;
    const enum ec ec = client_stream_read(c, arena, handle, tag, &data);
    if (ec)
        return ec;
    *value = is_text(tag) ? P_STR(tag, utf8_of_utf16(arena, data.data, data.size)) : P_BIN(tag, data);
    return ecNone;
}

enum ec client_get(struct client *c, TALLOC_CTX *arena, uint32_t handle, const uint32_t *tags, uint32_t count, struct prop **values)
{
    const struct RopGetPropertiesSpecificRequest request = { .WantUnicode = 1, .PropertyTagCount = (uint16_t)count, .PropertyTags = tags };
    struct RopGetPropertiesSpecificResponse response = { 0 };
    enum ec ec = client_call(c, arena, RopGetPropertiesSpecific, handle, &request, &response, NULL);
    if (ec)
        return ec;
    *values = talloc_memdup(arena, response.RowData.values, response.RowData.count * sizeof **values);
    for (uint32_t i = 0; !ec && i < response.RowData.count; i++) {
        struct prop *v = &(*values)[i];
        const bool streamable = is_text(tags[i]) || PROP_TYPE(tags[i]) == PtypBinary;
        if (PROP_TYPE(v->tag) == PtypErrorCode && v->u32 == (uint32_t)ecNotEnoughMemory && streamable)
            ec = get_large(c, arena, handle, tags[i], v);
    }
    return ec;
}

static enum ec set_large(struct client *c, TALLOC_CTX *arena, uint32_t handle, const struct prop *p)
{
    return client_stream_write(c, handle, p->tag, is_text(p->tag) ? utf16_of_utf8(arena, p->str) : p->bin);
}

static bool is_large(const struct prop *p)
{
    return (is_text(p->tag) || PROP_TYPE(p->tag) == PtypBinary) && prop_size(p) > VALUE_MAX;
}

enum ec client_set(struct client *c, uint32_t handle, const struct prop *values, uint32_t count)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct prop *small = talloc_array(arena, struct prop, count + 1);
    struct RopSetPropertiesRequest request = { .PropertyValues = small };
    struct RopSetPropertiesResponse response = { 0 };
    enum ec ec = ecNone;
    for (uint32_t i = 0; !ec && i < count; i++)
        if (is_large(&values[i]))
            ec = set_large(c, arena, handle, &values[i]);
        else
            small[request.PropertyValueCount++] = values[i];
    if (!ec && request.PropertyValueCount)
        ec = client_call(c, arena, RopSetProperties, handle, &request, &response, NULL);
    if (!ec && response.PropertyProblemCount) {
        const struct PropertyProblem *p = response.PropertyProblems;
        ec = client_fail(c, CLIENT_ROP, (enum ec)p->ErrorCode, p->ErrorCode, "RopSetProperties: 0x%08x: %s", p->PropertyTag,
                         ec_text((enum ec)p->ErrorCode));
    }
    talloc_free(arena);
    return ec;
}

/* ---- text ---- */

static bool hides_text(const char *element)
{
    return strcmp(element, "style") == 0 || strcmp(element, "script") == 0 || strcmp(element, "head") == 0;
}

static bool breaks_line(const char *element)
{
    static const char *const breaking[] = { "br", "p", "div", "tr", "li", "h1", "h2", "h3", "table", "blockquote" };
    for (size_t i = 0; i < COUNTOF(breaking); i++)
        if (strcmp(element, breaking[i]) == 0)
            return true;
    return false;
}

/* Blanks are one blank. */
static void add_text(struct buf *out, const char *text)
{
    for (; *text; text++) {
        const bool blank = strchr(" \t\r\n", *text) != NULL;
        if (!blank)
            buf_add(out, text, 1);
        else if (out->size && !strchr(" \n", out->data[out->size - 1]))
            buf_add(out, " ", 1);
    }
}

static void walk_html(struct buf *out, const xmlNode *n, unsigned depth)
{
    for (; n && depth < 256; n = n->next) {
        if (n->type == XML_TEXT_NODE)
            add_text(out, (const char *)n->content);
        if (n->type != XML_ELEMENT_NODE || hides_text((const char *)n->name))
            continue;
        walk_html(out, n->children, depth + 1);
        if (breaks_line((const char *)n->name) && out->size && out->data[out->size - 1] != '\n')
            buf_add(out, "\n", 1);
    }
}

static const char *text_of_html(TALLOC_CTX *arena, struct blob html, unsigned codepage)
{
    const char *utf8 = utf8_of_codepage(arena, codepage, html.data, html.size);
    struct buf out;
    buf_init(&out, arena);
    htmlDocPtr doc = htmlReadMemory(utf8, (int)MIN(strlen(utf8), 1u << 28), NULL, "UTF-8",
                                    HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_NONET | HTML_PARSE_RECOVER);
    if (doc)
        walk_html(&out, xmlDocGetRootElement(doc), 0);
    xmlFreeDoc(doc);
    buf_add(&out, "", 1);
    return (const char *)out.data;
}

enum ec client_message_text(struct client *c, TALLOC_CTX *arena, uint32_t message, const char **text)
{
    static const uint32_t tags[] = { PidTagBody, PidTagHtml, PidTagInternetCodepage };
    struct prop *v;
    *text = "";
    enum ec ec = client_get(c, arena, message, tags, COUNTOF(tags), &v);
    if (ec)
        return ec;
    const unsigned codepage = PROP_TYPE(v[2].tag) == PtypInteger32 ? v[2].u32 : 65001;
    if (PROP_TYPE(v[0].tag) == PtypString)
        *text = v[0].str;
    else if (PROP_TYPE(v[1].tag) == PtypBinary)
        *text = text_of_html(arena, v[1].bin, codepage_known(codepage) ? codepage : 65001);
    return ecNone;
}

/* ---- attachments ---- */

static const char *text_or(const struct prop *p, const char *otherwise)
{
    return PROP_TYPE(p->tag) == PtypString ? p->str : otherwise;
}

static uint32_t number_or_0(const struct prop *p)
{
    return PROP_TYPE(p->tag) == PtypInteger32 ? p->u32 : 0;
}

enum ec client_attachments(struct client *c, TALLOC_CTX *arena, uint32_t message, struct client_attachment **out, uint32_t *count)
{
    static const uint32_t columns[] = { PidTagAttachNumber, PidTagAttachSize, PidTagAttachMethod, PidTagAttachLongFilename,
                                        PidTagAttachFilename, PidTagDisplayName, PidTagAttachMimeTag };
    const struct RopSetColumnsRequest set = { .PropertyTagCount = COUNTOF(columns), .PropertyTags = columns };
    struct client_rop rops[] = {
        { .id = RopGetAttachmentTable, .handle = message },
        { .id = RopSetColumns, .from = OUTPUT_OF(0), .request = &set },
    };
    struct props *rows = NULL;
    *count = 0;
    enum ec ec = run(c, arena, rops, COUNTOF(rops));
    if (!ec)
        ec = client_table_rows(c, arena, rops[0].out_handle, UINT32_MAX, &rows, count);
    client_release(c, rops[0].out_handle);
    *out = talloc_zero_array(arena, struct client_attachment, *count + 1);
    for (uint32_t i = 0; i < *count; i++) {
        const struct prop *v = rows[i].values;
        (*out)[i] = (struct client_attachment){ number_or_0(&v[0]), number_or_0(&v[1]), number_or_0(&v[2]),
                                                text_or(&v[3], text_or(&v[4], text_or(&v[5], ""))), text_or(&v[6], "") };
    }
    return ec;
}

static enum ec open_attachment(struct client *c, uint32_t message, uint32_t number, uint32_t *handle)
{
    return call(c, RopOpenAttachment, message, &(struct RopOpenAttachmentRequest){ OPEN_READ, number }, handle);
}

enum ec client_attachment_read(struct client *c, TALLOC_CTX *arena, uint32_t message, uint32_t number, struct blob *data)
{
    uint32_t attachment = NO_HANDLE;
    enum ec ec = open_attachment(c, message, number, &attachment);
    if (!ec)
        ec = client_stream_read(c, arena, attachment, PidTagAttachDataBinary, data);
    client_release(c, attachment);
    return ec;
}

enum ec client_embedded_open(struct client *c, uint32_t message, uint32_t number, uint32_t *handle)
{
    uint32_t attachment = NO_HANDLE;
    enum ec ec = open_attachment(c, message, number, &attachment);
    return ec ? ec : call(c, RopOpenEmbeddedMessage, attachment,
                          &(struct RopOpenEmbeddedMessageRequest){ LOGON_CODE_PAGE, OPEN_READ }, handle);
}

enum ec client_attach(struct client *c, uint32_t message, const char *name, const char *mime_type, struct blob data)
{
    const struct prop values[] = {
        P_I32(PidTagAttachMethod, CLIENT_ATTACH_BY_VALUE), P_STR(PidTagAttachLongFilename, name),
        P_STR(PidTagAttachFilename, name), P_STR(PidTagDisplayName, name), P_I32(PidTagRenderingPosition, -1),
        P_BIN(PidTagAttachDataBinary, data), P_STR(PidTagAttachMimeTag, mime_type),
    };
    uint32_t attachment = NO_HANDLE;
    enum ec ec = call(c, RopCreateAttachment, message, NULL, &attachment);
    if (!ec)
        ec = client_set(c, attachment, values, COUNTOF(values) - (mime_type ? 0 : 1));
    if (!ec)
        ec = call(c, RopSaveChangesAttachment, attachment, &(struct RopSaveChangesAttachmentRequest){ SAVE_KEEP_OPEN }, NULL);
    client_release(c, attachment);
    return ec;
}

/* ---- sending: [MS-OXOMSG] 3.2.4.1, 3.2.4.2 ---- */

/* Where the sent message goes: [MS-OXOMSG] 2.2.3.10 */
static struct prop sent_mail_folder(TALLOC_CTX *arena, uint64_t fid)
{
    struct buf b;
    buf_init(&b, arena);
    struct wire_out out = wire_out(&b);
    wire_put(&out, &ServerId_wire, &(struct ServerId){ .Ours = 1, .FolderId = fid });
    return P_BIN(PidTagSentMailSvrEID, buf_blob(&b));
}

static enum ec set_content(struct client *c, uint32_t message, const struct client_mail *m)
{
    TALLOC_CTX *arena = talloc_new(c);
    struct prop values[10];
    uint32_t n = 0;
    values[n++] = P_STR(PidTagMessageClass, "IPM.Note");
    values[n++] = P_STR(PidTagSubject, m->subject ? m->subject : "");
    values[n++] = P_I32(PidTagImportance, 1);
    values[n++] = P_TIME(PidTagClientSubmitTime, filetime_now());
    values[n++] = P_I32(PidTagInternetCodepage, 65001);
    values[n++] = sent_mail_folder(arena, c->logon_response.FolderIds.SentItems);
    if (m->text)
        values[n++] = P_STR(PidTagBody, m->text);
    if (m->html)
        values[n++] = P_BIN(PidTagHtml, BLOB_OF(m->html, strlen(m->html)));
    const enum ec ec = client_set(c, message, values, n);
    talloc_free(arena);
    return ec;
}

enum ec client_send(struct client *c, const struct client_mail *m)
{
    uint32_t message = NO_HANDLE;
    enum ec ec = client_message_create(c, c->logon_response.FolderIds.Outbox, &message);
    if (!ec)
        ec = set_content(c, message, m);
    if (!ec)
        ec = client_add_recipients(c, message, m->recipients, m->recipient_count);
    for (uint32_t i = 0; !ec && i < m->file_count; i++)
        ec = client_attach(c, message, m->files[i].name, m->files[i].mime_type, m->files[i].data);
    if (!ec)
        ec = client_message_save(c, message, NULL);
    if (!ec)
        ec = client_message_submit(c, message);
    client_release(c, message);
    return ec;
}

enum ec client_subscribe(struct client *c, uint16_t types, uint64_t fid, uint32_t *handle)
{
    return call(c, RopRegisterNotification, c->logon,
                &(struct RopRegisterNotificationRequest){ .NotificationTypes = types, .WantWholeStore = fid == 0, .FolderId = fid },
                handle);
}
