// SPDX-License-Identifier: GPL-2.0-only
/*
 * conf_control.c: the keys of a class that say what its controller follows and how: control,
 * target, law. Checks that need more than one value are policy.c's. Pure: no libbpf, no clock, no
 * log.
 */
#include <stdio.h>
#include <string.h>
#include "conf_control.h"
#include "signals.h"

/* in the order of enum control_law */
const char *const conf_law_words[] = { "ff", "aimd", "pi", NULL };

/* `psi` takes its resource with it, and a cgroup */
unsigned int conf_control_words(int argc, char *const *argv)
{
	if (argc < 2 || strcmp(argv[0], "psi"))
		return 1;
	/* without a path, too: signal_check() says what is missing */
	if (argc >= 3 && !strcmp(argv[2], "cgroup"))
		return argc < 4 ? 3 : 4;
	return 2;
}

int conf_control_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	int r;

	if (!strcmp(word, "none")) {
		memset(class->signal, 0, sizeof(class->signal));
		return 0;
	}
	if (strlen(word) >= sizeof(class->signal))
		return err_set(err, EINVAL, "'%.100s': longer than %zu characters", word,
			       sizeof(class->signal) - 1);
	r = signal_check(word, err);
	if (r)
		return r;
	memset(class->signal, 0, sizeof(class->signal));
	strcpy(class->signal, word);
	return 0;
}

int conf_control_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;

	return snprintf(ret->text, sizeof(ret->text), "%s", class->signal);
}

int conf_target_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	bool is_time = false;
	__u64 value;
	int r;

	if (!strcmp(word, "default")) {
		class->set &= ~(WEIR_SET_TARGET | WEIR_SET_TARGET_TIME);
		return 0;
	}
	r = signal_value(word, &value, &is_time, err);
	if (r)
		return r;
	if (!value)
		return err_set(err, EINVAL, "'%s': want more than 0", word);
	class->target = value;
	class->set |= WEIR_SET_TARGET | WEIR_SET_TARGET_TIME;
	if (!is_time)
		class->set &= ~WEIR_SET_TARGET_TIME;
	return 0;
}

int conf_target_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;
	bool is_time = class->set & WEIR_SET_TARGET_TIME;

	if (!(class->set & WEIR_SET_TARGET))
		return 0;
	/* a number without % is in percent, too, and easily taken for a part of 1 */
	return snprintf(ret->text, sizeof(ret->text), "%s%s",
			signal_value_exact(class->target, is_time).text,
			!is_time && signal_is_share(class->signal) ? "%" : "");
}

int conf_law_set(const struct opts_key *key, const char *word, void *target, struct err *err)
{
	struct weir_class *class = target;
	int law = opts_choice(word, conf_law_words, err);

	if (law < 0)
		return law;
	class->law = law;
	return 0;
}

int conf_law_get(const struct opts_key *key, const void *target, struct opts_text *ret)
{
	const struct weir_class *class = target;

	if (!class->law || class->law >= ARRAY_SIZE(conf_law_words) - 1)
		return 0;
	return snprintf(ret->text, sizeof(ret->text), "%s", conf_law_words[class->law]);
}
