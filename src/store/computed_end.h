/* SPDX-License-Identifier: Apache-2.0 */
/* store/computed_end.h: after each reading of computed.def. */
#undef FOLDER
#undef MESSAGE
#undef ATTACHMENT
#undef MAILBOX
