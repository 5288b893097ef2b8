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

#define MS 1000000ULL

/* missing buckets pause, as far as the rate that they left is in use */
static void the_missing_are_gone_if_their_rate_is_unused(void **state)
{
	struct weir_window w = { .active = 64, .limited = 60, .now_limited = 64 };

	assert_int_equal(weir_limited_count(&w, 128, 0), 112);
	assert_int_equal(weir_limited_count(&w, 128, 1), 64);
	assert_int_equal(weir_limited_count(&w, 32, 0), 64);
	assert_int_equal(weir_limited_count_leased(&w, 128, 16 * MS, 0), 128);
	assert_int_equal(weir_limited_count_leased(&w, 128, 16 * MS, 4 * MS), 96);
	assert_int_equal(weir_limited_count_leased(&w, 128, 16 * MS, 12 * MS), 64);
	assert_int_equal(weir_limited_count_leased(&w, 128, 16 * MS, ~0ULL), 64);
	assert_int_equal(weir_limited_count_leased(&w, 32, 16 * MS, 0), 64);
	w.limited = w.now_limited = 0;
	/* less than half of what one of six has is not one */
	assert_int_equal(weir_limited_count_leased(&w, 6, 16 * MS, 1 * MS), 6);
	assert_int_equal(weir_limited_count_leased(&w, 6, 16 * MS, 2 * MS), 5);
	assert_int_equal(weir_limited_count_leased(&w, 1, 16 * MS, 7 * MS), 1);
	assert_int_equal(weir_limited_count_leased(&w, 1, 16 * MS, 9 * MS), 0);
}

static void what_is_unused_is_shared_out(void **state)
{
	__u64 rate = 1000000000;	/* four bursts of 64 KiB: 2.1 ms */

	/* a quarter of a window of 256 ms, at least 16 ms, and a quarter of that unused */
	assert_false(weir_level_unused(rate, 60 * MS, 256 * MS, 60 * MS));
	assert_true(weir_level_unused(rate, 64 * MS, 256 * MS, 17 * MS));
	assert_false(weir_level_unused(rate, 64 * MS, 256 * MS, 16 * MS));
	assert_false(weir_level_unused(rate, 12 * MS, 16 * MS, 12 * MS));
	assert_true(weir_level_unused(rate, 16 * MS, 16 * MS, 8 * MS));
	/* four bursts are 21 ms of 100 mbit */
	assert_false(weir_level_unused(rate / 10, 64 * MS, 256 * MS, 20 * MS));
	assert_true(weir_level_unused(rate / 10, 64 * MS, 256 * MS, 22 * MS));

	assert_in_range(weir_unused_more(900000, 64 * MS, 0), 899900, 900000);
	assert_in_range(weir_unused_more(900000, 60 * MS, 20 * MS), 1349900, 1350000);
	assert_in_range(weir_unused_less(128, 60 * MS, 20 * MS), 85, 86);
	/* at most by two, however long the clock was idle */
	assert_in_range(weir_unused_more(900000, 64 * MS, 60 * MS), 1799900, 1800000);
	assert_in_range(weir_unused_more(900000, 64 * MS, ~0ULL), 1799900, 1800000);
	assert_in_range(weir_unused_less(128, 64 * MS, ~0ULL), 63, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(police_stands_still_between),
		cmocka_unit_test(police_shares_by_count),
		cmocka_unit_test(who_is_limited_now_is_not_free),
		cmocka_unit_test(the_missing_are_gone_if_their_rate_is_unused),
		cmocka_unit_test(what_is_unused_is_shared_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
