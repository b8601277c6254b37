/* SPDX-License-Identifier: Apache-2.0 */
/* body/body.h: the three forms in which a message's text is kept, plain text, HTML and compressed RTF, and how each is
 * made of the others.  [MS-OXBBODY], [MS-OXRTFCP], [MS-OXRTFEX]
 * Functions of bytes alone: owns nothing, knows no message, no mailbox and no mail.  Nothing is refused but a compressed
 * RTF that is damaged; time and memory grow with the input, and no further than BODY_SOURCE_MAX bytes of it are looked at.
 *
 *     plain text  <-->  HTML  <-->  RTF  <-->  compressed RTF
 */
#pragma once
#include "base/base.h"

/* As PidTagNativeBody says it: [MS-OXCMSG] 2.2.1.58.2. */
enum body_form { BODY_UNDEFINED = 0, BODY_PLAIN = 1, BODY_RTF = 2, BODY_HTML = 3 };

#define BODY_SOURCE_MAX (32u * 1024 * 1024)

/* [MS-OXRTFCP].  ecCorruptData: it is none, or is damaged.  The start of a compressed RTF gives the start of the RTF. */
enum ec body_rtf_decompress(TALLOC_CTX *arena, struct blob compressed, struct blob *rtf);
struct blob body_rtf_compress(TALLOC_CTX *arena, struct blob rtf);

/* What the RTF says that it was made of, BODY_RTF where it does not: [MS-OXRTFEX] 2.2.3.1 */
enum body_form body_rtf_origin(struct blob rtf);
char *body_text_of_rtf(TALLOC_CTX *arena, struct blob rtf);
/* The HTML inside of it where there is one, else its text.  ASCII alone, so that it is right in every code page. */
char *body_html_of_rtf(TALLOC_CTX *arena, struct blob rtf);
struct blob body_rtf_of_html(TALLOC_CTX *arena, const char *html);
struct blob body_rtf_of_text(TALLOC_CTX *arena, const char *text);

/* ASCII alone. */
char *body_html_of_text(TALLOC_CTX *arena, const char *text);
/* A readable plain text: paragraphs, lists, links, tables by tabs. */
char *body_text_of_html(TALLOC_CTX *arena, const char *html);
