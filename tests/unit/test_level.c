// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_level.c: what moves the level: where a class polices, not its flows' swinging, only a class
 * whose rate is not in use or is far exceeded; elsewhere not its sockets' bursts.
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
		level = weir_level_next(100000000, level, &w, 3, 16000000, above, 0, &gain);
		assert_in_range(level, 33333000, 33333334);
		assert_int_equal(weir_level_damped(level, 50000000, WEIR_SLACK_NS), level);
	}
	assert_true(weir_level_damped(level, 150000000, WEIR_SLACK_NS) < level * 90 / 100);
	for (i = 0; i < 8; i++) {
		above = weir_level_above_police(0, &gain);
		level = weir_level_next(100000000, level, &w, 3, 16000000, above, 0, &gain);
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
	assert_int_equal(weir_level_next(100000000, 12500000, &w, 8, 16000000, 0, 0,
					&gain), 12500000);
	/* fewer than before: what was counted holds */
	w.now_limited = 0;
	assert_int_equal(weir_free_bytes(&w), 140000);
	w.limited = 8;
	w.free_bytes = 0;
	assert_int_equal(weir_free_bytes(&w), 0);
}

/* however many share a class: a packet's cost at the level is what it takes, and no clock wraps */
static void no_level_is_too_low(void **state)
{
	static const __u64 rates[] = { WEIR_RATE_MIN, 64000, 65536000, 1000000000, WEIR_RATE_MAX };
	__u64 npb = weir_npb(WEIR_LEVEL_MIN), level;
	__u32 gain;

	assert_in_range(npb, WEIR_NPB_MAX / 2, WEIR_NPB_MAX);
	for (unsigned int i = 0; i < sizeof(rates) / sizeof(rates[0]); i++)
		for (__u32 n = 1; n <= 1 << 24; n *= 2) {
			struct weir_window w = { .bytes = 200000, .active = n, .limited = n };

			gain = WEIR_GAIN_MIN;
			level = weir_level_next(rates[i], rates[i], &w, n, 16000000, 1, 0, &gain);
			assert_in_range(level, WEIR_LEVEL_MIN, rates[i]);
			assert_true(weir_npb(level) <= npb);
		}
	assert_true(weir_cost(WEIR_BYTES_MAX, npb) == (WEIR_BYTES_MAX * npb) >> WEIR_NPB_SHIFT);
	assert_true((__u64)WEIR_BYTES_MAX <= (1ULL << 63) / npb);
	assert_true(weir_cost_mean(WEIR_BYTES_MAX, npb, 1) == weir_cost(WEIR_BYTES_MAX, npb));
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

/* two were limited; a thousand have come that the level of two does not hold, 18 times the rate */
static void many_that_are_free_begin_anew(void **state)
{
	__u64 rate = 23600000, level = rate / 6;
	struct weir_window w = { .bytes = 2624000, .free_bytes = 2624000, .active = 1000 };
	__u32 gain = WEIR_GAIN_ONE;

	assert_true(weir_free_exceed(&w, rate, 48 * MS));
	assert_int_equal(weir_level_next(rate, level, &w, 0, 48 * MS, 0, 0, &gain), rate / 1000);
	/* as many as the count has already found are not free */
	w.now_limited = 1000;
	assert_false(weir_free_exceed(&w, rate, 48 * MS));
	/* nor is what fits into the rate too much, or what there was no time for */
	w = (struct weir_window){ .bytes = 141000, .free_bytes = 141000, .active = 1000 };
	assert_false(weir_free_exceed(&w, rate, 48 * MS));
	assert_false(weir_free_exceed(&w, rate, 0));
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

#define RATE 47500000ULL
#define FLOWS 8
#define BURST 68130

struct plant {
	struct weir_window windows[2];
	__u32 window, limited;
	__u64 level, npb, begin_ns, span_ns;
	struct { __u64 next_ns, bytes; __u32 window; } flow[FLOWS];
};

/* a bucket's burst, as in window.h: its last window is reported, and the level holds it back */
static void burst_passes(struct plant *plant, int i)
{
	struct weir_window *sum = &plant->windows[plant->window & 1];

	if (plant->flow[i].window != plant->window) {
		if (plant->flow[i].window == plant->window - 1) {
			sum->bytes += plant->flow[i].bytes;
			sum->active++;
			sum->limited++;
		}
		plant->flow[i].window = plant->window;
		plant->flow[i].bytes = 0;
		sum->now_limited++;
	}
	plant->flow[i].bytes += BURST;
	plant->flow[i].next_ns += BURST * 8000000000ULL / plant->level;
}

/* the end of a window, as in timer.h */
static void window_ends(struct plant *plant, __u64 now)
{
	struct weir_window *sum = &plant->windows[plant->window & 1];
	__u32 gain = WEIR_GAIN_ONE;

	plant->limited = weir_limited_count(sum, plant->limited, 0);
	plant->level = weir_level_next(RATE, plant->level, sum, plant->limited, plant->span_ns, 0,
				       0, &gain);
	plant->npb = weir_npb(plant->level);
	plant->span_ns = now - plant->begin_ns;
	plant->begin_ns = now;
	memset(&plant->windows[++plant->window & 1], 0, sizeof(*sum));
}

/* flows whose sockets send BURST at once: the highest level in ten seconds */
static __u64 highest_level(__u32 burst)
{
	struct plant plant = { .window = 1, .level = RATE / FLOWS, .limited = FLOWS,
			       .npb = weir_npb(RATE / FLOWS), .span_ns = 16 * MS };
	__u64 now, highest = 0;
	int i;

	for (i = 0; i < FLOWS; i++)
		plant.flow[i].next_ns = i * 7 * MS;
	for (now = 0; now < 10000 * MS; now += 4 * MS) {
		for (i = 0; i < FLOWS; i++)
			while (plant.flow[i].next_ns <= now)
				burst_passes(&plant, i);
		if (now - plant.begin_ns >= weir_window_ns(plant.npb, burst))
			window_ends(&plant, now);
		if (plant.level > highest)
			highest = plant.level;
	}
	return highest;
}

/* in a window that is shorter than a bucket's burst takes, it is missing while it waits for it */
static void a_window_holds_the_bursts_of_all(void **state)
{
	assert_in_range(highest_level(BURST), RATE / FLOWS, RATE / FLOWS * 115 / 100);
	assert_true(highest_level(0) > RATE / FLOWS * 2);
	assert_int_equal(weir_window_ns(weir_npb(RATE), 1514), WEIR_WINDOW_MIN_NS);
	assert_int_equal(weir_window_ns(weir_npb(1000), ~0U), WEIR_WINDOW_MAX_NS);
}

/*
 * Six with a cap of 40 mbit each in a class of 100, and a level above their cap: nobody is limited,
 * and a count that was wrong once stays so; what they use tells.
 */
static void a_level_above_all_caps_comes_down(void **state)
{
	__u32 gain = WEIR_GAIN_ONE, limited;

	for (limited = 0; limited < 2; limited++) {
		/* 240 mbit for 16 ms, of two that were seen in it */
		struct weir_window w = { .bytes = 480000, .free_bytes = 480000, .active = 2 };

		assert_in_range(weir_level_next(100000000, 49900000, &w, limited, 16 * MS, 0,
						40000000, &gain), 16600000, 16700000);
		/* below the cap, and where the class is within its rate, the count tells */
		assert_in_range(weir_level_next(100000000, 39900000, &w, limited, 16 * MS, 0,
						40000000, &gain), 50000000, 50000000);
		w.bytes = w.free_bytes = 180000;
		assert_in_range(weir_level_next(100000000, 49900000, &w, limited, 16 * MS, 0,
						40000000, &gain), 50000000, 100000000);
	}
}

/* the levels add up to too much, to too little, and nothing is known while nobody waits */
static void debts_tell_what_the_count_misses(void **state)
{
	assert_int_equal(weir_level_above(20 * MS, 10 * MS, 100 * MS, 0, 1), 1);
	assert_int_equal(weir_level_above(20 * MS, 10 * MS, 100 * MS, 0, 0), 1);
	assert_int_equal(weir_level_above(14 * MS, 10 * MS, 100 * MS, 0, 1), 0);
	assert_int_equal(weir_level_above(9 * MS, 10 * MS, 100 * MS, 0, 1), -1);
	assert_int_equal(weir_level_above(9 * MS, 10 * MS, 100 * MS, 0, 0), 0);
	/* 68,130 bytes are 11.5 ms of 47.5 mbit; of a low rate no more than 20 ms count */
	assert_in_range(weir_debt_expected(MS, BURST, RATE), 6730000, 6740000);
	assert_int_equal(weir_debt_expected(MS, BURST, 1000000), 11 * MS);
	assert_int_equal(weir_debt_expected(MS, BURST, 1), MS);
	/* rate that was not used was not too little */
	assert_int_equal(weir_level_above(20 * MS, 10 * MS, 100 * MS, 4 * MS, 1), -1);
	assert_int_equal(weir_level_above(20 * MS, 10 * MS, 100 * MS, 4 * MS, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(police_stands_still_between),
		cmocka_unit_test(police_shares_by_count),
		cmocka_unit_test(who_is_limited_now_is_not_free),
		cmocka_unit_test(no_level_is_too_low),
		cmocka_unit_test(the_missing_are_gone_if_their_rate_is_unused),
		cmocka_unit_test(many_that_are_free_begin_anew),
		cmocka_unit_test(what_is_unused_is_shared_out),
		cmocka_unit_test(a_window_holds_the_bursts_of_all),
		cmocka_unit_test(a_level_above_all_caps_comes_down),
		cmocka_unit_test(debts_tell_what_the_count_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
