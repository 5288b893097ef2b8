// SPDX-License-Identifier: GPL-2.0-only
/*
 * complete.c: what may stand behind the words of a command line, by the tables that parse them.
 * Names of devices, classes and files are the shell's to find: DEV, CLASS, FILE and the like stand
 * for them.
 */
#include <stdio.h>
#include <string.h>
#include "help.h"
#include "signals.h"

static void words_print(const char *const *words)
{
	for (; words && *words; words++)
		printf("%s\n", *words);
}

static bool is_among(const char *const *words, const char *word, size_t n)
{
	for (; words && *words; words++)
		if (!strncmp(*words, word, n) && !(*words)[n])
			return true;
	return false;
}

/*
 * "RATE|none|auto", "PORT|LO-HI,...": words as they are, but for those that were printed already,
 * and what stands for something
 */
static void alternatives_print(const char *text, size_t n, const char *const *printed)
{
	static const char lower[] = "abcdefghijklmnopqrstuvwxyz-";
	static const char upper[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	while (n) {
		size_t all = strcspn(text, "|") < n ? strcspn(text, "|") : n;
		size_t word = strcspn(text, "|,") < all ? strcspn(text, "|,") : all;

		if (word && !is_among(printed, text, word) &&
		    (strspn(text, lower) >= word || strspn(text, upper) >= word))
			printf("%.*s\n", (int)word, text);
		text += all;
		n -= all;
		if (n) {
			text++;
			n--;
		}
	}
}

static void values_print(const struct opts_key *key)
{
	words_print(key->choices);
	alternatives_print(key->value, strlen(key->value), key->choices);
	if (key->set_bit)
		printf("default\n");
}

static const struct opts_key *key_find(const struct help_form *form, const char *word)
{
	const struct opts_key *key;

	for (unsigned int i = 0; (key = help_key(form, i)); i++)
		if (!strcmp(key->name, word))
			return key;
	return NULL;
}

#define GIVEN_MAX 64

/* the keys so far: a value may be called as a key is */
static bool is_given(const struct opts_key *const *given, const struct opts_key *key)
{
	for (; *given; given++)
		if (*given == key)
			return true;
	return false;
}

/* the words so far are KEY VALUE pairs: the value of the last key, or a further key */
static void pairs(const struct help_form *form, int argc, char **argv)
{
	const struct opts_key *key, *given[GIVEN_MAX + 1] = {};
	unsigned int n_given = 0;
	bool last = false;
	bool psi;
	int n;

	for (int i = 0; i < argc; i += 1 + n) {
		key = key_find(form, argv[i]);
		if (!key || n_given == GIVEN_MAX)
			return;
		given[n_given++] = key;
		n = key->flags & OPTS_ALONE ? 0 : 1;
		if (n && i + 1 == argc)
			return values_print(key);
		/* of all values this one alone goes on: RESOURCE, cgroup, PATH */
		psi = key->choices == signal_words && !strcmp(argv[i + 1], "psi");
		if (psi && i + 2 == argc)
			return words_print(signal_psi_names);
		if (psi && i + 3 == argc)
			printf("cgroup\n");
		if (psi && i + 4 == argc && !strcmp(argv[i + 3], "cgroup"))
			return (void)printf("PATH\n");
		if (key->words)
			n = key->words(argc - i - 1, argv + i + 1);
		last = key->flags & OPTS_LAST;
	}
	for (unsigned int i = 0; !last && (key = help_key(form, i)); i++)
		if (!is_given(given, key))
			printf("%s\n", key->name);
}

static bool is_verb(const struct help_form *form, const char *word)
{
	return form->verb ? !strcmp(form->verb, word) :
			    is_among(form->verbs, word, strlen(word));
}

/* CLASS: any word in its place */
static bool is_name(const char *word)
{
	return *word >= 'A' && *word <= 'Z';
}

/* behind the verb */
static void rest(const struct help_form *form, int argc, char **argv)
{
	const char *args = form->args ?: "";

	while (*args) {
		size_t n = strcspn(args, " ");

		if (!argc)
			return alternatives_print(args, n, NULL);
		args += n + (args[n] == ' ');
		argc--, argv++;
	}
	if (!argc)
		words_print(form->words);
	else if (is_among(form->words, argv[0], strlen(argv[0])) ||
		 (form->words && is_name(form->words[0]) && !key_find(form, argv[0])))
		argc--, argv++;
	pairs(form, argc, argv);
}

static void of_command(const struct command *command, int argc, char **argv)
{
	unsigned int n = help_n_forms(command);
	bool chosen = false;

	for (unsigned int i = 0; i < n && argc; i++) {
		const struct help_form *form = &command->forms[i];

		if ((form->verb || form->verbs) && is_verb(form, argv[0])) {
			rest(form, argc - 1, argv + 1);
			chosen = true;
		}
	}
	for (unsigned int i = 0; i < n && !chosen; i++) {
		const struct help_form *form = &command->forms[i];

		if (!form->verb && !form->verbs)
			rest(form, argc, argv);
		else if (!argc && form->verb)
			printf("%s\n", form->verb);
		else if (!argc)
			words_print(form->verbs);
	}
	if (!argc)
		printf("help\n");
}

void complete(int argc, char **argv)
{
	const struct command *command;
	struct err err = {};

	if (argc && strcmp(argv[0], "help")) {
		command = help_command(argv[0], &err);
		if (command)
			of_command(command, argc - 1, argv + 1);
		return;
	}
	if (argc < 2)
		for (unsigned int i = 0; (command = help_command_at(i)); i++)
			printf("%s\n", command->name);
	if (!argc)
		printf("help\n-n\n-j\n");
}
