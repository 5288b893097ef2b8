// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_screen.c: no more than the screen has room for, and nothing left of what was there.
 */
#include "unit.h"
#include "screen.h"
#include "text.h"

static struct text got;

static void keep(void *arg, const char *text, size_t n)
{
	text_add(&got, "%.*s", (int)n, text);
}

/* each text comes in two parts as well as in one */
static void assert_shown(unsigned int lines, unsigned int columns, const char *text,
			 const char *shown)
{
	size_t n = strlen(text);

	for (size_t cut = 0; cut < n; cut++) {
		struct screen screen = { keep, NULL, lines, columns, 0 };

		screen_begin(&screen);
		screen_put(&screen, text, cut);
		screen_put(&screen, text + cut, n - cut);
		screen_end(&screen);
		assert_string_equal(got.data, shown);
		text_free(&got);
	}
}

static void fits(void **state)
{
	assert_shown(4, 10, "ab\n\nc\n", "\033[Hab\033[K\r\n\033[K\r\nc\033[K\r\n\033[J");
	/* no line is begun that has no room: it would scroll the first away */
	assert_shown(2, 10, "ab\ncd\nef\n", "\033[Hab\033[K\r\ncd\033[K\r\n\033[J");
	assert_shown(1, 10, "ab\ncd\n", "\033[Hab\033[K\r\n\033[J");
}

static void long_lines_take_more_rows(void **state)
{
	assert_shown(3, 4, "abcdef\nghijkl\n", "\033[Habcdef\033[K\r\nghij\r\n\033[J");
	assert_shown(2, 4, "abcdefghij\nk\n", "\033[Habcdefgh\r\n\033[J");
	/* a full row ends on its last character, which stays */
	assert_shown(3, 4, "abcd\nef\n", "\033[Habcd\r\nef\033[K\r\n\033[J");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fits),
		cmocka_unit_test(long_lines_take_more_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
