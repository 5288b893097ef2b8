// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_manual.c: the manual names every key and every choice (weir.conf.5), every reason, event,
 * state and metric (weir.8) that the tables know, and the schema every word that a field may be.
 * Runs from the top of the tree.
 */
#include "unit.h"
#include <weir/abi.h>
#include "conf.h"
#include "metrics.h"
#include "monitor.h"
#include "text.h"

static char weir_8[1 << 20], weir_conf_5[1 << 20], schema[1 << 20];

/* a word by itself: not as a part of another */
static bool names(const char *manual, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = manual; (at = strstr(at, word)); at++)
		if (at > manual && strchr(" \n|", at[-1]) && strchr(" \n|,", at[n]))
			return true;
	return false;
}

/* from the heading of a section to that of the next */
static char *section_of(const char *page, const char *name)
{
	char heading[64];
	const char *from, *end;

	snprintf(heading, sizeof(heading), "\n.Sh %s\n", name);
	from = strstr(page, heading);
	assert_non_null(from);
	end = strstr(from + 1, "\n.Sh ");
	return end ? strndup(from, end - from) : strdup(from);
}

/* each has an entry of its own in the section: ".It Cm ... name ..." */
static void explains(const char *page, const char *section, const char *what,
		     const char *const *words, size_t n)
{
	char *text = section_of(page, section), line[512];

	for (size_t i = 0; i < n; i++) {
		bool found = false;

		for (char *at = text; !found && (at = strstr(at, "\n.It ")); at++) {
			snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(at + 1, "\n"), at + 1);
			found = names(line, words[i]);
		}
		if (!found)
			fail_msg("%s: no entry for the %s %s", section, what, words[i]);
	}
	free(text);
}

static void keys(const char *section, const struct opts_key *table, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		explains(weir_conf_5, section, "key", &table[i].name, 1);
		for (const char *const *choice = table[i].choices; choice && *choice; choice++)
			if (!names(weir_conf_5, *choice))
				fail_msg("weir.conf.5 does not name %s %s", table[i].name, *choice);
	}
}

static void names_every_key(void **state)
{
	keys("CLASSES", conf_class_keys, conf_n_class_keys);
	keys("MATCHES", conf_match_keys, conf_n_match_keys);
}

static void explains_every_reason(void **state)
{
	static const char *const reasons[] = {
#define X(e, name, drops, text) name,
		WEIR_REASONS(X)
#undef X
	};

	explains(weir_8, "REASONS", "reason", reasons, ARRAY_SIZE(reasons));
}

static void explains_every_event(void **state)
{
	static const char *const events[] = {
#define X(e, name, text) name,
		WEIR_EVENT_KINDS(X)
		MONITOR_DEVICE_STATES(X)
		WEIR_CONTROL_REASONS(X)
#undef X
	};

	explains(weir_8, "EVENTS", "event", events, ARRAY_SIZE(events));
}

static void schema_knows_every_word(void **state)
{
	static const char *const words[] = {
#define X(e, name, ...) name,
		WEIR_REASONS(X)
		WEIR_CONTROL_REASONS(X)
		WEIR_EVENT_KINDS(X)
		MONITOR_DEVICE_STATES(X)
		SNAPSHOT_STATES(X)
#undef X
	};
	char quoted[64];

	for (unsigned int i = 0; i < ARRAY_SIZE(words); i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", words[i]);
		if (!strstr(schema, quoted))
			fail_msg("weir.schema.json does not know %s", words[i]);
	}
}

static void names_every_state(void **state)
{
	char *text = section_of(weir_8, "TOP");

	for (unsigned int i = 0; i < SNAPSHOT_STATE_COUNT; i++)
		if (!names(text, snapshot_state_names[i]))
			fail_msg("TOP does not name the state %s", snapshot_state_names[i]);
	free(text);
}

static void explains_every_metric(void **state)
{
	struct snapshot snapshot = {};
	struct text text = {};
	char name[128];

	assert_int_equal(metrics_write(&text, &snapshot, METRICS_PLAIN), 0);
	for (const char *at = text.data; (at = strstr(at, "# TYPE ")); at++) {
		const char *word = name;

		assert_int_equal(sscanf(at, "# TYPE %127s", name), 1);
		explains(weir_8, "HTTP", "metric", &word, 1);
	}
	text_free(&text);
}

static int page_read(const char *path, char *ret, size_t size)
{
	FILE *file = fopen(path, "r");
	size_t n;

	if (!file)
		return -1;
	n = fread(ret, 1, size - 1, file);
	ret[n] = '\0';
	fclose(file);
	return n ? 0 : -1;
}

static int read_manual(void **state)
{
	return page_read("user/man/weir.8", weir_8, sizeof(weir_8)) ?:
	       page_read("user/man/weir.conf.5", weir_conf_5, sizeof(weir_conf_5)) ?:
	       page_read("user/weir.schema.json", schema, sizeof(schema));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_every_key),
		cmocka_unit_test(explains_every_reason),
		cmocka_unit_test(explains_every_event),
		cmocka_unit_test(names_every_state),
		cmocka_unit_test(schema_knows_every_word),
		cmocka_unit_test(explains_every_metric),
	};

	return cmocka_run_group_tests(tests, read_manual, NULL);
}
