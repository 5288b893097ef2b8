// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_manual.c: the manual names every key, every choice and every reason that the tables know.
 * Reads user/man/weir.8, so it runs from the top of the tree.
 */
#include "unit.h"
#include <weir/abi.h>
#include "conf.h"

static char manual[1 << 20];

/* a word by itself: not as a part of another */
static bool names(const char *word)
{
	size_t n = strlen(word);

	for (const char *at = manual; (at = strstr(at, word)); at++)
		if (at > manual && strchr(" \n|", at[-1]) && strchr(" \n|,", at[n]))
			return true;
	return false;
}

static void keys(const struct opts_key *table, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		if (!names(table[i].name))
			fail_msg("weir.8 does not name the key %s", table[i].name);
		for (const char *const *choice = table[i].choices; choice && *choice; choice++)
			if (!names(*choice))
				fail_msg("weir.8 does not name %s %s", table[i].name, *choice);
	}
}

static void names_every_key(void **state)
{
	keys(conf_class_keys, conf_n_class_keys);
	keys(conf_match_keys, conf_n_match_keys);
}

static void names_every_reason(void **state)
{
	static const char *const reasons[] = {
#define X(e, name, drops, text) name,
		WEIR_REASONS(X)
#undef X
#define X(e, name, text) name,
		WEIR_CONTROL_REASONS(X)
#undef X
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!names(reasons[i]))
			fail_msg("weir.8 does not name the reason %s", reasons[i]);
}

static void names_every_event(void **state)
{
	static const char *const events[] = {
#define X(e, name, text) name,
		WEIR_EVENT_KINDS(X)
#undef X
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(events); i++)
		if (!names(events[i]))
			fail_msg("weir.8 does not name the event %s", events[i]);
}

static int read_manual(void **state)
{
	FILE *file = fopen("user/man/weir.8", "r");
	size_t n;

	if (!file)
		return -1;
	n = fread(manual, 1, sizeof(manual) - 1, file);
	manual[n] = '\0';
	fclose(file);
	return n ? 0 : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_every_key),
		cmocka_unit_test(names_every_reason),
		cmocka_unit_test(names_every_event),
	};

	return cmocka_run_group_tests(tests, read_manual, NULL);
}
