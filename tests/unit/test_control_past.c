// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control_past.c: what is left out of the past because it has long arrived adds nothing: the
 * same bits as a sum over all of it, and as a search of all of it.
 */
#include "unit.h"
#include "control_past.h"

#define MS 1000000ULL
#define SEC (1000 * MS)

struct ring {
	struct control_past past[CONTROL_PAST];
	struct control_state state;
	struct control_config config;
	struct control_sample sample;
	__u64 now;
};

/* a ring of rates that are alike or far apart, full or not, of flows that pause or none */
static void ring_make(struct ring *r)
{
	__u64 n = unit_below(4 * CONTROL_PAST), highest = unit_scale(1000, 1ULL << 40);

	*r = (struct ring){
		.state = { .past = r->past, .rate_bps = unit_scale(1000, highest) },
		.config = { .delay_ns = unit_below(200 * MS), .pauses = unit_below(2) ? 0.3 : 1 },
		.sample = { .active = unit_below(2) * unit_below(100), .limited = true },
		.now = SEC,
	};
	for (__u64 i = 0; i < n; i++) {
		r->past[r->state.past_at] = (struct control_past){ r->now,
								   unit_scale(1000, highest) };
		r->state.past_at = (r->state.past_at + 1) % CONTROL_PAST;
		r->now += 1 + unit_below(unit_below(8) ? 20 * MS : SEC);
	}
}

static double all_pending(const struct ring *r, double drain)
{
	__u64 to = r->now;
	double sum = 0;

	for (unsigned int i = 0; i < CONTROL_PAST; i++) {
		const struct control_past *past =
			&r->past[(r->state.past_at + CONTROL_PAST - 1 - i) % CONTROL_PAST];
		double echo = control_echo_ns(&r->config, &r->sample, past->rate_bps);
		__u64 from = r->now > echo ? r->now - (__u64)echo : 0;
		__u64 start = past->at_ns > from ? past->at_ns : from;

		if (!past->rate_bps)
			break;
		if (start < to)
			sum += (past->rate_bps / drain - 1) * (double)(to - start);
		to = past->at_ns;
	}
	return sum;
}

static __u64 rate_at(const struct ring *r, __u64 when)
{
	__u64 rate = r->state.rate_bps, latest = 0;

	for (unsigned int i = 0; i < CONTROL_PAST; i++)
		if (r->past[i].rate_bps && r->past[i].at_ns <= when && r->past[i].at_ns > latest) {
			latest = r->past[i].at_ns;
			rate = r->past[i].rate_bps;
		}
	return rate;
}

static void what_has_arrived_adds_nothing(void **state)
{
	struct ring r;

	for (int i = 0; i < 200000; i++) {
		double drain, got, want;

		ring_make(&r);
		drain = unit_scale(1000, 1ULL << 40);
		got = control_pending(&r.config, &r.state, &r.sample, drain, r.now);
		want = all_pending(&r, drain);
		assert_memory_equal(&got, &want, sizeof(got));
	}
}

static void the_newest_that_is_old_enough(void **state)
{
	struct ring r;

	for (int i = 0; i < 200000; i++) {
		__u64 when;

		ring_make(&r);
		when = r.now - unit_below(r.now);
		assert_int_equal(control_past_rate(&r.state, when), rate_at(&r, when));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_has_arrived_adds_nothing),
		cmocka_unit_test(the_newest_that_is_old_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
