/* SPDX-License-Identifier: Apache-2.0 */
/* client/commands.h: `oxcart mail` and `oxcart load`.  argv[0] is the word `mail` or `load`; the result is the exit status:
 * 0, 1 for what went wrong (said on stderr), 2 for a call that makes no sense. */
#pragma once

int mail_command(int argc, char **argv);
int load_command(int argc, char **argv);
