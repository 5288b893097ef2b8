// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_conf.c: arbitrary text as a policy file. Whatever is taken must be within the bounds of
 * abi.h, and must print as a file that makes the same policy, without characters that
 * `show config` would write in another way.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct text {
	char *bytes;
	size_t size;
};

static void must(int holds, const char *what, const char *detail)
{
	if (holds)
		return;
	fprintf(stderr, "%s: %s\n", what, detail);
	abort();
}

static int append(const char *line, void *arg)
{
	struct text *text = arg;
	size_t n = strlen(line);

	must(!conf_has_control(line), "a control character is printed", line);
	text->bytes = realloc(text->bytes, text->size + n + 1);
	memcpy(text->bytes + text->size, line, n);
	text->bytes[text->size + n] = '\n';
	text->size += n + 1;
	return 0;
}

static void bounds(const struct policy *policy)
{
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++) {
		const struct weir_class *class = &policy->classes[i];

		if (!(class->flags & WEIR_CLASS_USED))
			continue;
		must(!class->rate_bps || (class->rate_bps >= WEIR_RATE_MIN &&
					  class->rate_bps <= WEIR_RATE_MAX), "rate", class->name);
		must(class->action < WEIR_ACTION_COUNT && class->per < WEIR_PER_COUNT, "enum",
		     class->name);
		must(class->action == WEIR_POLICE || class->mark_at_ns <= class->drop_at_ns,
		     "mark-at", class->name);
		must(class->plen4 >= 1 && class->plen4 <= 32 && class->plen6 >= 1 &&
		     class->plen6 <= 128, "prefix length", class->name);
	}
	for (unsigned int i = 0; i < policy->n_matches; i++) {
		const struct weir_rule *rule = &policy->matches[i];

		must(rule->class_slot < WEIR_MAX_CLASSES &&
		     policy->classes[rule->class_slot].flags & WEIR_CLASS_USED, "class of a match",
		     "");
		must(rule->n_src <= WEIR_PREFIXES && rule->n_dst <= WEIR_PREFIXES &&
		     rule->n_proto <= WEIR_PROTOS && rule->n_sport <= WEIR_PORT_RANGES &&
		     rule->n_dport <= WEIR_PORT_RANGES, "list", "");
		must(!i || policy->matches[i - 1].pref <= rule->pref, "order", "");
	}
}

/* as policy_new() makes it, but without writing a megabyte for every input */
static void reset(struct policy *policy)
{
	for (unsigned int i = 0; i < WEIR_MAX_CLASSES; i++)
		if (policy->classes[i].flags)
			memset(&policy->classes[i], 0, sizeof(policy->classes[i]));
	memset(policy->matches, 0, policy->n_matches * sizeof(policy->matches[0]));
	policy->n_matches = 0;
	policy_class_get(policy, "default");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy made, read;
	struct text text = {};
	struct err err = {};

	reset(&made);
	if (!conf_text(&made, "fuzz", (const char *)data, size, &err) &&
	    !policy_finish(&made, &err)) {
		reset(&read);
		bounds(&made);
		must(!conf_lines(&made, append, &text), "print", "");
		must(!conf_text(&read, "printed", text.bytes, text.size, &err) &&
		     !policy_finish(&read, &err) && !policy_align(&read, &made, &err), "read back",
		     err.text);
		must(!memcmp(made.classes, read.classes, sizeof(made.classes)) &&
		     made.n_matches == read.n_matches &&
		     !memcmp(made.matches, read.matches, sizeof(made.matches)), "round trip",
		     "differs");
	} else {
		must(err.text[0] != '\0', "refused without a word", "");
	}
	free(text.bytes);
	return 0;
}
