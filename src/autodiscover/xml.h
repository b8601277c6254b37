/* SPDX-License-Identifier: Apache-2.0 */
/* autodiscover/xml.h: the little XML that both XML forms read and write. */
#pragma once
#include <libxml/tree.h>

#include "base/base.h"

/* NULL: not well-formed, or it has a document type, which is refused as a whole: nobody needs entities here.  The
 * caller frees it. */
xmlDoc *xml_read(struct blob);
bool xml_is(const xmlNode *, const char *ns, const char *name);
xmlNode *xml_child(const xmlNode *parent, const char *ns, const char *name); /* the first; NULL: none, or no parent */
const char *xml_content(TALLOC_CTX *arena, const xmlNode *);                 /* without blanks around it */

void xml_put_text(struct buf *, const char *text);               /* control characters are no XML and are left out */
void xml_put(struct buf *, const char *name, const char *value); /* NULL: nothing */
