/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * help.h: the table of commands: the forms that each may take, with the tables of keys that they
 * are parsed by. Usage, help and completion come from it.
 */
#ifndef WEIR_HELP_H
#define WEIR_HELP_H

#include "cmd.h"

#define HELP_TABLES 4
#define HELP_FORMS 4

struct help_table {
	const struct opts_key *keys;
	const unsigned int *n;
};

/* one way to go on after the command's name, in this order; what is NULL is not there */
struct help_form {
	const char *verb;		/* this very word ... */
	const char *const *verbs;	/* ... or one of these */
	const char *args;		/* words that must follow: "CLASS", "FILE|-" */
	const char *const *words;	/* one of these may follow */
	struct help_table tables[HELP_TABLES];	/* and KEY VALUE by these tables */
	unsigned int without;		/* OPTS_*: keys that do not count here */
};

struct command {
	const char *name;
	int (*run)(struct context *context, int argc, char **argv);
	const char *summary;
	struct help_form forms[HELP_FORMS];	/* to the first that is empty; forms[0] may be */
	const char *notes;
};

/* The command of that name, NULL with an error that names the nearest. */
const struct command *help_command(const char *name, struct err *err);

/* all of them; returns NULL behind the last */
const struct command *help_command_at(unsigned int i);

unsigned int help_n_forms(const struct command *command);

/* The keys of a form in turn; NULL behind the last. */
const struct opts_key *help_key(const struct help_form *form, unsigned int i);

/* `weir help [COMMAND]`, `weir help complete [WORD...]`; CMD_*. */
int help_run(struct context *context, int argc, char **argv);

/* Prints what may follow the words, one a line; what is in capitals stands for something. */
void complete(int argc, char **argv);

#endif
