/* SPDX-License-Identifier: Apache-2.0 */
/* rop/recipient_row.h: recipients between the store's property lists and RecipientRow.  [MS-OXCDATA] 2.8.3 */
#pragma once
#include "rop/rop.h"

/* The columns that the rows of a message need: the four that clients expect always, then what the recipients have. */
const uint32_t *recipient_columns(TALLOC_CTX *arena, struct store_message *, uint16_t *count);
struct RecipientRow recipient_row(TALLOC_CTX *arena, const struct store_recipient *, const uint32_t *columns,
                                  uint16_t count);
/* What a client sent, as a property list in `arena`. */
struct store_recipient recipient_of_row(TALLOC_CTX *arena, const struct ModifyRecipientRow *);
