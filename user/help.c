// SPDX-License-Identifier: GPL-2.0-only
/*
 * help.c: the table of commands and what is printed from it and from the tables of keys. Parses
 * nothing.
 */
#include <stdio.h>
#include <string.h>
#include "conf.h"
#include "help.h"
#include "show.h"

static const char *const directions[] = { "egress", "ingress", "both", "qdisc", "via", "flows",
					  NULL };
static const char *const class_verbs[] = { "set", "del", NULL };
static const char *const match_verbs[] = { "add", "del", NULL };
static const char *const show_parts[] = { "devices", "classes", "matches", "flows", "config",
					  "reasons", NULL };

static const char *const flow_words[] = { "dev", "hook", "src", "dst", "proto", "sport", "dport",
					  "class", "sort", "limit", "watch", NULL };
static const char *const replay_words[] = { "conf", "diff", "dev-rate", "hook", "dev", "egress",
					    "ingress", NULL };

static const char *const run_words[] = { "conf", "listen", "observe", NULL };
static const char *const signal_words[] = { "ttl", "drain", NULL };

static const struct command commands[] = {
	{ "attach", cmd_attach, "put weir on a device",
	  "attach DEV [egress|ingress|both] [qdisc keep|fq] [via tcx|clsact] [flows N]\n",
	  directions },
	{ "detach", cmd_detach, "take it off again, restore what was there",
	  "detach DEV [egress|ingress|both]\n"
	  "detach all\n", directions },
	{ "apply", cmd_apply, "a whole policy from a file, at once",
	  "apply FILE|-\n", NULL },
	{ "class", cmd_class, "set or delete a class",
	  "class set NAME KEY VALUE...\n"
	  "class del NAME\n", class_verbs },
	{ "match", cmd_match, "say which packets belong to a class",
	  "match add NAME [KEY VALUE...] [pref N]\n"
	  "match del NAME [pref N]\n", match_verbs },
	{ "show", cmd_show, "devices, classes, flows, and why",
	  "show [devices|classes|matches|config|reasons] [watch SECONDS]\n"
	  "show flows [KEY VALUE...] [class NAME] [sort FIELD] [limit N] [watch SECONDS]\n", show_parts },
	{ "replay", cmd_replay, "a capture through a policy, in virtual time",
	  "replay FILE [conf FILE] [diff FILE] [dev-rate RATE] [hook egress|ingress] [dev NAME]\n",
	  replay_words },
	{ "monitor", cmd_monitor, "what changes, line by line",
	  "monitor\n", NULL },
	{ "top", cmd_top, "the same, live, on the whole screen",
	  "top\n", NULL },
	{ "run", cmd_run, "the agent: consumers' backlog in, rates out",
	  "run [conf FILE] [listen ADDR:PORT] [observe]\n", run_words },
	{ "signal", cmd_signal, "push a signal to the agent",
	  "signal NAME VALUE [ttl TIME] [drain RATE]\n", signal_words },
	{ "check", cmd_check, "what this host offers and what weir does without",
	  "check\n", NULL },
	{ "version", cmd_version, "version and what is built in",
	  "version\n", NULL },
};

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

static void usage_print(const char *usage)
{
	const char *first = "usage: ";

	for (; *usage; usage += strcspn(usage, "\n") + 1) {
		printf("%sweir [-n NETNS] [-j] %.*s\n", first, (int)strcspn(usage, "\n"), usage);
		first = "       ";
	}
}

static void keys_print(const struct opts_key *keys, unsigned int n)
{
	printf("\nKEY VALUE:\n");
	for (unsigned int i = 0; i < n; i++) {
		char both[80];

		if (keys[i].flags & OPTS_LATER)
			continue;
		snprintf(both, sizeof(both), "%s %s", keys[i].name, keys[i].value);
		printf("  %-52s %s\n", both, keys[i].help);
	}
}

static void command_help(const struct command *command)
{
	usage_print(command->usage);
	if (command->run == cmd_class) {
		keys_print(conf_class_keys, conf_n_class_keys);
		printf("\nRATE is such as 10mbit, TIME 5ms, SIZE 64kb. `default` takes back burst, "
		       "fair, action,\necn, socket, mark-at and drop-at.\n");
	} else if (command->run == cmd_match) {
		keys_print(conf_match_keys, conf_n_match_keys);
	} else if (command->run == cmd_show) {
		printf("\nFlows are chosen by the keys of a match: dev, hook, src, dst, proto, "
		       "sport, dport.\nFIELD is rate, bytes, packets, marked, dropped, delayed or "
		       "age; largest or latest first.\nWithout sort and limit, a table of more "
		       "than 131072 flows is printed in no order.\n");
	}
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

static void choices_print(const char *const *choices)
{
	for (; choices && *choices; choices++)
		printf("%s\n", *choices);
}

/* words that may follow `word`, one a line: a command's, a table's keys, a key's choices */
static int words_print(const char *word)
{
	const struct {
		const struct opts_key *keys;
		unsigned int n;
		const char *name;
	} tables[] = {
		{ conf_class_keys, conf_n_class_keys, "class-keys" },
		{ conf_match_keys, conf_n_match_keys, "match-keys" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!word)
			printf("%s\n", commands[i].name);
		else if (!strcmp(word, commands[i].name))
			choices_print(commands[i].words);
	}
	for (unsigned int t = 0; word && t < ARRAY_SIZE(tables); t++)
		for (unsigned int i = 0; i < tables[t].n; i++) {
			if (tables[t].keys[i].flags & OPTS_LATER)
				continue;
			if (!strcmp(word, tables[t].name))
				printf("%s\n", tables[t].keys[i].name);
			else if (!strcmp(word, tables[t].keys[i].name))
				choices_print(tables[t].keys[i].choices);
		}
	if (word && !strcmp(word, "flow-keys"))
		choices_print(flow_words);
	else if (word && !strcmp(word, "sort"))
		choices_print(show_sort_words);
	return CMD_DONE;
}

int help_run(struct context *context, int argc, char **argv)
{
	const struct command *command;

	if (!argc) {
		overview();
		return CMD_DONE;
	}
	if (!strcmp(argv[0], "words"))
		return words_print(argc > 1 ? argv[1] : NULL);
	command = help_command(argv[0], &context->err);
	if (!command)
		return CMD_USAGE;
	command_help(command);
	return CMD_DONE;
}
