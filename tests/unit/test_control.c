// SPDX-License-Identifier: GPL-2.0-only
/*
 * test_control.c: the controllers: what each step may do, and in closed loop with a plant
 * (plant.h) how they settle, over the range that they are meant for.
 */
#include "plant.h"

static struct plant plant;

static struct plant *experiment(void)
{
	plant = (struct plant){
		.speed_bps = 50 * MBIT, .interval_ns = 10 * MS, .delay_ns = 15 * MS, .flows = 8,
		.config = { .target = 10 * MS },
	};
	plant_init(&plant);
	return &plant;
}

/* the experiment of tests/vm/agent.sh */
static void experiment_settles(void **state)
{
	struct plant *p = experiment();
	double mean, settle[2];

	plant_run(p, 3 * SEC);
	mean = plant_run(p, SEC);
	print_message("# at 50: %.2f ms, %.3f mbit\n", mean, plant_goodput(p) / 1e6);
	assert_true(mean > 8 && mean < 12);
	assert_true(plant_goodput(p) > 49.5e6);
	p->speed_bps = 10 * MBIT;
	settle[0] = plant_settle(p, 2 * SEC, 0.2);
	mean = plant_run(p, SEC);
	print_message("# at 10: settled after %.0f ms, %.2f ms, %.3f mbit\n", settle[0], mean,
		      plant_goodput(p) / 1e6);
	assert_true(mean > 8 && mean < 12);
	assert_true(plant_goodput(p) > 9.9e6);
	p->speed_bps = 50 * MBIT;
	settle[1] = plant_settle(p, 2 * SEC, 0.2);
	mean = plant_run(p, SEC);
	print_message("# at 50: settled after %.0f ms, %.2f ms\n", settle[1], mean);
	assert_true(settle[0] <= 300);
	assert_true(settle[1] <= 200);
}

/* one step of a controller that holds a rate */
static struct control_decision step(struct control_state *state, struct control_config *config,
				    __u64 value, __u64 drain_bps, __u64 now)
{
	struct control_sample sample = {
		.at_ns = now, .ttl_ns = 200 * MS, .value = value, .is_time = true,
		.clear = !value, .limited = true, .drain_bps = drain_bps, .active = 4,
	};

	return control_step(config, state, &sample, now);
}

static void bounds_are_never_left(void **state)
{
	for (int run = 0; run < 200; run++) {
		struct control_config config = {
			.law = unit_below(CONTROL_LAW_COUNT), .target = MS + unit_below(SEC),
			.min_bps = MBIT + unit_below(10 * MBIT), .interval_ns = 10 * MS,
			.base_bps = unit_below(2) ? 100 * MBIT : 0,
			.delay_ns = unit_below(100 * MS),
		};
		struct control_state control = CONTROL_NEW;

		config.max_bps = config.min_bps + unit_below(1000 * MBIT);
		for (int i = 1; i < 500; i++) {
			__u64 lie = unit_below(2) * ~0ULL >> 4;
			__u64 value = unit_below(3) ? unit_below(2 * SEC) : lie;
			__u64 drain = unit_below(4) ? unit_below(10000 * MBIT) : 0;
			__u64 at = SEC + i * 10 * MS;
			__u64 rate = step(&control, &config, value, drain, at).rate_bps;

			assert_true(!rate || (rate >= config.min_bps && rate <= config.max_bps));
		}
	}
}

static void silence_is_held_then_ended(void **state)
{
	struct control_config config = { .target = 10 * MS, .base_bps = 100 * MBIT,
					 .interval_ns = 10 * MS, .delay_ns = 15 * MS };
	struct control_state control = CONTROL_NEW;
	struct control_sample sample = { .at_ns = SEC, .ttl_ns = 100 * MS, .value = 50 * MS,
					 .is_time = true, .drain_bps = 20 * MBIT };
	__u64 rate = control_step(&config, &control, &sample, SEC).rate_bps;
	struct control_decision d;

	assert_true(rate && rate < 20 * MBIT);
	for (__u64 age = 0; age <= 200; age += 5) {
		d = control_step(&config, &control, &sample, SEC + age * MS);
		assert_int_equal(d.rate_bps, rate);
		if (age > 100)
			assert_int_equal(d.reason, WEIR_C_STALE);
	}
	d = control_step(&config, &control, &sample, SEC + 201 * MS);
	assert_int_equal(d.rate_bps, 0);
	assert_int_equal(d.reason, WEIR_C_EXPIRED);
	/* older than what was heard: changes nothing */
	d = step(&control, &config, 40 * MS, 20 * MBIT, 3 * SEC);
	sample.at_ns = 3 * SEC - MS;
	sample.value = 0;
	assert_int_equal(control_step(&config, &control, &sample, 3 * SEC).rate_bps, d.rate_bps);
}

static void a_hand_freezes(void **state)
{
	struct control_config config = { .target = 10 * MS, .base_bps = 100 * MBIT, .by_hand = true,
					 .interval_ns = 10 * MS };
	struct control_state control = CONTROL_NEW;
	struct control_decision d = step(&control, &config, SEC, 20 * MBIT, SEC);

	assert_int_equal(d.rate_bps, 0);
	assert_int_equal(d.reason, WEIR_C_BY_HAND);
}

static void nobody_grows_what_is_not_used(void **state)
{
	struct plant *p = experiment();
	__u64 rate;

	plant_run(p, 3 * SEC);
	p->offer_bps = 5 * MBIT;
	plant_run(p, SEC);
	rate = p->decision.rate_bps;
	plant_run(p, 5 * SEC);
	assert_true(rate < 75 * MBIT && p->decision.rate_bps <= rate * 1.01);
	/* and it is there again when they want it */
	p->offer_bps = 0;
	plant_run(p, 2 * SEC);
	assert_true(plant_run(p, SEC) > 5);
	assert_true(plant_goodput(p) > 49e6);
}

/* nor where they are limited in bursts and use a tenth of it, whatever the law */
static void nobody_grows_what_is_little_used(void **state)
{
	for (enum control_law law = 0; law < CONTROL_LAW_COUNT; law++) {
		struct control_config config = { .law = law, .target = 10 * MS,
						 .interval_ns = 10 * MS, .delay_ns = 15 * MS };
		struct control_state control = CONTROL_NEW;
		struct control_sample sample = {
			.ttl_ns = SEC, .value = 20 * MS, .is_time = true, .limited = true,
			.drain_bps = 50 * MBIT, .used_bps = 50 * MBIT, .active = 4,
		};

		for (int i = 0; i < 6000; i++) {
			sample.at_ns = SEC + i * 10 * MS;
			control_step(&config, &control, &sample, sample.at_ns);
			sample.value = 0;
			sample.used_bps = 5 * MBIT;
		}
		assert_in_range(control.rate_bps, 10 * MBIT, 63 * MBIT);
	}
}

static void recovers_from_the_minimum(void **state)
{
	/* however little of it was still read at the last look before */
	for (__u64 last = 100 * MBIT / 1000; last <= 50 * MBIT; last *= 3) {
		struct plant *p = experiment();

		plant_run(p, 3 * SEC);
		p->speed_bps = last;
		plant_run(p, 10 * MS);
		p->speed_bps = 0;
		plant_run(p, 10 * SEC);
		assert_int_equal(p->decision.reason, WEIR_C_STALLED);
		p->speed_bps = 50 * MBIT;
		plant_run(p, SEC);
		plant_run(p, SEC);
		print_message("# stopped after %llu kbit; after a second of recovery %.1f mbit\n",
			      last / 1000, plant_goodput(p) / 1e6);
		assert_true(plant_goodput(p) > 49e6);
	}
}

/* a consumer that reads at once all that waits, each 200 ms, is fed for 200 ms */
static void a_batch_reader_is_fed(void **state)
{
	struct plant *p = experiment();
	double before = 0;

	p->config.target = 300 * MS;
	p->config.base_bps = 200 * MBIT;
	for (int i = 0; i < 200; i++) {
		if (i == 100)
			before = p->served;
		p->speed_bps = 0;
		plant_run(p, 198 * MS);
		p->speed_bps = 5000 * MBIT;	/* at most 50 mbit on average */
		plant_run(p, 2 * MS);
	}
	print_message("# %.1f of 50 mbit\n", (p->served - before) * 8 / 20e6);
	assert_true((p->served - before) * 8 / 20 > 45e6);
}

/* what min or max keep from its target is no error of the drain rate: without them all is well */
static void a_bound_teaches_nothing(void **state)
{
	for (int i = 0; i < 2; i++) {
		struct plant *p = experiment();
		double mean;

		p->config.base_bps = 200 * MBIT;
		p->config.min_bps = 20 * MBIT;
		p->config.max_bps = i ? 20 * MBIT : 0;
		plant_run(p, 3 * SEC);
		p->speed_bps = 10 * MBIT;
		plant_run(p, 20 * SEC);
		p->speed_bps = 50 * MBIT;
		p->config.max_bps = 0;
		plant_run(p, 10 * SEC);
		mean = plant_run(p, 2 * SEC);
		print_message("# %.1f of 10 ms, %.1f of 50 mbit\n", mean, plant_goodput(p) / 1e6);
		assert_true(mean > 8 && mean < 12);
		assert_true(plant_goodput(p) > 49e6);
	}
}

/* every scale, delay and interval, noise of a tenth: at the target on average, and fully used */
static void stable_over_the_range(void **state)
{
	static const __u64 speeds[] = { MBIT, 50 * MBIT, 1000 * MBIT, 100000 * MBIT };
	static const __u64 intervals[] = { 10 * MS, 100 * MS };
	static const __u64 delays[] = { 2 * MS, 15 * MS, 60 * MS };

	for (unsigned int i = 0; i < 4 * 2 * 3; i++) {
		double mean, target;

		plant = (struct plant){
			.speed_bps = speeds[i % 4], .interval_ns = intervals[i / 4 % 2],
			.delay_ns = delays[i / 8], .flows = i % 4 ? 8 : 1, .noise = 0.1,
		};
		/* a target of a third of the loop's delay at least, and of two bursts */
		plant.config.target = (3 * plant.interval_ns / 2 + plant.delay_ns) / 3 +
				      (i % 4 ? 10 * MS : 60 * MS);
		plant.config.base_bps = 4 * plant.speed_bps;
		plant_init(&plant);
		plant_run(&plant, 20 * SEC);
		mean = plant_run(&plant, 20 * SEC);
		target = plant.config.target / 1e6;
		print_message("# %6llu mbit, every %3llu ms, delay %2llu ms: %.1f of %.1f ms\n",
			      plant.speed_bps / MBIT, plant.interval_ns / MS,
			      plant.delay_ns / MS, mean, target);
		assert_true(mean > 0.9 * target && mean < 1.1 * target);
		assert_true(plant_goodput(&plant) > 0.99 * plant.speed_bps);
	}
}

/* what a controller takes its loop's delay for is a guess: it may be a third or the double */
static void a_wrong_delay_is_borne(void **state)
{
	static const __u64 speeds[] = { 50 * MBIT, 200 * MBIT, 1000 * MBIT };
	static const __u64 delays[] = { 2 * MS, 5 * MS, 15 * MS, 30 * MS };
	static const __u64 guesses[] = { 12 * MS, 15 * MS };

	for (unsigned int i = 0; i < 3 * 4 * 2; i++) {
		double mean, settle;

		plant = (struct plant){
			.speed_bps = speeds[i % 3], .interval_ns = 10 * MS, .flows = 8,
			.delay_ns = delays[i / 3 % 4], .noise = 0.1,
			.config = { .target = 20 * MS, .delay_ns = guesses[i / 12],
				    .base_bps = 4 * speeds[i % 3] },
		};
		plant_init(&plant);
		plant_run(&plant, 3 * SEC);
		mean = plant_run(&plant, 20 * SEC);
		plant.speed_bps /= 4;
		settle = plant_settle(&plant, 3 * SEC, 0.5);
		print_message("# %4llu mbit, delay %2llu for %2llu ms: %.1f of 20 ms, most %.1f; "
			      "to a quarter in %.0f ms\n", speeds[i % 3] / MBIT,
			      plant.delay_ns / MS, plant.config.delay_ns / MS, mean,
			      plant.most * 8e3 / plant.speed_bps, settle);
		assert_true(mean > 18 && mean < 22);
		assert_true(settle <= 500);
	}
}

/* laws that know no drain rate: slower, and no less bounded */
static void blind_laws_get_there(void **state)
{
	for (enum control_law law = CONTROL_AIMD; law <= CONTROL_PI; law++) {
		struct plant *p = experiment();
		double mean;

		p->blind = true;
		p->config.law = law;
		p->config.base_bps = 100 * MBIT;
		plant_run(p, 20 * SEC);
		mean = plant_run(p, 10 * SEC);
		print_message("# %s: %.1f of 10 ms, %.1f mbit of 50\n",
			      control_law_name(law), mean, plant_goodput(p) / 1e6);
		assert_true(mean < 20);
		assert_true(plant_goodput(p) > 45e6);
	}
}

/* eight flows of 10 mbit send two packets each 19 ms: that nothing waits in between is no news */
static void a_gap_between_bursts_is_no_probe(void **state)
{
	struct control_config config = { .target = 10 * MS, .interval_ns = 10 * MS,
					 .delay_ns = 15 * MS };
	struct control_state control = CONTROL_NEW;
	__u64 rate = 0, before = 0;

	for (int i = 0; i < 120; i++) {
		struct control_sample sample = {
			.at_ns = SEC + i * 10 * MS, .ttl_ns = 200 * MS, .is_time = true,
			.value = !i ? 20 * MS : i < 100 ? 10 * MS : 0, .limited = true,
			.drain_bps = 10 * MBIT, .used_bps = 10 * MBIT, .active = 8,
		};

		rate = control_step(&config, &control, &sample, sample.at_ns).rate_bps;
		if (i == 99)
			before = rate;
		else if (i > 99 && i < 103)
			assert_true(rate < before * 1.26);
	}
	assert_true(before > 9.5 * MBIT && before < 10.5 * MBIT);
	assert_true(rate > before * 1.5);
}

/* far behind, and yet so fast: whoever says both raises nothing */
static void who_is_far_behind_is_not_raised(void **state)
{
	struct control_config config = { .target = 10 * MS, .base_bps = 100 * MBIT,
					 .min_bps = MBIT, .max_bps = 1000 * MBIT,
					 .interval_ns = 10 * MS, .delay_ns = 12 * MS };
	struct control_state control = CONTROL_NEW;
	struct control_decision d = step(&control, &config, 40 * MS, 20 * MBIT, SEC);
	__u64 rate = d.rate_bps, now;

	assert_true(rate && rate < 20 * MBIT);
	for (now = SEC + 10 * MS; now < 2 * SEC; now += 10 * MS) {
		d = step(&control, &config, 100 * SEC, 100000 * MBIT, now);
		assert_true(d.rate_bps <= rate);
		assert_true(d.reason == WEIR_C_BEHIND || d.reason == WEIR_C_MINIMUM);
		rate = d.rate_bps;
	}
	/* and who tells the truth again has most of its rate again */
	for (; now < 2 * SEC + 500 * MS; now += 10 * MS)
		d = step(&control, &config, 10 * MS, 20 * MBIT, now);
	assert_true(d.rate_bps > 10 * MBIT && d.rate_bps < 25 * MBIT);
}

/* what was let through in excess is waited for, where a low rate would outlive its reason */
static void what_departs_late_is_held(void **state)
{
	struct control_config config = { .target = 10 * MS, .base_bps = 100 * MBIT,
					 .interval_ns = 10 * MS, .delay_ns = 5 * MS,
					 .pauses = 1, .delays = true };
	struct control_state control = CONTROL_NEW;
	struct control_decision d = step(&control, &config, 11 * MS, 50 * MBIT, SEC);
	__u64 now, before;

	for (now = SEC + 10 * MS; now < SEC + 200 * MS; now += 10 * MS) {
		d = step(&control, &config, 10 * MS, 50 * MBIT, now);
		assert_int_equal(d.hold_until_ns, 0);
	}
	assert_in_range(d.rate_bps, 45 * MBIT, 55 * MBIT);
	d = step(&control, &config, 100 * MS, 10 * MBIT, now);
	assert_in_range(d.rate_bps, 9 * MBIT, 11 * MBIT);
	assert_in_range(d.hold_until_ns, now + 90 * MS, now + 130 * MS);
	assert_int_equal(d.reason, WEIR_C_HOLD);
	/* a sample that was used says the same as before; a hold is no longer than it is sure */
	now += 5 * MS;
	before = d.hold_until_ns;
	d = step(&control, &config, 100 * MS, 10 * MBIT, now - 5 * MS);
	assert_int_equal(d.hold_until_ns, before);
	now += 5 * MS;
	d = step(&control, &config, 60 * SEC, 10 * MBIT, now);
	assert_int_equal(d.hold_until_ns, now + 250 * MS);
	/* near the target, and where sockets are paced, a rate does it */
	now += 200 * MS;
	assert_int_equal(step(&control, &config, 15 * MS, 10 * MBIT, now).hold_until_ns, 0);
	config.delays = false;
	now += 10 * MS;
	d = step(&control, &config, 100 * MS, 10 * MBIT, now);
	assert_int_equal(d.hold_until_ns, 0);
	assert_true(d.rate_bps < 9 * MBIT);
}

/* who is behind for what others send is not held for ever: a rate, and the minimum is kept */
static void a_hold_in_vain_is_none(void **state)
{
	struct control_config config = { .target = 10 * MS, .base_bps = 100 * MBIT,
					 .min_bps = 2 * MBIT, .interval_ns = 10 * MS,
					 .delay_ns = 5 * MS, .pauses = 1, .delays = true };
	struct control_state control = CONTROL_NEW;
	struct control_decision d;
	__u64 now, begun = SEC, held = 0;
	int i;

	for (now = begun; now < begun + 5 * SEC; now += 10 * MS) {
		d = step(&control, &config, 100 * MS, 10 * MBIT, now);
		held += d.hold_until_ns ? 10 * MS : 0;
	}
	assert_in_range(held, 100 * MS, 500 * MS);
	assert_int_equal(d.rate_bps, 2 * MBIT);
	/* near its target that is forgotten; a hold that tells lasts for as long as it has to */
	for (i = 0; i < 2; i++, now += 10 * MS)
		step(&control, &config, 10 * MS, 10 * MBIT, now);
	for (i = 200; i > 2; i--, now += 10 * MS)
		assert_true(step(&control, &config, i * 10 * MS, 10 * MBIT, now).hold_until_ns);
}

/* no law that knows no drain rate is faster because it is less behind than before */
static void blind_laws_do_not_raise_who_is_behind(void **state)
{
	for (int run = 0; run < 200; run++) {
		struct control_config config = {
			.law = unit_below(2) ? CONTROL_PI : CONTROL_AIMD, .target = 10 * MS,
			.base_bps = 100 * MBIT, .interval_ns = (1 + unit_below(10)) * 10 * MS,
			.delay_ns = 100 * MS,
		};
		struct control_state control = CONTROL_NEW;
		__u64 rate = config.base_bps, now = SEC;

		for (int i = 0; i < 100; i++, now += config.interval_ns) {
			__u64 value = config.target * 6 / 5 + 1 + unit_below(100 * MS);

			assert_true(step(&control, &config, value, 0, now).rate_bps <= rate);
			rate = control.rate_bps;
		}
	}
}

/* CE and loss are counted of few packets: from none to the target is no reason for a deep cut */
static void a_share_may_leap_below_its_target(void **state)
{
	struct control_config config = { .target = 1000000, .base_bps = 100 * MBIT,
					 .interval_ns = 100 * MS, .delay_ns = 100 * MS };
	struct control_sample sample = { .ttl_ns = SEC, .limited = true };
	struct control_state control = CONTROL_NEW;
	__u64 rate = 0, before = 0, now = SEC;

	for (int i = 0; i < 40; i++, now += 100 * MS) {
		before = rate;
		sample.at_ns = now;
		sample.value = i < 20 ? 5000000 : i % 2 ? 1100000 : 0;
		rate = control_step(&config, &control, &sample, now).rate_bps;
		assert_true(rate && rate <= config.base_bps);
		assert_true(i <= 20 || rate > before * 0.9);
	}
	/* well above it is one */
	sample.at_ns = now;
	sample.value = 3000000;
	assert_true(control_step(&config, &control, &sample, now).rate_bps < rate * 0.6);
}

/* with no rate to begin from, not even one that passes, it is not said that all is well */
static void what_nothing_passes_is_said(void **state)
{
	struct control_config config = { .target = 10 * MS, .interval_ns = 10 * MS };
	struct control_sample sample = { .at_ns = SEC, .ttl_ns = SEC, .value = MS,
					 .is_time = true };
	struct control_state control = CONTROL_NEW;

	assert_int_equal(control_step(&config, &control, &sample, SEC).reason, WEIR_C_IDLE);
	sample.at_ns += 10 * MS;
	sample.value = 20 * MS;
	assert_int_equal(control_step(&config, &control, &sample, SEC).reason, WEIR_C_NOTHING);
	sample.at_ns += 10 * MS;
	sample.used_bps = 20 * MBIT;
	assert_true(control_step(&config, &control, &sample, SEC).rate_bps);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(experiment_settles), cmocka_unit_test(bounds_are_never_left),
		cmocka_unit_test(silence_is_held_then_ended), cmocka_unit_test(a_hand_freezes),
		cmocka_unit_test(nobody_grows_what_is_not_used),
		cmocka_unit_test(nobody_grows_what_is_little_used),
		cmocka_unit_test(recovers_from_the_minimum),
		cmocka_unit_test(a_batch_reader_is_fed),
		cmocka_unit_test(a_bound_teaches_nothing),
		cmocka_unit_test(stable_over_the_range),
		cmocka_unit_test(a_wrong_delay_is_borne),
		cmocka_unit_test(blind_laws_get_there),
		cmocka_unit_test(a_gap_between_bursts_is_no_probe),
		cmocka_unit_test(who_is_far_behind_is_not_raised),
		cmocka_unit_test(blind_laws_do_not_raise_who_is_behind),
		cmocka_unit_test(what_departs_late_is_held),
		cmocka_unit_test(a_hold_in_vain_is_none),
		cmocka_unit_test(what_nothing_passes_is_said),
		cmocka_unit_test(a_share_may_leap_below_its_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
