/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * help.h: usage, the help of each command and the words for completion, all from the tables that
 * parse. The table of commands is here as well.
 */
#ifndef WEIR_HELP_H
#define WEIR_HELP_H

#include "cmd.h"

struct command {
	const char *name;
	int (*run)(struct context *context, int argc, char **argv);
	const char *summary;
	const char *usage;		/* lines, without "weir " */
	const char *const *words;	/* what may follow, for completion; NULL-terminated */
};

/* The command of that name, NULL with an error that names the nearest. */
const struct command *help_command(const char *name, struct err *err);

/* `weir help [COMMAND]`, `weir help words [WORD]`; CMD_*. */
int help_run(struct context *context, int argc, char **argv);

#endif
