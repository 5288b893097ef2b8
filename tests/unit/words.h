/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * words.h: policies in words, for the tests of the grammar and of what it prints.
 */
#ifndef UNIT_WORDS_H
#define UNIT_WORDS_H

#include "unit.h"
#include "conf.h"

/* one command, its words apart by blanks; as conf_words() */
static inline int words(struct policy *policy, const char *line, struct err *err)
{
	char copy[1024], *argv[64];
	int argc = 0;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return conf_words(policy, argc, argv, err);
}

/* of a file's text that must be good; to be freed */
static inline struct policy *policy_of(const char *text)
{
	struct policy *policy = policy_new();
	struct err err = {};

	assert_non_null(policy);
	if (conf_text(policy, "test", text, strlen(text), &err) || policy_finish(policy, &err))
		fail_msg("%s", err.text);
	return policy;
}

#endif
