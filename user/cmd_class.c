// SPDX-License-Identifier: GPL-2.0-only
/*
 * cmd_class.c: `weir class set|del`. Glue: the words go to the policy, the policy into force.
 */
#include "change.h"

int cmd_class(struct context *context, int argc, char **argv)
{
	return change_words(context, "class", argc, argv);
}
