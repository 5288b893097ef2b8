// SPDX-License-Identifier: GPL-2.0-only
/*
 * help.c: the table of commands and what is printed from it and from the tables of keys. Parses
 * nothing.
 */
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "flow_filter.h"
#include "help.h"
#include "signals.h"

#define KEYS_SHOWN 6			/* with more, usage says KEY VALUE */

static const unsigned int one = 1;
static const char *const show_class_words[] = { "CLASS", NULL };

#define TABLE(name) { name##_keys, &name##_n_keys }
#define CLASS_KEYS { conf_class_keys, &conf_n_class_keys }
#define MATCH_KEYS { conf_match_keys, &conf_n_match_keys }

static const struct command commands[] = {
	{ "attach", cmd_attach, "put weir on a device",
	  { { .args = "DEV", .words = attach_directions, .tables = { TABLE(attach) } } },
	  "On both hooks unless one is named; fq becomes the root qdisc where that is the kernel's\n"
	  "default or can be put back. Programs that another build has attached are swapped for\n"
	  "this one's first, on all devices; nothing is lost by that." },
	{ "detach", cmd_detach, "take it off again, restore what was there",
	  { { .verb = "all" }, { .args = "DEV", .words = attach_directions } },
	  "With the last hook the policy and its counters go." },
	{ "apply", cmd_apply, "a whole policy from a file, at once",
	  { { .args = "FILE|-" } },
	  "The file holds the words of `weir class` and `weir match`, a command a line; see\n"
	  "weir.conf(5). `weir show config` prints one." },
	{ "class", cmd_class, "set or delete a class",
	  { { .verb = "set", .args = "CLASS", .tables = { CLASS_KEYS } },
	    { .verb = "del", .args = "CLASS" } },
	  "RATE is such as 10mbit, TIME 5ms, SIZE 64kb. `default` takes back burst, fair, action,\n"
	  "ecn, socket, mark-at, drop-at and target. weir.conf(5) has ranges and defaults." },
	{ "match", cmd_match, "say which packets belong to a class",
	  { { .verb = "add", .args = "CLASS", .tables = { MATCH_KEYS } },
	    { .verb = "del", .args = "CLASS", .tables = { { &conf_pref_key, &one } } } },
	  "All keys must fit; the lowest pref that fits decides. weir.conf(5) has ranges and\n"
	  "defaults." },
	{ "show", cmd_show, "devices, classes, flows, and why",
	  { { .tables = { TABLE(show_watch) } },
	    { .verbs = show_parts, .tables = { TABLE(show_watch) } },
	    { .verb = "classes", .words = show_class_words, .tables = { TABLE(show_watch) } },
	    { .verb = "flows", .without = OPTS_PACKET,
	      .tables = { { &flow_filter_class_key, &one }, MATCH_KEYS, TABLE(show_flows),
			  TABLE(show_watch) } } },
	  "Without a word: devices, classes and tables. Flows are chosen by the keys of a match. Without\n"
	  "sort and limit, a table of more than 131072 flows is printed in no order." },
	{ "replay", cmd_replay, "a capture through a policy, in virtual time",
	  { { .args = "FILE|-", .tables = { TABLE(replay) } } },
	  "FILE is a pcap or pcapng, - the standard input. Nothing is attached." },
	{ "monitor", cmd_monitor, "what changes, line by line", { {} },
	  "Until interrupted. weir(8) explains every event." },
	{ "top", cmd_top, "classes and flows, live, on the whole screen", { {} },
	  "On the screen, ? explains the keys." },
	{ "run", cmd_run, "the agent: consumers' backlog in, rates out",
	  { { .tables = { TABLE(run) } } },
	  "Moves the rates of classes that have a control; runs until SIGTERM." },
	{ "signal", cmd_signal, "push a signal to the agent",
	  { { .args = "NAME VALUE", .tables = { TABLE(signal) } } },
	  "VALUE is a time such as 12ms, a number or a share such as 5%." },
	{ "check", cmd_check, "what this host offers and what weir does without", { {} },
	  "Exit status 1 where weir cannot work here." },
	{ "version", cmd_version, "version and what is built in", { {} }, NULL },
};

const struct command *help_command_at(unsigned int i)
{
	return i < ARRAY_SIZE(commands) ? &commands[i] : NULL;
}

const struct command *help_command(const char *name, struct err *err)
{
	const char *nearest;

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	nearest = opts_nearest(name, &commands[0].name, ARRAY_SIZE(commands), sizeof(commands[0]));
	if (nearest)
		err_set(err, EINVAL, "unknown command '%s'; did you mean '%s'?", name, nearest);
	else
		err_set(err, EINVAL, "unknown command '%s'; see weir help", name);
	return NULL;
}

unsigned int help_n_forms(const struct command *command)
{
	unsigned int n = 1;

	while (n < HELP_FORMS && (command->forms[n].verb || command->forms[n].verbs ||
				  command->forms[n].args))
		n++;
	return n;
}

const struct opts_key *help_key(const struct help_form *form, unsigned int i)
{
	for (unsigned int t = 0; t < HELP_TABLES && form->tables[t].n; t++)
		for (unsigned int k = 0; k < *form->tables[t].n; k++) {
			const struct opts_key *key = &form->tables[t].keys[k];

			if (!(key->flags & form->without) && !i--)
				return key;
		}
	return NULL;
}

static void choices_print(const char *const *words, const char *before, const char *after)
{
	printf("%s", before);
	for (unsigned int i = 0; words[i]; i++)
		printf("%s%s", i ? "|" : "", words[i]);
	printf("%s", after);
}

static void usage_print(const struct command *command, const struct help_form *form)
{
	const struct opts_key *key;

	printf("weir [-n NETNS] [-j] %s", command->name);
	if (form->verb)
		printf(" %s", form->verb);
	if (form->verbs)
		choices_print(form->verbs, " ", "");
	if (form->args)
		printf(" %s", form->args);
	if (form->words)
		choices_print(form->words, " [", "]");
	if (help_key(form, KEYS_SHOWN)) {
		printf(" [KEY VALUE]...\n");
		return;
	}
	for (unsigned int i = 0; (key = help_key(form, i)); i++)
		printf(" [%s%s%s]", key->name, *key->value ? " " : "", key->value);
	printf("\n");
}

static bool is_known(const struct command *command, unsigned int before, const char *name)
{
	const struct opts_key *key;

	for (unsigned int f = 0; f < before; f++)
		for (unsigned int i = 0; (key = help_key(&command->forms[f], i)); i++)
			if (!strcmp(key->name, name))
				return true;
	return false;
}

/* a form's keys, but for those of earlier forms */
static void keys_print(const struct command *command, unsigned int at, int width)
{
	const struct opts_key *key;
	bool heading = false;
	char both[80];

	for (unsigned int i = 0; (key = help_key(&command->forms[at], i)); i++) {
		if (is_known(command, at, key->name))
			continue;
		if (!heading)
			printf("\n");
		heading = true;
		snprintf(both, sizeof(both), "%s %s", key->name, key->value);
		printf("  %-*s  %s\n", width, both, key->help);
	}
}

/* of the widest key with its value */
static int keys_width(const struct command *command)
{
	const struct opts_key *key;
	size_t width = 0;

	for (unsigned int f = 0; f < help_n_forms(command); f++)
		for (unsigned int i = 0; (key = help_key(&command->forms[f], i)); i++) {
			size_t n = strlen(key->name) + 1 + strlen(key->value);

			width = n > width ? n : width;
		}
	return width;
}

static void command_help(const struct command *command)
{
	unsigned int n = help_n_forms(command);

	printf("%s: %s\n", command->name, command->summary);
	for (unsigned int i = 0; i < n; i++) {
		printf("%s", i ? "       " : "usage: ");
		usage_print(command, &command->forms[i]);
	}
	for (unsigned int i = 0; i < n; i++)
		keys_print(command, i, keys_width(command));
	if (command->notes)
		printf("\n%s\n", command->notes);
}

static void overview(void)
{
	printf("weir %s: a per-flow traffic shaper\n\nusage: weir [-n NETNS] [-j] COMMAND\n\n",
	       WEIR_VERSION);
	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].summary);
	printf("  %-10s %s\n\n", "help", "this, or more about a COMMAND");
	printf("  %-10s the instance of a network namespace, as `ip netns` names it\n", "-n NETNS");
	printf("  %-10s JSON\n", "-j");
}

int help_run(struct context *context, int argc, char **argv)
{
	const struct command *command;

	if (argc && !strcmp(argv[0], "complete")) {
		complete(argc - 1, argv + 1);
		return CMD_DONE;
	}
	if (argc > 1) {
		err_set(&context->err, EINVAL, "help %s: nothing may follow, not '%s'", argv[0],
			argv[1]);
		return CMD_USAGE;
	}
	if (!argc || !strcmp(argv[0], "help")) {
		overview();
		return CMD_DONE;
	}
	command = help_command(argv[0], &context->err);
	if (!command)
		return CMD_USAGE;
	command_help(command);
	return CMD_DONE;
}
