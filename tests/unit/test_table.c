// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_table.c: cells come out aligned, block after block, and nothing of one table is left for
 * the next.
 */
#include "unit.h"
#include "table.h"
#include "text.h"

static struct text got;

static void keep(void *arg, const char *text, size_t n)
{
	text_add(&got, "%.*s", (int)n, text);
}

static void cell(struct table *table, const char *name, const char *text, bool right)
{
	size_t n = strlen(text);
	char *to = table_room(table, n);

	assert_non_null(to);
	memcpy(to, text, n);
	assert_int_equal(table_cell(table, name, n, right), 0);
}

static void aligns(void **state)
{
	struct table *table = table_new(keep, NULL);

	assert_non_null(table);
	table_row(table);
	cell(table, "rate_bps", "1", true);
	cell(table, "last_seen_ns", "x", false);
	cell(table, "dev", "eth0", false);
	assert_int_equal(table_row_end(table), 0);
	table_row(table);
	cell(table, "rate_bps", "123456", true);
	assert_int_equal(table_row_end(table), 0);
	assert_int_equal(table_end(table), 0);
	assert_string_equal(got.data, "  RATE  LAST-SEEN  DEV\n"
				      "     1  x          eth0\n"
				      "123456             \n");
	text_free(&got);

	table_row(table);
	cell(table, "a", "b", false);
	assert_int_equal(table_row_end(table), 0);
	assert_int_equal(table_end(table), 0);
	assert_string_equal(got.data, "A\nb\n");
	text_free(&got);
	assert_int_equal(table_end(table), 0);
	assert_null(got.data);
	table_free(table);
}

/* more than a block: a wide cell widens what comes after it; a line longer than all before it */
static void goes_on(void **state)
{
	struct table *table = table_new(keep, NULL);
	char wide[70001];
	unsigned int lines = 0;

	memset(wide, 'w', sizeof(wide) - 1);
	wide[sizeof(wide) - 1] = '\0';
	for (unsigned int i = 0; i < 3000; i++) {
		table_row(table);
		cell(table, "n", i == 2500 ? wide : "1", true);
		cell(table, "m", "2", false);
		assert_int_equal(table_row_end(table), 0);
	}
	assert_int_equal(table_end(table), 0);
	for (const char *at = got.data; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 3001);
	assert_memory_equal(got.data, "N  M\n1  2\n", 10);
	assert_string_equal(got.data + got.size - 6, " 1  2\n");
	text_free(&got);
	table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(aligns),
		cmocka_unit_test(goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
