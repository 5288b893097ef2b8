// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control_open.c: the controllers where a number is followed of which nobody knows what is
 * taken, nor how late it comes: the share of time in which somebody waits, what is pushed. Just
 * below what the consumer takes there is none, just above it is all. A fluid in simulated time.
 */
#include "plant.h"

enum shape { STEEP, QUEUE, NUMBER, SHAPE_COUNT };

static const char *const names[SHAPE_COUNT] = { "steep", "queue", "number" };

#define PART 1000000.0			/* 1 %, or 1, in the unit of signals */
#define MAX_BPS (400 * MBIT)

struct consumer {
	enum shape shape;
	double speed_bps;
	__u64 delay_ns;			/* in truth */
	struct control_config config;
	struct control_state state;
	struct control_past past[CONTROL_PAST];
	__u64 now, next_ns;
	double queue, in, busy;		/* bits; ms; of the latter two, since the last look */
	unsigned int n;
	__u64 rates[512];		/* of the last ms */
	__u64 lowest, highest;
};

static __u64 rate_of(const struct consumer *c)
{
	__u64 rate = c->rates[(c->now - c->delay_ns) / MS % 512];

	return rate ? rate : MAX_BPS;
}

static void look(struct consumer *c)
{
	struct control_sample sample = {
		.at_ns = c->now, .ttl_ns = SEC, .limited = true, .used_bps = rate_of(c),
		.active = 8,
	};
	double value;

	if (c->shape == STEEP)		/* 0 at 95 % of what it takes, 100 % at 105 % */
		value = (c->in / c->n / c->speed_bps - 0.95) * 1000;
	else if (c->shape == QUEUE)	/* the share of time in which there is one */
		value = c->busy / c->n * 100;
	else				/* its packets */
		value = c->queue / (1500 * 8);
	value *= 1 + (unit_below(2001) / 1000.0 - 1) / 10;
	value = value < 0 ? 0 : value > 100 && c->shape != NUMBER ? 100 : value;
	sample.value = value * PART;
	control_step(&c->config, &c->state, &sample, c->now);
	c->in = c->busy = c->n = 0;
	c->next_ns += c->config.interval_ns;
}

/* what it has taken, as a part of what it could */
static double run(struct consumer *c, __u64 ns)
{
	__u64 end = c->now + ns;
	double served = 0;

	c->highest = 0;
	c->lowest = ~0ULL;
	for (; c->now < end; c->now += MS) {
		double in = rate_of(c) / 1e3, take = c->speed_bps / 1e3;

		c->queue += in;
		take = take < c->queue ? take : c->queue;
		c->queue -= take;
		if (c->shape == STEEP || c->queue > c->speed_bps)	/* a second of it at most */
			c->queue = c->shape == STEEP ? 0 : c->speed_bps;
		served += take;
		c->in += in * 1e3;
		c->busy += c->queue > 0;
		c->n++;
		c->rates[c->now / MS % 512] = c->state.rate_bps;
		if (c->now >= c->next_ns)
			look(c);
		c->lowest = c->state.rate_bps < c->lowest ? c->state.rate_bps : c->lowest;
		c->highest = c->state.rate_bps > c->highest ? c->state.rate_bps : c->highest;
	}
	return served * 1e9 / ns / c->speed_bps;
}

/* seconds until a quarter of one has seen so much of the speed */
static double settle(struct consumer *c, double part)
{
	int i = 1;

	while (i < 240 && run(c, SEC / 4) < part)
		i++;
	return i / 4.0;
}

static struct consumer consumer_of(enum control_law law, unsigned int i, __u64 interval_ns)
{
	/* taken for 100 ms; half of that to three times */
	static const __u64 delays[] = { 50 * MS, 100 * MS, 200 * MS, 300 * MS };
	enum shape shape = i / 4;

	return (struct consumer){
		.shape = shape, .speed_bps = 100 * MBIT, .delay_ns = delays[i % 4], .now = SEC,
		.next_ns = SEC, .config = {
			.law = law, .target = (shape == NUMBER ? 100 : 10) * PART,
			.base_bps = MAX_BPS, .min_bps = 2 * MBIT, .interval_ns = interval_ns,
			.delay_ns = 100 * MS,
		},
	};
}

/* whatever the delay is, the consumer has most of its work, and no more than it takes */
static void an_open_signal_swings_little(void **state)
{
	static const __u64 intervals[] = { 100 * MS, SEC };

	for (unsigned int i = 0; i < 2 * 2 * SHAPE_COUNT * 4; i++) {
		enum control_law law = i % 2 ? CONTROL_PI : CONTROL_AIMD;
		struct consumer c = consumer_of(law, i / 4, intervals[i / 2 % 2]);
		double used;

		c.state.past = c.past;
		run(&c, 60 * SEC);
		used = run(&c, 60 * SEC) * 100;
		print_message("# %s, %s, every %4llu ms, delay %3llu ms: %.1f %%, %.1f to %.1f of 100 "
			      "mbit\n", control_law_name(law), names[c.shape],
			      c.config.interval_ns / MS, c.delay_ns / MS, used, c.lowest / 1e6,
			      c.highest / 1e6);
		assert_true(used > 75);
		assert_true(c.lowest > 0.4 * c.speed_bps && c.highest < 1.15 * c.speed_bps);
	}
}

/* nor does it matter how long it has taken less */
static void it_is_back_in_seconds(void **state)
{
	for (unsigned int i = 0; i < 2 * SHAPE_COUNT * 4; i++) {
		enum control_law law = i % 2 ? CONTROL_PI : CONTROL_AIMD;
		struct consumer c = consumer_of(law, i / 2, 100 * MS);
		double seconds, most;

		c.state.past = c.past;
		c.speed_bps = 10 * MBIT;
		run(&c, 120 * SEC);
		c.speed_bps = 100 * MBIT;
		seconds = settle(&c, 0.8);
		run(&c, 2 * SEC);
		print_message("# %s, %s, delay %3llu ms: back after %.2f s, %.1f mbit at most\n",
			      control_law_name(law), names[c.shape], c.delay_ns / MS, seconds,
			      c.highest / 1e6);
		assert_true(seconds <= 6);
		most = c.delay_ns <= c.config.delay_ns ? 1.4 : 1.7;
		assert_true(c.highest < most * c.speed_bps);
		c.speed_bps = 10 * MAX_BPS;
		c.queue = 0;
		assert_true(settle(&c, 0.95 * MAX_BPS / c.speed_bps) <= 6);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_open_signal_swings_little),
		cmocka_unit_test(it_is_back_in_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
