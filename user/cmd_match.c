// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_match.c: `weir match add|del`. Glue: the words go to the policy, the policy into force.
 */
#include "change.h"

int cmd_match(struct context *context, int argc, char **argv)
{
	return change_words(context, "match", argc, argv);
}
