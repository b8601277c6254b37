/* SPDX-License-Identifier: Apache-2.0 */
/* [MS-OXOSMIME] 2.1: signed and encrypted mail is kept as it was sent, in one attachment, so that its signature still
 * holds when a client looks at it. */
#include "mime/internal.h"

static bool is(GMimeObject *object, const char *type, const char *subtype)
{
    GMimeContentType *t = g_mime_object_get_content_type(object);
    return t && g_mime_content_type_is_type(t, type, subtype);
}

static bool is_clear_signed(GMimeObject *object)
{
    const char *protocol = g_mime_object_get_content_type_parameter(object, "protocol");
    return is(object, "multipart", "signed") && protocol && GMIME_IS_MULTIPART(object) &&
           g_mime_multipart_get_count(GMIME_MULTIPART(object)) > 0 &&
           (strcasecmp(protocol, "application/pkcs7-signature") == 0 ||
            strcasecmp(protocol, "application/x-pkcs7-signature") == 0);
}

static bool ends_with(const char *text, const char *end)
{
    const size_t length = text ? strlen(text) : 0, n = strlen(end);
    return length >= n && strcasecmp(text + length - n, end) == 0;
}

/* [MS-OXOSMIME] 2.1.2: application/octet-stream counts by its file's name. */
static bool is_opaque(GMimeObject *object)
{
    if (!GMIME_IS_PART(object))
        return false;
    if (is(object, "application", "pkcs7-mime") || is(object, "application", "x-pkcs7-mime"))
        return true;
    return is(object, "application", "octet-stream") && ends_with(g_mime_part_get_filename(GMIME_PART(object)), ".p7m");
}

static void keep(struct reader *reader, const char *class, const char *tag, struct blob bytes)
{
    struct letter_attachment *a = letter_attachment_add(reader->letter);
    const struct prop values[] = {
        P_I32(PidTagAttachMethod, ATTACH_BY_VALUE),
        P_I32(PidTagRenderingPosition, UINT32_MAX),
        P_STR(PidTagAttachMimeTag, tag),
        P_STR(PidTagAttachLongFilename, "smime.p7m"),
        P_STR(PidTagAttachFilename, "smime.p7m"),
        P_STR(PidTagDisplayName, "smime.p7m"),
        P_STR(PidTagAttachExtension, ".p7m"),
        P_BIN(PidTagAttachDataBinary, bytes),
    };
    for (size_t i = 0; i < COUNTOF(values); i++)
        letter_set(&a->props, values[i]);
    letter_set(&reader->letter->props, P_STR(PidTagMessageClass, class));
}

/* The signature covers these very bytes: from the source where that is at hand. */
static struct blob entity(struct reader *reader, GMimeObject *object)
{
    GMimeHeader *type = g_mime_header_list_get_header(g_mime_object_get_header_list(object), "Content-Type");
    const char *raw = type ? g_mime_header_get_raw_value(type) : NULL;
    const uint8_t *body = NULL;
    for (size_t i = 0; reader->source.data && i + 2 < reader->source.size && !body; i++) {
        const uint8_t *at = reader->source.data + i;
        body = at[0] == '\n' && at[1] == '\n'                    ? at + 2
               : at[0] == '\n' && at[1] == '\r' && at[2] == '\n' ? at + 3
                                                                 : NULL;
    }
    if (!raw || !body)
        return object_bytes(reader->arena, object);
    struct buf bytes;
    buf_init(&bytes, reader->arena);
    buf_printf(&bytes, "Content-Type:%s", raw);
    while (bytes.size && strchr("\r\n", bytes.data[bytes.size - 1]))
        bytes.size--;
    buf_add(&bytes, "\r\n\r\n", 4);
    buf_add(&bytes, body, reader->source.size - (size_t)(body - reader->source.data));
    return buf_blob(&bytes);
}

/* The text inside is shown, its attachments stay inside. */
static void read_signed_text(struct reader *reader, GMimeObject *first)
{
    struct reader inner = *reader;
    inner.letter = letter_new(reader->arena);
    read_body(&inner, first);
    reader->plain = inner.plain;
    reader->plain_codepage = inner.plain_codepage;
    reader->html = inner.html;
    reader->html_bytes = inner.html_bytes;
    reader->html_codepage = inner.html_codepage;
}

bool read_smime(struct reader *reader, GMimeObject *object)
{
    if (is_clear_signed(object)) {
        read_signed_text(reader, g_mime_multipart_get_part(GMIME_MULTIPART(object), 0));
        keep(reader, "IPM.Note.SMIME.MultipartSigned", "multipart/signed", entity(reader, object));
        return true;
    }
    if (is_opaque(object)) {
        keep(reader, "IPM.Note.SMIME", "application/pkcs7-mime", part_bytes(reader->arena, GMIME_PART(object)));
        return true;
    }
    return false;
}
