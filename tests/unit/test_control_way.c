// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control_way.c: the controllers where the bottleneck is a queue elsewhere on the way, and
 * what local senders hear of it is followed: round trips, marks, losses. A fluid in simulated time.
 */
#include "plant.h"

enum heard { RTT, CE, LOSS, HEARD_COUNT };

static const char *const names[HEARD_COUNT] = { "rtt", "ce", "loss" };

#define BASE_NS (10 * MS)
#define OFFER_BPS (100 * MBIT)
#define SHARE 1000000.0			/* of 1 %, in the unit of signals */

struct way {
	enum heard heard;
	double speed_bps;
	struct control_config config;
	struct control_state state;
	struct control_past past[CONTROL_PAST];
	__u64 now, next_ns;
	double queue, answered, bps;	/* bytes; mean rate of answers */
	double in, in_ce, in_lost;	/* since the last look */
	double rtt_ns, served;
	__u64 rates[64];		/* of the last ms */
	__u64 lowest, highest;
};

static __u64 rate_of(const struct way *w)
{
	__u64 rate = w->rates[(w->now / MS - 15) % 64];

	return rate && rate < OFFER_BPS ? rate : OFFER_BPS;
}

static void look(struct way *w)
{
	struct control_sample sample = {
		.at_ns = w->now, .ttl_ns = SEC, .is_time = w->heard == RTT,
		.answered = true, .limited = w->state.rate_bps,
		.used_bps = rate_of(w), .active = 8,
	};
	double bps = w->answered * 8e9 / w->config.interval_ns;

	w->bps += (bps - w->bps) * (w->bps ? 0.5 : 1);
	sample.drain_bps = w->bps;
	sample.value = w->heard == RTT ? w->rtt_ns :
		       (w->heard == CE ? w->in_ce : w->in_lost) / w->in * 100 * SHARE;
	sample.clear = !sample.value;
	control_step(&w->config, &w->state, &sample, w->now);
	w->answered = w->in = w->in_ce = w->in_lost = 0;
	w->next_ns += w->config.interval_ns;
}

/* mean goodput, as a part of the way's speed or of what is offered */
static double run(struct way *w, __u64 ns)
{
	__u64 end = w->now + ns;
	double limit = w->heard == LOSS ? 30e3 : 2e6, speed = w->speed_bps, best;

	w->served = w->highest = 0;
	w->lowest = ~0ULL;
	for (; w->now < end; w->now += MS) {
		double in = rate_of(w) / 8e3, take = speed / 8e3, left = w->queue + in - limit;

		w->in += in;
		w->in_lost += left > 0 ? left : 0;
		w->queue += left > 0 ? in - left : in;
		take = take < w->queue ? take : w->queue;
		w->queue -= take;
		w->served += take;
		w->answered += take;
		w->rtt_ns = BASE_NS + w->queue * 8e9 / speed;
		w->in_ce += w->queue * 8e9 / speed > 2 * MS ? in : 0;
		w->rates[w->now / MS % 64] = w->state.rate_bps;
		if (w->now >= w->next_ns)
			look(w);
		w->lowest = w->state.rate_bps < w->lowest ? w->state.rate_bps : w->lowest;
		w->highest = w->state.rate_bps > w->highest ? w->state.rate_bps : w->highest;
	}
	best = speed < OFFER_BPS ? speed : OFFER_BPS;
	return w->served * 8e9 / ns / best;
}

/* seconds until a quarter of one has seen so much of the speed */
static double settle(struct way *w, double part)
{
	for (int i = 1; i <= 40; i++)
		if (run(w, SEC / 4) > part)
			return i / 4.0;
	return 10;
}

static void a_way_is_used_and_kept_short(void **state)
{
	static const __u64 targets[] = { 30 * MS, 5 * SHARE, SHARE };
	static const double speeds[] = { 20 * MBIT, 5 * MBIT, 20 * MBIT, 500 * MBIT };

	for (int i = 0; i < HEARD_COUNT * CONTROL_LAW_COUNT; i++) {
		enum heard heard = i % HEARD_COUNT;
		enum control_law law = i / HEARD_COUNT;
		struct way w = {
			.heard = heard, .now = SEC, .next_ns = SEC, .config = {
				.law = law, .target = targets[heard],
				.base_bps = OFFER_BPS, .pauses = 0.3,
				.interval_ns = heard == RTT ? 50 * MS : 100 * MS,
				.delay_ns = heard == RTT ? 45 * MS : 100 * MS,
			},
		};

		w.state.past = w.past;
		for (int k = 0; k < 4; k++) {
			double seconds, used;

			w.speed_bps = speeds[k];
			seconds = settle(&w, 0.9);
			run(&w, 4 * SEC);
			used = run(&w, 4 * SEC);
			print_message("# %s, %s, %.0f mbit: after %.2f s, %.1f %%, %.1f to %.1f mbit, "
				      "%.0f ms\n", names[heard], control_law_name(law),
				      speeds[k] / MBIT, seconds, used * 100, w.lowest / 1e6,
				      w.highest / 1e6, w.rtt_ns / 1e6);
			assert_true(used > 0.9);
			assert_true(seconds <= (law == CONTROL_AIMD ? 6 : 3));
			/* around what it takes, or all that there is */
			if (speeds[k] < OFFER_BPS)
				assert_true(w.lowest > 0.75 * speeds[k] &&
					    w.highest < 1.4 * speeds[k]);
			if (heard == RTT && law != CONTROL_AIMD && speeds[k] < OFFER_BPS)
				assert_in_range(w.rtt_ns, 26 * MS, 34 * MS);
		}
	}
}

/* at a low rate a look has few answers, and the next one many: below the target none is a cut */
static void few_answers_cut_nothing(void **state)
{
	struct control_past past[CONTROL_PAST] = {};
	struct control_state control = { .past = past };
	struct control_config config = { .target = 30 * MS, .base_bps = OFFER_BPS, .pauses = 0.3,
					 .interval_ns = 50 * MS, .delay_ns = 45 * MS };
	struct control_sample sample = { .ttl_ns = SEC, .is_time = true, .answered = true,
					 .limited = true, .active = 8, .used_bps = 20 * MBIT };
	__u64 before = 0;

	for (int i = 0; i < 200; i++) {
		sample.at_ns = SEC + i * 50 * MS;
		sample.value = i < 50 ? 31 * MS : 10 * MS;
		sample.drain_bps = i < 50 ? 20 * MBIT : before * (i % 4 ? 1 : 37) / 10;
		control_step(&config, &control, &sample, sample.at_ns);
		if (i > 50)
			assert_true(control.rate_bps >= before);
		before = control.rate_bps;
	}
	/* and above it the cut has its bound, by what was answered before */
	sample.at_ns += 50 * MS;
	sample.value = 45 * MS;
	sample.drain_bps = MBIT / 10;
	control_step(&config, &control, &sample, sample.at_ns);
	assert_in_range(control.rate_bps, MBIT, OFFER_BPS / 2);
}

/*
 * All flows in a time-out after a cut: nothing waits at the consumer, nobody uses what there is.
 * It has what is missing there, and no more until somebody sends.
 */
static void who_is_silent_is_given_no_more(void **state)
{
	struct control_config config = { .target = 20 * MS, .max_bps = 2000 * MBIT,
					 .interval_ns = 10 * MS, .delay_ns = 12 * MS };
	struct control_state control = CONTROL_NEW;
	struct control_sample sample = { .at_ns = SEC, .ttl_ns = SEC, .value = 40 * MS,
					 .is_time = true, .limited = true, .active = 4,
					 .drain_bps = 5 * MBIT, .used_bps = 5 * MBIT };

	control_step(&config, &control, &sample, sample.at_ns);
	sample.value = sample.used_bps = 0;
	sample.clear = sample.silent = true;
	for (int i = 0; i < 100; i++) {
		sample.at_ns += 10 * MS;
		control_step(&config, &control, &sample, sample.at_ns);
		assert_in_range(control.rate_bps, MBIT, 7 * MBIT);
	}
	/* whose use is not known may send */
	sample.silent = false;
	for (int i = 0; i < 100; i++) {
		sample.at_ns += 10 * MS;
		control_step(&config, &control, &sample, sample.at_ns);
	}
	assert_true(control.rate_bps > 100 * MBIT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_way_is_used_and_kept_short),
		cmocka_unit_test(few_answers_cut_nothing),
		cmocka_unit_test(who_is_silent_is_given_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
