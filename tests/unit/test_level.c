// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_level.c: what moves the level of a class that polices: not its flows' swinging, only a
 * class whose rate is not in use or is far exceeded.
 */
#include <weir/level.h>
#include "unit.h"

static void police_stands_still_between(void **state)
{
	__u32 gain = WEIR_GAIN_ONE, i;
	__u64 ms;

	for (ms = 5; ms <= 100; ms++)
		assert_int_equal(weir_level_above_police(ms * 1000000, &gain), 0);
	assert_int_equal(gain, WEIR_GAIN_ONE);
	assert_int_equal(weir_level_above_police(0, &gain), -1);
	assert_int_equal(weir_level_above_police(4999999, &gain), -1);
	assert_int_equal(weir_level_above_police(100000001, &gain), 1);
	assert_int_equal(gain, WEIR_GAIN_ONE);
	/* a correction is forgotten while none is needed */
	for (gain = WEIR_GAIN_MAX, i = 0; i < 100; i++)
		weir_level_above_police(50000000, &gain);
	assert_in_range(gain, WEIR_GAIN_ONE, WEIR_GAIN_ONE + 8);
	for (gain = WEIR_GAIN_MIN, i = 0; i < 100; i++)
		weir_level_above_police(50000000, &gain);
	assert_in_range(gain, WEIR_GAIN_ONE - 8, WEIR_GAIN_ONE);
}

/* three limited buckets: a third each; what is over the rate for long is worked off by all */
static void police_shares_by_count(void **state)
{
	struct weir_window w = { .bytes = 200000, .active = 3, .limited = 3 };
	__u64 level = 50000000;
	__u32 gain = WEIR_GAIN_ONE, i;
	int above;

	for (i = 0; i < 20; i++) {
		above = weir_level_above_police(50000000, &gain);
		level = weir_level_next(100000000, level, &w, 3, 16000000, above, &gain);
		assert_in_range(level, 33333000, 33333334);
		assert_int_equal(weir_level_damped(level, 50000000, WEIR_SLACK_NS), level);
	}
	assert_true(weir_level_damped(level, 150000000, WEIR_SLACK_NS) < level * 90 / 100);
	for (i = 0; i < 8; i++) {
		above = weir_level_above_police(0, &gain);
		level = weir_level_next(100000000, level, &w, 3, 16000000, above, &gain);
	}
	assert_in_range(level, 37400000, 37600000);
}

/* eight were free in the last window and are all limited in this one: nothing is for others */
static void who_is_limited_now_is_not_free(void **state)
{
	struct weir_window w = { .bytes = 200000, .free_bytes = 200000, .active = 8 };
	__u32 gain = WEIR_GAIN_ONE;

	assert_int_equal(weir_free_bytes(&w), 200000);
	w.now_limited = 2;
	assert_int_equal(weir_free_bytes(&w), 150000);
	w.limited = 1;
	w.free_bytes = 140000;
	assert_int_equal(weir_free_bytes(&w), 120000);
	w.now_limited = 8;
	assert_int_equal(weir_free_bytes(&w), 0);
	assert_int_equal(weir_level_next(100000000, 12500000, &w, 8, 16000000, 0, &gain), 12500000);
	/* fewer than before: what was counted holds */
	w.now_limited = 0;
	assert_int_equal(weir_free_bytes(&w), 140000);
	w.limited = 8;
	w.free_bytes = 0;
	assert_int_equal(weir_free_bytes(&w), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(police_stands_still_between),
		cmocka_unit_test(police_shares_by_count),
		cmocka_unit_test(who_is_limited_now_is_not_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
